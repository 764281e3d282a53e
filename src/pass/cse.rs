//! Common subexpression elimination: equal operators of equal arguments become one node.
//!
//! ```text
//! %2 = mul %0 %1                 %2 = mul %0 %1
//! %3 = mul %1 %0                 %3 = add %2 %2
//! %4 = add %2 %3
//! ```
//!
//! The first of equal nodes stays, with its origin. Arguments in another order count as equal
//! where the operator gives the same bits for both. Random numbers are equal only where they are
//! the same operator's (the same stream). It looks at structure only: `x + x` and `2·x` differ.

use crate::graph::{Graph, Node, NodeId, Op};
use crate::pass::Pass;
use crate::pass::rebuild::Rebuild;
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};

/// This pass.
pub const PASS: Pass<usize> =
    Pass { name: "cse", description: "computes equal values once", run: |graph, _| run(graph) };

/// The graph with equal nodes merged.
pub fn run(graph: &Graph) -> Graph {
    let (mut rebuild, nodes) = Rebuild::take(graph.clone());
    // New nodes by a hash of operator kind and arguments; equality is tested.
    let mut known: FxHashMap<u64, Vec<NodeId>> = FxHashMap::default();
    for (id, node) in nodes {
        let node = rebuild.renamed(node);
        let candidates = known.entry(hash(&node)).or_default();
        let nodes = &rebuild.emit.graph().nodes;
        let equal = candidates.iter().copied().find(|&known| same(&nodes[known], &node));
        match equal {
            Some(known) => rebuild.replace(id, known),
            None => candidates.push(rebuild.put(id, node)),
        }
    }
    rebuild.finish()
}

/// The two arguments, in one order, of an operator that does not care about it.
fn unordered(node: &Node) -> Option<[NodeId; 2]> {
    match (&node.op, &node.args[..]) {
        (Op::Binary(function), &[a, b]) if function.commutes() => Some([a.min(b), a.max(b)]),
        _ => None,
    }
}

fn hash(node: &Node) -> u64 {
    let mut hasher = FxHasher::default();
    std::mem::discriminant(&node.op).hash(&mut hasher);
    // What has no arguments differs by what it names.
    match node.op {
        Op::Input(id) => id.hash(&mut hasher),
        Op::Param(id) => id.hash(&mut hasher),
        Op::State(id) => id.hash(&mut hasher),
        Op::Hyper(id) => id.hash(&mut hasher),
        Op::Carry(id) => id.hash(&mut hasher),
        Op::ScanSlice(id) | Op::ScanStack(id) => id.hash(&mut hasher),
        Op::Const(value, _) => value.to_bits().hash(&mut hasher),
        Op::Uniform { stream, .. } => stream.hash(&mut hasher),
        _ => {}
    }
    node.ty.hash(&mut hasher);
    match unordered(node) {
        Some(args) => args[..].hash(&mut hasher),
        None => node.args[..].hash(&mut hasher),
    }
    hasher.finish()
}

fn same(a: &Node, b: &Node) -> bool {
    let same_args = match (unordered(a), unordered(b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a.args == b.args,
        (Some(_), None) | (None, Some(_)) => false,
    };
    same_args && a.ty == b.ty && same_op(&a.op, &b.op)
}

/// Whether two operators compute the same bits of the same arguments.
fn same_op(a: &Op, b: &Op) -> bool {
    match (a, b) {
        // 0 and −0 are equal numbers, not equal constants; NaN is an equal constant.
        (Op::Const(a, a_type), Op::Const(b, b_type)) => {
            a.to_bits() == b.to_bits() && a_type == b_type
        }
        (Op::Pad { amounts: a, value: a_value }, Op::Pad { amounts: b, value: b_value }) => {
            a == b && a_value.to_bits() == b_value.to_bits()
        }
        (a, b) => a == b,
    }
}
