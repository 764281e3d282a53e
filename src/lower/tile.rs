//! Contractions: tiles over parts of rows, with what follows element by element.
//!
//! Takes a contraction kernel; gives its loops. The left operand may lie in memory in any way; the
//! right one must have its columns side by side. A parameter that is needed transposed has a
//! second layout, `PATH^T`, which is kept up to date (see [`StepBuilder::derived`]); any other value is
//! transposed on the spot. A right operand larger than half a core's L2 cache is passed in
//! panels of columns, and those in blocks of the sum: each block is used by all of a thread's rows while
//! it is in cache, and adds its products to what the blocks before it have left in the result, so that
//! the order of sums stays. Where its rows would share a few places of the caches, it is copied panel by
//! panel before.
//!
//! ```text
//! relu(x @ w + b), x [32, 784]     parts i0 in 0..4 { tile row 8, n 128, sum 784 …, bias, relu }
//! ```
//!
//! Bias and relu are the tile's own; other work is done in loops over the same part right after.

use crate::base::tensor::DType;
use crate::graph::domain::Domain;
use crate::graph::kernels::FusedKernel;
use crate::graph::view::{View, row_major};
use crate::graph::{NodeId, Op, ParamId};
use crate::loops::{Access, Affine, BufferId, RowAxis, SlotId, Space, SumAxis, Tile, VarId};
use crate::lower::epilogue::{Fused, fused, target_buffer};
use crate::lower::nest::Nest;
use crate::lower::partition::Partition;
use crate::lower::title::Title;
use crate::lower::values::{NestValues, Saved};
use crate::lower::writer::KernelWriter;
use crate::lower::{StepBuilder, moves};
use crate::schedule::globals::ParamLayout;
use std::hash::Hash;

/// Bytes of a right operand that stays in a core's L2 cache beside the rest.
const CACHED: usize = 512 << 10;
/// Bytes between rows that lie in the same places of a cache: a multiple of half a page.
const ALIASED: usize = 2 << 10;
/// Rows of the result that are worth a copy of the right operand.
const WORTH_A_COPY: usize = 256;
/// Products of a block of a sum, of which a panel's right operand stays there, too.
const BLOCK: usize = 512;

/// An operand in memory: strides of the leading (batch) axes, then of its two own.
pub struct TileOperand {
    /// Where it lies.
    pub buffer: BufferId,
    /// Its first element.
    pub offset: i64,
    /// Along each batch axis.
    pub batch: Vec<i64>,
    /// Along `m` of the left, `n` of the right operand.
    pub outer: i64,
    /// Along `k`.
    pub inner: i64,
}

/// Both operands in memory.
struct ProductOperands {
    a: TileOperand,
    /// The right one, its columns side by side.
    b: TileOperand,
    /// The distance from a panel of `b` to the next, for each of its columns: 1 where panels lie side by
    /// side, more where they lie one behind the other.
    b_column: i64,
}

/// Which axis is cut into parts.
#[derive(Clone, Copy, PartialEq)]
enum CutAxis {
    Batch,
    Rows,
    Columns,
}

/// A contraction being written.
struct Contraction {
    batch: Vec<usize>,
    m: usize,
    n: usize,
    k: usize,
    operands: ProductOperands,
    along: CutAxis,
    partition: Partition,
    /// Elements along the cut axis for each unit of the partition.
    unit: usize,
    slots: Slots,
    c_batch: Vec<i64>,
    bias: Option<i64>,
    relu: bool,
}

/// Neighbouring products of a sum.
struct SumBlock {
    first: Affine,
    size: usize,
    /// Whether the sum is finished with it.
    is_last: bool,
}

impl SumBlock {
    /// The whole sum.
    fn all(size: usize) -> SumBlock {
        SumBlock { first: Affine::default(), size, is_last: true }
    }
}

#[derive(Clone, Copy)]
struct Slots {
    a: SlotId,
    b: SlotId,
    c: SlotId,
    bias: Option<SlotId>,
}

