//! Statements of a model as they are written elsewhere.
//!
//! ```text
//! self.fc1 = nn.Linear(784, 64)
//! x = F.relu(self.fc1(x))           let x = relu(x |> dense(64) as fc1)
//! model.add(Flatten())              image |> flatten
//! return x                          x
//! ```

use super::axes::{self, KnownAxes};
use super::pipeline::WrittenStages;
use super::reader::HabitReader;
use super::states::{self, without_let};
use super::tokens::{ForeignToken, ForeignTokenKind, split, statements};
use super::{TextChange, braces, loops, steps};
use std::collections::HashMap;
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

/// Stands between a statement and the one that it needs before it.
const BEFORE: &str = "⟦before⟧";

/// Words that begin a line which means nothing here.
pub const IDLE: [&str; 8] = ["def", "class", "super", "pass", "import", "from", "print", "with"];

/// Words that begin a statement which commas do not end.
pub const WHOLE: [&str; 8] = ["for", "return", "def", "with", "if", "while", "print", "class"];

/// The changes in a `model` or `layer`.
pub fn function<'a>(reader: &mut HabitReader<'a>, chunk: &[ForeignToken<'a>]) -> Vec<TextChange> {
    let Some((open, inner)) = braces(chunk) else { return Vec::new() };
    let input = chunk[..open].iter().position(|token| token.is("("));
    let input = input.and_then(|at| chunk.get(at + 1)).map_or("x", |token| token.text);
    let mut body = ForeignBody::new(input);
    body.parameters(&chunk[..open]);
    body.read(reader, inner);
    let before = chunk[0].start;
    let items = body.items.iter().map(|item| TextChange::new(before..before, item));
    items.chain(body.changes.iter().cloned()).collect()
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
    /// Items that stand before the block.
    pub items: Vec<String>,
    /// The axes of the values that have a name.
    pub known: HashMap<String, KnownAxes>,
    /// Whether the statements mean nothing without each other.
    pub depends: bool,
}

impl ForeignBody {
    /// The statements of a block whose value comes in by this name.
    pub fn new(input: &str) -> ForeignBody {
        ForeignBody { input: input.to_owned(), ..ForeignBody::default() }
    }

