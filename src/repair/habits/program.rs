//! Whole programs of Python, at the left margin: a module or a `Sequential`, and how it is trained.
//!
//! ```text
//! model = Sequential([Flatten(), Dense(10)])     model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] { … }
//! model.compile(optimizer='adam', loss='mse')    train net on digits { … }
//! ```
//!
//! The input is that of the program (`input_shape`), or that of the images that are built in; the output is
//! as wide as the last layer.

use super::body::{ForeignBody, added};
use super::pipeline::WrittenStages;
use super::reader::HabitReader;
use super::row;
use super::settings::ForeignSettings;
use super::tokens::{ForeignToken, ForeignTokenKind, closer, statements};
use super::{HabitChunk, TextChange, kind};
use std::collections::HashMap;

/// A model and its run, as far as they were found.
#[derive(Default)]
struct ForeignProgram<'a> {
    /// The layers of a `Sequential`.
    layers: Option<WrittenStages>,
    /// The shape of a sample, where it is said.
    shape: Option<String>,
    /// A module, as a whole item.
    module: Option<String>,
    settings: ForeignSettings,
    /// The statements of a model that is made of its inputs and outputs.
    functional: Vec<ForeignToken<'a>>,
    /// How many statements were read.
    read: usize,
    /// The name of the model in the text.
    name: Option<&'a str>,
}

