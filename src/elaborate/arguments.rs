//! Arguments before they meet their parameters: as written, and what a bare word among them means.
//!
//! ```text
//! dense(x, 10, init: he_normal)      Passed { name: None, given: Expr(x) }, …,
//!                                    Passed { name: Some(init), given: Expr(he_normal) }
//! ```

use super::value::Value;
use crate::base::source::Span;
use crate::syntax::ast::{self, Arg, Expr, Name};

/// An argument before its parameter is known.
#[derive(Clone)]
pub(super) enum Given<'a> {
    /// A value, and the place it came from: what is piped in.
    Value(Value, Span),
    /// An expression, evaluated once its parameter says what a bare word means.
    Expr(&'a Expr),
    /// A value that could not be computed, and its place: the other arguments are still looked at.
    Failed(Span),
}

impl Given<'_> {
    /// Its place.
    pub fn span(&self) -> Span {
        match self {
            Given::Value(_, span) | Given::Failed(span) => *span,
            Given::Expr(expr) => expr.span,
        }
    }
}

/// An argument with the name before its colon, if any.
pub(super) struct Passed<'a> {
    /// The name.
    pub name: Option<&'a Name>,
    /// The argument.
    pub given: Given<'a>,
}

/// The arguments of a call as written.
pub(super) fn written(args: &[Arg]) -> impl Iterator<Item = Passed<'_>> {
    args.iter().map(|arg| Passed { name: arg.name.as_ref(), given: Given::Expr(&arg.value) })
}

/// A parameter, as far as finding its argument goes.
pub(super) struct ParamPlace<'n> {
    /// Its name.
    pub name: &'n str,
    /// Whether it must be given.
    pub required: bool,
}

/// The kind of value that a place takes, where that decides the meaning of a bare word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// Nothing in particular: a word must be a name in scope.
    Any,
    /// An initializer: `he_normal` is one.
    Initializer,
    /// A word with a meaning of its own: `same`, `f32`.
    Word,
    /// A number; a schedule may stand for one that changes while training runs.
    Number,
}

/// The kind of value that an argument of this parameter has.
pub(super) fn expectation(param: &ast::ParamDecl) -> Expect {
    match param.ty.as_ref().map(|ty| ty.name.text.as_str()) {
        Some("initializer") => Expect::Initializer,
        Some("padding" | "string") => Expect::Word,
        // Where no schedule can stand, the report of the wrong kind says so.
        Some("f32" | "float" | "int") if param.ty.as_ref().is_some_and(|ty| ty.dims.is_none()) => {
            Expect::Number
        }
        _ => Expect::Any,
    }
}
