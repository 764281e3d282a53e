//! Patterns: nodes that together compute what ONNX has an operator for. They are found by what is
//! computed, so a layer norm that a program writes by itself is one, too.
//!
//! ```text
//! where(x > 0, x, 0)                      Relu
//! (x − m) · (rsqrt(v + eps) · w) + b      BatchNormalization
//! ```
//!
//! A pattern takes the place of its last node; those before it are left out where nothing else reads
//! them.

mod activation;
mod attention;
mod dense;
mod gates;
mod lowered;
mod norm;
mod recurrent;
mod resize;
mod stored;

use super::matching::Matcher;
use super::{ExportSettings, NEWEST_OPSET, USUAL_OPSET};
use crate::base::entity::Entity;
use crate::graph::scan::Bodies;
use crate::graph::{Graph, NodeId, Op};
use attention::AttentionParts;
use recurrent::Recurrence;
use std::collections::HashMap;
use stored::FoldedNorm;

/// Nodes that are needed, and the patterns among them.
pub(super) struct Needs {
    /// For each node, whether its value is needed.
    pub nodes: Vec<bool>,
    /// Patterns, by their last nodes.
    pub patterns: HashMap<NodeId, OnnxPattern>,
    /// The lowest version that has the operators of all patterns.
    pub opset: i64,
    /// How often each parameter and state is read, by its path.
    pub uses: HashMap<String, usize>,
}

/// A function that several nodes compute together.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum OnnxPattern {
    /// A function of one element, with its numbers.
    Activation {
        op: &'static str,
        x: NodeId,
        numbers: Vec<(&'static str, f64)>,
        word: Option<&'static str>,
    },
    /// Elements cut off below and above.
    Clip { x: NodeId, low: f64, high: f64 },
    /// A slope for what is below 0.
    PRelu { x: NodeId, slope: NodeId },
    /// `softmax` or `log_softmax` along an axis.
    Softmax { x: NodeId, axis: usize, log: bool },
    /// A mean over axes.
    Mean { x: NodeId, axes: Vec<usize> },
    /// A mean under each window: of this pool.
    AveragePool { pool: NodeId },
    /// A convolution, or its adjoint, with a number added to each channel.
    Conv { conv: NodeId, bias: NodeId },
    /// A product of the last axis with a matrix, and what is added.
    Dense { x: NodeId, weight: NodeId, transposed: bool, bias: Option<NodeId> },
    /// A norm over the last axes.
    Norm {
        x: NodeId,
        axis: usize,
        eps: f64,
        weight: Option<NodeId>,
        bias: Option<NodeId>,
        centred: bool,
    },
    /// A norm by running means.
    BatchNorm { x: NodeId, eps: f64, weight: NodeId, bias: NodeId, mean: NodeId, variance: NodeId },
    /// A norm of groups of channels.
    GroupNorm { x: NodeId, eps: f64, groups: usize, weight: NodeId, bias: NodeId },
    /// A convolution with the norm behind it.
    Folded(FoldedNorm),
    /// Scores, their softmax, and the mean that they weigh.
    Attention(AttentionParts),
    /// A scan that is a recurrent layer, at its stack.
    Recurrent(Recurrence),
    /// Images made larger, each element repeated.
    Repeat { x: NodeId, factor: usize },
}

impl OnnxPattern {
    /// The nodes that it reads.
    fn reads(&self) -> Vec<NodeId> {
        match self {
            OnnxPattern::Activation { x, .. } | OnnxPattern::Clip { x, .. } => vec![*x],
            OnnxPattern::Softmax { x, .. } | OnnxPattern::Mean { x, .. } => vec![*x],
            OnnxPattern::Repeat { x, .. } => vec![*x],
            OnnxPattern::PRelu { x, slope } => vec![*x, *slope],
            // The convolution's arguments are added by who knows the graph.
            OnnxPattern::AveragePool { .. } => Vec::new(),
            OnnxPattern::Conv { bias, .. } => vec![*bias],
            OnnxPattern::Dense { x, weight, bias, .. } => {
                [Some(*x), Some(*weight), *bias].into_iter().flatten().collect()
            }
            OnnxPattern::Norm { x, weight, bias, .. } => {
                [Some(*x), *weight, *bias].into_iter().flatten().collect()
            }
            OnnxPattern::BatchNorm { x, weight, bias, mean, variance, .. } => {
                vec![*x, *weight, *bias, *mean, *variance]
            }
            OnnxPattern::GroupNorm { x, weight, bias, .. } => vec![*x, *weight, *bias],
            OnnxPattern::Folded(folded) => folded.norm.into_iter().chain(folded.bias).collect(),
            OnnxPattern::Attention(parts) => parts.reads(),
            OnnxPattern::Recurrent(layer) => layer.reads(),
        }
    }

