//! The command line as a user types it: what is printed where, what is written, and the exit code.
//!
//! Every command runs in a folder of its own without `NNC_DATA` and without a cache, so nothing
//! depends on the machine.

#[path = "cli/check.rs"]
mod check;
#[path = "cli/stages.rs"]
mod stages;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nnc::codegen::Target;
use safetensors::SafeTensors;
use serde_json::Value;

/// A folder with a program in it.
struct Folder(tempfile::TempDir);

const DIGITS: &str = "data drawn = digits(train: 640, test: 100, validation: 0.1)

model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> flatten |> dense(32) |> relu |> dense(10)
}

train net on drawn {
    loss      = cross_entropy
    optimizer = adam(lr: 3e-3)
    epochs    = 3
    batch     = 32
    metrics   = [accuracy]
}
";

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    /// With [`DIGITS`] as `digits.nn`.
    fn with_digits() -> Folder {
        let folder = Folder::new();
        folder.write("digits.nn", DIGITS);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), contents).expect("a file");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
        command.args(args).current_dir(self.0.path()).env_remove("NNC_DATA");
        command.env("XDG_CACHE_HOME", self.path("cache")).env("HOME", self.path("home"));
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("nnc runs"), args)
    }

    fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("nnc runs")
    }

    /// Runs with this on standard input.
    fn feed(&self, args: &[&str], input: &str) -> Ran {
        let mut child = self.spawn(args);
        child.stdin.take().unwrap().write_all(input.as_bytes()).expect("standard input");
        Ran::of(child.wait_with_output().expect("nnc ends"), args)
    }
}

/// What a command did.
struct Ran {
    command: String,
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn of(output: Output, args: &[&str]) -> Ran {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Ran {
            command: format!("nnc {}", args.join(" ")),
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Fails unless it ended with this code.
    #[track_caller]
    fn exits(self, code: i32) -> Ran {
        let Ran { command, stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "{command}\n{stdout}\n{stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("has a bug"), "{stderr}");
        self
    }

    /// Fails unless standard error has all these words.
    #[track_caller]
    fn complains(self, words: &[&str]) -> Ran {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "{}: no `{word}` in\n{}",
                self.command,
                self.stderr
            );
        }
        self
    }

    fn json(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        self.stdout.lines().map(parse).collect()
    }
}

fn event<'v>(lines: &'v [Value], name: &str) -> Vec<&'v Value> {
    lines.iter().filter(|line| line["event"] == name).collect()
}

fn model(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name);
    path.to_str().expect("UTF-8").to_string()
}

#[test]
fn run_trains_and_prints_a_result_on_standard_output_only() {
    let folder = Folder::with_digits();
    let ran = folder.run(&["run", "digits.nn"]).exits(0).complains(&["epoch 1/3", "epoch 3/3"]);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("accuracy"), "{}", ran.stdout);
    let ran = folder.run(&["run", "digits.nn", "--epochs", "1", "--quiet"]).exits(0);
    assert_eq!((ran.stdout.lines().count(), ran.stderr.as_str()), (1, ""));
}

#[test]
fn run_prints_one_json_object_a_line_and_is_the_same_for_any_threads() {
    let folder = Folder::with_digits();
    let losses = |threads: &str| {
        let args = ["run", "digits.nn", "--epochs", "2", "--json", "--threads", threads];
        let lines = folder.run(&args).exits(0).json();
        let epochs = event(&lines, "epoch");
        assert_eq!(epochs.len(), 2, "{lines:?}");
        for (index, epoch) in epochs.iter().enumerate() {
            assert_eq!(epoch["epoch"], index + 1);
            for name in ["train_loss", "val_loss", "val_accuracy", "seconds"] {
                assert!(epoch[name].is_f64(), "{name} in {epoch}");
            }
        }
        let [start] = event(&lines, "start")[..] else { panic!("{lines:?}") };
        assert_eq!(start["data"], "digits", "{start}");
        let [result] = event(&lines, "result")[..] else { panic!("{lines:?}") };
        for name in ["test_loss", "test_accuracy", "seconds"] {
            assert!(result[name].is_f64(), "{name} in {result}");
        }
        assert_eq!(result["data"], "digits", "{result}");
        [
            epochs[0]["train_loss"].clone(),
            epochs[1]["val_loss"].clone(),
            result["test_loss"].clone(),
        ]
    };
    let one = losses("1");
    assert_eq!(losses("2"), one);
    assert_eq!(losses("5"), one);
}

