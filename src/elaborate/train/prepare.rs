//! The part of a step before the model and the loss, from the data's `rescale`,
//! `normalize`, `one_hot`, `mixup` and `cutmix` say.
//!
//! ```text
//! image: u8[N, 28, 28, 1]      cast · 1/255, or with `normalize(mean: 0.5, std: 0.5)`:
//!                              cast · 2/255 − 1
//! label: i32[N]                with `one_hot`: reshape [N, 1] == iota [10], as f32[N, 10]
//! loss                         with `mixup`: mix · loss(label) + (1 − mix) · loss(label_2)
//! ```
//!
//! All conversions of an image become one multiplication and one sum for each channel, computed
//! in `f64` while compiling; fusion puts them into the first kernel that reads the image.

use super::losses::Mean;
use super::operands::RunData;
use super::plan::{Choice, TrainPlan};
use crate::base::codes;
use crate::base::schema::{Conversion, Field, MIX};
use crate::base::settings::ClassWeights;
use crate::base::source::Span;
use crate::base::tensor::DType;
use crate::elaborate::context::{Elaborator, ErrorReported, Eval};
use crate::elaborate::value::Value;
use crate::graph::builder::{Builder, Built};
use crate::graph::rule::CLASS_WEIGHTS;
use crate::graph::{Binary, Dim, Graph, Init, NodeId, Reduce, Shape, State, Type};

impl<'a> Elaborator<'a> {
    /// The bytes of an image as the numbers that the data say; as value / 255 if they say nothing.
    pub(in crate::elaborate) fn image_floats(
        &mut self,
        bytes: NodeId,
        conversions: &[Conversion],
        span: Span,
    ) -> Eval<NodeId> {
        self.at(span);
        let built = floats(&mut self.builder, bytes, conversions);
        self.made(span, &[bytes], built)
    }

    /// The target as losses and metrics get it.
    pub(in crate::elaborate) fn prepared_target(
        &mut self,
        target: NodeId,
        field: &Field,
        span: Span,
    ) -> Eval<NodeId> {
        let Some(classes) = one_hot(field) else { return Ok(target) };
        self.at(span);
        let built = self.builder.cast(target, DType::I32);
        let built = built.and_then(|target| self.builder.one_hot(target, classes));
        self.made(span, &[target], built)
    }

    /// The losses of mixtures: of the first label and of the second, by their parts of the image.
    pub(in crate::elaborate) fn mixed_losses(
        &mut self,
        loss: Choice<'a>,
        first: NodeId,
        second: NodeId,
    ) -> Eval<NodeId> {
        let ty = self.ty(first);
        if ty.dtype != DType::F32 || ty.shape[..] != [Dim::N] {
            let name = &self.items.function(loss.id).function.name.text;
            let message =
                format!("`mixup` and `cutmix` need a loss for each sample; `{name}` gives {ty}");
            let help = "a loss that gives `f32[N]` is mixed sample by sample";
            return Err(self.error_help(codes::DATA, loss.span, message, help));
        }
        self.at(loss.span);
        let mix = self.builder.input(MIX, Type::new(DType::F32, vec![Dim::N]));
        let built = mixture(&mut self.builder, mix, first, second);
        self.made(loss.span, &[first, second], built)
    }

    /// The mean of losses that weigh as their classes do: `Σ w·l / Σ w`, as PyTorch's, and `Σ w`.
    /// Weights are a state that a run fills and nothing changes; outside training all classes weigh
    /// the same.
    pub(in crate::elaborate) fn weighted_loss(
        &mut self,
        plan: &TrainPlan<'a>,
        weights: &ClassWeights,
        (losses, label): (NodeId, NodeId),
        output: NodeId,
        data: RunData<'a>,
    ) -> Eval<Mean> {
        let span = plan.settings.places["class_weights"];
        let (found, labels, outputs) = (self.ty(losses), self.ty(label), self.ty(output));
        let classes = match (&outputs.shape[..], &labels.shape[..]) {
            (&[Dim::Batch(1), Dim::Known(classes)], &[Dim::Batch(1)])
                if found.shape[..] == [Dim::N] && labels.dtype == DType::I32 =>
            {
                classes
            }
            _ => {
                let message = "`class_weights` needs a class and a loss for each sample";
                let help = format!("the loss gives {found}, the target is {labels}");
                return Err(self.error_help(codes::TRAIN_KEY, span, message, help));
            }
        };
        if data.is_some_and(|(_, schema)| schema.mixed) {
            let message = "`class_weights` cannot weigh samples that `mixup` or `cutmix` has mixed";
            return Err(self.error(codes::TRAIN_KEY, span, message));
        }
        if let ClassWeights::Given(weights) = weights
            && weights.len() != classes
        {
            let given = weights.len();
            let message = format!("{given} `class_weights`, but the model tells {classes} classes");
            return Err(self.error(codes::TRAIN_KEY, span, message));
        }
        self.at(span);
        let table = self.builder.state(State {
            path: CLASS_WEIGHTS.into(),
            ty: Type::new(DType::F32, vec![Dim::Known(classes)]),
            init: Init::Constant(1.0),
            origin: None,
        });
        if !self.training {
            return self.loss_mean(plan.loss.terms[0].choice, losses);
        }
        let built = self.builder.gather(table, label, 0);
        let weight = self.made(span, &[table, label], built)?;
        let built = self.builder.binary(Binary::Mul, weight, losses);
        let weighted = self.made(span, &[weight, losses], built)?;
        let mut sum = |node| {
            let built = self.builder.reduce(Reduce::Sum, node, &[0], false);
            self.made(span, &[node], built)
        };
        let (total, weights) = (sum(weighted)?, sum(weight)?);
        self.quotient(span, total, weights)
    }

