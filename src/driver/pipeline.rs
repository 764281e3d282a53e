//! The pipeline, stage by stage: what is called in which order, verified after each.

use crate::base::entity::Entity;
use crate::base::source::{Sources, Span};
use crate::codegen::jit::Code;
use crate::codegen::{self, Target};
use crate::driver::session::{Failure, Session};
use crate::elaborate::Experiment;
use crate::graph::kernels::Kernels;
use crate::graph::rule::LOSS_WEIGHT;
use crate::graph::{self, Graph, NodeId, Op, OriginId, Type, UpdateRule};
use crate::loops;
use crate::lower::{self, Globals, Lowered};
use crate::pass::{autodiff, bind, cse, dce, fuse, simplify, update};
use crate::runtime::program::Program;
use rayon::prelude::*;

/// Graphs of more operators than this are fused one after the other: each takes memory.
const MOST_AT_ONCE: usize = 20_000;

/// A compiled step.
pub struct Compiled {
    /// The code.
    pub program: Program,
    /// Samples a step.
    pub batch: usize,
    /// Where in the user's files each operator stands whose indices come from data.
    pub sites: Vec<Option<Span>>,
    /// How many indices each of them takes from a sample.
    pub indices: Vec<usize>,
    /// What each of the program's actions is for; none for barriers.
    pub purposes: Vec<Option<Purpose>>,
}

/// What a run of a kernel is for.
#[derive(Clone, Debug)]
pub struct Purpose {
    /// What it computes: `dense.matmul`.
    pub name: String,
    /// The place in the user's files that asks for it: `models/mnist.nn:5:25`.
    pub place: Option<String>,
    /// The place that it serves: of an update, where the parameter's layer is called.
    pub line: Option<Span>,
    /// The part of the step that it belongs to.
    pub phase: Phase,
}

/// A part of a training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// What the loss, the output and metrics are computed from.
    Forward,
    /// Gradients.
    Backward,
    /// The optimiser's rule.
    Update,
}

impl Phase {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Forward => "forward",
            Phase::Backward => "backward",
            Phase::Update => "update",
        }
    }
}

/// Which nodes of a step belong to its forward pass: those that the loss, the output or a metric
/// depends on.
fn forward(graph: &Graph) -> Vec<bool> {
    let is_forward =
        |name: &str| matches!(name, "loss" | LOSS_WEIGHT | "output") || name.starts_with("metric.");
    let outputs = graph.outputs.iter().filter(|output| is_forward(&output.name));
    let mut open: Vec<NodeId> = outputs.map(|output| output.node).collect();
    let mut forward = vec![false; graph.nodes.len()];
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut forward[node.index()], true) {
            open.extend(&graph.nodes[node].args);
        }
    }
    forward
}

/// The parameter that a kernel updates or lays out anew, by the kernel's name:
/// `dense.weight.update`, `dense.weight^T`.
fn updated(name: &str) -> Option<&str> {
    name.strip_suffix(".update").or_else(|| name.split_once('^').map(|(path, _)| path))
}

/// The type of what an operator takes as indices.
pub(crate) fn indices(graph: &Graph, node: NodeId) -> &Type {
    let node = &graph.nodes[node];
    // `pick(x, index)` and `gather(table, index)`, but `scatter_add(index, values)`.
    let scatters = matches!(node.op, Op::ScatterAdd { .. });
    graph.ty(node.args[usize::from(!scatters)])
}

/// How many indices an indexed operator takes from each sample of a batch; at least 1.
pub(crate) fn indices_a_sample(graph: &Graph, node: NodeId, batch: usize) -> usize {
    let elements: usize = indices(graph, node).shape.at(batch).iter().product();
    (elements / batch).max(1)
}

/// Where in the user's files a node comes from.
pub(crate) fn place(sources: &Sources, graph: &Graph, node: NodeId) -> Option<Span> {
    own_place(sources, graph, graph.nodes[node].origin?)
}

