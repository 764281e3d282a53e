//! Charts as SVG that stands alone.
//!
//! ```text
//! Loss                            what is above the plot is as high as its texts need, so
//! ── train  ╌╌ validation         nothing is written over a curve
//!                 best
//! 2 ┤╲            ┊
//! 1 ┤ ╲___________┊____
//! 0 └──────────────────
//!      5    10    15
//!           epoch
//! ```
//!
//! Colours follow the reader's scheme, light or dark, and can be told apart by people who see few
//! of them; numbers that are not finite, or not positive on a logarithmic axis, are left out and
//! leave a gap. A series may be dots or the bars of a histogram as well. Nothing moves.

mod axis;
mod curve;
mod flag;
mod key;
mod number;
mod plot;
pub(super) mod style;
mod text;

use crate::report::escape::escape;
use plot::{PlotLayout, WIDTH};

/// A curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// Its points, joined in this order.
    pub points: Vec<(f64, f64)>,
    /// How the points are drawn.
    pub shape: SeriesShape,
}

/// How the points of a series are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SeriesShape {
    /// Joined by a line.
    #[default]
    Line,
    /// Joined by a dashed line.
    Dashed,
    /// Each as a dot, half transparent.
    Dots,
    /// As bars side by side: a point is the left edge of a bar and its height, the last one the right
    /// edge of all.
    Bars,
}

/// Something that happened at an x, shown as a vertical line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mark {
    /// Where.
    pub x: f64,
    /// Text at the top of the line.
    pub label: String,
}

/// Curves over a common x axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// Title above the plot.
    pub title: String,
    /// Name and unit of the x axis.
    pub x_label: String,
    /// Name and unit of the y axis.
    pub y_label: String,
    /// Whether the x axis is logarithmic.
    pub log_x: bool,
    /// Whether the y axis is logarithmic.
    pub log_y: bool,
    /// The curves; colours are given in this order.
    pub series: Vec<Series>,
    /// Vertical lines.
    pub marks: Vec<Mark>,
}

/// Between charts, and around all of them.
const GAP: f64 = 28.0;

/// One document with all charts, two a row.
pub fn svg(charts: &[Chart]) -> String {
    let mut body = String::new();
    let mut bottom = GAP;
    for row in charts.chunks(2) {
        let (layouts, head) = side_by_side(row);
        for (column, layout) in layouts.iter().enumerate() {
            let left = GAP + column as f64 * (WIDTH + GAP);
            let chart = layout.draw(head);
            body.push_str(&format!("<g transform=\"translate({left},{bottom})\">{chart}</g>\n"));
        }
        bottom += plot::height(head) + GAP;
    }
    if charts.is_empty() {
        body = format!("<text class=\"empty\" x=\"{GAP}\" y=\"{GAP}\">no charts</text>\n");
        bottom += GAP;
    }
    let columns = charts.len().clamp(1, 2) as f64;
    let width = GAP + columns * (WIDTH + GAP);
    let titles: Vec<&str> = charts.iter().map(|chart| chart.title.as_str()).collect();
    let style = format!("<style>{}</style>\n", style::sheet());
    let paper = "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n";
    document(&titles.join(", "), (width, bottom), &format!("{style}{paper}{body}"))
}

/// The style sheet of charts, for a page that draws its own: `.nnc-chart .curve.c0` is the first colour.
pub fn style_sheet() -> String {
    style::sheet()
}

/// A document for each chart, for a page that has the style sheet already and shows two a row.
pub(super) fn figures(charts: &[Chart]) -> Vec<String> {
    let mut figures = Vec::new();
    for row in charts.chunks(2) {
        let (layouts, head) = side_by_side(row);
        for (chart, layout) in row.iter().zip(layouts) {
            let size = (WIDTH, plot::height(head));
            figures.push(document(&chart.title, size, &layout.draw(head)));
        }
    }
    figures
}

/// The charts of a row, and what is above their plots: as much as one of them needs, so that all
/// plots are at the same height.
fn side_by_side(row: &[Chart]) -> (Vec<PlotLayout<'_>>, f64) {
    let layouts: Vec<PlotLayout> = row.iter().map(PlotLayout::of).collect();
    let head = layouts.iter().map(|layout| layout.head).fold(0.0, f64::max);
    (layouts, head)
}

fn document(title: &str, (width, height): (f64, f64), body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"nnc-chart\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"{}\">\n{body}</svg>\n",
        escape(title)
    )
}

#[cfg(test)]
mod tests;
