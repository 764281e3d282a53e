//! Builds kernels: loops are closures, scalars get their types.
//!
//! ```
//! use nnc::base::{scalar::Binary, tensor::DType};
//! use nnc::loops::{Affine, builder::KernelBuilder};
//!
//! let mut b = KernelBuilder::new("double", 2);
//! let (x, y) = (b.slot(DType::F32, 8), b.slot(DType::F32, 8));
//! b.parts(|b, part| {
//!     b.vector(4, |b, lane| {
//!         let index = Affine::var(part).times(4).plus(&Affine::var(lane));
//!         let value = b.load(x, index.clone());
//!         let twice = b.binary(Binary::Add, value, value);
//!         b.store(y, index, twice);
//!     });
//! });
//! let kernel = b.finish();
//! ```
//!
//! A scalar whose arguments have the wrong types is a bug of the caller's and panics.

use crate::base::entity::Arena;
use crate::base::scalar::{Binary, Reduce, Unary};
use crate::base::tensor::DType;
use crate::loops::program::{
    Access, Affine, IfTest, Inst, Kernel, Reduction, RegId, Slot, SlotId, Stmt, VarId,
};
use crate::loops::tile::Tile;
use crate::loops::types::result_type;

/// A kernel in the making.
#[derive(Debug)]
pub struct KernelBuilder {
    kernel: Kernel,
    /// The statements of the body that is open.
    body: Vec<Stmt>,
}

impl KernelBuilder {
    /// A kernel with so many parts; 0 where every thread runs all of it.
    pub fn new(name: impl Into<String>, parts: usize) -> Self {
        let kernel = Kernel {
            name: name.into(),
            parts,
            slots: Arena::new(),
            vars: Arena::new(),
            regs: Arena::new(),
            body: Vec::new(),
        };
        KernelBuilder { kernel, body: Vec::new() }
    }

    /// The kernel.
    pub fn finish(mut self) -> Kernel {
        self.kernel.body = self.body;
        self.kernel
    }

    /// A buffer that the kernel is given.
    pub fn slot(&mut self, dtype: DType, len: usize) -> SlotId {
        self.kernel.slots.push(Slot { dtype, len })
    }

    /// The statements of a body of its own.
    fn nested<T>(&mut self, body: impl FnOnce(&mut Self) -> T) -> (Vec<Stmt>, T) {
        let outside = std::mem::take(&mut self.body);
        let result = body(self);
        (std::mem::replace(&mut self.body, outside), result)
    }

    /// A loop over the parts.
    pub fn parts(&mut self, body: impl FnOnce(&mut Self, VarId)) {
        let var = self.kernel.vars.push(self.kernel.parts);
        let (body, ()) = self.nested(|b| body(b, var));
        self.body.push(Stmt::Parts { var, body });
    }

    /// A loop in order.
    pub fn serial(&mut self, extent: usize, body: impl FnOnce(&mut Self, VarId)) {
        let var = self.kernel.vars.push(extent);
        let (body, ()) = self.nested(|b| body(b, var));
        self.body.push(Stmt::For { var, body });
    }

    /// A loop in any order.
    pub fn vector(&mut self, extent: usize, body: impl FnOnce(&mut Self, VarId)) {
        self.vector_reduce(extent, |b, var| {
            body(b, var);
            []
        });
    }

    /// A loop in any order, then a reduction of each scalar that the body returns.
    pub fn vector_reduce<const N: usize>(
        &mut self,
        extent: usize,
        body: impl FnOnce(&mut Self, VarId) -> [(Reduce, RegId); N],
    ) -> [RegId; N] {
        let var = self.kernel.vars.push(extent);
        let (body, values) = self.nested(|b| body(b, var));
        let results = values.map(|(_, value)| self.kernel.regs.push(self.kernel.regs[value]));
        let reductions = results
            .into_iter()
            .zip(values)
            .map(|(reg, (op, value))| Reduction { reg, op, value })
            .collect();
        self.body.push(Stmt::Vector { var, body, reductions });
        results
    }

    /// `if var < bound { then } else { otherwise }`.
    pub fn below(
        &mut self,
        var: VarId,
        bound: usize,
        then: impl FnOnce(&mut Self),
        otherwise: impl FnOnce(&mut Self),
    ) {
        let (then, ()) = self.nested(then);
        let (otherwise, ()) = self.nested(otherwise);
        let test = IfTest::Below(var, bound);
        self.body.push(Stmt::If { test, then, otherwise });
    }

    /// A scalar.
    pub fn inst(&mut self, inst: Inst) -> RegId {
        let dtype = result_type(&inst, &self.kernel.regs, &self.kernel.slots)
            .unwrap_or_else(|message| panic!("kernel {}: {inst}: {message}", self.kernel.name));
        let reg = self.kernel.regs.push(dtype);
        self.body.push(Stmt::Let { reg, inst });
        reg
    }

    /// The type of a scalar.
    pub fn dtype(&self, reg: RegId) -> DType {
        self.kernel.regs[reg]
    }

    /// A number.
    pub fn f32(&mut self, value: f32) -> RegId {
        self.inst(Inst::F32(value))
    }

    /// An element of a slot.
    pub fn load(&mut self, slot: SlotId, index: Affine) -> RegId {
        self.inst(Inst::Load(Access { slot, index }))
    }

    /// A function of one argument.
    pub fn unary(&mut self, op: Unary, a: RegId) -> RegId {
        self.inst(Inst::Unary(op, a))
    }

    /// A function of two arguments.
    pub fn binary(&mut self, op: Binary, a: RegId, b: RegId) -> RegId {
        self.inst(Inst::Binary(op, a, b))
    }

    /// `if condition { a } else { b }`.
    pub fn select(&mut self, condition: RegId, a: RegId, b: RegId) -> RegId {
        self.inst(Inst::Select(condition, a, b))
    }

    /// The argument as another type; itself where it has that type.
    pub fn cast(&mut self, dtype: DType, a: RegId) -> RegId {
        if self.dtype(a) == dtype { a } else { self.inst(Inst::Cast(dtype, a)) }
    }

    /// `slot[index] = value`.
    pub fn store(&mut self, slot: SlotId, index: Affine, value: RegId) {
        self.body.push(Stmt::Store { access: Access { slot, index }, value });
    }

    /// `slot[base + stride·index] += value`.
    pub fn add_at(&mut self, base: Access, index: RegId, stride: i64, value: RegId) {
        self.body.push(Stmt::StoreAt { adds: true, base, index, stride, value });
    }

    /// A contraction, with as few axes as possible.
    pub fn tile(&mut self, tile: Tile) {
        self.body.push(Stmt::Tile(tile.merged()));
    }
}
