//! `Einsum` and `Attention`, against sums written out index by index.

use nnc::base::tensor::{Data, Tensor};
use nnc::command::imported;
use nnc::driver::Failure;
use nnc::onnx::decode::decode;
use nnc::onnx::import::ImportRequest;
use std::collections::BTreeMap;

use crate::builder::Attribute::{Int, Ints, Text};
use crate::builder::Builder;
use crate::numbers::{check, numbers, weight};

/// Equations of an input `[2, 3, 4]` and, where they have a second term, of a weight of these extents. With
/// `.` for the three dots, and letters for their axes in the second column.
const EQUATIONS: &[(&str, &str, &[usize])] = &[
    ("nij,jk->nik", "nij,jk->nik", &[4, 5]),
    ("nij,kj->nki", "nij,kj->nki", &[5, 4]),
    ("nij,ik->nkj", "nij,ik->nkj", &[3, 2]),
    ("nij,ijk->nk", "nij,ijk->nk", &[3, 4, 2]),
    ("nij,kl->nl", "nij,kl->nl", &[2, 3]),
    ("nij,ij->nij", "nij,ij->nij", &[3, 4]),
    ("nij,i->nj", "nij,i->nj", &[3]),
    ("nij,k->nkij", "nij,k->nkij", &[2]),
    ("n...j, jk -> n...k", "naj,jk->nak", &[4, 3]),
    ("nij,ij", "nij,ij->n", &[3, 4]),
    ("nij->nji", "nij->nji", &[]),
    ("nij->n", "nij->n", &[]),
];

/// The sum of products that an equation stands for, index by index.
fn sum_of_products(equation: &str, values: &[(&[f32], &[usize])]) -> Tensor {
    let (terms, output) = equation.split_once("->").expect("an arrow");
    let mut extents: BTreeMap<char, usize> = BTreeMap::new();
    let terms: Vec<&str> = terms.split(',').collect();
    for (term, (_, dims)) in terms.iter().zip(values) {
        term.chars().zip(dims.iter()).for_each(|(letter, &dim)| {
            extents.insert(letter, dim);
        });
    }
    let offset = |letters: &str, at: &BTreeMap<char, usize>| {
        letters.chars().fold(0, |sum, letter| sum * extents[&letter] + at[&letter])
    };
    let shape: Vec<usize> = output.chars().map(|letter| extents[&letter]).collect();
    let mut made = vec![0.0; shape.iter().product()];
    for index in 0..extents.values().product() {
        let mut rest = index;
        let at = extents.iter().map(|(&letter, &extent)| {
            let place = rest % extent;
            rest /= extent;
            (letter, place)
        });
        let at: BTreeMap<char, usize> = at.collect();
        let factors = terms.iter().zip(values).map(|(term, (value, _))| value[offset(term, &at)]);
        made[offset(output, &at)] += factors.product::<f32>();
    }
    Tensor::new(shape, Data::F32(made))
}

#[test]
fn einsum_is_the_sum_of_products() {
    for (text, letters, dims) in EQUATIONS {
        let equation = [("equation", Text((*text).to_owned()))];
        let extents: Vec<i64> = dims.iter().map(|&dim| dim as i64).collect();
        let made = Builder::new(12).input("x", &[0, 3, 4]).output("y");
        let made = match dims.is_empty() {
            true => made.node("Einsum", &["x"], "y", &equation),
            false => made.weight("w", &extents).node("Einsum", &["x", "w"], "y", &equation),
        };
        let x = numbers(24, 0.7);
        let model = decode(&made.bytes()).expect("a sound file");
        let mut values: Vec<(&[f32], &[usize])> = vec![(&x, &[2, 3, 4])];
        let second = if dims.is_empty() { Vec::new() } else { weight(&model, "w") };
        values.extend((!dims.is_empty()).then_some((&second[..], *dims)));
        let wanted = sum_of_products(letters, &values);
        check(&made, "x", Tensor::new([2, 3, 4], Data::F32(x.clone())), &wanted);
    }
}

/// What is squared is read twice by one operator, and computed once.
#[test]
fn a_value_that_only_a_sum_of_squares_reads_is_named() {
    for op in ["ReduceSumSquare", "ReduceL2"] {
        let axes = [("axes", Ints(vec![1]))];
        let made = Builder::new(12).input("x", &[0, 5]).output("y");
        let made = made.node("Relu", &["x"], "r", &[]).node(op, &["r"], "y", &axes);
        let x = numbers(10, 0.7);
        let of_row = |row: &[f32]| -> f32 {
            let squares: f32 = row.iter().map(|x| x.max(0.0) * x.max(0.0)).sum();
            if op == "ReduceL2" { squares.sqrt() } else { squares }
        };
        let wanted = Tensor::new([2, 1], Data::F32(x.chunks(5).map(of_row).collect()));
        check(&made, "x", Tensor::new([2, 5], Data::F32(x.clone())), &wanted);
    }
}

