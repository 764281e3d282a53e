//! `nnc grad` as a user types it: PyTorch's numbers out of the real binary, in every engine, and
//! what is said of files that do not fit.
//!
//! The cases and the tolerance are those of `tests/torch.rs`; here they go through files and
//! arguments, so names, shapes and exit codes are tested too.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use nnc::base::tensor::{Data, Tensor};
use nnc::codegen::Target;
use nnc::runtime::weights::{load, save};
use support::compare::mismatch;
use support::engines::Tensors;

const CASES: [(&str, &[&str]); 5] = [
    ("mlp", &[]),
    ("layer_norm", &[]),
    ("attention", &[]),
    ("loss_focal", &[]),
    ("optim_adam", &["--steps", "20"]),
];

fn golden(case: &str, extension: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/torch");
    folder.join(case).with_extension(extension)
}

fn tensors(path: &Path) -> Tensors {
    load(path).unwrap_or_else(|error| panic!("{error}")).into_iter().collect()
}

/// A folder, and what `nnc grad` makes there.
struct Folder(tempfile::TempDir);

/// What a command did.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    /// With a golden model as `model.nn` and its tensors, changed, as `in.safetensors`.
    fn with(case: &str, change: impl FnOnce(&mut Tensors)) -> Folder {
        let folder = Folder::new();
        std::fs::copy(golden(case, "nn"), folder.path("model.nn")).expect("the model");
        let mut tensors = tensors(&golden(case, "safetensors"));
        change(&mut tensors);
        let tensors: Vec<(String, Tensor)> = tensors.into_iter().collect();
        save(&folder.path("in.safetensors"), &tensors).expect("the tensors");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `nnc grad` on `model.nn` and `in.safetensors`, into `out.safetensors`.
    fn grad(&self, more: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
        command.args(["grad", "model.nn", "--tensors", "in.safetensors"]);
        command.args(["--out", "out.safetensors"]).args(more).current_dir(self.0.path());
        let output = command.output().expect("nnc runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    fn made(&self) -> Tensors {
        tensors(&self.path("out.safetensors"))
    }
}

impl Ran {
    /// Fails unless it ended with this code and standard error has these words.
    #[track_caller]
    fn ends(&self, code: i32, words: &[&str]) {
        let Ran { code: found, stdout, stderr } = self;
        assert_eq!(*found, Some(code), "{stdout}\n{stderr}");
        for word in words {
            assert!(stderr.contains(word), "no `{word}` in\n{stderr}");
        }
    }
}

/// Runs a case and compares everything that PyTorch says with what was written.
fn check(case: &str, args: &[&str]) -> Tensors {
    let folder = Folder::with(case, |_| ());
    folder.grad(args).ends(0, &[]);
    let made = folder.made();
    let expected = tensors(&golden(case, "safetensors"));
    let mut compared = 0;
    for (name, want) in &expected {
        let Some(name) = name.strip_prefix("expect.") else { continue };
        let name = name.strip_prefix("steps20.").unwrap_or(name);
        let got = made.get(name).unwrap_or_else(|| panic!("{case} {args:?}: no {name}"));
        assert_eq!(got.shape, want.shape, "{case} {args:?}: {name}");
        let complaint = mismatch(got.as_f32(), want.as_f32());
        assert_eq!(complaint, None, "{case} {args:?}: {name}");
        compared += 1;
    }
    assert_eq!(made.len(), compared, "{case}: nothing else is written");
    made
}

#[test]
fn every_engine_gives_pytorchs_numbers() {
    for (case, steps) in CASES {
        for engine in ["jit", "loops", "graph"] {
            check(case, &[&["--engine", engine], steps].concat());
        }
    }
}

#[test]
fn each_tensor_of_a_record_is_written() {
    let folder = Folder::new();
    let model = "model net(x: f32[N, 3]) -> (kind: f32[N, 2], size: f32[N]) {\n    \
                 (kind: x |> dense(2), size: x |> dense(1) |> reshape([N]))\n}\n\
                 train net { loss = cross_entropy(kind) + mse(size) }\n";
    std::fs::write(folder.path("model.nn"), model).expect("the model");
    let tensors = [
        ("input.x".to_string(), Tensor::f32([4, 3], vec![0.5; 12])),
        ("input.kind".to_string(), Tensor::i32([4], vec![0, 1, 1, 0])),
        ("input.size".to_string(), Tensor::f32([4], vec![1.0; 4])),
    ];
    save(&folder.path("in.safetensors"), &tensors).expect("the tensors");
    for engine in ["jit", "loops", "graph"] {
        folder.grad(&["--engine", engine]).ends(0, &[]);
        let made = folder.made();
        let shape = |name: &str| made.get(name).map(|tensor| tensor.shape.clone());
        assert_eq!(shape("output.kind"), Some(vec![4, 2]), "{engine}");
        assert_eq!(shape("output.size"), Some(vec![4]), "{engine}");
        assert_eq!(shape("loss"), Some(vec![]), "{engine}");
    }
}

/// The batch decides whether a variance is of one value; that is no engine's to overlook.
#[test]
fn every_engine_refuses_a_batch_norm_over_one_value() {
    let folder = Folder::new();
    let model = "model net(x: f32[N, 3]) -> f32[N, 2] { x |> batch_norm |> dense(2) }\n\
                 train net { loss = mse }\n";
    std::fs::write(folder.path("model.nn"), model).expect("the model");
    for (batch, code, words) in [(1, 1, &["E0306", "batch_norm"][..]), (2, 0, &[])] {
        let of = |columns: usize| {
            let values = (0..batch * columns).map(|at| at as f32 / 4.0);
            Tensor::f32([batch, columns], values.collect::<Vec<_>>())
        };
        let tensors = [("input.x".to_string(), of(3)), ("input.label".to_string(), of(2))];
        save(&folder.path("in.safetensors"), &tensors).expect("the tensors");
        for engine in ["jit", "loops", "graph"] {
            folder.grad(&["--engine", engine]).ends(code, words);
        }
    }
}

#[test]
fn compiled_code_has_the_same_bits_for_every_target_and_as_loops() {
    for (case, steps) in CASES {
        let reference = check(case, &[&["--engine", "loops", "--threads", "3"], steps].concat());
        let targets = ["avx512", "avx2", "portable"]
            .into_iter()
            .filter(|name| Target::from_name(name).expect("a target").supported_on_host());
        for target in targets {
            for threads in ["1", "2"] {
                let args = ["--target", target, "--threads", threads];
                let made = check(case, &[&args, steps].concat());
                for (name, want) in &reference {
                    let same = made[name].to_bytes() == want.to_bytes();
                    assert!(same, "{case}, {}, {threads} threads: {name}", target);
                }
            }
        }
    }
}

#[test]
fn what_is_not_given_is_drawn_and_said() {
    let folder = Folder::with("mlp", |tensors| {
        tensors.remove("param.dense.bias");
        tensors.remove("param.dense_2.weight");
    });
    let ran = folder.grad(&[]);
    ran.ends(0, &["2 parameters not in the file, drawn from seed 0: dense.bias, dense_2.weight"]);
    assert_eq!(ran.stdout, "net, batch 5: 7 tensors in out.safetensors\n");
    let first = folder.made();
    folder.grad(&["--engine", "graph"]).ends(0, &[]);
    let second = folder.made();
    assert_eq!(mismatch(first["output"].as_f32(), second["output"].as_f32()), None);
}

#[test]
fn states_are_those_after_one_training_forward() {
    let folder = Folder::new();
    let program = "layer counted(x: f32[N, D]) -> f32[N, D] {
    state mean: f32[D] = zeros
    mean <- mean * 0.5 + sum(x, axis: 0)
    x |> dense(D)
}
model net(x: f32[N, 2]) -> f32[N, 2] { x |> counted }
train net {
    loss = mse
}
";
    std::fs::write(folder.path("model.nn"), program).unwrap();
    let given = [
        ("input.x", Tensor::f32([2, 2], vec![1.0, 2.0, 3.0, 4.0])),
        ("input.label", Tensor::f32([2, 2], vec![0.0; 4])),
        ("state.counted.mean", Tensor::f32([2], vec![10.0, 20.0])),
    ];
    let given = given.map(|(name, tensor)| (name.to_string(), tensor));
    save(&folder.path("in.safetensors"), &given).unwrap();
    for engine in ["jit", "loops", "graph"] {
        folder.grad(&["--engine", engine, "--steps", "3"]).ends(0, &["2 parameters"]);
        let made = folder.made();
        assert_eq!(made["state.counted.mean"], Tensor::f32([2], vec![9.0, 16.0]), "{engine}");
        assert!(made.contains_key("param.counted.dense.weight"), "{engine}");
        assert!(!made.keys().any(|name| name.contains("optimizer")), "{engine}");
    }
    save(&folder.path("in.safetensors"), &given[..2]).unwrap();
    folder.grad(&[]).ends(0, &["1 state not in the file, begun as the program says: counted.mean"]);
}

