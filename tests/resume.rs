//! Runs that are interrupted, killed and damaged, as a user meets them: what is kept goes on to the
//! same bits as a run that nothing interrupted.
//!
//! `NNC_KILLS` says how often the killing test kills; `cargo test --release --test resume --
//! --ignored` does it 1,000 times.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Dropout, batch norm, a schedule, running means and two batches an update: all that a run may
/// forget. The last batch is smaller.
const PROGRAM: &str = "data drawn = digits(train: 1000, test: 100, validation: 0.1)

model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> flatten |> dense(48) |> batch_norm |> relu |> dropout(0.3) |> dense(10)
}

train net on drawn {
    loss       = cross_entropy
    optimizer  = adam(lr: cosine(3e-3, warmup: 10))
    epochs     = 4
    batch      = 16
    ema        = 0.99
    accumulate = 2
    reduce_on_plateau = patience(val_loss, 1, factor: 0.5)
    checkpoint = every(epochs: 1, steps: 3)
    metrics    = [accuracy]
}
";

/// A folder with the program in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(program: &str) -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("net.nn"), program).expect("a file");
        Folder(folder)
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

    fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().expect("nnc runs");
        Ran { code: output.status.code(), said: said(&output) }
    }

    fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nnc runs")
    }

    /// The run that nothing interrupts.
    fn whole(&self) -> Kept {
        self.run(&["run", "net.nn", "--out", "whole", "--threads", "2"]).expect(0);
        self.kept("whole")
    }

    fn kept(&self, run: &str) -> Kept {
        Kept::of(&self.path(run))
    }

    fn checkpoints(&self, run: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(run).join("checkpoints"));
        let mut names: Vec<String> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }
}

struct Ran {
    code: Option<i32>,
    said: String,
}

