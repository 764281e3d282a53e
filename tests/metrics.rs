//! The metrics of the prelude and smoothed labels, in every engine, while training and outside it,
//! against plain Rust; a metric without a formula fails.

mod support;

use nnc::base::rng::Sequence;
use nnc::base::tensor::{Data, Tensor};
use nnc::elaborate::OverSplit;
use support::compare::assert_close;
use support::engines::{Engine, Job, Tensors};
use support::pipeline::{experiment, training};

const SAMPLES: usize = 23;
const CLASSES: usize = 6;

/// A sample's outputs and its label.
type Sample = (Vec<f64>, usize);

/// What a metric is over samples: a mean, or two sums.
type Formula = fn(&[Sample]) -> Vec<f64>;

fn mean(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> f64 {
    samples.iter().map(value).sum::<f64>() / samples.len() as f64
}

fn count(samples: &[Sample], counts: impl Fn(&Sample) -> bool) -> f64 {
    samples.iter().filter(|sample| counts(sample)).count() as f64
}

/// The first of the largest.
fn predicted(outputs: &[f64]) -> usize {
    let mut best = 0;
    for (class, &output) in outputs.iter().enumerate() {
        if output > outputs[best] {
            best = class;
        }
    }
    best
}

/// Whether the label is one of the `k` classes that are predicted one after the other.
fn among(sample: &Sample, k: usize) -> f64 {
    let mut outputs = sample.0.clone();
    for _ in 0..k {
        let first = predicted(&outputs);
        if first == sample.1 {
            return 1.0;
        }
        outputs[first] = f64::NEG_INFINITY;
    }
    0.0
}

/// Hits, predictions and samples of a class.
fn hits(samples: &[Sample], class: usize) -> [f64; 3] {
    [
        count(samples, |(x, label)| predicted(x) == class && *label == class),
        count(samples, |(x, _)| predicted(x) == class),
        count(samples, |(_, label)| *label == class),
    ]
}

/// What the file says and the same by hand.
const METRICS: &[(&str, Formula)] = &[
    ("accuracy", |all| vec![mean(all, |(x, label)| f64::from(u8::from(predicted(x) == *label)))]),
    ("top_k(k: 1)", |all| vec![mean(all, |sample| among(sample, 1))]),
    ("top_k(k: 3)", |all| vec![mean(all, |sample| among(sample, 3))]),
    ("top_k", |all| vec![mean(all, |sample| among(sample, 5))]),
    ("precision", |all| {
        let [hit, said, _] = hits(all, 1);
        vec![hit, said]
    }),
    ("recall(positive: 2)", |all| {
        let [hit, _, real] = hits(all, 2);
        vec![hit, real]
    }),
    // The harmonic mean of hit/said and hit/real is 2·hit / (said + real).
    ("f1", |all| {
        let [hit, said, real] = hits(all, 1);
        vec![2.0 * hit, said + real]
    }),
    ("perplexity", |all| vec![mean(all, cross_entropy)]),
    ("position_accuracy", |all| {
        vec![mean(all, |(x, label)| f64::from(u8::from(predicted(x) == *label)))]
    }),
    // Of classes, each one's score against the rest; `over roc_auc` makes the value of all rows.
    ("auc", |all| {
        let row = |(x, label): &Sample| {
            let scores = (0..CLASSES).map(|class| -cross_entropy(&(x.clone(), class)));
            let is_so = (0..CLASSES).map(|class| f64::from(u8::from(class == *label)));
            scores.chain(is_so).collect::<Vec<f64>>()
        };
        all.iter().flat_map(row).collect()
    }),
    ("iou(positive: 2)", |all| overlap(all, 2).to_vec()),
    ("dice", |all| {
        let [hit, said, real] = hits(all, 1);
        vec![2.0 * hit, said + real]
    }),
];

/// The share of what is told and real as class `positive` in what is either, as its two sums.
fn overlap(all: &[Sample], positive: usize) -> [f64; 2] {
    let [hit, said, real] = hits(all, positive);
    [hit, said + real - hit]
}

/// `-log softmax(x)[label]`.
fn cross_entropy((x, label): &Sample) -> f64 {
    x.iter().map(|x| x.exp()).sum::<f64>().ln() - x[*label]
}

/// A formula of outputs and targets, a row a sample.
type NumbersFormula = fn(&[Vec<f64>], &[Vec<f64>]) -> Vec<f64>;

/// The mean over all numbers of a function of output and target.
fn mean_of(outputs: &[Vec<f64>], targets: &[Vec<f64>], of: fn(f64, f64) -> f64) -> f64 {
    let pairs = outputs.iter().flatten().zip(targets.iter().flatten());
    pairs.map(|(&x, &t)| of(x, t)).sum::<f64>() / (SAMPLES * CLASSES) as f64
}

/// The mean over the samples of a function of each label's output and target, label by label.
fn by_label(outputs: &[Vec<f64>], targets: &[Vec<f64>], of: fn(bool, bool) -> f64) -> Vec<f64> {
    let label = |label: usize| {
        let pairs = outputs.iter().zip(targets);
        let each = pairs.map(|(x, t)| of(x[label] > 0.0, t[label] > 0.5));
        each.sum::<f64>() / SAMPLES as f64
    };
    (0..CLASSES).map(label).collect()
}

/// Metrics of numbers: what a step gives, the means of which `over` makes the value.
const NUMBERS: &[(&str, NumbersFormula)] = &[
    ("mae", |x, t| vec![mean_of(x, t, |x, t| (x - t).abs())]),
    ("mse", |x, t| vec![mean_of(x, t, |x, t| (x - t).powi(2))]),
    ("rmse", |x, t| vec![mean_of(x, t, |x, t| (x - t).powi(2))]),
    // `over r_squared` makes the value of all rows.
    ("r2", |x, t| x.iter().zip(t).flat_map(|(x, t)| [&x[..], &t[..]].concat()).collect()),
    ("label_accuracy", |x, t| {
        vec![mean_of(x, t, |x, t| f64::from(u8::from((x > 0.0) == (t > 0.5))))]
    }),
    ("label_f1", |x, t| {
        let both = by_label(x, t, |said, real| 2.0 * f64::from(u8::from(said && real)));
        let either = by_label(x, t, |said, real| f64::from(u8::from(said) + u8::from(real)));
        [both, either].concat()
    }),
    ("auc", |x, t| x.iter().zip(t).flat_map(|(x, t)| [&x[..], &t[..]].concat()).collect()),
];

/// PyTorch's `CrossEntropyLoss(label_smoothing=0.1)`: the target is 0.9 at the label and 0.1 spread
/// over all classes.
fn smoothed((x, label): &Sample) -> f64 {
    let total: f64 = x.iter().map(|x| x.exp()).sum();
    let of_class = |(class, x): (usize, &f64)| {
        let target = 0.1 / CLASSES as f64 + if class == *label { 0.9 } else { 0.0 };
        -target * (x - total.ln())
    };
    x.iter().enumerate().map(of_class).sum()
}

/// Outputs in steps of a quarter, so that some are equal.
fn samples() -> Vec<Sample> {
    let mut sequence = Sequence::new(5, 1);
    let mut below = |bound: u32| (sequence.unit() * f64::from(bound)) as u32;
    let sample = |_| {
        let outputs = (0..CLASSES).map(|_| f64::from(below(12)) * 0.25 - 1.5).collect();
        (outputs, below(CLASSES as u32) as usize)
    };
    (0..SAMPLES).map(sample).collect()
}

fn inputs(samples: &[Sample]) -> Tensors {
    let x = samples.iter().flat_map(|(x, _)| x).map(|&x| x as f32).collect();
    let labels = samples.iter().map(|&(_, label)| label as i32).collect();
    Tensors::from([
        ("x".to_string(), Tensor::f32([SAMPLES, CLASSES], x)),
        ("label".to_string(), Tensor::new([SAMPLES], Data::I32(labels))),
    ])
}

#[test]
fn metrics_and_the_smoothed_loss_follow_their_formulas() {
    let samples = samples();
    for &(metric, formula) in METRICS {
        // The parameter is 0 and stays so: there must be one to train.
        let text = format!(
            "layer itself(x: f32[N, K]) -> f32[N, K] {{\n    param shift: f32[K] = zeros\n    \
             x + shift\n}}\n\
             model net(x: f32[N, {CLASSES}]) -> f32[N, {CLASSES}] {{ itself(x) }}\n\
             train net {{\n    loss = cross_entropy(smoothing: 0.1)\n    metrics = [{metric}]\n    \
             optimizer = sgd(lr: 0.0)\n}}\n"
        );
        let experiment = experiment(&text, Vec::new());
        let name = format!("metric.{}", metric.split('(').next().expect("a name"));
        let wanted: Vec<f32> = formula(&samples).into_iter().map(|value| value as f32).collect();
        let loss = mean(&samples, smoothed) as f32;
        for graph in [training(&experiment), experiment.eval.clone()] {
            let given = inputs(&samples);
            let inputs = Box::new(move |_| given.clone());
            let job = Job { graph, batch: SAMPLES, seed: 0, given: Tensors::new(), inputs };
            for engine in Engine::all() {
                let left = engine.run(&job, 1);
                let what = format!("{metric}, {}", engine.name());
                assert_close(&left.outputs[&name], &wanted, &what);
                assert_close(&left.outputs["loss"], &[loss], &format!("{what}: loss"));
            }
        }
    }
}

#[test]
fn metrics_of_numbers_follow_their_formulas() {
    let outputs: Vec<Vec<f64>> = samples().into_iter().map(|(x, _)| x).collect();
    let mut sequence = Sequence::new(6, 1);
    let target = |_| (0..CLASSES).map(|_| f64::from(u8::from(sequence.unit() > 0.6))).collect();
    let targets: Vec<Vec<f64>> = (0..SAMPLES).map(target).collect();
    let tensor = |rows: &[Vec<f64>]| {
        Tensor::f32([SAMPLES, CLASSES], rows.iter().flatten().map(|&x| x as f32).collect())
    };
    let given = Tensors::from([
        ("x".to_string(), tensor(&outputs)),
        ("label".to_string(), tensor(&targets)),
    ]);
    for &(metric, formula) in NUMBERS {
        let text = format!(
            "layer itself(x: f32[N, K]) -> f32[N, K] {{\n    param shift: f32[K] = zeros\n    \
             x + shift\n}}\n\
             model net(x: f32[N, {CLASSES}]) -> f32[N, {CLASSES}] {{ itself(x) }}\n\
             train net {{\n    loss = mse\n    metrics = [{metric}]\n    optimizer = sgd(lr: 0.0)\n}}\n"
        );
        let graph = experiment(&text, Vec::new()).eval;
        let wanted = formula(&outputs, &targets).into_iter().map(|it| it as f32);
        let wanted: Vec<f32> = wanted.collect();
        let given = given.clone();
        let inputs = Box::new(move |_| given.clone());
        let job = Job { graph, batch: SAMPLES, seed: 0, given: Tensors::new(), inputs };
        for engine in Engine::all() {
            let left = engine.run(&job, 1);
            let what = format!("{metric}, {}", engine.name());
            assert_close(&left.outputs[&format!("metric.{metric}")], &wanted, &what);
        }
    }
}

/// Numbers below 2¹⁶ that any language makes the same of.
fn congruential(count: usize, mut state: u32) -> Vec<u32> {
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    };
    (0..count).map(next).collect()
}

