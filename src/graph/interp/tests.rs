//! Each operator on numbers worked out by hand.

use super::*;
use crate::graph::{read, verify};

/// Runs the nodes of `lines` after three inputs, for two samples; the value of the last.
fn last(lines: &str) -> Result<Tensor, InterpError> {
    let text = format!(
        "graph test {{
            input0 x: f32[N, 3]
            input1 t: f32[2, 2, 2]
            input2 i: i32[N]
            hyper0 lr = 0.5
            %0 = input0 : f32[N, 3]
            %1 = input1 : f32[2, 2, 2]
            %2 = input2 : i32[N]
            {lines}
        }}"
    );
    let graph = read(&text).expect("a graph");
    verify(&graph).expect("a sound graph");
    let env = Env::initial(&graph, 7)
        .with("x", Tensor::f32([2, 3], vec![1.0, -2.0, 3.0, 4.0, 5.0, -6.0]))
        .with("t", Tensor::f32([2, 2, 2], (0..8).map(|i| i as f32).collect()))
        .with("i", Tensor::i32([2], vec![2, 0]));
    values(&graph, 2, &env).map(|mut values| values.pop().expect("the last line's value"))
}

fn gives(lines: &str, wanted: Tensor) {
    assert_eq!(last(lines), Ok(wanted), "{lines}");
}

fn f32s<const RANK: usize>(shape: [usize; RANK], values: &[f32]) -> Tensor {
    Tensor::f32(shape, values.to_vec())
}

#[test]
fn leaves() {
    let number = |value| Tensor::new([], Data::F64(vec![value]));
    gives("%3 = hyper0 : f64", number(0.5));
    gives("%3 = step : f64", number(1.0));
    gives("%3 = extent 3N : f64", number(6.0));
    gives("%3 = const 0.1 : f32", f32s([], &[0.1]));
    gives("%3 = iota 1 : i32[N, 3]", Tensor::i32([2, 3], vec![0, 1, 2, 0, 1, 2]));
    let word = |i| unit_f32(element_word(7, 1, 9, i));
    gives("%3 = uniform 9 : f32[N, 2]", f32s([2, 2], &[word(0), word(1), word(2), word(3)]));
}

