//! Passes keep what a graph means, and achieve what they are for.
//!
//! Meaning: outputs before and after each pass, on the gradient graphs of all derivative cases,
//! are equal to the bit (`0 = −0` aside; powers with a constant exponent and sums that a factor is
//! taken out of within a rounding).
//! Achievement: small graphs with the number of nodes that must remain.

mod support;

use nnc::base::tensor::{Data, Tensor};
use nnc::graph::{Binary, Builder, Graph, Node, NodeId, Op, Reduce, Unary, interp, read, verify};
use nnc::pass::autodiff::{self, Wrt};
use nnc::pass::{PIPELINE, bind, dce, simplify};
use support::pipeline::optimised;
use support::random_graph::derivative_cases::{self, Case};
use support::random_graph::random_graph;

/// Samples a step, of graphs whose batch is a symbol.
const BATCH: usize = 3;

/// A case's graph with the sum of its `y` as the loss, and all gradients.
fn differentiated(case: &Case) -> Graph {
    let mut b = Builder::resume(case.graph.clone());
    let y = b.graph.output("y").unwrap();
    let axes: Vec<usize> = (0..b.ty(y).shape.rank()).collect();
    let loss = b.reduce(Reduce::Sum, y, &axes, false).unwrap();
    b.output("loss", loss);
    autodiff::run(&b.finish(), Wrt { inputs: true })
}

/// Whether a graph has what `simplify` rounds otherwise: powers, and sums of products.
fn rounds_otherwise(graph: &Graph) -> bool {
    let is_inexact = |node: &Node| match node.op {
        Op::Binary(Binary::Pow) => true,
        Op::Reduce(Reduce::Sum, _) => {
            let arg = &graph.nodes[node.args[0]].op;
            matches!(arg, Op::Binary(Binary::Mul | Binary::Div) | Op::Unary(Unary::Neg))
                || matches!(arg, Op::MaxPoolGrad { .. })
        }
        _ => false,
    };
    graph.nodes.values().any(is_inexact)
}

/// Whether two tensors are the same values: NaN is NaN, 0 is −0.
fn same(a: &Tensor, b: &Tensor, tolerance: f32) -> bool {
    let (Data::F32(a_values), Data::F32(b_values)) = (&a.data, &b.data) else { return a == b };
    let near = |a: f32, b: f32| {
        let scale = a.abs().max(b.abs()).max(1.0);
        a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * scale
    };
    a.shape == b.shape && a_values.iter().zip(b_values).all(|(&a, &b)| near(a, b))
}

#[test]
fn values_are_the_same_before_and_after() {
    for case in derivative_cases::all() {
        let mut graph = bind::run(&differentiated(&case), 1);
        let before = costs(&graph);
        let expected = case.run(&graph, &case.inputs);
        let tolerance = if rounds_otherwise(&graph) { 1e-6 } else { 0.0 };
        for pass in PIPELINE.step {
            let name = pass.name;
            graph = (pass.run)(&graph, &1);
            assert_eq!(verify(&graph), Ok(()), "{} after {name}", case.name);
            let actual = case.run(&graph, &case.inputs);
            for (output, value) in &expected {
                assert!(
                    same(value, &actual[output], tolerance),
                    "{}: {output} after {name}: {value:?} became {:?}\n{graph}",
                    case.name,
                    actual[output]
                );
            }
        }
        assert!(costs(&graph) <= before, "{}: more work\n{graph}", case.name);
        let again = optimised(&graph, 1);
        assert_eq!(again.nodes.len(), graph.nodes.len(), "{}: work left\n{graph}", case.name);
    }
}

/// How many of them do more than view a value in another shape.
fn costs(graph: &Graph) -> usize {
    work(graph).iter().filter(|&&name| name != "reshape").count()
}

/// What remains of a graph's work after the passes that make it small.
fn left(text: &str) -> Vec<&'static str> {
    let graph = read(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(verify(&graph), Ok(()));
    work(&optimised(&graph, BATCH))
}

