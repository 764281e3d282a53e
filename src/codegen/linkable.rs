//! Object files for a linker: an [`Object`] and the blocks of its program go in, an ELF file comes out
//! whose one function C code calls.
//!
//! ```text
//! int lenet_predict(const uint8_t *image, float *output, void *arena)
//! →  copy image to arena + 0; context = { weights, arena, arena + 30208, … }
//!    mode = flush denormals; step(&context); restore mode
//!    copy arena + 832 to output; return context.fault_site != 0
//! ```
//!
//! Functions keep their machine code: those of [`jit`](super::jit), for the same targets. Weights with
//! the layouts derived from them are constants of the file. There is one thread; a barrier returns at
//! once. The file calls no library.

use std::mem::{offset_of, size_of};

use cranelift_codegen::Context as Compilation;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, AbiParam, FuncRef, InstBuilder, Signature, StackSlotData, StackSlotKind, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::{DataDescription, DataId, FuncId, Linkage, Module};
use cranelift_object::{ObjectBuilder, ObjectModule};

use super::abi::Context;
use super::clif::{MEMORY, pointers};
use super::denormals;
use super::object::Object;

/// Bytes that are copied at the beginning of a call, or at its end.
#[derive(Clone, Copy, Debug)]
pub struct BlockCopy {
    /// Where they are in the arena.
    pub at: usize,
    /// How many.
    pub bytes: usize,
}

/// The function and the data of an object file, besides the code of a step.
pub struct EntryPoint<'a> {
    /// The name of its function.
    pub name: &'a str,
    /// The bytes that the function copies from each of its first arguments.
    pub inputs: &'a [BlockCopy],
    /// The bytes that it copies to each of those behind; the last argument is the arena.
    pub outputs: &'a [BlockCopy],
    /// The bytes of the global block.
    pub global: &'a [u8],
    /// Bytes that are copied into the arena, too.
    pub constants: &'a [(usize, Vec<u8>)],
    /// Where in the arena the thread's block begins.
    pub thread: usize,
    /// Arrays of texts, by their names.
    pub texts: &'a [(String, Vec<String>)],
}

/// The bytes of an ELF file.
pub fn object_file(object: &Object, entry: &EntryPoint<'_>) -> Vec<u8> {
    let isa = object.target.linkable_isa();
    let no_library = Box::new(|call| panic!("no code calls {call}"));
    let builder = ObjectBuilder::new(isa, entry.name, no_library).expect("a target of ELF files");
    let mut module = ObjectModule::new(builder);
    // In order, so that a function's id is its place in the object, as calls between them say.
    let declare = |module: &mut ObjectModule, name: &str, signature: &Signature| {
        module.declare_function(name, Linkage::Local, signature).expect("a declaration")
    };
    let functions: Vec<FuncId> = (0..object.functions.len())
        .map(|index| declare(&mut module, &format!("{}.{index}", entry.name), &pointers(1)))
        .collect();
    for (function, &id) in object.functions.iter().zip(&functions) {
        module
            .define_function_bytes(id, function.align, &function.code, &function.relocs)
            .unwrap_or_else(|error| panic!("{}: {error}", function.name));
    }
    let mut own = |name: &str, signature: Signature, code: Vec<u8>| {
        let id = declare(&mut module, &format!("{}.{name}", entry.name), &signature);
        module.define_function_bytes(id, 16, &code, &[]).expect("a function of its own");
        id
    };
    let arch = object.target.arch;
    let begin = own("begin", mode_signature(true), denormals::begin(arch));
    let end = own("end", mode_signature(false), denormals::end(arch));
    let barrier = own("barrier", pointers(1), denormals::nothing(arch));
    let weights = constant(&mut module, &format!("{}.weights", entry.name), entry.global.to_vec());
    let constants = entry.constants.iter().enumerate().map(|(index, (at, bytes))| {
        let name = format!("{}.constants{index}", entry.name);
        let copy = BlockCopy { at: *at, bytes: bytes.len() };
        (constant(&mut module, &name, bytes.clone()), copy)
    });
    let constants = constants.collect();
    for (name, texts) in entry.texts {
        text_array(&mut module, name, texts);
    }
    let step = functions[object.step];
    let callees = EntrySymbols { step, begin, end, barrier, weights, constants };
    define_entry(&mut module, entry, &callees);
    module.finish().emit().expect("an object file")
}

