//! Every function of one and two arguments, on vectors and on single values.

use nnc::base::math::{Float32, Scalar};
use nnc::base::scalar::{Binary, Unary};
use nnc::base::tensor::{Data, Tensor};

use crate::{assert_same, numbers, renumber, run, single, targets, vector};

/// Elements: whole vectors and all but one lane of another.
const LEN: usize = 103;

fn edges() -> Vec<f32> {
    let mut values = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        2.0,
        3.0,
        -3.0,
        1.5,
        -2.5,
        88.0,
        -88.0,
        89.0,
        1e-20,
        -1e-20,
        1e30,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::EPSILON,
    ];
    values.extend(numbers(LEN - values.len(), 5));
    values
}

/// `lets` computes r9 from the elements `$i` of the first buffers, in a vector loop for the last
/// but one and one by one for the last.
fn both_loops(buffers: &[(&str, &str)], lets: &str) -> nnc::loops::Program {
    let out = buffers.len() - 2;
    let vector = lets.replace("$i", "i0");
    let scalar = renumber(&lets.replace("$i", "i1"), |number| number + 100);
    let body = format!(
        "parts i2 in 0..1 {{\nvector i0 in 0..{LEN} {{\n{vector}store s{out}[i0] = r9\n}}\n\
         for i1 in 0..{LEN} {{\n{scalar}store s{}[i1] = r109\n}}\n}}",
        out + 1
    );
    single(buffers, 1, &body)
}

#[test]
fn functions_of_one_float() {
    let x = edges();
    for &op in Unary::ALL.iter().filter(|&&op| op != Unary::Not) {
        let lets = format!("r0: f32 = load s0[$i]\nr9: f32 = {} r0\n", op.name());
        let ty = format!("f32[{LEN}]");
        let program = both_loops(&[(&ty, "x"), (&ty, "vector"), (&ty, "scalar")], &lets);
        let expected: Vec<f32> = x.iter().map(|&x| op.of_f32(&mut Scalar, x)).collect();
        for target in targets() {
            let ran = run(&program, &target, 1, &[("x", vector(x.clone()))]);
            for name in ["vector", "scalar"] {
                let what = format!("{} as {name} on {}", op.name(), target.name());
                assert_same(&ran.f32s(name), &expected, &what);
            }
        }
    }
}

#[test]
fn functions_of_two_floats() {
    let x = edges();
    let y: Vec<f32> = (0..LEN).map(|index| x[(index * 7 + index / 22) % LEN]).collect();
    for &op in Binary::ALL.iter().filter(|&&op| !matches!(op, Binary::And | Binary::Or)) {
        let comparison = op.is_comparison();
        let result = if comparison {
            format!("r2: bool = {} r0, r1\nr9: f32 = cast f32 r2\n", op.name())
        } else {
            format!("r9: f32 = {} r0, r1\n", op.name())
        };
        let lets = format!("r0: f32 = load s0[$i]\nr1: f32 = load s1[$i]\n{result}");
        let ty = format!("f32[{LEN}]");
        let buffers = [(ty.as_str(), "x"), (&ty, "y"), (&ty, "vector"), (&ty, "scalar")];
        let program = both_loops(&buffers, &lets);
        let of = |x: f32, y: f32| match comparison {
            true => f32::from(u8::from(op.compare_f32(&mut Scalar, x, y))),
            false => op.of_f32(&mut Scalar, x, y),
        };
        let expected: Vec<f32> = x.iter().zip(&y).map(|(&x, &y)| of(x, y)).collect();
        for target in targets() {
            let inputs = [("x", vector(x.clone())), ("y", vector(y.clone()))];
            let ran = run(&program, &target, 1, &inputs);
            for name in ["vector", "scalar"] {
                let what = format!("{} as {name} on {}", op.name(), target.name());
                assert_same(&ran.f32s(name), &expected, &what);
            }
        }
    }
}

#[test]
fn fma_rounds_once_on_every_target() {
    let (x, y) = (numbers(LEN, 1), numbers(LEN, 2));
    let z: Vec<f32> = x.iter().zip(&y).map(|(x, y)| -(x * y)).collect();
    let lets = "r0: f32 = load s0[$i]\nr1: f32 = load s1[$i]\nr2: f32 = load s2[$i]\n\
                r9: f32 = fma r0, r1, r2\n";
    let ty = format!("f32[{LEN}]");
    let buffers = [(ty.as_str(), "x"), (&ty, "y"), (&ty, "z"), (&ty, "vector"), (&ty, "scalar")];
    let program = both_loops(&buffers, lets);
    let expected: Vec<f32> = (0..LEN).map(|i| Scalar.fma(x[i], y[i], z[i])).collect();
    assert!(expected.iter().any(|&value| value != 0.0), "what rounding lost");
    for target in targets() {
        let inputs = [("x", vector(x.clone())), ("y", vector(y.clone())), ("z", vector(z.clone()))];
        let ran = run(&program, &target, 1, &inputs);
        for name in ["vector", "scalar"] {
            assert_same(&ran.f32s(name), &expected, &format!("{name} on {}", target.name()));
        }
    }
}

fn int(op: Binary, a: i32, b: i32) -> i32 {
    match op {
        Binary::Add => a.wrapping_add(b),
        Binary::Sub => a.wrapping_sub(b),
        Binary::Mul => a.wrapping_mul(b),
        Binary::Div => {
            if b == 0 {
                0
            } else {
                a.wrapping_div(b)
            }
        }
        Binary::Min => a.min(b),
        Binary::Max => a.max(b),
        Binary::Eq => i32::from(a == b),
        Binary::Ne => i32::from(a != b),
        Binary::Lt => i32::from(a < b),
        Binary::Le => i32::from(a <= b),
        Binary::Gt => i32::from(a > b),
        Binary::Ge => i32::from(a >= b),
        Binary::Pow | Binary::And | Binary::Or => unreachable!("not of integers"),
    }
}

