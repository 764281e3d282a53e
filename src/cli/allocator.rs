//! Ends the program where the system gives no more memory with a message and an exit code, as of
//! any other limit, instead of the signal that Rust ends a process with.
//!
//! ```text
//! ulimit -v 100000; nnc run large.nn      error: there is no memory left …      exit code 1
//! ```
//!
//! Most of what a command needs is known before, and refused with a place in the program; what the
//! compiler itself needs is not.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, which remembers what it could not give. `src/main.rs` makes it that of the
/// program.
#[derive(Debug)]
pub struct Allocator;

/// Bytes of the last request that was refused; 0 while there is none.
static REFUSED: AtomicUsize = AtomicUsize::new(0);

fn noted(memory: *mut u8, bytes: usize) -> *mut u8 {
    if memory.is_null() {
        REFUSED.store(bytes.max(1), Ordering::Relaxed);
    }
    memory
}

// SAFETY: every call goes to the system's allocator as it came, and so does what that gives.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract, which is the system's.
        noted(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        noted(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        noted(unsafe { System.realloc(memory, layout, size) }, size)
    }
}

/// From now on, a process that ends since memory was refused says so and has exit code 1.
pub(super) fn explain_refusals() {
    #[cfg(unix)]
    // SAFETY: the handler does only what a handler may: it reads an atomic, writes and exits.
    unsafe {
        libc::signal(libc::SIGABRT, aborted as *const () as libc::sighandler_t);
    }
}

/// Whether the system would give some memory now. What is not Rust's own allocates too: the pages of
/// compiled code, the runtime that unwinds a panic.
#[cfg(unix)]
fn is_memory_left() -> bool {
    const BYTES: usize = 64 << 20;
    // SAFETY: new pages, which nobody else has; those that are given are given back.
    unsafe {
        let (rights, kind) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let pages = libc::mmap(std::ptr::null_mut(), BYTES, rights, kind, -1, 0);
        pages != libc::MAP_FAILED && libc::munmap(pages, BYTES) == 0
    }
}

/// Ends the process where it was memory that was missing; anything else ends it as before.
#[cfg(unix)]
extern "C" fn aborted(_signal: libc::c_int) {
    const TEXT: &[u8] = b"error: there is no memory left: a limit (`ulimit -v`, a control group) or \
        other programs leave too little; make `batch` or the model smaller, or use fewer `--threads`\n";
    if REFUSED.load(Ordering::Relaxed) > 0 || !is_memory_left() {
        // SAFETY: the bytes are there, and both calls are allowed in a handler.
        unsafe {
            libc::write(libc::STDERR_FILENO, TEXT.as_ptr().cast(), TEXT.len());
            libc::_exit(1);
        }
    }
}
