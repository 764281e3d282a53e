//! The role of a node, from those of its arguments.
//!
//! ```text
//! log(softmax(output))                 Out(X − Total)
//! reshape, broadcast, cast of a value  that value, elsewhere
//! a convolution of the output          a value of its own: nothing more is known of it
//! ```

use super::form::{Atom, AtomSum, close};
use super::meeting::By;
use super::range::OutputRange;
use super::unary::unary;
use super::value::{
    ElementPlace, Kind, TracedValue, chosen, is_bare, ranged, settled, without_last,
};
use super::walk::{BATCH, TaskWalk};
use crate::base::tensor::DType;
use crate::graph::{Graph, NodeId, Op, Range, Reduce};

/// The roles of all values of a graph whose output and target are these. The target itself is what a
/// step prepares of it: `prepared` are the factor and the summand by which it does.
pub(super) fn walked<'a>(
    graph: &'a Graph,
    output: NodeId,
    target: &str,
    prepared: (f64, f64),
) -> TaskWalk<'a> {
    // As a step has them.
    let [factor, summand] = [prepared.0, prepared.1].map(|number| f64::from(number as f32));
    let values = Vec::with_capacity(graph.nodes.len());
    let mut walk = TaskWalk { graph, output, target: 0, values };
    for (id, node) in graph.nodes.iter() {
        let (kind, place) = match &node.op {
            _ if id == output => {
                // The elements of a batch are no classes.
                let rows = graph.ty(id).shape.rank() > 1;
                let place = if rows { ElementPlace::Rows } else { ElementPlace::Full };
                (Kind::Out(AtomSum::of(&[(Atom::X, 1.0)])), place)
            }
            Op::Input(input) if graph.inputs[*input].name == target => {
                walk.target = walk.elements(id);
                let bytes = Kind::Target { scale: 1.0 / factor, shift: -summand / factor };
                (bytes, ElementPlace::Elsewhere)
            }
            _ => {
                let value = walk.transfer(id);
                walk.values.push(value);
                continue;
            }
        };
        walk.values.push(TracedValue { kind, place, range: OutputRange::ALL });
    }
    walk
}

