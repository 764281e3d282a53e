//! The right operand of a convolution's tiles: the weight, in the layout that is read best.
//!
//! Takes the weight's node `[kh, kw, in / groups, out]` and the direction; gives a buffer and
//! strides. A parameter that is needed transposed (for the input gradient) or that is larger than
//! the first cache has a layout of its own, which the update keeps ([`ParamLayout`]); another value is
//! transposed on the spot.
//!
//! ```text
//! forward         sum over kh, kw, in     columns out    PATH, or panels PATH^P
//! input gradient  sum over kh, kw, out    columns in     PATH^T, or panels PATH^TP
//! ```

use crate::graph::NodeId;
use crate::graph::view::{View, row_major};
use crate::loops::{Affine, BufferId, Space};
use crate::lower::title::Title;
use crate::lower::{StepBuilder, moves};
use crate::schedule::globals::ParamLayout;

/// Weights of more bytes than this are read in panels.
const SMALL: usize = 64 << 10;
/// The columns of a panel: two registers of sixteen, which leave room for many rows.
pub const PANEL: usize = 32;

/// A weight as tiles read it.
#[derive(Clone, Debug)]
pub struct ConvWeights {
    /// Where it is.
    pub buffer: BufferId,
    offset: i64,
    /// From a tap's row to the next, from a tap to the next, from a channel to the next; in
    /// panels, for each column of the panel.
    strides: [i64; 3],
    columns: usize,
    /// The number of rows of the whole matrix, where it lies in panels.
    panel_rows: Option<usize>,
}

/// Neighbouring columns that a tile computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputColumns {
    /// The first column.
    pub first: usize,
    /// How many columns.
    pub width: usize,
    /// How many such panels, one after the other.
    pub count: usize,
}

impl ConvWeights {
    /// The weight of a forward pass, or of an input gradient.
    pub fn new(
        step: &mut StepBuilder,
        weight: NodeId,
        turned: bool,
        groups: usize,
        title: Title,
    ) -> Self {
        let [kh, kw, rows, cols] = step.graph.extents(weight)[..] else {
            unreachable!("a weight [kh, kw, in, out]")
        };
        let columns = if turned { rows } else { cols };
        let view = step.view(weight);
        if let Some(param) = step.whole_param(&view) {
            let large = view.extents.iter().product::<usize>() * 4 > SMALL;
            let panel = (large && groups == 1 && columns > PANEL).then_some(PANEL);
            let layout = ParamLayout { taps: kh * kw, rows, cols, turned, panel };
            if (turned || panel.is_some())
                && let Some(buffer) = step.derived(param, layout)
            {
                let channels = if turned { cols } else { rows };
                let row = if panel.is_some() { 1 } else { columns as i64 };
                let strides = [(kw * channels) as i64 * row, channels as i64 * row, row];
                let panel_rows = panel.map(|_| kh * kw * channels);
                return ConvWeights { buffer, offset: 0, strides, columns, panel_rows };
            }
        }
        Self::of_view(step, view, turned, columns, title)
    }

    /// Read where it lies, or copied so that columns are neighbours.
    fn of_view(
        step: &mut StepBuilder,
        view: View,
        turned: bool,
        columns: usize,
        title: Title,
    ) -> Self {
        let mut view = view;
        if turned {
            view.extents.swap(2, 3);
            view.strides.swap(2, 3);
        }
        if view.strides[3] == 1 || columns == 1 {
            let buffer = step.buffer(view.base);
            let strides = [view.strides[0], view.strides[1], view.strides[2]];
            return ConvWeights { buffer, offset: view.offset, strides, columns, panel_rows: None };
        }
        let dtype = step.graph.ty(view.base).dtype;
        let buffer = step.new_buffer(dtype, view.extents.iter().product(), Space::Scratch);
        let to = row_major(&view.extents);
        moves::copy(step, &view, buffer, 0, &to, title.and("columns"));
        ConvWeights { buffer, offset: 0, strides: [to[0], to[1], to[2]], columns, panel_rows: None }
    }

    /// The columns `0..count` as tiles take them; all at once where they lie side by side.
    pub fn panels(&self, count: usize) -> Vec<OutputColumns> {
        if self.panel_rows.is_none() {
            return vec![OutputColumns { first: 0, width: count, count: 1 }];
        }
        let whole = self.columns / PANEL;
        let rest = self.columns % PANEL;
        let panels = OutputColumns { first: 0, width: PANEL, count: whole };
        let last = OutputColumns { first: whole * PANEL, width: rest, count: 1 };
        [panels, last].into_iter().filter(|it| it.width > 0 && it.count > 0).collect()
    }

    /// The first element of a panel whose first column is `column`.
    pub fn begin(&self, column: &Affine) -> Affine {
        column.times(self.panel_rows.unwrap_or(1) as i64).plus(&Affine::constant(self.offset))
    }

    /// Strides of a panel: from a tap's row to the next, from a tap to the next, from a channel
    /// to the next.
    pub fn strides(&self, panel: OutputColumns) -> [i64; 3] {
        match self.panel_rows {
            Some(_) => self.strides.map(|stride| stride * panel.width as i64),
            None => self.strides,
        }
    }
}
