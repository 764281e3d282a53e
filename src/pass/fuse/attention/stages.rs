//! The stages of a set of scores, each of which becomes a kernel.
//!
//! ```text
//! stage 0: scores, softmax, softmax @ v → out        stage 1: out_grad @ vᵀ … @ k, … @ q
//!          out → projection, loss, out_grad
//! ```
//!
//! A node's stage is the number of times that its set must have been left, by a product or a value
//! that others read, before it can be computed. So no kernel of a stage waits for itself. A stage
//! has its products that read scores, and all that these are computed from within the set: scores
//! of earlier stages are computed again, values of rows of earlier stages are read from memory.
//! Random numbers, masks and others that are as large as the scores are computed here too.

use super::AttentionGroup;
use super::scores::{ScoreRole, ScoreSet};
use crate::base::entity::Entity;
use crate::base::tensor::DType;
use crate::graph::domain::Domain;
use crate::graph::{BoundGraph, Node, NodeId, Op, OpKind};
use std::collections::BTreeSet;

/// The most products that make scores of one kernel. More are scores that are handed from layer to
/// layer, which had better be kept.
const MOST_MAKERS: usize = 4;

/// The most nodes of a kernel, as for other kernels.
const MOST_NODES: usize = 256;

/// The kernels of a set.
pub fn groups(graph: &BoundGraph, set: &ScoreSet) -> Vec<AttentionGroup> {
    let stages = stages(graph, set);
    let takers = || set.roles.iter().filter(|(_, role)| **role == ScoreRole::Taker);
    let Some(last) = takers().map(|(&node, _)| stages[node.index()]).max() else {
        return Vec::new();
    };
    let mut groups = Vec::new();
    // Values of rows that later stages read.
    let mut wanted: BTreeSet<NodeId> = BTreeSet::new();
    for stage in (0..=last).rev() {
        let is_now = |node: &NodeId| stages[node.index()] == stage;
        // All reductions of rows: who else reads one would have to read the scores.
        let reductions = set.roles.keys().filter(|node| graph.columns(**node).is_some());
        let takers = takers().map(|(node, _)| node);
        let mut open: Vec<NodeId> = takers.chain(reductions).copied().filter(is_now).collect();
        open.extend(wanted.iter().copied().filter(is_now));
        let search = StageSearch { graph, set, stages: &stages, stage };
        let (nodes, rows) = search.below(open);
        if search.is_kernel(&nodes) {
            wanted.extend(rows);
            let copied = nodes.iter().copied().filter(|node| !search.is_own(node)).collect();
            groups.push(AttentionGroup { nodes, copied });
        }
    }
    groups
}

/// The stage of each node of a set, and for each other node the first stage that may read it.
fn stages(graph: &BoundGraph, set: &ScoreSet) -> Vec<usize> {
    let mut stages = vec![0; graph.nodes.len()];
    let Some((&first, _)) = set.roles.first_key_value() else { return stages };
    for (id, node) in graph.nodes.iter().skip(first.index()) {
        let inside = set.roles.contains_key(&id);
        let stage = |arg: &NodeId| {
            let leaves = match set.roles.get(arg) {
                Some(ScoreRole::Taker) => true,
                Some(_) => !inside,
                None => false,
            };
            stages[arg.index()] + usize::from(leaves)
        };
        stages[id.index()] = node.args.iter().map(stage).max().unwrap_or(0);
    }
    stages
}

/// The search for the nodes of a stage.
struct StageSearch<'a> {
    graph: &'a BoundGraph,
    set: &'a ScoreSet,
    stages: &'a [usize],
    stage: usize,
}

impl StageSearch<'_> {
    /// Whether a node is of the set and of this stage.
    fn is_own(&self, node: &NodeId) -> bool {
        self.set.roles.contains_key(node) && self.stages[node.index()] == self.stage
    }

    /// The nodes that are computed for some of this stage, in order, and the values of rows of
    /// earlier stages that these read.
    fn below(&self, mut open: Vec<NodeId>) -> (Vec<NodeId>, BTreeSet<NodeId>) {
        let (mut nodes, mut rows) = (BTreeSet::new(), BTreeSet::new());
        while let Some(node) = open.pop() {
            if !nodes.insert(node) {
                continue;
            }
            let args = &self.graph.nodes[node].args;
            let args = match self.set.roles.get(&node) {
                Some(ScoreRole::Maker) => &[],
                Some(ScoreRole::Taker) => &args[..1],
                _ => &args[..],
            };
            for &arg in args {
                match self.set.roles.get(&arg) {
                    Some(ScoreRole::Taker) => {}
                    Some(ScoreRole::Row) if !self.is_own(&arg) && !self.graph.is_view(arg) => {
                        rows.insert(arg);
                    }
                    Some(_) => open.push(arg),
                    None if self.is_large(arg) => open.push(arg),
                    None => {}
                }
            }
        }
        (nodes.into_iter().collect(), rows)
    }

    /// Whether a node outside of the set is as large as its scores and computed element by
    /// element.
    fn is_large(&self, node: NodeId) -> bool {
        let Node { op, args, .. } = &self.graph.nodes[node];
        let is_computed = match op {
            Op::Uniform { .. } => true,
            Op::Reshape(_) | Op::StopGradient => self.is_large(args[0]),
            _ => {
                let no_number = |arg: &NodeId| self.graph.ty(*arg).dtype != DType::F64;
                op.kind() == OpKind::Elementwise && args.iter().all(no_number)
            }
        };
        is_computed && self.set.shape.is_of(self.graph, node)
    }

    /// Whether nodes make one kernel: products, work on their rows, products of that.
    fn is_kernel(&self, nodes: &[NodeId]) -> bool {
        let graph = self.graph;
        let is = |role: ScoreRole| move |node: &&NodeId| self.set.roles.get(*node) == Some(&role);
        let makers: Vec<NodeId> = nodes.iter().filter(is(ScoreRole::Maker)).copied().collect();
        let (Some(&maker), 1..=MOST_MAKERS, ..=MOST_NODES) =
            (makers.first(), makers.len(), nodes.len())
        else {
            return false;
        };
        let takers: Vec<NodeId> = nodes.iter().filter(is(ScoreRole::Taker)).copied().collect();
        let inner: Vec<NodeId> = nodes
            .iter()
            .copied()
            .filter(|node| !takers.contains(node) && !graph.is_view(*node))
            .collect();
        let shape = graph.extents(maker);
        let alike = |node: NodeId| graph.extents(node) == shape;
        !takers.is_empty()
            && inner.len() > makers.len()
            && makers.iter().all(|&node| alike(node))
            && takers.iter().all(|&node| alike(graph.nodes[node].args[0]))
            && Domain::of_scores(graph, &inner, maker).is_some()
    }
}
