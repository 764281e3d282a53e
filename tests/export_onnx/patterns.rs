//! Small programs for each pattern: the operators in their files, and what these compute.

use crate::inference;
use crate::runtime::{Exported, Suite};
use crate::support::pipeline::experiment;
use nnc::base::schema::{Field, Schema};
use nnc::onnx::model::OnnxModel;

/// A program of this body over an input of a shape.
fn exported(shape: &[usize], body: &str, layers: &str) -> Exported {
    let schema = Schema::of(vec![
        Field::number("x", nnc::base::tensor::DType::F32, shape),
        Field::class("label", Some(3)),
    ]);
    let dims: Vec<String> = shape.iter().map(usize::to_string).collect();
    let text = format!(
        "data d = mnist()\n{layers}\nmodel m(x: f32[N, {}]) -> f32[N, 3] {{\n{body}\n}}\n\
         train m on d {{\nloss = cross_entropy\noptimizer = sgd(lr: 0.1)\nbatch = 4\n}}",
        dims.join(", ")
    );
    Exported::of(inference(experiment(&text, vec![("d".to_owned(), schema)]).eval))
}

/// The operators of a model, in order.
fn operators(model: &OnnxModel) -> Vec<&str> {
    model.graph.nodes.iter().map(|node| node.op.as_str()).collect()
}

fn count(model: &OnnxModel, op: &str) -> usize {
    operators(model).into_iter().filter(|it| *it == op).count()
}

/// The statements of a body, whose last line is its value, and what makes three numbers of that.
fn body_of(lines: &str) -> String {
    let (before, last) = lines.rsplit_once('\n').unwrap_or(("", lines));
    format!("{before}\nlet z = {last}\nz{END}")
}

/// Samples that are images, and such that are rows.
const IMAGE: &[usize] = &[6, 6, 4];
const ROWS: &[usize] = &[5, 8];

