//! Mutated programs through the commands of the binary, under a limit of memory: none ends by a
//! signal or with exit code 101, none takes more than [`MOST_SECONDS`] of a processor or
//! [`MOST_BYTES`] of memory.
//!
//! ```console
//! cargo test --release --test hostile
//! NNC_HOSTILE_COUNT=100000 cargo test --release --test hostile -- --nocapture
//! ```
//!
//! `NNC_HOSTILE_COUNT` sets how many programs there are, `NNC_HOSTILE_FROM` the first seed. Each goes
//! through one command, all of them in turn. A failure names its seed; the slowest and the largest
//! are told at the end.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use nnc::base::tensor::{DType, Tensor};
use nnc::runtime::weights::save;
use std::os::unix::process::ExitStatusExt;
use support::mutation::{Random, corpus, program, small_corpus, words_changed};

/// How many programs a normal run tries.
const COUNT: u64 = 260;
/// Seconds of the processor that a command may take, on all threads together.
const MOST_SECONDS: f64 = 5.0;
/// Bytes of memory that a command may have at once.
const MOST_BYTES: u64 = 512 << 20;
/// Address space of a command, in kB: what it may have, and what its code and its threads' stacks
/// reserve.
const ADDRESSES_KB: u64 = 700_000;
/// Seconds after which a command is taken to wait for ever; a machine under load is forgiven much.
const PATIENCE: &str = "300";

/// What is done with a program, `p.nn`, beside `given.safetensors`.
const COMMANDS: &[&[&str]] = &[
    &["check", "p.nn"],
    &["check", "p.nn", "--json"],
    &["check", "p.nn", "--parameters"],
    &["check", "p.nn", "--fix"],
    &["check", "p.nn", "--fix", "--dry-run"],
    &["fmt", "p.nn"],
    &["emit-ir", "p.nn", "--stage", "graph"],
    &["emit-ir", "p.nn", "--stage", "loops"],
    &["emit-ir", "p.nn", "--stage", "clif"],
    &["grad", "p.nn", "--tensors", "given.safetensors", "--out", "o.safetensors", "--threads", "2"],
    &["bench", "p.nn", "--threads", "1", "--seconds", "0.02"],
    &["verify", "p.nn", "--batch", "2", "--steps", "1"],
    &["profile", "p.nn", "--threads", "1", "--seconds", "0.02"],
    &["run", "p.nn", "--out", "runs", "--limit", "8", "--epochs", "1", "--threads", "2"],
];

/// What a command did.
struct Ended {
    status: ExitStatus,
    seconds: f64,
    bytes: u64,
}

/// Runs a command with a program in a folder.
fn run(folder: &Path, program: &str, command: &[&str]) -> Ended {
    fs::write(folder.join("p.nn"), program).expect("writable");
    let script = format!("ulimit -v {ADDRESSES_KB}; exec timeout {PATIENCE} \"$0\" \"$@\"");
    let errors = fs::File::create(folder.join("stderr")).expect("writable");
    let mut child = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_nnc")])
        .args(command)
        .current_dir(folder)
        .env_remove("NNC_DATA")
        .env_remove("NNC_THREADS")
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .expect("a shell");
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    let id = i32::try_from(child.id()).expect("a process");
    // SAFETY: both are written only while the call lasts; nobody else waits for this child.
    let waited = unsafe { libc::wait4(id, &raw mut status, 0, usage.as_mut_ptr()) };
    assert_eq!(waited, id, "a child: {}", std::io::Error::last_os_error());
    // SAFETY: zeros are a value of the type, and the call has filled it.
    let usage = unsafe { usage.assume_init() };
    // It has been waited for: this only says so to the standard library.
    let _ = child.try_wait();
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ended {
        status: ExitStatus::from_raw(status),
        seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        bytes: u64::try_from(usage.ru_maxrss).expect("a size") << 10,
    }
}

/// The program of a seed: mostly with data that need no files.
fn hostile(random: &mut Random, small: &[String], real: &[String]) -> String {
    match random.below(8) {
        0 => program(random, real),
        1 => words_changed(random, real),
        _ => words_changed(random, small),
    }
}

/// What is worst so far of something, and whose.
#[derive(Default)]
struct Worst {
    value: f64,
    seed: u64,
}

impl Worst {
    fn see(&mut self, seed: u64, value: f64) {
        if value > self.value {
            *self = Worst { value, seed };
        }
    }
}

/// What has been seen of all programs.
#[derive(Default)]
struct Seen {
    sound: u64,
    slowest: Worst,
    largest: Worst,
    failures: Vec<String>,
}

#[test]
fn no_program_makes_a_command_crash_hang_or_swell() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (from, count) = (number("NNC_HOSTILE_FROM", 0), number("NNC_HOSTILE_COUNT", COUNT));
    let (small, real) = (small_corpus(), corpus());
    let next = AtomicU64::new(from);
    let seen = Mutex::new(Seen::default());
    let work = || {
        let folder = tempfile::tempdir().expect("a folder");
        given(folder.path());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + count || seen.lock().expect("not poisoned").failures.len() > 5 {
                return;
            }
            let program = hostile(&mut Random(seed), &small, &real);
            let command = COMMANDS[(seed % COMMANDS.len() as u64) as usize];
            let ended = run(folder.path(), &program, command);
            let _ = fs::remove_dir_all(folder.path().join("runs"));
            let mut seen = seen.lock().expect("not poisoned");
            seen.slowest.see(seed, ended.seconds);
            seen.largest.see(seed, ended.bytes as f64);
            seen.sound += u64::from(ended.status.success());
            let fine = matches!(ended.status.code(), Some(0..=2));
            if !fine || ended.seconds > MOST_SECONDS || ended.bytes > MOST_BYTES {
                let text = fs::read_to_string(folder.path().join("stderr")).unwrap_or_default();
                let failure = format!(
                    "seed {seed}, nnc {}: {}, {:.1} s, {} MB\n{text}\n{program}",
                    command.join(" "),
                    ended.status,
                    ended.seconds,
                    ended.bytes >> 20,
                );
                // At once, since a long run may be ended.
                println!("{failure}");
                seen.failures.push(failure);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let Seen { sound, slowest, largest, failures } = seen.into_inner().expect("not poisoned");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    println!(
        "{count} programs, {sound} of them sound; slowest {:.2} s (seed {}), largest {:.0} MB (seed {})",
        slowest.value,
        slowest.seed,
        largest.value / f64::from(1 << 20),
        largest.seed,
    );
    assert!(sound * 20 > count, "only {sound} of {count} programs mean anything");
}

/// The tensors for `nnc grad`, as most of the small programs want them.
fn given(folder: &Path) {
    let tensors = [
        ("input.image", Tensor::zeros(DType::F32, [4, 28, 28, 1])),
        ("input.label", Tensor::zeros(DType::I32, [4])),
    ];
    let tensors = tensors.map(|(name, tensor)| (name.to_string(), tensor));
    save(&folder.join("given.safetensors"), &tensors).expect("writable");
}
