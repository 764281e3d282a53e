//! Rules of operators that move elements: broadcast, reshape, transpose, slice, concat, pad.
//!
//! `reshape([N, 784])` of `f32[N, 28, 28, 1]` is `f32[N, 784]`, since 784 = 28 · 28 · 1. An axis
//! of the batch is carried through whole: it cannot be cut, joined or padded, since what is done
//! to a step may not depend on how many samples it has.

use super::{Inferred, Mismatch, axes, check_extents, constant, in_rank, tensor};
use crate::graph::data::Scan;
use crate::graph::op::Range;
use crate::graph::types::{Dim, Shape, Type};

/// NumPy's rule, in one direction: aligned at the last axis, a 1 becomes any extent.
pub(super) fn broadcast(shape: &Shape, x: &Type) -> Inferred {
    tensor(x, "broadcast")?;
    let fail = || Mismatch::new(format!("{x} does not broadcast to {shape}"));
    let Some(lead) = shape.rank().checked_sub(x.shape.rank()) else {
        return Err(fail().note(format!("{} cannot become {}", axes(&x.shape), axes(shape))));
    };
    for (axis, &dim) in x.shape.iter().enumerate() {
        let wanted = shape[lead + axis];
        if dim != wanted && dim != Dim::Known(1) {
            return Err(fail()
                .note(format!("axis {axis}: {dim} cannot become {wanted}; only 1 can"))
                .axis(0, axis));
        }
    }
    Ok(Type::new(x.dtype, shape.clone()))
}

/// The first axis, one slice a step, is removed.
pub(super) fn scan_slice(scan: &Scan, x: &Type) -> Inferred {
    tensor(x, "scan_slice")?;
    let steps = Dim::Known(scan.steps);
    match x.shape.split_first() {
        Some((&first, rest)) if first == steps => Ok(Type::new(x.dtype, rest.to_vec())),
        Some((&first, _)) => {
            Err(Mismatch::new(format!("a scan of {steps} steps over {first} slices")).axis(0, 0))
        }
        None => Err(Mismatch::new(format!("a scan over {x}, which has no axes"))),
    }
}

/// A first axis is added: the steps.
pub(super) fn scan_stack(scan: &Scan, x: &Type) -> Inferred {
    tensor(x, "scan_stack")?;
    Ok(Type::new(x.dtype, x.shape.inserted(0, Dim::Known(scan.steps))))
}

/// As many elements before as after.
pub(super) fn reshape(shape: &Shape, x: &Type) -> Inferred {
    tensor(x, "reshape")?;
    check_extents(shape)?;
    if monomial(&x.shape) == monomial(shape) {
        return Ok(Type::new(x.dtype, shape.clone()));
    }
    let mismatch = Mismatch::new(format!("{x} does not reshape to {shape}")).note(format!(
        "{} against {}",
        product(&x.shape),
        product(shape)
    ));
    Err((0..x.shape.rank()).fold(mismatch, |mismatch, axis| mismatch.axis(0, axis)))
}

/// The number of elements as a factor and a power of `N`. The factor of a sound type is not too
/// large; that of one read from text may be.
fn monomial(dims: &[Dim]) -> (usize, usize) {
    dims.iter().fold((1, 0), |(factor, power), dim| match dim {
        Dim::Known(extent) => (factor.saturating_mul(*extent), power),
        Dim::Batch(extent) => (factor.saturating_mul(*extent), power + 1),
    })
}

/// `28 · 28 · 1 = 784`.
pub(crate) fn product(dims: &[Dim]) -> String {
    let elements = match monomial(dims) {
        (factor, 0) => factor.to_string(),
        (1, 1) => "N".to_owned(),
        (factor, 1) => format!("{factor}N"),
        (1, power) => format!("N^{power}"),
        (factor, power) => format!("{factor}N^{power}"),
    };
    let factors: Vec<String> = dims.iter().map(Dim::to_string).collect();
    match factors.len() {
        0 | 1 => elements,
        _ => format!("{} = {elements}", factors.join(" · ")),
    }
}

/// A permutation of the axes.
pub(super) fn transpose(perm: &[usize], x: &Type) -> Inferred {
    tensor(x, "transpose")?;
    let mut sorted = perm.to_vec();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..x.shape.rank()) {
        return Err(Mismatch::new(format!("{perm:?} is not an order of the axes of {x}"))
            .note(format!("each of its {} stands there once", axes(&x.shape))));
    }
    let dims: Vec<Dim> = perm.iter().map(|&axis| x.shape[axis]).collect();
    Ok(Type::new(x.dtype, dims))
}

