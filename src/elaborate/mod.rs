//! Syntax tree to graph: what a program means.
//!
//! In: the parsed files of a program, the parsed prelude, and what is known of the data. Out: an
//! [`Experiment`]: the training graph (loss, metrics, output), the evaluation graph over the same
//! parameters, the optimizer's rule as a graph of scalars, and the settings of the run; or every
//! error that could be found.
//!
//! ```text
//! model net(x: f32[N, 4]) -> f32[N, 2] { x |> dense(2) }
//!
//! input0 x: f32[N, 4]
//! param0 dense.weight: f32[4, 2]        the prelude's `dense`, on the path `dense`
//! param1 dense.bias: f32[2]
//! %5 = matmul %0, %1 …
//! output output = %7
//! ```
//!
//! The core of the language is here; what makes an experiment of it, the `train` block and its
//! settings, is the room [`train`], which the core does not know.
//!
//! Layers are functions that run now: a call binds its arguments and dimensions
//! ([`scope`], [`types`]), takes a path for its parameters ([`paths`]), and elaborates its body
//! ([`expr`], [`stage`], [`call`]), down to built-in operators ([`builtins`]), which build nodes.
//! Compile-time values ([`value`]) are numbers, lists and words; whatever they decide (`if`,
//! `repeat`) is decided here. Layers, losses, optimizers and initializers of the prelude take the
//! same way as a user's.
//!
//! Not here: reading files, what sources and transforms do (their calls are handed out as
//! [`DataRequest`]), derivatives and the optimizer's updates (passes), and any number of the
//! batch: `N` stays a symbol.

mod arguments;
mod builtins;
mod call;
mod comparison;
mod constants;
mod context;
mod data;
mod declare;
mod dims;
mod documentation;
mod domain;
mod driven;
mod expr;
mod index;
mod init;
mod items;
mod member;
mod noting;
mod open_scan;
mod operator;
mod over;
mod paths;
mod patterns;
mod reports;
mod scan;
mod schedule;
mod scope;
mod sizes;
mod stage;
mod trace;
mod train;
mod types;
mod uses;
mod value;

#[cfg(test)]
mod tests;

pub use crate::graph::OverSplit;
pub use builtins::{CHANNELS_FIRST, operators};
pub use data::{DataLiteral, DataRequest, FieldCall, SourceArg, SourceCall};
pub use documentation::{DocBlock, DocKind, Documentation, ItemDoc, ItemSource, MANUAL};
pub use driven::{Driven, WarmUp};
pub use patterns::{known_patterns, matches as path_matches};
pub use trace::{LayerCost, ShownValue, ValueTrace};
pub use train::{
    DEFAULT_OPTIMIZER, Experiment, GRADIENT_KEYS, SCHEDULED, TRAIN_KEYS, Training, data_request,
    elaborate, preparation, several_models,
};
pub use uses::{Use, cycle, missing_file, uses};

use crate::base::diagnostic::Diagnostic;
use crate::base::limits::Budget;
use crate::base::schema::Schema;
use crate::base::source::Span;
use crate::syntax::ast::File;

/// The text of the prelude.
pub const PRELUDE: &str = include_str!("prelude.nn");
/// Name of the prelude's file in diagnostics.
pub const PRELUDE_NAME: &str = "<prelude>";

/// The parsed files of a program.
#[derive(Clone, Copy, Debug)]
pub struct ProgramFiles<'a> {
    /// The file that was named first, then those it uses, each once, in any order.
    pub files: &'a [File],
    /// The prelude, parsed from [`PRELUDE`].
    pub prelude: &'a File,
}

/// The model to elaborate, and the schemas of its data.
#[derive(Clone, Debug, Default)]
pub struct ElaborateOptions {
    /// The model, where the program has several.
    pub model: Option<String>,
    /// Schemas of the data, by the name of the `data` item.
    pub schemas: Vec<(String, Schema)>,
    /// Whether what is wrong with the data has been reported, so that what only they can tell is
    /// unknown, and no error.
    pub data_failed: bool,
    /// Whether samples that are given without data are mixtures of two: `label_2` and `mix` come
    /// with them.
    pub mixed: bool,
    /// Where only one question is asked, the errors that are known: any other ends the work.
    pub tolerated: Option<Vec<Tolerated>>,
    /// The steps that may be taken; [`Budget::spent`] says how many were.
    pub budget: Budget,
    /// Where the values of expressions are noted by their places, if anyone wants them.
    pub trace: Option<ValueTrace>,
}

/// An error that may be found, by what it says and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Tolerated {
    /// Its code.
    pub code: &'static str,
    /// Its message.
    pub message: String,
    /// Its primary place.
    pub place: Option<Span>,
}

impl Tolerated {
    /// Whether it is this one.
    pub fn is(&self, error: &Diagnostic) -> bool {
        self.code == error.code && self.place == error.place() && self.message == error.message
    }
}
