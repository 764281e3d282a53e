//! Operators that the language says in several words, against what they make of each element.

use nnc::base::tensor::{Data, Tensor};
use nnc::command::ImportedProgram;

use crate::builder::Attribute::{Int, Ints, Text};
use crate::builder::{Attribute, Builder};
use crate::numbers::{check, numbers};

/// The program of one operator on `x: [N, …]`, whose numbers are checked for two samples.
fn one(
    made: Builder,
    inputs: &[&str],
    attributes: &[(&str, Attribute)],
    (op, dims, x): (&str, &[i64], Vec<f32>),
    (shape, wanted): (&[usize], Vec<f32>),
) -> ImportedProgram {
    let batched: Vec<i64> = std::iter::once(0).chain(dims.iter().copied()).collect();
    let made = made.input("x", &batched).output("y").node(op, inputs, "y", attributes);
    let given: Vec<usize> =
        std::iter::once(2).chain(dims.iter().map(|&dim| dim as usize)).collect();
    let wanted = Tensor::new(shape.to_vec(), Data::F32(wanted));
    check(&made, "x", Tensor::new(given, Data::F32(x)), &wanted)
}

#[test]
fn halves_are_rounded_to_the_even_number() {
    let x = vec![0.5, 1.5, 2.5, -0.5, -1.5, 0.499_999_97, 2.4, -2.6, 8_388_609.0, -7.0];
    let wanted = vec![0.0, 2.0, 2.0, 0.0, -2.0, 0.0, 2.0, -3.0, 8_388_609.0, -7.0];
    one(Builder::new(11), &["x"], &[], ("Round", &[5], x), (&[2, 5], wanted));
}

#[test]
fn numbers_that_are_none_are_found() {
    let x = vec![1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -2.0];
    for (op, attributes, wanted) in [
        ("IsNaN", vec![], [0, 1, 0, 0, 0, 0]),
        ("IsInf", vec![], [0, 0, 1, 1, 0, 0]),
        ("IsInf", vec![("detect_negative", Int(0))], [0, 0, 1, 0, 0, 0]),
        ("IsInf", vec![("detect_positive", Int(0))], [0, 0, 0, 1, 0, 0]),
    ] {
        let made = Builder::new(13).input("x", &[0, 3]).output("y");
        let made = made.node(op, &["x"], "is", &attributes);
        let made = made.node("Cast", &["is"], "y", &[("to", Int(1))]);
        let wanted = Tensor::f32([2, 3], wanted.iter().map(|&it| it as f32).collect::<Vec<_>>());
        check(&made, "x", Tensor::f32([2, 3], x.clone()), &wanted);
    }
}

#[test]
fn remainders_of_whole_numbers_have_the_sign_that_is_asked_for() {
    let x = [7i32, -7, 6, -6, 5, -1];
    for divisor in [3i32, -3] {
        for fmod in [0, 1] {
            let made = Builder::new(13).whole_input("x", &[0, 3]).output("y");
            let made = made.ints("d", &[], &[i64::from(divisor)]);
            let made = made.node("Mod", &["x", "d"], "y", &[("fmod", Int(fmod))]);
            let rest = |x: i32| match fmod {
                1 => x % divisor,
                _ => (x % divisor + divisor) % divisor,
            };
            let wanted = Tensor::new([2, 3], Data::I32(x.map(rest).to_vec()));
            check(&made, "x", Tensor::new([2, 3], Data::I32(x.to_vec())), &wanted);
        }
    }
}

#[test]
fn sums_of_what_stands_before() {
    let x = numbers(2 * 3 * 4, 0.8);
    for axis in [1usize, 2] {
        for (exclusive, reverse) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let sum = |at: usize| -> f32 {
                let (n, t, d) = (at / 12, at / 4 % 3, at % 4);
                let own = if axis == 1 { t } else { d };
                let extent = if axis == 1 { 3 } else { 4 };
                let seen = |other: usize| match (exclusive, reverse) {
                    (0, 0) => other <= own,
                    (1, 0) => other < own,
                    (0, _) => other >= own,
                    _ => other > own,
                };
                let value = |other: usize| match axis {
                    1 => x[(n * 3 + other) * 4 + d],
                    _ => x[(n * 3 + t) * 4 + other],
                };
                (0..extent).filter(|&other| seen(other)).map(value).sum()
            };
            let wanted = (0..24).map(sum).collect();
            let made = Builder::new(14).ints("axis", &[], &[axis as i64]);
            let attributes = [("exclusive", Int(exclusive)), ("reverse", Int(reverse))];
            let given = ("CumSum", &[3, 4][..], x.clone());
            one(made, &["x", "axis"], &attributes, given, (&[2, 3, 4], wanted));
        }
    }
}

