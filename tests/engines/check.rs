//! The engines, and the comparison of what they give.

use nnc::base::tensor::{Data, Tensor};
use nnc::graph::interp::{self as oracle, Env, Outcome};
use nnc::graph::{Graph, kernels::Kernels};
use nnc::loops::interp::{self, Memory, StepArgs};
use nnc::loops::{Space, verify};
use nnc::lower::{Globals, Lowered};

use crate::support::pipeline::lowered;

/// A way to run a lowered step: what it gives, or why it fails.
pub type Engine =
    fn(&Lowered, &Graph, &Env, threads: usize, shuffle: u64) -> Result<Outcome, String>;

/// Every engine below the graph.
pub const ENGINES: &[(&str, Engine)] = &[("loops", loops)];

/// Lowers a graph and compares every engine with the graph's interpreter.
pub fn compare(what: &str, graph: &Graph, batch: usize, env: &Env) -> (Kernels, Lowered) {
    let expected = oracle::run(graph, batch, env).unwrap_or_else(|fault| panic!("{what}: {fault}"));
    let (kernels, lowered) = lowered(graph, batch, &mut Globals::new());
    let explain = || format!("{what}\n{}\n{}", kernels.graph, lowered.program);
    if let Err(found) = verify::verify(&lowered.program) {
        panic!("{}\n{}", found.join("\n"), explain());
    }
    for (name, engine) in ENGINES {
        for (threads, shuffle) in [(1, 0), (2, 1), (3, 2)] {
            let found = engine(&lowered, &kernels.graph, env, threads, shuffle)
                .unwrap_or_else(|failure| panic!("{name} on {threads}: {failure}\n{}", explain()));
            if let Err(difference) = same(&expected, &found) {
                panic!("{name} on {threads}: {difference}\n{}", explain());
            }
        }
    }
    (kernels, lowered)
}

/// The loops' interpreter.
fn loops(
    lowered: &Lowered,
    graph: &Graph,
    env: &Env,
    threads: usize,
    shuffle: u64,
) -> Result<Outcome, String> {
    let program = &lowered.program;
    let mut memory = Memory::new(program);
    let mut set = |name: &str, tensor: &Tensor| {
        if let Some(buffer) = memory.find(name) {
            memory.set(buffer, tensor);
        }
    };
    for (name, tensor) in &env.inputs {
        set(&format!("input.{name}"), tensor);
    }
    for (param, tensor) in graph.params.values().zip(&env.params) {
        set(&param.path, tensor);
    }
    for (state, tensor) in graph.states.values().zip(&env.states) {
        set(&state.path, tensor);
    }
    interp::refresh(program, &mut memory, threads, shuffle)
        .map_err(|failure| failure.to_string())?;
    let step = StepArgs { seed: env.seed, step: env.step, hypers: env.hypers.clone() };
    interp::run(program, &mut memory, &step, threads, shuffle)
        .map_err(|failure| failure.to_string())?;
    for buffer in program.buffers.values().filter(|buffer| buffer.space == Space::Global) {
        if let Some(path) = buffer.name.strip_suffix("^T") {
            turned(&memory, path, &buffer.name, lowered)?;
        }
    }
    let value = |name: &str, before: Option<&Tensor>| match memory.find(name) {
        Some(buffer) => memory.get(buffer),
        None => before.expect("an output").clone(),
    };
    let outputs = graph.outputs.iter();
    Ok(Outcome {
        outputs: outputs
            .map(|output| (output.name.clone(), value(&format!("output.{}", output.name), None)))
            .collect(),
        params: (graph.params.values().zip(&env.params))
            .map(|(param, before)| value(&param.path, Some(before)))
            .collect(),
        states: (graph.states.values().zip(&env.states))
            .map(|(state, before)| value(&state.path, Some(before)))
            .collect(),
    })
}

/// After a step, a parameter's transposed layout holds the parameter: refreshing changes nothing.
fn turned(memory: &Memory, path: &str, name: &str, lowered: &Lowered) -> Result<(), String> {
    let mut fresh = memory.clone();
    interp::refresh(&lowered.program, &mut fresh, 1, 0).map_err(|failure| failure.to_string())?;
    let buffer = memory.find(name).expect("it was listed");
    match memory.get(buffer) == fresh.get(buffer) {
        true => Ok(()),
        false => Err(format!("{name} is not {path} transposed")),
    }
}

/// Whether two outcomes agree: within 1e-5 and 1e-4 of the tensor's largest element.
fn same(expected: &Outcome, found: &Outcome) -> Result<(), String> {
    for (name, tensor) in &expected.outputs {
        near(name, tensor, found.outputs.get(name).ok_or(format!("no output {name}"))?)?;
    }
    for (kind, expected, found) in
        [("param", &expected.params, &found.params), ("state", &expected.states, &found.states)]
    {
        for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
            near(&format!("{kind} {index}"), expected, found)?;
        }
    }
    Ok(())
}

fn near(name: &str, expected: &Tensor, found: &Tensor) -> Result<(), String> {
    let (expected, found) = match (&expected.data, &found.data) {
        (Data::F32(expected), Data::F32(found)) => (expected, found),
        (expected, found) if expected == found => return Ok(()),
        (expected, found) => return Err(format!("{name}: {found:?}, expected {expected:?}")),
    };
    let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
        let equal = expected == found || (expected.is_nan() && found.is_nan());
        if !equal && !((expected - found).abs() <= 1e-5 + 1e-4 * largest) {
            return Err(format!("{name}[{index}] is {found}, expected {expected}"));
        }
    }
    Ok(())
}
