//! Operands of windows: a value `[N, H, W, C]` as windows read it, with its border.
//!
//! Takes a node and how windows read its rows and columns ([`OperandReads`]); gives, for each block of
//! the kernel's loops, where its elements are: in memory, where the value lies there plainly and
//! no border is read; else in a buffer of the thread's own, into which loops evaluate the value
//! (so casts of bytes and other cheap element-wise work happen there) with the border around it.
//! Borders that all blocks share are written once a part ([`ImageOperand::begin`]). Where every part of
//! a kernel reads all images, the value and its border are written to memory that threads share,
//! by a kernel before it ([`shared`]).
//!
//! ```text
//! x [32, 28, 28, 16], 3×3, padding 1:  t7 [2, 30, 30, 16] on each thread
//! part { border of t7 = 0; for blocks { interior of t7 = x; tile … a = t7[…] } }
//! ```

use crate::base::tensor::DType;
use crate::graph::NodeId;
use crate::graph::domain::{AffineIndex, Domain, Level};
use crate::graph::kernels::{FusedKernel, KernelKind};
use crate::graph::view::View;
use crate::loops::{Affine, BufferId, RegId, SlotId, Space};
use crate::lower::StepBuilder;
use crate::lower::bands::{Bands, Reach, RowBlock, clipped};
use crate::lower::nest::Nest;
use crate::lower::partition::Partition;
use crate::lower::title::Title;
use crate::lower::values::{NestValues, scalar_type};
use crate::lower::writer::KernelWriter;

/// With fewer channels than this that can't be joined to the columns, loops are vectors along the
/// columns.
const FEW_CHANNELS: usize = 8;

/// The windows through which a contraction reads a value.
#[derive(Clone, Copy, Debug)]
pub struct OperandReads {
    /// How output rows read its rows.
    pub rows: Reach,
    /// How output columns read its columns.
    pub columns: Reach,
    /// How many output columns there are.
    pub width: usize,
    /// Value of border elements.
    pub border: f64,
}

/// A value as windows read it.
pub struct ImageOperand {
    node: NodeId,
    /// `[N, H, W, C]`.
    shape: [usize; 4],
    rows: Reach,
    /// The first column that is read; negative in the border.
    first_column: i64,
    border: f64,
    source: OperandSource,
    /// Columns of border before and after the image.
    sides: (usize, usize),
    /// Rows of border before and after, where they are the same for all blocks.
    ends: Option<(usize, usize)>,
}

enum OperandSource {
    /// Read where it lies.
    Memory(View),
    /// Written to a buffer.
    Buffer(ImageBuffer),
}

/// A buffer `[images, rows, columns, channels]`.
#[derive(Clone, Copy)]
struct ImageBuffer {
    id: BufferId,
    slot: SlotId,
    dtype: DType,
    images: usize,
    rows: usize,
    columns: usize,
    channels: usize,
    /// Whether it has all images, not those of a block.
    shared: bool,
}

/// Where the elements that a block reads are.
#[derive(Clone, Debug)]
pub struct OperandPlace {
    /// The slot.
    pub slot: SlotId,
    /// The first channel of the first column that the first window of the block's first row and
    /// image reads, in the first row that it reads.
    pub base: Affine,
    /// From an image to the next.
    pub image: i64,
    /// From a row to the next.
    pub row: i64,
    /// From a column to the next; channels are neighbours.
    pub column: i64,
}

impl ImageOperand {
    /// Finds out whether a value is read where it lies, or has a buffer of its own.
    pub fn new(
        values: &mut NestValues,
        node: NodeId,
        reads: &OperandReads,
        bands: &Bands,
    ) -> ImageOperand {
        Self::placed(values, node, reads, bands, Space::Thread)
    }

