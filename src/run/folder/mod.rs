//! The folder of a run: what was run, what came of it, and all that it takes to go on.
//!
//! ```text
//! runs/mnist/
//!   run.json               what was asked for, how it ended
//!   program/mnist.nn       the files as they were run
//!   metrics.csv            a row an epoch
//!   events.jsonl           what happened, a JSON object a line
//!   checkpoints/           epoch-0003.safetensors, epoch-0003+0120.safetensors
//!   events.out.tfevents.…  the same numbers, for TensorBoard
//!   curves.svg             the curves
//!   report.html            all of it on a page that stands alone
//!   best.safetensors       the weights of the best epoch
//!   last.safetensors       the weights at the end
//!   lock                   held by the process that writes here
//! ```
//!
//! One process writes into a folder at a time. Every file but the two logs is replaced at once, and
//! the logs are written anew from the checkpoint when a run is taken up again; so at any moment the
//! folder is one that a run can go on from.

mod checkpoints;
mod drawn;
mod lock;
mod log;
mod make;
mod record;

pub use checkpoints::{CheckpointPosition, Keeper, Keeping};
pub use drawn::{SHOWN, Shown, report_bytes};
pub use log::{Log, epoch_json, put_scores};
pub use record::{Due, Files, Recorder};

use crate::base::schema::Schema;
use crate::base::shown::Show;
use crate::driver::run_weights::{self, RUN_JSON};
use crate::driver::session::Failure;
use crate::files::held::Held;
use crate::files::read;
use crate::files::write::{self, TEMPORARY};
use crate::runtime::trainer::Scores;
pub(crate) use make::make_folder;
use make::{first_free, make_empty};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The version of `run.json`.
const VERSION: u32 = 1;
/// Where runs are, from the folder that the user is in.
const RUNS: &str = "runs";

/// The contents of `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The version of this file.
    version: u32,
    /// The version of the program that wrote it.
    pub nnc: String,
    /// The source files as they were run, the main one first.
    pub program: Vec<KeptFile>,
    /// The model that was asked for, where the file has several.
    pub asked_model: Option<String>,
    /// The model's name.
    pub model: String,
    /// Path given in place of the one that the data names.
    pub data: Option<PathBuf>,
    /// Settings of the command line, already part of the program that is kept.
    pub set: Vec<String>,
    /// The most samples of each split.
    pub limit: Option<usize>,
    /// So many samples to train and to judge by.
    pub overfit: Option<usize>,
    /// The part of a cross-validation.
    pub fold: Option<(usize, usize)>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The metrics of which less is better.
    #[serde(default)]
    pub minimized: Vec<String>,
    /// Shape and range of samples.
    pub samples: Option<SampleInfo>,
    /// One line that says how the run trains.
    pub summary: String,
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// Parameters of the model; unknown of runs that an earlier nnc wrote.
    #[serde(default)]
    pub parameters: Option<usize>,
    /// Epochs that it is to make; unknown of runs that an earlier nnc wrote.
    #[serde(default)]
    pub epochs: Option<usize>,
    /// How it stands.
    pub status: Status,
    /// The scores of a run that has finished.
    pub result: Option<RunResult>,
}

/// Shape and range of samples, so that a model can predict without its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleInfo {
    /// As the source has them.
    pub source: Schema,
    /// As a step gets them.
    pub schema: Schema,
}

/// A source file as it was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFile {
    /// Where it was.
    pub path: PathBuf,
    /// Its name in the folder `program`.
    pub name: String,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It trains, or was killed.
    Running,
    /// It was asked to stop.
    Stopped,
    /// An error ended it.
    Failed,
    /// It is done.
    Finished,
}

impl RunResult {
    /// Which weights were tested, in a few words.
    pub fn tested(&self) -> String {
        let RunResult { weights_epoch: epoch, epochs, best_epoch, .. } = self;
        let is_best = *best_epoch == Some(*epoch);
        match (is_best, epoch == epochs) {
            (true, true) => format!("weights of epoch {epoch}, the last and best"),
            (true, false) => format!("weights of epoch {epoch}, the best"),
            (false, _) => format!("weights of epoch {epoch}, the last"),
        }
    }
}

/// The scores of a run that has finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Epochs made.
    pub epochs: usize,
    /// The last epoch's scores on the training data.
    pub train: Scores,
    /// Scores on the validation data, of the weights that the run ended with.
    pub validation: Option<Scores>,
    /// Scores on the test data, of the same.
    pub test: Option<Scores>,
    /// The epoch that was best.
    pub best_epoch: Option<usize>,
    /// The epoch whose weights the run ended with, and were tested.
    #[serde(default)]
    pub weights_epoch: usize,
    /// Whether it ended before its epochs were made, since nothing got better.
    pub stopped_early: bool,
    /// Seconds of training.
    pub seconds: f64,
    /// Parameters of the model.
    pub parameters: usize,
}

