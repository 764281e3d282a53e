//! TensorElements of constants moved: parts of them, several joined, repeated or put in another order.

use super::super::constant::{Constant, ElementKind, TensorElements, strided, strides, transposed};
use super::super::known::{KnownValues, Made};
use super::super::node::NodeReader;
use super::super::size::SymbolicSize;
use super::super::value::{GraphValue, KnownArray, axis_of};
use super::{MOST, of_sizes};
use std::rc::Rc;

/// The elements of a value, of either kind.
pub(super) enum KnownElements {
    Whole(KnownArray<SymbolicSize>, ElementKind),
    Floats(KnownArray<f32>),
}

impl KnownElements {
    pub fn of(value: &GraphValue, within: &KnownValues<'_>) -> Option<KnownElements> {
        match value {
            GraphValue::Sizes(array) => Some(KnownElements::Whole(array.clone(), ElementKind::Int)),
            GraphValue::Constant(constant) if constant.kind == ElementKind::Float => {
                let (dims, values) = (constant.dims.clone(), constant.floats(&within.stored));
                Some(KnownElements::Floats(KnownArray { dims, values }))
            }
            GraphValue::Constant(constant) => {
                let values =
                    constant.ints(&within.stored).into_iter().map(SymbolicSize::known).collect();
                Some(KnownElements::Whole(
                    KnownArray { dims: constant.dims.clone(), values },
                    constant.kind,
                ))
            }
            _ => None,
        }
    }

    pub fn value(self) -> GraphValue {
        match self {
            KnownElements::Whole(array, kind) => of_sizes(array, kind),
            KnownElements::Floats(array) => GraphValue::Constant(Constant {
                kind: ElementKind::Float,
                dims: array.dims,
                elements: TensorElements::F32(Rc::new(array.values)),
                name: String::new(),
            }),
        }
    }
}

/// A matrix of the file with its axes changing places, which still is the file's.
pub(super) fn turned<'a>(
    node: &NodeReader<'a>,
    value: &GraphValue,
    within: &KnownValues<'a>,
) -> Made<Option<GraphValue>> {
    let GraphValue::Constant(constant) = value else { return Ok(None) };
    let (TensorElements::Stored(index), &[rows, columns]) =
        (&constant.elements, &constant.dims[..])
    else {
        return Ok(None);
    };
    let own = within.stored[*index].dims[..] == [rows as i64, columns as i64];
    let order = node.ints("perm")?.unwrap_or_else(|| vec![1, 0]);
    let turns = node.node.op == "Transpose" && order == [1, 0];
    if !own || !turns || constant.kind != ElementKind::Float {
        return Ok(None);
    }
    let elements = TensorElements::Turned(*index, [rows, columns]);
    let dims = vec![columns, rows];
    Ok(Some(GraphValue::Constant(Constant { dims, elements, ..constant.clone() })))
}

/// The value that a node makes which moves elements.
pub(super) fn moved<'a>(
    node: &NodeReader<'a>,
    values: &[Option<GraphValue>],
    within: &KnownValues<'a>,
) -> Made<Option<Vec<GraphValue>>> {
    let op = node.node.op.as_str();
    if op == "ScatterND" {
        return scattered(node, values, within);
    }
    let known =
        matches!(op, "Transpose" | "Gather" | "Slice" | "Concat" | "Expand" | "Split" | "Trilu");
    if !known {
        return Ok(None);
    }
    let all: Option<Vec<KnownElements>> = match op {
        "Concat" => values.iter().map(|value| KnownElements::of(value.as_ref()?, within)).collect(),
        _ => {
            values.first().and_then(|first| Some(vec![KnownElements::of(first.as_ref()?, within)?]))
        }
    };
    if let ("Expand", Some(Some(GraphValue::Constant(constant)))) = (op, values.first())
        && let Some(GraphValue::Constant(target)) = values.get(1).cloned().flatten()
    {
        // What repeats nothing is the file's own tensor.
        let target = target.ints(&within.stored);
        let dims: Vec<i64> = constant.dims.iter().map(|&dim| dim as i64).collect();
        if target.len() <= dims.len()
            && target.iter().rev().zip(dims.iter().rev()).all(|(to, own)| to == own || *to == 1)
        {
            return Ok(Some(vec![GraphValue::Constant(constant.clone())]));
        }
    }
    let Some(mut all) = all.filter(|all| !all.is_empty()) else { return Ok(None) };
    if op == "Concat" {
        return joined(node, all).map(|made| Some(vec![made.value()]));
    }
    let made = match all.remove(0) {
        KnownElements::Whole(array, kind) => {
            let made = parts(node, &array, SymbolicSize::known(0), within)?;
            made.map(|made| {
                made.into_iter().map(|it| KnownElements::Whole(it, kind).value()).collect()
            })
        }
        KnownElements::Floats(array) => {
            let made = parts(node, &array, 0.0, within)?;
            made.map(|made| made.into_iter().map(|it| KnownElements::Floats(it).value()).collect())
        }
    };
    // The name of a weight that only moves stays.
    let name = match &values[0] {
        Some(GraphValue::Constant(constant)) => constant.name.clone(),
        _ => String::new(),
    };
    Ok(made
        .map(|made: Vec<GraphValue>| made.into_iter().map(|value| named(value, &name)).collect()))
}

