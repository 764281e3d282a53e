//! Chunks of batches, made by threads ahead of the steps that take them.
//!
//! ```text
//! jobs   pass, order of samples     ─claim→  worker: fill a chunk, sample by sample
//! slots     a ring of chunks           ←ready─
//! consumer  take() in order, release() when its batches have been copied
//! ```
//!
//! Chunk `n` lies in slot `n mod slots`; a worker claims the next one when its slot has been
//! released. So chunks come in order for any number of workers, none is made twice, and nothing is
//! allocated once the ring exists. What goes wrong with a sample is its chunk's outcome: the
//! consumer hears of it where it would have got the sample. Dropping ends the workers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::super::dataset::SplitPass;
use super::super::error::DataError;
use super::FeedError;
use super::order::PassOrder;
use crate::base::caught::caught;

/// Chunks of a ring: one for each worker, one that is ready, one that is being read.
pub fn chunks(workers: usize) -> usize {
    workers + 2
}

/// Makes samples, from any thread.
pub trait LoadSample: Send + Sync + 'static {
    /// Buffers that a thread keeps between samples.
    type Scratch: Send + 'static;

    /// A new thread's.
    fn bench(&self) -> Self::Scratch;

    /// Writes each field of a sample into its room.
    fn fill(
        &self,
        bench: &mut Self::Scratch,
        pass: SplitPass,
        index: u32,
        out: &mut BatchSlots<'_>,
    ) -> Result<(), DataError>;

    /// The number of a sample for messages.
    fn original(&self, pass: SplitPass, index: u32) -> u32;
}

/// Where the fields of one sample are written.
pub struct BatchSlots<'a> {
    fields: &'a mut [Vec<u8>],
    sizes: &'a [usize],
    at: usize,
}

impl BatchSlots<'_> {
    /// Room for exactly the bytes of a field.
    pub fn field(&mut self, field: usize) -> &mut [u8] {
        let size = self.sizes[field];
        &mut self.fields[field][self.at * size..][..size]
    }
}

/// Samples in a row.
#[derive(Debug)]
pub struct Chunk {
    /// For each field, every sample's bytes in a row, and room behind them.
    pub fields: Vec<Vec<u8>>,
    /// How many samples.
    pub samples: usize,
    /// Whether they could be made.
    pub outcome: Result<(), FeedError>,
}

/// A pass that is to be made.
#[derive(Debug)]
pub struct PassJob {
    /// The pass.
    pub pass: SplitPass,
    /// Its samples.
    pub order: PassOrder,
    /// Samples of a chunk, at most.
    pub chunk: usize,
    /// Samples that workers have taken on.
    pub claimed: usize,
}

/// The consumer's side.
pub struct Prefetch {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Makes the next chunk where there are no workers.
    alone: Option<Box<dyn FnMut() + Send>>,
}

struct Shared {
    state: Mutex<FeedState>,
    /// Told when a chunk is ready.
    ready: Condvar,
    /// Told when there is something to make.
    work: Condvar,
    stop: AtomicBool,
    /// Bytes of a sample's fields.
    sizes: Vec<usize>,
}

struct FeedState {
    jobs: VecDeque<PassJob>,
    slots: Vec<BatchSlot>,
    /// Chunks that workers have taken on, and that the consumer has released.
    claimed: usize,
    released: usize,
}

enum BatchSlot {
    Free(Chunk),
    /// A worker or the consumer has it.
    Away,
    Ready(Chunk),
}

/// A chunk that a worker has taken on.
struct ChunkJob {
    slot: usize,
    chunk: Chunk,
    pass: SplitPass,
    order: Arc<[u32]>,
    first: usize,
}

impl Prefetch {
    /// Starts workers, as many as the system allows; where that is none, chunks are made when they
    /// are taken. `sizes` are the bytes of each field of a sample, `most` the samples of the largest
    /// chunk.
    pub fn start<F: LoadSample>(
        fill: Arc<F>,
        sizes: Vec<usize>,
        most: usize,
        workers: usize,
    ) -> Self {
        let chunk = || Chunk {
            fields: sizes.iter().map(|size| vec![0; size * most]).collect(),
            samples: 0,
            outcome: Ok(()),
        };
        let slots = (0..chunks(workers)).map(|_| BatchSlot::Free(chunk())).collect();
        let shared = Arc::new(Shared {
            state: Mutex::new(FeedState { jobs: VecDeque::new(), slots, claimed: 0, released: 0 }),
            ready: Condvar::new(),
            work: Condvar::new(),
            stop: AtomicBool::new(false),
            sizes,
        });
        let worker = |_| {
            let (shared, fill) = (shared.clone(), fill.clone());
            let thread = std::thread::Builder::new().name("data".into());
            thread.spawn(move || shared.work(&*fill))
        };
        // Chunks do not depend on who makes them: fewer workers only take longer.
        let workers: Vec<_> = (0..workers).map_while(|number| worker(number).ok()).collect();
        let alone = workers.is_empty().then(|| {
            let (shared, mut bench) = (shared.clone(), fill.bench());
            Box::new(move || shared.work_once(&*fill, &mut bench)) as Box<dyn FnMut() + Send>
        });
        Prefetch { shared, workers, alone }
    }

