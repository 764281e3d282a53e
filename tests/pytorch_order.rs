//! Weights of PyTorch's behind `flatten` and in front of `reshape`: what a model gives with them is what
//! PyTorch gives, whose images are `[n, c, h, w]`.
//!
//! The reference is written here, in PyTorch's own layouts and with its definitions (`Conv2d`,
//! `MaxPool2d`, `BatchNorm1d` in `eval()`, `Linear`), in `f64`; it shares nothing with what is tested.

mod support;

use nnc::base::tensor::{Data, Tensor};
use nnc::driver::{Failure, Request, Session};
use nnc::graph::{self, Env};
use nnc::run;
use nnc::run::{BuiltRun, Overrides};
use nnc::runtime::weights;
use support::pipeline::experiment;

/// Numbers between -0.5 and 0.5, of which no two are alike.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|it| ((it * 7919 + seed * 104_729) % 10_007) as f32 / 10_007.0 - 0.5).collect()
}

fn tensor(name: &str, shape: &[usize], seed: usize) -> (String, Tensor) {
    (name.to_owned(), Tensor::f32(shape, numbers(shape.iter().product(), seed)))
}

/// A run that begins with these weights.
fn run(program: &str, tensors: &[(String, Tensor)]) -> Result<BuiltRun, Failure> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("net.nn");
    std::fs::write(&file, program).expect("a file");
    weights::save(&folder.path().join("torch.safetensors"), tensors).expect("a file of weights");
    let request = Request::new(file);
    run::run(&mut Session::new(None), &request, &Overrides::default(), &|_, _| true)
}

/// What the model gives for images, in evaluation.
fn output(program: &str, tensors: &[(String, Tensor)], x: &Tensor) -> Vec<f32> {
    let run = run(program, tensors).unwrap_or_else(|failure| panic!("{failure:?}"));
    let without_data = program.replace(" on drawn", "").replace(DATA, "");
    let graph = experiment(&without_data, Vec::new()).eval;
    let mut env = Env::initial(&graph, 0).with("image", x.clone());
    env.inputs.insert("label".into(), Tensor::i32([x.shape[0]], vec![0; x.shape[0]]));
    let value =
        |path: &str| run.variables().find(|(known, _)| *known == path).expect(path).1.clone();
    env.params = graph.params.values().map(|param| value(&param.path)).collect();
    env.states = graph.states.values().map(|state| value(&state.path)).collect();
    let outcome = graph::run(&graph, x.shape[0], &env).expect("a step");
    outcome.outputs["output"].as_f32().to_vec()
}

fn train(settings: &str) -> String {
    format!(
        "train net on drawn {{ loss = cross_entropy\n init_from = weights(\"torch.safetensors\", \
         layout: pytorch)\n {settings} }}"
    )
}

// ---- PyTorch, in its own layouts

/// Images `[c][h][w]` of one sample.
type Image = Vec<Vec<Vec<f64>>>;

fn channel_first(x: &Tensor, sample: usize) -> Image {
    let [_, h, w, c] = x.shape[..] else { panic!("images") };
    let at = |c_at: usize, y: usize, x_at: usize| {
        f64::from(x.as_f32()[((sample * h + y) * w + x_at) * c + c_at])
    };
    (0..c).map(|c| (0..h).map(|y| (0..w).map(|x| at(c, y, x)).collect()).collect()).collect()
}

/// `Conv2d` without padding: weight `[out, in, kh, kw]`.
fn conv(x: &Image, weight: &Tensor, bias: &Tensor) -> Image {
    let [outputs, inputs, kh, kw] = weight.shape[..] else { panic!("a convolution") };
    let w = |o: usize, i: usize, a: usize, b: usize| {
        f64::from(weight.as_f32()[((o * inputs + i) * kh + a) * kw + b])
    };
    let (oh, ow) = (x[0].len() + 1 - kh, x[0][0].len() + 1 - kw);
    let one = |o: usize, y: usize, z: usize| {
        let mut sum = f64::from(bias.as_f32()[o]);
        for (i, map) in x.iter().enumerate() {
            for a in 0..kh {
                for b in 0..kw {
                    sum += w(o, i, a, b) * map[y + a][z + b];
                }
            }
        }
        sum
    };
    let rows = |o| (0..oh).map(|y| (0..ow).map(|z| one(o, y, z)).collect()).collect();
    (0..outputs).map(rows).collect()
}

fn max_pool(x: &Image) -> Image {
    let pooled = |map: &Vec<Vec<f64>>| {
        let at = |y: usize, z: usize| {
            map[2 * y][2 * z]
                .max(map[2 * y][2 * z + 1])
                .max(map[2 * y + 1][2 * z])
                .max(map[2 * y + 1][2 * z + 1])
        };
        (0..map.len() / 2).map(|y| (0..map[0].len() / 2).map(|z| at(y, z)).collect()).collect()
    };
    x.iter().map(pooled).collect()
}

fn flatten(x: &Image) -> Vec<f64> {
    x.iter().flatten().flatten().copied().collect()
}

