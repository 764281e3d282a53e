//! The nodes of a graph to the calls of a program, one after the other.
//!
//! ```text
//! Conv(image, w, b)      image stored [N, H, W, C]  →  conv(image, 64, 7, stride: 2, pad: 3)
//! Transpose(x, [0,2,1])                             →  nothing: the axes have other names from here on
//! Reshape(x, [N, -1])    channels last              →  flatten(x), and the rows of the next dense
//!                                                      layer's weight in another order
//! ```
//!
//! Every value keeps the order in which the program has its axes ([`Placed`]); convolutions and pooling
//! ask for the channels last, and all that follows keeps it for as long as it can. What is known while
//! importing is computed ([`fold`](super::fold)). A node that has no counterpart is noted, and what it
//! makes is missing from there on, so that all of them are found at once.

mod activation;
mod attention;
mod conv;
mod einsum;
mod elementwise;
mod group;
mod index;
mod layout;
mod matmul;
mod movement;
mod norm;
mod pad;
mod pool;
mod recurrent;
mod reduce;
mod resize;
mod sample;
mod variable;

use super::constant::{Constant, ElementKind, TensorElements};
use super::fold;
use super::known::{KnownValues, Made};
use super::net::{CallSetting, Net, NetId, Weight};
use super::node::NodeReader;
use super::order::described;
use super::size::SymbolicSize;
use super::value::{GraphValue, Placed};
use crate::onnx::model::OnnxGraph;
use std::collections::HashMap;

/// A node that the language has nothing for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The operator with the node's name.
    pub node: String,
    /// Why.
    pub reason: String,
}

/// A graph that is being translated.
pub(super) struct Translator<'a> {
    pub graph: &'a OnnxGraph,
    pub known: KnownValues<'a>,
    pub opset: i64,
    pub net: Net,
    /// Whether the program's values have an axis of samples before all axes of the graph's.
    pub lead: bool,
    pub unsupported: Vec<Unsupported>,
    /// How many nodes read each value.
    pub readers: HashMap<&'a str, usize>,
    /// Norms of instances that are groups of channels, by what they make.
    grouped: HashMap<NetId, group::NormOfGroups>,
}

