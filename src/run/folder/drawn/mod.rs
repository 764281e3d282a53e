//! The drawings of a run: its curves as one SVG, and a page that tells all of it.
//!
//! ```text
//! records of epochs     → curves
//! outputs by their task → sections ([`outputs`]) with samples ([`samples`], [`media`])
//! everything else       → tables
//! ```
//!
//! A page is bounded, whatever the data: [`SHOWN`] samples and a few thousand points of each output,
//! [`MEDIA_BYTES`] of pictures and recordings.
//!
//! Both come from the records of epochs and from what the model made of the test samples; names that
//! users and file systems gave go through the page's own escaping.

mod media;
mod names;
mod outputs;
mod samples;

use self::media::{MEDIA_BYTES, MediaBudget};
use self::outputs::{ShownOutput, chart_bytes, figure};
use super::{RunFolder, RunInfo};
use crate::base::schema::{Field, Schema};
use crate::base::task::{OutputTask, Task};
use crate::data::Dataset;
use crate::driver::session::{Failure, Timing};
use crate::report::chart::{Chart, Mark, Series, svg};
use crate::report::html::{HtmlTable, Page, render};
use crate::run::evaluate::{Details, Keep, tally_bytes};
use crate::runtime::trainer::{EpochRecord, Scores, TrainState};

/// Samples that a page shows of each output.
pub const SHOWN: Keep = Keep { worst: 24, random: 6 };

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
    /// The outputs with what the test samples say of them beside loss and metrics; none where there
    /// was no test.
    pub outputs: Vec<(&'a OutputTask, &'a Details)>,
    /// The model's layers: path, output, parameters, operations a sample.
    pub layers: Vec<[String; 4]>,
    /// How long each stage of compilation took.
    pub timings: &'a [Timing],
    /// Where it ran: name and value.
    pub environment: Vec<(String, String)>,
    /// The program's files.
    pub sources: Vec<(String, String)>,
}

/// Bytes that counting what a model makes of the test samples takes at most, and showing it: what is
/// counted of each output twice (once on the page), charts, the pictures and recordings of samples
/// with what the page writes of them, a batch's targets.
pub fn report_bytes(tasks: &[OutputTask], schema: &Schema, batch: usize) -> usize {
    let shown = SHOWN.worst + SHOWN.random;
    let pictures: usize =
        schema.fields.iter().filter(|it| it.as_image().is_some()).map(Field::bytes).sum();
    // What goes in, what is right, what comes out, what is wrong: in three channels.
    let media = (shown * tasks.len() * 4 * 3 * pictures).min(MEDIA_BYTES);
    let of_tasks = tasks.iter().map(|of| 2 * tally_bytes(of.task, SHOWN) + chart_bytes(of.task));
    let targets: usize = schema.targets().into_iter().map(Field::bytes).sum();
    // As pixels, as a PNG file, as base64 in the page, and in the page as it is put together.
    of_tasks.sum::<usize>() + 5 * media + batch * targets
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
        charts.push(chart(&name, vec![series(&name, &state.history, &value)]));
    }
    let norm = |record: &EpochRecord| Some(record.grad_norm);
    charts.push(chart("norm of the gradient", vec![series("gradient", &state.history, &norm)]));
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
) -> Series {
    let point = |record: &EpochRecord| Some((record.epoch as f64, value(record)?));
    let points = history.iter().filter_map(point).collect();
    Series { name: name.to_owned(), points, ..Series::default() }
}

/// A number of training and validation in one chart.
fn scores_chart(
    title: &str,
    history: &[EpochRecord],
    of: &dyn Fn(&Scores) -> Option<f64>,
) -> Chart {
    let mut both = vec![series("training", history, &|record| of(&record.train))];
    let validation = |record: &EpochRecord| of(record.validation.as_ref()?);
    let validated = series("validation", history, &validation);
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
    let outputs = shown.outputs.iter().map(|&(of, details)| ShownOutput { of, details });
    let outputs: Vec<ShownOutput<'_>> = outputs.collect();
    let outputs = outputs::sections(data, &outputs, &mut MediaBudget::new());
    Page {
        title: format!("{}: a run of {}", info.model, data.source),
        summary: summary(shown),
        charts: charts(state),
        outputs,
        tables: vec![layers_table(shown), epochs_table(&state.history), timings_table(shown)],
        sources: shown.sources.clone(),
        notes,
    }
}

fn summary(shown: &Shown<'_>) -> Vec<(String, String)> {
    let mut facts = vec![("run".to_owned(), shown.info.summary.clone())];
    let task = match &shown.outputs[..] {
        [] => shown.task.to_string(),
        [(of, _)] => of.task.to_string(),
        several => {
            let one = |(of, _): &(&OutputTask, &Details)| format!("{}: {}", of.output, of.task);
            several.iter().map(one).collect::<Vec<_>>().join("; ")
        }
    };
    facts.push(("task".to_owned(), task));
    // Of several outputs each has a section with its own.
    if let [(_, details)] = shown.outputs[..] {
        facts.extend(figure(details));
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
