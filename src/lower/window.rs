//! Windows over images: pooling and its gradients, convolutions of each channel by itself.
//!
//! Takes a kernel of windows; gives vector loops over whole images, which threads share. Sums are
//! gathered, never scattered: an element of an image's gradient adds up what the windows above it
//! say, in order of taps, so overlapping windows need no care. Borders are ranges of their own
//! ([`ranges`]), so the inside has no tests.
//!
//! ```text
//! max_pool 3×3 at distance 2 and its index    one pass, both results
//! its gradient                                four phases of 1, 2, 2 and 4 taps an element
//! ```
//!
//! Arguments lie in memory, in any order of axes; vectors want channels side by side.

mod ranges;
mod slide;
mod weights;

use crate::base::tensor::DType;
use crate::graph::domain::MOST_KEPT;
use crate::graph::kernels::FusedKernel;
use crate::graph::{NodeId, Op, Reduce, Window};
use crate::loops::{Affine, Space};
use crate::lower::StepBuilder;
use crate::lower::columns::totals::{self, Total, TotalKind, TotalsOwner};
use crate::lower::moves::in_parts;
use crate::lower::partition::Partition;
use crate::lower::title::Title;
use crate::lower::writer::KernelWriter;
use ranges::{TapRange, sliding, spreading};
use slide::{SlideOperand, TapWork, WindowSlide, Windows, most_lanes};
use weights::WindowWeights;

/// Writes a kernel of windows, and runs it.
pub fn lower(step: &mut StepBuilder, kernel: &FusedKernel) {
    let title = step.title(kernel);
    let node = kernel.nodes[0];
    let args = &step.graph.nodes[node].args;
    match &step.graph.nodes[node].op {
        Op::MaxPool(window) | Op::MaxPoolIndex(window) => {
            largest(step, kernel, window, args[0], title);
        }
        Op::SumPool(window) => {
            let shape = ImageCut::forward(step, window, args[0], node);
            slide(step, (node, args[0]), shape, window, title, |_, _| TapWork::Sum);
        }
        Op::SumPoolGrad { window, .. } => {
            let shape = ImageCut::backward(step, window, args[0], node);
            slide(step, (node, args[0]), shape, window, title, |_, _| TapWork::Sum);
        }
        Op::MaxPoolGrad { window, .. } => {
            let (index, gradient) = (args[0], args[1]);
            let shape = ImageCut::backward(step, window, gradient, node);
            slide(step, (node, gradient), shape, window, title, |step, writer| {
                TapWork::Chosen(operand(step, writer, index))
            });
        }
        Op::Conv { window, .. } => {
            let shape = ImageCut::forward(step, window, args[0], node);
            slide(step, (node, args[0]), shape, window, title, |step, writer| {
                TapWork::Product(operand(step, writer, args[1]))
            });
        }
        Op::ConvInputGrad { window, .. } => {
            let shape = ImageCut::backward(step, window, args[0], node);
            slide(step, (node, args[0]), shape, window, title, |step, writer| {
                TapWork::Product(operand(step, writer, args[1]))
            });
        }
        Op::ConvWeightGrad { window, .. } => {
            weight_gradient(step, window, node, (args[0], args[1]), title);
        }
        other => unreachable!("{node} {other:?} has no window"),
    }
}

/// How images are cut into parts and ranges.
struct ImageCut {
    partition: Partition,
    /// The height and width of what is written.
    extents: [usize; 2],
    channels: usize,
    rows: Vec<TapRange>,
    columns: Vec<TapRange>,
}

impl ImageCut {
    /// Outputs from images.
    fn forward(step: &StepBuilder, window: &Window, from: NodeId, to: NodeId) -> ImageCut {
        Self::of(step, window, from, to, sliding)
    }

    /// Images from outputs.
    fn backward(step: &StepBuilder, window: &Window, from: NodeId, to: NodeId) -> ImageCut {
        Self::of(step, window, from, to, |window, axis, from, to| spreading(window, axis, to, from))
    }

    fn of(
        step: &StepBuilder,
        window: &Window,
        from: NodeId,
        to: NodeId,
        ranges: impl Fn(&Window, usize, usize, usize) -> Vec<TapRange>,
    ) -> ImageCut {
        let (source, target) = (step.graph.extents(from), step.graph.extents(to));
        let images = target[0];
        let most = step.graph.elements(from).max(step.graph.elements(to));
        ImageCut {
            partition: Partition::of_rows(images, most / images),
            extents: [target[1], target[2]],
            channels: target[3],
            rows: ranges(window, 0, source[1], target[1]),
            columns: ranges(window, 1, source[2], target[2]),
        }
    }
}

