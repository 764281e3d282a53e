//! A run from its program to its result: where it is written, whether it goes on from a checkpoint,
//! what is kept however it ends.
//!
//! ```text
//! Job  ─prepare→  Prepared (compiled, its folder locked, its checkpoint read)  ─train→  Ended
//! ```

use crate::base::tensor::Tensor;
use crate::data::{Pass, Watch};
use crate::driver::front::source_text;
use crate::driver::initial::shown;
use crate::driver::layers::Layer;
use crate::driver::session::{Failure, Request, Session};
use crate::driver::set::{Setting, set};
use crate::run::build::{BuiltRun, Overrides, run, save_weights};
use crate::run::evaluate::{Details, evaluate_split};
use crate::run::failures::{SMALLER_RATE, not_finite};
use crate::run::folder::{
    Due, Files, Keeper, Keeping, Log, Recorder, RunFolder, RunInfo, RunResult, SampleInfo, Shown,
    Status, WORST,
};
use crate::run::meaning::differing;
use crate::run::replay::replay;
use crate::run::trained::{WeightsOrigin, take_program};
use crate::runtime::checkpoint::{Checkpoint, Identity, Snapshot};
use crate::runtime::pool::Pool;
use crate::runtime::trainer::{Callback, Scores, TrainError, TrainState, Trainer, TrainingOutcome};
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Where a run is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunPlace {
    /// Nowhere.
    Nowhere,
    /// Into a new folder: this one, or the first free one of `runs/STEM`, `runs/STEM-2`, ….
    New(Option<PathBuf>),
    /// Into the folder of a run that goes on, from its newest checkpoint or the one of this name.
    Resumed(PathBuf, Option<String>),
}

/// A run that is asked for.
#[derive(Clone, Debug)]
pub struct Job {
    /// The program and the places of its data. Of a resumed run, the program is the one that
    /// was kept.
    pub request: Request,
    /// Text that is read in place of the program's file.
    pub text: Option<String>,
    /// Settings of the command line, `KEY=VALUE`; `text` has them already.
    pub set: Vec<String>,
    /// Options of the command line that no setting of the program has.
    pub overrides: Overrides,
    /// Where the run is written.
    pub place: RunPlace,
    /// Whether a run goes on though its program has changed.
    pub force: bool,
}

/// A run with settings of the command line, which are written into its program's text.
pub fn job(
    request: Request,
    settings: &[Setting],
    overrides: Overrides,
    place: RunPlace,
) -> Result<Job, Failure> {
    let resumed = match &place {
        RunPlace::Resumed(root, _) => Some(RunFolder::read(root)?),
        _ => None,
    };
    let before = match &resumed {
        // Of a run that goes on, the program is what was kept, unless a file is named.
        Some(folder) if request.file.as_os_str().is_empty() => {
            let info = folder.info()?;
            folder.program(&info)?.into_iter().next().map(|(_, text)| text)
        }
        Some(_) => Some(source_text(&request.file)?),
        None if settings.is_empty() => None,
        None => Some(source_text(&request.file)?),
    };
    let text = match before {
        Some(text) => Some(set(&text, request.model.as_deref(), settings)?),
        None => None,
    };
    let set = settings.iter().map(|setting| format!("{}={}", setting.key, setting.value)).collect();
    Ok(Job { request, text, set, overrides, place, force: false })
}

/// A run that is ready to begin or to go on.
pub struct PreparedRun {
    /// The sources and times of compilation.
    pub session: Session,
    /// The run.
    pub run: BuiltRun,
    /// Where it is written.
    pub folder: Option<RunFolder>,
    /// The contents of its `run.json`.
    pub info: RunInfo,
    /// The checkpoint that it goes on from.
    pub resumed: Option<Checkpoint>,
    /// The parts of the program that have changed since then.
    changed: Vec<String>,
    identity: Identity,
    request: Request,
}

