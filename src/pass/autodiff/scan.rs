//! The gradient of a scan: a scan the other way.
//!
//! ```text
//! forward                                backward, from the last step to the first
//! h = carry 0 → next                     g = carry 0 → h_grad
//! a = h @ r + slice(x)                   next_grad = g + slice(y_grad)
//! next = tanh(a);  y = stack(next)       a_grad = next_grad · (1 − tanh(a)²)
//!                                        h_grad = a_grad @ rᵀ;  x_grad = stack(a_grad)
//!                                        r_grad = reshape(stack(h))ᵀ @ reshape(stack(a_grad))
//! ```
//!
//! Forward values that the backward steps need are either kept or computed again. Kept, and so
//! written in each forward step, is what costs more than a pass over memory: carries, contractions,
//! reductions; of a product and what is added to it, the sum. Other element-wise work and views are
//! computed again from these in the backward step: its kernel has them at hand, and a second stack of
//! all steps would be written and read for each.
//!
//! The gradient of a value from before the scan is the sum of its gradients of all steps. Where that
//! is a matrix that a step multiplies by, one product over all steps gives the sum: no step has a
//! gradient of the matrix's size.

use super::Walk;
use crate::base::entity::Entity;
use crate::graph::scan::Bodies;
use crate::graph::{Binary, CarryId, Node, NodeId, Op, OpKind, Range, ScanId, Shape};
use crate::pass::derivative::{self, Differentiated};
use rustc_hash::FxHashMap;

/// The backward pass of a scan being made.
struct Backward<'a, 'w> {
    walk: &'a mut Walk<'w>,
    bodies: &'a Bodies,
    /// The scan.
    forward: ScanId,
    /// The one the other way.
    backward: ScanId,
    /// The values of the forward step's nodes in the backward step.
    values: FxHashMap<NodeId, NodeId>,
    /// The gradients of the forward step's nodes, in the backward step.
    gradients: FxHashMap<NodeId, NodeId>,
}

/// Lets the gradients of a scan's stacks flow through its steps.
pub(super) fn flow(walk: &mut Walk, scan: ScanId, bodies: &Bodies) {
    let gradient = |&stack: &NodeId| {
        let value = walk.emit.graph().nodes[stack].args[0];
        Some((value, walk.gradients[stack.index()]?))
    };
    let stacks = bodies.stacks(scan).iter().filter_map(gradient);
    let (stacks, before): (Vec<_>, Vec<_>) = stacks
        .filter(|(value, _)| walk.wanted[value.index()])
        .partition(|(value, _)| bodies.scan(*value) == Some(scan));
    // What no step computes is stacked as it is.
    for (value, gradient) in before {
        let sum = walk.emit.sum(gradient, &[0]);
        walk.add(value, sum);
    }
    if stacks.is_empty() {
        return;
    }
    let made = walk.emit.graph().scans[scan];
    let backward = walk.emit.builder.scan(made.steps, !made.reverse);
    let (values, gradients) = (FxHashMap::default(), FxHashMap::default());
    let mut pass = Backward { walk, bodies, forward: scan, backward, values, gradients };
    let body = bodies.nodes(scan);
    body.iter().for_each(|&node| pass.bring(node));
    let carries = pass.begin(body);
    for (value, gradient) in stacks {
        let slice = pass.walk.emit.op(Op::ScanSlice(backward), &[gradient]);
        pass.add(value, slice);
    }
    for &node in body.iter().rev() {
        pass.node(node, &carries);
    }
}

impl Backward<'_, '_> {
    fn op(&self, node: NodeId) -> Node {
        self.walk.emit.graph().nodes[node].clone()
    }

    fn is_inside(&self, node: NodeId) -> bool {
        self.bodies.scan(node) == Some(self.forward)
    }

    fn is_wanted(&self, node: NodeId) -> bool {
        self.walk.wanted[node.index()]
    }

    /// The value of a node in the backward step.
    fn value(&self, node: NodeId) -> NodeId {
        self.values.get(&node).copied().unwrap_or(node)
    }

    /// Makes the value of a forward step's node known in the backward step.
    fn bring(&mut self, node: NodeId) {
        let Node { op, args, origin, .. } = self.op(node);
        self.walk.emit.builder.set_origin(origin);
        let value = match op.kind() {
            OpKind::Elementwise | OpKind::View if !self.adds_to_product(&op, &args) => {
                let args: Vec<NodeId> = args.iter().map(|&arg| self.value(arg)).collect();
                self.walk.emit.op(op, &args)
            }
            _ => {
                let stacked = self.stacked(node);
                self.walk.emit.op(Op::ScanSlice(self.backward), &[stacked])
            }
        };
        self.walk.finite.equal(value, node);
        self.values.insert(node, value);
    }

    /// Whether a node adds to a product, such as a bias: kept is the sum, which the kernel of the product
    /// writes instead of it.
    fn adds_to_product(&self, op: &Op, args: &[NodeId]) -> bool {
        let is_product = |&arg: &NodeId| {
            let kind = self.walk.emit.graph().nodes[arg].op.kind();
            self.is_inside(arg) && kind == OpKind::Product
        };
        *op == Op::Binary(Binary::Add) && args.iter().any(is_product)
    }

    /// The values of a node in all forward steps.
    fn stacked(&mut self, node: NodeId) -> NodeId {
        let Node { op, args, .. } = self.op(node);
        match op {
            Op::ScanSlice(_) => args[0],
            _ => self.walk.emit.op(Op::ScanStack(self.forward), &[node]),
        }
    }

