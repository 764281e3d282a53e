//! `nnc data`: what a program's data are, and a batch of them as the model gets it.

use super::progress::{ProgressMode, ReadProgress};
use super::train::listen;
use super::{Common, render, write};
use crate::base::shown::Show;
use crate::base::table::{Table, TableColumn};
use crate::command::{self, DataReport, WantedBatch};
use crate::data::SharedSamples;
use crate::driver::{self, Failure};
use crate::run::SplitName;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// Shows a program's data: fields, splits, classes; writes a batch as the model gets it.
#[derive(Args)]
pub struct DataArgs {
    #[command(flatten)]
    common: Common,
    /// Write a batch to this file (safetensors), as the model gets it; `nnc grad` reads it
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
    /// The split that the batch is taken from
    #[arg(long, value_enum, default_value_t = SplitArg::Train, requires = "batch")]
    split: SplitArg,
    /// The epoch of the batch: order and random transforms depend on it
    #[arg(long, default_value_t = 1, requires = "batch", value_parser = clap::value_parser!(u32).range(1..))]
    epoch: u32,
    /// The number of the batch in the epoch
    #[arg(long, value_name = "K", default_value_t = 1, requires = "batch", value_parser = clap::value_parser!(u32).range(1..))]
    number: u32,
    /// Batch size, instead of the file's `batch`
    #[arg(long, value_name = "N", requires = "batch", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    samples: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SplitArg {
    /// The samples to train on
    Train,
    /// The samples for validation
    Validation,
    /// The samples for the test
    Test,
}

impl DataArgs {
    /// Opens the data and prints.
    pub fn execute(self) -> Result<u8, Failure> {
        let stop = listen()?;
        let reading = ReadProgress::new(ProgressMode::choose(self.json, false), &stop);
        let watch = |done, total| reading.read(done, total);
        let comparing = |_, _| !stop.load(Ordering::Relaxed);
        let request = self.common.request(true)?;
        let wanted = self.batch.clone().map(|out| WantedBatch {
            out,
            split: match self.split {
                SplitArg::Train => SplitName::Train,
                SplitArg::Validation => SplitName::Validation,
                SplitArg::Test => SplitName::Test,
            },
            epoch: u64::from(self.epoch),
            number: self.number as usize,
            samples: self.samples.map(|samples| samples as usize),
        });
        let mut session = driver::Session::new(None);
        let report = command::data(&mut session, &request, wanted.as_ref(), &watch, &comparing)?;
        self.common.print_timings(&session.timings);
        if self.json {
            write::out(&json_line(&report))?;
            return Ok(0);
        }
        render::print(&report.warnings, &session.sources);
        if let Some(notice) = &report.notice {
            eprintln!("note: {notice}");
        }
        // What is odd about classes is among the warnings.
        let said = |line: &str| report.warnings.iter().any(|warning| warning.message == line);
        for note in report.notes.iter().filter(|note| !said(&note.line)) {
            eprintln!("note: {}", note.line);
        }
        write::out(&text(&report, wanted.as_ref()))?;
        Ok(0)
    }
}

/// `f32[32, 28, 28, 1]`
fn typed(dtype: crate::base::tensor::DType, shape: &[usize]) -> String {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("{}[{}]", dtype.name(), extents.join(", "))
}

fn text(report: &DataReport, wanted: Option<&WantedBatch>) -> String {
    let mut text = format!("samples of {}\n", report.source);
    for (field, described) in report.fields.iter().zip(&report.described) {
        let role = if field.is_target { "target" } else { "" };
        let ty = typed(field.dtype, &field.shape);
        let line = format!("  {:<12} {ty:<18} {role:<7} {described}", field.name);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let splits = report.splits.iter();
    let splits = splits.map(|(name, ..)| TableColumn::right(*name).at_least(10));
    let names = TableColumn::left("split").at_least(7).at_most(40);
    let mut table = Table::new(std::iter::once(names).chain(splits));
    for (class, name) in report.classes.iter().enumerate() {
        let counts = report.splits.iter().map(|(_, _, counts)| counts[class].to_string());
        table.row(std::iter::once(name.shown().to_string()).chain(counts));
    }
    for (name, counts) in &report.buckets {
        let cells = std::iter::once(name.clone()).chain(counts.iter().map(usize::to_string));
        table.row(cells);
    }
    let counts = report.splits.iter().map(|(_, count, _)| count.to_string());
    table.row(std::iter::once("samples".to_owned()).chain(counts));
    text.push_str(&table.text(write::width()));
    for shared in &report.shared {
        let SharedSamples { earlier, later, count, first } = shared;
        let samples = if *count == 1 { "sample" } else { "samples" };
        let _ = writeln!(text, "{count} {later} {samples} with the inputs of {earlier} samples");
        for (one, other) in first {
            let _ = writeln!(text, "  {} is {}", other.shown(), one.shown());
        }
    }
    let shows = report.fields.iter().any(|field| field.recipe.is_some());
    for (number, sample) in report.first.iter().enumerate().filter(|_| shows) {
        let _ = writeln!(text, "sample {}", number + 1);
        for (field, value) in report.fields.iter().zip(sample) {
            let _ = writeln!(text, "  {:<12} {value}", field.name);
        }
    }
    if let (Some(batch), Some(wanted)) = (&report.batch, wanted) {
        let _ = writeln!(text, "{}, {} samples:", wanted.described(), batch.samples.len());
        for (name, dtype, shape) in &batch.tensors {
            let _ = writeln!(text, "  {name:<12} {}", typed(*dtype, shape));
        }
    }
    text
}

fn json_line(report: &DataReport) -> String {
    let field = |field: &crate::base::schema::Field| {
        json!({
            "name": field.name, "dtype": field.dtype.name(), "shape": field.shape,
            "target": field.is_target, "recipe": field.recipe,
        })
    };
    let split = |(name, samples, counts): &(&str, usize, Vec<usize>)| json!({ "name": name, "samples": samples, "classes": counts });
    let batch =
        report.batch.as_ref().map(|batch| {
            let tensor = |(name, dtype, shape): &(
                String,
                crate::base::tensor::DType,
                Vec<usize>,
            )| {
                json!({ "name": name, "dtype": dtype.name(), "shape": shape })
            };
            let tensors: Vec<_> = batch.tensors.iter().map(tensor).collect();
            json!({ "tensors": tensors, "samples": batch.samples })
        });
    let shared = report.shared.iter().map(|shared| {
        let pair = |(one, other): &(String, String)| json!([one, other]);
        json!({
            "splits": [shared.earlier, shared.later], "samples": shared.count,
            "first": shared.first.iter().map(pair).collect::<Vec<_>>(),
        })
    });
    let bucket =
        |(name, counts): &(String, [usize; 3])| json!({ "bucket": name, "samples": counts });
    let notes: Vec<&str> = report.notes.iter().map(|note| note.line.as_str()).collect();
    let object = json!({
        "source": report.source, "notice": report.notice, "notes": notes,
        "fields": report.fields.iter().map(field).collect::<Vec<_>>(),
        "classes": report.classes, "splits": report.splits.iter().map(split).collect::<Vec<_>>(),
        "buckets": report.buckets.iter().map(bucket).collect::<Vec<_>>(),
        "duplicates": shared.collect::<Vec<_>>(), "batch": batch,
    });
    format!("{object}\n")
}
