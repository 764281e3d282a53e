//! Threads that wait for work: what goes in is a closure, which every thread of the [`Pool`] runs
//! once, at the same time, with its number.
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
//! A step takes a tenth of a millisecond, so waiting threads spin first and sleep only when
//! nothing comes; with more threads than processors they do not spin. The calling thread is
//! number 0. While they work, threads flush denormals to zero; the caller's mode is restored.
//!
//! It does not share work out: compiled steps know their own shares.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a thread spins for something that should come at once, before it sleeps.
///
/// Long against a step: waking a sleeper takes tens of microseconds on a virtual machine, in which
/// the others would fall asleep in turn, and every barrier would cost a wake from then on.
const SPIN: Duration = Duration::from_millis(5);

/// How many threads fit this machine: as many as the affinity of this one and the quota of its
/// control group allow.
pub fn default_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Threads, the caller's included.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    /// A pool of `threads`, which is at least 1; all but the caller's own are started now.
    pub fn new(threads: usize) -> Pool {
        assert!(threads > 0, "a pool has at least one thread");
        let spin = if threads > default_threads() { Duration::ZERO } else { SPIN };
        let shared = Arc::new(Shared {
            threads,
            job: Mutex::new(Job { work: None, stop: false }),
            started: Event::new(spin),
            finished: Event::new(spin),
            remaining: AtomicUsize::new(0),
            panic: Mutex::new(None),
            barrier: Barrier::new(threads, spin),
        });
        let start = |thread| {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("nnc-{thread}"))
                .spawn(move || shared.serve(thread))
                .expect("the system starts a thread")
        };
        let workers = (1..threads).map(start).collect();
        Pool { shared, workers }
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.shared.threads
    }

    /// The barrier of this pool's threads.
    pub fn barrier(&self) -> &Barrier {
        &self.shared.barrier
    }

    /// Runs `work(thread, threads)` on every thread and returns when all are done. A panic in one
    /// of them is passed on, after all are done.
    pub fn run(&mut self, work: impl Fn(usize, usize) + Sync) {
        let shared = &*self.shared;
        let work: &(dyn Fn(usize, usize) + Sync) = &work;
        // SAFETY: only the lifetime changes. Workers use the reference between `started` and
        // `finished` below, and this function does not return (or unwind: `work_as` catches)
        // before all of them have counted themselves out.
        let work = unsafe {
            std::mem::transmute::<
                &(dyn Fn(usize, usize) + Sync),
                &'static (dyn Fn(usize, usize) + Sync),
            >(work)
        };
        if shared.threads > 1 {
            shared.remaining.store(shared.threads - 1, Ordering::Relaxed);
            lock(&shared.job).work = Some(work);
            shared.started.advance();
        }
        shared.work_as(0, work);
        if shared.threads > 1 {
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
        self.shared.started.advance();
        for worker in self.workers.drain(..) {
            // A worker catches what its work throws, so it has nothing to tell here.
            let _ = worker.join();
        }
    }
}

/// What all threads see.
struct Shared {
    threads: usize,
    job: Mutex<Job>,
    /// Advances with each job.
    started: Event,
    /// Advances when the last worker is done.
    finished: Event,
    remaining: AtomicUsize,
    /// What the first thread to panic threw.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    barrier: Barrier,
}

/// What workers are to do.
struct Job {
    work: Option<&'static (dyn Fn(usize, usize) + Sync)>,
    stop: bool,
}

impl Shared {
    /// A worker's life.
    fn serve(&self, thread: usize) {
        let mut seen = 0;
        loop {
            seen = self.started.wait_after(seen);
            let work = {
                let job = lock(&self.job);
                if job.stop {
                    return;
                }
                job.work
            };
            if let Some(work) = work {
                self.work_as(thread, work);
                if self.remaining.fetch_sub(1, Ordering::SeqCst) == 1 {
                    self.finished.advance();
                }
            }
        }
    }

    fn work_as(&self, thread: usize, work: &(dyn Fn(usize, usize) + Sync)) {
        let flushed = FlushDenormals::new();
        let result = panic::catch_unwind(AssertUnwindSafe(|| work(thread, self.threads)));
        drop(flushed);
        if let Err(payload) = result {
            let mut first = lock(&self.panic);
            first.get_or_insert(payload);
            // The others may be waiting for this thread.
            self.barrier.abandon();
        }
    }
}

/// A lock whose data is valid even if a thread panicked with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A counter that threads wait for: they spin, then sleep.
struct Event {
    count: AtomicUsize,
    /// How many threads sleep or are about to.
    sleepers: AtomicUsize,
    asleep: Mutex<()>,
    wake: Condvar,
    spin: Duration,
}

impl Event {
    fn new(spin: Duration) -> Event {
        Event {
            count: AtomicUsize::new(0),
            sleepers: AtomicUsize::new(0),
            asleep: Mutex::new(()),
            wake: Condvar::new(),
            spin,
        }
    }

