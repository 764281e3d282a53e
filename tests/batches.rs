//! The answer to a sample does not depend on the samples beside it, nor on how many there are: it has
//! the same bits in a batch of one and in one of many, in compiled code.
//!
//! `nnc serve` puts requests that come together into one step, `nnc predict` and what is exported
//! take any number of samples: all of them promise it.
//!
//! ```console
//! cargo test --release --test batches
//! NNC_FUZZ_CASES=5000 NNC_FUZZ_SEED=1000 cargo test --release --test batches
//! ```

mod support;

use std::ops::Range;

use nnc::base::rng::Sequence;
use nnc::base::step_output::StepOutput;
use nnc::base::tensor::Tensor;
use nnc::codegen::Target;
use nnc::graph::{Dim, Graph, Node, Op, Shape};
use nnc::pass::dce;
use rayon::prelude::*;
use support::engines::{Engine, Job, Tensors, targets};
use support::pipeline::experiment;
use support::random_program::random_program;

/// Batches that samples are answered in, as `serve` and `predict` make them.
const BATCHES: [usize; 5] = [2, 3, 8, 17, 32];

/// So many random programs are tried.
const CASES: u64 = 240;

/// Models of one input whose sums are long enough to be cut into parts: over each axis, over
/// several, of few columns and of many.
const MODELS: &[(&str, &str)] = &[
    ("64, 64", "mean(x, axis: 1)"),
    ("64, 64", "mean(x, axis: 2)"),
    ("64, 64", "mean(x, axis: [1, 2])"),
    ("64, 3", "sum(x, axis: 1)"),
    ("500, 5", "sum(x, axis: 1)"),
    ("70, 33", "max(x, axis: 1) + min(x, axis: 1)"),
    ("70, 33", "variance(x, axis: 1)"),
    ("70, 3", "variance(x, axis: 1)"),
    ("33, 17, 9", "variance(x, axis: [1, 2])"),
    ("20, 5000", "mean(x, axis: 1)"),
    ("40, 4100", "variance(x, axis: 1)"),
    ("16, 16, 8", "mean(x, axis: 1)"),
    ("16, 16, 8", "mean(x, axis: 2)"),
    ("16, 16, 8", "mean(x, axis: [1, 3])"),
    ("16, 16, 8", "sum(x * x, axis: [1, 2], keep: true) * x"),
    ("64, 64", "softmax(x, axis: 1)"),
    ("64, 64", "softmax(x)"),
    ("64, 64", "exp(x - max(x, axis: 1, keep: true))"),
    ("64, 64", "(x |> dense(32) |> gelu) |> mean(axis: 1) |> dense(5)"),
    ("64, 64", "x |> layer_norm |> dense(64) |> mean(axis: 1)"),
    ("64, 64", "x |> attention(4) |> mean(axis: 1)"),
    ("64, 64", "x |> attention(4, causal: true)"),
    ("64, 12", "x |> lstm(16)"),
    ("32, 32, 3", "x |> conv(8, 3) |> batch_norm |> relu |> global_avg_pool |> dense(10)"),
    ("32, 32, 3", "x |> conv(16, 3, stride: 2) |> relu |> mean(axis: [1, 2]) |> dense(10)"),
    ("32, 32, 8", "x |> group_norm(4) |> conv(8, 3, groups: 8) |> mean(axis: 1)"),
    ("32, 32, 8", "x |> layer_norm |> max_pool(2) |> flatten |> dense(7)"),
    ("32, 32, 8", "x |> squeeze_excite"),
    ("33, 33, 16", "x |> conv(24, 3) |> group_norm(4) |> relu |> mean(axis: [1, 2])"),
    ("64, 64, 16", "x |> conv(16, 3, groups: 16) |> relu |> squeeze_excite"),
    ("9, 9, 4", "transpose(variance(x, axis: [1, 2], keep: true), [0, 3, 1, 2])"),
    ("784", "x |> dense(128) |> relu |> dense(10) |> softmax"),
    ("4100", "x |> dense(3)"),
    ("300, 2", "cumulative(x)"),
];

/// Layers that [`MODELS`] call.
const LAYERS: &str = "
layer squeeze_excite(x: f32[N, H, W, C]) {
    let gate = x |> mean(axis: [1, 2]) |> dense(4) |> relu |> dense(C) |> sigmoid
    x * reshape(gate, [N, 1, 1, C])
}

layer cumulative(x: f32[N, T, C]) {
    reshape(cast(iota([T, T], axis: 1) <= iota([T, T], axis: 0), f32), [1, T, T]) @ x
}
";

/// The evaluation's graph, with the model's answer alone.
fn answer(mut graph: Graph) -> Graph {
    graph.outputs.retain(|output| output.name == StepOutput::Output);
    dce::run(&graph)
}

/// Some samples of a batch.
fn rows(batch: &Tensors, rows: Range<usize>) -> Tensors {
    let cut = |(name, tensor): (&String, &Tensor)| {
        let mut shape = tensor.shape.clone();
        let bytes = tensor.to_bytes();
        let size = bytes.len() / shape[0];
        shape[0] = rows.len();
        let own = &bytes[rows.start * size..rows.end * size];
        (name.clone(), Tensor::from_bytes(tensor.dtype(), shape, own))
    };
    batch.iter().map(cut).collect()
}

