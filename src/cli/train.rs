//! Training from the command line: the flags that all commands share that train, Ctrl-C, and one
//! run from what is announced to what came of it.

use super::dashboard::{Dashboard, LayerShare, RunHeading};
use super::progress::{ProgressMode, ReadProgress, TrainProgress, push_scores, say, tell};
use super::{INTERRUPTED, ModelArgs, on_interrupt, render, threads, write};
use crate::base::diagnostic::Diagnostic;
use crate::base::shown::{Show, quoted};
use crate::driver::torch_names::NameTable;
use crate::driver::{self, Failure, Setting};
use crate::run::{self, Ended, Job, Overrides, PreparedRun, RunPlace, RunResult, put_scores};
use crate::runtime::pool::Pool;
use crate::runtime::trainer::TrainingOutcome;
use clap::Args;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Arguments of every command that trains.
#[derive(Args, Clone)]
pub struct TrainingArgs {
    /// Number of threads, which does not change the results [default: NNC_THREADS, or else all
    /// available processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Number of epochs, instead of the file's `epochs`
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Batch size, instead of the file's `batch`
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Seed, instead of the file's `seed`
    #[arg(long)]
    seed: Option<u64>,
    /// Change a setting of `train`, an argument of the optimizer or a constant: `train.lr=1e-3`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Use at most N samples of each split
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Train, validate and test on the same few samples: a model that can learn fits them exactly
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    overfit: Option<u32>,
    /// Stop after this time, as after Ctrl-C: `90s`, `10m`, `1.5h`
    #[arg(long, value_name = "TIME", value_parser = time)]
    max_time: Option<Duration>,
    /// Print one JSON object per line on standard output
    #[arg(long)]
    pub json: bool,
    /// Print only the result
    #[arg(long)]
    pub quiet: bool,
    /// List every file that was left out, with the reason
    #[arg(long)]
    verbose: bool,
}

impl TrainingArgs {
    /// The number of threads.
    pub fn threads(&self) -> usize {
        threads::threads(self.threads)
    }

    /// Settings of the command line, by flags of their own or by `--set`.
    pub fn settings(&self) -> Result<Vec<Setting>, Failure> {
        let mut settings = flags(&[
            ("train.epochs", self.epochs.map(|epochs| epochs.to_string())),
            ("train.batch", self.batch.map(|batch| batch.to_string())),
            ("train.seed", self.seed.map(|seed| seed.to_string())),
        ]);
        for text in &self.set {
            settings.push(Setting::parse(text).map_err(Failure::Io)?);
        }
        Ok(settings)
    }

    /// Options of the command line that change the samples that are used.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            threads: self.threads(),
            limit: self.limit.map(|limit| limit as usize),
            overfit: self.overfit.map(|samples| samples as usize),
            ..Overrides::default()
        }
    }
}

/// `90s`, `10m`, `1.5h`.
fn time(text: &str) -> Result<Duration, String> {
    let units = [("s", 1.0), ("m", 60.0), ("min", 60.0), ("h", 3600.0)];
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = units.iter().find(|(name, _)| *name == &text[number.len()..]);
    match (number.parse::<f64>(), unit) {
        (Ok(number), Some((_, seconds))) if number.is_finite() && number > 0.0 => {
            Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())
        }
        _ => Err("a time is a number and a unit: `90s`, `10m`, `1.5h`".to_owned()),
    }
}

/// Sets the flag at the first Ctrl-C; the second one ends the program at once.
pub fn listen() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    on_interrupt(move || !flag.swap(true, Ordering::Relaxed))?;
    Ok(stop)
}

/// Settings of the command line as `--set` has them.
fn flags(flags: &[(&str, Option<String>)]) -> Vec<Setting> {
    let given = flags.iter().filter_map(|(key, value)| Some((key, value.clone()?)));
    given.map(|(key, value)| Setting { key: (*key).to_owned(), value }).collect()
}

/// A run that the command line asks for.
pub struct RunOptions<'a> {
    /// The program, and where its data are.
    pub request: driver::Request,
    /// Settings of the command line.
    pub settings: Vec<Setting>,
    /// Where the run is written.
    pub place: RunPlace,
    /// Whether a run goes on though its program has changed.
    pub force: bool,
    /// The flags of training.
    pub training: &'a TrainingArgs,
    /// The flags of compiling.
    pub options: &'a ModelArgs,
    /// One more place for the weights.
    pub save: Option<&'a PathBuf>,
    /// Whether nothing is trained.
    pub dry_run: bool,
    /// Whether a terminal shows the run on a screen of its own.
    pub tui: bool,
    /// Set by Ctrl-C.
    pub stop: &'a Arc<AtomicBool>,
    /// Notes that the runs before this one have shown.
    pub said: &'a ShownNotes,
}

/// Notes and warnings that were shown: what is the same in each run of a series is said once.
#[derive(Default)]
pub struct ShownNotes(RefCell<HashSet<String>>);

