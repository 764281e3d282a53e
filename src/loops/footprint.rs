//! Which elements a kernel touches: for each part and slot, what is read and what is written.
//!
//! ```text
//! parts i0 in 0..4 { vector i1 in 0..8 { r0 = load s0[8*i0 + i1]; store s1[i0 + 4*i1] = r0 } }
//! part 1:  reads s0 {8..16}   writes s1 {1..2, 5..6, 9..10, …}
//! ```
//!
//! Two kernels need a barrier between them where a part of one touches what another part of the
//! other writes; this is where that is known from. Where the index comes from data, all that it
//! may name counts. A branch that no value of the variable takes touches nothing.

use std::ops::Range;

use crate::base::entity::{Arena, Entity};
use crate::loops::intervals::IntervalSet;
use crate::loops::program::{Access, Affine, IfTest, Inst, Kernel, RegId, SlotId, Stmt, VarId};
use crate::loops::tile::Tile;

/// The elements that each part of a kernel reads and writes. A kernel without parts has one
/// footprint, which holds for every thread.
#[derive(Clone, Debug)]
pub struct Footprints {
    parts: Vec<Touched>,
    all: Touched,
}

/// Reads and writes, one interval set a slot.
#[derive(Clone, Debug)]
struct Touched {
    reads: Vec<IntervalSet>,
    writes: Vec<IntervalSet>,
}

impl Footprints {
    /// How many parts; at least one.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// The elements of a slot that a part reads.
    pub fn reads(&self, part: usize, slot: SlotId) -> &IntervalSet {
        &self.parts[part].reads[slot.index()]
    }

    /// The elements of a slot that a part writes.
    pub fn writes(&self, part: usize, slot: SlotId) -> &IntervalSet {
        &self.parts[part].writes[slot.index()]
    }

    /// The elements of a slot that some part reads.
    pub fn all_reads(&self, slot: SlotId) -> &IntervalSet {
        &self.all.reads[slot.index()]
    }

    /// The elements of a slot that some part writes.
    pub fn all_writes(&self, slot: SlotId) -> &IntervalSet {
        &self.all.writes[slot.index()]
    }
}

/// The footprints of a kernel, which must have passed the verifier.
pub fn footprints(kernel: &Kernel) -> Footprints {
    let mut walk = Walk {
        kernel,
        ranges: Arena::from_iter(kernel.vars.values().map(|&extent| 0..extent as i64)),
        bounds: Arena::from_iter(kernel.regs.values().map(|_| None)),
        part: None,
        touches: Vec::new(),
    };
    walk.body(&kernel.body);
    walk.finish()
}

/// The numbers `start + Σ stride·i` of [`IntervalSet::lattice`]: the start and each stride and count.
type Lattice = (i64, Vec<(i64, usize)>);

/// Elements that some accesses touch together: the same set for each part, shifted by `step`.
struct Touch {
    slot: SlotId,
    /// For a part variable of 0.
    set: IntervalSet,
    /// The lattices that `set` is made of.
    lattices: Vec<Lattice>,
    /// How far the set moves from part to part.
    step: i64,
    /// The parts that get there.
    parts: Range<i64>,
    write: bool,
}

impl Touch {
    /// Adds the elements of a lattice, which many accesses may share.
    fn add(&mut self, lattice: Lattice) {
        if !self.lattices.contains(&lattice) {
            self.set = self.set.union(&IntervalSet::lattice(lattice.0, &lattice.1));
            self.lattices.push(lattice);
        }
    }

    /// The union over parts `first..first + count`.
    fn spread(&self, first: i64, count: i64) -> IntervalSet {
        let Touch { set, step, .. } = self;
        match set.intervals() {
            [] => IntervalSet::new(),
            [only] if set.exact() => {
                let width = (only.end - only.start) as usize;
                let dims = [(1, width), (*step, count as usize)];
                IntervalSet::lattice(only.start + step * first, &dims)
            }
            _ if *step == 0 => set.clone(),
            _ => self.spread_lattices(first, count).unwrap_or_else(|| {
                IntervalSet::joined((first..first + count).map(|index| set.shifted(step * index)))
            }),
        }
    }

    /// The same from the lattices, of which each has one dimension more, where that is exact: the
    /// parts' rows often fill the gaps between each other's, and nothing is counted out.
    fn spread_lattices(&self, first: i64, count: i64) -> Option<IntervalSet> {
        if !self.set.exact() {
            return None;
        }
        let mut all = IntervalSet::new();
        for (start, dims) in &self.lattices {
            let dims = [&dims[..], &[(self.step, count as usize)]].concat();
            let moved = IntervalSet::lattice(start + self.step * first, &dims);
            if !moved.exact() {
                return None;
            }
            all = all.union(&moved);
        }
        Some(all)
    }
}