    /// Takes what comes in with its axes: `image: f32[N, 28, 28, 1]`.
    fn parameters(&mut self, head: &[ForeignToken<'_>]) {
        for at in 1..head.len().saturating_sub(1) {
            let is_name = head[at].is(":") && head[at - 1].kind == ForeignTokenKind::Word;
            if is_name && matches!(head[at + 1].text, "f32" | "i32" | "u8") {
                self.known.insert(head[at - 1].text.to_owned(), axes::of_type(&head[at + 1..]));
            }
        }
        self.known.entry(self.input.clone()).or_default();
    }

    /// Reads all statements of a block.
    pub fn read<'a>(&mut self, reader: &mut HabitReader<'a>, inner: &[ForeignToken<'a>]) {
        reader.layers.clear();
        reader.states.clear();
        reader.aliases.clear();
        let all = statements(inner);
        if let Some(stages) = self.in_a_row(reader, &all) {
            let (first, last) = (inner[0], inner[inner.len() - 1]);
            let indent = indent(reader.text, first.start);
            let value = stages.applied(&self.input, indent);
            let text = self.assigned(&value);
            self.changes.push(TextChange::new(first.start..last.end(), text));
            return;
        }
        for statement in all {
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
        if let Some(text) = loops::written((&self.known, &mut self.items), reader, statement) {
            self.depends = true;
            self.assigned(&text);
            self.changes.push(TextChange::new(place, text));
            return;
        }
        if let [name, equals, value @ ..] = without_let(statement)
            && equals.is("=")
            && is_input(value)
        {
            reader.aliases.insert(name.text, self.input.clone());
            self.depends = true;
            return self.leave_out(reader.text, place);
        }
        if let Some((name, value)) = states::of(statement, inner) {
            return self.state(reader, (name, value), place);
        }
        let statement = &states::as_single(statement, inner)[..];
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
            [word, value @ ..] if word.is("return") => self.result(reader, value, inner),
            [name, equals, value @ ..]
                if name.kind == ForeignTokenKind::Word && equals.is("=") && !value.is_empty() =>
            {
                format!("let {} = {}", name.text, reader.written_all(value))
            }
            [word, name, equals, value @ ..]
                if word.is("let") && equals.is("=") && !value.is_empty() =>
            {
                let text = self.named(reader, (first, *name), value);
                self.changes.push(TextChange::new(place, text));
                return;
            }
            _ => self.result(reader, statement, inner),
        };
        let text = self.assigned(&text);
        self.changes.push(TextChange::new(place, text));
    }

    /// The state of a recurrent layer by its name.
    fn state<'a>(
        &mut self,
        reader: &mut HabitReader<'a>,
        (name, value): (&'a str, &[ForeignToken<'a>]),
        place: Range<usize>,
    ) {
        reader.states.insert(name);
        let value = states::last(&reader.written(value));
        let text = self.assigned(&format!("let {name} = {value}"));
        self.changes.push(TextChange::new(place, text));
    }

    /// `let x = …`; what stands between the name and its value stays.
    fn named<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        (word, name): (ForeignToken<'a>, ForeignToken<'a>),
        value: &[ForeignToken<'a>],
    ) -> String {
        let head = format!("let {} = ", name.text);
        let text = self.assigned(&format!("{head}{}", reader.written_all(value)));
        let own = &reader.text[word.start..value[0].start];
        match text.strip_prefix(&head) {
            Some(rest) => format!("{own}{rest}"),
            None => text,
        }
    }

    /// A statement's text with the axes as they are here, which are known of its name from then on.
    fn assigned(&mut self, text: &str) -> String {
        let (head, name, value) =
            match text.strip_prefix("let ").and_then(|it| it.split_once(" = ")) {
                Some((name, value)) => (format!("let {name} = "), Some(name), value),
                None => (String::new(), None, text),
            };
        let (value, axes) = self.settled(value);
        if let Some(name) = name {
            self.known.insert(name.to_owned(), axes);
        }
        // What stands before it has a line of its own.
        match value.rsplit_once(BEFORE) {
            Some((before, value)) => format!("{before}{head}{value}"),
            None => format!("{head}{value}"),
        }
    }

    /// A value with its axes and steps as they are here, behind the statement that it needs.
    fn settled(&mut self, value: &str) -> (String, KnownAxes) {
        let mut name = "steps".to_owned();
        while self.known.contains_key(&name) {
            name.push('_');
        }
        let (before, value) = steps::stepped(value, &name);
        let before = before.map(|before| {
            let (before, axes) = axes::resolved(&before, &self.known);
            self.known.insert(name.clone(), axes);
            format!("let {name} = {before}\n    {BEFORE}")
        });
        let (value, axes) = axes::resolved(&value, &self.known);
        (format!("{}{value}", before.unwrap_or_default()), axes)
    }

    /// The value of a block; layers with nothing before them are applied to what comes in.
    fn result<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        value: &[ForeignToken<'a>],
        inner: &[ForeignToken<'a>],
    ) -> String {
        let is_last = value.last().is_some_and(|last| last.end() == inner[inner.len() - 1].end());
        let value = match model_output(value) {
            Some(output) => output,
            None => value,
        };
        match self.row_of(reader, value).filter(|_| is_last) {
            Some(stages) => stages.applied(&self.input, &reader.indent),
            None => reader.written_all(value),
        }
    }

    /// Layers in a row that are the whole of a block, a line each or with commas between.
    fn in_a_row<'a>(
        &self,
        reader: &mut HabitReader<'a>,
        all: &[&[ForeignToken<'a>]],
    ) -> Option<WrittenStages> {
        let mut made = WrittenStages { broken: true, piped: true, ..WrittenStages::default() };
        if all.is_empty() {
            return None;
        }
        for statement in all {
            reader.begin_statement(indent(reader.text, statement[0].start));
            made.stages.extend(self.row_of(reader, statement)?.stages);
        }
        (all.len() > 1 || made.stages.len() > 1).then_some(made)
    }

    /// Layers with commas or pipes between them, and no value before them.
    fn row_of<'a>(
        &self,
        reader: &HabitReader<'a>,
        statement: &[ForeignToken<'a>],
    ) -> Option<WrittenStages> {
        let mut made = WrittenStages { piped: true, ..WrittenStages::default() };
        let parts = split(statement, |token| token.is(",") || token.is("|>"));
        made.broken = parts.len() > 1;
        for part in parts {
            let is_value = |token: &ForeignToken<'a>| {
                token.kind == ForeignTokenKind::Word
                    && (self.known.contains_key(token.text)
                        || reader.aliases.contains_key(token.text))
            };
            if part[0].is("return") || part.iter().any(is_value) {
                return None;
            }
            let stages = reader.stages(part).or_else(|| reader.own_stage(part))?;
            made.broken |= stages.broken;
            made.stages.extend(stages.stages);
        }
        Some(made)
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
        let text = self.assigned(&all.applied(&self.input, indent));
        self.changes.push(TextChange::new(first, text));
    }
}