impl Ran {
    #[track_caller]
    fn expect(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}", self.said);
        self.said
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// What must not depend on interruptions.
#[derive(PartialEq)]
struct Kept {
    best: Vec<u8>,
    last: Vec<u8>,
    /// The metrics without the columns that tell times.
    metrics: String,
    /// The tensors of the last checkpoint, the optimiser's states among them.
    checkpoint: Vec<(String, Vec<u8>)>,
}

impl Kept {
    fn of(run: &Path) -> Kept {
        let read = |name: &str| {
            std::fs::read(run.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let metrics = String::from_utf8(read("metrics.csv")).expect("text");
        let timeless = |line: &str| {
            let fields: Vec<&str> = line.split(',').collect();
            fields[..fields.len() - 2].join(",")
        };
        let last = read("checkpoints/epoch-0004.safetensors");
        let file = safetensors::SafeTensors::deserialize(&last).expect("a sound file");
        let mut checkpoint: Vec<(String, Vec<u8>)> =
            file.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect();
        checkpoint.sort();
        Kept {
            best: read("best.safetensors"),
            last: read("last.safetensors"),
            metrics: metrics.lines().map(timeless).collect::<Vec<_>>().join("\n"),
            checkpoint,
        }
    }

    #[track_caller]
    fn expect(&self, whole: &Kept, what: &str) {
        assert_eq!(self.metrics, whole.metrics, "{what}");
        assert!(self.last == whole.last, "{what}: the last weights differ");
        assert!(self.best == whole.best, "{what}: the best weights differ");
        assert!(self.checkpoint == whole.checkpoint, "{what}: the last checkpoints differ");
    }
}

/// Numbers without a pattern, the same in every run of the test.
struct Draws(u64);

impl Draws {
    fn next(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Kills runs at random moments until they are through; a fifth of the kills wait for a save.
fn kill(times: usize) {
    let folder = Folder::new(PROGRAM);
    let begun = Instant::now();
    let whole = folder.whole();
    let length = begun.elapsed();
    let (mut draws, mut kills, mut inside, mut runs) = (Draws(7), 0, 0, 0);
    while kills < times {
        runs += 1;
        let run = format!("run{runs}");
        let mut args = vec!["run", "net.nn", "--out", &run, "--threads", "1"];
        let resume = format!("--resume={run}");
        // Some three kills a run, then it goes on to its end.
        for _ in 0..3 {
            let threads = ["1", "2", "3"][draws.next(3) as usize];
            *args.last_mut().expect("a number") = threads;
            let mut child = folder.spawn(&args);
            if inside * 5 <= kills {
                inside += usize::from(wait_for_save(&folder.path(&run), &mut child));
            } else {
                let part = draws.next(1000) as f64 / 1000.0;
                std::thread::sleep(length.mul_f64(part * 0.8));
            }
            // Ended by itself or killed: both must leave a folder to go on from.
            let _ = child.kill();
            child.wait().expect("an end");
            kills += 1;
            if !folder.path(&run).join("run.json").is_file() {
                continue;
            }
            args = vec!["run", &resume, "--threads", "1"];
        }
        folder.run(&args).expect(0);
        folder.kept(&run).expect(&whole, &format!("run {runs}"));
        let left = std::fs::read_dir(folder.path(&run).join("checkpoints")).expect("a folder");
        for entry in left {
            let name = entry.expect("an entry").file_name();
            assert!(!name.to_string_lossy().starts_with(".writing-"), "{name:?} is left");
        }
        std::fs::remove_dir_all(folder.path(&run)).expect("the run goes");
    }
    assert!(inside * 6 >= kills, "{inside} of {kills} kills were inside a save");
}

/// Waits until a checkpoint is being written; false if the run ends before that is seen.
fn wait_for_save(run: &Path, child: &mut Child) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        let entries = std::fs::read_dir(run.join("checkpoints")).into_iter().flatten().flatten();
        for entry in entries {
            if entry.file_name().to_string_lossy().starts_with(".writing-") {
                return true;
            }
        }
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
    }
    false
}

#[test]
fn a_run_that_is_killed_goes_on_to_the_same_bits() {
    let times = std::env::var("NNC_KILLS").ok().and_then(|times| times.parse().ok());
    kill(times.unwrap_or(100));
}

#[test]
#[ignore = "takes many minutes"]
fn a_run_that_is_killed_a_thousand_times_goes_on_to_the_same_bits() {
    kill(1000);
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_run() {
    let folder = Folder::new(PROGRAM);
    let whole = folder.whole();
    // A quick machine may be through before it is told to stop.
    let stopped = (1..=20).map(|attempt| format!("stopped{attempt}")).find(|run| {
        let child = folder.spawn(&["run", "net.nn", "--out", run]);
        while folder.checkpoints(run).is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(told.is_ok());
        child.wait_with_output().expect("an end").status.code() == Some(130)
    });
    let run = stopped.expect("one of twenty runs is stopped in time");
    let info = std::fs::read_to_string(folder.path(&run).join("run.json")).unwrap();
    assert!(info.contains("\"status\": \"stopped\""), "{info}");
    let said = folder.run(&["run", &format!("--resume={run}")]).expect(0);
    assert!(said.contains(&format!("going on in {run}")), "{said}");
    folder.kept(&run).expect(&whole, "stopped by Ctrl-C");
}

#[test]
fn a_damaged_checkpoint_is_found_and_the_one_before_is_offered() {
    let folder = Folder::new(PROGRAM);
    let whole = folder.whole();
    let names = folder.checkpoints("whole");
    let [.., before, newest] = &names[..] else { panic!("{names:?}") };
    assert_eq!(newest, "epoch-0004.safetensors");
    let path = folder.path("whole").join("checkpoints").join(newest);
    let sound = std::fs::read(&path).unwrap();
    for (damage, at) in [("cut", sound.len() / 2), ("flipped", sound.len() - 5), ("flipped", 90)] {
        let mut bytes = sound.clone();
        match damage {
            "cut" => bytes.truncate(at),
            _ => bytes[at] ^= 0x10,
        }
        std::fs::write(&path, &bytes).unwrap();
        let said = folder.run(&["run", "--resume=whole"]).expect(1);
        let offer = format!("--checkpoint {before}");
        assert!(said.contains("damaged") && said.contains(&offer), "{said}");
    }
    let said = folder.run(&["run", "--resume=whole", "--checkpoint", before]).expect(0);
    assert!(said.contains("going on in whole"), "{said}");
    folder.kept("whole").expect(&whole, "from the one before");
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let folder = Folder::new(PROGRAM);
    folder.whole();
    let wider = PROGRAM.replace("dense(48)", "dense(64)");
    std::fs::write(folder.path("wider.nn"), wider).unwrap();
    let other = PROGRAM.replace("model net", "model other").replace("train net", "train other");
    std::fs::write(folder.path("other.nn"), other).unwrap();
    let more = PROGRAM.replace("train: 1000", "train: 1001");
    std::fs::write(folder.path("more.nn"), more).unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&["wider.nn"], "`dense.weight` is f32[784, 48] in the checkpoint, but f32[784, 64]"),
        (&["other.nn"], "the checkpoint is of the model `net`, the program trains `other`"),
        (&["more.nn"], "the data have changed"),
        (&["--seed", "5"], "the run has seed 0, the program says 5"),
        (&["--batch", "8"], "the run has batches of 16, the program says 8"),
        (&["--set", "optimizer=sgd(momentum: 0.9)"], "optimizer."),
        (&["--epochs", "2"], "the run is in epoch 4 already"),
    ];
    for (more, wanted) in cases {
        let mut args = vec!["run", "--resume=whole"];
        args.extend(more);
        let said = folder.run(&args).expect(1);
        assert!(said.contains(wanted), "{more:?}: {said}");
    }
    let said = folder.run(&["run", "--resume=elsewhere"]).expect(2);
    assert!(said.contains("elsewhere is not the folder of a run"), "{said}");
    let said = folder.run(&["run", "net.nn", "--out", "whole"]).expect(2);
    assert!(said.contains("holds a run already"), "{said}");
}

#[test]
fn what_is_computed_is_part_of_a_run_and_first_values_are_not() {
    const SMALL: &str = "data drawn = digits(train: 100, test: 20) |> random_crop(pad: 1)
model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] { image |> flatten |> dense(10) }
train net on drawn {
    loss = cross_entropy
    epochs = 2
}
";
    let folder = Folder::new(SMALL);
    folder.run(&["run", "net.nn", "--out", "one"]).expect(0);
    let transforms = "what is done to samples (the transforms of the data) changed";
    let weights = "class_weights = [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]\n    epochs = 2";
    let cases = [
        ("random_crop(pad: 1)", "random_crop(pad: 2)", transforms),
        (" |> random_crop(pad: 1)", "", transforms),
        ("random_crop(pad: 1)", "random_crop(pad: 1) |> random_flip()", transforms),
        ("epochs = 2", weights, "`train.class_weights`"),
    ];
    for (from, to, wanted) in cases {
        std::fs::write(folder.path("other.nn"), SMALL.replace(from, to)).unwrap();
        let said = folder.run(&["run", "other.nn", "--resume=one"]).expect(1);
        assert!(said.contains(wanted), "{from} -> {to}: {said}");
    }
    let weighted = SMALL.replace("epochs = 2", weights);
    std::fs::write(folder.path("weighted.nn"), &weighted).unwrap();
    folder.run(&["run", "weighted.nn", "--out", "weighted"]).expect(0);
    std::fs::write(folder.path("other.nn"), weighted.replace("1, 2]", "1, 9]")).unwrap();
    let said = folder.run(&["run", "other.nn", "--resume=weighted"]).expect(1);
    assert!(said.contains("`class_weights` changed"), "{said}");