struct Walk<'a> {
    kernel: &'a Kernel,
    /// The values that each variable takes here.
    ranges: Arena<VarId, Range<i64>>,
    /// One past the largest value of a tested index.
    bounds: Arena<RegId, Option<usize>>,
    /// The part variable, inside of it.
    part: Option<VarId>,
    touches: Vec<Touch>,
}

impl Walk<'_> {
    fn body(&mut self, body: &[Stmt]) {
        for stmt in body {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Parts { var, body } => {
                self.part = Some(*var);
                self.body(body);
                self.part = None;
            }
            Stmt::For { body, .. } | Stmt::Vector { body, .. } => self.body(body),
            Stmt::If { test: IfTest::Holds(_), then, otherwise } => {
                self.body(then);
                self.body(otherwise);
            }
            Stmt::If { test: IfTest::Below(var, bound), then, otherwise } => {
                let range = self.ranges[*var].clone();
                let bound = *bound as i64;
                self.branch(*var, range.start..range.end.min(bound), then);
                self.branch(*var, range.start.max(bound)..range.end, otherwise);
                self.ranges[*var] = range;
            }
            Stmt::Let { reg, inst } => self.inst(*reg, inst),
            Stmt::Store { access, .. } => self.touch(access, &[], true),
            Stmt::StoreAt { adds, base, index, stride, .. } => {
                let dims = self.indexed(*index, *stride, base.slot);
                if *adds {
                    self.touch(base, &dims, false);
                }
                self.touch(base, &dims, true);
            }
            Stmt::Tile(tile) => self.tile(tile),
        }
    }

    fn branch(&mut self, var: VarId, range: Range<i64>, body: &[Stmt]) {
        if !range.is_empty() {
            self.ranges[var] = range;
            self.body(body);
        }
    }

    fn inst(&mut self, reg: RegId, inst: &Inst) {
        match inst {
            Inst::Load(access) => self.touch(access, &[], false),
            Inst::LoadAt { base, index, stride } => {
                let dims = self.indexed(*index, *stride, base.slot);
                self.touch(base, &dims, false);
            }
            Inst::Checked { bound, .. } => self.bounds[reg] = Some(*bound),
            Inst::F32(_) | Inst::I32(_) | Inst::Bool(_) | Inst::Index(_) => {}
            Inst::Unary(..) | Inst::Binary(..) | Inst::Select(..) | Inst::Fma(..) => {}
            Inst::Cast(..) | Inst::Uniform { .. } => {}
        }
    }

    /// The dimension of an index from data.
    fn indexed(&self, index: RegId, stride: i64, slot: SlotId) -> [(i64, usize); 1] {
        [(stride, self.bounds[index].unwrap_or(self.kernel.slots[slot].len))]
    }

    fn tile(&mut self, tile: &Tile) {
        self.touch(&tile.a, &tile.a_dims(), false);
        self.touch(&tile.b, &tile.b_dims(), false);
        if let Some(bias) = &tile.bias {
            self.touch(bias, &[(1, tile.n)], false);
        }
        if tile.accumulate {
            self.touch(&tile.c, &tile.c_dims(), false);
        }
        self.touch(&tile.c, &tile.c_dims(), true);
    }

    /// Records an access and the dimensions that it has of its own.
    fn touch(&mut self, access: &Access, own: &[(i64, usize)], write: bool) {
        let Affine { offset, terms } = &access.index;
        let mut start = *offset;
        let mut dims = own.to_vec();
        let mut step = 0;
        for &(var, factor) in terms {
            if Some(var) == self.part {
                step = factor;
            } else {
                let range = &self.ranges[var];
                start += factor * range.start;
                dims.push((factor, (range.end - range.start).max(0) as usize));
            }
        }
        let parts = self.part.map_or(0..i64::MAX, |part| self.ranges[part].clone());
        let slot = access.slot;
        let moves_alike = |known: &Touch| {
            (known.slot, known.write, known.step, &known.parts) == (slot, write, step, &parts)
        };
        let known = self.touches.iter().position(moves_alike).unwrap_or_else(|| {
            let (set, lattices) = (IntervalSet::new(), Vec::new());
            self.touches.push(Touch { slot, set, lattices, step, parts, write });
            self.touches.len() - 1
        });
        self.touches[known].add((start, dims));
    }

    fn finish(self) -> Footprints {
        let slots = self.kernel.slots.len();
        let nothing = Touched {
            reads: vec![IntervalSet::new(); slots],
            writes: vec![IntervalSet::new(); slots],
        };
        let mut parts = vec![nothing.clone(); self.kernel.parts.max(1)];
        let mut all = nothing;
        for touch in &self.touches {
            let count = parts.len() as i64;
            for index in touch.parts.start..touch.parts.end.min(count) {
                let set = touch.set.shifted(touch.step * index);
                let known = parts[index as usize].of(touch);
                *known = known.union(&set);
            }
            // The parts together: one dimension more.
            let taking = touch.parts.end.min(count) - touch.parts.start;
            let moved = touch.spread(touch.parts.start, taking);
            let known = all.of(touch);
            *known = known.union(&moved);
        }
        Footprints { parts, all }
    }
}

