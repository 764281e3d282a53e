//! What a run says while it trains: a live bar on a terminal, plain lines otherwise, or one JSON
//! object a line.
//!
//! Progress goes to standard error; the JSON lines, which are a result, to standard output.

use crate::driver::epoch_json;
use crate::runtime::pool::ThreadChange;
use crate::runtime::trainer::{Decision, EpochRecord, Event, Scores, Watcher};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How a run is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing but the result.
    Quiet,
    /// One line an epoch.
    Lines,
    /// A line an epoch, and a bar for the current one.
    Bar,
    /// JSON lines on standard output.
    Json,
}

impl Mode {
    /// The mode for the flags and for what standard error is.
    pub fn choose(json: bool, quiet: bool) -> Mode {
        match (json, quiet) {
            (true, _) => Mode::Json,
            (false, true) => Mode::Quiet,
            (false, false) if std::io::stderr().is_terminal() => Mode::Bar,
            (false, false) => Mode::Lines,
        }
    }
}

/// Shows a run's events.
pub struct Progress {
    mode: Mode,
    bar: Option<ProgressBar>,
    /// Seconds of the epochs that this process has seen, and how many.
    seconds: f64,
    epochs: usize,
    /// When the epoch that goes on began.
    started: Instant,
    /// Its batches that were left out.
    skipped: usize,
}

/// Batches of an epoch that are told one by one when they are left out.
const SKIPPED_TOLD: usize = 3;

impl Progress {
    /// Nothing shown yet.
    pub fn new(mode: Mode) -> Self {
        Progress { mode, bar: None, seconds: 0.0, epochs: 0, started: Instant::now(), skipped: 0 }
    }

    /// Prints a line above the bar, if there is one.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    fn epoch(&mut self, record: &EpochRecord, epochs: usize, decision: Decision) {
        self.seconds += self.started.elapsed().as_secs_f64();
        self.epochs += 1;
        let left = (epochs - record.epoch.min(epochs)) as f64 * self.seconds / self.epochs as f64;
        match self.mode {
            Mode::Quiet => {}
            Mode::Json => println!("{}", epoch_json(record)),
            Mode::Lines | Mode::Bar => {
                self.line(&epoch_line(record, epochs, left));
                if decision.lowered {
                    self.line("  no better for a while: the learning rate is lowered");
                }
            }
        }
    }

    fn notice(&mut self, text: &str) {
        match self.mode {
            Mode::Json => println!("{}", json!({ "event": "notice", "text": text })),
            Mode::Quiet | Mode::Lines | Mode::Bar => self.line(text),
        }
    }
}

impl Watcher for Progress {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::EpochStarted { epoch, epochs, steps } if self.mode == Mode::Bar => {
                self.started = Instant::now();
                let style = "epoch {msg} {bar:32} {pos}/{len} steps, {per_sec}, {eta} left";
                let style = ProgressStyle::with_template(style).expect("a valid template");
                let bar = ProgressBar::new(steps as u64).with_style(style);
                bar.set_message(format!("{epoch}/{epochs}"));
                bar.enable_steady_tick(Duration::from_millis(100));
                self.bar = Some(bar);
            }
            Event::EpochStarted { .. } => self.started = Instant::now(),
            Event::Notice(text) => self.notice(text),
            Event::ThreadsChanged(change) => self.notice(&threads_line(change)),
            Event::Skipped { what, epoch, step, loss, lr_scale } => {
                self.skipped += 1;
                if self.skipped <= SKIPPED_TOLD {
                    let what = what.words(loss);
                    self.notice(&skipped_line(epoch, step, &what, lr_scale));
                }
            }
            Event::Stepped { step } => {
                if let Some(bar) = &self.bar {
                    bar.set_position(step as u64);
                }
            }
            Event::EpochEnded { record, epochs, decision } => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
                let untold = std::mem::take(&mut self.skipped).saturating_sub(SKIPPED_TOLD);
                if untold > 0 {
                    self.notice(&format!("and {untold} more of epoch {}", record.epoch));
                }
                self.epoch(record, epochs, decision);
            }
        }
    }
}

