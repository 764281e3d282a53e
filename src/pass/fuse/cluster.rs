//! Clusters of nodes that grow into kernels.
//!
//! Nodes are taken in order. Each joins (and so unites) the clusters of the values it reads where
//! one nest of loops holds them all; contractions, reductions over first axes and moves start
//! their own. At last, purely element-wise clusters join the contraction whose result they read.
//!
//! A union must be convex: no path may leave it and come back, since a kernel runs as a whole.

mod class;
mod join;

use crate::base::entity::{Arena, Entity};
use crate::graph::domain::{
    Domain, Form, Level, MOST_KEPT, base, elements, extents, is_depthwise, is_view, sums_columns,
};
use crate::graph::kernels::{Kernel, KernelId, KernelKind};
use crate::graph::{Binary, Graph, Node, NodeId, Op, Window};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// What becomes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// No code: a leaf, a uniform value.
    Free,
    /// Read through its argument.
    View,
    /// Computed again wherever it is needed.
    Cheap,
    /// Computed once, in a cluster.
    Work,
}

/// The most nodes of a kernel: bounds the depth of its expressions and the time to grow it, far
/// above what layers need.
const MOST_NODES: usize = 256;

/// The most taps of a max-pooling that joins a convolution.
const MOST_POOLED: usize = 16;

#[derive(Clone, Debug)]
pub struct Cluster {
    /// The shape of its loops.
    pub kind: KernelKind,
    /// In order.
    pub nodes: Vec<NodeId>,
    /// Nothing joins any more.
    closed: bool,
}

/// Whether an operator slides a window over its arguments, or reads them several times.
fn has_window(op: &Op) -> bool {
    matches!(
        op,
        Op::Conv { .. }
            | Op::ConvInputGrad { .. }
            | Op::ConvWeightGrad { .. }
            | Op::MaxPool(_)
            | Op::MaxPoolIndex(_)
            | Op::MaxPoolGrad { .. }
            | Op::SumPool(_)
            | Op::SumPoolGrad { .. }
    )
}

/// The window of a max-pooling or of its index.
fn max_pool_window(op: &Op) -> Option<&Window> {
    match op {
        Op::MaxPool(window) | Op::MaxPoolIndex(window) => Some(window),
        _ => None,
    }
}

/// The clusters of a graph.
pub struct Clusters<'a> {
    /// The graph.
    pub graph: &'a Graph,
    class: Vec<Class>,
    /// Which values are computed again by their readers, where these can.
    again: Vec<bool>,
    /// Who reads each node.
    uses: Vec<Vec<NodeId>>,
    /// The working nodes that read each, through views and cheap nodes.
    readers: Vec<Vec<NodeId>>,
    root: Vec<bool>,
    of: Vec<Option<usize>>,
    clusters: Vec<Option<Cluster>>,
    marks: RefCell<Marks>,
    /// Once every node has its cluster: for each node, the first node of all clusters that have a
    /// member from it on; empty where clusters have changed.
    back: RefCell<Vec<NodeId>>,
    grown: bool,
}

/// Marks of nodes and clusters for one question after the other, wiped by counting up.
#[derive(Default)]
struct Marks {
    question: u32,
    inside: Vec<u32>,
    seen: Vec<u32>,
    left: Vec<u32>,
}

impl Marks {
    /// Begins a question about so many nodes and clusters.
    fn ask(&mut self, nodes: usize, clusters: usize) {
        self.question += 1;
        self.inside.resize(nodes, 0);
        self.seen.resize(nodes, 0);
        self.left.resize(clusters, 0);
    }
}

impl<'a> Clusters<'a> {
    /// No clusters yet; `again` says which values are computed again by their readers.
    pub fn new(graph: &'a Graph, again: Vec<bool>) -> Self {
        let mut uses = vec![Vec::new(); graph.nodes.len()];
        for (id, node) in graph.nodes.iter() {
            for &arg in &node.args {
                uses[arg.index()].push(id);
            }
        }
        let mut root = vec![false; graph.nodes.len()];
        for node in graph.roots() {
            root[node.index()] = true;
        }
        let mut clusters = Clusters {
            graph,
            class: Vec::new(),
            again,
            uses,
            readers: Vec::new(),
            root,
            of: vec![None; graph.nodes.len()],
            clusters: Vec::new(),
            marks: RefCell::default(),
            back: RefCell::default(),
            grown: false,
        };
        clusters.classify();
        clusters.write_out_views();
        clusters.readers = graph.nodes.keys().map(|node| clusters.find_readers(node)).collect();
        clusters
    }

