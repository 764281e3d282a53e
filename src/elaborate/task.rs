//! What a model is trained for, from how its loss and metrics meet the output and the target.
//!
//! ```text
//! pick(log_softmax(output), label)                 a class: its axis has a sum of exponentials
//! output * target + log1p(exp(-abs(output)))       yes or no: elements meet, through a sigmoid
//! (output - target) ^ 2                            numbers
//! sum(output ^ 2)                                  the target is not used: nobody knows
//! ```
//!
//! One walk over the graph in its order says of each value what it is of the output and of the target;
//! [`derive`] reads off where the two meet. Nothing is concluded from shapes alone, and what follows no
//! known form is [`Task::Other`].

use crate::base::entity::Entity;
use crate::base::task::{Scale, Task};
use crate::graph::{Binary, Graph, NodeId, Op, Reduce, Unary};

/// A batch that no other extent is likely to be a multiple of.
const BATCH: usize = 10_007;

/// The task that a model with a loss is trained for. `target` is the input's name.
pub(super) fn derive(graph: &Graph, target: &str) -> Task {
    let Some(output) = graph.output("output") else { return Task::Other };
    let walk = Walk::new(graph, output, target);
    let Some(loss) = graph.output("loss") else { return Task::Other };
    let of_loss = walk.meeting(loss);
    if of_loss.class {
        return walk.class_task(of_loss.scale(walk.values[loss.index()].degree));
    }
    if of_loss.elements {
        let numbers = walk.output_elements() / BATCH;
        let labels = numbers;
        return match walk.values[loss.index()].degree {
            _ if of_loss.sigmoid => Task::Labels { labels, scale: Scale::Sigmoids },
            Degree::Log => Task::Labels { labels, scale: Scale::Probabilities },
            Degree::None | Degree::Linear | Degree::Clamped | Degree::Other => {
                Task::Numbers { numbers }
            }
        };
    }
    let metrics = graph.outputs.iter().filter(|output| output.name.starts_with("metric."));
    match metrics.map(|metric| walk.meeting(metric.node)).any(|meeting| meeting.class) {
        true => walk.class_task(Scale::Scores),
        false => Task::Other,
    }
}

/// How a value is made of the output's numbers, up to sums over several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Degree {
    /// It does not depend on them.
    #[default]
    None,
    /// Linear in them.
    Linear,
    /// A bound of what is linear: `max(x, 0)`.
    Clamped,
    /// Linear in their logarithms.
    Log,
    /// Another way.
    Other,
}

impl Degree {
    /// That of a sum of two values.
    fn plus(self, other: Degree) -> Degree {
        match (self, other) {
            (Degree::None, degree) | (degree, Degree::None) => degree,
            (a, b) if a == b => a,
            (Degree::Linear | Degree::Clamped, Degree::Linear | Degree::Clamped) => Degree::Clamped,
            _ => Degree::Other,
        }
    }
}

/// What a value is of the output and of the target.
#[derive(Clone, Copy, Debug, Default)]
struct Value {
    degree: Degree,
    /// It depends on the target.
    target: bool,
    /// Its elements are the output's, each made of the one in its place (and of sums over others).
    in_place: bool,
    /// The same, and along its last axis lie those of the output's last axis.
    rows: bool,
    /// It is an exponential of the output.
    exp: bool,
    /// Of the target: 1 at its class along the last axis, or computed from that in place.
    one_hot: bool,
    /// It counts along the last axis.
    counts: bool,
    /// Of the output: where the largest number of its last axis is.
    best: bool,
}

impl Value {
    fn output(self) -> bool {
        self.degree != Degree::None
    }
}

/// How some results meet output and target.
#[derive(Clone, Copy, Debug, Default)]
struct Meeting {
    /// The target says which element of the output's last axis is meant.
    class: bool,
    /// Elements of both meet in place.
    elements: bool,
    /// Exponentials of the output are summed over its last axis.
    sums: bool,
    /// A logarithm of 1 + an exponential, or a sigmoid, of each number.
    sigmoid: bool,
}

impl Meeting {
    /// What an output of classes is, by a loss that is made of it so.
    fn scale(self, loss: Degree) -> Scale {
        match loss {
            _ if self.sums => Scale::Logits,
            _ if self.sigmoid => Scale::Sigmoids,
            Degree::Linear => Scale::LogProbabilities,
            Degree::Log => Scale::Probabilities,
            Degree::None | Degree::Clamped | Degree::Other => Scale::Scores,
        }
    }
}

