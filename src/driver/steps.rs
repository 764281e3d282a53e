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
use crate::runtime::trainer::{BatchStep, MetricOver, StepInput, Steps, WrittenTensors};
use crate::schedule::Globals;
use std::collections::BTreeMap;

/// The batches of a run's steps.
pub(crate) struct Batches {
    /// That of training.
    pub train: usize,
    /// Samples of the last step of an epoch, where they are fewer.
    pub last: Option<usize>,
    /// Those of evaluation, each once, in the order in which their steps are compiled.
    pub evaluate: Vec<usize>,
}

impl Batches {
    /// For so many samples to train on, to validate and to test on, in this graph.
    pub fn of(
        evaluation: &Graph,
        settings: &Settings,
        [train, validation, test]: [usize; 3],
    ) -> Batches {
        let left = train % settings.batch;
        let last = (settings.last_batch == LastBatch::Keep && left > 0).then_some(left);
        let evaluation = evaluation_batch(evaluation, &[validation, test]);
        let mut evaluate = Vec::new();
        for count in [validation, test] {
            for batch in [evaluation.min(count), count % evaluation] {
                if batch > 0 && !evaluate.contains(&batch) {
                    evaluate.push(batch);
                }
            }
        }
        Batches { train: settings.batch, last, evaluate }
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
    /// All steps of a run on these data.
    pub fn steps(
        &mut self,
        graphs: &Graphs,
        rule: &UpdateRule,
        settings: &Settings,
        data: &Dataset,
        overs: Vec<MetricOver>,
    ) -> Result<(Steps, BoundsChecks), Failure> {
        let counts = [data.train.count(), data.validation.count(), data.test.count()];
        let batches = Batches::of(&graphs.evaluate, settings, counts);
        let (train, train_checks) = self.step(&graphs.train, batches.train)?;
        let last = match batches.last {
            Some(left) => Some(self.step(&graphs.train, left)?.0),
            None => None,
        };
        let accumulate = match &graphs.accumulate {
            Some(graph) => Some(self.step(graph, batches.train)?.0),
            None => None,
        };
        let mut evaluate = BTreeMap::new();
        let mut evaluate_checks = Vec::new();
        for batch in batches.evaluate {
            let (step, bounds_checks) = self.step(&graphs.evaluate, batch)?;
            evaluate.insert(batch, step);
            evaluate_checks = bounds_checks;
        }
        let bounds_checks = BoundsChecks { train: train_checks, evaluate: evaluate_checks };
        let written = Some(written(&graphs.train, rule, self.run_steps));
        let metrics = graphs.train.metrics().map(str::to_owned).collect();
        Ok((Steps { train, last, accumulate, evaluate, metrics, overs, written }, bounds_checks))
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
    let Steps { train, last, accumulate, evaluate, metrics: _, overs: _, written: _ } = steps;
    [train]
        .into_iter()
        .chain(last)
        .chain(accumulate)
        .chain(evaluate.values())
        .map(|step| &step.program)
}

/// The values of a model's metrics from all samples of a split, graphs ready to be run in `f64`.
pub(crate) fn overs(training: &Training) -> Vec<MetricOver> {
    let over = |(metric, over): &(String, OverSplit)| MetricOver {
        metric: metric.clone(),
        of: over.widened(),
    };
    training.overs.iter().map(over).collect()
}