/// The change that writes a program of Python as items; none where there is no such program.
pub fn program<'a>(
    reader: &mut HabitReader<'a>,
    foreign: &[&[ForeignToken<'a>]],
    chunks: &[&[ForeignToken<'a>]],
) -> Vec<TextChange> {
    let mut found = ForeignProgram::default();
    for chunk in foreign {
        let [first, ..] = chunk else { continue };
        if first.is("class") {
            found.module = module(reader, chunk, chunks);
            let begins = chunk.iter().skip(1).position(|token| token.first).unwrap_or(0) + 1;
            let methods: Vec<_> =
                methods(chunk.get(begins..).unwrap_or_default()).into_iter().collect();
            found.settings.of_methods(reader, &methods, found.read);
        } else if !matches!(first.text, "import" | "from") {
            found.statement(reader, chunk);
        }
    }
    if !found.functional.is_empty() {
        found.module = functional(reader, &found.functional);
    }
    let Some((text, settings)) = found.text(reader.text, chunks) else { return Vec::new() };
    let (Some(first), Some(last)) = (foreign.first(), foreign.last()) else { return Vec::new() };
    let whole = first[0].start..last[last.len() - 1].end();
    let place = |chunk: &&[ForeignToken<'a>]| chunk[0].start..chunk[chunk.len() - 1].end();
    let rest = foreign[1..].iter().map(|chunk| TextChange::new(place(chunk), ""));
    let first = TextChange::new(place(first), text);
    let moved = trains(chunks).and_then(|chunk| chunk.last()).filter(|_| !settings.is_empty());
    // What moves belongs to what goes, wherever both stand.
    let whole = if moved.is_some() { 0..reader.text.len() } else { whole };
    let moved = moved.map(|close| {
        let lines: String = settings.iter().map(|line| format!("    {line}\n")).collect();
        TextChange::new(close.start..close.start, lines)
    });
    let all = std::iter::once(first).chain(rest).chain(moved);
    all.map(|change| TextChange { part: Some(whole.clone()), ..change }).collect()
}

/// The only `train` item that is one of the language.
fn trains<'t, 'a>(chunks: &[&'t [ForeignToken<'a>]]) -> Option<&'t [ForeignToken<'a>]> {
    let mut own = chunks.iter().filter(|chunk| kind(chunk) == HabitChunk::Train);
    let first = own.next()?;
    own.next().is_none().then_some(*first)
}

impl<'a> ForeignProgram<'a> {
    /// Reads a statement at the margin.
    fn statement(&mut self, reader: &HabitReader<'a>, chunk: &[ForeignToken<'a>]) {
        for statement in statements(chunk) {
            self.shape = self.shape.take().or_else(|| input_shape(reader, statement));
            if self.is_functional(statement) {
                self.functional.extend(statement);
            } else if let [name, equals, value @ ..] = statement
                && equals.is("=")
                && name.kind == ForeignTokenKind::Word
                && let Some(stages) = reader.stages(value)
                && is_model(&stages)
            {
                self.name = Some(name.text);
                self.layers = Some(WrittenStages { broken: true, ..stages });
            } else if let Some(stages) = added(reader, statement) {
                let layers = self.layers.get_or_insert_default();
                layers.broken = true;
                layers.stages.extend(stages.stages);
            } else {
                self.settings.read(reader, statement, self.read);
            }
            self.read += 1;
        }
    }

    /// Whether a statement is one between `x = Input(…)` and `model = Model(x, y)`, which is the last.
    fn is_functional(&self, statement: &[ForeignToken<'a>]) -> bool {
        let calls =
            |name: &str| statement.windows(2).any(|pair| pair[0].is(name) && pair[1].is("("));
        let is_set = statement.get(1).is_some_and(|sign| sign.is("="));
        let is_open = !self.functional.windows(2).any(|it| it[0].is("Model") && it[1].is("("));
        is_set && is_open && (calls("Input") || !self.functional.is_empty())
    }

    /// The items, and settings of a `train` item that is there; `None` where a model would be guessed.
    fn text(mut self, text: &str, chunks: &[&[ForeignToken<'a>]]) -> Option<(String, Vec<String>)> {
        self.settings.combine(text);
        let lines = self.settings.lines();
        let is_setting = |line: &String| line.contains(" = ");
        if !lines.iter().all(is_setting) {
            return None;
        }
        if self.module.is_some() && self.layers.is_some() {
            return None;
        }
        let mut items = Vec::new();
        let mut name = declared(chunks, "model").unwrap_or("net").to_owned();
        if let Some(module) = self.module {
            name = module.split([' ', '(']).nth(1).unwrap_or("net").to_owned();
            items.push(module);
        } else if let Some(layers) = &self.layers {
            let shape = self.shape.or_else(|| built_in(chunks))?;
            let own = self.name.filter(|own| declared(chunks, "train") == Some(*own));
            name = own.unwrap_or("net").to_owned();
            let value = layers.applied("image", "    ");
            let (before, value) = super::steps::stepped(&value, "steps");
            let before = before.map_or(String::new(), |it| format!("let steps = {it}\n    "));
            items.push(model(&name, "image", &shape, &format!("{before}{value}"), layers)?);
        }
        if trains(chunks).is_some() {
            let any = !items.is_empty() || !lines.is_empty() || self.settings.is_foreign;
            return any.then(|| (items.join("\n\n"), lines));
        }
        if !lines.is_empty() {
            let on = declared(chunks, "data").map_or(String::new(), |data| format!(" on {data}"));
            items.push(format!("train {name}{on} {{\n    {}\n}}", lines.join("\n    ")));
        }
        (!items.is_empty()).then(|| (items.join("\n\n"), Vec::new()))
    }
}

/// Whether stages are layers, and no loss or optimiser.
fn is_model(stages: &WrittenStages) -> bool {
    let is_layer = |callee: &str| row::is_layer(callee.split('(').next().unwrap_or(callee));
    stages.settings.is_empty() && stages.stages.iter().all(|stage| is_layer(&stage.callee))
}

/// The name of the last item of a kind.
fn declared<'a>(chunks: &[&[ForeignToken<'a>]], word: &str) -> Option<&'a str> {
    let own =
        chunks.iter().rev().find(|chunk| chunk[0].is(word) && kind(chunk) != HabitChunk::Foreign);
    own.and_then(|chunk| chunk.get(1)).map(|name| name.text)
}

