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
    write(&mut text, program, &program.actions, "");
    let barriers = program.barriers() + 1;
    let _ = writeln!(text, "-- end of the step --\n{barriers} barriers with the end");
    text
}

fn write(text: &mut String, program: &Program, actions: &[Action], indent: &str) {
    for action in actions {
        let _ = match action {
            Action::Run { kernel, .. } => {
                let kernel = &program.kernels[*kernel];
                let name = &kernel.name;
                match kernel.parts {
                    0 => writeln!(text, "{indent}{name} by every thread"),
                    1 => writeln!(text, "{indent}{name} in 1 part"),
                    parts => writeln!(text, "{indent}{name} in {parts} parts"),
                }
            }
            Action::Loop { steps, body, .. } => {
                let _ = writeln!(text, "{indent}{steps} steps:");
                write(text, program, body, &format!("{indent}    "));
                Ok(())
            }
            Action::Barrier => writeln!(text, "{indent}-- barrier --"),
        };
    }
}
