//! Encoded blocks are run and compared, bit by bit, with the sums as `loops::Tile` defines them.
//!
//! A block's operands lie in one vector each, with numbers around them that must not be touched
//! (the result) or that would show if they were read (NaN around the operands). Each instruction
//! set is tested where the machine has it.

use cranelift_codegen::ir::AbiParam;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::isa::CallConv;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};

use super::{MicroTile, WideIsa, encode};
use crate::base::rng::Sequence;

type Code = unsafe extern "sysv64" fn(*const f32, *const f32, *mut f32, *const f32);

/// The instruction sets of this machine.
fn available() -> Vec<WideIsa> {
    let has = |isa: &WideIsa| match isa {
        WideIsa::Avx512 => is_x86_feature_detected!("avx512f"),
        WideIsa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
    };
    WideIsa::ALL.into_iter().filter(has).collect()
}

/// Blocks made executable together, in order; freed with the module.
fn executable(blocks: &[Vec<u8>]) -> (JITModule, Vec<Code>) {
    let builder = JITBuilder::new(default_libcall_names()).expect("a host that Cranelift knows");
    let mut module = JITModule::new(builder);
    let mut signature = module.make_signature();
    signature.call_conv = CallConv::SystemV;
    signature.params = vec![AbiParam::new(I64); 4];
    let mut ids = Vec::new();
    for (index, bytes) in blocks.iter().enumerate() {
        let name = format!("block{index}");
        let id = module.declare_function(&name, Linkage::Local, &signature).expect("a new name");
        module.define_function_bytes(id, 64, bytes, &[]).expect("bytes without relocations");
        ids.push(id);
    }
    module.finalize_definitions().expect("memory for code");
    let code = ids.into_iter().map(|id| {
        let start = module.get_finalized_function(id);
        // SAFETY: the bytes at `start` are a whole function of this type, made by `encode`.
        unsafe { std::mem::transmute::<*const u8, Code>(start) }
    });
    let code = code.collect();
    (module, code)
}

/// Numbers with the place of element 0 (strides may be negative).
struct Operand {
    values: Vec<f32>,
    origin: usize,
}

impl Operand {
    /// Random numbers, now and then a special one, where `elements` are; NaN elsewhere.
    fn new(rng: &mut Sequence, elements: impl Iterator<Item = i64>, special: bool) -> Self {
        let elements: Vec<i64> = elements.collect();
        let lowest = elements.iter().copied().min().unwrap_or(0).min(0);
        let highest = elements.iter().copied().max().unwrap_or(0).max(0);
        let mut values = vec![f32::NAN; (highest - lowest) as usize + 1];
        for element in elements {
            values[(element - lowest) as usize] = number(rng, special);
        }
        Operand { values, origin: -lowest as usize }
    }

    fn at(&self, element: i64) -> f32 {
        self.values[(self.origin as i64 + element) as usize]
    }
}

fn number(rng: &mut Sequence, special: bool) -> f32 {
    const SPECIAL: [f32; 6] = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-40];
    if special && rng.below(40) == 0 {
        return SPECIAL[rng.below(6) as usize];
    }
    rng.normal() as f32
}

/// What a block does, one number after the other.
fn reference(tile: &MicroTile, a: &Operand, b: &Operand, bias: &[f32], c: &mut Operand) {
    for i in 0..tile.m as i64 {
        for j in 0..tile.n as i64 {
            let place = (c.origin as i64 + i * tile.c_row + j) as usize;
            let mut sum = if tile.accumulate { c.values[place] } else { 0.0 };
            for outer in 0..tile.outer as i64 {
                for k in 0..tile.k as i64 {
                    let a = a.at(i * tile.a_row + k * tile.a_inner + outer * tile.a_outer);
                    let b = b.at(outer * tile.b_outer + k * tile.b_inner + j);
                    sum = a.mul_add(b, sum);
                }
            }
            if tile.bias {
                sum += bias[j as usize];
            }
            if tile.relu {
                sum = if sum > 0.0 { sum } else { 0.0 };
            }
            c.values[place] = sum;
        }
    }
}

fn elements(extents: [usize; 3], strides: [i64; 3]) -> impl Iterator<Item = i64> {
    let [x, y, z] = extents.map(|extent| extent as i64);
    (0..x).flat_map(move |i| {
        (0..y).flat_map(move |j| {
            (0..z).map(move |k| i * strides[0] + j * strides[1] + k * strides[2])
        })
    })
}

/// Bits, with every NaN alike: which NaN an operation gives is not defined.
fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() }).collect()
}

/// Runs a block beside the reference, with the result's surroundings compared too.
fn compare(isa: WideIsa, tile: &MicroTile, code: Code, rng: &mut Sequence, special: bool) {
    let MicroTile { m, n, k, outer, .. } = *tile;
    let a_strides = [tile.a_row, tile.a_inner, tile.a_outer];
    let a = Operand::new(rng, elements([m, k, outer], a_strides), special);
    let b_strides = [tile.b_outer, tile.b_inner, 1];
    let b = Operand::new(rng, elements([outer, k, n], b_strides), special);
    let mut c = Operand::new(rng, elements([m, n, 1], [tile.c_row, 1, 0]), special);
    let bias: Vec<f32> = (0..n).map(|_| number(rng, special)).collect();
    let mut found = c.values.clone();
    // SAFETY: every element that the block's strides reach lies in its operand's vector.
    unsafe {
        code(
            a.values.as_ptr().add(a.origin),
            b.values.as_ptr().add(b.origin),
            found.as_mut_ptr().add(c.origin),
            bias.as_ptr(),
        );
    }
    reference(tile, &a, &b, &bias, &mut c);
    assert_eq!(bits(&found), bits(&c.values), "{isa:?} {tile:?}");
}

