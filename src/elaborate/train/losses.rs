//! Losses and metrics: the target that they compare the output with, and what becomes of the numbers
//! that they give for each sample.
//!
//! ```text
//! f32[N]       their mean over the batch
//! f32[N, 2]    sum of the first / sum of the second: a loss times its weight, a metric's ratio
//! f32          as it is
//! ```

use super::model::RunData;
use super::plan::Choice;
use crate::base::codes;
use crate::base::schema::Field;
use crate::base::source::Span;
use crate::base::tensor::DType;
use crate::elaborate::arguments::{Given, Passed};
use crate::elaborate::context::{Elaborator, ErrorReported, Eval};
use crate::elaborate::scope::CallFrame;
use crate::elaborate::value::Value;
use crate::graph::{Dim, NodeId, Range, Reduce, Shape, Type};
use crate::syntax::ast::{self, Expr, ExprKind, Function, FunctionKind, ParamDecl};

/// The loss of a batch.
pub(in crate::elaborate) struct Mean {
    /// The mean.
    pub value: NodeId,
    /// The sum of the weights, where samples have weights.
    pub weight: Option<NodeId>,
}

/// Whether a loss is declared to give `f32[N, 2]`, a pair for each sample.
fn says_pairs(function: &Function) -> bool {
    let dims = function.result.as_ref().and_then(|result| result.dims.as_deref());
    let last = dims.and_then(|dims| dims.last());
    matches!(last, Some(ast::DimExpr::Expr(Expr { kind: ExprKind::Int(2), .. })))
}

impl<'a> Elaborator<'a> {
    /// The target as it arrives: the data's, or as the loss declares it, by this name.
    pub fn target_input(
        &mut self,
        loss: Choice<'a>,
        output: NodeId,
        data: RunData<'a>,
        input: &str,
    ) -> Eval<NodeId> {
        let item = self.items.function(loss.id);
        let function = item.function;
        let [first, second, ..] = &function.params[..] else {
            return Err(self.needs_two(function));
        };
        if let Some((name, schema)) = data
            && let Some(target) = schema.target()
        {
            return self.target_field(name, target, loss.span);
        }
        let Some((ty, dims)) = second.ty.as_ref().and_then(|ty| Some((ty, ty.dims.as_deref()?)))
        else {
            let message = format!("the target `{}` of a loss needs a type", second.name.text);
            let help = "write it: `label: i32[N]`";
            return Err(self.error_help(codes::DECLARATION, second.span, message, help));
        };
        let mut frame = CallFrame::new(&function.name.text, Some(FunctionKind::Loss), item.builtin);
        frame.call = Some(loss.span);
        self.push_frame(frame, item, loss.span)?;
        let found = self.target_type(function, (first, second), (ty, dims), output, loss.span);
        self.frames.pop();
        let ty = found?;
        self.at(loss.span);
        Ok(self.builder.input(input, ty))
    }

    /// A target of the data, prepared as they say.
    pub fn target_field(&mut self, data: &str, field: &Field, span: Span) -> Eval<NodeId> {
        let target = self.field_input(data, field, span);
        self.prepared_target(target, field, span)
    }

    /// The declared type of the target, with the dimensions that the output gives.
    pub fn target_type(
        &mut self,
        function: &'a Function,
        (first, second): (&'a ParamDecl, &'a ParamDecl),
        (ty, dims): (&'a ast::TypeExpr, &'a [ast::DimExpr]),
        output: NodeId,
        span: Span,
    ) -> Eval<Type> {
        if let Some(dims) = first.ty.as_ref().and_then(|ty| ty.dims.as_deref()) {
            self.bind_dims(function, dims, output)
                .map_err(|()| self.does_not_fit(function, first, output, span, None))?;
        }
        let dtype = self.dtype(ty)?;
        let mut shape = Vec::new();
        for dim in dims {
            shape.extend(self.declared_dims(dim)?);
        }
        let ty = Type::new(dtype, shape);
        self.checked(&ty, second.span)?;
        Ok(ty)
    }

    pub fn needs_two(&mut self, function: &Function) -> ErrorReported {
        let kind = function.kind.word();
        let message =
            format!("the {kind} `{}` needs the output and the target", function.name.text);
        let help = "its first two parameters are tensors: `(output: f32[N, K], label: i32[N])`";
        self.error_help(codes::DECLARATION, function.name.span, message, help)
    }