    /// The same, with the buffer in a space: a block's images on each thread, or all images.
    fn placed(
        values: &mut NestValues,
        node: NodeId,
        reads: &OperandReads,
        bands: &Bands,
        space: Space,
    ) -> ImageOperand {
        let shape: [usize; 4] =
            values.step.graph.extents(node).try_into().expect("a value [N, H, W, C]");
        let columns = reads.columns.over(0, reads.width);
        let sides = clipped(&columns, shape[2]);
        let ends = clipped(&reads.rows.over(0, bands.out_rows), shape[1]);
        let borders = sides != (0, 0) || ends != (0, 0);
        let source = match plain_view(values, node).filter(|_| !borders) {
            Some(view) => OperandSource::Memory(view),
            None => {
                let dtype = values.step.graph.ty(node).dtype;
                let shared = space != Space::Thread;
                let images = if shared { shape[0] } else { bands.images };
                let rows = reads.rows.length(bands.rows);
                let (columns, channels) = (reads.columns.length(reads.width), shape[3]);
                let len = images * rows * columns * channels;
                let id = values.step.new_buffer(dtype, len, space);
                let slot = values.writer.slot(id, dtype, len);
                OperandSource::Buffer(ImageBuffer {
                    id,
                    slot,
                    dtype,
                    images,
                    rows,
                    columns,
                    channels,
                    shared,
                })
            }
        };
        ImageOperand {
            node,
            shape,
            rows: reads.rows,
            first_column: columns.start,
            border: reads.border,
            source,
            sides,
            ends: bands.whole_images().then_some(ends),
        }
    }

    /// Writes the border that all blocks share, at the begin of a part.
    pub fn begin(&self, values: &mut NestValues) {
        if let OperandSource::Buffer(buffer) = self.source {
            self.frame(values, &buffer, Affine::default(), buffer.images);
        }
    }

    /// Writes the border that all blocks share around some images of a buffer.
    fn frame(&self, values: &mut NestValues, buffer: &ImageBuffer, first: Affine, images: usize) {
        let (top, bottom) = self.ends.unwrap_or((0, 0));
        let (left, right) = self.sides;
        if (top, bottom, left, right) == (0, 0, 0, 0) {
            return;
        }
        let value = values.constant(self.border, scalar_type(buffer.dtype));
        let image = values.writer.var(images);
        values.writer.open(Some(image));
        let base = first.plus(&Affine::var(image)).times(buffer.image());
        let inner = buffer.rows - top - bottom;
        if inner == 0 || left + right == buffer.columns {
            fill(values, buffer.slot, &base, buffer.image() as usize, value);
        } else {
            // From the right border of a row to the left one of the next.
            let (row, gap) = (buffer.row() as usize, (left + right) * buffer.channels);
            fill(values, buffer.slot, &base, top * row + left * buffer.channels, value);
            let after = (top * row + row - right * buffer.channels) as i64;
            let after = base.plus(&Affine::constant(after));
            if inner > 1 && gap > 0 {
                let var = values.writer.var(inner - 1);
                values.writer.open(Some(var));
                let start = after.plus(&Affine::var(var).times(buffer.row()));
                fill(values, buffer.slot, &start, gap, value);
                values.writer.close_for(var);
            }
            let last = after.plus(&Affine::constant((inner as i64 - 1) * buffer.row()));
            fill(values, buffer.slot, &last, right * buffer.channels + bottom * row, value);
        }
        values.writer.close_for(image);
    }

    /// Makes what a block reads readable, and says where it is.
    pub fn load(&self, values: &mut NestValues, block: &RowBlock) -> OperandPlace {
        let first = Affine::constant(self.rows.first).plus(&block.row.times(self.rows.step as i64));
        match &self.source {
            OperandSource::Memory(view) => {
                let slot = values.slot(view.base);
                let [image, row, column, _] = view.strides[..] else { unreachable!("four axes") };
                let base = Affine::constant(view.offset + self.first_column * column)
                    .plus(&block.image.times(image))
                    .plus(&first.times(row));
                OperandPlace { slot, base, image, row, column }
            }
            OperandSource::Buffer(buffer) => {
                self.fill_block(values, buffer, block, &first);
                OperandPlace {
                    slot: buffer.slot,
                    base: Affine::default(),
                    image: buffer.image(),
                    row: buffer.row(),
                    column: buffer.channels as i64,
                }
            }
        }
    }

