//! Going on with a text: the step of one position gives the bits of the whole window, in every engine;
//! `nnc generate` says the same again, and what cannot be gone on with is refused.

mod support;

#[path = "generate/command.rs"]
mod command;

use std::collections::BTreeSet;

use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Tensor};
use nnc::graph::{Binary, Builder, Graph, Init, InputId, Op, State, UpdateTarget, verify};
use nnc::pass::incremental::{self, Incremental, POSITION};
use nnc::pass::{bind, dce};
use support::engines::{Engine, Job, Tensors, targets};
use support::pipeline::experiment;

/// Positions of a window: so many that attention over them is one kernel.
const WINDOW: usize = 40;
/// Kinds of tokens.
const TOKENS: usize = 7;

/// The evaluation of a model of this body for one sample, nothing but its output, and its tokens.
fn model(items: &str, body: &str) -> (Graph, InputId) {
    let text = format!(
        "{items}\nmodel net(tokens: i32[N, {WINDOW}]) -> f32[N, {WINDOW}, {TOKENS}] {{\n{body}\n}}\n\
         train net {{\n    loss = cross_entropy\n    optimizer = sgd\n}}\n"
    );
    let mut graph = experiment(&text, Vec::new()).eval;
    graph.outputs.retain(|output| output.name.model_name().is_some());
    graph.updates.clear();
    let graph = dce::run(&bind::run(&graph, 1));
    let tokens = graph.inputs.iter().find(|(_, input)| input.name == "tokens");
    let tokens = tokens.expect("its tokens").0;
    (graph, tokens)
}

/// The same with a state that gets the output of each position.
fn collecting(step: &Graph) -> Graph {
    let mut build = Builder::resume(step.clone());
    let output = step.output("output").expect("an output");
    let mut ty = step.ty(output).clone();
    ty.shape = nnc::graph::Shape::known(&[1, WINDOW, TOKENS]);
    let shape = ty.shape.clone();
    let init = Init::Constant(0.0);
    let all = build.state(State { path: "all".into(), ty, init, origin: None });
    let Op::State(id) = build.graph.nodes[all].op else { unreachable!() };
    let position = build.graph.nodes.iter().find_map(|(node, it)| match it.op {
        Op::Input(input) if build.graph.inputs[input].name == POSITION => Some(node),
        _ => None,
    });
    let position = position.expect("the position is read");
    let position = build.reshape(position, nnc::graph::Shape::known(&[])).unwrap();
    let count = build.iota(shape.clone(), 1).unwrap();
    let is_here = build.binary(Binary::Eq, count, position).unwrap();
    let output = build.broadcast_to(output, &shape).unwrap();
    let new = build.select(is_here, output, all).unwrap();
    build.update(UpdateTarget::State(id), new);
    let graph = build.finish();
    assert_eq!(verify(&graph), Ok(()), "{graph}");
    graph
}

fn text(seed: u64) -> Vec<i32> {
    let mut random = Sequence::new(seed, 3);
    (0..WINDOW).map(|_| random.below(TOKENS as u32) as i32).collect()
}

/// A job on these tokens, and a position where they are one; the labels are read by nothing.
fn job(graph: &Graph, given: Tensors, at: impl Fn(u64) -> (Vec<i32>, usize) + 'static) -> Job {
    let inputs = move |step: u64| {
        let (tokens, position) = at(step);
        let tokens = Tensor::i32([1, tokens.len()], tokens);
        let position = Tensor::i32([1], vec![position as i32]);
        let named = [("tokens", tokens.clone()), ("label", tokens), (POSITION, position)];
        named.map(|(name, tensor)| (name.to_owned(), tensor)).into_iter().collect()
    };
    Job { graph: graph.clone(), batch: 1, seed: 5, given, inputs: Box::new(inputs) }
}

/// The output at each position, from the whole window.
fn windowed(graph: &Graph, engine: Engine) -> Vec<f32> {
    engine.run(&job(graph, Tensors::new(), |_| (text(2), 0)), 1).outputs["output"].clone()
}

/// The same position by position, behind another text, which has left its traces.
fn stepped(step: &Graph, engine: Engine) -> Vec<f32> {
    let job = job(&collecting(step), Tensors::new(), |step| {
        let (round, at) = ((step as usize - 1) / WINDOW, (step as usize - 1) % WINDOW);
        (vec![text(round as u64 + 1)[at]], at)
    });
    engine.run(&job, 2 * WINDOW as u64).kept["all"].clone()
}

