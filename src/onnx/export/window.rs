//! Convolutions and pools: images with their channels first, weights `[o, c, h, w]`.

use super::build::{Attributes, Exporter, int, ints};
use super::layout::CHANNELS_FIRST;
use super::value::{LaidOut, ValuePlace};
use crate::base::tensor::{DType, Tensor};
use crate::graph::{NodeId, Window};

/// A weight `[h, w, c, o]` as `[o, c, h, w]`.
pub(super) const OUTPUTS_FIRST: [usize; 4] = [3, 2, 0, 1];

impl Exporter<'_> {
    /// The inputs of a convolution: the images, the weight, the bias.
    fn convolved(&mut self, id: NodeId, bias: Option<NodeId>) -> Vec<String> {
        let args = &self.node(id).args;
        let mut inputs = vec![self.image_name(args[0]), self.weight(args[1])];
        inputs.extend(bias.map(|bias| self.bias(bias)));
        inputs
    }

    pub fn conv(
        &mut self,
        id: NodeId,
        window: &Window,
        groups: usize,
        bias: Option<NodeId>,
    ) -> LaidOut {
        let inputs = self.convolved(id, bias);
        self.convolution(id, (window, groups), &inputs)
    }

    /// A convolution of these images, weight and bias.
    pub fn convolution(
        &mut self,
        id: NodeId,
        (window, groups): (&Window, usize),
        inputs: &[String],
    ) -> LaidOut {
        self.emit_image(id, "Conv", inputs, taps(window, groups))
    }

    /// An operator that makes images, with their channels first.
    fn emit_image(
        &mut self,
        id: NodeId,
        op: &str,
        inputs: &[String],
        attributes: Attributes,
    ) -> LaidOut {
        let place = ValuePlace::Named(self.emit(op, inputs, attributes));
        self.as_image(place, id)
    }

    /// The adjoint of a convolution, which makes images larger: `ConvTranspose`.
    pub fn conv_transpose(
        &mut self,
        id: NodeId,
        window: &Window,
        groups: usize,
        extents: [usize; 2],
        bias: Option<NodeId>,
    ) -> LaidOut {
        let inputs = self.convolved(id, bias);
        let given = self.shape(self.node(id).args[0]);
        let extra = [0, 1].map(|axis| {
            let (before, after) = window.pad[axis];
            let steps = given[axis + 1].known().map_or(0, |extent| extent - 1);
            let reached = steps * window.stride[axis] + window.span(axis);
            (extents[axis] + before + after).saturating_sub(reached)
        });
        let mut attributes = taps(window, groups);
        attributes.push(ints("output_padding", pair(extra)));
        self.emit_image(id, "ConvTranspose", &inputs, attributes)
    }

    pub fn max_pool(&mut self, id: NodeId, window: &Window) -> LaidOut {
        let arg = self.node(id).args[0];
        let (name, window) = self.bordered(arg, window, f64::from(f32::MIN));
        let mut attributes = slide(&window);
        attributes.push(ints("kernel_shape", pair(window.size)));
        attributes.push(ints("dilations", pair(window.dilation)));
        self.emit_image(id, "MaxPool", &[name], attributes)
    }

    /// The sum, or the mean, under each window; the border is zeros, which count.
    pub fn sum_pool(&mut self, id: NodeId, window: &Window, mean: bool) -> LaidOut {
        let arg = self.node(id).args[0];
        let taps = window.taps() as f64;
        if window.dilation != [1, 1] && self.opset < 19 {
            return self.sum_pool_by_conv(id, window, if mean { 1.0 / taps } else { 1.0 });
        }
        let (name, window) = self.bordered(arg, window, 0.0);
        let mut attributes = slide(&window);
        attributes.push(ints("kernel_shape", pair(window.size)));
        attributes.push(int("count_include_pad", 1));
        if window.dilation != [1, 1] {
            attributes.push(ints("dilations", pair(window.dilation)));
        }
        let mut sum = self.emit("AveragePool", &[name], attributes);
        if !mean && taps > 1.0 {
            let taps = self.scalar(taps, DType::F32);
            sum = self.emit("Mul", &[sum, taps], Vec::new());
        }
        self.as_image(ValuePlace::Named(sum), id)
    }

    /// A pool whose taps lie apart, which older versions don't have: a convolution of each channel.
    fn sum_pool_by_conv(&mut self, id: NodeId, window: &Window, by: f64) -> LaidOut {
        let arg = self.node(id).args[0];
        let channels = self.shape(id)[3].known().unwrap_or(1);
        let shape = vec![channels, 1, window.size[0], window.size[1]];
        let count = shape.iter().product();
        let weight = self.constant(&Tensor::f32(shape, vec![by as f32; count]));
        let image = self.image_name(arg);
        self.convolution(id, (window, channels), &[image, weight])
    }

    /// The image that a pool reads. Runtimes refuse borders as wide as the window, so that those become
    /// part of the image.
    fn bordered(&mut self, arg: NodeId, window: &Window, value: f64) -> (String, Window) {
        let wide = |axis: usize| window.pad[axis].0.max(window.pad[axis].1) >= window.size[axis];
        let name = self.image_name(arg);
        if !wide(0) && !wide(1) {
            return (name, *window);
        }
        let [(top, bottom), (left, right)] = window.pad;
        let pads = [0, 0, top, left, 0, 0, bottom, right].map(|pad| pad as i64);
        let inputs = [name, self.ints(&pads), self.scalar(value, DType::F32)];
        let padded = self.emit("Pad", &inputs, Vec::new());
        (padded, Window { pad: [(0, 0); 2], ..*window })
    }

    pub fn image_name(&mut self, node: NodeId) -> String {
        let image = self.image(node);
        self.named(&image)
    }

    fn weight(&mut self, node: NodeId) -> String {
        let weight = self.value(node);
        let weight = self.full(&weight, self.shape(node));
        let weight = self.turned(&weight, &OUTPUTS_FIRST);
        self.named(&weight)
    }

    fn bias(&mut self, node: NodeId) -> String {
        self.whole_name(node)
    }

    /// A node's value with its channels first.
    pub fn as_image(&self, place: ValuePlace, id: NodeId) -> LaidOut {
        let shape = self.shape(id).to_vec();
        LaidOut { place, shape, axes: CHANNELS_FIRST.to_vec(), image: None }
    }
}

/// Strides, and borders as ONNX has them: all beginnings, then all ends.
fn slide(window: &Window) -> Attributes {
    let [(top, bottom), (left, right)] = window.pad;
    let pads = [top, left, bottom, right].map(|pad| pad as i64);
    vec![ints("strides", pair(window.stride)), ints("pads", pads.to_vec())]
}

/// The attributes that both kinds of convolution have.
fn taps(window: &Window, groups: usize) -> Attributes {
    let mut attributes = slide(window);
    attributes.push(ints("kernel_shape", pair(window.size)));
    attributes.push(ints("dilations", pair(window.dilation)));
    attributes.push(int("group", groups as i64));
    attributes
}

fn pair(of: [usize; 2]) -> Vec<i64> {
    of.map(|it| it as i64).to_vec()
}