#[test]
fn functions_of_integers() {
    let edges = [0, 1, -1, 2, -2, 7, i32::MAX, i32::MIN, 100, -100];
    let x: Vec<i32> = (0..LEN).map(|index| edges[index % 10]).collect();
    let y: Vec<i32> = (0..LEN).map(|index| edges[index / 10 % 10]).collect();
    let none = [Binary::Pow, Binary::And, Binary::Or];
    let ty = format!("i32[{LEN}]");
    for &op in Binary::ALL.iter().filter(|op| !none.contains(op)) {
        let result = if op.is_comparison() {
            format!("r2: bool = {} r0, r1\nr9: i32 = cast i32 r2\n", op.name())
        } else {
            format!("r9: i32 = {} r0, r1\n", op.name())
        };
        let lets = format!("r0: i32 = load s0[$i]\nr1: i32 = load s1[$i]\n{result}");
        let buffers = [(ty.as_str(), "x"), (&ty, "y"), (&ty, "vector"), (&ty, "scalar")];
        let program = both_loops(&buffers, &lets);
        let expected: Vec<i32> = x.iter().zip(&y).map(|(&x, &y)| int(op, x, y)).collect();
        for target in targets() {
            let inputs =
                [("x", Tensor::i32([LEN], x.clone())), ("y", Tensor::i32([LEN], y.clone()))];
            let ran = run(&program, &target, 1, &inputs);
            for name in ["vector", "scalar"] {
                let what = format!("{} as {name} on {}", op.name(), target.name());
                assert_eq!(ran.read(name).data, Data::I32(expected.clone()), "{what}");
            }
        }
    }
    for (op, of) in [
        (Unary::Neg, i32::wrapping_neg as fn(i32) -> i32),
        (Unary::Abs, i32::wrapping_abs),
        (Unary::Sign, i32::signum),
    ] {
        let lets = format!("r0: i32 = load s0[$i]\nr9: i32 = {} r0\n", op.name());
        let program = both_loops(&[(&ty, "x"), (&ty, "vector"), (&ty, "scalar")], &lets);
        let expected: Vec<i32> = x.iter().map(|&x| of(x)).collect();
        for target in targets() {
            let ran = run(&program, &target, 1, &[("x", Tensor::i32([LEN], x.clone()))]);
            for name in ["vector", "scalar"] {
                let what = format!("{} as {name} on {}", op.name(), target.name());
                assert_eq!(ran.read(name).data, Data::I32(expected.clone()), "{what}");
            }
        }
    }
}

#[test]
fn functions_of_truth_values() {
    let x: Vec<bool> = (0..LEN).map(|index| index % 2 == 0).collect();
    let y: Vec<bool> = (0..LEN).map(|index| index % 3 == 0).collect();
    let ty = format!("bool[{LEN}]");
    type Case = (&'static str, fn(bool, bool) -> bool);
    let cases: [Case; 6] = [
        ("and r0, r1", |a, b| a && b),
        ("or r0, r1", |a, b| a || b),
        ("eq r0, r1", |a, b| a == b),
        ("ne r0, r1", |a, b| a != b),
        ("not r0", |a, _| !a),
        ("select r0, r1, r0", |a, b| if a { b } else { a }),
    ];
    for (inst, of) in cases {
        let lets = format!("r0: bool = load s0[$i]\nr1: bool = load s1[$i]\nr9: bool = {inst}\n");
        let buffers = [(ty.as_str(), "x"), (&ty, "y"), (&ty, "vector"), (&ty, "scalar")];
        let program = both_loops(&buffers, &lets);
        let expected: Vec<bool> = x.iter().zip(&y).map(|(&x, &y)| of(x, y)).collect();
        for target in targets() {
            let inputs = [
                ("x", Tensor::new([LEN], Data::Bool(x.clone()))),
                ("y", Tensor::new([LEN], Data::Bool(y.clone()))),
            ];
            let ran = run(&program, &target, 1, &inputs);
            for name in ["vector", "scalar"] {
                let what = format!("{inst} as {name} on {}", target.name());
                assert_eq!(ran.read(name).data, Data::Bool(expected.clone()), "{what}");
            }
        }
    }
}

#[test]
fn casts_truncate_and_saturate_as_rust_does() {
    let mut x = edges();
    x[40..46].copy_from_slice(&[2.9, -2.9, 3e9, -3e9, 2_147_483_500.0, 0.3]);
    let (float, integer, truth) =
        (format!("f32[{LEN}]"), format!("i32[{LEN}]"), format!("bool[{LEN}]"));
    for target in targets() {
        let lets = "r0: f32 = load s0[$i]\nr9: i32 = cast i32 r0\n";
        let program =
            both_loops(&[(&float, "x"), (&integer, "vector"), (&integer, "scalar")], lets);
        let ran = run(&program, &target, 1, &[("x", vector(x.clone()))]);
        let expected = Data::I32(x.iter().map(|&x| x as i32).collect());
        assert_eq!(ran.read("vector").data, expected);
        assert_eq!(ran.read("scalar").data, expected);

        let lets = "r0: f32 = load s0[$i]\nr9: bool = cast bool r0\n";
        let program = both_loops(&[(&float, "x"), (&truth, "vector"), (&truth, "scalar")], lets);
        let ran = run(&program, &target, 1, &[("x", vector(x.clone()))]);
        let expected = Data::Bool(x.iter().map(|&x| x != 0.0).collect());
        assert_eq!(ran.read("vector").data, expected);
        assert_eq!(ran.read("scalar").data, expected);
    }
}
