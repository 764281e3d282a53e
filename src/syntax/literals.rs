//! Numbers and strings: from how they are written to what they are, and back.
//!
//! ```text
//! 1_000      Int(1000)
//! 1.5e3      Float(1500.0)
//! "a\tb"     a, tab, b
//! ```
//!
//! The grammar has checked their form; only what they come to can still be wrong.

use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::syntax::ast::ExprKind;
use crate::syntax::codes;
use crate::syntax::tree::Parsed;

/// An int, or with a point or an exponent a float.
pub(super) fn number(written: &str, span: Span) -> Parsed<ExprKind> {
    let plain = written.replace('_', "");
    let too_large = |limit: &str| {
        let error = Diagnostic::error(codes::BAD_NUMBER, "the number is too large")
            .primary(span, format!("the largest is {limit}"));
        Box::new(error)
    };
    if plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return plain.parse().map(ExprKind::Int).map_err(|_| too_large(&i64::MAX.to_string()));
    }
    match plain.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(ExprKind::Float(value)),
        _ => Err(too_large("1.7976931348623157e308")),
    }
}

/// The text between the quotes, with its escapes replaced.
pub(super) fn string(written: &str, span: Span) -> Parsed<String> {
    let mut text = String::with_capacity(written.len());
    let mut chars = written[1..written.len() - 1].chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        text.push(match chars.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('0') => '\0',
            Some('u') => {
                let digits: String = chars.by_ref().skip(1).take_while(|&c| c != '}').collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                code.ok_or_else(|| {
                    let error = Diagnostic::error(
                        codes::BAD_ESCAPE,
                        format!("`\\u{{{digits}}}` is no character"),
                    )
                    .primary(span, "in this string");
                    Box::new(error)
                })?
            }
            Some(other) => other,
            None => '\\',
        });
    }
    Ok(text)
}
