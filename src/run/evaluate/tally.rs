//! Counts over a model's outputs, by its task: which class was taken for which, or how far
//! numbers are off.
//!
//! ```text
//! Task::Class             a table of classes × classes, the samples that are most wrong
//! Task::ClassPerPosition  the same, of positions
//! Task::Labels            the same, of no and yes
//! Task::Numbers           the mean absolute error and the root of the mean square
//! Task::Other             nothing: only the loss knows
//! ```
//!
//! Memory is bounded by [`tally_bytes`], whatever the data: targets are read batch by batch, and with
//! many classes there is no table, only counts for each.

use crate::base::schema::{Field, FieldRecipe};
use crate::base::step_output::StepOutput;
use crate::base::task::{OutputTask, Scale, Task};
use crate::base::tensor::DType;
use crate::data::Split;
use crate::data::transform::Transforms;
use crate::runtime::trainer::EvaluatedBatch;

/// More classes have no table.
pub const MOST_CLASSES: usize = 1000;

/// Results beside loss and metrics.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Details {
    /// Classes, of samples or of positions.
    Classes(ClassCounts),
    /// Numbers.
    Numbers(NumberErrors),
    /// Nothing can be said.
    #[default]
    None,
}

/// Confusions of classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassCounts {
    /// How often each class (the row) was taken for each (the column); empty with more than
    /// [`MOST_CLASSES`].
    pub counts: Vec<Vec<u64>>,
    /// For each class, how often it is right to say it, how often that was said, and how often both.
    pub each: Vec<ClassCount>,
    /// Counts a sample: 1, or its positions or labels.
    pub positions: usize,
    /// Whether classes are the two answers to labels of a sample.
    pub labels: bool,
    /// The samples whose true class got the least probability, the worst first.
    pub worst: Vec<WorstSample>,
}

/// How often a class came up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassCount {
    /// It was right.
    pub support: u64,
    /// It was predicted.
    pub predicted: u64,
    /// Both.
    pub right: u64,
}

/// How far numbers are off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NumberErrors {
    /// The mean of `|output − target|`.
    pub mean_absolute: f64,
    /// The root of the mean of `(output − target)²`.
    pub root_mean_square: f64,
    /// The samples that are furthest off, the worst first; of single numbers only.
    pub worst: Vec<WorstSample>,
}

/// A sample that a model is wrong about.
#[derive(Clone, Debug, PartialEq)]
pub struct WorstSample {
    /// Its index in the split.
    pub index: u32,
    /// The true class or number.
    pub label: ClassOrNumber,
    /// The prediction.
    pub predicted: ClassOrNumber,
    /// The probability of that, where there is one.
    pub probability: Option<f64>,
    /// The negative logarithm of the true class's; of numbers, how far they are apart.
    pub loss: f64,
}

/// A class or a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClassOrNumber {
    /// A class, by its number.
    Class(usize),
    /// A number.
    Number(f64),
}

impl ClassCounts {
    /// Right predictions, and all predictions.
    pub fn right(&self) -> (u64, u64) {
        let sum = |of: fn(&ClassCount) -> u64| self.each.iter().map(of).sum();
        (sum(|it| it.right), sum(|it| it.support))
    }
}

/// Bytes that counting takes at most, beside the data.
pub fn tally_bytes(task: Task, worst: usize) -> usize {
    let classes = match task {
        Task::Class { classes, .. } | Task::ClassPerPosition { classes, .. } => classes,
        Task::Labels { .. } => 2,
        Task::Numbers { .. } | Task::Other => return worst * size_of::<WorstSample>(),
    };
    let table = if classes <= MOST_CLASSES { classes * classes * size_of::<u64>() } else { 0 };
    // The probabilities of one sample come and go.
    table
        + classes * (size_of::<ClassCount>() + size_of::<f64>())
        + worst * size_of::<WorstSample>()
}

/// Counts what a model makes of a split, batch by batch.
pub(super) struct Tally<'a> {
    split: &'a Split,
    /// The transforms of the split's images and masks before a step.
    transforms: &'a Transforms,
    /// The output that is looked at.
    output: StepOutput,
    /// The place of its target among the fields of a sample.
    target_place: Option<usize>,
    task: Task,
    /// The label that does not count.
    ignore: Option<f64>,
    keep: usize,
    target: Vec<u8>,
    counts: ClassCounts,
    /// Sums of errors, of their squares, and how many.
    errors: (f64, f64, u64),
    worst: Vec<WorstSample>,
    /// Whether what was seen is not what the task says.
    failed: bool,
}