#[test]
fn labels_of_64_bits_are_taken() {
    let folder = Folder::with("mlp", |_| ());
    let mut given = tensors(&golden("mlp", "safetensors"));
    let Data::I32(labels) = given.remove("input.label").unwrap().data else { panic!("labels") };
    let wide: Vec<u8> = labels.iter().flat_map(|&label| i64::from(label).to_le_bytes()).collect();
    let bytes: Vec<(String, Vec<u8>)> =
        given.iter().map(|(name, tensor)| (name.clone(), tensor.to_bytes())).collect();
    let view = safetensors::tensor::TensorView::new;
    let mut views: Vec<(&str, _)> = Vec::new();
    for (name, bytes) in &bytes {
        let shape = given[name].shape.clone();
        views.push((name, view(safetensors::Dtype::F32, shape, bytes).unwrap()));
    }
    views.push(("input.label", view(safetensors::Dtype::I64, vec![5], &wide).unwrap()));
    let file = safetensors::serialize(views, None).unwrap();
    std::fs::write(folder.path("in.safetensors"), file).unwrap();
    folder.grad(&[]).ends(0, &[]);
    let want = &tensors(&golden("mlp", "safetensors"))["expect.loss"];
    assert_eq!(mismatch(folder.made()["loss"].as_f32(), want.as_f32()), None);
}

