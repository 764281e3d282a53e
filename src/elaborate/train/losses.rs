//! Losses and metrics: the target that they compare the output with, and what becomes of the numbers
//! that they give for each sample.
//!
//! ```text
//! f32[N]       their mean over the batch
//! f32[N, 2]    sum of the first / sum of the second: a loss times its weight, a metric's ratio
//! f32          as it is
//! ```

use super::model::ModelData;
use super::operands::{LossOperands, ModelOutputs, Operand};
use super::plan::{Choice, LossTerm, TrainPlan};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::schema::{CellMeaning, Conversion, Field, LABEL_2};
use crate::base::source::Span;
use crate::base::step_output::StepOutput;
use crate::base::tensor::DType;
use crate::elaborate::arguments::Expect;
use crate::elaborate::comparison::Comparison;
use crate::elaborate::context::{Elaborator, ErrorReported, Eval};
use crate::elaborate::paths;
use crate::elaborate::scope::CallFrame;
use crate::elaborate::value::Value;
use crate::graph::OverSplit;
use crate::graph::{Binary, Dim, NodeId, Range, Reduce, Type, Unary};
use crate::syntax::ast::{self, Expr, ExprKind, Function, ParamDecl};
use std::collections::HashMap;

/// The loss of a batch.
pub(in crate::elaborate) struct Mean {
    /// The mean.
    pub value: NodeId,
    /// The sum of the weights, where samples have weights.
    pub weight: Option<NodeId>,
}

/// Whether a loss is declared to give `f32[N, 2]`, a pair for each sample, or to give one where its
/// arguments ask for it: `f32[N, ..W]`, with a name that no parameter binds.
fn says_pairs(function: &Function) -> bool {
    let dims = function.result.as_ref().and_then(|result| result.dims.as_deref());
    match dims.and_then(|dims| dims.last()) {
        Some(ast::DimExpr::Expr(Expr { kind: ExprKind::Int(2), .. })) => true,
        Some(ast::DimExpr::Rest(name)) => {
            let types = function.params.iter().filter_map(|param| param.ty.as_ref());
            let mut bound = types.flat_map(|ty| ty.dims.iter().flatten());
            !bound.any(|dim| matches!(dim, ast::DimExpr::Rest(known) if known.text == name.text))
        }
        _ => false,
    }
}

impl<'a> Elaborator<'a> {
    /// The loss, the outputs and the metrics of a step.
    pub fn losses_and_metrics(
        &mut self,
        plan: &TrainPlan<'a>,
        outputs: &ModelOutputs,
        data: ModelData<'a>,
    ) -> Eval<()> {
        let mut taken = HashMap::new();
        let mut terms = Vec::new();
        let loss = match &plan.loss.terms[..] {
            [only] if only.is_plain() => self.only_loss(plan, only.choice, outputs, data)?,
            several => self.sum_of_losses(several, outputs, data, &mut taken, &mut terms)?,
        };
        self.builder.output(StepOutput::Loss, loss.value);
        if let Some(weight) = loss.weight {
            self.builder.output(StepOutput::LossWeight, weight);
        }
        self.put_out(outputs);
        for (name, mean) in terms {
            self.builder.output(StepOutput::Metric(name), mean);
        }
        for metric in &plan.metrics {
            let name = &self.items.function(metric.id).function.name.text;
            let name = StepOutput::Metric(paths::next(&mut taken, name));
            let mut operands = self.operands(*metric, outputs, data.known, "label")?;
            if operands.original {
                self.restored(*metric, &mut operands)?;
            }
            self.over = None;
            let handed_on = self.handed_on(*metric, &operands);
            let per_sample = self.call_on(*metric, &operands, handed_on, name.to_string())?;
            let mean = match self.over.take() {
                Some(over) => {
                    let mean = match over {
                        OverSplit::Means(_) => self.over_batch(metric.span, per_sample, true)?,
                        OverSplit::Rows { .. } => per_sample,
                    };
                    self.overs.push((name.metric().unwrap_or_default().to_owned(), over));
                    mean
                }
                None => self.metric_mean(*metric, per_sample)?,
            };
            self.builder.output(name, mean);
        }
        Ok(())
    }

