//! The grammar of `.nn` files for tree-sitter, and the queries that editors use.

use tree_sitter_language::LanguageFn;

unsafe extern "C" {
    fn tree_sitter_nn() -> *const ();
}

/// The language, for `tree_sitter::Parser::set_language`.
// SAFETY: the generated parser gives a language of the form that this function is for.
pub const LANGUAGE: LanguageFn = unsafe { LanguageFn::from_raw(tree_sitter_nn) };

/// Colours.
pub const HIGHLIGHTS: &str = include_str!("../../queries/highlights.scm");
/// Scopes and definitions.
pub const LOCALS: &str = include_str!("../../queries/locals.scm");
/// Places that can be folded.
pub const FOLDS: &str = include_str!("../../queries/folds.scm");
/// Documentation as Markdown.
pub const INJECTIONS: &str = include_str!("../../queries/injections.scm");
/// Indents of new lines.
pub const INDENTS: &str = include_str!("../../queries/indents.scm");
