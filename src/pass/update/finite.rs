//! Whether a step may write: its loss, the norm of its gradients and what its layers write are
//! finite.
//!
//! ```text
//! g0, g1                           %8 = sum (mul %g0 %g0) over all
//! running_mean <- %m               %11 = sum (where (lt (abs %m) inf) 0 1) over all
//!                                  finite = |loss| < inf and Σ %8 <= limit and Σ %11 = 0
//! ```
//!
//! `limit` is a hyper-parameter of the step, the largest `f32` as written. Gradients that are
//! clipped are squared times another, `scale`, so that their norm is known where the squares are
//! too large. Whether the optimiser's rule makes finite numbers of finite numbers is not tested
//! here.

use crate::base::tensor::DType;
use crate::graph::rule::{NORM_LIMIT, NORM_SCALE};
use crate::graph::{Binary, NodeId, Op, ParamId, Type, Unary, Update, UpdateTarget};
use crate::pass::emit::Emit;

/// The Euclidean norm of all gradients together.
pub(super) struct Norm {
    /// The sum of the squares of the gradients times `scale`.
    pub square: NodeId,
    /// Factor of gradients before they are squared, and 1 over that, where they are
    /// clipped.
    pub scale: Option<(NodeId, NodeId)>,
    /// The most that `square` may be.
    limit: NodeId,
}

impl Norm {
    /// Each parameter's own sum, added in their order.
    pub fn new(emit: &mut Emit, trained: &[(ParamId, NodeId)], clipped: bool) -> Norm {
        let limit = emit.builder.hyper(NORM_LIMIT, f64::from(f32::MAX));
        let limit = emit.cast(limit, DType::F32);
        let scale = clipped.then(|| {
            let scale = emit.builder.hyper(NORM_SCALE, 1.0);
            let one = emit.like(scale, 1.0);
            let inverse = emit.div(one, scale);
            (emit.cast(scale, DType::F32), emit.cast(inverse, DType::F32))
        });
        let mut total = None;
        for &(param, gradient) in trained {
            let origin = emit.graph().params[param].origin;
            emit.builder.set_origin(origin);
            let shape = emit.shape(gradient);
            let scaled = match scale {
                Some((scale, _)) => {
                    let factor = emit.broadcast(scale, &shape);
                    emit.mul(gradient, factor)
                }
                None => gradient,
            };
            let squares = emit.mul(scaled, scaled);
            let axes: Vec<usize> = (0..shape.rank()).collect();
            let sum = emit.sum(squares, &axes);
            total = Some(match total {
                None => sum,
                Some(total) => emit.add(total, sum),
            });
        }
        let square = total.unwrap_or_else(|| emit.splat(0.0, &Type::scalar(DType::F32)));
        Norm { square, scale, limit }
    }
}

/// Whether the loss, the gradients and these values are finite: `|x| < ∞`, which NaN fails too.
pub(super) fn finite(emit: &mut Emit, loss: NodeId, norm: &Norm, values: &[NodeId]) -> NodeId {
    emit.builder.set_origin(None);
    let loss = is_finite(emit, loss);
    let small = emit.binary(Binary::Le, norm.square, norm.limit);
    let mut all = emit.binary(Binary::And, loss, small);
    for &value in values {
        if emit.ty(value).dtype != DType::F32 {
            continue;
        }
        let origin = emit.graph().nodes[value].origin;
        emit.builder.set_origin(origin);
        let finite = is_finite(emit, value);
        let (zero, one) = (emit.like(value, 0.0), emit.like(value, 1.0));
        let wrong = emit.select(finite, zero, one);
        let axes: Vec<usize> = (0..emit.ty(value).shape.rank()).collect();
        let count = emit.sum(wrong, &axes);
        let none = emit.like(count, 0.0);
        let sound = emit.binary(Binary::Eq, count, none);
        all = emit.binary(Binary::And, all, sound);
    }
    all
}

fn is_finite(emit: &mut Emit, value: NodeId) -> NodeId {
    let size = emit.unary(Unary::Abs, value);
    let infinity = emit.like(value, f64::INFINITY);
    emit.binary(Binary::Lt, size, infinity)
}

/// A sum of weights to divide by: 1 where it is 0, since what is divided is 0 then.
pub(super) fn divisor(emit: &mut Emit, weights: NodeId) -> NodeId {
    let zero = emit.like(weights, 0.0);
    let one = emit.like(weights, 1.0);
    let any = emit.binary(Binary::Ne, weights, zero);
    emit.select(any, weights, one)
}

/// These updates, made to depend on `finite`.
pub(super) fn guarded(emit: &mut Emit, updates: &[Update], finite: NodeId) -> Vec<Update> {
    let mut guarded = Vec::new();
    for &Update { target, node } in updates {
        let origin = emit.graph().nodes[node].origin;
        emit.builder.set_origin(origin);
        let leaf = match target {
            UpdateTarget::Param(id) => Op::Param(id),
            UpdateTarget::State(id) => Op::State(id),
        };
        let old = emit.op(leaf, &[]);
        guarded.push(Update { target, node: guard(emit, finite, node, old) });
    }
    guarded
}

/// `where(finite, new, old)`
pub(super) fn guard(emit: &mut Emit, finite: NodeId, new: NodeId, old: NodeId) -> NodeId {
    let shape = emit.shape(old);
    let finite = emit.broadcast(finite, &shape);
    emit.select(finite, new, old)
}
