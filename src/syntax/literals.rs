//! Numbers and strings: from how they are written to what they are, and back.
//!
//! ```text
//! 1_000      Int(1000)
//! 1.5e3      Float(1500.0)
//! "a\tb"     a, tab, b
//! ```
//!
//! The grammar has checked their form; only what they come to can still be wrong.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::syntax::ast::ExprKind;
use crate::syntax::grammar::ParseResult;

/// An int, or with a point or an exponent a float.
pub(super) fn number(written: &str, span: Span) -> ParseResult<ExprKind> {
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
pub(super) fn string(written: &str, span: Span) -> ParseResult<String> {
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

/// Whether a token that begins with a digit is a number.
pub(super) fn is_number(written: &str) -> bool {
    let (mantissa, exponent) = match written.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (written, None),
    };
    let digits = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_digit())
            && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    let unsigned = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    let whole_and_fraction = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(mantissa),
    };
    whole_and_fraction && unsigned.is_none_or(digits)
}

/// Where a string's first escape that means nothing is, and how long it is.
pub(super) fn bad_escape(written: &str) -> Option<(usize, usize)> {
    let mut chars = written.char_indices();
    while let Some((at, c)) = chars.next() {
        if c != '\\' {
            continue;
        }
        let (_, escaped) = chars.next()?;
        let known = match escaped {
            'u' => is_code(&written[at + 2..]),
            _ => ['"', '\\', 'n', 't', 'r', '0'].contains(&escaped),
        };
        if !known {
            return Some((at, 1 + escaped.len_utf8()));
        }
    }
    None
}

/// Whether the text begins with one to six hexadecimal digits in braces.
fn is_code(rest: &str) -> bool {
    let digits = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    digits.is_some_and(|(digits, _)| {
        (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}
