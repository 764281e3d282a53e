//! Rules of what goes into scans and out of them.

use super::Site;
use crate::graph::{NodeId, Op};

/// The slices of a repeated value are the value: `slice(broadcast(x, [t, ..s])) = broadcast(x, s)`.
pub fn slice(site: &mut Site) -> Option<NodeId> {
    let repeated = site.of(site.arg(0));
    let (Op::Broadcast(_), &[x]) = (&repeated.op, &repeated.args[..]) else { return None };
    let shape = site.shape().clone();
    (site.of(x).ty.shape.rank() <= shape.rank()).then(|| site.emit.broadcast(x, &shape))
}

/// Slices that are stacked are the tensor that they come from: `stack(slice(x)) = x`, if a step of
/// the same scan has cut them.
pub fn stack(site: &mut Site) -> Option<NodeId> {
    let Op::ScanStack(scan) = site.node.op else { return None };
    let slice = site.of(site.arg(0));
    (slice.op == Op::ScanSlice(scan)).then(|| slice.args[0])
}
