//! Values and derivatives where numbers are special: zeros of both signs, kinks, ties, the largest
//! and the smallest numbers, saturation, overflow in a branch that is not taken.
//!
//! Every function of floats is computed by every engine over all exponents and both signs. Every
//! activation and every loss of the prelude is computed at special points, with its derivative, and
//! compared with its formula in `f64`. The tests loop over the operators and over the prelude's
//! text: an item without a formula here fails.

mod support;

use std::collections::BTreeSet;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

use nnc::base::scalar::{Binary, Unary};
use nnc::base::tensor::{DType, Tensor};
use nnc::elaborate::PRELUDE;
use nnc::graph::{Builder, Shape, Type};
use support::engines::{Engine, Job, Left, Tensors, targets};
use support::pipeline::{experiment, training_with_gradients};

/// The oracle, and compiled code for the first target that this processor has.
fn engines() -> Vec<Engine> {
    let compiled = targets().next().map(|target| Engine::Compiled(target, 1));
    [Engine::Graph].into_iter().chain(compiled).collect()
}

/// Whether `got` is `want` up to a relative and an absolute error; what is denormal counts as 0, and
/// what rounds to infinity as infinite.
fn close(got: f32, want: f64, relative: f64, absolute: f64) -> bool {
    let smallest = f64::from(f32::MIN_POSITIVE) * 1.000_002;
    if want.is_nan() {
        return got.is_nan();
    }
    if want.abs() > f64::from(f32::MAX) * (1.0 - relative) {
        let most = f64::from(f32::MAX) * (1.0 - 2.0 * relative);
        return f64::from(got).abs() >= most && (got > 0.0) == (want > 0.0);
    }
    (f64::from(got) - want).abs() <= relative * want.abs() + absolute.max(smallest)
}

/// Three numbers of every exponent and of both signs, zeros, and the ends of the range.
fn every_exponent() -> Vec<f32> {
    let mut values = vec![0.0, -0.0, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY];
    for exponent in -126..=127 {
        for fraction in [1.0f32, 1.371_1, 1.999_9] {
            let size = fraction * 2.0f32.powi(exponent);
            values.extend([size, -size]);
        }
    }
    values
}

#[test]
fn every_engine_computes_every_function_over_all_exponents() {
    let x = every_exponent();
    // Another order, and as often a number near 1: powers of these are finite.
    let other = |index: usize| match index % 2 {
        0 => x[index * 389 % x.len()],
        _ => x[index * 389 % x.len()].clamp(-8.0, 8.0),
    };
    let y: Vec<f32> = (0..x.len()).map(other).collect();
    let mut b = Builder::new("functions");
    let ty = Type::new(DType::F32, Shape::known(&[x.len()]));
    let (a, c) = (b.input("x", ty.clone()), b.input("y", ty));
    for &op in Unary::ALL.iter().filter(|&&op| op != Unary::Not) {
        let value = b.unary(op, a).expect("a function of a float");
        b.output(op.name(), value);
    }
    let arithmetic = |op: &&Binary| !op.is_comparison() && !matches!(op, Binary::And | Binary::Or);
    for &op in Binary::ALL.iter().filter(arithmetic) {
        let value = b.binary(op, a, c).expect("a function of two floats");
        b.output(op.name(), value);
    }
    let given: Tensors =
        [("x", &x), ("y", &y)].map(|(n, v)| (n.into(), Tensor::f32([v.len()], v.clone()))).into();
    let inputs = move |_| given.clone();
    let job = Job {
        graph: b.finish(),
        batch: 1,
        seed: 0,
        given: Tensors::new(),
        inputs: Box::new(inputs),
    };
    for engine in Engine::all() {
        let left = engine.run(&job, 1);
        for (index, (&x, &y)) in x.iter().zip(&y).enumerate() {
            let (a, c) = (f64::from(x), f64::from(y));
            let check = |name: &str, want: f64| {
                let got = left.outputs[name][index];
                assert!(
                    close(got, want, 1e-6, 0.0),
                    "{} {name}({x:e}, {y:e}) = {got:e}, not {want:e}",
                    engine.name()
                );
            };
            let unary = Unary::ALL.iter().filter(|&&op| op != Unary::Not);
            unary.for_each(|op| check(op.name(), op.eval(a)));
            Binary::ALL.iter().filter(arithmetic).for_each(|op| check(op.name(), op.eval(a, c)));
        }
    }
}

