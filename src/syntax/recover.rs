//! A half-typed text to one that parses, with everything in its place.
//!
//! ```text
//! model net(x: f32[N, 4]) -> f32[N, 2] {      model net(x: f32[N, 4]) -> f32[N, 2] {
//!     let y = x |> dense(8) |> dense(              let y = x |> dense(8)
//!     y |> relu |> dense(2)                        y |> relu |> dense(2)
//! }                                            }
//! ```
//!
//! Where an item does not parse, the last stage of the line at which it stops is made blank, else the
//! line, else the one before; an item whose `{` is open gets a `}`; one that cannot be mended so is
//! made blank as a whole. No byte moves, except that `}` may be added behind the last: so places of the
//! result are places of the text. Nothing is reported: [`parse`](super::parse()) does.

use std::ops::Range;

use super::bounds::measure;
use super::parse::first_error;
use super::scan::{scan, scan_all};
use super::tokens::tokens;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::FileId;

/// How often an item is made better before it is given up.
const MOST_TRIES: usize = 8;

/// The text with what does not parse made blank.
pub fn recovered(file: FileId, text: &str) -> String {
    // A text that is too large is not looked at by anyone.
    if measure(file, text).is_err() {
        return String::new();
    }
    let (items, _) = scan_all(file, text);
    let mut made = String::with_capacity(text.len() + 2);
    for item in items {
        made.push_str(&mended(file, &text[item]));
        // Only the last item grows: others have bytes to spare, or are blank.
    }
    made
}

/// An item's text that parses.
fn mended(file: FileId, item: &str) -> String {
    let mut text = item.to_owned();
    for _ in 0..MOST_TRIES {
        let Some(stop) = SyntaxStop::of(file, &text) else { return text };
        let better = candidates(&text, &stop)
            .into_iter()
            .filter(|candidate| *candidate != text)
            .map(|candidate| {
                (SyntaxStop::of(file, &candidate).map_or(usize::MAX, |it| it.at), candidate)
            })
            .reduce(|best, other| if other.0 > best.0 { other } else { best });
        match better {
            Some((_, candidate)) => text = candidate,
            None => break,
        }
    }
    blank(item, 0..item.len())
}

/// Where an item stops being one.
struct SyntaxStop {
    at: usize,
    /// Whether an open `{` is what is wrong.
    unclosed_block: bool,
}

impl SyntaxStop {
    fn of(file: FileId, text: &str) -> Option<SyntaxStop> {
        let Err(errors) = scan(file, text) else {
            return first_error(file, text).map(|at| SyntaxStop { at, unclosed_block: false });
        };
        // Where a bracket is closed by another, the open one is what is half typed.
        let first = |error: &Diagnostic| error.labels.iter().map(|label| label.span.start).min();
        let places = errors.iter().filter_map(|error| Some((first(error)? as usize, error)));
        let (at, error) = places.min_by_key(|(at, _)| *at)?;
        let block = error.code == codes::UNCLOSED && text[at..].starts_with('{');
        Some(SyntaxStop { at, unclosed_block: block })
    }
}

/// Texts that may be better than one that stops there, the least change first.
fn candidates(text: &str, stop: &SyntaxStop) -> Vec<String> {
    let mut found = Vec::new();
    if stop.unclosed_block {
        found.extend(closed(text));
    }
    let before = tokens(text, 0..floor(text, stop.at)).last().map(|token| token.start);
    for at in [Some(stop.at), before].into_iter().flatten() {
        let line = line(text, floor(text, at));
        // Up to where it stops, a stage may be whole; beyond, it is not.
        let stage = text[line.clone()].rfind("|>").map(|pipe| line.start + pipe);
        found.extend(stage.map(|stage| blank(text, stage..line.end)));
        found.push(blank(text, line));
    }
    found
}

/// The text with a `}` behind its last word, in the place of the space there if there is any.
fn closed(text: &str) -> Option<String> {
    let end = tokens(text, 0..text.len()).last()?.end();
    let mut made = text.to_owned();
    match text[end..].chars().next() {
        Some(space) if space.is_ascii_whitespace() => made.replace_range(end..=end, "}"),
        Some(_) => return None,
        None => made.push('}'),
    }
    Some(made)
}

/// The bytes of the line that a byte is in, without its end.
fn line(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    start..text[at..].find('\n').map_or(text.len(), |newline| at + newline)
}

/// The nearest start of a character that is not behind a byte.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The text with spaces in the place of a range's bytes, its lines kept.
fn blank(text: &str, range: Range<usize>) -> String {
    let mut made = String::with_capacity(text.len());
    made.push_str(&text[..range.start]);
    made.extend(text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
    made.push_str(&text[range.end..]);
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Sources;

    fn of(text: &str) -> String {
        let mut sources = Sources::new();
        let file = sources.add("a.nn", text);
        let made = recovered(file, text);
        assert!(scan(file, &made).is_ok() && first_error(file, &made).is_none(), "{made}");
        made
    }

    #[test]
    fn what_is_half_typed_goes_and_the_rest_stays_in_its_place() {
        let text = "model net(x: f32[N, 4]) -> f32[N, 2] {\n    let y = x |> dense(8) |> dense(\n    \
                    y |> dense(2)\n}\n";
        let made = of(text);
        assert_eq!(made.len(), text.len());
        assert!(
            made.contains("let y = x |> dense(8)  ") && made.contains("\n    y |> dense(2)\n}")
        );
        let train = of("train net {\n    loss = mse\n    epochs = \n}\n");
        assert_eq!(train.trim_end(), "train net {\n    loss = mse\n             \n}");
    }

    #[test]
    fn an_open_block_is_closed_and_other_items_stay() {
        let made = of("layer f(x: f32[N]) -> f32[N] {\n    x |> relu\n\nconst A = 3\n");
        assert_eq!(made, "layer f(x: f32[N]) -> f32[N] {\n    x |> relu}\nconst A = 3\n");
        assert_eq!(of("layer f(x: f32[N]) -> f32[N] {\n x"), "layer f(x: f32[N]) -> f32[N] {\n x}");
        assert_eq!(of("layer é(\nconst A = 3"), "         \nconst A = 3");
    }
}
