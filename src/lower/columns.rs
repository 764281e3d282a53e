//! Reductions over first axes: a bias's gradient, a batch's mean.
//!
//! Takes a kernel of element-wise work and reductions that all keep the last axis; gives loops
//! that read everything once. The leading axis is cut into the same parts as that of all other
//! kernels over it, so that a part's rows are in its thread's cache; each part adds its rows, in
//! order, to sums of its own, and every thread combines the parts' sums, in order, for itself
//! ([`totals`]): a vector that costs no barrier but the one between the two.
//!
//! ```text
//! sum over axis 0 of x[32, 128]
//!     parts i0 in 0..4 { vector i1 { s1[128·i0 + i1] = 0 }
//!                        for i2 in 0..2 { vector i3 { four rows of s0, then s1[…] += their sum } } }
//!     vector i0 in 0..128 { store s1[i0] = s0[i0] + s0[128 + i0] + … }
//! ```
//!
//! A variance is summed in the same pass: differences from a shift that is the mean of the
//! part's first rows, and their squares; [`totals`] says how those of parts are combined.
//!
//! Rows are added four at a time. Few channels would leave most of a vector empty:
//! there the vector runs along the rows, in sixteen lanes. A sample's own sums (of axes behind the
//! batch's) are added one row after another instead, and not in parts, so that no bit depends on how
//! many samples there are. Sums of which more than [`MOST_KEPT`](crate::graph::domain::MOST_KEPT)
//! are kept are not worth a copy for each part: their parts cut the first kept axis instead.

mod loops;
pub mod totals;

use crate::base::tensor::DType;
use crate::graph::domain::{AffineIndex, Domain, Level, MOST_KEPT};
use crate::graph::kernels::FusedKernel;
use crate::graph::{NodeId, Op};
use crate::loops::{BufferId, SlotId, Space};
use crate::lower::StepBuilder;
use crate::lower::columns::totals::{Total, TotalKind, TotalsOwner};
use crate::lower::nest::Nest;
use crate::lower::partition::Partition;
use crate::lower::title::Title;
use crate::lower::values::{NestValues, ValueKey};
use crate::lower::writer::KernelWriter;

/// One reduction.
struct Sum {
    kind: TotalKind,
    arg: NodeId,
    forms: Vec<AffineIndex>,
    /// Where the sums are: one, or a variance's three.
    slots: Vec<SlotId>,
}

/// Reductions being written.
pub struct ColumnSums {
    sums: Vec<Sum>,
    /// The results, and the sums of parts that they are made of.
    totals: Vec<Total>,
    /// Element-wise values that are stored on the way.
    results: Vec<NodeId>,
    shape: SumShape,
    reduced: Vec<bool>,
    /// Axes that every access passes from to the next in one step.
    joins: Vec<bool>,
    /// The index of a sum among a part's.
    kept: AffineIndex,
    /// Whether one row is added after another: sums are a sample's own.
    in_order: bool,
    /// Where sums are added block by block: how the first one is known.
    first: Option<FirstBlockMean>,
}

/// The shift of a variance, known when the first block of a part is: the mean of its
/// first rows.
struct FirstBlockMean {
    /// 0 before the first block of a part, then 1.
    met: SlotId,
    /// The means of a block's first rows, one a variance.
    means: Vec<SlotId>,
}

/// Writes reductions over first axes, and runs them.
pub fn lower(step: &mut StepBuilder, kernel: &FusedKernel) {
    let split = KernelSplit::of(step, kernel).expect("what fusion has checked");
    for &result in &split.producers.results {
        step.result_buffer(result);
    }
    let title = step.title(kernel);
    let shape = SumShape::of(step, &split);
    let partition = shape.partition;
    let writer = KernelWriter::new(title, partition.parts);
    let values = NestValues::new(step, writer, split.domain.clone(), &split.producers.nodes);
    let mut nest = Nest::new(values, &split.producers, &[]);
    let columns = ColumnSums::new(&mut nest, &split, shape);
    let part = nest.values.writer.var(partition.parts);
    nest.values.writer.open_parts(part);
    nest.each_length(part, partition, |nest, rows| columns.part(nest, part, rows));
    nest.values.writer.close_parts(part);
    columns.finish(nest.finish(), title);
}

/// A kernel's sums of columns, and the rest of it.
pub struct KernelSplit {
    /// The reductions.
    pub sums: Vec<NodeId>,
    /// The other nodes, with those of their values that are results.
    pub producers: FusedKernel,
    /// The nest of both.
    pub domain: Domain,
    /// Which axes are reduced.
    pub reduced: Vec<bool>,
}

