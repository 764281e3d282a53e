//! Checks that need a program's settings, its data and its graphs at once: scores that no epoch
//! has, runs without a step, layers that stay as they were drawn.

use super::session::Failure;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::Edit;
use crate::base::limits;
use crate::base::settings::{Settings, Watched};
use crate::elaborate::Training;
use crate::graph::rule::FROZEN;
use crate::graph::{Graph, Init, Param};

/// Leaves as many findings as anyone reads, and says so.
pub(crate) fn cap(found: &mut Vec<Diagnostic>) {
    let more = found.len().saturating_sub(limits::FINDINGS);
    found.truncate(limits::FINDINGS);
    if let Some(last) = found.last_mut().filter(|_| more > 0) {
        let note = format!("{more} more like these are not shown");
        *last = last.clone().note(note);
    }
}

/// Settings that watch a number which no epoch has.
pub(crate) fn unknown_watched(training: &Training, has_validation: bool) -> Vec<Diagnostic> {
    let own = ["loss"].into_iter().chain(training.metrics.iter().map(String::as_str));
    let own: Vec<String> = own.map(str::to_owned).collect();
    let validated = own.iter().map(|name| format!("val_{name}"));
    let all: Vec<String> = own.iter().cloned().chain(validated).collect();
    let has = |name: &str| {
        all.iter().any(|known| known == name) && (has_validation || !name.starts_with("val_"))
    };
    let unknown = training.settings.watched().filter(|(_, watched)| !has(&watched.monitor.name));
    let report = |(key, watched): (&str, &Watched)| {
        let name = &watched.monitor.name;
        let message = format!("`{key}` watches `{name}`, which epochs do not have");
        let error = Diagnostic::error(codes::WATCHED, message).primary(watched.span, "");
        if all.contains(name) {
            return error
                .note("the data have no samples for validation")
                .help("keep some: `validation: 0.1` in the data, or watch `loss`");
        }
        let error = error.misspelt(watched.span, name, all.iter().map(String::as_str));
        error.or_help(|| format!("there are {}", all.join(", ")))
    };
    unknown.map(report).collect()
}

/// The error where no `train` block is about a model.
pub(crate) fn no_training(model: &str) -> Failure {
    Failure::Data(format!(
        "nothing says how to train `{model}`; add `train {model} on DATA {{ loss = … }}`"
    ))
}

/// A warning where parameters are frozen as they were drawn: `given` are those that a file has given.
pub(crate) fn frozen_at_random(
    training: &Training,
    train: &Graph,
    given: &[String],
) -> Option<Diagnostic> {
    let frozen = training.rule.excluded.get(FROZEN)?;
    let random = |param: &&Param| {
        let drawn = !matches!(param.init, Init::Constant(_));
        drawn && frozen.contains(&param.path) && !given.contains(&param.path)
    };
    let found: Vec<&str> =
        train.params.values().filter(random).map(|it| it.path.as_str()).collect();
    let (first, rest) = found.split_first()?;
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    let message = format!("`{first}`{more} is frozen as it was drawn: nothing has trained it");
    let warning = Diagnostic::warning(codes::FROZEN_AT_RANDOM, message)
        .primary(training.settings.places["freeze"], "");
    Some(warning.help("`init_from` gives it weights, or leave it out of `freeze`"))
}

/// A run without a step: there are too few samples for one batch, and the rest is dropped.
pub(crate) fn no_steps(settings: &Settings, samples: usize) -> Diagnostic {
    let batch = settings.batch;
    let message = format!("no step is left: {samples} samples make no batch of {batch}");
    let mut error = Diagnostic::error(codes::NO_SAMPLES, message)
        .help("make `batch` smaller, or write `last_batch = keep`");
    if let Some(&place) = settings.places.get("last_batch") {
        let keep = vec![Edit { span: place, text: "keep".into() }];
        error = error.primary(place, "drops what is no whole batch").fix("write `keep`", keep);
    }
    match settings.places.get("batch") {
        Some(&place) => error.label(place, "the batch"),
        None => error,
    }
}
