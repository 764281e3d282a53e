//! Failures that end training early, as reports with their places in the program.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::data::{Dataset, FeedError};
use crate::driver::session::{Failure, Session};
use crate::driver::steps::BoundsChecks;
use crate::runtime::trainer::{NotFinite, TrainError};

/// The failure of training as a report, with its place in the program where it has one.
pub(crate) fn train_failure(
    error: &TrainError,
    data: &Dataset,
    bounds_checks: &BoundsChecks,
    session: &Session,
) -> Failure {
    let diagnostic = match error {
        TrainError::NotFinite { what, epoch, step, loss, in_a_row } => {
            not_finite(*what, (*epoch, *step), *loss, *in_a_row).help(SMALLER_RATE)
        }
        TrainError::BadIndex { site, split, sample } => {
            let bounds_checks =
                if *split == "train" { &bounds_checks.train } else { &bounds_checks.evaluate };
            let place = bounds_checks.get(*site as usize).copied().flatten();
            let diagnostic = bad_index(place, &format!("the {split} data"), *sample);
            match data.schema.classes() {
                Some(classes) => diagnostic.note(format!("the data has {classes} classes")),
                None => diagnostic,
            }
        }
        TrainError::NoSamples(split) => {
            Diagnostic::error(codes::NO_SAMPLES, format!("the {split} split has too few samples"))
                .help("make `batch` smaller, or write `last_batch = keep`")
        }
        TrainError::Data(error) => return data_failure(error),
    };
    session.program_failure(vec![diagnostic])
}

/// A sample that could not be had.
fn data_failure(failure: &FeedError) -> Failure {
    let FeedError { split, sample, error, panicked } = failure;
    let message = format!("sample {sample} of the {split} data: {error}");
    match panicked {
        true => Failure::Bug { pass: "data".to_string(), message, dump: None },
        false => Failure::Data(message),
    }
}

/// Numbers that are not finite, as far as the step itself tells.
pub(crate) fn not_finite(
    what: NotFinite,
    (epoch, step): (usize, usize),
    loss: f32,
    in_a_row: u64,
) -> Diagnostic {
    let what = what.words(loss);
    let message = format!("{what} is not finite in step {step} of epoch {epoch}");
    let mut diagnostic = Diagnostic::error(codes::NOT_FINITE, message)
        .note("parameters and states are as they were before that step");
    if in_a_row > 1 {
        diagnostic = diagnostic.note(format!("{in_a_row} batches in a row were like that"));
    }
    diagnostic
}

/// The help where no operator is to blame.
pub(crate) const SMALLER_RATE: &str = "a smaller learning rate is the usual cure";

/// An index out of range in a sample of `whose` data.
pub(crate) fn bad_index(place: Option<Span>, whose: &str, sample: usize) -> Diagnostic {
    let message = format!("sample {sample} of {whose} has an index outside its range");
    let diagnostic = Diagnostic::error(codes::INDEX_RANGE, message)
        .help("labels count from 0; the model's last layer needs one output for each class");
    match place {
        Some(place) => diagnostic.primary(place, "used as an index here"),
        None => diagnostic,
    }
}
