//! Rules of sums: what is the same along the summed axes is taken out of them.
//!
//! ```text
//! %2 = broadcast %1 : [32, 8]          %2 = reduce_sum [0] %0 : [8]
//! %3 = mul %0, %2                      %3 = mul %2, %1
//! %4 = reduce_sum [0] %3 : [8]
//! ```
//!
//! The gradient of a batch norm's mean is such a sum: without the factor it is the sum that the
//! bias needs anyway. Where what is summed has other uses, the factor moves only if the plain sum
//! is known already: otherwise there would be two values to read instead of one. The values are
//! those of another order of roundings; see the [module above](super).

use super::Site;
use crate::base::tensor::DType;
use crate::graph::{Binary, Dim, Node, NodeId, Op, Reduce, Unary};

/// `Σ c·x → c·Σ x`, `Σ x/c → Σ x / c`, `Σ −x → −Σ x`, for a `c` that is the same along the axes.
pub fn factor(site: &mut Site) -> Option<NodeId> {
    let Op::Reduce(Reduce::Sum, axes) = &site.node.op else { return None };
    if site.ty().dtype != DType::F32 {
        return None;
    }
    let product = site.arg(0);
    let Node { op, args, .. } = site.of(product);
    match op {
        Op::Unary(Unary::Neg) => {
            let x = args[0];
            if !worth(site, product, x, axes) {
                return None;
            }
            let sum = site.emit.sum(x, axes);
            Some(site.emit.neg(sum))
        }
        &Op::Binary(function @ (Binary::Mul | Binary::Div)) => {
            let (x, c) = match constant_along(site, args[1], axes) {
                true => (args[0], args[1]),
                false if function == Binary::Mul && constant_along(site, args[0], axes) => {
                    (args[1], args[0])
                }
                false => return None,
            };
            if !worth(site, product, x, axes) {
                return None;
            }
            let c = without(site, c, axes);
            let sum = site.emit.sum(x, axes);
            Some(site.emit.binary(function, sum, c))
        }
        _ => None,
    }
}

/// Whether the plain sum costs nothing that is not there already.
fn worth(site: &mut Site, product: NodeId, x: NodeId, axes: &[usize]) -> bool {
    if site.only_use(product) {
        return true;
    }
    let graph = site.emit.graph();
    site.sums
        .of(graph, x)
        .iter()
        .any(|&sum| matches!(&graph.nodes[sum].op, Op::Reduce(Reduce::Sum, known) if known == axes))
}

/// Whether a value is a broadcast that repeats along these axes.
fn constant_along(site: &Site, node: NodeId, axes: &[usize]) -> bool {
    let Node { op: Op::Broadcast(shape), args, .. } = site.of(node) else { return false };
    let inner = &site.of(args[0]).ty.shape;
    let added = shape.rank() - inner.rank();
    axes.iter().all(|&axis| axis < added || inner[axis - added] == Dim::Known(1))
}

/// A broadcast value that is constant along axes, without these.
fn without(site: &mut Site, node: NodeId, axes: &[usize]) -> NodeId {
    let Node { args, ty, .. } = site.of(node).clone();
    let inner = site.of(args[0]).ty.shape.clone();
    let added = ty.shape.rank() - inner.rank();
    let kept = (added..ty.shape.rank()).filter(|axis| !axes.contains(axis));
    let dims: Vec<Dim> = kept.map(|axis| inner[axis - added]).collect();
    let c = site.emit.reshape(args[0], &dims.into());
    let shape = site.shape().clone();
    site.emit.broadcast(c, &shape)
}
