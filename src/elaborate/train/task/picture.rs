//! The numbers that a step makes of a picture's bytes before the model or a loss reads them. They are
//! what an output is compared with, so they are the target, and not the bytes.
//!
//! ```text
//! image: u8[N, 28, 28, 1] → cast → · 1/255 (→ + offset)     the last of these is the target
//! ```

use crate::base::tensor::DType;
use crate::graph::{Binary, Graph, Node, NodeId, Op};

/// The prepared numbers of an input of bytes; `None` where nothing is prepared. What prepares them
/// was made at one place, so it has one origin; what the program makes of them has others.
pub(super) fn prepared(graph: &Graph, input: &str) -> Option<NodeId> {
    let is_input = |node: &Node| {
        matches!(node.op, Op::Input(id) if graph.inputs[id].name == input)
            && node.ty.dtype == DType::U8
    };
    let (bytes, _) = graph.nodes.iter().find(|(_, node)| is_input(node))?;
    let is_cast = |node: &Node| node.op == Op::Cast(DType::F32) && node.args == [bytes];
    let (cast, made) = graph.nodes.iter().find(|(_, node)| is_cast(node))?;
    let mut last = cast;
    for (id, node) in graph.nodes.iter() {
        let is_affine = matches!(node.op, Op::Binary(Binary::Mul | Binary::Add));
        if is_affine && node.args[0] == last && node.origin == made.origin {
            last = id;
        }
    }
    (last != cast).then_some(last)
}
