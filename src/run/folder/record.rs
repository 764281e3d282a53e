//! Follows a run into its folder: logs what happens, keeps checkpoints when they are due, stops the
//! run when its time is over, and tells whoever watches.

use super::RunFolder;
use super::checkpoints::{CheckpointPosition, Keeper};
use super::log::{Log, epoch_json};
use crate::base::shown::Show;
use crate::driver::session::Failure;
use crate::runtime::checkpoint::Snapshot;
use crate::runtime::pool::ThreadChange;
use crate::runtime::trainer::{Callback, Decision, Event, Trainer};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// When a checkpoint is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Epochs from one to the next; 0 for none.
    pub epochs: usize,
    /// Batches from one to the next within epochs; 0 for none.
    pub steps: usize,
}

/// Follows a run.
pub struct Recorder<'a> {
    /// Who is told of everything.
    callback: &'a mut dyn Callback,
    /// Where it is written; nowhere for a run without a folder.
    files: Option<Files>,
    due: Due,
    stop: &'a AtomicBool,
    /// When to stop.
    deadline: Option<Instant>,
    /// Says what was not finite in the step that was made last; asked once.
    explain: Option<&'a mut NonFiniteExplainer<'a>>,
    /// Room for the best epoch of a run without a folder, and that epoch once there is one.
    best: Option<(Snapshot, bool)>,
    /// The files that could not be written so far.
    unwritten: Unwritten,
    /// Whether it was the time that stopped the run.
    pub out_of_time: bool,
}

/// A kind of file that a run writes again and again.
#[derive(Clone, Copy, PartialEq)]
enum RepeatedFile {
    Log,
    Curves,
    Checkpoint,
}

/// Files that could not be written: reported the first time of each kind, since the next hundred
/// checkpoints will fail likewise.
#[derive(Default)]
struct Unwritten {
    said: Vec<RepeatedFile>,
    /// Why lines of the log are missing.
    log: Option<String>,
}

/// Says what was not finite in the step that a trainer made last.
pub type NonFiniteExplainer<'a> = dyn FnMut(&Trainer<'_>) -> Option<String> + 'a;

/// Where a run is written.
pub struct Files {
    /// Its logs.
    pub log: Log,
    /// Its checkpoints.
    pub keeper: Keeper,
    /// The folder.
    pub folder: RunFolder,
    /// When its curves were drawn.
    pub drawn: Instant,
}

impl<'a> Recorder<'a> {
    /// Follows a run that ends when `stop` is set.
    pub fn new(
        callback: &'a mut dyn Callback,
        files: Option<Files>,
        due: Due,
        stop: &'a AtomicBool,
        deadline: Option<Instant>,
    ) -> Recorder<'a> {
        let (explain, best, unwritten) = (None, None, Unwritten::default());
        let out_of_time = false;
        Recorder { callback, files, due, stop, deadline, explain, best, unwritten, out_of_time }
    }

    /// Explains the first step that is left out.
    pub fn explain_by(&mut self, explain: &'a mut NonFiniteExplainer<'a>) {
        self.explain = Some(explain);
    }

    /// Remembers the best epoch in memory.
    pub fn remember_best(&mut self, room: Snapshot) {
        self.best = Some((room, false));
    }

    /// The best epoch, where it is remembered.
    pub fn best(&self) -> Option<&Snapshot> {
        self.best.as_ref().filter(|(_, there)| *there).map(|(best, _)| best)
    }

    /// Writes an event into the log.
    pub fn event(&mut self, event: &Value) {
        self.check();
        let Some(files) = &mut self.files else { return };
        if let Err(error) = files.log.event(event) {
            self.not_logged(&format!("cannot write events.jsonl: {error}"));
        }
    }

    /// Draws the curves for those who watch, not too often.
    fn draw(&mut self, trainer: &Trainer<'_>) {
        /// Drawing takes a few milliseconds.
        const EVERY: Duration = Duration::from_secs(5);
        self.check();
        let Some(files) = &mut self.files else { return };
        if files.drawn.elapsed() < EVERY {
            return;
        }
        files.drawn = Instant::now();
        if let Err(Failure::Io(message)) = files.folder.write_curves(trainer.state()) {
            self.unwritten(RepeatedFile::Curves, &message);
        }
    }

    /// Writes nothing more into a folder that is no longer the run's, and says so once.
    fn check(&mut self) {
        let Some(Err(error)) = self.files.as_ref().map(|files| files.folder.check()) else {
            return;
        };
        let folder = self.files.take().map(|files| files.folder.root.shown().to_string());
        let folder = folder.unwrap_or_default();
        self.notice(&format!("warning: nothing more is written to {folder}: {error}"));
    }

    /// Says what could not be written, if that is new; unless it is because the folder is no longer
    /// the run's.
    fn unwritten(&mut self, part: RepeatedFile, text: &str) {
        self.check();
        if self.files.is_some() && !self.unwritten.said.contains(&part) {
            self.unwritten.said.push(part);
            self.notice(&format!("warning: {text}"));
        }
    }

    fn not_logged(&mut self, text: &str) {
        self.unwritten(RepeatedFile::Log, text);
        if self.files.is_some() {
            self.unwritten.log.get_or_insert_with(|| text.to_owned());
        }
    }

    /// Why the log of the run is not complete, where that is so.
    pub fn incomplete_log(&self) -> Option<&str> {
        self.unwritten.log.as_deref()
    }

    /// Says something to whoever watches.
    pub fn notice(&mut self, text: &str) {
        self.callback.on_event(Event::Notice(text));
    }

    fn keep(&mut self, trainer: &Trainer<'_>, best: bool, must: bool) {
        self.check();
        let Some(files) = &mut self.files else { return };
        if let Err(error) = files.keeper.keep(trainer, best, must) {
            self.not_kept(&error);
        }
    }

    /// Keeps the run because whoever watches wants it.
    fn keep_now(&mut self, trainer: &Trainer<'_>) {
        self.keep(trainer, false, true);
        let name = CheckpointPosition::of(trainer.state()).file_name();
        match &self.files {
            Some(files) => {
                let folder = files.folder.checkpoints();
                self.event(&json!({ "event": "checkpoint", "name": name }));
                self.notice(&format!("a checkpoint: {}", folder.join(name).shown()));
            }
            None => self.notice("no checkpoint: the run has no folder"),
        }
    }

    /// A run goes on when it cannot be kept: the disk may have room again for the next one.
    fn not_kept(&mut self, error: &str) {
        let newest = self.files.as_ref().and_then(|files| files.keeper.newest());
        let newest =
            newest.map_or("there is none yet".into(), |name| format!("the last is {name}"));
        self.unwritten(RepeatedFile::Checkpoint, &format!("no checkpoint: {error}; {newest}"));
    }

    /// Keeps the run as it is and waits until that is on the disk; the name of what is there, or
    /// why there is nothing new.
    pub fn close(&mut self, trainer: &Trainer<'_>) -> Result<Option<String>, String> {
        self.check();
        let Some(files) = &mut self.files else { return Ok(None) };
        // What went wrong with an earlier one does not matter if this one is written.
        let _ = files.keeper.finish();
        if files.keeper.newest() != Some(&CheckpointPosition::of(trainer.state()).file_name()) {
            files.keeper.keep(trainer, false, true)?;
            files.keeper.finish()?;
        }
        Ok(files.keeper.newest().map(str::to_owned))
    }

    /// The longest that training has waited for a checkpoint, in milliseconds.
    pub fn longest_stall_ms(&self) -> f64 {
        let stall = self.files.as_ref().map(|files| files.keeper.longest_stall());
        1e3 * stall.unwrap_or_default().as_secs_f64()
    }

    /// The newest checkpoint on the disk.
    pub fn newest(&self) -> Option<&str> {
        self.files.as_ref().and_then(|files| files.keeper.newest())
    }
}

