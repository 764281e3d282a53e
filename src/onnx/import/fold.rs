//! Values that can be computed while importing: shapes, and arithmetic on constants.
//!
//! ```text
//! Shape(x: [N, 768, 14, 14]) → Gather(0) → Unsqueeze → Concat(…, [768, -1])  =  [N, 768, -1]
//! ConstantOfShape([64, 3, 7, 7])                                             =  0 everywhere
//! ```
//!
//! Whole numbers may depend on the batch ([`SymbolicSize`]). Weights keep pointing at the file for as long as
//! only their shape changes. Results of more than [`MOST`] elements are not computed: the program does
//! that.

mod arithmetic;
mod moves;
mod shapes;
mod uniform;

pub(super) use moves::{places, slice_axes, triangle};
pub(super) use shapes::{reshape_target, shape_change};

use super::constant::{Constant, ElementKind, TensorElements};
use super::known::{KnownValues, Made};
use super::node::NodeReader;
use super::size::SymbolicSize;
use super::value::{GraphValue, KnownArray};
use crate::onnx::model::{OnnxAttribute, OnnxTensor};
use std::rc::Rc;

/// TensorElements of a result that is computed while importing.
const MOST: usize = 1 << 22;

/// The values that a node makes, if they can be computed.
pub(super) fn fold<'a>(
    node: &NodeReader<'a>,
    within: &KnownValues<'a>,
) -> Made<Option<Vec<GraphValue>>> {
    let op = node.node.op.as_str();
    let one = |value: GraphValue| Ok(Some(vec![value]));
    match op {
        "Constant" => return one(GraphValue::Constant(constant(node)?)),
        "Shape" | "Size" => return one(shape(node, within)?),
        "ConstantOfShape" => return one(filled(node, within)?),
        "Expand" => {
            if let Some(made) = filled_expand(node, within)? {
                return one(made);
            }
        }
        _ => {
            if let Some(made) = uniform::moved(node, within)? {
                return Ok(Some(made));
            }
        }
    }
    let mut values = Vec::new();
    for index in 0..node.node.inputs.len() {
        match within.optional(node, index)? {
            Some(value @ (GraphValue::Constant(_) | GraphValue::Sizes(_))) => {
                values.push(Some(value))
            }
            None => values.push(None),
            Some(_) => return Ok(None),
        }
    }
    let Some(Some(first)) = values.first() else { return Ok(None) };
    if matches!(op, "Identity" | "Dropout" | "Cast" | "CastLike") {
        return arithmetic::cast(node, first, within);
    }
    if let Some(dims) = shape_change(node, &extents(first), within)? {
        return one(in_shape(first, &dims)?);
    }
    if let Some(turned) = moves::turned(node, first, within)? {
        return one(turned);
    }
    let large = |value: &Option<GraphValue>| value.as_ref().is_some_and(|it| count(it) > MOST);
    if values.iter().any(large) {
        return Ok(None);
    }
    match moves::moved(node, &values, within)? {
        Some(made) => Ok(Some(made)),
        None => arithmetic::computed(node, &values, within),
    }
}

/// The shape of a value that is known.
pub(super) fn extents(value: &GraphValue) -> Vec<SymbolicSize> {
    match value {
        GraphValue::Constant(constant) => SymbolicSize::all_known(&constant.dims),
        GraphValue::Sizes(array) => SymbolicSize::all_known(&array.dims),
        GraphValue::Filled(_, _, dims) => dims.clone(),
        GraphValue::Tensor(placed) => placed.dims.clone(),
        GraphValue::Missing => Vec::new(),
    }
}

fn count(value: &GraphValue) -> usize {
    match value {
        GraphValue::Constant(constant) => constant.count(),
        GraphValue::Sizes(array) => array.values.len(),
        _ => usize::MAX,
    }
}

/// A constant with another shape.
fn in_shape(value: &GraphValue, dims: &[SymbolicSize]) -> Made<GraphValue> {
    let known: Option<Vec<usize>> =
        dims.iter().map(|size| usize::try_from(size.number()?).ok()).collect();
    let dims = known.ok_or("a constant's shape cannot depend on the batch")?;
    let product = dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
    if product != Some(count(value)) {
        return Err(format!("a constant of {} elements has not the shape {dims:?}", count(value)));
    }
    Ok(match value {
        GraphValue::Constant(constant) => GraphValue::Constant(constant.reshaped(dims)),
        GraphValue::Sizes(array) => {
            GraphValue::Sizes(KnownArray { dims, values: array.values.clone() })
        }
        other => other.clone(),
    })
}

/// The value of a node `Constant`.
fn constant(node: &NodeReader<'_>) -> Made<Constant> {
    let [(name, value)] = &node.node.attributes[..] else {
        return Err("it has not one value".into());
    };
    node.ignore(&[name]);
    Ok(match value {
        OnnxAttribute::Tensor(tensor) => of_tensor(tensor)?,
        OnnxAttribute::Int(value) => Constant::of_ints(Vec::new(), vec![*value]),
        OnnxAttribute::Ints(values) => Constant::of_ints(vec![values.len()], values.clone()),
        OnnxAttribute::Float(value) => Constant::of_floats(Vec::new(), vec![*value]),
        OnnxAttribute::Floats(values) => Constant::of_floats(vec![values.len()], values.clone()),
        _ => return Err(format!("a constant as `{name}` has no counterpart")),
    })
}

