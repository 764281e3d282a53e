//! The functions of one element, a row each: name, values and everything that passes, lowering and
//! code generation know of a function. A new function is a row here, its `f32` algorithm in
//! [`base::math`](crate::base::math), and its derivative.
//!
//! ```text
//! Tanh = "tanh", math::tanh => UnaryRow { value: libm::tanh, range: (-1.0, 1.0), ulp: 3.0, … }
//! ```
//!
//! A field that is left out has the value of [`PLAIN`]. What follows from the fields (whether a
//! gradient flows, where a value is finite, whether a constant may be folded) is derived where it
//! is needed, not stated again.

use crate::base::math::{self, Float32};

/// The facts of a function.
#[derive(Clone, Copy, Debug)]
pub struct UnaryRow {
    /// The function in `f64`: what every engine approximates, and how uniform values are computed.
    /// Written with `libm` so that its bits are the same on every system.
    pub value: fn(f64) -> f64,
    /// Whether the language calls it by its name; others are operators there.
    pub called: bool,
    /// Its element types; the value has the argument's.
    pub takes: Takes,
    /// It is defined above this, and here where its value here is finite.
    pub domain: f64,
    /// Its values lie between these, for all arguments.
    pub range: (f64, f64),
    /// How it rises and falls over its domain.
    pub shape: Curve,
    /// How large it gets for large arguments, where its range has no bounds.
    pub growth: Growth,
    /// The error of the `f32` algorithm in units of the last place: 0 is exact, and up to a half is
    /// the rounded result that IEEE 754 fixes. Of waves, for arguments up to 100 000, and beyond
    /// where the result is more than 2⁻²⁰ (below, within 2⁻⁴²).
    pub ulp: f64,
    /// Instructions, about.
    pub cost: usize,
    /// The cost of computing it again.
    pub effort: Effort,
    /// ONNX's operator that is this function, where it has one.
    pub onnx: Option<&'static str>,
}

/// The element types of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// `f32`, and `f64` scalars.
    Floats,
    /// These and `i32`.
    Numbers,
    /// `bool`.
    Bools,
}

/// How a function rises and falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// A larger argument gives a larger value.
    Rising,
    /// A larger argument gives a smaller value.
    Falling,
    /// Flat between jumps upwards: the derivative is 0 wherever there is one.
    Steps,
    /// Falls to a kink at 0, then rises.
    Kink,
    /// None of these.
    Waves,
}

/// How large a function of large arguments gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Far less than the argument, as a logarithm.
    Slow,
    /// No more than the argument.
    Linear,
    /// Infinite for ordinary arguments, as an exponential.
    Fast,
}

/// The cost of computing an element again, beside that of loading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// No more than the load.
    Least,
    /// Little more than the load.
    Little,
    /// More.
    Much,
}

/// The fields that a row leaves out.
const PLAIN: UnaryRow = UnaryRow {
    value: |x| x,
    called: true,
    takes: Takes::Floats,
    domain: f64::NEG_INFINITY,
    range: (f64::NEG_INFINITY, f64::INFINITY),
    shape: Curve::Rising,
    growth: Growth::Linear,
    ulp: 0.0,
    cost: 20,
    effort: Effort::Much,
    onnx: None,
};

/// Makes the enum, and a match over it for each column that is not in [`UnaryRow`].
macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $f32:path => $row:expr;)*) => {
        /// Element-wise operators of one argument.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Unary {
            $($(#[$doc])* $name,)*
        }

        /// The rows, in order of the variants.
        static ROWS: &[UnaryRow] = &[$($row),*];

        impl Unary {
            /// Every function.
            pub const ALL: &'static [Unary] = &[$(Unary::$name),*];

            /// The name in both text forms, and in the language where it is called by it.
            pub const fn name(self) -> &'static str {
                match self { $(Unary::$name => $text),* }
            }

            /// The function of that name.
            pub fn from_name(name: &str) -> Option<Unary> {
                match name { $($text => Some(Unary::$name),)* _ => None }
            }

            /// The function of floats in an engine; [`Not`](Unary::Not), which takes a bool, is not
            /// one of them.
            pub fn of_f32<E: Float32>(self, e: &mut E, x: E::V) -> E::V {
                match self { $(Unary::$name => $f32(e, x)),* }
            }
        }
    };
}

