//! How elaboration reports what is wrong.
//!
//! A place in the prelude is told as the user's call that led there, with the prelude's words as a
//! note; a place in a layer of the user's gets the calls of that layer; a shape that does not fit gets
//! the lines that fixed its dimensions. The same mistake is told once.

use super::context::{Elaborator, ErrorReported, Eval};
use super::scope::CallFrame;
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::limits;
use crate::base::source::Span;
use crate::graph::{DimOrigin, Mismatch, NodeId, OriginId};
use crate::syntax::ast::FunctionKind;

/// How many of the calls that led to an error are shown.
const MOST_CALLS_SHOWN: usize = 3;

impl<'a> Elaborator<'a> {
    /// Reports an error. Places in the prelude are told as the call that led there.
    pub fn report(&mut self, mut error: Diagnostic) -> ErrorReported {
        // Whoever has a hundred mistakes to mend does not look for the next one here.
        if self.stopped || self.diagnostics.len() >= limits::FINDINGS {
            self.stopped = true;
            return ErrorReported;
        }
        let labels = std::mem::take(&mut error.labels);
        // What goes wrong in the prelude's own code is one mistake of the call.
        let in_prelude =
            labels.iter().any(|label| label.primary && self.items.in_prelude(label.span));
        for mut label in labels {
            if !self.items.in_prelude(label.span) {
                error.labels.push(label);
                continue;
            }
            let Some((span, callee)) = self.innermost_user_call() else { continue };
            let said = std::mem::take(&mut label.text);
            let note = if said.is_empty() {
                format!("in the prelude's `{callee}`")
            } else {
                format!("in the prelude's `{callee}`: {said}")
            };
            error.notes.push(note);
            if label.primary {
                label.span = span;
                label.text = "in this call".into();
                error.labels.push(label);
            }
        }
        let error = self.with_calls(error);
        // A mistake in a layer that is called three times is one mistake.
        let in_layer =
            (in_prelude || self.calls_of_user().next().is_some()) && error.place().is_some();
        let known = |known: &Diagnostic| match in_layer {
            true => known.code == error.code && known.place() == error.place(),
            false => *known == error,
        };
        if self.diagnostics.iter().any(known) {
            return ErrorReported;
        }
        self.stopped |= self.tolerated.is_some_and(|known| !known.iter().any(|it| it.is(&error)));
        self.diagnostics.push(error);
        ErrorReported
    }

