//! Checks a kernel: ids, scopes, types, and that no access leaves its slot.

use std::ops::Range;

use crate::base::entity::Arena;
use crate::base::tensor::DType;
use crate::loops::program::{
    Access, Affine, IfTest, Inst, Kernel, KernelId, Reduction, RegId, Stmt, VarId,
};
use crate::loops::tile::{RowAxis, Tile};
use crate::loops::types::{loaded, result_type};

/// Adds what is wrong with a kernel.
pub(super) fn verify(id: KernelId, kernel: &Kernel, errors: &mut Vec<String>) {
    let mut check = KernelChecker {
        kernel,
        place: format!("kernel {id} {:?}", kernel.name),
        ranges: Arena::from_iter(kernel.vars.values().map(|_| None)),
        known: Arena::from_iter(kernel.regs.values().map(|_| ScalarUse::Not)),
        bounds: Arena::from_iter(kernel.regs.values().map(|_| None)),
        vector: None,
        part: None,
        has_parts: false,
        errors,
    };
    check.tables();
    check.body(&kernel.body);
    if kernel.parts > 0 && !check.has_parts {
        check.error(format_args!("it has {} parts, but no `parts` statement", kernel.parts));
    }
}

/// Whether a scalar may be used.
#[derive(Clone, Copy, PartialEq)]
enum ScalarUse {
    /// Not assigned yet.
    Not,
    /// Assigned, and in scope.
    Here,
    /// Assigned in a body that has ended.
    Gone,
}

struct KernelChecker<'a> {
    kernel: &'a Kernel,
    place: String,
    /// The values of each variable in scope.
    ranges: Arena<VarId, Option<Range<i128>>>,
    known: Arena<RegId, ScalarUse>,
    /// One past the largest value of tested indices.
    bounds: Arena<RegId, Option<usize>>,
    vector: Option<VarId>,
    part: Option<VarId>,
    has_parts: bool,
    errors: &'a mut Vec<String>,
}

