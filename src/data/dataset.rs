//! A data set: [samples](super::samples) in three splits, with their schema and the transforms that
//! change them on their way to a step. And the order in which an epoch takes them:
//!
//! ```
//! # use nnc::data::order;
//! let order = order(0, 1, 5, true);   // seed 0, epoch 1, five samples
//! assert_eq!(order.len(), 5);         // split.copy_batch(&order[..2], 0, input)
//! ```

#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::samples::{Samples, Split};
use super::transform::Transforms;
use crate::base::rng::{Sequence, hash_name};
use crate::base::schema::{ClassField, Field, FieldKind, ImageField, Schema};

/// Once through a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitPass {
    /// The training samples, transformed and in the order of an epoch, which counts from 1.
    Train {
        /// The epoch.
        epoch: u64,
    },
    /// The validation samples, in their order.
    Validation,
    /// The test samples, in their order.
    Test,
}

impl SplitPass {
    /// The split's name.
    pub fn split(self) -> &'static str {
        match self {
            SplitPass::Train { .. } => "train",
            SplitPass::Validation => "validation",
            SplitPass::Test => "test",
        }
    }

    /// Whether it is one to train on.
    pub fn trains(self) -> bool {
        matches!(self, SplitPass::Train { .. })
    }
}

/// A data set: its schema, as it turned out, and its samples.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The source that samples really come from: `mnist`, or `digits` where those stand in.
    pub source: &'static str,
    /// Fields of a sample after the transforms, and the number of samples of each split.
    pub schema: Schema,
    /// Samples to train on.
    pub train: Split,
    /// Samples kept from training to judge it; may be empty.
    pub validation: Split,
    /// Samples for the end; may be empty.
    pub test: Split,
    /// The names of the classes, where they have some; by number otherwise.
    pub classes: Vec<String>,
    /// Transforms of samples before a step; `schema` is that of their result.
    pub transforms: Arc<Transforms>,
    /// A notice that the user must read: other data stands in for what was asked for.
    pub notice: Option<String>,
    /// Further notes, a line each: files that were left out, files that were made for later runs.
    pub notes: Vec<Note>,
}

impl Dataset {
    /// Samples of a source in three splits.
    pub(super) fn of_splits(
        source: &'static str,
        samples: Arc<Samples>,
        [train, validation, test]: [Vec<u32>; 3],
    ) -> Dataset {
        let counts = [train.len(), validation.len(), test.len()];
        let schema = Schema::of(samples.fields.clone()).counted(counts);
        let target = samples.fields.iter().find(|it| it.is_target && it.as_class().is_some());
        let classes = target.and_then(|field| field.recipe.as_ref());
        let classes = classes.map(|recipe| recipe.class_names()).unwrap_or_default();
        let [train, validation, test] =
            [train, validation, test].map(|chosen| Split::of(samples.clone(), chosen));
        let (transforms, notice, notes) = (Arc::default(), None, Vec::new());
        let data =
            Dataset { source, schema, train, validation, test, classes, transforms, notice, notes };
        data.counted()
    }

    /// The fields that a step gets: inputs, then the target; to train on mixtures also the other
    /// sample's target, `label_2`, and the part of the sample's own, `mix`.
    pub fn fields(&self, training: bool) -> Vec<Field> {
        self.schema.step_fields(training)
    }

    /// The split of a pass.
    pub fn split(&self, pass: SplitPass) -> &Split {
        match pass {
            SplitPass::Train { .. } => &self.train,
            SplitPass::Validation => &self.validation,
            SplitPass::Test => &self.test,
        }
    }

