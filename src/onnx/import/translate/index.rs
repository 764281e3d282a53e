//! Parts of values: slices, entries, rows of tables.

use super::Translator;
use crate::onnx::import::constant::{Constant, ElementKind};
use crate::onnx::import::fold::{places, reshape_target, slice_axes};
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, IndexEntry, NetForm, NetId, Weight};
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::{GraphValue, Placed, axis_of};

/// Elements of an axis of which entries are taken one by one.
const LONGEST: i64 = 1 << 22;

impl<'a> Translator<'a> {
    pub(super) fn slice(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        let mut x = self.unshuffled(&x)?;
        let missing = "where it begins or ends is computed";
        let (starts, ends) = (
            self.known.listed(node, "starts", 1)?.ok_or(missing)?,
            self.known.listed(node, "ends", 2)?.ok_or(missing)?,
        );
        let (axes, steps) = slice_axes(node, &self.known, [starts.len(), ends.len()])?
            .ok_or("its starts, ends, axes and steps are not as many")?;
        for (at, &axis) in axes.iter().enumerate() {
            let axis = axis_of(axis, x.rank())?;
            let Some(extent) = x.dims[axis].number() else {
                if starts[at] == 0 && ends[at] >= i64::from(i32::MAX) && steps[at] == 1 {
                    continue;
                }
                return Err("it cuts the axis of the batch".into());
            };
            let bound = |value: i64| {
                let value = if value < 0 { value.saturating_add(extent) } else { value };
                value.clamp(0, extent)
            };
            x = match steps[at] {
                1 => self.range(&x, axis, bound(starts[at]), bound(ends[at]))?,
                _ if extent > LONGEST => return Err("it takes steps along too long an axis".into()),
                step => self.taken(&x, axis, &places(starts[at], ends[at], step, extent)?)?,
            };
        }
        Ok(x)
    }

    /// Entries of an axis of the graph at places that are known, in their order.
    fn taken(&mut self, x: &Placed, axis: usize, places: &[i64]) -> Made<Placed> {
        let Some((&first, &last)) = places.first().zip(places.last()) else {
            return Err("nothing is left of what it cuts".into());
        };
        let step = places.get(1).map_or(1, |second| second - first);
        let even = places.windows(2).all(|pair| pair[1] - pair[0] == step);
        if even && step == 1 {
            return self.range(x, axis, first, last + 1);
        }
        if even
            && step > 1
            && let Some(made) = self.every(x, axis, (first, last + 1), step)?
        {
            return Ok(made);
        }
        let index = match even {
            true => self.counted(first, step, places.len()),
            false => self.index_value(&Constant::of_ints(vec![places.len()], places.to_vec()))?,
        };
        let mut dims = x.dims.clone();
        dims[axis] = SymbolicSize::known(places.len() as i64);
        let shape = self.shape(&dims, &x.order);
        let place = (x.place(axis) + self.leading()) as i64;
        let settings = vec![(Some("axis"), CallSetting::Int(place))];
        let id = self.call("gather", vec![x.id, index], settings, shape, x.kind);
        Ok(Placed { id, dims, ..x.clone() })
    }

    /// Whole numbers in equal steps: `7 - iota(8)`.
    fn counted(&mut self, first: i64, step: i64, count: usize) -> NetId {
        let shape = vec![SymbolicSize::known(count as i64)];
        let settings = vec![(None, CallSetting::Int(count as i64))];
        let iota = self.call("iota", Vec::new(), settings, shape.clone(), ElementKind::Int);
        let counted = Placed::plain(iota, ElementKind::Int, shape);
        let mut infix = |x: &Placed, sign, left, right| {
            self.same_place(x, NetForm::Infix(sign, left, right), ElementKind::Int)
        };
        let (arg, number) = (CallSetting::Arg(0), CallSetting::Int(first));
        match step {
            -1 => infix(&counted, "-", number, arg).id,
            _ => {
                let wide = infix(&counted, "*", arg.clone(), CallSetting::Int(step));
                infix(&wide, "+", number, arg).id
            }
        }
    }

    /// Every so many entries of an axis: the axis in two, and one entry of the second; none where that
    /// does not divide it.
    fn every(
        &mut self,
        x: &Placed,
        axis: usize,
        (from, to): (i64, i64),
        step: i64,
    ) -> Made<Option<Placed>> {
        let extent = x.dims[axis].number().ok_or("it cuts the axis of the batch")?;
        let count = (to - from + step - 1).max(0) / step;
        // Whole turns, the last of which may begin before the first entry.
        let first = (extent - count * step).min(from);
        if first < 0 || from - first >= step {
            return Ok(None);
        }
        let part = self.range(x, axis, first, first + count * step)?;
        let mut apart = part.dims.clone();
        apart.splice(axis..=axis, [SymbolicSize::known(count), SymbolicSize::known(step)]);
        let apart = self.reshaped(&part, apart)?;
        let apart = self.unshuffled(&apart)?;
        let (dims, order) = super::pool::without(&apart, &[axis + 1], false);
        self.indexed(&apart, axis + 1, IndexEntry::At(from - first), dims, order).map(Some)
    }

    /// The part of a value between two places of an axis of the graph.
    pub(super) fn range(&mut self, x: &Placed, axis: usize, from: i64, to: i64) -> Made<Placed> {
        if from >= to {
            return Err("nothing is left of what it cuts".into());
        }
        if x.dims[axis] == SymbolicSize::known(to - from) {
            return Ok(x.clone());
        }
        let mut dims = x.dims.clone();
        dims[axis] = SymbolicSize::known(to - from);
        self.indexed(x, axis, IndexEntry::Range(from, to), dims, x.order.clone())
    }

