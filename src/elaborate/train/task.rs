//! The task of a model, from how its loss and metrics meet the output and the target.
//!
//! ```text
//! pick(log_softmax(output), label)                 a class: its axis has a sum of exponentials
//! output * target + log1p(exp(-abs(output)))       yes or no: elements meet, through a sigmoid
//! (output - target) ^ 2                            numbers
//! pick(log_softmax(-output), label)                the loss falls as another class gets likelier: nobody knows
//! sum(output ^ 2)                                  the target is not used: nobody knows
//! ```
//!
//! One walk over the graph in its order brings each value into a normal form ([`form`]); [`meeting`]
//! knows those in which the bare output meets the bare target. Movement, casts and what is added to
//! a whole row change neither. Nothing is concluded from shapes alone, and what has no known form is
//! [`Task::Other`]: no class or probability is told that the loss does not define.

mod form;
mod meeting;
mod range;

use crate::base::entity::Entity;
use crate::base::scalar::unary::Curve;
use crate::base::step_output::StepOutput;
use crate::base::task::{Scale, Task};
use crate::base::tensor::DType;
use crate::graph::{Binary, Graph, NodeId, Op, Reduce, Unary};
use form::{Atom, AtomSum, close};
use meeting::{About, By, settle};
use range::OutputRange;

/// A batch that no other extent is likely to be a multiple of.
const BATCH: usize = 10_007;
/// A constant below this only keeps a logarithm from 0.
const EPSILON: f64 = 1e-3;

/// The task that a model with a loss is trained for. `target` is the input's name.
pub(in crate::elaborate) fn derive(graph: &Graph, target: &str) -> Task {
    let Some(output) = graph.output(StepOutput::Output) else { return Task::Other };
    let walk = Walk::new(graph, output, target);
    let Some(loss) = graph.output(StepOutput::Loss) else { return Task::Other };
    match walk.settled(loss, true).kind {
        Kind::Settled { about: About::Class(scale), falls: true } => walk.class_task(scale),
        Kind::Settled { about: About::Labels(scale), falls: true } => {
            Task::Labels { labels: walk.output_elements() / BATCH, scale }
        }
        Kind::Settled { about: About::Numbers, falls: true } => {
            Task::Numbers { numbers: walk.output_elements() / BATCH }
        }
        // It says the opposite.
        Kind::Settled { .. } => Task::Other,
        _ => {
            let mut metrics = graph.outputs.iter().filter(|output| output.name.metric().is_some());
            match metrics.any(|metric| walk.looks_for_largest(metric.node)) {
                true => walk.class_task(Scale::Scores),
                false => Task::Other,
            }
        }
    }
}

/// The role of a value: its relation to the output and to the target.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// It depends on neither.
    Free,
    /// Counts along the last axis.
    Counts,
    /// A sum over what is made of the output alone.
    Out(AtomSum),
    /// The exponential of such a sum.
    Exp(AtomSum),
    /// The sigmoid of the output's number, or of its negative.
    Sigmoid { negative: bool },
    /// Where the largest number of each row is.
    Largest,
    /// `scale · target + shift`.
    Target { scale: f64, shift: f64 },
    /// `scale · (1 at the target's class, else 0) + shift`, for each number of a row.
    OneHot { scale: f64, shift: f64 },
    /// Another value of the target alone.
    OfTarget,
    /// `plain + target · chosen`; of a class, `chosen` may be at the class already.
    Sum { plain: AtomSum, chosen: AtomSum, by: Option<By> },
    /// `scale · (output − target)`.
    Difference { scale: f64, about: About },
    /// A value that rises, or falls, with each meeting in it.
    Settled { about: About, falls: bool },
    /// Of both, in no known way.
    Unknown,
}

/// Where a value's elements lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ElementPlace {
    /// In the output's places, its last axis last.
    Rows,
    /// In the output's places.
    Full,
    /// One for each row of the output.
    Row,
    Elsewhere,
}

#[derive(Clone, Debug)]
struct TracedValue {
    kind: Kind,
    place: ElementPlace,
    range: OutputRange,
}

impl TracedValue {
    fn meets(&self) -> bool {
        matches!(
            self.kind,
            Kind::Sum { .. } | Kind::Difference { .. } | Kind::Settled { .. } | Kind::Unknown
        )
    }

    fn of_output(&self) -> bool {
        self.meets()
            || matches!(
                self.kind,
                Kind::Out(_) | Kind::Exp(_) | Kind::Sigmoid { .. } | Kind::Largest
            )
    }

    fn of_target(&self) -> bool {
        self.meets()
            || matches!(self.kind, Kind::Target { .. } | Kind::OneHot { .. } | Kind::OfTarget)
    }

