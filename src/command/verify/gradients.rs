//! Gradients against differences of the loss, in the interpreter and in `f64`.
//!
//! A parameter is moved along a direction `v` of random signs; the slope `⟨gradient, v⟩` must be that of
//! the loss there. Nothing is rounded to `f32` ([`widened`]), so that steps can be tiny: truncation and
//! rounding together stay below a millionth, and a kink or a jump hardly ever lies within a step.
//!
//! ```text
//! forward  (L(p + h·v) − L(p)) / h   ┐
//! backward (L(p) − L(p − h·v)) / h   ┴ the slope lies between the two, or near them
//! ```
//!
//! Where the loss is smooth, both are the slope but for `h`. At a kink, such as that of `relu`, they
//! differ and what lies between is a subgradient; at a jump, slopes grow as the width shrinks, and nothing
//! is said. First values are moved a little at random, so that no bias of zeros puts its layer exactly
//! onto a kink. What `stop_gradient` stops stays as it was at `p`:
//! it is no part of the slope. A wrong derivative is wrong at every point; what looks wrong is looked at
//! from others before it counts.

use super::{CheckResult, Subject, WorstError};
use crate::base::entity::Entity;
use crate::base::rng::{Sequence, hash_name};
use crate::base::step_output::StepOutput;
use crate::base::tensor::{Data, Tensor};
use crate::driver::memory;
use crate::driver::session::Session;
use crate::graph::interp::{self, Cost, widened};
use crate::graph::{self, Env, Graph, Input, InterpError, NodeArgs, NodeId, Op};

const NAME: &str = "gradients";
/// Widths that are tried, as parts of a tensor's root mean square.
const WIDTHS: [f64; 2] = [1e-5, 1e-6];
/// Relative error that the slope may have.
const TOLERANCE: f64 = 1e-3;
/// Points that are looked from before an error counts.
const POINTS: u64 = 3;
/// Forward passes for a tensor, from one point.
const PASSES: f64 = 2.0 * WIDTHS.len() as f64;

/// The error of a tensor's gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientError {
    /// The parameter's path, or `input.NAME`.
    pub name: String,
    /// As a part of what is allowed.
    pub error: f64,
}

pub(super) fn check(session: &mut Session, subject: &Subject) -> CheckResult {
    let (forward, open) = (&subject.forward, &subject.open);
    let costs = |batch| [forward, open].map(|graph| memory::interpreted(graph, batch));
    // A step, and what is stopped, are computed once for all tensors.
    let too_large = |[forward, open]: [Cost; 2], made: usize| {
        let once = open.operations / forward.operations + 2.0;
        let bytes = open.bytes.max(forward.bytes);
        subject.too_large(Cost { bytes, ..forward }, PASSES * made as f64 + once)
    };
    let batch =
        affordable_batch(subject.options.batch, |batch| too_large(costs(batch), 1).is_none());
    let costs = costs(batch);
    if let Some(why) = too_large(costs, 1) {
        return CheckResult::skipped(NAME, why);
    }
    let env = subject.env(open, batch);
    let affordable = |made: usize| too_large(costs, made + 1).is_none();
    let errors = match errors_of(forward, open, batch, &env, &affordable) {
        Ok(errors) => errors,
        Err(fault) => return CheckResult::skipped(NAME, fault.to_string()),
    };
    let Some((errors, left)) = errors else {
        return CheckResult::skipped(NAME, "the loss of what is drawn is not finite".into());
    };
    let mut worst = WorstError::default();
    for GradientError { name, error } in &errors {
        worst.take(*error, || place(session, subject, name));
    }
    let rest = if left > 0 {
        format!("; {left} left out, for time (`--thorough` checks all)")
    } else {
        String::new()
    };
    let made = errors.len();
    CheckResult::within(NAME, format!("{made} tensors against differences in f64{rest}"), worst)
}

/// The batch options for, or the largest of its halves that can be afforded; two samples at least, or
/// a layer that normalizes a batch would give nothing.
fn affordable_batch(options: usize, affordable: impl Fn(usize) -> bool) -> usize {
    let mut batch = options;
    while batch >= 4 && !affordable(batch) {
        batch /= 2;
    }
    batch
}

