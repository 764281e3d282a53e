//! The training loop: epochs of shuffled batches, validation after each, a test at the end.
//!
//! What goes in is compiled (a step for full batches, one for the last smaller batch, evaluation
//! steps) and loaded (a data set); what comes out is a record of each epoch. The loop itself
//! allocates nothing a step: samples are copied straight into the step's inputs.
//!
//! The same data, seed and program give the same bits whatever the number of threads.

use crate::base::tensor::Tensor;
use crate::data::{Dataset, Split, order};
use crate::runtime::pool::Pool;
use crate::runtime::program::{Fault, Memory, Program, StepArgs};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A compiled step and the number of samples that it takes.
pub struct Step {
    /// The code.
    pub program: Program,
    /// Samples a step.
    pub batch: usize,
    /// The input buffer of each field of a sample, in the data's order.
    pub inputs: Vec<String>,
    /// How many indices each operator takes from a sample whose indices come from data.
    pub indices: Vec<usize>,
}

/// The steps of a run.
pub struct Steps {
    /// One step of training.
    pub train: Step,
    /// Training on what is left of an epoch after the full batches, where that is kept.
    pub last: Option<Step>,
    /// Evaluation, by batch; the splits of a data set need its full batch and their remainders.
    pub evaluate: BTreeMap<usize, Step>,
}

/// How to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Passes over the training data.
    pub epochs: usize,
    /// What initial values, shuffling and random operators are drawn from.
    pub seed: u64,
    /// Whether each epoch has an order of its own.
    pub shuffle: bool,
    /// Samples a step of evaluation.
    pub evaluation_batch: usize,
}

/// A loss and metrics, averaged over samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// The mean loss.
    pub loss: f64,
    /// Each metric's name and value.
    pub metrics: Vec<(String, f64)>,
}

/// One epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRecord {
    /// Its number, from 1.
    pub epoch: usize,
    /// Scores on the training data, of the parameters as they were at each step.
    pub train: Scores,
    /// Scores on the validation data after the epoch, where there is any.
    pub validation: Option<Scores>,
    /// The mean Euclidean norm of the gradient.
    pub grad_norm: f64,
    /// Steps made.
    pub steps: usize,
    /// Samples trained on.
    pub samples: usize,
    /// Seconds of training, without validation.
    pub seconds: f64,
}

/// What a watcher is told.
pub enum Event<'a> {
    /// An epoch begins.
    EpochStarted {
        /// Its number, from 1.
        epoch: usize,
        /// How many there will be.
        epochs: usize,
        /// How many steps it has.
        steps: usize,
    },
    /// Some steps were made.
    Stepped {
        /// How many of this epoch.
        step: usize,
    },
    /// An epoch has ended, validation included.
    EpochEnded {
        /// What it was.
        record: &'a EpochRecord,
        /// How many there will be.
        epochs: usize,
    },
}

/// Who follows a run.
pub trait Watcher {
    /// Told what happens, in order.
    fn event(&mut self, event: Event<'_>);
}

/// How training ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All epochs were made.
    Finished,
    /// It was asked to stop, and did after a whole step.
    Stopped,
}

/// What ends a run early.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainError {
    /// The loss or gradient is infinite or not a number; the parameters are as before the step.
    NotFinite {
        /// The epoch, from 1.
        epoch: usize,
        /// The step of the epoch, from 1.
        step: usize,
        /// The loss.
        loss: f32,
    },
    /// A label or index is outside its range.
    BadIndex {
        /// Which of the program's indexed operators.
        site: u32,
        /// The split.
        split: &'static str,
        /// The sample's number in the data that the split was taken from, from 0.
        sample: usize,
    },
    /// A split has too few samples for what was asked.
    NoSamples(&'static str),
}

/// A run: compiled steps, their memory, threads and data.
pub struct Trainer<'a> {
    steps: &'a Steps,
    memory: Memory,
    pool: &'a mut Pool,
    data: &'a Dataset,
    settings: Settings,
    hypers: Vec<f64>,
    steps_made: u64,
}

/// Steps between two looks at the bar: often enough to be live, too rare to cost anything.
const STEPS_A_TICK: usize = 16;

