//! Recurrent layers of Keras, which give their last step unless they say otherwise, and layers that go both ways.
//!
//! ```text
//! x |> lstm(64, last: ⟦last⟧) |> dense(2)     (x |> lstm(64))[:, -1] |> dense(2)
//! x |> bidirectional(lstm(64))                let steps = x
//!                                             concat([lstm(steps, 64), lstm(steps, 64, reverse: true)])
//! ```
//!
//! In: a value as it is written here, with the marks that the table leaves. Out: the value, and a statement before it. A mark
//! inside of another call stays.

use super::tokens::{ForeignToken, closer, tokens};

/// Says that only the last step is meant.
const LAST: &str = ", last: ⟦last⟧";

/// A value without marks, and the value that stands before it by a name, where it needs one.
pub fn stepped(value: &str, name: &str) -> (Option<String>, String) {
    let (before, value) = match both_ways(value, name) {
        Some((before, value)) => (Some(before).filter(|it| !it.is_empty()), value),
        None => (None, value.to_owned()),
    };
    let mut value = value;
    while let Some(made) = last_step(&value) {
        value = made;
    }
    (before, value)
}

/// The calls of a value that stand in no bracket: the indices of their names.
fn calls(all: &[ForeignToken<'_>]) -> Vec<usize> {
    let mut depth = 0i32;
    let mut found = Vec::new();
    for (at, token) in all.iter().enumerate() {
        let is_call = all.get(at + 1).is_some_and(|open| open.is("("));
        if depth == 0 && is_call && !token.opens() && !token.closes() {
            found.push(at);
        }
        depth += i32::from(token.opens()) - i32::from(token.closes());
    }
    found
}

fn last_step(value: &str) -> Option<String> {
    let all = tokens(value);
    for call in calls(&all) {
        let close = closer(&all, call + 1)?;
        let inner = &value[all[call].start..all[close].end()];
        // `lstm(64, last: ⟦last⟧)`, with nothing in other brackets.
        let Some(mark) = inner.find(LAST).filter(|_| inner.matches('(').count() == 1) else {
            continue;
        };
        let start = all[call].start + mark;
        let head = format!("{}{}", &value[..start], &value[start + LAST.len()..all[close].end()]);
        let head = if call == 0 { head } else { format!("({head})") };
        return Some(format!("{head}[:, -1]{}", &value[all[close].end()..]));
    }
    None
}

/// `bidirectional(x, gru(24))`: the value stands in it, and needs no name of its own where it is one.
fn of_value(
    value: &str,
    all: &[ForeignToken<'_>],
    (call, close): (usize, usize),
) -> Option<(String, String)> {
    let [name, comma, layer, open, ..] = &all[call + 2..close] else { return None };
    if !comma.is(",") || !open.is("(") || call > 0 {
        return None;
    }
    let (layer, name) = (layer.text, name.text);
    let args = &value[open.end()..all[close - 1].start];
    let [ahead, back] = directions(layer, name, args);
    let both = match args.contains(LAST) {
        true => format!("concat([{ahead}[:, -1], {back}[:, 0]])"),
        false => format!("concat([{ahead}, {back}])"),
    };
    Some((String::new(), format!("{both}{}", &value[all[close].end()..])))
}

/// A layer on a value in both directions, with all steps.
fn directions(layer: &str, name: &str, args: &str) -> [String; 2] {
    let plain = args.replace(LAST, "");
    [format!("{layer}({name}, {plain})"), format!("{layer}({name}, {plain}, reverse: true)")]
}

fn both_ways(value: &str, name: &str) -> Option<(String, String)> {
    let all = tokens(value);
    let call = calls(&all).into_iter().find(|at| all[*at].is("bidirectional"))?;
    let close = closer(&all, call + 1)?;
    if let Some(made) = of_value(value, &all, (call, close)) {
        return Some(made);
    }
    let pipe = call.checked_sub(1).filter(|at| all[*at].is("|>"))?;
    let before = value[..all[pipe].start].trim_end().to_owned();
    let inner = &value[all[call + 1].end()..all[close].start];
    let (layer, args) = inner.split_once('(')?;
    let args = args.strip_suffix(')')?;
    let [ahead, back] = directions(layer, name, args);
    let both = match args.contains(LAST) {
        true => format!("concat([({ahead})[:, -1], ({back})[:, 0]])"),
        false => format!("concat([{ahead}, {back}])"),
    };
    let before = stepped(&before, name).1;
    Some((before, format!("{both}{}", &value[all[close].end()..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_is_taken_where_keras_gives_it() {
        let value = "t |> embedding(9, 8) |> lstm(64, last: ⟦last⟧) |> dense(2)";
        let (before, made) = stepped(value, "steps");
        assert_eq!(before, None);
        assert_eq!(made, "(t |> embedding(9, 8) |> lstm(64))[:, -1] |> dense(2)");
        let (before, made) = stepped("t |> bidirectional(gru(8)) |> dense(2)", "steps");
        assert_eq!(before.as_deref(), Some("t"));
        assert_eq!(made, "concat([gru(steps, 8), gru(steps, 8, reverse: true)]) |> dense(2)");
    }
}
