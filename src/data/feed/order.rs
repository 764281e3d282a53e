//! The samples of a pass in order, cut into batches.
//!
//! ```text
//! no buckets   7 2 5 | 0 3 1 | 6 4
//! buckets      short 7 5 0 | 4     long 2 3 | 6 1       (in the order of the epoch)
//!              2 3 | 4 | 7 5 0 | 6 1                    (batches shuffled)
//! ```
//!
//! It follows from the data, the seed and the epoch alone: not from threads, nor from where a run was
//! taken up.

use std::sync::Arc;

use super::super::dataset::{SplitPass, order};
use super::super::samples::Split;
use super::{Plan, batch_of};
use crate::base::rng::{Sequence, hash_name};

/// The order in which a pass takes its samples, and the batches that it makes of them.
#[derive(Clone, Debug)]
pub struct PassOrder {
    /// The samples.
    pub samples: Arc<[u32]>,
    /// Samples of a batch; the last may have fewer.
    batch: usize,
    /// Where each batch ends, where others have fewer samples, too.
    ends: Option<Arc<[usize]>>,
}

impl PassOrder {
    /// The order of a pass over a split.
    pub fn new(split: &Split, pass: SplitPass, plan: &Plan, buckets: usize) -> PassOrder {
        let (count, batch) = (split.count(), batch_of(plan, pass));
        let (samples, epoch) = match pass {
            SplitPass::Train { epoch } => {
                (order(plan.seed, epoch, count, plan.shuffle), Some(epoch))
            }
            SplitPass::Validation | SplitPass::Test => ((0..count as u32).collect(), None),
        };
        let keep_last = plan.keep_last || epoch.is_none();
        let shuffle = epoch.filter(|_| plan.shuffle).map(|epoch| (plan.seed, epoch));
        match buckets {
            0 | 1 => PassOrder::whole(samples, batch, keep_last),
            _ => {
                let mut of = vec![Vec::new(); buckets];
                samples.into_iter().for_each(|sample| of[split.bucket(sample)].push(sample));
                PassOrder::of_buckets(&of, batch, keep_last, shuffle)
            }
        }
    }

    /// Samples of one shape.
    pub fn whole(mut samples: Vec<u32>, batch: usize, keep_last: bool) -> PassOrder {
        if !keep_last {
            samples.truncate(samples.len() / batch * batch);
        }
        PassOrder { samples: samples.into(), batch, ends: None }
    }

    /// Batches of one bucket each; `shuffle` is the seed and the epoch that their order follows from.
    fn of_buckets(
        buckets: &[Vec<u32>],
        batch: usize,
        keep_last: bool,
        shuffle: Option<(u64, u64)>,
    ) -> PassOrder {
        let mut batches: Vec<&[u32]> = buckets.iter().flat_map(|of| of.chunks(batch)).collect();
        batches.retain(|samples| keep_last || samples.len() == batch);
        if let Some((seed, epoch)) = shuffle {
            let domain = hash_name("order of buckets").wrapping_add(epoch);
            Sequence::new(seed, domain).shuffle(&mut batches);
        }
        let ends = batches.iter().scan(0, |end, samples| {
            *end += samples.len();
            Some(*end)
        });
        let ends = ends.collect();
        PassOrder { samples: batches.concat().into(), batch, ends: Some(ends) }
    }

    /// How many batches there are.
    pub fn batches(&self) -> usize {
        match &self.ends {
            Some(ends) => ends.len(),
            None => self.samples.len().div_ceil(self.batch),
        }
    }

    /// The sample that begins a batch; behind the last one, that which would come next.
    pub fn begin(&self, batch: usize) -> usize {
        match &self.ends {
            _ if batch == 0 => 0,
            Some(ends) => ends.get(batch - 1).copied().unwrap_or(self.samples.len()),
            None => (batch * self.batch).min(self.samples.len()),
        }
    }

    /// The end of the batch that begins with a sample.
    pub fn end_behind(&self, first: usize) -> usize {
        self.end_within(first, 1)
    }

    /// The end of the batches that begin with a sample and have at most so many together; of one in any
    /// case.
    pub fn end_within(&self, first: usize, most: usize) -> usize {
        match &self.ends {
            None => (first + most.max(self.batch)).min(self.samples.len()),
            Some(ends) => {
                let next = ends.partition_point(|&end| end <= first);
                let last = ends.partition_point(|&end| end <= first + most);
                let end = last.max(next + 1).checked_sub(1).and_then(|last| ends.get(last));
                end.copied().unwrap_or(self.samples.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_of_one_bucket_in_an_order_that_the_seed_decides() {
        let buckets = [vec![7, 5, 0, 4], vec![2, 3, 6, 1, 9]];
        let of = |seed| PassOrder::of_buckets(&buckets, 3, true, Some((seed, 1)));
        let order = of(1);
        assert_eq!((order.batches(), order.begin(4), order.begin(9)), (4, 9, 9));
        for batch in 0..order.batches() {
            let samples = &order.samples[order.begin(batch)..order.begin(batch + 1)];
            assert!(buckets.iter().any(|of| samples.iter().all(|it| of.contains(it))));
            assert_eq!(order.end_behind(order.begin(batch)), order.begin(batch + 1));
        }
        assert_eq!(order.samples, of(1).samples);
        assert!((2..20).any(|seed| of(seed).samples != order.samples));
        let whole = PassOrder::of_buckets(&buckets, 3, false, None);
        assert_eq!(whole.samples[..], [7, 5, 0, 2, 3, 6], "what is no batch is left out");
        assert_eq!(
            (whole.end_within(0, 5), whole.end_within(0, 6), whole.end_within(3, 2)),
            (3, 6, 6)
        );
    }
}
