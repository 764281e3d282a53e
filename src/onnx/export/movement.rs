//! Operators that move elements: reshapes, slices, joins, borders, and places named by data.

use super::build::{Exporter, int};
use super::value::LaidOut;
use super::value::ValuePlace;
use crate::graph::{Dim, NodeId, Range};

impl Exporter<'_> {
    /// The same elements in another shape. Axes of one element come and go in any layout; images become
    /// features where they are; for all else, elements stand in the graph's order.
    pub fn reshape(&mut self, arg: NodeId, shape: &[Dim]) -> LaidOut {
        let value = self.value(arg);
        let value = self.full(&value, self.shape(arg));
        self.reshaped(&value, shape)
    }

    /// The same of a value.
    pub fn reshaped(&mut self, value: &LaidOut, shape: &[Dim]) -> LaidOut {
        if value.shape == shape {
            return value.clone();
        }
        if value.image.is_none() {
            if let Some(axes) = unit_axes(value, shape) {
                let dims: Vec<Dim> = axes.iter().map(|&axis| shape[axis]).collect();
                let place = self.reshaped_place(&value.place, &value.extents(), &dims);
                return LaidOut { place, shape: shape.to_vec(), axes, image: None };
            }
            if let Some(image) = flattened(value, shape) {
                let place = self.reshaped_place(&value.place, &value.extents(), shape);
                let image = Some(image);
                return LaidOut { image, ..LaidOut::plain(place, shape.to_vec()) };
            }
        }
        let value = self.plain(value);
        let place = self.reshaped_place(&value.place, &value.shape, shape);
        LaidOut::plain(place, shape.to_vec())
    }

    pub fn slice(&mut self, arg: NodeId, ranges: &[Range]) -> LaidOut {
        let value = self.value(arg);
        let mut value = self.full(&value, self.shape(arg));
        if value.image.is_some() {
            value = self.plain(&value);
        }
        let places = value.places();
        let [mut starts, mut ends, mut axes, mut steps] = [const { Vec::new() }; 4];
        for (axis, range) in ranges.iter().enumerate() {
            let Some(len) = range.len.filter(|_| *range != Range::ALL) else {
                if range.step < 0 {
                    // The whole axis, backwards.
                    starts.push(-1);
                    ends.push(i64::MIN);
                    axes.push(places[axis] as i64);
                    steps.push(range.step as i64);
                }
                continue;
            };
            let end = range.start as i64 + len as i64 * range.step as i64;
            starts.push(range.start as i64);
            ends.push(if end < 0 { i64::MIN } else { end });
            axes.push(places[axis] as i64);
            steps.push(range.step as i64);
            value.shape[axis] = Dim::Known(len);
        }
        let mut inputs = vec![self.named(&value)];
        for numbers in [&starts, &ends, &axes, &steps] {
            inputs.push(self.ints(numbers));
        }
        value.place = ValuePlace::Named(self.emit("Slice", &inputs, Vec::new()));
        value
    }

    pub fn concat(&mut self, id: NodeId, axis: usize) -> LaidOut {
        let node = self.node(id);
        let mut values = Vec::new();
        for &arg in &node.args {
            let value = self.value(arg);
            let value = self.full(&value, self.shape(arg));
            values.push(if value.image.is_some() { self.plain(&value) } else { value });
        }
        let values = self.aligned(node.ty.shape.rank(), values);
        let names: Vec<String> = values.iter().map(|value| self.named(value)).collect();
        let at = values[0].places()[axis] as i64;
        let place = ValuePlace::Named(self.emit("Concat", &names, vec![int("axis", at)]));
        LaidOut { place, shape: node.ty.shape.to_vec(), ..values[0].clone() }
    }

    pub fn pad(&mut self, arg: NodeId, amounts: &[(usize, usize)], with: f64) -> LaidOut {
        let value = self.value(arg);
        let mut value = self.full(&value, self.shape(arg));
        if value.image.is_some() {
            value = self.plain(&value);
        }
        let before = value.axes.iter().map(|&axis| amounts[axis].0 as i64);
        let after = value.axes.iter().map(|&axis| amounts[axis].1 as i64);
        let pads: Vec<i64> = before.chain(after).collect();
        let dtype = self.node(arg).ty.dtype;
        let inputs = [self.named(&value), self.ints(&pads), self.scalar(with, dtype)];
        value.place = ValuePlace::Named(self.emit("Pad", &inputs, Vec::new()));
        for (dim, (before, after)) in value.shape.iter_mut().zip(amounts) {
            *dim = dim.add(Dim::Known(before + after)).unwrap_or(*dim);
        }
        value
    }

    /// The element of each row that its index names.
    pub fn pick(&mut self, id: NodeId) -> LaidOut {
        let args = &self.node(id).args;
        let (x, index) = (self.whole_name(args[0]), self.whole(args[1]));
        let mut dims = index.shape.clone();
        dims.push(Dim::Known(1));
        let place = self.reshaped_place(&index.place, &index.shape, &dims);
        let index = self.named(&LaidOut::plain(place, dims.clone()));
        let picked = self.emit("GatherElements", &[x, index], vec![int("axis", -1)]);
        let shape = self.shape(id).to_vec();
        let place = self.reshaped_place(&ValuePlace::Named(picked), &dims, &shape);
        LaidOut::plain(place, shape)
    }

    pub fn gather(&mut self, id: NodeId, axis: usize) -> LaidOut {
        let args = &self.node(id).args;
        let inputs = [self.whole_name(args[0]), self.whole_name(args[1])];
        let place = ValuePlace::Named(self.emit("Gather", &inputs, vec![int("axis", axis as i64)]));
        LaidOut::plain(place, self.shape(id).to_vec())
    }
}

/// The order of axes in the model of a value in a shape that has other axes of one element; none where
/// more is different.
fn unit_axes(value: &LaidOut, shape: &[Dim]) -> Option<Vec<usize>> {
    let unit = Dim::Known(1);
    let first = value.shape.first() == shape.first();
    // A first axis that stays is one with the others, whatever its extent.
    let counts = |dims: &[Dim]| -> Vec<usize> {
        let kept = |&axis: &usize| dims[axis] != unit || (first && axis == 0);
        (0..dims.len()).filter(kept).collect()
    };
    let (old, new) = (counts(&value.shape), counts(shape));
    let extents = |dims: &[Dim], axes: &[usize]| -> Vec<Dim> {
        axes.iter().map(|&axis| dims[axis]).collect()
    };
    if extents(&value.shape, &old) != extents(shape, &new) {
        return None;
    }
    let renamed = |axis: &usize| old.iter().position(|it| it == axis).map(|at| new[at]);
    let mut axes: Vec<usize> = value.axes.iter().filter_map(renamed).collect();
    // Each new axis of one element stands before the axis that follows it in the graph.
    for axis in (0..shape.len()).rev().filter(|axis| !new.contains(axis)) {
        let at = axes.iter().position(|&it| it == axis + 1).unwrap_or(axes.len());
        axes.insert(at, axis);
    }
    Some(axes)
}

/// The image that features were: of `[n, h, w, c]` with its channels first, all but the first axis in
/// one.
fn flattened(value: &LaidOut, shape: &[Dim]) -> Option<[usize; 3]> {
    let [Dim::Known(h), Dim::Known(w), Dim::Known(c)] = value.shape.get(1..)? else { return None };
    let one = shape.len() == 2 && shape[0] == value.shape[0];
    (one && value.axes == super::layout::CHANNELS_FIRST).then_some([*h, *w, *c])
}
