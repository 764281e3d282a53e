//! Weights and constants: what the file has once is one parameter, numbers keep their values, and the batch
//! that a file was written with is every batch.

use nnc::base::tensor::{Data, Tensor};
use nnc::command::imported;
use nnc::driver::Failure;
use nnc::onnx::decode::decode;
use nnc::onnx::import::ImportRequest;
use std::collections::BTreeMap;

use crate::builder::Attribute::{Float, Int, Ints, Text};
use crate::builder::Builder;
use crate::cases::difference;
use crate::evaluate::evaluate;
use crate::numbers::{check, numbers, program, weight};

/// `x @ w + b` of rows, with `w: [out, in]`.
fn dense(x: &[f32], w: &[f32], b: &[f32]) -> Vec<f32> {
    let inputs = w.len() / b.len();
    let row = |x: &[f32]| -> Vec<f32> {
        let unit = |(w, b): (&[f32], &f32)| b + x.iter().zip(w).map(|(x, w)| x * w).sum::<f32>();
        w.chunks(inputs).zip(b).map(unit).collect()
    };
    x.chunks(inputs).flat_map(row).collect()
}

/// Two inputs through the same layers, whose norm was never trained.
#[test]
fn layers_that_are_called_twice_have_one_set_of_weights() {
    let turned = [("transB", Int(1))];
    let mut made = Builder::new(17)
        .input("a", &[0, 4])
        .input("b", &[0, 4])
        .output("y")
        .weight("net.fc.weight", &[3, 4])
        .weight("net.fc.bias", &[3])
        .floats("net.norm.weight", &[3], &[1.0; 3])
        .floats("net.norm.bias", &[3], &[0.0; 3]);
    for from in ["a", "b"] {
        let name = |part: &str| format!("{from}_{part}");
        let fc = [from, "net.fc.weight", "net.fc.bias"];
        made = made.node("Gemm", &fc, &name("fc"), &turned).node(
            "Relu",
            &[&name("fc")],
            &name("r"),
            &[],
        );
        let norm = [&name("r"), "net.norm.weight", "net.norm.bias"];
        made = made.node("LayerNormalization", &norm, &name("n"), &[]);
    }
    let made = made.node("Sub", &["b_n", "a_n"], "y", &[]);
    let (model, program) = program(&made);
    assert_eq!(program.variables.len(), 4, "{}", program.text);
    assert!(program.text.contains("b |> fc |> relu |> norm"), "{}", program.text);
    let (w, c) = (weight(&model, "net.fc.weight"), weight(&model, "net.fc.bias"));
    let (a, b) = (numbers(8, 0.7), numbers(8, 0.31));
    let side = |x: &[f32]| -> Vec<f32> {
        let norm = |row: &[f32]| -> Vec<f32> {
            let row: Vec<f32> = row.iter().map(|it| it.max(0.0)).collect();
            let mean = row.iter().sum::<f32>() / 3.0;
            let variance = row.iter().map(|it| (it - mean).powi(2)).sum::<f32>() / 3.0;
            row.iter().map(|it| (it - mean) / (variance + 1e-5).sqrt()).collect()
        };
        dense(x, &w, &c).chunks(3).flat_map(norm).collect()
    };
    let wanted = side(&b).iter().zip(side(&a)).map(|(b, a)| b - a).collect::<Vec<_>>();
    let given = [("a", a), ("b", b)].map(|(name, x)| (name.to_owned(), Tensor::f32([2, 4], x)));
    let found = evaluate(&program, &model, &BTreeMap::from(given)).expect("numbers");
    assert_eq!(difference(&found[0], &Tensor::f32([2, 3], wanted), 0.0), None, "{}", program.text);
}

#[test]
fn a_layer_that_is_applied_to_its_own_result_is_one() {
    let mut made = Builder::new(17).input("x", &[0, 3]).output("y3");
    made = made.weight("l.weight", &[3, 3]).weight("l.bias", &[3]);
    let mut at = "x".to_owned();
    for turn in 1..=3 {
        let (fc, next) = (format!("fc{turn}"), format!("y{turn}"));
        made = made.node("Gemm", &[&at, "l.weight", "l.bias"], &fc, &[("transB", Int(1))]);
        made = made.node("Tanh", &[&fc], &next, &[]);
        at = next;
    }
    let model = decode(&made.bytes()).expect("a sound file");
    let (w, b) = (weight(&model, "l.weight"), weight(&model, "l.bias"));
    let x = numbers(6, 0.6);
    let turn = |x: Vec<f32>, _| dense(&x, &w, &b).into_iter().map(f32::tanh).collect();
    let wanted = (0..3).fold(x.clone(), turn);
    let program = check(&made, "x", Tensor::f32([2, 3], x), &Tensor::f32([2, 3], wanted));
    assert_eq!(program.variables.len(), 2, "{}", program.text);
}

