//! Text to graph and back to the same text, and texts that are no graphs.

use super::*;
use crate::base::source::{Sources, Span};
use crate::graph::{Origin, with_places};

const EVERYTHING: &str = "graph every-op {
    input0 x: f32[N, 4]
    input1 \"odd \\\"name\\\"; really\": i32[2N]
    param0 dense.weight: f32[4, 5] = uniform(-0.0811, 0.0811)
    param1 dense.bias: f32[5] = constant(0.0)
    param2 a: f32[3, 3] = orthogonal(1.4142135623730951)
    param3 b: f32[3] = normal(0.0, 1e-30)
    state0 optimizer.m.dense.weight^T: f32[5, 4] = truncated_normal(-inf, nan)
    hyper0 lr = 0.001
    %0 = input0 : f32[N, 4]
    %1 = param0 : f32[4, 5]
    %2 = state0 : f32[5, 4]
    %3 = hyper0 : f64
    %4 = step : f64
    %5 = extent 2N : f64
    %6 = const 0.1 : f64
    %7 = const 0.1 : f32
    %8 = const -inf : f32
    %9 = const -0.0 : f32
    %10 = const 1e-45 : f32
    %11 = const -7 : i32
    %12 = const true : bool
    %13 = iota 1 : i32[N, 4]
    %14 = uniform 3 : f32[N, 4]
    %15 = expm1 %0 : f32[N, 4]
    %16 = max %0, %15 : f32[N, 4]
    %17 = gt %0, %16 : bool[N, 4]
    %18 = where %17, %0, %16 : f32[N, 4]
    %19 = cast %6 : f32
    %20 = broadcast %19 : f32[2, 3]
    %21 = reshape %20 : f32[6]
    %22 = transpose [1, 0] %20 : f32[3, 2]
    %23 = slice [:, 2 len 2 step -1] %20 : f32[2, 2]
    %24 = slice [1 len 1, :] %20 : f32[1, 3]
    %25 = concat 0 %20, %20, %24 : f32[5, 3]
    %26 = pad [0 + 0, 1 + 2] -1.5 %20 : f32[2, 6]
    %27 = reduce_min [0, 1] %20 : f32
    %28 = argmax 1 %0 : i32[N]
    %29 = matmul %0, %1 : f32[N, 5]
    %30 = matmul transpose_b %0, %2 : f32[N, 5]
    %31 = matmul transpose_a transpose_b %2, %2 : f32[4, 5]
    %32 = pick %0, %28 : f32[N]
    %33 = gather 0 %1, %28 : f32[N, 5]
    %34 = scatter_add 0 %28, %33 : f32[4, 5]
    %35 = stop_gradient %34 : f32[4, 5]
    %36 = variance [0, 1] %34 : f32
    %37 = reshape %0 : f32[N, 2, 2, 1]
    %38 = broadcast %7 : f32[3, 2, 1, 4]
    %39 = conv [3, 2] stride [1, 2] pad [1 + 1, 0 + 1] %37, %38 : f32[N, 2, 1, 4]
    %40 = conv_input_grad [3, 2] stride [1, 2] pad [1 + 1, 0 + 1] %39, %38 : f32[N, 2, 2, 1]
    %41 = conv_weight_grad [3, 2] stride [1, 2] pad [1 + 1, 0 + 1] %37, %39 : f32[3, 2, 1, 4]
    %42 = conv [3, 2] pad [1 + 1, 1 + 0] dilation [1, 2] groups 4 %39, %38 : f32[N, 2, 1, 4]
    %43 = max_pool [2, 2] %37 : f32[N, 1, 1, 1]
    %44 = max_pool_index [2, 2] %37 : u8[N, 1, 1, 1]
    %45 = max_pool_grad [2, 2] %44, %43 : f32[N, 2, 2, 1]
    %46 = sum_pool [2, 1] stride [2, 2] %37 : f32[N, 1, 1, 1]
    %47 = sum_pool_grad [2, 1] stride [2, 2] %46 : f32[N, 2, 2, 1]
    output loss = %27
    update param0 = %35
    update state0 = %2
}
";

#[test]
fn text_reads_back_to_the_same_text() {
    let graph = read(EVERYTHING).expect("a graph");
    assert_eq!(graph.to_string(), EVERYTHING);
    let again = read(&graph.to_string()).expect("the same graph");
    // NaN is not equal to itself, so initial values are compared as text above.
    assert_eq!(again.nodes, graph.nodes);
    assert_eq!(again.params, graph.params);
    assert_eq!(again.inputs[Entity::from_index(1)].name, "odd \"name\"; really");
    assert_eq!((again.outputs, again.updates), (graph.outputs, graph.updates));
}

