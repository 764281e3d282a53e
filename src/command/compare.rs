//! Runs beside one another: what each came to, where they differ in what was set, and their curves
//! in the same charts.

use crate::base::csv;
use crate::base::shown::Show;
use crate::driver::session::Failure;
use crate::files::read;
use crate::report::chart::{Chart, Series, svg};
use crate::run::folder::{RunFolder, RunInfo, Status};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A run that is compared.
pub struct Compared {
    /// Its name in tables and keys.
    pub name: String,
    /// The contents of its `run.json`.
    pub info: RunInfo,
    /// Its epochs, as `metrics.csv` has them: the columns' names, then a row an epoch.
    pub columns: Vec<String>,
    /// The numbers; empty fields are NaN.
    pub rows: Vec<Vec<f64>>,
}

/// Reads runs; a folder of several stands for all of them.
pub fn compare(folders: &[PathBuf]) -> Result<Vec<Compared>, Failure> {
    let mut found = Vec::new();
    for folder in folders {
        if RunFolder::is_one(folder) {
            found.push(read(folder)?);
            continue;
        }
        let entries = std::fs::read_dir(folder)
            .map_err(|error| Failure::Io(format!("cannot read {}: {error}", folder.shown())))?;
        let mut inside: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| RunFolder::is_one(path))
            .collect();
        inside.sort();
        if inside.is_empty() {
            let message = format!("{} is not the folder of a run, nor of several", folder.shown());
            return Err(Failure::Io(message));
        }
        for folder in inside {
            found.push(read(&folder)?);
        }
    }
    Ok(found)
}

fn read(folder: &Path) -> Result<Compared, Failure> {
    let info = RunFolder::read(folder)?.info()?;
    let path = folder.join("metrics.csv");
    // A run that has just begun has no epochs yet.
    let text = read::text(&path, read::TABLE).unwrap_or_default();
    let mut records = csv::records(&text, b',');
    let columns = records.next().map(|record| record.fields).unwrap_or_default();
    let row = |record: csv::Record| -> Vec<f64> {
        record.fields.iter().map(|field| field.parse().unwrap_or(f64::NAN)).collect()
    };
    let rows = records.map(row).filter(|row| row.len() == columns.len()).collect();
    Ok(Compared { name: folder.to_string_lossy().into_owned(), info, columns, rows })
}

impl Compared {
    /// The points of a column over the epochs.
    fn curve(&self, column: &str) -> Option<Vec<(f64, f64)>> {
        let place = self.columns.iter().position(|known| known == column)?;
        Some(self.rows.iter().map(|row| (row[0], row[place])).collect())
    }

    /// Whether less is better of one of its numbers: `loss`, `test_error`.
    pub fn is_less_better(&self, name: &str) -> bool {
        let own = ["val_", "test_"].iter().find_map(|prefix| name.strip_prefix(prefix));
        self.info.is_less_better(own.unwrap_or(name))
    }

    /// Its numbers: those of a run that is done, or of the last epoch of one that is not.
    pub fn numbers(&self) -> Vec<(String, f64)> {
        if let (Status::Finished, Some(result)) = (self.info.status, &self.info.result) {
            return crate::run::series::columns(result);
        }
        let last = self.rows.last().cloned().unwrap_or_default();
        self.columns.iter().cloned().zip(last).filter(|(name, _)| name != "epoch").collect()
    }
}

/// The curves of all runs, a chart for each number that any of them has.
pub fn overlaid(runs: &[Compared]) -> String {
    /// Columns of `metrics.csv` that count or time an epoch and score nothing.
    const NOT_DRAWN: [&str; 5] = ["epoch", "steps", "samples", "seconds", "data_seconds"];
    let mut names: Vec<&String> = Vec::new();
    let mut known: BTreeSet<&String> = BTreeSet::new();
    for run in runs {
        let drawn = run.columns.iter().filter(|name| !NOT_DRAWN.contains(&name.as_str()));
        names.extend(drawn.filter(|name| known.insert(name)));
    }
    let chart = |name: &&String| Chart {
        title: (*name).clone(),
        x_label: "epoch".to_owned(),
        y_label: (*name).clone(),
        series: runs
            .iter()
            .filter_map(|run| {
                let points = run.curve(name)?;
                Some(Series { name: run.name.clone(), points, ..Series::default() })
            })
            .collect(),
        ..Chart::default()
    };
    svg(&names.iter().map(chart).collect::<Vec<_>>())
}
