//! How fast numbers move: `a[i] = b[i] + s·c[i]` over buffers much larger than any cache, and over
//! buffers that stay in each core's second-level cache, in compiled loops like those of steps.
//!
//! ```text
//! 3 × 32 MB, each element once   →  bytes a second from and to memory, of all threads together
//! 3 × 64 KB a thread, 64 times   →  bytes a second from and to L2
//! ```
//!
//! Bytes are counted as the loop names them: two numbers read and one written an element. That
//! processors read a line before they write part of it is not counted.

use crate::base::tensor::DType;
use crate::codegen::Target;
use crate::command::min_time::fastest;
use crate::loops::builder::KernelBuilder;
use crate::loops::{Action, Affine, Buffer, Inst, Planned, Program as Loops, SlotId, Space};
use crate::runtime::pool::Pool;

/// Bytes a second of all threads together.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// Between processors and memory.
    pub memory: f64,
    /// Between processors and their second-level caches.
    pub cache: f64,
}

/// Elements of each buffer in memory.
const LARGE: usize = 8 << 20;
/// Elements of each thread's buffer in L2: too many for L1, few enough for any L2.
const SMALL: usize = 16 << 10;
/// How often a step passes over the small ones.
const PASSES: usize = 64;

impl Streams {
    /// Measures both.
    pub fn measure(target: &Target, pool: &mut Pool) -> Streams {
        let threads = pool.threads();
        Streams {
            memory: rate(triad(threads, LARGE / threads, 1), target, pool),
            cache: rate(triad(threads, SMALL, PASSES), target, pool),
        }
    }
}

/// A program and how many bytes it moves.
type Counted = (Planned, usize);

fn rate((loops, bytes): Counted, target: &Target, pool: &mut Pool) -> f64 {
    bytes as f64 / fastest(&loops, target, pool)
}

/// `a = b + s·c` over `len` elements a part, `passes` times.
fn triad(parts: usize, len: usize, passes: usize) -> Counted {
    let mut kernel = KernelBuilder::new("triad", parts);
    let slots = [0; 3].map(|_| kernel.slot(DType::F32, parts * len));
    kernel.parts(|kernel, part| {
        kernel.serial(passes, |kernel, _| {
            let scale = kernel.f32(0.5);
            kernel.vector(len, |kernel, lane| {
                let at = Affine::var(part).times(len as i64).plus(&Affine::var(lane));
                let [b, c] = [slots[1], slots[2]].map(|slot: SlotId| kernel.load(slot, at.clone()));
                let sum = kernel.inst(Inst::Fma(scale, c, b));
                kernel.store(slots[0], at, sum);
            });
        });
    });
    let bytes = parts * len * DType::F32.size();
    let mut program = Loops { name: "triad".into(), ..Loops::default() };
    let args = ["a", "b", "c"].into_iter().enumerate().map(|(index, name)| {
        // A line more between buffers, so that they don't meet in the same sets of a cache.
        let offset = Some(index * (bytes + 1024).next_multiple_of(64));
        let (name, len) = (name.into(), parts * len);
        program.buffers.push(Buffer {
            name,
            dtype: DType::F32,
            len,
            space: Space::Pinned,
            offset,
            part: None,
        })
    });
    let args = args.collect();
    let kernel = program.kernels.push(kernel.finish());
    program.actions.push(Action::Run { kernel, args });
    (Planned::new(program).expect("the loops are sound"), 3 * bytes * passes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entity::Entity;

    #[test]
    fn the_bytes_of_the_loops_are_counted() {
        let (program, bytes) = triad(2, 100, 3);
        assert_eq!(bytes, 2 * 100 * 3 * 12);
        let kernel = &program.kernels[Entity::from_index(0)];
        let moved = crate::loops::work::touched(kernel);
        assert_eq!(moved.values().flatten().sum::<u64>() * 4 * 3, bytes as u64);
    }
}