/// A random graph with the sum of its outputs as the loss, and the gradients of its parameter and
/// inputs.
fn random_step(graph: &Graph) -> Graph {
    let mut b = Builder::resume(graph.clone());
    let mut loss: Option<NodeId> = None;
    for output in graph.outputs.clone() {
        let axes: Vec<usize> = (0..b.ty(output.node).shape.rank()).collect();
        let sum = b.reduce(Reduce::Sum, output.node, &axes, false).unwrap();
        loss = Some(match loss {
            None => sum,
            Some(loss) => b.op(Op::Binary(Binary::Add), &[loss, sum]).unwrap(),
        });
    }
    b.output("loss", loss.expect("a random graph has outputs"));
    autodiff::run(&b.finish(), Wrt { inputs: true })
}

#[test]
fn random_graphs_keep_their_values() {
    for seed in 0..150 {
        let random = random_graph(seed, 25);
        let env = random.env(BATCH, seed);
        let symbolic = random_step(&random.graph);
        assert_eq!(verify(&symbolic), Ok(()), "seed {seed}: autodiff");
        let expected = interp::run(&symbolic, BATCH, &env).unwrap();
        let mut graph = bind::run(&symbolic, BATCH);
        let tolerance = if rounds_otherwise(&graph) { 1e-3 } else { 0.0 };
        for pass in PIPELINE.step {
            let name = pass.name;
            graph = (pass.run)(&graph, &BATCH);
            assert_eq!(verify(&graph), Ok(()), "seed {seed} after {name}");
            let actual = interp::run(&graph, BATCH, &env).unwrap();
            for (output, value) in &expected.outputs {
                let after = &actual.outputs[output];
                assert!(same(value, after, tolerance), "seed {seed}: {output} after {name}");
            }
            let kept = [(&expected.params, &actual.params), (&expected.states, &actual.states)];
            for (before, after) in kept.iter().flat_map(|(a, b)| a.iter().zip(b.iter())) {
                assert!(same(before, after, tolerance), "seed {seed}: an update after {name}");
            }
        }
    }
}

/// The operators of a graph, without leaves and broadcasts.
fn work(graph: &Graph) -> Vec<&'static str> {
    let work = graph.nodes.values().filter(|node| !node.args.is_empty());
    let work = work.filter(|node| !matches!(node.op, Op::Broadcast(_)));
    work.map(|node| node.op.name()).collect()
}

/// A graph of inputs `a` and `b`, both `f32[2, 3]`, with these nodes after them (`%2` on), the last
/// of which is the output.
fn nodes(lines: &[&str]) -> String {
    let mut text = String::from(
        "graph test {\n input0 a: f32[2, 3]\n input1 b: f32[2, 3]\n \
         %0 = input0 : f32[2, 3]\n %1 = input1 : f32[2, 3]\n",
    );
    for line in lines {
        text += &format!(" {line}\n");
    }
    text + &format!(" output y = %{}\n}}\n", lines.len() + 1)
}

const ONE: [&str; 2] = ["%2 = const 1.0 : f32", "%3 = broadcast %2 : f32[2, 3]"];
const ZERO: [&str; 2] = ["%2 = const 0.0 : f32", "%3 = broadcast %2 : f32[2, 3]"];
const TWO: [&str; 2] = ["%2 = const 2.0 : f32", "%3 = broadcast %2 : f32[2, 3]"];

#[test]
fn arithmetic_that_changes_nothing_goes() {
    let after = |head: [&str; 2], line| left(&nodes(&[head[0], head[1], line]));
    let none: [&str; 0] = [];
    assert_eq!(after(ONE, "%4 = mul %0, %3 : f32[2, 3]"), none);
    assert_eq!(after(ONE, "%4 = div %0, %3 : f32[2, 3]"), none);
    assert_eq!(after(ONE, "%4 = pow %0, %3 : f32[2, 3]"), none);
    assert_eq!(after(ZERO, "%4 = add %3, %0 : f32[2, 3]"), none);
    assert_eq!(after(ZERO, "%4 = sub %0, %3 : f32[2, 3]"), none);
    assert_eq!(after(ZERO, "%4 = sub %3, %0 : f32[2, 3]"), ["neg"]);
    assert_eq!(after(TWO, "%4 = pow %0, %3 : f32[2, 3]"), ["mul"]);
    assert_eq!(after(TWO, "%4 = div %0, %3 : f32[2, 3]"), ["mul"]);
    // NaN and infinity: 0 · x is not 0, x − x is not 0.
    assert_eq!(after(ZERO, "%4 = mul %3, %0 : f32[2, 3]"), ["mul"]);
    assert_eq!(left(&nodes(&["%2 = sub %0, %0 : f32[2, 3]"])), ["sub"]);
}

