//! Type inference: from an operator and its arguments to the type of its value, or the reason
//! why there is none.
//!
//! `matmul` of `f32[N, 784]` and `f32[784, 10]` is `f32[N, 10]`; of `f32[N, 784]` and
//! `f32[512, 10]` it is a [`Mismatch`] that names axis 1 of the first and axis 0 of the second.
//! Rules are strict: nothing is broadcast or cast here (the [builder](crate::graph::builder)
//! inserts that), and nothing here knows of source places (whoever calls attaches them).
//!
//! Rules for every value: no dimension is 0, there are at most 32 axes and 2³⁴ elements (a sample's
//! worth, where the batch is not known), and `f64` is a scalar made only by `Const`, `Hyper`,
//! `Step`, `Extent` and arithmetic on `f64`.

mod contraction;
mod elementwise;
mod movement;
mod window;

pub(crate) use elementwise::applied;
pub(crate) use movement::product;

use crate::base::limits;
use crate::base::tensor::DType;
use crate::graph::data::Graph;
use crate::graph::data::Scan;
use crate::graph::element::round_to;
use crate::graph::op::{NodeId, Op, ScanId};
use crate::graph::types::{Dim, Shape, Type};
use std::fmt;

/// Why an operator cannot take its arguments: a plain reason without a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// One sentence, without a full stop, with the types as users write them.
    pub message: String,
    /// Facts that explain: a formula with its numbers.
    pub notes: Vec<String>,
    /// The dimensions that disagree: (argument, axis of it). Where a diagnostic shows what fixed
    /// a dimension, it is these.
    pub axes: Vec<(usize, usize)>,
}

impl Mismatch {
    /// A reason.
    pub fn new(message: impl Into<String>) -> Self {
        Mismatch { message: message.into(), ..Mismatch::default() }
    }

    /// Adds a fact.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a dimension that disagrees.
    pub fn axis(mut self, argument: usize, axis: usize) -> Self {
        self.axes.push((argument, axis));
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.notes.iter().try_for_each(|note| write!(f, "; {note}"))
    }
}

impl std::error::Error for Mismatch {}

/// The type, or why there is none.
type Inferred = Result<Type, Mismatch>;

/// The most elements that a value may have: what the counter of [`crate::base::rng`] can number.
const MOST_ELEMENTS: usize = 1 << 34;

/// The type of `op` applied to nodes of `graph`.
pub fn infer(graph: &Graph, op: &Op, args: &[NodeId]) -> Inferred {
    if let Some(missing) = args.iter().find(|&&arg| graph.nodes.get(arg).is_none()) {
        return Err(Mismatch::new(format!("there is no value {missing}")));
    }
    let types: Vec<&Type> = args.iter().map(|&arg| graph.ty(arg)).collect();
    count(&types, op.arity().unwrap_or(types.len().max(1)), op)?;
    let ty = apply(graph, op, &types)?;
    check_type(&ty)?;
    check_indices(op, &types, |dim| dim.known().unwrap_or(0))?;
    Ok(ty)
}

/// Checks that what an operator counts along an axis fits into an `i32`; `at` is how long a
/// dimension is, where that is known.
pub fn check_indices(op: &Op, types: &[&Type], at: impl Fn(Dim) -> usize) -> Result<(), Mismatch> {
    let counted = match (op, types) {
        (Op::Iota { shape, axis } | Op::ScatterAdd { shape, axis }, _) => shape.get(*axis),
        (Op::ArgMax(axis) | Op::Gather(axis), [x, ..]) => x.shape.get(*axis),
        (Op::Pick, [x, ..]) => x.shape.last(),
        _ => None,
    };
    let most = i32::MAX as usize;
    match counted.map(|&dim| at(dim)).filter(|&extent| extent > most) {
        Some(extent) => {
            let message = format!("`{}` counts along an axis of {extent}", op.name());
            Err(Mismatch::new(message).note(format!("an i32 counts to {most}")))
        }
        None => Ok(()),
    }
}

