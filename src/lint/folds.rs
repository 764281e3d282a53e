//! A cross-validation of fewer samples than it has parts.

use super::LintInput;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;

/// More folds than samples.
pub fn lints(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let (Some(schema), Some(training)) = (program.schema, &program.experiment.training) else {
        return;
    };
    let settings = &training.settings;
    let (Some(folds), Some(&place)) = (settings.folds, settings.places.get("folds")) else {
        return;
    };
    // What is for validation otherwise is dealt to the parts, too.
    let (Some(train), Some(validation)) = (schema.train, schema.validation) else { return };
    let samples = train + validation;
    if samples < folds {
        let message = format!("{samples} samples cannot be cut into {folds} folds");
        let error = Diagnostic::error(codes::NO_SAMPLES, message)
            .primary(place, "each fold needs a sample")
            .help("make `folds` smaller, or give more samples");
        found.push(error);
    }
}
