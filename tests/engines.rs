//! Every engine gives what the graph's interpreter gives.
//!
//! A graph is fused, lowered and run by each engine of [`ENGINES`]; outputs, parameters and states
//! after the step are compared. The loops' interpreter also proves that threads don't race and
//! that no buffer is read whose bytes another has taken.

#[path = "engines/check.rs"]
mod check;
mod support;

use check::{batch_of, compare};
use nnc::base::schema::{Conversion, Field, FieldKind, ImageField, Schema};
use nnc::graph::Graph;
use support::pipeline::{experiment, training};
use support::random_graph::random_graph;

#[test]
fn random_graphs_give_the_same_values() {
    for seed in 0..1000 {
        let random = random_graph(seed, 10 + (seed as usize % 20));
        let batch = [1, 4, 17, 24][seed as usize % 4];
        compare(
            &format!("seed {seed} batch {batch}"),
            &random.graph,
            batch,
            &random.env(batch, seed),
        );
    }
}

/// Compares whole training steps of a model whose `train` block says only what is given.
fn trains(model: &str, settings: &str, batches: &[usize]) {
    let text = format!("{model}\ntrain net {{\n loss = cross_entropy\n {settings}\n}}\n");
    let graph = training(&experiment(&text, Vec::new()));
    for &batch in batches {
        compare(&format!("{text} at {batch}"), &graph, batch, &batch_of(&graph, batch));
    }
}

#[test]
fn attention_with_heads_trains() {
    let model = "
layer attention(x: f32[N, T, D], heads: int) -> f32[N, T, D] {
    let q = x |> dense(D, bias: false) |> reshape([N, T, heads, D / heads]) |> transpose([0, 2, 1, 3])
    let k = x |> dense(D, bias: false) |> reshape([N, T, heads, D / heads]) |> transpose([0, 2, 3, 1])
    let v = x |> dense(D, bias: false) |> reshape([N, T, heads, D / heads]) |> transpose([0, 2, 1, 3])
    let scores = softmax(q @ k / sqrt(D / heads))
    scores @ v |> transpose([0, 2, 1, 3]) |> reshape([N, T, D]) |> dense(D)
}

model net(x: f32[N, 6, 8]) -> f32[N, 3] { x |> attention(2) |> flatten |> dense(3) }";
    trains(model, "optimizer = sgd(lr: 0.1)", &[4, 24]);
}

#[test]
fn products_of_activations_train() {
    let model = "model net(x: f32[N, 6, 8]) -> f32[N, 3] {
        let q = x |> dense(8)
        let scores = softmax(q @ transpose(x, [0, 2, 1]))
        scores @ x |> flatten |> dense(3)
    }";
    trains(model, "optimizer = sgd(lr: 0.1)", &[4, 24]);
}

#[test]
fn layer_norm_gelu_and_dropout_train() {
    let model = "model net(x: f32[N, 5, 9]) -> f32[N, 4] {
        x |> layer_norm |> dense(16) |> gelu |> dropout(0.3) |> flatten |> dense(4)
    }";
    trains(model, "optimizer = sgd(lr: 0.1, momentum: 0.9)", &[3, 32]);
}

/// A model of `[N, 4, 3, 5]` whose body ends in scores.
fn body_trains(body: &str, batches: &[usize]) {
    let model =
        format!("model net(x: f32[N, 4, 3, 5]) -> f32[N, 3] {{ {body} |> flatten |> dense(3) }}");
    trains(&model, "optimizer = sgd(lr: 0.1)", batches);
}

#[test]
fn what_is_reduced_over_any_axis_is_broadcast_back() {
    for axis in 0..4 {
        for body in [
            "softmax(x, axis: AXIS)",
            "log_softmax(x, axis: AXIS)",
            "x - min(x, axis: AXIS, keep: true) |> group_norm(5)",
            "exp(x) * mean(exp(x), axis: AXIS, keep: true)",
            "x - max(softmax(x, axis: AXIS), axis: AXIS, keep: true)",
        ] {
            let body = body.replace("AXIS", &axis.to_string());
            body_trains(&format!("({body})"), &[2, 64]);
        }
    }
    body_trains("softmax(x, axis: 1) |> softmax(axis: 3) |> softmax(axis: 2)", &[3]);
    body_trains("(x * rsqrt(mean(x * x, axis: [1, 3], keep: true) + 0.5))", &[1, 17]);
}

/// Statistics of a batch are shifted by the mean of its first rows; what depends on the sample
/// alone is another number in the rows that follow.
#[test]
fn statistics_are_of_each_samples_own_values() {
    let gate = "(x * sigmoid(mean(x, axis: [1, 2], keep: true))) |> batch_norm";
    body_trains(gate, &[2, 3, 64]);
    let counted = "where(iota([N, 4, 3, 5], axis: 0) < 2, x, 0.5 * x) |> batch_norm";
    body_trains(counted, &[3, 64]);
    body_trains("(x * x[:, :1, :1]) |> conv(4, 3, pad: 1) |> batch_norm |> relu", &[3, 24]);
}

