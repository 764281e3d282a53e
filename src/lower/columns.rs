//! Reductions over first axes: a bias's gradient, a batch's mean.
//!
//! Takes a kernel of element-wise work and one reduction that keeps the last axis; gives loops
//! that are vectors along the kept axis and add row by row, in order, to the result in memory.
//! Threads share the first kept axis, so each sum is one thread's.
//!
//! ```text
//! sum over axis 0 of x[32, 128]    parts i0 in 0..16 { vector i1 { store s1[8·i0 + i1] = 0 }
//!                                      for i2 in 0..32 { vector i3 { s1[…] += s0[…] } } }
//! ```

use crate::graph::domain::{Domain, Form, Level, extents};
use crate::graph::kernels::Kernel;
use crate::graph::view::row_major;
use crate::graph::{NodeId, Op, Reduce};
use crate::loops::{Access, Affine, Inst, SlotId, VarId};
use crate::lower::Step;
use crate::lower::nest::{Nest, combining, leading};
use crate::lower::partition::Partition;
use crate::lower::values::{Values, scalar_type};
use crate::lower::writer::Writer;

/// A reduction being written.
struct Columns {
    node: NodeId,
    op: Reduce,
    arg: NodeId,
    arg_forms: Vec<Form>,
    /// The axes that are added up, and those that stay (the last of them is the vector's).
    reduced: Vec<usize>,
    kept: Vec<usize>,
    /// The index of the result.
    result: Form,
    slot: SlotId,
}

/// Writes a reduction over first axes, and runs it.
pub fn lower(step: &mut Step, kernel: &Kernel) {
    let graph = step.graph;
    let &node = kernel.nodes.last().expect("a reduction");
    let Op::Reduce(op, axes) = &graph.nodes[node].op else { unreachable!("a reduction") };
    let arg = graph.nodes[node].args[0];
    let producers = &kernel.nodes[..kernel.nodes.len() - 1];
    let domain = match producers {
        [] => {
            let mut domain = Domain::of(graph, &[arg]).expect("one shape");
            domain.levels.clear();
            domain
        }
        _ => Domain::of(graph, producers).expect("what fusion has checked"),
    };
    let shape = extents(graph, arg);
    let arg_forms = domain.forms(&shape, Level::Full).expect("what fusion has checked");
    let is_reduced = |axis: &usize| axes.iter().any(|&own| arg_forms[own].factors[*axis] != 0);
    let (reduced, kept): (Vec<usize>, Vec<usize>) = (0..domain.axes.len()).partition(is_reduced);
    let kept_axes = (0..shape.len()).filter(|axis| !axes.contains(axis));
    let mut result = Form::constant(0, domain.axes.len());
    for (axis, stride) in kept_axes.zip(row_major(&extents(graph, node))) {
        result.add(&arg_forms[axis], stride);
    }
    let partition = Partition::of(domain.axes[kept[0]]);
    let buffer = step.result_buffer(node);
    let mut writer = Writer::new(step.kernel_name(kernel), partition.parts);
    let (dtype, len) = step.shape_of(buffer);
    let slot = writer.slot(buffer, dtype, len);
    let columns = Columns { node, op: *op, arg, arg_forms, reduced, kept, result, slot };
    let producers = Kernel { nodes: producers.to_vec(), results: Vec::new(), ..kernel.clone() };
    let mut nest = Nest::new(Values::new(step, writer, domain, &producers.nodes), &producers, &[]);
    let part = nest.values.writer.var(partition.parts);
    nest.values.writer.open_parts(part);
    nest.each_length(part, partition, |nest, rows| columns.part(nest, part, partition, rows));
    nest.values.writer.close_parts(part);
    nest.finish();
}

impl Columns {
    /// The loops of a part, over all kept axes but the last, then over what is added up.
    fn part(&self, nest: &mut Nest, part: VarId, partition: Partition, rows: usize) {
        let (&vector, outer) = self.kept.split_last().expect("the last axis is kept");
        let mut vars = Vec::new();
        for (position, &axis) in outer.iter().enumerate() {
            let extent = if position == 0 { rows } else { nest.values.domain.axes[axis] };
            let var = nest.values.writer.var(extent);
            nest.values.writer.open(Some(var));
            nest.values.index[axis] = match position {
                0 => leading(part, partition.rows, var),
                _ => Affine::var(var),
            };
            vars.push(var);
        }
        let width = if outer.is_empty() { rows } else { nest.values.domain.axes[vector] };
        let start = match outer {
            [] => Affine::var(part).times(partition.rows as i64),
            _ => Affine::default(),
        };
        self.begin(nest, vector, width, &start);
        let mut summed = Vec::new();
        for &axis in &self.reduced {
            let var = nest.values.writer.var(nest.values.domain.axes[axis]);
            nest.values.writer.open(Some(var));
            nest.values.index[axis] = Affine::var(var);
            summed.push(var);
        }
        self.add_row(nest, vector, width, &start);
        for var in vars.into_iter().chain(summed).rev() {
            nest.values.writer.close_for(var);
        }
    }

    fn begin(&self, nest: &mut Nest, axis: usize, width: usize, start: &Affine) {
        let dtype = scalar_type(nest.values.step.graph.ty(self.node).dtype);
        let neutral = nest.neutral(self.op, dtype);
        let var = open(nest, axis, width, start);
        let index = nest.values.affine(&self.result);
        nest.values.writer.store(self.slot, index, neutral);
        nest.values.writer.close_vector(var, &[]);
    }

    fn add_row(&self, nest: &mut Nest, axis: usize, width: usize, start: &Affine) {
        let var = open(nest, axis, width, start);
        let value = nest.values.value(self.arg, &self.arg_forms);
        let index = nest.values.affine(&self.result);
        let writer = &mut nest.values.writer;
        let (dtype, depth) = (writer.dtype(value), writer.depth());
        let access = Access { slot: self.slot, index: index.clone() };
        let sum = writer.define(dtype, depth, Inst::Load(access));
        let sum = writer.define(dtype, depth, Inst::Binary(combining(self.op), sum, value));
        writer.store(self.slot, index, sum);
        writer.close_vector(var, &[]);
    }
}

/// Opens the vector loop along an axis.
fn open(nest: &mut Nest, axis: usize, width: usize, start: &Affine) -> VarId {
    let var = nest.values.writer.var(width);
    nest.values.writer.open(Some(var));
    nest.values.index[axis] = start.plus(&Affine::var(var));
    var
}
