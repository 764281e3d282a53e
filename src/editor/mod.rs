//! Editors: a program as it is typed, and all that an editor asks of it, over the Language Server
//! Protocol.
//!
//! ```text
//! a text, edited ──→ [documents]  the texts that a client has open; [lines], [uri]: places of the
//!                                 protocol as bytes, and back
//!                ──→ [analysis]   one look at a program: its trees, findings, the values of its
//!                                 expressions; half-typed items in the form that parses
//!                ──→ [names]      every name with what it names
//!                ──→ hover, hints, completion, signature, outline, tokens, layout, lenses, rename,
//!                    actions      an answer each
//!                ──→ [server]     which message asks for which answer, in which order
//! ```
//!
//! An analysis is made anew after each edit, from nothing but the prelude's tree and the data's
//! schemas, so there is no state that could go wrong; it takes milliseconds. Answers are pure
//! functions of an analysis. Nothing is compiled, no sample is read, no network is used; files are
//! read through [`files`](crate::files). The only part that is allowed to wait is [`server`].

mod actions;
pub mod analysis;
mod completion;
mod context;
pub mod documents;
mod headers;
mod hints;
mod hover;
mod layout;
mod lenses;
pub mod lines;
mod meanings;
pub mod names;
mod outline;
mod published;
mod rename;
pub mod server;
mod signature;
mod tokens;
pub mod uri;

pub use server::{EditorOptions, serve};

use analysis::Analysis;
use documents::OpenText;

/// Gives every answer about a byte of an analysed text, and returns how many things they tell: what must
/// be possible at every byte of any text.
pub fn everything_at(analysis: &Analysis, open: &OpenText, byte: usize) -> usize {
    let mut told = hints::hints(analysis, 0, open.text.len()).len();
    told += usize::from(hover::hover(analysis, byte).is_some());
    told += completion::complete(analysis, open, None, byte).len();
    told += usize::from(signature::help(analysis, &open.text, byte).is_some());
    told += usize::from(rename::definition(analysis, byte).is_some());
    told += usize::from(rename::renamed(analysis, byte).is_ok());
    told += outline::symbols(analysis).len() + outline::folds(&open.text).len();
    told += outline::selections(analysis, byte).len() + lenses::lenses(analysis).len();
    told += tokens::semantic_tokens(analysis, open, 0..open.text.len()).len();
    told + layout::edits(open, 0..open.text.len()).len()
}
