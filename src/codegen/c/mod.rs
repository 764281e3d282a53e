//! Loops as C99: a third way from a [`Planned`] program to code, beside Cranelift and the tiles.
//!
//! ```text
//! kernel dense.forward …   →  static void k0(const float *restrict s0, …) { … }     `kernel`, `inst`
//! tile 32×64               →  static void tile0(const float *restrict a, …)         `tile`
//! exp, tanh, …             →  NNC_INLINE float nnc_exp(float x) { … }               `math`
//! actions                  →  a function that calls kernels in turn                 this file
//! ```
//!
//! The text needs `stdint.h` and `stddef.h` and no library. It computes the bits of the other ways: the
//! order of sums is that of the loops, `nnc_fma` rounds once, and `prelude.c` sees to denormals. One
//! thread runs all of it: its share of a kernel is all of the parts, and barriers vanish.
//!
//! Where buffers are is the caller's to say, as a C expression each. Numbers that a step computes of
//! its own number (`uniform`) are printed apart.

mod access;
mod inst;
mod kernel;
mod math;
pub mod number;
mod tile;
mod uniform;

pub use kernel::element_type;
pub use uniform::{SCHEDULES, uniforms};

use crate::base::tensor::DType;
use crate::loops::{Action, BufferId, KernelId, Planned, Reduce};
use math::Functions;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use tile::TileFunctions;

/// The arithmetic that all programs share; it stands first.
pub const PRELUDE: &str = include_str!("prelude.c");
/// Random numbers.
const RANDOM: &str = include_str!("random.c");

/// A function that runs actions.
pub struct CFunction<'a> {
    /// The program whose actions they are.
    pub program: &'a Planned,
    /// Its name.
    pub name: &'a str,
    /// Its parameters after `struct nnc_context *context`, which the places of buffers may speak of.
    pub params: &'a str,
    /// Runs and barriers, in order.
    pub actions: &'a [Action],
    /// The C expression of a pointer to the elements of a buffer that is no part of another.
    pub place: &'a dyn Fn(BufferId) -> String,
}

impl CFunction<'_> {
    fn runs(&self) -> impl Iterator<Item = (KernelId, &[BufferId])> {
        self.actions.iter().flat_map(Action::runs)
    }
}

/// The needs of all kernels together: what is printed before them.
#[derive(Default)]
struct Shared {
    functions: Functions,
    tiles: TileFunctions,
    /// Reductions of lanes: the operator's name and the type.
    reductions: BTreeSet<(&'static str, &'static str)>,
    uses_random: bool,
    /// Whether the kernel that is being printed asks the context for something.
    uses_context: bool,
}

/// A kernel as other functions call it.
struct CKernel {
    name: String,
    takes_context: bool,
}

/// Which kernel of which of the functions' programs.
type KernelKey = (usize, KernelId);

