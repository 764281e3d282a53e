//! The role of a node, from those of its arguments.
//!
//! ```text
//! log(softmax(output))                 Out(X − Total)
//! reshape, broadcast, cast of a value  that value, elsewhere
//! a convolution of the output          a value of its own: nothing more is known of it
//! ```

use super::form::{Atom, Form, close};
use super::meeting::By;
use super::range::Range;
use super::unary::unary;
use super::value::{Kind, Place, Value, chosen, is_bare, ranged, settled, without_last};
use super::walk::Walk;
use crate::base::tensor::DType;
use crate::graph::{Graph, NodeId, Op, Reduce};

/// The roles of all values of a graph whose output and target are these.
pub(super) fn walked<'a>(graph: &'a Graph, output: NodeId, target: &str) -> Walk<'a> {
    let values = Vec::with_capacity(graph.nodes.len());
    let mut walk = Walk { graph, output, target: 0, values };
    for (id, node) in graph.nodes.iter() {
        let (kind, place) = match &node.op {
            _ if id == output => {
                // The elements of a batch are no classes.
                let rows = graph.ty(id).shape.rank() > 1;
                let place = if rows { Place::Rows } else { Place::Full };
                (Kind::Out(Form::of(&[(Atom::X, 1.0)])), place)
            }
            Op::Input(input) if graph.inputs[*input].name == target => {
                walk.target = walk.elements(id);
                (Kind::Target { scale: 1.0, shift: 0.0 }, Place::Elsewhere)
            }
            _ => {
                let value = walk.transfer(id);
                walk.values.push(value);
                continue;
            }
        };
        walk.values.push(Value { kind, place, range: Range::ALL });
    }
    walk
}

