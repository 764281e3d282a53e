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

use super::dataset::Dataset;
use super::error::DataError;
use super::request::Watch;
use super::samples::Split;

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
    let (train, validation, test) = (&data.train, &data.validation, &data.test);
    let kept = validation.count() + test.count();
    if kept == 0 {
        return Ok(Vec::new());
    }
    let room = SampleRoom::new(data);
    let mut search = TwinSearch { read: 0, all: kept + train.count(), watch, room };
    let hashes = [search.kept_hashes(validation)?, search.kept_hashes(test)?];
    let mut in_validation = TwinIndex::of(validation, &hashes[0]);
    let mut in_test = TwinIndex::of(test, &hashes[1]);
    search.hashes(train, &mut |room, sample, hash| {
        in_validation.meet(room, (train, sample), hash)?;
        in_test.meet(room, (train, sample), hash)
    })?;
    let mut of_validation = TwinIndex::of(test, &hashes[1]);
    for (sample, &hash) in (0..).zip(&hashes[0]) {
        of_validation.meet(&mut search.room, (validation, sample), hash)?;
    }
    let pairs = [
        (("train", train), ("validation", in_validation)),
        (("train", train), ("test", in_test)),
        (("validation", validation), ("test", of_validation)),
    ];
    let shared = pairs.into_iter().map(|((earlier, split), (later, index))| {
        let (later_split, twins) = (index.later, index.twins());
        let named = twins.iter().take(MOST_NAMED);
        let first = named.map(|&(one, other)| (split.name(one), later_split.name(other)));
        SharedSamples { earlier, later, count: twins.len(), first: first.collect() }
    });
    Ok(shared.filter(|it| it.count > 0).collect())
}

/// The samples of a later split by their hashes, and those that an earlier one has as well.
struct TwinIndex<'a> {
    later: &'a Split,
    /// Samples of equal hashes follow one another in a chain; a sample is in one chain.
    heads: FxHashMap<u64, u32>,
    next: Vec<u32>,
    seen: Vec<bool>,
    found: Vec<(u32, u32)>,
}

impl<'a> TwinIndex<'a> {
    fn of(later: &'a Split, hashes: &[u64]) -> TwinIndex<'a> {
        let mut heads: FxHashMap<u64, u32> = FxHashMap::default();
        let mut next = vec![u32::MAX; hashes.len()];
        for (sample, &hash) in (0u32..).zip(hashes) {
            if let Some(head) = heads.insert(hash, sample) {
                next[sample as usize] = head;
            }
        }
        TwinIndex { later, heads, next, seen: vec![false; hashes.len()], found: Vec::new() }
    }

    /// Notes those that are the same as a sample of the earlier split and as none before it.
    fn meet(
        &mut self,
        room: &mut SampleRoom,
        earlier: (&Split, u32),
        hash: u64,
    ) -> Result<(), DataError> {
        let mut at = self.heads.get(&hash).copied().unwrap_or(u32::MAX);
        let mut is_done = true;
        while at != u32::MAX {
            let seen = &mut self.seen[at as usize];
            if !*seen && room.same(earlier, (self.later, at))? {
                *seen = true;
                self.found.push((earlier.1, at));
            }
            is_done &= *seen;
            at = self.next[at as usize];
        }
        // What is found need not be looked for again.
        if is_done {
            self.heads.remove(&hash);
        }
        Ok(())
    }

    /// For each sample that the earlier split has, the first such sample and itself, in the order of
    /// the later split.
    fn twins(mut self) -> Vec<(u32, u32)> {
        self.found.sort_by_key(|&(_, later)| later);
        self.found
    }
}

/// The samples that have been read, and room to read more.
struct TwinSearch<'a> {
    read: usize,
    all: usize,
    watch: Watch<'a>,
    room: SampleRoom,
}

impl TwinSearch<'_> {
    /// The hash of each sample's inputs.
    fn kept_hashes(&mut self, split: &Split) -> Result<Vec<u64>, DataError> {
        let mut hashes = Vec::with_capacity(split.count());
        self.hashes(split, &mut |_, _, hash| {
            hashes.push(hash);
            Ok(())
        })?;
        Ok(hashes)
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

/// Room for the inputs of two samples.
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
    use crate::data::samples::{Column, Samples};
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
