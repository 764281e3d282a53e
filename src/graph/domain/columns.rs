//! The loop nest of reductions over first axes and of the element-wise work that they read.
//!
//! Takes nodes, some of which sum columns; gives their common domain, in which every other node
//! has a value for each element, and which of its axes are reduced. `Σ g` and `Σ g·x` over axes
//! 0, 1, 2 of `[8, 4, 4, 3]`, with `g·x` inside: axes `8, 4, 4 | 3`. `None` where the elements or
//! the reduced axes differ, and where a node is computed from one of the sums. Fusion asks this
//! before it unites nodes, lowering takes what it gives.

use super::{Domain, Level, columns, elements, extents, is_view, reduces_last};
use crate::base::entity::IdMap;
use crate::graph::data::Graph;
use crate::graph::op::{NodeId, Op};
use std::collections::HashSet;

/// The most sums of one reduction of which each part of the work keeps its own, and each thread
/// the totals.
pub const MOST_KEPT: usize = 4096;

/// Whether one of the nodes is computed from one of the sums: these are known only when the nest
/// has passed over everything (`exp(x - max)` of a `max` over first axes).
fn reads_any(graph: &Graph, nodes: &[NodeId], sums: &[NodeId]) -> bool {
    let Some(&first) = sums.iter().min() else { return false };
    let mut seen = HashSet::new();
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

/// Whether a node reduces axes of which none is the last.
pub fn sums_columns(graph: &Graph, node: NodeId) -> bool {
    matches!(graph.nodes[node].op, Op::Reduce(..) | Op::Variance(_))
        && !is_view(graph, node)
        && !reduces_last(graph, node)
}

impl Domain {
    /// The common nest of nodes (arguments before uses) of which some sum columns, and for each
    /// axis whether it is reduced.
    pub fn columns(graph: &Graph, nodes: &[NodeId]) -> Option<(Domain, Vec<bool>)> {
        let (sums, full): (Vec<NodeId>, Vec<NodeId>) =
            nodes.iter().partition(|&&node| sums_columns(graph, node));
        let arg = |node: NodeId| graph.nodes[node].args[0];
        let shapes: Vec<Vec<usize>> = sums.iter().map(|&sum| extents(graph, arg(sum))).collect();
        let total: usize = shapes.first()?.iter().product();
        let misfit =
            |&node: &NodeId| elements(graph, node) != total || columns(graph, node).is_some();
        if shapes.iter().any(|shape| shape.iter().product::<usize>() != total)
            || full.iter().any(misfit)
        {
            return None;
        }
        let mut domain = Domain {
            axes: Vec::new(),
            rows: 0,
            reduces: false,
            levels: IdMap::from_iter(full.iter().map(|&node| (node, Level::Full))),
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
    fn reduced(&self, graph: &Graph, sum: NodeId) -> Option<Vec<bool>> {
        let (Op::Reduce(_, axes) | Op::Variance(axes)) = &graph.nodes[sum].op else { return None };
        let forms = self.forms(&extents(graph, graph.nodes[sum].args[0]), Level::Full)?;
        let is_reduced = |axis: usize| axes.iter().any(|&own| forms[own].factors[axis] != 0);
        Some((0..self.axes.len()).map(is_reduced).collect())
    }
}