/// The value of `auc` of these outputs against these targets, over batches of `batch` samples.
fn auc(outputs: &[f32], targets: Data, samples: usize, batch: usize) -> f64 {
    let classes = outputs.len() / samples;
    let (loss, of) = match targets {
        Data::I32(_) => ("cross_entropy", vec![samples]),
        _ => ("binary_cross_entropy", vec![samples, classes]),
    };
    let text = format!(
        "layer itself(x: f32[N, K]) -> f32[N, K] {{\n    param shift: f32[K] = zeros\n    x + \
         shift\n}}\nmodel net(x: f32[N, {classes}]) -> f32[N, {classes}] {{ itself(x) }}\ntrain \
         net {{\n    loss = {loss}\n    metrics = [auc]\n}}\n"
    );
    let experiment = experiment(&text, Vec::new());
    let (x, target) = (Tensor::f32([samples, classes], outputs.to_vec()), Tensor::new(of, targets));
    let mut rows = Vec::new();
    for first in (0..samples).step_by(batch) {
        let part = |tensor: &Tensor| rows_of(tensor, samples, first, batch);
        let given = Tensors::from([("x".into(), part(&x)), ("label".into(), part(&target))]);
        let inputs = Box::new(move |_| given.clone());
        let graph = experiment.eval.clone();
        let job = Job { graph, batch, seed: 0, given: Tensors::new(), inputs };
        let left = Engine::Graph.run(&job, 1);
        rows.extend_from_slice(&left.outputs["metric.auc"]);
    }
    let overs = &experiment.training.expect("a training").overs;
    match overs[..] {
        [(_, OverSplit::Rows { statistic, width })] => statistic.value(&rows, width).value,
        ref other => panic!("{other:?}"),
    }
}

