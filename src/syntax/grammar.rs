//! The parser that `grammar/nn.pest` generates, and its rules.
#![allow(missing_docs)] // One variant a grammar rule.

use crate::base::diagnostic::Diagnostic;

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/nn.pest"]
pub(super) struct Grammar;

/// A result whose error is kept small: most calls succeed.
pub(super) type ParseResult<T> = Result<T, Box<Diagnostic>>;
