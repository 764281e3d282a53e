//! What a run says while it trains: a live bar on a terminal, plain lines otherwise, or one JSON
//! object a line.
//!
//! Progress goes to standard error; the JSON lines, which are a result, to standard output.

use crate::runtime::trainer::{EpochRecord, Event, Scores, Watcher};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
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
}

impl Progress {
    /// Nothing shown yet.
    pub fn new(mode: Mode) -> Self {
        Progress { mode, bar: None }
    }

    /// Prints a line above the bar, if there is one.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    fn epoch(&mut self, record: &EpochRecord, epochs: usize) {
        match self.mode {
            Mode::Quiet => {}
            Mode::Json => println!("{}", epoch_json(record)),
            Mode::Lines | Mode::Bar => self.line(&epoch_line(record, epochs)),
        }
    }
}

impl Watcher for Progress {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::EpochStarted { epoch, epochs, steps } if self.mode == Mode::Bar => {
                let style = "epoch {msg} {bar:32} {pos}/{len} steps, {per_sec}, {eta} left";
                let style = ProgressStyle::with_template(style).expect("a valid template");
                let bar = ProgressBar::new(steps as u64).with_style(style);
                bar.set_message(format!("{epoch}/{epochs}"));
                bar.enable_steady_tick(Duration::from_millis(100));
                self.bar = Some(bar);
            }
            Event::EpochStarted { .. } => {}
            Event::Stepped { step } => {
                if let Some(bar) = &self.bar {
                    bar.set_position(step as u64);
                }
            }
            Event::EpochEnded { record, epochs } => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
                self.epoch(record, epochs);
            }
        }
    }
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

/// `epoch 1/5  loss 0.2891  accuracy 0.9174  val_loss 0.1512  val_accuracy 0.9560  0.19 s …`.
fn epoch_line(record: &EpochRecord, epochs: usize) -> String {
    let mut line = format!("epoch {}/{epochs}", record.epoch);
    push_scores(&mut line, "", &record.train);
    if let Some(validation) = &record.validation {
        push_scores(&mut line, "val_", validation);
    }
    for (name, value) in &record.scheduled {
        line.push_str(&format!("  {name} {}", short(*value)));
    }
    let rate = record.samples as f64 / record.seconds;
    line.push_str(&format!("  {:.2} s  {rate:.0} samples/s", record.seconds));
    let waiting = record.data_seconds / record.seconds;
    if waiting >= WORTH_SAYING {
        line.push_str(&format!("  {:.0} % waiting for data", 100.0 * waiting));
    }
    line
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

fn epoch_json(record: &EpochRecord) -> Value {
    let mut object = Map::new();
    object.insert("event".into(), json!("epoch"));
    object.insert("epoch".into(), json!(record.epoch));
    put_scores(&mut object, "train_", &record.train);
    if let Some(validation) = &record.validation {
        put_scores(&mut object, "val_", validation);
    }
    for (name, value) in &record.scheduled {
        // The shortest number that is this `f32`.
        let shortest: f64 = value.to_string().parse().unwrap_or(f64::from(*value));
        object.insert(name.clone(), json!(shortest));
    }
    object.insert("grad_norm".into(), json!(record.grad_norm));
    object.insert("steps".into(), json!(record.steps));
    object.insert("samples".into(), json!(record.samples));
    object.insert("seconds".into(), json!(record.seconds));
    object.insert("data_seconds".into(), json!(record.data_seconds));
    Value::Object(object)
}

/// Puts a loss and metrics into a JSON object, each name behind a prefix.
pub fn put_scores(object: &mut Map<String, Value>, prefix: &str, scores: &Scores) {
    object.insert(format!("{prefix}loss"), json!(scores.loss));
    for (name, value) in &scores.metrics {
        object.insert(format!("{prefix}{name}"), json!(value));
    }
}
