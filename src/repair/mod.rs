//! Small edits that might mend a mistake, the smallest first.
//!
//! ```text
//! E0106 `conv` … 3 against 1        →  pad: 1 · stride: 2 · 3 becomes 1 · |> flatten · …
//! ```
//!
//! In: a diagnostic, the trees of the program and their texts. Out: [`Candidate`]s, each with what
//! it costs: a guess of how far the edit is from what the author meant. Most of them mend nothing:
//! whoever asks checks the program again with each, in this order, and keeps what holds. So nothing
//! here needs to be right, only likely, and hardly anything depends on the mistake's code: what is
//! tried follows from the places that the diagnostic points at and the numbers it speaks of.
//!
//! [`scene`] finds what stands at and around those places; [`numbers`], [`arguments`], [`stages`],
//! [`operands`], [`types`] and [`values`] each know one kind of edit. What is written in the manner of
//! another framework is another program as a whole: [`habits`].

mod arguments;
mod edits;
pub mod habits;
mod numbers;
mod operands;
mod removal;
mod scene;
mod stages;
#[cfg(test)]
mod tests;
mod texts;
mod types;
mod values;

pub use removal::takes_away;

pub use edits::{
    argument_as, default, handed_on, occurrences, parameter, with_argument, with_setting,
    without_parameter, without_stage, without_statement,
};

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::{Certainty, Edit, Fix};
use crate::base::source::{Sources, Span};
use crate::syntax::ast;
use scene::Scene;

/// An edit that might mend a mistake.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The edit, not checked.
    pub fix: Fix,
    /// Its distance from the program as it is; the smallest is tried first.
    pub cost: u32,
    /// The place of the number that it chooses; others may be as good there.
    pub choice: Option<NumberPlace>,
}

/// A place where a number stands or may be added: candidates with equal ones are rivals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberPlace {
    /// The number, or the call that gets an argument.
    pub place: Span,
    /// The name of the argument that is added; empty for a number that is there, [`DECLARED`] for
    /// one of a declared shape.
    pub argument: String,
}

/// The name of a place in a declared shape.
const DECLARED: &str = "declared";

impl Candidate {
    /// Whether it declares an extent of 1: that it holds says nothing, since 1 fits any other.
    pub fn is_declared_one(&self) -> bool {
        let declared = self.choice.as_ref().is_some_and(|choice| choice.argument == DECLARED);
        declared && self.fix.edits.iter().all(|edit| edit.text == "1")
    }

    /// An edit that is no choice of a number.
    pub fn new(fix: Fix, cost: u32) -> Candidate {
        Candidate { fix, cost, choice: None }
    }

    /// The same, choosing a number for that.
    fn choosing(self, place: Span, argument: &str) -> Candidate {
        let choice = Some(NumberPlace { place, argument: argument.to_owned() });
        Candidate { choice, ..self }
    }

    /// The same, as something that only the author can decide.
    fn suggested(self) -> Candidate {
        Candidate { fix: self.fix.read_as(Certainty::Suggestion), ..self }
    }
}

/// A program, to look for edits in.
#[derive(Clone, Copy, Debug)]
pub struct RepairInput<'a> {
    /// The trees of the user's files.
    pub files: &'a [ast::File],
    /// The prelude's tree.
    pub prelude: &'a ast::File,
    /// The texts.
    pub sources: &'a Sources,
    /// The number of classes of the data, where known.
    pub classes: Option<usize>,
}

/// Base cost of each kind of edit; the edited text adds to it, and its distance from the
/// places of the mistake ([`scene`]).
mod cost {
    /// An edit that the diagnostic itself proposes; each further proposal costs one more.
    pub const PROPOSED: u32 = 0;
    /// A literal of the wrong kind, written as one of the right kind.
    pub const OTHER_KIND: u32 = 60;
    /// Axes in another order in a declared shape, the order of a shape that is there.
    pub const REORDER: u32 = 80;
    /// Another number in an argument, or in a parameter's own shape.
    pub const NUMBER: u32 = 90;
    /// An argument more: something forgotten is likelier than something written for nothing.
    pub const ARGUMENT: u32 = 85;
    /// A stage more.
    pub const STAGE: u32 = 120;
    /// An operand transposed.
    pub const TRANSPOSED: u32 = 88;
    /// Operands that change places.
    pub const OPERAND: u32 = 130;
    /// Another number, or a number more or less, in a declared shape.
    pub const DECLARED: u32 = 140;
    /// A number's name, or another one.
    pub const NUMBER_NAME: u32 = 120;
    /// Two stages that change places.
    pub const SWAP: u32 = 180;
    /// Another value of the scope.
    pub const NAME: u32 = 190;
    /// An argument less.
    pub const LESS: u32 = 200;
    /// A stage less.
    pub const FEWER: u32 = 220;
    /// Added to what is allowed and hardly ever meant: pooling with padding, a window of one.
    pub const HARDLY: u32 = 130;
}

/// Edits that might mend a mistake, the smallest first, each once.
pub fn candidates(program: &RepairInput<'_>, error: &Diagnostic) -> Vec<Candidate> {
    let proposed = error.fixes.iter().zip(cost::PROPOSED..);
    let mut found: Vec<Candidate> =
        proposed.map(|(fix, cost)| Candidate::new(fix.clone(), cost)).collect();
    // A name that means nothing is a slip, or its author's to explain.
    if matches!(error.code, codes::UNKNOWN_NAME | codes::UNKNOWN_CALLEE) {
        return found;
    }
    let scene = Scene::of(program, error);
    for kind in [
        numbers::edits,
        arguments::edits,
        stages::edits,
        operands::edits,
        types::edits,
        values::edits,
    ] {
        kind(&scene, &mut found);
    }
    // Of equal costs, the edit that stands first in the file: the sort is stable.
    found.sort_by_key(|candidate| {
        let first = candidate.fix.edits.first().map_or(0, |edit| edit.span.start);
        (candidate.cost, first)
    });
    let mut known: std::collections::HashSet<Vec<(Span, String)>> = Default::default();
    found.retain(|candidate| {
        let edits = candidate.fix.edits.iter().map(|edit| (edit.span, edit.text.clone()));
        known.insert(edits.collect())
    });
    found
}

/// Edits of a text that does not parse, the smallest first.
pub fn textual(sources: &Sources, error: &Diagnostic) -> Vec<Candidate> {
    let proposed = error.fixes.iter().zip(cost::PROPOSED..);
    let mut found: Vec<Candidate> =
        proposed.map(|(fix, cost)| Candidate::new(fix.clone(), cost)).collect();
    found.extend(texts::edits(sources, error));
    found
}

/// One edit as a candidate.
fn candidate(
    title: impl Into<String>,
    span: Span,
    text: impl Into<String>,
    cost: u32,
) -> Candidate {
    let edits = vec![Edit { span, text: text.into() }];
    Candidate::new(Fix::new(title, edits), cost)
}

/// Two places that change their texts.
fn swap(scene: &Scene<'_>, [first, second]: [Span; 2], cost: u32) -> Candidate {
    let sources = scene.program.sources;
    let (a, b) = (sources.text(first), sources.text(second));
    let edits =
        vec![Edit { span: first, text: b.to_owned() }, Edit { span: second, text: a.to_owned() }];
    Candidate::new(Fix::new(format!("exchange `{a}` and `{b}`"), edits), cost)
}

/// An empty place before a span.
fn before(span: Span) -> Span {
    Span { end: span.start, ..span }
}

/// An empty place after a span.
fn after(span: Span) -> Span {
    Span { start: span.end, ..span }
}
