//! Parts that stand in another item here than elsewhere move there, once all statements are written as here.
//!
//! ```text
//! dense(8, kernel_regularizer=l2(1e-4))      l2 = decay(1e-4, only: ["dense.weight"])     in `train`
//! train … { validation_split = 0.1 }         data … = mnist(validation: 0.1)
//! image |> RandomFlip()                      data … |> random_flip
//! model net(image) {                         model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
//! ```
//!
//! In and out: a text. Where the item that something belongs in is not there, the text stays as it is.

use super::tokens::{ForeignToken, ForeignTokenKind, closer, split, tokens};
use std::ops::Range;

/// Layers of Keras that change the data, as they are written here; one of them may begin a model.
const OF_DATA: [&str; 6] =
    ["random_flip", "random_rotate", "random_zoom", "random_crop", "color_jitter", "normalize"];

/// The text with everything where it belongs.
pub fn moved(text: &str) -> String {
    let mut text = text.to_owned();
    for kind in ["l1", "l2"] {
        text = penalties(&text, kind).unwrap_or(text);
    }
    for step in [sized, validation, transforms, heads] {
        if let Some(made) = step(&text) {
            text = made;
        }
    }
    text
}

/// The place of the first item of a kind with a name, from its word to before the next item.
fn item(text: &str, word: &str) -> Option<Range<usize>> {
    let all = tokens(text);
    let begins = |at: usize| all[at].start == 0 || text[..all[at].start].ends_with('\n');
    let is_named = |at: usize| all.get(at + 1).is_some_and(|it| it.kind == ForeignTokenKind::Word);
    let start = (0..all.len()).find(|at| begins(*at) && all[*at].is(word) && is_named(*at))?;
    let next =
        (start + 1..all.len()).find(|at| begins(*at) && !all[*at].closes() && all[*at].first);
    let last = next.map_or(all.len(), |next| next) - 1;
    Some(all[start].start..all[last].end())
}

/// The last bracket of a text.
fn closing(text: &str) -> Option<usize> {
    text.rfind('}')
}

/// `images("x", size: ⟦size⟧) |> resize(32)`: the size is that of the transform.
fn sized(text: &str) -> Option<String> {
    const MARK: &str = "⟦size⟧";
    let mark = text.find(MARK)?;
    let start = text[mark..].find(" |> resize(").map(|at| mark + at)?;
    let all = tokens(text);
    let open = all.iter().position(|token| token.start > start + 4 && token.is("("))?;
    let close = closer(&all, open)?;
    let args = split(&all[open + 1..close], |token| token.is(","));
    let [size] = args[..] else { return None };
    let size = &text[size[0].start..size[size.len() - 1].end()];
    let size = if size.starts_with('[') { size.to_owned() } else { format!("[{size}, {size}]") };
    let (before, between) = (&text[..mark], &text[mark + MARK.len()..start]);
    Some(format!("{before}{size}{between}{}", &text[all[close].end()..]))
}

/// The penalties that stood at layers as a setting of the run.
fn penalties(text: &str, kind: &str) -> Option<String> {
    let mark = format!(", l2: ⟦{kind} ");
    let model = item(text, "model")?;
    let train = item(text, "train")?;
    let mut inner = text[model.clone()].to_owned();
    let mut found: Vec<(String, String)> = Vec::new();
    while let Some(start) = inner.find(&mark) {
        let value = start + mark.len();
        let end = value + inner[value..].find('⟧')?;
        let path = path(&inner, start)?;
        found.push((inner[value..end].to_owned(), path));
        inner.replace_range(start..end + '⟧'.len_utf8(), "");
    }
    let (value, _) = found.first()?.clone();
    // One number is all that a run has; a repeat's paths have numbers in them.
    if found.iter().any(|(own, _)| *own != value) || inner.contains("repeat") {
        return None;
    }
    let paths: Vec<String> = found.iter().map(|(_, path)| format!("\"{path}.weight\"")).collect();
    let mut run = text[train.clone()].to_owned();
    let close = closing(&run)?;
    let head = run[..close].trim_end().len();
    run.replace_range(
        head..close,
        &format!("\n    {kind} = decay({value}, only: [{}])\n", paths.join(", ")),
    );
    with(text, [(model, inner), (train, run)])
}

/// The path of the layer whose arguments stand before a place: its name, or its item with its number.
fn path(model: &str, place: usize) -> Option<String> {
    let all = tokens(model);
    let at = all.iter().rposition(|token| token.start < place)?;
    let mut depth = 0i32;
    let open = (0..=at).rev().find(|at| {
        depth += i32::from(all[*at].closes()) - i32::from(all[*at].opens());
        depth < 0
    })?;
    let callee = all.get(open.checked_sub(1)?)?.text;
    let label = |open: usize| {
        let close = closer(&all, open)?;
        let [word, label, ..] = all.get(close + 1..)? else { return None };
        word.is("as").then_some(label.text)
    };
    if let Some(label) = label(open) {
        return Some(label.to_owned());
    }
    let is_same =
        |at: &usize| all[*at].is(callee) && (!all[*at + 1].is("(") || label(at + 1).is_none());
    let before = (0..open - 1).filter(is_same).count();
    Some(if before == 0 { callee.to_owned() } else { format!("{callee}_{}", before + 1) })
}

