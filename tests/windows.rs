//! Pooling, its gradients and convolutions of each channel by itself, of many shapes: every
//! engine gives what the graph's interpreter gives, to the bit on every target.

#[path = "engines/check.rs"]
mod check;
mod support;

use check::compare;
use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Data, Tensor};
use nnc::graph::kernels::{KernelKind, Kernels};
use nnc::graph::{Builder, Env, Graph, Op, Shape, Type, Window};

/// Windows, and the extents of the images under them.
fn windows() -> Vec<(Window, [usize; 2])> {
    let of = |size, stride, pad, dilation| Window { size, stride, pad, dilation };
    let none = [(0, 0); 2];
    vec![
        (of([2, 2], [2, 2], none, [1, 1]), [8, 8]),
        (of([2, 2], [2, 2], none, [1, 1]), [7, 9]),
        (of([3, 3], [2, 2], [(1, 1); 2], [1, 1]), [9, 8]),
        (of([3, 3], [1, 1], [(1, 1); 2], [1, 1]), [6, 11]),
        (of([3, 2], [1, 3], [(0, 1), (1, 0)], [2, 1]), [9, 10]),
        (of([1, 3], [1, 2], [(0, 0), (1, 1)], [1, 2]), [1, 13]),
        (of([5, 5], [1, 1], [(2, 2); 2], [1, 1]), [7, 9]),
        (of([6, 6], [6, 6], none, [1, 1]), [6, 6]),
        (of([1, 1], [3, 2], none, [1, 1]), [7, 5]),
        (of([4, 3], [5, 4], [(1, 2), (0, 2)], [1, 1]), [11, 9]),
    ]
}

/// Inputs of eighths in [-2, 2], with ties; indices of taps.
fn env(graph: &Graph, taps: usize) -> Env {
    let mut sequence = Sequence::new(9, 1);
    let mut env = Env::initial(graph, 9);
    for input in graph.inputs.values() {
        let shape = input.ty.shape.at(1);
        let len: usize = shape.iter().product();
        let data = match input.ty.dtype {
            DType::U8 => Data::U8((0..len).map(|_| sequence.below(taps as u32) as u8).collect()),
            _ => Data::F32((0..len).map(|_| sequence.below(33) as f32 / 8.0 - 2.0).collect()),
        };
        env.inputs.insert(input.name.clone(), Tensor::new(shape, data));
    }
    env
}

/// A graph whose inputs have these types and whose outputs are operators on them.
fn check(
    what: &str,
    inputs: &[(DType, [usize; 4])],
    ops: &[(Op, &[usize])],
    taps: usize,
) -> Kernels {
    let mut builder = Builder::new("windows");
    let args: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(at, (dtype, shape))| {
            builder.input(&format!("x{at}"), Type::new(*dtype, Shape::known(shape)))
        })
        .collect();
    for (at, (op, own)) in ops.iter().enumerate() {
        let own: Vec<_> = own.iter().map(|&arg| args[arg]).collect();
        let node = builder.op(op.clone(), &own).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        builder.output(&format!("y{at}"), node);
    }
    let graph = builder.finish();
    compare(what, &graph, 1, &env(&graph, taps)).0
}

fn cases() -> impl Iterator<Item = (Window, [usize; 4], [usize; 4])> {
    windows().into_iter().enumerate().map(|(at, (window, [h, w]))| {
        let (n, c) = [(3, 5), (17, 8), (2, 1), (5, 3), (4, 16)][at % 5];
        let [oh, ow] = window.output([h, w]).expect("the window fits");
        (window, [n, h, w, c], [n, oh, ow, c])
    })
}

#[test]
fn largest_elements_and_their_taps() {
    for (window, x, _) in cases() {
        let both = [(Op::MaxPool(window), &[0usize][..]), (Op::MaxPoolIndex(window), &[0][..])];
        for ops in [&both[..], &both[..1], &both[1..]] {
            let kernels = check(&format!("{window:?}"), &[(DType::F32, x)], ops, 0);
            assert_eq!(kernels.kernels.len(), 1, "{window:?}");
        }
    }
}

#[test]
fn sums_and_gradients_of_pooling() {
    for (window, x, y) in cases() {
        let extents = [x[1], x[2]];
        let ops = [
            (Op::SumPool(window), &[0usize][..]),
            (Op::SumPoolGrad { window, extents }, &[1]),
            (Op::MaxPoolGrad { window, extents }, &[2, 1]),
        ];
        let inputs = [(DType::F32, x), (DType::F32, y), (DType::U8, y)];
        let kernels = check(&format!("{window:?}"), &inputs, &ops, window.taps());
        assert!(kernels.kernels.values().all(|kernel| kernel.kind == KernelKind::Window));
    }
}

#[test]
fn convolutions_of_each_channel_by_itself() {
    for (window, x, y) in cases() {
        let (groups, extents) = (x[3], [x[1], x[2]]);
        let weights = [window.size[0], window.size[1], 1, groups];
        let ops = [
            (Op::Conv { window, groups }, &[0usize, 2][..]),
            (Op::ConvInputGrad { window, groups, extents }, &[1, 2]),
            (Op::ConvWeightGrad { window, groups }, &[0, 1]),
        ];
        let inputs = [(DType::F32, x), (DType::F32, y), (DType::F32, weights)];
        check(&format!("{window:?}"), &inputs, &ops, 0);
    }
}

/// A window whose first element is not a number names it; another one is passed over by the index
/// and shows in the value.
#[test]
fn not_a_number_under_a_window() {
    let mut builder = Builder::new("nan");
    let x = builder.input("x0", Type::new(DType::F32, Shape::known(&[1, 2, 6, 4])));
    let window = Window { stride: [2, 2], ..Window::plain([2, 2]) };
    for (name, op) in [("y", Op::MaxPool(window)), ("i", Op::MaxPoolIndex(window))] {
        let node = builder.op(op, &[x]).unwrap();
        builder.output(name, node);
    }
    let graph = builder.finish();
    let mut env = env(&graph, 0);
    let mut data: Vec<f32> = env.inputs["x0"].as_f32().to_vec();
    (data[0], data[13], data[24 + 18]) = (f32::NAN, f32::NAN, f32::NAN);
    (data[20], data[24 + 20]) = (f32::NEG_INFINITY, f32::NAN);
    env.inputs.insert("x0".into(), Tensor::new(vec![1, 2, 6, 4], Data::F32(data)));
    compare("nan", &graph, 1, &env);
}
