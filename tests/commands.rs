//! The commands around a run, as a user types them: what is printed, what is written, the exit code.
//!
//! Every command runs in a folder of its own without `NNC_DATA` and without a cache.

#[path = "commands/verify.rs"]
mod verify;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const PROGRAM: &str = "data drawn = digits(train: 640, test: 100, validation: 0.1)

const WIDTH = 32

model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> flatten |> dense(WIDTH) |> relu |> dense(10)
}

train net on drawn {
    loss      = cross_entropy
    optimizer = adam(lr: 3e-3)
    epochs    = 2
    metrics   = [accuracy]
}
";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        std::fs::write(folder.path("net.nn"), PROGRAM).expect("a file");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
        command.args(args).current_dir(self.0.path()).env_remove("NNC_DATA");
        command.env("XDG_CACHE_HOME", self.path("cache")).env("HOME", self.path("home"));
        command
    }

    #[track_caller]
    fn run(&self, args: &[&str], code: i32) -> Said {
        Said::of(&self.command(args).output().expect("nnc runs"), code, args)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }
}

struct Said {
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    fn of(output: &Output, code: i32, args: &[&str]) -> Said {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = Said { out: text(&output.stdout), err: text(&output.stderr) };
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{}\n{}", said.out, said.err);
        said
    }

    #[track_caller]
    fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

/// Values of a line of `eval` or of a run's result.
fn number(text: &str, name: &str) -> f64 {
    let rest =
        text.split(&format!("{name} ")).nth(1).unwrap_or_else(|| panic!("no {name}: {text}"));
    rest.split_whitespace().next().and_then(|it| it.parse().ok()).expect("a number")
}

#[test]
fn a_run_leaves_a_folder_with_all_of_it() {
    let folder = Folder::new();
    folder.run(&["run", "net.nn", "--set", "train.lr=1e-2", "--set", "WIDTH=16"], 0);
    for name in [
        "run.json",
        "metrics.csv",
        "events.jsonl",
        "curves.svg",
        "report.html",
        "best.safetensors",
        "last.safetensors",
        "program/net.nn",
        "checkpoints/epoch-0002.safetensors",
    ] {
        assert!(folder.has(&format!("runs/net/{name}")), "{name}");
    }
    let kept = folder.text("runs/net/program/net.nn");
    assert!(kept.contains("const WIDTH = 16") && kept.contains("adam(lr: 1e-2)"), "{kept}");
    let metrics = folder.text("runs/net/metrics.csv");
    assert!(metrics.starts_with("epoch,loss,accuracy,val_loss,val_accuracy,lr,grad_norm,"));
    assert_eq!(metrics.lines().count(), 3);
    let page = folder.text("runs/net/report.html");
    for wanted in
        ["Confusion matrix", "Worst predictions", "data:image/png;base64,", "<svg", "Layers"]
    {
        assert!(page.contains(wanted), "{wanted}");
    }
    let events: Vec<Value> = folder
        .text("runs/net/events.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let kinds = events.iter().filter_map(|event| event["event"].as_str());
    // Beside busy programs a run may take fewer threads, and says so.
    let kinds: Vec<&str> = kinds.filter(|kind| *kind != "threads").collect();
    assert_eq!(kinds, ["start", "epoch", "epoch", "end"]);
    // The next run has a folder of its own, and --no-out none.
    folder.run(&["run", "net.nn", "--epochs", "1"], 0);
    assert!(folder.has("runs/net-2/run.json"));
    folder.run(&["run", "net.nn", "--no-out"], 0);
    folder.run(&["run", "net.nn", "--dry-run"], 0);
    assert!(!folder.has("runs/net-3"));
}

#[test]
fn names_in_the_report_are_escaped() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("a<b>&\"")).unwrap();
    std::fs::write(folder.path("a<b>&\"/net.nn"), PROGRAM).unwrap();
    folder.run(&["run", "a<b>&\"/net.nn", "--epochs", "1"], 0);
    let page = folder.text("runs/net/report.html");
    assert!(page.contains("a&lt;b&gt;&amp;&quot;") && !page.contains("a<b>"));
}