impl ShownNotes {
    /// Whether a text is new.
    fn is_new(&self, text: &str) -> bool {
        self.0.borrow_mut().insert(text.to_owned())
    }
}

/// The job that the options describe.
pub fn job(asked: &RunOptions<'_>) -> Result<Job, Failure> {
    let overrides = asked.training.overrides();
    let mut job = run::job(asked.request.clone(), &asked.settings, overrides, asked.place.clone())?;
    job.force = asked.force;
    Ok(job)
}

/// One run, to its exit code; it began at `start`.
pub fn run(asked: &RunOptions<'_>, job: &Job, start: Instant) -> Result<u8, Failure> {
    match train(asked, job)? {
        None => Ok(0),
        Some((prepared, ended)) => conclude(asked, &prepared, ended, start.elapsed().as_secs_f64()),
    }
}

/// Prepares a run, announces it and trains, unless it is a dry run.
pub fn train(asked: &RunOptions<'_>, job: &Job) -> Result<Option<(PreparedRun, Ended)>, Failure> {
    let training = asked.training;
    let deadline = training.max_time.map(|time| Instant::now() + time);
    let mode = ProgressMode::choose(training.json, training.quiet);
    let reading = ReadProgress::new(mode, asked.stop);
    let watch = |done, total| reading.read(done, total);
    let (mut pool, note) = threads::pool_and_note(Pool::adaptive, training.threads());
    if let Some(note) = note.filter(|note| asked.said.is_new(note)) {
        eprintln!("{note}");
    }
    let mut prepared = run::prepare(job, &watch)?;
    let new = |warning: &&Diagnostic| asked.said.is_new(&format!("{warning:?}"));
    let warnings: Vec<Diagnostic> = prepared.run.warnings.iter().filter(new).cloned().collect();
    render::print(&warnings, &prepared.session.sources);
    let mut progress = TrainProgress::new(mode, asked.stop);
    announce(asked, &prepared, &progress, pool.threads())?;
    asked.options.print_timings(&prepared.session.timings);
    if asked.dry_run {
        let arena = prepared.run.arena(pool.threads()) as f64 / 1e6;
        progress.line(&format!("a dry run: all is compiled, in {arena:.1} MB of memory"));
        return Ok(None);
    }
    if asked.tui && mode == ProgressMode::Bar {
        let (heading, stop) = (heading(&prepared, pool.threads()), Arc::clone(asked.stop));
        match Dashboard::open(heading, stop) {
            Ok(dashboard) => progress.show_on(dashboard),
            Err(error) => say(&format!("note: no screen for the run: {error}")),
        }
    }
    let ended = prepared.train(&mut pool, &mut progress, asked.stop, deadline, asked.save);
    progress.close();
    progress.written()?;
    Ok(Some((prepared, ended?)))
}

/// The head of a run on a screen.
fn heading(prepared: &PreparedRun, threads: usize) -> RunHeading {
    let run = &prepared.run;
    let shares = run.shares_of_layers().into_iter();
    RunHeading {
        model: run.model.clone(),
        folder: prepared.folder.as_ref().map(|folder| folder.root.shown().to_string()),
        batch: run.settings().batch,
        memory: run.arena(threads),
        threads,
        layers: shares.map(|(path, share)| LayerShare { path, share }).collect(),
    }
}

/// Says what will be done, defaults included.
fn announce(
    asked: &RunOptions<'_>,
    prepared: &PreparedRun,
    progress: &TrainProgress<'_>,
    threads: usize,
) -> Result<(), Failure> {
    let RunOptions { training, said, .. } = asked;
    let run = &prepared.run;
    let folder = prepared.folder.as_ref().map(|folder| folder.root.to_string_lossy().into_owned());
    let resumed = prepared.resumed.as_ref().map(|checkpoint| &checkpoint.header.state);
    if training.json {
        let (source, notice) = (run.data.source, &run.data.notice);
        let notes: Vec<&str> = run.data.notes.iter().map(|note| note.line.as_str()).collect();
        let resumed = resumed.map(|state| json!({ "epoch": state.epoch, "batch": state.batch }));
        let object = json!({
            "event": "start", "data": source, "threads": threads,
            "notice": notice, "notes": notes, "folder": folder, "resumed": resumed,
        });
        write::line(&object.to_string())?;
    }
    if training.quiet || training.json {
        return Ok(());
    }
    if let Some(notice) = run.data.notice.as_ref().filter(|notice| said.is_new(notice)) {
        progress.line(&format!("note: {notice}"));
    }
    for note in run.data.notes.iter().filter(|note| said.is_new(&note.line)) {
        progress.line(&format!("note: {}", note.line));
        let details = note.details.iter().filter(|_| training.verbose);
        details.for_each(|detail| progress.line(&format!("  {detail}")));
    }
    if let Some(names) = run.names.as_ref().map(NameTable::summary).filter(|it| said.is_new(it)) {
        names.lines().for_each(|line| progress.line(line));
    }
    progress.line(&prepared.info.summary);
    if let Some(folder) = folder {
        let verb = if resumed.is_some() { "going on in" } else { "writing to" };
        let from = resumed.map_or(String::new(), |state| match state.batch {
            0 => format!(" after epoch {}", state.epoch),
            batch => format!(" after step {batch} of epoch {}", state.epoch + 1),
        });
        progress.line(&format!("{verb} {}{from}", folder.shown()));
    }
    Ok(())
}

