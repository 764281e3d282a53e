//! Gradients against central differences of the loss, in the interpreter.
//!
//! A parameter is moved along a direction `v` of random signs; the slope `(L(p + h·v) − L(p − h·v)) /
//! 2h` must be `⟨gradient, v⟩`. Differences of rounded losses are noisy (each value is rounded to
//! `f32`), and wrong where a kink lies between the two points, such as that of `relu`: so the slope is
//! taken with several widths `h`, and what two neighbouring ones disagree by is allowed beside a
//! hundredth of the slope. A wrong derivative is wrong for every width.

use super::{Check, Subject, Worst};
use crate::base::rng::{Sequence, hash_name};
use crate::base::tensor::{Data, Tensor};
use crate::driver::session::Session;
use crate::graph::{self, Env, Graph};

const NAME: &str = "gradients";
/// Widths that are tried, as parts of a tensor's root mean square.
const WIDTHS: [f64; 4] = [1e-1, 3e-2, 1e-2, 3e-3];
/// What the slope may be off by.
const TOLERANCE: f64 = 1e-2;

/// Where a tensor of the model is.
#[derive(Clone, Debug)]
enum At {
    Param(usize),
    Input(String),
}

pub(super) fn check(session: &mut Session, subject: &Subject) -> Check {
    let env = subject.env(&subject.open);
    let evaluations = 2.0 * WIDTHS.len() as f64;
    if let Some(why) = subject.too_large(evaluations + 3.0) {
        return Check::skipped(NAME, why);
    }
    let batch = subject.asked.batch;
    let outcome = match graph::run(&subject.open, batch, &env) {
        Ok(outcome) => outcome,
        Err(fault) => return Check::skipped(NAME, fault.to_string()),
    };
    // What the forward graph knows comes first among what the step does.
    let mut env = env;
    env.states.truncate(subject.forward.states.len());
    env.hypers.truncate(subject.forward.hypers.len());
    let mut tensors: Vec<(String, At, &Tensor)> = Vec::new();
    for (index, param) in subject.open.params.values().enumerate() {
        if let Some(gradient) = outcome.outputs.get(&format!("grad.{}", param.path)) {
            tensors.push((param.path.clone(), At::Param(index), gradient));
        }
    }
    for input in subject.open.inputs.values() {
        if let Some(gradient) = outcome.outputs.get(&format!("grad.input.{}", input.name)) {
            let name = format!("input {}", input.name);
            tensors.push((name, At::Input(input.name.clone()), gradient));
        }
    }
    let mut worst = Worst::default();
    let mut made = 0;
    for (name, at, gradient) in &tensors {
        if subject.too_large(evaluations * (made + 1) as f64 + 3.0).is_some() {
            break;
        }
        made += 1;
        let part = error(&subject.forward, batch, &env, at, gradient, name);
        worst.take(part, || place(session, subject, name, at));
    }
    let left = tensors.len() - made;
    let rest = if left > 0 { format!("; {left} left out, for time") } else { String::new() };
    Check::within(NAME, format!("{made} tensors against central differences{rest}"), worst)
}

/// The tensor's name, and where it stands in the program.
fn place(session: &Session, subject: &Subject, name: &str, at: &At) -> String {
    let origin = match at {
        At::Param(index) => subject.open.params.values().nth(*index).and_then(|it| it.origin),
        At::Input(_) => None,
    };
    let chain = origin.into_iter().flat_map(|origin| subject.open.origins.chain(origin));
    let mut own = chain.filter(|origin| !session.sources.file(origin.span.file).builtin);
    match own.next() {
        Some(origin) => format!("`{name}`, {}", session.sources.place(origin.span)),
        None => format!("`{name}`"),
    }
}

