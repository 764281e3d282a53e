//! Attention, positions, and labels that do not count: what they mean, in every engine.
//!
//! PyTorch's numbers of the same layers are in `tests/torch.rs`.

mod support;

use std::process::Command;

use nnc::base::rng::Sequence;
use nnc::base::tensor::Tensor;
use nnc::runtime::weights;
use serde_json::Value;
use support::compare::assert_close;
use support::engines::{Engine, Job, Left, Tensors};
use support::pipeline::{experiment, training_with_gradients};

/// Makes one step; parameters begin alike in all programs where their paths are the same.
fn run(engine: Engine, text: &str, inputs: &[(&str, Tensor)]) -> Left {
    let graph = training_with_gradients(&experiment(text, Vec::new()));
    let batch = inputs[0].1.shape[0];
    let inputs: Tensors =
        inputs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let given = Tensors::new();
    engine.run(&Job { graph, batch, seed: 3, given, inputs: Box::new(move |_| inputs.clone()) }, 1)
}

/// Random numbers of this shape, up to `most` in size.
fn numbers(seed: u64, shape: &[usize], most: f32) -> Tensor {
    let mut random = Sequence::new(29, seed);
    let count = shape.iter().product();
    Tensor::f32(
        shape.to_vec(),
        (0..count).map(|_| ((2.0 * random.unit() - 1.0) as f32) * most).collect(),
    )
}

/// A model of sequences of eight numbers with this body, and the mean of squares as its loss.
fn program(length: usize, body: &str) -> String {
    format!(
        "model net(x: f32[N, {length}, 8]) -> f32[N, {length}, 8] {{\n{body}\n}}\n\
         train net {{\n    loss = mse\n    optimizer = sgd\n}}\n"
    )
}

/// The output of a model of this body, with the targets all 0.
fn output(engine: Engine, body: &str, x: &Tensor) -> Vec<f32> {
    let zeros = Tensor::f32(x.shape.clone(), vec![0.0; x.shape.iter().product()]);
    let left = run(engine, &program(x.shape[1], body), &[("x", x.clone()), ("label", zeros)]);
    left.outputs["output"].clone()
}

#[test]
fn derivatives_and_engines_agree_on_every_layer_of_sequences() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("net.nn");
    let text = "model net(x: f32[N, 5, 8], memory: f32[N, 4, 6]) -> f32[N, 5, 3] {
    let seen = x[:, :, 0] > -0.5
    let gated = x |> dense(16) |> glu |> dense(16) |> swiglu |> prelu |> prelu(channels: true)
    let mixed = gated |> positions |> sinusoidal_positions |> rotary
        |> attention(2, causal: true, mask: seen)
        |> cross_attention(memory, 4, bias: false)
    mixed + mean(mixed, axis: 1, keep: true, where: reshape(seen, [N, 5, 1])) |> dense(3)
}
train net {
    loss      = cross_entropy(ignore: 2, smoothing: 0.1)
    metrics   = [position_accuracy, perplexity]
}
";
    std::fs::write(&file, text).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_nnc")).arg("verify").arg(&file).output();
    let output = output.expect("nnc runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let problems = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}{problems}");
    assert!(said.contains("gradients") && said.contains("all checks passed"), "{said}");
}

/// A step's value may be one from before the scan, a parameter's even: in every step it is the same.
#[test]
fn a_scan_may_give_what_no_step_changes() {
    let body = "    (x |> given(last: 0)) + (x |> given(last: 4))";
    let text = format!(
        "layer given(x: f32[N, T, C], last: int) -> f32[N, T, C] {{
    param rate: f32[C] = constant(0.5)
    let first = rate * x[:, last, :]
    scan step in x, axis: 1 {{
        first
    }}
}}

{}",
        program(5, body)
    );
    let x = numbers(5, &[3, 5, 8], 1.0);
    let zeros = Tensor::f32(vec![3, 5, 8], vec![0.0; 120]);
    let inputs = [("x", x), ("label", zeros)];
    let wanted = run(Engine::Graph, &text, &inputs);
    assert!(wanted.kept["given.rate"].iter().all(|&rate| rate != 0.5), "{wanted:?}");
    for engine in Engine::all() {
        let left = run(engine, &text, &inputs);
        for (name, values) in wanted.outputs.iter().chain(&wanted.kept) {
            let got = left.outputs.get(name).unwrap_or_else(|| &left.kept[name]);
            assert_close(got, values, &format!("{name}, {}", engine.name()));
        }
    }
}

