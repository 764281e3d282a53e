//! The meaning of programs: dimensions, stages, paths, states.

use super::support::{good, output, params};
use crate::graph::{Op, verify::verify};

/// A model of one input with this body, and items before it.
fn model(items: &str, input: &str, body: &str) -> String {
    format!("{items}\nmodel net(x: {input}) {{\n{body}\n}}\n")
}

#[test]
fn a_dense_network_has_paths_and_a_loss() {
    let found = good(
        "model net(x: f32[N, 12]) -> f32[N, 4] {\n    x |> dense(9) |> relu |> dense(4)\n}\n\
         train net {\n    loss = cross_entropy\n    metrics = [accuracy, top_k(k: 2), top_k(k: 3)]\n}\n",
    );
    assert_eq!(
        params(&found),
        [
            "dense.weight: f32[12, 9]",
            "dense.bias: f32[9]",
            "dense_2.weight: f32[9, 4]",
            "dense_2.bias: f32[4]"
        ]
    );
    assert_eq!(output(&found, "loss"), "f32");
    assert_eq!(output(&found, "output"), "f32[N, 4]");
    let training = found.training.expect("the model is trained");
    assert_eq!(training.metrics, ["accuracy", "top_k", "top_k_2"]);
    assert_eq!(training.optimizer, "adam");
    for graph in [&found.train, &found.eval, &training.rule.graph] {
        verify(graph).expect("the graph is sound");
    }
}

#[test]
fn names_of_dimensions_bind_agree_and_splice() {
    let items = "layer join(a: f32[..S, D], b: f32[..S, D]) -> f32[..S, E] {\n concat([a, b]) |> dense(D / 2, bias: false)\n}";
    let found = good(&model(items, "f32[N, 3, 8]", "join(x, x * 2)"));
    assert_eq!(output(&found, "output"), "f32[N, 3, 4]");
    assert_eq!(params(&found), ["join.dense.weight: f32[16, 4]"]);
}

#[test]
fn both_repeats_number_what_they_repeat() {
    let items = "const wide = 4 + 2\nlayer block(x: f32[N, D], units: int) {\n x |> dense(units, bias: false)\n}";
    let body = "x |> repeat 2 { block(wide) |> relu } |> repeat i in 1..3 { block(10 * i) }";
    let found = good(&model(items, "f32[N, 4]", body));
    assert_eq!(
        params(&found),
        [
            "block.dense.weight: f32[4, 6]",
            "block_2.dense.weight: f32[6, 6]",
            "block_3.dense.weight: f32[6, 10]",
            "block_4.dense.weight: f32[10, 20]"
        ]
    );
}

#[test]
fn a_named_stage_runs_again_on_the_same_parameters() {
    let body = "let y = x |> dense(4) as head\nlet z = y |> head\nz |> dense(2)";
    let found = good(&model("", "f32[N, 4]", body));
    assert_eq!(
        params(&found),
        [
            "head.weight: f32[4, 4]",
            "head.bias: f32[4]",
            "dense.weight: f32[4, 2]",
            "dense.bias: f32[2]"
        ]
    );
    let products = found.train.nodes.values().filter(|n| matches!(n.op, Op::MatMul { .. })).count();
    assert_eq!(products, 3);
}

#[test]
fn a_named_repeat_is_a_path_of_its_own() {
    let body = "let y = x |> repeat 2 { dense(4, bias: false) } as trunk\ny |> trunk |> dense(1, bias: false)";
    let found = good(&model("", "f32[N, 4]", body));
    assert_eq!(
        params(&found),
        [
            "trunk.dense.weight: f32[4, 4]",
            "trunk.dense_2.weight: f32[4, 4]",
            "dense.weight: f32[4, 1]"
        ]
    );
}

#[test]
fn a_condition_chooses_what_is_elaborated() {
    let items = "layer skip(x: f32[N, D], units: int) -> f32[N, units] {\n if D == units { x } else if training or units > 100 { x |> dense(units) } else { x |> dense(units) }\n}";
    let found = good(&model(items, "f32[N, 4]", "x |> skip(4) |> skip(3)"));
    assert_eq!(params(&found), ["skip_2.dense.weight: f32[4, 3]", "skip_2.dense.bias: f32[3]"]);
}

#[test]
fn slices_keep_axes_and_indices_take_them_away() {
    let found = good(&model("", "f32[N, 5, 8]", "x[.., 1, 2:] + x[:, -1, 0:6]"));
    assert_eq!(output(&found, "output"), "f32[N, 6]");
    let found = good(&model("const sizes = [7, 9, 11]", "f32[N, 3]", "x |> dense(sizes[-1])"));
    assert_eq!(output(&found, "output"), "f32[N, 11]");
    let found = good(&model("", "f32[N, 6]", "let parts = split(x, 3)\nparts[0] + parts[2]"));
    assert_eq!(output(&found, "output"), "f32[N, 2]");
}

#[test]
fn ints_floats_and_the_batch_are_computed_while_compiling() {
    let body = "let heads = 2\nlet y = reshape(x, [N * 2, 8 / heads])\nlet s = sqrt(1.0 / heads)\nsum(y * s / N, axis: [0, 1]) + min(3, 4) + 2 ^ 3";
    let found = good(&model("", "f32[N, 8]", body));
    assert_eq!(output(&found, "output"), "f32");
    let has_reshape = found.train.nodes.values().any(|node| node.ty.to_string() == "f32[2N, 4]");
    assert!(has_reshape);
}