impl Callback for Recorder<'_> {
    fn on_event(&mut self, event: Event<'_>) {
        match &event {
            Event::EpochEnded { record, .. } => {
                let line = epoch_json(record);
                self.check();
                let written = self
                    .files
                    .as_mut()
                    .map(|files| files.log.event(&line).and_then(|()| files.log.epoch(record)));
                if let Some(Err(error)) = written {
                    self.not_logged(&format!("cannot write the log of the run: {error}"));
                }
            }
            Event::Skipped { what, epoch, step, loss, lr_scale } => {
                let what = what.words(*loss);
                let loss = loss.to_string();
                self.event(&json!({
                    "event": "skipped", "epoch": epoch, "step": step, "loss": loss,
                    "not_finite": what, "lr_scale": lr_scale,
                }));
            }
            Event::RateHalved { epoch, step, lr_scale } => {
                self.event(&json!({
                    "event": "rate_halved", "epoch": epoch, "step": step, "lr_scale": lr_scale,
                }));
            }
            Event::ThreadsChanged(ThreadChange { from, to }) => {
                self.event(&json!({ "event": "threads", "from": from, "to": to }));
            }
            Event::EpochStarted { .. } | Event::Stepped { .. } | Event::Notice(_) => {}
        }
        self.callback.on_event(event);
    }

    fn halves_rate(&mut self) -> bool {
        self.callback.halves_rate()
    }

    fn on_step_end(&mut self, trainer: &Trainer<'_>, epoch_over: Option<Decision>) {
        let state = trainer.state();
        if state.skipped_in_a_row > 0
            && let Some(explain) = self.explain.take()
            && let Some(text) = explain(trainer)
        {
            self.notice(&text);
        }
        let due = |every: usize, count: usize| every > 0 && count.is_multiple_of(every);
        match epoch_over {
            Some(decision) => {
                self.draw(trainer);
                if let (Some((best, there)), true) = (&mut self.best, decision.best) {
                    best.take(trainer);
                    *there = true;
                }
                if decision.best || due(self.due.epochs, state.epoch) {
                    self.keep(trainer, decision.best, decision.best);
                }
            }
            None if self.callback.wants_checkpoint() => self.keep_now(trainer),
            None if due(self.due.steps, state.batch) => self.keep(trainer, false, false),
            None => {}
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
            && !self.stop.swap(true, Ordering::Relaxed)
        {
            self.out_of_time = true;
        }
        self.callback.on_step_end(trainer, epoch_over);
    }
}
