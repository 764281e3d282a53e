//! Layers that PyTorch has as modules, found in a graph of inference by what they compute.
//!
//! ```text
//! reshape, matmul dense.weight, reshape, add dense.bias   →   self.dense = nn.Linear(784, 10)
//! conv conv.weight, add conv.bias                         →   self.conv = nn.Conv2d(1, 32, 3)
//! gather embedding.weight                                 →   self.embedding = nn.Embedding(66, 256)
//! (x - mean) · rsqrt(variance + eps) · weight + bias      →   self.norm = nn.LayerNorm(64), nn.BatchNorm2d(16)
//! ```
//!
//! A layer becomes a module only where all of its parameters and states are the module's, every use of
//! them is a call of it, and nothing else reads what is inside of a call. Any other layer keeps its tensors
//! as parameters, and what it computes is written out.

use crate::base::entity::Entity;
use crate::graph::window::Window;
use crate::graph::{Binary, Dim, Graph, Node, NodeId, Op, Reduce, Shape, Unary};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A module of PyTorch's.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TorchModule {
    Linear { inputs: usize, outputs: usize, bias: bool },
    Conv2d { inputs: usize, outputs: usize, window: Window, groups: usize, bias: bool },
    Embedding { rows: usize, columns: usize },
    LayerNorm { extent: usize, eps: f64 },
    BatchNorm { channels: usize, eps: f64, rank: usize },
}

/// A call of a module.
#[derive(Clone, Debug)]
pub(super) struct ModuleCall {
    /// The path of the layer.
    pub layer: String,
    pub module: TorchModule,
    /// The value that it is called with.
    pub arg: NodeId,
    /// The shape that the result is given, where it is another one: behind a convolution of sequences.
    pub shape: Option<Shape>,
}

/// The modules of a graph.
#[derive(Debug, Default)]
pub(super) struct TorchModules {
    /// By the path of their layer.
    pub layers: BTreeMap<String, TorchModule>,
    /// By the node whose value the call is.
    pub calls: HashMap<NodeId, ModuleCall>,
    /// The nodes that calls compute inside.
    pub inside: HashSet<NodeId>,
}

/// A call that was found, before it is known whether the layer can be a module.
struct ModuleCandidate {
    call: ModuleCall,
    at: NodeId,
    inside: Vec<NodeId>,
    /// The layer's own tensors, without its path.
    tensors: &'static [&'static str],
}

/// Finds modules.
pub(super) fn modules(graph: &Graph) -> TorchModules {
    let finder = ModuleFinder::new(graph);
    let nodes = graph.nodes.keys().filter(|id| finder.live[id.index()]);
    let mut by_layer: BTreeMap<String, Vec<ModuleCandidate>> = BTreeMap::new();
    for candidate in nodes.filter_map(|id| finder.candidate(id)) {
        by_layer.entry(candidate.call.layer.clone()).or_default().push(candidate);
    }
    let mut found = TorchModules::default();
    for (layer, candidates) in by_layer {
        if !finder.is_module(&layer, &candidates) {
            continue;
        }
        found.layers.insert(layer, candidates[0].call.module.clone());
        for ModuleCandidate { call, at, inside, .. } in candidates {
            found.inside.extend(inside.into_iter().filter(|&node| node != at));
            found.calls.insert(at, call);
        }
    }
    found
}

struct ModuleFinder<'g> {
    graph: &'g Graph,
    live: Vec<bool>,
    /// The live nodes that read each node.
    users: Vec<Vec<NodeId>>,
    /// The nodes that are outputs, or handed on by scans.
    roots: HashSet<NodeId>,
}

impl<'g> ModuleFinder<'g> {
    fn new(graph: &'g Graph) -> ModuleFinder<'g> {
        let live = graph.live();
        let mut users = vec![Vec::new(); graph.nodes.len()];
        for (id, node) in graph.nodes.iter().filter(|(id, _)| live[id.index()]) {
            node.args.iter().for_each(|arg| users[arg.index()].push(id));
        }
        ModuleFinder { graph, live, users, roots: graph.roots().chain(graph.handed_on()).collect() }
    }

    fn node(&self, id: NodeId) -> &'g Node {
        &self.graph.nodes[id]
    }

