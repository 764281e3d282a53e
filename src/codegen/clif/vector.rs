//! Vector loops: rounds of four lanes, some at once, then the last lanes.
//!
//! ```text
//! vector i1 in 0..23 { body } sum   →   one round: body on lanes 0–3, 4–7, 8–11, 12–15
//!                                       body on lanes 16–19; body on lanes 20–22
//! ```
//!
//! A reduction's sixteen lanes are four vectors that take turns, so that element `i` meets lane
//! `i mod 16` however many rounds a loop's body has. What is the same for all lanes is computed
//! before the loop.

use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::{KernelEmitter, Lanes, dtype_of, value_type};
use crate::base::entity::Entity;
use crate::base::scalar::{Binary, Reduce};
use crate::base::tensor::DType;
use crate::codegen::wide::varying;
use crate::loops::{Inst, Reduction, Stmt, VarId};

/// Vectors of lanes that a reduction has.
const GROUPS: usize = 4;

impl<'a> KernelEmitter<'a, '_> {
    /// A vector loop and its reductions.
    pub(super) fn vector(&mut self, var: VarId, body: &'a [Stmt], reductions: &'a [Reduction]) {
        let extent = self.kernel.vars[var];
        let body = if extent == 0 { Vec::new() } else { self.hoist(var, body) };
        let quads = extent / 4;
        let unroll = unroll(&body).min(quads.max(1));
        let rounds = quads / unroll;

        let start: Vec<Value> = reductions
            .iter()
            .flat_map(|reduction| {
                let neutral = self.neutral(reduction);
                [neutral; GROUPS]
            })
            .collect();
        let mut sums = self.count_with(rounds, 4 * unroll as i64, start, |this, counter, sums| {
            (0..unroll).fold(sums, |sums, quad| {
                let first = this.builder.ins().iadd_imm_s(counter, 4 * quad as i64);
                this.quad(Lanes { var, valid: 4 }, first, &body, reductions, sums)
            })
        });
        for quad in rounds * unroll..extent.div_ceil(4) {
            let first = self.int(4 * quad as i64);
            let valid = (extent - 4 * quad).min(4) as u8;
            sums = self.quad(Lanes { var, valid }, first, &body, reductions, sums);
        }
        let turned = extent.div_ceil(4) % GROUPS;
        for (reduction, groups) in reductions.iter().zip(sums.chunks_exact_mut(GROUPS)) {
            groups.rotate_right(turned);
            let value = self.combined(reduction, groups);
            self.regs[reduction.reg.index()] = Some(super::Reg { value, vector: false });
        }
    }

    /// The body on four lanes. The first group of each reduction takes the lanes' values and
    /// becomes the last.
    fn quad(
        &mut self,
        lanes: Lanes,
        first: Value,
        body: &[&'a Stmt],
        reductions: &[Reduction],
        mut sums: Vec<Value>,
    ) -> Vec<Value> {
        self.lanes = Some(lanes);
        self.with_var(lanes.var, first, |this| {
            for stmt in body {
                this.stmt(stmt);
            }
        });
        for (reduction, groups) in reductions.iter().zip(sums.chunks_exact_mut(GROUPS)) {
            let value = self.operand(reduction.value);
            let old = groups[0];
            let new = self.reduce(reduction, old, value, true);
            groups[0] = if lanes.valid == 4 {
                new
            } else {
                let mask = self.first_lanes(lanes.valid);
                let dtype = dtype_of(&self.kernel.regs, reduction.value);
                self.select(dtype, mask, new, old, true)
            };
            groups.rotate_left(1);
        }
        self.lanes = None;
        sums
    }

    /// A mask of the first lanes.
    fn first_lanes(&mut self, count: u8) -> Value {
        let bytes: Vec<u8> = (0..16).map(|byte| if byte / 4 < count { 255 } else { 0 }).collect();
        let mask = self.builder.func.dfg.constants.insert(bytes.into());
        self.builder.ins().vconst(types::I32X4, mask)
    }

    fn reduce(&mut self, reduction: &Reduction, a: Value, b: Value, vector: bool) -> Value {
        let op = match reduction.op {
            Reduce::Sum => Binary::Add,
            Reduce::Max => Binary::Max,
            Reduce::Min => Binary::Min,
        };
        self.binary(op, dtype_of(&self.kernel.regs, reduction.value), a, b, vector)
    }

    /// The neutral element that each lane starts from.
    fn neutral(&mut self, reduction: &Reduction) -> Value {
        let dtype = dtype_of(&self.kernel.regs, reduction.value);
        let scalar = if dtype == DType::F32 {
            let value = match reduction.op {
                Reduce::Sum => 0.0,
                Reduce::Max => f32::NEG_INFINITY,
                Reduce::Min => f32::INFINITY,
            };
            self.builder.ins().f32const(value)
        } else {
            let value = match reduction.op {
                Reduce::Sum => 0,
                Reduce::Max => i32::MIN,
                Reduce::Min => i32::MAX,
            };
            self.builder.ins().iconst(types::I32, i64::from(value as u32))
        };
        self.builder.ins().splat(value_type(dtype, true), scalar)
    }

    /// All sixteen lanes as one: `l` with `l + 8`, `l + 4`, `l + 2`, `l + 1`.
    fn combined(&mut self, reduction: &Reduction, groups: &[Value]) -> Value {
        let low = self.reduce(reduction, groups[0], groups[2], true);
        let high = self.reduce(reduction, groups[1], groups[3], true);
        let four = self.reduce(reduction, low, high, true);
        let lanes: Vec<Value> =
            (0..4).map(|lane: u8| self.builder.ins().extractlane(four, lane)).collect();
        let even = self.reduce(reduction, lanes[0], lanes[2], false);
        let odd = self.reduce(reduction, lanes[1], lanes[3], false);
        self.reduce(reduction, even, odd, false)
    }

    /// Emits what is the same for all elements of a vector loop, once; returns the rest.
    pub(super) fn hoist(&mut self, var: VarId, body: &'a [Stmt]) -> Vec<&'a Stmt> {
        let varying = varying(self.kernel, var, body);
        let mut rest = Vec::with_capacity(body.len());
        for stmt in body {
            match stmt {
                Stmt::Let { reg, inst } if !varying[reg.index()] => {
                    let value = self.inst(inst);
                    self.regs[reg.index()] = Some(value);
                }
                _ => rest.push(stmt),
            }
        }
        rest
    }
}

/// How many rounds of four lanes a loop's body has: small bodies are repeated, so that the
/// counter costs little; large ones keep the processor busy by themselves.
fn unroll(body: &[&Stmt]) -> usize {
    let cost: usize = body.iter().map(|stmt| cost(stmt)).sum();
    match cost {
        0..=6 => 4,
        7..=16 => 2,
        _ => 1,
    }
}

/// Instructions of a statement, about.
fn cost(stmt: &Stmt) -> usize {
    match stmt {
        Stmt::Let { inst: Inst::Unary(op, _), .. } => op.row().cost,
        Stmt::Let { inst: Inst::Binary(op, ..), .. } => op.cost(),
        Stmt::Let { inst: Inst::Uniform { .. } | Inst::Checked { .. }, .. } => 10,
        Stmt::Let { inst: Inst::LoadAt { .. }, .. } => 8,
        _ => 1,
    }
}
