//! Losses and metrics: sums over the samples of several steps, and what they give.

use super::steps::of_means;
use super::{BatchStep, MetricOver, exact};
use crate::base::step_output::StepOutput;
use crate::graph::OverSplit;
use crate::runtime::program::RunMemory;
use serde::{Deserialize, Serialize};

/// A loss and metrics, averaged over samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The mean loss.
    #[serde(with = "exact")]
    pub loss: f64,
    /// Each metric's name and value.
    #[serde(with = "exact::pairs")]
    pub metrics: Vec<(String, f64)>,
    /// The samples that some metrics leave out: `NAME: …`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Its number, from 1.
    pub epoch: usize,
    /// Scores on the training data, of the parameters as they were at each step.
    pub train: Scores,
    /// Scores on the validation data after the epoch, where there is any.
    pub validation: Option<Scores>,
    /// The mean Euclidean norm of the gradient.
    #[serde(with = "exact")]
    pub grad_norm: f64,
    /// The learning rate, and the optimiser's scheduled arguments, as they were in the last step.
    pub scheduled: Vec<(String, f32)>,
    /// Steps made.
    pub steps: usize,
    /// Samples trained on.
    pub samples: usize,
    /// Seconds of training, without validation.
    pub seconds: f64,
    /// Seconds of those until the samples of each step were in its inputs.
    pub data_seconds: f64,
    /// When it ended, in seconds since 1970; for people, who may set their clocks.
    pub ended: f64,
}

impl EpochRecord {
    /// The samples that the metrics leave out, a line each.
    pub(super) fn notes(&self) -> Vec<String> {
        let train = self.train.notes.iter().map(|note| format!("note: {note}"));
        let validation = self.validation.iter().flat_map(|scores| &scores.notes);
        train.chain(validation.map(|note| format!("note: val_{note}"))).collect()
    }
}

/// Sums over the samples of several steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreSums {
    /// Samples summed over.
    pub samples: usize,
    /// The sum of the losses, each times its weight.
    #[serde(with = "exact")]
    loss: f64,
    /// The sum of the weights: of the samples' own, or the number of samples.
    #[serde(with = "exact")]
    weight: f64,
    metrics: Vec<Metric>,
}

/// A metric's sums: a mean weighs samples, a ratio divides sums.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Metric {
    name: String,
    #[serde(with = "exact")]
    numerator: f64,
    #[serde(with = "exact")]
    denominator: f64,
    /// The sums of all its numbers, where its value is made of their means.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sums: Vec<ExactNumber>,
    /// The numbers of all samples, where its value is a statistic of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "exact::floats")]
    rows: Vec<f32>,
}

/// A number that is written with all its bits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct ExactNumber(#[serde(with = "exact")] f64);

impl ScoreSums {
    /// Nothing summed yet of these metrics.
    pub fn new(metrics: &[String]) -> ScoreSums {
        let metrics = metrics.iter().map(|name| Metric {
            name: name.clone(),
            numerator: 0.0,
            denominator: 0.0,
            sums: Vec::new(),
            rows: Vec::new(),
        });
        ScoreSums { samples: 0, loss: 0.0, weight: 0.0, metrics: metrics.collect() }
    }

    /// Adds what a step has left in its outputs.
    pub fn add(&mut self, step: &BatchStep, overs: &[MetricOver], memory: &RunMemory) {
        let loss = step.program.f32s(memory, &StepOutput::Loss)[0];
        let weight = step.batch as f64;
        self.samples += step.batch;
        let of_loss = match step.program.buffer(&StepOutput::LossWeight) {
            Some(_) => f64::from(step.program.f32s(memory, &StepOutput::LossWeight)[0]),
            None => weight,
        };
        self.loss += f64::from(loss) * of_loss;
        self.weight += of_loss;
        let io = &step.program.loops().io;
        for metric in &mut self.metrics {
            let buffer = io.metrics().find(|(name, _)| *name == metric.name).map(|(_, id)| id);
            let buffer = buffer.expect("all steps of a run have the same metrics");
            let values = step.program.f32s(memory, buffer);
            let over = overs.iter().find(|over| over.metric == metric.name).map(|over| &over.of);
            if let Some(OverSplit::Rows { .. }) = over {
                metric.rows.extend_from_slice(values);
                continue;
            }
            if over.is_some() {
                metric.sums.resize(values.len(), ExactNumber(0.0));
                for (sum, &mean) in metric.sums.iter_mut().zip(values) {
                    sum.0 += f64::from(mean) * weight;
                }
                metric.denominator += weight;
                continue;
            }
            let (numerator, denominator) = match *values {
                [mean] => (f64::from(mean) * weight, weight),
                [numerator, denominator] => (f64::from(numerator), f64::from(denominator)),
                ref other => panic!("a metric has 1 or 2 values, not {}", other.len()),
            };
            metric.numerator += numerator;
            metric.denominator += denominator;
        }
    }

    /// Whether there are samples, and none of them weighs anything.
    pub fn is_weightless(&self) -> bool {
        self.samples > 0 && self.weight == 0.0
    }

    /// The means: `Σ w·l / Σ w`. Where no sample weighs anything, the loss is 0; of no samples, it
    /// is 0 / 0.
    pub fn scores(&self, overs: &[MetricOver]) -> Scores {
        let loss = if self.is_weightless() { 0.0 } else { self.loss / self.weight };
        let mut notes = Vec::new();
        let mut value = |metric: &Metric| {
            let over = overs.iter().find(|over| over.metric == metric.name).map(|over| &over.of);
            match over {
                Some(OverSplit::Means(graph)) => {
                    let mean = |sum: &ExactNumber| sum.0 / metric.denominator;
                    of_means(graph, &metric.sums.iter().map(mean).collect::<Vec<f64>>())
                }
                Some(&OverSplit::Rows { statistic, width }) => {
                    let found = statistic.value(&metric.rows, width);
                    if !found.left_out.is_empty() {
                        notes.push(format!("{}: {}", metric.name, found.left_out));
                    }
                    found.value
                }
                None if metric.denominator == 0.0 => 0.0,
                None => metric.numerator / metric.denominator,
            }
        };
        let metrics = self.metrics.iter().map(|metric| (metric.name.clone(), value(metric)));
        let metrics = metrics.collect();
        Scores { loss, metrics, notes }
    }
}
