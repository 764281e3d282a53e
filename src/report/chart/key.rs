//! Which line is which: names in rows above the plot, where no curve can be.

use super::text;
use super::{Series, SeriesShape, style};
use crate::report::escape::escape;

/// The height of a row.
pub const ROW: f64 = 17.0;

/// Rows that are shown at most.
const ROWS: usize = 5;

/// The font's size.
const SIZE: f64 = 11.0;

/// The length of the sample of a line, the space behind it, and that behind a name.
const SAMPLE: f64 = 22.0;
const SPACE: f64 = 5.0;
const GAP: f64 = 16.0;

/// The longest a name gets.
const NAME: f64 = 150.0;

/// A name with the sample of its line.
#[derive(Debug, PartialEq)]
struct KeyEntry<'a> {
    left: f64,
    row: usize,
    name: String,
    /// The name as it was given.
    full: &'a str,
    /// The class of the drawing and how points are drawn; none for the note that there are more.
    class: Option<(String, SeriesShape)>,
}

/// The names of a chart's series.
#[derive(Debug, PartialEq)]
pub struct ChartKey<'a> {
    entries: Vec<KeyEntry<'a>>,
    /// Rows that the names take.
    pub rows: usize,
}

impl ChartKey<'_> {
    /// The names of those series that have one, in rows of this width.
    pub fn of(series: &[Series], room: f64) -> ChartKey<'_> {
        let mut entries: Vec<KeyEntry> = Vec::new();
        let (mut left, mut row) = (0.0, 0);
        let shared = shared_path(series);
        for (index, one) in series.iter().enumerate().filter(|(_, one)| !one.name.is_empty()) {
            let name = short(&one.name, shared, NAME.min(room - SAMPLE - SPACE));
            let width = SAMPLE + SPACE + text::width(&name, SIZE);
            if left > 0.0 && left + width > room {
                (left, row) = (0.0, row + 1);
            }
            let class = Some((style::class(index, one.shape), one.shape));
            entries.push(KeyEntry { left, row, name, full: &one.name, class });
            left += width + GAP;
        }
        let rows = entries.last().map_or(0, |last| last.row + 1);
        if rows > ROWS {
            // The last row says how many are left out.
            let shown = entries.iter().take_while(|entry| entry.row < ROWS - 1).count();
            let name = format!("and {} more", entries.len() - shown);
            entries.truncate(shown);
            entries.push(KeyEntry { left: 0.0, row: ROWS - 1, name, full: "", class: None });
        }
        ChartKey { entries, rows: rows.min(ROWS) }
    }

    /// The rows, the first of them below this height.
    pub fn draw(&self, top: f64) -> String {
        let mut drawn = String::new();
        for entry in &self.entries {
            let middle = top + entry.row as f64 * ROW + ROW / 2.0;
            let mut left = entry.left;
            if let Some((class, shape)) = &entry.class {
                let end = left + SAMPLE;
                let (kind, path) = match shape {
                    SeriesShape::Line | SeriesShape::Dashed => {
                        ("curve", format!("M{left:.1},{middle:.1} {end:.1},{middle:.1}"))
                    }
                    SeriesShape::Dots => ("dots", format!("M{:.1},{middle:.1}h0", end - 4.0)),
                    SeriesShape::Bars => ("bars", format!("M{:.1},{middle:.1}h8v4h-8z", end - 8.0)),
                };
                drawn.push_str(&format!("<path class=\"{kind} {class}\" d=\"{path}\"/>\n"));
                left = end + SPACE;
            }
            let base = middle + 4.0;
            let name = titled(&entry.name, entry.full);
            drawn.push_str(&format!("<text x=\"{left:.1}\" y=\"{base:.1}\">{name}</text>\n"));
        }
        drawn
    }
}

/// A name that fits its room: without the path that it shares with the others, if it is too long
/// with it, since what tells names of layers apart is behind that.
fn short(name: &str, shared: usize, room: f64) -> String {
    if text::width(name, SIZE) <= room || shared == 0 {
        return text::fit(name, SIZE, room);
    }
    text::fit(&format!("…{}", &name[shared..]), SIZE, room)
}

/// The bytes of the longest path, `encoder.` or `train/`, with which all names begin.
fn shared_path(series: &[Series]) -> usize {
    let mut names = series.iter().map(|one| one.name.as_str()).filter(|name| !name.is_empty());
    let Some(first) = names.next() else { return 0 };
    let mut shared = first;
    for name in names {
        let alike = shared.chars().zip(name.chars()).take_while(|(one, other)| one == other);
        shared = &shared[..alike.map(|(character, _)| character.len_utf8()).sum()];
    }
    // Not all of a name that stands alone: nothing would be left of it. Bytes, since the last
    // character may have several; those of `.` and `/` are in no other character.
    let shared = &shared.as_bytes()[..shared.len().min(first.len() - 1)];
    shared.iter().rposition(|byte| b"./".contains(byte)).map_or(0, |at| at + 1)
}

/// A text, and where it was shortened, the whole of it for those who point at it.
pub fn titled(shortened: &str, full: &str) -> String {
    if full.is_empty() || shortened == full {
        escape(shortened)
    } else {
        format!("<title>{}</title>{}", escape(full), escape(shortened))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: impl Iterator<Item = String>) -> Vec<Series> {
        names.map(|name| Series { name, ..Series::default() }).collect()
    }

    #[test]
    fn names_stay_in_their_rows_and_apart() {
        let series = named((0..6).map(|index| format!("series {}", "x".repeat(index * 5))));
        let key = ChartKey::of(&series, 400.0);
        let end = |entry: &KeyEntry| entry.left + SAMPLE + SPACE + text::width(&entry.name, SIZE);
        assert!(key.entries.iter().all(|entry| end(entry) <= 400.0));
        for pair in key.entries.windows(2) {
            let apart = pair[1].row == pair[0].row + 1 && pair[1].left == 0.0
                || pair[1].row == pair[0].row && pair[1].left >= end(&pair[0]) + GAP - 1e-9;
            assert!(apart, "{pair:?}");
        }
        assert_eq!(key.rows, key.entries[5].row + 1);
    }

    #[test]
    fn long_names_keep_what_tells_them_apart() {
        let of = |names: &[&str]| {
            let series = named(names.iter().map(|name| name.to_string()));
            let key = ChartKey::of(&series, 400.0);
            key.entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>()
        };
        let names = ["größe.encoder.layer_1.attention", "größe.encoder.layer_2.attention"];
        assert_eq!(of(&names), ["…layer_1.attention", "…layer_2.attention"]);
        assert_eq!(of(&["train/loss", "train/accuracy"]), ["train/loss", "train/accuracy"]);
        assert_eq!(shared_path(&named(["a.b.", "a.b.c", ""].map(String::from).into_iter())), 2);
        assert_eq!(shared_path(&named(["ä.b", "ö.b"].map(String::from).into_iter())), 0);
        assert_eq!(shared_path(&named(["é"].map(String::from).into_iter())), 0);
    }

    #[test]
    fn many_names_are_counted() {
        let series = named((0..60).map(|index| format!("a series of some length {index}")));
        let key = ChartKey::of(&series, 400.0);
        assert_eq!(key.rows, ROWS);
        let shown = key.entries.len() - 1;
        assert_eq!(key.entries[shown].name, format!("and {} more", 60 - shown));
    }

    #[test]
    fn series_without_names_take_no_room() {
        let series = named([String::new()].into_iter());
        let key = ChartKey::of(&series, 400.0);
        assert_eq!((key.rows, key.draw(0.0)), (0, String::new()));
    }
}
