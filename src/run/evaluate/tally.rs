//! Counts over a model's outputs, by its task: which class was taken for which, or how far
//! numbers are off.
//!
//! ```text
//! Task::Class             a table of classes × classes
//! Task::ClassPerPosition  the same, of positions
//! Task::Labels            the same, of no and yes; and of each label
//! Task::Numbers           mean absolute error, root of the mean square, points true and predicted
//! Task::Picture           the same two errors, of bytes of the picture
//! Task::Other             nothing: only the loss knows
//! ```
//!
//! Memory is bounded by [`tally_bytes`](super::tally_bytes), whatever the data: targets are read batch
//! by batch, and with many classes there is no table, only counts for each. The target of labels or
//! numbers may be a picture, whose bytes are numbers then.

use super::details::{
    Answer, ClassCount, ClassCounts, Details, EvaluatedSample, Keep, MOST_CLASSES, MOST_COLUMNS,
    MOST_POINTS, NumberColumn, NumberErrors, room,
};
use super::kept::{KeptSamples, at_random};
use super::target::{OutputTarget, class_of};
use crate::base::step_output::StepOutput;
use crate::base::task::{OutputTask, Scale, Task};
use crate::data::Dataset;
use crate::runtime::trainer::EvaluatedBatch;
use std::collections::HashSet;

/// Counts what a model makes of the test samples, batch by batch.
pub(super) struct Tally<'a> {
    /// The output that is looked at.
    output: StepOutput,
    target: Option<OutputTarget<'a>>,
    task: Task,
    /// The label that does not count.
    ignore: Option<f64>,
    counts: ClassCounts,
    errors: ErrorSums,
    /// Those of each column, with the samples whose points are kept.
    columns: Vec<(NumberColumn, ErrorSums)>,
    points: HashSet<u32>,
    kept: KeptSamples,
    /// Whether what was seen is not what the task says.
    failed: bool,
}

/// Sums over errors of numbers.
#[derive(Clone, Copy, Default)]
struct ErrorSums {
    absolute: f64,
    squares: f64,
    count: u64,
}

impl ErrorSums {
    fn add(&mut self, error: f64) {
        self.absolute += error.abs();
        self.squares += error * error;
        self.count += 1;
    }

    /// The mean of the errors' sizes, and the root of the mean of their squares.
    fn means(self) -> (f64, f64) {
        let count = self.count as f64;
        (self.absolute / count, (self.squares / count).sqrt())
    }
}

/// An answer that is counted.
struct ScoredAnswer {
    label: Answer,
    predicted: Answer,
    probability: Option<f64>,
    loss: f64,
    wrong: bool,
}

