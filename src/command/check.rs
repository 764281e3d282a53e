//! `nnc check`: finds mistakes with the edits that mend them, or describes a sound program.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::limits::{self, Budget};
use crate::base::schema::Schema;
use crate::base::source::Span;
use crate::base::step_output::StepOutput;
use crate::base::task::Task;
use crate::command::bench::flops;
use crate::command::forecast::{Forecast, Machine};
use crate::command::parameters::{self, ParameterRow};
use crate::command::report::{Bytes, PlanFacts, Report, RunBytes, frozen, left_out};
use crate::data;
use crate::driver::batch::zero_division;
use crate::driver::checked::Front;
use crate::driver::layers::{Layer, layers};
use crate::driver::repair::sound;
use crate::driver::session::{Failure, Request, Session};
use crate::driver::steps::{Batches, evaluation_batch, overs, written};
use crate::driver::torch_names::NameTable;
use crate::elaborate::{Experiment, Training};
use crate::graph::Graph;
use crate::loops::Planned;
use crate::pass::Gradients;
use crate::run::folder::report_bytes;
use crate::runtime::program::BlockBytes;
use crate::runtime::trainer::row_bytes;
use crate::schedule::Globals;

/// The parts of the report that are left out by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions {
    /// The threads that a run would have.
    pub threads: usize,
    /// How long a step takes on this machine.
    pub time: bool,
}

/// Checks a program down to the memory plan of its steps; runs and reads nothing.
pub fn check(
    session: &mut Session,
    request: &Request,
    options: CheckOptions,
) -> Result<Report, Failure> {
    let front = sound(session, request, &Budget::new(limits::FIX_STEPS))?;
    let CheckOptions { threads, time } = options;
    let mut run = data_bytes(&front, threads);
    let known = ProgramFacts::of(&front, session);
    let steps_an_epoch = steps_an_epoch(&front);
    let place = front.experiment.model_span;
    let training = front.experiment.training.clone();
    let weights =
        front.experiment.train.variables().map(|(_, ty, _)| ty.bytes(0)).collect::<Vec<_>>();
    let batches = batches(&front);
    let experiments = (front.experiment, front.smaller);
    let (graph, facts, program) = plans(session, experiments, known.batch, batches)?;
    weight_bytes(&mut run, &weights, training.as_ref(), &graph);
    let mut warnings = front.warnings;
    let peak = run.peak(facts.run.total(threads));
    if let Some(memory) = request.memory.filter(|&memory| peak > memory) {
        warnings.push(little_memory(peak, memory, place));
    }
    let forecast = time.then(|| {
        let machine = Machine::known(request.cache.as_deref(), &request.target, threads);
        let step = machine.step(&program, threads);
        Forecast { step, epoch: steps_an_epoch.map(|steps| steps * step), threads }
    });
    let ProgramFacts {
        model,
        output,
        task,
        layers,
        notes,
        names,
        rows,
        batch,
        trained,
        bucket_names,
    } = known;
    let parameters = graph.parameter_count();
    Ok(Report {
        warnings,
        model,
        output,
        task,
        layers,
        notes,
        names,
        rows,
        parameters,
        batch,
        trained,
        facts,
        bucket_names,
        run,
        forecast,
    })
}

/// The part of a report that is known before steps are planned.
struct ProgramFacts {
    model: String,
    output: String,
    task: Option<Task>,
    layers: Vec<Layer>,
    notes: Vec<String>,
    names: Option<NameTable>,
    rows: Vec<ParameterRow>,
    batch: usize,
    trained: bool,
    bucket_names: Vec<String>,
}

/// The type of a model's output; of a record, `(logits: f32[N, 10], mean: f32[N, 16])`.
fn output_type(graph: &Graph) -> String {
    let parts = graph
        .outputs
        .iter()
        .filter_map(|output| Some((output.name.model_name()?, graph.ty(output.node).to_string())));
    match &parts.collect::<Vec<_>>()[..] {
        [(StepOutput::ONLY, ty)] => ty.clone(),
        parts => {
            let parts = parts.iter().map(|(name, ty)| format!("{name}: {ty}"));
            format!("({})", parts.collect::<Vec<_>>().join(", "))
        }
    }
}

