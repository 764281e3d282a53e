//! Stages after `|>`: calls, `repeat`, and the names that `as` gives.
//!
//! `x |> repeat 3 { residual(16) }` elaborates `residual(16)` three times, each with parameters of
//! its own (`residual`, `residual_2`, `residual_3`). `… as head` names a stage; applying `head`
//! again runs it on the same path, so that it finds the parameters that the first time declared.

use super::arguments::Expect;
use super::arguments::Given;
use super::context::{Elaborator, ErrorReported, Eval};
use super::paths;
use super::scope::{Binding, BlockNames, NamedStage, Role};
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::syntax::ast::{Expr, Name, PipeStage, StageKind};
use std::collections::HashMap;
use std::rc::Rc;

/// How often one `repeat` may run.
const MOST_REPEATS: i64 = 10_000;

impl<'a> Elaborator<'a> {
    /// Applies a stage to what is piped in.
    pub fn stage(&mut self, stage: &'a PipeStage, input: Value, input_span: Span) -> Eval<Value> {
        self.count_stage(stage.span)?;
        let from = self.builder.graph.nodes.len();
        let given = self.trace.map(|_| input.clone());
        let value = self.named_stage(stage, input, input_span);
        self.note_value(stage.span, value.as_ref().ok(), given.as_ref(), from);
        value
    }

    /// Applies a stage, and keeps it where `as` names it.
    fn named_stage(&mut self, stage: &'a PipeStage, input: Value, input_span: Span) -> Eval<Value> {
        let Some(label) = &stage.label else {
            return self.apply(stage, input, input_span, None);
        };
        let path = self.label_path(label, stage.span)?;
        // Kept before the stage runs: it sees the names that it saw the first time.
        self.spend(self.frame().size(), stage.span)?;
        let blocks = self.frame().blocks.clone();
        let result = self.apply(stage, input, input_span, Some(path.clone()));
        let binding = match result {
            Ok(_) => Binding::Label(Rc::new(NamedStage { stage, path, blocks }), label.span),
            Err(ErrorReported) => Binding::Failed(label.span),
        };
        self.frame_mut().bind(&label.text, binding);
        result
    }

    /// The path of a stage named by `as`.
    fn label_path(&mut self, label: &'a Name, stage: Span) -> Eval<String> {
        let frame = self.frame_mut();
        if let Some(&earlier) = frame.labels.get(label.text.as_str()) {
            // The same stage again is a `repeat`'s, whose names are numbered.
            if earlier != stage {
                let message = format!("two stages are named `{}`", label.text);
                let error = Diagnostic::error(codes::LABEL, message)
                    .primary(label.span, "named again here")
                    .label(earlier, "the first")
                    .help("names of stages name parameters: give each its own");
                return Err(self.report(error));
            }
        }
        frame.labels.insert(&label.text, stage);
        let name = paths::next(&mut frame.taken, &label.text);
        Ok(paths::join(&frame.path, &name))
    }

    /// Applies a stage, on a given path if it has a name.
    fn apply(
        &mut self,
        stage: &'a PipeStage,
        input: Value,
        input_span: Span,
        path: Option<String>,
    ) -> Eval<Value> {
        match &stage.kind {
            StageKind::Call(call) => {
                let piped = Given::Value(input, input_span);
                self.call(call, Some(piped), path, stage.span)
            }
            StageKind::Repeat { counter, from, to, body } => {
                let (from, to) = self.repeat_bounds(from.as_deref(), to)?;
                let counted = counter.as_ref();
                self.on_path(path, |context| {
                    let mut value = input;
                    let mut place = input_span;
                    for index in from..to {
                        context.frame_mut().blocks.push(BlockNames::new());
                        if let Some(counter) = counted {
                            let binding =
                                Binding::Value(Value::Int(index), Role::Let, counter.span);
                            context.frame_mut().bind(&counter.text, binding);
                        }
                        let result = context.chain(body, value, place);
                        // Stages named in the body can be applied after it: the last of each name.
                        let block = context.frame_mut().blocks.pop().unwrap_or_default();
                        context.keep_labels(block);
                        value = result?;
                        place = stage.span;
                    }
                    Ok(value)
                })
            }
        }
    }

    /// The stages of a `repeat`'s body, one after the other.
    fn chain(&mut self, body: &'a [PipeStage], input: Value, span: Span) -> Eval<Value> {
        let mut value = Ok(input);
        let mut place = span;
        for stage in body {
            value = match value {
                Ok(value) => self.stage(stage, value, place),
                Err(ErrorReported) => Err(self.stage_of_unknown(stage, place)),
            };
            place = stage.span;
        }
        value
    }

