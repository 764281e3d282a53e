//! A text in the manner of Keras, PyTorch, Lightning or Caffe, as the program that is meant.
//!
//! ```text
//! Conv2D(32, kernel_size=3, activation='relu')     →  conv(32, 3) |> relu
//! train net { loss = 'mse', epochs = 1 }           →  a setting a line
//! ```
//!
//! In: a text, which need not parse. Out: the text with each habit written as here, and where those
//! are that belong together. Nothing here is sure to be right: whoever asks checks the program that
//! comes out. What is known of layers, losses, optimisers and their arguments are the rows of
//! [`table`]; [`reader`] finds calls and applies them, [`body`], [`settings`] and [`program`] know how
//! statements, the settings of `train` and whole programs are written elsewhere.

mod across;
mod amounts;
mod axes;
mod body;
mod bound;
mod lines;
mod loops;
mod methods;
mod names;
mod optimisers;
mod own;
mod pipeline;
mod program;
mod prototxt;
mod python;
mod reader;
mod row;
mod runs;
mod schedules;
mod settings;
mod shapes;
mod solver;
mod states;
mod steps;
mod table;
#[cfg(test)]
mod tests;
mod tokens;
mod training;
mod values;

use crate::base::fix::replaced;
use reader::HabitReader;
use std::ops::Range;
use tokens::{ForeignToken, closer, tokens};

/// A text with its habits written as here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The text.
    pub text: String,
    /// The parts of the text as it was that changed, in order.
    pub parts: Vec<ChangedPart>,
}

/// A part of a text that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedPart {
    /// Where it is.
    pub place: Range<usize>,
    /// Whether its lines mean nothing without each other.
    pub is_whole: bool,
}

/// A place of the text with what stands there instead.
#[derive(Clone, Debug)]
struct TextChange {
    place: Range<usize>,
    text: String,
    /// The part that it belongs to, where it means nothing without others.
    part: Option<Range<usize>>,
}

impl TextChange {
    fn new(place: Range<usize>, text: impl Into<String>) -> TextChange {
        TextChange { place, text: text.into(), part: None }
    }
}

/// A text longer than this is not somebody's first program.
const LONGEST: usize = 200_000;

/// The text as it is written here; `None` where nothing in it is a habit.
pub fn translated(text: &str) -> Option<Translation> {
    if text.len() > LONGEST {
        return None;
    }
    let plain = python::normalized(text);
    let made = statements_translated(&plain);
    let (after, parts) = match made {
        Some(made) => (made.text, made.parts),
        None => (plain.clone(), Vec::new()),
    };
    let moved = across::moved(&after);
    if plain == text && moved == after {
        return (after != text).then_some(Translation { text: after, parts });
    }
    // What belongs together stands anywhere in the text.
    let whole = ChangedPart { place: 0..text.len(), is_whole: true };
    (moved != text).then(|| Translation { text: moved, parts: vec![whole] })
}

/// The text with each statement as it is written here.
fn statements_translated(text: &str) -> Option<Translation> {
    let all = tokens(text);
    let chunks = chunks(text, &all);
    let mut reader = HabitReader::of(text);
    reader.declared.extend(declared(&all));
    let mut changes = Vec::new();
    let mut foreign = Vec::new();
    for chunk in &chunks {
        match kind(chunk) {
            HabitChunk::Function => changes.extend(body::function(&mut reader, chunk)),
            HabitChunk::Train => changes.extend(settings::train(&reader, chunk)),
            HabitChunk::Data => changes.push(as_written(&reader, chunk)),
            HabitChunk::Item => {}
            HabitChunk::Foreign => foreign.push(*chunk),
        }
    }
    changes.extend(program::program(&mut reader, &foreign, &chunks));
    changes.retain(|change| text[change.place.clone()] != change.text);
    // What keeps a mark cannot be said here, and stays as it is.
    const MARKS: [&str; 6] = [bound::OPEN, "⟦dim", "⟦each", "⟦epoch", "⟦last", "bidirectional("];
    changes.retain(|change| !MARKS.iter().any(|mark| change.text.contains(mark)));
    changes.sort_by_key(|change| (change.place.start, change.place.end));
    if changes.is_empty() || changes.windows(2).any(|two| two[0].place.end > two[1].place.start) {
        return None;
    }
    let made = changes.iter().map(|change| (change.place.clone(), change.text.as_str()));
    Some(Translation { text: replaced(text, made), parts: parts(&changes) })
}

