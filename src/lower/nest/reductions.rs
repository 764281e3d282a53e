//! Reductions in a nest: of rows, and of everything in one partial result a part.
//!
//! ```text
//! mean of [4096, 10]    parts i0 { vector …  reduce sum → s1[i0] }   then, on every thread, Σ s1
//! ```
//!
//! The order of a sum follows from the shape alone, never from the number of threads.

use super::phases::RowReduction;
use super::{JoinedAxes, Nest, leading};
use crate::base::tensor::DType;
use crate::graph::domain::{AffineIndex, Domain, Level};
use crate::graph::kernels::FusedKernel;
use crate::graph::{NodeId, Op};
use crate::loops::{Access, Affine, Binary, BufferId, Inst, Reduce, RegId, SlotId, Space, VarId};
use crate::lower::StepBuilder;
use crate::lower::partition::Partition;
use crate::lower::title::Title;
use crate::lower::values::{NestValues, scalar_type};
use crate::lower::writer::KernelWriter;
use rustc_hash::FxHashMap;

/// A sum over more elements than this is shared by threads.
const SMALL: usize = 1024;

/// A reduction of everything: small ones by every thread, others in parts whose partial results
/// every thread combines, in order.
/// `table` is one that is read by its used rows.
pub(super) fn full_reduction(
    step: &mut StepBuilder,
    kernel: &FusedKernel,
    domain: Domain,
    table: Option<NodeId>,
) {
    let total: usize = domain.axes.iter().product();
    let title = step.title(kernel);
    let writer = KernelWriter::new(title, 0);
    let mut nest = Nest::new(NestValues::new(step, writer, domain, &kernel.nodes), kernel, &[]);
    nest.table = table;
    let partition = nest.partition();
    let shared = total > SMALL && partition.parts > 1;
    nest.values.writer.set_parts(if shared { partition.parts } else { 0 });
    let mut partials = FxHashMap::default();
    for &result in &kernel.results {
        let step = &mut *nest.values.step;
        let buffer = match shared {
            true => step.new_buffer(step.graph.ty(result).dtype, partition.parts, Space::Scratch),
            false => step.thread_buffer(result),
        };
        partials.insert(result, buffer);
    }
    if shared {
        let part = nest.values.writer.var(partition.parts);
        nest.values.writer.open_parts(part);
        nest.each_length(part, partition, |nest, rows| {
            nest.partial(part, partition, rows, &partials)
        });
        nest.values.writer.close_parts(part);
    } else {
        let cols = nest.cols.clone();
        nest.columns(&cols, 0);
        for result in &kernel.results {
            nest.store_to(*result, partials[result], Affine::default());
        }
    }
    let step = nest.finish();
    if shared {
        for &result in &kernel.results {
            combine(step, result, partials[&result], partition.parts, title);
        }
    }
}

/// Every thread combines the partial results of a reduction, in order of parts.
fn combine(step: &mut StepBuilder, result: NodeId, partials: BufferId, parts: usize, title: Title) {
    let Op::Reduce(op, _) = step.graph.nodes[result].op else { unreachable!("partial results") };
    let dtype = scalar_type(step.graph.ty(result).dtype);
    let total = step.thread_buffer(result);
    let mut writer: KernelWriter<()> = KernelWriter::new(title.and("total"), 0);
    let from = writer.slot(partials, dtype, parts);
    let to = writer.slot(total, dtype, 1);
    let var = writer.var(parts);
    writer.open(Some(var));
    let value = writer.define(dtype, 0, Inst::Load(Access { slot: from, index: Affine::var(var) }));
    let sums = writer.close_vector(var, &[(op, value)]);
    writer.store(to, Affine::default(), sums[0]);
    step.run(writer.finish());
}

/// The operator that combines two values of a reduction.
pub fn combining(op: Reduce) -> Binary {
    match op {
        Reduce::Sum => Binary::Add,
        Reduce::Max => Binary::Max,
        Reduce::Min => Binary::Min,
    }
}

impl Nest<'_, '_> {
    pub(super) fn task_value(&mut self, task: RowReduction) -> (Reduce, RegId) {
        let (RowReduction::Reduce(node, _)
        | RowReduction::Largest(node)
        | RowReduction::Index(node)) = task;
        let graph = self.values.step.graph;
        let arg = graph.nodes[node].args[0];
        let shape = graph.extents(arg);
        let forms = self.values.domain.forms(shape, Level::Full).expect("a row's columns");
        let value = self.values.value(arg, &forms);
        match task {
            RowReduction::Reduce(_, op) => (op, value),
            RowReduction::Largest(_) => (Reduce::Max, value),
            RowReduction::Index(_) => {
                (Reduce::Min, self.index_of_largest(node, value, &forms, shape))
            }
        }
    }

