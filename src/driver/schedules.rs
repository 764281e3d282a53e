//! The schedules of a run: what they are at a step, and whether they fit the run's length.
//!
//! The optimiser's rule names each scheduled argument as an output `scheduled.lr`; here its uniform
//! instructions are collected, so that a report can evaluate them without a step being run.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::step_output::StepOutput;
use crate::driver::session::{Failure, Session};
use crate::elaborate::{Driven, GRADIENT_KEYS, SCHEDULED, Training};
use crate::graph::rule::LR_SCALE;
use crate::graph::{Graph, RUN_STEPS};
use crate::lower::uniform::Collected;
use crate::runtime::trainer::Schedules;

/// How many steps of a run are looked at, for numbers that are none or outside their domain.
const LOOKED_AT: u64 = 20_000;

/// A value for each hyper-parameter: as written, but for the number of the run's steps.
pub(crate) fn hypers(declared: &[(String, f64)], steps: u64) -> Vec<f64> {
    let value =
        |(name, value): &(String, f64)| if name == RUN_STEPS { steps as f64 } else { *value };
    declared.iter().map(value).collect()
}

/// The values of the rule's scheduled arguments in a run of so many steps.
pub(crate) fn schedules(rule: &Graph, steps: u64) -> Schedules {
    let mut collected = Collected::default();
    let mut names = Vec::new();
    for output in &rule.outputs {
        let StepOutput::Named(name) = &output.name else { continue };
        let Some(name) = name.strip_prefix(SCHEDULED) else { continue };
        // The output is the rounded number; the number itself stays in 64 bits.
        collected.element(rule, output.node);
        names.push(name.to_owned());
    }
    let uniforms = collected.finish(rule);
    let hypers = hypers(&uniforms.hypers, steps);
    let lr_scale = uniforms.hypers.iter().position(|(name, _)| name == LR_SCALE);
    let known = names.iter().any(|name| name == "lr");
    let lr = rule.hypers.values().find(|hyper| hyper.name == "lr" && !known);
    let constant_lr = lr.map(|hyper| hyper.value as f32);
    Schedules { names, uniforms, hypers, lr_scale, constant_lr }
}

/// Refuses schedules that make no sense in a run of so many steps.
pub(crate) fn refuse_unfit(
    session: &Session,
    training: &Training,
    train: &Graph,
    steps: u64,
) -> Result<(), Failure> {
    let found = misfits(training, train, steps);
    if found.is_empty() { Ok(()) } else { Err(session.program_failure(found)) }
}

/// Schedules that make no sense in a run of so many steps; `train` is the training graph.
pub(crate) fn misfits(training: &Training, train: &Graph, steps: u64) -> Vec<Diagnostic> {
    let long = training.warm_ups.iter().filter(|warm_up| steps > 0 && warm_up.steps >= steps);
    let mut found: Vec<Diagnostic> = long
        .map(|warm_up| {
            let message = format!("a warm-up of {} steps in a run of {steps}", warm_up.steps);
            Diagnostic::error(codes::SCHEDULE, message)
                .primary(warm_up.span, "as long as the run, or longer")
                .help("make the warm-up shorter, or the run longer by `epochs`")
        })
        .collect();
    if found.is_empty() {
        found.extend(unfit(training, steps));
    }
    if found.is_empty() {
        found.extend(outside(&training.rule.graph, &training.driven, steps));
        found.extend(outside(train, &training.driven_in_step, steps));
    }
    found
}

/// The steps of a run that are looked at: evenly, with the last one.
fn looked_at(steps: u64) -> impl Iterator<Item = u64> {
    let every = steps.div_ceil(LOOKED_AT).max(1);
    let every = usize::try_from(every).unwrap_or(usize::MAX);
    (1..=steps).step_by(every).chain([steps])
}

/// The arguments that a schedule takes out of their domain, each at the first such step.
fn outside(graph: &Graph, driven: &[Driven], steps: u64) -> Vec<Diagnostic> {
    let mut collected = Collected::default();
    let elements: Vec<usize> =
        driven.iter().map(|argument| collected.element(graph, argument.node)).collect();
    let uniforms = collected.finish(graph);
    let hypers = hypers(&uniforms.hypers, steps);
    let mut found: Vec<Option<Diagnostic>> = vec![None; driven.len()];
    for step in looked_at(steps) {
        let values = uniforms.eval(step, &hypers);
        for ((argument, &element), found) in driven.iter().zip(&elements).zip(&mut found) {
            let value = values[element];
            if found.is_some() || argument.takes(value) {
                continue;
            }
            let Driven { argument, must, span, .. } = argument;
            let message =
                format!("{argument} must be {must}, but is {value} in step {step} of {steps}");
            *found = Some(Diagnostic::error(codes::DOMAIN, message).primary(*span, ""));
        }
    }
    found.into_iter().flatten().collect()
}

/// The first step at which a schedule gives no finite number, or a setting of gradients a negative
/// one: that would turn them round.
fn unfit(training: &Training, steps: u64) -> Option<Diagnostic> {
    let schedules = schedules(&training.rule.graph, steps);
    let refused = |(name, value): &(String, f32)| {
        !value.is_finite() || *value < 0.0 && GRADIENT_KEYS.contains(&name.as_str())
    };
    let (step, (name, value)) = looked_at(steps)
        .find_map(|step| schedules.at(step).into_iter().find(refused).map(|found| (step, found)))?;
    let message = format!("the schedule of `{name}` is {value} in step {step} of {steps}");
    let error = Diagnostic::error(codes::SCHEDULE, message);
    let place = training.settings.places.get(&name);
    Some(match place.or_else(|| training.settings.places.get("optimizer")) {
        Some(&place) => error.primary(place, ""),
        None => error,
    })
}
