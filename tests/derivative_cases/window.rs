//! Cases of convolutions, pooling and the variance.

use super::{Case, distinct, named, values};
use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Tensor};
use nnc::graph::{Builder, NodeId, Op, Window};

pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, window) in windows() {
        cases.extend(pools(name, window));
        for groups in [1, 2, 4] {
            cases.extend(convolutions(name, window, groups));
        }
    }
    cases.extend(variances());
    cases
}

/// The height and width of the cases' images.
const EXTENTS: [usize; 2] = [5, 4];

fn windows() -> [(&'static str, Window); 5] {
    let plain = Window::plain([2, 3]);
    [
        ("plain", plain),
        ("strided", Window { stride: [2, 1], ..Window::plain([2, 2]) }),
        ("strided past its size", Window { stride: [3, 2], ..Window::plain([1, 1]) }),
        ("padded", Window { stride: [2, 2], pad: [(1, 1), (0, 2)], ..Window::plain([3, 3]) }),
        ("dilated", Window { dilation: [2, 1], pad: [(1, 0), (0, 0)], ..plain }),
    ]
}

/// A convolution and its two gradients, which are operators too.
fn convolutions(name: &str, window: Window, groups: usize) -> Vec<Case> {
    let mut random = Sequence::new(13, groups as u64);
    let [h, w] = EXTENTS;
    let [oh, ow] = window.output(EXTENTS).expect("the windows fit");
    let [kh, kw] = window.size;
    let mut of = |shape: &[usize]| values(&mut random, shape, -1.0, 1.0);
    let (x, y) = (of(&[2, h, w, 4]), of(&[2, oh, ow, 4]));
    let weights = of(&[kh, kw, 4 / groups, 4]);
    let case = |what: &str, a: &Tensor, b: &Tensor, op: Op| {
        let name = format!("{what} {name} in {groups} groups");
        let inputs = named([a.clone(), b.clone()]);
        Case::new(name, inputs, |b, args| b.op(op, args).unwrap())
    };
    let extents = EXTENTS;
    vec![
        case("conv", &x, &weights, Op::Conv { window, groups }),
        case("conv_input_grad", &y, &weights, Op::ConvInputGrad { window, groups, extents }),
        case("conv_weight_grad", &x, &y, Op::ConvWeightGrad { window, groups }),
    ]
}

fn pools(name: &str, window: Window) -> Vec<Case> {
    let mut random = Sequence::new(14, 0);
    let [h, w] = EXTENTS;
    let [oh, ow] = window.output(EXTENTS).expect("the windows fit");
    let x = distinct(&mut random, &[2, h, w, 3]);
    let y = values(&mut random, &[2, oh, ow, 3], -1.0, 1.0);
    let case =
        |what: &str, inputs: Vec<Tensor>, body: fn(&mut Builder, &[NodeId], Window) -> NodeId| {
            Case::new(format!("{what} {name}"), named(inputs), |b, args| body(b, args, window))
        };
    vec![
        case("max_pool", vec![x.clone()], |b, args, window| b.max_pool(args[0], window).unwrap()),
        case("max_pool_index", vec![x.clone()], |b, args, window| {
            let index = b.op(Op::MaxPoolIndex(window), args).unwrap();
            b.cast(index, DType::F32).unwrap()
        }),
        case("max_pool_grad", vec![x.clone(), y.clone()], |b, args, window| {
            let index = b.op(Op::MaxPoolIndex(window), &args[..1]).unwrap();
            let op = Op::MaxPoolGrad { window, extents: EXTENTS };
            b.op(op, &[index, args[1]]).unwrap()
        }),
        case("sum_pool", vec![x.clone()], |b, args, window| {
            b.op(Op::SumPool(window), args).unwrap()
        }),
        case("sum_pool_grad", vec![y], |b, args, window| {
            b.op(Op::SumPoolGrad { window, extents: EXTENTS }, args).unwrap()
        }),
        case("avg_pool", vec![x.clone()], |b, args, window| {
            b.avg_pool(args[0], window, true).unwrap()
        }),
        case("avg_pool without its border", vec![x], |b, args, window| {
            b.avg_pool(args[0], window, false).unwrap()
        }),
    ]
}

fn variances() -> Vec<Case> {
    let axes: [&[usize]; 5] = [&[0], &[1], &[2], &[0, 1], &[0, 1, 2]];
    let case = |axes: &[usize]| {
        let mut random = Sequence::new(15, axes.len() as u64);
        let x = values(&mut random, &[3, 2, 4], -1.0, 1.0);
        Case::new(format!("variance over {axes:?}"), named([x]), |b, args| {
            b.variance(args[0], axes, axes == [1]).unwrap()
        })
    };
    axes.map(case).into()
}
