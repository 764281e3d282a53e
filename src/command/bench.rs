//! The measurement of `nnc bench`: one compiled step on inputs of the right kind, without data.

use crate::base::rng::{Sequence, hash_name};
use crate::base::tensor::{DType, Data, Tensor};
use crate::command::peak::fma_peak;
use crate::driver::compiled::KernelOrigin;
use crate::driver::memory::refuse_too_large;
use crate::driver::session::{Failure, Request, Session};
use crate::graph::init::initial_values;
use crate::graph::{Graph, InputId, Node, NodeId, Op, OpKind};
use crate::loops::work::operations;
use crate::loops::{Action, Program as Loops, StepIo};
use crate::runtime::pool::Pool;
use crate::runtime::program::{CompiledProgram, Marks, RunMemory, StepArgs};
use crate::schedule::Globals;
use std::time::{Duration, Instant};

/// A step that is ready to be timed.
pub struct TimedStep {
    /// The model.
    pub model: String,
    /// Samples a step.
    pub batch: usize,
    /// Floating-point operations of the step's contractions, two for each product and sum.
    pub flops: u64,
    /// Barriers of a step, the one at its end included.
    pub barriers: usize,
    /// Bytes of memory.
    pub memory_bytes: usize,
    /// Seconds from reading the file until the first step begins.
    pub ready_seconds: f64,
    /// Seconds from reading the file to the end of the first step.
    pub first_step_seconds: f64,
    /// Operations a second that all threads reach together at best.
    pub peak: f64,
    program: CompiledProgram,
    memory: RunMemory,
    hypers: Vec<f64>,
    origins: Vec<Option<KernelOrigin>>,
}

/// Seconds a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BenchTimes {
    /// The median of all rounds.
    pub median: f64,
    /// The fastest round.
    pub fastest: f64,
    /// Steps measured.
    pub steps: usize,
}

/// Compiles a step, fills its inputs, and runs it once.
pub fn bench(
    session: &mut Session,
    request: &Request,
    inference: bool,
    batch: Option<usize>,
    pool: &mut Pool,
) -> Result<TimedStep, Failure> {
    let start = Instant::now();
    let front = session.front(request, false)?;
    let batch = batch.unwrap_or_else(|| front.batch());
    let classes = front.source.and_then(|source| source.schema).and_then(|schema| schema.classes());
    let model = front.experiment.model.clone();
    let graph = if inference {
        session.elaborated(front.experiment.eval)?
    } else {
        session.training_graph(front.experiment)?
    };
    let compiled = session.compile(&graph, batch, &mut Globals::default(), &request.target)?;
    let program = compiled.program;
    refuse_too_large(session, request, &[&program], pool.threads(), 0)?;
    let memory = RunMemory::for_programs([&program], pool.threads());
    let hypers = program.loops().uniforms.hypers.iter().map(|&(_, value)| value).collect();
    let loops = program.loops();
    let mut bench = TimedStep {
        model,
        batch,
        flops: flops(loops),
        barriers: 1 + loops.barriers(),
        memory_bytes: memory.bytes(),
        ready_seconds: 0.0,
        first_step_seconds: 0.0,
        peak: 0.0,
        program,
        memory,
        hypers,
        origins: compiled.origins,
    };
    bench.fill(&graph, classes.unwrap_or(2), pool);
    bench.ready_seconds = start.elapsed().as_secs_f64();
    bench.step(1, pool);
    bench.first_step_seconds = start.elapsed().as_secs_f64();
    bench.peak = fma_peak(&request.target, pool);
    Ok(bench)
}

impl TimedStep {
    /// First values for parameters and states, random inputs.
    fn fill(&mut self, graph: &Graph, classes: usize, pool: &mut Pool) {
        for (path, value) in initial_values(graph, 0) {
            if self.program.buffer(&path).is_some() {
                self.program.write(&mut self.memory, &path, &value);
            }
        }
        for (id, input) in graph.inputs.iter() {
            if let Some(buffer) = self.program.input(&input.name) {
                let name = StepIo::input_name(&input.name);
                let shape = input.ty.shape.at(self.batch);
                let classes = index_bound(graph, id).unwrap_or(classes);
                let value = random(input.ty.dtype, shape, &name, classes);
                self.program.write(&mut self.memory, buffer, &value);
            }
        }
        self.program.refresh(&mut self.memory, pool);
    }

