//! The text of a program as tokens with their lines.
//!
//! `store s1[4*i0] = r1` is the words `store`, `s1`, `i0`, `r1`, the number `4` and marks.
//! Comments (`// …`) and blanks are left out.

use crate::loops::read::LoopsReadError;

/// A piece of the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LoopToken<'a> {
    /// Letters, digits and underscores, a letter first.
    Word(&'a str),
    /// A number, without its sign.
    Number(&'a str),
    /// A quoted text, without its quotes and with escapes resolved.
    Text(String),
    /// Any other character.
    Mark(char),
    /// `..`
    To,
}

/// All tokens with the number of their line.
pub(super) fn tokens(text: &str) -> Result<Vec<(LoopToken<'_>, usize)>, LoopsReadError> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let mut rest = line.trim_start();
        while !rest.is_empty() && !rest.starts_with("//") {
            let (token, after) =
                token(rest).map_err(|message| LoopsReadError::at(number, message))?;
            found.push((token, number));
            rest = after.trim_start();
        }
    }
    Ok(found)
}

/// The first token and what follows it.
fn token(rest: &str) -> Result<(LoopToken<'_>, &str), String> {
    let first = rest.chars().next().expect("not empty");
    if first == '"' {
        return text(rest);
    }
    if let Some(after) = rest.strip_prefix("..") {
        return Ok((LoopToken::To, after));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        return Ok((LoopToken::Word(word), after));
    }
    if first.is_ascii_digit() {
        let (number, after) = rest.split_at(number_length(rest.as_bytes()));
        return Ok((LoopToken::Number(number), after));
    }
    Ok((LoopToken::Mark(first), &rest[first.len_utf8()..]))
}

/// How long the number at the start is: `12`, `0x7f`, `1.5e-7`; in `0..4` it is `0`.
fn number_length(bytes: &[u8]) -> usize {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    if bytes.starts_with(b"0x") {
        return 2 + bytes[2..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
    }
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end += 1 + digits(end + 1);
    }
    if bytes.get(end) == Some(&b'e') {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        match digits((end + 1 + sign).min(bytes.len())) {
            0 => {}
            length => end += 1 + sign + length,
        }
    }
    end
}

/// A text between quotes at the start.
fn text(rest: &str) -> Result<(LoopToken<'_>, &str), String> {
    let mut value = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((LoopToken::Text(value), &rest[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                _ => return Err("unknown escape in a name".into()),
            },
            _ => value.push(c),
        }
    }
    Err("a name has no closing quote".into())
}