fn relu(values: Vec<f64>) -> Vec<f64> {
    values.into_iter().map(|value| value.max(0.0)).collect()
}

/// `Linear`: weight `[out, in]`.
fn linear(x: &[f64], weight: &Tensor, bias: &Tensor) -> Vec<f64> {
    let inputs = weight.shape[1];
    assert_eq!(inputs, x.len());
    let rows = weight.as_f32().chunks(inputs).zip(bias.as_f32());
    rows.map(|(row, bias)| {
        f64::from(*bias) + row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>()
    })
    .collect()
}

/// `BatchNorm1d` in `eval()`.
fn batch_norm(x: &[f64], of: &dyn Fn(&str) -> Tensor) -> Vec<f64> {
    let [weight, bias, mean, var] = ["weight", "bias", "running_mean", "running_var"].map(of);
    let at = |tensor: &Tensor, index: usize| f64::from(tensor.as_f32()[index]);
    let one = |(index, x): (usize, &f64)| {
        (x - at(&mean, index)) / (at(&var, index) + 1e-5).sqrt() * at(&weight, index)
            + at(&bias, index)
    };
    x.iter().enumerate().map(one).collect()
}

#[track_caller]
fn close(got: &[f32], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!((f64::from(*got) - want).abs() < 1e-5 + 1e-4 * want.abs(), "{got} and {want}");
    }
}

fn find(tensors: &[(String, Tensor)], name: &str) -> Tensor {
    tensors.iter().find(|(known, _)| known == name).expect(name).1.clone()
}

const DATA: &str = "data drawn = digits(train: 20, test: 10)\n";

fn images() -> Tensor {
    Tensor::f32([2, 28, 28, 1], numbers(2 * 784, 99))
}

#[test]
fn rows_behind_flatten_are_channel_first_there() {
    // 28 → conv 5 → 24 → pool → 12 → conv 3 → 10 → pool → 5: 5 × 5 × 3 flattened.
    let program = format!(
        "{DATA}model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{
    image |> conv(2, 5) |> relu |> max_pool(2) |> conv(3, 3) |> max_pool(2)
          |> flatten |> dropout(0.3) |> batch_norm |> relu |> dense(4) |> relu |> dense(10)
}}
{}",
        train("")
    );
    let mut tensors = vec![
        tensor("conv.weight", &[2, 1, 5, 5], 1),
        tensor("conv.bias", &[2], 2),
        tensor("conv_2.weight", &[3, 2, 3, 3], 3),
        tensor("conv_2.bias", &[3], 4),
        tensor("batch_norm.weight", &[75], 5),
        tensor("batch_norm.bias", &[75], 6),
        tensor("batch_norm.running_mean", &[75], 7),
        tensor("dense.weight", &[4, 75], 8),
        tensor("dense.bias", &[4], 9),
        tensor("dense_2.weight", &[10, 4], 10),
        tensor("dense_2.bias", &[10], 11),
    ];
    let var = numbers(75, 12).into_iter().map(|it| it + 1.0).collect();
    tensors.push(("batch_norm.running_var".into(), Tensor::f32([75], var)));
    let of = |name: &str| find(&tensors, name);
    let x = images();
    let want: Vec<f64> = (0..2)
        .flat_map(|sample| {
            let x = conv(&channel_first(&x, sample), &of("conv.weight"), &of("conv.bias"));
            let x: Image =
                x.iter().map(|map| map.iter().map(|row| relu(row.clone())).collect()).collect();
            let x = conv(&max_pool(&x), &of("conv_2.weight"), &of("conv_2.bias"));
            let x = flatten(&max_pool(&x));
            let x = relu(batch_norm(&x, &|name| of(&format!("batch_norm.{name}"))));
            let x = relu(linear(&x, &of("dense.weight"), &of("dense.bias")));
            linear(&x, &of("dense_2.weight"), &of("dense_2.bias"))
        })
        .collect();
    close(&output(&program, &tensors, &x), &want);
}

#[test]
fn columns_in_front_of_images_are_channel_first_there() {
    // A decoder: Linear(784, 3·4·5), view(3, 4, 5), Conv2d(3, 2, 2), flatten, Linear.
    let program = format!(
        "{DATA}model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{
    let z = image |> flatten |> dense(60) |> relu
    reshape(z, [N, 4, 5, 3]) |> conv(2, 2) |> flatten |> dense(10)
}}
{}",
        train("")
    );
    let tensors = vec![
        tensor("dense.weight", &[60, 784], 1),
        tensor("dense.bias", &[60], 2),
        tensor("conv.weight", &[2, 3, 2, 2], 3),
        tensor("conv.bias", &[2], 4),
        tensor("dense_2.weight", &[10, 24], 5),
        tensor("dense_2.bias", &[10], 6),
    ];
    let of = |name: &str| find(&tensors, name);
    let x = images();
    let want: Vec<f64> = (0..2)
        .flat_map(|sample| {
            let x = flatten(&channel_first(&x, sample));
            let x = relu(linear(&x, &of("dense.weight"), &of("dense.bias")));
            let maps = x.chunks(20).map(|map| map.chunks(5).map(<[f64]>::to_vec).collect());
            let x = conv(&maps.collect(), &of("conv.weight"), &of("conv.bias"));
            linear(&flatten(&x), &of("dense_2.weight"), &of("dense_2.bias"))
        })
        .collect();
    close(&output(&program, &tensors, &x), &want);
}