impl<'a> Trainer<'a> {
    /// A run that has not begun. `initial` holds the first value of every parameter and state.
    pub fn new(
        steps: &'a Steps,
        mut memory: Memory,
        pool: &'a mut Pool,
        data: &'a Dataset,
        settings: Settings,
        initial: &[(String, Tensor)],
    ) -> Self {
        for (name, value) in initial {
            steps.train.program.write(&mut memory, name, value);
        }
        steps.train.program.refresh(&mut memory, pool);
        let written = &steps.train.program.loops().uniforms.hypers;
        let hypers = written.iter().map(|&(_, value)| value).collect();
        Trainer { steps, memory, pool, data, settings, hypers, steps_made: 0 }
    }

    /// Trains until the epochs are made or `stop` is set.
    pub fn train(
        &mut self,
        watcher: &mut dyn Watcher,
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        let epochs = self.settings.epochs;
        for epoch in 1..=epochs {
            let Some(mut record) = self.epoch(epoch, watcher, stop)? else {
                return Ok(Outcome::Stopped);
            };
            let data = self.data;
            if data.validation.count() > 0 {
                record.validation = Some(self.evaluate(&data.validation, "validation")?);
            }
            watcher.event(Event::EpochEnded { record: &record, epochs });
        }
        Ok(Outcome::Finished)
    }

    /// One pass over the training data; `None` if it was stopped.
    fn epoch(
        &mut self,
        epoch: usize,
        watcher: &mut dyn Watcher,
        stop: &AtomicBool,
    ) -> Result<Option<EpochRecord>, TrainError> {
        let data = self.data;
        let split = &data.train;
        let order = order(self.settings.seed, epoch as u64, split.count(), self.settings.shuffle);
        let batches = self.batches(order.len());
        if batches.is_empty() {
            return Err(TrainError::NoSamples("train"));
        }
        let (epochs, steps) = (self.settings.epochs, batches.len());
        watcher.event(Event::EpochStarted { epoch, epochs, steps });
        let mut tally = Tally::new(&self.steps.train.program);
        let mut grad_norm = 0.0;
        let start = Instant::now();
        for (index, range) in batches.into_iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let samples = &order[range];
            let step = match &self.steps.last {
                Some(last) if samples.len() == last.batch => last,
                _ => &self.steps.train,
            };
            self.steps_made += 1;
            let args =
                StepArgs { step: self.steps_made, seed: self.settings.seed, hypers: &self.hypers };
            run_step(step, &mut self.memory, self.pool, split, samples, &args)
                .map_err(|fault| bad_index(fault, step, split, "train", samples))?;
            let loss = tally.add(step, &self.memory);
            if output(step, &self.memory, "output.finite") != [1.0] {
                return Err(TrainError::NotFinite { epoch, step: index + 1, loss });
            }
            grad_norm += f64::from(output(step, &self.memory, "output.grad_norm")[0]);
            if (index + 1) % STEPS_A_TICK == 0 {
                watcher.event(Event::Stepped { step: index + 1 });
            }
        }
        Ok(Some(EpochRecord {
            epoch,
            samples: tally.samples,
            train: tally.scores(),
            validation: None,
            grad_norm: grad_norm / steps as f64,
            steps,
            seconds: start.elapsed().as_secs_f64(),
        }))
    }

    /// The ranges of an epoch's order that are steps.
    fn batches(&self, samples: usize) -> Vec<std::ops::Range<usize>> {
        let batch = self.steps.train.batch;
        let keep = self.steps.last.as_ref().map_or(0, |last| last.batch);
        let full = samples / batch * batch;
        let mut ranges: Vec<_> =
            (0..full).step_by(batch).map(|start| start..start + batch).collect();
        if keep > 0 && full + keep == samples {
            ranges.push(full..samples);
        }
        ranges
    }

    /// Scores of a split, with the parameters as they are.
    pub fn evaluate(&mut self, split: &Split, name: &'static str) -> Result<Scores, TrainError> {
        let samples: Vec<u32> = (0..split.count() as u32).collect();
        let step_of = |batch: usize| {
            let step = self.steps.evaluate.get(&batch);
            step.expect("an evaluation step was compiled for each batch of each split")
        };
        let mut batches = samples.chunks(self.settings.evaluation_batch).peekable();
        let first = batches.peek().ok_or(TrainError::NoSamples(name))?;
        let mut tally = Tally::new(&step_of(first.len()).program);
        let args =
            StepArgs { step: self.steps_made, seed: self.settings.seed, hypers: &self.hypers };
        for batch in batches {
            let step = step_of(batch.len());
            run_step(step, &mut self.memory, self.pool, split, batch, &args)
                .map_err(|fault| bad_index(fault, step, split, name, batch))?;
            tally.add(step, &self.memory);
        }
        Ok(tally.scores())
    }

    /// Scores of the test split, if there is one.
    pub fn test(&mut self) -> Result<Option<Scores>, TrainError> {
        let data = self.data;
        if data.test.count() == 0 {
            return Ok(None);
        }
        self.evaluate(&data.test, "test").map(Some)
    }

    /// The parameters and states as they are.
    pub fn read(&self, name: &str) -> Tensor {
        self.steps.train.program.read(&self.memory, name)
    }

    /// Steps of training made so far.
    pub fn steps_made(&self) -> u64 {
        self.steps_made
    }
}

