//! `nnc compare`: runs beside one another.

use super::write;
use crate::base::shown::Show;
use crate::base::table::{Table, TableColumn};
use crate::command::{self, Compared};
use crate::driver::Failure;
use crate::run::{self, Status};
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Compares runs: a table, and their curves in one picture.
#[derive(Args)]
pub struct CompareArgs {
    /// Folders of runs, or of several runs (a sweep, a cross-validation)
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The file for the curves
    #[arg(long, value_name = "FILE", default_value = "compare.svg")]
    svg: PathBuf,
    /// Print one JSON object per run
    #[arg(long)]
    json: bool,
}

impl CompareArgs {
    /// Prints the table and draws the curves.
    pub fn execute(self) -> Result<u8, Failure> {
        run::check_writable(&self.svg)?;
        let runs = command::compare(&self.runs)?;
        run::write_file(&self.svg, command::overlaid(&runs).as_bytes())?;
        let text = match self.json {
            true => runs.iter().map(|run| format!("{}\n", object(run))).collect(),
            false => table(&runs),
        };
        write::out(&text)?;
        if !self.json {
            eprintln!("the curves are in {}", self.svg.shown());
        }
        Ok(0)
    }
}

fn status(run: &Compared) -> &'static str {
    match run.info.status {
        Status::Running => "running",
        Status::Stopped => "stopped",
        Status::Failed => "failed",
        Status::Finished => "finished",
    }
}

fn object(run: &Compared) -> Value {
    let mut object = Map::new();
    object.insert("run".into(), json!(run.name));
    object.insert("model".into(), json!(run.info.model));
    object.insert("status".into(), json!(status(run)));
    object.insert("set".into(), json!(run.info.set));
    object.extend(run.numbers().into_iter().map(|(name, value)| (name, json!(value))));
    Value::Object(object)
}

/// A row a run; the best of each number is marked.
fn table(runs: &[Compared]) -> String {
    let mut names: Vec<String> = Vec::new();
    for run in runs {
        for (name, _) in run.numbers() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let value = |run: &Compared, name: &str| -> Option<f64> {
        run.numbers().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    };
    let best = |name: &str| -> Option<f64> {
        let values = runs.iter().filter_map(|run| value(run, name)).filter(|it| !it.is_nan());
        let less = runs.iter().any(|run| run.is_less_better(name));
        let judged = less || !["epochs", "seconds", "lr", "grad_norm"].contains(&name);
        let best = values.reduce(|a, b| if less { a.min(b) } else { a.max(b) });
        best.filter(|_| judged && runs.len() > 1)
    };
    let ends = ["run", "status"].map(TableColumn::left);
    let numbers = names.iter().map(TableColumn::right);
    let mut table = Table::new(ends.into_iter().chain(numbers).chain([TableColumn::left("set")]));
    for run in runs {
        let mut row = vec![run.name.shown().to_string(), status(run).to_owned()];
        for name in &names {
            let found = value(run, name);
            let mark = if found.is_some() && found == best(name) { "*" } else { "" };
            row.push(found.map_or("–".to_owned(), |value| format!("{}{mark}", shown(name, value))));
        }
        row.push(run.info.set.join(" ").shown().to_string());
        table.row(row);
    }
    table.text(write::width())
}

fn shown(name: &str, value: f64) -> String {
    match name {
        "epochs" | "steps" | "samples" => format!("{value:.0}"),
        "seconds" | "data_seconds" => format!("{value:.1}"),
        "lr" => format!("{value:.2e}"),
        _ => format!("{value:.4}"),
    }
}
