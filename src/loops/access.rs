//! The vocabulary of statements: ids of buffers, kernels, slots, variables and registers, and an
//! element of a slot at an index that is linear in loop variables.

use crate::entity;

entity! {
    /// A buffer of a program.
    pub struct BufferId("b");
    /// A kernel of a program.
    pub struct KernelId("k");
    /// A buffer that a kernel is given: its parameters, bound to buffers where it is run.
    pub struct SlotId("s");
    /// A loop variable of a kernel.
    pub struct VarId("i");
    /// A scalar value of a kernel, assigned once; inside a vector loop, one value a lane.
    pub struct RegId("r");
}

/// An index or number that is linear in loop variables: `3 + 784·i0 + i1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Affine {
    /// The constant.
    pub offset: i64,
    /// Factors of variables; each variable once, no factor zero, ascending.
    pub terms: Vec<(VarId, i64)>,
}

/// An element of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// The slot.
    pub slot: SlotId,
    /// The element.
    pub index: Affine,
}
