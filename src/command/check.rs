//! What `nnc check` finds: mistakes with the edits that mend them, or what a good program is.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::limits::{self, Budget};
use crate::base::source::Span;
use crate::command::bench::flops;
use crate::command::forecast::{Forecast, Machine};
use crate::command::parameters;
use crate::command::report::{Bytes, Facts, Report, RunBytes, frozen, left_out};
use crate::data;
use crate::driver::batch::zero_division;
use crate::driver::json_cache;
use crate::driver::layers::layers;
use crate::driver::repair::sound;
use crate::driver::session::{Failure, Request, Session};
use crate::driver::steps::{Batches, evaluation_batch, written};
use crate::graph::Graph;
use crate::loops::Program;
use crate::lower::Globals;
use crate::run::folder::report_bytes;
use crate::runtime::program::Blocks;
use std::path::Path;

/// What a report is to say beyond what it always says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// The threads that a run would have.
    pub threads: usize,
    /// How long a step takes on this machine.
    pub time: bool,
}

/// Checks a program down to the memory plan of its steps; runs and reads nothing.
pub fn check(session: &mut Session, request: &Request, wanted: Wanted) -> Result<Report, Failure> {
    let front = sound(session, request, &Budget::new(limits::FIX_STEPS))?;
    let batch = front.batch();
    let Wanted { threads, time } = wanted;
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
    let weights: Vec<usize> = forward.lasting().map(|(_, ty, _)| ty.bytes(0)).collect();
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
    let gather = match &front.experiment.training {
        Some(training) if training.settings.accumulate > 1 => {
            Some(session.gather(&front.experiment.train, &training.rule)?)
        }
        _ => None,
    };
    let rule = front.experiment.training.as_ref().map(|training| training.rule.clone());
    let rows = parameters::rows(&front.experiment.train, rule.as_ref());
    let graph = session.training_graph(front.experiment)?;
    run.initial = graph.lasting().map(|(_, ty, _)| ty.bytes(0)).sum();
    // Weights are copied once more while their file is written; the best epoch is put back from a
    // checkpoint's bytes and what is read from them.
    let of_file: usize = weights.iter().sum();
    run.copy = run.initial + of_file.max(if restores { 2 * run.initial } else { 0 });
    if rule.is_some_and(|rule| written(&graph, &rule, 1).needs_copy()) {
        run.copy += run.initial;
    }
    let cache = request.cache.as_deref();
    let planned =
        Planned { cache, graph: &graph, gather, evaluation, batch, batches, build: &request.build };
    let (facts, program) = planned.facts(session, time)?;
    let peak = run.peak(facts.run.total(threads));
    if let Some(memory) = request.memory.filter(|&memory| peak > memory) {
        warnings.push(little_memory(peak, memory, place));
    }
    let forecast = program.map(|program| {
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
    cache: Option<&'a Path>,
    graph: &'a Graph,
    /// Of a batch whose gradients are only added up, where an update is made of several.
    gather: Option<Graph>,
    evaluation: Graph,
    batch: usize,
    /// Those of a run, where the data are known.
    batches: Option<Batches>,
    build: &'a str,
}

impl Planned<'_> {
    /// What the plans say. Equal graphs have equal plans: what is known of one is kept in the cache,
    /// since planning a deep network takes longer than all that is before it. The training step's
    /// program, where it is wanted.
    fn facts(
        self,
        session: &mut Session,
        program: bool,
    ) -> Result<(Facts, Option<Program>), Failure> {
        let file = self.cache.map(|cache| cache.join("plans").join(self.key()));
        let known: Option<Facts> = json_cache::read(file.as_ref());
        if let Some(facts) = known.filter(|_| !program) {
            // A batch that cannot be is refused all the same.
            session.check_batch(self.graph, self.batch)?;
            return Ok((facts, None));
        }
        let mut globals = Globals::default();
        let train = plan(session, self.graph, self.batch, &mut globals)?;
        let evaluation = session.elaborated(self.evaluation)?;
        let infer = plan(session, &evaluation, self.batch, &mut Globals::default())?;
        // The steps of a run share one memory, and are compiled in this order.
        let mut run = Blocks::of(&train);
        if let Some(Batches { last, evaluate, .. }) = self.batches {
            // One that cannot be is warned of, or refused when the run begins.
            let possible = |batch: &usize| zero_division(self.graph, *batch).is_none();
            let last = last.into_iter().filter(possible).map(|batch| (self.graph, batch));
            let gather = self.gather.iter().map(|graph| (graph, self.batch));
            let evaluate = evaluate.into_iter().map(|batch| (&evaluation, batch));
            for (graph, batch) in last.chain(gather).chain(evaluate) {
                run = run.max(Blocks::of(&plan(session, graph, batch, &mut globals)?));
            }
        }
        let facts = Facts {
            flops: flops(&train),
            train: Bytes::of(Blocks::of(&train)),
            infer: Bytes::of(Blocks::of(&infer)),
            run: Bytes::of(run),
        };
        json_cache::write(file.as_ref(), &facts);
        Ok((facts, program.then_some(train)))
    }

    /// The name of what is kept: this build of the program, both graphs and the batch.
    fn key(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.build.as_bytes());
        hasher.update(self.graph.to_string().as_bytes());
        hasher.update(self.evaluation.to_string().as_bytes());
        let run = self.batches.iter().flat_map(|it| it.last.iter().chain(&it.evaluate));
        for batch in std::iter::once(&self.batch).chain(run) {
            hasher.update(&batch.to_le_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// The planned program of a step.
fn plan(
    session: &mut Session,
    graph: &Graph,
    batch: usize,
    globals: &mut Globals,
) -> Result<Program, Failure> {
    let kernels = session.fuse(graph, batch)?;
    let lowered = session.lower(&kernels, globals)?;
    session.plan(lowered.program, globals)
}
