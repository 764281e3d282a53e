//! One chart: where its parts lie, and their drawing.
//!
//! From above: title, names of the series, labels of marks, then the plot with its ticks on the
//! left and below, and the axes' labels. Heights above the plot depend on the texts; the plot's
//! own is fixed.

use super::axis::{Axis, Tick, shown};
use super::curve::{self, ChartPoint};
use super::flag::{self, Flags};
use super::key::{self, ChartKey, titled};
use super::{Chart, Series, SeriesShape, style, text};

/// The width of a chart.
pub const WIDTH: f64 = 400.0;

/// The height of the plot.
const PLOT: f64 = 200.0;

/// Below the plot: ticks and the label of the axis.
const FOOT: f64 = 36.0;

/// Above all: the title.
const TITLE: f64 = 22.0;

/// Between what is above the plot and the plot.
const AIR: f64 = 8.0;

/// Right of the plot: half of the last tick's label.
const RIGHT: f64 = 12.0;

/// How much wider bold letters are.
const BOLD: f64 = 1.15;

/// Font sizes of the title and of all else.
const LARGE: f64 = 13.0;
const SMALL: f64 = 11.0;

/// Where the parts of a chart lie.
pub struct PlotLayout<'a> {
    chart: &'a Chart,
    key: ChartKey<'a>,
    frame: Option<PlotFrame<'a>>,
    /// Height of title and key above the plot, in pixels.
    pub head: f64,
}

/// Axes and what depends on them; a chart without points has none.
struct PlotFrame<'a> {
    x: Axis,
    y: Axis,
    y_ticks: Vec<Tick>,
    /// Where the plot begins.
    left: f64,
    flags: Flags<'a>,
}

/// The height of a chart with so much above its plot.
pub fn height(head: f64) -> f64 {
    head + PLOT + FOOT
}

impl PlotLayout<'_> {
    /// Finds a place for everything.
    pub fn of(chart: &Chart) -> PlotLayout<'_> {
        let key = ChartKey::of(&chart.series, WIDTH);
        let frame = PlotFrame::of(chart);
        let lanes = frame.as_ref().map_or(0, |frame| frame.flags.lanes);
        let head = TITLE + key.rows as f64 * key::ROW + lanes as f64 * flag::LANE + AIR;
        PlotLayout { chart, key, frame, head }
    }

    /// The drawing, with the plot this far down.
    pub fn draw(&self, head: f64) -> String {
        let title = text::fit(&self.chart.title, LARGE * BOLD, WIDTH);
        let title = titled(&title, &self.chart.title);
        let mut drawn = format!("<text class=\"title\" y=\"{LARGE}\">{title}</text>\n");
        drawn.push_str(&self.key.draw(TITLE));
        match &self.frame {
            Some(frame) => drawn.push_str(&frame.draw(self.chart, head)),
            None => drawn.push_str(&empty(self.chart, head)),
        }
        drawn
    }
}

