//! Tiles on every target against products added one by one.

use crate::{assert_same, numbers, run, single, targets, vector};

#[derive(Clone, Copy, Debug)]
struct Case {
    m: usize,
    n: usize,
    k: usize,
    outer: usize,
    transposed: bool,
    accumulate: bool,
    bias: bool,
    relu: bool,
}

fn check(case: Case) {
    let Case { m, n, k, outer, transposed, accumulate, bias, relu } = case;
    let a = numbers(m * k * outer, 1);
    let b = numbers(k * n * outer, 2);
    let c = numbers(m * n, 3);
    let bias_values = numbers(n, 4);
    let (row, inner) = if transposed { (1, m) } else { (k, 1) };
    let assign = if accumulate { "+=" } else { "=" };
    let bias_line = if bias { "bias = s3[0]\n" } else { "" };
    let relu_line = if relu { "relu\n" } else { "" };
    let body = format!(
        "parts i0 in 0..1 {{\ntile m {m} n {n} k {k} outer {outer} {{\nc {assign} s2[0] row {n}\n\
         a = s0[0] row {row} inner {inner} outer {}\nb = s1[0] row 0 inner {n} outer {}\n\
         {bias_line}{relu_line}}}\n}}",
        m * k,
        k * n,
    );
    let types = [m * k * outer, k * n * outer, m * n, n].map(|len| format!("f32[{len}]"));
    let buffers =
        [(types[0].as_str(), "a"), (&types[1], "b"), (&types[2], "c"), (&types[3], "bias")];
    let program = single(&buffers, 1, &body);
    let mut expected = vec![0.0; m * n];
    for i in 0..m {
        for j in 0..n {
            let mut sum = if accumulate { c[i * n + j] } else { 0.0f32 };
            for o in 0..outer {
                for step in 0..k {
                    let left = a[i * row + step * inner + o * m * k];
                    sum = left.mul_add(b[o * k * n + step * n + j], sum);
                }
            }
            if bias {
                sum += bias_values[j];
            }
            if relu && sum.is_nan() | (sum <= 0.0) {
                sum = 0.0;
            }
            expected[i * n + j] = sum;
        }
    }
    for target in targets() {
        let inputs = [
            ("a", vector(a.clone())),
            ("b", vector(b.clone())),
            ("c", vector(c.clone())),
            ("bias", vector(bias_values.clone())),
        ];
        let ran = run(&program, &target, 1, &inputs);
        assert_same(&ran.f32s("c"), &expected, &format!("{case:?} on {}", target.name()));
    }
}

const PLAIN: Case = Case {
    m: 32,
    n: 128,
    k: 20,
    outer: 1,
    transposed: false,
    accumulate: false,
    bias: false,
    relu: false,
};

#[test]
fn all_sizes_have_the_same_bits() {
    for m in [1, 5, 14, 33] {
        for n in [1, 2, 3, 4, 10, 17, 65] {
            for k in [1, 2, 7] {
                check(Case { m, n, k, ..PLAIN });
            }
        }
    }
}

#[test]
fn all_kinds_have_the_same_bits() {
    for bits in 0..16 {
        let [transposed, accumulate, bias, relu] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
        check(Case { m: 13, n: 43, k: 5, outer: 3, transposed, accumulate, bias, relu });
    }
    check(PLAIN);
}
