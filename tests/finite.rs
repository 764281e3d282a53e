//! Nothing that is not finite is ever written: whatever the rule, the layer's state or the numbers,
//! parameters and states stay finite, the run ends (or goes on) as for a gradient that is not
//! finite, and says which operator it was.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nnc::base::tensor::{Data, Tensor};
use nnc::runtime::weights;

/// A folder with a program, and what a run of it did.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    /// A net over drawn digits.
    fn new(items: &str, body: &str, settings: &str) -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "data drawn = digits(train: 64, test: 16, validation: 0.25)\n{items}\n\
             model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{\n    {body}\n}}\n\
             train net on drawn {{\n    loss = cross_entropy\n    batch = 16\n{settings}\n}}\n"
        );
        std::fs::write(folder.path().join("net.nn"), text).expect("a file");
        Case { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_nnc"))
            .args(["run", "net.nn", "--threads", "1"])
            .args(args)
            .current_dir(self.folder.path())
            .env_remove("NNC_DATA")
            .output()
            .expect("nnc runs");
        Ran::of(output)
    }

    /// Fails where a file of weights or a checkpoint of the run has a number that is not finite.
    #[track_caller]
    fn all_is_finite(&self) {
        let run = self.path("runs/net");
        let checkpoints = std::fs::read_dir(run.join("checkpoints")).into_iter().flatten();
        let files = checkpoints.flatten().map(|entry| entry.path());
        let files: Vec<PathBuf> = files
            .chain(["best", "last"].map(|it| run.join(it).with_extension("safetensors")))
            .collect();
        let mut read = 0;
        for file in files.iter().filter(|file| file.is_file()) {
            for (name, tensor) in weights::load(file).expect("sound weights") {
                assert!(is_finite(&tensor), "{name} of {}", file.display());
            }
            read += 1;
        }
        assert!(read > 0, "nothing was kept");
    }

    fn tensor(&self, file: &Path, name: &str) -> Vec<f32> {
        let tensors = weights::load(file).expect("weights");
        let found = tensors.into_iter().find(|(known, _)| known == name).expect("a tensor");
        found.1.as_f32().to_vec()
    }
}

fn is_finite(tensor: &Tensor) -> bool {
    match &tensor.data {
        Data::F32(values) => values.iter().all(|value| value.is_finite()),
        _ => true,
    }
}

struct Ran {
    code: Option<i32>,
    said: String,
}

impl Ran {
    fn of(output: Output) -> Ran {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code(), said: text(&output.stdout) + &text(&output.stderr) }
    }

    #[track_caller]
    fn ends(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "no `{word}` in\n{}", self.said);
        }
    }
}

/// Sees images that are all 0, so that its weights have gradients of exactly 0, and its bias others.
const DARK: &str = "where(image > 2.0, image, 0.0) |> flatten |> dense(10)";

/// Rules that divide by what becomes 0, or make too much of finite numbers.
const RULES: [(&str, &str, &[&str]); 7] = [
    (
        "optimizer bare(p, g, step, lr: f32 = 1e-3) {\n state v = 0\n v <- 0.9 * v + 0.1 * g ^ 2\n \
         p <- p - lr * g / sqrt(v)\n}",
        "bare",
        &["`div` of 0.0 and 0.0 gives NaN", "keep the optimizer's divisor from 0"],
    ),
    (
        "optimizer bare(p, g, step, lr: f32 = 1e-3) { p <- p - lr * g / abs(g) }",
        "bare",
        &["`div` of 0.0 and 0.0 gives NaN", "keep the optimizer's divisor from 0"],
    ),
    (
        "optimizer bare(p, g, step, lr: f32 = 1e-3) {\n state m = 0\n m <- log(g ^ 2)\n \
         p <- p - lr * g\n}",
        "bare",
        &["`log` of 0.0 gives -inf", "keep what it takes positive"],
    ),
    (
        "optimizer bare(p, g, step, lr: f32 = 1e-3, beta: float = 1.0) {\n \
         p <- p - lr * g / (1 - beta ^ step)\n}",
        "bare",
        &["`div` of 1.0 and 0.0 gives inf in step 1", "`beta` must be below 1"],
    ),
    (
        "optimizer bare(p, g, step, lr: f32 = 1e-3) {\n state s = 1\n s <- s * 1e30\n \
         p <- p - lr * g\n}",
        "bare",
        &["`mul` of", "gives inf", "too large for f32"],
    ),
    (
        "optimizer bare(p, g, step, lr: f32 = 1e-3) { p <- p * 1e20 - lr * g }",
        "bare",
        &["not finite in step"],
    ),
    (
        "optimizer bare(p, g, step, lr: f32 = 1e-3) { p <- where(step > 2, p / 0.0, p) - lr * g }",
        "bare",
        &["not finite in step 3 of epoch 1"],
    ),
];

#[test]
fn no_rule_writes_what_is_not_finite() {
    for (rule, name, words) in RULES {
        let case = Case::new(rule, DARK, &format!("    optimizer = {name}"));
        let ran = case.run(&[]);
        ran.ends(1, &["E0303", "parameters and states are as they were before that step"]);
        ran.ends(1, words);
        case.all_is_finite();
    }
}

/// With running means, several batches an update, and clipping, too.
#[test]
fn the_settings_around_a_rule_do_not_hide_it() {
    let rule = "optimizer bare(p, g, step, lr: f32 = 1e-3) { p <- p - lr * g / abs(g) }";
    for setting in ["ema = 0.9", "accumulate = 2", "clip_norm = 1.0", "clip_value = 0.1"] {
        let case = Case::new(rule, DARK, &format!("    optimizer = bare\n    {setting}"));
        case.run(&[]).ends(1, &["E0303", "what the optimizer writes is not finite"]);
        case.all_is_finite();
    }
}