impl KernelChecker<'_> {
    fn error(&mut self, message: impl std::fmt::Display) {
        self.errors.push(format!("{}: {message}", self.place));
    }

    fn tables(&mut self) {
        for (id, slot) in self.kernel.slots.iter() {
            if slot.dtype == DType::F64 {
                self.error(format_args!("{id}: no slot holds f64"));
            }
        }
        for (id, &dtype) in self.kernel.regs.iter() {
            if !matches!(dtype, DType::F32 | DType::I32 | DType::Bool) {
                self.error(format_args!("{id}: no scalar has type {dtype}"));
            }
        }
    }

    /// Statements, and the end of the scope that they are.
    fn body(&mut self, body: &[Stmt]) {
        let defined = self.open_body(body);
        self.close(defined);
    }

    /// Statements; gives the scalars of their scope.
    fn open_body(&mut self, body: &[Stmt]) -> Vec<RegId> {
        let mut defined = Vec::new();
        for stmt in body {
            self.stmt(stmt, &mut defined);
        }
        defined
    }

    fn close(&mut self, defined: Vec<RegId>) {
        for reg in defined {
            self.known[reg] = ScalarUse::Gone;
        }
    }

    fn stmt(&mut self, stmt: &Stmt, defined: &mut Vec<RegId>) {
        if self.vector.is_some() && !matches!(stmt, Stmt::Let { .. } | Stmt::Store { .. }) {
            return self.error("a vector loop holds only scalars and stores");
        }
        match stmt {
            Stmt::Parts { var, body } => self.parts(*var, body),
            Stmt::For { var, body } => {
                if self.enter(*var) {
                    self.body(body);
                    self.ranges[*var] = None;
                }
            }
            Stmt::Vector { var, body, reductions } => {
                if self.enter(*var) {
                    self.vector_loop(*var, body, reductions, defined);
                }
            }
            Stmt::If { test: IfTest::Below(var, bound), then, otherwise } => {
                self.branches(*var, *bound, then, otherwise);
            }
            Stmt::If { test: IfTest::Holds(condition), then, otherwise } => {
                if self.uses(*condition) && self.kernel.regs[*condition] != DType::Bool {
                    self.error(format_args!("if {condition}: it is no truth value"));
                }
                self.body(then);
                self.body(otherwise);
            }
            Stmt::Let { reg, inst } => {
                self.inst(*reg, inst);
                self.define(*reg, defined);
            }
            Stmt::Store { access, value } => self.store(access, *value),
            Stmt::StoreAt { adds, base, index, stride, value } => {
                self.writes();
                self.uses(*value);
                self.access_at(if *adds { "add" } else { "store" }, base, *index, *stride);
                self.stored(base, *value);
            }
            Stmt::Tile(tile) => self.tile(tile),
        }
    }

    /// Brings a loop's variable into scope, if that can be.
    fn enter(&mut self, var: VarId) -> bool {
        match self.ranges.get(var) {
            None => self.error(format_args!("there is no variable {var}")),
            Some(Some(_)) => self.error(format_args!("{var} counts two loops in one another")),
            Some(None) => {
                self.ranges[var] = Some(0..self.kernel.vars[var] as i128);
                return true;
            }
        }
        false
    }

    fn parts(&mut self, var: VarId, body: &[Stmt]) {
        self.has_parts = true;
        if self.part.is_some() {
            return self.error("`parts` within `parts`");
        }
        if self.enter(var) {
            let (extent, parts) = (self.kernel.vars[var], self.kernel.parts);
            if extent != parts {
                self.error(format_args!("{var} counts {extent} parts of {parts}"));
            }
            self.part = Some(var);
            self.body(body);
            self.part = None;
            self.ranges[var] = None;
        }
    }

    fn vector_loop(
        &mut self,
        var: VarId,
        body: &[Stmt],
        reductions: &[Reduction],
        defined: &mut Vec<RegId>,
    ) {
        self.vector = Some(var);
        let inner = self.open_body(body);
        for reduction in reductions {
            self.uses(reduction.value);
            let regs = &self.kernel.regs;
            let (value, result) = (regs.get(reduction.value), regs.get(reduction.reg));
            if value != result || !matches!(value, Some(DType::F32 | DType::I32)) {
                self.error(format_args!("{}: a reduction is of numbers", reduction.reg));
            }
        }
        self.close(inner);
        self.vector = None;
        self.ranges[var] = None;
        for reduction in reductions {
            self.define(reduction.reg, defined);
        }
    }

    fn branches(&mut self, var: VarId, bound: usize, then: &[Stmt], otherwise: &[Stmt]) {
        let Some(Some(range)) = self.ranges.get(var).cloned() else {
            return self.error(format_args!("if {var} < {bound}: {var} is not in scope"));
        };
        let bound = bound as i128;
        self.ranges[var] = Some(range.start..range.end.min(bound));
        self.body(then);
        self.ranges[var] = Some(range.start.max(bound)..range.end);
        self.body(otherwise);
        self.ranges[var] = Some(range);
    }

    fn define(&mut self, reg: RegId, defined: &mut Vec<RegId>) {
        match self.known.get(reg) {
            None => self.error(format_args!("there is no scalar {reg}")),
            Some(ScalarUse::Not) => {
                self.known[reg] = ScalarUse::Here;
                defined.push(reg);
            }
            Some(_) => self.error(format_args!("{reg} is assigned twice")),
        }
    }

    /// Whether a scalar may be used here.
    fn uses(&mut self, reg: RegId) -> bool {
        match self.known.get(reg) {
            Some(ScalarUse::Here) => return true,
            None => self.error(format_args!("there is no scalar {reg}")),
            Some(ScalarUse::Not) => self.error(format_args!("{reg} is used before it is assigned")),
            Some(ScalarUse::Gone) => self.error(format_args!("{reg} is used outside of its scope")),
        }
        false
    }

    fn inst(&mut self, reg: RegId, inst: &Inst) {
        let mut fine = true;
        for argument in arguments(inst) {
            fine &= self.uses(argument);
        }
        match inst {
            Inst::Load(access) => fine &= self.access("load", access, &[]),
            Inst::LoadAt { base, index, stride } if fine => {
                fine &= self.access_at("load", base, *index, *stride);
            }
            Inst::Checked { bound, element, .. } => {
                fine &= self.affine(element).is_some();
                if let Some(known) = self.bounds.get(reg).is_some().then(|| &mut self.bounds[reg]) {
                    *known = Some(*bound);
                }
                if *bound == 0 || i32::try_from(*bound).is_err() {
                    self.error(format_args!("{reg}: no index is below {bound}"));
                }
            }
            Inst::Index(element) => self.number(reg, element, 31),
            // The counter of the generator has 32 bits, and each of its blocks four numbers.
            Inst::Uniform { element, .. } => self.number(reg, element, 34),
            Inst::LoadAt { .. } | Inst::F32(_) | Inst::I32(_) | Inst::Bool(_) => {}
            Inst::Unary(..) | Inst::Binary(..) | Inst::Select(..) => {}
            Inst::Fma(..) | Inst::Cast(..) => {}
        }
        let Some(&dtype) = self.kernel.regs.get(reg).filter(|_| fine) else { return };
        match result_type(inst, &self.kernel.regs, &self.kernel.slots) {
            Ok(found) if found == dtype => {}
            Ok(found) => self.error(format_args!("{reg} is {dtype}, its value {found}")),
            Err(message) => self.error(format_args!("{reg} = {inst}: {message}")),
        }
    }

    /// An affine number that must fit into so many bits.
    fn number(&mut self, reg: RegId, value: &Affine, bits: u32) {
        let Some(Some(range)) = self.affine(value) else { return };
        if range.start < 0 || range.end > 1 << bits {
            self.error(format_args!("{reg}: {value} leaves the numbers from 0 to 2^{bits}"));
        }
    }

    fn store(&mut self, access: &Access, value: RegId) {
        self.writes();
        if self.uses(value) && self.access("store", access, &[]) {
            self.stored(access, value);
        }
        if let Some(var) = self.vector
            && access.index.factor(var) == 0
            && self.kernel.vars[var] > 1
        {
            self.error(format_args!("store {access}: all of {var} store to one element"));
        }
    }

    /// Whether a slot holds what a scalar is.
    fn stored(&mut self, access: &Access, value: RegId) {
        let (Some(slot), Some(&dtype)) =
            (self.kernel.slots.get(access.slot), self.kernel.regs.get(value))
        else {
            return;
        };
        if loaded(slot.dtype) != dtype {
            let found = slot.dtype;
            self.error(format_args!("store {access}: {value} is {dtype}, the slot {found}"));
        }
    }

    /// Memory is written here.
    fn writes(&mut self) {
        if self.kernel.parts > 0 && self.part.is_none() {
            self.error("it writes outside of its parts");
        }
    }

    fn access_at(&mut self, verb: &str, base: &Access, index: RegId, stride: i64) -> bool {
        if !self.uses(index) {
            return false;
        }
        let Some(bound) = self.bounds[index] else {
            self.error(format_args!("{verb} {base}: {index} is not a tested index"));
            return false;
        };
        self.access(verb, base, &[(stride, bound)])
    }

    /// Whether an access and its own dimensions stay in its slot.
    fn access(&mut self, verb: &str, access: &Access, dims: &[(i64, usize)]) -> bool {
        let Some(slot) = self.kernel.slots.get(access.slot) else {
            self.error(format_args!("{verb} {access}: there is no {}", access.slot));
            return false;
        };
        let Some(range) = self.affine(&access.index) else { return false };
        let Some(Range { mut start, mut end }) = range else { return true };
        for &(stride, count) in dims {
            if count == 0 {
                return true;
            }
            let reach = i128::from(stride) * (count as i128 - 1);
            start += reach.min(0);
            end += reach.max(0);
        }
        let (last, len) = (end - 1, slot.len);
        let outside = if start < 0 { start } else { last };
        if start < 0 || last >= len as i128 {
            self.error(format_args!("{verb} {access}: reaches element {outside} of {len}"));
            return false;
        }
        true
    }

    /// The values of an affine expression here: `Some(None)` if this place is never reached,
    /// `None` (and an error) if the expression is broken.
    fn affine(&mut self, affine: &Affine) -> Option<Option<Range<i128>>> {
        let ordered = affine.terms.is_sorted_by(|a, b| a.0 < b.0);
        if !ordered || affine.terms.iter().any(|&(_, factor)| factor == 0) {
            self.error(format_args!("{affine}: variables are to ascend, with factors not 0"));
            return None;
        }
        let mut range = i128::from(affine.offset)..i128::from(affine.offset) + 1;
        for &(var, factor) in &affine.terms {
            let Some(Some(values)) = self.ranges.get(var) else {
                self.error(format_args!("{affine}: {var} is not in scope"));
                return None;
            };
            let ends = [values.start, values.end - 1].map(|value| value * i128::from(factor));
            range.start += ends[0].min(ends[1]);
            range.end += ends[0].max(ends[1]);
        }
        let reached = self.ranges.values().flatten().all(|values| !values.is_empty());
        Some(reached.then_some(range))
    }

    fn tile(&mut self, tile: &Tile) {
        self.writes();
        if tile.n == 0 || tile.rows.iter().any(|axis| axis.extent == 0) {
            self.error("a tile has no elements");
        }
        self.tile_access(&tile.a, &tile.a_dims());
        self.tile_access(&tile.b, &tile.b_dims());
        self.tile_access(&tile.c, &tile.c_dims());
        if let Some(bias) = &tile.bias {
            self.tile_access(bias, &[(1, tile.n)]);
        }
        if !apart(tile) {
            self.error(format_args!("tile {}: rows of the result overlap", tile.c));
        }
    }

    fn tile_access(&mut self, access: &Access, dims: &[(i64, usize)]) {
        if self.access("tile", access, dims) {
            let dtype = loaded(self.kernel.slots[access.slot].dtype);
            if self.kernel.slots[access.slot].dtype != DType::F32 {
                self.error(format_args!("tile {access}: operands are f32, not {dtype}"));
            }
        }
    }
}

