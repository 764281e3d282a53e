//! Several runs in turn: the folds of a cross-validation, and `nnc sweep`; a table of what came of
//! them.

use super::train::{self, RunOptions, ShownNotes, TrainingArgs};
use super::{INTERRUPTED, ModelArgs, write};
use crate::base::shown::Show;
use crate::base::table::{Table, TableColumn};
use crate::driver::{Failure, Setting};
use crate::run::{self, Member, MemberState, RunPlace, RunResult, RunSeries, columns, spread};
use crate::runtime::trainer::TrainingOutcome;
use clap::Args;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Trains once for every choice of values, and compares what came of it.
#[derive(Args)]
pub struct SweepArgs {
    /// The source file
    file: PathBuf,
    #[command(flatten)]
    options: ModelArgs,
    #[command(flatten)]
    training: TrainingArgs,
    /// The folder to write the runs to [default: runs/NAME-sweep]; the same command resumes the
    /// sweep there
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl SweepArgs {
    /// Runs and prints the table; exit code 130 if Ctrl-C ended it.
    pub fn execute(self) -> Result<u8, Failure> {
        let stop = train::listen()?;
        let request = self.options.request(&self.file, true)?;
        let (single, many): (Vec<Setting>, Vec<Setting>) =
            self.training.settings()?.into_iter().partition(|setting| !is_swept(setting));
        if many.is_empty() {
            let message = "nothing to sweep: give a key several values, `--set lr=1e-3,3e-3`, or a \
                           range, `--set seed=0..4`";
            return Err(Failure::Io(message.into()));
        }
        let members = run::sweep(&many)?;
        let job = run::job(request, &single, self.training.overrides(), RunPlace::Nowhere)?;
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        let series =
            RunSeries::begin(&job, self.out.as_deref(), &format!("{stem}-sweep"), members)?;
        run(&series, &self.training, &self.options, &stop)
    }
}

/// Whether a setting has several values.
fn is_swept(setting: &Setting) -> bool {
    run::sweep(std::slice::from_ref(setting)).map_or(true, |members| members.len() > 1)
}

/// Makes the runs of a series that are left, and prints what came of all.
pub fn run(
    series: &RunSeries,
    training: &TrainingArgs,
    options: &ModelArgs,
    stop: &Arc<AtomicBool>,
) -> Result<u8, Failure> {
    let members = series.members();
    let mut results: Vec<(Member, RunResult)> = Vec::new();
    let said = ShownNotes::default();
    for (index, member) in members.iter().enumerate() {
        let job = match series.left(member)? {
            MemberState::Done(result) => {
                results.push((member.clone(), *result));
                continue;
            }
            MemberState::Run(job) => job,
        };
        if !training.quiet && !training.json {
            eprintln!("run {} of {}: {}", index + 1, members.len(), member.name.shown());
        }
        let asked = RunOptions {
            force: false,
            request: job.request.clone(),
            settings: Vec::new(),
            place: job.place.clone(),
            training,
            options,
            save: None,
            dry_run: false,
            tui: false,
            stop,
            said: &said,
        };
        let Some((_, ended)) = train::train(&asked, &job)? else { continue };
        if let Some(message) = ended.unwritten {
            return Err(Failure::Io(format!("not everything could be written: {message}")));
        }
        match (ended.outcome?, ended.result) {
            (TrainingOutcome::Stopped, _) | (_, None) => {
                let (root, run, all) = (series.root.shown(), index + 1, members.len());
                eprintln!("stopped in run {run} of {all}; the same command goes on in {root}");
                return Ok(if ended.out_of_time { 0 } else { INTERRUPTED });
            }
            (_, Some(result)) => results.push((member.clone(), result)),
        }
    }
    let csv = series.write_results(&results)?;
    let text = match training.json {
        true => json_lines(&results),
        false => table(&results),
    };
    write::out(&text)?;
    if !training.quiet && !training.json {
        eprintln!("a row a run is in {}", csv.shown());
    }
    Ok(0)
}

/// Runs that differ in nothing but the seed or the fold, and what they are called together.
fn groups(results: &[(Member, RunResult)]) -> Vec<(String, Vec<&RunResult>)> {
    let mut groups: Vec<(String, Vec<&RunResult>)> = Vec::new();
    for (member, result) in results {
        let said = member.settings.iter().filter(|it| !is_seed(&it.key));
        let name: Vec<String> = said.map(|it| format!("{}={}", it.key, it.value)).collect();
        let name = if name.is_empty() { "all".to_owned() } else { name.join("  ") };
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, results)) => results.push(result),
            None => groups.push((name, vec![result])),
        }
    }
    groups
}

fn is_seed(key: &str) -> bool {
    key == "seed" || key == "train.seed"
}

/// A row for each group: means, and the spread over seeds or folds.
fn table(results: &[(Member, RunResult)]) -> String {
    let groups = groups(results);
    let Some((_, first)) = groups.first().map(|(name, results)| (name, results[0])) else {
        return String::new();
    };
    let names: Vec<String> = columns(first).into_iter().map(|(name, _)| name).collect();
    let numbers = names.iter().map(TableColumn::right);
    let columns =
        std::iter::once(TableColumn::left("")).chain(numbers).chain([TableColumn::right("runs")]);
    let mut table = Table::new(columns);
    for (name, results) in &groups {
        let mut row = vec![name.shown().to_string()];
        let values = by_column(results);
        row.extend(names.iter().map(|column| {
            let (mean, deviation) = spread(&values[column]);
            let digits = if column == "epochs" || column == "seconds" { 1 } else { 4 };
            match deviation {
                Some(deviation) => format!("{mean:.digits$} ± {deviation:.digits$}"),
                None => format!("{mean:.digits$}"),
            }
        }));
        row.push(results.len().to_string());
        table.row(row);
    }
    table.text(write::width())
}

/// The values of all runs, by column.
fn by_column(results: &[&RunResult]) -> BTreeMap<String, Vec<f64>> {
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for result in results {
        for (name, value) in columns(result) {
            values.entry(name).or_default().push(value);
        }
    }
    values
}

/// An object a run, then one a group.
fn json_lines(results: &[(Member, RunResult)]) -> String {
    let mut text = String::new();
    for (member, result) in results {
        let mut object = Map::new();
        object.insert("event".into(), json!("run"));
        object.insert("run".into(), json!(member.name));
        for setting in &member.settings {
            object.insert(setting.key.clone(), json!(setting.value));
        }
        for (name, value) in columns(result) {
            object.insert(name, json!(value));
        }
        let _ = writeln!(text, "{}", Value::Object(object));
    }
    for (name, results) in groups(results) {
        let of = |(name, values): (String, Vec<f64>)| {
            let (mean, deviation) = spread(&values);
            (name, json!({ "mean": mean, "std": deviation }))
        };
        let columns: Map<String, Value> = by_column(&results).into_iter().map(of).collect();
        let object =
            json!({ "event": "group", "group": name, "runs": results.len(), "columns": columns });
        let _ = writeln!(text, "{object}");
    }
    text
}
