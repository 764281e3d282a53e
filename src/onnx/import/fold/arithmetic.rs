//! Arithmetic on constants: on whole numbers that may depend on the batch, and on floats.

use super::super::constant::{Constant, Kind};
use super::super::node::NodeReader;
use super::super::size::Size;
use super::super::known::{KnownValues, Made};
use super::super::value::{Array, Value, axis_of};
use super::moves::Known;
use super::{MOST, of_sizes};
use crate::onnx::model::OnnxAttribute;

/// A constant as it is, or with elements of another type.
pub(super) fn cast<'a>(
    node: &NodeReader<'a>,
    value: &Value,
    within: &KnownValues<'a>,
) -> Made<Option<Vec<Value>>> {
    let to = match (node.node.op.as_str(), node.attribute("to")) {
        ("Cast", Some(OnnxAttribute::Int(to))) => i32::try_from(*to).ok().and_then(Kind::of),
        ("CastLike", _) => match within.value(node, 1)? {
            Value::Constant(like) => Some(like.kind),
            Value::Sizes(_) => Some(Kind::Int),
            _ => None,
        },
        ("Cast", _) => None,
        _ => return Ok(None).map(|_: Option<()>| Some(vec![value.clone()])),
    };
    node.ignore(&["saturate", "round_mode"]);
    let to = to.ok_or("what it casts to is not a type of the language")?;
    let narrow = match node.attribute("to") {
        Some(OnnxAttribute::Int(to)) => !matches!(to, 1 | 6 | 7 | 9 | 11),
        _ => false,
    };
    Ok(match value {
        _ if narrow => return Err("it casts to a type that rounds".into()),
        Value::Sizes(_) if to == Kind::Int => Some(vec![value.clone()]),
        Value::Constant(constant) if constant.kind == to => Some(vec![value.clone()]),
        Value::Constant(constant) if constant.count() <= MOST => {
            let dims = constant.dims.clone();
            let ints = || constant.ints(&within.stored);
            Some(vec![match to {
                Kind::Float => {
                    Value::Constant(Constant::of_floats(dims, constant.floats(&within.stored)))
                }
                Kind::Bool => {
                    let floats = constant.floats(&within.stored);
                    let values = floats.iter().map(|&it| i64::from(it != 0.0)).collect();
                    Value::Constant(Constant { kind: to, ..Constant::of_ints(dims, values) })
                }
                _ => Value::Constant(Constant { kind: to, ..Constant::of_ints(dims, ints()) }),
            }])
        }
        _ => None,
    })
}

/// What a node makes of constants, if it is arithmetic that is known here.
pub(super) fn computed<'a>(
    node: &NodeReader<'a>,
    values: &[Option<Value>],
    within: &KnownValues<'a>,
) -> Made<Option<Vec<Value>>> {
    let op = node.node.op.as_str();
    if op == "Mod" {
        node.ignore(&["fmod"]);
    }
    let known: Option<Vec<Known>> =
        values.iter().flatten().map(|value| Known::of(value, within)).collect();
    let Some(known) = known else { return Ok(None) };
    if node.opset < 7 && node.attribute("broadcast").is_some() {
        return Ok(None);
    }
    if op.starts_with("Reduce") {
        return reduced(node, &known, within).map(|made| made.map(|made| vec![made]));
    }
    let made = match &known[..] {
        [Known::Floats(x)] => float_of_one(op, x).map(Known::Floats),
        [Known::Whole(x, kind)] => whole_of_one(op, x, *kind),
        [Known::Floats(a), Known::Floats(b)] => floats_of_two(op, a, b)?,
        [Known::Whole(a, kind), Known::Whole(b, _)] => whole_of_two(op, a, b, *kind)?,
        [Known::Whole(condition, Kind::Bool), Known::Whole(a, kind), Known::Whole(b, _)]
            if op == "Where" =>
        {
            chosen(condition, a, b)?.map(|made| Known::Whole(made, *kind))
        }
        [Known::Whole(condition, Kind::Bool), Known::Floats(a), Known::Floats(b)]
            if op == "Where" =>
        {
            chosen(condition, a, b)?.map(Known::Floats)
        }
        [Known::Whole(from, kind), Known::Whole(to, _), Known::Whole(step, _)]
            if op == "Range" =>
        {
            range(from, to, step).map(|made| Known::Whole(made, *kind))
        }
        _ => None,
    };
    Ok(made.map(|made| vec![made.value()]))
}