#[test]
fn tensors_that_do_not_fit_are_all_named() {
    let folder = Folder::with("mlp", |tensors| {
        tensors.insert("input.label".into(), Tensor::i32([4], vec![0; 4]));
        tensors.insert("param.dense.bias".into(), Tensor::i32([9], vec![0; 9]));
        let weight = tensors.remove("param.dense.weight").unwrap();
        tensors.insert("param.dense.wieght".into(), weight);
        tensors.insert("param.dense_2.weight".into(), Tensor::f32([4, 9], vec![0.0; 36]));
        tensors.insert("momentum".into(), Tensor::f32([], vec![0.0]));
    });
    folder.grad(&[]).ends(
        1,
        &[
            "in.safetensors does not fit `net`",
            "`input.label` is i32[4]; the model has i32[N], where N is 5 as in `input.x`",
            "`param.dense.bias` is i32[9]; the model has f32[9]",
            "`param.dense.wieght`: the model has no such parameter; did you mean \
             `param.dense.weight`?",
            "`param.dense_2.weight` is f32[4, 9]; the model has f32[9, 4]",
            "`momentum`: the model has no such tensor",
        ],
    );
    assert!(!folder.path("out.safetensors").exists());

    let wrong = |change: fn(&mut Tensors), words: &[&str]| {
        Folder::with("mlp", change).grad(&[]).ends(1, words);
    };
    wrong(|tensors| drop(tensors.remove("input.x")), &["`input.x` is missing: f32[N, 12]"]);
    wrong(|tensors| drop(tensors.remove("input.label")), &["`input.label` is missing: i32[N]"]);
    wrong(
        |tensors| drop(tensors.insert("input.x".into(), Tensor::f32([5, 3], vec![0.0; 15]))),
        &["`input.x` is f32[5, 3]; the model has f32[N, 12]"],
    );
    wrong(
        |tensors| drop(tensors.insert("input.x".into(), Tensor::f32([12], vec![0.0; 12]))),
        &["`input.x` is f32[12]; the model has f32[N, 12]"],
    );
    wrong(
        |tensors| drop(tensors.insert("input.x".into(), Tensor::f32([0, 12], vec![]))),
        &["`input.x` has no samples: f32[0, 12]"],
    );
}

