//! The drawings of a run: its curves as one SVG, and a page that tells all of it.
//!
//! Both come from the records of epochs and from what the model made of the test samples; names that
//! users and file systems gave go through the page's own escaping.

use super::{RunFolder, RunInfo};
use crate::base::schema::{Field, Schema};
use crate::base::task::Task;
use crate::base::tensor::DType;
use crate::data::{Dataset, Split};
use crate::driver::session::{Failure, Timing};
use crate::report::chart::{Chart, Mark, Series, svg};
use crate::report::html::{Confusion, HtmlTable, Page, Picture, SamplePrediction, render};
use crate::run::evaluate::{
    ClassCounts, ClassOrNumber, Details, NumberErrors, WorstSample, tally_bytes,
};
use crate::runtime::trainer::{EpochRecord, Scores, TrainState};

/// Samples shown that the model is most wrong about.
pub const WORST: usize = 24;

/// Everything that a drawing of a run shows.
pub struct Shown<'a> {
    /// Program, settings and result of the run.
    pub info: &'a RunInfo,
    /// Where it is.
    pub state: &'a TrainState,
    /// Its samples.
    pub data: &'a Dataset,
    /// The task of the model.
    pub task: Task,
    /// Results of the test samples beside loss and metrics.
    pub details: &'a Details,
    /// The model's layers: path, output, parameters, operations a sample.
    pub layers: Vec<[String; 4]>,
    /// How long each stage of compilation took.
    pub timings: &'a [Timing],
    /// Where it ran: name and value.
    pub environment: Vec<(String, String)>,
    /// The program's files.
    pub sources: Vec<(String, String)>,
}

/// Bytes that counting what a model makes of the test samples takes at most, and showing it: the table
/// of classes twice (counted, and on the page), the pixels of the worst samples with what the page
/// writes of them, a batch's targets.
pub fn report_bytes(task: Task, schema: &Schema, batch: usize) -> usize {
    let pixels = schema.inputs().first().map_or(0, |field| field.bytes());
    // As pixels, as a PNG file, as base64 in the page, and in the page as it is put together.
    let pictures = WORST * 5 * pixels;
    2 * tally_bytes(task, WORST) + pictures + batch * schema.target().map_or(0, Field::bytes)
}

/// The curves of a run, loss first.
pub fn charts(state: &TrainState) -> Vec<Chart> {
    let mut charts = vec![scores_chart("loss", &state.history, &|scores| Some(scores.loss))];
    let metrics = state.history.first().map(|record| record.train.metrics.clone());
    for (name, _) in metrics.unwrap_or_default() {
        let of = |scores: &Scores| {
            scores.metrics.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
        };
        charts.push(scores_chart(&name, &state.history, &of));
    }
    if let Some(best) = &state.control.best.best {
        let mark = Mark { x: best.epoch as f64, label: "best".into() };
        charts.iter_mut().for_each(|chart| chart.marks.push(mark.clone()));
    }
    let scheduled = state.history.first().map(|record| record.scheduled.clone());
    for (index, (name, _)) in scheduled.unwrap_or_default().into_iter().enumerate() {
        let value = |record: &EpochRecord| record.scheduled.get(index).map(|it| f64::from(it.1));
        charts.push(chart(&name, vec![series(&name, &state.history, &value, false)]));
    }
    let norm = |record: &EpochRecord| Some(record.grad_norm);
    charts.push(chart(
        "norm of the gradient",
        vec![series("gradient", &state.history, &norm, false)],
    ));
    charts
}

fn chart(title: &str, series: Vec<Series>) -> Chart {
    Chart {
        title: title.to_owned(),
        x_label: "epoch".to_owned(),
        y_label: title.to_owned(),
        series,
        ..Chart::default()
    }
}

fn series(
    name: &str,
    history: &[EpochRecord],
    value: &dyn Fn(&EpochRecord) -> Option<f64>,
    dashed: bool,
) -> Series {
    let point = |record: &EpochRecord| Some((record.epoch as f64, value(record)?));
    Series { name: name.to_owned(), points: history.iter().filter_map(point).collect(), dashed }
}

