//! Slips in how tokens are put together: one sign for another, a line that does not go on, what is
//! no stage.
//!
//! ```text
//! f(axis = 1)      a named argument is written with `:`
//! x |> f + 1       `+` binds tighter than `|>`
//! ```

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::syntax::grammar::Rule;
use crate::syntax::slips::{Slip, line_start};
use crate::syntax::tokens::{Token, TokenKind};

impl Slip<'_> {
    pub(super) fn arrow(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| token.is("<-"))?;
        let error = Diagnostic::error(
            codes::ARROW_IN_EXPRESSION,
            "`<-` writes a state; it cannot stand in an expression",
        )
        .primary(self.span(token), "")
        .help("a statement `name <- value` writes a state as a whole");
        Some(error.fix("compare with a negative number", self.replace(token, "< -")))
    }

    pub(super) fn train_comma(&self) -> Option<Diagnostic> {
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
    pub(super) fn equals_for_colon(&self) -> Option<Diagnostic> {
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
        let spaced = self.text[token.end()..].starts_with(char::is_whitespace);
        let colon = if spaced { ":" } else { ": " };
        Some(error.fix("write `:`", vec![self.edit(start, token.end(), colon)]))
    }

    /// `loss: mse` in a `train` item, or `let a: 1`.
    pub(super) fn colon_for_equals(&self) -> Option<Diagnostic> {
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

    pub(super) fn equals_in_condition(&self) -> Option<Diagnostic> {
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

    pub(super) fn line_start(&self) -> Option<Diagnostic> {
        let token = self.here().filter(|token| token.first)?;
        let before = self.before().filter(|before| before.ends_value())?;
        if !["-", "(", "["].contains(&token.text) {
            return None;
        }
        let (minus, above) = (self.span(token), self.span(before));
        Some(line_start(self.text, minus, above))
    }

    pub(super) fn brace_line(&self) -> Option<Diagnostic> {
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

    pub(super) fn stage(&self) -> Option<Diagnostic> {
        let pipe = self.before().filter(|before| before.is("|>"))?;
        let error = Diagnostic::error(
            codes::NOT_A_STAGE,
            "what follows `|>` is a call, a name or a `repeat`",
        );
        Some(match self.here() {
            Some(token) if !self.dangles() => error.primary(self.span(token), "not a stage"),
            _ => Diagnostic::error(codes::NOT_A_STAGE, "no stage follows this `|>`")
                .primary(self.span(pipe), "")
                .help("write the stage, or leave the `|>` out"),
        })
    }

    pub(super) fn after_stage(&self) -> Option<Diagnostic> {
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
}
