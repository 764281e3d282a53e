//! What imported programs compute, against what the operators of ONNX say, written out here.

use nnc::base::tensor::{Data, Tensor};
use nnc::command::{ImportedProgram, imported};
use nnc::onnx::decode::decode;
use nnc::onnx::import::ImportRequest;
use nnc::onnx::model::OnnxModel;
use std::collections::BTreeMap;

use crate::builder::Builder;
use crate::cases::difference;
use crate::evaluate::{evaluate, tensor};
use crate::models;

pub fn program(made: &Builder) -> (OnnxModel, ImportedProgram) {
    let model = decode(&made.bytes()).expect("a sound file");
    let request = ImportRequest { name: "net".into(), shapes: Vec::new() };
    let program = imported(&model, &request).unwrap_or_else(|failure| panic!("{failure:?}"));
    (model, program)
}

pub fn numbers(count: usize, step: f32) -> Vec<f32> {
    (0..count).map(|at| (at as f32 * step).sin() * 1.5).collect()
}

pub fn weight(model: &OnnxModel, name: &str) -> Vec<f32> {
    let stored = model.graph.initializers.iter().find(|it| it.name == name).expect("a weight");
    match tensor(stored).expect("floats").data {
        Data::F32(values) => values,
        other => panic!("{other:?}"),
    }
}

pub fn check(made: &Builder, input: &str, given: Tensor, wanted: &Tensor) -> ImportedProgram {
    let (model, program) = program(made);
    let given = BTreeMap::from([(input.to_owned(), given)]);
    let found = evaluate(&program, &model, &given).expect("numbers");
    assert_eq!(difference(&found[0], wanted, 0.0), None, "{}", program.text);
    program
}

#[test]
fn a_small_network_of_images_gives_what_its_operators_say() {
    let made = models::small_cnn();
    let model = decode(&made.bytes()).expect("a sound file");
    let image = numbers(2 * 2 * 6 * 5, 0.37);
    let (w, b) = (weight(&model, "stem.weight"), weight(&model, "stem.bias"));
    let (v, c) = (weight(&model, "head.weight"), weight(&model, "head.bias"));
    let mut logits = Vec::new();
    for n in 0..2 {
        let pixel = |c: usize, y: usize, x: usize| match (1..7).contains(&y) && x < 5 {
            true => image[((n * 2 + c) * 6 + y - 1) * 5 + x],
            false => 0.0,
        };
        // 4 channels, 3 rows in steps of 2, 4 columns; the largest of the first three columns.
        let mut flat = Vec::new();
        for o in 0..4 {
            for y in 0..3 {
                let at = |x: usize| {
                    let taps = (0..18).map(|tap| (tap / 9, tap / 3 % 3, tap % 3));
                    let sum: f32 = taps
                        .map(|(i, dy, dx)| {
                            w[((o * 2 + i) * 3 + dy) * 3 + dx] * pixel(i, 2 * y + dy, x + dx)
                        })
                        .sum();
                    (sum + b[o]).max(0.0)
                };
                flat.push(at(0).max(at(1)).max(at(2)));
            }
        }
        let row = |k: usize| flat.iter().zip(&v[k * 12..]).map(|(a, b)| a * b).sum::<f32>() + c[k];
        logits.extend((0..3).map(row));
    }
    let wanted = Tensor::new([2, 3], Data::F32(logits));
    let image = Tensor::new([2, 2, 6, 5], Data::F32(image));
    let program = check(&made, "image", image, &wanted);
    // Flattened as it is stored: no transpose, the rows of the weight are in another order.
    assert!(!program.text.contains("transpose"), "{}", program.text);
    assert!(program.text.contains("|> flatten"), "{}", program.text);
}

#[test]
fn blocks_that_are_alike_are_a_layer_and_repeat() {
    let (_, program) = program(&models::residual());
    let text = &program.text;
    assert!(text.contains("layer block(x: f32[N, ..S], filters: int)"), "{text}");
    assert!(text.contains("|> repeat 3 { block(4) }"), "{text}");
    assert!(text.contains("|> repeat 2 { block(8) }"), "{text}");
    assert!(text.contains("|> global_avg_pool"), "{text}");
    assert!(text.contains("dense(5, bias: false) as fc"), "{text}");
    assert!(!text.contains("transpose"), "{text}");
    let paths: Vec<&str> = program.variables.iter().map(|(path, _)| path.as_str()).collect();
    assert!(paths.contains(&"block_5.conv2.weight"), "{paths:?}");
    for (path, variable) in &program.variables {
        let leaf = variable.original.rsplit('.').next().unwrap_or_default();
        assert!(path.ends_with(leaf), "{path} is made of {}", variable.original);
    }
}

