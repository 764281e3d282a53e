//! The part of the page about one output of a model: what fits its task.
//!
//! ```text
//! a class              confusion matrix, figures of each class
//! a class a position   the same of positions; images with masks, texts with what is wrong in them
//! labels               a table of labels
//! numbers              predicted against true, and a histogram of what lies between
//! a picture            what went in and what came out
//! ```
//!
//! With all of them the samples that the model is most wrong about, and some others.

use super::media::MediaBudget;
use super::names::{class_name, number_name};
use super::samples::{SampleWriter, shown_most};
use crate::base::schema::Field;
use crate::base::task::{OutputTask, Task};
use crate::base::units::significant;
use crate::data::Dataset;
use crate::report::chart::{Chart, Series, SeriesShape};
use crate::report::html::{
    Confusion, HtmlTable, OutputSection, SampleList, class_table, scores_of,
};
use crate::run::evaluate::{ClassCounts, Details, EvaluatedSample, NumberColumn, NumberErrors};

/// Bars of a histogram.
const BARS: usize = 32;

/// An output with what evaluation said of it.
pub struct ShownOutput<'a> {
    /// Its task.
    pub of: &'a OutputTask,
    /// Its counts or errors.
    pub details: &'a Details,
}

/// The sections of all outputs; pictures and sounds are taken from what is left of the budget.
pub fn sections(
    data: &Dataset,
    outputs: &[ShownOutput<'_>],
    budget: &mut MediaBudget,
) -> Vec<OutputSection> {
    let several = outputs.len() > 1;
    outputs.iter().map(|output| section(data, output, several, budget)).collect()
}

fn section(
    data: &Dataset,
    output: &ShownOutput<'_>,
    several: bool,
    budget: &mut MediaBudget,
) -> OutputSection {
    let OutputTask { output: name, target, task, .. } = output.of;
    let field =
        target.as_deref().and_then(|name| data.test.fields().iter().find(|it| it.name == *name));
    let mut section = OutputSection {
        name: if several { name.clone() } else { String::new() },
        facts: vec![("task".to_owned(), output.of.task.to_string())],
        ..OutputSection::default()
    };
    section.facts.extend(target.clone().map(|target| ("target".to_owned(), target)));
    section.facts.extend(figure(output.details));
    let (worst, random) = match output.details {
        Details::Classes(counts) => {
            section.confusion = confusion(data, field, counts);
            section.tables.extend(labels_table(field, counts));
            (&counts.worst, &counts.random)
        }
        Details::Numbers(errors) => {
            section.charts = errors.columns.iter().flat_map(number_charts).collect();
            section.tables.extend(columns_table(errors));
            (&errors.worst, &errors.random)
        }
        Details::None => return section,
    };
    let writer = SampleWriter::new(data, field, *task);
    let mut list = |title: &str, samples: &[EvaluatedSample]| {
        let most = shown_most(samples);
        let samples = samples.iter().take(most).map(|sample| writer.sample(sample, budget));
        let samples: Vec<_> = samples.collect();
        if !samples.is_empty() {
            let (title, legend) = (title.to_owned(), writer.legend());
            section.samples.push(SampleList { title, legend, samples });
        }
    };
    list("Worst predictions", worst);
    list("Random predictions", random);
    section
}

/// The one figure of an output, by name.
pub fn figure(details: &Details) -> Option<(String, String)> {
    match details {
        Details::Classes(counts) => {
            let (right, all) = counts.right();
            let share = 100.0 * right as f64 / all.max(1) as f64;
            let what = counted(counts);
            Some(("right".to_owned(), format!("{right} of {all} {what} ({share:.1} %)")))
        }
        Details::Numbers(errors) => {
            let NumberErrors { mean_absolute, root_mean_square, .. } = errors;
            let text = format!("{mean_absolute:.4}, root mean square {root_mean_square:.4}");
            Some(("mean absolute error".to_owned(), text))
        }
        Details::None => None,
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

/// How often which class was taken for which; none with very many classes, or of labels, which have a
/// table.
fn confusion(data: &Dataset, field: Option<&Field>, counts: &ClassCounts) -> Option<Confusion> {
    if counts.counts.is_empty() || !counts.each_label.is_empty() {
        return None;
    }
    let classes = (0..counts.each.len()).map(|class| class_name(data, field, class)).collect();
    Some(Confusion { classes, counts: counts.counts.clone() })
}

/// Precision, recall and F1 of each label.
fn labels_table(field: Option<&Field>, counts: &ClassCounts) -> Option<HtmlTable> {
    let all = counts.each_label.len();
    let score = |(place, count): (usize, &crate::run::evaluate::ClassCount)| {
        let name = number_name(field, place, all);
        scores_of(name, count.support, count.predicted, count.right)
    };
    let scores: Vec<_> = counts.each_label.iter().enumerate().map(score).collect();
    let table = class_table("label", &scores);
    (all > 0).then(|| HtmlTable { title: "Labels".to_owned(), ..table })
}

/// Errors of each column, where there are several.
fn columns_table(errors: &NumberErrors) -> Option<HtmlTable> {
    let row = |column: &NumberColumn| {
        let NumberColumn { name, mean_absolute, root_mean_square, count, .. } = column;
        vec![
            name.clone(),
            significant(*mean_absolute),
            significant(*root_mean_square),
            count.to_string(),
        ]
    };
    let header = ["column", "mean absolute error", "root mean square error", "numbers"];
    (errors.columns.len() > 1).then(|| HtmlTable {
        title: "Errors".to_owned(),
        header: header.map(str::to_owned).to_vec(),
        rows: errors.columns.iter().map(row).collect(),
        numeric: vec![false, true, true, true],
    })
}

/// Predicted against true numbers of a column, and how often which error comes up.
fn number_charts(column: &NumberColumn) -> Vec<Chart> {
    let NumberColumn { name, points, count, .. } = column;
    if points.is_empty() {
        return Vec::new();
    }
    let of = match *count > points.len() as u64 {
        true => format!("{} of {count}", points.len()),
        false => count.to_string(),
    };
    let all = || points.iter().flat_map(|&(label, predicted)| [label, predicted]);
    let finite = || all().filter(|number| number.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| {
        (low.min(number), high.max(number))
    });
    let scatter =
        Series { name: format!("{of} numbers"), points: points.clone(), shape: SeriesShape::Dots };
    let diagonal = Series {
        name: "predicted = true".to_owned(),
        points: vec![(low, low), (high, high)],
        shape: SeriesShape::Dashed,
    };
    let residuals: Vec<f64> = points.iter().map(|(label, predicted)| predicted - label).collect();
    vec![
        Chart {
            title: format!("{name}: predicted against true"),
            x_label: format!("true {name}"),
            y_label: format!("predicted {name}"),
            series: vec![scatter, diagonal],
            ..Chart::default()
        },
        Chart {
            title: format!("{name}: residuals"),
            x_label: format!("predicted − true {name}"),
            y_label: "numbers".to_owned(),
            series: vec![Series {
                name: String::new(),
                points: histogram(&residuals),
                shape: SeriesShape::Bars,
            }],
            ..Chart::default()
        },
    ]
}

/// The left edge and the height of each bar; the last has the right edge and no height.
fn histogram(numbers: &[f64]) -> Vec<(f64, f64)> {
    let mut numbers: Vec<f64> = numbers.iter().copied().filter(|it| it.is_finite()).collect();
    numbers.sort_by(f64::total_cmp);
    let (Some(&low), Some(&high)) = (numbers.first(), numbers.last()) else { return Vec::new() };
    let around = if low == high { low.abs().max(1.0) / 2.0 } else { 0.0 };
    let (low, high) = (low - around, high + around);
    let width = (high - low) / BARS as f64;
    let edge = |bar: usize| low + width * bar as f64;
    let mut heights = [0u32; BARS + 1];
    for number in numbers {
        heights[(((number - low) / width) as usize).min(BARS - 1)] += 1;
    }
    heights.iter().enumerate().map(|(bar, &height)| (edge(bar), f64::from(height))).collect()
}

/// Bytes of a page's charts, which do not depend on the data.
pub fn chart_bytes(task: Task) -> usize {
    match task {
        // A point is some 14 characters.
        Task::Numbers { .. } => {
            14 * crate::run::evaluate::MOST_COLUMNS * crate::run::evaluate::MOST_POINTS
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_hold_all_numbers_and_end_at_the_largest() {
        let numbers: Vec<f64> = (0..100).map(f64::from).chain([f64::NAN]).collect();
        let bars = histogram(&numbers);
        assert_eq!(bars.len(), BARS + 1);
        assert_eq!(bars.iter().map(|(_, height)| height).sum::<f64>(), 100.0);
        assert_eq!((bars[0].0, bars[BARS]), (0.0, (99.0, 0.0)));
        let one = histogram(&[3.0, 3.0]);
        assert_eq!(one.iter().map(|(_, height)| height).sum::<f64>(), 2.0);
        assert!(histogram(&[]).is_empty());
    }

    #[test]
    fn a_column_of_numbers_has_a_scatter_with_its_diagonal_and_residuals() {
        let points = vec![(1.0, 2.0), (5.0, 4.0)];
        let column = NumberColumn { name: "price".into(), points, count: 9, ..Default::default() };
        let charts = number_charts(&column);
        assert_eq!(charts[0].series[0].name, "2 of 9 numbers");
        assert_eq!(charts[0].series[1].points, [(1.0, 1.0), (5.0, 5.0)]);
        assert_eq!(charts[1].x_label, "predicted − true price");
        assert!(number_charts(&NumberColumn::default()).is_empty());
    }
}
