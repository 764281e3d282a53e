//! Shape rules by table: a line of graph text, and the type or the reason that inference gives.

use super::*;
use crate::graph::read;

/// The values that the tables' operators take.
const VALUES: &str = "
graph test {
    input0 x: f32[N, 10]
    input1 w: f32[10, 4]
    input2 image: u8[N, 28, 28, 1]
    input3 label: i32[N]
    input4 t: f32[2, 3, 5]
    input5 mask: bool[N, 10]
    input6 q: f32[N, 7, 10]
    input7 images: f32[N, 9, 8, 6]
    input8 taps: f32[3, 3, 6, 4]
    hyper0 lr = 0.1
    %0 = input0 : f32[N, 10]
    %1 = input1 : f32[10, 4]
    %2 = input2 : u8[N, 28, 28, 1]
    %3 = input3 : i32[N]
    %4 = input4 : f32[2, 3, 5]
    %5 = input5 : bool[N, 10]
    %6 = input6 : f32[N, 7, 10]
    %7 = hyper0 : f64
    %8 = const 2 : i32
    %9 = const 1.5 : f32
    %10 = matmul transpose_b %0, %0 : f32[N, N]
    %11 = input7 : f32[N, 9, 8, 6]
    %12 = input8 : f32[3, 3, 6, 4]
    %13 = slice [:, :, 0 len 2, :] %12 : f32[3, 3, 2, 4]
";

/// Infers the last node of the values with `line` after them, whose type is ignored but where the
/// text form keeps an attribute in it.
fn inferred(line: &str) -> Result<String, String> {
    let graph = read(&format!("{VALUES}    %14 = {line}\n}}\n")).expect("the table's text");
    let node = graph.nodes.values().last().expect("the node of the line");
    infer(&graph, &node.op, &node.args).map(|ty| ty.to_string()).map_err(|why| why.to_string())
}

fn gives(table: &[(&str, &str)]) {
    for (line, ty) in table {
        assert_eq!(inferred(line).as_deref(), Ok(*ty), "{line}");
    }
}

fn fails(table: &[(&str, &str)]) {
    for (line, why) in table {
        let found = inferred(line).expect_err(line);
        assert!(found.contains(why), "{line}: {found}");
    }
}

#[test]
fn leaves() {
    gives(&[
        ("input0 : f32", "f32[N, 10]"),
        ("hyper0 : f64", "f64"),
        ("step : f64", "f64"),
        ("extent 3N : f64", "f64"),
        ("const nan : f32", "f32"),
        ("const true : bool", "bool"),
        ("iota 1 : i32[N, 10]", "i32[N, 10]"),
        ("uniform 3 : f32[N, 10]", "f32[N, 10]"),
    ]);
    fails(&[
        ("input9 : f32", "there is no input9"),
        ("hyper1 : f64", "there is no hyper1"),
        ("iota 2 : i32[N, 10]", "`iota` along axis 2 of [N, 10], which has 2 axes"),
        ("uniform 0 : f32[3, 0]", "axis 1 of [3, 0] has no elements"),
        ("uniform 0 : f32[9999999999, 9999999999]", "too many elements"),
        ("step %0 : f64", "`step` takes 0 arguments, found 1"),
    ]);
    let graph = Graph::default();
    let half = Op::Const(0.5, DType::I32);
    assert_eq!(infer(&graph, &half, &[]).unwrap_err().message, "0.5 is not a value of i32");
    let tenth = Op::Const(0.1, DType::F32);
    assert_eq!(infer(&graph, &tenth, &[]).unwrap_err().message, "0.1 is not a value of f32");
}

#[test]
fn elementwise() {
    gives(&[
        ("exp %0 : f32", "f32[N, 10]"),
        ("exp %7 : f64", "f64"),
        ("neg %3 : i32", "i32[N]"),
        ("not %5 : bool", "bool[N, 10]"),
        ("add %0, %0 : f32", "f32[N, 10]"),
        ("pow %7, %7 : f64", "f64"),
        ("lt %3, %3 : bool", "bool[N]"),
        ("eq %2, %2 : bool", "bool[N, 28, 28, 1]"),
        ("and %5, %5 : bool", "bool[N, 10]"),
        ("where %5, %0, %0 : f32", "f32[N, 10]"),
        ("stop_gradient %0 : f32", "f32[N, 10]"),
    ]);
    fails(&[
        ("exp %3 : f32", "`exp` takes f32 or f64, found i32[N]; `cast(…, f32)` converts"),
        ("not %0 : bool", "`not` takes bool, found f32[N, 10]"),
        ("add %0, %1 : f32", "axis 0: N against 10; axis 1: 10 against 4"),
        ("add %0, %9 : f32", "f32[N, 10] + f32: the shapes differ"),
        ("add %3, %9 : f32", "i32[N] + f32: i32 meets f32"),
        ("max %2, %2 : u8", "`max` takes f32 or f64 or i32, found u8[N, 28, 28, 1]"),
        ("pow %3, %3 : i32", "`^` takes f32 or f64"),
        ("lt %7, %7 : bool", "`<` takes"),
        ("where %0, %0, %0 : f32", "`where` takes a bool condition, found f32[N, 10]"),
        ("where %5, %1, %1 : f32", "where(bool[N, 10], f32[10, 4], f32[10, 4]): the shapes differ"),
        ("stop_gradient %7 : f64", "takes a tensor, found an f64 scalar"),
        ("exp %0, %0 : f32", "`exp` takes 1 argument, found 2"),
    ]);
}

#[test]
fn casts() {
    gives(&[
        ("cast %2 : f32", "f32[N, 28, 28, 1]"),
        ("cast %5 : i32", "i32[N, 10]"),
        ("cast %7 : f32", "f32"),
    ]);
    fails(&[("cast %7 : i32", "cannot be cast"), ("cast %9 : f64", "f32 cannot be cast to f64")]);
}

#[test]
fn movement() {
    gives(&[
        ("broadcast %9 : f32[N, 3]", "f32[N, 3]"),
        ("broadcast %2 : u8[N, 28, 28, 3]", "u8[N, 28, 28, 3]"),
        ("reshape %2 : u8[N, 784]", "u8[N, 784]"),
        ("reshape %0 : f32[5, 2N]", "f32[5, 2N]"),
        ("reshape %6 : f32[7N, 10]", "f32[7N, 10]"),
        ("reshape %10 : f32[N, 1, N]", "f32[N, 1, N]"),
        ("transpose [2, 0, 1] %4 : f32", "f32[5, 2, 3]"),
        ("slice [:, 0 len 2, 4 len 3 step -2] %4 : f32", "f32[2, 2, 3]"),
        ("slice [:, 9 len 10 step -1] %0 : f32", "f32[N, 10]"),
        ("concat 1 %0, %0, %0 : f32", "f32[N, 30]"),
        ("pad [0 + 0, 1 + 2] -inf %0 : f32", "f32[N, 13]"),
    ]);
    fails(&[
        ("broadcast %0 : f32[N, 20]", "axis 1: 10 cannot become 20; only 1 can"),
        ("broadcast %4 : f32[3, 5]", "3 axes cannot become 2 axes"),
        ("reshape %2 : u8[N, 783]", "N · 28 · 28 · 1 = 784N against N · 783 = 783N"),
        ("reshape %0 : f32[40]", "N · 10 = 10N against 40"),
        ("reshape %10 : f32[2N, N]", "N · N = N^2 against 2N · N = 2N^2"),
        ("transpose [0, 0, 1] %4 : f32", "[0, 0, 1] is not an order of the axes of f32[2, 3, 5]"),
        (
            "slice [:, 3 len 1, :] %4 : f32",
            "a slice leaves axis 1 of f32[2, 3, 5]; 1 indices from 3 by 1",
        ),
        ("slice [:, 1 len 3 step -1, :] %4 : f32", "a slice leaves axis 1"),
        ("slice [:, 1 len 0, :] %4 : f32", "a slice of axis 1 of f32[2, 3, 5] is empty"),
        ("slice [:, 1, :] %4 : f32", "has no length"),
        ("slice [0 len 1, :] %0 : f32", "axis 0 of f32[N, 10] is the batch, which cannot be cut"),
        ("slice [:] %0 : f32", "a slice with 1 ranges of f32[N, 10], which has 2 axes"),
        ("concat 0 %0, %0 : f32", "axis 0 of f32[N, 10] is the batch, which cannot be joined"),
        ("concat 1 %4, %4, %0 : f32", "3 axes against 2 axes"),
        ("concat 0 %1, %3 : f32", "one element type"),
        ("concat 2 %0 : f32", "`concat` along axis 2"),
        ("pad [1 + 0, 0 + 0] 0.0 %0 : f32", "is the batch, which cannot be padded"),
        ("pad [1 + 0] 0.0 %0 : f32", "a pad of 1 axes"),
    ]);
}

#[test]
fn many_to_one() {
    gives(&[
        ("reduce_sum [0] %0 : f32", "f32[10]"),
        ("reduce_max [0, 2] %4 : f32", "f32[3]"),
        ("argmax 1 %0 : i32", "i32[N]"),
        ("matmul %0, %1 : f32", "f32[N, 4]"),
        ("matmul transpose_a %0, %0 : f32", "f32[10, 10]"),
        ("matmul transpose_b %0, %0 : f32", "f32[N, N]"),
        ("matmul transpose_b %6, %6 : f32", "f32[N, 7, 7]"),
    ]);
    fails(&[
        ("reduce_sum [] %0 : f32", "do not ascend"),
        ("reduce_sum [1, 0] %0 : f32", "do not ascend"),
        ("reduce_sum [2] %0 : f32", "`sum` along axis 2 of [N, 10], which has 2 axes"),
        ("reduce_sum [1] %5 : f32", "`sum` takes f32 or i32, found bool[N, 10]"),
        ("argmax 1 %3 : i32", "`argmax` along axis 1 of [N], which has 1 axis"),
        ("matmul %1, %0 : f32", "f32[10, 4] @ f32[N, 10] do not fit"),
        ("matmul %0, %0 : f32", "axis 1 of the left is 10, axis 0 of the right is N"),
        ("matmul %6, %1 : f32", "found 3 axes and 2 axes"),
        ("matmul %4, %6 : f32", "leading axis 0: 2 against N"),
        ("matmul %3, %3 : f32", "`@` takes f32, found i32[N]"),
    ]);
}

#[test]
fn convolutions() {
    gives(&[
        ("conv [3, 3] %11, %12 : f32", "f32[N, 7, 6, 4]"),
        ("conv [3, 3] stride [2, 3] pad [1 + 0, 2 + 1] %11, %12 : f32", "f32[N, 4, 3, 4]"),
        ("conv [3, 3] dilation [4, 3] %11, %12 : f32", "f32[N, 1, 2, 4]"),
        ("conv_weight_grad [3, 1] pad [1 + 1, 0 + 0] groups 2 %11, %11 : f32", "f32[3, 1, 3, 6]"),
        ("variance [0, 1] %6 : f32", "f32[10]"),
    ]);
    fails(&[
        (
            "conv [3, 3] %0, %12 : f32",
            "`conv` takes [n, h, w, c], found f32[N, 10]; f32[N, 10] has 2 axes",
        ),
        ("conv [3, 3] %2, %12 : f32", "`conv` takes f32, found u8[N, 28, 28, 1]; `cast(…, f32)`"),
        ("conv [3, 3] %11, %1 : f32", "takes weights [kh, kw, c / groups, o], found f32[10, 4]"),
        (
            "conv [3, 2] %11, %12 : f32",
            "a window of 2 along the width with weights f32[3, 3, 6, 4], whose axis 1 is 3",
        ),
        ("conv [3, 3] %11, %13 : f32", "axis 2 of the weights must be the 6 channels, found 2"),
        ("conv [3, 3] groups 2 %11, %13 : f32", "must be 6 / 2 = 3 channels, found 2"),
        (
            "conv [3, 3] groups 3 %11, %13 : f32",
            "3 groups of 6 channels to 4 outputs; the groups must divide both",
        ),
        ("conv [3, 3] groups 0 %11, %13 : f32", "0 groups of 6 channels"),
        (
            "conv [3, 3] dilation [1, 4] %11, %12 : f32",
            "does not fit into the width of f32[N, 9, 8, 6]; 3 taps 4 apart are 9 long, the width is 8",
        ),
        (
            "conv [3, 3] pad [1 + 2, 0 + 0] dilation [6, 1] %11, %12 : f32",
            "the height with its padding is 1 + 9 + 2 = 12",
        ),
        (
            "conv [3, 3] stride [0, 1] %11, %12 : f32",
            "the stride of `conv` along the height is 0; it is at least 1",
        ),
        (
            "conv [3, 3] pad [0 + 0, 99999 + 0] %11, %12 : f32",
            "the padding of `conv` along the width is 99999",
        ),
        (
            "conv_input_grad [3, 3] %11, %12 : f32[N, 11, 10, 6]",
            "takes a gradient of f32[N, 9, 8, 4], found f32[N, 9, 8, 6]",
        ),
        ("conv_weight_grad [3, 3] groups 0 %11, %11 : f32", "0 groups"),
        ("variance [] %6 : f32", "do not ascend"),
        ("variance [0] %3 : f32", "`variance` takes f32, found i32[N]"),
    ]);
}

#[test]
fn pooling() {
    gives(&[
        ("max_pool [2, 2] stride [2, 2] %11 : f32", "f32[N, 4, 4, 6]"),
        ("max_pool_index [9, 8] %11 : u8", "u8[N, 1, 1, 6]"),
        ("sum_pool [2, 1] pad [1 + 1, 0 + 0] %11 : f32", "f32[N, 10, 8, 6]"),
        ("sum_pool_grad [2, 2] %11 : f32[N, 10, 9, 6]", "f32[N, 10, 9, 6]"),
    ]);
    fails(&[
        ("max_pool [2, 2] %2 : f32", "`max_pool` takes f32, found u8[N, 28, 28, 1]"),
        (
            "max_pool [10, 1] %11 : f32",
            "does not fit into the height of f32[N, 9, 8, 6]; the window is 10 long, the height is 9",
        ),
        (
            "max_pool [2, 2] pad [2 + 0, 0 + 0] %11 : f32",
            "window 0 of `max_pool` along the height of f32[N, 9, 8, 6] covers nothing but the border",
        ),
        ("sum_pool [1, 2] pad [0 + 0, 0 + 2] %11 : f32", "window 8 of `sum_pool` along the width"),
        (
            "max_pool_index [17, 16] pad [8 + 8, 8 + 8] %11 : u8",
            "17 × 16 is too large for the gradient of `max_pool`; 272 taps, at most 256",
        ),
        (
            "max_pool_grad [2, 2] %11, %11 : f32[N, 10, 9, 6]",
            "`max_pool_grad` takes u8, found f32[N, 9, 8, 6]",
        ),
        (
            "sum_pool_grad [2, 2] %11 : f32[N, 9, 9, 6]",
            "takes a gradient of f32[N, 8, 8, 6], found f32[N, 9, 8, 6]",
        ),
    ]);
}

#[test]
fn indexed_by_data() {
    gives(&[
        ("pick %0, %3 : f32", "f32[N]"),
        ("gather 0 %1, %3 : f32", "f32[N, 4]"),
        ("gather 1 %4, %3 : f32", "f32[2, N, 5]"),
        ("gather 1 %4, %8 : f32", "f32[2, 5]"),
        ("scatter_add 0 %3, %0 : f32[100, 10]", "f32[100, 10]"),
    ]);
    fails(&[
        ("pick %0, %0 : f32", "`pick` takes an i32 index, found f32[N, 10]"),
        ("pick %4, %3 : f32", "its shape must be [2, 3]"),
        ("pick %9, %8 : f32", "no axis to pick from"),
        ("gather 0 %0, %3 : f32", "is the batch, which data cannot index"),
        ("gather 2 %0, %3 : f32", "`gather` along axis 2"),
        ("scatter_add 0 %3, %0 : f32[100, 11]", "the values' shape must be [N, 11]"),
    ]);
}

#[test]
fn the_axes_that_disagree_are_named() {
    let graph = read(&format!("{VALUES}}}")).expect("the values");
    let node = |index| crate::base::entity::Entity::from_index(index);
    let plain = Op::MatMul { transpose_a: false, transpose_b: false };
    assert_eq!(infer(&graph, &plain, &[node(0), node(0)]).unwrap_err().axes, [(0, 1), (1, 0)]);
    let add = Op::Binary(crate::graph::Binary::Add);
    let axes = infer(&graph, &add, &[node(0), node(1)]).unwrap_err().axes;
    assert_eq!(axes, [(0, 0), (1, 0), (0, 1), (1, 1)]);
    let window = crate::graph::Window::plain([3, 3]);
    let conv = Op::Conv { window, groups: 1 };
    assert_eq!(infer(&graph, &conv, &[node(11), node(13)]).unwrap_err().axes, [(0, 3), (1, 2)]);
}