/// Prints what some functions need, and the functions.
pub fn print(functions: &[CFunction<'_>]) -> String {
    let mut shared = Shared::default();
    let mut code = String::new();
    let mut kernels: BTreeMap<KernelKey, CKernel> = BTreeMap::new();
    let programs = programs(functions);
    for (function, &program) in functions.iter().zip(&programs) {
        for (id, _) in function.runs() {
            if kernels.contains_key(&(program, id)) {
                continue;
            }
            let name = format!("kernel{}", kernels.len());
            let alike = functions.iter().zip(&programs).filter(|(_, other)| **other == program);
            let mut runs = alike.flat_map(|(function, _)| function.runs());
            let apart =
                runs.all(|(kernel, args)| kernel != id || are_apart(function.program, id, args));
            let kernel = &function.program.kernels[id];
            let takes_context = kernel::print(kernel, &name, apart, &mut shared, &mut code);
            kernels.insert((program, id), CKernel { name, takes_context });
        }
    }
    for (function, &program) in functions.iter().zip(&programs) {
        let CFunction { name, params, actions, .. } = function;
        let params = ["struct nnc_context *context", params].join(", ");
        let _ = writeln!(code, "static void {name}({params}) {{");
        let mut calls = String::new();
        Calls { function, program, kernels: &kernels }.actions(actions, None, "    ", &mut calls);
        let names = params.split(", ").filter_map(|param| param.split([' ', '*']).next_back());
        for name in names.filter(|name| !kernel::mentions(&calls, name)) {
            let _ = writeln!(code, "    (void){name};");
        }
        let _ = writeln!(code, "{calls}}}\n");
    }
    let mut text = String::new();
    let reductions = shared.print_reductions();
    if shared.uses_random {
        let _ = writeln!(text, "{RANDOM}");
    }
    shared.functions.print(&mut text);
    text.push_str(&reductions);
    shared.tiles.define(&mut text);
    text.push_str(&code);
    text
}

impl Shared {
    /// The functions that make one value of sixteen lanes.
    fn print_reductions(&mut self) -> String {
        let mut text = String::new();
        for (name, ty) in self.reductions.clone() {
            let op = Reduce::from_name(name).expect("a name of the table");
            let dtype = match ty {
                "float" => DType::F32,
                _ => DType::I32,
            };
            let combined = self.combined(op, dtype, "lanes[l]", "lanes[l + width]");
            let _ = writeln!(
                text,
                "NNC_INLINE {ty} nnc_{name}_of_{ty}s({ty} *lanes) {{\n    \
                 for (int width = 8; width > 0; width /= 2) {{\n        \
                 for (int l = 0; l < width; ++l) {{\n            \
                 lanes[l] = {combined};\n        }}\n    }}\n    return lanes[0];\n}}\n"
            );
        }
        text
    }
}

/// Whether what a run writes and what else it is given are different buffers.
fn are_apart(program: &Planned, kernel: KernelId, args: &[BufferId]) -> bool {
    let written = kernel::written(&program.kernels[kernel]);
    let wholes: Vec<BufferId> = args.iter().map(|&arg| program.whole(arg)).collect();
    let alone = |at: usize| wholes.iter().filter(|&&other| other == wholes[at]).count() == 1;
    (0..args.len()).all(|at| !written[at] || alone(at))
}

/// The program of each function: the number of the first function that has the same.
fn programs(functions: &[CFunction<'_>]) -> Vec<usize> {
    let first = |function: &CFunction<'_>| {
        let same = |other: &CFunction<'_>| std::ptr::eq(other.program, function.program);
        functions.iter().position(same).expect("a function has its own program")
    };
    functions.iter().map(first).collect()
}

/// The calls of a function.
struct Calls<'a> {
    function: &'a CFunction<'a>,
    program: usize,
    kernels: &'a BTreeMap<KernelKey, CKernel>,
}

impl Calls<'_> {
    /// Actions in order, in the slice of a loop's step where they are inside one.
    fn actions(&self, actions: &[Action], slice: Option<&str>, pad: &str, out: &mut String) {
        for action in actions {
            match action {
                Action::Barrier => {}
                Action::Run { kernel, args } => {
                    let CKernel { name, takes_context } = &self.kernels[&(self.program, *kernel)];
                    let context = takes_context.then(|| "context".to_owned());
                    let args = args.iter().map(|&arg| self.argument(arg, slice));
                    let args: Vec<String> = context.into_iter().chain(args).collect();
                    let _ = writeln!(out, "{pad}{name}({});", args.join(", "));
                }
                Action::Loop { steps, reverse, body } => {
                    let head = match reverse {
                        false => format!("ptrdiff_t t = 0; t < {steps}; ++t"),
                        true => format!("ptrdiff_t t = {steps} - 1; t >= 0; --t"),
                    };
                    let _ = writeln!(out, "{pad}for ({head}) {{");
                    self.actions(body, Some("t"), &format!("{pad}    "), out);
                    let _ = writeln!(out, "{pad}}}");
                }
            }
        }
    }

    fn argument(&self, buffer: BufferId, slice: Option<&str>) -> String {
        let CFunction { program, place, .. } = self.function;
        let Some(part) = program.buffers[buffer].part else { return place(buffer) };
        let mut text = place(part.of);
        if part.first > 0 {
            let _ = write!(text, " + {}", part.first);
        }
        if let Some(slice) = slice.filter(|_| part.stride > 0) {
            let _ = write!(text, " + {} * {slice}", part.stride);
        }
        text
    }
}
