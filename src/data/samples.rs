//! Samples: for each field one run of bytes in memory, sample after sample, or [`Records`] that lie
//! elsewhere; splits share them.
//!
//! ```text
//! samples   image: 28·28 bytes, 28·28 bytes, …    label: 4 bytes, 4 bytes, …
//! a split   [7, 0, 3, …]                          copy_batch(&[0, 2], 1, input): labels 7 and 3
//! ```
//!
//! A batch is copied out field by field, straight into a step's input. Types are not converted
//! here: a byte is copied as a byte.

mod rows;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::error::DataError;
use super::gather::gather;
use super::origins::{SampleOrigin, SampleOrigins};
use crate::base::schema::Field;
use crate::base::tensor::DType;

/// One field of samples that lie elsewhere than in memory. Many threads may read at once.
pub trait Records: fmt::Debug + Send + Sync {
    /// Reads a sample's bytes into room for exactly those.
    fn read(&self, sample: u32, out: &mut [u8]) -> Result<(), DataError>;

    /// Hash of the samples' bytes.
    fn fingerprint(&self) -> [u8; 32];

    /// The file that a sample comes from.
    fn file(&self, sample: u32) -> Option<&Path>;
}

/// Where one field of all samples is.
#[derive(Clone, Debug)]
pub enum Column {
    /// Every sample's bytes in a row, numbers little-endian on every system.
    Memory(Vec<u8>),
    /// Windows into one run of bytes, which may overlap.
    Windows {
        /// The bytes.
        bytes: Arc<Vec<u8>>,
        /// The byte at which the first sample begins.
        first: usize,
        /// Bytes from one sample to the next.
        step: usize,
    },
    /// A part of rows in memory that several fields share ([`rows`]).
    Row {
        /// The rows of all samples.
        rows: Arc<Vec<u8>>,
        /// The byte of a row at which the field begins.
        first: usize,
        /// Bytes of a row.
        step: usize,
    },
    /// Somewhere else.
    Stored(Arc<dyn Records>),
}

/// Samples, field by field.
#[derive(Clone, Debug)]
pub struct Samples {
    /// The fields, inputs first, then targets.
    pub(super) fields: Vec<Field>,
    /// For each field, where its bytes are.
    columns: Vec<Column>,
    count: usize,
    /// The bucket of each, where there are some.
    buckets: Vec<u8>,
    /// Where samples are found that have no files of their own in a column.
    origins: SampleOrigins,
}

impl Samples {
    /// Samples whose fields in memory have as many bytes as `count` needs.
    pub fn new(count: usize, fields: Vec<(Field, Column)>) -> Self {
        for (field, column) in &fields {
            if let Column::Memory(bytes) = column {
                assert_eq!(bytes.len(), count * field.bytes(), "bytes of {}", field.name);
            }
        }
        assert!(u32::try_from(count).is_ok(), "samples are numbered in 32 bits");
        let (fields, columns): (Vec<Field>, Vec<Column>) = fields.into_iter().unzip();
        let columns = rows::side_by_side(&fields, columns, count);
        let (buckets, origins) = (Vec::new(), SampleOrigins::default());
        Samples { fields, columns, count, buckets, origins }
    }

    /// The same, in these buckets, one for each; or in none.
    pub fn in_buckets(self, buckets: Vec<u8>) -> Self {
        assert!(buckets.is_empty() || buckets.len() == self.count, "a bucket for each sample");
        Samples { buckets, ..self }
    }

    /// The same, from there.
    pub fn from(self, origins: SampleOrigins) -> Self {
        Samples { origins, ..self }
    }

    /// How many samples.
    pub fn count(&self) -> usize {
        self.count
    }

    pub(super) fn fingerprint(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&(self.count as u64).to_le_bytes());
        hasher.update(&self.buckets);
        for (field, column) in self.fields.iter().zip(&self.columns) {
            // What its values mean is no part of the samples.
            let Field { name, dtype, shape, .. } = field;
            let text = format!("Field {{ name: {name:?}, dtype: {dtype:?}, shape: {shape:?} }}");
            hasher.update(text.as_bytes());
            match column {
                Column::Memory(bytes) => hasher.update(bytes),
                Column::Windows { bytes, first, step } => {
                    hasher.update(&(*first as u64).to_le_bytes());
                    hasher.update(&(*step as u64).to_le_bytes());
                    hasher.update(bytes)
                }
                // As it was before it was laid beside others.
                Column::Row { rows, first, step } => {
                    let values =
                        rows.chunks_exact(*step).map(|row| &row[*first..][..field.bytes()]);
                    hasher.update(&values.collect::<Vec<_>>().concat())
                }
                Column::Stored(records) => hasher.update(&records.fingerprint()),
            };
        }
    }
}

/// A part of a data set.
#[derive(Clone, Debug)]
pub struct Split {
    pub(super) samples: Arc<Samples>,
    /// The samples that are in it, where not all are.
    pub(super) chosen: Option<Arc<[u32]>>,
}

impl Split {
    /// All samples.
    pub fn all(samples: Arc<Samples>) -> Self {
        Split { samples, chosen: None }
    }

    /// Some samples.
    pub fn of(samples: Arc<Samples>, chosen: Vec<u32>) -> Self {
        Split { samples, chosen: Some(chosen.into()) }
    }

    /// How many samples.
    pub fn count(&self) -> usize {
        self.chosen.as_ref().map_or(self.samples.count, |chosen| chosen.len())
    }

    /// Whether its samples are in buckets.
    pub fn has_buckets(&self) -> bool {
        !self.samples.buckets.is_empty()
    }

    /// The bucket of one of this split's samples; 0 where there are none.
    pub fn bucket(&self, index: u32) -> usize {
        let bucket = self.samples.buckets.get(self.original(index) as usize);
        bucket.map_or(0, |&bucket| usize::from(bucket))
    }