impl Walk<'_> {
    /// The role of a node, from those of its arguments.
    pub fn transfer(&self, id: NodeId) -> Value {
        let node = &self.graph.nodes[id];
        let args: Vec<&Value> = node.args.iter().map(|&arg| self.value(arg)).collect();
        match &node.op {
            Op::Const(..)
            | Op::Extent(_)
            | Op::Iota { .. }
            | Op::Input(_)
            | Op::Param(_)
            | Op::State(_)
            | Op::Hyper(_)
            | Op::Step
            | Op::Uniform { .. } => leaf(&node.op),
            Op::Unary(op) => {
                let range = args[0].range.unary(*op);
                ranged(self.elementwise(id, &args, |_| unary(*op, args[0]), range))
            }
            Op::Binary(op) => {
                let range = args[0].range.binary(*op, args[1].range);
                ranged(self.elementwise(id, &args, |place| self.binary(id, *op, place), range))
            }
            Op::Where => {
                let range = args[1].range.hull(args[2].range);
                self.elementwise(id, &args, |place| self.choice(id, &args, place), range)
            }
            Op::Cast(dtype) => self.cast(id, args[0], *dtype),
            Op::Broadcast(_) | Op::Reshape(_) => self.rearranged(id, args[0]),
            Op::StopGradient => self.stopped(id, args[0]),
            Op::Reduce(Reduce::Sum, axes) => self.sum(id, args[0], axes),
            Op::Reduce(Reduce::Max | Reduce::Min, axes) => match args[0].kind {
                Kind::Settled { .. } => Value { place: Place::Elsewhere, ..args[0].clone() },
                _ => self.reduction(id, args[0], axes, args[0].range),
            },
            Op::Variance(axes) => self.reduction(id, args[0], axes, Range::ALL),
            Op::ArgMax(axis) => self.largest(id, args[0], *axis),
            Op::Pick => self.picked(id, &args),
            Op::Slice(_) | Op::Transpose(_) => match args[0].kind {
                Kind::Sum { .. } | Kind::Settled { .. } => {
                    Value { place: Place::Elsewhere, ..self.settled(node.args[0], true) }
                }
                _ => self.elsewhere(id, &args, args[0].range),
            },
            Op::Gather(_) => self.elsewhere(id, &args, args[0].range),
            Op::Concat(_)
            | Op::Pad { .. }
            | Op::MatMul { .. }
            | Op::Conv { .. }
            | Op::ConvInputGrad { .. }
            | Op::ConvWeightGrad { .. }
            | Op::MaxPool(_)
            | Op::MaxPoolIndex(_)
            | Op::MaxPoolGrad { .. }
            | Op::SumPool(_)
            | Op::SumPoolGrad { .. }
            | Op::ScatterAdd { .. } => self.elsewhere(id, &args, Range::ALL),
        }
    }

    /// A value of its arguments whose elements lie in no known place.
    fn elsewhere(&self, id: NodeId, args: &[&Value], range: Range) -> Value {
        let place = Place::Elsewhere;
        Value { kind: self.opaque(id, args, place), place, range }
    }

    /// A value whose elements lie where those of its arguments of the output do, if these agree.
    fn elementwise(
        &self,
        id: NodeId,
        args: &[&Value],
        kind: impl FnOnce(Place) -> Option<Kind>,
        range: Range,
    ) -> Value {
        let mut places = args.iter().filter(|arg| arg.of_output()).map(|arg| arg.place);
        let first = places.next().unwrap_or(Place::Elsewhere);
        let place = if places.all(|place| place == first) { first } else { Place::Elsewhere };
        let kind = kind(place).unwrap_or_else(|| self.opaque(id, args, place));
        Value { kind, place, range }
    }

    fn cast(&self, id: NodeId, arg: &Value, dtype: DType) -> Value {
        let kind = match (&arg.kind, dtype) {
            // A one-hot comparison is a truth value before it is a number.
            (Kind::Target { .. }, DType::Bool) => Kind::OfTarget,
            (Kind::Counts, DType::Bool) => Kind::Free,
            (kind, DType::F32 | DType::F64) => kind.clone(),
            (kind @ (Kind::Target { .. } | Kind::Counts | Kind::Largest), _) => kind.clone(),
            (_, _) => self.opaque(id, &[arg], arg.place),
        };
        let truth = self.graph.ty(self.graph.nodes[id].args[0]).dtype == DType::Bool;
        let range = if truth { Range { low: 0.0, high: 1.0 } } else { arg.range };
        Value { kind, place: arg.place, range }
    }

    /// A broadcast or reshape.
    fn rearranged(&self, id: NodeId, arg: &Value) -> Value {
        let from = self.graph.nodes[id].args[0];
        let place = self.moved(id, from, arg.place);
        let aligned = self.last(id) == self.last(from);
        let kind = match &arg.kind {
            Kind::Counts if !aligned => Kind::Free,
            Kind::OneHot { .. } if !aligned => Kind::OfTarget,
            Kind::Out(_) | Kind::Exp(_) | Kind::Sigmoid { .. } if place == Place::Elsewhere => {
                self.own(id, place)
            }
            kind => kind.clone(),
        };
        Value { kind, place, range: arg.range }
    }

    /// A value through which no gradient flows: the loss does not change with it.
    fn stopped(&self, id: NodeId, arg: &Value) -> Value {
        let kind = match &arg.kind {
            Kind::Out(form) if !form.is_of_row() => self.own(id, arg.place),
            Kind::Exp(_) | Kind::Sigmoid { .. } => self.own(id, arg.place),
            Kind::Sum { .. } | Kind::Difference { .. } => Kind::Unknown,
            kind => kind.clone(),
        };
        Value { kind, ..arg.clone() }
    }

    /// A reduction of which nothing more is known.
    fn reduction(&self, id: NodeId, arg: &Value, axes: &[usize], range: Range) -> Value {
        let place = self.reduced(self.graph.nodes[id].args[0], arg.place, axes);
        Value { kind: self.opaque(id, &[arg], place), place, range }
    }

    /// The place of the largest number along an axis: the likeliest class, where the numbers of a
    /// row are compared that rise with the output's.
    fn largest(&self, id: NodeId, arg: &Value, axis: usize) -> Value {
        let rank = self.graph.ty(self.graph.nodes[id].args[0]).shape.rank();
        let is_class = match &arg.kind {
            Kind::Out(form) | Kind::Exp(form) if axis + 1 == rank => {
                arg.place == Place::Rows
                    && form.get(Atom::X) > 0.0
                    && form.only(|atom| atom != Atom::X).is_of_row()
            }
            _ => false,
        };
        let value = self.reduction(id, arg, &[axis], Range::ALL);
        let kind = if is_class { Kind::Largest } else { value.kind };
        Value { kind, ..value }
    }

    fn picked(&self, id: NodeId, args: &[&Value]) -> Value {
        let place = without_last(args[0].place);
        let by_class = args[0].place == Place::Rows && is_bare(&args[1].kind);
        let kind = by_class.then(|| chosen(&args[0].kind, 1.0, 0.0)).flatten();
        let kind = kind.unwrap_or_else(|| self.opaque(id, args, place));
        Value { kind, place, range: args[0].range }
    }

    fn sum(&self, id: NodeId, arg: &Value, axes: &[usize]) -> Value {
        let over = self.graph.nodes[id].args[0];
        let rank = self.graph.ty(over).shape.rank();
        let of_classes = arg.place == Place::Rows && axes.contains(&(rank - 1));
        let place = self.reduced(over, arg.place, axes);
        let classes = self.last(self.output) as f64;
        // Numbers of a row become one value; what was the row's counts once for each.
        let row = |form: &Form| {
            let kept = |atom| matches!(atom, Atom::One | Atom::Total(_) | Atom::Row(_));
            let atom = if place == Place::Row { Atom::Row(id) } else { Atom::Own(id) };
            let rest = if form.all(kept) { 0.0 } else { 1.0 };
            form.only(kept).times(classes).plus(&Form::of(&[(atom, rest)]))
        };
        let kind = match &arg.kind {
            Kind::Exp(form) if of_classes && place == Place::Row => {
                let scale = form.get(Atom::X);
                let rest = form.only(|atom| atom != Atom::X);
                let known = !close(scale, 0.0) && rest.is_of_row();
                let total = Form::of(&[(Atom::Total(scale.to_bits()), 1.0)]);
                known.then(|| Kind::Exp(rest.plus(&total)))
            }
            Kind::Out(form) if of_classes && place == Place::Row => Some(Kind::Out(row(form))),
            Kind::Sum { plain, chosen, by: Some(By::Class) } if of_classes => {
                // Those of single numbers are looked at before they are one.
                let single = |atom| matches!(atom, Atom::Relu | Atom::Tail | Atom::LogNot);
                match plain.all(|atom| !single(atom)) {
                    true => Some(Kind::Sum {
                        plain: row(plain),
                        chosen: chosen.clone(),
                        by: Some(By::Class),
                    }),
                    false => Some(settled(arg.clone(), true).kind),
                }
            }
            Kind::Sum { by: Some(_), .. } => Some(settled(arg.clone(), true).kind),
            Kind::Settled { .. } => Some(arg.kind.clone()),
            _ => None,
        };
        let kind = kind.unwrap_or_else(|| self.opaque(id, &[arg], place));
        ranged(Value { kind, place, range: arg.range.sum() })
    }
}

/// The role of a node without arguments.
fn leaf(op: &Op) -> Value {
    let (kind, range) = match op {
        Op::Const(number, _) => (Kind::Free, Range { low: *number, high: *number }),
        Op::Extent(_) => (Kind::Free, Range { low: 1.0, high: f64::INFINITY }),
        Op::Iota { shape, axis } if axis + 1 == shape.rank() => (Kind::Counts, Range::ALL),
        _ => (Kind::Free, Range::ALL),
    };
    Value { kind, place: Place::Elsewhere, range }
}
