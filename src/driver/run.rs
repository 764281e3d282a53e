//! What `nnc run` needs: every step of a run compiled up front, data opened, first values drawn.

use super::front::Front;
use super::memory::refuse_too_large;
use super::pipeline::Compiled;
use super::schedules::{hypers, refuse_unfit, schedules};
use super::session::{Failure, Request, Session};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::base::tensor::Tensor;
use crate::data::{Dataset, FeedError, Watch};
use crate::elaborate::{self, LastBatch, Training};
use crate::graph::Graph;
use crate::graph::init::initial_value;
use crate::lower::Globals;
use crate::runtime::pool::Pool;
use crate::runtime::program::{Blocks, Memory, Program};
use crate::runtime::trainer::{Settings, Step, Steps, TrainError, Trainer};
use crate::runtime::weights;
use std::collections::BTreeMap;
use std::path::Path;

/// What the command line says instead of the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Epochs.
    pub epochs: Option<usize>,
    /// Samples a step.
    pub batch: Option<usize>,
    /// The seed.
    pub seed: Option<u64>,
    /// The threads that will run.
    pub threads: usize,
}

/// A run that is ready to start.
pub struct Run {
    /// What is suspicious in the program.
    pub warnings: Vec<Diagnostic>,
    /// The samples.
    pub data: Dataset,
    model: String,
    training: Training,
    steps: Steps,
    settings: Settings,
    initial: Vec<(String, Tensor)>,
    /// How many of the first values belong to the model; the rest are the optimiser's.
    weights: usize,
    parameters: usize,
    sites: Sites,
}

/// Where the indexed operators of the two kinds of step stand.
struct Sites {
    train: Vec<Option<Span>>,
    evaluate: Vec<Option<Span>>,
}

/// Compiles and opens all that a run needs; `watch` follows the reading of data.
pub fn run(
    session: &mut Session,
    request: &Request,
    overrides: &Overrides,
    watch: Watch<'_>,
) -> Result<Run, Failure> {
    let Front { experiment, source, warnings } = session.front(request, true)?;
    let Some(mut training) = experiment.training.clone() else {
        return Err(no_training(&experiment.model));
    };
    let Some(source) = source else {
        return Err(Failure::Data(format!(
            "`train {}` names no data to run on; write `train {} on DATA {{ … }}`",
            experiment.model, experiment.model
        )));
    };
    let data = session.open(&source, watch)?;
    training.settings.batch = overrides.batch.unwrap_or(training.settings.batch);
    training.settings.epochs = overrides.epochs.unwrap_or(training.settings.epochs);
    let said = &training.settings;
    let run_steps = said.steps(data.train.count());
    refuse_unfit(session, &training, run_steps)?;
    let settings = Settings {
        epochs: said.epochs,
        seed: overrides.seed.unwrap_or(said.seed),
        shuffle: said.shuffle,
        evaluation_batch: evaluation_batch(&[data.validation.count(), data.test.count()]),
        schedules: schedules(&training.rule.graph, run_steps),
    };
    let model = experiment.model.clone();
    let evaluation = session.elaborated(experiment.eval.clone())?;
    // The model's own come first; the optimiser adds its states behind them.
    let weights = experiment.train.lasting().count();
    let graph = session.training_graph(experiment)?;
    let globals = Globals::default();
    let mut compiler = Compiler { session, request, data: &data, globals, run_steps };
    let (steps, sites) = compiler.steps(&graph, &evaluation, &training, &settings)?;
    let programs: Vec<&Program> = programs(&steps).collect();
    refuse_too_large(session, request, &programs, overrides.threads)?;
    let initial = graph
        .lasting()
        .map(|(path, ty, init)| (path.to_string(), initial_value(init, ty, path, settings.seed)))
        .collect();
    let parameters = graph.parameter_count();
    Ok(Run {
        warnings,
        data,
        model,
        training,
        steps,
        settings,
        initial,
        weights,
        parameters,
        sites,
    })
}