    /// Grows all clusters.
    pub fn grow(&mut self) {
        for id in self.graph.nodes.keys() {
            if self.class[id.index()] == Class::Work {
                self.place(id);
            }
        }
        self.grown = true;
        self.join_contractions();
        self.join_pools();
        self.join_sums();
    }

    /// Gives each operator a cluster of its own. Pools and their indices share one: the same windows
    /// find both.
    pub fn keep_apart(&mut self) {
        let graph = self.graph;
        for id in graph.nodes.keys() {
            if self.class[id.index()] != Class::Work {
                continue;
            }
            match &graph.nodes[id].op {
                _ if is_view(self.graph, id) => self.start(KernelKind::Move, id, true),
                Op::Reduce(..) | Op::Variance(_) if sums_columns(self.graph, id) => {
                    self.start(KernelKind::Columns, id, true);
                }
                Op::Variance(_) => self.start(KernelKind::Columns, id, true),
                Op::Reduce(..) | Op::ArgMax(_) | Op::Pick => self.start(KernelKind::Rows, id, true),
                Op::Iota { .. } | Op::Uniform { .. } | Op::Unary(_) | Op::Binary(_) => {
                    self.start(KernelKind::Rows, id, true);
                }
                Op::Where | Op::Cast(_) => self.start(KernelKind::Rows, id, true),
                _ => self.place(id),
            }
        }
        self.grown = true;
    }

    /// The clusters that have not become part of others.
    pub fn live(&self) -> impl Iterator<Item = (usize, &Cluster)> {
        let clusters = self.clusters.iter().enumerate();
        clusters.filter_map(|(index, cluster)| Some((index, cluster.as_ref()?)))
    }

    /// The cluster that computes a node.
    pub fn cluster_of(&self, node: NodeId) -> Option<usize> {
        self.of[node.index()]
    }

    /// What becomes of a node.
    pub fn class_of(&self, node: NodeId) -> Class {
        self.class[node.index()]
    }

    /// Whether a node is an output or an update.
    pub fn is_root(&self, node: NodeId) -> bool {
        self.root[node.index()]
    }

    /// Whether a node's readers are to compute it again.
    pub fn is_again(&self, node: NodeId) -> bool {
        self.again[node.index()]
    }

    /// The node of a cluster that `node` is read through, if it is one.
    fn source(&self, node: NodeId) -> NodeId {
        base(self.graph, node, |node| self.class[node.index()] == Class::Work)
    }

    fn start(&mut self, kind: KernelKind, id: NodeId, closed: bool) {
        self.of[id.index()] = Some(self.clusters.len());
        self.clusters.push(Some(Cluster { kind, nodes: vec![id], closed }));
    }

    /// Finds a node its cluster.
    fn place(&mut self, id: NodeId) {
        let node = &self.graph.nodes[id];
        match &node.op {
            _ if is_view(self.graph, id) => self.start(KernelKind::Move, id, true),
            Op::Input(_)
            | Op::Param(_)
            | Op::State(_)
            | Op::Const(..)
            | Op::Hyper(_)
            | Op::Step
            | Op::Extent(_) => self.start(KernelKind::Move, id, true),
            Op::MatMul { .. } => self.start(KernelKind::Contraction, id, false),
            Op::Conv { .. } | Op::ConvInputGrad { .. } | Op::ConvWeightGrad { .. } => {
                match is_depthwise(self.graph, id) {
                    true => self.start(KernelKind::Window, id, true),
                    false => self.start(KernelKind::Contraction, id, false),
                }
            }
            Op::MaxPool(_) | Op::MaxPoolIndex(_) => self.place_max_pool(id),
            Op::MaxPoolGrad { .. } | Op::SumPool(_) | Op::SumPoolGrad { .. } => {
                self.start(KernelKind::Window, id, true);
            }
            Op::Variance(_) => self.place_columns(id),
            Op::Concat(_) | Op::Pad { .. } | Op::Gather(_) | Op::ScatterAdd { .. } => {
                self.start(KernelKind::Move, id, true);
            }
            Op::Reduce(..) => self.place_reduction(id),
            Op::ArgMax(_) | Op::Pick => self.join(id, &node.args[..1]),
            Op::Iota { .. }
            | Op::Uniform { .. }
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Where
            | Op::Cast(_) => {
                if !self.joins_as_bias(id) {
                    self.join(id, &node.args);
                }
            }
            Op::Reshape(_)
            | Op::Broadcast(_)
            | Op::Transpose(_)
            | Op::Slice(_)
            | Op::StopGradient => unreachable!("a view"),
        }
    }