/// What comes later changes nothing before it, not a bit; large scores are no NaN.
#[test]
fn a_causal_position_sees_itself_and_those_before_it() {
    let body = "x |> attention(2, causal: true)";
    for engine in Engine::all() {
        for most in [1.0, 1e4] {
            let x = numbers(1, &[2, 7, 8], most);
            let mut changed = x.as_f32().to_vec();
            changed[5 * 8..7 * 8].fill(most);
            let changed = Tensor::f32(x.shape.clone(), changed);
            let (all, other) = (output(engine, body, &x), output(engine, body, &changed));
            assert_eq!(all[..5 * 8], other[..5 * 8], "{} of {most}", engine.name());
            assert_ne!(all[5 * 8..7 * 8], other[5 * 8..7 * 8], "{}", engine.name());
            assert!(all.iter().all(|value| value.is_finite()), "{} of {most}", engine.name());
        }
    }
}

#[test]
fn masked_positions_are_as_if_they_were_not_there() {
    let (x, short) = (numbers(2, &[2, 7, 8], 1.0), 4);
    let cut = x.as_f32().chunks(7 * 8).flat_map(|sample| &sample[..short * 8]).copied();
    let cut = Tensor::f32([2, short, 8], cut.collect());
    let masked = "x |> attention(2, mask: iota([N, 7], axis: 1) < 4)";
    for engine in Engine::all() {
        let (all, alone) = (output(engine, masked, &x), output(engine, "x |> attention(2)", &cut));
        let kept: Vec<f32> = all.chunks(7 * 8).flat_map(|it| &it[..short * 8]).copied().collect();
        assert_close(&kept, &alone, &engine.name());
    }
}

#[test]
fn a_query_that_sees_nothing_has_no_nan() {
    let x = numbers(3, &[2, 5, 8], 1.0);
    let zeros = Tensor::f32([2, 5, 8], vec![0.0; 80]);
    let text = program(5, "x |> attention(2, mask: iota([N, 5], axis: 1) < 0)");
    for engine in Engine::all() {
        let left = run(engine, &text, &[("x", x.clone()), ("label", zeros.clone())]);
        for (name, values) in &left.outputs {
            assert!(values.iter().all(|it| it.is_finite()), "{}: {name}", engine.name());
        }
        // Each gets the mean of all values, so that all positions are alike.
        let rows: Vec<&[f32]> = left.outputs["output"][..40].chunks(8).collect();
        rows.iter().for_each(|row| assert_close(row, rows[0], &engine.name()));
    }
}

#[test]
fn sinusoids_are_those_of_the_formula() {
    let zeros = Tensor::f32([1, 50, 8], vec![0.0; 400]);
    for engine in Engine::all() {
        let found = output(engine, "x |> sinusoidal_positions", &zeros);
        let want = (0..400).map(|at| {
            let (t, i) = (at / 8, at % 8 / 2);
            let angle = t as f64 / 10000f64.powf(i as f64 / 4.0);
            (if at % 2 == 0 { angle.sin() } else { angle.cos() }) as f32
        });
        assert_close(&found, &want.collect::<Vec<f32>>(), &engine.name());
    }
}

/// The product of two turned rows depends on how far apart they are, and position 0 is not turned.
#[test]
fn rotary_positions_are_relative() {
    let row = numbers(4, &[8], 1.0);
    let repeated: Vec<f32> = (0..12).flat_map(|_| row.as_f32().to_vec()).collect();
    let x = Tensor::f32([1, 12, 8], repeated);
    for engine in Engine::all() {
        let found = output(engine, "x |> rotary", &x);
        let rows: Vec<&[f32]> = found.chunks(8).collect();
        let product =
            |a: usize, b: usize| -> f32 { rows[a].iter().zip(rows[b]).map(|(a, b)| a * b).sum() };
        assert_close(rows[0], row.as_f32(), &engine.name());
        for apart in 0..5 {
            for t in 0..12 - apart {
                let (here, first) = (product(t, t + apart), product(0, apart));
                assert!((here - first).abs() < 1e-5, "{}: {here} {first}", engine.name());
            }
        }
        assert!((product(0, 3) - product(0, 0)).abs() > 1e-3, "{}", engine.name());
        // The first pair turns by one radian a position.
        let (sin, cos) = 1f64.sin_cos();
        let [a, b] = [row.as_f32()[0], row.as_f32()[1]].map(f64::from);
        let turned = [(a * cos - b * sin) as f32, (a * sin + b * cos) as f32];
        assert_close(&rows[1][..2], &turned, &engine.name());
    }
}

const CLASSES: &str = "model net(x: f32[N, 4, 3]) -> f32[N, 4, 3] { x }\n";

/// The metrics that a loss hands its `ignore` on to.
fn ignoring(ignore: i64) -> String {
    format!(
        "{CLASSES}train net {{\n    loss = cross_entropy(ignore: {ignore})\n    optimizer = sgd\n    \
         metrics = [position_accuracy, perplexity, iou, position_accuracy(ignore: none)]\n}}\n"
    )
}