impl TaskWalk<'_> {
    /// The role of a node, from those of its arguments.
    pub fn transfer(&self, id: NodeId) -> TracedValue {
        let node = &self.graph.nodes[id];
        let args: Vec<&TracedValue> = node.args.iter().map(|&arg| self.value(arg)).collect();
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
                Kind::Settled { .. } => {
                    TracedValue { place: ElementPlace::Elsewhere, ..args[0].clone() }
                }
                _ => self.reduction(id, args[0], axes, args[0].range),
            },
            Op::Variance(axes) => self.reduction(id, args[0], axes, OutputRange::ALL),
            Op::ArgMax(axis) => self.largest(id, args[0], *axis),
            Op::Pick => self.picked(id, &args),
            Op::Slice(ranges) if let Some(part) = self.part(node.args[0], ranges) => {
                TracedValue { place: ElementPlace::Elsewhere, ..self.settled(part, true) }
            }
            Op::Slice(_) | Op::Transpose(_) => match args[0].kind {
                Kind::Sum { .. } | Kind::Settled { .. } => TracedValue {
                    place: ElementPlace::Elsewhere,
                    ..self.settled(node.args[0], true)
                },
                _ => self.elsewhere(id, &args, args[0].range),
            },
            Op::Gather(_) => self.elsewhere(id, &args, args[0].range),
            // It is what the step before has handed on.
            Op::Carry(_) => TracedValue {
                kind: Kind::Unknown,
                place: ElementPlace::Elsewhere,
                range: OutputRange::ALL,
            },
            // Nothing more is known of what others make of the output.
            _ => self.elsewhere(id, &args, OutputRange::ALL),
        }
    }

    /// The part that a slice takes out of values that were joined, if it takes nothing else.
    fn part(&self, joined: NodeId, ranges: &[Range]) -> Option<NodeId> {
        let node = &self.graph.nodes[joined];
        let Op::Concat(axis) = node.op else { return None };
        let others = ranges.iter().enumerate().filter(|&(other, _)| other != axis);
        let Range { start, len: Some(len), step: 1 } = ranges[axis] else { return None };
        let mut before = 0;
        let part = node.args.iter().find(|&&part| {
            let extent = self.graph.ty(part).shape.at(BATCH)[axis];
            before += extent;
            (before - extent, extent) == (start, len)
        });
        part.copied().filter(|_| others.into_iter().all(|(_, range)| *range == Range::ALL))
    }

    /// A value of its arguments whose elements lie in no known place.
    fn elsewhere(&self, id: NodeId, args: &[&TracedValue], range: OutputRange) -> TracedValue {
        let place = ElementPlace::Elsewhere;
        TracedValue { kind: self.opaque(id, args, place), place, range }
    }

    /// A value whose elements lie where those of its arguments of the output do, if these agree.
    fn elementwise(
        &self,
        id: NodeId,
        args: &[&TracedValue],
        kind: impl FnOnce(ElementPlace) -> Option<Kind>,
        range: OutputRange,
    ) -> TracedValue {
        let mut places = args.iter().filter(|arg| arg.of_output()).map(|arg| arg.place);
        let first = places.next().unwrap_or(ElementPlace::Elsewhere);
        let place =
            if places.all(|place| place == first) { first } else { ElementPlace::Elsewhere };
        let kind = kind(place).unwrap_or_else(|| self.opaque(id, args, place));
        TracedValue { kind, place, range }
    }

    fn cast(&self, id: NodeId, arg: &TracedValue, dtype: DType) -> TracedValue {
        let kind = match (&arg.kind, dtype) {
            // A one-hot comparison is a truth value before it is a number.
            (Kind::Target { .. }, DType::Bool) => Kind::OfTarget,
            (Kind::Counts, DType::Bool) => Kind::Free,
            (kind, DType::F32 | DType::F64) => kind.clone(),
            (kind @ (Kind::Target { .. } | Kind::Counts | Kind::Largest), _) => kind.clone(),
            (_, _) => self.opaque(id, &[arg], arg.place),
        };
        let truth = self.graph.ty(self.graph.nodes[id].args[0]).dtype == DType::Bool;
        let range = if truth { OutputRange { low: 0.0, high: 1.0 } } else { arg.range };
        TracedValue { kind, place: arg.place, range }
    }

    /// A broadcast or reshape.
    fn rearranged(&self, id: NodeId, arg: &TracedValue) -> TracedValue {
        let from = self.graph.nodes[id].args[0];
        let place = self.moved(id, from, arg.place);
        let aligned = self.last(id) == self.last(from);
        let kind = match &arg.kind {
            Kind::Counts if !aligned => Kind::Free,
            Kind::OneHot { .. } if !aligned => Kind::OfTarget,
            Kind::Out(_) | Kind::Exp(_) | Kind::Sigmoid { .. }
                if place == ElementPlace::Elsewhere =>
            {
                self.own(id, place)
            }
            kind => kind.clone(),
        };
        TracedValue { kind, place, range: arg.range }
    }

    /// A value through which no gradient flows: the loss does not change with it.
    fn stopped(&self, id: NodeId, arg: &TracedValue) -> TracedValue {
        let kind = match &arg.kind {
            Kind::Out(form) if !form.is_of_row() => self.own(id, arg.place),
            Kind::Exp(_) | Kind::Sigmoid { .. } => self.own(id, arg.place),
            Kind::Sum { .. } | Kind::Difference { .. } => Kind::Unknown,
            kind => kind.clone(),
        };
        TracedValue { kind, ..arg.clone() }
    }

    /// A reduction of which nothing more is known.
    fn reduction(
        &self,
        id: NodeId,
        arg: &TracedValue,
        axes: &[usize],
        range: OutputRange,
    ) -> TracedValue {
        let place = self.reduced(self.graph.nodes[id].args[0], arg.place, axes);
        TracedValue { kind: self.opaque(id, &[arg], place), place, range }
    }

    /// The place of the largest number along an axis: the likeliest class, where the numbers of a
    /// row are compared that rise with the output's.
    fn largest(&self, id: NodeId, arg: &TracedValue, axis: usize) -> TracedValue {
        let rank = self.graph.ty(self.graph.nodes[id].args[0]).shape.rank();
        let is_class = match &arg.kind {
            Kind::Out(form) | Kind::Exp(form) if axis + 1 == rank => {
                arg.place == ElementPlace::Rows
                    && form.get(Atom::X) > 0.0
                    && form.only(|atom| atom != Atom::X).is_of_row()
            }
            _ => false,
        };
        let value = self.reduction(id, arg, &[axis], OutputRange::ALL);
        let kind = if is_class { Kind::Largest } else { value.kind };
        TracedValue { kind, ..value }
    }

    fn picked(&self, id: NodeId, args: &[&TracedValue]) -> TracedValue {
        let place = without_last(args[0].place);
        let by_class = args[0].place == ElementPlace::Rows && is_bare(&args[1].kind);
        let kind = by_class.then(|| chosen(&args[0].kind, 1.0, 0.0)).flatten();
        let kind = kind.unwrap_or_else(|| self.opaque(id, args, place));
        TracedValue { kind, place, range: args[0].range }
    }

    fn sum(&self, id: NodeId, arg: &TracedValue, axes: &[usize]) -> TracedValue {
        let over = self.graph.nodes[id].args[0];
        let rank = self.graph.ty(over).shape.rank();
        let of_classes = arg.place == ElementPlace::Rows && axes.contains(&(rank - 1));
        let place = self.reduced(over, arg.place, axes);
        let classes = self.last(self.output) as f64;
        // Numbers of a row become one value; what was the row's counts once for each.
        let row = |form: &AtomSum| {
            let kept = |atom| matches!(atom, Atom::One | Atom::Total(_) | Atom::Row(_));
            let atom = if place == ElementPlace::Row { Atom::Row(id) } else { Atom::Own(id) };
            let rest = if form.all(kept) { 0.0 } else { 1.0 };
            form.only(kept).times(classes).plus(&AtomSum::of(&[(atom, rest)]))
        };
        let kind = match &arg.kind {
            Kind::Exp(form) if of_classes && place == ElementPlace::Row => {
                let scale = form.get(Atom::X);
                let rest = form.only(|atom| atom != Atom::X);
                let known = !close(scale, 0.0) && rest.is_of_row();
                let total = AtomSum::of(&[(Atom::Total(scale.to_bits()), 1.0)]);
                known.then(|| Kind::Exp(rest.plus(&total)))
            }
            Kind::Out(form) if of_classes && place == ElementPlace::Row => {
                Some(Kind::Out(row(form)))
            }
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
        ranged(TracedValue { kind, place, range: arg.range.sum() })
    }
}

/// The role of a node without arguments.
fn leaf(op: &Op) -> TracedValue {
    let (kind, range) = match op {
        Op::Const(number, _) => (Kind::Free, OutputRange { low: *number, high: *number }),
        Op::Extent(_) => (Kind::Free, OutputRange { low: 1.0, high: f64::INFINITY }),
        Op::Iota { shape, axis } if axis + 1 == shape.rank() => (Kind::Counts, OutputRange::ALL),
        _ => (Kind::Free, OutputRange::ALL),
    };
    TracedValue { kind, place: ElementPlace::Elsewhere, range }
}