#[test]
fn several_readers_and_joined_features_agree() {
    // Two layers read the same flattened image, one beside global pooling.
    let program = format!(
        "{DATA}model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{
    let maps = image |> conv(2, 25)
    let flat = maps |> flatten
    let both = concat([flat, maps |> global_avg_pool], axis: 1)
    (flat |> dense(10)) + (both |> dense(10))
}}
{}",
        train("")
    );
    let tensors = vec![
        tensor("conv.weight", &[2, 1, 25, 25], 1),
        tensor("conv.bias", &[2], 2),
        tensor("dense.weight", &[10, 32], 3),
        tensor("dense.bias", &[10], 4),
        tensor("dense_2.weight", &[10, 34], 5),
        tensor("dense_2.bias", &[10], 6),
    ];
    let of = |name: &str| find(&tensors, name);
    let x = images();
    let want: Vec<f64> = (0..2)
        .flat_map(|sample| {
            let maps = conv(&channel_first(&x, sample), &of("conv.weight"), &of("conv.bias"));
            let flat = flatten(&maps);
            let means = maps.iter().map(|map| map.iter().flatten().sum::<f64>() / 16.0);
            let both: Vec<f64> = flat.iter().copied().chain(means).collect();
            let a = linear(&flat, &of("dense.weight"), &of("dense.bias"));
            let b = linear(&both, &of("dense_2.weight"), &of("dense_2.bias"));
            a.into_iter().zip(b).map(|(a, b)| a + b).collect::<Vec<f64>>()
        })
        .collect();
    close(&output(&program, &tensors, &x), &want);
}

#[test]
fn what_is_channel_first_in_the_program_stays_as_it_is() {
    let program = format!(
        "{DATA}model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{
    let maps = image |> conv(2, 25)
    reshape(transpose(maps, [0, 3, 1, 2]), [N, 32]) |> dense(10)
}}
{}",
        train("")
    );
    let tensors = vec![
        tensor("conv.weight", &[2, 1, 25, 25], 1),
        tensor("conv.bias", &[2], 2),
        tensor("dense.weight", &[10, 32], 3),
        tensor("dense.bias", &[10], 4),
    ];
    let run = run(&program, &tensors).unwrap_or_else(|failure| panic!("{failure:?}"));
    let (_, weight) = run.variables().find(|(path, _)| *path == "dense.weight").unwrap();
    let theirs = find(&tensors, "dense.weight");
    let Data::F32(ours) = &weight.data else { panic!("floats") };
    for (row, values) in ours.chunks(10).enumerate() {
        for (unit, value) in values.iter().enumerate() {
            assert_eq!(*value, theirs.as_f32()[unit * 32 + row]);
        }
    }
}

#[test]
fn tables_of_embeddings_are_not_transposed() {
    let program = format!(
        "{DATA}model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{
    let words = cast(image[.., 0, 0:3, 0] * 4, i32)
    words |> embedding(10, 6) |> flatten |> dense(10)
}}
{}",
        train("")
    );
    // Tokens [n, 3, 6] are flattened alike there.
    let tensors = vec![
        tensor("embedding.weight", &[10, 6], 1),
        tensor("dense.weight", &[10, 18], 3),
        tensor("dense.bias", &[10], 4),
    ];
    let run = run(&program, &tensors).unwrap_or_else(|failure| panic!("{failure:?}"));
    let value =
        |path: &str| run.variables().find(|(known, _)| *known == path).expect(path).1.clone();
    assert_eq!(value("embedding.weight"), find(&tensors, "embedding.weight"));
    let (ours, theirs) = (value("dense.weight"), find(&tensors, "dense.weight"));
    assert_eq!(ours.as_f32()[5 * 10 + 2], theirs.as_f32()[2 * 18 + 5]);
}

#[test]
fn an_order_that_cannot_be_derived_is_refused() {
    // Rows of an image flattened together with its channels: PyTorch has no such axis.
    let program = format!(
        "{DATA}model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{
    let rows = reshape(image |> conv(2, 25), [N, 4, 8]) |> dense(3)
    rows |> flatten |> dense(10)
}}
{}",
        train("")
    );
    let tensors = vec![
        tensor("conv.weight", &[2, 1, 25, 25], 1),
        tensor("conv.bias", &[2], 2),
        tensor("dense.weight", &[3, 8], 3),
        tensor("dense.bias", &[3], 4),
        tensor("dense_2.weight", &[10, 12], 5),
        tensor("dense_2.bias", &[10], 6),
    ];
    match run(&program, &tensors) {
        Err(Failure::Program { diagnostics, .. }) => {
            let message = &diagnostics[0].message;
            assert!(message.contains("`dense.weight` cannot be derived"), "{message}");
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was taken"),
    }
}
