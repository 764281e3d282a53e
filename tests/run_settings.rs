//! The settings of a run, each against what it says: several batches an update, running means, what
//! is frozen, where parameters begin, what classes weigh, when a run stops, what becomes of numbers
//! that are not finite.

#[path = "run_settings/rate.rs"]
mod rate;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use nnc::base::step_output::StepOutput;
use nnc::base::tensor::Tensor;
use nnc::data::SplitPass;
use nnc::driver::{Failure, Request, Session};
use nnc::run;
use nnc::run::{BuiltRun, Overrides};
use nnc::runtime::pool::Pool;
use nnc::runtime::trainer::{
    Callback, Decision, EpochRecord, Event, TrainError, Trainer, TrainingOutcome,
};
use nnc::runtime::weights;

/// A program in a folder of its own.
struct Case {
    folder: tempfile::TempDir,
}

const NET: &str = "model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> flatten |> dense(16) |> tanh |> dense(10)
}
";

impl Case {
    /// The usual net on drawn digits, with these settings.
    fn new(data: &str, settings: &str) -> Case {
        Case::of(&format!(
            "data drawn = digits({data})\n\n{NET}\ntrain net on drawn {{\n    loss = cross_entropy\n    \
             metrics = [accuracy]\n{settings}\n}}\n"
        ))
    }

    fn of(text: &str) -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("main.nn"), text).expect("a file");
        Case { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn prepare(&self, overrides: Overrides) -> Result<BuiltRun, Failure> {
        let request = request(&self.path("main.nn"));
        run::run(&mut Session::new(None), &request, &overrides, &|_, _| true)
    }

    fn train(&self) -> Trained {
        self.train_with(Seen::default())
    }

    fn train_with(&self, seen: Seen) -> Trained {
        let run =
            self.prepare(Overrides::default()).unwrap_or_else(|failure| panic!("{failure:?}"));
        train(&run, seen)
    }
}

fn request(file: &Path) -> Request {
    Request::new(file)
}

/// Every parameter and state, after each step.
#[derive(Default)]
struct Seen {
    records: Vec<EpochRecord>,
    decisions: Vec<Decision>,
    skipped: Vec<(usize, f64)>,
    states: Vec<Vec<(String, Tensor)>>,
    names: Vec<String>,
    /// Whether the rate is to be halved after the next step.
    halves: bool,
    halved: Vec<(usize, f64)>,
}

impl Callback for Seen {
    fn on_event(&mut self, event: Event<'_>) {
        match event {
            Event::EpochEnded { record, decision, .. } => {
                self.records.push(record.clone());
                self.decisions.push(decision);
            }
            Event::Skipped { step, lr_scale, .. } => self.skipped.push((step, lr_scale)),
            Event::RateHalved { step, lr_scale, .. } => self.halved.push((step, lr_scale)),
            Event::EpochStarted { .. }
            | Event::Stepped { .. }
            | Event::ThreadsChanged(_)
            | Event::Notice(_) => {}
        }
    }

    fn on_step_end(&mut self, trainer: &Trainer<'_>, epoch_over: Option<Decision>) {
        if epoch_over.is_none() {
            let value = |name: &String| (name.clone(), trainer.read(name));
            self.states.push(self.names.iter().map(value).collect());
        }
    }

    fn halves_rate(&mut self) -> bool {
        std::mem::take(&mut self.halves)
    }
}

struct Trained {
    seen: Seen,
    first: Vec<(String, Tensor)>,
    last: Vec<(String, Tensor)>,
    outcome: Result<TrainingOutcome, TrainError>,
}

impl Trained {
    fn last(&self, name: &str) -> &Tensor {
        &self.last.iter().find(|(known, _)| known == name).expect("a parameter").1
    }

    fn first(&self, name: &str) -> &Tensor {
        &self.first.iter().find(|(known, _)| known == name).expect("a parameter").1
    }
}

fn train(run: &BuiltRun, seen: Seen) -> Trained {
    let names: Vec<String> = run.variables().map(|(name, _)| name.to_owned()).collect();
    let first = run.variables().map(|(name, value)| (name.to_owned(), value.clone())).collect();
    let mut pool = Pool::new(2);
    let mut trainer = run.trainer(&mut pool);
    let mut seen = Seen { names: names.clone(), ..seen };
    let outcome = trainer.train(&mut seen, &AtomicBool::new(false));
    let last = names.iter().map(|name| (name.clone(), trainer.read(name))).collect();
    Trained { seen, first, last, outcome }
}