#[test]
fn a_state_of_a_layer_stays_finite_and_is_named() {
    let layer = "layer follow(x: f32[N, D]) -> f32[N, D] {\n    state seen: f32[D] = zeros\n    \
                 seen <- log(mean(x, axis: 0))\n    x\n}";
    let case =
        Case::new(layer, "where(image > 2.0, image, 0.0) |> flatten |> follow |> dense(10)", "");
    let ran = case.run(&[]);
    ran.ends(1, &["what a layer writes to its state is not finite in step 1 of epoch 1"]);
    ran.ends(1, &["`log` of 0.0 gives -inf (in `follow`)", "net.nn:4:"]);
    case.all_is_finite();
}

/// A batch that cannot be written is left out, and what can be is trained on.
#[test]
fn a_run_that_skips_recovers_where_it_can_and_ends_where_not() {
    let rule = "optimizer once(p, g, step, lr: f32 = 1e-3) {\n    \
                p <- where(step < 3, p * (0.0 / max(2.0 - step, 0.0) + 1.0), p) - lr * g\n}";
    let case = Case::new(rule, DARK, "    optimizer = once\n    on_nan = skip\n    epochs = 3");
    let ran = case.run(&[]);
    ran.ends(0, &["step 2 of epoch 1 is left out: what the optimizer writes is not finite"]);
    case.all_is_finite();

    let rule = "optimizer never(p, g, step, lr: f32 = 1e-3) { p <- p - lr * g / abs(g) }";
    for policy in ["skip", "halve_lr"] {
        let settings = format!("    optimizer = never\n    on_nan = {policy}\n    epochs = 100");
        let case = Case::new(rule, DARK, &settings);
        case.run(&[]).ends(1, &["50 batches in a row were like that"]);
        case.all_is_finite();
    }
}

/// Gradients of 1e21 have squares that no f32 holds. Their norm does, and clipped to 1 they train:
/// to the same weights as gradients that are 2³⁰ times smaller, since powers of two are exact.
#[test]
fn a_gradient_whose_square_overflows_is_finite() {
    let scaled = |factor: &str, settings: &str| {
        let loss = format!(
            "loss scaled(logits: f32[N, K], label: i32[N]) -> f32[N] {{\n    \
             {factor} * cross_entropy(logits, label)\n}}"
        );
        let settings = format!("    optimizer = sgd(lr: 0.5)\n{settings}");
        let case = Case::new(&loss, "image |> flatten |> dense(10)", &settings);
        let text = std::fs::read_to_string(case.path("net.nn")).unwrap();
        let text = text.replace("loss = cross_entropy", "loss = scaled");
        std::fs::write(case.path("net.nn"), text).unwrap();
        let ran = case.run(&[]);
        ran.ends(0, &[]);
        case.all_is_finite();
        case.tensor(&case.path("runs/net/last.safetensors"), "dense.weight")
    };
    // 2^70 and 2^40.
    for settings in ["    clip_norm = 1.0", "    clip_value = 0.01"] {
        let large = scaled("1180591620717411303424.0", settings);
        let small = scaled("1099511627776.0", settings);
        let apart = large.iter().zip(&small).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-6, "{settings}: {apart}");
    }
}

#[test]
fn a_validation_loss_that_is_no_number_is_said() {
    // Outside of training the state is what it began as, and its logarithm infinite.
    let layer = "layer odd(x: f32[N, D]) -> f32[N, D] {\n    state seen: f32[D] = zeros\n    \
                 if training { x } else { x + log(seen) - log(seen) }\n}";
    let settings = "    epochs = 9\n    early_stop = patience(val_loss, 2)";
    let case = Case::new(layer, "image |> flatten |> dense(10) |> odd", settings);
    let ran = case.run(&[]);
    ran.ends(
        0,
        &["the validation loss of epoch 1 is NaN", "`val_loss`, which `early_stop` watches"],
    );
    ran.ends(0, &["the test loss is not finite"]);
    assert_eq!(ran.said.matches("the validation loss of epoch").count(), 1, "{}", ran.said);
}

/// `nnc grad` keeps to the same.
#[test]
fn grad_writes_nothing_that_is_not_finite() {
    let rule = "optimizer bare(p, g, step, lr: f32 = 1e-3) { p <- p - lr * g / abs(g) }";
    let case = Case::new(rule, DARK, "    optimizer = bare");
    let image = Tensor::f32([2, 28, 28, 1], vec![0.0; 2 * 784]);
    let inputs = [
        ("input.image".to_owned(), image),
        ("input.label".to_owned(), Tensor::i32([2], vec![0, 1])),
    ];
    weights::save(&case.path("in.safetensors"), &inputs).unwrap();
    for engine in ["jit", "loops", "graph"] {
        let output = Command::new(env!("CARGO_BIN_EXE_nnc"))
            .args(["grad", "net.nn", "--tensors", "in.safetensors", "--out", "out.safetensors"])
            .args(["--steps", "3", "--engine", engine])
            .current_dir(case.folder.path())
            .output()
            .expect("nnc runs");
        Ran::of(output).ends(0, &["not finite in step 1"]);
        for (name, tensor) in weights::load(&case.path("out.safetensors")).unwrap() {
            assert!(is_finite(&tensor), "{engine}: {name}");
        }
    }
}
