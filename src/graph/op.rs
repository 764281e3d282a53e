//! The operators: a closed set, so that a new one makes the compiler show every rule it needs
//! (`docs/adding-an-op.md`).
//!
//! Operators are few and plain. Element-wise ones take arguments of equal shape (the builder
//! inserts [`Op::Broadcast`]), and everything with a name of its own in the language (softmax,
//! layer norm, losses) is written there, in these.

pub use crate::base::scalar::{Binary, Reduce, Unary};
use crate::base::tensor::DType;
use crate::entity;
use crate::graph::types::{Dim, Shape};
use crate::graph::window::Window;

entity! {
    /// A value: the node that computes it. Prints as `%7`.
    pub struct NodeId("%");
    /// A tensor given at each step.
    pub struct InputId("input");
    /// A trainable tensor.
    pub struct ParamId("param");
    /// A tensor kept from step to step but not trained.
    pub struct StateId("state");
    /// A number that may change while training runs, such as the learning rate.
    pub struct HyperId("hyper");
}

/// The operator of a node, with its attributes.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    // Leaves.
    /// An input of the step.
    Input(InputId),
    /// A parameter's value at the start of the step.
    Param(ParamId),
    /// A state's value at the start of the step.
    State(StateId),
    /// A hyper-parameter, `f64`.
    Hyper(HyperId),
    /// The number of this step, counted from 1, `f64`.
    Step,
    /// The extent of a dimension, `f64`: the divisor of a mean over a batch not known yet.
    Extent(Dim),
    /// A scalar constant of the given type. The value is what `dtype` holds after rounding.
    Const(f64, DType),
    /// Indices along an axis: element `[.., i, ..]` is `i`, `i32`.
    Iota {
        /// The result's shape.
        shape: Shape,
        /// The axis that counts.
        axis: usize,
    },
    /// Random numbers in [0, 1), `f32`, from (seed, step, stream, element).
    Uniform {
        /// The result's shape.
        shape: Shape,
        /// This operator's number: no two of a graph are equal.
        stream: u32,
    },

    // Element by element.
    /// One argument.
    Unary(Unary),
    /// Two arguments of equal type.
    Binary(Binary),
    /// `where(condition, a, b)`: a bool and two of equal type.
    Where,
    /// The argument in another element type; floats truncate toward zero and saturate, as Rust's
    /// `as` does; a bool is 0 or 1; to bool is `x != 0`.
    Cast(DType),

    // Shape.
    /// The argument repeated to a larger shape by NumPy's rule: aligned at the last axis.
    Broadcast(Shape),
    /// The same elements in another shape.
    Reshape(Shape),
    /// Axis `i` of the result is axis `perm[i]` of the argument.
    Transpose(Vec<usize>),
    /// A part of each axis; one range an axis.
    Slice(Vec<Range>),
    /// The arguments joined along an axis.
    Concat(usize),
    /// The argument between `value`s: `(before, after)` an axis.
    Pad {
        /// Elements added before and after, an axis each.
        amounts: Vec<(usize, usize)>,
        /// The value.
        value: f64,
    },

    // Many to one.
    /// A reduction; the axes (ascending) are removed.
    Reduce(Reduce, Vec<usize>),
    /// The index of the first largest element along an axis, which is removed; `i32`.
    ArgMax(usize),
    /// The biased variance over axes (ascending), which are removed: `mean((x − mean(x))²)`.
    Variance(Vec<usize>),

    // Contractions.
    /// `a @ b` over the last two axes; leading axes (equal in both) are a batch. `transpose_a`
    /// says that `a` is given as `[.., k, m]`, `transpose_b` that `b` is given as `[.., n, k]`.
    MatMul {
        /// `a` is `[.., k, m]`.
        transpose_a: bool,
        /// `b` is `[.., n, k]`.
        transpose_b: bool,
    },

    // Windows over images `[n, h, w, c]`; the output has `[n, oh, ow, ..]`, from `Window::output`.
    /// The convolution of `x[n, h, w, c]` with `w[kh, kw, c / groups, o]`: `[n, oh, ow, o]`. The
    /// border is zeros. Group `i` of the outputs reads group `i` of the channels.
    Conv {
        /// The taps.
        window: Window,
        /// Into how many groups the channels and the outputs are cut.
        groups: usize,
    },
    /// `y_grad[n, oh, ow, o]`, `w[kh, kw, c / groups, o]` to `x_grad[n, h, w, c]`: a
    /// convolution's adjoint in `x`.
    ConvInputGrad {
        /// The convolution's.
        window: Window,
        /// The convolution's.
        groups: usize,
        /// `[h, w]`.
        extents: [usize; 2],
    },
    /// `x[n, h, w, c]`, `y_grad[n, oh, ow, o]` to `w_grad[kh, kw, c / groups, o]`: a
    /// convolution's adjoint in `w`.
    ConvWeightGrad {
        /// The convolution's.
        window: Window,
        /// The convolution's.
        groups: usize,
    },
    /// The largest element under each window, a channel each; the border takes no part.
    MaxPool(Window),
    /// Which tap is the first largest one under each window: `kh·KW + kw`, `u8`.
    MaxPoolIndex(Window),
    /// `index[n, oh, ow, c]`, `y_grad` of that shape to `[n, h, w, c]`: each element of `y_grad`
    /// added where its index says.
    MaxPoolGrad {
        /// The pooling's.
        window: Window,
        /// `[h, w]`.
        extents: [usize; 2],
    },
    /// The sum under each window, a channel each; the border is zeros.
    SumPool(Window),
    /// `y_grad[n, oh, ow, c]` to `[n, h, w, c]`: the adjoint of a sum, each element of `y_grad`
    /// added to all that its window covers.
    SumPoolGrad {
        /// The pooling's.
        window: Window,
        /// `[h, w]`.
        extents: [usize; 2],
    },

    // Indexed by data. Every index is tested; a bad one stops the run with its sample named.
    /// `pick(x[.., k], index[..])`: the element of each row that its index names.
    Pick,
    /// `gather(table[.., n, ..], index)`: the table's entries along `axis`; the result has the
    /// index's shape in that axis's place.
    Gather(usize),
    /// `scatter_add(index, values)`: zeros of `shape`, with each entry of `values` added at its
    /// index along `axis`; the gradient of a gather.
    ScatterAdd {
        /// The result's shape.
        shape: Shape,
        /// The indexed axis.
        axis: usize,
    },

    /// The argument; no gradient flows through.
    StopGradient,
}