    /// The number that all its elements are.
    fn constant(&self) -> Option<f64> {
        match self.kind {
            Kind::Free => self.range.point(),
            _ => None,
        }
    }
}

/// The roles of all values.
struct Walk<'a> {
    graph: &'a Graph,
    output: NodeId,
    /// Elements of the target for [`BATCH`] samples.
    target: usize,
    values: Vec<TracedValue>,
}

impl<'a> Walk<'a> {
    fn new(graph: &'a Graph, output: NodeId, target: &str) -> Walk<'a> {
        let values = Vec::with_capacity(graph.nodes.len());
        let mut walk = Walk { graph, output, target: 0, values };
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
                    (Kind::Target { scale: 1.0, shift: 0.0 }, ElementPlace::Elsewhere)
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

    /// Elements of the output for [`BATCH`] samples.
    fn output_elements(&self) -> usize {
        self.elements(self.output)
    }

    fn elements(&self, node: NodeId) -> usize {
        self.graph.ty(node).shape.at(BATCH).iter().product()
    }

    fn last(&self, node: NodeId) -> usize {
        self.graph.ty(node).shape.at(BATCH).last().copied().unwrap_or(1)
    }

    fn class_task(&self, scale: Scale) -> Task {
        let classes = self.last(self.output);
        match self.output_elements() / BATCH / classes.max(1) {
            1 => Task::Class { classes, scale },
            positions => Task::ClassPerPosition { positions, classes, scale },
        }
    }

    fn value(&self, id: NodeId) -> &TracedValue {
        &self.values[id.index()]
    }

    /// A value with its sum read as what it is about. `linear`: it is the loss.
    fn settled(&self, id: NodeId, linear: bool) -> TracedValue {
        settled(self.value(id).clone(), linear)
    }

    /// Whether a metric compares the place of the largest number with the label, or looks the
    /// label's number up.
    fn looks_for_largest(&self, metric: NodeId) -> bool {
        let mut seen = vec![false; self.graph.nodes.len()];
        let mut open = vec![metric];
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut seen[id.index()], true) || id == self.output {
                continue;
            }
            let args = &self.graph.nodes[id].args;
            let of = |index: usize| &self.value(args[index]).kind;
            let found = match self.graph.nodes[id].op {
                Op::Binary(Binary::Eq) => {
                    *of(0) == Kind::Largest && is_bare(of(1))
                        || *of(1) == Kind::Largest && is_bare(of(0))
                }
                Op::Pick => match of(0) {
                    Kind::Out(form) => form.affine() == Some((1.0, 0.0)) && is_bare(of(1)),
                    _ => false,
                },
                _ => false,
            };
            if found {
                return true;
            }
            open.extend(args);
        }
        false
    }

    /// Where a node's elements lie, whose argument's lie there and are only moved.
    fn moved(&self, id: NodeId, arg: NodeId, place: ElementPlace) -> ElementPlace {
        let (elements, last) = (self.elements(id), self.last(id));
        let has_rows = self.graph.ty(self.output).shape.rank() > 1;
        let rows = has_rows && elements == self.output_elements() && last == self.last(self.output);
        match place {
            ElementPlace::Rows | ElementPlace::Full if rows => ElementPlace::Rows,
            ElementPlace::Rows | ElementPlace::Full if elements == self.output_elements() => {
                ElementPlace::Full
            }
            ElementPlace::Row if elements == self.elements(arg) => ElementPlace::Row,
            // Repeated along the last axis.
            ElementPlace::Row if rows && self.last(arg) == 1 => ElementPlace::Rows,
            _ => ElementPlace::Elsewhere,
        }
    }

    /// A value of its own that is made of the output alone.
    fn own(&self, id: NodeId, place: ElementPlace) -> Kind {
        let atom = if place == ElementPlace::Row { Atom::Row(id) } else { Atom::Own(id) };
        Kind::Out(AtomSum::of(&[(atom, 1.0)]))
    }

    /// The role of a value of which nothing more is known.
    fn opaque(&self, id: NodeId, args: &[&TracedValue], place: ElementPlace) -> Kind {
        let (output, target) =
            (args.iter().any(|arg| arg.of_output()), args.iter().any(|arg| arg.of_target()));
        match (output, target) {
            (false, false) => Kind::Free,
            (true, false) => self.own(id, place),
            (false, true) => Kind::OfTarget,
            (true, true) => Kind::Unknown,
        }
    }

