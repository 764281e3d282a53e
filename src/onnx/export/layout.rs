//! Changes of how a value stands in the model: its axes turned, its shape, its broadcasts made.

use super::build::{Exporter, ints};
use super::value::{Change, LaidOut, ValuePlace, inverse};
use crate::base::entity::Entity;
use crate::graph::{Dim, NodeId};

/// The order of an image's axes in the model: `[n, c, h, w]`, of the graph's `[n, h, w, c]`.
pub(super) const CHANNELS_FIRST: [usize; 4] = [0, 3, 1, 2];

impl Exporter<'_> {
    /// A lowered value.
    pub fn value(&self, node: NodeId) -> LaidOut {
        self.values[node.index()].clone().expect("arguments are lowered before their use")
    }

    /// A lowered value with the graph's axes in the graph's order.
    pub fn plain(&mut self, value: &LaidOut) -> LaidOut {
        let value = self.unfolded(value);
        let axes = (0..value.shape.len()).collect::<Vec<_>>();
        self.turned(&value, &axes)
    }

    /// The same value with its features in the graph's order.
    fn unfolded(&mut self, value: &LaidOut) -> LaidOut {
        let Some([h, w, c]) = value.image else { return value.clone() };
        let rows = value.shape[0];
        let first = image_shape(rows, [c, h, w]);
        let image = self.reshaped_place(&value.place, &value.shape, &first);
        let turned = self.transposed_place(&image, &first, &[0, 2, 3, 1]);
        let place = self.reshaped_place(&turned, &image_shape(rows, [h, w, c]), &value.shape);
        LaidOut::plain(place, value.shape.clone())
    }

    /// The same value with its axes in another order.
    pub fn turned(&mut self, value: &LaidOut, axes: &[usize]) -> LaidOut {
        let value = &self.unfolded(value);
        if value.axes == axes {
            return value.clone();
        }
        let places = value.places();
        let order: Vec<usize> = axes.iter().map(|&axis| places[axis]).collect();
        let place = self.transposed_place(&value.place, &value.extents(), &order);
        LaidOut { place, shape: value.shape.clone(), axes: axes.to_vec(), image: None }
    }

    /// The elements at a place with the axes of the model in another order. Where only axes of one
    /// element move, nothing else does.
    fn transposed_place(
        &mut self,
        place: &ValuePlace,
        dims: &[Dim],
        order: &[usize],
    ) -> ValuePlace {
        let result: Vec<Dim> = order.iter().map(|&axis| dims[axis]).collect();
        let moved: Vec<usize> =
            order.iter().copied().filter(|&axis| dims[axis] != Dim::Known(1)).collect();
        if moved.is_sorted() {
            return self.reshaped_place(place, dims, &result);
        }
        match place {
            ValuePlace::Stored(stored, changes) => {
                let mut changes = changes.clone();
                changes.push(Change::Transpose(order.to_vec()));
                ValuePlace::Stored(stored.clone(), changes)
            }
            ValuePlace::Named(name) => {
                let key = (name.clone(), format!("order {order:?}"));
                if let Some(made) = self.views.get(&key) {
                    return ValuePlace::Named(made.clone());
                }
                let perm = order.iter().map(|&axis| axis as i64).collect();
                let made =
                    self.emit("Transpose", std::slice::from_ref(name), vec![ints("perm", perm)]);
                self.views.insert(key, made.clone());
                ValuePlace::Named(made)
            }
        }
    }

    /// The elements at a place in another shape.
    pub fn reshaped_place(&mut self, place: &ValuePlace, from: &[Dim], to: &[Dim]) -> ValuePlace {
        if from == to {
            return place.clone();
        }
        match place {
            ValuePlace::Stored(stored, changes) => {
                let mut changes = changes.clone();
                let known = |dim: &Dim| dim.known().expect("a stored tensor has no batch");
                let shape = to.iter().map(known).collect();
                if matches!(changes.last(), Some(Change::Reshape(_))) {
                    changes.pop();
                }
                changes.push(Change::Reshape(shape));
                ValuePlace::Stored(stored.clone(), changes)
            }
            ValuePlace::Named(name) => {
                let key = (name.clone(), format!("shape {to:?}"));
                if let Some(made) = self.views.get(&key) {
                    return ValuePlace::Named(made.clone());
                }
                // At most one extent is a multiple of the batch.
                let extent = |dim: &Dim| dim.known().map_or(-1, |extent| extent as i64);
                let shape: Vec<i64> = to.iter().map(extent).collect();
                let shape = self.ints(&shape);
                let source = self.reshape_source(name);
                let made = self.emit("Reshape", &[source, shape], Vec::new());
                self.views.insert(key, made.clone());
                ValuePlace::Named(made)
            }
        }
    }

    /// The value that a reshape reads, where this value is one: two in a row are one.
    fn reshape_source(&self, name: &str) -> String {
        let made = self.onnx.nodes.iter().rev().find(|node| node.outputs[0] == name);
        match made {
            Some(node) if node.op == "Reshape" => node.inputs[0].clone(),
            _ => name.to_owned(),
        }
    }

    /// The value with this shape, of which it may have a part that is broadcast.
    pub fn full(&mut self, value: &LaidOut, shape: &[Dim]) -> LaidOut {
        if value.shape == shape {
            return value.clone();
        }
        let value = self.ranked(value, shape.len());
        if value.shape == shape {
            return value;
        }
        let dims: Vec<Dim> = value.axes.iter().map(|&axis| shape[axis]).collect();
        let (name, dims) = (self.named(&value), self.shape_value(&dims));
        let place = ValuePlace::Named(self.emit("Expand", &[name, dims], Vec::new()));
        LaidOut { place, shape: shape.to_vec(), ..value }
    }

    /// The value with as many axes, new ones of one element in front.
    pub fn ranked(&mut self, value: &LaidOut, rank: usize) -> LaidOut {
        if value.shape.len() == rank {
            return value.clone();
        }
        let value = self.plain(value);
        let mut shape = vec![Dim::Known(1); rank - value.shape.len()];
        shape.extend(&value.shape);
        let place = self.reshaped_place(&value.place, &value.shape, &shape);
        LaidOut::plain(place, shape)
    }

    /// A node's value with the shape and the order of axes that the graph says.
    pub fn whole(&mut self, node: NodeId) -> LaidOut {
        let value = self.value(node);
        let value = self.full(&value, self.shape(node));
        self.plain(&value)
    }

    /// The name of that value.
    pub fn whole_name(&mut self, node: NodeId) -> String {
        let value = self.whole(node);
        self.named(&value)
    }

    /// An image with its channels first.
    pub fn image(&mut self, node: NodeId) -> LaidOut {
        let value = self.value(node);
        let value = self.full(&value, self.shape(node));
        self.turned(&value, &CHANNELS_FIRST)
    }

    /// A value of axes given in another order, as a value of the graph: axis `i` of the result is axis
    /// `order[i]` of `value`. Nothing moves.
    pub fn relabelled(&mut self, value: &LaidOut, order: &[usize]) -> LaidOut {
        let value = self.ranked(value, order.len());
        let value = match value.image {
            Some(_) => self.plain(&value),
            None => value,
        };
        let at = inverse(order);
        LaidOut {
            shape: order.iter().map(|&axis| value.shape[axis]).collect(),
            axes: value.axes.iter().map(|&axis| at[axis]).collect(),
            place: value.place,
            image: None,
        }
    }
}

fn image_shape(rows: Dim, [a, b, c]: [usize; 3]) -> Vec<Dim> {
    vec![rows, Dim::Known(a), Dim::Known(b), Dim::Known(c)]
}
