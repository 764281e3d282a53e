//! nnc: a compiler and trainer for neural networks.
//!
//! A person writes one `.nn` file: data, layers, losses, optimizers, a model, how to train it. This
//! crate turns it into machine code for one whole training step (forward, backward, update) and runs
//! that on the person's data.
//!
//! # The way from text to training
//!
//! ```text
//! text ─ syntax::parse ──────────────→ a tree                     syntax::ast
//!      ─ elaborate::elaborate ───────→ a graph with its loss      graph::Graph, elaborate::Experiment
//!      ─ pass::autodiff, update ─────→ the graph of a step: gradients, and what is written
//!      ─ pass::bind … pass::fuse ────→ the same, simplified, its operators in kernels
//!      ─ lower ──────────────────────→ loops over buffers                          loops::Program
//!      ─ schedule ───────────────────→ the same, ordered, with barriers and addresses
//!      ─ codegen ────────────────────→ machine code               codegen::MachineCode
//!      ─ runtime ────────────────────→ steps on batches of data, until the weights are trained
//! ```
//!
//! [`driver`] calls these in turn (`driver/pipeline.rs` is the drawing as code), [`run`] makes a
//! training run of the compiled steps and keeps its folder, [`command`] answers what each command
//! asks for, and [`cli`] is what is typed and printed. `nnc emit-ir FILE --stage STAGE` shows what any
//! arrow leaves.
//!
//! # Terms
//!
//! - A **graph** is a list of **nodes**, each an [operator](graph::Op) on earlier nodes with a
//!   [type](graph::Type): element type and shape. It has inputs (samples), **parameters** (trained),
//!   **states** (kept from step to step, such as running means), hyper-parameters (numbers that may
//!   change from step to step), outputs, and **updates** (what a step writes).
//! - `N`, the **batch**, is a symbol of shapes until `bind` puts a number in its place.
//! - A **kernel** is a group of nodes that becomes one nest of loops. A **step** is a list of kernels
//!   with **barriers** between them, where threads wait for each other; what lies between two barriers
//!   is an **epoch** of the step, the clock of the memory plan.
//! - **Loops** are kernels as plain data: statements over **slots**, which are bound to **buffers** of
//!   the step. A **tile** is the innermost part of a contraction, which is kept in registers.
//! - A **pass** takes a graph to a graph. Whatever a pass or stage gives is verified before the next
//!   sees it; after the graph verifier, a failure is a bug of this crate, never of a user's program.
//! - The **interpreters**, of graphs and of loops, define what is right: compiled code is held against
//!   them.
//!
//! # The rooms
//!
//! In the order in which a program passes through them; each may use those that its row of the table
//! in `docs/architecture.md` names, which `tests/layering.rs` checks. `CONTRIBUTING.md` tells, place by
//! place, how an operator, a setting of `train` and a pass are added.
//!
//! # Lints
//!
//! `clippy.toml` lists what prints, exits, opens files, reads clocks or asks the environment. The
//! whole crate is denied all of it; the rooms below that may are told so where they are declared.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]

// The foundation of all rooms.
pub mod base;
// Files: how they are opened and written, and the samples in them.
#[allow(
    clippy::disallowed_methods,
    reason = "caches of downloads and images; how long a server takes"
)]
pub mod data;
#[allow(clippy::disallowed_methods, reason = "the one way to open and write files")]
pub mod files;
// Text and the two intermediate representations; they do not know one another.
pub mod graph;
pub mod loops;
pub mod syntax;
// From one to the next.
pub mod codegen;
pub mod elaborate;
pub mod lower;
pub mod onnx;
pub mod pass;
pub mod schedule;
// Mistakes and suspicions in a program, and edits that might mend them.
pub mod lint;
pub mod repair;
// Compiled code at work, and its results in pictures and pages.
pub mod report;
#[allow(clippy::disallowed_methods, reason = "times of steps, by which threads are chosen")]
pub mod runtime;
// Programs as they are typed.
pub mod editor;
// Commands of users.
#[allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the command line: arguments, environment, standard streams"
)]
pub mod cli;
#[allow(clippy::disallowed_methods, reason = "measurements, and facts about the machine")]
pub mod command;
pub mod driver;
#[allow(clippy::disallowed_methods, reason = "the folder of a run, and its clock")]
pub mod run;
