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
//! Sums over everything are cut into one partial sum a part ([`full_reduction`]).

mod vectors;

use crate::base::tensor::DType;
use crate::graph::domain::{AffineIndex, Domain, Level};
use crate::graph::kernels::FusedKernel;
use crate::graph::{NodeId, Op};
use crate::loops::{
    Access, Affine, Binary, BufferId, Inst, Reduce, RegId, SlotId, Space, Stmt, VarId,
};
use crate::lower::StepBuilder;
use crate::lower::partition::Partition;
use crate::lower::values::{NestValues, Saved, flat, is_expensive, scalar_type};

use crate::lower::title::Title;
use crate::lower::writer::KernelWriter;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// A sum over more elements than this is shared by threads.
const SMALL: usize = 1024;
/// With fewer parts than this, further axes are cut too.
const FEW_PARTS: usize = 8;
/// So many rows make parts of about equal size.
const MANY_ROWS: usize = 128;

/// A loop over joined axes: the last of them, and the extent of all.
#[derive(Clone, Copy, Debug)]
pub struct JoinedAxes {
    /// The first of them.
    first: usize,
    axis: usize,
    extent: usize,
}

/// One reduction of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
enum RowReduction {
    /// A sum, maximum or minimum.
    Reduce(NodeId, Reduce),
    /// The first half of the first largest's index: the largest.
    Largest(NodeId),
    /// The second half: the least index of it.
    Index(NodeId),
}

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
    /// The part of the second axis that is computed, where it is not all of it.
    second: Option<(Affine, usize)>,
}