/// The programs of a run, which share their memory.
fn programs(steps: &Steps) -> impl Iterator<Item = &Program> {
    let Steps { train, last, evaluate } = steps;
    [train].into_iter().chain(last).chain(evaluate.values()).map(|step| &step.program)
}

/// What is missing where no `train` block is about a model.
pub(super) fn no_training(model: &str) -> Failure {
    Failure::Data(format!(
        "nothing says how to train `{model}`; add `train {model} on DATA {{ loss = … }}`"
    ))
}

/// Compiles the steps of one run over the same parameters.
struct Compiler<'a> {
    session: &'a mut Session,
    request: &'a Request,
    data: &'a Dataset,
    globals: Globals,
    /// How many steps the run has.
    run_steps: u64,
}

impl Compiler<'_> {
    fn steps(
        &mut self,
        graph: &Graph,
        evaluation: &Graph,
        training: &Training,
        settings: &Settings,
    ) -> Result<(Steps, Sites), Failure> {
        let data = self.data;
        let counts = [data.train.count(), data.validation.count(), data.test.count()];
        let batches = Batches::of(&training.settings, counts);
        debug_assert_eq!(batches.evaluation, settings.evaluation_batch);
        let (train, train_sites) = self.step(graph, batches.train)?;
        let last = match batches.last {
            Some(left) => Some(self.step(graph, left)?.0),
            None => None,
        };
        let mut evaluate = BTreeMap::new();
        let mut evaluate_sites = Vec::new();
        for batch in batches.evaluate {
            let (step, sites) = self.step(evaluation, batch)?;
            evaluate.insert(batch, step);
            evaluate_sites = sites;
        }
        let sites = Sites { train: train_sites, evaluate: evaluate_sites };
        Ok((Steps { train, last, evaluate }, sites))
    }

    fn step(&mut self, graph: &Graph, batch: usize) -> Result<(Step, Vec<Option<Span>>), Failure> {
        let target = &self.request.target;
        let compiled = self.session.compile(graph, batch, &mut self.globals, target)?;
        let Compiled { program, batch, sites, indices, .. } = compiled;
        let fields = self.data.fields(true);
        let inputs = fields.iter().map(|field| format!("input.{}", field.name)).collect();
        let hypers = hypers(&program.loops().uniforms.hypers, self.run_steps);
        Ok((Step { program, batch, inputs, indices, hypers }, sites))
    }
}

/// The batches of a run's steps.
pub(super) struct Batches {
    /// That of training.
    pub train: usize,
    /// What is left for the last step of an epoch.
    pub last: Option<usize>,
    /// The largest of evaluation.
    pub evaluation: usize,
    /// Those of evaluation, each once, in the order in which their steps are compiled.
    pub evaluate: Vec<usize>,
}

impl Batches {
    /// For so many samples to train on, to validate and to test on.
    pub fn of(settings: &elaborate::Settings, [train, validation, test]: [usize; 3]) -> Batches {
        let left = train % settings.batch;
        let last = (settings.last_batch == LastBatch::Keep && left > 0).then_some(left);
        let evaluation = evaluation_batch(&[validation, test]);
        let mut evaluate = Vec::new();
        for count in [validation, test] {
            for batch in [evaluation.min(count), count % evaluation] {
                if batch > 0 && !evaluate.contains(&batch) {
                    evaluate.push(batch);
                }
            }
        }
        Batches { train: settings.batch, last, evaluation, evaluate }
    }
}

/// Samples a step of evaluation: large for speed, and one that divides every split if there is
/// one, so that a single step serves all.
fn evaluation_batch(counts: &[usize]) -> usize {
    const LARGEST: usize = 256;
    const SMALLEST: usize = 100;
    let divides = |batch: &usize| counts.iter().all(|count| count % batch == 0);
    (SMALLEST..=LARGEST).rev().find(divides).unwrap_or(LARGEST)
}

impl Run {
    /// The trainer, at the beginning.
    pub fn trainer<'a>(&'a self, pool: &'a mut Pool) -> Trainer<'a> {
        let memory = Memory::for_programs(programs(&self.steps), pool.threads());
        Trainer::new(&self.steps, memory, pool, &self.data, self.settings.clone(), &self.initial)
    }

