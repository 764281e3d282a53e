//! The target of an output, sample by sample, in the terms of its source.
//!
//! ```text
//! price   log1p, standardised   −0.31 of the output   →  2 401 dollars
//! image   bytes / 255           0.5 of the output     →  the byte 127.5
//! ```

use crate::base::schema::{Conversion, Field};
use crate::base::tensor::DType;
use crate::data::transform::Transforms;
use crate::data::{Dataset, Split};

/// The target of an output.
pub struct OutputTarget<'a> {
    split: &'a Split,
    /// The changes of images and masks before a step.
    transforms: &'a Transforms,
    /// Its place among the fields of a sample.
    place: usize,
    field: &'a Field,
    /// Of a picture, how a step makes a number of a byte: factor and summand for each channel.
    affine: Vec<(f64, f64)>,
    /// Bytes of a sample, as a step gets it.
    size: usize,
    /// Bytes of each sample that was read, where their buckets have fewer.
    parts: Vec<usize>,
    bytes: Vec<u8>,
}

impl<'a> OutputTarget<'a> {
    /// The field of this name among the test samples.
    pub fn find(data: &'a Dataset, name: &str) -> Option<OutputTarget<'a>> {
        let split = &data.test;
        let place = split.fields().iter().position(|field| field.name == name)?;
        let field = &split.fields()[place];
        // A step converts what the data's transforms say, and the source does not know.
        let image = data.schema.field(name).and_then(Field::as_image);
        let channels = match field.shape[..] {
            [_, _, channels] => channels,
            _ => 1,
        };
        let affine = image.map(|image| {
            (0..channels).map(|channel| Conversion::joined(&image.conversions, channel)).collect()
        });
        let (affine, bytes) = (affine.unwrap_or_default(), Vec::new());
        let transforms = &*data.transforms;
        let size = transforms.evaluated_bytes(place).unwrap_or(field.bytes());
        let parts = Vec::new();
        Some(OutputTarget { split, transforms, place, field, affine, size, parts, bytes })
    }

    /// Reads the targets of some samples; says whether that went well.
    pub fn read(&mut self, samples: &[u32]) -> bool {
        self.bytes.resize(samples.len() * self.size, 0);
        self.parts.clear();
        if let Some(buckets) = self.field.buckets() {
            let part = |&sample: &u32| {
                let length = buckets.lengths[self.split.bucket(sample)];
                length * self.field.dtype.size()
            };
            self.parts.extend(samples.iter().map(part));
        }
        let OutputTarget { split, transforms, place, bytes, .. } = self;
        transforms.copy_evaluated(split, samples, *place, bytes).is_ok()
    }

    /// The bytes of one of the samples that were read.
    pub fn of_sample(&self, index: usize) -> &[u8] {
        let size = self.parts.get(index).copied().unwrap_or(self.size);
        &self.bytes[index * self.size..][..size]
    }

    /// The numbers of a sample, as a step has them; a picture's are bytes.
    pub fn numbers(&self, index: usize) -> Option<Vec<f64>> {
        numbers_of(self.field.dtype, self.of_sample(index))
    }

    /// A number of the output, at a place among those of a sample, in the terms of the source.
    pub fn restore(&self, place: usize, number: f64) -> f64 {
        match &self.affine[..] {
            [] => self.in_units(place, number),
            affine => {
                let (scale, offset) = affine[place % affine.len()];
                (number - offset) / scale
            }
        }
    }

    /// A number of the target itself in the terms of the source.
    pub fn in_units(&self, place: usize, number: f64) -> f64 {
        self.field.recipe.as_ref().map_or(number, |recipe| recipe.restore(place, number))
    }

    /// The columns of the source that its numbers belong to, in turn, by their names.
    pub fn columns(&self, numbers: usize) -> Vec<String> {
        let name = &self.field.name;
        let known = self.field.recipe.as_ref().map(|recipe| recipe.columns.clone());
        match known {
            Some(columns) if !columns.is_empty() => columns,
            None if (2..=super::details::MOST_COLUMNS).contains(&numbers) => {
                (0..numbers).map(|index| format!("{name}_{index}")).collect()
            }
            _ => vec![name.clone()],
        }
    }
}

/// A target as a class; nothing where it is none.
pub fn class_of(target: f64, classes: usize) -> Option<usize> {
    (target >= 0.0 && target.fract() == 0.0 && target < classes as f64).then_some(target as usize)
}

/// The numbers of a sample's target.
fn numbers_of(dtype: DType, bytes: &[u8]) -> Option<Vec<f64>> {
    let words = || bytes.as_chunks::<4>().0.iter();
    match dtype {
        DType::I32 => Some(words().map(|&word| f64::from(i32::from_le_bytes(word))).collect()),
        DType::F32 => Some(words().map(|&word| f64::from(f32::from_le_bytes(word))).collect()),
        DType::U8 | DType::Bool => Some(bytes.iter().map(|&byte| f64::from(byte)).collect()),
        DType::F64 => None,
    }
}