/// Copies the samples into the step's inputs and runs it.
fn run_step(
    step: &Step,
    memory: &mut Memory,
    pool: &mut Pool,
    split: &Split,
    samples: &[u32],
    args: &StepArgs<'_>,
) -> Result<(), Fault> {
    debug_assert_eq!(samples.len(), step.batch);
    for (index, input) in step.inputs.iter().enumerate() {
        // A field that nothing in the step reads has no buffer.
        if step.program.buffer(input).is_some() {
            split.copy_batch(samples, index, step.program.bytes_mut(memory, input));
        }
    }
    step.program.run(memory, pool, args)
}

/// The value of an output that every step has.
fn output<'m>(step: &Step, memory: &'m Memory, name: &str) -> &'m [f32] {
    step.program.f32s(memory, name)
}

fn bad_index(
    fault: Fault,
    step: &Step,
    split: &Split,
    name: &'static str,
    samples: &[u32],
) -> TrainError {
    let row = fault.element / step.indices[fault.site as usize];
    let sample = split.original(samples[row]) as usize;
    TrainError::BadIndex { site: fault.site, split: name, sample }
}

/// Sums over the samples of several steps.
struct Tally {
    samples: usize,
    loss: f64,
    metrics: Vec<Metric>,
}

/// A metric's sums: a mean weighs samples, a ratio divides sums.
struct Metric {
    name: String,
    buffer: String,
    numerator: f64,
    denominator: f64,
}

impl Tally {
    /// Nothing summed yet of what a program computes.
    fn new(program: &Program) -> Tally {
        const PREFIX: &str = "output.metric.";
        let names = program.loops().buffers.values().map(|buffer| &buffer.name);
        let metrics = names.filter_map(|buffer| {
            let name = buffer.strip_prefix(PREFIX)?.to_string();
            Some(Metric { name, buffer: buffer.clone(), numerator: 0.0, denominator: 0.0 })
        });
        Tally { samples: 0, loss: 0.0, metrics: metrics.collect() }
    }

    /// Adds what a step has left in its outputs; returns its loss.
    fn add(&mut self, step: &Step, memory: &Memory) -> f32 {
        let loss = output(step, memory, "output.loss")[0];
        let weight = step.batch as f64;
        self.samples += step.batch;
        self.loss += f64::from(loss) * weight;
        for metric in &mut self.metrics {
            let (numerator, denominator) = match *output(step, memory, &metric.buffer) {
                [mean] => (f64::from(mean) * weight, weight),
                [numerator, denominator] => (f64::from(numerator), f64::from(denominator)),
                ref other => panic!("a metric has 1 or 2 values, not {}", other.len()),
            };
            metric.numerator += numerator;
            metric.denominator += denominator;
        }
        loss
    }

    fn scores(self) -> Scores {
        let value = |metric: Metric| {
            let empty = metric.denominator == 0.0;
            let value = if empty { 0.0 } else { metric.numerator / metric.denominator };
            (metric.name, value)
        };
        Scores {
            loss: self.loss / self.samples as f64,
            metrics: self.metrics.into_iter().map(value).collect(),
        }
    }
}
