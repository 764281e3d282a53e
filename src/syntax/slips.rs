//! Why the grammar did not match, in the words of a user.
//!
//! In: the text and the place where pest could not go on. Out: one [`Diagnostic`], with the edit
//! that mends it where it is one of the usual slips.
//!
//! ```text
//! if a <-1 {      `<-` cannot stand in an expression; write `< -`
//! x && y          `&&` is not an operator here; write `and`
//! ```
//!
//! Each slip is recognised from a few tokens around the place, one function a slip, the most
//! specific first; what none of them knows is "expected … found …".

use std::ops::Range;

use pest::error::{Error, ErrorVariant, InputLocation};

use crate::base::diagnostic::{Diagnostic, Edit, nearest};
use crate::base::source::{FileId, Span};
use crate::syntax::codes;
use crate::syntax::expected::expected;
use crate::syntax::literals;
use crate::syntax::parse::Rule;
use crate::syntax::scan::ITEM_WORDS;
use crate::syntax::tokens::{Token, TokenKind, tokens};

/// Words that cannot be names.
pub(super) const RESERVED: [&str; 13] = [
    "if", "else", "let", "param", "state", "repeat", "in", "as", "and", "or", "not", "true",
    "false",
];

/// The error of parsing `chunk` of a file.
pub(super) fn explain(
    file: FileId,
    text: &str,
    chunk: Range<usize>,
    error: &Error<Rule>,
) -> Diagnostic {
    let at = chunk.start
        + match error.location {
            InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
        };
    let rules = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives.as_slice(),
        ErrorVariant::CustomError { .. } => &[],
    };
    let tokens = tokens(text, chunk);
    let index = tokens.partition_point(|token| token.end() <= at);
    let slip = Slip { file, text, tokens: &tokens, index, rules };
    slip.kinds().iter().find_map(|kind| kind(&slip)).unwrap_or_else(|| slip.unexpected())
}

/// The tokens around the place of an error.
struct Slip<'a> {
    file: FileId,
    text: &'a str,
    tokens: &'a [Token<'a>],
    /// The token that does not fit; one past the last at the end.
    index: usize,
    rules: &'a [Rule],
}

impl<'a> Slip<'a> {
    /// The kinds of slip, the most specific first.
    fn kinds(&self) -> [fn(&Self) -> Option<Diagnostic>; 17] {
        [
            Self::string,
            Self::number,
            Self::character,
            Self::arrow,
            Self::foreign_word,
            Self::foreign_operator,
            Self::semicolon,
            Self::train_comma,
            Self::equals_for_colon,
            Self::colon_for_equals,
            Self::equals_in_condition,
            Self::line_start,
            Self::brace_line,
            Self::reserved,
            Self::item,
            Self::stage,
            Self::after_stage,
        ]
    }

