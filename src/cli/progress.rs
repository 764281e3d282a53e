//! Progress of a run while it trains: a live bar on a terminal, plain lines otherwise, or one JSON
//! object a line.
//!
//! Progress goes to standard error; the JSON lines, which are a result, to standard output.

use super::dashboard::Dashboard;
use super::{render, write};
use crate::base::shown::visible_lines;
use crate::base::units::{compact, duration};
use crate::driver::Failure;
use crate::run::epoch_json;
use crate::runtime::pool::ThreadChange;
use crate::runtime::trainer::{Callback, Decision, EpochRecord, Event, Scores};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde_json::{Value, json};
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How a run is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ProgressMode {
    /// Nothing but the result.
    Quiet,
    /// One line an epoch.
    Lines,
    /// A line an epoch, and a bar for the current one.
    Bar,
    /// JSON lines on standard output.
    Json,
}

impl ProgressMode {
    /// The mode for the flags and for what standard error is.
    pub fn choose(json: bool, quiet: bool) -> ProgressMode {
        match (json, quiet) {
            (true, _) => ProgressMode::Json,
            (false, true) => ProgressMode::Quiet,
            (false, false) if std::io::stderr().is_terminal() => ProgressMode::Bar,
            (false, false) => ProgressMode::Lines,
        }
    }
}

/// Shows a run's events.
pub struct TrainProgress<'a> {
    mode: ProgressMode,
    /// Set to end the run where nobody reads its lines any more.
    stop: &'a AtomicBool,
    /// Why a line could not be written.
    failed: Option<Failure>,
    bar: Option<ProgressBar>,
    /// Seconds of the epochs that this process has seen, and how many.
    seconds: f64,
    epochs: usize,
    /// When the epoch that goes on began.
    started: Instant,
    /// Its batches that were left out.
    skipped: usize,
    /// `1/5`, and the running mean of its batches' losses.
    shown: (String, Option<f32>),
    /// The screen that shows it instead, where there is one.
    dashboard: Option<Dashboard>,
}

/// Batches of an epoch that are reported one by one when they are left out.
const SKIPPED_TOLD: usize = 3;

impl<'a> TrainProgress<'a> {
    /// Nothing shown yet. A run is stopped through `stop` where its lines cannot be written.
    pub fn new(mode: ProgressMode, stop: &'a AtomicBool) -> Self {
        let started = Instant::now();
        let shown = (String::new(), None);
        TrainProgress {
            mode,
            stop,
            failed: None,
            bar: None,
            seconds: 0.0,
            epochs: 0,
            started,
            skipped: 0,
            shown,
            dashboard: None,
        }
    }

    /// Shows the run on a screen of its own, until it is closed.
    pub fn show_on(&mut self, dashboard: Dashboard) {
        self.dashboard = Some(dashboard);
        self.mode = ProgressMode::Lines;
    }

    /// Leaves the screen, if there is one, and prints what it has kept.
    pub fn close(&mut self) {
        let lines = self.dashboard.take().map(Dashboard::close).unwrap_or_default();
        lines.iter().for_each(|line| say(line));
    }

