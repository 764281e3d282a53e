//! Three ways to run a step: compiled code, the interpreter of loops, the interpreter of graphs.
//!
//! In: a training graph and what it is given. Out: a [`EngineStep`] that can be run again and again
//! and asked for what it left. All tensors that come out have one axis.

use super::given::StepInputs;
use super::{GradOptions, SEED};
use crate::base::step_output::StepOutput;
use crate::base::tensor::Tensor;
use crate::driver::compiled::{PlannedStep, indices};
use crate::driver::memory;
use crate::driver::schedules::hypers;
use crate::driver::session::{Failure, Request, Session};
use crate::graph::{self, Env, Graph, NodeId};
use crate::loops::{Planned, interp};
use crate::runtime::pool::Pool;
use crate::runtime::program::{BlockBytes, CompiledProgram, RunMemory, StepArgs};
use crate::schedule::Globals;
use std::collections::BTreeMap;

/// The engine that runs the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Compiled code.
    Jit,
    /// The interpreter of loops, which finds races.
    Loops,
    /// The interpreter of graphs, which adds in `f64`.
    Graph,
}

/// Why a step ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// An index from the given tensors is out of range.
    Index {
        /// The operator that takes it.
        node: NodeId,
        /// Its place in the tensor of indices, in row-major order.
        element: usize,
    },
    /// The compiler is wrong.
    Bug(String),
}

/// A step with its memory.
pub(super) trait EngineStep {
    /// Makes the step of this number, counted from 1.
    fn run(&mut self, number: u64) -> Result<(), Stop>;
    /// An output of the last step.
    fn output(&self, output: &StepOutput) -> Tensor;
    /// A parameter or state as it is now, if the step knows it.
    fn kept(&self, path: &str) -> Option<Tensor>;
    /// Puts back what parameters and states were.
    fn put(&mut self, kept: &[(String, Tensor)]);
    /// Sets a hyper-parameter; whether the step has it.
    fn set(&mut self, name: &str, value: f64) -> bool;
}

/// A step that is ready to run, and the graph whose nodes its faults name.
pub(super) struct PreparedStep {
    pub graph: Graph,
    pub step: Box<dyn EngineStep>,
}

/// Brings a training graph as far as the engine needs it. Which batches can be is not an engine's
/// to decide: they are checked before any of them.
pub(super) fn prepare(
    session: &mut Session,
    request: &Request,
    asked: &GradOptions,
    graph: &Graph,
    given: &StepInputs,
) -> Result<PreparedStep, Failure> {
    session.check_batch(graph, given.batch)?;
    if asked.engine == Engine::Graph {
        memory::refuse(session, request, memory::interpreted(graph, given.batch).bytes)?;
        let step = Box::new(Interpreted::new(graph, asked.steps, given));
        return Ok(PreparedStep { graph: graph.clone(), step });
    }
    let kernels = session.fuse(graph, given.batch)?;
    let globals = &mut Globals::default();
    let PlannedStep { program, bounds_checks, .. } = session.planned(&kernels, globals)?;
    let bytes = BlockBytes::of(&program).total(asked.threads);
    // The interpreter of loops remembers who touched each byte.
    let traced = if asked.engine == Engine::Loops { TRACED } else { 1 };
    memory::refuse(session, request, bytes.saturating_mul(traced))?;
    let step: Box<dyn EngineStep> = if asked.engine == Engine::Loops {
        Box::new(Loops::new(program, bounds_checks, (asked.threads, asked.steps), given))
    } else {
        let code = session.codegen(&program, &request.target)?;
        let program = CompiledProgram::new(code);
        Box::new(CompiledEngine::new(program, bounds_checks, (asked.threads, asked.steps), given))
    };
    Ok(PreparedStep { graph: kernels.graph.into_graph(), step })
}

/// Bytes that the interpreter of loops keeps for each of the program's.
const TRACED: usize = 9;

