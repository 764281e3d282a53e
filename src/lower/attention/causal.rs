//! Scores that a causal mask hides, of which whole blocks need not be computed.
//!
//! ```text
//! where(column <= row, s, -1e30) − max    below all others    exp of it    0
//! ```
//!
//! Takes the nodes of a kernel; says whether the scores behind the diagonal add nothing to any sum and
//! change no largest, so that a block of rows may end at the column of its last row. Each value is
//! followed at a score that is hidden: it is 0, or far below all that are seen, or unknown. That
//! scores are far above -1e30 is taken for granted where they are a product and a factor, since
//! otherwise nothing that follows is finite; where another mask may have hidden them, nothing is.
//!
//! [`pass::causal`](crate::pass::causal) asks another question, and neither can answer for both. It
//! follows on which tokens each value of a model depends, through every operator and from any axis
//! to any other, forward only, before a graph is bound and fused. Here one kernel is looked at, forward
//! or backward, after passes have rewritten it, at the last two axes alone; and since blocks are left
//! out, what is hidden must be exactly 0 to every sum, so that a number has to be far lower.

use crate::base::scalar::{Binary, Reduce, Unary};
use crate::graph::{BoundGraph, NodeId, Op};
use rustc_hash::FxHashMap;

/// Masks fill with this number or a lower one.
const LOWEST: f64 = -1e30;

/// A value at scores that are hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HiddenValue {
    /// 0, or -0.
    Zero,
    /// So far below the scores that are seen that its exponential, less that of theirs, is 0.
    Low,
    /// Unknown.
    Any,
}

/// The nodes of a kernel at hidden scores.
pub struct HiddenScores<'a> {
    graph: &'a BoundGraph,
    /// The kernel's nodes, in order.
    nodes: &'a [NodeId],
    known: FxHashMap<NodeId, HiddenValue>,
}

impl<'a> HiddenScores<'a> {
    /// Nothing is known yet.
    pub fn new(graph: &'a BoundGraph, nodes: &'a [NodeId]) -> Self {
        HiddenScores { graph, nodes, known: FxHashMap::default() }
    }

    /// Whether no reduction and none of the scores `read` by products depend on what is hidden.
    pub fn are_nothing(&mut self, read: impl Iterator<Item = NodeId>) -> bool {
        let graph = self.graph;
        let reductions = self.nodes.iter().filter(|node| graph.columns(**node).is_some());
        let mut reductions = reductions.map(|&node| &graph.nodes[node]);
        let nothing = reductions.all(|node| match node.op {
            Op::Reduce(Reduce::Sum, _) => self.value(node.args[0]) == HiddenValue::Zero,
            Op::Reduce(Reduce::Max, _) => self.value(node.args[0]) == HiddenValue::Low,
            _ => false,
        });
        let mut read = read;
        nothing && read.all(|node| self.value(node) == HiddenValue::Zero)
    }

    fn value(&mut self, node: NodeId) -> HiddenValue {
        if let Some(&known) = self.known.get(&node) {
            return known;
        }
        let value = self.find(node);
        self.known.insert(node, value);
        value
    }