    /// The carries of the backward pass: the gradients of what forward steps hand on.
    fn begin(&mut self, body: &[NodeId]) -> FxHashMap<NodeId, CarryId> {
        let mut carries = FxHashMap::default();
        for &node in body {
            let Node { op: Op::Carry(carry), ty, origin, .. } = self.op(node) else { continue };
            if !self.is_wanted(node) {
                continue;
            }
            self.walk.emit.builder.set_origin(origin);
            let zeros = self.walk.emit.splat(0.0, &ty);
            let made = self.walk.emit.builder.carry(self.backward, zeros);
            let (made, gradient) = made.expect("any tensor is carried");
            carries.insert(node, made);
            let next = self.walk.emit.graph().carries[carry].next;
            self.flows_to(next.expect("a verified graph"), gradient);
        }
        carries
    }

    /// Adds to the gradient of a node of the forward step.
    fn add(&mut self, node: NodeId, flow: NodeId) {
        let sum = match self.gradients.get(&node) {
            None => flow,
            Some(&sum) => self.walk.emit.add(sum, flow),
        };
        self.gradients.insert(node, sum);
    }

    /// Adds a step's gradient to that of a node, of the step or from before the scan.
    fn flows_to(&mut self, node: NodeId, flow: NodeId) {
        if !self.is_wanted(node) {
            return;
        }
        if self.is_inside(node) {
            return self.add(node, flow);
        }
        let all = self.walk.emit.op(Op::ScanStack(self.backward), &[flow]);
        let sum = self.walk.emit.sum(all, &[0]);
        self.walk.add(node, sum);
    }

    /// The meaning that the gradient of a forward step's node has for its arguments.
    fn node(&mut self, node: NodeId, carries: &FxHashMap<NodeId, CarryId>) {
        let Node { op, args, ty, origin } = self.op(node);
        self.walk.emit.builder.set_origin(origin);
        let gradient = self.gradients.get(&node).copied();
        match (op, gradient) {
            (Op::Carry(_), _) => {
                let Some(&carry) = carries.get(&node) else { return };
                let gradient = gradient.unwrap_or_else(|| self.walk.emit.splat(0.0, &ty));
                self.walk.emit.builder.hand_on(carry, gradient);
                if self.is_wanted(args[0]) {
                    let initial = self.first(gradient, &ty.shape);
                    self.walk.add(args[0], initial);
                }
            }
            (_, None) => {}
            (Op::ScanSlice(_), Some(gradient)) => {
                if self.is_wanted(args[0]) {
                    let all = self.walk.emit.op(Op::ScanStack(self.backward), &[gradient]);
                    self.walk.add(args[0], all);
                }
            }
            (op, Some(gradient)) => self.operator(node, &op, &args, gradient),
        }
    }

    /// The value that a backward step has for the first forward step.
    fn first(&mut self, value: NodeId, shape: &Shape) -> NodeId {
        let made = self.walk.emit.graph().scans[self.forward];
        let all = self.walk.emit.op(Op::ScanStack(self.backward), &[value]);
        let start = if made.reverse { made.steps - 1 } else { 0 };
        let first = self.walk.emit.slice_axis(all, 0, Range { start, len: Some(1), step: 1 });
        self.walk.emit.reshape(first, shape)
    }

    fn operator(&mut self, node: NodeId, op: &Op, args: &[NodeId], gradient: NodeId) {
        let mut wants: Vec<bool> = args.iter().map(|&arg| self.is_wanted(arg)).collect();
        if let Op::MatMul { transpose_a, transpose_b } = *op
            && self.sums_over_steps(args, &wants)
        {
            wants[1] = false;
            let sum = self.matrix([transpose_a, transpose_b], args[0], gradient);
            self.walk.add(args[1], sum);
        }
        let values = args.iter().map(|&arg| self.value(arg)).collect();
        let of = Differentiated { node, value: self.value(node), args: values };
        let walk = &mut *self.walk;
        let flows = derivative::gradients(walk.emit, of, gradient, &wants, &walk.finite);
        for ((&arg, flow), wants) in args.iter().zip(flows).zip(wants) {
            if let (Some(flow), true) = (flow, wants) {
                self.flows_to(arg, flow);
            }
        }
    }

    /// Whether a product of a step's value and a matrix from before the scan has a gradient by the
    /// matrix that one product over all steps gives.
    fn sums_over_steps(&self, args: &[NodeId], wants: &[bool]) -> bool {
        let rank = |node: NodeId| self.walk.emit.ty(node).shape.rank();
        wants[1]
            && self.is_inside(args[0])
            && !self.is_inside(args[1])
            && rank(args[1]) == 2
            && self.walk.finite.is_finite(args[0])
    }

    /// d(Σ Aₜ·B) by B: B_grad = Σ Aₜᵀ·Gₜ, which is the product of all Aₜ below one another and all
    /// Gₜ below one another.
    fn matrix(&mut self, [transpose_a, transpose_b]: [bool; 2], a: NodeId, g: NodeId) -> NodeId {
        let mut a = self.stacked(a);
        if transpose_a {
            a = self.walk.emit.transpose(a, &[0, 2, 1]);
        }
        let g = self.walk.emit.op(Op::ScanStack(self.backward), &[g]);
        let (a, g) = (self.walk.emit.rows(a), self.walk.emit.rows(g));
        let (left, right) = if transpose_b { (g, a) } else { (a, g) };
        let op = Op::MatMul { transpose_a: true, transpose_b: false };
        self.walk.emit.op(op, &[left, right])
    }
}
