//! Threads that wait for work: what goes in is a closure, which threads of the [`Pool`] run at the
//! same time, each with its number.
//!
//! ```
//! # use nnc::runtime::pool::Pool;
//! # use std::sync::atomic::{AtomicUsize, Ordering};
//! let mut pool = Pool::new(2);
//! let sum = AtomicUsize::new(0);
//! pool.run(|thread, threads| {
//!     sum.fetch_add(10 * threads + thread, Ordering::Relaxed);
//! });
//! assert_eq!(sum.into_inner(), 41);
//! ```
//!
//! Waiting threads spin for a while and then sleep ([`wait`]). The calling thread is number 0.
//! While they work, threads flush denormals to zero ([`denormals`]); the caller's mode is restored.
//! A pool made by [`Pool::adaptive`] gives steps as many of its threads as make them fastest now
//! ([`adapt`]): beside other programs, fewer are.
//!
//! It does not share work out: compiled steps know their own shares.

mod adapt;
mod arenas;
mod denormals;
mod wait;

pub use adapt::ThreadChange;
pub use arenas::share_arenas;
pub use wait::Barrier;

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use adapt::ThreadChoice;
use denormals::FlushDenormals;
use wait::{EventCounter, WaitMode, lock};

/// A longer time between two steps is none of their doing: data that are late, a checkpoint.
const PAUSE: Duration = Duration::from_millis(20);

/// How many threads fit this machine: as many as the affinity of this one and the quota of its
/// control group allow.
pub fn default_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Threads, the caller's included.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// How many threads run the next work.
    active: usize,
    /// Chooses `active` for each step.
    choice: Option<ThreadChoice>,
    /// The program whose step ran last, and when it ended.
    last_step: Option<(usize, Instant)>,
}

impl Pool {
    /// A pool of up to `threads`, which is at least 1, for work that always takes all of them.
    /// All but the caller's own are started now. Where the system starts fewer, the pool has half of
    /// these ([`Pool::threads`]): others need some too.
    pub fn new(threads: usize) -> Pool {
        assert!(threads > 0, "a pool has at least one thread");
        let pool = Pool::start(threads);
        let started = pool.threads();
        if started == threads {
            return pool;
        }
        drop(pool);
        Pool::start((started / 2).max(1))
    }

    /// Starts up to so many threads.
    fn start(threads: usize) -> Pool {
        let patience = match threads > default_threads() {
            true => WaitMode::Sleep,
            false => WaitMode::Spin,
        };
        let shared = Arc::new(Shared {
            job: Mutex::new(PoolJob { work: None, threads: 0, stop: false }),
            started: (1..threads).map(|_| EventCounter::new(patience)).collect(),
            finished: EventCounter::new(patience),
            remaining: AtomicUsize::new(0),
            panic: Mutex::new(None),
            barrier: Barrier::new(threads, patience),
        });
        let start = |thread| {
            let shared = Arc::clone(&shared);
            let builder = thread::Builder::new().name(format!("nnc-{thread}"));
            builder.spawn(move || shared.serve(thread)).ok()
        };
        let workers: Vec<JoinHandle<()>> = (1..threads).map_while(start).collect();
        let active = 1 + workers.len();
        Pool { shared, workers, active, choice: None, last_step: None }
    }

    /// A pool whose steps ([`Pool::run_step`]) take fewer threads where that is faster.
    pub fn adaptive(threads: usize) -> Pool {
        let mut pool = Pool::new(threads);
        pool.choice = Some(ThreadChoice::new(pool.threads()));
        pool
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        1 + self.workers.len()
    }

    /// The barrier of the threads that work.
    pub fn barrier(&self) -> &Barrier {
        &self.shared.barrier
    }

    /// Runs `work(thread, threads)` on every thread and returns when all are done. A panic in one
    /// of them is passed on, after all are done.
    pub fn run(&mut self, work: impl Fn(usize, usize) + Sync) {
        self.active = self.threads();
        self.run_active(&work);
    }

    /// The same for a step of a program, which gives the same result on any number of threads: on
    /// as many as are fastest, where the pool is adaptive. `program` tells programs apart.
    pub fn run_step(&mut self, program: usize, work: impl Fn(usize, usize) + Sync) {
        let Some(choice) = &mut self.choice else { return self.run(work) };
        self.active = choice.next(program);
        // What is done between two steps counts: threads that wait for the next one can slow it.
        let now = Instant::now();
        let start = match self.last_step.take() {
            Some((last, end)) if last == program && now - end < PAUSE => end,
            _ => now,
        };
        self.run_active(&work);
        let end = Instant::now();
        self.last_step = Some((program, end));
        if let Some(choice) = &mut self.choice {
            choice.took(program, (end - start).as_secs_f64());
        }
    }

    /// The first time that steps were given fewer threads, once.
    pub fn take_change(&mut self) -> Option<ThreadChange> {
        self.choice.as_mut()?.take_change()
    }