impl RunInfo {
    /// Whether less is better of the loss or a metric of this name.
    pub fn is_less_better(&self, name: &str) -> bool {
        name == "loss" || self.minimized.iter().any(|known| known == name)
    }

    /// A run that begins.
    pub fn new(model: &str, summary: String) -> RunInfo {
        RunInfo {
            version: VERSION,
            nnc: env!("CARGO_PKG_VERSION").to_owned(),
            program: Vec::new(),
            asked_model: None,
            model: model.to_owned(),
            data: None,
            set: Vec::new(),
            limit: None,
            overfit: None,
            fold: None,
            classes: Vec::new(),
            minimized: Vec::new(),
            samples: None,
            summary,
            started: now(),
            parameters: None,
            epochs: None,
            status: Status::Running,
            result: None,
        }
    }
}

/// Seconds since 1970, for people; nothing else depends on the clock.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A folder that this process may write into, or only reads.
#[derive(Debug)]
pub struct RunFolder {
    /// Where it is.
    pub root: PathBuf,
    /// Held as long as the folder is written to.
    lock: Option<File>,
    /// The folder itself, open as long as it is written to.
    held: Option<Arc<Held>>,
}

impl RunFolder {
    /// A new folder: of the given name, or the first of `runs/mnist`, `runs/mnist-2`, … that is
    /// not there.
    pub fn create(out: Option<&Path>, stem: &str) -> Result<RunFolder, Failure> {
        let root = match out {
            Some(out) => {
                make_empty(out)?;
                out.to_path_buf()
            }
            None => first_free(Path::new(RUNS), stem)?,
        };
        let mut folder = RunFolder { root, lock: None, held: None };
        folder.lock()?;
        Ok(folder)
    }

    /// The folder of a run that is to go on.
    pub fn resume(root: &Path) -> Result<RunFolder, Failure> {
        RunFolder::read(root)?;
        RunFolder::locked(root)
    }

    /// A folder that is there, whatever it holds, to write into.
    pub(crate) fn locked(root: &Path) -> Result<RunFolder, Failure> {
        let mut folder = RunFolder { root: root.to_path_buf(), lock: None, held: None };
        folder.lock()?;
        folder.sweep();
        Ok(folder)
    }

    /// The folder of a run, to read.
    pub fn read(root: &Path) -> Result<RunFolder, Failure> {
        let folder = RunFolder { root: root.to_path_buf(), lock: None, held: None };
        match folder.info_file().is_file() {
            true => Ok(folder),
            false => Err(Failure::Io(format!(
                "{} is not the folder of a run: it has no run.json",
                root.shown()
            ))),
        }
    }

    /// The same folder, without the lock.
    pub(crate) fn reader(&self) -> RunFolder {
        RunFolder { root: self.root.clone(), lock: None, held: self.held.clone() }
    }

    /// Whether what is at its place is the folder that the run began to write into: nothing is
    /// written into another.
    pub fn check(&self) -> io::Result<()> {
        match &self.held {
            Some(held) if !held.is_at(&self.root) => Err(io::Error::new(
                ErrorKind::NotFound,
                "the folder of the run was moved, removed or replaced while it trained",
            )),
            _ => Ok(()),
        }
    }

    /// Whether a folder is that of a run.
    pub fn is_one(root: &Path) -> bool {
        run_weights::is_run(root)
    }

    /// The newest run of a file, in the folder that the user is in.
    pub fn newest(stem: &str) -> Result<PathBuf, Failure> {
        let entries = fs::read_dir(RUNS).into_iter().flatten().flatten();
        let number = |path: &Path| -> Option<u64> {
            let name = path.file_name()?.to_str()?;
            match name.strip_prefix(stem)? {
                "" => Some(1),
                rest => rest.strip_prefix('-')?.parse().ok(),
            }
        };
        let runs = entries.map(|entry| entry.path()).filter(|path| RunFolder::is_one(path));
        let newest = runs.filter_map(|path| Some((number(&path)?, path))).max();
        newest.map(|(_, path)| path).ok_or_else(|| {
            Failure::Io(format!(
                "no run of `{stem}` in {RUNS}/; `--resume=FOLDER` names another folder"
            ))
        })
    }

    /// Takes away what a killed run was writing.
    fn sweep(&self) {
        for folder in [self.root.clone(), self.checkpoints()] {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let left = entries.filter(|entry| {
                entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
            });
            left.for_each(|entry| drop(fs::remove_file(entry.path())));
        }
    }

    fn info_file(&self) -> PathBuf {
        self.root.join(RUN_JSON)
    }

    /// Where the checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// The weights of the best epoch.
    pub fn best(&self) -> PathBuf {
        run_weights::best(&self.root)
    }

    /// The weights at the end.
    pub fn last(&self) -> PathBuf {
        run_weights::last(&self.root)
    }