    /// `total / weights`, or `total` where the weights are 0: then it is 0, too.
    pub(in crate::elaborate) fn quotient(
        &mut self,
        span: Span,
        total: NodeId,
        weights: NodeId,
    ) -> Eval<Mean> {
        self.at(span);
        let [zero, one] = [0.0, 1.0].map(|number| self.builder.constant(number, DType::F32));
        let built = self.builder.binary(Binary::Ne, weights, zero);
        let any = self.made(span, &[weights, zero], built)?;
        let built = self.builder.select(any, weights, one);
        let divisor = self.made(span, &[any, weights, one], built)?;
        let built = self.builder.binary(Binary::Div, total, divisor);
        Ok(Mean { value: self.made(span, &[total, divisor], built)?, weight: Some(weights) })
    }

    pub(in crate::elaborate) fn made(
        &mut self,
        span: Span,
        args: &[NodeId],
        built: Built,
    ) -> Eval<NodeId> {
        match self.built(span, args, built)? {
            Value::Tensor(node) => Ok(node),
            _ => Err(ErrorReported),
        }
    }
}

/// The bytes of an image as numbers.
fn floats(builder: &mut Builder, bytes: NodeId, conversions: &[Conversion]) -> Built {
    let floats = builder.cast(bytes, DType::F32)?;
    if !conversions.is_empty() {
        return converted(builder, floats, conversions);
    }
    let scale = builder.constant(255.0, DType::F64);
    builder.binary(Binary::Div, floats, scale)
}

/// The number of classes that a field is made a vector of, if it is.
fn one_hot(field: &Field) -> Option<usize> {
    field.as_class().filter(|class| class.one_hot)?.count
}

/// The preparation of samples alone: a graph with an output for each field that is changed, by the
/// field's name.
pub fn preparation(fields: &[Field]) -> Result<Graph, String> {
    let mut builder = Builder::new("samples");
    for field in fields {
        let mut shape = vec![Dim::N];
        shape.extend(field.shape.iter().map(|&extent| Dim::Known(extent)));
        let input = builder.input(&field.name, Type::new(field.dtype, shape));
        let made = match (field.as_image(), one_hot(field)) {
            (Some(image), _) => floats(&mut builder, input, &image.conversions),
            (_, Some(classes)) => builder.one_hot(input, classes),
            (_, None) => continue,
        };
        let made = made.map_err(|mismatch| mismatch.to_string())?;
        builder.output(&field.name, made);
    }
    Ok(builder.finish())
}

/// `floats · scale + offset`, each a number or a vector of the channels.
fn converted(builder: &mut Builder, floats: NodeId, conversions: &[Conversion]) -> Built {
    let channels = match builder.ty(floats).shape[..] {
        [_, _, _, Dim::Known(channels)] => channels,
        _ => 1,
    };
    let affine = (0..channels).map(|channel| Conversion::joined(conversions, channel));
    let (scales, offsets): (Vec<f64>, Vec<f64>) = affine.unzip();
    let scale = by_channel(builder, &scales)?;
    let scaled = builder.binary(Binary::Mul, floats, scale)?;
    if offsets.iter().all(|&offset| offset == 0.0) {
        return Ok(scaled);
    }
    let offset = by_channel(builder, &offsets)?;
    builder.binary(Binary::Add, scaled, offset)
}

/// A vector with one number a channel, or a number where they are equal.
pub(super) fn by_channel(builder: &mut Builder, values: &[f64]) -> Built {
    if values.iter().all(|value| value == &values[0]) {
        return Ok(builder.constant(values[0], DType::F64));
    }
    let mut parts = Vec::new();
    for &value in values {
        let scalar = builder.constant(f64::from(value as f32), DType::F32);
        parts.push(builder.broadcast_to(scalar, &Shape::known(&[1]))?);
    }
    builder.concat(&parts, 0)
}

/// `mix · first + (1 − mix) · second`.
fn mixture(builder: &mut Builder, mix: NodeId, first: NodeId, second: NodeId) -> Built {
    let one = builder.constant(1.0, DType::F64);
    let rest = builder.binary(Binary::Sub, one, mix)?;
    let first = builder.binary(Binary::Mul, mix, first)?;
    let second = builder.binary(Binary::Mul, rest, second)?;
    builder.binary(Binary::Add, first, second)
}
