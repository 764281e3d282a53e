//! The engines, and the comparison of what they give: with the graph's interpreter within the
//! tolerance of sums in `f32`, with one another to the bit.

mod rounding;

use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Data, Tensor};
use nnc::codegen::Target;
use nnc::graph::interp::{self as oracle, Env, StepOutcome};
use nnc::graph::{Graph, kernels::Kernels};
use nnc::loops::interp::{self, InterpArgs, ProgramMemory};
use nnc::loops::{Space, verify};
use nnc::lower::Lowered;
use nnc::runtime::pool::Pool;
use nnc::runtime::program;
use nnc::schedule::Globals;

use crate::support::engines::compile;
use crate::support::pipeline::lowered;

/// A way to run a lowered step: what it gives, or why it fails.
pub type Engine =
    fn(&Lowered, &Graph, &Env, threads: usize, shuffle: u64) -> Result<StepOutcome, String>;

/// Every engine below the graph. Those named as a target are left out where the processor lacks
/// it.
pub const ENGINES: &[(&str, Engine)] = &[
    ("loops", loops),
    ("avx512", |lowered, graph, env, threads, _| compiled("avx512", lowered, graph, env, threads)),
    ("avx2", |lowered, graph, env, threads, _| compiled("avx2", lowered, graph, env, threads)),
    ("portable", |lowered, graph, env, threads, _| {
        compiled("portable", lowered, graph, env, threads)
    }),
    ("portable-no-fma", |lowered, graph, env, threads, _| {
        compiled("portable-no-fma", lowered, graph, env, threads)
    }),
];

fn available() -> impl Iterator<Item = &'static (&'static str, Engine)> {
    let lacking = |name: &str| Target::from_name(name).is_some_and(|t| !t.supported_on_host());
    ENGINES.iter().filter(move |(name, _)| !lacking(name))
}

/// Lowers a graph and compares every engine with the graph's interpreter.
#[allow(dead_code)] // Each test crate uses its own part.
pub fn compare(what: &str, graph: &Graph, batch: usize, env: &Env) -> (Kernels, Lowered) {
    compare_on(what, graph, batch, env, |_| true)
}

/// The same on some engines only, for tests of very many graphs.
pub fn compare_on(
    what: &str,
    graph: &Graph,
    batch: usize,
    env: &Env,
    chosen: impl Fn(&str) -> bool,
) -> (Kernels, Lowered) {
    let (kernels, lowered) = lowered(graph, batch, &mut Globals::new());
    let mut runs = Vec::new();
    for (name, _) in available().filter(|(name, _)| chosen(name)) {
        // Compiled code is slow to make; other numbers of threads have a test of their own.
        let threads: &[(usize, u64)] =
            if *name == "loops" { &[(1, 0), (2, 1), (3, 2)] } else { &[(2, 1)] };
        runs.extend(threads.iter().map(|&(threads, shuffle)| Run { name, threads, shuffle }));
    }
    let step = (&kernels, &lowered);
    match agreement(graph, batch, env, step, &runs) {
        Ok(Agreement { allowed: None }) => {}
        Ok(Agreement { allowed: Some(difference) }) | Err(difference) => {
            panic!("{what}: {difference}\n{}\n{}", *kernels.graph, lowered.program)
        }
    }
    (kernels, lowered)
}

/// An engine by its name, on so many threads.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// As [`ENGINES`] has it.
    pub name: &'static str,
    /// How many threads.
    pub threads: usize,
    /// The order of the loops' interpreter's threads.
    pub shuffle: u64,
}

/// How engines agree.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// A difference beyond the tolerance that rounding alone explains: the graph's interpreter
    /// differs as much when everything it computes changes by about a rounding ([`rounding`]).
    pub allowed: Option<String>,
}

/// The names of the engines that this processor has.
#[allow(dead_code)] // Each test crate uses its own part.
pub fn names() -> Vec<&'static str> {
    available().map(|(name, _)| *name).collect()
}

/// Runs a lowered graph and compares: with the graph's interpreter within the tolerance, with the
/// first run to the bit.
pub fn agreement(
    graph: &Graph,
    batch: usize,
    env: &Env,
    (kernels, lowered): (&Kernels, &Lowered),
    runs: &[Run],
) -> Result<Agreement, String> {
    let expected = oracle::run(graph, batch, env).map_err(|fault| fault.to_string())?;
    verify::verify(&lowered.program).map_err(|found| found.join("\n"))?;
    let mut first: Option<StepOutcome> = None;
    let mut allowed = None;
    for &Run { name, threads, shuffle } in runs {
        let fails = |why: String| format!("{name} on {threads}: {why}");
        let (_, engine) = available().find(|(known, _)| *known == name).expect("an engine");
        let found = engine(lowered, &kernels.graph, env, threads, shuffle).map_err(fails)?;
        if let Some(first) = &first {
            same(first, &found, equal).map_err(fails)?;
        } else if let Err(difference) = same(&expected, &found, near) {
            rounding::explains(graph, batch, env, (&expected, &found))
                .map_err(|why| fails(format!("{difference}; {why}")))?;
            allowed = Some(fails(difference));
        }
        first.get_or_insert(found);
    }
    Ok(Agreement { allowed })
}

