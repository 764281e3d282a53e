//! Rules of pooling: the gradient of a max-pool needs neither the mask of the relu before it nor, for
//! its sum over the images, to be spread out.
//!
//! ```text
//! %3 = max_pool_index %r                  %3 = max_pool_index %r
//! %4 = max_pool_grad %3, %g               %4 = max_pool %r
//! %5 = where (gt %x, 0), %4, 0            %5 = where (gt %4, 0), %g, 0
//!                                         %6 = max_pool_grad %3, %5
//! ```
//!
//! Then nothing of the backward pass reads what was there before pooling.

use super::Site;
use crate::graph::{Binary, Node, NodeId, Op, Reduce};

/// `where(x > 0, max_pool_grad(max_pool_index(r), g), 0)`, where `r = where(x > 0, x, 0)`, becomes
/// `max_pool_grad(max_pool_index(r), where(max_pool(r) > 0, g, 0))`.
///
/// Exact: an index names one element of `r` that is the largest under its window (`r` holds no
/// NaN: `NaN > 0` is false), so that element's `x > 0` is the window's `max_pool(r) > 0`, and all
/// windows that name an element agree about it.
pub fn relu_before_max_pool(site: &mut Site) -> Option<NodeId> {
    if site.node.op != Op::Where {
        return None;
    }
    let (mask, spread, zero) = (site.arg(0), site.arg(1), site.arg(2));
    let Node { op: Op::MaxPoolGrad { window, .. }, args, .. } = site.of(spread).clone() else {
        return None;
    };
    let (index, g) = (args[0], args[1]);
    let Node { op: Op::MaxPoolIndex(named), args, .. } = site.of(index) else { return None };
    let relu = args[0];
    if *named != window || !is_relu(site, relu, mask) || site.emit.constant(zero) != Some(0.0) {
        return None;
    }
    let emit = &mut *site.emit;
    let pooled = emit.op(Op::MaxPool(window), &[relu]);
    let zero = emit.like(pooled, 0.0);
    let positive = emit.binary(Binary::Gt, pooled, zero);
    let masked = emit.select(positive, g, zero);
    let grad = emit.graph().nodes[spread].op.clone();
    Some(emit.op(grad, &[index, masked]))
}

/// Whether a value is `where(x > 0, x, 0)` by this mask.
fn is_relu(site: &Site, node: NodeId, mask: NodeId) -> bool {
    let relu = site.of(node);
    let test = site.of(mask);
    let zero = |node: NodeId| site.emit.constant(node) == Some(0.0);
    relu.op == Op::Where
        && relu.args[0] == mask
        && zero(relu.args[2])
        && test.op == Op::Binary(Binary::Gt)
        && test.args[0] == relu.args[1]
        && zero(test.args[1])
}

/// `Σ max_pool_grad(max_pool_index(x), g) → Σ g` over images, height and width: each `g` is added
/// in one place. The sum has another order.
pub fn sum_of_max_pool_grad(site: &mut Site) -> Option<NodeId> {
    let Op::Reduce(Reduce::Sum, axes) = &site.node.op else { return None };
    let Node { op: Op::MaxPoolGrad { window, .. }, args, .. } = site.of(site.arg(0)) else {
        return None;
    };
    // Any other index may name no place.
    if *axes != [0, 1, 2] || site.of(args[0]).op != Op::MaxPoolIndex(*window) {
        return None;
    }
    let g = args[1];
    Some(site.emit.sum(g, axes))
}
