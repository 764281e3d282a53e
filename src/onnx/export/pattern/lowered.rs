//! The nodes of ONNX that patterns become.

use super::OnnxPattern;
use crate::base::tensor::Tensor;
use crate::graph::{Dim, NodeId, Op};
use crate::onnx::export::build::{Attributes, Exporter, float, int, text};
use crate::onnx::export::layout::CHANNELS_FIRST;
use crate::onnx::export::value::{LaidOut, ValuePlace};

impl Exporter<'_> {
    /// Lowers a pattern in the place of its last node.
    pub(in crate::onnx::export) fn lower_pattern(
        &mut self,
        id: NodeId,
        pattern: &OnnxPattern,
    ) -> LaidOut {
        match *pattern {
            OnnxPattern::Activation { op, x, ref numbers, word } => {
                let mut attributes: Attributes =
                    numbers.iter().map(|&(name, number)| float(name, number)).collect();
                attributes.extend(word.map(|word| text("approximate", word)));
                self.simple(id, x, op, attributes)
            }
            OnnxPattern::Clip { x, low, high } => {
                let dtype = self.node(id).ty.dtype;
                let bounds = [low, high].map(|bound| self.scalar(bound, dtype));
                self.elementwise(id, &[x], |it, names| {
                    let [low, high] = bounds;
                    it.emit("Clip", &[names[0].clone(), low, high], Vec::new())
                })
            }
            OnnxPattern::PRelu { x, slope } => {
                self.elementwise(id, &[x, slope], |it, names| it.emit("PRelu", names, Vec::new()))
            }
            OnnxPattern::Softmax { x, axis, log } => self.lower_softmax(x, axis, log),
            OnnxPattern::Mean { x, ref axes } => self.lower_mean(id, x, axes),
            OnnxPattern::AveragePool { pool } => match &self.node(pool).op {
                Op::SumPool(window) => self.sum_pool(pool, window, true),
                _ => unreachable!("the pattern is of a pool"),
            },
            OnnxPattern::Conv { conv, bias } => self.lower_conv(id, conv, bias),
            OnnxPattern::Dense { x, weight, transposed, bias } => {
                self.lower_dense(id, x, weight, transposed, bias)
            }
            OnnxPattern::Norm { x, axis, eps, weight, bias, centred } => {
                self.lower_norm(x, axis, eps, [weight, bias], centred)
            }
            OnnxPattern::BatchNorm { x, eps, weight, bias, mean, variance } => self.channel_norm(
                "BatchNormalization",
                x,
                &[weight, bias, mean, variance],
                vec![float("epsilon", eps)],
            ),
            OnnxPattern::GroupNorm { x, eps, groups, weight, bias } => {
                let attributes = vec![float("epsilon", eps), int("num_groups", groups as i64)];
                self.channel_norm("GroupNormalization", x, &[weight, bias], attributes)
            }
            OnnxPattern::Folded(ref folded) => self.lower_folded(id, folded),
            OnnxPattern::Attention(ref parts) => self.lower_attention(id, parts),
            OnnxPattern::Recurrent(ref layer) => self.lower_recurrent(id, layer),
            OnnxPattern::Repeat { x, factor } => self.lower_repeat(id, x, factor),
        }
    }

    fn lower_softmax(&mut self, x: NodeId, axis: usize, log: bool) -> LaidOut {
        let value = self.value(x);
        let value = self.full(&value, self.shape(x));
        let value = if value.image.is_some() { self.plain(&value) } else { value };
        let at = value.places()[axis] as i64;
        // The last axis by its number from the end, as everyone writes it.
        let at = if at as usize + 1 == value.shape.len() { -1 } else { at };
        let name = self.named(&value);
        let op = if log { "LogSoftmax" } else { "Softmax" };
        LaidOut { place: ValuePlace::Named(self.emit(op, &[name], vec![int("axis", at)])), ..value }
    }

    fn lower_mean(&mut self, id: NodeId, x: NodeId, axes: &[usize]) -> LaidOut {
        let value = self.value(x);
        let value = self.full(&value, self.shape(x));
        let shape = self.shape(id).to_vec();
        if value.image.is_none() && value.axes == CHANNELS_FIRST && axes == [1, 2] {
            let name = self.named(&value);
            let pooled = ValuePlace::Named(self.emit("GlobalAveragePool", &[name], Vec::new()));
            let (n, c) = (value.shape[0], value.shape[3]);
            let pooled_shape = vec![n, Dim::Known(1), Dim::Known(1), c];
            let pooled = LaidOut { place: pooled, shape: pooled_shape, ..value };
            if pooled.shape == shape {
                return pooled;
            }
            let place = self.reshaped_place(&pooled.place, &pooled.extents(), &shape);
            return LaidOut::plain(place, shape);
        }
        let mean = self.reduced(&value, "ReduceMean", axes);
        let mean = self.plain(&mean);
        let place = self.reshaped_place(&mean.place, &mean.shape, &shape);
        LaidOut::plain(place, shape)
    }

    fn lower_conv(&mut self, id: NodeId, conv: NodeId, bias: NodeId) -> LaidOut {
        let value = match &self.node(conv).op {
            Op::Conv { window, groups } => self.conv(conv, window, *groups, Some(bias)),
            Op::ConvInputGrad { window, groups, extents } => {
                self.conv_transpose(conv, window, *groups, *extents, Some(bias))
            }
            _ => unreachable!("the pattern is of a convolution"),
        };
        self.reshaped(&value, self.shape(id))
    }

    /// `Gemm` of matrices, `MatMul` and `Add` of more axes.
    fn lower_dense(
        &mut self,
        id: NodeId,
        x: NodeId,
        weight: NodeId,
        transposed: bool,
        bias: Option<NodeId>,
    ) -> LaidOut {
        let value = self.value(x);
        let x = self.full(&value, self.shape(x));
        let weight = self.value(weight);
        let weight = if transposed { self.relabelled(&weight, &[1, 0]) } else { weight };
        let (x, weight) = self.facing(x, weight);
        let mut names = vec![self.named(&x), self.named(&weight)];
        let shape = self.shape(id).to_vec();
        let Some(bias) = bias else {
            return LaidOut::plain(
                ValuePlace::Named(self.emit("MatMul", &names, Vec::new())),
                shape,
            );
        };
        let bias = self.whole_name(bias);
        if shape.len() == 2 {
            names.push(bias);
            return LaidOut::plain(ValuePlace::Named(self.emit("Gemm", &names, Vec::new())), shape);
        }
        let product = self.emit("MatMul", &names, Vec::new());
        LaidOut::plain(ValuePlace::Named(self.emit("Add", &[product, bias], Vec::new())), shape)
    }

    fn lower_norm(
        &mut self,
        x: NodeId,
        axis: usize,
        eps: f64,
        [weight, bias]: [Option<NodeId>; 2],
        centred: bool,
    ) -> LaidOut {
        let value = self.whole(x);
        let weight = match weight {
            Some(weight) => self.whole_name(weight),
            None => {
                let known = |dim: &Dim| dim.known().expect("what is normalised has no batch");
                let shape: Vec<usize> = value.shape[axis..].iter().map(known).collect();
                let count = shape.iter().product();
                self.constant(&Tensor::f32(shape, vec![1.0; count]))
            }
        };
        let mut inputs = vec![self.named(&value), weight];
        if let Some(bias) = bias {
            inputs.push(self.whole_name(bias));
        }
        let from_end = axis as i64 - value.shape.len() as i64;
        let op = if centred { "LayerNormalization" } else { "RMSNormalization" };
        let attributes = vec![int("axis", from_end), float("epsilon", eps)];
        LaidOut { place: ValuePlace::Named(self.emit(op, &inputs, attributes)), ..value }
    }

    /// A norm that wants the channels at the second place.
    fn channel_norm(
        &mut self,
        op: &str,
        x: NodeId,
        vectors: &[NodeId],
        attributes: Attributes,
    ) -> LaidOut {
        let value = self.value(x);
        let value = self.full(&value, self.shape(x));
        let rank = value.shape.len();
        let mut axes = vec![0, rank - 1];
        axes.extend(1..rank - 1);
        let value = self.turned(&value, &axes);
        let mut inputs = vec![self.named(&value)];
        for &vector in vectors {
            inputs.push(self.whole_name(vector));
        }
        LaidOut { place: ValuePlace::Named(self.emit(op, &inputs, attributes)), ..value }
    }

    fn lower_repeat(&mut self, id: NodeId, x: NodeId, factor: usize) -> LaidOut {
        let image = self.image(x);
        let by = factor as f32;
        let scales = self.constant(&Tensor::f32([4], vec![1.0, 1.0, by, by]));
        let inputs = [self.named(&image), String::new(), scales];
        let attributes = vec![
            text("mode", "nearest"),
            text("nearest_mode", "floor"),
            text("coordinate_transformation_mode", "asymmetric"),
        ];
        let place = ValuePlace::Named(self.emit("Resize", &inputs, attributes));
        self.as_image(place, id)
    }
}
