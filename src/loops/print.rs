//! The text form of a program; [`crate::loops::read`] reads it back.
//!
//! ```text
//! program "scale" {
//!     b0 = global f32[8] "weight"
//!     b1 = pinned f32[8] "output.y"
//!     kernel k0 "double" parts 2 (s0: f32[8], s1: f32[8]) {
//!         parts i0 in 0..2 {
//!             vector i1 in 0..4 {
//!                 r0: f32 = load s0[4*i0 + i1]
//!                 r1: f32 = add r0, r0
//!                 store s1[4*i0 + i1] = r1
//!             }
//!         }
//!     }
//!     step {
//!         run k0(b0, b1)
//!     }
//! }
//! ```
//!
//! Everything is printed, and floats with the digits (a NaN with the bits) that read back the
//! same. Printing does not check: a broken program prints, so that it can be looked at.

use std::fmt::{self, Display, Formatter};

use crate::base::entity::Arena;
use crate::loops::program::{
    Access, Action, Affine, BufferPart, IfTest, Inst, Kernel, KernelId, Program, RegId, Stmt, VarId,
};
use crate::loops::tile::{RowAxis, SumAxis, Tile};
use crate::loops::uniform::{UniformInst, Uniforms};

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "program {} {{", Quoted(&self.name))?;
        uniforms(f, &self.uniforms)?;
        for (id, buffer) in self.buffers.iter() {
            let (space, name) = (buffer.space.name(), Quoted(&buffer.name));
            write!(f, "    {id} = {space} {}[{}] {name}", buffer.dtype, buffer.len)?;
            if let Some(BufferPart { of, first, stride }) = buffer.part {
                write!(f, " part {of} from {first} stride {stride}")?;
            }
            match buffer.offset {
                Some(offset) => writeln!(f, " at {offset}")?,
                None => writeln!(f)?,
            }
        }
        for (id, body) in self.kernels.iter() {
            kernel(f, id, body)?;
        }
        actions(f, "step", &self.actions)?;
        if !self.refresh.is_empty() {
            actions(f, "refresh", &self.refresh)?;
        }
        writeln!(f, "}}")
    }
}

fn uniforms(f: &mut Formatter<'_>, uniforms: &Uniforms) -> fmt::Result {
    if *uniforms == Uniforms::default() {
        return Ok(());
    }
    match uniforms.buffer {
        Some(buffer) => writeln!(f, "    uniforms {buffer} {{")?,
        None => writeln!(f, "    uniforms {{")?,
    }
    for (name, value) in &uniforms.hypers {
        writeln!(f, "        hyper {} = {}", Quoted(name), Float64(*value))?;
    }
    for (index, inst) in uniforms.insts.iter().enumerate() {
        write!(f, "        u{index} = ")?;
        match inst {
            UniformInst::Const(value) => writeln!(f, "const {}", Float64(*value))?,
            UniformInst::Step => writeln!(f, "step")?,
            UniformInst::Hyper(index) => writeln!(f, "hyper {index}")?,
            UniformInst::Unary(op, a) => writeln!(f, "{} u{a}", op.name())?,
            UniformInst::Binary(op, a, b) => writeln!(f, "{} u{a}, u{b}", op.name())?,
        }
    }
    let results: Vec<String> = uniforms.results.iter().map(|index| format!(" u{index}")).collect();
    writeln!(f, "        results{}", results.join(","))?;
    writeln!(f, "    }}")
}

fn actions(f: &mut Formatter<'_>, name: &str, actions: &[Action]) -> fmt::Result {
    writeln!(f, "    {name} {{")?;
    actions.iter().try_for_each(|it| action(f, it, "        "))?;
    writeln!(f, "    }}")
}