fn named(value: GraphValue, name: &str) -> GraphValue {
    match value {
        GraphValue::Constant(constant) => {
            GraphValue::Constant(Constant { name: name.to_owned(), ..constant })
        }
        other => other,
    }
}

fn parts<'a, T: Copy>(
    node: &NodeReader<'a>,
    array: &KnownArray<T>,
    zero: T,
    within: &KnownValues<'a>,
) -> Made<Option<Vec<KnownArray<T>>>> {
    let rank = array.dims.len();
    Ok(match node.node.op.as_str() {
        "Transpose" => {
            let order = node.ints("perm")?.unwrap_or_else(|| (0..rank as i64).rev().collect());
            let order: Vec<usize> =
                order.iter().map(|&axis| axis_of(axis, rank)).collect::<Made<_>>()?;
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if !sorted.into_iter().eq(0..rank) {
                return Err(format!("{order:?} is no order of {rank} axes"));
            }
            let dims = order.iter().map(|&axis| array.dims[axis]).collect();
            Some(vec![KnownArray { dims, values: transposed(&array.values, &array.dims, &order) }])
        }
        "Gather" => {
            let GraphValue::Constant(index) = within.value(node, 1)? else { return Ok(None) };
            let axis = axis_of(node.int("axis", 0)?, rank)?;
            gathered(array, axis, &index.ints(&within.stored), &index.dims)
                .map(|it| Some(vec![it]))?
        }
        "Slice" => Some(vec![sliced(node, array, within)?]),
        "Trilu" => Some(vec![trilu(node, array, zero, within)?]),
        "Split" => {
            let axis = axis_of(node.int("axis", 0)?, rank)?;
            let count = node.node.outputs.len().max(1);
            node.int("num_outputs", 1)?;
            let parts = within.listed(node, "split", 1)?.unwrap_or_else(|| {
                let part = array.dims[axis].div_ceil(count);
                let end = |at: usize| (at * part).min(array.dims[axis]);
                (0..count).map(|at| (end(at + 1) - end(at)) as i64).collect()
            });
            let (mut made, mut from) = (Vec::new(), 0i64);
            for part in parts {
                let to = from.checked_add(part).filter(|_| part >= 0).ok_or("a part is none")?;
                let index: Vec<i64> = (from..to.min(array.dims[axis] as i64 + 1)).collect();
                made.push(gathered(array, axis, &index, &[index.len()])?);
                from = to;
            }
            Some(made)
        }
        "Expand" => {
            let GraphValue::Constant(target) = within.value(node, 1)? else { return Ok(None) };
            expanded(array, &target.ints(&within.stored))?.map(|made| vec![made])
        }
        _ => None,
    })
}

/// Zeros on one side of a diagonal.
fn trilu<'a, T: Copy>(
    node: &NodeReader<'a>,
    array: &KnownArray<T>,
    zero: T,
    within: &KnownValues<'a>,
) -> Made<KnownArray<T>> {
    let &[.., rows, columns] = &array.dims[..] else {
        return Err("it is for matrices alone".into());
    };
    let (diagonal, sign) = triangle(node, within)?;
    let kept = |(at, &value): (usize, &T)| {
        let (row, column) = ((at / columns % rows) as i64, (at % columns) as i64);
        let edge = row.saturating_add(diagonal);
        let inside = if sign == "<=" { column <= edge } else { column >= edge };
        if inside { value } else { zero }
    };
    let values = array.values.iter().enumerate().map(kept).collect();
    Ok(KnownArray { dims: array.dims.clone(), values })
}

/// The diagonal of a `Trilu`, and how a column compares to its row and that where elements are kept.
pub(in super::super) fn triangle<'a>(
    node: &NodeReader<'a>,
    within: &KnownValues<'a>,
) -> Made<(i64, &'static str)> {
    let diagonal = within.optional_constant(node, 1)?;
    let diagonal = diagonal.and_then(|it| it.ints(&within.stored).first().copied()).unwrap_or(0);
    let diagonal = diagonal.clamp(-(1 << 24), 1 << 24);
    Ok((diagonal, if node.int("upper", 1)? == 0 { "<=" } else { ">=" }))
}