    /// Reads `run.json`. Fails where its version or a file name in it is not ours.
    pub fn info(&self) -> Result<RunInfo, Failure> {
        let path = self.info_file();
        let text = read::text(&path, read::RECORD)
            .map_err(|error| Failure::Io(format!("cannot read {}: {error}", path.shown())))?;
        let wrong = |what: String| Failure::Data(format!("{}: {what}", path.shown()));
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let version = value.get("version").and_then(serde_json::Value::as_u64);
        if version != Some(u64::from(VERSION)) {
            let found = version.map_or("none".to_owned(), |version| version.to_string());
            return Err(wrong(format!(
                "is of version {found}; this build of nnc reads version {VERSION}"
            )));
        }
        let info: RunInfo =
            serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
        // A name is a file of this folder, and nothing else.
        let strange = info.program.iter().find(|file| !is_plain(&file.name));
        match strange {
            Some(file) => Err(wrong(format!("`{}` is not the name of a file", file.name))),
            None => Ok(info),
        }
    }

    /// Writes what the run is and how it stands.
    pub fn write_info(&self, info: &RunInfo) -> Result<(), Failure> {
        let text =
            serde_json::to_string_pretty(info).map_err(|error| Failure::Io(error.to_string()))?;
        self.write(&self.info_file(), format!("{text}\n").as_bytes())
    }

    /// Replaces a file of the folder.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        self.check()
            .and_then(|()| write::replace(path, bytes))
            .map_err(|error| Failure::Io(format!("cannot write {}: {error}", path.shown())))
    }

    /// Keeps the source files, and says where.
    pub fn keep_program(&self, files: &[(PathBuf, String)]) -> Result<Vec<KeptFile>, Failure> {
        let folder = self.root.join("program");
        make_folder(&folder)?;
        let mut kept: Vec<KeptFile> = Vec::new();
        for (path, text) in files {
            let plain = path.file_name().map_or("main.nn".into(), |name| name.to_string_lossy());
            let taken = kept.iter().any(|file| file.name == *plain);
            let name =
                if taken { format!("{}-{plain}", kept.len() + 1) } else { plain.into_owned() };
            self.write(&folder.join(&name), text.as_bytes())?;
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            kept.push(KeptFile { path, name });
        }
        Ok(kept)
    }

    /// The source files that were kept, by the paths that they had.
    pub fn program(&self, info: &RunInfo) -> Result<Vec<(PathBuf, String)>, Failure> {
        let read = |file: &KeptFile| {
            let path = self.root.join("program").join(&file.name);
            let text = read::text(&path, read::PROGRAM)
                .map_err(|error| Failure::Io(format!("cannot read {}: {error}", path.shown())))?;
            Ok((file.path.clone(), text))
        };
        info.program.iter().map(read).collect()
    }
}

/// Whether a text is a file's name and no path.
pub(crate) fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(std::path::Component::Normal(_)), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leaves_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder { root: folder.path().to_path_buf(), lock: None, held: None };
        let mut info = RunInfo::new("mlp", String::new());
        for name in ["../x.nn", "/etc/passwd", "a/b.nn", "..", ""] {
            info.program = vec![KeptFile { path: "x.nn".into(), name: name.into() }];
            run.write_info(&info).unwrap();
            assert!(matches!(run.info(), Err(Failure::Data(_))), "{name}");
        }
        info.program[0].name = "x.nn".into();
        run.write_info(&info).unwrap();
        assert_eq!(run.info().unwrap(), info);
    }

    #[test]
    fn one_process_writes_at_a_time_and_no_run_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("deep").join("run");
        let first = RunFolder::create(Some(&out), "x").unwrap();
        let Err(Failure::Io(message)) = RunFolder::create(Some(&out), "x") else {
            panic!("two runs in one folder")
        };
        assert!(message.contains("another run is writing"), "{message}");
        first.write_info(&RunInfo::new("mlp", String::new())).unwrap();
        drop(first);
        let Err(Failure::Io(message)) = RunFolder::create(Some(&out), "x") else {
            panic!("a run was overwritten")
        };
        assert!(message.contains("holds a run already"), "{message}");
        RunFolder::resume(&out).unwrap();
    }

    #[test]
    fn files_of_one_name_are_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder { root: folder.path().to_path_buf(), lock: None, held: None };
        let files = [("a/main.nn", "1"), ("a/b/main.nn", "2"), ("a/c.nn", "3")];
        let files = files.map(|(path, text)| (PathBuf::from(path), text.to_owned()));
        let mut info = RunInfo::new("mlp", String::new());
        info.program = run.keep_program(&files).unwrap();
        let back = run.program(&info).unwrap();
        assert!(back.iter().zip(&files).all(|(back, file)| back.1 == file.1));
        assert!(back[1].0.ends_with("a/b/main.nn"));
    }
}
