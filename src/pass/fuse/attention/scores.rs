//! Sets of scores: products of one shape `[.., rows, columns]`, the element-wise work and the
//! reductions of rows that tie them together, and the products that read them.
//!
//! ```text
//! %3 = matmul %q, %k       maker
//! %4 = exp %3              score
//! %5 = reduce_sum %4       row
//! %6 = broadcast %5        spread
//! %7 = div %4, %6          score
//! %8 = matmul %7, %v       taker
//! ```
//!
//! One walk over the graph gives each node its role; work on two products makes their sets one.

use crate::base::entity::Entity;
use crate::base::tensor::DType;
use crate::graph::{BoundGraph, Node, NodeId, Op, OpKind};
use std::collections::BTreeMap;

/// Fewer scores of a pair of heads stay in a cache until they are read.
const FEWEST: usize = 32 * 32;

/// The part that a node plays in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreRole {
    /// A product that makes scores.
    Maker,
    /// A value of each score, or a view of one.
    Score,
    /// A value of each row.
    Row,
    /// A row's value, repeated for each of its scores.
    Spread,
    /// A product that reads scores.
    Taker,
}

/// The shape that the scores of a set share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScoreShape {
    elements: usize,
    rows: usize,
    columns: usize,
}

/// A set: the role of each of its nodes.
pub struct ScoreSet {
    /// The shape of its scores.
    pub shape: ScoreShape,
    /// Its nodes.
    pub roles: BTreeMap<NodeId, ScoreRole>,
}

impl ScoreShape {
    /// Whether a node has this shape, in its last two axes and as a whole.
    pub fn is_of(&self, graph: &BoundGraph, node: NodeId) -> bool {
        let ends = graph.extents(node).ends_with(&[self.rows, self.columns]);
        ends && graph.elements(node) == self.elements
    }
}

/// The sets of a graph from which some product reads.
pub fn find(graph: &BoundGraph) -> Vec<ScoreSet> {
    let mut search = ScoreSearch {
        graph,
        of: Vec::with_capacity(graph.nodes.len()),
        parents: Vec::new(),
        shapes: Vec::new(),
    };
    for (id, node) in graph.nodes.iter() {
        let role = search.role(id, node);
        search.of.push(role);
    }
    let mut sets: BTreeMap<usize, ScoreSet> = BTreeMap::new();
    for id in graph.nodes.keys() {
        if let Some((role, set)) = search.member(id) {
            let shape = search.shapes[set];
            let roles = BTreeMap::new();
            sets.entry(set).or_insert(ScoreSet { shape, roles }).roles.insert(id, role);
        }
    }
    let is_read = |set: &ScoreSet| set.roles.values().any(|&role| role == ScoreRole::Taker);
    sets.into_values().filter(is_read).collect()
}

struct ScoreSearch<'a> {
    graph: &'a BoundGraph,
    /// For each node so far, its role and the set that it was found in.
    of: Vec<Option<(ScoreRole, usize)>>,
    /// For each set, the one that it became part of; itself where it is one.
    parents: Vec<usize>,
    shapes: Vec<ScoreShape>,
}

impl ScoreSearch<'_> {
    /// A node's role, and its set.
    fn member(&self, node: NodeId) -> Option<(ScoreRole, usize)> {
        let (role, set) = self.of[node.index()]?;
        Some((role, self.root(set)))
    }

    /// The set that a set has become part of, or itself.
    fn root(&self, mut set: usize) -> usize {
        while self.parents[set] != set {
            set = self.parents[set];
        }
        set
    }

    /// The set of whose scores a node is one.
    fn scores(&self, node: NodeId) -> Option<usize> {
        match self.member(node)? {
            (ScoreRole::Maker | ScoreRole::Score | ScoreRole::Spread, set) => Some(set),
            (ScoreRole::Row | ScoreRole::Taker, _) => None,
        }
    }

    /// The set of whose rows a node is a value.
    fn rows(&self, node: NodeId) -> Option<usize> {
        self.member(node).filter(|&(role, _)| role == ScoreRole::Row).map(|(_, set)| set)
    }

    fn role(&mut self, id: NodeId, node: &Node) -> Option<(ScoreRole, usize)> {
        if node.ty.dtype == DType::F64 {
            return None;
        }
        match node.op.kind() {
            _ if self.graph.is_view(id) => self.view(id, node),
            OpKind::Product => self.product(id, node),
            OpKind::Elementwise => self.elementwise(id, node),
            OpKind::Reduction => {
                let set = self.scores(node.args[0])?;
                let by_rows = self.graph.columns(id) == Some(self.shapes[set].columns)
                    && self.graph.reduces_last(id);
                by_rows.then_some((ScoreRole::Row, set))
            }
            _ => None,
        }
    }

    fn view(&self, id: NodeId, node: &Node) -> Option<(ScoreRole, usize)> {
        let (role, set) = self.member(node.args[0])?;
        let keeps = matches!(node.op, Op::Reshape(_) | Op::StopGradient | Op::Reduce(..));
        let of_scores = self.shapes[set].is_of(self.graph, id);
        match role {
            ScoreRole::Maker | ScoreRole::Score if keeps && of_scores => {
                Some((ScoreRole::Score, set))
            }
            ScoreRole::Spread if keeps && of_scores => Some((ScoreRole::Spread, set)),
            ScoreRole::Row if keeps => Some((ScoreRole::Row, set)),
            ScoreRole::Row if matches!(node.op, Op::Broadcast(_)) && of_scores => {
                Some((ScoreRole::Spread, set))
            }
            _ => None,
        }
    }

    fn product(&mut self, id: NodeId, node: &Node) -> Option<(ScoreRole, usize)> {
        let [left, right] = node.args[..] else { return None };
        if let Some((ScoreRole::Maker | ScoreRole::Score, set)) = self.member(left)
            && self.scores(right) != Some(set)
        {
            return Some((ScoreRole::Taker, set));
        }
        let [ref batch @ .., rows, columns] = *self.graph.extents(id) else { return None };
        let products = self.graph.elements(left) / (self.graph.elements(id) / columns).max(1);
        let is_large = rows * columns >= FEWEST && products <= 2 * rows.min(columns);
        if !is_large || batch.iter().product::<usize>() < 2 {
            return None;
        }
        let elements = self.graph.elements(id);
        self.parents.push(self.shapes.len());
        self.shapes.push(ScoreShape { elements, rows, columns });
        Some((ScoreRole::Maker, self.shapes.len() - 1))
    }

    fn elementwise(&mut self, id: NodeId, node: &Node) -> Option<(ScoreRole, usize)> {
        let own = |search: &Self, set: usize| search.shapes[set].is_of(search.graph, id);
        let sets: Vec<usize> = node.args.iter().filter_map(|&arg| self.scores(arg)).collect();
        if let Some((&first, others)) = sets.split_first() {
            if !own(self, first) {
                return None;
            }
            others.iter().for_each(|&other| self.unite(other, first));
            return Some((ScoreRole::Score, first));
        }
        let rows: Vec<usize> = node.args.iter().filter_map(|&arg| self.rows(arg)).collect();
        let (&set, others) = rows.split_first()?;
        let shape = self.shapes[set];
        let is_row = self.graph.elements(id) == shape.elements / shape.columns;
        (is_row && others.iter().all(|&other| other == set)).then_some((ScoreRole::Row, set))
    }

    /// Makes two sets one; their shapes are equal, since work on both is.
    fn unite(&mut self, from: usize, into: usize) {
        let (from, into) = (self.root(from), self.root(into));
        self.parents[from.max(into)] = from.min(into);
    }
}
