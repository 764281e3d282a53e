//! The training loop: epochs of shuffled batches, validation after each, a test at the end.
//!
//! What goes in is compiled (a step for full batches, one for the last smaller batch, evaluation
//! steps) and loaded (a data set); what comes out is a record of each epoch. The loop itself
//! allocates nothing a step: samples are copied into the step's inputs from where they lie, or from
//! where threads of their own have prepared them ([`crate::data::Feed`]).
//!
//! The same data, seed and program give the same bits whatever the number of threads.

use crate::base::tensor::Tensor;
use crate::data::{Dataset, Feed, FeedError, Pass, Plan, Split};
use crate::loops::Uniforms;
use crate::runtime::pool::Pool;
use crate::runtime::program::{Fault, Memory, Program, StepArgs};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

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
    /// A value for each of the program's hyper-parameters.
    pub hypers: Vec<f64>,
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

/// The optimiser's arguments that are schedules, to be told what they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedules {
    /// Their names: `lr`.
    pub names: Vec<String>,
    /// Their values, in the same order, as a step computes them.
    pub uniforms: Uniforms,
    /// A value for each hyper-parameter.
    pub hypers: Vec<f64>,
}

impl Schedules {
    /// Names and values at a step, which counts from 1.
    pub fn at(&self, step: u64) -> Vec<(String, f32)> {
        self.names.iter().cloned().zip(self.uniforms.eval(step, &self.hypers)).collect()
    }
}

impl Steps {
    /// The step for so many samples of a pass.
    fn of(&self, pass: Pass, samples: usize) -> &Step {
        if pass.trains() {
            return match &self.last {
                Some(last) if samples == last.batch => last,
                _ => &self.train,
            };
        }
        let step = self.evaluate.get(&samples);
        step.expect("an evaluation step was compiled for each batch of each split")
    }
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
    /// What changes from step to step.
    pub schedules: Schedules,
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
    /// What the optimiser's scheduled arguments were in the last step.
    pub scheduled: Vec<(String, f32)>,
    /// Steps made.
    pub steps: usize,
    /// Samples trained on.
    pub samples: usize,
    /// Seconds of training, without validation.
    pub seconds: f64,
    /// Seconds of those until the samples of each step were in its inputs.
    pub data_seconds: f64,
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
    /// A sample cannot be read or prepared.
    Data(FeedError),
}

/// A run: compiled steps, their memory, threads and data.
pub struct Trainer<'a> {
    steps: &'a Steps,
    memory: Memory,
    pool: &'a mut Pool,
    data: &'a Dataset,
    feed: Feed,
    settings: Settings,
    steps_made: u64,
    /// How long steps of this run have waited for their samples.
    waited: Duration,
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
        let plan = Plan {
            seed: settings.seed,
            shuffle: settings.shuffle,
            batch: steps.train.batch,
            keep_last: steps.last.is_some(),
            evaluation_batch: settings.evaluation_batch,
            threads: pool.threads(),
        };
        let feed = Feed::new(data, plan);
        let waited = Duration::ZERO;
        Trainer { steps, memory, pool, data, feed, settings, steps_made: 0, waited }
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
            if self.data.validation.count() > 0 {
                let next = self.after(epoch);
                record.validation = Some(self.evaluate(Pass::Validation, &next)?);
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
        let pass = Pass::Train { epoch: epoch as u64 };
        let mut then = self.after(epoch);
        if self.data.validation.count() > 0 {
            then.insert(0, Pass::Validation);
        }
        self.feed.begin(pass, &then);
        let batches = self.feed.batches();
        if batches == 0 {
            return Err(TrainError::NoSamples(pass.split()));
        }
        let (epochs, steps) = (self.settings.epochs, batches);
        watcher.event(Event::EpochStarted { epoch, epochs, steps });
        let mut tally = Tally::new(&self.steps.train.program);
        let mut grad_norm = 0.0;
        let (start, waited) = (Instant::now(), self.waited);
        for index in 0..steps {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            self.steps_made += 1;
            let Some(step) = self.step(pass)? else { break };
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
            scheduled: self.settings.schedules.at(self.steps_made),
            steps,
            seconds: start.elapsed().as_secs_f64(),
            data_seconds: (self.waited - waited).as_secs_f64(),
        }))
    }

    /// What comes after an epoch and its validation.
    fn after(&self, epoch: usize) -> Vec<Pass> {
        match epoch < self.settings.epochs {
            true => vec![Pass::Train { epoch: epoch as u64 + 1 }],
            false if self.data.test.count() > 0 => vec![Pass::Test],
            false => Vec::new(),
        }
    }

    /// Scores of a split, with the parameters as they are.
    fn evaluate(&mut self, pass: Pass, then: &[Pass]) -> Result<Scores, TrainError> {
        self.feed.begin(pass, then);
        let mut tally: Option<Tally> = None;
        while let Some(step) = self.step(pass)? {
            let tally = tally.get_or_insert_with(|| Tally::new(&step.program));
            tally.add(step, &self.memory);
        }
        tally.map(Tally::scores).ok_or(TrainError::NoSamples(pass.split()))
    }

    /// Runs a step on the next batch of a pass, and says which it was; `None` after the last one.
    fn step(&mut self, pass: Pass) -> Result<Option<&'a Step>, TrainError> {
        let start = Instant::now();
        let batch = self.feed.next_batch().map_err(TrainError::Data)?;
        let Some(batch) = batch else { return Ok(None) };
        let step = self.steps.of(pass, batch.samples.len());
        for (index, input) in step.inputs.iter().enumerate() {
            // A field that nothing in the step reads has no buffer.
            if step.program.buffer(input).is_some() {
                let room = step.program.bytes_mut(&mut self.memory, input);
                batch.copy(index, room).map_err(TrainError::Data)?;
            }
        }
        self.waited += start.elapsed();
        let args =
            StepArgs { step: self.steps_made, seed: self.settings.seed, hypers: &step.hypers };
        let ran = step.program.run(&mut self.memory, self.pool, &args);
        let split = self.data.split(pass);
        ran.map_err(|fault| bad_index(fault, step, split, pass.split(), batch.samples))?;
        Ok(Some(step))
    }

    /// Scores of the test split, if there is one.
    pub fn test(&mut self) -> Result<Option<Scores>, TrainError> {
        if self.data.test.count() == 0 {
            return Ok(None);
        }
        self.evaluate(Pass::Test, &[]).map(Some)
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
