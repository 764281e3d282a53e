//! Arithmetic on constants: on whole numbers that may depend on the batch, and on floats.

use super::super::constant::{Constant, ElementKind};
use super::super::known::{KnownValues, Made};
use super::super::node::NodeReader;
use super::super::size::SymbolicSize;
use super::super::value::{GraphValue, KnownArray, axis_of};
use super::moves::KnownElements;
use super::{MOST, of_sizes};
use crate::onnx::model::OnnxAttribute;

/// A constant as it is, or with elements of another type.
pub(super) fn cast<'a>(
    node: &NodeReader<'a>,
    value: &GraphValue,
    within: &KnownValues<'a>,
) -> Made<Option<Vec<GraphValue>>> {
    let to = match (node.node.op.as_str(), node.attribute("to")) {
        ("Cast", Some(OnnxAttribute::Int(to))) => i32::try_from(*to).ok().and_then(ElementKind::of),
        ("CastLike", _) => match within.value(node, 1)? {
            GraphValue::Constant(like) => Some(like.kind),
            GraphValue::Sizes(_) => Some(ElementKind::Int),
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
        GraphValue::Sizes(_) if to == ElementKind::Int => Some(vec![value.clone()]),
        GraphValue::Constant(constant) if constant.kind == to => Some(vec![value.clone()]),
        GraphValue::Constant(constant) if constant.count() <= MOST => {
            let dims = constant.dims.clone();
            let ints = || constant.ints(&within.stored);
            Some(vec![match to {
                ElementKind::Float => {
                    GraphValue::Constant(Constant::of_floats(dims, constant.floats(&within.stored)))
                }
                ElementKind::Bool => {
                    let floats = constant.floats(&within.stored);
                    let values = floats.iter().map(|&it| i64::from(it != 0.0)).collect();
                    GraphValue::Constant(Constant { kind: to, ..Constant::of_ints(dims, values) })
                }
                _ => GraphValue::Constant(Constant { kind: to, ..Constant::of_ints(dims, ints()) }),
            }])
        }
        _ => None,
    })
}

/// The value that a node makes of constants, if it is arithmetic that is known here.
pub(super) fn computed<'a>(
    node: &NodeReader<'a>,
    values: &[Option<GraphValue>],
    within: &KnownValues<'a>,
) -> Made<Option<Vec<GraphValue>>> {
    let op = node.node.op.as_str();
    if op == "Mod" {
        node.ignore(&["fmod"]);
    }
    let known: Option<Vec<KnownElements>> =
        values.iter().flatten().map(|value| KnownElements::of(value, within)).collect();
    let Some(known) = known else { return Ok(None) };
    if node.opset < 7 && node.attribute("broadcast").is_some() {
        return Ok(None);
    }
    if op.starts_with("Reduce") {
        return reduced(node, &known, within).map(|made| made.map(|made| vec![made]));
    }
    let made = match &known[..] {
        [KnownElements::Floats(x)] => float_of_one(op, x).map(KnownElements::Floats),
        [KnownElements::Whole(x, kind)] => whole_of_one(op, x, *kind),
        [KnownElements::Floats(a), KnownElements::Floats(b)] => floats_of_two(op, a, b)?,
        [KnownElements::Whole(a, kind), KnownElements::Whole(b, _)] => {
            whole_of_two(op, a, b, *kind)?
        }
        [
            KnownElements::Whole(condition, ElementKind::Bool),
            KnownElements::Whole(a, kind),
            KnownElements::Whole(b, _),
        ] if op == "Where" => {
            chosen(condition, a, b)?.map(|made| KnownElements::Whole(made, *kind))
        }
        [
            KnownElements::Whole(condition, ElementKind::Bool),
            KnownElements::Floats(a),
            KnownElements::Floats(b),
        ] if op == "Where" => chosen(condition, a, b)?.map(KnownElements::Floats),
        [
            KnownElements::Whole(from, kind),
            KnownElements::Whole(to, _),
            KnownElements::Whole(step, _),
        ] if op == "Range" => range(from, to, step).map(|made| KnownElements::Whole(made, *kind)),
        _ => None,
    };
    Ok(made.map(|made| vec![made.value()]))
}

fn float_of_one(op: &str, x: &KnownArray<f32>) -> Option<KnownArray<f32>> {
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
    Some(KnownArray { dims: x.dims.clone(), values })
}

fn whole_of_one(
    op: &str,
    x: &KnownArray<SymbolicSize>,
    kind: ElementKind,
) -> Option<KnownElements> {
    let values: Option<Vec<SymbolicSize>> = match op {
        "Neg" => x.values.iter().map(|&size| SymbolicSize::known(0).sub(size)).collect(),
        "Not" => {
            let not = |size: &SymbolicSize| Some(SymbolicSize::known(1 - size.number()?));
            x.values.iter().map(not).collect()
        }
        _ => return None,
    };
    Some(KnownElements::Whole(KnownArray { dims: x.dims.clone(), values: values? }, kind))
}

fn floats_of_two(
    op: &str,
    a: &KnownArray<f32>,
    b: &KnownArray<f32>,
) -> Made<Option<KnownElements>> {
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
            let made = meet(a, b, |a, b| Some(SymbolicSize::known(i64::from(compare(a, b)))))?;
            return Ok(made.map(|made| KnownElements::Whole(made, ElementKind::Bool)));
        }
    };
    Ok(meet(a, b, |a, b| Some(function(a, b)))?.map(KnownElements::Floats))
}

