//! `nnc grad`: one training step on given tensors, in any engine, with everything that it makes of
//! them.
//!
//! ```text
//! input.x  input.label  param.dense.weight …          the file that is read
//! output  loss  grad.input.x  grad.param.dense.weight  state.…      the file that is written
//! output.kind  output.box  loss  …                     the same, of a model that gives a record
//! param.dense.weight …                                 with steps: after that many
//! ```
//!
//! With `input.mix`, samples are mixtures of two, and `input.label_2` is the other's label.
//!
//! [`given`] fits the file to the model, [`engine`] runs the step. The program is elaborated as if
//! it named no data, so inputs are what the model declares; nothing is shuffled or loaded.

mod engine;
mod given;

pub use engine::Engine;

use crate::base::schema::MIX;
use crate::base::settings::ClassWeights;
use crate::base::shown::Show;
use crate::base::step_output::StepOutput;
use crate::base::tensor::{Data, Tensor};
use crate::driver::checks::no_training;
use crate::driver::compiled::{indices_a_sample, place};
use crate::driver::initial::class_weights;
use crate::driver::memory;
use crate::driver::session::{Failure, Request, Session};
use crate::graph::rule::{CLASS_WEIGHTS, NORM_LIMIT, NORM_SCALE};
use crate::graph::{Graph, Type};
use crate::pass::Gradients;
use crate::run::build::check_writable;
use crate::run::failures::bad_index;
use crate::runtime::trainer::SMALL_NORM;
use crate::runtime::weights::{self, LoadError};
use engine::{PreparedStep, Stop};
use given::StepInputs;
use std::path::PathBuf;

/// The seed of parameters that are not given, and of random operators.
pub const SEED: u64 = 0;

/// The step to run, and where its tensors are from.
#[derive(Clone, Debug)]
pub struct GradOptions {
    /// The file with inputs, parameters and states.
    pub tensors: PathBuf,
    /// The file to write.
    pub out: PathBuf,
    /// The engine that runs the step.
    pub engine: Engine,
    /// Threads.
    pub threads: usize,
    /// Optimiser steps after which the parameters are written as well; none where 0.
    pub steps: u64,
}

/// Facts about the step that was run, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graded {
    /// The model.
    pub model: String,
    /// Samples.
    pub batch: usize,
    /// Tensors written.
    pub written: usize,
    /// The paths of parameters that were not given, which were drawn.
    pub drawn: Vec<String>,
    /// The paths of states that were not given, which began as the program says.
    pub fresh: Vec<String>,
    /// The first step whose loss or gradient was not finite, so that it changed nothing.
    pub not_finite: Option<u64>,
}

/// Reads tensors, runs the model's training step on them, writes what it made.
pub fn grad(
    session: &mut Session,
    request: &Request,
    asked: &GradOptions,
) -> Result<Graded, Failure> {
    check_writable(&asked.out)?;
    let tensors = weights::load(&asked.tensors).map_err(|error| match error {
        LoadError::Io(message) => Failure::Io(message),
        LoadError::Malformed(message) => Failure::Data(message),
    })?;
    // As `nnc data --batch` writes those of `mixup` and `cutmix`.
    let mix = format!("input.{MIX}");
    let mixed = tensors.iter().any(|(name, _)| *name == mix);
    let experiment = session.front_without_data(request, mixed)?;
    let Some(training) = &experiment.training else {
        return Err(no_training(&experiment.model));
    };
    let forward = session.elaborated(experiment.train.clone())?;
    let own_states = forward.states.len();
    let graph = session.training_step(&forward, &training.rule, Gradients::Shown)?;
    // What is not given is drawn.
    memory::refuse(session, request, memory::variable_bytes(&graph))?;
    let mut given = given::fit(&graph, own_states, tensors, SEED).map_err(|complaints| {
        let (file, model) = (asked.tensors.shown(), &experiment.model);
        Failure::Data(format!("{file} does not fit `{model}`:\n  {}", complaints.join("\n  ")))
    })?;
    if let Some(weights) = &training.settings.class_weights
        && given.fresh.iter().any(|path| path == CLASS_WEIGHTS)
    {
        weigh(weights, &mut given)?;
    }
    // A run of as many steps as are asked for, and of one at least.
    let with_params = asked.steps > 0;
    let asked = &GradOptions { steps: asked.steps.max(1), ..asked.clone() };

    let mut prepared = engine::prepare(session, request, asked, &graph, &given)?;
    let mut not_finite = None;
    let mut step = |prepared: &mut PreparedStep, number| -> Result<(), Failure> {
        let finite = guarded_step(session, prepared, number, &given)?;
        not_finite = not_finite.or((!finite).then_some(number));
        Ok(())
    };
    step(&mut prepared, 1)?;
    let mut made = first_step(&graph, own_states, &prepared, &given);
    for number in 2..=asked.steps {
        step(&mut prepared, number)?;
    }
    if with_params {
        made.extend(graph.params.values().map(|param| {
            let value = left(&prepared, &given, &param.path);
            (format!("param.{}", param.path), shaped(value, &param.ty, given.batch))
        }));
    }
    weights::save(&asked.out, &made).map_err(Failure::Io)?;
    let StepInputs { batch, drawn, fresh, .. } = given;
    Ok(Graded { model: experiment.model, batch, written: made.len(), drawn, fresh, not_finite })
}

