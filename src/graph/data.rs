//! The graph itself: plain data, in SSA form.
//!
//! Nodes stand in an order in which every argument comes before its use. Everything that a step
//! does to the world is in `outputs` (what the trainer reads) and `updates` (what is written to
//! parameters and states at the step's end, behind one finite check).

use crate::base::entity::Arena;
use crate::base::entity::Entity;
use crate::base::step_output::StepOutput;
use crate::graph::op::{CarryId, HyperId, InputId, NodeId, Op, ParamId, ScanId, StateId};
use crate::graph::origin::{Origin, OriginId, Origins};
use crate::graph::types::Type;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;

/// The arguments of an operation, most often three at most.
pub type NodeArgs = SmallVec<[NodeId; 4]>;

/// One operation and the type of its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The operator.
    pub op: Op,
    /// From which values.
    pub args: NodeArgs,
    /// The value's type, as inference gives it.
    pub ty: Type,
    /// Where it came from; `None` only in graphs read from text.
    pub origin: Option<OriginId>,
}

/// A tensor given at each step.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Its name: a field of the data (`image`, `label`) or a model's argument.
    pub name: String,
    /// Its type, as it arrives (`u8` images arrive as `u8`).
    pub ty: Type,
}

/// How a tensor begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Init {
    /// Every element this value.
    Constant(f64),
    /// Normal numbers of this mean and standard deviation.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        std: f64,
    },
    /// Normal numbers redrawn until within two standard deviations (before scaling).
    TruncatedNormal {
        /// The mean.
        mean: f64,
        /// The standard deviation before truncation.
        std: f64,
    },
    /// Uniform numbers in [low, high).
    Uniform {
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// A matrix with orthonormal rows or columns (all but the last axis flattened), times `gain`.
    Orthogonal {
        /// The factor.
        gain: f64,
    },
}

/// A trainable tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its path in the model: `block.conv_3.weight`.
    pub path: String,
    /// Its type; never depends on the batch.
    pub ty: Type,
    /// Its first value.
    pub init: Init,
    /// Where it was declared.
    pub origin: Option<OriginId>,
}

/// A tensor that is kept but not trained: batch-norm averages, an optimiser's moments.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Its path in the model, or `optimizer.m.` and the parameter's path.
    pub path: String,
    /// Its type; never depends on the batch.
    pub ty: Type,
    /// Its first value.
    pub init: Init,
    /// Where it was declared.
    pub origin: Option<OriginId>,
}

/// The hyper-parameter that holds how many steps the run has; whoever runs a step sets it. A
/// program's own names have no point in them.
pub const RUN_STEPS: &str = "run.steps";

/// A number that may change while training runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Hyper {
    /// Its name: `lr`.
    pub name: String,
    /// Its value as written.
    pub value: f64,
}

/// A value that the caller of a step reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its key; no two of a graph are the same.
    pub name: StepOutput,
    /// The value.
    pub node: NodeId,
}

/// The tensor that an update writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpdateTarget {
    /// A parameter.
    Param(ParamId),
    /// A state.
    State(StateId),
}

/// A write to a parameter or state at the step's end.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// The tensor to write; at most one update has each target.
    pub target: UpdateTarget,
    /// The new value, of the target's type.
    pub node: NodeId,
}

/// A loop over slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// How many slices there are; not 0.
    pub steps: usize,
    /// Whether it begins with the last slice.
    pub reverse: bool,
}

/// A value that one step hands to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carry {
    /// The loop.
    pub scan: ScanId,
    /// The value that a step hands on, of the carry's type; `None` where nothing reads the carry any more.
    pub next: Option<NodeId>,
}

/// The source of a dimension's value, for diagnostics.
#[derive(Clone, Debug, PartialEq)]
pub enum DimOrigin {
    /// Written at this origin: a declared type, a literal argument.
    Written(OriginId),
    /// Given by the data set.
    Data(String),
    /// The same as an axis of another value.
    From(NodeId, usize),
    /// Computed by the operator of this origin, by this formula with its numbers.
    Formula(OriginId, String),
}

/// A graph: one training or evaluation step, or an optimiser's rule.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Its name in text forms: the model's.
    pub name: String,
    /// The operations, arguments before uses.
    pub nodes: Arena<NodeId, Node>,
    /// The tensors given at each step.
    pub inputs: Arena<InputId, Input>,
    /// The trainable tensors.
    pub params: Arena<ParamId, Param>,
    /// The other tensors kept from step to step.
    pub states: Arena<StateId, State>,
    /// The numbers that may change while training runs.
    pub hypers: Arena<HyperId, Hyper>,
    /// Named values that the caller may read after a step.
    pub outputs: Vec<Output>,
    /// Writes at the step's end.
    pub updates: Vec<Update>,
    /// The loops over slices of tensors.
    pub scans: Arena<ScanId, Scan>,
    /// The values that steps of scans hand to the next.
    pub carries: Arena<CarryId, Carry>,
    /// The places that nodes name.
    pub origins: Arc<Origins>,
    /// The source of dimensions, where it is known; beside the types, not in them. For
    /// whoever explains a program to its user: passes do not carry it.
    pub dim_origins: FxHashMap<(NodeId, usize), DimOrigin>,
}