/// Where in the user's files an origin is.
fn own_place(sources: &Sources, graph: &Graph, origin: OriginId) -> Option<Span> {
    let mut chain = graph.origins.chain(origin);
    chain.find(|origin| !sources.file(origin.span.file).builtin).map(|at| at.span)
}

impl Session {
    /// One pass over graphs.
    pub(crate) fn graph_pass(
        &mut self,
        pass: &crate::pass::Pass,
        before: &Graph,
        work: impl FnOnce(&Graph) -> Graph,
    ) -> Result<Graph, Failure> {
        self.pass(
            pass.name,
            || before.to_string(),
            || work(before),
            graph::verify::verify,
            Graph::to_string,
        )
    }

    /// The graph of a training step, its batch still a symbol; of a model that nothing trains, the
    /// forward graph.
    pub fn training_graph(&mut self, experiment: Experiment) -> Result<Graph, Failure> {
        let forward = self.elaborated(experiment.train)?;
        match experiment.training {
            Some(training) => self.differentiate(&forward, &training.rule),
            None => Ok(forward),
        }
    }

    /// A step for a batch, compiled.
    pub fn compile(
        &mut self,
        graph: &Graph,
        batch: usize,
        globals: &mut Globals,
        target: &Target,
    ) -> Result<Compiled, Failure> {
        let kernels = self.fuse(graph, batch)?;
        let lowered = self.lower(&kernels, globals)?;
        let program = self.plan(lowered.program, globals)?;
        let nodes = lowered.sites.iter();
        let sites = nodes.clone().map(|&node| place(&self.sources, &kernels.graph, node));
        let indices = nodes.map(|&node| indices_a_sample(&kernels.graph, node, batch));
        let (sites, indices) = (sites.collect(), indices.collect());
        let forward = forward(&kernels.graph);
        let purpose = |purpose: lower::KernelInfo| {
            let graph = &kernels.graph;
            let asked = purpose.node.and_then(|node| place(&self.sources, graph, node));
            let param = updated(&purpose.name)
                .and_then(|path| graph.params.values().find(|param| param.path == path));
            let served = param.and_then(|param| own_place(&self.sources, graph, param.origin?));
            let is_forward = purpose.node.is_none_or(|node| forward[node.index()]);
            Purpose {
                place: asked.map(|span| self.sources.place(span)),
                line: served.or(asked),
                phase: match param {
                    Some(_) => Phase::Update,
                    None if is_forward => Phase::Forward,
                    None => Phase::Backward,
                },
                name: purpose.name,
            }
        };
        let purposes = lowered.purposes.into_iter().map(|it| it.map(purpose)).collect();
        let code = self.codegen(&program, target)?;
        Ok(Compiled { program: Program::new(program, code), batch, sites, indices, purposes })
    }

    /// The elaborated graph, verified and, if wanted, shown.
    pub fn elaborated(&mut self, graph: Graph) -> Result<Graph, Failure> {
        self.pass("graph", String::new, || graph, graph::verify::verify, Graph::to_string)
    }

    /// A training step from a forward graph: its gradients, and the optimiser's rule for each
    /// parameter. The batch is still a symbol.
    pub fn differentiate(&mut self, forward: &Graph, rule: &UpdateRule) -> Result<Graph, Failure> {
        self.derive(forward, rule, false)
    }

    /// The same step with all gradients among its outputs, those of the inputs too.
    pub fn differentiate_openly(
        &mut self,
        forward: &Graph,
        rule: &UpdateRule,
    ) -> Result<Graph, Failure> {
        self.derive(forward, rule, true)
    }

    /// The step that only adds gradients up, for an update that a later one makes.
    pub fn gather(&mut self, forward: &Graph, rule: &UpdateRule) -> Result<Graph, Failure> {
        let wrt = autodiff::Wrt { inputs: false };
        let graph = self.graph_pass(&autodiff::PASS, forward, |graph| autodiff::run(graph, wrt))?;
        self.graph_pass(&update::PASS, &graph, |graph| update::gather(graph, rule))
    }