/// The error of a tensor's gradient along a random direction, as a part of what is allowed: the
/// least over the widths.
fn error(graph: &Graph, batch: usize, env: &Env, at: &At, gradient: &Tensor, name: &str) -> f64 {
    let value = match at {
        At::Param(index) => &env.params[*index],
        At::Input(input) => &env.inputs[input],
    };
    let (Data::F32(values), Data::F32(gradient)) = (&value.data, &gradient.data) else {
        return 0.0;
    };
    let mut sequence = Sequence::new(0, hash_name(name));
    let signs: Vec<f64> =
        values.iter().map(|_| if sequence.word() & 1 == 0 { 1.0 } else { -1.0 }).collect();
    let slope: f64 =
        gradient.iter().zip(&signs).map(|(gradient, sign)| f64::from(*gradient) * sign).sum();
    let squares: f64 = values.iter().map(|&it| f64::from(it).powi(2)).sum();
    // A tensor of zeros, as biases are at first, moves by hundredths.
    let scale = (squares / values.len().max(1) as f64).sqrt().max(0.05);
    let loss = |h: f64| -> Option<f64> {
        let moved =
            values.iter().zip(&signs).map(|(value, sign)| (f64::from(*value) + h * sign) as f32);
        let tensor = Tensor::new(value.shape.clone(), Data::F32(moved.collect()));
        let mut env = env.clone();
        match at {
            At::Param(index) => env.params[*index] = tensor,
            At::Input(input) => drop(env.inputs.insert(input.clone(), tensor)),
        }
        let outcome = graph::run(graph, batch, &env).ok()?;
        outcome.outputs.get("loss").map(|loss| f64::from(loss.as_f32()[0]))
    };
    let slopes: Vec<Option<(f64, f64)>> = WIDTHS
        .iter()
        .map(|width| {
            let h = width * scale;
            let (above, below) = (loss(h)?, loss(-h)?);
            // Both losses are rounded to `f32`.
            let noise = f64::from(f32::EPSILON) * (above.abs() + below.abs()) / h;
            Some(((above - below) / (2.0 * h), noise))
        })
        .collect();
    let mut least = f64::INFINITY;
    for pair in slopes.windows(2) {
        let [Some((wide, _)), Some((narrow, noise))] = *pair else { continue };
        let allowed = TOLERANCE * slope.abs() + (wide - narrow).abs() + 4.0 * noise + 1e-7;
        least = least.min((narrow - slope).abs() / allowed);
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tensor::DType;
    use crate::graph::builder::Builder;
    use crate::graph::{Binary, Dim, Init, Param, Reduce, Type, Unary};
    use crate::pass::autodiff;

    /// The error of the gradient of `mean(tanh(x · w))` by `w`, multiplied by a factor.
    fn error_of(factor: f32) -> f64 {
        let mut builder = Builder::new("g");
        let x = builder.input("x", Type::new(DType::F32, vec![Dim::N, Dim::Known(3)]));
        let w = builder.param(Param {
            path: "w".into(),
            ty: Type::new(DType::F32, vec![Dim::Known(3)]),
            init: Init::Normal { mean: 0.0, std: 1.0 },
            origin: None,
        });
        let product = builder.binary(Binary::Mul, x, w).unwrap();
        let sum = builder.reduce(Reduce::Sum, product, &[1], false).unwrap();
        let tanh = builder.unary(Unary::Tanh, sum).unwrap();
        let loss = builder.mean(tanh, &[0], false).unwrap();
        builder.output("loss", loss);
        let graph = builder.finish();
        let open = autodiff::run(&graph, autodiff::Wrt::default());
        let x = Tensor::f32([4, 3], (0..12).map(|it| (it as f32 * 0.7).sin()).collect());
        let env = Env::initial(&open, 3).with("x", x);
        let outcome = graph::run(&open, 4, &env).unwrap();
        let wrong = outcome.outputs["grad.w"].as_f32().iter().map(|it| it * factor).collect();
        error(&graph, 4, &env, &At::Param(0), &Tensor::f32([3], wrong), "w")
    }

    #[test]
    fn a_gradient_that_is_a_little_wrong_is_found() {
        assert!(error_of(1.0) < 1.0, "{}", error_of(1.0));
        for factor in [1.05, 0.95, -1.0, 0.0] {
            assert!(error_of(factor) > 1.0, "{factor}: {}", error_of(factor));
        }
    }
}