/// Writes a contraction and what follows it, and runs it.
pub fn lower(step: &mut StepBuilder, kernel: &FusedKernel) {
    let is_product = |node: &NodeId| matches!(step.graph.nodes[*node].op, Op::MatMul { .. });
    let matmul = kernel.nodes.iter().copied().rfind(is_product).expect("a contraction");
    let domain = Domain::of(step.graph, &kernel.nodes).expect("what fusion has checked");
    let fused = fused(step, kernel, matmul);
    for &result in &kernel.results {
        step.result_buffer(result);
    }
    let last = *fused.nodes.last().expect("the product itself");
    let target = target_buffer(step, kernel, last);
    let title = step.title(kernel);
    let operands = operands(step, matmul, title);
    let lead = domain.axes.first().copied().unwrap_or(1);
    let partition = Partition::of_axes(&domain.axes);
    let mut writer = KernelWriter::new(title, partition.parts);
    let contraction =
        contraction(step, &mut writer, matmul, operands, target, (lead, partition), &fused);

    let rest = kernel.nodes.iter().any(|node| !fused.nodes.contains(node));
    let mut nest =
        Nest::new(NestValues::new(step, writer, domain, &kernel.nodes), kernel, &fused.nodes);
    nest.values.saved.insert(last, Saved::Whole(contraction.slots.c));
    let panel = contraction.panel();
    let tiled_apart = panel < contraction.n;
    if tiled_apart {
        contraction.panels(&mut nest, panel);
    }
    if !tiled_apart || rest {
        let part = nest.values.writer.var(partition.parts);
        nest.values.writer.open_parts(part);
        if !tiled_apart {
            let n = contraction.n;
            nest.each_length(part, partition, |nest, rows| {
                let all = SumBlock::all(contraction.k);
                contraction.tiles(nest, part, rows, Affine::default(), n, &all);
            });
        }
        if rest {
            nest.part(part, partition);
        }
        nest.values.writer.close_parts(part);
    }
    nest.finish();
}

/// Both operands in memory, the right one with its columns side by side, in panels where its rows would
/// share places of the caches and that is worth it. A parameter has another layout for either; any other
/// value is copied.
fn operands(step: &mut StepBuilder, matmul: NodeId, title: Title) -> ProductOperands {
    let Op::MatMul { transpose_a, transpose_b } = step.graph.nodes[matmul].op else {
        unreachable!("a contraction")
    };
    let [left, right] = step.graph.nodes[matmul].args[..] else { unreachable!("two operands") };
    let view = step.view(left);
    let a = operand(step, &view, transpose_a);
    let view = step.view(right);
    let lies = operand(step, &view, !transpose_b);
    let [.., m, n] = *step.graph.extents(matmul) else { unreachable!("a matrix") };
    let k = view.extents[view.extents.len() - if transpose_b { 1 } else { 2 }];
    // One row is cut along its columns, which panels are not.
    let is_matrix = m > 1 && step.graph.elements(matmul) == m * n;
    let panel = panel_width(n);
    let is_aliased = |row: i64| {
        let large = is_matrix && k * n * 4 > CACHED && n.is_multiple_of(panel);
        large && row > 0 && (row as usize * 4).is_multiple_of(ALIASED)
    };
    let in_panels = |a, buffer, batch| {
        let b = TileOperand { buffer, offset: 0, batch, outer: 1, inner: panel as i64 };
        ProductOperands { a, b, b_column: k as i64 }
    };
    let is_reused = m >= WORTH_A_COPY || step.is_in_scan(matmul);
    let panels = (is_reused && is_aliased(n as i64)).then_some(panel);
    let side_by_side = lies.outer == 1 || n == 1;
    if let Some((param, turned)) = matrix_of_param(step, &view, &lies, [k, n])
        && (panels.is_some() || !side_by_side)
    {
        let (rows, cols) = if turned { (n, k) } else { (k, n) };
        let layout = ParamLayout { taps: 1, rows, cols, turned, panel: panels };
        if let Some(buffer) = step.derived(param, layout) {
            let batch = vec![0; view.extents.len() - 2];
            if panels.is_some() {
                return in_panels(a, buffer, batch);
            }
            let b = TileOperand { buffer, offset: 0, batch, outer: 1, inner: n as i64 };
            return ProductOperands { a, b, b_column: 1 };
        }
    }
    let b = if side_by_side { lies } else { written_out(step, view, transpose_b, title) };
    if b.outer != 1 || m < WORTH_A_COPY || !is_aliased(b.inner) {
        return ProductOperands { a, b, b_column: 1 };
    }
    let buffer = copied_in_panels(step, right, &b, [k, n], title);
    in_panels(a, buffer, b.batch)
}