/// A program's name, the shape of its samples, its body, and the operators that it becomes.
type Case = (&'static str, &'static [usize], &'static str, &'static [&'static str]);

const ONE_OPERATOR: &[Case] = &[
    ("relu", IMAGE, "x |> conv(4, 3) |> relu", &["Transpose", "Conv", "Relu", "Reshape", "Gemm"]),
    (
        "batch_norm",
        IMAGE,
        "x |> conv(4, 3, bias: false) |> batch_norm |> relu |> global_avg_pool",
        &[
            "Transpose",
            "Conv",
            "BatchNormalization",
            "Relu",
            "GlobalAveragePool",
            "Reshape",
            "Gemm",
        ],
    ),
    (
        "pools",
        IMAGE,
        "x |> max_pool(2) |> avg_pool(2)",
        &["Transpose", "MaxPool", "AveragePool", "Reshape", "Gemm"],
    ),
    (
        "upsample",
        IMAGE,
        "x |> upsample(2) |> conv_transpose(2, 2, stride: 2)",
        &["Transpose", "Resize", "ConvTranspose", "Reshape", "Gemm"],
    ),
    ("layer_norm", ROWS, "x |> layer_norm", &["LayerNormalization", "Reshape", "Gemm"]),
    ("rms_norm", ROWS, "x |> rms_norm", &["RMSNormalization", "Reshape", "Gemm"]),
    (
        "group_norm",
        IMAGE,
        "x |> conv(4, 3) |> group_norm(2)",
        &["Transpose", "Conv", "GroupNormalization", "Reshape", "Gemm"],
    ),
    ("gelu", ROWS, "x |> dense(4) |> gelu", &["MatMul", "Add", "Gelu", "Reshape", "Gemm"]),
    ("softmax", ROWS, "x |> softmax", &["Softmax", "Reshape", "Gemm"]),
    ("log_softmax", ROWS, "x |> log_softmax", &["LogSoftmax", "Reshape", "Gemm"]),
    ("leaky_relu", ROWS, "x |> leaky_relu", &["LeakyRelu", "Reshape", "Gemm"]),
    ("elu", ROWS, "x |> elu", &["Elu", "Reshape", "Gemm"]),
    (
        "prelu",
        IMAGE,
        "x |> conv(4, 3) |> prelu(channels: true)",
        &["Transpose", "Conv", "PRelu", "Reshape", "Gemm"],
    ),
    ("relu6", ROWS, "x |> relu6", &["Clip", "Reshape", "Gemm"]),
    ("hard_swish", ROWS, "x |> hard_swish", &["HardSwish", "Reshape", "Gemm"]),
    ("hard_sigmoid", ROWS, "x |> hard_sigmoid", &["HardSigmoid", "Reshape", "Gemm"]),
    ("softplus", ROWS, "x |> softplus", &["Softplus", "Reshape", "Gemm"]),
];

/// Programs by name, shape of samples and body.
const GENERAL: &[(&str, &[usize], &str)] = &[
    (
        "functions",
        ROWS,
        "exp(x) + expm1(x) * log(abs(x) + 1) - sin(x) / (2 + cos(x)) + sign(x) * floor(3 * x) + erf(x)",
    ),
    (
        "powers",
        ROWS,
        "(abs(x) + 0.5) ^ 1.5 + rsqrt(x * x + 1) + log1p(abs(x)) + sigmoid(x) * tanh(x)",
    ),
    ("choices", ROWS, "where((x > 0.2 and x < 0.7) or not (x != 0.1), min(x, 0.3), max(x, -0.4))"),
    (
        "moves",
        ROWS,
        "concat([transpose(x[.., 1:4], [0, 2, 1]), transpose(pad(x, [[0, 0], [0, 3], [0, 0]]), [0, 2, 1])[.., 0:5]], axis: 1)",
    ),
    (
        "statistics",
        IMAGE,
        "x * variance(x, axis: [1, 2], keep: true) + max(x, axis: 3, keep: true) - min(x, axis: 1, keep: true)",
    ),
    (
        "scaled",
        IMAGE,
        "let y = x |> conv(4, 3, pad: 1)\n y * sigmoid(y |> global_avg_pool |> dense(4) |> reshape([N, 1, 1, 4])) + x",
    ),
    (
        "joined",
        IMAGE,
        "let y = x |> conv(4, 3, pad: same, stride: 2)\n concat([y |> max_pool(3, stride: 1, pad: 1), y |> avg_pool(3, stride: 1, pad: same)])",
    ),
    ("sequence", ROWS, "x |> conv(6, 3, pad: 2, dilation: 2) |> batch_norm |> relu |> max_pool(2)"),
    (
        "grouped",
        IMAGE,
        "x |> depthwise_conv(3) |> conv(8, 3, groups: 2) |> conv_transpose(3, 3, stride: 2, output_pad: 1)",
    ),
    ("bilinear", IMAGE, "x |> upsample(2, mode: \"bilinear\")"),
    ("rotary", ROWS, "x |> rotary"),
    ("own_scan", ROWS, "x |> own"),
];

const END: &str = " |> flatten |> dense(3)";

#[test]
fn what_is_computed_becomes_one_operator() {
    let mut suite = Suite::new();
    for (name, shape, body, expected) in ONE_OPERATOR {
        let model = suite.add(name, &exported(shape, &format!("{body}{END}"), ""));
        assert_eq!(operators(&model), *expected, "{name}");
    }
    suite.check();
}

#[test]
fn a_layer_norm_written_by_hand_is_one() {
    let layers = "layer own(x: f32[..S, D]) -> f32[..S, D] {
        param gain: f32[D] = ones
        param shift: f32[D] = zeros
        let mid = x - mean(x, axis: -1, keep: true)
        gain * (mid / sqrt(variance(x, axis: -1, keep: true) + 0.001)) + shift
    }";
    let mut suite = Suite::new();
    let model = suite.add("own", &exported(&[5, 8], &format!("x |> own{END}"), layers));
    assert_eq!(operators(&model), ["LayerNormalization", "Reshape", "Gemm"]);
    suite.check();
}

#[test]
fn images_with_their_channels_first_are_not_turned() {
    let body = format!("x |> conv(4, 3, pad: 1) |> batch_norm |> relu |> max_pool(2){END}");
    let mut suite = Suite::new();
    let model = suite.add("nchw", &exported(&[6, 8, 4], &body, "").channels_first());
    assert_eq!(count(&model, "Transpose"), 0);
    suite.check();
}

#[test]
fn older_versions_get_the_parts() {
    let body = format!("x |> layer_norm |> rms_norm |> dense(8) |> gelu{END}");
    let mut suite = Suite::new();
    for opset in [13, 14, 15, 16, 17, 18, 20, 21, 22, 23] {
        let model = suite.add(&opset.to_string(), &exported(&[5, 8], &body, "").opset(opset));
        assert_eq!(model.opsets, [(String::new(), opset)]);
        assert_eq!(count(&model, "Gelu"), usize::from(opset >= 20), "{opset}");
        assert_eq!(count(&model, "LayerNormalization"), usize::from(opset >= 17), "{opset}");
        assert_eq!(count(&model, "RMSNormalization"), usize::from(opset >= 23), "{opset}");
    }
    suite.check();
}

/// A scan that is none of the prelude's layers.
const OWN: &str = "layer own(x: f32[N, T, D]) -> f32[N, T, D] {
    scan step in x, axis: 1 {
        carry h: f32[N, D] = 1
        h <- 0.5 * h + relu(step)
        h * step
    }
}";

