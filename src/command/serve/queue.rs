//! The queue between those who read requests and the one who computes steps.
//!
//! ```text
//! request 1: a        ─┐
//! request 2: b c d e  ─┼─ turn by turn →  a b f c d e   ─ the first so many →  one step
//! request 3: f        ─┘
//! ```
//!
//! Nobody waits for a batch to fill: a step takes what has come while the last one was computed. A sample
//! a turn of each request, so that a large one does not keep small ones waiting.

use crate::command::inference::{SampleBytes, SampleOutputs};
use std::collections::VecDeque;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The bytes of a sample's inputs, one entry for each field.
pub(super) type InputBytes = Vec<Vec<u8>>;

/// Samples that wait for their step.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<QueuedRequest>,
    /// Samples of all of them.
    samples: usize,
    /// Whether no more are taken.
    closed: bool,
    /// Whether the one who computes sleeps; waking costs a call of the system.
    idle: bool,
}

/// The samples of a request that are still to be computed, by number.
struct QueuedRequest {
    samples: std::iter::Enumerate<std::vec::IntoIter<InputBytes>>,
    reply: Sender<(usize, SampleOutputs)>,
}

/// Samples of a step, and whom to tell about each.
#[derive(Default)]
pub(super) struct QueuedBatch {
    /// The samples.
    pub samples: Vec<SampleBytes>,
    replies: Vec<(usize, Sender<(usize, SampleOutputs)>)>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the outputs of samples, in their order; `None` where nobody computes any more.
    pub fn outputs_of(&self, samples: Vec<InputBytes>) -> Option<Vec<SampleOutputs>> {
        let count = samples.len();
        if count == 0 {
            return Some(Vec::new());
        }
        let (reply, replies) = channel();
        let mut waiting = self.lock();
        if waiting.closed {
            return None;
        }
        waiting.samples += count;
        let samples = samples.into_iter().enumerate();
        waiting.requests.push_back(QueuedRequest { samples, reply });
        let wake = std::mem::take(&mut waiting.idle);
        drop(waiting);
        if wake {
            self.arrived.notify_one();
        }
        let mut outputs: Vec<Option<SampleOutputs>> = vec![None; count];
        for _ in 0..count {
            let (index, output) = replies.recv().ok()?;
            outputs[index] = Some(output);
        }
        outputs.into_iter().collect()
    }

    /// Waits for samples and takes some: of so many that wait, as many as `first` says. `None` where the
    /// queue is closed and empty.
    pub fn next_batch(&self, first: impl Fn(usize) -> usize) -> Option<QueuedBatch> {
        let mut waiting = self.lock();
        while waiting.samples == 0 {
            if waiting.closed {
                return None;
            }
            waiting.idle = true;
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let mut batch = QueuedBatch::default();
        for _ in 0..first(waiting.samples).clamp(1, waiting.samples) {
            let mut request = waiting.requests.pop_front().expect("samples of some request");
            let (index, sample) = request.samples.next().expect("requests with samples");
            batch.samples.push(Ok(sample));
            batch.replies.push((index, request.reply.clone()));
            waiting.samples -= 1;
            if request.samples.len() > 0 {
                waiting.requests.push_back(request);
            }
        }
        Some(batch)
    }

    /// Takes no more samples; those that wait are still computed.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// The same, and those that wait are given up.
    pub fn abandon(&self) {
        let mut waiting = self.lock();
        (waiting.samples, waiting.closed) = (0, true);
        waiting.requests.clear();
        self.arrived.notify_all();
    }
}

impl QueuedBatch {
    /// Tells each sample's outputs to whoever waits for them.
    pub fn reply(self, outputs: Vec<SampleOutputs>) {
        for ((index, reply), outputs) in self.replies.into_iter().zip(outputs) {
            // Whoever asked may have gone.
            let _ = reply.send((index, outputs));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn sample(byte: u8) -> InputBytes {
        vec![vec![byte]]
    }

    /// Computes the byte of each sample, until the queue is closed; the sizes of the steps.
    fn compute(queue: &Queue, most: usize) -> Vec<usize> {
        let mut sizes = Vec::new();
        while let Some(batch) = queue.next_batch(|waiting| waiting.min(most)) {
            let byte =
                |sample: &SampleBytes| Ok(vec![vec![f32::from(sample.as_ref().unwrap()[0][0])]]);
            let outputs = batch.samples.iter().map(byte).collect();
            sizes.push(batch.samples.len());
            batch.reply(outputs);
        }
        sizes
    }

    #[test]
    fn everyone_gets_their_own_answers() {
        let queue = Queue::default();
        let sizes = thread::scope(|scope| {
            let computing = scope.spawn(|| compute(&queue, 4));
            let asking: Vec<_> = (0..20_u8)
                .map(|from| {
                    let queue = &queue;
                    scope.spawn(move || {
                        let outputs = queue.outputs_of((from..from + 10).map(sample).collect());
                        for (byte, output) in (from..).zip(outputs.expect("answers")) {
                            assert_eq!(output, Ok(vec![vec![f32::from(byte)]]));
                        }
                    })
                })
                .collect();
            asking.into_iter().for_each(|asking| asking.join().expect("no panic"));
            queue.close();
            computing.join().expect("no panic")
        });
        assert_eq!(sizes.iter().sum::<usize>(), 200);
        assert!(sizes.iter().all(|size| (1..=4).contains(size)), "{sizes:?}");
        assert_eq!(queue.outputs_of(vec![sample(0)]), None, "closed");
    }

    #[test]
    fn requests_take_turns_and_are_given_up_together() {
        let queue = Queue::default();
        let batch = thread::scope(|scope| {
            let waits = |samples: Vec<u8>| {
                let before = queue.lock().samples;
                let (count, queue) = (samples.len(), &queue);
                let samples = samples.into_iter().map(sample).collect();
                let asking = scope.spawn(move || queue.outputs_of(samples));
                while queue.lock().samples < before + count {
                    thread::yield_now();
                }
                asking
            };
            let asking = [waits(vec![1, 2, 3, 4]), waits(vec![5]), waits(vec![6, 7])];
            let batch = queue.next_batch(|_| 5).expect("a batch");
            queue.abandon();
            let samples = batch.samples.clone();
            drop(batch);
            asking.into_iter().for_each(|it| assert_eq!(it.join().expect("no panic"), None));
            samples
        });
        let order: Vec<u8> = batch.into_iter().map(|sample| sample.unwrap()[0][0]).collect();
        assert_eq!(order, [1, 5, 6, 2, 7]);
        assert!(queue.next_batch(|waiting| waiting).is_none());
    }
}