/// The symbols that the entry function refers to.
struct EntrySymbols {
    step: FuncId,
    begin: FuncId,
    end: FuncId,
    barrier: FuncId,
    weights: DataId,
    constants: Vec<(DataId, BlockCopy)>,
}

/// Of the function that gives the processor's mode for denormals, or of that which takes it.
fn mode_signature(gives: bool) -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    let mode = vec![AbiParam::new(types::I64)];
    *(if gives { &mut signature.returns } else { &mut signature.params }) = mode;
    signature
}

/// Constant bytes, aligned as blocks are.
fn constant(module: &mut ObjectModule, name: &str, bytes: Vec<u8>) -> DataId {
    let id = module.declare_data(name, Linkage::Local, false, false).expect("a declaration");
    let mut data = DataDescription::new();
    // An empty block has an address, too.
    let bytes = if bytes.is_empty() { vec![0] } else { bytes };
    data.define(bytes.into_boxed_slice());
    data.set_align(64);
    module.define_data(id, &data).expect("a block of constants");
    id
}

/// `const char *const NAME[]`.
fn text_array(module: &mut ObjectModule, name: &str, texts: &[String]) {
    let mut bytes = Vec::new();
    let mut starts = Vec::new();
    for text in texts {
        starts.push(bytes.len());
        bytes.extend(text.bytes().filter(|&byte| byte != 0).chain([0]));
    }
    let letters = constant(module, &format!("{name}.letters"), bytes);
    let id = module.declare_data(name, Linkage::Export, false, false).expect("a declaration");
    let mut data = DataDescription::new();
    data.define(vec![0; 8 * starts.len()].into_boxed_slice());
    data.set_align(8);
    let letters = module.declare_data_in_data(letters, &mut data);
    for (index, &start) in starts.iter().enumerate() {
        data.write_data_addr(8 * index as u32, letters, start as i64);
    }
    module.define_data(id, &data).expect("an array of texts");
}

fn define_entry(module: &mut ObjectModule, entry: &EntryPoint<'_>, callees: &EntrySymbols) {
    let mut signature = pointers(entry.inputs.len() + entry.outputs.len() + 1);
    signature.returns = vec![AbiParam::new(types::I32)];
    let id = module
        .declare_function(entry.name, Linkage::Export, &signature)
        .expect("a name that nothing else has");
    let mut compilation = Compilation::new();
    compilation.func.signature = signature;
    let mut building = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut compilation.func, &mut building);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    Entry { module, builder }.body(entry, callees);
    module.define_function(id, &mut compilation).expect("the entry function compiles");
}

/// The entry function being written.
struct Entry<'a, 'f> {
    module: &'a mut ObjectModule,
    builder: FunctionBuilder<'f>,
}

impl Entry<'_, '_> {
    fn body(mut self, entry: &EntryPoint<'_>, callees: &EntrySymbols) {
        let block = self.builder.current_block().expect("the first block");
        let params = self.builder.block_params(block).to_vec();
        let (inputs, rest) = params.split_at(entry.inputs.len());
        let (outputs, arena) = rest.split_at(entry.outputs.len());
        let arena = arena[0];
        for (copy, &from) in entry.inputs.iter().zip(inputs) {
            let to = self.builder.ins().iadd_imm_s(arena, copy.at as i64);
            self.copy(from, to, copy.bytes);
        }
        for &(data, copy) in &callees.constants {
            let from = self.data(data);
            let to = self.builder.ins().iadd_imm_s(arena, copy.at as i64);
            self.copy(from, to, copy.bytes);
        }
        let context = self.context(entry, callees, arena);
        let (begin, end) = (self.function(callees.begin), self.function(callees.end));
        let step = self.function(callees.step);
        let call = self.builder.ins().call(begin, &[]);
        let mode = self.builder.inst_results(call)[0];
        self.builder.ins().call(step, &[context]);
        self.builder.ins().call(end, &[mode]);
        for (copy, &to) in entry.outputs.iter().zip(outputs) {
            let from = self.builder.ins().iadd_imm_s(arena, copy.at as i64);
            self.copy(from, to, copy.bytes);
        }
        let at = offset_of!(Context, fault_site) as i32;
        let site = self.builder.ins().load(types::I64, MEMORY, context, at);
        let bad = self.builder.ins().icmp_imm_s(IntCC::NotEqual, site, 0);
        let code = self.builder.ins().uextend(types::I32, bad);
        self.builder.ins().return_(&[code]);
        self.builder.seal_all_blocks();
        let frontend = self.module.isa().frontend_config();
        self.builder.finalize(frontend);
    }

