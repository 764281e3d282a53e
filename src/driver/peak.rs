//! The FMA peak that all threads reach together: products whose operands stay in the nearest
//! cache, on the same tiles, pool and target as the step that is compared with it.

use crate::base::tensor::DType;
use crate::codegen::Target;
use crate::loops::builder::KernelBuilder;
use crate::loops::{Access, Action, Affine, Buffer, Program as Loops, Space, Tile, TileOperand};
use crate::runtime::pool::Pool;
use crate::runtime::program::{Memory, Program, StepArgs};
use std::time::{Duration, Instant};

/// Rows of a part's product: whole blocks of registers on every instruction set.
const ROWS: usize = 84;
/// Columns of a part's product.
const COLUMNS: usize = 32;
/// Products a sum: long, so that stores and calls do not show.
const DEPTH: usize = 4096;
/// Parts for each thread.
const PARTS: usize = 2;
/// How long it is looked for; the fastest step counts, since nothing runs faster than the peak.
const LOOK: Duration = Duration::from_millis(200);

/// Operations a second (two for each product and sum) of all threads of a pool.
pub fn fma_peak(target: &Target, pool: &mut Pool) -> f64 {
    let parts = PARTS * pool.threads();
    let program = Program::compile(products(parts), target);
    let mut memory = Memory::for_programs([&program], pool.threads());
    let flops = (2 * parts * ROWS * COLUMNS * DEPTH) as f64;
    let mut fastest = f64::INFINITY;
    let begin = Instant::now();
    while begin.elapsed() < LOOK {
        let args = StepArgs { step: 1, seed: 0, hypers: &[] };
        let start = Instant::now();
        program.run(&mut memory, pool, &args).expect("no index comes from data");
        fastest = fastest.min(start.elapsed().as_secs_f64());
    }
    flops / fastest
}

/// A program of equal products, one a part: every step of a sum reads the same few numbers.
fn products(parts: usize) -> Loops {
    let size = ROWS * COLUMNS;
    let mut kernel = KernelBuilder::new("peak", parts);
    let a = kernel.slot(DType::F32, ROWS);
    let b = kernel.slot(DType::F32, COLUMNS);
    let c = kernel.slot(DType::F32, parts * size);
    let at = |slot, index| Access { slot, index };
    kernel.parts(|kernel, part| {
        kernel.tile(Tile {
            m: ROWS,
            n: COLUMNS,
            k: DEPTH,
            outer: 1,
            a: TileOperand { base: at(a, Affine::default()), row: 1, inner: 0, outer: 0 },
            b: TileOperand { base: at(b, Affine::default()), row: 0, inner: 0, outer: 0 },
            c: at(c, Affine::var(part).times(size as i64)),
            c_row: COLUMNS as i64,
            accumulate: false,
            bias: None,
            relu: false,
        });
    });
    let mut program = Loops { name: "peak".into(), ..Loops::default() };
    let mut offset = 0;
    let mut buffer = |name: &str, len: usize| {
        const ALIGNMENT: usize = 64;
        let at = offset;
        offset += (len * DType::F32.size()).next_multiple_of(ALIGNMENT);
        program.buffers.push(Buffer {
            name: name.into(),
            dtype: DType::F32,
            len,
            space: Space::Pinned,
            offset: Some(at),
        })
    };
    let args = vec![buffer("a", ROWS), buffer("b", COLUMNS), buffer("c", parts * size)];
    let kernel = program.kernels.push(kernel.finish());
    program.actions.push(Action::Run { kernel, args });
    program
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loops::verify::verify;

    #[test]
    fn the_products_are_a_sound_program() {
        assert_eq!(verify(&products(4)), Ok(()));
    }
}