    /// A loss that is no sum: of mixed samples and of classes that weigh differently, too.
    fn only_loss(
        &mut self,
        plan: &TrainPlan<'a>,
        choice: Choice<'a>,
        outputs: &ModelOutputs,
        ModelData { known: data, mixed }: ModelData<'a>,
    ) -> Eval<Mean> {
        let operands = self.operands(choice, outputs, data, "label")?;
        let mut per_sample = self.call_on(choice, &operands, None, "loss".into())?;
        self.compare(choice, &operands, StepOutput::Loss)?;
        let target = operands.tensors.get(1).copied();
        let second = match (data, target) {
            (Some((name, schema)), Some(Operand { field: Some(target), .. }))
                if schema.mixed && self.training =>
            {
                let field = Field { name: LABEL_2.into(), ..target.clone() };
                Some(self.target_field(name, &field, choice.span)?)
            }
            (None, Some(_)) if mixed && self.training => {
                Some(self.declared_operand(choice, 1, operands.tensors[0].node, LABEL_2)?)
            }
            _ => None,
        };
        if let Some(node) = second {
            let mut second = operands;
            second.tensors[1].node = node;
            let of_second = self.call_on(choice, &second, None, "loss".into())?;
            per_sample = self.mixed_losses(choice, per_sample, of_second)?;
        }
        match (&plan.settings.class_weights, target) {
            (Some(weights), Some(target)) => {
                let output = outputs.parts[0].1;
                self.weighted_loss(plan, weights, (per_sample, target.node), output, data)
            }
            _ => self.loss_mean(choice, per_sample),
        }
    }

