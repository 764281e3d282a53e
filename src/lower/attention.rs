//! Attention: products that make scores, work on their rows and products that read them, a block of
//! rows at a time.
//!
//! ```text
//! softmax(q @ kᵀ) @ v    parts { for heads { t1 = kᵀ
//!                            for blocks { tile t2 = q @ t1     32 rows of scores
//!                                         for rows { max, exp, sum, t2 = exp / sum }
//!                                         tile out = t2 @ v } } }
//! ```
//!
//! Takes a kernel of attention; gives one kernel of loops. A block of rows of each value that
//! products make or read is in a buffer of the thread's own, which stays in its cache; the scores as
//! a whole are nowhere. A product that sums over rows (a key's gradient) adds the blocks up in their
//! order. So each sum has the order that it has where each operator is a kernel of its own.
//! A right operand whose columns are not neighbours is turned once for each matrix.
//! Parts are of the first axis, as those of other kernels are. Where a causal mask hides what is
//! behind the diagonal ([`causal`]), blocks end near it; that is the same to the bit, as zeros are
//! all that is left out.

mod causal;

use crate::base::tensor::DType;
use crate::graph::domain::{AffineIndex, Domain, Level};
use crate::graph::kernels::{FusedKernel, KernelKind};
use crate::graph::view::row_major;
use crate::graph::{BoundGraph, NodeId, Op, OpKind};
use crate::loops::{Access, Affine, Inst, RowAxis, SlotId, Space, SumAxis, Tile, VarId};
use crate::lower::StepBuilder;
use crate::lower::nest::{Nest, leading};
use crate::lower::partition::Partition;
use crate::lower::tile::{TileOperand, operand};
use crate::lower::values::{NestValues, Saved};
use crate::lower::writer::KernelWriter;
use causal::HiddenScores;
use rustc_hash::FxHashMap;

/// Rows of a block, where its scores are not too many.
const MOST_ROWS: usize = 64;
/// The elements of a block of scores that stays in a core's L2 cache beside others.
const MOST_SCORES: usize = 32 << 10;
/// Rows of a block, however long they are.
const FEWEST_ROWS: usize = 8;
/// ScoreKernel of causal scores end at one of so many columns, each with loops of its own.
const MOST_ENDS: usize = 4;

/// The nodes of a kernel by what they do.
struct ScoreNodes {
    /// Products whose results are scores.
    makers: Vec<NodeId>,
    /// Work on these.
    inner: Vec<NodeId>,
    /// Products of scores, and the scores that they read.
    takers: Vec<(NodeId, NodeId)>,
}

/// A product that is being written.
struct ScoreProduct {
    /// The scores that it makes or reads.
    scores: NodeId,
    /// The indices along its batch axes.
    batch: Vec<AffineIndex>,
    side: ScoreSide,
    right: RightOperand,
    /// Columns, and products of a sum.
    n: usize,
    k: usize,
}

/// The way in which a product meets scores.
enum ScoreSide {
    /// They are its result; this is its left operand.
    Makes(SlotId, TileOperand),
    /// They are its left operand, row by row; this is its result.
    Rows(SlotId, Vec<i64>),
    /// They are its left operand turned: it sums over rows.
    Columns(SlotId, Vec<i64>),
}

/// A right operand: where it is read, and where it is turned to before.
struct RightOperand {
    slot: SlotId,
    operand: TileOperand,
    turned: Option<SlotId>,
}

/// A kernel of attention that is being written.
struct ScoreKernel {
    makers: Vec<ScoreProduct>,
    takers: Vec<ScoreProduct>,
    /// Where scores that products make or read are, and whether as a whole.
    places: FxHashMap<NodeId, (SlotId, bool)>,
    rows: usize,
    columns: usize,
    /// Rows of a block.
    block: usize,
    /// Whether columns behind a row may be left out.
    causal: bool,
}

/// Some rows of a matrix, and the columns that they need.
struct ScoreBlock {
    first: Affine,
    rows: usize,
    columns: usize,
    /// Whether others came before.
    adds: bool,
}

