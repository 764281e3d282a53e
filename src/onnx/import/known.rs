//! The values of a graph that have been met, and the inputs of a node among them.

use super::constant::{Constant, ElementKind, TensorElements};
use super::node::NodeReader;
use super::size::SymbolicSize;
use super::value::GraphValue;
use crate::onnx::model::OnnxTensor;
use std::collections::HashMap;

/// The value that a node makes, or why it cannot be made.
pub(super) type Made<T> = Result<T, String>;

/// Values by their names.
pub(super) struct KnownValues<'a> {
    /// The file's initializers, to which constants point.
    pub stored: Vec<&'a OnnxTensor>,
    pub values: HashMap<&'a str, GraphValue>,
    /// The batch that the file has in its shapes, if it is a number there.
    pub batch: Option<i64>,
}

impl<'a> KnownValues<'a> {
    pub fn new(initializers: &'a [OnnxTensor]) -> KnownValues<'a> {
        let named = |(index, tensor): (usize, &'a OnnxTensor)| {
            (tensor.name.as_str(), initializer(index, tensor))
        };
        let values = initializers.iter().enumerate().map(named).collect();
        KnownValues { stored: initializers.iter().collect(), values, batch: None }
    }

    /// The value of an input that must be there.
    pub fn value(&self, node: &NodeReader<'a>, index: usize) -> Made<GraphValue> {
        let name = node.input(index).ok_or_else(|| format!("input {} is missing", index + 1))?;
        self.values.get(name).cloned().ok_or_else(|| format!("`{name}` is not made yet"))
    }

    /// The value of an input that may be left out.
    pub fn optional(&self, node: &NodeReader<'a>, index: usize) -> Made<Option<GraphValue>> {
        node.input(index).map(|_| self.value(node, index)).transpose()
    }

    /// The constant that an input must be.
    pub fn constant(&self, node: &NodeReader<'a>, index: usize) -> Made<Constant> {
        match self.value(node, index)? {
            GraphValue::Constant(constant) => Ok(constant),
            _ => Err(format!("input {} is computed, and must be a constant", index + 1)),
        }
    }

    /// The constant that an input is, if it is there.
    pub fn optional_constant(&self, node: &NodeReader<'a>, index: usize) -> Made<Option<Constant>> {
        node.input(index).map(|_| self.constant(node, index)).transpose()
    }

    /// Whole numbers of an attribute, or of an input in newer versions.
    pub fn listed(
        &self,
        node: &NodeReader<'a>,
        name: &str,
        index: usize,
    ) -> Made<Option<Vec<i64>>> {
        if let Some(values) = node.ints(name)? {
            return Ok(Some(values));
        }
        let constant = self.optional_constant(node, index)?;
        Ok(constant.map(|constant| constant.ints(&self.stored)))
    }

    /// Whole numbers of an input, which may depend on the batch.
    pub fn sizes(&self, node: &NodeReader<'a>, index: usize) -> Made<Vec<SymbolicSize>> {
        match self.value(node, index)? {
            GraphValue::Constant(constant) if constant.dims.len() <= 1 => {
                Ok(constant.ints(&self.stored).into_iter().map(SymbolicSize::known).collect())
            }
            GraphValue::Sizes(array) => Ok(array.values),
            _ => Err(format!("input {} is computed, and must be known", index + 1)),
        }
    }
}

/// An initializer as a value; elements of other kinds than numbers make it one that is missing.
fn initializer(index: usize, tensor: &OnnxTensor) -> GraphValue {
    let dims: Option<Vec<usize>> =
        tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    match (ElementKind::of(tensor.element), dims) {
        (Some(kind), Some(dims)) => GraphValue::Constant(Constant {
            kind,
            dims,
            elements: TensorElements::Stored(index),
            name: tensor.name.clone(),
        }),
        _ => GraphValue::Missing,
    }
}