impl Graph {
    /// The type of a value.
    pub fn ty(&self, node: NodeId) -> &Type {
        &self.nodes[node].ty
    }

    /// Parameters, then states: path, type and first value.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Type, &Init)> {
        let params = self.params.values().map(|param| (&param.path[..], &param.ty, &param.init));
        let states = self.states.values().map(|state| (&state.path[..], &state.ty, &state.init));
        params.chain(states)
    }

    /// The id of an origin, the same for equal ones.
    pub fn intern(&mut self, origin: Origin) -> OriginId {
        Arc::make_mut(&mut self.origins).intern(origin)
    }

    /// How many numbers are trained.
    pub fn parameter_count(&self) -> usize {
        // A parameter's shape never depends on the batch.
        let elements = |param: &Param| param.ty.shape.at(0).iter().product::<usize>();
        self.params.values().map(elements).sum()
    }

    /// The value that an output is.
    pub fn output(&self, name: impl Into<StepOutput>) -> Option<NodeId> {
        let name = name.into();
        self.outputs.iter().find(|output| output.name == name).map(|output| output.node)
    }

    /// The names of the terms of a sum of losses and of the metrics, as the program writes them.
    pub fn metrics(&self) -> impl Iterator<Item = &str> + '_ {
        self.outputs.iter().filter_map(|output| output.name.metric())
    }

    /// The tensors that the model gives: its result, or the parts of it.
    pub fn model_outputs(&self) -> impl Iterator<Item = NodeId> + '_ {
        let of_model = |output: &&Output| output.name.model_name().is_some();
        self.outputs.iter().filter(of_model).map(|output| output.node)
    }

    /// The nodes that outputs and updates name: what must stay alive.
    pub fn roots(&self) -> impl Iterator<Item = NodeId> + '_ {
        let outputs = self.outputs.iter().map(|output| output.node);
        outputs.chain(self.updates.iter().map(|update| update.node))
    }

    /// The values that a node is computed from: its arguments, and what a carry is handed.
    pub fn reads(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes[node].args.iter().copied().chain(self.next(node))
    }

    /// The value that a step of a scan hands on to the next in a carry; `None` for other nodes.
    pub fn next(&self, node: NodeId) -> Option<NodeId> {
        match self.nodes[node].op {
            Op::Carry(carry) => self.carries[carry].next,
            _ => None,
        }
    }

    /// The nodes that steps of scans hand on.
    pub fn handed_on(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.carries.values().filter_map(|carry| carry.next)
    }

    /// How often each node is an argument, an output, an update or handed on.
    pub fn use_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.nodes.len()];
        let args = self.nodes.values().flat_map(|node| node.args.iter().copied());
        for node in args.chain(self.roots()).chain(self.handed_on()) {
            counts[node.index()] += 1;
        }
        counts
    }

    /// For each node, whether an output or an update depends on it.
    pub fn live(&self) -> Vec<bool> {
        self.behind(self.roots())
    }

    /// For each node, whether it is one of these or one of these depends on it.
    pub fn behind(&self, of: impl IntoIterator<Item = NodeId>) -> Vec<bool> {
        let mut behind = vec![false; self.nodes.len()];
        let mut open: Vec<NodeId> = of.into_iter().collect();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut behind[node.index()], true) {
                open.extend(self.reads(node));
            }
        }
        behind
    }

    /// The names of the inputs that outputs and updates depend on.
    pub fn live_inputs(&self) -> Vec<&str> {
        let live = self.live();
        let input = |(id, node): (NodeId, &Node)| match node.op {
            Op::Input(input) if live[id.index()] => Some(self.inputs[input].name.as_str()),
            _ => None,
        };
        self.nodes.iter().filter_map(input).collect()
    }

    /// How many products a contraction adds up for a batch; `None` for other operators.
    pub fn products(&self, node: &Node, batch: usize) -> Option<usize> {
        let extents = |arg: usize| self.ty(node.args[arg]).shape.at(batch);
        let elements = |shape: Vec<usize>| shape.into_iter().product::<usize>();
        let own = || node.ty.shape.at(batch);
        // A weight is `[height, width, channels, outputs]`: an output adds up the first three.
        let added = |weight: Vec<usize>| weight[..3].iter().product::<usize>();
        Some(match &node.op {
            Op::MatMul { transpose_a, .. } => {
                let a = extents(0);
                elements(own()) * a[a.len() - if *transpose_a { 2 } else { 1 }]
            }
            Op::Conv { .. } => elements(own()) * added(extents(1)),
            Op::ConvInputGrad { .. } => elements(extents(0)) * added(extents(1)),
            Op::ConvWeightGrad { .. } => elements(extents(1)) * added(own()),
            // An operator that reads each element once.
            other if other.kind().contracts() => elements(extents(0)),
            _ => return None,
        })
    }

    /// The source of a dimension, followed through the values that only carry it; `None` where
    /// it is not known.
    pub fn dim_origin(&self, node: NodeId, axis: usize) -> Option<&DimOrigin> {
        let mut place = (node, axis);
        loop {
            match self.dim_origins.get(&place)? {
                // Arguments come first, so that this ends.
                DimOrigin::From(from, from_axis) if *from < place.0 => place = (*from, *from_axis),
                found => return Some(found),
            }
        }
    }
}
