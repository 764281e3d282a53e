//! Whole training steps of the models in `models/`, with one thread and two: milliseconds a step,
//! the same as `nnc bench` measures.
//!
//! Inputs are random once and stay; labels are classes. What is measured is the call of a
//! compiled step, without copying samples.

use criterion::{Criterion, criterion_group, criterion_main};
use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Data, Tensor};
use nnc::codegen::Target;
use nnc::driver::{Request, Session};
use nnc::graph::init::initial_value;
use nnc::graph::{Graph, Type};
use nnc::lower::Globals;
use nnc::runtime::pool::Pool;
use nnc::runtime::program::{Memory, Program, StepArgs};
use std::path::Path;

/// The models, and the classes of their labels.
const MODELS: [(&str, u32); 2] = [("mnist", 10), ("mlp512", 10)];

/// A model's training step at its own batch, compiled for the processor's best target.
fn compiled(model: &str) -> (Graph, usize, Program) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(model);
    let target = Target::detect();
    let request = Request {
        file: file.with_extension("nn"),
        model: None,
        data: None,
        nnc_data: None,
        cache: None,
        build: String::new(),
        network: false,
        target,
        memory: None,
    };
    let mut session = Session::new(None);
    let front = session.front(&request, false).expect("a good model");
    let batch = front.experiment.training.as_ref().expect("a `train` block").settings.batch;
    let graph = session.training_graph(front.experiment).expect("a training step");
    let step = session.compile(&graph, batch, &mut Globals::default(), &target);
    let program = step.expect("code").program;
    (graph, batch, program)
}

/// Random values of an input's type.
fn random(ty: &Type, batch: usize, classes: u32) -> Tensor {
    let mut sequence = Sequence::new(0, 0);
    let shape = ty.shape.at(batch);
    let numbers = 0..shape.iter().product();
    let data = match ty.dtype {
        DType::U8 => Data::U8(numbers.map(|_: usize| sequence.below(256) as u8).collect()),
        DType::I32 => Data::I32(numbers.map(|_| sequence.below(classes) as i32).collect()),
        _ => Data::F32(numbers.map(|_| sequence.unit() as f32).collect()),
    };
    Tensor::new(shape, data)
}

/// Memory with first values and inputs in it.
fn filled(graph: &Graph, batch: usize, classes: u32, program: &Program, pool: &mut Pool) -> Memory {
    let mut memory = Memory::for_programs([program], pool.threads());
    let params = graph.params.values().map(|param| (&param.path, &param.init, &param.ty));
    let states = graph.states.values().map(|state| (&state.path, &state.init, &state.ty));
    for (path, init, ty) in params.chain(states) {
        if program.buffer(path).is_some() {
            program.write(&mut memory, path, &initial_value(init, ty, path, 0));
        }
    }
    for input in graph.inputs.values() {
        let name = format!("input.{}", input.name);
        program.write(&mut memory, &name, &random(&input.ty, batch, classes));
    }
    program.refresh(&mut memory, pool);
    memory
}

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
