//! Code lenses: what can be done with a `train` block, and what a model comes to.
//!
//! The number of parameters is known from the graph. Memory and time are what `nnc check --time` says,
//! which plans the compiled steps: so they are computed when a client shows the lens of a text that is
//! as it was saved.

use super::analysis::Analysis;
use crate::base::source::Span;
use crate::base::units::{duration, short};
use crate::command::{CheckOptions, check};
use crate::driver::{Request, Session};
use crate::files::read;
use crate::syntax::ast::{FunctionKind, ItemKind};

/// A line above an item.
#[derive(Debug)]
pub(super) struct Lens {
    pub span: Span,
    pub what: LensKind,
}

/// The kinds of line.
#[derive(Debug)]
pub(super) enum LensKind {
    /// Trains the model of a `train` block.
    Train(String),
    /// Checks a model.
    Check(String),
    /// The costs of a model with so many parameters.
    Figures(String, usize),
}

/// The lenses of the file.
pub(super) fn lenses(analysis: &Analysis) -> Vec<Lens> {
    let mut found = Vec::new();
    for item in analysis.tree().into_iter().flat_map(|file| &file.items) {
        let mut add = |span, what| found.push(Lens { span, what });
        match &item.kind {
            ItemKind::Train(train) => {
                let span = Span { end: item.span.start + 5, ..item.span };
                if train.data.is_some() {
                    add(span, LensKind::Train(train.model.text.clone()));
                }
                add(span, LensKind::Check(train.model.text.clone()));
            }
            ItemKind::Function(it) if it.kind == FunctionKind::Model => {
                let model = analysis.models.iter().find(|model| model.name == it.name.text);
                if let Some(model) = model {
                    let name = model.name.clone();
                    add(it.name.span, LensKind::Figures(name, model.parameters));
                }
            }
            _ => {}
        }
    }
    found
}

/// `12 M parameters`.
pub(super) fn counted(parameters: usize) -> String {
    format!("{} parameters", short(parameters as f64).trim_end())
}

/// `12 M parameters, 3.1 GB, about 40 s an epoch`: what the steps of a model take here. Time is told
/// where this machine was measured before, by `nnc check --time` or `nnc doctor`.
pub(super) fn figures(mut session: Session, request: &Request, threads: usize) -> Option<String> {
    let cache = request.cache.as_ref();
    let time = cache.is_some_and(|cache| read::is_there(&cache.join("machine.json")));
    let report = check(&mut session, request, CheckOptions { threads, time }).ok()?;
    let memory = report.run.peak(report.facts.run.total(threads));
    let mut text = format!("{}, {}B", counted(report.parameters), short(memory as f64));
    if let Some(epoch) = report.forecast.and_then(|forecast| forecast.epoch) {
        text += &format!(", about {} an epoch", duration(epoch));
    }
    Some(text)
}