/// The columns of a panel.
fn panel_width(n: usize) -> usize {
    [128, 96, 64].into_iter().find(|panel| n.is_multiple_of(*panel)).unwrap_or(128)
}

/// The parameter that a right operand `[k, n]` is, whole, and whether it lies as `[n, k]`.
fn matrix_of_param(
    step: &StepBuilder,
    view: &View,
    lies: &TileOperand,
    [k, n]: [usize; 2],
) -> Option<(ParamId, bool)> {
    let Op::Param(param) = step.graph.nodes[view.base].op else { return None };
    let is_matrix = view.extents.iter().product::<usize>() == k * n;
    if view.offset != 0 || !is_matrix || step.graph.elements(view.base) != k * n {
        return None;
    }
    let is_row_major = lies.inner == n as i64 && (lies.outer == 1 || n == 1);
    let is_turned = lies.outer == k as i64 && (lies.inner == 1 || k == 1);
    (is_row_major || is_turned).then_some((param, !is_row_major))
}

/// A right operand written out with its columns side by side.
fn written_out(
    step: &mut StepBuilder,
    right: View,
    transpose_b: bool,
    title: Title,
) -> TileOperand {
    let rank = right.extents.len();
    let mut extents = right.extents.clone();
    let mut strides = right.strides.clone();
    if transpose_b {
        extents.swap(rank - 1, rank - 2);
        strides.swap(rank - 1, rank - 2);
    }
    let dtype = step.graph.ty(right.base).dtype;
    let buffer = step.new_buffer(dtype, extents.iter().product(), Space::Scratch);
    let from = View { extents: extents.clone(), strides, ..right };
    let to = row_major(&extents);
    moves::copy(step, &from, buffer, 0, &to, title.and("columns"));
    let (batch, inner) = (to[..rank - 2].to_vec(), extents[rank - 1] as i64);
    TileOperand { buffer, offset: 0, batch, outer: 1, inner }
}

/// A right operand `[k, n]` copied so that its panels lie one behind the other.
fn copied_in_panels(
    step: &mut StepBuilder,
    base: NodeId,
    right: &TileOperand,
    [k, n]: [usize; 2],
    title: Title,
) -> BufferId {
    let panel = panel_width(n);
    // Row by row, so that many threads take part.
    let (extents, strides) = (vec![k, n / panel, panel], vec![right.inner, panel as i64, 1]);
    let to = [panel as i64, (k * panel) as i64, 1];
    let buffer = step.new_buffer(DType::F32, n * k, Space::Scratch);
    let from = View { base, offset: right.offset, extents, strides };
    moves::copy_between(step, (right.buffer, &from), buffer, 0, &to, title.and("panels"));
    buffer
}

/// An operand as a view gives it; `inner_first` where `k` is the last but one axis.
pub fn operand(step: &mut StepBuilder, view: &View, inner_first: bool) -> TileOperand {
    let rank = view.strides.len();
    let (last, before) = (view.strides[rank - 1], view.strides[rank - 2]);
    let (outer, inner) = if inner_first { (last, before) } else { (before, last) };
    let batch = view.strides[..rank - 2].to_vec();
    TileOperand { buffer: step.buffer(view.base), offset: view.offset, batch, outer, inner }
}

