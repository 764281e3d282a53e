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

mod spelling;
mod structure;

use std::ops::Range;

use pest::error::{Error, ErrorVariant, InputLocation};

use crate::base::codes;
use crate::base::diagnostic::{Diagnostic, Edit};
use crate::base::source::{FileId, Span};
use crate::syntax::expected::expected;
use crate::syntax::grammar::Rule;
use crate::syntax::tokens::{Token, TokenKind, tokens};

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

    /// Whether a line, or what a bracket encloses, ends before the place.
    fn dangles(&self) -> bool {
        self.here().is_none_or(|token| token.first || [")", "]", "}"].contains(&token.text))
    }

    /// An operator without a right side is told where it stands, not at what comes after.
    fn dangling(&self) -> Option<&Token<'a>> {
        const OPERATORS: [&str; 18] = [
            "+", "-", "*", "/", "@", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or", "not",
            "=", "<-", "..",
        ];
        self.before().filter(|before| self.dangles() && OPERATORS.iter().any(|it| before.is(it)))
    }

    fn unexpected(&self) -> Diagnostic {
        if let Some(operator) = self.dangling() {
            let wanted = expected(self.rules, None);
            let message = format!("expected {wanted} after `{}`", operator.text);
            return Diagnostic::error(codes::UNEXPECTED, message)
                .primary(self.span(operator), "nothing follows");
        }
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
