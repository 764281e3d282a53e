//! `tests/golden/codegen`: loops as Cranelift's code for 128-bit vectors, and as machine code for
//! AVX2 and AVX-512. Targets are values, so nothing here depends on the host.
//!
//! A case shows the functions that the first word of its name is for, so that each expectation is
//! short enough to review: `tile_…` the blocks of contractions, `wide_…` the long element-wise loops,
//! `kernel_…` the kernels, `step_…` what calls them. Cranelift writes kernels and steps for AVX2 and
//! AVX-512 alike, and no wide loop for 128-bit vectors: those are not shown.

use nnc::codegen::object::{assembly_text, clif_text};
use nnc::codegen::{Target, emit};
use nnc::loops::{Planned, read};

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

/// What a case shows.
#[derive(PartialEq)]
enum Shown {
    Tiles,
    WideLoops,
    Kernels,
    Steps,
}

impl Shown {
    fn of(case: &Case) -> Result<Shown, String> {
        let file = case.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        match file.split('_').next() {
            Some("tile") => Ok(Shown::Tiles),
            Some("wide") => Ok(Shown::WideLoops),
            Some("kernel") => Ok(Shown::Kernels),
            Some("step") => Ok(Shown::Steps),
            _ => Err(format!("{file} begins with none of tile_, wide_, kernel_ and step_")),
        }
    }

    /// Whether it has a function of that name.
    fn has(&self, function: &str) -> bool {
        match self {
            Shown::Tiles => function.starts_with("tile."),
            Shown::WideLoops => function.starts_with("wide."),
            Shown::Kernels => function.starts_with("kernel "),
            Shown::Steps => function == "step" || function == "refresh",
        }
    }

    /// The functions of a text that it has. Each begins with a line `; NAME`, in assembly
    /// `; f0 NAME: 12 bytes`.
    fn of_text(&self, text: &str) -> Result<Option<String>, String> {
        let mut inside = false;
        let mut shown = String::new();
        for line in text.lines() {
            if let Some(header) = line.strip_prefix("; ") {
                let name = header.rsplit_once(": ").map_or(header, |(name, _)| name);
                let number = name.split_once(' ').filter(|(first, _)| {
                    first.strip_prefix('f').is_some_and(|number| number.parse::<u32>().is_ok())
                });
                inside = self.has(number.map_or(name, |(_, name)| name));
            }
            if inside {
                shown.push_str(line);
                shown.push('\n');
            }
        }
        match shown.trim_end() {
            "" => Err("no such function in this program".to_owned()),
            text => Ok(Some(format!("{text}\n"))),
        }
    }
}

fn program(case: &Case) -> Result<Planned, String> {
    let program = read::read(&case.text).map_err(|error| error.to_string())?;
    Planned::new(program).map_err(|errors| errors.join("\n"))
}

fn assembly(case: &Case, target: &str) -> Result<Option<String>, String> {
    let target = Target::from_name(target).expect("a target's name");
    Shown::of(case)?.of_text(&assembly_text(&emit(&program(case)?, &target)))
}

fn clif(case: &Case) -> Result<Option<String>, String> {
    let shown = Shown::of(case)?;
    if shown == Shown::WideLoops {
        return Ok(None);
    }
    let target = Target::from_name("portable").expect("a target's name");
    shown.of_text(&clif_text(&*program(case)?, &target))
}

fn avx2(case: &Case) -> Result<Option<String>, String> {
    assembly(case, "avx2")
}

fn avx512(case: &Case) -> Result<Option<String>, String> {
    match Shown::of(case)? {
        Shown::Tiles | Shown::WideLoops => assembly(case, "avx512"),
        Shown::Kernels | Shown::Steps => Ok(None),
    }
}