#[test]
fn where_no_label_counts_all_is_0() {
    let x = numbers(5, &[2, 4, 3], 3.0);
    for engine in Engine::all() {
        for ignore in [-1, 1, 255] {
            let labels = Tensor::i32([2, 4], vec![ignore as i32; 8]);
            let left = run(engine, &ignoring(ignore), &[("x", x.clone()), ("label", labels)]);
            assert_eq!(left.outputs["loss"], [0.0], "{}", engine.name());
            assert_eq!(left.outputs["loss_weight"], [0.0], "{}", engine.name());
            assert_eq!(left.outputs["grad.input.x"], [0.0; 24], "{}", engine.name());
            assert_eq!(left.outputs["metric.position_accuracy"], [0.0, 0.0]);
        }
    }
}

#[test]
fn metrics_leave_out_what_the_loss_leaves_out() {
    let x = numbers(6, &[2, 4, 3], 3.0);
    let labels = vec![0, -1, 2, 1, -1, -1, 1, 0];
    let kept: Vec<(&[f32], usize)> = x
        .as_f32()
        .chunks(3)
        .zip(&labels)
        .filter_map(|(row, &label)| Some((row, usize::try_from(label).ok()?)))
        .collect();
    let largest =
        |row: &[f32]| (0..3).fold(0, |best, at| if row[at] > row[best] { at } else { best });
    let entropy = |(row, label): &(&[f32], usize)| {
        let total: f64 = row.iter().map(|&it| f64::from(it).exp()).sum();
        total.ln() - f64::from(row[*label])
    };
    let entropies: f64 = kept.iter().map(entropy).sum();
    let right = kept.iter().filter(|(row, label)| largest(row) == *label).count() as f32;
    // Whether a position is found in class 1, and whether it is of it.
    let ones = || kept.iter().map(|(row, label)| (largest(row) == 1, *label == 1));
    let hits = ones().filter(|(found, is)| *found && *is).count() as f32;
    let either = ones().filter(|(found, is)| *found || *is).count() as f32;
    let count = kept.len() as f32;
    for engine in Engine::all() {
        let given = Tensor::i32([2, 4], labels.clone());
        let left = run(engine, &ignoring(-1), &[("x", x.clone()), ("label", given)]);
        let found = |name: &str| left.outputs[name].clone();
        let what = engine.name();
        assert_close(&found("loss"), &[(entropies / f64::from(count)) as f32], &what);
        assert_eq!(found("loss_weight"), [count], "{what}");
        assert_eq!(found("metric.position_accuracy"), [right, count], "{what}");
        // Means over two samples, of which the epoch makes the quotient.
        let perplexity = [(entropies / 2.0) as f32, count / 2.0];
        assert_close(&found("metric.perplexity"), &perplexity, &what);
        assert_eq!(found("metric.iou"), [hits, either], "{what}");
        assert_close(&found("metric.position_accuracy_2"), &[right / 8.0], &what);
    }
}

/// A run on arrays in a folder of its own: its events, and what `eval` says of its training samples.
fn trained(labels: Vec<i32>) -> (Vec<Value>, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let nnc = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
        let output = command.args(args).current_dir(folder.path()).output().expect("nnc runs");
        let problems = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {problems}");
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>()
    };
    let samples = labels.len() / 4;
    let arrays = [
        ("x".to_owned(), numbers(7, &[samples, 4, 3], 2.0)),
        ("label".to_owned(), Tensor::i32([samples, 4], labels)),
    ];
    weights::save(&folder.path().join("data.safetensors"), &arrays).expect("a file");
    let text = "data given = arrays(\"data.safetensors\", target: label)

model net(x: f32[N, 4, 3]) -> f32[N, 4, 3] {
    x |> dense(3)
}

train net on given {
    loss    = cross_entropy(ignore: -1)
    metrics = [position_accuracy]
    epochs  = 2
    batch   = 5
}
";
    std::fs::write(folder.path().join("net.nn"), text).expect("a file");
    let events = nnc(&["run", "net.nn", "--json"]);
    let mut said = nnc(&["eval", "runs/net", "--split", "train", "--json"]);
    (events, said.remove(0))
}

#[test]
fn a_run_and_its_evaluation_leave_ignored_labels_out() {
    let labels = (0..80).map(|at| if at % 3 == 0 { -1 } else { at % 3 });
    let (events, evaluated) = trained(labels.collect());
    let epoch = events.iter().rfind(|event| event["event"] == "epoch").expect("an epoch");
    assert!(epoch["train_loss"].as_f64().is_some_and(|loss| loss > 0.1), "{epoch}");
    assert_eq!(evaluated["of"], 53, "{evaluated}");

    let (events, evaluated) = trained(vec![-1; 40]);
    let losses = events.iter().filter_map(|event| event["train_loss"].as_f64());
    assert_eq!(losses.collect::<Vec<_>>(), [0.0, 0.0]);
    let told = events.iter().filter(|event| event.to_string().contains("no label"));
    assert_eq!(told.count(), 1, "{events:?}");
    assert_eq!(evaluated["loss"], 0.0, "{evaluated}");
}