#[test]
fn borders_of_the_value_itself() {
    let x = numbers(2 * 3 * 4, 0.5);
    for (mode, [rows, columns]) in [
        ("reflect", [vec![1, 0, 1, 2], vec![2, 1, 0, 1, 2, 3, 2]]),
        ("edge", [vec![0, 0, 1, 2], vec![0, 0, 0, 1, 2, 3, 3]]),
        ("wrap", [vec![2, 0, 1, 2], vec![2, 3, 0, 1, 2, 3, 0]]),
    ] {
        let mut wanted = Vec::new();
        for (n, row) in (0..2).flat_map(|n| rows.iter().map(move |&row| (n, row))) {
            wanted.extend(columns.iter().map(|&column| x[(n * 3 + row) * 4 + column]));
        }
        let made = Builder::new(19).ints("pads", &[6], &[0, 1, 2, 0, 0, 1]);
        let given = ("Pad", &[3, 4][..], x.clone());
        let mode = [("mode", Text(mode.to_owned()))];
        one(made, &["x", "pads"], &mode, given, (&[2, 4, 7], wanted));
    }
    // A border of less than nothing cuts.
    let made = Builder::new(13).ints("pads", &[4], &[0, -1, 0, 1]);
    let wanted = vec![x[1], x[2], 0.0, x[4], x[5], 0.0];
    let given = ("Pad", &[3][..], x[..6].to_vec());
    one(made, &["x", "pads"], &[], given, (&[2, 3], wanted));
}

#[test]
fn steps_backwards_and_entries_in_any_order() {
    let x = numbers(2 * 8, 0.9);
    for (from, to, step) in [(-1, i64::MIN, -1), (6, 0, -2), (1, 8, 3), (7, 2, -3)] {
        let made = Builder::new(13).ints("from", &[1], &[from]).ints("to", &[1], &[to]);
        let made = made.ints("axis", &[1], &[1]).ints("step", &[1], &[step]);
        let start = if from < 0 { from + 8 } else { from };
        let inside = |at: &i64| match step {
            1.. => *at < to,
            _ => *at > if to < 0 { -1 } else { to },
        };
        let places: Vec<i64> = (0..8)
            .map(|turn| start + turn * step)
            .take_while(inside)
            .filter(|at| *at >= 0)
            .collect();
        let row = |n: usize| places.iter().map(move |&at| n * 8 + at as usize);
        let wanted: Vec<f32> = (0..2).flat_map(row).map(|at| x[at]).collect();
        let inputs = ["x", "from", "to", "axis", "step"];
        let given = ("Slice", &[8][..], x.clone());
        one(made, &inputs, &[], given, (&[2, places.len()], wanted));
    }
    let made = Builder::new(13).ints("index", &[2, 2], &[3, 0, -1, 0]);
    let wanted = [3, 0, 7, 0, 11, 8, 15, 8].map(|at| x[at]).to_vec();
    let axis = [("axis", Int(1))];
    one(made, &["x", "index"], &axis, ("Gather", &[8], x.clone()), (&[2, 2, 2], wanted));
}