#[track_caller]
fn close(a: &Tensor, b: &Tensor, tolerance: f32) {
    let pairs = a.as_f32().iter().zip(b.as_f32());
    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "{worst} is more than {tolerance}");
}

const PARAMETERS: [&str; 4] = ["dense.weight", "dense.bias", "dense_2.weight", "dense_2.bias"];

#[test]
fn several_batches_make_the_update_of_a_large_one() {
    // 100 samples: three updates of 32, one of what is left, which is half a batch of 8.
    let rest = "    optimizer = sgd(lr: 0.1, momentum: 0.9)\n    epochs = 2\n    clip_norm = 0.5\n    l2 = 0.01\n";
    let small =
        Case::new("train: 100, test: 10", &format!("{rest}    batch = 8\n    accumulate = 4"));
    let large = Case::new("train: 100, test: 10", &format!("{rest}    batch = 32"));
    let (small, large) = (small.train(), large.train());
    for name in PARAMETERS {
        close(small.last(name), large.last(name), 2e-6);
        assert_ne!(small.last(name).data, small.first(name).data);
    }
    let norms = |trained: &Trained| trained.seen.records[1].grad_norm;
    assert!((norms(&small) - norms(&large)).abs() < 1e-5, "norms are those of updates");
}

#[test]
fn running_means_follow_their_formula() {
    let case = Case::new(
        "train: 200, test: 10",
        "    batch = 10\n    ema = 0.9\n    optimizer = sgd(lr: 0.5)",
    );
    let trained = case.train();
    let value = |state: &Vec<(String, Tensor)>, name: &str| -> Vec<f32> {
        state.iter().find(|(known, _)| known == name).expect("a state").1.as_f32().to_vec()
    };
    let mut mean = value(&trained.first, "dense_2.bias");
    assert_eq!(value(&trained.first, "optimizer.@mean.dense_2.bias"), mean);
    for (step, state) in (1..).zip(&trained.seen.states) {
        let decay = 0.9f64.min(f64::from(step - 1) / f64::from(step + 9));
        for (mean, now) in mean.iter_mut().zip(value(state, "dense_2.bias")) {
            *mean = (decay * f64::from(*mean) + (1.0 - decay) * f64::from(now)) as f32;
        }
        let found = value(state, "optimizer.@mean.dense_2.bias");
        let worst = mean.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-6, "step {step}: {worst}");
        mean = found;
    }
    assert_eq!(trained.seen.states.len(), 20);
}

#[test]
fn evaluation_takes_the_means_and_leaves_the_parameters() {
    let settings = "    batch = 10\n    ema = 0.99\n    epochs = 2\n    optimizer = sgd(lr: 0.5)";
    let case = Case::new("train: 200, test: 10, validation: 0.2", settings);
    let plain = Case::new(
        "train: 200, test: 10, validation: 0.2",
        &settings.replace("    ema = 0.99\n", ""),
    );
    let (with, without) = (case.train(), plain.train());
    for name in PARAMETERS {
        assert_eq!(with.last(name), without.last(name), "means change nothing in training");
    }
    let losses =
        |trained: &Trained| trained.seen.records[1].validation.clone().expect("scores").loss;
    assert_ne!(losses(&with), losses(&without));
}

#[test]
fn what_is_frozen_stays_and_the_rest_learns() {
    let trained = Case::new("train: 100, test: 10", "    freeze = [\"dense.*\"]").train();
    for name in ["dense.weight", "dense.bias"] {
        assert_eq!(trained.last(name).data, trained.first(name).data, "{name}");
    }
    for name in ["dense_2.weight", "dense_2.bias"] {
        assert_ne!(trained.last(name).data, trained.first(name).data, "{name}");
    }
    let states: Vec<&String> = trained.last.iter().map(|(name, _)| name).collect();
    assert!(!states.iter().any(|name| name.as_str() == "optimizer.m.dense.weight"), "{states:?}");
    let all = Case::new("train: 100, test: 10", "    freeze = \"dense*\"");
    let Err(Failure::Program { diagnostics, .. }) = all.prepare(Overrides::default()) else {
        panic!("nothing to train was taken")
    };
    assert!(diagnostics[0].message.contains("leaves no parameter to train"));
}

