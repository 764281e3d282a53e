//! A trained model evaluated on a split of its data: loss and metrics, and what else its task has to say
//! ([`tally`]): what is taken for what, how far numbers are off, the samples that it is most wrong
//! about, and some others.

mod details;
mod kept;
mod tally;
mod target;

pub(crate) use details::tally_bytes;
pub use details::{
    Answer, ClassCount, ClassCounts, Details, EvaluatedSample, Keep, MOST_COLUMNS, MOST_POINTS,
    NumberColumn, NumberErrors,
};
pub(crate) use tally::largest;

use crate::base::shown::Show;
use crate::base::task::{OutputTask, Task};
use crate::base::tensor::Tensor;
use crate::data::{Dataset, SplitPass, Watch};
use crate::driver::memory::{refuse_too_large, variable_bytes};
use crate::driver::session::{Failure, Request, Session};
use crate::driver::steps::{BoundsChecks, StepCompiler, programs};
use crate::elaborate::Training;
use crate::run::failures::train_failure;
use crate::run::folder::RunInfo;
use crate::run::trained::{self, Model, Trained};
use crate::runtime::pool::Pool;
use crate::runtime::program::{CompiledProgram, RunMemory};
use crate::runtime::trainer::{Scores, Setup, Steps, TrainError, Trainer, row_bytes};
use crate::schedule::Globals;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tally::Tally;

/// The splits of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitName {
    /// The split to train on, in its order and without augmentation.
    Train,
    /// The split for validation.
    Validation,
    /// The split for the test at the end.
    Test,
}

/// A model that is evaluated.
pub struct Evaluation {
    /// The sources and times of compilation.
    pub session: Session,
    /// The samples that it is evaluated by, as the test split.
    pub data: Dataset,
    /// Where its weights are from.
    pub weights: PathBuf,
    /// The model's name.
    pub model: String,
    training: Training,
    steps: Steps,
    bounds_checks: BoundsChecks,
    initial: Vec<(String, Tensor)>,
}

/// Scores of a model on a split.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// Loss and metrics.
    pub scores: Scores,
    /// Counts by class or errors of numbers, as the task has it.
    pub details: Details,
    /// The same of the model's further outputs, by their names.
    pub others: Vec<(String, Details)>,
}

/// Compiles a trained model for a split of its data, or of other data of the same kind.
pub fn evaluation(
    request: &Request,
    model: &Model,
    split: SplitName,
    limit: Option<usize>,
    watch: Watch<'_>,
) -> Result<Evaluation, Failure> {
    let mut session = Session::new(None);
    let mut request = request.clone();
    let Trained { info, weights, from } = trained::find(&mut session, &mut request, model)?;
    request.fitted = trained::samples(info.as_ref(), &from).map(|it| Arc::new(it.schema));
    let front = session.front(&request, true)?;
    let Some(training) = front.experiment.training.clone() else {
        return Err(crate::driver::checks::no_training(&front.experiment.model));
    };
    let Some(source) = front.source else {
        let message = format!("`train {}` names no data to evaluate it on", front.experiment.model);
        return Err(Failure::Data(message));
    };
    let data = session.open(&source, watch)?;
    same_classes(&known_classes(info.as_ref(), &from), &data.classes).map_err(Failure::Data)?;
    let data = chosen(data, split, info.and_then(|info| info.fold), limit)?;
    let graph = session.elaborated(front.experiment.eval.clone())?;
    let initial = trained::fitted(&graph, weights, &from)?;
    let globals = Globals::default();
    let fields = data.fields(true);
    let mut compiler =
        StepCompiler { session: &mut session, request: &request, fields, globals, run_steps: 1 };
    let overs = crate::driver::steps::overs(&training);
    let mut beside = variable_bytes(&graph);
    beside = beside.saturating_add(row_bytes(&overs, [data.test.count(), 0]));
    let mut graphs = Vec::new();
    for experiment in front.smaller {
        graphs.push(compiler.session.elaborated(experiment.eval)?);
    }
    graphs.push(graph);
    let (steps, bounds_checks) = compiler.evaluation_steps(&graphs, &data, overs)?;
    let programs: Vec<&CompiledProgram> = programs(&steps).collect();
    refuse_too_large(&session, &request, &programs, 1, beside)?;
    let bounds_checks = BoundsChecks { train: Vec::new(), evaluate: bounds_checks };
    let model = front.experiment.model;
    Ok(Evaluation { session, data, weights: from, model, training, steps, bounds_checks, initial })
}

