//! Normalisation: of the batch, of layers, of groups, of neighbouring channels.

use super::Translator;
use super::conv::channels;
use crate::onnx::import::constant::{Constant, ElementKind, TensorElements};
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, Weight};
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::{Placed, axis_of};

impl<'a> Translator<'a> {
    pub(super) fn batch_norm(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        let count = channels(&x)?;
        if node.int("training_mode", 0)? != 0 || node.int("spatial", 1)? != 1 {
            return Err("it is in its mode of training, or norms each element".into());
        }
        if node.opset < 7 {
            if node.int("is_test", 0)? == 0 && node.opset < 6 {
                return Err("it is in its mode of training".into());
            }
            node.ignore(&["consumed_inputs"]);
        }
        let eps = node.float("epsilon", 1e-5)?;
        let momentum = 1.0 - node.float("momentum", 0.9)?;
        let mut weights = Vec::new();
        for index in 1..5 {
            let weight = self.known.constant(node, index)?;
            if weight.count() as i64 != count || weight.kind != ElementKind::Float {
                return Err(format!("a weight {:?} is not for {count} channels", weight.dims));
            }
            let weight = Weight::new(weight).reshaped(vec![count as usize]);
            weights.push(if index < 3 { weight } else { weight.state() });
        }
        let x = match (&x.shuffle, x.rank()) {
            (Some(shuffle), 2) => {
                let order = shuffle.order.clone();
                let dims = shuffle.dims.clone();
                let turn = |weight: Weight| weight.reshaped(dims.clone()).transposed(&order);
                weights = weights.into_iter().map(turn).collect();
                weights = weights.into_iter().map(|it| it.reshaped(vec![count as usize])).collect();
                x
            }
            _ => self.channels_last(&x)?,
        };
        let mut settings = Vec::new();
        // As the language has them, unless the file says otherwise.
        let momentum = (momentum * 1e6).round() / 1e6;
        if momentum != 0.1 {
            settings.push((Some("momentum"), CallSetting::Float(momentum.clamp(0.0, 1.0))));
        }
        settings.extend(epsilon(eps, 1e-5));
        let shape = self.net.nodes[x.id].shape.clone();
        let id = self.layer(node, ("batch_norm", x.id), settings, shape, weights);
        Ok(Placed { id, ..x })
    }

    pub(super) fn layer_norm(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let eps = node.float("epsilon", 1e-5)?;
        node.ignore(&["stash_type"]);
        self.last_axes(node, "layer_norm", true, eps, 1e-5)
    }

    pub(super) fn rms_norm(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let eps = node.float("epsilon", 1e-5)?;
        node.ignore(&["stash_type"]);
        self.last_axes(node, "rms_norm", false, eps, 1e-6)
    }