/// Whether no element of a tile's result belongs to two rows: each axis, from the one with the
/// smallest distance on, steps over all that those before it reach.
fn apart(tile: &Tile) -> bool {
    let distance = |axis: &RowAxis| u128::from(axis.c.unsigned_abs());
    let mut axes: Vec<&RowAxis> = tile.rows.iter().filter(|axis| axis.extent > 1).collect();
    axes.sort_unstable_by_key(|axis| distance(axis));
    let mut reach = tile.n as u128;
    axes.into_iter().all(|axis| {
        let free = distance(axis) >= reach;
        reach += distance(axis).saturating_mul(axis.extent as u128 - 1);
        free
    })
}

/// The scalars that an instruction uses.
fn arguments(inst: &Inst) -> Vec<RegId> {
    match *inst {
        Inst::F32(_) | Inst::I32(_) | Inst::Bool(_) | Inst::Index(_) => Vec::new(),
        Inst::Load(_) | Inst::Uniform { .. } => Vec::new(),
        Inst::LoadAt { index, .. } | Inst::Checked { index, .. } => vec![index],
        Inst::Unary(_, a) | Inst::Cast(_, a) => vec![a],
        Inst::Binary(_, a, b) => vec![a, b],
        Inst::Select(a, b, c) | Inst::Fma(a, b, c) => vec![a, b, c],
    }
}
