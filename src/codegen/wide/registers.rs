//! Which vector register holds which value of a wide loop.
//!
//! Values of an element take a register from their op to their last use. What is the same for all
//! elements stays in a register for the whole loop as long as there are some, the most used first;
//! the rest is broadcast from memory where it is needed, into one of three registers that are kept
//! for that. A loop whose elements need more registers than there are does not fit.

use super::{LaneOp, ValueId, WideLoop};
use crate::codegen::isa::{Vector, WideIsa};

/// Registers kept for operands that are broadcast where they are used.
pub const SCRATCH: usize = 3;

/// Where values are.
pub struct Registers {
    /// The register of each value that has one.
    pub of: Vec<Option<Vector>>,
    /// The registers for what is broadcast where it is used.
    pub scratch: [Vector; SCRATCH],
}

/// Whether a loop's values fit the registers.
pub fn fit(isa: &dyn WideIsa, wide: &WideLoop) -> bool {
    assign(isa, wide).is_some()
}

/// The registers of all values; `None` where there are too few.
pub fn assign(isa: &dyn WideIsa, wide: &WideLoop) -> Option<Registers> {
    let mut last = vec![0; wide.ops.len()];
    let mut uses = vec![0; wide.ops.len()];
    for (at, op) in wide.ops.iter().enumerate() {
        for arg in op.args() {
            last[arg] = at;
            uses[arg] += 1;
        }
    }
    let mut of = vec![None; wide.ops.len()];
    let mut free: Vec<Vector> = Vec::new();
    let mut taken = 0;
    for (at, op) in wide.ops.iter().enumerate() {
        // A result never lies in a register that its own op reads, so that the instruction may
        // write it before it has read everything.
        if !op.is_invariant() && !matches!(op, LaneOp::Store { .. }) {
            let register = free.pop().unwrap_or_else(|| {
                taken += 1;
                taken - 1
            });
            of[at] = Some(register);
            if uses[at] == 0 {
                free.push(register);
            }
        }
        let mut ended: Vec<ValueId> = op.args().filter(|&arg| last[arg] == at).collect();
        ended.sort_unstable();
        ended.dedup();
        free.extend(ended.into_iter().filter_map(|arg| of[arg]));
    }
    let masked = !wide.extent.is_multiple_of(isa.limits().lanes);
    let spare = isa.registers(masked).checked_sub(taken + SCRATCH)?;
    let mut invariant: Vec<ValueId> =
        (0..wide.ops.len()).filter(|&at| wide.ops[at].is_invariant() && uses[at] > 0).collect();
    invariant.sort_by_key(|&at| std::cmp::Reverse(uses[at]));
    for (index, &at) in invariant.iter().take(spare).enumerate() {
        of[at] = Some(taken + SCRATCH + index);
    }
    Some(Registers { of, scratch: [taken, taken + 1, taken + 2] })
}