/// Sets one of these hyper-parameters; whether it is there.
fn set_hyper(declared: &[(String, f64)], hypers: &mut [f64], name: &str, value: f64) -> bool {
    let at = declared.iter().position(|(known, _)| known == name);
    at.map(|at| hypers[at] = value).is_some()
}

// ---- Compiled code

struct CompiledEngine {
    program: CompiledProgram,
    bounds_checks: Vec<NodeId>,
    memory: RunMemory,
    pool: Pool,
    hypers: Vec<f64>,
}

impl CompiledEngine {
    fn new(
        program: CompiledProgram,
        bounds_checks: Vec<NodeId>,
        (threads, steps): (usize, u64),
        given: &StepInputs,
    ) -> CompiledEngine {
        let mut pool = Pool::new(threads);
        let mut memory = RunMemory::for_programs([&program], threads);
        // What the step does not read has no buffer.
        for (name, value) in &given.inputs {
            if let Some(buffer) = program.input(name) {
                program.write(&mut memory, buffer, value);
            }
        }
        program.fill(&mut memory, &mut pool, &given.kept);
        let hypers = hypers(&program.loops().uniforms.hypers, steps);
        CompiledEngine { program, bounds_checks, memory, pool, hypers }
    }
}

impl EngineStep for CompiledEngine {
    fn run(&mut self, number: u64) -> Result<(), Stop> {
        let args = StepArgs { step: number, seed: SEED, hypers: &self.hypers };
        let result = self.program.run(&mut self.memory, &mut self.pool, &args);
        result.map_err(|fault| Stop::Index {
            node: self.bounds_checks[fault.site as usize],
            element: fault.element,
        })
    }

    fn output(&self, output: &StepOutput) -> Tensor {
        self.program.read(&self.memory, output)
    }

    fn kept(&self, path: &str) -> Option<Tensor> {
        self.program.buffer(path).map(|_| self.program.read(&self.memory, path))
    }

    fn put(&mut self, kept: &[(String, Tensor)]) {
        for (path, value) in kept {
            self.program.write(&mut self.memory, path, value);
        }
        self.program.refresh(&mut self.memory, &mut self.pool);
    }

    fn set(&mut self, name: &str, value: f64) -> bool {
        set_hyper(&self.program.loops().uniforms.hypers, &mut self.hypers, name, value)
    }
}

// ---- The interpreter of loops

struct Loops {
    program: Planned,
    bounds_checks: Vec<NodeId>,
    memory: interp::ProgramMemory,
    threads: usize,
    hypers: Vec<f64>,
    /// Whether derived layouts are to be made before the next step.
    fresh: bool,
}

impl Loops {
    fn new(
        program: Planned,
        bounds_checks: Vec<NodeId>,
        (threads, steps): (usize, u64),
        given: &StepInputs,
    ) -> Loops {
        /// As many as its record of accesses can tell apart.
        const MOST: usize = 256;
        let mut memory = interp::ProgramMemory::new(&program);
        let inputs = given.inputs.iter().map(|(name, value)| (program.io.input(name), value));
        let kept: Vec<_> = given.kept.iter().map(|(path, it)| (memory.find(path), it)).collect();
        for (buffer, value) in inputs.chain(kept) {
            if let Some(buffer) = buffer {
                memory.set(buffer, value);
            }
        }
        let hypers = hypers(&program.uniforms.hypers, steps);
        Loops { program, bounds_checks, memory, threads: threads.min(MOST), hypers, fresh: true }
    }

    fn stop(&self, failure: interp::StepFailure) -> Stop {
        match failure {
            interp::StepFailure::Fault { site, element } => Stop::Index {
                node: self.bounds_checks[site as usize],
                element: usize::try_from(element).expect("an element's number"),
            },
            interp::StepFailure::Race { .. } | interp::StepFailure::Clobbered { .. } => {
                Stop::Bug(failure.to_string())
            }
        }
    }
}

