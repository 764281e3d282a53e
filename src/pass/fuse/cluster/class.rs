//! Classifies each node before clusters grow: whether it is computed in one, again by each of
//! its readers, or is only another way to read what is in memory.
//!
//! ```text
//! %1 = broadcast %0        a view
//! %3 = gt %2 %1            cheap: each reader tests %2 again
//! %4 = where %3 %2 %1      work
//! ```
//!
//! Takes the graph, and the nodes that an earlier round found better computed again; decides nothing
//! about which nodes share a kernel.

use super::{Class, Clusters};
use crate::base::entity::Entity;
use crate::base::tensor::DType;
use crate::graph::domain::{MOST_KEPT, only_joins};
use crate::graph::view::View;
use crate::graph::{Binary, NodeId, Op, OpKind};
use crate::pass::fuse::prepare::is_zero;
use crate::pass::fuse::rematerialize;
use std::collections::BTreeSet;

impl Clusters<'_> {
    pub(super) fn classify(&mut self) {
        for (id, node) in self.graph.nodes.iter() {
            let class = self.first_class(id, &node.op);
            self.class.push(class);
            let uniform = self.first_uniform(id, class);
            self.uniform.push(uniform);
        }
        // What must lie in memory is not computed again by each reader.
        for (id, node) in self.graph.nodes.iter() {
            let in_memory = node.op.kind().reads_memory();
            let args = node.args.iter().enumerate();
            let mut needed: Vec<NodeId> = args
                .filter(|(position, _)| {
                    in_memory && !rematerialize::evaluates(self.graph, id, *position)
                })
                .map(|(_, &arg)| arg)
                .collect();
            if self.root[id.index()] {
                needed.push(id);
            }
            if matches!(node.op, Op::Reshape(_)) {
                let arg = node.args[0];
                if !only_joins(self.graph.extents(id), self.graph.extents(arg)) {
                    needed.push(arg);
                }
            }
            for node in needed {
                let base = self.graph.base(node);
                let is_leaf = self.graph.nodes[base].op.kind() == OpKind::Given;
                let scalar = self.reads_memory_only(id, base) && !is_leaf;
                let class = self.class[base.index()];
                if class == Class::Cheap || class == Class::Free && scalar {
                    self.class[base.index()] = Class::Work;
                }
            }
        }
    }

    /// Whether a kernel reads a scalar from memory as it reads tensors, and does not compute it.
    fn reads_memory_only(&self, id: NodeId, scalar: NodeId) -> bool {
        match self.graph.nodes[id].op {
            Op::Concat(_) => self.graph.nodes[scalar].op.kind() != OpKind::Const,
            // A tile packs what it reads.
            Op::MatMul { .. } => false,
            ref op => op.kind().reads_memory(),
        }
    }

    fn first_class(&self, id: NodeId, op: &Op) -> Class {
        if self.graph.ty(id).dtype == DType::F64 {
            return Class::Free;
        }
        if self.graph.is_view(id) {
            return Class::View;
        }
        let args = &self.graph.nodes[id].args;
        let arg_class = |arg: NodeId| self.class[self.graph.base(arg).index()];
        let cheap_args = args.iter().all(|&arg| arg_class(arg) != Class::Work);
        let uniform_args = args.iter().all(|arg| self.uniform[arg.index()]);
        match op {
            _ if op.kind().is_leaf() && op.kind() != OpKind::Generated => Class::Free,
            Op::Cast(_) if self.graph.ty(args[0]).dtype == DType::F64 => Class::Free,
            _ if self.rematerialized[id.index()] => Class::Cheap,
            Op::Iota { .. } => Class::Cheap,
            Op::Cast(_) if cheap_args => Class::Cheap,
            Op::Binary(op) if op.is_comparison() && cheap_args => Class::Cheap,
            Op::Binary(Binary::Gt) if self.is_relu_mask(id) => Class::Cheap,
            Op::Binary(Binary::Sub) if self.is_centring(id) => Class::Cheap,
            Op::Unary(_) | Op::Binary(_) | Op::Where if uniform_args => Class::Cheap,
            _ => Class::Work,
        }
    }

    /// Whether a node tests the result of a relu for those who need the mask: they load the
    /// result, which is kept anyway, and test it themselves.
    pub(super) fn is_relu_mask(&self, id: NodeId) -> bool {
        let nodes = &self.graph.nodes;
        let [result, zero] = nodes[id].args[..] else { return false };
        let zeros = |node: NodeId| is_zero(self.graph, node);
        let is_relu = match nodes[result].args[..] {
            [test, x, otherwise] if nodes[result].op == Op::Where => {
                nodes[test].op == Op::Binary(Binary::Gt)
                    && nodes[test].args[0] == x
                    && zeros(nodes[test].args[1])
                    && zeros(otherwise)
            }
            _ => false,
        };
        let selects = |user: &NodeId| nodes[*user].op == Op::Where && nodes[*user].args[0] == id;
        is_relu && zeros(zero) && self.uses.of(id).iter().all(selects)
    }

    /// Whether a node subtracts from a value a vector that is made of sums over its columns, as
    /// its mean: the value is in memory, since all of it must be known before the sums are, so
    /// that each reader may as well subtract again.
    fn is_centring(&self, id: NodeId) -> bool {
        let nodes = &self.graph.nodes;
        let [x, repeated] = nodes[id].args[..] else { return false };
        let source = |node: NodeId| self.graph.base(node);
        let small = |node: NodeId| self.graph.elements(node) <= MOST_KEPT;
        let (x, vector) = (source(x), source(repeated));
        if !matches!(nodes[repeated].op, Op::Broadcast(_)) || !small(vector) || small(x) {
            return false;
        }
        let (mut open, mut seen) = (vec![vector], BTreeSet::new());
        while let Some(node) = open.pop() {
            if !seen.insert(node) {
                continue;
            }
            let sums = self.graph.sums_columns(node);
            if sums && source(nodes[node].args[0]) == x {
                return true;
            }
            if !sums {
                // Nothing before the value is made of it.
                let args = nodes[node].args.iter().copied();
                open.extend(args.filter(|&arg| arg > x && small(arg)));
            }
        }
        false
    }

    /// Whether a value depends on nothing but constants and uniform values; what its arguments do
    /// is known.
    fn first_uniform(&self, id: NodeId, class: Class) -> bool {
        let node = &self.graph.nodes[id];
        match node.op {
            _ if self.graph.is_view(id) => self.uniform[node.args[0].index()],
            Op::Const(..) => true,
            Op::Cast(_) if self.graph.ty(node.args[0]).dtype == DType::F64 => true,
            _ => {
                class == Class::Cheap
                    && node.args.iter().all(|&arg| self.uniform[arg.index()])
                    && !node.args.is_empty()
            }
        }
    }

    /// Views that are outputs, and arguments of reshapes that no distances can express, are
    /// copied to memory: they become moves.
    pub(super) fn write_out_views(&mut self) {
        let mut views: Vec<Option<View>> = Vec::with_capacity(self.graph.nodes.len());
        for (id, node) in self.graph.nodes.iter() {
            let shape = self.graph.extents(id);
            let whole = Some(View::whole(id, shape));
            if self.class[id.index()] != Class::View {
                views.push(whole);
                continue;
            }
            let arg = node.args[0];
            let mut view =
                views[arg.index()].as_ref().and_then(|view| view.through(&node.op, shape));
            if view.is_none() {
                self.class[arg.index()] = Class::Work;
                let written = View::whole(arg, self.graph.extents(arg));
                view = written.through(&node.op, shape);
                views[arg.index()] = Some(written);
            }
            let view = view.expect("any view of what is in memory");
            let is_alias = view.is_whole()
                && self.class[view.base.index()] == Class::Work
                && self.graph.elements(view.base) == self.graph.elements(id);
            if self.root[id.index()] {
                if is_alias {
                    self.root[view.base.index()] = true;
                } else {
                    self.class[id.index()] = Class::Work;
                    views.push(whole);
                    continue;
                }
            }
            views.push(Some(view));
        }
        for id in self.graph.nodes.keys() {
            if self.root[id.index()] && self.class[id.index()] == Class::Free {
                self.class[id.index()] = Class::Work;
            }
        }
    }
}
