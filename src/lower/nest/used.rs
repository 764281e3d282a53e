//! Loops over the used rows of a table whose other rows are zeros that nobody has written
//! ([`used_rows`](crate::lower::used_rows)).
//!
//! ```text
//! parts i0 { r0 = lr · 0, r1 = r0 is +0
//!            for i1 { r2 = flags[i1] != 0
//!                     if r2 { vector { store p[..] = p[..] - lr · g[..] } }
//!                     else { if r1 {} else { the same for g = 0 } } } }
//! ```
//!
//! The work that a row of zeros needs is [`unused`](super::unused)'s.
//!
//! Sums over everything keep the sixteen lanes of a vector reduction over all of a part in memory, from
//! row to row, so that they are added in the same order as in one long loop.

use super::phases::RowReduction;
use super::unused::Unused;
use super::{Nest, leading};
use crate::base::scalar::Binary;
use crate::base::tensor::DType;
use crate::graph::domain::Domain;
use crate::graph::kernels::{FusedKernel, KernelKind};
use crate::graph::{BoundGraph, NodeId, Op, OpKind};
use crate::loops::{Access, Affine, IfTest, Inst, Reduce, SlotId, Space, Stmt, VarId};
use crate::lower::StepBuilder;
use crate::lower::partition::Partition;
use crate::lower::values::NestValues;
use crate::lower::writer::KernelWriter;
use rustc_hash::FxHashSet;

/// The lanes of a vector reduction.
pub const LANES: usize = 16;

/// With shorter rows, work on all of them is one long loop.
const WIDE: usize = 64;

/// Which of the tables a kernel reads, itself or through what it computes again, each with whether that is at
/// the very elements being computed.
pub fn tables_read(
    step: &StepBuilder,
    kernel: &FusedKernel,
    tables: &FxHashSet<NodeId>,
) -> Vec<(NodeId, bool)> {
    let graph = step.graph;
    let by_element = |node: NodeId| match graph.nodes[node].op.kind() {
        OpKind::Elementwise => true,
        OpKind::Reduction => kernel.nodes.contains(&node) && !graph.is_view(node),
        _ => false,
    };
    let mut found: Vec<(NodeId, bool)> = Vec::new();
    let mut open: Vec<(NodeId, bool)> = kernel.nodes.iter().map(|&node| (node, true)).collect();
    let mut seen = FxHashSet::from_iter(open.iter().copied());
    while let Some((node, direct)) = open.pop() {
        let direct = direct && by_element(node);
        for &arg in &graph.nodes[node].args {
            if tables.contains(&arg) {
                match found.iter_mut().find(|(table, _)| *table == arg) {
                    Some((_, known)) => *known &= direct,
                    None => found.push((arg, direct)),
                }
            } else if !step.in_memory(arg) && seen.insert((arg, direct)) {
                open.push((arg, direct));
            }
        }
    }
    found
}

/// The table that a kernel reads by its used rows, if there is one.
pub(super) fn table_of(step: &StepBuilder, kernel: &FusedKernel) -> Option<NodeId> {
    if step.used_rows.is_empty() {
        return None;
    }
    tables_read(step, kernel, &step.used_rows).first().map(|&(table, _)| table)
}

/// Whether a kernel that reads a table goes through its elements in one loop, so that it can go row by row
/// instead, and whether that pays.
pub fn goes_by_rows(step: &mut StepBuilder, kernel: &FusedKernel, table: NodeId) -> bool {
    let graph = step.graph;
    if kernel.kind != KernelKind::Rows {
        return false;
    }
    let Some(domain) = Domain::of(graph, &kernel.nodes) else { return false };
    let rows = graph.extents(table)[0];
    if domain.axes.iter().product::<usize>() != graph.elements(table)
        || domain.axes.first() != Some(&rows)
    {
        return false;
    }
    if domain.reduces {
        let sums =
            |node: &NodeId| !graph.nodes[*node].op.kind().reduces() || is_total(graph, *node);
        let totals = kernel.results.iter().all(|&result| is_total(graph, result));
        if domain.rows != 0 || !totals || !kernel.nodes.iter().all(sums) {
            return false;
        }
    }
    let writer = KernelWriter::new(step.title(kernel), 1);
    let mut nest = Nest::new(NestValues::new(step, writer, domain, &kernel.nodes), kernel, &[]);
    let partition = nest.partition();
    let pays = nest.row_elements() >= WIDE || nest.may_skip(table);
    nest.flat && nest.lead == 1 && partition.parts > 1 && pays
}

/// Whether a node is a sum of `f32` over everything.
fn is_total(graph: &BoundGraph, node: NodeId) -> bool {
    matches!(graph.nodes[node].op, Op::Reduce(Reduce::Sum, _))
        && graph.elements(node) == 1
        && graph.ty(node).dtype == DType::F32
}

