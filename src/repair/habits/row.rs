//! A row of the table applied to the arguments of a call.
//!
//! ```text
//! Conv2D(32, kernel_size=3, activation='relu')
//!     filters = 32, size = 3, activation = "relu"       arguments to parameters
//!     conv(32, 3) |> relu                               the text of the row with them
//! ```

use super::pipeline::{WrittenStage, WrittenStages};
use super::table::{DROPPED, TABLE, TableRow};
use super::tokens::tokens;
use crate::base::field::plain;
use std::collections::HashMap;

/// An argument of a call, its value written as here.
#[derive(Clone, Debug)]
pub struct GivenArgument {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Whether `=` stands behind the name.
    pub equals: bool,
    /// Its value.
    pub value: String,
}

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
    let known = TABLE.iter().any(|row| exact(row.theirs));
    let first = TABLE.iter().filter(move |row| spaced(row.theirs));
    let second = TABLE.iter().filter(move |row| !spaced(row.theirs) && exact(row.theirs));
    let third = TABLE.iter().filter(move |row| !known && !spaced(row.theirs) && alike(row.theirs));
    first.chain(second).chain(third)
}

/// The item here that a word names: `swish` and `silu`.
pub fn named(word: &str) -> Option<String> {
    let stages = rows(&[word]).find_map(|row| applied(row, &[]))?.stages;
    stages.into_iter().next().map(|stage| stage.callee)
}

/// Whether anything in the arguments is not as it is written here.
pub fn is_foreign(row: &TableRow, name: &str, args: &[GivenArgument]) -> bool {
    let callee = row.ours.split(['(', ' ']).next();
    let known: Vec<&str> = row.takes.split(' ').filter_map(|it| it.split('/').next()).collect();
    let other = |arg: &GivenArgument| {
        let name = arg.name.as_deref();
        arg.equals || name.is_some_and(|name| !known.contains(&name) || name == "activation")
    };
    callee != Some(name) || row.takes.contains('#') || args.iter().any(other)
}

/// The stages that a row makes of arguments; `None` where they are not its.
pub fn applied(row: &TableRow, args: &[GivenArgument]) -> Option<WrittenStages> {
    let bound = bound(row, args)?;
    let mut made = WrittenStages::default();
    if row.ours.contains(" = ") {
        made.settings = settings(row, args, &bound);
        return Some(made);
    }
    for text in row.ours.split(" |> ").filter(|text| !text.is_empty()) {
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

/// Arguments by the parameters of a row.
struct BoundArguments<'r> {
    values: HashMap<&'r str, String>,
    /// Those that the row does not know, which may be known here.
    others: Vec<(Option<String>, String)>,
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
                if takes.contains('#') && !is_whole(&arg.value) {
                    return None;
                }
                bound.values.insert(own_names(takes).next()?, arg.value.clone());
            }
            (None, Some(name)) if DROPPED.contains(&name.as_str()) => {}
            (None, name) => bound.others.push((name.clone(), arg.value.clone())),
        }
    }
    let holds = |takes: &&str| match takes.split_once('=') {
        Some((name, wanted)) => {
            bound.values.get(name).and_then(|it| size(it)).as_deref() == Some(wanted)
        }
        None => true,
    };
    takes.iter().all(holds).then_some(bound)
}

fn own_names(takes: &str) -> impl Iterator<Item = &str> {
    let takes = takes.trim_start_matches('*').split('=').next().unwrap_or("");
    takes.split('/').map(|name| name.trim_end_matches('#'))
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
    if term.parse::<i64>().is_ok() {
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
        "rest" => given
            .parse::<f64>()
            .ok()
            .map(|share| ((1.0 - share) * 1e9).round() / 1e9)
            .map(|it| it.to_string()),
        "first" => listed(given).first().cloned(),
        "second" => listed(given).get(1).cloned(),
        "shape" => {
            let extents = listed(given);
            let inner = if extents.is_empty() { given.clone() } else { extents.join(", ") };
            Some(format!("[N, {inner}]"))
        }
        _ => Some(given.clone()),
    }
}

/// The settings of a row, in the order of the arguments.
fn settings(
    row: &TableRow,
    args: &[GivenArgument],
    bound: &BoundArguments<'_>,
) -> Vec<(String, String)> {
    let position = |parameter: &str| {
        let named =
            |arg: &GivenArgument| arg.name.as_deref().is_some_and(|it| is_same(it, parameter));
        args.iter().position(named).unwrap_or(0)
    };
    let mut found: Vec<(usize, String, String)> = Vec::new();
    for setting in row.ours.split("; ") {
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

/// `[3, 3]` as `3`.
fn size(text: &str) -> Option<String> {
    let extents = listed(text);
    let all_one = extents.first().is_some_and(|first| extents.iter().all(|it| it == first));
    Some(if all_one { extents[0].clone() } else { text.to_owned() })
}

/// The entries of a list.
pub fn listed(text: &str) -> Vec<String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let parts = inner.into_iter().flat_map(|inner| inner.split(','));
    parts.map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// A string or name as a name.
pub fn identifier(text: &str) -> String {
    let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let text = text.trim_matches('"');
    let name: String = text.chars().map(|c| if word(c) { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}
