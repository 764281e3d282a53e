//! Constants that hold the batch with which a file was written: the same numbers for each sample.
//!
//! ```text
//! in a file of batch 2:   Concat(token: [2, 1, 8], x: [N, 6, 8])   →   token as [1, 1, 8]
//! ```
//!
//! A constant whose samples differ stays as it is, and does not meet the batch.

use super::Translator;
use crate::onnx::import::constant::{Constant, ElementKind, TensorElements};
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::GraphValue;
use std::rc::Rc;

/// Elements of a constant that is looked at.
const MOST: usize = 1 << 22;

impl Translator<'_> {
    /// The shape of a value that has the batch among others, if one has.
    pub(super) fn batched_shape(&self, values: &[GraphValue]) -> Option<Vec<SymbolicSize>> {
        values.iter().find_map(|value| match value {
            GraphValue::Tensor(placed) if placed.dims.iter().any(|size| size.has_batch()) => {
                Some(placed.dims.clone())
            }
            _ => None,
        })
    }

    /// A value that meets one of this shape: a constant with the same numbers for each sample has one.
    pub(super) fn one_sample(&self, value: GraphValue, beside: &[SymbolicSize]) -> GraphValue {
        let GraphValue::Constant(constant) = &value else { return value };
        let Some(batch) = self.known.batch.filter(|&batch| batch > 1) else { return value };
        let rank = constant.dims.len();
        let own = |axis: &usize| {
            let other = (axis + beside.len()).checked_sub(rank).map(|at| beside[at]);
            let written = other.and_then(|size| size.batches.checked_mul(batch));
            other.is_some_and(|size| size.has_batch() && size.fixed == 0)
                && written == Some(constant.dims[*axis] as i64)
        };
        match (0..rank).find(own).and_then(|axis| self.sample(constant, axis)) {
            Some(sample) => GraphValue::Constant(sample),
            None => value,
        }
    }

    /// The first entry of an axis, if the others have the same elements.
    fn sample(&self, constant: &Constant, axis: usize) -> Option<Constant> {
        if constant.count() > MOST || constant.count() == 0 {
            return None;
        }
        let mut dims = constant.dims.clone();
        dims[axis] = 1;
        let (extent, inner) = (constant.dims[axis], constant.dims[axis + 1..].iter().product());
        let elements = match (&constant.elements, constant.kind) {
            (TensorElements::Filled(number), _) => TensorElements::Filled(*number),
            (_, ElementKind::Float) => {
                let values = first_entries(&constant.floats(&self.known.stored), extent, inner)?;
                // The file's own tensor, if it was repeated.
                let named = self.known.stored.iter().position(|it| it.name == constant.name);
                let stored = named.map(|at| (at, self.known.values.get(constant.name.as_str())));
                match stored {
                    Some((at, Some(GraphValue::Constant(own))))
                        if own.kind == ElementKind::Float
                            && own.floats(&self.known.stored) == values =>
                    {
                        TensorElements::Stored(at)
                    }
                    _ => TensorElements::F32(Rc::new(values)),
                }
            }
            _ => {
                let values = constant.ints(&self.known.stored);
                TensorElements::I64(Rc::new(first_entries(&values, extent, inner)?))
            }
        };
        Some(Constant { dims, elements, ..constant.clone() })
    }
}

/// The elements at the first entry of an axis, if all entries have them.
fn first_entries<T: Copy + PartialEq>(values: &[T], extent: usize, inner: usize) -> Option<Vec<T>> {
    let mut made = Vec::with_capacity(values.len() / extent);
    for outer in values.chunks(extent * inner) {
        let first = &outer[..inner];
        if outer.chunks(inner).any(|entry| entry != first) {
            return None;
        }
        made.extend_from_slice(first);
    }
    Some(made)
}
