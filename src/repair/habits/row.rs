//! A row of the table applied to the arguments of a call.
//!
//! ```text
//! Conv2D(32, kernel_size=3, activation='relu')
//!     filters = 32, size = 3, activation = "relu"       arguments to parameters
//!     conv(32, 3) |> relu                               the text of the row with them
//! ```

use super::amounts::{amount, border, half, penalty};
use super::bound::{BoundArguments, GivenArgument, OPEN, listed, size};
use super::names::{DEFAULTS, DROPPED};
use super::own;
use super::pipeline::{WrittenStage, WrittenStages};
use super::table::{TableRow, all_rows};
use super::tokens::tokens;
use crate::base::field::plain;
use std::collections::HashMap;

/// The rows for a name behind those namespaces, those first that are meant for them alone.
pub fn rows<'p>(path: &'p [&'p str]) -> impl Iterator<Item = &'static TableRow> + 'p {
    let (name, spaces) = path.split_last().unwrap_or((&"", &[]));
    let spaced = move |theirs: &str| {
        theirs.split(' ').any(|theirs| {
            let own = theirs.rsplit_once('.');
            own.is_some_and(|(space, own)| own == *name && spaces.contains(&space))
        })
    };
    let exact = move |theirs: &str| theirs.split(' ').any(|theirs| theirs == *name);
    let word = plain(name);
    // `sparse_categorical_crossentropy` is `SparseCategoricalCrossentropy`.
    let alike = move |theirs: &str| theirs.split(' ').any(|theirs| plain(theirs) == word);
    let known = all_rows().any(|row| exact(row.theirs));
    let first = all_rows().filter(move |row| spaced(row.theirs));
    let second = all_rows().filter(move |row| !spaced(row.theirs) && exact(row.theirs));
    let third = all_rows().filter(move |row| !known && !spaced(row.theirs) && alike(row.theirs));
    first.chain(second).chain(third)
}

/// The item here that a word names: `swish` and `silu`.
pub fn named(word: &str) -> Option<String> {
    let stages = rows(&[word]).find_map(|row| applied(row, &[]))?.stages;
    stages.into_iter().next().map(|stage| stage.callee)
}

/// Whether a word is a layer here that takes one value.
pub fn is_layer(name: &str) -> bool {
    let layers = super::table::all_layers().flat_map(|row| row.ours.split(" |> "));
    let mut callees = layers.filter_map(|text| text.split(['(', ' ']).next());
    callees.any(|callee| callee == name)
        && !matches!(name, "concat" | "then" | "mean" | "sum" | "max")
}

/// Whether anything in the arguments is not as it is written here.
pub fn is_foreign(row: &TableRow, name: &str, args: &[GivenArgument]) -> bool {
    let callee = row.ours.split(['(', ' ']).next();
    let known: Vec<&str> = row.takes.split(' ').filter_map(|it| own_names(it).next()).collect();
    let other = |arg: &GivenArgument| {
        let name = arg.name.as_deref();
        let is_theirs = |name: &str| matches!(name, "activation" | "learning_rate");
        arg.equals || name.is_some_and(|name| !known.contains(&name) || is_theirs(name))
    };
    callee != Some(name) || row.takes.contains('#') || args.iter().any(other)
}

/// Whether a row is about this very name.
pub fn is_known(name: &str) -> bool {
    all_rows().any(|row| row.theirs.split(' ').any(|theirs| theirs == name))
}

/// A call of an item here whose arguments have its own names, with another sign behind them.
pub fn as_named(name: &str, args: &[GivenArgument]) -> WrittenStages {
    let args = args.iter().map(|arg| (arg.name.clone(), arg.value.clone())).collect();
    let stage = WrittenStage { callee: name.to_owned(), args, ..WrittenStage::default() };
    WrittenStages { stages: vec![stage], ..WrittenStages::default() }
}

/// The stage of a word that differs from an item here in its case alone, with arguments in the form of that item.
pub fn recased(name: &str, args: &[GivenArgument]) -> Option<WrittenStages> {
    let is_named = !args.is_empty() && args.iter().all(|arg| arg.name.is_some());
    let item = own::alike(name).filter(|item| is_named && own::is_call(item, args))?;
    Some(as_named(item, args))
}

