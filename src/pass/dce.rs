//! Dead code elimination: nodes that no output and no update needs are dropped.
//!
//! ```text
//! %0 = input0                    %0 = input0
//! %1 = exp %0                    %1 = neg %0
//! %2 = neg %0                    output y = %1
//! output y = %2
//! ```
//!
//! The tables stay: an input, parameter, state or hyper-parameter that nothing reads is still
//! part of what the graph is called with and what is saved.

use crate::base::entity::Entity;
use crate::graph::Graph;
use crate::pass::Pass;
use crate::pass::rebuild::Rebuild;

/// This pass.
pub const PASS: Pass<usize> =
    Pass { name: "dce", description: "drops nodes that nothing needs", run: |graph, _| run(graph) };

/// The graph without nodes that nothing needs.
pub fn run(graph: &Graph) -> Graph {
    sweep(graph.clone())
}

/// The same of a graph that nobody else needs.
pub fn sweep(graph: Graph) -> Graph {
    let live = graph.live();
    if live.iter().all(|&live| live) {
        return graph;
    }
    let (mut rebuild, nodes) = Rebuild::take(graph);
    for (id, node) in nodes.into_iter().filter(|(id, _)| live[id.index()]) {
        let node = rebuild.renamed(node);
        rebuild.put(id, node);
    }
    rebuild.finish()
}
