//! The operators of `docs/adding-an-op.md`, in the copy of the sources to which they were added
//! (`tests/adding_an_op.rs`): they print, read, verify and run; a step that trains through them is
//! the same in every engine.

#[path = "engines/check.rs"]
mod check;
mod support;

use check::{batch_of, compare};
use nnc::base::math::{Scalar, flush};
use nnc::base::scalar::Unary;
use nnc::base::tensor::Tensor;
use nnc::graph::{Env, read, run, verify};
use support::pipeline::{experiment, training};

const TEXT: &str = "graph added {
    input0 x: f32[2, 3]
    %0 = input0 : f32[2, 3]
    %1 = atan %0 : f32[2, 3]
    %2 = dot %1, %0 : f32[2]
    output angles = %1
    output products = %2
}
";

#[test]
fn added_operators_print_read_verify_and_run() {
    let graph = read(TEXT).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(graph.to_string(), TEXT);
    assert_eq!(verify(&graph), Ok(()));
    let x = [-1.0f32, 0.0, 0.5, 1.0, 2.0, 40.0];
    let mut env = Env::initial(&graph, 0);
    env.inputs.insert("x".into(), Tensor::f32([2, 3], x.to_vec()));
    let outputs = run(&graph, 1, &env).expect("a sound graph").outputs;
    let angles = x.map(|x| f64::from(x).atan() as f32);
    assert_eq!(outputs["angles"].as_f32(), angles);
    let products = angles.iter().zip(x).map(|(&angle, x)| f64::from(angle) * f64::from(x));
    let products: Vec<f64> = products.collect();
    let sums = products.chunks(3).map(|row| row.iter().sum::<f64>() as f32);
    assert_eq!(outputs["products"].as_f32(), sums.collect::<Vec<_>>());
    let unlike = TEXT.replace("x: f32[2, 3]", "x: f32[3, 2]").replace("%0 = input0 : f32[2, 3]", "%0 = input0 : f32[3, 2]");
    assert!(verify(&read(&unlike).expect("it reads")).is_err());
}

#[test]
fn added_operators_are_as_exact_as_their_rows_say() {
    let atan = Unary::from_name("atan").expect("it was added");
    for bits in (0..=u32::MAX).step_by(99_991) {
        let x = flush(f32::from_bits(bits));
        let (found, exact) = (atan.of_f32(&mut Scalar, x), f64::from(x).atan());
        let exponent = (exact.abs().log2().floor() as i32).max(-126);
        let ulps = (f64::from(found) - exact).abs() / 2f64.powi(exponent - 23);
        let agrees = found.is_nan() && exact.is_nan() || ulps <= atan.row().ulp;
        assert!(agrees || exact == 0.0 && found == 0.0, "atan({x:e}) = {found:e}, {ulps} ulp off");
    }
}

#[test]
fn added_operators_train_the_same_in_every_engine() {
    let text = "
model net(x: f32[N, 4, 6]) -> f32[N, 3] {
    let a = x |> dense(6) |> atan
    let scores = dot(a, x)
    scores |> dense(3)
}

train net {
    loss = cross_entropy
    optimizer = sgd(lr: 0.1)
}
";
    let graph = training(&experiment(text, Vec::new()));
    let names: Vec<&str> = graph.nodes.values().map(|node| node.op.name()).collect();
    assert!(names.contains(&"atan") && names.contains(&"dot"), "{graph}");
    for batch in [1, 5, 24] {
        compare(&format!("batch {batch}"), &graph, batch, &batch_of(&graph, batch));
    }
}
