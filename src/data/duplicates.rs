//! Samples that are in two splits: a test that has seen them in training tests memory.
//!
//! ```text
//! train  a b c d     validation  e b     test  c c f
//! → validation: 1 of train; test: 2 of train, 0 of validation
//! ```
//!
//! Two samples are the same where all bytes of their inputs are, as the source gives them, before
//! transforms; targets are not looked at. A hash of 64 bits is kept for each sample to validate and
//! to test on, some 30 bytes; where hashes agree the bytes themselves are compared, so nothing is told
//! that is not so. Samples to train on are read and not kept.

use rustc_hash::FxHashMap;

use super::dataset::{Dataset, Split};
use super::error::DataError;
use super::request::Watch;

/// Examples that are named.
const MOST_NAMED: usize = 3;
/// Samples that are read at once.
const AT_ONCE: usize = 64;

/// Samples of a split whose inputs another split has as well.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedSamples {
    /// The earlier of the two splits: `train`, or `validation`.
    pub earlier: &'static str,
    /// The later: `validation` or `test`.
    pub later: &'static str,
    /// Samples of the later split that are in the earlier.
    pub count: usize,
    /// The first of those: a sample of the earlier split, and the one of the later split that is
    /// the same.
    pub first: Vec<(String, String)>,
}

/// The samples that splits share, for each pair of splits that shares some. `watch` follows the
/// samples that have been read.
pub fn shared_samples(data: &Dataset, watch: Watch<'_>) -> Result<Vec<SharedSamples>, DataError> {
    let mut search = TwinSearch { read: 0, all: 0, watch, room: SampleRoom::new(data) };
    let pairs = [
        ("train", &data.train, "validation", &data.validation),
        ("train", &data.train, "test", &data.test),
        ("validation", &data.validation, "test", &data.test),
    ];
    let pairs =
        pairs.into_iter().filter(|(_, earlier, _, later)| earlier.count() > 0 && later.count() > 0);
    let pairs: Vec<_> = pairs.collect();
    search.all = pairs.iter().map(|(_, earlier, _, later)| earlier.count() + later.count()).sum();
    let mut shared = Vec::new();
    for (earlier_name, earlier, later_name, later) in pairs {
        let twins = search.twins(earlier, later)?;
        if twins.is_empty() {
            continue;
        }
        let named = twins.iter().take(MOST_NAMED);
        let first = named.map(|&(one, other)| (earlier.name(one), later.name(other))).collect();
        let count = twins.len();
        shared.push(SharedSamples { earlier: earlier_name, later: later_name, count, first });
    }
    Ok(shared)
}

/// The samples that have been read, and room to read more.
struct TwinSearch<'a> {
    read: usize,
    all: usize,
    watch: Watch<'a>,
    room: SampleRoom,
}

impl TwinSearch<'_> {
    /// For each sample of the later split that the earlier one has, the first such sample and itself,
    /// in the order of the later split.
    fn twins(&mut self, earlier: &Split, later: &Split) -> Result<Vec<(u32, u32)>, DataError> {
        // Samples of equal hashes follow one another in a chain; a sample is in one chain.
        let mut heads: FxHashMap<u64, u32> = FxHashMap::default();
        let mut next = vec![u32::MAX; later.count()];
        self.hashes(later, &mut |_, sample, hash| {
            if let Some(head) = heads.insert(hash, sample) {
                next[sample as usize] = head;
            }
            Ok(())
        })?;
        let mut found: Vec<(u32, u32)> = Vec::new();
        let mut seen = vec![false; later.count()];
        self.hashes(earlier, &mut |room, sample, hash| {
            let mut at = heads.get(&hash).copied().unwrap_or(u32::MAX);
            let mut is_done = true;
            while at != u32::MAX {
                if !seen[at as usize] && room.same((earlier, sample), (later, at))? {
                    seen[at as usize] = true;
                    found.push((sample, at));
                }
                is_done &= seen[at as usize];
                at = next[at as usize];
            }
            // What is found need not be looked for again.
            if is_done {
                heads.remove(&hash);
            }
            Ok(())
        })?;
        found.sort_by_key(|&(_, later)| later);
        Ok(found)
    }

    /// Calls `meet` with the hash of each sample's inputs.
    fn hashes(
        &mut self,
        split: &Split,
        meet: &mut dyn FnMut(&mut SampleRoom, u32, u64) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        for first in (0..split.count() as u32).step_by(AT_ONCE) {
            let last = (first as usize + AT_ONCE).min(split.count()) as u32;
            for sample in first..last {
                let hash = self.room.hash(split, sample)?;
                meet(&mut self.room, sample, hash)?;
            }
            self.read += (last - first) as usize;
            if !(self.watch)(self.read, self.all) {
                return Err(DataError::interrupted());
            }
        }
        Ok(())
    }
}