fn action(f: &mut Formatter<'_>, of: &Action, indent: &str) -> fmt::Result {
    match of {
        Action::Run { kernel, args } => {
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            writeln!(f, "{indent}run {kernel}({})", args.join(", "))
        }
        Action::Loop { steps, reverse, body } => {
            let reverse = if *reverse { " reverse" } else { "" };
            writeln!(f, "{indent}loop {steps}{reverse} {{")?;
            body.iter().try_for_each(|it| action(f, it, &format!("{indent}    ")))?;
            writeln!(f, "{indent}}}")
        }
        Action::Barrier => writeln!(f, "{indent}barrier"),
    }
}

fn kernel(f: &mut Formatter<'_>, id: KernelId, kernel: &Kernel) -> fmt::Result {
    write!(f, "    kernel {id} {} parts {} (", Quoted(&kernel.name), kernel.parts)?;
    for (index, (id, slot)) in kernel.slots.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{id}: {}[{}]", slot.dtype, slot.len)?;
    }
    writeln!(f, ") {{")?;
    let mut printer = KernelPrinter {
        kernel,
        vars: Arena::from_iter(kernel.vars.values().map(|_| false)),
        regs: Arena::from_iter(kernel.regs.values().map(|_| false)),
        text: String::new(),
        depth: 2,
    };
    printer.body(&kernel.body);
    // What no statement introduces has no other place to be told.
    for (var, extent) in kernel.vars.iter().filter(|(var, _)| !printer.vars[*var]) {
        writeln!(f, "        var {var} in 0..{extent}")?;
    }
    for (reg, dtype) in kernel.regs.iter().filter(|(reg, _)| !printer.regs[*reg]) {
        writeln!(f, "        reg {reg}: {dtype}")?;
    }
    f.write_str(&printer.text)?;
    writeln!(f, "    }}")
}

struct KernelPrinter<'a> {
    kernel: &'a Kernel,
    /// Which variables have been introduced.
    vars: Arena<VarId, bool>,
    /// Which scalars have been introduced.
    regs: Arena<RegId, bool>,
    text: String,
    depth: usize,
}

impl KernelPrinter<'_> {
    fn line(&mut self, line: impl Display) {
        self.text.push_str(&"    ".repeat(self.depth));
        self.text.push_str(&line.to_string());
        self.text.push('\n');
    }

    fn body(&mut self, body: &[Stmt]) {
        for stmt in body {
            self.stmt(stmt);
        }
    }

    fn indented(&mut self, body: &[Stmt]) {
        self.depth += 1;
        self.body(body);
        self.depth -= 1;
    }

    fn enter(&mut self, keyword: &str, var: VarId, body: &[Stmt]) {
        match self.kernel.vars.get(var) {
            Some(extent) => {
                self.vars[var] = true;
                self.line(format_args!("{keyword} {var} in 0..{extent} {{"));
            }
            None => self.line(format_args!("{keyword} {var} in ? {{")),
        }
        self.indented(body);
    }

    /// A scalar with its type, where it is introduced.
    fn introduced(&mut self, reg: RegId) -> String {
        match self.kernel.regs.get(reg) {
            Some(dtype) => {
                self.regs[reg] = true;
                format!("{reg}: {dtype}")
            }
            None => format!("{reg}: ?"),
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Parts { var, body } => {
                self.enter("parts", *var, body);
                self.line("}");
            }
            Stmt::For { var, body } => {
                self.enter("for", *var, body);
                self.line("}");
            }
            Stmt::Vector { var, body, reductions } => {
                self.enter("vector", *var, body);
                let mut end = String::from("}");
                for (index, reduction) in reductions.iter().enumerate() {
                    let before = if index == 0 { " reduce " } else { ", " };
                    let reg = self.introduced(reduction.reg);
                    end.push_str(&format!(
                        "{before}{reg} = {} {}",
                        reduction.op.name(),
                        reduction.value
                    ));
                }
                self.line(end);
            }
            Stmt::If { test, then, otherwise } => {
                match test {
                    IfTest::Below(var, bound) => self.line(format_args!("if {var} < {bound} {{")),
                    IfTest::Holds(condition) => self.line(format_args!("if {condition} {{")),
                }
                self.indented(then);
                if !otherwise.is_empty() {
                    self.line("} else {");
                    self.indented(otherwise);
                }
                self.line("}");
            }
            Stmt::Let { reg, inst } => {
                let reg = self.introduced(*reg);
                self.line(format_args!("{reg} = {inst}"));
            }
            Stmt::Store { access, value } => self.line(format_args!("store {access} = {value}")),
            Stmt::StoreAt { adds, base, index, stride, value } => {
                let verb = if *adds { "add" } else { "store" };
                self.line(format_args!("{verb} {base} at {index}*{stride} = {value}"));
            }
            Stmt::Tile(tile) => self.tile(tile),
        }
    }

    fn tile(&mut self, tile: &Tile) {
        let Tile { rows, n, sum, a, b, c, accumulate, bias, relu } = tile;
        self.line(format_args!("tile n {n} {{"));
        self.depth += 1;
        for RowAxis { extent, a, c } in rows {
            self.line(format_args!("row {extent} a {a} c {c}"));
        }
        for SumAxis { extent, a, b } in sum {
            self.line(format_args!("sum {extent} a {a} b {b}"));
        }
        let assign = if *accumulate { "+=" } else { "=" };
        self.line(format_args!("c {assign} {c}"));
        self.line(format_args!("a = {a}"));
        self.line(format_args!("b = {b}"));
        if let Some(bias) = bias {
            self.line(format_args!("bias = {bias}"));
        }
        if *relu {
            self.line("relu");
        }
        self.depth -= 1;
        self.line("}");
    }
}

