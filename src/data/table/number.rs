//! A cell as a number, or why it is none, with a way out.
//!
//! ```text
//! 39.1   1e-3   +7        numbers
//! 1,5  $5  inf  NaN  x    errors: numbers have a point, no sign of a currency, and are finite
//! ```

use crate::base::shown::Show;
use crate::data::error::DataError;

/// The number of a cell that has no blanks around it.
pub fn number(cell: &[u8]) -> Result<f32, DataError> {
    finite(cell).ok_or_else(|| {
        let text = std::str::from_utf8(cell).unwrap_or_default();
        if !text.parse::<f64>().is_ok_and(f64::is_finite) {
            return not_a_number(cell);
        }
        let message = format!("{} is beyond the range of f32, ±3.4e38", cut(text));
        DataError::new(message).help("write it in a larger unit")
    })
}

/// The same, `None` for what is no finite `f32`.
pub fn finite(cell: &[u8]) -> Option<f32> {
    let value = std::str::from_utf8(cell).ok()?.parse::<f64>().ok()? as f32;
    value.is_finite().then_some(value)
}

/// The probable meaning of a cell that is no finite number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddCell {
    /// No value: `NA`, `?`.
    Absent,
    /// A number that is written otherwise, `$5` and `1,5`, or that `f32` does not hold.
    Number,
    /// A text.
    Text,
}

/// The probable meaning of such a cell.
pub fn meant(cell: &[u8]) -> OddCell {
    let text = String::from_utf8_lossy(cell);
    if is_absent(&text) {
        return OddCell::Absent;
    }
    match text.parse::<f64>().is_ok() || ways(&text).is_some() {
        true => OddCell::Number,
        false => OddCell::Text,
    }
}

fn is_absent(text: &str) -> bool {
    let words = [
        "nan", "na", "n/a", "null", "none", "inf", "-inf", "+inf", "?", "-", "--", ".", "missing",
        "infinity",
    ];
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// How a text would be written as a number, if without its signs it is one.
fn ways(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|sign| !"$€£¥% \u{a0}'".contains(*sign)).collect();
    let is_number = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
    // Of one comma nobody can say whether it is a point or a separator of thousands.
    let (point, none) = (plain.replace(',', "."), plain.replace(',', ""));
    match (is_number(&plain), is_number(&point), is_number(&none)) {
        (true, ..) => Some(format!("`{}`", cut(&plain))),
        (_, true, _) if is_thousands(&plain) => {
            Some(format!("`{}` or `{}`", cut(&point), cut(&none)))
        }
        (_, true, _) => Some(format!("`{}`", cut(&point))),
        (_, _, true) => Some(format!("`{}`", cut(&none))),
        _ => None,
    }
}

/// Why a cell is no number, and what to do.
fn not_a_number(cell: &[u8]) -> DataError {
    let text = String::from_utf8_lossy(cell);
    let error = DataError::new(format!("`{}` is not a number", cut(&text)));
    if is_absent(&text) {
        return error.help(format!(
            "if it means that there is no value, say so: `na: [\"{}\"]`",
            cut(&text)
        ));
    }
    let Some(ways) = ways(&text) else {
        return error.help("if the column holds texts, make it a `category`");
    };
    error.help(format!(
        "write {ways} in the file: numbers have a point, and no units, separators or signs of \
         currencies"
    ))
}

/// Whether what stands behind the only comma may be thousands: `1,234`, but not `1,5`.
fn is_thousands(text: &str) -> bool {
    text.split_once(',').is_some_and(|(head, tail)| !head.is_empty() && tail.len() == 3)
}

/// Characters of a cell that a message shows.
const MOST_SHOWN: usize = 40;

/// A text as a message shows it.
pub fn cut(text: &str) -> String {
    let short: String = text.chars().take(MOST_SHOWN).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", short.shown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_has_a_reason_and_a_way_out() {
        assert_eq!(number(b"+7"), Ok(7.0));
        assert_eq!(number(b"1e-3"), Ok(0.001));
        let help = |cell: &[u8]| number(cell).unwrap_err().help.unwrap().to_string();
        assert!(help(b"1,5").starts_with("write `1.5` in the file"));
        assert!(help(b"1,234").starts_with("write `1.234` or `1234` in the file"));
        assert!(help(b"1,234,567").starts_with("write `1234567` in the file"));
        assert!(help(b"$5").starts_with("write `5` in the file"));
        assert!(help("12 %".as_bytes()).starts_with("write `12` in the file"));
        assert!(help(b"NaN").contains("na: [\"NaN\"]"));
        assert!(help(b"inf").contains("na: [\"inf\"]"));
        assert!(help(b"Biscoe").contains("category"));
        assert!(help(b"1e39").contains("larger unit"));
        assert!(number(b"1e999").is_err() && number(b"\xff").is_err());
    }
}