/// As torch's newer exporter writes them, with axes of one element in front.
#[test]
fn slopes_of_channels_and_of_other_axes() {
    let x = numbers(2 * 3 * 2 * 2, 0.7);
    for (dims, slopes, layer) in [
        (&[1, 3, 1, 1][..], vec![0.1, 0.2, 0.3], true),
        (&[3, 1, 1], vec![0.1, 0.2, 0.3], true),
        (&[1, 1, 1, 1], vec![0.4], true),
        (&[2], vec![0.1, 0.2], false),
    ] {
        let slope = |at: usize| match (slopes.len(), layer) {
            (1, _) => slopes[0],
            (_, true) => slopes[at / 4 % 3],
            (_, false) => slopes[at % 2],
        };
        let bent = |(at, &x): (usize, &f32)| if x > 0.0 { x } else { x * slope(at) };
        let wanted = x.iter().enumerate().map(bent).collect();
        let made = Builder::new(16).floats("slope", dims, &slopes);
        let given = ("PRelu", &[3, 2, 2][..], x.clone());
        let program = one(made, &["x", "slope"], &[], given, (&[2, 3, 2, 2], wanted));
        assert_eq!(program.text.contains("prelu"), layer, "{}", program.text);
    }
}

/// Before version 21 of the operators, exporters have no other form.
#[test]
fn a_norm_of_groups_is_known_where_it_is_written_as_one_of_instances() {
    let x = numbers(2 * 4 * 2 * 2, 0.45);
    let (scale, bias) = ([0.5, 2.0, -1.0, 1.5], [0.1, -0.2, 0.3, 0.0]);
    let mut wanted = Vec::new();
    for group in x.chunks(8) {
        let mean = group.iter().sum::<f32>() / 8.0;
        let variance = group.iter().map(|it| (it - mean).powi(2)).sum::<f32>() / 8.0;
        wanted.extend(group.iter().map(|it| (it - mean) / (variance + 1e-5).sqrt()));
    }
    let channel = |at: usize| at / 4 % 4;
    let affine = |(at, it): (usize, &f32)| it * scale[channel(at)] + bias[channel(at)];
    let wanted: Vec<f32> = wanted.iter().enumerate().map(affine).collect();
    let made = Builder::new(17)
        .input("x", &[0, 4, 2, 2])
        .output("y")
        .ints("apart", &[3], &[0, 2, -1])
        .floats("ones", &[2], &[1.0, 1.0])
        .floats("zeros", &[2], &[0.0, 0.0])
        .floats("scale", &[4, 1, 1], &scale)
        .floats("bias", &[4, 1, 1], &bias)
        .node("Reshape", &["x", "apart"], "groups", &[])
        .node("InstanceNormalization", &["groups", "ones", "zeros"], "normed", &[])
        .node("Shape", &["x"], "shape", &[])
        .node("Reshape", &["normed", "shape"], "back", &[])
        .node("Mul", &["back", "scale"], "scaled", &[])
        .node("Add", &["scaled", "bias"], "y", &[]);
    let wanted = Tensor::new([2, 4, 2, 2], Data::F32(wanted));
    let program = check(&made, "x", Tensor::new([2, 4, 2, 2], Data::F32(x)), &wanted);
    assert!(program.text.contains("x |> group_norm(2)"), "{}", program.text);
    assert!(!program.text.contains("reshape"), "{}", program.text);
    assert_eq!(program.variables.len(), 2);
}

/// The language bounds how many stages an expression has.
#[test]
fn long_chains_are_several_statements() {
    let mut made = Builder::new(13).input("x", &[0, 3]).output("y300");
    let mut at = "x".to_owned();
    for stage in 1..=300 {
        let next = format!("y{stage}");
        let op = if stage % 2 == 0 { "Softplus" } else { "Tanh" };
        made = made.node(op, &[&at], &next, &[]);
        at = next;
    }
    let x = numbers(6, 0.4);
    let stage = |x: f32, at: usize| if at.is_multiple_of(2) { x.exp().ln_1p() } else { x.tanh() };
    let wanted = x.iter().map(|&x| (1..=300).fold(x, stage)).collect::<Vec<_>>();
    check(&made, "x", Tensor::f32([2, 3], x.clone()), &Tensor::f32([2, 3], wanted));
    let axes = [("axes", Ints(vec![1]))];
    let sum = Builder::new(12).input("x", &[0, 3]).output("y");
    let sum = sum.node("ReduceSum", &["x"], "y", &axes);
    let program =
        check(&sum, "x", Tensor::f32([1, 3], vec![1.0, 2.0, 3.0]), &Tensor::f32([1, 1], vec![6.0]));
    assert!(!program.text.contains("let"), "{}", program.text);
}
