//! The settings of a run as they are written elsewhere.
//!
//! ```text
//! compile(optimizer='adam', loss='mse')                    optimizer = adam
//!                                                          loss = mse
//! { loss = cross_entropy, epochs = 1 }                     a setting a line
//! scheduler = CosineAnnealingLR(optimizer, T_max=10)       the `lr` of the optimizer
//! ```

use super::body::{IDLE, indent, line};
use super::lines::statements_of;
use super::own;
use super::reader::{HabitReader, path};
use super::row::items;
use super::runs::{IDLE_CALLBACKS, IDLE_SETTINGS, KEYS, OF_OPTIMIZER, OF_SETTINGS, SETTINGS};
use super::schedules::{self, RunLength, argument, rate_of, with_argument};
use super::tokens::{ForeignToken, ForeignTokenKind, closer, split, tokens};
use super::{TextChange, braces};
use std::ops::Range;

/// The changes in a `train` item.
pub fn train<'a>(reader: &HabitReader<'a>, chunk: &[ForeignToken<'a>]) -> Vec<TextChange> {
    let Some((_, inner)) = braces(chunk) else { return Vec::new() };
    let is_solver = inner.iter().any(|token| token.is("base_lr") || token.is("lr_policy"));
    let parses = own::parses(reader.text, chunk);
    let mut settings = ForeignSettings { is_solver, parses, ..ForeignSettings::default() };
    let mut places: Vec<Range<usize>> = Vec::new();
    for line in statements_of(inner) {
        let place = line[0].start..line[line.len() - 1].end();
        settings.read(reader, line, places.len());
        places.push(place);
    }
    let depends = settings.combine(reader.text);
    let (Some(first), Some(last)) = (inner.first(), inner.last()) else { return Vec::new() };
    let part = depends.then(|| first.start..last.end());
    settings
        .changes(reader.text, &places)
        .into_iter()
        .map(|it| TextChange { part: part.clone(), ..it })
        .collect()
}

/// ForeignSettings that were read, with the statement that each is from.
#[derive(Default)]
pub struct ForeignSettings {
    /// Key, value and statement.
    pub(super) found: Vec<(String, String, usize)>,
    /// Arguments of the optimizer that stood by themselves.
    pub(super) of_optimizer: Vec<(&'static str, String, usize)>,
    /// A schedule that was made for the optimizer, without what it begins from.
    pub(super) schedule: Option<(String, usize)>,
    /// Schedules that have a name, which another line uses.
    names: Vec<(String, String, usize)>,
    /// Key, value and statement of the rate of a solver of Caffe.
    pub(super) caffe: Vec<(String, String, usize)>,
    /// Whether a metric was named by a string.
    quoted: bool,
    /// Whether any statement was read as a habit.
    pub(super) is_foreign: bool,
    /// Whether the item parses as it is.
    parses: bool,
    /// Whether these are of a solver of Caffe.
    pub(super) is_solver: bool,
    /// The space before the loop that is read.
    pub(super) in_loop: Option<usize>,
    /// Whether the bound of gradients is one of their elements.
    pub(super) clips_values: bool,
}

impl ForeignSettings {
    /// Reads one statement.
    pub fn read<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        statement: &[ForeignToken<'a>],
        at: usize,
    ) {
        if self.of_loop(reader, statement, at) {
            return;
        }
        match statement {
            [first, ..] if IDLE.contains(&first.text) => self.is_foreign = true,
            [_, comma, ..] if comma.is(",") => self.is_foreign = true,
            [word, value @ ..] if word.is("return") => {
                self.is_foreign = true;
                let made = value.first().filter(|it| it.kind == ForeignTokenKind::Word);
                let is_call = made.is_some() && value.last().is_some_and(|last| last.is(")"));
                if is_call {
                    self.setting(reader, "optimizer", value, at);
                }
            }
            [key, sign, value @ ..]
                if key.kind == ForeignTokenKind::Word
                    && (sign.is("=") || sign.is(":"))
                    && !value.is_empty() =>
            {
                self.is_solver |= sign.is(":");
                self.setting(reader, key.text, value, at);
            }
            _ => self.call(reader, statement, at),
        }
    }