/// The tensor's name, and where it stands in the program.
fn place(session: &Session, subject: &Subject, name: &str) -> String {
    let param = subject.open.params.values().find(|param| param.path == name);
    let origin = param.and_then(|param| param.origin);
    let chain = origin.into_iter().flat_map(|origin| subject.open.origins.chain(origin));
    let mut own = chain.filter(|origin| !session.sources.file(origin.span.file).builtin);
    match own.next() {
        Some(origin) => format!("`{name}`, {}", session.sources.place(origin.span)),
        None => format!("`{name}`"),
    }
}

/// The errors of all gradients among the outputs of `open`, the training step of the graph `forward`,
/// at a point near what `env` says; nothing where the loss is not finite there.
pub fn gradient_errors(
    forward: &Graph,
    open: &Graph,
    batch: usize,
    env: &Env,
) -> Result<Option<Vec<GradientError>>, InterpError> {
    let errors = errors_of(forward, open, batch, env, &|_| true)?;
    Ok(errors.map(|(errors, _)| errors))
}

/// The same, of as many tensors as can be afforded, and how many are left.
fn errors_of(
    forward: &Graph,
    open: &Graph,
    batch: usize,
    env: &Env,
    affordable: &dyn Fn(usize) -> bool,
) -> Result<Option<(Vec<GradientError>, usize)>, InterpError> {
    let (forward, open) = (widened(forward), widened(open));
    let mut found: Vec<(TensorPlace, Evidence)> = Vec::new();
    let mut left = None;
    for number in 0..POINTS {
        // The last point is where training begins.
        let far = if number + 1 == POINTS { 0.0 } else { 0.05 };
        let Some(point) = GradientPoint::new(&forward, &open, batch, &moved(env, number, far))?
        else {
            continue;
        };
        let tensors = point.tensors();
        let made = (0..tensors.len()).take_while(|&made| affordable(made)).count();
        left.get_or_insert(tensors.len() - made);
        for (index, (at, gradient)) in tensors.into_iter().take(made).enumerate() {
            match found.get_mut(index) {
                None => {
                    let evidence = point.evidence(&at, gradient);
                    found.push((at, evidence));
                }
                Some((_, known)) if !known.is_good() => {
                    *known = known.better(point.evidence(&at, gradient));
                }
                Some(_) => {}
            }
        }
        if !found.is_empty() && found.iter().all(|(_, evidence)| evidence.is_good()) {
            break;
        }
    }
    let error = |(at, evidence): (TensorPlace, Evidence)| GradientError {
        name: at.name(&open),
        error: if evidence.place == Where::Jump { 0.0 } else { evidence.error },
    };
    Ok(left.map(|left| (found.into_iter().map(error).collect(), left)))
}

/// The result of comparing a gradient with differences at a point.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Evidence {
    place: Where,
    /// As a part of what is allowed.
    error: f64,
}

/// The shape of the loss at a point along a direction; the most conclusive come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Where {
    /// One slope on both sides.
    Smooth,
    /// A slope on each side.
    Kink,
    /// No slope on one side: nothing can be said.
    Jump,
}

impl Evidence {
    /// Whether no other point need be options.
    fn is_good(self) -> bool {
        self.place == Where::Smooth && self.error <= 1.0
    }

    /// The more conclusive one, and of equals the one for the gradient: a wrong one is wrong
    /// everywhere.
    fn better(self, other: Evidence) -> Evidence {
        match self.place.cmp(&other.place) {
            std::cmp::Ordering::Less => self,
            std::cmp::Ordering::Greater => other,
            std::cmp::Ordering::Equal => {
                Evidence { place: self.place, error: self.error.min(other.error) }
            }
        }
    }
}

