//! Convolutions: forward, input gradient and weight gradient as tiles, without copying windows out.
//!
//! Takes a contraction kernel whose product is a convolution; gives its loops. Activations are
//! `[N, H, W, C]`, weights `[kh, kw, in / groups, out]`.
//!
//! ```text
//! y  = conv x, w            slide         rows image, oh, ow    sum kh, kw·in        n out
//! dx = input gradient       slide         rows image, h, w      sum kh, kw, out      n in
//! dw = weight gradient      weight_grad   rows kh, kw·in        sum image, oh, ow    n out
//! max_pool relu(y + b)      pooled        as slide, in a thread's buffer; then the largest
//! ```
//!
//! Borders are written by [`crate::lower::operand`], images are cut by [`crate::lower::bands`].
//! Depthwise convolutions are no contractions: `window` writes them.

mod pooled;
mod slide;
mod taps;
mod weight_grad;
mod weights;

use crate::graph::kernels::FusedKernel;
use crate::graph::{NodeId, Op, OpKind};
use crate::lower::StepBuilder;
use slide::ConvSlide;
use weight_grad::WeightGrad;

/// Writes a convolution and what follows it, and runs it.
pub fn lower(step: &mut StepBuilder, kernel: &FusedKernel) {
    let is_convolution = |node: &NodeId| step.graph.nodes[*node].op.kind() == OpKind::Convolution;
    let node = kernel.nodes.iter().copied().rfind(is_convolution).expect("a convolution");
    let args = &step.graph.nodes[node].args;
    let (first, second) = (args[0], args[1]);
    let slide = |operand: NodeId, weight: NodeId, backward: bool, window, groups| ConvSlide {
        node,
        operand,
        weight,
        backward,
        window,
        groups,
    };
    match step.graph.nodes[node].op {
        Op::Conv { window, groups } => {
            let slide = slide(first, second, false, window, groups);
            match pooled::pools(step.graph, kernel) {
                Some(pools) => pooled::lower(step, kernel, &slide, &pools),
                None => slide::lower(step, kernel, &slide),
            }
        }
        Op::ConvInputGrad { window, groups, extents: _ } => {
            slide::lower(step, kernel, &slide(first, second, true, window, groups));
        }
        Op::ConvWeightGrad { window, groups } => {
            let grad = WeightGrad { node, args: [first, second], window, groups };
            weight_grad::lower(step, kernel, &grad);
        }
        ref other => unreachable!("{node} {other:?} is no convolution"),
    }
}
