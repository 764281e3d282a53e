//! Gradients of embeddings: only the rows that a batch uses are written and read, and the results
//! have the bits of the table that is written as a whole, in every engine.
//!
//! A step that shows its gradients writes the whole table, since it is an output: what the other
//! is compared with.

mod support;

use nnc::base::rng::Sequence;
use nnc::base::tensor::Tensor;
use nnc::codegen::Target;
use nnc::graph::Graph;
use nnc::loops::{IfTest, Program, Stmt};
use nnc::runtime::program::CompiledProgram;
use std::collections::BTreeSet;
use support::compare::assert_close;
use support::engines::{Engine, Job, Left, Tensors, compile, targets};
use support::pipeline::{experiment, training, training_with_gradients};

const ROWS: usize = 4096;
const SAMPLES: usize = 6;
const LENGTH: usize = 8;
const STEPS: u64 = 4;

/// Every optimiser of the prelude and setting that changes the update; whether it leaves the
/// rows that a batch does not use, and its states for them, as they are. `docs/language.md` says the same.
const RULES: &[(&str, bool)] = &[
    ("optimizer = sgd(lr: 0.1)", true),
    ("optimizer = sgd(lr: cosine(0.1))", true),
    ("optimizer = sgd(lr: 0.1, weight_decay: 0.1)", false),
    ("optimizer = sgd(lr: 0.1, momentum: 0.9)", false),
    ("optimizer = rmsprop", false),
    ("optimizer = adagrad", true),
    ("optimizer = adagrad(lr_decay: 0.1, initial: 0.5)", true),
    ("optimizer = adadelta", false),
    ("optimizer = adam", false),
    ("optimizer = adamw", false),
    ("optimizer = nadam", false),
    ("optimizer = lion", false),
    ("optimizer = sgd(lr: 0.1)\n    clip_norm = 0.01", true),
    ("optimizer = sgd(lr: 0.1)\n    clip_value = 0.001", true),
    ("optimizer = sgd(lr: 0.1)\n    weight_decay = 0.1", false),
    ("optimizer = sgd(lr: 0.1)\n    l2 = 0.1", false),
    ("optimizer = adam\n    ema = 0.9", false),
];

fn text(rows: usize, columns: usize, settings: &str) -> String {
    format!(
        "model net(x: i32[N, {LENGTH}]) -> f32[N, 5] {{\n    \
         x |> embedding({rows}, {columns}) |> mean(axis: 1) |> dense(5)\n}}\n\
         train net {{\n    loss = cross_entropy\n    {settings}\n}}\n"
    )
}

/// Indices of a step: some rows twice and more, the first and the last among them.
fn indices(step: u64, rows: usize) -> Vec<i32> {
    let mut sequence = Sequence::new(step, 1);
    let last = rows as i32 - 1;
    let mut found: Vec<i32> = (2..SAMPLES * LENGTH)
        .map(|_| (sequence.below(20) as i32 * 67 + step as i32).min(last))
        .collect();
    found.extend([0, last]);
    found
}

fn job_of(graph: Graph, indices: impl Fn(u64) -> Vec<i32> + 'static) -> Job {
    let inputs = move |step: u64| {
        let label = (0..SAMPLES).map(|sample| ((sample as u64 + step) % 5) as i32).collect();
        Tensors::from([
            ("x".to_string(), Tensor::i32([SAMPLES, LENGTH], indices(step))),
            ("label".to_string(), Tensor::i32([SAMPLES], label)),
        ])
    };
    let given = Tensors::new();
    Job { graph, batch: SAMPLES, seed: 3, given, inputs: Box::new(inputs) }
}

/// The step as it is trained, and with its gradients shown.
fn jobs(text: &str, rows: usize) -> [Job; 2] {
    let experiment = experiment(text, Vec::new());
    let graphs = [training(&experiment), training_with_gradients(&experiment)];
    graphs.map(|graph| job_of(graph, move |step| indices(step, rows)))
}

/// Whether a step has a table of which only used rows are written.
fn has_flags(program: &Program) -> bool {
    program.buffers.values().any(|buffer| buffer.name.ends_with(".used"))
}

