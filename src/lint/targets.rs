//! Targets from which nothing can be learnt: one value in all samples to train on.

use super::LintInput;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::shown::Show;

/// Targets of one class, or of one number.
pub fn lints(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let (Some(schema), Some(data)) = (program.schema, program.data_item()) else { return };
    let graph = &program.experiment.train;
    for constant in &schema.constants {
        // One that nothing is compared with does not matter.
        if !graph.inputs.values().any(|input| input.name == constant.field) {
            continue;
        }
        let (field, value) = (constant.field.shown(), constant.value.shown());
        let what = match &constant.column {
            Some(column) => format!("`{}` of the target `{field}`", column.shown()),
            None => format!("the target `{field}`"),
        };
        let declared = data.fields.iter().find(|declared| declared.name.text == constant.field);
        let place = declared.map_or(data.source, |declared| declared.value.span);
        let message = format!("{what} is {value} in all samples to train on");
        let warning = Diagnostic::warning(codes::CONSTANT_TARGET, message)
            .primary(place, "one and the same value")
            .help("nothing can be learnt from it: choose another target, or look at the rows");
        found.push(warning);
    }
}
