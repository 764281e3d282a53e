//! GFLOP/s of one core in contractions, beside what its FMA units do when they wait for nothing.
//!
//! `cargo bench --bench tiles` prints `Gelem/s`, where an element is one floating-point
//! operation: a row's share of `peak` is its share of what the core can do. Operands are as
//! training has them: a batch of activations, weights as they lie in a file.

use cranelift_codegen::ir::AbiParam;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::isa::CallConv;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use iced_x86::code_asm::{CodeAssembler, get_ymm, get_zmm, rdi};
use iced_x86::{IcedError, Register};
use nnc::base::entity::Entity;
use nnc::codegen::tile::{MicroTile, Region, WideIsa, cut, encode};
use nnc::loops::{Access, Affine, SlotId, Tile, TileOperand};

type Code = unsafe extern "sysv64" fn(*const f32, *const f32, *mut f32, *const f32);

/// FMAs in the body of the loop that measures the peak, and how often it runs.
const PEAK: (usize, usize) = (12, 20_000);

/// A contraction by name: `c[m, n] = Σ_k a[m, k]·b[k, n]`.
struct Shape {
    name: &'static str,
    m: usize,
    n: usize,
    k: usize,
    /// The left operand lies in memory as `[k, m]`: a weight gradient.
    transposed: bool,
}

const SHAPES: [Shape; 7] = [
    Shape { name: "forward 32×784×128", m: 32, n: 128, k: 784, transposed: false },
    Shape { name: "forward 32×128×10", m: 32, n: 10, k: 128, transposed: false },
    Shape { name: "gradient 784×32×128", m: 784, n: 128, k: 32, transposed: true },
    Shape { name: "forward 128×784×512", m: 128, n: 512, k: 784, transposed: false },
    Shape { name: "forward 128×512×512", m: 128, n: 512, k: 512, transposed: false },
    Shape { name: "gradient 784×128×512", m: 784, n: 512, k: 128, transposed: true },
    Shape { name: "square 512×512×512", m: 512, n: 512, k: 512, transposed: false },
];

impl Shape {
    fn tile(&self) -> Tile {
        let at = |slot| Access { slot: SlotId::from_index(slot), index: Affine::default() };
        let (row, inner) = if self.transposed { (1, self.m) } else { (self.k, 1) };
        Tile {
            m: self.m,
            n: self.n,
            k: self.k,
            outer: 1,
            a: TileOperand { base: at(0), row: row as i64, inner: inner as i64, outer: 0 },
            b: TileOperand { base: at(1), row: 0, inner: self.n as i64, outer: 0 },
            c: at(2),
            c_row: self.n as i64,
            accumulate: false,
            bias: (!self.transposed).then(|| at(3)),
            relu: !self.transposed,
        }
    }
}

/// The code of each block, made executable; freed with the module.
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
        // SAFETY: the bytes at `start` are a whole function that takes at most four pointers.
        unsafe { std::mem::transmute::<*const u8, Code>(start) }
    });
    let code = code.collect();
    (module, code)
}

/// A loop of FMAs that depend on nothing but themselves; `rdi` counts.
fn peak_code(isa: WideIsa) -> Result<Vec<u8>, IcedError> {
    let mut asm = CodeAssembler::new(64)?;
    let mut next = asm.create_label();
    asm.set_label(&mut next)?;
    for number in 0..PEAK.0 as u32 {
        match isa {
            WideIsa::Avx512 => {
                let [sum, factor] = [number, 31].map(|n| get_zmm(Register::ZMM0 + n).expect("zmm"));
                asm.vfmadd231ps(sum, factor, factor)?;
            }
            WideIsa::Avx2 => {
                let [sum, factor] = [number, 15].map(|n| get_ymm(Register::YMM0 + n).expect("ymm"));
                asm.vfmadd231ps(sum, factor, factor)?;
            }
        }
    }
    asm.dec(rdi)?;
    asm.jne(next)?;
    asm.vzeroupper()?;
    asm.ret()?;
    asm.assemble(0)
}

/// Runs every block of a region, as the loops of compiled code do.
fn run(region: &Region, code: Code, tile: &Tile, [a, b, c, bias]: [&mut [f32]; 4]) {
    let (rows, columns) = (region.rows, region.columns);
    let (outer, inner) = match region.columns_outermost {
        true => (columns.count, rows.count),
        false => (rows.count, columns.count),
    };
    for x in 0..outer {
        for y in 0..inner {
            let (row, column) = if region.columns_outermost { (y, x) } else { (x, y) };
            let i = rows.start + row * rows.size;
            let j = columns.start + column * columns.size;
            // SAFETY: the block at (i, j) lies in the tile, whose operands have their full sizes.
            unsafe {
                code(
                    a.as_ptr().add(i * tile.a.row as usize),
                    b.as_ptr().add(j),
                    c.as_mut_ptr().add(i * tile.c_row as usize + j),
                    bias.as_ptr().add(j),
                );
            }
        }
    }
}

fn bench_shape(criterion: &mut Criterion, isa: WideIsa, shape: &Shape) {
    let tile = shape.tile();
    let regions = cut(isa, &tile).regions;
    let blocks = regions
        .iter()
        .map(|region| encode(isa, &MicroTile::of(&tile, region.rows.size, region.columns.size)));
    let (_module, code) = executable(&blocks.collect::<Vec<_>>());
    let mut a = vec![0.5; shape.m * shape.k];
    let mut b = vec![0.25; shape.k * shape.n];
    let mut c = vec![0.0; shape.m * shape.n];
    let mut bias = vec![0.0; shape.n];
    let mut group = criterion.benchmark_group(format!("{isa:?}"));
    group.throughput(Throughput::Elements((2 * shape.m * shape.n * shape.k) as u64));
    group.bench_function(shape.name, |bencher| {
        bencher.iter(|| {
            for (region, &code) in regions.iter().zip(&code) {
                run(region, code, &tile, [&mut a, &mut b, &mut c, &mut bias]);
            }
        });
    });
}

fn bench_peak(criterion: &mut Criterion, isa: WideIsa) {
    let (_module, code) = executable(&[peak_code(isa).expect("plain instructions")]);
    let mut group = criterion.benchmark_group(format!("{isa:?}"));
    group.throughput(Throughput::Elements((2 * isa.limits().lanes * PEAK.0 * PEAK.1) as u64));
    group.bench_function("peak", |bencher| {
        // SAFETY: the code takes a count in its first argument and touches no memory.
        bencher.iter(|| unsafe {
            let count = std::ptr::without_provenance(PEAK.1);
            code[0](count, std::ptr::null(), std::ptr::null_mut(), std::ptr::null());
        });
    });
}

fn tiles(criterion: &mut Criterion) {
    for isa in WideIsa::ALL {
        let here = match isa {
            WideIsa::Avx512 => is_x86_feature_detected!("avx512f"),
            WideIsa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        };
        if here {
            bench_peak(criterion, isa);
            SHAPES.iter().for_each(|shape| bench_shape(criterion, isa, shape));
            bench_peak(criterion, isa);
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = tiles
}
criterion_main!(benches);
