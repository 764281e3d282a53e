//! What a run decides and where it writes: which epoch is best by a metric of which less is better,
//! which weights were tested, what a run does whose folder is taken away, and what is said of a
//! program that changed before the run goes on.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const NET: &str = "data drawn = digits(train: 60, test: 20, validation: 0.5)

metric off(logits: f32[N, K], label: i32[N]) -> f32[N] minimize {
    cast(argmax(logits) != label, f32)
}

metric top_error(logits: f32[N, K], label: i32[N]) -> f32[N] { off(logits, label) }

metric hits(logits: f32[N, K], label: i32[N]) -> f32[N] { 1 - off(logits, label) }

model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> flatten |> dense(12) |> relu |> dense(10)
}

train net on drawn {
    loss      = cross_entropy
    metrics   = [off, top_error, hits]
    batch     = 10
    epochs    = 6
    optimizer = sgd(lr: 0.05)
SETTINGS
}
";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(settings: &str) -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        let text = NET.replace("SETTINGS", settings);
        std::fs::write(folder.path().join("net.nn"), text).expect("a file");
        Folder(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
        command.args(args).current_dir(self.0.path()).env_remove("NNC_DATA");
        command
    }

    /// Standard output and error.
    #[track_caller]
    fn run(&self, args: &[&str], code: i32) -> (String, String) {
        let output = self.command(args).output().expect("nnc runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
        (out, err)
    }
}

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The first epoch with the best value.
fn best(events: &[Value], name: &str, less: bool) -> u64 {
    let epochs = events.iter().filter(|event| event["event"] == "epoch");
    let values: Vec<f64> = epochs.map(|epoch| epoch[name].as_f64().expect("a number")).collect();
    let better = |a: f64, b: f64| if less { a < b } else { a > b };
    let mut best = 0;
    for (at, &value) in values.iter().enumerate() {
        if better(value, values[best]) {
            best = at;
        }
    }
    best as u64 + 1
}

#[test]
fn the_best_epoch_is_that_of_the_metrics_own_direction() {
    for (name, less) in [("val_off", true), ("val_top_error", true), ("val_hits", false)] {
        let settings = format!("    checkpoint = every(best: {name})");
        let folder = Folder::new(&settings);
        let (out, _) = folder.run(&["run", "net.nn", "--json", "--threads", "1"], 0);
        let events = events(&out);
        let result = events.last().expect("a result");
        assert_eq!(result["best_epoch"].as_u64(), Some(best(&events, name, less)), "{name}");
        assert_eq!(result["weights_epoch"].as_u64(), Some(6), "the last ones are tested");
    }
}

#[test]
fn a_run_that_stops_early_on_an_error_keeps_the_least() {
    let folder = Folder::new("    early_stop = patience(val_off, 2)");
    let (out, _) = folder.run(&["run", "net.nn", "--json", "--threads", "1"], 0);
    let events = events(&out);
    let result = events.last().expect("a result");
    let least = best(&events, "val_off", true);
    assert_eq!(result["best_epoch"].as_u64(), Some(least));
    assert_eq!(result["weights_epoch"].as_u64(), Some(least), "its weights are back, and tested");
}

#[test]
fn only_a_metric_has_a_direction() {
    let folder = Folder::new("");
    let text = std::fs::read_to_string(folder.path("net.nn")).unwrap();
    let text = text.replace("-> f32[N, 10] {", "-> f32[N, 10] maximize {");
    std::fs::write(folder.path("net.nn"), text).unwrap();
    let (_, err) = folder.run(&["check", "net.nn"], 1);
    assert!(err.contains("only a metric is declared `maximize`"), "{err}");
}

#[test]
fn the_weights_that_were_tested_are_named() {
    let folder = Folder::new("    checkpoint = every(best: off)");
    let (out, err) = folder.run(&["run", "net.nn"], 0);
    assert!(out.contains("weights of epoch 6, the last"), "{out}");
    let is_best = out.contains("the last and best");
    assert!(is_best || err.contains("take the best weights, of epoch"), "{out}{err}");
    let page = std::fs::read_to_string(folder.path("runs/net/report.html")).unwrap();
    assert!(page.contains("weights of epoch 6"));
}