fn float_of_one(op: &str, x: &Array<f32>) -> Option<Array<f32>> {
    let function: fn(f32) -> f32 = match op {
        "Neg" => |x| -x,
        "Abs" => f32::abs,
        "Sqrt" => f32::sqrt,
        "Floor" => f32::floor,
        "Ceil" => f32::ceil,
        "Reciprocal" => |x| 1.0 / x,
        "Exp" => |x| libm::exp(f64::from(x)) as f32,
        "Log" => |x| libm::log(f64::from(x)) as f32,
        _ => return None,
    };
    let values = x.values.iter().map(|&value| function(value)).collect();
    Some(Array { dims: x.dims.clone(), values })
}

fn whole_of_one(op: &str, x: &Array<Size>, kind: Kind) -> Option<Known> {
    let values: Option<Vec<Size>> = match op {
        "Neg" => x.values.iter().map(|&size| Size::known(0).sub(size)).collect(),
        "Not" => {
            let not = |size: &Size| Some(Size::known(1 - size.number()?));
            x.values.iter().map(not).collect()
        }
        _ => return None,
    };
    Some(Known::Whole(Array { dims: x.dims.clone(), values: values? }, kind))
}

fn floats_of_two(op: &str, a: &Array<f32>, b: &Array<f32>) -> Made<Option<Known>> {
    let function: fn(f32, f32) -> f32 = match op {
        "Add" | "Sum" => |a, b| a + b,
        "Sub" => |a, b| a - b,
        "Mul" => |a, b| a * b,
        "Div" => |a, b| a / b,
        "Pow" => |a, b| libm::pow(f64::from(a), f64::from(b)) as f32,
        "Max" => f32::max,
        "Min" => f32::min,
        _ => {
            let compare: fn(f32, f32) -> bool = match op {
                "Equal" => |a, b| a == b,
                "Less" => |a, b| a < b,
                "Greater" => |a, b| a > b,
                "LessOrEqual" => |a, b| a <= b,
                "GreaterOrEqual" => |a, b| a >= b,
                _ => return Ok(None),
            };
            let made = meet(a, b, |a, b| Some(Size::known(i64::from(compare(a, b)))))?;
            return Ok(made.map(|made| Known::Whole(made, Kind::Bool)));
        }
    };
    Ok(meet(a, b, |a, b| Some(function(a, b)))?.map(Known::Floats))
}

fn whole_of_two(op: &str, a: &Array<Size>, b: &Array<Size>, kind: Kind) -> Made<Option<Known>> {
    let truth = |is: bool| Some(Size::known(i64::from(is)));
    let numbers = |a: Size, b: Size| Some((a.number()?, b.number()?));
    let function: &dyn Fn(Size, Size) -> Option<Size> = match op {
        "Add" | "Sum" => &Size::add,
        "Sub" => &Size::sub,
        "Mul" => &Size::mul,
        "Div" => &Size::div,
        // Of numbers that are not negative, all kinds of remainders are one.
        "Mod" => &|a, b| {
            let (a, b) = numbers(a, b).filter(|(a, b)| *a >= 0 && *b > 0)?;
            Some(Size::known(a % b))
        },
        "Max" => &|a, b| numbers(a, b).map(|(a, b)| Size::known(a.max(b))),
        "Min" => &|a, b| numbers(a, b).map(|(a, b)| Size::known(a.min(b))),
        "And" => &|a, b| numbers(a, b).and_then(|(a, b)| truth(a != 0 && b != 0)),
        "Or" => &|a, b| numbers(a, b).and_then(|(a, b)| truth(a != 0 || b != 0)),
        // A batch has a sample at least.
        "Equal" => &|a, b| match (a.number(), b.number()) {
            (Some(a), Some(b)) => truth(a == b),
            (None, Some(number)) if a.fixed == 0 && a.batches > 0 && number < 1 => truth(false),
            (Some(number), None) if b.fixed == 0 && b.batches > 0 && number < 1 => truth(false),
            _ => (a == b).then_some(Size::ONE),
        },
        "Less" => &|a, b| numbers(a, b).and_then(|(a, b)| truth(a < b)),
        "Greater" => &|a, b| numbers(a, b).and_then(|(a, b)| truth(a > b)),
        "LessOrEqual" => &|a, b| numbers(a, b).and_then(|(a, b)| truth(a <= b)),
        "GreaterOrEqual" => &|a, b| numbers(a, b).and_then(|(a, b)| truth(a >= b)),
        _ => return Ok(None),
    };
    let compares = matches!(op, "Equal" | "Less" | "Greater" | "LessOrEqual" | "GreaterOrEqual");
    let kind = if compares { Kind::Bool } else { kind };
    Ok(meet(a, b, function)?.map(|made| Known::Whole(made, kind)))
}

