//! The preparation of inputs, targets and losses, by the graph's interpreter.

use super::support::{list, with};
use crate::base::schema::{ClassField, Conversion, Field, FieldKind, ImageField, Schema};
use crate::base::tensor::{Data, Tensor};
use crate::elaborate::{ElaborateOptions, Experiment};
use crate::graph::Op;
use crate::graph::interp::{Env, run};

/// A model that gives back its image, with a loss that tells labels apart.
const IMAGES: &str = "data photos = images(\"photos\", size: [1, 2])\n\
    model pixels(image: f32[N, 1, 2, 3]) -> f32[N, 6] { image |> flatten }\n\
    loss chosen(output: f32[N, K], label: i32[N]) -> f32[N] { pick(output, label) }\n\
    loss weighed(output: f32[N, K], target: f32[N, K]) -> f32[N] { sum(output * target, axis: 1) }\n";

/// How the data are prepared.
#[derive(Default)]
struct Preparation {
    conversions: Vec<Conversion>,
    one_hot: bool,
    mixed: bool,
}

fn elaborated(train: &str, prepare: Preparation) -> Experiment {
    let Preparation { conversions, one_hot, mixed } = prepare;
    let image = FieldKind::Image(ImageField { conversions, ..ImageField::default() });
    let class = FieldKind::Class(ClassField { count: Some(6), one_hot });
    let fields = vec![
        Field { kind: image, ..Field::image("image", &[1, 2, 3]) },
        Field { kind: class, ..Field::class("label", None) },
    ];
    let schema = Schema { mixed, ..Schema::of(fields) };
    let request = ElaborateOptions {
        schemas: vec![("photos".into(), schema)],
        ..ElaborateOptions::default()
    };
    let text = format!("{IMAGES}train pixels on photos {{ {train} }}\n");
    with(&text, &request).unwrap_or_else(|errors| panic!("{}", list(&text, &errors)))
}

/// Output and loss of two samples.
fn outcome(found: &Experiment, more: &[(&str, Tensor)]) -> (Vec<f32>, f32) {
    let images = vec![0, 51, 255, 255, 102, 0, 10, 20, 30, 40, 50, 60];
    let mut env = Env::initial(&found.train, 0)
        .with("image", Tensor::new([2, 1, 2, 3], Data::U8(images)))
        .with("label", Tensor::new([2], Data::I32(vec![1, 2])));
    for (name, value) in more {
        env = env.with(name, value.clone());
    }
    let outcome = run(&found.train, 2, &env).expect("the graph runs");
    let f32s = |name: &str| outcome.outputs[name].as_f32().to_vec();
    (f32s("output"), f32s("loss")[0])
}

fn assert_close(found: &[f32], wanted: &[f32]) {
    let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
    assert!(found.iter().zip(wanted).all(near), "{found:?}, not {wanted:?}");
}

#[test]
fn bytes_are_normalized_by_channel() {
    let conversions =
        vec![Conversion::Normalize { mean: vec![0.0, 0.2, 0.5], std: vec![1.0, 0.5, 0.25] }];
    let prepare = Preparation { conversions, ..Preparation::default() };
    let (output, loss) = outcome(&elaborated("loss = chosen", prepare), &[]);
    assert_close(&output[..6], &[0.0, 0.0, 2.0, 1.0, 0.4, -2.0]);
    assert_close(&[loss], &[(output[1] + output[8]) / 2.0]);
}

#[test]
fn equal_channels_are_one_product_and_one_sum() {
    let conversions = vec![
        Conversion::Rescale { scale: 0.1, offset: 0.0 },
        Conversion::Normalize { mean: vec![1.0], std: vec![2.0, 2.0, 2.0] },
    ];
    let prepare = Preparation { conversions, ..Preparation::default() };
    let found = elaborated("loss = chosen", prepare);
    assert!(found.train.nodes.values().all(|node| !matches!(node.op, Op::Concat(_))));
    assert_close(&outcome(&found, &[]).0[..3], &[-0.5, 2.05, 12.25]);
}

#[test]
fn targets_become_vectors_of_classes() {
    let prepare = Preparation { one_hot: true, ..Preparation::default() };
    let (_, loss) = outcome(&elaborated("loss = weighed", prepare), &[]);
    assert_close(&[loss], &[(51.0 + 30.0) / 255.0 / 2.0]);
}

#[test]
fn losses_of_mixtures_are_mixed_sample_by_sample_while_training() {
    for (train, one_hot) in [("loss = chosen", false), ("loss = weighed", true)] {
        let prepare = Preparation { mixed: true, one_hot, ..Preparation::default() };
        let found = elaborated(train, prepare);
        let second = Tensor::new([2], Data::I32(vec![3, 5]));
        let mix = Tensor::new([2], Data::F32(vec![0.25, 1.0]));
        let (_, loss) = outcome(&found, &[("label_2", second), ("mix", mix)]);
        let first = 0.25 * 51.0 + 0.75 * 255.0;
        assert_close(&[loss], &[(first + 30.0) / 255.0 / 2.0]);
        assert_eq!(found.eval.inputs.len(), 2, "nothing is mixed to judge by");
    }
}
