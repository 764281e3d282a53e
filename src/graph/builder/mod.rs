//! Builds a graph node by node; every node's type is inferred as it is added.
//!
//! [`Builder::op`] adds exactly one node and is as strict as [`infer`]. The other methods are for
//! people and passes: they broadcast as NumPy does and bring `f64` scalars to the tensors they
//! meet, so that
//!
//! ```
//! # use nnc::graph::{Binary, Builder, Type, Dim, Shape};
//! # use nnc::base::tensor::DType;
//! let mut build = Builder::new("halve");
//! let x = build.input("x", Type::new(DType::F32, vec![Dim::N, Dim::Known(3)]));
//! let half = build.constant(0.5, DType::F64);
//! let y = build.binary(Binary::Mul, x, half)?;
//! # Ok::<(), nnc::graph::Mismatch>(())
//! ```
//!
//! makes `const 0.5 : f32`, `broadcast [N, 3]` and `mul`. Nothing is simplified (the `simplify`
//! pass does that), except that what would change nothing is not built: a broadcast to the shape
//! that a value has already, a cast to its own type, a reduction over no axes.

mod contraction;
mod dims;
mod elementwise;
mod movement;
mod range;
mod window;

use crate::base::step_output::StepOutput;
use crate::base::tensor::DType;
use crate::graph::data::{Carry, Scan};
use crate::graph::data::{
    Graph, Hyper, Input, Node, NodeArgs, Output, Param, RUN_STEPS, State, Update, UpdateTarget,
};
use crate::graph::element::round_to;
use crate::graph::infer::{Mismatch, infer};
use crate::graph::op::{CarryId, NodeId, Op, ScanId};
use crate::graph::origin::OriginId;
use crate::graph::types::{Dim, Shape, Type};

/// Result of a fallible method: the node, or why it would be ill-typed.
pub type Built = Result<NodeId, Mismatch>;

/// A graph under construction.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    /// The graph so far. Its `origins`, `outputs` and `updates` may be written directly.
    pub graph: Graph,
    origin: Option<OriginId>,
    next_stream: u32,
    /// Whether what fixed each dimension is recorded.
    explains: bool,
}

impl Builder {
    /// An empty graph of this name, which records what fixes each dimension.
    pub fn new(name: &str) -> Self {
        let graph = Graph { name: name.into(), ..Graph::default() };
        Builder { explains: true, ..Builder::resume(graph) }
    }

    /// Goes on with a graph: new nodes follow its last, new random operators get streams after
    /// its last. What fixes the new nodes' dimensions is not recorded.
    pub fn resume(graph: Graph) -> Self {
        let streams = graph.nodes.values().filter_map(|node| match node.op {
            Op::Uniform { stream, .. } => Some(stream),
            _ => None,
        });
        let next_stream = streams.max().map_or(0, |last| last + 1);
        Builder { graph, origin: None, next_stream, explains: false }
    }

    /// The graph.
    pub fn finish(self) -> Graph {
        self.graph
    }

    /// Sets the origin of the nodes built from here on.
    pub fn set_origin(&mut self, origin: Option<OriginId>) {
        self.origin = origin;
    }

    /// The origin that nodes get.
    pub fn origin(&self) -> Option<OriginId> {
        self.origin
    }

    /// The type of a value.
    pub fn ty(&self, node: NodeId) -> &Type {
        self.graph.ty(node)
    }

    /// Declares an input and reads it. The type is taken as given: check one that a user wrote
    /// with [`check_type`](crate::graph::infer::check_type) first.
    pub fn input(&mut self, name: &str, ty: Type) -> NodeId {
        let id = self.graph.inputs.push(Input { name: name.into(), ty: ty.clone() });
        self.leaf(Op::Input(id), ty)
    }

    /// Declares a parameter and reads it; its type is taken as given.
    pub fn param(&mut self, param: Param) -> NodeId {
        let ty = param.ty.clone();
        let id = self.graph.params.push(param);
        self.leaf(Op::Param(id), ty)
    }

    /// Declares a state and reads it; its type is taken as given.
    pub fn state(&mut self, state: State) -> NodeId {
        let ty = state.ty.clone();
        let id = self.graph.states.push(state);
        self.leaf(Op::State(id), ty)
    }

