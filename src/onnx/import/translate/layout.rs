//! Where the elements of values are: axes put in another order only where an operator asks for it.
//!
//! ```text
//! x: [N, 768, 14, 14] stored [N, 14, 14, 768]
//! Reshape to [N, 768, 196]   the last two axes are beside each other: one reshape, stored [N, 196, 768]
//! Transpose(0, 2, 1)         nothing: stored [N, 196, 768]
//! ```

use super::Translator;
use crate::onnx::import::constant::{Constant, ElementKind};
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, NetId, Weight};
use crate::onnx::import::size::{SymbolicSize, listed};
use crate::onnx::import::value::{Placed, Shuffle};

impl Translator<'_> {
    /// A value with its axes in this order.
    pub fn ordered(&mut self, value: &Placed, order: &[usize]) -> Made<Placed> {
        let value = self.unshuffled(value)?;
        if value.order == order {
            return Ok(value);
        }
        let shape = self.shape(&value.dims, order);
        let long = |axis: &&usize| value.dims[**axis] != SymbolicSize::ONE;
        let before: Vec<&usize> = value.order.iter().filter(long).collect();
        let after: Vec<&usize> = order.iter().filter(long).collect();
        let id = if before == after {
            // Only axes of one element move.
            self.reshape_node(value.id, shape, value.kind)
        } else {
            let lead = self.leading();
            let places = order.iter().map(|&axis| (value.place(axis) + lead) as i64);
            let places: Vec<i64> = (0..lead as i64).chain(places).collect();
            let settings = vec![(None, CallSetting::list(&places))];
            self.call("transpose", vec![value.id], settings, shape, value.kind)
        };
        Ok(Placed { id, order: order.to_vec(), ..value })
    }

    /// A value with its axes in the graph's order.
    pub fn plain(&mut self, value: &Placed) -> Made<Placed> {
        let order: Vec<usize> = (0..value.rank()).collect();
        self.ordered(value, &order)
    }

    /// A value each of whose axes is one of the program, in the graph's order.
    pub fn unshuffled(&mut self, value: &Placed) -> Made<Placed> {
        if value.rows.is_some() {
            return self.reshaped_now(&value.apart(), value.dims.clone());
        }
        let Some(Shuffle { dims, order }) = &value.shuffle else { return Ok(value.clone()) };
        let known = |&axis: &usize| SymbolicSize::known(dims[axis] as i64);
        let apart: Vec<SymbolicSize> =
            std::iter::once(value.dims[0]).chain(order.iter().map(known)).collect();
        let inner: Vec<SymbolicSize> = std::iter::once(value.dims[0])
            .chain((0..dims.len()).map(|axis| known(&axis)))
            .collect();
        let shape = self.with_lead(&apart);
        let id = self.reshape_node(value.id, shape, value.kind);
        let axes = std::iter::once(0).chain(order.iter().map(|axis| axis + 1)).collect();
        let apart =
            Placed { id, kind: value.kind, dims: inner, order: axes, shuffle: None, rows: None };
        let apart = self.plain(&apart)?;
        let shape = self.with_lead(&value.dims);
        let id = self.reshape_node(apart.id, shape, value.kind);
        Ok(Placed { id, shuffle: None, ..value.clone() })
    }

    pub fn with_lead(&self, dims: &[SymbolicSize]) -> Vec<SymbolicSize> {
        self.lead.then_some(SymbolicSize::N).into_iter().chain(dims.iter().copied()).collect()
    }

    /// The same elements in another shape of the program.
    pub fn reshape_node(
        &mut self,
        id: NetId,
        shape: Vec<SymbolicSize>,
        kind: ElementKind,
    ) -> NetId {
        if self.net.nodes[id].shape == shape {
            return id;
        }
        let settings = vec![(None, CallSetting::dims(&shape))];
        self.call("reshape", vec![id], settings, shape, kind)
    }

    /// A value in another shape of the graph.
    pub fn reshaped(&mut self, value: &Placed, dims: Vec<SymbolicSize>) -> Made<Placed> {
        if value.dims == dims {
            return Ok(value.clone());
        }
        if SymbolicSize::product(&value.dims).is_none()
            || SymbolicSize::product(&value.dims) != SymbolicSize::product(&dims)
        {
            let (from, to) = (listed(&value.dims), listed(&dims));
            return Err(format!("{from} has other elements than {to}"));
        }
        let value = self.unshuffled_columns(value)?.apart();
        let value = self.batch_apart(value, &dims)?;
        let groups = groups(&value.dims, &dims);
        if let Some(flat) = self.flattened(&value, &dims, &groups) {
            return Ok(flat);
        }
        let Some(count) = merged_rows(&dims, &groups) else {
            return self.reshaped_now(&value, dims);
        };
        // What becomes the rows stays apart where the program has it in another order, until something
        // asks for them, since a dense layer does not.
        let rows = value.dims[..count].to_vec();
        let apart = rows.iter().copied().chain([dims[1]]).collect();
        let apart = self.reshaped_now(&value, apart)?;
        match apart.order.is_sorted() || apart.order.last() != Some(&count) {
            true => self.reshaped_now(&apart, dims),
            false => Ok(Placed { dims, rows: Some(rows), ..apart }),
        }
    }

    /// A value that becomes rows and columns, where its axis of the batch holds some of the columns, too:
    /// `[6, 2 * N, 4]` as `[6, N, 2, 4]`, for rows of `[6, N]`.
    fn batch_apart(&mut self, value: Placed, dims: &[SymbolicSize]) -> Made<Placed> {
        let (&[rows, columns], Some(axis)) =
            (dims, value.dims.iter().position(|size| size.has_batch()))
        else {
            return Ok(value);
        };
        let SymbolicSize { fixed: 0, batches: inner @ 2.. } = value.dims[axis] else {
            return Ok(value);
        };
        let inner = SymbolicSize::known(inner);
        let mut apart = value.dims.clone();
        apart.splice(axis..=axis, [SymbolicSize::N, inner]);
        let fits = SymbolicSize::product(&apart[..=axis]) == Some(rows)
            && SymbolicSize::product(&apart[axis + 1..]) == Some(columns);
        match fits {
            true => self.reshaped_now(&value, apart),
            false => Ok(value),
        }
    }

    /// A value with what was flattened in the graph's order; its rows may be apart.
    fn unshuffled_columns(&mut self, value: &Placed) -> Made<Placed> {
        match value.rows.is_some() {
            true => Ok(value.clone()),
            false => self.unshuffled(value),
        }
    }

    /// A value in another shape of the graph, with all of its axes in the program.
    fn reshaped_now(&mut self, value: &Placed, dims: Vec<SymbolicSize>) -> Made<Placed> {
        let value = value.clone();
        let groups = groups(&value.dims, &dims);
        // The axes of a group beside each other, in the graph's order; those of one element anywhere.
        let long = |axis: &usize| value.dims[*axis] != SymbolicSize::ONE;
        let mut order: Vec<usize> = Vec::with_capacity(value.rank());
        let stored: Vec<usize> = value.order.iter().copied().filter(|axis| long(axis)).collect();
        for (at, axis) in stored.iter().enumerate() {
            // A group stands where its last axis did.
            let group = groups.iter().find(|(from, _)| from.contains(axis));
            match group {
                None => order.push(*axis),
                Some((from, _)) if !from.iter().any(|it| stored[at + 1..].contains(it)) => {
                    order.extend(from);
                }
                Some(_) => {}
            }
        }
        let is_moved = !value.order.iter().filter(|&axis| long(axis)).eq(&order);
        let value = match is_moved {
            true => {
                order.extend((0..value.rank()).filter(|axis| !long(axis)));
                self.ordered(&value, &order)?
            }
            false => value,
        };
        let mut order = Vec::with_capacity(dims.len());
        for axis in &value.order {
            let group = groups.iter().find(|(from, _)| from.first() == Some(axis));
            order.extend(group.into_iter().flat_map(|(_, to)| to.clone()));
        }
        // Axes of one element stand behind the axis that they follow in the graph.
        for axis in (0..dims.len()).filter(|&axis| dims[axis] == SymbolicSize::ONE) {
            let before = axis.checked_sub(1);
            let at = before.and_then(|before| order.iter().position(|&it| it == before));
            order.insert(at.map_or(0, |at| at + 1), axis);
        }
        let shape = self.shape(&dims, &order);
        let id = self.reshape_node(value.id, shape, value.kind);
        Ok(Placed { id, kind: value.kind, dims, order, shuffle: None, rows: None })
    }

    /// `[N, C, H, W]`, stored with the channels last, as `[N, F]` in the order in which it is stored.
    fn flattened(
        &mut self,
        value: &Placed,
        dims: &[SymbolicSize],
        groups: &[AxisGroup],
    ) -> Option<Placed> {
        let [(first, _), (_, to)] = groups else { return None };
        let last = to[..] == [1] && dims.len() == 2 && first[..] == [0] && value.order[0] == 0;
        let extents: Option<Vec<usize>> =
            value.dims[1..].iter().map(|size| usize::try_from(size.number()?).ok()).collect();
        let extents = extents?;
        let long: Vec<usize> = value
            .order
            .iter()
            .copied()
            .filter(|&axis| value.dims[axis] != SymbolicSize::ONE)
            .collect();
        if !last || long.is_sorted() || self.lead {
            return None;
        }
        let order = value.order[1..].iter().map(|axis| axis - 1).collect();
        let id = self.call("flatten", vec![value.id], Vec::new(), dims.to_vec(), value.kind);
        let flat = Placed::plain(id, value.kind, dims.to_vec());
        Some(Placed { shuffle: Some(Shuffle { dims: extents, order }), ..flat })
    }

    /// A value repeated along axes of one element, up to a shape.
    pub fn expanded(&mut self, value: &Placed, dims: Vec<SymbolicSize>) -> Made<Placed> {
        let dims = broadcast(&value.dims, &dims)?;
        if value.dims == dims {
            return Ok(value.clone());
        }
        if value.kind != ElementKind::Float {
            return Err("whole numbers and truth values are not repeated along an axis".into());
        }
        let rank = dims.len();
        let value = self.ranked(value, rank)?;
        let shape = self.shape(&dims, &value.order);
        let settings = vec![(None, CallSetting::dims(&shape))];
        let id = self.call("expand", vec![value.id], settings, shape, value.kind);
        Ok(Placed { id, dims, ..value })
    }

    /// A value with axes of one element before its own, up to a rank.
    pub fn ranked(&mut self, value: &Placed, rank: usize) -> Made<Placed> {
        let value = self.unshuffled(value)?;
        let more = rank.saturating_sub(value.rank());
        if more == 0 {
            return Ok(value);
        }
        let dims: Vec<SymbolicSize> =
            vec![SymbolicSize::ONE; more].into_iter().chain(value.dims.clone()).collect();
        let order = (0..more).chain(value.order.iter().map(|axis| axis + more)).collect::<Vec<_>>();
        let shape = self.shape(&dims, &order);
        let id = self.reshape_node(value.id, shape, value.kind);
        Ok(Placed { id, dims, order, ..value })
    }

    /// A constant that meets values with these axes, as an argument beside them.
    pub fn beside(&mut self, constant: &Constant, order: &[usize]) -> Made<NetId> {
        let more = order.len().checked_sub(constant.dims.len());
        let more = more.ok_or("a constant has more axes than what it meets")?;
        let dims: Vec<usize> =
            vec![1; more].into_iter().chain(constant.dims.iter().copied()).collect();
        let weight = Weight::new(constant.clone()).reshaped(dims).transposed(order);
        // Broadcasting puts axes of one element in front by itself.
        let first = weight.dims.iter().position(|&dim| dim != 1).unwrap_or(order.len());
        let dims = weight.dims[first..].to_vec();
        self.weight_node(weight.reshaped(if dims.is_empty() { vec![1] } else { dims }))
    }
}