    fn find(&mut self, node: NodeId) -> HiddenValue {
        let graph = self.graph;
        let args = &graph.nodes[node].args;
        match graph.nodes[node].op {
            Op::Const(0.0, _) => HiddenValue::Zero,
            Op::Const(value, _) if value <= LOWEST => HiddenValue::Low,
            Op::StopGradient => self.value(args[0]),
            Op::Broadcast(_) if graph.elements(args[0]) == 1 => self.value(args[0]),
            Op::Broadcast(_) => match self.repeated(node) {
                same if same == node => HiddenValue::Any,
                inner => self.value(inner),
            },
            Op::Where => match self.truth(args[0]) {
                Some(taken) => {
                    self.hidden(args[1 + usize::from(!taken)], args[1 + usize::from(taken)])
                }
                None => self.both(args[1], args[2]),
            },
            Op::Unary(Unary::Exp) if self.value(args[0]) == HiddenValue::Low => HiddenValue::Zero,
            Op::Unary(Unary::Neg | Unary::Abs) if self.value(args[0]) == HiddenValue::Zero => {
                HiddenValue::Zero
            }
            Op::Binary(op) => {
                let values = [self.value(args[0]), self.value(args[1])];
                match (op, values) {
                    (Binary::Mul, [HiddenValue::Zero, HiddenValue::Any]) => HiddenValue::Zero,
                    (Binary::Mul, [HiddenValue::Any, HiddenValue::Zero]) => HiddenValue::Zero,
                    (Binary::Div, [HiddenValue::Zero, HiddenValue::Any]) => HiddenValue::Zero,
                    (Binary::Add | Binary::Sub, _) if values == [HiddenValue::Zero; 2] => {
                        HiddenValue::Zero
                    }
                    // Less the largest that is seen.
                    (Binary::Sub, [HiddenValue::Low, HiddenValue::Any])
                        if graph.spreads_rows(args[1]) =>
                    {
                        HiddenValue::Low
                    }
                    _ => HiddenValue::Any,
                }
            }
            _ => HiddenValue::Any,
        }
    }

    /// The value of one of two, whichever it is.
    fn both(&mut self, a: NodeId, b: NodeId) -> HiddenValue {
        match [self.value(a), self.value(b)] {
            [HiddenValue::Zero, HiddenValue::Zero] => HiddenValue::Zero,
            // What is seen may be as low, by this mask.
            _ => HiddenValue::Any,
        }
    }

    /// The value of what a mask puts in the place of `seen`.
    fn hidden(&mut self, taken: NodeId, seen: NodeId) -> HiddenValue {
        match self.value(taken) {
            HiddenValue::Low if !self.is_moderate(seen) => HiddenValue::Any,
            value => value,
        }
    }

    /// Whether a value is a product with factors and summands, which no mask has made low.
    fn is_moderate(&self, node: NodeId) -> bool {
        let graph = self.graph;
        let inside = |node: NodeId| self.nodes.binary_search(&node).is_ok();
        let source = graph.base_or(node, inside);
        match graph.nodes[source].op {
            Op::MatMul { .. } => true,
            Op::Binary(Binary::Mul | Binary::Div) if inside(source) => {
                let [a, b] = graph.nodes[source].args[..] else { return false };
                let is_number = |node: NodeId| {
                    let op = &graph.nodes[graph.base(node)].op;
                    matches!(op, Op::Const(value, _) if value.abs() < 1e6)
                };
                self.is_moderate(a) && is_number(b) || is_number(a) && self.is_moderate(b)
            }
            _ => false,
        }
    }

    /// The truth value of a condition wherever the column is greater than the row.
    fn truth(&self, node: NodeId) -> Option<bool> {
        let graph = self.graph;
        let source = self.repeated(node);
        let Op::Binary(op) = graph.nodes[source].op else { return None };
        let [a, b] = graph.nodes[source].args[..] else { return None };
        let column_first = match (self.counts(a)?, self.counts(b)?) {
            (1, 2) => true,
            (2, 1) => false,
            _ => return None,
        };
        match op {
            Binary::Gt | Binary::Ge => Some(column_first),
            Binary::Lt | Binary::Le => Some(!column_first),
            _ => None,
        }
    }

    /// The value that is repeated along first axes.
    fn repeated(&self, mut node: NodeId) -> NodeId {
        while let Op::Broadcast(_) = self.graph.nodes[node].op {
            let arg = self.graph.nodes[node].args[0];
            let (own, inner) = (self.graph.extents(node), self.graph.extents(arg));
            let ends = |shape: &[usize]| shape[shape.len().saturating_sub(2)..].to_vec();
            if inner.len() < 2 || ends(own) != ends(inner) {
                return node;
            }
            node = arg;
        }
        node
    }

    /// Which axis from the end a value counts.
    fn counts(&self, node: NodeId) -> Option<usize> {
        let source = self.repeated(node);
        match self.graph.nodes[source].op {
            Op::Iota { axis, .. } => Some(self.graph.extents(source).len() - axis),
            _ => None,
        }
    }
}
