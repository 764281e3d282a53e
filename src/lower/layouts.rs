//! The other layouts of parameters, written from their own: transposed matrices and panels.
//!
//! Takes a [`ParamLayout`]; gives the kernel that copies a parameter into it. It runs after each update
//! of the parameter, and once after parameters were written from outside.
//!
//! ```text
//! weight [9, 64, 80] ^P    parts of 576 rows { for 2 panels { for rows { vector 32 } }
//!                                              for rows { vector 16 } }
//! ```

use crate::base::tensor::DType;
use crate::loops::{Access, Affine, BufferId, Inst, SlotId, VarId};
use crate::lower::partition::Partition;
use crate::lower::title::Title;
use crate::lower::values::scalar_type;
use crate::lower::writer::{KernelWriter, Written};
use crate::lower::{StepBuilder, moves};
use crate::schedule::globals::ParamLayout;

/// The kernel that writes a layout of the parameter in `from` to `to`, and its buffers.
pub fn write(
    step: &StepBuilder,
    from: BufferId,
    to: BufferId,
    layout: ParamLayout,
    title: Title,
) -> Written {
    if layout.taps == 1 && layout.turned && layout.panel.is_none() {
        return transpose(step, from, to, (layout.rows, layout.cols), title);
    }
    let (dtype, len) = step.shape_of(from);
    let partition = Partition::of(match layout.turned {
        true => layout.cols,
        false => layout.taps * layout.rows,
    });
    let mut writer: KernelWriter<()> = KernelWriter::new(title, partition.parts);
    let copy = Copy {
        layout,
        dtype,
        from: writer.slot(from, dtype, len),
        to: writer.slot(to, dtype, len),
        part: writer.var(partition.parts),
        partition,
    };
    writer.open_parts(copy.part);
    moves::tailed(&mut writer, copy.part, partition, |writer, count| copy.body(writer, count));
    writer.close_parts(copy.part);
    writer.finish()
}

/// A copy being written.
struct Copy {
    layout: ParamLayout,
    dtype: DType,
    from: SlotId,
    to: SlotId,
    part: VarId,
    partition: Partition,
}

impl Copy {
    /// Columns of what is read, and rows before each of its columns.
    fn matrix(&self) -> (usize, usize) {
        let ParamLayout { taps, rows, cols, turned, .. } = self.layout;
        if turned { (rows, taps * cols) } else { (cols, taps * rows) }
    }

    /// The loops of a part: whole panels, then the narrower last one.
    fn body(&self, writer: &mut KernelWriter<()>, count: usize) {
        let (columns, rows) = self.matrix();
        let width = self.layout.panel.unwrap_or(columns);
        let whole = columns / width;
        if whole > 0 {
            let panel = writer.var(whole);
            writer.open(Some(panel));
            let first = Affine::var(panel).times(width as i64);
            self.panel(writer, count, (first.clone(), first.times(rows as i64)), width);
            writer.close_for(panel);
        }
        let rest = columns % width;
        if rest > 0 {
            let first = Affine::constant((whole * width) as i64);
            self.panel(writer, count, (first.clone(), first.times(rows as i64)), rest);
        }
    }

    /// A panel: its first column, where it stands, and its width.
    fn panel(
        &self,
        writer: &mut KernelWriter<()>,
        count: usize,
        (first, start): (Affine, Affine),
        width: usize,
    ) {
        let ParamLayout { taps, rows, cols, turned, .. } = self.layout;
        let tap = turned.then(|| writer.var(taps));
        if tap.is_some() {
            writer.open(tap);
        }
        let tap_index = tap.map_or(Affine::default(), Affine::var);
        let row = writer.var(count);
        writer.open(Some(row));
        let row_index =
            Affine::var(self.part).times(self.partition.rows as i64).plus(&Affine::var(row));
        let lane = writer.var(width);
        writer.open(Some(lane));
        let column = first.plus(&Affine::var(lane));
        let source = match turned {
            true => tap_index
                .times((rows * cols) as i64)
                .plus(&column.times(cols as i64))
                .plus(&row_index),
            false => row_index.times(cols as i64).plus(&column),
        };
        let target_row = tap_index.times(cols as i64).plus(&row_index);
        let target = start.plus(&target_row.times(width as i64)).plus(&Affine::var(lane));
        let depth = writer.depth();
        let load = Inst::Load(Access { slot: self.from, index: source });
        let value = writer.define(scalar_type(self.dtype), depth, load);
        writer.store(self.to, target, value);
        writer.close_vector(lane, &[]);
        writer.close_for(row);
        if let Some(tap) = tap {
            writer.close_for(tap);
        }
    }
}

/// A `rows × cols` matrix, transposed: parts of its rows, so that whoever wrote a row also turns
/// it; stores side by side, loads from the few rows of a part, which stay in cache.
fn transpose(
    step: &StepBuilder,
    from: BufferId,
    to: BufferId,
    (rows, cols): (usize, usize),
    title: Title,
) -> Written {
    let (dtype, len) = step.shape_of(from);
    let partition = Partition::of(if rows > 1 { rows } else { cols });
    let mut writer: KernelWriter<()> = KernelWriter::new(title, partition.parts);
    let (source, target) = (writer.slot(from, dtype, len), writer.slot(to, dtype, len));
    let part = writer.var(partition.parts);
    writer.open_parts(part);
    let part_body = |writer: &mut KernelWriter<()>, count: usize| {
        let start = Affine::var(part).times(partition.rows as i64);
        let outer = (rows > 1).then(|| writer.var(cols));
        let column = outer.map_or(Affine::default(), Affine::var);
        if outer.is_some() {
            writer.open(outer);
        }
        let row = writer.var(count);
        writer.open(Some(row));
        let row_index = start.plus(&Affine::var(row));
        // A single row is a single column: the same elements.
        let inner = if outer.is_some() { cols as i64 } else { 1 };
        let index = column.plus(&row_index.times(inner));
        let depth = writer.depth();
        let load = Inst::Load(Access { slot: source, index });
        let value = writer.define(scalar_type(dtype), depth, load);
        writer.store(target, column.times(rows as i64).plus(&row_index), value);
        writer.close_vector(row, &[]);
        if let Some(outer) = outer {
            writer.close_for(outer);
        }
    };
    moves::tailed(&mut writer, part, partition, part_body);
    writer.close_parts(part);
    writer.finish()
}
