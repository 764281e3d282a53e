//! Compile-time values: what an expression is while the graph is being built.
//!
//! `3` is an [`Value::Int`], `N` a [`Value::Batch`], `x @ weight` a [`Value::Tensor`] (a node).
//! Numbers stay compile-time numbers, computed in `f64`, until they meet a tensor. A value that
//! could not be computed is none of these: the function that failed has reported it, and returns
//! [`Reported`](super::context::Reported) instead.

use super::items::FnId;
use crate::base::source::Span;
use crate::graph::{Dim, Graph, Init, NodeId, Shape};

/// A compile-time value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// An int.
    Int(i64),
    /// `k·N`, an int that is not known before a step is compiled.
    Batch(usize),
    /// A float.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A string.
    Str(String),
    /// A list.
    List(Vec<Value>),
    /// Named values.
    Record(Vec<(String, Value)>),
    /// A word that its place gives a meaning to: `same`, `f32`.
    Word(String),
    /// `none`: what an argument that may be left out is not.
    None,
    /// How a parameter begins.
    Initializer(Initializer),
    /// A node of the graph: a tensor, or an `f64` computed once a step.
    Tensor(NodeId),
}

/// How a parameter begins: a draw, or an `initializer` item that gives one once the parameter's
/// shape is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Initializer {
    /// A draw.
    Fixed(Init),
    /// An item, with its arguments beside `fan_in` and `fan_out`, and their places.
    Item(FnId, Vec<(String, Value, Span)>),
}

/// The sum, unless it mixes `N` with a number or is out of range.
pub(super) fn add_dims(a: Dim, b: Dim) -> Option<Dim> {
    let (Dim::Known(x) | Dim::Batch(x), Dim::Known(y) | Dim::Batch(y)) = (a, b);
    x.checked_add(y).and_then(|_| a.add(b))
}

/// The product, unless it is quadratic in `N` or out of range.
pub(super) fn mul_dims(a: Dim, b: Dim) -> Option<Dim> {
    let (Dim::Known(x) | Dim::Batch(x), Dim::Known(y) | Dim::Batch(y)) = (a, b);
    x.checked_mul(y).and_then(|_| a.mul(b))
}

impl Value {
    /// A description for messages: `the int 3`, `f32[N, 10]`.
    pub fn describe(&self, graph: &Graph) -> String {
        match self {
            Value::Int(value) => format!("the int {value}"),
            Value::Batch(_) => format!("the batch {}", self.show(graph)),
            Value::Float(value) => format!("the float {value:?}"),
            Value::Bool(value) => format!("the bool {value}"),
            Value::Str(text) => format!("the string {text:?}"),
            Value::List(_) => format!("the list {}", self.show(graph)),
            Value::Record(_) => format!("the record {}", self.show(graph)),
            Value::Word(word) => format!("the word `{word}`"),
            Value::None => "`none`".into(),
            Value::Initializer(_) => "an initializer".into(),
            Value::Tensor(node) => match graph.ty(*node) {
                ty if ty.dtype == crate::base::tensor::DType::F64 => {
                    "a number that is known at each step only".into()
                }
                ty => ty.to_string(),
            },
        }
    }

    /// The value as it would be written.
    pub fn show(&self, graph: &Graph) -> String {
        match self {
            Value::Int(value) => value.to_string(),
            Value::Batch(factor) => Dim::Batch(*factor).to_string(),
            Value::Float(value) => format!("{value:?}"),
            Value::Bool(value) => value.to_string(),
            Value::Str(text) => format!("{text:?}"),
            Value::List(values) => {
                let shown: Vec<String> = values.iter().map(|value| value.show(graph)).collect();
                format!("[{}]", shown.join(", "))
            }
            Value::Record(entries) => {
                let entry =
                    |(name, value): &(String, Value)| format!("{name}: {}", value.show(graph));
                let shown: Vec<String> = entries.iter().map(entry).collect();
                format!("({})", shown.join(", "))
            }
            Value::Word(word) => word.clone(),
            Value::None => "none".into(),
            Value::Initializer(_) => "an initializer".into(),
            Value::Tensor(node) => graph.ty(*node).to_string(),
        }
    }

    /// Cost of copying it, in steps: of a list, the values in it and in its inner lists.
    pub fn size(&self) -> usize {
        match self {
            Value::List(values) => 1 + values.iter().map(Value::size).sum::<usize>(),
            Value::Record(entries) => {
                1 + entries.iter().map(|(_, value)| value.size()).sum::<usize>()
            }
            Value::Str(text) | Value::Word(text) => 1 + text.len() / 64,
            Value::Initializer(Initializer::Item(_, given)) => {
                1 + given.iter().map(|(_, value, _)| value.size()).sum::<usize>()
            }
            Value::Int(_)
            | Value::Batch(_)
            | Value::Float(_)
            | Value::Bool(_)
            | Value::None
            | Value::Initializer(Initializer::Fixed(_))
            | Value::Tensor(_) => 1,
        }
    }

    /// The int of a dimension.
    pub fn of_dim(dim: Dim) -> Value {
        match dim {
            Dim::Known(extent) => Value::Int(i64::try_from(extent).unwrap_or(i64::MAX)),
            Dim::Batch(factor) => Value::Batch(factor),
        }
    }

    /// The list of a shape's dimensions.
    pub fn of_dims(dims: &[Dim]) -> Value {
        Value::List(dims.iter().map(|&dim| Value::of_dim(dim)).collect())
    }

    /// The dimension that a non-negative int stands for.
    pub fn as_dim(&self) -> Option<Dim> {
        match self {
            Value::Int(value) => usize::try_from(*value).ok().map(Dim::Known),
            Value::Batch(factor) => Some(Dim::Batch(*factor)),
            _ => None,
        }
    }

    /// The shape that a list of dimensions stands for.
    pub fn as_shape(&self) -> Option<Shape> {
        match self {
            Value::List(values) => {
                values.iter().map(Value::as_dim).collect::<Option<Vec<_>>>().map(Shape::from)
            }
            _ => None,
        }
    }

    /// The number, where it is one that is known.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The ints, of an int or a list of them.
    pub fn as_ints(&self) -> Option<Vec<i64>> {
        match self {
            Value::Int(value) => Some(vec![*value]),
            Value::List(values) => values
                .iter()
                .map(|value| if let Value::Int(int) = value { Some(*int) } else { None })
                .collect(),
            _ => None,
        }
    }
}