    pub(super) fn setting<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        key: &str,
        value: &[ForeignToken<'a>],
        at: usize,
    ) {
        if self.of_data(reader, key, value, at) {
            return;
        }
        if IDLE_SETTINGS.contains(&key) {
            self.is_foreign = true;
            return;
        }
        if key == "callbacks" || key == "plugins" {
            return self.callbacks(reader, value, at);
        }
        if let Some(own) = key_of(value) {
            return self.keyed(reader, own, value, at);
        }
        if self.call_in(reader, value, at) {
            return;
        }
        let is_schedule = schedules::is_schedule(value);
        if key.contains("sched")
            && is_schedule
            && let Some(schedule) = schedules::of_optimizer(reader, value)
        {
            self.schedule = Some((schedule, at));
            return;
        }
        let ours = SETTINGS.iter().find(|(theirs, _)| *theirs == key).map_or(key, |(_, ours)| ours);
        let written = reader.written(value);
        let extra = reader.extra.take().into_iter().map(|(key, value)| (key, value, at));
        if is_schedule {
            self.found.extend(extra);
            self.names.push((key.to_owned(), written, at));
            return;
        }
        let is_own = own::is_setting(key) && !self.is_solver;
        let of_optimizer = OF_OPTIMIZER.iter().find(|(theirs, _)| *theirs == key && !is_own);
        if let Some((_, argument)) = of_optimizer {
            self.of_optimizer.push((argument, written, at));
            return;
        }
        if self.of_caffe(key, &written, at) {
            return;
        }
        let ours = if key == "type" { "optimizer" } else { ours };
        self.valued(reader, (key, ours), (value, written), at);
        self.found.extend(extra);
    }

