//! A kernel as a C function of its slots.
//!
//! ```text
//! for i0 in 0..32 { vector i1 in 0..784 { r0 = load s0[784·i0 + i1]; … } sum }
//! →  for (ptrdiff_t i0 = 0; i0 < 32; ++i0) {
//!        float r7_lanes[16]; …
//!        for (ptrdiff_t n = 0; n < 784; n += 16) {
//!            for (int l = 0; l < 16; ++l) { const ptrdiff_t i1 = n + l; const float r0 = s0[…]; … }
//!        }
//! ```
//!
//! Sums along vector loops keep their sixteen lanes, so that compilers put them into registers and
//! results are those of every other engine. There is one thread: its share is all of the parts.

use super::Shared;
use super::access::{element, element_at, pointer};
use super::inst::of_integers;
use super::number;
use super::tile::TileOperands;
use crate::base::entity::Entity;
use crate::base::scalar::{Binary, Reduce};
use crate::base::tensor::DType;
use crate::loops::{IfTest, Inst, Kernel, Reduction, RegId, SlotId, Stmt, Tile, VarId};
use std::fmt::Write;

/// Lanes of a reduction.
const LANES: usize = 16;

/// The type of a slot's elements.
pub fn element_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "float",
        DType::I32 => "int32_t",
        DType::U8 | DType::Bool => "uint8_t",
        DType::F64 => unreachable!("buffers have no f64"),
    }
}

/// The type of a scalar.
fn scalar_type(dtype: DType) -> &'static str {
    if dtype == DType::F32 { "float" } else { "int32_t" }
}

/// A kernel's function being printed.
struct KernelPrinter<'a> {
    kernel: &'a Kernel,
    shared: &'a mut Shared,
    /// Whether something reads each scalar.
    used: Vec<bool>,
    out: String,
    indent: usize,
}

/// Prints a kernel's function; says whether it takes the context.
pub(super) fn print(
    kernel: &Kernel,
    name: &str,
    apart: bool,
    shared: &mut Shared,
    out: &mut String,
) -> bool {
    let mut used = vec![false; kernel.regs.len()];
    uses(&kernel.body, &mut used);
    shared.uses_context = false;
    let mut printer = KernelPrinter { kernel, shared, used, out: String::new(), indent: 1 };
    printer.block(&kernel.body);
    let body = printer.out;
    let uses_context = shared.uses_context;
    let written = written(kernel);
    let restrict = if apart { "restrict " } else { "" };
    let slot = |(id, slot): (SlotId, &crate::loops::Slot)| {
        let constant = if written[id.index()] { "" } else { "const " };
        format!("{constant}{} *{restrict}{id}", element_type(slot.dtype))
    };
    let context = uses_context.then(|| "struct nnc_context *context".to_owned());
    let params: Vec<String> = context.into_iter().chain(kernel.slots.iter().map(slot)).collect();
    let params = if params.is_empty() { "void".to_owned() } else { params.join(", ") };
    let title = kernel.name.replace("*/", "* /").replace("/*", "/ *");
    let _ = writeln!(out, "/* {title} */\nstatic void {name}({params}) {{");
    for id in kernel.slots.keys().filter(|id| !mentions(&body, &id.to_string())) {
        let _ = writeln!(out, "    (void){id};");
    }
    let _ = writeln!(out, "{body}}}\n");
    uses_context
}

/// Whether a text has a name as a word.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + name.len()..].starts_with(part))
}

/// Which slots a kernel writes.
pub(super) fn written(kernel: &Kernel) -> Vec<bool> {
    fn mark(body: &[Stmt], written: &mut [bool]) {
        for stmt in body {
            match stmt {
                Stmt::Parts { body, .. } | Stmt::For { body, .. } | Stmt::Vector { body, .. } => {
                    mark(body, written);
                }
                Stmt::If { then, otherwise, .. } => {
                    mark(then, written);
                    mark(otherwise, written);
                }
                Stmt::Store { access, .. } | Stmt::StoreAt { base: access, .. } => {
                    written[access.slot.index()] = true;
                }
                Stmt::Tile(tile) => written[tile.c.slot.index()] = true,
                Stmt::Let { .. } => {}
            }
        }
    }
    let mut found = vec![false; kernel.slots.len()];
    mark(&kernel.body, &mut found);
    found
}

