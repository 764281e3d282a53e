//! The logs of a run: `metrics.csv` with a row an epoch, `events.jsonl` with an object a line.
//!
//! Rows come from the records of epochs alone, so the logs of a run that is taken up again are
//! written anew from its checkpoint. In `events.jsonl` what happened stays: a line `resumed` says
//! that what came after that epoch and batch happened again.

use super::{RunFolder, now};
use crate::base::csv;
use crate::base::shown::Show;
use crate::driver::session::Failure;
use crate::files::write;
use crate::report::tensorboard::EventWriter;
use crate::runtime::trainer::{EpochRecord, Scores, TrainState};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// The logs of a run that is being written.
pub struct Log {
    folder: RunFolder,
    metrics: PathBuf,
    events: File,
    /// Rows of the metrics, the header first.
    rows: Vec<String>,
    board: EventWriter,
}

impl Log {
    /// The logs of a run that is at a state; a new one is at its beginning.
    pub fn open(folder: &RunFolder, state: &TrainState) -> Result<Log, Failure> {
        let path = folder.root.join("events.jsonl");
        let events = write::append(&path)
            .map_err(|error| Failure::Io(format!("cannot write {}: {error}", path.shown())))?;
        // What an earlier process wrote is written anew: a step must not be there twice.
        let old = board_files(folder);
        let board = EventWriter::create(&folder.root, now() as f64);
        let board = board.map_err(|error| {
            Failure::Io(format!("cannot write to {}: {error}", folder.root.shown()))
        })?;
        let metrics = folder.root.join("metrics.csv");
        let folder = folder.reader();
        let mut log = Log { folder, metrics, events, rows: Vec::new(), board };
        for record in &state.history {
            log.row(record);
            log.board(record).map_err(|error| {
                Failure::Io(format!("cannot write {}: {error}", log.board.path().shown()))
            })?;
        }
        old.iter().for_each(|path| drop(std::fs::remove_file(path)));
        log.rewrite().map_err(|error| {
            Failure::Io(format!("cannot write {}: {error}", log.metrics.shown()))
        })?;
        Ok(log)
    }

    /// Writes an event, whole or not at all.
    pub fn event(&mut self, event: &Value) -> io::Result<()> {
        let line = format!("{event}\n");
        self.events.write_all(line.as_bytes())
    }

    /// Writes the row of an epoch.
    pub fn epoch(&mut self, record: &EpochRecord) -> io::Result<()> {
        self.folder.check()?;
        let first = self.rows.is_empty();
        self.row(record);
        self.board(record)?;
        if first {
            return self.rewrite();
        }
        // It is made anew only where the folder is the run's still: opening it must not make it.
        match write::append_to(&self.metrics) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.folder.check()?;
                self.rewrite()
            }
            file => {
                let row = self.rows.last().map(String::as_str).unwrap_or_default();
                file?.write_all(row.as_bytes())
            }
        }
    }

    fn row(&mut self, record: &EpochRecord) {
        let columns = columns(record);
        if self.rows.is_empty() {
            self.rows.push(csv::row(columns.iter().map(|(name, _)| name)));
        }
        self.rows.push(csv::row(columns.iter().map(|(_, value)| value)));
    }

    /// Writes the numbers of an epoch for TensorBoard.
    fn board(&mut self, record: &EpochRecord) -> io::Result<()> {
        let mut scalars: Vec<(String, f32)> = Vec::new();
        let mut put = |whose: &str, scores: &Scores| {
            scalars.push((format!("loss/{whose}"), scores.loss as f32));
            for (name, value) in &scores.metrics {
                scalars.push((format!("{name}/{whose}"), *value as f32));
            }
        };
        put("train", &record.train);
        record.validation.iter().for_each(|scores| put("validation", scores));
        scalars.extend(record.scheduled.iter().cloned());
        scalars.push(("grad_norm".into(), record.grad_norm as f32));
        scalars
            .push(("samples_per_second".into(), (record.samples as f64 / record.seconds) as f32));
        let scalars: Vec<(&str, f32)> =
            scalars.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        self.board.scalars(record.epoch as u64, record.ended, &scalars)?;
        self.board.flush()
    }

    fn rewrite(&self) -> io::Result<()> {
        write::replace(&self.metrics, self.rows.concat().as_bytes())
    }
}

/// TensorBoard's files in a folder.
fn board_files(folder: &RunFolder) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&folder.root).into_iter().flatten().flatten();
    let ours = |entry: &std::fs::DirEntry| {
        entry.file_name().to_string_lossy().starts_with("events.out.tfevents.")
    };
    entries.filter(ours).map(|entry| entry.path()).collect()
}

/// The columns of an epoch.
fn columns(record: &EpochRecord) -> Vec<(String, String)> {
    let mut columns = vec![("epoch".to_owned(), record.epoch.to_string())];
    let mut scores = |prefix: &str, scores: &Scores| {
        columns.push((format!("{prefix}loss"), scores.loss.to_string()));
        for (name, value) in &scores.metrics {
            columns.push((format!("{prefix}{name}"), value.to_string()));
        }
    };
    scores("", &record.train);
    if let Some(validation) = &record.validation {
        scores("val_", validation);
    }
    for (name, value) in &record.scheduled {
        columns.push((name.clone(), value.to_string()));
    }
    let rest = [
        ("grad_norm", record.grad_norm.to_string()),
        ("steps", record.steps.to_string()),
        ("samples", record.samples.to_string()),
        ("seconds", format!("{:.6}", record.seconds)),
        ("data_seconds", format!("{:.6}", record.data_seconds)),
    ];
    columns.extend(rest.map(|(name, value)| (name.to_owned(), value)));
    columns
}

/// An epoch as an event.
pub fn epoch_json(record: &EpochRecord) -> Value {
    let mut object = Map::new();
    object.insert("event".into(), json!("epoch"));
    object.insert("epoch".into(), json!(record.epoch));
    put_scores(&mut object, "train_", &record.train);
    if let Some(validation) = &record.validation {
        put_scores(&mut object, "val_", validation);
    }
    for (name, value) in &record.scheduled {
        // The shortest number that is this `f32`.
        let shortest: f64 = value.to_string().parse().unwrap_or(f64::from(*value));
        object.insert(name.clone(), json!(shortest));
    }
    object.insert("grad_norm".into(), json!(record.grad_norm));
    object.insert("steps".into(), json!(record.steps));
    object.insert("samples".into(), json!(record.samples));
    object.insert("seconds".into(), json!(record.seconds));
    object.insert("data_seconds".into(), json!(record.data_seconds));
    Value::Object(object)
}

/// Puts a loss and metrics into a JSON object, each name behind a prefix.
pub fn put_scores(object: &mut Map<String, Value>, prefix: &str, scores: &Scores) {
    object.insert(format!("{prefix}loss"), json!(scores.loss));
    for (name, value) in &scores.metrics {
        object.insert(format!("{prefix}{name}"), json!(value));
    }
}
