//! A trained model judged on a split of its data: loss and metrics, what is taken for what, and the
//! samples that it is most wrong about.

use super::failures::train_failure;
use super::folder::RunInfo;
use super::session::{Failure, Request, Session};
use super::steps::{Compiler, Sites};
use super::trained::{self, Model, Trained};
use crate::base::tensor::Tensor;
use crate::data::{Dataset, Pass, Split, Watch};
use crate::elaborate::Training;
use crate::lower::Globals;
use crate::runtime::pool::Pool;
use crate::runtime::program::Memory;
use crate::runtime::trainer::{Evaluated, Scores, Settings, Steps, TrainError, Trainer};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The splits of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitName {
    /// What is trained on, in its order and as it is.
    Train,
    /// What is kept for validation.
    Validation,
    /// What is kept for the end.
    Test,
}

/// A model that is judged.
pub struct Evaluation {
    /// What was compiled.
    pub session: Session,
    /// What is known of its run.
    pub info: Option<RunInfo>,
    /// The samples that it is judged by, as the test split.
    pub data: Dataset,
    /// Where its weights are from.
    pub weights: PathBuf,
    /// The model's name.
    pub model: String,
    training: Training,
    steps: Steps,
    sites: Sites,
    initial: Vec<(String, Tensor)>,
}

/// What a model made of a split.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Loss and metrics.
    pub scores: Scores,
    /// What was taken for what, where samples have classes.
    pub classes: Option<ClassCounts>,
}

/// What was taken for what.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassCounts {
    /// How often each class (the row) was taken for each (the column).
    pub counts: Vec<Vec<u64>>,
    /// The samples whose true class got the least probability, the worst first.
    pub worst: Vec<Worst>,
}

/// A sample that a model is wrong about.
#[derive(Clone, Debug, PartialEq)]
pub struct Worst {
    /// Its index in the split.
    pub index: u32,
    /// Its class.
    pub label: usize,
    /// The class that it was taken for.
    pub predicted: usize,
    /// That class's probability.
    pub probability: f64,
    /// The negative logarithm of the true class's.
    pub loss: f64,
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
    let Trained { info, weights, from } = match model {
        Model::Folder(root, which) => trained::of_folder(&mut session, &mut request, root, which)?,
        Model::Program(file) => {
            Trained { info: None, weights: trained::load(file)?, from: file.clone() }
        }
    };
    let front = session.front(&request, true)?;
    let Some(training) = front.experiment.training.clone() else {
        return Err(super::run::no_training(&front.experiment.model));
    };
    let Some(source) = front.source else {
        let message = format!("`train {}` names no data to judge it by", front.experiment.model);
        return Err(Failure::Data(message));
    };
    let mut data = session.open(&source, watch)?;
    if let Some((fold, folds)) = info.as_ref().and_then(|info| info.fold) {
        data = data.fold(fold, folds).map_err(|error| Failure::Data(error.to_string()))?;
    }
    data = data.only(match split {
        SplitName::Train => data.train.clone(),
        SplitName::Validation => data.validation.clone(),
        SplitName::Test => data.test.clone(),
    });
    if let Some(limit) = limit {
        data = data.limit(limit);
    }
    if data.test.count() == 0 {
        let name = match split {
            SplitName::Train => "training",
            SplitName::Validation => "validation",
            SplitName::Test => "test",
        };
        return Err(Failure::Data(format!("the data have no {name} samples")));
    }
    let graph = session.elaborated(front.experiment.eval.clone())?;
    let initial = trained::fitted(&graph, &weights, &from)?;
    let globals = Globals::default();
    let fields = data.fields(true);
    let mut compiler =
        Compiler { session: &mut session, request: &request, fields, globals, run_steps: 1 };
    let count = data.test.count();
    let batch = super::steps::evaluation_batch(&[count]).min(count);
    let (train, sites) = compiler.step(&graph, batch)?;
    let mut evaluate = BTreeMap::new();
    for batch in [batch, count % batch] {
        if batch > 0 && !evaluate.contains_key(&batch) {
            evaluate.insert(batch, compiler.step(&graph, batch)?.0);
        }
    }
    let steps = Steps { train, last: None, gather: None, evaluate };
    let sites = Sites { train: Vec::new(), evaluate: sites };
    let model = front.experiment.model;
    Ok(Evaluation { session, info, data, weights: from, model, training, steps, sites, initial })
}