#[test]
fn einsums_that_are_none_are_refused() {
    for text in ["nii->ni", "nij,jk->nik", "nij->nk", "nij->nn", "nijk->n", "n?j->n", ""] {
        let equation = [("equation", Text(text.to_owned()))];
        let made = Builder::new(12).input("x", &[0, 3, 4]).output("y");
        let made = made.node("Einsum", &["x"], "y", &equation);
        let model = decode(&made.bytes()).expect("a sound file");
        let request = ImportRequest { name: "net".into(), shapes: Vec::new() };
        match imported(&model, &request) {
            Err(Failure::Data(message)) => assert!(message.contains("Einsum"), "{message}"),
            other => panic!("{text}: {:?}", other.map(|program| program.text)),
        }
    }
}

/// Attention of `x: [2, 3, 8]` to itself in heads side by side, of which two share a key.
fn attended(x: &[f32], [heads, keys]: [usize; 2], causal: bool) -> Tensor {
    let (width, mut made) = (8 / heads, vec![0.0; 2 * 3 * 8]);
    let at = |n: usize, t: usize, i: usize| x[(n * 3 + t) * 8 + i];
    for (n, head, t) in (0..2 * heads * 3).map(|it| (it / heads / 3, it / 3 % heads, it % 3)) {
        let key = head * keys / heads * width;
        let score = |s: usize| -> f32 {
            let sum: f32 = (0..width).map(|i| at(n, t, head * width + i) * at(n, s, key + i)).sum();
            sum / (width as f32).sqrt()
        };
        let seen = if causal { t + 1 } else { 3 };
        let weights: Vec<f32> = (0..seen).map(|s| score(s).exp()).collect();
        for i in 0..width {
            let sum: f32 = (0..seen).map(|s| weights[s] * at(n, s, key + i)).sum();
            made[(n * 3 + t) * 8 + head * width + i] = sum / weights.iter().sum::<f32>();
        }
    }
    Tensor::new([2, 3, 8], Data::F32(made))
}

#[test]
fn attention_of_onnx_is_the_languages_own() {
    let x = numbers(48, 0.43);
    for (keys, causal) in [(4, false), (4, true), (2, false), (2, true)] {
        let mut attributes = vec![("q_num_heads", Int(4)), ("kv_num_heads", Int(keys))];
        attributes.extend(causal.then_some(("is_causal", Int(1))));
        let made = Builder::new(23).input("x", &[0, 3, 8]).output("y");
        let made = made.ints("from", &[1], &[0]).ints("to", &[1], &[2 * keys]);
        let made = made.ints("axis", &[1], &[2]);
        let made = made.node("Slice", &["x", "from", "to", "axis"], "k", &[]);
        let made = made.node("Attention", &["x", "k", "k"], "y", &attributes);
        let wanted = attended(&x, [4, keys as usize], causal);
        let given = Tensor::new([2, 3, 8], Data::F32(x.clone()));
        let program = check(&made, "x", given, &wanted);
        assert_eq!(program.text.contains("dot_attention"), keys == 4, "{}", program.text);
    }
}

#[test]
fn triangles_of_values_and_of_constants() {
    let x = numbers(2 * 3 * 4, 0.6);
    for (diagonal, upper) in [(0, 1), (1, 1), (0, 0), (-1, 0)] {
        let made = Builder::new(14).input("x", &[0, 3, 4]).output("y").weight("w", &[3, 4]);
        let made = made.ints("k", &[], &[diagonal]);
        let attributes = [("upper", Int(upper))];
        let made = made
            .node("Trilu", &["w", "k"], "u", &attributes)
            .node("Trilu", &["x", "k"], "v", &attributes)
            .node("Add", &["u", "v"], "y", &[]);
        let w = weight(&decode(&made.bytes()).expect("a sound file"), "w");
        let value = |at: usize| {
            let (row, column) = ((at / 4 % 3) as i64, (at % 4) as i64);
            let above = column >= row + diagonal;
            let below = column <= row + diagonal;
            let kept = if upper == 1 { above } else { below };
            if kept { x[at] + w[at % 12] } else { 0.0 }
        };
        let wanted = Tensor::new([2, 3, 4], Data::F32((0..24).map(value).collect()));
        check(&made, "x", Tensor::new([2, 3, 4], Data::F32(x.clone())), &wanted);
    }
}
