//! Compiled functions before they are linked: a planned program goes in, machine code with its
//! open references comes out, and text for people.
//!
//! ```text
//! emit(&program, &Target::from_name("avx2").unwrap())
//! →  tile.6x16.k784, kernel k0 dense.forward, …, step, refresh
//! ```
//!
//! It asks nothing of the host: an object for x86-64 can be made and read anywhere, one for Arm by a
//! compiler that was built for Arm, which alone has that back end.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;

use cranelift_codegen::Context as Compilation;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{Function as ClifFunction, Signature, UserFuncName};
use cranelift_codegen::isa::{OwnedTargetIsa, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::{FuncId, ModuleReloc};

use super::clif::{self, Callees};
use super::step;
use super::target::{Arch, Target};
use super::tile::{self, MicroTile};
use super::wide::{self, WideLoop};
use crate::base::caught::caught;
use crate::loops::{Action, Inst, Kernel, Planned, Program, Stmt};

/// The most threads that compile; a thread costs less than a function, so that more than there are
/// cores do no harm.
const MOST_WORKERS: usize = 8;

/// Fewer functions than this are not worth a thread.
const FUNCTIONS_A_WORKER: usize = 16;

/// A compiled function.
#[derive(Clone)]
pub struct CompiledFunction {
    /// Its key: `tile.6x16.k784`, `kernel k0 dense.forward`, `step`.
    pub name: String,
    /// Its machine code.
    pub code: Vec<u8>,
    /// Alignment of its first byte.
    pub align: u64,
    /// The references in it to other functions.
    pub relocs: Vec<ModuleReloc>,
}

/// A compiled program that is not in executable memory. References between its functions are by
/// their places in `functions`.
#[derive(Clone)]
pub struct Object {
    /// The instruction set that it was compiled from.
    pub(super) program: Planned,
    /// The target that it was compiled for.
    pub(super) target: Target,
    /// All functions.
    pub(super) functions: Vec<CompiledFunction>,
    /// Which of them runs a step.
    pub(super) step: usize,
    /// Which of them brings derived layouts up to date.
    pub(super) refresh: usize,
}

impl Object {
    /// All functions.
    pub fn functions(&self) -> &[CompiledFunction] {
        &self.functions
    }
}

/// Compiles a planned program.
pub fn emit(program: &Planned, target: &Target) -> Object {
    emit_layout(program, target, Layout::of(program, target))
}

/// Compiles a planned program so that each thread's step calls its context's `mark` at its start
/// and after each action.
pub fn emit_timed(program: &Planned, target: &Target) -> Object {
    let layout = Layout { timed: true, ..Layout::of(program, target) };
    emit_layout(program, target, layout)
}

fn emit_layout(program: &Planned, target: &Target, layout: Layout) -> Object {
    let functions = compile_all(program, target, &layout);
    let (program, step) = (program.clone(), layout.step);
    Object { program, target: *target, functions, step, refresh: step + 1 }
}

/// Functions don't depend on each other's code: workers take the next that nobody has, and what
/// comes out is the same whoever compiled it. A worker's panic goes on in the caller.
fn compile_all(program: &Program, target: &Target, layout: &Layout) -> Vec<CompiledFunction> {
    // A step is by far the longest function: nobody should wait for it at the end.
    let order: Vec<usize> = (layout.step..layout.sources.len()).chain(0..layout.step).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut compiler = Compiler::new(*target);
        let mut compiled = Vec::new();
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let source = &layout.sources[index];
            compiled.push((index, compiler.compile(program, layout, index, source)));
        }
        compiled
    };
    let workers = MOST_WORKERS.min(layout.sources.len() / FUNCTIONS_A_WORKER);
    let mut compiled = std::thread::scope(|scope| {
        // Where the system does not start a thread, the others do its share.
        let start = |_| Builder::new().spawn_scoped(scope, || caught(work)).ok();
        let others: Vec<_> = (1..workers).map_while(start).collect();
        let mut compiled = work();
        for other in others {
            let found = other.join().expect("panics are caught");
            compiled.extend(found.unwrap_or_else(|message| panic!("{message}")));
        }
        compiled
    });
    compiled.sort_unstable_by_key(|(index, _)| *index);
    compiled.into_iter().map(|(_, function)| function).collect()
}

/// The functions of a program as CLIF, before optimisation; wide tiles, which have none, as a
/// line each.
pub fn clif_text(program: &Program, target: &Target) -> String {
    let layout = Layout::of(program, target);
    let mut compiler = Compiler::new(*target);
    let mut text = String::new();
    for (index, source) in layout.sources.iter().enumerate() {
        let name = source.name(program);
        let _ = match compiler.function(program, &layout, index, source) {
            Some(function) => writeln!(text, "; {name}\n{}", function.display()),
            None => writeln!(text, "; {name}: machine code\n"),
        };
    }
    text
}

