//! `tests/golden/loops`: what each part of a program's kernels touches, or what is wrong with it.

use std::fmt::Write;

use nnc::loops::footprint::footprints;
use nnc::loops::intervals::IntervalSet;
use nnc::loops::program::{Kernel, KernelId, Program, SlotId};
use nnc::loops::{read, verify};

use super::{Case, Output, Suite};

pub const SUITE: Suite = Suite {
    folder: "loops",
    input: "loops",
    outputs: &[
        Output { extension: "footprints", produce: touched },
        Output { extension: "stderr", produce: errors },
    ],
};

/// The program, or what is printed instead of one. Its text must be what it prints as.
fn program(case: &Case) -> Result<Result<Program, String>, String> {
    let program = match read::read(&case.text) {
        Ok(program) => program,
        Err(error) => return Ok(Err(format!("{error}\n"))),
    };
    let printed = program.to_string();
    if read::read(&printed).as_ref() != Ok(&program) || printed != case.text {
        return Err(format!("{} is not in the form that it prints in:\n{printed}", case.name));
    }
    Ok(match verify::verify(&program) {
        Ok(()) => Ok(program),
        Err(errors) => Err(errors.join("\n") + "\n"),
    })
}

fn errors(case: &Case) -> Result<Option<String>, String> {
    Ok(program(case)?.err())
}

fn touched(case: &Case) -> Result<Option<String>, String> {
    let Ok(program) = program(case)? else { return Ok(None) };
    let kernels = program.kernels.iter().map(|(id, kernel)| kernel_touches(id, kernel));
    Ok(Some(kernels.collect()))
}

fn kernel_touches(id: KernelId, kernel: &Kernel) -> String {
    let found = footprints(kernel);
    let mut text = format!("kernel {id} {:?}\n", kernel.name);
    for part in 0..found.parts() {
        writeln!(text, "    part {part}").expect("a string takes all");
        for slot in kernel.slots.keys() {
            line(&mut text, "reads ", slot, found.reads(part, slot));
            line(&mut text, "writes", slot, found.writes(part, slot));
        }
    }
    text
}

fn line(text: &mut String, verb: &str, slot: SlotId, set: &IntervalSet) {
    if !set.is_empty() {
        writeln!(text, "        {verb} {slot} {set}").expect("a string takes all");
    }
}