/// The samples of a split as the test split; `fold` is the run's part of a cross-validation.
fn chosen(
    data: Dataset,
    split: SplitName,
    fold: Option<(usize, usize)>,
    limit: Option<usize>,
) -> Result<Dataset, Failure> {
    let data = match fold {
        Some((fold, folds)) => {
            data.fold(fold, folds).map_err(|error| Failure::Data(error.to_string()))?
        }
        None => data,
    };
    let (name, samples) = match split {
        SplitName::Train => ("training", data.train.clone()),
        SplitName::Validation => ("validation", data.validation.clone()),
        SplitName::Test => ("test", data.test.clone()),
    };
    let data = data.only(samples);
    let data = match limit {
        Some(limit) => data.limit(limit),
        None => data,
    };
    match data.test.count() {
        0 => Err(Failure::Data(format!("the data have no {name} samples"))),
        _ => Ok(data),
    }
}

/// The names of the classes that weights tell apart: as their file says, else as their run does.
/// None where classes are numbers.
fn known_classes(info: Option<&RunInfo>, weights: &Path) -> Vec<String> {
    let about = trained::about(weights).map(|about| about.classes);
    about.or(info.map(|info| info.classes.clone())).unwrap_or_default()
}

/// Whether the data have the classes that the model was trained on, in their order: a label is a
/// place among the names.
fn same_classes(known: &[String], found: &[String]) -> Result<(), String> {
    if known.is_empty() || found.is_empty() || known == found {
        return Ok(());
    }
    let list = |names: &[String]| {
        let shown: Vec<String> = names.iter().take(10).map(|it| it.shown().to_string()).collect();
        let more = if names.len() > 10 { ", …" } else { "" };
        format!("{}{more}", shown.join(", "))
    };
    Err(format!(
        "the model was trained on the classes {}, but the data have {}: labels would be of other \
         classes",
        list(known),
        list(found)
    ))
}

impl Evaluation {
    /// Judges the model; remembers so many of the samples that it is most wrong about.
    pub fn evaluate_split(&self, pool: &mut Pool, worst: usize) -> Result<Evaluated, Failure> {
        let memory = RunMemory::for_programs(programs(&self.steps), pool.threads());
        let setup = Setup::evaluation(self.steps.train.batch);
        let mut trainer = Trainer::new(&self.steps, memory, pool, &self.data, setup, &self.initial);
        let keep = Keep { worst, random: 0 };
        let evaluated = evaluate_test(&mut trainer, &self.data, &self.training.tasks, keep);
        evaluated
            .map_err(|error| train_failure(&error, &self.data, &self.bounds_checks, &self.session))
    }

    /// The task of the model.
    pub fn task(&self) -> Task {
        self.training.task()
    }
}

/// Judges a model, as a trainer has it, by the test samples of its data.
pub(crate) fn evaluate_test(
    trainer: &mut Trainer<'_>,
    data: &Dataset,
    tasks: &[OutputTask],
    keep: Keep,
) -> Result<Evaluated, TrainError> {
    let mut tallies: Vec<Tally<'_>> =
        tasks.iter().map(|task| Tally::new(data, task, keep)).collect();
    let scores = trainer.evaluate(SplitPass::Test, &[], &mut |batch| {
        tallies.iter_mut().for_each(|tally| tally.add(batch));
    })?;
    let mut details = tallies.into_iter().map(Tally::finish);
    let first = details.next().unwrap_or_default();
    let others = tasks.iter().skip(1).map(|task| task.output.clone()).zip(details).collect();
    Ok(Evaluated { scores, details: first, others })
}

impl Evaluated {
    /// The details of each output, in the order of the tasks.
    pub fn into_details(self) -> Vec<Details> {
        std::iter::once(self.details).chain(self.others.into_iter().map(|it| it.1)).collect()
    }
}
