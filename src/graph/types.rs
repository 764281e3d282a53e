//! Dimensions, shapes and types of a graph's values.

use crate::base::tensor::DType;
use std::fmt;
use std::sync::Arc;

/// One dimension: an integer, or a multiple of the batch `N`, which stays a symbol until the
/// `bind` pass replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// A known extent.
    Known(usize),
    /// `k·N`; `k` is at least 1.
    Batch(usize),
}

// Not the traits of `std::ops`: sums and products of dimensions may not exist.
#[allow(clippy::should_implement_trait)]
impl Dim {
    /// The batch itself.
    pub const N: Dim = Dim::Batch(1);

    /// The extent where it is known.
    pub fn known(self) -> Option<usize> {
        match self {
            Dim::Known(extent) => Some(extent),
            Dim::Batch(_) => None,
        }
    }

    /// The extent for a batch of `batch` samples.
    pub fn at(self, batch: usize) -> usize {
        match self {
            Dim::Known(extent) => extent,
            Dim::Batch(factor) => factor * batch,
        }
    }

    /// The sum, unless it mixes `N` with a number or overflows.
    pub fn add(self, other: Dim) -> Option<Dim> {
        match (self, other) {
            (Dim::Known(a), Dim::Known(b)) => a.checked_add(b).map(Dim::Known),
            (Dim::Batch(a), Dim::Batch(b)) => a.checked_add(b).map(Dim::Batch),
            (Dim::Known(0), dim) | (dim, Dim::Known(0)) => Some(dim),
            _ => None,
        }
    }

    /// The product, unless it is quadratic in `N` or overflows.
    pub fn mul(self, other: Dim) -> Option<Dim> {
        match (self, other) {
            (Dim::Known(a), Dim::Known(b)) => a.checked_mul(b).map(Dim::Known),
            (Dim::Batch(_), Dim::Known(0)) | (Dim::Known(0), Dim::Batch(_)) => Some(Dim::Known(0)),
            (Dim::Batch(a), Dim::Known(b)) | (Dim::Known(b), Dim::Batch(a)) => {
                a.checked_mul(b).map(Dim::Batch)
            }
            (Dim::Batch(_), Dim::Batch(_)) => None,
        }
    }

    /// The quotient, where it is exact.
    pub fn div(self, other: Dim) -> Option<Dim> {
        let exact = |a: usize, b: usize| (b != 0 && a.is_multiple_of(b)).then(|| a / b);
        match (self, other) {
            (Dim::Known(a), Dim::Known(b)) => exact(a, b).map(Dim::Known),
            (Dim::Batch(a), Dim::Known(b)) => exact(a, b).map(Dim::Batch),
            (Dim::Batch(a), Dim::Batch(b)) => exact(a, b).map(Dim::Known),
            (Dim::Known(_), Dim::Batch(_)) => None,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Known(extent) => write!(f, "{extent}"),
            Dim::Batch(1) => write!(f, "N"),
            Dim::Batch(factor) => write!(f, "{factor}N"),
        }
    }
}

/// A shape, outermost dimension first; empty for a scalar. Prints as `[N, 28, 28, 1]`. A copy shares
/// its dimensions: every pass copies the shapes of a whole graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape(Option<Arc<[Dim]>>);

impl Shape {
    /// A scalar's shape.
    pub fn scalar() -> Self {
        Shape(None)
    }

    /// A shape of known extents.
    pub fn known(extents: &[usize]) -> Self {
        extents.iter().map(|&extent| Dim::Known(extent)).collect()
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.len()
    }

    /// The same with another dimension at an axis.
    pub fn with(&self, axis: usize, dim: Dim) -> Shape {
        let mut dims = self.to_vec();
        dims[axis] = dim;
        dims.into()
    }

    /// The same with an extent of 1 at some axes, as a reduction that keeps them gives it.
    pub fn kept(&self, axes: &[usize]) -> Shape {
        let mut dims = self.to_vec();
        axes.iter().for_each(|&axis| dims[axis] = Dim::Known(1));
        dims.into()
    }

    /// The same with one dimension more, before that at `axis`.
    pub fn inserted(&self, axis: usize, dim: Dim) -> Shape {
        [&self[..axis], &[dim], &self[axis..]].concat().into()
    }

    /// The number of elements, unless it is quadratic in `N`.
    pub fn elements(&self) -> Option<Dim> {
        self.iter().try_fold(Dim::Known(1), |product, &dim| product.mul(dim))
    }

    /// The extents for a batch of `batch` samples.
    pub fn at(&self, batch: usize) -> Vec<usize> {
        self.iter().map(|dim| dim.at(batch)).collect()
    }

    /// The extents, where all are known (after `bind`, they are).
    pub fn extents(&self) -> Option<Vec<usize>> {
        self.iter().map(|dim| dim.known()).collect()
    }

    /// Whether a dimension depends on the batch.
    pub fn has_batch(&self) -> bool {
        self.iter().any(|dim| matches!(dim, Dim::Batch(_)))
    }
}

impl std::ops::Deref for Shape {
    type Target = [Dim];
    fn deref(&self) -> &[Dim] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl From<Vec<Dim>> for Shape {
    fn from(dims: Vec<Dim>) -> Self {
        Shape::from(&dims[..])
    }
}

impl From<&[Dim]> for Shape {
    fn from(dims: &[Dim]) -> Self {
        Shape((!dims.is_empty()).then(|| dims.into()))
    }
}

impl FromIterator<Dim> for Shape {
    fn from_iter<I: IntoIterator<Item = Dim>>(dims: I) -> Self {
        Shape::from(dims.into_iter().collect::<Vec<_>>())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (axis, dim) in self.iter().enumerate() {
            write!(f, "{}{dim}", if axis == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

/// The type of a value: prints as `f32[N, 10]`, a scalar as `f32`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// The element type.
    pub dtype: DType,
    /// The shape.
    pub shape: Shape,
}

impl Type {
    /// A type.
    pub fn new(dtype: DType, shape: impl Into<Shape>) -> Self {
        Type { dtype, shape: shape.into() }
    }

    /// A scalar's type.
    pub fn scalar(dtype: DType) -> Self {
        Type { dtype, shape: Shape::scalar() }
    }

    /// Bytes for a batch of `batch` samples.
    pub fn bytes(&self, batch: usize) -> usize {
        self.shape.at(batch).iter().product::<usize>() * self.dtype.size()
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shape.is_empty() {
            write!(f, "{}", self.dtype)
        } else {
            write!(f, "{}{}", self.dtype, self.shape)
        }
    }
}
