//! Text to syntax tree, and back to tidy text. The only user of pest.

pub mod ast;
mod bounds;
mod dump;
mod expected;
mod format;
mod grammar;
mod layout;
mod literals;
mod parse;
mod reached;
mod recover;
mod scan;
mod slips;
mod tokens;
mod tree;
pub mod walk;
mod write;

pub use bounds::{measure, too_large};
pub use dump::dump;
pub use format::{WIDTH, format};
pub use parse::parse;
pub use reached::parse_reached;
pub use recover::recovered;
pub use scan::{ITEM_WORDS, MAX_NESTING};
pub use tokens::{RESERVED, Token, TokenKind, tokens};

#[cfg(test)]
mod tests;