/// The shape of the images that are built in: `[28, 28, 1]`.
fn built_in(chunks: &[&[ForeignToken<'_>]]) -> Option<String> {
    let source = |chunk: &&&[ForeignToken<'_>]| {
        chunk[0].is("data") && chunk.iter().any(|token| token.is("digits") || token.is("mnist"))
    };
    chunks.iter().find(source).map(|_| "28, 28, 1".to_owned())
}

/// The shape of a sample: `input_shape=(28, 28, 1)`, `Input(shape=(28, 28, 1))`.
fn input_shape<'a>(reader: &HabitReader<'a>, statement: &[ForeignToken<'a>]) -> Option<String> {
    let says = |at: &usize| {
        let named = statement[*at].is("input_shape") || statement[*at].is("shape");
        named && statement[at + 1].is("=") && statement[at + 2].is("(")
    };
    let at = (0..statement.len().saturating_sub(2)).find(says)?;
    let close = closer(statement, at + 2)?;
    let inner = &statement[at + 3..close];
    let inner = match inner {
        [all @ .., comma] if comma.is(",") => all,
        _ => inner,
    };
    (!inner.is_empty()).then(|| reader.written(inner))
}

/// A model with these layers, which says how wide its result is.
fn model(
    name: &str,
    input: &str,
    shape: &str,
    body: &str,
    layers: &WrittenStages,
) -> Option<String> {
    let units = |stage: &super::pipeline::WrittenStage| {
        (stage.callee == "dense").then(|| stage.args.first().map(|(_, value)| value.clone()))?
    };
    let units = layers.stages.iter().rev().find_map(units)?;
    Some(format!("model {name}({input}: f32[N, {shape}]) -> f32[N, {units}] {{\n    {body}\n}}"))
}

/// A model of Keras that is made of its inputs and outputs, without types.
fn functional<'a>(reader: &mut HabitReader<'a>, all: &[ForeignToken<'a>]) -> Option<String> {
    let mut all = all.to_vec();
    let at = statements(&all).last()?[0].start;
    let at = all.iter().position(|token| token.start == at)?;
    // `model = keras.Model(…)` is the value.
    all.drain(at..at + 2);
    all.get_mut(at)?.first = true;
    let mut body = ForeignBody::new("image");
    body.read(reader, &all);
    let lines = body.changes.iter().map(|change| change.text.trim());
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    Some(format!("model net(image) {{\n    {}\n}}", lines.join("\n    ")))
}

/// A module of PyTorch as a model.
fn module<'a>(
    reader: &mut HabitReader<'a>,
    chunk: &[ForeignToken<'a>],
    chunks: &[&[ForeignToken<'a>]],
) -> Option<String> {
    let own = chunk.get(1)?.text;
    let is_trained = declared(chunks, "train") == Some(own);
    let name = if is_trained { own.to_owned() } else { own.to_lowercase() };
    built_in(chunks)?;
    let begins = chunk.iter().skip(1).position(|token| token.first)? + 1;
    let methods = methods(&chunk[begins..]);
    let forward = methods.get("forward")?;
    let input =
        forward.iter().position(|token| token.is(",")).and_then(|at| forward.get(at + 1))?;
    let mut body = ForeignBody::new(input.text);
    body.read(reader, &chunk[begins..]);
    let mut lines = Vec::new();
    let whole = chunk[begins].start..chunk[chunk.len() - 1].end();
    for change in &body.changes {
        let line = change.text.trim();
        if !line.is_empty() && whole.contains(&change.place.start) && is_within(forward, change) {
            lines.push(line.to_owned());
        }
    }
    // Its types are those of the data and of its last layer.
    Some(format!("model {name}({}) {{\n    {}\n}}", input.text, lines.join("\n    ")))
}

/// Whether a change is of a statement of that method.
fn is_within(method: &[ForeignToken<'_>], change: &TextChange) -> bool {
    let (Some(first), Some(last)) = (method.first(), method.last()) else { return false };
    change.place.start > first.start && change.place.start <= last.start
}

/// The methods of a class by their names, from `def` on.
fn methods<'t, 'a>(body: &'t [ForeignToken<'a>]) -> HashMap<&'a str, &'t [ForeignToken<'a>]> {
    let starts: Vec<usize> =
        (0..body.len()).filter(|at| body[*at].first && body[*at].is("def")).collect();
    let ends = starts.iter().skip(1).copied().chain([body.len()]);
    let named = starts
        .iter()
        .zip(ends)
        .filter_map(|(start, end)| Some((body.get(start + 1)?.text, &body[*start..end])));
    named.collect()
}
