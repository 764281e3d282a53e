//! The form of each node in Python: a call of a module, a function of PyTorch's that several nodes make,
//! or the operator by itself; and which values are read how often then.

use super::modules::{ModuleCall, TorchModules};
use crate::base::entity::Entity;
use crate::graph::{Binary, Graph, NodeId, Op, Reduce, Unary};

/// The form of a node in Python.
#[derive(Clone, Debug)]
pub(super) enum NodePlan {
    /// A call of a module.
    Call(ModuleCall),
    /// `F.relu(x)`.
    Relu(NodeId),
    /// `F.gelu(x)`.
    Gelu(NodeId),
    /// `x.softmax(axis)`.
    Softmax(NodeId, usize),
    /// A reduction whose axes stay, one long.
    Kept(NodeId),
    /// The operator.
    Operator,
}

/// The plans of all nodes.
pub(super) struct Plans {
    /// By node.
    pub of: Vec<NodePlan>,
    /// The nodes that read each node's value; empty for nodes that are not computed.
    pub readers: Vec<Vec<NodeId>>,
    /// Whether a node is computed.
    pub computed: Vec<bool>,
}

impl Plans {
    /// Of a graph with modules.
    pub fn new(graph: &Graph, modules: &TorchModules) -> Plans {
        let matcher = ModuleMatcher { graph };
        let plan = |id: NodeId| match modules.calls.get(&id) {
            Some(call) => NodePlan::Call(call.clone()),
            None => matcher.plan(id),
        };
        let of: Vec<NodePlan> = graph.nodes.keys().map(plan).collect();
        let mut plans = Plans {
            of,
            readers: vec![Vec::new(); graph.nodes.len()],
            computed: vec![false; graph.nodes.len()],
        };
        let mut open: Vec<NodeId> = graph.roots().collect();
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut plans.computed[id.index()], true) {
                continue;
            }
            let read: Vec<NodeId> =
                plans.args(graph, id).into_iter().chain(graph.next(id)).collect();
            read.iter().for_each(|arg| plans.readers[arg.index()].push(id));
            open.extend(read);
        }
        plans
    }

    /// The values that a node is made of.
    pub fn args(&self, graph: &Graph, id: NodeId) -> Vec<NodeId> {
        match &self.of[id.index()] {
            NodePlan::Call(call) => vec![call.arg],
            NodePlan::Relu(x) | NodePlan::Gelu(x) | NodePlan::Softmax(x, _) => vec![*x],
            NodePlan::Kept(reduced) => graph.nodes[*reduced].args.to_vec(),
            NodePlan::Operator => graph.nodes[id].args.to_vec(),
        }
    }
}

struct ModuleMatcher<'g> {
    graph: &'g Graph,
}

impl ModuleMatcher<'_> {
    fn op(&self, id: NodeId) -> &Op {
        &self.graph.nodes[id].op
    }

    fn arg(&self, id: NodeId) -> NodeId {
        self.graph.nodes[id].args[0]
    }

    fn args(&self, id: NodeId, of: &Op) -> Option<(NodeId, NodeId)> {
        match (&self.graph.nodes[id].args[..], self.op(id) == of) {
            (&[a, b], true) => Some((a, b)),
            _ => None,
        }
    }

    fn narrow(&self, id: NodeId) -> NodeId {
        match self.op(id) {
            Op::Broadcast(_) => self.arg(id),
            _ => id,
        }
    }

    fn constant(&self, id: NodeId) -> Option<f64> {
        match *self.op(self.narrow(id)) {
            Op::Const(value, _) => Some(value),
            _ => None,
        }
    }

    fn plan(&self, id: NodeId) -> NodePlan {
        let found = match self.op(id) {
            Op::Where => self.relu(id),
            Op::Binary(Binary::Mul) => self.gelu(id),
            Op::Binary(Binary::Div) => self.softmax(id),
            Op::Reshape(_) => self.kept(id),
            _ => None,
        };
        found.unwrap_or(NodePlan::Operator)
    }

    /// `where(x > 0, x, 0)`.
    fn relu(&self, id: NodeId) -> Option<NodePlan> {
        let &[condition, x, zero] = &self.graph.nodes[id].args[..] else { return None };
        let (compared, with) = self.args(condition, &Op::Binary(Binary::Gt))?;
        let zeros = [zero, with].iter().all(|&it| self.constant(it) == Some(0.0));
        (zeros && compared == x).then_some(NodePlan::Relu(x))
    }

    /// `0.5 · x · erfc(−x · √½)`.
    fn gelu(&self, id: NodeId) -> Option<NodePlan> {
        let mul = Op::Binary(Binary::Mul);
        let (half, tail) = self.args(id, &mul)?;
        let (a, b) = self.args(half, &mul)?;
        let x = match (self.constant(a), self.constant(b)) {
            (Some(0.5), None) => b,
            (None, Some(0.5)) => a,
            _ => return None,
        };
        (*self.op(tail) == Op::Unary(Unary::Erfc)).then_some(())?;
        let (of, factor) = self.args(self.arg(tail), &mul)?;
        let factor = self.constant(factor)?;
        (of == x && (factor + 0.5_f64.sqrt()).abs() < 1e-6).then_some(NodePlan::Gelu(x))
    }

    /// `e / sum(e)` of `e = exp(x − max(x))`.
    fn softmax(&self, id: NodeId) -> Option<NodePlan> {
        let (e, wide_sum) = self.args(id, &Op::Binary(Binary::Div))?;
        let (summed, axis) = self.kept_axis(self.narrow(wide_sum), Reduce::Sum)?;
        (summed == e && *self.op(e) == Op::Unary(Unary::Exp)).then_some(())?;
        let (x, wide_max) = self.args(self.arg(e), &Op::Binary(Binary::Sub))?;
        let mut max = self.narrow(wide_max);
        if *self.op(max) == Op::StopGradient {
            max = self.arg(max);
        }
        let (of, along) = self.kept_axis(max, Reduce::Max)?;
        (of == x && along == axis).then_some(NodePlan::Softmax(x, axis))
    }

    /// The value that a node reduces along one axis, which stays; and the axis.
    fn kept_axis(&self, id: NodeId, of: Reduce) -> Option<(NodeId, usize)> {
        let NodePlan::Kept(reduced) = self.kept(id)? else { return None };
        match self.op(reduced) {
            Op::Reduce(reduce, axes) if *reduce == of && axes.len() == 1 => {
                Some((self.arg(reduced), axes[0]))
            }
            _ => None,
        }
    }

    /// A reshape that puts back the axes of the reduction before it.
    fn kept(&self, id: NodeId) -> Option<NodePlan> {
        let Op::Reshape(shape) = self.op(id) else { return None };
        let reduced = self.arg(id);
        let (Op::Reduce(_, axes) | Op::Variance(axes)) = self.op(reduced) else { return None };
        let before = &self.graph.ty(self.arg(reduced)).shape;
        (before.kept(axes) == *shape).then_some(NodePlan::Kept(reduced))
    }
}