/// Compiles and opens all that a run needs; `watch` follows the reading of data.
pub fn prepare(job: &Job, watch: Watch<'_>) -> Result<PreparedRun, Failure> {
    let mut session = Session::new(None);
    let (mut request, mut overrides) = (job.request.clone(), job.overrides.clone());
    let mut folder = None;
    let mut kept = None;
    if let RunPlace::Resumed(root, _) = &job.place {
        let there = RunFolder::resume(root)?;
        let info = there.info()?;
        take_program(&mut session, &mut request, &there, &info)?;
        (overrides.limit, overrides.overfit) = (info.limit, info.overfit);
        overrides.fold = info.fold;
        (folder, kept) = (Some(there), Some(info));
    }
    if let Some(text) = &job.text {
        session.overlay(request.file.clone(), text.clone());
    }
    let resumed = match (&folder, &job.place) {
        (Some(folder), RunPlace::Resumed(_, named)) => folder.load(named.as_deref())?,
        _ => None,
    };
    overrides.goes_on = resumed.is_some();
    let run = run(&mut session, &request, &overrides, watch)?;
    if run.training.settings.folds.is_some() && overrides.fold.is_none() {
        let message =
            "the program asks for `folds`, which are written to a folder of their own each";
        return Err(Failure::Io(format!("{message}: leave `--no-out` and `--dry-run` out")));
    }
    let identity = Identity {
        model: run.model.clone(),
        data: run.data.fingerprint(),
        seed: run.settings().seed,
        batch: run.batch(),
        program: run.meaning.clone(),
    };
    let mut changed = Vec::new();
    if let Some(checkpoint) = &resumed {
        fits(checkpoint, &identity, &run).map_err(Failure::Data)?;
        changed = differing(&checkpoint.header.program, &identity.program);
        // Who sets something on the command line means another program.
        let is_meant = job.set.iter().any(|set| !set.starts_with("train.epochs="));
        if !changed.is_empty() && !is_meant && !job.force {
            return Err(Failure::Data(format!(
                "the program is another than the checkpoint's: {} changed (or the prelude of this \
                 build of nnc); `--force` goes on with it all the same",
                changed.join(", and ")
            )));
        }
    }
    let mut info = kept.unwrap_or_else(|| RunInfo::new(&run.model, String::new()));
    if let RunPlace::New(out) = &job.place {
        let stem = request.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        folder = Some(RunFolder::create(out.as_deref(), &stem)?);
        info.asked_model = request.model.clone();
        info.data =
            request.data.as_ref().map(|data| std::path::absolute(data).unwrap_or(data.clone()));
        (info.limit, info.overfit, info.fold) =
            (overrides.limit, overrides.overfit, overrides.fold);
    }
    info.set.extend(job.set.iter().cloned());
    info.summary = run.summary(overrides.threads);
    info.classes = run.data.classes.clone();
    info.minimized = run.training.minimized.clone();
    info.samples =
        Some(SampleInfo { source: run.data.source_schema(), schema: run.data.schema.clone() });
    info.status = Status::Running;
    if let Some(folder) = &folder {
        info.program = folder.keep_program(&sources(&session, &request))?;
        folder.write_info(&info)?;
    }
    Ok(PreparedRun { session, run, folder, info, resumed, changed, identity, request })
}

/// The files of a program, the main one first.
fn sources(session: &Session, request: &Request) -> Vec<(PathBuf, String)> {
    let files = session.sources.iter().map(|(_, file)| file).filter(|file| !file.builtin);
    let mut files: Vec<(PathBuf, String)> =
        files.map(|file| (PathBuf::from(&file.name), file.text.clone())).collect();
    files.sort_by_key(|(path, _)| *path != request.file);
    files
}