    /// The context of a single thread: its address.
    fn context(&mut self, entry: &EntryPoint<'_>, callees: &EntrySymbols, arena: Value) -> Value {
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, size_of::<Context>() as u32, 4);
        let slot = self.builder.create_sized_stack_slot(slot);
        let context = self.builder.ins().stack_addr(types::I64, slot, 0);
        let weights = self.data(callees.weights);
        let private = self.builder.ins().iadd_imm_s(arena, entry.thread as i64);
        let barrier = self.function(callees.barrier);
        let barrier = self.builder.ins().func_addr(types::I64, barrier);
        let zero = self.builder.ins().iconst(types::I64, 0);
        let one = self.builder.ins().iconst(types::I64, 1);
        for (offset, value) in [
            (offset_of!(Context, global), weights),
            (offset_of!(Context, local), arena),
            (offset_of!(Context, private), private),
            (offset_of!(Context, thread), zero),
            (offset_of!(Context, threads), one),
            (offset_of!(Context, seed), zero),
            (offset_of!(Context, step), one),
            (offset_of!(Context, barrier), barrier),
            (offset_of!(Context, barrier_data), zero),
            (offset_of!(Context, mark), barrier),
            (offset_of!(Context, mark_data), zero),
            (offset_of!(Context, fault_site), zero),
            (offset_of!(Context, fault_element), zero),
        ] {
            self.builder.ins().store(MEMORY, value, context, offset as i32);
        }
        context
    }

    fn function(&mut self, id: FuncId) -> FuncRef {
        self.module.declare_func_in_func(id, self.builder.func)
    }

    fn data(&mut self, id: DataId) -> Value {
        let data = self.module.declare_data_in_func(id, self.builder.func);
        self.builder.ins().symbol_value(types::I64, data)
    }

    /// Copies bytes, eight at a time, then the last ones.
    fn copy(&mut self, from: Value, to: Value, bytes: usize) {
        let zero = self.builder.ins().iconst(types::I64, 0);
        let whole = bytes / 8 * 8;
        if whole > 0 {
            let (inside, after) = (self.builder.create_block(), self.builder.create_block());
            let at = self.builder.append_block_param(inside, types::I64);
            self.builder.ins().jump(inside, &[ir::BlockArg::Value(zero)]);
            self.builder.switch_to_block(inside);
            let (source, target) =
                (self.builder.ins().iadd(from, at), self.builder.ins().iadd(to, at));
            let word = self.builder.ins().load(types::I64, MEMORY, source, 0);
            self.builder.ins().store(MEMORY, word, target, 0);
            let next = self.builder.ins().iadd_imm_s(at, 8);
            let more = self.builder.ins().icmp_imm_s(IntCC::SignedLessThan, next, whole as i64);
            self.builder.ins().brif(more, inside, &[ir::BlockArg::Value(next)], after, &[]);
            self.builder.switch_to_block(after);
        }
        let (from, to) = (
            self.builder.ins().iadd_imm_s(from, whole as i64),
            self.builder.ins().iadd_imm_s(to, whole as i64),
        );
        for byte in 0..(bytes - whole) as i32 {
            let value = self.builder.ins().uload8(types::I32, MEMORY, from, byte);
            self.builder.ins().istore8(MEMORY, value, to, byte);
        }
    }
}
