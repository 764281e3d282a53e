//! Panics that are expected to be possible, as plain errors: of a pass of the compiler, of an image
//! decoder on hostile bytes.
//!
//! `caught(|| decode(bytes))` is `Ok` of what the work gives, or `Err("index out of bounds: …")`.
//! While it runs, [`inside`] is true on its thread, so that the program's panic hook can stay
//! silent. A stack that overflows and memory that runs out are not caught: nothing can.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread will be caught, and need not be printed.
pub fn inside() -> bool {
    INSIDE.get()
}

/// Runs work; a panic is its message. What the work was changing must not be used after one.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outer = INSIDE.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(outer);
    result.map_err(|panic| message(panic.as_ref()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".into())
}
