//! Expressions of any framework as they are written here.
//!
//! ```text
//! F.relu(nn.Linear(784, 64)(x))     relu(dense(x, 64))
//! image.view(-1, 784)               flatten(image)
//! ```
//!
//! Tokens are read from left to right; what is known is replaced, and all else stays as it is, space
//! and all.

use super::bound::GivenArgument;
use super::names::{NAMESPACES, SEQUENCES, WORDS};
use super::own;
use super::pipeline::{WrittenStage, WrittenStages};
use super::prototxt;
use super::row;
use super::table::TableRow;
use super::tokens::{ForeignToken, ForeignTokenKind, closer, split};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// All that is known while a text is read.
#[derive(Default)]
pub struct HabitReader<'a> {
    /// The text.
    pub text: &'a str,
    /// Names that the file declares: they are no habits.
    pub declared: HashSet<&'a str>,
    /// Layers that were given a name: `self.fc1 = nn.Linear(784, 64)`.
    pub layers: HashMap<&'a str, WrittenStages>,
    /// Names that are another value's: `inputs = keras.Input(…)`.
    pub aliases: HashMap<&'a str, String>,
    /// Names of the last states of recurrent layers: `_, (h, c) = lstm(x)`.
    pub states: HashSet<&'a str>,
    /// Settings that arguments of other calls are here: `Adam(clipnorm=1.0)`.
    pub extra: RefCell<Vec<(String, String)>>,
    /// The space before the line that is read.
    pub indent: String,
    /// The parts of this statement that were read: what stands in brackets is looked at as one thing,
    /// then as another, at each depth.
    read: RefCell<HashMap<PartPlace, Option<(ReadPart, usize)>>>,
}

/// The bytes that a slice of tokens spans, and the index of a token in it.
type PartPlace = (usize, usize, usize);

/// A part of a text that was read.
#[derive(Clone)]
pub enum ReadPart {
    /// Stages, which something may be piped into.
    Stages(WrittenStages),
    /// A value.
    Value(String),
}

