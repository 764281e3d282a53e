//! Random graphs are sound, use every operator, keep their text form and their values tame.

mod support;

use std::collections::BTreeSet;

use nnc::base::tensor::Data;
use nnc::graph::{read, run, verify};
use support::random_graph::{RandomGraph, every_operator, random_graph};

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
    let all: BTreeSet<&str> = every_operator().collect();
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
