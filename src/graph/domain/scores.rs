//! The nest of scores: `[.., rows, columns]`, passed through by blocks of rows.

use super::Domain;
use crate::graph::bound::BoundGraph;
use crate::graph::op::NodeId;

impl Domain {
    /// The nest of work on the shape of `scores`, one of the nodes: leading axes (one at least),
    /// an axis that is all the rows, and the columns, whether or not these are reduced.
    pub fn of_scores(graph: &BoundGraph, nodes: &[NodeId], scores: NodeId) -> Option<Domain> {
        let [.., rows, columns] = *graph.extents(scores) else { return None };
        let mut domain = Domain::of(graph, nodes)?;
        let mut first = domain.axes.len();
        while domain.axes[first..].iter().product::<usize>() < columns {
            first = first.checked_sub(1)?;
        }
        let whole = domain.axes.iter().product::<usize>() == graph.elements(scores);
        let fits = domain.axes[first..].iter().product::<usize>() == columns
            && (!domain.reduces || domain.rows == first)
            && first >= 2
            && domain.axes[first - 1] == rows;
        (domain.rows, domain.reduces) = (first, true);
        (whole && fits).then_some(domain)
    }
}