    /// The node whose arguments it reads instead of that node.
    fn reads_arguments_of(&self) -> Option<NodeId> {
        match self {
            OnnxPattern::AveragePool { pool: node } | OnnxPattern::Conv { conv: node, .. } => {
                Some(*node)
            }
            OnnxPattern::Folded(folded) => Some(folded.conv),
            _ => None,
        }
    }

    /// The version of ONNX's operators that has it.
    fn opset(&self) -> i64 {
        match self {
            OnnxPattern::Activation { op: "Gelu", .. } => 20,
            OnnxPattern::GroupNorm { .. } => 21,
            OnnxPattern::Norm { centred: false, .. } | OnnxPattern::Attention(_) => 23,
            OnnxPattern::Norm { .. } => 17,
            OnnxPattern::Activation { op: "HardSwish", .. } => 14,
            _ => super::OLDEST_OPSET,
        }
    }
}

/// Finds the nodes that a graph's outputs need, and the patterns among them. Of patterns only those that
/// the settings' version of the operators has are of use.
pub(super) fn needs(graph: &Graph, bodies: &Bodies, settings: ExportSettings) -> Needs {
    let newest = settings.opset.unwrap_or(NEWEST_OPSET);
    let matcher = Matcher { graph, newest, fold: settings.fold };
    let mut needs = Needs {
        nodes: vec![false; graph.nodes.len()],
        patterns: HashMap::new(),
        opset: USUAL_OPSET.min(newest),
        uses: HashMap::new(),
    };
    let mut open: Vec<NodeId> = graph.roots().collect();
    while let Some(id) = open.pop() {
        if let Some(path) = variable(graph, id) {
            *needs.uses.entry(path.to_owned()).or_default() += 1;
        }
        if std::mem::replace(&mut needs.nodes[id.index()], true) {
            continue;
        }
        match matcher.pattern(id, bodies) {
            Some(pattern) => {
                needs.opset = needs.opset.max(pattern.opset());
                open.extend(pattern.reads());
                if let Some(node) = pattern.reads_arguments_of() {
                    open.extend(&graph.nodes[node].args);
                }
                needs.patterns.insert(id, pattern);
            }
            None => open.extend(graph.reads(id)),
        }
    }
    needs
}

/// The path of a parameter or a state.
pub(super) fn variable(graph: &Graph, id: NodeId) -> Option<&str> {
    match graph.nodes[id].op {
        Op::Param(param) => Some(&graph.params[param].path),
        Op::State(state) => Some(&graph.states[state].path),
        _ => None,
    }
}

impl Matcher<'_> {
    /// The largest pattern that ends in a node.
    fn pattern(&self, id: NodeId, bodies: &Bodies) -> Option<OnnxPattern> {
        let found = match &self.node(id).op {
            Op::Where => self.rectifier(id),
            Op::Reshape(_) => self.repeat(id).or_else(|| self.rows(id)),
            Op::MatMul { .. } => self.attention(id).or_else(|| self.flat_product(id)),
            Op::ScanStack(_) => self.recurrence(id, bodies),
            Op::Binary(_) => self
                .norm(id)
                .or_else(|| self.softmax(id))
                .or_else(|| self.with_bias(id))
                .or_else(|| self.activation(id))
                .or_else(|| self.mean_or_pool(id)),
            _ => None,
        };
        // A pattern stays within one step of a scan.
        let inside = |pattern: &OnnxPattern| {
            let scan = bodies.scan(id);
            pattern.reads().into_iter().all(|it| bodies.scan(it).is_none_or(|of| Some(of) == scan))
        };
        // Looking through repetitions must not have led to a value of another shape.
        let alike = |pattern: &OnnxPattern| match pattern {
            OnnxPattern::Activation { x, .. } | OnnxPattern::Clip { x, .. } => {
                self.shape(*x) == self.shape(id)
            }
            OnnxPattern::PRelu { x, .. } | OnnxPattern::Softmax { x, .. } => {
                self.shape(*x) == self.shape(id)
            }
            OnnxPattern::BatchNorm { x, .. } | OnnxPattern::Norm { x, .. } => {
                self.shape(*x) == self.shape(id)
            }
            OnnxPattern::GroupNorm { x, .. } => self.shape(*x) == self.shape(id),
            _ => true,
        };
        let known = found.filter(|pattern| pattern.opset() <= self.newest);
        let found = known.filter(inside).filter(alike)?;
        Some(if self.fold { self.folded(found) } else { found })
    }
}