impl Evaluation {
    /// Judges the model; remembers so many of the samples that it is most wrong about.
    pub fn judge(&self, pool: &mut Pool, worst: usize) -> Result<Judged, Failure> {
        let programs = [&self.steps.train.program].into_iter();
        let programs = programs.chain(self.steps.evaluate.values().map(|step| &step.program));
        let memory = Memory::for_programs(programs, pool.threads());
        let settings = Settings { evaluation_batch: self.steps.train.batch, ..Settings::default() };
        let mut trainer =
            Trainer::new(&self.steps, memory, pool, &self.data, settings, &self.initial);
        let judged = judge(&mut trainer, &self.data.test, Pass::Test, worst);
        judged.map_err(|error| train_failure(&error, &self.data, &self.sites, &self.session))
    }

    /// The loss's name.
    pub fn loss(&self) -> &str {
        &self.training.loss
    }
}

/// Judges a model, as a trainer has it, by a split.
pub(super) fn judge(
    trainer: &mut Trainer<'_>,
    split: &Split,
    pass: Pass,
    worst: usize,
) -> Result<Judged, TrainError> {
    let labels = split.labels();
    let mut tally = labels.as_deref().map(|labels| ClassTally::new(labels, worst));
    let scores = trainer.evaluate(pass, &[], &mut |batch| {
        if let Some(counted) = &mut tally
            && !counted.add(batch)
        {
            tally = None;
        }
    })?;
    Ok(Judged { scores, classes: tally.map(ClassTally::finish) })
}

/// Counts what is taken for what.
struct ClassTally<'a> {
    labels: &'a [usize],
    counts: Vec<Vec<u64>>,
    worst: Vec<Worst>,
    keep: usize,
}

impl<'a> ClassTally<'a> {
    fn new(labels: &'a [usize], keep: usize) -> ClassTally<'a> {
        ClassTally { labels, counts: Vec::new(), worst: Vec::new(), keep }
    }

    /// Adds a batch; false where the output is no number for each class.
    fn add(&mut self, batch: &Evaluated<'_>) -> bool {
        let output = batch.output();
        let classes = output.len() / batch.samples.len().max(1);
        if self.counts.is_empty() {
            let labels = self.labels.iter().max().map_or(0, |most| most + 1);
            if classes < 2 || labels > classes {
                return false;
            }
            self.counts = vec![vec![0; classes]; classes];
        }
        for (&index, logits) in batch.samples.iter().zip(output.chunks_exact(classes)) {
            let label = self.labels[index as usize];
            let probabilities = softmax(logits);
            let predicted = largest(&probabilities);
            self.counts[label][predicted] += 1;
            if predicted != label {
                let loss = -probabilities[label].max(f64::MIN_POSITIVE).ln();
                let probability = probabilities[predicted];
                self.remember(Worst { index, label, predicted, probability, loss });
            }
        }
        true
    }

    fn remember(&mut self, sample: Worst) {
        let place = self.worst.partition_point(|other| other.loss >= sample.loss);
        if place < self.keep {
            self.worst.insert(place, sample);
            self.worst.truncate(self.keep);
        }
    }

    fn finish(self) -> ClassCounts {
        ClassCounts { counts: self.counts, worst: self.worst }
    }
}

/// Probabilities of logits, in `f64`.
pub(super) fn softmax(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let parts: Vec<f64> = logits.iter().map(|&logit| f64::from(logit - most).exp()).collect();
    let total: f64 = parts.iter().sum();
    parts.into_iter().map(|part| part / total).collect()
}

/// The place of the largest number, the first of equals.
pub(super) fn largest(values: &[f64]) -> usize {
    let better = |best: usize, (index, value): (usize, &f64)| {
        if *value > values[best] { index } else { best }
    };
    values.iter().enumerate().fold(0, better)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_large_logits_are_finite() {
        let probabilities = softmax(&[1000.0, 999.0, -1000.0]);
        assert!((probabilities[0] - 0.731_058_578).abs() < 1e-6);
        assert_eq!(largest(&probabilities), 0);
        assert_eq!(largest(&[0.5, 0.5]), 0);
    }
}
