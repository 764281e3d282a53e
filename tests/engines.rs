//! Every engine gives what the graph's interpreter gives.
//!
//! A graph is fused, lowered and run by each engine of [`ENGINES`]; outputs, parameters and states
//! after the step are compared. The loops' interpreter also proves that threads don't race and
//! that no buffer is read whose bytes another has taken.

#[path = "engines/check.rs"]
mod check;
mod support;

use check::compare;
use support::random_graph::random_graph;

#[test]
fn random_graphs_give_the_same_values() {
    for seed in 0..200 {
        let random = random_graph(seed, 10 + (seed as usize % 20));
        let batch = [1, 4, 17, 24][seed as usize % 4];
        compare(
            &format!("seed {seed} batch {batch}"),
            &random.graph,
            batch,
            &random.env(batch, seed),
        );
    }
}
