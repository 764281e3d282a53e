//! Forward passes and input gradients: tiles whose rows are outputs, in bands that stay in cache.
//!
//! Takes a convolution or the gradient of its input, with what follows element by element; gives
//! its loops. No window is copied out: neighbouring rows of a tile overlap in the operand. An
//! input gradient is the same tile over the gradient of the output, once for each phase of the
//! stride ([`super::taps`]), with the weight's layout for it ([`super::weights`]).
//!
//! ```text
//! parts i0 { border; for blocks { interior; for panels { tile n 32 { row images; row oh; row ow;
//!                                 sum kh; sum kw·in; bias; relu } }; what follows } }
//! ```

use crate::graph::domain::Domain;
use crate::graph::kernels::FusedKernel;
use crate::graph::{NodeId, Window};
use crate::loops::{Access, Affine, RowAxis, SlotId, Stmt, SumAxis, Tile, VarId};
use crate::lower::StepBuilder;
use crate::lower::bands::{Bands, BlockShape, Reach, RowBlock};
use crate::lower::columns::{self, KernelSplit};
use crate::lower::conv::taps::{Phases, TapPhase};
use crate::lower::conv::weights::{ConvWeights, OutputColumns};
use crate::lower::epilogue::{self, Fused};
use crate::lower::nest::Nest;
use crate::lower::operand::{ImageOperand, OperandPlace, OperandReads};
use crate::lower::partition::Partition;
use crate::lower::values::{NestValues, Saved};
use crate::lower::writer::KernelWriter;

/// A convolution's operand, weight and result: `[N, H, W, C]` of an operand and a weight.
pub struct ConvSlide {
    /// The node.
    pub node: NodeId,
    /// The operand that windows read.
    pub operand: NodeId,
    /// The weight.
    pub weight: NodeId,
    /// Whether it is the gradient of the input.
    pub backward: bool,
    /// The window.
    pub window: Window,
    /// The groups of channels.
    pub groups: usize,
}

/// A convolution being written.
pub struct ConvWriter {
    /// `[N, H, W, C]` of the result.
    pub shape: [usize; 4],
    /// The operand's channels.
    pub channels: usize,
    /// The groups of channels.
    pub groups: usize,
    /// Whether a group's weights are rows of the weight as it is read, not columns.
    pub backward: bool,
    /// Which taps meet which rows and columns.
    pub phases: [Phases; 2],
    /// The weight.
    pub weights: ConvWeights,
    /// The slot of the result.
    pub to: SlotId,
    /// Whether that has only a block's images, `shape[1]` rows each.
    pub block_only: bool,
    /// The slot of the weight.
    pub weight: SlotId,
    /// The slot of the bias, with its first element.
    pub bias: Option<(SlotId, i64)>,
    /// Whether negative results become 0.
    pub relu: bool,
}

/// Writes the loops of a convolution and what follows it, and runs them.
pub fn lower(step: &mut StepBuilder, kernel: &FusedKernel, slide: &ConvSlide) {
    let shape: [usize; 4] = step.graph.extents(slide.node).try_into().expect("[N, H, W, C]");
    let split = KernelSplit::of(step, kernel);
    let (domain, own) = match &split {
        Some(split) => (split.domain.clone(), &split.producers),
        None => (Domain::of(step.graph, &kernel.nodes).expect("what fusion has checked"), kernel),
    };
    // The parts of a single image are of its rows, unlike those of any sums; and a variance that is
    // an image's own begins anew within a part.
    let is_apart =
        |split: &KernelSplit| shape[0] == 1 || split.has_variance(step) && split.is_by_sample(step);
    if !leads(&domain, shape) || split.as_ref().is_some_and(is_apart) {
        return epilogue::apart(step, kernel, slide.node, |step, own| lower(step, own, slide));
    }
    let fused = epilogue::fused(step, kernel, slide.node);
    for &result in &own.results {
        step.result_buffer(result);
    }
    let last = *fused.nodes.last().expect("the convolution itself");
    let target = epilogue::target_buffer(step, own, last);
    let title = step.title(own);
    let weights = ConvWeights::new(step, slide.weight, slide.backward, slide.groups, title);
    let read = step.graph.extents(slide.operand);
    let phases = [0, 1].map(|axis| match slide.backward {
        false => Phases::forward(&slide.window, axis, shape[axis + 1]),
        true => Phases::backward(&slide.window, axis, shape[axis + 1]),
    });
    let bands = bands(shape, read, &phases, &slide.window);
    let writer = KernelWriter::new(title, bands.partition.parts);
    let mut nest = Nest::new(NestValues::new(step, writer, domain, &own.nodes), own, &fused.nodes);
    let to = nest.values.buffer_slot(target);
    let sliding = ConvWriter::new(&mut nest.values, slide, &fused, weights, phases, (shape, to));
    nest.values.saved.insert(last, Saved::Whole(to));
    let [rows, columns] = &sliding.phases;
    let reads = OperandReads {
        rows: rows.reach,
        columns: columns.reach,
        width: columns.outputs,
        border: 0.0,
    };
    let operand = ImageOperand::new(&mut nest.values, slide.operand, &reads, &bands);

    let sums = split.as_ref().map(|split| {
        columns::ColumnSums::in_blocks(&mut nest, split, &fused.nodes, bands.partition)
    });
    let rest = own.nodes.iter().any(|node| !fused.nodes.contains(node));
    sliding.parts(&mut nest, &bands, &operand, sums.as_ref(), rest);
    let step = nest.finish();
    if let Some(sums) = sums {
        sums.finish(step, title);
    }
}

