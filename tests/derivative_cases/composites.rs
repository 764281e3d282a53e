//! Cases of what networks are made of: several operators, values used more than once.

use super::{Case, named, values};
use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Tensor};
use nnc::graph::{Binary, Builder, NodeId, Op, Reduce, Shape, Unary};

pub fn all() -> Vec<Case> {
    vec![
        cross_entropy(),
        layer_norm(),
        attention(),
        gelu(),
        reuse(),
        dropout(),
        stopped(),
        recurrence(),
        stacked_from_before(),
    ]
}

fn f(b: &mut Builder, function: Binary, x: NodeId, y: NodeId) -> NodeId {
    b.binary(function, x, y).unwrap()
}

fn random_inputs(seed: u64, shapes: &[&[usize]]) -> Vec<Tensor> {
    let mut random = Sequence::new(13, seed);
    shapes.iter().map(|shape| values(&mut random, shape, -1.0, 1.0)).collect()
}

/// `x − max(x) − log Σ exp(x − max(x))` along the last axis; the maximum is only for range.
fn log_softmax(b: &mut Builder, x: NodeId) -> NodeId {
    let axis = b.ty(x).shape.rank() - 1;
    let largest = b.reduce(Reduce::Max, x, &[axis], true).unwrap();
    let shifted = f(b, Binary::Sub, x, largest);
    let exp = b.unary(Unary::Exp, shifted).unwrap();
    let sum = b.reduce(Reduce::Sum, exp, &[axis], true).unwrap();
    let log = b.unary(Unary::Log, sum).unwrap();
    f(b, Binary::Sub, shifted, log)
}

/// A dense layer under softmax cross-entropy, averaged.
fn cross_entropy() -> Case {
    let mut inputs = random_inputs(0, &[&[4, 3], &[3, 5], &[5]]);
    inputs.push(Tensor::i32([4], vec![0, 4, 2, 2]));
    Case::new("dense, softmax, cross-entropy", named(inputs), |b, args| {
        let product = b.matmul(args[0], args[1]).unwrap();
        let logits = f(b, Binary::Add, product, args[2]);
        let log = log_softmax(b, logits);
        let picked = b.pick(log, args[3]).unwrap();
        b.mean(picked, &[0], false).unwrap()
    })
}

fn layer_norm() -> Case {
    let inputs = random_inputs(1, &[&[3, 6], &[6], &[6]]);
    Case::new("layer norm", named(inputs), |b, args| {
        let mean = b.mean(args[0], &[1], true).unwrap();
        let centred = f(b, Binary::Sub, args[0], mean);
        let square = f(b, Binary::Mul, centred, centred);
        let variance = b.mean(square, &[1], true).unwrap();
        let epsilon = b.constant(1e-5, DType::F64);
        let variance = f(b, Binary::Add, variance, epsilon);
        let scale = b.unary(Unary::Rsqrt, variance).unwrap();
        let normal = f(b, Binary::Mul, centred, scale);
        let scaled = f(b, Binary::Mul, normal, args[1]);
        f(b, Binary::Add, scaled, args[2])
    })
}

/// `softmax(Q·Kᵀ)·V` over two batch axes, from one joined projection cut in three.
fn attention() -> Case {
    let inputs = random_inputs(2, &[&[2, 3, 6], &[6, 12]]);
    Case::new("attention", named(inputs), |b, args| {
        let joined = b.matmul(args[0], args[1]).unwrap();
        let heads = b.reshape(joined, Shape::known(&[2, 3, 2, 6])).unwrap();
        let heads = b.op(Op::Transpose(vec![0, 2, 1, 3]), &[heads]).unwrap();
        let part = |b: &mut Builder, start| {
            let mut ranges = vec![nnc::graph::Range::ALL; 4];
            ranges[3] = nnc::graph::Range { start, len: Some(2), step: 1 };
            b.op(Op::Slice(ranges), &[heads]).unwrap()
        };
        let (q, k, v) = (part(b, 0), part(b, 2), part(b, 4));
        let transposed = Op::MatMul { transpose_a: false, transpose_b: true };
        let scores = b.op(transposed, &[q, k]).unwrap();
        let log = log_softmax(b, scores);
        let weights = b.unary(Unary::Exp, log).unwrap();
        b.matmul(weights, v).unwrap()
    })
}