    /// The largest elements and which ones they are: one kernel that reads the images once.
    fn place_max_pool(&mut self, id: NodeId) {
        let node = &self.graph.nodes[id];
        let window = max_pool_window(&node.op);
        let same = |other: &Cluster| {
            let other = &self.graph.nodes[other.nodes[0]];
            max_pool_window(&other.op) == window && other.args == node.args
        };
        let known = self.clusters.iter().position(|cluster| cluster.as_ref().is_some_and(same));
        match known {
            Some(known) => {
                self.of[id.index()] = Some(known);
                if let Some(cluster) = &mut self.clusters[known] {
                    cluster.nodes.push(id);
                }
            }
            None => self.start(KernelKind::Window, id, true),
        }
    }

    fn place_reduction(&mut self, id: NodeId) {
        let arg = self.graph.nodes[id].args[0];
        if sums_columns(self.graph, id) {
            return self.place_columns(id);
        }
        if elements(self.graph, id) > 1 {
            return self.join(id, &[arg]);
        }
        // A sum over everything: takes in what nobody else reads.
        self.start(KernelKind::Rows, id, true);
        let own = self.of[id.index()].expect("started");
        let Some(producer) = self.of[self.source(arg).index()] else { return };
        let Some(cluster) = self.clusters[producer].clone() else { return };
        let mut nodes = cluster.nodes.clone();
        nodes.push(id);
        if self.is_plain(&cluster)
            && self.only_read_by(&cluster, id)
            && Domain::of(self.graph, &nodes).is_some()
            && self.reads_directly(id, &cluster.nodes)
        {
            self.unite(producer, own);
        }
    }

    /// Whether a cluster is element-wise work that may grow.
    fn is_plain(&self, cluster: &Cluster) -> bool {
        !cluster.closed
            && cluster.kind == KernelKind::Rows
            && Domain::of(self.graph, &cluster.nodes).is_some_and(|domain| !domain.reduces)
    }

    /// Whether a cluster reduces rows.
    pub fn reduces_rows(&self, cluster: &Cluster) -> bool {
        let nodes = cluster.nodes.iter().copied();
        let others: Vec<NodeId> = nodes.filter(|&node| !sums_columns(self.graph, node)).collect();
        Domain::of(self.graph, &others).is_none_or(|domain| domain.reduces)
    }

    /// Whether a cluster has a single reader outside.
    fn only_read_by(&self, cluster: &Cluster, id: NodeId) -> bool {
        cluster.nodes.iter().all(|&node| {
            let inside = |reader: &NodeId| *reader == id || cluster.nodes.contains(reader);
            !self.root[node.index()] && self.readers(node).iter().all(inside)
        })
    }

    /// A sum of columns takes in the element-wise work that makes what it reads, and joins other
    /// sums over the same elements: one pass for all of them.
    fn place_columns(&mut self, id: NodeId) {
        self.start(KernelKind::Columns, id, true);
        let own = self.of[id.index()].expect("started");
        let arg = self.graph.nodes[id].args[0];
        if let Some(producer) = self.of[self.source(arg).index()]
            && let Some(cluster) = self.clusters[producer].clone()
            && self.is_plain(&cluster)
            && self.reads_directly(id, &cluster.nodes)
            && (self.only_read_by(&cluster, id)
                || elements(self.graph, id) <= MOST_KEPT && !self.follows_contraction(&cluster))
            && self.sums_together(&cluster.nodes, &[id])
        {
            self.unite(producer, own);
        }
        let others: Vec<usize> = (0..self.clusters.len()).filter(|&other| other != own).collect();
        for other in others {
            let Some(cluster) = &self.clusters[other] else { continue };
            let Some(known) = &self.clusters[own] else { return };
            if cluster.kind == KernelKind::Columns
                && self.share_elements(&cluster.nodes, &known.nodes)
                && self.sums_together(&cluster.nodes, &known.nodes)
            {
                self.unite(other, own);
            }
        }
    }

