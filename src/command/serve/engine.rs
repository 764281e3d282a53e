//! The thread that computes: it takes what waits, by the sizes of steps that make it quickest.
//!
//! ```text
//! steps of 1 (50 µs), 2 (70 µs), 4 (95 µs), 8 (160 µs)    5 samples wait:  4 + 1 = 145 µs, not 8 = 160 µs
//! ```
//!
//! How long the steps take is measured once at the start. Outputs do not depend on it. Where a sample takes
//! less than [`SHORT_STEP`] on one thread, one thread computes: others would wait for each other longer
//! than they work, on processors that clients and the network need.

use super::queue::Queue;
use crate::command::inference::{InferenceSteps, SampleBytes};
use crate::runtime::pool::Pool;
use crate::runtime::program::RunMemory;
use std::time::{Duration, Instant};

/// A step that is not worth a second thread.
const SHORT_STEP: Duration = Duration::from_micros(500);
/// Runs of a step by which its time is known.
const MEASURED: usize = 5;

/// The sizes of steps up to the largest: 1, 2, 4, … and the largest itself.
pub(super) fn batch_sizes(largest: usize) -> Vec<usize> {
    let powers = std::iter::successors(Some(1_usize), |size| size.checked_mul(2));
    let mut sizes: Vec<usize> = powers.take_while(|&size| size < largest).collect();
    sizes.push(largest);
    sizes
}

/// Samples that were computed, and in how many steps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ComputedSteps {
    /// The samples.
    pub samples: u64,
    /// The steps.
    pub steps: u64,
}

/// Computes until the queue is closed and empty; `input_bytes` are those of a sample's fields.
pub(super) fn compute(
    steps: &InferenceSteps,
    input_bytes: &[usize],
    queue: &Queue,
    pool: &mut Pool,
) -> ComputedSteps {
    /// Gives up what waits if computing panics, so that nobody waits for ever.
    struct Abandoned<'q>(&'q Queue);
    impl Drop for Abandoned<'_> {
        fn drop(&mut self) {
            self.0.abandon();
        }
    }
    let _abandoned = Abandoned(queue);
    let mut memory = steps.memory(pool);
    let mut alone = Pool::new(1);
    let mut measured = times(steps, input_bytes, &mut memory, &mut alone);
    let pool = match measured.first() {
        Some((_, time)) if *time < SHORT_STEP => &mut alone,
        _ => {
            measured = times(steps, input_bytes, &mut memory, pool);
            pool
        }
    };
    let plan = BatchPlan::new(&measured);
    let mut computed = ComputedSteps::default();
    while let Some(batch) = queue.next_batch(|waiting| plan.first(waiting)) {
        let outputs = steps.outputs_of(&batch.samples, &mut memory, pool);
        computed.samples += outputs.len() as u64;
        computed.steps += 1;
        batch.reply(outputs);
    }
    computed
}

/// The size of each step, and how long it takes.
fn times(
    steps: &InferenceSteps,
    input_bytes: &[usize],
    memory: &mut RunMemory,
    pool: &mut Pool,
) -> Vec<(usize, Duration)> {
    let zeros: SampleBytes = Ok(input_bytes.iter().map(|&bytes| vec![0; bytes]).collect());
    let mut time = |batch: usize| {
        let samples = vec![zeros.clone(); batch];
        let mut once = || {
            let start = Instant::now();
            steps.outputs_of(&samples, memory, pool);
            start.elapsed()
        };
        (0..MEASURED).map(|_| once()).min().unwrap_or_default()
    };
    steps.batches().into_iter().map(|batch| (batch, time(batch))).collect()
}

/// How many samples to compute first, by how many wait.
struct BatchPlan {
    /// Of `index + 1` samples, up to the largest step's.
    first: Vec<usize>,
}

impl BatchPlan {
    /// The quickest ways by the times of steps, whose sizes ascend.
    fn new(times: &[(usize, Duration)]) -> BatchPlan {
        let largest = times.last().map_or(1, |(batch, _)| *batch);
        // The least time for so many samples.
        let mut least = vec![Duration::ZERO];
        let mut first = Vec::new();
        for count in 1..=largest {
            let with = |&(batch, time): &(usize, Duration)| {
                let taken = batch.min(count);
                (time + least[count - taken], taken)
            };
            // Of equal times the larger step, which answers more of them sooner.
            let best = times.iter().map(with).min_by_key(|&(time, taken)| (time, largest - taken));
            let (time, taken) = best.unwrap_or((Duration::ZERO, count));
            least.push(time);
            first.push(taken);
        }
        BatchPlan { first }
    }

    /// How many of so many waiting samples the next step takes.
    fn first(&self, waiting: usize) -> usize {
        self.first[waiting.min(self.first.len()).max(1) - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_two_and_the_largest() {
        assert_eq!(batch_sizes(1), [1]);
        assert_eq!(batch_sizes(8), [1, 2, 4, 8]);
        assert_eq!(batch_sizes(11), [1, 2, 4, 8, 11]);
    }

    #[test]
    fn waiting_samples_are_computed_the_quickest_way() {
        let times = |times: &[(usize, u64)]| {
            let times: Vec<_> =
                times.iter().map(|&(batch, time)| (batch, Duration::from_micros(time))).collect();
            let plan = BatchPlan::new(&times);
            [1, 2, 3, 4, 5, 7, 8, 9, 100].map(|waiting| plan.first(waiting))
        };
        // Larger steps are worth it, but not for the odd sample.
        let cheap = times(&[(1, 50), (2, 70), (4, 95), (8, 160)]);
        assert_eq!(cheap, [1, 2, 3, 4, 4, 7, 8, 8, 8]);
        // Sizes that gain nothing are left out, and of equal times the larger step is taken.
        assert_eq!(times(&[(1, 10), (2, 20), (4, 41), (8, 90)]), [1, 2, 2, 2, 2, 2, 2, 2, 2]);
        // All take as long.
        assert_eq!(times(&[(1, 10), (8, 10)]), [1, 2, 3, 4, 5, 7, 8, 8, 8]);
    }
}