impl KernelSplit {
    /// The parts of a kernel, if it sums columns.
    pub fn of(step: &StepBuilder, kernel: &FusedKernel) -> Option<KernelSplit> {
        let is_sum = |node: &NodeId| step.graph.sums_columns(*node);
        let (domain, reduced) = Domain::columns(step.graph, &kernel.nodes)?;
        let rest = |nodes: &[NodeId]| nodes.iter().copied().filter(|node| !is_sum(node)).collect();
        let (nodes, results) = (rest(&kernel.nodes), rest(&kernel.results));
        let producers = FusedKernel { nodes, results, ..kernel.clone() };
        let sums = kernel.nodes.iter().copied().filter(is_sum).collect();
        Some(KernelSplit { sums, producers, domain, reduced })
    }

    /// Whether one of the sums is a variance.
    pub fn has_variance(&self, step: &StepBuilder) -> bool {
        self.sums.iter().any(|&sum| kind(step, sum) == TotalKind::Variance)
    }

    /// Whether a sum is a sample's own.
    pub fn is_by_sample(&self, step: &StepBuilder) -> bool {
        self.sums.iter().any(|&sum| step.graph.sums_by_sample(sum))
    }
}

impl ColumnSums {
    /// Reductions in a nest.
    fn new(nest: &mut Nest, split: &KernelSplit, shape: SumShape) -> ColumnSums {
        let values = &mut nest.values;
        let totals: Vec<Total> = split
            .sums
            .iter()
            .map(|&node| Total {
                node,
                kind: kind(values.step, node),
                sums: buffers(values.step, node, &shape),
            })
            .collect();
        let sums: Vec<Sum> = totals
            .iter()
            .map(|total| sum(values.step, &mut values.writer, &values.domain, total))
            .collect();
        let kept = kept_form(&split.domain, &split.reduced);
        let in_order = split.is_by_sample(values.step);
        let joins = joins(nest, &split.producers.nodes, &sums, &kept);
        ColumnSums {
            sums,
            totals,
            results: split.producers.results.clone(),
            shape,
            reduced: split.reduced.clone(),
            joins,
            kept,
            in_order,
            first: None,
        }
    }

    /// Reductions whose rows are added block by block, in the parts of another kernel, which cuts
    /// the first axis: [`ColumnSums::begin_part`], then [`ColumnSums::block`] for each block.
    /// `given` are nodes whose values are in memory already.
    pub fn in_blocks(
        nest: &mut Nest,
        split: &KernelSplit,
        given: &[NodeId],
        partition: Partition,
    ) -> ColumnSums {
        let shape = SumShape::in_parts(&split.domain, &split.reduced, 0, partition);
        let kept = shape.pitch;
        let mut columns = ColumnSums::new(nest, split, shape);
        columns.results.retain(|result| !given.contains(result));
        let variances = columns.variances().count();
        if variances > 0 {
            let mut slot = |len: usize| {
                let buffer = nest.values.step.new_buffer(DType::F32, len, Space::Thread);
                nest.values.writer.slot(buffer, DType::F32, len)
            };
            let met = slot(1);
            columns.first =
                Some(FirstBlockMean { met, means: (0..variances).map(|_| slot(kept)).collect() });
        }
        columns
    }

    fn variances(&self) -> impl Iterator<Item = &Sum> {
        self.sums.iter().filter(|sum| sum.kind == TotalKind::Variance)
    }

    /// Combines the sums of parts, when the kernel that has made them has been run.
    pub fn finish(mut self, step: &mut StepBuilder, title: Title) {
        let SumShape { pitch, counts, place, .. } = self.shape;
        self.totals.retain(|total| pitch > 0 || total.kind == TotalKind::Variance);
        if !self.totals.is_empty() {
            totals::run(step, &self.totals, (&counts, pitch), place, title);
        }
    }
}

/// The kind of sum that a node of a kernel of columns is.
fn kind(step: &StepBuilder, node: NodeId) -> TotalKind {
    match step.graph.nodes[node].op {
        Op::Reduce(op, _) => TotalKind::Reduce(op),
        _ => TotalKind::Variance,
    }
}

/// How sums are cut into parts.
struct SumShape {
    /// The axis that is cut.
    cut: usize,
    partition: Partition,
    /// The distance between the sums of two parts; 0 where parts have sums of their own.
    pitch: usize,
    /// How many sums there are.
    kept: usize,
    /// How many elements each slice of sums holds.
    counts: Vec<usize>,
    /// Who computes the totals.
    place: TotalsOwner,
}