#[test]
fn settings_that_do_not_exist_are_refused_with_what_is_near() {
    let folder = Folder::new();
    let said = folder.run(&["run", "net.nn", "--set", "train.epoch=3"], 2);
    assert!(said.err.contains("did you mean `epochs`?"), "{}", said.err);
    let said = folder.run(&["run", "net.nn", "--set", "epochs"], 2);
    assert!(said.err.contains("a setting is `KEY=VALUE`"), "{}", said.err);
    let said = folder.run(&["run", "net.nn", "--set", "train.epochs=none"], 1);
    assert!(said.err.contains("net.nn:12:17"), "{}", said.err);
    assert!(!folder.has("runs"), "nothing is made for a run that does not begin");
}

#[test]
fn limits_of_samples_and_time() {
    let folder = Folder::new();
    let said = folder.run(&["run", "net.nn", "--limit", "50"], 0);
    assert!(said.err.contains("50 + 50 + 50 samples"), "{}", said.err);
    let said = folder.run(&["run", "net.nn", "--overfit", "20", "--epochs", "60"], 0);
    assert!(said.err.contains("20 + 20 + 20 samples"), "{}", said.err);
    assert!(number(&said.out, "accuracy") > 0.99, "a sound model learns 20 samples: {}", said.out);
    let args = ["run", "net.nn", "--epochs", "1000000", "--max-time", "300ms"];
    assert!(folder.run(&args, 2).err.contains("a time is a number and a unit"));
    let said = folder.run(&["run", "net.nn", "--epochs", "1000000", "--max-time", "0.3s"], 0);
    assert!(
        said.err.contains("the time is over") && said.err.contains("go on with"),
        "{}",
        said.err
    );
}

#[test]
fn eval_agrees_with_the_run_and_tells_what_is_taken_for_what() {
    let folder = Folder::new();
    let ran = folder.run(&["run", "net.nn"], 0);
    let said =
        folder.run(&["eval", "runs/net", "--weights", "last", "--confusion", "--worst", "2"], 0);
    for name in ["loss", "accuracy"] {
        assert_eq!(number(&said.out, name), number(&ran.out, name));
    }
    assert!(said.out.contains("mostly taken for") && said.out.contains("recall"), "{}", said.out);
    let said = folder.run(&["eval", "net.nn", "--split", "validation", "--json"], 0);
    let [report] = &said.json()[..] else { panic!("one object") };
    let confusion = report["confusion"].as_array().expect("a matrix");
    let all: u64 =
        confusion.iter().flat_map(|row| row.as_array().unwrap()).filter_map(Value::as_u64).sum();
    assert_eq!((report["samples"].as_u64(), all), (Some(64), 64));

    let wider = PROGRAM.replace("const WIDTH = 32", "const WIDTH = 48");
    std::fs::write(folder.path("wider.nn"), wider).unwrap();
    let said = folder.run(&["eval", "wider.nn", "--weights", "runs/net/best.safetensors"], 1);
    let wanted = "`dense.weight` is f32[784, 32] in runs/net/best.safetensors, but f32[784, 48]";
    assert!(said.err.contains(wanted), "{}", said.err);
    assert!(folder.run(&["eval", "wider.nn"], 2).err.contains("has not been trained here"));
    assert!(folder.run(&["eval", "nothing"], 2).err.contains("there is no nothing"));
}

/// A PNG of one grey.
fn picture(path: &Path, grey: u8) {
    let image = image::GrayImage::from_pixel(28, 28, image::Luma([grey]));
    image.save(path).expect("an image");
}