    fn step(&mut self, step: u64, pool: &mut Pool) {
        let args = StepArgs { step, seed: 0, hypers: &self.hypers };
        // Indices are in range where an operator takes them as they are; others cost the same time.
        let _ = self.program.run(&mut self.memory, pool, &args);
    }

    /// The program that is timed.
    pub(crate) fn program(&self) -> &CompiledProgram {
        &self.program
    }

    /// For each action of the step, the operator and phase that it belongs to; `None` for barriers.
    pub(crate) fn origins(&self) -> &[Option<KernelOrigin>] {
        &self.origins
    }

    /// Runs a step of the same program in timed code.
    pub(crate) fn timed_step(
        &mut self,
        timed: &CompiledProgram,
        step: u64,
        pool: &mut Pool,
        marks: &mut Marks,
    ) {
        let args = StepArgs { step, seed: 0, hypers: &self.hypers };
        // As in `step`.
        let _ = timed.run_timed(&mut self.memory, pool, &args, marks);
    }

    /// Runs rounds of steps for about so many seconds.
    pub fn measure(&mut self, pool: &mut Pool, seconds: f64) -> BenchTimes {
        const ROUND: Duration = Duration::from_millis(20);
        let mut number = 1;
        let mut rounds: Vec<f64> = Vec::new();
        let start = Instant::now();
        while rounds.len() < 3 || start.elapsed().as_secs_f64() < seconds {
            let (first, round) = (number, Instant::now());
            while number == first || round.elapsed() < ROUND {
                number += 1;
                self.step(number, pool);
            }
            rounds.push(round.elapsed().as_secs_f64() / (number - first) as f64);
        }
        rounds.sort_by(f64::total_cmp);
        BenchTimes {
            median: rounds[rounds.len() / 2],
            fastest: rounds[0],
            steps: number as usize - 1,
        }
    }
}

/// How many indices are in range for all operators that take them from an input: rows of a table,
/// elements of a row to pick from.
fn index_bound(graph: &Graph, input: InputId) -> Option<usize> {
    let reads_input = |mut node: NodeId| {
        while graph.nodes[node].op.kind() == OpKind::View {
            node = graph.nodes[node].args[0];
        }
        graph.nodes[node].op == Op::Input(input)
    };
    let bound = |node: &Node| {
        let [from, index] = node.args[..] else { return None };
        let shape = &graph.ty(from).shape;
        let axis = match node.op {
            Op::Gather(axis) => axis,
            Op::Pick => shape.rank().checked_sub(1)?,
            _ => return None,
        };
        shape.get(axis)?.known().filter(|_| reads_input(index))
    };
    graph.nodes.values().filter_map(bound).min()
}

/// A random tensor: floats in [0, 1), any bytes, integers that are classes.
pub(crate) fn random(dtype: DType, shape: Vec<usize>, name: &str, classes: usize) -> Tensor {
    let mut sequence = Sequence::new(0, hash_name(name));
    let len = shape.iter().product();
    let classes = u32::try_from(classes.max(1)).expect("fewer than 2^32 classes");
    let mut values = (0..len).map(|_| sequence.word());
    let data = match dtype {
        DType::F32 => Data::F32(values.map(crate::base::rng::unit_f32).collect()),
        DType::F64 => Data::F64(values.map(|word| f64::from(word) / 2f64.powi(32)).collect()),
        DType::I32 => Data::I32(values.map(|word| (word % classes) as i32).collect()),
        DType::U8 => Data::U8(values.map(|word| word as u8).collect()),
        DType::Bool => Data::Bool(values.by_ref().map(|word| word & 1 == 1).collect()),
    };
    Tensor::new(shape, data)
}

/// Operations of a step's contractions, two for each product and sum.
pub fn flops(program: &Loops) -> u64 {
    fn of(program: &Loops, actions: &[Action]) -> u64 {
        let action = |action: &Action| match action {
            Action::Run { kernel, .. } => operations(&program.kernels[*kernel]).contraction,
            Action::Loop { steps, body, .. } => *steps as u64 * of(program, body),
            Action::Barrier => 0,
        };
        actions.iter().map(action).sum()
    }
    of(program, &program.actions)
}
