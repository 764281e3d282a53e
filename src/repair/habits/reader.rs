//! Expressions of any framework as they are written here.
//!
//! ```text
//! F.relu(nn.Linear(784, 64)(x))     relu(dense(x, 64))
//! image.view(-1, 784)               flatten(image)
//! ```
//!
//! Tokens are read from left to right; what is known is replaced, and all else stays as it is, space
//! and all.

use super::pipeline::{Pipeline, Stage};
use super::prototxt;
use super::row::{self, Argument};
use super::table::{NAMESPACES, RESHAPES, Row, SEQUENCES, WORDS};
use super::tokens::{Kind, Token, closer, split};
use std::collections::{HashMap, HashSet};

/// What is known while a text is read.
#[derive(Default)]
pub struct Reader<'a> {
    /// The text.
    pub text: &'a str,
    /// Names that the file declares: they are no habits.
    pub declared: HashSet<&'a str>,
    /// Layers that were given a name: `self.fc1 = nn.Linear(784, 64)`.
    pub layers: HashMap<&'a str, Pipeline>,
    /// The space before the line that is read.
    pub indent: String,
}

/// What was read at a place.
enum Read {
    /// Stages, which something may be piped into.
    Stages(Pipeline),
    /// A value.
    Value(String),
}

impl<'a> Reader<'a> {
    /// A slice of tokens as it is written here.
    pub fn written(&self, tokens: &[Token<'a>]) -> String {
        let mut out = String::new();
        let mut at = 0;
        let mut done = tokens.first().map_or(0, |token| token.start);
        while at < tokens.len() {
            out.push_str(&self.gap(done, tokens[at].start));
            let (text, next) = match self.read(tokens, at) {
                Some((Read::Stages(stages), next)) => {
                    (self.placed(tokens, at, next, &stages), next)
                }
                Some((Read::Value(text), next)) => (text, next),
                None => (tokens[at].text.to_owned(), at + 1),
            };
            out.push_str(&text);
            done = tokens[next - 1].end();
            at = next;
        }
        out
    }

    /// Stages among other tokens: in brackets where an operator stands beside them.
    fn placed(&self, tokens: &[Token<'a>], at: usize, next: usize, stages: &Pipeline) -> String {
        let text = stages.text(&self.indent);
        let operator = |token: &Token<'a>| {
            token.kind == Kind::Sign && matches!(token.text, "+" | "-" | "*" | "/" | "@")
        };
        let beside = at.checked_sub(1).into_iter().chain([next]).filter_map(|at| tokens.get(at));
        let bare = stages.stages.len() < 2 || !beside.into_iter().any(operator);
        if bare { text } else { format!("({text})") }
    }

    /// The layers that a slice is, and nothing but them.
    pub fn stages(&self, tokens: &[Token<'a>]) -> Option<Pipeline> {
        match self.read(tokens, 0)? {
            (Read::Stages(stages), next) if next == tokens.len() => Some(stages),
            _ => None,
        }
    }

    /// What stands between two tokens: comments of Python become those here.
    fn gap(&self, from: usize, to: usize) -> String {
        self.text[from..to].replace('#', "//")
    }

    /// What is known at a place, and where the tokens go on behind it.
    fn read(&self, tokens: &[Token<'a>], at: usize) -> Option<(Read, usize)> {
        let token = &tokens[at];
        if let Some(content) = token.content() {
            return Some((Read::Value(format!("\"{content}\"")), at + 1));
        }
        if token.is("(") {
            return self.tuple(tokens, at);
        }
        let behind_dot = at > 0 && tokens[at - 1].is(".");
        if token.kind != Kind::Word || behind_dot {
            return None;
        }
        let (path, next) = path(tokens, at);
        let found =
            self.layers(&path, tokens, next).or_else(|| self.word(&path, tokens, (at, next)));
        let (read, next) = found?;
        Some(self.methods(read, tokens, next))
    }

    /// `(3, 3)` → `[3, 3]`, where no call stands before it.
    fn tuple(&self, tokens: &[Token<'a>], at: usize) -> Option<(Read, usize)> {
        let before = at.checked_sub(1).map(|before| &tokens[before]);
        let is_value = before.is_none_or(|it| {
            it.kind == Kind::Sign && matches!(it.text, "=" | "," | "(" | "[" | ":")
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
        Some((Read::Value(format!("[{}]", parts.join(", "))), close + 1))
    }

    /// A call or a block of something known, or of something else.
    fn layers(&self, path: &[&'a str], tokens: &[Token<'a>], next: usize) -> Option<(Read, usize)> {
        let open = tokens.get(next)?;
        if open.is("{") {
            let (stages, next) = prototxt::read(self, path, tokens, next)?;
            return Some((Read::Stages(stages), next));
        }
        if !open.is("(") {
            return None;
        }
        let close = closer(tokens, next)?;
        let inner = &tokens[next + 1..close];
        if let Some(value) = self.reshaped(path, inner) {
            return Some((Read::Value(value), close + 1));
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
    fn call_of(&self, kept: &Pipeline, inner: &[Token<'a>], close: usize) -> (Read, usize) {
        let value = self.written(inner);
        (Read::Value(kept.applied(&value, &self.indent)), close + 1)
    }

    fn kept(&self, path: &[&'a str]) -> Option<&Pipeline> {
        match path {
            ["self", name] | [name] => self.layers.get(name),
            _ => None,
        }
    }

    /// Stages applied to a value in brackets behind them: `Dense(10)(x)`.
    fn applied(&self, stages: Pipeline, tokens: &[Token<'a>], next: usize) -> (Read, usize) {
        let adjacent = |open: &&Token<'a>| open.is("(") && !open.first;
        let inner = tokens.get(next).filter(adjacent).and_then(|_| closer(tokens, next));
        match inner {
            Some(close) => {
                let value = self.written(&tokens[next + 1..close]);
                (Read::Value(stages.applied(&value, &self.indent)), close + 1)
            }
            None => (Read::Stages(stages), next),
        }
    }

    /// What the table has for a call.
    pub fn known(&self, path: &[&'a str], inner: &[Token<'a>]) -> Option<Pipeline> {
        let (name, spaces) = path.split_last()?;
        if SEQUENCES.contains(name) && !self.declared.contains(name) {
            return self.sequence(inner);
        }
        let own = spaces.is_empty() && self.declared.contains(name);
        let is_setting = |row: &Row| row.ours.contains(" = ");
        let foreign = spaces.iter().all(|space| NAMESPACES.contains(space));
        let args = self.arguments(inner);
        let fits = |row: &&'static Row| foreign || is_setting(row);
        let mut rows = row::rows(path).filter(fits);
        let found = rows.find_map(|row| {
            let made = row::applied(row, &args)?;
            Some((row::is_foreign(row, name, &args) || !spaces.is_empty(), made))
        });
        found.filter(|(foreign, _)| *foreign && !own).map(|(_, made)| made)
    }

    /// The layers of a `Sequential`.
    fn sequence(&self, inner: &[Token<'a>]) -> Option<Pipeline> {
        let inner = match inner {
            [open, .., close] if open.is("[") && close.is("]") => &inner[1..inner.len() - 1],
            _ => inner,
        };
        let broken = inner.iter().any(|token| token.first);
        let mut made = Pipeline { broken, piped: true, ..Pipeline::default() };
        for part in split(inner, |token| token.is(",")) {
            match self.stages(part) {
                Some(stages) => made.stages.extend(stages.stages),
                None => made.stages.push(Stage { callee: self.written(part), ..Stage::default() }),
            }
        }
        Some(made)
    }

    /// The arguments of a call, but for the parameters that an optimiser is given.
    pub fn arguments(&self, inner: &[Token<'a>]) -> Vec<Argument> {
        let mut args = Vec::new();
        for part in split(inner, |token| token.is(",")) {
            let (name, equals, value) = match part {
                [name, sign, value @ ..]
                    if name.kind == Kind::Word && (sign.is("=") || sign.is(":")) =>
                {
                    (Some(name.text), sign.is("="), value)
                }
                _ => (None, false, part),
            };
            if !is_parameters(value) {
                let value = self.written(value);
                args.push(Argument { name: name.map(str::to_owned), equals, value });
            }
        }
        args
    }

    /// A call of something else: its name without what is before it, its arguments as here.
    fn unknown(
        &self,
        path: &[&'a str],
        tokens: &[Token<'a>],
        (open, close): (usize, usize),
    ) -> (Read, usize) {
        let mut text = format!("{}(", self.plain(path));
        let mut done = tokens[open].end();
        for part in split(&tokens[open + 1..close], |token| token.is(",")) {
            text.push_str(&self.gap(done, part[0].start));
            match part {
                [name, sign, value @ ..]
                    if name.kind == Kind::Word && sign.is("=") && !value.is_empty() =>
                {
                    text.push_str(&format!("{}: {}", name.text, self.written(value)));
                }
                _ => text.push_str(&self.written(part)),
            }
            done = part[part.len() - 1].end();
        }
        text.push_str(&self.gap(done, tokens[close].end()));
        (Read::Value(text), close + 1)
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
        tokens: &[Token<'a>],
        (at, next): (usize, usize),
    ) -> Option<(Read, usize)> {
        let (name, spaces) = path.split_last()?;
        let word = WORDS.iter().find(|(theirs, _)| spaces.is_empty() && theirs == name);
        if let Some((_, ours)) = word {
            return Some((Read::Value((*ours).to_owned()), next));
        }
        if let Some(kept) = self.kept(path).filter(|_| spaces == ["self"]) {
            return Some((Read::Stages(kept.clone()), next));
        }
        let is_name = tokens.get(next).is_some_and(|it| it.is("=") || it.is(":") || it.is("("));
        let is_declared = spaces.is_empty() && self.declared.contains(name);
        // A name of one's own may be any word.
        let upper = name.starts_with(|c: char| c.is_ascii_uppercase());
        let as_stage = at > 0 && tokens[at - 1].is("|>");
        let meant = !spaces.is_empty() || upper || as_stage;
        if is_name || is_declared || !meant || !spaces.iter().all(|it| is_space(it)) {
            return None;
        }
        let found = row::rows(path).find_map(|row| row::applied(row, &[]))?;
        let one = found.stages.len() == 1 && found.settings.is_empty();
        one.then_some((Read::Stages(found), next))
    }

    /// `x.view(-1, 784)`, `x.flatten(1)`: a value in another shape.
    fn reshaped(&self, path: &[&'a str], inner: &[Token<'a>]) -> Option<String> {
        let (name, value) = path.split_last()?;
        if value.is_empty() || value.iter().all(|it| is_space(it)) || value[0] == "self" {
            return None;
        }
        let value = value.join(".");
        if *name == "flatten" {
            return Some(format!("flatten({value})"));
        }
        if !RESHAPES.contains(name) {
            return None;
        }
        let extents: Vec<String> =
            split(inner, |token| token.is(",")).iter().map(|part| self.written(part)).collect();
        let is_batch =
            |text: &str| text == "-1" || text.contains(".size(") || text.contains(".shape");
        match &extents[..] {
            [first, _] if is_batch(first) => Some(format!("flatten({value})")),
            [first, rest @ ..] if is_batch(first) => {
                Some(format!("reshape({value}, [N, {}])", rest.join(", ")))
            }
            _ => None,
        }
    }

    /// Methods behind a value: `dense(x, 64).relu()` → `dense(x, 64) |> relu`.
    fn methods(&self, read: Read, tokens: &[Token<'a>], mut next: usize) -> (Read, usize) {
        let mut read = read;
        while let [dot, name, open, ..] = &tokens[next..]
            && dot.is(".")
            && name.kind == Kind::Word
            && open.is("(")
            && let Some(close) = closer(tokens, next + 2)
        {
            let inner = &tokens[next + 3..close];
            let args = self.arguments(inner);
            let rows = row::rows(std::slice::from_ref(&name.text)).collect::<Vec<_>>();
            let Some(stages) = rows.iter().find_map(|row| row::applied(row, &args)) else { break };
            read = match read {
                Read::Value(value) => {
                    Read::Value(format!("{value} |> {}", stages.text(&self.indent)))
                }
                Read::Stages(mut before) => {
                    before.stages.extend(stages.stages);
                    Read::Stages(before)
                }
            };
            next = close + 1;
        }
        (read, next)
    }
}

/// `model.parameters()`.
fn is_parameters(value: &[Token<'_>]) -> bool {
    value.windows(2).any(|pair| pair[0].is(".") && pair[1].is("parameters"))
}

/// Whether a name only says where something is.
fn is_space(name: &str) -> bool {
    NAMESPACES.contains(&name)
}

/// Words with dots between them, and where the tokens go on.
pub fn path<'a>(tokens: &[Token<'a>], at: usize) -> (Vec<&'a str>, usize) {
    let mut path = vec![tokens[at].text];
    let mut next = at + 1;
    while let [dot, word, ..] = &tokens[next..]
        && dot.is(".")
        && word.kind == Kind::Word
        && !dot.first
    {
        path.push(word.text);
        next += 2;
    }
    (path, next)
}