/// Whether a checkpoint is one of this run: what does not fit, and what to do.
fn fits(checkpoint: &Checkpoint, identity: &Identity, run: &BuiltRun) -> Result<(), String> {
    let header = &checkpoint.header;
    if header.model != identity.model {
        return Err(format!(
            "the checkpoint is of the model `{}`, the program trains `{}`",
            header.model, identity.model
        ));
    }
    let known: Vec<(&str, &Tensor)> = run.variables().collect();
    for (path, value) in &known {
        let Some((_, found)) = checkpoint.tensors.iter().find(|(name, _)| name == path) else {
            return Err(format!(
                "the checkpoint has no `{path}`, which the program has: its model or optimizer is \
                 another; `init_from` takes the weights that fit"
            ));
        };
        if found.shape != value.shape || found.dtype() != value.dtype() {
            return Err(format!(
                "`{path}` is {} in the checkpoint, but {} in the model",
                described(found),
                described(value)
            ));
        }
    }
    let of_run = |name: &str| known.iter().any(|(path, _)| *path == name);
    if let Some((name, value)) = checkpoint.tensors.iter().find(|(name, _)| !of_run(name)) {
        return Err(format!(
            "the checkpoint has `{name}` ({}), which the program does not have",
            described(value)
        ));
    }
    let state = &header.state;
    let epochs = run.settings().epochs;
    if state.epoch > epochs || state.epoch == epochs && state.batch > 0 {
        let inside = if state.batch > 0 { state.epoch + 1 } else { state.epoch };
        return Err(format!("the run is in epoch {inside} already: {epochs} epochs are too few"));
    }
    if header.seed != identity.seed {
        return Err(format!(
            "the run has seed {}, the program says {}: it would go on with other random numbers",
            header.seed, identity.seed
        ));
    }
    if header.batch != identity.batch {
        return Err(format!(
            "the run has batches of {}, the program says {}: it would go on with other batches",
            header.batch, identity.batch
        ));
    }
    if header.data != identity.data {
        return Err(
            "the data have changed since the checkpoint was written (their fingerprint is \
             another); a new run can begin with its weights: `init_from = \"best.safetensors\"`"
                .to_owned(),
        );
    }
    Ok(())
}

fn described(tensor: &Tensor) -> String {
    shown(tensor.dtype(), &tensor.shape)
}

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