/// The machine code of an object as text: on x86-64 in Intel's syntax, elsewhere as words.
pub fn assembly_text(object: &Object) -> String {
    let mut text = String::new();
    for (index, function) in object.functions.iter().enumerate() {
        let _ = writeln!(text, "; f{index} {}: {} bytes", function.name, function.code.len());
        match object.target.arch {
            Arch::X86_64 => disassemble_x86(object, function, &mut text),
            Arch::Aarch64 => {
                for word in function.code.chunks(4) {
                    let hex: String = word.iter().rev().map(|byte| format!("{byte:02x}")).collect();
                    let _ = writeln!(text, "    {hex}");
                }
            }
        }
        text.push('\n');
    }
    text
}

fn disassemble_x86(object: &Object, function: &CompiledFunction, text: &mut String) {
    use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter};
    let (end, constants) = end_of_instructions(&function.code);
    let code = &function.code[..end];
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    let mut formatter = IntelFormatter::new();
    let mut instruction = Instruction::default();
    let mut line = String::new();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        line.clear();
        formatter.format(&instruction, &mut line);
        let _ = write!(text, "{:6x}  {line}", instruction.ip());
        let inside = instruction.ip()..instruction.next_ip();
        let reference =
            function.relocs.iter().find(|reloc| inside.contains(&u64::from(reloc.offset)));
        if let Some(reloc) = reference {
            let _ = write!(text, "  ; {}", reference_name(object, reloc));
        }
        text.push('\n');
    }
    for (index, bytes) in function.code[constants..].chunks(16).enumerate() {
        let _ = write!(text, "{:6x}  db", constants + 16 * index);
        for byte in bytes {
            let _ = write!(text, " {byte:02x}");
        }
        text.push('\n');
    }
}

/// Where a function's instructions end, and where its constants begin, which follow aligned: at
/// the first that is read.
fn end_of_instructions(code: &[u8]) -> (usize, usize) {
    use iced_x86::{Decoder, DecoderOptions};
    let mut constants = code.len();
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    while decoder.can_decode() && decoder.position() < constants {
        let at = decoder.position();
        // Zeros up to the constants align them.
        if code[at..constants].iter().all(|&byte| byte == 0) {
            return (at, constants);
        }
        let instruction = decoder.decode();
        if instruction.is_ip_rel_memory_operand() {
            constants = constants.min(instruction.ip_rel_memory_address() as usize);
        }
    }
    (constants, constants)
}

fn reference_name(object: &Object, reloc: &ModuleReloc) -> String {
    match &reloc.name {
        cranelift_module::ModuleRelocTarget::User { index, .. } => {
            format!("f{index} {}", object.functions[*index as usize].name)
        }
        other => other.to_string(),
    }
}

/// The source of a function.
enum FunctionSource {
    Tile(MicroTile),
    Wide(WideLoop),
    Philox,
    Kernel(crate::loops::KernelId),
    Step,
    Refresh,
}

impl FunctionSource {
    fn name(&self, program: &Program) -> String {
        match self {
            FunctionSource::Tile(tile) => {
                let sum: Vec<_> = tile.sum.iter().map(|axis| axis.extent.to_string()).collect();
                let mut name = format!("tile.{}x{}.k{}", tile.rows.len(), tile.n, sum.join("x"));
                let marks = [
                    (tile.accumulate, ".accumulate".to_owned()),
                    (tile.bias, ".bias".to_owned()),
                    (tile.relu, ".relu".to_owned()),
                ];
                name.extend(marks.into_iter().filter(|(set, _)| *set).map(|(_, mark)| mark));
                name
            }
            FunctionSource::Wide(wide) => wide.name(),
            FunctionSource::Philox => "philox".to_owned(),
            FunctionSource::Kernel(id) => format!("kernel {id} {}", program.kernels[*id].name),
            FunctionSource::Step => "step".to_owned(),
            FunctionSource::Refresh => "refresh".to_owned(),
        }
    }
}

/// Which functions a program needs, in the order of the object.
struct Layout {
    sources: Vec<FunctionSource>,
    callees: Callees,
    /// Where each kernel is.
    kernels: Vec<u32>,
    /// Where `step` is; `refresh` follows.
    step: usize,
    /// Whether the step says when each action ends.
    timed: bool,
}

impl Layout {
    fn of(program: &Program, target: &Target) -> Layout {
        let mut sources = Vec::new();
        let mut callees = Callees::default();
        for kernel in program.kernels.values() {
            for block in blocks(kernel, target) {
                callees.tiles.entry(block.clone()).or_insert_with(|| {
                    sources.push(FunctionSource::Tile(block));
                    sources.len() as u32 - 1
                });
            }
        }
        for kernel in program.kernels.values() {
            for wide in clif::wide_loops(target, kernel) {
                callees.wide.entry(wide.clone()).or_insert_with(|| {
                    sources.push(FunctionSource::Wide(wide));
                    sources.len() as u32 - 1
                });
            }
        }
        if program.kernels.values().any(|kernel| uses_random(&kernel.body)) {
            callees.philox = Some(sources.len() as u32);
            sources.push(FunctionSource::Philox);
        }
        let first = sources.len() as u32;
        let kernels = (first..first + program.kernels.len() as u32).collect();
        sources.extend(program.kernels.keys().map(FunctionSource::Kernel));
        let step = sources.len();
        sources.extend([FunctionSource::Step, FunctionSource::Refresh]);
        Layout { sources, callees, kernels, step, timed: false }
    }
}

