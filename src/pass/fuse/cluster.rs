//! Clusters of nodes that grow into kernels.
//!
//! Nodes are taken in order. Each joins (and so unites) the clusters of the values it reads where
//! one nest of loops holds them all; contractions, reductions over first axes and moves start
//! their own. At last, purely element-wise clusters join the contraction whose result they read.
//!
//! A union must be convex: no path may leave it and come back, since a kernel runs as a whole.

use crate::base::entity::{Arena, Entity};
use crate::base::tensor::DType;
use crate::graph::domain::{Domain, base, elements, extents, is_view, only_joins, reduces_last};
use crate::graph::kernels::{Kernel, KernelId, KernelKind};
use crate::graph::view::View;
use crate::graph::{Binary, Graph, NodeId, Op};
use crate::pass::fuse::prepare::is_zero;
use std::collections::BTreeSet;

/// What becomes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
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

#[derive(Clone, Debug)]
struct Cluster {
    kind: KernelKind,
    /// In order.
    nodes: Vec<NodeId>,
    /// Nothing joins any more.
    closed: bool,
}

/// The clusters of a graph.
pub struct Clusters<'a> {
    graph: &'a Graph,
    class: Vec<Class>,
    /// Who reads each node.
    uses: Vec<Vec<NodeId>>,
    root: Vec<bool>,
    of: Vec<Option<usize>>,
    clusters: Vec<Option<Cluster>>,
}