/// A number of training and validation in one chart.
fn scores_chart(
    title: &str,
    history: &[EpochRecord],
    of: &dyn Fn(&Scores) -> Option<f64>,
) -> Chart {
    let mut both = vec![series("training", history, &|record| of(&record.train), false)];
    let validation = |record: &EpochRecord| of(record.validation.as_ref()?);
    let validated = series("validation", history, &validation, false);
    if !validated.points.is_empty() {
        both.push(validated);
    }
    chart(title, both)
}

impl RunFolder {
    /// Writes the curves.
    pub fn write_curves(&self, state: &TrainState) -> Result<(), Failure> {
        self.write(&self.root.join("curves.svg"), svg(&charts(state)).as_bytes())
    }

    /// Writes the page.
    pub fn write_report(&self, shown: &Shown<'_>) -> Result<(), Failure> {
        self.write(&self.root.join("report.html"), render(&page(shown)).as_bytes())
    }
}

fn page(shown: &Shown<'_>) -> Page {
    let Shown { info, state, data, .. } = shown;
    let mut notes: Vec<String> = data.notice.iter().cloned().collect();
    notes.extend(data.notes.iter().map(|note| note.line.clone()));
    if state.skipped > 0 {
        notes.push(format!("{} batches were left out: not finite", state.skipped));
    }
    let worst: &[WorstSample] = match shown.details {
        Details::Classes(ClassCounts { worst, .. })
        | Details::Numbers(NumberErrors { worst, .. }) => worst,
        Details::None => &[],
    };
    let confusion = match shown.details {
        Details::Classes(counts) if !counts.counts.is_empty() => Some(Confusion {
            classes: (0..counts.each.len()).map(|class| class_name(data, counts, class)).collect(),
            counts: counts.counts.clone(),
        }),
        Details::Classes(_) | Details::Numbers(_) | Details::None => None,
    };
    Page {
        title: format!("{}: a run of {}", info.model, data.source),
        summary: summary(shown),
        charts: charts(state),
        confusion,
        worst: worst.iter().map(|worst| prediction(data, worst)).collect(),
        tables: vec![layers_table(shown), epochs_table(&state.history), timings_table(shown)],
        sources: shown.sources.clone(),
        notes,
    }
}

/// The noun for the counts of a confusion matrix.
fn counted(counts: &ClassCounts) -> &'static str {
    match counts.positions {
        1 => "samples",
        _ if counts.labels => "labels",
        _ => "positions",
    }
}

/// A class's name; labels of which a sample has several are answered yes or no.
fn class_name(data: &Dataset, counts: &ClassCounts, class: usize) -> String {
    match counts.labels && counts.positions > 1 {
        true => ["no", "yes"][class.min(1)].to_owned(),
        false => data.class_name(class),
    }
}

fn summary(shown: &Shown<'_>) -> Vec<(String, String)> {
    let mut facts = vec![("run".to_owned(), shown.info.summary.clone())];
    facts.push(("task".to_owned(), shown.task.to_string()));
    match shown.details {
        Details::Classes(counts) => {
            let (right, all) = counts.right();
            let share = 100.0 * right as f64 / all.max(1) as f64;
            let text = format!("{right} of {all} {} ({share:.1} %)", counted(counts));
            facts.push(("right".to_owned(), text));
        }
        Details::Numbers(errors) => {
            let NumberErrors { mean_absolute, root_mean_square, .. } = errors;
            let text = format!("{mean_absolute:.4}, root mean square {root_mean_square:.4}");
            facts.push(("mean absolute error".to_owned(), text));
        }
        Details::None => {}
    }
    if let Some(result) = &shown.info.result {
        let mut put = |name: &str, scores: &Scores| {
            let metrics = scores.metrics.iter().map(|(name, value)| format!("{name} {value:.4}"));
            let parts = std::iter::once(format!("loss {:.4}", scores.loss)).chain(metrics);
            facts.push((name.to_owned(), parts.collect::<Vec<_>>().join(", ")));
        };
        result.test.iter().for_each(|scores| put("test", scores));
        result.validation.iter().for_each(|scores| put("validation", scores));
        put("training", &result.train);
        if result.test.is_some() {
            facts.push(("tested".to_owned(), result.tested()));
        }
        let best = result.best_epoch.map_or(String::new(), |best| format!(", the best was {best}"));
        let early = if result.stopped_early { ", stopped early" } else { "" };
        facts.push(("epochs".to_owned(), format!("{}{best}{early}", result.epochs)));
        facts.push(("seconds of training".to_owned(), format!("{:.2}", result.seconds)));
    }
    if !shown.info.set.is_empty() {
        facts.push(("set on the command line".to_owned(), shown.info.set.join(", ")));
    }
    facts.extend(shown.environment.iter().cloned());
    facts
}

