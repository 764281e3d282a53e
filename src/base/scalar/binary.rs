//! The functions of two elements, and what every pass asks of them.

use crate::base::math::{self, Float32};
use crate::base::scalar::unary::Effort;

/// Element-wise operators of two arguments. Comparisons give bools; `And` and `Or` take bools.
/// `Min` and `Max` give NaN when either side is; `Div` of `i32` rounds toward zero (by zero: 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each is the function of its name.
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Min,
    Max,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
}

named!(Binary {
    Add = "add", Sub = "sub", Mul = "mul", Div = "div", Pow = "pow", Min = "min", Max = "max",
    Eq = "eq", Ne = "ne", Lt = "lt", Le = "le", Gt = "gt", Ge = "ge", And = "and", Or = "or",
});

/// The result of a function of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gives {
    /// A number, of numbers: gradients flow.
    Number,
    /// A bool, of any two of one type.
    Comparison,
    /// A bool, of bools.
    Logic,
}

impl Binary {
    const fn gives(self) -> Gives {
        use Binary::{Add, And, Div, Eq, Ge, Gt, Le, Lt, Max, Min, Mul, Ne, Or, Pow, Sub};
        match self {
            Add | Sub | Mul | Div | Pow | Min | Max => Gives::Number,
            Eq | Ne | Lt | Le | Gt | Ge => Gives::Comparison,
            And | Or => Gives::Logic,
        }
    }

    /// Whether the result is a bool whatever the arguments.
    pub const fn is_comparison(self) -> bool {
        matches!(self.gives(), Gives::Comparison)
    }

    /// Whether it takes numbers and gives one.
    pub const fn is_arithmetic(self) -> bool {
        matches!(self.gives(), Gives::Number)
    }

    /// Whether its arguments may change places.
    pub const fn commutes(self) -> bool {
        match self {
            Binary::Add | Binary::Mul | Binary::Eq | Binary::Ne | Binary::And | Binary::Or => true,
            // Of two zeros, `Min` and `Max` give the second.
            Binary::Min | Binary::Max => false,
            Binary::Sub | Binary::Div | Binary::Pow => false,
            Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => false,
        }
    }

    /// Whether the bits of every `f32` result are fixed by IEEE 754.
    pub const fn is_exact(self) -> bool {
        !matches!(self, Binary::Pow)
    }

    /// The cost of computing an element again.
    pub const fn effort(self) -> Effort {
        match self {
            Binary::Div | Binary::Pow => Effort::Much,
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Min | Binary::Max => Effort::Least,
            Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => {
                Effort::Least
            }
            Binary::And | Binary::Or => Effort::Least,
        }
    }

    /// Instructions, about.
    pub const fn cost(self) -> usize {
        if matches!(self, Binary::Pow) { 40 } else { 1 }
    }

    /// The function in `f64`; truth values are 0 and 1.
    pub fn eval(self, a: f64, b: f64) -> f64 {
        let truth = |value: bool| f64::from(u8::from(value));
        match self {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            Binary::Pow => libm::pow(a, b),
            Binary::Min if a.is_nan() || b.is_nan() => f64::NAN,
            Binary::Max if a.is_nan() || b.is_nan() => f64::NAN,
            Binary::Min => a.min(b),
            Binary::Max => a.max(b),
            Binary::Eq => truth(a == b),
            Binary::Ne => truth(a != b),
            Binary::Lt => truth(a < b),
            Binary::Le => truth(a <= b),
            Binary::Gt => truth(a > b),
            Binary::Ge => truth(a >= b),
            Binary::And => truth(a != 0.0 && b != 0.0),
            Binary::Or => truth(a != 0.0 || b != 0.0),
        }
    }

    /// The function of floats in an engine, where it gives a float.
    pub fn of_f32<E: Float32>(self, e: &mut E, a: E::V, b: E::V) -> E::V {
        match self {
            Binary::Add => e.add(a, b),
            Binary::Sub => e.sub(a, b),
            Binary::Mul => e.mul(a, b),
            Binary::Div => e.div(a, b),
            Binary::Pow => math::pow(e, a, b),
            Binary::Min => math::min(e, a, b),
            Binary::Max => math::max(e, a, b),
            Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => {
                unreachable!("`{}` gives a bool", self.name())
            }
            Binary::And | Binary::Or => unreachable!("`{}` takes bools", self.name()),
        }
    }

    /// The comparison of floats in an engine.
    pub fn compare_f32<E: Float32>(self, e: &mut E, a: E::V, b: E::V) -> E::B {
        match self {
            Binary::Eq => e.eq(a, b),
            Binary::Ne => e.ne(a, b),
            Binary::Lt => e.lt(a, b),
            Binary::Le => e.le(a, b),
            Binary::Gt => e.lt(b, a),
            Binary::Ge => e.le(b, a),
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Pow => {
                unreachable!("`{}` gives a float", self.name())
            }
            Binary::Min | Binary::Max => unreachable!("`{}` gives a float", self.name()),
            Binary::And | Binary::Or => unreachable!("`{}` takes bools", self.name()),
        }
    }
}
