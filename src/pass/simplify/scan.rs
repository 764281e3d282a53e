//! Rules of what goes into scans and out of them.

use super::Site;
use crate::graph::{Graph, NodeId, Op, ScanId};
use rustc_hash::FxHashSet;

/// The slices of a repeated value are the value: `slice(broadcast(x, [t, ..s])) = broadcast(x, s)`.
pub fn slice(site: &mut Site) -> Option<NodeId> {
    let repeated = site.of(site.arg(0));
    let (Op::Broadcast(_), &[x]) = (&repeated.op, &repeated.args[..]) else { return None };
    let shape = site.shape().clone();
    (site.of(x).ty.shape.rank() <= shape.rank()).then(|| site.emit.broadcast(x, &shape))
}

/// Slices that are stacked are the tensor that they come from: `stack(slice(x)) = x`, if a step of
/// the same scan has cut them. What no step computes is repeated: `stack(x) = broadcast(x, [t, ..s])`.
pub fn stack(site: &mut Site) -> Option<NodeId> {
    let Op::ScanStack(scan) = site.node.op else { return None };
    let value = site.arg(0);
    let slice = site.of(value);
    if slice.op == Op::ScanSlice(scan) {
        return Some(slice.args[0]);
    }
    let shape = site.shape().clone();
    (!is_of_step(site.emit.graph(), scan, value)).then(|| site.emit.broadcast(value, &shape))
}

/// Whether a value depends on a step of a scan.
fn is_of_step(graph: &Graph, scan: ScanId, value: NodeId) -> bool {
    let (mut seen, mut left) = (FxHashSet::default(), vec![value]);
    while let Some(node) = left.pop() {
        match graph.nodes[node].op {
            Op::ScanSlice(own) if own == scan => return true,
            Op::Carry(carry) if graph.carries[carry].scan == scan => return true,
            // What leaves a scan, or goes into another, is of no step of this one.
            Op::ScanStack(_) | Op::ScanSlice(_) | Op::Carry(_) => {}
            _ if seen.insert(node) => left.extend(&graph.nodes[node].args),
            _ => {}
        }
    }
    false
}
