//! Memory does not grow: over the steps of a run, and over programs that are compiled and dropped.
//!
//! The short tests run always; `cargo test --release --test growth -- --ignored` makes 100,000 steps
//! and 10,000 programs. Resident memory is read where the system tells it (Linux), elsewhere the
//! tests say that they are skipped.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use nnc::driver::{Request, Session};
use nnc::run;
use nnc::run::{BuiltRun, Overrides};
use nnc::runtime::pool::Pool;
use nnc::runtime::trainer::{Callback, Event};

/// The memory of a process is one number: the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// What is in memory, in bytes.
fn resident() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: usize = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes << 10)
}

fn program(folder: &Path, epochs: usize) -> PathBuf {
    let text = format!(
        "data drawn = digits(train: 640, test: 64, validation: 0.1)

model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{
    image |> flatten |> dense(32) |> batch_norm |> relu |> dropout(0.1) |> dense(10)
}}

train net on drawn {{
    loss    = cross_entropy
    metrics = [accuracy]
    batch   = 16
    epochs  = {epochs}
}}
"
    );
    let path = folder.join("net.nn");
    std::fs::write(&path, text).expect("a file");
    path
}

fn prepare(file: &Path) -> BuiltRun {
    let request = Request::new(file);
    let run = run::run(&mut Session::new(None), &request, &Overrides::default(), &|_, _| true);
    run.unwrap_or_else(|failure| panic!("{failure:?}"))
}

/// Memory after each epoch.
struct Epochs(Vec<usize>);

impl Callback for Epochs {
    fn on_event(&mut self, event: Event<'_>) {
        if let Event::EpochEnded { .. } = event {
            self.0.extend(resident());
        }
    }
}

/// 36 steps an epoch, validation after each.
fn steps_do_not_grow(epochs: usize) {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let folder = tempfile::tempdir().expect("a folder");
    let run = prepare(&program(folder.path(), epochs));
    let mut pool = Pool::new(2);
    let mut trainer = run.trainer(&mut pool);
    let mut memory = Epochs(Vec::with_capacity(epochs));
    trainer.train(&mut memory, &AtomicBool::new(false)).expect("a run");
    let (Some(early), Some(late)) = (memory.0.get(epochs / 10), memory.0.last()) else {
        eprintln!("skipped: this system does not tell the memory of a process");
        return;
    };
    // A record an epoch is kept, of some hundred bytes; and the allocator may round up.
    let allowed = early + epochs * 1024 + (1 << 20);
    assert!(*late <= allowed, "{early} bytes early, {late} at the end");
    println!("{} steps: {early} bytes early, {late} at the end", trainer.steps_made());
}

#[test]
fn steps_leave_nothing_behind() {
    steps_do_not_grow(100);
}

#[test]
#[ignore = "takes a minute"]
fn a_hundred_thousand_steps_leave_nothing_behind() {
    steps_do_not_grow(2_800);
}

fn programs_do_not_grow(count: usize) {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let folder = tempfile::tempdir().expect("a folder");
    let file = program(folder.path(), 1);
    let warm = 10.max(count / 10);
    (0..warm).for_each(|_| drop(prepare(&file)));
    let Some(early) = resident() else {
        eprintln!("skipped: this system does not tell the memory of a process");
        return;
    };
    (warm..count).for_each(|_| drop(prepare(&file)));
    let late = resident().expect("as before");
    println!("{count} programs: {early} bytes early, {late} at the end");
    assert!(late <= early + (4 << 20), "{early} bytes early, {late} at the end");
}

#[test]
fn compiled_programs_are_given_back() {
    programs_do_not_grow(60);
}

#[test]
#[ignore = "takes minutes"]
fn ten_thousand_compiled_programs_are_given_back() {
    programs_do_not_grow(10_000);
}