    /// The role of a node, from those of its arguments.
    fn transfer(&self, id: NodeId) -> TracedValue {
        let node = &self.graph.nodes[id];
        let args: Vec<&TracedValue> = node.args.iter().map(|&arg| self.value(arg)).collect();
        let elementwise = || {
            let mut places = args.iter().filter(|arg| arg.of_output()).map(|arg| arg.place);
            let first = places.next().unwrap_or(ElementPlace::Elsewhere);
            if places.all(|place| place == first) { first } else { ElementPlace::Elsewhere }
        };
        let value = |kind, place, range| TracedValue { kind, place, range };
        let elsewhere = |kind| value(kind, ElementPlace::Elsewhere, OutputRange::ALL);
        match &node.op {
            Op::Const(number, _) => value(
                Kind::Free,
                ElementPlace::Elsewhere,
                OutputRange { low: *number, high: *number },
            ),
            Op::Extent(_) => value(
                Kind::Free,
                ElementPlace::Elsewhere,
                OutputRange { low: 1.0, high: f64::INFINITY },
            ),
            Op::Iota { shape, axis } if axis + 1 == shape.rank() => elsewhere(Kind::Counts),
            Op::Input(_)
            | Op::Param(_)
            | Op::State(_)
            | Op::Hyper(_)
            | Op::Step
            | Op::Iota { .. }
            | Op::Uniform { .. } => elsewhere(Kind::Free),
            Op::Unary(unary) => {
                let place = elementwise();
                let range = args[0].range.unary(*unary);
                match self.unary(*unary, args[0]) {
                    Some(kind) => ranged(value(kind, place, range)),
                    None => value(self.opaque(id, &args, place), place, range),
                }
            }
            Op::Binary(binary) => {
                let place = elementwise();
                let range = args[0].range.binary(*binary, args[1].range);
                match self.binary(id, *binary, place) {
                    Some(kind) => ranged(value(kind, place, range)),
                    None => value(self.opaque(id, &args, place), place, range),
                }
            }
            Op::Where => {
                let place = elementwise();
                let kind = self.choice(id, &args, place);
                let kind = kind.unwrap_or_else(|| self.opaque(id, &args, place));
                value(kind, place, args[1].range.hull(args[2].range))
            }
            Op::Cast(dtype) => {
                let kind = match (&args[0].kind, dtype) {
                    // A one-hot comparison is a truth value before it is a number.
                    (Kind::Target { .. }, DType::Bool) => Kind::OfTarget,
                    (Kind::Counts, DType::Bool) => Kind::Free,
                    (kind, DType::F32 | DType::F64) => kind.clone(),
                    (kind @ (Kind::Target { .. } | Kind::Counts | Kind::Largest), _) => {
                        kind.clone()
                    }
                    (_, _) => self.opaque(id, &args, args[0].place),
                };
                let truth = self.graph.ty(node.args[0]).dtype == DType::Bool;
                let range = if truth { OutputRange { low: 0.0, high: 1.0 } } else { args[0].range };
                value(kind, args[0].place, range)
            }
            Op::Broadcast(_) | Op::Reshape(_) => {
                let place = self.moved(id, node.args[0], args[0].place);
                let aligned = self.last(id) == self.last(node.args[0]);
                let kind = match &args[0].kind {
                    Kind::Counts if !aligned => Kind::Free,
                    Kind::OneHot { .. } if !aligned => Kind::OfTarget,
                    Kind::Out(_) | Kind::Exp(_) | Kind::Sigmoid { .. }
                        if place == ElementPlace::Elsewhere =>
                    {
                        self.own(id, place)
                    }
                    kind => kind.clone(),
                };
                value(kind, place, args[0].range)
            }
            Op::StopGradient => {
                let kind = match &args[0].kind {
                    Kind::Out(form) if !form.is_of_row() => self.own(id, args[0].place),
                    Kind::Exp(_) | Kind::Sigmoid { .. } => self.own(id, args[0].place),
                    Kind::Sum { .. } | Kind::Difference { .. } => Kind::Unknown,
                    kind => kind.clone(),
                };
                value(kind, args[0].place, args[0].range)
            }
            Op::Reduce(Reduce::Sum, axes) => self.sum(id, args[0], axes),
            Op::Reduce(Reduce::Max | Reduce::Min, axes) => {
                let place = self.reduced(node.args[0], args[0].place, axes);
                match args[0].kind {
                    Kind::Settled { .. } => {
                        value(args[0].kind.clone(), ElementPlace::Elsewhere, args[0].range)
                    }
                    _ => value(self.opaque(id, &args, place), place, args[0].range),
                }
            }
            Op::Variance(axes) => {
                let place = self.reduced(node.args[0], args[0].place, axes);
                value(self.opaque(id, &args, place), place, OutputRange::ALL)
            }
            Op::ArgMax(axis) => {
                let rank = self.graph.ty(node.args[0]).shape.rank();
                let largest = match &args[0].kind {
                    Kind::Out(form) | Kind::Exp(form) if axis + 1 == rank => {
                        args[0].place == ElementPlace::Rows
                            && form.get(Atom::X) > 0.0
                            && form.only(|atom| atom != Atom::X).is_of_row()
                    }
                    _ => false,
                };
                let place = self.reduced(node.args[0], args[0].place, &[*axis]);
                let kind = if largest { Kind::Largest } else { self.opaque(id, &args, place) };
                value(kind, place, OutputRange::ALL)
            }
            Op::Pick => {
                let place = without_last(args[0].place);
                let kind = match &args[0].kind {
                    kind if args[0].place == ElementPlace::Rows && is_bare(&args[1].kind) => {
                        chosen(kind, 1.0, 0.0)
                    }
                    _ => None,
                };
                let kind = kind.unwrap_or_else(|| self.opaque(id, &args, place));
                value(kind, place, args[0].range)
            }
            Op::Slice(_) | Op::Transpose(_) => match args[0].kind {
                Kind::Sum { .. } | Kind::Settled { .. } => TracedValue {
                    place: ElementPlace::Elsewhere,
                    ..self.settled(node.args[0], true)
                },
                _ => {
                    let kind = self.opaque(id, &args, ElementPlace::Elsewhere);
                    value(kind, ElementPlace::Elsewhere, args[0].range)
                }
            },
            Op::Gather(_) => {
                let kind = self.opaque(id, &args, ElementPlace::Elsewhere);
                value(kind, ElementPlace::Elsewhere, args[0].range)
            }
            // Nothing more is said of what others make of the output.
            _ => elsewhere(self.opaque(id, &args, ElementPlace::Elsewhere)),
        }
    }

