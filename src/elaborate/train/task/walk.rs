//! The values of a graph in its order, and where their elements lie beside the output's.
//!
//! ```text
//! output            f32[N, 10]    Rows
//! max of its rows   f32[N]        Row
//! the same, spread  f32[N, 10]    Rows
//! transposed        f32[10, N]    Elsewhere
//! ```

use super::form::{Atom, AtomSum};
use super::meeting::By;
use super::value::{ElementPlace, Kind, TracedValue, settled, without_last};
use crate::base::entity::Entity;
use crate::graph::{Graph, NodeId};

/// A batch that no other extent is likely to be a multiple of.
pub(super) const BATCH: usize = 10_007;

/// The roles of all values.
pub(super) struct TaskWalk<'a> {
    pub graph: &'a Graph,
    pub output: NodeId,
    /// Elements of the target for [`BATCH`] samples.
    pub target: usize,
    pub values: Vec<TracedValue>,
}

impl TaskWalk<'_> {
    /// Elements of the output for [`BATCH`] samples.
    pub fn output_elements(&self) -> usize {
        self.elements(self.output)
    }

    pub fn elements(&self, node: NodeId) -> usize {
        self.graph.ty(node).shape.at(BATCH).iter().product()
    }

    pub fn last(&self, node: NodeId) -> usize {
        self.graph.ty(node).shape.at(BATCH).last().copied().unwrap_or(1)
    }

    pub fn value(&self, id: NodeId) -> &TracedValue {
        &self.values[id.index()]
    }

    /// A value with its sum read as what it is about. `linear`: it is the loss.
    pub fn settled(&self, id: NodeId, linear: bool) -> TracedValue {
        settled(self.value(id).clone(), linear)
    }

    /// Where a node's elements lie, whose argument's lie there and are only moved.
    pub fn moved(&self, id: NodeId, arg: NodeId, place: ElementPlace) -> ElementPlace {
        let (elements, last) = (self.elements(id), self.last(id));
        let has_rows = self.graph.ty(self.output).shape.rank() > 1;
        let rows = has_rows && elements == self.output_elements() && last == self.last(self.output);
        match place {
            ElementPlace::Rows | ElementPlace::Full if rows => ElementPlace::Rows,
            ElementPlace::Rows | ElementPlace::Full if elements == self.output_elements() => {
                ElementPlace::Full
            }
            ElementPlace::Row if elements == self.elements(arg) => ElementPlace::Row,
            // Repeated along the last axis.
            ElementPlace::Row if rows && self.last(arg) == 1 => ElementPlace::Rows,
            _ => ElementPlace::Elsewhere,
        }
    }

    /// Where the results of a reduction lie.
    pub fn reduced(&self, arg: NodeId, place: ElementPlace, axes: &[usize]) -> ElementPlace {
        let rank = self.graph.ty(arg).shape.rank();
        if axes == [rank - 1] { without_last(place) } else { ElementPlace::Elsewhere }
    }

    /// Whether numbers of the target, one for each of the output's, lie in their places.
    pub fn in_place(&self, id: NodeId, place: ElementPlace) -> bool {
        let all = self.output_elements();
        matches!(place, ElementPlace::Rows | ElementPlace::Full)
            && self.elements(id) == all
            && self.target == all
    }

    /// A value of its own that is made of the output alone.
    pub fn own(&self, id: NodeId, place: ElementPlace) -> Kind {
        let atom = if place == ElementPlace::Row { Atom::Row(id) } else { Atom::Own(id) };
        Kind::Out(AtomSum::of(&[(atom, 1.0)]))
    }

    /// The role of a value of which nothing more is known.
    pub fn opaque(&self, id: NodeId, args: &[&TracedValue], place: ElementPlace) -> Kind {
        let (output, target) =
            (args.iter().any(|arg| arg.of_output()), args.iter().any(|arg| arg.of_target()));
        match (output, target) {
            (false, false) => Kind::Free,
            (true, false) => self.own(id, place),
            (false, true) => Kind::OfTarget,
            (true, true) => Kind::Unknown,
        }
    }

    /// A value as a sum that may meet the target.
    pub fn as_sum(
        &self,
        id: NodeId,
        value: &TracedValue,
    ) -> Option<(AtomSum, AtomSum, Option<By>)> {
        let plain = match &value.kind {
            Kind::Free | Kind::Counts => match value.constant() {
                Some(number) => AtomSum::of(&[(Atom::One, number)]),
                None => AtomSum::of(&[(Atom::Own(id), 1.0)]),
            },
            Kind::Out(form) => form.clone(),
            Kind::Exp(_) | Kind::Sigmoid { .. } => AtomSum::of(&[(Atom::Own(id), 1.0)]),
            Kind::OfTarget | Kind::Target { .. } | Kind::OneHot { .. } => AtomSum::default(),
            Kind::Sum { plain, chosen, by } => return Some((plain.clone(), chosen.clone(), *by)),
            Kind::Largest | Kind::Difference { .. } | Kind::Settled { .. } | Kind::Unknown => {
                return None;
            }
        };
        Some((plain, AtomSum::default(), None))
    }
}
