//! Loops of Python over layers, which are `repeat` here.
//!
//! ```text
//! for _ in range(3) { x = relu(dense(x, 128)) }     let x = x |> repeat 3 { dense(128) |> relu }
//! for layer in layers { x = layer(x) }              let x = x |> dense(128) |> relu
//! for _ in range(4) { x = x + dense(x, 8) }         a layer of its own, in a repeat
//! ```
//!
//! Each turn of a loop makes layers with parameters of their own, as each turn of a `repeat` does. Read are loops
//! whose statements all give the same name another value.

use super::axes::KnownAxes;
use super::pipeline::WrittenStages;
use super::reader::HabitReader;
use super::tokens::{ForeignToken, ForeignTokenKind, closer, split, statements, tokens};
use std::collections::HashMap;

/// The axes of the values that have a name, and the items that stand before the block.
type Names<'b> = (&'b HashMap<String, KnownAxes>, &'b mut Vec<String>);

/// The statement that a loop is here; `None` where it is none, or one that is not understood.
pub fn written<'a>(
    (known, items): Names<'_>,
    reader: &HabitReader<'a>,
    statement: &[ForeignToken<'a>],
) -> Option<String> {
    let [word, turn, of, rest @ ..] = statement else { return None };
    let open = rest.iter().position(|token| token.is("{"))?;
    let close = closer(rest, open)?;
    if !word.is("for") || !of.is("in") || close + 1 != rest.len() {
        return None;
    }
    let (over, inner) = (&rest[..open], &rest[open + 1..close]);
    let name = name_of(statements(inner).first()?)?;
    if let [list] | [_, _, list] = over {
        return of_list(reader, (list.text, turn.text, name), inner);
    }
    let [range, _, bounds @ .., _] = over else { return None };
    let bounds: Vec<String> =
        split(bounds, |token| token.is(",")).iter().map(|part| reader.written(part)).collect();
    let uses_turn = inner.iter().any(|token| token.is(turn.text));
    let count = match (&bounds[..], range.is("range"), uses_turn) {
        ([count], true, false) => count.clone(),
        ([count], true, true) => format!("{} in 0..{count}", turn.text),
        ([from, to], true, false) => format!("{from}..{to}"),
        ([from, to], true, true) => format!("{} in {from}..{to}", turn.text),
        _ => return None,
    };
    let mut stages = Vec::new();
    for statement in statements(inner) {
        let at = statement.iter().position(|token| token.is("="))?;
        let value = reader.written(&statement[at + 1..]);
        if name_of(statement)? != name {
            return None;
        }
        let stage = stages_of(&value, name)
            .or_else(|| block((known, &mut *items), reader, name, &value))?;
        stages.push(stage);
    }
    Some(format!("let {name} = {name} |> repeat {count} {{ {} }}", stages.join(" |> ")))
}

/// `for layer in layers { x = relu(layer(x)) }`: each layer, with what stands around its call.
fn of_list<'a>(
    reader: &HabitReader<'a>,
    (list, turn, name): (&str, &str, &str),
    inner: &[ForeignToken<'a>],
) -> Option<String> {
    let layers = reader.layers.get(list)?;
    let [statement] = statements(inner)[..] else { return None };
    let at = statement.iter().position(|token| token.is("="))?;
    let turns = stages_of(&reader.written(&statement[at + 1..]), name)?;
    let turns: Vec<&str> = turns.split(" |> ").collect();
    if turns.iter().filter(|stage| **stage == turn).count() != 1 {
        return None;
    }
    let written = layers.stages.iter().flat_map(|layer| {
        let one = WrittenStages { stages: vec![layer.clone()], ..WrittenStages::default() };
        let own = one.text("");
        turns
            .iter()
            .map(move |stage| if *stage == turn { own.clone() } else { (*stage).to_owned() })
    });
    Some(format!("let {name} = {name} |> {}", written.collect::<Vec<_>>().join(" |> ")))
}

/// The name that a statement gives a value.
fn name_of<'a>(statement: &[ForeignToken<'a>]) -> Option<&'a str> {
    match statement {
        [word, name, equals, ..] if word.is("let") && equals.is("=") => Some(name.text),
        [name, equals, ..] if name.kind == ForeignTokenKind::Word && equals.is("=") => {
            Some(name.text)
        }
        _ => None,
    }
}

/// A value as stages of a name: `relu(dense(x, 128))` and `x |> dense(128) |> relu`.
fn stages_of(value: &str, name: &str) -> Option<String> {
    let all = tokens(value);
    let text = |part: &[ForeignToken<'_>]| -> Option<String> {
        Some(value[part.first()?.start..part.last()?.end()].to_owned())
    };
    let mut parts = split(&all, |token| token.is("|>")).into_iter();
    let mut head = parts.next()?;
    let rest: Vec<&[ForeignToken<'_>]> = parts.collect();
    let mut stages: Vec<String> = Vec::new();
    while let [callee, open, inner @ .., close] = head
        && open.is("(")
        && close.is(")")
        && closer(head, 1) == Some(head.len() - 1)
    {
        let args = split(inner, |token| token.is(","));
        let others: Option<Vec<String>> = args.get(1..)?.iter().map(|arg| text(arg)).collect();
        let others = others?.join(", ");
        let stage = if others.is_empty() {
            callee.text.to_owned()
        } else {
            format!("{}({others})", callee.text)
        };
        stages.insert(0, stage);
        // A value in it may be a pipeline itself.
        let mut piped = split(args.first()?, |token| token.is("|>")).into_iter();
        head = piped.next()?;
        let piped: Option<Vec<String>> = piped.map(&text).collect();
        stages.splice(0..0, piped?);
    }
    for part in &rest {
        stages.push(text(part)?);
    }
    let is_own = matches!(head, [own] if own.is(name));
    let again = rest.iter().any(|part| part.iter().any(|token| token.is(name)));
    (is_own && !again && !stages.is_empty()).then(|| stages.join(" |> "))
}

/// A layer of its own for a turn whose value uses the name more than once.
fn block(
    (known, items): Names<'_>,
    reader: &HabitReader<'_>,
    name: &str,
    value: &str,
) -> Option<String> {
    let axes = known.get(name)?;
    let last = axes.last.clone()?;
    let inner = ["", "T, ", "H, W, "].get(axes.count?.checked_sub(2)?)?;
    let others = known.keys().filter(|own| *own != name);
    if others.into_iter().any(|own| tokens(value).iter().any(|token| token.is(own))) {
        return None;
    }
    let mut layer = "block".to_owned();
    while reader.declared.contains(layer.as_str())
        || items.iter().any(|it| it.contains(&format!(" {layer}(")))
    {
        layer.push('_');
    }
    let kind = format!("f32[N, {inner}{last}]");
    items.push(format!("layer {layer}({name}: {kind}) -> {kind} {{\n    {value}\n}}\n\n"));
    Some(layer)
}
