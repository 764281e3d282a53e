//! The run as the screen shows it: what events have told, ready to be drawn.

use crate::runtime::trainer::Event;
use std::time::Instant;

/// The most points of the curve of single batches; beyond, every second one goes.
const POINTS: usize = 1024;
/// How long a notice about a key stays, in seconds.
const NOTICE: f64 = 3.0;

/// The facts of a run before it begins.
#[derive(Clone, Debug, Default)]
pub struct RunHeading {
    /// The model's name.
    pub model: String,
    /// The run's folder, where it has one.
    pub folder: Option<String>,
    /// Samples of a step.
    pub batch: usize,
    /// Bytes of the memory that its steps share.
    pub memory: usize,
    /// Number of threads.
    pub threads: usize,
    /// Its layers, in order.
    pub layers: Vec<LayerShare>,
}

/// A layer and the part of the model's operations that is its.
#[derive(Clone, Debug)]
pub struct LayerShare {
    /// Its path.
    pub path: String,
    /// From 0 to 1.
    pub share: f64,
}

/// A run, up to now.
pub struct TrainingView {
    /// The facts from before the beginning.
    pub heading: RunHeading,
    /// Epochs that are over and the loss of training after each: `(epoch, loss)`.
    pub training: Vec<(f64, f64)>,
    /// The same of validation.
    pub validation: Vec<(f64, f64)>,
    /// Losses of batches: the time in epochs, and the loss.
    pub batches: Vec<(f64, f64)>,
    /// Every how many reports one is kept in `batches`, and how many there were.
    thinned: (usize, usize),
    /// Names and values of the last epoch.
    pub scores: Vec<(String, String)>,
    /// The epoch that goes on, from 1, and how many there are.
    pub epoch: (usize, usize),
    /// The steps of the epoch that are made, and how many it has.
    pub step: (usize, usize),
    /// Steps a second in this epoch.
    pub rate: f64,
    /// Seconds until the run ends, about; known after an epoch.
    pub left: Option<f64>,
    /// Lines that would have been printed.
    lines: Vec<String>,
    /// Rows that the log is scrolled back by.
    pub scrolled: usize,
    notice: Option<(String, Instant)>,
    started: Instant,
    epoch_started: Instant,
}

impl TrainingView {
    /// A run that has not begun.
    pub fn new(heading: RunHeading) -> TrainingView {
        let now = Instant::now();
        TrainingView {
            heading,
            training: Vec::new(),
            validation: Vec::new(),
            batches: Vec::new(),
            thinned: (1, 0),
            scores: Vec::new(),
            epoch: (0, 0),
            step: (0, 0),
            rate: 0.0,
            left: None,
            lines: Vec::new(),
            scrolled: 0,
            notice: None,
            started: now,
            epoch_started: now,
        }
    }

    /// Seconds since it began.
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Adds a line to the log.
    pub fn line(&mut self, text: &str) {
        self.lines.extend(text.lines().map(str::to_owned));
    }

    /// Shows a line for a moment, in the place of the keys.
    pub fn notice(&mut self, text: &str) {
        self.notice = Some((text.to_owned(), Instant::now()));
    }

    /// The notice that is shown now.
    pub fn shown_notice(&self) -> Option<&str> {
        let (text, since) = self.notice.as_ref()?;
        (since.elapsed().as_secs_f64() < NOTICE).then_some(text)
    }

    /// Moves the log by so many rows, up where they are positive.
    pub fn scroll(&mut self, rows: isize) {
        let most = self.lines.len().saturating_sub(1);
        self.scrolled = self.scrolled.saturating_add_signed(rows).min(most);
    }

    /// The log, oldest first.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The log, which is empty then.
    pub fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// Takes what an event tells.
    pub fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::EpochStarted { epoch, epochs, steps } => {
                (self.epoch, self.step) = ((*epoch, *epochs), (0, *steps));
                self.epoch_started = Instant::now();
            }
            Event::Stepped { step, loss } => {
                self.step.0 = *step;
                self.rate = *step as f64 / self.epoch_started.elapsed().as_secs_f64();
                let time = self.epoch.0 as f64 - 1.0 + *step as f64 / self.step.1.max(1) as f64;
                self.batch(time, f64::from(*loss));
            }
            Event::EpochEnded { record, .. } => {
                let epoch = record.epoch as f64;
                self.step.0 = self.step.1;
                self.training.push((epoch, record.train.loss));
                self.scores.clear();
                let validation = record.validation.iter().map(|scores| ("val_", scores));
                for (prefix, scores) in [("", &record.train)].into_iter().chain(validation) {
                    let loss = [("loss".to_owned(), scores.loss)];
                    for (name, value) in loss.iter().chain(&scores.metrics) {
                        self.scores.push((format!("{prefix}{name}"), format!("{value:.4}")));
                    }
                }
                if let Some(scores) = &record.validation {
                    self.validation.push((epoch, scores.loss));
                }
                for (name, value) in &record.scheduled {
                    self.scores.push((name.clone(), crate::base::units::compact(*value)));
                }
            }
            Event::Skipped { .. }
            | Event::RateHalved { .. }
            | Event::Notice(_)
            | Event::ThreadsChanged(_) => {}
        }
    }

    fn batch(&mut self, time: f64, loss: f64) {
        let (every, seen) = &mut self.thinned;
        *seen += 1;
        if !loss.is_finite() || !seen.is_multiple_of(*every) {
            return;
        }
        self.batches.push((time, loss));
        if self.batches.len() > POINTS {
            *every *= 2;
            let mut index = 0;
            self.batches.retain(|_| {
                index += 1;
                index % 2 == 0
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_a_curve_of_bounded_size() {
        let mut view = TrainingView::new(RunHeading::default());
        view.event(&Event::EpochStarted { epoch: 1, epochs: 1, steps: 100_000 });
        for step in 1..=100_000 {
            view.event(&Event::Stepped { step, loss: 1.0 / step as f32 });
        }
        assert!(view.batches.len() <= POINTS && view.batches.len() > POINTS / 4);
        assert!(view.batches.is_sorted_by(|a, b| a.0 < b.0 && a.1 > b.1));
        assert_eq!(view.step, (100_000, 100_000));
        view.event(&Event::Stepped { step: 100_000, loss: f32::NAN });
        assert!(view.batches.iter().all(|(_, loss)| loss.is_finite()));
    }

    #[test]
    fn the_log_is_scrolled_within_its_lines() {
        let mut view = TrainingView::new(RunHeading::default());
        view.line("one\ntwo");
        view.scroll(5);
        assert_eq!(view.scrolled, 1);
        view.scroll(-7);
        assert_eq!(view.scrolled, 0);
        assert_eq!(view.take_lines(), ["one", "two"]);
    }
}
