//! AVX2 and FMA: 16 registers of 8 lanes; remainders of columns are masked by `vmaskmovps`, whose
//! mask takes a register.
//!
//! ```text
//! set_mask(3); load(0, [rsi], masked)   →   mov rax, 0ffffffh; vmovq xmm15, rax
//!                                           vpmovsxbd ymm15, xmm15; vmaskmovps ymm0, ymm15, [rsi]
//! ```

use iced_x86::Register;
use iced_x86::code_asm::{
    AsmMemoryOperand, AsmRegisterYmm, CodeAssembler, dword_ptr, get_xmm, get_ymm, ptr, rax,
};

use super::{BlockLimits, Encoded, LaneBinary, LaneCompare, LaneShift, LaneUnary, Vector, WideIsa};

/// The register for the mask of the last lanes, where there is one.
const MASK: Vector = 15;

/// AVX2 and FMA on x86-64.
#[derive(Debug)]
pub struct Avx2;

impl WideIsa for Avx2 {
    #[cfg(target_arch = "x86_64")]
    fn on_host(&self) -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }

    fn limits(&self) -> BlockLimits {
        BlockLimits { lanes: 8, rows: &[12, 6] }
    }

    fn registers(&self, masked: bool) -> usize {
        16 - usize::from(masked)
    }

    fn set_mask(&self, asm: &mut CodeAssembler, lanes: usize) -> Encoded {
        // A byte 0xff for each lane, spread to lanes of all ones.
        asm.mov(rax, (1i64 << (8 * lanes)) - 1)?;
        let low = get_xmm(Register::XMM0 + MASK as u32).expect("a number below 16");
        asm.vmovq(low, rax)?;
        asm.vpmovsxbd(ymm(MASK), low)
    }

    fn zero(&self, asm: &mut CodeAssembler, to: Vector) -> Encoded {
        asm.vxorps(ymm(to), ymm(to), ymm(to))
    }

    fn copy(&self, asm: &mut CodeAssembler, to: Vector, from: Vector) -> Encoded {
        asm.vmovaps(ymm(to), ymm(from))
    }

    fn load(
        &self,
        asm: &mut CodeAssembler,
        to: Vector,
        from: AsmMemoryOperand,
        masked: bool,
    ) -> Encoded {
        match masked {
            true => asm.vmaskmovps(ymm(to), ymm(MASK), ptr(from)),
            false => asm.vmovups(ymm(to), ptr(from)),
        }
    }

    fn store(
        &self,
        asm: &mut CodeAssembler,
        to: AsmMemoryOperand,
        from: Vector,
        masked: bool,
    ) -> Encoded {
        match masked {
            true => asm.vmaskmovps(ptr(to), ymm(MASK), ymm(from)),
            false => asm.vmovups(ptr(to), ymm(from)),
        }
    }

    fn broadcast(&self, asm: &mut CodeAssembler, to: Vector, from: AsmMemoryOperand) -> Encoded {
        asm.vbroadcastss(ymm(to), dword_ptr(from))
    }

    fn fma(&self, asm: &mut CodeAssembler, sum: Vector, a: Vector, b: Vector) -> Encoded {
        asm.vfmadd231ps(ymm(sum), ymm(a), ymm(b))
    }

    fn unary(&self, asm: &mut CodeAssembler, op: LaneUnary, to: Vector, a: Vector) -> Encoded {
        let (to, a) = (ymm(to), ymm(a));
        match op {
            LaneUnary::Sqrt => asm.vsqrtps(to, a),
            LaneUnary::Floor => asm.vroundps(to, a, 1),
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
        let (to, a, b) = (ymm(to), ymm(a), ymm(b));
        match op {
            LaneBinary::Add => asm.vaddps(to, a, b),
            LaneBinary::Sub => asm.vsubps(to, a, b),
            LaneBinary::Mul => asm.vmulps(to, a, b),
            LaneBinary::Div => asm.vdivps(to, a, b),
            LaneBinary::Max => asm.vmaxps(to, a, b),
            LaneBinary::And => asm.vpand(to, a, b),
            LaneBinary::Or => asm.vpor(to, a, b),
            LaneBinary::Xor => asm.vpxor(to, a, b),
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
        asm.vcmpps(ymm(to), ymm(a), ymm(b), op.predicate())
    }

    fn select(
        &self,
        asm: &mut CodeAssembler,
        to: Vector,
        condition: Vector,
        a: Vector,
        b: Vector,
    ) -> Encoded {
        asm.vblendvps(ymm(to), ymm(b), ymm(a), ymm(condition))
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
            LaneShift::Left => asm.vpslld(ymm(to), ymm(a), bits as i32),
            LaneShift::Right => asm.vpsrad(ymm(to), ymm(a), bits as i32),
        }
    }
}

fn ymm(number: Vector) -> AsmRegisterYmm {
    assert!(number < 16, "VEX has 16 registers");
    get_ymm(Register::YMM0 + number as u32).expect("a number below 16")
}
