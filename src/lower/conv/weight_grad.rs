//! Gradients of weights: tiles whose rows are taps and channels, summed over images and pixels.
//!
//! Takes the gradient of a convolution's weight, with what follows element by element; gives its
//! loops, of which there are two forms. Where the weight is small beside the activations, parts
//! are images: each adds up its own in a partial sum, and a second kernel adds the partial sums,
//! in order of parts. Where it is large, parts are channels of the weight and each adds up all
//! images, read from memory that all threads share.
//!
//! ```text
//! [3, 3, 16, 16], 128 images    parts of 8 images { partial = 0; for blocks { tile row kh,
//!                                 row kw·in, sum image, sum oh, sum ow, c += } }; parts of
//!                                 weights { sum of 16 partials; what follows }
//! [3, 3, 512, 512], 32 images   parts of 32 channels { tile row kh, row kw, row in, sum … }
//! ```

use crate::base::tensor::DType;
use crate::graph::domain::Domain;
use crate::graph::kernels::FusedKernel;
use crate::graph::{Binary, NodeId, Window};
use crate::loops::{
    Access, Affine, BufferId, Inst, RowAxis, SlotId, Space, Stmt, SumAxis, Tile, VarId,
};
use crate::lower::bands::{Bands, BlockShape, Reach, RowBlock};
use crate::lower::epilogue;
use crate::lower::nest::Nest;
use crate::lower::operand::{ImageOperand, OperandPlace, OperandReads, SharedOperand, shared};
use crate::lower::partition::Partition;
use crate::lower::values::{NestValues, Saved};
use crate::lower::writer::KernelWriter;
use crate::lower::{StepBuilder, moves};

/// Bytes of both operands that a tile passes over: they stay in the first cache.
const NEAR: usize = 32 << 10;

/// Pixels that a tile adds up at most, where images are small: with more, what a block of
/// registers reads (a line of memory for each pixel, often a power of two apart) no longer finds
/// room in the second cache.
const MOST_PIXELS: usize = 512;

/// Pixels of a part that are worth a pass over its partial sum.
const FEWEST_PIXELS: usize = 256;

/// A weight's gradient.
pub struct WeightGrad {
    /// The node.
    pub node: NodeId,
    /// The convolution's operand, and the gradient of its result.
    pub args: [NodeId; 2],
    /// The window.
    pub window: Window,
    /// The groups of channels.
    pub groups: usize,
}

/// Extents of what is added up.
#[derive(Clone, Copy)]
struct Extents {
    images: usize,
    /// Outputs of an image.
    out: [usize; 2],
    /// Channels of the operand and of the result, of each group.
    read: usize,
    written: usize,
}

/// Writes the loops of a weight's gradient and what follows it, and runs them.
pub fn lower(step: &mut StepBuilder, kernel: &FusedKernel, grad: &WeightGrad) {
    let [x, y] = grad.args.map(|arg| step.graph.extents(arg));
    let extents = Extents {
        images: y[0],
        out: [y[1], y[2]],
        read: x[3] / grad.groups,
        written: y[3] / grad.groups,
    };
    for &result in &kernel.results {
        step.result_buffer(result);
    }
    let target = epilogue::target_buffer(step, kernel, grad.node);
    let weights = grad.window.taps() * extents.read * y[3];
    let outputs: usize = y.iter().product();
    let reads = [0, 1].map(|which| reads(grad, &extents, which == 0));
    let pixels = outputs / y[3] / Partition::of_rows(extents.images, usize::MAX).parts;
    let small = 2 * weights <= outputs && (pixels >= FEWEST_PIXELS || weights < FEWEST_PIXELS);
    if small && extents.images * extents.out[0] > 1 {
        let (partials, parts) = partial_sums(step, kernel, grad, &extents, (reads, weights));
        finish(step, kernel, grad.node, (target, weights), Some((partials, parts)));
    } else {
        whole_sums(step, kernel, grad, &extents, reads, target);
        if kernel.nodes.len() > 1 {
            finish(step, kernel, grad.node, (target, weights), None);
        }
    }
}

/// How output pixels read the operand, or the gradient of the result.
fn reads(grad: &WeightGrad, extents: &Extents, operand: bool) -> OperandReads {
    let reach = |axis: usize| if operand { Reach::of(&grad.window, axis) } else { Reach::same() };
    OperandReads { rows: reach(0), columns: reach(1), width: extents.out[1], border: 0.0 }
}