#[test]
fn a_program_that_changed_is_not_gone_on_with_unless_it_is_said_so() {
    let folder = Folder::new("");
    folder.run(&["run", "net.nn", "--quiet"], 0);
    let kept = folder.path("runs/net/program/net.nn");
    let text = std::fs::read_to_string(&kept).unwrap();

    // Layout, comments and numbers that may change while a run goes on are no other program.
    let same = text.replace("|> relu", "// the same\n        |> relu").replace("0.05", "0.01");
    std::fs::write(&kept, same).unwrap();
    folder.run(&["run", "--resume=runs/net", "--epochs", "7", "--quiet"], 0);

    for (from, to, part) in [
        ("|> relu", "|> tanh", "the model, its loss or its metrics"),
        ("sgd(lr: 0.05)", "sgd(lr: 0.05, nesterov: false, momentum: 0.0)", ""),
        (
            "    batch     = 10",
            "    batch     = 10\n    clip_value = 0.5",
            "the optimizer or a setting",
        ),
        ("    batch     = 10", "    batch     = 10\n    shuffle = false", "the order of samples"),
    ] {
        let other = text.replace(from, to);
        assert_ne!(other, text);
        std::fs::write(&kept, other).unwrap();
        let args = ["run", "--resume=runs/net", "--epochs", "8", "--quiet"];
        if part.is_empty() {
            // A setting that changes nothing is no other program either.
            folder.run(&["run", "--resume=runs/net", "--epochs", "7", "--quiet"], 0);
            continue;
        }
        let (_, err) = folder.run(&args, 1);
        assert!(err.contains("the program is another"), "{err}");
        assert!(err.contains(part) && err.contains("--force"), "{err}");
    }
    let args = ["run", "--resume=runs/net", "--epochs", "8", "--force"];
    let (_, err) = folder.run(&args, 0);
    assert!(err.contains("the program has changed since the checkpoint was written"), "{err}");
}

/// A long run, begun and left alone until it has written a checkpoint.
fn begun(folder: &Folder) -> Child {
    let args = ["run", "net.nn", "--set", "train.epochs=100000", "--max-time", "60s"];
    let mut command = folder.command(&args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("nnc runs");
    let start = Instant::now();
    while !has_checkpoint(&folder.path("runs/net/checkpoints")) {
        assert!(start.elapsed() < Duration::from_secs(60), "no checkpoint");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn has_checkpoint(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("epoch-"))
}

/// The run is interrupted; what it says on standard error.
#[cfg(unix)]
fn interrupted(child: Child) -> String {
    let id = child.id().to_string();
    // It goes on for some epochs, which would each say something.
    std::thread::sleep(Duration::from_millis(300));
    Command::new("kill").args(["-INT", &id]).status().expect("kill runs");
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[cfg(unix)]
#[test]
fn nothing_is_written_into_a_folder_that_took_the_runs_place() {
    for replaced in [true, false] {
        let folder = Folder::new("");
        let child = begun(&folder);
        std::fs::rename(folder.path("runs/net"), folder.path("moved")).expect("it moves");
        if replaced {
            std::fs::create_dir_all(folder.path("runs/net")).unwrap();
            std::fs::write(folder.path("runs/net/mine.txt"), "mine").unwrap();
        }
        let said = interrupted(child);
        assert_eq!(said.matches("warning:").count(), 1, "{said}");
        assert!(said.contains("moved, removed or replaced while it trained"), "{said}");
        let there = std::fs::read_dir(folder.path("runs/net")).into_iter().flatten().flatten();
        let names: Vec<_> = there.map(|entry| entry.file_name()).collect();
        assert_eq!(names.len(), usize::from(replaced), "{names:?}");
        assert!(has_checkpoint(&folder.path("moved/checkpoints")), "what was kept stays");
    }
}
