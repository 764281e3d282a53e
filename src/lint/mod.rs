//! Warnings about a sound program: things that cannot be meant, proven from the whole graph,
//! the syntax tree and what is known of the data.
//!
//! ```text
//! … |> dense(10) |> softmax     train … { loss = cross_entropy }
//!                   ^^^^^^^ W0201: `cross_entropy` takes logits
//! ```
//!
//! In: a sound program and what it means. Out: warnings, each with the edits that would mend it,
//! not checked; and three errors that elaboration cannot see: a head narrower than the data's classes, an
//! embedding smaller than its field, more folds than samples.
//! A lint is silent where it is not sure: no schema that was only presumed, no name that hides a
//! layer of the prelude.
//!
//! [`names`] looks at the tree alone, [`graph`] at the graph, [`heads`], [`embeddings`] and
//! [`targets`] at graph and data, [`rates`] at settings, [`folds`] at one of them and at the data.

mod embeddings;
mod folds;
mod graph;
mod heads;
mod names;
mod rates;
mod targets;
#[cfg(test)]
mod tests;

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::schema::Schema;
use crate::base::source::{Sources, Span};
use crate::elaborate::Experiment;
use crate::graph::{DimOrigin, NodeId, Op, OriginId};
use crate::repair;
use crate::syntax::ast::{self, ExprKind, FunctionKind, ItemKind};

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

/// A `data` item.
struct DataItem<'a> {
    /// The place of its source, without the transforms.
    source: Span,
    /// The fields that it declares.
    fields: &'a [ast::FieldDecl],
}

/// All that is suspicious, in the order of the places.
pub fn run(program: &LintInput<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let lints = [
        heads::lints,
        heads::grey,
        embeddings::lints,
        targets::lints,
        graph::lints,
        names::lints,
        rates::lints,
        folds::lints,
    ];
    for lint in lints {
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

    /// The place that fixed the extent of a value's axis, in the user's files.
    fn extent_place(&self, node: NodeId, axis: usize) -> Option<Span> {
        match self.experiment.train.dim_origin(node, axis)? {
            DimOrigin::Written(origin) | DimOrigin::Formula(origin, _) => {
                self.user_place(Some(*origin))
            }
            DimOrigin::Data(_) | DimOrigin::From(..) => None,
        }
    }

    /// The input of the step that a value is: elements in another order or type, or some of them.
    fn input_behind(&self, mut node: NodeId) -> Option<&'a str> {
        let graph = &self.experiment.train;
        loop {
            match graph.nodes[node].op {
                Op::Cast(_) | Op::Reshape(_) | Op::Broadcast(_) | Op::Transpose(_) => {}
                Op::Slice(_) => {}
                Op::Input(input) => return Some(&graph.inputs[input].name),
                _ => return None,
            }
            node = graph.nodes[node].args[0];
        }
    }

    /// The name of the data that the model is trained on.
    fn data_name(&self) -> Option<&'a str> {
        self.experiment.training.as_ref()?.data.as_deref()
    }

    /// The `data` item that the model is trained on.
    fn data_item(&self) -> Option<DataItem<'a>> {
        let wanted = &self.train()?.data.as_ref()?.text;
        let items = self.files.iter().flat_map(|file| &file.items);
        let mut items = items.filter_map(|item| match &item.kind {
            ItemKind::Data { name, value, fields } if name.text == *wanted => Some((value, fields)),
            _ => None,
        });
        let (mut source, fields) = items.next()?;
        while let ExprKind::Pipe(before, _) = &source.kind {
            source = before;
        }
        Some(DataItem { source: source.span, fields: fields.as_deref().unwrap_or_default() })
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
