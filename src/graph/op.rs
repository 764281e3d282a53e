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
    /// A loop over the slices of tensors.
    pub struct ScanId("scan");
    /// A value that one step of a scan hands to the next.
    pub struct CarryId("carry");
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

    // Scans: `graph::scan` explains them.
    /// `x[t, ..]` to `[..]`: the slice of its first axis that a step of the scan works on.
    ScanSlice(ScanId),
    /// `initial[..]` to the same: a carry's value when a step begins.
    Carry(CarryId),
    /// `x[..]` of a step to `[t, ..]`: the values of all steps, in the order of the slices.
    ScanStack(ScanId),
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

/// The ways in which operators use their arguments: all that most passes must know of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpKind {
    /// A leaf that lies in memory when the step begins: an input, a parameter, a state.
    Given,
    /// A leaf that is one `f64` of the step, known before it begins.
    Number,
    /// A scalar constant.
    Const,
    /// A leaf whose elements follow from their places alone.
    Generated,
    /// Each element from the elements of the same place.
    Elementwise,
    /// The argument's own elements in another order or shape; nothing is computed.
    View,
    /// Arguments copied into a larger tensor.
    Joined,
    /// Many elements of one argument to one, whatever their order.
    Reduction,
    /// One of the elements of a row, or its index.
    Choice,
    /// Sums of products of two arguments, along their axes.
    Product,
    /// Sums of products under a window, and its adjoints.
    Convolution,
    /// The largest element or the sum under a window, and their adjoints.
    Pool,
    /// Elements at places that data names.
    Indexed,
    /// A value's way into a scan, from one step to the next, or out of it: memory that a step
    /// reads or writes at its own place.
    Scan,
}

impl OpKind {
    /// Whether operators of this kind have no arguments.
    pub fn is_leaf(self) -> bool {
        match self {
            OpKind::Given | OpKind::Number | OpKind::Const | OpKind::Generated => true,
            OpKind::Elementwise | OpKind::View | OpKind::Joined | OpKind::Reduction => false,
            OpKind::Choice | OpKind::Product | OpKind::Convolution | OpKind::Pool => false,
            OpKind::Indexed | OpKind::Scan => false,
        }
    }

    /// Whether operators of this kind add up products.
    pub fn contracts(self) -> bool {
        match self {
            OpKind::Product | OpKind::Convolution => true,
            OpKind::Given | OpKind::Number | OpKind::Const | OpKind::Generated => false,
            OpKind::Elementwise | OpKind::View | OpKind::Joined | OpKind::Reduction => false,
            OpKind::Choice | OpKind::Pool | OpKind::Indexed | OpKind::Scan => false,
        }
    }

    /// Whether operators of this kind give one element of many: a row's sum, its largest, a picked
    /// one.
    pub fn reduces(self) -> bool {
        match self {
            OpKind::Reduction | OpKind::Choice => true,
            OpKind::Given | OpKind::Number | OpKind::Const | OpKind::Generated => false,
            OpKind::Elementwise | OpKind::View | OpKind::Joined | OpKind::Product => false,
            OpKind::Convolution | OpKind::Pool | OpKind::Indexed | OpKind::Scan => false,
        }
    }

    /// Whether operators of this kind read their arguments as tensors in memory, at places of their
    /// own; the others can compute an argument's element where they need it.
    pub fn reads_memory(self) -> bool {
        match self {
            OpKind::Joined | OpKind::Product | OpKind::Convolution | OpKind::Pool => true,
            OpKind::Indexed | OpKind::Scan => true,
            OpKind::Given | OpKind::Number | OpKind::Const | OpKind::Generated => false,
            OpKind::Elementwise | OpKind::View | OpKind::Reduction | OpKind::Choice => false,
        }
    }
}

/// Where an operator reads an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpAccess {
    /// At the element that it computes, so that the result may take the argument's memory.
    InPlace,
    /// At other elements too.
    Elsewhere,
}

/// The facts of an operator.
struct OpRow {
    name: &'static str,
    kind: OpKind,
    /// How many arguments; `None` for any number from one on.
    arity: Option<usize>,
    /// Where it reads its first argument.
    access: OpAccess,
}

const fn leaf(name: &'static str, kind: OpKind) -> OpRow {
    OpRow { name, kind, arity: Some(0), access: OpAccess::InPlace }
}

const fn elementwise(name: &'static str, arity: usize) -> OpRow {
    OpRow { name, kind: OpKind::Elementwise, arity: Some(arity), access: OpAccess::InPlace }
}

const fn view(name: &'static str, access: OpAccess) -> OpRow {
    OpRow { name, kind: OpKind::View, arity: Some(1), access }
}

/// An operator that reads other elements than the one it computes.
const fn row(name: &'static str, kind: OpKind, arity: usize) -> OpRow {
    OpRow { name, kind, arity: Some(arity), access: OpAccess::Elsewhere }
}

