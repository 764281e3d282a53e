//! Loads and stores of a kernel, for one element or for four lanes.
//!
//! ```text
//! load s0[2·i0 + i1]   in a vector loop over i1:  one load of 16 bytes
//!                      over i0:                   four loads and three inserts
//! store s1[i1] = mask  in a vector loop:          masks narrowed to four bytes of 0 or 1
//! ```

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Value, types};

use super::{KernelEmitter, Lanes, MEMORY, dtype_of, value_type};
use crate::base::tensor::DType;
use crate::loops::{Access, RegId};

/// How bytes lie in lanes.
const BYTES: MemFlagsData = MemFlagsData::new().with_endianness(Endianness::Little);

impl KernelEmitter<'_, '_> {
    /// An element, or one a lane.
    pub(super) fn load(&mut self, access: &Access) -> Value {
        let dtype = self.kernel.slots[access.slot].dtype;
        let (address, offset) = self.place(access);
        let Some(Lanes { var, valid }) = self.lanes else {
            return self.load_element(dtype, address, offset);
        };
        match access.index.factor(var) {
            0 => {
                let value = self.load_element(dtype, address, offset);
                self.spread(dtype, value)
            }
            1 if valid == 4 => self.load_neighbours(dtype, address, offset),
            factor => {
                let far = factor as i32 * dtype.size() as i32;
                let lanes: Vec<Value> = (0..i32::from(valid))
                    .map(|lane| self.load_element(dtype, address, offset + lane * far))
                    .collect();
                self.gather_loaded(dtype, &lanes)
            }
        }
    }

    /// An element whose index comes from data, or one a lane.
    pub(super) fn load_at(&mut self, base: &Access, index: RegId, stride: i64) -> Value {
        let dtype = self.kernel.slots[base.slot].dtype;
        let index = self.operand(index);
        let Some(Lanes { var, valid }) = self.lanes else {
            let (address, offset) = self.place_of(base, index, stride);
            return self.load_element(dtype, address, offset);
        };
        let far = base.index.factor(var) as i32 * dtype.size() as i32;
        let lanes: Vec<Value> = (0..valid)
            .map(|lane| {
                let index = self.builder.ins().extractlane(index, lane);
                let (address, offset) = self.place_of(base, index, stride);
                self.load_element(dtype, address, offset + i32::from(lane) * far)
            })
            .collect();
        self.gather_loaded(dtype, &lanes)
    }

    fn load_element(&mut self, dtype: DType, address: Value, offset: i32) -> Value {
        match dtype {
            DType::F32 => self.builder.ins().load(types::F32, MEMORY, address, offset),
            DType::I32 => self.builder.ins().load(types::I32, MEMORY, address, offset),
            DType::U8 => self.builder.ins().uload8(types::I32, MEMORY, address, offset),
            DType::Bool => self.builder.ins().load(types::I8, MEMORY, address, offset),
            DType::F64 => unreachable!("buffers have no f64"),
        }
    }

    /// Four elements that are neighbours.
    fn load_neighbours(&mut self, dtype: DType, address: Value, offset: i32) -> Value {
        let ty = value_type(dtype, true);
        if dtype == DType::F32 && !self.target.compares_memory_anywhere() {
            // Cranelift reads a comparison's operand right from memory, wherever it lies; what is
            // loaded as integers is in a register first.
            let bits = self.builder.ins().load(types::I32X4, MEMORY, address, offset);
            return self.builder.ins().bitcast(ty, BYTES, bits);
        }
        if dtype.size() == 4 {
            return self.builder.ins().load(ty, MEMORY, address, offset);
        }
        let bytes = self.builder.ins().load(types::I32, MEMORY, address, offset);
        let vector = self.builder.ins().scalar_to_vector(types::I32X4, bytes);
        let vector = self.builder.ins().bitcast(types::I8X16, BYTES, vector);
        let vector = self.builder.ins().uwiden_low(vector);
        let vector = self.builder.ins().uwiden_low(vector);
        if dtype == DType::Bool { self.builder.ins().ineg(vector) } else { vector }
    }

    /// A vector of loaded elements.
    fn gather_loaded(&mut self, dtype: DType, lanes: &[Value]) -> Value {
        if dtype != DType::Bool {
            return self.gather(dtype, lanes);
        }
        let wide: Vec<Value> =
            lanes.iter().map(|&lane| self.builder.ins().uextend(types::I32, lane)).collect();
        let vector = self.gather(DType::I32, &wide);
        self.builder.ins().ineg(vector)
    }

    /// Stores a scalar, or one a lane.
    pub(super) fn store(&mut self, access: &Access, value: RegId) {
        let dtype = self.kernel.slots[access.slot].dtype;
        let from = dtype_of(&self.kernel.regs, value);
        let value = self.operand(value);
        let (address, offset) = self.place(access);
        let Some(Lanes { var, valid }) = self.lanes else {
            return self.store_element(dtype, value, address, offset);
        };
        let factor = access.index.factor(var);
        if factor == 1 && valid == 4 {
            return self.store_neighbours(dtype, value, address, offset);
        }
        let far = factor as i32 * dtype.size() as i32;
        for lane in 0..valid {
            let mut element = self.builder.ins().extractlane(value, lane);
            if from == DType::Bool {
                let truth = self.builder.ins().icmp_imm_s(IntCC::NotEqual, element, 0);
                element = truth;
            }
            self.store_element(dtype, element, address, offset + i32::from(lane) * far);
        }
    }

    pub(super) fn store_element(
        &mut self,
        dtype: DType,
        value: Value,
        address: Value,
        offset: i32,
    ) {
        match dtype {
            DType::U8 => self.builder.ins().istore8(MEMORY, value, address, offset),
            _ => self.builder.ins().store(MEMORY, value, address, offset),
        };
    }

    /// Stores four elements that are neighbours.
    fn store_neighbours(&mut self, dtype: DType, value: Value, address: Value, offset: i32) {
        if dtype.size() == 4 {
            self.builder.ins().store(MEMORY, value, address, offset);
            return;
        }
        // Lanes of 0 to 255 fit the narrower lanes as they are; a mask becomes 0 and 1.
        let value = if dtype == DType::Bool {
            self.builder.ins().ineg(value)
        } else {
            let low_byte = self.builder.ins().iconst(types::I32, 255);
            let low_byte = self.spread(DType::I32, low_byte);
            self.builder.ins().band(value, low_byte)
        };
        let narrow = self.builder.ins().snarrow(value, value);
        let narrow = self.builder.ins().unarrow(narrow, narrow);
        let bytes = self.builder.ins().bitcast(types::I32X4, BYTES, narrow);
        let bytes = self.builder.ins().extractlane(bytes, 0);
        self.builder.ins().store(MEMORY, bytes, address, offset);
    }
}
