//! Constants: weights as the file has them, and what is computed of constants while importing.
//!
//! A weight is not copied until it is written: a constant points at the file's tensor, and reshaping
//! it changes its dimensions alone. A constant of one number everywhere keeps that number only.

use crate::onnx::model::OnnxTensor;
use half::{bf16, f16};
use std::rc::Rc;

/// TensorElements of a constant.
#[derive(Clone, Debug)]
pub(super) enum TensorElements {
    /// Those of the initializer of this index.
    Stored(usize),
    /// Those of the initializer of this index and of these two extents, its axes changing places.
    Turned(usize, [usize; 2]),
    /// Floats.
    F32(Rc<Vec<f32>>),
    /// Whole numbers and truth values.
    I64(Rc<Vec<i64>>),
    /// The same number everywhere.
    Filled(f64),
}

/// The kinds of elements that are told apart while importing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElementKind {
    Float,
    Int,
    Byte,
    Bool,
}

impl ElementKind {
    /// The kind of a `TensorProto.DataType`.
    pub fn of(element: i32) -> Option<ElementKind> {
        match element {
            1 | 10 | 11 | 16 => Some(ElementKind::Float),
            3 | 4 | 5 | 6 | 7 | 12 | 13 => Some(ElementKind::Int),
            2 => Some(ElementKind::Byte),
            9 => Some(ElementKind::Bool),
            _ => None,
        }
    }

    /// The type's name in the language.
    pub fn word(self) -> &'static str {
        match self {
            ElementKind::Float => "f32",
            ElementKind::Int => "i32",
            ElementKind::Byte => "u8",
            ElementKind::Bool => "bool",
        }
    }
}

/// A tensor that is known while importing.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    pub kind: ElementKind,
    pub dims: Vec<usize>,
    pub elements: TensorElements,
    /// The name of the initializer that it is, or was made of without arithmetic.
    pub name: String,
}

/// Tensors of the file by index.
pub(super) type StoredTensors<'a> = [&'a OnnxTensor];

impl Constant {
    pub fn of_ints(dims: Vec<usize>, values: Vec<i64>) -> Constant {
        let elements = TensorElements::I64(Rc::new(values));
        Constant { kind: ElementKind::Int, dims, elements, name: String::new() }
    }

    pub fn of_floats(dims: Vec<usize>, values: Vec<f32>) -> Constant {
        let elements = TensorElements::F32(Rc::new(values));
        Constant { kind: ElementKind::Float, dims, elements, name: String::new() }
    }

    /// How many elements; saturates.
    pub fn count(&self) -> usize {
        self.dims.iter().fold(1, |product: usize, &dim| product.saturating_mul(dim))
    }

    /// The same elements in another shape.
    pub fn reshaped(&self, dims: Vec<usize>) -> Constant {
        Constant { dims, ..self.clone() }
    }

    /// The index of the initializer whose elements these are, in whatever order.
    pub fn stored_index(&self) -> Option<usize> {
        match self.elements {
            TensorElements::Stored(index) | TensorElements::Turned(index, _) => Some(index),
            TensorElements::F32(_) | TensorElements::I64(_) | TensorElements::Filled(_) => None,
        }
    }

    /// Whether another constant has the same shape and elements, and comes from the same of the file.
    pub fn same(&self, other: &Constant) -> bool {
        use TensorElements::{F32, Filled, I64, Stored, Turned};
        let named = !self.name.is_empty() && self.name == other.name;
        let alike = match (&self.elements, &other.elements) {
            (Stored(a), Stored(b)) => a == b,
            (Turned(a, from), Turned(b, of)) => a == b && from == of,
            (F32(a), F32(b)) => Rc::ptr_eq(a, b) || (named && a == b),
            (I64(a), I64(b)) => a == b,
            (Filled(a), Filled(b)) => a == b,
            _ => false,
        };
        alike && self.kind == other.kind && self.dims == other.dims
    }

