//! Lowering: from a fused graph to loops.
//!
//! ```text
//! kernels ─order→ ─nest, tile, columns, moves→ runs of loops ─schedule→ actions, barriers
//! ```
//!
//! Every kernel of the graph becomes one or a few kernels of loops; kernels that differ only in
//! what they read and write are lowered once ([`alike`]). Work is cut into parts by shape alone
//! ([`partition`]), so that kernels over the same rows have the same parts and a thread finds in its
//! cache what it wrote itself. The order of runs, barriers and the plan of memory are
//! [`schedule`]'s.
//!
//! A training step of a dense network comes out as three epochs: each thread takes its samples
//! forward and back to the last input gradient; the weight gradients and their squares; the norm
//! and the updates.

mod alike;
mod attention;
mod bands;
mod columns;
mod conv;
mod epilogue;
mod layouts;
mod moves;
mod nest;
mod operand;
mod order;
pub mod partition;
mod scan;
mod step;
mod tile;
mod title;
pub mod uniform;
mod used_rows;
mod values;
mod window;
mod writer;

use crate::graph::kernels::{FusedKernel, KernelKind, Kernels};
use crate::graph::scan::Bodies;
use crate::graph::{BoundGraph, NodeId, OpKind};
use crate::loops::Program;
use crate::schedule::{self, Globals};
use order::Turn;
pub use step::KernelInfo;
use step::StepBuilder;
pub use title::Title;

/// A step as loops.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// The program; its buffers have no places before [`schedule::plan::run`].
    pub program: Program,
    /// The nodes (pick, gather, scatter) that tested indices belong to: a fault of site `s` is
    /// `bounds_checks[s]`'s.
    pub bounds_checks: Vec<NodeId>,
    /// Info on each action's kernel; `None` for barriers.
    pub infos: Vec<Option<KernelInfo>>,
}

/// Whether a contraction is a convolution or one of its gradients.
fn is_conv(graph: &BoundGraph, kernel: &FusedKernel) -> bool {
    kernel.nodes.iter().any(|&node| graph.nodes[node].op.kind() == OpKind::Convolution)
}

/// Lowers a fused graph; [`schedule::plan::run`] with the same `globals` comes next. Programs of one run
/// share them; lower the training step first.
pub fn run(kernels: &Kernels, globals: &mut Globals) -> Lowered {
    let bodies = Bodies::of(&kernels.graph);
    let order = order::run(kernels, &bodies);
    let mut step = StepBuilder::new(kernels, &bodies, order.in_place, globals);
    step.begin();
    step.used_rows = used_rows::find(&mut step, kernels);
    for turn in order.turns {
        match turn {
            Turn::Kernel(id) => {
                let kernel = &kernels.kernels[id];
                one(&mut step, kernel);
                step.refresh_written(kernel);
            }
            Turn::Scan(id, body) => scan::lower(&mut step, id, kernels, &bodies, &body),
        }
    }
    let (mut program, infos, bounds_checks) = step.finish();
    let order = schedule::order::run(&mut program);
    let infos = order.iter().map(|step| step.map(|index| infos[index])).collect();
    Lowered { program, bounds_checks, infos }
}

/// Lowers a kernel, or repeats what was done for one like it.
fn one<'a>(step: &mut StepBuilder<'a>, kernel: &FusedKernel) {
    step.begin_kernel(kernel);
    alike::lower(step, kernel, lower);
}

/// Lowers a kernel by itself.
fn lower(step: &mut StepBuilder, kernel: &FusedKernel) {
    match kernel.kind {
        KernelKind::Contraction if is_conv(step.graph, kernel) => conv::lower(step, kernel),
        KernelKind::Contraction => tile::lower(step, kernel),
        KernelKind::Rows => nest::lower(step, kernel),
        KernelKind::Attention => attention::lower(step, kernel),
        KernelKind::Columns => columns::lower(step, kernel),
        KernelKind::Window => window::lower(step, kernel),
        KernelKind::Move => moves::lower(step, kernel),
        // A place in memory, which its scan has made.
        KernelKind::Scan => {}
    }
}
