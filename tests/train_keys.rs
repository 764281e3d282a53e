//! The settings that work on gradients and parameters, alone and together, over several steps in
//! every engine, against a loop in `f64` written from what `docs/language.md` says.

mod support;

use support::compare::assert_close;
use support::engines::{Engine, Left};
use support::pipeline::{experiment, training};
use support::regression::{IN, OUT, gradients, job, widened};

const STEPS: u64 = 12;
const WEIGHTS: usize = IN * OUT;

/// What a step does by hand: the parameters (weights, then biases), their gradient, and two numbers
/// beside each parameter; the step from 1.
type Step = fn(&mut [f64], Vec<f64>, &mut [[f64; 2]], f64);

fn norm(g: &[f64]) -> f64 {
    g.iter().map(|g| g * g).sum::<f64>().sqrt()
}

/// `p - lr · g`
fn descend(p: &mut [f64], g: &[f64], lr: f64) {
    p.iter_mut().zip(g).for_each(|(p, g)| *p -= lr * g);
}

/// Kingma and Ba 2015, algorithm 1.
fn adam(p: &mut [f64], g: &[f64], moments: &mut [[f64; 2]], lr: f64, step: f64) {
    for ((p, g), [m, v]) in p.iter_mut().zip(g).zip(moments) {
        *m = 0.9 * *m + 0.1 * g;
        *v = 0.999 * *v + 0.001 * g * g;
        let root = (*v / (1.0 - 0.999f64.powf(step))).sqrt() + 1e-8;
        *p -= lr * *m / (1.0 - 0.9f64.powf(step)) / root;
    }
}

/// What the file says and the same by hand.
const CASES: &[(&str, Step)] = &[
    // PyTorch's `clip_grad_norm_`, without the 1e-6 that it adds to the norm
    ("clip_norm = 0.25", |p, mut g, _, _| {
        let scale = (0.25 / norm(&g)).min(1.0);
        g.iter_mut().for_each(|g| *g *= scale);
        descend(p, &g, 0.1);
    }),
    // A bound that is never met changes nothing.
    ("clip_norm = 1e6", |p, g, _, _| descend(p, &g, 0.1)),
    ("clip_norm = linear(0.8, floor: 0.1)", |p, mut g, _, step| {
        let scale = ((0.8 - 0.7 * (step - 1.0) / 1000.0) / norm(&g)).min(1.0);
        g.iter_mut().for_each(|g| *g *= scale);
        descend(p, &g, 0.1);
    }),
    // PyTorch's `clip_grad_value_`
    ("clip_value = 0.05", |p, mut g, _, _| {
        g.iter_mut().for_each(|g| *g = g.clamp(-0.05, 0.05));
        descend(p, &g, 0.1);
    }),
    // Keras's `L2`: l2 · Σ p²
    ("l2 = 0.3", |p, g, _, _| {
        let g: Vec<f64> = g.iter().zip(&*p).map(|(g, p)| g + 2.0 * 0.3 * p).collect();
        descend(p, &g, 0.1);
    }),
    // Keras's `L1`: l1 · Σ |p|, of the weights alone
    ("l1 = decay(0.2, only: \"*.weight\")", |p, mut g, _, _| {
        g[..WEIGHTS].iter_mut().zip(&*p).for_each(|(g, p)| *g += 0.2 * p.signum());
        descend(p, &g, 0.1);
    }),
    // Loshchilov and Hutter 2019, algorithm 1 (SGDW)
    ("weight_decay = 0.4", |p, g, _, _| {
        p.iter_mut().for_each(|p| *p *= 1.0 - 0.1 * 0.4);
        descend(p, &g, 0.1);
    }),
    ("weight_decay = decay(0.4, except: [\"*.bias\"])", |p, g, _, _| {
        p[..WEIGHTS].iter_mut().for_each(|p| *p *= 1.0 - 0.1 * 0.4);
        descend(p, &g, 0.1);
    }),
    // The optimiser's own decay gives way: AdamW with a schedule.
    ("weight_decay = 0.4\n    optimizer = adamw(lr: linear(0.02))", |p, g, moments, step| {
        let lr = 0.02 * (1.0 - (step - 1.0) / 1000.0);
        p.iter_mut().for_each(|p| *p *= 1.0 - lr * 0.4);
        adam(p, &g, moments, lr, step);
    }),
    // All together: penalties, then the norm, then the decay, then the rule.
    (
        "l1 = 0.02\n    l2 = 0.05\n    weight_decay = 0.1\n    clip_norm = 0.3\n    \
         optimizer = adam(lr: 0.02)",
        |p, mut g, moments, step| {
            g.iter_mut().zip(&*p).for_each(|(g, p)| *g += 0.02 * p.signum() + 0.1 * p);
            let scale = (0.3 / norm(&g)).min(1.0);
            g.iter_mut().for_each(|g| *g *= scale);
            p.iter_mut().for_each(|p| *p *= 1.0 - 0.02 * 0.1);
            adam(p, &g, moments, 0.02, step);
        },
    ),
];