    /// Adds a pass behind all others.
    pub fn add(&mut self, job: PassJob) {
        if job.claimed == job.order.samples.len() {
            return;
        }
        self.shared.lock().jobs.push_back(job);
        self.shared.work.notify_all();
    }

    /// The next chunk, as soon as it is ready. There must be one in a pass that was added.
    pub fn take(&mut self) -> Chunk {
        let mut state = self.shared.lock();
        loop {
            let slot = state.released % state.slots.len();
            match std::mem::replace(&mut state.slots[slot], BatchSlot::Away) {
                BatchSlot::Ready(chunk) => return chunk,
                other => state.slots[slot] = other,
            }
            state = match &mut self.alone {
                Some(make) => {
                    drop(state);
                    make();
                    self.shared.lock()
                }
                None => self.wait(state),
            };
        }
    }

    /// Gives back the chunk that was taken last.
    pub fn release(&mut self, chunk: Chunk) {
        let mut state = self.shared.lock();
        let slot = state.released % state.slots.len();
        state.slots[slot] = BatchSlot::Free(chunk);
        state.released += 1;
        drop(state);
        self.shared.work.notify_all();
    }

    /// Drops all passes and what has been made of them. The consumer holds no chunk.
    pub fn forget(&mut self) {
        self.shared.lock().jobs.clear();
        loop {
            let state = self.shared.lock();
            if state.released == state.claimed {
                return;
            }
            drop(state);
            let chunk = self.take();
            self.release(chunk);
        }
    }

    /// Waits until a chunk is ready. Looks now and then whether workers live: one that has died
    /// would never say so.
    fn wait<'a>(&self, state: MutexGuard<'a, FeedState>) -> MutexGuard<'a, FeedState> {
        const PATIENCE: Duration = Duration::from_secs(1);
        let waited = self.shared.ready.wait_timeout(state, PATIENCE);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        let dead = timeout.timed_out() && self.workers.iter().any(JoinHandle::is_finished);
        assert!(!dead, "a thread that prepares batches has died");
        state
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Taken and let go, so that no worker misses it between looking and waiting.
        drop(self.shared.lock());
        self.shared.work.notify_all();
        for worker in self.workers.drain(..) {
            // A worker that panicked has said so already.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, FeedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The loop of a worker until it is stopped.
    fn work<F: LoadSample>(&self, fill: &F) {
        let mut bench = fill.bench();
        while let Some(job) = self.claim() {
            self.finish(fill, &mut bench, job);
        }
    }

    /// Makes the next chunk, if there is one to make.
    fn work_once<F: LoadSample>(&self, fill: &F, bench: &mut F::Scratch) {
        let job = self.lock().claim();
        if let Some(job) = job {
            self.finish(fill, bench, job);
        }
    }

    fn finish<F: LoadSample>(&self, fill: &F, bench: &mut F::Scratch, mut job: ChunkJob) {
        job.chunk.outcome = self.make(fill, bench, &mut job);
        self.lock().slots[job.slot] = BatchSlot::Ready(job.chunk);
        self.ready.notify_one();
    }

    /// The next chunk to make; `None` when it is time to end.
    fn claim(&self) -> Option<ChunkJob> {
        let mut state = self.lock();
        loop {
            if self.stopped() {
                return None;
            }
            if let Some(job) = state.claim() {
                return Some(job);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Makes the samples of a chunk, up to the first that cannot be made.
    fn make<F: LoadSample>(
        &self,
        fill: &F,
        bench: &mut F::Scratch,
        job: &mut ChunkJob,
    ) -> Result<(), FeedError> {
        let ChunkJob { chunk, pass, order, first, .. } = job;
        let samples = *first..*first + chunk.samples;
        for (at, &index) in order[samples].iter().enumerate() {
            let mut out = BatchSlots { fields: &mut chunk.fields, sizes: &self.sizes, at };
            if self.stopped() {
                return Ok(());
            }
            let filled = caught(|| fill.fill(bench, *pass, index, &mut out));
            let failed = |error: DataError, panicked| FeedError {
                split: pass.split(),
                sample: fill.original(*pass, index),
                error: error.into(),
                panicked,
            };
            match filled {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(failed(error, false)),
                Err(panic) => return Err(failed(DataError::new(panic), true)),
            }
        }
        Ok(())
    }
}

impl FeedState {
    fn claim(&mut self) -> Option<ChunkJob> {
        if self.claimed == self.released + self.slots.len() {
            return None;
        }
        let slot = self.claimed % self.slots.len();
        let job = self.jobs.front_mut()?;
        let first = job.claimed;
        let samples = job.order.end_within(first, job.chunk) - first;
        let (pass, order) = (job.pass, job.order.samples.clone());
        job.claimed += samples;
        if job.claimed == order.len() {
            self.jobs.pop_front();
        }
        let BatchSlot::Free(mut chunk) = std::mem::replace(&mut self.slots[slot], BatchSlot::Away)
        else {
            panic!("the slot of a chunk that was released is free");
        };
        self.claimed += 1;
        chunk.samples = samples;
        Some(ChunkJob { slot, chunk, pass, order, first })
    }
}
