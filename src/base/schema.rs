//! Facts about a data set that the front end needs before any of it is read: the fields of a sample,
//! the meaning of each, how many samples each split has.
//!
//! ```text
//! image: u8[28, 28, 1]   an image, which a step makes x / 255 of
//! label: i32[]           a class of 10; the target
//! ```
//!
//! The driver asks the data module for a [`Schema`] and hands it to elaboration; neither knows
//! the other.

mod file;
mod lengths;
mod recipe;

pub use self::recipe::{
    CellMeaning, DatePart, FieldRecipe, FieldTransform, LengthBuckets, MissingValue, PADDING,
    TokenList, TokenUnit, WaveLevels,
};

use self::file::SchemaFile;
use crate::base::tensor::DType;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One field of a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its name: `image`, `label`.
    pub name: String,
    /// Its element type.
    pub dtype: DType,
    /// Its shape, without the batch; `[28, 28, 1]`, or `[]` for a label.
    pub shape: Vec<usize>,
    /// The meaning of its values.
    pub kind: FieldKind,
    /// Whether losses and metrics compare the output with it; otherwise the model takes it.
    pub is_target: bool,
    /// How it is made of a source's columns, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Arc<FieldRecipe>>,
}

/// The meaning of a field's values, and their conversions at the start of each step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Numbers as they are.
    Number,
    /// Bytes from 0 to 255: the pixels of an image `[height, width, channels]`, or a row.
    Image(ImageField),
    /// A class by its number.
    Class(ClassField),
}

/// Facts about a field of images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageField {
    /// Conversions of its numbers, in order. A [`Conversion::Rescale`] that comes first gets bytes, 0
    /// to 255; any other first conversion gets bytes / 255, as a model does where there is none.
    pub conversions: Vec<Conversion>,
    /// Whether all images have three channels and are known to be grey.
    pub grey: bool,
    /// The most pixels of an image file, as far as it is known before they are read; 0 where nothing
    /// is decoded.
    pub pixels: u64,
}

/// Facts about a field of classes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassField {
    /// How many there are, where that is known.
    pub count: Option<usize>,
    /// Whether losses and metrics get it as `f32[count]`.
    pub one_hot: bool,
}

impl Field {
    /// Numbers that the model takes.
    pub fn number(name: &str, dtype: DType, shape: &[usize]) -> Field {
        let (kind, is_target, recipe) = (FieldKind::Number, false, None);
        Field { name: name.to_owned(), dtype, shape: shape.to_vec(), kind, is_target, recipe }
    }

    /// An image `[height, width, channels]`, or a row of bytes, that the model takes.
    pub fn image(name: &str, shape: &[usize]) -> Field {
        let kind = FieldKind::Image(ImageField::default());
        Field { kind, ..Field::number(name, DType::U8, shape) }
    }

    /// A class of each sample, as the target.
    pub fn class(name: &str, count: Option<usize>) -> Field {
        let kind = FieldKind::Class(ClassField { count, one_hot: false });
        Field { kind, is_target: true, ..Field::number(name, DType::I32, &[]) }
    }

    /// Bytes of one sample of this field.
    pub fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size()
    }

    /// Its facts as a field of images, if it is one.
    pub fn as_image(&self) -> Option<&ImageField> {
        match &self.kind {
            FieldKind::Image(image) => Some(image),
            FieldKind::Number | FieldKind::Class(_) => None,
        }
    }

    /// Its facts as a field of classes, if it is one.
    pub fn as_class(&self) -> Option<&ClassField> {
        match &self.kind {
            FieldKind::Class(class) => Some(class),
            FieldKind::Number | FieldKind::Image(_) => None,
        }
    }
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

    /// The same where all channels have the same factor and the same summand.
    pub fn alike(conversions: &[Conversion]) -> Option<(f64, f64)> {
        let numbers = |conversion: &Conversion| match conversion {
            Conversion::Rescale { .. } => 1,
            Conversion::Normalize { mean, std } => mean.len().max(std.len()),
        };
        let channels = conversions.iter().map(numbers).max().unwrap_or(1);
        let first = Conversion::joined(conversions, 0);
        let others = (1..channels).map(|channel| Conversion::joined(conversions, channel));
        others.into_iter().all(|other| other == first).then_some(first)
    }

    /// Conversions of one channel as one: a byte `x` becomes `x · scale + offset`.
    pub fn joined(conversions: &[Conversion], channel: usize) -> (f64, f64) {
        let from_bytes = match conversions.first() {
            Some(Conversion::Rescale { .. }) => (1.0, 0.0),
            Some(Conversion::Normalize { .. }) | None => (1.0 / 255.0, 0.0),
        };
        conversions.iter().fold(from_bytes, |(scale, offset), conversion| {
            let (by, plus) = conversion.affine(channel);
            (scale * by, offset * by + plus)
        })
    }
}

