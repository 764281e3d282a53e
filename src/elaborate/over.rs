//! The value of a metric from all samples of a data set: from their means, or from all their rows.
//!
//! ```text
//! metric rmse(output, target) -> f32[N] minimize { … } over mean { sqrt(mean) }
//!
//! input0 means: f32[]          the mean of the body's value over all samples; of f32[N, K], f32[K]
//! %1 = sqrt %0
//! output value = %1
//! ```
//!
//! The graph stands by itself: it has the numbers and dimensions of the body, and no tensors of it. It is
//! run once an epoch, in `f64`, by the interpreter. `over NAME` without a block names a
//! [`SplitStatistic`], which gets the body's value for every sample.

use super::arguments::Expect;
use super::context::{Elaborator, ErrorReported, Eval};
use super::scope::{Binding, CallFrame, Role};
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::statistic::SplitStatistic;
use crate::base::tensor::DType;
use crate::graph::OverSplit;
use crate::graph::builder::Builder;
use crate::graph::{Dim, Graph, NodeId, Type};
use crate::syntax::ast::{Block, Function, Name, Over};

/// The input of such a graph.
const MEANS: &str = "means";
/// Its output.
const VALUE: &str = "value";

impl<'a> Elaborator<'a> {
    /// Elaborates the `over` of a metric whose body's value is `node`; the metric's frame is the
    /// innermost.
    pub fn value_over(&mut self, function: &Function, over: &'a Over, node: NodeId) -> Eval<()> {
        let made = match &over.block {
            Some(block) => {
                let graph = self.over_means(function, &over.name, block, node)?;
                OverSplit::Means(Box::new(graph))
            }
            None => self.over_rows(function, &over.name, node)?,
        };
        self.over = Some(made);
        Ok(())
    }

    /// A statistic of the rows of all samples.
    fn over_rows(&mut self, function: &Function, name: &Name, node: NodeId) -> Eval<OverSplit> {
        let Some(statistic) = SplitStatistic::of_name(&name.text) else {
            let names = SplitStatistic::ALL.map(|(name, _)| name);
            let message = format!("unknown statistic `{}`", name.text);
            let error = Diagnostic::error(codes::UNKNOWN_NAME, message)
                .primary(name.span, "")
                .misspelt(name.span, &name.text, names)
                .or_help(|| {
                    let known = names.join(", ");
                    format!("statistics are {known}; of means, a value is `over mean {{ … }}`")
                });
            return Err(self.report(error));
        };
        let found = self.ty(node);
        let width = match found.shape[..] {
            [Dim::Batch(1)] => Some(1),
            [Dim::Batch(1), Dim::Known(width)] => Some(width),
            _ => None,
        };
        let takes = statistic.takes(width.unwrap_or(0));
        match (found.dtype, width, takes) {
            (DType::F32, Some(width), Ok(())) => Ok(OverSplit::Rows { statistic, width }),
            (_, _, takes) => {
                let takes = takes.err().unwrap_or("`f32[N]` or `f32[N, K]`");
                let metric = &function.name.text;
                let message =
                    format!("the metric `{metric}` gives {found}; `{}` takes {takes}", name.text);
                Err(self.error(codes::RESULT, name.span, message))
            }
        }
    }

    /// The value of a metric from the means of its body's numbers.
    fn over_means(
        &mut self,
        function: &Function,
        name: &'a Name,
        block: &'a Block,
        node: NodeId,
    ) -> Eval<Graph> {
        let shape: Vec<Dim> = match self.ty(node).shape[..] {
            [] | [Dim::Batch(1)] => Vec::new(),
            [Dim::Batch(1), Dim::Known(count)] => vec![Dim::Known(count)],
            _ => {
                let found = self.ty(node);
                let message = format!(
                    "the metric `{}` gives {found}; `over` takes the means of `f32[N]` or `f32[N, K]`",
                    function.name.text
                );
                return Err(self.error(codes::RESULT, name.span, message));
            }
        };
        let mut own = Builder::new(&function.name.text);
        let means = own.input(MEANS, Type::new(DType::F32, shape));
        let outer = std::mem::replace(&mut self.builder, own);
        let frame = self.frame();
        let mut inner = CallFrame::new(frame.name, frame.kind, frame.builtin);
        for (known, binding) in frame.blocks.iter().flatten() {
            match binding {
                Binding::Value(Value::Tensor(_) | Value::Record(_), ..) => {}
                other => inner.bind(known, other.clone()),
            }
        }
        inner.bind(&name.text, Binding::Value(Value::Tensor(means), Role::Argument, name.span));
        self.frames.push(inner);
        let value = self.block(block, Expect::Any).and_then(|value| match value {
            Some(value) => self.tensor(&value, block.span),
            None => {
                let message = "the block has no value";
                Err(self.error(codes::BODY, block.span, message))
            }
        });
        self.frames.pop();
        let made = value.and_then(|node| match self.ty(node).shape.rank() {
            0 => Ok(node),
            _ => {
                let found = self.ty(node);
                let message = format!("a metric is one number, and this is {found}");
                Err(self.error(codes::RESULT, block.span, message))
            }
        });
        let mut own = std::mem::replace(&mut self.builder, outer);
        let node = made.map_err(|_| ErrorReported)?;
        own.output(VALUE, node);
        Ok(own.finish())
    }
}
