//! Machine code that sets and restores a processor's mode for denormals, for object files, which have
//! no runtime to do it.
//!
//! ```text
//! x86-64:   stmxcsr [rsp-8]; mov eax, [rsp-8]; or …, 8040h; ldmxcsr [rsp-8]; ret
//! AArch64:  mrs x0, fpcr; orr x1, x0, #1 << 24; msr fpcr, x1; ret
//! ```
//!
//! The modes are those of the runtime's threads. These are leaves, so that the bytes below the stack
//! pointer are theirs (the red zone of System V).

use super::target::Arch;
use iced_x86::IcedError;
use iced_x86::code_asm::{CodeAssembler, dword_ptr, eax, ecx, edi, rsp};

/// Flush to zero, and denormals are zero.
const X86_FLUSH: i32 = 1 << 15 | 1 << 6;

/// Returns the mode, and makes denormals zero.
pub(super) fn begin(arch: Arch) -> Vec<u8> {
    match arch {
        Arch::X86_64 => assembled(|asm| {
            asm.stmxcsr(dword_ptr(rsp - 8))?;
            asm.mov(eax, dword_ptr(rsp - 8))?;
            asm.mov(ecx, eax)?;
            asm.or(ecx, X86_FLUSH)?;
            asm.mov(dword_ptr(rsp - 8), ecx)?;
            asm.ldmxcsr(dword_ptr(rsp - 8))?;
            asm.ret()
        }),
        // mrs x0, fpcr; orr x1, x0, #0x1000000; msr fpcr, x1; ret
        Arch::Aarch64 => words(&[0xd53b_4400, 0xb268_0001, 0xd51b_4401, 0xd65f_03c0]),
    }
}

/// Sets the mode that it is given.
pub(super) fn end(arch: Arch) -> Vec<u8> {
    match arch {
        Arch::X86_64 => assembled(|asm| {
            asm.mov(dword_ptr(rsp - 8), edi)?;
            asm.ldmxcsr(dword_ptr(rsp - 8))?;
            asm.ret()
        }),
        // msr fpcr, x0; ret
        Arch::Aarch64 => words(&[0xd51b_4400, 0xd65f_03c0]),
    }
}

/// Returns: the barrier of one thread.
pub(super) fn nothing(arch: Arch) -> Vec<u8> {
    match arch {
        Arch::X86_64 => assembled(CodeAssembler::ret),
        Arch::Aarch64 => words(&[0xd65f_03c0]),
    }
}

fn assembled(write: impl FnOnce(&mut CodeAssembler) -> Result<(), IcedError>) -> Vec<u8> {
    let mut asm = CodeAssembler::new(64).expect("an assembler for 64 bits");
    write(&mut asm).expect("instructions of x86-64");
    asm.assemble(0).expect("instructions of x86-64")
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