    fn derive(&mut self, forward: &Graph, rule: &UpdateRule, open: bool) -> Result<Graph, Failure> {
        let wrt = autodiff::Wrt { inputs: open };
        let graph = self.graph_pass(&autodiff::PASS, forward, |graph| autodiff::run(graph, wrt))?;
        self.graph_pass(&update::PASS, &graph, |graph| update::run(graph, rule, open))
    }

    /// A graph's kernels for a batch.
    pub fn fuse(&mut self, graph: &Graph, batch: usize) -> Result<Kernels, Failure> {
        self.kernels(graph, batch, fuse::run)
    }

    /// The kernels of several steps, each a graph and a batch, on all processors: nothing of one is
    /// needed for another. Of several failures, the first step's.
    pub(crate) fn fuse_all(&mut self, steps: &[(&Graph, usize)]) -> Result<Vec<Kernels>, Failure> {
        let fuse = |&(graph, batch): &(&Graph, usize)| {
            let mut own = self.beside();
            own.sources = self.sources.clone();
            let kernels = own.fuse(graph, batch);
            (kernels, own.timings)
        };
        let large = steps.iter().any(|(graph, _)| graph.nodes.len() > MOST_AT_ONCE);
        let made: Vec<_> = match large {
            true => steps.iter().map(fuse).collect(),
            false => steps.par_iter().map(fuse).collect(),
        };
        let times = made.iter().flat_map(|(_, timings)| timings);
        times.for_each(|timing| self.add_time(&timing.pass, timing.seconds));
        made.into_iter().map(|(kernels, _)| kernels).collect()
    }

    /// A graph's operators as kernels of their own.
    pub(crate) fn keep_apart(&mut self, graph: &Graph, batch: usize) -> Result<Kernels, Failure> {
        self.kernels(graph, batch, fuse::apart)
    }

    fn kernels(
        &mut self,
        graph: &Graph,
        batch: usize,
        cut: impl FnOnce(&Graph) -> Kernels,
    ) -> Result<Kernels, Failure> {
        self.check_batch(graph, batch)?;
        let graph = self.graph_pass(&bind::PASS, graph, |graph| bind::run(graph, batch))?;
        let graph = self.graph_pass(&simplify::PASS, &graph, simplify::run)?;
        let graph = self.graph_pass(&cse::PASS, &graph, cse::run)?;
        let graph = self.graph_pass(&dce::PASS, &graph, dce::run)?;
        self.pass(
            fuse::PASS.name,
            || graph.to_string(),
            || cut(&graph),
            |kernels| graph::verify::verify(&kernels.graph),
            |kernels| graph::print::print_kernels(kernels, None),
        )
    }

    /// Kernels as loops.
    pub fn lower(&mut self, kernels: &Kernels, globals: &mut Globals) -> Result<Lowered, Failure> {
        let before = || graph::print::print_kernels(kernels, None);
        self.pass(
            "loops",
            before,
            || lower::run(kernels, globals),
            |lowered| loops::verify::verify(&lowered.program),
            |lowered| lowered.program.to_string(),
        )
    }

    /// Loops over planned memory.
    pub fn plan(
        &mut self,
        mut program: loops::Program,
        globals: &mut Globals,
    ) -> Result<loops::Program, Failure> {
        let before = program.clone();
        self.pass(
            "plan",
            || before.to_string(),
            || {
                lower::plan::run(&mut program, globals);
                program
            },
            loops::verify::verify,
            plan_text,
        )
    }

    /// Machine code of a program of loops.
    pub fn codegen(&mut self, program: &loops::Program, target: &Target) -> Result<Code, Failure> {
        let before = || program.to_string();
        let object = self.pass(
            "clif",
            before,
            || codegen::emit(program, target),
            |_| Ok(()),
            |_| codegen::object::clif_text(program, target),
        )?;
        self.pass(
            "asm",
            before,
            || codegen::jit::link(&object),
            |_| Ok(()),
            |_| codegen::object::assembly_text(&object),
        )
    }
}

/// A planned program, and its plan as a comment.
pub(crate) fn plan_text(program: &loops::Program) -> String {
    format!("{program}{}", lower::plan::table(program))
}
