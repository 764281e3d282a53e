//! Borders: of a number, or of entries of the value itself.
//!
//! ```text
//! Pad(x, [0, 1, 0, 2])                 pad(x, [0, [1, 2]])
//! Pad(x: [N, 4], [0, 2, 0, 1], reflect)  gather(x, [2, 1, 0, 1, 2, 3, 2], axis: 1)
//! ```

use super::Translator;
use crate::onnx::import::constant::{Constant, ElementKind};
use crate::onnx::import::known::Made;
use crate::onnx::import::net::CallSetting;
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::{Placed, axis_of};

/// Entries along an axis with its borders.
const LONGEST: i64 = 1 << 22;

impl<'a> Translator<'a> {
    pub(super) fn pad(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        let x = self.unshuffled(&x)?;
        let pads = self.known.listed(node, "pads", 1)?.ok_or("it has no `pads`")?;
        let mode = node.text("mode", "constant")?;
        let axes = match self.known.optional_constant(node, 3)? {
            None => (0..x.rank()).collect(),
            Some(axes) => {
                let axes = axes.ints(&self.known.stored);
                axes.iter().map(|&axis| axis_of(axis, x.rank())).collect::<Made<Vec<_>>>()?
            }
        };
        let sensible = pads.iter().all(|pad| pad.abs() < LONGEST);
        if pads.len() != 2 * axes.len() || !sensible {
            return Err("its padding does not fit its input".into());
        }
        let mut amounts = vec![[0, 0]; x.rank()];
        for (at, &axis) in axes.iter().enumerate() {
            amounts[axis] = [pads[at], pads[at + axes.len()]];
        }
        if mode != "constant" {
            node.input(2);
            return self.bordered(&x, &amounts, mode);
        }
        let fill = match self.known.optional_constant(node, 2)? {
            Some(fill) if node.attribute("value").is_none() => {
                self.literal(&fill).ok_or("it pads with something else than a number")?
            }
            _ => node.float("value", 0.0)?,
        };
        if x.kind != ElementKind::Float {
            return Err(format!("it is not for values of the type {}", x.kind.word()));
        }
        self.padded(&x, &amounts, fill)
    }

    /// Numbers before and after each axis of the graph.
    fn padded(&mut self, x: &Placed, amounts: &[[i64; 2]], fill: f64) -> Made<Placed> {
        let mut x = x.clone();
        let mut amounts = amounts.to_vec();
        for (axis, [before, after]) in amounts.iter_mut().enumerate() {
            if *before < 0 || *after < 0 {
                let extent = x.dims[axis].number().ok_or("it cuts the axis of the batch")?;
                x = self.range(&x, axis, (-*before).max(0), extent + (*after).min(0))?;
                (*before, *after) = ((*before).max(0), (*after).max(0));
            }
        }
        if amounts.iter().all(|amount| *amount == [0, 0]) {
            return Ok(x);
        }
        let mut dims = x.dims.clone();
        for (axis, [before, after]) in amounts.iter().enumerate() {
            if dims[axis].has_batch() && (*before, *after) != (0, 0) {
                return Err("it pads the axis of the batch".into());
            }
            let more = before.checked_add(*after).map(SymbolicSize::known);
            dims[axis] = more.and_then(|more| dims[axis].add(more)).ok_or("it pads too much")?;
        }
        let entry = |axis: &usize| match amounts[*axis] {
            [before, after] if before == after => CallSetting::Int(before),
            both => CallSetting::list(&both),
        };
        let lead = (0..self.leading()).map(|_| CallSetting::Int(0));
        let list = lead.chain(x.order.iter().map(entry)).collect();
        let mut settings = vec![(None, CallSetting::List(list))];
        if fill != 0.0 {
            settings.push((Some("value"), CallSetting::Float(fill)));
        }
        let shape = self.shape(&dims, &x.order);
        let id = self.call("pad", vec![x.id], settings, shape, x.kind);
        Ok(Placed { id, dims, ..x })
    }

    /// Entries of the value itself before and after each axis of the graph.
    fn bordered(&mut self, x: &Placed, amounts: &[[i64; 2]], mode: &str) -> Made<Placed> {
        let mut made = x.clone();
        for (axis, [before, after]) in amounts.iter().enumerate() {
            if (*before, *after) == (0, 0) {
                continue;
            }
            let extent = x.dims[axis].number().ok_or("it pads the axis of the batch")?;
            if extent + before + after < 1 || extent > LONGEST {
                return Err("its padding does not fit its input".into());
            }
            let turn = 2 * (extent - 1).max(1);
            let place = |at: i64| match mode {
                "reflect" if extent == 1 => Ok(0),
                "reflect" => Ok((extent - 1) - ((extent - 1) - at.rem_euclid(turn)).abs()),
                "edge" => Ok(at.clamp(0, extent - 1)),
                "wrap" => Ok(at.rem_euclid(extent)),
                other => Err(format!("the mode `{other}` is not known")),
            };
            let places = (-before..extent + after).map(place).collect::<Made<Vec<i64>>>()?;
            let index = Constant::of_ints(vec![places.len()], places);
            made = self.entries(&made, axis, &index)?;
        }
        Ok(made)
    }
}