#[test]
fn elementwise() {
    gives("%3 = abs %0 : f32[N, 3]", f32s([2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    gives("%3 = mul %0, %0 : f32[N, 3]", f32s([2, 3], &[1.0, 4.0, 9.0, 16.0, 25.0, 36.0]));
    gives(
        "%3 = const 0.0 : f32\n%4 = broadcast %3 : f32[N, 3]\n%5 = gt %0, %4 : bool[N, 3]\n\
         %6 = where %5, %0, %4 : f32[N, 3]",
        f32s([2, 3], &[1.0, 0.0, 3.0, 4.0, 5.0, 0.0]),
    );
    gives("%3 = cast %0 : u8[N, 3]", Tensor::new([2, 3], Data::U8(vec![1, 0, 3, 4, 5, 0])));
    gives("%3 = stop_gradient %2 : i32[N]", Tensor::i32([2], vec![2, 0]));
    // The result of exp is rounded to f32 before the sum.
    let sum = ((1f64.exp() as f32) as f64 + (1f64.exp() as f32) as f64) as f32;
    gives("%3 = const 1.0 : f32\n%4 = exp %3 : f32\n%5 = add %4, %4 : f32", f32s([], &[sum]));
}

#[test]
fn movement() {
    gives("%3 = broadcast %2 : i32[2, N]", Tensor::i32([2, 2], vec![2, 0, 2, 0]));
    gives("%3 = reshape %0 : f32[3N]", f32s([6], &[1.0, -2.0, 3.0, 4.0, 5.0, -6.0]));
    gives("%3 = transpose [1, 0] %0 : f32[3, N]", f32s([3, 2], &[1.0, 4.0, -2.0, 5.0, 3.0, -6.0]));
    let turned = [0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0];
    gives("%3 = transpose [1, 2, 0] %1 : f32[2, 2, 2]", f32s([2, 2, 2], &turned));
    gives("%3 = slice [:, 2 len 2 step -2] %0 : f32[N, 2]", f32s([2, 2], &[3.0, 1.0, -6.0, 4.0]));
    gives("%3 = slice [1 len 1, :, 0 len 1] %1 : f32[1, 2, 1]", f32s([1, 2, 1], &[4.0, 6.0]));
    let joined = [0.0, 1.0, 0.0, 1.0, 2.0, 3.0, 2.0, 3.0, 4.0, 5.0, 4.0, 5.0, 6.0, 7.0, 6.0, 7.0];
    gives("%3 = concat 2 %1, %1 : f32[2, 2, 4]", f32s([2, 2, 4], &joined));
    let padded = [9.0, 1.0, -2.0, 3.0, 9.0, 4.0, 5.0, -6.0];
    gives("%3 = pad [0 + 0, 1 + 0] 9.0 %0 : f32[N, 4]", f32s([2, 4], &padded));
}

#[test]
fn many_to_one() {
    gives("%3 = reduce_sum [0] %0 : f32[3]", f32s([3], &[5.0, 3.0, -3.0]));
    gives("%3 = reduce_sum [0, 2] %1 : f32[2]", f32s([2], &[10.0, 18.0]));
    gives("%3 = reduce_max [1] %0 : f32[N]", f32s([2], &[3.0, 5.0]));
    gives("%3 = reduce_min [0, 1] %0 : f32", f32s([], &[-6.0]));
    gives("%3 = argmax 1 %0 : i32[N]", Tensor::i32([2], vec![2, 1]));
    gives(
        "%3 = const 1.0 : f32\n%4 = broadcast %3 : f32[4]\n%5 = argmax 0 %4 : i32",
        Tensor::i32([], vec![0]),
    );
    gives(
        "%3 = const nan : f32\n%4 = broadcast %3 : f32[N, 1]\n%5 = concat 1 %0, %4 : f32[N, 4]\n\
         %6 = reduce_max [1] %5 : f32[N]\n%7 = ne %6, %6 : bool[N]",
        Tensor::new([2], Data::Bool(vec![true, true])),
    );
}

#[test]
fn contractions() {
    let gram = [14.0, -24.0, -24.0, 77.0];
    gives("%3 = matmul transpose_b %0, %0 : f32[N, N]", f32s([2, 2], &gram));
    let outer = [17.0, 18.0, -21.0, 18.0, 29.0, -36.0, -21.0, -36.0, 45.0];
    gives("%3 = matmul transpose_a %0, %0 : f32[3, 3]", f32s([3, 3], &outer));
    let squares = [2.0, 3.0, 6.0, 11.0, 46.0, 55.0, 66.0, 79.0];
    gives("%3 = matmul %1, %1 : f32[2, 2, 2]", f32s([2, 2, 2], &squares));
    // a [0 1; 2 3] transposed on both sides: aᵀ·aᵀ = (a·a)ᵀ.
    let transposed = [2.0, 6.0, 3.0, 11.0, 46.0, 66.0, 55.0, 79.0];
    gives(
        "%3 = matmul transpose_a transpose_b %1, %1 : f32[2, 2, 2]",
        f32s([2, 2, 2], &transposed),
    );
}

#[test]
fn windows() {
    // Two images of 2×2 with one channel: 0 1 / 2 3 and 4 5 / 6 7.
    let images = "%3 = reshape %1 : f32[2, 2, 2, 1]\n";
    // A window of 1×2 ones to two outputs, the second doubled.
    let taps = "%4 = const 1.0 : f32\n%5 = broadcast %4 : f32[1, 2, 1, 2]\n\
                %6 = iota 3 : i32[1, 2, 1, 2]\n%7 = cast %6 : f32[1, 2, 1, 2]\n\
                %8 = add %5, %7 : f32[1, 2, 1, 2]\n";
    let then = |lines: &str, line: &str| format!("{images}{lines}{line}");
    gives(
        &then(taps, "%9 = conv [1, 2] stride [2, 1] pad [0 + 0, 1 + 0] %3, %8 : f32[2, 1, 2, 2]"),
        f32s([2, 1, 2, 2], &[0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 9.0, 18.0]),
    );
    gives(
        &then("", "%4 = max_pool [2, 1] %3 : f32[2, 1, 2, 1]"),
        f32s([2, 1, 2, 1], &[2.0, 3.0, 6.0, 7.0]),
    );
    // With a border above, the first window has one element, its second tap.
    let index = "%4 = max_pool_index [2, 1] stride [2, 1] pad [1 + 1, 0 + 0] %3 : u8[2, 2, 2, 1]";
    let second_then_first = vec![1, 1, 0, 0, 1, 1, 0, 0];
    gives(&then("", index), Tensor::new([2, 2, 2, 1], Data::U8(second_then_first)));
    gives(
        &then(
            "%4 = max_pool_index [1, 2] %3 : u8[2, 2, 1, 1]\n%5 = max_pool [1, 2] %3 : f32[2, 2, 1, 1]\n",
            "%6 = max_pool_grad [1, 2] %4, %5 : f32[2, 2, 2, 1]",
        ),
        f32s([2, 2, 2, 1], &[0.0, 1.0, 0.0, 3.0, 0.0, 5.0, 0.0, 7.0]),
    );
    gives(
        &then("", "%4 = sum_pool [2, 2] pad [1 + 0, 0 + 0] %3 : f32[2, 2, 1, 1]"),
        f32s([2, 2, 1, 1], &[1.0, 6.0, 9.0, 22.0]),
    );
    gives(
        "%3 = reshape %0 : f32[N, 1, 3, 1]\n%4 = sum_pool_grad [1, 2] %3 : f32[N, 1, 4, 1]",
        f32s([2, 1, 4, 1], &[1.0, -1.0, 1.0, 3.0, 4.0, 9.0, -1.0, -6.0]),
    );
    gives("%3 = variance [0] %0 : f32[3]", f32s([3], &[2.25, 12.25, 20.25]));
}

#[test]
fn the_first_of_equal_taps_is_the_largest() {
    let lines = "%3 = const 1.0 : f32\n%4 = broadcast %3 : f32[1, 2, 2, 1]\n\
                 %5 = max_pool_index [2, 2] pad [1 + 0, 0 + 0] %4 : u8[1, 2, 1, 1]";
    gives(lines, Tensor::new([1, 2, 1, 1], Data::U8(vec![2, 0])));
}

#[test]
fn indexed_by_data() {
    gives("%3 = pick %0, %2 : f32[N]", f32s([2], &[3.0, 4.0]));
    gives(
        "%3 = const 1 : i32\n%4 = gather 1 %1, %3 : f32[2, 2]",
        f32s([2, 2], &[2.0, 3.0, 6.0, 7.0]),
    );
    gives(
        "%3 = transpose [1, 0] %0 : f32[3, N]\n%4 = gather 0 %3, %2 : f32[N, N]",
        f32s([2, 2], &[3.0, -6.0, 1.0, 4.0]),
    );
    gives(
        "%3 = const 1 : i32\n%4 = broadcast %3 : i32[N]\n%5 = scatter_add 0 %4, %0 : f32[3, 3]",
        f32s([3, 3], &[0.0, 0.0, 0.0, 5.0, 3.0, -3.0, 0.0, 0.0, 0.0]),
    );
}

#[test]
fn a_bad_index_names_its_node_and_place() {
    let fault =
        last("%3 = slice [:, 0 len 2] %0 : f32[N, 2]\n%4 = pick %3, %2 : f32[N]").unwrap_err();
    assert_eq!(fault.to_string(), "%4: the index 2 at [0] is not in 0..2");
    let lines = "%3 = neg %2 : i32[N]\n%4 = const 0.0 : f32\n%5 = broadcast %4 : f32[4]\n\
                 %6 = gather 0 %5, %3 : f32[N]";
    assert_eq!(last(lines).unwrap_err().message, "the index -2 at [0] is not in 0..4");
}

#[test]
fn what_is_given_must_fit() {
    let graph =
        read("graph g {\n input0 x: f32[N, 3]\n %0 = input0 : f32[N, 3]\n}").expect("a graph");
    let fault = |env: Env, batch| run(&graph, batch, &env).unwrap_err().to_string();
    let env = Env::initial(&graph, 0);
    assert_eq!(fault(env.clone(), 2), "input `x` is not given");
    assert_eq!(fault(env.clone(), 0), "a step of no samples");
    let env = env.with("x", Tensor::f32([2, 3], vec![0.0; 6]));
    assert_eq!(fault(env, 4), "input `x` is f32[N, 3], given f32[2, 3], N = 4");
}

#[test]
fn updates_are_made_after_everything_is_read() {
    let graph = read(
        "graph g {
            param0 w: f32[2] = constant(1)
            state0 count: i32 = constant(3)
            %0 = param0 : f32[2]
            %1 = state0 : i32
            %2 = add %0, %0 : f32[2]
            %3 = add %1, %1 : i32
            output w = %0
            update param0 = %2
            update state0 = %3
        }",
    )
    .expect("a graph");
    let outcome = run(&graph, 1, &Env::initial(&graph, 0)).expect("it runs");
    assert_eq!(outcome.outputs["w"], Tensor::f32([2], vec![1.0, 1.0]));
    assert_eq!(outcome.params, [Tensor::f32([2], vec![2.0, 2.0])]);
    assert_eq!(outcome.states, [Tensor::i32([], vec![6])]);
}
