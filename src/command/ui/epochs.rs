//! The epochs of a run, read from its `events.jsonl` as they are written.
//!
//! ```text
//! {"event":"epoch","epoch":1,"train_loss":0.47,"val_loss":0.5,…}␊    a row
//! {"event":"resumed","epoch":1,"batch":0}␊                           rows behind epoch 1 go
//! {"event":"epoch","epoch":2,"train_lo                               not whole: read once it is
//! ```
//!
//! Only what is new is read. A client that has the first rows of a `generation` needs those behind them
//! alone; rows that go, or columns that come, begin another generation. What is no event is passed over.

use crate::files::read;
use crate::files::stamp::FileStamp;
use serde_json::{Map, Value, json};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The most epochs of a run that are held.
const MOST_EPOCHS: usize = 100_000;
/// The most columns.
const MOST_COLUMNS: usize = 200;
/// Bytes that are read at once; a line that is longer is no event.
const CHUNK: u64 = 4 << 20;

/// The epochs of a run so far.
#[derive(Debug, Default)]
pub(super) struct EpochLog {
    /// The file as it was last.
    stamp: Option<FileStamp>,
    /// Bytes of it that were read.
    read: u64,
    /// Counts how often rows went or columns came.
    generation: u64,
    /// The names of the numbers, in the order in which they came.
    columns: Vec<String>,
    /// The numbers of each epoch, one a column; NaN where it has none.
    rows: Vec<Vec<f64>>,
    /// Batches that were left out.
    pub skipped: usize,
}

impl EpochLog {
    /// Reads what is new; whether anything is.
    pub fn refresh(&mut self, path: &Path) -> bool {
        let stamp = FileStamp::of(path);
        if stamp == self.stamp {
            return false;
        }
        let is_same = |new: &FileStamp| {
            self.stamp.is_none_or(|old| old.number == new.number) && new.bytes >= self.read
        };
        if !stamp.as_ref().is_some_and(is_same) {
            self.begin_anew();
        }
        // What cannot be read now is tried again when the file has changed.
        self.stamp = stamp;
        stamp.is_some() && self.read_on(path).unwrap_or(false)
    }

    fn begin_anew(&mut self) {
        let generation = self.generation + 1;
        *self = EpochLog { generation, ..EpochLog::default() };
    }

    /// Takes the lines that are whole by now.
    fn read_on(&mut self, path: &Path) -> io::Result<bool> {
        let mut file = read::open(path)?;
        let before = self.read;
        loop {
            file.seek(SeekFrom::Start(self.read))?;
            let mut bytes = Vec::new();
            (&mut file).take(CHUNK).read_to_end(&mut bytes)?;
            let is_full = bytes.len() as u64 == CHUNK;
            let whole = match bytes.iter().rposition(|&byte| byte == b'\n') {
                Some(end) => end + 1,
                None if is_full => bytes.len(),
                None => 0,
            };
            for line in bytes[..whole].split(|&byte| byte == b'\n') {
                if let Ok(Value::Object(event)) = serde_json::from_slice(line) {
                    self.take(&event);
                }
            }
            self.read += whole as u64;
            if !is_full {
                return Ok(self.read > before);
            }
        }
    }

    /// Takes an event.
    fn take(&mut self, event: &Map<String, Value>) {
        let number = event.get("epoch").and_then(Value::as_f64);
        match (event.get("event").and_then(Value::as_str), number) {
            (Some("epoch"), Some(number)) => {
                self.keep_before(number);
                self.row(event);
            }
            (Some("resumed"), Some(number)) => self.keep_before(number + 1.0),
            (Some("skipped"), _) => self.skipped += 1,
            _ => {}
        }
    }

    /// Drops the rows from an epoch on: it is made again.
    fn keep_before(&mut self, number: f64) {
        let there = self.rows.len();
        while self.rows.last().is_some_and(|row| row[0] >= number) {
            self.rows.pop();
        }
        self.generation += u64::from(self.rows.len() < there);
    }

    fn row(&mut self, event: &Map<String, Value>) {
        if self.rows.len() >= MOST_EPOCHS {
            return;
        }
        let names = std::iter::once("epoch").chain(event.keys().map(String::as_str));
        for name in names.filter(|name| *name != "event") {
            let is_new = !self.columns.iter().any(|known| known == name);
            if is_new && self.columns.len() < MOST_COLUMNS {
                self.columns.push(name.to_owned());
                self.rows.iter_mut().for_each(|row| row.push(f64::NAN));
                self.generation += u64::from(!self.rows.is_empty());
            }
        }
        let value = |name: &String| event.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
        self.rows.push(self.columns.iter().map(value).collect());
    }

    /// The last epoch; 0 before the first has ended.
    pub fn epoch(&self) -> usize {
        self.rows.last().map_or(0, |row| row[0] as usize)
    }