impl<'a> Clusters<'a> {
    /// No clusters yet.
    pub fn new(graph: &'a Graph) -> Self {
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
            uses,
            root,
            of: vec![None; graph.nodes.len()],
            clusters: Vec::new(),
        };
        clusters.classify();
        clusters.write_out_views();
        clusters
    }

    /// The kernels.
    pub fn run(mut self) -> Arena<KernelId, Kernel> {
        for id in self.graph.nodes.keys() {
            if self.class[id.index()] == Class::Work {
                self.place(id);
            }
        }
        self.join_contractions();
        self.kernels()
    }

    fn classify(&mut self) {
        for (id, node) in self.graph.nodes.iter() {
            let class = self.first_class(id, &node.op);
            self.class.push(class);
        }
        // What must lie in memory is not computed again by each reader.
        for (id, node) in self.graph.nodes.iter() {
            let in_memory = matches!(
                node.op,
                Op::MatMul { .. }
                    | Op::Concat(_)
                    | Op::Pad { .. }
                    | Op::Gather(_)
                    | Op::ScatterAdd { .. }
            );
            let mut needed: Vec<NodeId> = if in_memory { node.args.clone() } else { Vec::new() };
            if self.root[id.index()] {
                needed.push(id);
            }
            if matches!(node.op, Op::Reshape(_)) {
                let arg = node.args[0];
                if !only_joins(&extents(self.graph, id), &extents(self.graph, arg)) {
                    needed.push(arg);
                }
            }
            for node in needed {
                let base = base(self.graph, node, |_| false);
                if self.class[base.index()] == Class::Cheap {
                    self.class[base.index()] = Class::Work;
                }
            }
        }
    }

    fn first_class(&self, id: NodeId, op: &Op) -> Class {
        if self.graph.ty(id).dtype == DType::F64 {
            return Class::Free;
        }
        if is_view(self.graph, id) {
            return Class::View;
        }
        let args = &self.graph.nodes[id].args;
        let arg_class = |arg: NodeId| self.class[base(self.graph, arg, |_| false).index()];
        let cheap_args = args.iter().all(|&arg| arg_class(arg) != Class::Work);
        let uniform_args = args.iter().all(|&arg| self.is_uniform(arg));
        match op {
            Op::Input(_) | Op::Param(_) | Op::State(_) | Op::Const(..) => Class::Free,
            Op::Hyper(_) | Op::Step | Op::Extent(_) => Class::Free,
            Op::Cast(_) if self.graph.ty(args[0]).dtype == DType::F64 => Class::Free,
            Op::Iota { .. } => Class::Cheap,
            Op::Cast(_) if cheap_args => Class::Cheap,
            Op::Binary(op) if op.is_comparison() && cheap_args => Class::Cheap,
            Op::Binary(Binary::Gt) if self.is_relu_mask(id) => Class::Cheap,
            Op::Unary(_) | Op::Binary(_) | Op::Where if uniform_args => Class::Cheap,
            _ => Class::Work,
        }
    }

    /// Whether a node tests the result of a relu for those who need the mask: they load the
    /// result, which is kept anyway, and test it themselves.
    fn is_relu_mask(&self, id: NodeId) -> bool {
        let nodes = &self.graph.nodes;
        let [result, zero] = nodes[id].args[..] else { return false };
        let zeros = |node: NodeId| is_zero(self.graph, node);
        let is_relu = match nodes[result].args[..] {
            [test, x, otherwise] if nodes[result].op == Op::Where => {
                nodes[test].op == Op::Binary(Binary::Gt)
                    && nodes[test].args[0] == x
                    && zeros(nodes[test].args[1])
                    && zeros(otherwise)
            }
            _ => false,
        };
        let selects = |user: &NodeId| nodes[*user].op == Op::Where && nodes[*user].args[0] == id;
        is_relu && zeros(zero) && self.uses[id.index()].iter().all(selects)
    }

    /// Whether a value depends on nothing but constants and uniform values.
    fn is_uniform(&self, node: NodeId) -> bool {
        let base = base(self.graph, node, |_| false);
        let node = &self.graph.nodes[base];
        match node.op {
            Op::Const(..) => true,
            Op::Cast(_) if self.graph.ty(node.args[0]).dtype == DType::F64 => true,
            _ => {
                self.class[base.index()] == Class::Cheap
                    && node.args.iter().all(|&arg| self.is_uniform(arg))
                    && !node.args.is_empty()
            }
        }
    }

    /// Views that are outputs, and arguments of reshapes that no distances can express, are
    /// copied to memory: they become moves.
    fn write_out_views(&mut self) {
        let mut views: Vec<Option<View>> = Vec::with_capacity(self.graph.nodes.len());
        for (id, node) in self.graph.nodes.iter() {
            let shape = extents(self.graph, id);
            let whole = Some(View::whole(id, &shape));
            if self.class[id.index()] != Class::View {
                views.push(whole);
                continue;
            }
            let arg = node.args[0];
            let mut view =
                views[arg.index()].as_ref().and_then(|view| view.through(&node.op, &shape));
            if view.is_none() {
                self.class[arg.index()] = Class::Work;
                let written = View::whole(arg, &extents(self.graph, arg));
                view = written.through(&node.op, &shape);
                views[arg.index()] = Some(written);
            }
            let view = view.expect("any view of what is in memory");
            let is_alias = view.is_whole()
                && self.class[view.base.index()] == Class::Work
                && elements(self.graph, view.base) == elements(self.graph, id);
            if self.root[id.index()] {
                if is_alias {
                    self.root[view.base.index()] = true;
                } else {
                    self.class[id.index()] = Class::Work;
                    views.push(whole);
                    continue;
                }
            }
            views.push(Some(view));
        }
        for id in self.graph.nodes.keys() {
            if self.root[id.index()] && self.class[id.index()] == Class::Free {
                self.class[id.index()] = Class::Work;
            }
        }
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

    fn place_reduction(&mut self, id: NodeId) {
        let arg = self.graph.nodes[id].args[0];
        let last = reduces_last(self.graph, id);
        if last && elements(self.graph, id) > 1 {
            return self.join(id, &[arg]);
        }
        // A sum over everything, or over first axes: takes in what nobody else reads.
        self.start(if last { KernelKind::Rows } else { KernelKind::Columns }, id, true);
        let own = self.of[id.index()].expect("started");
        let Some(producer) = self.of[self.source(arg).index()] else { return };
        let Some(cluster) = self.clusters[producer].clone() else { return };
        let only_used_here = cluster.nodes.iter().all(|&node| {
            !self.root[node.index()]
                && self
                    .readers(node)
                    .iter()
                    .all(|reader| *reader == id || cluster.nodes.contains(reader))
        });
        let plain = !cluster.closed && cluster.kind == KernelKind::Rows && only_used_here;
        let fits = Domain::of(self.graph, &cluster.nodes).is_some_and(|domain| {
            let mut nodes = cluster.nodes.clone();
            nodes.push(id);
            let direct = if last {
                Domain::of(self.graph, &nodes).is_some()
            } else {
                domain.forms(&extents(self.graph, arg), crate::graph::domain::Level::Full).is_some()
            };
            !domain.reduces && direct
        });
        if plain && fits && self.reads_directly(id, &cluster.nodes) {
            self.unite(producer, own);
        }
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
    fn readers(&self, node: NodeId) -> Vec<NodeId> {
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
            let is_product = matches!(self.graph.nodes[product].op, Op::MatMul { .. })
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
        if !self.allows(&domain, &union) || !self.is_convex(&union) {
            return false;
        }
        for node in nodes {
            self.of[node.index()] = Some(cluster);
        }
        if let Some(known) = &mut self.clusters[cluster] {
            known.nodes = union;
        }
        true
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
        for node in &moved.nodes {
            self.of[node.index()] = Some(into);
        }
        if let Some(cluster) = &mut self.clusters[into] {
            cluster.nodes.extend(moved.nodes);
            cluster.nodes.sort_unstable();
        }
    }

    /// Whether no path leaves the nodes and comes back.
    fn is_convex(&self, nodes: &[NodeId]) -> bool {
        let last = *nodes.last().expect("not empty");
        let mut seen = vec![false; self.graph.nodes.len()];
        let mut inside = vec![false; self.graph.nodes.len()];
        for node in nodes {
            inside[node.index()] = true;
        }
        let mut left: BTreeSet<usize> = BTreeSet::new();
        // Leaving through cheap nodes and views is not leaving: they are computed inside.
        let mut open: Vec<NodeId> = Vec::new();
        let leave = |node: NodeId, open: &mut Vec<NodeId>| {
            for reader in self.readers(node) {
                if reader <= last || self.of[reader.index()].is_some() {
                    open.push(reader);
                }
            }
        };
        for &node in nodes {
            for reader in self.readers(node) {
                if !inside[reader.index()] {
                    open.push(reader);
                }
            }
        }
        while let Some(node) = open.pop() {
            if inside[node.index()] {
                return false;
            }
            if std::mem::replace(&mut seen[node.index()], true) {
                continue;
            }
            leave(node, &mut open);
            // A cluster runs as a whole.
            if let Some(cluster) = self.of[node.index()]
                && left.insert(cluster)
                && let Some(cluster) = &self.clusters[cluster]
            {
                for &member in &cluster.nodes {
                    if !seen[member.index()] && !inside[member.index()] {
                        open.push(member);
                    }
                }
            }
        }
        true
    }

    /// Element-wise work on a contraction's result joins it, so that it is done while the result
    /// is in cache.
    fn join_contractions(&mut self) {
        for index in 0..self.clusters.len() {
            let Some(cluster) = self.clusters[index].clone() else { continue };
            if cluster.kind != KernelKind::Rows || cluster.closed {
                continue;
            }
            let mut sources = Vec::new();
            for &node in &cluster.nodes {
                self.collect_sources(&self.graph.nodes[node].args, &mut sources);
            }
            sources.sort_unstable();
            for source in sources.into_iter().rev() {
                let is_contraction = self.clusters[source]
                    .as_ref()
                    .is_some_and(|cluster| cluster.kind == KernelKind::Contraction);
                let plain =
                    Domain::of(self.graph, &cluster.nodes).is_some_and(|domain| !domain.reduces);
                if source != index
                    && is_contraction
                    && plain
                    && self.try_unite(source, &cluster.nodes)
                {
                    self.clusters[index] = None;
                    break;
                }
            }
        }
    }

    /// The finished kernels in an order in which what they read comes first.
    fn kernels(self) -> Arena<KernelId, Kernel> {
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