/// Whether the update of the table leaves unused rows as they are.
fn leaves_rows(program: &Program) -> bool {
    fn leaves(body: &[Stmt]) -> bool {
        body.iter().any(|stmt| match stmt {
            Stmt::Parts { body, .. } | Stmt::For { body, .. } => leaves(body),
            Stmt::If { test: IfTest::Below(..), then, .. } => leaves(then),
            Stmt::If { test: IfTest::Holds(_), otherwise, .. } => {
                matches!(&otherwise[..], [Stmt::If { then, .. }] if then.is_empty())
            }
            _ => false,
        })
    }
    let mut updates =
        program.kernels.values().filter(|kernel| kernel.name == "embedding.weight.update");
    updates.any(|kernel| leaves(&kernel.body))
}

/// The rows that the first step used and the second changed without using them, in the table
/// or its states.
fn moved_unused(job: &Job, program: &CompiledProgram) -> BTreeSet<usize> {
    let [first, second] = [1, 2].map(|steps| job.execute(program, steps, 2).kept);
    let [before, now] = [1, 2].map(|step| BTreeSet::from_iter(indices(step, ROWS)));
    let mut moved = BTreeSet::new();
    for (name, values) in first.iter().filter(|(name, _)| name.ends_with("embedding.weight")) {
        let columns = values.len() / ROWS;
        for &row in before.difference(&now) {
            let row = row as usize;
            let at = row * columns..(row + 1) * columns;
            if values[at.clone()] != second[name][at] {
                moved.insert(row);
            }
        }
    }
    moved
}

/// The bits of what steps leave, without the gradients that one of them shows.
fn bits(left: &Left) -> Vec<(&str, Vec<u32>)> {
    let outputs = left.outputs.iter().filter(|(name, _)| !name.starts_with("grad."));
    let named = outputs.chain(&left.kept);
    named.map(|(name, values)| (&name[..], values.iter().map(|x| x.to_bits()).collect())).collect()
}

#[track_caller]
fn assert_same(found: &Left, expected: &Left, what: &str) {
    let [found, expected] = [found, expected].map(bits);
    for ((name, found), (other, expected)) in found.iter().zip(&expected) {
        assert_eq!(name, other, "{what}");
        let differs = found.iter().zip(expected).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{what}: the first element of {name} that differs");
    }
    assert_eq!(found.len(), expected.len(), "{what}");
}

#[test]
fn every_rule_gives_the_bits_of_the_whole_table() {
    let target = Target::detect();
    for (settings, leaves) in RULES {
        let [rows, whole] = jobs(&text(ROWS, 64, settings), ROWS);
        let (lowered, expected) = (rows.lowered(), whole.lowered());
        assert!(has_flags(&lowered) && !has_flags(&expected), "{settings}\n{lowered}");
        assert!(!leaves || leaves_rows(&lowered), "{settings}\n{lowered}");
        let program = compile(lowered, &target);
        assert_eq!(moved_unused(&rows, &program).is_empty(), *leaves, "{settings}");
        let found = rows.execute(&program, STEPS, 2);
        let expected = whole.execute(&compile(expected, &target), STEPS, 2);
        assert_same(&found, &expected, settings);
    }
}

#[test]
fn every_engine_gives_them_on_any_number_of_threads() {
    for settings in ["optimizer = sgd(lr: 0.1)\n    clip_norm = 0.01", "optimizer = adam"] {
        let [rows, whole] = jobs(&text(1403, 80, settings), 1403);
        let lowered = rows.lowered();
        assert!(has_flags(&lowered), "{settings}");
        let expected = whole.execute(&compile(whole.lowered(), &Target::detect()), 2, 1);
        for threads in [1, 3] {
            let found = rows.interpret_loops(&lowered, 2, threads);
            assert_same(&found, &expected, &format!("{settings}, loops, {threads} threads"));
        }
        for target in targets() {
            let program = compile(lowered.clone(), &target);
            for threads in [1, 2, 3] {
                let found = rows.execute(&program, 2, threads);
                let what = format!("{settings}, {}, {threads} threads", target.name());
                assert_same(&found, &expected, &what);
            }
        }
    }
}

#[test]
fn the_interpreter_of_graphs_says_the_same() {
    let [rows, _] = jobs(&text(ROWS, 16, "optimizer = sgd(lr: 0.5)"), ROWS);
    let expected = Engine::Graph.run(&rows, 2);
    let found = Engine::Compiled(Target::detect(), 2).run(&rows, 2);
    for (name, values) in &found.kept {
        assert_close(values, &expected.kept[name], name);
    }
}

