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

use crate::graph::{Binary, Graph, Node, NodeId, Op};
use crate::pass::Pass;
use crate::pass::rebuild::Rebuild;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// This pass.
pub const PASS: Pass = Pass { name: "cse", description: "computes equal values once" };

/// The graph with equal nodes merged.
pub fn run(graph: &Graph) -> Graph {
    let mut rebuild = Rebuild::new(graph);
    // New nodes by a hash of operator kind and arguments; equality is tested.
    let mut known: HashMap<u64, Vec<NodeId>> = HashMap::new();
    for id in graph.nodes.keys() {
        let node = rebuild.renamed(id);
        let candidates = known.entry(hash(&node)).or_default();
        let nodes = &rebuild.emit.graph().nodes;
        let equal = candidates.iter().copied().find(|&known| same(&nodes[known], &node));
        match equal {
            Some(known) => rebuild.replace(id, known),
            None => candidates.push(rebuild.keep(id)),
        }
    }
    rebuild.finish()
}

/// The arguments, in one order where the operator does not care.
fn ordered(node: &Node) -> Vec<NodeId> {
    let mut args = node.args.clone();
    if let Op::Binary(
        Binary::Add | Binary::Mul | Binary::Eq | Binary::Ne | Binary::And | Binary::Or,
    ) = node.op
    {
        args.sort_unstable();
    }
    args
}

fn hash(node: &Node) -> u64 {
    let mut hasher = DefaultHasher::new();
    std::mem::discriminant(&node.op).hash(&mut hasher);
    node.ty.hash(&mut hasher);
    ordered(node).hash(&mut hasher);
    hasher.finish()
}

fn same(a: &Node, b: &Node) -> bool {
    a.ty == b.ty && same_op(&a.op, &b.op) && ordered(a) == ordered(b)
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