/// One step of a program on these inputs, with all gradients.
fn run(engine: Engine, text: &str, inputs: Vec<(&str, Tensor)>) -> Left {
    let graph = training_with_gradients(&experiment(text, Vec::new()));
    let batch = inputs[0].1.shape[0];
    let inputs: Tensors =
        inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let job = Job {
        graph,
        batch,
        seed: 0,
        given: Tensors::new(),
        inputs: Box::new(move |_| inputs.clone()),
    };
    engine.run(&job, 1)
}

/// The items of a kind in the prelude, between two of its headings.
fn items(kind: &str, from: &str, to: &str) -> BTreeSet<String> {
    let (start, end) =
        (PRELUDE.find(from).expect("a heading"), PRELUDE.find(to).expect("a heading"));
    let lines = PRELUDE[start..end].lines().filter_map(|line| line.strip_prefix(kind));
    lines.filter_map(|line| line.split('(').next()).map(str::to_owned).collect()
}

fn names<T>(table: &[(&str, T)], others: &[&str]) -> BTreeSet<String> {
    let named = table.iter().map(|(call, _)| call.split('(').next().unwrap_or(call).to_owned());
    named.chain(others.iter().map(|&name| name.to_owned())).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// A function and its derivative.
type Curve = fn(f64) -> (f64, f64);

/// The activations of one element.
const ACTIVATIONS: &[(&str, Curve)] = &[
    ("relu", |x| if x > 0.0 { (x, 1.0) } else { (0.0, 0.0) }),
    ("leaky_relu", |x| if x > 0.0 { (x, 1.0) } else { (0.01 * x, 0.01) }),
    ("elu(alpha: 2.0)", |x| if x > 0.0 { (x, 1.0) } else { (2.0 * x.exp_m1(), 2.0 * x.exp()) }),
    ("selu", |x| {
        let (scale, alpha) = (1.0507009873554805, 1.6732632423543772);
        if x > 0.0 {
            (scale * x, scale)
        } else {
            (scale * alpha * x.exp_m1(), scale * alpha * x.exp())
        }
    }),
    ("gelu", |x| {
        let cdf = 0.5 * libm::erfc(-x * FRAC_1_SQRT_2);
        let bell = (-0.5 * x * x).exp() / (2.0 * PI).sqrt();
        (x * cdf, cdf + x * bell)
    }),
    ("silu", |x| (x * sigmoid(x), sigmoid(x) + x * sigmoid(x) * sigmoid(-x))),
    ("softplus", |x| (softplus(x), sigmoid(x))),
    ("mish", |x| {
        let tanh = softplus(x).tanh();
        (x * tanh, tanh + x * (1.0 - tanh * tanh) * sigmoid(x))
    }),
    ("hard_swish", |x| match x {
        x if x <= -3.0 => (0.0, 0.0),
        x if x >= 3.0 => (x, 1.0),
        x => (x * (x + 3.0) / 6.0, (2.0 * x + 3.0) / 6.0),
    }),
    ("relu6", |x| if x <= 0.0 || x >= 6.0 { (x.clamp(0.0, 6.0), 0.0) } else { (x, 1.0) }),
    ("hard_sigmoid", |x| match x {
        x if x <= -3.0 => (0.0, 0.0),
        x if x >= 3.0 => (1.0, 0.0),
        x => ((x + 3.0) / 6.0, 1.0 / 6.0),
    }),
    ("prelu", |x| if x > 0.0 { (x, 1.0) } else { (0.25 * x, 0.25) }),
];

/// Kinks, zeros, saturation, the ends of the range.
const POINTS: [f32; 31] = [
    0.0,
    -0.0,
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    1e-20,
    -1e-20,
    1e-6,
    -1e-6,
    0.5,
    -0.5,
    1.0,
    -1.0,
    3.0,
    -3.0,
    2.999_9,
    -2.999_9,
    6.0,
    -6.0,
    10.0,
    -10.0,
    20.0,
    -20.0,
    87.0,
    -87.0,
    100.0,
    -100.0,
    1e4,
    -1e4,
    1e30,
    -1e30,
    f32::MAX,
];

#[test]
fn every_activation_at_special_points() {
    // Those of whole rows are in `tests/sequences.rs` and in PyTorch's cases.
    let rows = ["softmax", "log_softmax", "glu", "swiglu"];
    let wanted = items("layer ", "- activations", "- losses");
    assert_eq!(names(ACTIVATIONS, &rows), wanted);
    for (call, curve) in ACTIVATIONS {
        let text = format!(
            "loss total(y: f32[N, 1], target: f32[N, 1]) -> f32[N] {{ sum(y, axis: 1) }}\n\
             model m(x: f32[N, 1]) -> f32[N, 1] {{ x |> {call} }}\n\
             train m {{\n    loss = total\n    optimizer = sgd\n}}"
        );
        let x = Tensor::f32([POINTS.len(), 1], POINTS.to_vec());
        for engine in engines() {
            let left = run(engine, &text, vec![("x", x.clone()), ("label", x.clone())]);
            for (index, &point) in POINTS.iter().enumerate() {
                let (value, slope) = curve(f64::from(point));
                let got = left.outputs["output"][index];
                let got_slope = left.outputs["grad.input.x"][index] * POINTS.len() as f32;
                let what = format!("{call} at {point:e}, {}", engine.name());
                assert!(close(got, value, 2e-5, 0.0), "{what}: {got:e}, not {value:e}");
                assert!(
                    close(got_slope, slope, 5e-6, 2e-6),
                    "{what}: slope {got_slope:e}, not {slope:e}"
                );
            }
        }
    }
}

/// Far below 0 a slope is small, and its digits must hold all the same.
#[test]
fn slopes_of_exponential_tails_keep_their_digits() {
    let points = [-1.0f32, -5.0, -9.0, -14.0, -20.0, -40.0, -80.0];
    let tails = ["elu(alpha: 2.0)", "selu", "softplus"];
    let curves = ACTIVATIONS.iter().filter(|(call, _)| tails.contains(call));
    let expm1: (&str, Curve) = ("steep", |x| (x.exp_m1(), x.exp()));
    let curves: Vec<_> = curves.chain([&expm1]).collect();
    assert_eq!(curves.len(), 4);
    for (call, curve) in curves {
        let text = format!(
            "layer steep(x: f32[..S]) -> f32[..S] {{ expm1(x) }}\n\
             loss total(y: f32[N, 1], target: f32[N, 1]) -> f32[N] {{ sum(y, axis: 1) }}\n\
             model m(x: f32[N, 1]) -> f32[N, 1] {{ x |> {call} }}\n\
             train m {{\n    loss = total\n    optimizer = sgd\n}}"
        );
        let x = Tensor::f32([points.len(), 1], points.to_vec());
        for engine in engines() {
            let left = run(engine, &text, vec![("x", x.clone()), ("label", x.clone())]);
            for (index, &point) in points.iter().enumerate() {
                let (_, slope) = curve(f64::from(point));
                let got = left.outputs["grad.input.x"][index] * points.len() as f32;
                let what = format!("{call} at {point}, {}", engine.name());
                assert!(close(got, slope, 1e-5, 0.0), "{what}: slope {got:e}, not {slope:e}");
            }
        }
    }
}

/// The loss of a sample and its derivative by each output.
type Loss = fn(&[f64], &[f64]) -> (f64, Vec<f64>);

fn log_softmax(x: &[f64]) -> Vec<f64> {
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = x.iter().map(|x| (x - most).exp()).sum();
    x.iter().map(|x| x - most - total.ln()).collect()
}

/// `-Σ weights·log softmax(x)`, and its derivative.
fn entropy(x: &[f64], weights: &[f64]) -> (f64, Vec<f64>) {
    let logp = log_softmax(x);
    let sum: f64 = weights.iter().sum();
    let loss = -logp.iter().zip(weights).map(|(l, w)| l * w).sum::<f64>();
    (loss, logp.iter().zip(weights).map(|(l, w)| sum * l.exp() - w).collect())
}

fn one_hot(x: &[f64], label: f64) -> Vec<f64> {
    (0..x.len()).map(|class| f64::from(u8::from(class == label as usize))).collect()
}

fn focal(x: &[f64], label: f64, gamma: f64) -> (f64, Vec<f64>) {
    let logp = log_softmax(x);
    let at = logp[label as usize];
    let miss = -at.exp_m1();
    // d/dlogp of -(1 - p)^gamma·logp; a sure sample has none.
    let slope = if miss == 0.0 {
        0.0
    } else {
        gamma * miss.powf(gamma - 1.0) * at.exp() * at - miss.powf(gamma)
    };
    let hot = one_hot(x, label);
    let slopes = logp.iter().zip(hot).map(|(l, hot)| slope * (hot - l.exp())).collect();
    (-miss.powf(gamma) * at, slopes)
}

/// The mean over outputs of a function of the error.
fn of_error(x: &[f64], t: &[f64], f: Curve) -> (f64, Vec<f64>) {
    let all: Vec<(f64, f64)> = x.iter().zip(t).map(|(x, t)| f(x - t)).collect();
    let n = x.len() as f64;
    (all.iter().map(|(v, _)| v).sum::<f64>() / n, all.iter().map(|(_, s)| s / n).collect())
}

fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

/// Losses of class labels: the target is one number.
const OF_LABELS: &[(&str, Loss)] = &[
    ("cross_entropy", |x, t| entropy(x, &one_hot(x, t[0]))),
    ("cross_entropy(smoothing: 0.25)", |x, t| {
        let share = 0.25 / x.len() as f64;
        let weights: Vec<f64> = one_hot(x, t[0]).iter().map(|hot| 0.75 * hot + share).collect();
        entropy(x, &weights)
    }),
    // What is ignored is 0, with no slope.
    ("cross_entropy(ignore: 1)", |x, t| match t[0] {
        1.0 => (0.0, vec![0.0; x.len()]),
        label => entropy(x, &one_hot(x, label)),
    }),
    ("nll", |x, t| (-x[t[0] as usize], one_hot(x, t[0]).iter().map(|hot| -hot).collect())),
    ("focal(gamma: 0.5)", |x, t| focal(x, t[0], 0.5)),
    ("focal", |x, t| focal(x, t[0], 2.0)),
    ("hinge", |x, t| {
        let (label, n) = (t[0] as usize, x.len() as f64);
        let excess = |class: usize| if class == label { 0.0 } else { 1.0 - x[label] + x[class] };
        let over: Vec<f64> = (0..x.len()).map(|class| excess(class).max(0.0)).collect();
        let mut slopes: Vec<f64> = over.iter().map(|&o| f64::from(u8::from(o > 0.0)) / n).collect();
        slopes[label] = -slopes.iter().sum::<f64>();
        (over.iter().sum::<f64>() / n, slopes)
    }),
];

/// Losses of numbers: the target has the output's shape.
const OF_NUMBERS: &[(&str, Loss)] = &[
    ("mse", |x, t| of_error(x, t, |e| (e * e, 2.0 * e))),
    ("mae", |x, t| of_error(x, t, |e| (e.abs(), sign(e)))),
    ("huber", |x, t| {
        of_error(x, t, |e| if e.abs() < 1.0 { (0.5 * e * e, e) } else { (e.abs() - 0.5, sign(e)) })
    }),
    ("binary_cross_entropy", |x, t| {
        let n = x.len() as f64;
        let loss = x.iter().zip(t).map(|(x, t)| t * softplus(-x) + (1.0 - t) * softplus(*x));
        let slopes = x.iter().zip(t).map(|(x, t)| ((1.0 - t) * sigmoid(*x) - t * sigmoid(-x)) / n);
        (loss.sum::<f64>() / n, slopes.collect())
    }),
    ("kl_divergence", |x, t| {
        let each = |(x, t): (&f64, &f64)| if *t > 0.0 { t * (t.ln() - x) } else { 0.0 };
        (x.iter().zip(t).map(each).sum(), t.iter().map(|t| -t).collect())
    }),
];

/// Outputs for three classes: equal, zero, saturated, huge, exactly at margins.
const LOGITS: [[f32; 3]; 10] = [
    [0.0, 0.0, 0.0],
    [-0.0, 0.0, -0.0],
    [1.0, 0.0, 0.0],
    [0.0, 1.0, 2.0],
    [30.0, -30.0, 0.0],
    [100.0, 0.0, -100.0],
    [1e4, -1e4, 1e4],
    [5.0, 5.0, 5.0],
    [1e30, 0.0, -1e30],
    [-1.0, -1.0, 1.0],
];

fn compare(call: &str, targets: &[Vec<f32>], loss: Loss, logits: &[[f32; 3]]) {
    let text = format!(
        "model m(x: f32[N, 3]) -> f32[N, 3] {{ x }}\n\
         train m {{\n    loss = {call}\n    optimizer = sgd\n}}"
    );
    for (x, t) in logits.iter().flat_map(|x| targets.iter().map(move |t| (x, t))) {
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let (value, slopes) = loss(&wide(x), &wide(t));
        if value > 1e37 {
            continue;
        }
        let given = match t.len() {
            1 => Tensor::i32([1], vec![t[0] as i32]),
            _ => Tensor::f32([1, 3], t.clone()),
        };
        for engine in engines() {
            let inputs = vec![("x", Tensor::f32([1, 3], x.to_vec())), ("label", given.clone())];
            let left = run(engine, &text, inputs);
            let what = format!("{call} of {x:?} for {t:?}, {}", engine.name());
            let got = left.outputs["loss"][0];
            let most = slopes.iter().fold(0f64, |most, slope| most.max(slope.abs()));
            assert!(close(got, value, 1e-5, 1e-7), "{what}: {got:e}, not {value:e}");
            for (got, want) in left.outputs["grad.input.x"].iter().zip(&slopes) {
                let good = close(*got, *want, 1e-5, 1e-6 * most.max(1.0));
                assert!(good, "{what}: slope {got:e}, not {want:e}");
            }
        }
    }
}

#[test]
fn every_loss_at_special_points() {
    let mut known = names(OF_LABELS, &[]);
    known.extend(names(OF_NUMBERS, &[]));
    assert_eq!(known, items("loss ", "- losses", "- metrics"));
    let labels: Vec<Vec<f32>> = (0..3).map(|label| vec![label as f32]).collect();
    for &(call, loss) in OF_LABELS {
        compare(call, &labels, loss, &LOGITS);
    }
    let numbers = vec![vec![0.0, 1.0, 0.0], vec![1.0, 0.0, 1.0], vec![0.5, 0.25, 0.25]];
    for &(call, loss) in OF_NUMBERS {
        compare(call, &numbers, loss, &LOGITS);
    }
    // A log-probability of -∞ where the target is 0.
    let kl = OF_NUMBERS.iter().find(|(call, _)| *call == "kl_divergence").expect("listed").1;
    compare("kl_divergence", &[vec![0.0, 1.0, 0.0]], kl, &[[f32::NEG_INFINITY, 0.0, -1.0]]);
}

/// A reciprocal that is denormal would make every quotient 0.
#[test]
fn a_division_by_a_large_number_is_none_by_a_reciprocal_of_0() {
    let mut b = Builder::new("quotients");
    let x = b.input("x", Type::new(DType::F32, Shape::known(&[3])));
    for (name, divisor) in
        [("constant", b.constant(3e38, DType::F64)), ("hyper", b.hyper("h", 3e38))]
    {
        let quotient = b.binary(Binary::Div, x, divisor).expect("a tensor and a scalar");
        b.output(name, quotient);
    }
    let given: Tensors =
        [("x".to_owned(), Tensor::f32([3], vec![3e38, -1.5e38, 1e30]))].into_iter().collect();
    let inputs = move |_| given.clone();
    let job = Job {
        graph: b.finish(),
        batch: 1,
        seed: 0,
        given: Tensors::new(),
        inputs: Box::new(inputs),
    };
    for engine in Engine::all() {
        let left = engine.run(&job, 1);
        for name in ["constant", "hyper"] {
            for (got, want) in left.outputs[name].iter().zip([1.0, -0.5, 1e30 / 3e38]) {
                assert!(close(*got, want, 1e-6, 0.0), "{}, {name}: {got:e}", engine.name());
            }
        }
    }
}
