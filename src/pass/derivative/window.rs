//! The rules of convolutions, pooling and the variance; each with its formula.
//!
//! A convolution `y = x ∗ w` is linear in both arguments, and so are its adjoints: the three of
//! them are each other's derivatives, as `a·b` and its two are.

use super::{ArgGradients, Rule};
use crate::base::tensor::DType;
use crate::graph::{Binary, NodeId, Op, Range, Window};

impl Rule<'_> {
    /// The height and width of an argument.
    pub(super) fn height_width(&self, arg: usize) -> [usize; 2] {
        let shape = self.shape(arg);
        [1, 2].map(|axis| shape[axis].known().expect("windows slide over known axes"))
    }

    /// d conv(x, w) = conv(dx, w) + conv(x, dw)
    pub(super) fn conv(&mut self, window: Window, groups: usize) -> ArgGradients {
        let (x, w, g) = (self.finite_factor(0), self.finite_factor(1), self.g);
        let extents = self.height_width(0);
        self.pair(
            |r| Some(r.emit.op(Op::ConvInputGrad { window, groups, extents }, &[g, w])),
            |r| Some(r.emit.op(Op::ConvWeightGrad { window, groups }, &[x, g])),
        )
    }

    /// `⟨g, input_grad(y, w)⟩ = ⟨conv(g, w), y⟩`: y_grad = conv(g, w), w_grad as `g` were `x`.
    pub(super) fn conv_input_grad(&mut self, window: Window, groups: usize) -> ArgGradients {
        let (y, w, g) = (self.finite_factor(0), self.finite_factor(1), self.g);
        self.pair(
            |r| Some(r.emit.op(Op::Conv { window, groups }, &[g, w])),
            |r| Some(r.emit.op(Op::ConvWeightGrad { window, groups }, &[g, y])),
        )
    }

    /// `⟨g, weight_grad(x, y)⟩ = ⟨conv(x, g), y⟩`: y_grad = conv(x, g), x_grad as `g` were `w`.
    pub(super) fn conv_weight_grad(&mut self, window: Window, groups: usize) -> ArgGradients {
        let (x, y, g) = (self.finite_factor(0), self.finite_factor(1), self.g);
        let extents = self.height_width(0);
        self.pair(
            |r| Some(r.emit.op(Op::ConvInputGrad { window, groups, extents }, &[y, g])),
            |r| Some(r.emit.op(Op::Conv { window, groups }, &[x, g])),
        )
    }

    /// d max_pool(x) = dx at the first largest element of each window
    pub(super) fn max_pool(&mut self, window: Window) -> NodeId {
        let (x, g) = (self.args[0], self.g);
        let extents = self.height_width(0);
        let index = self.emit.op(Op::MaxPoolIndex(window), &[x]);
        self.emit.op(Op::MaxPoolGrad { window, extents }, &[index, g])
    }

    /// y_grad takes `g` where its index says: `Σ where(index = tap, g at the tap, 0)`
    pub(super) fn max_pool_grad(&mut self, window: Window) -> NodeId {
        let (index, g) = (self.args[0], self.g);
        let out = self.height_width(0);
        let [(top, bottom), (left, right)] = window.pad;
        let padded = self.emit.pad_zeros(g, &[(0, 0), (top, bottom), (left, right), (0, 0)]);
        let taps = (0..window.size[0]).flat_map(|kh| (0..window.size[1]).map(move |kw| [kh, kw]));
        let mut sum = None;
        for (number, tap) in taps.enumerate() {
            let mut under = padded;
            for axis in 0..2 {
                let range = Range {
                    start: tap[axis] * window.dilation[axis],
                    len: Some(out[axis]),
                    step: window.stride[axis].cast_signed(),
                };
                under = self.emit.slice_axis(under, axis + 1, range);
            }
            let named = self.emit.like(index, number as f64);
            let named = self.emit.binary(Binary::Eq, index, named);
            let zero = self.emit.like(under, 0.0);
            let flow = self.emit.select(named, under, zero);
            sum = Some(match sum {
                None => flow,
                Some(sum) => self.emit.add(sum, flow),
            });
        }
        sum.expect("a window has taps")
    }

    /// d var(x) = 2·(x − mean(x))/n·dx; what flows through the mean sums to 0
    pub(super) fn variance(&mut self, axes: &[usize]) -> NodeId {
        let (x, g) = (self.args[0], self.g);
        let shape = self.shape(0);
        let build = &mut self.emit.builder;
        let mut slope = || {
            let mean = build.mean(x, axes, false)?;
            let count = build.count(axes.iter().map(|&axis| shape[axis]))?;
            let two = build.constant(2.0, DType::F64);
            let factor = build.binary(Binary::Div, two, count)?;
            Ok::<_, crate::graph::Mismatch>((mean, build.binary(Binary::Mul, g, factor)?))
        };
        let (mean, factor) = slope().expect("the mean of what has a variance");
        let mean = self.emit.spread(mean, axes, &shape);
        let factor = self.emit.spread(factor, axes, &shape);
        let deviation = self.emit.sub(x, mean);
        let flow = self.emit.mul(factor, deviation);
        if self.finite.is_finite(x) { flow } else { self.unless_zero(factor, flow) }
    }
}
