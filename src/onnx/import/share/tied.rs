//! Weights that different layers have, each as a `param` that they read.
//!
//! ```text
//! 3  Call embedding(0, 50, 24)   weights: table            3  Variable [50, 24]   weights: table
//! 7  Call dense(6, 50)           weights: table turned  →  4  Call gather(3, 0)
//!                                                          8  Call transpose(3)
//!                                                          9  Infix @ (7, 8)
//! ```
//!
//! Only the matrices of `embedding` and `dense`, the kernels of `conv` and variables are rewritten: other
//! layers have no form without weights.

use super::super::constant::{Constant, ElementKind, StoredTensors};
use super::super::net::{CallSetting, Move, Net, NetForm, NetId, NetNode, Weight};
use super::super::size::SymbolicSize;
use super::{StoredValues, same_layer};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Rewrites the layers whose weights meet in different layers.
pub(super) fn tied(net: Net, values: &mut StoredValues<'_>) -> Net {
    let groups = groups(&net, values);
    if groups.is_empty() {
        return net;
    }
    let members: HashSet<NetId> = groups.iter().flatten().copied().collect();
    let mut rewriting = Rewriting {
        stored: values.stored,
        plain: groups.iter().filter_map(|group| one_layout(&net, group)).collect(),
        made: Net::default(),
        variables: Vec::new(),
        arranged: Vec::new(),
    };
    let mut new: Vec<NetId> = Vec::with_capacity(net.nodes.len());
    for (id, node) in net.nodes.into_iter().enumerate() {
        let args = node.args.iter().map(|&arg| new[arg]).collect();
        let node = NetNode { args, ..node };
        new.push(match members.contains(&id) {
            true => rewriting.layer(node),
            false => rewriting.made.push(node),
        });
    }
    let outputs = net.outputs.into_iter().map(|(name, id)| (name, new[id])).collect();
    Net { outputs, ..rewriting.made }
}

/// Whether a node can read its first weight from a `param`.
fn is_open(node: &NetNode) -> bool {
    let moves = |weight: &Weight| {
        weight.moves.iter().all(|step| matches!(step, Move::Transpose { .. })) && !weight.is_state
    };
    let form = match &node.form {
        NetForm::Variable { trained } => *trained,
        NetForm::Call { callee, .. } => {
            matches!(callee.as_str(), "embedding" | "dense" | "conv" | "conv_transpose")
        }
        _ => false,
    };
    form && node.weights.first().is_some_and(moves)
}

/// The nodes that read one weight of the file and are not all the same layer.
fn groups(net: &Net, values: &mut StoredValues<'_>) -> Vec<Vec<NetId>> {
    let mut readers: BTreeMap<usize, Vec<NetId>> = BTreeMap::new();
    for (id, node) in net.nodes.iter().enumerate().filter(|(_, node)| is_open(node)) {
        if let Some(index) = node.weights[0].from.stored_index() {
            readers.entry(index).or_default().push(id);
        }
    }
    let several = |group: &Vec<NetId>| {
        let first = &net.nodes[group[0]];
        let alike = |&id: &NetId| same_layer(first, &net.nodes[id]);
        group.len() > 1 && !group.iter().all(alike)
    };
    let groups = readers.into_values().filter(several);
    groups.filter(|group| values.is_distinct(&net.nodes[group[0]].weights[0])).collect()
}

/// The weight as all of a group have it, if they do.
fn one_layout(net: &Net, group: &[NetId]) -> Option<(usize, Weight)> {
    let first = &net.nodes[group[0]].weights[0];
    let alike = group.iter().all(|&id| net.nodes[id].weights[0].same(first));
    first.from.stored_index().filter(|_| alike).map(|index| (index, first.clone()))
}

/// A network that is being made.
struct Rewriting<'a> {
    stored: &'a StoredTensors<'a>,
    /// Weights that all of their layers have in the same order, by their tensors.
    plain: HashMap<usize, Weight>,
    made: Net,
    /// The variables that stand for weights.
    variables: Vec<(Weight, NetId)>,
    /// Weights in the order in which a layer has them.
    arranged: Vec<(Weight, NetId)>,
}

