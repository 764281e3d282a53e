//! The settings of a run as they are written elsewhere.
//!
//! ```text
//! compile(optimizer='adam', loss='mse')                    optimizer = adam
//!                                                          loss = mse
//! { loss = cross_entropy, epochs = 1 }                     a setting a line
//! scheduler = CosineAnnealingLR(optimizer, T_max=10)       the `lr` of the optimizer
//! ```

use super::body::{IDLE, indent, line, statements};
use super::reader::{HabitReader, path};
use super::row::items;
use super::table::{OF_OPTIMIZER, SETTINGS};
use super::tokens::{ForeignToken, ForeignTokenKind, closer, split, tokens};
use super::{TextChange, braces};
use std::ops::Range;

/// The changes in a `train` item.
pub fn train<'a>(reader: &HabitReader<'a>, chunk: &[ForeignToken<'a>]) -> Vec<TextChange> {
    let Some((_, inner)) = braces(chunk) else { return Vec::new() };
    let mut settings = ForeignSettings::default();
    let mut places: Vec<Range<usize>> = Vec::new();
    for line in statements_of(inner) {
        let place = line[0].start..line[line.len() - 1].end();
        settings.read(reader, line, places.len());
        places.push(place);
    }
    let depends = settings.combine();
    let (Some(first), Some(last)) = (inner.first(), inner.last()) else { return Vec::new() };
    let part = depends.then(|| first.start..last.end());
    settings
        .changes(reader.text, &places)
        .into_iter()
        .map(|it| TextChange { part: part.clone(), ..it })
        .collect()
}

/// One statement a line, or between commas and semicolons, or one behind the other.
fn statements_of<'t, 'a>(inner: &'t [ForeignToken<'a>]) -> Vec<&'t [ForeignToken<'a>]> {
    let mut found: Vec<&[ForeignToken<'a>]> = Vec::new();
    for line in statements(inner) {
        // `x, y = batch`
        if let [_, comma, _, equals, ..] = line
            && comma.is(",")
            && equals.is("=")
        {
            found.push(line);
            continue;
        }
        let parts = split(line, |token| token.is(",") || token.is(";"));
        found.extend(parts.into_iter().flat_map(settings_in));
    }
    found
}

/// The settings that stand one behind the other with nothing between: `loss = mse epochs = 1`.
fn settings_in<'t, 'a>(mut rest: &'t [ForeignToken<'a>]) -> Vec<&'t [ForeignToken<'a>]> {
    let mut found = Vec::new();
    while let Some(at) = next_setting(rest) {
        found.push(&rest[..at]);
        rest = &rest[at..];
    }
    found.push(rest);
    found
}