    /// Bytes of the memory that all steps share, for a number of threads.
    pub fn arena(&self, threads: usize) -> usize {
        let blocks = programs(&self.steps).map(Program::blocks);
        blocks.fold(Blocks::default(), Blocks::max).total(threads)
    }

    /// What will be done, defaults included, in a line.
    pub fn summary(&self, threads: usize) -> String {
        let (data, settings) = (&self.data, &self.settings);
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
            self.training.settings.batch,
            settings.seed,
            data.train.count(),
            data.validation.count(),
            data.test.count(),
            data.source,
            plural(threads, "thread"),
        )
    }

    /// The paths and shapes of what a weights file holds.
    pub fn weights(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.initial[..self.weights].iter().map(|(path, value)| (path.as_str(), &value.shape[..]))
    }
}

/// Whether a file can be made where the user wants one; asked before hours of training.
pub fn check_writable(path: &Path) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if path.is_dir() {
        return Err(Failure::Io(format!("cannot write {}: it is a folder", path.display())));
    }
    match tempfile::NamedTempFile::new_in(folder) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(Failure::Io(format!("cannot write to {}: {}", folder.display(), error.kind())))
        }
    }
}

/// Writes the parameters and layer states as they are.
pub fn save_weights<'a>(
    path: &Path,
    trainer: &Trainer<'_>,
    weights: impl Iterator<Item = (&'a str, &'a [usize])>,
) -> Result<(), Failure> {
    let tensors: Vec<(String, Tensor)> = weights
        .map(|(name, shape)| (name.to_string(), Tensor::new(shape, trainer.read(name).data)))
        .collect();
    weights::save(path, &tensors).map_err(Failure::Io)
}

/// What ended training, with its place in the program where it has one.
pub fn train_failure(error: &TrainError, run: &Run, session: &Session) -> Failure {
    let diagnostic = match error {
        TrainError::NotFinite { epoch, step, loss } => not_finite(*epoch, *step, *loss),
        TrainError::BadIndex { site, split, sample } => {
            let sites = if *split == "train" { &run.sites.train } else { &run.sites.evaluate };
            let place = sites.get(*site as usize).copied().flatten();
            let diagnostic = bad_index(place, &format!("the {split} data"), *sample);
            match run.data.schema.classes {
                Some(classes) => diagnostic.note(format!("the data has {classes} classes")),
                None => diagnostic,
            }
        }
        TrainError::NoSamples(split) => {
            Diagnostic::error(codes::NO_SAMPLES, format!("the {split} split has too few samples"))
                .help("make `batch` smaller, or write `last_batch = keep`")
        }
        TrainError::Data(error) => return data_failure(error),
    };
    session.program_failure(vec![diagnostic])
}

/// A sample that could not be had.
fn data_failure(failure: &FeedError) -> Failure {
    let FeedError { split, sample, error, panicked } = failure;
    let message = format!("sample {sample} of the {split} data: {error}");
    match panicked {
        true => Failure::Bug { pass: "data".to_string(), message, dump: None },
        false => Failure::Data(message),
    }
}

fn not_finite(epoch: usize, step: usize, loss: f32) -> Diagnostic {
    let what =
        if loss.is_finite() { "the gradient".to_string() } else { format!("the loss ({loss})") };
    Diagnostic::error(
        codes::NOT_FINITE,
        format!("{what} is not finite in step {step} of epoch {epoch}"),
    )
    .note("the parameters are as they were before that step")
    .help("a smaller learning rate is the usual cure")
}

/// An index out of range in a sample of `whose` data.
pub(super) fn bad_index(place: Option<Span>, whose: &str, sample: usize) -> Diagnostic {
    let message = format!("sample {sample} of {whose} has an index outside its range");
    let diagnostic = Diagnostic::error(codes::INDEX_RANGE, message)
        .help("labels count from 0; the model's last layer needs one output for each class");
    match place {
        Some(place) => diagnostic.primary(place, "used as an index here"),
        None => diagnostic,
    }
}
