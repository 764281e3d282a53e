//! Scalar operators: the functions that the graph applies element by element and that loops
//! compute. Both intermediate representations use these names; neither knows the other.

/// Element-wise operators of one argument. All take floats; `Neg`, `Abs` and `Sign` also `i32`,
/// `Not` only bools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each is the function of its name.
pub enum Unary {
    Neg,
    Abs,
    Sign,
    Floor,
    Exp,
    Expm1,
    Log,
    Log1p,
    Sqrt,
    Rsqrt,
    Tanh,
    Sigmoid,
    Erf,
    Erfc,
    Sin,
    Cos,
    Not,
}

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

/// Reductions. `Max` and `Min` give NaN when an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each is the function of its name.
pub enum Reduce {
    Sum,
    Max,
    Min,
}

/// Makes a fieldless enum list its variants and know their names.
macro_rules! named {
    ($type:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $type {
            /// Every variant.
            pub const ALL: &'static [$type] = &[$($type::$variant),*];

            /// The name in text forms (and, where it is a function there, in the language).
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),* }
            }

            /// The variant of that name.
            pub fn from_name(name: &str) -> Option<$type> {
                match name { $($name => Some($type::$variant),)* _ => None }
            }
        }
    };
}

named!(Unary {
    Neg = "neg", Abs = "abs", Sign = "sign", Floor = "floor", Exp = "exp", Expm1 = "expm1",
    Log = "log", Log1p = "log1p", Sqrt = "sqrt", Rsqrt = "rsqrt", Tanh = "tanh",
    Sigmoid = "sigmoid", Erf = "erf", Erfc = "erfc", Sin = "sin", Cos = "cos", Not = "not",
});
named!(Binary {
    Add = "add", Sub = "sub", Mul = "mul", Div = "div", Pow = "pow", Min = "min", Max = "max",
    Eq = "eq", Ne = "ne", Lt = "lt", Le = "le", Gt = "gt", Ge = "ge", And = "and", Or = "or",
});
named!(Reduce { Sum = "sum", Max = "max", Min = "min" });

impl Binary {
    /// Whether the result is a bool whatever the arguments.
    pub fn is_comparison(self) -> bool {
        use Binary::*;
        match self {
            Eq | Ne | Lt | Le | Gt | Ge => true,
            Add | Sub | Mul | Div | Pow | Min | Max | And | Or => false,
        }
    }
}

impl Unary {
    /// The function in `f64`; what every engine approximates, and how uniform values are
    /// computed. Written with `libm` so that its bits are the same on every system.
    pub fn eval(self, x: f64) -> f64 {
        match self {
            Unary::Neg => -x,
            Unary::Abs => x.abs(),
            Unary::Sign => {
                if x == 0.0 || x.is_nan() {
                    x
                } else {
                    x.signum()
                }
            }
            Unary::Floor => x.floor(),
            Unary::Exp => libm::exp(x),
            Unary::Expm1 => libm::expm1(x),
            Unary::Log => libm::log(x),
            Unary::Log1p => libm::log1p(x),
            Unary::Sqrt => x.sqrt(),
            Unary::Rsqrt => 1.0 / x.sqrt(),
            Unary::Tanh => libm::tanh(x),
            Unary::Sigmoid => 1.0 / (1.0 + libm::exp(-x)),
            Unary::Erf => libm::erf(x),
            Unary::Erfc => libm::erfc(x),
            Unary::Sin => libm::sin(x),
            Unary::Cos => libm::cos(x),
            Unary::Not => f64::from(u8::from(x == 0.0)),
        }
    }
}

impl Binary {
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
}
