//! How long each stage of the compiler takes on the network of `models/mnist.nn`, and all of them
//! together: what stands between a file and its first step. And how the check of a chain of layers
//! grows with its length.

use criterion::{Criterion, criterion_group, criterion_main};
use nnc::base::source::Sources;
use nnc::codegen::{self, Target};
use nnc::command::{CheckOptions, check};
use nnc::driver::{Request, Session};
use nnc::elaborate::{PRELUDE, PRELUDE_NAME};
use nnc::lower;
use nnc::pass::{Fusion, Gradients, PIPELINE, Pass, TrainingStep};
use nnc::schedule::{Globals, plan};
use nnc::{graph, syntax};
use std::hint::black_box;
use std::path::Path;

const BATCH: usize = 32;

fn request() -> Request {
    Request::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mnist.nn"))
}

fn front(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("front");
    group.bench_function("parse the prelude", |bencher| {
        bencher.iter(|| {
            let mut sources = Sources::new();
            let file = sources.add_builtin(PRELUDE_NAME, PRELUDE);
            black_box(syntax::parse(&sources, file).expect("the prelude parses"))
        });
    });
    group.bench_function("file to graphs", |bencher| {
        bencher.iter(|| Session::new(None).front(&request(), false).expect("a good model"));
    });
    group.finish();
}

fn passes(criterion: &mut Criterion) {
    let target = Target::detect();
    let experiment = Session::new(None).front(&request(), false).expect("a good model").experiment;
    let rule = experiment.training.expect("a `train` block").rule;
    let step = TrainingStep { rule, gradients: Gradients::Applied };
    let mut group = criterion.benchmark_group("passes");
    let mut bench = |name: &str, run: &dyn Fn()| {
        group.bench_function(name, |bencher| bencher.iter(run));
    };
    let mut graph = experiment.train;
    for pass in PIPELINE.train {
        bench(pass.name, &|| drop(black_box((pass.run)(&graph, &step))));
        graph = (pass.run)(&graph, &step);
    }
    bench("verify graph", &|| graph::verify(&graph).expect("a sound graph"));
    for pass in PIPELINE.step {
        bench(pass.name, &|| drop(black_box((pass.run)(&graph, &BATCH))));
        graph = (pass.run)(&graph, &BATCH);
    }
    let Pass { name, run, .. } = PIPELINE.kernels;
    bench(name, &|| drop(black_box(run(&graph, &Fusion::Full))));
    let kernels = run(&graph, &Fusion::Full);
    let mut globals = Globals::default();
    bench("lower", &|| drop(black_box(lower::run(&kernels, &mut Globals::default()))));
    let lowered = lower::run(&kernels, &mut globals);
    bench("plan", &|| drop(black_box(plan::run(lowered.program.clone(), &mut globals.clone()))));
    let planned = plan::run(lowered.program, &mut globals).expect("a sound program");
    bench("verify loops", &|| {
        nnc::loops::verify::verify(&planned).expect("a sound program");
    });
    bench("emit", &|| drop(black_box(codegen::emit(&planned, &target))));
    let object = codegen::emit(&planned, &target);
    bench("link", &|| drop(black_box(codegen::jit::link(&object))));
    group.finish();
}

fn everything(criterion: &mut Criterion) {
    let request = request();
    let mut group = criterion.benchmark_group("everything");
    group.bench_function("file to code", |bencher| {
        bencher.iter(|| {
            let mut session = Session::new(None);
            let front = session.front(&request, false).expect("a good model");
            let graph = session.training_graph(front.experiment).expect("a training step");
            let globals = &mut Globals::default();
            session.compile(&graph, BATCH, globals, &request.target).expect("code")
        });
    });
    group.finish();
}

/// A chain of dense layers, whose check is to take twice as long where there are twice as many.
fn deep(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("deep");
    for layers in [500, 1000] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("deep.nn");
        let text = format!(
            "model deep(x: f32[N, 64]) -> f32[N, 10] {{\n\
             x |> repeat {layers} {{ dense(64) |> relu }} |> dense(10)\n}}\n\
             train deep {{\n    loss = cross_entropy\n    optimizer = adam\n}}\n"
        );
        std::fs::write(&file, text).expect("writable");
        let request = Request { file, ..request() };
        let options = CheckOptions { threads: 2, time: false };
        group.bench_function(format!("check {layers} layers"), |bencher| {
            bencher
                .iter(|| check(&mut Session::new(None), &request, options).expect("a good model"));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = front, passes, everything, deep
}
criterion_main!(benches);