impl<'a> Tally<'a> {
    /// Nothing counted yet.
    pub fn new(
        (split, transforms): (&'a Split, &'a Transforms),
        of: &OutputTask,
        keep: usize,
    ) -> Tally<'a> {
        let task = of.task;
        let named = |field: &Field| Some(&field.name) == of.target.as_ref();
        let target_place = split.fields().iter().position(named);
        let output = StepOutput::of_model(&of.output);
        let (classes, positions) = match task {
            Task::Class { classes, .. } => (classes, 1),
            Task::ClassPerPosition { classes, positions, .. } => (classes, positions),
            Task::Labels { labels, .. } => (2, labels),
            Task::Numbers { .. } | Task::Other => (0, 0),
        };
        let table = if classes <= MOST_CLASSES { classes } else { 0 };
        let counts = ClassCounts {
            counts: vec![vec![0; table]; table],
            each: vec![ClassCount::default(); classes],
            positions,
            labels: matches!(task, Task::Labels { .. }),
            worst: Vec::new(),
        };
        let (errors, worst, target) = ((0.0, 0.0, 0), Vec::new(), Vec::new());
        let (ignore, failed) = (of.ignore.map(|label| label as f64), false);
        Tally {
            split,
            transforms,
            output,
            target_place,
            task,
            ignore,
            keep,
            target,
            counts,
            errors,
            worst,
            failed,
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
        let index = self.target_place?;
        let field = &self.split.fields()[index];
        let (dtype, recipe) = (field.dtype, field.recipe.clone());
        let size = self.transforms.evaluated_bytes(index).unwrap_or(field.bytes());
        let mut target = std::mem::take(&mut self.target);
        target.resize(samples.len() * size, 0);
        self.transforms.copy_evaluated(self.split, samples, index, &mut target).ok()?;
        let numbers = output.len() / samples.len().max(1);
        let rows = samples.iter().zip(output.chunks_exact(numbers)).zip(target.chunks_exact(size));
        for ((&sample, output), target) in rows {
            let targets: Vec<f64> = numbers_of(dtype, target)?;
            match self.task {
                Task::Class { classes, scale } | Task::ClassPerPosition { classes, scale, .. } => {
                    self.add_classes(sample, output, &targets, classes, scale)?;
                }
                Task::Labels { scale, .. } => self.add_labels(sample, output, &targets, scale)?,
                Task::Numbers { .. } => {
                    self.add_numbers(sample, output, &targets, recipe.as_deref())?;
                }
                Task::Other => {}
            }
        }
        self.target = target;
        Some(())
    }

    fn add_classes(
        &mut self,
        sample: u32,
        output: &[f32],
        targets: &[f64],
        classes: usize,
        scale: Scale,
    ) -> Option<()> {
        for (position, numbers) in output.chunks_exact(classes).enumerate() {
            // One target is that of all positions.
            let target = *targets.get(if targets.len() == 1 { 0 } else { position })?;
            if self.ignore == Some(target) {
                continue;
            }
            let label = class_of(target, classes)?;
            let values = scale.apply(numbers);
            let predicted = largest(&values);
            self.count(label, predicted);
            if predicted != label && self.counts.positions == 1 {
                let probability = scale.is_sure().then_some(values[predicted]);
                let loss = match scale.is_sure() {
                    true => -values[label].max(f64::MIN_POSITIVE).ln(),
                    false => values[predicted] - values[label],
                };
                let (label, predicted) =
                    (ClassOrNumber::Class(label), ClassOrNumber::Class(predicted));
                self.remember(WorstSample { index: sample, label, predicted, probability, loss });
            }
        }
        Some(())
    }

    fn add_labels(
        &mut self,
        sample: u32,
        output: &[f32],
        targets: &[f64],
        scale: Scale,
    ) -> Option<()> {
        (output.len() == targets.len()).then_some(())?;
        for (&number, &target) in output.iter().zip(targets) {
            let label = class_of(target, 2)?;
            let yes = scale.of_one(number);
            let predicted = usize::from(yes > 0.5);
            self.count(label, predicted);
            if predicted != label && self.counts.positions == 1 {
                let of = |class: usize| if class == 1 { yes } else { 1.0 - yes };
                let loss = -of(label).max(f64::MIN_POSITIVE).ln();
                let probability = Some(of(predicted));
                let (label, predicted) =
                    (ClassOrNumber::Class(label), ClassOrNumber::Class(predicted));
                self.remember(WorstSample { index: sample, label, predicted, probability, loss });
            }
        }
        Some(())
    }

