//! Convolutions and pooling over images `[n, h, w, c]`.
//!
//! `avg_pool` of `f32[N, 4, 4, 8]` over 2×2 is `sum_pool [2, 2]` times `0.25`.

use super::{Builder, Built};
use crate::base::tensor::DType;
use crate::graph::op::{Binary, NodeId, Op};
use crate::graph::types::{Dim, Shape};
use crate::graph::window::Window;

impl Builder {
    /// The convolution of `x [n, h, w, c]` with `w [kh, kw, c / groups, o]`: `[n, oh, ow, o]`.
    pub fn conv(&mut self, x: NodeId, w: NodeId, window: Window, groups: usize) -> Built {
        self.op(Op::Conv { window, groups }, &[x, w])
    }

    /// The largest element under each window; the border takes no part.
    pub fn max_pool(&mut self, x: NodeId, window: Window) -> Built {
        self.op(Op::MaxPool(window), &[x])
    }

    /// The mean under each window. With `count_border` the border counts as zeros, else only
    /// elements of the image count.
    pub fn avg_pool(&mut self, x: NodeId, window: Window, count_border: bool) -> Built {
        let sum = self.op(Op::SumPool(window), &[x])?;
        if count_border || window.pad == [(0, 0); 2] {
            let taps = self.constant(window.taps() as f64, DType::F64);
            return self.binary(Binary::Div, sum, taps);
        }
        // How many elements of an image lie under each window, the same for all images and
        // channels: the sum of ones.
        let [_, h, w, _] = self.ty(x).shape[..] else { unreachable!("sum_pool takes images") };
        let one = self.constant(1.0, DType::F32);
        let image = Shape::from(vec![Dim::Known(1), h, w, Dim::Known(1)]);
        let ones = self.broadcast_to(one, &image)?;
        let count = self.op(Op::SumPool(window), &[ones])?;
        self.binary(Binary::Div, sum, count)
    }
}
