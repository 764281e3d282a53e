//! Attention becomes one kernel for each direction, however it is written: no scores in memory, the
//! bits of a kernel for each operator, memory that grows with the length and not with its square.

mod support;

use std::process::Command;

use nnc::base::rng::{Sequence, hash_name};
use nnc::base::tensor::{DType, Data, Tensor};
use nnc::driver::{Request, Session};
use nnc::graph::Graph;
use nnc::graph::kernels::{FusedKernel, KernelKind};
use nnc::loops::work::operations;
use nnc::loops::{Program, Space};
use nnc::schedule::Globals;
use support::compare::assert_close;
use support::engines::{Engine, Job, Tensors, compile, targets};
use support::pipeline::{experiment, lowered, lowered_apart, training, training_with_gradients};

/// More than a block of rows, and no multiple of one.
const LENGTH: usize = 70;
const MEMORY: usize = 50;
const BATCH: usize = 3;

/// Ways to write attention of queries `q`, keys `k` and values `v`, each `[N, T, 8]`.
const WAYS: [(&str, &str); 15] = [
    ("scaled scores", "softmax(q @ transpose(k) * 0.35) @ v"),
    ("scaled queries", "softmax((q * 0.35) @ transpose(k)) @ v"),
    ("scaled keys", "softmax(q @ transpose(k * 0.35)) @ v"),
    ("divided scores", "softmax(q @ transpose(k) / 2.8) @ v"),
    (
        "causal",
        "softmax(where(iota([T, T], axis: 1) <= iota([T, T], axis: 0), q @ transpose(k), -1e30)) @ v",
    ),
    (
        "an added mask",
        "softmax(q @ transpose(k) + where(iota([T, T], axis: 1) > iota([T, T], axis: 0), -1e9, 0.0)) @ v",
    ),
    (
        "padding",
        "softmax(where(reshape(x[:, :, 0] > -1.5, [N, 1, T]), q @ transpose(k), -1e30)) @ v",
    ),
    ("dropout", "dropout(softmax(q @ transpose(k) * 0.35), 0.3) @ v"),
    (
        "a bias of distances",
        "softmax(q @ transpose(k) - 0.1 * abs(cast(iota([T, T], axis: 0) - iota([T, T], axis: 1), f32))) @ v",
    ),
    (
        "by hand",
        "(exp(q @ transpose(k) * 0.2) / sum(exp(q @ transpose(k) * 0.2), axis: -1, keep: true)) @ v",
    ),
    (
        "divided at last",
        "(exp(q @ transpose(k) * 0.2) @ v) / sum(exp(q @ transpose(k) * 0.2), axis: -1, keep: true)",
    ),
    (
        "heads",
        "join_heads(dot_attention(split_heads(q, 2), split_heads(k, 2), split_heads(v, 2), causal: true))",
    ),
    (
        "causal and padding",
        "softmax(where(iota([T, T], axis: 1) <= iota([T, T], axis: 0), where(reshape(x[:, :, 0] > -0.5, [N, 1, T]), q @ transpose(k), -1e30), -1e30)) @ v",
    ),
    ("no softmax", "(tanh(q @ transpose(k)) * 0.1) @ v"),
    (
        "memory",
        "dot_attention(q, memory |> dense(8) as other_key, memory |> dense(8) as other_value)",
    ),
];

fn program(length: usize, way: &str) -> String {
    let text = format!(
        "model net(x: f32[N, {length}, 8], memory: f32[N, {MEMORY}, 6]) -> f32[N, {length}, 8] {{
    let q = x |> dense(8) as query
    let k = x |> dense(8) as key
    let v = x |> dense(8) as value
    ({way}) + 0.001 * mean(memory)
}}
train net {{
    loss = mse
    optimizer = sgd(lr: 0.1)
}}
"
    );
    text.replace("[T, T]", &format!("[{length}, {length}]"))
        .replace("[N, 1, T]", &format!("[N, 1, {length}]"))
}

/// A step on random numbers.
fn job(graph: Graph, batch: usize) -> Job {
    let types: Vec<_> = graph.inputs.values().map(|i| (i.name.clone(), i.ty.clone())).collect();
    let inputs = move |step: u64| -> Tensors {
        let value = |(name, ty): &(String, nnc::graph::Type)| {
            let mut sequence = Sequence::new(step, hash_name(name));
            let shape = ty.shape.at(batch);
            let count: usize = shape.iter().product();
            assert_eq!(ty.dtype, DType::F32, "{name}");
            let data = Data::F32((0..count).map(|_| sequence.normal() as f32).collect());
            (name.clone(), Tensor::new(shape, data))
        };
        types.iter().map(value).collect()
    };
    Job { graph, batch, seed: 5, given: Tensors::new(), inputs: Box::new(inputs) }
}