/// Some samples of a tensor of `samples`.
fn rows_of(tensor: &Tensor, samples: usize, first: usize, count: usize) -> Tensor {
    let mut shape = tensor.shape.to_vec();
    let width = shape.iter().product::<usize>() / samples;
    shape[0] = count;
    let range = first * width..(first + count) * width;
    let data = match &tensor.data {
        Data::F32(values) => Data::F32(values[range].to_vec()),
        Data::I32(values) => Data::I32(values[range].to_vec()),
        other => panic!("{other:?}"),
    };
    Tensor::new(shape, data)
}

/// The numbers are those of `sklearn.metrics.roc_auc_score` (scikit-learn 1.9.1) of the same scores,
/// many of them equal, in `f32`; of classes, of their softmax with `multi_class="ovr"`.
#[test]
fn areas_under_curves_are_those_of_scikit_learn() {
    const SAMPLES: usize = 200;
    let raw = congruential(4 * SAMPLES, 7);
    let noise = congruential(3 * SAMPLES, 11);
    let (mut scores, mut answers, mut classes) = (Vec::new(), Vec::new(), Vec::new());
    for (raw, noise) in raw.chunks(4).zip(noise.chunks(3)) {
        scores.extend(raw[..3].iter().map(|raw| (raw % 41) as f32 / 8.0 - 2.5));
        let is_so = |(raw, noise): (&u32, &u32)| f32::from(u8::from(raw % 41 + noise % 60 > 55));
        answers.extend(raw[..3].iter().zip(noise).map(is_so));
        classes.push((raw[3] % 3) as i32);
    }
    // No two of these are so near that rounding ties them.
    let mut logits: Vec<f32> = raw
        .chunks(4)
        .flat_map(|raw| [raw[0], raw[1], raw[2]])
        .map(|raw| raw as f32 / 8192.0)
        .collect();
    logits.chunks_mut(3).zip(&classes).for_each(|(row, &class)| row[class as usize] += 0.75);
    let first_two: Vec<f32> = logits.chunks(3).flat_map(|row| [row[0], row[1]]).collect();
    let two: Vec<i32> = classes.iter().map(|&class| class.min(1)).collect();
    for batch in [200, 40] {
        let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-12, "{found}");
        near(auc(&scores, Data::F32(answers.clone()), SAMPLES, batch), 0.7380310760941331);
        near(auc(&logits, Data::I32(classes.clone()), SAMPLES, batch), 0.580969949078352);
        near(auc(&first_two, Data::I32(two.clone()), SAMPLES, batch), 0.5838509316770186);
    }
}

#[test]
fn no_metric_of_the_prelude_is_forgotten() {
    let items = nnc::elaborate::PRELUDE.lines().filter_map(|line| line.strip_prefix("metric "));
    let names: Vec<&str> = items.filter_map(|line| line.split('(').next()).collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let calls =
            METRICS.iter().map(|(call, _)| *call).chain(NUMBERS.iter().map(|(call, _)| *call));
        let tested = calls.into_iter().any(|call| call.split('(').next() == Some(name));
        assert!(tested, "`{name}` has no formula here");
    }
}
