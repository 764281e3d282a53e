//! The steps of a run, compiled: a full batch, what is left of an epoch, a batch whose gradients
//! are only accumulated, and evaluation; all over the same parameters.

use crate::base::schema::Field;
use crate::base::settings::{LastBatch, Settings};
use crate::base::source::Span;
use crate::data::Dataset;
use crate::driver::compiled::CompiledStep;
use crate::driver::schedules::hypers;
use crate::driver::session::{Failure, Request, Session};
use crate::elaborate::Training;
use crate::graph::rule::{EMA, LR_SCALE, NORM_LIMIT, NORM_SCALE, SHARE_HYPER};
use crate::graph::{Graph, OverSplit, Update, UpdateRule, UpdateTarget};
use crate::runtime::program::CompiledProgram;
use crate::runtime::trainer::{
    BatchStep, BucketSteps, MetricOver, StepInput, Steps, WrittenTensors,
};
use crate::schedule::Globals;
use std::collections::BTreeMap;

/// The batches of a run's steps for the samples of a bucket, or for all.
pub(crate) struct Batches {
    /// That of training.
    pub train: usize,
    /// Whether there are samples for one.
    pub has_full: bool,
    /// Samples of the last step of an epoch, where they are fewer.
    pub last: Option<usize>,
    /// Those of evaluation, each once, in the order in which their steps are compiled.
    pub evaluate: Vec<usize>,
}

impl Batches {
    /// For so many samples to train on, to validate and to test on, with so many in a batch of evaluation.
    pub fn of(
        evaluation: usize,
        settings: &Settings,
        [train, validation, test]: [usize; 3],
    ) -> Batches {
        let left = train % settings.batch;
        let last = (settings.last_batch == LastBatch::Keep && left > 0).then_some(left);
        let mut evaluate = Vec::new();
        for count in [validation, test] {
            for batch in [evaluation.min(count), count % evaluation] {
                if batch > 0 && !evaluate.contains(&batch) {
                    evaluate.push(batch);
                }
            }
        }
        Batches { train: settings.batch, has_full: train >= settings.batch, last, evaluate }
    }
}

/// Samples a step of evaluation: large for speed, and one that divides every split if there is
/// one, so that a single step serves all; fewer where a value of the model is large.
pub(crate) fn evaluation_batch(graph: &Graph, counts: &[usize]) -> usize {
    const LARGEST: usize = 256;
    const SMALLEST: usize = 100;
    /// The most bytes of a value.
    const VALUE_BYTES: usize = 1 << 30;
    let of_sample = graph.nodes.values().map(|node| node.ty.bytes(1)).max().unwrap_or(1);
    let most = (VALUE_BYTES / of_sample.max(1)).clamp(1, LARGEST);
    let divides = |batch: &usize| counts.iter().all(|count| count % batch == 0);
    (SMALLEST..=most).rev().find(divides).unwrap_or(most)
}

/// Where the indexed operators of the two kinds of step stand.
pub(crate) struct BoundsChecks {
    pub train: Vec<Option<Span>>,
    pub evaluate: Vec<Option<Span>>,
}

/// The graphs that steps are compiled from; the batch is still a symbol.
pub(crate) struct Graphs {
    /// A step of training.
    pub train: Graph,
    /// A batch of an update that several make.
    pub accumulate: Option<Graph>,
    /// Evaluation.
    pub evaluate: Graph,
}

/// Compiles steps over the same parameters.
pub(crate) struct StepCompiler<'a> {
    pub session: &'a mut Session,
    pub request: &'a Request,
    /// The fields of a sample that a step reads.
    pub fields: Vec<Field>,
    pub globals: Globals,
    /// How many updates the run makes.
    pub run_steps: u64,
}

