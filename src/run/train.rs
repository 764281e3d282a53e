//! A prepared run trained to its end: followed by a recorder, tested, written, whatever ended it.

use crate::driver::layers::Layer;
use crate::driver::layout::axis_names;
use crate::driver::session::{Failure, Request, Session};
use crate::run::build::{BuiltRun, save_weights};
use crate::run::evaluate::{Details, Keep, evaluate_test};
use crate::run::failures::{SMALLER_RATE, not_finite};
use crate::run::folder::{
    CheckpointPosition, Due, Files, Keeper, Keeping, Log, Recorder, RunFolder, RunResult, SHOWN,
    Shown, Status,
};
use crate::run::job::{PreparedRun, sources};
use crate::run::replay::replay;
use crate::run::trained::WeightsOrigin;
use crate::runtime::checkpoint::{Checkpoint, Snapshot};
use crate::runtime::pool::Pool;
use crate::runtime::trainer::{Callback, Scores, TrainError, TrainState, Trainer, TrainingOutcome};
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// How a run ended.
pub struct Ended {
    /// Whether it is done, was stopped, or why it failed.
    pub outcome: Result<TrainingOutcome, Failure>,
    /// The newest checkpoint that is on the disk.
    pub checkpoint: Option<String>,
    /// The error of the last file that could not be written, if there was one.
    pub unwritten: Option<String>,
    /// Whether the time was over.
    pub out_of_time: bool,
    /// Updates made.
    pub steps: u64,
    /// The scores; only of a run that has finished.
    pub result: Option<RunResult>,
}

/// How training has ended; of a run that is done, also its result and what else its task has to say.
type Tested = (TrainingOutcome, Option<RunResult>, Vec<Details>);