/// `x/2 · (1 + erf(x/√2))`
fn gelu() -> Case {
    Case::new("gelu", named(random_inputs(3, &[&[8]])), |b, args| {
        let root = b.constant(std::f64::consts::FRAC_1_SQRT_2, DType::F64);
        let scaled = f(b, Binary::Mul, args[0], root);
        let erf = b.unary(Unary::Erf, scaled).unwrap();
        let (one, half) = (b.constant(1.0, DType::F64), b.constant(0.5, DType::F64));
        let sum = f(b, Binary::Add, erf, one);
        let product = f(b, Binary::Mul, args[0], sum);
        f(b, Binary::Mul, product, half)
    })
}

/// One value with many uses, twice in one node among them.
fn reuse() -> Case {
    Case::new("one value, many uses", named(random_inputs(4, &[&[3, 3]])), |b, args| {
        let x = args[0];
        let square = f(b, Binary::Mul, x, x);
        let product = b.matmul(x, square).unwrap();
        let sum = f(b, Binary::Add, product, x);
        let twice = f(b, Binary::Add, sum, sum);
        let tanh = b.unary(Unary::Tanh, twice).unwrap();
        f(b, Binary::Sub, tanh, square)
    })
}

/// Random numbers are constants to the derivative.
fn dropout() -> Case {
    Case::new("dropout", named(random_inputs(5, &[&[4, 4]])), |b, args| {
        let random = b.uniform(Shape::known(&[4, 4]));
        let rate = b.constant(0.5, DType::F64);
        let kept = f(b, Binary::Ge, random, rate);
        let scaled = f(b, Binary::Div, args[0], rate);
        let zero = b.constant(0.0, DType::F64);
        b.select(kept, scaled, zero).unwrap()
    })
}

/// A stop on what depends on the integer part only: differences see no slope there either.
fn stopped() -> Case {
    let x = values(&mut Sequence::new(14, 0), &[4], 2.2, 2.8);
    Case::new("stop_gradient", named([x]), |b, args| {
        let floor = b.unary(Unary::Floor, args[0]).unwrap();
        let stopped = b.stop_gradient(floor).unwrap();
        f(b, Binary::Mul, stopped, args[0])
    })
}

/// `h' = tanh(h·R + x) + c`, `c' = h·v`, from the last slice to the first: a matrix and a vector from
/// before the scan, two carries of which one is handed the other's value, a first value with a
/// gradient.
fn recurrence() -> Case {
    let inputs = random_inputs(7, &[&[5, 2, 3], &[3, 3], &[2, 3], &[3]]);
    Case::new("recurrence", named(inputs), |b, args| {
        let &[x, matrix, first, v] = args else { panic!("four inputs") };
        let scan = b.scan(5, true);
        let slice = b.op(Op::ScanSlice(scan), &[x]).unwrap();
        let zero = b.constant(0.0, DType::F32);
        let zeros = b.broadcast_to(zero, &Shape::known(&[2, 3])).unwrap();
        let (h_carry, h) = b.carry(scan, first).unwrap();
        let (c_carry, c) = b.carry(scan, zeros).unwrap();
        let product = b.matmul(h, matrix).unwrap();
        let sum = f(b, Binary::Add, product, slice);
        let tanh = b.unary(Unary::Tanh, sum).unwrap();
        let next = f(b, Binary::Add, tanh, c);
        let scaled = f(b, Binary::Mul, h, v);
        b.hand_on(h_carry, next);
        b.hand_on(c_carry, scaled);
        let steps = b.op(Op::ScanStack(scan), &[next]).unwrap();
        f(b, Binary::Mul, steps, x)
    })
}

/// A vector from before the scan is stacked as it is, beside what the steps make of it: what no step
/// computes has the sum of its gradients of all steps.
fn stacked_from_before() -> Case {
    let inputs = random_inputs(8, &[&[4, 2, 3], &[2, 3]]);
    Case::new("stacked_from_before", named(inputs), |b, args| {
        let &[x, v] = args else { panic!("two inputs") };
        let scan = b.scan(4, false);
        let slice = b.op(Op::ScanSlice(scan), &[x]).unwrap();
        let squared = f(b, Binary::Mul, v, v);
        let product = f(b, Binary::Mul, slice, squared);
        let products = b.op(Op::ScanStack(scan), &[product]).unwrap();
        let vectors = b.op(Op::ScanStack(scan), &[squared]).unwrap();
        let tanh = b.unary(Unary::Tanh, products).unwrap();
        f(b, Binary::Mul, tanh, vectors)
    })
}