    /// Whether one pass can make these nodes, of which some sum columns.
    fn sums_together(&self, some: &[NodeId], others: &[NodeId]) -> bool {
        let mut union = [some, others].concat();
        union.sort_unstable();
        union.len() <= MOST_NODES
            && Domain::columns(self.graph, &union)
                .is_some_and(|(domain, _)| self.computes_in_place(&domain, &union))
            && self.is_convex(&union)
    }

    /// Whether a cluster reads a contraction's result: it is better done while that is in cache.
    fn follows_contraction(&self, cluster: &Cluster) -> bool {
        let mut sources = Vec::new();
        for &node in &cluster.nodes {
            self.collect_sources(&self.graph.nodes[node].args, &mut sources);
        }
        sources.iter().any(|&source| {
            let source = self.clusters[source].as_ref();
            source.is_some_and(|cluster| cluster.kind == KernelKind::Contraction)
        })
    }

    /// Whether a cluster reads or makes elements that sums of columns read or make.
    fn share_elements(&self, some: &[NodeId], others: &[NodeId]) -> bool {
        let sums = others.iter().filter(|&&node| sums_columns(self.graph, node));
        let total = sums.map(|&node| elements(self.graph, self.graph.nodes[node].args[0])).max();
        let some = self.values_of(some, total.unwrap_or(1));
        self.values_of(others, total.unwrap_or(1)).iter().any(|value| some.contains(value))
    }

    /// The values of so many elements that nodes read or make.
    fn values_of(&self, nodes: &[NodeId], total: usize) -> BTreeSet<NodeId> {
        let mut open: Vec<NodeId> = nodes.to_vec();
        let own = nodes.iter().copied();
        let mut found: BTreeSet<NodeId> =
            own.filter(|&node| elements(self.graph, node) == total).collect();
        while let Some(node) = open.pop() {
            for &arg in &self.graph.nodes[node].args {
                let source = self.source(arg);
                match self.class[source.index()] {
                    Class::Cheap => open.push(source),
                    _ if elements(self.graph, source) == total => {
                        found.insert(source);
                    }
                    Class::Work | Class::Free | Class::View => {}
                }
            }
        }
        found
    }

    /// Whether a reduction reads a cluster at its own elements, not repeated or turned.
    fn reads_directly(&self, id: NodeId, nodes: &[NodeId]) -> bool {
        let mut node = self.graph.nodes[id].args[0];
        while !nodes.contains(&node) {
            match self.graph.nodes[node].op {
                Op::Reshape(_) | Op::StopGradient => node = self.graph.nodes[node].args[0],
                _ => return false,
            }
        }
        true
    }

    /// The working nodes that read a node, through views and cheap nodes.
    pub fn readers(&self, node: NodeId) -> &[NodeId] {
        &self.readers[node.index()]
    }

    fn find_readers(&self, node: NodeId) -> Vec<NodeId> {
        let mut readers = Vec::new();
        let mut open = self.uses[node.index()].clone();
        while let Some(reader) = open.pop() {
            match self.class[reader.index()] {
                Class::Work => readers.push(reader),
                Class::View | Class::Cheap => open.extend(&self.uses[reader.index()]),
                Class::Free => {}
            }
        }
        readers
    }

    /// A bias added to a product that nobody else reads: the tile adds it.
    fn joins_as_bias(&mut self, id: NodeId) -> bool {
        let node = &self.graph.nodes[id];
        if node.op != Op::Binary(Binary::Add) {
            return false;
        }
        for (product, bias) in [(node.args[0], node.args[1]), (node.args[1], node.args[0])] {
            let op = &self.graph.nodes[product].op;
            // A depthwise convolution has no tile.
            let is_product = matches!(op, Op::MatMul { .. } | Op::Conv { .. })
                && !is_depthwise(self.graph, product)
                && self.readers(product).len() == 1
                && !self.root[product.index()];
            let repeated = matches!(self.graph.nodes[bias].op, Op::Broadcast(_))
                && self.of[self.source(bias).index()].is_none();
            if let (true, true, Some(cluster)) = (is_product, repeated, self.of[product.index()]) {
                return self.try_unite(cluster, &[id]);
            }
        }
        false
    }

