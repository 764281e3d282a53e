//! Links an [`Object`] into executable memory: functions go in, pointers to `step` and `refresh`
//! come out.
//!
//! ```text
//! let code = link(&emit(&program, &target));
//! let step = code.step();          // for all threads to call, each with its own context
//! ```
//!
//! Code is written into pages that are writable, which then become executable and lose the right
//! to be written; they are freed with the [`MachineCode`]. Nothing here runs the code.

use std::alloc::{Layout, handle_alloc_error};

use cranelift_codegen::ir::LibCall;
use cranelift_jit::{ArenaMemoryProvider, JITBuilder, JITModule};
use cranelift_module::Module;

use super::abi::StepFn;
use crate::codegen::object::Object;
use crate::loops::Planned;

/// A program in executable memory, which is freed when this is dropped.
pub struct MachineCode {
    program: Planned,
    /// Owns the memory; taken only by `drop`.
    module: Option<JITModule>,
    step: StepFn,
    refresh: StepFn,
}

// SAFETY: after linking, the module is only kept to be freed; nothing reads it through `&Code`,
// and the pointers lead to memory that nothing writes any more.
unsafe impl Sync for MachineCode {}

impl MachineCode {
    /// The program that it was compiled from.
    pub fn program(&self) -> &Planned {
        &self.program
    }

    /// The function that computes a step. It is valid as long as this value lives.
    pub fn step(&self) -> StepFn {
        self.step
    }

    /// The function that brings derived layouts of parameters up to date.
    pub fn refresh(&self) -> StepFn {
        self.refresh
    }
}

impl Drop for MachineCode {
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
pub fn link(object: &Object) -> MachineCode {
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
        // SAFETY: only `emit` makes an `Object`; it gives the functions at these two places the
        // signature of a step.
        unsafe { std::mem::transmute::<*const u8, StepFn>(address) }
    };
    let (step, refresh) = (entry(object.step), entry(object.refresh));
    MachineCode { program: object.program.clone(), module: Some(module), step, refresh }
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
