//! Cases: a graph before autodiff, what it is given, and how nnc runs it.
//!
//! A case is made of a random program (its gradients in most, its evaluation in some) or of a
//! random net that is trained. Every second program lies on edges: its inputs are multiples of a half
//! and its parameters of a quarter, so that ties, zeros and jumps are met exactly. In the others,
//! parameters are moved away from the zeros and ones at which biases and scales begin.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nnc::base::rng::{Sequence, element_word, hash_name, unit_f32};
use nnc::base::tensor::{Data, Tensor};
use nnc::graph::init::initial_value;
use nnc::graph::{Graph, Op};
use nnc::pass::bind;

use super::nets::{Net, random_net};
use super::support::engines::{Engine, Job, Tensors, targets};
use super::support::pipeline::{training_with_gradients, try_experiment};
use super::support::random_program::{RandomProgram, random_program};

/// Of the names that inputs have among what is given.
const INPUT: &str = "input.";
/// How many steps a net is trained.
pub const STEPS: u64 = 20;
/// Of so many programs, the last is evaluated only.
const EVALUATED: u64 = 6;
/// Of so many programs, one lies on edges.
const EDGES: u64 = 2;
/// After so many seeds, programs begin with the same productions again.
const ROUND: u64 = 36;

/// What a case is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The random program of a seed.
    Program(u64),
    /// The random net of a seed, with its optimiser.
    Net(u64),
}

/// What is computed of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The outputs outside training.
    Evaluation,
    /// Outputs, gradients and states of one step.
    Gradients,
    /// The outputs of the first step, parameters and states after [`STEPS`].
    Training,
}

/// A case.
pub struct Case {
    pub source: Source,
    pub mode: Mode,
    /// Whether inputs and parameters lie where functions have kinks and jumps, so that a small
    /// change of them is no small change.
    pub edges: bool,
    /// The program.
    pub text: String,
    pub batch: usize,
    /// The forward graph, its batch a number.
    pub forward: Graph,
    /// The step that nnc compiles.
    step: Graph,
    /// `input.NAME`, `param.PATH`, `state.PATH`, `uniform.STREAM`.
    pub given: Tensors,
    /// The optimiser and its settings as JSON, of [`Mode::Training`].
    pub training: String,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Program(seed) => write!(f, "program {seed}"),
            Source::Net(seed) => write!(f, "net {seed}"),
        }
    }
}

impl Source {
    fn seed(self) -> u64 {
        match self {
            Source::Program(seed) | Source::Net(seed) => seed,
        }
    }

    /// Its case.
    pub fn case(self) -> Result<Case, String> {
        match self {
            Source::Program(seed) => Case::of_program(seed, &random_program(seed)),
            Source::Net(seed) => Case::of_net(seed, &random_net(seed)),
        }
    }

    /// Compiled code for one of the processor's targets, on one to five threads.
    fn engine(self) -> Engine {
        let targets: Vec<_> = targets().collect();
        let round = self.seed() as usize;
        let threads = [2, 1, 3, 2, 1, 4, 2, 5, 1];
        Engine::Compiled(targets[round % targets.len()], threads[round % threads.len()])
    }
}

impl Mode {
    /// The mode's name in `torch_random.py`.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Evaluation => "evaluation",
            Mode::Gradients => "gradients",
            Mode::Training => "training",
        }
    }
}

impl Case {
    /// The case of a program, which may have been made smaller.
    pub fn of_program(seed: u64, program: &RandomProgram) -> Result<Case, String> {
        let text = program.text();
        let experiment = try_experiment(&text, Vec::new())?;
        // Not the seed alone, so that each production gets each of them.
        let turn = seed + seed / ROUND;
        let edges = turn.is_multiple_of(EDGES);
        let (mode, forward, step) = match turn % EVALUATED == EVALUATED - 1 {
            true => (Mode::Evaluation, &experiment.eval, experiment.eval.clone()),
            false => (Mode::Gradients, &experiment.train, training_with_gradients(&experiment)),
        };
        let batch = program.batch;
        let inputs = program.env(forward, batch, seed).inputs;
        let mut given = given(forward, batch, seed, inputs);
        match edges {
            true => to_edges(&mut given),
            false => off_edges(&mut given, seed),
        }
        Ok(Case {
            source: Source::Program(seed),
            mode,
            edges,
            text,
            batch,
            forward: bind::run(forward, batch),
            step,
            given,
            training: String::new(),
        })
    }