#[test]
fn parameters_begin_as_a_file_of_pytorchs_says() {
    let weight = |rows: usize, columns: usize| {
        let values = (0..rows * columns).map(|it| it as f32 * 1e-4).collect();
        Tensor::f32([rows, columns], values)
    };
    let tensors = [
        ("encoder.fc1.weight".to_string(), weight(16, 784)),
        ("encoder.fc1.bias".to_string(), Tensor::f32([16], vec![0.5; 16])),
        ("head.weight".to_string(), weight(10, 16)),
    ];
    let settings = "    init_from = weights(\"net.safetensors\", layout: pytorch, partial: true, \
                    rename: [[\"encoder.fc1.*\", \"dense.*\"], [\"head.*\", \"dense_2.*\"]])";
    let case = Case::new("train: 100, test: 10", settings);
    weights::save(&case.path("net.safetensors"), &tensors).unwrap();
    let run = case.prepare(Overrides::default()).unwrap_or_else(|failure| panic!("{failure:?}"));
    let value = |name: &str| run.variables().find(|(known, _)| *known == name).expect("a value").1;
    assert_eq!(value("dense.bias").as_f32(), [0.5; 16]);
    // Row 3 of what PyTorch has is column 3 here.
    let (ours, theirs) = (value("dense.weight").as_f32(), tensors[0].1.as_f32());
    assert!((0..784).all(|row| ours[row * 16 + 3] == theirs[3 * 784 + row]));
    assert_eq!(value("dense_2.weight").as_f32()[10 + 7], tensors[2].1.as_f32()[7 * 16 + 1]);
    assert_eq!(value("dense_2.bias").as_f32(), [0.0; 10], "begins as without a file");

    for (settings, wanted) in [
        ("    init_from = \"net.safetensors\"", "the file has no `dense.weight`"),
        (
            "    init_from = weights(\"net.safetensors\", partial: true, rename: [[\"head.*\", \"dense_2.*\"]])",
            "`dense_2.weight` is f32[10, 16] in the file, but f32[16, 10] in the model",
        ),
        (
            "    init_from = weights(\"net.safetensors\", partial: true)",
            "nothing in the file belongs",
        ),
        ("    init_from = \"missing.safetensors\"", "the file of weights is not there"),
    ] {
        let case = Case::new("train: 100, test: 10", settings);
        weights::save(&case.path("net.safetensors"), &tensors).unwrap();
        let Err(Failure::Program { diagnostics, .. }) = case.prepare(Overrides::default()) else {
            panic!("{settings} was taken")
        };
        assert!(diagnostics[0].message.contains(wanted), "{}", diagnostics[0].message);
    }
}

/// A shape of the file is told as the file has it, and what to write keeps what is written.
#[test]
fn weights_that_do_not_fit_are_told_as_the_file_has_them() {
    let zeros = |name: &str, shape: &[usize]| {
        let count = shape.iter().product();
        (name.to_string(), Tensor::f32(shape, vec![0.0; count]))
    };
    let own = [
        zeros("dense.weight", &[784, 16]),
        zeros("dense.bias", &[16]),
        zeros("dense_2.weight", &[16, 10]),
        zeros("dense_2.bias", &[10]),
    ];
    let mut other = own.clone();
    other[2] = zeros("dense_2.weight", &[16, 12]);
    for (setting, tensors, wanted, help) in [
        (
            "layout: pytorch",
            &own,
            "`dense.weight` is f32[784, 16] in the file, which is f32[16, 784] in this language's \
             order, but f32[784, 16] in the model",
            "the file has this language's order: leave `layout: pytorch` out",
        ),
        (
            "except: [\"dense.*\"]",
            &other,
            "`dense_2.weight` is f32[16, 12] in the file, but f32[16, 10] in the model",
            "`except: [\"dense.*\", \"dense_2.weight\"]` lets these begin as if there were no file",
        ),
    ] {
        let setting = format!("    init_from = weights(\"net.safetensors\", {setting})");
        let case = Case::new("train: 100, test: 10", &setting);
        weights::save(&case.path("net.safetensors"), tensors).unwrap();
        let Err(Failure::Program { diagnostics, .. }) = case.prepare(Overrides::default()) else {
            panic!("{setting} was taken")
        };
        assert_eq!(diagnostics[0].message, wanted);
        assert_eq!(diagnostics[0].help.as_deref(), Some(help));
    }
}

