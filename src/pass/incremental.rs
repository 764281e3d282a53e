//! One position at a time: from a model of whole sequences, a step that computes the output of the
//! position behind those that it has seen.
//!
//! ```text
//! model   tokens: i32[1, 64]                     step   tokens: i32[1, 1]   generate.position: i32[1]
//!  keys   f32[1, 4, 64, 32]                       keys   state f32[1, 4, 64, 32], and the new row in it
//!  scores f32[1, 4, 64, 64] = queries · keys      scores f32[1, 4, 1, 64] = query · keys
//!  output f32[1, 64, 66]                          output f32[1, 1, 66]
//! ```
//!
//! Each value of the model is wanted in one of three **forms**: its part at the position; all of it,
//! which is kept from step to step and gets the new part ("keys and values"); in a scan's body, its
//! value of this step. From the output on it is found which values are wanted in which form, and for
//! each a rule ([`Rule`]) by which it is made; then they are made in the order of the model. A carry
//! becomes a state, and what a convolution reads before a position is kept as well.
//!
//! The model is causal ([`crate::pass::causal`]), so that the positions behind the newest, where a kept
//! value holds what an earlier text has left, have no influence. The sums are those of the whole
//! sequence, in the same order.

use crate::base::tensor::DType;
use crate::graph::scan::Bodies;
use crate::graph::{
    Binary, Dim, Graph, Init, InputId, Node, NodeId, Op, Range, ScanId, Shape, State, Type,
    UpdateTarget, Window,
};
use crate::pass::causal::{
    Causality, PositionReach, ProductAxes, is_whole, looks_back, reshaped_axis,
};
use crate::pass::emit::Emit;
use rustc_hash::FxHashMap;

mod prefill;

use prefill::KeptPart;

/// The name of the step's input that says which position it computes, from 0.
pub const POSITION: &str = "generate.position";
/// Prefix of the paths of states that hold earlier positions; zeros at first.
pub const KEPT: &str = "generate.kept.";

/// A step that computes one position.
#[derive(Debug)]
pub struct Incremental {
    /// Its graph: two inputs, the tokens `i32[1, 1]` and [`POSITION`] `i32[1]`; the model's outputs with an
    /// extent of 1 in the place of the sequence; states whose paths begin with [`KEPT`].
    pub graph: Graph,
    /// How many positions it can compute before it begins anew; `None` where nothing in it depends on
    /// the number of positions.
    pub positions: Option<usize>,
    /// The contents of the states whose paths begin with [`KEPT`], in order.
    parts: Vec<KeptPart>,
}

impl Incremental {
    /// A graph for the first positions of a text at once: the tokens `i32[1, T]` of a window, of which
    /// those behind the first `count` are not looked at; the outputs of position `count − 1`, as the
    /// step has them; updates of the step's states to what it would hold behind that position.
    pub fn prefill(&self, model: &Graph, count: usize) -> Graph {
        prefill::run(model, &self.graph, &self.parts, count)
    }
}

/// The reason why there is no such step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The value that cannot be computed by positions.
    pub node: NodeId,
    /// Whether it sees positions behind its own, as far as is known.
    pub sees_all: bool,
}

/// A step from a graph for one sample (bound), whose only live input is the tokens `i32[1, T]` and
/// whose outputs have their positions along axis 1.
pub fn run(graph: &Graph, tokens: InputId) -> Result<Incremental, Obstacle> {
    let causality = Causality::of(graph, tokens);
    for output in &graph.outputs {
        let is_causal = match causality.reach(output.node) {
            PositionReach::Axes(axes) => axes.is_empty() || axes.single() == Some(1),
            PositionReach::All => false,
        };
        if !is_causal {
            let first = causality.first_that_sees_all(graph, output.node);
            return Err(Obstacle { node: first.unwrap_or(output.node), sees_all: true });
        }
    }
    let positions = graph.inputs[tokens].ty.shape.at(1)[1];
    let planner = Planner { graph, tokens, positions, causality, bodies: Bodies::of(graph) };
    let rules = planner.rules()?;
    let limited = rules
        .iter()
        .any(|(_, rule)| matches!(rule, Rule::Position(_) | Rule::Entry(_) | Rule::Kept(_)));
    let (graph, parts) = Maker::new(graph, tokens).make(rules);
    Ok(Incremental { graph, positions: limited.then_some(positions), parts })
}