/// Writes a kernel of element-wise work and reductions over rows, and runs it.
pub fn lower(step: &mut StepBuilder, kernel: &FusedKernel) {
    let domain = Domain::of(step.graph, &kernel.nodes).expect("what fusion has checked");
    if domain.axes.is_empty() {
        return scalars(step, kernel, domain);
    }
    let one_row = domain.reduces && domain.rows == 0;
    let sums = |node: &NodeId| !matches!(step.graph.nodes[*node].op, Op::ArgMax(_) | Op::Pick);
    if one_row && kernel.nodes.iter().all(sums) {
        return full_reduction(step, kernel, domain);
    }
    let Some(kernel) = &vectors::lower(step, kernel, &domain) else { return };
    for &result in &kernel.results {
        step.result_buffer(result);
    }
    let writer = KernelWriter::new(step.title(kernel), 1);
    let mut nest = Nest::new(NestValues::new(step, writer, domain, &kernel.nodes), kernel, &[]);
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

/// A reduction of everything: small ones by every thread, others in parts whose partial results
/// every thread combines, in order.
fn full_reduction(step: &mut StepBuilder, kernel: &FusedKernel, domain: Domain) {
    let total: usize = domain.axes.iter().product();
    let title = step.title(kernel);
    let writer = KernelWriter::new(title, 0);
    let mut nest = Nest::new(NestValues::new(step, writer, domain, &kernel.nodes), kernel, &[]);
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
pub fn combine(
    step: &mut StepBuilder,
    result: NodeId,
    partials: BufferId,
    parts: usize,
    title: Title,
) {
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
            second: None,
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

    /// How the work is cut into parts: along the first axis; where that is short and all axes are
    /// joined (the update of a convolution's weight, `[3, 3, 64, 64]`), along several at once.
    pub fn partition(&mut self) -> Partition {
        let axes = &self.values.domain.axes;
        let rows = |lead: usize| axes[..lead].iter().product::<usize>();
        let own = Partition::of_axes(axes);
        if !self.flat || own.parts >= FEW_PARTS {
            return own;
        }
        while self.lead + 1 < axes.len() && rows(self.lead) < MANY_ROWS {
            self.lead += 1;
        }
        if self.lead == 1 { own } else { Partition::of(rows(self.lead)) }
    }

    fn op(&self, node: NodeId) -> &'a Op {
        &self.values.step.graph.nodes[node].op
    }

    fn level(&self, node: NodeId) -> Level {
        self.values.domain.levels[&node]
    }

    /// The nodes of this nest that a node reads.
    fn sources(&self, node: NodeId) -> Vec<NodeId> {
        let graph = self.values.step.graph;
        let inside = |node: NodeId| self.values.nodes.contains(&node);
        let args = graph.nodes[node].args.iter();
        args.map(|&arg| graph.base_or(arg, inside)).filter(|&source| inside(source)).collect()
    }

    /// After how many passes over a row each value is known.
    fn set_phases(&mut self) {
        for &node in &self.nodes {
            let before = self.sources(node).iter().map(|source| self.phases[source]).max();
            let passes = match self.op(node) {
                Op::Reduce(..) if self.level(node) == Level::Row && self.is_reduction(node) => 1,
                Op::ArgMax(_) => 2,
                _ => 0,
            };
            self.phases.insert(node, before.unwrap_or(0) + passes);
        }
    }

    fn is_reduction(&self, node: NodeId) -> bool {
        let graph = self.values.step.graph;
        graph.elements(node) != graph.elements(graph.nodes[node].args[0])
    }

    /// The reductions of a pass over a row.
    fn tasks(&self, phase: usize) -> Vec<RowReduction> {
        let mut tasks = Vec::new();
        for &node in &self.nodes {
            match self.op(node) {
                Op::Reduce(op, _) if self.is_reduction(node) && self.phases[&node] == phase + 1 => {
                    tasks.push(RowReduction::Reduce(node, *op));
                }
                Op::ArgMax(_) if self.phases[&node] == phase + 2 => {
                    tasks.push(RowReduction::Largest(node))
                }
                Op::ArgMax(_) if self.phases[&node] == phase + 1 => {
                    tasks.push(RowReduction::Index(node))
                }
                _ => {}
            }
        }
        tasks
    }

    /// The full results that a pass stores.
    fn stores(&self, phase: usize) -> Vec<NodeId> {
        let due = |node: &NodeId| self.level(*node) == Level::Full && self.phases[node] == phase;
        self.results.iter().copied().filter(due).collect()
    }

    fn passes(&self) -> usize {
        (0..=self.nodes.iter().map(|node| self.phases[node]).max().unwrap_or(0))
            .rev()
            .find(|&phase| !self.tasks(phase).is_empty() || !self.stores(phase).is_empty())
            .map_or(0, |last| last + 1)
    }

    /// Finds expensive full values that several passes need.
    fn keep_values(&mut self) {
        let mut needed: BTreeMap<NodeId, Vec<usize>> = BTreeMap::new();
        for phase in 0..self.passes() {
            let mut open = self.stores(phase);
            for task in self.tasks(phase) {
                let (RowReduction::Reduce(node, _)
                | RowReduction::Largest(node)
                | RowReduction::Index(node)) = task;
                open.extend(self.sources(node));
            }
            while let Some(node) = open.pop() {
                let stored = self.results.contains(&node) && self.phases[&node] < phase;
                if self.level(node) == Level::Row || stored {
                    continue;
                }
                let phases = needed.entry(node).or_default();
                if phases.last() != Some(&phase) {
                    phases.push(phase);
                    open.extend(self.sources(node));
                }
            }
        }
        for (node, phases) in needed {
            if phases.len() > 1 && is_expensive(self.op(node)) && !self.results.contains(&node) {
                self.kept.insert(node, phases[0]);
            }
        }
    }

    /// Joins neighbouring axes that every access passes through in one step.
    fn join_axes(&mut self, nodes: &[NodeId]) {
        let forms = self.values.all_forms(nodes);
        let domain = &self.values.domain;
        let axes = &domain.axes;
        let joins = |axis: usize| {
            let next = axes[axis + 1] as i64;
            forms.iter().all(|form| form.factors[axis] == form.factors[axis + 1] * next)
        };
        let plain = !domain.reduces || domain.rows == 0;
        self.flat = plain && !axes.is_empty() && (0..axes.len() - 1).all(joins);
        let mut groups: Vec<(JoinedAxes, bool)> = Vec::new();
        for (axis, &extent) in axes.iter().enumerate() {
            let is_row = axis < domain.rows;
            match groups.last_mut() {
                Some((last, row))
                    if *row == is_row && (last.axis > 0 || self.flat) && joins(axis - 1) =>
                {
                    *last = JoinedAxes { axis, extent: last.extent * extent, ..*last };
                }
                _ => groups.push((JoinedAxes { first: axis, axis, extent }, is_row)),
            }
        }
        let of =
            |row: bool| groups.iter().filter(|group| group.1 == row).map(|group| group.0).collect();
        (self.rows, self.cols) = (of(true), of(false));
        if !domain.reduces {
            self.cols.extend(self.rows.pop());
        }
    }

    /// The body of a part, for full parts and a shorter last one.
    pub fn part(&mut self, part: VarId, partition: Partition) {
        self.each_length(part, partition, |nest, rows| {
            nest.forget();
            if nest.values.domain.axes.is_empty() {
                nest.columns(&[], 0);
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

    /// The elements of each row of a part.
    pub fn row_elements(&self) -> usize {
        self.values.domain.axes[self.lead..].iter().product()
    }

    /// The element of a flat nest at which a part begins.
    fn flat_index(&mut self, part: VarId, partition: Partition) {
        let chunk = self.row_elements();
        let last = self.values.domain.axes.len() - 1;
        self.values.index[last] = Affine::var(part).times((partition.rows * chunk) as i64);
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
        self.values.writer.push(Stmt::If {
            var: part,
            bound: partition.parts - 1,
            then,
            otherwise,
        });
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
        let cols = self.cols.clone();
        for phase in 0..self.passes().max(1) {
            self.columns(&cols, phase);
        }
        for result in self.results.clone() {
            if self.level(result) == Level::Row {
                self.store(result);
            }
        }
    }

    fn open(&mut self, group: JoinedAxes) -> VarId {
        let inner: usize = self.values.domain.axes[group.first + 1..=group.axis].iter().product();
        let (base, extent) = match &self.second {
            Some((first, count)) if group.first == 1 => (first.times(inner as i64), count * inner),
            _ if self.flat && group.axis + 1 == self.values.index.len() => {
                (self.values.index[group.axis].clone(), group.extent)
            }
            _ => (Affine::default(), group.extent),
        };
        let var = self.values.writer.var(extent);
        self.values.writer.open(Some(var));
        self.values.index[group.axis] = base.plus(&Affine::var(var));
        var
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

    fn task_value(&mut self, task: RowReduction) -> (Reduce, RegId) {
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
    fn index_of_largest(
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

    fn set_reduced(&mut self, task: RowReduction, reg: RegId) {
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
    fn begin_sums(&mut self, tasks: &[RowReduction]) -> Vec<SlotId> {
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

    fn task_type(&self, task: RowReduction) -> (Reduce, DType) {
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

    fn add_to(&mut self, slot: SlotId, op: Reduce, value: RegId) {
        let sum = self.load_sum(slot);
        let writer = &mut self.values.writer;
        let (dtype, depth) = (writer.dtype(value), writer.depth());
        let sum = writer.define(dtype, depth, Inst::Binary(combining(op), sum, value));
        writer.store(slot, Affine::default(), sum);
    }

    fn load_sum(&mut self, slot: SlotId) -> RegId {
        let writer = &mut self.values.writer;
        let (dtype, depth) = (writer.slot_type(slot), writer.depth());
        writer.define(dtype, depth, Inst::Load(Access { slot, index: Affine::default() }))
    }

    /// A part's share of a reduction of everything.
    fn partial(
        &mut self,
        part: VarId,
        partition: Partition,
        rows: usize,
        partials: &FxHashMap<NodeId, BufferId>,
    ) {
        self.forget();
        if self.flat {
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

    /// Stores a result where it is kept.
    pub fn store(&mut self, node: NodeId) {
        let graph = self.values.step.graph;
        let value = self.values.own_value(node);
        let forms = self.values.domain.own_forms(graph, node);
        let index = flat(graph.extents(node), &forms, self.values.domain.axes.len());
        let index = self.values.affine(&index);
        let slot = self.values.slot(node);
        self.values.writer.store(slot, index, value);
        if self.level(node) == Level::Full {
            self.values.saved.insert(node, Saved::Whole(slot));
        }
    }

    fn store_to(&mut self, node: NodeId, buffer: BufferId, index: Affine) {
        let value = self.values.own_value(node);
        let (dtype, len) = self.values.step.shape_of(buffer);
        let slot = self.values.writer.slot(buffer, dtype, len);
        self.values.writer.store(slot, index, value);
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

/// The operator that combines two values of a reduction.
pub fn combining(op: Reduce) -> Binary {
    match op {
        Reduce::Sum => Binary::Add,
        Reduce::Max => Binary::Max,
        Reduce::Min => Binary::Min,
    }
}
