//! The compiled steps of a run, and the numbers that change from one to the next.

use crate::base::tensor::{Data, Tensor};
use crate::data::SplitPass;
use crate::graph::interp::{self, Env};
use crate::graph::{Graph, OverSplit};
use crate::loops::{BufferId, Uniforms};
use crate::runtime::program::CompiledProgram;
use std::collections::BTreeMap;

/// A compiled step and the number of samples that it takes.
pub struct BatchStep {
    /// The code.
    pub program: CompiledProgram,
    /// Samples a step.
    pub batch: usize,
    /// The input of each field of a sample, in the data's order.
    pub inputs: Vec<StepInput>,
    /// How many indices each operator takes from a sample whose indices come from data.
    pub indices: Vec<usize>,
    /// A value for each of the program's hyper-parameters.
    pub hypers: Vec<f64>,
    /// Which of those is the part of the learning rate that is left.
    pub lr_scale: Option<usize>,
    /// Which of those is the part that this batch has in an update of several.
    pub share: Option<usize>,
    /// Which of those gradients are multiplied by for their norm, if they are clipped.
    pub norm_scale: Option<usize>,
    /// Which of those their squares' sum may be.
    pub norm_limit: Option<usize>,
}

/// A step's input.
pub struct StepInput {
    /// The field's name.
    pub name: String,
    /// Where its elements go; nowhere for a field that nothing in the step reads.
    pub buffer: Option<BufferId>,
}

/// The steps of a run.
pub struct Steps {
    /// One step of training.
    pub train: BatchStep,
    /// Training on what is left of an epoch after the full batches, where that is kept.
    pub last: Option<BatchStep>,
    /// The same, where other batches may follow it in an update.
    pub accumulate_last: Option<BatchStep>,
    /// A batch whose gradients are only added up, where an update is made of several.
    pub accumulate: Option<BatchStep>,
    /// Evaluation, by batch; the splits of a data set need its full batch and their remainders.
    pub evaluate: BTreeMap<usize, BatchStep>,
    /// Those for samples of smaller buckets, ascending; the steps above are for the largest.
    pub smaller: Vec<BucketSteps>,
    /// The terms of a sum of losses and the metrics, by name, in the order of the program.
    pub metrics: Vec<String>,
    /// The values of some metrics from all samples of a split, by the metric's name.
    pub overs: Vec<MetricOver>,
    /// The tensors that updates write, and the rule; `None` where only evaluation is asked for.
    pub written: Option<WrittenTensors>,
}

/// The steps for samples of a bucket, as far as it has samples for them.
#[derive(Default)]
pub struct BucketSteps {
    /// Training, by batch: a full one, and what is left of an epoch.
    pub train: BTreeMap<usize, BatchStep>,
    /// The same, where gradients are only added up.
    pub accumulate: BTreeMap<usize, BatchStep>,
    /// Evaluation, by batch.
    pub evaluate: BTreeMap<usize, BatchStep>,
}

impl BucketSteps {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &BatchStep> {
        self.train.values().chain(self.accumulate.values()).chain(self.evaluate.values())
    }
}

/// The value of a metric from all samples of a split.
#[derive(Clone, Debug)]
pub struct MetricOver {
    /// The metric's name.
    pub metric: String,
    /// How it is made of all samples; the graph of one from means computes in `f64`.
    pub of: OverSplit,
}

/// The value for the means of each number of a metric.
pub(super) fn of_means(graph: &Graph, means: &[f64]) -> f64 {
    let mut env = Env::initial(graph, 0);
    for input in graph.inputs.values() {
        let means = Tensor::new(input.ty.shape.at(1), Data::F64(means.to_vec()));
        env = env.with(&input.name, means);
    }
    let outputs = interp::run(graph, 1, &env).map(|outcome| outcome.outputs);
    let value = outputs.ok().and_then(|outputs| match outputs.into_values().next()?.data {
        Data::F64(values) => values.first().copied(),
        _ => None,
    });
    value.unwrap_or(f64::NAN)
}

/// Bytes that metrics over all samples take, of the samples of two splits at once: what an epoch of
/// training has gathered is kept while its validation runs.
pub fn row_bytes(overs: &[MetricOver], samples: [usize; 2]) -> usize {
    let bytes = |over: &MetricOver| match over.of {
        OverSplit::Means(_) => 0,
        OverSplit::Rows { statistic, width } => {
            samples.map(|samples| statistic.bytes(samples, width)).iter().sum()
        }
    };
    overs.iter().map(bytes).fold(0, usize::saturating_add)
}