/// Marks the scalars that something reads.
fn uses(body: &[Stmt], used: &mut [bool]) {
    for stmt in body {
        match stmt {
            Stmt::Parts { body, .. } | Stmt::For { body, .. } => uses(body, used),
            Stmt::Vector { body, reductions, .. } => {
                uses(body, used);
                reductions.iter().for_each(|reduction| used[reduction.value.index()] = true);
            }
            Stmt::If { test, then, otherwise } => {
                if let IfTest::Holds(condition) = test {
                    used[condition.index()] = true;
                }
                uses(then, used);
                uses(otherwise, used);
            }
            Stmt::Let { inst, .. } => {
                for reg in arguments(inst) {
                    used[reg.index()] = true;
                }
            }
            Stmt::Store { value, .. } => used[value.index()] = true,
            Stmt::StoreAt { index, value, .. } => {
                used[index.index()] = true;
                used[value.index()] = true;
            }
            Stmt::Tile(_) => {}
        }
    }
}

fn arguments(inst: &Inst) -> Vec<RegId> {
    match inst {
        Inst::F32(_) | Inst::I32(_) | Inst::Bool(_) | Inst::Index(_) | Inst::Load(_) => vec![],
        Inst::Uniform { .. } => vec![],
        Inst::LoadAt { index, .. } | Inst::Checked { index, .. } => vec![*index],
        Inst::Unary(_, x) | Inst::Cast(_, x) => vec![*x],
        Inst::Binary(_, a, b) => vec![*a, *b],
        Inst::Select(a, b, c) | Inst::Fma(a, b, c) => vec![*a, *b, *c],
    }
}

