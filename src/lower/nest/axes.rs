//! The axes of a nest: which are joined into one loop, and which are cut into parts.
//!
//! ```text
//! [8, 49, 64], read with strides 3136, 64, 1     one loop of 25,088
//! ```

use super::Nest;
use crate::graph::NodeId;
use crate::graph::domain::Domain;
use crate::loops::{Affine, VarId};
use crate::lower::partition::Partition;
use std::ops::Range;

/// With fewer parts than this, further axes are cut too.
const FEW_PARTS: usize = 8;
/// So many rows make parts of about equal size.
const MANY_ROWS: usize = 128;

/// A loop over joined axes: the last of them, and the extent of all.
#[derive(Clone, Copy, Debug)]
pub struct JoinedAxes {
    /// The first of them.
    pub first: usize,
    pub axis: usize,
    pub extent: usize,
}

impl Nest<'_, '_> {
    /// How the work is cut into parts: along the first axis; where that is short and all axes are
    /// joined (the update of a convolution's weight, `[3, 3, 64, 64]`), along several at once.
    pub fn partition(&mut self) -> Partition {
        let axes = &self.values.domain.axes;
        let rows = |lead: usize| axes[..lead].iter().product::<usize>();
        let own = Partition::of_axes(axes);
        if !self.flat || own.parts >= FEW_PARTS {
            return own;
        }
        while self.lead + 1 < axes.len() && rows(self.lead) < MANY_ROWS {
            self.lead += 1;
        }
        if self.lead == 1 { own } else { Partition::of(rows(self.lead)) }
    }

    /// Joins neighbouring axes that every access passes through in one step.
    pub(super) fn join_axes(&mut self, nodes: &[NodeId]) {
        let joins = self.joins(nodes);
        let domain = &self.values.domain;
        let plain = !domain.reduces || domain.rows == 0;
        let axes = domain.axes.len();
        self.flat = plain && axes > 0 && joins.iter().all(|&joins| joins);
        let (rows, reduces) = (domain.rows, domain.reduces);
        self.rows = self.joined(0..rows, &joins);
        self.cols = self.joined(rows..axes, &joins);
        if !reduces {
            self.cols.extend(self.rows.pop());
        }
    }

    /// The loops over a row's columns in one of the passes over it: those of its own accesses, so
    /// that the order of a sum does not depend on what is done in the passes behind it.
    pub(super) fn columns_of(&self, phase: usize) -> Vec<JoinedAxes> {
        let Domain { axes, rows, reduces, .. } = &self.values.domain;
        if self.cols.len() < 2 || !reduces {
            return self.cols.clone();
        }
        let joins = self.joins(&self.nodes_of(phase));
        self.joined(*rows..axes.len(), &joins)
    }

    /// For each axis but the last, whether every access of some nodes passes from it to the next in
    /// one step.
    fn joins(&self, nodes: &[NodeId]) -> Vec<bool> {
        let forms = self.values.all_forms(nodes);
        let axes = &self.values.domain.axes;
        let joins = |axis: usize| {
            let next = axes[axis + 1] as i64;
            forms.iter().all(|form| form.factors[axis] == form.factors[axis + 1] * next)
        };
        (1..axes.len()).map(|axis| joins(axis - 1)).collect()
    }

    /// Some axes, neighbours joined where they can be; the very first, which is cut into parts, only
    /// where all are one.
    fn joined(&self, some: Range<usize>, joins: &[bool]) -> Vec<JoinedAxes> {
        let mut groups: Vec<JoinedAxes> = Vec::new();
        for axis in some {
            let extent = self.values.domain.axes[axis];
            match groups.last_mut() {
                Some(last) if joins[axis - 1] && (last.axis > 0 || self.flat) => {
                    *last = JoinedAxes { axis, extent: last.extent * extent, ..*last };
                }
                _ => groups.push(JoinedAxes { first: axis, axis, extent }),
            }
        }
        groups
    }

    /// The elements of each row of a part.
    pub fn row_elements(&self) -> usize {
        self.values.domain.axes[self.lead..].iter().product()
    }

    /// The element of a flat nest at which a part begins.
    pub(super) fn flat_index(&mut self, part: VarId, partition: Partition) {
        let chunk = self.row_elements();
        let last = self.values.domain.axes.len() - 1;
        self.values.index[last] = Affine::var(part).times((partition.rows * chunk) as i64);
    }

    pub(super) fn open(&mut self, group: JoinedAxes) -> VarId {
        let inner: usize = self.values.domain.axes[group.first + 1..=group.axis].iter().product();
        let (base, extent) = match &self.second {
            Some((first, count)) if group.first == 1 => (first.times(inner as i64), count * inner),
            _ if self.flat && group.axis + 1 == self.values.index.len() => {
                (self.values.index[group.axis].clone(), group.extent)
            }
            _ => (Affine::default(), group.extent),
        };
        let var = self.values.writer.var(extent);
        self.values.writer.open(Some(var));
        self.values.index[group.axis] = base.plus(&Affine::var(var));
        var
    }
}
