//! Small vectors of which every thread has its own copy: what follows the totals of columns.
//!
//! Takes a kernel of element-wise work; where all that it reads is each thread's own (totals,
//! vectors like this one) or does not change before it (inputs, parameters), every thread
//! computes it for itself, which costs no barrier. What the step keeps (states, parameters,
//! outputs) is written once, by parts, from the same expressions.
//!
//! ```text
//! scale = weight · rsqrt(variance + 1e-5)    parts 0, thread buffer
//! running = running + 0.1·(mean - running)   parts, global buffer
//! ```

use crate::graph::domain::{Domain, MOST_KEPT};
use crate::graph::kernels::FusedKernel;
use crate::graph::{NodeId, OpKind};
use crate::loops::Space;
use crate::lower::StepBuilder;
use crate::lower::nest::Nest;
use crate::lower::values::NestValues;
use crate::lower::writer::KernelWriter;

/// Lowers what of a kernel every thread computes for itself; gives the rest, if any.
pub fn lower(step: &mut StepBuilder, kernel: &FusedKernel, domain: &Domain) -> Option<FusedKernel> {
    let total: usize = domain.axes.iter().product();
    if domain.reduces || total > MOST_KEPT || !follows_totals(step, kernel) {
        return Some(kernel.clone());
    }
    let (kept, own): (Vec<NodeId>, Vec<NodeId>) =
        kernel.results.iter().partition(|&&node| step.outlives(node));
    let rest = (!kept.is_empty()).then(|| FusedKernel { results: kept, ..kernel.clone() });
    if own.is_empty() {
        return rest;
    }
    for &result in &own {
        step.thread_buffer(result);
    }
    let vectors = FusedKernel { results: own, ..kernel.clone() };
    let writer = KernelWriter::new(step.title(kernel), 0);
    let values = NestValues::new(step, writer, domain.clone(), &kernel.nodes);
    let mut nest = Nest::new(values, &vectors, &[]);
    nest.row(0);
    nest.finish();
    rest
}

/// Whether all that a kernel reads from memory is each thread's own or constant, and some of it
/// a vector of each thread's own.
fn follows_totals(step: &mut StepBuilder, kernel: &FusedKernel) -> bool {
    let graph = step.graph;
    let mut open: Vec<NodeId> = Vec::new();
    for &node in &kernel.nodes {
        open.extend(&graph.nodes[node].args);
    }
    let mut found = false;
    while let Some(node) = open.pop() {
        let source =
            graph.base_or(node, |node| kernel.nodes.contains(&node) || step.in_memory(node));
        if kernel.nodes.contains(&source) {
            continue;
        }
        if graph.nodes[source].op.kind() == OpKind::Given {
            continue;
        }
        if !step.in_memory(source) {
            open.extend(&graph.nodes[source].args);
            continue;
        }
        let buffer = step.buffer(source);
        if step.program.buffers[buffer].space != Space::Thread {
            return false;
        }
        found |= graph.elements(source) > 1;
    }
    found
}
