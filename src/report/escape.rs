//! Texts made safe for SVG and HTML, in elements as well as in quoted attributes.
//!
//! `a<b> & "c"` becomes `a&lt;b&gt; &amp; &quot;c&quot;`. Characters that XML does not allow are
//! shown as pictures (`␀`, `␛`) or as `�`, and so are those that reverse the direction of text: a
//! name must not change how what stands around it reads.

use crate::base::shown::visible;

/// A text as the contents of an element or of an attribute in double quotes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            _ => escaped.push(visible(character)),
        }
    }
    escaped
}

/// A text of at most so many characters; `…` stands for what is left out of its middle, since
/// names tend to differ at both ends.
pub fn shorten(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let kept = most.saturating_sub(1);
    let (front, back) = (kept.div_ceil(2), kept / 2);
    let front: String = text.chars().take(front).collect();
    let back: String = text.chars().skip(count - back).collect();
    format!("{front}…{back}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_markup_are_escaped() {
        assert_eq!(escape(r#"a<b> & "c" 'd'"#), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
        assert_eq!(escape("&lt;"), "&amp;lt;", "what looks escaped is escaped again");
        assert_eq!(escape("größer ≥ 猫"), "größer ≥ 猫");
    }

    #[test]
    fn characters_that_nobody_sees_are_shown() {
        assert_eq!(escape("a\0b\x1b[31m\r\x7f"), "a␀b␛[31m␍␡");
        assert_eq!(escape("a\u{85}\u{202e}\u{ffff}"), "a���");
        assert_eq!(escape("a\tb\nc"), "a\tb\nc", "white space stays");
    }

    #[test]
    fn long_texts_lose_their_middle() {
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("abcdefghij", 5), "ab…ij");
        assert_eq!(shorten("äöüßäöüß", 4), "äö…ß");
        assert_eq!(shorten("abc", 1), "…");
        assert_eq!(shorten("abc", 0), "…");
    }
}
