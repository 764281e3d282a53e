//! The rule table: for each operator, what the gradient of its result means for its arguments.
//!
//! In: a node, and `g`, the gradient of the loss by the node's value. Out: for each argument the
//! gradient that flows to it through this node, or `None` where none does. Each rule carries its
//! formula; `y` is the node's own value, so `d tanh(x) = (1 − y²)·dx` costs no second `tanh`.
//!
//! ```text
//! %2 = mul %0 %1        a_grad = g · b,  b_grad = g · a
//! ```
//!
//! A rule leaves out arguments that are not wanted (`wants`), so no dead work is built. What the
//! rules don't do: accumulate over several uses (`autodiff` does), or differentiate twice.
//!
//! Edges: a branch not taken and a value not picked get exactly 0, never NaN, whatever their own
//! derivatives would be ([`finite`] has the guard); so does every argument of a value whose
//! gradient is 0. At a kink of `abs`, and of `max` and `min` of two, the slope is the mean of the
//! slopes on its two sides (PyTorch's rule). Of equal elements of a row, the first is the largest.

mod elementwise;
mod finite;
mod window;

pub use finite::Finite;

use crate::base::tensor::DType;
use crate::graph::{Dim, NodeId, Op, Range, Reduce, Shape};
use crate::pass::emit::Emit;

/// A value whose gradient is known.
pub struct Differentiated {
    /// The node that computes it.
    pub node: NodeId,
    /// Its value where the gradient is computed: in a scan's backward pass another node's.
    pub value: NodeId,
    /// The values of its arguments there.
    pub args: Vec<NodeId>,
}

/// A node whose gradient is known, and what is asked for.
struct Rule<'a> {
    emit: &'a mut Emit,
    /// The node.
    node: NodeId,
    /// Its value.
    y: NodeId,
    /// Its arguments.
    args: Vec<NodeId>,
    /// The gradient of its value.
    g: NodeId,
    /// Which arguments' gradients are wanted.
    wants: &'a [bool],
    /// Bounds and signs of the graph's values.
    finite: &'a Finite,
}

/// One gradient or none for each argument.
type ArgGradients = Vec<Option<NodeId>>;

/// The gradients of a node's arguments, from the gradient `g` of its value.
pub fn gradients(
    emit: &mut Emit,
    of: Differentiated,
    g: NodeId,
    wants: &[bool],
    finite: &Finite,
) -> ArgGradients {
    let Differentiated { node, value: y, args } = of;
    let op = emit.graph().nodes[node].op.clone();
    let mut rule = Rule { emit, node, y, args, g, wants, finite };
    match op {
        op if !flows(&op) => vec![None; rule.args.len()],
        Op::Unary(function) => rule.unary(function),
        Op::Binary(function) => rule.binary(function),
        Op::Where => rule.select(),
        // d cast(x) = dx between floats; an integer or a bool has no derivative.
        Op::Cast(_) => vec![(rule.dtype(0) == DType::F32).then_some(g)],
        Op::Broadcast(_) => vec![Some(rule.broadcast())],
        // d reshape(x) = reshape(dx)
        Op::Reshape(_) => {
            let shape = rule.shape(0);
            vec![Some(rule.emit.reshape(g, &shape))]
        }
        // x_grad = transpose(g) by the inverse permutation
        Op::Transpose(perm) => vec![Some(rule.emit.transpose(g, &inverse(&perm)))],
        Op::Slice(ranges) => vec![Some(rule.slice(&ranges))],
        Op::Concat(axis) => rule.concat(axis),
        Op::Pad { amounts, .. } => vec![Some(rule.pad(&amounts))],
        // d sum(x) = sum(dx): each element gets g
        Op::Reduce(Reduce::Sum, axes) => {
            let shape = rule.shape(0);
            vec![Some(rule.emit.spread(g, &axes, &shape))]
        }
        Op::Reduce(function @ (Reduce::Max | Reduce::Min), axes) => {
            vec![Some(rule.extremum(function, &axes))]
        }
        Op::MatMul { transpose_a, transpose_b } => rule.matmul(transpose_a, transpose_b),
        Op::Variance(axes) => vec![Some(rule.variance(&axes))],
        Op::Conv { window, groups } => rule.conv(window, groups),
        Op::ConvInputGrad { window, groups, .. } => rule.conv_input_grad(window, groups),
        Op::ConvWeightGrad { window, groups } => rule.conv_weight_grad(window, groups),
        Op::MaxPool(_) | Op::MaxPoolGrad { .. } | Op::SumPool(_) | Op::SumPoolGrad { .. } => {
            rule.pool(op)
        }
        Op::Pick => vec![Some(rule.pick()), None],
        // table_grad = scatter_add(index, g)
        Op::Gather(axis) => {
            let (shape, index) = (rule.shape(0), rule.args[1]);
            vec![Some(rule.emit.op(Op::ScatterAdd { shape, axis }, &[index, g])), None]
        }
        // values_grad = gather(g, index)
        Op::ScatterAdd { axis, .. } => {
            vec![None, Some(rule.emit.op(Op::Gather(axis), &[g, rule.args[0]]))]
        }
        Op::Input(_) | Op::Param(_) | Op::State(_) | Op::Hyper(_) | Op::Step => unreachable!(),
        Op::Extent(_) | Op::Const(..) | Op::Iota { .. } | Op::Uniform { .. } => unreachable!(),
        Op::ArgMax(_) | Op::MaxPoolIndex(_) | Op::StopGradient => unreachable!("nothing flows"),
        Op::ScanSlice(_) | Op::Carry(_) | Op::ScanStack(_) => unreachable!("as a whole"),
    }
}

