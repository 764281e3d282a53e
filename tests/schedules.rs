//! The prelude's schedules at every step of several runs against their published formulas in
//! `f64`, and what an optimiser makes of them in every engine; one without a formula fails.

mod support;

use nnc::elaborate::SCHEDULED;
use nnc::graph::Graph;
use nnc::lower::uniform::Collected;
use support::compare::assert_close;
use support::engines::{Engine, Job, Tensors};
use support::pipeline::{experiment, training_with_gradients};

use nnc::base::tensor::Tensor;
use std::f64::consts::PI;

/// A schedule's value at a step (from 1) of a run of so many steps.
type Formula = fn(f64, f64) -> f64;

/// PyTorch's `LinearLR(start_factor=1/w, total_iters=w-1)` before `milestones=[w]` of
/// `SequentialLR`, whose second schedule counts its own steps `t` from 0.
fn warmed(step: f64, steps: f64, warmup: f64, after: impl Fn(f64, f64) -> f64) -> f64 {
    if step <= warmup {
        after(0.0, steps - warmup) * step / warmup
    } else {
        after(step - 1.0 - warmup, steps - warmup)
    }
}

/// PyTorch's `OneCycleLR._annealing_cos`.
fn anneal(start: f64, end: f64, part: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + (PI * part).cos())
}

/// PyTorch's `OneCycleLR.get_lr`, with `rise` steps up.
fn one_cycle(step: f64, steps: f64, peak: f64, rise: f64) -> f64 {
    let (initial, t, top) = (peak / 25.0, step - 1.0, rise - 1.0);
    if t <= top {
        anneal(initial, peak, t / top)
    } else {
        anneal(peak, initial / 1e4, (t - top) / (steps - 1.0 - top))
    }
}

/// What the file says and the same by hand.
const SCHEDULES: &[(&str, Formula)] = &[
    ("constant(0.3)", |_, _| 0.3),
    ("constant(0.3, warmup: 7)", |step, _| 0.3 * (step / 7.0).min(1.0)),
    ("warm_up(5)", |step, _| (step / 5.0).min(1.0)),
    ("progress(3)", |step, steps| (step - 4.0).max(0.0) / (steps - 3.0)),
    // PyTorch's `StepLR`: lr · gamma ^ (t // step_size)
    ("step_decay(0.8, 6, factor: 0.5)", |step, _| 0.8 * 0.5f64.powf(((step - 1.0) / 6.0).floor())),
    ("step_decay(0.8, 6, warmup: 4)", |step, steps| {
        warmed(step, steps, 4.0, |t, _| 0.8 * 0.1f64.powf((t / 6.0).floor()))
    }),
    // Keras's `ExponentialDecay`: initial · decay_rate ^ (t / decay_steps)
    ("exponential(0.4, 0.9)", |step, _| 0.4 * 0.9f64.powf(step - 1.0)),
    ("exponential(0.4, 0.5, every: 10, warmup: 3)", |step, steps| {
        warmed(step, steps, 3.0, |t, _| 0.4 * 0.5f64.powf(t / 10.0))
    }),
    // PyTorch's `CosineAnnealingLR`: eta_min + (base - eta_min) · (1 + cos(π·t / T_max)) / 2
    ("cosine(1e-3)", |step, steps| 1e-3 * (1.0 + (PI * (step - 1.0) / steps).cos()) / 2.0),
    ("cosine(1e-3, floor: 1e-4, warmup: 5)", |step, steps| {
        warmed(step, steps, 5.0, |t, all| 1e-4 + 9e-4 * (1.0 + (PI * t / all).cos()) / 2.0)
    }),
    // PyTorch's `LinearLR(start_factor=1, end_factor=0.25)`: base · (1 + (0.25 - 1)·t / total)
    ("linear(0.2, floor: 0.05)", |step, steps| 0.2 * (1.0 - 0.75 * (step - 1.0) / steps)),
    ("linear(0.2, warmup: 9)", |step, steps| {
        warmed(step, steps, 9.0, |t, all| 0.2 * (1.0 - t / all))
    }),
    // Keras's `PolynomialDecay`: (initial - end) · (1 - t / decay_steps) ^ power + end
    ("polynomial(0.5, power: 2.0, floor: 0.1)", |step, steps| {
        0.4 * (1.0 - (step - 1.0) / steps).powi(2) + 0.1
    }),
    ("polynomial(0.5, power: 0.5, warmup: 2)", |step, steps| {
        warmed(step, steps, 2.0, |t, all| 0.5 * (1.0 - t / all).sqrt())
    }),
    ("one_cycle(0.1)", |step, steps| one_cycle(step, steps, 0.1, 0.3 * steps)),
    ("one_cycle(0.1, warmup: 8)", |step, steps| one_cycle(step, steps, 0.1, 8.0)),
    // Arithmetic around a schedule, and between two.
    ("0.5 * (constant(1.0) - linear(0.5))", |step, steps| 0.5 * (0.5 + 0.5 * (step - 1.0) / steps)),
];

fn program(optimizer: &str) -> String {
    format!(
        "model net(x: f32[N, 2]) -> f32[N, 2] {{ x |> dense(2) }}\n\
         train net {{\n    loss = mse\n    optimizer = {optimizer}\n}}\n"
    )
}