#[test]
fn saved_weights_are_the_models_and_the_same_again() {
    let folder = Folder::with_digits();
    let saved = |name: &str, seed: &str| {
        let args = ["run", "digits.nn", "--epochs", "1", "--seed", seed, "--save", name];
        folder.run(&args).exits(0);
        std::fs::read(folder.path(name)).expect("the weights")
    };
    let first = saved("first.safetensors", "3");
    let file = SafeTensors::deserialize(&first).expect("a safetensors file");
    let mut names = file.names();
    names.sort_unstable();
    assert_eq!(names, ["dense.bias", "dense.weight", "dense_2.bias", "dense_2.weight"]);
    assert_eq!(file.tensor("dense.weight").unwrap().shape(), [784, 32]);
    assert_eq!(saved("second.safetensors", "3"), first);
    assert_ne!(saved("third.safetensors", "4"), first);
    // Nothing is left beside them and the folder of the runs.
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 5);
    let last = std::fs::read(folder.path("runs/digits-2/last.safetensors"));
    assert_eq!(last.expect("the second run's"), first);
}

#[test]
fn targets_that_the_processor_has_can_be_forced_and_agree() {
    let folder = Folder::with_digits();
    let mut results = Vec::new();
    for name in ["avx512", "avx2", "portable"] {
        let target = Target::from_name(name).unwrap();
        let args = ["run", "digits.nn", "--epochs", "1", "--target", name, "--json"];
        let ran = folder.run(&args);
        if target.supported_on_host() {
            let lines = ran.exits(0).json();
            results.push(event(&lines, "result")[0]["test_loss"].clone());
        } else {
            ran.exits(2).complains(&["--target"]);
        }
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{results:?}");
}

#[test]
fn mistakes_of_the_program_exit_with_1_and_are_told_together() {
    let folder = Folder::new();
    folder.write(
        "bad.nn",
        "model net(x: f32[N, 4]) -> f32[N, 2] { x |> dens(2) }\n\
         train net {\n    loss = cross_entrpy\n    epoch = 3\n}\n",
    );
    for command in ["check", "run", "emit-ir", "bench"] {
        let ran = folder.run(&[command, "bad.nn"]).exits(1);
        let ran = ran.complains(&["bad.nn:1", "dens", "did you mean", "cross_entropy"]);
        assert_eq!(ran.stdout, "", "{}", ran.command);
    }
    folder.write("worse.nn", "model net(x: f32[N, 4] {\n");
    folder.run(&["check", "worse.nn"]).exits(1).complains(&["worse.nn:1"]);
    folder.run(&["fmt", "worse.nn"]).exits(1).complains(&["worse.nn:1"]);
}

#[test]
fn files_that_cannot_be_read_and_wrong_usage_exit_with_2() {
    let folder = Folder::with_digits();
    for command in ["check", "run", "emit-ir", "bench", "fmt"] {
        folder.run(&[command, "missing.nn"]).exits(2).complains(&["missing.nn"]);
        folder.run(&[command, "."]).exits(2).complains(&["cannot read"]);
        folder.run(&[command]).exits(2).complains(&["Usage"]);
    }
    for args in [
        &["run", "digits.nn", "--threads", "0"][..],
        &["run", "digits.nn", "--epochs", "many"],
        &["run", "digits.nn", "--target", "z80"],
        &["emit-ir", "digits.nn", "--stage", "nothing"],
        &["bench", "digits.nn", "--batch", "0"],
        &["traim", "digits.nn"],
        &[],
    ] {
        folder.run(args).exits(2);
    }
    let unwritable = ["run", "digits.nn", "--save", "no/such/folder/w.safetensors"];
    folder.run(&unwritable).exits(2).complains(&["cannot write"]);
    folder.run(&["run", "digits.nn", "--save", "."]).exits(2).complains(&["cannot write"]);
}

#[test]
fn a_file_that_is_not_text_is_a_mistake_without_a_panic() {
    let folder = Folder::new();
    folder.write("noise.nn", (0..=255).rev().cycle().take(5000).collect::<Vec<u8>>());
    folder.write("zeros.nn", [0; 5000]);
    for command in ["check", "run", "emit-ir", "fmt"] {
        folder.run(&[command, "noise.nn"]).exits(1).complains(&["noise.nn", "UTF-8"]);
        folder.run(&[command, "zeros.nn"]).exits(1).complains(&["zeros.nn"]);
    }
}

#[test]
fn fmt_formats_in_place_checks_and_filters() {
    let folder = Folder::new();
    let (untidy, tidy) = ("const  a=1 // one\n", "const a = 1 // one\n");
    folder.write("a.nn", untidy);
    folder.write("b.nn", tidy);
    let ran = folder.run(&["fmt", "--check", "a.nn", "b.nn"]).exits(1);
    assert_eq!(ran.stdout, "a.nn\n");
    assert_eq!(std::fs::read_to_string(folder.path("a.nn")).unwrap(), untidy);
    let ran = folder.run(&["fmt", "a.nn", "b.nn"]).exits(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    assert_eq!(std::fs::read_to_string(folder.path("a.nn")).unwrap(), tidy);
    folder.run(&["fmt", "--check", "a.nn", "b.nn"]).exits(0);
    assert_eq!(folder.feed(&["fmt", "-"], untidy).exits(0).stdout, tidy);
    folder.feed(&["fmt", "--check", "-"], untidy).exits(1);
    folder.feed(&["fmt", "-"], "const a = (1\n").exits(1).complains(&["<stdin>:1"]);
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let folder = Folder::with_digits();
    // Far more than a pipe holds.
    let mut child = folder.spawn(&["emit-ir", "digits.nn", "--stage", "asm"]);
    let mut first = [0; 16];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).expect("some text");
    drop(stdout);
    let output = child.wait_with_output().expect("nnc ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

/// Lines come from within training: the run ends behind its step, not in the middle of it.
#[test]
fn a_closed_pipe_ends_a_run_quietly() {
    let folder = Folder::with_digits();
    let args = ["run", "digits.nn", "--json", "--epochs", "1000", "--out", "run"];
    let mut child = folder.spawn(&args);
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 16]).expect("some text");
    drop(stdout);
    let output = child.wait_with_output().expect("nnc ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let kept = std::fs::read_dir(folder.path("run/checkpoints")).expect("a folder").count();
    assert!(kept > 0, "no checkpoint");
}

#[test]
fn bench_needs_no_data_and_measures() {
    let folder = Folder::new();
    let args = ["bench", &model("mnist.nn"), "--seconds", "0.1", "--json", "--threads", "2"];
    let lines = folder.run(&args).exits(0).json();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&line["model"], &line["batch"]), (&"mlp".into(), &32.into()));
    // Forward, and the gradients of two weights and of the hidden layer, two a multiplication.
    let macs = 32.0 * (2.0 * 784.0 * 128.0 + 3.0 * 128.0 * 10.0);
    let gflop = line["gflop"].as_f64().expect("gflop");
    assert!((gflop - 2e-9 * macs).abs() < 1e-6, "{gflop}");
    let args = ["bench", &model("mnist.nn"), "--seconds", "0.1", "--infer", "--batch", "100"];
    let ran = folder.run(&args).exits(0);
    assert!(ran.stdout.contains("batch 100"), "{}", ran.stdout);
}

