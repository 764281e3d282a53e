//! A scan while its body is elaborated: what its carries are by now.

use crate::base::source::Span;
use crate::graph::{CarryId, NodeId, ScanId, Type};

/// The scan whose body is elaborated.
pub(super) struct OpenScan {
    /// Its number in the graph.
    pub id: ScanId,
    /// Its carries so far.
    pub carries: Vec<OpenCarry>,
    /// How many calls were in progress where it stands.
    pub frames: usize,
}

/// A carry of it.
pub(super) struct OpenCarry {
    /// Its number in the graph.
    pub id: CarryId,
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Its value now: as the step began, or as last written.
    pub current: NodeId,
    /// Whether the body has written it.
    pub written: bool,
    /// Where it is declared.
    pub span: Span,
}