    // The checkpoint has the values.
    let drawn = SMALL.replace("dense(10)", "dense(10, init: he_normal)");
    std::fs::write(folder.path("other.nn"), drawn.replace("epochs = 2", "epochs = 3")).unwrap();
    folder.run(&["run", "other.nn", "--resume=one"]).expect(0);
    std::fs::copy(folder.path("one/last.safetensors"), folder.path("w.safetensors")).unwrap();
    let given = SMALL.replace("epochs = 2", "init_from = \"w.safetensors\"\n    epochs = 2");
    std::fs::write(folder.path("given.nn"), given).unwrap();
    folder.run(&["run", "given.nn", "--out", "given"]).expect(0);
    std::fs::remove_file(folder.path("w.safetensors")).unwrap();
    folder.run(&["run", "--resume=given", "--epochs", "3"]).expect(0);
}

#[test]
fn a_second_run_into_one_folder_is_refused() {
    let folder = Folder::new(PROGRAM);
    let mut first = folder.spawn(&["run", "net.nn", "--out", "one", "--epochs", "100000"]);
    while !folder.path("one/run.json").is_file() {
        std::thread::sleep(Duration::from_millis(2));
    }
    for args in [&["run", "net.nn", "--out", "one"][..], &["run", "--resume=one"]] {
        let said = folder.run(args).expect(2);
        assert!(said.contains("one"), "{said}");
    }
    let said = folder.run(&["run", "--resume=one"]).expect(2);
    assert!(said.contains("another run is writing into one"), "{said}");
    first.kill().expect("a child");
    first.wait().expect("an end");
    folder.run(&["run", "--resume=one", "--max-time", "0.2s"]).expect(0);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_told_before_training() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new(PROGRAM);
    std::fs::write(folder.path("file"), "").unwrap();
    let said = folder.run(&["run", "net.nn", "--out", "file/run"]).expect(2);
    assert!(said.contains("cannot make the folder file/run"), "{said}");
    let locked = folder.path("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o500)).unwrap();
    // The system's administrator may write anywhere.
    if std::fs::write(locked.join("probe"), "").is_err() {
        let said = folder.run(&["run", "net.nn", "--out", "locked/run"]).expect(2);
        assert!(said.contains("cannot make the folder locked/run"), "{said}");
    }
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o700)).unwrap();
}

/// A disk that is full: a small file system of its own, where the test may make one.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_in_a_message_and_the_last_good_checkpoint() {
    let folder = Folder::new(PROGRAM);
    let disk = folder.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let shown = disk.display().to_string();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs", &shown])
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: only the system's administrator can make a small file system");
        return;
    }
    // One run has room; of the other, only what comes before the first checkpoint.
    let ran = folder.run(&["run", "net.nn", "--out", "disk/run"]);
    let piece = vec![1; 64 << 10];
    let ballast = |number: usize| disk.join(format!("ballast-{number}"));
    let full = (0..).find(|&number| std::fs::write(ballast(number), &piece).is_err());
    std::fs::remove_file(ballast(full.expect("a disk that ends") - 1)).expect("room again");
    let full = folder.run(&["run", "net.nn", "--out", "disk/second"]);
    let unmounted = Command::new("umount").arg(&shown).status();
    ran.expect(0);
    let said = full.expect(2);
    assert!(unmounted.expect("umount runs").success());
    assert!(said.contains("No space left") && said.contains("warning: no checkpoint"), "{said}");
}
