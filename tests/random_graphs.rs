//! Random graphs are sound, use every operator, keep their text form and their values tame.

mod support;

use std::collections::BTreeSet;

use nnc::base::tensor::Data;
use nnc::graph::{Reduce, Unary, read, run, verify};
use support::random_graph::{RandomGraph, random_graph};

const SEEDS: std::ops::Range<u64> = 0..400;

fn graphs() -> impl Iterator<Item = RandomGraph> {
    SEEDS.map(|seed| random_graph(seed, 12))
}

#[test]
fn they_verify_and_their_text_reads_back() {
    for RandomGraph { graph, .. } in graphs() {
        assert_eq!(verify(&graph), Ok(()), "{graph}");
        let text = graph.to_string();
        let again = read(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(again.to_string(), text);
        assert_eq!(again.nodes, graph.nodes, "{text}");
        assert_eq!(again.inputs, graph.inputs);
        assert_eq!(again.params, graph.params);
        assert_eq!(again.states, graph.states);
        assert_eq!(again.hypers, graph.hypers);
        assert_eq!((again.outputs, again.updates), (graph.outputs, graph.updates));
    }
}

#[test]
fn together_they_use_every_operator() {
    let used: BTreeSet<&str> = graphs()
        .flat_map(|random| random.graph.nodes.values().map(|n| n.op.name()).collect::<Vec<_>>())
        .collect();
    let functions = Unary::ALL.iter().map(|op| op.name());
    let reductions = Reduce::ALL.iter().map(|op| match op {
        Reduce::Sum => "reduce_sum",
        Reduce::Max => "reduce_max",
        Reduce::Min => "reduce_min",
    });
    let binary = nnc::graph::Binary::ALL.iter().map(|op| op.name());
    let others = [
        "input",
        "param",
        "state",
        "hyper",
        "step",
        "extent",
        "const",
        "iota",
        "uniform",
        "where",
        "cast",
        "broadcast",
        "reshape",
        "transpose",
        "slice",
        "concat",
        "pad",
        "argmax",
        "matmul",
        "variance",
        "conv",
        "conv_input_grad",
        "conv_weight_grad",
        "max_pool",
        "max_pool_index",
        "max_pool_grad",
        "sum_pool",
        "sum_pool_grad",
        "pick",
        "gather",
        "scatter_add",
        "stop_gradient",
    ];
    let all: BTreeSet<&str> = functions.chain(binary).chain(reductions).chain(others).collect();
    assert_eq!(used, all);
}

#[test]
fn they_run_at_any_batch_and_stay_tame() {
    for (seed, random) in SEEDS.zip(graphs()) {
        for batch in [1, 3, 4] {
            let outcome = run(&random.graph, batch, &random.env(batch, seed));
            let outcome = outcome.unwrap_or_else(|fault| panic!("{fault}\n{}", random.graph));
            for (name, tensor) in &outcome.outputs {
                let Data::F32(values) = &tensor.data else { panic!("{name} is not f32") };
                let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
                let finite = values.iter().all(|value| value.is_finite());
                assert!(finite && largest <= 1e3, "{name} reaches {largest}\n{}", random.graph);
            }
        }
    }
}
