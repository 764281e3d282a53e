//! The work of a kernel in a row in which a table of gradients is zeros ([`used`](super::used)):
//! nothing, where all of its results are known to stay as they are.
//!
//! ```text
//! p - lr · g                        p, if lr · 0 is +0
//! v + g · g                         v, which begins at 0 and only grows, so that it is never -0
//! p - lr · g / (sqrt(v) + eps)      p, if lr · 0 is +0 and eps is positive: v is not negative
//! where(finite, new, p)             p, if new is p
//! sum of g · g over everything      as before, if 0 · 0 is a zero
//! m · 0.9 + g                       not known to be m
//! ```
//!
//! "If" is asked of numbers that are the same for all rows, once a kernel, at run time: nothing is assumed
//! of the learning rate, say. What holds is equality of bits, of any old value but a denormal:
//! that counts as 0, and stays what it is where arithmetic would make it 0.

use super::Nest;
use crate::base::scalar::{Binary, Unary};
use crate::base::tensor::DType;
use crate::graph::domain::AffineIndex;
use crate::graph::{BoundGraph, Init, NodeId, Op, OpKind, StateId, UpdateTarget};
use crate::loops::{Inst, RegId};
use rustc_hash::FxHashSet;

/// A property of a number for which a row stays as it is.
#[derive(Clone, Copy, PartialEq)]
enum Needed {
    /// `x - (+0)` is `x`.
    PlusZero,
    /// `x + (-0)` is `x`.
    MinusZero,
    /// `x + 0` is `x` for a zero of either sign, where `x` is not `-0`.
    Zero,
    /// `x · 1` and `x / 1` are `x`.
    One,
    /// Above 0.
    Positive,
    /// 0 or more.
    NotNegative,
}

/// The work of a kernel in a row of zeros.
pub(super) enum Unused {
    /// The same as in any row.
    Work,
    /// Nothing, where this is true.
    NothingIf(RegId),
}

/// The properties of a kernel's values in rows of zeros.
struct ZeroRows<'a> {
    graph: &'a BoundGraph,
    /// The values of which all elements are one number.
    same: FxHashSet<NodeId>,
    /// The numbers that must have a property each.
    conditions: Vec<(NodeId, Needed)>,
    /// How many nodes are still looked at: a value may have more paths to it than there are nodes.
    budget: usize,
}

impl Nest<'_, '_> {
    /// Whether a row of zeros of a table may need no work.
    pub(super) fn may_skip(&self, table: NodeId) -> bool {
        self.conditions(table).is_some()
    }

    /// The conditions under which all results stay as they are in rows of zeros, where there are any.
    fn conditions(&self, table: NodeId) -> Option<Vec<(NodeId, Needed)>> {
        let graph = self.values.step.graph;
        let mut rows = ZeroRows {
            graph,
            same: self.same_for_rows(table),
            conditions: Vec::new(),
            budget: 1000,
        };
        let known = self.results.iter().all(|&result| match graph.nodes[result].op {
            // A sum begins at +0, and is never -0.
            Op::Reduce(..) => rows.is_number(graph.nodes[result].args[0], Needed::Zero),
            _ => {
                let target = self.values.step.written_in_place(result);
                target.is_some_and(|target| rows.stays(target, result))
            }
        });
        known.then_some(rows.conditions)
    }

    /// Finds the work in a row of zeros of a table.
    pub(super) fn unused(&mut self, table: NodeId) -> Unused {
        let Some(conditions) = self.conditions(table) else { return Unused::Work };
        self.forget();
        self.set_zero(table);
        let mut all = self.values.writer.define(DType::Bool, 0, Inst::Bool(true));
        for (node, needed) in conditions {
            let holds = self.test(node, needed);
            let both = Inst::Binary(Binary::And, all, holds);
            all = self.values.writer.define(DType::Bool, 0, both);
        }
        self.forget();
        Unused::NothingIf(all)
    }

    /// The values of which all elements are one number where a table is zeros.
    fn same_for_rows(&self, table: NodeId) -> FxHashSet<NodeId> {
        let step = &*self.values.step;
        let graph = step.graph;
        let mut same = FxHashSet::default();
        for (id, node) in graph.nodes.iter() {
            let computed = self.values.nodes.contains(&id) || !step.in_memory(id);
            let by_element = node.op.kind() == OpKind::Elementwise
                || matches!(node.op, Op::Broadcast(_) | Op::StopGradient);
            let follows =
                || computed && by_element && node.args.iter().all(|arg| same.contains(arg));
            if id == table || graph.elements(id) == 1 || follows() {
                same.insert(id);
            }
        }
        same
    }

    /// Whether a number of rows of zeros has a property, as a truth value.
    fn test(&mut self, node: NodeId, needed: Needed) -> RegId {
        let axes = self.values.domain.axes.len();
        let rank = self.values.step.graph.extents(node).len();
        let value = self.values.value(node, &vec![AffineIndex::constant(0, axes); rank]);
        let [zero, one] = [0.0, 1.0].map(|number| self.values.constant(number, DType::F32));
        let writer = &mut self.values.writer;
        let sign = match needed {
            Needed::PlusZero => Some(Binary::Gt),
            Needed::MinusZero => Some(Binary::Lt),
            Needed::Zero | Needed::One | Needed::Positive | Needed::NotNegative => None,
        };
        let (op, than) = match needed {
            Needed::PlusZero | Needed::MinusZero | Needed::Zero => (Binary::Eq, zero),
            Needed::One => (Binary::Eq, one),
            Needed::Positive => (Binary::Gt, zero),
            Needed::NotNegative => (Binary::Ge, zero),
        };
        let holds = writer.define(DType::Bool, 0, Inst::Binary(op, value, than));
        let Some(sign) = sign else { return holds };
        // 1 over a zero is infinite, of the zero's sign.
        let inverse = writer.define(DType::F32, 0, Inst::Binary(Binary::Div, one, value));
        let has_sign = writer.define(DType::Bool, 0, Inst::Binary(sign, inverse, zero));
        writer.define(DType::Bool, 0, Inst::Binary(Binary::And, holds, has_sign))
    }
}

