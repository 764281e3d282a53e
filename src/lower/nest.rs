//! Loops of element-wise work and reductions over rows.
//!
//! Takes a kernel's nodes and their domain; gives its loops. Axes are joined wherever all
//! accesses allow, so that vector loops are long. A row with reductions is passed over once for
//! each phase: softmax is `max`, then `exp` and `sum`, then the quotient. Full values that a later
//! phase needs are loaded again where they are results, computed again where that is cheap, and
//! else kept in a buffer of one row.
//!
//! ```text
//! parts i0 { for i1 { vector i2 { x } reduce max        phase 0
//!                     vector i3 { exp(x - max) } reduce sum
//!                     vector i4 { store exp / sum } } } phase 2
//! ```
//!
//! Sums over everything are cut into one partial sum a part ([`reductions`]).

mod axes;
mod phases;
mod reductions;
mod unused;
mod used;
mod vectors;

pub use reductions::combining;
pub use used::{LANES, goes_by_rows, tables_read};

use crate::graph::domain::{Domain, Level};
use crate::graph::kernels::FusedKernel;
use crate::graph::{NodeId, Op, OpKind};
use crate::loops::{Affine, IfTest, Reduce, RegId, SlotId, Space, Stmt, VarId};
use crate::lower::StepBuilder;
use crate::lower::partition::Partition;
use crate::lower::values::{NestValues, Saved, flat};
use crate::lower::writer::KernelWriter;
use axes::JoinedAxes;
use phases::RowReduction;
use reductions::full_reduction;
use rustc_hash::FxHashMap;

/// A nest being written.
pub struct Nest<'s, 'a> {
    /// Its expressions.
    pub values: NestValues<'s, 'a>,
    nodes: Vec<NodeId>,
    results: Vec<NodeId>,
    phases: FxHashMap<NodeId, usize>,
    /// The largest elements of rows whose index is wanted.
    largest: FxHashMap<NodeId, RegId>,
    /// Full values kept for later phases and the phase that makes them.
    kept: FxHashMap<NodeId, usize>,
    rows: Vec<JoinedAxes>,
    cols: Vec<JoinedAxes>,
    /// Whether the leading axis is joined to all others.
    flat: bool,
    /// How many leading axes are cut into parts together; one where they are not joined.
    lead: usize,
    /// The table of which only used rows are in memory.
    table: Option<NodeId>,
    /// The part of the second axis that is computed, where it is not all of it.
    second: Option<(Affine, usize)>,
    /// Where values are stored of which only a block of rows is kept.
    pub blocks: FxHashMap<NodeId, SlotId>,
}

/// Writes a kernel of element-wise work and reductions over rows, and runs it.
pub fn lower(step: &mut StepBuilder, kernel: &FusedKernel) {
    let domain = Domain::of(step.graph, &kernel.nodes).expect("what fusion has checked");
    if domain.axes.is_empty() {
        return scalars(step, kernel, domain);
    }
    let table = used::table_of(step, kernel);
    if table.is_some() {
        // The flags are this table's own.
        step.recording = None;
    }
    let one_row = domain.reduces && domain.rows == 0;
    // A sample's own sum is not cut because there is one sample.
    let is_cut = |node: &NodeId| {
        step.graph.nodes[*node].op.kind() != OpKind::Choice && !step.graph.sums_by_sample(*node)
    };
    if one_row && kernel.nodes.iter().all(is_cut) {
        return full_reduction(step, kernel, domain, table);
    }
    let Some(kernel) = &vectors::lower(step, kernel, &domain) else { return };
    for &result in &kernel.results {
        step.result_buffer(result);
    }
    let writer = KernelWriter::new(step.title(kernel), 1);
    let mut nest = Nest::new(NestValues::new(step, writer, domain, &kernel.nodes), kernel, &[]);
    nest.table = table;
    let partition = if one_row { Partition::of(1) } else { nest.partition() };
    nest.values.writer.set_parts(partition.parts);
    let part = nest.values.writer.var(partition.parts);
    nest.values.writer.open_parts(part);
    if one_row {
        nest.row(0);
    } else {
        nest.part(part, partition);
    }
    nest.values.writer.close_parts(part);
    nest.finish();
}

/// Scalars: every thread computes them for itself.
fn scalars(step: &mut StepBuilder, kernel: &FusedKernel, domain: Domain) {
    for &result in &kernel.results {
        step.thread_buffer(result);
    }
    let writer = KernelWriter::new(step.title(kernel), 0);
    let mut nest = Nest::new(NestValues::new(step, writer, domain, &kernel.nodes), kernel, &[]);
    nest.row(0);
    nest.finish();
}

