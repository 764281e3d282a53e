//! Bounds on what many requests hold at once: bytes of bodies, and threads that decode.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Room for bytes, of which requests take their part.
pub(super) struct ByteRoom(AtomicUsize);

/// Bytes that were taken, until it is dropped.
pub(super) struct Taken<'r> {
    room: &'r AtomicUsize,
    bytes: usize,
}

impl ByteRoom {
    /// Of so many bytes.
    pub fn new(bytes: usize) -> ByteRoom {
        ByteRoom(AtomicUsize::new(bytes))
    }

    /// Takes bytes, if there are as many.
    pub fn take(&self, bytes: usize) -> Option<Taken<'_>> {
        let rest = |left: usize| left.checked_sub(bytes);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest);
        taken.ok().map(|_| Taken { room: &self.0, bytes })
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.room.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// Permits for work that takes memory: so many at once, others wait.
pub(super) struct Permits {
    free: Mutex<usize>,
    returned: Condvar,
}

impl Permits {
    /// So many.
    pub fn new(count: usize) -> Permits {
        Permits { free: Mutex::new(count), returned: Condvar::new() }
    }

    /// Works with a permit.
    pub fn with<T>(&self, work: impl FnOnce() -> T) -> T {
        /// Gives it back even if the work panics.
        struct Permit<'p>(&'p Permits);
        impl Drop for Permit<'_> {
            fn drop(&mut self) {
                *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                self.0.returned.notify_one();
            }
        }
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        drop(free);
        let _permit = Permit(self);
        work()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let room = ByteRoom::new(10);
        let first = room.take(7).expect("room");
        assert!(room.take(4).is_none() && room.take(usize::MAX).is_none());
        assert!(room.take(3).is_some());
        drop(first);
        assert!(room.take(10).is_some());
    }

    #[test]
    fn no_more_work_at_once_than_there_are_permits() {
        let (permits, now) = (Permits::new(2), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    permits.with(|| {
                        assert!(now.fetch_add(1, Ordering::SeqCst) < 2);
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                    });
                });
            }
        });
        assert_eq!(*permits.free.lock().expect("no panic"), 2);
    }
}