impl EngineStep for Loops {
    fn run(&mut self, number: u64) -> Result<(), Stop> {
        let Loops { program, memory, threads, hypers, .. } = self;
        let mut result = Ok(());
        if std::mem::take(&mut self.fresh) {
            result = interp::refresh(program, memory, *threads, 0);
        }
        let args = interp::InterpArgs { seed: SEED, step: number, hypers: hypers.clone() };
        result
            .and_then(|()| interp::run(program, memory, &args, *threads, number))
            .map_err(|failure| self.stop(failure))
    }

    fn output(&self, output: &StepOutput) -> Tensor {
        let buffer = self.program.io.output(output);
        self.memory.get(buffer.expect("each output has a buffer"))
    }

    fn kept(&self, path: &str) -> Option<Tensor> {
        self.memory.find(path).map(|buffer| self.memory.get(buffer))
    }

    fn put(&mut self, kept: &[(String, Tensor)]) {
        for (path, value) in kept {
            if let Some(buffer) = self.memory.find(path) {
                self.memory.set(buffer, value);
            }
        }
        self.fresh = true;
    }

    fn set(&mut self, name: &str, value: f64) -> bool {
        set_hyper(&self.program.uniforms.hypers, &mut self.hypers, name, value)
    }
}

// ---- The interpreter of graphs

struct Interpreted {
    graph: Graph,
    batch: usize,
    env: Env,
    outputs: BTreeMap<String, Tensor>,
}

impl Interpreted {
    fn new(graph: &Graph, steps: u64, given: &StepInputs) -> Interpreted {
        let value = |path: &String| given.kept[path].clone();
        let env = Env {
            inputs: given.inputs.clone(),
            params: graph.params.values().map(|param| value(&param.path)).collect(),
            states: graph.states.values().map(|state| value(&state.path)).collect(),
            hypers: hypers(&declared(graph), steps),
            step: 0,
            seed: SEED,
        };
        Interpreted { graph: graph.clone(), batch: given.batch, env, outputs: BTreeMap::new() }
    }
}

impl EngineStep for Interpreted {
    fn run(&mut self, number: u64) -> Result<(), Stop> {
        self.env.step = number;
        let outcome = graph::run(&self.graph, self.batch, &self.env).map_err(|fault| {
            let Some(node) = fault.node else { return Stop::Bug(fault.message) };
            let extents = indices(&self.graph, node).shape.at(self.batch);
            let place = extents.iter().zip(&fault.place);
            let element = place.fold(0, |element, (extent, at)| element * extent + at);
            Stop::Index { node, element }
        })?;
        (self.env.params, self.env.states) = (outcome.params, outcome.states);
        self.outputs = outcome.outputs;
        Ok(())
    }

    fn output(&self, output: &StepOutput) -> Tensor {
        self.outputs[&output.to_string()].clone()
    }

    fn kept(&self, path: &str) -> Option<Tensor> {
        let params = self.graph.params.values().map(|param| &param.path).zip(&self.env.params);
        let states = self.graph.states.values().map(|state| &state.path).zip(&self.env.states);
        params.chain(states).find(|(of, _)| *of == path).map(|(_, value)| value.clone())
    }

    fn put(&mut self, kept: &[(String, Tensor)]) {
        let Env { params, states, .. } = &mut self.env;
        let paths = self.graph.params.values().map(|param| &param.path).zip(params);
        let paths = paths.chain(self.graph.states.values().map(|state| &state.path).zip(states));
        for (path, value) in paths {
            if let Some((_, before)) = kept.iter().find(|(of, _)| of == path) {
                *value = before.clone();
            }
        }
    }

    fn set(&mut self, name: &str, value: f64) -> bool {
        set_hyper(&declared(&self.graph), &mut self.env.hypers, name, value)
    }
}

/// A graph's hyper-parameters: name and value as written.
fn declared(graph: &Graph) -> Vec<(String, f64)> {
    graph.hypers.values().map(|hyper| (hyper.name.clone(), hyper.value)).collect()
}