/// Neighbouring axes with as many elements as neighbouring axes of another shape; axes of one element
/// aside.
type AxisGroup = (Vec<usize>, Vec<usize>);

/// The smallest groups of axes, from the front, that have as many elements in both shapes.
fn groups(from: &[SymbolicSize], to: &[SymbolicSize]) -> Vec<AxisGroup> {
    let long = |sizes: &[SymbolicSize]| -> Vec<usize> {
        (0..sizes.len()).filter(|&axis| sizes[axis] != SymbolicSize::ONE).collect()
    };
    let (left, right) = (long(from), long(to));
    let mut groups: Vec<AxisGroup> = Vec::new();
    let (mut at, mut into) = (0, 0);
    while at < left.len() && into < right.len() {
        let start = (at, into);
        let (mut a, mut b) = (from[left[at]], to[right[into]]);
        (at, into) = (at + 1, into + 1);
        while a != b {
            // An axis more on the side that has fewer elements.
            let (axes, next, product, sizes) = match less(a, b) {
                true => (&left, &mut at, &mut a, from),
                false => (&right, &mut into, &mut b, to),
            };
            match axes.get(*next).and_then(|&axis| product.mul(sizes[axis])) {
                Some(larger) => (*product, *next) = (larger, *next + 1),
                None => return vec![(left, right)],
            }
        }
        groups.push((left[start.0..at].to_vec(), right[start.1..into].to_vec()));
    }
    groups
}