impl ProgramFacts {
    fn of(front: &Front, session: &Session) -> ProgramFacts {
        let experiment = &front.experiment;
        let (forward, training) = (&experiment.train, experiment.training.as_ref());
        let mut notes = left_out(forward, &session.sources);
        notes.extend(frozen(forward, training));
        ProgramFacts {
            model: experiment.model.clone(),
            output: output_type(forward),
            task: training.map(|training| training.task()),
            layers: layers(forward),
            notes,
            names: front.names.clone(),
            rows: parameters::rows(forward, training.map(|training| &training.rule)),
            batch: front.batch(),
            trained: training.is_some(),
            bucket_names: {
                let schema = front.source.as_ref().and_then(|source| source.schema.as_ref());
                let names = |schema: &Schema| {
                    (0..schema.bucket_count()).map(|it| schema.bucket_name(it)).collect()
                };
                schema.map(names).unwrap_or_default()
            },
        }
    }
}

/// Bytes of a run's samples, and of what evaluation keeps of them.
fn data_bytes(front: &Front, threads: usize) -> RunBytes {
    let mut run = RunBytes { threads, ..RunBytes::default() };
    let Some(source) = &front.source else { return run };
    let Some(schema) = &source.schema else { return run };
    let counts = [schema.validation, schema.test].map(Option::unwrap_or_default);
    let evaluation = evaluation_batch(&front.experiment.eval, &counts);
    let batches = [front.batch(), evaluation];
    let tasks = front.experiment.training.as_ref().map(|training| &training.tasks[..]);
    run.data = data::resident_bytes(&source.request, schema);
    run.prefetch = data::prefetch_bytes(&source.request, schema, &batches, threads);
    run.decoding = data::decoding_bytes(schema, threads);
    run.evaluation = report_bytes(tasks.unwrap_or_default(), schema, evaluation);
    if let Some(training) = &front.experiment.training {
        let other = counts.into_iter().max().unwrap_or_default();
        let splits = [schema.train.unwrap_or_default(), other];
        run.evaluation += row_bytes(&overs(training), splits);
    }
    run
}

/// Adds the bytes of copies of parameters and states that a run keeps beside its steps: `weights`
/// are those of the model's own, `graph` is the training step.
fn weight_bytes(run: &mut RunBytes, weights: &[usize], training: Option<&Training>, graph: &Graph) {
    if training.is_some_and(|training| training.settings.ema.is_some()) {
        // A parameter and its mean are exchanged by way of copies.
        run.evaluation += 2 * weights.iter().max().copied().unwrap_or(0);
    }
    run.initial = graph.variables().map(|(_, ty, _)| ty.bytes(0)).sum();
    // Weights are copied once more while their file is written; the best epoch is put back from a
    // checkpoint's bytes and what is read from them.
    let restores = training.is_some_and(|training| training.settings.restores());
    let of_file: usize = weights.iter().sum();
    run.copy = run.initial + of_file.max(if restores { 2 * run.initial } else { 0 });
    if training.is_some_and(|training| written(graph, &training.rule, 1).needs_copy()) {
        run.copy += run.initial;
    }
}

/// Steps of an epoch, where the data are known.
fn steps_an_epoch(front: &Front) -> Option<f64> {
    let settings = &front.experiment.training.as_ref()?.settings;
    let samples = front.source.as_ref()?.schema.as_ref()?.train_counts()?;
    Some(settings.steps(&samples) as f64 / settings.epochs as f64)
}

/// The batches of a run's steps, bucket by bucket, where the data are known.
fn batches(front: &Front) -> Option<Vec<Batches>> {
    let training = front.experiment.training.as_ref()?;
    let schema = front.source.as_ref()?.schema.as_ref()?;
    let all = [schema.train?, schema.validation?, schema.test?];
    let evaluation = evaluation_batch(&front.experiment.eval, &all[1..]);
    let of = |bucket: usize| {
        let counts = schema.in_buckets.get(bucket).copied().unwrap_or(all);
        Batches::of(evaluation, &training.settings, counts)
    };
    Some((0..schema.bucket_count()).map(of).collect())
}