/// The elements of the largest buffer that all threads share, or that each has.
fn largest(program: &Program) -> usize {
    let own = program.buffers.values().filter(|buffer| buffer.space != Space::Global);
    own.map(|buffer| buffer.len).max().unwrap_or(0)
}

#[test]
fn however_it_is_written_no_scores_are_in_memory() {
    for (name, way) in WAYS {
        let graph = training(&experiment(&program(LENGTH, way), Vec::new()));
        let (kernels, lowered) = lowered(&graph, BATCH, &mut Globals::default());
        let text = || nnc::graph::print::print_kernels(&kernels, None);
        let attention = kernels.kernels.values();
        let attention = attention.filter(|kernel| kernel.kind == KernelKind::Attention).count();
        assert_eq!(attention, 2, "{name}: one forward, one back\n{}", text());
        let columns = if name == "memory" { MEMORY } else { LENGTH };
        let scores = BATCH * LENGTH * columns;
        assert!(largest(&lowered.program) < scores, "{name}\n{}", text());
    }
}

#[test]
fn the_bits_are_those_of_a_kernel_for_each_operator_on_any_number_of_threads_and_target() {
    for (name, way) in WAYS {
        let graph = training_with_gradients(&experiment(&program(LENGTH, way), Vec::new()));
        let job = job(graph, BATCH);
        let program = job.lowered();
        let want = job.interpret_loops(&program, 1, 1);
        let (_, apart) = lowered_apart(&job.graph, BATCH, &mut Globals::default());
        assert!(job.interpret_loops(&apart.program, 1, 1) == want, "{name}: apart");
        assert!(job.interpret_loops(&program, 1, 3) == want, "{name}: three threads");
        for target in targets() {
            let compiled = compile(job.lowered(), &target);
            for threads in [1, 2, 3, 4, 7] {
                let got = job.execute(&compiled, 1, threads);
                assert!(got == want, "{name}: {} on {threads} threads", target.name());
            }
        }
    }
}

#[test]
fn the_interpreter_of_graphs_agrees() {
    for (name, way) in WAYS {
        let graph = training_with_gradients(&experiment(&program(LENGTH, way), Vec::new()));
        let job = job(graph, BATCH);
        let (want, got) = (Engine::Graph.run(&job, 1), Engine::Loops(2).run(&job, 1));
        for (output, want) in &want.outputs {
            assert_close(&got.outputs[output], want, &format!("{name}: {output}"));
        }
    }
}

/// Lengths around blocks and vectors; one position, whose scores are one number.
#[test]
fn any_length_and_batch_is_right() {
    let way = "softmax(where(iota([T, T], axis: 1) <= iota([T, T], axis: 0), q @ transpose(k), -1e30)) @ v";
    for (length, batch) in [(1, 2), (2, 3), (31, 2), (32, 1), (33, 2), (64, 1), (65, 5), (129, 2)] {
        let graph = training_with_gradients(&experiment(&program(length, way), Vec::new()));
        let job = job(graph, batch);
        let (want, got) = (Engine::Graph.run(&job, 1), Engine::Loops(3).run(&job, 1));
        let (_, apart) = lowered_apart(&job.graph, batch, &mut Globals::default());
        assert!(job.interpret_loops(&apart.program, 1, 2) == got, "{length}, batch {batch}");
        for (output, want) in &want.outputs {
            assert_close(&got.outputs[output], want, &format!("{length}, {batch}: {output}"));
        }
    }
}

/// Keys behind the last query are hidden from all: their gradients are zeros, and written.
#[test]
fn causal_scores_of_more_keys_than_queries_are_right() {
    let way = "softmax(where(iota([T, M], axis: 1) <= iota([T, M], axis: 0), \
        q @ transpose(memory |> dense(8)), -1e30)) @ (memory |> dense(8))";
    for (length, batch) in [(32, 1), (32, 2), (33, 3), (49, 2)] {
        let way = way.replace("[T, M]", &format!("[{length}, {MEMORY}]"));
        let graph = training_with_gradients(&experiment(&program(length, &way), Vec::new()));
        let job = job(graph, batch);
        let (want, got) = (Engine::Graph.run(&job, 1), Engine::Loops(2).run(&job, 1));
        for (output, want) in &want.outputs {
            assert_close(&got.outputs[output], want, &format!("{length}, {batch}: {output}"));
        }
        for target in targets() {
            let compiled = compile(job.lowered(), &target);
            assert!(job.execute(&compiled, 1, 2) == got, "{length}, {batch}: {}", target.name());
        }
    }
}