impl Nest<'_, '_> {
    /// Goes through the rows of a part: `body` writes what is done in one of them, from the index
    /// of the last axis on.
    fn each_row(
        &mut self,
        table: NodeId,
        (part, partition, rows): (VarId, Partition, usize),
        mut body: impl FnMut(&mut Self),
    ) {
        let unused = self.unused(table);
        let flags = self.values.step.flags(table);
        let flags = self.values.buffer_slot(flags);
        let last = self.values.domain.axes.len() - 1;
        let row = self.values.writer.var(rows);
        self.values.writer.open(Some(row));
        let number = leading(part, partition.rows, row);
        let start = number.times(self.row_elements() as i64);
        let flag = Inst::Load(Access { slot: flags, index: number });
        let flag = self.values.writer.define(DType::I32, 0, flag);
        let zero = self.values.constant(0.0, DType::I32);
        let test = Inst::Binary(Binary::Ne, flag, zero);
        let used = self.values.writer.define(DType::Bool, 0, test);

        let mut branch = |nest: &mut Self, is_used: bool| {
            nest.forget();
            if !is_used {
                nest.set_zero(table);
            }
            nest.values.index[last] = start.clone();
            nest.values.writer.open(None);
            body(nest);
            nest.values.writer.close()
        };
        let then = branch(self, true);
        let otherwise = match unused {
            Unused::Work => branch(self, false),
            Unused::NothingIf(neutral) => {
                let (test, otherwise) = (IfTest::Holds(neutral), branch(self, false));
                vec![Stmt::If { test, then: Vec::new(), otherwise }]
            }
        };
        self.forget();
        let test = IfTest::Holds(used);
        self.values.writer.push(Stmt::If { test, then, otherwise });
        self.values.writer.close_for(row);
    }

    /// The rows of a part of element-wise work.
    pub(super) fn work_on_used(
        &mut self,
        table: NodeId,
        part: VarId,
        partition: Partition,
        rows: usize,
    ) {
        let columns = self.row_elements();
        self.each_row(table, (part, partition, rows), |nest| nest.flat_columns(columns));
    }

    /// The rows of a part of sums over everything; their results are known after it.
    pub(super) fn sum_used(
        &mut self,
        table: NodeId,
        part: VarId,
        partition: Partition,
        rows: usize,
    ) {
        let tasks = self.tasks(0);
        let lanes: Vec<SlotId> = tasks.iter().map(|&task| self.begin_lanes(task)).collect();
        self.each_row(table, (part, partition, rows), |nest| nest.add_to_lanes(&tasks, &lanes));
        for (&task, slot) in tasks.iter().zip(lanes) {
            let var = self.values.writer.var(LANES);
            self.values.writer.open(Some(var));
            let lane = Inst::Load(Access { slot, index: Affine::var(var) });
            let lane = self.values.writer.define(DType::F32, 0, lane);
            let sums = self.values.writer.close_vector(var, &[(Reduce::Sum, lane)]);
            self.set_reduced(task, sums[0]);
        }
    }

    /// The lanes of a sum, zeros, in memory of the thread's own.
    fn begin_lanes(&mut self, task: RowReduction) -> SlotId {
        let (op, dtype) = self.task_type(task);
        let buffer = self.values.step.new_buffer(dtype, LANES, Space::Thread);
        let slot = self.values.writer.slot(buffer, dtype, LANES);
        let neutral = self.neutral(op, dtype);
        let var = self.values.writer.var(LANES);
        self.values.writer.open(Some(var));
        self.values.writer.store(slot, Affine::var(var), neutral);
        self.values.writer.close_vector(var, &[]);
        slot
    }

    /// Adds a row's elements, from the index of the last axis on: element `i` to lane `i mod 16`.
    fn add_to_lanes(&mut self, tasks: &[RowReduction], lanes: &[SlotId]) {
        let last = self.values.domain.axes.len() - 1;
        let chunks = self.row_elements() / LANES;
        let start = self.values.index[last].clone();
        let chunk = self.values.writer.var(chunks);
        self.values.writer.open(Some(chunk));
        let lane = self.values.writer.var(LANES);
        self.values.writer.open(Some(lane));
        let within = Affine::var(chunk).times(LANES as i64).plus(&Affine::var(lane));
        self.values.index[last] = start.plus(&within);
        for (&task, &slot) in tasks.iter().zip(lanes) {
            let (_, value) = self.task_value(task);
            let depth = self.values.writer.depth();
            let place = Access { slot, index: Affine::var(lane) };
            let sum = self.values.writer.define(DType::F32, depth, Inst::Load(place));
            let sum = Inst::Binary(Binary::Add, sum, value);
            let sum = self.values.writer.define(DType::F32, depth, sum);
            self.values.writer.store(slot, Affine::var(lane), sum);
        }
        self.values.writer.close_vector(lane, &[]);
        self.values.writer.close_for(chunk);
        self.values.index[last] = start;
    }

    /// From now on the table is zeros.
    pub(super) fn set_zero(&mut self, table: NodeId) {
        let zero = self.values.constant(0.0, DType::F32);
        self.values.reduced.insert(table, zero);
    }
}
