//! Patterns whose weights are computed when the file is written: the gates of recurrent layers in ONNX's
//! order, and convolutions with the norm behind them folded in.

use super::OnnxPattern;
use super::gates::{GateColumns, GateSum};
use super::recurrent::Recurrence;
use crate::base::tensor::{Data, Tensor};
use crate::graph::{Dim, NodeId, Op};
use crate::onnx::export::build::{Exporter, int, text};
use crate::onnx::export::matching::Matcher;
use crate::onnx::export::value::{LaidOut, ValuePlace};
use crate::onnx::export::window::OUTPUTS_FIRST;
use crate::onnx::model::OnnxAttribute;

/// A convolution with a norm by running means behind it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::onnx::export) struct FoldedNorm {
    pub conv: NodeId,
    pub weight: NodeId,
    pub bias: Option<NodeId>,
    pub eps: f64,
    /// The norm's scale, shift, mean and variance.
    pub norm: [NodeId; 4],
}

impl Matcher<'_> {
    /// A norm as part of the convolution before it, if nothing else reads that.
    pub(super) fn folded(&self, norm: OnnxPattern) -> OnnxPattern {
        let OnnxPattern::BatchNorm { x, eps, weight, bias, mean, variance } = norm else {
            return norm;
        };
        let (conv, added) = match self.with_bias(x) {
            Some(OnnxPattern::Conv { conv, bias }) => (conv, Some(bias)),
            _ => (self.strip(x), None),
        };
        let node = self.node(conv);
        let kernel = node.args.get(1).copied();
        let stored = kernel.filter(|&kernel| matches!(self.node(kernel).op, Op::Param(_)));
        let once = |id: NodeId| {
            self.graph.nodes.iter().filter(|(_, it)| it.args.contains(&id)).count() == 1
        };
        match (&node.op, stored) {
            (Op::Conv { .. }, Some(kernel)) if once(x) && once(conv) => {
                OnnxPattern::Folded(FoldedNorm {
                    conv,
                    weight: kernel,
                    bias: added,
                    eps,
                    norm: [weight, bias, mean, variance],
                })
            }
            _ => norm,
        }
    }
}

