//! Reverse-mode differentiation: a graph with a `loss` in, the same graph with gradients out.
//!
//! ```text
//! %4 = pick %3, %1 : f32[N]          the same nodes, then
//! …                                 %9 = where … : f32[N, 10]
//! output loss = %6                  %12 = matmul transpose_a %2, %9 : f32[784, 10]
//!                                   output grad.dense.weight = %12
//! ```
//!
//! Every parameter gets an output `grad.PATH` (zeros where the loss doesn't depend on it); with
//! [`Wrt::inputs`] every `f32` input gets `grad.input.NAME`. Old nodes keep their ids. The walk
//! goes backwards over the nodes, asks the rule table ([`derivative`](super::derivative)) what
//! each gradient means for the node's arguments, and adds up what reaches a node in the order in
//! which it is met: last use first, the same every time. A gradient has its node's origin.
//!
//! It builds nothing for nodes that lead to no wanted leaf, and simplifies nothing: sums with
//! zeros, double negations and equal subexpressions are for the passes after it.

mod scan;

use crate::base::entity::Entity;
use crate::base::step_output::StepOutput;
use crate::base::tensor::DType;
use crate::graph::scan::{Bodies, Unit, units};
use crate::graph::{Graph, Node, NodeId, Op, OriginId, Output, Type};
use crate::pass::derivative::{self, Differentiated, Finite};
use crate::pass::emit::Emit;
use crate::pass::{Gradients, Pass, TrainingStep};

/// This pass.
pub const PASS: Pass<TrainingStep> = Pass {
    name: "autodiff",
    description: "adds the loss's gradient by every parameter",
    run: |graph, step| run(graph, Wrt { inputs: step.gradients == Gradients::Shown }),
};

/// Values to differentiate by, besides the parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wrt {
    /// The `f32` inputs too.
    pub inputs: bool,
}

/// Adds the gradients of the output `loss`, an `f32` scalar, which the graph must have.
pub fn run(graph: &Graph, wrt: Wrt) -> Graph {
    let loss = graph.output(StepOutput::Loss).expect("a graph to differentiate has a loss");
    let wanted = wanted(graph, wrt);
    let mut emit = Emit::resume(graph.clone());
    let gradients = walk(&mut emit, loss, &wanted);
    let outputs = outputs(&mut emit, wrt, &gradients);
    let mut graph = emit.finish();
    graph.outputs.extend(outputs);
    graph
}

/// For each node, whether a gradient can flow through it to a leaf that is asked for.
fn wanted(graph: &Graph, wrt: Wrt) -> Vec<bool> {
    let mut wanted = vec![false; graph.nodes.len()];
    // Once where there are no carries: what is handed on comes later in the list.
    loop {
        let mut grown = false;
        for (id, node) in graph.nodes.iter() {
            let leaf = match wrt.inputs {
                true => matches!(node.op, Op::Param(_) | Op::Input(_)),
                false => matches!(node.op, Op::Param(_)),
            };
            let mut reads = graph.reads(id);
            let through = derivative::flows(&node.op) && reads.any(|read| wanted[read.index()]);
            let wants = node.ty.dtype == DType::F32 && (leaf || through);
            grown |= wants != wanted[id.index()];
            wanted[id.index()] = wants;
        }
        if !grown || graph.carries.is_empty() {
            return wanted;
        }
    }
}

/// The walk back from the loss.
struct Walk<'a> {
    emit: &'a mut Emit,
    wanted: &'a [bool],
    finite: Finite,
    /// The gradient of the loss by each old node that has one.
    gradients: Vec<Option<NodeId>>,
}

/// The gradient of the loss by each old node that has one.
fn walk(emit: &mut Emit, loss: NodeId, wanted: &[bool]) -> Vec<Option<NodeId>> {
    let finite = Finite::of(emit.graph());
    let bodies = Bodies::of(emit.graph());
    let units = units(emit.graph(), &bodies).expect("a verified graph");
    let mut walk = Walk { emit, wanted, finite, gradients: vec![None; wanted.len()] };
    if wanted[loss.index()] {
        walk.gradients[loss.index()] = Some(walk.emit.like(loss, 1.0));
    }
    for unit in units.into_iter().rev() {
        match unit {
            // Its scan takes the gradient.
            Unit::Node(node) if matches!(walk.emit.graph().nodes[node].op, Op::ScanStack(_)) => {}
            Unit::Node(node) => walk.node(node),
            Unit::Scan(scan) => scan::flow(&mut walk, scan, &bodies),
        }
    }
    walk.gradients
}

impl Walk<'_> {
    /// Adds to a node's gradient.
    fn add(&mut self, node: NodeId, flow: NodeId) {
        let sum = match self.gradients[node.index()] {
            None => flow,
            Some(sum) => self.emit.add(sum, flow),
        };
        self.gradients[node.index()] = Some(sum);
    }

    /// The gradients of a node's arguments, by its own.
    fn node(&mut self, node: NodeId) {
        let Some(gradient) = self.gradients[node.index()] else { return };
        let Node { args, origin, .. } = self.emit.graph().nodes[node].clone();
        self.emit.builder.set_origin(origin);
        let wants: Vec<bool> = args.iter().map(|arg| self.wanted[arg.index()]).collect();
        let of = Differentiated { node, value: node, args: args.to_vec() };
        let flows = derivative::gradients(self.emit, of, gradient, &wants, &self.finite);
        for ((arg, flow), wants) in args.into_iter().zip(flows).zip(wants) {
            if let (Some(flow), true) = (flow, wants) {
                self.add(arg, flow);
            }
        }
    }
}

/// The outputs to add: the gradients of all nodes that read a parameter, or an input, summed.
fn outputs(emit: &mut Emit, wrt: Wrt, gradients: &[Option<NodeId>]) -> Vec<Output> {
    let graph = emit.graph();
    let (mut of_params, mut of_inputs) =
        (vec![Vec::new(); graph.params.len()], vec![Vec::new(); graph.inputs.len()]);
    for (node, gradient) in graph.nodes.values().zip(gradients) {
        if let Op::Param(id) = node.op {
            of_params[id.index()].extend(*gradient);
        } else if let Op::Input(id) = node.op {
            of_inputs[id.index()].extend(*gradient);
        }
    }
    let mut leaves: Vec<(StepOutput, Type, Option<OriginId>, Vec<NodeId>)> = Vec::new();
    for (param, parts) in graph.params.values().zip(of_params) {
        let name = StepOutput::Gradient(param.path.clone());
        leaves.push((name, param.ty.clone(), param.origin, parts));
    }
    for (input, parts) in graph.inputs.values().zip(of_inputs) {
        if wrt.inputs && input.ty.dtype == DType::F32 {
            let name = StepOutput::InputGradient(input.name.clone());
            leaves.push((name, input.ty.clone(), None, parts));
        }
    }
    let mut outputs = Vec::new();
    for (name, ty, origin, parts) in leaves {
        emit.builder.set_origin(origin);
        let sum = parts.into_iter().reduce(|sum, part| emit.add(sum, part));
        let node = sum.unwrap_or_else(|| emit.splat(0.0, &ty));
        outputs.push(Output { name, node });
    }
    outputs
}
