//! The loops: how a step is computed, before any machine is chosen.
//!
//! A [`Program`] is one step as all threads run it together (SPMD): [`Action`]s in order, each a
//! kernel on some buffers or a barrier. A [`Kernel`] is a nest of loops with static extents and
//! affine accesses; it names *slots*, not buffers, so kernels of equal shape are one kernel. The
//! variable of [`Stmt::Parts`] counts parts of the work; thread `t` of `T` owns a range of
//! neighbouring parts. How many parts there are and what is in each depends on shapes alone, so
//! results do not depend on `T`.
//!
//! Scalars are in SSA form and typed `f32`, `i32` or `bool`. Inside a [`Stmt::Vector`] loop a
//! scalar is one value a lane. Contractions are [`Tile`] statements, whose registers and order
//! code generation chooses; their result is defined to the bit.
//!
//! A program that was verified and whose buffers have places is [`Planned`]; only such are compiled
//! and run.
//!
//! Programs print ([`print`]), parse back ([`read`]), can be checked ([`verify`]) and run
//! ([`interp`], which runs threads in shuffled order and fails on a race).

mod access;
pub mod builder;
pub mod footprint;
pub mod interp;
pub mod intervals;
pub mod planned;
pub mod print;
pub mod program;
pub mod read;
pub mod tile;
pub mod types;
pub mod uniform;
pub mod verify;
pub mod work;

pub use planned::Planned;
pub use program::{
    Access, Action, Affine, Binary, Buffer, BufferId, BufferPart, IfTest, Inst, Kernel, KernelId,
    Program, Reduce, Reduction, RegId, Slot, SlotId, Space, StepIo, Stmt, Unary, VarId,
};
pub use tile::{RowAxis, SumAxis, Tile};
pub use uniform::{UniformInst, Uniforms};