impl KernelPrinter<'_> {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{}{text}", "    ".repeat(self.indent));
    }

    fn block(&mut self, body: &[Stmt]) {
        body.iter().for_each(|stmt| self.stmt(stmt));
    }

    /// A line that opens a block, the block, and its end.
    fn inside(&mut self, head: &str, body: impl FnOnce(&mut Self)) {
        self.line(head);
        self.indent += 1;
        body(self);
        self.indent -= 1;
        self.line("}");
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Parts { var, body } | Stmt::For { var, body } => {
                let head = self.counted(*var);
                self.inside(&head, |this| this.block(body));
            }
            Stmt::Vector { var, body, reductions } if reductions.is_empty() => {
                let head = self.counted(*var);
                self.line("NNC_VECTOR");
                self.inside(&head, |this| this.block(body));
            }
            Stmt::Vector { var, body, reductions } => self.reduced(*var, body, reductions),
            Stmt::If { test, then, otherwise } => {
                let head = match test {
                    IfTest::Below(var, bound) => format!("if ({var} < {bound}) {{"),
                    IfTest::Holds(condition) => format!("if ({condition}) {{"),
                };
                self.inside(&head, |this| this.block(then));
                if !otherwise.is_empty() {
                    self.inside("else {", |this| this.block(otherwise));
                }
            }
            Stmt::Let { reg, inst } => self.define(*reg, inst),
            Stmt::Store { access, value } => {
                let value = self.stored(access.slot, *value);
                self.line(&format!("{} = {value};", element(access)));
            }
            Stmt::StoreAt { adds: false, base, index, stride, value } => {
                let place = element_at(base, *index, *stride);
                let value = self.stored(base.slot, *value);
                self.line(&format!("{place} = {value};"));
            }
            Stmt::StoreAt { adds: true, base, index, stride, value } => {
                let place = element_at(base, *index, *stride);
                let add = match self.kernel.slots[base.slot].dtype {
                    DType::F32 => "nnc_add",
                    _ => "nnc_iadd",
                };
                self.line(&format!("{place} = {add}({place}, {value});"));
            }
            Stmt::Tile(tile) => self.tile(tile),
        }
    }

    /// A scalar as an element of a slot.
    fn stored(&self, slot: SlotId, value: RegId) -> String {
        match self.kernel.slots[slot].dtype {
            DType::U8 => format!("(uint8_t)({value} & 255)"),
            DType::Bool => format!("(uint8_t){value}"),
            DType::F32 | DType::I32 | DType::F64 => value.to_string(),
        }
    }

    fn counted(&self, var: VarId) -> String {
        format!("for (ptrdiff_t {var} = 0; {var} < {}; ++{var}) {{", self.kernel.vars[var])
    }

    fn define(&mut self, reg: RegId, inst: &Inst) {
        let value = self.shared.inst(self.kernel, inst);
        match (self.used[reg.index()], inst) {
            (true, _) => {
                let ty = scalar_type(self.kernel.regs[reg]);
                self.line(&format!("const {ty} {reg} = {value};"));
            }
            // It reports what is out of range.
            (false, Inst::Checked { .. }) => self.line(&format!("(void){value};")),
            (false, _) => {}
        }
    }

    fn tile(&mut self, tile: &Tile) {
        let operands = TileOperands {
            a: pointer(&tile.a),
            b: pointer(&tile.b),
            c: pointer(&tile.c),
            bias: tile.bias.as_ref().map(pointer),
        };
        self.shared.tiles.print(tile, &operands, self.indent, &mut self.out);
    }

    /// A vector loop with reductions.
    fn reduced(&mut self, var: VarId, body: &[Stmt], reductions: &[Reduction]) {
        let extent = self.kernel.vars[var];
        for reduction in reductions {
            let (reg, dtype) = (reduction.reg, self.kernel.regs[reduction.reg]);
            let (ty, neutral) = (scalar_type(dtype), neutral(reduction.op, dtype));
            self.line(&format!("{ty} {reg}_lanes[{LANES}];"));
            let each = format!("for (int l = 0; l < {LANES}; ++l) {{");
            self.inside(&each, |this| this.line(&format!("{reg}_lanes[l] = {neutral};")));
        }
        let whole = extent / LANES * LANES;
        if whole > 0 {
            let head = format!("for (ptrdiff_t n = 0; n < {whole}; n += {LANES}) {{");
            self.inside(&head, |this| this.lanes(var, "n", LANES, body, reductions));
        }
        if whole < extent {
            let first = whole.to_string();
            self.lanes(var, &first, extent - whole, body, reductions);
        }
        for reduction in reductions {
            if !self.used[reduction.reg.index()] {
                continue;
            }
            let (reg, dtype) = (reduction.reg, self.kernel.regs[reduction.reg]);
            let ty = scalar_type(dtype);
            self.shared.reductions.insert((reduction.op.name(), ty));
            let name = reduction.op.name();
            self.line(&format!("const {ty} {reg} = nnc_{name}_of_{ty}s({reg}_lanes);"));
        }
    }

    /// The body on some lanes, from an element on.
    fn lanes(
        &mut self,
        var: VarId,
        first: &str,
        count: usize,
        body: &[Stmt],
        reductions: &[Reduction],
    ) {
        self.line("NNC_VECTOR");
        self.inside(&format!("for (int l = 0; l < {count}; ++l) {{"), |this| {
            let before = std::mem::take(&mut this.out);
            this.block(body);
            let inside = std::mem::replace(&mut this.out, before);
            if mentions(&inside, &var.to_string()) {
                this.line(&format!("const ptrdiff_t {var} = {first} + l;"));
            }
            this.out.push_str(&inside);
            for Reduction { reg, op, value } in reductions {
                let dtype = this.kernel.regs[*reg];
                let (lane, value) = (format!("{reg}_lanes[l]"), value.to_string());
                let combined = this.shared.combined(*op, dtype, &lane, &value);
                this.line(&format!("{lane} = {combined};"));
            }
        });
    }
}

impl Shared {
    /// One step of a reduction.
    pub(super) fn combined(&mut self, op: Reduce, dtype: DType, a: &str, b: &str) -> String {
        let op = match op {
            Reduce::Sum => Binary::Add,
            Reduce::Max => Binary::Max,
            Reduce::Min => Binary::Min,
        };
        match dtype {
            DType::F32 => format!("{}({a}, {b})", self.functions.binary(op)),
            _ => of_integers(op, a, b),
        }
    }
}

/// The neutral element that each lane of a reduction starts from.
fn neutral(op: Reduce, dtype: DType) -> String {
    match (op, dtype) {
        (Reduce::Sum, DType::F32) => number::float(0.0),
        (Reduce::Max, DType::F32) => number::float(f32::NEG_INFINITY),
        (Reduce::Min, DType::F32) => number::float(f32::INFINITY),
        (Reduce::Sum, _) => "0".to_owned(),
        (Reduce::Max, _) => number::int(i32::MIN),
        (Reduce::Min, _) => number::int(i32::MAX),
    }
}