/// How many axes become the first of two, if several do and the others become the second.
fn merged_rows(dims: &[SymbolicSize], groups: &[AxisGroup]) -> Option<usize> {
    let [(rows, first), (columns, second)] = groups else { return None };
    let count = rows.len();
    let fits = dims.len() == 2
        && first[..] == [0]
        && second[..] == [1]
        && count > 1
        && rows.iter().copied().eq(0..count)
        && columns.first() == Some(&count);
    fits.then_some(count)
}

/// Whether a product has still to grow to become another.
fn less(left: SymbolicSize, right: SymbolicSize) -> bool {
    match (left.has_batch(), right.has_batch()) {
        (false, true) => true,
        (true, false) => false,
        (true, true) => left.batches < right.batches,
        (false, false) => left.fixed < right.fixed,
    }
}

/// The shape of two values that meet, as NumPy has it.
pub(super) fn broadcast(a: &[SymbolicSize], b: &[SymbolicSize]) -> Made<Vec<SymbolicSize>> {
    let rank = a.len().max(b.len());
    let at = |dims: &[SymbolicSize], axis: usize| match (axis + dims.len()).checked_sub(rank) {
        Some(own) => dims[own],
        None => SymbolicSize::ONE,
    };
    let meet = |axis| match (at(a, axis), at(b, axis)) {
        (a, b) if a == b => Ok(a),
        (SymbolicSize::ONE, other) | (other, SymbolicSize::ONE) => Ok(other),
        _ => Err(format!("{} does not meet {}", listed(a), listed(b))),
    };
    (0..rank).map(meet).collect()
}