/// The stages that a row makes of arguments; `None` where they are not its.
pub fn applied(row: &TableRow, args: &[GivenArgument]) -> Option<WrittenStages> {
    let bound = bound(row, args)?;
    let mut made = WrittenStages::default();
    let (stages, settings) = parts(row.ours);
    made.settings = self::settings(settings, args, &bound);
    let is_setting = stages.is_empty() && !made.settings.is_empty();
    if is_setting {
        // An argument that is none of the row's is a setting of its own.
        let others = bound.others.into_iter();
        made.settings.extend(others.filter_map(|(name, value)| Some((name?, value))));
        return Some(made);
    }
    if let Some(text) = stages.strip_prefix("stack(").and_then(|it| it.strip_suffix(')')) {
        made.stages = stacked(&bound, text)?;
        made.stages[0].args.extend(bound.others);
        return Some(made);
    }
    for text in stages.split(" |> ").filter(|text| !text.is_empty()) {
        let (text, label) = match text.split_once(" as ") {
            Some((text, label)) => (text, bound.values.get(label)),
            None => (text, None),
        };
        match text.strip_prefix("then(") {
            Some(inner) => made.stages.extend(activation(&bound, inner.trim_end_matches(')'))),
            None => made.stages.push(stage(&bound, text)?),
        }
        if let (Some(label), Some(stage)) = (label, made.stages.first_mut()) {
            stage.label = Some(identifier(label));
        }
    }
    if let Some(stage) = made.stages.first_mut() {
        stage.args.extend(bound.others);
    }
    Some(made)
}

/// A layer as often as `num_layers` says, with the dropout that PyTorch has between two.
fn stacked(bound: &BoundArguments<'_>, text: &str) -> Option<Vec<WrittenStage>> {
    const MOST: usize = 8;
    let count = bound.values.get("num_layers").map_or(Some(1), |it| it.parse::<usize>().ok())?;
    let rate = bound.values.get("dropout").filter(|rate| rate.parse() != Ok(0.0));
    let mut made = vec![stage(bound, text)?];
    for _ in 1..(1..=MOST).contains(&count).then_some(count)? {
        let callee = "dropout".to_owned();
        let args = rate.map(|rate| vec![(None, rate.clone())]);
        made.extend(args.map(|args| WrittenStage { callee, args, ..WrittenStage::default() }));
        made.push(stage(bound, text)?);
    }
    Some(made)
}

/// The stages of a row's text, and the settings that stand behind them.
fn parts(ours: &'static str) -> (&'static str, &'static str) {
    match ours.split_once("; ") {
        _ if ours.split("; ").next().is_some_and(|first| first.contains(" = ")) => ("", ours),
        Some((stages, settings)) => (stages, settings),
        None => (ours, ""),
    }
}

fn bound<'r>(row: &'r TableRow, args: &[GivenArgument]) -> Option<BoundArguments<'r>> {
    let takes: Vec<&str> = row.takes.split(' ').filter(|it| !it.is_empty()).collect();
    let mut bound = BoundArguments { values: HashMap::new(), others: Vec::new() };
    let mut positions = takes.iter().filter(|it| !it.starts_with('*'));
    for arg in args {
        let given = match &arg.name {
            None => Some(positions.next()?),
            Some(name) => takes.iter().find(|takes| own_names(takes).any(|it| is_same(it, name))),
        };
        match (given, &arg.name) {
            (Some(takes), _) => {
                let is_other = takes.contains('#') && !is_whole(&arg.value);
                if is_other || takes.contains('^') && listed(&arg.value).len() > 1 {
                    return None;
                }
                bound.values.insert(own_names(takes).next()?, arg.value.clone());
            }
            (None, Some(name)) if says_nothing(name, &arg.value) => {}
            (None, name) => bound.others.push((name.clone(), arg.value.clone())),
        }
    }
    let given = |takes: &str| bound.values.get(own_names(takes).next()?).and_then(|it| size(it));
    let is_one = |value: String, wanted: &str| wanted.split('|').any(|it| is_value(&value, it));
    let holds = |takes: &&str| match (takes.split_once('='), takes.split_once('~')) {
        (Some((_, wanted)), _) => given(takes).is_some_and(|value| is_one(value, wanted)),
        (_, Some((_, wanted))) => given(takes).is_none_or(|value| is_one(value, wanted)),
        _ => !takes.ends_with('!') || given(takes).is_some_and(|value| value != "none"),
    };
    takes.iter().all(holds).then_some(bound)
}

