//! The place of the cursor in half-typed text: which item, which open calls, which argument, which
//! string. Asked of the words before the cursor alone, since what follows may mean nothing yet.
//!
//! ```text
//! train net { optimizer = adam(lr: cosine(│      in `train`, key `optimizer`, calls `adam` and `cosine`
//! ```

use crate::syntax::{ITEM_WORDS, RESERVED, Token, TokenKind, tokens};

/// The place of the cursor.
#[derive(Debug)]
pub(super) struct CursorContext<'a> {
    /// The word that is being typed: the part before the cursor, perhaps empty.
    pub typed: &'a str,
    /// The word that begins the item around the cursor.
    pub item: Option<&'a str>,
    /// The brackets that are open, outermost first.
    pub open: Vec<OpenBracket<'a>>,
    /// The key of a `train` block, or the field of a `data` item, whose value is being typed.
    pub key: Option<&'a str>,
    /// The words of the item before the one that is being typed.
    pub before: Vec<Token<'a>>,
    /// The text of the string that the cursor is in, up to it.
    pub string: Option<&'a str>,
}

/// A bracket that is open before the cursor.
#[derive(Debug)]
pub(super) struct OpenBracket<'a> {
    /// `(`, `[` or `{`.
    pub sign: &'a str,
    /// The name directly before it: of a call, what is called.
    pub callee: Option<&'a str>,
    /// Whether what is called is a stage behind `|>`.
    pub is_stage: bool,
    /// How many commas stand in it, directly.
    pub commas: usize,
    /// The names of the arguments that have one.
    pub named: Vec<&'a str>,
    /// The name of the argument that is being typed.
    pub current: Option<&'a str>,
}

impl<'a> CursorContext<'a> {
    /// The context of a byte of a text.
    pub fn at(text: &'a str, byte: usize) -> CursorContext<'a> {
        let mut words = tokens(text, 0..byte);
        let start = words.iter().rposition(|word| begins_item(text, word)).unwrap_or(0);
        words.drain(..start);
        let mut context = CursorContext {
            typed: "",
            item: words.first().map(|word| word.text).filter(|word| ITEM_WORDS.contains(word)),
            open: Vec::new(),
            key: None,
            before: Vec::new(),
            string: None,
        };
        if in_comment(text, byte) {
            context.item = None;
            return context;
        }
        if let Some(last) = words.last().filter(|last| last.end() == byte) {
            match last.kind {
                TokenKind::Word => {
                    context.typed = last.text;
                    words.pop();
                }
                TokenKind::Str if last.text.len() < 2 || !last.text.ends_with('"') => {
                    context.string = Some(&last.text[1..]);
                    words.pop();
                }
                _ => {}
            }
        }
        for index in 0..words.len() {
            context.take(&words, index);
        }
        context.before = words;
        context
    }

    /// Takes in one word before the cursor.
    fn take(&mut self, words: &[Token<'a>], index: usize) {
        let word = &words[index];
        let before = index.checked_sub(1).map(|index| &words[index]);
        match word.text {
            "(" | "[" | "{" if word.kind == TokenKind::Sign => {
                let called = before.filter(|it| {
                    it.kind == TokenKind::Word && !RESERVED.contains(&it.text) && !word.first
                });
                let is_stage = index >= 2 && words[index - 2].is("|>");
                self.open.push(OpenBracket {
                    sign: word.text,
                    callee: called.map(|it| it.text),
                    is_stage,
                    commas: 0,
                    named: Vec::new(),
                    current: None,
                });
            }
            ")" | "]" | "}" if word.kind == TokenKind::Sign => drop(self.open.pop()),
            "," if word.kind == TokenKind::Sign => {
                if let Some(open) = self.open.last_mut() {
                    open.commas += 1;
                    open.current = None;
                }
            }
            ":" => {
                if let (Some(open), Some(before)) = (self.open.last_mut(), before) {
                    open.named.push(before.text);
                    open.current = Some(before.text);
                }
            }
            "=" if self.open.len() == 1 => self.key = before.map(|before| before.text),
            _ if word.first && self.open.len() == 1 && self.open[0].sign == "{" => self.key = None,
            _ => {}
        }
    }

    /// The innermost open call, behind any lists in it.
    pub fn call(&self) -> Option<&OpenBracket<'a>> {
        let inner =
            self.open.iter().rev().find(|open| open.sign != "[" || open.callee.is_some())?;
        (inner.sign == "(" && inner.callee.is_some()).then_some(inner)
    }

    /// The last word before the one that is being typed.
    pub fn last(&self) -> Option<&Token<'a>> {
        self.before.last()
    }

    /// Whether a word begins a line here, so that a new statement, key or item does.
    pub fn begins_line(&self, text: &str, byte: usize) -> bool {
        let start = byte - self.typed.len();
        let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        text[line..start].trim().is_empty() || self.last().is_some_and(|last| last.is("{"))
    }
}

/// Whether a word begins an item: the first of its line, at the very left or followed by a name.
fn begins_item(text: &str, word: &Token<'_>) -> bool {
    let left = word.start == 0 || text[..word.start].ends_with(['\n', '\u{FEFF}']);
    word.first && left && ITEM_WORDS.contains(&word.text)
}

/// Whether a byte is in a comment.
fn in_comment(text: &str, byte: usize) -> bool {
    let line = text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
    let words = tokens(text, line..byte);
    let end = words.last().map_or(line, Token::end);
    text[end..byte].contains("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> CursorContext<'_> {
        CursorContext::at(text, text.len())
    }

    #[test]
    fn calls_arguments_and_keys_are_found() {
        let it = of(
            "const A = 1\ntrain net on d {\n    epochs = 3\n    optimizer = adam(lr: cosine(1e-3, wa",
        );
        assert_eq!((it.item, it.key, it.typed), (Some("train"), Some("optimizer"), "wa"));
        let call = it.call().expect("a call");
        assert_eq!((call.callee, call.commas, call.is_stage), (Some("cosine"), 1, false));
        assert_eq!(it.open[1].current, Some("lr"));
        let it = of("model net(x: f32[N, 4]) -> f32[N] {\n    x |> conv(3, [1, ");
        let call = it.call().expect("a call");
        assert_eq!((call.callee, call.commas, call.is_stage), (Some("conv"), 1, true));
    }

    #[test]
    fn a_new_line_ends_the_key_before_it() {
        assert_eq!(of("train net {\n    loss = mse\n    ").key, Some("loss"));
        assert_eq!(of("train net {\n    loss = mse\n    epochs ").key, None);
        assert!(of("train net {\n  ep").begins_line("train net {\n  ep", 16));
    }

    #[test]
    fn strings_and_comments_are_told_apart() {
        assert_eq!(of("use \"parts/").string, Some("parts/"));
        assert_eq!(of("use \"parts.nn\"").string, None);
        assert_eq!(of("const A = 1 // lay").item, None);
        assert_eq!(of("const A = \"// no\" + x").item, Some("const"));
    }
}