/// A part for validation that the run says is the source's.
fn validation(text: &str) -> Option<String> {
    let train = item(text, "train")?;
    let data = item(text, "data")?;
    let run = &text[train.clone()];
    let line = run.lines().find(|line| line.trim().starts_with("validation_split = "))?;
    let value = line.split_once(" = ")?.1.trim();
    value.parse::<f64>().ok()?;
    let source = &text[data.clone()];
    let all = tokens(source);
    let open = all.iter().position(|token| token.is("("));
    let inner = format!("validation: {value}");
    let source = match open {
        Some(open) if !source.contains("validation") => {
            let close = closer(&all, open)?;
            let comma = if close == open + 1 { "" } else { ", " };
            let at = all[close].start;
            format!("{}{comma}{inner}{}", &source[..at], &source[at..])
        }
        None => format!("{source}({inner})"),
        Some(_) => return None,
    };
    let run = run.replacen(&format!("{line}\n"), "", 1);
    with(text, [(data, source), (train, run)])
}

/// Transforms that begin a model are the data's.
fn transforms(text: &str) -> Option<String> {
    let data = item(text, "data")?;
    let model = item(text, "model")?;
    let mut inner = text[model.clone()].to_owned();
    let mut found = Vec::new();
    loop {
        let all = tokens(&inner);
        let pipe = all.iter().position(|token| token.is("|>"))?;
        let Some(name) = all.get(pipe + 1) else { break };
        let end = match all.get(pipe + 2) {
            Some(open) if open.is("(") => all[closer(&all, pipe + 2)?].end(),
            _ => name.end(),
        };
        let stage = inner[name.start..end].to_owned();
        // Bytes as numbers from 0 to 1 are what comes in anyway.
        let is_scale = name.is("rescale") && is_255(&stage);
        if !is_scale && !OF_DATA.contains(&name.text) {
            break;
        }
        if !is_scale {
            found.push(stage);
        }
        let start = inner[..all[pipe].start].trim_end().len();
        inner.replace_range(start..end, "");
    }
    let stages: String = found.iter().map(|stage| format!(" |> {stage}")).collect();
    let source = format!("{}{stages}", &text[data.clone()]);
    if inner == text[model.clone()] {
        return None;
    }
    with(text, [(data, source), (model, inner)])
}

/// `rescale(scale: 1./255)`.
fn is_255(stage: &str) -> bool {
    let plain: String = stage.chars().filter(|c| !c.is_whitespace()).collect();
    let inner = plain.trim_start_matches("rescale(scale:").trim_end_matches(')');
    let parts = inner.split_once('/');
    let is =
        |text: &str, wanted: f64| text.parse::<f64>().is_ok_and(|it| (it - wanted).abs() < 1e-6);
    parts.is_some_and(|(one, by)| is(one, 1.0) && is(by, 255.0)) || is(inner, 1.0 / 255.0)
}

/// A model whose head has no types: they are those of the data's images, and of the last layer.
fn heads(text: &str) -> Option<String> {
    let model = item(text, "model")?;
    let inner = &text[model.clone()];
    let all = tokens(inner);
    let open = all.iter().position(|token| token.is("("))?;
    let [input, close, ..] = &all[open + 1..] else { return None };
    let brace = all.iter().position(|token| token.is("{"))?;
    if !close.is(")") || input.kind != ForeignTokenKind::Word {
        return None;
    }
    let shape = shape(text)?;
    let units = |at: usize| {
        let args = split(&all[at + 2..closer(&all, at + 1)?], |token| token.is(","));
        let first = args.first()?;
        // `dense(x, 10)`
        let is_value =
            first.len() != 1 || first[0].kind == ForeignTokenKind::Word && args.len() > 1;
        let units = if is_value { args.get(1)? } else { first };
        Some(inner[units[0].start..units[units.len() - 1].end()].to_owned())
    };
    let is_dense =
        |at: &usize| all[*at].is("dense") && all.get(at + 1).is_some_and(|it| it.is("("));
    let units = units((0..all.len()).rfind(is_dense)?)?;
    let head = &inner[..input.end()];
    let result = &inner[close.end()..all[brace].start];
    let result = match result.trim() {
        "" => format!(" -> f32[N, {units}] "),
        _ => result.to_owned(),
    };
    let made = format!("{head}: f32[N, {shape}]){result}{}", &inner[all[brace].start..]);
    with(text, [(model, made)])
}

/// The shape of an image of the data.
fn shape(text: &str) -> Option<String> {
    let data = &text[item(text, "data")?];
    let all: Vec<ForeignToken<'_>> = tokens(data);
    if all.iter().any(|token| token.is("mnist") || token.is("digits")) {
        return Some("28, 28, 1".to_owned());
    }
    let at = all.windows(3).position(|it| it[0].is("size") && it[1].is(":") && it[2].is("["))?;
    let close = closer(&all, at + 2)?;
    let is_grey = all.windows(3).any(|it| it[0].is("channels") && it[2].is("1"));
    let channels = if is_grey { "1" } else { "3" };
    Some(format!("{}, {channels}", &data[all[at + 3].start..all[close].start]))
}

/// A text with other items in these places.
fn with<const COUNT: usize>(text: &str, items: [(Range<usize>, String); COUNT]) -> Option<String> {
    let mut items = items;
    items.sort_by_key(|(place, _)| place.start);
    let made = items.iter().map(|(place, text)| (place.clone(), text.as_str()));
    Some(crate::base::fix::replaced(text, made))
}