    /// A hash of all samples and of which split each is in: the same data, in whatever place and
    /// of whatever age, have the same.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut seen: Vec<*const Samples> = Vec::new();
        for split in [&self.train, &self.validation, &self.test] {
            // Splits share their samples, which are hashed once.
            let samples = Arc::as_ptr(&split.samples);
            if !seen.contains(&samples) {
                split.samples.fingerprint(&mut hasher);
                seen.push(samples);
            }
            hasher.update(&(split.count() as u64).to_le_bytes());
            let chosen = split.chosen.iter().flat_map(|chosen| chosen.iter());
            let bytes: Vec<u8> = chosen.flat_map(|index| index.to_le_bytes()).collect();
            hasher.update(&bytes);
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Fields of a sample before the transforms.
    pub fn source_schema(&self) -> Schema {
        let own = self.train.fields().iter().zip(&self.schema.fields);
        let fields = own.map(|(field, known)| {
            let kind = match known.kind.clone() {
                FieldKind::Number => FieldKind::Number,
                FieldKind::Image(image) => {
                    FieldKind::Image(ImageField { conversions: Vec::new(), ..image })
                }
                FieldKind::Class(class) => FieldKind::Class(ClassField { one_hot: false, ..class }),
            };
            Field { kind, ..field.clone() }
        });
        Schema { fields: fields.collect(), mixed: false, ..self.schema.clone() }
    }

    /// The name of a class.
    pub fn class_name(&self, class: usize) -> String {
        self.classes.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// At most so many samples of each split, spread evenly over those there are.
    pub fn limit(&self, samples: usize) -> Dataset {
        let [train, validation, test] =
            [&self.train, &self.validation, &self.test].map(|split| split.spread(samples));
        self.with_splits(train, validation, test)
    }

    /// One split, as the test split of data that have no others.
    pub fn only(&self, split: Split) -> Dataset {
        let none = split.choose(Vec::new());
        self.with_splits(none.clone(), none, split)
    }

    /// So many training samples, which stand for the other splits, too, where those have any.
    pub fn overfit(&self, samples: usize) -> Dataset {
        let train = self.train.spread(samples);
        let other = |split: &Split| match split.count() {
            0 => split.clone(),
            _ => train.clone(),
        };
        let (validation, test) = (other(&self.validation), other(&self.test));
        self.with_splits(train, validation, test)
    }

    pub(super) fn with_splits(&self, train: Split, validation: Split, test: Split) -> Dataset {
        let counts = [train.count(), validation.count(), test.count()];
        let schema = self.schema.clone().counted(counts);
        Dataset { train, validation, test, schema, ..self.clone() }.counted()
    }

    /// The same, with the samples of each bucket counted.
    fn counted(mut self) -> Dataset {
        if self.train.has_buckets() {
            let splits = [&self.train, &self.validation, &self.test];
            let counts = splits.map(|split| split.bucket_counts(self.schema.bucket_count()));
            let buckets = 0..self.schema.bucket_count();
            self.schema.in_buckets =
                buckets.map(|bucket| [0, 1, 2].map(|split| counts[split][bucket])).collect();
        }
        self
    }

    /// How many samples of each split there are in a bucket; of data without buckets, in all.
    pub fn counts_in(&self, bucket: usize) -> [usize; 3] {
        let all = [self.train.count(), self.validation.count(), self.test.count()];
        self.schema.in_buckets.get(bucket).copied().unwrap_or(all)
    }
}

/// A remark on data that does not change what a run means.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// One line.
    pub line: String,
    /// Every file that it is about, with the reason; for users who ask for more.
    pub details: Vec<String>,
}

impl Note {
    /// One line without details.
    pub fn of(line: String) -> Note {
        Note { line, details: Vec::new() }
    }
}

/// The order in which an epoch takes `count` samples: a function of seed and epoch alone, or
/// their own order where they are not shuffled.
pub fn order(seed: u64, epoch: u64, count: usize, shuffle: bool) -> Vec<u32> {
    let count = u32::try_from(count).expect("samples are numbered in 32 bits");
    let mut order: Vec<u32> = (0..count).collect();
    if shuffle {
        let domain = hash_name("order").wrapping_add(epoch);
        Sequence::new(seed, domain).shuffle(&mut order);
    }
    order
}