    fn here(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.index)
    }

    fn before(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.index.checked_sub(1)?)
    }

    fn after(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.index + 1)
    }

    fn span(&self, token: &Token) -> Span {
        Span::new(self.file, token.start, token.end())
    }

    fn edit(&self, start: usize, end: usize, text: &str) -> Edit {
        Edit { span: Span::new(self.file, start, end), text: text.to_string() }
    }

    fn replace(&self, token: &Token, text: &str) -> Vec<Edit> {
        vec![self.edit(token.start, token.end(), text)]
    }

    /// The innermost bracket open at the place, as an index of its token.
    fn opener(&self) -> Option<usize> {
        let mut depth = 0;
        self.tokens[..self.index].iter().rposition(|token| {
            if token.kind == TokenKind::Sign {
                match token.text {
                    ")" | "]" | "}" => depth += 1,
                    "(" | "[" | "{" => depth -= 1,
                    _ => {}
                }
            }
            depth < 0
        })
    }

    /// Whether the place is directly between the braces of a `train` item.
    fn in_train(&self) -> bool {
        let first = self.tokens.first().is_some_and(|token| token.is("train"));
        first && self.opener().is_some_and(|opener| self.tokens[opener].is("{"))
    }

    fn string(&self) -> Option<Diagnostic> {
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

    fn number(&self) -> Option<Diagnostic> {
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

    fn character(&self) -> Option<Diagnostic> {
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

    fn arrow(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| token.is("<-"))?;
        let error = Diagnostic::error(
            codes::ARROW_IN_EXPRESSION,
            "`<-` writes a state; it cannot stand in an expression",
        )
        .primary(self.span(token), "")
        .help("a statement `name <- value` writes a state as a whole");
        Some(error.fix("compare with a negative number", self.replace(token, "< -")))
    }

    fn foreign_word(&self) -> Option<Diagnostic> {
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

    fn foreign_operator(&self) -> Option<Diagnostic> {
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

    fn semicolon(&self) -> Option<Diagnostic> {
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

    fn train_comma(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| token.is(",") && self.in_train())?;
        let error = Diagnostic::error(
            codes::UNEXPECTED,
            "the settings of a `train` item stand on lines of their own, without `,`",
        )
        .primary(self.span(token), "");
        Some(match self.after() {
            Some(after) if !after.first && !after.is("}") => {
                error.fix("begin a new line", self.replace(token, "\n   "))
            }
            _ => error.fix("remove it", self.replace(token, "")),
        })
    }

    /// `f(a = 1)`, for `f(a: 1)`.
    fn equals_for_colon(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| token.is("="))?;
        let opener = self.opener().filter(|&opener| self.tokens[opener].is("("))?;
        let name = self.before().filter(|before| before.kind == TokenKind::Word)?;
        let directly = ["(", ","].contains(&self.tokens[self.index.checked_sub(2)?].text);
        let call = self.tokens[opener.checked_sub(1)?].kind == TokenKind::Word;
        if !(directly && call) {
            return None;
        }
        let error = Diagnostic::error(codes::EQUALS_SIGN, "a named argument is written with `:`")
            .primary(self.span(token), format!("after the name `{}`", name.text));
        let start = name.end();
        Some(error.fix("write `:`", vec![self.edit(start, token.end(), ":")]))
    }

    /// `loss: mse` in a `train` item, or `let a: 1`.
    fn colon_for_equals(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| token.is(":"))?;
        let word = self.before().filter(|before| before.kind == TokenKind::Word)?;
        let bound =
            self.index >= 2 && ["let", "const", "data"].contains(&self.tokens[self.index - 2].text);
        if !(bound || (self.in_train() && (word.first || self.rules.contains(&Rule::equals)))) {
            return None;
        }
        let what = if bound { "a value is given to a name" } else { "a setting is written" };
        let error = Diagnostic::error(codes::EQUALS_SIGN, format!("{what} with `=`"))
            .primary(self.span(token), "");
        Some(error.fix("write `=`", vec![self.edit(word.end(), token.end(), " =")]))
    }

    fn equals_in_condition(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| token.is("="))?;
        if !self.before().is_some_and(Token::ends_value) {
            return None;
        }
        let error = Diagnostic::error(codes::EQUALS_SIGN, "`=` cannot stand in an expression")
            .primary(self.span(token), "");
        let statement = self.before().is_some_and(|before| before.first);
        Some(match statement {
            true => error.help(
                "a new name is written `let name = value`; a state is written `name <- value`",
            ),
            false => error.fix("compare with `==`", self.replace(token, "==")),
        })
    }

    fn line_start(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| token.first)?;
        let before = self.before().filter(|before| before.ends_value())?;
        if !["-", "(", "["].contains(&token.text) {
            return None;
        }
        let (minus, above) = (self.span(token), self.span(before));
        Some(line_start(self.text, minus, above))
    }

    fn brace_line(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| token.is("{") && token.first)?;
        let before = self.before()?;
        let error = Diagnostic::error(
            codes::BRACE_LINE,
            "a block's `{` stands on the line that it belongs to",
        )
        .primary(self.span(token), "")
        .label(self.span(before), "it belongs after this");
        let between = &self.text[before.end()..token.start];
        Some(match between.trim().is_empty() {
            true => error.fix("move it up", vec![self.edit(before.end(), token.start, " ")]),
            false => error,
        })
    }

    fn reserved(&self) -> Option<Diagnostic> {
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

    fn item(&self) -> Option<Diagnostic> {
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

    fn stage(&self) -> Option<Diagnostic> {
        let pipe = self.before().filter(|before| before.is("|>"))?;
        let error = Diagnostic::error(
            codes::NOT_A_STAGE,
            "what follows `|>` is a call, a name or a `repeat`",
        );
        Some(match self.here() {
            Some(token) => error.primary(self.span(token), "not a stage"),
            None => error.primary(self.span(pipe), "nothing follows"),
        })
    }

    fn after_stage(&self) -> Option<Diagnostic> {
        let operators =
            ["+", "-", "*", "/", "@", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or"];
        let token = self.here().filter(|token| operators.contains(&token.text))?;
        self.before().filter(|before| before.ends_value())?;
        let pipe = self.tokens[..self.index].iter().rfind(|token| token.is("|>"))?;
        let error = Diagnostic::error(
            codes::AFTER_STAGE,
            format!("`{}` binds tighter than `|>`", token.text),
        )
        .primary(self.span(token), "not after a stage")
        .label(self.span(pipe), "the pipeline")
        .help("put the pipeline in parentheses, or give it a name with `let`");
        Some(error)
    }

    fn unexpected(&self) -> Diagnostic {
        let (span, found) = match (self.here(), self.before()) {
            (Some(token), _) => (self.span(token), format!("`{}`", token.text)),
            (None, Some(last)) => {
                let end = Span::new(self.file, last.end(), last.end());
                let rest = self.text[last.end()..].trim().is_empty();
                (end, format!("the end of the {}", if rest { "file" } else { "item" }))
            }
            (None, None) => (Span::new(self.file, 0, 0), "nothing".to_string()),
        };
        let after_value = self.before().is_some_and(Token::ends_value);
        let inside = self.opener().map(|opener| self.tokens[opener].text);
        let wanted = expected(self.rules, inside);
        let error =
            Diagnostic::error(codes::UNEXPECTED, format!("expected {wanted}, found {found}"));
        let error = error.primary(span, format!("expected {wanted}"));
        match self.opener().filter(|_| after_value) {
            Some(opener) if inside != Some("{") => {
                error.label(self.span(&self.tokens[opener]), "inside this bracket")
            }
            _ => error,
        }
    }
}

/// A line that begins with `-`, `(` or `[` after one that could have gone on.
pub(super) fn line_start(text: &str, sign: Span, above: Span) -> Diagnostic {
    let shown = &text[sign.start as usize..sign.end as usize];
    let message = format!("a line that begins with `{shown}` does not continue the one above");
    let error = Diagnostic::error(codes::LINE_START, message)
        .primary(sign, "a new statement begins here")
        .label(Span { start: above.end, ..above }, "the statement above ends here");
    if shown != "-" {
        return error.help(format!("put the `{shown}` on the line above"));
    }
    let end = Span { start: above.end, ..above };
    let edits =
        vec![Edit { span: end, text: " -".to_string() }, Edit { span: sign, text: String::new() }];
    error.help("put the `-` at the end of the line above").fix("move the `-` up", edits)
}
