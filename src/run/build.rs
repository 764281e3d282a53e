//! The preparation of `nnc run`: every step of a run compiled up front, data opened, first values
//! drawn.

use crate::base::diagnostic::Diagnostic;
use crate::base::settings::Settings;
use crate::base::shown::Show;
use crate::base::tensor::Tensor;
use crate::data::{Dataset, Watch};
use crate::driver::checked::Front;
use crate::driver::checks::no_steps;
use crate::driver::checks::{frozen_at_random, no_training, unknown_watched};
use crate::driver::initial::{RunStart, initial};
use crate::driver::layers::{Layer, layers};
use crate::driver::memory;
use crate::driver::schedules::{refuse_unfit, schedules};
use crate::driver::session::{Failure, Request, Session};
use crate::driver::steps::{BoundsChecks, Graphs, StepCompiler, evaluation_batch, overs, programs};
use crate::driver::torch_names::NameTable;
use crate::elaborate::{Experiment, Training};
use crate::files::write;
use crate::graph::Graph;
use crate::graph::rule::{ACCUMULATED, ACCUMULATED_WEIGHT, CLASS_WEIGHTS, MEAN};
use crate::pass::Gradients;
use crate::run::failures::train_failure;
use crate::run::meaning::meaning;
use crate::runtime::checkpoint::Snapshot;
use crate::runtime::pool::Pool;
use crate::runtime::program::{BlockBytes, CompiledProgram, RunMemory};
use crate::runtime::trainer::{Average, Setup, Steps, TrainError, Trainer, row_bytes};
use crate::runtime::weights::{self, StoredTensor};
use crate::schedule::Globals;
use std::path::Path;

/// Options of the command line that no setting of the program has.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The threads that will run.
    pub threads: usize,
    /// The most samples of each split.
    pub limit: Option<usize>,
    /// So many samples to train on, and the same to validate and to test on.
    pub overfit: Option<usize>,
    /// Which part of how many is for validation, in a cross-validation.
    pub fold: Option<(usize, usize)>,
    /// Whether a checkpoint gives all values: files of first values need not be there any more.
    pub goes_on: bool,
}

impl Overrides {
    /// Leaves files of first values out where a checkpoint gives all.
    fn settle(&self, training: &mut Training) {
        if self.goes_on {
            training.settings.init_from = None;
        }
    }

    /// The samples that are used.
    fn choose(&self, data: Dataset) -> Result<Dataset, Failure> {
        let mut data = data;
        if let Some((fold, folds)) = self.fold {
            data = data.fold(fold, folds).map_err(|error| Failure::Data(error.to_string()))?;
        }
        if let Some(samples) = self.overfit {
            data = data.overfit(samples);
        }
        if let Some(samples) = self.limit {
            data = data.limit(samples);
        }
        Ok(data)
    }
}

/// A run that is ready to start.
pub struct BuiltRun {
    /// Warnings about the program.
    pub warnings: Vec<Diagnostic>,
    /// The samples.
    pub data: Dataset,
    pub(crate) model: String,
    pub(crate) training: Training,
    pub(crate) steps: Steps,
    /// The model's layers.
    pub(crate) layers: Vec<Layer>,
    /// A step of training; the batch is still a symbol.
    pub(crate) graph: Graph,
    /// The same for samples of each smaller bucket.
    smaller: Vec<Graph>,
    /// How many updates the run makes.
    pub(crate) run_steps: u64,
    setup: Setup,
    initial: Vec<(String, Tensor)>,
    /// How many of the first values belong to the model; the rest are the optimiser's.
    weights: usize,
    parameters: usize,
    pub(crate) bounds_checks: BoundsChecks,
    /// How the names of a file of weights were matched, where they are not the program's.
    pub(crate) names: Option<NameTable>,
    /// Hashes of the program's parts, by name.
    pub(crate) meaning: Vec<(String, String)>,
}

/// Bytes beside the memory of a run's steps: the first values of parameters and states, the copy that
/// checkpoints are written from, and what metrics gather of all samples of a split.
fn beside(graph: &Graph, steps: &Steps, data: &Dataset) -> usize {
    let other = data.validation.count().max(data.test.count());
    let gathered = row_bytes(&steps.overs, [data.train.count(), other]);
    (2 * memory::variable_bytes(graph)).saturating_add(gathered)
}