/// What windows read with a border may itself have been reduced from more.
#[test]
fn convolutions_read_what_was_reduced() {
    for axis in 1..5 {
        let model = format!(
            "model net(x: f32[N, 4, 3, 5, 2]) -> f32[N, 3] {{
                sum(x, axis: {axis}) |> conv(3, 3, pad: 1) |> relu |> flatten |> dense(3)
            }}"
        );
        trains(&model, "optimizer = sgd(lr: 0.1)", &[1, 24]);
    }
}

#[test]
fn weights_larger_than_the_cache_pass_in_panels() {
    let model = "model net(x: f32[N, 700]) -> f32[N, 3] { x |> dense(200) |> relu |> dense(3) }";
    trains(model, "optimizer = sgd(lr: 0.1)", &[24]);
}

/// Rows of 512 numbers lie in the same places of a cache: the weight has another layout, the gradient
/// that it is multiplied with is copied. The sum of 1,032 products is cut into blocks; the last adds the
/// bias.
#[test]
fn large_products_are_cut_into_blocks_of_their_sums() {
    let model = "model net(x: f32[N, 1032]) -> f32[N, 3] { x |> dense(512) |> relu |> dense(3) }";
    trains(model, "optimizer = sgd(lr: 0.1)", &[264]);
}

/// The weight of 256 units lies in panels. The gradients of gates read and write more places than there
/// are registers for.
#[test]
fn gates_of_many_units_train() {
    for units in [256, 100] {
        let model = format!(
            "model net(x: f32[N, 3, 5]) -> f32[N, 3] {{ x |> lstm({units}) |> flatten |> dense(3) }}"
        );
        trains(&model, "optimizer = sgd(lr: 0.1)", &[3]);
    }
}

/// A graph from its text.
fn read(text: &str) -> Graph {
    nnc::graph::read(text).unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn constants_are_joined_and_bordered() {
    let graph = read(
        "graph joined {
    input0 x: f32[N, 2]
    hyper0 rate = 0.5
    %0 = input0 : f32[N, 2]
    %1 = const 3.0 : f32
    %2 = broadcast %1 : f32[1]
    %3 = const -1.5 : f32
    %4 = broadcast %3 : f32[2]
    %5 = hyper0 : f64
    %6 = cast %5 : f32
    %7 = broadcast %6 : f32[1]
    %8 = concat 0 %2, %4, %7 : f32[4]
    %9 = pad [1 + 0] 7.0 %2 : f32[2]
    %10 = broadcast %9 : f32[N, 2]
    %11 = mul %0, %10 : f32[N, 2]
    output joined = %8
    output scaled = %11
}
",
    );
    compare("joined constants", &graph, 3, &batch_of(&graph, 3));
}

#[test]
fn normalized_mixtures_train() {
    let text = "data photos = images(\"photos\", size: [6, 6])
model net(image: f32[N, 6, 6, 3]) -> f32[N, 3] {
    image |> flatten |> dense(8) |> relu |> dense(3)
}
train net on photos { loss = cross_entropy\n optimizer = sgd(lr: 0.1) }
";
    let mean = vec![0.4, 0.5, 0.6];
    let normalize = Conversion::Normalize { mean, std: vec![0.25, 0.5, 0.125] };
    let image = ImageField { conversions: vec![normalize], ..ImageField::default() };
    let image = Field { kind: FieldKind::Image(image), ..Field::image("image", &[6, 6, 3]) };
    let fields = vec![image, Field::class("label", Some(3))];
    let schema = Schema { mixed: true, ..Schema::of(fields) };
    let graph = training(&experiment(text, vec![("photos".into(), schema)]));
    for batch in [2, 24] {
        compare(text, &graph, batch, &batch_of(&graph, batch));
    }
}

/// Vectors that begin anywhere in memory are compared on every target, those without AVX too.
#[test]
fn comparisons_read_vectors_that_are_not_aligned() {
    let model = "model net(x: f32[N, 3, 3, 7]) -> f32[N, 3] {
        min(0.5, split(x, [2, 5], axis: 3)[1]) |> flatten |> dense(3)
    }";
    trains(model, "optimizer = sgd(lr: 0.1)", &[17]);
}

/// Of an integer the low bits become a byte; a float is saturated.
#[test]
fn integers_keep_their_low_bits_as_bytes() {
    let graph = read(
        "graph bytes {
    input0 x: f32[N, 40]
    %0 = input0 : f32[N, 40]
    %1 = const 300.0 : f32
    %2 = broadcast %1 : f32[N, 40]
    %3 = mul %0, %2 : f32[N, 40]
    %4 = cast %3 : i32[N, 40]
    %5 = cast %4 : u8[N, 40]
    %6 = cast %5 : f32[N, 40]
    %7 = cast %3 : u8[N, 40]
    %8 = cast %7 : f32[N, 40]
    output low = %6
    output saturated = %8
}
",
    );
    compare("bytes", &graph, 9, &batch_of(&graph, 9));
}

/// Weights of inference lie in panels, too, before its first step.
#[test]
fn gates_of_many_units_answer() {
    let model =
        "model net(x: f32[N, 3, 5]) -> f32[N, 3, 3] { x |> lstm(256) |> lstm(256) |> dense(3) }
train net {\n loss = cross_entropy\n optimizer = sgd\n}\n";
    let graph = experiment(model, Vec::new()).eval;
    for batch in [1, 3] {
        compare(model, &graph, batch, &batch_of(&graph, batch));
    }
}