    fn indexed(
        &mut self,
        x: &Placed,
        axis: usize,
        entry: IndexEntry,
        dims: Vec<SymbolicSize>,
        order: Vec<usize>,
    ) -> Made<Placed> {
        let place = x.place(axis) + self.leading();
        let mut entries = vec![IndexEntry::All; x.rank() + self.leading()];
        entries[place] = entry;
        let shape = self.shape(&dims, &order);
        let id = self.net.add(NetForm::Index(entries), vec![x.id], shape, x.kind);
        Ok(Placed { id, kind: x.kind, dims, order, shuffle: None, rows: None })
    }

    pub(super) fn split(&mut self, node: &NodeReader<'a>) -> Made<Vec<GraphValue>> {
        let x = self.tensor(node, 0)?;
        let x = self.unshuffled(&x)?;
        let axis = axis_of(node.int("axis", 0)?, x.rank())?;
        let extent = x.dims[axis].number().ok_or("it cuts the axis of the batch")?;
        let count = node.node.outputs.len() as i64;
        let count = node.int("num_outputs", count)?;
        let parts = match self.known.listed(node, "split", 1)? {
            Some(parts) => parts,
            None if count < 1 || count > extent => return Err("it makes too many parts".into()),
            None => {
                let part = (extent + count - 1) / count;
                let end = |part_index: i64| (part_index * part).min(extent);
                (0..count).map(|index| end(index + 1) - end(index)).collect()
            }
        };
        let total = parts.iter().try_fold(0i64, |sum, &part| sum.checked_add(part));
        if parts.iter().any(|&part| part < 1) || total != Some(extent) {
            return Err(format!("the parts {parts:?} are not those of {extent}"));
        }
        let (mut made, mut from) = (Vec::new(), 0);
        for part in parts {
            made.push(GraphValue::Tensor(self.range(&x, axis, from, from + part)?));
            from += part;
        }
        Ok(made)
    }

    pub(super) fn gather(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let (data, indices) = (self.known.value(node, 0)?, self.known.value(node, 1)?);
        let axis = node.int("axis", 0)?;
        match (data, indices) {
            (GraphValue::Constant(table), GraphValue::Tensor(index)) => {
                let axis = axis_of(axis, table.dims.len())?;
                if axis != 0 || table.dims.len() != 2 || table.kind != ElementKind::Float {
                    return Err("it takes entries of a constant that is no table of rows".into());
                }
                self.embedding(node, table, &index)
            }
            (GraphValue::Tensor(x), GraphValue::Constant(index)) => {
                let x = self.unshuffled(&x)?;
                let axis = axis_of(axis, x.rank())?;
                self.entries(&x, axis, &index)
            }
            (GraphValue::Tensor(_), GraphValue::Tensor(_)) => {
                Err("both its data and its indices are computed".into())
            }
            _ => Err("its indices are not known".into()),
        }
    }

    /// Rows of a table by whole numbers.
    fn embedding(
        &mut self,
        node: &NodeReader<'a>,
        table: Constant,
        index: &Placed,
    ) -> Made<Placed> {
        let index = self.unshuffled(index)?;
        if index.kind != ElementKind::Int || table.dims.contains(&0) {
            return Err("its indices are no whole numbers".into());
        }
        let (rows, width) = (table.dims[0] as i64, table.dims[1] as i64);
        let mut dims = index.dims.clone();
        dims.push(SymbolicSize::known(width));
        let order: Vec<usize> = index.order.iter().copied().chain([index.rank()]).collect();
        let shape = self.shape(&dims, &order);
        let settings = vec![(None, CallSetting::Int(rows)), (None, CallSetting::Int(width))];
        let weights = vec![Weight::new(table)];
        let id = self.layer(node, ("embedding", index.id), settings, shape, weights);
        Ok(Placed { id, kind: ElementKind::Float, dims, order, shuffle: None, rows: None })
    }

    /// All entries of a flattened value in order, in the shape of their numbers: a reshape, as PyTorch
    /// writes its views.
    fn all_entries(&mut self, x: &Placed, index: &Constant) -> Made<Placed> {
        let unfit = "it takes parts of the batch";
        let batch = self.known.batch.filter(|_| x.rank() == 1).ok_or(unfit)?;
        let count = x.dims[0].batches.checked_mul(batch).ok_or(unfit)?;
        let all = index.count() as i64 == count && x.dims[0].fixed == 0;
        if !all || !index.ints(&self.known.stored).into_iter().eq(0..count) {
            return Err(unfit.into());
        }
        let target = SymbolicSize::all_known(&index.dims);
        let dims = reshape_target(&x.dims, &target, true, self.known.batch)?;
        self.reshaped(x, dims)
    }

    /// Entries of a value along an axis, by numbers that are known.
    pub(super) fn entries(&mut self, x: &Placed, axis: usize, index: &Constant) -> Made<Placed> {
        let Some(extent) = x.dims[axis].number() else { return self.all_entries(x, index) };
        let values = index.ints(&self.known.stored);
        let counted: Vec<i64> =
            values.iter().map(|&at| if at < 0 { at.saturating_add(extent) } else { at }).collect();
        if counted.iter().any(|at| !(0..extent).contains(at)) || counted.is_empty() {
            return Err("an index is outside of what it indexes".into());
        }
        if index.dims.is_empty() {
            let (dims, order) = super::pool::without(x, &[axis], false);
            return self.indexed(x, axis, IndexEntry::At(counted[0]), dims, order);
        }
        let made = self.taken(x, axis, &counted)?;
        let mut dims = x.dims.clone();
        dims.splice(axis..=axis, SymbolicSize::all_known(&index.dims));
        self.reshaped(&made, dims)
    }
}