impl StepCompiler<'_> {
    /// All steps of a run on these data; `graphs` are those of each bucket, ascending, or of all samples.
    pub fn steps(
        &mut self,
        graphs: &[Graphs],
        rule: &UpdateRule,
        settings: &Settings,
        data: &Dataset,
        overs: Vec<MetricOver>,
    ) -> Result<(Steps, BoundsChecks), Failure> {
        let (largest, others) = graphs.split_last().expect("a run has graphs");
        let splits = [data.validation.count(), data.test.count()];
        let evaluation = evaluation_batch(&largest.evaluate, &splits);
        let batches = Batches::of(evaluation, settings, data.counts_in(others.len()));
        let (train, train_checks) = self.step(&largest.train, batches.train)?;
        let last = self.maybe(Some(&largest.train), batches.last)?;
        let accumulate = self.maybe(largest.accumulate.as_ref(), Some(batches.train))?;
        // What is left of a bucket may be anywhere among the batches of an update.
        let of_last = largest.accumulate.as_ref().filter(|_| !others.is_empty());
        let accumulate_last = self.maybe(of_last, batches.last)?;
        let mut evaluate_checks = Vec::new();
        let mut evaluate = BTreeMap::new();
        for batch in batches.evaluate {
            let (step, bounds_checks) = self.step(&largest.evaluate, batch)?;
            evaluate.insert(batch, step);
            evaluate_checks = bounds_checks;
        }
        let mut smaller = Vec::new();
        for (bucket, graphs) in others.iter().enumerate() {
            let batches = Batches::of(evaluation, settings, data.counts_in(bucket));
            smaller.push(self.bucket_steps(graphs, &batches)?);
        }
        let bounds_checks = BoundsChecks { train: train_checks, evaluate: evaluate_checks };
        let written = Some(written(&largest.train, rule, self.run_steps));
        let metrics = largest.train.metrics().map(str::to_owned).collect();
        let steps = Steps {
            last,
            accumulate,
            accumulate_last,
            smaller,
            written,
            ..Steps::of_evaluation(train, evaluate, metrics, overs)
        };
        Ok((steps, bounds_checks))
    }

    /// The steps of an evaluation of the test samples; `graphs` are those of each bucket, ascending, or of
    /// all samples.
    pub fn evaluation_steps(
        &mut self,
        graphs: &[Graph],
        data: &Dataset,
        overs: Vec<MetricOver>,
    ) -> Result<(Steps, Vec<Option<Span>>), Failure> {
        let largest = graphs.last().expect("an evaluation has a graph");
        let count = data.test.count();
        let full = evaluation_batch(largest, &[count]).min(count);
        let (train, mut bounds_checks) = self.step(largest, full)?;
        let mut all = Vec::new();
        for (bucket, graph) in graphs.iter().enumerate() {
            let [.., count] = data.counts_in(bucket);
            let mut evaluate = BTreeMap::new();
            for batch in [full.min(count), count % full] {
                if batch > 0 && !evaluate.contains_key(&batch) {
                    let (step, own) = self.step(graph, batch)?;
                    bounds_checks = own;
                    evaluate.insert(batch, step);
                }
            }
            all.push(evaluate);
        }
        let evaluate = all.pop().expect("an evaluation has a graph");
        let of_bucket = |evaluate| BucketSteps { evaluate, ..BucketSteps::default() };
        let smaller = all.into_iter().map(of_bucket).collect();
        let metrics = largest.metrics().map(str::to_owned).collect();
        let steps = Steps::of_evaluation(train, evaluate, metrics, overs);
        Ok((Steps { smaller, ..steps }, bounds_checks))
    }

    /// A step, where there is a graph for it and a batch.
    fn maybe(
        &mut self,
        graph: Option<&Graph>,
        batch: Option<usize>,
    ) -> Result<Option<BatchStep>, Failure> {
        let step = graph.zip(batch).map(|(graph, batch)| self.step(graph, batch));
        Ok(step.transpose()?.map(|(step, _)| step))
    }

    /// The steps for the samples of a bucket that is not the largest.
    fn bucket_steps(&mut self, graphs: &Graphs, batches: &Batches) -> Result<BucketSteps, Failure> {
        let full = batches.has_full.then_some(batches.train);
        let mut steps = BucketSteps::default();
        for batch in full.into_iter().chain(batches.last) {
            steps.train.insert(batch, self.step(&graphs.train, batch)?.0);
            if let Some(step) = self.maybe(graphs.accumulate.as_ref(), Some(batch))? {
                steps.accumulate.insert(batch, step);
            }
        }
        for &batch in &batches.evaluate {
            steps.evaluate.insert(batch, self.step(&graphs.evaluate, batch)?.0);
        }
        Ok(steps)
    }

    /// One step for a batch, and where its indexed operators stand.
    pub fn step(
        &mut self,
        graph: &Graph,
        batch: usize,
    ) -> Result<(BatchStep, Vec<Option<Span>>), Failure> {
        let target = &self.request.target;
        let compiled = self.session.compile(graph, batch, &mut self.globals, target)?;
        let CompiledStep { program, batch, bounds_checks, indices, .. } = compiled;
        let input = |field: &Field| StepInput {
            name: field.name.clone(),
            buffer: program.input(&field.name),
        };
        let inputs = self.fields.iter().map(input).collect();
        let declared = &program.loops().uniforms.hypers;
        let at = |name: &str| declared.iter().position(|(known, _)| known == name);
        let (lr_scale, share) = (at(LR_SCALE), at(SHARE_HYPER));
        let (norm_scale, norm_limit) = (at(NORM_SCALE), at(NORM_LIMIT));
        let hypers = hypers(declared, self.run_steps);
        Ok((
            BatchStep {
                program,
                batch,
                inputs,
                indices,
                hypers,
                lr_scale,
                share,
                norm_scale,
                norm_limit,
            },
            bounds_checks,
        ))
    }
}

/// The tensors that a step's update writes, in a run of so many updates.
pub(crate) fn written(graph: &Graph, rule: &UpdateRule, run_steps: u64) -> WrittenTensors {
    let declared = rule.graph.hypers.values().map(|hyper| (hyper.name.clone(), hyper.value));
    let declared: Vec<(String, f64)> = declared.collect();
    let path = |target: &UpdateTarget| match *target {
        UpdateTarget::Param(id) => graph.params[id].path.clone(),
        UpdateTarget::State(id) => graph.states[id].path.clone(),
    };
    let is_param = |update: &&Update| matches!(update.target, UpdateTarget::Param(_));
    WrittenTensors {
        hypers: hypers(&declared, run_steps),
        lr_scale: declared.iter().position(|(name, _)| name == LR_SCALE),
        params: graph.updates.iter().filter(is_param).map(|it| path(&it.target)).collect(),
        means: rule.graph.output(EMA).is_some(),
        all: graph.updates.iter().map(|update| path(&update.target)).collect(),
        rule: rule.graph.clone(),
    }
}

/// The programs of a run, which share their memory.
pub(crate) fn programs(steps: &Steps) -> impl Iterator<Item = &CompiledProgram> {
    steps.all().map(|step| &step.program)
}

/// The values of a model's metrics from all samples of a split, graphs ready to be run in `f64`.
pub(crate) fn overs(training: &Training) -> Vec<MetricOver> {
    let over = |(metric, over): &(String, OverSplit)| MetricOver {
        metric: metric.clone(),
        of: over.widened(),
    };
    training.overs.iter().map(over).collect()
}
