//! The facts that are known of each value of the graph while it is translated.

use super::constant::{Constant, ElementKind};
use super::net::NetId;
use super::size::SymbolicSize;

/// A value of the graph.
#[derive(Clone, Debug)]
pub(super) enum GraphValue {
    /// All of its elements are known.
    Constant(Constant),
    /// Whole numbers that depend on the batch, such as a shape.
    Sizes(KnownArray<SymbolicSize>),
    /// One number everywhere, in a shape that depends on the batch.
    Filled(f64, ElementKind, Vec<SymbolicSize>),
    /// The program computes it.
    Tensor(Placed),
    /// It is made by a node that is not supported.
    Missing,
}

/// A value of the program, and where its elements are.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub id: NetId,
    pub kind: ElementKind,
    /// Its shape in the graph.
    pub dims: Vec<SymbolicSize>,
    /// Axis `j` of the program's value is axis `order[j]` of the graph's: images are `[0, 2, 3, 1]`.
    pub order: Vec<usize>,
    /// The axes that were flattened into the last axis of two, if not in the graph's order.
    pub shuffle: Option<Shuffle>,
    /// The axes that are the first of two in the graph, where the program still has them apart: the
    /// order is that of these and the last.
    pub rows: Option<Vec<SymbolicSize>>,
}

/// Axes that are one in the program, in an order that is not the graph's.
#[derive(Clone, Debug)]
pub(super) struct Shuffle {
    /// The extents in the graph's order.
    pub dims: Vec<usize>,
    /// The order in which the program has them.
    pub order: Vec<usize>,
}

/// TensorElements of a small tensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KnownArray<T> {
    pub dims: Vec<usize>,
    pub values: Vec<T>,
}

impl Placed {
    /// A value whose axes are in the graph's order.
    pub fn plain(id: NetId, kind: ElementKind, dims: Vec<SymbolicSize>) -> Placed {
        let order = (0..dims.len()).collect();
        Placed { id, kind, dims, order, shuffle: None, rows: None }
    }

    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    pub fn is_plain(&self) -> bool {
        self.is_whole() && self.order.iter().enumerate().all(|(at, &axis)| at == axis)
    }

    /// Whether each axis of the graph is one of the program.
    pub fn is_whole(&self) -> bool {
        self.shuffle.is_none() && self.rows.is_none()
    }

    /// The value with the axes of its rows as the graph's, too.
    pub fn apart(&self) -> Placed {
        match &self.rows {
            None => self.clone(),
            Some(rows) => {
                let rest = self.dims[1..].iter().copied();
                let dims = rows.iter().copied().chain(rest).collect();
                Placed { dims, rows: None, ..self.clone() }
            }
        }
    }

    /// The place of an axis of the graph among those of the program.
    pub fn place(&self, axis: usize) -> usize {
        self.order.iter().position(|&it| it == axis).expect("an axis of the value")
    }
}

/// The order of axes with the channels last: `[0, 2, 3, 1]`.
pub(super) fn channels_last(rank: usize) -> Vec<usize> {
    match rank {
        0..=2 => (0..rank).collect(),
        _ => std::iter::once(0).chain(2..rank).chain([1]).collect(),
    }
}

/// An axis that may count from the end.
pub(super) fn axis_of(axis: i64, rank: usize) -> Result<usize, String> {
    let signed = i64::try_from(rank).unwrap_or(i64::MAX);
    let counted = if axis < 0 { axis.saturating_add(signed) } else { axis };
    match usize::try_from(counted) {
        Ok(counted) if counted < rank => Ok(counted),
        _ => Err(format!("there is no axis {axis} in {rank} axes")),
    }
}
