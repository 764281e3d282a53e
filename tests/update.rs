//! The update pass against a loop written by hand: twenty steps of linear regression with two
//! optimisers, and a step that must not write anything.

mod support;

use nnc::base::tensor::{DType, Tensor};
use nnc::graph::interp::{self, Env};
use nnc::graph::{
    Binary, Builder, Dim, Graph, Init, NodeId, Param, Reduce, Shape, State, Type, Unary,
    UpdateTarget, verify,
};
use nnc::pass::{Gradients, PIPELINE, TrainingStep};
use support::pipeline::{after, optimised};

const BATCH: usize = 4;
const STEPS: u64 = 20;

fn f32_of(dims: Vec<Dim>) -> Type {
    Type::new(DType::F32, dims)
}

fn f(b: &mut Builder, function: Binary, x: NodeId, y: NodeId) -> NodeId {
    b.binary(function, x, y).unwrap()
}

fn number(b: &mut Builder, value: f64) -> NodeId {
    b.constant(value, DType::F64)
}

/// `mean((x·w + b − t)²)`, with a layer state that follows the mean of `x`.
fn regression() -> Graph {
    let mut b = Builder::new("regression");
    let x = b.input("x", f32_of(vec![Dim::N, Dim::Known(3)]));
    let t = b.input("t", f32_of(vec![Dim::N, Dim::Known(2)]));
    let init = Init::Uniform { low: -0.5, high: 0.5 };
    let param = |b: &mut Builder, path: &str, extents: &[usize]| {
        let ty = Type::new(DType::F32, Shape::known(extents));
        b.param(Param { path: path.into(), ty, init: init.clone(), origin: None })
    };
    let w = param(&mut b, "dense.weight", &[3, 2]);
    let bias = param(&mut b, "dense.bias", &[2]);
    let product = b.matmul(x, w).unwrap();
    let y = f(&mut b, Binary::Add, product, bias);
    let error = f(&mut b, Binary::Sub, y, t);
    let square = f(&mut b, Binary::Mul, error, error);
    let loss = b.mean(square, &[0, 1], false).unwrap();
    b.output("loss", loss);

    let ty = Type::new(DType::F32, Shape::known(&[3]));
    let init = Init::Constant(0.0);
    let follow = b.state(State { path: "follow".into(), ty, init, origin: None });
    let mean = b.mean(x, &[0], false).unwrap();
    let gap = f(&mut b, Binary::Sub, mean, follow);
    let tenth = number(&mut b, 0.1);
    let part = f(&mut b, Binary::Mul, gap, tenth);
    let new = f(&mut b, Binary::Add, follow, part);
    let follow = b.graph.states.keys().next().unwrap();
    b.update(UpdateTarget::State(follow), new);
    b.finish()
}

/// A rule's template under construction: `p`, `g`, and its states.
struct Rule {
    b: Builder,
    p: NodeId,
    g: NodeId,
}

impl Rule {
    fn new(name: &str) -> Rule {
        let mut b = Builder::new(name);
        let p = b.input("p", Type::scalar(DType::F32));
        let g = b.input("g", Type::scalar(DType::F32));
        Rule { b, p, g }
    }

    fn state(&mut self, name: &str) -> (UpdateTarget, NodeId) {
        let (ty, init) = (Type::scalar(DType::F32), Init::Constant(0.0));
        let node = self.b.state(State { path: name.into(), ty, init, origin: None });
        let id = self.b.graph.states.keys().next_back().unwrap();
        (UpdateTarget::State(id), node)
    }

    /// `decay · old + factor · x`, written to the state.
    fn average(
        &mut self,
        target: UpdateTarget,
        old: NodeId,
        decay: f64,
        factor: f64,
        x: NodeId,
    ) -> NodeId {
        let b = &mut self.b;
        let (decay, factor) = (number(b, decay), number(b, factor));
        let kept = f(b, Binary::Mul, decay, old);
        let added = f(b, Binary::Mul, factor, x);
        let new = f(b, Binary::Add, kept, added);
        b.update(target, new);
        new
    }

    fn finish(mut self, new: NodeId) -> Graph {
        self.b.output("p", new);
        let graph = self.b.finish();
        assert_eq!(verify(&graph), Ok(()));
        graph
    }
}

