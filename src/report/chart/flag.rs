//! Marks: vertical lines through the plot, each with its label above, in as many lanes as labels
//! need that lie close to one another.
//!
//! ```text
//! warm-up over
//! ┊ best
//! ┊ ┊        last
//! ```

use super::key::titled;
use super::{Mark, axis::Axis, text};

/// The height of a lane.
pub const LANE: f64 = 14.0;

/// Lanes at most; what finds no place in one is a line without a label.
const LANES: usize = 4;

/// The font's size.
const SIZE: f64 = 11.0;

/// The longest a label gets.
const LABEL: f64 = 130.0;

/// Between labels of a lane.
const GAP: f64 = 8.0;

/// A mark in its place.
#[derive(Debug, PartialEq)]
struct Flag<'a> {
    x: f64,
    /// Where the label begins.
    start: f64,
    label: String,
    /// The label as it was given.
    full: &'a str,
    /// The lane, counted from the plot upwards.
    lane: Option<usize>,
}

/// The marks of a chart.
#[derive(Debug, PartialEq)]
pub struct Flags<'a> {
    flags: Vec<Flag<'a>>,
    /// Lanes that the labels take.
    pub lanes: usize,
}

impl Flags<'_> {
    /// The marks that lie on an axis, in a plot from `left` to `right`.
    pub fn of<'a>(marks: &'a [Mark], axis: &Axis, (left, right): (f64, f64)) -> Flags<'a> {
        let flag = |mark: &'a Mark| {
            let x = left + axis.place(mark.x)? * (right - left);
            let label = text::fit(&mark.label, SIZE, LABEL);
            // A label at the right end is moved into the drawing.
            let start = x.min(right - text::width(&label, SIZE)).max(0.0);
            Some(Flag { x, start, label, full: &mark.label, lane: None })
        };
        let mut flags: Vec<Flag> = marks.iter().filter_map(flag).collect();
        // From right to left: a label goes above those which its text would run into, so the lines
        // of these end below it.
        flags.sort_by(|a, b| b.x.total_cmp(&a.x));
        for index in 0..flags.len() {
            if flags[index].label.is_empty() {
                continue;
            }
            let end = flags[index].start + text::width(&flags[index].label, SIZE) + GAP;
            let before = flags[..index].iter().filter(|other| other.start < end);
            let lane = before.filter_map(|other| other.lane).max().map_or(0, |lane| lane + 1);
            flags[index].lane = (lane < LANES).then_some(lane);
        }
        let lanes = flags.iter().filter_map(|flag| flag.lane).max().map_or(0, |lane| lane + 1);
        Flags { flags, lanes }
    }

    /// Lines from the labels down to the plot's bottom, then the labels, over any line.
    pub fn draw(&self, (top, bottom): (f64, f64)) -> String {
        let mut drawn = String::new();
        for flag in &self.flags {
            let above = top - flag.lane.map_or(0.0, |lane| lane as f64 * LANE + 2.0);
            let line = format!("M{0:.1},{above:.1} {0:.1},{bottom:.1}", flag.x);
            let full = titled("", flag.full);
            drawn.push_str(&format!("<path class=\"mark\" d=\"{line}\">{full}</path>\n"));
        }
        for flag in &self.flags {
            let Some(lane) = flag.lane else { continue };
            let base = top - lane as f64 * LANE - 4.0;
            let label = titled(&flag.label, flag.full);
            drawn.push_str(&format!(
                "<text class=\"halo\" x=\"{:.1}\" y=\"{base:.1}\">{label}</text>\n",
                flag.start
            ));
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(x: f64, label: &str) -> Mark {
        Mark { x, label: label.to_owned() }
    }

    #[test]
    fn labels_that_lie_close_get_lanes_of_their_own() {
        let axis = Axis::over([0.0, 100.0].into_iter(), false, 0.0).expect("an axis");
        let marks =
            [mark(50.0, "best"), mark(5.0, "warm-up is over"), mark(8.0, "x"), mark(99.0, "last")];
        let flags = Flags::of(&marks, &axis, (40.0, 440.0));
        let lanes: Vec<(&str, Option<usize>)> =
            flags.flags.iter().map(|flag| (flag.full, flag.lane)).collect();
        let expected =
            [("last", Some(0)), ("best", Some(0)), ("x", Some(0)), ("warm-up is over", Some(1))];
        assert_eq!(lanes, expected);
        assert_eq!(flags.lanes, 2);
    }

    #[test]
    fn no_two_labels_of_a_lane_overlap() {
        let axis = Axis::over([0.0, 30.0].into_iter(), false, 0.0).expect("an axis");
        let marks: Vec<Mark> =
            (0..=30).map(|x| mark(f64::from(x), "restart of the rate")).collect();
        let flags = Flags::of(&marks, &axis, (40.0, 440.0)).flags;
        assert!(flags.iter().any(|flag| flag.lane == Some(LANES - 1)));
        assert!(flags.iter().any(|flag| flag.lane.is_none()), "some find no place");
        for (index, flag) in flags.iter().enumerate() {
            let end = flag.start + text::width(&flag.label, SIZE);
            assert!(end <= 440.0 + 1e-9);
            let neighbours = flags[..index].iter().filter(|other| other.lane == flag.lane);
            for other in neighbours.filter(|other| other.lane.is_some()) {
                assert!(other.start >= end, "{other:?} over {flag:?}");
            }
        }
    }

    #[test]
    fn marks_without_a_place_are_left_out() {
        let axis = Axis::over([1.0, 10.0].into_iter(), true, 0.0).expect("an axis");
        let marks = [mark(0.0, "zero"), mark(f64::NAN, "nan")];
        assert!(Flags::of(&marks, &axis, (0.0, 100.0)).flags.is_empty());
    }
}
