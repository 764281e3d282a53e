//! Where parameters and states begin: drawn from the seed, or taken from a file of weights as
//! `init_from` says ([`super::known_weights`]); running means begin as what they are means of.

use super::known_weights::{KnownWeights, weights_of};
use super::torch_names::NameTable;
use crate::base::settings::{ClassWeights, Settings};
use crate::base::tensor::{Data, Tensor};
use crate::data::Dataset;
use crate::driver::session::{Failure, Request, Session};
use crate::graph::Graph;
use crate::graph::init::initial_values;
use crate::graph::rule::{CLASS_WEIGHTS, MEAN};

/// How a run begins.
pub(crate) struct RunStart {
    /// The first value of every parameter and state of a training step.
    pub values: Vec<(String, Tensor)>,
    /// The paths of those that a file has given.
    pub given: Vec<String>,
    /// How the names of that file were matched, where they are not the program's.
    pub names: Option<NameTable>,
}

/// How a run begins. `forward` is the graph of evaluation.
pub(crate) fn initial(
    session: &Session,
    request: &Request,
    (graph, forward): (&Graph, &Graph),
    settings: &Settings,
    data: &Dataset,
) -> Result<RunStart, Failure> {
    let mut values = initial_values(graph, settings.seed);
    let (mut given, mut names) = (Vec::new(), None);
    if let Some(from) = &settings.init_from {
        let loaded = weights_of(request, forward, from);
        let KnownWeights { values: loaded, names: matched } =
            loaded.map_err(|error| session.program_failure(vec![*error]))?;
        names = matched;
        for (name, tensor) in loaded {
            if let Some((path, value)) = values.iter_mut().find(|(path, _)| *path == name) {
                value.data = tensor.data;
                given.push(path.clone());
            }
        }
    }
    if let Some(weights) = &settings.class_weights
        && let Some((_, value)) = values.iter_mut().find(|(path, _)| path == CLASS_WEIGHTS)
    {
        value.data = Data::F32(class_weights(weights, data.train.labels(), value.len())?);
    }
    for mean in 0..values.len() {
        let Some(of) = values[mean].0.strip_prefix(MEAN) else { continue };
        if let Some(first) = values.iter().position(|(path, _)| path == of) {
            values[mean].1.data = values[first].1.data.clone();
        }
    }
    Ok(RunStart { values, given, names })
}

/// The weight of each class in training on samples of these classes: as written, or, balanced, the
/// same in sum as if all weighed 1.
pub(crate) fn class_weights(
    weights: &ClassWeights,
    labels: Option<Vec<usize>>,
    classes: usize,
) -> Result<Vec<f32>, Failure> {
    let ClassWeights::Balanced = weights else {
        let ClassWeights::Given(weights) = weights else { return Ok(vec![1.0; classes]) };
        return Ok(weights.iter().map(|&weight| weight as f32).collect());
    };
    let labels = labels.ok_or_else(|| {
        Failure::Data("`class_weights = balanced` needs data with a class for each sample".into())
    })?;
    let mut counts = vec![0usize; classes];
    for &label in &labels {
        // A label out of range is reported by the step that meets it.
        if let Some(count) = counts.get_mut(label) {
            *count += 1;
        }
    }
    let all = labels.len() as f64;
    // As scikit-learn's "balanced": samples / (classes · count); a class without samples weighs 0.
    let weight = |&count: &usize| match count {
        0 => 0.0,
        count => (all / (classes as f64 * count as f64)) as f32,
    };
    Ok(counts.iter().map(weight).collect())
}