/// `m <- 0.9·m + g; p <- p − lr·m`
fn momentum() -> Graph {
    let mut rule = Rule::new("momentum");
    let (target, m) = rule.state("m");
    let m = rule.average(target, m, 0.9, 1.0, rule.g);
    let lr = rule.b.hyper("lr", 0.1);
    let step = f(&mut rule.b, Binary::Mul, lr, m);
    let new = f(&mut rule.b, Binary::Sub, rule.p, step);
    rule.finish(new)
}

/// `p <- p − lr·(m / (1 − 0.9^step)) / (√(v / (1 − 0.999^step)) + 1e-8)`
fn adam() -> Graph {
    let mut rule = Rule::new("adam");
    let ((m_target, m), (v_target, v)) = (rule.state("m"), rule.state("v"));
    let two = number(&mut rule.b, 2.0);
    let square = f(&mut rule.b, Binary::Pow, rule.g, two);
    let m = rule.average(m_target, m, 0.9, 1.0 - 0.9, rule.g);
    let v = rule.average(v_target, v, 0.999, 1.0 - 0.999, square);
    let b = &mut rule.b;
    let lr = b.hyper("lr", 0.05);
    let step = b.step();
    let mut corrected = |x: NodeId, decay: f64| {
        let (one, decay) = (number(b, 1.0), number(b, decay));
        let power = f(b, Binary::Pow, decay, step);
        let rest = f(b, Binary::Sub, one, power);
        f(b, Binary::Div, x, rest)
    };
    let (m, v) = (corrected(m, 0.9), corrected(v, 0.999));
    let root = b.unary(Unary::Sqrt, v).unwrap();
    let epsilon = number(b, 1e-8);
    let divisor = f(b, Binary::Add, root, epsilon);
    let scaled = f(b, Binary::Mul, lr, m);
    let change = f(b, Binary::Div, scaled, divisor);
    let new = f(b, Binary::Sub, rule.p, change);
    rule.finish(new)
}

/// The step graph as the pipeline makes it, and as it is right after `update`.
fn steps(optimizer: &Graph, gradients: Gradients) -> [Graph; 2] {
    let rule = optimizer.clone().into();
    let step = after(PIPELINE.train, &regression(), &TrainingStep { rule, gradients });
    let small = optimised(&step, BATCH);
    [step, small]
}

fn samples() -> (Vec<f64>, Vec<f64>) {
    let x = (0..BATCH * 3).map(|i| f64::from((0.7 * (i as f64 + 1.0)).sin() as f32)).collect();
    let t = (0..BATCH * 2).map(|i| f64::from((0.4 * (i as f64 + 2.0)).cos() as f32)).collect();
    (x, t)
}

fn tensor(shape: &[usize], values: &[f64]) -> Tensor {
    Tensor::f32(shape, values.iter().map(|&value| value as f32).collect())
}

fn env(graph: &Graph, x: &[f64]) -> Env {
    let (_, t) = samples();
    let env = Env::initial(graph, 7);
    env.with("x", tensor(&[BATCH, 3], x)).with("t", tensor(&[BATCH, 2], &t))
}

/// The gradients of weight and bias (in that order, joined) at these parameters.
fn gradients(params: &[f64], x: &[f64], t: &[f64]) -> Vec<f64> {
    let mut gradients = vec![0.0; 8];
    for n in 0..BATCH {
        for j in 0..2 {
            let product: f64 = (0..3).map(|i| x[n * 3 + i] * params[i * 2 + j]).sum();
            let slope = 2.0 * (product + params[6 + j] - t[n * 2 + j]) / (BATCH as f64 * 2.0);
            for i in 0..3 {
                gradients[i * 2 + j] += slope * x[n * 3 + i];
            }
            gradients[6 + j] += slope;
        }
    }
    gradients
}

