//! The queue between those who read requests and the one who computes steps.
//!
//! ```text
//! request 1: a        ─┐
//! request 2: b c d e  ─┼─ turn by turn →  a b f c d e   ─ the first so many →  one step
//! request 3: f        ─┘
//! ```
//!
//! Nobody waits for a batch to fill: a step takes what has come while the last one was computed, or what
//! the network has brought at once. A sample
//! a turn of each request, so that a large one does not keep small ones waiting. Whoever asks is told
//! when all samples of the request are computed; if none computes any more, what was to be told is
//! dropped.

use crate::command::inference::{SampleBytes, SampleOutputs};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The bytes of a sample's inputs, one entry for each field.
pub(super) type InputBytes = Vec<Vec<u8>>;
/// Is given the outputs of a request's samples, in their order.
pub(super) type WhenComputed = Box<dyn FnOnce(Vec<SampleOutputs>) + Send>;

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
    computed: Arc<Mutex<ComputedRequest>>,
}

/// The outputs of a request so far.
struct ComputedRequest {
    outputs: Vec<Option<SampleOutputs>>,
    missing: usize,
    done: Option<WhenComputed>,
}

/// Samples of a step, and where the outputs of each belong.
#[derive(Default)]
pub(super) struct QueuedBatch {
    /// The samples.
    pub samples: Vec<SampleBytes>,
    places: Vec<(usize, Arc<Mutex<ComputedRequest>>)>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts in the samples of a request, at least one; `done` is called by whoever computes them, or
    /// dropped where nobody does any more.
    pub fn ask(&self, samples: Vec<InputBytes>, done: WhenComputed) {
        let count = samples.len();
        let (outputs, done) = (vec![None; count], Some(done));
        let computed = ComputedRequest { outputs, missing: count, done };
        let computed = Arc::new(Mutex::new(computed));
        let samples = samples.into_iter().enumerate();
        let mut waiting = self.lock();
        if waiting.closed {
            return;
        }
        waiting.samples += count;
        waiting.requests.push_back(QueuedRequest { samples, computed });
    }

    /// Wakes the one who computes, if there is something to do. Whoever asks calls it, once for all that
    /// came together.
    pub fn flush(&self) {
        let mut waiting = self.lock();
        if waiting.samples > 0 && std::mem::take(&mut waiting.idle) {
            drop(waiting);
            self.arrived.notify_one();
        }
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
            batch.places.push((index, Arc::clone(&request.computed)));
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
        let given_up = std::mem::take(&mut waiting.requests);
        drop(waiting);
        drop(given_up);
        self.arrived.notify_all();
    }
}

impl QueuedBatch {
    /// Takes in each sample's outputs, and tells those whose request is complete.
    pub fn reply(self, outputs: Vec<SampleOutputs>) {
        for ((index, computed), output) in self.places.into_iter().zip(outputs) {
            let mut computed = computed.lock().unwrap_or_else(PoisonError::into_inner);
            computed.outputs[index] = Some(output);
            computed.missing -= 1;
            if computed.missing > 0 {
                continue;
            }
            let outputs = computed.outputs.drain(..).flatten().collect();
            if let Some(done) = computed.done.take() {
                done(outputs);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    /// Asks for samples of one byte each; what is told comes through a channel.
    fn ask(queue: &Queue, bytes: impl IntoIterator<Item = u8>) -> Receiver<Vec<SampleOutputs>> {
        let (told, telling) = channel();
        let samples = bytes.into_iter().map(|byte| vec![vec![byte]]).collect();
        queue.ask(samples, Box::new(move |outputs| told.send(outputs).expect("a listener")));
        queue.flush();
        telling
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
                        let outputs = ask(queue, from..from + 10).recv().expect("answers");
                        assert_eq!(outputs.len(), 10);
                        for (byte, output) in (from..).zip(outputs) {
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
        assert!(ask(&queue, [0]).recv().is_err(), "closed");
    }

    #[test]
    fn requests_take_turns_and_are_given_up_together() {
        let queue = Queue::default();
        let asking = [ask(&queue, [1, 2, 3, 4]), ask(&queue, [5]), ask(&queue, [6, 7])];
        let batch = queue.next_batch(|_| 5).expect("a batch");
        queue.abandon();
        let order: Vec<u8> =
            batch.samples.iter().map(|sample| sample.as_ref().unwrap()[0][0]).collect();
        assert_eq!(order, [1, 5, 6, 2, 7]);
        drop(batch);
        asking.into_iter().for_each(|telling| assert!(telling.recv().is_err()));
        assert!(queue.next_batch(|waiting| waiting).is_none());
    }
}