    /// Counts one on and wakes who sleeps.
    fn advance(&self) {
        // Sequentially consistent with the sleeper's own pair below: either the sleeper sees the
        // new count, or this thread sees the sleeper.
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(lock(&self.asleep));
            self.wake.notify_all();
        }
    }

    /// Waits until the count is no longer `seen`, and returns it.
    fn wait_after(&self, seen: usize) -> usize {
        self.wait_until(|| self.count.load(Ordering::SeqCst) != seen);
        self.count.load(Ordering::SeqCst)
    }

    /// Waits for a condition that becomes true before an `advance`; it must be made of sequentially
    /// consistent loads.
    fn wait_until(&self, done: impl Fn() -> bool) {
        if self.spin_until(&done) {
            return;
        }
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let mut guard = lock(&self.asleep);
        while !done() {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    fn spin_until(&self, done: &impl Fn() -> bool) -> bool {
        if done() {
            return true;
        }
        if self.spin.is_zero() {
            // Whoever is waited for may need this very processor.
            thread::yield_now();
            return done();
        }
        let start = Instant::now();
        loop {
            // The clock costs more than a look at the condition.
            for _ in 0..64 {
                if done() {
                    return true;
                }
                std::hint::spin_loop();
            }
            if start.elapsed() > self.spin {
                return false;
            }
        }
    }
}

/// A point that no thread passes before all are there. It can be used again and again.
pub struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    /// Advances when all are there.
    passed: Event,
    /// Whether a thread will never come.
    abandoned: AtomicBool,
}

impl Barrier {
    fn new(threads: usize, spin: Duration) -> Barrier {
        Barrier {
            threads,
            arrived: AtomicUsize::new(0),
            passed: Event::new(spin),
            abandoned: AtomicBool::new(false),
        }
    }

    /// Waits for the others. What they wrote before is visible after.
    ///
    /// # Panics
    ///
    /// When another thread of the pool has panicked and will not come.
    pub fn wait(&self) {
        let seen = self.passed.count.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            // No thread adds again before it has seen `passed` advance.
            self.arrived.store(0, Ordering::Relaxed);
            self.passed.advance();
        } else {
            self.passed.wait_until(|| {
                self.passed.count.load(Ordering::SeqCst) != seen
                    || self.abandoned.load(Ordering::SeqCst)
            });
            assert!(
                !self.abandoned.load(Ordering::SeqCst)
                    || self.passed.count.load(Ordering::SeqCst) != seen,
                "another thread has panicked"
            );
        }
    }

    fn abandon(&self) {
        self.abandoned.store(true, Ordering::SeqCst);
        drop(lock(&self.passed.asleep));
        self.passed.wake.notify_all();
    }

    /// Makes the barrier good again, when no thread is at it.
    fn reset(&self) {
        self.arrived.store(0, Ordering::SeqCst);
        self.abandoned.store(false, Ordering::SeqCst);
    }
}

/// While alive, this thread's arithmetic takes denormals for zero and gives zero for them.
struct FlushDenormals {
    saved: ControlWord,
}

impl FlushDenormals {
    fn new() -> FlushDenormals {
        let saved = control_word();
        set_control_word(saved | FLUSH);
        FlushDenormals { saved }
    }
}

impl Drop for FlushDenormals {
    fn drop(&mut self) {
        set_control_word(self.saved);
    }
}

#[cfg(target_arch = "x86_64")]
use x86_64::{ControlWord, FLUSH, control_word, set_control_word};
#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::asm;

    pub type ControlWord = u32;
    /// Flush to zero, and denormals are zero.
    pub const FLUSH: ControlWord = 1 << 15 | 1 << 6;

    pub fn control_word() -> ControlWord {
        let mut word: ControlWord = 0;
        // SAFETY: every x86-64 processor has MXCSR; the four bytes it is written to are ours.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack)) };
        word
    }

    pub fn set_control_word(word: ControlWord) {
        // SAFETY: the word came from `control_word`, with at most flush bits added. Rounding and
        // masks stay as they were; code that runs meanwhile expects denormals to be flushed.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, readonly)) };
    }
}

#[cfg(target_arch = "aarch64")]
use aarch64::{ControlWord, FLUSH, control_word, set_control_word};
#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use std::arch::asm;

    pub type ControlWord = u64;
    /// Flush to zero.
    pub const FLUSH: ControlWord = 1 << 24;

    pub fn control_word() -> ControlWord {
        let word: ControlWord;
        // SAFETY: reading FPCR has no effect.
        unsafe { asm!("mrs {}, fpcr", out(reg) word, options(nostack, nomem)) };
        word
    }

    pub fn set_control_word(word: ControlWord) {
        // SAFETY: the word came from `control_word`, with at most the flush bit added.
        unsafe { asm!("msr fpcr, {}", in(reg) word, options(nostack, nomem)) };
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
    fn nobody_passes_a_barrier_before_all_are_there() {
        for threads in [1, 2, 3, 8] {
            let mut pool = Pool::new(threads);
            let shared = Arc::clone(&pool.shared);
            let arrived = AtomicUsize::new(0);
            pool.run(|_, threads| {
                for round in 1..=300 {
                    arrived.fetch_add(1, Ordering::Relaxed);
                    shared.barrier.wait();
                    assert_eq!(arrived.load(Ordering::Relaxed), round * threads);
                    shared.barrier.wait();
                }
            });
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
    fn denormals_are_zero_inside_and_the_mode_is_restored() {
        let before = control_word();
        let mut pool = Pool::new(2);
        let nonzero = AtomicUsize::new(0);
        pool.run(|_, _| {
            let small = std::hint::black_box(f32::MIN_POSITIVE);
            if std::hint::black_box(small * 0.5).to_bits() != 0 {
                nonzero.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert_eq!(nonzero.into_inner(), 0);
        assert_eq!(control_word(), before);
        let small = std::hint::black_box(f32::MIN_POSITIVE);
        assert_ne!(std::hint::black_box(small * 0.5).to_bits(), 0);
    }
}