/// The parts of a tile that do not change along its loops.
struct Sums<'a> {
    grad: &'a WeightGrad,
    extents: &'a Extents,
}

impl Sums<'_> {
    /// A tile over some images and rows. `channels` of each group's are rows.
    fn tile(
        &self,
        [x, y]: [&OperandPlace; 2],
        (images, rows): (usize, usize),
        (channels, columns): (usize, usize),
        c: Access,
        accumulate: bool,
    ) -> Tile {
        let Window { size, stride, dilation, .. } = self.grad.window;
        let strides = stride.map(|stride| stride as i64);
        let apart = dilation.map(|dilation| dilation as i64);
        let width = (self.extents.written * self.grad.groups) as i64;
        let tap = self.extents.read as i64 * width;
        let row = |extent: usize, a: i64, c: i64| RowAxis { extent, a, c };
        let sum = |extent: usize, a: i64, b: i64| SumAxis { extent, a, b };
        Tile {
            rows: vec![
                row(size[0], apart[0] * x.row, size[1] as i64 * tap),
                row(size[1], apart[1] * x.column, tap),
                row(channels, 1, width),
            ],
            n: columns,
            sum: vec![
                sum(images, x.image, y.image),
                sum(rows, strides[0] * x.row, y.row),
                sum(self.extents.out[1], strides[1] * x.column, y.column),
            ],
            a: Access { slot: x.slot, index: x.base.clone() },
            b: Access { slot: y.slot, index: y.base.clone() },
            c,
            accumulate,
            bias: None,
            relu: false,
        }
    }
}

/// The place moved by rows, images or channels.
fn moved(placed: &OperandPlace, by: &Affine) -> OperandPlace {
    OperandPlace { base: placed.base.plus(by), ..placed.clone() }
}

/// Partial sums of parts of images, one after the other in a new buffer; and their number.
fn partial_sums(
    step: &mut StepBuilder,
    kernel: &FusedKernel,
    grad: &WeightGrad,
    extents: &Extents,
    (reads, weights): ([OperandReads; 2], usize),
) -> (BufferId, usize) {
    let [x, y] = grad.args.map(|arg| step.graph.extents(arg));
    let row = |reads: &OperandReads, shape: &[usize]| reads.columns.length(reads.width) * shape[3];
    let bytes = 4 * (reads[0].rows.step * row(&reads[0], x) + row(&reads[1], y));
    let shape = BlockShape {
        images: extents.images,
        rows: extents.out[0],
        row_bytes: bytes,
        multiple: 1,
        row_work: extents.out[1] * weights,
    };
    let elements = x[1..].iter().product::<usize>().max(y[1..].iter().product());
    let partition = Partition::of_rows(extents.images, elements);
    let bands = Bands::new(&shape, partition, &[(reads[0].rows, x[1]), (reads[1].rows, y[1])]);
    let parts = bands.partition.parts;
    let domain = Domain::over(step.graph.extents(grad.node));
    let partials = step.new_buffer(DType::F32, parts * weights, Space::Scratch);
    let writer = KernelWriter::new(step.title(kernel), parts);
    let nothing = FusedKernel { kind: kernel.kind, nodes: Vec::new(), results: Vec::new() };
    let mut nest = Nest::new(NestValues::new(step, writer, domain, &[]), &nothing, &[]);
    let to = nest.values.buffer_slot(partials);
    let [x, y] =
        [0, 1].map(|at| ImageOperand::new(&mut nest.values, grad.args[at], &reads[at], &bands));
    let part = nest.values.writer.var(parts);
    nest.values.writer.open_parts(part);
    let first = Affine::var(part).times(weights as i64);
    zeros(&mut nest, to, &first, weights);
    x.begin(&mut nest.values);
    y.begin(&mut nest.values);
    let sums = Sums { grad, extents };
    bands.each(&mut nest, part, |nest, block| {
        let placed = [x.load(&mut nest.values, block), y.load(&mut nest.values, block)];
        sums.block(nest, block, [&placed[0], &placed[1]], (to, &first), bytes);
    });
    nest.values.writer.close_parts(part);
    nest.finish();
    (partials, parts)
}

