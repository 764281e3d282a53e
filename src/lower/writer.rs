//! A kernel being written: open loops, scalars placed in the outermost loop that knows their
//! arguments, and slots for the buffers it is given.
//!
//! ```text
//! open parts i0, open vector i1; load s0[i1], load s1[i0], add      vector-invariant s1[i0] is
//! ⇒ parts i0 { r1 = load s1[i0]; vector i1 { r0 = …; r2 = … } }     placed before the vector
//! ```
//!
//! It knows nothing of graphs.

use crate::base::entity::{Arena, Entity};
use crate::base::tensor::DType;
use crate::loops::{
    Access, Affine, BufferId, Inst, Kernel, Reduction, RegId, Slot, SlotId, Stmt, Tile, VarId,
};
use crate::lower::title::Title;
use rustc_hash::FxHashMap;
use std::hash::Hash;

/// A finished kernel.
pub struct Written {
    /// The kernel; its name is the title's text, once it is known that the kernel is new.
    pub kernel: Kernel,
    /// Its name.
    pub title: Title,
    /// The buffers of its slots.
    pub args: Vec<BufferId>,
}

/// An open body.
struct OpenBody<K> {
    var: Option<VarId>,
    body: Vec<Stmt>,
    known: FxHashMap<K, RegId>,
}

/// A kernel being written; values that are computed once are remembered under keys `K`.
pub struct KernelWriter<K> {
    kernel: Kernel,
    title: Title,
    args: Vec<BufferId>,
    levels: Vec<OpenBody<K>>,
    /// The depth at which each scalar is known.
    depths: Vec<usize>,
    /// The depth of the open loop over parts; 0 outside of it.
    parts_depth: usize,
}

impl<K: Hash + Eq + Clone> KernelWriter<K> {
    /// An empty kernel.
    pub fn new(title: Title, parts: usize) -> Self {
        let kernel = Kernel {
            name: String::new(),
            parts,
            slots: Arena::new(),
            vars: Arena::new(),
            regs: Arena::new(),
            body: Vec::new(),
        };
        let top = OpenBody { var: None, body: Vec::new(), known: FxHashMap::default() };
        let (args, depths) = (Vec::new(), Vec::new());
        KernelWriter { kernel, title, args, levels: vec![top], depths, parts_depth: 0 }
    }

    /// The finished kernel and the buffers of its slots.
    pub fn finish(mut self) -> Written {
        assert_eq!(self.levels.len(), 1, "an open loop");
        self.kernel.body = self.levels.pop().expect("the top").body;
        Written { kernel: self.kernel, title: self.title, args: self.args }
    }

    /// Sets the number of parts, where it is known only after the kernel was begun.
    pub fn set_parts(&mut self, parts: usize) {
        self.kernel.parts = parts;
    }

    /// The slot of a buffer.
    pub fn slot(&mut self, buffer: BufferId, dtype: DType, len: usize) -> SlotId {
        if let Some(at) = self.args.iter().position(|&known| known == buffer) {
            return SlotId::from_index(at);
        }
        self.args.push(buffer);
        self.kernel.slots.push(Slot { dtype, len })
    }

    /// Makes a slot hold at least `len` elements.
    pub fn widen(&mut self, slot: SlotId, len: usize) {
        let known = &mut self.kernel.slots[slot].len;
        *known = len.max(*known);
    }

    /// The type of a slot's elements.
    pub fn slot_type(&self, slot: SlotId) -> DType {
        self.kernel.slots[slot].dtype
    }

    /// A new loop variable.
    pub fn var(&mut self, extent: usize) -> VarId {
        self.kernel.vars.push(extent)
    }

    /// Opens a body: of a loop, or a branch where `var` is none.
    pub fn open(&mut self, var: Option<VarId>) {
        self.levels.push(OpenBody { var, body: Vec::new(), known: FxHashMap::default() });
    }

    /// Opens the loop over parts.
    pub fn open_parts(&mut self, var: VarId) {
        self.open(Some(var));
        self.parts_depth = self.depth();
    }

    /// Closes the innermost body.
    pub fn close(&mut self) -> Vec<Stmt> {
        self.levels.pop().expect("an open body").body
    }

    /// How many bodies are open inside the kernel's own.
    pub fn depth(&self) -> usize {
        self.levels.len() - 1
    }

