//! A kernel as a Cranelift function: what goes in is a `loops::Kernel`, what comes out is
//! `kernel(context, first, end, slot…)`, which runs the parts `first..end` of its work.
//!
//! ```text
//! for i0 in 0..32 { vector i1 in 0..784 { r0 = load s0[784·i0 + i1]; … } }
//! →  block1(v0: i64): …; block2(v4: i64): v5 = load.f32x4 (s0 + 3136·v0) + 4·v4; …
//! ```
//!
//! Loop counters are 64-bit and count elements; addresses are written out in full at each access
//! and ordered so that Cranelift's own hoisting leaves one scaled add in the innermost loop
//! (which x86-64 folds into the access). Scalars of the loops become values directly: their scopes
//! are the blocks that dominate. Vector loops are in [`vector`], instructions in [`inst`].
//!
//! No access is checked: the loops verifier has proven them inside their buffers.

mod access;
mod contraction;
mod inst;
mod random;
mod vector;
mod wide;

pub(super) use contraction::{cut, tile_signature, tiles};
pub(super) use random::{philox, philox_signature};
pub(super) use wide::wide_loops;

use std::collections::HashMap;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, AbiParam, ExtFuncData, ExternalName, FuncRef, InstBuilder, MemFlagsData, Signature, Type,
    UserExternalName, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;

use crate::base::entity::{Arena, Entity};
use crate::base::tensor::DType;
use crate::codegen::target::Target;
use crate::codegen::tile::MicroTile;
use crate::codegen::wide::WideLoop;
use crate::loops::{Access, Affine, IfTest, Kernel, RegId, Stmt, VarId};

/// Memory that is there and belongs to us; no alignment is promised.
pub(super) const MEMORY: MemFlagsData = MemFlagsData::new().with_notrap();

/// Where the object has the functions that kernels call.
#[derive(Default)]
pub(super) struct Callees {
    /// The functions of register blocks.
    pub tiles: HashMap<MicroTile, u32>,
    /// The functions of wide loops.
    pub wide: HashMap<WideLoop, u32>,
    /// The random numbers of a block.
    pub philox: Option<u32>,
}

/// The signature of a kernel with some slots.
pub(super) fn kernel_signature(slots: usize) -> Signature {
    pointers(3 + slots)
}

/// A function of 64-bit integers that returns nothing.
pub(super) fn pointers(count: usize) -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params = vec![AbiParam::new(types::I64); count];
    signature
}

/// A function of the object, as another one calls it.
pub(super) fn import(
    builder: &mut FunctionBuilder<'_>,
    index: u32,
    signature: Signature,
) -> FuncRef {
    let name = UserExternalName { namespace: 0, index };
    let name = builder.func.declare_imported_user_function(name);
    let signature = builder.import_signature(signature);
    let name = ExternalName::user(name);
    builder.import_function(ExtFuncData { name, signature, colocated: true, patchable: false })
}

/// Emits the body of a kernel's function.
pub(super) fn emit(
    kernel: &Kernel,
    target: &Target,
    callees: &Callees,
    builder: FunctionBuilder<'_>,
    frontend: cranelift_codegen::isa::TargetFrontendConfig,
) {
    let mut emitter = KernelEmitter::new(kernel, target, callees, builder);
    emitter.block(&kernel.body);
    emitter.builder.ins().return_(&[]);
    emitter.builder.seal_all_blocks();
    emitter.builder.finalize(frontend);
}

/// A scalar's value: one for all lanes, or one a lane.
#[derive(Clone, Copy)]
struct Reg {
    value: Value,
    vector: bool,
}

/// The lanes that are being emitted, in a vector loop.
#[derive(Clone, Copy)]
struct Lanes {
    /// The loop's variable; its value is that of the first lane.
    var: VarId,
    /// How many of the four are elements of the loop; results of the others go nowhere.
    valid: u8,
}