/// Whether an argument may be left out: it means nothing here, or has the value that is meant anyway.
pub fn says_nothing(name: &str, value: &str) -> bool {
    let usual = || DEFAULTS.iter().filter(|(own, _)| *own == name);
    DROPPED.contains(&name)
        || value == "none"
        || usual().any(|(_, values)| values.split('|').any(|it| is_value(value, it)))
}

/// Whether a value is that one, as a word, a string or a number.
fn is_value(value: &str, wanted: &str) -> bool {
    let value = &value.trim_matches('"').replace(' ', "");
    let number = |text: &str| text.parse::<f64>().ok();
    value.eq_ignore_ascii_case(wanted) || number(value).is_some_and(|it| number(wanted) == Some(it))
}

fn own_names(takes: &str) -> impl Iterator<Item = &str> {
    let takes = takes.trim_start_matches('*').split(['=', '~']).next().unwrap_or("");
    takes.split('/').map(|name| name.trim_end_matches(['#', '^', '!']))
}

fn is_same(a: &str, b: &str) -> bool {
    a == b || plain(a) == plain(b)
}

/// `784`, `28 * 28`.
fn is_whole(value: &str) -> bool {
    let number = |part: &str| part.trim().parse::<i64>().is_ok();
    value.split('*').all(number)
}

/// A stage of a row's text with its arguments; `None` where one is missing.
fn stage(bound: &BoundArguments<'_>, text: &str) -> Option<WrittenStage> {
    let (callee, inner) = match text.split_once('(') {
        Some((_, ")")) => (text, ""),
        Some((callee, inner)) => (callee, inner.strip_suffix(')')?),
        None => (text, ""),
    };
    let mut stage = WrittenStage { callee: callee.to_owned(), ..WrittenStage::default() };
    for part in inner.split(", ").filter(|part| !part.is_empty()) {
        let (part, otherwise) = match part.split_once(" ?? ") {
            Some((part, otherwise)) => (part, Some(otherwise.to_owned())),
            None => (part, None),
        };
        match part.split_once(": ") {
            Some((name, term)) => {
                let value = value(bound, term).or(otherwise);
                stage.args.extend(value.map(|value| (Some(name.to_owned()), value)));
            }
            None => stage.args.push((None, value(bound, part).or(otherwise)?)),
        }
    }
    Some(stage)
}

/// The value of a term of a row's text: a parameter, or a conversion of one; numbers are themselves.
fn value(bound: &BoundArguments<'_>, term: &str) -> Option<String> {
    if let Some(word) = term.strip_prefix('\'') {
        return Some(word.trim_end_matches('\'').replace(',', ", "));
    }
    let is_mark = term.starts_with('⟦');
    if is_mark || term.parse::<f64>().is_ok() || matches!(term, "true" | "false" | "val_loss") {
        return Some(term.to_owned());
    }
    let (conversion, name) = match term.split_once('(') {
        Some((conversion, name)) => (conversion, name.trim_end_matches(')')),
        None => ("", term),
    };
    let given = bound.values.get(name).filter(|value| *value != "none")?;
    match conversion {
        "size" => size(given),
        "pad" => match given.trim_matches('"') {
            "same" | "SAME" => Some("same".into()),
            "valid" | "VALID" => None,
            _ => size(given),
        },
        "item" | "items" => Some(items(given)),
        "name" => Some(identifier(given)),
        "rest" => {
            let share = given.parse::<f64>().ok();
            let rest = share.map(|share| ((1.0 - share) * 1e9).round() / 1e9);
            Some(rest.map_or(OPEN.to_owned(), |it| it.to_string()))
        }
        "half" => Some(half(given).unwrap_or(OPEN.to_owned())).filter(|it| it != "0"),
        "degrees" | "part" | "crop" => amount(bound, conversion, given),
        "list" => Some(super::values::list(given).unwrap_or(OPEN.to_owned())),
        "ema" => (given == "true")
            .then(|| bound.values.get("ema").cloned().unwrap_or_else(|| "0.99".to_owned())),
        "both" => Some(format!("[{given}, {}]", bound.values.get("width")?)),
        "monitor" => Some(monitor(given)),
        "epochs" | "steps" | "per" => Some(format!("⟦{conversion} {given}⟧")),
        "penalty" => Some(penalty(given).unwrap_or(OPEN.to_owned())),
        "lstm" | "gru" | "rnn" => Some(format!("{conversion}({given})")),
        "pair" => Some(if listed(given).is_empty() {
            format!("[{given}, {given}]")
        } else {
            given.clone()
        }),
        "one" => Some(match &listed(given)[..] {
            [only] => only.clone(),
            _ => given.clone(),
        }),
        "but_true" => Some(given.clone()).filter(|it| it != "true"),
        "dim" => Some(format!("⟦dim {given}⟧")),
        "each" => Some(format!("⟦each {given}⟧")),
        "border" => Some(border(given)),
        "floor" => Some(format!("⟦floor {given}⟧")),
        "first" => Some(listed(given).first().cloned().unwrap_or(OPEN.to_owned())),
        "second" => Some(listed(given).get(1).cloned().unwrap_or(OPEN.to_owned())),
        "shape" => Some(shape(given)),
        _ => Some(given.clone()),
    }
}

