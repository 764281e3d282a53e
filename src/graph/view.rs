//! Views: a value that is another value's memory, read in another order.
//!
//! `transpose(reshape(x))` of an `x` in memory needs no code: whoever reads it reads `x` at other
//! distances. A [`View`] holds them. Takes the shape operators one at a time ([`View::through`]);
//! says `None` where no distances exist (a reshape that would join axes that are not neighbours),
//! and then the argument must be written out first.
//!
//! ```text
//! x [2, 6]               strides 6 1
//! reshape [2, 3, 2]      strides 6 2 1
//! transpose [1, 0, 2]    strides 2 6 1
//! reshape [3, 4]         none: axes 1 and 2 are not neighbours
//! ```

use crate::graph::op::{NodeId, Op};

/// A strided reading of a value that is in memory in row-major order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The value in memory.
    pub base: NodeId,
    /// The element of index 0 in every axis.
    pub offset: i64,
    /// The view's shape.
    pub extents: Vec<usize>,
    /// The distance between neighbours along each axis, in elements; 0 along repeated and unit
    /// axes, negative where an axis runs backwards.
    pub strides: Vec<i64>,
}

/// The distances of a row-major tensor; 0 along unit axes.
pub fn row_major(extents: &[usize]) -> Vec<i64> {
    let mut strides = vec![0; extents.len()];
    let mut stride = 1;
    for (axis, &extent) in extents.iter().enumerate().rev() {
        if extent != 1 {
            strides[axis] = stride;
        }
        stride *= extent as i64;
    }
    strides
}

impl View {
    /// A value as it lies in memory.
    pub fn whole(base: NodeId, extents: &[usize]) -> View {
        View { base, offset: 0, extents: extents.to_vec(), strides: row_major(extents) }
    }

    /// The view of an operator's result where this is the view of its argument. `None` where the
    /// operator computes something, or its result has no distances.
    pub fn through(&self, op: &Op, extents: &[usize]) -> Option<View> {
        let made =
            |offset, strides| View { base: self.base, offset, extents: extents.to_vec(), strides };
        match op {
            Op::StopGradient => Some(self.clone()),
            // A reduction over unit axes only.
            Op::Reshape(_) | Op::Reduce(..) => Some(made(self.offset, self.reshaped(extents)?)),
            Op::Broadcast(_) => Some(made(self.offset, self.broadcast(extents))),
            Op::Transpose(perm) => {
                Some(made(self.offset, perm.iter().map(|&axis| self.strides[axis]).collect()))
            }
            Op::Slice(ranges) => {
                let mut view = made(self.offset, self.strides.clone());
                for (axis, range) in ranges.iter().enumerate() {
                    view.offset += range.start as i64 * self.strides[axis];
                    view.strides[axis] =
                        if extents[axis] == 1 { 0 } else { self.strides[axis] * range.step as i64 };
                }
                Some(view)
            }
            _ => None,
        }
    }

    fn broadcast(&self, extents: &[usize]) -> Vec<i64> {
        let added = extents.len() - self.extents.len();
        let stride = |axis: usize| match axis.checked_sub(added) {
            Some(own) if self.extents[own] != 1 => self.strides[own],
            _ => 0,
        };
        (0..extents.len()).map(stride).collect()
    }

    /// The distances in another shape: runs of axes that are neighbours in memory are joined,
    /// then cut as the new shape says.
    fn reshaped(&self, extents: &[usize]) -> Option<Vec<i64>> {
        let mut runs: Vec<(usize, i64)> = Vec::new();
        for (&extent, &stride) in self.extents.iter().zip(&self.strides) {
            match runs.last_mut() {
                _ if extent == 1 => {}
                Some(last) if last.1 == stride * extent as i64 => *last = (last.0 * extent, stride),
                _ => runs.push((extent, stride)),
            }
        }
        let mut strides = vec![0; extents.len()];
        let mut taken = 1;
        for (axis, &extent) in extents.iter().enumerate().rev() {
            if extent == 1 {
                continue;
            }
            let &(run, stride) = runs.last()?;
            if !run.is_multiple_of(taken * extent) {
                return None;
            }
            strides[axis] = stride * taken as i64;
            taken *= extent;
            if taken == run {
                runs.pop();
                taken = 1;
            }
        }
        Some(strides)
    }

    /// Whether the elements stand in memory in the view's own order, from the base's first.
    pub fn is_whole(&self) -> bool {
        self.offset == 0 && self.strides == row_major(&self.extents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entity::Entity;
    use crate::graph::op::Range;
    use crate::graph::types::Shape;

    fn whole(extents: &[usize]) -> View {
        View::whole(NodeId::from_index(0), extents)
    }

    #[test]
    fn a_reshape_of_a_transpose_is_a_view_only_where_axes_stay_neighbours() {
        let split = whole(&[2, 6]).through(&Op::Reshape(Shape::default()), &[2, 3, 2]).unwrap();
        assert_eq!(split.strides, [6, 2, 1]);
        let turned = split.through(&Op::Transpose(vec![1, 0, 2]), &[3, 2, 2]).unwrap();
        assert_eq!(turned.strides, [2, 6, 1]);
        assert_eq!(turned.through(&Op::Reshape(Shape::default()), &[3, 4]), None);
        let unit = turned.through(&Op::Reshape(Shape::default()), &[3, 1, 2, 2]).unwrap();
        assert_eq!(unit.strides, [2, 0, 6, 1]);
    }

    #[test]
    fn a_slice_moves_the_first_element_and_a_broadcast_stands_still() {
        let back = Range { start: 5, len: Some(3), step: -2 };
        let view = whole(&[2, 6]).through(&Op::Slice(vec![Range::ALL, back]), &[2, 3]).unwrap();
        assert_eq!((view.offset, view.strides.as_slice()), (5, &[6, -2][..]));
        let row = whole(&[6]).through(&Op::Broadcast(Shape::default()), &[4, 6]).unwrap();
        assert_eq!(row.strides, [0, 1]);
        assert!(!row.is_whole());
    }
}