    /// The elements as floats.
    pub fn floats(&self, stored: &StoredTensors<'_>) -> Vec<f32> {
        match &self.elements {
            TensorElements::Stored(index) => stored_floats(stored[*index]),
            TensorElements::Turned(index, dims) => {
                transposed(&stored_floats(stored[*index]), dims, &[1, 0])
            }
            TensorElements::F32(values) => values.to_vec(),
            TensorElements::I64(values) => values.iter().map(|&value| value as f32).collect(),
            TensorElements::Filled(value) => vec![*value as f32; self.count()],
        }
    }

    /// The elements as whole numbers.
    pub fn ints(&self, stored: &StoredTensors<'_>) -> Vec<i64> {
        match &self.elements {
            TensorElements::Stored(index) => stored_ints(stored[*index]),
            TensorElements::Turned(index, dims) => {
                transposed(&stored_ints(stored[*index]), dims, &[1, 0])
            }
            TensorElements::F32(values) => values.iter().map(|&value| value as i64).collect(),
            TensorElements::I64(values) => values.to_vec(),
            TensorElements::Filled(value) => vec![*value as i64; self.count()],
        }
    }

    /// The only element.
    pub fn scalar(&self, stored: &StoredTensors<'_>) -> Option<f64> {
        if self.count() != 1 {
            return None;
        }
        match self.kind {
            ElementKind::Float => self.floats(stored).first().map(|&value| f64::from(value)),
            _ => self.ints(stored).first().map(|&value| value as f64),
        }
    }
}

/// The elements of a tensor of the file as floats, narrower and wider ones rounded to `f32`.
fn stored_floats(tensor: &OnnxTensor) -> Vec<f32> {
    let data = &tensor.data;
    match tensor.element {
        1 => data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        11 => data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect(),
        10 => data.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect(),
        16 => data.as_chunks().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect(),
        _ => stored_ints(tensor).iter().map(|&value| value as f32).collect(),
    }
}

fn stored_ints(tensor: &OnnxTensor) -> Vec<i64> {
    let data = &tensor.data;
    match tensor.element {
        2 | 9 => data.iter().map(|&byte| i64::from(byte)).collect(),
        3 => data.iter().map(|&byte| i64::from(byte as i8)).collect(),
        4 => data.as_chunks().0.iter().map(|it| i64::from(u16::from_le_bytes(*it))).collect(),
        5 => data.as_chunks().0.iter().map(|it| i64::from(i16::from_le_bytes(*it))).collect(),
        6 => data.as_chunks().0.iter().map(|it| i64::from(i32::from_le_bytes(*it))).collect(),
        12 => data.as_chunks().0.iter().map(|it| i64::from(u32::from_le_bytes(*it))).collect(),
        7 | 13 => data.as_chunks().0.iter().map(|it| i64::from_le_bytes(*it)).collect(),
        _ => stored_floats(tensor).iter().map(|&value| value as i64).collect(),
    }
}

/// The steps from one element to the next along each axis of a row-major tensor.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (0..dims.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * dims[axis + 1];
    }
    strides
}

/// TensorElements with their axes in another order: axis `j` of the result is axis `order[j]` of what is
/// given.
pub(super) fn transposed<T: Copy>(values: &[T], dims: &[usize], order: &[usize]) -> Vec<T> {
    let from = strides(dims);
    let extents: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
    let steps: Vec<usize> = order.iter().map(|&axis| from[axis]).collect();
    strided(values, &extents, &steps)
}

/// The elements that lie so many steps apart along each axis of the result.
pub(super) fn strided<T: Copy>(values: &[T], extents: &[usize], steps: &[usize]) -> Vec<T> {
    let count = extents.iter().product();
    let mut made = Vec::with_capacity(count);
    if count == 0 {
        return made;
    }
    let (mut index, mut at) = (vec![0; extents.len()], 0);
    loop {
        made.push(values[at]);
        let mut axis = extents.len();
        loop {
            if axis == 0 {
                return made;
            }
            axis -= 1;
            index[axis] += 1;
            at += steps[axis];
            if index[axis] < extents[axis] {
                break;
            }
            at -= steps[axis] * extents[axis];
            index[axis] = 0;
        }
    }
}
