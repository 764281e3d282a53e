//! Syntax tree to graph. The prelude, written in the language, is `prelude.nn`.