/// The same from the last of the first `count` positions on, which are computed at once.
fn prefilled(graph: &Graph, made: &Incremental, count: usize, engine: Engine) -> Vec<f32> {
    let prefill = dce::run(&made.prefill(graph, count));
    assert_eq!(verify(&prefill), Ok(()), "{prefill}");
    // What stands behind the first positions is not looked at.
    let first = job(&prefill, Tensors::new(), move |_| {
        let tokens = [&text(2)[..count], &text(3)[count..]].concat();
        (tokens, 0)
    });
    let first = engine.run(&first, 1);
    let mut outputs = first.outputs["output"].clone();
    if count < WINDOW {
        let kept = made.graph.states.values().map(|state| {
            let value = first.kept[&state.path].clone();
            (state.path.clone(), Tensor::f32(state.ty.shape.at(1), value))
        });
        let rest = job(&collecting(&made.graph), kept.collect(), move |step| {
            let at = count + step as usize - 1;
            (vec![text(2)[at]], at)
        });
        let rest = engine.run(&rest, (WINDOW - count) as u64);
        outputs.extend_from_slice(&rest.kept["all"][count * TOKENS..]);
    }
    outputs
}

/// Models that can be computed by positions: their items and bodies, and whether their view is limited.
const CAUSAL: &[(&str, &str, &str, bool)] = &[
    (
        "attention, learned positions",
        "",
        "tokens |> embedding(7, 8) |> positions |> attention(2, causal: true) |> layer_norm |> dense(7)",
        true,
    ),
    (
        "two blocks with rotary positions and a gated layer",
        "layer block(x: f32[N, T, D]) -> f32[N, T, D] {
            let y = x + (x |> layer_norm |> rotary |> attention(2, causal: true))
            y + (y |> layer_norm |> dense(4 * D) |> swiglu |> dense(D))
        }",
        "tokens |> embedding(7, 8) |> repeat 2 { block } |> dense(7)",
        true,
    ),
    (
        "sinusoidal positions",
        "",
        "tokens |> embedding(7, 8) |> sinusoidal_positions |> attention(4, causal: true) |> dense(7)",
        true,
    ),
    (
        "attention by hand with a mask that is added",
        "",
        "let x = tokens |> embedding(7, 8) |> positions
        let scores = (x |> dense(4)) @ transpose(x |> dense(4), [0, 2, 1])
        let mask = where(iota(40) > reshape(iota(40), [40, 1]), -1e9, 0.0)
        softmax(0.5 * scores + mask, axis: 2) @ x |> dense(7)",
        true,
    ),
    (
        "attention whose probabilities are cut after the exponential",
        "",
        "let x = tokens |> embedding(7, 8) |> positions
        let scores = exp(0.1 * (x |> dense(4)) @ transpose(x |> dense(4), [0, 2, 1]))
        let is_before = reshape(iota(40), [40, 1]) >= iota(40)
        let weights = where(is_before, scores, 0.0)
        (weights / sum(weights, axis: 2, keep: true)) @ x |> dense(7)",
        true,
    ),
    (
        "long short-term memory",
        "",
        "tokens |> embedding(7, 8) |> lstm(6) |> lstm(5) |> dense(7)",
        false,
    ),
    ("gated recurrence", "", "tokens |> embedding(7, 8) |> gru(6) |> rnn(5) |> dense(7)", false),
    (
        "dilated convolutions",
        "",
        "tokens |> embedding(7, 8) |> conv(6, 2, dilation: 2, pad: [[2, 0]]) |> relu
            |> conv(6, 3, pad: [[2, 0]]) |> tanh |> conv(7, 1)",
        false,
    ),
    (
        "recurrence, convolution and attention",
        "",
        "tokens |> embedding(7, 8) |> gru(8) |> conv(8, 3, pad: [[2, 0]]) |> batch_norm
            |> attention(2, causal: true) |> dense(7)",
        true,
    ),
    (
        "no position sees another",
        "",
        "tokens |> embedding(7, 8) |> dense(5) |> gelu |> dense(7)",
        false,
    ),
];

fn engines() -> Vec<Engine> {
    let mut engines = vec![Engine::Graph, Engine::Loops(2)];
    engines.extend(targets().flat_map(|target| [1, 3].map(|it| Engine::Compiled(target, it))));
    engines
}