/// A frozen batch norm keeps its statistics, and normalises by them while training, too; its
/// neighbour, of which only one parameter is frozen, goes on as ever.
#[test]
fn a_frozen_layer_works_as_outside_of_training() {
    let net = |freeze: &str| {
        format!(
            "data drawn = digits(train: 100, test: 10)\n\
             model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{\n    \
             image |> flatten |> dense(8) |> batch_norm as first |> dense(10) |> batch_norm as second\n}}\n\
             train net on drawn {{\n    loss = cross_entropy\n    optimizer = sgd(lr: 0.0)\n    \
             batch = 100\n    seed = 3\n{freeze}\n}}\n"
        )
    };
    let frozen = Case::of(&net("    freeze = [\"first.*\", \"second.weight\"]")).train();
    for (state, stays) in [
        ("first.running_mean", true),
        ("first.running_var", true),
        ("second.running_mean", false),
        ("second.running_var", false),
    ] {
        assert_eq!(frozen.last(state).data == frozen.first(state).data, stays, "{state}");
    }
    let free = Case::of(&net("")).train();
    assert_ne!(free.last("first.running_mean").data, free.first("first.running_mean").data);
    // By the batch's own statistics or by those at the beginning, 0 and 1: the losses differ.
    let loss = |trained: &Trained| trained.seen.records[0].train.loss;
    assert!((loss(&frozen) - loss(&free)).abs() > 1e-6);
}

/// The loss of one step on all samples, with a rate that changes nothing, and the losses of each
/// sample with its class.
fn losses(weights: &str) -> (f64, Vec<(usize, f64)>) {
    let settings = format!("    batch = 60\n    optimizer = sgd(lr: 0.0)\n{weights}");
    let case = Case::new("train: 60, test: 60", &settings);
    let overrides = Overrides { overfit: Some(60), ..Overrides::default() };
    let run = case.prepare(overrides).unwrap_or_else(|failure| panic!("{failure:?}"));
    let mut pool = Pool::new(1);
    let mut trainer = run.trainer(&mut pool);
    let mut seen = Seen::default();
    trainer.train(&mut seen, &AtomicBool::new(false)).expect("one epoch");
    let labels = run.data.test.labels().expect("classes");
    let mut found = Vec::new();
    let mut each = |batch: &nnc::runtime::trainer::EvaluatedBatch<'_>| {
        for (&index, logits) in
            batch.samples.iter().zip(batch.output(&StepOutput::Output).chunks_exact(10))
        {
            let label = labels[index as usize];
            let total: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
            found.push((label, total.ln() - f64::from(logits[label])));
        }
    };
    trainer.evaluate(SplitPass::Test, &[], &mut each).expect("scores");
    (seen.records[0].train.loss, found)
}

#[test]
fn classes_weigh_as_they_are_told() {
    let weights = [0.5, 2.0, 1.0, 0.0, 4.0, 1.0, 1.0, 0.25, 1.0, 3.0];
    let (loss, samples) = losses(&format!("    class_weights = {weights:?}"));
    let total: f64 = samples.iter().map(|&(class, loss)| weights[class] * loss).sum();
    let weight: f64 = samples.iter().map(|&(class, _)| weights[class]).sum();
    assert!((loss - total / weight).abs() < 1e-5, "{loss} and {}", total / weight);

    let (loss, samples) = losses("    class_weights = balanced");
    let count = |class: usize| samples.iter().filter(|(other, _)| *other == class).count() as f64;
    let weight = |class: usize| 60.0 / (10.0 * count(class));
    let total: f64 = samples.iter().map(|&(class, loss)| weight(class) * loss).sum();
    let weights: f64 = samples.iter().map(|&(class, _)| weight(class)).sum();
    assert!((loss - total / weights).abs() < 1e-5, "{loss} and {}", total / weights);
}

