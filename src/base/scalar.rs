//! Scalar operators: the functions that the graph applies element by element and that loops
//! compute. Both intermediate representations use these names; neither knows the other.

/// Makes a fieldless enum list its variants and know their names.
macro_rules! named {
    ($type:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $type {
            /// Every variant.
            pub const ALL: &'static [$type] = &[$($type::$variant),*];

            /// The name in text forms (and, where it is a function there, in the language).
            pub const fn name(self) -> &'static str {
                match self { $($type::$variant => $name),* }
            }

            /// The variant of that name.
            pub fn from_name(name: &str) -> Option<$type> {
                match name { $($name => Some($type::$variant),)* _ => None }
            }
        }
    };
}

mod binary;
pub mod unary;

#[cfg(test)]
mod accuracy;

pub use crate::base::scalar::binary::Binary;
pub use crate::base::scalar::unary::Unary;

/// Reductions. `Max` and `Min` give NaN when an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each is the function of its name.
pub enum Reduce {
    Sum,
    Max,
    Min,
}

named!(Reduce { Sum = "sum", Max = "max", Min = "min" });