    /// Adds a statement to the innermost body.
    pub fn push(&mut self, stmt: Stmt) {
        self.levels.last_mut().expect("an open body").body.push(stmt);
    }

    /// Adds a contraction, with as few axes as possible.
    pub fn tile(&mut self, tile: Tile) {
        self.push(Stmt::Tile(tile.merged()));
    }

    /// The depth of the innermost loop that an index depends on.
    pub fn affine_depth(&self, affine: &Affine) -> usize {
        let uses = |level: &OpenBody<K>| level.var.is_some_and(|var| affine.factor(var) != 0);
        self.levels.iter().rposition(uses).unwrap_or(0)
    }

    /// The depth at which a scalar is known.
    pub fn reg_depth(&self, reg: RegId) -> usize {
        self.depths[reg.index()]
    }

    /// The type of a scalar.
    pub fn dtype(&self, reg: RegId) -> DType {
        self.kernel.regs[reg]
    }

    /// A value remembered under a key, where it is still known.
    pub fn known(&self, key: &K) -> Option<RegId> {
        self.levels.iter().rev().find_map(|level| level.known.get(key).copied())
    }

    /// Remembers a value as long as it is known.
    pub fn remember(&mut self, key: K, reg: RegId) {
        let depth = self.reg_depth(reg);
        self.levels[depth].known.insert(key, reg);
    }

    /// A new scalar at a depth.
    fn reg(&mut self, dtype: DType, depth: usize) -> RegId {
        self.depths.push(depth);
        self.kernel.regs.push(dtype)
    }

    /// Defines a scalar where its arguments (and at least `depth`) are known. Memory is read
    /// inside of the loop over parts: by the thread of the part, not by all.
    pub fn define(&mut self, dtype: DType, depth: usize, inst: Inst) -> RegId {
        let regs = match &inst {
            Inst::LoadAt { index, .. } | Inst::Checked { index, .. } => vec![*index],
            Inst::Unary(_, a) | Inst::Cast(_, a) => vec![*a],
            Inst::Binary(_, a, b) => vec![*a, *b],
            Inst::Select(a, b, c) | Inst::Fma(a, b, c) => vec![*a, *b, *c],
            Inst::F32(_)
            | Inst::I32(_)
            | Inst::Bool(_)
            | Inst::Index(_)
            | Inst::Load(_)
            | Inst::Uniform { .. } => Vec::new(),
        };
        let index = match &inst {
            Inst::Load(access) => self.affine_depth(&access.index),
            Inst::LoadAt { base, .. } => self.affine_depth(&base.index),
            Inst::Index(affine) => self.affine_depth(affine),
            Inst::Checked { element, .. } | Inst::Uniform { element, .. } => {
                self.affine_depth(element)
            }
            _ => 0,
        };
        let deepest = regs.iter().map(|&reg| self.reg_depth(reg)).max().unwrap_or(0);
        let reads = matches!(inst, Inst::Load(_) | Inst::LoadAt { .. } | Inst::Checked { .. });
        let depth = depth.max(index).max(deepest).max(if reads { self.parts_depth } else { 0 });
        let reg = self.reg(dtype, depth);
        self.levels[depth].body.push(Stmt::Let { reg, inst });
        reg
    }

    /// Stores a scalar, in the innermost body.
    pub fn store(&mut self, slot: SlotId, index: Affine, value: RegId) {
        self.push(Stmt::Store { access: Access { slot, index }, value });
    }

    /// Closes a vector loop with the scalars that it reduces; gives their results.
    pub fn close_vector(
        &mut self,
        var: VarId,
        values: &[(crate::loops::Reduce, RegId)],
    ) -> Vec<RegId> {
        let body = self.close();
        let depth = self.depth();
        let mut reductions = Vec::new();
        for &(op, value) in values {
            let reg = self.reg(self.dtype(value), depth);
            reductions.push(Reduction { reg, op, value });
        }
        let regs = reductions.iter().map(|reduction| reduction.reg).collect();
        self.push(Stmt::Vector { var, body, reductions });
        regs
    }

    /// Closes a serial loop.
    pub fn close_for(&mut self, var: VarId) {
        let body = self.close();
        self.push(Stmt::For { var, body });
    }

    /// Closes the loop over parts.
    pub fn close_parts(&mut self, var: VarId) {
        let body = self.close();
        self.parts_depth = 0;
        self.push(Stmt::Parts { var, body });
    }
}
