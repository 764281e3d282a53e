//! `tests/golden/schedule`: the order of a program's runs, the barriers between them, and the plan of
//! its memory.

use std::fmt::Write;

use nnc::loops::{Action, Program, read, verify};
use nnc::schedule::{Globals, order, plan};

use super::{Case, Output, Suite};

pub const SUITE: Suite = Suite {
    folder: "schedule",
    input: "loops",
    outputs: &[Output { extension: "plan", produce: planned }],
};

fn planned(case: &Case) -> Result<Option<String>, String> {
    let mut program = read::read(&case.text).map_err(|error| error.to_string())?;
    if program.to_string() != case.text {
        return Err(format!("{} is not in the form that it prints in:\n{program}", case.name));
    }
    verify::verify(&program).map_err(|errors| errors.join("\n"))?;
    order::run(&mut program);
    let program = plan::run(program, &mut Globals::new()).map_err(|errors| errors.join("\n"))?;
    Ok(Some(actions(&program) + &plan::table(&program)))
}

/// The actions, with buffers by their names.
fn actions(program: &Program) -> String {
    let mut text = String::new();
    for action in &program.actions {
        let _ = match action {
            Action::Run { kernel, args } => {
                let names = args.iter().map(|&buffer| program.buffers[buffer].name.as_str());
                let names: Vec<&str> = names.collect();
                writeln!(text, "{}({})", program.kernels[*kernel].name, names.join(", "))
            }
            Action::Barrier => writeln!(text, "-- barrier --"),
        };
    }
    text
}
