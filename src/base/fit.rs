//! Texts within so many columns of a terminal: wrapped between words, or cut.
//!
//! A wide character takes two columns, a tab is shown as one space, and something stands for what is
//! hidden ([`shown`](super::shown)).

use super::shown::visible;
use console::measure_text_width as columns;

/// A text in rows of at most so many columns, broken between words, and within those that are
/// longer than a row.
pub fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        let row = rows.last().map_or(0, |row| columns(row));
        if row > 0 && row + 1 + columns(&word) > room {
            rows.push(String::new());
        } else if row > 0 {
            rows.last_mut().expect("there is a row").push(' ');
        }
        while columns(&word) > room {
            let head = cut_columns(&word, 0, room);
            // A wide character in a single column is not left out.
            let taken = head.len().max(word.chars().next().map_or(0, char::len_utf8));
            rows.last_mut().expect("there is a row").push_str(&word[..taken]);
            word = word[taken..].to_owned();
            rows.push(String::new());
        }
        rows.last_mut().expect("there is a row").push_str(&word);
    }
    rows
}

/// A text in rows of at most so many columns, those behind the first indented.
pub fn hanging(text: &str, width: usize, indent: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    // What stands before the text's own columns keeps its gaps.
    let (head, rest) = text.split_at(text.char_indices().nth(indent).map_or(text.len(), |it| it.0));
    let rows = wrapped(rest, width.saturating_sub(columns(head)).max(1));
    let gap = format!("\n{:indent$}", "");
    format!("{head}{}", rows.join(&gap))
}

/// A line as it is shown, a character for each of its own: a tab is one space, and something stands
/// for what is hidden.
pub fn shown(line: &str) -> String {
    line.chars().map(|c| if c == '\t' { ' ' } else { visible(c) }).collect()
}

/// The columns of the first characters of a line.
pub fn columns_of(line: &str, characters: usize) -> usize {
    columns(&shown(&line.chars().take(characters).collect::<String>()))
}

/// The part of a line from a column on that fits into some columns; `…` where something is left out.
pub fn cut(line: &str, skipped: usize, room: usize) -> String {
    let line = shown(line.trim_end_matches('\r'));
    if skipped == 0 && columns(&line) <= room {
        return line;
    }
    let begin = if skipped > 0 { "…" } else { "" };
    let part = cut_columns(&line, skipped + begin.chars().count(), room);
    let rest = columns(&line) > skipped + begin.chars().count() + columns(&part);
    if rest || columns(begin) + columns(&part) > room {
        let less = cut_columns(&part, 0, room - columns(begin) - 1);
        return format!("{begin}{less}…");
    }
    format!("{begin}{part}")
}

/// The characters of a text from one column on, as many as fit.
fn cut_columns(text: &str, from: usize, room: usize) -> String {
    let (mut at, mut kept) = (0, String::new());
    for c in text.chars() {
        let wide = columns(c.encode_utf8(&mut [0; 4]));
        if at >= from && at + wide <= from + room {
            kept.push(c);
        }
        at += wide;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_around_their_labels_and_texts_wrapped() {
        assert_eq!(cut("short", 0, 20), "short");
        assert_eq!(cut("0123456789abcdef", 0, 10), "012345678…");
        assert_eq!(cut("0123456789abcdef", 4, 10), "…56789abc…");
        assert_eq!(cut("0123456789abcdef", 8, 10), "…9abcdef");
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("猫a", 1), ["猫", "a"], "what cannot fit is there all the same");
        assert_eq!(columns_of("\té世x", 3), 4, "a tab is a space, a wide character two");
    }

    #[test]
    fn rows_hang_below_where_the_text_begins() {
        assert_eq!(hanging("test  one two three", 13, 6), "test  one two\n      three");
        assert_eq!(hanging("test", 13, 6), "test");
    }
}
