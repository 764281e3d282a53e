//! Warnings about a sound program: things that cannot be meant, proven from the whole graph,
//! the syntax tree and what is known of the data.
//!
//! ```text
//! … |> dense(10) |> softmax     train … { loss = cross_entropy }
//!                   ^^^^^^^ W0201: `cross_entropy` takes logits
//! ```
//!
//! In: a sound program and what it means. Out: warnings, each with the edits that would mend it,
//! not checked; and one error that elaboration cannot see, a head narrower than the data's classes.
//! A lint is silent where it is not sure: no schema that was only presumed, no name that hides a
//! layer of the prelude.
//!
//! [`names`] looks at the tree alone, [`graph`] at the graph, [`heads`] at graph and data,
//! [`rates`] at settings.

mod graph;
mod heads;
mod names;
mod rates;
#[cfg(test)]
mod tests;

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::schema::Schema;
use crate::base::source::{Sources, Span};
use crate::elaborate::Experiment;
use crate::graph::{NodeId, OriginId};
use crate::repair;
use crate::syntax::ast::{self, FunctionKind, ItemKind};

/// A sound program, its meaning and its data.
#[derive(Clone, Copy, Debug)]
pub struct LintInput<'a> {
    /// The user's trees, the named file's first.
    pub files: &'a [ast::File],
    /// The prelude's.
    pub prelude: &'a ast::File,
    /// The texts.
    pub sources: &'a Sources,
    /// The elaborated program.
    pub experiment: &'a Experiment,
    /// The schema of its data, where it is known and not presumed.
    pub schema: Option<&'a Schema>,
    /// Whether a step of one sample divides by zero, and where.
    pub zero_of_one: Option<NodeId>,
}

/// All that is suspicious, in the order of the places.
pub fn run(program: &LintInput<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for lint in [heads::lints, heads::grey, graph::lints, names::lints, rates::lints] {
        lint(program, &mut found);
    }
    // What a binding that nothing uses computes has no path to the loss; once is enough.
    let unused: Vec<Span> = found
        .iter()
        .filter(|it| it.code == codes::UNUSED_BINDING)
        .flat_map(|it| &it.fixes)
        .flat_map(|fix| fix.edits.iter().map(|edit| edit.span))
        .collect();
    found.retain(|it| {
        let within = |place: Span| unused.iter().any(|binding| binding.contains(place));
        it.code != codes::NO_PATH || !it.place().is_some_and(within)
    });
    found.sort_by_key(|it: &Diagnostic| it.place().map(|place| (place.file, place.start)));
    found
}

impl<'a> LintInput<'a> {
    /// The innermost place of a chain in the user's files.
    fn user_place(&self, origin: Option<OriginId>) -> Option<Span> {
        let mut chain = self.experiment.train.origins.chain(origin?);
        let user = |span: Span| !self.sources.file(span.file).builtin;
        chain.find(|origin| user(origin.span)).map(|origin| origin.span)
    }

    /// The place of a node in the user's files.
    fn place(&self, node: NodeId) -> Option<Span> {
        self.user_place(self.experiment.train.nodes[node].origin)
    }

    /// The items of the prelude whose code made a node, innermost first.
    fn made_by(&self, node: NodeId) -> Vec<&'a str> {
        let graph = &self.experiment.train;
        let Some(origin) = graph.nodes[node].origin else { return Vec::new() };
        let item = |span: Span| {
            let inside = |item: &&ast::Item| item.span.contains(span);
            match &self.prelude.items.iter().find(inside)?.kind {
                ItemKind::Function(function) => Some(function.name.text.as_str()),
                _ => None,
            }
        };
        graph.origins.chain(origin).filter_map(|origin| item(origin.span)).collect()
    }

    /// Whether the user's files have a function of this kind and name.
    fn declares(&self, kind: FunctionKind, name: &str) -> bool {
        self.files.iter().flat_map(|file| &file.items).any(|item| {
            matches!(&item.kind, ItemKind::Function(function)
                if function.kind == kind && function.name.text == name)
        })
    }

    /// The same program, to look for edits in.
    fn editable(&self) -> repair::RepairInput<'a> {
        repair::RepairInput {
            files: self.files,
            prelude: self.prelude,
            sources: self.sources,
            classes: self.schema.and_then(Schema::classes),
        }
    }

    /// The `train` block of the run.
    fn train(&self) -> Option<&'a ast::Train> {
        let trains =
            self.files.iter().flat_map(|file| &file.items).filter_map(|item| match &item.kind {
                ItemKind::Train(train) if train.model.text == self.experiment.model => Some(train),
                _ => None,
            });
        trains.into_iter().next()
    }
}
