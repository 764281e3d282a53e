//! Rewrites that only fusion gains from: the same values, so that fewer must be kept.
//!
//! - A mask `x > 0` whose `where(x > 0, x, 0)` exists is read from that result afterwards, so
//!   that a layer before its `relu` is never kept for the backward pass.
//! - A sum over everything gets its own copy of the product under it: `sum(g·g)` must not tie
//!   the update that also needs `g·g` to the norm that decides about the update.
//! - A sum over first axes of a product with `x · r`, where `r` is a number for each row, gets its own
//!   copy of that factor, which it computes from `x` ([`rematerialize`](super::rematerialize)): a
//!   layer norm's normalised rows need not be kept beside the centred ones.
//! - A variance over the last axes is `mean((x − mean(x))²)`: rows are in cache for the second
//!   sum. Over first axes it stays one reduction.
//! - A reduction over axes that are neither all first nor all last reads a transpose.
//!
//! ```text
//! %2 = gt %1 %0                    %2 = gt %1 %0
//! %3 = where %2 %1 %0              %3 = where %2 %1 %0
//! %9 = where %2 %8 %0              %4 = gt %3 %0
//!                                  %9 = where %4 %8 %0
//! ```

use crate::base::entity::Entity;
use crate::graph::{Binary, BoundGraph, Graph, NodeId, Op, Reduce, Unary};
use crate::pass::emit::Emit;
use crate::pass::rebuild::Rebuild;

/// Values with fewer elements stay in a cache until they are read.
pub const LARGE: usize = 1 << 16;

/// The graph, rewritten.
pub fn run(graph: &Graph) -> BoundGraph {
    let graph = &BoundGraph::new(graph.clone());
    let uses = Uses::of(graph);
    let mut rebuild = Rebuild::new(graph);
    for (id, node) in graph.nodes.iter() {
        match &node.op {
            Op::Where => {
                rebuild.keep(id, node);
                mask_of_result(&mut rebuild, graph, &uses, id);
            }
            Op::Reduce(Reduce::Sum, axes) if axes.len() == graph.ty(node.args[0]).shape.rank() => {
                own_copy(&mut rebuild, graph, &uses, id);
            }
            Op::Binary(Binary::Mul) => own_factor(&mut rebuild, graph, &uses, id),
            Op::Reduce(..) | Op::ArgMax(_) if !graph.is_view(id) && between(graph, id) => {
                axes_last(&mut rebuild, graph, id);
            }
            Op::Variance(axes) if graph.reduces_last(id) || between(graph, id) => {
                two_means(&mut rebuild, graph, id, axes);
            }
            _ => drop(rebuild.keep(id, node)),
        }
    }
    BoundGraph::new(rebuild.finish())
}

/// Who reads each node.
struct Uses {
    /// How often it is read, as an output or update too.
    count: Vec<usize>,
    /// The last node that reads it.
    last: Vec<Option<NodeId>>,
    /// Whether it is an output or an update.
    root: Vec<bool>,
}

impl Uses {
    fn of(graph: &Graph) -> Uses {
        let nodes = graph.nodes.len();
        let mut uses =
            Uses { count: graph.use_counts(), last: vec![None; nodes], root: vec![false; nodes] };
        for (id, node) in graph.nodes.iter() {
            for arg in &node.args {
                uses.last[arg.index()] = Some(id);
            }
        }
        for node in graph.roots().chain(graph.handed_on()) {
            uses.root[node.index()] = true;
        }
        uses
    }
}

/// `x > 0` becomes `where(x > 0, x, 0) > 0` for those who come later: the same truth value, NaN
/// included (it gives 0).
fn mask_of_result(rebuild: &mut Rebuild, graph: &BoundGraph, uses: &Uses, id: NodeId) {
    let [mask, x, zero] = graph.nodes[id].args[..] else { return };
    let test = &graph.nodes[mask];
    let is_relu = test.op == Op::Binary(Binary::Gt)
        && test.args[0] == x
        && is_zero(graph, test.args[1])
        && is_zero(graph, zero);
    if !is_relu || uses.root[mask.index()] {
        return;
    }
    if uses.last[mask.index()] > Some(id) {
        let (result, zero) = (rebuild.mapped(id), rebuild.mapped(zero));
        let (Some(result), Some(zero)) = (result, zero) else { return };
        rebuild.emit.builder.set_origin(graph.nodes[id].origin);
        let again = rebuild.emit.binary(Binary::Gt, result, zero);
        rebuild.replace(mask, again);
    }
}

/// Whether every element is the constant 0.
pub fn is_zero(graph: &BoundGraph, node: NodeId) -> bool {
    matches!(graph.nodes[graph.base(node)].op, Op::Const(0.0, _))
}