    /// Whether it has a number of this name.
    pub fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|known| known == name)
    }

    /// A number of the last epoch.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.values(name)?.last().map(|(_, value)| value)
    }

    /// The sum over all epochs.
    pub fn sum(&self, name: &str) -> f64 {
        let values = self.values(name).into_iter().flatten();
        values.map(|(_, value)| value).filter(|value| value.is_finite()).sum()
    }

    /// The epoch in which a number was best, and the number.
    pub fn best(&self, name: &str, less: bool) -> Option<(usize, f64)> {
        let better = |value: f64, than: f64| if less { value < than } else { value > than };
        let values = self.values(name)?.filter(|(_, value)| !value.is_nan());
        values.reduce(|best, one| if better(one.1, best.1) { one } else { best })
    }

    fn values(&self, name: &str) -> Option<impl Iterator<Item = (usize, f64)>> {
        let column = self.columns.iter().position(|known| known == name)?;
        Some(self.rows.iter().map(move |row| (row[0] as usize, row[column])))
    }

    /// Where a client stands that has all rows.
    pub fn position(&self) -> Value {
        json!([self.generation, self.rows.len()])
    }

    /// The rows that a client has not, who has the first `count` of a generation.
    pub fn since(&self, generation: u64, count: usize) -> Value {
        let from = if generation == self.generation { count.min(self.rows.len()) } else { 0 };
        let row = |row: &Vec<f64>| row.iter().copied().map(short).collect::<Vec<Value>>();
        let rows: Vec<_> = self.rows[from..].iter().map(row).collect();
        json!({
            "generation": self.generation, "from": from, "columns": self.columns, "rows": rows,
        })
    }
}

/// A number in the digits of an `f32`, which is what steps compute; `null` where it is not finite.
pub(super) fn short(value: f64) -> Value {
    /// Below it every whole number is an `f32`.
    const WHOLE: f64 = (1_u32 << 24) as f64;
    if value.fract() == 0.0 && value.abs() < WHOLE {
        return json!(value as i64);
    }
    let digits: Option<f64> = (value as f32).to_string().parse().ok();
    digits.filter(|value| value.is_finite()).map_or(Value::Null, |value| json!(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    fn epoch(number: usize, loss: f64) -> String {
        format!("{{\"epoch\":{number},\"event\":\"epoch\",\"train_loss\":{loss}}}\n")
    }

    #[test]
    fn lines_are_read_once_they_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let append = |text: &str| {
            let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let mut log = EpochLog::default();
        assert!(!log.refresh(&path), "there is no file yet");
        append("{\"event\":\"start\"}\nno event\n{\"event\":\"epo");
        assert!(log.refresh(&path));
        assert_eq!(log.epoch(), 0);
        append("ch\",\"epoch\":1,\"train_loss\":0.5}\n");
        assert!(log.refresh(&path));
        assert_eq!((log.epoch(), log.last("train_loss")), (1, Some(0.5)));
        assert!(!log.refresh(&path), "nothing is new");
        append(&epoch(2, 0.25));
        append(&epoch(3, 0.75));
        assert!(log.refresh(&path));
        assert_eq!(log.best("train_loss", true), Some((2, 0.25)));
        assert_eq!(log.best("train_loss", false), Some((3, 0.75)));
        assert_eq!(log.since(0, 2)["rows"], json!([[3, 0.75]]));
        assert_eq!(log.since(7, 2)["rows"].as_array().unwrap().len(), 3, "another generation");
        append("{\"event\":\"resumed\",\"epoch\":1,\"batch\":4}\n");
        assert!(log.refresh(&path));
        assert_eq!((log.epoch(), log.position()), (1, json!([1, 1])));
        // A column that comes later, and a number that is none.
        append("{\"event\":\"epoch\",\"epoch\":2,\"train_loss\":null,\"val_loss\":1e-3}\n");
        assert!(log.refresh(&path));
        assert_eq!(log.since(0, 0)["rows"], json!([[1, 0.5, null], [2, null, 0.001]]));
        // Another file took its place.
        std::fs::write(folder.path().join("other"), epoch(1, 9.0)).unwrap();
        std::fs::rename(folder.path().join("other"), &path).unwrap();
        assert!(log.refresh(&path));
        assert_eq!(
            (log.epoch(), log.last("train_loss"), log.has("val_loss")),
            (1, Some(9.0), false)
        );
        std::fs::remove_file(&path).unwrap();
        log.refresh(&path);
        assert_eq!(log.epoch(), 0);
    }

    #[test]
    fn numbers_have_the_digits_of_a_step() {
        let digits = |value| short(value).to_string();
        assert_eq!(digits(f64::from(0.1_f32)), "0.1");
        assert_eq!((digits(3.0), digits(-0.0)), ("3".to_owned(), "0".to_owned()));
        assert_eq!(digits(2.5e-7), "2.5e-7");
        assert_eq!((digits(f64::NAN), digits(1e300)), ("null".to_owned(), "null".to_owned()));
    }
}