/// A kernel's function being written.
struct KernelEmitter<'a, 'f> {
    kernel: &'a Kernel,
    target: &'a Target,
    callees: &'a Callees,
    builder: FunctionBuilder<'f>,
    context: Value,
    /// The first part of this thread, and one past the last.
    share: (Value, Value),
    slots: Vec<Value>,
    /// The variables of loops around this place, the outermost first, with their values.
    vars: Vec<(VarId, Value)>,
    regs: Vec<Option<Reg>>,
    lanes: Option<Lanes>,
    /// Functions called so far, by their places in the object.
    imports: HashMap<u32, FuncRef>,
}

impl<'a, 'f> KernelEmitter<'a, 'f> {
    fn new(
        kernel: &'a Kernel,
        target: &'a Target,
        callees: &'a Callees,
        mut builder: FunctionBuilder<'f>,
    ) -> Self {
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        let params = builder.block_params(entry).to_vec();
        KernelEmitter {
            kernel,
            target,
            callees,
            builder,
            context: params[0],
            share: (params[1], params[2]),
            slots: params[3..].to_vec(),
            vars: Vec::new(),
            regs: vec![None; kernel.regs.len()],
            lanes: None,
            imports: HashMap::new(),
        }
    }

    fn block(&mut self, body: &'a [Stmt]) {
        for stmt in body {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Parts { var, body } => {
                let (first, end) = self.share;
                self.range(first, end, |this, value| {
                    this.with_var(*var, value, |this| this.block(body));
                });
            }
            Stmt::For { var, body } => {
                self.count(self.kernel.vars[*var], 1, |this, value| {
                    this.with_var(*var, value, |this| this.block(body));
                });
            }
            Stmt::Vector { var, body, reductions } => {
                match wide::wide_loop(self.target, self.kernel, stmt) {
                    Some((wide, operands)) => {
                        self.hoist(*var, body);
                        self.call_wide(&wide, &operands);
                    }
                    None => self.vector(*var, body, reductions),
                }
            }
            Stmt::If { test, then, otherwise } => self.branch(*test, then, otherwise),
            Stmt::Let { reg, inst } => {
                let value = self.inst(inst);
                self.regs[reg.index()] = Some(value);
            }
            Stmt::Store { access, value } => self.store(access, *value),
            Stmt::StoreAt { adds: true, base, index, stride, value } => {
                self.add_at(base, *index, *stride, *value);
            }
            Stmt::StoreAt { adds: false, base, index, stride, value } => {
                self.store_at(base, *index, *stride, *value);
            }
            Stmt::Tile(tile) => self.tile(tile),
        }
    }

    fn with_var(&mut self, var: VarId, value: Value, body: impl FnOnce(&mut Self)) {
        self.vars.push((var, value));
        body(self);
        self.vars.pop();
    }

    fn int(&mut self, value: i64) -> Value {
        self.builder.ins().iconst(types::I64, value)
    }

    /// A loop over `first..end`, which may be empty.
    fn range(&mut self, first: Value, end: Value, body: impl FnOnce(&mut Self, Value)) {
        let (header, inside, exit) =
            (self.builder.create_block(), self.builder.create_block(), self.builder.create_block());
        let counter = self.builder.append_block_param(header, types::I64);
        self.builder.ins().jump(header, &[first.into()]);
        self.builder.switch_to_block(header);
        let more = self.builder.ins().icmp(IntCC::SignedLessThan, counter, end);
        self.builder.ins().brif(more, inside, &[], exit, &[]);
        self.builder.switch_to_block(inside);
        body(self, counter);
        let next = self.builder.ins().iadd_imm_s(counter, 1);
        self.builder.ins().jump(header, &[next.into()]);
        self.builder.switch_to_block(exit);
    }

    /// A loop that runs `count` times, its counter going up by `step` from 0.
    fn count(&mut self, count: usize, step: i64, body: impl FnOnce(&mut Self, Value)) {
        let no_values = Vec::new();
        self.count_with(count, step, no_values, |this, counter, values| {
            body(this, counter);
            values
        });
    }

