//! The command line as a user types it: what is printed where, what is written, and the exit code.
//!
//! Every command runs in a folder of its own without `NNC_DATA` and without a cache, so nothing
//! depends on the machine.

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
fn check_tells_what_a_good_file_is() {
    let folder = Folder::with_digits();
    let ran = folder.run(&["check", "digits.nn"]).exits(0);
    assert_eq!(784 * 32 + 32 + 32 * 10 + 10, 25_450);
    for words in ["dense_2  [N, 10]", "parameters  25 450", "training: ", "inference: ", "a run"] {
        assert!(ran.stdout.contains(words), "no `{words}` in\n{}", ran.stdout);
    }
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    let json = folder.run(&["check", "--json", "digits.nn"]).exits(0).json();
    let report = &json[0]["report"];
    assert_eq!(report["parameters"], 25_450);
    assert_eq!(report["tensors"][0]["path"], "dense.weight");
    let timed = folder.run(&["check", "--time", "digits.nn"]).exits(0);
    assert!(timed.stdout.contains("a step, "), "{}", timed.stdout);
    assert_eq!(ran.stderr, "");
    folder.run(&["check", &model("mnist.nn")]).exits(0);
}

#[test]
fn every_model_is_checked_and_tidy() {
    let folder = Folder::new();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    for entry in std::fs::read_dir(models).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        // Without the folders of images, `check` warns and goes on.
        if name != "resnet.nn" {
            folder.run(&["check", &model(name)]).exits(0);
        }
        folder.run(&["fmt", "--check", &model(name)]).exits(0);
    }
}

#[test]
fn batch_norm_of_one_value_is_refused_before_anything_runs() {
    let folder = Folder::new();
    let text = |batch: usize| {
        format!(
            "model net(x: f32[N, 12]) -> f32[N, 4] {{\n    x |> dense(8) |> batch_norm |> dense(4)\n\
             }}\n\ntrain net {{\n    loss  = cross_entropy\n    batch = {batch}\n}}\n"
        )
    };
    folder.write("one.nn", text(1));
    folder.run(&["check", "one.nn"]).exits(1).complains(&["E0306", "one.nn:2", "batch_norm"]);
    folder.write("two.nn", text(2));
    folder.run(&["check", "two.nn"]).exits(0);
}

#[test]
fn a_long_chain_compiles() {
    let folder = Folder::new();
    folder
        .write("long.nn", "model net(x: f32[N, 12]) -> f32[N, 12] { x |> repeat 1500 { relu } }\n");
    folder.run(&["check", "long.nn"]).exits(0);
}