/// Writes a kernel of attention and runs it.
pub fn lower(step: &mut StepBuilder, kernel: &FusedKernel) {
    let nodes = ScoreNodes::of(step.graph, kernel);
    let scores = nodes.makers[0];
    let [.., rows, columns] = *step.graph.extents(scores) else { unreachable!("a product") };
    let within: Vec<NodeId> =
        kernel.nodes.iter().copied().filter(|&node| !nodes.takes(node)).collect();
    let domain = Domain::of_scores(step.graph, &within, scores).expect("what fusion has checked");
    let partition = Partition::of_axes(&domain.axes);
    for &result in &kernel.results {
        step.result_buffer(result);
    }
    let writer = KernelWriter::new(step.title(kernel), partition.parts);
    let mut results: Vec<NodeId> =
        kernel.results.iter().copied().filter(|&node| !nodes.takes(node)).collect();
    results.extend(nodes.takers.iter().map(|&(_, scores)| scores));
    results.sort_unstable();
    results.dedup();
    let work = FusedKernel { kind: KernelKind::Rows, nodes: within, results };
    let values = NestValues::new(step, writer, domain, &work.nodes);
    let mut nest = Nest::new(values, &work, &nodes.makers);
    let hidden = nodes.hides_later(nest.values.step.graph, kernel) && nest.has_one_column_loop();
    let block = (MOST_SCORES / columns).clamp(FEWEST_ROWS, MOST_ROWS).min(rows);
    let mut written = ScoreKernel::new(&mut nest, kernel, &nodes, [rows, columns, block]);
    written.causal = hidden;
    let part = nest.values.writer.var(partition.parts);
    nest.values.writer.open_parts(part);
    nest.each_length(part, partition, |nest, rows| {
        written.part(nest, (part, partition.rows), rows)
    });
    nest.values.writer.close_parts(part);
    nest.finish();
}

impl ScoreNodes {
    fn of(graph: &BoundGraph, kernel: &FusedKernel) -> ScoreNodes {
        let inside = |node: NodeId| kernel.nodes.binary_search(&node).is_ok();
        let mut nodes = ScoreNodes { makers: Vec::new(), inner: Vec::new(), takers: Vec::new() };
        for &node in &kernel.nodes {
            let left = graph.base_or(graph.nodes[node].args.first().map_or(node, |&it| it), inside);
            match graph.nodes[node].op.kind() {
                OpKind::Product if inside(left) => nodes.takers.push((node, left)),
                OpKind::Product => nodes.makers.push(node),
                _ => nodes.inner.push(node),
            }
        }
        nodes
    }

    /// Whether scores of columns behind their row are nothing to anyone.
    fn hides_later(&self, graph: &BoundGraph, kernel: &FusedKernel) -> bool {
        let whole = |node: &NodeId| graph.elements(*node) == graph.elements(self.makers[0]);
        let mut within = kernel.results.iter().filter(|node| !self.takes(**node));
        let read = self.takers.iter().map(|&(_, scores)| scores);
        !within.any(whole) && HiddenScores::new(graph, &kernel.nodes).are_nothing(read)
    }

    fn takes(&self, node: NodeId) -> bool {
        self.takers.iter().any(|&(taker, _)| taker == node)
    }
}

/// Whether the operands of a product are turned.
fn turned(graph: &BoundGraph, product: NodeId) -> (bool, bool) {
    match graph.nodes[product].op {
        Op::MatMul { transpose_a, transpose_b } => (transpose_a, transpose_b),
        ref other => unreachable!("{other:?} is no product"),
    }
}

impl ScoreKernel {
    fn new(
        nest: &mut Nest,
        kernel: &FusedKernel,
        nodes: &ScoreNodes,
        [rows, columns, block]: [usize; 3],
    ) -> ScoreKernel {
        let mut written = ScoreKernel {
            makers: Vec::new(),
            takers: Vec::new(),
            places: FxHashMap::default(),
            rows,
            columns,
            block,
            causal: false,
        };
        for &maker in &nodes.makers {
            let place = written.place(nest, kernel, maker);
            let saved = if place.1 { Saved::Whole(place.0) } else { Saved::Block(place.0) };
            nest.values.saved.insert(maker, saved);
            let product = written.product(nest, maker, None);
            written.makers.push(product);
        }
        for &(taker, scores) in &nodes.takers {
            let place = written.place(nest, kernel, scores);
            if !place.1 {
                nest.blocks.insert(scores, place.0);
            }
            let product = written.product(nest, taker, Some(scores));
            written.takers.push(product);
        }
        written
    }

    /// Where the scores of a node are while a block is computed.
    fn place(&mut self, nest: &mut Nest, kernel: &FusedKernel, node: NodeId) -> (SlotId, bool) {
        if let Some(&place) = self.places.get(&node) {
            return place;
        }
        let place = match kernel.results.contains(&node) {
            true => (nest.values.slot(node), true),
            false => {
                let len = self.block * self.columns;
                let buffer = nest.values.step.new_buffer(DType::F32, len, Space::Thread);
                (nest.values.buffer_slot(buffer), false)
            }
        };
        self.places.insert(node, place);
        place
    }

