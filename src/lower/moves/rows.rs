//! Sums into the rows of a table that data names, where the other rows stay unwritten
//! ([`used_rows`](crate::lower::used_rows)).
//!
//! Takes indices and a row of values for each; gives loops in which each part owns some rows of the table:
//! it clears their flags, and goes through all indices in order. The first value of a row is stored
//! (plus the 0 that it would be added to), others are added, so that each sum is that of
//! [`scatter`](super::scatter) and nothing is read that was not written.
//!
//! ```text
//! 4096 rows from [64] and [64, 32]
//! parts i0 { vector 256 { s2[256·i0 + j] = 0 }
//!            for 64 { r1 = checked s0[i] < 4096
//!                     if 256·i0 <= r1 < 256·i0 + 256 {
//!                         if s2[r1] != 0 { for 32 { add s3[j] at r1*32 = s1[32·i + j] } }
//!                         else { s2[r1] = 1; for 32 { store s3[j] at r1*32 = 0 + s1[32·i + j] } } } } }
//! ```

use super::scatter::ScatterOperand;
use super::{dot, in_parts, true_strides};
use crate::base::scalar::Binary;
use crate::base::tensor::DType;
use crate::graph::NodeId;
use crate::graph::kernels::FusedKernel;
use crate::loops::{Access, Affine, IfTest, Inst, RegId, SlotId, Stmt, VarId};
use crate::lower::StepBuilder;
use crate::lower::partition::Partition;
use crate::lower::writer::KernelWriter;

/// Sums being written.
struct RowSums {
    index: ScatterOperand,
    values: ScatterOperand,
    flags: SlotId,
    to: SlotId,
    /// The table's extents.
    shape: Vec<usize>,
    /// The bounds check of the indices.
    site: u32,
    /// The rows that parts own.
    partition: Partition,
}

/// Writes the sums and the flags of used rows, and runs them.
pub(super) fn lower(step: &mut StepBuilder, kernel: &FusedKernel, node: NodeId) {
    let [index, values] = step.graph.nodes[node].args[..] else { unreachable!("it takes two") };
    let site = step.site(node);
    let shape = step.graph.extents(node).to_vec();
    let partition = Partition::of_axes(&shape);
    let buffers = [step.flags(node), step.result_buffer(node)];
    let mut writer: KernelWriter<()> = KernelWriter::new(step.title(kernel), partition.parts);
    let [index, values] = [index, values].map(|node| ScatterOperand::new(step, &mut writer, node));
    let [flags, to] = buffers.map(|buffer| {
        let (dtype, len) = step.shape_of(buffer);
        writer.slot(buffer, dtype, len)
    });
    let sums = RowSums { index, values, flags, to, shape, site, partition };
    in_parts(&mut writer, partition, |writer, part, rows| sums.part(writer, part, rows));
    step.run(writer.finish());
}

impl RowSums {
    /// The loops of a part with so many rows.
    fn part(&self, writer: &mut KernelWriter<()>, part: VarId, rows: usize) {
        let [unused, used] = [0, 1].map(|flag| writer.define(DType::I32, 0, Inst::I32(flag)));
        let first = Affine::var(part).times(self.partition.rows as i64);
        let row = writer.var(rows);
        writer.open(Some(row));
        writer.store(self.flags, first.plus(&Affine::var(row)), unused);
        writer.close_vector(row, &[]);
        let behind = first.plus(&Affine::constant(rows as i64));
        let [first, behind] =
            [first, behind].map(|number| writer.define(DType::I32, 0, Inst::Index(number)));

        let view = &self.index.view;
        let vars: Vec<VarId> = view.extents.iter().map(|&extent| writer.var(extent)).collect();
        let at: Vec<Affine> = vars.iter().map(|&var| Affine::var(var)).collect();
        vars.iter().for_each(|&var| writer.open(Some(var)));
        let raw = self.index.load(writer, &at);
        let element = dot(0, &true_strides(&view.extents), &at);
        let index = Inst::Checked { index: raw, bound: self.shape[0], site: self.site, element };
        let index = writer.define(DType::I32, 0, index);
        let mut test = |op, a, b| writer.define(DType::Bool, 0, Inst::Binary(op, a, b));
        let (from, to) = (test(Binary::Ge, index, first), test(Binary::Lt, index, behind));
        let is_own = test(Binary::And, from, to);
        writer.open(None);
        self.entry(writer, index, &at, [unused, used]);
        let then = writer.close();
        let otherwise = Vec::new();
        writer.push(Stmt::If { test: IfTest::Holds(is_own), then, otherwise });
        vars.into_iter().rev().for_each(|var| writer.close_for(var));
    }

    /// Stores or adds the values of an index at its row.
    fn entry(
        &self,
        writer: &mut KernelWriter<()>,
        index: RegId,
        at: &[Affine],
        [unused, used]: [RegId; 2],
    ) {
        let base = Access { slot: self.flags, index: Affine::default() };
        // Not before another index has set it.
        let depth = writer.depth();
        let flag = Inst::LoadAt { base: base.clone(), index, stride: 1 };
        let flag = writer.define(DType::I32, depth, flag);
        let test = Inst::Binary(Binary::Ne, flag, unused);
        let test = IfTest::Holds(writer.define(DType::Bool, depth, test));
        writer.open(None);
        self.row(writer, index, at, true);
        let then = writer.close();
        writer.open(None);
        writer.push(Stmt::StoreAt { adds: false, base, index, stride: 1, value: used });
        self.row(writer, index, at, false);
        let otherwise = writer.close();
        writer.push(Stmt::If { test, then, otherwise });
    }

    /// Adds a row of values, or stores it in a row that is not yet written.
    fn row(&self, writer: &mut KernelWriter<()>, index: RegId, at: &[Affine], adds: bool) {
        let vars: Vec<VarId> = self.shape[1..].iter().map(|&extent| writer.var(extent)).collect();
        let columns: Vec<Affine> = vars.iter().map(|&var| Affine::var(var)).collect();
        vars.iter().for_each(|&var| writer.open(Some(var)));
        let mut value = self.values.load(writer, &[at, &columns].concat());
        if !adds {
            let zero = writer.define(DType::F32, 0, Inst::F32(0.0));
            value = writer.define(DType::F32, 0, Inst::Binary(Binary::Add, zero, value));
        }
        let strides = true_strides(&self.shape);
        let base = Access { slot: self.to, index: dot(0, &strides[1..], &columns) };
        writer.push(Stmt::StoreAt { adds, base, index, stride: strides[0], value });
        vars.into_iter().rev().for_each(|var| writer.close_for(var));
    }
}
