//! The training loop: epochs of shuffled batches, validation after each, a test at the end.
//!
//! Takes compiled steps (one for full batches, one for the last smaller batch, evaluation steps)
//! and an open data set; gives a record of each epoch. The loop itself allocates nothing a step:
//! samples are copied into the step's inputs from where they lie, or from where threads of their
//! own have prepared them ([`crate::data::Feed`]).
//!
//! The same data, seed and program give the same bits whatever the number of threads, and whether
//! or not a run was taken up again: what a run depends on is its memory and its [`TrainState`],
//! which a [`Callback`] is shown after every step.

mod batch;
pub mod control;
mod events;
pub(crate) mod exact;
mod guard;
mod refused;
mod scores;
mod setup;
mod state;
mod steps;
mod variables;

pub use batch::EvaluatedBatch;
pub use control::{Control, Decision};
pub use events::{Callback, Event, NotFinite, TrainError, TrainingOutcome};
pub use guard::SMALL_NORM;
pub use refused::RejectedStep;
pub use scores::{EpochRecord, ScoreSums, Scores};
pub use setup::{Average, Setup};
pub use state::{OpenEpoch, TrainState};
pub use steps::{
    BatchStep, BucketSteps, MetricOver, Schedules, StepInput, Steps, WrittenTensors, row_bytes,
};

use self::batch::{fill, output};
use crate::base::settings::{LastBatch, OnNan};
use crate::base::step_output::StepOutput;
use crate::base::tensor::Tensor;
use crate::data::{Dataset, Feed, Plan, Split, SplitPass};
use crate::runtime::pool::Pool;
use crate::runtime::program::{IndexFault, RunMemory};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A run: compiled steps, their memory, threads and data.
pub struct Trainer<'a> {
    steps: &'a Steps,
    memory: RunMemory,
    pool: &'a mut Pool,
    data: &'a Dataset,
    feed: Feed,
    setup: Setup,
    state: TrainState,
    /// A value for each hyper-parameter of the step that runs.
    hypers: Vec<f64>,
    /// The batch that is trained on: its samples' indices in the split.
    samples: Vec<u32>,
    /// Their bucket.
    bucket: usize,
    /// The step that was made last.
    made: Option<&'a BatchStep>,
    /// How long steps of this run have waited for their samples.
    waited: Duration,
    /// The loss of the batch that was trained on last.
    last_loss: f32,
    /// The arguments of that step beside its samples.
    last_args: TrainStepArgs,
    /// The number of that step that was not finite, if there was one: the step has written nothing
    /// then.
    refused: Option<NotFinite>,
    /// Keeps updates from writing numbers that are not finite.
    guard: guard::Guard,
    /// The parameters and states that no step reads or writes.
    idle: Vec<(String, Tensor)>,
}

/// Steps between two looks at the bar: often enough to be live, too rare to cost anything.
const STEPS_A_TICK: usize = 16;

/// Batches in a row that may be left out: more say that the run is lost.
const MOST_SKIPPED: u64 = 50;

/// Said where an epoch has taught nothing: `ignore` is every label.
const WEIGHTLESS: &str =
    "warning: no label of the first epoch counts: its loss and its gradients are 0";

impl<'a> Trainer<'a> {
    /// A run that has not begun. `initial` holds the first value of every parameter and state.
    pub fn new(
        steps: &'a Steps,
        memory: RunMemory,
        pool: &'a mut Pool,
        data: &'a Dataset,
        setup: Setup,
        initial: &[(String, Tensor)],
    ) -> Self {
        let plan = Plan {
            seed: setup.settings.seed,
            shuffle: setup.settings.shuffle,
            batch: steps.train.batch,
            keep_last: setup.settings.last_batch == LastBatch::Keep,
            evaluation_batch: setup.evaluation_batch,
            threads: pool.threads(),
        };
        let feed = Feed::new(data, plan);
        let mut trainer = Trainer {
            steps,
            memory,
            pool,
            data,
            feed,
            setup,
            state: TrainState::default(),
            hypers: Vec::new(),
            samples: Vec::new(),
            bucket: 0,
            made: None,
            waited: Duration::ZERO,
            last_loss: f32::NAN,
            last_args: TrainStepArgs { number: 0, seed: 0, share: 1.0 },
            refused: None,
            guard: guard::Guard::default(),
            idle: Vec::new(),
        };
        trainer.write(initial);
        trainer
    }

    /// Goes on from where another run was.
    pub fn resume(&mut self, state: TrainState, values: &[(String, Tensor)]) {
        self.write(values);
        self.state = state;
    }