    /// The operands and the result of a product that makes scores, or reads them.
    fn product(&self, nest: &mut Nest, node: NodeId, scores: Option<NodeId>) -> ScoreProduct {
        let graph = nest.values.step.graph;
        let [left, right] = graph.nodes[node].args[..] else { unreachable!("two operands") };
        let (turned_left, turned_right) = turned(graph, node);
        let [.., n] = *graph.extents(node) else { unreachable!("a matrix") };
        let k = graph.elements(left) / (graph.elements(node) / n);
        let shape = graph.extents(if scores.is_some() { left } else { node });
        let mut batch =
            nest.values.domain.forms(shape, Level::Full).expect("what fusion has checked");
        batch.truncate(shape.len() - 2);
        let side = match scores {
            None => {
                let view = nest.values.step.view(left);
                let left = operand(nest.values.step, &view, turned_left);
                ScoreSide::Makes(nest.values.buffer_slot(left.buffer), left)
            }
            Some(_) => {
                let strides = row_major(graph.extents(node))[..shape.len() - 2].to_vec();
                let slot = nest.values.slot(node);
                match turned_left {
                    true => ScoreSide::Columns(slot, strides),
                    false => ScoreSide::Rows(slot, strides),
                }
            }
        };
        let right = RightOperand::of(nest, right, !turned_right, [n, k]);
        ScoreProduct { scores: scores.unwrap_or(node), batch, side, right, n, k }
    }

    /// The matrices of a part.
    fn part(&self, nest: &mut Nest, (part, before): (VarId, usize), rows: usize) {
        nest.forget();
        let extents = nest.values.domain.axes[..nest.values.domain.rows - 1].to_vec();
        let mut vars = Vec::new();
        for (axis, &extent) in extents.iter().enumerate() {
            let var = nest.values.writer.var(if axis == 0 { rows } else { extent });
            nest.values.writer.open(Some(var));
            nest.values.index[axis] =
                if axis == 0 { leading(part, before, var) } else { Affine::var(var) };
            vars.push(var);
        }
        self.matrix(nest);
        for var in vars.into_iter().rev() {
            nest.values.writer.close_for(var);
        }
    }

    /// The blocks of a matrix of scores.
    fn matrix(&self, nest: &mut Nest) {
        for product in self.makers.iter().chain(&self.takers) {
            product.turn(nest);
        }
        let (whole, rest) = (self.rows / self.block, self.rows % self.block);
        // No row of a block that ends before the last columns stores these.
        let leaves = self.causal && rest == 0 && self.rows < self.columns;
        let adds = whole + rest.min(1) > 1 || leaves;
        if adds {
            self.takers.iter().for_each(|product| product.clear(nest, self.columns));
        }
        let ends = if self.causal { MOST_ENDS.min(whole) } else { 1 };
        let mut next = 0;
        for end in 1..=ends {
            let (first, count) = (next, whole * end / ends - next);
            next += count;
            let columns = if self.causal { next * self.block } else { self.columns };
            let columns = columns.min(self.columns);
            let var = (count > 1).then(|| nest.values.writer.var(count));
            let mut start = Affine::constant((first * self.block) as i64);
            if let Some(var) = var {
                nest.values.writer.open(Some(var));
                start = start.plus(&Affine::var(var).times(self.block as i64));
            }
            let block = ScoreBlock { first: start, rows: self.block, columns, adds };
            self.rows(nest, &block);
            if let Some(var) = var {
                nest.values.writer.close_for(var);
            }
        }
        if rest > 0 {
            let first = Affine::constant((whole * self.block) as i64);
            let block = ScoreBlock { first, rows: rest, columns: self.columns, adds };
            self.rows(nest, &block);
        }
    }

    /// A block of rows: products that make scores, work on these, products that read them.
    fn rows(&self, nest: &mut Nest, block: &ScoreBlock) {
        let axis = nest.values.domain.rows - 1;
        let mut start = block.first.times(self.columns as i64);
        let mut stride = (self.rows * self.columns) as i64;
        for axis in (0..axis).rev() {
            start = start.plus(&nest.values.index[axis].times(stride));
            stride *= nest.values.domain.axes[axis] as i64;
        }
        nest.values.block = start;
        for product in &self.makers {
            self.tile(nest, product, block);
        }
        let columns = (block.columns < self.columns).then_some(block.columns);
        nest.rows_from(&block.first, block.rows, columns);
        for product in &self.takers {
            self.tile(nest, product, block);
        }
    }