/// The shape of a batch of values with these extents.
fn shape(given: &str) -> String {
    let extents = listed(given);
    match extents.is_empty() {
        true => format!("[N, {given}]"),
        false => format!("[N, {}]", extents.join(", ")),
    }
}

/// Stands for the number of steps of an epoch.
pub const EPOCH: &str = "⟦epoch⟧";

/// A number as short as it can be written.
pub fn number(value: f64) -> String {
    let short = format!("{value:e}");
    let plain = ((value * 1e12).round() / 1e12).to_string();
    if plain.len() > short.len() + 3 || plain == "0" { short } else { plain }
}

/// A watched value by its name here: `val_acc`, `valid_loss`.
fn monitor(given: &str) -> String {
    let name = identifier(given).to_lowercase();
    let split = ["validation_", "valid_", "val_", "train_"];
    let found = split.iter().find_map(|split| Some((*split, name.strip_prefix(split)?)));
    let (split, own) = found.unwrap_or(("", &name));
    let own = match own {
        "acc" | "sparse_categorical_accuracy" | "categorical_accuracy" => "accuracy",
        "bin_acc" | "binary_accuracy" => "label_accuracy",
        own => own,
    };
    let split = if split.starts_with("val") { "val_" } else { split };
    format!("{split}{own}")
}

/// The settings of a row's text, in the order of the arguments.
fn settings(
    text: &'static str,
    args: &[GivenArgument],
    bound: &BoundArguments<'_>,
) -> Vec<(String, String)> {
    let position = |parameter: &str| {
        let named =
            |arg: &GivenArgument| arg.name.as_deref().is_some_and(|it| is_same(it, parameter));
        args.iter().position(named).unwrap_or(0)
    };
    let mut found: Vec<(usize, String, String)> = Vec::new();
    for setting in text.split("; ") {
        let Some((key, term)) = setting.split_once(" = ") else { continue };
        let parameter = term.split_once('(').map_or(term, |(_, name)| name.trim_end_matches(')'));
        if let Some(value) = value(bound, term) {
            found.push((position(parameter), key.to_owned(), value));
        }
    }
    found.sort_by_key(|(position, _, _)| *position);
    found.into_iter().map(|(_, key, value)| (key, value)).collect()
}

/// The stage that an argument names: `"relu"`, `relu`, `leaky_relu(0.2)`.
fn activation(bound: &BoundArguments<'_>, parameter: &str) -> Option<WrittenStage> {
    let given = bound.values.get(parameter)?;
    let word = given.trim_matches('"');
    if matches!(word, "linear" | "none" | "") {
        return None;
    }
    let callee = if given.starts_with('"') { items(given) } else { given.clone() };
    Some(WrittenStage { callee, ..WrittenStage::default() })
}

/// A text with each string in it as the item that it names.
pub fn items(text: &str) -> String {
    let replaced = tokens(text).into_iter().filter_map(|token| {
        let word = token.content()?;
        Some((token.start..token.end(), named(word).unwrap_or_else(|| identifier(word))))
    });
    let replaced: Vec<_> = replaced.collect();
    crate::base::fix::replaced(text, replaced.iter().map(|(at, word)| (at.clone(), word.as_str())))
}

/// A string or name as a name.
pub fn identifier(text: &str) -> String {
    let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let text = text.trim_matches('"');
    let name: String = text.chars().map(|c| if word(c) { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}