/// Stores zeros to neighbours.
fn zeros(nest: &mut Nest, slot: SlotId, first: &Affine, count: usize) {
    let zero = nest.values.constant(0.0, DType::F32);
    let writer = &mut nest.values.writer;
    let var = writer.var(count);
    writer.open(Some(var));
    writer.store(slot, first.plus(&Affine::var(var)), zero);
    writer.close_vector(var, &[]);
}

impl Sums<'_> {
    /// The tiles of a block: over few rows at a time, so that what they read stays near.
    fn block(
        &self,
        nest: &mut Nest,
        block: &RowBlock,
        placed: [&OperandPlace; 2],
        (to, first): (SlotId, &Affine),
        row_bytes: usize,
    ) {
        let near = (NEAR / row_bytes.max(1)).clamp(1, block.rows);
        let rows = block.rows.div_ceil(block.rows.div_ceil(near));
        let together = if rows == block.rows { block.images } else { 1 };
        let image = nest.values.writer.var(block.images / together);
        nest.values.writer.open(Some(image));
        let whole = nest.values.writer.var(block.rows / rows);
        nest.values.writer.open(Some(whole));
        let start = Affine::var(whole).times(rows as i64);
        self.chunk(nest, placed, (&Affine::var(image), &start), (together, rows), (to, first));
        nest.values.writer.close_for(whole);
        let rest = block.rows % rows;
        if rest > 0 {
            let start = Affine::constant((block.rows - rest) as i64);
            self.chunk(nest, placed, (&Affine::var(image), &start), (together, rest), (to, first));
        }
        nest.values.writer.close_for(image);
    }

    /// The tiles of some images and rows of a block, one a group.
    fn chunk(
        &self,
        nest: &mut Nest,
        [x, y]: [&OperandPlace; 2],
        (image, row): (&Affine, &Affine),
        (images, rows): (usize, usize),
        (to, first): (SlotId, &Affine),
    ) {
        let Extents { read, written, .. } = *self.extents;
        let stride = self.grad.window.stride[0] as i64;
        let group = nest.values.writer.var(self.grad.groups);
        nest.values.writer.open(Some(group));
        let by = |placed: &OperandPlace, step: i64, channels: usize| {
            let image = image.times(images as i64 * placed.image);
            let rows = row.times(step * placed.row);
            let group = Affine::var(group).times(channels as i64);
            moved(placed, &image.plus(&rows).plus(&group))
        };
        let (x, y) = (by(x, stride, read), by(y, 1, written));
        let index = first.plus(&Affine::var(group).times(written as i64));
        let c = Access { slot: to, index };
        let tile = self.tile([&x, &y], (images, rows), (read, written), c, true);
        nest.values.writer.push(Stmt::Tile(tile.merged()));
        nest.values.writer.close_for(group);
    }
}

/// Sums over all images, in parts of the weight's channels.
fn whole_sums(
    step: &mut StepBuilder,
    kernel: &FusedKernel,
    grad: &WeightGrad,
    extents: &Extents,
    reads: [OperandReads; 2],
    target: BufferId,
) {
    let title = step.title(kernel);
    let [x, y] = [0, 1].map(|at| shared(step, grad.args[at], &reads[at], extents.out[0], title));
    let (by_channels, by_columns) = (Partition::of(extents.read), Partition::of(extents.written));
    let channels = by_channels.parts >= by_columns.parts;
    let partition = if channels { by_channels } else { by_columns };
    let mut writer: KernelWriter<()> = KernelWriter::new(title, partition.parts);
    let mut slot = |buffer: BufferId| {
        let (dtype, len) = step.shape_of(buffer);
        writer.slot(buffer, dtype, len)
    };
    let place = |shared: &SharedOperand, slot: SlotId| {
        let [image, row, column] = shared.strides;
        OperandPlace { slot, base: Affine::constant(shared.first), image, row, column }
    };
    let (x, y) = (place(&x, slot(x.buffer)), place(&y, slot(y.buffer)));
    let to = slot(target);
    let sums = Sums { grad, extents };
    moves::in_parts(&mut writer, partition, |writer, part, count| {
        let first = Affine::var(part).times(partition.rows as i64);
        let (cut, sizes) = match channels {
            true => ([first, Affine::default()], [count, extents.written]),
            false => ([Affine::default(), first], [extents.read, count]),
        };
        sums.cut(writer, [&x, &y], to, (&cut, sizes));
    });
    step.run(writer.finish());
}

