//! Fusion: a graph cut into kernels, so that few values are written to memory.
//!
//! ```text
//! %3 = matmul %0 %1       kernel0 contraction: %3 %5 %8 -> %8
//! %4 = broadcast %2
//! %5 = add %3 %4
//! %7 = gt %5 %6
//! %8 = where %7 %5 %6
//! %9 = reduce[max] %8     kernel1 rows: %9 %11 %12 %13 -> %12 %13
//! ```
//!
//! Takes a bound, simplified graph; gives the same graph (after [`prepare`]) and its kernels.
//! Nodes join the kernels of what they read ([`cluster`]) where one nest of loops can compute
//! both ([`Domain`](crate::graph::domain::Domain)) and where no value would have to leave the
//! kernel and come back. It says nothing about how a kernel is computed: that is lowering's.

mod cluster;
mod prepare;

use crate::graph::Graph;
use crate::graph::kernels::Kernels;
use crate::pass::Pass;

/// This pass.
pub const PASS: Pass = Pass { name: "fuse", description: "cuts the graph into kernels" };

/// The kernels of a graph.
pub fn run(graph: &Graph) -> Kernels {
    let graph = prepare::run(graph);
    let kernels = cluster::Clusters::new(&graph).run();
    Kernels { kernels, graph }
}
