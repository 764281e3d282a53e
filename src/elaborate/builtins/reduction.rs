//! Reductions and operators indexed by data: `sum(x, axis: 1, keep: true)`, `pick(x, label)`.
//!
//! `axis:` is an int or a list, from the end where negative, all axes where left out; `keep:`
//! leaves the reduced axes with extent 1. `max(a, b)` of two is element-wise; `mean(x, where: mask)` is
//! of the elements where the mask is true.

use super::{Args, Operator, OperatorRule, call, elementwise, may, needs};
use crate::base::codes;
use crate::base::tensor::DType;
use crate::elaborate::context::{Elaborator, Eval};
use crate::elaborate::value::{Value, mul_dims};
use crate::graph::{Binary, Dim, Mismatch, NodeId, Reduce};

/// The table.
pub(super) const OPERATORS: &[Operator] = &[
    call("sum", &[needs("x"), may("axis"), may("keep")], sum),
    call("mean", &[needs("x"), may("axis"), may("keep"), may("where")], mean),
    call("variance", &[needs("x"), may("axis"), may("keep"), may("correction")], variance),
    Operator {
        name: "max",
        params: &[needs("x"), may("other"), may("axis"), may("keep")],
        rule: OperatorRule::MinMax(Binary::Max),
    },
    Operator {
        name: "min",
        params: &[needs("x"), may("other"), may("axis"), may("keep")],
        rule: OperatorRule::MinMax(Binary::Min),
    },
    call("argmax", &[needs("x"), may("axis"), may("keep")], arg_max),
    call("pick", &[needs("x"), needs("index")], pick),
    call("gather", &[needs("table"), needs("index"), may("axis")], gather),
    call("one_hot", &[needs("index"), needs("classes")], one_hot),
];

fn reduce(context: &mut Elaborator<'_>, op: Reduce, args: &Args, axis: usize) -> Eval<Value> {
    let x = context.tensor_arg(args, 0)?;
    let rank = context.ty(x).shape.rank();
    let axes = context.axes_arg(args, axis, rank)?;
    let keep = context.bool_arg(args, axis + 1)?;
    let built = context.builder.reduce(op, x, &axes, keep);
    context.built(args.span, &[x], built)
}

fn sum(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    reduce(context, Reduce::Sum, args, 1)
}

/// A reduction of one argument, element-wise of two.
pub(super) fn min_max(context: &mut Elaborator<'_>, op: Binary, args: &Args) -> Eval<Value> {
    if !args.given(1) {
        let reduction = if op == Binary::Min { Reduce::Min } else { Reduce::Max };
        return reduce(context, reduction, args, 2);
    }
    if args.given(2) || args.given(3) {
        let message = format!("`{}` of two values has no axis", args.name);
        let help = format!("write `{}(x, axis: …)` to reduce one tensor", args.name);
        return Err(context.error_help(codes::ARGUMENTS, args.span, message, help));
    }
    elementwise::min_max(context, op, args)
}

fn mean(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let x = context.tensor_arg(args, 0)?;
    let rank = context.ty(x).shape.rank();
    let axes = context.axes_arg(args, 1, rank)?;
    let keep = context.bool_arg(args, 2)?;
    if args.given(3) {
        return masked_mean(context, args, x, &axes, keep);
    }
    let built = context.builder.mean(x, &axes, keep);
    context.built(args.span, &[x], built)
}

/// The mean of the elements where a mask is true.
fn masked_mean(
    context: &mut Elaborator<'_>,
    args: &Args,
    x: NodeId,
    axes: &[usize],
    keep: bool,
) -> Eval<Value> {
    let mask = context.tensor_arg(args, 3)?;
    if context.ty(mask).dtype != DType::Bool {
        return Err(context.bad_argument(args, 3, "a tensor of bools"));
    }
    let built = context.builder.masked_mean(x, mask, axes, keep);
    context.built(args.span, &[x, mask], built)
}

/// The mean square of what differs from the mean; with a `correction` of 1, divided by the number
/// of elements less 1 (the unbiased one).
fn variance(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let x = context.tensor_arg(args, 0)?;
    let shape = context.ty(x).shape;
    let axes = context.axes_arg(args, 1, shape.rank())?;
    let keep = context.bool_arg(args, 2)?;
    let correction = context.int_arg(args, 3, 0)?;
    if !(0..=1).contains(&correction) {
        return Err(context.bad_argument(args, 3, "0, or 1 for the unbiased variance"));
    }
    let count = axes.iter().try_fold(Dim::Known(1), |count, &axis| mul_dims(count, shape[axis]));
    if correction == 1 && count == Some(Dim::Known(1)) {
        let message = "the unbiased variance of one value divides by zero";
        return Err(context.error(codes::DIVISION, args.span, message));
    }
    let built = context.builder.variance(x, &axes, keep).and_then(|biased| match correction {
        0 => Ok(biased),
        _ => corrected(context, biased, axes.iter().map(|&axis| shape[axis])),
    });
    context.built(args.span, &[x], built)
}

/// A variance over so many elements times `n / (n - 1)`.
fn corrected(
    context: &mut Elaborator<'_>,
    biased: NodeId,
    dims: impl Iterator<Item = Dim>,
) -> Result<NodeId, Mismatch> {
    let builder = &mut context.builder;
    let count = builder.count(dims)?;
    let one = builder.constant(1.0, DType::F64);
    let less = builder.binary(Binary::Sub, count, one)?;
    let factor = builder.binary(Binary::Div, count, less)?;
    builder.binary(Binary::Mul, biased, factor)
}

fn arg_max(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let x = context.tensor_arg(args, 0)?;
    let rank = context.ty(x).shape.rank();
    let axis = context.int_arg(args, 1, -1)?;
    let axis = context.axis(axis, rank, args, 1)?;
    let keep = context.bool_arg(args, 2)?;
    let built = context.builder.arg_max(x, axis, keep);
    context.built(args.span, &[x], built)
}

fn pick(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let (x, index) = (context.tensor_arg(args, 0)?, context.tensor_arg(args, 1)?);
    let built = context.builder.pick(x, index);
    context.built(args.span, &[x, index], built)
}

fn gather(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let (table, index) = (context.tensor_arg(args, 0)?, context.tensor_arg(args, 1)?);
    let rank = context.ty(table).shape.rank();
    let axis = context.int_arg(args, 2, 0)?;
    let axis = context.axis(axis, rank, args, 2)?;
    let built = context.builder.gather(table, index, axis);
    context.built(args.span, &[table, index], built)
}

/// `one_hot(index: i32[..], classes)` is `f32[.., classes]`: 1 where the class is the index's.
fn one_hot(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let index = context.tensor_arg(args, 0)?;
    let classes = match context.int_arg(args, 1, 0)? {
        classes @ 1.. => usize::try_from(classes).unwrap_or(usize::MAX),
        _ => return Err(context.bad_argument(args, 1, "a positive int")),
    };
    let built = context.builder.one_hot(index, classes);
    context.built(args.span, &[index], built)
}