/// SampleRoom for the inputs of two samples.
struct SampleRoom {
    inputs: Vec<usize>,
    one: Vec<u8>,
    other: Vec<u8>,
}

impl SampleRoom {
    fn new(data: &Dataset) -> SampleRoom {
        let fields = data.train.fields().iter().enumerate();
        let inputs = fields.filter(|(_, field)| !field.is_target).map(|(place, _)| place).collect();
        SampleRoom { inputs, one: Vec::new(), other: Vec::new() }
    }

    fn hash(&mut self, split: &Split, sample: u32) -> Result<u64, DataError> {
        let mut hasher = blake3::Hasher::new();
        for &field in &self.inputs {
            copy(split, sample, field, &mut self.one)?;
            hasher.update(&self.one);
        }
        let hash = hasher.finalize();
        Ok(u64::from_le_bytes(hash.as_bytes().as_chunks::<8>().0[0]))
    }

    fn same(&mut self, one: (&Split, u32), other: (&Split, u32)) -> Result<bool, DataError> {
        for &field in &self.inputs {
            copy(one.0, one.1, field, &mut self.one)?;
            copy(other.0, other.1, field, &mut self.other)?;
            if self.one != self.other {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn copy(split: &Split, sample: u32, field: usize, out: &mut Vec<u8>) -> Result<(), DataError> {
    out.resize(split.fields()[field].bytes(), 0);
    split.copy_batch(&[sample], field, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::schema::Field;
    use crate::data::dataset::{Column, Samples};
    use std::sync::Arc;

    /// Samples with an input each, split.
    fn data(inputs: &[u8], splits: [Vec<u32>; 3]) -> Dataset {
        let labels = (0..inputs.len() as i32).flat_map(i32::to_le_bytes).collect();
        let fields = vec![
            (Field::image("image", &[1]), Column::Memory(inputs.to_vec())),
            (Field::class("label", None), Column::Memory(labels)),
        ];
        Dataset::of_splits("test", Arc::new(Samples::new(inputs.len(), fields)), splits)
    }

    #[test]
    fn samples_of_two_splits_are_counted_once_each_and_the_first_named() {
        let data = data(b"abcdebcc", [vec![0, 1, 2, 3], vec![4, 5], vec![6, 7]]);
        let shared = shared_samples(&data, &|_, _| true).unwrap();
        let told: Vec<_> = shared.iter().map(|it| (it.earlier, it.later, it.count)).collect();
        assert_eq!(told, [("train", "validation", 1), ("train", "test", 2)]);
        let names = ("sample 2".to_owned(), "sample 6".to_owned());
        assert_eq!(shared[1].first[0], names);
        assert_eq!(shared[1].first.len(), 2);
    }

    #[test]
    fn nothing_is_shared_where_inputs_differ_and_reading_can_be_stopped() {
        let data = data(b"abcd", [vec![0, 1], vec![2], vec![3]]);
        assert_eq!(shared_samples(&data, &|_, _| true).unwrap(), []);
        assert!(shared_samples(&data, &|_, _| false).unwrap_err().interrupted);
    }
}
