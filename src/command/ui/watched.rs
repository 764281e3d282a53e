//! A run as the page shows it, kept up to date with its folder.
//!
//! ```text
//! run.json, program/     read when run.json was replaced
//! events.jsonl           read on
//! lock                   asked where run.json says that the run trains: is there still somebody?
//! ```
//!
//! Nothing here fails: a folder that cannot be read is a run that says why.

use super::difference::NamedSources;
use super::epochs::{EpochLog, short};
use super::settings::{NamedSettings, settings};
use crate::base::csv;
use crate::base::shown::Show;
use crate::driver::Failure;
use crate::files::read;
use crate::files::stamp::FileStamp;
use crate::run::Status;
use crate::run::folder::{RunFolder, RunInfo};
use crate::runtime::trainer::Scores;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a run's page that are sent.
pub(super) const REPORT_BYTES: u64 = 128 << 20;
/// Bytes of the first line of `metrics.csv`.
const HEADER_BYTES: u64 = 64 << 10;

/// How a run stands, as far as its folder tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunStanding {
    Running,
    Stopped,
    Failed,
    Finished,
    /// It trains, says its folder; but no process does.
    Killed,
    Unreadable,
}

impl RunStanding {
    /// All of them, the most interesting first.
    pub const ALL: [RunStanding; 6] = [
        RunStanding::Running,
        RunStanding::Finished,
        RunStanding::Stopped,
        RunStanding::Failed,
        RunStanding::Killed,
        RunStanding::Unreadable,
    ];

    /// Its name on the page.
    pub fn word(self) -> &'static str {
        match self {
            RunStanding::Running => "running",
            RunStanding::Stopped => "stopped",
            RunStanding::Failed => "failed",
            RunStanding::Finished => "finished",
            RunStanding::Killed => "killed",
            RunStanding::Unreadable => "unreadable",
        }
    }
}

/// A run whose folder is watched.
pub(super) struct WatchedRun {
    root: PathBuf,
    /// Its name on the page: its folder, from the folder of all runs.
    name: String,
    /// The contents of `run.json`, or why there are none; and the file that was read.
    info: Result<RunInfo, String>,
    stamp: Option<FileStamp>,
    settings: NamedSettings,
    standing: RunStanding,
    log: EpochLog,
    /// The metrics in the order in which the program has them.
    metrics: Vec<String>,
    has_report: bool,
    /// When it last changed, by the library's count.
    pub changed: u64,
    /// When its settings did.
    settings_changed: u64,
}

impl WatchedRun {
    /// Of a folder that was found, not read yet.
    pub fn new(root: PathBuf, name: String) -> WatchedRun {
        WatchedRun {
            root,
            name,
            info: Err("it was not read yet".to_owned()),
            stamp: None,
            settings: NamedSettings::new(),
            standing: RunStanding::Unreadable,
            log: EpochLog::default(),
            metrics: Vec::new(),
            has_report: false,
            changed: 0,
            settings_changed: 0,
        }
    }

    /// Its page, where it has one.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// Its program, as it was run.
    pub fn sources(&self) -> Result<NamedSources, String> {
        let info = self.info.clone()?;
        let folder = RunFolder::read(&self.root).map_err(reason)?;
        let texts = folder.program(&info).map_err(reason)?;
        Ok(info.program.into_iter().zip(texts).map(|(file, (_, text))| (file.name, text)).collect())
    }

    /// Its epochs.
    pub fn log(&self) -> &EpochLog {
        &self.log
    }

    /// Reads what is new in the folder, at a count of the library's; whether anything is.
    pub fn refresh(&mut self, now: u64) -> bool {
        let stamp = FileStamp::of(&self.root.join("run.json"));
        // A run that was just found is new, whatever its folder holds.
        let mut is_new = stamp != self.stamp || self.changed == 0;
        if is_new || self.info.is_err() {
            let before = self.info.as_ref().err().cloned();
            self.stamp = stamp;
            self.read_info(now);
            is_new |= self.info.as_ref().err() != before.as_ref();
        }
        is_new |= self.log.refresh(&self.root.join("events.jsonl"));
        let has_metrics = !self.metrics.is_empty();
        if is_new && !has_metrics && self.log.epoch() > 0 {
            self.metrics = metrics(&self.root.join("metrics.csv"));
            // That may be missing where `run.json` is not.
            let result = self.info.as_ref().ok().and_then(|info| info.result.as_ref());
            if let (true, Some(result)) = (self.metrics.is_empty(), result) {
                self.metrics = result.train.metrics.iter().map(|(name, _)| name.clone()).collect();
            }
        }
        let standing = self.find_standing();
        let has_report = FileStamp::of(&self.report()).is_some();
        is_new |= standing != self.standing || has_report != self.has_report;
        (self.standing, self.has_report) = (standing, has_report);
        if is_new {
            self.changed = now;
        }
        is_new
    }