/// A sum over everything of a cheap value that others read too: the sum's own copy of it.
fn own_copy(rebuild: &mut Rebuild, graph: &Graph, uses: &Uses, id: NodeId) {
    let arg = graph.nodes[id].args[0];
    let cheap = matches!(
        graph.nodes[arg].op,
        Op::Binary(Binary::Mul | Binary::Add | Binary::Sub)
            | Op::Unary(Unary::Abs | Unary::Neg)
            | Op::Where
    );
    if cheap && uses.count[arg.index()] > 1 {
        let shared = rebuild.mapped(arg).expect("arguments come before uses");
        rebuild.keep(arg, &graph.nodes[arg]);
        rebuild.keep(id, &graph.nodes[id]);
        rebuild.replace(arg, shared);
    } else {
        rebuild.keep(id, &graph.nodes[id]);
    }
}

/// A product that a sum over first axes reads: the product's own copy of a factor that scales rows,
/// where others read the factor too and what is scaled is read after it.
fn own_factor(rebuild: &mut Rebuild, graph: &BoundGraph, uses: &Uses, id: NodeId) {
    let node = &graph.nodes[id];
    let sum = uses.last[id.index()].filter(|_| uses.count[id.index()] == 1);
    let is_summed = sum.is_some_and(|sum| graph.sums_columns(sum));
    let is_kept = |x: NodeId| uses.last[x.index()] > Some(id);
    let factor = node.args.iter().copied().find(|&factor| {
        let is_shared = uses.count[factor.index()] > 1;
        is_shared && scaled_rows(graph, factor).is_some_and(is_kept)
    });
    let Some(factor) = factor.filter(|_| is_summed) else {
        rebuild.keep(id, node);
        return;
    };
    let shared = rebuild.mapped(factor).expect("arguments come before uses");
    rebuild.keep(factor, &graph.nodes[factor]);
    rebuild.keep(id, node);
    rebuild.replace(factor, shared);
}

/// A value that is too large for the caches of which another is `x · r`, with a number `r` for each
/// row.
pub fn scaled_rows(graph: &BoundGraph, node: NodeId) -> Option<NodeId> {
    let Op::Binary(Binary::Mul) = graph.nodes[node].op else { return None };
    let [x, r] = graph.nodes[node].args[..] else { return None };
    let is_large = graph.elements(node) >= LARGE && graph.extents(node).last() != Some(&1);
    (is_large && graph.spreads_rows(r) && !graph.is_view(x)).then_some(x)
}

/// Whether a reduction's axes are neither the last ones nor leave the last one in place.
fn between(graph: &BoundGraph, id: NodeId) -> bool {
    let shape = graph.extents(graph.nodes[id].args[0]);
    let Some(last) = (0..shape.len()).rev().find(|&axis| shape[axis] != 1) else { return false };
    match &graph.nodes[id].op {
        Op::Reduce(_, axes) | Op::Variance(axes) => axes.contains(&last) && !graph.reduces_last(id),
        _ => !graph.reduces_last(id),
    }
}

/// A variance as means over the last axes: of `x`, or of its transpose.
fn two_means(rebuild: &mut Rebuild, graph: &BoundGraph, id: NodeId, axes: &[usize]) {
    let node = &graph.nodes[id];
    let rank = graph.ty(node.args[0]).shape.rank();
    let x = rebuild.mapped(node.args[0]).expect("arguments come before uses");
    rebuild.emit.builder.set_origin(node.origin);
    let (x, axes) = match graph.reduces_last(id) {
        true => (x, axes.to_vec()),
        false => {
            let kept = (0..rank).filter(|axis| !axes.contains(axis));
            let perm: Vec<usize> = kept.chain(axes.iter().copied()).collect();
            (rebuild.emit.transpose(x, &perm), (rank - axes.len()..rank).collect())
        }
    };
    let shape = rebuild.emit.shape(x);
    let mean = |emit: &mut Emit, x| emit.builder.mean(x, &axes, false).expect("f32");
    let center = mean(&mut rebuild.emit, x);
    let center = rebuild.emit.spread(center, &axes, &shape);
    let deviation = rebuild.emit.sub(x, center);
    let square = rebuild.emit.mul(deviation, deviation);
    let variance = mean(&mut rebuild.emit, square);
    rebuild.replace(id, variance);
}

/// The reduction of a transpose whose reduced axes are last.
fn axes_last(rebuild: &mut Rebuild, graph: &Graph, id: NodeId) {
    let node = &graph.nodes[id];
    let reduced: Vec<usize> = match &node.op {
        Op::Reduce(_, axes) => axes.clone(),
        Op::ArgMax(axis) => vec![*axis],
        _ => return,
    };
    let rank = graph.ty(node.args[0]).shape.rank();
    let kept = (0..rank).filter(|axis| !reduced.contains(axis));
    let perm: Vec<usize> = kept.chain(reduced.iter().copied()).collect();
    let arg = rebuild.mapped(node.args[0]).expect("arguments come before uses");
    rebuild.emit.builder.set_origin(node.origin);
    let turned = rebuild.emit.transpose(arg, &perm);
    let op = match &node.op {
        Op::Reduce(op, axes) => Op::Reduce(*op, (rank - axes.len()..rank).collect()),
        _ => Op::ArgMax(rank - 1),
    };
    let new = rebuild.emit.op(op, &[turned]);
    rebuild.replace(id, new);
}