    /// Where the results of a reduction lie.
    fn reduced(&self, arg: NodeId, place: ElementPlace, axes: &[usize]) -> ElementPlace {
        let rank = self.graph.ty(arg).shape.rank();
        if axes == [rank - 1] { without_last(place) } else { ElementPlace::Elsewhere }
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

    fn unary(&self, unary: Unary, arg: &TracedValue) -> Option<Kind> {
        let in_place = matches!(arg.place, ElementPlace::Rows | ElementPlace::Full);
        match (unary, &arg.kind) {
            (Unary::Neg, _) => scaled(&arg.kind, -1.0),
            (Unary::Abs, Kind::Out(form)) if in_place => {
                let (factor, constant) = form.affine()?;
                let size = AtomSum::of(&[(Atom::Relu, 2.0), (Atom::X, -1.0)]);
                (constant == 0.0).then(|| Kind::Out(size.times(factor.abs())))
            }
            (Unary::Abs, &Kind::Difference { about, .. }) => {
                Some(Kind::Settled { about, falls: true })
            }
            (Unary::Abs, &Kind::Settled { about, falls }) if arg.range.sign().is_some() => {
                Some(Kind::Settled { about, falls: falls == (arg.range.low >= 0.0) })
            }
            (Unary::Exp, Kind::Out(form)) => {
                let own = |atom| matches!(atom, Atom::Own(_) | Atom::Held);
                form.all(|atom| !own(atom)).then(|| Kind::Exp(form.clone()))
            }
            (Unary::Log, Kind::Exp(form)) => Some(Kind::Out(form.clone())),
            (Unary::Log, Kind::Out(form)) if in_place => logarithm(form).map(Kind::Out),
            (Unary::Log, Kind::Sum { plain, chosen, by: Some(By::Class) }) => {
                let held = |it| matches!(it, Atom::X | Atom::Held);
                let one = close(chosen.get(Atom::X) + chosen.get(Atom::Held), 1.0);
                let small = (0.0..=EPSILON).contains(&plain.get(Atom::One));
                let bare = chosen.all(held) && plain.all(|it| it == Atom::One);
                let log = || Kind::Sum {
                    plain: AtomSum::default(),
                    chosen: AtomSum::of(&[(Atom::Log, 1.0)]),
                    by: Some(By::Class),
                };
                (one && small && bare && arg.place == ElementPlace::Row).then(log).or(rising(arg))
            }
            (Unary::Log, &Kind::Sigmoid { negative }) => {
                let x = if negative { 0.0 } else { 1.0 };
                let parts = [(Atom::X, x), (Atom::Relu, -1.0), (Atom::Tail, -1.0)];
                Some(Kind::Out(AtomSum::of(&parts)))
            }
            (Unary::Log1p, Kind::Exp(form)) if in_place => {
                let known = form.all(|atom| matches!(atom, Atom::X | Atom::Relu));
                let soft = |x| AtomSum::of(&[(Atom::Relu, 1.0), (Atom::Tail, 1.0), (Atom::X, x)]);
                match (form.get(Atom::X), form.get(Atom::Relu)) {
                    (1.0, 0.0) if known => Some(Kind::Out(soft(0.0))),
                    (-1.0, 0.0) if known => Some(Kind::Out(soft(-1.0))),
                    (1.0, -2.0) if known => Some(Kind::Out(AtomSum::of(&[(Atom::Tail, 1.0)]))),
                    _ => None,
                }
            }
            (Unary::Sigmoid, Kind::Out(form)) if in_place => match form.affine()? {
                (1.0, 0.0) => Some(Kind::Sigmoid { negative: false }),
                (-1.0, 0.0) => Some(Kind::Sigmoid { negative: true }),
                _ => None,
            },
            (function, _) => match function.row().shape {
                Curve::Rising => rising(arg),
                Curve::Falling | Curve::Steps | Curve::Kink | Curve::Waves => None,
            },
        }
    }

    fn binary(&self, id: NodeId, binary: Binary, place: ElementPlace) -> Option<Kind> {
        let args = &self.graph.nodes[id].args;
        let (a, b) = (self.value(args[0]), self.value(args[1]));
        match binary {
            Binary::Add => self.plus(id, a, b, place),
            Binary::Sub => {
                if let (&Kind::Sigmoid { negative }, Some(1.0)) = (&b.kind, a.constant()) {
                    return Some(Kind::Sigmoid { negative: !negative });
                }
                let kind = match scaled(&b.kind, -1.0) {
                    Some(kind) => kind,
                    None if b.of_target() || b.of_output() => return None,
                    None => Kind::Free,
                };
                let range = b.range.unary(Unary::Neg);
                self.plus(id, a, &TracedValue { kind, range, place: b.place }, place)
            }
            Binary::Mul => self.product(id, args[0] == args[1], a, b, place),
            Binary::Div => match (&a.kind, &b.kind) {
                (Kind::Exp(a), Kind::Exp(b)) => Some(Kind::Exp(a.plus(&b.times(-1.0)))),
                _ if b.of_output() => None,
                _ => {
                    let one = OutputRange { low: 1.0, high: 1.0 };
                    let range = one.binary(Binary::Div, b.range);
                    let kind = if b.of_target() { Kind::OfTarget } else { Kind::Free };
                    self.product(id, false, a, &TracedValue { kind, range, place: b.place }, place)
                }
            },
            Binary::Pow => match (&a.kind, b.constant()?) {
                (&Kind::Difference { about, .. }, power) if power > 0.0 && power % 2.0 == 0.0 => {
                    Some(Kind::Settled { about, falls: true })
                }
                (_, power) if power >= 0.0 && a.range.low >= 0.0 => rising(a),
                _ => None,
            },
            Binary::Min | Binary::Max => bounded(binary, a, b),
            Binary::Eq => {
                let of = |counts: &TracedValue, label: &TracedValue| {
                    counts.kind == Kind::Counts && is_bare(&label.kind)
                };
                (of(a, b) || of(b, a)).then_some(Kind::OneHot { scale: 1.0, shift: 0.0 })
            }
            // Of 0 and 1, what is more than 0 is 1.
            Binary::Gt => match (&a.kind, b.constant()) {
                (Kind::OneHot { scale, shift: 0.0 }, Some(0.0)) if *scale > 0.0 => {
                    Some(Kind::OneHot { scale: 1.0, shift: 0.0 })
                }
                _ => None,
            },
            Binary::Ne | Binary::Lt | Binary::Le | Binary::Ge | Binary::And | Binary::Or => None,
        }
    }

    /// A value as a sum that may meet the target.
    fn as_sum(&self, id: NodeId, value: &TracedValue) -> Option<(AtomSum, AtomSum, Option<By>)> {
        let plain = match &value.kind {
            Kind::Free | Kind::Counts => match value.constant() {
                Some(number) => AtomSum::of(&[(Atom::One, number)]),
                None => AtomSum::of(&[(Atom::Own(id), 1.0)]),
            },
            Kind::Out(form) => form.clone(),
            Kind::Exp(_) | Kind::Sigmoid { .. } => AtomSum::of(&[(Atom::Own(id), 1.0)]),
            Kind::OfTarget | Kind::Target { .. } | Kind::OneHot { .. } => AtomSum::default(),
            Kind::Sum { plain, chosen, by } => return Some((plain.clone(), chosen.clone(), *by)),
            Kind::Largest | Kind::Difference { .. } | Kind::Settled { .. } | Kind::Unknown => {
                return None;
            }
        };
        Some((plain, AtomSum::default(), None))
    }

    fn plus(
        &self,
        id: NodeId,
        a: &TracedValue,
        b: &TracedValue,
        place: ElementPlace,
    ) -> Option<Kind> {
        for (a, b) in [(a, b), (b, a)] {
            if let Some(kind) = self.plus_ordered(id, a, b, place) {
                return Some(kind);
            }
        }
        let (plain, chosen, by) = self.as_sum(id, a)?;
        let (plain_b, chosen_b, by_b) = self.as_sum(id, b)?;
        if !(a.of_target() || b.of_target()) {
            return (a.of_output() || b.of_output()).then(|| Kind::Out(plain.plus(&plain_b)));
        }
        let by = match (by, by_b) {
            (Some(a), Some(b)) if a != b => return None,
            (a, b) => a.or(b),
        };
        (a.of_output() || b.of_output()).then(|| Kind::Sum {
            plain: plain.plus(&plain_b),
            chosen: chosen.plus(&chosen_b),
            by,
        })
    }

    fn plus_ordered(
        &self,
        id: NodeId,
        a: &TracedValue,
        b: &TracedValue,
        place: ElementPlace,
    ) -> Option<Kind> {
        match (&a.kind, &b.kind) {
            (kind, Kind::Free) if b.constant() == Some(0.0) => Some(kind.clone()),
            (&Kind::Target { scale, shift }, Kind::Free) => {
                let shift = shift + b.constant()?;
                Some(Kind::Target { scale, shift })
            }
            (&Kind::OneHot { scale, shift }, Kind::Free) => {
                let shift = shift + b.constant()?;
                Some(Kind::OneHot { scale, shift })
            }
            (Kind::Sigmoid { .. }, Kind::Free) => {
                let small = b.constant().is_some_and(|it| (0.0..=EPSILON).contains(&it));
                small.then(|| a.kind.clone())
            }
            (Kind::Out(form), &Kind::Target { scale, shift }) => {
                let (factor, constant) = form.affine()?;
                let alike = close(factor, -scale) && close(constant, -shift) && factor != 0.0;
                let met = alike && self.in_place(id, place);
                met.then_some(Kind::Difference { scale: factor, about: About::Numbers })
            }
            (Kind::Out(form), &Kind::OneHot { scale, .. }) => {
                let (factor, _) = form.affine()?;
                let about = About::Class(Scale::Scores);
                (place == ElementPlace::Rows && factor * scale < 0.0)
                    .then_some(Kind::Difference { scale: factor, about })
            }
            (Kind::Exp(form), &Kind::OneHot { scale: -1.0, shift: 0.0 }) => {
                let about = About::Class(Scale::Logits);
                (place == ElementPlace::Rows && form.log_softmax() == Some(1.0))
                    .then_some(Kind::Difference { scale: 1.0, about })
            }
            (
                &Kind::Settled { about, falls },
                &Kind::Settled { about: other, falls: falls_too },
            ) => {
                let about = about.with(other).filter(|_| falls == falls_too)?;
                Some(Kind::Settled { about, falls })
            }
            (&Kind::Settled { .. }, Kind::Sum { by: Some(_), .. }) => {
                self.plus_ordered(id, a, &settled(b.clone(), false), place)
            }
            (Kind::Settled { .. }, Kind::Difference { .. } | Kind::Unknown | Kind::Largest) => None,
            // What else the loss asks of the output does not say what it is.
            (Kind::Settled { .. }, _) => Some(a.kind.clone()),
            _ => None,
        }
    }

    /// Whether numbers of the target, one for each of the output's, lie in their places.
    fn in_place(&self, id: NodeId, place: ElementPlace) -> bool {
        let all = self.output_elements();
        matches!(place, ElementPlace::Rows | ElementPlace::Full)
            && self.elements(id) == all
            && self.target == all
    }

    fn product(
        &self,
        id: NodeId,
        same: bool,
        a: &TracedValue,
        b: &TracedValue,
        place: ElementPlace,
    ) -> Option<Kind> {
        if let (Kind::Exp(a), Kind::Exp(b)) = (&a.kind, &b.kind) {
            return Some(Kind::Exp(a.plus(b)));
        }
        if let (
            &Kind::Difference { scale, about },
            &Kind::Difference { scale: other, about: about_too },
        ) = (&a.kind, &b.kind)
        {
            return (about == about_too)
                .then_some(Kind::Settled { about, falls: scale * other > 0.0 });
        }
        if let (&Kind::Settled { .. }, true) = (&a.kind, same) {
            let squared = TracedValue { range: a.range.unary(Unary::Abs), ..a.clone() };
            return match a.range.sign()? {
                true => rising(&squared),
                false => rising(&squared).and_then(|kind| scaled(&kind, -1.0)),
            };
        }
        for (a, b) in [(a, b), (b, a)] {
            if let Some(kind) = self.times(id, a, b, place) {
                return Some(kind);
            }
        }
        let (a, b) = (settled(a.clone(), false), settled(b.clone(), false));
        let (Kind::Settled { about, falls }, Kind::Settled { about: other, falls: falls_too }) =
            (&a.kind, &b.kind)
        else {
            return None;
        };
        let (positive, positive_too) = (a.range.sign()?, b.range.sign()?);
        // How their sizes go.
        let (falls, falls_too) = (*falls == positive, *falls_too == positive_too);
        let about = about.with(*other).filter(|_| falls == falls_too)?;
        Some(Kind::Settled { about, falls: falls == (positive == positive_too) })
    }

    fn times(
        &self,
        id: NodeId,
        a: &TracedValue,
        b: &TracedValue,
        place: ElementPlace,
    ) -> Option<Kind> {
        if let Some(factor) = b.constant() {
            return match &a.kind {
                Kind::Counts if factor == 0.0 => Some(Kind::Free),
                kind => scaled(kind, factor),
            };
        }
        match (&b.kind, &a.kind) {
            (&Kind::Target { scale, shift }, Kind::Out(form)) => {
                self.in_place(id, place).then(|| Kind::Sum {
                    plain: form.times(shift),
                    chosen: form.times(scale),
                    by: Some(By::Number),
                })
            }
            (&Kind::OneHot { scale, shift }, kind) if place == ElementPlace::Rows => {
                chosen(kind, scale, shift)
            }
            // A weight.
            (
                Kind::Free | Kind::OfTarget,
                Kind::Sum { .. } | Kind::Settled { .. } | Kind::Difference { .. },
            ) => {
                let sign = b.range.sign()?;
                let a = settled(a.clone(), true);
                let is_settled = matches!(a.kind, Kind::Settled { .. });
                is_settled.then(|| scaled(&a.kind, if sign { 1.0 } else { -1.0 })).flatten()
            }
            _ => None,
        }
    }

    fn choice(&self, id: NodeId, args: &[&TracedValue], place: ElementPlace) -> Option<Kind> {
        let [condition, a, b] = args else { return None };
        if let (&Kind::OneHot { scale, shift }, Some(0.0), ElementPlace::Rows) =
            (&condition.kind, b.constant(), place)
            && a.of_output()
        {
            return chosen(&a.kind, scale, shift);
        }
        if !(a.meets() || b.meets()) {
            return None;
        }
        let (a, b) = (settled((*a).clone(), false), settled((*b).clone(), false));
        if let (Kind::Settled { .. }, Kind::Settled { .. }) = (&a.kind, &b.kind) {
            return self.plus_ordered(id, &a, &b, place);
        }
        [(&a, &b), (&b, &a)].into_iter().find_map(|(a, b)| {
            let alone = !b.of_output();
            (matches!(a.kind, Kind::Settled { .. }) && alone).then(|| a.kind.clone())
        })
    }
}

/// Where elements lie when the last axis is gone.
fn without_last(place: ElementPlace) -> ElementPlace {
    if place == ElementPlace::Rows { ElementPlace::Row } else { ElementPlace::Elsewhere }
}

/// Whether a value is the target itself.
fn is_bare(kind: &Kind) -> bool {
    *kind == Kind::Target { scale: 1.0, shift: 0.0 }
}

/// A sum, read as what it is about.
fn settled(value: TracedValue, linear: bool) -> TracedValue {
    let kind = match &value.kind {
        Kind::Sum { plain, chosen, by: Some(by) } => match settle(plain, chosen, *by, linear) {
            Some((about, falls)) => Kind::Settled { about, falls },
            None => Kind::Unknown,
        },
        kind => kind.clone(),
    };
    TracedValue { kind, ..value }
}

/// `(scale · one_hot + shift) · value`, where the value is of numbers in rows.
fn chosen(kind: &Kind, scale: f64, shift: f64) -> Option<Kind> {
    let by = Some(By::Class);
    match kind {
        Kind::Out(form) => {
            Some(Kind::Sum { plain: form.times(shift), chosen: form.times(scale), by })
        }
        Kind::Exp(form) if scale > 0.0 && shift == 0.0 => {
            let found = settle(&AtomSum::default(), form, By::Class, false);
            found.map(|(about, falls)| Kind::Settled { about, falls })
        }
        // With a value of the target alone, which is no matter.
        Kind::Sum { plain, chosen, by: None } if chosen.is_empty() => {
            Some(Kind::Sum { plain: plain.times(shift), chosen: plain.times(scale), by })
        }
        // What is 0 but at the class stays so.
        Kind::Sum { plain, chosen, by: Some(By::Class) } if plain.all(|_| false) => {
            Some(Kind::Sum { plain: AtomSum::default(), chosen: chosen.times(scale + shift), by })
        }
        _ => None,
    }
}

/// A value times a number.
fn scaled(kind: &Kind, factor: f64) -> Option<Kind> {
    Some(match kind {
        Kind::Free => Kind::Free,
        Kind::Out(form) => Kind::Out(form.times(factor)),
        Kind::Target { scale, shift } => {
            Kind::Target { scale: scale * factor, shift: shift * factor }
        }
        Kind::OneHot { scale, shift } => {
            Kind::OneHot { scale: scale * factor, shift: shift * factor }
        }
        Kind::OfTarget => Kind::OfTarget,
        Kind::Sum { plain, chosen, by } => {
            Kind::Sum { plain: plain.times(factor), chosen: chosen.times(factor), by: *by }
        }
        &Kind::Difference { scale, about } => Kind::Difference { scale: scale * factor, about },
        &Kind::Settled { about, falls } => Kind::Settled { about, falls: falls == (factor >= 0.0) },
        // Only `1 - sigmoid(x)` is known.
        Kind::Sigmoid { .. } | Kind::Counts | Kind::Exp(_) | Kind::Largest | Kind::Unknown => {
            return (factor == 1.0).then(|| kind.clone());
        }
    })
}

/// A rising function of a value that meets the target.
fn rising(arg: &TracedValue) -> Option<Kind> {
    match settled(arg.clone(), false).kind {
        kind @ Kind::Settled { .. } => Some(kind),
        _ => None,
    }
}

/// The logarithm of a probability, or of what is left of 1.
fn logarithm(form: &AtomSum) -> Option<AtomSum> {
    if !form.all(|atom| matches!(atom, Atom::One | Atom::X | Atom::Held)) {
        return None;
    }
    let (factor, constant) = (form.get(Atom::X) + form.get(Atom::Held), form.get(Atom::One));
    let small = 0.0..=EPSILON;
    if close(factor, 1.0) && small.contains(&constant) {
        return Some(AtomSum::of(&[(Atom::Log, 1.0)]));
    }
    let no = close(factor, -1.0) && (-1e-6..=EPSILON).contains(&(constant - 1.0));
    no.then(|| AtomSum::of(&[(Atom::LogNot, 1.0)]))
}

/// The larger or the smaller of two values.
fn bounded(binary: Binary, a: &TracedValue, b: &TracedValue) -> Option<Kind> {
    let (a, b) = if a.constant().is_some() { (b, a) } else { (a, b) };
    if let (
        &Kind::Difference { scale, about },
        &Kind::Difference { scale: other, about: about_too },
    ) = (&a.kind, &b.kind)
    {
        // A quantile's loss.
        return (binary == Binary::Max && about == about_too && scale * other <= 0.0)
            .then_some(Kind::Settled { about, falls: true });
    }
    if let (Kind::Settled { .. }, Kind::Settled { .. }) = (&a.kind, &b.kind) {
        return (a.kind == b.kind).then(|| a.kind.clone());
    }
    let bound = b.constant()?;
    let in_place = matches!(a.place, ElementPlace::Rows | ElementPlace::Full);
    let held = AtomSum::of(&[(Atom::Held, 1.0)]);
    let is_bare = |form: &AtomSum| {
        let known = form.all(|atom| matches!(atom, Atom::X | Atom::Held));
        known && close(form.get(Atom::X) + form.get(Atom::Held), 1.0)
    };
    match &a.kind {
        Kind::Out(form) if in_place && bound == 0.0 && binary == Binary::Max => {
            let (factor, constant) = form.affine().filter(|(factor, _)| *factor != 0.0)?;
            // max(-x, 0) is max(x, 0) - x.
            let below = if factor < 0.0 { -1.0 } else { 0.0 };
            let relu = AtomSum::of(&[(Atom::Relu, 1.0), (Atom::X, below)]);
            (constant == 0.0).then(|| Kind::Out(relu.times(factor.abs())))
        }
        Kind::Out(form) if in_place && is_bare(form) => Some(Kind::Out(held)),
        Kind::Sum { plain, chosen, by: Some(By::Class) }
            if is_bare(chosen) && plain.all(|_| false) =>
        {
            Some(Kind::Sum { plain: AtomSum::default(), chosen: held, by: Some(By::Class) })
        }
        Kind::Sigmoid { .. } => Some(a.kind.clone()),
        _ => rising(a),
    }
}

/// A value whose form bounds it more than its arguments' do.
fn ranged(value: TracedValue) -> TracedValue {
    let empty = |form: &AtomSum| form.all(|_| false);
    let form = match &value.kind {
        Kind::Out(form) => Some(form),
        Kind::Sum { plain, chosen, .. } if empty(plain) => Some(chosen),
        _ => None,
    };
    let range = match form.and_then(AtomSum::log_softmax) {
        Some(scale) if scale >= 0.0 => {
            OutputRange { high: value.range.high.min(0.0), ..value.range }
        }
        Some(_) => OutputRange { low: value.range.low.max(0.0), ..value.range },
        None => value.range,
    };
    TracedValue { range, ..value }
}