    /// The tile of a product for a block of rows.
    fn tile(&self, nest: &mut Nest, product: &ScoreProduct, block: &ScoreBlock) {
        let ScoreBlock { first, rows, columns, adds } = block;
        let (slot, whole) = self.places[&product.scores];
        let index = if whole { nest.values.block.clone() } else { Affine::default() };
        let scores = Access { slot, index };
        let (wide, n) = (self.columns as i64, product.n as i64);
        let (b, b_inner) = product.right(nest);
        let (row, sum, a, c, accumulate) = match &product.side {
            ScoreSide::Makes(slot, left) => {
                let index = Affine::constant(left.offset)
                    .plus(&product.along(nest, &left.batch))
                    .plus(&first.times(left.outer));
                let row = RowAxis { extent: *rows, a: left.outer, c: wide };
                let sum = SumAxis { extent: product.k, a: left.inner, b: b_inner };
                (row, sum, Access { slot: *slot, index }, scores, false)
            }
            ScoreSide::Rows(slot, strides) => {
                let index = product.along(nest, strides).plus(&first.times(n));
                let row = RowAxis { extent: *rows, a: wide, c: n };
                let sum = SumAxis { extent: *columns, a: 1, b: b_inner };
                (row, sum, scores, Access { slot: *slot, index }, false)
            }
            ScoreSide::Columns(slot, strides) => {
                let index = product.along(nest, strides);
                let row = RowAxis { extent: *columns, a: 1, c: n };
                let sum = SumAxis { extent: *rows, a: wide, b: b_inner };
                (row, sum, scores, Access { slot: *slot, index }, *adds)
            }
        };
        let b = match product.side {
            ScoreSide::Columns(..) => Access { index: b.index.plus(&first.times(b_inner)), ..b },
            ScoreSide::Makes(..) | ScoreSide::Rows(..) => b,
        };
        let n = match product.side {
            ScoreSide::Makes(..) => *columns,
            ScoreSide::Rows(..) | ScoreSide::Columns(..) => product.n,
        };
        nest.values.writer.tile(Tile {
            rows: vec![row],
            n,
            sum: vec![sum],
            a,
            b,
            c,
            accumulate,
            bias: None,
            relu: false,
        });
    }
}

impl ScoreProduct {
    /// The distance of the matrix that is computed from the first one.
    fn along(&self, nest: &Nest, strides: &[i64]) -> Affine {
        let mut sum = Affine::default();
        for (form, &stride) in self.batch.iter().zip(strides) {
            sum.add(&nest.values.affine(form), stride);
        }
        sum
    }

    /// Where the right operand of the matrix begins, and the distance along the sum.
    fn right(&self, nest: &Nest) -> (Access, i64) {
        let RightOperand { slot, operand, turned } = &self.right;
        match turned {
            Some(slot) => (Access { slot: *slot, index: Affine::default() }, self.n as i64),
            None => {
                let index =
                    Affine::constant(operand.offset).plus(&self.along(nest, &operand.batch));
                (Access { slot: *slot, index }, operand.inner)
            }
        }
    }

    /// Turns the right operand of the matrix, where it must be.
    fn turn(&self, nest: &mut Nest) {
        let RightOperand { slot, operand, turned: Some(to) } = &self.right else { return };
        let start = Affine::constant(operand.offset).plus(&self.along(nest, &operand.batch));
        let writer = &mut nest.values.writer;
        let (row, column) = (writer.var(self.k), writer.var(self.n));
        writer.open(Some(row));
        writer.open(Some(column));
        let index = start
            .plus(&Affine::var(row).times(operand.inner))
            .plus(&Affine::var(column).times(operand.outer));
        let depth = writer.depth();
        let value = writer.define(DType::F32, depth, Inst::Load(Access { slot: *slot, index }));
        let index = Affine::var(row).times(self.n as i64).plus(&Affine::var(column));
        writer.store(*to, index, value);
        writer.close_vector(column, &[]);
        writer.close_for(row);
    }

    /// Begins the sums over rows of the matrix.
    fn clear(&self, nest: &mut Nest, columns: usize) {
        let ScoreSide::Columns(slot, strides) = &self.side else { return };
        let start = self.along(nest, strides);
        let zero = nest.values.constant(0.0, DType::F32);
        let writer = &mut nest.values.writer;
        let var = writer.var(columns * self.n);
        writer.open(Some(var));
        writer.store(*slot, start.plus(&Affine::var(var)), zero);
        writer.close_vector(var, &[]);
    }
}

impl RightOperand {
    /// An operand of `k` rows and `n` columns, turned where its columns are not neighbours.
    fn of(nest: &mut Nest, node: NodeId, inner_first: bool, [n, k]: [usize; 2]) -> RightOperand {
        let view = nest.values.step.view(node);
        let operand = operand(nest.values.step, &view, inner_first);
        let slot = nest.values.buffer_slot(operand.buffer);
        let turned = (operand.outer != 1 && n != 1).then(|| {
            let buffer = nest.values.step.new_buffer(DType::F32, n * k, Space::Thread);
            nest.values.buffer_slot(buffer)
        });
        RightOperand { slot, operand, turned }
    }
}
