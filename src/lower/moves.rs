//! Elements moved: copies of views, joined and padded tensors, sums into places that data names.
//!
//! Takes a move kernel; gives loops that load and store, parted along the first axis. A copy of a
//! view and a gather are element-wise work of one node, so `nest` writes them.
//!
//! ```text
//! concat axis 1 of [8, 3] and [8, 5]    parts { for { vector 3 { s1[8·i + j] = s0[3·i + j] } } }
//!                                       parts { for { vector 5 { s1[8·i + j + 3] = … } } }
//! ```

mod rows;
mod scatter;

use crate::base::tensor::DType;
use crate::graph::kernels;
use crate::graph::view::{View, row_major};
use crate::graph::{NodeId, Op, OpKind};
use crate::loops::{Access, Affine, BufferId, IfTest, Inst, RegId, Stmt, VarId};
use crate::lower::partition::Partition;
use crate::lower::title::Title;
use crate::lower::values::scalar_type;
use crate::lower::writer::KernelWriter;
use crate::lower::{StepBuilder, nest};
use std::hash::Hash;

/// Writes a move, and runs it.
pub fn lower(step: &mut StepBuilder, kernel: &kernels::FusedKernel) {
    let &node = kernel.nodes.first().expect("a move");
    let op = &step.graph.nodes[node].op;
    match (op, op.kind()) {
        // A leaf that is an output: copied at the step's end.
        (_, OpKind::Given) => {}
        (Op::Concat(axis), _) => concat(step, kernel, node, *axis),
        (Op::Pad { amounts, value }, _) => pad(step, kernel, node, amounts, *value),
        (Op::ScatterAdd { .. }, _) if step.used_rows.contains(&node) => {
            rows::lower(step, kernel, node);
        }
        (Op::ScatterAdd { shape: _, axis }, _) => scatter::lower(step, kernel, node, *axis),
        (Op::Gather(_), _) => nest::lower(step, kernel),
        // The reduction of unit axes alone, and the cast of a uniform value, are views and moves.
        (_, OpKind::View | OpKind::Reduction | OpKind::Const | OpKind::Elementwise) => {
            nest::lower(step, kernel);
        }
        (_, OpKind::Joined | OpKind::Indexed) => unreachable!("{node} {op:?} has no loops here"),
        (_, OpKind::Number | OpKind::Generated | OpKind::Choice | OpKind::Scan)
        | (_, OpKind::Product | OpKind::Convolution | OpKind::Pool) => {
            unreachable!("{node} {op:?} moves nothing")
        }
    }
}

/// Copies a view to a buffer, at its own distances; in parts of the view's first long axis.
pub fn copy(
    step: &mut StepBuilder,
    from: &View,
    to: BufferId,
    offset: i64,
    strides: &[i64],
    title: Title,
) {
    let buffer = step.buffer(from.base);
    copy_between(step, (buffer, from), to, offset, strides, title);
}

/// As [`copy`], from a buffer that need not be a node's.
pub fn copy_between(
    step: &mut StepBuilder,
    (buffer, from): (BufferId, &View),
    to: BufferId,
    offset: i64,
    strides: &[i64],
    title: Title,
) {
    let (dtype, len) = step.shape_of(buffer);
    let (to_type, to_len) = step.shape_of(to);
    let mut loops = Loops::new(title, &from.extents);
    let source = loops.writer.slot(buffer, dtype, len);
    let target = loops.writer.slot(to, to_type, to_len);
    loops.write(|writer, index| {
        let access = Access { slot: source, index: dot(from.offset, &from.strides, index) };
        let depth = writer.depth();
        let value = writer.define(scalar_type(dtype), depth, Inst::Load(access));
        writer.store(target, dot(offset, strides, index), value);
    });
    step.run(loops.writer.finish());
}

fn dot(offset: i64, strides: &[i64], index: &[Affine]) -> Affine {
    let mut sum = Affine::constant(offset);
    for (stride, index) in strides.iter().zip(index) {
        sum.add(index, *stride);
    }
    sum
}

/// Loops over a shape: parts and rows of the first long axis, a vector along the last.
struct Loops {
    writer: KernelWriter<()>,
    extents: Vec<usize>,
    partition: Partition,
    lead: Option<usize>,
}

impl Loops {
    fn new(title: Title, extents: &[usize]) -> Self {
        let lead = extents.iter().position(|&extent| extent != 1);
        let partition = Partition::of(lead.map_or(1, |axis| extents[axis]));
        let writer = KernelWriter::new(title, partition.parts);
        Loops { writer, extents: extents.to_vec(), partition, lead }
    }

    fn write(&mut self, body: impl Fn(&mut KernelWriter<()>, &[Affine])) {
        let (extents, partition, lead) = (&self.extents, self.partition, self.lead);
        in_parts(&mut self.writer, partition, |writer, part, rows| {
            part_of(writer, extents, lead, (part, partition.rows, rows), &body);
        });
    }
}

