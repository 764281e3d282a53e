//! Element-wise operators: `exp(x)`, `where(c, a, b)`, `cast(x, f32)`.
//!
//! On a number that is known now they compute a number: `sqrt(D / heads)` with 8 and 2 is the
//! float 2. `floor` of such a number, and `abs` and `sign` of an int, are ints.

use super::{Args, Operator, OperatorRule, Parameter, call, needs, word};
use crate::base::codes;
use crate::base::tensor::DType;
use crate::elaborate::context::{Elaborator, Eval};
use crate::elaborate::value::Value;
use crate::graph::{Binary, Unary};
use std::sync::LazyLock;

const ONE: &[Parameter] = &[needs("x")];

/// The functions of one element that are called by name: `exp(x)`.
pub(super) static UNARY: LazyLock<Vec<Operator>> = LazyLock::new(|| {
    let called = Unary::ALL.iter().filter(|function| function.row().called);
    let operator = |&function: &Unary| Operator {
        name: function.name(),
        params: ONE,
        rule: OperatorRule::Unary(function),
    };
    called.map(operator).collect()
});

/// The others.
pub(super) const OPERATORS: &[Operator] = &[
    call("where", &[needs("condition"), needs("a"), needs("b")], select),
    call("cast", &[needs("x"), word("type")], cast),
    call("stop_gradient", &[needs("x")], stop_gradient),
];

/// A function of one number or tensor.
pub(super) fn unary(context: &mut Elaborator<'_>, op: Unary, args: &Args) -> Eval<Value> {
    let known = match (op, args.value(0)?) {
        (Unary::Abs, Value::Int(x)) => x.checked_abs().map(Value::Int),
        (Unary::Sign, Value::Int(x)) => Some(Value::Int(x.signum())),
        (Unary::Floor, Value::Int(x)) => Some(Value::Int(*x)),
        (Unary::Floor, Value::Float(x)) => Some(Value::Int(x.floor() as i64)),
        (_, value) => value.as_f64().map(|x| Value::Float(op.eval(x))),
    };
    match known {
        Some(Value::Float(result)) if result.is_nan() => {
            let found = context.describe(args.value(0)?);
            let message = format!("`{}` of {found} is not a number", args.name);
            Err(context.error(codes::OPERATOR, args.span, message))
        }
        Some(value) => Ok(value),
        None => {
            let x = context.node_arg(args, 0)?;
            let built = context.builder.unary(op, x);
            context.built(args.span, &[x], built)
        }
    }
}

/// `min(a, b)` and `max(a, b)`.
pub(super) fn min_max(context: &mut Elaborator<'_>, op: Binary, args: &Args) -> Eval<Value> {
    match (args.value(0)?, args.value(1)?) {
        (Value::Int(a), Value::Int(b)) => {
            Ok(Value::Int(if op == Binary::Min { *a.min(b) } else { *a.max(b) }))
        }
        (a, b) => {
            if let (Some(a), Some(b)) = (a.as_f64(), b.as_f64()) {
                return Ok(Value::Float(op.eval(a, b)));
            }
            let (a, b) = (context.node_arg(args, 0)?, context.node_arg(args, 1)?);
            let built = context.builder.binary(op, a, b);
            context.built(args.span, &[a, b], built)
        }
    }
}

fn select(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    if let Value::Bool(condition) = args.value(0)? {
        return args.value(if *condition { 1 } else { 2 }).cloned();
    }
    let condition = context.node_arg(args, 0)?;
    let (a, b) = (context.node_arg(args, 1)?, context.node_arg(args, 2)?);
    let built = context.builder.select(condition, a, b);
    context.built(args.span, &[condition, a, b], built)
}

fn cast(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let dtype = context.dtype_arg(args, 1)?;
    match (args.value(0)?, dtype) {
        (Value::Int(x), DType::F32) => return Ok(Value::Float(*x as f64)),
        (Value::Float(x), DType::F32) => return Ok(Value::Float(*x)),
        (Value::Float(x), DType::I32) => return Ok(Value::Int(*x as i64)),
        _ => {}
    }
    let x = context.node_arg(args, 0)?;
    let built = context.builder.cast(x, dtype);
    context.built(args.span, &[x], built)
}

fn stop_gradient(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let x = context.node_arg(args, 0)?;
    let built = context.builder.stop_gradient(x);
    context.built(args.span, &[x], built)
}