    /// Joins the clusters of `args` that have room.
    fn join(&mut self, id: NodeId, args: &[NodeId]) {
        let mut sources: Vec<usize> = Vec::new();
        self.collect_sources(args, &mut sources);
        let mut own: Option<usize> = None;
        for source in sources {
            let open = self.clusters[source]
                .as_ref()
                .is_some_and(|cluster| cluster.kind == KernelKind::Rows && !cluster.closed);
            if !open {
                continue;
            }
            match own {
                None if self.try_unite(source, &[id]) => own = Some(source),
                Some(own) if own != source => {
                    let Some(cluster) = self.clusters[source].clone() else { continue };
                    if self.try_unite(own, &cluster.nodes) {
                        self.clusters[source] = None;
                    }
                }
                _ => {}
            }
        }
        if own.is_none() {
            self.start(KernelKind::Rows, id, false);
        }
    }

    /// The clusters that nodes read, through views and cheap nodes; the nearest first.
    fn collect_sources(&self, args: &[NodeId], sources: &mut Vec<usize>) {
        for &arg in args {
            let source = self.source(arg);
            match self.class[source.index()] {
                Class::Work => {
                    let cluster = self.of[source.index()].expect("arguments come before uses");
                    if !sources.contains(&cluster) {
                        sources.push(cluster);
                    }
                }
                Class::Cheap => self.collect_sources(&self.graph.nodes[source].args, sources),
                Class::Free | Class::View => {}
            }
        }
    }

    /// Adds nodes to a cluster if one nest holds all and the union is convex.
    fn try_unite(&mut self, cluster: usize, nodes: &[NodeId]) -> bool {
        let known = self.clusters[cluster].as_ref().expect("a live cluster");
        let mut union: Vec<NodeId> = known.nodes.iter().chain(nodes).copied().collect();
        union.sort_unstable();
        union.dedup();
        if union.len() > MOST_NODES {
            return false;
        }
        let Some(domain) = Domain::of(self.graph, &union) else { return false };
        if !self.allows(&domain, &union)
            || !self.computes_in_place(&domain, &union)
            || !self.is_convex(&union)
        {
            return false;
        }
        for node in nodes {
            self.of[node.index()] = Some(cluster);
        }
        self.back.get_mut().clear();
        if let Some(known) = &mut self.clusters[cluster] {
            known.nodes = union;
        }
        true
    }

    /// Whether what nodes compute again of one another is computed at the very element that they
    /// compute: a contraction's result is known nowhere else.
    fn computes_in_place(&self, domain: &Domain, nodes: &[NodeId]) -> bool {
        nodes.iter().all(|id| {
            let Node { op, args, .. } = &self.graph.nodes[*id];
            let is_own = domain.levels.contains_key(id);
            let reduces = matches!(op, Op::Reduce(..) | Op::Variance(_) | Op::ArgMax(_) | Op::Pick);
            args.iter().enumerate().all(|(position, &arg)| {
                if !self.reaches(domain, arg) || domain.levels.contains_key(&self.source(arg)) {
                    return true;
                }
                // Loops over rows know when a node of theirs is needed, not what reads it anew.
                if domain.reduces && !self.is_relu_mask(self.source(arg)) {
                    return false;
                }
                let forms = match is_own && !(reduces && position == 0) {
                    true => Some(domain.own_forms(self.graph, *id)),
                    false => domain.forms(&extents(self.graph, arg), Level::Full),
                };
                forms.is_some_and(|forms| self.reads_in_place(domain, arg, &forms))
            })
        })
    }

    /// Whether a value at these indices reads the domain's nodes at their own.
    fn reads_in_place(&self, domain: &Domain, mut node: NodeId, forms: &[Form]) -> bool {
        let mut forms = forms.to_vec();
        while !domain.levels.contains_key(&node) {
            match self.class[node.index()] {
                Class::View => match domain.through(self.graph, node, &forms) {
                    Some(inner) => forms = inner,
                    None => return !self.reaches(domain, node),
                },
                Class::Cheap => {
                    let mut args = self.graph.nodes[node].args.iter();
                    return args.all(|&arg| self.reads_in_place(domain, arg, &forms));
                }
                Class::Free | Class::Work => return true,
            }
            node = self.graph.nodes[node].args[0];
        }
        domain.own_forms(self.graph, node) == forms
    }

    /// Whether a value is computed from the domain's nodes, through views and what is computed
    /// again.
    fn reaches(&self, domain: &Domain, node: NodeId) -> bool {
        domain.levels.contains_key(&node)
            || matches!(self.class[node.index()], Class::View | Class::Cheap)
                && self.graph.nodes[node].args.iter().any(|&arg| self.reaches(domain, arg))
    }

