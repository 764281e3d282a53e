//! Tables of gradients of which only the rows that indices name are written and read.
//!
//! The gradient of `embedding` is a `scatter_add`: a table of zeros, but for the rows that a batch
//! uses. Where a table is large, has several rows for each index, and all that read it go through its
//! elements one by one, its zeros are never written. A flag a row says whether the row was used, and
//! readers ask it:
//!
//! ```text
//! %48 = scatter_add 0 %0, %47          sums and flags of used rows
//! %51 = mul %48, %48                   parts { for rows { used = flags[row] != 0
//! %52 = reduce_sum [0, 1] %51            if used { vector { … } } else { as for a row of zeros } } }
//! ```
//!
//! Parts, vector lanes and the order of all sums are those of the dense table, so that results have
//! its bits. Work on a row of zeros is left out where it changes nothing; that is known from the
//! kernel's expressions and tested once a kernel, on numbers that are the same for all rows
//! ([`nest`](super::nest)): a sum to which it adds 0, a parameter from which it subtracts `lr · 0`.
//! Any other table (an output, one that is read turned or in another shape, several in one kernel, short rows
//! that are all worked on) is written as a whole.

use crate::base::tensor::DType;
use crate::graph::kernels::{KernelKind, Kernels};
use crate::graph::{BoundGraph, NodeId, Op};
use crate::lower::{StepBuilder, nest};
use rustc_hash::FxHashSet;

/// Tables with fewer elements stay in a cache.
const LARGE: usize = 1 << 16;
/// How many rows a table has at least for each index.
const ROWS_AN_INDEX: usize = 4;

/// The tables whose unused rows are not written.
pub fn find(step: &mut StepBuilder, kernels: &Kernels) -> FxHashSet<NodeId> {
    let graph = step.graph;
    let moves = kernels.kernels.values().filter(|kernel| kernel.kind == KernelKind::Move);
    let mut tables: FxHashSet<NodeId> = moves
        .flat_map(|kernel| kernel.nodes.iter().copied())
        .filter(|&node| is_large(graph, node) && !step.is_in_scan(node))
        .collect();
    if tables.is_empty() {
        return tables;
    }
    for node in graph.roots().chain(graph.handed_on()) {
        tables.remove(&graph.base(node));
    }
    for kernel in kernels.kernels.values() {
        let read = nest::tables_read(step, kernel, &tables);
        let fits = match read[..] {
            [] => true,
            [(table, true)] => nest::goes_by_rows(step, kernel, table),
            _ => false,
        };
        if !fits {
            tables.retain(|table| !read.iter().any(|(read, _)| read == table));
        }
    }
    tables
}

/// Whether a node is a table of sums that is worth it, with rows of whole vectors.
fn is_large(graph: &BoundGraph, node: NodeId) -> bool {
    let Op::ScatterAdd { axis: 0, .. } = graph.nodes[node].op else { return false };
    let [rows, rest @ ..] = graph.extents(node) else { return false };
    let indices = graph.elements(graph.nodes[node].args[0]);
    let columns: usize = rest.iter().product();
    graph.ty(node).dtype == DType::F32
        && rows * columns >= LARGE
        && columns.is_multiple_of(nest::LANES)
        && *rows >= ROWS_AN_INDEX * indices
}
