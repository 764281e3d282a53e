//! Scans whose bodies are the recurrences of ONNX's `LSTM`, `GRU` and `RNN`, with states of zeros or any
//! others:
//!
//! ```text
//! LSTM   c' = σ(f)·c + σ(i)·tanh(g)      h' = σ(o)·tanh(c')
//! GRU    h' = (1 − σ(z))·tanh(n) + σ(z)·h, or n + z·(h − n); n has r·(h @ R + b), or (r·h) @ R
//! RNN    h' = tanh(a), or relu(a)
//! ```
//!
//! A scan that does anything else, or stacks anything but `h'`, is none of them.

use super::OnnxPattern;
use super::gates::{GateReader, GateSum, LayerSequence};
use crate::base::tensor::DType;
use crate::graph::scan::Bodies;
use crate::graph::{Binary, Dim, NodeId, Op, ScanId, Unary};
use crate::onnx::export::matching::Matcher;

/// A recurrent layer.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::onnx::export) struct Recurrence {
    /// ONNX's operator.
    pub op: &'static str,
    pub sequence: LayerSequence,
    pub units: usize,
    pub reverse: bool,
    /// The gates in ONNX's order: `i o f c`, `z r h`, or the one.
    pub gates: Vec<GateSum>,
    /// The first values of `h` and `c`; none for zeros.
    pub first: Vec<Option<NodeId>>,
    /// Of a `GRU`: whether the reset comes after the product.
    pub linear_before_reset: bool,
    /// Of an `RNN`: its function.
    pub activation: Option<&'static str>,
}

impl Recurrence {
    /// The nodes that it reads, each once.
    pub fn reads(&self) -> Vec<NodeId> {
        let gates = self.gates.iter().flat_map(GateSum::reads);
        let mut reads: Vec<NodeId> =
            gates.chain([self.sequence.of]).chain(self.first.iter().copied().flatten()).collect();
        reads.sort_unstable();
        reads.dedup();
        reads
    }
}

/// The parts of a scan's body that have been told apart.
struct Parts {
    op: &'static str,
    gates: Vec<GateSum>,
    /// The carries: the state, and the cell of an `LSTM`.
    carries: Vec<NodeId>,
    linear_before_reset: bool,
    activation: Option<&'static str>,
}