/// Checks what holds for the type of every value: see the [module](self).
pub fn check_type(ty: &Type) -> Result<(), Mismatch> {
    if ty.dtype == DType::F64 && !ty.shape.is_empty() {
        return Err(Mismatch::new(format!("{ty} is not a type of tensors: f64 is for scalars")));
    }
    check_extents(&ty.shape)
}

/// Checks that no dimension is 0 and that the elements can be counted.
fn check_extents(shape: &Shape) -> Result<(), Mismatch> {
    if shape.rank() > limits::AXES {
        let message = format!("a tensor of {} axes", shape.rank());
        return Err(Mismatch::new(message).note(format!("it has at most {}", limits::AXES)));
    }
    let mut elements = 1usize;
    for (axis, &dim) in shape.iter().enumerate() {
        let (Dim::Known(extent) | Dim::Batch(extent)) = dim;
        if extent == 0 {
            return Err(Mismatch::new(format!("axis {axis} of {shape} has no elements")));
        }
        elements = elements.saturating_mul(extent);
    }
    if elements > MOST_ELEMENTS {
        return Err(Mismatch::new(format!("{shape} has too many elements"))
            .note(format!("a tensor holds at most {MOST_ELEMENTS}")));
    }
    Ok(())
}

/// The rule of an operator that has its number of arguments.
fn apply(graph: &Graph, op: &Op, types: &[&Type]) -> Inferred {
    use {contraction as many, elementwise as each, movement as moved, window as windows};
    let number = || Ok(Type::scalar(DType::F64));
    match op {
        Op::Input(id) => declared(graph.inputs.get(*id).map(|input| &input.ty), id),
        Op::Param(id) => declared(graph.params.get(*id).map(|param| &param.ty), id),
        Op::State(id) => declared(graph.states.get(*id).map(|state| &state.ty), id),
        Op::Hyper(id) => graph.hypers.get(*id).map_or_else(|| missing(id), |_| number()),
        Op::Step | Op::Extent(_) => number(),
        Op::Const(value, dtype) => constant(*value, *dtype),
        Op::Iota { shape, axis } => {
            in_rank(*axis, shape, "iota").map(|()| Type::new(DType::I32, shape.clone()))
        }
        Op::Uniform { shape, .. } => Ok(Type::new(DType::F32, shape.clone())),
        Op::Unary(unary) => each::unary(*unary, types[0]),
        Op::Binary(binary) => each::binary(*binary, types[0], types[1]),
        Op::Where => each::select(types[0], types[1], types[2]),
        Op::Cast(dtype) => each::cast(*dtype, types[0]),
        Op::Broadcast(shape) => moved::broadcast(shape, types[0]),
        Op::Reshape(shape) => moved::reshape(shape, types[0]),
        Op::Transpose(perm) => moved::transpose(perm, types[0]),
        Op::Slice(ranges) => moved::slice(ranges, types[0]),
        Op::Concat(axis) => moved::concat(*axis, types),
        Op::Pad { amounts, value } => moved::pad(amounts, *value, types[0]),
        Op::Reduce(reduce, axes) => many::reduce(*reduce, axes, types[0]),
        Op::ArgMax(axis) => many::arg_max(*axis, types[0]),
        Op::MatMul { transpose_a, transpose_b } => {
            many::matmul(*transpose_a, *transpose_b, types[0], types[1])
        }
        Op::Variance(axes) => many::variance(axes, types[0]),
        Op::Conv { window, groups } => windows::conv(window, *groups, types[0], types[1]),
        Op::ConvInputGrad { window, groups, extents } => {
            windows::conv_input_grad(window, *groups, *extents, types[0], types[1])
        }
        Op::ConvWeightGrad { window, groups } => {
            windows::conv_weight_grad(window, *groups, types[0], types[1])
        }
        Op::MaxPool(window) => windows::pool(window, types[0], "max_pool"),
        Op::MaxPoolIndex(window) => windows::max_pool_index(window, types[0]),
        Op::MaxPoolGrad { window, extents } => {
            windows::max_pool_grad(window, *extents, types[0], types[1])
        }
        Op::SumPool(window) => windows::pool(window, types[0], "sum_pool"),
        Op::SumPoolGrad { window, extents } => windows::sum_pool_grad(window, *extents, types[0]),
        Op::Pick => many::pick(types[0], types[1]),
        Op::Gather(axis) => many::gather(*axis, types[0], types[1]),
        Op::ScatterAdd { shape, axis } => many::scatter_add(shape, *axis, types[0], types[1]),
        Op::StopGradient => tensor(types[0], "stop_gradient").map(|()| types[0].clone()),
        Op::ScanSlice(id) => scan(graph, *id).and_then(|scan| moved::scan_slice(scan, types[0])),
        Op::Carry(id) if graph.carries.get(*id).is_none() => missing(id),
        Op::Carry(_) => tensor(types[0], "carry").map(|()| types[0].clone()),
        Op::ScanStack(id) => scan(graph, *id).and_then(|scan| moved::scan_stack(scan, types[0])),
    }
}