/// Why a run goes on with fewer threads.
fn threads_line(ThreadChange { from, to }: ThreadChange) -> String {
    format!(
        "note: steps are faster on {to} of {from} threads at the moment (is the processor busy with \
         other programs?): fewer are used while that is so; results do not depend on it"
    )
}

/// Shows how far the reading of images has come, before training; any thread may tell it.
pub struct Reading<'a> {
    mode: Mode,
    stop: &'a AtomicBool,
    /// When it was first told.
    start: OnceLock<Instant>,
    bar: OnceLock<ProgressBar>,
}

impl<'a> Reading<'a> {
    /// Nothing read yet. Where `stop` is set, reading is asked to end.
    pub fn new(mode: Mode, stop: &'a AtomicBool) -> Self {
        Reading { mode, stop, start: OnceLock::new(), bar: OnceLock::new() }
    }

    /// So many images of so many are read; says whether to go on.
    pub fn read(&self, done: usize, total: usize) -> bool {
        let go_on = !self.stop.load(Ordering::Relaxed);
        let start = self.start.get_or_init(Instant::now);
        if self.mode == Mode::Bar {
            let bar = self.bar.get_or_init(|| {
                let style = "reading images {bar:32} {pos}/{len}, {per_sec}, {eta} left";
                let style = ProgressStyle::with_template(style).expect("a valid template");
                ProgressBar::new(total as u64).with_style(style)
            });
            bar.set_position(done as u64);
            if done == total || !go_on {
                bar.finish_and_clear();
            }
        }
        if done == total && matches!(self.mode, Mode::Bar | Mode::Lines) {
            let images = if total == 1 { "image" } else { "images" };
            eprintln!("read {total} {images} in {:.2} s", start.elapsed().as_secs_f64());
        }
        go_on
    }
}

/// The part of an epoch's time above which waiting for data is worth a word.
const WORTH_SAYING: f64 = 0.03;

/// What is said of a batch that is left out.
fn skipped_line(epoch: usize, step: usize, what: &str, lr_scale: f64) -> String {
    let mut text = format!("step {step} of epoch {epoch} is left out: {what} is not finite");
    if lr_scale < 1.0 {
        text.push_str(&format!("; {} of the learning rate is left", short(lr_scale as f32)));
    }
    text
}

/// `epoch 1/5  loss 0.2891  accuracy 0.9174  val_loss 0.1512  lr 0.001  grad 0.72  0.19 s …`.
fn epoch_line(record: &EpochRecord, epochs: usize, left: f64) -> String {
    let mut line = format!("epoch {}/{epochs}", record.epoch);
    push_scores(&mut line, "", &record.train);
    if let Some(validation) = &record.validation {
        push_scores(&mut line, "val_", validation);
    }
    for (name, value) in &record.scheduled {
        line.push_str(&format!("  {name} {}", short(*value)));
    }
    line.push_str(&format!("  grad {}", short(record.grad_norm as f32)));
    let rate = record.samples as f64 / record.seconds;
    line.push_str(&format!("  {:.2} s  {rate:.0} samples/s", record.seconds));
    let waiting = record.data_seconds / record.seconds;
    if waiting >= WORTH_SAYING {
        line.push_str(&format!("  {:.0} % waiting for data", 100.0 * waiting));
    }
    if left > 0.0 {
        line.push_str(&format!("  eta {}", duration(left)));
    }
    line
}

/// `8 s`, `3 min 05 s`, `2 h 10 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, minutes) => format!("{minutes} min {rest:02} s"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}

/// A number of any size in three digits: `0.05`, `8.21e-4`.
fn short(value: f32) -> String {
    let digits = if value.abs() < 0.01 && value != 0.0 {
        format!("{value:.2e}")
    } else {
        format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if digits.is_empty() { "0".into() } else { digits }
}

/// Appends `  loss 0.1234  accuracy 0.9876`, each name behind a prefix.
pub fn push_scores(line: &mut String, prefix: &str, scores: &Scores) {
    line.push_str(&format!("  {prefix}loss {:.4}", scores.loss));
    for (name, value) in &scores.metrics {
        line.push_str(&format!("  {prefix}{name} {value:.4}"));
    }
}