/// The register blocks that a kernel's tiles are cut into.
fn blocks(kernel: &Kernel, target: &Target) -> Vec<MicroTile> {
    let mut tiles = Vec::new();
    clif::tiles(&kernel.body, &mut tiles);
    let mut found = Vec::new();
    for tile in tiles {
        for panels in clif::cut(target, tile).panels {
            let block = |blocks: &tile::Blocks| MicroTile::of(tile, &blocks.rows, panels.size);
            found.extend(panels.blocks.iter().map(block));
        }
    }
    found
}

fn uses_random(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| match stmt {
        Stmt::Parts { body, .. } | Stmt::For { body, .. } | Stmt::Vector { body, .. } => {
            uses_random(body)
        }
        Stmt::If { then, otherwise, .. } => uses_random(then) || uses_random(otherwise),
        Stmt::Let { inst, .. } => matches!(inst, Inst::Uniform { .. }),
        Stmt::Store { .. } | Stmt::StoreAt { .. } | Stmt::Tile(_) => false,
    })
}

/// State that is kept from function to function.
struct Compiler {
    target: Target,
    isa: OwnedTargetIsa,
    compilation: Compilation,
    building: FunctionBuilderContext,
    control: ControlPlane,
}

impl Compiler {
    fn new(target: Target) -> Compiler {
        Compiler {
            target,
            isa: target.cranelift_isa(),
            compilation: Compilation::new(),
            building: FunctionBuilderContext::new(),
            control: ControlPlane::default(),
        }
    }

    fn compile(
        &mut self,
        program: &Program,
        layout: &Layout,
        index: usize,
        source: &FunctionSource,
    ) -> CompiledFunction {
        let name = source.name(program);
        let code = match (source, self.target.wide()) {
            (FunctionSource::Tile(tile), Some(isa)) => Some(tile::encode(isa, tile)),
            (FunctionSource::Wide(wide), Some(isa)) => Some(wide::encode(isa, wide)),
            _ => None,
        };
        if let Some(code) = code {
            return CompiledFunction { name, code, align: 64, relocs: Vec::new() };
        }
        let function = self
            .function(program, layout, index, source)
            .expect("all but wide code are Cranelift functions");
        self.compilation.clear();
        self.compilation.func = function;
        let isa_for_calls = match source {
            FunctionSource::Step | FunctionSource::Refresh => {
                Some(self.target.cranelift_isa_for_calls())
            }
            _ => None,
        };
        let compiled = self
            .compilation
            .compile(&**isa_for_calls.as_ref().unwrap_or(&self.isa), &mut self.control)
            .unwrap_or_else(|error| panic!("compiling {name}: {:?}", error.inner));
        let (code, align) = (compiled.code_buffer().to_vec(), u64::from(compiled.buffer.alignment));
        let relocs = compiled.buffer.relocs().to_vec();
        let own = FuncId::from_u32(index as u32);
        let function = &self.compilation.func;
        let relocs =
            relocs.iter().map(|reloc| ModuleReloc::from_mach_reloc(reloc, function, own)).collect();
        CompiledFunction { name, code, align: align.max(16), relocs }
    }

    /// A function in CLIF; none for wide code.
    fn function(
        &mut self,
        program: &Program,
        layout: &Layout,
        index: usize,
        source: &FunctionSource,
    ) -> Option<ClifFunction> {
        if matches!(source, FunctionSource::Tile(_) | FunctionSource::Wide(_))
            && self.target.wide().is_some()
        {
            return None;
        }
        let signature = signature(program, source);
        let name = UserFuncName::user(0, index as u32);
        let mut function = ClifFunction::with_name_signature(name, signature);
        let builder = FunctionBuilder::new(&mut function, &mut self.building);
        let frontend: TargetFrontendConfig = self.isa.frontend_config();
        let actions = |actions: &[Action], timed, builder| {
            let code = step::StepSource { program, actions, kernels: &layout.kernels, timed };
            step::emit(&code, builder, frontend);
        };
        match source {
            FunctionSource::Tile(tile) => tile::clif::emit(tile, builder, frontend),
            FunctionSource::Wide(_) => {
                unreachable!("only targets with wide registers have wide loops")
            }
            FunctionSource::Philox => clif::philox(builder, frontend),
            FunctionSource::Kernel(id) => {
                let kernel = &program.kernels[*id];
                clif::emit(kernel, &self.target, &layout.callees, builder, frontend);
            }
            FunctionSource::Step => actions(&program.actions, layout.timed, builder),
            FunctionSource::Refresh => actions(&program.refresh, false, builder),
        }
        Some(function)
    }
}

fn signature(program: &Program, source: &FunctionSource) -> Signature {
    match source {
        FunctionSource::Tile(tile) => clif::tile_signature(tile),
        FunctionSource::Wide(_) => clif::pointers(1),
        FunctionSource::Philox => clif::philox_signature(),
        FunctionSource::Kernel(id) => clif::kernel_signature(program.kernels[*id].slots.len()),
        FunctionSource::Step | FunctionSource::Refresh => clif::pointers(1),
    }
}
