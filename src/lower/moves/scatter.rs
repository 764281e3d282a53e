//! Sums into places that data names: `scatter_add`, the adjoint of a gather.
//!
//! Takes indices and a value for each; gives loops that write zeros and then add every value at its
//! index, in the order of the values. The axes around the indexed one are shared by threads, so that
//! each sum is one thread's.
//!
//! ```text
//! 10 rows from [64] and [64, 32]    parts of columns { for 64 { vector { r1 = checked s0[i] < 10;
//!                                                      add s2[j] at r1*32 = s1[32·i + j] } } }
//! ```

use super::{dot, fill, in_parts, true_strides};
use crate::base::tensor::DType;
use crate::graph::view::View;
use crate::graph::{NodeId, kernels};
use crate::loops::{Access, Affine, Inst, RegId, SlotId, Stmt, VarId};
use crate::lower::StepBuilder;
use crate::lower::partition::Partition;
use crate::lower::values::scalar_type;
use crate::lower::writer::KernelWriter;

/// A tensor that is read.
pub(super) struct ScatterOperand {
    pub slot: SlotId,
    /// Of its elements as scalars.
    dtype: DType,
    pub view: View,
}

impl ScatterOperand {
    /// A value that is read by a kernel.
    pub fn new(step: &mut StepBuilder, writer: &mut KernelWriter<()>, node: NodeId) -> Self {
        let view = step.view(node);
        let buffer = step.buffer(view.base);
        let (dtype, len) = step.shape_of(buffer);
        let slot = writer.slot(buffer, dtype, len);
        ScatterOperand { slot, dtype: scalar_type(step.graph.ty(node).dtype), view }
    }

    pub fn load(&self, writer: &mut KernelWriter<()>, at: &[Affine]) -> RegId {
        let index = dot(self.view.offset, &self.view.strides, at);
        writer.define(self.dtype, 0, Inst::Load(Access { slot: self.slot, index }))
    }
}

/// Sums being written.
struct Scatter {
    /// The result's axis that indices name; in the values the axes of the indices stand for it.
    axis: usize,
    index: ScatterOperand,
    values: ScatterOperand,
    to: SlotId,
    /// The result's extents, and distances along all of its axes.
    shape: Vec<usize>,
    strides: Vec<i64>,
    /// The bounds check of the indices.
    site: u32,
    /// The long axes of the values around the indexed one; the first is cut into parts.
    outer: Vec<usize>,
    partition: Partition,
}

/// Writes the zeros and the sums, and runs them.
pub fn lower(step: &mut StepBuilder, kernel: &kernels::FusedKernel, node: NodeId, axis: usize) {
    let graph = step.graph;
    let [index, values] = graph.nodes[node].args[..] else { unreachable!("scatter_add takes two") };
    debug_assert!(graph.elements(node) > 0);
    let to = step.result_buffer(node);
    let shape = graph.extents(node).to_vec();
    let title = step.title(kernel);
    fill(step, to, &shape, 0.0, title.and("zeros"));

    let (index_view, values_view) = (step.view(index), step.view(values));
    let site = step.site(node);
    let indexed = axis..axis + index_view.extents.len();
    let outer: Vec<usize> = (0..values_view.extents.len())
        .filter(|&position| !indexed.contains(&position) && values_view.extents[position] != 1)
        .collect();
    let partition =
        Partition::of(outer.first().map_or(1, |&position| values_view.extents[position]));
    let mut writer: KernelWriter<()> = KernelWriter::new(title, partition.parts);
    let [index, values] = [index, values].map(|node| ScatterOperand::new(step, &mut writer, node));
    let (dtype, len) = step.shape_of(to);
    let (to, strides) = (writer.slot(to, dtype, len), true_strides(&shape));
    let scatter = Scatter { axis, index, values, to, shape, strides, site, outer, partition };
    in_parts(&mut writer, partition, |writer, part, rows| scatter.part(writer, part, rows));
    step.run(writer.finish());
}

impl Scatter {
    /// The loops of a part with so many steps of the first outer axis.
    fn part(&self, writer: &mut KernelWriter<()>, part: VarId, rows: usize) {
        let extents = &self.values.view.extents;
        let rank = self.index.view.extents.len();
        let mut at = vec![Affine::default(); extents.len()];
        let inner = (self.axis..self.axis + rank).filter(|&position| extents[position] != 1);
        let mut vars = Vec::new();
        // Entries first, in order; what is around the indexed axis innermost.
        for position in inner.chain(self.outer.iter().copied()) {
            let is_lead = self.outer.first() == Some(&position);
            let var = writer.var(if is_lead { rows } else { extents[position] });
            writer.open(Some(var));
            let start = if is_lead { self.partition.rows as i64 } else { 0 };
            at[position] = Affine::var(part).times(start).plus(&Affine::var(var));
            vars.push(var);
        }
        self.add(writer, &at);
        for var in vars.into_iter().rev() {
            writer.close_for(var);
        }
    }

    /// Adds the value at a place.
    fn add(&self, writer: &mut KernelWriter<()>, at: &[Affine]) {
        let Scatter { axis, index, values, .. } = self;
        let after = axis + index.view.extents.len();
        let entry = &at[*axis..after];
        let raw = index.load(writer, entry);
        let element = dot(0, &true_strides(&index.view.extents), entry);
        let bound = self.shape[*axis];
        let checked = Inst::Checked { index: raw, bound, site: self.site, element };
        let checked = writer.define(DType::I32, 0, checked);
        let value = values.load(writer, at);
        let around: Vec<Affine> = at[..*axis].iter().chain(&at[after..]).cloned().collect();
        let strides: Vec<i64> =
            self.strides[..*axis].iter().chain(&self.strides[axis + 1..]).copied().collect();
        let base = Access { slot: self.to, index: dot(0, &strides, &around) };
        let stride = self.strides[*axis];
        writer.push(Stmt::StoreAt { adds: true, base, index: checked, stride, value });
    }
}