/// The loops' interpreter.
fn loops(
    lowered: &Lowered,
    graph: &Graph,
    env: &Env,
    threads: usize,
    shuffle: u64,
) -> Result<StepOutcome, String> {
    let program = &lowered.program;
    let mut memory = ProgramMemory::new(program);
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
    let step = InterpArgs { seed: env.seed, step: env.step, hypers: env.hypers.clone() };
    interp::run(program, &mut memory, &step, threads, shuffle)
        .map_err(|failure| failure.to_string())?;
    for buffer in program.buffers.values().filter(|buffer| buffer.space == Space::Global) {
        if let Some((path, _)) = buffer.name.rsplit_once('^') {
            up_to_date(&memory, path, &buffer.name, lowered)?;
        }
    }
    let value = |name: &str, before: Option<&Tensor>| match memory.find(name) {
        Some(buffer) => memory.get(buffer),
        None => before.expect("an output").clone(),
    };
    Ok(outcome(graph, env, value))
}

/// Compiled code for a target that the processor has.
fn compiled(
    target: &str,
    lowered: &Lowered,
    graph: &Graph,
    env: &Env,
    threads: usize,
) -> Result<StepOutcome, String> {
    let target = Target::from_name(target).expect("a target's name");
    let program = compile(lowered.program.clone(), &target);
    let mut pool = Pool::new(threads);
    let mut memory = program::RunMemory::for_programs([&program], threads);
    let mut set = |name: &str, tensor: &Tensor| {
        if program.buffer(name).is_some() {
            program.write(&mut memory, name, tensor);
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
    program.refresh(&mut memory, &mut pool);
    let step = program::StepArgs { seed: env.seed, step: env.step, hypers: &env.hypers };
    program.run(&mut memory, &mut pool, &step).map_err(|fault| format!("{fault:?}"))?;
    let value = |name: &str, before: Option<&Tensor>| match program.buffer(name) {
        Some(_) => program.read(&memory, name),
        None => before.expect("an output").clone(),
    };
    Ok(outcome(graph, env, value))
}

/// What is left under the names of outputs, parameters and states.
fn outcome(
    graph: &Graph,
    env: &Env,
    value: impl Fn(&str, Option<&Tensor>) -> Tensor,
) -> StepOutcome {
    let output = |name: &String| (name.clone(), value(&format!("output.{name}"), None));
    let param = |(param, before): (&nnc::graph::Param, _)| value(&param.path, Some(before));
    let state = |(state, before): (&nnc::graph::State, _)| value(&state.path, Some(before));
    StepOutcome {
        outputs: graph.outputs.iter().map(|found| output(&found.name.to_string())).collect(),
        params: graph.params.values().zip(&env.params).map(param).collect(),
        states: graph.states.values().zip(&env.states).map(state).collect(),
    }
}

/// After a step, a parameter's other layouts hold the parameter: refreshing changes nothing.
fn up_to_date(
    memory: &ProgramMemory,
    path: &str,
    name: &str,
    lowered: &Lowered,
) -> Result<(), String> {
    let mut fresh = memory.clone();
    interp::refresh(&lowered.program, &mut fresh, 1, 0).map_err(|failure| failure.to_string())?;
    let buffer = memory.find(name).expect("it was listed");
    match memory.get(buffer) == fresh.get(buffer) {
        true => Ok(()),
        false => Err(format!("{name} is not {path} in another order")),
    }
}

/// How two tensors of a name are compared.
type Comparison = fn(f32, f32, largest: f32) -> bool;

/// Within 1e-5 and 1e-4 of the tensor's largest element.
fn near(expected: f32, found: f32, largest: f32) -> bool {
    equal(expected, found, largest)
        || expected == found
        || (expected - found).abs() <= 1e-5 + 1e-4 * largest
}

/// The same bits, or both not numbers.
fn equal(expected: f32, found: f32, _largest: f32) -> bool {
    expected.to_bits() == found.to_bits() || (expected.is_nan() && found.is_nan())
}

/// Whether two outcomes agree.
fn same(expected: &StepOutcome, found: &StepOutcome, alike: Comparison) -> Result<(), String> {
    for (name, tensor) in &expected.outputs {
        same_tensor(
            name,
            tensor,
            found.outputs.get(name).ok_or(format!("no output {name}"))?,
            alike,
        )?;
    }
    for (kind, expected, found) in
        [("param", &expected.params, &found.params), ("state", &expected.states, &found.states)]
    {
        for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
            same_tensor(&format!("{kind} {index}"), expected, found, alike)?;
        }
    }
    Ok(())
}

fn same_tensor(
    name: &str,
    expected: &Tensor,
    found: &Tensor,
    alike: Comparison,
) -> Result<(), String> {
    let (expected, found) = match (&expected.data, &found.data) {
        (Data::F32(expected), Data::F32(found)) => (expected, found),
        (expected, found) if expected == found => return Ok(()),
        (expected, found) => return Err(format!("{name}: {found:?}, expected {expected:?}")),
    };
    let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    for (index, (&expected, &found)) in expected.iter().zip(found).enumerate() {
        if !alike(expected, found, largest) {
            return Err(format!("{name}[{index}] is {found:e}, expected {expected:e}"));
        }
    }
    Ok(())
}

/// A batch of bytes, labels below 3, and eighths in [-2, 2].
#[allow(dead_code)] // Each test crate uses its own part.
pub fn batch_of(graph: &Graph, batch: usize) -> Env {
    let mut sequence = Sequence::new(5, 1);
    let mut env = Env::initial(graph, 5);
    for input in graph.inputs.values() {
        let shape = input.ty.shape.at(batch);
        let len: usize = shape.iter().product();
        let data = match input.ty.dtype {
            DType::I32 => Data::I32((0..len).map(|_| sequence.below(3) as i32).collect()),
            DType::U8 => Data::U8((0..len).map(|_| sequence.below(256) as u8).collect()),
            _ => Data::F32((0..len).map(|_| sequence.below(33) as f32 / 8.0 - 2.0).collect()),
        };
        env.inputs.insert(input.name.clone(), Tensor::new(shape, data));
    }
    env
}