/// A net whose loss is infinite for one sample in some: `log` of a number that may be 0.
const DELICATE: &str = "data drawn = digits(train: 128, test: 10)

layer shrink(x: f32[N, K]) -> f32[N, K] {
    log(relu(x) + 0.0)
}

model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> flatten |> dense(10) |> shrink
}

train net on drawn {
    loss      = cross_entropy
    batch     = 1
    shuffle   = false
    optimizer = sgd(lr: 0.01)
    on_nan    = POLICY
}
";

#[test]
fn what_is_not_finite_is_left_out_or_ends_the_run() {
    let with = |policy: &str| Case::of(&DELICATE.replace("POLICY", policy)).train();
    let stopped = with("stop");
    let Err(TrainError::NotFinite { epoch: 1, step, .. }) = stopped.outcome else {
        panic!("{:?}", stopped.outcome)
    };
    let skipping = with("skip");
    assert_eq!(skipping.outcome, Ok(TrainingOutcome::Finished));
    assert_eq!(skipping.seen.skipped[0].0, step);
    let samples = skipping.seen.records[0].samples;
    assert_eq!(samples + skipping.seen.skipped.len(), 128, "scores are of what was trained on");
    let halving = with("halve_lr");
    let scales: Vec<f64> = halving.seen.skipped.iter().map(|(_, scale)| *scale).take(3).collect();
    assert_eq!(scales, [0.5, 0.25, 0.125]);
}

#[test]
fn a_run_that_is_never_finite_ends() {
    let hopeless = DELICATE.replace("relu(x) + 0.0", "relu(x) * 0.0").replace("POLICY", "skip");
    let trained = Case::of(&hopeless).train();
    let Err(TrainError::NotFinite { step: 50, in_a_row: 50, .. }) = trained.outcome else {
        panic!("{:?}", trained.outcome)
    };
    assert_eq!(trained.last("dense.weight").data, trained.first("dense.weight").data);
}

#[test]
fn the_first_operator_that_is_not_finite_is_named_with_its_sample() {
    let case = Case::of(&DELICATE.replace("POLICY", "stop"));
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nnc"))
        .args(["run", "main.nn"])
        .current_dir(case.folder.path())
        .env_remove("NNC_DATA")
        .output()
        .expect("nnc runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for wanted in [
        "main.nn:4:5",
        "`log` of 0.0 gives -inf (in `shrink`)",
        "parameters and states are as they were before that step",
        "of the training data",
        "log(max(x, 1e-7))",
        "go on with `nnc run --resume=runs/main`",
    ] {
        assert!(said.contains(wanted), "{wanted} is not in\n{said}");
    }
}

#[test]
fn the_first_batch_that_is_left_out_is_explained() {
    let case = Case::of(&DELICATE.replace("POLICY", "skip"));
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nnc"))
        .args(["run", "main.nn"])
        .current_dir(case.folder.path())
        .env_remove("NNC_DATA")
        .output()
        .expect("nnc runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let wanted =
        "the first value that was not finite: `log` of 0.0 gives -inf, main.nn:4:5, for sample";
    assert_eq!(said.matches(wanted).count(), 1, "{said}");
    assert!(said.contains("is left out: the loss ("), "{said}");
}

#[test]
fn folds_cover_every_sample_once_and_keep_the_classes_even() {
    let case = Case::new("train: 103, test: 10, validation: 0.1", "    folds = 4");
    let mut all = Vec::new();
    for fold in 0..4 {
        let overrides = Overrides { fold: Some((fold, 4)), ..Overrides::default() };
        let run = case.prepare(overrides).unwrap_or_else(|failure| panic!("{failure:?}"));
        let held: Vec<u32> = run.data.validation.originals();
        let kept = run.data.train.originals();
        assert_eq!(held.len() + kept.len(), 103);
        assert!(held.iter().all(|sample| !kept.contains(sample)));
        let labels = run.data.validation.labels().expect("classes");
        for class in 0..10 {
            let count = labels.iter().filter(|&&label| label == class).count();
            assert!((1..=4).contains(&count), "{count} of class {class}");
        }
        all.extend(held);
    }
    all.sort_unstable();
    assert_eq!(all, (0..103).collect::<Vec<u32>>());
}
