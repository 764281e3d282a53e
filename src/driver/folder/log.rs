//! The logs of a run: `metrics.csv` with a row an epoch, `events.jsonl` with an object a line.
//!
//! Rows come from the records of epochs alone, so the logs of a run that is taken up again are
//! written anew from its checkpoint. In `events.jsonl` what happened stays: a line `resumed` says
//! that what came after that epoch and batch happened again.

use super::RunFolder;
use crate::driver::session::Failure;
use crate::runtime::trainer::{EpochRecord, Scores, TrainState};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// The logs of a run that is being written.
pub struct Log {
    metrics: PathBuf,
    events: File,
    /// Rows of the metrics, the header first.
    rows: Vec<String>,
}

impl Log {
    /// The logs of a run that is at a state; a new one is at its beginning.
    pub fn open(folder: &RunFolder, state: &TrainState) -> Result<Log, Failure> {
        let path = folder.root.join("events.jsonl");
        let events = File::options().create(true).append(true).open(&path);
        let events = events
            .map_err(|error| Failure::Io(format!("cannot write {}: {error}", path.display())))?;
        let mut log = Log { metrics: folder.root.join("metrics.csv"), events, rows: Vec::new() };
        for record in &state.history {
            log.row(record);
        }
        log.rewrite().map_err(|error| {
            Failure::Io(format!("cannot write {}: {error}", log.metrics.display()))
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
        let first = self.rows.is_empty();
        self.row(record);
        if first {
            return self.rewrite();
        }
        let mut file = File::options().append(true).open(&self.metrics)?;
        let row = self.rows.last().map(String::as_str).unwrap_or_default();
        file.write_all(row.as_bytes())
    }

    fn row(&mut self, record: &EpochRecord) {
        let columns = columns(record);
        if self.rows.is_empty() {
            let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
            self.rows.push(format!("{}\n", names.join(",")));
        }
        let values: Vec<String> = columns.into_iter().map(|(_, value)| value).collect();
        self.rows.push(format!("{}\n", values.join(",")));
    }

    fn rewrite(&self) -> io::Result<()> {
        crate::runtime::weights::replace(&self.metrics, self.rows.concat().as_bytes())
    }
}

/// A field of a CSV file.
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
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