fn settings(case: &str) -> String {
    if case.contains("optimizer") {
        case.to_owned()
    } else {
        format!("{case}\n    optimizer = sgd(lr: 0.1)")
    }
}

#[test]
fn each_setting_follows_its_formula() {
    for &(case, by_hand) in CASES {
        let job = job(&settings(case));
        let inputs = (job.inputs)(1);
        let (x, target) = (widened(&inputs["x"]), widened(&inputs["label"]));
        let mut params = widened(&job.given["dense.weight"]);
        params.extend(widened(&job.given["dense.bias"]));
        let mut kept = vec![[0.0; 2]; params.len()];
        for step in 1..=STEPS {
            let gradient = gradients(&params, &x, &target);
            by_hand(&mut params, gradient, &mut kept, step as f64);
        }
        let wanted: Vec<f32> = params.iter().map(|&value| value as f32).collect();
        let mut compiled: Option<Left> = None;
        for engine in Engine::all() {
            let left = engine.run(&job, STEPS);
            let what = |name: &str| format!("{case}, {}: {name}", engine.name());
            assert_close(&left.kept["dense.weight"], &wanted[..WEIGHTS], &what("weight"));
            assert_close(&left.kept["dense.bias"], &wanted[WEIGHTS..], &what("bias"));
            if engine != Engine::Graph {
                let first = compiled.get_or_insert_with(|| left.clone());
                assert_eq!(first.kept, left.kept, "{}", what("the same bits"));
            }
        }
    }
}

/// The norm that is reported is that of the gradients before they are clipped.
#[test]
fn the_reported_norm_is_not_clipped() {
    let job = job(&settings("clip_norm = 0.01"));
    let inputs = (job.inputs)(1);
    let mut params = widened(&job.given["dense.weight"]);
    params.extend(widened(&job.given["dense.bias"]));
    let wanted = norm(&gradients(&params, &widened(&inputs["x"]), &widened(&inputs["label"])));
    for engine in Engine::all() {
        let left = engine.run(&job, 1);
        assert_close(&left.outputs["grad_norm"], &[wanted as f32], &engine.name());
    }
}

/// `adam` with the setting is `adamw` with its argument, to the bit.
#[test]
fn weight_decay_beside_adam_is_adamw() {
    let ours = job("weight_decay = 0.1\n    optimizer = adam(lr: 0.02)");
    let theirs = job("optimizer = adamw(lr: 0.02, weight_decay: 0.1)");
    let runs = [&ours, &theirs].map(|job| Engine::Loops(2).run(job, STEPS).kept);
    assert_eq!(runs[0], runs[1]);
}

/// Settings that change nothing leave no trace in the step.
#[test]
fn zeros_leave_the_step_as_it_was() {
    let step = |settings: &str| {
        let text = format!(
            "model net(x: f32[N, 4]) -> f32[N, 2] {{ x |> dense(2) }}\n\
             train net {{\n    loss = mse\n    {settings}\n}}\n"
        );
        training(&experiment(&text, Vec::new())).to_string()
    };
    assert_eq!(step("l1 = 0\n    l2 = 0.0\n    weight_decay = 0"), step(""));
}