/// The weights of classes, as a run has them whose data are the batch.
fn weigh(weights: &ClassWeights, given: &mut StepInputs) -> Result<(), Failure> {
    let label = given.inputs.get("label").map(|label| &label.data);
    let labels: Option<Vec<usize>> = match label {
        // A label out of range is reported by the step.
        Some(Data::I32(labels)) => {
            Some(labels.iter().filter_map(|&label| usize::try_from(label).ok()).collect())
        }
        _ => None,
    };
    if let Some(value) = given.kept.get_mut(CLASS_WEIGHTS) {
        value.data = Data::F32(class_weights(weights, labels, value.len())?);
    }
    given.fresh.retain(|path| path != CLASS_WEIGHTS);
    Ok(())
}

/// Runs a step that writes nothing that is not finite; whether its numbers were finite.
fn guarded_step(
    session: &mut Session,
    prepared: &mut PreparedStep,
    number: u64,
    given: &StepInputs,
) -> Result<bool, Failure> {
    let paths = given.kept.keys();
    let value = |path: &String| Some((path.clone(), prepared.step.kept(path)?));
    let before: Vec<(String, Tensor)> = paths.filter_map(value).collect();
    prepared.step.set(NORM_SCALE, 1.0);
    prepared.step.set(NORM_LIMIT, f64::from(f32::MAX));
    run_step(session, prepared, number, given)?;
    let finite =
        |prepared: &PreparedStep| scalar(&prepared.step.output(&StepOutput::Finite)) != 0.0;
    let overflows = scalar(&prepared.step.output(&StepOutput::GradSquare)) == f32::INFINITY;
    if !finite(prepared)
        && overflows
        && scalar(&prepared.step.output(&StepOutput::Loss)).is_finite()
    {
        // As in a run: squares that are infinite though the gradients are not.
        if !prepared.step.set(NORM_SCALE, SMALL_NORM) {
            prepared.step.set(NORM_LIMIT, f64::INFINITY);
        }
        run_step(session, prepared, number, given)?;
    }
    if !finite(prepared) {
        return Ok(false);
    }
    let sound = before.iter().all(|(path, _)| match prepared.step.kept(path).map(|it| it.data) {
        Some(Data::F32(values)) => values.iter().all(|value| value.is_finite()),
        _ => true,
    });
    if !sound {
        prepared.step.put(&before);
    }
    Ok(sound)
}

/// Runs a step and turns what stopped it into a report.
fn run_step(
    session: &mut Session,
    prepared: &mut PreparedStep,
    number: u64,
    given: &StepInputs,
) -> Result<(), Failure> {
    let PreparedStep { graph, step } = prepared;
    let run = || match step.run(number) {
        Ok(()) => Ok(None),
        Err(Stop::Index { node, element }) => Ok(Some((node, element))),
        Err(Stop::Bug(message)) => Err(vec![message]),
    };
    let stopped = session.pass("step", || graph.to_string(), run, |_| String::new())?;
    let Some((node, element)) = stopped else { return Ok(()) };
    let sample = element / indices_a_sample(graph, node, given.batch);
    let diagnostic = bad_index(place(&session.sources, graph, node), "the batch", sample);
    Err(session.program_failure(vec![diagnostic]))
}

/// Tensors that the training step gives.
fn first_step(
    graph: &Graph,
    own_states: usize,
    prepared: &PreparedStep,
    given: &StepInputs,
) -> Vec<(String, Tensor)> {
    let output = |from: &StepOutput| {
        let node = graph.output(from)?;
        Some(shaped(prepared.step.output(from), graph.ty(node), given.batch))
    };
    let is_plain = |name: &StepOutput| {
        matches!(name, StepOutput::Output | StepOutput::Part(_) | StepOutput::Loss)
    };
    let plain = graph.outputs.iter().map(|output| output.name.clone()).filter(is_plain);
    let inputs = graph.inputs.values().map(|input| StepOutput::InputGradient(input.name.clone()));
    // In files, inputs' and parameters' gradients are told apart.
    let params = graph.params.values().map(|param| &param.path);
    let params =
        params.map(|path| (format!("grad.param.{path}"), StepOutput::Gradient(path.clone())));
    // Integers have no gradient, and so no output.
    let outputs = plain.chain(inputs).map(|output| (output.to_string(), output)).chain(params);
    let mut made: Vec<(String, Tensor)> =
        outputs.filter_map(|(name, from)| Some((name, output(&from)?))).collect();
    made.extend(graph.states.values().take(own_states).map(|state| {
        let value = left(prepared, given, &state.path);
        (format!("state.{}", state.path), shaped(value, &state.ty, given.batch))
    }));
    made
}

/// A parameter or state as it is now; what no step touches has no place in memory, and stays.
fn left(prepared: &PreparedStep, given: &StepInputs, path: &str) -> Tensor {
    prepared.step.kept(path).unwrap_or_else(|| given.kept[path].clone())
}

/// A tensor of one axis in its true shape.
fn shaped(flat: Tensor, ty: &Type, batch: usize) -> Tensor {
    Tensor::new(ty.shape.at(batch), flat.data)
}

fn scalar(tensor: &Tensor) -> f32 {
    match &tensor.data {
        Data::F32(values) => values[0],
        other => panic!("a scalar f32, not {}", other.dtype()),
    }
}
