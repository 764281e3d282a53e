//! How much a kernel does: its operations and the memory that it must touch, from its text alone.
//!
//! ```text
//! parts i0 in 0..4 { vector i1 in 0..8 { r0 = load s0[8*i0 + i1]; r1 = mul r0, r0; store … } }
//! →  32 operations, s0 32 elements read, s1 32 written
//! ```
//!
//! A count says nothing of time: an operation may be an addition or a logarithm.

use std::ops::Range;

use crate::base::entity::{Arena, Entity};
use crate::base::tensor::DType;
use crate::loops::footprint::footprints;
use crate::loops::program::{IfTest, Inst, Kernel, SlotId, Stmt, VarId};

/// The floating-point operations of a kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Those of its tiles, two for each product and sum.
    pub contraction: u64,
    /// All others: one for each function, sum or comparison of floats, two for an FMA.
    pub scalar: u64,
}

impl Operations {
    /// All of them.
    pub fn total(self) -> u64 {
        self.contraction + self.scalar
    }
}

/// Counts the operations of all threads together.
pub fn operations(kernel: &Kernel) -> Operations {
    let ranges = Arena::from_iter(kernel.vars.values().map(|&extent| 0..extent as u64));
    let mut count = Count { kernel, ranges, times: 1, found: Operations::default() };
    count.body(&kernel.body);
    count.found
}

struct Count<'a> {
    kernel: &'a Kernel,
    /// The values that each variable takes here.
    ranges: Arena<VarId, Range<u64>>,
    /// How often the statement is run.
    times: u64,
    found: Operations,
}

impl Count<'_> {
    fn body(&mut self, body: &[Stmt]) {
        for stmt in body {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Parts { var, body } | Stmt::For { var, body } => self.inside(*var, body),
            Stmt::Vector { var, body, reductions } => {
                self.inside(*var, body);
                let extent = self.kernel.vars[*var] as u64;
                self.found.scalar += self.times * extent * reductions.len() as u64;
            }
            // At most: the branch that does more.
            Stmt::If { test: IfTest::Holds(_), then, otherwise } => {
                let before = self.found;
                let [then, otherwise] = [then, otherwise].map(|body| {
                    self.found = before;
                    self.body(body);
                    self.found
                });
                self.found = if then.total() > otherwise.total() { then } else { otherwise };
            }
            Stmt::If { test: IfTest::Below(var, bound), then, otherwise } => {
                let range = self.ranges[*var].clone();
                let bound = (*bound as u64).clamp(range.start, range.end);
                self.branch(*var, range.start..bound, then);
                self.branch(*var, bound..range.end, otherwise);
            }
            Stmt::Let { inst, .. } => self.found.scalar += self.times * self.scalar(inst),
            Stmt::Store { .. } => {}
            Stmt::StoreAt { adds, .. } => self.found.scalar += self.times * u64::from(*adds),
            Stmt::Tile(tile) => {
                let products = tile.row_count() * tile.n * tile.product_count();
                self.found.contraction += 2 * self.times * products as u64;
            }
        }
    }

    fn inside(&mut self, var: VarId, body: &[Stmt]) {
        let times = self.times;
        self.times *= self.kernel.vars[var] as u64;
        self.body(body);
        self.times = times;
    }

    /// A branch that some of the values of a variable take.
    fn branch(&mut self, var: VarId, range: Range<u64>, body: &[Stmt]) {
        let all = self.ranges[var].end - self.ranges[var].start;
        if range.is_empty() {
            return;
        }
        let (times, outside) = (self.times, self.ranges[var].clone());
        self.times = times / all * (range.end - range.start);
        self.ranges[var] = range;
        self.body(body);
        (self.times, self.ranges[var]) = (times, outside);
    }

    fn scalar(&self, inst: &Inst) -> u64 {
        let is_float = |reg| u64::from(self.kernel.regs[reg] == DType::F32);
        match *inst {
            Inst::Unary(_, a) | Inst::Binary(_, a, _) => is_float(a),
            Inst::Select(_, a, _) => is_float(a),
            Inst::Fma(..) => 2,
            Inst::F32(_) | Inst::I32(_) | Inst::Bool(_) | Inst::Index(_) => 0,
            Inst::Load(_) | Inst::LoadAt { .. } | Inst::Checked { .. } => 0,
            Inst::Cast(..) | Inst::Uniform { .. } => 0,
        }
    }
}

/// The elements of each slot that a kernel reads, and those that it writes: an upper bound where
/// indices come from data.
pub fn touched(kernel: &Kernel) -> Arena<SlotId, [u64; 2]> {
    let found = footprints(kernel);
    let slot = |slot| [found.all_reads(slot), found.all_writes(slot)].map(|set| set.count());
    (0..kernel.slots.len()).map(SlotId::from_index).map(slot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loops::read::read;

    #[test]
    fn branches_loops_tiles_and_reductions_are_counted() {
        let program = read(
            r#"program "p" {
            kernel k0 "k" parts 5 (s0: f32[64], s1: f32[64]) {
                parts i0 in 0..5 {
                    if i0 < 4 {
                        tile n 4 {
                            row 2 a 3 c 4
                            sum 3 a 1 b 4
                            c = s1[8*i0]
                            a = s0[2*i0]
                            b = s0[20]
                        }
                    } else {
                        vector i1 in 0..7 {
                            r0: f32 = load s0[i1]
                            r1: f32 = fma r0, r0, r0
                            r2: f32 = exp r1
                        } reduce r3: f32 = sum r2
                        store s1[63] = r3
                    }
                }
            }
            step {} }"#,
        )
        .unwrap();
        let kernel = program.kernels.values().next().unwrap();
        let found = operations(kernel);
        assert_eq!(found, Operations { contraction: 4 * 2 * 24, scalar: 7 * 4 });
        let touched: Vec<[u64; 2]> = touched(kernel).values().copied().collect();
        assert_eq!(touched, [[12 + 12, 0], [0, 33]]);
    }
}
