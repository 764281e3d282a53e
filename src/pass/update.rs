//! The optimiser's rule, inlined for each parameter.
//!
//! In: a graph with `loss` and `grad.PATH` outputs, and the rule as a template: a graph of
//! scalars with inputs `p` and `g`, states (`m`, `v`), hyper-parameters and the step, the new
//! value of `p` as an output and those of the states as updates. Out: the graph with the update
//! of every parameter that has a gradient, of every optimiser state (`optimizer.m.dense.weight`),
//! and outputs `grad_norm` and `finite`.
//!
//! ```text
//! template                         for dense.weight: f32[784, 10]
//! output p = sub p (mul lr g)      %7 = broadcast (cast lr) [784, 10]
//!                                  %8 = mul %7 %grad
//!                                  %9 = sub %weight %8
//!                                  update dense.weight = where(finite, %9, %weight)
//! ```
//!
//! Around the rule stand the numbers that it names ([`rule`](crate::graph::rule)): penalties are
//! added to the gradients, then these are clipped by value or by the norm of all together, and the
//! rule sees the parameter times [`DECOUPLED_DECAY`]. The norm that is put out is that of the gradients with
//! their penalties, before they are clipped.
//!
//! ```text
//! clip_norm                        %9 = min (1 / scale) (div clip_norm (sqrt squares))
//!                                  %10 = mul (mul %grad scale) (broadcast %9)
//! ```
//!
//! Everything that is written is `where(finite, new, old)`: a step whose loss, gradient or layer
//! states are infinite or NaN changes nothing, and its output `finite` is 0 ([`finite`]). Whether
//! the rule's own results are finite is not tested here, where that would cost another pass over
//! all parameters: the caller bounds them before the step, and sets [`NORM_LIMIT`].
//! Nodes that depend on no parameter (`1 − beta ^ step`, in `f64`) are made once and shared. The
//! gradients stop being outputs unless asked for. Nothing is simplified here.

use crate::base::entity::Entity;
use crate::base::step_output::StepOutput;
use crate::base::tensor::DType;
use crate::graph::rule::{
    ACCUMULATED, ACCUMULATED_WEIGHT, CLIP_NORM, CLIP_VALUE, DECOUPLED_DECAY, EMA, L1, L2, MEAN,
    SHARE, UpdateRule,
};
use crate::graph::{
    Binary, Graph, Hyper, HyperId, Init, NodeId, Op, OpKind, Origin, OriginId, Output, Param,
    ParamId, RUN_STEPS, Shape, State, StateId, Type, Unary, Update, UpdateTarget,
};
use crate::pass::emit::Emit;
use crate::pass::{Gradients, Pass, TrainingStep};
use finite::{Norm, guard};
use rustc_hash::FxHashMap;

mod finite;

/// This pass.
pub const PASS: Pass<TrainingStep> = Pass {
    name: "update",
    description: "inlines the optimiser's rule for each parameter",
    run: |graph, step| run(graph, &step.rule, step.gradients),
};

