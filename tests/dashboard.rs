//! `nnc run --tui` on a terminal: what it shows, what its keys do, and what is left when it is closed.
//!
//! The terminal is made by Python's own module `pty`; where there is no Python, that is said and the
//! tests are skipped.

#[path = "support/python.rs"]
mod python;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

const PROGRAM: &str = "data drawn = digits(train: 20000, test: 100, validation: 0.1)

model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> flatten |> dense(WIDTH) |> relu |> dense(10)
}

train net on drawn {
    loss      = cross_entropy
    optimizer = adam(lr: 1e-3)
    epochs    = EPOCHS
    batch     = 32
    metrics   = [accuracy]
}
";

/// A file, and its text once an epoch is over.
const LOGGED: [&str; 2] = ["runs/net/events.jsonl", "\"epoch\":1,"];

/// A folder with a program of so many epochs.
fn folder(epochs: usize) -> tempfile::TempDir {
    folder_of(epochs, 32)
}

/// The same of a net of this width.
fn folder_of(epochs: usize, width: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let text = PROGRAM.replace("EPOCHS", &epochs.to_string());
    let text = text.replace("WIDTH", &width.to_string());
    std::fs::write(folder.path().join("net.nn"), text).expect("a file");
    folder
}

/// Plays a script on a run; `None` where there is no terminal to be had.
fn play(folder: &Path, script: &Value, locale: &str) -> Option<Value> {
    let python = python::python("pty, termios", "terminals", "NNC_REQUIRE_PTY")?;
    let player = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboard/terminal.py");
    let mut command = Command::new(python);
    command.arg(player).arg(script.to_string());
    command.args([env!("CARGO_BIN_EXE_nnc"), "run", "net.nn", "--tui", "--threads", "1"]);
    command.current_dir(folder).env_remove("NNC_DATA").env("HOME", folder);
    command.env("XDG_CACHE_HOME", folder.join("cache")).env("TERM", "xterm-256color");
    command.env("LC_ALL", locale).env_remove("NO_COLOR");
    let output = command.output().expect("Python runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let played = serde_json::from_str(&text);
    Some(played.unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr))))
}

fn seen(played: &Value) -> &str {
    assert_eq!(played["missing"], Value::Null, "{}", played["seen"]);
    played["seen"].as_str().expect("a text")
}

fn info(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("runs/net/run.json")).expect("run.json");
    serde_json::from_str(&text).expect("JSON")
}

fn events(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("runs/net/events.jsonl")).expect("a log");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Checkpoints within an epoch.
fn kept(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("runs/net/checkpoints")).expect("checkpoints");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.to_string_lossy().contains('+')).collect()
}

/// The text behind what gives the terminal back.
fn left_behind(seen: &str) -> &str {
    let (_, after) = seen.rsplit_once("\x1b[?1049l").expect("the screen is left");
    after
}

#[test]
fn keys_keep_slow_down_and_stop_a_run() {
    let folder = folder(10_000);
    let script = json!([
        { "file": LOGGED },
        { "press": "c" }, { "file": ["runs/net/events.jsonl", "\"checkpoint\""] },
        { "press": "l" }, { "file": ["runs/net/events.jsonl", "rate_halved"] },
        { "size": [10, 30] }, { "wait": "step" },
        { "size": [40, 120] }, { "wait": "layer" },
        { "press": "q" },
    ]);
    let Some(played) = play(folder.path(), &script, "C.UTF-8") else { return };
    let seen = seen(&played);
    assert_eq!(played["code"], 130, "{seen}");
    assert!(seen.contains("\x1b[?1049h") && seen.contains('│'), "a screen of its own");
    let after = left_behind(seen);
    for part in ["epoch 1/10000  loss", "a checkpoint: ", "is halved; 0.5 of it", "go on with"] {
        assert!(after.contains(part), "no `{part}` in\n{after}");
    }
    assert_eq!(info(folder.path())["status"], "stopped");
    // Which is within an epoch or between two, as it happens.
    let (_, name) = after.split_once("kept: ").expect("a checkpoint is kept");
    let (name, _) = name.split_once(';').expect("its name ends");
    let name = name.split_whitespace().collect::<String>();
    assert!(folder.path().join(&name).is_file(), "{name}");
    let halved = events(folder.path()).into_iter().find(|it| it["event"] == "rate_halved");
    assert_eq!(halved.expect("it is in the log")["lr_scale"], 0.5);
}

#[test]
fn a_run_to_its_end_leaves_the_plain_table() {
    let folder = folder(3);
    let Some(played) = play(folder.path(), &json!([]), "C") else { return };
    let seen = seen(&played);
    assert_eq!(played["code"], 0, "{seen}");
    let (_, screen) = seen.split_once("\x1b[?1049h").expect("a screen");
    let (screen, _) = screen.split_once("\x1b[?1049l").expect("the screen is left");
    let other: String = screen.chars().filter(|char| !char.is_ascii()).collect();
    assert_eq!(other, "", "a terminal without Unicode gets ASCII");
    let after = left_behind(seen);
    let lines: Vec<&str> = after.lines().filter(|line| line.contains("/3  loss ")).collect();
    assert_eq!(lines.len(), 3, "{after}");
    assert!(after.contains("s in all)"), "{after}");
}

#[test]
fn a_terminal_that_is_closed_leaves_a_checkpoint() {
    // Wide, so that an epoch takes seconds, and the terminal is closed in the one in which `c` was pressed.
    let folder = folder_of(10_000, 2048);
    let kept_by_key = ["runs/net/events.jsonl", "\"checkpoint\""];
    let script = json!([
        { "wait": "step" }, { "press": "c" }, { "file": kept_by_key }, { "hang_up": true },
    ]);
    let Some(played) = play(folder.path(), &script, "C.UTF-8") else { return };
    seen(&played);
    assert_eq!(info(folder.path())["status"], "stopped");
    let by_key = events(folder.path()).into_iter().find(|it| it["event"] == "checkpoint");
    let by_key = by_key.expect("it is in the log")["name"].as_str().expect("a name").to_owned();
    let is_other = |path: &PathBuf| !path.ends_with(&by_key);
    let kept = kept(folder.path());
    assert!(kept.iter().any(is_other), "the step at which it was closed, not {by_key}: {kept:?}");
}

#[test]
fn without_a_terminal_lines_are_printed() {
    let folder = folder(1);
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
        // Of several threads a busy machine uses fewer, and says so.
        command
            .args(["run", "net.nn", "--no-out", "--threads", "1"])
            .args(args)
            .current_dir(folder.path());
        command.env_remove("NNC_DATA").env("XDG_CACHE_HOME", folder.path().join("cache"));
        let output = command.output().expect("nnc runs");
        assert!(output.status.success());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        // Times differ.
        let things = |line: &str| line.split("  ").take(3).collect::<Vec<_>>().join("  ");
        text.lines().map(things).collect::<Vec<_>>()
    };
    assert_eq!(run(&["--tui"]), run(&[]));
}
