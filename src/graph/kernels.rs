//! A graph cut into kernels: what the `fuse` pass makes and lowering takes.
//!
//! A node is in one kernel or in none. Those in none need no code: leaves, `f64` scalars (computed
//! once a step outside the kernels), views (a value read in another order); or they are cheap (an
//! iota, a comparison with it), and each kernel that reads one computes it for itself. Kernels
//! stand in an order in which what they read comes first.

use crate::base::entity::Arena;
use crate::entity;
use crate::graph::bound::BoundGraph;
use crate::graph::op::NodeId;

entity! {
    /// A kernel of a fused graph.
    pub struct FusedKernelId("kernel");
}

/// A graph and its kernels.
#[derive(Clone, Debug)]
pub struct Kernels {
    /// The graph.
    pub graph: BoundGraph,
    /// The kernels, in order of execution.
    pub kernels: Arena<FusedKernelId, FusedKernel>,
}

/// Nodes that are computed together.
#[derive(Clone, Debug, PartialEq)]
pub struct FusedKernel {
    /// The shape of its loops.
    pub kind: KernelKind,
    /// Its nodes, arguments before uses.
    pub nodes: Vec<NodeId>,
    /// Those of its nodes that are written to memory: read by other kernels, outputs, updates.
    pub results: Vec<NodeId>,
}

/// The loop nests that lowering knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelKind {
    /// A contraction (the first node), then element-wise work on its result.
    Contraction,
    /// Element-wise work over one shape, with reductions over its last axes in between: softmax
    /// with cross-entropy and its gradient, layer norm, an optimiser's update.
    Rows,
    /// Products that make scores, work on rows of these, products that read them: attention, forward
    /// or backward. A block of rows at a time, so that scores need no memory of their own.
    Attention,
    /// A reduction over other axes than the last (a bias's gradient, a batch's mean) of
    /// element-wise work on its inputs.
    Columns,
    /// Windows over images: pooling and its gradients, a convolution of each channel by itself.
    Window,
    /// Elements moved: transposed, sliced, joined, padded, gathered, scattered.
    Move,
    /// A slice, carry or stack of a scan: a place in memory that a step reads or writes.
    Scan,
}
