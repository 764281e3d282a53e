//! Whole training steps of the models in `models/`, with one thread and two: milliseconds a step,
//! the same as `nnc bench` measures.
//!
//! What is measured is the call of a compiled step, without copying samples.

use criterion::{Criterion, criterion_group, criterion_main};
use nnc::runtime::pool::Pool;
use nnc::runtime::program::StepArgs;

mod support;
use support::{compiled, filled};

/// The models, and the classes of their labels.
const MODELS: [(&str, u32); 2] = [("mnist", 10), ("mlp512", 10)];

fn steps(criterion: &mut Criterion) {
    for (model, classes) in MODELS {
        let (graph, batch, program) = compiled(model);
        let hypers: Vec<f64> =
            program.loops().uniforms.hypers.iter().map(|&(_, value)| value).collect();
        let mut group = criterion.benchmark_group(model);
        for threads in [1, 2] {
            let mut pool = Pool::new(threads);
            let mut memory = filled(&graph, batch, classes, &program, &mut pool);
            let mut step = 0;
            let name = format!("{threads} thread{}", if threads == 1 { "" } else { "s" });
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    step += 1;
                    let args = StepArgs { step, seed: 0, hypers: &hypers };
                    program.run(&mut memory, &mut pool, &args).expect("labels are classes");
                });
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = steps
}
criterion_main!(benches);