    /// As `count`, with values that each round takes from the last one and gives to the next;
    /// those of the last round are returned. Nothing is emitted for no round, no loop for one.
    fn count_with(
        &mut self,
        count: usize,
        step: i64,
        values: Vec<Value>,
        body: impl FnOnce(&mut Self, Value, Vec<Value>) -> Vec<Value>,
    ) -> Vec<Value> {
        let zero = self.int(0);
        match count {
            0 => return values,
            1 => return body(self, zero, values),
            _ => {}
        }
        let (inside, exit) = (self.builder.create_block(), self.builder.create_block());
        let counter = self.builder.append_block_param(inside, types::I64);
        let mut first = vec![ir::BlockArg::Value(zero)];
        let mut taken = Vec::with_capacity(values.len());
        for value in values {
            let ty = self.builder.func.dfg.value_type(value);
            taken.push(self.builder.append_block_param(inside, ty));
            first.push(value.into());
        }
        self.builder.ins().jump(inside, &first);
        self.builder.switch_to_block(inside);
        let given = body(self, counter, taken);
        let next = self.builder.ins().iadd_imm_s(counter, step);
        let end = count as i64 * step;
        let more = self.builder.ins().icmp_imm_s(IntCC::SignedLessThan, next, end);
        let again: Vec<ir::BlockArg> =
            std::iter::once(next).chain(given.iter().copied()).map(Into::into).collect();
        self.builder.ins().brif(more, inside, &again, exit, &[]);
        self.builder.switch_to_block(exit);
        given
    }

    fn branch(&mut self, test: IfTest, then: &'a [Stmt], otherwise: &'a [Stmt]) {
        let holds = match test {
            IfTest::Below(var, bound) => {
                let value = self.var(var);
                self.builder.ins().icmp_imm_s(IntCC::SignedLessThan, value, bound as i64)
            }
            IfTest::Holds(condition) => self.scalar(condition),
        };
        let (yes, no, after) =
            (self.builder.create_block(), self.builder.create_block(), self.builder.create_block());
        self.builder.ins().brif(holds, yes, &[], no, &[]);
        for (block, body) in [(yes, then), (no, otherwise)] {
            self.builder.switch_to_block(block);
            self.block(body);
            self.builder.ins().jump(after, &[]);
        }
        self.builder.switch_to_block(after);
    }

    fn var(&self, var: VarId) -> Value {
        let found = self.vars.iter().find(|&&(known, _)| known == var);
        found.map(|&(_, value)| value).expect("a variable of a loop around")
    }

    fn call(&mut self, index: u32, signature: Signature, args: &[Value]) -> Option<Value> {
        let callee = match self.imports.get(&index) {
            Some(&known) => known,
            None => import(&mut self.builder, index, signature),
        };
        self.imports.insert(index, callee);
        let call = self.builder.ins().call(callee, args);
        self.builder.inst_results(call).first().copied()
    }

    /// The value of an affine expression, `scale` times, without its constant.
    fn terms(&mut self, affine: &Affine, scale: i64) -> Option<Value> {
        let mut sum: Option<Value> = None;
        // The outermost loop first: all but the last term are the same in the innermost one.
        for at in 0..self.vars.len() {
            let (var, value) = self.vars[at];
            let factor = affine.factor(var) * scale;
            if factor == 0 {
                continue;
            }
            let term =
                if factor == 1 { value } else { self.builder.ins().imul_imm_s(value, factor) };
            sum = Some(match sum {
                Some(sum) => self.builder.ins().iadd(sum, term),
                None => term,
            });
        }
        sum
    }

    /// The value of an affine expression.
    fn affine(&mut self, affine: &Affine) -> Value {
        match self.terms(affine, 1) {
            Some(terms) if affine.offset == 0 => terms,
            Some(terms) => self.builder.ins().iadd_imm_s(terms, affine.offset),
            None => self.int(affine.offset),
        }
    }