/// A value in memory as an operand.
fn operand(step: &mut StepBuilder, writer: &mut Windows, node: NodeId) -> SlideOperand {
    let view = step.view(node);
    let buffer = step.buffer(view.base);
    let (dtype, len) = step.shape_of(buffer);
    SlideOperand { slot: writer.slot(buffer, dtype, len), view }
}

/// A kernel whose result is a sum over taps.
fn slide(
    step: &mut StepBuilder,
    (node, source): (NodeId, NodeId),
    shape: ImageCut,
    window: &Window,
    title: Title,
    work: impl FnOnce(&mut StepBuilder, &mut Windows) -> TapWork,
) {
    let mut writer = KernelWriter::new(title, shape.partition.parts);
    let source = operand(step, &mut writer, source);
    let work = work(step, &mut writer);
    let buffer = step.result_buffer(node);
    let (dtype, len) = step.shape_of(buffer);
    let to = writer.slot(buffer, dtype, len);
    write(step, writer, shape, window, (source, work, to));
}

/// The largest elements, their taps, or both.
fn largest(
    step: &mut StepBuilder,
    kernel: &FusedKernel,
    window: &Window,
    source: NodeId,
    title: Title,
) {
    let shape = ImageCut::forward(step, window, source, kernel.nodes[0]);
    let mut writer = KernelWriter::new(title, shape.partition.parts);
    let source = operand(step, &mut writer, source);
    let (mut value, mut index) = (None, None);
    for &result in &kernel.results {
        let buffer = step.result_buffer(result);
        let (dtype, len) = step.shape_of(buffer);
        let slot = Some(writer.slot(buffer, dtype, len));
        match step.graph.nodes[result].op {
            Op::MaxPool(_) => value = slot,
            _ => index = slot,
        }
    }
    let lanes = most_lanes(shape.channels, &shape.columns);
    let named = step.new_buffer(DType::F32, lanes, Space::Thread);
    let named = writer.slot(named, DType::F32, lanes);
    let to = value.or(index).expect("a kernel has results");
    let work = TapWork::Largest { value, index, named };
    write(step, writer, shape, window, (source, work, to));
}

fn write(
    step: &mut StepBuilder,
    mut writer: Windows,
    shape: ImageCut,
    window: &Window,
    (source, work, to): (SlideOperand, TapWork, crate::loops::SlotId),
) {
    let ImageCut { partition, extents, channels, rows, columns } = shape;
    let width = window.size[1];
    let slide = WindowSlide { extents, channels, rows, columns, width, source, work, to };
    in_parts(&mut writer, partition, |writer, part, images| {
        slide.write(writer, &Affine::var(part).times(partition.rows as i64), images);
    });
    step.run(writer.finish());
}

/// The sums of parts, then their total.
fn weight_gradient(
    step: &mut StepBuilder,
    window: &Window,
    node: NodeId,
    (x, gradient): (NodeId, NodeId),
    title: Title,
) {
    let ImageCut { partition, channels, rows, columns, .. } =
        ImageCut::forward(step, window, x, gradient);
    let mut writer = KernelWriter::new(title, partition.parts);
    let (x, gradient) = (operand(step, &mut writer, x), operand(step, &mut writer, gradient));
    let kept = step.graph.elements(node);
    let pitch = kept.next_multiple_of(16);
    let buffer = step.new_buffer(DType::F32, pitch * partition.parts, Space::Scratch);
    let sums = writer.slot(buffer, DType::F32, pitch * partition.parts);
    let width = window.size[1];
    let weights = WindowWeights { channels, rows, columns, width, x, gradient, sums, pitch };
    in_parts(&mut writer, partition, |writer, part, images| {
        weights.write(writer, part, &Affine::var(part).times(partition.rows as i64), images);
    });
    step.run(writer.finish());
    let place = match kept {
        0..=MOST_KEPT => TotalsOwner::Thread,
        _ => TotalsOwner::Parts(Partition::of(kept), 1),
    };
    let total = Total { node, kind: TotalKind::Reduce(Reduce::Sum), sums: vec![buffer] };
    // A sum is not weighed by how many it is of.
    totals::run(step, &[total], (&vec![1; partition.parts], pitch), place, title);
}
