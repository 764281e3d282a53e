//! Every operator's derivative against finite differences.
//!
//! A case is a graph with `f32` inputs and an output `y`. Its loss is the sum of `y` weighed by
//! random numbers, so that every element of the gradient that a rule is given differs. The
//! derivative along random directions, as autodiff gives it, must agree with Richardson's
//! extrapolation of central differences of `y` as the interpreter computes it. Operators are
//! looped over, and [`every_operator_has_a_case`] fails where one has none.

mod derivative_cases;

use derivative_cases::{Case, all, values};
use nnc::base::rng::{Sequence, hash_name};
use nnc::base::tensor::{Data, Tensor};
use nnc::graph::{Builder, Graph, NodeId, Op, Reduce, Type, Unary};
use nnc::pass::autodiff::{self, Wrt};
use std::collections::BTreeSet;

/// The half step of the coarser difference; the finer one is half of it.
const STEP: f64 = 0.02;
/// Difference allowed, relative to 1 or the size of the derivative: what the interpreter's `f32`
/// leaves of a difference over [`STEP`].
const TOLERANCE: f64 = 1e-3;
/// Directions an input.
const DIRECTIONS: usize = 4;

#[test]
fn every_derivative_agrees_with_finite_differences() {
    let wrong: Vec<String> = all().iter().flat_map(complaints).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is wrong with the gradients of a case.
fn complaints(case: &Case) -> Vec<String> {
    let mut random = Sequence::new(1, hash_name(&case.name));
    let y = case.run(&case.graph, &case.inputs)["y"].clone();
    let weights = values(&mut random, &y.shape, 0.5, 1.5);
    let gradients = gradients(case, &weights);
    let mut wrong = Vec::new();
    for (position, (name, value)) in case.inputs.iter().enumerate() {
        if !matches!(value.data, Data::F32(_)) {
            continue;
        }
        let gradient = &gradients[position];
        assert_eq!(gradient.shape, value.shape, "{}: the shape of {name}'s gradient", case.name);
        for _ in 0..DIRECTIONS {
            let direction = values(&mut random, &value.shape, -1.0, 1.0);
            let expected = extrapolated(case, &weights, position, &direction);
            let actual = dot(gradient, &direction);
            let allowed = TOLERANCE * (1.0 + expected.abs().max(actual.abs()));
            let agrees = (expected - actual).abs() <= allowed; // false for NaN
            if !agrees {
                wrong.push(format!(
                    "{}: along a direction of {name}, differences give {expected}, autodiff {actual}",
                    case.name
                ));
            }
        }
    }
    wrong
}

/// The gradient of the weighed sum by each `f32` input (an empty tensor for others).
fn gradients(case: &Case, weights: &Tensor) -> Vec<Tensor> {
    let graph = autodiff::run(&with_loss(&case.graph), Wrt { inputs: true });
    let mut inputs = case.inputs.clone();
    inputs.push(("weights".into(), weights.clone()));
    let results = case.run(&graph, &inputs);
    let gradient = |(name, value): &(String, Tensor)| match value.data {
        Data::F32(_) => results[&format!("grad.input.{name}")].clone(),
        _ => Tensor::f32([0], Vec::new()),
    };
    case.inputs.iter().map(gradient).collect()
}

/// The graph with an input `weights` of the type of `y` and their dot product as the loss.
fn with_loss(graph: &Graph) -> Graph {
    let mut b = Builder::resume(graph.clone());
    let y = b.graph.output("y").expect("a case has an output y");
    let ty = b.ty(y).clone();
    let weights = b.input("weights", ty.clone());
    let products = b.op(Op::Binary(nnc::graph::Binary::Mul), &[y, weights]).unwrap();
    let axes: Vec<usize> = (0..ty.shape.rank()).collect();
    let loss = b.reduce(Reduce::Sum, products, &axes, false).unwrap();
    b.output("loss", loss);
    b.finish()
}

/// The derivative of the weighed sum along a direction of one input, without its error in `h²`.
fn extrapolated(case: &Case, weights: &Tensor, input: usize, direction: &Tensor) -> f64 {
    let difference = |h: f64| {
        let at = |h: f64| {
            let mut inputs = case.inputs.clone();
            inputs[input].1 = moved(&inputs[input].1, direction, h);
            dot(&case.run(&case.graph, &inputs)["y"], weights)
        };
        (at(h) - at(-h)) / (2.0 * h)
    };
    (4.0 * difference(STEP / 2.0) - difference(STEP)) / 3.0
}

fn moved(x: &Tensor, direction: &Tensor, h: f64) -> Tensor {
    let pairs = x.as_f32().iter().zip(direction.as_f32());
    let moved = pairs.map(|(&x, &d)| (f64::from(x) + h * f64::from(d)) as f32);
    Tensor::f32(x.shape.clone(), moved.collect())
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    a.as_f32().iter().zip(b.as_f32()).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

#[test]
fn every_operator_has_a_case() {
    let cases = all();
    let nodes = cases.iter().flat_map(|case| case.graph.nodes.values());
    let seen: BTreeSet<&str> = nodes.map(|node| node.op.name()).collect();
    // Leaves have no arguments.
    let leaves = ["input", "param", "state", "hyper", "step", "extent", "const", "iota", "uniform"];
    let mut wanted: BTreeSet<&str> = Op::NAMES.iter().copied().collect();
    wanted.extend(Unary::ALL.iter().map(|function| function.name()));
    wanted.extend(nnc::graph::Binary::ALL.iter().map(|function| function.name()));
    let missing: Vec<&&str> =
        wanted.iter().filter(|name| !leaves.contains(name) && !seen.contains(*name)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
}

/// The gradient of the sum of `y` by each of two inputs, in exact cases.
fn exact(
    a: &[f32],
    b: &[f32],
    body: impl Fn(&mut Builder, NodeId, NodeId) -> NodeId,
) -> (Vec<f32>, Vec<f32>) {
    let inputs = [("a", a), ("b", b)]
        .map(|(name, values)| (name.to_owned(), Tensor::f32([values.len()], values.to_vec())));
    let case = Case::new("exact", inputs.to_vec(), |builder, args| {
        let y = body(builder, args[0], args[1]);
        let rank = builder.ty(y).shape.rank();
        builder.reduce(Reduce::Sum, y, &(0..rank).collect::<Vec<_>>(), false).unwrap()
    });
    let gradients = gradients(&case, &Tensor::f32([], vec![1.0]));
    (gradients[0].as_f32().to_vec(), gradients[1].as_f32().to_vec())
}

fn f64_type() -> Type {
    Type::scalar(nnc::base::tensor::DType::F64)
}

#[test]
fn a_branch_not_taken_gets_zero_and_never_nan() {
    // log has an infinite slope at 0: a gradient masked by a product would be 0 · ∞.
    use nnc::graph::Binary::Gt;
    let (a, b) = exact(&[0.0, 1.0, 0.0], &[1.0, 0.0, 2.0], |builder, a, b| {
        let smaller = builder.binary(Gt, b, a).unwrap();
        let chosen = builder.select(smaller, a, b).unwrap();
        builder.unary(Unary::Log, chosen).unwrap()
    });
    let infinity = f32::INFINITY;
    assert_eq!((a, b), (vec![infinity, 0.0, infinity], vec![0.0, infinity, 0.0]));
}

#[test]
fn a_tie_is_shared() {
    use nnc::graph::Binary::{Max, Min};
    for function in [Max, Min] {
        let (a, b) = exact(&[1.0, 0.0, -0.0], &[1.0, -0.0, 0.0], |builder, a, b| {
            builder.binary(function, a, b).unwrap()
        });
        assert_eq!((a, b), (vec![0.5; 3], vec![0.5; 3]), "{}", function.name());
    }
}

#[test]
fn the_first_of_equal_extremes_gets_the_gradient() {
    for (function, values) in [
        (Reduce::Max, [2.0, 7.0, 7.0, 1.0, 7.0, 0.0]),
        (Reduce::Min, [2.0, -1.0, -1.0, 1.0, -1.0, 0.0]),
    ] {
        let (a, _) = exact(&values, &[0.0], |builder, a, _| {
            builder.reduce(function, a, &[0], false).unwrap()
        });
        assert_eq!(a, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0], "{}", function.name());
        // Over several axes, first means first in row-major order of all of them.
        let (a, _) = exact(&values, &[0.0], |builder, a, _| {
            let cube = builder.reshape(a, nnc::graph::Shape::known(&[2, 3, 1])).unwrap();
            builder.reduce(function, cube, &[0, 1, 2], false).unwrap()
        });
        assert_eq!(a, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0], "{} of a cube", function.name());
        // The rows stay apart: [2 7 7], [1 7 0] over the other axis.
        let (a, _) = exact(&values, &[0.0], |builder, a, _| {
            let table = builder.reshape(a, nnc::graph::Shape::known(&[2, 3])).unwrap();
            builder.reduce(function, table, &[0], false).unwrap()
        });
        let columns = match function {
            Reduce::Max => [1.0, 1.0, 1.0, 0.0, 0.0, 0.0],
            _ => [0.0, 1.0, 1.0, 1.0, 0.0, 0.0],
        };
        assert_eq!(a, columns, "{} of columns", function.name());
    }
}

#[test]
fn powers_of_zero_have_finite_gradients() {
    use nnc::graph::Binary::Pow;
    // (0 ^ 2)' = 0, (0 ^ 0)' = 0, (0 ^ 1)' = 1; by the exponent 0 at a base of 0.
    let (a, b) = exact(&[0.0, 0.0, 0.0], &[2.0, 0.0, 1.0], |builder, a, b| {
        builder.binary(Pow, a, b).unwrap()
    });
    assert_eq!((a, b), (vec![0.0, 0.0, 1.0], vec![0.0, 0.0, 0.0]));
    // A constant exponent needs no logarithm: negative bases are fine.
    let (a, _) = exact(&[-3.0, 0.0, 2.0], &[0.0], |builder, a, _| {
        let two = builder.constant(2.0, f64_type().dtype);
        builder.binary(Pow, a, two).unwrap()
    });
    assert_eq!(a, [-6.0, 0.0, 4.0]);
}

/// What the slope of `f` would make of a gradient of 0 at a value that is not taken.
#[test]
fn a_gradient_of_zero_stays_zero_where_a_slope_is_not_finite() {
    use nnc::graph::Binary::{Div, Gt, Mul, Pow, Sub};
    use nnc::graph::Builder as B;
    type Body = fn(&mut B, NodeId) -> NodeId;
    let cube: Body = |b, x| {
        let square = b.binary(Mul, x, x).unwrap();
        b.binary(Mul, square, x).unwrap()
    };
    let bodies: [(&str, f32, Body); 9] = [
        ("log", 0.0, |b, x| b.unary(Unary::Log, x).unwrap()),
        ("log of a negative", -1.0, |b, x| b.unary(Unary::Log, x).unwrap()),
        ("sqrt", 0.0, |b, x| b.unary(Unary::Sqrt, x).unwrap()),
        ("rsqrt", 0.0, |b, x| b.unary(Unary::Rsqrt, x).unwrap()),
        ("exp", 1000.0, |b, x| b.unary(Unary::Exp, x).unwrap()),
        ("1 / x", 0.0, |b, x| {
            let one = b.constant(1.0, f64_type().dtype);
            b.binary(Div, one, x).unwrap()
        }),
        ("x ^ 0.5", 0.0, |b, x| {
            let half = b.constant(0.5, f64_type().dtype);
            b.binary(Pow, x, half).unwrap()
        }),
        ("a product that overflows", 1e30, cube),
        ("x log(x)", 0.0, |b, x| {
            let log = b.unary(Unary::Log, x).unwrap();
            let product = b.binary(Mul, x, log).unwrap();
            let tanh = b.unary(Unary::Tanh, product).unwrap();
            b.binary(Sub, tanh, product).unwrap()
        }),
    ];
    for (name, at, body) in bodies {
        // The second input says which element takes the branch.
        let (slope, _) = exact(&[at, 2.0], &[-1.0, -1.0], |b, x, take| {
            let zero = b.constant(0.0, f64_type().dtype);
            let taken = b.binary(Gt, take, zero).unwrap();
            let value = body(b, x);
            b.select(taken, value, zero).unwrap()
        });
        assert_eq!(slope, [0.0, 0.0], "{name}: in a branch not taken");
        let (slope, _) = exact(&[at, 2.0], &[0.0, 0.0], |b, x, _| {
            let value = body(b, x);
            let row = b.reshape(value, nnc::graph::Shape::known(&[1, 2])).unwrap();
            let second = nnc::graph::Range { start: 1, len: Some(1), step: 1 };
            b.op(Op::Slice(vec![nnc::graph::Range::ALL, second]), &[row]).unwrap()
        });
        assert_eq!(slope[0], 0.0, "{name}: outside a slice");
        assert!(slope[1] != 0.0, "{name}: inside a slice");
    }
}

#[test]
fn a_branch_that_overflows_by_its_constants_gives_nothing() {
    use nnc::graph::Binary::{Add, Gt, Mul, Sub};
    for (function, constants) in [(Mul, [1e38, 100.0]), (Add, [3e38, 3e38])] {
        let (slope, _) = exact(&[1.0, 2.0], &[-1.0, -1.0], |b, x, take| {
            let [first, second, zero] =
                [constants[0], constants[1], 0.0].map(|it| b.constant(it, f64_type().dtype));
            let large = b.binary(function, x, first).unwrap();
            let infinite = b.binary(function, large, second).unwrap();
            let difference = b.binary(Sub, infinite, infinite).unwrap();
            let value = b.unary(Unary::Exp, difference).unwrap();
            let taken = b.binary(Gt, take, zero).unwrap();
            b.select(taken, value, zero).unwrap()
        });
        assert_eq!(slope, [0.0, 0.0], "{function:?}");
    }
}

#[test]
fn a_row_that_is_not_taken_gives_a_product_nothing() {
    use nnc::graph::Binary::Gt;
    // log(a) @ b of rows 0 and 2, of which the first is not taken.
    let (a, b) = exact(&[0.0, 2.0], &[3.0], |builder, a, b| {
        let column = builder.reshape(a, nnc::graph::Shape::known(&[2, 1])).unwrap();
        let log = builder.unary(Unary::Log, column).unwrap();
        let weight = builder.reshape(b, nnc::graph::Shape::known(&[1, 1])).unwrap();
        let product = builder.matmul(log, weight).unwrap();
        let zero = builder.constant(0.0, f64_type().dtype);
        let taken = builder.binary(Gt, column, zero).unwrap();
        builder.select(taken, product, zero).unwrap()
    });
    assert_eq!((a, b), (vec![0.0, 1.5], vec![2f32.ln()]));
}

#[test]
fn kinks_cancel_in_a_smooth_function() {
    use nnc::graph::Binary::{Add, Max};
    // max(x, 0) + log1p(exp(-|x|)) has the derivative sigmoid(x).
    let (slope, _) = exact(&[0.0, -0.0], &[0.0], |b, x, _| {
        let zero = b.constant(0.0, f64_type().dtype);
        let part = b.binary(Max, x, zero).unwrap();
        let size = b.unary(Unary::Abs, x).unwrap();
        let minus = b.unary(Unary::Neg, size).unwrap();
        let exp = b.unary(Unary::Exp, minus).unwrap();
        let rest = b.unary(Unary::Log1p, exp).unwrap();
        b.binary(Add, part, rest).unwrap()
    });
    assert_eq!(slope, [0.5, 0.5]);
}

#[test]
fn no_gradient_passes_a_stop() {
    let (a, _) = exact(&[3.0, 5.0], &[0.0], |builder, a, _| {
        let stopped = builder.stop_gradient(a).unwrap();
        builder.binary(nnc::graph::Binary::Mul, a, stopped).unwrap()
    });
    assert_eq!(a, [3.0, 5.0]);
}

#[test]
fn a_parameter_without_a_path_to_the_loss_gets_zeros() {
    let mut b = Builder::new("unused");
    let x = b.input("x", Type::scalar(nnc::base::tensor::DType::F32));
    let ty = Type::new(nnc::base::tensor::DType::F32, nnc::graph::Shape::known(&[2, 3]));
    let init = nnc::graph::Init::Constant(1.0);
    b.param(nnc::graph::Param { path: "w".into(), ty: ty.clone(), init, origin: None });
    b.output("loss", x);
    let graph = autodiff::run(&b.finish(), Wrt::default());
    let gradient = graph.output("grad.w").expect("every parameter has a gradient");
    assert_eq!(graph.ty(gradient), &ty);
    assert!(graph.output("grad.input.x").is_none(), "inputs only on request");
}
