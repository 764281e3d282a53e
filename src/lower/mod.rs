//! Lowering: from a fused graph to loops, then to loops over planned memory.
//!
//! ```text
//! kernels ─order→ ─nest, tile, columns, moves→ runs ─schedule→ actions, barriers ─plan→ offsets
//! ```
//!
//! Every kernel of the graph becomes one or a few kernels of loops. Work is cut into parts by
//! shape alone ([`partition`]), so that kernels over the same rows have the same parts and a
//! thread finds in its cache what it wrote itself; [`barrier`] proves where threads must wait for
//! each other, [`schedule`] orders kernels so that they seldom must, and [`plan`] gives buffers
//! whose lives don't overlap the same bytes. Parameters, states and their derived layouts have
//! their places in [`Globals`], shared by all programs of a run.
//!
//! A training step of a dense network comes out as three epochs: each thread takes its samples
//! forward and back to the last input gradient; the weight gradients and their squares; the norm
//! and the updates.

mod alike;
mod bands;
pub mod barrier;
mod columns;
mod conv;
mod epilogue;
pub mod globals;
mod layouts;
mod moves;
mod nest;
mod operand;
mod order;
pub mod partition;
pub mod plan;
pub mod schedule;
mod step;
mod tile;
mod title;
pub mod uniform;
mod values;
mod window;
mod writer;

pub use globals::{Global, Globals, ParamLayout};

use crate::graph::kernels::{FusedKernel, KernelKind, Kernels};
use crate::graph::{BoundGraph, NodeId, Op};
use crate::loops::{Action, Program};
pub use step::KernelInfo;
use step::StepBuilder;

/// A step as loops.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// The program; its buffers have no places before [`plan::run`].
    pub program: Program,
    /// The nodes (pick, gather, scatter) that tested indices belong to: a fault of site `s` is
    /// `sites[s]`'s.
    pub sites: Vec<NodeId>,
    /// Info on each action's kernel; `None` for barriers.
    pub purposes: Vec<Option<KernelInfo>>,
}

/// Whether a contraction is a convolution or one of its gradients.
fn is_conv(graph: &BoundGraph, kernel: &FusedKernel) -> bool {
    kernel.nodes.iter().any(|&node| {
        matches!(
            graph.nodes[node].op,
            Op::Conv { .. } | Op::ConvInputGrad { .. } | Op::ConvWeightGrad { .. }
        )
    })
}

/// Lowers a fused graph; [`plan::run`] with the same `globals` comes next. Programs of one run
/// share them; lower the training step first.
pub fn run(kernels: &Kernels, globals: &mut Globals) -> Lowered {
    let order = order::run(kernels);
    let mut step = StepBuilder::new(kernels, order.in_place, globals);
    step.begin();
    for id in order.kernels {
        let kernel = &kernels.kernels[id];
        step.begin_kernel(kernel);
        alike::lower(&mut step, kernel, lower);
        step.refresh_written(kernel);
    }
    let (mut program, runs, purposes, sites) = step.finish();
    let order = schedule::run(&program, &runs);
    let action = |step: &Option<usize>| match *step {
        Some(index) => Action::Run { kernel: runs[index].0, args: runs[index].1.clone() },
        None => Action::Barrier,
    };
    program.actions = order.iter().map(action).collect();
    let purposes = order.iter().map(|step| step.map(|index| purposes[index].clone())).collect();
    Lowered { program, sites, purposes }
}

/// Lowers a kernel by itself.
fn lower(step: &mut StepBuilder, kernel: &FusedKernel) {
    match kernel.kind {
        KernelKind::Contraction if is_conv(step.graph, kernel) => conv::lower(step, kernel),
        KernelKind::Contraction => tile::lower(step, kernel),
        KernelKind::Rows => nest::lower(step, kernel),
        KernelKind::Columns => columns::lower(step, kernel),
        KernelKind::Window => window::lower(step, kernel),
        KernelKind::Move => moves::lower(step, kernel),
    }
}