/// The place of a name with `=` behind it, outside of brackets, before which a value ends.
fn next_setting(tokens: &[ForeignToken<'_>]) -> Option<usize> {
    let mut depth = 0i32;
    for (at, token) in tokens.iter().enumerate() {
        depth += i32::from(token.opens()) - i32::from(token.closes());
        let [.., before, _] = &tokens[..=at] else { continue };
        let is_name = token.kind == ForeignTokenKind::Word;
        let is_set = tokens.get(at + 1).is_some_and(|next| next.is("="));
        let is_value = before.kind != ForeignTokenKind::Sign || before.closes();
        if depth == 0 && is_name && is_set && is_value {
            return Some(at);
        }
    }
    None
}

/// ForeignSettings that were read, with the statement that each is from.
#[derive(Default)]
pub struct ForeignSettings {
    /// Key, value and statement.
    found: Vec<(String, String, usize)>,
    /// Arguments of the optimizer that stood by themselves.
    of_optimizer: Vec<(&'static str, String)>,
    /// A schedule that was made for the optimizer, without what it begins from.
    schedule: Option<String>,
    /// Whether any statement was read as a habit.
    is_foreign: bool,
}

impl ForeignSettings {
    /// Reads one statement.
    pub fn read<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        statement: &[ForeignToken<'a>],
        at: usize,
    ) {
        match statement {
            [first, ..] if IDLE.contains(&first.text) => self.is_foreign = true,
            [_, comma, ..] if comma.is(",") => self.is_foreign = true,
            [word, value @ ..] if word.is("return") => {
                self.is_foreign = true;
                let text = reader.written(value);
                if text.contains("lr") {
                    self.found.push(("optimizer".into(), text, at));
                }
            }
            [key, sign, value @ ..]
                if key.kind == ForeignTokenKind::Word
                    && (sign.is("=") || sign.is(":"))
                    && !value.is_empty() =>
            {
                self.setting(reader, key.text, value, at);
            }
            _ => self.call(reader, statement, at),
        }
    }

    fn setting<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        key: &str,
        value: &[ForeignToken<'a>],
        at: usize,
    ) {
        if self.call_in(reader, value, at) {
            return;
        }
        if matches!(key, "scheduler" | "lr_scheduler")
            && let [.., close] = value
            && close.is(")")
        {
            self.schedule = schedule(reader, value);
            return;
        }
        let ours = SETTINGS.iter().find(|(theirs, _)| *theirs == key).map_or(key, |(_, ours)| ours);
        let written = reader.written(value);
        if let Some((_, argument)) = OF_OPTIMIZER.iter().find(|(theirs, _)| *theirs == key) {
            self.of_optimizer.push((argument, written));
            return;
        }
        let ours = if key == "type" { "optimizer" } else { ours };
        let named = matches!(ours, "loss" | "optimizer" | "metrics");
        let written = if named { items(&written) } else { written };
        self.found.push((ours.to_owned(), written, at));
    }

    fn call<'a>(&mut self, reader: &HabitReader<'a>, statement: &[ForeignToken<'a>], at: usize) {
        if !self.call_in(reader, statement, at) {
            let text = reader.written(statement);
            self.found.push((String::new(), text, at));
        }
    }

    /// Reads a call that is settings; `false` where it is none.
    fn call_in<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        value: &[ForeignToken<'a>],
        at: usize,
    ) -> bool {
        let Some(first) = value.first().filter(|first| first.kind == ForeignTokenKind::Word) else {
            return false;
        };
        let (path, next) = path(value, 0);
        let close = value.get(next).filter(|open| open.is("(")).and_then(|_| closer(value, next));
        let Some(close) = close.filter(|close| close + 1 == value.len()) else { return false };
        let made = reader.known(&path, &value[next + 1..close]);
        let settings = made.map(|made| made.settings).unwrap_or_default();
        let is_own = settings.is_empty() && first.text.is_empty();
        self.is_foreign |= !settings.is_empty();
        let is_any = !settings.is_empty() && !is_own;
        for (key, value) in settings {
            self.found.push((key, value, at));
        }
        is_any
    }

    /// Gives the optimizer what stood by itself; whether there was any.
    pub fn combine(&mut self) -> bool {
        let any = self.schedule.is_some() || !self.of_optimizer.is_empty();
        let optimizer = self.found.iter_mut().find(|(key, _, _)| key == "optimizer");
        let Some((_, text, _)) = optimizer else { return any };
        for (name, value) in self.of_optimizer.drain(..) {
            *text = with_argument(text, name, &value);
        }
        if let Some(schedule) = self.schedule.take() {
            let rate = argument(text, "lr").unwrap_or_else(|| "1e-3".to_owned());
            *text = with_argument(text, "lr", &schedule.replacen('@', &rate, 1));
        }
        any
    }

    /// All settings as lines.
    pub fn lines(&self) -> Vec<String> {
        let line = |(key, value, _): &(String, String, usize)| match key.is_empty() {
            true => value.clone(),
            false => format!("{key} = {value}"),
        };
        self.found.iter().map(line).collect()
    }

    /// The changes of a block: each statement as its settings, on lines of their own.
    fn changes(&self, text: &str, places: &[Range<usize>]) -> Vec<TextChange> {
        let mut changes = Vec::new();
        let lines = self.lines();
        for (at, place) in places.iter().enumerate() {
            let own: Vec<&str> = (self.found.iter().zip(&lines))
                .filter(|((_, _, from), _)| *from == at)
                .map(|(_, line)| line.as_str())
                .collect();
            if own.is_empty() {
                changes.push(TextChange::new(line(text, place.clone()), ""));
                continue;
            }
            changes.push(self.change(text, place, &own, places));
        }
        changes
    }

    /// One statement as its settings; the comma behind it goes.
    fn change(
        &self,
        text: &str,
        place: &Range<usize>,
        own: &[&str],
        places: &[Range<usize>],
    ) -> TextChange {
        let before = &text[..place.start];
        let begins = before.rsplit('\n').next().is_some_and(|it| it.trim().is_empty());
        let space = indent(text, place.start);
        let inner = if begins { space.to_owned() } else { format!("{space}    ") };
        let mut written = own.join(&format!("\n{inner}"));
        let rest = &text[place.end..];
        let comma = rest.trim_start_matches([' ', '\t']).starts_with([',', ';']);
        let gap = rest.find([',', ';']).map_or(0, |at| at + 1);
        let mut end = place.end + if comma { gap } else { 0 };
        let mut start = place.start;
        // Several on one line have a line each.
        if !begins && (places.len() > 1 || own.len() > 1) {
            start = before.trim_end_matches([' ', '\t']).len();
            written = format!("\n{inner}{written}");
        }
        let behind = text[end..].trim_start_matches([' ', '\t']);
        if behind.starts_with('}') && (places.len() > 1 || own.len() > 1) {
            end = text.len() - behind.len();
            written = format!("{written}\n{space}");
        }
        // What did not change stays as it stands, with its spaces.
        let was: Vec<&str> = text[place.clone()].split_whitespace().collect();
        let is: Vec<&str> = written.split_whitespace().collect();
        match was == is && begins && !comma {
            true => TextChange::new(place.clone(), &text[place.clone()]),
            false => TextChange::new(start..end, written),
        }
    }
}

/// The scheduler of PyTorch whose period is counted in epochs, where schedules here count steps: only its
/// author can turn one into the other.
const COUNTS_EPOCHS: &str = "StepLR";

/// A schedule with `@` where the optimizer's rate goes: `CosineAnnealingLR(optimizer, T_max=10)`.
fn schedule<'a>(reader: &HabitReader<'a>, value: &[ForeignToken<'a>]) -> Option<String> {
    let (path, next) = path(value, 0);
    if path.last() == Some(&COUNTS_EPOCHS) {
        return None;
    }
    let inner = value.get(next + 1..value.len() - 1)?;
    let mut args = reader.arguments(inner);
    args.first_mut()?.value = "@".to_owned();
    let made = super::row::rows(&path).find_map(|row| super::row::applied(row, &args))?;
    Some(made.text(""))
}

/// Where an argument of a call stands: from its name to its value's end.
fn place(text: &str, name: &str) -> Option<(usize, usize, usize)> {
    let all = tokens(text);
    let open = all.iter().position(|token| token.is("("))?;
    let close = closer(&all, open)?;
    for part in split(&all[open + 1..close], |token| token.is(",")) {
        if let [own, sign, value @ ..] = part
            && own.is(name)
            && sign.is(":")
        {
            return Some((own.start, value.first()?.start, value.last()?.end()));
        }
    }
    None
}

fn argument(text: &str, name: &str) -> Option<String> {
    place(text, name).map(|(_, start, end)| text[start..end].to_owned())
}

/// A call with an argument more, or with another value.
fn with_argument(text: &str, name: &str, value: &str) -> String {
    if let Some((_, start, end)) = place(text, name) {
        return format!("{}{value}{}", &text[..start], &text[end..]);
    }
    match text.strip_suffix(')') {
        Some(open) if open.ends_with('(') => format!("{open}{name}: {value})"),
        Some(open) => format!("{open}, {name}: {value})"),
        None => format!("{text}({name}: {value})"),
    }
}