/// The scan of a number.
fn scan(graph: &Graph, id: ScanId) -> Result<&Scan, Mismatch> {
    graph.scans.get(id).ok_or_else(|| Mismatch::new(format!("there is no {id}")))
}

/// The type that the graph declares for something.
fn declared(ty: Option<&Type>, id: &dyn fmt::Display) -> Inferred {
    ty.cloned().map_or_else(|| missing(id), Ok)
}

fn missing(id: &dyn fmt::Display) -> Inferred {
    Err(Mismatch::new(format!("there is no {id}")))
}

/// The type of a constant, which must be what its type holds after rounding.
fn constant(value: f64, dtype: DType) -> Inferred {
    if round_to(value, dtype).to_bits() == value.to_bits() || value.is_nan() && is_float(dtype) {
        Ok(Type::scalar(dtype))
    } else {
        Err(Mismatch::new(format!("{value} is not a value of {dtype}")))
    }
}

fn is_float(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F64)
}

/// Checks the number of arguments.
fn count(types: &[&Type], wanted: usize, op: &Op) -> Result<(), Mismatch> {
    if types.len() == wanted {
        return Ok(());
    }
    let plural = if wanted == 1 { "" } else { "s" };
    let name = op.name();
    let found = types.len();
    Err(Mismatch::new(format!("`{name}` takes {wanted} argument{plural}, found {found}")))
}

/// Checks that an axis exists.
fn in_rank(axis: usize, shape: &Shape, name: &str) -> Result<(), Mismatch> {
    if axis < shape.rank() {
        return Ok(());
    }
    Err(Mismatch::new(format!("`{name}` along axis {axis} of {shape}, which has {}", axes(shape))))
}

/// `2 axes`, in words for a message.
fn axes(shape: &Shape) -> String {
    match shape.rank() {
        0 => "no axes".into(),
        1 => "1 axis".into(),
        rank => format!("{rank} axes"),
    }
}

/// Checks that an argument is not a uniform `f64`.
fn tensor(ty: &Type, name: &str) -> Result<(), Mismatch> {
    if ty.dtype == DType::F64 {
        return Err(Mismatch::new(format!("`{name}` takes a tensor, found an f64 scalar")));
    }
    Ok(())
}

/// Checks an argument's element type.
fn of_dtype(ty: &Type, wanted: &[DType], name: &str) -> Result<(), Mismatch> {
    if wanted.contains(&ty.dtype) {
        return Ok(());
    }
    let names: Vec<&str> = wanted.iter().map(|dtype| dtype.name()).collect();
    let mismatch = Mismatch::new(format!("`{name}` takes {}, found {ty}", names.join(" or ")));
    Err(if wanted.contains(&DType::F32) && ty.dtype != DType::F64 {
        mismatch.note("`cast(…, f32)` converts the elements")
    } else {
        mismatch
    })
}

#[cfg(test)]
mod tests;
