//! The prelude: every item elaborates, and every item says what it does.

use super::support::{good, with};
use crate::base::source::Sources;
use crate::elaborate::{ElaborateOptions, OverSplit, PRELUDE, PRELUDE_NAME};
use crate::graph::verify::verify;
use crate::syntax::ast::{FunctionKind, ItemKind};
use crate::syntax::parse;

/// The names of the prelude's items of a kind, each documented.
fn names(kind: FunctionKind) -> Vec<String> {
    let mut sources = Sources::new();
    let id = sources.add_builtin(PRELUDE_NAME, PRELUDE);
    let file = parse(&sources, id).expect("the prelude parses");
    let mut names = Vec::new();
    for item in &file.items {
        let ItemKind::Function(function) = &item.kind else { continue };
        assert!(!item.doc.is_empty(), "`{}` is documented", function.name.text);
        if function.kind == kind {
            names.push(function.name.text.clone());
        }
    }
    assert!(!names.is_empty());
    names
}

#[test]
fn every_layer_elaborates() {
    for name in names(FunctionKind::Layer) {
        let call = match name.as_str() {
            "dense" => "cast(x, f32) |> dense(5)".to_owned(),
            "embedding" => "embedding(x, 10, 4)".to_owned(),
            "conv" | "conv_transpose" => format!("cast(x, f32) |> {name}(5, 3)"),
            "upsample" => "cast(x, f32) |> upsample(2, mode: bilinear)".to_owned(),
            "upsample_rows" => "cast(x, f32) |> upsample_rows(2, nearest)".to_owned(),
            "depthwise_conv" | "max_pool" | "avg_pool" => format!("cast(x, f32) |> {name}(2)"),
            "rnn" | "lstm" | "gru" => format!("cast(x, f32) |> {name}(5, reverse: true)"),
            "group_norm" => "cast(x, f32) |> group_norm(2)".to_owned(),
            "attention" => {
                "cast(x, f32) |> attention(2, causal: true, mask: x[:, :, 0] > 0)".to_owned()
            }
            "cross_attention" => "cast(x, f32) |> cross_attention(cast(x, f32), 2)".to_owned(),
            "dot_attention" => "dot_attention(cast(x, f32), cast(x, f32), cast(x, f32))".to_owned(),
            "split_heads" => "cast(x, f32) |> split_heads(2)".to_owned(),
            "join_heads" => "cast(x, f32) |> split_heads(2) |> join_heads".to_owned(),
            "position_angles" => "cast(x, f32) + position_angles(3, 4, 1e4)".to_owned(),
            "over_positions" => "over_positions(cast(x, f32), x, ignore: 1)".to_owned(),
            "counted" => "counted(cast(x, f32), x, ignore: 1)".to_owned(),
            "classes_of" => "cast(classes_of(x, ignore: 1), f32)".to_owned(),
            _ => format!("cast(x, f32) |> {name}"),
        };
        let found = good(&format!("model net(x: i32[N, 3, 4]) {{ {call} }}\n"));
        verify(&found.train).expect("sound");
        verify(&found.eval).expect("sound");
    }
}

#[test]
fn every_loss_and_metric_elaborates() {
    for name in names(FunctionKind::Loss) {
        let found = good(&format!(
            "model net(x: f32[N, 3]) {{ x |> dense(4) }}\ntrain net {{ loss = {name} }}\n"
        ));
        verify(&found.train).expect("sound");
    }
    // Those of numbers and labels compare with a target of the output's shape.
    const OF_NUMBERS: [&str; 7] = ["mae", "mse", "rmse", "r2", "label_accuracy", "label_f1", "auc"];
    let (numbers, classes): (Vec<String>, Vec<String>) =
        names(FunctionKind::Metric).into_iter().partition(|name| OF_NUMBERS.contains(&&name[..]));
    assert_eq!(numbers.len(), OF_NUMBERS.len());
    let with = |loss: &str, metrics: Vec<String>| {
        let metrics = metrics.join(", ");
        let found = good(&format!(
            "model net(x: f32[N, 3]) {{ x |> dense(6) }}\ntrain net {{\n loss = {loss}\n metrics = [{metrics}]\n}}\n"
        ));
        verify(&found.train).expect("sound");
        found
    };
    let numbers = with("mse", numbers);
    let over = &numbers.training.as_ref().expect("training").overs;
    assert_eq!(
        over.iter().map(|(name, _)| &name[..]).collect::<Vec<_>>(),
        ["rmse", "r2", "label_f1", "auc"]
    );
    for (name, over) in over {
        match over {
            OverSplit::Means(graph) => verify(graph).expect("sound"),
            OverSplit::Rows { width, .. } => {
                assert!(["auc", "r2"].contains(&&name[..]), "{name}");
                assert_eq!(*width, 12);
            }
        }
    }
    let found = with("cross_entropy(smoothing: 0.1)", classes);
    let f1 = found.train.output("metric.f1").expect("f1");
    assert_eq!(found.train.ty(f1).to_string(), "f32[2]");
}

#[test]
fn every_optimizer_is_a_rule_of_scalars() {
    for name in names(FunctionKind::Optimizer) {
        let found = good(&format!(
            "model net(x: f32[N, 3]) {{ x |> dense(4) }}\ntrain net {{\n loss = mse\n optimizer = {name}(lr: 0.5)\n}}\n"
        ));
        let rule = found.training.expect("trained").rule.graph;
        verify(&rule).expect("sound");
        assert_eq!(rule.inputs.len(), 2);
        assert_eq!(rule.hypers.values().next().map(|hyper| hyper.value), Some(0.5));
        let p = rule.output("p").expect("the new value");
        assert_eq!(rule.ty(p).to_string(), "f32");
        assert_eq!(rule.updates.len(), rule.states.len());
    }
    let momentum = good(
        "model net(x: f32[N, 3]) { x |> dense(4) }\ntrain net {\n loss = mse\n optimizer = sgd(momentum: 0.9, nesterov: true)\n}\n",
    );
    let rule = momentum.training.expect("trained").rule.graph;
    assert_eq!(rule.states.values().next().map(|state| state.path.as_str()), Some("velocity"));
}

#[test]
fn every_initializer_draws() {
    for name in names(FunctionKind::Initializer) {
        let text = format!("model net(x: f32[N, 3]) {{ x |> dense(4, init: {name}) }}\n");
        assert!(with(&text, &ElaborateOptions::default()).is_ok(), "{name}");
    }
}
