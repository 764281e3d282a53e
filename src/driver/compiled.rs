//! A compiled step, and what each of its kernels is for: its name, where in the user's files it comes
//! from, the part of the step that it belongs to.

use crate::base::entity::Entity;
use crate::base::source::{Sources, Span};
use crate::codegen::MachineCode;
use crate::graph::kernels::Kernels;
use crate::graph::{Graph, NodeId, Op, OriginId, Type};
use crate::loops::Planned;
use crate::lower;
use crate::runtime::program::CompiledProgram;

/// A step as loops over planned memory.
pub(crate) struct PlannedStep {
    /// The loops.
    pub program: Planned,
    /// The operators whose indices come from data, as `Inst::Checked` numbers them.
    pub bounds_checks: Vec<NodeId>,
    /// A name and a node for each action; `None` for barriers.
    pub infos: Vec<Option<lower::KernelInfo>>,
}

/// A compiled step.
pub struct CompiledStep {
    /// The code.
    pub program: CompiledProgram,
    /// Samples a step.
    pub batch: usize,
    /// Where in the user's files each operator stands whose indices come from data.
    pub bounds_checks: Vec<Option<Span>>,
    /// How many indices each of them takes from a sample.
    pub indices: Vec<usize>,
    /// For each of the program's actions, its operator and phase; `None` for barriers.
    pub origins: Vec<Option<KernelOrigin>>,
}

impl CompiledStep {
    /// A step's code, with the places and origins of its operators.
    pub(crate) fn new(
        sources: &Sources,
        kernels: &Kernels,
        batch: usize,
        step: PlannedStep,
        code: MachineCode,
    ) -> CompiledStep {
        let graph = &kernels.graph;
        let PlannedStep { bounds_checks, infos, .. } = step;
        let forward = forward(graph);
        let origin = |made: lower::KernelInfo| KernelOrigin::new(sources, graph, &forward, made);
        CompiledStep {
            program: CompiledProgram::new(code),
            batch,
            bounds_checks: bounds_checks.iter().map(|&node| place(sources, graph, node)).collect(),
            indices: bounds_checks
                .iter()
                .map(|&node| indices_a_sample(graph, node, batch))
                .collect(),
            origins: infos.into_iter().map(|made| made.map(origin)).collect(),
        }
    }
}

/// The operator and phase to which a run of a kernel belongs.
#[derive(Clone, Debug)]
pub struct KernelOrigin {
    /// The layer and operator: `dense.matmul`.
    pub name: String,
    /// The place in the user's files that asks for it: `models/mnist.nn:5:25`.
    pub place: Option<String>,
    /// The place that it serves: of an update, where the parameter's layer is called.
    pub line: Option<Span>,
    /// The part of the step that it belongs to.
    pub phase: Phase,
}

impl KernelOrigin {
    fn new(
        sources: &Sources,
        graph: &Graph,
        forward: &[bool],
        made: lower::KernelInfo,
    ) -> KernelOrigin {
        let asked = made.node.and_then(|node| place(sources, graph, node));
        let param = made.title.param(graph).map(|id| &graph.params[id]);
        let served = param.and_then(|param| own_place(sources, graph, param.origin?));
        let is_forward = made.node.is_none_or(|node| forward[node.index()]);
        KernelOrigin {
            place: asked.map(|span| sources.place(span)),
            line: served.or(asked),
            phase: match param {
                Some(_) => Phase::Update,
                None if is_forward => Phase::Forward,
                None => Phase::Backward,
            },
            name: made.title.text(graph),
        }
    }
}

/// A part of a training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The loss, the output, metrics, and their operands.
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
    let outputs = graph.outputs.iter().filter(|output| output.name.is_forward());
    graph.behind(outputs.map(|output| output.node))
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