/// Some attention: work on scores in any order, then some weights of the values.
fn random_way(random: &mut Sequence, length: usize) -> String {
    const WORK: [&str; 10] = [
        "($ * 0.3)",
        "where(iota([T, T], axis: 1) <= iota([T, T], axis: 0), $, -1e30)",
        "where(iota([T, T], axis: 0) < iota([T, T], axis: 1), -1e30, $)",
        "where(reshape(x[:, :, 0] > -1.0, [N, 1, T]), $, -1e30)",
        "($ - 0.1 * abs(cast(iota([T, T], axis: 0) - iota([T, T], axis: 1), f32)))",
        "tanh($ * 0.1)",
        "max($, 0.1 * $)",
        "($ - mean($, axis: -1, keep: true))",
        "($ + reshape(x[:, :, 1], [N, 1, T]))",
        "dropout($, 0.2)",
    ];
    const WEIGHTS: [&str; 5] = [
        "softmax($)",
        "softmax($)",
        "dropout(softmax($), 0.3)",
        "tanh(0.01 * $)",
        "($ / (1 + sum(abs($), axis: -1, keep: true)))",
    ];
    let mut scores = "q @ transpose(k)".to_owned();
    for _ in 0..1 + random.below(3) {
        let work = WORK[random.below(WORK.len() as u32) as usize];
        scores = work.replace('$', &format!("({scores})"));
    }
    let weights = WEIGHTS[random.below(WEIGHTS.len() as u32) as usize];
    let way = format!("{} @ v", weights.replace('$', &format!("({scores})")));
    way.replace("[N, 1, T]", &format!("[N, 1, {length}]"))
}

#[test]
fn random_work_on_scores_has_the_bits_of_a_kernel_for_each_operator() {
    let mut attention = 0;
    for case in 0..24 {
        let mut random = Sequence::new(17, case);
        let (length, batch) = (32 + random.below(60) as usize, 1 + random.below(4) as usize);
        let way = random_way(&mut random, length);
        let graph = training_with_gradients(&experiment(&program(length, &way), Vec::new()));
        let job = job(graph, batch);
        let (kernels, own) = lowered(&job.graph, batch, &mut Globals::default());
        let is_attention = |kernel: &&FusedKernel| kernel.kind == KernelKind::Attention;
        attention += kernels.kernels.values().filter(is_attention).count();
        let target = targets().next().expect("the portable one");
        let got = job.execute(&compile(own.program, &target), 1, 3);
        let (_, apart) = lowered_apart(&job.graph, batch, &mut Globals::default());
        let apart = job.execute(&compile(apart.program, &target), 1, 1);
        assert!(got == apart, "case {case}: length {length}, batch {batch}: {way}");
        let want = Engine::Graph.run(&job, 1);
        let (got, want) = (&got.outputs["output"], &want.outputs["output"]);
        assert_close(got, want, &format!("case {case}: length {length}, batch {batch}: {way}"));
    }
    assert!(attention > 30, "{attention} kernels of attention");
}

/// The products of the kernels of attention, for a sequence of 256 positions.
fn products(way: &str) -> u64 {
    let graph = training(&experiment(&program(256, way), Vec::new()));
    let (_, lowered) = lowered(&graph, 2, &mut Globals::default());
    let kernels = lowered.program.kernels.values();
    let attention = kernels.filter(|kernel| kernel.name.ends_with("scores"));
    attention.map(|kernel| operations(kernel).contraction / 2).sum()
}

#[test]
fn scores_behind_the_diagonal_are_left_out_where_nothing_depends_on_them() {
    let scores = "q @ transpose(k) * 0.35";
    let mask = "iota([T, T], axis: 1) <= iota([T, T], axis: 0)";
    let all = products(&format!("softmax({scores}) @ v"));
    let causal = products(&format!("softmax(where({mask}, {scores}, -1e30)) @ v"));
    let turned = mask.replace("<=", ">");
    let turned = products(&format!("softmax(where({turned}, -1e30, {scores})) @ v"));
    assert_eq!(all, 7 * 2 * 256 * 256 * 8, "two products forward, five back");
    assert_eq!((causal, turned), (all * 5 / 8, all * 5 / 8), "of four blocks a row 1 to 4");
    // A row of which padding hides all that it might see has the mean of everything.
    let padded = format!("where(reshape(x[:, :, 0] > -1.5, [N, 1, T]), {scores}, -1e30)");
    let padded = padded.replace("[N, 1, T]", "[N, 1, 256]");
    assert_eq!(products(&format!("softmax(where({mask}, {padded}, -1e30)) @ v")), all);
    // A mask that is not low enough, and one of the diagonal before.
    assert_eq!(products(&format!("softmax(where({mask}, {scores}, -10)) @ v")), all);
    let earlier = mask.replace("<=", ">=");
    assert_eq!(products(&format!("softmax(where({earlier}, {scores}, -1e30)) @ v")), all);
}