#[test]
fn repeated_blocks_give_what_their_operators_say() {
    let made = models::residual();
    let model = decode(&made.bytes()).expect("a sound file");
    let mut image: Vec<f32> = numbers(4 * 36, 0.23);
    let mut channels = 4;
    let conv = |image: &[f32], w: &[f32], inputs: usize, outputs: usize, size: usize| -> Vec<f32> {
        let pad = size / 2;
        let pixel = |i: usize, y: usize, x: usize| {
            let inside = (pad..pad + 6).contains(&y) && (pad..pad + 6).contains(&x);
            if inside { image[(i * 6 + y - pad) * 6 + x - pad] } else { 0.0 }
        };
        let at = |o: usize, y: usize, x: usize| -> f32 {
            let mut sum = 0.0;
            for (i, dy, dx) in
                (0..inputs * size * size).map(|it| (it / size / size, it / size % size, it % size))
            {
                sum += w[((o * inputs + i) * size + dy) * size + dx] * pixel(i, y + dy, x + dx);
            }
            sum
        };
        (0..outputs * 36).map(|it| at(it / 36, it / 6 % 6, it % 6)).collect()
    };
    for (stage, count) in [3, 2].into_iter().enumerate() {
        if stage > 0 {
            image = conv(&image, &weight(&model, "down1.weight"), channels, 2 * channels, 1);
            channels *= 2;
        }
        for block in 0..count {
            let part = |name: &str| weight(&model, &format!("stage{stage}.{block}.{name}.weight"));
            let a = conv(&image, &part("conv1"), channels, channels, 3);
            let b: Vec<f32> = a.into_iter().map(|it| it.max(0.0)).collect();
            let c = conv(&b, &part("conv2"), channels, channels, 3);
            image = c.iter().zip(&image).map(|(c, x)| (c + x).max(0.0)).collect();
        }
    }
    let pooled: Vec<f32> = image.chunks(36).map(|it| it.iter().sum::<f32>() / 36.0).collect();
    let fc = weight(&model, "fc.weight");
    let logit = |k: usize| pooled.iter().enumerate().map(|(i, it)| it * fc[i * 5 + k]).sum();
    let wanted = Tensor::new([1, 5], Data::F32((0..5).map(logit).collect()));
    let given = Tensor::new([1, 4, 6, 6], Data::F32(numbers(4 * 36, 0.23)));
    check(&made, "image", given, &wanted);
}

#[test]
fn attention_gives_what_its_operators_say() {
    let made = models::attention();
    let model = decode(&made.bytes()).expect("a sound file");
    let part = |name: &str| weight(&model, name);
    let (g, b, w, c) =
        (part("norm.weight"), part("norm.bias"), part("qkv.weight"), part("qkv.bias"));
    let x = numbers(2 * 5 * 8, 0.31);
    let mut y = x.clone();
    for n in 0..2 {
        let qkv: Vec<Vec<f32>> = (0..5)
            .map(|t| {
                let row = &x[(n * 5 + t) * 8..(n * 5 + t) * 8 + 8];
                let mean = row.iter().sum::<f32>() / 8.0;
                let variance = row.iter().map(|it| (it - mean).powi(2)).sum::<f32>() / 8.0;
                let normed: Vec<f32> = (0..8)
                    .map(|i| (row[i] - mean) / (variance + 1e-5).sqrt() * g[i] + b[i])
                    .collect();
                (0..24)
                    .map(|k| c[k] + (0..8).map(|i| normed[i] * w[i * 24 + k]).sum::<f32>())
                    .collect()
            })
            .collect();
        for (head, t) in (0..10).map(|it| (it / 5, it % 5)) {
            let score = |s: usize| -> f32 {
                0.5 * (0..4).map(|i| qkv[t][head * 4 + i] * qkv[s][8 + head * 4 + i]).sum::<f32>()
            };
            let exps: Vec<f32> = (0..5).map(|s| score(s).exp()).collect();
            let total: f32 = exps.iter().sum();
            for i in 0..4 {
                let sum: f32 = (0..5).map(|s| exps[s] * qkv[s][16 + head * 4 + i]).sum();
                y[(n * 5 + t) * 8 + head * 4 + i] += sum / total;
            }
        }
    }
    let given = Tensor::new([2, 5, 8], Data::F32(x));
    let program = check(&made, "x", given, &Tensor::new([2, 5, 8], Data::F32(y)));
    assert!(program.text.contains("|> layer_norm as norm |> dense(24)"), "{}", program.text);
}