impl PreparedRun {
    /// Trains until the end, or until `stop` is set or the time is over; keeps what there is in any
    /// case. `save` is one more place for the weights.
    pub fn train(
        &mut self,
        pool: &mut Pool,
        watcher: &mut dyn Callback,
        stop: &AtomicBool,
        deadline: Option<Instant>,
        save: Option<&PathBuf>,
    ) -> Result<Ended, Failure> {
        let threads = pool.threads();
        let mut explaining = Session::new(None);
        explaining.sources = self.session.sources.clone();
        let (run, request) = (&self.run, &self.request);
        let mut explain = |trainer: &Trainer<'_>| {
            let found = replay(&mut explaining, request, run, trainer, threads).ok().flatten();
            found.map(|report| report.line(&explaining.sources))
        };
        let mut recorder = Recorder::new(watcher, self.files()?, self.due(), stop, deadline);
        recorder.explain_by(&mut explain);
        if self.run.settings().restores() && self.folder.is_none() {
            recorder.remember_best(self.run.snapshot());
        }
        let mut trainer = self.run.trainer(pool);
        let resumed = self.resumed.take();
        begin(&mut trainer, &mut recorder, resumed, &self.changed, &self.info.summary);
        let trained = trainer.train(&mut recorder, stop);
        // A label out of range is found when its step has been made with another one.
        let sound = !matches!(trained, Err(TrainError::BadIndex { .. }));
        let closed = if sound { recorder.close(&trainer) } else { Ok(None) };
        let checkpoint = recorder.newest().map(str::to_owned);
        let mut unwritten = closed.err();
        let tested = match trained {
            Ok(outcome) => self.test(&mut trainer, &recorder, outcome)?,
            Err(error) => Err(error),
        };
        let (outcome, result, details) = match tested {
            Ok((outcome, result, details)) => (Ok(outcome), result, details),
            Err(error) => {
                let of = (&self.run, &self.request);
                let failure = failure(&mut self.session, of, &trainer, &error, threads)?;
                (Err(failure), None, Vec::new())
            }
        };
        if sound {
            unwritten = unwritten.or(self.write_weights(&trainer, save).err());
        }
        self.info.status = status(&outcome);
        self.info.result = result.clone();
        unwritten = unwritten.or(self.close(&mut recorder, &trainer, &details, threads));
        let (out_of_time, steps) = (recorder.out_of_time, trainer.steps_made());
        Ok(Ended { outcome, checkpoint, unwritten, out_of_time, steps, result })
    }

    /// When a checkpoint is due.
    fn due(&self) -> Due {
        let checkpoint = &self.run.settings().checkpoint;
        Due { epochs: checkpoint.epochs, steps: checkpoint.steps }
    }

    /// Of a run that is done, scores of the test samples with the weights that it ends with; what
    /// stopped it, if that was an error of the trainer's.
    fn test(
        &self,
        trainer: &mut Trainer<'_>,
        recorder: &Recorder<'_>,
        outcome: TrainingOutcome,
    ) -> Result<Result<Tested, TrainError>, Failure> {
        if outcome == TrainingOutcome::Stopped {
            return Ok(Ok((outcome, None, Vec::new())));
        }
        let restored = self.restore(trainer, recorder)?;
        Ok(self.scores(trainer).map(|(scores, details)| {
            let result = self.result(trainer, outcome, restored, scores);
            (outcome, Some(result), details)
        }))
    }

    /// Writes how the run has ended into its log and its folder; what could not be written.
    fn close(
        &self,
        recorder: &mut Recorder<'_>,
        trainer: &Trainer<'_>,
        details: &[Details],
        threads: usize,
    ) -> Option<String> {
        let stall = recorder.longest_stall_ms();
        recorder.event(&json!({
            "event": "end", "status": self.info.status, "result": self.info.result,
            "longest_checkpoint_stall_ms": stall,
        }));
        let unwritten = recorder.incomplete_log().map(str::to_owned);
        match self.draw(trainer.state(), details, threads) {
            Err(Failure::Io(message)) => unwritten.or(Some(message)),
            _ => unwritten,
        }
    }

    /// The files that the run writes while it goes on.
    fn files(&self) -> Result<Option<Files>, Failure> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let state = self.resumed.as_ref().map(|resumed| resumed.header.state.clone());
        let log = Log::open(folder, &state.unwrap_or_default())?;
        let keeping = Keeping {
            identity: self.identity.clone(),
            keep: self.run.training.settings.checkpoint.keep,
            weights: self.run.evaluated_weights(),
            about: self.about().map_err(Failure::Io)?,
        };
        let keeper = Keeper::start(folder, keeping, self.run.snapshot())?;
        let (folder, drawn) = (folder.reader(), Instant::now());
        Ok(Some(Files { log, keeper, folder, drawn }))
    }

    /// Puts back the parameters of the best epoch, where the run is to end with those; returns
    /// which that was.
    fn restore(
        &self,
        trainer: &mut Trainer<'_>,
        recorder: &Recorder<'_>,
    ) -> Result<Option<usize>, Failure> {
        let best = trainer.state().control.best.best.as_ref().map(|best| best.epoch);
        let (Some(epoch), true) = (best, self.run.settings().restores()) else {
            return Ok(None);
        };
        if epoch == trainer.state().epoch {
            return Ok(Some(epoch));
        }
        let tensors = match (&self.folder, recorder.best()) {
            (Some(folder), _) => {
                let place = CheckpointPosition { epoch, batch: 0 };
                folder.load(Some(&place.file_name()))?.map(|checkpoint| checkpoint.tensors)
            }
            (None, best) => best.map(Snapshot::tensors),
        };
        if let Some(tensors) = tensors {
            trainer.write(&tensors);
        }
        Ok(Some(epoch))
    }

    fn result(
        &self,
        trainer: &Trainer<'_>,
        outcome: TrainingOutcome,
        restored: Option<usize>,
        test: Option<Scores>,
    ) -> RunResult {
        let state = trainer.state();
        let of = |epoch: usize| state.history.iter().find(|record| record.epoch == epoch);
        let last = of(restored.unwrap_or(state.epoch));
        RunResult {
            epochs: state.epoch,
            train: last.map(|record| record.train.clone()).unwrap_or_default(),
            validation: last.and_then(|record| record.validation.clone()),
            test,
            best_epoch: state.control.best.best.as_ref().map(|best| best.epoch),
            weights_epoch: restored.unwrap_or(state.epoch),
            stopped_early: outcome == TrainingOutcome::StoppedEarly,
            seconds: state.history.iter().map(|record| record.seconds).sum(),
            parameters: self.run.parameters(),
        }
    }

    /// Scores of the test samples, if there are any, and what else their task has to say.
    fn scores(
        &self,
        trainer: &mut Trainer<'_>,
    ) -> Result<(Option<Scores>, Vec<Details>), TrainError> {
        if self.run.data.test.count() == 0 {
            return Ok((None, Vec::new()));
        }
        let keep = if self.folder.is_some() { SHOWN } else { Keep::default() };
        let evaluated = evaluate_test(trainer, &self.run.data, &self.run.training.tasks, keep)?;
        Ok((Some(evaluated.scores.clone()), evaluated.into_details()))
    }

    /// Writes what the run is, how it stands and what it looks like.
    fn draw(&self, state: &TrainState, details: &[Details], threads: usize) -> Result<(), Failure> {
        let Some(folder) = &self.folder else { return Ok(()) };
        folder.write_info(&self.info)?;
        let environment = [
            ("nnc", env!("CARGO_PKG_VERSION").to_owned()),
            ("instruction set", self.request.target.name().to_owned()),
            ("threads", threads.to_string()),
            ("system", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
            ("fingerprint of the data", self.identity.data.clone()),
        ];
        let sources = self.session.sources.iter().map(|(_, file)| file);
        let sources = sources.filter(|file| !file.builtin);
        let shown = Shown {
            info: &self.info,
            state,
            data: &self.run.data,
            task: self.run.training.task(),
            outputs: self.run.training.tasks.iter().zip(details).collect(),
            layers: self.run.layers.iter().map(Layer::row).collect(),
            timings: &self.session.timings,
            environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            sources: sources.map(|file| (file.name.clone(), file.text.clone())).collect(),
        };
        folder.write_curves(state)?;
        folder.write_report(&shown)
    }

    /// The JSON that goes into the metadata of the run's weights.
    fn about(&self) -> Result<String, String> {
        let mut hasher = blake3::Hasher::new();
        for (_, text) in sources(&self.session, &self.request) {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        let about = WeightsOrigin {
            nnc: self.info.nnc.clone(),
            model: self.run.model.clone(),
            program: hasher.finalize().to_hex().to_string(),
            classes: self.info.classes.clone(),
            task: self.run.training.task(),
            samples: self.info.samples.clone(),
            layouts: axis_names(&self.run.graph)
                .into_iter()
                .filter(|(path, _)| !path.starts_with("optimizer."))
                .map(|(path, names)| (path.to_owned(), names.to_owned()))
                .collect(),
        };
        serde_json::to_string(&about).map_err(|error| error.to_string())
    }

    fn write_weights(&self, trainer: &Trainer<'_>, save: Option<&PathBuf>) -> Result<(), String> {
        let about = self.about()?;
        let moved = self.folder.as_ref().and_then(|folder| folder.check().err());
        let last = self.folder.as_ref().filter(|_| moved.is_none()).map(RunFolder::last);
        for path in last.iter().chain(save) {
            save_weights(path, trainer, self.run.weights(), Some(&about)).map_err(|failure| {
                match failure {
                    Failure::Io(message) => message,
                    other => format!("{other:?}"),
                }
            })?;
        }
        moved.map_or(Ok(()), |error| Err(error.to_string()))
    }
}

/// Puts the trainer where a checkpoint was, and says so.
fn begin(
    trainer: &mut Trainer<'_>,
    recorder: &mut Recorder<'_>,
    resumed: Option<Checkpoint>,
    changed: &[String],
    summary: &str,
) {
    let Some(checkpoint) = resumed else {
        recorder.event(&json!({ "event": "start", "run": summary }));
        return;
    };
    trainer.resume(checkpoint.header.state, &checkpoint.tensors);
    let state = trainer.state();
    recorder.event(&json!({ "event": "resumed", "epoch": state.epoch, "batch": state.batch }));
    if !changed.is_empty() {
        let parts = changed.join(", and ");
        recorder.notice(&format!(
            "warning: the program has changed since the checkpoint was written: {parts}"
        ));
    }
}

/// The report of the error that ended a run; numbers that are not finite are looked for where they came up.
fn failure(
    session: &mut Session,
    (run, request): (&BuiltRun, &Request),
    trainer: &Trainer<'_>,
    error: &TrainError,
    threads: usize,
) -> Result<Failure, Failure> {
    let TrainError::NotFinite { what, epoch, step, loss, in_a_row } = *error else {
        return Ok(run.failure(error, session));
    };
    let diagnostic = not_finite(what, (epoch, step), loss, in_a_row);
    let diagnostic = match replay(session, request, run, trainer, threads)? {
        Some(report) => report.describe(diagnostic),
        None => diagnostic.help(SMALLER_RATE),
    };
    Ok(session.program_failure(vec![diagnostic]))
}

fn status(outcome: &Result<TrainingOutcome, Failure>) -> Status {
    match outcome {
        Ok(TrainingOutcome::Stopped) => Status::Stopped,
        Ok(_) => Status::Finished,
        Err(_) => Status::Failed,
    }
}
