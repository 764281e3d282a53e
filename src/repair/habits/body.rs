//! Statements of a model as they are written elsewhere.
//!
//! ```text
//! self.fc1 = nn.Linear(784, 64)
//! x = F.relu(self.fc1(x))           let x = relu(x |> dense(64) as fc1)
//! model.add(Flatten())              image |> flatten
//! return x                          x
//! ```

use super::pipeline::WrittenStages;
use super::reader::HabitReader;
use super::tokens::{ForeignToken, ForeignTokenKind, split};
use super::{TextChange, braces};
use std::ops::Range;

/// Layers that have parameters, which are called by the name that the layer was given.
const WEIGHTED: [&str; 13] = [
    "dense",
    "conv",
    "depthwise_conv",
    "conv_transpose",
    "embedding",
    "lstm",
    "gru",
    "rnn",
    "attention",
    "batch_norm",
    "layer_norm",
    "group_norm",
    "prelu",
];

/// Words that begin a line which means nothing here.
pub const IDLE: [&str; 8] = ["def", "class", "super", "pass", "import", "from", "print", "with"];

/// The changes in a `model` or `layer`.
pub fn function<'a>(reader: &mut HabitReader<'a>, chunk: &[ForeignToken<'a>]) -> Vec<TextChange> {
    let Some((open, inner)) = braces(chunk) else { return Vec::new() };
    let input = chunk[..open].iter().position(|token| token.is("("));
    let input = input.and_then(|at| chunk.get(at + 1)).map_or("x", |token| token.text);
    let mut body = ForeignBody::new(input);
    body.read(reader, inner);
    body.changes
}

/// Statements that were read.
#[derive(Default)]
pub struct ForeignBody {
    /// The value that comes in.
    input: String,
    /// Layers that are added one after the other, and where the first one is.
    added: Vec<(Range<usize>, WrittenStages)>,
    /// The changes that were found.
    pub changes: Vec<TextChange>,
    /// Whether the statements mean nothing without each other.
    depends: bool,
}

impl ForeignBody {
    /// The statements of a block whose value comes in by this name.
    pub fn new(input: &str) -> ForeignBody {
        ForeignBody { input: input.to_owned(), ..ForeignBody::default() }
    }

    /// Reads all statements of a block.
    pub fn read<'a>(&mut self, reader: &mut HabitReader<'a>, inner: &[ForeignToken<'a>]) {
        reader.layers.clear();
        for statement in statements(inner) {
            self.statement(reader, statement, inner);
        }
        self.add_up(reader);
        if let (true, Some(first), Some(last)) = (self.depends, inner.first(), inner.last()) {
            let part = first.start..last.end();
            self.changes.iter_mut().for_each(|change| change.part = Some(part.clone()));
        }
    }

