//! Uniform values: what depends only on constants, hyper-parameters and the step's number. They
//! are computed once a step in `f64`, rounded, and put into a buffer that kernels read.
//!
//! `1 - 0.9 ^ step` is `[Const(1), Const(0.9), Step, Binary(Pow, 1, 2), Binary(Sub, 0, 3)]`.

use crate::base::scalar::{Binary, Unary};
use crate::loops::access::BufferId;

/// One `f64` operation; arguments are positions of earlier ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UniformInst {
    /// A number.
    Const(f64),
    /// The step's number, counted from 1.
    Step,
    /// A hyper-parameter's value for this step.
    Hyper(usize),
    /// A function of one argument.
    Unary(Unary, usize),
    /// A function of two arguments.
    Binary(Binary, usize, usize),
}

/// The uniform values of a program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Uniforms {
    /// The hyper-parameters: name and value as written.
    pub hypers: Vec<(String, f64)>,
    /// The operations, arguments before uses.
    pub insts: Vec<UniformInst>,
    /// The operations whose rounded results are the buffer's elements, in order.
    pub results: Vec<usize>,
    /// The pinned `f32` buffer, where there are results.
    pub buffer: Option<BufferId>,
}

impl Uniforms {
    /// The buffer's elements for a step, with a value for each hyper-parameter.
    pub fn eval(&self, step: u64, hypers: &[f64]) -> Vec<f32> {
        let mut values: Vec<f64> = Vec::with_capacity(self.insts.len());
        for inst in &self.insts {
            values.push(match *inst {
                UniformInst::Const(value) => value,
                UniformInst::Step => step as f64,
                UniformInst::Hyper(index) => hypers[index],
                UniformInst::Unary(op, a) => op.eval(values[a]),
                UniformInst::Binary(op, a, b) => op.eval(values[a], values[b]),
            });
        }
        self.results.iter().map(|&result| values[result] as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_correction_is_computed_in_f64_and_rounded_once() {
        let uniforms = Uniforms {
            insts: vec![
                UniformInst::Const(1.0),
                UniformInst::Const(0.9),
                UniformInst::Step,
                UniformInst::Binary(Binary::Pow, 1, 2),
                UniformInst::Binary(Binary::Sub, 0, 3),
            ],
            results: vec![4],
            ..Uniforms::default()
        };
        assert_eq!(uniforms.eval(3, &[]), [(1.0 - 0.9f64.powi(3)) as f32]);
    }
}