#[test]
fn negations_are_absorbed() {
    let neg = "%2 = neg %1 : f32[2, 3]";
    assert_eq!(left(&nodes(&[neg, "%3 = add %0, %2 : f32[2, 3]"])), ["sub"]);
    assert_eq!(left(&nodes(&[neg, "%3 = sub %0, %2 : f32[2, 3]"])), ["add"]);
    assert_eq!(left(&nodes(&[neg, "%3 = neg %2 : f32[2, 3]"])).len(), 0);
    let product = "%3 = mul %0, %2 : f32[2, 3]";
    assert_eq!(left(&nodes(&[neg, product, "%4 = add %0, %3 : f32[2, 3]"])), ["mul", "sub"]);
}

#[test]
fn movement_that_moves_nothing_goes() {
    let round_trip =
        ["%2 = transpose [1, 0] %0 : f32[3, 2]", "%3 = transpose [1, 0] %2 : f32[2, 3]"];
    assert_eq!(left(&nodes(&round_trip)).len(), 0);
    let reshapes = ["%2 = reshape %0 : f32[6]", "%3 = reshape %2 : f32[3, 2]"];
    assert_eq!(left(&nodes(&reshapes)), ["reshape"]);
    let chain = ["%2 = exp %0 : f32[2, 3]", "%3 = reshape %2 : f32[6]"];
    assert_eq!(left(&nodes(&chain)), ["reshape", "exp"], "a view of the input comes first");
}

#[test]
fn transposes_become_flags() {
    let flags = |lines: &[&str]| {
        let graph = read(&nodes(lines)).unwrap();
        assert_eq!(verify(&graph), Ok(()));
        let graph = dce::run(&simplify::run(&graph));
        let work = graph.nodes.values().filter(|node| !node.args.is_empty());
        work.map(|node| node.op.clone()).collect::<Vec<_>>()
    };
    let turned = "%2 = transpose [1, 0] %1 : f32[3, 2]";
    let product = "%3 = matmul %0, %2 : f32[2, 2]";
    let plain = Op::MatMul { transpose_a: false, transpose_b: true };
    assert_eq!(flags(&[turned, product]), std::slice::from_ref(&plain));
    // (A·Bᵀ)ᵀ = B·Aᵀ
    let back = "%4 = transpose [1, 0] %3 : f32[2, 2]";
    assert_eq!(flags(&[turned, product, back]), [plain]);
}

#[test]
fn conditions_that_are_known_go() {
    let less = "%2 = lt %0, %1 : bool[2, 3]";
    let inner = "%3 = where %2, %0, %1 : f32[2, 3]";
    let other = "%4 = exp %0 : f32[2, 3]";
    let outer = "%5 = where %2, %3, %4 : f32[2, 3]";
    assert_eq!(left(&nodes(&[less, inner, other, outer])), ["lt", "exp", "where"]);
    assert_eq!(left(&nodes(&[less, "%3 = where %2, %0, %0 : f32[2, 3]"])).len(), 0);
    let not = "%3 = not %2 : bool[2, 3]";
    let chosen = "%4 = where %3, %0, %1 : f32[2, 3]";
    assert_eq!(left(&nodes(&[less, not, chosen])), ["lt", "where"]);
}