/// Fields and splits of a data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "SchemaFile", into = "SchemaFile")]
pub struct Schema {
    /// The fields of a sample: inputs, in the order in which a model takes them, then targets.
    pub fields: Vec<Field>,
    /// Whether samples to train on are mixtures of two: `label_2` and `mix` come with them.
    pub mixed: bool,
    /// Samples to train on, where known.
    pub train: Option<usize>,
    /// Samples to validate on; `Some(0)` where the data has no such split.
    pub validation: Option<usize>,
    /// Samples to test on; `Some(0)` where the data has no such split.
    pub test: Option<usize>,
    /// Where texts go into buckets by their lengths, how many samples each bucket has to train, to validate
    /// and to test on; not written with a run.
    pub in_buckets: Vec<[usize; 3]>,
    /// Oddities of the data, one line each, such as a class without samples.
    pub oddities: Vec<String>,
    /// Targets with one value in all samples to train on; not written with a run.
    pub constants: Vec<ConstantTarget>,
}

/// A target that is one and the same in all samples to train on.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstantTarget {
    /// The field.
    pub field: String,
    /// The column of the field, where others of it have several values.
    pub column: Option<String>,
    /// Its value in the terms of the source.
    pub value: String,
}

impl Schema {
    /// Samples of these fields, of which it is not known how many there are.
    pub fn of(fields: Vec<Field>) -> Schema {
        Schema { fields, ..Schema::default() }
    }

    /// The same, with so many samples to train, to validate and to test on.
    pub fn counted(self, [train, validation, test]: [usize; 3]) -> Schema {
        Schema { train: Some(train), validation: Some(validation), test: Some(test), ..self }
    }

    /// The fields that the model takes, in order.
    pub fn inputs(&self) -> Vec<&Field> {
        self.fields.iter().filter(|field| !field.is_target).collect()
    }

    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The fields that losses and metrics compare outputs with.
    pub fn targets(&self) -> Vec<&Field> {
        self.fields.iter().filter(|field| field.is_target).collect()
    }

    /// The place of the target among the fields.
    pub fn target_place(&self) -> Option<usize> {
        self.fields.iter().position(|field| field.is_target)
    }

    /// The second argument of losses and metrics.
    pub fn target(&self) -> Option<&Field> {
        self.target_place().map(|place| &self.fields[place])
    }

    /// The target, to change.
    pub fn target_mut(&mut self) -> Option<&mut Field> {
        self.target_place().map(|place| &mut self.fields[place])
    }

    /// The number of classes, where the target is a class.
    pub fn classes(&self) -> Option<usize> {
        self.target()?.as_class()?.count
    }

    /// Whether the images that a model takes are known to be grey in three channels.
    pub fn is_grey(&self) -> bool {
        self.fields.iter().filter_map(Field::as_image).any(|image| image.grey)
    }

    /// The most pixels of an image file, as far as it is known; 0 where nothing is decoded.
    pub fn pixels(&self) -> u64 {
        let pixels = self.fields.iter().filter_map(Field::as_image).map(|image| image.pixels);
        pixels.max().unwrap_or(0)
    }

    /// The fields that a step gets: those of a sample; to train on mixtures also the other sample's
    /// target, `label_2`, and the part of the sample's own, `mix`.
    pub fn step_fields(&self, training: bool) -> Vec<Field> {
        let mut fields = self.fields.clone();
        if let Some(target) = self.target().filter(|_| training && self.mixed) {
            fields.push(Field { name: LABEL_2.into(), ..target.clone() });
            fields.push(Field::number(MIX, DType::F32, &[]));
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
        let of = Conversion::joined;
        let normalize = Conversion::Normalize { mean: vec![0.5, 0.25], std: vec![0.5, 0.125] };
        let rescale = Conversion::Rescale { scale: 0.5, offset: -1.0 };
        assert_eq!(of(&[], 0), (1.0 / 255.0, 0.0));
        assert_eq!(of(std::slice::from_ref(&normalize), 1), (8.0 / 255.0, -2.0));
        assert_eq!(of(std::slice::from_ref(&rescale), 2), (0.5, -1.0), "of the bytes themselves");
        assert_eq!(of(&[rescale.clone(), normalize.clone()], 0), (1.0, -3.0));
        let alike = |conversions: &[Conversion]| Conversion::alike(conversions);
        assert_eq!(alike(&[]), Some((1.0 / 255.0, 0.0)));
        assert_eq!(alike(std::slice::from_ref(&normalize)), None);
        assert_eq!(of(&[normalize, rescale], 0), (1.0 / 255.0, -1.5));
    }

    #[test]
    fn mixtures_add_the_other_target_to_samples_to_train_on() {
        let mut schema =
            Schema::of(vec![Field::image("photo", &[2, 2, 3]), Field::class("kind", Some(4))]);
        let names = |schema: &Schema, training| {
            schema.step_fields(training).into_iter().map(|field| field.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&schema, true), ["photo", "kind"]);
        schema.mixed = true;
        assert_eq!(names(&schema, true), ["photo", "kind", "label_2", "mix"]);
        assert_eq!(names(&schema, false), ["photo", "kind"]);
        let names =
            |fields: Vec<&Field>| fields.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(schema.inputs()), ["photo"]);
        assert_eq!((schema.classes(), schema.target_place()), (Some(4), Some(1)));
    }
}
