//! The work after a contraction in its kernel: the part that its tile does by itself, and where it
//! writes.
//!
//! ```text
//! conv; add bias; relu; mul     the tile: conv, bias, relu      loops over what it wrote: mul
//! ```
//!
//! Which work joins a contraction is `fuse`'s business; loops are `nest`'s.

use crate::base::tensor::DType;
use crate::graph::kernels::{FusedKernel, KernelKind};
use crate::graph::view::View;
use crate::graph::{Binary, NodeId, Op};
use crate::loops::{BufferId, Space};
use crate::lower::{StepBuilder, columns, nest};

/// The work on a contraction's result that its tile does by itself.
pub struct Fused {
    /// The nodes that the tile computes; the last is what it writes.
    pub nodes: Vec<NodeId>,
    /// A vector along the columns.
    pub bias: Option<View>,
    /// Whether negative results become 0.
    pub relu: bool,
}

/// Where the tile writes: its node's buffer where that is a result, else a result's of the same
/// type, which is then computed in place.
pub fn target_buffer(step: &mut StepBuilder, kernel: &FusedKernel, last: NodeId) -> BufferId {
    let is_float = |node: &NodeId| step.graph.ty(*node).dtype == DType::F32;
    let node = match kernel.results.contains(&last) {
        true => Some(last),
        false => kernel.results.iter().copied().find(is_float),
    };
    match node {
        Some(node) => step.buffer(node),
        None => step.new_buffer(DType::F32, step.graph.elements(last), Space::Scratch),
    }
}

/// Finds a bias and a relu that the tile can apply.
pub fn fused(step: &StepBuilder, kernel: &FusedKernel, product: NodeId) -> Fused {
    let graph = step.graph;
    let mut fused = Fused { nodes: vec![product], bias: None, relu: false };
    let inside = |node: NodeId| kernel.nodes.contains(&node);
    let readers = |of: NodeId| -> Vec<NodeId> {
        let reads = |node: &NodeId| {
            graph.nodes[*node].args.iter().any(|&arg| graph.base_or(arg, inside) == of)
        };
        kernel.nodes.iter().copied().filter(reads).collect()
    };
    let mut last = product;
    if let [add] = readers(last)[..]
        && graph.nodes[add].op == Op::Binary(Binary::Add)
        && !kernel.results.contains(&last)
    {
        let other = graph.nodes[add].args.iter().copied().find(|&arg| arg != last);
        let bias = other.and_then(|arg| step.memory_view(arg, &inside));
        let direct = graph.nodes[add].args.contains(&last);
        if let (true, Some(view)) = (direct, bias) {
            let (&stride, outer) = view.strides.split_last().unwrap_or((&0, &[]));
            let n = view.extents.last().copied().unwrap_or(1);
            let is_float = graph.ty(view.base).dtype == DType::F32;
            if is_float && outer.iter().all(|&stride| stride == 0) && (stride == 1 || n == 1) {
                fused.bias = Some(view);
                fused.nodes.push(add);
                last = add;
            }
        }
    }
    if let [test, select] = readers(last)[..]
        && !kernel.results.contains(&last)
        && !kernel.results.contains(&test)
        && readers(test) == [select]
        && graph.nodes[test].op == Op::Binary(Binary::Gt)
        && graph.nodes[test].args[0] == last
        && is_zero(step, graph.nodes[test].args[1])
        && graph.nodes[select].op == Op::Where
        && graph.nodes[select].args[..2] == [test, last]
        && is_zero(step, graph.nodes[select].args[2])
    {
        fused.relu = true;
        fused.nodes.extend([test, select]);
    }
    fused
}

fn is_zero(step: &StepBuilder, node: NodeId) -> bool {
    let source = step.graph.base(node);
    matches!(step.graph.nodes[source].op, Op::Const(0.0, _))
}

/// Lowers a contraction by itself, then what follows it in loops of their own: where no loops
/// over a part of the contraction's result are loops over theirs.
pub fn apart(
    step: &mut StepBuilder,
    kernel: &FusedKernel,
    product: NodeId,
    lower: impl FnOnce(&mut StepBuilder, &FusedKernel),
) {
    let nodes: Vec<NodeId> = kernel.nodes.iter().copied().filter(|&it| it != product).collect();
    let results = kernel.results.iter().copied().filter(|&it| it != product).collect();
    step.store(product);
    let own = FusedKernel { kind: kernel.kind, nodes: vec![product], results: vec![product] };
    lower(step, &own);
    match nodes.iter().any(|&node| step.graph.sums_columns(node)) {
        true => columns::lower(step, &FusedKernel { kind: KernelKind::Columns, nodes, results }),
        false => nest::lower(step, &FusedKernel { kind: KernelKind::Rows, nodes, results }),
    }
}
