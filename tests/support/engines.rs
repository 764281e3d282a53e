//! Three ways to run a step, behind one interface: the interpreter of graphs, the interpreter of
//! loops, and compiled code for any target.
//!
//! A [`Job`] says what is run and on what; [`Engine::run`] makes a number of steps and returns
//! what the first one gave out and what the last one left.

use std::collections::BTreeMap;

use nnc::base::step_output::StepOutput;
use nnc::base::tensor::Tensor;
use nnc::codegen::jit::link;
use nnc::codegen::{Target, emit};
use nnc::graph::init::initial_value;
use nnc::graph::{Env, Graph};
use nnc::loops::{self, Planned};
use nnc::runtime::pool::Pool;
use nnc::runtime::program::{CompiledProgram, RunMemory, StepArgs};
use nnc::schedule::Globals;

use super::pipeline;

/// Tensors by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// A program, whose buffers have places, with its code.
pub fn compile(program: loops::Program, target: &Target) -> CompiledProgram {
    let planned = Planned::new(program).expect("a sound program with places");
    CompiledProgram::new(link(&emit(&planned, target)))
}

/// A step, and what it is run on.
pub struct Job {
    /// The step; its batch may be a symbol.
    pub graph: Graph,
    /// Samples.
    pub batch: usize,
    /// The seed of first values and random operators.
    pub seed: u64,
    /// Parameters and states that do not begin at their own first values.
    pub given: Tensors,
    /// The inputs of the step of this number.
    pub inputs: Box<dyn Fn(u64) -> Tensors>,
}

/// What steps leave behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// The outputs of the first step, each as one axis.
    pub outputs: BTreeMap<String, Vec<f32>>,
    /// Parameters and states after the last step, each as one axis.
    pub kept: BTreeMap<String, Vec<f32>>,
}

/// A way to run steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The interpreter of graphs, the oracle.
    Graph,
    /// The interpreter of loops on so many pretended threads.
    Loops(usize),
    /// Compiled code on so many threads.
    Compiled(Target, usize),
}

/// The targets that this processor has.
pub fn targets() -> impl Iterator<Item = Target> {
    Target::ALL.into_iter().filter(Target::supported_on_host)
}

impl Engine {
    /// All of them; compiled code for every target that this processor has.
    pub fn all() -> Vec<Engine> {
        let compiled = targets().map(|target| Engine::Compiled(target, 2));
        [Engine::Graph, Engine::Loops(2)].into_iter().chain(compiled).collect()
    }

    /// The name for messages.
    pub fn name(&self) -> String {
        match self {
            Engine::Graph => "graph".into(),
            Engine::Loops(threads) => format!("loops, {threads} threads"),
            Engine::Compiled(target, threads) => format!("{}, {threads} threads", target.name()),
        }
    }

    /// Makes steps.
    pub fn run(&self, job: &Job, steps: u64) -> Left {
        match *self {
            Engine::Graph => job.interpret(steps),
            Engine::Loops(threads) => job.interpret_loops(&job.lowered(), steps, threads),
            Engine::Compiled(target, threads) => {
                job.execute(&compile(job.lowered(), &target), steps, threads)
            }
        }
    }
}

impl Job {
    /// First values of all parameters and states.
    fn first(&self) -> Tensors {
        let params = self.graph.params.values().map(|p| (&p.path, &p.init, &p.ty));
        let states = self.graph.states.values().map(|s| (&s.path, &s.init, &s.ty));
        let value = |(path, init, ty): (&String, _, _)| {
            let given = self.given.get(path).cloned();
            (path.clone(), given.unwrap_or_else(|| initial_value(init, ty, path, self.seed)))
        };
        params.chain(states).map(value).collect()
    }

    fn hypers(&self) -> Vec<f64> {
        self.graph.hypers.values().map(|hyper| hyper.value).collect()
    }

    fn output_names(&self) -> impl Iterator<Item = String> {
        self.graph.outputs.iter().map(|output| output.name.to_string())
    }

    /// The step as planned loops.
    pub fn lowered(&self) -> loops::Program {
        let (_, lowered) = pipeline::lowered(&self.graph, self.batch, &mut Globals::default());
        let program = lowered.program;
        if let Err(found) = loops::verify::verify(&program) {
            panic!("{}\n{program}", found.join("\n"));
        }
        program
    }