/// Entries along an axis; negative ones count from the end.
fn gathered<T: Copy>(
    array: &KnownArray<T>,
    axis: usize,
    index: &[i64],
    shape: &[usize],
) -> Made<KnownArray<T>> {
    let extent = array.dims[axis];
    let outer: usize = array.dims[..axis].iter().product();
    let inner: usize = array.dims[axis + 1..].iter().product();
    let all = outer.checked_mul(index.len()).and_then(|count| count.checked_mul(inner));
    if all.is_none_or(|count| count > MOST) {
        return Err("it makes too large a constant".into());
    }
    let mut values = Vec::with_capacity(all.unwrap_or(0));
    for row in 0..outer {
        for &at in index {
            let at = if at < 0 { at.saturating_add(extent as i64) } else { at };
            let at = usize::try_from(at).ok().filter(|&at| at < extent);
            let at = at.ok_or("an index is outside of what it indexes")?;
            let from = (row * extent + at) * inner;
            values.extend_from_slice(&array.values[from..from + inner]);
        }
    }
    let dims = [&array.dims[..axis], shape, &array.dims[axis + 1..]].concat();
    Ok(KnownArray { dims, values })
}

fn sliced<'a, T: Copy>(
    node: &NodeReader<'a>,
    array: &KnownArray<T>,
    within: &KnownValues<'a>,
) -> Made<KnownArray<T>> {
    let missing = "where it begins or ends is not known";
    let starts = within.listed(node, "starts", 1)?.ok_or(missing)?;
    let ends = within.listed(node, "ends", 2)?.ok_or(missing)?;
    let (axes, steps) = slice_axes(node, within, [starts.len(), ends.len()])?
        .ok_or("its starts, ends, axes and steps are not as many")?;
    let mut made = array.clone();
    for (at, &axis) in axes.iter().enumerate() {
        let axis = axis_of(axis, made.dims.len())?;
        let index = places(starts[at], ends[at], steps[at], made.dims[axis] as i64)?;
        made = gathered(&made, axis, &index, &[index.len()])?;
    }
    Ok(made)
}

/// The axes and steps of a slice with so many starts and ends; `None` where there are not as many.
pub(in super::super) fn slice_axes<'a>(
    node: &NodeReader<'a>,
    within: &KnownValues<'a>,
    [starts, ends]: [usize; 2],
) -> Made<Option<(Vec<i64>, Vec<i64>)>> {
    let axes = within.listed(node, "axes", 3)?;
    let axes = axes.unwrap_or_else(|| (0..starts as i64).collect());
    let steps = within.optional_constant(node, 4)?.map(|steps| steps.ints(&within.stored));
    let steps = steps.unwrap_or_else(|| vec![1; starts]);
    let as_many = [ends, axes.len(), steps.len()] == [starts; 3];
    Ok(as_many.then_some((axes, steps)))
}

/// The places from one to another, in steps.
pub(in super::super) fn places(start: i64, end: i64, step: i64, extent: i64) -> Made<Vec<i64>> {
    let counted = |at: i64| if at < 0 { at.saturating_add(extent) } else { at };
    let size = usize::try_from(step.unsigned_abs()).map_err(|_| "its step is too large")?;
    match step {
        0 => Err("its step is 0".into()),
        1.. => {
            let (from, to) = (counted(start).clamp(0, extent), counted(end).clamp(0, extent));
            Ok((from..to).step_by(size).collect())
        }
        _ => {
            let (from, to) = (counted(start).min(extent - 1), counted(end).clamp(-1, extent - 1));
            Ok((to + 1..=from).rev().step_by(size).collect())
        }
    }
}

fn expanded<T: Copy>(array: &KnownArray<T>, target: &[i64]) -> Made<Option<KnownArray<T>>> {
    let rank = target.len().max(array.dims.len());
    let own = |axis: usize| (axis + array.dims.len()).checked_sub(rank);
    let steps = strides(&array.dims);
    let (mut dims, mut moves, mut all) = (Vec::new(), Vec::new(), 1usize);
    for axis in 0..rank {
        let from = own(axis).map_or(1, |own| array.dims[own]);
        let to = (axis + target.len()).checked_sub(rank).map_or(1, |own| target[own]);
        let to = usize::try_from(to).map_err(|_| "it repeats fewer times than none")?;
        let extent = if from == 1 { to } else { from };
        if from != 1 && to != 1 && from != to {
            return Err(format!("{:?} cannot become {target:?}", array.dims));
        }
        dims.push(extent);
        moves.push(if from == 1 { 0 } else { own(axis).map_or(0, |own| steps[own]) });
        all = all.saturating_mul(extent);
    }
    if all > MOST {
        return Ok(None);
    }
    Ok(Some(KnownArray { values: strided(&array.values, &dims, &moves), dims }))
}

