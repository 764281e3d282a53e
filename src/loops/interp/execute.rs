//! Runs one kernel for one thread.

use crate::base::entity::Arena;
use crate::base::math::{Float32, Scalar, flush};
use crate::base::rng::{element_word, unit_f32};
use crate::base::scalar::Reduce;
use crate::base::tensor::DType;
use crate::loops::interp::memory::{BufferPlace, ProgramMemory, THREADS};
use crate::loops::interp::scalar::{Word, binary, cast, combine, neutral, unary};
use crate::loops::interp::trace::{self, AccessId, Conflict};
use crate::loops::interp::{InterpArgs, StepFailure, StepRun, ThreadAccess, buffer_name};
use crate::loops::program::{
    Affine, BufferId, IfTest, Inst, Kernel, Program, Reduction, RegId, SlotId, Space, Stmt, VarId,
};
use crate::loops::tile::Tile;

/// Which thread of how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) thread: usize,
    pub(super) threads: usize,
}

/// The first bad index of a thread: site and element.
pub(super) type FaultWord = Option<(u32, i64)>;

/// Runs a thread's share of a kernel.
pub(super) fn run(
    program: &Program,
    run: &StepRun<'_>,
    memory: &mut ProgramMemory,
    step: &InterpArgs,
    share: Share,
    fault: &mut FaultWord,
) -> Result<(), StepFailure> {
    let id = run.kernel;
    let kernel = &program.kernels[id];
    let bindings = run
        .args
        .iter()
        .map(|&buffer| {
            let mut place = memory.places[buffer];
            if let Some(part) = program.buffers[buffer].part {
                place.start += run.slice * part.stride * place.dtype.size();
            }
            let buffer = program.whole(buffer);
            if place.space == Space::Thread {
                place.block = THREADS + share.thread;
            }
            let access = trace::TracedAccess { thread: share.thread, kernel: id, buffer };
            SlotBinding { place, buffer, access: memory.accesses.number(access) }
        })
        .collect();
    let mut thread = Thread {
        program,
        kernel,
        bindings,
        vars: Arena::from_iter(kernel.vars.values().map(|_| 0)),
        regs: Arena::from_iter(kernel.regs.values().map(|_| 0)),
        memory,
        step,
        share,
        fault,
    };
    thread.body(&kernel.body)
}

/// The buffer that a slot is bound to in the current run.
#[derive(Clone, Copy)]
struct SlotBinding {
    place: BufferPlace,
    buffer: BufferId,
    access: AccessId,
}

struct Thread<'a> {
    program: &'a Program,
    kernel: &'a Kernel,
    bindings: Arena<SlotId, SlotBinding>,
    vars: Arena<VarId, i64>,
    regs: Arena<RegId, Word>,
    memory: &'a mut ProgramMemory,
    step: &'a InterpArgs,
    share: Share,
    fault: &'a mut FaultWord,
}

