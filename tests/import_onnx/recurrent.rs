//! Recurrent layers whose first states are zeros that the file moves about.

use nnc::base::tensor::Tensor;
use nnc::command::imported;
use nnc::driver::Failure;
use nnc::onnx::decode::decode;
use nnc::onnx::import::ImportRequest;

use crate::builder::Attribute::{Int, Ints, Text, Texts};
use crate::builder::Builder;
use crate::numbers::{check, numbers, weight};

/// Units, values of a step, and steps.
const SIZES: [usize; 3] = [3, 2, 4];

/// `x: [N, T, D]` through a layer of two directions, whose state is a part of zeros of `[4, N, H]`.
fn bidirectional(op: &str, gates: i64, state: f32) -> Builder {
    let [units, width, steps] = SIZES.map(|size| size as i64);
    let made = Builder::new(17)
        .input("x", &[0, steps, width])
        .output("y")
        .weight("w", &[2, gates * units, width])
        .weight("r", &[2, gates * units, units])
        .weight("b", &[2, 2 * gates * units])
        .ints("zero", &[1], &[0])
        .ints("one", &[1], &[1])
        .ints("two", &[1], &[2])
        .ints("four", &[1], &[4])
        .ints("units", &[1], &[units])
        .floats("state", &[1, 1, 1], &[state])
        .node("Shape", &["x"], "shape", &[])
        .node("Slice", &["shape", "zero", "one"], "batch", &[])
        .node("Concat", &["four", "batch", "units"], "all", &[("axis", Int(0))])
        .node("Expand", &["state", "all"], "states", &[])
        .node("Slice", &["states", "zero", "two", "zero"], "first", &[])
        .node("Transpose", &["x"], "turned", &[("perm", Ints(vec![1, 0, 2]))]);
    let mut attributes =
        vec![("hidden_size", Int(units)), ("direction", Text("bidirectional".into()))];
    let mut inputs = vec!["turned", "w", "r", "b", "", "first"];
    match op {
        "LSTM" => inputs.push("first"),
        "RNN" => attributes.push(("activations", Texts(vec!["Relu".into(), "Relu".into()]))),
        _ => attributes.push(("linear_before_reset", Int(1))),
    }
    made.node(op, &inputs, "h", &attributes)
        .node("Transpose", &["h"], "ht", &[("perm", Ints(vec![2, 0, 1, 3]))])
        .ints("flat", &[3], &[0, 0, 2 * units])
        .node("Reshape", &["ht", "flat"], "y", &[])
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// The states of one direction after each step, as ONNX has the gates: `i o f c` and `z r h`.
fn states(op: &str, x: &[f32], [w, r, b]: [&[f32]; 3], reverse: bool) -> Vec<Vec<f32>> {
    let [units, width, steps] = SIZES;
    let gates = w.len() / units / width;
    let (mut h, mut c) = (vec![0.0; units], vec![0.0; units]);
    let mut made = vec![Vec::new(); steps];
    for turn in 0..steps {
        let t = if reverse { steps - 1 - turn } else { turn };
        let row = &x[t * width..][..width];
        let of_x = |gate: usize| -> f32 {
            b[gate] + row.iter().zip(&w[gate * width..]).map(|(x, w)| x * w).sum::<f32>()
        };
        let of_h = |gate: usize| -> f32 {
            b[gates * units + gate]
                + h.iter().zip(&r[gate * units..]).map(|(h, r)| h * r).sum::<f32>()
        };
        let both = |gate: usize, unit: usize| of_x(gate * units + unit) + of_h(gate * units + unit);
        let next: Vec<f32> = (0..units)
            .map(|unit| match op {
                "LSTM" => {
                    let input = sigmoid(both(0, unit)) * both(3, unit).tanh();
                    c[unit] = sigmoid(both(2, unit)) * c[unit] + input;
                    sigmoid(both(1, unit)) * c[unit].tanh()
                }
                "RNN" => both(0, unit).max(0.0),
                _ => {
                    let (z, reset) = (sigmoid(both(0, unit)), sigmoid(both(1, unit)));
                    let at = 2 * units + unit;
                    (1.0 - z) * (of_x(at) + reset * of_h(at)).tanh() + z * h[unit]
                }
            })
            .collect();
        h = next;
        made[t].clone_from(&h);
    }
    made
}

#[test]
fn layers_of_two_directions_begin_at_zeros_that_have_moved() {
    let [units, width, steps] = SIZES;
    for (op, gates) in [("LSTM", 4), ("GRU", 3), ("RNN", 1)] {
        let made = bidirectional(op, gates, 0.0);
        let model = decode(&made.bytes()).expect("a sound file");
        let parts = ["w", "r", "b"].map(|name| weight(&model, name));
        let x = numbers(2 * steps * width, 0.77);
        let mut wanted = Vec::new();
        for sample in x.chunks(steps * width) {
            let sides = [0, 1].map(|side| {
                let half =
                    |part: &'_ Vec<f32>| part[part.len() / 2 * side..][..part.len() / 2].to_vec();
                let [w, r, b] = [half(&parts[0]), half(&parts[1]), half(&parts[2])];
                states(op, sample, [&w, &r, &b], side == 1)
            });
            for t in 0..steps {
                wanted.extend(sides.iter().flat_map(|side| side[t].clone()));
            }
        }
        let wanted = Tensor::f32([2, steps, 2 * units], wanted);
        let program = check(&made, "x", Tensor::f32([2, steps, width], x), &wanted);
        assert!(program.text.contains("reverse: true"), "{}", program.text);
        assert!(!program.text.contains("expand"), "{}", program.text);
    }
}

#[test]
fn a_state_that_is_no_zero_is_refused() {
    let model = decode(&bidirectional("GRU", 3, 0.5).bytes()).expect("a sound file");
    let request = ImportRequest { name: "net".into(), shapes: Vec::new() };
    match imported(&model, &request) {
        Err(Failure::Data(message)) => assert!(message.contains("GRU `the_h`"), "{message}"),
        other => panic!("{:?}", other.map(|program| program.text)),
    }
}