#[test]
fn bench_explains_each_kernel_of_a_step() {
    let folder = Folder::new();
    let model = model("mnist.nn");
    let args = ["bench", &model, "--seconds", "0.1", "--explain", "--threads", "2"];
    let lines = folder.run(&[&args[..], &["--json"]].concat()).exits(0).json();
    let [report] = &lines[..] else { panic!("{lines:?}") };
    assert!(report["stream_gb_s"].as_f64().is_some_and(|rate| rate > 0.0));
    let actions = report["kernels"].as_array().expect("an array");
    let (barriers, kernels): (Vec<_>, Vec<_>) =
        actions.iter().partition(|action| action["name"] == "barrier");
    // The end of a step is one more.
    assert_eq!(barriers.len() as u64 + 1, report["barriers"].as_u64().expect("barriers"));
    let sum = |key: &str| kernels.iter().map(|it| it[key].as_f64().expect(key)).sum::<f64>();
    let gflop = report["gflop"].as_f64().expect("gflop");
    assert!((sum("contraction_gflop") - gflop).abs() < 1e-9 && sum("gflop") > gflop);
    // At least the weights are read and written.
    assert!(sum("bytes") > 2.0 * 4.0 * 784.0 * 128.0 && sum("median_ms") > 0.0);
    let update = kernels.iter().find(|it| it["name"] == "dense.weight.update").expect("an update");
    let place = update["place"].as_str().expect("a place");
    assert!(place.starts_with(&model) && place[model.len()..].starts_with(':'), "{place}");
    assert!(update["min_ms"].as_f64() <= update["median_ms"].as_f64());

    let shown = folder.run(&["bench", &model, "--seconds", "0.1", "--explain", "--infer"]).exits(0);
    for words in ["GFLOP/s", "with memory", "dense_2.matmul", &model, "of it in barriers"] {
        assert!(shown.stdout.contains(words), "{words}: {}", shown.stdout);
    }
}