/// Whether a domain's first axes are images and rows.
fn leads(domain: &Domain, shape: [usize; 4]) -> bool {
    let lead: Vec<usize> = shape[..2].iter().copied().filter(|&extent| extent != 1).collect();
    domain.axes.starts_with(&lead)
}

/// How images are cut: bands are rows of the longest phase.
fn bands(shape: [usize; 4], read: &[usize], phases: &[Phases; 2], window: &Window) -> Bands {
    let [images, _, width, channels] = shape;
    let [rows, columns] = phases;
    let read_row = columns.reach.length(columns.outputs) * read[3];
    let written_row = rows.stride * width * channels;
    let shape = BlockShape {
        images,
        rows: rows.outputs,
        row_bytes: 4 * (rows.reach.step * read_row + written_row),
        multiple: 1,
        row_work: written_row * read[3] * window.taps(),
    };
    let elements = (read[1] * read[2] * read[3]).max(rows.outputs * written_row);
    let partition = Partition::of_rows(images, elements);
    // Bands that have the last row of every phase are not like those that have not.
    Bands::new(&shape, partition, &[(rows.reach, read[1]), (Reach::same(), rows.fewest)])
}

impl ConvWriter {
    /// A convolution or an input gradient, with what its tile does after it. The result has a shape
    /// and a slot.
    pub fn new(
        values: &mut NestValues,
        slide: &ConvSlide,
        fused: &Fused,
        weights: ConvWeights,
        phases: [Phases; 2],
        (shape, to): ([usize; 4], SlotId),
    ) -> ConvWriter {
        ConvWriter {
            shape,
            channels: values.step.graph.extents(slide.operand)[3],
            groups: slide.groups,
            backward: slide.backward,
            phases,
            to,
            block_only: false,
            weight: values.buffer_slot(weights.buffer),
            bias: fused.bias.as_ref().map(|view| (values.slot(view.base), view.offset)),
            relu: fused.relu,
            weights,
        }
    }

    /// The loops over parts and blocks: the operand's interior, the tiles, and what follows them,
    /// sums of columns or the `rest` of the nest.
    fn parts(
        &self,
        nest: &mut Nest,
        bands: &Bands,
        operand: &ImageOperand,
        sums: Option<&columns::ColumnSums>,
        rest: bool,
    ) {
        let part = nest.values.writer.var(bands.partition.parts);
        nest.values.writer.open_parts(part);
        operand.begin(&mut nest.values);
        if let Some(sums) = sums {
            sums.begin_part(nest, part);
        }
        bands.each(nest, part, |nest, block| {
            let placed = operand.load(&mut nest.values, block);
            self.block(nest, block, &placed);
            match sums {
                Some(sums) => sums.block(nest, part, &self.lead(block)),
                None if rest => nest.block(&self.lead(block)),
                None => {}
            }
        });
        nest.values.writer.close_parts(part);
    }

    /// The ranges of images and rows that a block computes, of those that are axes.
    fn lead(&self, block: &RowBlock) -> Vec<(Affine, usize)> {
        let stride = self.phases[0].stride;
        let first = block.first_row * stride as i64;
        let rows = (block.rows * stride).min(self.shape[1] - first as usize);
        let images = (block.image.clone(), block.images);
        let rows = (block.row.times(stride as i64), rows);
        let axes = [(self.shape[0], images), (self.shape[1], rows)];
        axes.into_iter().filter(|(extent, _)| *extent != 1).map(|(_, range)| range).collect()
    }

