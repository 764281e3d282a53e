//! A convolution and the max-pooling of its result, which is never written.
//!
//! Takes a kernel of a convolution, what its tile does after it (bias, relu), and a max-pooling,
//! its index or both; gives loops over blocks of *pooled* rows: the rows of the convolution under
//! them go to a buffer of the thread's own, and the largest of each window from there to memory.
//! Where windows overlap, the rows that two blocks share are computed twice.
//!
//! ```text
//! image [32, 150, 150, 3], 3×3 to 32 channels, 2×2     blocks of 13 pooled rows: tiles write 26
//!                                                      rows, 123 KB; loops read them
//! ```
//!
//! The window of the pooling has no border and few taps; other pooling is `window`'s.

use crate::base::tensor::DType;
use crate::graph::domain::Domain;
use crate::graph::kernels::{FusedKernel, KernelKind};
use crate::graph::{Binary, BoundGraph, NodeId, Op, Window};
use crate::loops::{Access, Affine, Inst, RegId, SlotId, Space};
use crate::lower::bands::{Bands, BlockShape, Reach, RowBlock};
use crate::lower::conv::slide::{self, ConvSlide, ConvWriter};
use crate::lower::conv::taps::Phases;
use crate::lower::conv::weights::ConvWeights;
use crate::lower::nest::Nest;
use crate::lower::operand::{ImageOperand, OperandReads};
use crate::lower::partition::Partition;
use crate::lower::values::NestValues;
use crate::lower::writer::KernelWriter;
use crate::lower::{StepBuilder, epilogue, window};

/// A max-pooling in a kernel.
pub struct Pools {
    /// The window.
    window: Window,
    /// The value to pool.
    source: NodeId,
    /// The nodes: the largest elements, which ones they are, or both.
    nodes: Vec<NodeId>,
}

/// The max-pooling of a kernel, if it has one.
pub fn pools(graph: &BoundGraph, kernel: &FusedKernel) -> Option<Pools> {
    let mut found: Option<Pools> = None;
    for &node in &kernel.nodes {
        if let Op::MaxPool(window) | Op::MaxPoolIndex(window) = graph.nodes[node].op {
            let source = graph.nodes[node].args[0];
            found.get_or_insert(Pools { window, source, nodes: Vec::new() }).nodes.push(node);
        }
    }
    found
}

/// Writes the loops of a convolution and a max-pooling, and runs them.
pub fn lower(step: &mut StepBuilder, kernel: &FusedKernel, slide: &ConvSlide, pools: &Pools) {
    let is_pool = |node: &NodeId| pools.nodes.contains(node);
    let nodes = kernel.nodes.iter().copied().filter(|node| !is_pool(node)).collect();
    let own = FusedKernel { kind: kernel.kind, nodes, results: Vec::new() };
    let fused = epilogue::fused(step, &own, slide.node);
    let covered = own.nodes.iter().all(|node| fused.nodes.contains(node));
    if !covered || fused.nodes.last() != Some(&pools.source) {
        return apart(step, kernel, own, slide, pools);
    }
    let mut results = Vec::new();
    for &node in &kernel.results {
        results.push((node, step.result_buffer(node)));
    }
    let title = step.title(kernel);
    let weights = ConvWeights::new(step, slide.weight, false, slide.groups, title);
    let [x, y, z] =
        [slide.operand, slide.node, pools.nodes[0]].map(|node| step.graph.extents(node));
    let pool = [0, 1].map(|axis| Reach::of(&pools.window, axis));
    let used = [0, 1].map(|axis| pool[axis].length(z[axis + 1]));
    let phases = [0, 1].map(|axis| Phases::forward(&slide.window, axis, used[axis]));
    let rows = composed(&pool[0], &phases[0].reach);
    let bands = bands(&[x, y, z], &pool[0], &rows, &phases, &slide.window);

    let domain = Domain::over(y);
    let writer = KernelWriter::new(title, bands.partition.parts);
    let nothing = FusedKernel { kind: kernel.kind, nodes: Vec::new(), results: Vec::new() };
    let mut nest = Nest::new(NestValues::new(step, writer, domain, &[]), &nothing, &[]);
    let values = &mut nest.values;
    let reads =
        OperandReads { rows, columns: phases[1].reach, width: phases[1].outputs, border: 0.0 };
    let operand = ImageOperand::new(values, slide.operand, &reads, &bands);
    let shape = [bands.images, pool[0].length(bands.rows), used[1], y[3]];
    let buffer = values.step.new_buffer(DType::F32, shape.iter().product(), Space::Thread);
    let to = values.buffer_slot(buffer);
    let sliding = ConvWriter {
        block_only: true,
        ..ConvWriter::new(values, slide, &fused, weights, phases, (shape, to))
    };
    let mut slot = |index: bool| {
        let is = |op: &Op| matches!(op, Op::MaxPoolIndex(_)) == index;
        let found = results.iter().find(|(node, _)| is(&values.step.graph.nodes[*node].op));
        found.map(|&(_, buffer)| values.buffer_slot(buffer))
    };
    let largest = Largest {
        window: pools.window,
        extents: [z[1], z[2]],
        shape,
        from: to,
        value: slot(false),
        index: slot(true),
        has_nan: !fused.relu,
    };
    largest.parts(&mut nest, &bands, &pool[0], &operand, &sliding);
    nest.finish();
}