functions! {
    /// `−x`.
    Neg = "neg", E::neg => UnaryRow {
        value: |x| -x, called: false, takes: Takes::Numbers, shape: Curve::Falling,
        cost: 1, effort: Effort::Least, onnx: Some("Neg"), ..PLAIN
    };
    /// `|x|`.
    Abs = "abs", E::abs => UnaryRow {
        value: f64::abs, takes: Takes::Numbers, range: (0.0, f64::INFINITY), shape: Curve::Kink,
        cost: 1, effort: Effort::Least, onnx: Some("Abs"), ..PLAIN
    };
    /// −1, 1, or the argument itself where it is zero or NaN.
    Sign = "sign", math::sign => UnaryRow {
        value: sign, takes: Takes::Numbers, range: (-1.0, 1.0), shape: Curve::Steps,
        cost: 4, effort: Effort::Least, onnx: Some("Sign"), ..PLAIN
    };
    /// The largest whole number not above `x`.
    Floor = "floor", E::floor => UnaryRow {
        value: f64::floor, shape: Curve::Steps, cost: 1, effort: Effort::Little, onnx: Some("Floor"), ..PLAIN
    };
    /// `eˣ`.
    Exp = "exp", math::exp => UnaryRow {
        value: libm::exp, range: (0.0, f64::INFINITY), growth: Growth::Fast, ulp: 1.2, onnx: Some("Exp"), ..PLAIN
    };
    /// `eˣ − 1`.
    Expm1 = "expm1", math::expm1 => UnaryRow {
        value: libm::expm1, range: (-1.0, f64::INFINITY), growth: Growth::Fast, ulp: 2.5, ..PLAIN
    };
    /// The natural logarithm.
    Log = "log", math::log => UnaryRow {
        value: libm::log, domain: 0.0, growth: Growth::Slow, ulp: 1.2, onnx: Some("Log"), ..PLAIN
    };
    /// `log(1 + x)`.
    Log1p = "log1p", math::log1p => UnaryRow {
        value: libm::log1p, domain: -1.0, growth: Growth::Slow, ulp: 2.0, ..PLAIN
    };
    /// `√x`.
    Sqrt = "sqrt", E::sqrt => UnaryRow {
        value: f64::sqrt, domain: 0.0, range: (0.0, f64::INFINITY), ulp: 0.5, cost: 1, onnx: Some("Sqrt"), ..PLAIN
    };
    /// `1/√x`.
    Rsqrt = "rsqrt", math::rsqrt => UnaryRow {
        value: |x| 1.0 / x.sqrt(), domain: 0.0, range: (0.0, f64::INFINITY), shape: Curve::Falling,
        ulp: 1.5, cost: 4, ..PLAIN
    };
    /// The hyperbolic tangent.
    Tanh = "tanh", math::tanh => UnaryRow {
        value: libm::tanh, range: (-1.0, 1.0), ulp: 3.0, onnx: Some("Tanh"), ..PLAIN
    };
    /// `1/(1 + e⁻ˣ)`.
    Sigmoid = "sigmoid", math::sigmoid => UnaryRow {
        value: |x| 1.0 / (1.0 + libm::exp(-x)), range: (0.0, 1.0), ulp: 3.0, onnx: Some("Sigmoid"), ..PLAIN
    };
    /// The error function.
    Erf = "erf", math::erf => UnaryRow {
        value: libm::erf, range: (-1.0, 1.0), ulp: 2.0, onnx: Some("Erf"), ..PLAIN
    };
    /// `1 − erf(x)`.
    Erfc = "erfc", math::erfc => UnaryRow {
        value: libm::erfc, range: (0.0, 2.0), shape: Curve::Falling, ulp: 4.0, cost: 60, ..PLAIN
    };
    /// The sine.
    Sin = "sin", math::sin => UnaryRow {
        value: libm::sin, range: (-1.0, 1.0), shape: Curve::Waves, ulp: 2.0, cost: 150, onnx: Some("Sin"), ..PLAIN
    };
    /// The cosine.
    Cos = "cos", math::cos => UnaryRow {
        value: libm::cos, range: (-1.0, 1.0), shape: Curve::Waves, ulp: 2.0, cost: 150, onnx: Some("Cos"), ..PLAIN
    };
    /// True where `x` is false.
    Not = "not", of_no_float => UnaryRow {
        value: |x| f64::from(u8::from(x == 0.0)), called: false, takes: Takes::Bools,
        range: (0.0, 1.0), shape: Curve::Waves, cost: 1, effort: Effort::Least, onnx: Some("Not"), ..PLAIN
    };
}

