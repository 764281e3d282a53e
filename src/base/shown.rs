//! Foreign texts made fit to be shown: names of files and classes, lines of programs,
//! texts of other libraries.
//!
//! A terminal obeys escape sequences, a line break forges a line of ours, and a character that turns
//! the direction of writing or has no width makes one name look like another. So such characters
//! are never sent to a terminal; in their place stands how JSON would write them, so that JSON, which goes
//! the same way, still means the same:
//!
//! ```
//! # use nnc::base::shown::{Show, quoted, visible_lines};
//! assert_eq!("a\u{1b}[2J\n\u{202e}gpj.png".shown().to_string(), r"a\u001b[2J\n\u202egpj.png");
//! assert_eq!(visible_lines("two\nlines\u{7}"), "two\nlines\\u0007");
//! assert_eq!(quoted("mein Netz".as_ref()), "'mein Netz'");
//! ```
//!
//! A foreign text goes into a message by [`Show::shown`], where the message is made; the command
//! line lets everything that it prints through [`visible_lines`] once more. Pages and pictures have
//! escapes of their own, over the same table ([`is_hidden`]).

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::{self, Display, Write};
use std::path::Path;

/// Whether a character is obeyed, or seen by nobody: the controls of ASCII and Latin-1, what breaks
/// lines, what turns the direction of writing, what has no width, tags, what is no character.
///
/// Selectors of emoji forms (U+FE00 to U+FE0F) are none of these: they only change a picture.
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The character, or one of one column that stands for it: the picture of a control character
/// (`␛`), or `�`. For what must keep its columns, such as a line of a program.
pub fn visible(c: char) -> char {
    match c {
        // The pictures of the 32 control characters of ASCII stand in its order.
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('�'),
        '\x7f' => '␡',
        c if is_hidden(c) => '�',
        c => c,
    }
}

/// Texts that can be shown with escapes.
pub trait Show {
    /// Displays it on one line, with nothing hidden; bytes that are no UTF-8 are written `\xff`.
    fn shown(&self) -> Visible<'_>;
}

/// A foreign text on its way into a message.
#[derive(Clone, Copy, Debug)]
pub struct Visible<'a>(&'a [u8]);

impl Show for str {
    fn shown(&self) -> Visible<'_> {
        Visible(self.as_bytes())
    }
}

impl Show for OsStr {
    fn shown(&self) -> Visible<'_> {
        Visible(self.as_encoded_bytes())
    }
}

impl Show for Path {
    fn shown(&self) -> Visible<'_> {
        self.as_os_str().shown()
    }
}

impl Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(self.0.len());
        for chunk in self.0.utf8_chunks() {
            chunk.valid().chars().for_each(|c| push(&mut text, c));
            for byte in chunk.invalid() {
                write!(text, "\\x{byte:02x}")?;
            }
        }
        f.pad(&text)
    }
}

fn push(text: &mut String, c: char) {
    match c {
        '\n' | '\t' | '\r' => text.extend(c.escape_default()),
        c if is_hidden(c) => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
        c => text.push(c),
    }
}

/// A message with its own line breaks, and nothing else in it that is hidden.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\n' && is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push(c),
            c => push(&mut shown, c),
        }
    }
    Cow::Owned(shown)
}

/// A path as a shell takes it, for commands that a user copies: in quotes where it has to be, and as
/// `$'…'` where something in it is hidden.
pub fn quoted(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let plain = |c: &u8| c.is_ascii_alphanumeric() || b"_./=+,@%:-".contains(c);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return path.to_string_lossy().into_owned();
    }
    match path.to_str() {
        Some(text) if !text.chars().any(is_hidden) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let mut text = String::from("$'");
            for &byte in bytes {
                match byte {
                    b'\'' | b'\\' => text.extend(['\\', char::from(byte)]),
                    b' '..=b'~' => text.push(char::from(byte)),
                    _ => text.push_str(&format!("\\x{byte:02x}")),
                }
            }
            text.push('\'');
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a terminal could obey, and what fools a reader.
    const HOSTILE: &str =
        "\x1b]52;c;cm0=\x07\u{9b}2J\r\n\t\u{202e}\u{2066}\u{200b}\u{feff}\u{ad}\u{2028}\u{e0041}";

    #[test]
    fn nothing_hidden_is_shown() {
        for text in [HOSTILE.shown().to_string(), HOSTILE.chars().map(visible).collect()] {
            assert!(!text.chars().any(is_hidden), "{text:?}");
        }
        let lines = visible_lines(HOSTILE);
        assert!(!lines.chars().any(|c| c != '\n' && is_hidden(c)) && lines.contains('\n'));
        let json = serde_json::to_string(HOSTILE).unwrap();
        assert_eq!(serde_json::from_str::<String>(&visible_lines(&json)).unwrap(), HOSTILE);
    }

    #[test]
    fn what_people_write_stays() {
        for text in ["größer ≥ 猫 🐈\u{fe0f}", "a b'c\"d\\e", "e\u{301}", ""] {
            assert_eq!(text.shown().to_string(), text);
            assert_eq!(visible_lines(text), text);
            assert!(text.chars().all(|c| visible(c) == c));
        }
        assert_eq!(format!("{:>4}|{:<3}|", "ab".shown(), "x".shown()), "  ab|x  |");
    }

    #[cfg(unix)]
    #[test]
    fn names_that_differ_are_shown_differently() {
        use std::os::unix::ffi::OsStrExt;
        let name = |bytes: &[u8]| Path::new(OsStr::from_bytes(bytes)).shown().to_string();
        assert_eq!(name(b"caf\xe9.png"), r"caf\xe9.png");
        assert_ne!(name(b"a\xff"), name(b"a\xfe"));
    }

    #[test]
    fn a_shell_takes_what_is_quoted() {
        let quoted = |text: &str| quoted(text.as_ref());
        assert_eq!(quoted("runs/mnist-2"), "runs/mnist-2");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("$(x)`y`"), "'$(x)`y`'");
        assert_eq!(quoted("a\n\x1b'"), r"$'a\x0a\x1b\''");
        assert_eq!(quoted(""), "''");
    }
}