fn random_tile(isa: WideIsa, rng: &mut Sequence) -> MicroTile {
    let limits = isa.limits();
    let n = 1 + rng.below((limits.lanes * limits.rows.len()) as u32) as usize;
    let m = 1 + rng.below(limits.rows[n.div_ceil(limits.lanes) - 1] as u32) as usize;
    let k = rng.below(41) as usize;
    let mut stride = |least: usize| i64::from(rng.below(9)) + least as i64;
    let (a_row, a_inner) = (stride(k), stride(1));
    let mut tile = MicroTile {
        m,
        n,
        k,
        outer: 1,
        a_row,
        a_inner,
        a_outer: stride(0) - 4,
        b_inner: stride(n),
        b_outer: stride(0) * 7 - 20,
        c_row: stride(n),
        accumulate: false,
        bias: false,
        relu: false,
    };
    if rng.below(2) == 0 {
        std::mem::swap(&mut tile.a_row, &mut tile.a_inner);
    }
    if rng.below(8) == 0 {
        (tile.a_row, tile.b_inner) = (-tile.a_row, -tile.b_inner);
    }
    tile.outer = rng.below(4) as usize;
    tile.accumulate = rng.below(2) == 0;
    tile.bias = rng.below(2) == 0;
    tile.relu = rng.below(2) == 0;
    tile
}

#[test]
fn random_blocks_equal_the_scalar_sums_to_the_bit() {
    for isa in available() {
        let mut rng = Sequence::new(1, 0);
        let tiles: Vec<MicroTile> = (0..600).map(|_| random_tile(isa, &mut rng)).collect();
        let blocks: Vec<Vec<u8>> = tiles.iter().map(|tile| encode(isa, tile)).collect();
        let (_module, code) = executable(&blocks);
        for (index, (tile, &code)) in tiles.iter().zip(&code).enumerate() {
            compare(isa, tile, code, &mut rng, index % 2 == 1);
        }
    }
}

#[test]
fn every_block_that_fits_the_registers_is_right() {
    for isa in available() {
        let (mut rng, limits) = (Sequence::new(2, 0), isa.limits());
        let mut tiles = Vec::new();
        for n in 1..=limits.lanes * limits.rows.len() {
            for m in 1..=limits.rows[n.div_ceil(limits.lanes) - 1] {
                let flags = rng.below(8);
                tiles.push(MicroTile {
                    m,
                    n,
                    k: 19,
                    outer: 1,
                    a_row: 19,
                    a_inner: 1,
                    a_outer: 0,
                    b_inner: n as i64,
                    b_outer: 0,
                    c_row: n as i64 + 1,
                    accumulate: flags & 1 != 0,
                    bias: flags & 2 != 0,
                    relu: flags & 4 != 0,
                });
            }
        }
        let blocks: Vec<Vec<u8>> = tiles.iter().map(|tile| encode(isa, tile)).collect();
        let (_module, code) = executable(&blocks);
        for (tile, &code) in tiles.iter().zip(&code) {
            compare(isa, tile, code, &mut rng, false);
        }
    }
}

#[test]
fn strides_beyond_a_displacement_have_an_encoding() {
    // Such memory cannot be had in a test, but where only one step is taken nothing is read there.
    for isa in available() {
        let far = 1i64 << 33;
        let tile = MicroTile {
            m: 1,
            n: 3,
            k: 1,
            outer: 2,
            a_row: far,
            a_inner: far,
            a_outer: 1,
            b_inner: far,
            b_outer: 3,
            c_row: far,
            accumulate: true,
            bias: true,
            relu: false,
        };
        let (_module, code) = executable(&[encode(isa, &tile)]);
        compare(isa, &tile, code[0], &mut Sequence::new(3, 0), false);
        for isa in WideIsa::ALL {
            let rows = isa.limits().rows[0];
            assert!(!encode(isa, &MicroTile { m: rows, k: 100, ..tile.clone() }).is_empty());
        }
    }
}

#[test]
fn strides_of_zero_repeat_an_element() {
    for isa in available() {
        let tile = MicroTile {
            m: 2,
            n: 4,
            k: 16,
            outer: 2,
            a_row: 0,
            a_inner: 0,
            a_outer: 0,
            b_inner: 0,
            b_outer: 0,
            c_row: 4,
            accumulate: false,
            bias: false,
            relu: true,
        };
        let (_module, code) = executable(&[encode(isa, &tile)]);
        compare(isa, &tile, code[0], &mut Sequence::new(4, 0), false);
    }
}

#[test]
#[should_panic(expected = "does not fit the registers")]
fn a_block_that_does_not_fit_is_refused() {
    let tile = random_tile(WideIsa::Avx2, &mut Sequence::new(5, 0));
    encode(WideIsa::Avx2, &MicroTile { m: 13, ..tile });
}
