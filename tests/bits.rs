//! The same bits, however a step is run: for any number of threads, on every target, on every
//! run, in compiled code and in the interpreter of loops.
//!
//! Weights and optimiser states after 200 steps on ever new batches are hashed and compared.

mod support;

use std::collections::BTreeMap;

use nnc::base::rng::{Sequence, hash_name};
use nnc::base::tensor::{DType, Data, Tensor};
use nnc::codegen::Target;
use nnc::graph::Graph;
use support::engines::{Job, Left, Tensors, compile, targets};
use support::pipeline::{experiment, mnist, training_with_gradients};

const STEPS: u64 = 200;
const THREADS: [usize; 5] = [1, 2, 3, 4, 8];

/// Odd sizes, random zeros, every kind of reduction and most elementary functions.
const ODD: &str = "
model net(x: f32[N, 37]) -> f32[N, 11] {
    x |> dense(53) |> layer_norm |> gelu |> dropout(0.3)
      |> dense(29) |> silu |> dense(31) |> tanh |> dropout(0.1)
      |> dense(19) |> layer_norm |> softplus |> dense(17) |> elu |> dense(11)
}

train net {
    loss      = cross_entropy(smoothing: 0.1)
    optimizer = adamw(lr: 0.003)
    metrics   = [accuracy]
}
";

/// A model on batches that differ from step to step. Labels are below `classes`.
fn job(graph: Graph, batch: usize, classes: u32) -> Job {
    let types: Vec<_> = graph.inputs.values().map(|i| (i.name.clone(), i.ty.clone())).collect();
    let inputs = move |step: u64| -> Tensors {
        let value = |(name, ty): &(String, nnc::graph::Type)| {
            let mut sequence = Sequence::new(step, hash_name(name));
            let shape = ty.shape.at(batch);
            let numbers = 0..shape.iter().product();
            let data = match ty.dtype {
                DType::F32 => Data::F32(numbers.map(|_: usize| sequence.normal() as f32).collect()),
                DType::U8 => Data::U8(numbers.map(|_| sequence.below(256) as u8).collect()),
                DType::I32 => Data::I32(numbers.map(|_| sequence.below(classes) as i32).collect()),
                other => panic!("{name} is {other}"),
            };
            (name.clone(), Tensor::new(shape, data))
        };
        types.iter().map(value).collect()
    };
    Job { graph, batch, seed: 5, given: Tensors::new(), inputs: Box::new(inputs) }
}

fn odd() -> Job {
    job(training_with_gradients(&experiment(ODD, Vec::new())), 13, 11)
}

/// The network of `models/mnist.nn`, as it is.
fn handwriting() -> Job {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/mnist.nn");
    let text = std::fs::read_to_string(path).expect("models/mnist.nn");
    let schemas = vec![("handwriting".to_string(), mnist())];
    job(training_with_gradients(&experiment(&text, schemas)), 32, 10)
}

/// A hash of all parameters and states, names included.
fn hash(kept: &BTreeMap<String, Vec<f32>>) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for (name, values) in kept {
        hasher.update(name.as_bytes());
        for value in values {
            hasher.update(&value.to_bits().to_le_bytes());
        }
    }
    hasher.finalize()
}

/// Runs a job on each target and number of threads, twice, and compares what is left.
fn same_everywhere(job: &Job, targets: impl Iterator<Item = Target>) {
    let lowered = job.lowered();
    let mut first: Option<(blake3::Hash, String)> = None;
    for target in targets {
        let program = compile(lowered.clone(), &target);
        for threads in THREADS {
            for run in ["first", "second"] {
                let left = job.execute(&program, STEPS, threads);
                let found = hash(&left.kept);
                let what = format!("{}, {threads} threads, {run} run", target.name());
                match &first {
                    None => {
                        trained(&left, job);
                        first = Some((found, what));
                    }
                    Some((expected, named)) => {
                        assert_eq!(found, *expected, "{what} differs from {named}");
                    }
                }
            }
        }
    }
    assert!(first.is_some(), "a processor without any target");
}

/// All numbers are finite and every parameter has moved.
fn trained(left: &Left, job: &Job) {
    let before = job.execute(&compile(job.lowered(), &Target::detect()), 0, 1);
    for (path, values) in &left.kept {
        assert!(values.iter().all(|value| value.is_finite()), "{path} after {STEPS} steps");
        assert_ne!(values, &before.kept[path], "{path} after {STEPS} steps");
    }
}

#[test]
fn odd_sizes_with_dropout() {
    same_everywhere(&odd(), targets());
}

#[test]
fn the_mnist_network() {
    // Without an instruction for it, a fused multiply-add is a call: the other test has that.
    same_everywhere(&handwriting(), targets().filter(|target| target.fma));
}

#[test]
fn the_interpreter_of_loops_gives_the_same_bits() {
    let job = odd();
    let lowered = job.lowered();
    let expected = job.interpret_loops(&lowered, 3, 3);
    for target in targets() {
        let program = compile(lowered.clone(), &target);
        let found = job.execute(&program, 3, 2);
        assert_eq!(found.outputs, expected.outputs, "{}", target.name());
        assert_eq!(hash(&found.kept), hash(&expected.kept), "{}", target.name());
    }
}

#[test]
fn another_seed_gives_other_bits() {
    let run = |seed| {
        let job = Job { seed, ..odd() };
        hash(&job.execute(&compile(job.lowered(), &Target::detect()), 2, 1).kept)
    };
    assert_ne!(run(1), run(2));
}
