//! Local rewrites: fewer and cheaper nodes for the same values.
//!
//! ```text
//! %2 = neg %1                    %2 = sub %0, %1
//! %3 = add %0, %2                %3 = matmul transpose_b %2, %1
//! %4 = transpose [1, 0] %1
//! %5 = matmul %3, %4
//! ```
//!
//! The [`rules`] of an operator are tried on each of its nodes, in order; each says its formula. What a rule makes is looked
//! at again in the next round, until a round changes nothing. Nodes left without a use are
//! dropped between rounds, so that the rules see true numbers of uses.
//!
//! Values stay the same to the bit, with these exceptions, which hold in every engine because
//! all of them run the simplified graph: the sign of a zero (`x + 0 → x`, `0 − x → −x`,
//! `−(a − b) → b − a`), the bits of a NaN, powers with a small constant exponent (`x ^ 2 → x·x`,
//! `x ^ 0.5 → √x`, which is the more exact one), and sums that a factor is taken out of
//! (`Σ c·x → c·Σ x`, in [`sum`]) or whose terms are the same in fewer places
//! (`Σ max_pool_grad → Σ`, in [`window`]). So no other sum is reordered, no product is
//! distributed, `x · 0` stays (it is NaN for an infinite `x`), and functions of `f32` constants
//! are folded only where IEEE 754 fixes their bits. [`Op::StopGradient`] has done its work and
//! goes.

mod algebra;
mod fold;
mod scan;
mod shape;
mod sum;
mod window;

use crate::base::entity::Entity;
use crate::graph::{Graph, Node, NodeId, Op, Reduce, Shape, Type};
use crate::pass::emit::Emit;
use crate::pass::rebuild::Rebuild;
use crate::pass::{Pass, dce};
use rustc_hash::FxHashMap;

/// This pass.
pub const PASS: Pass<usize> = Pass {
    name: "simplify",
    description: "rewrites to fewer, cheaper nodes",
    run: |graph, _| run(graph),
};

/// A rewrite: what can stand for a node, where the rule applies. It never changes the type.
type Rule = fn(&mut Site) -> Option<NodeId>;

/// The rules of an operator, in the order in which they are tried.
fn rules(op: &Op) -> &'static [Rule] {
    match op {
        Op::Unary(_) => &[fold::constants, fold::splats, algebra::unary],
        Op::Binary(_) => &[
            fold::constants,
            fold::splats,
            algebra::add,
            shape::joined,
            algebra::sub,
            algebra::mul,
            algebra::div,
            algebra::pow,
            algebra::extremum,
            algebra::logic,
        ],
        Op::Where => &[fold::splats, algebra::select, window::relu_before_max_pool],
        Op::Cast(_) => &[fold::constants, fold::splats, algebra::cast],
        Op::StopGradient => &[algebra::stop_gradient],
        Op::Broadcast(_) => &[shape::broadcast],
        Op::Reshape(_) => &[shape::reshape, shape::reshape_of_input],
        Op::Transpose(_) => &[shape::transpose, shape::transpose_of_product],
        Op::Slice(_) => &[shape::slice],
        Op::Pad { .. } => &[shape::pad],
        Op::Concat(_) => &[shape::concat],
        Op::Reduce(..) => &[shape::reduce, sum::factor, window::sum_of_max_pool_grad],
        Op::MatMul { .. } => &[shape::product_of_transposes],
        Op::ScanSlice(_) => &[scan::slice],
        Op::ScanStack(_) => &[scan::stack],
        // Others have no rule; none is needed.
        _ => &[],
    }
}

/// The simplified graph.
pub fn run(graph: &Graph) -> Graph {
    let mut graph = dce::run(graph);
    // A round settles at least one node; the bound makes two rules that undo one another a slow
    // compile and not a hang.
    for _ in 0..=graph.nodes.len() {
        let (next, changed) = round(graph);
        graph = dce::sweep(next);
        if !changed {
            break;
        }
    }
    graph
}

/// One walk over all nodes; says whether a rule applied.
fn round(graph: Graph) -> (Graph, bool) {
    let uses = graph.use_counts();
    let (mut rebuild, nodes) = Rebuild::take(graph);
    let mut new_uses: Vec<usize> = vec![0; uses.len()];
    let mut sums = Sums::default();
    let mut changed = false;
    for (id, node) in nodes {
        let node = rebuild.renamed(node);
        rebuild.emit.builder.set_origin(node.origin);
        let mut site =
            Site { emit: &mut rebuild.emit, uses: &new_uses, sums: &mut sums, node: &node };
        let new = rules(&node.op).iter().find_map(|rule| rule(&mut site));
        let new = match new {
            Some(new) => {
                debug_assert_eq!(rebuild.emit.ty(new), &node.ty, "a rewrite keeps the type");
                changed = true;
                rebuild.replace(id, new);
                new
            }
            None => rebuild.put(id, node),
        };
        if new_uses.len() <= new.index() {
            new_uses.resize(2 * new.index() + 1, 0);
        }
        new_uses[new.index()] += uses[id.index()];
    }
    (rebuild.finish(), changed)
}

/// The sums of a graph that grows, by what they add up.
#[derive(Default)]
struct Sums {
    of: FxHashMap<NodeId, Vec<NodeId>>,
    /// How many nodes have been looked at.
    seen: usize,
}

impl Sums {
    /// The sums over elements of a value that the graph has by now.
    fn of(&mut self, graph: &Graph, value: NodeId) -> &[NodeId] {
        for id in (self.seen..graph.nodes.len()).map(NodeId::from_index) {
            if let Node { op: Op::Reduce(Reduce::Sum, _), args, .. } = &graph.nodes[id] {
                self.of.entry(args[0]).or_default().push(id);
            }
        }
        self.seen = graph.nodes.len();
        self.of.get(&value).map_or(&[], |sums| sums)
    }
}

/// A node that rules look at; its arguments are in the new graph, it is not yet.
struct Site<'a> {
    emit: &'a mut Emit,
    uses: &'a [usize],
    sums: &'a mut Sums,
    node: &'a Node,
}

impl Site<'_> {
    /// An argument.
    fn arg(&self, index: usize) -> NodeId {
        self.node.args[index]
    }

    /// The node of an argument, or of an argument's.
    fn of(&self, node: NodeId) -> &Node {
        &self.emit.graph().nodes[node]
    }

    /// The type of the value.
    fn ty(&self) -> &Type {
        &self.node.ty
    }

    /// The shape of the value.
    fn shape(&self) -> &Shape {
        &self.node.ty.shape
    }

    /// Whether nothing else uses an argument, so that what it computes can be changed. Nodes
    /// that this round made are not known yet; the next round knows them.
    fn only_use(&self, node: NodeId) -> bool {
        self.uses.get(node.index()) == Some(&1)
    }

    /// The scalar that all elements are, where the value is made of one.
    fn splat(&self, node: NodeId) -> Option<NodeId> {
        let Node { op, args, ty, .. } = self.of(node);
        if ty.shape.is_empty() {
            return Some(node);
        }
        let repeated = matches!(op, Op::Broadcast(_)) && self.of(args[0]).ty.shape.is_empty();
        repeated.then(|| args[0])
    }

    /// A constant of the value's type.
    fn constant(&mut self, value: f64) -> NodeId {
        self.emit.splat(value, &self.node.ty)
    }
}
