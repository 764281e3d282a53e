//! Random operators: `bernoulli(p, shape)`, `normal(shape)`, `uniform(shape)`.
//!
//! `shape` is a list of dimensions, or a tensor whose shape is taken. Each call draws from a
//! stream of its own: (seed, step, the operator's number, element). No gradient flows into them.

use super::{Args, Operator, call, may, needs};
use crate::base::tensor::DType;
use crate::elaborate::context::{Elaborator, Eval};
use crate::elaborate::value::Value;
use crate::graph::{Binary, Mismatch, NodeId, Shape, Type, Unary};

/// The table.
pub(super) const OPERATORS: &[Operator] = &[
    call("bernoulli", &[needs("p"), needs("shape")], bernoulli),
    call("normal", &[needs("shape"), may("mean"), may("std")], normal),
    call("uniform", &[needs("shape"), may("low"), may("high")], uniform),
];

fn shape_arg(context: &mut Elaborator<'_>, args: &Args, index: usize) -> Eval<Shape> {
    let shape = match args.value(index)? {
        Value::Tensor(node) => Some(context.ty(*node).shape),
        value => value.as_shape(),
    };
    let Some(shape) = shape else {
        return Err(context.bad_argument(args, index, "a list of dimensions, or a tensor"));
    };
    match crate::graph::infer::check_type(&Type::new(DType::F32, shape.clone())) {
        Ok(()) => Ok(shape),
        Err(mismatch) => Err(context.mismatch(args.span(index), &[], &mismatch)),
    }
}

/// True with probability `p`: `uniform < p`.
fn bernoulli(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let p = context.node_arg(args, 0)?;
    let known = args.get(0).and_then(Value::as_f64);
    let holds = known.is_none_or(|p| (0.0..=1.0).contains(&p));
    context.must_be(args, 0, holds, "from 0 to 1")?;
    let shape = shape_arg(context, args, 1)?;
    let drawn = context.builder.uniform(shape);
    let built = context.builder.binary(Binary::Lt, drawn, p);
    context.built(args.span, &[drawn, p], built)
}

fn uniform(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let shape = shape_arg(context, args, 0)?;
    let low = context.float_arg(args, 1, 0.0)?;
    let high = context.float_arg(args, 2, 1.0)?;
    let at = if args.given(2) { 2 } else { 1 };
    context.must_be(args, at, low <= high, "such that `low` is at most `high`")?;
    let drawn = context.builder.uniform(shape);
    let built = affine(context, drawn, high - low, low);
    context.built(args.span, &[drawn], built)
}

/// By Box and Muller: `sqrt(-2 log(1 - u)) · cos(2π v)` of two uniform numbers in [0, 1).
fn normal(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let shape = shape_arg(context, args, 0)?;
    let mean = context.float_arg(args, 1, 0.0)?;
    let std = context.float_arg(args, 2, 1.0)?;
    context.must_be(args, 2, std >= 0.0, "at least 0")?;
    let (u, v) = (context.builder.uniform(shape.clone()), context.builder.uniform(shape));
    let built = box_muller(context, u, v).and_then(|drawn| affine(context, drawn, std, mean));
    context.built(args.span, &[u, v], built)
}

fn box_muller(context: &mut Elaborator<'_>, u: NodeId, v: NodeId) -> Result<NodeId, Mismatch> {
    let builder = &mut context.builder;
    let minus_u = builder.unary(Unary::Neg, u)?;
    let log = builder.unary(Unary::Log1p, minus_u)?;
    let minus_two = builder.constant(-2.0, DType::F64);
    let squared = builder.binary(Binary::Mul, log, minus_two)?;
    let radius = builder.unary(Unary::Sqrt, squared)?;
    let turn = builder.constant(std::f64::consts::TAU, DType::F64);
    let angle = builder.binary(Binary::Mul, v, turn)?;
    let cosine = builder.unary(Unary::Cos, angle)?;
    builder.binary(Binary::Mul, radius, cosine)
}

/// `x · scale + shift`, without what would change nothing.
fn affine(
    context: &mut Elaborator<'_>,
    x: NodeId,
    scale: f64,
    shift: f64,
) -> Result<NodeId, Mismatch> {
    let builder = &mut context.builder;
    let scaled = if scale == 1.0 {
        x
    } else {
        let scale = builder.constant(scale, DType::F64);
        builder.binary(Binary::Mul, x, scale)?
    };
    if shift == 0.0 {
        return Ok(scaled);
    }
    let shift = builder.constant(shift, DType::F64);
    builder.binary(Binary::Add, scaled, shift)
}