/// Probabilities that are outputs, and scores that a gradient sums over the batch, lie in memory.
#[test]
fn scores_that_others_need_are_written_all_the_same() {
    let ways = [
        (
            "shown",
            "let p = softmax(q @ transpose(k))\n    (p @ v) + mean(p[:, :, 0:8] * p[:, :, 8:16])",
        ),
        ("a learnt bias", "softmax(q @ transpose(k) + (x |> learnt)) @ v"),
    ];
    for (name, way) in ways {
        let body = match way.split_once('\n') {
            Some((first, rest)) => format!("    {first}\n    {}", rest.trim()),
            None => format!("    {way}"),
        };
        let text = format!(
            "layer learnt(x: f32[N, T, D]) -> f32[T, T] {{
    param weight: f32[T, T] = normal(std: 0.1)
    weight
}}
model net(x: f32[N, {LENGTH}, 8]) -> f32[N, {LENGTH}, 8] {{
    let q = x |> dense(8) as query
    let k = x |> dense(8) as key
    let v = x |> dense(8) as value
{body}
}}
train net {{
    loss = mse
    optimizer = sgd(lr: 0.1)
}}
"
        );
        let job = job(training_with_gradients(&experiment(&text, Vec::new())), BATCH);
        let (want, got) = (Engine::Graph.run(&job, 1), Engine::Loops(2).run(&job, 1));
        let (_, apart) = lowered_apart(&job.graph, BATCH, &mut Globals::default());
        assert!(job.interpret_loops(&apart.program, 1, 2) == got, "{name}");
        for (output, want) in &want.outputs {
            assert_close(&got.outputs[output], want, &format!("{name}: {output}"));
        }
    }
}

/// Bytes of a step that depend on its length: all but parameters.
fn step_bytes(length: usize) -> usize {
    let text = format!(
        "layer block(x: f32[N, T, D], heads: int) -> f32[N, T, D] {{
    let y = x + (x |> layer_norm |> attention(heads, causal: true))
    y + (y |> layer_norm |> dense(4 * D) |> gelu |> dense(D))
}}
model gpt(x: f32[N, {length}, 16]) -> f32[N, {length}, 16] {{
    x |> positions |> repeat 2 {{ block(4) }} |> layer_norm |> dense(16)
}}
train gpt {{
    loss      = mse
    optimizer = adamw
}}
"
    );
    let graph = training(&experiment(&text, Vec::new()));
    let (_, lowered) = lowered(&graph, 2, &mut Globals::default());
    let end = |space: Space| {
        let own = lowered.program.buffers.values().filter(move |buffer| buffer.space == space);
        own.filter_map(|it| Some(it.offset? + it.len * it.dtype.size())).max().unwrap_or(0)
    };
    end(Space::Scratch).max(end(Space::Pinned)) + end(Space::Thread)
}

#[test]
fn the_memory_of_a_step_grows_with_the_length_and_not_with_its_square() {
    let (short, long) = (step_bytes(512), step_bytes(1024));
    assert!(long * 10 <= short * 22, "{short} bytes at 512, {long} at 1024");
}

/// A step of the vision transformer, parameters and states included.
#[test]
fn a_vision_transformer_is_trained_in_less_than_400_mb() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/models/vit_small.nn");
    let mut session = Session::new(None);
    let front = session.front(&Request::new(file), false).expect("a good program");
    let graph = session.training_graph(front.experiment).expect("a training step");
    let (_, lowered) = lowered(&graph, 64, &mut Globals::default());
    let own = lowered.program.buffers.values().filter(|buffer| buffer.space != Space::Thread);
    let end = |global: bool| {
        let own = own.clone().filter(|buffer| (buffer.space == Space::Global) == global);
        own.filter_map(|it| Some(it.offset? + it.len * it.dtype.size())).max().unwrap_or(0)
    };
    let bytes = end(true) + end(false);
    assert!(bytes <= 400_000_000, "{bytes} bytes");
}

#[test]
fn all_of_verify_passes_with_dropout_masks_and_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("net.nn");
    let text = "model net(x: f32[N, 40, 8], memory: f32[N, 36, 6]) -> f32[N, 40, 3] {
    let seen = x[:, :, 0] > -0.5
    let p = softmax(where(reshape(seen, [N, 1, 40]), x @ transpose(x) * 0.3, -1e30))
    (dropout(p, 0.2) @ x)
        |> attention(2, causal: true, mask: seen)
        |> cross_attention(memory, 4, bias: false)
        |> dense(3)
}
train net {
    loss = cross_entropy
}
";
    std::fs::write(&file, text).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_nnc")).arg("verify").arg(&file).output();
    let output = output.expect("nnc runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let problems = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}{problems}");
    assert!(said.contains("all checks passed"), "{said}");
}