    /// A norm over the last axes.
    fn last_axes(
        &mut self,
        node: &NodeReader<'a>,
        callee: &str,
        has_bias: bool,
        eps: f64,
        usual: f64,
    ) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        let axis = axis_of(node.int("axis", -1)?, x.rank())?;
        let merged = SymbolicSize::product(&x.dims[axis..]).and_then(SymbolicSize::number);
        let count = merged.ok_or("what it norms over depends on the batch")? as usize;
        let scale = self.known.constant(node, 1)?;
        let mut weights = vec![self.of_channels(&scale, count)?];
        if has_bias {
            let zeros = Constant {
                kind: ElementKind::Float,
                dims: vec![count],
                elements: TensorElements::Filled(0.0),
                name: String::new(),
            };
            let bias = self.known.optional_constant(node, 2)?.unwrap_or(zeros);
            weights.push(self.of_channels(&bias, count)?);
        }
        self.last_axes_norm(node, (&x, axis), callee, weights, epsilon(eps, usual))
    }

    /// A norm over the axes from one on.
    fn last_axes_norm(
        &mut self,
        node: &NodeReader<'a>,
        (x, axis): (&Placed, usize),
        callee: &str,
        weights: Vec<Weight>,
        settings: Vec<(Option<&'static str>, CallSetting)>,
    ) -> Made<Placed> {
        let count = SymbolicSize::known(weights[0].dims[0] as i64);
        let flat: Vec<SymbolicSize> = x.dims[..axis].iter().copied().chain([count]).collect();
        let flat = self.reshaped(x, flat)?;
        let flat = self.unshuffled(&flat)?;
        let flat = self.moved_last(&flat, axis)?;
        let shape = self.net.nodes[flat.id].shape.clone();
        let id = self.layer(node, (callee, flat.id), settings, shape, weights);
        self.reshaped(&Placed { id, ..flat }, x.dims.clone())
    }

    /// A value with an axis of the graph as its last.
    pub(super) fn moved_last(&mut self, x: &Placed, axis: usize) -> Made<Placed> {
        let rest = x.order.iter().copied().filter(|&it| it != axis);
        let order: Vec<usize> = rest.chain([axis]).collect();
        self.ordered(x, &order)
    }

    /// A weight for so many channels, of one number repeated if it is one.
    fn of_channels(&self, weight: &Constant, count: usize) -> Made<Weight> {
        if weight.kind != ElementKind::Float || weight.count() != count {
            return Err(format!("a weight {:?} is not for {count} elements", weight.dims));
        }
        Ok(Weight::new(weight.clone()).reshaped(vec![count]))
    }

    pub(super) fn instance_norm(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        let groups = channels(&x)?;
        if node.opset < 6 {
            node.ignore(&["consumed_inputs"]);
        }
        let made = self.groups(node, &x, groups)?;
        self.note_groups(node, groups, &made)?;
        Ok(made)
    }

    pub(super) fn group_norm(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        node.ignore(&["stash_type"]);
        if node.opset < 21 {
            return Err("before version 21 its weights are by group".into());
        }
        let groups = node.int("num_groups", 0)?;
        self.groups(node, &x, groups)
    }

    fn groups(&mut self, node: &NodeReader<'a>, x: &Placed, groups: i64) -> Made<Placed> {
        let count = channels(x)?;
        if groups < 1 || count % groups != 0 || x.kind != ElementKind::Float || x.rank() < 3 {
            return Err(format!("{groups} groups do not divide {count} channels"));
        }
        let eps = node.float("epsilon", 1e-5)?;
        let mut weights = Vec::new();
        for index in 1..3 {
            let weight = self.known.constant(node, index)?;
            weights.push(self.of_channels(&weight, count as usize)?);
        }
        let dims = x.dims.clone();
        let x = self.as_images(x)?;
        let settings =
            std::iter::once((None, CallSetting::Int(groups))).chain(epsilon(eps, 1e-5)).collect();
        let shape = self.net.nodes[x.id].shape.clone();
        let id = self.layer(node, ("group_norm", x.id), settings, shape, weights);
        Ok(self.of_images(id, dims))
    }

    /// Each element by the squares of its neighbouring channels (AlexNet's).
    pub(super) fn local_response_norm(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        channels(&x)?;
        let size = node.int("size", 0)?;
        if !(1..256).contains(&size) || x.kind != ElementKind::Float || x.rank() < 3 {
            return Err(format!("a neighbourhood of {size} channels is none"));
        }
        let dims = x.dims.clone();
        let x = self.as_images(&x)?;
        let settings = vec![
            (None, CallSetting::Arg(0)),
            (None, CallSetting::Int(size)),
            (Some("alpha"), CallSetting::Float(node.float("alpha", 1e-4)?)),
            (Some("beta"), CallSetting::Float(node.float("beta", 0.75)?)),
            (Some("bias"), CallSetting::Float(node.float("bias", 1.0)?)),
        ];
        let shape = self.net.nodes[x.id].shape.clone();
        let settings = settings.into_iter().skip(1).collect();
        let id = self.call("local_response_norm", vec![x.id], settings, shape, ElementKind::Float);
        Ok(self.of_images(id, dims))
    }
}

/// The number that keeps a norm from dividing by zero, where it is not as usual.
pub(super) fn epsilon(eps: f64, usual: f64) -> Vec<(Option<&'static str>, CallSetting)> {
    match eps == usual {
        true => Vec::new(),
        false => vec![(Some("eps"), CallSetting::Float(eps))],
    }
}
