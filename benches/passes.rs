//! How long each stage of the compiler takes on the network of `models/mnist.nn`, and all of them
//! together: what stands between a file and its first step. And how the check of a chain of layers
//! grows with its length.

use criterion::{Criterion, criterion_group, criterion_main};
use nnc::base::source::Sources;
use nnc::codegen::{self, Target};
use nnc::command::{CheckOptions, check};
use nnc::driver::{Request, Session};
use nnc::elaborate::{PRELUDE, PRELUDE_NAME};
use nnc::lower::{self, Globals, plan};
use nnc::pass::autodiff::{self, Wrt};
use nnc::pass::{bind, cse, dce, fuse, simplify, update};
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
    let forward = experiment.train;
    let differentiated = autodiff::run(&forward, Wrt::default());
    let updated = update::run(&differentiated, &rule, false);
    let bound = bind::run(&updated, BATCH);
    let simple = simplify::run(&bound);
    let shared = cse::run(&simple);
    let alive = dce::run(&shared);
    let kernels = fuse::run(&alive);
    let mut globals = Globals::default();
    let lowered = lower::run(&kernels, &mut globals);
    let mut planned = lowered.program.clone();
    plan::run(&mut planned, &mut globals);
    let object = codegen::emit(&planned, &target);

    let mut group = criterion.benchmark_group("passes");
    let mut bench = |name: &str, run: &dyn Fn()| {
        group.bench_function(name, |bencher| bencher.iter(run));
    };
    bench("autodiff", &|| drop(black_box(autodiff::run(&forward, Wrt::default()))));
    bench("update", &|| drop(black_box(update::run(&differentiated, &rule, false))));
    bench("bind", &|| drop(black_box(bind::run(&updated, BATCH))));
    bench("simplify", &|| drop(black_box(simplify::run(&bound))));
    bench("cse", &|| drop(black_box(cse::run(&simple))));
    bench("dce", &|| drop(black_box(dce::run(&shared))));
    bench("fuse", &|| drop(black_box(fuse::run(&alive))));
    bench("lower", &|| drop(black_box(lower::run(&kernels, &mut Globals::default()))));
    bench("plan", &|| plan::run(&mut lowered.program.clone(), &mut globals.clone()));
    bench("verify graph", &|| graph::verify(&updated).expect("a sound graph"));
    bench("verify loops", &|| {
        nnc::loops::verify::verify(&planned).expect("a sound program");
    });
    bench("emit", &|| drop(black_box(codegen::emit(&planned, &target))));
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