    /// The error of the first line that could not be written, if there was one.
    pub fn written(&mut self) -> Result<(), Failure> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Writes a JSON object on standard output. Callers come from within a step, so a failure is kept
    /// until the run has ended, with its checkpoint.
    fn object(&mut self, object: &Value) {
        if self.failed.is_none()
            && let Err(failure) = write::line(&object.to_string())
        {
            self.failed = Some(failure);
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Prints a line above the bar, if there is one.
    pub fn line(&self, text: &str) {
        match (&self.dashboard, &self.bar) {
            (Some(dashboard), _) => dashboard.line(&visible_lines(text)),
            (None, Some(bar)) => {
                bar.println(fitted(&visible_lines(text), render::terminal_width()));
            }
            (None, None) => say(text),
        }
    }

    /// Shows the loss beside the bar: a mean in which each batch shown counts a tenth, since those of
    /// single batches jump.
    fn show_loss(&mut self, loss: f32) {
        let (epoch, mean) = &mut self.shown;
        let mean = mean.get_or_insert(loss);
        if loss.is_finite() {
            *mean += (loss - *mean) / 10.0;
        }
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{epoch}  loss {mean:.4}"));
        }
    }

    fn epoch(&mut self, record: &EpochRecord, epochs: usize, decision: Decision) {
        self.seconds += self.started.elapsed().as_secs_f64();
        self.epochs += 1;
        let left = (epochs - record.epoch.min(epochs)) as f64 * self.seconds / self.epochs as f64;
        if let Some(dashboard) = &self.dashboard {
            dashboard.left(left);
        }
        match self.mode {
            ProgressMode::Quiet => {}
            ProgressMode::Json => self.object(&epoch_json(record)),
            ProgressMode::Lines | ProgressMode::Bar => {
                self.line(&epoch_line(record, epochs, left));
                if decision.lowered {
                    self.line("  no better for a while: the learning rate is lowered");
                }
            }
        }
    }

    fn notice(&mut self, text: &str) {
        match self.mode {
            ProgressMode::Json => self.object(&json!({ "event": "notice", "text": text })),
            ProgressMode::Quiet | ProgressMode::Lines | ProgressMode::Bar => self.line(text),
        }
    }
}

impl Callback for TrainProgress<'_> {
    fn on_event(&mut self, event: Event<'_>) {
        if let Some(dashboard) = &self.dashboard {
            dashboard.event(&event);
        }
        match event {
            Event::EpochStarted { epoch, epochs, steps } if self.mode == ProgressMode::Bar => {
                self.started = Instant::now();
                let style = "epoch {msg}  {wide_bar} {pos}/{len} steps, {rate}, {eta} left";
                let bar = ProgressBar::new(steps as u64).with_style(style_of(style));
                bar.set_message(format!("{epoch}/{epochs}"));
                self.shown = (format!("{epoch}/{epochs}"), None);
                bar.enable_steady_tick(Duration::from_millis(100));
                self.bar = Some(bar);
            }
            Event::EpochStarted { .. } => self.started = Instant::now(),
            Event::Notice(text) => self.notice(text),
            Event::ThreadsChanged(_) if self.mode == ProgressMode::Quiet => {}
            Event::ThreadsChanged(change) => self.notice(&threads_line(change)),
            Event::Skipped { what, epoch, step, loss, lr_scale } => {
                self.skipped += 1;
                if self.skipped <= SKIPPED_TOLD {
                    let what = what.words(loss);
                    self.notice(&skipped_line(epoch, step, &what, lr_scale));
                }
            }
            Event::RateHalved { epoch, step, lr_scale } => {
                let left = compact(lr_scale as f32);
                self.notice(&format!(
                    "step {step} of epoch {epoch}: the learning rate is halved; {left} of it is left"
                ));
            }
            Event::Stepped { step, loss } => {
                if let Some(bar) = &self.bar {
                    bar.set_position(step as u64);
                    self.show_loss(loss);
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
    fn halves_rate(&mut self) -> bool {
        self.dashboard.as_ref().is_some_and(Dashboard::halves_rate)
    }

    fn wants_checkpoint(&mut self) -> bool {
        self.dashboard.as_ref().is_some_and(Dashboard::wants_checkpoint)
    }
}

/// Why a run goes on with fewer threads.
fn threads_line(ThreadChange { from, to }: ThreadChange) -> String {
    format!(
        "note: steps are faster on {to} of {from} threads at the moment (is the processor busy with \
         other programs?): fewer are used while that is so; results do not depend on it"
    )
}

/// A bar of this template, in which `{rate}` is a number a second that one can read.
fn style_of(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("a valid template");
    style.with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
        // The bar writes to a string, which takes all there is.
        let _ = out.write_str(&a_second(state.per_sec()));
    })
}

/// `12.3/s`, `4 060/s`, `17 s each`: three digits say what there is to know.
fn a_second(rate: f64) -> String {
    match rate {
        _ if !rate.is_finite() || rate <= 0.0 => "-/s".into(),
        rate if rate < 0.1 => format!("{:.0} s each", 1.0 / rate),
        rate if rate < 10.0 => format!("{rate:.2}/s"),
        rate if rate < 100.0 => format!("{rate:.1}/s"),
        rate => format!("{rate:.0}/s"),
    }
}

/// Prints a line on standard error: on a terminal, broken where words end.
pub fn say(text: &str) {
    match std::io::stderr().is_terminal() {
        true => eprintln!("{}", fitted(&visible_lines(text), render::terminal_width())),
        false => eprintln!("{text}"),
    }
}

/// The same on standard output.
pub fn tell(text: &str) -> Result<(), Failure> {
    match std::io::stdout().is_terminal() {
        true => write::line(&fitted(&visible_lines(text), write::width())),
        false => write::line(text),
    }
}

/// A line as rows that are at most so wide, where no word is wider. Two spaces stand between things:
/// a row is broken there if it can be, so that `loss 0.2891` stays in one piece. Rows behind the
/// first are indented.
pub fn fitted(text: &str, width: usize) -> String {
    const INDENT: &str = "  ";
    let wide = |text: &str| console::measure_text_width(text);
    if wide(text) <= width {
        return text.to_owned();
    }
    let mut rows: Vec<String> = vec![String::new()];
    let mut push = |gap: &str, piece: &str| {
        let row = rows.last_mut().expect("there is a row");
        let begun = !row.trim().is_empty();
        match begun && wide(row) + gap.len() + wide(piece) > width {
            true => rows.push(format!("{INDENT}{piece}")),
            false if begun => row.push_str(&format!("{gap}{piece}")),
            false => row.push_str(piece),
        }
    };
    for thing in text.split("  ") {
        if wide(thing) + INDENT.len() <= width {
            push("  ", thing);
            continue;
        }
        for (index, word) in thing.split(' ').enumerate() {
            push(if index == 0 { "  " } else { " " }, word);
        }
    }
    rows.join("\n")
}

/// Shows how far the reading of images has come, before training; any thread may tell it.
pub struct ReadProgress<'a> {
    mode: ProgressMode,
    stop: &'a AtomicBool,
    /// When the first images were read.
    start: OnceLock<Instant>,
    bar: OnceLock<ProgressBar>,
}

impl<'a> ReadProgress<'a> {
    /// Nothing read yet. Where `stop` is set, reading ends.
    pub fn new(mode: ProgressMode, stop: &'a AtomicBool) -> Self {
        ReadProgress { mode, stop, start: OnceLock::new(), bar: OnceLock::new() }
    }