    /// Numbers are compared as the source has them: transforms are turned back.
    fn add_numbers(
        &mut self,
        sample: u32,
        output: &[f32],
        targets: &[f64],
        recipe: Option<&FieldRecipe>,
    ) -> Option<()> {
        (output.len() == targets.len()).then_some(())?;
        for (column, (&number, &target)) in output.iter().zip(targets).enumerate() {
            let restore = |y: f64| recipe.map_or(y, |recipe| recipe.restore(column, y));
            let (number, target) = (restore(f64::from(number)), restore(target));
            let error = (number - target).abs();
            let (sum, squares, count) = &mut self.errors;
            (*sum, *squares, *count) = (*sum + error, *squares + error * error, *count + 1);
            if output.len() == 1 && error > 0.0 {
                let (label, predicted) =
                    (ClassOrNumber::Number(target), ClassOrNumber::Number(number));
                let (probability, loss) = (None, error);
                self.remember(WorstSample { index: sample, label, predicted, probability, loss });
            }
        }
        Some(())
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

    fn remember(&mut self, sample: WorstSample) {
        let place = self.worst.partition_point(|other| other.loss >= sample.loss);
        if place < self.keep {
            self.worst.insert(place, sample);
            self.worst.truncate(self.keep);
        }
    }

    /// The counts, complete.
    pub fn finish(self) -> Details {
        match self.task {
            _ if self.failed => Details::None,
            Task::Class { .. } | Task::ClassPerPosition { .. } | Task::Labels { .. } => {
                Details::Classes(ClassCounts { worst: self.worst, ..self.counts })
            }
            Task::Numbers { .. } => {
                let (sum, squares, count) = self.errors;
                Details::Numbers(NumberErrors {
                    mean_absolute: sum / count as f64,
                    root_mean_square: (squares / count as f64).sqrt(),
                    worst: self.worst,
                })
            }
            Task::Other => Details::None,
        }
    }
}

/// A target as a class; nothing where it is none.
fn class_of(target: f64, classes: usize) -> Option<usize> {
    (target >= 0.0 && target.fract() == 0.0 && target < classes as f64).then_some(target as usize)
}

/// The numbers of a sample's target.
fn numbers_of(dtype: DType, bytes: &[u8]) -> Option<Vec<f64>> {
    let words = || bytes.as_chunks::<4>().0.iter();
    match dtype {
        DType::I32 => Some(words().map(|&word| f64::from(i32::from_le_bytes(word))).collect()),
        DType::F32 => Some(words().map(|&word| f64::from(f32::from_le_bytes(word))).collect()),
        DType::U8 | DType::Bool => Some(bytes.iter().map(|&byte| f64::from(byte)).collect()),
        DType::F64 => None,
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
mod tests {
    use super::*;
    use crate::base::schema::Field;
    use crate::data::{Column, Samples};
    use std::sync::{Arc, LazyLock};

    static UNCHANGED: LazyLock<Transforms> = LazyLock::new(Transforms::default);

    /// Samples of which only the target matters.
    fn split(dtype: DType, shape: &[usize], bytes: Vec<u8>, count: usize) -> Split {
        let field = Field { dtype, shape: shape.to_vec(), ..Field::class("label", None) };
        Split::all(Arc::new(Samples::new(count, vec![(field, Column::Memory(bytes))])))
    }

    fn labels(labels: &[i32]) -> Split {
        let bytes = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        split(DType::I32, &[], bytes, labels.len())
    }

    fn of(task: Task) -> OutputTask {
        let (output, target) = (StepOutput::ONLY.into(), Some("label".into()));
        OutputTask { output, target, task, ignore: None }
    }

    fn classes(details: Details) -> ClassCounts {
        match details {
            Details::Classes(counts) => counts,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn classes_of_samples_are_counted_and_the_worst_kept() {
        let split = labels(&[0, 1, 1]);
        let mut tally = Tally::new(
            (&split, &UNCHANGED),
            &of(Task::Class { classes: 2, scale: Scale::Logits }),
            1,
        );
        tally.try_add(&[2.0, 0.0, 3.0, 0.0], &[0, 1]).unwrap();
        tally.try_add(&[9.0, 0.0], &[2]).unwrap();
        let counts = classes(tally.finish());
        assert_eq!(counts.counts, [[1, 0], [2, 0]]);
        assert_eq!(counts.right(), (1, 3));
        assert_eq!(counts.worst.len(), 1);
        assert_eq!((counts.worst[0].index, counts.worst[0].label), (2, ClassOrNumber::Class(1)));
    }

    #[test]
    fn positions_are_counted_and_many_classes_have_no_table() {
        // Two positions of three classes, each with a target of its own.
        let split = split(DType::U8, &[2], vec![2, 0], 1);
        let task = Task::ClassPerPosition { positions: 2, classes: 3, scale: Scale::Scores };
        let mut tally = Tally::new((&split, &UNCHANGED), &of(task), 4);
        tally.try_add(&[0.0, 0.0, 1.0, 0.0, 5.0, 1.0], &[0]).unwrap();
        let counts = classes(tally.finish());
        assert_eq!((counts.right(), counts.worst.len()), ((1, 2), 0));
        assert_eq!(counts.counts, [[0, 1, 0], [0, 0, 0], [0, 0, 1]]);

        let many = Task::Class { classes: 36_864, scale: Scale::Logits };
        assert!(tally_bytes(many, 24) < 2 << 20, "{}", tally_bytes(many, 24));
        assert_eq!(Tally::new((&split, &UNCHANGED), &of(many), 0).counts.counts.len(), 0);
    }

    #[test]
    fn an_ignored_label_is_in_no_count() {
        let split = split(DType::U8, &[3], vec![2, 255, 0], 1);
        let task = Task::ClassPerPosition { positions: 3, classes: 3, scale: Scale::Logits };
        let ignoring = OutputTask { ignore: Some(255), ..of(task) };
        let outputs = [0.0, 0.0, 1.0, 0.0, 5.0, 1.0, 0.0, 5.0, 1.0];
        let mut tally = Tally::new((&split, &UNCHANGED), &ignoring, 4);
        tally.try_add(&outputs, &[0]).unwrap();
        assert_eq!(classes(tally.finish()).counts, [[0, 1, 0], [0, 0, 0], [0, 0, 1]]);
        // Where it is not ignored, it is no class, and nothing is said.
        assert_eq!(Tally::new((&split, &UNCHANGED), &of(task), 4).try_add(&outputs, &[0]), None);
    }

    #[test]
    fn yes_and_no_are_told_by_the_sigmoid() {
        let split = labels(&[0, 1, 1, 0]);
        let task = Task::Labels { labels: 1, scale: Scale::Sigmoids };
        let mut tally = Tally::new((&split, &UNCHANGED), &of(task), 4);
        tally.try_add(&[-1.0, 2.0, -3.0, -0.5], &[0, 1, 2, 3]).unwrap();
        let counts = classes(tally.finish());
        assert_eq!(counts.counts, [[2, 0], [1, 1]]);
        let probability = counts.worst[0].probability.unwrap();
        assert!((probability - 0.952_574_126_8).abs() < 1e-9, "{probability}");
    }

    #[test]
    fn numbers_have_errors_and_no_classes() {
        let split = labels(&[3, 5]);
        let mut tally = Tally::new((&split, &UNCHANGED), &of(Task::Numbers { numbers: 1 }), 4);
        tally.try_add(&[4.0, 2.0], &[0, 1]).unwrap();
        let Details::Numbers(errors) = tally.finish() else { panic!("numbers") };
        assert_eq!(errors.mean_absolute, 2.0);
        assert_eq!(errors.root_mean_square, 5f64.sqrt());
        assert_eq!(
            (errors.worst[0].index, errors.worst[0].predicted),
            (1, ClassOrNumber::Number(2.0))
        );

        // More numbers than targets: nothing is said.
        let mut tally = Tally::new((&split, &UNCHANGED), &of(Task::Numbers { numbers: 2 }), 4);
        assert_eq!(tally.try_add(&[4.0, 2.0, 1.0, 1.0], &[0, 1]), None);
    }
}
