//! Attention: products whose results only other products need, after work on their rows, become
//! one kernel, so that the scores `[.., rows, columns]` are never written to memory.
//!
//! ```text
//! %3 = matmul transpose_b %q, %k     scores
//! %4 = mul %3, scale
//! %5 = reduce_max %4                 a value for each row
//! %7 = exp (sub %4, (broadcast %5))
//! %9 = matmul %7, %v                 reads scores, gives [.., rows, width]
//!
//! kernel attention: %3 %4 %5 … %7 %9 -> %9, %5
//! ```
//!
//! Takes a prepared graph; gives it with the nodes of each such kernel side by side, and these
//! kernels. Nothing is asked about how attention is written: scales, masks, biases, random numbers
//! are element-wise work like any other. What is found:
//!
//! - **Sets of scores** ([`scores`]): products of one shape and the element-wise work that ties
//!   them together, forward and backward.
//! - **Stages** ([`stages`]): what of a set must be known before the products of a later stage can
//!   be: the backward pass of attention reads what the forward pass has led to. A stage computes
//!   again what it needs of the scores of an earlier one, but loads values of rows (the largest,
//!   the sum), which are few.
//! - **An order** ([`order`]) in which each kernel's nodes are neighbours.
//!
//! Where a set does not fit, its nodes are fused as all others are. Graphs with scans are left
//! alone, and so are small scores, which stay in a cache anyway.

mod order;
mod scores;
mod stages;

use crate::graph::{BoundGraph, NodeId};

/// A graph and its attention.
pub struct Attention {
    /// The graph, reordered; some nodes are there more than once.
    pub graph: BoundGraph,
    /// The nodes of each kernel, views aside; neighbours, in order.
    pub kernels: Vec<Vec<NodeId>>,
}

/// The nodes of a kernel to be.
pub struct AttentionGroup {
    /// All of them, in order.
    nodes: Vec<NodeId>,
    /// Those that are computed here and, where others need them, again elsewhere.
    copied: Vec<NodeId>,
}

/// Finds the attention of a graph.
pub fn run(graph: BoundGraph) -> Attention {
    let mut groups: Vec<AttentionGroup> = Vec::new();
    if graph.scans.is_empty() {
        let sets = scores::find(&graph);
        sets.iter().for_each(|set| groups.extend(stages::groups(&graph, set)));
    }
    while !groups.is_empty() {
        if let Some(attention) = order::run(&graph, &groups) {
            return attention;
        }
        // Two kernels would wait for one another.
        groups.pop();
    }
    Attention { graph, kernels: Vec::new() }
}
