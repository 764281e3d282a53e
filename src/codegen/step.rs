//! The function that a thread calls for a step: what goes in are a program's actions, what comes
//! out is `step(context)`, which runs this thread's share of each kernel, in order.
//!
//! ```text
//! run k0(b0, b1)      →   first = 32·t / T; end = 32·(t + 1) / T
//!                         if first < end { k0(context, first, end, global + 0, local + 64) }
//! barrier             →   context.barrier(context.barrier_data)
//! ```

use std::collections::HashMap;
use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{FuncRef, InstBuilder, SigRef, Value, types};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::FunctionBuilder;

use super::abi::Context;
use super::clif::{MEMORY, import, kernel_signature, pointers};
use crate::base::entity::Entity;
use crate::loops::{Action, BufferId, KernelId, Program, Space};

/// The source of a step's function.
pub(super) struct StepSource<'a> {
    /// The program.
    pub program: &'a Program,
    /// Runs and barriers, in order.
    pub actions: &'a [Action],
    /// Where the object has each kernel.
    pub kernels: &'a [u32],
    /// Whether the function calls the context's `mark` at its start and after each action.
    pub timed: bool,
}

/// Emits the body of a step's function.
pub(super) fn emit(
    code: &StepSource<'_>,
    mut builder: FunctionBuilder<'_>,
    frontend: TargetFrontendConfig,
) {
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let context = builder.block_params(entry)[0];
    let mut field = |offset: usize| builder.ins().load(types::I64, MEMORY, context, offset as i32);
    let fields = Fields {
        global: field(offset_of!(Context, global)),
        local: field(offset_of!(Context, local)),
        private: field(offset_of!(Context, private)),
        thread: field(offset_of!(Context, thread)),
        threads: field(offset_of!(Context, threads)),
        barrier: field(offset_of!(Context, barrier)),
        barrier_data: field(offset_of!(Context, barrier_data)),
    };
    let barrier_signature = builder.import_signature(pointers(1));
    let mark_signature = builder.import_signature(pointers(2));
    let mut step = Step {
        code,
        builder,
        context,
        fields,
        barrier_signature,
        mark_signature,
        shares: HashMap::new(),
        imports: HashMap::new(),
        slice: None,
    };
    step.compute_shares(code.actions);
    step.mark(0);
    for (index, action) in code.actions.iter().enumerate() {
        step.action(action);
        step.mark(index + 1);
    }
    step.builder.ins().return_(&[]);
    step.builder.seal_all_blocks();
    step.builder.finalize(frontend);
}

/// The fields of the context, loaded once.
struct Fields {
    global: Value,
    local: Value,
    private: Value,
    thread: Value,
    threads: Value,
    barrier: Value,
    barrier_data: Value,
}

/// A step's function being written.
struct Step<'a, 'f> {
    code: &'a StepSource<'a>,
    builder: FunctionBuilder<'f>,
    context: Value,
    fields: Fields,
    barrier_signature: SigRef,
    mark_signature: SigRef,
    /// This thread's range of each number of parts.
    shares: HashMap<usize, (Value, Value)>,
    imports: HashMap<KernelId, FuncRef>,
    /// The slice that a loop's step works on.
    slice: Option<Value>,
}

impl Step<'_, '_> {
    /// Divides each number of parts once, at the start.
    fn compute_shares(&mut self, actions: &[Action]) {
        for (kernel, _) in actions.iter().flat_map(Action::runs) {
            let parts = self.code.program.kernels[kernel].parts;
            if parts == 0 || self.shares.contains_key(&parts) {
                continue;
            }
            let before = self.builder.ins().imul_imm_s(self.fields.thread, parts as i64);
            let after = self.builder.ins().iadd_imm_s(before, parts as i64);
            let first = self.builder.ins().udiv(before, self.fields.threads);
            let end = self.builder.ins().udiv(after, self.fields.threads);
            self.shares.insert(parts, (first, end));
        }
    }

