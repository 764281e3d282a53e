//! Compiled code against plain Rust: each test writes a program of loops as text, compiles it for
//! every target that this processor has, runs it, and compares bits.

mod access;
mod functions;
mod memory;
mod parallel;
mod random;
mod tiles;
mod wide;

use nnc::base::tensor::{DType, Data, Tensor};
use nnc::codegen::jit::link;
use nnc::codegen::{Target, emit};
use nnc::loops::interp::{self, StepFailure};
use nnc::loops::{self, Planned, Space};
use nnc::runtime::pool::Pool;
use nnc::runtime::program::{CompiledProgram, IndexFault, RunMemory, StepArgs};

/// A program, whose buffers have places, with its code.
pub fn compile(program: loops::Program, target: &Target) -> CompiledProgram {
    CompiledProgram::new(link(&emit(&sound(program), target)))
}

/// A program that may be compiled.
pub fn sound(program: loops::Program) -> Planned {
    Planned::new(program).expect("a sound program with places")
}

/// The targets that this processor has.
pub fn targets() -> impl Iterator<Item = Target> {
    Target::ALL.into_iter().filter(Target::supported_on_host)
}

/// A verified program, its buffers laid out one after the other.
pub fn planned(text: &str) -> loops::Program {
    let mut program = loops::read::read(text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    let (mut global, mut local, mut thread) = (0, 0, 0);
    for buffer in program.buffers.values_mut() {
        let end = match buffer.space {
            Space::Global => &mut global,
            Space::Pinned | Space::Scratch => &mut local,
            Space::Thread => &mut thread,
        };
        buffer.offset = Some(*end);
        *end += (buffer.len * buffer.dtype.size()).next_multiple_of(64);
    }
    if let Err(errors) = loops::verify::verify(&program) {
        panic!("{errors:?}\n{text}");
    }
    program
}

/// A program with one kernel, which is run once on one thread's whole share. `buffers` are
/// `dtype[len]` and a name, in the order of the kernel's slots.
pub fn single(buffers: &[(&str, &str)], parts: usize, body: &str) -> loops::Program {
    let mut text = String::from("program \"test\" {\n");
    for (index, (ty, name)) in buffers.iter().enumerate() {
        text += &format!("b{index} = pinned {ty} \"{name}\"\n");
    }
    let slots: Vec<_> =
        buffers.iter().enumerate().map(|(index, (ty, _))| format!("s{index}: {ty}")).collect();
    let body = in_order(body);
    text += &format!("kernel k0 \"test\" parts {parts} ({}) {{\n{body}\n}}\n", slots.join(", "));
    let args: Vec<_> = (0..buffers.len()).map(|index| format!("b{index}")).collect();
    text += &format!("step {{\nrun k0({})\n}}\n}}\n", args.join(", "));
    planned(&text)
}

/// The text with each scalar `r7` under another number.
pub fn renumber(text: &str, mut number: impl FnMut(usize) -> usize) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('r') {
        let digits =
            rest[at + 1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - at - 1);
        let is_word = at > 0 && rest.as_bytes()[at - 1].is_ascii_alphanumeric();
        result.push_str(&rest[..=at]);
        if digits > 0 && !is_word {
            let found: usize = rest[at + 1..][..digits].parse().expect("digits");
            result.push_str(&number(found).to_string());
        }
        rest = &rest[at + 1 + if is_word { 0 } else { digits }..];
    }
    result + rest
}

/// The text with its scalars numbered as they come.
fn in_order(text: &str) -> String {
    let mut known = Vec::new();
    renumber(text, |number| {
        known.iter().position(|&old| old == number).unwrap_or_else(|| {
            known.push(number);
            known.len() - 1
        })
    })
}

/// What a run leaves in memory.
pub struct Ran {
    program: CompiledProgram,
    memory: RunMemory,
    /// Whether all indices were good.
    pub result: Result<(), IndexFault>,
}

impl Ran {
    /// A buffer's elements.
    pub fn read(&self, name: &str) -> Tensor {
        self.program.read(&self.memory, name)
    }