/// Parameters and inputs in `f64`, each moved by a part of its tensor's size; zeros as if that were 1.
fn moved(env: &Env, number: u64, far: f64) -> Env {
    let wide = |tensor: &Tensor, name: &str, far: f64| {
        let Data::F32(values) = &tensor.data else { return tensor.clone() };
        let mut sequence = Sequence::new(number, hash_name(name));
        let size = size(values.iter().map(|&value| f64::from(value)));
        let values = values.iter().map(|&value| {
            let random = f64::from(sequence.word()) / 2f64.powi(31) - 1.0;
            f64::from(value) + far * size * random
        });
        Tensor::new(tensor.shape.clone(), Data::F64(values.collect()))
    };
    let mut moved = env.clone();
    for (index, param) in moved.params.iter_mut().enumerate() {
        *param = wide(param, &format!("param {index}"), far);
    }
    for state in &mut moved.states {
        *state = wide(state, "", 0.0);
    }
    for (name, input) in &mut moved.inputs {
        *input = wide(input, name, far);
    }
    moved
}

/// The root of the mean square; 1 for zeros.
fn size(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    let squares: f64 = values.map(|value| value * value).sum();
    match (squares / count).sqrt() {
        0.0 => 1.0,
        size => size,
    }
}

/// Where a tensor of the model is.
#[derive(Clone, Debug)]
enum TensorPlace {
    Param(usize),
    Input(String),
}

impl TensorPlace {
    fn name(&self, graph: &Graph) -> String {
        match self {
            TensorPlace::Param(index) => {
                let param = graph.params.values().nth(*index);
                param.map_or(String::new(), |param| param.path.clone())
            }
            TensorPlace::Input(name) => format!("input.{name}"),
        }
    }
}

/// A point at which gradients are known.
struct GradientPoint<'a> {
    open: &'a Graph,
    /// The loss, with what is stopped as an input.
    graph: Graph,
    batch: usize,
    env: Env,
    loss: f64,
    gradients: graph::StepOutcome,
}

impl<'a> GradientPoint<'a> {
    /// Nothing where the loss is not finite.
    fn new(
        forward: &Graph,
        open: &'a Graph,
        batch: usize,
        env: &Env,
    ) -> Result<Option<GradientPoint<'a>>, InterpError> {
        let gradients = graph::run(open, batch, env)?;
        // What the forward graph knows comes first among what the step does.
        let mut env = env.clone();
        env.states.truncate(forward.states.len());
        env.hypers.truncate(forward.hypers.len());
        let values = interp::values(forward, batch, &env)?;
        let graph = stopped(forward, &values, &mut env);
        let mut point = GradientPoint { open, graph, batch, env, loss: 0.0, gradients };
        let Some(loss) = point.loss_of(&point.env) else { return Ok(None) };
        point.loss = loss;
        Ok(loss.is_finite().then_some(point))
    }

    /// The tensors whose gradients are known, with these.
    fn tensors(&self) -> Vec<(TensorPlace, &Tensor)> {
        let of = |output: StepOutput| self.gradients.outputs.get(&output.to_string());
        let params = self.open.params.values().enumerate();
        let params = params.filter_map(|(index, param)| {
            Some((TensorPlace::Param(index), of(StepOutput::Gradient(param.path.clone()))?))
        });
        let inputs = self.open.inputs.values().filter_map(|input| {
            let gradient = of(StepOutput::InputGradient(input.name.clone()))?;
            Some((TensorPlace::Input(input.name.clone()), gradient))
        });
        let all = params.chain(inputs);
        all.filter(|(_, gradient)| matches!(gradient.data, Data::F64(_))).collect()
    }

    fn loss_of(&self, env: &Env) -> Option<f64> {
        let outcome = graph::run(&self.graph, self.batch, env).ok()?;
        match &outcome.outputs.get(&StepOutput::Loss.to_string())?.data {
            Data::F64(loss) => loss.first().copied(),
            _ => None,
        }
    }

    /// Compares a tensor's gradient with differences along a random direction.
    fn evidence(&self, at: &TensorPlace, gradient: &Tensor) -> Evidence {
        let value = match at {
            TensorPlace::Param(index) => &self.env.params[*index],
            TensorPlace::Input(input) => &self.env.inputs[input],
        };
        let (Data::F64(values), Data::F64(gradient)) = (&value.data, &gradient.data) else {
            return Evidence { place: Where::Jump, error: 0.0 };
        };
        let mut sequence = Sequence::new(0, hash_name(&at.name(self.open)));
        let signs: Vec<f64> =
            values.iter().map(|_| if sequence.word() & 1 == 0 { 1.0 } else { -1.0 }).collect();
        let products = gradient.iter().zip(&signs).map(|(gradient, sign)| gradient * sign);
        let slope: f64 = products.sum();
        if !slope.is_finite() {
            return Evidence { place: Where::Smooth, error: f64::INFINITY };
        }
        // What cancels in the slope is computed with errors of its own.
        let terms: f64 = gradient.iter().map(|gradient| gradient.abs()).sum();
        let scale = size(values.iter().copied());
        let at_distance = |h: f64| -> f64 {
            let moved = values.iter().zip(&signs).map(|(value, sign)| value + h * sign);
            let tensor = Tensor::new(value.shape.clone(), Data::F64(moved.collect()));
            let mut env = self.env.clone();
            match at {
                TensorPlace::Param(index) => env.params[*index] = tensor,
                TensorPlace::Input(input) => drop(env.inputs.insert(input.clone(), tensor)),
            }
            self.loss_of(&env).unwrap_or(f64::NAN)
        };
        let [wide, narrow] = WIDTHS.map(|width| {
            let h = width * scale;
            let slopes = [(at_distance(h) - self.loss) / h, (self.loss - at_distance(-h)) / h];
            let noise = 32.0 * f64::EPSILON * self.loss.abs() / h;
            (slopes, noise)
        });
        evidence(slope, terms, wide, narrow)
    }
}