    /// So many images of so many are read; says whether to go on.
    pub fn read(&self, done: usize, total: usize) -> bool {
        let go_on = !self.stop.load(Ordering::Relaxed);
        let start = self.start.get_or_init(Instant::now);
        if self.mode == ProgressMode::Bar {
            let bar = self.bar.get_or_init(|| {
                let style = "reading images {wide_bar} {pos}/{len}, {rate}, {eta} left";
                ProgressBar::new(total as u64).with_style(style_of(style))
            });
            bar.set_position(done as u64);
            if done == total || !go_on {
                bar.finish_and_clear();
            }
        }
        if done == total && matches!(self.mode, ProgressMode::Bar | ProgressMode::Lines) {
            let images = if total == 1 { "image" } else { "images" };
            eprintln!("read {total} {images} in {:.2} s", start.elapsed().as_secs_f64());
        }
        go_on
    }
}

/// The part of an epoch's time above which waiting for data is worth a note.
const WORTH_SAYING: f64 = 0.03;

/// The line about a batch that is left out.
fn skipped_line(epoch: usize, step: usize, what: &str, lr_scale: f64) -> String {
    let mut text = format!("step {step} of epoch {epoch} is left out: {what} is not finite");
    if lr_scale < 1.0 {
        text.push_str(&format!("; {} of the learning rate is left", compact(lr_scale as f32)));
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
        line.push_str(&format!("  {name} {}", compact(*value)));
    }
    line.push_str(&format!("  grad {}", compact(record.grad_norm as f32)));
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

/// Appends `  loss 0.1234  accuracy 0.9876`, each name behind a prefix.
pub fn push_scores(line: &mut String, prefix: &str, scores: &Scores) {
    line.push_str(&format!("  {prefix}loss {:.4}", scores.loss));
    for (name, value) in &scores.metrics {
        line.push_str(&format!("  {prefix}{name} {value:.4}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_at_any_width() {
        let lines = [
            "epoch 12/20  loss 0.2891  accuracy 0.9174  val_loss 0.1512  val_accuracy 0.9533  lr 0.001  \
             grad 0.72  0.19 s  31416 samples/s  eta 8 s",
            "  no better for a while: the learning rate is lowered",
            "net: 54000 training, 6000 validation and 10000 test samples of mnist, 2 threads, avx2, \
             checkpoints after each epoch",
            "kept: runs/mnist/checkpoints/last.ckpt; go on with `nnc run --resume=runs/mnist`",
        ];
        for line in lines {
            for width in 40..=200 {
                let text = fitted(line, width);
                let words = |text: &str| -> Vec<String> {
                    text.split_whitespace().map(str::to_owned).collect()
                };
                assert_eq!(words(&text), words(line), "{width}");
                for row in text.lines() {
                    let single = row.split_whitespace().count() == 1;
                    assert!(row.chars().count() <= width || single, "{width}: {row}");
                }
                if line.len() <= width {
                    assert_eq!(text, line);
                }
            }
        }
        let narrow = fitted(lines[0], 40);
        assert_eq!(narrow.lines().next(), Some("epoch 12/20  loss 0.2891"), "{narrow}");
    }

    #[test]
    fn rates_have_digits_that_mean_something() {
        for (rate, says) in [
            (50.9527, "51.0/s"),
            (4060.4, "4060/s"),
            (3.24159, "3.24/s"),
            (0.01, "100 s each"),
            (0.0, "-/s"),
            (f64::NAN, "-/s"),
        ] {
            assert_eq!(a_second(rate), says);
        }
    }
}
