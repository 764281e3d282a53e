//! A norm of groups of channels that the file writes as one of instances, as before version 21.
//!
//! ```text
//! Reshape(x: [N, 8, H, W], [0, 2, -1]) → InstanceNormalization(ones, zeros) → Reshape([N, 8, H, W])
//!                                         →  group_norm(x, 2)
//! Mul(that, s: [8, 1, 1]) → Add(b: [8, 1, 1])
//!                                         →  the weights of the same layer
//! ```

use super::Translator;
use super::norm::epsilon;
use crate::onnx::import::constant::{Constant, ElementKind, TensorElements};
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, NetForm, Weight};
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::{GraphValue, Placed};

/// A norm of instances that are groups of the channels of a value.
pub(in super::super) struct NormOfGroups {
    /// The value whose channels are in groups.
    source: Placed,
    groups: i64,
    eps: f64,
}

impl<'a> Translator<'a> {
    /// Remembers what a norm of instances has made, if its instances are groups of channels.
    pub(super) fn note_groups(
        &mut self,
        node: &NodeReader<'a>,
        groups: i64,
        made: &Placed,
    ) -> Made<()> {
        let read = node.input(0);
        let maker =
            self.graph.nodes.iter().find(|it| it.outputs.first().map(String::as_str) == read);
        let maker = maker.filter(|maker| maker.op == "Reshape" && !self.lead);
        let source = maker.and_then(|it| self.known.values.get(it.inputs.first()?.as_str()));
        let Some(GraphValue::Tensor(source)) = source.cloned() else { return Ok(()) };
        let all = |constant: &Constant, number: f32| {
            constant.floats(&self.known.stored).iter().all(|&value| value == number)
        };
        let plain =
            all(&self.known.constant(node, 1)?, 1.0) && all(&self.known.constant(node, 2)?, 0.0);
        let channels = source.dims.get(1).and_then(|size| size.number());
        let whole = channels.is_some_and(|channels| channels % groups == 0)
            && source.rank() >= 3
            && made.rank() == 3
            && source.dims[0] == made.dims[0];
        if plain && whole {
            let eps = node.float("epsilon", 1e-5)?;
            self.grouped.insert(made.id, NormOfGroups { source, groups, eps });
        }
        Ok(())
    }

    /// The norm of groups, where a value gets back the shape that it had before a norm of instances.
    pub(super) fn grouped(
        &mut self,
        node: &NodeReader<'a>,
        x: &Placed,
        dims: &[SymbolicSize],
    ) -> Made<Option<Placed>> {
        let Some(NormOfGroups { source, groups, eps }) = self.grouped.get(&x.id) else {
            return Ok(None);
        };
        if source.dims != dims {
            return Ok(None);
        }
        let (source, groups, eps) = (source.clone(), *groups, *eps);
        let count = super::conv::channels(&source)? as usize;
        let weight = |number: f64| {
            let elements = TensorElements::Filled(number);
            let (kind, dims) = (ElementKind::Float, vec![count]);
            Weight::new(Constant { kind, dims, elements, name: String::new() })
        };
        let images = self.as_images(&source)?;
        let settings =
            std::iter::once((None, CallSetting::Int(groups))).chain(epsilon(eps, 1e-5)).collect();
        let shape = self.net.nodes[images.id].shape.clone();
        let weights = vec![weight(1.0), weight(0.0)];
        let id = self.layer(node, ("group_norm", images.id), settings, shape, weights);
        Ok(Some(self.of_images(id, source.dims)))
    }

    /// The product or sum of a norm of groups and a number for each channel, as the norm's own weight.
    pub(super) fn scaled_groups(
        &mut self,
        node: &NodeReader<'a>,
        a: &GraphValue,
        b: &GraphValue,
    ) -> Option<Placed> {
        let (made, weight, name) = match (a, b) {
            (GraphValue::Tensor(made), GraphValue::Constant(weight)) => (made, weight, 0),
            (GraphValue::Constant(weight), GraphValue::Tensor(made)) => (made, weight, 1),
            _ => return None,
        };
        let once = node.input(name).and_then(|name| self.readers.get(name)) == Some(&1);
        let layer = &mut self.net.nodes[made.id];
        let is_norm = matches!(&layer.form, NetForm::Call { callee, .. } if callee == "group_norm");
        let count = made.dims.get(1).and_then(|size| size.number())?;
        let axis = (weight.dims.len() + 1).checked_sub(made.rank())?;
        let by_channel = weight.dims.get(axis).is_some_and(|&dim| dim as i64 == count)
            && weight.count() as i64 == count
            && weight.kind == ElementKind::Float;
        if !(once && is_norm && by_channel) {
            return None;
        }
        let is = |at: usize, number: f64| matches!(layer.weights[at].from.elements, TensorElements::Filled(it) if it == number);
        let place = match node.node.op.as_str() {
            "Mul" if is(0, 1.0) && is(1, 0.0) => 0,
            "Add" if is(1, 0.0) => 1,
            _ => return None,
        };
        layer.weights[place] = Weight::new(weight.clone()).reshaped(vec![weight.count()]);
        layer.name = weight.name.clone();
        Some(made.clone())
    }
}
