//! Productions over images: convolutions, pooling and their adjoints, and the variance.

use nnc::base::tensor::DType;
use nnc::graph::{Dim, Init, NodeId, Op, Param, Shape, Type, Window};

use super::{Generator, Made, Value};

impl Generator {
    /// A convolution by a parameter of its own, or one of its gradients.
    pub(super) fn convolution(&mut self) -> Made {
        let Some(x) = self.images() else { return Ok(None) };
        let channels = self.axis(x, 3);
        let groups = self.pick(&[1, 1, channels]);
        let extents = [self.axis(x, 1), self.axis(x, 2)];
        let window = self.window(extents);
        let outputs = groups * self.pick(&[1, 1, 2, 5]);
        let [kh, kw] = window.size;
        let w = self.weights([kh, kw, channels / groups, outputs]);
        let y = self.build.conv(x.node, w.node, window, groups)?;
        let terms = (kh * kw * channels / groups) as f64;
        let y = Value { node: y, bound: x.bound * w.bound * terms, exact: false };
        let y = self.tame(y);
        let [oh, ow] = window.output(extents).expect("the window fits");
        // Every element of x meets at most the taps and outputs, of w all places of four images.
        Ok(Some(match self.below(3) {
            0 => y,
            1 => {
                let op = Op::ConvInputGrad { window, groups, extents };
                let node = self.build.op(op, &[y.node, w.node])?;
                let bound = y.bound * w.bound * (kh * kw * outputs / groups) as f64;
                Value { node, bound, exact: false }
            }
            _ => {
                let images = self.build.ty(x.node).shape[0].at(24);
                let node =
                    self.build.op(Op::ConvWeightGrad { window, groups }, &[x.node, y.node])?;
                let bound = x.bound * y.bound * (images * oh * ow) as f64;
                Value { node, bound, exact: false }
            }
        }))
    }

    /// The largest elements or the sums under windows, or the adjoint of either.
    pub(super) fn pooling(&mut self) -> Made {
        let Some(x) = self.images() else { return Ok(None) };
        let extents = [self.axis(x, 1), self.axis(x, 2)];
        let window = self.window(extents);
        // A window may lie in the border only; then there is nothing to pool.
        let Ok(largest) = self.build.max_pool(x.node, window) else { return Ok(None) };
        let taps = window.taps() as f64;
        Ok(Some(match self.below(5) {
            0 | 1 if x.exact => {
                let index = self.build.op(Op::MaxPoolIndex(window), &[x.node])?;
                let op = Op::MaxPoolGrad { window, extents };
                let node = self.build.op(op, &[index, largest])?;
                Value { node, bound: x.bound * taps, exact: false }
            }
            2 => {
                let node = self.build.op(Op::SumPoolGrad { window, extents }, &[largest])?;
                Value { node, bound: x.bound * taps, exact: false }
            }
            3 => {
                let count_border = self.below(2) == 0;
                let node = self.build.avg_pool(x.node, window, count_border)?;
                Value { node, bound: x.bound, exact: false }
            }
            _ => Value { node: largest, ..x },
        }))
    }

    pub(super) fn variance(&mut self) -> Made {
        let Some(x) = self.float_of_rank(1) else { return Ok(None) };
        let mut axes: Vec<usize> = (0..self.build.ty(x.node).shape.rank()).collect();
        axes.retain(|_| self.sequence.below(2) == 0);
        if axes.is_empty() {
            axes.push(0);
        }
        let keep = self.below(2) == 0;
        let node = self.build.variance(x.node, &axes, keep)?;
        Ok(Some(Value { node, bound: x.bound * x.bound, exact: false }))
    }

    /// A value as images: its axes in order, unit axes among them, some of these repeated.
    fn images(&mut self) -> Option<Value> {
        let x = self.value(|ty, _| {
            let known = |dims: &[Dim]| dims.iter().all(|dim| dim.known().is_some());
            let batched = ty.shape.first().is_some_and(|dim| dim.known().is_none());
            let rest = if batched { &ty.shape[1..] } else { &ty.shape[..] };
            ty.dtype == DType::F32 && known(rest) && (1..=3).contains(&rest.len())
        })?;
        let mut dims = self.build.ty(x.node).shape.to_vec();
        if dims[0].known().is_some() {
            dims.insert(0, Dim::Known(1));
        }
        while dims.len() < 4 {
            let axis = 1 + self.below(dims.len());
            dims.insert(axis, Dim::Known(1));
        }
        let node = self.build.reshape(x.node, Shape::from(dims.clone())).expect("unit axes");
        for dim in &mut dims[1..] {
            if *dim == Dim::Known(1) {
                *dim = Dim::Known(self.pick(&[1, 2, 5]));
            }
        }
        if !self.fits_in_memory(&Shape::from(dims.clone())) {
            return None;
        }
        let node = self.build.broadcast_to(node, &dims.into()).expect("repeated unit axes");
        Some(Value { node, ..x })
    }

    fn axis(&self, x: Value, axis: usize) -> usize {
        self.build.ty(x.node).shape[axis].known().expect("only the batch is not known")
    }

    /// A window that fits into images.
    fn window(&mut self, extents: [usize; 2]) -> Window {
        let mut window = Window::plain([1, 1]);
        for (axis, extent) in extents.into_iter().enumerate() {
            let size = self.pick(&[1, 2, 3, 3, 4]);
            window.size[axis] = size;
            window.stride[axis] = self.pick(&[1, 1, 2, 3]);
            window.dilation[axis] = self.pick(&[1, 1, 2]);
            window.pad[axis] = (self.below(size / 2 + 1), self.below(size / 2 + 1));
            if window.padded(axis, extent) < window.span(axis) {
                window.size[axis] = 1;
            }
        }
        window
    }

    /// A parameter of its own.
    fn weights(&mut self, extents: [usize; 4]) -> Value {
        let path = format!("filter{}", self.build.graph.params.len());
        let init = Init::Uniform { low: -1.0, high: 1.0 };
        let ty = Type::new(DType::F32, Shape::known(&extents));
        let node: NodeId = self.build.param(Param { path, ty, init, origin: None });
        Value { node, bound: 1.0, exact: true }
    }
}