    fn interpret(&self, steps: u64) -> Left {
        let first = self.first();
        let params = self.graph.params.values().map(|param| first[&param.path].clone());
        let states = self.graph.states.values().map(|state| first[&state.path].clone());
        let mut env = Env {
            inputs: Tensors::new(),
            params: params.collect(),
            states: states.collect(),
            hypers: self.hypers(),
            step: 1,
            seed: self.seed,
        };
        let mut outputs = BTreeMap::new();
        for step in 1..=steps {
            env.step = step;
            env.inputs = (self.inputs)(step);
            let outcome = nnc::graph::run(&self.graph, self.batch, &env)
                .unwrap_or_else(|fault| panic!("{fault}\n{}", self.graph));
            (env.params, env.states) = (outcome.params, outcome.states);
            if step == 1 {
                let values = outcome.outputs.iter();
                outputs = values.map(|(name, value)| (name.clone(), floats(value))).collect();
            }
        }
        let paths = self.graph.params.values().map(|param| &param.path);
        let paths = paths.chain(self.graph.states.values().map(|state| &state.path));
        let values = env.params.iter().chain(&env.states);
        let kept = paths.zip(values).map(|(path, value)| (path.clone(), floats(value))).collect();
        Left { outputs, kept }
    }

    /// Steps in the interpreter of loops, its threads in another order each step.
    pub fn interpret_loops(&self, program: &loops::Program, steps: u64, threads: usize) -> Left {
        use nnc::loops::interp;
        let sound = |result: Result<(), interp::StepFailure>| {
            result.unwrap_or_else(|failure| panic!("{failure}\n{program}"));
        };
        let mut memory = interp::ProgramMemory::new(program);
        let first = self.first();
        for (name, value) in &first {
            if let Some(buffer) = memory.find(name) {
                memory.set(buffer, value);
            }
        }
        sound(interp::refresh(program, &mut memory, threads, 0));
        let mut outputs = BTreeMap::new();
        for step in 1..=steps {
            for (name, value) in (self.inputs)(step) {
                if let Some(buffer) = memory.find(&format!("input.{name}")) {
                    memory.set(buffer, &value);
                }
            }
            let args = interp::InterpArgs { seed: self.seed, step, hypers: self.hypers() };
            sound(interp::run(program, &mut memory, &args, threads, step));
            if step == 1 {
                let output = |name: String| {
                    let buffer = memory.find(&format!("output.{name}"));
                    (name.clone(), floats(&memory.get(buffer.expect("a buffer an output"))))
                };
                outputs = self.output_names().map(output).collect();
            }
        }
        // What the step neither reads nor writes has no buffer, and stays as it was.
        let left = |(name, value): (String, Tensor)| {
            let buffer = memory.find(&name);
            let value = buffer.map_or(value, |buffer| memory.get(buffer));
            (name, floats(&value))
        };
        Left { outputs, kept: first.into_iter().map(left).collect() }
    }

    /// Steps of compiled code.
    pub fn execute(&self, program: &CompiledProgram, steps: u64, threads: usize) -> Left {
        let mut pool = Pool::new(threads);
        let mut memory = RunMemory::for_programs([program], threads);
        let first = self.first();
        for (name, value) in &first {
            if program.buffer(name).is_some() {
                program.write(&mut memory, name, value);
            }
        }
        program.refresh(&mut memory, &mut pool);
        let hypers = self.hypers();
        let mut outputs = BTreeMap::new();
        for step in 1..=steps {
            for (name, value) in (self.inputs)(step) {
                let name = format!("input.{name}");
                if program.buffer(&name).is_some() {
                    program.write(&mut memory, &name, &value);
                }
            }
            let args = StepArgs { step, seed: self.seed, hypers: &hypers };
            let result = program.run(&mut memory, &mut pool, &args);
            assert_eq!(result, Ok(()), "step {step}");
            if step == 1 {
                let output = |name: String| {
                    let value = program.read(&memory, StepOutput::from(&name));
                    (name, floats(&value))
                };
                outputs = self.output_names().map(output).collect();
            }
        }
        let left = |(name, value): (String, Tensor)| {
            let value = match program.buffer(&name) {
                Some(_) => program.read(&memory, &name),
                None => value,
            };
            (name, floats(&value))
        };
        Left { outputs, kept: first.into_iter().map(left).collect() }
    }
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.as_f32().to_vec()
}