impl SumShape {
    fn of(step: &StepBuilder, split: &KernelSplit) -> SumShape {
        let KernelSplit { domain, reduced, .. } = split;
        let kept = count(domain, reduced, false);
        let is_large = kept > MOST_KEPT && !split.has_variance(step);
        let cut = match reduced.iter().position(|&reduced| !reduced) {
            Some(first) if reduced[0] && (is_large || split.is_by_sample(step)) => first,
            _ => 0,
        };
        let partition = match cut {
            0 => Partition::of_axes(&domain.axes),
            _ => Partition::of(domain.axes[cut]),
        };
        Self::in_parts(domain, reduced, cut, partition)
    }

    /// Sums over the parts of an axis.
    fn in_parts(domain: &Domain, reduced: &[bool], cut: usize, partition: Partition) -> SumShape {
        let (kept, summed) = (count(domain, reduced, false), count(domain, reduced, true));
        let extent = domain.axes[cut];
        if !reduced[cut] {
            let place = TotalsOwner::Parts(partition, kept / extent);
            return SumShape { cut, partition, pitch: 0, kept, counts: vec![summed], place };
        }
        let mut counts = vec![partition.rows * (summed / extent); partition.parts];
        counts[partition.parts - 1] = partition.last * (summed / extent);
        let place = match kept {
            0..=MOST_KEPT => TotalsOwner::Thread,
            _ => TotalsOwner::Parts(Partition::of(kept), 1),
        };
        // Whole cache lines: neighbouring parts may be different threads'.
        SumShape { cut, partition, pitch: kept.next_multiple_of(16), kept, counts, place }
    }
}

/// How many elements the axes have that are reduced, or those that are not.
fn count(domain: &Domain, reduced: &[bool], wanted: bool) -> usize {
    let axes = domain.axes.iter().zip(reduced).filter(|&(_, &own)| own == wanted);
    axes.map(|(&extent, _)| extent).product()
}

/// Where a reduction's sums are: slices for each part, or the result itself.
fn buffers(step: &mut StepBuilder, node: NodeId, shape: &SumShape) -> Vec<BufferId> {
    let dtype = step.graph.ty(node).dtype;
    let len = if shape.pitch > 0 { shape.pitch * shape.partition.parts } else { shape.kept };
    match kind(step, node) {
        TotalKind::Reduce(_) if shape.pitch == 0 => vec![step.result_buffer(node)],
        TotalKind::Reduce(_) => vec![step.new_buffer(dtype, len, Space::Scratch)],
        TotalKind::Variance => {
            [(); 3].map(|()| step.new_buffer(dtype, len, Space::Scratch)).to_vec()
        }
    }
}

fn sum(
    step: &StepBuilder,
    writer: &mut KernelWriter<ValueKey>,
    domain: &Domain,
    total: &Total,
) -> Sum {
    let arg = step.graph.nodes[total.node].args[0];
    let forms = domain.forms(step.graph.extents(arg), Level::Full);
    let slot = |&buffer: &BufferId| {
        let (dtype, len) = step.shape_of(buffer);
        writer.slot(buffer, dtype, len)
    };
    let slots = total.sums.iter().map(slot).collect();
    Sum { kind: total.kind, arg, forms: forms.expect("what fusion has checked"), slots }
}

/// The index among the kept elements.
fn kept_form(domain: &Domain, reduced: &[bool]) -> AffineIndex {
    let mut form = AffineIndex::constant(0, domain.axes.len());
    let mut stride = 1;
    for axis in (0..domain.axes.len()).rev().filter(|&axis| !reduced[axis]) {
        form.factors[axis] = stride;
        stride *= domain.axes[axis] as i64;
    }
    form
}

/// For each axis but the last, whether every access passes from it to the next in one step.
fn joins(nest: &Nest, producers: &[NodeId], sums: &[Sum], kept: &AffineIndex) -> Vec<bool> {
    let axes = &nest.values.domain.axes;
    let mut forms = nest.values.all_forms(producers);
    for sum in sums {
        nest.values.forms_below(sum.arg, &sum.forms, &mut forms);
    }
    forms.push(kept.clone());
    let joins = |axis: usize| {
        let next = axes[axis + 1] as i64;
        forms.iter().all(|form| form.factors[axis] == form.factors[axis + 1] * next)
    };
    (0..axes.len() - 1).map(joins).collect()
}