/// In which form a value is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    /// Its value in this step of its scan.
    Step,
    /// Its part at the position, along an axis, whose extent becomes 1.
    At(usize),
    /// All of it, as far as it has been computed.
    Whole,
}

/// A value in a form.
type Wanted = (NodeId, Form);

/// How a value in a form is made.
#[derive(Clone, Debug)]
enum Rule {
    /// The step's tokens.
    Tokens,
    /// The position, as numbers of this shape.
    Position(Shape),
    /// An operator on other values.
    Op(Op, Vec<Wanted>),
    /// The whole value's entry at the position, along an axis.
    Entry(usize),
    /// A kept value with its new part, along an axis.
    Kept(usize),
    /// A convolution of kept values and the new one; the axis of the positions.
    Convolved(Window, usize, usize),
    /// The value that the last step has handed on.
    Carried,
}

/// Finds the rules.
struct Planner<'g> {
    graph: &'g Graph,
    tokens: InputId,
    positions: usize,
    causality: Causality,
    bodies: Bodies,
}

impl Planner<'_> {
    /// A rule for each value that the outputs need, in the order in which they can be made.
    fn rules(&self) -> Result<Vec<(Wanted, Rule)>, Obstacle> {
        let mut rules: FxHashMap<Wanted, Rule> = FxHashMap::default();
        let mut open: Vec<Wanted> =
            self.graph.outputs.iter().map(|output| (output.node, Form::At(1))).collect();
        while let Some(wanted) = open.pop() {
            if rules.contains_key(&wanted) {
                continue;
            }
            let obstacle = Obstacle { node: wanted.0, sees_all: false };
            let rule = self.rule(wanted).ok_or(obstacle)?;
            open.extend(self.needs(wanted, &rule));
            rules.insert(wanted, rule);
        }
        let mut rules: Vec<(Wanted, Rule)> = rules.into_iter().collect();
        // A whole value may need its part, or a part its whole value.
        rules.sort_by_key(|&((node, form), ref rule)| (node, matches!(rule, Rule::Entry(_)), form));
        Ok(rules)
    }

    /// The values that a rule reads.
    fn needs(&self, (node, _): Wanted, rule: &Rule) -> Vec<Wanted> {
        let args = &self.graph.nodes[node].args;
        match rule {
            Rule::Tokens | Rule::Position(_) => Vec::new(),
            Rule::Op(_, wanted) => wanted.clone(),
            Rule::Entry(_) => vec![(node, Form::Whole)],
            Rule::Kept(axis) => vec![(node, Form::At(*axis))],
            Rule::Convolved(_, _, axis) => {
                vec![(args[0], Form::At(*axis)), (args[1], Form::Whole)]
            }
            Rule::Carried => {
                let next = self.graph.next(node).expect("a carry of a verified graph");
                vec![(args[0], Form::Whole), (next, Form::Step)]
            }
        }
    }

    fn rule(&self, (id, form): Wanted) -> Option<Rule> {
        let node = &self.graph.nodes[id];
        match form {
            Form::Step => self.in_step(id, node),
            Form::Whole => self.whole(id, node),
            Form::At(axis) => {
                let constant = self.causality.is_constant(id);
                self.at(node, axis).or(constant.then_some(Rule::Entry(axis)))
            }
        }
    }

    fn shape(&self, node: NodeId) -> Vec<usize> {
        self.graph.ty(node).shape.at(1)
    }

    /// In the body of a scan.
    fn in_step(&self, id: NodeId, node: &Node) -> Option<Rule> {
        let Some(scan) = self.bodies.scan(id) else {
            return self.whole(id, node).filter(|rule| matches!(rule, Rule::Op(..)));
        };
        match node.op {
            Op::ScanSlice(_) => {
                let reshaped = Op::Reshape(node.ty.shape.clone());
                Some(Rule::Op(reshaped, vec![(node.args[0], Form::At(0))]))
            }
            Op::Carry(_) => Some(Rule::Carried),
            _ => Some(self.same(node, |arg| self.form_in(scan, arg))),
        }
    }

    fn form_in(&self, scan: ScanId, arg: NodeId) -> Form {
        if self.bodies.scan(arg) == Some(scan) { Form::Step } else { Form::Whole }
    }

    /// The same operator on its arguments in these forms.
    fn same(&self, node: &Node, form: impl Fn(NodeId) -> Form) -> Rule {
        Rule::Op(node.op.clone(), node.args.iter().map(|&arg| (arg, form(arg))).collect())
    }

    /// The whole value: computed anew where no token changes it, else kept.
    fn whole(&self, id: NodeId, node: &Node) -> Option<Rule> {
        if self.causality.is_constant(id) {
            let is_scan = matches!(node.op, Op::ScanSlice(_) | Op::Carry(_) | Op::ScanStack(_));
            return (!is_scan).then(|| self.same(node, |_| Form::Whole));
        }
        let PositionReach::Axes(axes) = self.causality.reach(id) else { return None };
        let axis = axes.single()?;
        if let Op::Broadcast(shape) = &node.op {
            // What is repeated is kept once.
            let aligned = axis + self.graph.ty(node.args[0]).shape.rank();
            if aligned >= shape.rank() {
                return Some(self.same(node, |_| Form::Whole));
            }
        }
        let fits = node.ty.dtype == DType::F32 && self.shape(id)[axis] == self.positions;
        fits.then_some(Rule::Kept(axis))
    }

    /// The part at the position along an axis.
    fn at(&self, node: &Node, axis: usize) -> Option<Rule> {
        let part = || node.ty.shape.with(axis, Dim::Known(1));
        let on = |op: Op, at: usize| Some(Rule::Op(op, vec![(node.args[0], Form::At(at))]));
        match &node.op {
            Op::Input(input) => (*input == self.tokens && axis == 1).then_some(Rule::Tokens),
            Op::Iota { axis: counted, .. } if *counted == axis => Some(Rule::Position(part())),
            Op::Iota { axis: counted, .. } => {
                Some(Rule::Op(Op::Iota { shape: part(), axis: *counted }, Vec::new()))
            }
            Op::Unary(_) | Op::Binary(_) | Op::Where | Op::Cast(_) | Op::StopGradient => {
                Some(self.same(node, |_| Form::At(axis)))
            }
            Op::Broadcast(shape) => {
                let from = self.shape(node.args[0]);
                let aligned = (axis + from.len()).checked_sub(shape.rank());
                let form = match aligned.filter(|&at| from[at] != 1 || self.positions == 1) {
                    Some(at) => Form::At(at),
                    None => Form::Whole,
                };
                Some(Rule::Op(Op::Broadcast(part()), vec![(node.args[0], form)]))
            }
            Op::Reshape(shape) => {
                let at = reshaped_axis(&shape.at(1), &self.shape(node.args[0]), axis)?;
                on(Op::Reshape(part()), at)
            }
            Op::Transpose(order) => on(node.op.clone(), order[axis]),
            Op::Slice(ranges) => {
                let mut ranges = ranges.clone();
                let is_all = is_whole(&ranges[axis], self.shape(node.args[0])[axis]);
                ranges[axis] = Range::ALL;
                is_all.then(|| on(Op::Slice(ranges), axis))?
            }
            Op::Concat(joined) => (*joined != axis).then(|| self.same(node, |_| Form::At(axis))),
            Op::Pad { amounts, .. } => {
                (amounts[axis] == (0, 0)).then(|| on(node.op.clone(), axis))?
            }
            Op::Reduce(_, axes) | Op::Variance(axes) => on(node.op.clone(), kept(axes, axis)),
            Op::ArgMax(removed) => on(node.op.clone(), kept(&[*removed], axis)),
            Op::Pick => Some(self.same(node, |_| Form::At(axis))),
            Op::MatMul { transpose_a, transpose_b } => {
                Some(product(node, *transpose_a, *transpose_b, axis))
            }
            Op::Conv { window, groups } => convolution(node, *window, *groups, axis),
            Op::Gather(table) => {
                let index = axis.checked_sub(*table)?;
                let inside = index < self.graph.ty(node.args[1]).shape.rank();
                let wanted = [(node.args[0], Form::Whole), (node.args[1], Form::At(index))];
                inside.then(|| Rule::Op(node.op.clone(), wanted.to_vec()))
            }
            Op::ScanStack(scan) => {
                let wanted = (node.args[0], self.form_in(*scan, node.args[0]));
                (axis == 0).then(|| Rule::Op(Op::Reshape(part()), vec![wanted]))
            }
            _ => None,
        }
    }
}