/// A function of each pair of elements, with NumPy's broadcasting.
fn meet<T: Copy, U>(
    a: &Array<T>,
    b: &Array<T>,
    function: impl Fn(T, T) -> Option<U>,
) -> Made<Option<Array<U>>> {
    let Some((dims, [a, b])) = aligned(a, b)? else { return Ok(None) };
    let values: Option<Vec<U>> = a.into_iter().zip(b).map(|(a, b)| function(a, b)).collect();
    Ok(values.map(|values| Array { dims, values }))
}

/// The elements of two arrays in the shape in which they meet.
type Aligned<T> = (Vec<usize>, [Vec<T>; 2]);

fn aligned<T: Copy>(a: &Array<T>, b: &Array<T>) -> Made<Option<Aligned<T>>> {
    use super::super::constant::{strided, strides};
    let rank = a.dims.len().max(b.dims.len());
    let at = |dims: &[usize], axis: usize| {
        (axis + dims.len()).checked_sub(rank).map_or(1, |own| dims[own])
    };
    let mut dims = Vec::new();
    for axis in 0..rank {
        match (at(&a.dims, axis), at(&b.dims, axis)) {
            (1, other) | (other, 1) => dims.push(other),
            (own, other) if own == other => dims.push(own),
            _ => return Err(format!("{:?} does not meet {:?}", a.dims, b.dims)),
        }
    }
    let all = dims.iter().fold(1usize, |all, &dim| all.saturating_mul(dim));
    if all > MOST {
        return Ok(None);
    }
    let spread = |array: &Array<T>| {
        let own = strides(&array.dims);
        let step = |axis: usize| match (axis + array.dims.len()).checked_sub(rank) {
            Some(at) if array.dims[at] != 1 => own[at],
            _ => 0,
        };
        strided(&array.values, &dims, &(0..rank).map(step).collect::<Vec<_>>())
    };
    let both = [spread(a), spread(b)];
    Ok(Some((dims, both)))
}

fn chosen<T: Copy>(
    condition: &Array<Size>,
    a: &Array<T>,
    b: &Array<T>,
) -> Made<Option<Array<T>>> {
    let pairs = meet(a, b, |a, b| Some((a, b)))?;
    let Some(pairs) = pairs else { return Ok(None) };
    let truths: Option<Vec<bool>> =
        condition.values.iter().map(|it| it.number().map(|it| it != 0)).collect();
    let Some(truths) = truths else { return Ok(None) };
    if condition.dims != pairs.dims {
        // The common case: one shape for all.
        return Ok(None);
    }
    let values = pairs.values.iter().zip(truths).map(|(&(a, b), is)| if is { a } else { b });
    Ok(Some(Array { dims: pairs.dims.clone(), values: values.collect() }))
}

fn range(from: &Array<Size>, to: &Array<Size>, step: &Array<Size>) -> Option<Array<Size>> {
    let one = |array: &Array<Size>| match &array.values[..] {
        [value] => value.number(),
        _ => None,
    };
    let (from, to, step) = (one(from)?, one(to)?, one(step)?);
    let distance = to.checked_sub(from)?;
    let count = usize::try_from(distance.checked_div(step)?).unwrap_or(0);
    if count > MOST {
        return None;
    }
    let exact = distance % step == 0;
    let count = if exact || distance.signum() != step.signum() { count } else { count + 1 };
    let values: Vec<Size> = (0..count as i64).map(|at| Size::known(from + at * step)).collect();
    Some(Array { dims: vec![values.len()], values })
}

/// A reduction of whole numbers along all of one axis.
fn reduced<'a>(
    node: &NodeReader<'a>,
    known: &[Known],
    within: &KnownValues<'a>,
) -> Made<Option<Value>> {
    let Some(Known::Whole(x, kind)) = known.first() else { return Ok(None) };
    let axes = within.listed(node, "axes", 1)?;
    let keep = node.int("keepdims", 1)? != 0;
    if x.dims.len() > 1 || node.int("noop_with_empty_axes", 0)? != 0 {
        return Ok(None);
    }
    for axis in axes.unwrap_or_default() {
        axis_of(axis, x.dims.len())?;
    }
    let mut values = x.values.iter().copied();
    let made = match node.node.op.as_str() {
        "ReduceProd" => values.try_fold(Size::ONE, Size::mul),
        "ReduceSum" => values.try_fold(Size::known(0), Size::add),
        "ReduceMax" => values.map(Size::number).collect::<Option<Vec<_>>>().and_then(|all| {
            all.into_iter().max().map(Size::known)
        }),
        "ReduceMin" => values.map(Size::number).collect::<Option<Vec<_>>>().and_then(|all| {
            all.into_iter().min().map(Size::known)
        }),
        _ => None,
    };
    let dims = if keep { vec![1; x.dims.len()] } else { Vec::new() };
    Ok(made.map(|made| of_sizes(Array { dims, values: vec![made] }, *kind)))
}