impl Op {
    /// The operators that have no attributes: their names say all of them.
    pub const PLAIN: &'static [Op] = &[
        // One a line.
        Op::Step,
        Op::Where,
        Op::Pick,
        Op::StopGradient,
    ];

    /// The names of all operators but functions of one and two elements.
    pub const NAMES: &'static [&'static str] = &[
        // Each is the name of a row.
        "input",
        "param",
        "state",
        "hyper",
        "step",
        "extent",
        "const",
        "iota",
        "uniform",
        "where",
        "cast",
        "broadcast",
        "reshape",
        "transpose",
        "slice",
        "concat",
        "pad",
        "reduce_sum",
        "reduce_max",
        "reduce_min",
        "argmax",
        "variance",
        "matmul",
        "conv",
        "conv_input_grad",
        "conv_weight_grad",
        "max_pool",
        "max_pool_index",
        "max_pool_grad",
        "sum_pool",
        "sum_pool_grad",
        "pick",
        "gather",
        "scatter_add",
        "stop_gradient",
        "scan_slice",
        "carry",
        "scan_stack",
    ];

    fn row(&self) -> OpRow {
        use OpKind::{Choice, Const, Convolution, Generated, Given, Number, Pool, Reduction};
        match self {
            Op::Input(_) => leaf("input", Given),
            Op::Param(_) => leaf("param", Given),
            Op::State(_) => leaf("state", Given),
            Op::Hyper(_) => leaf("hyper", Number),
            Op::Step => leaf("step", Number),
            Op::Extent(_) => leaf("extent", Number),
            Op::Const(..) => leaf("const", Const),
            Op::Iota { .. } => leaf("iota", Generated),
            Op::Uniform { .. } => leaf("uniform", Generated),
            Op::Unary(unary) => elementwise(unary.name(), 1),
            Op::Binary(binary) => elementwise(binary.name(), 2),
            Op::Where => elementwise("where", 3),
            Op::Cast(_) => elementwise("cast", 1),
            Op::Broadcast(_) => view("broadcast", OpAccess::Elsewhere),
            Op::Reshape(_) => view("reshape", OpAccess::InPlace),
            Op::Transpose(_) => view("transpose", OpAccess::Elsewhere),
            Op::Slice(_) => view("slice", OpAccess::Elsewhere),
            Op::Concat(_) => OpRow { arity: None, ..row("concat", OpKind::Joined, 1) },
            Op::Pad { .. } => row("pad", OpKind::Joined, 1),
            // `max` and `min` are also functions of two arguments.
            Op::Reduce(Reduce::Sum, _) => row("reduce_sum", Reduction, 1),
            Op::Reduce(Reduce::Max, _) => row("reduce_max", Reduction, 1),
            Op::Reduce(Reduce::Min, _) => row("reduce_min", Reduction, 1),
            Op::ArgMax(_) => row("argmax", Choice, 1),
            Op::Variance(_) => row("variance", Reduction, 1),
            Op::MatMul { .. } => row("matmul", OpKind::Product, 2),
            Op::Conv { .. } => row("conv", Convolution, 2),
            Op::ConvInputGrad { .. } => row("conv_input_grad", Convolution, 2),
            Op::ConvWeightGrad { .. } => row("conv_weight_grad", Convolution, 2),
            Op::MaxPool(_) => row("max_pool", Pool, 1),
            Op::MaxPoolIndex(_) => row("max_pool_index", Pool, 1),
            Op::MaxPoolGrad { .. } => row("max_pool_grad", Pool, 2),
            Op::SumPool(_) => row("sum_pool", Pool, 1),
            Op::SumPoolGrad { .. } => row("sum_pool_grad", Pool, 1),
            Op::Pick => row("pick", Choice, 2),
            Op::Gather(_) => row("gather", OpKind::Indexed, 2),
            Op::ScatterAdd { .. } => row("scatter_add", OpKind::Indexed, 2),
            Op::StopGradient => view("stop_gradient", OpAccess::InPlace),
            Op::ScanSlice(_) => row("scan_slice", OpKind::Scan, 1),
            Op::Carry(_) => row("carry", OpKind::Scan, 1),
            Op::ScanStack(_) => row("scan_stack", OpKind::Scan, 1),
        }
    }

    /// The operator without attributes that has this name.
    pub fn plain(name: &str) -> Option<Op> {
        Op::PLAIN.iter().find(|op| op.name() == name).cloned()
    }

    /// The operator's name in text forms and messages.
    pub fn name(&self) -> &'static str {
        self.row().name
    }

    /// The way in which it uses its arguments.
    pub fn kind(&self) -> OpKind {
        self.row().kind
    }

    /// The number of arguments; `None` where it is any number from one on.
    pub fn arity(&self) -> Option<usize> {
        self.row().arity
    }

    /// Where it reads an argument. A reduction over unit axes alone is a view in place, which its
    /// operator does not say: [`Bound::is_view`](crate::graph::Bound::is_view) does.
    pub fn access(&self, arg: usize) -> OpAccess {
        match self.kind() {
            // What the index picks from a row lies elsewhere, the index itself does not.
            OpKind::Choice if arg > 0 => OpAccess::InPlace,
            _ => self.row().access,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Op;
    use std::collections::BTreeSet;

    #[test]
    fn the_list_of_names_has_every_operator() {
        let rows =
            include_str!("op.rs").lines().filter(|line| line.starts_with("            Op::"));
        let named = rows.filter(|row| row.contains("(\"")).map(|row| {
            let (_, name) = row.split_once("(\"").expect("a name");
            name.split('"').next().expect("the end of a name")
        });
        assert_eq!(named.collect::<BTreeSet<_>>(), Op::NAMES.iter().copied().collect());
    }

    #[test]
    fn an_operator_without_attributes_is_the_one_of_its_name() {
        for op in Op::PLAIN {
            assert_eq!(Op::plain(op.name()).as_ref(), Some(op));
        }
        assert_eq!(Op::plain("matmul"), None);
    }
}