impl Touched {
    fn of(&mut self, touch: &Touch) -> &mut IntervalSet {
        let sets = if touch.write { &mut self.writes } else { &mut self.reads };
        &mut sets[touch.slot.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tensor::DType;
    use crate::loops::builder::KernelBuilder;
    use crate::loops::intervals::work;
    use crate::loops::read::read;

    fn sets(text: &str) -> Footprints {
        let text = format!("program \"p\" {{ {text} step {{}} }}");
        let program = read(&text).unwrap();
        footprints(program.kernels.values().next().unwrap())
    }

    #[test]
    fn parts_branches_tiles_and_indices_from_data() {
        let found = sets(
            r#"kernel k0 "k" parts 3 (s0: f32[64], s1: f32[64], s2: i32[3]) {
                parts i0 in 0..3 {
                    if i0 < 2 {
                        tile n 4 {
                            row 2 a 3 c 8
                            sum 3 a 1 b 4
                            c += s1[8*i0]
                            a = s0[2*i0]
                            b = s0[20]
                        }
                    } else {
                        r0: i32 = load s2[i0]
                        r1: i32 = checked r0 < 5 site 0 element i0
                        r2: f32 = load s0[40] at r1*2
                        store s1[40] = r2
                    }
                }
            }"#,
        );
        let slots: Vec<SlotId> = (0..3).map(SlotId::from_index).collect();
        let read = |part, slot: usize| found.reads(part, slots[slot]).to_string();
        let written = |part, slot: usize| found.writes(part, slots[slot]).to_string();
        assert_eq!(read(1, 0), "{2..8, 20..32}");
        assert_eq!((read(0, 1), written(0, 1)), ("{0..4, 8..12}".into(), "{0..4, 8..12}".into()));
        assert_eq!((read(1, 2), read(2, 2)), ("{}".into(), "{2..3}".into()));
        assert_eq!(read(2, 0), "{40..41, 42..43, 44..45, 46..47, 48..49}");
        assert_eq!(written(2, 1), "{40..41}");
        assert_eq!(found.all_writes(slots[1]).to_string(), "{0..4, 8..12, 16..20, 40..41}");
    }

    /// Every access counted out one by one gives the same sets.
    #[test]
    fn footprints_are_what_counting_gives() {
        let mut b = KernelBuilder::new("transpose", 4);
        let (x, y) = (b.slot(DType::F32, 96), b.slot(DType::F32, 96));
        b.parts(|b, part| {
            b.serial(3, |b, row| {
                b.vector(8, |b, lane| {
                    let from = Affine::var(part).times(24).plus(&Affine::var(row).times(8));
                    let value = b.load(x, from.plus(&Affine::var(lane)));
                    let to = Affine::var(part).times(3).plus(&Affine::var(row));
                    b.store(y, to.plus(&Affine::var(lane).times(12)), value);
                });
            });
        });
        let found = footprints(&b.finish());
        for part in 0..4i64 {
            let mut written = Vec::new();
            for lane in 0..8 {
                written.extend((0..3).map(|row| 3 * part + row + 12 * lane));
            }
            let set = found.writes(part as usize, y);
            assert_eq!(set.intervals().iter().cloned().flatten().collect::<Vec<_>>(), written);
            assert_eq!(found.reads(part as usize, x), &IntervalSet::of(24 * part..24 * part + 24));
        }
        assert_eq!(found.all_writes(y), &IntervalSet::of(0..96));
        assert!(!found.writes(0, y).intersects(found.writes(1, y)));
    }

    #[test]
    fn strided_columns_of_a_large_matrix_take_little_work() {
        let mut b = KernelBuilder::new("transpose", 32);
        let (x, y) = (b.slot(DType::F32, 512 * 512), b.slot(DType::F32, 512 * 512));
        b.parts(|b, part| {
            b.serial(16, |b, row| {
                b.vector(512, |b, lane| {
                    let row = Affine::var(part).times(16).plus(&Affine::var(row));
                    let value = b.load(x, row.times(512).plus(&Affine::var(lane)));
                    b.store(y, Affine::var(lane).times(512).plus(&row), value);
                });
            });
        });
        let kernel = b.finish();
        let (found, work) = work::of(|| footprints(&kernel));
        assert_eq!(found.writes(31, y).intervals().len(), 512);
        assert_eq!(found.all_writes(y), &IntervalSet::of(0..512 * 512));
        // Each part's 512 intervals a few times, not each of its 8,192 elements.
        assert!(work <= 4 * 32 * 512, "{work} intervals");
    }
}