    /// The rows of a block: border rows that are this block's own, and what lies between.
    fn fill_block(
        &self,
        values: &mut NestValues,
        buffer: &ImageBuffer,
        block: &RowBlock,
        first: &Affine,
    ) {
        let length = self.rows.length(block.rows);
        let (before, after) = clipped(&self.rows.over(block.first_row, block.rows), self.shape[1]);
        if self.ends.is_none() && before + after > 0 {
            let value = values.constant(self.border, scalar_type(buffer.dtype));
            let row = buffer.row() as usize;
            fill(values, buffer.slot, &Affine::default(), before * row, value);
            let last = Affine::constant(((length - after) * row) as i64);
            fill(values, buffer.slot, &last, after * row, value);
        }
        let inner = length - before - after;
        if inner == 0 || self.sides.0 + self.sides.1 == buffer.columns {
            return;
        }
        values.over(Domain::over(&self.shape), |values| {
            let image = values.writer.var(block.images);
            values.writer.open(Some(image));
            let row = values.writer.var(inner);
            values.writer.open(Some(row));
            let at = [
                block.image.plus(&Affine::var(image)),
                first.plus(&Affine::constant(before as i64)).plus(&Affine::var(row)),
            ];
            let first_image = if buffer.shared { block.image.clone() } else { Affine::default() };
            let to = first_image
                .plus(&Affine::var(image))
                .times(buffer.image())
                .plus(&Affine::var(row).times(buffer.row()))
                .plus(&Affine::constant(before as i64 * buffer.row()))
                .plus(&Affine::constant((self.sides.0 * buffer.channels) as i64));
            self.row(values, buffer, at, to);
            values.writer.close_for(row);
            values.writer.close_for(image);
        });
    }

    /// The columns and channels of a row.
    fn row(&self, values: &mut NestValues, buffer: &ImageBuffer, at: [Affine; 2], to: Affine) {
        let forms = values.domain.forms(&self.shape, Level::Full).expect("its own shape");
        let axis = |position: usize| {
            (self.shape[position] != 1)
                .then(|| self.shape[..position].iter().filter(|&&extent| extent != 1).count())
        };
        let set = |values: &mut NestValues, position: usize, index: Affine| {
            if let Some(axis) = axis(position) {
                values.index[axis] = index;
            }
        };
        let [image, row] = at;
        set(values, 0, image);
        set(values, 1, row);
        let channels = buffer.channels;
        let count = buffer.columns - self.sides.0 - self.sides.1;
        let first = self.first_column + self.sides.0 as i64;
        if channels == 1 || self.joins(values, &forms) {
            let var = values.writer.var(count * channels);
            values.writer.open(Some(var));
            let joined = Affine::constant(first * channels as i64).plus(&Affine::var(var));
            let last = if channels == 1 { 2 } else { 3 };
            set(values, 2, Affine::default());
            set(values, last, joined);
            self.store(values, buffer, &forms, to.plus(&Affine::var(var)));
            values.writer.close_vector(var, &[]);
            return;
        }
        let along_columns = channels < FEW_CHANNELS && count > channels;
        let (column, channel) = (values.writer.var(count), values.writer.var(channels));
        let (outer, inner) = if along_columns { (channel, column) } else { (column, channel) };
        values.writer.open(Some(outer));
        values.writer.open(Some(inner));
        set(values, 2, Affine::constant(first).plus(&Affine::var(column)));
        set(values, 3, Affine::var(channel));
        let to = to.plus(&Affine::var(column).times(channels as i64)).plus(&Affine::var(channel));
        self.store(values, buffer, &forms, to);
        values.writer.close_vector(inner, &[]);
        values.writer.close_for(outer);
    }