/// One-sided slopes, forward and backward, and how much of them is rounding.
type Slopes = ([f64; 2], f64);

/// Compares a derivative with slopes over two widths; `terms` is the size of its summands.
fn evidence(slope: f64, terms: f64, (wide, _): Slopes, (narrow, noise): Slopes) -> Evidence {
    let allowed = TOLERANCE * slope.abs() + 1e-7 * terms + noise + 1e-9;
    // A slope is there if it does not grow as the width shrinks.
    let size = |a: f64, b: f64| a.abs().max(b.abs());
    let near = |a: f64, b: f64| (a - b).abs() <= 10.0 * (allowed + TOLERANCE * size(a, b));
    let [forward, backward] = narrow;
    if !(near(wide[0], forward) && near(wide[1], backward)) {
        return Evidence { place: Where::Jump, error: 0.0 };
    }
    let place = if near(forward, backward) { Where::Smooth } else { Where::Kink };
    let outside = (forward.min(backward) - slope).max(slope - forward.max(backward)).max(0.0);
    Evidence { place, error: outside / allowed }
}

/// The graph with an input for each value that is stopped: as it is at this point.
fn stopped(forward: &Graph, values: &[Tensor], env: &mut Env) -> Graph {
    let mut graph = forward.clone();
    let stops = |(_, node): &(NodeId, &graph::Node)| node.op == Op::StopGradient;
    let nodes: Vec<NodeId> = forward.nodes.iter().filter(stops).map(|(id, _)| id).collect();
    for id in nodes {
        let name = format!("stopped {id}");
        env.inputs.insert(name.clone(), values[id.index()].clone());
        let ty = graph.nodes[id].ty.clone();
        let input = graph.inputs.push(Input { name, ty });
        let node = &mut graph.nodes[id];
        (node.op, node.args) = (Op::Input(input), NodeArgs::new());
    }
    graph
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinks_and_jumps_are_told_from_slopes() {
        let of = |slope, wide, narrow| evidence(slope, 1.0, (wide, 1e-10), (narrow, 1e-9));
        assert!(of(2.0, [2.001, 1.999], [2.0001, 1.9999]).is_good());
        let wrong = of(2.1, [2.001, 1.999], [2.0001, 1.9999]);
        assert!(wrong.place == Where::Smooth && wrong.error > 1.0);
        let kink = of(0.3, [1.0, 0.0], [1.0, 0.0]);
        assert_eq!(kink, Evidence { place: Where::Kink, error: 0.0 });
        assert!(of(1.5, [1.0, 0.0], [1.0, 0.0]).error > 1.0, "no subgradient");
        assert_eq!(of(1.5, [1e5, 0.0], [1e6, 0.0]).place, Where::Jump);
        assert_eq!(of(1.5, [f64::NAN, 0.0], [f64::NAN, 0.0]).place, Where::Jump);
        assert_eq!(kink.better(wrong), wrong, "what is smooth says more");
    }
    use crate::base::tensor::DType;
    use crate::graph::builder::Builder;
    use crate::graph::{Binary, Dim, Init, Param, Reduce, Type, Unary};
    use crate::pass::autodiff;

    /// `mean(f(x · w))` of a parameter `w`, and its step.
    fn graphs(f: impl FnOnce(&mut Builder, NodeId) -> NodeId, first: f64) -> (Graph, Graph, Env) {
        let mut builder = Builder::new("g");
        let x = builder.input("x", Type::new(DType::F32, vec![Dim::N, Dim::Known(3)]));
        let w = builder.param(Param {
            path: "w".into(),
            ty: Type::new(DType::F32, vec![Dim::Known(3)]),
            init: Init::Constant(first),
            origin: None,
        });
        let product = builder.binary(Binary::Mul, x, w).unwrap();
        let sum = builder.reduce(Reduce::Sum, product, &[1], false).unwrap();
        let made = f(&mut builder, sum);
        let loss = builder.mean(made, &[0], false).unwrap();
        builder.output("loss", loss);
        let graph = builder.finish();
        let open = autodiff::run(&graph, autodiff::Wrt::default());
        let x = Tensor::f32([4, 3], (0..12).map(|it| (it as f32 * 0.7).sin()).collect());
        let env = Env::initial(&open, 3).with("x", x);
        (graph, open, env)
    }

    fn worst(graph: &Graph, open: &Graph, env: &Env) -> f64 {
        let errors = gradient_errors(graph, open, 4, env).unwrap().expect("finite");
        assert_eq!(errors.len(), 1);
        errors[0].error
    }

    #[test]
    fn a_gradient_that_is_a_little_wrong_is_found() {
        let (graph, open, env) = graphs(|b, x| b.unary(Unary::Tanh, x).unwrap(), 0.3);
        assert!(worst(&graph, &open, &env) <= 1.0);
        for factor in [1.01, 0.99, -1.0, 0.0] {
            let mut builder = Builder::resume(open.clone());
            let gradient = open.output("grad.w").unwrap();
            let by = builder.constant(factor, DType::F32);
            let wrong = builder.binary(Binary::Mul, gradient, by).unwrap();
            let mut wrong_step = builder.finish();
            wrong_step.outputs.iter_mut().for_each(|output| {
                if output.name == StepOutput::Gradient("w".to_owned()) {
                    output.node = wrong;
                }
            });
            assert!(worst(&graph, &wrong_step, &env) > 1.0, "{factor}");
        }
    }

    #[test]
    fn what_is_stopped_is_no_part_of_the_slope() {
        let (graph, open, env) = graphs(
            |b, x| {
                let stopped = b.op(Op::StopGradient, &[x]).unwrap();
                b.binary(Binary::Mul, x, stopped).unwrap()
            },
            0.7,
        );
        assert!(worst(&graph, &open, &env) <= 1.0);
    }

    #[test]
    fn a_first_value_on_a_kink_is_stepped_away_from() {
        let relu = |b: &mut Builder, x: NodeId| {
            let zero = b.constant(0.0, DType::F32);
            let positive = b.binary(Binary::Gt, x, zero).unwrap();
            b.select(positive, x, zero).unwrap()
        };
        let (graph, open, env) = graphs(relu, 0.0);
        assert!(worst(&graph, &open, &env) <= 1.0);
    }
}