/// The answers to these samples, each as one axis.
fn answers(
    graph: &Graph,
    inputs: &Tensors,
    samples: Range<usize>,
    engine: Engine,
) -> Vec<Vec<f32>> {
    let (batch, inputs) = (samples.len(), rows(inputs, samples));
    let inputs = Box::new(move |_| inputs.clone());
    let job = Job { graph: graph.clone(), batch, seed: 5, given: Tensors::new(), inputs };
    let output = &engine.run(&job, 1).outputs["output"];
    output.chunks(output.len() / batch).map(<[f32]>::to_vec).collect()
}

/// Whether a sample's answer is its own: nothing is summed over samples, none is counted, and the
/// interpreter of graphs finds it so.
fn is_by_sample(graph: &Graph, inputs: &Tensors) -> bool {
    let is_batch = |shape: &Shape, axis: usize| shape[axis] == Dim::N;
    let mixes = |node: &Node| match &node.op {
        Op::Uniform { .. } => true,
        Op::Iota { axis, .. } => is_batch(&node.ty.shape, *axis),
        Op::Reduce(_, axes) | Op::Variance(axes) => {
            axes.iter().any(|&axis| is_batch(&graph.nodes[node.args[0]].ty.shape, axis))
        }
        _ => false,
    };
    if graph.nodes.values().any(mixes) {
        return false;
    }
    let alone = answers(graph, inputs, 0..1, Engine::Graph);
    [3, BATCHES[BATCHES.len() - 1]]
        .into_iter()
        .all(|batch| bits(&answers(graph, inputs, 0..batch, Engine::Graph)[0]) == bits(&alone[0]))
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The first answer whose bits depend on the batch.
fn difference(graph: &Graph, inputs: &Tensors, target: Target) -> Option<String> {
    let engine = Engine::Compiled(target, 2);
    let alone: Vec<Vec<f32>> =
        (0..3).map(|at| answers(graph, inputs, at..at + 1, engine).remove(0)).collect();
    BATCHES.iter().find_map(|&batch| {
        let together = answers(graph, inputs, 0..batch, engine);
        let differs = |&at: &usize| bits(&together[at]) != bits(&alone[at]);
        let at = (0..alone.len().min(batch)).find(differs)?;
        let pairs = together[at].iter().zip(&alone[at]);
        let count = pairs.filter(|(one, other)| one.to_bits() != other.to_bits()).count();
        let of = alone[at].len();
        Some(format!("{}: sample {at} of {batch}: {count} of {of} numbers", target.name()))
    })
}

/// The widest and the most general way to compile.
fn ends() -> Vec<Target> {
    let all: Vec<Target> = targets().collect();
    vec![all[0], all[all.len() - 1]]
}

#[test]
fn a_sample_has_the_bits_that_it_has_alone() {
    let wrong: Vec<String> = MODELS
        .par_iter()
        .filter_map(|(shape, body)| {
            let text = format!("{LAYERS}\nmodel net(x: f32[N, {shape}]) {{\n    {body}\n}}\n");
            let graph = answer(experiment(&text, Vec::new()).eval);
            let input = &graph.inputs.values().next().expect("one input").ty;
            let extents = input.shape.at(BATCHES[BATCHES.len() - 1]);
            let mut random = Sequence::new(3, 1);
            let values = (0..extents.iter().product()).map(|_| random.normal() as f32).collect();
            let inputs = Tensors::from([("x".to_owned(), Tensor::f32(extents, values))]);
            assert!(is_by_sample(&graph, &inputs), "{body}");
            let found = ends().into_iter().find_map(|it| difference(&graph, &inputs, it))?;
            Some(format!("[N, {shape}] {body}: {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a program was compared, or what differs.
fn compared(seed: u64) -> Result<bool, String> {
    let program = random_program(seed);
    let text = program.text();
    let graph = answer(experiment(&text, Vec::new()).eval);
    let inputs = program.env(&graph, BATCHES[BATCHES.len() - 1], seed).inputs;
    if !is_by_sample(&graph, &inputs) {
        return Ok(false);
    }
    match difference(&graph, &inputs, ends()[0]) {
        Some(found) => Err(format!("seed {seed}, {found}\n{text}")),
        None => Ok(true),
    }
}

#[test]
fn random_programs_give_a_sample_the_bits_that_it_has_alone() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let (first, count) =
        (number("NNC_FUZZ_SEED").unwrap_or(0), number("NNC_FUZZ_CASES").unwrap_or(CASES));
    let verdicts: Vec<Result<bool, String>> =
        (first..first + count).into_par_iter().map(compared).collect();
    let wrong: Vec<&String> =
        verdicts.iter().filter_map(|verdict| verdict.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{} of {count}, the first: {}", wrong.len(), wrong[0]);
    let compared = verdicts.iter().filter(|verdict| **verdict == Ok(true)).count();
    assert!(compared as u64 > count / 5, "{compared} of {count} programs answer by sample");
}
