//! Facts about a data set that the front end needs before any of it is read: the fields of a
//! sample, the number of classes, how many samples each split has.
//!
//! The driver asks the data module for a [`Schema`] and hands it to elaboration; neither knows
//! the other.

use crate::base::tensor::DType;
use serde::{Deserialize, Serialize};

/// One field of a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its name: `image`, `label`.
    pub name: String,
    /// Its element type.
    pub dtype: DType,
    /// Its shape, without the batch; `[28, 28, 1]`, or `[]` for a label.
    pub shape: Vec<usize>,
}

impl Field {
    /// Bytes of one sample of this field.
    pub fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size()
    }
}

/// The conversions that a compiled step applies to samples before the model sees them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// Conversions of an image's numbers, in order. A [`Conversion::Rescale`] that comes first gets
    /// bytes, 0 to 255; any other first conversion gets bytes / 255, as a model does where there is
    /// none.
    pub conversions: Vec<Conversion>,
    /// Whether losses and metrics get the target, a class, as `f32[classes]`.
    pub one_hot: bool,
    /// Whether samples to train on are mixtures of two: `label_2` and `mix` come with them.
    pub mixed: bool,
}

/// A step of the way from an image's bytes to a model's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Conversion {
    /// `x · scale + offset`.
    Rescale {
        /// Factor.
        scale: f64,
        /// Summand, added after scaling.
        offset: f64,
    },
    /// `(x − mean) / std`, of each channel, or one of all channels.
    Normalize {
        /// Mean of each channel, subtracted first.
        mean: Vec<f64>,
        /// Standard deviation of each channel, divided by afterwards.
        std: Vec<f64>,
    },
}

impl Conversion {
    /// As one multiplication and one sum: `(scale, offset)` of a channel.
    fn affine(&self, channel: usize) -> (f64, f64) {
        // One number stands for all channels.
        let of = |values: &[f64]| *values.get(channel).unwrap_or(&values[0]);
        match self {
            Conversion::Rescale { scale, offset } => (*scale, *offset),
            Conversion::Normalize { mean, std } => (1.0 / of(std), -of(mean) / of(std)),
        }
    }
}

impl Preparation {
    /// All conversions of one channel as one: a byte `x` becomes `x · scale + offset`.
    pub fn affine(&self, channel: usize) -> (f64, f64) {
        let from_bytes = match self.conversions.first() {
            Some(Conversion::Rescale { .. }) => (1.0, 0.0),
            Some(Conversion::Normalize { .. }) | None => (1.0 / 255.0, 0.0),
        };
        self.conversions.iter().fold(from_bytes, |(scale, offset), conversion| {
            let (by, plus) = conversion.affine(channel);
            (scale * by, offset * by + plus)
        })
    }
}

/// Fields, splits and preparation of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The model's inputs, in the order in which a model takes them.
    pub inputs: Vec<Field>,
    /// The second argument of losses and metrics.
    pub target: Field,
    /// Whether images of three channels are known to be grey, all of them.
    pub grey: bool,
    /// The number of classes, where the target is a class.
    pub classes: Option<usize>,
    /// Conversions at the start of each step.
    pub prepare: Preparation,
    /// Samples to train on, where known.
    pub train: Option<usize>,
    /// Samples to validate on; `Some(0)` where the data has no such split.
    pub validation: Option<usize>,
    /// Samples to test on; `Some(0)` where the data has no such split.
    pub test: Option<usize>,
    /// Oddities of the data, one line each, such as a class without samples.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oddities: Vec<String>,
    /// The most pixels of an image file, as far as it is known before they are read; 0 where
    /// nothing is decoded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pixels: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Schema {
    /// The fields that a step gets: inputs, then the target; to train on mixtures also the other
    /// sample's target, `label_2`, and the part of the sample's own, `mix`.
    pub fn fields(&self, training: bool) -> Vec<Field> {
        let mut fields = self.inputs.clone();
        fields.push(self.target.clone());
        if training && self.prepare.mixed {
            fields.push(Field { name: LABEL_2.into(), ..self.target.clone() });
            fields.push(Field { name: MIX.into(), dtype: DType::F32, shape: Vec::new() });
        }
        fields
    }
}

/// The name of the target of a mixture's other sample.
pub const LABEL_2: &str = "label_2";
/// The name of the part that a mixture's own sample has in it.
pub const MIX: &str = "mix";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_of_a_channel_are_one_product_and_one_sum() {
        let of = |conversions: &[Conversion], channel| {
            Preparation { conversions: conversions.to_vec(), ..Preparation::default() }
                .affine(channel)
        };
        let normalize = Conversion::Normalize { mean: vec![0.5, 0.25], std: vec![0.5, 0.125] };
        let rescale = Conversion::Rescale { scale: 0.5, offset: -1.0 };
        assert_eq!(of(&[], 0), (1.0 / 255.0, 0.0));
        assert_eq!(of(std::slice::from_ref(&normalize), 1), (8.0 / 255.0, -2.0));
        assert_eq!(of(std::slice::from_ref(&rescale), 2), (0.5, -1.0), "of the bytes themselves");
        assert_eq!(of(&[rescale.clone(), normalize.clone()], 0), (1.0, -3.0));
        assert_eq!(of(&[normalize, rescale], 0), (1.0 / 255.0, -1.5));
    }
}