#[allow(clippy::too_many_arguments)] // What a contraction consists of.
fn contraction<K: Hash + Eq + Clone>(
    step: &mut StepBuilder,
    writer: &mut KernelWriter<K>,
    matmul: NodeId,
    operands: ProductOperands,
    target: BufferId,
    (lead, partition): (usize, Partition),
    fused: &Fused,
) -> Contraction {
    let shape = step.graph.extents(matmul);
    let rank = shape.len();
    let left = step.graph.extents(step.graph.nodes[matmul].args[0]);
    let (m, n) = (shape[rank - 2], shape[rank - 1]);
    let k = left[rank - 2] * left[rank - 1] / m.max(1);
    let batch = shape[..rank - 2].to_vec();
    let first = batch.iter().copied().find(|&extent| extent != 1);
    let (along, extent) = match first {
        Some(first) => (CutAxis::Batch, first),
        None if m > 1 => (CutAxis::Rows, m),
        None => (CutAxis::Columns, n),
    };
    let bias_buffer = fused.bias.as_ref().map(|view| step.buffer(view.base));
    let mut slot = |buffer: BufferId| {
        let (dtype, len) = step.shape_of(buffer);
        writer.slot(buffer, dtype, len)
    };
    let slots = Slots {
        a: slot(operands.a.buffer),
        b: slot(operands.b.buffer),
        c: slot(target),
        bias: bias_buffer.map(slot),
    };
    let c_batch = row_major(shape)[..rank - 2].to_vec();
    let bias = fused.bias.as_ref().map(|view| view.offset);
    let unit = extent / lead;
    let relu = fused.relu;
    Contraction { batch, m, n, k, operands, along, partition, unit, slots, c_batch, bias, relu }
}

impl Contraction {
    /// How many columns are passed at a time.
    fn panel(&self) -> usize {
        let fits = self.k * self.n * 4 <= CACHED;
        if self.along != CutAxis::Rows || fits || self.n <= 128 {
            return self.n;
        }
        panel_width(self.n)
    }

    /// All panels, outside of the parts: a panel is in cache for all of a thread's rows.
    fn panels(&self, nest: &mut Nest, panel: usize) {
        let whole = self.n / panel;
        let var = nest.values.writer.var(whole);
        nest.values.writer.open(Some(var));
        self.parts(nest, Affine::var(var).times(panel as i64), panel);
        nest.values.writer.close_for(var);
        if !self.n.is_multiple_of(panel) {
            self.parts(nest, Affine::constant((whole * panel) as i64), self.n % panel);
        }
    }

    /// All blocks of the sum of a panel of `n` columns: the first, those that are alike, the last.
    fn parts(&self, nest: &mut Nest, column: Affine, n: usize) {
        let blocks = self.k.div_ceil(BLOCK);
        if blocks < 2 {
            return self.block(nest, (column, n), &SumBlock::all(self.k));
        }
        let size = self.k.div_ceil(blocks).next_multiple_of(8);
        let last = (self.k - 1) / size;
        let block = |first: Affine, count, is_last| SumBlock { first, size: count, is_last };
        self.block(nest, (column.clone(), n), &block(Affine::default(), size, false));
        if last > 1 {
            let var = nest.values.writer.var(last - 1);
            nest.values.writer.open(Some(var));
            let first = Affine::var(var).plus(&Affine::constant(1)).times(size as i64);
            self.block(nest, (column.clone(), n), &block(first, size, false));
            nest.values.writer.close_for(var);
        }
        let first = last * size;
        let end = block(Affine::constant(first as i64), self.k - first, true);
        self.block(nest, (column, n), &end);
    }