/// The loops of a part of `rows` rows, where parts before it have `before` each.
fn part_of(
    writer: &mut KernelWriter<()>,
    extents: &[usize],
    lead: Option<usize>,
    (part, before, rows): (VarId, usize, usize),
    body: &impl Fn(&mut KernelWriter<()>, &[Affine]),
) {
    let mut index = vec![Affine::default(); extents.len()];
    let mut vars: Vec<VarId> = Vec::new();
    for axis in (0..extents.len()).filter(|&axis| extents[axis] != 1) {
        let is_lead = Some(axis) == lead;
        let var = writer.var(if is_lead { rows } else { extents[axis] });
        writer.open(Some(var));
        let start = if is_lead { before as i64 } else { 0 };
        index[axis] = Affine::var(part).times(start).plus(&Affine::var(var));
        vars.push(var);
    }
    body(writer, &index);
    if let Some(inner) = vars.pop() {
        writer.close_vector(inner, &[]);
    }
    for var in vars.into_iter().rev() {
        writer.close_for(var);
    }
}

/// Writes the loop over parts, of which each has a body for its number of rows.
pub fn in_parts<K: Hash + Eq + Clone>(
    writer: &mut KernelWriter<K>,
    partition: Partition,
    mut body: impl FnMut(&mut KernelWriter<K>, VarId, usize),
) {
    let part = writer.var(partition.parts);
    writer.open_parts(part);
    tailed(writer, part, partition, |writer, rows| body(writer, part, rows));
    writer.close_parts(part);
}

/// Writes a part's body, once more for a shorter last part.
pub fn tailed<K: Hash + Eq + Clone>(
    writer: &mut KernelWriter<K>,
    part: VarId,
    partition: Partition,
    mut body: impl FnMut(&mut KernelWriter<K>, usize),
) {
    if !partition.has_tail() {
        return body(writer, partition.rows);
    }
    let [then, otherwise] = [partition.rows, partition.last].map(|rows| {
        writer.open(None);
        body(writer, rows);
        writer.close()
    });
    let test = IfTest::Below(part, partition.parts - 1);
    writer.push(Stmt::If { test, then, otherwise });
}

/// Fills a buffer of a shape with one value.
fn fill(step: &mut StepBuilder, buffer: BufferId, shape: &[usize], value: f64, title: Title) {
    fill_part(step, buffer, (0, &row_major(shape)), shape, value, title);
}

/// Fills a part of a buffer, that begins at an offset and has these distances.
fn fill_part(
    step: &mut StepBuilder,
    buffer: BufferId,
    (offset, strides): (i64, &[i64]),
    shape: &[usize],
    value: f64,
    title: Title,
) {
    let (dtype, len) = step.shape_of(buffer);
    let mut loops = Loops::new(title, shape);
    let slot = loops.writer.slot(buffer, dtype, len);
    let inst = constant(value, scalar_type(dtype));
    let value: RegId = loops.writer.define(scalar_type(dtype), 0, inst);
    loops.write(|writer, index| writer.store(slot, dot(offset, strides, index), value));
    step.run(loops.writer.finish());
}

fn constant(value: f64, dtype: DType) -> Inst {
    match dtype {
        DType::F32 | DType::F64 => Inst::F32(value as f32),
        DType::I32 | DType::U8 => Inst::I32(value as i32),
        DType::Bool => Inst::Bool(value != 0.0),
    }
}

fn concat(step: &mut StepBuilder, kernel: &kernels::FusedKernel, node: NodeId, axis: usize) {
    let to = step.result_buffer(node);
    let strides = true_strides(step.graph.extents(node));
    let title = step.title(kernel);
    let mut start = 0;
    for &arg in &step.graph.nodes[node].args {
        let shape = step.graph.extents(arg);
        let offset = start as i64 * strides[axis];
        start += shape[axis];
        if shape.contains(&0) {
            continue;
        }
        match step.graph.nodes[step.graph.base(arg)].op {
            Op::Const(value, _) => fill_part(step, to, (offset, &strides), shape, value, title),
            _ => {
                let view = step.view(arg);
                copy(step, &view, to, offset, &strides, title);
            }
        }
    }
}

/// Row-major distances, along unit axes too.
fn true_strides(extents: &[usize]) -> Vec<i64> {
    let mut strides = vec![1; extents.len()];
    for axis in (1..extents.len()).rev() {
        strides[axis - 1] = strides[axis] * extents[axis] as i64;
    }
    strides
}

fn pad(
    step: &mut StepBuilder,
    kernel: &kernels::FusedKernel,
    node: NodeId,
    amounts: &[(usize, usize)],
    value: f64,
) {
    let to = step.result_buffer(node);
    let shape = step.graph.extents(node);
    let title = step.title(kernel);
    fill(step, to, shape, value, title.and("border"));
    let view = step.view(step.graph.nodes[node].args[0]);
    let strides = true_strides(shape);
    let offset =
        amounts.iter().zip(&strides).map(|(&(before, _), stride)| before as i64 * stride).sum();
    if view.extents.iter().all(|&extent| extent > 0) {
        copy(step, &view, to, offset, &strides, title);
    }
}
