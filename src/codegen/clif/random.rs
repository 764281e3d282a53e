//! Random numbers of a kernel: Philox blocks (`base::rng`), four elements each.
//!
//! ```text
//! uniform stream 3, element 4·i0 + i1   in a vector loop over i1:  one block for four lanes
//! ```
//!
//! Blocks are made by a function of the object, [`philox`], which all kernels call: ten rounds of
//! two 64-bit multiplications, about what a call costs six times over.

use cranelift_codegen::ir::{
    AbiParam, InstBuilder, Signature, StackSlotData, StackSlotKind, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::FunctionBuilder;

use super::{KernelEmitter, Lanes, MEMORY};
use crate::base::rng;
use crate::base::tensor::DType;
use crate::codegen::abi::Context;
use crate::loops::Affine;

/// `philox(seed, step, stream, block) -> four numbers in [0, 1)`.
pub(in crate::codegen) fn philox_signature() -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params = vec![AbiParam::new(types::I64); 4];
    signature.returns = vec![AbiParam::new(types::F32X4)];
    signature
}

/// Emits the function that makes a block.
pub(in crate::codegen) fn philox(mut builder: FunctionBuilder<'_>, frontend: TargetFrontendConfig) {
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let params = builder.block_params(entry).to_vec();
    let (seed, step, stream, block) = (params[0], params[1], params[2], params[3]);
    // Words are kept in the low halves of 64-bit values, whose high halves are zero.
    let halves = |builder: &mut FunctionBuilder<'_>, value| {
        (low(builder, value), builder.ins().ushr_imm_u(value, 32))
    };
    let (mut key0, mut key1) = halves(&mut builder, seed);
    let (step0, step1) = halves(&mut builder, step);
    let mut words = [block, stream, step0, step1];
    for _ in 0..rng::ROUNDS {
        let first = builder.ins().imul_imm_u(words[0], i64::from(rng::MULTIPLIERS[0]));
        let second = builder.ins().imul_imm_u(words[2], i64::from(rng::MULTIPLIERS[1]));
        let (first_low, first_high) = halves(&mut builder, first);
        let (second_low, second_high) = halves(&mut builder, second);
        let mixed1 = builder.ins().bxor(second_high, words[1]);
        let mixed3 = builder.ins().bxor(first_high, words[3]);
        words = [
            builder.ins().bxor(mixed1, key0),
            second_low,
            builder.ins().bxor(mixed3, key1),
            first_low,
        ];
        let next0 = builder.ins().iadd_imm_u(key0, i64::from(rng::WEYL[0]));
        let next1 = builder.ins().iadd_imm_u(key1, i64::from(rng::WEYL[1]));
        (key0, key1) = (low(&mut builder, next0), low(&mut builder, next1));
    }
    let mut vector = None;
    for (lane, word) in words.into_iter().enumerate() {
        let word = builder.ins().ireduce(types::I32, word);
        vector = Some(match vector {
            None => builder.ins().scalar_to_vector(types::I32X4, word),
            Some(vector) => builder.ins().insertlane(vector, word, lane as u8),
        });
    }
    let vector = vector.expect("four words");
    // The top 24 bits, which a float holds exactly.
    let top = builder.ins().ushr_imm_u(vector, 8);
    let floats = builder.ins().fcvt_from_sint(types::F32X4, top);
    let scale = builder.ins().f32const(1.0 / 16_777_216.0);
    let scale = builder.ins().splat(types::F32X4, scale);
    let floats = builder.ins().fmul(floats, scale);
    builder.ins().return_(&[floats]);
    builder.seal_all_blocks();
    builder.finalize(frontend);
}

/// The low 32 bits.
fn low(builder: &mut FunctionBuilder<'_>, value: Value) -> Value {
    let word = builder.ins().ireduce(types::I32, value);
    builder.ins().uextend(types::I64, word)
}

impl KernelEmitter<'_, '_> {
    /// The number of an element, or of each lane's.
    pub(super) fn uniform(&mut self, stream: u32, element: &Affine) -> Value {
        let Some(Lanes { var, valid }) = self.lanes else {
            let element = self.affine(element);
            return self.uniform_element(stream, element);
        };
        // Are lanes the words of one block? Lanes begin at multiples of four.
        let others = element.terms.iter().filter(|&&(other, _)| other != var);
        let aligned = others.map(|&(_, factor)| factor).chain([element.offset]);
        let factor = element.factor(var);
        let first = self.affine(element);
        if factor == 1 && aligned.into_iter().all(|distance| distance % 4 == 0) {
            return self.uniform_block(stream, first);
        }
        let lanes: Vec<Value> = (0..valid)
            .map(|lane| {
                let element = self.builder.ins().iadd_imm_s(first, factor * i64::from(lane));
                self.uniform_element(stream, element)
            })
            .collect();
        self.gather(DType::F32, &lanes)
    }

    /// The numbers of the block that an element is in.
    fn uniform_block(&mut self, stream: u32, element: Value) -> Value {
        let field = |this: &mut Self, offset: usize| {
            this.builder.ins().load(types::I64, MEMORY, this.context, offset as i32)
        };
        let seed = field(self, std::mem::offset_of!(Context, seed));
        let step = field(self, std::mem::offset_of!(Context, step));
        let stream = self.int(i64::from(stream));
        let block = self.builder.ins().ushr_imm_u(element, 2);
        let callee = self.callees.philox.expect("the object has the function");
        self.call(callee, philox_signature(), &[seed, step, stream, block])
            .expect("the function returns a block")
    }

    fn uniform_element(&mut self, stream: u32, element: Value) -> Value {
        let block = self.uniform_block(stream, element);
        // Which word it is, is known only when the code runs: memory can be indexed.
        let words = self.builder.create_sized_stack_slot(StackSlotData::new(
            StackSlotKind::ExplicitSlot,
            16,
            4,
        ));
        self.builder.ins().stack_store(types::I64, block, words, 0);
        let address = self.builder.ins().stack_addr(types::I64, words, 0);
        let word = self.builder.ins().band_imm_u(element, 3);
        let distance = self.builder.ins().imul_imm_s(word, 4);
        let address = self.builder.ins().iadd(address, distance);
        self.builder.ins().load(types::F32, MEMORY, address, 0)
    }
}