    /// Reads one statement.
    fn statement<'a>(
        &mut self,
        reader: &mut HabitReader<'a>,
        statement: &[ForeignToken<'a>],
        inner: &[ForeignToken<'a>],
    ) {
        let first = statement[0];
        let place = first.start..statement[statement.len() - 1].end();
        reader.begin_statement(indent(reader.text, first.start));
        if IDLE.contains(&first.text) && statement.get(1).is_some_and(|next| !next.is("|>")) {
            return self.leave_out(reader.text, place);
        }
        if let Some((name, stages)) = kept(reader, statement, inner) {
            reader.layers.insert(name, stages);
            self.depends = true;
            return self.leave_out(reader.text, place);
        }
        if let Some(stages) = added(reader, statement) {
            self.depends = true;
            self.added.push((place, stages));
            return;
        }
        let text = match statement {
            [word] if word.is("return") => return self.leave_out(reader.text, place),
            [word, value @ ..] if word.is("return") => reader.written_all(value),
            [word, name, equals, value @ ..]
                if word.is("let") && equals.is("=") && !value.is_empty() =>
            {
                format!("let {} = {}", name.text, reader.written_all(value))
            }
            [name, equals, value @ ..]
                if name.kind == ForeignTokenKind::Word && equals.is("=") && !value.is_empty() =>
            {
                format!("let {} = {}", name.text, reader.written_all(value))
            }
            _ => reader.written_all(statement),
        };
        self.changes.push(TextChange::new(place, text));
    }

    /// Leaves a statement out, with its line.
    fn leave_out(&mut self, text: &str, place: Range<usize>) {
        self.changes.push(TextChange::new(line(text, place), ""));
    }

    /// Writes the layers that were added as one pipeline, where the first one stood.
    fn add_up(&mut self, reader: &HabitReader<'_>) {
        let Some((first, _)) = self.added.first().cloned() else { return };
        let mut all = WrittenStages { broken: true, ..WrittenStages::default() };
        for (place, stages) in std::mem::take(&mut self.added) {
            all.stages.extend(stages.stages);
            if place != first {
                self.leave_out(reader.text, place);
            }
        }
        let indent = indent(reader.text, first.start);
        self.changes.push(TextChange::new(first, all.applied(&self.input, indent)));
    }
}

impl<'a> HabitReader<'a> {
    /// A statement's value: layers with commas between them are a pipeline.
    pub fn written_all(&self, tokens: &[ForeignToken<'a>]) -> String {
        let parts = split(tokens, |token| token.is(","));
        if parts.len() < 2 {
            let tokens = match tokens {
                [all @ .., comma] if comma.is(",") => all,
                _ => tokens,
            };
            return self.written(tokens);
        }
        let parts: Vec<String> = parts.iter().map(|part| self.written(part)).collect();
        parts.join(&format!("\n{}    |> ", self.indent))
    }
}

/// `self.fc1 = nn.Linear(784, 64)`: a layer that is called by that name later.
fn kept<'a>(
    reader: &HabitReader<'a>,
    statement: &[ForeignToken<'a>],
    inner: &[ForeignToken<'a>],
) -> Option<(&'a str, WrittenStages)> {
    let (name, of_self, value) = match statement {
        [own, dot, name, equals, value @ ..] if own.is("self") && dot.is(".") && equals.is("=") => {
            (name.text, true, value)
        }
        [name, equals, value @ ..] if name.kind == ForeignTokenKind::Word && equals.is("=") => {
            (name.text, false, value)
        }
        _ => return None,
    };
    let called = || inner.windows(2).any(|pair| pair[0].is(name) && pair[1].is("("));
    if !of_self && !called() {
        return None;
    }
    let mut stages = reader.stages(value)?;
    if let [only] = &mut stages.stages[..]
        && WEIGHTED.contains(&only.callee.as_str())
    {
        only.label.get_or_insert_with(|| name.to_owned());
    }
    Some((name, stages))
}

/// `model.add(Flatten())`, or a layer of Caffe on a line of its own.
pub fn added<'a>(
    reader: &HabitReader<'a>,
    statement: &[ForeignToken<'a>],
) -> Option<WrittenStages> {
    match statement {
        [_, dot, add, open, layer @ .., close]
            if dot.is(".") && add.is("add") && open.is("(") && close.is(")") =>
        {
            reader.stages(layer)
        }
        [layer, open, ..] if layer.is("layer") && open.is("{") => reader.stages(statement),
        _ => None,
    }
}

/// Tokens cut into statements: a line begins one unless it goes on with the one above.
pub fn statements<'t, 'a>(inner: &'t [ForeignToken<'a>]) -> Vec<&'t [ForeignToken<'a>]> {
    let mut found = Vec::new();
    let (mut start, mut depth) = (0, 0i32);
    for (at, token) in inner.iter().enumerate() {
        let goes_on = |token: &ForeignToken<'a>| {
            token.kind == ForeignTokenKind::Sign
                && matches!(token.text, "|>" | "+" | "*" | "/" | "@" | ".")
        };
        let open = |token: &ForeignToken<'a>| {
            goes_on(token)
                || (token.kind == ForeignTokenKind::Sign && matches!(token.text, "," | "=" | "->"))
        };
        let above = at.checked_sub(1).is_some_and(|before| open(&inner[before]));
        if token.first && depth == 0 && !goes_on(token) && !above && at > start {
            found.push(&inner[start..at]);
            start = at;
        }
        depth += i32::from(token.opens()) - i32::from(token.closes());
    }
    if start < inner.len() {
        found.push(&inner[start..]);
    }
    found
}

/// The space before the line of a place.
pub fn indent(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[start..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// A place with the rest of its lines, where nothing else stands on them.
pub fn line(text: &str, place: Range<usize>) -> Range<usize> {
    let start = text[..place.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[place.end..].find('\n').map_or(text.len(), |at| place.end + at + 1);
    let alone = text[start..place.start].trim().is_empty();
    let ends = text[place.end..end].trim();
    let alone = alone && (ends.is_empty() || ends.starts_with("//") || ends.starts_with('#'));
    if alone { start..end } else { place }
}