impl<'s, 'a> Nest<'s, 'a> {
    /// The loops of a kernel; `given` are nodes whose values are in memory already.
    pub fn new(mut values: NestValues<'s, 'a>, kernel: &FusedKernel, given: &[NodeId]) -> Self {
        for node in given {
            values.nodes.remove(node);
        }
        let mut nest = Nest {
            values,
            nodes: kernel.nodes.iter().copied().filter(|node| !given.contains(node)).collect(),
            results: kernel.results.iter().copied().filter(|node| !given.contains(node)).collect(),
            phases: FxHashMap::default(),
            largest: FxHashMap::default(),
            kept: FxHashMap::default(),
            rows: Vec::new(),
            cols: Vec::new(),
            flat: false,
            lead: 1,
            table: None,
            second: None,
            blocks: FxHashMap::default(),
        };
        nest.set_phases();
        nest.keep_values();
        nest.join_axes(&kernel.nodes);
        nest
    }

    /// Ends the kernel and runs it.
    pub fn finish(self) -> &'s mut StepBuilder<'a> {
        let NestValues { step, writer, .. } = self.values;
        step.run(writer.finish());
        step
    }

    fn op(&self, node: NodeId) -> &'a Op {
        &self.values.step.graph.nodes[node].op
    }

    fn level(&self, node: NodeId) -> Level {
        self.values.domain.levels[&node]
    }

    /// The body of a part, for full parts and a shorter last one.
    pub fn part(&mut self, part: VarId, partition: Partition) {
        self.each_length(part, partition, |nest, rows| {
            nest.forget();
            if nest.values.domain.axes.is_empty() {
                nest.columns(&[], 0);
            } else if let Some(table) = nest.table {
                nest.work_on_used(table, part, partition, rows);
            } else if nest.flat {
                nest.flat_index(part, partition);
                let count = rows * nest.row_elements();
                nest.flat_columns(count);
            } else {
                let row = nest.values.writer.var(rows);
                nest.values.writer.open(Some(row));
                nest.values.index[0] = leading(part, partition.rows, row);
                nest.row(1);
                nest.values.writer.close_for(row);
            }
        });
    }

    /// Some neighbouring elements of a flat nest, from the index of its last axis on.
    fn flat_columns(&mut self, count: usize) {
        let axis = self.values.domain.axes.len() - 1;
        self.columns(&[JoinedAxes { first: 0, axis, extent: count }], 0);
    }

    /// The body for a block: elements whose first axes (two at most; but for the last of these,
    /// one index each) are in the given ranges. Nothing is reduced in such a nest.
    pub fn block(&mut self, lead: &[(Affine, usize)]) {
        self.forget();
        let axes = self.values.domain.axes.clone();
        if axes.is_empty() {
            return self.columns(&[], 0);
        }
        let rest: usize = axes[lead.len()..].iter().product();
        if self.flat {
            let mut start = Affine::default();
            for (axis, (first, _)) in lead.iter().enumerate() {
                let stride: usize = axes[axis + 1..].iter().product();
                start = start.plus(&first.times(stride as i64));
            }
            self.values.index[axes.len() - 1] = start;
            let count: usize = lead.iter().map(|(_, count)| count).product();
            return self.flat_columns(count * rest);
        }
        let whole = (Affine::default(), axes[0]);
        let (first, count) = lead.first().unwrap_or(&whole).clone();
        self.second = lead.get(1).cloned();
        let row = self.values.writer.var(count);
        self.values.writer.open(Some(row));
        self.values.index[0] = first.plus(&Affine::var(row));
        self.row(1);
        self.values.writer.close_for(row);
        self.second = None;
    }

    /// Whether the columns of a row are one loop.
    pub fn has_one_column_loop(&self) -> bool {
        self.cols.len() == 1
    }

    /// The body for some rows from one on, of those whose other indices are set; for their first
    /// `columns` alone, where there are more.
    pub fn rows_from(&mut self, first: &Affine, count: usize, columns: Option<usize>) {
        let all = self.cols.clone();
        if let (Some(columns), [only]) = (columns, &mut self.cols[..]) {
            only.extent = columns;
        }
        let row = self.values.writer.var(count);
        self.values.writer.open(Some(row));
        let axis = self.values.domain.rows - 1;
        self.values.index[axis] = first.plus(&Affine::var(row));
        self.row(self.rows.len());
        self.values.writer.close_for(row);
        self.cols = all;
    }

    /// Writes a body once, or for full parts and for the shorter last one.
    pub fn each_length(
        &mut self,
        part: VarId,
        partition: Partition,
        mut body: impl FnMut(&mut Self, usize),
    ) {
        if !partition.has_tail() {
            return body(self, partition.rows);
        }
        self.values.writer.open(None);
        body(self, partition.rows);
        let then = self.values.writer.close();
        self.forget();
        self.values.writer.open(None);
        body(self, partition.last);
        let otherwise = self.values.writer.close();
        self.forget();
        let test = IfTest::Below(part, partition.parts - 1);
        self.values.writer.push(Stmt::If { test, then, otherwise });
    }

    /// Forgets values of the row: reductions and values of its passes are not those of the next
    /// row.
    pub fn forget(&mut self) {
        self.values.reduced.clear();
        self.largest.clear();
        let nodes = &self.nodes;
        self.values.saved.retain(|node, _| !nodes.contains(node));
    }

    /// The loops over further row axes, then the passes over a row.
    pub fn row(&mut self, depth: usize) {
        if let Some(&group) = self.rows.get(depth) {
            let var = self.open(group);
            self.row(depth + 1);
            self.values.writer.close_for(var);
            return;
        }
        self.forget();
        for phase in 0..self.passes().max(1) {
            let cols = self.columns_of(phase);
            for group in &cols {
                self.values.index[group.first..group.axis].fill(Affine::default());
            }
            self.columns(&cols, phase);
        }
        for result in self.results.clone() {
            if self.level(result) == Level::Row {
                self.store(result);
            }
        }
    }

    /// One pass over a row's columns.
    fn columns(&mut self, cols: &[JoinedAxes], phase: usize) {
        let tasks = self.tasks(phase);
        let kept: Vec<NodeId> =
            self.nodes.iter().copied().filter(|node| self.kept.get(node) == Some(&phase)).collect();
        if tasks.is_empty() && kept.is_empty() && self.stores(phase).is_empty() {
            return;
        }
        let Some((&last, outer)) = cols.split_last() else {
            let values = self.element(phase, &tasks, &kept);
            for (task, (_, value)) in tasks.iter().zip(values) {
                self.set_reduced(*task, value);
            }
            return;
        };
        let sums = if outer.is_empty() { Vec::new() } else { self.begin_sums(&tasks) };
        let vars: Vec<VarId> = outer.iter().map(|&group| self.open(group)).collect();
        let before = self.values.index[last.axis].clone();
        let var = self.open(last);
        let values = self.element(phase, &tasks, &kept);
        let regs = self.values.writer.close_vector(var, &values);
        self.values.index[last.axis] = before;
        if outer.is_empty() {
            for (task, reg) in tasks.iter().zip(regs) {
                self.set_reduced(*task, reg);
            }
            return;
        }
        for ((slot, (op, _)), reg) in sums.iter().zip(&values).zip(regs) {
            self.add_to(*slot, *op, reg);
        }
        for var in vars.into_iter().rev() {
            self.values.writer.close_for(var);
        }
        for (task, slot) in tasks.iter().zip(sums) {
            let sum = self.load_sum(slot);
            self.set_reduced(*task, sum);
        }
    }

    /// Emits the body for one element: stores, then reductions.
    fn element(
        &mut self,
        phase: usize,
        tasks: &[RowReduction],
        kept: &[NodeId],
    ) -> Vec<(Reduce, RegId)> {
        for &node in kept {
            self.keep(node);
        }
        // All values first: a contraction's epilogue may store where its product stands.
        for result in self.stores(phase) {
            self.values.own_value(result);
        }
        for result in self.stores(phase) {
            self.store(result);
        }
        tasks.iter().map(|&task| self.task_value(task)).collect()
    }

    /// Stores a result where it is kept.
    pub fn store(&mut self, node: NodeId) {
        let graph = self.values.step.graph;
        let value = self.values.own_value(node);
        let forms = self.values.domain.own_forms(graph, node);
        let index = flat(graph.extents(node), &forms, self.values.domain.axes.len());
        if let Some(&slot) = self.blocks.get(&node) {
            let index = self.values.within_block(&index);
            self.values.writer.store(slot, index, value);
            self.values.saved.insert(node, Saved::Block(slot));
            return;
        }
        let index = self.values.affine(&index);
        let slot = self.values.slot(node);
        self.values.writer.store(slot, index, value);
        if self.level(node) == Level::Full {
            self.values.saved.insert(node, Saved::Whole(slot));
        }
    }

    /// Keeps a full value for later passes over the same row.
    fn keep(&mut self, node: NodeId) {
        let graph = self.values.step.graph;
        let columns: usize = self.values.domain.axes[self.values.domain.rows..].iter().product();
        let dtype = graph.ty(node).dtype;
        let buffer = self.values.step.new_buffer(dtype, columns, Space::Thread);
        let slot = self.values.writer.slot(buffer, dtype, columns);
        let value = self.values.own_value(node);
        let forms = self.values.domain.own_forms(graph, node);
        let flat = flat(graph.extents(node), &forms, self.values.domain.axes.len());
        let index = self.values.affine(&self.values.within_row(&flat));
        self.values.writer.store(slot, index, value);
        self.values.saved.insert(node, Saved::Row(slot));
    }
}

/// The index along a leading axis of which a part has `rows`.
pub fn leading(part: VarId, rows: usize, row: VarId) -> Affine {
    Affine::var(part).times(rows as i64).plus(&Affine::var(row))
}
