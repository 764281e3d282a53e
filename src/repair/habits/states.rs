//! Results of recurrent layers of PyTorch beside their steps.
//!
//! ```text
//! out, hidden = gru(x)      let out = gru(x)               where nothing uses the others
//! _, (h, c) = lstm(x)       let h = lstm(x)[:, -1]         the state behind the last step
//! ```
//!
//! A state is used as `h[-1]` or `h.squeeze(0)`; any other use, and a layer that goes both ways, stays.

use super::bound::OPEN;
use super::tokens::{ForeignToken, ForeignTokenKind};

/// The name that is given the state, and the layer's call, where nothing uses its steps.
pub fn of<'t, 'a>(
    statement: &'t [ForeignToken<'a>],
    inner: &[ForeignToken<'a>],
) -> Option<(&'a str, &'t [ForeignToken<'a>])> {
    let rest = without_let(statement);
    let end = statement[statement.len() - 1].end();
    let is_used = |name: &ForeignToken<'a>| {
        inner.iter().any(|token| token.start >= end && token.is(name.text))
    };
    let (steps, state, others, value) = match rest {
        [steps, comma, open, state, second, cell, close, equals, value @ ..]
            if comma.is(",")
                && open.is("(")
                && second.is(",")
                && close.is(")")
                && equals.is("=") =>
        {
            (steps, state, Some(cell), value)
        }
        [steps, comma, state, equals, value @ ..] if comma.is(",") && equals.is("=") => {
            (steps, state, None, value)
        }
        _ => return None,
    };
    let is_free = |name: &ForeignToken<'a>| name.is("_") || !is_used(name);
    let is_state = state.kind == ForeignTokenKind::Word && is_used(state) && !state.is("_");
    let alone = is_free(steps) && others.is_none_or(is_free);
    (is_state && alone && !value.is_empty()).then_some((state.text, value))
}

/// The last step of a value.
pub fn last(value: &str) -> String {
    let is_recurrent = ["lstm(", "gru(", "rnn("].iter().any(|layer| value.contains(layer));
    if !is_recurrent || value.contains("bidirectional(") {
        return OPEN.to_owned();
    }
    if value.contains("|>") { format!("({value})[:, -1]") } else { format!("{value}[:, -1]") }
}

/// `out, hidden = gru(x)` as `out = gru(x)`, where nothing uses the others.
pub fn as_single<'a>(
    statement: &[ForeignToken<'a>],
    inner: &[ForeignToken<'a>],
) -> Vec<ForeignToken<'a>> {
    let rest = without_let(statement);
    let equals = rest.iter().position(|token| token.is("="));
    let Some(equals) = equals.filter(|at| *at > 2 && rest[1].is(",")) else {
        return statement.to_vec();
    };
    let end = statement[statement.len() - 1].end();
    let others = rest[2..equals].iter().filter(|token| token.kind == ForeignTokenKind::Word);
    let used = |name: &ForeignToken<'a>| {
        name.text != "_" && inner.iter().any(|token| token.start >= end && token.is(name.text))
    };
    if others.into_iter().any(used) {
        return statement.to_vec();
    }
    std::iter::once(rest[0]).chain(rest[equals..].iter().copied()).collect()
}

/// A statement without the word that names a value.
pub fn without_let<'t, 'a>(statement: &'t [ForeignToken<'a>]) -> &'t [ForeignToken<'a>] {
    match statement {
        [word, rest @ ..] if word.is("let") => rest,
        _ => statement,
    }
}
