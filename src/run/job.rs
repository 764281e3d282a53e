//! A run from its program to its result: where it is written, whether it goes on from a checkpoint,
//! what is kept however it ends.
//!
//! ```text
//! Job  ─prepare→  Prepared (compiled, its folder locked, its checkpoint read)  ─train→  Ended
//! ```

use crate::data::Watch;
use crate::driver::front::source_text;
use crate::driver::session::{Failure, Request, Session};
use crate::driver::set::{Setting, set};
use crate::run::build::{BuiltRun, Overrides, run};
use crate::run::fits::fits;
use crate::run::folder::{RunFolder, RunInfo, SampleInfo, Status};
use crate::run::meaning::differing;
use crate::run::trained::take_program;
use crate::runtime::checkpoint::{Checkpoint, Identity};
use std::path::PathBuf;
use std::sync::Arc;

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
    pub(super) changed: Vec<String>,
    /// Facts that a checkpoint of the run must agree with.
    pub(super) identity: Identity,
    /// The program, and where things are.
    pub(super) request: Request,
}

/// Compiles and opens all that a run needs; `watch` follows the reading of data.
pub fn prepare(job: &Job, watch: Watch<'_>) -> Result<PreparedRun, Failure> {
    let mut session = Session::new(None);
    let (mut request, mut overrides) = (job.request.clone(), job.overrides.clone());
    let going_on = going_on(job, &mut session, &mut request)?;
    if let Some((_, info)) = &going_on {
        (overrides.limit, overrides.overfit) = (info.limit, info.overfit);
        overrides.fold = info.fold;
        request.fitted = info.samples.as_ref().map(|it| Arc::new(it.schema.clone()));
    }
    if let Some(text) = &job.text {
        session.overlay(request.file.clone(), text.clone());
    }
    let resumed = match (&going_on, &job.place) {
        (Some((folder, _)), RunPlace::Resumed(_, named)) => folder.load(named.as_deref())?,
        _ => None,
    };
    overrides.goes_on = resumed.is_some();
    let run = run(&mut session, &request, &overrides, watch)?;
    if run.training.settings.folds.is_some() && overrides.fold.is_none() {
        let message =
            "the program asks for `folds`, which are written to a folder of their own each";
        return Err(Failure::Io(format!("{message}: leave `--no-out` and `--dry-run` out")));
    }
    let identity = identity(&run);
    let changed = match &resumed {
        Some(checkpoint) => changes(job, checkpoint, &identity, &run)?,
        None => Vec::new(),
    };
    let (folder, mut info) = match going_on {
        Some((folder, info)) => (Some(folder), info),
        None => begun(job, &request, &overrides, &run)?,
    };
    describe(&mut info, job, &run, overrides.threads);
    if let Some(folder) = &folder {
        info.program = folder.keep_program(&sources(&session, &request))?;
        folder.write_info(&info)?;
    }
    Ok(PreparedRun { session, run, folder, info, resumed, changed, identity, request })
}

/// The folder of a run that goes on, and what it says; the program that it kept is taken.
fn going_on(
    job: &Job,
    session: &mut Session,
    request: &mut Request,
) -> Result<Option<(RunFolder, RunInfo)>, Failure> {
    let RunPlace::Resumed(root, _) = &job.place else { return Ok(None) };
    let folder = RunFolder::resume(root)?;
    let info = folder.info()?;
    take_program(session, request, &folder, &info)?;
    Ok(Some((folder, info)))
}

/// The folder of a new run, where it has one, and what it says so far.
fn begun(
    job: &Job,
    request: &Request,
    overrides: &Overrides,
    run: &BuiltRun,
) -> Result<(Option<RunFolder>, RunInfo), Failure> {
    let mut info = RunInfo::new(&run.model, String::new());
    let RunPlace::New(out) = &job.place else { return Ok((None, info)) };
    let stem = request.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = RunFolder::create(out.as_deref(), &stem)?;
    info.asked_model = request.model.clone();
    info.data = request.data.as_ref().map(|data| std::path::absolute(data).unwrap_or(data.clone()));
    (info.limit, info.overfit, info.fold) = (overrides.limit, overrides.overfit, overrides.fold);
    Ok((Some(folder), info))
}

/// Says what runs now.
fn describe(info: &mut RunInfo, job: &Job, run: &BuiltRun, threads: usize) {
    info.set.extend(job.set.iter().cloned());
    info.summary = run.summary(threads);
    (info.parameters, info.epochs) = (Some(run.parameters()), Some(run.settings().epochs));
    info.classes = run.data.classes.clone();
    info.minimized = run.training.minimized.clone();
    info.samples =
        Some(SampleInfo { source: run.data.source_schema(), schema: run.data.schema.clone() });
    info.status = Status::Running;
}

/// Facts that a checkpoint of this run must agree with.
fn identity(run: &BuiltRun) -> Identity {
    Identity {
        model: run.model.clone(),
        data: run.data.fingerprint(),
        seed: run.settings().seed,
        batch: run.batch(),
        program: run.meaning.clone(),
    }
}

/// The parts of the program that have changed since a checkpoint; an error where the run may not go
/// on from that.
fn changes(
    job: &Job,
    checkpoint: &Checkpoint,
    identity: &Identity,
    run: &BuiltRun,
) -> Result<Vec<String>, Failure> {
    fits(checkpoint, identity, run).map_err(Failure::Data)?;
    let changed = differing(&checkpoint.header.program, &identity.program);
    // Who sets something on the command line means another program.
    let is_meant = job.set.iter().any(|set| !set.starts_with("train.epochs="));
    if changed.is_empty() || is_meant || job.force {
        return Ok(changed);
    }
    Err(Failure::Data(format!(
        "the program is another than the checkpoint's: {} changed (or the prelude of this build of \
         nnc); `--force` goes on with it all the same",
        changed.join(", and ")
    )))
}

/// The files of a program, the main one first.
pub(super) fn sources(session: &Session, request: &Request) -> Vec<(PathBuf, String)> {
    let files = session.sources.iter().map(|(_, file)| file).filter(|file| !file.builtin);
    let mut files: Vec<(PathBuf, String)> =
        files.map(|file| (PathBuf::from(&file.name), file.text.clone())).collect();
    files.sort_by_key(|(path, _)| *path != request.file);
    files
}
