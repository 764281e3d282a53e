//! AVX-512 F: 32 registers of 16 lanes; remainders of columns are masked in the instruction.
//!
//! ```text
//! set_mask(3); load(0, [rsi], masked)   →   mov eax, 7; kmovw k1, eax; vmovups zmm0{k1}{z}, [rsi]
//! ```
//!
//! `k1` is the mask of the last lanes, `k2` holds a comparison until it is lanes of a register.

use iced_x86::Register;
use iced_x86::code_asm::{
    AsmMemoryOperand, AsmRegisterZmm, CodeAssembler, dword_bcst, dword_ptr, eax, get_zmm, k1, k2,
    ptr,
};

use super::{BlockLimits, Encoded, LaneBinary, LaneCompare, LaneShift, LaneUnary, Vector, WideIsa};

/// AVX-512 F on x86-64.
#[derive(Debug)]
pub struct Avx512;

impl WideIsa for Avx512 {
    #[cfg(target_arch = "x86_64")]
    fn on_host(&self) -> bool {
        is_x86_feature_detected!("avx512f")
    }

    fn limits(&self) -> BlockLimits {
        BlockLimits { lanes: 16, rows: &[28, 14, 9, 6] }
    }

    fn registers(&self, _masked: bool) -> usize {
        32
    }

    fn set_mask(&self, asm: &mut CodeAssembler, lanes: usize) -> Encoded {
        asm.mov(eax, (1i32 << lanes) - 1)?;
        asm.kmovw(k1, eax)
    }

    fn zero(&self, asm: &mut CodeAssembler, to: Vector) -> Encoded {
        asm.vpxord(zmm(to), zmm(to), zmm(to))
    }

    fn copy(&self, asm: &mut CodeAssembler, to: Vector, from: Vector) -> Encoded {
        asm.vmovaps(zmm(to), zmm(from))
    }

    fn load(
        &self,
        asm: &mut CodeAssembler,
        to: Vector,
        from: AsmMemoryOperand,
        masked: bool,
    ) -> Encoded {
        let to = if masked { zmm(to).k1().z() } else { zmm(to) };
        asm.vmovups(to, ptr(from))
    }

    fn store(
        &self,
        asm: &mut CodeAssembler,
        to: AsmMemoryOperand,
        from: Vector,
        masked: bool,
    ) -> Encoded {
        let to = if masked { ptr(to).k1() } else { ptr(to) };
        asm.vmovups(to, zmm(from))
    }

    fn broadcast(&self, asm: &mut CodeAssembler, to: Vector, from: AsmMemoryOperand) -> Encoded {
        asm.vbroadcastss(zmm(to), dword_ptr(from))
    }

    fn fma(&self, asm: &mut CodeAssembler, sum: Vector, a: Vector, b: Vector) -> Encoded {
        asm.vfmadd231ps(zmm(sum), zmm(a), zmm(b))
    }

    fn fma_broadcast(
        &self,
        asm: &mut CodeAssembler,
        sum: Vector,
        a: Vector,
        b: AsmMemoryOperand,
    ) -> Option<Encoded> {
        Some(asm.vfmadd231ps(zmm(sum), zmm(a), dword_bcst(b)))
    }

    fn unary(&self, asm: &mut CodeAssembler, op: LaneUnary, to: Vector, a: Vector) -> Encoded {
        let (to, a) = (zmm(to), zmm(a));
        match op {
            LaneUnary::Sqrt => asm.vsqrtps(to, a),
            LaneUnary::Floor => asm.vrndscaleps(to, a, 1),
            LaneUnary::FromInt => asm.vcvtdq2ps(to, a),
        }
    }

    fn binary(
        &self,
        asm: &mut CodeAssembler,
        op: LaneBinary,
        to: Vector,
        a: Vector,
        b: Vector,
    ) -> Encoded {
        let (to, a, b) = (zmm(to), zmm(a), zmm(b));
        match op {
            LaneBinary::Add => asm.vaddps(to, a, b),
            LaneBinary::Sub => asm.vsubps(to, a, b),
            LaneBinary::Mul => asm.vmulps(to, a, b),
            LaneBinary::Div => asm.vdivps(to, a, b),
            LaneBinary::Max => asm.vmaxps(to, a, b),
            LaneBinary::And => asm.vpandd(to, a, b),
            LaneBinary::Or => asm.vpord(to, a, b),
            LaneBinary::Xor => asm.vpxord(to, a, b),
            LaneBinary::IntAdd => asm.vpaddd(to, a, b),
            LaneBinary::IntSub => asm.vpsubd(to, a, b),
        }
    }

    fn compare(
        &self,
        asm: &mut CodeAssembler,
        op: LaneCompare,
        to: Vector,
        a: Vector,
        b: Vector,
    ) -> Encoded {
        asm.vcmpps(k2, zmm(a), zmm(b), op.predicate())?;
        // All ones, under the mask.
        asm.vpternlogd(zmm(to).k2().z(), zmm(to), zmm(to), 0xff)
    }

    fn select(
        &self,
        asm: &mut CodeAssembler,
        to: Vector,
        condition: Vector,
        a: Vector,
        b: Vector,
    ) -> Encoded {
        // Bit by bit: where the first is 1 the second, else the third.
        self.copy(asm, to, condition)?;
        asm.vpternlogd(zmm(to), zmm(a), zmm(b), 0xca)
    }

    fn shift(
        &self,
        asm: &mut CodeAssembler,
        op: LaneShift,
        to: Vector,
        a: Vector,
        bits: u32,
    ) -> Encoded {
        match op {
            LaneShift::Left => asm.vpslld(zmm(to), zmm(a), bits as i32),
            LaneShift::Right => asm.vpsrad(zmm(to), zmm(a), bits as i32),
        }
    }
}

fn zmm(number: Vector) -> AsmRegisterZmm {
    get_zmm(Register::ZMM0 + number as u32).expect("a number below 32")
}