/// What the rule's scheduled `lr` is at each step of a run.
fn values(rule: &Graph, steps: u64) -> Vec<f32> {
    let mut collected = Collected::default();
    let Some(scheduled) = rule.output(&format!("{SCHEDULED}lr")) else {
        // A schedule that never changes is a number.
        let lr = rule.hypers.values().find(|hyper| hyper.name == "lr").expect("a number");
        return vec![lr.value as f32; steps as usize];
    };
    collected.element(rule, scheduled);
    let uniforms = collected.finish(rule);
    let value = |(name, value): &(String, f64)| {
        if name == nnc::graph::RUN_STEPS { steps as f64 } else { *value }
    };
    let hypers: Vec<f64> = uniforms.hypers.iter().map(value).collect();
    (1..=steps).map(|step| uniforms.eval(step, &hypers)[0]).collect()
}

#[test]
fn every_step_follows_the_formula() {
    for &(schedule, formula) in SCHEDULES {
        let experiment = experiment(&program(&format!("sgd(lr: {schedule})")), Vec::new());
        let rule = experiment.training.expect("a train block").rule.graph;
        for steps in [20, 61, 1000] {
            for (index, value) in values(&rule, steps).into_iter().enumerate() {
                let step = index as u64 + 1;
                let wanted = formula(step as f64, steps as f64);
                let gap = (f64::from(value) - wanted).abs();
                assert!(
                    gap <= 1e-7 * wanted.abs() + 1e-12,
                    "{schedule}, step {step} of {steps}: {value}, not {wanted}"
                );
            }
        }
    }
}

#[test]
fn no_schedule_of_the_prelude_is_forgotten() {
    let items = nnc::elaborate::PRELUDE.lines().filter_map(|line| line.strip_prefix("schedule "));
    let names: Vec<&str> = items.filter_map(|line| line.split('(').next()).collect();
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        let tested = SCHEDULES.iter().any(|(call, _)| call.split('(').next() == Some(name));
        assert!(tested, "`{name}` has no formula here");
    }
}

/// A schedule stays finite where it does not fit: in runs of one step and past the end.
#[test]
fn short_runs_and_steps_past_the_end_are_finite() {
    for &(schedule, _) in SCHEDULES {
        let experiment = experiment(&program(&format!("sgd(lr: {schedule})")), Vec::new());
        let rule = experiment.training.expect("a train block").rule.graph;
        for steps in 1..=10 {
            let all = values(&rule, steps);
            assert!(all.iter().all(|value| value.is_finite()), "{schedule}, {steps}: {all:?}");
        }
    }
}

/// Momentum and learning rate of SGD both change; the gradient of `mean((x·w + b - t)²)` is
/// written out.
#[test]
fn an_optimizer_follows_two_schedules_in_every_engine() {
    let text = program("sgd(lr: cosine(0.3, warmup: 3), momentum: linear(0.9, floor: 0.5))");
    let graph = training_with_gradients(&experiment(&text, Vec::new()));
    // Without data a run is taken to have a thousand steps.
    let (steps, run) = (20u64, 1000.0);
    let (x, t) = ([0.5f64, -1.0, 0.25, 0.75], [0.2f64, -0.4, 0.9, 0.1]);
    let (w, b) = ([0.3f64, -0.2, 0.8, 0.5], [0.0f64, 0.1]);
    let tensor = |shape: &[usize], values: &[f64]| {
        Tensor::f32(shape, values.iter().map(|&value| value as f32).collect())
    };
    let inputs = Tensors::from([
        ("x".to_string(), tensor(&[2, 2], &x)),
        ("label".to_string(), tensor(&[2, 2], &t)),
    ]);
    let given = [
        ("dense.weight".to_string(), tensor(&[2, 2], &w)),
        ("dense.bias".to_string(), tensor(&[2], &b)),
    ];
    let inputs = Box::new(move |_| inputs.clone());
    let job = Job { graph, batch: 2, seed: 0, given: given.into(), inputs };

    let mut params: Vec<f64> = w.iter().chain(&b).map(|&v| f64::from(v as f32)).collect();
    let mut velocity = [0.0; 6];
    for step in 1..=steps {
        let step = step as f64;
        let lr = warmed(step, run, 3.0, |t, all| 0.3 * (1.0 + (PI * t / all).cos()) / 2.0);
        let momentum = 0.9 - 0.4 * (step - 1.0) / run;
        let mut gradient = [0.0; 6];
        for n in 0..2 {
            for j in 0..2 {
                let y = x[2 * n] * params[j] + x[2 * n + 1] * params[2 + j] + params[4 + j];
                let slope = 2.0 * (y - t[2 * n + j]) / 4.0;
                gradient[j] += slope * x[2 * n];
                gradient[2 + j] += slope * x[2 * n + 1];
                gradient[4 + j] += slope;
            }
        }
        for ((p, v), g) in params.iter_mut().zip(&mut velocity).zip(gradient) {
            *v = momentum * *v + g;
            *p -= lr * *v;
        }
    }
    let wanted: Vec<f32> = params.iter().map(|&value| value as f32).collect();
    for engine in Engine::all() {
        let left = engine.run(&job, steps);
        assert_close(
            &left.kept["dense.weight"],
            &wanted[..4],
            &format!("{}: weight", engine.name()),
        );
        assert_close(&left.kept["dense.bias"], &wanted[4..], &format!("{}: bias", engine.name()));
    }
}