/// The tensors that an update writes, with the rule that computes them.
#[derive(Clone, Debug, Default)]
pub struct WrittenTensors {
    /// The optimiser's rule.
    pub rule: Graph,
    /// A value for each of its hyper-parameters.
    pub hypers: Vec<f64>,
    /// Which of those is the part of the learning rate that is left.
    pub lr_scale: Option<usize>,
    /// The paths of the parameters that are trained.
    pub params: Vec<String>,
    /// Whether running means of them are kept.
    pub means: bool,
    /// The paths of all that is written.
    pub all: Vec<String>,
}

/// The optimiser's arguments that are schedules, to be told what they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedules {
    /// Their names: `lr`.
    pub names: Vec<String>,
    /// Their values, in the same order, as a step computes them.
    pub uniforms: Uniforms,
    /// A value for each hyper-parameter.
    pub hypers: Vec<f64>,
    /// Which of those is the part of the learning rate that is left.
    pub lr_scale: Option<usize>,
    /// The learning rate, where it stays as it is.
    pub constant_lr: Option<f32>,
}

impl Schedules {
    /// Names and values at a step, which counts from 1.
    pub fn at(&self, step: u64) -> Vec<(String, f32)> {
        self.names.iter().cloned().zip(self.uniforms.eval(step, &self.hypers)).collect()
    }

    /// The same, with the learning rate in any case, of which a part is left.
    pub(super) fn values_with_lr(&self, step: u64, lr_scale: f64) -> Vec<(String, f32)> {
        let mut hypers = self.hypers.clone();
        if let Some(index) = self.lr_scale {
            hypers[index] = lr_scale;
        }
        let constant = self.constant_lr.map(|lr| ("lr".to_owned(), lr));
        let scheduled = self.names.iter().cloned().zip(self.uniforms.eval(step, &hypers));
        constant.into_iter().chain(scheduled).collect()
    }
}

impl Steps {
    /// The steps of an evaluation, in which `train` is the largest of them and is never asked to train.
    pub fn of_evaluation(
        train: BatchStep,
        evaluate: BTreeMap<usize, BatchStep>,
        metrics: Vec<String>,
        overs: Vec<MetricOver>,
    ) -> Steps {
        Steps {
            train,
            last: None,
            accumulate_last: None,
            accumulate: None,
            evaluate,
            smaller: Vec::new(),
            metrics,
            overs,
            written: None,
        }
    }

    /// The step for so many samples of a pass; `updates` says whether one to train on ends with an
    /// update.
    pub(super) fn of(
        &self,
        pass: SplitPass,
        (bucket, samples): (usize, usize),
        updates: bool,
    ) -> &BatchStep {
        if let Some(steps) = self.smaller.get(bucket) {
            let all = match (pass.trains(), steps.accumulate.is_empty() || updates) {
                (false, _) => &steps.evaluate,
                (true, true) => &steps.train,
                (true, false) => &steps.accumulate,
            };
            return all.get(&samples).expect("a step was compiled for each batch of each bucket");
        }
        if pass.trains() {
            return match (&self.last, &self.accumulate, &self.accumulate_last) {
                (Some(last), _, Some(step)) if samples == last.batch && !updates => step,
                (Some(last), ..) if samples == last.batch => last,
                (_, Some(accumulate), _) if !updates => accumulate,
                _ => &self.train,
            };
        }
        let step = self.evaluate.get(&samples);
        step.expect("an evaluation step was compiled for each batch of each split")
    }

    /// Whether a step only adds gradients up.
    pub(super) fn accumulates(&self, step: &BatchStep) -> bool {
        let of_buckets = self.smaller.iter().flat_map(|steps| steps.accumulate.values());
        let mut all = self.accumulate.iter().chain(&self.accumulate_last).chain(of_buckets);
        all.any(|accumulate| std::ptr::eq(accumulate, step))
    }

    /// All of them, that of training first.
    pub fn all(&self) -> impl Iterator<Item = &BatchStep> {
        let Steps { train, last, accumulate, accumulate_last, evaluate, smaller, .. } = self;
        let others = last.iter().chain(accumulate).chain(accumulate_last).chain(evaluate.values());
        std::iter::once(train).chain(others).chain(smaller.iter().flat_map(BucketSteps::all))
    }
}