    /// A setting that is one here too, with its value as it is written here.
    fn valued<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        (key, ours): (&str, &str),
        (value, written): (&[ForeignToken<'a>], String),
        at: usize,
    ) {
        let written = match (ours, written.as_str()) {
            ("drop_last", "true") => {
                return self.found.push(("last_batch".into(), "drop".into(), at));
            }
            ("enable_checkpointing", "false") => {
                return self.found.push(("checkpoint".into(), "off".into(), at));
            }
            ("drop_last", "false") | ("enable_checkpointing", "true") => return,
            _ => written,
        };
        if ours == "class_weights" && ours != key {
            let list = super::values::list(&written).unwrap_or_else(|| format!("⟦list {written}⟧"));
            return self.found.push((ours.to_owned(), list, at));
        }
        let named = matches!(ours, "loss" | "optimizer" | "metrics");
        self.quoted |= ours == "metrics" && written.contains('"');
        let written = if named { items(&written) } else { written };
        let written = match ours {
            // `metrics = accuracy` is written so here.
            "metrics" if !written.starts_with('[') && !is_same(reader, value, &written) => {
                format!("[{written}]")
            }
            _ => written,
        };
        self.found.push((ours.to_owned(), written, at));
    }

    /// Each of a list of callbacks as its setting.
    fn callbacks<'a>(&mut self, reader: &HabitReader<'a>, value: &[ForeignToken<'a>], at: usize) {
        let inner = match value {
            [open, inner @ .., close] if open.is("[") && close.is("]") => inner,
            _ => value,
        };
        for part in split(inner, |token| token.is(",")) {
            let name = path(part, 0).0.last().copied().unwrap_or_default();
            self.is_foreign = true;
            if IDLE_CALLBACKS.contains(&name) {
                continue;
            }
            match key_of(part) {
                Some(key) => self.keyed(reader, key, part, at),
                None => self.call(reader, part, at),
            }
        }
    }

    /// A call that is the value of a setting here: `EarlyStopping(patience=3)`.
    fn keyed<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        key: &str,
        value: &[ForeignToken<'a>],
        at: usize,
    ) {
        let open = value.iter().position(|token| token.is("(")).unwrap_or(0);
        let mut inner = &value[open + 1..value.len() - 1];
        // PyTorch's schedulers are given the optimizer.
        let mut names = path(value, 0).0;
        if inner.first().is_some_and(|first| schedules::is_optimizer(first.text)) {
            inner = inner.get(2..).unwrap_or_default();
            names.insert(0, "lr_scheduler");
        }
        let written = match reader.known(&names, inner) {
            Some(made) => made.text(""),
            None => reader.written(value),
        };
        self.is_foreign = true;
        self.found.push((key.to_owned(), written, at));
    }

    fn call<'a>(&mut self, reader: &HabitReader<'a>, statement: &[ForeignToken<'a>], at: usize) {
        if let Some(key) = key_of(statement) {
            return self.keyed(reader, key, statement, at);
        }
        if !self.call_in(reader, statement, at) {
            let text = reader.written(statement);
            self.found.push((String::new(), text, at));
        }
    }

    /// Reads a call that is settings; `false` where it is none.
    pub(super) fn call_in<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        value: &[ForeignToken<'a>],
        at: usize,
    ) -> bool {
        if value.first().is_none_or(|first| first.kind != ForeignTokenKind::Word) {
            return false;
        }
        let (path, next) = path(value, 0);
        let close = value.get(next).filter(|open| open.is("(")).and_then(|_| closer(value, next));
        let Some(close) = close.filter(|close| close + 1 == value.len()) else { return false };
        let inner = &value[next + 1..close];
        let name = path.last().copied().unwrap_or_default();
        if let Some((_, positions)) = OF_SETTINGS.iter().find(|(own, _)| *own == name) {
            self.is_foreign = true;
            self.arguments(reader, inner, positions, at);
            return true;
        }
        let made = reader.known(&path, inner);
        let settings = made.map(|made| made.settings).unwrap_or_default();
        self.is_foreign |= !settings.is_empty();
        let is_any = !settings.is_empty();
        for (key, value) in settings {
            // A seed is given to several generators.
            let is_known = self.found.iter().any(|(own, is, _)| *own == key && *is == value);
            self.found.extend((!is_known).then_some((key, value, at)));
        }
        is_any
    }

    /// The arguments of a call as settings, those without a name by their places.
    fn arguments<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        inner: &[ForeignToken<'a>],
        positions: &str,
        at: usize,
    ) {
        let mut positions = positions.split(' ');
        for part in split(inner, |token| token.is(",")) {
            match part {
                [key, sign, value @ ..]
                    if key.kind == ForeignTokenKind::Word && (sign.is("=") || sign.is(":")) =>
                {
                    self.setting(reader, key.text, value, at);
                }
                _ => match positions.next() {
                    Some(key) if !key.is_empty() => self.setting(reader, key, part, at),
                    _ => self.call(reader, part, at),
                },
            }
        }
    }

    /// Gives the optimizer what stood by itself; whether there was any.
    pub fn combine(&mut self, text: &str) -> bool {
        let any = self.schedule.is_some()
            || !self.of_optimizer.is_empty()
            || !self.names.is_empty()
            || !self.caffe.is_empty();
        self.put_names();
        if any && !self.found.iter().any(|(key, _, _)| key == "optimizer") {
            // The optimizer that a run has where none is given.
            let at = self.of_optimizer.first().map(|(_, _, at)| *at);
            let has_momentum = self.of_optimizer.iter().any(|(name, _, _)| *name == "momentum");
            let own = if self.is_solver || has_momentum { "sgd" } else { "adam" };
            if let Some(at) = at {
                self.found.push(("optimizer".into(), own.into(), at));
            }
        }
        self.of_solver();
        self.iterations(RunLength::of(text, &self.found).steps);
        let length = RunLength::of(text, &self.found);
        let optimizer = self.found.iter().position(|(key, _, _)| key == "optimizer");
        if let Some(index) = optimizer {
            let mut made = self.found[index].1.clone();
            for (name, value, at) in std::mem::take(&mut self.of_optimizer) {
                let callee = made.split('(').next().unwrap_or_default();
                match (name, callee) {
                    ("momentum", "adam" | "adamw" | "nadam") => {
                        made = with_argument(&made, "beta1", &value);
                    }
                    ("weight_decay", "adam" | "rmsprop" | "adagrad" | "adadelta" | "nadam") => {
                        let half = super::amounts::half(&value).unwrap_or(value);
                        self.found.push(("l2".into(), half, at));
                    }
                    _ => made = with_argument(&made, name, &value),
                }
            }
            if let Some((schedule, at)) = self.schedule.take() {
                let rate = argument(&made, "lr").unwrap_or_else(|| rate_of(&made).to_owned());
                let schedule = length.settled(&schedule.replacen('@', &rate, 1));
                match schedule.contains('⟦') {
                    // It cannot be said here: it stays, so that it is reported.
                    true => self.found.push(("scheduler".into(), "⟦as it was⟧".into(), at)),
                    false => made = with_argument(&made, "lr", &schedule),
                }
            }
            made = length.settled(&made);
            let rate = argument(&made, "lr").unwrap_or_else(|| rate_of(&made).to_owned());
            self.found[index].1 = made;
            let floors = self.found.iter_mut().filter(|(key, _, _)| key == "reduce_on_plateau");
            floors.for_each(|(_, text, _)| *text = schedules::floor(text, &rate));
        }
        if self.clips_values {
            let norms = self.found.iter_mut().filter(|(key, _, _)| key == "clip_norm");
            norms.for_each(|(key, _, _)| *key = "clip_value".to_owned());
        }
        self.metrics();
        any
    }

    /// A rate that has a name, where that is used.
    fn put_names(&mut self) {
        for (name, value, at) in std::mem::take(&mut self.names) {
            let mut used = false;
            for (_, text, _) in &mut self.found {
                let places: Vec<Range<usize>> = tokens(text)
                    .iter()
                    .filter(|token| token.is(&name))
                    .map(|token| token.start..token.end())
                    .collect();
                used |= !places.is_empty();
                let made = places.into_iter().map(|place| (place, value.as_str()));
                *text = crate::base::fix::replaced(text, made);
            }
            if !used {
                self.found.push((name, value, at));
            }
        }
    }

    /// `accuracy` of yes and no has a name of its own here.
    fn metrics(&mut self) {
        let is_binary = self
            .found
            .iter()
            .any(|(key, value, _)| key == "loss" && value == "binary_cross_entropy");
        let is_new = self.is_foreign || self.quoted;
        for (_, value, _) in self.found.iter_mut().filter(|(key, _, _)| key == "metrics") {
            if is_binary && is_new {
                *value = value
                    .replace("[accuracy", "[label_accuracy")
                    .replace(" accuracy", " label_accuracy");
            }
        }
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
            if own.iter().any(|line| line.contains('⟦')) {
                continue;
            }
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
        let words = |text: &str| text.split_whitespace().collect::<String>();
        let (was, is) = (words(&text[place.clone()]), words(&written));
        match was == is && !comma && (begins || self.parses) {
            true => TextChange::new(place.clone(), &text[place.clone()]),
            false => TextChange::new(start..end, written),
        }
    }
}

/// Whether a value is written as it stands in the text.
fn is_same(reader: &HabitReader<'_>, value: &[ForeignToken<'_>], written: &str) -> bool {
    let [first, .., last] = value else { return value.iter().all(|it| it.text == written) };
    &reader.text[first.start..last.end()] == written
}

/// The setting that a call is the value of.
fn key_of(value: &[ForeignToken<'_>]) -> Option<&'static str> {
    let first = value.first().filter(|first| first.kind == ForeignTokenKind::Word)?;
    let (path, next) = path(value, 0);
    let is_call = value.get(next).is_some_and(|open| open.is("(")) && value.last()?.is(")");
    let name = path.last().copied().unwrap_or(first.text);
    KEYS.iter().find(|(own, _)| is_call && *own == name).map(|(_, key)| *key)
}