#[test]
fn factors_leave_sums_that_they_are_the_same_in() {
    let scale = ["%2 = reduce_max [0] %1 : f32[3]", "%3 = broadcast %2 : f32[2, 3]"];
    let product = "%4 = mul %3, %0 : f32[2, 3]";
    let sum = |axes: &str, ty: &str| {
        let sum = format!("%5 = reduce_sum {axes} %4 : {ty}");
        left(&nodes(&[scale[0], scale[1], product, &sum]))
    };
    assert_eq!(sum("[0]", "f32[3]"), ["reduce_max", "reduce_sum", "mul"]);
    assert_eq!(
        sum("[1]", "f32[2]"),
        ["reduce_max", "mul", "reduce_sum"],
        "it differs along axis 1"
    );
    // Both the product and its sum are needed: a sum of something else would be one value more…
    let twice = [
        "%5 = reduce_sum [0] %4 : f32[3]",
        "%6 = broadcast %5 : f32[2, 3]",
        "%7 = sub %4, %6 : f32[2, 3]",
    ];
    let lines = [&scale[..], &[product], &twice[..]].concat();
    assert_eq!(left(&nodes(&lines)), ["reduce_max", "mul", "reduce_sum", "sub"]);
    // … unless it is there.
    let lines = [
        "%2 = reduce_sum [0] %0 : f32[3]",
        "%3 = broadcast %2 : f32[2, 3]",
        "%4 = mul %0, %3 : f32[2, 3]",
        "%5 = neg %4 : f32[2, 3]",
        "%6 = reduce_sum [0] %5 : f32[3]",
        "%7 = broadcast %6 : f32[2, 3]",
        "%8 = sub %5, %7 : f32[2, 3]",
    ];
    let sums = |name: &&&str| **name == "reduce_sum";
    assert_eq!(left(&nodes(&lines)).iter().filter(sums).count(), 1);
}

/// A training graph's gradients by its parameters, for two images, made small.
fn gradient_graph(text: &str) -> Graph {
    let graph = read(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    optimised(&autodiff::run(&graph, Wrt::default()), 2)
}

/// How many nodes of these names read a value of four axes.
fn of_images(graph: &Graph, names: &[&str]) -> usize {
    let reads =
        |node: &&Node| names.contains(&node.op.name()) && graph.ty(node.args[0]).shape.rank() == 4;
    graph.nodes.values().filter(reads).count()
}

#[test]
fn a_batch_norm_sums_its_images_four_times() {
    let graph = gradient_graph(
        "graph batch_norm {
            input0 x: f32[N, 4, 4, 3]
            param0 filter: f32[3, 3, 3, 8] = normal(0.0, 0.1)
            param1 weight: f32[8] = constant(1.0)
            param2 bias: f32[8] = constant(0.0)
            %0 = input0 : f32[N, 4, 4, 3]
            %1 = param0 : f32[3, 3, 3, 8]
            %2 = conv [3, 3] pad [1 + 1, 1 + 1] %0, %1 : f32[N, 4, 4, 8]
            %3 = variance [0, 1, 2] %2 : f32[8]
            %4 = const 1e-5 : f32
            %5 = broadcast %4 : f32[8]
            %6 = add %3, %5 : f32[8]
            %7 = rsqrt %6 : f32[8]
            %8 = param1 : f32[8]
            %9 = mul %7, %8 : f32[8]
            %10 = reduce_sum [0, 1, 2] %2 : f32[8]
            %11 = const 16.0 : f64
            %12 = extent N : f64
            %13 = mul %12, %11 : f64
            %14 = const 1.0 : f64
            %15 = div %14, %13 : f64
            %16 = cast %15 : f32
            %17 = broadcast %16 : f32[8]
            %18 = mul %10, %17 : f32[8]
            %19 = broadcast %18 : f32[N, 4, 4, 8]
            %20 = sub %2, %19 : f32[N, 4, 4, 8]
            %21 = broadcast %9 : f32[N, 4, 4, 8]
            %22 = mul %20, %21 : f32[N, 4, 4, 8]
            %23 = param2 : f32[8]
            %24 = broadcast %23 : f32[N, 4, 4, 8]
            %25 = add %22, %24 : f32[N, 4, 4, 8]
            %26 = tanh %25 : f32[N, 4, 4, 8]
            %27 = reduce_max [1, 2, 3] %26 : f32[N]
            %28 = reduce_sum [0] %27 : f32
            output loss = %28
        }",
    );
    // Forward: the mean and the variance. Backward: Σ g and Σ g·(x − mean).
    assert_eq!(of_images(&graph, &["variance"]), 1, "{graph}");
    assert_eq!(of_images(&graph, &["reduce_sum"]), 3, "{graph}");
    assert_eq!(of_images(&graph, &["sub"]), 1 + 1, "the deviation is one value\n{graph}");
}