impl ZeroRows<'_> {
    /// Whether a value is the old one of a target in rows of zeros, under conditions.
    fn stays(&mut self, target: UpdateTarget, node: NodeId) -> bool {
        if self.is_spent() {
            return false;
        }
        let graph = self.graph;
        let args = &graph.nodes[node].args;
        match graph.nodes[node].op {
            Op::Param(id) => target == UpdateTarget::Param(id),
            Op::State(id) => target == UpdateTarget::State(id),
            Op::StopGradient => self.stays(target, args[0]),
            Op::Where => args[1..].iter().all(|&arg| self.stays(target, arg)),
            Op::Binary(Binary::Sub) => self.stays(target, args[0]) && self.is_plus_zero(args[1]),
            Op::Binary(Binary::Div) => {
                self.stays(target, args[0]) && self.is_number(args[1], Needed::One)
            }
            Op::Binary(op @ (Binary::Add | Binary::Mul)) => {
                let is_first = self.same.contains(&args[0]);
                let (kept, number) = if is_first { (args[1], args[0]) } else { (args[0], args[1]) };
                let grows = |state| target == UpdateTarget::State(state) && self.only_grows(state);
                let needed = match graph.nodes[kept].op {
                    _ if op == Binary::Mul => Needed::One,
                    Op::State(state) if grows(state) => Needed::Zero,
                    _ => Needed::MinusZero,
                };
                self.stays(target, kept) && self.is_number(number, needed)
            }
            _ => false,
        }
    }

    /// Whether a value is `+0` in rows of zeros, under conditions.
    fn is_plus_zero(&mut self, node: NodeId) -> bool {
        if self.is_number(node, Needed::PlusZero) {
            return true;
        }
        let graph = self.graph;
        let node = &graph.nodes[node];
        node.op == Op::Binary(Binary::Div)
            && self.is_plus_zero(node.args[0])
            && self.is_positive(node.args[1])
    }

    /// Whether a value is above 0 in rows of zeros (infinite, perhaps), under conditions.
    fn is_positive(&mut self, node: NodeId) -> bool {
        if self.is_number(node, Needed::Positive) {
            return true;
        }
        let graph = self.graph;
        let node = &graph.nodes[node];
        let [a, b] = node.args[..] else { return false };
        let (a, b) = if self.same.contains(&a) { (b, a) } else { (a, b) };
        node.op == Op::Binary(Binary::Add)
            && self.is_number(b, Needed::Positive)
            && self.is_not_negative(a)
    }

    /// Whether a value is 0 or more in rows of zeros (infinite, perhaps), under conditions.
    fn is_not_negative(&mut self, node: NodeId) -> bool {
        if self.is_number(node, Needed::NotNegative) {
            return true;
        }
        if self.is_spent() {
            return false;
        }
        let graph = self.graph;
        let node = &graph.nodes[node];
        let mut args = node.args.iter();
        match node.op {
            Op::State(state) => self.only_grows(state),
            Op::Unary(Unary::Sqrt) | Op::Binary(Binary::Add) => {
                args.all(|&arg| self.is_not_negative(arg))
            }
            _ => false,
        }
    }

    /// Whether a state begins at 0 or above and all that is ever added to it are squares of finite
    /// numbers: nothing is written where a gradient is not finite.
    fn only_grows(&self, state: StateId) -> bool {
        let graph = self.graph;
        let begins = match graph.states[state].init {
            Init::Constant(value) => value.is_sign_positive() && value.is_finite(),
            _ => false,
        };
        let is_square = |node: NodeId| {
            let node = &graph.nodes[node];
            node.op == Op::Binary(Binary::Mul) && node.args[0] == node.args[1]
        };
        let is_state = |node: NodeId| graph.nodes[node].op == Op::State(state);
        let grows = |node: NodeId| {
            let Op::Where = graph.nodes[node].op else { return false };
            let [_, new, old] = graph.nodes[node].args[..] else { return false };
            let [a, b] = graph.nodes[new].args[..] else { return false };
            let adds = graph.nodes[new].op == Op::Binary(Binary::Add);
            adds && is_state(old) && (is_state(a) && is_square(b) || is_square(a) && is_state(b))
        };
        let mut updates =
            graph.updates.iter().filter(|update| update.target == UpdateTarget::State(state));
        begins && updates.all(|update| grows(update.node))
    }

    /// Adds what is needed of a value, where it is one number in rows of zeros.
    fn is_number(&mut self, node: NodeId, needed: Needed) -> bool {
        let is_same = self.same.contains(&node);
        if is_same {
            self.conditions.push((node, needed));
        }
        is_same
    }

    /// Whether too much has been looked at; counts one node more.
    fn is_spent(&mut self) -> bool {
        self.budget = self.budget.saturating_sub(1);
        self.budget == 0
    }
}
