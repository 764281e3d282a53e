//! Text to syntax tree, and back to tidy text. The only user of pest.

pub mod ast;