/// Adds what the rule makes of the gradients: updates, or ([`Gradients::Accumulated`], of a rule
/// that names [`SHARE`]) sums of gradients for an update that a later batch makes.
pub fn run(graph: &Graph, rule: &UpdateRule, gradients: Gradients) -> Graph {
    let accumulates = gradients == Gradients::Accumulated;
    let mut trained = trained(graph, rule);
    let loss = graph.output(StepOutput::Loss).expect("a graph to train has a loss");
    let mut emit = Emit::resume(graph.clone());
    emit.builder.set_origin(None);
    let mut instance = Instance {
        rule,
        template: &rule.graph,
        emit,
        hypers: None,
        uniforms: FxHashMap::default(),
    };
    let sums = instance.accumulate(&mut trained, gradients, graph.output(StepOutput::LossWeight));
    if !accumulates {
        instance.penalise(&mut trained);
    }
    let clipped = [CLIP_NORM, CLIP_VALUE].iter().any(|&name| rule.graph.output(name).is_some());
    let norm = Norm::new(&mut instance.emit, &trained, clipped);
    let mut written = graph.updates.clone();
    if !accumulates {
        let means = instance.average(graph, &graph.updates);
        written.extend(means);
    }
    let kept: Vec<Update> = sums.weight.into_iter().map(|(id, _, new)| state(id, new)).collect();
    let tested: Vec<NodeId> = written.iter().chain(&kept).map(|update| update.node).collect();
    let finite = finite::finite(&mut instance.emit, loss, &norm, &tested);
    let mut updates = finite::guarded(&mut instance.emit, &written, finite);

    instance.declare_hypers();
    if accumulates {
        updates.extend(instance.keep(&trained, &sums, finite));
    } else {
        instance.clip(&mut trained, &norm);
        let first = updates.len();
        for &(param, gradient) in &trained {
            updates.extend(instance.apply(param, gradient, finite));
        }
        let means = instance.average(graph, &updates[first..]);
        updates.extend(finite::guarded(&mut instance.emit, &means, finite));
        updates.extend(instance.forget(&sums, finite));
    }
    let mut emit = instance.emit;
    emit.builder.set_origin(None);
    let root = emit.unary(Unary::Sqrt, norm.square);
    let length = norm.scale.map_or(root, |(_, inverse)| emit.mul(root, inverse));
    let finite = emit.cast(finite, DType::F32);

    let mut graph = emit.finish();
    graph.updates = updates;
    let shown = gradients == Gradients::Shown;
    graph.outputs.retain(|output| shown || !output.name.is_gradient());
    let made = [
        (StepOutput::GradNorm, length),
        (StepOutput::GradSquare, norm.square),
        (StepOutput::Finite, finite),
    ];
    graph.outputs.extend(made.map(|(name, node)| Output { name, node }));
    graph
}

fn state(id: StateId, node: NodeId) -> Update {
    Update { target: UpdateTarget::State(id), node }
}

/// The parameters that have gradients and are trained, with them.
fn trained(graph: &Graph, rule: &UpdateRule) -> Vec<(ParamId, NodeId)> {
    let gradient = |path: &str| graph.output(StepOutput::Gradient(path.to_owned()));
    let trained = graph.params.iter().filter(|(_, param)| rule.trains(&param.path));
    trained.filter_map(|(id, param)| Some((id, gradient(&param.path)?))).collect()
}

/// The rule's hyper-parameters, added to the graph's own.
fn hypers(emit: &mut Emit, optimizer: &Graph) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    for Hyper { name, value } in optimizer.hypers.values() {
        if name == RUN_STEPS {
            nodes.push(emit.builder.run_steps(*value));
            continue;
        }
        let taken = emit.graph().hypers.values().any(|hyper| hyper.name == *name);
        let name = if taken { format!("optimizer.{name}") } else { name.clone() };
        nodes.push(emit.builder.hyper(&name, *value));
    }
    nodes
}

/// The sums of an update that several batches make.
#[derive(Default)]
struct Sums {
    /// The states that hold those of gradients, and their values before the step.
    gradients: Vec<(StateId, NodeId)>,
    /// Where losses have weights, the state that holds their sum, its value before and after.
    weight: Option<(StateId, NodeId, NodeId)>,
}

/// The rule on its way into the graph.
struct Instance<'a> {
    rule: &'a UpdateRule,
    /// The rule's graph.
    template: &'a Graph,
    emit: Emit,
    /// The nodes of the rule's hyper-parameters, once they are declared.
    hypers: Option<Vec<NodeId>>,
    /// The nodes of the rule's `f64` scalars; the same for every parameter.
    uniforms: FxHashMap<NodeId, NodeId>,
}

