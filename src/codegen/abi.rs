//! How compiled code and the runtime call each other: the types of their functions, and what a call
//! of a step is given.
//!
//! ```text
//! step(&mut Context { global, local, thread: 0, threads: 2, barrier, … })
//! ```

use std::ptr;

/// Declares a function that compiled code calls or that calls it: the System V convention on
/// x86-64, whatever the system.
macro_rules! step_abi {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) $body:block) => {
        $(#[$doc])*
        #[cfg(target_arch = "x86_64")]
        extern "sysv64" fn $name($($arg: $ty),*) $body
        $(#[$doc])*
        #[cfg(not(target_arch = "x86_64"))]
        extern "C" fn $name($($arg: $ty),*) $body
    };
}
pub(crate) use step_abi;

/// A compiled step. It may be called with a context whose blocks are as large as the program's
/// plan says, by as many threads at once as the contexts say, each with a context of its own.
#[cfg(target_arch = "x86_64")]
pub type StepFn = unsafe extern "sysv64" fn(*mut Context);
/// A compiled step. It may be called with a context whose blocks are as large as the program's
/// plan says, by as many threads at once as the contexts say, each with a context of its own.
#[cfg(not(target_arch = "x86_64"))]
pub type StepFn = unsafe extern "C" fn(*mut Context);

/// Function that compiled code calls where threads wait for each other.
#[cfg(target_arch = "x86_64")]
pub type BarrierFn = extern "sysv64" fn(*const ());
/// Function that compiled code calls where threads wait for each other.
#[cfg(not(target_arch = "x86_64"))]
pub type BarrierFn = extern "C" fn(*const ());

/// Function that timed code calls after each action.
#[cfg(target_arch = "x86_64")]
pub type MarkFn = extern "sysv64" fn(*mut (), u64);
/// Function that timed code calls after each action.
#[cfg(not(target_arch = "x86_64"))]
pub type MarkFn = extern "C" fn(*mut (), u64);

/// Arguments of one thread's call of a step. Compiled code knows the offsets of its fields.
#[repr(C)]
#[derive(Clone, Debug)]
pub struct Context {
    /// The global block.
    pub global: *mut u8,
    /// The local block: pinned and scratch buffers.
    pub local: *mut u8,
    /// This thread's own block.
    pub private: *mut u8,
    /// This thread's number.
    pub thread: u64,
    /// How many threads run the step.
    pub threads: u64,
    /// The seed of random operators.
    pub seed: u64,
    /// The step's number.
    pub step: u64,
    /// Where to wait for the other threads.
    pub barrier: BarrierFn,
    /// Argument of `barrier`.
    pub barrier_data: *const (),
    /// Function that timed code calls at its start (with 0) and after each action (with 1, 2, …).
    pub mark: MarkFn,
    /// First argument of `mark`.
    pub mark_data: *mut (),
    /// 0, or one more than the site of the first bad index that this thread met.
    pub fault_site: u64,
    /// The element of that index.
    pub fault_element: u64,
}

impl Default for Context {
    /// For one thread that waits for nobody, without memory.
    fn default() -> Self {
        Context {
            global: ptr::null_mut(),
            local: ptr::null_mut(),
            private: ptr::null_mut(),
            thread: 0,
            threads: 1,
            seed: 0,
            step: 0,
            barrier: alone,
            barrier_data: ptr::null(),
            mark: unmarked,
            mark_data: ptr::null_mut(),
            fault_site: 0,
            fault_element: 0,
        }
    }
}

step_abi! {
    /// The barrier of a single thread.
    fn alone(_data: *const ()) {}
}

step_abi! {
    /// Marks nothing.
    fn unmarked(_data: *mut (), _index: u64) {}
}

impl Context {
    /// The site and element of the first bad index that this thread met.
    pub fn fault(&self) -> Option<(u32, usize)> {
        let site = self.fault_site.checked_sub(1)?;
        Some((site as u32, self.fault_element as usize))
    }
}