/// Compiles and opens all that a run needs; `watch` follows the reading of data.
pub fn run(
    session: &mut Session,
    request: &Request,
    overrides: &Overrides,
    watch: Watch<'_>,
) -> Result<BuiltRun, Failure> {
    let Front { experiment, smaller, source, mut warnings, .. } = session.front(request, true)?;
    let Some(mut training) = experiment.training.clone() else {
        return Err(no_training(&experiment.model));
    };
    let source = source.ok_or_else(|| no_data(&experiment.model))?;
    if let Some(schema) = &source.schema {
        memory::refuse_decoding(request, schema, overrides.threads)?;
    }
    let data = overrides.choose(session.open(&source, watch)?)?;
    overrides.settle(&mut training);
    let run_steps = run_steps(session, &training, &experiment.train, &data)?;
    let model = experiment.model.clone();
    let meaning = meaning(&experiment, &training, &source.request.transforms);
    let layers = layers(&experiment.train);
    // The model's own come first; the optimiser adds its states behind them.
    let weights = experiment.train.variables().filter(|(path, ..)| *path != CLASS_WEIGHTS).count();
    // Of buckets by length the largest comes last.
    let mut all = all_graphs(session, smaller.into_iter().chain([experiment]), &training)?;
    let (fields, globals) = (data.fields(true), Globals::default());
    let mut compiler = StepCompiler { session, request, fields, globals, run_steps };
    let (steps, bounds_checks) =
        compiler.steps(&all, &training.rule, &training.settings, &data, overs(&training))?;
    let graphs = all.pop().expect("a run has graphs");
    let (programs, threads) = (programs(&steps).collect::<Vec<_>>(), overrides.threads);
    let beside = beside(&graphs.train, &steps, &data);
    memory::refuse_too_large(session, request, &programs, threads, beside)?;
    let of = (&graphs.train, &graphs.evaluate);
    let start = initial(session, request, of, &training.settings, &data)?;
    let RunStart { values: mut initial, given, names } = start;
    if !overrides.goes_on {
        warnings.extend(frozen_at_random(&training, &graphs.train, &given));
    }
    // What is no weight of the model's stands behind those that are.
    initial.sort_by_key(|(path, _)| path == CLASS_WEIGHTS || path.starts_with(OPTIMIZER));
    let setup = setup(&training, (&data, &graphs.evaluate), run_steps, &initial);
    Ok(BuiltRun {
        warnings,
        data,
        model,
        training,
        steps,
        layers,
        parameters: graphs.train.parameter_count(),
        graph: graphs.train,
        smaller: all.into_iter().map(|graphs| graphs.train).collect(),
        run_steps,
        setup,
        initial,
        weights,
        bounds_checks,
        names,
        meaning,
    })
}

/// The graphs of each experiment.
fn all_graphs(
    session: &mut Session,
    experiments: impl Iterator<Item = Experiment>,
    training: &Training,
) -> Result<Vec<Graphs>, Failure> {
    experiments.map(|experiment| graphs(session, experiment, training)).collect()
}

fn no_data(model: &str) -> Failure {
    Failure::Data(format!(
        "`train {model}` names no data to run on; write `train {model} on DATA {{ … }}`"
    ))
}

/// How many updates the run makes; an error where its settings do not fit the data.
fn run_steps(
    session: &Session,
    training: &Training,
    forward: &Graph,
    data: &Dataset,
) -> Result<u64, Failure> {
    let samples = data.train.count();
    let buckets = 0..data.schema.bucket_count();
    let counts: Vec<usize> = buckets.map(|bucket| data.counts_in(bucket)[0]).collect();
    let steps = training.settings.steps(&counts);
    if steps == 0 {
        return Err(session.program_failure(vec![no_steps(&training.settings, samples)]));
    }
    refuse_unfit(session, training, forward, steps)?;
    let unknown = unknown_watched(training, data.validation.count() > 0);
    match unknown.is_empty() {
        true => Ok(steps),
        false => Err(session.program_failure(unknown)),
    }
}

/// The graphs of the run's steps.
fn graphs(
    session: &mut Session,
    experiment: Experiment,
    training: &Training,
) -> Result<Graphs, Failure> {
    let accumulate = match training.settings.accumulate {
        0 | 1 => None,
        _ => {
            let (forward, rule) = (&experiment.train, &training.rule);
            Some(session.training_step(forward, rule, Gradients::Accumulated)?)
        }
    };
    let evaluate = session.elaborated(experiment.eval.clone())?;
    Ok(Graphs { accumulate, evaluate, train: session.training_graph(experiment)? })
}

/// The beginning of the paths of an optimiser's states.
const OPTIMIZER: &str = "optimizer.";

/// How to train: the settings, and what follows from the data, the graph that is evaluated on them, and
/// the first values.
fn setup(
    training: &Training,
    (data, evaluated): (&Dataset, &Graph),
    run_steps: u64,
    initial: &[(String, Tensor)],
) -> Setup {
    let of_state = |prefix: &'static str| {
        initial.iter().filter_map(move |(path, _)| Some((path, path.strip_prefix(prefix)?)))
    };
    let averages =
        of_state(MEAN).map(|(mean, of)| Average { of: of.to_owned(), mean: mean.clone() });
    let is_accumulated =
        |path: &&String| path.starts_with(ACCUMULATED) || *path == ACCUMULATED_WEIGHT;
    Setup {
        settings: training.settings.clone(),
        best: training.settings.best(data.validation.count() > 0),
        evaluation_batch: evaluation_batch(
            evaluated,
            &[data.validation.count(), data.test.count()],
        ),
        schedules: schedules(&training.rule.graph, run_steps),
        averages: averages.collect(),
        accumulated: initial.iter().map(|(path, _)| path).filter(is_accumulated).cloned().collect(),
    }
}

