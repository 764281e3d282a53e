//! One parameter for each weight of the file, however many nodes read it.
//!
//! ```text
//! Gemm(a, w, b), Gemm(c, w, b)      →  a |> dense(8) as fc          c |> fc
//! Gather(table, t), MatMul(x, table^T)
//!                                   →  param table: f32[50, 24]     gather(table, t)    x @ transpose(table)
//! ```
//!
//! A layer with the same weights and settings as an earlier one is that layer again. Where weights meet in
//! different layers, they become a `param` and the layers products by hand ([`tied`]). What is left are
//! copies, which the program's first lines tell.
//!
//! Exporters write equal weights once, so that all norms of a network that was never trained read the
//! same ones and zeros: a weight of one number everywhere says nothing, unless what it is applied to is the
//! same, too.

mod tied;

use super::constant::StoredTensors;
use super::net::{Net, NetForm, NetId, NetNode, Weight};
use std::collections::{HashMap, HashSet};

/// Makes weights that the file has once one parameter.
pub(super) fn share(net: Net, stored: &StoredTensors<'_>) -> Net {
    let mut values = StoredValues { stored, known: HashMap::new() };
    let net = tied::tied(net, &mut values);
    let mut net = again(net, &mut values);
    net.copies = copies(&net, &mut values);
    net
}

/// Facts about the tensors of the file.
struct StoredValues<'a> {
    stored: &'a StoredTensors<'a>,
    known: HashMap<usize, bool>,
}

impl StoredValues<'_> {
    /// Whether a weight has several numbers, so that it is not equal to another one by chance.
    fn is_distinct(&mut self, weight: &Weight) -> bool {
        let stored = self.stored;
        let several = || {
            let values = weight.from.floats(stored);
            let usual = [0.0, 0.25, 1.0];
            match &values[..] {
                [] => false,
                [one] => !usual.contains(one),
                [first, rest @ ..] => rest.iter().any(|value| value != first),
            }
        };
        match weight.from.stored_index() {
            Some(index) => *self.known.entry(index).or_insert_with(several),
            None => several(),
        }
    }
}

/// Whether a node calls a layer with weights on one value.
fn is_layer(node: &NetNode) -> bool {
    matches!(node.form, NetForm::Call { .. }) && !node.weights.is_empty() && node.args.len() == 1
}

/// Whether two nodes are one layer of the file: with the same settings and weights.
fn same_layer(a: &NetNode, b: &NetNode) -> bool {
    is_layer(a)
        && is_layer(b)
        && a.form == b.form
        && a.weights.len() == b.weights.len()
        && a.weights.iter().zip(&b.weights).all(|(a, b)| a.same(b))
}

/// Layers that an earlier one is again.
fn again(mut net: Net, values: &mut StoredValues<'_>) -> Net {
    // Earlier layers by the name of their first weight, and the node that a later one repeats.
    let mut layers: HashMap<String, Vec<NetId>> = HashMap::new();
    let mut twins: HashMap<NetId, NetId> = HashMap::new();
    let mut readers: HashMap<NetId, Vec<NetId>> = HashMap::new();
    for id in 0..net.nodes.len() {
        let node = &net.nodes[id];
        if node.weights.is_empty() {
            if let Some(twin) = twin(&net, id, &twins, &readers) {
                twins.insert(id, twin);
            }
            if let Some(&arg) = node.args.first() {
                readers.entry(arg).or_default().push(id);
            }
            continue;
        }
        let name = node.weights[0].from.name.clone();
        if !is_layer(node) || name.is_empty() {
            continue;
        }
        let earlier = layers.entry(name).or_default();
        let same = earlier.iter().copied().find(|&it| same_layer(&net.nodes[it], &net.nodes[id]));
        let arg = |id: NetId| net.nodes[id].args[0];
        let repeats = same.filter(|&first| {
            node.weights.iter().any(|weight| values.is_distinct(weight))
                || twins.get(&arg(id)).is_some_and(|&twin| twin == arg(first))
        });
        match repeats {
            Some(first) => {
                twins.insert(id, first);
                let node = &mut net.nodes[id];
                node.form = NetForm::Again(first);
                node.weights.clear();
            }
            None => earlier.push(id),
        }
    }
    net
}

/// The earlier node that computes from layers what this one does from the same layers again.
fn twin(
    net: &Net,
    id: NetId,
    twins: &HashMap<NetId, NetId>,
    readers: &HashMap<NetId, Vec<NetId>>,
) -> Option<NetId> {
    let node = &net.nodes[id];
    let first = node.args.first().and_then(|arg| twins.get(arg))?;
    // Those that read what the first of the arguments repeats.
    let pairs = |other: &NetNode| {
        other.args.len() == node.args.len()
            && node
                .args
                .iter()
                .zip(&other.args)
                .all(|(own, of)| own == of || twins.get(own) == Some(of))
    };
    readers.get(first)?.iter().copied().find(|&other| {
        let candidate = &net.nodes[other];
        candidate.form == node.form && pairs(candidate)
    })
}

/// The weights of the file that several nodes still have.
fn copies(net: &Net, values: &mut StoredValues<'_>) -> Vec<String> {
    let mut seen: HashSet<usize> = HashSet::new();
    let mut copies = Vec::new();
    for weight in net.nodes.iter().flat_map(|node| &node.weights) {
        let Some(index) = weight.from.stored_index().filter(|_| !weight.is_state) else { continue };
        let name = &weight.from.name;
        if !seen.insert(index) && values.is_distinct(weight) && !copies.contains(name) {
            copies.push(name.clone());
        }
    }
    copies
}