    /// The calls of layers of the user's files that are in progress, innermost first.
    fn calls_of_user(&self) -> impl Iterator<Item = &CallFrame<'a>> {
        let is_layer = |frame: &&CallFrame<'a>| {
            frame.kind == Some(FunctionKind::Layer)
                && !frame.builtin
                && frame.call.is_some_and(|call| !self.items.in_prelude(call))
        };
        self.frames.iter().rev().filter(is_layer)
    }

    /// Adds the calls that led to a place in a layer of the user's files.
    fn with_calls(&self, mut error: Diagnostic) -> Diagnostic {
        if error.code == codes::RECURSION {
            return error;
        }
        // What is wrong with a call itself is shown there.
        let inside = |call: Span, error: &Diagnostic| {
            !error.labels.iter().any(|label| label.primary && call.contains(label.span))
        };
        let mut path = None;
        for frame in self.calls_of_user().take(MOST_CALLS_SHOWN) {
            let Some(call) = frame.call.filter(|&call| inside(call, &error)) else { continue };
            path = path.or(Some(&frame.path));
            error = error.label(call, format!("in this call of `{}`", frame.name));
        }
        match path.filter(|path| path.contains('.')) {
            Some(path) => error.note(format!("found in `{path}`")),
            None => error,
        }
    }

    /// Something that only the data can tell: an error, unless what is wrong with them has been
    /// reported.
    pub fn needs_data(&mut self, error: Diagnostic) -> ErrorReported {
        if self.data_failed { ErrorReported } else { self.report(error) }
    }

    /// An error at a place.
    pub fn error(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
    ) -> ErrorReported {
        self.report(Diagnostic::error(code, message).primary(span, ""))
    }

    /// An error at a place, with a way out.
    pub fn error_help(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> ErrorReported {
        self.report(Diagnostic::error(code, message).primary(span, "").help(help))
    }

    /// The innermost place in the user's files, and what was called there.
    pub fn innermost_user_call(&self) -> Option<(Span, &'a str)> {
        let calls = self.frames.iter().rev().filter_map(|frame| Some((frame.call?, frame.name)));
        calls.into_iter().find(|(span, _)| !self.items.in_prelude(*span))
    }

    /// A place as the user can see it: of one in the prelude, the call that led there.
    pub fn seen(&self, span: Span) -> Span {
        match self.innermost_user_call() {
            Some((call, _)) if self.items.in_prelude(span) => call,
            _ => span,
        }
    }

    /// The builder's node; its refusal becomes a diagnostic at a place.
    pub fn built(
        &mut self,
        span: Span,
        args: &[NodeId],
        built: Result<NodeId, Mismatch>,
    ) -> Eval<Value> {
        match built {
            Ok(node) => Ok(Value::Tensor(node)),
            Err(mismatch) => Err(self.mismatch(span, args, &mismatch)),
        }
    }

    /// Reports why an operator could not be built, and what fixed the dimensions concerned.
    pub fn mismatch(&mut self, span: Span, args: &[NodeId], mismatch: &Mismatch) -> ErrorReported {
        let mut error =
            Diagnostic::error(codes::SHAPE, mismatch.message.clone()).primary(span, "here");
        error.notes.extend(mismatch.notes.iter().cloned());
        for &(arg, axis) in &mismatch.axes {
            if let Some(&node) = args.get(arg) {
                error = self.explain_dim(error, node, axis);
            }
        }
        self.report(error)
    }

    /// Adds where a dimension came from: which line fixed it, through which operator.
    pub fn explain_dim(&self, mut error: Diagnostic, node: NodeId, axis: usize) -> Diagnostic {
        let graph = &self.builder.graph;
        let Some(&dim) = graph.ty(node).shape.get(axis) else { return error };
        let (mut node, mut axis) = (node, axis);
        // Arguments come before uses, so every step goes to a smaller id.
        while let Some(&DimOrigin::From(arg, arg_axis)) = graph.dim_origins.get(&(node, axis)) {
            if arg == node {
                return error;
            }
            (node, axis) = (arg, arg_axis);
        }
        match graph.dim_origins.get(&(node, axis)) {
            Some(DimOrigin::Written(origin)) => {
                let text = format!("{dim} is fixed here");
                let known = |span| {
                    error.labels.iter().any(|label| label.span == span && label.text == text)
                };
                if let Some(span) = self.user_place(*origin).filter(|&span| !known(span)) {
                    error = error.label(span, text);
                }
            }
            Some(DimOrigin::Formula(origin, formula)) => {
                let text = if formula.contains('=') {
                    format!("{formula}, computed here")
                } else {
                    format!("{dim} ({formula}) is computed here")
                };
                let known = |span| {
                    error.labels.iter().any(|label| label.span == span && label.text == text)
                };
                if let Some(span) = self.user_place(*origin).filter(|&span| !known(span)) {
                    error = error.label(span, text);
                }
            }
            Some(DimOrigin::Data(name)) => {
                let says = format!("{dim} is given by {name}");
                // The text ends in the item's name.
                let item = self
                    .items
                    .data
                    .iter()
                    .find(|item| name.ends_with(&format!("`{}`", item.name.text)));
                let known = |span| error.labels.iter().any(|label| label.span == span);
                error = match item.map(|item| item.name.span).filter(|&span| !known(span)) {
                    Some(span) => error.label(span, says),
                    None => error.note(says),
                };
            }
            Some(DimOrigin::From(..)) | None => {}
        }
        error
    }

    /// The innermost place of a chain in the user's files.
    fn user_place(&self, origin: OriginId) -> Option<Span> {
        let mut chain = self.builder.graph.origins.chain(origin);
        chain.find(|origin| !self.items.in_prelude(origin.span)).map(|origin| origin.span)
    }
}
