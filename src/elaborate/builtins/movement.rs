//! Operators that move elements: `reshape(x, [N, -1])`, `transpose`, `concat`, `split`, `pad`.

use super::{Args, Operator, call, may, needs};
use crate::base::codes;
use crate::base::source::Span;
use crate::elaborate::context::{Elaborator, ErrorReported, Eval};
use crate::elaborate::value::{Value, mul_dims};
use crate::graph::{Dim, NodeId, Range, Shape};

/// The table.
pub(super) const OPERATORS: &[Operator] = &[
    call("reshape", &[needs("x"), needs("shape")], reshape),
    call("transpose", &[needs("x"), may("order")], transpose),
    call("concat", &[needs("parts"), may("axis")], concat),
    call("split", &[needs("x"), needs("parts"), may("axis")], split),
    call("pad", &[needs("x"), needs("amounts"), may("value")], pad),
    call("iota", &[needs("shape"), may("axis")], iota),
];

/// The shape may have one -1, which takes what the other dimensions leave.
fn reshape(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let x = context.tensor_arg(args, 0)?;
    let Value::List(entries) = args.value(1)? else {
        return Err(context.bad_argument(args, 1, "a list of dimensions"));
    };
    let mut dims = Vec::new();
    let mut open = None;
    for (axis, entry) in entries.iter().enumerate() {
        match (entry, entry.as_dim()) {
            (Value::Int(-1), _) if open.is_none() => open = Some(axis),
            (_, Some(dim)) if dim != Dim::Known(0) => dims.push(dim),
            _ => {
                let takes = "a list of positive ints, with one -1 at most";
                return Err(context.bad_argument(args, 1, takes));
            }
        }
    }
    if let Some(axis) = open {
        let dim = rest(context, x, &dims, args)?;
        dims.insert(axis, dim);
    }
    let built = context.builder.reshape(x, dims.into());
    context.built(args.span, &[x], built)
}

/// The dimension that `-1` stands for: the tensor's elements over the given dimensions.
fn rest(context: &mut Elaborator<'_>, x: NodeId, dims: &[Dim], args: &Args) -> Eval<Dim> {
    let ty = context.ty(x);
    let given = dims.iter().try_fold(Dim::Known(1), |product, &dim| mul_dims(product, dim));
    let left = ty.shape.elements().zip(given).and_then(|(all, given)| all.div(given));
    left.ok_or_else(|| {
        let shown = Shape::from(dims);
        let message = format!("{ty} does not divide into {shown} and -1");
        context.error(codes::SHAPE, args.span(1), message)
    })
}

/// Without an order, the last two axes change places.
fn transpose(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let x = context.tensor_arg(args, 0)?;
    let rank = context.ty(x).shape.rank();
    let order: Vec<usize> = match args.get(1) {
        None if rank >= 2 => (0..rank - 2).chain([rank - 1, rank - 2]).collect(),
        None => return Err(context.bad_argument(args, 0, "a tensor of two axes or more")),
        Some(value) => {
            let Some(axes) = value.as_ints() else {
                return Err(context.bad_argument(args, 1, "a list of axes"));
            };
            let found: Eval<Vec<usize>> =
                axes.into_iter().map(|axis| context.axis(axis, rank, args, 1)).collect();
            found?
        }
    };
    let built = context.builder.transpose(x, &order);
    context.built(args.span, &[x], built)
}

fn concat(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let Value::List(values) = args.value(0)? else {
        return Err(context.bad_argument(args, 0, "a list of tensors"));
    };
    let parts: Eval<Vec<NodeId>> =
        values.iter().map(|value| context.tensor(value, args.span(0))).collect();
    let parts = parts?;
    let Some(&first) = parts.first() else {
        return Err(context.bad_argument(args, 0, "a list of one tensor or more"));
    };
    let rank = context.ty(first).shape.rank();
    let axis = context.int_arg(args, 1, -1)?;
    let axis = context.axis(axis, rank, args, 1)?;
    let built = context.builder.concat(&parts, axis);
    context.built(args.span, &parts, built)
}

