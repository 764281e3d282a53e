//! Pooling over images and sequences.
//!
//! Where padding does not count in a mean, or a window reaches beyond it, the mean over whole windows is
//! corrected by a constant factor at each place.

use super::Translator;
use super::conv::{CallSettings, PlacedWindows, channels, spatial};
use crate::onnx::import::constant::{Constant, ElementKind};
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, NetForm, Weight};
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::Placed;

impl<'a> Translator<'a> {
    pub(super) fn max_pool(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        node.ignore(&["storage_order"]);
        let (x, windows) = self.windows(node)?;
        self.pooled(&x, "max_pool", &windows)
    }

    pub(super) fn average_pool(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let (x, windows) = self.windows(node)?;
        if windows.dilation.iter().any(|&it| it != 1) {
            return Err("means of windows with gaps have no counterpart".into());
        }
        let all = node.int("count_include_pad", 0)? == 1;
        let said = node.ints("pads")?.unwrap_or_else(|| vec![0; 2 * windows.size.len()]);
        let extents = spatial(&x)?;
        let made = self.pooled(&x, "avg_pool", &windows)?;
        let padded = |axis: usize| match all && node.text("auto_pad", "NOTSET") == Ok("NOTSET") {
            true => [said[axis], said[axis + windows.size.len()]],
            false if all => windows.pad[axis],
            false => [0, 0],
        };
        let counted: Vec<Vec<i64>> = (0..extents.len())
            .map(|axis| counts(&windows, axis, extents[axis], padded(axis)))
            .collect();
        let whole: i64 = windows.size.iter().product();
        let (rows, columns) = match &counted[..] {
            [rows, columns] => (rows.clone(), columns.clone()),
            [rows] => (rows.clone(), vec![1]),
            _ => return Err("windows over so many axes are not supported".into()),
        };
        let factors: Vec<f32> = rows
            .iter()
            .flat_map(|row| columns.iter().map(move |column| whole as f32 / (row * column) as f32))
            .collect();
        if factors.iter().all(|&factor| factor == 1.0) {
            return Ok(made);
        }
        let mut dims: Vec<usize> = counted.iter().map(Vec::len).collect();
        dims.push(1);
        let factors = self.weight_node(Weight::new(Constant::of_floats(dims, factors)))?;
        let form = NetForm::Infix("*", CallSetting::Arg(0), CallSetting::Arg(1));
        let scaled = self.same_place(&made, form, ElementKind::Float);
        self.net.nodes[scaled.id].args.push(factors);
        Ok(scaled)
    }

    /// The input and windows of a pooling.
    fn windows(&mut self, node: &NodeReader<'a>) -> Made<(Placed, PlacedWindows)> {
        let x = self.tensor(node, 0)?;
        if x.kind != ElementKind::Float {
            return Err("it is for floats alone".into());
        }
        channels(&x)?;
        let size = node.ints("kernel_shape")?.ok_or("it has no `kernel_shape`")?;
        let windows = PlacedWindows::read(node, &spatial(&x)?, size)?;
        Ok((x, windows))
    }

    fn pooled(&mut self, x: &Placed, callee: &str, windows: &PlacedWindows) -> Made<Placed> {
        if windows.size.iter().product::<i64>() > 256 && callee == "max_pool" {
            return Err("a window has more than 256 elements".into());
        }
        let dims = windows.made(x.dims[0], channels(x)?);
        let x = self.as_images(x)?;
        let mut settings: CallSettings = vec![(None, CallSetting::ints(&windows.size))];
        let mut own = windows.settings(&windows.size);
        own.retain(|(name, _)| *name != Some("dilation") || callee == "max_pool");
        settings.extend(own);
        let shape = self.images_shape(&dims)?;
        let id = self.call(callee, vec![x.id], settings, shape, ElementKind::Float);
        Ok(self.of_images(id, dims))
    }

    /// The mean or the largest of each channel.
    pub(super) fn global_pool(&mut self, node: &NodeReader<'a>, callee: &str) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        channels(&x)?;
        if x.rank() < 3 || x.kind != ElementKind::Float {
            return Err("it has no axis to pool over".into());
        }
        let axes: Vec<usize> = (2..x.rank()).collect();
        self.reduced(&x, callee, &axes, true)
    }
}

/// How many elements of each window count along an axis.
fn counts(windows: &PlacedWindows, axis: usize, extent: i64, padded: [i64; 2]) -> Vec<i64> {
    let (first, last) = (-padded[0], extent + padded[1]);
    let start = |place: i64| place * windows.stride[axis] - windows.pad[axis][0];
    let window = |place| {
        let (from, to) = (start(place).max(first), (start(place) + windows.size[axis]).min(last));
        (to - from).max(1)
    };
    (0..windows.out[axis]).map(window).collect()
}

/// The extents that stay when axes go, or become one.
pub(super) fn without(x: &Placed, axes: &[usize], keep: bool) -> (Vec<SymbolicSize>, Vec<usize>) {
    if keep {
        let one = |(axis, &size): (usize, &SymbolicSize)| {
            if axes.contains(&axis) { SymbolicSize::ONE } else { size }
        };
        return (x.dims.iter().enumerate().map(one).collect(), x.order.clone());
    }
    let stays = |axis: &usize| !axes.contains(axis);
    let dims = (0..x.rank()).filter(stays).map(|axis| x.dims[axis]).collect();
    let fewer = |axis: usize| axis - axes.iter().filter(|&&gone| gone < axis).count();
    let order = x.order.iter().copied().filter(stays).map(fewer).collect();
    (dims, order)
}
