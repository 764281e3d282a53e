//! The text of a program, and its variables in the order in which elaboration meets them.
//!
//! ```text
//! model net(image: f32[N, 32, 32, 3]) -> f32[N, 10] {
//!     let x1 = image |> conv(16, 3, pad: 1) as conv1 |> relu
//!     (x1 |> conv(16, 3, pad: 1) |> batch_norm) + x1
//!         |> relu
//!         |> global_avg_pool
//!         |> dense(10) as fc
//! }
//! ```

mod body;
mod stages;

use super::blocks::blocks;
use super::constant::ElementKind;
use super::names::ModelNames;
use super::net::{Net, NetForm, NetNode, Weight};
use super::size::listed;
use body::BodyPrinter;

/// A program and its variables, parameters and states.
pub(super) struct PrintedProgram {
    pub text: String,
    pub weights: Vec<Weight>,
}

/// Layers that programs may call and the prelude does not have.
const LAYERS: &[(&str, &str)] = &[
    (
        "expand",
        "/// `x` repeated along axes of one element, up to a shape, which may name the batch.\n\
         layer expand(x: f32[..S], shape: list) -> f32[..T] {\n    \
             x * cast(iota(shape) >= 0, f32)\n}\n",
    ),
    (
        "gelu_tanh",
        "/// `gelu` by a tangent (Hendrycks and Gimpel 2016), as GPT-2 has it.\n\
         layer gelu_tanh(x: f32[..S]) -> f32[..S] {\n    \
             0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x ^ 3)))\n}\n",
    ),
    (
        "round_to_even",
        "/// The nearest whole number, of two the even one.\n\
         layer round_to_even(x: f32[..S]) -> f32[..S] {\n    \
             let below = floor(x)\n    \
             let rest = x - below\n    \
             let even = where(floor(below / 2) * 2 == below, below, below + 1)\n    \
             where(rest < 0.5, below, where(rest > 0.5, below + 1, even))\n}\n",
    ),
    (
        "cumulative_sum",
        "/// Sums along axis 1 of all up to each step, or with `exclusive` of those before it.\n\
         layer cumulative_sum(x: f32[N, T, D], exclusive: bool = false, reverse: bool = false) -> f32[N, T, D] {\n    \
             scan step in x, axis: 1, reverse: reverse {\n        \
                 carry total: f32[N, D] = 0\n        \
                 let before = total\n        \
                 total <- total + step\n        \
                 if exclusive { before } else { total }\n    \
             }\n}\n",
    ),
    (
        "rnn_relu",
        "/// `rnn` with `relu` in place of `tanh`.\n\
         layer rnn_relu(x: f32[N, T, D], units: int >= 1, reverse: bool = false) -> f32[N, T, units] {\n    \
             param weight: f32[D, units] = glorot_uniform\n    \
             param recurrent: f32[units, units] = orthogonal\n    \
             param bias: f32[units] = zeros\n    \
             scan step in x @ weight + bias, axis: 1, reverse: reverse {\n        \
                 carry h: f32[N, units] = 0\n        \
                 h <- relu(step + h @ recurrent)\n        \
                 h\n    \
             }\n}\n",
    ),
    (
        "local_response_norm",
        "/// Each element divided by what the squares of its neighbouring channels make (Krizhevsky et al. 2012).\n\
         layer local_response_norm(x: f32[N, ..S, C], size: int, alpha: float, beta: float, bias: float) -> f32[N, ..S, C] {\n    \
             let rows = reshape(x * x, [-1, C, 1])\n    \
             let before = floor((size - 1) * 0.5)\n    \
             let means = rows |> avg_pool(size, stride: 1, pad: [[before, size - 1 - before]])\n    \
             x / (bias + alpha * reshape(means, [N] + S + [C])) ^ beta\n}\n",
    ),
];

/// Prints a network as a program with one model.
pub(super) fn print(net: &Net, name: &str, names: &ModelNames, header: &str) -> PrintedProgram {
    let blocks = blocks(net);
    let body = BodyPrinter::of_model(net, &blocks, names);
    let mut text = header.to_owned();
    for (layer, source) in LAYERS {
        let calls =
            |node: &NetNode| matches!(&node.form, NetForm::Call { callee, .. } if callee == layer);
        if net.nodes.iter().any(calls) {
            text.push('\n');
            text.push_str(source);
        }
    }
    for layer in &body.layers {
        text.push('\n');
        text.push_str(layer);
    }
    let inputs: Vec<String> = net.nodes.iter().filter_map(declared_input).collect();
    let outputs: Vec<String> =
        net.outputs.iter().map(|(name, id)| named_type(name, &net.nodes[*id])).collect();
    let result = match &net.outputs[..] {
        [(_, id)] => type_of(&net.nodes[*id]),
        _ => format!("({})", outputs.join(", ")),
    };
    text.push_str(&format!("\nmodel {name}({}) -> {result} {{\n", inputs.join(", ")));
    text.push_str(&body.text);
    text.push_str("}\n");
    let weights: Vec<Weight> =
        body.weights.iter().map(|&(id, at)| net.nodes[id].weights[at].clone()).collect();
    text.push_str(&training(net, name, !weights.is_empty()));
    PrintedProgram { text, weights }
}

fn declared_input(node: &NetNode) -> Option<String> {
    match &node.form {
        NetForm::Input(name) => Some(named_type(name, node)),
        _ => None,
    }
}

fn named_type(name: &str, node: &NetNode) -> String {
    format!("{name}: {}", type_of(node))
}

fn type_of(node: &NetNode) -> String {
    match node.shape.is_empty() {
        true => node.kind.word().to_owned(),
        false => format!("{}{}", node.kind.word(), listed(&node.shape)),
    }
}

/// How the model is trained further, to begin with.
fn training(net: &Net, name: &str, has_weights: bool) -> String {
    let [(_, id), rest @ ..] = &net.outputs[..] else { return String::new() };
    let output = &net.nodes[*id];
    if output.kind != ElementKind::Float {
        return String::new();
    }
    let callee = match &output.form {
        NetForm::Call { callee, .. } => callee.as_str(),
        _ => "",
    };
    let classes = output.shape.len() == 2 && output.shape[1].number().is_some_and(|it| it > 1);
    let loss = match callee {
        "log_softmax" if classes => "nll",
        "softmax" | "sigmoid" | "log_softmax" => "mse",
        _ if classes => "cross_entropy",
        _ => "mse",
    };
    let loss = match rest.is_empty() {
        true => loss.to_owned(),
        false => format!("{loss}({}, label)", net.outputs[0].0),
    };
    let mut text = format!("\n// For fine-tuning: name the data (`train {name} on …`).\n");
    text.push_str(&format!("train {name} {{\n    loss = {loss}\n    optimizer = adam(lr: 1e-4)\n"));
    if has_weights {
        text.push_str(&format!("    init_from = \"{name}.safetensors\"\n"));
    }
    text.push_str("}\n");
    text
}