/// `split(x, 3, axis: -1)` into equal parts, `split(x, [2, 6], axis: 1)` into these: a list.
fn split(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let x = context.tensor_arg(args, 0)?;
    let ty = context.ty(x);
    let axis = context.int_arg(args, 2, -1)?;
    let axis = context.axis(axis, ty.shape.rank(), args, 2)?;
    let Dim::Known(extent) = ty.shape[axis] else {
        let message = format!("axis {axis} of {ty} is the batch, which cannot be split");
        return Err(context.error(codes::BATCH, args.span, message));
    };
    let sizes: Option<Vec<usize>> = match args.value(1)? {
        Value::Int(parts) => usize::try_from(*parts)
            .ok()
            .filter(|&parts| parts > 0 && extent.is_multiple_of(parts))
            .map(|parts| vec![extent / parts; parts]),
        Value::List(_) => args.value(1)?.as_ints().and_then(|sizes| {
            sizes
                .into_iter()
                .map(|size| usize::try_from(size).ok().filter(|&size| size > 0))
                .collect()
        }),
        _ => return Err(context.bad_argument(args, 1, "an int or a list of ints")),
    };
    let total = |sizes: &Vec<usize>| {
        sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size)) == Some(extent)
    };
    let Some(sizes) = sizes.filter(total) else {
        let parts = args.value(1)?.show(&context.builder.graph);
        let message = format!("axis {axis} of {ty} does not split into {parts}");
        return Err(context.error(codes::SHAPE, args.span(1), message));
    };
    let mut start = 0;
    let mut parts = Vec::new();
    for size in sizes {
        let mut ranges = vec![Range::ALL; ty.shape.rank()];
        ranges[axis] = Range { start, len: Some(size), step: 1 };
        start += size;
        let built = context.builder.slice(x, ranges);
        parts.push(context.built(args.span, &[x], built)?);
    }
    Ok(Value::List(parts))
}

/// `amounts` has an entry an axis: an int for both ends, or `[before, after]`.
fn pad(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let x = context.tensor_arg(args, 0)?;
    let takes = "a list with an int or `[before, after]` an axis";
    let Value::List(entries) = args.value(1)? else {
        return Err(context.bad_argument(args, 1, takes));
    };
    let amounts: Option<Vec<(usize, usize)>> = entries.iter().map(amount).collect();
    let Some(amounts) = amounts else { return Err(context.bad_argument(args, 1, takes)) };
    let value = context.float_arg(args, 2, 0.0)?;
    let built = context.builder.pad(x, amounts, value);
    context.built(args.span, &[x], built)
}

fn amount(entry: &Value) -> Option<(usize, usize)> {
    let ints = entry.as_ints()?;
    let [before, after] = match (entry, &ints[..]) {
        (Value::Int(both), _) => [*both, *both],
        (_, &[before, after]) => [before, after],
        _ => return None,
    };
    Some((usize::try_from(before).ok()?, usize::try_from(after).ok()?))
}

/// `iota(n)` is `i32[n]`: 0, 1, …; of a shape, it counts along `axis`.
fn iota(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let value = args.value(0)?;
    let shape = value.as_dim().map(|dim| Shape::from(vec![dim])).or_else(|| value.as_shape());
    let Some(shape) = shape else {
        return Err(context.bad_argument(args, 0, "an int or a list of dimensions"));
    };
    let axis = context.int_arg(args, 1, -1)?;
    let axis = context.axis(axis, shape.rank(), args, 1)?;
    let built = context.builder.iota(shape, axis);
    context.built(args.span, &[], built)
}

/// A value reshaped, for other operators of this stage.
pub(in crate::elaborate) fn reshape_to(
    context: &mut Elaborator<'_>,
    x: NodeId,
    shape: Shape,
    span: Span,
) -> Eval<NodeId> {
    let built = context.builder.reshape(x, shape);
    match context.built(span, &[x], built)? {
        Value::Tensor(node) => Ok(node),
        _ => Err(ErrorReported),
    }
}
