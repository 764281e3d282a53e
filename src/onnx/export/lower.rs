//! One node of the graph as nodes of ONNX.

use super::ExportRefusal;
use super::build::{Exporter, int};
use super::layout::CHANNELS_FIRST;
use super::value::{KnownTensor, LaidOut, ValuePlace};
use crate::base::entity::Entity;
use crate::base::tensor::DType;
use crate::graph::{Dim, NodeId, Op, OpKind, Shape};
use crate::onnx::export::ImageLayout;
use crate::onnx::export::build::element;
use crate::onnx::model::{OnnxDim, OnnxValue};

impl Exporter<'_> {
    /// Makes the model's inputs of those of the graph that are needed.
    pub fn take_inputs(&mut self) {
        let first = self.settings.layout == ImageLayout::ChannelsFirst;
        for (id, node) in self.graph.nodes.iter() {
            let Op::Input(input) = node.op else { continue };
            if !self.needs.nodes[id.index()] || self.values[id.index()].is_some() {
                continue;
            }
            let wanted = &self.graph.inputs[input].name;
            let known = self.onnx.inputs.iter().any(|known| known.name == *wanted);
            let name = if known { wanted.clone() } else { self.name(wanted) };
            let shape = node.ty.shape.to_vec();
            let mut value = LaidOut::plain(ValuePlace::Named(name.clone()), shape);
            if first && value.shape.len() == 4 {
                value.axes = CHANNELS_FIRST.to_vec();
            }
            if !known {
                let declared = declared(&name, node.ty.dtype, &value.extents());
                self.onnx.inputs.push(declared);
            }
            self.values[id.index()] = Some(value);
        }
        self.turn_images();
    }

    /// Turns images that convolutions and pools will read, before anything else is done to them.
    fn turn_images(&mut self) {
        let needed = |id: NodeId| self.needs.nodes[id.index()];
        let slides = |kind| matches!(kind, OpKind::Convolution | OpKind::Pool);
        if !self.graph.nodes.iter().any(|(id, node)| needed(id) && slides(node.op.kind())) {
            return;
        }
        for (id, node) in self.graph.nodes.iter() {
            let is_image = matches!(node.op, Op::Input(_)) && node.ty.shape.rank() == 4;
            if let Some(value) = self.values[id.index()].clone().filter(|_| is_image) {
                self.values[id.index()] = Some(self.turned(&value, &CHANNELS_FIRST));
            }
        }
    }

    /// Lowers a node, if it is needed and was not lowered yet.
    pub fn lower(&mut self, id: NodeId) -> Result<(), ExportRefusal> {
        if !self.needs.nodes[id.index()] || self.values[id.index()].is_some() {
            return Ok(());
        }
        self.now = id;
        let value = match self.needs.patterns.get(&id) {
            Some(pattern) => self.lower_pattern(id, pattern),
            None => self.lower_op(id)?,
        };
        self.values[id.index()] = Some(value);
        Ok(())
    }

    fn lower_op(&mut self, id: NodeId) -> Result<LaidOut, ExportRefusal> {
        let node = self.node(id);
        if !matches!(node.op, Op::Broadcast(_)) && self.constants.contains_key(&id) {
            let place = ValuePlace::Stored(KnownTensor::Constant(id), Vec::new());
            return Ok(LaidOut::plain(place, node.ty.shape.to_vec()));
        }
        let args = &node.args;
        Ok(match &node.op {
            Op::Param(param) => self.variable(&self.graph.params[*param].path, id),
            Op::State(state) => self.variable(&self.graph.states[*state].path, id),
            Op::Extent(dim) => self.extent(*dim),
            Op::Iota { shape, axis } => self.iota(shape, *axis),
            Op::Uniform { shape, .. } => self.uniform(shape),
            Op::Unary(unary) => self.unary(id, *unary)?,
            Op::Binary(binary) => self.binary(id, *binary),
            Op::Where => {
                self.elementwise(id, args, |it, names| it.emit("Where", names, Vec::new()))
            }
            Op::Cast(dtype) => self.cast(id, *dtype),
            Op::Broadcast(_) | Op::StopGradient => self.value(args[0]),
            Op::Reshape(shape) => self.reshape(args[0], shape),
            Op::Transpose(order) => {
                let value = self.value(args[0]);
                let value = self.full_rank(&value, args[0]);
                self.relabelled(&value, order)
            }
            Op::Slice(ranges) => self.slice(args[0], ranges),
            Op::Concat(axis) => self.concat(id, *axis),
            Op::Pad { amounts, value } => self.pad(args[0], amounts, *value),
            Op::Reduce(reduce, axes) => self.reduce(args[0], *reduce, axes),
            Op::Variance(axes) => self.variance(args[0], axes),
            Op::ArgMax(axis) => self.argmax(id, *axis),
            Op::MatMul { transpose_a, transpose_b } => {
                self.matmul(id, [*transpose_a, *transpose_b])
            }
            Op::Conv { window, groups } => self.conv(id, window, *groups, None),
            Op::ConvInputGrad { window, groups, extents } => {
                self.conv_transpose(id, window, *groups, *extents, None)
            }
            Op::MaxPool(window) => self.max_pool(id, window),
            Op::SumPool(window) => self.sum_pool(id, window, false),
            Op::Pick => self.pick(id),
            Op::Gather(axis) => self.gather(id, *axis),
            Op::Input(_) | Op::Hyper(_) | Op::Step | Op::Const(..) => {
                return self.refuse(id, "its value is not known");
            }
            Op::ScanSlice(_) | Op::Carry(_) | Op::ScanStack(_) => {
                return self.refuse(id, "it stands outside of its scan");
            }
            // Those of gradients, and what this list does not know yet.
            _ => return self.refuse(id, "no operator of ONNX is known for it"),
        })
    }

    fn variable(&mut self, path: &str, id: NodeId) -> LaidOut {
        let place = ValuePlace::Stored(KnownTensor::Variable(path.to_owned()), Vec::new());
        LaidOut::plain(place, self.shape(id).to_vec())
    }

    fn extent(&mut self, dim: Dim) -> LaidOut {
        let extent = self.extent_value(dim);
        let shape = self.ints(&[]);
        let scalar = self.emit("Reshape", &[extent, shape], Vec::new());
        let number = self.emit("Cast", &[scalar], vec![int("to", i64::from(element(DType::F64)))]);
        LaidOut::plain(ValuePlace::Named(number), Vec::new())
    }

    /// Indices along an axis; along the others, operators of ONNX repeat them.
    fn iota(&mut self, shape: &Shape, axis: usize) -> LaidOut {
        let extent = shape[axis];
        let extents = self.extent_value(extent);
        let scalar = self.ints(&[]);
        let limit = self.emit("Reshape", &[extents, scalar], Vec::new());
        let [zero, one] = [0, 1].map(|number| self.int_tensor(Vec::new(), &[number]));
        let range = self.emit("Range", &[zero, limit, one], Vec::new());
        let to = vec![int("to", i64::from(element(DType::I32)))];
        let place = ValuePlace::Named(self.emit("Cast", &[range], to));
        let mut dims = vec![Dim::Known(1); shape.rank()];
        dims[axis] = extent;
        let place = self.reshaped_place(&place, &[extent], &dims);
        LaidOut::plain(place, dims)
    }

    /// Random numbers, as many as the batch needs. They are others than nnc's, which a file for a fixed
    /// batch holds.
    fn uniform(&mut self, shape: &Shape) -> LaidOut {
        let (zero, dims) = (self.scalar(0.0, DType::F32), self.shape_value(shape));
        let zeros = self.emit("Expand", &[zero, dims], Vec::new());
        let place = ValuePlace::Named(self.emit("RandomUniformLike", &[zeros], Vec::new()));
        LaidOut::plain(place, shape.to_vec())
    }

    /// The value with as many axes as the graph says.
    pub fn full_rank(&mut self, value: &LaidOut, node: NodeId) -> LaidOut {
        self.ranked(value, self.shape(node).len())
    }
}

/// A value with its type, as a model declares it.
pub(super) fn declared(name: &str, dtype: DType, dims: &[Dim]) -> OnnxValue {
    let dim = |dim: &Dim| match dim {
        Dim::Known(extent) => OnnxDim::Known(*extent as i64),
        Dim::Batch(1) => OnnxDim::Named("N".to_owned()),
        Dim::Batch(factor) => OnnxDim::Named(format!("{factor}N")),
    };
    let dims = Some(dims.iter().map(dim).collect());
    OnnxValue { name: name.to_owned(), element: element(dtype), dims }
}
