//! The FMA peak that all threads reach together: products whose operands stay in the nearest
//! cache, on the same tiles, pool and target as the step that is compared with it.

use crate::base::tensor::DType;
use crate::codegen::Target;
use crate::command::min_time::fastest;
use crate::loops::builder::KernelBuilder;
use crate::loops::{
    Access, Action, Affine, Buffer, Planned, Program as Loops, RowAxis, Space, SumAxis, Tile,
};
use crate::runtime::pool::Pool;

/// Rows of a part's product: whole blocks of registers on every instruction set.
const ROWS: usize = 84;
/// Columns of a part's product.
const COLUMNS: usize = 32;
/// Products a sum: long, so that stores and calls do not show.
const DEPTH: usize = 4096;
/// Parts for each thread.
const PARTS: usize = 2;

/// Operations a second (two for each product and sum) of all threads of a pool.
pub fn fma_peak(target: &Target, pool: &mut Pool) -> f64 {
    let parts = PARTS * pool.threads();
    let flops = (2 * parts * ROWS * COLUMNS * DEPTH) as f64;
    flops / fastest(&products(parts), target, pool)
}

/// A program of equal products, one a part: every step of a sum reads the same few numbers.
fn products(parts: usize) -> Planned {
    let size = ROWS * COLUMNS;
    let mut kernel = KernelBuilder::new("peak", parts);
    let a = kernel.slot(DType::F32, ROWS);
    let b = kernel.slot(DType::F32, COLUMNS);
    let c = kernel.slot(DType::F32, parts * size);
    let at = |slot, index| Access { slot, index };
    kernel.parts(|kernel, part| {
        kernel.tile(Tile {
            rows: vec![RowAxis { extent: ROWS, a: 1, c: COLUMNS as i64 }],
            n: COLUMNS,
            sum: vec![SumAxis { extent: DEPTH, a: 0, b: 0 }],
            a: at(a, Affine::default()),
            b: at(b, Affine::default()),
            c: at(c, Affine::var(part).times(size as i64)),
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
            part: None,
        })
    };
    let args = vec![buffer("a", ROWS), buffer("b", COLUMNS), buffer("c", parts * size)];
    let kernel = program.kernels.push(kernel.finish());
    program.actions.push(Action::Run { kernel, args });
    Planned::new(program).expect("the products are sound")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_a_product() {
        assert_eq!(products(4).kernels.values().map(|kernel| kernel.parts).sum::<usize>(), 4);
    }
}
