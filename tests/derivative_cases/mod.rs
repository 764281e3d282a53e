//! The graphs that derivatives are tested on: one or more for each operator, and the composites
//! that networks are made of. Inputs stay away from kinks and poles by more than the differences
//! reach.

mod composites;
mod movement;
mod window;

use nnc::base::rng::{Sequence, hash_name};
use nnc::base::scalar::unary::{Curve, Takes};
use nnc::base::tensor::{DType, Tensor};
use nnc::graph::interp::{self, Env};
use nnc::graph::{Binary, Builder, Graph, NodeId, Reduce, Shape, Type, Unary};
use std::collections::BTreeMap;

/// A graph with an output `y`, and values for its inputs.
pub struct Case {
    /// What it exercises.
    pub name: String,
    /// The inputs, by name.
    pub inputs: Vec<(String, Tensor)>,
    /// The graph.
    pub graph: Graph,
}

impl Case {
    /// A case of these inputs, whose output is what `body` makes of them.
    pub fn new(
        name: impl Into<String>,
        inputs: Vec<(String, Tensor)>,
        body: impl FnOnce(&mut Builder, &[NodeId]) -> NodeId,
    ) -> Case {
        let mut b = Builder::new("case");
        let declare = |(name, value): &(String, Tensor)| {
            b.input(name, Type::new(value.dtype(), Shape::known(&value.shape)))
        };
        let args: Vec<NodeId> = inputs.iter().map(declare).collect();
        let y = body(&mut b, &args);
        b.output("y", y);
        Case { name: name.into(), inputs, graph: b.finish() }
    }

    /// The outputs of a graph (this case's or one made of it) for these inputs.
    pub fn run(&self, graph: &Graph, inputs: &[(String, Tensor)]) -> BTreeMap<String, Tensor> {
        let mut env = Env::initial(graph, 0);
        env.inputs.extend(inputs.iter().cloned());
        match interp::run(graph, 1, &env) {
            Ok(outcome) => outcome.outputs,
            Err(fault) => panic!("{}: {fault}", self.name),
        }
    }
}

/// Random `f32` values in `low..high`.
pub fn values(random: &mut Sequence, shape: &[usize], low: f64, high: f64) -> Tensor {
    let count = shape.iter().product();
    let values = (0..count).map(|_| (low + (high - low) * random.unit()) as f32).collect();
    Tensor::f32(shape, values)
}

/// Values a quarter apart, in random order, from `−count/8` on: no two are near one another.
pub fn distinct(random: &mut Sequence, shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let mut values: Vec<f32> = (0..count).map(|i| (i as f32 - count as f32 / 2.0) / 4.0).collect();
    random.shuffle(&mut values);
    Tensor::f32(shape, values)
}

/// Inputs `a`, `b`, … of these values.
pub fn named(values: impl IntoIterator<Item = Tensor>) -> Vec<(String, Tensor)> {
    values.into_iter().zip('a'..).map(|(value, name)| (name.to_string(), value)).collect()
}

/// All cases.
pub fn all() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    cases.extend(Unary::ALL.iter().map(|&function| unary(function)));
    cases.extend(Binary::ALL.iter().map(|&function| binary(function)));
    cases.extend(Reduce::ALL.iter().flat_map(|&function| reduce(function)));
    cases.extend(constant_powers());
    cases.extend(movement::all());
    cases.extend(window::all());
    cases.extend(composites::all());
    cases
}

fn unary(function: Unary) -> Case {
    let mut random = Sequence::new(2, hash_name(function.name()));
    let row = function.row();
    let (low, high) = match row.shape {
        _ if row.takes == Takes::Bools => (-1.5, -0.2),
        // Jumps and kinks lie at whole numbers.
        Curve::Steps | Curve::Kink => (-1.8, -1.2),
        _ if row.domain.is_finite() => (row.domain + 0.5, row.domain + 2.0),
        Curve::Rising | Curve::Falling | Curve::Waves => (-1.5, 1.5),
    };
    let x = values(&mut random, &[2, 3], low, high);
    Case::new(function.name(), named([x]), |b, args| {
        let x = args[0];
        let f = match function {
            Unary::Not => {
                let zero = b.constant(0.0, DType::F64);
                let positive = b.binary(Binary::Gt, x, zero).unwrap();
                let not = b.unary(Unary::Not, positive).unwrap();
                b.cast(not, DType::F32).unwrap()
            }
            _ => b.unary(function, x).unwrap(),
        };
        // Where f is flat, x still shows that f was evaluated.
        if row.is_flat() { b.binary(Binary::Mul, f, x).unwrap() } else { f }
    })
}

fn binary(function: Binary) -> Case {
    let mut random = Sequence::new(3, hash_name(function.name()));
    // Positive for powers and quotients; more than a step apart for orders.
    let both = distinct(&mut random, &[12]).as_f32().iter().map(|x| x + 2.0).collect::<Vec<_>>();
    let (a, b) = both.split_at(6);
    let inputs = named([a, b].map(|half| Tensor::f32([2, 3], half.to_vec())));
    Case::new(function.name(), inputs, |builder, args| {
        let (a, b) = (args[0], args[1]);
        if matches!(function, Binary::And | Binary::Or) {
            let two = builder.constant(2.0 + 1.0 / 8.0, DType::F64);
            let left = builder.binary(Binary::Gt, a, two).unwrap();
            let right = builder.binary(Binary::Lt, b, two).unwrap();
            let both = builder.binary(function, left, right).unwrap();
            return builder.select(both, a, b).unwrap();
        }
        let value = builder.binary(function, a, b).unwrap();
        if function.is_comparison() { builder.select(value, a, b).unwrap() } else { value }
    })
}

fn constant_powers() -> Vec<Case> {
    let case = |exponent: f64| {
        let mut random = Sequence::new(4, exponent.to_bits());
        let x = values(&mut random, &[5], 0.5, 1.5);
        Case::new(format!("pow {exponent}"), named([x]), |b, args| {
            let exponent = b.constant(exponent, DType::F64);
            b.binary(Binary::Pow, args[0], exponent).unwrap()
        })
    };
    [0.0, 1.0, 2.0, 3.0, 0.5, -1.0, 1.7].map(case).into()
}

fn reduce(function: Reduce) -> Vec<Case> {
    let axes: [&[usize]; 6] = [&[0], &[1], &[2], &[0, 2], &[1, 2], &[0, 1, 2]];
    let case = |axes: &[usize]| {
        let mut random = Sequence::new(5, hash_name(function.name()));
        let x = distinct(&mut random, &[2, 3, 4]);
        Case::new(format!("{} over {axes:?}", function.name()), named([x]), |b, args| {
            b.reduce(function, args[0], axes, false).unwrap()
        })
    };
    axes.map(case).into()
}
