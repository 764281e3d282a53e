//! How many threads there are: what is asked for, and what the system gives.
//!
//! ```text
//! ulimit -v 700000; nnc run a.nn --threads 1000     note: the system has room for 36 of 1000 threads
//! ```
//!
//! Results do not depend on the number of threads, so a limit of processes or of memory makes a
//! command slower and nothing else.

use super::memory;
use crate::base::shown::Show;
use crate::driver::Failure;
use crate::runtime::pool::{self, Pool};
use std::sync::{Mutex, Once};
use std::thread::{self, Builder};

/// Most threads that can be asked for.
const MOST: u16 = 1024;
/// Bytes of address space that a thread takes: its stack, and what `malloc` keeps for it.
const THREAD_BYTES: usize = 4 << 20;
/// Bytes of address space that the smallest of models needs to be compiled.
const LEAST: usize = 24 << 20;
/// The part of the address space that threads may take: one in so many.
const SHARE: usize = 4;

/// Makes the most of little address space, or says that it is too little for any command. Must be
/// called before any thread is started.
pub(super) fn spare_address_space() -> Result<(), Failure> {
    let Some(bytes) = memory::address_space() else { return Ok(()) };
    pool::share_arenas();
    match bytes < LEAST {
        true => Err(Failure::Io(format!(
            "there is too little memory: {} MB of address space are left by a limit (`ulimit -v`), \
             and {} MB are needed at least",
            bytes >> 20,
            LEAST >> 20
        ))),
        false => Ok(()),
    }
}

/// Starts the threads that data are read and programs are compiled on, which must be before those of
/// a pool; from the second time on, it does nothing.
pub(super) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(start_rayon);
}

fn start_rayon() {
    // Rayon panics where the system does not start the threads that it wants.
    let threads = startable(pool::default_threads());
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1));
    let builder = if threads == 0 { builder.use_current_thread() } else { builder };
    // It fails only where threads have become scarce since.
    let _ = builder.build_global();
}

/// How many threads, up to so many, the system starts at once.
fn startable(wanted: usize) -> usize {
    let held = Mutex::new(());
    thread::scope(|scope| {
        let hold = held.lock();
        let start = |_| Builder::new().spawn_scoped(scope, || drop(held.lock())).ok();
        let started = (0..wanted).map_while(start).count();
        drop(hold);
        started
    })
}

/// Threads where no flag says how many: `NNC_THREADS`, if that is set.
pub(super) fn from_environment() -> Result<Option<u16>, Failure> {
    let value = std::env::var_os("NNC_THREADS").filter(|value| !value.is_empty());
    let Some(value) = value else { return Ok(None) };
    let number = value.to_str().and_then(|text| text.parse().ok());
    match number.filter(|number| (1..=MOST).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(Failure::Io(format!(
            "NNC_THREADS is `{}`; it must be a number from 1 to {MOST}",
            value.shown()
        ))),
    }
}

/// The number of threads that is asked for: what the flag says, or the environment, or the machine.
pub(super) fn threads(flag: Option<u16>) -> usize {
    // A value that is none has ended the program before.
    let wanted = flag.or_else(|| from_environment().ok().flatten());
    wanted.map_or_else(pool::default_threads, usize::from)
}

/// A pool made by `new` of so many threads, or of as many as there can be; says so where these are
/// fewer.
pub(super) fn pool(new: fn(usize) -> Pool, wanted: usize) -> Pool {
    let (pool, note) = pool_and_note(new, wanted);
    if let Some(note) = note {
        eprintln!("{note}");
    }
    pool
}

/// The same; what to say where the pool has fewer.
pub(super) fn pool_and_note(new: fn(usize) -> Pool, wanted: usize) -> (Pool, Option<String>) {
    let room = memory::address_space().map(|bytes| bytes / SHARE / THREAD_BYTES);
    let pool = new(wanted.min(room.unwrap_or(wanted)).max(1));
    let started = pool.threads();
    let note = || {
        format!(
            "note: the system has room for {started} of {wanted} threads, which are used; there is a \
             limit of processes or of memory (`ulimit -u`, `ulimit -v`)"
        )
    };
    let note = (started < wanted).then(note);
    (pool, note)
}