    /// A loss or metric of the output and the target.
    pub fn judge(
        &mut self,
        choice: Choice<'a>,
        output: NodeId,
        target: NodeId,
        path: String,
    ) -> Eval<NodeId> {
        let function = self.items.function(choice.id).function;
        let [_, second, ..] = &function.params[..] else {
            return Err(self.needs_two(function));
        };
        let dtype = match &second.ty {
            Some(ty) => self.dtype(ty)?,
            None => self.ty(target).dtype,
        };
        // The prelude's own text is no place to send the user to.
        let builtin = self.items.function(choice.id).builtin;
        let place = if builtin { choice.span } else { second.span };
        let target = self.convert(target, dtype, (second, place), None)?;
        let mut args = vec![
            Passed { name: None, given: Given::Value(Value::Tensor(output), choice.span) },
            Passed { name: None, given: Given::Value(Value::Tensor(target), choice.span) },
        ];
        args.extend(choice.passed());
        match self.call_function(choice.id, args, Some(path), choice.span)? {
            Value::Tensor(node) => Ok(node),
            _ => Err(ErrorReported),
        }
    }

    /// The mean over the batch; of pairs of a loss times its weight and that weight, the sum of the
    /// first over the sum of the second.
    pub(in crate::elaborate) fn loss_mean(
        &mut self,
        choice: Choice<'a>,
        node: NodeId,
    ) -> Eval<Mean> {
        let ty = self.ty(node);
        let function = self.items.function(choice.id).function;
        match (ty.dtype, &ty.shape[..]) {
            (DType::F32, []) => Ok(Mean { value: node, weight: None }),
            (DType::F32, [Dim::Batch(1)]) => {
                Ok(Mean { value: self.over_batch(choice.span, node, true)?, weight: None })
            }
            // Only where that is meant: two outputs that nobody has added up are a mistake.
            (DType::F32, [Dim::Batch(1), Dim::Known(2)]) if says_pairs(function) => {
                let sums = self.over_batch(choice.span, node, false)?;
                let mut each = |start| {
                    let range = Range { start, len: Some(1), step: 1 };
                    let built = self.builder.slice(sums, vec![range]);
                    let one = self.made(choice.span, &[sums], built)?;
                    let built = self.builder.reshape(one, Shape(Vec::new()));
                    self.made(choice.span, &[one], built)
                };
                let (total, weights) = (each(0)?, each(1)?);
                self.quotient(choice.span, total, weights)
            }
            _ => Err(self.bad_judgement(function, &ty, "`f32[N]`, `f32[N, 2]` or a scalar")),
        }
    }

    /// The mean over the batch, or the two sums of a ratio.
    pub fn metric_mean(&mut self, choice: Choice<'a>, node: NodeId) -> Eval<NodeId> {
        let ty = self.ty(node);
        let function = self.items.function(choice.id).function;
        match (ty.dtype, &ty.shape[..]) {
            (DType::F32, []) => Ok(node),
            (DType::F32, [Dim::Batch(1)]) => self.over_batch(choice.span, node, true),
            (DType::F32, [Dim::Batch(1), Dim::Known(2)]) => {
                self.over_batch(choice.span, node, false)
            }
            _ => Err(self.bad_judgement(function, &ty, "`f32[N]`, `f32[N, 2]` or a scalar")),
        }
    }

    pub fn over_batch(&mut self, span: Span, node: NodeId, mean: bool) -> Eval<NodeId> {
        self.at(span);
        let built = if mean {
            self.builder.mean(node, &[0], false)
        } else {
            self.builder.reduce(Reduce::Sum, node, &[0], false)
        };
        match self.built(span, &[node], built)? {
            Value::Tensor(node) => Ok(node),
            _ => Err(ErrorReported),
        }
    }

    pub fn bad_judgement(&mut self, function: &Function, ty: &Type, takes: &str) -> ErrorReported {
        let kind = function.kind.word();
        let message = format!("the {kind} `{}` gives {ty}, not {takes}", function.name.text);
        let span = function.result.as_ref().map_or(function.name.span, |ty| ty.span);
        self.error(codes::RESULT, span, message)
    }
}
