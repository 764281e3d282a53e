//! What a run says while it trains: a live bar on a terminal, plain lines otherwise, or one JSON
//! object a line.
//!
//! Progress goes to standard error; the JSON lines, which are a result, to standard output.

use crate::runtime::trainer::{EpochRecord, Event, Scores, Watcher};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use std::io::IsTerminal;
use std::time::Duration;

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

/// `epoch 1/5  loss 0.2891  accuracy 0.9174  val_loss 0.1512  val_accuracy 0.9560  0.19 s …`.
fn epoch_line(record: &EpochRecord, epochs: usize) -> String {
    let mut line = format!("epoch {}/{epochs}", record.epoch);
    push_scores(&mut line, "", &record.train);
    if let Some(validation) = &record.validation {
        push_scores(&mut line, "val_", validation);
    }
    let rate = record.samples as f64 / record.seconds;
    line.push_str(&format!("  {:.2} s  {rate:.0} samples/s", record.seconds));
    line
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
    object.insert("grad_norm".into(), json!(record.grad_norm));
    object.insert("steps".into(), json!(record.steps));
    object.insert("samples".into(), json!(record.samples));
    object.insert("seconds".into(), json!(record.seconds));
    Value::Object(object)
}

/// Puts a loss and metrics into a JSON object, each name behind a prefix.
pub fn put_scores(object: &mut Map<String, Value>, prefix: &str, scores: &Scores) {
    object.insert(format!("{prefix}loss"), json!(scores.loss));
    for (name, value) in &scores.metrics {
        object.insert(format!("{prefix}{name}"), json!(value));
    }
}
