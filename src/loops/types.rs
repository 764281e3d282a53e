//! The types of scalars: what an instruction takes and gives.
//!
//! `add r0, r1` of two `f32` gives `f32`; `lt r0, r1` gives `bool`; an element of a `u8` slot
//! arrives as `i32`. The verifier and the builder both ask here.

use crate::base::entity::Arena;
use crate::base::scalar::unary::Takes;
use crate::base::scalar::{Binary, Unary};
use crate::base::tensor::DType;
use crate::loops::program::{Inst, RegId, Slot, SlotId};

/// The type of an element of a slot once it is a scalar; no `f64` is in a slot.
pub fn loaded(dtype: DType) -> DType {
    match dtype {
        DType::F32 | DType::F64 => DType::F32,
        DType::I32 | DType::U8 => DType::I32,
        DType::Bool => DType::Bool,
    }
}

/// The type of an instruction's result, or what is wrong with its arguments. Ids must exist.
pub fn result_type(
    inst: &Inst,
    regs: &Arena<RegId, DType>,
    slots: &Arena<SlotId, Slot>,
) -> Result<DType, String> {
    let needs = |reg: RegId, wanted: DType| match regs[reg] {
        found if found == wanted => Ok(()),
        found => Err(format!("{reg} is {found}, but must be {wanted}")),
    };
    match *inst {
        Inst::F32(_) | Inst::Uniform { .. } => Ok(DType::F32),
        Inst::I32(_) | Inst::Index(_) => Ok(DType::I32),
        Inst::Bool(_) => Ok(DType::Bool),
        Inst::Load(ref access) => Ok(loaded(slots[access.slot].dtype)),
        Inst::LoadAt { ref base, index, .. } => {
            needs(index, DType::I32)?;
            Ok(loaded(slots[base.slot].dtype))
        }
        Inst::Checked { index, .. } => {
            needs(index, DType::I32)?;
            Ok(DType::I32)
        }
        Inst::Unary(op, a) => unary(op, a, regs[a]),
        Inst::Binary(op, a, b) => {
            needs(b, regs[a])?;
            binary(op, a, regs[a])
        }
        Inst::Select(condition, a, b) => {
            needs(condition, DType::Bool)?;
            needs(b, regs[a])?;
            Ok(regs[a])
        }
        Inst::Fma(a, b, c) => {
            for reg in [a, b, c] {
                needs(reg, DType::F32)?;
            }
            Ok(DType::F32)
        }
        Inst::Cast(dtype @ (DType::F32 | DType::I32 | DType::Bool), _) => Ok(dtype),
        Inst::Cast(dtype @ (DType::F64 | DType::U8), _) => {
            Err(format!("no scalar has type {dtype}"))
        }
    }
}

fn unary(op: Unary, a: RegId, dtype: DType) -> Result<DType, String> {
    let fits = match op.row().takes {
        Takes::Bools => dtype == DType::Bool,
        Takes::Numbers => matches!(dtype, DType::F32 | DType::I32),
        Takes::Floats => dtype == DType::F32,
    };
    if fits { Ok(dtype) } else { Err(format!("{a} is {dtype}: `{}` takes none", op.name())) }
}

fn binary(op: Binary, a: RegId, dtype: DType) -> Result<DType, String> {
    let number = matches!(dtype, DType::F32 | DType::I32);
    let fits = match op {
        Binary::Pow => dtype == DType::F32,
        Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Min | Binary::Max => number,
        Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => number,
        Binary::Eq | Binary::Ne => number || dtype == DType::Bool,
        Binary::And | Binary::Or => dtype == DType::Bool,
    };
    match fits {
        true if op.is_comparison() => Ok(DType::Bool),
        true => Ok(dtype),
        false => Err(format!("{a} is {dtype}: `{}` takes none", op.name())),
    }
}