impl Exporter<'_> {
    /// `w · s` and `(b − mean) · s + shift`, where `s = scale / √(variance + eps)`.
    pub(super) fn lower_folded(&mut self, id: NodeId, folded: &FoldedNorm) -> LaidOut {
        let [scale, shift, mean, variance] = folded.norm.map(|node| self.stored_floats(node));
        let spread = variance.iter().map(|&it| (f64::from(it) + folded.eps).sqrt());
        let factors: Vec<f64> =
            scale.iter().zip(spread).map(|(&scale, spread)| f64::from(scale) / spread).collect();
        let before = folded.bias.map(|bias| self.stored_floats(bias));
        let bias = (0..factors.len()).map(|at| {
            let before = before.as_ref().map_or(0.0, |bias| bias[at]);
            let centred = f64::from(before) - f64::from(mean[at]);
            (centred * factors[at] + f64::from(shift[at])) as f32
        });
        let bias = Tensor::f32([factors.len()], bias.collect());
        let (path, mut kernel) = self.take_stored(folded.weight);
        if let Data::F32(values) = &mut kernel.data {
            let factors = factors.iter().cycle();
            values.iter_mut().zip(factors).for_each(|(it, by)| *it = (f64::from(*it) * by) as f32);
        }
        let kernel = crate::onnx::export::value::transposed(&kernel, &OUTPUTS_FIRST);
        let kernel = self.initializer(path, &kernel);
        let bias = self.initializer(&format!("{}.bias", path.trim_end_matches(".weight")), &bias);
        let Op::Conv { window, groups } = &self.node(folded.conv).op else {
            unreachable!("the pattern is of a convolution")
        };
        let image = self.image_name(self.node(folded.conv).args[0]);
        let made = self.convolution(folded.conv, (window, *groups), &[image, kernel, bias]);
        self.reshaped(&made, self.shape(id))
    }

    /// A recurrent layer: its states of all steps, `[T, N, H]`.
    pub(super) fn lower_recurrent(&mut self, id: NodeId, layer: &Recurrence) -> LaidOut {
        let value = self.value(layer.sequence.of);
        let value = self.full(&value, self.shape(layer.sequence.of));
        let order = if layer.sequence.steps_first { [0, 1, 2] } else { [1, 0, 2] };
        let steps_first = self.turned(&value, &order);
        let mut inputs = vec![self.named(&steps_first)];
        for matrix in
            [|gate: &GateSum| gate.weight.clone(), |gate: &GateSum| gate.recurrent.clone()]
        {
            let columns = layer.gates.iter().map(|gate| matrix(gate).expect("a whole gate"));
            inputs.push(self.gate_rows(columns.collect(), layer.units));
        }
        inputs.push(self.gate_biases(layer));
        // Sequences are of one length; what follows the last state that does not begin at zero is left out.
        let given = layer.first.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        if given > 0 {
            inputs.push(String::new());
        }
        for first in &layer.first[..given] {
            inputs.push(first.map_or(String::new(), |first| {
                let value = self.whole(first);
                let shape = [&[Dim::Known(1)], &value.shape[..]].concat();
                let place = self.reshaped_place(&value.place, &value.shape, &shape);
                self.named(&LaidOut::plain(place, shape))
            }));
        }
        let mut attributes = vec![int("hidden_size", layer.units as i64)];
        if layer.reverse {
            attributes.push(text("direction", "reverse"));
        }
        if layer.linear_before_reset {
            attributes.push(int("linear_before_reset", 1));
        }
        if let Some(activation) = layer.activation {
            let names = OnnxAttribute::Strings(vec![activation.as_bytes().to_vec()]);
            attributes.push(("activations".to_owned(), names));
        }
        let place = ValuePlace::Named(self.emit(layer.op, &inputs, attributes));
        let shape = self.shape(id).to_vec();
        let directions = vec![shape[0], Dim::Known(1), shape[1], shape[2]];
        let place = self.reshaped_place(&place, &directions, &shape);
        LaidOut::plain(place, shape)
    }

    /// Columns of matrices, gate after gate, as rows: `[1, gates · units, inputs]`.
    fn gate_rows(&mut self, gates: Vec<GateColumns>, units: usize) -> String {
        let mut rows = Vec::new();
        let mut inputs = 0;
        for gate in &gates {
            let (_, tensor) = self.stored(gate.of);
            let (values, wide) = (floats(tensor), tensor.shape[1]);
            inputs = if gate.transposed { wide } else { tensor.shape[0] };
            for unit in gate.from..gate.from + units {
                match gate.transposed {
                    true => rows.extend(&values[unit * wide..(unit + 1) * wide]),
                    false => rows.extend((0..inputs).map(|row| values[row * wide + unit])),
                }
            }
        }
        let path = self.stored(gates[0].of).0;
        self.initializer(path, &Tensor::f32([1, gates.len() * units, inputs], rows))
    }

    /// The vectors of the sequence, then those of the state, each gate after gate; several are one.
    fn gate_biases(&mut self, layer: &Recurrence) -> String {
        let sequence = layer.gates.iter().map(|gate| &gate.bias);
        let vectors: Vec<&Vec<GateColumns>> =
            sequence.chain(layer.gates.iter().map(|gate| &gate.recurrent_bias)).collect();
        let mut biases = vec![0.0; vectors.len() * layer.units];
        for (sums, vectors) in biases.chunks_mut(layer.units).zip(&vectors) {
            for vector in *vectors {
                let values = floats(self.stored(vector.of).1);
                let values = &values[vector.from..vector.from + layer.units];
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
        let first = vectors.iter().find_map(|vectors| vectors.first());
        let path = first.map_or("bias", |vector| self.stored(vector.of).0);
        let count = biases.len();
        self.initializer(path, &Tensor::f32([1, count], biases))
    }

    fn stored_floats(&self, node: NodeId) -> Vec<f32> {
        floats(self.stored(node).1).to_vec()
    }
}

fn floats(tensor: &Tensor) -> &[f32] {
    match &tensor.data {
        Data::F32(values) => values,
        _ => unreachable!("weights are floats"),
    }
}
