//! Waiting for other threads: an [`EventCounter`] that is counted on, and a [`Barrier`].
//!
//! ```text
//! spin 50 µs  ─→  give the processor to whoever wants it, up to 300 µs  ─→  sleep until woken
//! ```
//!
//! Steps of small models take 50 µs and their threads meet several times in each, so a thread
//! that waits spins first: waking a sleeper costs tens of microseconds on a virtual machine. It
//! spins for longer than a wake takes, or one late thread would put the others to sleep in turn
//! and every barrier from then on would cost a wake. It does not spin for much longer: where the
//! thread that it waits for has no processor, the one that it spins on may be what that thread
//! needs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a thread spins before it offers its processor to others.
const SPIN: Duration = Duration::from_micros(50);

/// How long a thread waits before it sleeps.
const AWAKE: Duration = Duration::from_micros(300);

/// Whether waiting threads spin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitMode {
    /// There is a processor for every thread: what is waited for comes soon.
    Spin,
    /// There are more threads than processors: whoever is waited for may need this very one.
    Sleep,
}

/// A lock whose data is valid even if a thread panicked with it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A counter that threads wait for, on cache lines of its own.
#[repr(align(128))]
pub(super) struct EventCounter {
    count: AtomicUsize,
    /// How many threads sleep or are about to.
    sleepers: AtomicUsize,
    asleep: Mutex<()>,
    wake: Condvar,
    patience: WaitMode,
}

impl EventCounter {
    pub(super) fn new(patience: WaitMode) -> EventCounter {
        EventCounter {
            count: AtomicUsize::new(0),
            sleepers: AtomicUsize::new(0),
            asleep: Mutex::new(()),
            wake: Condvar::new(),
            patience,
        }
    }

    /// Counts one on and wakes the sleepers.
    pub(super) fn advance(&self) {
        // Sequentially consistent with the sleeper's own pair below: either the sleeper sees the
        // new count, or this thread sees the sleeper.
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            self.wake_all();
        }
    }

    fn wake_all(&self) {
        drop(lock(&self.asleep));
        self.wake.notify_all();
    }

    /// Waits until the count is no longer `seen`, and returns it.
    pub(super) fn wait_after(&self, seen: usize) -> usize {
        self.wait_until(|| self.count.load(Ordering::SeqCst) != seen);
        self.count.load(Ordering::SeqCst)
    }

    /// Waits for a condition that becomes true before an `advance`; it must be made of sequentially
    /// consistent loads.
    pub(super) fn wait_until(&self, done: impl Fn() -> bool) {
        if self.wait_awake(&done) {
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

    /// Waits without sleeping; whether the condition became true.
    fn wait_awake(&self, done: &impl Fn() -> bool) -> bool {
        if done() {
            return true;
        }
        if self.patience == WaitMode::Sleep {
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
            let waited = start.elapsed();
            if waited > AWAKE {
                return false;
            }
            if waited > SPIN {
                thread::yield_now();
            }
        }
    }
}

/// A point that no thread passes before all are there. It can be used again and again.
pub struct Barrier {
    /// How many threads meet.
    threads: AtomicUsize,
    arrived: AtomicUsize,
    /// Advances when all are there.
    passed: EventCounter,
    /// Whether a thread will never come.
    abandoned: AtomicBool,
}

impl Barrier {
    pub(super) fn new(threads: usize, patience: WaitMode) -> Barrier {
        Barrier {
            threads: AtomicUsize::new(threads),
            arrived: AtomicUsize::new(0),
            passed: EventCounter::new(patience),
            abandoned: AtomicBool::new(false),
        }
    }

    /// From now on, so many threads meet. No thread is at the barrier; those that will come learn
    /// of it by whatever sends them.
    pub(super) fn expect(&self, threads: usize) {
        self.threads.store(threads, Ordering::Relaxed);
    }

    /// Waits for the others. What they wrote before is visible after.
    ///
    /// # Panics
    ///
    /// When another thread of the pool has panicked and will not come.
    pub fn wait(&self) {
        let threads = self.threads.load(Ordering::Relaxed);
        let seen = self.passed.count.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == threads {
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

    /// Tells all that wait that a thread will not come.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::SeqCst);
        self.passed.wake_all();
    }

    /// Makes the barrier good again, when no thread is at it.
    pub(super) fn reset(&self) {
        self.arrived.store(0, Ordering::SeqCst);
        self.abandoned.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::pool::Pool;
    use std::sync::Arc;

    #[test]
    fn nobody_passes_a_barrier_before_all_are_there() {
        for threads in [1, 2, 3, 8] {
            let mut pool = Pool::new(threads);
            let shared = Arc::clone(&pool.shared);
            let barrier = &shared.barrier;
            let arrived = AtomicUsize::new(0);
            pool.run(|_, threads| {
                for round in 1..=300 {
                    arrived.fetch_add(1, Ordering::Relaxed);
                    barrier.wait();
                    assert_eq!(arrived.load(Ordering::Relaxed), round * threads);
                    barrier.wait();
                }
            });
        }
    }
}