    /// All phases, groups and panels of a block.
    pub fn block(&self, nest: &mut Nest, block: &RowBlock, placed: &OperandPlace) {
        let width = self.shape[3] / self.groups;
        for panel in self.weights.panels(width) {
            let writer = &mut nest.values.writer;
            let (group, index) = (writer.var(self.groups), writer.var(panel.count));
            writer.open(Some(group));
            writer.open(Some(index));
            let column = Affine::constant(panel.first as i64)
                .plus(&Affine::var(index).times(panel.width as i64));
            for rows in &self.phases[0].phases {
                for columns in &self.phases[1].phases {
                    let phase = [rows, columns];
                    if let Some(tile) = self.tile(block, placed, (group, &column, panel), phase) {
                        nest.values.writer.push(Stmt::Tile(tile.merged()));
                    }
                }
            }
            nest.values.writer.close_for(index);
            nest.values.writer.close_for(group);
        }
    }

    /// The tile of a phase; `None` where no output of the block is one of the phase's.
    fn tile(
        &self,
        block: &RowBlock,
        placed: &OperandPlace,
        (group, column, panel): (VarId, &Affine, OutputColumns),
        phase: [&TapPhase; 2],
    ) -> Option<Tile> {
        let [rows, columns] = phase;
        let outputs = block.rows.min(rows.outputs.saturating_sub(block.first_row as usize));
        if outputs == 0 || columns.outputs == 0 {
            return None;
        }
        let (own, read) = (self.shape[3] / self.groups, self.channels / self.groups);
        let group = Affine::var(group);
        let a = Affine::constant(rows.at * placed.row + columns.at * placed.column)
            .plus(&placed.base)
            .plus(&group.times(read as i64));
        let out_column = column.plus(&group.times(own as i64));
        let bias =
            |(slot, first)| Access { slot, index: out_column.plus(&Affine::constant(first)) };
        Some(Tile {
            rows: self.row_axes([block.images, outputs, columns.outputs], placed),
            n: panel.width,
            sum: self.sum_axes(phase, placed, panel),
            a: Access { slot: placed.slot, index: a },
            b: Access { slot: self.weight, index: self.first_weight(&group, column, panel, phase) },
            c: Access { slot: self.to, index: self.first_result(block, phase).plus(&out_column) },
            accumulate: false,
            bias: self.bias.map(bias),
            relu: self.relu,
        })
    }

    /// A tile's rows: images, and a phase's rows and columns of the result.
    fn row_axes(&self, extents: [usize; 3], placed: &OperandPlace) -> Vec<RowAxis> {
        let [_, height, width, channels] = self.shape.map(|extent| extent as i64);
        let strides = [0, 1].map(|axis| self.phases[axis].stride as i64);
        let steps = [0, 1].map(|axis| self.phases[axis].reach.step as i64);
        let row = width * channels;
        let a = [placed.image, steps[0] * placed.row, steps[1] * placed.column];
        let c = [height * row, strides[0] * row, strides[1] * channels];
        [0, 1, 2].map(|axis| RowAxis { extent: extents[axis], a: a[axis], c: c[axis] }).to_vec()
    }

    /// A tile's sum: a phase's taps and a group's channels of the operand.
    fn sum_axes(
        &self,
        [rows, columns]: [&TapPhase; 2],
        placed: &OperandPlace,
        panel: OutputColumns,
    ) -> Vec<SumAxis> {
        let [b_row, b_tap, b_channel] = self.weights.strides(panel);
        vec![
            SumAxis {
                extent: rows.taps,
                a: rows.step * placed.row,
                b: rows.tap_step as i64 * b_row,
            },
            SumAxis {
                extent: columns.taps,
                a: columns.step * placed.column,
                b: columns.tap_step as i64 * b_tap,
            },
            SumAxis { extent: self.channels / self.groups, a: 1, b: b_channel },
        ]
    }

    /// A group's weight of a phase's first taps.
    fn first_weight(
        &self,
        group: &Affine,
        column: &Affine,
        panel: OutputColumns,
        [rows, columns]: [&TapPhase; 2],
    ) -> Affine {
        let (own, read) = (self.shape[3] / self.groups, self.channels / self.groups);
        let [b_row, b_tap, b_channel] = self.weights.strides(panel);
        // Its own columns of all rows, or all columns of its own rows.
        let grouped = match self.backward {
            true => group.times(read as i64 * b_channel),
            false => group.times(own as i64),
        };
        let first_tap = rows.tap as i64 * b_row + columns.tap as i64 * b_tap;
        self.weights.begin(column).plus(&grouped).plus(&Affine::constant(first_tap))
    }

    /// The result's channel 0 of the first row and column of a block that are a phase's.
    fn first_result(&self, block: &RowBlock, [rows, columns]: [&TapPhase; 2]) -> Affine {
        let [_, height, width, channels] = self.shape.map(|extent| extent as i64);
        let row = width * channels;
        let first = match self.block_only {
            true => Affine::default(),
            false => {
                let stride = self.phases[0].stride as i64;
                block.image.times(height * row).plus(&block.row.times(stride * row))
            }
        };
        first.plus(&Affine::constant(rows.first as i64 * row + columns.first as i64 * channels))
    }
}