    fn store(
        &self,
        values: &mut NestValues,
        buffer: &ImageBuffer,
        forms: &[AffineIndex],
        to: Affine,
    ) {
        let value = values.value(self.node, forms);
        values.writer.store(buffer.slot, to, value);
    }

    /// Whether columns and channels are one run of everything that is read.
    fn joins(&self, values: &NestValues, forms: &[AffineIndex]) -> bool {
        if self.shape[2] == 1 {
            return false;
        }
        let mut found = Vec::new();
        values.forms_below(self.node, forms, &mut found);
        let last = values.domain.axes.len() - 1;
        let channels = self.shape[3] as i64;
        found.iter().all(|form| form.factors[last - 1] == form.factors[last] * channels)
    }
}

/// A value with its border in memory that all threads share.
pub struct SharedOperand {
    /// Where it is.
    pub buffer: BufferId,
    /// The first element that the first window reads.
    pub first: i64,
    /// From an image, a row, a column to the next.
    pub strides: [i64; 3],
}

/// Makes a value readable by every thread as `rows` output rows read it: where it lies, or from a
/// copy with its border, which a kernel of its own writes.
pub fn shared(
    step: &mut StepBuilder,
    node: NodeId,
    reads: &OperandReads,
    rows: usize,
    title: Title,
) -> SharedOperand {
    let shape = step.graph.extents(node);
    let elements = shape[1..].iter().product();
    let bands = Bands::whole(shape[0], rows, Partition::of_rows(shape[0], elements));
    let domain = Domain::over(shape);
    let writer = KernelWriter::new(title.and("border"), bands.partition.parts);
    let nothing = FusedKernel { kind: KernelKind::Move, nodes: Vec::new(), results: Vec::new() };
    let mut nest = Nest::new(NestValues::new(step, writer, domain, &[]), &nothing, &[]);
    let operand = ImageOperand::placed(&mut nest.values, node, reads, &bands, Space::Scratch);
    let buffer = match &operand.source {
        OperandSource::Buffer(buffer) => *buffer,
        OperandSource::Memory(view) => {
            let [image, row, column, _] = view.strides[..] else { unreachable!("four axes") };
            let first = view.offset + operand.rows.first * row + operand.first_column * column;
            let buffer = nest.values.step.buffer(view.base);
            return SharedOperand { buffer, first, strides: [image, row, column] };
        }
    };
    let part = nest.values.writer.var(bands.partition.parts);
    nest.values.writer.open_parts(part);
    bands.each(&mut nest, part, |nest, block| {
        operand.frame(&mut nest.values, &buffer, block.image.clone(), block.images);
        let first = Affine::constant(operand.rows.first);
        operand.fill_block(&mut nest.values, &buffer, block, &first);
    });
    nest.values.writer.close_parts(part);
    nest.finish();
    let strides = [buffer.image(), buffer.row(), buffer.channels as i64];
    SharedOperand { buffer: buffer.id, first: 0, strides }
}

impl ImageBuffer {
    fn row(&self) -> i64 {
        (self.columns * self.channels) as i64
    }

    fn image(&self) -> i64 {
        self.rows as i64 * self.row()
    }
}

/// A value that windows can read where it lies: floats with channels side by side.
fn plain_view(values: &NestValues, node: NodeId) -> Option<View> {
    let inside = |node: NodeId| values.nodes.contains(&node);
    let view = values.step.memory_view(node, &inside)?;
    let is_float = values.step.graph.ty(view.base).dtype == DType::F32;
    (is_float && (view.strides[3] == 1 || view.extents[3] == 1)).then_some(view)
}

/// Stores one value to neighbours.
fn fill(values: &mut NestValues, slot: SlotId, start: &Affine, count: usize, value: RegId) {
    if count == 0 {
        return;
    }
    let var = values.writer.var(count);
    values.writer.open(Some(var));
    values.writer.store(slot, start.plus(&Affine::var(var)), value);
    values.writer.close_vector(var, &[]);
}
