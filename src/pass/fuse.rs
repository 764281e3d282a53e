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
//! Attention is found first ([`attention`]), since its kernels compute some nodes again. All other
//! nodes join the kernels of what they read ([`cluster`]) where one nest of loops can compute
//! both ([`Domain`](crate::graph::domain::Domain)) and where no value would have to leave the
//! kernel and come back. It says nothing about how a kernel is computed: that is lowering's.

mod attention;
mod cluster;
mod derived;
mod prepare;
mod rematerialize;
mod sink;

use crate::base::entity::Entity;
use crate::graph::Graph;
use crate::graph::kernels::Kernels;
use crate::pass::{Fusion, Pass};
use attention::Attention;
use cluster::Clusters;
use std::collections::BTreeSet;

/// This pass.
pub const PASS: Pass<Fusion, Kernels> = Pass {
    name: "fuse",
    description: "cuts the graph into kernels",
    run: |graph, fusion| match fusion {
        Fusion::Full => run(graph),
        Fusion::Off => unfused(graph),
    },
};

/// How often clusters are grown anew, so that their readers compute cheap results.
const MOST_ROUNDS: usize = 3;

/// Each operator as a kernel of its own: what fusion is compared with.
pub fn unfused(graph: &Graph) -> Kernels {
    let graph = prepare::run(graph);
    let rematerialized = rematerialize::run(&graph);
    let mut clusters = Clusters::new(&graph, &rematerialized, &[]);
    clusters.keep_apart();
    Kernels { kernels: clusters.kernels(), graph }
}

/// The kernels of a graph.
pub fn run(graph: &Graph) -> Kernels {
    let Attention { graph, kernels: attention } = attention::run(prepare::run(graph));
    let mut rematerialized = rematerialize::run(&graph);
    let mut rounds = 0;
    let kernels = loop {
        let mut clusters = Clusters::new(&graph, &rematerialized, &attention);
        clusters.grow();
        let sinkable = if rounds < MOST_ROUNDS { clusters.sinkable() } else { BTreeSet::new() };
        if sinkable.is_empty() {
            break clusters.kernels();
        }
        sinkable.into_iter().for_each(|node| rematerialized[node.index()] = true);
        rounds += 1;
    };
    Kernels { kernels, graph }
}