impl<'a> Translator<'a> {
    pub fn new(graph: &'a OnnxGraph, opset: i64, lead: bool) -> Translator<'a> {
        let known = KnownValues::new(&graph.initializers);
        let mut readers = HashMap::new();
        let inputs = graph.nodes.iter().flat_map(|node| &node.inputs);
        for name in inputs.chain(graph.outputs.iter().map(|output| &output.name)) {
            *readers.entry(name.as_str()).or_insert(0) += 1;
        }
        let (net, unsupported) = (Net::default(), Vec::new());
        let grouped = HashMap::new();
        Translator { graph, known, opset, net, lead, unsupported, readers, grouped }
    }

    /// Translates a node; what it cannot translate is noted.
    pub fn node(&mut self, index: usize) {
        let node = &self.graph.nodes[index];
        let read = NodeReader::new(node, self.opset);
        let missing = |name: &String| {
            matches!(self.known.values.get(name.as_str()), Some(GraphValue::Missing))
        };
        let result = match node.inputs.iter().find(|name| missing(name)) {
            Some(name) => self.known.refused(name).map_or(Ok(Vec::new()), Err),
            None => self.outputs(&read),
        };
        let mut made = match result {
            Ok(made) => made,
            Err(reason) => {
                self.unsupported.push(Unsupported { node: described(node), reason });
                Vec::new()
            }
        };
        made.resize_with(node.outputs.len().max(made.len()), || GraphValue::Missing);
        for (name, value) in node.outputs.iter().zip(made) {
            let empty = match &value {
                GraphValue::Tensor(placed) => {
                    placed.dims.iter().any(|size| size.fixed < 1 && !size.has_batch())
                }
                _ => false,
            };
            if empty {
                let reason = "it makes a tensor without elements".to_owned();
                self.unsupported.push(Unsupported { node: described(node), reason });
            }
            self.known.values.insert(name, if empty { GraphValue::Missing } else { value });
        }
    }

    /// Translates a node.
    fn outputs(&mut self, node: &NodeReader<'a>) -> Made<Vec<GraphValue>> {
        if !node.node.domain.is_empty() {
            return Err(format!("operators of the domain `{}` are not known", node.node.domain));
        }
        if let Some(name) = node.repeated() {
            return Err(format!("it has the attribute `{name}` twice"));
        }
        let made = match fold::fold(node, &self.known)? {
            Some(made) => made,
            None => self.translated(node)?,
        };
        if let Some(unread) = node.unread() {
            return Err(format!("{unread} is not supported"));
        }
        let named = node.node.outputs.iter().enumerate().skip(made.len());
        let read = |name: &str| !name.is_empty() && self.readers.contains_key(name);
        if let Some((index, _)) = named.into_iter().find(|(_, name)| read(name)) {
            return Err(format!("output {} is not supported", index + 1));
        }
        Ok(made)
    }

    /// Translates a node whose arguments the program computes.
    fn translated(&mut self, node: &NodeReader<'a>) -> Made<Vec<GraphValue>> {
        let one = |made: Placed| vec![GraphValue::Tensor(made)];
        Ok(match node.node.op.as_str() {
            "Identity" | "Dropout" => {
                node.ignore(&["ratio", "is_test", "seed"]);
                node.input(1);
                self.not_training(node)?;
                vec![self.known.value(node, 0)?]
            }
            "Conv" => one(self.conv(node)?),
            "ConvTranspose" => one(self.conv_transpose(node)?),
            "MaxPool" => one(self.max_pool(node)?),
            "AveragePool" => one(self.average_pool(node)?),
            "GlobalAveragePool" => one(self.global_pool(node, "mean")?),
            "GlobalMaxPool" => one(self.global_pool(node, "max")?),
            "BatchNormalization" => one(self.batch_norm(node)?),
            "LayerNormalization" => one(self.layer_norm(node)?),
            "InstanceNormalization" => one(self.instance_norm(node)?),
            "GroupNormalization" => one(self.group_norm(node)?),
            "RMSNormalization" => one(self.rms_norm(node)?),
            "LRN" => one(self.local_response_norm(node)?),
            "Gemm" => one(self.gemm(node)?),
            "MatMul" => one(self.matmul(node)?),
            "Einsum" => one(self.einsum(node)?),
            "Attention" => self.attention(node)?,
            "LSTM" => self.lstm(node)?,
            "GRU" => self.gru(node)?,
            "RNN" => self.rnn(node)?,
            "Softmax" | "LogSoftmax" => one(self.softmax(node)?),
            "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceL1" | "ReduceL2"
            | "ReduceSumSquare" | "ReduceLogSum" | "ReduceLogSumExp" => one(self.reduce(node)?),
            "ArgMax" | "ArgMin" => one(self.arg_extreme(node)?),
            "CumSum" => one(self.cumulative_sum(node)?),
            "Gather" => one(self.gather(node)?),
            "Slice" => one(self.slice(node)?),
            "Split" => self.split(node)?,
            "Resize" | "Upsample" => one(self.resize(node)?),
            "Concat" => one(self.concat(node)?),
            op if elementwise::is_elementwise(op) => one(self.elementwise(node)?),
            op if activation::is_activation(op) => one(self.activation(node)?),
            _ => one(self.movement(node)?),
        })
    }

    /// Refuses a node that is in its mode of training.
    fn not_training(&self, node: &NodeReader<'a>) -> Made<()> {
        let mode = node.input(2).and_then(|name| self.known.values.get(name));
        match mode {
            Some(GraphValue::Constant(constant))
                if constant.scalar(&self.known.stored) != Some(0.0) =>
            {
                Err("it is in its mode of training".into())
            }
            Some(GraphValue::Constant(_)) | None => Ok(()),
            Some(_) => Err("whether it is training is computed".into()),
        }
    }

    /// The value of an input as one of the program: a constant becomes a variable.
    pub fn tensor(&mut self, node: &NodeReader<'a>, index: usize) -> Made<Placed> {
        let value = self.known.value(node, index)?;
        self.computed(value)
    }

    /// A value as one of the program.
    pub fn computed(&mut self, value: GraphValue) -> Made<Placed> {
        match value {
            GraphValue::Tensor(placed) => Ok(placed),
            GraphValue::Constant(constant) => self.variable(constant),
            GraphValue::Filled(value, kind, dims) => {
                let one = Constant {
                    kind,
                    dims: vec![1; dims.len()],
                    elements: TensorElements::Filled(value),
                    name: String::new(),
                };
                let one = self.variable(one)?;
                self.expanded(&one, dims)
            }
            GraphValue::Sizes(_) => {
                Err("a shape that depends on the batch is computed with".into())
            }
            GraphValue::Missing => Err("what it reads is not supported".into()),
        }
    }

    /// A call whose first arguments are values.
    pub fn call(
        &mut self,
        callee: &str,
        args: Vec<NetId>,
        settings: Vec<(Option<&'static str>, CallSetting)>,
        shape: Vec<SymbolicSize>,
        kind: ElementKind,
    ) -> NetId {
        self.net.call(callee, args, settings, shape, kind)
    }

    /// A call of a layer that has weights.
    pub fn layer(
        &mut self,
        node: &NodeReader<'a>,
        (callee, arg): (&str, NetId),
        settings: Vec<(Option<&'static str>, CallSetting)>,
        shape: Vec<SymbolicSize>,
        weights: Vec<Weight>,
    ) -> NetId {
        let id = self.call(callee, vec![arg], settings, shape, ElementKind::Float);
        let named = weights.iter().map(|weight| weight.from.name.as_str());
        let name = named.into_iter().find(|name| !name.is_empty()).unwrap_or(&node.node.name);
        self.net.nodes[id].name = name.to_owned();
        self.net.nodes[id].weights = weights;
        id
    }

    /// The shape of the program's value whose axes are these.
    pub fn shape(&self, dims: &[SymbolicSize], order: &[usize]) -> Vec<SymbolicSize> {
        let lead = self.lead.then_some(SymbolicSize::N);
        lead.into_iter().chain(order.iter().map(|&axis| dims[axis])).collect()
    }

    /// How many axes stand before those of the graph's values.
    pub fn leading(&self) -> usize {
        usize::from(self.lead)
    }
}