    /// A sum of losses: the mean of each times its weight. Each is put out by itself, too.
    fn sum_of_losses(
        &mut self,
        several: &[LossTerm<'a>],
        outputs: &ModelOutputs,
        ModelData { known: data, mixed }: ModelData<'a>,
        taken: &mut HashMap<String, usize>,
        terms: &mut Vec<(String, NodeId)>,
    ) -> Eval<Mean> {
        let first = several[0].choice;
        if (mixed || data.is_some_and(|(_, schema)| schema.mixed)) && self.training {
            let message = "`mixup` and `cutmix` need one loss, not a sum";
            return Err(self.error(codes::DATA, first.span, message));
        }
        let mut total: Option<NodeId> = None;
        for term in several {
            let choice = term.choice;
            let name = self.items.function(choice.id).function.name.text.clone();
            let name = paths::next(taken, &name);
            let operands = self.operands(choice, outputs, data, "label")?;
            let path = if several.len() == 1 { "loss".into() } else { format!("loss.{name}") };
            let per_sample = self.call_on(choice, &operands, None, path)?;
            let mean = self.loss_mean(choice, per_sample)?.value;
            if several.len() > 1 {
                self.compare(choice, &operands, StepOutput::Metric(name.clone()))?;
                terms.push((name, self.metric_mean(choice, per_sample)?));
            } else {
                self.compare(choice, &operands, StepOutput::Loss)?;
            }
            let weighted = self.weighted_term(term, mean)?;
            total = Some(match total {
                None => weighted,
                Some(sum) => {
                    self.at(choice.span);
                    let built = self.builder.binary(Binary::Add, sum, weighted);
                    self.made(choice.span, &[sum, weighted], built)?
                }
            });
        }
        Ok(Mean { value: total.ok_or(ErrorReported)?, weight: None })
    }

    /// Remembers the comparison that a loss makes of its tensors.
    fn compare(
        &mut self,
        choice: Choice<'a>,
        operands: &LossOperands<'a>,
        loss: StepOutput,
    ) -> Eval<()> {
        self.refuse_class_numbers(choice, operands)?;
        let ignore = self.ignored_label(choice, operands)?;
        let (output, target) = (operands.output.clone(), operands.target.clone());
        let fields = operands.tensors.iter().filter_map(|operand| operand.field);
        let field = fields.into_iter().find(|field| Some(&field.name) == target.as_ref());
        let prepared = field.and_then(|field| Conversion::alike(&field.as_image()?.conversions));
        self.compared.push(Comparison { output, target, prepared, loss, ignore });
        Ok(())
    }

    /// Refuses a category whose classes a loss would take for numbers: that the third name is twice the
    /// second nobody means. Of two classes the numbers are no and yes.
    fn refuse_class_numbers(
        &mut self,
        choice: Choice<'a>,
        operands: &LossOperands<'a>,
    ) -> Eval<()> {
        let function = self.items.function(choice.id).function;
        for (param, operand) in function.params.iter().zip(&operands.tensors).skip(1) {
            let Some(field) = operand.field.filter(|field| field.as_class().is_some()) else {
                continue;
            };
            let Some(CellMeaning::Category { names, .. }) =
                field.recipe.as_ref().map(|it| &it.value)
            else {
                continue;
            };
            let is_number = |(class, name): (usize, &String)| *name == class.to_string();
            let takes_numbers = param.ty.as_ref().is_some_and(|ty| ty.name.text == "f32");
            if !takes_numbers || names.len() <= 2 || names.iter().enumerate().all(is_number) {
                continue;
            }
            let (loss, target) = (&function.name.text, &field.name);
            let message = format!("`{loss}` compares numbers, but `{target}` is a category");
            let help = format!(
                "classes are compared by `cross_entropy`; if they are numbers, write \
                 `{target} = number as target`"
            );
            let count = names.len();
            let error = Diagnostic::error(codes::DATA, message).primary(
                choice.span,
                format!("would take its {count} names for 0 to {}", count - 1),
            );
            return Err(self.report(error.help(help)));
        }
        Ok(())
    }

    /// A term times the numbers before it, which schedules may drive.
    fn weighted_term(&mut self, term: &LossTerm<'a>, mean: NodeId) -> Eval<NodeId> {
        let mut node = mean;
        for weight in &term.weights {
            let value = self.expr(weight, Expect::Number)?;
            if value.as_f64().is_none() && !matches!(value, Value::Tensor(_)) {
                let found = self.describe(&value);
                let message = format!("a loss is multiplied by a number, found {found}");
                return Err(self.error(codes::WRONG_KIND, weight.span, message));
            }
            let by = self.node(&value, weight.span)?;
            self.at(weight.span);
            let built = self.builder.binary(Binary::Mul, node, by);
            node = self.made(weight.span, &[node, by], built)?;
        }
        if term.is_negative {
            self.at(term.choice.span);
            let built = self.builder.unary(Unary::Neg, node);
            node = self.made(term.choice.span, &[node], built)?;
        }
        Ok(node)
    }

    /// A tensor that a loss takes and nothing gives, as an input of its declared type.
    pub fn declared_operand(
        &mut self,
        choice: Choice<'a>,
        index: usize,
        first: NodeId,
        input: &str,
    ) -> Eval<NodeId> {
        if let Some(&node) = self.fields.get(input) {
            return Ok(node);
        }
        let item = self.items.function(choice.id);
        let function = item.function;
        let (Some(output), Some(target)) = (function.params.first(), function.params.get(index))
        else {
            return Err(self.needs_two(function));
        };
        let Some((ty, dims)) = target.ty.as_ref().and_then(|ty| Some((ty, ty.dims.as_deref()?)))
        else {
            let message = format!("the target `{}` of a loss needs a type", target.name.text);
            let help = "write it: `label: i32[N]`";
            return Err(self.error_help(codes::DECLARATION, target.span, message, help));
        };
        let mut frame = CallFrame::new(&function.name.text, Some(function.kind), item.builtin);
        frame.call = Some(choice.span);
        self.push_frame(frame, item, choice.span)?;
        let found = self.target_type(function, (output, target), (ty, dims), first, choice.span);
        self.frames.pop();
        let ty = found?;
        self.at(choice.span);
        let node = self.builder.input(input, ty);
        self.fields.insert(input.to_owned(), node);
        Ok(node)
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
                let mut each = |start| {
                    let range = Range { start, len: Some(1), step: 1 };
                    let built = self.builder.slice(node, vec![Range::ALL, range]);
                    let column = self.made(choice.span, &[node], built)?;
                    let built = self.builder.reduce(Reduce::Sum, column, &[0, 1], false);
                    self.made(choice.span, &[column], built)
                };
                let (total, weights) = (each(0)?, each(1)?);
                self.quotient(choice.span, total, weights)
            }
            _ => Err(self.bad_result(function, &ty, "`f32[N]`, `f32[N, 2]` or a scalar")),
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
            _ => Err(self.bad_result(function, &ty, "`f32[N]`, `f32[N, 2]` or a scalar")),
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

    pub fn bad_result(&mut self, function: &Function, ty: &Type, takes: &str) -> ErrorReported {
        let kind = function.kind.word();
        let message = format!("the {kind} `{}` gives {ty}, not {takes}", function.name.text);
        let span = function.result.as_ref().map_or(function.name.span, |ty| ty.span);
        self.error(codes::RESULT, span, message)
    }
}
