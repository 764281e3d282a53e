//! The engine of `base::math` that emits instructions: each operation on floats becomes one of
//! Cranelift's, on a scalar or on four lanes.
//!
//! ```text
//! tanh(&mut Values { … }, x)   →   v9 = fma v7, v8, v6; v10 = fmul v9, v9; …
//! ```
//!
//! So each function's polynomial is written once, and compiled code agrees with interpreters to
//! the bit. Truth values are what Cranelift's comparisons give: an `i8` of 0 or 1 for scalars,
//! a mask of zeros or ones for each lane of vectors.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FunctionBuilder;

use crate::base::math::Float32;

/// Emits operations at the builder's position.
pub(super) struct Values<'a, 'f> {
    /// Where they are emitted.
    pub builder: &'a mut FunctionBuilder<'f>,
    /// Whether on four lanes.
    pub vector: bool,
}

impl Values<'_, '_> {
    fn float(&self) -> Type {
        if self.vector { types::F32X4 } else { types::F32 }
    }

    fn int(&self) -> Type {
        if self.vector { types::I32X4 } else { types::I32 }
    }

    fn compare(&mut self, condition: FloatCC, a: Value, b: Value) -> Value {
        self.builder.ins().fcmp(condition, a, b)
    }

    fn cast(&mut self, ty: Type, a: Value) -> Value {
        self.builder.ins().bitcast(ty, MemFlagsData::new(), a)
    }
}

impl Float32 for Values<'_, '_> {
    type V = Value;
    type I = Value;
    type B = Value;

    fn splat(&mut self, value: f32) -> Value {
        let scalar = self.builder.ins().f32const(value);
        if self.vector { self.builder.ins().splat(types::F32X4, scalar) } else { scalar }
    }

    fn add(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().fadd(a, b)
    }

    fn sub(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().fsub(a, b)
    }

    fn mul(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().fmul(a, b)
    }

    fn div(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().fdiv(a, b)
    }

    fn fma(&mut self, a: Value, b: Value, c: Value) -> Value {
        self.builder.ins().fma(a, b, c)
    }

    fn sqrt(&mut self, a: Value) -> Value {
        self.builder.ins().sqrt(a)
    }

    fn floor(&mut self, a: Value) -> Value {
        self.builder.ins().floor(a)
    }

    fn neg(&mut self, a: Value) -> Value {
        self.builder.ins().fneg(a)
    }

    fn abs(&mut self, a: Value) -> Value {
        self.builder.ins().fabs(a)
    }

    fn eq(&mut self, a: Value, b: Value) -> Value {
        self.compare(FloatCC::Equal, a, b)
    }

    fn ne(&mut self, a: Value, b: Value) -> Value {
        self.compare(FloatCC::NotEqual, a, b)
    }

    fn lt(&mut self, a: Value, b: Value) -> Value {
        self.compare(FloatCC::LessThan, a, b)
    }

    fn le(&mut self, a: Value, b: Value) -> Value {
        self.compare(FloatCC::LessThanOrEqual, a, b)
    }

    fn and(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().band(a, b)
    }

    fn select(&mut self, condition: Value, a: Value, b: Value) -> Value {
        if !self.vector {
            return self.builder.ins().select(condition, a, b);
        }
        // A mask is of integers, and what it selects from here of floats.
        let mask = self.cast(types::F32X4, condition);
        self.builder.ins().bitselect(mask, a, b)
    }

    fn to_bits(&mut self, a: Value) -> Value {
        self.cast(self.int(), a)
    }

    fn from_bits(&mut self, a: Value) -> Value {
        self.cast(self.float(), a)
    }

    fn from_int(&mut self, a: Value) -> Value {
        let ty = self.float();
        self.builder.ins().fcvt_from_sint(ty, a)
    }

    fn isplat(&mut self, value: i32) -> Value {
        let scalar = self.builder.ins().iconst(types::I32, i64::from(value as u32));
        if self.vector { self.builder.ins().splat(types::I32X4, scalar) } else { scalar }
    }

    fn iadd(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().iadd(a, b)
    }

    fn isub(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().isub(a, b)
    }

    fn iand(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().band(a, b)
    }

    fn ior(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().bor(a, b)
    }

    fn ixor(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().bxor(a, b)
    }

    fn ishl(&mut self, a: Value, bits: u32) -> Value {
        let bits = self.builder.ins().iconst(types::I32, i64::from(bits));
        self.builder.ins().ishl(a, bits)
    }

    fn isar(&mut self, a: Value, bits: u32) -> Value {
        let bits = self.builder.ins().iconst(types::I32, i64::from(bits));
        self.builder.ins().sshr(a, bits)
    }
}