#[test]
fn general_operators_compute_the_same() {
    let mut suite = Suite::new();
    for (name, shape, body) in GENERAL {
        suite.add(name, &exported(shape, &body_of(body), OWN));
    }
    suite.check();
}

/// Recurrent layers as programs write them, and the operator that each becomes.
const RECURRENT: &[(&str, &str, &str)] = &[
    ("lstm", "x |> lstm(4)", "LSTM"),
    ("gru", "x |> gru(4, reverse: true)", "GRU"),
    ("rnn", "x |> rnn(4) |> relu", "RNN"),
    ("two", "x |> lstm(4, reverse: true) |> lstm(3)", "LSTM"),
    ("gates_apart", "x |> gates_apart(4)", "LSTM"),
    ("reset_first", "x |> reset_first(4)", "GRU"),
    ("rectified", "x |> rectified(4)", "RNN"),
    // Recurrences that ONNX has no operator for.
    ("peephole", "x |> peephole(8)", "Scan"),
    ("update_turned", "x |> update_turned(8)", "Scan"),
    ("own", "x |> own", "Scan"),
];

/// Recurrences in other words than the prelude's, and such that only look like them.
const BY_HAND: &str = "
layer gates_apart(x: f32[N, T, D], units: int) -> f32[N, T, units] {
    param w: f32[D, 2 * units] = glorot_uniform
    param u: f32[D, 2 * units] = glorot_uniform
    param r: f32[units, 4 * units] = orthogonal
    param b: f32[units] = zeros
    param d: f32[2 * units] = zeros
    scan step in x, axis: 1 {
        carry c: f32[N, units] = 0.5
        carry h: f32[N, units] = 1
        let back = split(h @ r, 4)
        let ahead = split(step @ w + d, 2)
        let other = split(step @ u, 2)
        let keep = sigmoid(other[0] + back[3] + b)
        c <- tanh(back[0] + ahead[1]) * sigmoid(b + (ahead[0] + back[1])) + c * keep
        h <- tanh(c) * sigmoid(back[2] + other[1])
        h
    }
}
layer reset_first(x: f32[N, T, D], units: int) -> f32[N, T, units] {
    param w: f32[D, 3 * units] = glorot_uniform
    param r: f32[units, 2 * units] = orthogonal
    param m: f32[units, units] = orthogonal
    param b: f32[units] = zeros
    scan step in x @ w, axis: 1 {
        carry h: f32[N, units] = 0
        let ahead = split(step, 3)
        let gates = split(h @ r, 2)
        let z = sigmoid(gates[0] + ahead[2])
        let n = tanh((h * sigmoid(ahead[0] + gates[1])) @ m + ahead[1] + b)
        h <- n + z * (h - n)
        h
    }
}
layer rectified(x: f32[N, T, D], units: int) -> f32[N, T, units] {
    param w: f32[D, units] = glorot_uniform
    param r: f32[units, units] = orthogonal
    scan step in x, axis: 1 {
        carry h: f32[N, units] = 0
        h <- relu(h @ r + step @ w)
        h
    }
}
layer peephole(x: f32[N, T, D], units: int) -> f32[N, T, units] {
    param w: f32[D, 4 * units] = glorot_uniform
    param r: f32[units, 4 * units] = orthogonal
    param p: f32[units] = ones
    scan step in x @ w, axis: 1 {
        carry h: f32[N, units] = 0
        carry c: f32[N, units] = 0
        let gates = split(step + h @ r, 4)
        c <- sigmoid(gates[1] + p * c) * c + sigmoid(gates[0]) * tanh(gates[2])
        h <- sigmoid(gates[3]) * tanh(c)
        h
    }
}
layer update_turned(x: f32[N, T, D], units: int) -> f32[N, T, units] {
    param w: f32[D, 3 * units] = glorot_uniform
    param r: f32[units, 3 * units] = orthogonal
    scan step in x @ w, axis: 1 {
        carry h: f32[N, units] = 0
        let ahead = split(step, 3)
        let back = split(h @ r, 3)
        let z = sigmoid(ahead[1] + back[1])
        let n = tanh(ahead[2] + sigmoid(ahead[0] + back[0]) * back[2])
        h <- z * n + (1 - z) * h
        h
    }
}";