/// Whether a gradient can flow through an operator at all, whatever its arguments. Argument types
/// decide the rest: only `f32` values have gradients.
pub fn flows(op: &Op) -> bool {
    match op {
        Op::Unary(function) => !function.row().is_flat(),
        Op::Binary(function) => function.is_arithmetic(),
        Op::ArgMax(_) | Op::MaxPoolIndex(_) | Op::StopGradient => false,
        op => !op.kind().is_leaf(),
    }
}

/// The permutation that undoes another.
fn inverse(perm: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; perm.len()];
    for (axis, &from) in perm.iter().enumerate() {
        inverse[from] = axis;
    }
    inverse
}

impl Rule<'_> {
    /// The gradients of a window's largest element or sum, and of their adjoints.
    fn pool(&mut self, op: Op) -> ArgGradients {
        let g = self.g;
        match op {
            Op::MaxPool(window) => vec![Some(self.max_pool(window))],
            Op::MaxPoolGrad { window, .. } => vec![None, Some(self.max_pool_grad(window))],
            // x_grad = sum_pool_grad(g)
            Op::SumPool(window) => {
                let extents = self.height_width(0);
                vec![Some(self.emit.op(Op::SumPoolGrad { window, extents }, &[g]))]
            }
            // The adjoint of an adjoint: y_grad_grad = sum_pool(g)
            Op::SumPoolGrad { window, .. } => vec![Some(self.emit.op(Op::SumPool(window), &[g]))],
            other => unreachable!("{other:?} is no pooling"),
        }
    }

    fn shape(&self, arg: usize) -> Shape {
        self.emit.shape(self.args[arg])
    }

    fn dtype(&self, arg: usize) -> DType {
        self.emit.ty(self.args[arg]).dtype
    }

    /// The gradients of the last two arguments, each built only where it is wanted.
    fn pair(
        &mut self,
        a: impl FnOnce(&mut Self) -> Option<NodeId>,
        b: impl FnOnce(&mut Self) -> Option<NodeId>,
    ) -> ArgGradients {
        let last = self.wants.len() - 1;
        let a = if self.wants[last - 1] { a(self) } else { None };
        let b = if self.wants[last] { b(self) } else { None };
        vec![a, b]
    }

    /// d where(c, a, b) = where(c, da, db): the branch not taken gets exactly 0, whatever its
    /// own derivative would be.
    fn select(&mut self) -> ArgGradients {
        let condition = self.args[0];
        let mut gradients = vec![None];
        gradients.extend(self.route(condition));
        gradients
    }

    fn route(&mut self, condition: NodeId) -> ArgGradients {
        let g = self.g;
        let zero = self.emit.like(g, 0.0);
        self.pair(
            |r| Some(r.emit.select(condition, g, zero)),
            |r| Some(r.emit.select(condition, zero, g)),
        )
    }

    /// d broadcast(x) = broadcast(dx): x_grad sums g over the axes that were repeated.
    fn broadcast(&mut self) -> NodeId {
        let (from, to) = (self.shape(0), self.emit.shape(self.g));
        let added = to.rank() - from.rank();
        let repeated = |axis: usize| axis < added || from[axis - added] != to[axis];
        let axes: Vec<usize> = (0..to.rank()).filter(|&axis| repeated(axis)).collect();
        let sum = self.emit.sum(self.g, &axes);
        self.emit.reshape(sum, &from)
    }

    /// d slice(x) = slice(dx): x_grad has g at the elements taken and zeros elsewhere.
    fn slice(&mut self, ranges: &[Range]) -> NodeId {
        let shape = self.shape(0);
        let mut x_grad = self.g;
        let mut amounts = vec![(0, 0); shape.rank()];
        for (axis, range) in ranges.iter().enumerate() {
            if *range == Range::ALL {
                continue;
            }
            let extent = shape[axis].known().expect("only a known axis is cut");
            let len = self.emit.ty(self.g).shape[axis].known().expect("a part of a known axis");
            let stride = range.step.unsigned_abs();
            let mut first = range.start;
            if range.step < 0 {
                first -= (len - 1) * stride;
                let backwards = Range { start: len - 1, len: Some(len), step: -1 };
                x_grad = self.emit.slice_axis(x_grad, axis, backwards);
            }
            x_grad = self.dilate(x_grad, axis, stride);
            amounts[axis] = (first, extent - first - ((len - 1) * stride + 1));
        }
        self.emit.pad_zeros(x_grad, &amounts)
    }

    /// `stride − 1` zeros between the elements of an axis: `[.., n, ..]` is padded as
    /// `[.., n, stride, ..]` and cut after the last element.
    fn dilate(&mut self, x: NodeId, axis: usize, stride: usize) -> NodeId {
        let shape = self.emit.shape(x);
        let len = shape[axis].known().expect("a known axis");
        if stride == 1 || len == 1 {
            return x;
        }
        let split = shape.inserted(axis + 1, Dim::Known(1));
        let x = self.emit.reshape(x, &split);
        let mut amounts = vec![(0, 0); split.rank()];
        amounts[axis + 1].1 = stride - 1;
        let x = self.emit.pad_zeros(x, &amounts);
        let joined = shape.with(axis, Dim::Known(len * stride));
        let x = self.emit.reshape(x, &joined);
        let cut = Range { start: 0, len: Some((len - 1) * stride + 1), step: 1 };
        self.emit.slice_axis(x, axis, cut)
    }

    /// d concat(a, b, …) = concat(da, db, …): each part gets its part of g.
    fn concat(&mut self, axis: usize) -> ArgGradients {
        let mut start = 0;
        let mut parts = Vec::new();
        for (&arg, &wanted) in self.args.iter().zip(self.wants) {
            let len = self.emit.ty(arg).shape[axis].known().expect("a known axis is joined");
            let range = Range { start, len: Some(len), step: 1 };
            start += len;
            parts.push(wanted.then(|| self.emit.slice_axis(self.g, axis, range)));
        }
        parts
    }

    /// d pad(x) = pad(dx) with zeros: x_grad is g without the border.
    fn pad(&mut self, amounts: &[(usize, usize)]) -> NodeId {
        let shape = self.shape(0);
        let range = |(axis, &(before, after)): (usize, &(usize, usize))| {
            if (before, after) == (0, 0) {
                return Range::ALL;
            }
            Range { start: before, len: shape[axis].known(), step: 1 }
        };
        let ranges: Vec<Range> = amounts.iter().enumerate().map(range).collect();
        if ranges.iter().all(|range| *range == Range::ALL) {
            return self.g;
        }
        self.emit.op(Op::Slice(ranges), &[self.g])
    }

    /// d max(x) = dx at the first of the largest elements, in row-major order of the axes.
    fn extremum(&mut self, function: Reduce, axes: &[usize]) -> NodeId {
        let shape = self.shape(0);
        // The reduced axes last and flattened, so that "first" is one index.
        let kept = (0..shape.rank()).filter(|axis| !axes.contains(axis));
        let perm: Vec<usize> = kept.chain(axes.iter().copied()).collect();
        let rows = shape.rank() - axes.len();
        let moved: Vec<Dim> = perm.iter().map(|&axis| shape[axis]).collect();
        let row = Shape::from(&moved[rows..]).elements().expect("linear in the batch");
        let flat = Shape::from([&moved[..rows], &[row]].concat());
        let x = self.emit.transpose(self.args[0], &perm);
        let x = self.emit.reshape(x, &flat);
        let x = match function {
            Reduce::Min => self.emit.neg(x),
            Reduce::Max | Reduce::Sum => x,
        };
        let first = self.emit.op(Op::ArgMax(rows), &[x]);
        let chosen = self.at_index(first, &flat);
        let chosen = self.emit.reshape(chosen, &moved.into());
        self.emit.transpose(chosen, &inverse(&perm))
    }

    /// d pick(x, index) = dx at the index: the other elements of the row get 0.
    fn pick(&mut self) -> NodeId {
        let shape = self.shape(0);
        self.at_index(self.args[1], &shape)
    }

    /// `g`, which lacks the last axis of `shape`, at `index` along it; zeros elsewhere.
    fn at_index(&mut self, index: NodeId, shape: &Shape) -> NodeId {
        let axis = shape.rank() - 1;
        let chosen = self.emit.at_index(index, axis, shape);
        let g = self.emit.spread(self.g, &[axis], shape);
        let zero = self.emit.like(g, 0.0);
        self.emit.select(chosen, g, zero)
    }

    /// d(A·B) = dA·B + A·dB, so A_grad = G·Bᵀ and B_grad = Aᵀ·G; each comes out in the layout
    /// that its argument was given in, by flags alone.
    fn matmul(&mut self, transpose_a: bool, transpose_b: bool) -> ArgGradients {
        let (a, b, g) = (self.finite_factor(0), self.finite_factor(1), self.g);
        let mut product = |x, y, transpose_a, transpose_b| {
            Some(self.emit.op(Op::MatMul { transpose_a, transpose_b }, &[x, y]))
        };
        let a_grad = self.wants[0].then(|| match transpose_a {
            false => product(g, b, false, !transpose_b),
            true => product(b, g, transpose_b, true), // (G·Bᵀ)ᵀ = B·Gᵀ
        });
        let b_grad = self.wants[1].then(|| match transpose_b {
            false => product(a, g, !transpose_a, false),
            true => product(g, a, true, transpose_a), // (Aᵀ·G)ᵀ = Gᵀ·A
        });
        vec![a_grad.flatten(), b_grad.flatten()]
    }
}