#[test]
fn a_label_out_of_range_names_its_sample() {
    for engine in ["jit", "loops", "graph"] {
        for label in [4, -1] {
            let folder = Folder::with("mlp", |tensors| {
                let labels = Tensor::i32([5], vec![0, 1, 2, label, 3]);
                tensors.insert("input.label".into(), labels);
            });
            let ran = folder.grad(&["--engine", engine]);
            ran.ends(1, &["E0302", "sample 3 of the batch has an index outside its range"]);
            assert!(!folder.path("out.safetensors").exists());
        }
    }
}

#[test]
fn a_loss_that_is_not_finite_is_said() {
    let folder = Folder::with("optim_adam", |tensors| {
        tensors.insert("param.dense.bias".into(), Tensor::f32([9], vec![f32::NAN; 9]));
    });
    folder.grad(&["--steps", "2"]).ends(0, &["not finite in step 1"]);
    let made = folder.made();
    assert!(made["loss"].as_f32()[0].is_nan());
    let given = tensors(&golden("optim_adam", "safetensors"));
    assert_eq!(made["param.dense.weight"], given["param.dense.weight"]);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = Folder::with("mlp", |_| ());
    let whole = std::fs::read(folder.path("in.safetensors")).unwrap();
    std::fs::write(folder.path("in.safetensors"), &whole[..whole.len() - 1]).unwrap();
    folder.grad(&[]).ends(1, &["in.safetensors is not a sound safetensors file"]);
    std::fs::remove_file(folder.path("in.safetensors")).unwrap();
    folder.grad(&[]).ends(2, &["cannot read in.safetensors"]);

    // Before anything is read: the tensors are missing as well.
    let nowhere = ["grad", "model.nn", "--tensors", "in.safetensors", "--out", "no/out"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
    let output = command.args(nowhere).current_dir(folder.0.path()).output().expect("nnc runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write no/out"));

    std::fs::write(folder.path("in.safetensors"), &whole).unwrap();
    let text = std::fs::read_to_string(folder.path("model.nn")).unwrap();
    let (model, _) = text.split_once("train").unwrap();
    std::fs::write(folder.path("model.nn"), model).unwrap();
    folder.grad(&[]).ends(1, &["nothing says how to train `net`"]);
}

/// A net that gives its input, so that every number can be computed by hand.
const SCALED: &str = "model net(x: f32[N, 3]) -> f32[N, 3] {
    param scale: f32[3] = ones
    x * scale
}

train net {
    loss = cross_entropy
    optimizer = sgd(lr: LR)
    class_weights = WEIGHTS
}
";

impl Folder {
    fn scaled(weights: &str, lr: &str) -> Folder {
        let folder = Folder::new();
        let text = SCALED.replace("WEIGHTS", weights).replace("LR", lr);
        std::fs::write(folder.path("model.nn"), text).expect("the model");
        let x = vec![0.5, -1.0, 2.0, 1.0, 0.0, -0.5, 0.25, 0.75, -1.5, 3.0, 1.0, 2.0];
        let tensors = [
            ("input.x".to_owned(), Tensor::f32([4, 3], x)),
            ("input.label".to_owned(), Tensor::i32([4], vec![0, 1, 2, 2])),
        ];
        save(&folder.path("in.safetensors"), &tensors).expect("the tensors");
        folder
    }
}