/// The convolution by itself, then the pooling of what it has written.
fn apart(
    step: &mut StepBuilder,
    kernel: &FusedKernel,
    own: FusedKernel,
    slide: &ConvSlide,
    pools: &Pools,
) {
    step.store(pools.source);
    slide::lower(step, &FusedKernel { results: vec![pools.source], ..own }, slide);
    let (nodes, results) = (pools.nodes.clone(), kernel.results.clone());
    window::lower(step, &FusedKernel { kind: KernelKind::Window, nodes, results });
}

/// The reach of windows over windows.
fn composed(outer: &Reach, inner: &Reach) -> Reach {
    Reach {
        first: inner.first + outer.first * inner.step as i64,
        step: outer.step * inner.step,
        span: (outer.span - 1) * inner.step + inner.span,
    }
}

/// How images are cut, by pooled rows; the parts are those of the convolution alone.
fn bands(
    [x, y, z]: &[&[usize]; 3],
    pool: &Reach,
    rows: &Reach,
    phases: &[Phases; 2],
    window: &Window,
) -> Bands {
    let columns = &phases[1];
    let read_row = columns.reach.length(columns.outputs) * x[3];
    let written_row = pool.step * columns.outputs * y[3];
    let shape = BlockShape {
        images: z[0],
        rows: z[1],
        row_bytes: 4 * (rows.step * read_row + written_row),
        multiple: 1,
        row_work: written_row * x[3] * window.taps(),
    };
    let elements = x[1..].iter().product::<usize>().max(y[1..].iter().product());
    Bands::new(&shape, Partition::of_rows(z[0], elements), &[(*rows, x[1])])
}

/// The loops that find the largest elements under windows.
struct Largest {
    window: Window,
    /// Rows and columns of the result.
    extents: [usize; 2],
    /// Of the thread's buffer.
    shape: [usize; 4],
    from: SlotId,
    value: Option<SlotId>,
    index: Option<SlotId>,
    /// Whether elements may be NaN: a relu has none.
    has_nan: bool,
}

impl Largest {
    /// The loops over parts and blocks of pooled rows, which read the rows of the convolution that
    /// `pool` reaches.
    fn parts(
        &self,
        nest: &mut Nest,
        bands: &Bands,
        pool: &Reach,
        operand: &ImageOperand,
        sliding: &ConvWriter,
    ) {
        let part = nest.values.writer.var(bands.partition.parts);
        nest.values.writer.open_parts(part);
        operand.begin(&mut nest.values);
        bands.each(nest, part, |nest, block| {
            let placed = operand.load(&mut nest.values, block);
            let under = RowBlock {
                rows: pool.length(block.rows),
                first_row: block.first_row * pool.step as i64,
                ..block.clone()
            };
            sliding.block(nest, &under, &placed);
            self.block(nest, block);
        });
        nest.values.writer.close_parts(part);
    }