impl Matcher<'_> {
    /// The recurrent layer whose states a node stacks.
    pub(super) fn recurrence(&self, id: NodeId, bodies: &Bodies) -> Option<OnnxPattern> {
        let Op::ScanStack(scan) = self.node(id).op else { return None };
        if bodies.stacks(scan) != [id] {
            return None;
        }
        let next = self.node(id).args[0];
        let state = self.carry(scan, bodies, next)?;
        let &[batch, Dim::Known(units)] = self.shape(state) else { return None };
        let mut reader = GateReader { matcher: self, state, units, sequence: None };
        let parts = self
            .lstm(next, &mut reader, |next| self.carry(scan, bodies, next))
            .or_else(|| self.gru(next, &mut reader))
            .or_else(|| self.rnn(next, &mut reader))?;
        let sequence = reader.sequence?;
        let steps = Dim::Known(self.graph.scans[scan].steps);
        let wanted = if sequence.steps_first { [steps, batch] } else { [batch, steps] };
        let shape = self.shape(sequence.of);
        let fits = shape.len() == 3 && shape[..2] == wanted;
        let first = |&carry: &NodeId| {
            let first = self.node(carry).args[0];
            (!self.is(first, 0.0)).then_some(first)
        };
        (fits && self.node(id).ty.dtype == DType::F32).then(|| {
            OnnxPattern::Recurrent(Recurrence {
                op: parts.op,
                sequence,
                units,
                reverse: self.graph.scans[scan].reverse,
                first: parts.carries.iter().map(first).collect(),
                gates: parts.gates,
                linear_before_reset: parts.linear_before_reset,
                activation: parts.activation,
            })
        })
    }

    /// The carry that becomes a value in the next step.
    fn carry(&self, scan: ScanId, bodies: &Bodies, next: NodeId) -> Option<NodeId> {
        let next = self.strip(next);
        let becomes =
            |&&id: &&NodeId| self.graph.next(id).is_some_and(|handed| self.strip(handed) == next);
        bodies.nodes(scan).iter().find(becomes).copied()
    }

    fn lstm(
        &self,
        next: NodeId,
        reader: &mut GateReader<'_, '_>,
        carry: impl Fn(NodeId) -> Option<NodeId>,
    ) -> Option<Parts> {
        let (output, cell) = self.orders(next, Binary::Mul).into_iter().find_map(|(o, cell)| {
            Some((self.unary(o, Unary::Sigmoid)?, self.unary(cell, Unary::Tanh)?))
        })?;
        let old = carry(cell)?;
        let (forget, input, candidate) =
            self.orders(cell, Binary::Add).into_iter().find_map(|(kept, new)| {
                let forget = self.orders(kept, Binary::Mul).into_iter().find_map(|(f, c)| {
                    self.unary(f, Unary::Sigmoid).filter(|_| self.strip(c) == old)
                })?;
                let (input, candidate) =
                    self.orders(new, Binary::Mul).into_iter().find_map(|(i, g)| {
                        Some((self.unary(i, Unary::Sigmoid)?, self.unary(g, Unary::Tanh)?))
                    })?;
                Some((forget, input, candidate))
            })?;
        let sums = [input, output, forget, candidate].map(|gate| reader.sum(gate));
        let gates = sums.into_iter().collect::<Option<Vec<GateSum>>>()?;
        gates.iter().all(GateSum::is_whole).then(|| Parts {
            op: "LSTM",
            gates,
            carries: vec![reader.state, old],
            linear_before_reset: false,
            activation: None,
        })
    }

    fn gru(&self, next: NodeId, reader: &mut GateReader<'_, '_>) -> Option<Parts> {
        let (update, candidate) = self
            .orders(next, Binary::Add)
            .into_iter()
            .find_map(|(a, b)| self.mixed(a, b, reader.state))?;
        let mut hidden = reader.sum(self.unary(candidate, Unary::Tanh)?)?;
        let &[gated] = &hidden.rest[..] else { return None };
        hidden.rest.clear();
        // `r · (h @ R + b)`, or `(r · h) @ R`.
        let after = self.orders(gated, Binary::Mul).into_iter().find_map(|(reset, back)| {
            let reset = self.unary(reset, Unary::Sigmoid)?;
            let back = reader.sum(back)?;
            let fits = back.weight.is_none() && back.bias.is_empty() && back.rest.is_empty();
            (fits && hidden.recurrent.is_none()).then_some((reset, back))
        });
        let linear_before_reset = after.is_some();
        let reset = match after {
            Some((reset, back)) => {
                hidden.bias.append(&mut hidden.recurrent_bias);
                hidden.recurrent_bias = back.recurrent_bias;
                hidden.recurrent = back.recurrent;
                reset
            }
            None => {
                let (reset, matrix) = self.reset_state(gated, reader)?;
                hidden.recurrent = matrix.recurrent;
                reset
            }
        };
        let sums = [update, reset].map(|gate| reader.sum(gate));
        let mut gates = sums.into_iter().collect::<Option<Vec<GateSum>>>()?;
        gates.push(hidden);
        gates.iter().all(GateSum::is_whole).then(|| Parts {
            op: "GRU",
            gates,
            carries: vec![reader.state],
            linear_before_reset,
            activation: None,
        })
    }

    /// The gate's sum and the candidate of `(1 − σ(z))·n + σ(z)·h`, or of `n + σ(z)·(h − n)`.
    fn mixed(&self, new: NodeId, kept: NodeId, state: NodeId) -> Option<(NodeId, NodeId)> {
        self.orders(kept, Binary::Mul).into_iter().find_map(|(gate, of)| {
            let update = self.unary(gate, Unary::Sigmoid)?;
            if let Some((h, n)) = self.binary(of, Binary::Sub) {
                let fits = self.strip(h) == state && self.same(n, new);
                return fits.then_some((update, new));
            }
            let less = |it: NodeId| {
                let rest = self.binary(it, Binary::Sub);
                rest.is_some_and(|(one, z)| self.is(one, 1.0) && self.same(z, gate))
            };
            let mut factors = self.orders(new, Binary::Mul).into_iter();
            let candidate = factors.find(|&(rest, _)| less(rest))?.1;
            (self.strip(of) == state).then_some((update, candidate))
        })
    }

    /// The reset's sum, and the matrix, of `(σ(r) · h) @ R`.
    fn reset_state(
        &self,
        product: NodeId,
        reader: &GateReader<'_, '_>,
    ) -> Option<(NodeId, GateSum)> {
        let node = self.node(product);
        let Op::MatMul { transpose_a: false, transpose_b } = node.op else { return None };
        let reset = self.orders(node.args[0], Binary::Mul).into_iter().find_map(|(r, h)| {
            self.unary(r, Unary::Sigmoid).filter(|_| self.strip(h) == reader.state)
        })?;
        let recurrent = Some(reader.matrix(node.args[1], transpose_b, 0)?);
        Some((reset, GateSum { recurrent, ..GateSum::default() }))
    }

    fn rnn(&self, next: NodeId, reader: &mut GateReader<'_, '_>) -> Option<Parts> {
        let (sum, activation) = match self.unary(next, Unary::Tanh) {
            Some(sum) => (sum, None),
            None => match self.rectifier(next).or_else(|| self.activation(next))? {
                OnnxPattern::Activation { op: "Relu", x, .. } => (x, Some("Relu")),
                _ => return None,
            },
        };
        let gates = vec![reader.sum(sum)?];
        gates.iter().all(GateSum::is_whole).then(|| Parts {
            op: "RNN",
            gates,
            carries: vec![reader.state],
            linear_before_reset: false,
            activation,
        })
    }
}