    /// What a nest can't do though its shapes fit: a picked element is computed again at its
    /// place, so its columns must be one axis and it can't be a random number.
    fn allows(&self, domain: &Domain, nodes: &[NodeId]) -> bool {
        let has =
            |test: fn(&Op) -> bool| nodes.iter().any(|&node| test(&self.graph.nodes[node].op));
        let picks = has(|op| matches!(op, Op::Pick));
        let random = has(|op| matches!(op, Op::Uniform { .. }));
        !picks || (!random && domain.axes.len() - domain.rows <= 1)
    }

    fn unite(&mut self, from: usize, into: usize) {
        let Some(moved) = self.clusters[from].take() else { return };
        self.back.get_mut().clear();
        for node in &moved.nodes {
            self.of[node.index()] = Some(into);
        }
        if let Some(cluster) = &mut self.clusters[into] {
            cluster.nodes.extend(moved.nodes);
            cluster.nodes.sort_unstable();
        }
    }

    /// How far back paths from each node on can lead, through clusters that run as a whole.
    fn far_back(&self) -> Vec<NodeId> {
        let mut back: Vec<NodeId> = self.graph.nodes.keys().collect();
        for (_, cluster) in self.live() {
            if let (Some(&first), Some(last)) = (cluster.nodes.first(), cluster.nodes.last()) {
                let known = &mut back[last.index()];
                *known = first.min(*known);
            }
        }
        for at in (1..back.len()).rev() {
            back[at - 1] = back[at - 1].min(back[at]);
        }
        back
    }

    /// Whether no path leaves the nodes and comes back. Leaving through cheap nodes and views is not
    /// leaving: they are computed inside.
    fn is_convex(&self, nodes: &[NodeId]) -> bool {
        let last = *nodes.last().expect("not empty");
        let mut marks = self.marks.borrow_mut();
        marks.ask(self.graph.nodes.len(), self.clusters.len());
        let Marks { question, inside, seen, left } = &mut *marks;
        let now = *question;
        for node in nodes {
            inside[node.index()] = now;
        }
        let mut back = self.back.borrow_mut();
        if self.grown && back.is_empty() {
            *back = self.far_back();
        }
        let ahead = |node: &NodeId| self.grown && *node > last && back[node.index()] > last;
        let outside = |reader: &&NodeId| inside[reader.index()] != now && !ahead(reader);
        let mut open: Vec<NodeId> =
            nodes.iter().flat_map(|&node| self.readers(node)).filter(outside).copied().collect();
        while let Some(node) = open.pop() {
            if inside[node.index()] == now {
                return false;
            }
            if std::mem::replace(&mut seen[node.index()], now) == now {
                continue;
            }
            // What comes later leads back only from within a cluster.
            let readers = self.readers(node).iter().copied();
            open.extend(
                readers.filter(|it| (*it <= last || self.of[it.index()].is_some()) && !ahead(it)),
            );
            // A cluster runs as a whole.
            if let Some(cluster) = self.of[node.index()]
                && std::mem::replace(&mut left[cluster], now) != now
                && let Some(cluster) = &self.clusters[cluster]
            {
                let members = cluster.nodes.iter().copied();
                let new = |it: &NodeId| seen[it.index()] != now && inside[it.index()] != now;
                open.extend(members.filter(new));
            }
        }
        true
    }

    /// The finished kernels in an order in which what they read comes first.
    pub fn kernels(self) -> Arena<KernelId, Kernel> {
        let mut kernels = Arena::new();
        let mut done = vec![false; self.clusters.len()];
        for index in 0..self.clusters.len() {
            self.finish(index, &mut done, &mut kernels);
        }
        kernels
    }

    fn finish(&self, index: usize, done: &mut [bool], kernels: &mut Arena<KernelId, Kernel>) {
        let Some(cluster) = &self.clusters[index] else { return };
        if std::mem::replace(&mut done[index], true) {
            return;
        }
        let mut sources = Vec::new();
        for &node in &cluster.nodes {
            self.collect_sources(&self.graph.nodes[node].args, &mut sources);
        }
        for source in sources {
            self.finish(source, done, kernels);
        }
        let leaves = |node: NodeId| {
            self.root[node.index()]
                || self.readers(node).iter().any(|reader| self.of[reader.index()] != Some(index))
        };
        let results = cluster.nodes.iter().copied().filter(|&node| leaves(node)).collect();
        kernels.push(Kernel { kind: cluster.kind, nodes: cluster.nodes.clone(), results });
    }
}