impl Sums<'_> {
    /// The tiles of some of the channels and columns of each group.
    fn cut(
        &self,
        writer: &mut KernelWriter<()>,
        [x, y]: [&OperandPlace; 2],
        to: SlotId,
        (first, [channels, columns]): (&[Affine; 2], [usize; 2]),
    ) {
        let Extents { read, written, images, out } = *self.extents;
        let group = writer.var(self.grad.groups);
        writer.open(Some(group));
        let of_group = |count: usize| Affine::var(group).times(count as i64);
        let x = moved(x, &first[0].plus(&of_group(read)));
        let y = moved(y, &first[1].plus(&of_group(written)));
        let index = first[0]
            .times((written * self.grad.groups) as i64)
            .plus(&first[1])
            .plus(&of_group(written));
        let c = Access { slot: to, index };
        let some = |writer: &mut KernelWriter<()>, start: &Affine, count: usize, more: bool| {
            let [x, y] = [&x, &y].map(|placed| moved(placed, &start.times(placed.image)));
            let sizes = (channels, columns);
            let tile = self.tile([&x, &y], (count, out[0]), sizes, c.clone(), more);
            writer.push(Stmt::Tile(tile.merged()));
        };
        // The first images begin the sums, the others go on with them.
        let near = (MOST_PIXELS / (out[0] * out[1])).clamp(1, images);
        some(writer, &Affine::default(), near, false);
        let whole = images / near - 1;
        if whole > 0 {
            let next = writer.var(whole);
            writer.open(Some(next));
            let start = Affine::var(next).plus(&Affine::constant(1)).times(near as i64);
            some(writer, &start, near, true);
            writer.close_for(next);
        }
        let rest = images % near;
        if rest > 0 {
            some(writer, &Affine::constant((images - rest) as i64), rest, true);
        }
        writer.close_for(group);
    }
}

/// Adds up partial sums, if there are some, and does what follows the gradient.
fn finish(
    step: &mut StepBuilder,
    kernel: &FusedKernel,
    node: NodeId,
    (target, weights): (BufferId, usize),
    partials: Option<(BufferId, usize)>,
) {
    let domain = Domain::of(step.graph, &kernel.nodes).expect("what fusion has checked");
    let writer = KernelWriter::new(step.title(kernel).and("total"), 1);
    let mut nest = Nest::new(NestValues::new(step, writer, domain, &kernel.nodes), kernel, &[node]);
    let partition = nest.partition();
    let to = nest.values.buffer_slot(target);
    let from = partials.map(|(buffer, parts)| (nest.values.buffer_slot(buffer), parts));
    nest.values.saved.insert(node, Saved::Whole(to));
    nest.values.writer.set_parts(partition.parts);
    let part = nest.values.writer.var(partition.parts);
    nest.values.writer.open_parts(part);
    if let Some(from) = from {
        nest.each_length(part, partition, |nest, rows| {
            total(nest, from, to, weights, (part, partition.rows, rows));
        });
    }
    if kernel.nodes.len() > 1 {
        nest.part(part, partition);
    }
    nest.values.writer.close_parts(part);
    nest.finish();
}

/// The sums of a part of the weights, partial sums added in order.
fn total(
    nest: &mut Nest,
    (from, parts): (SlotId, usize),
    to: SlotId,
    weights: usize,
    (part, before, rows): (VarId, usize, usize),
) {
    let chunk = nest.row_elements();
    let writer = &mut nest.values.writer;
    let var = writer.var(rows * chunk);
    writer.open(Some(var));
    let index = Affine::var(part).times((before * chunk) as i64).plus(&Affine::var(var));
    let depth = writer.depth();
    let mut load = |at: usize| {
        let index = index.plus(&Affine::constant((at * weights) as i64));
        writer.define(DType::F32, depth, Inst::Load(Access { slot: from, index }))
    };
    let values: Vec<_> = (0..parts).map(&mut load).collect();
    let sum = values.into_iter().reduce(|sum, value| {
        writer.define(DType::F32, depth, Inst::Binary(Binary::Add, sum, value))
    });
    writer.store(to, index, sum.expect("at least one part"));
    writer.close_vector(var, &[]);
}