impl<'a> Tally<'a> {
    /// Nothing counted yet.
    pub fn new(data: &'a Dataset, of: &OutputTask, keep: Keep) -> Tally<'a> {
        let task = of.task;
        let target = of.target.as_deref().and_then(|name| OutputTarget::find(data, name));
        let (classes, positions) = match task {
            Task::Class { classes, .. } => (classes, 1),
            Task::ClassPerPosition { classes, positions, .. } => (classes, positions),
            Task::Labels { labels, .. } => (2, labels),
            Task::Numbers { .. } | Task::Picture { .. } | Task::Other => (0, 0),
        };
        let labels = matches!(task, Task::Labels { .. });
        let table = if classes <= MOST_CLASSES { classes } else { 0 };
        let each_label = if labels && positions > 1 { positions } else { 0 };
        let counts = ClassCounts {
            counts: vec![vec![0; table]; table],
            each: vec![ClassCount::default(); classes],
            each_label: vec![ClassCount::default(); each_label],
            positions,
            labels,
            ..ClassCounts::default()
        };
        let columns = match (task, &target) {
            (Task::Numbers { numbers }, Some(target)) => target.columns(numbers),
            _ => Vec::new(),
        };
        let count = data.test.count();
        let points = match (task, keep.random) {
            (Task::Numbers { numbers }, 1..) => {
                at_random(MOST_POINTS * columns.len() / numbers.max(1), count)
            }
            _ => HashSet::new(),
        };
        let column =
            |name| (NumberColumn { name, ..NumberColumn::default() }, ErrorSums::default());
        Tally {
            output: StepOutput::of_model(&of.output),
            target,
            task,
            ignore: of.ignore.map(|label| label as f64),
            counts,
            errors: ErrorSums::default(),
            columns: columns.into_iter().map(column).collect(),
            points,
            kept: KeptSamples::new(room(task, keep.worst), room(task, keep.random), count),
            failed: false,
        }
    }

    /// Adds a batch.
    pub fn add(&mut self, batch: &EvaluatedBatch<'_>) {
        if self.failed || self.task == Task::Other {
            return;
        }
        let (output, samples) = (batch.output(&self.output), batch.samples);
        self.failed = self.try_add(output, samples).is_none();
    }

    /// The same; nothing where outputs or targets are not as the task says.
    fn try_add(&mut self, output: &[f32], samples: &[u32]) -> Option<()> {
        let mut target = self.target.take()?;
        let numbers = output.len() / samples.len().max(1);
        let all = match target.read(samples) {
            true => samples.iter().zip(output.chunks_exact(numbers)),
            false => return None,
        };
        for (place, (&index, output)) in all.enumerate() {
            let scored = self.score(index, output, (&target, place))?;
            let ScoredAnswer { label, predicted, probability, loss, wrong } = scored;
            if self.kept.wants(index, wrong, loss) {
                let sample = EvaluatedSample { index, label, predicted, probability, loss };
                self.kept.add(sample, wrong);
            }
        }
        self.target = Some(target);
        Some(())
    }

    /// Counts a sample's answer.
    fn score(
        &mut self,
        index: u32,
        output: &[f32],
        (target, place): (&OutputTarget<'_>, usize),
    ) -> Option<ScoredAnswer> {
        let targets = target.numbers(place)?;
        match self.task {
            Task::Picture { scale, .. } => {
                self.picture(output, scale, (target, target.of_sample(place)))
            }
            Task::Class { classes, scale } => {
                self.class(output, class_of(*targets.first()?, classes)?, scale)
            }
            Task::ClassPerPosition { classes, scale, .. } => {
                self.positions(output, &targets, classes, scale)
            }
            Task::Labels { scale, .. } => self.labels(output, &targets, scale),
            Task::Numbers { .. } => self.numbers(index, output, &targets, target),
            Task::Other => None,
        }
    }

    fn class(&mut self, output: &[f32], label: usize, scale: Scale) -> Option<ScoredAnswer> {
        let (predicted, probability, loss) = self.one_class(output, label, scale)?;
        let wrong = predicted != label;
        let (label, predicted) = (Answer::Class(label), Answer::Class(predicted));
        Some(ScoredAnswer { label, predicted, probability, loss, wrong })
    }

    /// Counts one choice among classes: what is predicted, its probability, and the loss.
    fn one_class(
        &mut self,
        numbers: &[f32],
        label: usize,
        scale: Scale,
    ) -> Option<(usize, Option<f64>, f64)> {
        let values = scale.apply(numbers);
        (label < values.len()).then_some(())?;
        let predicted = largest(&values);
        self.count(label, predicted);
        let loss = match scale.is_sure() {
            true => -values[label].max(f64::MIN_POSITIVE).ln(),
            false => values[predicted] - values[label],
        };
        Some((predicted, scale.is_sure().then_some(values[predicted]), loss))
    }

    fn positions(
        &mut self,
        output: &[f32],
        targets: &[f64],
        classes: usize,
        scale: Scale,
    ) -> Option<ScoredAnswer> {
        let (mut labels, mut predictions, mut losses) = (Vec::new(), Vec::new(), 0.0);
        for (position, numbers) in output.chunks_exact(classes).enumerate() {
            // One target is that of all positions.
            let target = *targets.get(if targets.len() == 1 { 0 } else { position })?;
            if self.ignore == Some(target) {
                continue;
            }
            let label = class_of(target, classes)?;
            let (predicted, _, loss) = self.one_class(numbers, label, scale)?;
            labels.push(label as u32);
            predictions.push(predicted as u32);
            losses += loss;
        }
        let loss = losses / labels.len().max(1) as f64;
        let wrong = labels != predictions;
        let (label, predicted) = (Answer::Classes(labels), Answer::Classes(predictions));
        Some(ScoredAnswer { label, predicted, probability: None, loss, wrong })
    }

    fn labels(&mut self, output: &[f32], targets: &[f64], scale: Scale) -> Option<ScoredAnswer> {
        (output.len() == targets.len()).then_some(())?;
        let (mut losses, mut wrong) = (0.0, false);
        let mut chances = Vec::with_capacity(output.len());
        for (index, (&number, &target)) in output.iter().zip(targets).enumerate() {
            let label = class_of(target, 2)?;
            let yes = scale.of_one(number);
            let predicted = usize::from(yes > 0.5);
            self.count(label, predicted);
            if let Some(of_label) = self.counts.each_label.get_mut(index) {
                of_label.add(label == 1, predicted == 1);
            }
            let of_label = if label == 1 { yes } else { 1.0 - yes };
            losses -= of_label.max(f64::MIN_POSITIVE).ln();
            wrong |= predicted != label;
            chances.push(yes);
        }
        let loss = losses / output.len().max(1) as f64;
        if let (&[yes], &[target]) = (&chances[..], targets) {
            let predicted = usize::from(yes > 0.5);
            let probability = Some(if predicted == 1 { yes } else { 1.0 - yes });
            let (label, predicted) = (Answer::Class(target as usize), Answer::Class(predicted));
            return Some(ScoredAnswer { label, predicted, probability, loss, wrong });
        }
        let (label, predicted) = (Answer::Labels(targets.to_vec()), Answer::Labels(chances));
        Some(ScoredAnswer { label, predicted, probability: None, loss, wrong })
    }

    /// Numbers are compared as the source has them: transforms are turned back.
    fn numbers(
        &mut self,
        index: u32,
        output: &[f32],
        targets: &[f64],
        target: &OutputTarget<'_>,
    ) -> Option<ScoredAnswer> {
        (output.len() == targets.len()).then_some(())?;
        let (mut labels, mut predictions) = (Vec::new(), Vec::new());
        let (mut own, mut scaled) = (0.0, 0.0);
        let kept = self.points.contains(&index);
        let columns = self.columns.len();
        for (place, (&number, &known)) in output.iter().zip(targets).enumerate() {
            let number = f64::from(number);
            let (predicted, label) = (target.restore(place, number), target.in_units(place, known));
            let error = predicted - label;
            self.errors.add(error);
            if let Some((column, sums)) = self.columns.get_mut(place % columns.max(1)) {
                sums.add(error);
                if kept && column.points.len() < MOST_POINTS {
                    column.points.push((label, predicted));
                }
            }
            own += error.abs();
            scaled += (number - known).abs();
            labels.push(label);
            predictions.push(predicted);
        }
        // Errors of columns in different units are compared as the model has them.
        let loss = if columns > 1 { scaled } else { own } / output.len().max(1) as f64;
        let (label, predicted) = match (&labels[..], &predictions[..]) {
            (&[label], &[predicted]) => (Answer::Number(label), Answer::Number(predicted)),
            _ => (Answer::Numbers(labels), Answer::Numbers(predictions)),
        };
        Some(ScoredAnswer { label, predicted, probability: None, loss, wrong: loss > 0.0 })
    }

    fn picture(
        &mut self,
        output: &[f32],
        scale: Option<Scale>,
        (target, label): (&OutputTarget<'_>, &[u8]),
    ) -> Option<ScoredAnswer> {
        (output.len() == label.len()).then_some(())?;
        let mut errors = 0.0;
        let mut drawn = Vec::with_capacity(label.len());
        for (place, (&number, &byte)) in output.iter().zip(label).enumerate() {
            let number = scale.map_or(f64::from(number), |scale| scale.of_one(number));
            let byte_like = target.restore(place, number);
            let error = byte_like - f64::from(byte);
            self.errors.add(error);
            errors += error.abs();
            drawn.push(byte_like.round().clamp(0.0, 255.0) as u8);
        }
        let loss = errors / label.len().max(1) as f64;
        let (label, predicted) = (Answer::Bytes(label.to_vec()), Answer::Bytes(drawn));
        Some(ScoredAnswer { label, predicted, probability: None, loss, wrong: loss > 0.0 })
    }

    fn count(&mut self, label: usize, predicted: usize) {
        let counts = &mut self.counts;
        counts.each[label].support += 1;
        counts.each[predicted].predicted += 1;
        counts.each[label].right += u64::from(label == predicted);
        if let Some(row) = counts.counts.get_mut(label) {
            row[predicted] += 1;
        }
    }

    /// The counts, complete.
    pub fn finish(self) -> Details {
        let (worst, random) = self.kept.finish();
        match self.task {
            _ if self.failed || self.target.is_none() => Details::None,
            Task::Class { .. } | Task::ClassPerPosition { .. } | Task::Labels { .. } => {
                Details::Classes(ClassCounts { worst, random, ..self.counts })
            }
            Task::Other => Details::None,
            _ => {
                let (mean_absolute, root_mean_square) = self.errors.means();
                let column = |(column, sums): (NumberColumn, ErrorSums)| {
                    let (mean_absolute, root_mean_square) = sums.means();
                    let count = sums.count;
                    NumberColumn { mean_absolute, root_mean_square, count, ..column }
                };
                let columns = self.columns.into_iter().take(MOST_COLUMNS).map(column).collect();
                Details::Numbers(NumberErrors {
                    mean_absolute,
                    root_mean_square,
                    columns,
                    worst,
                    random,
                })
            }
        }
    }
}

/// The place of the largest number, the first of equals.
pub(crate) fn largest(values: &[f64]) -> usize {
    let better = |best: usize, (index, value): (usize, &f64)| {
        if *value > values[best] { index } else { best }
    };
    values.iter().enumerate().fold(0, better)
}

#[cfg(test)]
mod tests;