    /// Declares a hyper-parameter and reads it: an `f64` scalar.
    pub fn hyper(&mut self, name: &str, value: f64) -> NodeId {
        let id = self.graph.hypers.push(Hyper { name: name.into(), value });
        self.leaf(Op::Hyper(id), Type::scalar(DType::F64))
    }

    /// How many steps the run has, an `f64` scalar: one hyper-parameter however often it is asked
    /// for, which holds `planned` where nobody sets it.
    pub fn run_steps(&mut self, planned: f64) -> NodeId {
        let known = self.graph.hypers.iter().find(|(_, hyper)| hyper.name == RUN_STEPS);
        match known.map(|(id, _)| id) {
            Some(id) => self.leaf(Op::Hyper(id), Type::scalar(DType::F64)),
            None => self.hyper(RUN_STEPS, planned),
        }
    }

    /// The number of this step, an `f64` scalar.
    pub fn step(&mut self) -> NodeId {
        self.leaf(Op::Step, Type::scalar(DType::F64))
    }

    /// A scalar constant: `value` as `dtype` holds it after rounding.
    pub fn constant(&mut self, value: f64, dtype: DType) -> NodeId {
        self.leaf(Op::Const(round_to(value, dtype), dtype), Type::scalar(dtype))
    }

    /// The extent of a dimension, an `f64` scalar: a constant where it is known.
    pub fn extent(&mut self, dim: Dim) -> NodeId {
        match dim {
            Dim::Known(extent) => self.constant(extent as f64, DType::F64),
            Dim::Batch(_) => self.leaf(Op::Extent(dim), Type::scalar(DType::F64)),
        }
    }

    /// Indices along an axis.
    pub fn iota(&mut self, shape: Shape, axis: usize) -> Built {
        self.op(Op::Iota { shape, axis }, &[])
    }

    /// Random numbers in [0, 1), from a stream of their own.
    pub fn uniform(&mut self, shape: Shape) -> NodeId {
        let stream = self.next_stream;
        let ty = Type::new(DType::F32, shape.clone());
        self.next_stream += 1;
        self.leaf(Op::Uniform { shape, stream }, ty)
    }

    /// Adds one node. Nothing is broadcast or cast.
    pub fn op(&mut self, op: Op, args: &[NodeId]) -> Built {
        let ty = infer(&self.graph, &op, args)?;
        if let Op::Uniform { stream, .. } = op {
            self.next_stream = self.next_stream.max(stream + 1);
        }
        let origin = self.origin;
        let node = self.graph.nodes.push(Node { op, args: args.into(), ty, origin });
        if self.explains {
            self.record_dims(node);
        }
        Ok(node)
    }

    /// Adds a node whose type is known, as another graph has it; its arguments are this graph's.
    pub fn add(&mut self, node: Node) -> NodeId {
        if let Op::Uniform { stream, .. } = node.op {
            self.next_stream = self.next_stream.max(stream + 1);
        }
        self.graph.nodes.push(node)
    }

    /// Begins a scan of so many steps.
    pub fn scan(&mut self, steps: usize, reverse: bool) -> ScanId {
        self.graph.scans.push(Scan { steps, reverse })
    }

    /// A carry of a scan, with its value in the first step; [`Builder::hand_on`] says what it is in
    /// the others.
    pub fn carry(&mut self, scan: ScanId, initial: NodeId) -> Result<(CarryId, NodeId), Mismatch> {
        let carry = self.graph.carries.push(Carry { scan, next: None });
        Ok((carry, self.op(Op::Carry(carry), &[initial])?))
    }

    /// Says what a step hands on in a carry: a value of its type.
    pub fn hand_on(&mut self, carry: CarryId, next: NodeId) {
        self.graph.carries[carry].next = Some(next);
    }

    /// Names a value that the caller of a step reads.
    pub fn output(&mut self, name: impl Into<StepOutput>, node: NodeId) {
        self.graph.outputs.push(Output { name: name.into(), node });
    }

    /// Writes a value to a parameter or state at the step's end.
    pub fn update(&mut self, target: UpdateTarget, node: NodeId) {
        self.graph.updates.push(Update { target, node });
    }

    /// Adds a node that has no arguments, of a type that is known.
    fn leaf(&mut self, op: Op, ty: Type) -> NodeId {
        let origin = self.origin;
        self.graph.nodes.push(Node { op, args: NodeArgs::new(), ty, origin })
    }
}

#[cfg(test)]
mod tests;
