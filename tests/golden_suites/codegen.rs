//! `tests/golden/codegen`: loops as Cranelift's code for 128-bit vectors, and as machine code with
//! the wide tiles of AVX2 and AVX-512. Targets are values, so nothing here depends on the host.

use nnc::codegen::object::{assembly_text, clif_text};
use nnc::codegen::{Target, emit};
use nnc::loops::{Program, read, verify};

use super::{Case, Output, Suite};

pub const SUITE: Suite = Suite {
    folder: "codegen",
    input: "loops",
    outputs: &[
        Output { extension: "clif", produce: clif },
        Output { extension: "avx2", produce: avx2 },
        Output { extension: "avx512", produce: avx512 },
    ],
};

fn program(case: &Case) -> Result<Program, String> {
    let program = read::read(&case.text).map_err(|error| error.to_string())?;
    verify::verify(&program).map_err(|errors| errors.join("\n"))?;
    Ok(program)
}

fn target(name: &str) -> Target {
    Target::from_name(name).expect("a target's name")
}

fn clif(case: &Case) -> Result<Option<String>, String> {
    Ok(Some(clif_text(&program(case)?, &target("portable"))))
}

fn avx2(case: &Case) -> Result<Option<String>, String> {
    Ok(Some(assembly_text(&emit(&program(case)?, &target("avx2")))))
}

fn avx512(case: &Case) -> Result<Option<String>, String> {
    Ok(Some(assembly_text(&emit(&program(case)?, &target("avx512")))))
}