impl<'a> HabitReader<'a> {
    /// A statement's value: layers with commas between them are a pipeline.
    pub fn written_all(&self, tokens: &[ForeignToken<'a>]) -> String {
        let parts = split(tokens, |token| token.is(","));
        // Statements of the language that have commas.
        let has_commas = tokens.iter().any(|token| token.is("scan") || token.is("require"));
        if parts.len() < 2 || has_commas {
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
    let statement = without_let(statement);
    let (name, of_self, value) = match statement {
        [own, dot, name, equals, value @ ..] if own.is("self") && dot.is(".") && equals.is("=") => {
            (name.text, true, value)
        }
        [name, equals, value @ ..] if name.kind == ForeignTokenKind::Word && equals.is("=") => {
            (name.text, false, value)
        }
        _ => return None,
    };
    let called = || {
        let is_called = |pair: &[ForeignToken<'a>]| pair[0].is(name) && pair[1].is("(");
        let is_turned = |it: &[ForeignToken<'a>]| {
            it[0].is("for") && it[0].first && it[2].is("in") && it[3].is(name)
        };
        inner.windows(2).any(is_called) || inner.windows(4).any(is_turned)
    };
    if !of_self && !called() {
        return None;
    }
    let listed = || match value {
        [open, .., close] if open.is("[") && close.is("]") => reader.sequence(value),
        _ => reader.own_stage(value),
    };
    let mut stages = reader.stages(value).or_else(listed)?;
    if let [only] = &mut stages.stages[..]
        && WEIGHTED.contains(&only.callee.as_str())
    {
        only.label.get_or_insert_with(|| name.to_owned());
    }
    Some((name, stages))
}

/// `keras.Input(shape=(28, 28, 1))`.
fn is_input(value: &[ForeignToken<'_>]) -> bool {
    let open = value.iter().position(|token| token.is("("));
    open.and_then(|open| open.checked_sub(1)).is_some_and(|at| value[at].is("Input"))
        && value.last().is_some_and(|last| last.is(")"))
}

/// The second argument of `keras.Model(inputs, outputs)`.
fn model_output<'t, 'a>(value: &'t [ForeignToken<'a>]) -> Option<&'t [ForeignToken<'a>]> {
    let open = value.iter().position(|token| token.is("("))?;
    let is_model = open > 0 && value[open - 1].is("Model") && value.last()?.is(")");
    let args = split(value.get(open + 1..value.len() - 1)?, |token| token.is(","));
    let [_, output] = args[..] else { return None };
    let output = match output {
        [name, equals, rest @ ..] if name.is("outputs") && equals.is("=") => rest,
        _ => output,
    };
    is_model.then_some(output)
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
        [layer, open, ..] if matches!(layer.text, "layer" | "layers") && open.is("{") => {
            reader.stages(statement)
        }
        _ => None,
    }
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
