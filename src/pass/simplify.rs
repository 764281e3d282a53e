//! Local rewrites: fewer and cheaper nodes for the same values.
//!
//! ```text
//! %2 = neg %1                    %2 = sub %0, %1
//! %3 = add %0, %2                %3 = matmul transpose_b %2, %1
//! %4 = transpose [1, 0] %1
//! %5 = matmul %3, %4
//! ```
//!
//! [`RULES`] are tried on each node, in order; each says its formula. What a rule makes is looked
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
mod shape;
mod sum;
mod window;

use crate::base::entity::Entity;
use crate::graph::{Graph, Node, NodeId, Op, Shape, Type};
use crate::pass::emit::Emit;
use crate::pass::rebuild::Rebuild;
use crate::pass::{Pass, dce};
use std::collections::HashMap;

/// This pass.
pub const PASS: Pass = Pass { name: "simplify", description: "rewrites to fewer, cheaper nodes" };

/// A rewrite: what can stand for a node, where the rule applies. It never changes the type.
type Rule = fn(&mut Site) -> Option<NodeId>;

/// The rules, in the order in which they are tried.
const RULES: &[Rule] = &[
    fold::constants,
    fold::splats,
    algebra::stop_gradient,
    algebra::unary,
    algebra::add,
    algebra::sub,
    algebra::mul,
    algebra::div,
    algebra::pow,
    algebra::extremum,
    algebra::logic,
    algebra::select,
    algebra::cast,
    shape::broadcast,
    shape::reshape,
    shape::reshape_of_input,
    shape::transpose,
    shape::transpose_of_product,
    shape::slice,
    shape::pad,
    shape::concat,
    shape::reduce,
    shape::product_of_transposes,
    sum::factor,
    window::relu_before_max_pool,
    window::sum_of_max_pool_grad,
];

/// The simplified graph.
pub fn run(graph: &Graph) -> Graph {
    let mut graph = dce::run(graph);
    // A round settles at least one node; the bound makes two rules that undo one another a slow
    // compile and not a hang.
    for _ in 0..=graph.nodes.len() {
        let (next, changed) = round(&graph);
        graph = dce::run(&next);
        if !changed {
            break;
        }
    }
    graph
}

/// One walk over all nodes; says whether a rule applied.
fn round(graph: &Graph) -> (Graph, bool) {
    let uses = uses(graph);
    let mut rebuild = Rebuild::new(graph);
    let mut new_uses: HashMap<NodeId, usize> = HashMap::new();
    let mut changed = false;
    for id in graph.nodes.keys() {
        let node = rebuild.renamed(id);
        rebuild.emit.builder.set_origin(node.origin);
        let mut site = Site { emit: &mut rebuild.emit, uses: &new_uses, node: &node };
        let new = match RULES.iter().find_map(|rule| rule(&mut site)) {
            Some(new) => {
                changed = true;
                rebuild.replace(id, new);
                new
            }
            None => rebuild.keep(id),
        };
        debug_assert_eq!(rebuild.emit.ty(new), &node.ty, "a rewrite keeps the type");
        *new_uses.entry(new).or_default() += uses[id.index()];
    }
    (rebuild.finish(), changed)
}

/// How often each node is an argument, an output or an update.
fn uses(graph: &Graph) -> Vec<usize> {
    let mut uses = vec![0; graph.nodes.len()];
    let args = graph.nodes.values().flat_map(|node| node.args.iter().copied());
    for node in args.chain(graph.roots()) {
        uses[node.index()] += 1;
    }
    uses
}

/// A node that rules look at; its arguments are in the new graph, it is not yet.
struct Site<'a> {
    emit: &'a mut Emit,
    uses: &'a HashMap<NodeId, usize>,
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
        self.uses.get(&node) == Some(&1)
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
