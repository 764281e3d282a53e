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
    fn write(text: &mut String, program: &Program, actions: &[Action], indent: &str) {
        for action in actions {
            let _ = match action {
                Action::Run { kernel, args } => {
                    let names = args.iter().map(|&buffer| program.buffers[buffer].name.as_str());
                    let names: Vec<&str> = names.collect();
                    let name = &program.kernels[*kernel].name;
                    writeln!(text, "{indent}{name}({})", names.join(", "))
                }
                Action::Loop { steps, reverse, body } => {
                    let order = if *reverse { ", from the last" } else { "" };
                    let _ = writeln!(text, "{indent}{steps} steps{order}:");
                    write(text, program, body, &format!("{indent}    "));
                    Ok(())
                }
                Action::Barrier => writeln!(text, "{indent}-- barrier --"),
            };
        }
    }
    let mut text = String::new();
    write(&mut text, program, &program.actions, "");
    text
}
