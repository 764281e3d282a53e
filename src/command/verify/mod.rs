//! `nnc verify`: the project's oracles turned on the user's own model.
//!
//! | check | what is compared |
//! |---|---|
//! | gradients | those of automatic differentiation with differences of the loss in `f64` |
//! | interpreter | compiled steps, from the same state each, with the graph's interpreter |
//! | evaluation | the compiled evaluation step with the interpreter |
//! | fusion | the step as it is compiled with one whose operators are kernels of their own |
//! | threads | one thread with several, to the bit |
//! | targets | every instruction set that the processor has, to the bit |
//! | repetition | the same steps made twice, to the bit |
//!
//! Samples are drawn, so no data is needed. The interpreter is slow on purpose: a check asks it for
//! so many operations and bytes at most ([`MOST_OPERATIONS`], [`MOST_BYTES`]), and says what it leaves out.

mod compiled;
mod gradients;
pub mod rounding;

pub use gradients::{GradientError, gradient_errors};

use crate::base::tensor::{Data, Tensor};
use crate::command::bench::random;
use crate::driver::memory;
use crate::driver::session::{Failure, Request, Session};
use crate::graph::interp::{Cost, StepOutcome};
use crate::graph::{self, Env, Graph};
use crate::pass::Gradients;
use serde::Serialize;
use std::collections::BTreeMap;

/// Options of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Samples a step: few, for the interpreter's sake.
    pub batch: usize,
    /// Steps.
    pub steps: u64,
    /// Seed of parameters and samples.
    pub seed: u64,
    /// Whether the interpreter is options for everything, however long that takes.
    pub thorough: bool,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed,
    /// Not done.
    Skipped,
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct CheckResult {
    /// Its name.
    pub name: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// The comparison, or the reason for which there was none.
    pub what: String,
    /// The largest error, where numbers are compared within a tolerance: as a part of what is
    /// allowed.
    pub worst: Option<f64>,
    /// Where that was.
    pub place: Option<String>,
}

impl CheckResult {
    fn skipped(name: &'static str, why: String) -> CheckResult {
        CheckResult { name, verdict: Verdict::Skipped, what: why, worst: None, place: None }
    }

    /// Whether the bits were the same.
    fn exact(name: &'static str, what: String, differs: Option<String>) -> CheckResult {
        let verdict = if differs.is_none() { Verdict::Passed } else { Verdict::Failed };
        CheckResult { name, verdict, what, worst: None, place: differs }
    }

    /// Within a tolerance: the worst error as a part of it.
    fn within(name: &'static str, what: String, worst: WorstError) -> CheckResult {
        let verdict = if worst.part <= 1.0 { Verdict::Passed } else { Verdict::Failed };
        let place = (!worst.place.is_empty()).then_some(worst.place);
        CheckResult { name, verdict, what, worst: Some(worst.part), place }
    }
}

/// The largest error so far, as a part of what is allowed.
#[derive(Clone, Debug, Default)]
struct WorstError {
    part: f64,
    place: String,
}

impl WorstError {
    /// Takes an error; NaN is the worst of all.
    fn take(&mut self, part: f64, place: impl FnOnce() -> String) {
        if part.is_nan() || part > self.part {
            self.part = if part.is_nan() { f64::INFINITY } else { part };
            self.place = place();
        }
    }

    /// Compares two tensors, within `1e-5 + 1e-4 · max|want|` and what rounding moves them by
    /// (exact for integers).
    fn compare(&mut self, name: &str, got: &Tensor, want: &Tensor, moved: f32) {
        self.compare_where(name, got, want, moved, &|_| true);
    }

    /// Compares a parameter after a step, where its gradient is more than rounding: an optimiser
    /// that divides by the gradient's size makes whole steps of noise.
    fn compare_updated(
        &mut self,
        name: &str,
        got: &Tensor,
        want: &Tensor,
        gradient: Option<&Tensor>,
        moved: f32,
    ) {
        let Some(Data::F32(gradient)) = gradient.map(|it| &it.data) else {
            return self.compare(name, got, want, moved);
        };
        let largest = gradient.iter().fold(0f32, |largest, it| largest.max(it.abs()));
        // A gradient that is zero but for rounding, as of a bias before batch norm, is all noise.
        let least = (1e-2 * largest).max(1e-5);
        self.compare_where(name, got, want, moved, &|index| gradient[index].abs() > least);
    }