    /// How many of its samples are in each bucket.
    pub(super) fn bucket_counts(&self, buckets: usize) -> Vec<usize> {
        let mut counts = vec![0; buckets];
        (0..self.count() as u32).for_each(|index| counts[self.bucket(index)] += 1);
        counts
    }

    /// The fields of a sample, inputs first, then targets.
    pub fn fields(&self) -> &[Field] {
        &self.samples.fields
    }

    /// Whether all its samples lie in memory.
    pub fn in_memory(&self) -> bool {
        !self.samples.columns.iter().any(|column| matches!(column, Column::Stored(_)))
    }

    /// The number of one of this split's samples in the data it was taken from; for messages.
    pub fn original(&self, index: u32) -> u32 {
        self.chosen.as_ref().map_or(index, |chosen| chosen[index as usize])
    }

    /// Where one of this split's samples is found by a user.
    pub fn origin(&self, index: u32) -> Option<SampleOrigin<'_>> {
        let stored = self.samples.columns.iter().find_map(|column| match column {
            Column::Stored(records) => Some(records),
            Column::Memory(_) | Column::Windows { .. } | Column::Row { .. } => None,
        });
        let sample = self.original(index);
        match stored.and_then(|stored| stored.file(sample)) {
            Some(file) => Some(SampleOrigin::file(file)),
            None => self.samples.origins.of(sample),
        }
    }

    /// The file that one of this split's samples comes from, where it has one of its own.
    pub fn file(&self, index: u32) -> Option<&Path> {
        let whole = |it: &SampleOrigin<'_>| it.line.is_none() && it.sample.is_none();
        self.origin(index).filter(whole).map(|origin| origin.file)
    }

    /// The file of the recording that one of this split's samples is, if it is one.
    pub fn recording(&self, index: u32) -> Option<&Path> {
        match &self.samples.origins {
            SampleOrigins::Recordings(_) => self.file(index),
            SampleOrigins::Unknown
            | SampleOrigins::Files(_)
            | SampleOrigins::Within(_)
            | SampleOrigins::Lines { .. } => None,
        }
    }

    /// The name of one of this split's samples: `photos/cat/1.jpg`, `table.csv:12`, `sample 7`.
    pub fn name(&self, index: u32) -> String {
        match self.origin(index) {
            Some(origin) => origin.to_string(),
            None => format!("sample {}", self.original(index)),
        }
    }

    /// The samples that are in it, by their numbers in the data that it was taken from.
    pub fn originals(&self) -> Vec<u32> {
        (0..self.count() as u32).map(|index| self.original(index)).collect()
    }

    /// At most so many of its samples, at even distances.
    pub(super) fn spread(&self, samples: usize) -> Split {
        let count = self.count();
        if count <= samples {
            return self.clone();
        }
        let at = |index: usize| self.original((index * count / samples) as u32);
        self.choose((0..samples).map(at).collect())
    }

    /// Other samples of the same data.
    pub fn choose(&self, originals: Vec<u32>) -> Split {
        Split::of(self.samples.clone(), originals)
    }

    /// Whether two splits were taken from the same data.
    pub fn shares(&self, other: &Split) -> bool {
        Arc::ptr_eq(&self.samples, &other.samples)
    }

    /// The class of each sample, where the target is one.
    pub fn labels(&self) -> Option<Vec<usize>> {
        let fields = &self.samples.fields;
        let place =
            fields.iter().position(|field| field.is_target && field.as_class().is_some())?;
        let field = &fields[place];
        if matches!(self.samples.columns[place], Column::Stored(_))
            || field.dtype != DType::I32
            || !field.shape.is_empty()
        {
            return None;
        }
        let all: Vec<u32> = (0..self.count() as u32).collect();
        let mut bytes = vec![0; all.len() * field.bytes()];
        self.copy_batch(&all, place, &mut bytes).ok()?;
        let (labels, _) = bytes.as_chunks::<4>();
        labels.iter().map(|&label| usize::try_from(i32::from_le_bytes(label)).ok()).collect()
    }

    /// The bytes of a field of a sample.
    pub fn value(&self, index: u32, field: usize) -> Result<Vec<u8>, DataError> {
        let mut bytes = vec![0; self.samples.fields[field].bytes()];
        self.copy_batch(&[index], field, &mut bytes)?;
        Ok(bytes)
    }

    /// Copies one field of some samples, one after the other. `out` has room for exactly those, or for
    /// the beginning of each: what is behind it is padding in the bucket that they are in.
    /// An error is about samples that do not lie in memory and can no longer be read.
    pub fn copy_batch(
        &self,
        indices: &[u32],
        field: usize,
        out: &mut [u8],
    ) -> Result<(), DataError> {
        let size = self.samples.fields[field].bytes();
        let part = out.len() / indices.len().max(1);
        assert!(part <= size && out.len() == indices.len() * part, "room for a batch");
        let samples = indices.iter().map(|&index| self.original(index));
        match &self.samples.columns[field] {
            Column::Memory(bytes) => {
                gather(bytes, samples.map(|sample| sample as usize * size), part, out);
            }
            Column::Windows { bytes, first, step } | Column::Row { rows: bytes, first, step } => {
                gather(bytes, samples.map(|sample| first + sample as usize * step), part, out);
            }
            Column::Stored(records) => {
                let mut whole = vec![0; if part < size { size } else { 0 }];
                for (sample, out) in samples.zip(out.chunks_exact_mut(part.max(1))) {
                    if part == size {
                        records.read(sample, out)?;
                    } else {
                        records.read(sample, &mut whole)?;
                        out.copy_from_slice(&whole[..part]);
                    }
                }
            }
        }
        Ok(())
    }
}