/// Part of an axis: `start, start + step, …`, `len` of them; a negative step goes backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// The first index.
    pub start: usize,
    /// How many; the whole axis where `None` (an axis of the batch can only be taken whole).
    pub len: Option<usize>,
    /// The distance; not zero.
    pub step: isize,
}

impl Range {
    /// The whole axis.
    pub const ALL: Range = Range { start: 0, len: None, step: 1 };
}

impl Op {
    /// The operator's name in text forms and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Input(_) => "input",
            Op::Param(_) => "param",
            Op::State(_) => "state",
            Op::Hyper(_) => "hyper",
            Op::Step => "step",
            Op::Extent(_) => "extent",
            Op::Const(..) => "const",
            Op::Iota { .. } => "iota",
            Op::Uniform { .. } => "uniform",
            Op::Unary(unary) => unary.name(),
            Op::Binary(binary) => binary.name(),
            Op::Where => "where",
            Op::Cast(_) => "cast",
            Op::Broadcast(_) => "broadcast",
            Op::Reshape(_) => "reshape",
            Op::Transpose(_) => "transpose",
            Op::Slice(_) => "slice",
            Op::Concat(_) => "concat",
            Op::Pad { .. } => "pad",
            // `max` and `min` are also functions of two arguments.
            Op::Reduce(Reduce::Sum, _) => "reduce_sum",
            Op::Reduce(Reduce::Max, _) => "reduce_max",
            Op::Reduce(Reduce::Min, _) => "reduce_min",
            Op::ArgMax(_) => "argmax",
            Op::Variance(_) => "variance",
            Op::MatMul { .. } => "matmul",
            Op::Conv { .. } => "conv",
            Op::ConvInputGrad { .. } => "conv_input_grad",
            Op::ConvWeightGrad { .. } => "conv_weight_grad",
            Op::MaxPool(_) => "max_pool",
            Op::MaxPoolIndex(_) => "max_pool_index",
            Op::MaxPoolGrad { .. } => "max_pool_grad",
            Op::SumPool(_) => "sum_pool",
            Op::SumPoolGrad { .. } => "sum_pool_grad",
            Op::Pick => "pick",
            Op::Gather(_) => "gather",
            Op::ScatterAdd { .. } => "scatter_add",
            Op::StopGradient => "stop_gradient",
        }
    }

    /// The number of arguments; `None` where it is any number from one on.
    pub fn arity(&self) -> Option<usize> {
        match self {
            Op::Input(_)
            | Op::Param(_)
            | Op::State(_)
            | Op::Hyper(_)
            | Op::Step
            | Op::Extent(_)
            | Op::Const(..)
            | Op::Iota { .. }
            | Op::Uniform { .. } => Some(0),
            Op::Unary(_)
            | Op::Cast(_)
            | Op::Broadcast(_)
            | Op::Reshape(_)
            | Op::Transpose(_)
            | Op::Slice(_)
            | Op::Pad { .. }
            | Op::Reduce(..)
            | Op::ArgMax(_)
            | Op::Variance(_)
            | Op::MaxPool(_)
            | Op::MaxPoolIndex(_)
            | Op::SumPool(_)
            | Op::SumPoolGrad { .. }
            | Op::StopGradient => Some(1),
            Op::Binary(_)
            | Op::MatMul { .. }
            | Op::Conv { .. }
            | Op::ConvInputGrad { .. }
            | Op::ConvWeightGrad { .. }
            | Op::MaxPoolGrad { .. }
            | Op::Pick
            | Op::Gather(_)
            | Op::ScatterAdd { .. } => Some(2),
            Op::Where => Some(3),
            Op::Concat(_) => None,
        }
    }
}
