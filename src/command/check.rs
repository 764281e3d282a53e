//! `nnc check`: finds mistakes with the edits that mend them, or describes a sound program.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::limits::{self, Budget};
use crate::base::source::Span;
use crate::command::bench::flops;
use crate::command::forecast::{Forecast, Machine};
use crate::command::parameters;
use crate::command::report::{Bytes, PlanFacts, Report, RunBytes, frozen, left_out};
use crate::data;
use crate::driver::batch::zero_division;
use crate::driver::layers::layers;
use crate::driver::repair::sound;
use crate::driver::session::{Failure, Request, Session};
use crate::driver::steps::{Batches, evaluation_batch, written};
use crate::graph::Graph;
use crate::loops::Program;
use crate::pass::Gradients;
use crate::run::folder::report_bytes;
use crate::runtime::program::BlockBytes;
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
    let batch = front.batch();
    let CheckOptions { threads, time } = options;
    let schema = front.source.as_ref().and_then(|source| source.schema.as_ref());
    let training = front.experiment.training.as_ref();
    let task = training.map(|training| training.task);
    let mut run = RunBytes { threads, ..RunBytes::default() };
    if let (Some(source), Some(schema)) = (&front.source, schema) {
        let counts = [schema.validation, schema.test].map(Option::unwrap_or_default);
        let evaluation = evaluation_batch(&counts);
        let batches = [batch, evaluation];
        run.data = data::resident_bytes(&source.request, schema);
        run.prefetch = data::prefetch_bytes(&source.request, schema, &batches, threads);
        run.decoding = data::decoding_bytes(schema, threads);
        run.evaluation = report_bytes(task.unwrap_or_default(), schema, evaluation);
    }
    let counts = schema.and_then(|it| Some([it.train?, it.validation?, it.test?]));
    let batches = training.zip(counts).map(|(it, counts)| Batches::of(&it.settings, counts));
    let steps = training.zip(schema.and_then(|schema| schema.train)).map(|(training, samples)| {
        training.settings.steps(samples) as f64 / training.settings.epochs as f64
    });
    let trained = training.is_some();
    let forward = &front.experiment.train;
    let output = forward.output("output").map(|node| forward.ty(node).to_string());
    let weights: Vec<usize> = forward.variables().map(|(_, ty, _)| ty.bytes(0)).collect();
    let settings = training.map(|training| &training.settings);
    let restores = settings.and_then(|it| it.early_stop.as_ref()).is_some_and(|it| it.restore);
    if settings.is_some_and(|it| it.ema.is_some()) {
        // A parameter and its mean are exchanged by way of copies.
        run.evaluation += 2 * weights.iter().max().copied().unwrap_or(0);
    }
    let layers = layers(forward);
    let mut notes = left_out(forward, &session.sources);
    notes.extend(frozen(forward, training));
    let (model, mut warnings) = (front.experiment.model.clone(), front.warnings);
    let place = front.experiment.model_span;
    let evaluation = front.experiment.eval.clone();
    let accumulate = match &front.experiment.training {
        Some(training) if training.settings.accumulate > 1 => {
            let (forward, rule) = (&front.experiment.train, &training.rule);
            Some(session.training_step(forward, rule, Gradients::Accumulated)?)
        }
        _ => None,
    };
    let rule = front.experiment.training.as_ref().map(|training| training.rule.clone());
    let rows = parameters::rows(&front.experiment.train, rule.as_ref());
    let graph = session.training_graph(front.experiment)?;
    run.initial = graph.variables().map(|(_, ty, _)| ty.bytes(0)).sum();
    // Weights are copied once more while their file is written; the best epoch is put back from a
    // checkpoint's bytes and what is read from them.
    let of_file: usize = weights.iter().sum();
    run.copy = run.initial + of_file.max(if restores { 2 * run.initial } else { 0 });
    if rule.is_some_and(|rule| written(&graph, &rule, 1).needs_copy()) {
        run.copy += run.initial;
    }
    let planned = Planned { graph: &graph, accumulate, evaluation, batch, batches };
    let (facts, program) = planned.facts(session)?;
    let peak = run.peak(facts.run.total(threads));
    if let Some(memory) = request.memory.filter(|&memory| peak > memory) {
        warnings.push(little_memory(peak, memory, place));
    }
    let forecast = time.then(|| {
        let machine = Machine::known(request.cache.as_deref(), &request.target, threads);
        let step = machine.step(&program, threads);
        Forecast { step, epoch: steps.map(|steps| steps * step), threads }
    });
    Ok(Report {
        warnings,
        model,
        output: output.unwrap_or_default(),
        task,
        layers,
        notes,
        rows,
        parameters: graph.parameter_count(),
        batch,
        trained,
        facts,
        run,
        forecast,
    })
}

/// A run would be refused, or ended by the system.
fn little_memory(needed: usize, memory: usize, model: Span) -> Diagnostic {
    let message = format!("this needs {needed} bytes of memory, and {memory} may be used here");
    Diagnostic::warning(codes::LITTLE_MEMORY, message)
        .primary(model, "the steps of this model")
        .help("make `batch` or the model smaller; the list of tensors says what takes most")
}

/// The steps of a program, to be planned.
struct Planned<'a> {
    graph: &'a Graph,
    /// Of a batch whose gradients are only added up, where an update is made of several.
    accumulate: Option<Graph>,
    evaluation: Graph,
    batch: usize,
    /// Those of a run, where the data are known.
    batches: Option<Batches>,
}

impl Planned<'_> {
    /// Compiles the steps; returns the figures of their plans, and the training step's program.
    fn facts(self, session: &mut Session) -> Result<(PlanFacts, Program), Failure> {
        let evaluation = session.elaborated(self.evaluation)?;
        let mut others = Vec::new();
        // The steps of a run share one memory, and are compiled in this order.
        if let Some(Batches { last, evaluate, .. }) = self.batches {
            // One that cannot be is warned of, or refused when the run begins.
            let possible = |batch: &usize| zero_division(self.graph, *batch).is_none();
            let last = last.into_iter().filter(possible).map(|batch| (self.graph, batch));
            let accumulate = self.accumulate.iter().map(|graph| (graph, self.batch));
            let evaluate = evaluate.into_iter().map(|batch| (&evaluation, batch));
            others.extend(last.chain(accumulate).chain(evaluate));
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
        for step in &others {
            run = run.max(BlockBytes::of(&session.planned(step, &mut globals)?.program));
        }
        let facts = PlanFacts {
            flops: flops(&train),
            train: Bytes::of(BlockBytes::of(&train)),
            infer: Bytes::of(BlockBytes::of(&infer)),
            run: Bytes::of(run),
        };
        Ok((facts, train))
    }
}
