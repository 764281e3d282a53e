//! One number everywhere, moved: it stays one number, in a shape that may depend on the batch.
//!
//! ```text
//! ConstantOfShape([2, N, 20]) → Slice(0:1, axis 0)        =  0 everywhere, [1, N, 20]
//! Concat(0 everywhere [N, 3], 0 everywhere [N, 1], axis 1) =  0 everywhere, [N, 4]
//! ```

use super::super::constant::{ElementKind, TensorElements};
use super::super::known::{KnownValues, Made};
use super::super::node::NodeReader;
use super::super::size::SymbolicSize;
use super::super::value::{GraphValue, axis_of};
use super::moves::{places, slice_axes};
use super::{extents, of_one_number, shape_change};
use crate::onnx::model::OnnxAttribute;

/// A number and the shape in which it stands everywhere.
struct UniformValue {
    number: f64,
    kind: ElementKind,
    dims: Vec<SymbolicSize>,
}

impl UniformValue {
    fn of(value: &GraphValue) -> Option<UniformValue> {
        let (number, kind) = match value {
            GraphValue::Filled(number, kind, _) => (*number, *kind),
            GraphValue::Constant(constant) => match constant.elements {
                TensorElements::Filled(number) => (number, constant.kind),
                _ => return None,
            },
            _ => return None,
        };
        Some(UniformValue { number, kind, dims: extents(value) })
    }

    fn in_shape(&self, dims: Vec<SymbolicSize>) -> GraphValue {
        of_one_number(self.number, self.kind, dims)
    }
}

/// The values that a node makes which moves one number, if that is all it does.
pub(super) fn moved<'a>(
    node: &NodeReader<'a>,
    within: &KnownValues<'a>,
) -> Made<Option<Vec<GraphValue>>> {
    let first = node.node.inputs.first().and_then(|name| within.values.get(name.as_str()));
    let Some(x) = first.and_then(UniformValue::of) else { return Ok(None) };
    let is_known = |at: usize| {
        let value = node.node.inputs.get(at).and_then(|name| within.values.get(name.as_str()));
        matches!(value, Some(GraphValue::Constant(_) | GraphValue::Sizes(_)))
    };
    let dims = match node.node.op.as_str() {
        "Transpose" => transposed(node, &x)?,
        "Concat" => joined(node, &x, within)?,
        "Slice" => sliced(node, &x, within)?,
        "Gather" if is_known(1) => {
            let axis = axis_of(node.int("axis", 0)?, x.dims.len())?;
            let index = extents(&within.value(node, 1)?);
            Some([&x.dims[..axis], &index, &x.dims[axis + 1..]].concat())
        }
        "Tile" if is_known(1) => {
            let times = within.sizes(node, 1)?;
            let pairs = x.dims.iter().zip(&times).map(|(size, &times)| size.mul(times));
            pairs.collect::<Option<Vec<_>>>().filter(|dims| dims.len() == times.len())
        }
        "Cast" => return cast(node, &x, within),
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => shape_change(node, &x.dims, within)?,
        _ => None,
    };
    let Some(dims) = dims else { return Ok(None) };
    within.value(node, 0)?;
    Ok(Some(vec![x.in_shape(dims)]))
}

fn transposed(node: &NodeReader<'_>, x: &UniformValue) -> Made<Option<Vec<SymbolicSize>>> {
    let rank = x.dims.len();
    let order = node.ints("perm")?.unwrap_or_else(|| (0..rank as i64).rev().collect());
    let order: Vec<usize> = order.iter().map(|&axis| axis_of(axis, rank)).collect::<Made<_>>()?;
    let is_order = order.len() == rank && (0..rank).all(|axis| order.contains(&axis));
    Ok(is_order.then(|| order.iter().map(|&axis| x.dims[axis]).collect()))
}

/// The shape of values beside each other, if all of them are one number.
fn joined<'a>(
    node: &NodeReader<'a>,
    x: &UniformValue,
    within: &KnownValues<'a>,
) -> Made<Option<Vec<SymbolicSize>>> {
    let axis = axis_of(node.int("axis", 1)?, x.dims.len())?;
    let mut dims = x.dims.clone();
    dims[axis] = SymbolicSize::known(0);
    for index in 0..node.node.inputs.len() {
        let value = within.optional(node, index)?;
        let Some(other) = value.as_ref().and_then(UniformValue::of) else { return Ok(None) };
        let alike = other.number.to_bits() == x.number.to_bits() && other.kind == x.kind;
        let fits = |at: usize| at == axis || other.dims[at] == x.dims[at];
        if !alike || other.dims.len() != dims.len() || !(0..dims.len()).all(fits) {
            return Ok(None);
        }
        let Some(sum) = dims[axis].add(other.dims[axis]) else { return Ok(None) };
        dims[axis] = sum;
    }
    Ok(Some(dims))
}

fn sliced<'a>(
    node: &NodeReader<'a>,
    x: &UniformValue,
    within: &KnownValues<'a>,
) -> Made<Option<Vec<SymbolicSize>>> {
    let bounds = |name: &str, index: usize| match node.ints(name)? {
        Some(known) => Ok(known.into_iter().map(SymbolicSize::known).collect()),
        None => within.sizes(node, index),
    };
    let (starts, ends) = (bounds("starts", 1)?, bounds("ends", 2)?);
    let Some((axes, steps)) = slice_axes(node, within, [starts.len(), ends.len()])? else {
        return Ok(None);
    };
    let mut dims = x.dims.clone();
    for (at, &axis) in axes.iter().enumerate() {
        let axis = axis_of(axis, dims.len())?;
        let whole = steps[at] == 1
            && starts[at] == SymbolicSize::known(0)
            && (ends[at] == dims[axis]
                || ends[at].number().is_some_and(|end| end >= i64::from(i32::MAX)));
        match (dims[axis].number(), starts[at].number(), ends[at].number()) {
            _ if whole => {}
            (Some(extent), Some(start), Some(end)) => {
                let count = places(start, end, steps[at], extent)?.len();
                dims[axis] = SymbolicSize::known(count as i64);
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(dims))
}

fn cast<'a>(
    node: &NodeReader<'a>,
    x: &UniformValue,
    within: &KnownValues<'a>,
) -> Made<Option<Vec<GraphValue>>> {
    let to = match node.attribute("to") {
        Some(OnnxAttribute::Int(to @ (1 | 6 | 7 | 9 | 11))) => i32::try_from(*to).ok(),
        _ => None,
    };
    let Some(kind) = to.and_then(ElementKind::of) else { return Ok(None) };
    let number = match kind {
        ElementKind::Float => x.number,
        ElementKind::Bool => f64::from(x.number != 0.0),
        ElementKind::Int | ElementKind::Byte => x.number.trunc(),
    };
    node.ignore(&["saturate", "round_mode"]);
    within.value(node, 0)?;
    Ok(Some(vec![of_one_number(number, kind, x.dims.clone())]))
}
