//! The statements of a `train` item: one a line, or several with commas, semicolons or nothing between.
//!
//! ```text
//! loss = mse, epochs = 1      loss = mse · epochs = 1
//! loss = mse epochs = 1       loss = mse · epochs = 1
//! for x, y in loader:         one statement
//! ```

use super::body::WHOLE;
use super::tokens::{ForeignToken, ForeignTokenKind, split, statements};

/// One statement a line, or between commas and semicolons, or one behind the other.
pub fn statements_of<'t, 'a>(inner: &'t [ForeignToken<'a>]) -> Vec<&'t [ForeignToken<'a>]> {
    let mut found: Vec<&[ForeignToken<'a>]> = Vec::new();
    for line in statements(inner) {
        // `x, y = batch`
        let is_pair = matches!(line, [_, comma, _, equals, ..] if comma.is(",") && equals.is("="));
        if is_pair || WHOLE.contains(&line[0].text) {
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
        let is_set = tokens.get(at + 1).is_some_and(|next| next.is("=") || next.is(":"));
        let is_value = before.kind != ForeignTokenKind::Sign || before.closes();
        if depth == 0 && is_name && is_set && is_value {
            return Some(at);
        }
    }
    None
}
