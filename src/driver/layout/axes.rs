//! The meaning of the axes of parameters and states, by what reads them: as `check --parameters` prints it
//! and files of weights say it.
//!
//! ```text
//! dense.weight f32[784, 10]         in, out
//! conv.weight f32[3, 3, 1, 32]      kh, kw, in, out
//! embedding.weight f32[66, 256]     row, column
//! dense.bias f32[10]                channel
//! ```
//!
//! A tensor that is read in several ways, or in none of these, has no names: nothing is guessed.

use crate::graph::{Graph, NodeId, Op};
use std::collections::BTreeMap;

/// The names of the axes of each parameter and state, where they are known, by path. The graph is a
/// forward one.
pub(crate) fn axis_names(graph: &Graph) -> BTreeMap<&str, &'static str> {
    let mut names: BTreeMap<&str, Option<&'static str>> = BTreeMap::new();
    for node in graph.nodes.values() {
        for (place, &arg) in node.args.iter().enumerate() {
            let Some((path, rank, turned)) = variable(graph, arg) else { continue };
            let name = match (&node.op, place, rank) {
                (Op::MatMul { transpose_b, .. }, 1, 2) if *transpose_b == turned => "in, out",
                (Op::MatMul { .. }, 1, 2) => "out, in",
                // An adjoint convolution reads its outputs as the other's inputs.
                (Op::Conv { .. }, 1, 4) if !turned => "kh, kw, in, out",
                (Op::ConvInputGrad { .. }, 1, 4) if turned => "kh, kw, in, out",
                (Op::Conv { .. }, 1, 3) if !turned => "k, in, out",
                (Op::ConvInputGrad { .. }, 1, 3) if turned => "k, in, out",
                (Op::Gather(0), 0, 2) if !turned => "row, column",
                (Op::Broadcast(_) | Op::Binary(_) | Op::Unary(_), _, 1) => "channel",
                _ => continue,
            };
            let known = names.entry(path).or_insert(Some(name));
            if *known != Some(name) {
                *known = None;
            }
        }
    }
    names.into_iter().filter_map(|(path, name)| Some((path, name?))).collect()
}

/// The path and the rank of the parameter or state that a value is, seen through changes of its shape, and
/// whether its axes were transposed on the way.
pub(super) fn variable(graph: &Graph, mut id: NodeId) -> Option<(&str, usize, bool)> {
    let mut turned = false;
    loop {
        let node = &graph.nodes[id];
        let path = match node.op {
            Op::Param(param) => &graph.params[param].path,
            Op::State(state) => &graph.states[state].path,
            Op::Reshape(_) | Op::Transpose(_) => {
                turned ^= matches!(node.op, Op::Transpose(_));
                id = node.args[0];
                continue;
            }
            _ => return None,
        };
        return Some((path, node.ty.shape.rank(), turned));
    }
}
