//! The values of a graph that have been met, and the inputs of a node among them.

use super::alias::aliases;
use super::constant::{Constant, ElementKind, TensorElements};
use super::node::NodeReader;
use super::size::SymbolicSize;
use super::value::GraphValue;
use crate::base::shown::Show;
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
        let mut aliases = aliases(initializers);
        let mut values = HashMap::new();
        for (index, tensor) in initializers.iter().enumerate() {
            let mut value = initializer(index, tensor);
            if let (GraphValue::Constant(constant), Some(elements)) =
                (&mut value, aliases.remove(&index))
            {
                let original = elements.clone();
                constant.elements = elements;
                if let TensorElements::Stored(index) | TensorElements::Turned(index, _) = original {
                    constant.name = initializers[index].name.clone();
                }
            }
            values.insert(tensor.name.as_str(), value);
        }
        KnownValues { stored: initializers.iter().collect(), values, batch: None }
    }

    /// Why an initializer of this name has no value, if it is one.
    pub fn refused(&self, name: &str) -> Option<String> {
        let tensor = self.stored.iter().find(|tensor| tensor.name == name)?;
        let name = name.shown();
        Some(match ElementKind::of(tensor.element) {
            None => {
                format!("`{name}` is of the type {}, which the language has not", tensor.element)
            }
            Some(_) => format!("`{name}` has an axis of fewer than no elements"),
        })
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

    /// Extents of what is made of a value of this shape, where the batch that the file was written with
    /// stands as a number: it is the value's own.
    pub fn with_batch(
        &self,
        mut sizes: Vec<SymbolicSize>,
        of: &[SymbolicSize],
    ) -> Vec<SymbolicSize> {
        let Some(batch) = self.batch else { return sizes };
        for (size, own) in sizes.iter_mut().rev().zip(of.iter().rev()) {
            let written = own.batches.checked_mul(batch).and_then(|it| it.checked_add(own.fixed));
            if own.has_batch() && size.number().is_some() && size.number() == written {
                *size = *own;
            }
        }
        sizes
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
