//! The items of a file that texts reach by their words, parsed; all others stay text.
//!
//! ```text
//! x |> dense(10)        layer dense(…) { … glorot_uniform … }     reached, with what it names in turn
//!                       layer lstm(…) { … }                       stays text
//! ```
//!
//! Most programs use a tenth of the prelude. A word counts wherever it stands, so more may be reached
//! than is used, and nothing that is used is left out.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::base::diagnostic::Diagnostic;
use crate::base::source::{FileId, Sources};
use crate::syntax::ast;
use crate::syntax::parse::parse_chunks;
use crate::syntax::scan::{ITEM_WORDS, scan};

/// Parses those items of a file whose names are among the words of `texts`, or of an item that is
/// reached. The errors are those of [`parse`](super::parse).
pub fn parse_reached<'t>(
    sources: &'t Sources,
    file: FileId,
    texts: impl IntoIterator<Item = &'t str>,
) -> Result<ast::File, Vec<Diagnostic>> {
    let text = &sources.file(file).text[..];
    let chunks = scan(file, text)?;
    let mut named: FxHashMap<&str, Vec<&Range<usize>>> = FxHashMap::default();
    let mut reached: Vec<Range<usize>> = Vec::new();
    for chunk in &chunks {
        match item_name(&text[chunk.clone()]) {
            Some(name) => named.entry(name).or_default().push(chunk),
            None => reached.push(chunk.clone()),
        }
    }
    let mut open: Vec<&str> = texts.into_iter().collect();
    while let Some(next) = open.pop() {
        for word in words(next) {
            for chunk in named.remove(word).into_iter().flatten() {
                open.push(&text[chunk.clone()]);
                reached.push(chunk.clone());
            }
        }
    }
    reached.sort_unstable_by_key(|chunk| chunk.start);
    parse_chunks(file, text, reached)
}

/// The name of the item that a part of a file holds: the word behind that which begins it.
fn item_name(chunk: &str) -> Option<&str> {
    let mut lines = chunk.lines().filter_map(|line| line.split_once(' '));
    let (_, rest) = lines.find(|(word, _)| ITEM_WORDS.contains(word))?;
    words(rest).next()
}

/// Runs of letters, digits and `_`.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_between = |letter: char| !(letter.is_alphanumeric() || letter == '_');
    text.split(is_between).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_parsed_that_words_name_and_those_that_these_name() {
        let text = "// Before all.\nlayer a(x) { x |> b(1) }\n\n/// Its own.\nlayer b(x, n) { x * n }\n\
            loss b(x, y) { x }\nlayer c(x) { x }\n";
        let mut sources = Sources::default();
        let file = sources.add("t.nn", text);
        let names = |texts: &[&str]| {
            let parsed = parse_reached(&sources, file, texts.iter().copied()).unwrap();
            let spans = parsed.items.iter().map(|item| &text[item.span.start as usize..][..7]);
            spans.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(names(&["x |> a"]), ["layer a", "layer b", "loss b("]);
        assert_eq!(names(&["b", "c(2)"]), ["layer b", "loss b(", "layer c"]);
        assert!(names(&["d"]).is_empty());
    }
}
