//! The numbers of a step as C: what depends on constants, the step and hyper-parameters alone.
//!
//! ```text
//! [Const(1), Const(0.9), Step, Binary(Pow, 1, 2), Binary(Sub, 0, 3)]
//! →  const double u2 = (double)step; const double u3 = nnc_pow64(0.9, u2); const double u4 = 1.0 - u3;
//! ```
//!
//! They are computed in double precision and rounded, as the runtime does it. Functions that no
//! schedule of the prelude needs are not there: a program that calls one is refused by name.

use super::number;
use crate::base::scalar::{Binary, Unary};
use crate::loops::{UniformInst, Uniforms};
use std::fmt::Write;

/// The functions in double precision; they stand before what calls them.
pub const SCHEDULES: &str = include_str!("schedule.c");

/// The statements that fill `out` with a step's numbers. `step` is a name of C, and hyper-parameters are
/// the expressions that `hyper` gives. An error is the name of a function that C does not have.
pub fn uniforms(
    uniforms: &Uniforms,
    hyper: &dyn Fn(usize) -> String,
) -> Result<String, &'static str> {
    let mut text = String::new();
    for (index, inst) in uniforms.insts.iter().enumerate() {
        let value = match *inst {
            UniformInst::Const(value) => number::double(value),
            UniformInst::Step => "(double)step".to_owned(),
            UniformInst::Hyper(index) => hyper(index),
            UniformInst::Unary(op, a) => unary(op, a)?,
            UniformInst::Binary(op, a, b) => binary(op, a, b),
        };
        let _ = writeln!(text, "    const double u{index} = {value};");
    }
    for (element, result) in uniforms.results.iter().enumerate() {
        let _ = writeln!(text, "    out[{element}] = (float)u{result};");
    }
    for index in (0..uniforms.insts.len()).filter(|&index| !is_used(uniforms, index)) {
        let _ = writeln!(text, "    (void)u{index};");
    }
    Ok(text)
}

fn is_used(uniforms: &Uniforms, index: usize) -> bool {
    let by = |inst: &UniformInst| match *inst {
        UniformInst::Const(_) | UniformInst::Step | UniformInst::Hyper(_) => false,
        UniformInst::Unary(_, a) => a == index,
        UniformInst::Binary(_, a, b) => a == index || b == index,
    };
    uniforms.results.contains(&index) || uniforms.insts.iter().any(by)
}

fn unary(op: Unary, a: usize) -> Result<String, &'static str> {
    Ok(match op {
        Unary::Neg => format!("-u{a}"),
        Unary::Rsqrt => format!("1.0 / nnc_sqrt64(u{a})"),
        Unary::Not => format!("u{a} == 0.0 ? 1.0 : 0.0"),
        Unary::Abs | Unary::Sign | Unary::Floor | Unary::Sqrt | Unary::Sin | Unary::Cos => {
            format!("nnc_{}64(u{a})", op.name())
        }
        // Schedules of the prelude call none of the others, and each would be a page of C.
        _ => return Err(op.name()),
    })
}

fn binary(op: Binary, a: usize, b: usize) -> String {
    let truth = |sign: &str| format!("u{a} {sign} u{b} ? 1.0 : 0.0");
    match op {
        Binary::Add => format!("u{a} + u{b}"),
        Binary::Sub => format!("u{a} - u{b}"),
        Binary::Mul => format!("u{a} * u{b}"),
        Binary::Div => format!("u{a} / u{b}"),
        Binary::Pow | Binary::Min | Binary::Max => format!("nnc_{}64(u{a}, u{b})", op.name()),
        Binary::Eq => truth("=="),
        Binary::Ne => truth("!="),
        Binary::Lt => truth("<"),
        Binary::Le => truth("<="),
        Binary::Gt => truth(">"),
        Binary::Ge => truth(">="),
        Binary::And => format!("u{a} != 0.0 && u{b} != 0.0 ? 1.0 : 0.0"),
        Binary::Or => format!("u{a} != 0.0 || u{b} != 0.0 ? 1.0 : 0.0"),
    }
}