/// Loss and gradient of [`SCALED`] with these weights, in f64.
fn weighted(weights: [f64; 3]) -> (f64, [f64; 3]) {
    let rows = [[0.5, -1.0, 2.0], [1.0, 0.0, -0.5], [0.25, 0.75, -1.5], [3.0, 1.0, 2.0]];
    let labels = [0, 1, 2, 2];
    let all: f64 = labels.iter().map(|&label: &usize| weights[label]).sum();
    let (mut loss, mut slope) = (0.0, [0.0; 3]);
    for (row, label) in rows.iter().zip(labels) {
        let total: f64 = row.iter().map(|x: &f64| x.exp()).sum();
        let share = weights[label] / all;
        loss += share * (total.ln() - row[label]);
        for (k, x) in row.iter().enumerate() {
            let hit = if k == label { 1.0 } else { 0.0 };
            slope[k] += share * (x.exp() / total - hit) * x;
        }
    }
    (loss, slope)
}

#[test]
fn classes_weigh_as_in_a_run() {
    // Balanced: 4 samples over 3 classes times the class's own.
    let balanced = [4.0 / 3.0, 4.0 / 3.0, 4.0 / 6.0];
    for (text, weights) in [("[1.0, 2.0, 3.0]", [1.0, 2.0, 3.0]), ("balanced", balanced)] {
        let (loss, slope) = weighted(weights);
        for engine in ["jit", "loops", "graph"] {
            let folder = Folder::scaled(text, "0.0");
            folder.grad(&["--engine", engine]).ends(0, &[]);
            let made = folder.made();
            assert_eq!(mismatch(made["loss"].as_f32(), &[loss as f32]), None, "{text} {engine}");
            let slope = slope.map(|it| it as f32);
            let found = made["grad.param.scale"].as_f32();
            assert_eq!(mismatch(found, &slope), None, "{text} {engine}");
        }
    }
}

/// Over the steps that are asked for, not over those of some epoch: the last of three has a rate of
/// 1/3.
#[test]
fn schedules_run_over_the_steps_that_are_asked_for() {
    let rate = |step: f64| 1.0 - (step - 1.0) / 3.0;
    for engine in ["jit", "graph"] {
        let folder = Folder::scaled("[1.0, 1.0, 1.0]", "falling()");
        let text = std::fs::read_to_string(folder.path("model.nn")).unwrap();
        let text = text.replace("class_weights = [1.0, 1.0, 1.0]", "");
        let falling = "schedule falling(step, steps) { 1 - (step - 1) / steps }\n";
        std::fs::write(folder.path("model.nn"), format!("{falling}{text}")).unwrap();
        folder.grad(&["--engine", engine, "--steps", "3"]).ends(0, &[]);
        let rows = [[0.5, -1.0, 2.0], [1.0, 0.0, -0.5], [0.25, 0.75, -1.5], [3.0, 1.0, 2.0f64]];
        let mut scale = [1.0f64; 3];
        for step in 1..=3 {
            let mut slope = [0.0; 3];
            for (row, label) in rows.iter().zip([0, 1, 2, 2usize]) {
                let outputs = [0, 1, 2].map(|k| row[k] * scale[k]);
                let total: f64 = outputs.iter().map(|it| it.exp()).sum();
                for k in 0..3 {
                    let hit = if k == label { 1.0 } else { 0.0 };
                    slope[k] += (outputs[k].exp() / total - hit) * row[k] / 4.0;
                }
            }
            for k in 0..3 {
                scale[k] -= rate(f64::from(step)) * slope[k];
            }
        }
        let made = folder.made();
        let wanted = scale.map(|it| it as f32);
        assert_eq!(mismatch(made["param.scale"].as_f32(), &wanted), None, "{engine}");
    }
}
