//! Schedules of other frameworks, which count epochs or know how long the run is.
//!
//! ```text
//! scheduler = StepLR(optimizer, step_size=5)      lr: step_decay(0.1, every: 5 * 1688)     1688 steps an epoch
//! CosineAnnealingLR(optimizer, T_max=20)          lr: cosine(0.1)                          of 20 epochs
//! ```
//!
//! Schedules here count steps and end with the run. How many steps an epoch has is known of the images that are built in.
//! A schedule that cannot be said here keeps its mark, `⟦…⟧`, so that its statement stays as its author wrote it.

use super::bound::GivenArgument;
use super::reader::{HabitReader, path};
use super::row::{self, EPOCH};
use super::tokens::{ForeignToken, closer, split, tokens};

/// How long a run is, as far as the text says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunLength {
    epochs: Option<u64>,
    /// Steps of an epoch.
    pub steps: Option<u64>,
}

impl RunLength {
    /// The length of a run on the data of a text, with these settings.
    pub fn of(text: &str, settings: &[(String, String, usize)]) -> RunLength {
        let number = |key: &str| {
            let found = settings.iter().find(|(own, _, _)| own == key);
            found.map(|(_, value, _)| value.trim().parse::<u64>().ok())
        };
        let batch = number("batch").unwrap_or(Some(32)).filter(|batch| *batch > 0);
        let samples = samples(text);
        let is_kept =
            !settings.iter().any(|(key, _, _)| key == "last_batch" || key == "accumulate");
        let steps = samples.zip(batch).map(|(samples, batch)| samples.div_ceil(batch));
        RunLength { epochs: number("epochs").unwrap_or(Some(1)), steps: steps.filter(|_| is_kept) }
    }

    /// A schedule without the marks that hold.
    pub fn settled(self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(steps) = self.steps {
            text = text.replace(EPOCH, &steps.to_string());
        }
        let mut from = 0;
        while let Some(start) = text[from..].find("length: ⟦").map(|at| from + at) {
            let inner = start + "length: ⟦".len();
            let Some(end) = text[inner..].find('⟧').map(|at| inner + at) else { return text };
            let (kind, value) = text[inner..end].split_once(' ').unwrap_or_default();
            let is = match kind {
                "epochs" => self.epochs,
                "per" => self.steps,
                _ => self.epochs.zip(self.steps).map(|(epochs, steps)| epochs * steps),
            };
            let wanted = value.replace('_', "").parse::<u64>().ok();
            // A name, or `len(loader)`, is taken for what it says.
            let is_name = value.starts_with(|c: char| c.is_alphabetic() || c == '_');
            if wanted.is_some() && wanted == is || is_name {
                let end = end + '⟧'.len_utf8();
                let start = text[..start].rfind(',').unwrap_or(start);
                text.replace_range(start..end, "");
                from = start;
            } else {
                from = end;
            }
        }
        text
    }
}

/// How many samples the last data of a text train on, of the images that are built in.
fn samples(text: &str) -> Option<u64> {
    let all = tokens(text);
    let found = all.windows(3).rposition(|three| {
        three[0].is("=") && matches!(three[1].text, "mnist" | "digits") && three[2].is("(")
    })?;
    let close = closer(&all, found + 2)?;
    let inner = &all[found + 3..close];
    let named = |name: &str| {
        let at = inner
            .windows(2)
            .position(|two| two[0].is(name) && (two[1].is(":") || two[1].is("=")))?;
        inner.get(at + 2)?.text.parse::<f64>().ok()
    };
    let count = named("train").filter(|_| all[found + 1].is("digits")).unwrap_or(60_000.0);
    let kept = 1.0 - named("validation").unwrap_or(0.0);
    Some((count * kept).round() as u64)
}

/// Whether a value is a call of a schedule, of any framework.
pub fn is_schedule(value: &[ForeignToken<'_>]) -> bool {
    const SCHEDULES: [&str; 5] = ["Decay", "LR", "Restarts", "Schedule", "WarmUp"];
    let Some(first) = value.first().filter(|first| first.text.starts_with(char::is_alphabetic))
    else {
        return false;
    };
    let (path, next) = path(value, 0);
    let name = path.last().copied().unwrap_or(first.text);
    value.get(next).is_some_and(|open| open.is("("))
        && (SCHEDULES.iter().any(|end| name.ends_with(end)) || name.contains("_schedule_with_"))
}

/// Whether a word is what an optimizer is mostly called.
pub fn is_optimizer(word: &str) -> bool {
    matches!(word, "optimizer" | "opt" | "optim" | "optimiser" | "self.optimizer")
}

/// A schedule with `@` where the optimizer's rate goes: `CosineAnnealingLR(optimizer, T_max=10)`.
pub fn of_optimizer<'a>(reader: &HabitReader<'a>, value: &[ForeignToken<'a>]) -> Option<String> {
    let (path, next) = path(value, 0);
    let inner = value.get(next + 1..value.len() - 1)?;
    let mut args = reader.arguments(inner);
    let first = args.first_mut().filter(|first| is_optimizer(&first.value))?;
    first.value = "@".to_owned();
    if path.last() == Some(&"StepLR") {
        // Counted in epochs.
        let is_every = |arg: &GivenArgument| arg.name.as_deref() == Some("step_size");
        let every = args.iter().position(is_every).unwrap_or(1);
        let every = args.get_mut(every)?;
        every.value = format!("{} * {EPOCH}", every.value);
    }
    let made = row::rows(&path).find_map(|row| row::applied(row, &args))?;
    Some(made.text(""))
}

/// The least rate of a callback as the part of the optimizer's rate that it is here.
pub fn floor(text: &str, rate: &str) -> String {
    let Some(start) = text.find("⟦floor ") else { return text.to_owned() };
    let inner = start + "⟦floor ".len();
    let Some(end) = text[inner..].find('⟧').map(|at| inner + at) else { return text.to_owned() };
    let least = text[inner..end].parse::<f64>().ok();
    let Some((least, rate)) = least.zip(rate.parse::<f64>().ok()) else { return text.to_owned() };
    let part = row::number(least / rate);
    format!("{}{part}{}", &text[..start], &text[end + '⟧'.len_utf8()..])
}

/// The rate of an optimizer that says none.
pub fn rate_of(optimizer: &str) -> &'static str {
    match optimizer.split('(').next().unwrap_or_default() {
        "rmsprop" | "adagrad" => "1e-2",
        "adadelta" => "1.0",
        "nadam" => "2e-3",
        "lion" => "1e-4",
        _ => "1e-3",
    }
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

/// The value of a call's argument.
pub fn argument(text: &str, name: &str) -> Option<String> {
    place(text, name).map(|(_, start, end)| text[start..end].to_owned())
}

/// A call with an argument more, or with another value.
pub fn with_argument(text: &str, name: &str, value: &str) -> String {
    if let Some((_, start, end)) = place(text, name) {
        return format!("{}{value}{}", &text[..start], &text[end..]);
    }
    match text.strip_suffix(')') {
        Some(open) if open.ends_with('(') => format!("{open}{name}: {value})"),
        Some(open) => format!("{open}, {name}: {value})"),
        None => format!("{text}({name}: {value})"),
    }
}