#[test]
fn predict_takes_images_folders_rows_and_standard_input() {
    let folder = Folder::new();
    folder.run(&["run", "net.nn"], 0);
    std::fs::create_dir(folder.path("pictures")).unwrap();
    picture(&folder.path("pictures/b,1.png"), 200);
    picture(&folder.path("pictures/a.png"), 0);
    let said = folder.run(&["predict", "runs/net", "pictures", "--csv"], 0);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[0], "file,class,probability");
    assert!(lines[1].starts_with("pictures/a.png,"), "{}", lines[1]);
    assert!(lines[2].starts_with("\"pictures/b,1.png\","), "{}", lines[2]);

    let said = folder.run(&["predict", "net.nn", "pictures/a.png", "--top", "10", "--json"], 0);
    let top = said.json()[0]["top"].as_array().expect("classes").clone();
    let total: f64 = top.iter().filter_map(|it| it["probability"].as_f64()).sum();
    assert_eq!(top.len(), 10);
    assert!((total - 1.0).abs() < 1e-9, "{total}");

    // The same image as a row of numbers, on standard input.
    let row = vec!["0"; 784].join(",");
    let mut command = folder.command(&["predict", "runs/net", "-", "--csv"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("nnc runs");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), row.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let of_row = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        of_row.lines().nth(1).unwrap().split_once(',').unwrap().1,
        lines[1].split_once(',').unwrap().1
    );

    std::fs::write(folder.path("pictures/broken.png"), "no image").unwrap();
    let said = folder.run(&["predict", "runs/net", "pictures"], 1);
    assert_eq!(said.out.lines().count(), 2, "the others are answered: {}", said.out);
    assert!(said.err.contains("pictures/broken.png"), "{}", said.err);
    std::fs::write(folder.path("short.csv"), "1,2,3\n").unwrap();
    let said = folder.run(&["predict", "runs/net", "short.csv"], 1);
    assert!(
        said.err.contains("has 3 values; the model was trained on 28 × 28 × 1"),
        "{}",
        said.err
    );
    let said = folder.run(&["predict", "runs/net", "no.png"], 1);
    let told = said.err.lines().any(|line| line.starts_with("error: no.png: No such file"));
    assert!(told, "{}", said.err);
}

#[test]
fn data_are_shown_and_a_batch_is_what_the_model_gets() {
    let folder = Folder::new();
    let said = folder.run(&["data", "net.nn"], 0);
    for words in ["samples of digits", "image        u8[28, 28, 1]", "label        i32[]"] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    let last = said.out.lines().last().expect("a line").split_whitespace().collect::<Vec<_>>();
    assert_eq!(last, ["samples", "576", "64", "100"]);
    let batch = |args: &[&str]| {
        let all = [&["data", "net.nn", "--json", "--batch", "b.safetensors"], args].concat();
        let said = folder.run(&all, 0);
        let samples = said.json()[0]["batch"]["samples"].clone();
        let tensors = nnc::runtime::weights::load(&folder.path("b.safetensors")).expect("tensors");
        let names: Vec<&str> = tensors.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["input.image", "input.label"]);
        (samples, tensors)
    };
    let (first, tensors) = batch(&["--samples", "8"]);
    assert_eq!((&tensors[0].1.shape[..], &tensors[1].1.shape[..]), (&[8, 28, 28, 1][..], &[8][..]));
    // Bytes / 255, as a step computes that.
    let is_byte = |value: &f32| (value * 255.0 - (value * 255.0).round()).abs() < 1e-4;
    let values = tensors[0].1.as_f32();
    assert!(values.iter().all(|it| (0.0..=1.0).contains(it) && is_byte(it)));
    assert!(values.iter().any(|&it| it > 0.9), "digits are bright");
    assert_eq!(batch(&["--samples", "8"]).0, first, "the same batch each time");
    assert_ne!(batch(&["--samples", "8", "--epoch", "2"]).0, first, "each epoch has its order");
    let second = batch(&["--samples", "8", "--number", "2"]).0;
    assert_ne!(second, first);
    assert_eq!(
        batch(&["--samples", "16"]).0.as_array().expect("samples")[8..],
        second.as_array().expect("samples")[..]
    );
    assert_eq!(batch(&["--split", "test", "--samples", "2"]).0, serde_json::json!(["0", "1"]));
    // What is written is what `grad` takes.
    folder.run(&["grad", "net.nn", "--tensors", "b.safetensors", "--out", "g.safetensors"], 0);
    let args = ["data", "net.nn", "--batch", "c.safetensors", "--samples", "100", "--number", "7"];
    let said = folder.run(&args, 2);
    assert!(said.err.contains("there is no batch 7 of 100: 576 samples make 6"), "{}", said.err);
}

