//! `tests/golden/step`: what threads run in a program's training step: kernels in order with their
//! parts, and the barriers between them, counted.

use std::fmt::Write;

use nnc::loops::{Action, Program};
use nnc::schedule::Globals;

use super::{Case, Output, Suite};
use crate::support::pipeline;

pub const SUITE: Suite = Suite {
    folder: "step",
    input: "nn",
    outputs: &[Output { extension: "actions", produce: actions }],
};

fn actions(case: &Case) -> Result<Option<String>, String> {
    let schemas = vec![("handwriting".to_string(), pipeline::mnist())];
    let experiment = pipeline::experiment(&case.text, schemas);
    let settings = &experiment.training.as_ref().expect("a train block").settings;
    let graph = pipeline::training(&experiment);
    let (_, lowered) = pipeline::lowered(&graph, settings.batch, &mut Globals::default());
    Ok(Some(action_list(&lowered.program)))
}

fn action_list(program: &Program) -> String {
    let mut text = String::new();
    for action in &program.actions {
        let _ = match action {
            Action::Run { kernel, .. } => {
                let kernel = &program.kernels[*kernel];
                match kernel.parts {
                    0 => writeln!(text, "{} by every thread", kernel.name),
                    1 => writeln!(text, "{} in 1 part", kernel.name),
                    parts => writeln!(text, "{} in {parts} parts", kernel.name),
                }
            }
            Action::Barrier => writeln!(text, "-- barrier --"),
        };
    }
    let barriers = program.actions.iter().filter(|action| **action == Action::Barrier).count();
    let _ = writeln!(text, "-- end of the step --\n{} barriers with the end", barriers + 1);
    text
}
