//! Slips within one token: malformed numbers and strings, characters, words and operators of other
//! languages.
//!
//! ```text
//! 1.        `1.` is not a number; write `1.0`
//! modle     did you mean `model`?
//! ```

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::names::nearest;
use crate::base::source::Span;
use crate::syntax::grammar::Rule;
use crate::syntax::literals;
use crate::syntax::scan::ITEM_WORDS;
use crate::syntax::slips::Slip;
use crate::syntax::tokens::RESERVED;
use crate::syntax::tokens::{Token, TokenKind};

impl Slip<'_> {
    pub(super) fn string(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| token.kind == TokenKind::Str)?;
        if let Some((at, length)) = literals::bad_escape(token.text) {
            let start = token.start + at;
            let error = Diagnostic::error(codes::BAD_ESCAPE, "an escape that means nothing")
                .primary(Span::new(self.file, start, start + length), "not an escape")
                .help(r#"write `\\` for a backslash; the others are `\"`, `\n`, `\t`, `\r`, `\0` and `\u{…}`"#);
            return Some(error);
        }
        if token.text.len() > 1 && token.text.ends_with('"') {
            return None;
        }
        let error = Diagnostic::error(codes::UNCLOSED_STRING, "this string is never closed")
            .primary(self.span(token), "no `\"` before the end of the line")
            .help("write a line break within a string as `\\n`");
        Some(error)
    }

    pub(super) fn number(&self) -> Option<Diagnostic> {
        let here = self.here()?;
        let after = self.after().filter(|after| after.start == here.end());
        if let (".", Some(digits)) = (here.text, after)
            && digits.kind == TokenKind::Number
            && self.before().is_none_or(|before| !before.ends_value() || before.end() < here.start)
        {
            let span = self.span(here).to(self.span(digits));
            let error =
                Diagnostic::error(codes::BAD_NUMBER, "a float has a digit before its point")
                    .primary(span, "")
                    .fix("write the zero", vec![self.edit(here.start, here.start, "0")]);
            return Some(error);
        }
        if here.kind != TokenKind::Number || literals::is_number(here.text) {
            return None;
        }
        let error =
            Diagnostic::error(codes::BAD_NUMBER, format!("`{}` is not a number", here.text));
        let error = error.primary(self.span(here), "");
        let digits = here.text.trim_end_matches('.');
        if literals::is_number(digits) && digits.len() + 1 == here.text.len() {
            let edit = self.edit(here.end(), here.end(), "0");
            return Some(
                error.help("a float has a digit after its point").fix("write the zero", vec![edit]),
            );
        }
        Some(error.help(
            "numbers look like `12`, `1_000`, `0.5` or `1e-3`; names do not begin with a digit",
        ))
    }

    pub(super) fn character(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| token.kind == TokenKind::Other)?;
        let meant = match token.text {
            "'" | "`" | "\u{201c}" | "\u{201d}" | "\u{2018}" | "\u{2019}" => Some("\""),
            "\u{2212}" | "\u{2013}" | "\u{2014}" => Some("-"),
            "\u{d7}" | "\u{b7}" => Some("*"),
            "\u{2264}" => Some("<="),
            "\u{2265}" => Some(">="),
            "\u{2260}" => Some("!="),
            "\u{a0}" | "\u{2003}" | "\u{2009}" | "\u{202f}" | "\u{200b}" => Some(" "),
            "#" => Some("//"),
            _ => None,
        };
        let code = token.text.chars().next().map_or(0, u32::from);
        let shown = match token.text {
            "'" => "'".to_string(),
            text => text.escape_debug().to_string(),
        };
        let message = format!("the character `{}` means nothing here", shown);
        let error = Diagnostic::error(codes::BAD_CHARACTER, message)
            .primary(self.span(token), format!("U+{code:04X}"));
        Some(match meant {
            Some("\"") => error.help("strings stand between `\"` and `\"`"),
            Some(" ") => error.fix("write a space", self.replace(token, " ")),
            Some(meant) => error.fix(format!("write `{meant}`"), self.replace(token, meant)),
            None => error,
        })
    }

    pub(super) fn foreign_word(&self) -> Option<Diagnostic> {
        let (token, advice) =
            [self.here(), self.before()].into_iter().flatten().find_map(|token| {
                let advice = match token.text {
                    "return" => "a block's last expression is its value",
                    "elif" => "write `else if`",
                    "for" | "while" => "write `|> repeat n { … }` to repeat stages",
                    "var" | "mut" | "const" => "write `let name = value`",
                    "fn" | "def" | "func" | "function" | "class" => {
                        "write `layer name(…) -> type { … }`"
                    }
                    "import" | "from" | "include" => "write `use \"file.nn\"`",
                    _ => return None,
                };
                (token.kind == TokenKind::Word).then_some((token, advice))
            })?;
        // `const` begins an item; elsewhere it is another language's `let`.
        if token.is("const") && self.opener().is_none() {
            return None;
        }
        let message = format!("`{}` is not a word of the language", token.text);
        Some(
            Diagnostic::error(codes::FOREIGN_OPERATOR, message)
                .primary(self.span(token), "")
                .help(advice),
        )
    }

    pub(super) fn foreign_operator(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| token.kind == TokenKind::Sign)?;
        let doubled = self.after().filter(|after| after.start == token.end());
        let (meant, advice) = match token.text {
            "&&" | "&" => ("and", "write `and`"),
            "||" | "|" => ("or", "write `or`"),
            "!" => ("not ", "write `not`"),
            "**" => ("^", "write `^`"),
            "===" => ("==", "write `==`"),
            "!==" => ("!=", "write `!=`"),
            "..." => ("..", "write `..`"),
            "%" => ("", "there is no remainder operator"),
            "+=" | "-=" | "*=" | "/=" | "**=" => ("", "write `name <- name + value`"),
            ":=" | "=>" | "::" | "~" => ("", ""),
            ">" if doubled.is_some_and(|after| after.is(">")) => ("", "there are no shifts"),
            "<" if doubled.is_some_and(|after| after.is("<")) => ("", "there are no shifts"),
            _ => return None,
        };
        let message = format!("`{}` is not an operator of the language", token.text);
        let error =
            Diagnostic::error(codes::FOREIGN_OPERATOR, message).primary(self.span(token), "");
        Some(match (meant, advice) {
            ("", "") => error,
            ("", advice) => error.help(advice),
            (meant, advice) => error.fix(advice, self.replace(token, meant)),
        })
    }

    pub(super) fn semicolon(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| token.is(";"))?;
        let error =
            Diagnostic::error(codes::SEMICOLON, "statements end with their line, without `;`")
                .primary(self.span(token), "");
        Some(match self.after() {
            Some(after) if !after.first && !after.is("}") => {
                error.help("begin a new line after each statement")
            }
            _ => error.fix("remove it", self.replace(token, "")),
        })
    }

    pub(super) fn reserved(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| RESERVED.contains(&token.text))?;
        if !self.rules.contains(&Rule::name) || self.before().is_some_and(Token::ends_value) {
            let binds = ["let", "param", "state", "layer", "model", "as"];
            if !self.before().is_some_and(|before| binds.contains(&before.text)) {
                return None;
            }
        }
        let message = format!("`{}` is a word of the language and cannot be a name", token.text);
        Some(
            Diagnostic::error(codes::RESERVED_WORD, message)
                .primary(self.span(token), "expected a name"),
        )
    }

    pub(super) fn item(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|_| self.opener().is_none())?;
        let header =
            self.tokens[..self.index].iter().rev().take_while(|token| !token.first).count();
        let header = self.index.checked_sub(header + 1).map(|first| &self.tokens[first]);
        let misspelled = header.filter(|word| !ITEM_WORDS.contains(&word.text) && word.first);
        let token = match (token.first, misspelled) {
            (true, _) => token,
            (false, Some(word)) if word.kind == TokenKind::Word => word,
            _ => return None,
        };
        if self.before().is_some_and(|before| !before.ends_value())
            && token.first
            && misspelled.is_none()
        {
            return None;
        }
        if ITEM_WORDS.contains(&token.text) {
            return None;
        }
        let error = Diagnostic::error(codes::NOT_AN_ITEM, "expected an item")
            .primary(self.span(token), "this begins none");
        Some(match nearest(token.text, ITEM_WORDS) {
            Some(word) => error
                .help(format!("did you mean `{word}`?"))
                .fix(format!("write `{word}`"), self.replace(token, word)),
            None => error.help(format!("items begin with `{}`", ITEM_WORDS.join("`, `"))),
        })
    }
}
