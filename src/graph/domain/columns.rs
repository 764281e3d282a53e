//! The loop nest of reductions over first axes and of the element-wise work that they read.
//!
//! Takes nodes, some of which sum columns; gives their common domain, in which every other node
//! has a value for each element, and which of its axes are reduced. `Σ g` and `Σ g·x` over axes
//! 0, 1, 2 of `[8, 4, 4, 3]`, with `g·x` inside: axes `8, 4, 4 | 3`. `None` where the elements or
//! the reduced axes differ, and where a node is computed from one of the sums. Fusion asks this
//! before it unites nodes, lowering takes what it gives.

use super::{Domain, Level};
use crate::graph::bound::BoundGraph;
use crate::graph::op::{NodeId, Op};
use rustc_hash::{FxHashMap, FxHashSet};

/// The most sums of one reduction of which each part of the work keeps its own, and each thread
/// the totals.
pub const MOST_KEPT: usize = 4096;

/// Whether one of the nodes is computed from one of the sums: these are known only when the nest
/// has passed over everything (`exp(x - max)` of a `max` over first axes).
fn reads_any(graph: &BoundGraph, nodes: &[NodeId], sums: &[NodeId]) -> bool {
    let Some(&first) = sums.iter().min() else { return false };
    let mut seen = FxHashSet::default();
    let mut open: Vec<NodeId> = Vec::new();
    let mut next = |node: NodeId, open: &mut Vec<NodeId>| {
        // Arguments come before uses: nothing before the first sum is computed from it.
        let args = graph.nodes[node].args.iter().copied();
        open.extend(args.filter(|&arg| arg >= first && seen.insert(arg)));
    };
    nodes.iter().for_each(|&node| next(node, &mut open));
    while let Some(node) = open.pop() {
        if sums.contains(&node) {
            return true;
        }
        next(node, &mut open);
    }
    false
}

impl Domain {
    /// The common nest of nodes (arguments before uses) of which some sum columns, and for each
    /// axis whether it is reduced.
    pub fn columns(graph: &BoundGraph, nodes: &[NodeId]) -> Option<(Domain, Vec<bool>)> {
        let (sums, full): (Vec<NodeId>, Vec<NodeId>) =
            nodes.iter().partition(|&&node| graph.sums_columns(node));
        let arg = |node: NodeId| graph.nodes[node].args[0];
        let shapes: Vec<&[usize]> = sums.iter().map(|&sum| graph.extents(arg(sum))).collect();
        let total: usize = shapes.first()?.iter().product();
        let misfit =
            |&node: &NodeId| graph.elements(node) != total || graph.columns(node).is_some();
        if shapes.iter().any(|shape| shape.iter().product::<usize>() != total)
            || full.iter().any(misfit)
        {
            return None;
        }
        let mut domain = Domain {
            axes: Vec::new(),
            rows: 0,
            reduces: false,
            levels: FxHashMap::from_iter(full.iter().map(|&node| (node, Level::Full))),
        };
        domain.cut(graph, &full, total, 1, &shapes)?;
        let direct = |&sum: &NodeId| domain.reads_in_place(graph, arg(sum), Level::Full);
        if !domain.fits(graph, &full) || !sums.iter().all(direct) {
            return None;
        }
        if reads_any(graph, nodes, &sums) {
            return None;
        }
        let reduced = domain.reduced(graph, sums[0])?;
        let equal = |&sum: &NodeId| domain.reduced(graph, sum).as_ref() == Some(&reduced);
        sums.iter().all(equal).then_some((domain, reduced))
    }

    /// Which axes a sum of columns reduces.
    fn reduced(&self, graph: &BoundGraph, sum: NodeId) -> Option<Vec<bool>> {
        let (Op::Reduce(_, axes) | Op::Variance(axes)) = &graph.nodes[sum].op else { return None };
        let forms = self.forms(graph.extents(graph.nodes[sum].args[0]), Level::Full)?;
        let is_reduced = |axis: usize| axes.iter().any(|&own| forms[own].factors[axis] != 0);
        Some((0..self.axes.len()).map(is_reduced).collect())
    }
}
