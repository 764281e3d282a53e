//! A model's training step, ready to run without data: what the benches of whole steps share.
//!
//! Inputs are random once and stay; labels are classes.

use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Data, Tensor};
use nnc::codegen::Target;
use nnc::driver::{Request, Session};
use nnc::graph::init::initial_value;
use nnc::graph::{Graph, Type};
use nnc::runtime::pool::Pool;
use nnc::runtime::program::{CompiledProgram, RunMemory};
use nnc::schedule::Globals;
use std::path::Path;

/// A model's training step at its own batch, compiled for the processor's best target.
pub fn compiled(model: &str) -> (Graph, usize, CompiledProgram) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(model);
    let target = Target::detect();
    let request = Request::new(file.with_extension("nn"));
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
pub fn filled(
    graph: &Graph,
    batch: usize,
    classes: u32,
    program: &CompiledProgram,
    pool: &mut Pool,
) -> RunMemory {
    let mut memory = RunMemory::for_programs([program], pool.threads());
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