/// A sample that the model is wrong about, as it lies in the data.
fn prediction(data: &Dataset, worst: &WorstSample) -> SamplePrediction {
    let split = &data.test;
    let name = match split.file(worst.index) {
        Some(file) => file.to_string_lossy().into_owned(),
        None => format!("sample {}", split.original(worst.index)),
    };
    let said = |said: ClassOrNumber| match said {
        ClassOrNumber::Class(class) => data.class_name(class),
        ClassOrNumber::Number(number) => format!("{number:.4}"),
    };
    SamplePrediction {
        image: picture(split, worst.index),
        name,
        label: said(worst.label),
        predicted: said(worst.predicted),
        probability: worst.probability,
        loss: worst.loss,
    }
}

/// The bytes of a sample that is an image and can be read.
fn picture(split: &Split, index: u32) -> Option<Picture> {
    let field = split.fields().first()?;
    let &[height, width, channels @ (1 | 3)] = &field.shape[..] else { return None };
    if field.dtype != DType::U8 {
        return None;
    }
    let mut bytes = vec![0; field.bytes()];
    split.copy_batch(&[index], 0, &mut bytes).ok()?;
    Some(Picture { height, width, channels, bytes })
}

fn layers_table(shown: &Shown<'_>) -> HtmlTable {
    HtmlTable {
        title: "Layers".to_owned(),
        header: ["layer", "output", "parameters", "FLOP a sample"].map(str::to_owned).to_vec(),
        rows: shown.layers.iter().map(|row| row.to_vec()).collect(),
        numeric: vec![false, false, true, true],
    }
}

fn epochs_table(history: &[EpochRecord]) -> HtmlTable {
    let Some(first) = history.first() else { return HtmlTable::default() };
    let mut header = vec!["epoch".to_owned(), "loss".to_owned()];
    header.extend(first.train.metrics.iter().map(|(name, _)| name.clone()));
    if let Some(validation) = &first.validation {
        header.push("val_loss".to_owned());
        header.extend(validation.metrics.iter().map(|(name, _)| format!("val_{name}")));
    }
    header.extend(["gradient", "samples/s", "seconds", "waiting for data"].map(str::to_owned));
    let numbers = |scores: &Scores| {
        let metrics = scores.metrics.iter().map(|(_, value)| *value);
        std::iter::once(scores.loss).chain(metrics).map(|it| format!("{it:.4}")).collect::<Vec<_>>()
    };
    let row = |record: &EpochRecord| {
        let mut row = vec![record.epoch.to_string()];
        row.extend(numbers(&record.train));
        row.extend(record.validation.iter().flat_map(numbers));
        row.push(format!("{:.4}", record.grad_norm));
        row.push(format!("{:.0}", record.samples as f64 / record.seconds));
        row.push(format!("{:.2}", record.seconds));
        row.push(format!("{:.1} %", 100.0 * record.data_seconds / record.seconds));
        row
    };
    let numeric = vec![true; header.len()];
    HtmlTable {
        title: "Epochs".to_owned(),
        header,
        rows: history.iter().map(row).collect(),
        numeric,
    }
}

fn timings_table(shown: &Shown<'_>) -> HtmlTable {
    let row = |timing: &Timing| vec![timing.pass.clone(), format!("{:.2}", 1e3 * timing.seconds)];
    HtmlTable {
        title: "Compilation".to_owned(),
        header: vec!["stage".to_owned(), "ms".to_owned()],
        rows: shown.timings.iter().map(row).collect(),
        numeric: vec![false, true],
    }
}