#[test]
fn recurrent_layers_are_onnxs_own() {
    let mut suite = Suite::new();
    for (name, body, operator) in RECURRENT {
        let layers = format!("{OWN}{BY_HAND}");
        let model = suite.add(name, &exported(ROWS, &body_of(body), &layers));
        let expected = if *name == "two" { 2 } else { 1 };
        assert_eq!(count(&model, operator), expected, "{name}: {:?}", operators(&model));
        assert_eq!(count(&model, "Scan"), usize::from(*operator == "Scan"), "{name}");
    }
    suite.check();
}

/// Attention by several masks.
const ATTENTION: &[(&str, &str)] = &[
    ("plain", "x |> sinusoidal_positions |> attention(2)"),
    ("causal", "x |> attention(2, causal: true)"),
    ("masked", "x |> attention(2, mask: x[.., 0] > 0.5, causal: true)"),
    ("unseen", "x |> attention(4, mask: x[.., 0] > 9.5)"),
    ("rotated", "x |> rotated(2)"),
    ("added", "x |> added"),
];

const ATTENTION_BY_HAND: &str = "
layer rotated(x: f32[N, T, D], heads: int) -> f32[N, T, D] {
    let q = x |> split_heads(heads) |> rotary
    softmax(0.7 * (q @ transpose(q))) @ (x |> split_heads(heads)) |> join_heads
}
layer added(x: f32[N, T, D]) -> f32[N, T, D] {
    param far: f32[T, T] = normal(std: 1.0)
    softmax(x @ transpose(x) / 3 + far) @ x
}";

#[test]
fn attention_is_onnxs_own() {
    let mut suite = Suite::new();
    for (name, body) in ATTENTION {
        let exported = exported(ROWS, &body_of(body), ATTENTION_BY_HAND);
        let model = suite.add(name, &exported);
        assert_eq!(count(&model, "Attention"), 1, "{name}: {:?}", operators(&model));
        assert_eq!(count(&model, "Softmax"), 0, "{name}");
        assert_eq!(model.opsets[0].1, 23, "{name}");
        let older = suite.add(&format!("{name}_22"), &exported.opset(22));
        assert_eq!((count(&older, "Attention"), count(&older, "Softmax")), (0, 1), "{name}");
    }
    suite.check();
}

#[test]
fn norms_are_folded_into_convolutions_if_asked() {
    let body = "let y = x |> conv(4, 3, bias: false) |> batch_norm |> relu |> conv(6, 3, pad: 1) |> batch_norm
        let z = y |> conv(6, 1) as twice
        (z |> batch_norm) + z";
    let mut suite = Suite::new();
    let folded = exported(IMAGE, &body_of(body), "").folded();
    let model = suite.add("folded", &folded);
    // The last is read by something else, too.
    assert_eq!(count(&model, "BatchNormalization"), 1, "{:?}", operators(&model));
    assert_eq!(count(&model, "Conv"), 3);
    suite.check();
}