    /// Says that so many actions are done, in timed code.
    fn mark(&mut self, done: usize) {
        if self.code.timed {
            let mut field = |offset: usize| {
                self.builder.ins().load(types::I64, MEMORY, self.context, offset as i32)
            };
            let (mark, data) =
                (field(offset_of!(Context, mark)), field(offset_of!(Context, mark_data)));
            let done = self.builder.ins().iconst(types::I64, done as i64);
            self.builder.ins().call_indirect(self.mark_signature, mark, &[data, done]);
        }
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Barrier => {
                let (barrier, data) = (self.fields.barrier, self.fields.barrier_data);
                self.builder.ins().call_indirect(self.barrier_signature, barrier, &[data]);
            }
            Action::Run { kernel, args } => self.run(*kernel, args),
            Action::Loop { steps, reverse, body } => self.steps(*steps, *reverse, body),
        }
    }

    /// A loop's body, once for each slice.
    fn steps(&mut self, steps: usize, reverse: bool, body: &[Action]) {
        let ins =
            |step: &mut Self, value: usize| step.builder.ins().iconst(types::I64, value as i64);
        let (inside, exit) = (self.builder.create_block(), self.builder.create_block());
        let counter = self.builder.append_block_param(inside, types::I64);
        let zero = ins(self, 0);
        self.builder.ins().jump(inside, &[zero.into()]);
        self.builder.switch_to_block(inside);
        let slice = match reverse {
            false => counter,
            true => {
                let last = ins(self, steps - 1);
                self.builder.ins().isub(last, counter)
            }
        };
        self.slice = Some(slice);
        body.iter().for_each(|action| self.action(action));
        self.slice = None;
        let next = self.builder.ins().iadd_imm_s(counter, 1);
        let all = ins(self, steps);
        let more = self.builder.ins().icmp(IntCC::UnsignedLessThan, next, all);
        self.builder.ins().brif(more, inside, &[next.into()], exit, &[]);
        self.builder.switch_to_block(exit);
    }

    fn run(&mut self, kernel: KernelId, args: &[BufferId]) {
        let parts = self.code.program.kernels[kernel].parts;
        let Some(&(first, end)) = self.shares.get(&parts) else {
            // Every thread runs all of it.
            let zero = self.builder.ins().iconst(types::I64, 0);
            return self.call(kernel, args, (zero, zero));
        };
        let (some, after) = (self.builder.create_block(), self.builder.create_block());
        let any = self.builder.ins().icmp(IntCC::UnsignedLessThan, first, end);
        self.builder.ins().brif(any, some, &[], after, &[]);
        self.builder.switch_to_block(some);
        self.call(kernel, args, (first, end));
        self.builder.ins().jump(after, &[]);
        self.builder.switch_to_block(after);
    }

    fn call(&mut self, kernel: KernelId, args: &[BufferId], (first, end): (Value, Value)) {
        let mut values = vec![self.context, first, end];
        for &arg in args {
            let buffer = &self.code.program.buffers[arg];
            let base = match buffer.space {
                Space::Global => self.fields.global,
                Space::Pinned | Space::Scratch => self.fields.local,
                Space::Thread => self.fields.private,
            };
            let offset = buffer.offset.expect("the program is planned") as i64;
            let mut place = self.builder.ins().iadd_imm_s(base, offset);
            if let (Some(part), Some(slice)) = (buffer.part, self.slice)
                && part.stride > 0
            {
                let bytes = (part.stride * buffer.dtype.size()) as i64;
                let moved = self.builder.ins().imul_imm_s(slice, bytes);
                place = self.builder.ins().iadd(place, moved);
            }
            values.push(place);
        }
        let callee = match self.imports.get(&kernel) {
            Some(&known) => known,
            None => {
                let signature = kernel_signature(args.len());
                import(&mut self.builder, self.code.kernels[kernel.index()], signature)
            }
        };
        self.imports.insert(kernel, callee);
        self.builder.ins().call(callee, &values);
    }
}