    /// Trains until the epochs are made, nothing gets better, or `stop` is set.
    pub fn train(
        &mut self,
        callback: &mut dyn Callback,
        stop: &AtomicBool,
    ) -> Result<TrainingOutcome, TrainError> {
        while self.state.epoch < self.setup.settings.epochs {
            if self.state.stopped_early {
                return Ok(TrainingOutcome::StoppedEarly);
            }
            if !self.epoch(callback, stop)? {
                return Ok(TrainingOutcome::Stopped);
            }
            self.close_epoch(callback)?;
        }
        Ok(if self.state.stopped_early {
            TrainingOutcome::StoppedEarly
        } else {
            TrainingOutcome::Finished
        })
    }

    /// Trains on the rest of a pass over the training data. Returns whether it came to its end.
    fn epoch(
        &mut self,
        callback: &mut dyn Callback,
        stop: &AtomicBool,
    ) -> Result<bool, TrainError> {
        let epoch = self.state.epoch + 1;
        let pass = SplitPass::Train { epoch: epoch as u64 };
        let mut then = self.after(epoch);
        if self.data.validation.count() > 0 {
            then.insert(0, SplitPass::Validation);
        }
        let steps = self.feed.begin_at(pass, self.state.batch, &then);
        if steps == 0 {
            return Err(TrainError::NoSamples(pass.split()));
        }
        callback.on_event(Event::EpochStarted { epoch, epochs: self.setup.settings.epochs, steps });
        if self.state.batch == 0 {
            let tally = ScoreSums::new(&self.steps.metrics);
            self.state.open = OpenEpoch { tally, ..OpenEpoch::default() };
        }
        let (mut start, mut waited) = (Instant::now(), self.waited);
        while self.state.batch < steps {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let Some(step) = self.train_step(pass, steps)? else { break };
            self.score_step(step, callback)?;
            self.state.batch += 1;
            self.state.open.seconds += start.elapsed().as_secs_f64();
            self.state.open.data_seconds += (self.waited - waited).as_secs_f64();
            (start, waited) = (Instant::now(), self.waited);
            if self.state.batch.is_multiple_of(STEPS_A_TICK) {
                callback.on_event(Event::Stepped { step: self.state.batch, loss: self.last_loss });
            }
            if let Some(change) = self.pool.take_change() {
                callback.on_event(Event::ThreadsChanged(change));
            }
            if callback.halves_rate() {
                self.state.control.lr_scale *= 0.5;
                let (step, lr_scale) = (self.state.batch, self.state.control.lr_scale);
                callback.on_event(Event::RateHalved { epoch, step, lr_scale });
            }
            callback.on_step_end(self, None);
        }
        Ok(true)
    }