    /// The pooled rows of a block.
    fn block(&self, nest: &mut Nest, block: &RowBlock) {
        let [height, width] = self.extents;
        let [_, rows, columns, channels] = self.shape.map(|extent| extent as i64);
        let writer = &mut nest.values.writer;
        let image = writer.var(block.images);
        writer.open(Some(image));
        let row = writer.var(block.rows);
        writer.open(Some(row));
        let column = writer.var(width);
        writer.open(Some(column));
        let channel = writer.var(self.shape[3]);
        writer.open(Some(channel));
        let [down, right] = self.window.stride.map(|stride| stride as i64);
        let from = Affine::var(image)
            .times(rows * columns * channels)
            .plus(&Affine::var(row).times(down * columns * channels))
            .plus(&Affine::var(column).times(right * channels))
            .plus(&Affine::var(channel));
        let line = width as i64 * channels;
        let to = block
            .image
            .plus(&Affine::var(image))
            .times(height as i64 * line)
            .plus(&block.row.plus(&Affine::var(row)).times(line))
            .plus(&Affine::var(column).times(channels))
            .plus(&Affine::var(channel));
        self.element(nest, &from, &to);
        let writer = &mut nest.values.writer;
        writer.close_vector(channel, &[]);
        for var in [column, row, image] {
            writer.close_for(var);
        }
    }

    /// One window: the index goes on from a tap to another only where that is strictly larger; the
    /// value is NaN where one is.
    fn element(&self, nest: &mut Nest, from: &Affine, to: &Affine) {
        let [_, _, columns, channels] = self.shape;
        let [kh, kw] = self.window.size;
        let [down, right] = self.window.dilation;
        let writer = &mut nest.values.writer;
        let depth = writer.depth();
        let mut values: Vec<RegId> = Vec::new();
        for (row, column) in (0..kh).flat_map(|row| (0..kw).map(move |column| (row, column))) {
            let far = (row * down * columns + column * right) * channels;
            let index = from.plus(&Affine::constant(far as i64));
            let load = Inst::Load(Access { slot: self.from, index });
            values.push(writer.define(DType::F32, depth, load));
        }
        let mut define = |dtype, inst| writer.define(dtype, depth, inst);
        let Some(index) = self.index else {
            let max = |a, b| define(DType::F32, Inst::Binary(Binary::Max, a, b));
            let largest = values.into_iter().reduce(max).expect("a window has taps");
            return writer.store(self.value.expect("a result"), to.clone(), largest);
        };
        let mut named = values[0];
        let mut number = define(DType::I32, Inst::I32(0));
        for (tap, &value) in values.iter().enumerate().skip(1) {
            let more = define(DType::Bool, Inst::Binary(Binary::Gt, value, named));
            let own = define(DType::I32, Inst::I32(tap as i32));
            number = define(DType::I32, Inst::Select(more, own, number));
            named = define(DType::F32, Inst::Select(more, value, named));
        }
        if self.has_nan {
            let mut unordered = define(DType::Bool, Inst::Binary(Binary::Ne, values[0], values[0]));
            for &value in &values[1..] {
                let own = define(DType::Bool, Inst::Binary(Binary::Ne, value, value));
                unordered = define(DType::Bool, Inst::Binary(Binary::Or, unordered, own));
            }
            let nan = define(DType::F32, Inst::F32(f32::NAN));
            named = define(DType::F32, Inst::Select(unordered, nan, named));
        }
        writer.store(index, to.clone(), number);
        if let Some(value) = self.value {
            writer.store(value, to.clone(), named);
        }
    }
}