fn whole_of_two(
    op: &str,
    a: &KnownArray<SymbolicSize>,
    b: &KnownArray<SymbolicSize>,
    kind: ElementKind,
) -> Made<Option<KnownElements>> {
    let truth = |is: bool| Some(SymbolicSize::known(i64::from(is)));
    let numbers = |a: SymbolicSize, b: SymbolicSize| Some((a.number()?, b.number()?));
    let function: &dyn Fn(SymbolicSize, SymbolicSize) -> Option<SymbolicSize> = match op {
        "Add" | "Sum" => &SymbolicSize::add,
        "Sub" => &SymbolicSize::sub,
        "Mul" => &SymbolicSize::mul,
        "Div" => &SymbolicSize::div,
        // Of numbers that are not negative, all kinds of remainders are one.
        "Mod" => &|a, b| {
            let (a, b) = numbers(a, b).filter(|(a, b)| *a >= 0 && *b > 0)?;
            Some(SymbolicSize::known(a % b))
        },
        "Max" => &|a, b| numbers(a, b).map(|(a, b)| SymbolicSize::known(a.max(b))),
        "Min" => &|a, b| numbers(a, b).map(|(a, b)| SymbolicSize::known(a.min(b))),
        "And" => &|a, b| numbers(a, b).and_then(|(a, b)| truth(a != 0 && b != 0)),
        "Or" => &|a, b| numbers(a, b).and_then(|(a, b)| truth(a != 0 || b != 0)),
        // A batch has a sample at least.
        "Equal" => &|a, b| match (a.number(), b.number()) {
            (Some(a), Some(b)) => truth(a == b),
            (None, Some(number)) if a.fixed == 0 && a.batches > 0 && number < 1 => truth(false),
            (Some(number), None) if b.fixed == 0 && b.batches > 0 && number < 1 => truth(false),
            _ => (a == b).then_some(SymbolicSize::ONE),
        },
        "Less" => &|a, b| numbers(a, b).and_then(|(a, b)| truth(a < b)),
        "Greater" => &|a, b| numbers(a, b).and_then(|(a, b)| truth(a > b)),
        "LessOrEqual" => &|a, b| numbers(a, b).and_then(|(a, b)| truth(a <= b)),
        "GreaterOrEqual" => &|a, b| numbers(a, b).and_then(|(a, b)| truth(a >= b)),
        _ => return Ok(None),
    };
    let compares = matches!(op, "Equal" | "Less" | "Greater" | "LessOrEqual" | "GreaterOrEqual");
    let kind = if compares { ElementKind::Bool } else { kind };
    // Bytes would wrap around.
    let fits = |size: &SymbolicSize| {
        kind != ElementKind::Byte || size.number().is_some_and(|it| (0..256).contains(&it))
    };
    let made = meet(a, b, function)?.filter(|made| made.values.iter().all(fits));
    Ok(made.map(|made| KnownElements::Whole(made, kind)))
}

/// A function of each pair of elements, with NumPy's broadcasting.
fn meet<T: Copy, U>(
    a: &KnownArray<T>,
    b: &KnownArray<T>,
    function: impl Fn(T, T) -> Option<U>,
) -> Made<Option<KnownArray<U>>> {
    let Some((dims, [a, b])) = aligned(a, b)? else { return Ok(None) };
    let values: Option<Vec<U>> = a.into_iter().zip(b).map(|(a, b)| function(a, b)).collect();
    Ok(values.map(|values| KnownArray { dims, values }))
}

/// The elements of two arrays in the shape in which they meet.
type Aligned<T> = (Vec<usize>, [Vec<T>; 2]);

fn aligned<T: Copy>(a: &KnownArray<T>, b: &KnownArray<T>) -> Made<Option<Aligned<T>>> {
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
    let spread = |array: &KnownArray<T>| {
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
    condition: &KnownArray<SymbolicSize>,
    a: &KnownArray<T>,
    b: &KnownArray<T>,
) -> Made<Option<KnownArray<T>>> {
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
    Ok(Some(KnownArray { dims: pairs.dims.clone(), values: values.collect() }))
}

fn range(
    from: &KnownArray<SymbolicSize>,
    to: &KnownArray<SymbolicSize>,
    step: &KnownArray<SymbolicSize>,
) -> Option<KnownArray<SymbolicSize>> {
    let one = |array: &KnownArray<SymbolicSize>| match &array.values[..] {
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
    let values: Vec<SymbolicSize> =
        (0..count as i64).map(|at| SymbolicSize::known(from + at * step)).collect();
    Some(KnownArray { dims: vec![values.len()], values })
}

/// A reduction of whole numbers along all of one axis.
fn reduced<'a>(
    node: &NodeReader<'a>,
    known: &[KnownElements],
    within: &KnownValues<'a>,
) -> Made<Option<GraphValue>> {
    let Some(KnownElements::Whole(x, kind)) = known.first() else { return Ok(None) };
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
        "ReduceProd" => values.try_fold(SymbolicSize::ONE, SymbolicSize::mul),
        "ReduceSum" => values.try_fold(SymbolicSize::known(0), SymbolicSize::add),
        "ReduceMax" => values
            .map(SymbolicSize::number)
            .collect::<Option<Vec<_>>>()
            .and_then(|all| all.into_iter().max().map(SymbolicSize::known)),
        "ReduceMin" => values
            .map(SymbolicSize::number)
            .collect::<Option<Vec<_>>>()
            .and_then(|all| all.into_iter().min().map(SymbolicSize::known)),
        _ => None,
    };
    let dims = if keep { vec![1; x.dims.len()] } else { Vec::new() };
    Ok(made.map(|made| of_sizes(KnownArray { dims, values: vec![made] }, *kind)))
}