impl Unary {
    /// The facts of the function.
    pub fn row(self) -> &'static UnaryRow {
        &ROWS[self as usize]
    }

    /// The function in `f64`; bools are 0 and 1.
    pub fn eval(self, x: f64) -> f64 {
        (self.row().value)(x)
    }
}

impl UnaryRow {
    /// Whether the derivative is 0 wherever there is one.
    pub fn is_flat(&self) -> bool {
        self.shape == Curve::Steps || self.takes == Takes::Bools
    }

    /// Whether the bits of every `f32` result are fixed by IEEE 754.
    pub fn is_exact(&self) -> bool {
        self.ulp <= 0.5
    }

    /// Whether all values lie between two numbers.
    pub fn is_bounded(&self) -> bool {
        self.range.0.is_finite() && self.range.1.is_finite()
    }

    /// Whether the value is finite at the end of the domain, where that has one.
    pub fn is_closed(&self) -> bool {
        (self.value)(self.domain).is_finite()
    }
}

fn sign(x: f64) -> f64 {
    if x == 0.0 || x.is_nan() { x } else { x.signum() }
}

fn of_no_float<E: Float32>(_: &mut E, _: E::V) -> E::V {
    unreachable!("a function of bools, of a float: the verifier lets none through")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arguments of all sizes, ends and neighbours of every domain among them.
    fn samples() -> Vec<f64> {
        let sizes = (-60..=60).map(|power| 2f64.powi(power));
        let sizes = sizes.flat_map(|size| [size, 1.5 * size]);
        let mut samples: Vec<f64> = sizes.flat_map(|size| [size, -size, size - 1.0]).collect();
        samples.push(0.0);
        samples.sort_by(f64::total_cmp);
        samples
    }

    #[test]
    fn rows_say_where_functions_are_defined_and_between_what_their_values_lie() {
        for &function in Unary::ALL {
            let (name, row) = (function.name(), function.row());
            let (low, high) = row.range;
            for x in samples() {
                let y = function.eval(x);
                let inside = x > row.domain || x == row.domain && row.is_closed();
                assert_eq!(
                    !y.is_nan() && y.abs() < f64::INFINITY,
                    inside && y.is_finite(),
                    "{name} {x}"
                );
                assert!(!inside || low <= y && y <= high, "{name}({x}) = {y}");
                let large = x.abs() >= 4.0 && row.growth != Growth::Fast && inside;
                assert!(!large || row.is_bounded() || y.abs() <= x.abs(), "{name}({x}) = {y}");
            }
        }
    }

    #[test]
    fn functions_rise_and_fall_as_their_rows_say() {
        for &function in Unary::ALL {
            let row = function.row();
            let inside = samples().into_iter().filter(|&x| x > row.domain && x.abs() < 1e6);
            let points: Vec<(f64, f64)> = inside.map(|x| (x, function.eval(x))).collect();
            for pair in points.windows(2) {
                let [(a, f_a), (b, f_b)] = [pair[0], pair[1]];
                let fits = match row.shape {
                    Curve::Rising => f_a <= f_b,
                    Curve::Falling => f_a >= f_b,
                    Curve::Steps => f_a <= f_b,
                    Curve::Kink if b <= 0.0 => f_a >= f_b,
                    Curve::Kink => a < 0.0 || f_a <= f_b,
                    Curve::Waves => true,
                };
                assert!(fits, "{}: {f_a} at {a}, {f_b} at {b}", function.name());
            }
        }
    }
}
