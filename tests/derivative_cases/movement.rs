//! Cases of operators that move, choose and index elements, and of contractions.

use super::{Case, distinct, named, values};
use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Tensor};
use nnc::graph::{Binary, Builder, NodeId, Op, Range, Shape};

pub fn all() -> Vec<Case> {
    let mut cases = vec![choice(), casts(), arg_max()];
    cases.extend(broadcasts());
    cases.extend(reshapes());
    cases.extend(slices());
    cases.extend(joins());
    cases.extend(products());
    cases.extend(indexed());
    cases
}

/// A case of one input of this shape.
fn of(name: String, shape: &[usize], body: impl FnOnce(&mut Builder, NodeId) -> NodeId) -> Case {
    let mut random = Sequence::new(6, shape.len() as u64);
    let x = values(&mut random, shape, -1.0, 1.0);
    Case::new(name, named([x]), |b, args| body(b, args[0]))
}

fn choice() -> Case {
    let mut random = Sequence::new(7, 0);
    let inputs: Vec<Tensor> = (0..3).map(|_| distinct(&mut random, &[4])).collect();
    Case::new("where", named(inputs), |b, args| {
        // An eighth lies between any two of the values.
        let edge = b.constant(0.125, DType::F64);
        let condition = b.binary(Binary::Gt, args[0], edge).unwrap();
        b.select(condition, args[1], args[2]).unwrap()
    })
}

/// An integer has no gradient; a float that only passes through one keeps its factor's.
fn casts() -> Case {
    let mut random = Sequence::new(8, 0);
    let x = values(&mut random, &[4], 1.2, 1.8);
    let bytes = Tensor::new([4], nnc::base::tensor::Data::U8(vec![1, 0, 7, 255]));
    Case::new("cast", named([x, bytes]), |b, args| {
        let whole = b.cast(args[0], DType::I32).unwrap();
        let whole = b.cast(whole, DType::F32).unwrap();
        let scaled = b.binary(Binary::Mul, whole, args[0]).unwrap();
        let bytes = b.cast(args[1], DType::F32).unwrap();
        b.binary(Binary::Add, scaled, bytes).unwrap()
    })
}

fn arg_max() -> Case {
    let mut random = Sequence::new(9, 0);
    let x = distinct(&mut random, &[3, 4]);
    Case::new("argmax", named([x]), |b, args| {
        let index = b.arg_max(args[0], 1, false).unwrap();
        b.pick(args[0], index).unwrap()
    })
}

fn broadcasts() -> Vec<Case> {
    let shapes: [(&[usize], &[usize]); 6] = [
        (&[], &[2, 3]),
        (&[3], &[2, 3]),
        (&[2, 1], &[2, 3]),
        (&[1, 1], &[2, 3]),
        (&[2, 1, 3], &[4, 2, 5, 3]),
        (&[1, 3], &[1, 3]),
    ];
    let case = |(from, to): (&[usize], &[usize])| {
        of(format!("broadcast {from:?} to {to:?}"), from, |b, x| {
            b.op(Op::Broadcast(Shape::known(to)), &[x]).unwrap()
        })
    };
    shapes.map(case).into()
}

fn reshapes() -> Vec<Case> {
    let reshape =
        of("reshape".into(), &[2, 3, 4], |b, x| b.reshape(x, Shape::known(&[4, 6])).unwrap());
    let perms: [&[usize]; 3] = [&[2, 0, 1], &[0, 2, 1], &[1, 2, 0]];
    let transpose = |perm: &[usize]| {
        of(format!("transpose {perm:?}"), &[2, 3, 4], |b, x| {
            b.op(Op::Transpose(perm.to_vec()), &[x]).unwrap()
        })
    };
    [reshape].into_iter().chain(perms.map(transpose)).collect()
}

fn slices() -> Vec<Case> {
    let part = |start, len, step| Range { start, len: Some(len), step };
    let ranges = [
        [Range::ALL, part(1, 3, 1)],
        [part(1, 1, 1), part(6, 1, 1)],
        [Range::ALL, part(0, 4, 2)],
        [Range::ALL, part(1, 2, 3)],
        [part(2, 3, -1), Range::ALL],
        [part(2, 2, -2), part(5, 3, -2)],
        [part(0, 1, 2), part(6, 2, -5)],
    ];
    let case = |ranges: [Range; 2]| {
        let text: Vec<_> = ranges.iter().map(|r| (r.start, r.len, r.step)).collect();
        of(format!("slice {text:?}"), &[3, 7], |b, x| {
            b.op(Op::Slice(ranges.to_vec()), &[x]).unwrap()
        })
    };
    ranges.map(case).into()
}

fn joins() -> Vec<Case> {
    let concat = |axis: usize| {
        let mut random = Sequence::new(10, axis as u64);
        let shapes = [1, 3, 2].map(|extent| if axis == 0 { [extent, 4] } else { [4, extent] });
        let parts = shapes.map(|shape| values(&mut random, &shape, -1.0, 1.0));
        Case::new(format!("concat along {axis}"), named(parts), |b, args| {
            b.op(Op::Concat(axis), args).unwrap()
        })
    };
    let pad = |amounts: [(usize, usize); 2]| {
        of(format!("pad {amounts:?}"), &[2, 3], |b, x| {
            b.op(Op::Pad { amounts: amounts.to_vec(), value: 0.5 }, &[x]).unwrap()
        })
    };
    vec![concat(0), concat(1), pad([(0, 0), (1, 2)]), pad([(2, 0), (0, 1)])]
}

/// All four combinations of flags, plain and batched.
fn products() -> Vec<Case> {
    let mut cases = Vec::new();
    for lead in [vec![], vec![2], vec![2, 3]] {
        for (transpose_a, transpose_b) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let mut random = Sequence::new(11, 0);
            let a = [&lead[..], if transpose_a { &[3, 2] } else { &[2, 3] }].concat();
            let b = [&lead[..], if transpose_b { &[4, 3] } else { &[3, 4] }].concat();
            let inputs = [a, b].map(|shape| values(&mut random, &shape, -1.0, 1.0));
            let name = format!("matmul {transpose_a} {transpose_b} lead {lead:?}");
            cases.push(Case::new(name, named(inputs), |b, args| {
                b.op(Op::MatMul { transpose_a, transpose_b }, args).unwrap()
            }));
        }
    }
    cases
}

fn indexed() -> Vec<Case> {
    let mut random = Sequence::new(12, 0);
    let mut cases = Vec::new();
    let rows = values(&mut random, &[2, 3, 4], -1.0, 1.0);
    let index = Tensor::i32([2, 3], vec![0, 3, 1, 1, 2, 0]);
    cases.push(Case::new("pick", named([rows, index]), |b, args| b.op(Op::Pick, args).unwrap()));
    for axis in 0..3 {
        // Entries that are named twice, and one that is not named.
        let table = values(&mut random, &[3, 3, 3], -1.0, 1.0);
        let index = Tensor::i32([2, 2], vec![0, 2, 2, 0]);
        let name = format!("gather along {axis}");
        cases.push(Case::new(name, named([table, index.clone()]), |b, args| {
            b.op(Op::Gather(axis), args).unwrap()
        }));
        let mut shape = vec![3, 3];
        shape.splice(axis..axis, [2, 2]);
        let entries = values(&mut random, &shape, -1.0, 1.0);
        let name = format!("scatter_add along {axis}");
        cases.push(Case::new(name, named([index, entries]), |b, args| {
            b.op(Op::ScatterAdd { shape: Shape::known(&[3, 3, 3]), axis }, args).unwrap()
        }));
    }
    cases
}