impl<'a> HabitReader<'a> {
    /// A reader that knows nothing but the text.
    pub fn of(text: &'a str) -> HabitReader<'a> {
        HabitReader { text, ..HabitReader::default() }
    }

    /// Begins a statement whose line has this space before it.
    pub fn begin_statement(&mut self, indent: &str) {
        self.indent = indent.to_owned();
        self.read.get_mut().clear();
    }

    /// A slice of tokens as it is written here.
    pub fn written(&self, tokens: &[ForeignToken<'a>]) -> String {
        let mut out = String::new();
        let mut at = 0;
        let mut done = tokens.first().map_or(0, |token| token.start);
        while at < tokens.len() {
            let read = self.read(tokens, at);
            if let Some((ReadPart::Stages(stages), next)) = &read
                && stages.stages.is_empty()
                && stages.settings.is_empty()
                && at > 0
                && tokens[at - 1].is("|>")
            {
                // `|> nn.Identity()`
                out.truncate(out.trim_end().trim_end_matches("|>").trim_end().len());
                (done, at) = (tokens[next - 1].end(), *next);
                continue;
            }
            out.push_str(&self.gap(done, tokens[at].start));
            let (text, next) = match read {
                Some((ReadPart::Stages(stages), next)) => {
                    (self.placed(tokens, at, next, &stages), next)
                }
                Some((ReadPart::Value(text), next)) => (text, next),
                // `1.` of Python
                None if tokens[at].kind == ForeignTokenKind::Number
                    && tokens[at].text.ends_with('.') =>
                {
                    (format!("{}0", tokens[at].text), at + 1)
                }
                None => (tokens[at].text.to_owned(), at + 1),
            };
            out.push_str(&text);
            done = tokens[next - 1].end();
            at = next;
        }
        out
    }

    /// Stages among other tokens: in brackets where an operator stands beside them.
    fn placed(
        &self,
        tokens: &[ForeignToken<'a>],
        at: usize,
        next: usize,
        stages: &WrittenStages,
    ) -> String {
        let text = stages.text(&self.indent);
        let operator = |token: &ForeignToken<'a>| {
            token.kind == ForeignTokenKind::Sign
                && matches!(token.text, "+" | "-" | "*" | "/" | "@")
        };
        let beside = at.checked_sub(1).into_iter().chain([next]).filter_map(|at| tokens.get(at));
        let bare = stages.stages.len() < 2 || !beside.into_iter().any(operator);
        if bare { text } else { format!("({text})") }
    }

    /// The layers that a slice is, and nothing but them.
    pub fn stages(&self, tokens: &[ForeignToken<'a>]) -> Option<WrittenStages> {
        if tokens.is_empty() {
            return None;
        }
        match self.read(tokens, 0)? {
            (ReadPart::Stages(stages), next) if next == tokens.len() => Some(stages),
            _ => None,
        }
    }

    /// The text between two tokens: comments of Python become those here.
    fn gap(&self, from: usize, to: usize) -> String {
        self.text[from..to].replace('#', "//")
    }

    /// Something known at a place, and where the tokens go on behind it.
    fn read(&self, tokens: &[ForeignToken<'a>], at: usize) -> Option<(ReadPart, usize)> {
        let place = (tokens[0].start, tokens[tokens.len() - 1].end(), at);
        if let Some(known) = self.read.borrow().get(&place) {
            return known.clone();
        }
        let found = self.read_anew(tokens, at);
        self.read.borrow_mut().insert(place, found.clone());
        found
    }

    fn read_anew(&self, tokens: &[ForeignToken<'a>], at: usize) -> Option<(ReadPart, usize)> {
        let token = &tokens[at];
        if let Some(content) = token.content() {
            return Some((ReadPart::Value(format!("\"{content}\"")), at + 1));
        }
        if token.is("(") {
            return self.tuple(tokens, at);
        }
        if token.is("[") && at > 0 && tokens[at - 1].is("|>") {
            let close = closer(tokens, at)?;
            let stages = self.sequence(&tokens[at..=close])?;
            return Some((ReadPart::Stages(stages), close + 1));
        }
        let behind_dot = at > 0 && tokens[at - 1].is(".");
        if token.kind != ForeignTokenKind::Word || behind_dot {
            return None;
        }
        let (path, next) = path(tokens, at);
        let found =
            self.layers(&path, tokens, next).or_else(|| self.word(&path, tokens, (at, next)));
        let (read, next) = found?;
        Some(self.methods(read, tokens, next))
    }

    /// `(3, 3)` → `[3, 3]`, where no call stands before it.
    fn tuple(&self, tokens: &[ForeignToken<'a>], at: usize) -> Option<(ReadPart, usize)> {
        let before = at.checked_sub(1).map(|before| &tokens[before]);
        let is_value = before.is_none_or(|it| {
            it.kind == ForeignTokenKind::Sign && matches!(it.text, "=" | "," | "(" | "[" | ":")
        });
        let close = closer(tokens, at)?;
        let inner = &tokens[at + 1..close];
        let parts = split(inner, |token| token.is(","));
        let is_record = inner.get(1).is_some_and(|it| it.is(":"));
        let is_tuple = parts.len() > 1 || inner.last().is_some_and(|it| it.is(","));
        if !is_value || is_record || !is_tuple {
            return None;
        }
        let parts: Vec<String> = parts.iter().map(|part| self.written(part)).collect();
        Some((ReadPart::Value(format!("[{}]", parts.join(", "))), close + 1))
    }

    /// A call or a block of something known, or of something else.
    fn layers(
        &self,
        path: &[&'a str],
        tokens: &[ForeignToken<'a>],
        next: usize,
    ) -> Option<(ReadPart, usize)> {
        let open = tokens.get(next)?;
        if open.is("{") {
            let written = |tokens: &[ForeignToken<'a>]| self.written(tokens);
            let (stages, next) = prototxt::read(&written, path, tokens, next)?;
            return Some((ReadPart::Stages(stages), next));
        }
        if !open.is("(") {
            return None;
        }
        if let Some(merged) = self.merged(path, tokens, next) {
            return Some((ReadPart::Value(merged.0), merged.1));
        }
        let close = closer(tokens, next)?;
        let inner = &tokens[next + 1..close];
        if let Some(value) = self.reshaped(path, inner) {
            return Some((ReadPart::Value(value), close + 1));
        }
        let stages = match self.kept(path) {
            Some(kept) => return Some(self.call_of(kept, inner, close)),
            None => self.known(path, inner),
        };
        match stages {
            Some(stages) => Some(self.applied(stages, tokens, close + 1)),
            None => Some(self.unknown(path, tokens, (next, close))),
        }
    }

    /// A layer that was given a name, called with a value.
    fn call_of(
        &self,
        kept: &WrittenStages,
        inner: &[ForeignToken<'a>],
        close: usize,
    ) -> (ReadPart, usize) {
        let (stages, value) = self.of_values(kept.clone(), inner);
        (ReadPart::Value(stages.applied(&value, &self.indent)), close + 1)
    }

    fn kept(&self, path: &[&'a str]) -> Option<&WrittenStages> {
        match path {
            ["self", name] | [name] => self.layers.get(name),
            _ => None,
        }
    }

    /// Stages applied to a value in brackets behind them: `Dense(10)(x)`.
    fn applied(
        &self,
        stages: WrittenStages,
        tokens: &[ForeignToken<'a>],
        next: usize,
    ) -> (ReadPart, usize) {
        let adjacent = |open: &&ForeignToken<'a>| open.is("(") && !open.first;
        let inner = tokens.get(next).filter(adjacent).and_then(|_| closer(tokens, next));
        match inner {
            Some(close) => {
                let (stages, value) = self.of_values(stages, &tokens[next + 1..close]);
                (ReadPart::Value(stages.applied(&value, &self.indent)), close + 1)
            }
            None => (ReadPart::Stages(stages), next),
        }
    }

    /// The entry of the table for a call.
    pub fn known(&self, path: &[&'a str], inner: &[ForeignToken<'a>]) -> Option<WrittenStages> {
        let (name, spaces) = path.split_last()?;
        if SEQUENCES.contains(name) && !self.declared.contains(name) {
            return self.sequence(inner);
        }
        let own = spaces.is_empty() && self.declared.contains(name);
        let is_setting =
            |row: &TableRow| row.ours.split("; ").next().is_some_and(|it| it.contains(" = "));
        let foreign = spaces.iter().all(|space| NAMESPACES.contains(space));
        let args = self.arguments(inner);
        if spaces.is_empty() && own::is_call(name, &args) {
            return None;
        }
        if spaces.is_empty() && !own && own::has_names(name, &args) && !row::is_known(name) {
            return Some(row::as_named(name, &args));
        }
        if let Some(made) = row::recased(name, &args).filter(|_| spaces.is_empty() && !own) {
            return Some(made);
        }
        let fits = |row: &&'static TableRow| foreign || is_setting(row);
        let mut rows = row::rows(path).filter(fits);
        let found = rows.find_map(|row| {
            let made = row::applied(row, &args)?;
            Some((row::is_foreign(row, name, &args) || !spaces.is_empty(), made))
        });
        let mut made = found.filter(|(foreign, _)| *foreign && !own).map(|(_, made)| made)?;
        if let [stage] = &mut made.stages[..]
            && spaces.is_empty()
            && stage.callee == *name
        {
            own::keep_names(&args, stage);
        }
        if !made.stages.is_empty() {
            // A call may be read more than once.
            let mut extra = self.extra.borrow_mut();
            extra.extend(std::mem::take(&mut made.settings));
            let mut known = HashSet::new();
            extra.retain(|(key, _)| known.insert(key.clone()));
        }
        Some(made)
    }

    /// A layer that is written as here, by itself: `flatten`, `dense(128)`.
    pub fn own_stage(&self, tokens: &[ForeignToken<'a>]) -> Option<WrittenStages> {
        let name = tokens[0].text;
        let is_call = match tokens {
            [_] => true,
            [_, open, .., close] => {
                open.is("(") && close.is(")") && closer(tokens, 1) == Some(tokens.len() - 1)
            }
            _ => false,
        };
        let is_layer = row::is_layer(name) || self.declared.contains(name);
        if !is_call || !is_layer || tokens[0].kind != ForeignTokenKind::Word {
            return None;
        }
        let callee = self.written(tokens);
        let stages = vec![WrittenStage { callee, ..WrittenStage::default() }];
        Some(WrittenStages { stages, piped: true, ..WrittenStages::default() })
    }

    /// The layers of a `Sequential`.
    pub fn sequence(&self, inner: &[ForeignToken<'a>]) -> Option<WrittenStages> {
        let inner = match inner {
            [open, .., close] if open.is("[") && close.is("]") => &inner[1..inner.len() - 1],
            _ => inner,
        };
        let broken = inner.iter().any(|token| token.first);
        let mut made = WrittenStages { broken, piped: true, ..WrittenStages::default() };
        for part in split(inner, |token| token.is(",")) {
            match self.stages(part) {
                Some(stages) => made.stages.extend(stages.stages),
                None => made
                    .stages
                    .push(WrittenStage { callee: self.written(part), ..WrittenStage::default() }),
            }
        }
        Some(made)
    }

    /// The arguments of a call, but for the parameters that an optimiser is given.
    pub fn arguments(&self, inner: &[ForeignToken<'a>]) -> Vec<GivenArgument> {
        let mut args = Vec::new();
        let mut of_parameters = false;
        for part in split(inner, |token| token.is(",")) {
            let (name, equals, value) = match part {
                [name, sign, value @ ..]
                    if name.kind == ForeignTokenKind::Word && (sign.is("=") || sign.is(":")) =>
                {
                    (Some(name.text), sign.is("="), value)
                }
                _ => (None, false, part),
            };
            if is_parameters(value) {
                of_parameters = true;
                continue;
            }
            // The rate stands behind the parameters in PyTorch.
            let name = name.or_else(|| std::mem::take(&mut of_parameters).then_some("lr"));
            let value = self.written(value);
            args.push(GivenArgument { name: name.map(str::to_owned), equals, value });
        }
        args
    }

    /// A call of something else: its name without what is before it, its arguments as here.
    fn unknown(
        &self,
        path: &[&'a str],
        tokens: &[ForeignToken<'a>],
        (open, close): (usize, usize),
    ) -> (ReadPart, usize) {
        let mut text = format!("{}(", self.plain(path));
        // `torch.max(x, 1)`
        let of_axis = |name: &&str| matches!(*name, "max" | "min" | "sum" | "mean" | "argmax");
        let reduces = path[0] == "torch" && path.last().is_some_and(of_axis);
        let mut done = tokens[open].end();
        for part in split(&tokens[open + 1..close], |token| token.is(",")) {
            text.push_str(&self.gap(done, part[0].start));
            match part {
                [name, sign, value @ ..]
                    if name.kind == ForeignTokenKind::Word && sign.is("=") && !value.is_empty() =>
                {
                    let value = self.written(value);
                    text.push_str(&match name.text {
                        "dim" => format!("axis: ⟦dim {value}⟧"),
                        name => format!("{name}: {value}"),
                    });
                }
                _ if reduces && part[0].start > tokens[open].end() => {
                    text.push_str(&format!("axis: ⟦dim {}⟧", self.written(part)));
                }
                _ => text.push_str(&self.written(part)),
            }
            done = part[part.len() - 1].end();
        }
        text.push_str(&self.gap(done, tokens[close].end()));
        (ReadPart::Value(text), close + 1)
    }

    /// A path without what is only where something is.
    fn plain(&self, path: &[&'a str]) -> String {
        let spaces = path.len() > 1 && path[..path.len() - 1].iter().all(|it| is_space(it));
        if spaces { path[path.len() - 1].to_owned() } else { path.join(".") }
    }

    /// A name that is no call: `F.relu`, `True`, `nn.functional.cross_entropy`, `Flatten`.
    fn word(
        &self,
        path: &[&'a str],
        tokens: &[ForeignToken<'a>],
        (at, next): (usize, usize),
    ) -> Option<(ReadPart, usize)> {
        let (name, spaces) = path.split_last()?;
        if let Some(alias) = self.aliases.get(name).filter(|_| spaces.is_empty()) {
            return Some((ReadPart::Value(alias.clone()), next));
        }
        if self.states.contains(path[0]) {
            return Some(self.state(path, tokens, next));
        }
        let word = WORDS.iter().find(|(theirs, _)| spaces.is_empty() && theirs == name);
        if let Some((_, ours)) = word {
            return Some((ReadPart::Value((*ours).to_owned()), next));
        }
        if let Some(kept) = self.kept(path).filter(|_| spaces == ["self"]) {
            return Some((ReadPart::Stages(kept.clone()), next));
        }
        let is_name = tokens.get(next).is_some_and(|it| it.is("=") || it.is(":") || it.is("("));
        let is_declared = spaces.is_empty() && (self.declared.contains(name) || own::is_item(name));
        // A name of one's own may be any word.
        let upper = name.starts_with(|c: char| c.is_ascii_uppercase());
        let as_stage = at > 0 && tokens[at - 1].is("|>");
        let meant = !spaces.is_empty() || upper || as_stage;
        if is_name || is_declared || !meant || !spaces.iter().all(|it| is_space(it)) {
            return None;
        }
        let found = row::rows(path).find_map(|row| row::applied(row, &[]))?;
        let one = found.stages.len() == 1 && found.settings.is_empty();
        one.then_some((ReadPart::Stages(found), next))
    }
}

/// `model.parameters()`.
fn is_parameters(value: &[ForeignToken<'_>]) -> bool {
    value.windows(2).any(|pair| pair[0].is(".") && pair[1].is("parameters"))
}

/// Whether a name only says where something is.
pub fn is_space(name: &str) -> bool {
    NAMESPACES.contains(&name)
}

/// Words with dots between them, and where the tokens go on.
pub fn path<'a>(tokens: &[ForeignToken<'a>], at: usize) -> (Vec<&'a str>, usize) {
    let mut path = vec![tokens[at].text];
    let mut next = at + 1;
    while let [dot, word, ..] = &tokens[next..]
        && dot.is(".")
        && word.kind == ForeignTokenKind::Word
        && !dot.first
    {
        path.push(word.text);
        next += 2;
    }
    (path, next)
}