    /// Trains on the next batch; `None` after the last one.
    fn train_step(
        &mut self,
        pass: SplitPass,
        steps: usize,
    ) -> Result<Option<&'a BatchStep>, TrainError> {
        let every = self.setup.settings.accumulate;
        let updates = (self.state.batch + 1).is_multiple_of(every) || self.state.batch + 1 == steps;
        let first = self.state.batch / every * every;
        let share = 1.0 / self.feed.samples_of(first..(first + every).min(steps)) as f64;
        let args = TrainStepArgs { number: self.state.updates + 1, seed: self.seed(), share };
        self.last_args = args;
        let step = self.step(pass, updates, args)?;
        self.state.updates += u64::from(updates && step.is_some());
        Ok(step)
    }

    /// Seed of the next batch's random operators, beside the update's number: the
    /// batches of an update have numbers of their own.
    fn seed(&self) -> u64 {
        /// Far apart for batches, by an odd factor without a pattern (that of SplitMix64).
        const APART: u64 = 0x9e37_79b9_7f4a_7c15;
        let batch = (self.state.batch % self.setup.settings.accumulate) as u64;
        self.setup.settings.seed.wrapping_add(batch.wrapping_mul(APART))
    }

    /// Takes a step's numbers, or deals with those that are not finite.
    fn score_step(
        &mut self,
        step: &BatchStep,
        callback: &mut dyn Callback,
    ) -> Result<(), TrainError> {
        let loss = output(step, &self.memory, &StepOutput::Loss)[0];
        self.last_loss = loss;
        let Some(what) = self.refused else {
            self.state.open.tally.add(step, &self.steps.overs, &self.memory);
            if !self.accumulates(step) {
                let norm = output(step, &self.memory, &StepOutput::GradNorm)[0];
                self.state.open.grad_norm += f64::from(norm);
                self.state.open.norms += 1;
            }
            self.state.skipped_in_a_row = 0;
            return Ok(());
        };
        let (epoch, batch) = (self.state.epoch + 1, self.state.batch + 1);
        self.state.skipped += 1;
        self.state.skipped_in_a_row += 1;
        let in_a_row = self.state.skipped_in_a_row;
        if self.setup.settings.on_nan == OnNan::Stop || in_a_row >= MOST_SKIPPED {
            // The step has changed nothing: a run that is taken up again makes it again.
            self.state.updates =
                self.state.updates.saturating_sub(u64::from(!self.accumulates(step)));
            self.state.skipped -= 1;
            self.state.skipped_in_a_row -= 1;
            return Err(TrainError::NotFinite { what, epoch, step: batch, loss, in_a_row });
        }
        if self.setup.settings.on_nan == OnNan::HalveLr {
            self.state.control.lr_scale *= 0.5;
        }
        if !self.accumulates(step) {
            // The batches of an update are left out together.
            for sum in &self.setup.accumulated {
                step.program.bytes_mut(&mut self.memory, sum).fill(0);
            }
        }
        let lr_scale = self.state.control.lr_scale;
        callback.on_event(Event::Skipped { what, epoch, step: batch, loss, lr_scale });
        Ok(())
    }

    /// Whether a step only adds gradients up.
    fn accumulates(&self, step: &BatchStep) -> bool {
        self.steps.accumulates(step)
    }

    /// Validates, and ends the epoch.
    fn close_epoch(&mut self, callback: &mut dyn Callback) -> Result<(), TrainError> {
        let epoch = self.state.epoch + 1;
        let mut validation = None;
        if self.data.validation.count() > 0 {
            let next = self.after(epoch);
            validation = Some(self.evaluate(SplitPass::Validation, &next, &mut |_| {})?);
        }
        let open = std::mem::take(&mut self.state.open);
        if self.state.history.is_empty() && open.tally.is_weightless() {
            callback.on_event(Event::Notice(WEIGHTLESS));
        }
        let record = EpochRecord {
            epoch,
            samples: open.tally.samples,
            train: open.tally.scores(&self.steps.overs),
            validation,
            grad_norm: open.grad_norm / open.norms.max(1) as f64,
            scheduled: self.scheduled(),
            steps: self.state.batch,
            seconds: open.seconds,
            data_seconds: open.data_seconds,
            ended: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |it| it.as_secs_f64()),
        };
        let decision = self.state.control.decide(&self.setup.best, &self.setup.settings, &record);
        let notices =
            self.not_numbers(&record, decision).into_iter().chain(self.new_notes(&record));
        for text in notices.collect::<Vec<_>>() {
            callback.on_event(Event::Notice(&text));
        }
        self.state.stopped_early = decision.stop;
        self.state.epoch = epoch;
        self.state.batch = 0;
        self.state.history.push(record.clone());
        let epochs = self.setup.settings.epochs;
        callback.on_event(Event::EpochEnded { record: &record, epochs, decision });
        callback.on_step_end(self, Some(decision));
        Ok(())
    }

    /// Warnings about scores that are not finite: at their first epoch, and where they end the
    /// run.
    fn not_numbers(&self, record: &EpochRecord, decision: Decision) -> Vec<String> {
        let finite =
            |record: &EpochRecord| record.validation.as_ref().is_none_or(|it| it.loss.is_finite());
        let mut texts = Vec::new();
        if let Some(Scores { loss, .. }) = &record.validation
            && !finite(record)
            && self.state.history.last().is_none_or(finite)
        {
            let epoch = record.epoch;
            texts.push(format!("warning: the validation loss of epoch {epoch} is {loss}"));
        }
        let early_stop = self.setup.settings.early_stop.as_ref().filter(|_| decision.stop);
        let watched = early_stop.map(|it| &it.watched.monitor);
        if let Some((name, value)) = watched.and_then(|it| it.not_finite(record)) {
            texts.push(format!(
                "warning: `{name}`, which `early_stop` watches, is {value}: that is never better"
            ));
        }
        texts
    }

    /// The samples that the metrics of an epoch leave out, a line each, unless the epoch before has said it.
    fn new_notes(&self, record: &EpochRecord) -> Vec<String> {
        let said = self.state.history.last().map(EpochRecord::notes).unwrap_or_default();
        record.notes().into_iter().filter(|note| !said.contains(note)).collect()
    }

    /// The learning rate and the optimiser's scheduled arguments, as they were in the last update.
    pub fn scheduled(&self) -> Vec<(String, f32)> {
        let schedules = &self.setup.schedules;
        schedules.values_with_lr(self.state.updates, self.state.control.lr_scale)
    }

    /// The passes over data that follow an epoch and its validation, for the feed to prepare.
    fn after(&self, epoch: usize) -> Vec<SplitPass> {
        match epoch < self.setup.settings.epochs {
            true => vec![SplitPass::Train { epoch: epoch as u64 + 1 }],
            false if self.data.test.count() > 0 => vec![SplitPass::Test],
            false => Vec::new(),
        }
    }

    /// Scores of a split, with the parameters as they are, or their running means where there are
    /// some. `each` is shown every batch.
    pub fn evaluate(
        &mut self,
        pass: SplitPass,
        then: &[SplitPass],
        each: &mut dyn FnMut(&EvaluatedBatch<'_>),
    ) -> Result<Scores, TrainError> {
        self.swap_averages();
        let scores = self.evaluate_parameters(pass, then, each);
        self.swap_averages();
        scores
    }

    fn evaluate_parameters(
        &mut self,
        pass: SplitPass,
        then: &[SplitPass],
        each: &mut dyn FnMut(&EvaluatedBatch<'_>),
    ) -> Result<Scores, TrainError> {
        self.feed.begin(pass, then);
        let mut tally: Option<ScoreSums> = None;
        let args = TrainStepArgs {
            number: self.state.updates,
            seed: self.setup.settings.seed,
            share: 1.0,
        };
        while let Some(step) = self.step(pass, false, args)? {
            let tally = tally.get_or_insert_with(|| ScoreSums::new(&self.steps.metrics));
            tally.add(step, &self.steps.overs, &self.memory);
            each(&EvaluatedBatch { step, memory: &self.memory, samples: &self.samples });
        }
        tally
            .map(|tally| tally.scores(&self.steps.overs))
            .ok_or(TrainError::NoSamples(pass.split()))
    }

    /// Puts the running means where the parameters are, and those where the means are.
    fn swap_averages(&mut self) {
        if self.setup.averages.is_empty() {
            return;
        }
        let program = &self.steps.train.program;
        for Average { of, mean } in &self.setup.averages {
            let value = program.bytes(&self.memory, of).to_vec();
            let average = program.bytes(&self.memory, mean).to_vec();
            program.bytes_mut(&mut self.memory, of).copy_from_slice(&average);
            program.bytes_mut(&mut self.memory, mean).copy_from_slice(&value);
        }
        program.refresh(&mut self.memory, self.pool);
    }

    /// Runs a step on the next batch of a pass, and says which it was; `None` after the last one.
    fn step(
        &mut self,
        pass: SplitPass,
        updates: bool,
        args: TrainStepArgs,
    ) -> Result<Option<&'a BatchStep>, TrainError> {
        let start = Instant::now();
        let batch = self.feed.next_batch().map_err(TrainError::Data)?;
        let Some(batch) = batch else { return Ok(None) };
        let step = self.steps.of(pass, (batch.bucket, batch.samples.len()), updates);
        (self.bucket, self.made) = (batch.bucket, Some(step));
        fill(step, &batch, &mut self.memory)?;
        self.samples.clear();
        self.samples.extend_from_slice(batch.samples);
        self.waited += start.elapsed();
        let ran = match pass.trains() {
            true => self.run_guarded(step, args).map(|refused| self.refused = refused),
            false => self.launch(step, args, None),
        };
        let split = self.data.split(pass);
        ran.map_err(|fault| bad_index(fault, step, split, pass.split(), &self.samples))?;
        Ok(Some(step))
    }

    /// Where the run is.
    pub fn state(&self) -> &TrainState {
        &self.state
    }

    /// The loss of the batch that was trained on last.
    pub fn last_loss(&self) -> f32 {
        self.last_loss
    }

    /// Updates made so far.
    pub fn steps_made(&self) -> u64 {
        self.state.updates
    }
}

/// Arguments of a step beside its inputs.
#[derive(Clone, Copy)]
struct TrainStepArgs {
    /// The update's number, from 1.
    number: u64,
    /// Seed of random operators, beside that.
    seed: u64,
    /// A sample's part in the update.
    share: f64,
}

fn bad_index(
    fault: IndexFault,
    step: &BatchStep,
    split: &Split,
    name: &'static str,
    samples: &[u32],
) -> TrainError {
    let row = fault.element / step.indices[fault.site as usize];
    let sample = split.original(samples[row]) as usize;
    TrainError::BadIndex { site: fault.site, split: name, sample }
}