    fn run_active(&mut self, work: &(dyn Fn(usize, usize) + Sync)) {
        let (shared, threads) = (&*self.shared, self.active);
        // SAFETY: only the lifetime changes. Workers use the reference between `started` and
        // `finished` below, and this function does not return (or unwind: `work_as` catches)
        // before all of them have counted themselves out.
        let work = unsafe {
            std::mem::transmute::<
                &(dyn Fn(usize, usize) + Sync),
                &'static (dyn Fn(usize, usize) + Sync),
            >(work)
        };
        shared.barrier.expect(threads);
        if threads > 1 {
            shared.remaining.store(threads - 1, Ordering::Relaxed);
            let mut job = lock(&shared.job);
            (job.work, job.threads) = (Some(work), threads);
            drop(job);
            shared.started[..threads - 1].iter().for_each(EventCounter::advance);
        }
        shared.work_as(0, threads, work);
        if threads > 1 {
            shared.finished.wait_until(|| shared.remaining.load(Ordering::SeqCst) == 0);
            lock(&shared.job).work = None;
        }
        let payload = lock(&shared.panic).take();
        if let Some(payload) = payload {
            shared.barrier.reset();
            panic::resume_unwind(payload);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        lock(&self.shared.job).stop = true;
        self.shared.started.iter().for_each(EventCounter::advance);
        for worker in self.workers.drain(..) {
            // A worker catches what its work throws, so it has nothing to tell here.
            let _ = worker.join();
        }
    }
}

/// State that all threads share, behind a mutex or atomics.
struct Shared {
    job: Mutex<PoolJob>,
    /// Of each worker: advances with each job that it takes part in.
    started: Vec<EventCounter>,
    /// Advances when the last worker is done.
    finished: EventCounter,
    remaining: AtomicUsize,
    /// The payload of the first panic in a thread.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    barrier: Barrier,
}

/// One call for every worker.
struct PoolJob {
    work: Option<&'static (dyn Fn(usize, usize) + Sync)>,
    /// How many threads do it.
    threads: usize,
    stop: bool,
}

impl Shared {
    /// A worker's life.
    fn serve(&self, thread: usize) {
        let mut seen = 0;
        loop {
            seen = self.started[thread - 1].wait_after(seen);
            let (work, threads) = {
                let job = lock(&self.job);
                if job.stop {
                    return;
                }
                (job.work, job.threads)
            };
            if let Some(work) = work {
                self.work_as(thread, threads, work);
                if self.remaining.fetch_sub(1, Ordering::SeqCst) == 1 {
                    self.finished.advance();
                }
            }
        }
    }

    fn work_as(&self, thread: usize, threads: usize, work: &(dyn Fn(usize, usize) + Sync)) {
        let flushed = FlushDenormals::new();
        let result = panic::catch_unwind(AssertUnwindSafe(|| work(thread, threads)));
        drop(flushed);
        if let Err(payload) = result {
            let mut first = lock(&self.panic);
            first.get_or_insert(payload);
            // The others may be waiting for this thread.
            self.barrier.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_runs_once() {
        for threads in [1, 2, 3, 8] {
            let mut pool = Pool::new(threads);
            for _ in 0..50 {
                let counts: Vec<AtomicUsize> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
                pool.run(|thread, of| {
                    assert_eq!(of, threads);
                    counts[thread].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn a_panic_is_passed_on_and_the_pool_works_again() {
        for panicking in 0..3 {
            let mut pool = Pool::new(3);
            let shared = Arc::clone(&pool.shared);
            let result = panic::catch_unwind(AssertUnwindSafe(|| {
                pool.run(|thread, _| {
                    assert_ne!(thread, panicking, "on purpose");
                    shared.barrier.wait();
                });
            }));
            let payload = result.expect_err("the panic comes through");
            let message = payload.downcast_ref::<String>().expect("a message");
            assert!(message.contains("on purpose"), "{message}");
            let ran = AtomicUsize::new(0);
            pool.run(|_, _| {
                shared.barrier.wait();
                ran.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(ran.into_inner(), 3);
        }
    }

    #[test]
    fn steps_of_an_adaptive_pool_run_on_some_of_its_threads() {
        let mut pool = Pool::adaptive(4);
        for step in 0..2000 {
            let ran = AtomicUsize::new(0);
            let shared = Arc::clone(&pool.shared);
            pool.run_step(1, |thread, threads| {
                assert!(thread < threads && threads <= 4);
                ran.fetch_add(threads, Ordering::Relaxed);
                shared.barrier.wait();
                let all = ran.load(Ordering::Relaxed);
                assert_eq!(all, threads * threads, "step {step}");
            });
        }
        let counts = AtomicUsize::new(0);
        pool.run(|_, threads| _ = counts.fetch_add(threads, Ordering::Relaxed));
        assert_eq!(counts.into_inner(), 16, "other work takes all of them");
    }
}
