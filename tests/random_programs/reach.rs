//! What random programs reach together: fails where the language has something that they never use.

use std::collections::BTreeSet;

use nnc::elaborate::{PRELUDE, operators};

use super::support::pipeline::{training, try_experiment};
use super::support::random_program::{RandomProgram, random_program};

fn programs() -> impl Iterator<Item = RandomProgram> {
    (0..super::COUNT).map(random_program)
}

/// Fails unless each word is among those that were found.
fn reached(wanted: impl IntoIterator<Item = String>, found: &BTreeSet<String>) {
    let missing: Vec<String> = wanted.into_iter().filter(|word| !found.contains(word)).collect();
    assert!(missing.is_empty(), "no program has {missing:?}");
}

/// The names in a text.
fn words(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.split(|letter| !is_part(letter)).map(ToString::to_string).collect()
}

/// What other items of the prelude are made of, and what counts labels: `tests/sequences.rs` has those;
/// and the metric that a step does not compute, which `tests/metrics.rs` has.
const ELSEWHERE: [&str; 8] = [
    "auc",
    "dot_attention",
    "split_heads",
    "join_heads",
    "position_angles",
    "over_positions",
    "counted",
    "classes_of",
];

#[test]
fn they_use_every_operator_and_item_of_the_language() {
    let used: BTreeSet<String> = programs().flat_map(|program| words(&program.text())).collect();
    // Schedules have a test of their own: a step knows only what they come to.
    let kinds = ["layer ", "loss ", "metric ", "optimizer ", "initializer "];
    let item = |line: &str| {
        let rest = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
        Some(rest.split('(').next()?.to_string())
    };
    let drawn = |name: &String| !ELSEWHERE.contains(&name.as_str());
    let items = PRELUDE.lines().filter_map(item).filter(drawn);
    reached(operators().map(|(name, _)| name.to_string()).chain(items), &used);
}

#[test]
fn they_use_every_operator_of_the_graph() {
    let mut used = BTreeSet::new();
    for program in programs().take(1200) {
        let text = program.text();
        let experiment = try_experiment(&text, Vec::new());
        let experiment = experiment.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        let graph = training(&experiment);
        used.extend(graph.nodes.values().map(|node| node.op.name().to_string()));
    }
    reached(super::support::random_graph::every_operator().map(str::to_string), &used);
}

/// Every kind of reduction over axes at every place, followed by every consumer.
#[test]
fn they_reduce_every_axis_for_every_consumer() {
    let found: BTreeSet<String> = programs().flat_map(|program| program.features()).collect();
    let single = ["first", "middle", "last"];
    let several = ["several", "apart", "all"];
    let mut wanted = Vec::new();
    for kind in ["sum: ", "mean: ", "extreme: max ", "extreme: min ", "variance: ", "centre: "] {
        wanted.extend(single.iter().chain(&several).map(|place| format!("{kind}{place}")));
    }
    for kind in ["softmax: softmax ", "softmax: log_softmax ", "argmax: "] {
        wanted.extend(single.iter().map(|place| format!("{kind}{place}")));
    }
    let consumers = [
        "smooth",
        "positive",
        "activation",
        "arithmetic",
        "number",
        "compare",
        "sum",
        "mean",
        "extreme",
        "variance",
        "softmax",
        "centre",
        "reshape",
        "transpose",
        "slice",
        "concat",
        "split",
        "pad",
        "matmul",
        "pick",
        "gather",
        "dense",
        "norm",
        "conv",
        "pool",
        "global_pool",
        "own",
        "shared",
        "random",
        "counted",
    ];
    for reduction in ["sum", "mean", "extreme", "variance", "softmax", "centre"] {
        wanted.extend(consumers.iter().map(|consumer| format!("{consumer} of {reduction}")));
    }
    reached(wanted, &found);
}

#[test]
fn they_have_every_rank_layout_type_and_window() {
    let found: BTreeSet<String> = programs().flat_map(|program| program.features()).collect();
    let mut wanted: Vec<String> = (0..=5).map(|rank| format!("rank {rank}")).collect();
    for rank in 2..=4 {
        wanted.extend((0..rank).map(|axis| format!("batch at axis {axis} of {rank}")));
    }
    for op in ["conv: ", "pool: max_pool ", "pool: avg_pool "] {
        for (stride, dilation) in [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2)] {
            wanted.push(format!("{op}stride {stride} dilation {dilation}"));
        }
        let pads = ["None", "Equal", "Ends", "Same", "Valid"];
        wanted.extend(pads.map(|pad| format!("{op}pad {pad}")));
    }
    let others = [
        "conv: groups",
        "conv: depthwise",
        "conv: plain",
        "conv: sequence",
        "conv: image",
        "norm: layer_norm",
        "norm: rms_norm",
        "norm: batch_norm",
        "norm: group_norm",
        "reshape: flatten",
        "reshape: joins",
        "reshape: cuts",
        "reshape: unit axis",
        "reshape: across",
        "arithmetic: equal",
        "arithmetic: one repeated",
        "arithmetic: both repeated",
        "shared: again",
        "own: centred",
        "own: counted",
        "own: residual",
        "own: attends",
        "own: filtered",
        "own: matched",
        "own: smoothed",
        "cast: f32 to i32",
        "cast: f32 to u8",
        "cast: f32 to bool",
        "cast: i32 to f32",
        "cast: u8 to f32",
        "cast: bool to f32",
        "cast: i32 to u8",
        "logic",
        "integers",
        "embedding",
        "one_hot",
        "joined",
        "head",
    ];
    wanted.extend(others.map(str::to_string));
    reached(wanted, &found);
}