    fn of_net(seed: u64, net: &Net) -> Result<Case, String> {
        let text = net.text();
        let experiment = try_experiment(&text, Vec::new())?;
        let step = training_with_gradients(&experiment);
        let batch = net.batch;
        let mut given = given(&experiment.train, batch, seed, net.inputs(seed));
        off_edges(&mut given, seed);
        Ok(Case {
            source: Source::Net(seed),
            mode: Mode::Training,
            edges: false,
            text,
            batch,
            forward: bind::run(&experiment.train, batch),
            step,
            given,
            training: net.training(STEPS).to_string(),
        })
    }

    /// Tells this program and batch from others.
    pub fn hash(&self) -> u64 {
        hash_name(&format!("{} {:?} {}\n{}", self.source, self.mode, self.batch, self.text))
    }

    /// What nnc computes, by PyTorch's names.
    pub fn ours(&self) -> Result<BTreeMap<String, Vec<f32>>, String> {
        catch_unwind(AssertUnwindSafe(|| self.run())).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or(panic.downcast_ref::<&str>().map(ToString::to_string));
            format!("panic: {}", text.unwrap_or_default())
        })
    }

    fn run(&self) -> BTreeMap<String, Vec<f32>> {
        let part = |prefix: &str| -> Tensors {
            let named = self.given.iter().filter_map(|(name, tensor)| {
                Some((name.strip_prefix(prefix)?.to_string(), tensor.clone()))
            });
            named.collect()
        };
        let inputs = part(INPUT);
        let job = Job {
            graph: self.step.clone(),
            batch: self.batch,
            seed: self.source.seed(),
            given: part("param.").into_iter().chain(part("state.")).collect(),
            inputs: Box::new(move |_| inputs.clone()),
        };
        let steps = if self.mode == Mode::Training { STEPS } else { 1 };
        let left = self.source.engine().run(&job, steps);
        let forward = |name: &String| self.forward.output(name).is_some();
        let gradient = |name: &String| self.mode == Mode::Gradients && name.starts_with("grad.");
        let mut found: BTreeMap<String, Vec<f32>> = left.outputs;
        found.retain(|name, _| forward(name) || gradient(name));
        if self.mode != Mode::Evaluation {
            for state in self.forward.states.values() {
                found.insert(format!("state.{}", state.path), left.kept[&state.path].clone());
            }
        }
        if self.mode == Mode::Training {
            for param in self.forward.params.values() {
                found.insert(format!("param.{}", param.path), left.kept[&param.path].clone());
            }
        }
        found
    }
}

/// What a graph's first step is given.
fn given(graph: &Graph, batch: usize, seed: u64, inputs: Tensors) -> Tensors {
    let mut given: Tensors =
        inputs.into_iter().map(|(name, tensor)| (format!("{INPUT}{name}"), tensor)).collect();
    for param in graph.params.values() {
        let value = initial_value(&param.init, &param.ty, &param.path, seed);
        given.insert(format!("param.{}", param.path), value);
    }
    for state in graph.states.values() {
        let value = initial_value(&state.init, &state.ty, &state.path, seed);
        given.insert(format!("state.{}", state.path), value);
    }
    for node in graph.nodes.values() {
        if let Op::Uniform { stream, .. } = node.op {
            let shape = node.ty.shape.at(batch);
            let count = shape.iter().product();
            let draw = |at| unit_f32(element_word(seed, 1, stream, at));
            let value = Tensor::f32(shape, (0..count).map(draw).collect());
            given.insert(format!("uniform.{stream}"), value);
        }
    }
    given
}

/// Rounds floats, inputs to halves and parameters to quarters.
fn to_edges(given: &mut Tensors) {
    for (name, tensor) in given {
        let steps = match name.split_once('.') {
            Some(("input", _)) => 2.0,
            Some(("param", _)) => 4.0,
            _ => continue,
        };
        if let Data::F32(values) = &mut tensor.data {
            values.iter_mut().for_each(|value| *value = (*value * steps).round() / steps);
        }
    }
}

/// Moves parameters by up to a quarter.
fn off_edges(given: &mut Tensors, seed: u64) {
    for (name, tensor) in given.iter_mut().filter(|(name, _)| name.starts_with("param.")) {
        let mut sequence = Sequence::new(seed, hash_name(name));
        if let Data::F32(values) = &mut tensor.data {
            values.iter_mut().for_each(|value| *value += 0.5 * sequence.unit() as f32 - 0.25);
        }
    }
}
