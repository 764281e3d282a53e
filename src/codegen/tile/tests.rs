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

use super::{MicroTile, RowOffset, encode};
use crate::base::rng::Sequence;
use crate::codegen::Target;
use crate::codegen::isa::{Avx2, WideIsa};
use crate::loops::SumAxis;
use crate::loops::tile::offsets;

type Code = unsafe extern "sysv64" fn(*const f32, *const f32, *mut f32, *const f32);

/// Every wide instruction set.
fn all() -> impl Iterator<Item = &'static dyn WideIsa> {
    Target::ALL.into_iter().filter_map(|target| target.wide())
}

/// Those of this machine.
fn available() -> impl Iterator<Item = &'static dyn WideIsa> {
    let here = Target::ALL.into_iter().filter(Target::supported_on_host);
    here.filter_map(|target| target.wide())
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

/// The distances of all products' elements from the first ones.
fn products(tile: &MicroTile) -> Vec<[i64; 2]> {
    offsets(tile.sum.iter().map(|axis| (axis.extent, [axis.a, axis.b])))
}

/// A block computed plainly, one number after the other.
fn reference(tile: &MicroTile, a: &Operand, b: &Operand, bias: &[f32], c: &mut Operand) {
    let products = products(tile);
    for row in &tile.rows {
        for j in 0..tile.n as i64 {
            let place = (c.origin as i64 + row.c + j) as usize;
            let mut sum = if tile.accumulate { c.values[place] } else { 0.0 };
            for [left, right] in &products {
                sum = a.at(row.a + left).mul_add(b.at(right + j), sum);
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

/// Bits, with every NaN alike: which NaN an operation gives is not defined.
fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() }).collect()
}

/// Runs a block beside the reference, with the result's surroundings compared too.
fn compare(isa: &dyn WideIsa, tile: &MicroTile, code: Code, rng: &mut Sequence, special: bool) {
    let (n, products) = (tile.n, products(tile));
    let across = |first: i64| first..first + n as i64;
    let left = tile.rows.iter().flat_map(|row| products.iter().map(|[a, _]| row.a + a));
    let a = Operand::new(rng, left, special);
    let b = Operand::new(rng, products.iter().flat_map(|&[_, b]| across(b)), special);
    let mut c = Operand::new(rng, tile.rows.iter().flat_map(|row| across(row.c)), special);
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

/// A block without bias and the like.
fn plain(rows: Vec<RowOffset>, n: usize, sum: Vec<SumAxis>) -> MicroTile {
    MicroTile { rows, n, sum, accumulate: false, bias: false, relu: false }
}

/// Rows at equal distances.
fn even_rows(m: usize, a: i64, c: i64) -> Vec<RowOffset> {
    (0..m as i64).map(|row| RowOffset { a: row * a, c: row * c }).collect()
}

/// A block that fits the registers, of rows at any distances and a sum over 0 to 5 axes.
fn random_tile(isa: &dyn WideIsa, rng: &mut Sequence) -> MicroTile {
    let limits = isa.limits();
    let n = 1 + rng.below((limits.lanes * limits.rows.len()) as u32) as usize;
    let m = 1 + rng.below(limits.rows[n.div_ceil(limits.lanes) - 1] as u32) as usize;
    let mut rows = vec![RowOffset::default()];
    let forward = if rng.below(4) == 0 { -1 } else { 1 };
    for row in 1..m {
        let before = rows[row - 1];
        let a = before.a + i64::from(rng.below(60)) - 20;
        rows.push(RowOffset { a, c: before.c + forward * (n as i64 + i64::from(rng.below(9))) });
    }
    let axes = rng.below(6);
    let inner = 1 + axes.saturating_sub(1);
    let axis = |index| {
        let most = if index + 1 == axes { 45 / inner } else { 4 };
        let extent = if rng.below(30) == 0 { 0 } else { 1 + rng.below(most) as usize };
        let mut stride = |size: u32| i64::from(rng.below(size)) - i64::from(size / 4);
        SumAxis { extent, a: stride(24), b: stride(80) }
    };
    let sum = (0..axes).map(axis).collect();
    let mut flag = || rng.below(2) == 0;
    MicroTile { accumulate: flag(), bias: flag(), relu: flag(), ..plain(rows, n, sum) }
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
                let sum = vec![SumAxis { extent: 19, a: 1, b: n as i64 }];
                let mut flag = || rng.below(2) == 0;
                let (accumulate, bias, relu) = (flag(), flag(), flag());
                let tile = plain(even_rows(m, 19, n as i64 + 1), n, sum);
                tiles.push(MicroTile { accumulate, bias, relu, ..tile });
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
        let sum = vec![SumAxis { extent: 2, a: 1, b: 3 }, SumAxis { extent: 1, a: far, b: far }];
        let tile = plain(even_rows(1, far, far), 3, sum);
        let tile = MicroTile { accumulate: true, bias: true, ..tile };
        let (_module, code) = executable(&[encode(isa, &tile)]);
        compare(isa, &tile, code[0], &mut Sequence::new(3, 0), false);
        for isa in all() {
            let rows = even_rows(isa.limits().rows[0], far, far);
            let sum = vec![SumAxis { extent: 100, a: far, b: far }; 6];
            assert!(!encode(isa, &MicroTile { rows, sum, ..tile.clone() }).is_empty());
        }
    }
}

#[test]
fn strides_of_zero_repeat_an_element() {
    for isa in available() {
        let sum = vec![SumAxis { extent: 2, a: 0, b: 0 }, SumAxis { extent: 160, a: 0, b: 0 }];
        let tile = MicroTile { relu: true, ..plain(even_rows(2, 0, 4), 4, sum) };
        let (_module, code) = executable(&[encode(isa, &tile)]);
        compare(isa, &tile, code[0], &mut Sequence::new(4, 0), false);
    }
}

#[test]
#[should_panic(expected = "does not fit the registers")]
fn a_block_that_does_not_fit_is_refused() {
    encode(&Avx2, &plain(even_rows(13, 1, 8), 8, Vec::new()));
}
