//! Rules of element-wise operators: arguments of equal shape give that shape.
//!
//! `add` of `f32[N, 10]` and `f32[N, 10]` is `f32[N, 10]`; `less` of them is `bool[N, 10]`.

use super::{Inferred, Mismatch, of_dtype, tensor};
use crate::base::scalar::unary::Takes;
use crate::base::tensor::DType;
use crate::graph::op::{Binary, Unary};
use crate::graph::types::Type;

/// The type of the argument, which is one of those that the function takes.
pub(super) fn unary(op: Unary, x: &Type) -> Inferred {
    let wanted: &[DType] = match op.row().takes {
        Takes::Numbers => &[DType::F32, DType::F64, DType::I32],
        Takes::Bools => &[DType::Bool],
        Takes::Floats => &[DType::F32, DType::F64],
    };
    of_dtype(x, wanted, op.name())?;
    Ok(x.clone())
}

/// Two of one type. Comparisons give bools and do not take `f64` (the builder rounds both sides
/// to `f32`: no uniform value is a truth value).
pub(super) fn binary(op: Binary, a: &Type, b: &Type) -> Inferred {
    let wanted: &[DType] = match op {
        Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Min | Binary::Max => {
            &[DType::F32, DType::F64, DType::I32]
        }
        Binary::Pow => &[DType::F32, DType::F64],
        Binary::Eq | Binary::Ne => &[DType::F32, DType::I32, DType::U8, DType::Bool],
        Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => &[DType::F32, DType::I32, DType::U8],
        Binary::And | Binary::Or => &[DType::Bool],
    };
    equal(&|| applied(op, a, b), (0, a), (1, b))?;
    of_dtype(a, wanted, spelling(op))?;
    let dtype = if op.is_comparison() { DType::Bool } else { a.dtype };
    Ok(Type::new(dtype, a.shape.clone()))
}

/// A bool and two of one type, all of one shape.
pub(super) fn select(condition: &Type, a: &Type, b: &Type) -> Inferred {
    if condition.dtype != DType::Bool {
        return Err(Mismatch::new(format!("`where` takes a bool condition, found {condition}")));
    }
    let applied = || format!("where({condition}, {a}, {b})");
    equal(&applied, (1, a), (2, b))?;
    tensor(a, "where")?;
    same_shape(&applied, (0, condition), (1, a))?;
    Ok(a.clone())
}

/// From any type to any but `f64`; from `f64` to `f32` only, which is how uniform values meet
/// tensors.
pub(super) fn cast(to: DType, x: &Type) -> Inferred {
    if to == DType::F64 || x.dtype == DType::F64 && to != DType::F32 {
        return Err(Mismatch::new(format!("{x} cannot be cast to {to}"))
            .note("f64 is for values computed once a step; they become tensors as f32"));
    }
    Ok(Type::new(to, x.shape.clone()))
}

/// An operator as it is written in the language.
fn spelling(op: Binary) -> &'static str {
    match op {
        Binary::Add => "+",
        Binary::Sub => "-",
        Binary::Mul => "*",
        Binary::Div => "/",
        Binary::Pow => "^",
        Binary::Eq => "==",
        Binary::Ne => "!=",
        Binary::Lt => "<",
        Binary::Le => "<=",
        Binary::Gt => ">",
        Binary::Ge => ">=",
        Binary::Min | Binary::Max | Binary::And | Binary::Or => op.name(),
    }
}

/// The types as arguments: `f32[N, 10] + f32[12]`, `max(f32, i32)`.
pub(crate) fn applied(op: Binary, a: &Type, b: &Type) -> String {
    match op {
        Binary::Min | Binary::Max => format!("{}({a}, {b})", op.name()),
        _ => format!("{a} {} {b}", spelling(op)),
    }
}

/// Checks that two arguments have one type. Whoever fails says how they were `applied`.
fn equal(
    applied: &dyn Fn() -> String,
    a: (usize, &Type),
    b: (usize, &Type),
) -> Result<(), Mismatch> {
    let (left, right) = (a.1.dtype, b.1.dtype);
    if left != right {
        return Err(Mismatch::new(format!("{}: {left} meets {right}", applied()))
            .note("both sides must have one element type; `cast` converts"));
    }
    same_shape(applied, a, b)
}

/// Checks that two arguments have one shape.
fn same_shape(
    applied: &dyn Fn() -> String,
    a: (usize, &Type),
    b: (usize, &Type),
) -> Result<(), Mismatch> {
    let (left, right) = (&a.1.shape, &b.1.shape);
    if left == right {
        return Ok(());
    }
    let mut mismatch = Mismatch::new(format!("{}: the shapes differ", applied()));
    if left.rank() != right.rank() {
        return Err(mismatch);
    }
    for axis in (0..left.rank()).filter(|&axis| left[axis] != right[axis]) {
        mismatch = mismatch
            .note(format!("axis {axis}: {} against {}", left[axis], right[axis]))
            .axis(a.0, axis)
            .axis(b.0, axis);
    }
    Err(mismatch)
}