/// An axis before `removed` ones (ascending) went.
fn kept(removed: &[usize], mut axis: usize) -> usize {
    for &gone in removed {
        axis += usize::from(gone <= axis);
    }
    axis
}

/// Rows of a product need all columns, and columns all rows.
fn product(node: &Node, transpose_a: bool, transpose_b: bool, axis: usize) -> Rule {
    let rank = node.ty.shape.rank();
    let of = ProductAxes::of(rank, transpose_a, transpose_b);
    let forms = match rank - axis {
        1 => [Form::Whole, Form::At(of.columns)],
        2 => [Form::At(of.rows), Form::Whole],
        _ => [Form::At(axis); 2],
    };
    Rule::Op(node.op.clone(), node.args.iter().copied().zip(forms).collect())
}

fn convolution(node: &Node, window: Window, groups: usize, axis: usize) -> Option<Rule> {
    let spatial = axis.checked_sub(1).filter(|&at| at < 2)?;
    if !looks_back(&window, spatial) {
        return None;
    }
    if window.span(spatial) > 1 {
        return Some(Rule::Convolved(window, groups, axis));
    }
    let wanted = [(node.args[0], Form::At(axis)), (node.args[1], Form::Whole)];
    Some(Rule::Op(node.op.clone(), wanted.to_vec()))
}