    fn extents(&self, id: NodeId) -> &'g [Dim] {
        &self.graph.ty(id).shape
    }

    /// The only reader of a node.
    fn only_user(&self, id: NodeId) -> Option<NodeId> {
        match self.users[id.index()][..] {
            [user] if !self.roots.contains(&id) => Some(user),
            _ => None,
        }
    }

    /// The path of the parameter or state that a node is.
    fn path(&self, id: NodeId) -> Option<&'g str> {
        match self.node(id).op {
            Op::Param(param) => Some(&self.graph.params[param].path),
            Op::State(state) => Some(&self.graph.states[state].path),
            _ => None,
        }
    }

    /// The layer whose tensor of this name a node is.
    fn layer(&self, id: NodeId, tensor: &str) -> Option<&'g str> {
        self.path(id)?.strip_suffix(tensor)?.strip_suffix('.')
    }

    fn binary(&self, id: NodeId, of: Binary) -> Option<(NodeId, NodeId)> {
        let node = self.node(id);
        (node.op == Op::Binary(of)).then(|| (node.args[0], node.args[1]))
    }

    /// The argument of a broadcast, or the node itself.
    fn narrow(&self, id: NodeId) -> NodeId {
        match self.node(id).op {
            Op::Broadcast(_) => self.node(id).args[0],
            _ => id,
        }
    }

    fn constant(&self, id: NodeId) -> Option<f64> {
        match self.node(self.narrow(id)).op {
            Op::Const(value, _) => Some(value),
            _ => None,
        }
    }

    /// Whether each layer's tensors and their uses are those of the calls.
    fn is_module(&self, layer: &str, candidates: &[ModuleCandidate]) -> bool {
        let first = &candidates[0];
        let alike = candidates.iter().all(|it| it.call.module == first.call.module);
        let inside: HashSet<NodeId> =
            candidates.iter().flat_map(|it| it.inside.iter().copied()).collect();
        let ends: HashSet<NodeId> = candidates.iter().map(|it| it.at).collect();
        let own = |path: &str| path.strip_prefix(layer).is_some_and(|rest| rest.starts_with('.'));
        let known = |path: &str| {
            let tensor = path[layer.len()..].trim_start_matches('.');
            first.tensors.contains(&tensor)
        };
        let mut variables = self.graph.variables().filter(|(path, ..)| own(path));
        let is_closed = |node: &NodeId| {
            ends.contains(node)
                || !self.roots.contains(node)
                    && self.users[node.index()].iter().all(|user| inside.contains(user))
        };
        alike && variables.all(|(path, ..)| known(path)) && inside.iter().all(is_closed)
    }

    fn candidate(&self, id: NodeId) -> Option<ModuleCandidate> {
        match self.node(id).op {
            Op::MatMul { transpose_a: false, transpose_b: false } => self.linear(id),
            Op::Conv { window, groups } => self.conv(id, window, groups),
            Op::Gather(0) => self.embedding(id),
            Op::Binary(Binary::Add) => self.layer_norm(id).or_else(|| self.batch_norm(id)),
            _ => None,
        }
    }

    /// Goes on over the addition of a bias, if that comes next.
    fn with_bias(&self, layer: &str, last: NodeId, inside: &mut Vec<NodeId>) -> Option<NodeId> {
        let add = self.only_user(last)?;
        let (a, b) = self.binary(add, Binary::Add)?;
        let wide = if a == last { b } else { a };
        let bias = self.narrow(wide);
        (self.layer(bias, "bias")? == layer && self.extents(bias).len() == 1).then_some(())?;
        inside.extend([wide, bias, add]);
        Some(add)
    }

    fn linear(&self, id: NodeId) -> Option<ModuleCandidate> {
        let (mut arg, weight) = (self.node(id).args[0], self.node(id).args[1]);
        let layer = self.layer(weight, "weight")?;
        let &[Dim::Known(inputs), Dim::Known(outputs)] = self.extents(weight) else { return None };
        let (mut last, mut inside) = (id, vec![id, weight]);
        // What is `[n, t, k]` is multiplied as `[n·t, k]`, and taken apart again.
        if let Op::Reshape(_) = self.node(arg).op
            && let Some(back) = self.only_user(id)
            && let (Op::Reshape(_), source) = (&self.node(back).op, self.node(arg).args[0])
            && let ([before @ .., k], [after @ .., _]) = (self.extents(source), self.extents(back))
            && before == after
            && *k == Dim::Known(inputs)
        {
            // Another product may read the same rows.
            if self.only_user(arg).is_some() {
                inside.push(arg);
            }
            inside.push(back);
            (arg, last) = (source, back);
        }
        let biased = self.with_bias(layer, last, &mut inside);
        let module = TorchModule::Linear { inputs, outputs, bias: biased.is_some() };
        let call = ModuleCall { layer: layer.to_owned(), module, arg, shape: None };
        Some(ModuleCandidate {
            call,
            at: biased.unwrap_or(last),
            inside,
            tensors: &["weight", "bias"],
        })
    }

    fn conv(&self, id: NodeId, window: Window, groups: usize) -> Option<ModuleCandidate> {
        let (arg, mut weight) = (self.node(id).args[0], self.node(id).args[1]);
        let mut inside = vec![id, weight];
        if let Op::Reshape(_) = self.node(weight).op {
            weight = self.node(weight).args[0];
            inside.push(weight);
        }
        let layer = self.layer(weight, "weight")?;
        if window.pad.iter().any(|(before, after)| before != after) {
            return None;
        }
        let &[.., Dim::Known(of_group), Dim::Known(outputs)] = self.extents(weight) else {
            return None;
        };
        let (mut last, mut shape) = (id, None);
        // Sequences are images of one row, until here.
        if let Some(next) = self.only_user(id)
            && let Op::Reshape(to) = &self.node(next).op
            && to.last() == Some(&Dim::Known(outputs))
            && self.with_bias(layer, next, &mut Vec::new()).is_some()
        {
            inside.push(next);
            (last, shape) = (next, Some(to.clone()));
        }
        let biased = self.with_bias(layer, last, &mut inside);
        let inputs = of_group * groups;
        let module =
            TorchModule::Conv2d { inputs, outputs, window, groups, bias: biased.is_some() };
        let call = ModuleCall { layer: layer.to_owned(), module, arg, shape };
        Some(ModuleCandidate {
            call,
            at: biased.unwrap_or(last),
            inside,
            tensors: &["weight", "bias"],
        })
    }

    fn embedding(&self, id: NodeId) -> Option<ModuleCandidate> {
        let (table, arg) = (self.node(id).args[0], self.node(id).args[1]);
        let layer = self.layer(table, "weight")?;
        let &[Dim::Known(rows), Dim::Known(columns)] = self.extents(table) else { return None };
        let module = TorchModule::Embedding { rows, columns };
        let call = ModuleCall { layer: layer.to_owned(), module, arg, shape: None };
        Some(ModuleCandidate { call, at: id, inside: vec![id, table], tensors: &["weight"] })
    }

    /// The value whose mean over the last axis a node is, and the nodes that compute it.
    fn mean(&self, id: NodeId) -> Option<(NodeId, Vec<NodeId>)> {
        let (sum, part) = self.binary(id, Binary::Mul)?;
        let reduce = match self.node(sum).op {
            Op::Reshape(_) => self.node(sum).args[0],
            _ => sum,
        };
        let value = self.node(reduce).args.first().copied()?;
        let rank = self.extents(value).len();
        (self.node(reduce).op == Op::Reduce(Reduce::Sum, vec![rank - 1])).then_some(())?;
        let &Dim::Known(extent) = self.extents(value).last()? else { return None };
        let is_mean = (self.constant(part)? * extent as f64 - 1.0).abs() < 1e-6;
        is_mean.then(|| (value, vec![id, sum, part, self.narrow(part), reduce]))
    }

    /// `value` and `eps` of `rsqrt(value + eps)`.
    fn deviation(&self, id: NodeId) -> Option<(NodeId, f64, Vec<NodeId>)> {
        let node = self.node(id);
        (node.op == Op::Unary(Unary::Rsqrt)).then_some(())?;
        let (value, wide) = self.binary(node.args[0], Binary::Add)?;
        let eps = self.constant(wide)?;
        Some((value, eps, vec![id, node.args[0], wide, self.narrow(wide)]))
    }

    fn layer_norm(&self, id: NodeId) -> Option<ModuleCandidate> {
        let (scaled, wide_bias) = self.binary(id, Binary::Add)?;
        let (normed, wide_weight) = self.binary(scaled, Binary::Mul)?;
        let (bias, weight) = (self.narrow(wide_bias), self.narrow(wide_weight));
        let layer =
            self.layer(bias, "bias").filter(|it| self.layer(weight, "weight") == Some(it))?;
        let (centred, wide_scale) = self.binary(normed, Binary::Mul)?;
        let scale = self.narrow(wide_scale);
        let (variance, eps, deviation) = self.deviation(scale)?;
        let (square, of_variance) = self.mean(variance)?;
        (self.binary(square, Binary::Mul)? == (centred, centred)).then_some(())?;
        let (arg, wide_mean) = self.binary(centred, Binary::Sub)?;
        let (of, of_mean) = self.mean(self.narrow(wide_mean))?;
        let extent = self.extents(arg).last()?.known().filter(|_| of == arg)?;
        let mut inside = vec![id, scaled, wide_bias, normed, wide_weight, bias, weight, centred];
        inside.extend([wide_scale, square, wide_mean]);
        inside.extend([deviation, of_variance, of_mean].concat());
        let module = TorchModule::LayerNorm { extent, eps };
        let call = ModuleCall { layer: layer.to_owned(), module, arg, shape: None };
        Some(ModuleCandidate { call, at: id, inside, tensors: &["weight", "bias"] })
    }

    fn batch_norm(&self, id: NodeId) -> Option<ModuleCandidate> {
        let (scaled, wide_bias) = self.binary(id, Binary::Add)?;
        let (centred, wide_scale) = self.binary(scaled, Binary::Mul)?;
        let (bias, scale) = (self.narrow(wide_bias), self.narrow(wide_scale));
        let layer = self.layer(bias, "bias")?;
        let (arg, wide_mean) = self.binary(centred, Binary::Sub)?;
        let mean = self.narrow(wide_mean);
        let (deviation, weight) = self.binary(scale, Binary::Mul)?;
        let (variance, eps, of_deviation) = self.deviation(deviation)?;
        let is = |node: NodeId, tensor: &str| self.layer(node, tensor) == Some(layer);
        let fits = is(weight, "weight")
            && is(mean, "running_mean")
            && is(variance, "running_var")
            && (2..=4).contains(&self.extents(arg).len());
        let channels = self.extents(bias).first()?.known().filter(|_| fits)?;
        let mut inside = vec![id, scaled, wide_bias, centred, wide_scale, bias, scale, wide_mean];
        inside.extend([mean, weight, variance]);
        inside.extend(of_deviation);
        let module = TorchModule::BatchNorm { channels, eps, rank: self.extents(arg).len() };
        let call = ModuleCall { layer: layer.to_owned(), module, arg, shape: None };
        let tensors = &["weight", "bias", "running_mean", "running_var"];
        Some(ModuleCandidate { call, at: id, inside, tensors })
    }
}
