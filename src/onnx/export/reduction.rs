//! Reductions and products.

use super::build::{Exporter, element, int, ints};
use super::value::{Change, LaidOut, ValuePlace};
use crate::base::tensor::DType;
use crate::graph::{Dim, NodeId, Reduce};

impl Exporter<'_> {
    pub fn reduce(&mut self, arg: NodeId, reduce: Reduce, axes: &[usize]) -> LaidOut {
        let op = match reduce {
            Reduce::Sum => "ReduceSum",
            Reduce::Max => "ReduceMax",
            Reduce::Min => "ReduceMin",
        };
        let value = self.value(arg);
        let value = self.full(&value, self.shape(arg));
        self.reduced(&value, op, axes)
    }

    /// A reduction of a value over axes, which are removed.
    pub fn reduced(&mut self, value: &LaidOut, op: &str, axes: &[usize]) -> LaidOut {
        let value = match value.image {
            Some(_) => self.plain(value),
            None => value.clone(),
        };
        let places = value.places();
        let mut at: Vec<i64> = axes.iter().map(|&axis| places[axis] as i64).collect();
        at.sort_unstable();
        let kept: Vec<usize> = (0..value.shape.len()).filter(|axis| !axes.contains(axis)).collect();
        let order = value.axes.iter().filter_map(|axis| kept.iter().position(|it| it == axis));
        let order = order.collect();
        let shape = kept.iter().map(|&axis| value.shape[axis]).collect();
        let name = self.named(&value);
        let place = ValuePlace::Named(self.reduction(op, name, at));
        LaidOut { place, shape, axes: order, image: None }
    }

    /// The node of a reduction; its axes are an input or, before some version, an attribute.
    fn reduction(&mut self, op: &str, name: String, axes: Vec<i64>) -> String {
        if self.opset >= 18 || op == "ReduceSum" {
            let axes = self.ints(&axes);
            return self.emit(op, &[name, axes], vec![int("keepdims", 0)]);
        }
        self.emit(op, &[name], vec![ints("axes", axes), int("keepdims", 0)])
    }

    /// `mean((x − mean(x))²)`.
    pub fn variance(&mut self, arg: NodeId, axes: &[usize]) -> LaidOut {
        let value = self.value(arg);
        let value = self.full(&value, self.shape(arg));
        let mean = self.reduced(&value, "ReduceMean", axes);
        let kept: Vec<Dim> = (0..value.shape.len())
            .map(|axis| if axes.contains(&axis) { Dim::Known(1) } else { value.shape[axis] })
            .collect();
        let mean = self.plain(&mean);
        let place = self.reshaped_place(&mean.place, &mean.shape, &kept);
        let mean = LaidOut::plain(place, kept);
        let rank = value.shape.len();
        let square = self.elementwise_of(rank, vec![value, mean], |it, names| {
            let centred = it.emit("Sub", names, Vec::new());
            it.emit("Mul", &[centred.clone(), centred], Vec::new())
        });
        self.reduced(&square, "ReduceMean", axes)
    }

    /// The index of the first largest element.
    pub fn argmax(&mut self, id: NodeId, axis: usize) -> LaidOut {
        let arg = self.node(id).args[0];
        let value = self.value(arg);
        let value = self.full(&value, self.shape(arg));
        let value = if value.image.is_some() { self.plain(&value) } else { value };
        let at = value.places()[axis] as i64;
        let name = self.named(&value);
        let index = self.emit("ArgMax", &[name], vec![int("axis", at), int("keepdims", 0)]);
        let index = self.emit("Cast", &[index], vec![int("to", i64::from(element(DType::I32)))]);
        let later = |other: usize| other - usize::from(other > axis);
        let order = value.axes.iter().filter(|&&other| other != axis).map(|&other| later(other));
        let axes = order.collect();
        LaidOut {
            place: ValuePlace::Named(index),
            shape: self.shape(id).to_vec(),
            axes,
            image: None,
        }
    }

    /// `a @ b` over the last two axes. Axes before them may be broadcast.
    pub fn matmul(&mut self, id: NodeId, transposed: [bool; 2]) -> LaidOut {
        let args = &self.node(id).args;
        let values = [0, 1].map(|at| self.factor(args[at], transposed[at]));
        self.product(values)
    }

    /// An argument of a product, as `[.., m, k]` or `[.., k, n]`.
    fn factor(&mut self, arg: NodeId, transposed: bool) -> LaidOut {
        let value = self.value(arg);
        let rank = self.shape(arg).len();
        let whole = value.shape.len() >= 2
            && value.shape[value.shape.len() - 2..] == self.shape(arg)[rank - 2..];
        let value = if whole { value } else { self.full(&value, self.shape(arg)) };
        if !transposed {
            return value;
        }
        let mut order: Vec<usize> = (0..value.shape.len()).collect();
        order.swap(value.shape.len() - 2, value.shape.len() - 1);
        self.relabelled(&value, &order)
    }

    /// The product of two factors. Features that stand as their image does meet rows of a stored matrix
    /// in the same order.
    fn product(&mut self, [a, b]: [LaidOut; 2]) -> LaidOut {
        let (a, b) = self.facing(a, b);
        let (m, n) = (a.shape[a.shape.len() - 2], b.shape[b.shape.len() - 1]);
        let mut shape = super::value::broadcast(&[
            &a.shape[..a.shape.len() - 2],
            &b.shape[..b.shape.len() - 2],
        ]);
        shape.extend([m, n]);
        let names = [self.named(&a), self.named(&b)];
        LaidOut::plain(ValuePlace::Named(self.emit("MatMul", &names, Vec::new())), shape)
    }

    /// The factors with one order of what is added up, and all other axes in the graph's order.
    pub fn facing(&mut self, a: LaidOut, b: LaidOut) -> (LaidOut, LaidOut) {
        let rows = match (&a.image, &b.place, b.shape.as_slice()) {
            (Some(image), ValuePlace::Stored(stored, changes), [_, Dim::Known(units)]) => {
                Some((*image, stored.clone(), changes.clone(), *units))
            }
            _ => None,
        };
        let Some(([h, w, c], stored, mut changes, units)) = rows else {
            return (self.plain(&a), self.plain(&b));
        };
        if !b.is_plain() {
            changes.push(Change::Transpose(vec![1, 0]));
        }
        changes.push(Change::Reshape(vec![h, w, c, units]));
        changes.push(Change::Transpose(vec![2, 0, 1, 3]));
        changes.push(Change::Reshape(vec![h * w * c, units]));
        let b = LaidOut::plain(ValuePlace::Stored(stored, changes), b.shape);
        (LaidOut { image: None, ..a }, b)
    }
}