/// Runs both forms of the step graph beside `rule`, which changes one parameter in place from its
/// gradient, its own two states and the step's number.
fn compare(optimizer: &Graph, rule: impl Fn(&mut f64, f64, &mut [f64; 2], u64)) {
    let (x, t) = samples();
    for graph in steps(optimizer, Gradients::Applied) {
        let mut env = env(&graph, &x);
        let mut params: Vec<f64> =
            env.params.iter().flat_map(|p| p.as_f32()).map(|&p| f64::from(p)).collect();
        let mut states = vec![[0.0; 2]; params.len()];
        for step in 1..=STEPS {
            env.step = step;
            let outcome = interp::run(&graph, BATCH, &env).unwrap();
            let gradient = gradients(&params, &x, &t);
            for ((p, &g), state) in params.iter_mut().zip(&gradient).zip(&mut states) {
                rule(p, g, state, step);
            }
            let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            let reported = f64::from(outcome.outputs["grad_norm"].as_f32()[0]);
            assert!((norm - reported).abs() < 1e-5, "step {step}: norm {norm}, not {reported}");
            assert_eq!(outcome.outputs["finite"].as_f32(), [1.0]);
            (env.params, env.states) = (outcome.params, outcome.states);
            let actual = env.params.iter().flat_map(|p| p.as_f32());
            for (&actual, expected) in actual.zip(&params) {
                let difference = (f64::from(actual) - expected).abs();
                assert!(difference < 2e-5, "step {step}: {expected} by hand, {actual}");
            }
        }
    }
}

#[test]
fn momentum_follows_the_loop_by_hand() {
    compare(&momentum(), |p, g, [m, _], _| {
        *m = 0.9 * *m + g;
        *p -= 0.1 * *m;
    });
}

#[test]
fn adam_follows_the_loop_by_hand() {
    compare(&adam(), |p, g, [m, v], step| {
        *m = 0.9 * *m + 0.1 * g;
        *v = 0.999 * *v + 0.001 * g * g;
        let unbiased = |x: f64, decay: f64| x / (1.0 - decay.powi(step as i32));
        *p -= 0.05 * unbiased(*m, 0.9) / (unbiased(*v, 0.999).sqrt() + 1e-8);
    });
}

#[test]
fn a_step_that_is_not_finite_writes_nothing() {
    for bad in [f64::NAN, f64::INFINITY, 1e30] {
        for graph in steps(&adam(), Gradients::Applied) {
            let (mut x, _) = samples();
            x[5] = bad;
            let env = env(&graph, &x);
            let outcome = interp::run(&graph, BATCH, &env).unwrap();
            assert_eq!(outcome.outputs["finite"].as_f32(), [0.0], "{bad}");
            assert_eq!(outcome.params, env.params, "{bad}");
            assert_eq!(outcome.states, env.states, "{bad}");
        }
    }
}

#[test]
fn everything_that_is_written_has_its_name_and_a_guard() {
    let [graph, _] = steps(&adam(), Gradients::Applied);
    let mut paths: Vec<&str> = graph.states.values().map(|state| state.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "follow",
            "optimizer.m.dense.bias",
            "optimizer.m.dense.weight",
            "optimizer.v.dense.bias",
            "optimizer.v.dense.weight",
        ]
    );
    assert_eq!(graph.updates.len(), 7, "two parameters, two moments of each, a layer's state");
    for update in &graph.updates {
        assert_eq!(graph.nodes[update.node].op, nnc::graph::Op::Where);
    }
    let names = |graph: &Graph| -> Vec<String> {
        graph.outputs.iter().map(|output| output.name.to_string()).collect()
    };
    assert_eq!(names(&graph), ["loss", "grad_norm", "grad_square", "finite"]);
    let [kept, _] = steps(&adam(), Gradients::Shown);
    let gradients = ["grad.dense.weight", "grad.dense.bias", "grad.input.x", "grad.input.t"];
    let made = ["grad_norm", "grad_square", "finite"];
    let with_gradients: Vec<&str> = ["loss"].into_iter().chain(gradients).chain(made).collect();
    assert_eq!(names(&kept), with_gradients);
}

/// What is the same for all parameters is computed once: after `cse` one power for each decay.
#[test]
fn bias_corrections_are_shared() {
    let [graph, small] = steps(&adam(), Gradients::Applied);
    let powers = |graph: &Graph| {
        let nodes = graph.nodes.values();
        nodes
            .filter(|node| {
                node.ty.dtype == DType::F64 && node.op == nnc::graph::Op::Binary(Binary::Pow)
            })
            .count()
    };
    assert_eq!((powers(&graph), powers(&small)), (2, 2));
    let sums = graph.nodes.values().filter(|node| {
        matches!(node.op, nnc::graph::Op::Reduce(Reduce::Sum, _)) && node.ty.shape.is_empty()
    });
    assert_eq!(sums.count(), 4, "the loss, the squares of two gradients, the state's test");
}