impl BuiltRun {
    /// The trainer, at the beginning.
    pub fn trainer<'a>(&'a self, pool: &'a mut Pool) -> Trainer<'a> {
        let memory = RunMemory::for_programs(programs(&self.steps), pool.threads());
        Trainer::new(&self.steps, memory, pool, &self.data, self.setup.clone(), &self.initial)
    }

    /// The layers' paths in order, with the part that each has of the model's operations.
    pub fn shares_of_layers(&self) -> Vec<(String, f64)> {
        let all: u64 = self.layers.iter().map(|layer| layer.flops).sum();
        let share = |flops: u64| flops as f64 / all.max(1) as f64;
        self.layers.iter().map(|layer| (layer.path.clone(), share(layer.flops))).collect()
    }

    /// Bytes of the memory that all steps share, for a number of threads.
    pub fn arena(&self, threads: usize) -> usize {
        let blocks = programs(&self.steps).map(CompiledProgram::blocks);
        blocks.fold(BlockBytes::default(), BlockBytes::max).total(threads)
    }

    /// One line that says how the run trains, defaults included.
    pub fn summary(&self, threads: usize) -> String {
        let (data, settings) = (&self.data, self.settings());
        let plural = |count: usize, word: &str| {
            format!("{count} {word}{}", if count == 1 { "" } else { "s" })
        };
        format!(
            "{}: {} parameters, {} + {}, {}, batch {}, seed {}; {} + {} + {} samples of {}, {}",
            self.model,
            self.parameters,
            self.training.loss,
            self.training.optimizer,
            plural(settings.epochs, "epoch"),
            settings.batch,
            settings.seed,
            data.train.count(),
            data.validation.count(),
            data.test.count(),
            data.source,
            plural(threads, "thread"),
        )
    }

    /// The failure that ended the run, with its place in the program where it has one.
    pub fn failure(&self, error: &TrainError, session: &Session) -> Failure {
        train_failure(error, &self.data, &self.bounds_checks, session)
    }

    /// A step of training on samples of a bucket; the batch is still a symbol.
    pub(crate) fn graph_of(&self, bucket: usize) -> &Graph {
        self.smaller.get(bucket).unwrap_or(&self.graph)
    }

    /// How it trains.
    pub fn settings(&self) -> &Settings {
        &self.training.settings
    }

    /// Samples a step.
    pub fn batch(&self) -> usize {
        self.training.settings.batch
    }

    /// How many numbers are trained.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// All parameters and states with their first values.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.initial.iter().map(|(path, value)| (path.as_str(), value))
    }

    /// Room for a copy of all parameters and states.
    pub fn snapshot(&self) -> Snapshot {
        let room =
            |(path, value): (&str, &Tensor)| (path.to_owned(), value.dtype(), value.shape.clone());
        Snapshot::new(self.variables().map(room))
    }

    /// Where each weight is that evaluation takes, and its name in a weights file.
    pub fn evaluated_weights(&self) -> Vec<(String, String)> {
        let averages = &self.setup.averages;
        let place = |(name, _): (&str, &Tensor)| {
            let average = averages.iter().find(|average| average.of == name);
            (average.map_or(name, |average| &average.mean).to_owned(), name.to_owned())
        };
        self.weights().map(place).collect()
    }

    /// The paths of what a weights file holds, with first values.
    pub fn weights(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.initial[..self.weights].iter().map(|(path, value)| (path.as_str(), value))
    }
}

/// Whether a file can be made where the user wants one; asked before hours of training.
pub fn check_writable(path: &Path) -> Result<(), Failure> {
    write::check(path)
        .map_err(|error| Failure::Io(format!("cannot write {}: {error}", path.shown())))
}

/// Writes a result into a file, whole or not at all.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write::replace(path, bytes)
        .map_err(|error| Failure::Io(format!("cannot write {}: {error}", path.shown())))
}

/// Writes the parameters and layer states as evaluation takes them, and what the file says of itself.
pub fn save_weights<'a>(
    path: &Path,
    trainer: &Trainer<'_>,
    weights: impl Iterator<Item = (&'a str, &'a Tensor)>,
    about: Option<&str>,
) -> Result<(), Failure> {
    let entries: Vec<StoredTensor> = weights
        .map(|(name, like)| StoredTensor {
            name: name.to_owned(),
            dtype: like.dtype(),
            shape: like.shape.clone(),
            bytes: trainer.bytes(trainer.average_of(name)).to_vec(),
        })
        .collect();
    let about = about.map(weights::metadata);
    weights::write_entries(path, &entries, about, |_, _, _| Ok(())).map_err(Failure::Io)
}