/// A tensor that is an attribute.
fn of_tensor(tensor: &OnnxTensor) -> Made<Constant> {
    let kind =
        ElementKind::of(tensor.element).ok_or("its elements are of a type without counterpart")?;
    if tensor.external.is_some() {
        return Err("an attribute's elements lie in another file".into());
    }
    let dims: Option<Vec<usize>> =
        tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    let dims = dims.ok_or("it has an axis of fewer than no elements")?;
    let whole = Constant { kind, dims, elements: TensorElements::Stored(0), name: String::new() };
    let elements = match kind {
        ElementKind::Float => TensorElements::F32(Rc::new(whole.floats(&[tensor]))),
        _ => TensorElements::I64(Rc::new(whole.ints(&[tensor]))),
    };
    Ok(Constant { elements, ..whole })
}

/// The shape, or the number of elements, of any value.
fn shape<'a>(node: &NodeReader<'a>, within: &KnownValues<'a>) -> Made<GraphValue> {
    let value = within.value(node, 0)?;
    if matches!(value, GraphValue::Missing) {
        return Err("what it reads is not supported".into());
    }
    let dims = extents(&value);
    if node.node.op == "Size" {
        let size = SymbolicSize::product(&dims).ok_or("the number of elements is unknown")?;
        return Ok(of_sizes(KnownArray { dims: Vec::new(), values: vec![size] }, ElementKind::Int));
    }
    let rank = dims.len() as i64;
    let bound = |at: i64| if at < 0 { at.saturating_add(rank) } else { at }.clamp(0, rank) as usize;
    let (start, end) = (bound(node.int("start", 0)?), bound(node.int("end", rank)?));
    let values = dims.get(start..end).unwrap_or_default().to_vec();
    Ok(of_sizes(KnownArray { dims: vec![values.len()], values }, ElementKind::Int))
}

/// Whole numbers as a constant, where none depends on the batch.
pub(super) fn of_sizes(array: KnownArray<SymbolicSize>, kind: ElementKind) -> GraphValue {
    let known: Option<Vec<i64>> = array.values.iter().map(|size| size.number()).collect();
    match known {
        Some(values) => {
            let elements = TensorElements::I64(Rc::new(values));
            GraphValue::Constant(Constant { kind, dims: array.dims, elements, name: String::new() })
        }
        None => GraphValue::Sizes(array),
    }
}

/// A tensor of one number, whose shape may depend on the batch.
fn filled<'a>(node: &NodeReader<'a>, within: &KnownValues<'a>) -> Made<GraphValue> {
    let dims = within.sizes(node, 0)?;
    let (number, kind) = match node.attribute("value") {
        Some(OnnxAttribute::Tensor(tensor)) => {
            let value = of_tensor(tensor)?;
            (value.scalar(&[]).ok_or("its value is no single number")?, value.kind)
        }
        Some(_) => return Err("its value is no tensor".into()),
        None => (0.0, ElementKind::Float),
    };
    Ok(of_one_number(number, kind, dims))
}

fn of_one_number(number: f64, kind: ElementKind, dims: Vec<SymbolicSize>) -> GraphValue {
    let known: Option<Vec<usize>> =
        dims.iter().map(|size| usize::try_from(size.number()?).ok()).collect();
    match known {
        Some(dims) => {
            let elements = TensorElements::Filled(number);
            GraphValue::Constant(Constant { kind, dims, elements, name: String::new() })
        }
        None => GraphValue::Filled(number, kind, dims),
    }
}

/// One number, repeated up to a shape.
fn filled_expand<'a>(node: &NodeReader<'a>, within: &KnownValues<'a>) -> Made<Option<GraphValue>> {
    let (number, kind, dims) = match within.value(node, 0)? {
        GraphValue::Filled(number, kind, dims) => (number, kind, dims),
        GraphValue::Constant(constant) => match (&constant.elements, constant.count()) {
            (TensorElements::Filled(number), _) => {
                (*number, constant.kind, extents(&GraphValue::Constant(constant.clone())))
            }
            (_, 1) => {
                let number = constant.scalar(&within.stored).ok_or("it has no element")?;
                (number, constant.kind, extents(&GraphValue::Constant(constant.clone())))
            }
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let target = within.sizes(node, 1)?;
    let rank = target.len().max(dims.len());
    let at = |dims: &[SymbolicSize], axis: usize| match (axis + dims.len()).checked_sub(rank) {
        Some(own) => dims[own],
        None => SymbolicSize::ONE,
    };
    let written = |size: SymbolicSize| size.batches.checked_mul(within.batch?);
    let dims = (0..rank).map(|axis| match (at(&dims, axis), at(&target, axis)) {
        (SymbolicSize::ONE, other) | (other, SymbolicSize::ONE) => Some(other),
        (own, other) if own == other => Some(own),
        // The batch that the file was written with.
        (own, other) if other.has_batch() && own.number() == written(other) => Some(other),
        (own, other) if own.has_batch() && other.number() == written(own) => Some(own),
        _ => None,
    });
    let Some(dims) = dims.collect() else { return Ok(None) };
    Ok(Some(of_one_number(number, kind, dims)))
}