impl Rewriting<'_> {
    fn layer(&mut self, node: NetNode) -> NetId {
        let mut weights = node.weights.into_iter();
        let weight = weights.next().map(|weight| self.weight(weight)).unwrap_or_default();
        let NetForm::Call { callee, settings } = node.form else { return weight };
        let (x, shape) = (node.args[0], node.shape);
        let named = settings.into_iter().filter(|(name, _)| {
            matches!(name, Some("stride" | "pad" | "output_pad" | "dilation" | "groups"))
        });
        let named: Vec<(Option<&'static str>, CallSetting)> = named.collect();
        let made = match callee.as_str() {
            "embedding" => {
                self.made.call("gather", vec![weight, x], named, shape.clone(), ElementKind::Float)
            }
            "dense" => {
                let form = NetForm::Infix("@", CallSetting::Arg(0), CallSetting::Arg(1));
                self.made.add(form, vec![x, weight], shape.clone(), ElementKind::Float)
            }
            _ => {
                let operator = format!("{callee}{}d", shape.len() - 2);
                self.made.call(&operator, vec![x, weight], named, shape.clone(), ElementKind::Float)
            }
        };
        match weights.next() {
            None => made,
            Some(bias) => {
                let bias = self.variable(bias);
                let form = NetForm::Infix("+", CallSetting::Arg(0), CallSetting::Arg(1));
                self.made.add(form, vec![made, bias], shape, ElementKind::Float)
            }
        }
    }

    /// A weight as its layer has it.
    fn weight(&mut self, weight: Weight) -> NetId {
        if let Some((_, id)) = self.arranged.iter().find(|(known, _)| known.same(&weight)) {
            return *id;
        }
        let index = weight.from.stored_index().unwrap_or_default();
        let made = match self.plain.contains_key(&index) {
            true => self.variable(weight.clone()),
            false => {
                let dims = self.stored[index].dims.iter().map(|&dim| dim as usize).collect();
                let own = Constant { dims, ..weight.from.clone() };
                let base = self.variable(Weight::new(own));
                self.arranged_as(base, &weight)
            }
        };
        self.arranged.push((weight, made));
        made
    }

    /// A variable with its elements in the order of a weight.
    fn arranged_as(&mut self, base: NetId, weight: &Weight) -> NetId {
        let mut id = base;
        for step in &weight.moves {
            let Move::Transpose { dims, order } = step else { continue };
            id = self.reshaped(id, dims);
            let shape = order.iter().map(|&axis| SymbolicSize::known(dims[axis] as i64)).collect();
            let places: Vec<i64> = order.iter().map(|&axis| axis as i64).collect();
            let settings = match &places[..] {
                [1, 0] => Vec::new(),
                _ => vec![(None, CallSetting::list(&places))],
            };
            id = self.made.call("transpose", vec![id], settings, shape, ElementKind::Float);
        }
        self.reshaped(id, &weight.dims)
    }

    fn reshaped(&mut self, id: NetId, dims: &[usize]) -> NetId {
        let shape = SymbolicSize::all_known(dims);
        if self.made.nodes[id].shape == shape {
            return id;
        }
        let settings = vec![(None, CallSetting::dims(&shape))];
        self.made.call("reshape", vec![id], settings, shape, ElementKind::Float)
    }

    /// The variable of a weight, which it gets if it has none.
    fn variable(&mut self, weight: Weight) -> NetId {
        if let Some((_, id)) = self.variables.iter().find(|(known, _)| known.same(&weight)) {
            return *id;
        }
        let shape = SymbolicSize::all_known(&weight.dims);
        let name = weight.from.name.clone();
        let (form, args) = (NetForm::Variable { trained: true }, Vec::new());
        let (kind, weights) = (ElementKind::Float, vec![weight.clone()]);
        let id = self.made.push(NetNode { form, args, shape, kind, weights, name });
        self.variables.push((weight, id));
        id
    }
}
