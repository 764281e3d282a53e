//! Vector loops that a wide function computes: its operands are put into a block on the stack,
//! and the function is called with the block's address.

use cranelift_codegen::ir::{InstBuilder, StackSlotData, StackSlotKind, Value, types};

use super::{KernelEmitter, pointers};
use crate::base::tensor::DType;
use crate::codegen::target::Target;
use crate::codegen::wide::{self, Operands, WideLoop};
use crate::loops::{Kernel, RegId, Stmt};

const POINTER: i32 = size_of::<u64>() as i32;
const SCALAR: i32 = size_of::<f32>() as i32;

/// The wide function of a vector loop, where there is one for the target.
pub(in crate::codegen) fn wide_loop(
    target: &Target,
    kernel: &Kernel,
    stmt: &Stmt,
) -> Option<(WideLoop, Operands)> {
    match stmt {
        Stmt::Vector { var, body, reductions } if reductions.is_empty() => {
            wide::record(target.wide()?, kernel, *var, body)
        }
        _ => None,
    }
}

/// All wide functions that a kernel calls.
pub(in crate::codegen) fn wide_loops(target: &Target, kernel: &Kernel) -> Vec<WideLoop> {
    fn visit(target: &Target, kernel: &Kernel, body: &[Stmt], found: &mut Vec<WideLoop>) {
        for stmt in body {
            match stmt {
                Stmt::Parts { body, .. } | Stmt::For { body, .. } => {
                    visit(target, kernel, body, found);
                }
                Stmt::If { then, otherwise, .. } => {
                    visit(target, kernel, then, found);
                    visit(target, kernel, otherwise, found);
                }
                Stmt::Vector { .. } => {
                    found.extend(wide_loop(target, kernel, stmt).map(|(wide, _)| wide));
                }
                Stmt::Let { .. } | Stmt::Store { .. } | Stmt::StoreAt { .. } | Stmt::Tile(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    visit(target, kernel, &kernel.body, &mut found);
    found
}

impl KernelEmitter<'_, '_> {
    /// Calls a wide function; what is the same for all elements has been computed.
    pub(super) fn call_wide(&mut self, wide: &WideLoop, operands: &Operands) {
        let size = POINTER * wide.pointers as i32 + SCALAR * wide.scalars as i32;
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, size.max(POINTER) as u32, 3);
        let slot = self.builder.create_sized_stack_slot(slot);
        for (index, access) in operands.pointers.iter().enumerate() {
            let address = self.address(access);
            self.builder.ins().stack_store(types::I64, address, slot, POINTER * index as i32);
        }
        let first = POINTER * wide.pointers as i32;
        for (index, &reg) in operands.scalars.iter().enumerate() {
            let value = self.lane(reg);
            self.builder.ins().stack_store(types::I64, value, slot, first + SCALAR * index as i32);
        }
        let block = self.builder.ins().stack_addr(types::I64, slot, 0);
        self.call(self.callees.wide[wide], pointers(1), &[block]);
    }

    /// A scalar as one lane holds it: truth values as all ones or all zeros.
    fn lane(&mut self, reg: RegId) -> Value {
        let value = self.scalar(reg);
        match self.kernel.regs.get(reg) {
            Some(DType::Bool) => {
                let wide = self.builder.ins().uextend(types::I32, value);
                self.builder.ins().ineg(wide)
            }
            _ => value,
        }
    }
}