/// The head as torch's exporters write it: the table turned by a node, or a turned copy of it.
#[test]
fn a_table_that_is_the_head_too_is_one_parameter() {
    for head in ["t", "onnx::MatMul_7", ""] {
        let mut made = Builder::new(17).whole_input("x", &[0, 2]).output("y");
        made = made.weight("e.weight", &[5, 3]);
        let table = weight(&decode(&made.bytes()).expect("a sound file"), "e.weight");
        let turned: Vec<f32> = (0..15).map(|at| table[at % 5 * 3 + at / 5]).collect();
        let (made, head) = match head {
            "" => (made.node("Transpose", &["e.weight"], "turned", &[]), "turned"),
            head => (made.floats(head, &[3, 5], &turned), head),
        };
        let made = made
            .node("Gather", &["e.weight", "x"], "e", &[])
            .node("Tanh", &["e"], "h", &[])
            .node("MatMul", &["h", head], "y", &[]);
        let tokens = [3usize, 0, 4, 1];
        let row = |&token: &usize| {
            let row: Vec<f32> = table[token * 3..][..3].iter().map(|it| it.tanh()).collect();
            dense(&row, &table, &[0.0; 5])
        };
        let wanted = Tensor::f32([2, 2, 5], tokens.iter().flat_map(row).collect::<Vec<_>>());
        let given = Data::I32(tokens.iter().map(|&token| token as i32).collect());
        let program = check(&made, "x", Tensor::new([2, 2], given), &wanted);
        assert_eq!(program.variables.len(), 1, "{}", program.text);
        assert!(program.text.contains("gather(weight, x)"), "{}", program.text);
    }
}

/// The same kernel in steps of one and of two, and a parameter that two nodes add.
#[test]
fn weights_of_different_layers_are_one_parameter() {
    let pads = ("pads", Ints(vec![1, 1]));
    let made = Builder::new(17)
        .input("x", &[0, 2, 4])
        .output("y")
        .weight("c.weight", &[2, 2, 3])
        .weight("c.bias", &[2])
        .weight("shift", &[2, 1])
        .node("Conv", &["x", "c.weight", "c.bias"], "a", std::slice::from_ref(&pads))
        .node("Conv", &["x", "c.weight", "c.bias"], "b", &[pads, ("strides", Ints(vec![2]))])
        .node("Add", &["a", "shift"], "as", &[])
        .node("Add", &["b", "shift"], "bs", &[])
        .node("Concat", &["as", "bs"], "y", &[("axis", Int(2))]);
    let model = decode(&made.bytes()).expect("a sound file");
    let part = |name: &str| weight(&model, name);
    let (w, b, shift) = (part("c.weight"), part("c.bias"), part("shift"));
    let x = numbers(2 * 2 * 4, 0.55);
    let conv = |n: usize, o: usize, t: usize| -> f32 {
        let tap = |i: usize, k: usize| match (t + k).checked_sub(1) {
            Some(at) if at < 4 => w[(o * 2 + i) * 3 + k] * x[(n * 2 + i) * 4 + at],
            _ => 0.0,
        };
        b[o] + shift[o] + (0..6).map(|it| tap(it / 3, it % 3)).sum::<f32>()
    };
    let mut wanted = Vec::new();
    for (n, o) in (0..4).map(|it| (it / 2, it % 2)) {
        wanted.extend((0..4).chain([0, 2]).map(|t| conv(n, o, t)));
    }
    let wanted = Tensor::new([2, 2, 6], Data::F32(wanted));
    let program = check(&made, "x", Tensor::f32([2, 2, 4], x), &wanted);
    assert_eq!(program.variables.len(), 3, "{}", program.text);
}

/// Exporters write equal numbers once: ones of two norms say nothing of what they are.
#[test]
fn norms_that_were_never_trained_stay_apart() {
    let norm = |from| [from, "ones", "zeros"];
    let made = Builder::new(17)
        .input("x", &[0, 3])
        .output("y")
        .floats("ones", &[3], &[1.0; 3])
        .floats("zeros", &[3], &[0.0; 3])
        .weight("w", &[3, 3])
        .node("LayerNormalization", &norm("x"), "a", &[])
        .node("MatMul", &["a", "w"], "b", &[])
        .node("LayerNormalization", &norm("b"), "y", &[]);
    let (_, program) = program(&made);
    assert_eq!(program.variables.len(), 5, "{}", program.text);
}