#[test]
fn one_row_may_be_all_that_is_used() {
    let text = text(ROWS, 16, "optimizer = sgd(lr: 0.1)");
    let experiment = experiment(&text, Vec::new());
    let graphs = [training(&experiment), training_with_gradients(&experiment)];
    let [rows, whole] = graphs.map(|graph| job_of(graph, |_| vec![77; SAMPLES * LENGTH]));
    let target = Target::detect();
    let left = [&rows, &whole].map(|job| job.execute(&compile(job.lowered(), &target), 2, 2));
    assert_same(&left[0], &left[1], "one row");
    let before = rows.execute(&compile(rows.lowered(), &target), 0, 1);
    let path = "embedding.weight";
    let pairs = left[0].kept[path].iter().zip(&before.kept[path]).enumerate();
    let moved: Vec<usize> = pairs.filter(|(_, (a, b))| a != b).map(|(at, _)| at / 16).collect();
    assert!(!moved.is_empty() && moved.iter().all(|&row| row == 77), "{moved:?}");
}

/// Learning rates for which `p - lr · 0` is not `p`, and old values of which the sign counts.
#[test]
fn a_learning_rate_that_changes_rows_of_zeros_changes_them() {
    let zeros = Tensor::f32(
        [ROWS, 16],
        (0..ROWS * 16).map(|at| [0.0, -0.0, 1.0][at % 3]).collect::<Vec<f32>>(),
    );
    for lr in [0.1, -0.1, 0.0, -0.0, f64::INFINITY, f64::NAN] {
        let left = jobs(&text(ROWS, 16, "optimizer = sgd(lr: 0.1)"), ROWS).map(|mut job| {
            for hyper in job.graph.hypers.values_mut().filter(|hyper| hyper.name == "lr") {
                hyper.value = lr;
            }
            job.given.insert("embedding.weight".into(), zeros.clone());
            job.execute(&compile(job.lowered(), &Target::detect()), 1, 2)
        });
        let nan = |left: &Left| left.kept["embedding.weight"].iter().filter(|x| x.is_nan()).count();
        if lr.is_finite() {
            assert_same(&left[0], &left[1], &format!("lr {lr}"));
        } else {
            // Which NaN it is, is not defined.
            assert_eq!(nan(&left[0]), nan(&left[1]), "lr {lr}");
            assert!(nan(&left[0]) > 0, "lr {lr}");
        }
    }
}

#[test]
fn other_tables_are_written_as_a_whole() {
    let sgd = "train net {\n    loss = cross_entropy\n    optimizer = sgd(lr: 0.1)\n}\n";
    let of = |body: &str| {
        let model = format!("model net(x: i32[N, {LENGTH}]) -> f32[N, 5] {{\n{body}\n}}\n{sgd}");
        has_flags(&job_of(training(&experiment(&model, Vec::new())), |_| Vec::new()).lowered())
    };
    let small = "x |> embedding(64, 16) |> mean(axis: 1) |> dense(5)";
    let narrow = "x |> embedding(70000, 8) |> mean(axis: 1) |> dense(5)";
    let few = "x |> embedding(191, 1024) |> mean(axis: 1) |> dense(5)";
    let enough = "x |> embedding(192, 1024) |> mean(axis: 1) |> dense(5)";
    let twice = "param table: f32[4096, 32] = ones\n    \
        concat([gather(table, x), gather(table, x + 1)]) |> mean(axis: 1) |> dense(5)";
    let tied = "param table: f32[4096, 32] = ones\n    \
        let h = gather(table, x) |> mean(axis: 1)\n    h @ transpose(table) |> dense(5)";
    let shared = "param table: f32[4096, 32] = ones\n    \
        let h = gather(table, x) |> mean(axis: 1)\n    h |> dense(5)";
    let cases = [
        (small, false),
        (narrow, false),
        (few, false),
        (enough, true),
        (twice, false),
        (tied, false),
        (shared, true),
    ];
    for (body, expected) in cases {
        assert_eq!(of(body), expected, "{body}");
    }
    // Short rows that are all worked on are one long loop.
    for (columns, expected) in [(48, false), (64, true)] {
        let graph = training(&experiment(&text(ROWS, columns, "optimizer = adam"), Vec::new()));
        assert_eq!(has_flags(&job_of(graph, |_| Vec::new()).lowered()), expected, "{columns}");
    }
}