#[test]
fn a_sweep_goes_on_where_it_was_and_compares() {
    let folder = Folder::new();
    let args = ["sweep", "net.nn", "--set", "lr=1e-3,3e-3", "--set", "seed=0..2", "--epochs", "1"];
    let first = folder.run(&args, 0);
    // Too wide for 80 columns, it goes on below with its first column again.
    let tables = |out: &str, rows: usize| {
        let tables: Vec<&str> = out.split("\n\n").collect();
        assert!(tables.iter().all(|table| table.lines().count() == rows), "{out}");
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    };
    tables(&first.out, 3);
    assert!(first.out.contains('±') && first.out.contains("lr=3e-3"), "{}", first.out);
    // A run that is lost is made again, the others are not.
    std::fs::remove_dir_all(folder.path("runs/net-sweep/lr=3e-3,seed=1")).unwrap();
    let again = folder.run(&args, 0);
    assert!(again.err.contains("run 4 of 4") && !again.err.contains("run 3 of 4"), "{}", again.err);
    let scores = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split("  ").take(4).collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(scores(&first.out), scores(&again.out));
    assert_eq!(folder.text("runs/net-sweep/results.csv").lines().count(), 5);
    let said = folder.run(&["compare", "runs/net-sweep"], 0);
    tables(&said.out, 5);
    assert!(folder.text("compare.svg").contains("<svg"));
    let said = folder.run(&["sweep", "net.nn", "--set", "lr=1e-3"], 2);
    assert!(said.err.contains("nothing to sweep"), "{}", said.err);
}

#[test]
fn folds_are_runs_of_their_own_with_a_mean() {
    let folder = Folder::new();
    let said = folder.run(&["run", "net.nn", "--set", "folds=3", "--epochs", "1"], 0);
    assert!(said.out.contains('±'), "{}", said.out);
    assert!(folder.has("runs/net/fold-3/report.html"));
    let again = folder.run(&["run", "--resume", "runs/net"], 0);
    assert_eq!(again.out, said.out, "all is done already");
}

#[test]
fn lr_find_suggests_a_rate() {
    let folder = Folder::new();
    let said = folder.run(&["lr-find", "net.nn", "--json"], 0);
    let report = &said.json()[0];
    let suggestion = report["suggestion"].as_f64().expect("a suggestion");
    assert!((1e-4..1.0).contains(&suggestion), "{suggestion}");
    assert!(folder.text("lr-find.svg").contains("suggestion"));
    assert!(!folder.has("runs"));
}

/// A weight that is infinite or 0 in the step is none.
#[test]
fn weights_of_classes_are_numbers_of_the_step() {
    let folder = Folder::new();
    for weight in ["1e308", "1e-40"] {
        let weights = format!("class_weights = [{}]\n    epochs", [weight; 10].join(", "));
        std::fs::write(folder.path("odd.nn"), PROGRAM.replace("epochs   ", &weights)).unwrap();
        let said = folder.run(&["check", "odd.nn"], 1);
        assert!(said.err.contains("E0118") && said.err.contains("class_weights"), "{}", said.err);
    }
}

#[test]
fn profile_adds_up_and_its_trace_does_not_overlap() {
    let folder = Folder::new();
    let args = ["profile", "net.nn", "--seconds", "0.1", "--json", "--trace", "trace.json"];
    let report = &folder.run(&args, 0).json()[0];
    let number = |object: &Value, name: &str| object[name].as_f64().expect("a number");
    let all = ["lines", "rest"].iter().flat_map(|of| report[of].as_array().expect("a list"));
    let phases = ["forward_ms", "backward_ms", "update_ms"];
    let total: f64 = all.map(|it| phases.iter().map(|phase| number(it, phase)).sum::<f64>()).sum();
    assert!((total - number(report, "step_ms")).abs() < 1e-9);
    // Line 6 has both layers: all phases.
    let line = report["lines"].as_array().unwrap().iter().find(|line| line["line"] == 6).unwrap();
    assert!(phases.iter().all(|phase| number(line, phase) > 0.0), "{line}");

    let trace: Value = serde_json::from_str(&folder.text("trace.json")).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("events");
    let mut ends: std::collections::HashMap<u64, f64> = std::collections::HashMap::new();
    let mut kernels = 0;
    for event in events.iter().filter(|event| event["ph"] == "X") {
        let end = ends.entry(event["tid"].as_u64().expect("a thread")).or_default();
        assert!(number(event, "ts") >= *end - 1e-6, "{event}");
        *end = number(event, "ts") + number(event, "dur");
        kernels += 1;
    }
    assert!(kernels > 20, "{kernels}");
    let text = folder.run(&["profile", "net.nn", "--seconds", "0.05"], 0).out;
    assert!(text.contains("│     image |> flatten"), "{text}");
}

