//! From loops to machine code: a [`Planned`](crate::loops::Planned) program and a [`Target`] go in, [`MachineCode`] comes
//! out: one function that all threads call for a step. The only user of Cranelift and of iced.
//!
//! ```text
//! kernel adam …   →  one Cranelift function on 128-bit vectors          `clif`, `math`
//! tile 32×10×128  →  one wide function a register block                 `tile`, `isa`
//! vector 7168     →  one wide function a long element-wise loop         `wide`, `isa`
//! actions         →  `step(context)`: each kernel on this thread's share, barriers between
//! ```
//!
//! [`emit`] makes an [`Object`], which needs nothing of the host and prints as CLIF or assembly;
//! [`jit`] links it into executable memory. Results are the same to the bit on every target, and
//! the same as `loops::interp`'s.
//!
//! Out of scope: the choice of loops and layouts (`lower` did that), questions to the machine, and
//! recovery from a wrong program: a planned one was verified, so a mistake found here is a bug and
//! panics.

pub mod abi;
pub mod c;
mod clif;
mod denormals;
pub mod isa;
pub mod jit;
pub mod linkable;
mod math;
pub mod object;
mod step;
pub mod target;
pub mod tile;
pub mod wide;

pub use abi::Context;
pub use jit::MachineCode;
pub use object::{Object, emit, emit_timed};
pub use target::{Arch, Target};