/// That two ways to compute the outputs of positions give the same bits.
fn agree(what: &str, whole: &[f32], others: &[f32], graph: &Graph) {
    assert_eq!(whole.len(), others.len(), "{what}");
    let differ = whole.iter().zip(others).filter(|(a, b)| a.to_bits() != b.to_bits());
    let most = whole.iter().zip(others).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert_eq!(differ.count(), 0, "{what}: up to {most}\n{graph}");
}

#[test]
fn positions_one_by_one_have_the_bits_of_the_whole_window() {
    for &(name, items, body, limited) in CAUSAL {
        let (graph, tokens) = model(items, body);
        let made = incremental::run(&graph, tokens)
            .unwrap_or_else(|obstacle| panic!("{name}: {obstacle:?}\n{graph}"));
        let step = &made.graph;
        assert_eq!(verify(step), Ok(()), "{name}: {step}");
        assert_eq!(made.positions, limited.then_some(WINDOW), "{name}");
        for engine in engines() {
            let what = format!("{name}, {}", engine.name());
            agree(&what, &windowed(&graph, engine), &stepped(step, engine), step);
        }
    }
}

#[test]
fn positions_behind_those_computed_at_once_have_the_bits_of_the_whole_window() {
    for &(name, items, body, _) in CAUSAL {
        let (graph, tokens) = model(items, body);
        let made = incremental::run(&graph, tokens).expect("a causal model");
        for (engine, count) in
            engines().into_iter().zip([1, 17, 20, 39, WINDOW].into_iter().cycle())
        {
            let what = format!("{name}, {count} positions at once, {}", engine.name());
            let whole = windowed(&graph, engine);
            let others = prefilled(&graph, &made, count, engine);
            agree(&what, &whole[(count - 1) * TOKENS..], &others, &made.graph);
        }
    }
}

/// No window-sized value but what is kept is computed in a step: time and memory are those of a position.
#[test]
fn a_step_computes_one_position() {
    let (graph, tokens) = model(CAUSAL[1].1, CAUSAL[1].2);
    let step = incremental::run(&graph, tokens).expect("a causal model").graph;
    let wide = step.nodes.values().filter(|node| {
        let shape = node.ty.shape.at(1);
        let contracts = node.op.kind().contracts();
        contracts && shape.iter().filter(|&&extent| extent == WINDOW).count() > 1
    });
    assert_eq!(wide.count(), 0, "{step}");
    let kept: BTreeSet<Vec<usize>> =
        step.states.values().map(|state| state.ty.shape.at(1)).collect();
    assert_eq!(kept.len(), 2, "keys and values, in the layouts in which they are read: {kept:?}");
    assert!(step.inputs.values().all(|input| input.ty.dtype == DType::I32));
}

#[test]
fn what_sees_later_positions_is_no_step() {
    for (name, body) in [
        ("attention", "tokens |> embedding(7, 8) |> attention(2) |> dense(7)"),
        (
            "a mean",
            "let x = tokens |> embedding(7, 8)\n    x + mean(x, axis: 1, keep: true) |> dense(7)",
        ),
        ("a border on both sides", "tokens |> embedding(7, 8) |> conv(7, 3, pad: same)"),
        ("backwards", "tokens |> embedding(7, 8) |> lstm(6, reverse: true) |> dense(7)"),
        ("moved", "let x = tokens |> embedding(7, 7)\n    concat([x[:, 1:], x[:, :1]], axis: 1)"),
        (
            "a mask the wrong way",
            "let x = tokens |> embedding(7, 8)
            let scores = x @ transpose(x, [0, 2, 1])
            let mask = where(iota(40) < reshape(iota(40), [40, 1]), -1e9, 0.0)
            softmax(scores + mask, axis: 2) @ x |> dense(7)",
        ),
        (
            "a mask that lets one too many through",
            "let x = tokens |> embedding(7, 8)
            let scores = x @ transpose(x, [0, 2, 1])
            let mask = where(iota(40) > reshape(iota(40), [40, 1]) + 1, -1e9, 0.0)
            softmax(scores + mask, axis: 2) @ x |> dense(7)",
        ),
        (
            "a mask that is not low enough",
            "let x = tokens |> embedding(7, 8)
            let scores = x @ transpose(x, [0, 2, 1])
            let mask = where(iota(40) > reshape(iota(40), [40, 1]), -5.0, 0.0)
            softmax(scores + mask, axis: 2) @ x |> dense(7)",
        ),
    ] {
        let (graph, tokens) = model("", body);
        let obstacle = incremental::run(&graph, tokens).err();
        assert!(obstacle.is_some_and(|it| it.sees_all), "{name}: {obstacle:?}\n{graph}");
    }
}