    /// A buffer's floats.
    pub fn f32s(&self, name: &str) -> Vec<f32> {
        self.program.f32s(&self.memory, name).to_vec()
    }
}

/// The seed of every run.
pub const SEED: u64 = 0x1234_5678_9abc_def0;
/// The number of every run's step, with both halves in use.
pub const STEP: u64 = 0x2_0000_0007;

/// Runs a step, and fails if the interpreter of loops does not leave the same bits in memory.
pub fn run(
    program: &loops::Program,
    target: &Target,
    threads: usize,
    inputs: &[(&str, Tensor)],
) -> Ran {
    let program = compile(program.clone(), target);
    let mut pool = Pool::new(threads);
    let mut memory = RunMemory::for_programs([&program], threads);
    for (name, tensor) in inputs {
        program.write(&mut memory, name, tensor);
    }
    let hypers: Vec<f64> = program.loops().uniforms.hypers.iter().map(|(_, v)| *v).collect();
    let args = StepArgs { step: STEP, seed: SEED, hypers: &hypers };
    let result = program.run(&mut memory, &mut pool, &args);
    let ran = Ran { program, memory, result };
    compare_with_interpreter(&ran, threads, inputs, &args);
    ran
}

fn compare_with_interpreter(
    ran: &Ran,
    threads: usize,
    inputs: &[(&str, Tensor)],
    args: &StepArgs<'_>,
) {
    let program = ran.program.loops();
    let mut memory = interp::ProgramMemory::new(program);
    let lasting = |space| matches!(space, Space::Global | Space::Pinned);
    for (id, buffer) in program.buffers.iter().filter(|(_, buffer)| lasting(buffer.space)) {
        let input = inputs.iter().find(|(name, _)| *name == buffer.name);
        let zeros = Tensor::zeros(buffer.dtype, [buffer.len]);
        memory.set(id, input.map_or(&zeros, |(_, tensor)| tensor));
    }
    let args =
        interp::InterpArgs { seed: args.seed, step: args.step, hypers: args.hypers.to_vec() };
    let expected = match interp::run(program, &mut memory, &args, threads, 1) {
        Ok(()) => Ok(()),
        Err(StepFailure::Fault { site, element }) => {
            Err(IndexFault { site, element: element as usize })
        }
        Err(failure) => panic!("{failure}\n{program}"),
    };
    assert_eq!(ran.result, expected);
    for (id, buffer) in program.buffers.iter().filter(|(_, buffer)| lasting(buffer.space)) {
        match (ran.read(&buffer.name).data, memory.get(id).data) {
            (Data::F32(found), Data::F32(expected)) => {
                assert_same(&found, &expected, &format!("{} as interpreted", buffer.name));
            }
            (found, expected) => assert_eq!(found, expected, "{} as interpreted", buffer.name),
        }
    }
}

/// Whether two floats are the same bits, or both NaN.
pub fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

/// Fails at the first difference.
#[track_caller]
pub fn assert_same(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        assert!(same(found, expected), "{what}, element {index}: {found:e}, not {expected:e}");
    }
}

/// Numbers without a pattern, of many magnitudes.
pub fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let mut sequence = nnc::base::rng::Sequence::new(seed, 77);
    (0..len)
        .map(|_| ((sequence.unit() * 2.0 - 1.0) * 10f64.powf(sequence.unit() * 6.0 - 3.0)) as f32)
        .collect()
}

/// A tensor of one axis.
pub fn vector(values: Vec<f32>) -> Tensor {
    Tensor::f32([values.len()], values)
}

#[test]
fn a_program_finds_buffers_by_name_and_knows_their_types() {
    let body = "parts i0 in 0..1 {\nr0: f32 = f32 2.5\nstore s0[1] = r0\n}";
    let program = single(&[("f32[3]", "output.y")], 1, body);
    let ran = run(&program, &Target::detect(), 1, &[]);
    assert_eq!(ran.read("output.y"), Tensor::f32([3], vec![0.0, 2.5, 0.0]));
    assert_eq!(ran.read("output.y").dtype(), DType::F32);
    assert_eq!(ran.result, Ok(()));
}