impl Thread<'_> {
    fn body(&mut self, body: &[Stmt]) -> Result<(), StepFailure> {
        body.iter().try_for_each(|stmt| self.stmt(stmt))
    }

    fn stmt(&mut self, stmt: &Stmt) -> Result<(), StepFailure> {
        match stmt {
            Stmt::Parts { var, body } => {
                let Share { thread, threads } = self.share;
                let parts = self.kernel.parts;
                for part in parts * thread / threads..parts * (thread + 1) / threads {
                    self.vars[*var] = part as i64;
                    self.body(body)?;
                }
            }
            Stmt::For { var, body } => {
                for value in 0..self.kernel.vars[*var] {
                    self.vars[*var] = value as i64;
                    self.body(body)?;
                }
            }
            Stmt::Vector { var, body, reductions } => self.vector(*var, body, reductions)?,
            Stmt::If { test, then, otherwise } => {
                let holds = match *test {
                    IfTest::Below(var, bound) => self.vars[var] < bound as i64,
                    IfTest::Holds(condition) => self.regs[condition] != 0,
                };
                self.body(if holds { then } else { otherwise })?;
            }
            Stmt::Let { reg, inst } => self.regs[*reg] = self.inst(inst)?,
            Stmt::Store { access, value } => {
                let index = self.affine(&access.index);
                self.store(access.slot, index, self.regs[*value])?;
            }
            Stmt::StoreAt { adds, base, index, stride, value } => {
                let index = self.affine(&base.index) + stride * i64::from(self.regs[*index] as i32);
                let mut value_there = self.regs[*value];
                if *adds {
                    let dtype = self.kernel.regs[*value];
                    let known = self.load(base.slot, index)?;
                    value_there = combine(Reduce::Sum, dtype, known, value_there);
                }
                self.store(base.slot, index, value_there)?;
            }
            Stmt::Tile(tile) => self.tile(tile)?,
        }
        Ok(())
    }

    fn vector(
        &mut self,
        var: VarId,
        body: &[Stmt],
        reductions: &[Reduction],
    ) -> Result<(), StepFailure> {
        let dtypes = reductions.iter().map(|reduction| self.kernel.regs[reduction.reg]);
        let mut lanes: Vec<(DType, [Word; 16])> = dtypes
            .zip(reductions)
            .map(|(dtype, reduction)| (dtype, [neutral(reduction.op, dtype); 16]))
            .collect();
        for value in 0..self.kernel.vars[var] {
            self.vars[var] = value as i64;
            self.body(body)?;
            for (reduction, (dtype, lanes)) in reductions.iter().zip(&mut lanes) {
                let lane = &mut lanes[value % 16];
                *lane = combine(reduction.op, *dtype, *lane, self.regs[reduction.value]);
            }
        }
        for (reduction, (dtype, mut lanes)) in reductions.iter().zip(lanes) {
            for half in [8, 4, 2, 1] {
                for lane in 0..half {
                    let (a, b) = (lanes[lane], lanes[lane + half]);
                    lanes[lane] = combine(reduction.op, dtype, a, b);
                }
            }
            self.regs[reduction.reg] = lanes[0];
        }
        Ok(())
    }

    fn inst(&mut self, inst: &Inst) -> Result<Word, StepFailure> {
        let dtype = |reg: &RegId| self.kernel.regs[*reg];
        let value = |reg: &RegId| self.regs[*reg];
        Ok(match inst {
            Inst::F32(number) => number.to_bits(),
            Inst::I32(number) => *number as Word,
            Inst::Bool(truth) => Word::from(*truth),
            Inst::Index(index) => self.affine(index) as Word,
            Inst::Load(access) => {
                let index = self.affine(&access.index);
                self.load(access.slot, index)?
            }
            Inst::LoadAt { base, index, stride } => {
                let index = self.affine(&base.index) + stride * i64::from(value(index) as i32);
                self.load(base.slot, index)?
            }
            Inst::Checked { index, bound, site, element } => {
                let index = value(index);
                if (index as i32) >= 0 && (index as usize) < *bound {
                    return Ok(index);
                }
                let element = self.affine(element);
                self.fault.get_or_insert((*site, element));
                0
            }
            Inst::Unary(op, a) => unary(*op, dtype(a), value(a)),
            Inst::Binary(op, a, b) => binary(*op, dtype(a), value(a), value(b)),
            Inst::Select(condition, a, b) => value(if value(condition) != 0 { a } else { b }),
            Inst::Fma(a, b, c) => {
                let [a, b, c] = [a, b, c].map(|reg| f32::from_bits(value(reg)));
                Scalar.fma(a, b, c).to_bits()
            }
            Inst::Cast(to, a) => cast(dtype(a), *to, value(a)),
            Inst::Uniform { stream, element } => {
                let element = self.affine(element) as usize;
                let word = element_word(self.step.seed, self.step.step, *stream, element);
                unit_f32(word).to_bits()
            }
        })
    }

    fn affine(&self, affine: &Affine) -> i64 {
        let terms = affine.terms.iter().map(|&(var, factor)| factor * self.vars[var]);
        affine.offset + terms.sum::<i64>()
    }

    /// The block and bytes of an element.
    fn bytes(&self, slot: SlotId, index: i64) -> (usize, std::ops::Range<usize>) {
        let place = self.bindings[slot].place;
        let index = usize::try_from(index).expect("an index that the verifier has seen");
        assert!(index < place.len, "element {index} of {slot}, which has {}", place.len);
        let start = place.start + index * place.dtype.size();
        (place.block, start..start + place.dtype.size())
    }

    fn load(&mut self, slot: SlotId, index: i64) -> Result<Word, StepFailure> {
        let (block, range) = self.bytes(slot, index);
        let SlotBinding { buffer, access, .. } = self.bindings[slot];
        let traced = self.memory.blocks[block].trace.read(range.clone(), buffer, access);
        traced.map_err(|conflict| self.failure(access, conflict))?;
        let bytes = &self.memory.blocks[block].bytes[range];
        Ok(match self.bindings[slot].place.dtype {
            DType::F32 | DType::I32 => Word::from_ne_bytes(bytes.try_into().expect("4 bytes")),
            DType::U8 => Word::from(bytes[0]),
            DType::Bool => Word::from(bytes[0] != 0),
            DType::F64 => unreachable!("an f64 buffer: the verifier lets none through"),
        })
    }

    fn store(&mut self, slot: SlotId, index: i64, value: Word) -> Result<(), StepFailure> {
        let (block, range) = self.bytes(slot, index);
        let SlotBinding { buffer, access, .. } = self.bindings[slot];
        let traced = self.memory.blocks[block].trace.write(range.clone(), buffer, access);
        traced.map_err(|conflict| self.failure(access, conflict))?;
        let bytes = &mut self.memory.blocks[block].bytes[range];
        match bytes.len() {
            1 => bytes[0] = value as u8,
            _ => bytes.copy_from_slice(&value.to_ne_bytes()),
        }
        Ok(())
    }

    fn failure(&self, access: AccessId, conflict: Conflict) -> StepFailure {
        let touch = |number: AccessId| {
            let access = self.memory.accesses.get(number);
            let (thread, id) = (access.thread, access.kernel);
            let kernel = format!("{id} {}", self.program.kernels[id].name);
            ThreadAccess { thread, kernel, buffer: buffer_name(self.program, access.buffer) }
        };
        match conflict {
            Conflict::Race { write, other } => {
                StepFailure::Race { write: touch(write), other: touch(other) }
            }
            Conflict::Clobbered(owner) => StepFailure::Clobbered {
                read: touch(access),
                owner: owner.map(|owner| buffer_name(self.program, owner)),
            },
        }
    }

    /// Loads `n` neighbours, denormals as zero.
    fn neighbours(&mut self, slot: SlotId, first: i64, n: usize) -> Result<Vec<f32>, StepFailure> {
        let element = |at| self.load(slot, at).map(|word| flush(f32::from_bits(word)));
        (first..first + n as i64).map(element).collect()
    }

    fn tile(&mut self, tile: &Tile) -> Result<(), StepFailure> {
        let [a, b, c] = [&tile.a, &tile.b, &tile.c].map(|access| self.affine(&access.index));
        let (rows, n) = (tile.row_offsets(), tile.n);
        let mut sums = vec![0.0f32; rows.len() * n];
        if tile.accumulate {
            for (sums, [_, row]) in sums.chunks_exact_mut(n).zip(&rows) {
                sums.copy_from_slice(&self.neighbours(tile.c.slot, c + row, n)?);
            }
        }
        for [left, right] in tile.sum_offsets() {
            let right = self.neighbours(tile.b.slot, b + right, n)?;
            for (sums, [row, _]) in sums.chunks_exact_mut(n).zip(&rows) {
                let factor = self.neighbours(tile.a.slot, a + row + left, 1)?[0];
                for (sum, &value) in sums.iter_mut().zip(&right) {
                    *sum = Scalar.fma(factor, value, *sum);
                }
            }
        }
        if let Some(bias) = &tile.bias {
            let first = self.affine(&bias.index);
            let bias = self.neighbours(bias.slot, first, n)?;
            for row in sums.chunks_exact_mut(n) {
                for (sum, &value) in row.iter_mut().zip(&bias) {
                    *sum = Scalar.add(*sum, value);
                }
            }
        }
        for (sums, [_, row]) in sums.chunks_exact(n).zip(&rows) {
            for (element, &sum) in (c + row..).zip(sums) {
                let value = if !tile.relu || Scalar.lt(0.0, sum) { sum } else { 0.0 };
                self.store(tile.c.slot, element, value.to_bits())?;
            }
        }
        Ok(())
    }
}