#[test]
fn doctor_finds_this_machine_sound() {
    let folder = Folder::new();
    let report = &folder.run(&["doctor", "--json"], 0).json()[0];
    let findings = report["findings"].as_array().expect("findings");
    let compiled = findings.iter().find(|it| it["name"] == "compiled code").expect("a finding");
    assert_eq!(compiled["health"], "ok", "{compiled}");
    let old = folder.path("cache/nnc/images/writing-x");
    std::fs::create_dir_all(old.parent().unwrap()).unwrap();
    std::fs::write(&old, "half").unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    std::fs::File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    let doctor = folder.run(&["doctor"], 0).out;
    assert!(doctor.contains("`nnc doctor --clean` removes them"), "{doctor}");
    folder.run(&["doctor", "--clean"], 0);
    assert!(!old.exists());
    std::fs::write(folder.path("file"), "").unwrap();
    let output = folder.command(&["doctor"]).env("NNC_DATA", "file").output().unwrap();
    assert!(Said::of(&output, 1, &["doctor"]).out.contains("problem  data"));
}

#[test]
fn every_template_is_sound_and_one_trains() {
    let folder = Folder::new();
    let list = folder.run(&["init", "--list"], 0).out;
    let (templates, gallery) = list.split_once("\n\n").expect("two lists");
    for line in templates.lines().skip(1) {
        let name = line.split_whitespace().next().expect("a name");
        folder.run(&["init", name, "--template", name], 0);
        let file = format!("{name}/{name}.nn");
        folder.run(&["check", &file], 0);
        folder.run(&["fmt", "--check", &file], 0);
    }
    assert!(templates.lines().count() == 6 && gallery.lines().count() > 30, "{list}");
    folder.run(&["run", "digits/digits.nn", "--epochs", "1", "--quiet"], 0);
    let said = folder.run(&["init", "digits"], 2);
    assert!(said.err.contains("not empty"), "{}", said.err);
    for wrong in ["..", "a/..", ".hidden", "/"] {
        folder.run(&["init", wrong], 2);
    }
}

/// Every program of `examples` and `models` can be begun with, with the files that it uses and the
/// tables that come with it.
#[test]
fn every_program_of_the_gallery_can_be_begun_with() {
    let folder = Folder::new();
    let list = folder.run(&["init", "--list"], 0).out;
    let (_, gallery) = list.split_once("gallery").expect("the gallery");
    let lines: Vec<Vec<&str>> =
        gallery.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    for line in &lines {
        assert!(line.len() > 2, "{line:?} says nothing about itself");
    }
    let names: Vec<&str> = lines.iter().map(|line| line[0]).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for kind in ["examples", "models"] {
        for entry in std::fs::read_dir(root.join(kind)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_str().expect("UTF-8");
            // The blocks of residual networks are no program of their own.
            if path.extension().is_none_or(|end| end != "nn") || name == "resnet" {
                continue;
            }
            assert!(names.contains(&name), "{name} is missing from the gallery");
            folder.run(&["init", name, "--from", name], 0);
            let made = std::fs::read(folder.path(&format!("{name}/{name}.nn"))).expect("a program");
            assert_eq!(made, std::fs::read(&path).expect("a program"), "{name}");
        }
    }
    for name in ["resnet18", "own_parts", "siamese", "text_class", "mnist"] {
        folder.run(&["check", &format!("{name}/{name}.nn")], 0);
    }
    let said = folder.run(&["init", "other", "--from", "penguin"], 2);
    assert!(said.err.contains("did you mean `penguins`?"), "{}", said.err);
    assert!(!folder.path("other").exists());
    let said = folder.run(&["init", "resnet", "--from", "resnet18"], 2);
    assert!(said.err.contains("resnet.nn is a file that the program uses"), "{}", said.err);
}

#[test]
fn shells_and_man_are_told_every_command() {
    let folder = Folder::new();
    let help = folder.run(&["--help"], 0).out;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.len() > 15, "{commands:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = folder.run(&["completions", shell], 0).out;
        for command in &commands {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    folder.run(&["man", "--out", "man"], 0);
    for command in commands.iter().filter(|command| **command != "help") {
        assert!(folder.has(&format!("man/nnc-{command}.1")), "{command}");
    }
    assert!(folder.run(&["man"], 0).out.contains(".TH nnc 1"));
}