/// A text with the axes of images in the order of PyTorch turned; `None` where none are.
pub fn turned(text: &str) -> Option<Translation> {
    let changes = shapes::turned(text, &tokens(text));
    let made = changes.iter().map(|change| (change.place.clone(), change.text.as_str()));
    let text = replaced(text, made);
    (!changes.is_empty()).then(|| Translation { text, parts: parts(&changes) })
}

/// The parts that changes make, those that overlap as one.
fn parts(changes: &[TextChange]) -> Vec<ChangedPart> {
    let mut parts: Vec<ChangedPart> = Vec::new();
    for change in changes {
        let is_whole = change.part.is_some();
        let place = change.part.clone().unwrap_or_else(|| change.place.clone());
        match parts.last_mut() {
            Some(last) if place.start < last.place.end => {
                last.place.end = last.place.end.max(place.end);
                last.is_whole |= is_whole;
            }
            _ => parts.push(ChangedPart { place, is_whole }),
        }
    }
    parts
}

/// The kind of item that text at the left margin begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HabitChunk {
    Function,
    Train,
    Data,
    Item,
    Foreign,
}

fn kind(chunk: &[ForeignToken<'_>]) -> HabitChunk {
    let named = chunk.get(1).is_some_and(|token| token.kind == tokens::ForeignTokenKind::Word);
    match chunk[0].text {
        "model" | "layer" if named => HabitChunk::Function,
        "train" if named => HabitChunk::Train,
        "data" if named => HabitChunk::Data,
        "loss" | "metric" | "optimizer" | "schedule" | "initializer" | "const" if named => {
            HabitChunk::Item
        }
        "use" | "|>" => HabitChunk::Item,
        _ => HabitChunk::Foreign,
    }
}

/// Tokens cut where a line begins at the margin, but for closing brackets.
fn chunks<'t, 'a>(text: &str, all: &'t [ForeignToken<'a>]) -> Vec<&'t [ForeignToken<'a>]> {
    let margin = |token: &ForeignToken<'a>| {
        let begins = token.start == 0 || text[..token.start].ends_with('\n');
        token.first && begins && !token.closes()
    };
    let mut starts: Vec<usize> = (0..all.len()).filter(|at| margin(&all[*at])).collect();
    if starts.first() != Some(&0) && !all.is_empty() {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([all.len()]);
    starts.iter().zip(ends).map(|(start, end)| &all[*start..end]).collect()
}

/// The names that the file gives to items of its own.
fn declared<'a>(all: &[ForeignToken<'a>]) -> Vec<&'a str> {
    const ITEMS: [&str; 8] =
        ["model", "layer", "loss", "metric", "optimizer", "schedule", "initializer", "const"];
    let item = |pair: &&[ForeignToken<'a>]| pair[0].first && ITEMS.contains(&pair[0].text);
    let name = |pair: &[ForeignToken<'a>]| pair[1].text;
    let named = all.windows(2).filter(item).map(name);
    named.filter(|name| name.starts_with(char::is_alphabetic)).collect()
}

/// A chunk whose calls are written as here.
fn as_written(reader: &HabitReader<'_>, chunk: &[ForeignToken<'_>]) -> TextChange {
    let (first, last) = (chunk[0], chunk[chunk.len() - 1]);
    let text = reader.written_all(chunk);
    TextChange::new(first.start..last.end(), text)
}

/// The tokens between the braces of an item, and the index of the opening one.
fn braces<'t, 'a>(chunk: &'t [ForeignToken<'a>]) -> Option<(usize, &'t [ForeignToken<'a>])> {
    let mut depth = 0i32;
    let open = chunk.iter().position(|token| {
        let here = depth == 0 && token.is("{");
        depth += i32::from(token.opens()) - i32::from(token.closes());
        here
    })?;
    let close = closer(chunk, open)?;
    Some((open, &chunk[open + 1..close]))
}