    /// Where an element is: an address and a constant to add to it.
    fn place(&mut self, access: &Access) -> (Value, i32) {
        let size = self.kernel.slots[access.slot].dtype.size() as i64;
        let base = self.slots[access.slot.index()];
        // The slot and the outer loops first, then the innermost one, for the same reason.
        let innermost = self.vars.pop();
        let outer = self.terms(&access.index, size);
        self.vars.extend(innermost);
        let mut address = match outer {
            Some(outer) => self.builder.ins().iadd(base, outer),
            None => base,
        };
        if let Some((var, value)) = innermost {
            let factor = access.index.factor(var) * size;
            if factor != 0 {
                let term = self.builder.ins().imul_imm_s(value, factor);
                address = self.builder.ins().iadd(address, term);
            }
        }
        let offset = access.index.offset * size;
        match i32::try_from(offset) {
            // Room for the lanes' own distances.
            Ok(offset) if offset.abs() < 1 << 30 => (address, offset),
            _ => (self.builder.ins().iadd_imm_s(address, offset), 0),
        }
    }

    /// The address of an element.
    fn address(&mut self, access: &Access) -> Value {
        let (address, offset) = self.place(access);
        if offset == 0 {
            return address;
        }
        self.builder.ins().iadd_imm_s(address, i64::from(offset))
    }

    fn add_at(&mut self, base: &Access, index: RegId, stride: i64, value: RegId) {
        let (address, offset) = self.place_at(base, index, stride);
        let value = self.scalar(value);
        let float = self.kernel.slots[base.slot].dtype == DType::F32;
        let ty = if float { types::F32 } else { types::I32 };
        let old = self.builder.ins().load(ty, MEMORY, address, offset);
        let new = if float {
            self.builder.ins().fadd(old, value)
        } else {
            self.builder.ins().iadd(old, value)
        };
        self.builder.ins().store(MEMORY, new, address, offset);
    }

    fn store_at(&mut self, base: &Access, index: RegId, stride: i64, value: RegId) {
        let (address, offset) = self.place_at(base, index, stride);
        let value = self.scalar(value);
        self.store_element(self.kernel.slots[base.slot].dtype, value, address, offset);
    }

    /// Where the element of an index from data is, outside vector loops.
    fn place_at(&mut self, base: &Access, index: RegId, stride: i64) -> (Value, i32) {
        let index = self.scalar(index);
        self.place_of(base, index, stride)
    }

    /// Where `base + stride·index` is, for an `i32` that is not negative.
    fn place_of(&mut self, base: &Access, index: Value, stride: i64) -> (Value, i32) {
        let size = self.kernel.slots[base.slot].dtype.size() as i64;
        let (address, offset) = self.place(base);
        let index = self.builder.ins().uextend(types::I64, index);
        let distance = self.builder.ins().imul_imm_s(index, stride * size);
        (self.builder.ins().iadd(address, distance), offset)
    }

    /// A scalar that is one for all lanes.
    fn scalar(&self, reg: RegId) -> Value {
        let reg = self.regs[reg.index()].expect("a scalar is assigned before it is used");
        assert!(!reg.vector, "a vector's lanes end with its loop");
        reg.value
    }
}

/// The type of a scalar's value, or of its four lanes.
fn value_type(dtype: DType, vector: bool) -> Type {
    match (dtype, vector) {
        (DType::F32, false) => types::F32,
        (DType::F32, true) => types::F32X4,
        (DType::I32 | DType::U8, false) => types::I32,
        (DType::Bool, false) => types::I8,
        // A mask: zeros or ones.
        (DType::I32 | DType::U8 | DType::Bool, true) => types::I32X4,
        (DType::F64, _) => unreachable!("kernels have no f64"),
    }
}

/// The type of a scalar of a kernel.
fn dtype_of(regs: &Arena<RegId, DType>, reg: RegId) -> DType {
    match regs[reg] {
        DType::U8 => DType::I32,
        other => other,
    }
}