    /// A block of the sum, of `n` columns from one on.
    fn block(&self, nest: &mut Nest, (column, n): (Affine, usize), sum: &SumBlock) {
        let part = nest.values.writer.var(self.partition.parts);
        nest.values.writer.open_parts(part);
        nest.each_length(part, self.partition, |nest, rows| {
            self.tiles(nest, part, rows, column.clone(), n, sum);
        });
        nest.values.writer.close_parts(part);
    }

    /// The tiles of a part: one, or one for each matrix of a batch.
    fn tiles(
        &self,
        nest: &mut Nest,
        part: VarId,
        rows: usize,
        column: Affine,
        n: usize,
        sum: &SumBlock,
    ) {
        let first = Affine::var(part).times((self.partition.rows * self.unit) as i64);
        let cut = rows * self.unit;
        let [a, b] =
            [&self.operands.a, &self.operands.b].map(|operand| Affine::constant(operand.offset));
        let writer = &mut nest.values.writer;
        match self.along {
            CutAxis::Rows => {
                let a = a.plus(&first.times(self.operands.a.outer));
                let c = column.plus(&first.times(self.n as i64));
                let b = b.plus(&column.times(self.operands.b_column));
                writer.tile(self.tile([cut, n], [a, b, c], column, sum));
            }
            CutAxis::Columns => {
                let c = column.plus(&first);
                writer.tile(self.tile([self.m, cut], [a, b.plus(&first), c.clone()], c, sum));
            }
            CutAxis::Batch => self.batch(writer, (first, cut), [a, b, column], n),
        }
    }

    /// A tile for each matrix of a part's: `cut` of the first long axis from `first` on, all of the
    /// other axes of the batch.
    fn batch<K: Hash + Eq + Clone>(
        &self,
        writer: &mut KernelWriter<K>,
        (first, cut): (Affine, usize),
        mut offsets: [Affine; 3],
        n: usize,
    ) {
        let mut vars: Vec<VarId> = Vec::new();
        let long = self.batch.iter().enumerate().filter(|(_, extent)| **extent != 1);
        for (axis, &extent) in long {
            let (extent, start) = match vars.is_empty() {
                true => (cut, first.clone()),
                false => (extent, Affine::default()),
            };
            let var = writer.var(extent);
            writer.open(Some(var));
            vars.push(var);
            let index = start.plus(&Affine::var(var));
            let strides =
                [self.operands.a.batch[axis], self.operands.b.batch[axis], self.c_batch[axis]];
            for (offset, stride) in offsets.iter_mut().zip(strides) {
                *offset = offset.plus(&index.times(stride));
            }
        }
        let all = SumBlock::all(self.k);
        writer.tile(self.tile([self.m, n], offsets, Affine::default(), &all));
        for var in vars.into_iter().rev() {
            writer.close_for(var);
        }
    }

    /// `m` rows and `n` columns of a block of the sum, from where the operands and the result are; the
    /// bias from a column on.
    fn tile(
        &self,
        [m, n]: [usize; 2],
        [a, b, c]: [Affine; 3],
        bias_column: Affine,
        sum: &SumBlock,
    ) -> Tile {
        let bias = self.slots.bias.zip(self.bias).map(|(slot, offset)| Access {
            slot,
            index: bias_column.plus(&Affine::constant(offset)),
        });
        let a = a.plus(&sum.first.times(self.operands.a.inner));
        let b = b.plus(&sum.first.times(self.operands.b.inner));
        Tile {
            rows: vec![RowAxis { extent: m, a: self.operands.a.outer, c: self.n as i64 }],
            n,
            sum: vec![SumAxis {
                extent: sum.size,
                a: self.operands.a.inner,
                b: self.operands.b.inner,
            }],
            a: Access { slot: self.slots.a, index: a },
            b: Access { slot: self.slots.b, index: b },
            c: Access { slot: self.slots.c, index: c },
            accumulate: sum.first != Affine::default(),
            bias: bias.filter(|_| sum.is_last),
            relu: self.relu && sum.is_last,
        }
    }
}