/// What all values are.
struct Walk<'a> {
    graph: &'a Graph,
    output: NodeId,
    values: Vec<Value>,
}

impl<'a> Walk<'a> {
    fn new(graph: &'a Graph, output: NodeId, target: &str) -> Walk<'a> {
        let mut walk = Walk { graph, output, values: Vec::with_capacity(graph.nodes.len()) };
        for (id, node) in graph.nodes.iter() {
            let value = match &node.op {
                _ if id == output => {
                    Value { degree: Degree::Linear, in_place: true, rows: true, ..Value::default() }
                }
                Op::Input(input) if graph.inputs[*input].name == target => {
                    Value { target: true, ..Value::default() }
                }
                _ => walk.transfer(id),
            };
            walk.values.push(value);
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

    /// What a node is, from what its arguments are.
    fn transfer(&self, id: NodeId) -> Value {
        let node = &self.graph.nodes[id];
        let args: Vec<Value> = node.args.iter().map(|arg| self.values[arg.index()]).collect();
        let target = args.iter().any(|arg| arg.target);
        let outputs = args.iter().filter(|arg| arg.output());
        let sum = outputs.clone().fold(Degree::None, |degree, arg| degree.plus(arg.degree));
        let all = self.elements(id) == self.output_elements();
        let in_place = all && outputs.clone().any(|arg| arg.in_place);
        let rows =
            all && outputs.clone().any(|arg| arg.rows) && self.last(id) == self.last(self.output);
        let one_hot = args.iter().any(|arg| arg.one_hot);
        let of = |degree| Value { degree, target, in_place, rows, one_hot, ..Value::default() };
        let other = || of(if sum == Degree::None { Degree::None } else { Degree::Other });
        match &node.op {
            Op::Input(_)
            | Op::Param(_)
            | Op::State(_)
            | Op::Hyper(_)
            | Op::Step
            | Op::Extent(_) => of(Degree::None),
            Op::Const(..) | Op::Uniform { .. } => of(Degree::None),
            Op::Iota { shape, axis } => {
                Value { counts: axis + 1 == shape.rank(), ..of(Degree::None) }
            }
            Op::Unary(unary) => self.unary(*unary, args[0], of(sum), other()),
            Op::Binary(binary) => binary_value(*binary, &args, of(sum), other()),
            // The condition chooses; what is chosen is what the loss is made of.
            Op::Where => match args[0].output() {
                true => Value { degree: sum.plus(Degree::Clamped), ..of(sum) },
                false => of(sum),
            },
            Op::Cast(_) | Op::Broadcast(_) | Op::Reshape(_) | Op::StopGradient => {
                let aligned = self.last(id) == self.last(node.args[0]);
                Value {
                    counts: args[0].counts && aligned,
                    one_hot: one_hot && aligned,
                    best: args[0].best,
                    exp: args[0].exp,
                    ..of(sum)
                }
            }
            Op::Transpose(_) | Op::Slice(_) | Op::Concat(_) | Op::Pad { .. } => {
                Value { one_hot: false, ..moved(of(sum)) }
            }
            Op::Reduce(Reduce::Sum, _) | Op::Pick | Op::Gather(_) => {
                Value { one_hot: false, ..moved(of(sum)) }
            }
            Op::ArgMax(axis) => {
                let last = axis + 1 == self.graph.ty(node.args[0]).shape.rank();
                Value { best: last && args[0].rows, ..moved(other()) }
            }
            Op::Reduce(Reduce::Max | Reduce::Min, _) | Op::Variance(_) => moved(other()),
            Op::MatMul { .. }
            | Op::Conv { .. }
            | Op::ConvInputGrad { .. }
            | Op::ConvWeightGrad { .. }
            | Op::MaxPool(_)
            | Op::MaxPoolIndex(_)
            | Op::MaxPoolGrad { .. }
            | Op::SumPool(_)
            | Op::SumPoolGrad { .. }
            | Op::ScatterAdd { .. } => Value { one_hot: false, ..moved(other()) },
        }
    }

    fn unary(&self, unary: Unary, arg: Value, same: Value, other: Value) -> Value {
        match unary {
            Unary::Neg => Value { exp: arg.exp, ..same },
            Unary::Log => match arg.degree {
                Degree::Linear | Degree::Clamped => Value { degree: Degree::Log, ..same },
                Degree::None | Degree::Log | Degree::Other => other,
            },
            Unary::Exp => Value { exp: arg.output(), ..other },
            Unary::Abs
            | Unary::Sign
            | Unary::Floor
            | Unary::Expm1
            | Unary::Log1p
            | Unary::Sqrt
            | Unary::Rsqrt
            | Unary::Tanh
            | Unary::Sigmoid
            | Unary::Erf
            | Unary::Erfc
            | Unary::Sin
            | Unary::Cos
            | Unary::Not => other,
        }
    }

    /// How what a result depends on meets output and target.
    fn meeting(&self, result: NodeId) -> Meeting {
        let mut meeting = Meeting::default();
        let mut seen = vec![false; self.graph.nodes.len()];
        let mut open = vec![result];
        while let Some(id) = open.pop() {
            // What is before the output is the model.
            if std::mem::replace(&mut seen[id.index()], true) || id == self.output {
                continue;
            }
            open.extend(&self.graph.nodes[id].args);
            self.meet(id, &mut meeting);
        }
        meeting
    }

    fn meet(&self, id: NodeId, meeting: &mut Meeting) {
        let node = &self.graph.nodes[id];
        let of = |index: usize| self.values[node.args[index].index()];
        match &node.op {
            Op::Pick => meeting.class |= of(0).rows && !of(0).target && of(1).target,
            Op::Binary(binary) => {
                let (a, b) = (of(0), of(1));
                for (x, y) in [(a, b), (b, a)] {
                    let apart = x.output() && !x.target && y.target && !y.output();
                    meeting.class |= apart && x.rows && y.one_hot;
                    meeting.class |= apart && x.best && *binary == Binary::Eq;
                    meeting.elements |= apart && x.in_place && !y.one_hot;
                }
            }
            Op::Reduce(Reduce::Sum, axes) => {
                let rank = self.graph.ty(node.args[0]).shape.rank();
                meeting.sums |= of(0).exp && of(0).rows && axes.contains(&(rank - 1));
            }
            Op::Unary(Unary::Log1p) => meeting.sigmoid |= of(0).exp && of(0).in_place,
            Op::Unary(Unary::Sigmoid) => meeting.sigmoid |= of(0).in_place,
            Op::Input(_)
            | Op::Param(_)
            | Op::State(_)
            | Op::Hyper(_)
            | Op::Step
            | Op::Extent(_)
            | Op::Const(..)
            | Op::Iota { .. }
            | Op::Uniform { .. }
            | Op::Unary(_)
            | Op::Where
            | Op::Cast(_)
            | Op::Broadcast(_)
            | Op::Reshape(_)
            | Op::Transpose(_)
            | Op::Slice(_)
            | Op::Concat(_)
            | Op::Pad { .. }
            | Op::Reduce(Reduce::Max | Reduce::Min, _)
            | Op::ArgMax(_)
            | Op::Variance(_)
            | Op::MatMul { .. }
            | Op::Conv { .. }
            | Op::ConvInputGrad { .. }
            | Op::ConvWeightGrad { .. }
            | Op::MaxPool(_)
            | Op::MaxPoolIndex(_)
            | Op::MaxPoolGrad { .. }
            | Op::SumPool(_)
            | Op::SumPoolGrad { .. }
            | Op::Gather(_)
            | Op::ScatterAdd { .. }
            | Op::StopGradient => {}
        }
    }
}

/// What no longer has its elements in the output's places.
fn moved(value: Value) -> Value {
    Value { in_place: false, rows: false, ..value }
}

fn binary_value(binary: Binary, args: &[Value], same: Value, other: Value) -> Value {
    let [a, b] = args else { return other };
    match binary {
        Binary::Add | Binary::Sub => Value { exp: a.exp || b.exp, ..same },
        Binary::Mul if !(a.output() && b.output()) => Value { exp: a.exp || b.exp, ..same },
        Binary::Div if !b.output() => Value { exp: a.exp, ..same },
        Binary::Min | Binary::Max if same.degree == Degree::Linear => {
            Value { degree: Degree::Clamped, ..same }
        }
        Binary::Min | Binary::Max => same,
        Binary::Eq if a.counts && b.target || b.counts && a.target => {
            Value { one_hot: true, ..same }
        }
        Binary::Mul
        | Binary::Div
        | Binary::Pow
        | Binary::Eq
        | Binary::Ne
        | Binary::Lt
        | Binary::Le
        | Binary::Gt
        | Binary::Ge
        | Binary::And
        | Binary::Or => other,
    }
}