/// One range an axis, within its extent.
pub(super) fn slice(ranges: &[Range], x: &Type) -> Inferred {
    tensor(x, "slice")?;
    if ranges.len() != x.shape.rank() {
        return Err(Mismatch::new(format!(
            "a slice with {} ranges of {x}, which has {}",
            ranges.len(),
            axes(&x.shape)
        )));
    }
    let dims = ranges.iter().zip(x.shape.iter()).enumerate();
    let dims: Result<Vec<Dim>, Mismatch> =
        dims.map(|(axis, (range, &dim))| part(range, dim, axis, x)).collect();
    Ok(Type::new(x.dtype, dims?))
}

/// The extent of one range of one axis.
fn part(range: &Range, dim: Dim, axis: usize, x: &Type) -> Result<Dim, Mismatch> {
    if *range == Range::ALL {
        return Ok(dim);
    }
    let fail = |message: String| Err(Mismatch::new(message).axis(0, axis));
    let (Dim::Known(extent), Some(len)) = (dim, range.len) else {
        return match dim {
            Dim::Batch(_) => fail(format!("axis {axis} of {x} is the batch, which cannot be cut")),
            Dim::Known(_) => fail(format!("a slice of axis {axis} of {x} has no length")),
        };
    };
    if len == 0 || range.step == 0 {
        return fail(format!("a slice of axis {axis} of {x} is empty"));
    }
    let reach = isize::try_from(len - 1).ok().and_then(|steps| steps.checked_mul(range.step));
    let last = reach.and_then(|reach| range.start.checked_add_signed(reach));
    match last {
        Some(last) if range.start < extent && last < extent => Ok(Dim::Known(len)),
        _ => {
            let Range { start, step, .. } = range;
            Err(Mismatch::new(format!("a slice leaves axis {axis} of {x}"))
                .note(format!("{len} indices from {start} by {step}, of an extent of {extent}"))
                .axis(0, axis))
        }
    }
}

/// Arguments of equal type but for the extent of one axis, which are added.
pub(super) fn concat(axis: usize, parts: &[&Type]) -> Inferred {
    let first = parts[0];
    tensor(first, "concat")?;
    in_rank(axis, &first.shape, "concat")?;
    let mut extent = 0usize;
    for (index, part) in parts.iter().enumerate() {
        like(axis, first, part, index)?;
        let Dim::Known(len) = part.shape[axis] else {
            return Err(Mismatch::new(format!(
                "axis {axis} of {part} is the batch, which cannot be joined"
            ))
            .axis(index, axis));
        };
        extent = extent.saturating_add(len);
    }
    let mut dims = first.shape.to_vec();
    dims[axis] = Dim::Known(extent);
    Ok(Type::new(first.dtype, dims))
}

/// Checks that a part of a concat agrees with the first but along `joined`.
fn like(joined: usize, first: &Type, part: &Type, index: usize) -> Result<(), Mismatch> {
    let fail = || Mismatch::new(format!("{first} and {part} cannot be joined along axis {joined}"));
    if first.dtype != part.dtype {
        return Err(fail().note("they must have one element type; `cast` converts"));
    }
    if first.shape.rank() != part.shape.rank() {
        return Err(fail().note(format!("{} against {}", axes(&first.shape), axes(&part.shape))));
    }
    for axis in (0..first.shape.rank()).filter(|&axis| axis != joined) {
        let (a, b) = (first.shape[axis], part.shape[axis]);
        if a != b {
            return Err(fail()
                .note(format!("axis {axis}: {a} against {b}"))
                .axis(0, axis)
                .axis(index, axis));
        }
    }
    Ok(())
}

/// Extents grow by what stands before and after.
pub(super) fn pad(amounts: &[(usize, usize)], value: f64, x: &Type) -> Inferred {
    tensor(x, "pad")?;
    constant(value, x.dtype)?;
    if amounts.len() != x.shape.rank() {
        let found = amounts.len();
        return Err(Mismatch::new(format!(
            "a pad of {found} axes of {x}, which has {}",
            axes(&x.shape)
        )));
    }
    let mut dims = x.shape.to_vec();
    for (axis, (dim, &(before, after))) in dims.iter_mut().zip(amounts).enumerate() {
        match dim {
            Dim::Known(extent) => *extent = extent.saturating_add(before).saturating_add(after),
            Dim::Batch(_) if (before, after) == (0, 0) => {}
            Dim::Batch(_) => {
                return Err(Mismatch::new(format!(
                    "axis {axis} of {x} is the batch, which cannot be padded"
                ))
                .axis(0, axis));
            }
        }
    }
    Ok(Type::new(x.dtype, dims))
}