#[test]
fn numbers_keep_their_bits() {
    for value in [0.1, f64::MIN_POSITIVE, 5e-324, f64::MAX, -0.0, 1.0 / 3.0, f64::INFINITY] {
        let mut graph = Graph { name: "g".into(), ..Graph::default() };
        graph.hypers.push(Hyper { name: "h".into(), value });
        let again = read(&graph.to_string()).expect("a graph");
        assert_eq!(again.hypers[Entity::from_index(0)].value.to_bits(), value.to_bits());
    }
}

#[test]
fn comments_and_empty_lines_are_nothing() {
    let text = "\n; a comment\ngraph g { ; the graph\n\n  %0 = step : f64 ; here\n}\n;\n";
    assert_eq!(read(text).expect("a graph").nodes.len(), 1);
}

#[test]
fn places_are_comments() {
    let mut sources = Sources::new();
    let prelude = sources.add_builtin("<prelude>", "y + bias");
    let file = sources.add("mlp.nn", "image\n  |> dense(10)");
    let mut graph = read("graph g {\n %0 = step : f64\n}").expect("a graph");
    let span = Span::new(file, 11, 16);
    let call = graph.intern(Origin { span, caller: None, path: String::new() });
    let span = Span::new(prelude, 0, 1);
    let origin = Origin { span, caller: Some(call), path: "dense".into() };
    let origin = graph.intern(origin);
    graph.nodes[Entity::from_index(0)].origin = Some(origin);
    let text = with_places(&graph, &sources).to_string();
    assert_eq!(text, "graph g {\n    %0 = step : f64 ; dense mlp.nn:2:6\n}\n");
    assert_eq!(read(&text).expect("a graph").to_string(), graph.to_string());
}

#[test]
fn what_is_no_graph_is_an_error_with_its_line() {
    let table = [
        ("", "line 1: expected `graph NAME {`"),
        ("graph {", "line 1: expected a name, found `{`"),
        ("graph g {\n", "line 1: expected `}` at the end"),
        ("graph g {\n}\n}", "line 3: expected nothing after the graph"),
        ("graph g {\n %1 = step : f64\n}", "line 2: expected %0, found %1"),
        ("graph g {\n %0 = stop : f64\n}", "line 2: there is no operator `stop`"),
        ("graph g {\n %0 = step\n}", "line 2: expected `:`, found the end of the line"),
        ("graph g {\n %0 = step : f65\n}", "line 2: there is no type `f65`"),
        ("graph g {\n %0 = step : f64 x\n}", "line 2: expected the end of the line, found `x`"),
        ("graph g {\n %0 = const x : f32\n}", "line 2: expected a number of f32, found `x`"),
        ("graph g {\n %0 = const 1.5 : i32\n}", "line 2: expected a number of i32, found `1.5`"),
        ("graph g {\n %0 = step : f64[0N]\n}", "line 2: expected a multiple of N, found 0N"),
        ("graph g {\n %99999999999 = step : f64\n}", "line 2: expected %0, found %99999999999"),
        (
            "graph g {\n output x = %99999999999\n}",
            "line 2: the number 99999999999 is too large for an id",
        ),
        ("graph g {\n input0 x f32\n}", "line 2: expected `:`, found `f32`"),
        (
            "graph g {\n param0 x: f32 = zeros(1)\n}",
            "line 2: there is no initialiser `zeros` with that many arguments",
        ),
        ("graph g {\n input0 \"x: f32\n}", "line 2: a name without its closing quote"),
        ("graph g {\n update x = %0\n}", "line 2: expected a parameter or a state, found `x`"),
        (
            "graph g {\n what\n}",
            "line 2: expected an input, a parameter, a state, a node, an output or an update, found `what`",
        ),
        ("graph g {\n %0 = uniform 4294967296 : f32\n}", "line 2: the stream 4294967296"),
    ];
    for (text, message) in table {
        assert_eq!(read(text).expect_err(text).to_string(), message, "{text}");
    }
}

/// Each prefix, and each text with one byte gone or doubled, is a graph or an error: no panic.
#[test]
fn damaged_text_does_not_panic() {
    for at in (0..EVERYTHING.len()).filter(|&at| EVERYTHING.is_char_boundary(at)) {
        let (before, after) = EVERYTHING.split_at(at);
        let _ = read(before);
        let _ = read(&format!("{before}{}", &after[1..]));
        let _ = read(&format!("{before}{}{after}", &after[..1]));
    }
}
