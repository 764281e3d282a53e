//! Weighted means are `Σ w·l / Σ w` from the loss to the report: what a run says and what it trains
//! does not depend on how its samples were cut into batches.
//!
//! The value of one batch is held against plain Rust in `tests/run_settings.rs`; here the others are
//! held against it.

use std::process::Command;

use nnc::runtime::weights;
use serde_json::Value;

const SAMPLES: usize = 60;

/// A program in a folder of its own, run once.
struct Ran {
    folder: tempfile::TempDir,
    /// The first epoch.
    epoch: Value,
}

/// Weighs the classes by hand, and leaves class 3 out.
const PAIRS: &str = "loss pairs(logits: f32[N, K], label: i32[N]) -> f32[N, 2] {
    let w = cast(label != 3, f32) * (1 + cast(label, f32))
    concat([reshape(w * cross_entropy(logits, label), [N, 1]), reshape(w, [N, 1])], axis: 1)
}
";

fn nnc(folder: &std::path::Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_nnc"))
        .args(args)
        .current_dir(folder)
        .env_remove("NNC_DATA")
        .output()
        .expect("nnc runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn run(loss: &str, settings: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "data drawn = digits(train: {SAMPLES}, test: 20)\n{PAIRS}\n\
         model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{ image |> flatten |> dense(10) }}\n\
         train net on drawn {{\n    loss = {loss}\n    metrics = [accuracy, f1, precision]\n    \
         shuffle = false\n{settings}\n}}\n"
    );
    std::fs::write(folder.path().join("net.nn"), text).expect("a file");
    let said = nnc(folder.path(), &["run", "net.nn", "--json", "--threads", "1"]);
    let events = said.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let epoch = events.into_iter().find(|event| event["event"] == "epoch").expect("an epoch");
    Ran { folder, epoch }
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// What is said of an epoch and, without `train_`, of an evaluation.
#[track_caller]
fn equal(epoch: &Value, other: &Value, what: &str) {
    for name in ["loss", "accuracy", "f1", "precision"] {
        let trained = format!("train_{name}");
        let of_other = if other["event"] == "epoch" { &trained } else { name };
        let (a, b) = (number(epoch, &trained), number(other, of_other));
        assert!((a - b).abs() < 2e-6 * a.abs().max(1.0), "{what}: {name} is {a} and {b}");
    }
}

/// Weights of classes, of pairs, of both kinds that are 0 for whole batches, and none.
const LOSSES: [(&str, &str); 5] = [
    ("cross_entropy", ""),
    ("cross_entropy", "    class_weights = balanced\n"),
    ("cross_entropy", "    class_weights = [0.5, 2, 1, 0, 4, 1, 1, 0.25, 1, 3]\n"),
    ("cross_entropy", "    class_weights = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]\n"),
    ("pairs", ""),
];

#[test]
fn an_epochs_numbers_do_not_depend_on_its_batches() {
    for (loss, weights) in LOSSES {
        let settings = |batch: &str| format!("    optimizer = sgd(lr: 0.0)\n{weights}{batch}");
        let whole = run(loss, &settings("    batch = 60"));
        let mut compared = 0;
        for cut in
            ["batch = 1", "batch = 7", "batch = 8\n    accumulate = 8", "batch = 60\n    ema = 0.9"]
        {
            let cut_up = run(loss, &settings(&format!("    {cut}")));
            equal(&whole.epoch, &cut_up.epoch, &format!("{loss} {weights} {cut}"));
            compared += 1;
        }
        assert_eq!(compared, 4);
        // Outside of training classes weigh the same; the weights of pairs are the loss's own.
        if weights.is_empty() {
            let args = ["eval", "runs/net", "--split", "train", "--json"];
            let eval: Value = serde_json::from_str(&nnc(whole.folder.path(), &args)).expect("JSON");
            equal(&whole.epoch, &eval, loss);
        }
    }
}

/// One update of many batches is that of one large batch, also where the last is smaller.
#[test]
fn an_update_of_many_batches_is_that_of_one() {
    for (loss, weighed) in LOSSES {
        let settings = |batch: &str| format!("    optimizer = sgd(lr: 0.5)\n{weighed}    {batch}");
        let trained = |batch: &str| {
            let ran = run(loss, &settings(batch));
            let file = ran.folder.path().join("runs/net/last.safetensors");
            let mut values = Vec::new();
            for (_, tensor) in weights::load(&file).expect("weights") {
                values.extend_from_slice(tensor.as_f32());
            }
            values
        };
        let whole = trained("batch = 60");
        for cut in ["batch = 8\n    accumulate = 8", "batch = 20\n    accumulate = 3"] {
            let cut_up = trained(cut);
            let apart = whole.iter().zip(&cut_up).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-6, "{loss} {weighed} {cut}: {apart}");
        }
    }
}

/// A batch whose samples weigh nothing has loss 0 and changes nothing.
#[test]
fn a_batch_without_weight_changes_nothing() {
    let nothing = "    class_weights = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]\n    batch = 1\n";
    let ran = run("cross_entropy", &format!("{nothing}    optimizer = sgd(lr: 0.1)"));
    assert!(number(&ran.epoch, "train_loss") > 0.0);
    assert!(number(&ran.epoch, "grad_norm").is_finite());
}