/// Says how a run ended and what there is of it; its exit code.
fn conclude(
    asked: &RunOptions<'_>,
    prepared: &PreparedRun,
    ended: Ended,
    seconds: f64,
) -> Result<u8, Failure> {
    let quiet = asked.training.quiet || asked.training.json;
    let resume_hint = resume_hint(prepared, &ended);
    let code = match ended.outcome {
        Err(failure) => {
            if let Some(resume_hint) = resume_hint {
                say(&resume_hint);
            }
            return Err(failure);
        }
        Ok(TrainingOutcome::Stopped) => {
            let why = if ended.out_of_time { "the time is over: " } else { "" };
            if !quiet {
                eprintln!("{why}stopped after {} steps", ended.steps);
                resume_hint.iter().for_each(|resume_hint| say(resume_hint));
            }
            if ended.out_of_time { 0 } else { INTERRUPTED }
        }
        Ok(TrainingOutcome::Finished | TrainingOutcome::StoppedEarly) => {
            if let Some(result) = &ended.result {
                print_result(asked.training, prepared, result, seconds)?;
            }
            0
        }
    };
    match ended.unwritten {
        Some(message) => Err(Failure::Io(format!("not everything could be written: {message}"))),
        None => Ok(code),
    }
}

/// One line on how to resume a run that did not come to its end.
fn resume_hint(prepared: &PreparedRun, ended: &Ended) -> Option<String> {
    let folder = prepared.folder.as_ref().filter(|folder| folder.check().is_ok())?;
    let (root, quoted) = (folder.root.shown(), quoted(&folder.root));
    Some(match &ended.checkpoint {
        Some(name) => {
            format!("kept: {root}/checkpoints/{name}; go on with `nnc run --resume={quoted}`")
        }
        None => format!("no checkpoint was written to {root} yet: the run begins anew"),
    })
}

/// Prints the result.
fn print_result(
    training: &TrainingArgs,
    prepared: &PreparedRun,
    result: &RunResult,
    seconds: f64,
) -> Result<(), Failure> {
    let run = &prepared.run;
    let folder = prepared.folder.as_ref().map(|folder| folder.root.to_string_lossy().into_owned());
    if training.json {
        let mut object = Map::new();
        object.insert("event".into(), json!("result"));
        if let Some(scores) = &result.test {
            put_scores(&mut object, "test_", scores);
        }
        object.insert("weights".into(), json!(result.tested()));
        object.insert("weights_epoch".into(), json!(result.weights_epoch));
        object.insert("epochs".into(), json!(result.epochs));
        object.insert("best_epoch".into(), json!(result.best_epoch));
        object.insert("stopped_early".into(), json!(result.stopped_early));
        object.insert("seconds".into(), json!(seconds));
        object.insert("data".into(), json!(run.data.source));
        object.insert("folder".into(), json!(folder));
        return write::line(&Value::Object(object).to_string());
    }
    let restored = run.settings().restores();
    if let (true, Some(best), false) = (result.stopped_early, result.best_epoch, training.quiet) {
        let which = if restored { "; its weights are back" } else { "" };
        let epochs = result.epochs;
        say(&format!("stopped early after {epochs} epochs: epoch {best} was best{which}"));
    }
    let mut line = match &result.test {
        Some(scores) => {
            let mut line = String::from("test    ");
            push_scores(&mut line, "", scores);
            line.push_str(&format!("  {}", result.tested()));
            line
        }
        None => String::from("trained; the data has no test split"),
    };
    if run.data.notice.is_some() {
        // The whole notice stood at the start; the result must not be taken for another's.
        line.push_str(&format!("  on {}, which stood in", run.data.source));
    }
    tell(&format!("{line}  ({seconds:.2} s in all)"))?;
    if result.test.as_ref().is_some_and(|scores| !scores.loss.is_finite()) {
        say("warning: the test loss is not finite");
    }
    let notes = result.test.iter().flat_map(|scores| &scores.notes);
    notes.for_each(|note| say(&format!("note: test {note}")));
    if let (Some(best), true, false) = (result.best_epoch, result.test.is_some(), training.quiet)
        && best != result.weights_epoch
        && let Some(folder) = &prepared.folder
    {
        let root = quoted(&folder.root);
        say(&format!(
            "note: `nnc eval {root}` and `predict` take the best weights, of epoch {best}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::time;
    use std::time::Duration;

    #[test]
    fn times_have_units() {
        assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(time("10m"), time("10min"));
        for wrong in ["10", "m", "-1s", "infs", "1d", ""] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
