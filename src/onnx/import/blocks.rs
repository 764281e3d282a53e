//! Parts of a network that are alike, each as one layer of the program.

use super::net::{Net, NetId};

/// A layer of the program that stands for a part of the network, wherever it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    pub calls: Vec<BlockCall>,
}

/// A part of the network.
#[derive(Clone, Debug)]
pub(super) struct BlockCall {
    /// Which layer it is.
    pub layer: usize,
    /// Its nodes, in order.
    pub members: Vec<NetId>,
    /// The value that it reads.
    pub input: NetId,
}

/// Finds the parts that are alike.
pub(super) fn blocks(_net: &Net) -> Blocks {
    Blocks::default()
}
