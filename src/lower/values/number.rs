//! Constants, and numbers as other types.

use super::{NestValues, scalar_type};
use crate::base::scalar::Binary;
use crate::base::tensor::DType;
use crate::loops::{Inst, RegId};

impl NestValues<'_, '_> {
    /// A constant.
    pub fn constant(&mut self, value: f64, dtype: DType) -> RegId {
        let dtype = scalar_type(dtype);
        let inst = match dtype {
            DType::F32 | DType::F64 => Inst::F32(value as f32),
            DType::I32 | DType::U8 => Inst::I32(value as i32),
            DType::Bool => Inst::Bool(value != 0.0),
        };
        self.writer.define(dtype, 0, inst)
    }

    /// A value as another type.
    pub fn cast(&mut self, value: RegId, to: DType) -> RegId {
        if to == DType::U8 {
            return self.byte(value);
        }
        if self.writer.dtype(value) == to {
            return value;
        }
        self.writer.define(to, 0, Inst::Cast(to, value))
    }

    /// A value as a byte. Bytes are computed as integers, and narrowed by the store: a float is
    /// saturated here, of an integer the low bits are kept.
    fn byte(&mut self, value: RegId) -> RegId {
        let from = self.writer.dtype(value);
        let value = self.cast(value, DType::I32);
        let int = |own: &mut Self, op: Binary, a: RegId, b: f64| {
            let b = own.constant(b, DType::I32);
            own.writer.define(DType::I32, 0, Inst::Binary(op, a, b))
        };
        match from {
            DType::F32 => {
                let value = int(self, Binary::Max, value, 0.0);
                int(self, Binary::Min, value, 255.0)
            }
            DType::I32 => {
                // The remainder has the sign of the value.
                let whole = int(self, Binary::Div, value, 256.0);
                let whole = int(self, Binary::Mul, whole, 256.0);
                let rest = Inst::Binary(Binary::Sub, value, whole);
                let rest = self.writer.define(DType::I32, 0, rest);
                let above = int(self, Binary::Add, rest, 256.0);
                let zero = self.constant(0.0, DType::I32);
                let below = Inst::Binary(Binary::Lt, rest, zero);
                let below = self.writer.define(DType::Bool, 0, below);
                self.writer.define(DType::I32, 0, Inst::Select(below, above, rest))
            }
            DType::Bool | DType::U8 | DType::F64 => value,
        }
    }
}