/// Makes the step's graph by rules.
struct Maker<'g> {
    old: &'g Graph,
    emit: Emit,
    tokens: NodeId,
    position: NodeId,
    made: FxHashMap<Wanted, NodeId>,
    /// The contents of the new states.
    parts: Vec<KeptPart>,
    /// States that get what a later value of the model is.
    handed_on: Vec<(UpdateTarget, Wanted)>,
}

impl<'g> Maker<'g> {
    fn new(old: &'g Graph, tokens: InputId) -> Maker<'g> {
        let mut emit = Emit::resume(Graph {
            name: old.name.clone(),
            params: old.params.clone(),
            states: old.states.clone(),
            hypers: old.hypers.clone(),
            origins: old.origins.clone(),
            ..Graph::default()
        });
        let indices = |extents: &[usize]| {
            Type::new(DType::I32, extents.iter().map(|&it| Dim::Known(it)).collect::<Vec<_>>())
        };
        let tokens = emit.builder.input(&old.inputs[tokens].name, indices(&[1, 1]));
        let position = emit.builder.input(POSITION, indices(&[1]));
        let (made, parts, handed_on) = Default::default();
        Maker { old, emit, tokens, position, made, parts, handed_on }
    }

    fn make(mut self, rules: Vec<(Wanted, Rule)>) -> (Graph, Vec<KeptPart>) {
        for (wanted, rule) in rules {
            self.emit.builder.set_origin(self.old.nodes[wanted.0].origin);
            let made = self.by(wanted, rule);
            self.made.insert(wanted, made);
        }
        for (target, wanted) in std::mem::take(&mut self.handed_on) {
            let new = self.made[&wanted];
            self.emit.builder.update(target, new);
        }
        for output in &self.old.outputs {
            let node = self.made[&(output.node, Form::At(1))];
            self.emit.builder.output(output.name.clone(), node);
        }
        (self.emit.finish(), self.parts)
    }

    fn by(&mut self, (node, form): Wanted, rule: Rule) -> NodeId {
        match rule {
            Rule::Tokens => self.tokens,
            Rule::Position(shape) => self.position_as(&shape),
            Rule::Op(op, wanted) => {
                let args: Vec<NodeId> = wanted.iter().map(|it| self.made[it]).collect();
                self.emit.op(op, &args)
            }
            Rule::Entry(axis) => {
                let whole = self.made[&(node, Form::Whole)];
                self.emit.op(Op::Gather(axis), &[whole, self.position])
            }
            Rule::Kept(axis) => self.kept(node, axis),
            Rule::Convolved(window, groups, axis) => self.convolved(node, window, groups, axis),
            Rule::Carried => {
                debug_assert_eq!(form, Form::Step, "a carry is in a body");
                self.carried(node)
            }
        }
    }

    fn position_as(&mut self, shape: &Shape) -> NodeId {
        let scalar = self.emit.reshape(self.position, &Shape::known(&[]));
        self.emit.broadcast(scalar, shape)
    }

    /// A new state of what it holds, zeros at first.
    fn state(&mut self, shape: Shape, part: KeptPart) -> (NodeId, UpdateTarget) {
        self.parts.push(part);
        let states = self.emit.graph().states.len();
        let node = self.emit.builder.state(State {
            path: format!("{KEPT}{states}"),
            ty: Type { dtype: DType::F32, shape },
            init: Init::Constant(0.0),
            origin: self.emit.builder.origin(),
        });
        let Op::State(id) = self.emit.graph().nodes[node].op else { unreachable!("a state") };
        (node, UpdateTarget::State(id))
    }

    /// A kept value with its new part in its place.
    fn kept(&mut self, node: NodeId, axis: usize) -> NodeId {
        let shape = self.old.ty(node).shape.clone();
        let (state, target) = self.state(shape.clone(), KeptPart::Whole(node));
        let count = self.emit.op(Op::Iota { shape: shape.clone(), axis }, &[]);
        let position = self.position_as(&shape);
        let is_new = self.emit.binary(Binary::Eq, count, position);
        let new = self.emit.broadcast(self.made[&(node, Form::At(axis))], &shape);
        let whole = self.emit.select(is_new, new, state);
        self.emit.builder.update(target, whole);
        whole
    }

    /// A state, or in the first step something else.
    fn unless_first(&mut self, state: NodeId, first: NodeId) -> NodeId {
        let shape = self.emit.shape(state);
        let position = self.position_as(&shape);
        let zero = self.emit.like(position, 0.0);
        let is_first = self.emit.binary(Binary::Eq, position, zero);
        self.emit.select(is_first, first, state)
    }

    /// A convolution of what is kept of the positions before, zeros before the first of them, and of
    /// the new one.
    fn convolved(&mut self, node: NodeId, window: Window, groups: usize, axis: usize) -> NodeId {
        let args = &self.old.nodes[node].args;
        let (new, weights) =
            (self.made[&(args[0], Form::At(axis))], self.made[&(args[1], Form::Whole)]);
        let before = window.span(axis - 1) - 1;
        let shape = self.emit.shape(new).with(axis, Dim::Known(before));
        let newest = KeptPart::Newest { value: args[0], axis, count: before };
        let (state, target) = self.state(shape, newest);
        let zeros = self.emit.like(state, 0.0);
        let kept = self.unless_first(state, zeros);
        let all = self.emit.op(Op::Concat(axis), &[kept, new]);
        let newest = Range { start: 1, len: Some(before), step: 1 };
        let handed_on = self.emit.slice_axis(all, axis, newest);
        self.emit.builder.update(target, handed_on);
        let mut window = window;
        window.pad[axis - 1] = (0, 0);
        self.emit.op(Op::Conv { window, groups }, &[all, weights])
    }

    fn carried(&mut self, node: NodeId) -> NodeId {
        let old = &self.old.nodes[node];
        let Op::Carry(carry) = old.op else { unreachable!("a carry") };
        let scan = self.old.carries[carry].scan;
        let next = self.old.next(node).expect("a carry of a verified graph");
        let (state, target) = self.state(old.ty.shape.clone(), KeptPart::Carry { next, scan });
        self.handed_on.push((target, (next, Form::Step)));
        let initial = self.made[&(old.args[0], Form::Whole)];
        self.unless_first(state, initial)
    }
}