impl Display for Inst {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Inst::F32(value) => write!(f, "f32 {}", ExactFloat(*value)),
            Inst::I32(value) => write!(f, "i32 {value}"),
            Inst::Bool(value) => write!(f, "bool {value}"),
            Inst::Index(index) => write!(f, "index {index}"),
            Inst::Load(access) => write!(f, "load {access}"),
            Inst::LoadAt { base, index, stride } => write!(f, "load {base} at {index}*{stride}"),
            Inst::Checked { index, bound, site, element } => {
                write!(f, "checked {index} < {bound} site {site} element {element}")
            }
            Inst::Unary(op, a) => write!(f, "{} {a}", op.name()),
            Inst::Binary(op, a, b) => write!(f, "{} {a}, {b}", op.name()),
            Inst::Select(condition, a, b) => write!(f, "select {condition}, {a}, {b}"),
            Inst::Fma(a, b, c) => write!(f, "fma {a}, {b}, {c}"),
            Inst::Cast(dtype, a) => write!(f, "cast {dtype} {a}"),
            Inst::Uniform { stream, element } => write!(f, "uniform {stream} element {element}"),
        }
    }
}

impl Display for Access {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.slot, self.index)
    }
}

impl Display for Affine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let constant = self.offset != 0 || self.terms.is_empty();
        if constant {
            write!(f, "{}", self.offset)?;
        }
        for (index, &(var, factor)) in self.terms.iter().enumerate() {
            let first = index == 0 && !constant;
            f.write_str(match (first, factor < 0) {
                (true, false) => "",
                (true, true) => "-",
                (false, false) => " + ",
                (false, true) => " - ",
            })?;
            match factor.unsigned_abs() {
                1 => write!(f, "{var}")?,
                size => write!(f, "{size}*{var}")?,
            }
        }
        Ok(())
    }
}

/// A name between quotes, with quotes, backslashes and line ends escaped.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let escaped = self.0.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "\"{escaped}\"")
    }
}

/// A number that reads back to the same bits.
struct ExactFloat(f32);

impl Display for ExactFloat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_nan() {
            write!(f, "nan(0x{:08x})", self.0.to_bits())
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}

/// A number that reads back to the same bits.
struct Float64(f64);

impl Display for Float64 {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_nan() {
            write!(f, "nan(0x{:016x})", self.0.to_bits())
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}