/// Values joined along an axis.
fn joined(node: &NodeReader<'_>, all: Vec<KnownElements>) -> Made<KnownElements> {
    let axis = node.int("axis", 1)?;
    let (mut whole, mut floats, mut kinds) = (Vec::new(), Vec::new(), None);
    for known in all {
        match known {
            KnownElements::Whole(array, kind) => {
                kinds = kinds.or(Some(kind));
                whole.push(array);
            }
            KnownElements::Floats(array) => floats.push(array),
        }
    }
    match (kinds, whole.is_empty(), floats.is_empty()) {
        (Some(kind), false, true) => Ok(KnownElements::Whole(beside(&whole, axis)?, kind)),
        (None, true, false) => Ok(KnownElements::Floats(beside(&floats, axis)?)),
        _ => Err("it joins values of several types".into()),
    }
}

fn beside<T: Copy>(all: &[KnownArray<T>], axis: i64) -> Made<KnownArray<T>> {
    let first = &all[0].dims;
    let axis = axis_of(axis, first.len())?;
    let alike = |it: &KnownArray<T>| {
        it.dims.len() == first.len()
            && (0..first.len()).all(|at| at == axis || it.dims[at] == first[at])
    };
    if !all.iter().all(alike) {
        return Err("what it joins has several shapes".into());
    }
    let outer: usize = first[..axis].iter().product();
    let mut values = Vec::with_capacity(all.iter().map(|it| it.values.len()).sum());
    for row in 0..outer {
        for it in all {
            let long = it.values.len() / outer;
            values.extend_from_slice(&it.values[row * long..(row + 1) * long]);
        }
    }
    let mut dims = first.clone();
    dims[axis] = all.iter().map(|it| it.dims[axis]).sum();
    Ok(KnownArray { dims, values })
}

/// Slices of a constant, written over at the places that an index names.
fn scattered<'a>(
    node: &NodeReader<'a>,
    values: &[Option<GraphValue>],
    within: &KnownValues<'a>,
) -> Made<Option<Vec<GraphValue>>> {
    let known = |at: usize| values.get(at)?.as_ref().and_then(|it| KnownElements::of(it, within));
    let (Some(data), Some(KnownElements::Whole(index, _)), Some(updates)) =
        (known(0), known(1), known(2))
    else {
        return Ok(None);
    };
    if node.text("reduction", "none")? != "none" {
        return Err("what it writes is added to what is there".into());
    }
    Ok(match (data, updates) {
        (KnownElements::Floats(data), KnownElements::Floats(updates)) => {
            Some(vec![KnownElements::Floats(overwritten(data, &index, &updates)?).value()])
        }
        (KnownElements::Whole(data, kind), KnownElements::Whole(updates, _)) => {
            Some(vec![KnownElements::Whole(overwritten(data, &index, &updates)?, kind).value()])
        }
        _ => None,
    })
}

fn overwritten<T: Copy>(
    mut data: KnownArray<T>,
    index: &KnownArray<SymbolicSize>,
    updates: &KnownArray<T>,
) -> Made<KnownArray<T>> {
    let unfit = || "its places do not fit what it writes over".to_owned();
    let depth = *index.dims.last().ok_or_else(unfit)?;
    if depth == 0 || depth > data.dims.len() {
        return Err(unfit());
    }
    let inner: usize = data.dims[depth..].iter().product();
    let steps = strides(&data.dims);
    let count = index.values.len() / depth;
    if Some(updates.values.len()) != count.checked_mul(inner) {
        return Err(unfit());
    }
    for (at, place) in index.values.chunks(depth).enumerate() {
        let mut from = 0;
        for (axis, size) in place.iter().enumerate() {
            let extent = data.dims[axis] as i64;
            let number = size.number().ok_or_else(unfit)?;
            let number = if number < 0 { number.saturating_add(extent) } else { number };
            let number = usize::try_from(number).ok().filter(|&it| it < data.dims[axis]);
            from += number.ok_or_else(unfit)? * steps[axis];
        }
        data.values[from..from + inner].copy_from_slice(&updates.values[at * inner..][..inner]);
    }
    Ok(data)
}