    fn read_info(&mut self, now: u64) {
        let folder = RunFolder::read(&self.root);
        let read = folder.and_then(|folder| Ok((folder.info()?, folder)));
        self.metrics.clear();
        match read {
            Ok((mut info, folder)) => {
                // Sources that are gone are no reason to hide what came of the run.
                let settings = settings(&info, &folder.program(&info).unwrap_or_default());
                if settings != self.settings {
                    (self.settings, self.settings_changed) = (settings, now);
                }
                // Words of a vocabulary and names of classes may be many, and nothing here shows them.
                (info.samples, info.classes) = (None, Vec::new());
                self.info = Ok(info);
            }
            Err(failure) => self.info = Err(reason(failure)),
        }
    }

    fn find_standing(&self) -> RunStanding {
        let Ok(info) = &self.info else { return RunStanding::Unreadable };
        match info.status {
            Status::Stopped => RunStanding::Stopped,
            Status::Failed => RunStanding::Failed,
            Status::Finished => RunStanding::Finished,
            Status::Running => {
                let folder = RunFolder::read(&self.root);
                match folder.is_ok_and(|folder| folder.is_written() == Some(false)) {
                    true => RunStanding::Killed,
                    false => RunStanding::Running,
                }
            }
        }
    }

    /// The row of the page; its settings, which hardly ever change, where they have since a count.
    pub fn json(&self, id: &str, since: u64) -> Value {
        let mut object = json!({
            "id": id, "name": self.name.shown().to_string(), "status": self.standing.word(),
            "report": self.has_report, "log": self.log.position(), "epoch": self.log.epoch(),
            "skipped": self.log.skipped,
        });
        let info = match &self.info {
            Ok(info) => info,
            Err(reason) => {
                object["reason"] = json!(reason);
                return object;
            }
        };
        if self.settings_changed > since {
            let settings = self.settings.iter().map(|(name, value)| json!([name, value]));
            object["settings"] = settings.collect();
        }
        let result = info.result.as_ref();
        let program = info.program.first().map(|file| file.name.shown().to_string());
        object["model"] = json!(info.model);
        object["program"] = json!(program);
        object["set"] = json!(info.set);
        object["summary"] = json!(info.summary);
        object["started"] = json!(info.started);
        object["epochs"] = json!(info.epochs.or(result.map(|result| result.epochs)));
        object["parameters"] = json!(info.parameters.or(result.map(|result| result.parameters)));
        object["early"] = json!(result.is_some_and(|result| result.stopped_early));
        object["minimized"] = json!(info.minimized);
        let seconds = self.log.sum("seconds");
        object["seconds"] = short(result.map_or(seconds, |result| result.seconds));
        object["train_loss"] = self.log.last("train_loss").map_or(Value::Null, short);
        object["val_loss"] = self.log.last("val_loss").map_or(Value::Null, short);
        object["best"] = self.best(info);
        object["test"] = result.and_then(|it| it.test.as_ref()).map_or(Value::Null, scores);
        object
    }

    /// The best value of the first metric, or of the loss where there is none: on the validation data, if
    /// the run has some.
    fn best(&self, info: &RunInfo) -> Value {
        let loss = "loss".to_owned();
        let measured = |name: &&String| self.log.has(&format!("train_{name}"));
        let name = self.metrics.iter().find(measured).unwrap_or(&loss);
        let less = info.is_less_better(name);
        for (prefix, split) in [("val_", "validation"), ("train_", "training")] {
            if let Some((epoch, value)) = self.log.best(&format!("{prefix}{name}"), less) {
                return json!({
                    "metric": name, "split": split, "epoch": epoch, "value": short(value),
                });
            }
        }
        Value::Null
    }
}

fn scores(scores: &Scores) -> Value {
    let metrics: Vec<_> =
        scores.metrics.iter().map(|(name, value)| json!([name, short(*value)])).collect();
    json!({ "loss": short(scores.loss), "metrics": metrics })
}

/// The metrics by the header of `metrics.csv`, whose columns are in the program's order.
fn metrics(path: &Path) -> Vec<String> {
    let mut text = String::new();
    let Ok(file) = read::open(path) else { return Vec::new() };
    // A header that is cut, or no text, names what no epoch has.
    let _ = file.take(HEADER_BYTES).read_to_string(&mut text);
    let header = text.lines().next().unwrap_or_default();
    let names = csv::records(header, b',').next().map(|record| record.fields).unwrap_or_default();
    // Behind the epoch come the loss and the metrics, then those of the validation data.
    let of_training = names.into_iter().skip(2).take_while(|name| !name.starts_with("val_"));
    of_training.map(|name| name.to_string()).collect()
}

fn reason(failure: Failure) -> String {
    match failure {
        Failure::Io(message) | Failure::Data(message) => message,
        other => format!("{other:?}"),
    }
}