impl Instance<'_> {
    fn declare_hypers(&mut self) {
        if self.hypers.is_none() {
            self.hypers = Some(hypers(&mut self.emit, self.template));
        }
    }

    /// Where an update is made of several batches, makes each gradient the sum of this batch's part
    /// and of those before it; returns the states that hold the sums. Where the losses have weights,
    /// a batch's part is the sum of its weights, and the update divides by all of them.
    fn accumulate(
        &mut self,
        trained: &mut [(ParamId, NodeId)],
        gradients: Gradients,
        weight: Option<NodeId>,
    ) -> Sums {
        let Some(share) = self.number(SHARE) else { return Sums::default() };
        self.emit.builder.set_origin(None);
        let weight = weight.map(|weight| {
            let init = Init::Constant(0.0);
            let ty = Type::scalar(DType::F32);
            let (id, before) = self.new_state(ACCUMULATED_WEIGHT.into(), ty, init, None);
            (id, before, self.emit.add(before, weight), weight)
        });
        let share = weight.map_or(share, |(.., weight)| weight);
        let mut sums = Vec::new();
        for (param, gradient) in trained {
            let declared = self.emit.graph().params[*param].clone();
            self.emit.builder.set_origin(declared.origin);
            let (state, sum) = self.state(ACCUMULATED, &declared);
            let share = self.emit.broadcast(share, &declared.ty.shape);
            let part = self.emit.mul(share, *gradient);
            *gradient = self.emit.add(sum, part);
            if gradients != Gradients::Accumulated
                && let Some((_, _, all, _)) = weight
            {
                let all = finite::divisor(&mut self.emit, all);
                let all = self.emit.broadcast(all, &declared.ty.shape);
                *gradient = self.emit.div(*gradient, all);
            }
            sums.push((state, sum));
        }
        Sums { gradients: sums, weight: weight.map(|(id, before, all, _)| (id, before, all)) }
    }

    /// Keeps the sums of gradients.
    fn keep(&mut self, trained: &[(ParamId, NodeId)], sums: &Sums, finite: NodeId) -> Vec<Update> {
        let gradients = trained.iter().zip(&sums.gradients);
        let gradients = gradients.map(|(&(_, gradient), &(id, old))| (id, old, gradient));
        let kept = gradients.chain(sums.weight);
        kept.map(|(id, old, new)| state(id, guard(&mut self.emit, finite, new, old))).collect()
    }

    /// Begins the sums of gradients anew.
    fn forget(&mut self, sums: &Sums, finite: NodeId) -> Vec<Update> {
        let zero = |(id, old): (StateId, NodeId)| {
            let ty = self.emit.ty(old).clone();
            let zero = self.emit.splat(0.0, &ty);
            state(id, guard(&mut self.emit, finite, zero, old))
        };
        let weight = sums.weight.map(|(id, old, _)| (id, old));
        sums.gradients.iter().copied().chain(weight).map(zero).collect()
    }

    /// The running means of what was updated among the model's own parameters and states:
    /// `decay · mean + (1 − decay) · value`.
    fn average(&mut self, model: &Graph, updates: &[Update]) -> Vec<Update> {
        let Some(decay) = self.number(EMA) else { return Vec::new() };
        self.emit.builder.set_origin(None);
        let mut means = Vec::new();
        for &Update { target, node } in updates {
            let declared = match target {
                UpdateTarget::Param(id) => self.emit.graph().params[id].clone(),
                UpdateTarget::State(id) if id.index() < model.states.len() => {
                    let state = &self.emit.graph().states[id];
                    let (path, ty) = (state.path.clone(), state.ty.clone());
                    Param { path, ty, init: state.init.clone(), origin: state.origin }
                }
                UpdateTarget::State(_) => continue,
            };
            if declared.ty.dtype != DType::F32 {
                continue;
            }
            let (state, mean) = self.state(MEAN, &declared);
            let shape = declared.ty.shape.clone();
            let one = self.emit.like(decay, 1.0);
            let rest = self.emit.binary(Binary::Sub, one, decay);
            let (decay, rest) =
                (self.emit.broadcast(decay, &shape), self.emit.broadcast(rest, &shape));
            let (old, new) = (self.emit.mul(decay, mean), self.emit.mul(rest, node));
            let node = self.emit.add(old, new);
            means.push(Update { target: UpdateTarget::State(state), node });
        }
        means
    }

    /// A state of the optimiser's for a parameter.
    fn state(&mut self, name: &str, declared: &Param) -> (StateId, NodeId) {
        let (path, ty) = (format!("{name}{}", declared.path), declared.ty.clone());
        self.new_state(path, ty, Init::Constant(0.0), declared.origin)
    }

    fn new_state(
        &mut self,
        path: String,
        ty: Type,
        init: Init,
        origin: Option<OriginId>,
    ) -> (StateId, NodeId) {
        let id = StateId::from_index(self.emit.graph().states.len());
        (id, self.emit.builder.state(State { path, ty, init, origin }))
    }

    /// Adds what is punished in a parameter to its gradient: `g + l1·sign(p)`, `g + l2·p`.
    fn penalise(&mut self, trained: &mut [(ParamId, NodeId)]) {
        for name in [L1, L2] {
            let Some(factor) = self.number(name) else { continue };
            for (param, gradient) in trained.iter_mut() {
                let declared = self.emit.graph().params[*param].clone();
                if !self.rule.concerns(name, &declared.path) {
                    continue;
                }
                self.emit.builder.set_origin(declared.origin);
                let p = self.emit.op(Op::Param(*param), &[]);
                let slope = if name == L1 { self.emit.unary(Unary::Sign, p) } else { p };
                let factor = self.emit.broadcast(factor, &declared.ty.shape);
                let penalty = self.emit.mul(factor, slope);
                *gradient = self.emit.add(*gradient, penalty);
            }
        }
    }

    /// Bounds the gradients, each element or all together.
    fn clip(&mut self, trained: &mut [(ParamId, NodeId)], norm: &Norm) {
        self.emit.builder.set_origin(None);
        if let Some(most) = self.number(CLIP_VALUE) {
            let least = self.emit.unary(Unary::Neg, most);
            for (_, gradient) in trained.iter_mut() {
                let shape = self.emit.shape(*gradient);
                let (least, most) =
                    (self.emit.broadcast(least, &shape), self.emit.broadcast(most, &shape));
                let bounded = self.emit.binary(Binary::Max, *gradient, least);
                *gradient = self.emit.binary(Binary::Min, bounded, most);
            }
        }
        if let (Some(most), Some((scale, inverse))) = (self.number(CLIP_NORM), norm.scale) {
            // A norm of 0 gives an infinite quotient, and so 1.
            let length = self.emit.unary(Unary::Sqrt, norm.square);
            let quotient = self.emit.div(most, length);
            let factor = self.emit.binary(Binary::Min, inverse, quotient);
            for (_, gradient) in trained.iter_mut() {
                let shape = self.emit.shape(*gradient);
                let (scale, factor) =
                    (self.emit.broadcast(scale, &shape), self.emit.broadcast(factor, &shape));
                let scaled = self.emit.mul(*gradient, scale);
                *gradient = self.emit.mul(scaled, factor);
            }
        }
    }

    /// A number of the step that the rule names, as an `f32` scalar.
    fn number(&mut self, name: &str) -> Option<NodeId> {
        let node = self.template.output(name)?;
        self.declare_hypers();
        Some(self.scalar(node))
    }

    /// A node of the rule that depends on no parameter.
    fn scalar(&mut self, id: NodeId) -> NodeId {
        if let Some(&known) = self.uniforms.get(&id) {
            return known;
        }
        let template = self.template;
        let node = &template.nodes[id];
        let args: Vec<NodeId> = node.args.iter().map(|&arg| self.scalar(arg)).collect();
        let value = match &node.op {
            Op::Hyper(hyper) => self.hyper(*hyper),
            op => self.emit.op(op.clone(), &args),
        };
        if node.ty.dtype == DType::F64 {
            self.uniforms.insert(id, value);
        }
        value
    }

    fn hyper(&self, hyper: HyperId) -> NodeId {
        self.hypers.as_ref().expect("hyper-parameters are declared before use")[hyper.index()]
    }

    /// The updates of one parameter and of its states; `finite` says whether the step may write.
    fn apply(&mut self, param: ParamId, gradient: NodeId, finite: NodeId) -> Vec<Update> {
        let declared = self.emit.graph().params[param].clone();
        self.emit.builder.set_origin(declared.origin);
        let p = self.emit.op(Op::Param(param), &[]);
        let mut states: Vec<(StateId, NodeId)> = Vec::new();
        for state in self.template.states.values() {
            let path = format!("optimizer.{}.{}", state.path, declared.path);
            let (ty, init) = (declared.ty.clone(), state.init.clone());
            states.push(self.new_state(path, ty, init, declared.origin));
        }
        let shrunk = self.shrunk(&declared, p);
        let values = self.body(&declared.path, &declared.ty.shape, shrunk, gradient, &states);
        let at = |node: NodeId| values[node.index()];
        let mut updates = Vec::new();
        let new = at(self.template.output("p").expect("a rule says what becomes of p"));
        let node = guard(&mut self.emit, finite, new, p);
        updates.push(Update { target: UpdateTarget::Param(param), node });
        for update in &self.template.updates {
            let UpdateTarget::State(state) = update.target else {
                panic!("a rule writes its states")
            };
            let (target, old) = states[state.index()];
            let node = guard(&mut self.emit, finite, at(update.node), old);
            updates.push(Update { target: UpdateTarget::State(target), node });
        }
        updates
    }

    /// The parameter as the rule sees it.
    fn shrunk(&mut self, declared: &Param, p: NodeId) -> NodeId {
        if !self.rule.concerns(DECOUPLED_DECAY, &declared.path) {
            return p;
        }
        let Some(keep) = self.number(DECOUPLED_DECAY) else { return p };
        let keep = self.emit.broadcast(keep, &declared.ty.shape);
        self.emit.mul(p, keep)
    }

    /// The rule's nodes for one parameter, element by element at its shape.
    fn body(
        &mut self,
        path: &str,
        shape: &Shape,
        p: NodeId,
        g: NodeId,
        states: &[(StateId, NodeId)],
    ) -> Vec<NodeId> {
        let mut values: Vec<NodeId> = Vec::with_capacity(self.template.nodes.len());
        for (id, node) in self.template.nodes.iter() {
            let uniform = node.ty.dtype == DType::F64;
            if let Some(&shared) = self.uniforms.get(&id) {
                values.push(shared);
                continue;
            }
            let origin = node.origin.map(|origin| self.origin(origin, path));
            self.emit.builder.set_origin(origin);
            let args: Vec<NodeId> = node.args.iter().map(|arg| values[arg.index()]).collect();
            let op = &node.op;
            let value = match (op, op.kind()) {
                (Op::Input(input), _) => match self.template.inputs[*input].name.as_str() {
                    "p" => p,
                    "g" => g,
                    other => panic!("a rule reads p and g, not {other}"),
                },
                (Op::State(state), _) => states[state.index()].1,
                (Op::Hyper(hyper), _) => self.hyper(*hyper),
                (Op::Step | Op::StopGradient, _) => self.emit.op(op.clone(), &args),
                // The rule's values are scalars, so these change nothing.
                (Op::Broadcast(_) | Op::Reshape(_), _) => args[0],
                // An f64 scalar stays one; where it becomes f32 it takes the parameter's shape.
                (_, OpKind::Const) | (Op::Cast(_), _) => {
                    let value = self.emit.op(op.clone(), &args);
                    if uniform { value } else { self.emit.broadcast(value, shape) }
                }
                (_, OpKind::Elementwise) => self.emit.op(op.clone(), &args),
                (_, OpKind::Given | OpKind::Number | OpKind::Generated | OpKind::View)
                | (_, OpKind::Joined | OpKind::Reduction | OpKind::Choice | OpKind::Product)
                | (_, OpKind::Convolution | OpKind::Pool | OpKind::Indexed | OpKind::Scan) => {
                    panic!("an update rule works element by element; it cannot use {op:?}")
                }
            };
            if uniform {
                self.uniforms.insert(id, value);
            }
            values.push(value);
        }
        values
    }

    /// A place in the rule as an origin of this graph, said to work for `path`.
    fn origin(&mut self, origin: OriginId, path: &str) -> OriginId {
        let place = self.template.origins.get(origin).clone();
        let caller = place.caller.map(|caller| self.origin(caller, path));
        let place = Origin { span: place.span, caller, path: path.to_owned() };
        self.emit.builder.graph.intern(place)
    }
}