    /// An element's column if it is as large as the row's largest (or NaN), else one past the
    /// end; in `f32`, exact below 2^24 columns.
    pub(super) fn index_of_largest(
        &mut self,
        node: NodeId,
        value: RegId,
        forms: &[AffineIndex],
        shape: &[usize],
    ) -> RegId {
        let Op::ArgMax(axis) = *self.op(node) else { unreachable!("an index of the largest") };
        let largest = self.largest[&node];
        let column = self.values.affine(&forms[axis]);
        let writer = &mut self.values.writer;
        let counted = writer.define(DType::I32, 0, Inst::Index(column));
        let counted = writer.define(DType::F32, 0, Inst::Cast(DType::F32, counted));
        let equal = writer.define(DType::Bool, 0, Inst::Binary(Binary::Eq, value, largest));
        let unordered = writer.define(DType::Bool, 0, Inst::Binary(Binary::Ne, value, value));
        let found = writer.define(DType::Bool, 0, Inst::Binary(Binary::Or, equal, unordered));
        let past = writer.define(DType::F32, 0, Inst::F32(shape[axis] as f32));
        writer.define(DType::F32, 0, Inst::Select(found, counted, past))
    }

    pub(super) fn set_reduced(&mut self, task: RowReduction, reg: RegId) {
        match task {
            RowReduction::Reduce(node, _) => {
                self.values.reduced.insert(node, reg);
            }
            RowReduction::Largest(node) => {
                self.largest.insert(node, reg);
            }
            RowReduction::Index(node) => {
                let index = self.values.cast(reg, DType::I32);
                self.values.reduced.insert(node, index);
            }
        }
    }

    /// Accumulators for reductions over more than one loop: memory of the thread's own.
    pub(super) fn begin_sums(&mut self, tasks: &[RowReduction]) -> Vec<SlotId> {
        let mut slots = Vec::new();
        for &task in tasks {
            let (op, dtype) = self.task_type(task);
            let buffer = self.values.step.new_buffer(dtype, 1, Space::Thread);
            let slot = self.values.writer.slot(buffer, dtype, 1);
            let neutral = self.neutral(op, dtype);
            self.values.writer.store(slot, Affine::default(), neutral);
            slots.push(slot);
        }
        slots
    }

    pub(super) fn task_type(&self, task: RowReduction) -> (Reduce, DType) {
        let graph = self.values.step.graph;
        match task {
            RowReduction::Reduce(node, op) => (op, scalar_type(graph.ty(node).dtype)),
            RowReduction::Largest(node) => {
                (Reduce::Max, scalar_type(graph.ty(graph.nodes[node].args[0]).dtype))
            }
            RowReduction::Index(_) => (Reduce::Min, DType::F32),
        }
    }

    /// The neutral element that a reduction starts from.
    pub fn neutral(&mut self, op: Reduce, dtype: DType) -> RegId {
        let value = match (op, dtype) {
            (Reduce::Sum, _) => 0.0,
            (Reduce::Max, DType::I32) => f64::from(i32::MIN),
            (Reduce::Min, DType::I32) => f64::from(i32::MAX),
            (Reduce::Max, _) => f64::NEG_INFINITY,
            (Reduce::Min, _) => f64::INFINITY,
        };
        self.values.constant(value, dtype)
    }

    pub(super) fn add_to(&mut self, slot: SlotId, op: Reduce, value: RegId) {
        let sum = self.load_sum(slot);
        let writer = &mut self.values.writer;
        let (dtype, depth) = (writer.dtype(value), writer.depth());
        let sum = writer.define(dtype, depth, Inst::Binary(combining(op), sum, value));
        writer.store(slot, Affine::default(), sum);
    }

    pub(super) fn load_sum(&mut self, slot: SlotId) -> RegId {
        let writer = &mut self.values.writer;
        let (dtype, depth) = (writer.slot_type(slot), writer.depth());
        writer.define(dtype, depth, Inst::Load(Access { slot, index: Affine::default() }))
    }

    /// A part's share of a reduction of everything.
    pub(super) fn partial(
        &mut self,
        part: VarId,
        partition: Partition,
        rows: usize,
        partials: &FxHashMap<NodeId, BufferId>,
    ) {
        self.forget();
        if let Some(table) = self.table {
            self.sum_used(table, part, partition, rows);
        } else if self.flat {
            self.flat_index(part, partition);
            let count = rows * self.row_elements();
            self.flat_columns(count);
        } else {
            let tasks = self.tasks(0);
            let sums = self.begin_sums(&tasks);
            let row = self.values.writer.var(rows);
            self.values.writer.open(Some(row));
            self.values.index[0] = leading(part, partition.rows, row);
            let cols: Vec<JoinedAxes> = self.cols[1..].to_vec();
            self.columns(&cols, 0);
            for (task, slot) in tasks.iter().zip(&sums) {
                let RowReduction::Reduce(node, op) = *task else {
                    unreachable!("sums over everything")
                };
                let value = self.values.reduced[&node];
                self.add_to(*slot, op, value);
            }
            self.values.writer.close_for(row);
            for (task, slot) in tasks.iter().zip(sums) {
                let sum = self.load_sum(slot);
                self.set_reduced(*task, sum);
            }
        }
        for result in self.results.clone() {
            self.store_to(result, partials[&result], Affine::var(part));
        }
    }

    pub(super) fn store_to(&mut self, node: NodeId, buffer: BufferId, index: Affine) {
        let value = self.values.own_value(node);
        let (dtype, len) = self.values.step.shape_of(buffer);
        let slot = self.values.writer.slot(buffer, dtype, len);
        self.values.writer.store(slot, index, value);
    }
}
