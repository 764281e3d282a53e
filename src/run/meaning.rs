//! Hashes of what a program computes, part by part, so that a run does not go on with another.
//!
//! ```text
//! the model, its loss and its metrics    the elaborated training graph
//! the model outside of training          the evaluation graph
//! the optimizer and its settings         the rule, and what `freeze` and `decay` leave out
//! the order of the samples               `shuffle`, `last_batch`, `accumulate`
//! what is done to samples                the transforms of the data, as they are written
//! what classes weigh                     `class_weights`
//! ```
//!
//! Two texts that mean the same have the same hashes: names of `let`s, comments and layout are not
//! in them. Numbers that may change while a run goes on (the learning rate) are left out, and so are
//! the epochs and first values: a checkpoint has others. The samples themselves have a fingerprint
//! of their own.

use crate::data::TransformCall;
use crate::elaborate::{Experiment, Training};
use crate::graph::Graph;
use crate::graph::data::Init;

/// The parts' names and hashes.
pub(crate) fn meaning(
    experiment: &Experiment,
    training: &Training,
    transforms: &[TransformCall],
) -> Vec<(String, String)> {
    let settings = &training.settings;
    let order = format!("{} {:?} {}", settings.shuffle, settings.last_batch, settings.accumulate);
    let rule = format!("{}{:?}", text(&training.rule.graph), training.rule.excluded);
    let parts = [
        ("the model, its loss or its metrics", text(&experiment.train)),
        ("the model outside of training", text(&experiment.eval)),
        ("the optimizer or a setting around it", rule),
        ("the order of samples (`shuffle`, `last_batch`, `accumulate`)", order),
        ("what is done to samples (the transforms of the data)", format!("{transforms:?}")),
        ("`class_weights`", format!("{:?}", settings.class_weights)),
    ];
    let hashed = |(name, text): (&str, String)| {
        (name.to_owned(), blake3::hash(text.as_bytes()).to_hex().to_string())
    };
    parts.into_iter().map(hashed).collect()
}

/// The parts that differ, by name.
pub(crate) fn differing(before: &[(String, String)], now: &[(String, String)]) -> Vec<String> {
    let other = |(name, hash): &&(String, String)| {
        before.iter().any(|(known, old)| known == name && old != hash)
    };
    now.iter().filter(other).map(|(name, _)| name.clone()).collect()
}

/// A graph's text without the numbers of its hyper-parameters and without first values.
fn text(graph: &Graph) -> String {
    let mut graph = graph.clone();
    for id in graph.hypers.keys().collect::<Vec<_>>() {
        graph.hypers[id].value = 0.0;
    }
    let params = graph.params.values_mut().map(|param| &mut param.init);
    let states = graph.states.values_mut().map(|state| &mut state.init);
    params.chain(states).for_each(|init| *init = Init::Constant(0.0));
    graph.to_string()
}