/// The training step's graph, what the plans of all steps say, and the training step's program.
fn plans(
    session: &mut Session,
    (experiment, smaller): (Experiment, Vec<Experiment>),
    batch: usize,
    batches: Option<Vec<Batches>>,
) -> Result<(Graph, PlanFacts, Planned), Failure> {
    let evaluation = experiment.eval.clone();
    let accumulate = match &experiment.training {
        Some(training) if training.settings.accumulate > 1 => {
            let (forward, rule) = (&experiment.train, &training.rule);
            Some(session.training_step(forward, rule, Gradients::Accumulated)?)
        }
        _ => None,
    };
    let graph = session.training_graph(experiment)?;
    let mut buckets = Vec::new();
    for experiment in smaller {
        let evaluation = session.elaborated(experiment.eval.clone())?;
        buckets.push((session.training_graph(experiment)?, evaluation));
    }
    let steps = StepPlans { graph: &graph, accumulate, evaluation, buckets, batch, batches };
    let (facts, program) = steps.facts(session)?;
    Ok((graph, facts, program))
}

/// A run would be refused, or ended by the system.
fn little_memory(needed: usize, memory: usize, model: Span) -> Diagnostic {
    let message = format!("this needs {needed} bytes of memory, and {memory} may be used here");
    Diagnostic::warning(codes::LITTLE_MEMORY, message)
        .primary(model, "the steps of this model")
        .help("make `batch` or the model smaller; the list of tensors says what takes most")
}

/// The steps of a program, to be planned.
struct StepPlans<'a> {
    graph: &'a Graph,
    /// Of a batch whose gradients are only added up, where an update is made of several.
    accumulate: Option<Graph>,
    evaluation: Graph,
    /// Training and evaluation of samples in each smaller bucket.
    buckets: Vec<(Graph, Graph)>,
    batch: usize,
    /// Those of a run, bucket by bucket, where the data are known.
    batches: Option<Vec<Batches>>,
}

impl StepPlans<'_> {
    /// Compiles the steps; returns the figures of their plans, and the training step's program.
    fn facts(self, session: &mut Session) -> Result<(PlanFacts, Planned), Failure> {
        let evaluation = session.elaborated(self.evaluation)?;
        let mut others = Vec::new();
        // The steps of a run share one memory, and are compiled in this order.
        let mut batches = self.batches.unwrap_or_default();
        if let Some(Batches { last, evaluate, .. }) = batches.pop() {
            // One that cannot be is warned of, or refused when the run begins.
            let possible = |batch: &usize| zero_division(self.graph, *batch).is_none();
            let last = last.into_iter().filter(possible).map(|batch| (self.graph, batch));
            let accumulate = self.accumulate.iter().map(|graph| (graph, self.batch));
            let evaluate = evaluate.into_iter().map(|batch| (&evaluation, batch));
            others.extend(last.chain(accumulate).chain(evaluate));
        }
        let mut first_steps = Vec::new();
        for (bucket, ((train, evaluation), batches)) in self.buckets.iter().zip(batches).enumerate()
        {
            let full = batches.has_full.then_some(batches.train);
            if let Some(batch) = full.or(batches.last) {
                first_steps.push((bucket, batch, others.len()));
            }
            others.extend(full.into_iter().chain(batches.last).map(|batch| (train, batch)));
            others.extend(batches.evaluate.into_iter().map(|batch| (evaluation, batch)));
        }
        let plan = |session: &mut Session, graph: &Graph, globals: &mut Globals| {
            let kernels = session.fuse(graph, self.batch)?;
            Ok(session.planned(&kernels, globals)?.program)
        };
        let mut globals = Globals::default();
        let (train, (infer, others)) = session.both(
            [self.graph, &evaluation],
            |session| plan(session, self.graph, &mut globals),
            |session| {
                let infer = plan(session, &evaluation, &mut Globals::default())?;
                Ok((infer, session.fuse_all(&others)?))
            },
        )?;
        let mut run = BlockBytes::of(&train);
        let mut planned = Vec::new();
        for step in &others {
            planned.push(BlockBytes::of(&session.planned(step, &mut globals)?.program));
        }
        run = planned.iter().copied().fold(run, BlockBytes::max);
        let first =
            |(bucket, batch, step): (_, _, usize)| (bucket, batch, Bytes::of(planned[step]));
        let facts = PlanFacts {
            flops: flops(&train),
            train: Bytes::of(BlockBytes::of(&train)),
            infer: Bytes::of(BlockBytes::of(&infer)),
            run: Bytes::of(run),
            buckets: first_steps.into_iter().map(first).collect(),
        };
        Ok((facts, train))
    }
}