impl PreparedRun {
    /// Trains until the end, or until `stop` is set or the time is over; keeps what there is in any
    /// case. `save` is one more place for the weights.
    pub fn train(
        &mut self,
        pool: &mut Pool,
        callback: &mut dyn Callback,
        stop: &AtomicBool,
        deadline: Option<Instant>,
        save: Option<&PathBuf>,
    ) -> Result<Ended, Failure> {
        let threads = pool.threads();
        let files = self.files()?;
        let said = &self.run.training.settings.checkpoint;
        let due = Due { epochs: said.epochs, steps: said.steps };
        let mut explaining = Session::new(None);
        explaining.sources = self.session.sources.clone();
        let (run, request) = (&self.run, &self.request);
        let mut explain = |trainer: &Trainer<'_>| {
            let found = replay(&mut explaining, request, run, trainer, threads).ok().flatten();
            found.map(|report| report.line(&explaining.sources))
        };
        let mut recorder = Recorder::new(callback, files, due, stop, deadline);
        recorder.explain_by(&mut explain);
        let restores = self.run.settings().rules.patience.as_ref().is_some_and(|it| it.restore);
        if restores && self.folder.is_none() {
            recorder.remember_best(self.run.snapshot());
        }
        let mut trainer = self.run.trainer(pool);
        if let Some(checkpoint) = self.resumed.take() {
            trainer.resume(checkpoint.header.state, &checkpoint.tensors);
            let state = trainer.state();
            recorder
                .event(&json!({ "event": "resumed", "epoch": state.epoch, "batch": state.batch }));
            if !self.changed.is_empty() {
                let parts = self.changed.join(", and ");
                recorder.notice(&format!(
                    "warning: the program has changed since the checkpoint was written: {parts}"
                ));
            }
        } else {
            recorder.event(&json!({ "event": "start", "run": self.info.summary }));
        }
        let outcome = trainer.train(&mut recorder, stop);
        // A label out of range is found when its step has been made with another one.
        let sound = !matches!(outcome, Err(TrainError::BadIndex { .. }));
        let closed = if sound { recorder.close(&trainer) } else { Ok(None) };
        let checkpoint = recorder.newest().map(str::to_owned);
        let out_of_time = recorder.out_of_time;
        let mut unwritten = closed.err();
        let (mut result, mut details) = (None, Details::None);
        let outcome = match outcome {
            Ok(outcome @ (TrainingOutcome::Finished | TrainingOutcome::StoppedEarly)) => {
                let restored = self.restore(&mut trainer, &recorder)?;
                match self.test(&mut trainer) {
                    Ok((test, found)) => {
                        result = Some(self.result(&trainer, outcome, restored, test));
                        details = found;
                        Ok(outcome)
                    }
                    Err(error) => Err(self.run.failure(&error, &self.session)),
                }
            }
            Ok(TrainingOutcome::Stopped) => Ok(TrainingOutcome::Stopped),
            Err(TrainError::NotFinite { what, epoch, step, loss, in_a_row }) => {
                let diagnostic = not_finite(what, (epoch, step), loss, in_a_row);
                let (session, run) = (&mut self.session, &self.run);
                let report = replay(session, &self.request, run, &trainer, threads)?;
                let diagnostic = match report {
                    Some(report) => report.describe(diagnostic),
                    None => diagnostic.help(SMALLER_RATE),
                };
                Err(self.session.program_failure(vec![diagnostic]))
            }
            Err(error) => Err(self.run.failure(&error, &self.session)),
        };
        if sound {
            unwritten = unwritten.or(self.write_weights(&trainer, save).err());
        }
        self.info.status = match &outcome {
            Ok(TrainingOutcome::Stopped) => Status::Stopped,
            Ok(_) => Status::Finished,
            Err(_) => Status::Failed,
        };
        self.info.result = result.clone();
        let stall = recorder.longest_stall_ms();
        recorder.event(&json!({
            "event": "end", "status": self.info.status, "result": result,
            "longest_checkpoint_stall_ms": stall,
        }));
        unwritten = unwritten.or(recorder.incomplete_log().map(str::to_owned));
        let drawn = self.draw(trainer.state(), &details, threads);
        if let Err(Failure::Io(message)) = drawn {
            unwritten = unwritten.or(Some(message));
        }
        let steps = trainer.steps_made();
        Ok(Ended { outcome, checkpoint, unwritten, out_of_time, steps, result })
    }

    /// The writer of the run's files, where it has a folder.
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
        let patience = &self.run.settings().rules.patience;
        let best = trainer.state().control.best.best.as_ref().map(|best| best.epoch);
        let (Some(epoch), true) = (best, patience.as_ref().is_some_and(|it| it.restore)) else {
            return Ok(None);
        };
        if epoch == trainer.state().epoch {
            return Ok(Some(epoch));
        }
        let tensors = match (&self.folder, recorder.best()) {
            (Some(folder), _) => {
                let place = crate::run::folder::CheckpointPosition { epoch, batch: 0 };
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
    fn test(&self, trainer: &mut Trainer<'_>) -> Result<(Option<Scores>, Details), TrainError> {
        if self.run.data.test.count() == 0 {
            return Ok((None, Details::None));
        }
        let worst = if self.folder.is_some() { WORST } else { 0 };
        let task = self.run.training.task;
        let evaluated = evaluate_split(trainer, &self.run.data.test, task, Pass::Test, worst)?;
        Ok((Some(evaluated.scores), evaluated.details))
    }

    /// Writes what the run is, how it stands and what it looks like.
    fn draw(&self, state: &TrainState, details: &Details, threads: usize) -> Result<(), Failure> {
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
            task: self.run.training.task,
            details,
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
            task: self.run.training.task,
            samples: self.info.samples.clone(),
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
