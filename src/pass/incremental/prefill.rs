//! The first positions of a text in one step: from the model's whole window, what the step of one
//! position would have kept after so many of them.
//!
//! ```text
//! model      tokens: i32[1, 64]              prefill of 32 positions
//!  keys      f32[1, 4, 64, 32]                state generate.kept.0 ← keys; later ones have no influence
//!  carries   f32[1, 256] in each of 64 steps  state generate.kept.1 ← the carry behind step 31
//!  output    f32[1, 64, 66]                   output f32[1, 1, 66], that of position 31
//! ```

use super::KEPT;
use crate::base::entity::Entity;
use crate::graph::{Graph, NodeId, Op, Range, ScanId, State, StateId, UpdateTarget};
use crate::pass::emit::Emit;

/// The values of the model that a state of the step holds after some positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeptPart {
    /// All of a value; positions that were not computed yet are not read.
    Whole(NodeId),
    /// The newest positions of a value along an axis, so many; zeros before the first.
    Newest { value: NodeId, axis: usize, count: usize },
    /// The value that a scan hands from the newest step to the next.
    Carry { next: NodeId, scan: ScanId },
}

/// The graph that computes the first `count` positions of a window at once, and gives the output of
/// the last of them; `parts` are those of the last states of `step`, in order.
pub(super) fn run(model: &Graph, step: &Graph, parts: &[KeptPart], count: usize) -> Graph {
    let mut emit = Emit::resume(model.clone());
    emit.builder.graph.outputs.clear();
    for (number, part) in parts.iter().enumerate() {
        let index = model.states.len() + number;
        let state: &State = &step.states[StateId::from_index(index)];
        debug_assert!(state.path.starts_with(KEPT), "a state of the step");
        let value = match *part {
            KeptPart::Whole(value) => value,
            KeptPart::Newest { value, axis, count: newest } => {
                let mut amounts = vec![(0, 0); emit.shape(value).rank()];
                amounts[axis] = (newest, 0);
                let padded = emit.op(Op::Pad { amounts, value: 0.0 }, &[value]);
                emit.slice_axis(padded, axis, Range { start: count, len: Some(newest), step: 1 })
            }
            KeptPart::Carry { next, scan } => {
                let steps = emit.op(Op::ScanStack(scan), &[next]);
                let newest = emit.slice_axis(steps, 0, at(count - 1));
                emit.reshape(newest, &state.ty.shape)
            }
        };
        let state = emit.builder.state(state.clone());
        let Op::State(id) = emit.graph().nodes[state].op else { unreachable!("a state") };
        emit.builder.update(UpdateTarget::State(id), value);
    }
    for output in &model.outputs {
        let last = emit.slice_axis(output.node, 1, at(count - 1));
        emit.builder.output(output.name.clone(), last);
    }
    emit.finish()
}

fn at(position: usize) -> Range {
    Range { start: position, len: Some(1), step: 1 }
}
