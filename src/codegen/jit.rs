//! Links an [`Object`] into executable memory: functions go in, pointers to `step` and `refresh`
//! come out.
//!
//! ```text
//! let code = link(&emit(&program, &target));
//! let step = code.step();          // for all threads to call, each with its own context
//! ```
//!
//! Code is written into pages that are writable, which then become executable and lose the right
//! to be written; they are freed with the [`Code`]. Nothing here runs the code.

use std::alloc::{Layout, handle_alloc_error};
use std::ptr;

use cranelift_codegen::ir::LibCall;
use cranelift_jit::{ArenaMemoryProvider, JITBuilder, JITModule};
use cranelift_module::Module;

use crate::codegen::object::Object;

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

/// What compiled code calls where threads wait for each other.
#[cfg(target_arch = "x86_64")]
pub type BarrierFn = extern "sysv64" fn(*const ());
/// What compiled code calls where threads wait for each other.
#[cfg(not(target_arch = "x86_64"))]
pub type BarrierFn = extern "C" fn(*const ());

/// What timed code calls after each action.
#[cfg(target_arch = "x86_64")]
pub type MarkFn = extern "sysv64" fn(*mut (), u64);
/// What timed code calls after each action.
#[cfg(not(target_arch = "x86_64"))]
pub type MarkFn = extern "C" fn(*mut (), u64);

/// What one thread's call of a step is given. Compiled code knows the offsets of its fields.
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
    /// What `barrier` is given.
    pub barrier_data: *const (),
    /// What timed code calls at its start (with 0) and after each action (with 1, 2, …).
    pub mark: MarkFn,
    /// What `mark` is given first.
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

/// A program in executable memory, which is freed when this is dropped.
pub struct Code {
    /// Owns the memory; taken only by `drop`.
    module: Option<JITModule>,
    step: StepFn,
    refresh: StepFn,
}

// SAFETY: after linking, the module is only kept to be freed; nothing reads it through `&Code`,
// and the pointers lead to memory that nothing writes any more.
unsafe impl Sync for Code {}

impl Code {
    /// The function that computes a step. It is valid as long as this value lives.
    pub fn step(&self) -> StepFn {
        self.step
    }

    /// The function that brings derived layouts of parameters up to date.
    pub fn refresh(&self) -> StepFn {
        self.refresh
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: who calls the functions borrows this value or promises (by `unsafe`) that
            // it is alive, so none of them runs now or later.
            unsafe { module.free_memory() };
        }
    }
}

#[cfg(target_arch = "x86_64")]
extern "sysv64" fn fused_multiply_add(a: f32, b: f32, c: f32) -> f32 {
    libm::fmaf(a, b, c)
}
#[cfg(not(target_arch = "x86_64"))]
extern "C" fn fused_multiply_add(a: f32, b: f32, c: f32) -> f32 {
    libm::fmaf(a, b, c)
}

/// Puts an object into memory. Its target must be one that this machine supports.
pub fn link(object: &Object) -> Code {
    assert!(object.target.supported_on_host(), "code for {} runs here", object.target.name());
    let mut builder = JITBuilder::with_isa(object.target.cranelift_isa(), Box::new(libcall_name));
    builder.symbol(FMA_SYMBOL, fused_multiply_add as *const u8);
    // Functions start at multiples of 64 bytes or less; pages round up once more.
    let bytes: usize = object.functions.iter().map(|function| function.code.len()).sum();
    let reserved = bytes + 64 * (object.functions.len() + 1) + (64 << 10);
    let arena = ArenaMemoryProvider::new_with_size(reserved)
        .unwrap_or_else(|_| handle_alloc_error(Layout::array::<u8>(reserved).expect("a size")));
    builder.memory_provider(Box::new(arena));

    let mut module = JITModule::new(builder);
    let signature = module.make_signature();
    // In order, so that a function's id is its place in the object, as calls between them say.
    let ids: Vec<_> = object
        .functions
        .iter()
        .map(|_| module.declare_anonymous_function(&signature).expect("a declaration"))
        .collect();
    for (function, &id) in object.functions.iter().zip(&ids) {
        module
            .define_function_bytes(id, function.align, &function.code, &function.relocs)
            .unwrap_or_else(|error| panic!("memory for {}: {error}", function.name));
    }
    module.finalize_definitions().expect("pages become executable");
    let entry = |index: usize| {
        let address = module.get_finalized_function(ids[index]);
        // SAFETY: `emit` gave the function at this place the signature of a step.
        unsafe { std::mem::transmute::<*const u8, StepFn>(address) }
    };
    let (step, refresh) = (entry(object.step), entry(object.refresh));
    Code { module: Some(module), step, refresh }
}

const FMA_SYMBOL: &str = "fmaf";

/// The symbol of what a target without an instruction for it calls.
fn libcall_name(call: LibCall) -> String {
    match call {
        LibCall::FmaF32 => FMA_SYMBOL.to_owned(),
        // SSE 4.1 and NEON have all else that is emitted.
        other => panic!("no code calls {other}"),
    }
}