    fn compare_where(
        &mut self,
        name: &str,
        got: &Tensor,
        want: &Tensor,
        moved: f32,
        counts: &dyn Fn(usize) -> bool,
    ) {
        let (Data::F32(got), Data::F32(want)) = (&got.data, &want.data) else {
            self.take(f64::from(u8::from(got.data != want.data)) * 2.0, || name.to_owned());
            return;
        };
        let largest = want.iter().fold(0f64, |largest, it| largest.max(f64::from(*it).abs()));
        let allowed = 1e-5 + 1e-4 * largest + f64::from(rounding::SPREADS * moved);
        for (index, (got, want)) in got.iter().zip(want).enumerate() {
            if !counts(index) {
                continue;
            }
            let apart = (f64::from(*got) - f64::from(*want)).abs();
            self.take(apart / allowed, || {
                format!("{name}, element {index}: {got:e}, not {want:e} (within {allowed:.1e})")
            });
        }
    }
}

/// The verdicts on a model.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The model.
    pub model: String,
    /// The checks.
    pub checks: Vec<CheckResult>,
}

/// Operations that a check asks of the interpreter at most, unless everything is to be checked: about
/// a second.
const MOST_OPERATIONS: f64 = 3e9;
/// The bytes that it may take for that.
const MOST_BYTES: usize = 256 << 20;

/// Checks a model.
pub fn verify(
    session: &mut Session,
    request: &Request,
    options: &VerifyOptions,
) -> Result<Verified, Failure> {
    let front = session.front(request, false)?;
    let experiment = front.experiment;
    let model = experiment.model.clone();
    let Some(training) = experiment.training.clone() else {
        return Err(crate::driver::checks::no_training(&model));
    };
    let schema = front.source.as_ref().and_then(|source| source.schema.as_ref());
    let classes = schema.and_then(|schema| schema.classes()).unwrap_or(2);
    let forward = session.elaborated(experiment.train)?;
    session.check_batch(&forward, options.batch)?;
    let evaluation = session.elaborated(experiment.eval)?;
    let open = session.training_step(&forward, &training.rule, Gradients::Shown)?;
    if options.thorough {
        memory::refuse(session, request, memory::interpreted(&open, options.batch).bytes)?;
    }
    let subject = Subject { options: *options, classes, forward, evaluation, open };
    let mut checks = vec![gradients::check(session, &subject)];
    checks.extend(compiled::check(session, request, &subject)?);
    Ok(Verified { model, checks })
}

/// The model with inputs, parameters and compiled steps.
struct Subject {
    options: VerifyOptions,
    classes: usize,
    /// The graph of training, without gradients.
    forward: Graph,
    /// The graph of evaluation.
    evaluation: Graph,
    /// The training step with all gradients among its outputs.
    open: Graph,
}

impl Subject {
    /// The first step's surroundings of a graph: a batch of drawn samples, first values.
    fn env(&self, graph: &Graph, batch: usize) -> Env {
        let mut env = Env::initial(graph, self.options.seed);
        for input in graph.inputs.values() {
            let name = format!("input.{} of {}", input.name, self.options.seed);
            let shape = input.ty.shape.at(batch);
            let value = random(input.ty.dtype, shape, &name, self.classes);
            env.inputs.insert(input.name.clone(), value);
        }
        env
    }

    /// Compares within a tolerance. Where something is further away, it is compared
    /// once more within what rounding alone makes of these numbers (`spread`, by name), which the
    /// interpreter knows; where that is too much for it, nothing is said.
    fn compared(
        &self,
        graph: &Graph,
        env: &Env,
        outcome: Option<&StepOutcome>,
        compare: impl Fn(&BTreeMap<String, f32>) -> WorstError,
    ) -> Result<WorstError, String> {
        let worst = compare(&BTreeMap::new());
        if worst.part <= 1.0 {
            return Ok(worst);
        }
        let batch = self.options.batch;
        if let Some(why) = self.too_large(memory::interpreted(graph, batch), rounding::PASSES) {
            return Err(format!("{} may be rounding: {why}", worst.place));
        }
        match outcome {
            Some(outcome) => Ok(compare(&rounding::spread(graph, batch, env, outcome))),
            None => match graph::run(graph, batch, env) {
                Ok(outcome) => Ok(compare(&rounding::spread(graph, batch, env, &outcome))),
                Err(_) => Ok(worst),
            },
        }
    }

    /// Why the interpreter is not options for that so many times, if it is not.
    fn too_large(&self, cost: Cost, times: f64) -> Option<String> {
        if self.options.thorough {
            return None;
        }
        let too_many = |number: f64, most: f64, unit: &str| {
            let (number, most) = ((number / 1e6).ceil(), (most / 1e6).ceil());
            format!(
                "{number} {unit} are too many for the interpreter (at most {most}); `--thorough` \
                 checks it"
            )
        };
        let operations = cost.operations * times;
        if operations > MOST_OPERATIONS {
            return Some(too_many(operations, MOST_OPERATIONS, "million operations"));
        }
        (cost.bytes > MOST_BYTES)
            .then(|| too_many(cost.bytes as f64, MOST_BYTES as f64, "MB of memory"))
    }
}
