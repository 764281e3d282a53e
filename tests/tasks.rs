//! What a model is for decides what evaluation, reports and predictions say: classes of samples or of
//! positions, yes or no, numbers, or nothing. And transfer: what is taken from other weights.
//!
//! Programs run in folders of their own, on idx files that the tests write.

use std::path::{Path, PathBuf};
use std::process::Command;

use nnc::base::tensor::Tensor;
use nnc::runtime::weights;
use serde_json::Value;

struct Folder(tempfile::TempDir);

impl Folder {
    /// A folder with 40 images of `channels` and a label below 3 for each: `x` and `y`.
    fn new(channels: usize) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        let mut state = 1u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let images: Vec<u8> = (0..40 * 16 * channels).map(|_| byte()).collect();
        let labels: Vec<u8> = (0..40).map(|sample| (sample % 3) as u8).collect();
        folder.idx("x", &[40, 4, 4, channels], &images);
        folder.idx("y", &[40], &labels);
        folder
    }

    fn idx(&self, name: &str, dims: &[usize], bytes: &[u8]) {
        let mut file = vec![0, 0, 8, dims.len() as u8];
        dims.iter().for_each(|&dim| file.extend((dim as u32).to_be_bytes()));
        file.extend(bytes);
        std::fs::write(self.path(name), file).expect("an idx file");
    }

    /// Writes a program on these files.
    fn program(&self, name: &str, text: &str) {
        let data =
            "data d = idx(images: \"x\", labels: \"y\", test_images: \"x\", test_labels: \"y\")";
        std::fs::write(self.path(name), format!("{data}\n{text}")).expect("a program");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    #[track_caller]
    fn run(&self, args: &[&str], code: i32) -> (String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_nnc"))
            .args(args)
            .current_dir(self.0.path())
            .env_remove("NNC_DATA")
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("HOME", self.path("home"))
            .output()
            .expect("nnc runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
        (out, err)
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Vec<Value> {
        let (out, _) = self.run(args, 0);
        out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    fn report(&self, run: &str) -> String {
        let path = self.path(run).join("report.html");
        std::fs::read_to_string(path).expect("a report")
    }
}

fn tensor(path: &Path, name: &str) -> Tensor {
    let tensors = weights::load(path).expect("a file of tensors");
    tensors.into_iter().find(|(known, _)| known == name).expect("the tensor").1
}

#[test]
fn a_regression_has_errors_and_numbers_and_no_classes() {
    let folder = Folder::new(1);
    folder.program(
        "net.nn",
        "model net(x: f32[N, 4, 4, 1]) -> f32[N] { reshape(x |> flatten |> dense(1), [N]) }
         train net on d { loss = mse\n metrics = [] }",
    );
    let report = folder.json(&["check", "net.nn", "--json"]).pop().unwrap();
    assert_eq!(report["report"]["task"]["kind"], "numbers", "{report}");
    folder.run(&["run", "net.nn"], 0);
    let page = folder.report("runs/net");
    assert!(page.contains("mean absolute error") && !page.contains("Confusion matrix"), "{page}");
    assert!(!page.contains(" right ("), "nothing is right or wrong");

    let eval = folder.json(&["eval", "runs/net", "--json", "--worst", "1"]).pop().unwrap();
    let (out, _) = folder.run(&["predict", "runs/net", "x"], 0);
    let said: Vec<f64> = out
        .lines()
        .map(|line| line.rsplit(' ').next().unwrap().parse().expect("a number"))
        .collect();
    assert_eq!(said.len(), 40);
    let error = |(index, said): (usize, &f64)| (said - (index % 3) as f64).abs();
    let mean = said.iter().enumerate().map(error).sum::<f64>() / 40.0;
    let told = eval["mean_absolute_error"].as_f64().expect("an error");
    // Best and last weights are the same after one epoch.
    assert!((mean - told).abs() < 1e-5, "{mean} and {told}");
    assert!(eval.get("confusion").is_none() && eval["worst"][0]["label"].is_number(), "{eval}");

    folder.run(&["predict", "runs/net", "x", "--raw", "out.safetensors"], 0);
    let raw = tensor(&folder.path("out.safetensors"), "output");
    assert_eq!(raw.shape, [40]);
    assert!(
        raw.as_f32().iter().zip(&said).all(|(raw, said)| (f64::from(*raw) - said).abs() < 1e-6)
    );
}

#[test]
fn one_logit_is_yes_or_no() {
    let folder = Folder::new(1);
    let labels: Vec<u8> = (0..40).map(|sample| (sample % 2) as u8).collect();
    folder.idx("y", &[40], &labels);
    folder.program(
        "net.nn",
        "model net(x: f32[N, 4, 4, 1]) -> f32[N] { reshape(x |> flatten |> dense(1), [N]) }
         train net on d { loss = binary_cross_entropy }",
    );
    folder.run(&["run", "net.nn"], 0);
    folder.run(&["predict", "runs/net", "x", "--raw", "out.safetensors"], 0);
    let raw = tensor(&folder.path("out.safetensors"), "output");
    let answers = folder.json(&["predict", "runs/net", "x", "--json"]);
    for (answer, logit) in answers.iter().zip(raw.as_f32()) {
        let class = if *logit > 0.0 { "1" } else { "0" };
        let sure = 1.0 / (1.0 + (-f64::from(logit.abs())).exp());
        assert_eq!(answer["top"][0]["class"], class);
        let told = answer["top"][0]["probability"].as_f64().unwrap();
        assert!((told - sure).abs() < 1e-6, "{told} and {sure}");
    }
    let eval = folder.json(&["eval", "runs/net", "--json"]).pop().unwrap();
    let right = answers.iter().zip(["0", "1"].into_iter().cycle());
    let right = right.filter(|(answer, label)| answer["top"][0]["class"] == *label);
    assert_eq!(eval["right"].as_u64(), Some(right.count() as u64), "{eval}");
    assert_eq!(eval["confusion"].as_array().map(Vec::len), Some(2));
}

const POSITIONS: &str = "
loss each(x: f32[N, H, W, K], label: i32[N]) -> f32[N] {
    let wanted = reshape(label, [N, 1]) + cast(reshape(iota(H * W), [1, H * W]) * 0, i32)
    -mean(pick(log_softmax(reshape(x, [N, H * W, K])), wanted), axis: 1)
}
model net(x: f32[N, 4, 4, 2]) -> f32[N, 4, 4, 3] { x |> conv(3, 1) }
train net on d { loss = each }
";

#[test]
fn classes_of_positions_are_counted_by_position() {
    let folder = Folder::new(2);
    folder.program("net.nn", POSITIONS);
    let report = folder.json(&["check", "net.nn", "--json"]).pop().unwrap();
    assert_eq!(report["report"]["task"]["kind"], "class_per_position", "{report}");
    folder.run(&["run", "net.nn"], 0);
    folder.run(&["predict", "runs/net", "x", "--raw", "out.safetensors"], 0);
    let raw = tensor(&folder.path("out.safetensors"), "output");
    assert_eq!(raw.shape, [40, 4, 4, 3]);
    let best = |row: &[f32]| (0..3).fold(0, |best, it| if row[it] > row[best] { it } else { best });
    let classes: Vec<usize> = raw.as_f32().chunks(3).map(best).collect();
    let right = classes.chunks(16).enumerate().map(|(sample, positions)| {
        positions.iter().filter(|&&class| class == sample % 3).count() as u64
    });
    let eval = folder.json(&["eval", "runs/net", "--json"]).pop().unwrap();
    assert_eq!((eval["right"].as_u64(), eval["of"].as_u64()), (Some(right.sum()), Some(640)));
    let answers = folder.json(&["predict", "runs/net", "x", "--json"]);
    for (answer, classes) in answers.iter().zip(classes.chunks(16)) {
        for told in answer["classes"].as_array().expect("classes") {
            let class: usize = told["class"].as_str().unwrap().parse().unwrap();
            let count = classes.iter().filter(|&&it| it == class).count();
            assert_eq!(told["positions"].as_u64(), Some(count as u64));
        }
    }
    assert!(folder.report("runs/net").contains("of 640 positions"));
}

#[test]
fn labels_that_would_fit_are_not_taken_for_classes() {
    let folder = Folder::new(1);
    folder.program(
        "net.nn",
        "loss small(x: f32[N, H, W, K], label: i32[N]) -> f32[N] {
             mean(reshape(x * x, [N, -1]), axis: 1)
         }
         model net(x: f32[N, 4, 4, 1]) -> f32[N, 4, 4, 64] { x |> conv(64, 1) }
         train net on d { loss = small }",
    );
    folder.run(&["run", "net.nn"], 0);
    let page = folder.report("runs/net");
    assert!(!page.contains("Confusion") && !page.contains("Worst predictions"), "{page}");
    let eval = folder.json(&["eval", "runs/net", "--json"]).pop().unwrap();
    assert!(eval.get("right").is_none() && eval["loss"].is_number(), "{eval}");
    // 1024 numbers are not printed one by one for people.
    let (out, _) = folder.run(&["predict", "runs/net", "x"], 0);
    assert!(out.lines().all(|line| line.contains("f32[4, 4, 64] from")), "{out}");
    let answers = folder.json(&["predict", "runs/net", "x", "--json"]);
    assert_eq!(answers[0]["output"].as_array().map(Vec::len), Some(1024));
}

const STEM: &str = "x |> flatten |> dense(6) as stem |> relu |> dense(K) as head";

fn classifier(classes: usize, settings: &str) -> String {
    let body = STEM.replace('K', &classes.to_string());
    format!(
        "model net(x: f32[N, 4, 4, 1]) -> f32[N, {classes}] {{ {body} }}
         train net on d {{ loss = cross_entropy\n {settings} }}"
    )
}

#[test]
fn a_head_of_other_classes_is_left_out_by_name() {
    let folder = Folder::new(1);
    folder.program("three.nn", &classifier(3, "epochs = 1"));
    folder.run(&["run", "three.nn"], 0);
    // Neither all of it nor what is there fits; the message names the setting that does.
    for setting in ["weights(\"runs/three\")", "weights(\"runs/three\", partial: true)"] {
        folder.program("five.nn", &classifier(5, &format!("init_from = {setting}")));
        let (_, err) = folder.run(&["check", "five.nn"], 1);
        for wanted in [
            "`head.weight` is f32[6, 3] in the file, but f32[6, 5] in the model",
            "`head.bias` is f32[3] in the file, but f32[5] in the model",
            "`except: [\"head.*\"]`",
        ] {
            assert!(err.contains(wanted), "{wanted}\n{err}");
        }
    }
    let taken = "init_from = weights(\"runs/three\", except: [\"head.*\"])\n freeze = [\"stem.*\"]";
    folder.program("five.nn", &classifier(5, taken));
    let (_, err) = folder.run(&["run", "five.nn"], 0);
    assert!(!err.contains("W0213"), "{err}");
    let of = |run: &str| tensor(&folder.path(run).join("best.safetensors"), "stem.weight");
    assert_eq!(of("runs/three"), of("runs/five"), "taken, and frozen");

    folder.program("five.nn", &classifier(5, "freeze = [\"stem.*\"]"));
    let (_, err) = folder.run(&["check", "five.nn"], 0);
    assert!(
        err.contains("W0213") && err.contains("`stem.weight` is frozen as it was drawn"),
        "{err}"
    );
    folder.program("five.nn", &classifier(5, &taken.replace("head", "haed")));
    let (_, err) = folder.run(&["check", "five.nn"], 1);
    assert!(err.contains("no parameter matches `haed.*`"), "{err}");
    std::fs::create_dir(folder.path("empty")).unwrap();
    folder.program("five.nn", &classifier(5, "init_from = \"empty\""));
    let (_, err) = folder.run(&["check", "five.nn"], 1);
    assert!(err.contains("not of a run: it has no run.json"), "{err}");
}

#[test]
fn weights_know_the_names_of_classes() {
    let folder = Folder::new(1);
    for (class, grey) in [("cat", 10), ("dog", 200)] {
        std::fs::create_dir_all(folder.path("photos").join(class)).unwrap();
        for number in 0..4 {
            let image = image::GrayImage::from_pixel(5, 5, image::Luma([grey + number]));
            image.save(folder.path("photos").join(class).join(format!("{number}.png"))).unwrap();
        }
    }
    let program = "data p = images(\"photos\", size: [4, 4], channels: 1)
        model net(x: f32[N, 4, 4, 1]) -> f32[N, 2] { x |> flatten |> dense(2) }
        train net on p { loss = cross_entropy }";
    std::fs::write(folder.path("net.nn"), program).unwrap();
    folder.run(&["run", "net.nn", "--save", "alone.safetensors"], 0);
    std::fs::copy(folder.path("photos/cat/0.png"), folder.path("a.png")).unwrap();
    let weights = ["predict", "net.nn", "a.png", "--weights", "alone.safetensors", "--json"];
    let with_data = folder.json(&weights);
    // The data are no longer needed.
    std::fs::rename(folder.path("photos"), folder.path("moved")).unwrap();
    let names = folder.json(&["predict", "runs/net", "a.png", "--json"]);
    assert_eq!(with_data, names);
    assert_eq!(folder.json(&weights), names);
    assert!(["cat", "dog"].contains(&names[0]["top"][0]["class"].as_str().unwrap()), "{names:?}");
    let about = weights::about(&folder.path("alone.safetensors")).expect("it says what it is");
    let about: Value = serde_json::from_str(&about).unwrap();
    assert_eq!(about["classes"], serde_json::json!(["cat", "dog"]));
    assert_eq!(about["program"].as_str().map(str::len), Some(64));
}

#[test]
fn what_a_loss_does_not_say_is_not_told() {
    let folder = Folder::new(1);
    let bodies = [
        ("cross_entropy(o, t)", "class", "logits"),
        ("cross_entropy(-o, t)", "other", ""),
        ("cross_entropy(o, 2 - t)", "other", ""),
        ("cross_entropy(o * 2, t)", "class", "scores"),
        ("cross_entropy(relu(o), t)", "other", ""),
    ];
    for (body, kind, scale) in bodies {
        folder.program(
            "net.nn",
            &format!(
                "loss own(o: f32[N, K], t: i32[N]) -> f32[N] {{ {body} }}
                 model net(x: f32[N, 4, 4, 1]) -> f32[N, 3] {{ x |> flatten |> dense(3) }}
                 train net on d {{ loss = own }}"
            ),
        );
        let report = folder.json(&["check", "net.nn", "--json"]).pop().unwrap();
        let task = &report["report"]["task"];
        assert_eq!(task["kind"], kind, "{body}: {task}");
        assert_eq!(task["scale"].as_str().unwrap_or_default(), scale, "{body}: {task}");
    }
    // Without a claim, evaluation counts nothing and predictions are numbers.
    folder.program(
        "net.nn",
        "loss own(o: f32[N, K], t: i32[N]) -> f32[N] { cross_entropy(-o, t) }
         model net(x: f32[N, 4, 4, 1]) -> f32[N, 3] { x |> flatten |> dense(3) }
         train net on d { loss = own }",
    );
    folder.run(&["run", "net.nn"], 0);
    let eval = folder.json(&["eval", "runs/net", "--json"]).pop().unwrap();
    assert!(eval.get("right").is_none() && eval["loss"].is_number(), "{eval}");
    let answers = folder.json(&["predict", "runs/net", "x", "--json"]);
    assert!(answers[0].get("top").is_none(), "{}", answers[0]);
    assert_eq!(answers[0]["output"].as_array().map(Vec::len), Some(3));
}

#[test]
fn labels_of_other_classes_are_not_judged() {
    let folder = Folder::new(1);
    for (class, grey) in [("cat", 10), ("dog", 200)] {
        std::fs::create_dir_all(folder.path("photos").join(class)).unwrap();
        for number in 0..6 {
            let image = image::GrayImage::from_pixel(4, 4, image::Luma([grey + number]));
            image.save(folder.path("photos").join(class).join(format!("{number}.png"))).unwrap();
        }
    }
    let program = "data p = images(\"photos\", size: [4, 4], channels: 1, test: 0.5)
        model net(x: f32[N, 4, 4, 1]) -> f32[N, 2] { x |> flatten |> dense(2) }
        train net on p { loss = cross_entropy }";
    std::fs::write(folder.path("net.nn"), program).unwrap();
    folder.run(&["run", "net.nn", "--save", "alone.safetensors"], 0);
    folder.run(&["eval", "runs/net"], 0);
    // By name, dogs are now first.
    std::fs::rename(folder.path("photos/cat"), folder.path("photos/hare")).unwrap();
    for args in [&["eval", "runs/net"][..], &["eval", "net.nn", "--weights", "alone.safetensors"]] {
        let (_, err) = folder.run(args, 1);
        assert!(
            err.contains("trained on the classes cat, dog, but the data have dog, hare"),
            "{err}"
        );
    }
}

#[test]
fn an_autoencoder_shows_what_goes_in_and_what_comes_out() {
    let folder = Folder::new(1);
    folder.program(
        "net.nn",
        "model net(image: f32[N, 4, 4, 1]) -> f32[N, 4, 4, 1] { image |> conv(1, 3, pad: same) }
         train net on d { loss = binary_cross_entropy(output, image) }",
    );
    folder.run(&["run", "net.nn"], 0);
    let page = folder.report("runs/net");
    for part in [
        "a picture of 4 × 4 × 1",
        "mean absolute error",
        "<span>image</span>",
        "<span>output</span>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<span>true</span>") && !page.contains("Confusion matrix"));
    let eval = folder.json(&["eval", "runs/net", "--json", "--worst", "2"]).pop().unwrap();
    let error = eval["mean_absolute_error"].as_f64().expect("an error in steps of a byte");
    assert!((1.0..255.0).contains(&error), "{eval}");
    assert_eq!(eval["worst"].as_array().map(Vec::len), Some(2));
}