#[test]
fn a_learning_rate_that_is_too_large_is_told_and_what_is_saved_is_finite() {
    let folder = Folder::new();
    folder.write("main.nn", DIGITS.replace("adam(lr: 3e-3)", "sgd(lr: 1e30)"));
    folder.run(&["run", "main.nn", "--save", "w.safetensors"]).exits(1).complains(&["finite"]);
    let bytes = std::fs::read(folder.path("w.safetensors")).expect("the weights");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    for (name, view) in file.tensors() {
        let numbers = view.data().chunks_exact(4);
        let finite = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap()).is_finite();
        assert!(numbers.clone().all(finite), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_run_after_a_step_and_saves() {
    let folder = Folder::with_digits();
    let args = ["run", "digits.nn", "--epochs", "1000000", "--json", "--save", "w.safetensors"];
    let mut child = folder.spawn(&args);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let epoch =
        lines.by_ref().map(|line| line.expect("UTF-8")).find(|line| line.contains("epoch\""));
    assert!(epoch.is_some(), "no epoch ended");
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    // Read on, so that the pipe never fills.
    lines.for_each(drop);
    let output = child.wait_with_output().expect("nnc ends");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = std::fs::read(folder.path("w.safetensors")).expect("the weights");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    assert_eq!(file.tensor("dense_2.weight").unwrap().shape(), [32, 10]);
}

#[test]
fn use_finds_files_beside_the_one_that_says_so() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("parts")).unwrap();
    folder.write("parts/hidden.nn", "use \"deeper.nn\"\nlayer hidden(x: f32[..S, I]) -> f32[..S, 16] { x |> dense(16) |> bend }\n");
    folder.write("parts/deeper.nn", "layer bend(x: f32[..S]) -> f32[..S] { tanh(x) }\n");
    let main = DIGITS.replace("dense(32) |> relu", "hidden");
    folder.write("main.nn", format!("use \"parts/hidden.nn\"\n{main}"));
    let ran = folder.run(&["check", "main.nn"]).exits(0);
    assert!(ran.stdout.contains("hidden   [N, 16]"), "{}", ran.stdout);
    folder.write("parts/deeper.nn", "use \"../main.nn\"\n");
    let ran = folder.run(&["check", "main.nn"]).exits(1);
    ran.complains(&["main.nn", "hidden.nn", "deeper.nn"]);
    folder.write("parts/hidden.nn", "use \"nowhere.nn\"\n");
    folder.run(&["check", "main.nn"]).exits(1).complains(&["nowhere.nn", "hidden.nn:1"]);
}