#[test]
fn check_warns_of_missing_data_and_run_refuses() {
    let folder = Folder::new();
    let text = DIGITS.replace("digits(train: 640, test: 100, validation: 0.1)", "SOURCE");
    folder.write("main.nn", text.replace("SOURCE", "idx(images: \"no\", labels: \"neither\")"));
    folder.run(&["run", "main.nn"]).exits(1).complains(&["idx(", "no"]);
    folder.run(&["check", "main.nn"]).complains(&["idx("]);
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
fn every_stage_can_be_shown() {
    let folder = Folder::new();
    let mnist = model("mnist.nn");
    let mut texts = std::collections::BTreeSet::new();
    for stage in nnc::command::STAGES {
        let ran = folder.run(&["emit-ir", &mnist, "--stage", stage.name]).exits(0);
        assert!(ran.stdout.lines().count() > 5, "{}: {}", stage.name, ran.stdout);
        texts.insert(ran.stdout);
    }
    assert_eq!(texts.len(), nnc::command::STAGES.len(), "stages that print the same");
    let shown =
        |args: &[&str]| folder.run(&[&["emit-ir", mnist.as_str()], args].concat()).exits(0).stdout;
    assert_eq!(shown(&[]), shown(&["--stage", "graph"]));
    for line in shown(&["--stage", "loops"]).lines().filter(|line| line.starts_with("    b")) {
        assert!(!line.contains(" at "), "{line}");
    }
    let plan = shown(&["--stage", "plan"]);
    for words in ["\"dense.weight\" at 0\n", "// b", "global block", "block of each thread"] {
        assert!(plan.contains(words), "no `{words}` in\n{plan}");
    }
}

#[test]
fn the_graph_after_every_pass_can_be_shown() {
    let folder = Folder::new();
    let mnist = model("mnist.nn");
    let shown =
        |args: &[&str]| folder.run(&[&["emit-ir", mnist.as_str()], args].concat()).exits(0).stdout;
    for (pass, _) in nnc::pass::PIPELINE.names() {
        assert!(shown(&["--after", pass]).starts_with("graph mlp {"), "{pass}");
    }
    assert_eq!(shown(&["--after", "autodiff"]), shown(&["--stage", "grad"]));
    assert_eq!(shown(&["--after", "fuse"]), shown(&["--stage", "fused"]));
    assert!(shown(&["--after", "bind", "--batch", "7"]).contains("f32[7, 10]"));
    assert!(!shown(&["--after", "dce", "--eval"]).contains("update"));
    for args in [
        &["--after", "dce", "--stage", "graph"][..],
        &["--after", "loops"],
        &["--stage", "dce"],
        &["--after", "autodiff", "--eval"],
    ] {
        folder.run(&[&["emit-ir", mnist.as_str()], args].concat()).exits(2);
    }
}

#[test]
fn a_stages_text_is_input_again() {
    let folder = Folder::new();
    let shown = |args: &[&str]| folder.run(&[&["emit-ir"], args].concat()).exits(0).stdout;
    let mnist = model("mnist.nn");
    for (name, args) in [
        ("forward.graph", ["--stage", "graph"]),
        ("step.graph", ["--after", "dce"]),
        ("step.loops", ["--stage", "loops"]),
        ("planned.loops", ["--stage", "plan"]),
    ] {
        folder.write(name, shown(&[&mnist, args[0], args[1]]));
    }
    let text = |name: &str| std::fs::read_to_string(folder.path(name)).unwrap();
    assert_eq!(shown(&["forward.graph", "--stage", "graph"]), text("forward.graph"));
    assert_eq!(shown(&["forward.graph"]), text("forward.graph"));
    assert_eq!(shown(&["step.loops"]), text("step.loops"));
    assert_eq!(shown(&["planned.loops", "--stage", "plan"]), text("planned.loops"));
    // The graph of a step is all that the stages behind it need, but for names of kernels, which
    // are the names of what the user wrote.
    let unnamed = |text: String| -> Vec<String> {
        text.lines().filter(|line| !line.contains("kernel k")).map(str::to_string).collect()
    };
    for stage in ["fused", "loops", "plan", "clif", "asm"] {
        let again = unnamed(shown(&["step.graph", "--stage", stage]));
        assert!(again == unnamed(shown(&[&mnist, "--stage", stage])), "{stage} is another");
    }
    for stage in ["clif", "asm"] {
        let again = shown(&["planned.loops", "--stage", stage]);
        assert!(again == shown(&[&mnist, "--stage", stage]), "{stage} is another");
        shown(&["step.loops", "--stage", stage]);
    }
    assert!(shown(&["step.loops", "--stage", "plan"]).contains("global block"));
    for pass in ["autodiff", "bind", "simplify", "cse", "dce", "fuse"] {
        shown(&["forward.graph", "--after", pass]);
    }
    assert!(shown(&["forward.graph", "--stage", "grad"]).contains("output grad.dense.weight"));
    assert!(shown(&["forward.graph", "--after", "bind", "--batch", "7"]).contains("f32[7, 10]"));
}

#[test]
fn what_a_stages_text_cannot_be_shown_as_is_told() {
    let folder = Folder::new();
    folder.write("a.graph", "graph a {\n    %0 = step : f64\n    %1 = cast %0 : f32\n}\n");
    folder.write("a.loops", "// nothing\nprogram \"a\" {\n    step {\n    }\n}\n");
    for (args, words) in [
        (["a.graph", "--stage", "ast"], "stage `ast`"),
        (["a.graph", "--stage", "grad"], "`loss`"),
        (["a.graph", "--after", "update"], "rule"),
        (["a.loops", "--stage", "fused"], "stage `fused`"),
        (["a.loops", "--after", "dce"], "pass `dce`"),
    ] {
        let ran = folder.run(&["emit-ir", args[0], args[1], args[2]]).exits(2);
        assert_eq!(ran.complains(&[args[0], words]).stdout, "");
    }
    let mnist = model("mnist.nn");
    for command in ["emit-ir", "bench"] {
        let stage: &[&str] = if command == "bench" { &[] } else { &["--stage", "fused"] };
        let args = [&[command, mnist.as_str(), "--batch", "4294967295"], stage].concat();
        folder.run(&args).exits(1).complains(&["4294967295 is too large"]);
    }
    folder.run(&["emit-ir", "a.graph", "--eval"]).exits(2).complains(&["evaluation"]);
    for (name, text, place) in [
        ("b.graph", "graph b {\n    %0 = stop\n}\n", "b.graph:2"),
        (
            "c.graph",
            "graph c {\n    %0 = step : f64\n    %1 = cast %0 : i32\n    %2 = exp %1 : f32\n}\n",
            "c.graph:4",
        ),
        ("d.graph", "graph", "d.graph:1"),
        (
            "e.graph",
            "graph e {\n    input0 x: u8[N]\n    %0 = input0 : u8[N]\n    output y = %0\n}\n",
            "e.graph:4",
        ),
        ("b.loops", "program \"b\" {\n    b0 = heap f32[4] \"x\"\n}\n", "b.loops:2"),
        (
            "c.loops",
            "program \"c\" {\n    b0 = scratch f32[4] \"x\" at 3\n    step {\n    }\n}\n",
            "c.loops:2",
        ),
        (
            "d.loops",
            "program \"d\" {\n    b0 = scratch f32[99999999999999999] \"x\"\n    step {\n    }\n}\n",
            "d.loops:2",
        ),
        ("e.loops", "program", "e.loops:1"),
    ] {
        folder.write(name, text);
        let ran = folder.run(&["emit-ir", name, "--stage", "asm"]).exits(1);
        assert_eq!(ran.complains(&[place]).stdout, "");
    }
}

#[test]
fn machine_code_is_shown_for_the_forced_target() {
    let folder = Folder::with_digits();
    let asm = |target: &str| {
        let args = ["emit-ir", "digits.nn", "--stage", "asm", "--target", target];
        folder.run(&args).exits(0).stdout
    };
    for (name, wide) in [("avx512", "zmm"), ("avx2", "ymm"), ("portable", "xmm")] {
        if Target::from_name(name).unwrap().supported_on_host() && cfg!(target_arch = "x86_64") {
            let text = asm(name);
            assert!(text.contains(wide), "no {wide} in the code for {name}");
            assert_eq!(text.contains("zmm"), wide == "zmm", "{name}");
        }
    }
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

#[test]
fn check_looks_at_every_model_of_a_file() {
    let folder = Folder::new();
    let shared = "layer wide(x: f32[N, D]) -> f32[N, 8] { x |> dense(8) |> relu }\n";
    let first = "model first(x: f32[N, 4]) -> f32[N, 2] { x |> wide |> dense(2) }\n";
    let second = "model second(x: f32[N, 6]) -> f32[N, 3] { x |> wide |> dense(3) }\n";
    folder.write("two.nn", format!("{shared}{first}{second}"));
    let ran = folder.run(&["check", "two.nn"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for says in ["first -> f32[N, 2]", "second -> f32[N, 3]"] {
        assert!(ran.stdout.contains(says), "{}", ran.stdout);
    }
    let only = folder.run(&["check", "two.nn", "--model", "second"]);
    assert!(!only.stdout.contains("first ->"), "{}", only.stdout);

    // A mistake in each is told once, one in what they share once; the sound ones are reported.
    let broken = second.replace("dense(3)", "dense(5)");
    folder.write("one.nn", format!("{shared}{first}{broken}"));
    let ran = folder.run(&["check", "one.nn"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("first -> f32[N, 2]"), "{}", ran.stdout);
    assert_eq!(ran.stderr.matches("error[E0107]").count(), 1, "{}", ran.stderr);
    let shared = shared.replace("dense(8)", "dense(8, stride: 2)");
    folder.write("all.nn", format!("{shared}{first}{second}"));
    let ran = folder.run(&["check", "all.nn"]);
    assert_eq!(ran.stderr.matches("error[E0105]").count(), 1, "{}", ran.stderr);

    // `--fix` mends each; what must choose asks.
    let fixed = folder.run(&["check", "one.nn", "--fix"]);
    assert_eq!(fixed.code, Some(0), "{}{}", fixed.stdout, fixed.stderr);
    let ran = folder.run(&["emit-ir", "one.nn"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("E0117"), "{}", ran.stderr);
    // A block for a model that is not there is not passed over.
    let train = "train secnod { loss = cross_entropy }\n";
    folder.write(
        "typo.nn",
        format!(
            "layer wide(x: f32[N, D]) -> f32[N, 8] {{ x |> dense(8) }}\n{first}{second}{train}"
        ),
    );
    let ran = folder.run(&["check", "typo.nn"]);
    assert!(ran.stderr.contains("unknown model `secnod`"), "{}", ran.stderr);
}

#[test]
fn check_lists_parameters() {
    let folder = Folder::new();
    let frozen = DIGITS.replace("epochs    = 3", "epochs    = 3\n    freeze    = [\"dense.*\"]");
    folder.write("digits.nn", frozen);
    let ran = folder.run(&["check", "digits.nn", "--parameters"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let row = |path: &str| {
        let row = ran.stdout.lines().find(|line| line.starts_with(path));
        row.unwrap_or_else(|| panic!("{path}: {}", ran.stdout)).to_owned()
    };
    let weight = row("dense.weight");
    assert!(weight.contains("f32[784, 32]") && weight.contains("25 088"), "{weight}");
    assert!(weight.contains("uniform(-0.0857, 0.0857)") && weight.ends_with("no: frozen"));
    let bias = row("dense_2.bias");
    assert!(bias.contains("zeros") && bias.ends_with("yes"), "{bias}");
    assert!(ran.stdout.contains("25 450 numbers, of which 25 120 are frozen"), "{}", ran.stdout);
    let ran = folder.run(&["check", "digits.nn", "--json"]);
    let report = ran.stdout.lines().find_map(|line| {
        serde_json::from_str::<Value>(line).ok().filter(|it| !it["report"].is_null())
    });
    let tensors = report.expect("a report")["report"]["tensors"].clone();
    assert_eq!(tensors[0]["frozen"], true);
    assert_eq!(tensors[3]["begins"], "zeros");
}
