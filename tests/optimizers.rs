//! Every optimiser of the prelude over twenty steps, in every engine, against a loop in `f64`
//! written from its published formula.
//!
//! The model is a linear regression whose gradient is written out here too, so nothing of the
//! compiler stands on both sides.

mod support;

use support::compare::assert_close;
use support::engines::{Engine, Job};
use support::regression::{IN, OUT, gradients, job, widened};

const STEPS: u64 = 20;

/// An update of one parameter: its value, its gradient, its states (zero at first), the step from
/// 1.
type Rule = fn(&mut f64, f64, &mut [f64; 3], i32);

/// What the file says and the same by hand.
const OPTIMIZERS: &[(&str, Rule)] = &[
    ("sgd(lr: 0.1)", |p, g, _, _| *p -= 0.1 * g),
    // PyTorch's `SGD`: b = μ·b + g
    ("sgd(lr: 0.05, momentum: 0.9)", |p, g, [b, ..], _| {
        *b = 0.9 * *b + g;
        *p -= 0.05 * *b;
    }),
    // … with Nesterov: g + μ·b
    ("sgd(lr: 0.05, momentum: 0.8, nesterov: true)", |p, g, [b, ..], _| {
        *b = 0.8 * *b + g;
        *p -= 0.05 * (g + 0.8 * *b);
    }),
    // … with L2 added to the gradient
    ("sgd(lr: 0.05, momentum: 0.9, weight_decay: 0.2)", |p, g, [b, ..], _| {
        *b = 0.9 * *b + (g + 0.2 * *p);
        *p -= 0.05 * *b;
    }),
    // Hinton 2012; PyTorch's `RMSprop`
    ("rmsprop(lr: 0.01, alpha: 0.9)", |p, g, [v, ..], _| {
        *v = 0.9 * *v + 0.1 * g * g;
        *p -= 0.01 * g / (v.sqrt() + 1e-8);
    }),
    ("rmsprop(momentum: 0.5)", |p, g, [v, b, _], _| {
        *v = 0.99 * *v + 0.01 * g * g;
        *b = 0.5 * *b + g / (v.sqrt() + 1e-8);
        *p -= 0.01 * *b;
    }),
    // Duchi, Hazan and Singer 2011; PyTorch's `Adagrad`
    ("adagrad(lr: 0.1, lr_decay: 0.05)", |p, g, [sum, ..], step| {
        *sum += g * g;
        *p -= 0.1 / (1.0 + f64::from(step - 1) * 0.05) * g / (sum.sqrt() + 1e-10);
    }),
    // Zeiler 2012, algorithm 1
    ("adadelta(rho: 0.8)", |p, g, [v, u, _], _| {
        *v = 0.8 * *v + 0.2 * g * g;
        let delta = (*u + 1e-6).sqrt() / (*v + 1e-6).sqrt() * g;
        *u = 0.8 * *u + 0.2 * delta * delta;
        *p -= delta;
    }),
    // Kingma and Ba 2015, algorithm 1
    ("adam(lr: 0.02)", |p, g, moments, step| *p -= 0.02 * adam_direction(g, moments, step)),
    // Loshchilov and Hutter 2019, algorithm 2
    ("adamw(lr: 0.02, weight_decay: 0.1)", |p, g, moments, step| {
        *p -= 0.02 * 0.1 * *p;
        *p -= 0.02 * adam_direction(g, moments, step);
    }),
    // Dozat 2016; PyTorch's `NAdam`. The product of momenta so far, less 1, is the third state.
    ("nadam(lr: 0.02)", |p, g, [m, v, product], step| {
        let momentum = |step: i32| 0.9 * (1.0 - 0.5 * 0.96f64.powf(f64::from(step) * 4e-3));
        let (now, next) = (momentum(step), momentum(step + 1));
        *product = (*product + 1.0) * now - 1.0;
        let product = *product + 1.0;
        *m = 0.9 * *m + 0.1 * g;
        *v = 0.999 * *v + 0.001 * g * g;
        let root = (*v / (1.0 - 0.999f64.powi(step))).sqrt() + 1e-8;
        *p -= 0.02 * (1.0 - now) / (1.0 - product) * g / root;
        *p -= 0.02 * next / (1.0 - product * next) * *m / root;
    }),
    // Chen et al. 2023, algorithm 2
    ("lion(lr: 0.01, weight_decay: 0.3)", |p, g, [m, ..], _| {
        let direction = (0.9 * *m + 0.1 * g).signum();
        *p -= 0.01 * (direction + 0.3 * *p);
        *m = 0.99 * *m + 0.01 * g;
    }),
];

/// The corrected mean over the root of the corrected mean square.
fn adam_direction(g: f64, [m, v, _]: &mut [f64; 3], step: i32) -> f64 {
    *m = 0.9 * *m + 0.1 * g;
    *v = 0.999 * *v + 0.001 * g * g;
    *m / (1.0 - 0.9f64.powi(step)) / ((*v / (1.0 - 0.999f64.powi(step))).sqrt() + 1e-8)
}

/// Weight, then bias, after twenty steps by hand.
fn by_hand(job: &Job, rule: Rule) -> [Vec<f32>; 2] {
    let inputs = (job.inputs)(1);
    let (x, target) = (widened(&inputs["x"]), widened(&inputs["label"]));
    let mut params = widened(&job.given["dense.weight"]);
    params.extend(widened(&job.given["dense.bias"]));
    let mut states = vec![[0.0; 3]; params.len()];
    for step in 1..=STEPS {
        let gradients = gradients(&params, &x, &target);
        for ((p, g), state) in params.iter_mut().zip(gradients).zip(&mut states) {
            rule(p, g, state, step as i32);
        }
    }
    let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
    [narrow(&params[..IN * OUT]), narrow(&params[IN * OUT..])]
}

#[test]
fn twenty_steps_follow_the_formula() {
    for &(optimizer, rule) in OPTIMIZERS {
        let job = job(&format!("optimizer = {optimizer}"));
        let [weight, bias] = by_hand(&job, rule);
        let moved = weight.iter().zip(job.given["dense.weight"].as_f32());
        let moved = moved.fold(0f32, |most, (after, before)| most.max((after - before).abs()));
        assert!(moved > 0.01, "{optimizer} moves nothing by more than {moved}");
        for engine in Engine::all() {
            let left = engine.run(&job, STEPS);
            let what = |name: &str| format!("{optimizer}, {}: {name}", engine.name());
            assert_close(&left.kept["dense.weight"], &weight, &what("weight"));
            assert_close(&left.kept["dense.bias"], &bias, &what("bias"));
        }
    }
}

#[test]
fn no_optimizer_of_the_prelude_is_forgotten() {
    let items = nnc::elaborate::PRELUDE.lines().filter_map(|line| line.strip_prefix("optimizer "));
    let names: Vec<&str> = items.filter_map(|line| line.split('(').next()).collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let tested = OPTIMIZERS.iter().any(|(call, _)| call.split('(').next() == Some(name));
        assert!(tested, "`{name}` has no formula here");
    }
}