#[test]
fn a_users_item_hides_the_preludes_which_keeps_its_own() {
    let items = "layer log_softmax(x: f32[..S]) {\n x\n}\nlayer dense(x: f32[N, I], units: int) {\n param w: f32[I, units] = normal(std: 0.1)\n x @ w\n}";
    let program = format!(
        "{}train net {{ loss = cross_entropy }}\n",
        model(items, "f32[N, 4]", "x |> dense(3) |> log_softmax")
    );
    let found = good(&program);
    assert_eq!(params(&found), ["dense.w: f32[4, 3]"]);
    let exps = found.train.nodes.values().filter(|n| n.op == Op::Unary(crate::graph::Unary::Exp));
    assert_eq!(exps.count(), 1, "the loss still uses the prelude's log_softmax");
}

#[test]
fn states_are_written_while_training_only_and_read_back_without_gradient() {
    let items = "layer centre(x: f32[N, D]) -> f32[N, D] {\n state seen: f32[D] = zeros\n seen <- 0.9 * seen + 0.1 * mean(x, axis: 0)\n x - seen\n}";
    let found = good(&model(items, "f32[N, 4]", "x |> centre"));
    assert_eq!(found.train.updates.len(), 1);
    assert_eq!(found.eval.updates.len(), 0);
    assert_eq!(found.train.states.values().next().expect("a state").path, "centre.seen");
    let stops = found.train.nodes.values().filter(|node| node.op == Op::StopGradient).count();
    assert_eq!(stops, 1);
}

#[test]
fn initializers_draw_for_the_declared_shape() {
    let items = "initializer mine(fan_in, fan_out, gain: float = 2.0) {\n if fan_in > 3 { normal(std: gain / fan_in) } else { zeros }\n}";
    let found = good(&model(
        items,
        "f32[N, 4]",
        "x |> dense(2, init: mine(gain: 1.0)) |> dense(2, init: mine) |> dense(1, init: he_normal)",
    ));
    let inits: Vec<_> = found.train.params.values().map(|param| param.init.clone()).collect();
    assert_eq!(inits[0], crate::graph::Init::Normal { mean: 0.0, std: 0.25 });
    assert_eq!(inits[2], crate::graph::Init::Constant(0.0));
    let std = libm::sqrt(2.0 / 2.0) / 0.879_625_661_034_239_8;
    assert_eq!(inits[4], crate::graph::Init::TruncatedNormal { mean: 0.0, std });
}

#[test]
fn a_recursive_layer_that_ends_is_fine() {
    let items = "layer deep(x: f32[N, D], depth: int) -> f32[N, D] {\n if depth == 0 { x } else { x |> dense(D, bias: false) |> deep(depth - 1) }\n}";
    let found = good(&model(items, "f32[N, 2]", "x |> deep(3)"));
    assert_eq!(
        params(&found),
        [
            "deep.dense.weight: f32[2, 2]",
            "deep.deep.dense.weight: f32[2, 2]",
            "deep.deep.deep.dense.weight: f32[2, 2]"
        ]
    );
}

#[test]
fn dropout_draws_while_training_only() {
    let found = good(&model("", "f32[N, 4]", "x |> dropout(0.25)"));
    let draws = |graph: &crate::graph::Graph| {
        graph.nodes.values().filter(|node| matches!(node.op, Op::Uniform { .. })).count()
    };
    assert_eq!((draws(&found.train), draws(&found.eval)), (1, 0));
}

#[test]
fn every_node_knows_the_calls_it_came_through() {
    let text = model("", "f32[N, 4]", "x |> dense(3)");
    let found = good(&text);
    let graph = &found.train;
    let product = graph.nodes.values().find(|node| matches!(node.op, Op::MatMul { .. }));
    let origin = product.and_then(|node| node.origin).expect("the product has an origin");
    let chain: Vec<_> = graph.origins.chain(origin).collect();
    assert_eq!(chain.len(), 2);
    assert_eq!(chain[0].path, "dense");
    let outer = chain[1].span;
    assert_eq!(&text[outer.start as usize..outer.end as usize], "dense(3)");
}

#[test]
fn an_argument_that_may_be_nothing_is_asked_for_while_compiling() {
    let items = "layer scaled(x: f32[N, D], by: f32[N, K] or none = none, floor: float or none in 0..1 = none, name: string or none = none) -> f32[N, D] {
 let y = if by == none { x } else { x * by[:, 0:1] }
 let z = if floor != none { max(y, floor) } else { y }
 if name == none { z } else { z |> dense(D) }
}
layer twice(x: f32[N, D], by: f32[N, K] or none = none) -> f32[N, D] {
 x |> scaled(by: by) |> scaled(by)
}";
    let nodes = |body: &str| good(&model(items, "f32[N, 4]", body)).train.nodes.len();
    assert_eq!(nodes("x |> twice"), nodes("x"));
    assert_eq!(nodes("x |> scaled(none, none, none)"), nodes("x"));
    assert_eq!(nodes("x |> twice(x)"), nodes("x * x[:, 0:1] * x[:, 0:1]"));
    assert_eq!(nodes("x |> scaled(floor: 0.5)"), nodes("max(x, 0.5)"));
    let found = good(&model(items, "f32[N, 4]", "x |> scaled(name: wide)"));
    assert_eq!(params(&found).len(), 2);
    // Of operators, too, where it may be left out.
    assert_eq!(nodes("mean(x, axis: none, where: none)"), nodes("mean(x)"));
    // A name of one's own comes first.
    let own = "const none = 3";
    assert_eq!(output(&good(&model(own, "f32[N, 4]", "x |> dense(none)")), "output"), "f32[N, 3]");
}