impl PlotFrame<'_> {
    fn of(chart: &Chart) -> Option<PlotFrame<'_>> {
        let points = || {
            let points = chart.series.iter().flat_map(|series| &series.points);
            points.filter(|(x, y)| shown(*x, chart.log_x) && shown(*y, chart.log_y))
        };
        // Marks belong to the curves: without any point there is nothing to mark.
        points().next()?;
        let marks = chart.marks.iter().map(|mark| mark.x);
        let x = Axis::over(points().map(|(x, _)| *x).chain(marks), chart.log_x, 0.0)?;
        let y = Axis::over(points().map(|(_, y)| *y), chart.log_y, 0.05)?.with_fractions();
        let y_ticks = y.ticks(5);
        let widths = y_ticks.iter().map(|tick| text::width(&tick.label, SMALL));
        let label = if chart.y_label.is_empty() { 0.0 } else { 18.0 };
        let left = label + widths.fold(0.0, f64::max) + 7.0;
        let flags = Flags::of(&chart.marks, &x, (left, WIDTH - RIGHT));
        Some(PlotFrame { x, y, y_ticks, left, flags })
    }

    fn draw(&self, chart: &Chart, top: f64) -> String {
        let bottom = top + PLOT;
        let mut drawn = self.draw_grid(top);
        drawn.push_str(&self.draw_x_ticks(bottom));
        drawn.push_str(&labels(chart, self.left, top));
        drawn.push_str(&self.flags.draw((top, bottom)));
        for (index, series) in chart.series.iter().enumerate() {
            drawn.push_str(&self.draw_series(index, series, top));
        }
        drawn
    }

    /// Lines at the ticks of the y axis, and what these say.
    fn draw_grid(&self, top: f64) -> String {
        let (left, right) = (self.left, WIDTH - RIGHT);
        let line = |class: &str, tick: &Tick| {
            let y = top + PLOT * (1.0 - tick.at);
            format!("<path class=\"{class}\" d=\"M{left:.1},{y:.1} {right:.1},{y:.1}\"/>\n")
        };
        let between = self.y.lines_between();
        let mut drawn: String = between.iter().map(|tick| line("between", tick)).collect();
        for tick in &self.y_ticks {
            let (x, y) = (left - 6.0, top + PLOT * (1.0 - tick.at) + 4.0);
            drawn.push_str(&line("grid", tick));
            let label = &tick.label;
            drawn.push_str(&format!(
                "<text class=\"end\" x=\"{x:.1}\" y=\"{y:.1}\">{label}</text>\n"
            ));
        }
        drawn
    }

    /// The x axis, with as many ticks as have room for what they say.
    fn draw_x_ticks(&self, bottom: f64) -> String {
        let (left, right) = (self.left, WIDTH - RIGHT);
        let place = |tick: &Tick| left + tick.at * (right - left);
        let half = |tick: &Tick| text::width(&tick.label, SMALL) / 2.0;
        let fits = |ticks: &Vec<Tick>| {
            ticks.windows(2).all(|pair| {
                place(&pair[0]) + half(&pair[0]) + 8.0 <= place(&pair[1]) - half(&pair[1])
            })
        };
        let ticks = (1..=7).rev().map(|count| self.x.ticks(count)).find(fits).unwrap_or_default();
        let mut drawn =
            format!("<path class=\"axis\" d=\"M{left:.1},{bottom:.1} {right:.1},{bottom:.1}");
        for tick in &ticks {
            drawn.push_str(&format!(
                "M{0:.1},{bottom:.1} {0:.1},{1:.1}",
                place(tick),
                bottom + 4.0
            ));
        }
        drawn.push_str("\"/>\n");
        for tick in &ticks {
            let (x, y) = (place(tick).min(WIDTH - half(tick)).max(half(tick)), bottom + 16.0);
            let label = &tick.label;
            drawn.push_str(&format!(
                "<text class=\"mid\" x=\"{x:.1}\" y=\"{y:.1}\">{label}</text>\n"
            ));
        }
        drawn
    }

    fn draw_series(&self, index: usize, series: &Series, top: f64) -> String {
        let place = |&(x, y): &(f64, f64)| -> Option<ChartPoint> {
            let (x, y) = (self.x.place(x)?, self.y.place(y)?);
            Some((self.left + x * (WIDTH - RIGHT - self.left), top + (1.0 - y) * PLOT))
        };
        let class = style::class(index, series.shape);
        let name = titled("", &series.name);
        let places: Vec<Option<ChartPoint>> = series.points.iter().map(place).collect();
        let shape = |kind: &str, path: String| {
            format!("<path class=\"{kind} {class}\" d=\"{path}\">{name}</path>\n")
        };
        let (path, dots) = match series.shape {
            SeriesShape::Line | SeriesShape::Dashed => curve::path(places),
            SeriesShape::Dots => return shape("dots", curve::dots(places.into_iter().flatten())),
            SeriesShape::Bars => {
                let base = self.y.place(0.0).map_or(top + PLOT, |at| top + (1.0 - at) * PLOT);
                return shape("bars", curve::bars(places.into_iter().flatten(), base));
            }
        };
        let mut drawn = String::new();
        if !path.is_empty() {
            drawn = format!("<path class=\"curve {class}\" d=\"{path}\">{name}</path>\n");
        }
        for (x, y) in dots {
            drawn.push_str(&format!(
                "<circle class=\"point {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>\n"
            ));
        }
        drawn
    }
}

/// The labels of both axes.
fn labels(chart: &Chart, left: f64, top: f64) -> String {
    let (middle, base) = ((left + WIDTH - RIGHT) / 2.0, top + PLOT + FOOT - 4.0);
    let x = text::fit(&chart.x_label, SMALL, WIDTH - left);
    let y = text::fit(&chart.y_label, SMALL, PLOT);
    let mut drawn = String::new();
    if !x.is_empty() {
        let x = titled(&x, &chart.x_label);
        drawn.push_str(&format!(
            "<text class=\"mid\" x=\"{middle:.1}\" y=\"{base:.1}\">{x}</text>\n"
        ));
    }
    if !y.is_empty() {
        let (y, middle) = (titled(&y, &chart.y_label), top + PLOT / 2.0);
        drawn.push_str(&format!(
            "<text class=\"mid\" transform=\"translate(10,{middle:.1}) rotate(-90)\">{y}</text>\n"
        ));
    }
    drawn
}

/// A notice in place of a plot that would have no points.
fn empty(chart: &Chart, top: f64) -> String {
    let any = chart.series.iter().any(|series| !series.points.is_empty());
    let says = match (any, chart.log_x || chart.log_y) {
        (false, _) => "no data",
        (true, false) => "no finite numbers to show",
        (true, true) => "no positive finite numbers to show",
    };
    let (bottom, x, y) = (top + PLOT, WIDTH / 2.0, top + PLOT / 2.0);
    format!(
        "<path class=\"grid\" d=\"M0,{top:.1} {WIDTH},{top:.1}M0,{bottom:.1} {WIDTH},{bottom:.1}\"/>\n\
         <text class=\"empty mid\" x=\"{x:.1}\" y=\"{y:.1}\">{says}</text>\n"
    )
}