    /// Looks at a stage whose input could not be computed: its names and arguments can be wrong as
    /// well.
    pub fn stage_of_unknown(&mut self, stage: &'a PipeStage, input: Span) -> ErrorReported {
        if let Some(label) = &stage.label {
            self.frame_mut().bind(&label.text, Binding::Failed(label.span));
        }
        if self.count_stage(stage.span).is_err() {
            return ErrorReported;
        }
        match &stage.kind {
            StageKind::Call(call) => {
                let _ = self.call(call, Some(Given::Failed(input)), None, stage.span);
            }
            StageKind::Repeat { counter, from, to, body } => {
                let _ = self.repeat_bounds(from.as_deref(), to);
                self.frame_mut().blocks.push(BlockNames::new());
                if let Some(counter) = counter {
                    self.frame_mut().bind(&counter.text, Binding::Failed(counter.span));
                }
                let mut place = input;
                for stage in body {
                    self.stage_of_unknown(stage, place);
                    place = stage.span;
                }
                let block = self.frame_mut().blocks.pop().unwrap_or_default();
                self.keep_labels(block);
            }
        }
        ErrorReported
    }

    fn keep_labels(&mut self, block: BlockNames<'a>) {
        for (name, binding) in block {
            if matches!(binding, Binding::Label(..) | Binding::Failed(_)) {
                self.frame_mut().bind(name, binding);
            }
        }
    }

    /// Runs `body` with another path in this frame, if one is given.
    fn on_path<T>(&mut self, path: Option<String>, body: impl FnOnce(&mut Self) -> T) -> T {
        let Some(path) = path else { return body(self) };
        let frame = self.frame_mut();
        let outer = std::mem::replace(&mut frame.path, path);
        let taken = std::mem::take(&mut frame.taken);
        let labels = std::mem::take(&mut frame.labels);
        let result = body(self);
        let frame = self.frame_mut();
        (frame.path, frame.taken, frame.labels) = (outer, taken, labels);
        result
    }

    /// Applies a named stage again, to the same parameters.
    pub fn apply_again(
        &mut self,
        label: &Rc<NamedStage<'a>>,
        input: Value,
        span: Span,
    ) -> Eval<Value> {
        let label = Rc::clone(label);
        self.spend(self.frame().size(), span)?;
        let frame = self.frame_mut();
        let blocks = std::mem::replace(&mut frame.blocks, label.blocks.clone());
        let reused = std::mem::replace(&mut frame.reused, true);
        let taken: HashMap<_, _> = frame.taken.clone();
        let labels = frame.labels.clone();
        let result = self.apply(label.stage, input, span, Some(label.path.clone()));
        let frame = self.frame_mut();
        frame.blocks = blocks;
        frame.reused = reused;
        frame.taken = taken;
        frame.labels = labels;
        result
    }

    /// The first index of a `repeat` and one past the last.
    fn repeat_bounds(&mut self, from: Option<&'a Expr>, to: &'a Expr) -> Eval<(i64, i64)> {
        let from_value = match from {
            Some(from) => self.repeat_bound(from),
            None => Ok(0),
        };
        let (from_value, to_value) = (from_value?, self.repeat_bound(to)?);
        let count = to_value.saturating_sub(from_value);
        if from.is_none() && to_value < 0 {
            let message = format!("a `repeat` runs {to_value} times");
            return Err(self.error(codes::WRONG_KIND, to.span, message));
        }
        if count > MOST_REPEATS {
            return Err(self.error_help(
                codes::TOO_LARGE,
                to.span,
                format!("a `repeat` of {count} times; at most {MOST_REPEATS} are unfolded"),
                "every turn becomes code with parameters of its own",
            ));
        }
        Ok((from_value, to_value))
    }

    fn repeat_bound(&mut self, bound: &'a Expr) -> Eval<i64> {
        match self.expr(bound, Expect::Any)? {
            Value::Int(bound) => Ok(bound),
            Value::Batch(_) => Err(self.error_help(
                codes::BATCH,
                bound.span,
                "a `repeat` cannot run as often as the batch is large",
                "the batch is not known while compiling",
            )),
            value => {
                let found = self.describe(&value);
                let message = format!("a `repeat` counts by an int, found {found}");
                Err(self.error(codes::WRONG_KIND, bound.span, message))
            }
        }
    }
}
