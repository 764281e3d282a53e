//! Rewrites that only fusion gains from: the same values, so that fewer must be kept.
//!
//! - A mask `x > 0` whose `where(x > 0, x, 0)` exists is read from that result afterwards, so
//!   that a layer before its `relu` is never kept for the backward pass.
//! - A sum over everything gets its own copy of the product under it: `sum(g·g)` must not tie
//!   the update that also needs `g·g` to the norm that decides about the update.
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
use crate::graph::domain::{extents, is_view, reduces_last};
use crate::graph::{Binary, Graph, NodeId, Op, Reduce, Unary};
use crate::pass::emit::Emit;
use crate::pass::rebuild::Rebuild;

/// The graph, rewritten.
pub fn run(graph: &Graph) -> Graph {
    let uses = uses(graph);
    let mut rebuild = Rebuild::new(graph);
    for (id, node) in graph.nodes.iter() {
        match &node.op {
            Op::Where => {
                rebuild.keep(id);
                mask_of_result(&mut rebuild, id);
            }
            Op::Reduce(Reduce::Sum, axes) if axes.len() == graph.ty(node.args[0]).shape.rank() => {
                own_copy(&mut rebuild, &uses, id);
            }
            Op::Reduce(..) | Op::ArgMax(_) if !is_view(graph, id) && between(graph, id) => {
                axes_last(&mut rebuild, id);
            }
            Op::Variance(axes) if reduces_last(graph, id) || between(graph, id) => {
                two_means(&mut rebuild, id, axes);
            }
            _ => {
                rebuild.keep(id);
            }
        }
    }
    rebuild.finish()
}

/// How often each node is read.
fn uses(graph: &Graph) -> Vec<usize> {
    let mut uses = vec![0; graph.nodes.len()];
    let args = graph.nodes.values().flat_map(|node| node.args.iter().copied());
    for node in args.chain(graph.roots()) {
        uses[node.index()] += 1;
    }
    uses
}

/// `x > 0` becomes `where(x > 0, x, 0) > 0` for those who come later: the same truth value, NaN
/// included (it gives 0).
fn mask_of_result(rebuild: &mut Rebuild, id: NodeId) {
    let graph = rebuild.old;
    let [mask, x, zero] = graph.nodes[id].args[..] else { return };
    let test = &graph.nodes[mask];
    let is_relu = test.op == Op::Binary(Binary::Gt)
        && test.args[0] == x
        && is_zero(graph, test.args[1])
        && is_zero(graph, zero);
    if !is_relu || graph.roots().any(|root| root == mask) {
        return;
    }
    let later = |node: NodeId| graph.nodes[node].args.contains(&mask);
    if graph.nodes.keys().skip(id.index() + 1).any(later) {
        let (result, zero) = (rebuild.mapped(id), rebuild.mapped(zero));
        let (Some(result), Some(zero)) = (result, zero) else { return };
        let again = rebuild.emit.binary(Binary::Gt, result, zero);
        rebuild.replace(mask, again);
    }
}

/// Whether every element is the constant 0.
pub fn is_zero(graph: &Graph, mut node: NodeId) -> bool {
    while is_view(graph, node) {
        node = graph.nodes[node].args[0];
    }
    matches!(graph.nodes[node].op, Op::Const(0.0, _))
}

/// A sum over everything of a cheap value that others read too: the sum's own copy of it.
fn own_copy(rebuild: &mut Rebuild, uses: &[usize], id: NodeId) {
    let graph = rebuild.old;
    let arg = graph.nodes[id].args[0];
    let cheap = matches!(
        graph.nodes[arg].op,
        Op::Binary(Binary::Mul | Binary::Add | Binary::Sub)
            | Op::Unary(Unary::Abs | Unary::Neg)
            | Op::Where
    );
    if cheap && uses[arg.index()] > 1 {
        let shared = rebuild.mapped(arg).expect("arguments come before uses");
        rebuild.keep(arg);
        rebuild.keep(id);
        rebuild.replace(arg, shared);
    } else {
        rebuild.keep(id);
    }
}

/// Whether a reduction's axes are neither the last ones nor leave the last one in place.
fn between(graph: &Graph, id: NodeId) -> bool {
    let shape = extents(graph, graph.nodes[id].args[0]);
    let Some(last) = (0..shape.len()).rev().find(|&axis| shape[axis] != 1) else { return false };
    match &graph.nodes[id].op {
        Op::Reduce(_, axes) | Op::Variance(axes) => {
            axes.contains(&last) && !reduces_last(graph, id)
        }
        _ => !reduces_last(graph, id),
    }
}

/// A variance as means over the last axes: of `x`, or of its transpose.
fn two_means(rebuild: &mut Rebuild, id: NodeId, axes: &[usize]) {
    let graph = rebuild.old;
    let node = &graph.nodes[id];
    let rank = graph.ty(node.args[0]).shape.rank();
    let x = rebuild.mapped(node.args[0]).expect("arguments come before uses");
    rebuild.emit.builder.set_origin(node.origin);
    let (x, axes) = match reduces_last(graph, id) {
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
fn axes_last(rebuild: &mut Rebuild, id: NodeId) {
    let graph = rebuild.old;
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
