//! A linear regression and its gradient, written out, so that nothing of the compiler stands on
//! both sides of a comparison.

#![allow(dead_code)] // Each test crate uses its own part.

use nnc::base::rng::Sequence;
use nnc::base::tensor::Tensor;

use super::engines::{Job, Tensors};
use super::pipeline::{experiment, training_with_gradients};

/// Samples of the batch.
pub const SAMPLES: usize = 7;
/// Numbers of a sample.
pub const IN: usize = 5;
/// Numbers of its target.
pub const OUT: usize = 3;

/// The model with these settings, its inputs and first parameters.
pub fn job(settings: &str) -> Job {
    let text = format!(
        "model net(x: f32[N, {IN}]) -> f32[N, {OUT}] {{ x |> dense({OUT}) }}\n\
         train net {{\n    loss = mse\n    {settings}\n}}\n"
    );
    let numbers = |name: u64, shape: [usize; 2]| {
        let mut sequence = Sequence::new(11, name);
        let values = (0..shape[0] * shape[1]).map(|_| (sequence.unit() * 2.0 - 1.0) as f32);
        values.collect::<Vec<_>>()
    };
    let bias = Tensor::f32([OUT], numbers(3, [1, OUT]));
    let given = [
        ("dense.weight".to_string(), Tensor::f32([IN, OUT], numbers(2, [IN, OUT]))),
        ("dense.bias".to_string(), bias),
    ];
    let inputs = Tensors::from([
        ("x".to_string(), Tensor::f32([SAMPLES, IN], numbers(0, [SAMPLES, IN]))),
        ("label".to_string(), Tensor::f32([SAMPLES, OUT], numbers(1, [SAMPLES, OUT]))),
    ]);
    let graph = training_with_gradients(&experiment(&text, Vec::new()));
    let batch = SAMPLES;
    Job { graph, batch, seed: 0, given: given.into(), inputs: Box::new(move |_| inputs.clone()) }
}

/// The elements in 64 bits.
pub fn widened(tensor: &Tensor) -> Vec<f64> {
    tensor.as_f32().iter().map(|&value| f64::from(value)).collect()
}

/// The gradient of `mean((x·w + b − t)²)` by weight and bias, joined.
pub fn gradients(params: &[f64], x: &[f64], target: &[f64]) -> Vec<f64> {
    let mut gradients = vec![0.0; params.len()];
    for n in 0..SAMPLES {
        for j in 0..OUT {
            let product: f64 = (0..IN).map(|i| x[n * IN + i] * params[i * OUT + j]).sum();
            let error = product + params[IN * OUT + j] - target[n * OUT + j];
            let slope = 2.0 * error / (SAMPLES * OUT) as f64;
            for i in 0..IN {
                gradients[i * OUT + j] += slope * x[n * IN + i];
            }
            gradients[IN * OUT + j] += slope;
        }
    }
    gradients
}