#[test]
fn nothing_before_pooling_is_kept_for_its_gradient() {
    let graph = gradient_graph(
        "graph pooled {
            input0 x: f32[N, 6, 6, 3]
            param0 filter: f32[3, 3, 3, 8] = normal(0.0, 0.1)
            param1 bias: f32[8] = constant(0.0)
            %0 = input0 : f32[N, 6, 6, 3]
            %1 = param0 : f32[3, 3, 3, 8]
            %2 = conv [3, 3] %0, %1 : f32[N, 4, 4, 8]
            %3 = param1 : f32[8]
            %4 = broadcast %3 : f32[N, 4, 4, 8]
            %5 = add %2, %4 : f32[N, 4, 4, 8]
            %6 = const 0.0 : f32
            %7 = broadcast %6 : f32[N, 4, 4, 8]
            %8 = gt %5, %7 : bool[N, 4, 4, 8]
            %9 = where %8, %5, %7 : f32[N, 4, 4, 8]
            %10 = max_pool [2, 2] stride [2, 2] %9 : f32[N, 2, 2, 8]
            %11 = tanh %10 : f32[N, 2, 2, 8]
            %12 = reduce_sum [0, 1, 2, 3] %11 : f32
            output loss = %12
        }",
    );
    let large = |node: &&Node| node.ty.shape.extents() == Some(vec![2, 4, 4, 8]);
    let names: Vec<&str> = graph.nodes.values().filter(large).map(|node| node.op.name()).collect();
    let forward = ["conv", "broadcast", "add", "broadcast", "gt", "where"];
    assert_eq!(names, [&forward[..], &["max_pool_grad"]].concat(), "{graph}");
    let bias_grad = &graph.nodes[graph.output("grad.bias").unwrap()];
    assert_eq!(graph.ty(bias_grad.args[0]).shape.extents(), Some(vec![2, 2, 2, 8]), "{graph}");
}

#[test]
fn equal_values_are_computed_once() {
    let lines = [
        "%2 = mul %0, %1 : f32[2, 3]",
        "%3 = mul %1, %0 : f32[2, 3]",
        "%4 = exp %2 : f32[2, 3]",
        "%5 = exp %3 : f32[2, 3]",
        "%6 = mul %4, %5 : f32[2, 3]",
    ];
    assert_eq!(left(&nodes(&lines)), ["mul", "exp", "mul"]);
    // Subtraction has an order; random numbers are those of their stream.
    let lines = [
        "%2 = sub %0, %1 : f32[2, 3]",
        "%3 = sub %1, %0 : f32[2, 3]",
        "%4 = mul %2, %3 : f32[2, 3]",
    ];
    assert_eq!(left(&nodes(&lines)), ["sub", "sub", "mul"]);
}

#[test]
fn what_nothing_needs_goes_but_its_tables_stay() {
    let graph = read(&nodes(&["%2 = exp %0 : f32[2, 3]", "%3 = neg %1 : f32[2, 3]"])).unwrap();
    let graph = dce::run(&graph);
    assert_eq!((graph.nodes.len(), graph.inputs.len()), (2, 2));
}

#[test]
fn passes_are_named_after_their_files() {
    for (pass, _) in PIPELINE.names() {
        let file = format!("{}/src/pass/{pass}.rs", env!("CARGO_MANIFEST_DIR"));
        assert!(std::fs::exists(&file).unwrap(), "{file}");
    }
}