#[test]
fn whole_numbers_beyond_2_to_the_24_keep_their_values() {
    let large = [16_777_217, -16_777_219, 2_147_483_647];
    let x = [0i32, 5, -9, 1, 2, 3];
    for dims in [&[3][..], &[]] {
        let count = dims.first().copied().unwrap_or(1) as usize;
        let made = Builder::new(17).whole_input("x", &[0, 3]).output("y");
        let made = made.ints("w", dims, &large[..count]).node("Add", &["x", "w"], "y", &[]);
        let sum = |(at, x): (usize, &i32)| x.wrapping_add(large[at % 3 % count] as i32);
        let wanted = x.iter().enumerate().map(sum).collect();
        let given = Tensor::new([2, 3], Data::I32(x.to_vec()));
        check(&made, "x", given, &Tensor::new([2, 3], Data::I32(wanted)));
    }
    // Bounds that are those of 64 bits let everything through.
    let made = Builder::new(17).whole_input("x", &[0, 3]).output("y");
    let made = made.ints("low", &[], &[2]).ints("high", &[], &[i64::MAX]);
    let made = made.node("Clip", &["x", "low", "high"], "y", &[]);
    let wanted = Tensor::new([2, 3], Data::I32(vec![2, 5, 2, 2, 2, 3]));
    check(&made, "x", Tensor::new([2, 3], Data::I32(x.to_vec())), &wanted);
}

#[test]
fn whole_numbers_of_more_than_32_bits_are_refused() {
    for dims in [&[3][..], &[]] {
        let count = dims.first().copied().unwrap_or(1) as usize;
        let made = Builder::new(17).whole_input("x", &[0, 3]).output("y");
        let made = made.ints("w", dims, &[1 << 40; 3][..count]).node("Add", &["x", "w"], "y", &[]);
        let model = decode(&made.bytes()).expect("a sound file");
        let request = ImportRequest { name: "net".into(), shapes: Vec::new() };
        match imported(&model, &request) {
            Err(Failure::Data(message)) => {
                assert!(message.contains("Add `the_y`: the whole number"), "{message}");
            }
            other => panic!("{:?}", other.map(|program| program.text)),
        }
    }
}

#[test]
fn masks_are_no_parameters() {
    let low = f32::NEG_INFINITY;
    for unseen in [low, -1e9, f32::MIN] {
        let mask = [0.0, unseen, unseen, 0.0, 0.0, unseen, 0.0, 0.0, 0.0];
        let made =
            Builder::new(17).input("x", &[0, 3, 3]).output("y").floats("mask", &[3, 3], &mask);
        let made = made.node("Add", &["x", "mask"], "m", &[]).node("Softmax", &["m"], "y", &[]);
        let x = numbers(18, 0.4);
        let row = |row: usize| {
            let exps: Vec<f32> =
                (0..3).map(|at| if at <= row % 3 { x[row * 3 + at].exp() } else { 0.0 }).collect();
            let sum: f32 = exps.iter().sum();
            exps.into_iter().map(move |it| it / sum)
        };
        let wanted = Tensor::f32([2, 3, 3], (0..6).flat_map(row).collect::<Vec<_>>());
        let program = check(&made, "x", Tensor::f32([2, 3, 3], x.clone()), &wanted);
        assert!(!program.text.contains("param"), "{}", program.text);
        assert!(program.text.contains("state"), "{}", program.text);
    }
}

/// Files of a batch of two, on three samples.
#[test]
fn the_batch_that_a_file_was_written_with_is_every_batch() {
    let x = numbers(3 * 4, 0.8);
    let given = || Tensor::f32([3, 1, 2, 2], x.clone());
    let start = || Builder::new(17).input("x", &[2, 1, 2, 2]).output("y");
    // Rows that are alike, as a size of an expansion, and in a size of images.
    let rows = start().floats("c", &[2, 1, 1, 2], &[1.0, 2.0, 1.0, 2.0]);
    let rows = rows.node("Add", &["x", "c"], "y", &[]);
    let wanted = x.iter().enumerate().map(|(at, x)| x + 1.0 + (at % 2) as f32).collect::<Vec<_>>();
    check(&rows, "x", given(), &Tensor::f32([3, 1, 2, 2], wanted));
    let token = start().floats("t", &[1, 1, 1, 2], &[5.0, 6.0]).ints("to", &[4], &[2, 1, 1, 2]);
    let token = token.node("Expand", &["t", "to"], "e", &[]);
    let token = token.node("Concat", &["e", "x"], "y", &[("axis", Int(2))]);
    let sample = |x: &[f32]| [&[5.0, 6.0], x].concat();
    let wanted = x.chunks(4).flat_map(sample).collect::<Vec<_>>();
    let program = check(&token, "x", given(), &Tensor::f32([3, 1, 3, 2], wanted));
    assert!(program.text.contains("param t"), "{}", program.text);
    let larger = start().ints("to", &[4], &[2, 1, 4, 4]);
    let nearest = [
        ("coordinate_transformation_mode", Text("asymmetric".into())),
        ("nearest_mode", Text("floor".into())),
        ("cubic_coeff_a", Float(-0.75)),
    ];
    let larger = larger.node("Resize", &["x", "", "", "to"], "y", &nearest);
    let pixel = |at: usize| x[at / 16 * 4 + at / 8 % 2 * 2 + at / 2 % 2];
    let wanted = (0..48).map(pixel).collect::<Vec<_>>();
    check(&larger, "x", given(), &Tensor::f32([3, 1, 4, 4], wanted));
}
