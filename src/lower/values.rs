//! Element-wise expressions: the scalar that holds a node's value at the element being computed.
//!
//! Takes a node and the index along each of its axes, as linear forms of the nest's axes; emits
//! loads and scalar instructions, each in the outermost loop that knows what it needs. Views
//! change the forms, cheap nodes are computed in place, nodes of other kernels are loaded.
//!
//! ```text
//! %7 = add %5 (broadcast %2)    at (i, j)    r0 = load %5[10·i + j]
//!                                            r1 = load %2[j]
//!                                            r2 = add r0 r1
//! ```
//!
//! A picked element (`pick(x, label)`) is `x`'s own expression, evaluated once more at the column
//! that the label names. Loops, phases and results are `nest`'s.

mod forms;
mod number;

use crate::base::entity::Entity;
use crate::base::scalar::Binary;
use crate::base::scalar::unary::Effort;
use crate::base::tensor::DType;
use crate::graph::domain::{AffineIndex, Domain, Level};
use crate::graph::view::{View, row_major};
use crate::graph::{NodeId, Op, OpKind};
use crate::loops::{Access, Affine, BufferId, Inst, RegId, SlotId};
use crate::lower::StepBuilder;
use crate::lower::writer::KernelWriter;
use rustc_hash::{FxHashMap, FxHashSet};

/// A value at a place. The same forms are other places where an axis's index is another: a loop over
/// first rows, one of several rows that one body computes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ValueKey {
    node: NodeId,
    /// How many axes the nest has, the value's indices by these, then what the index along each of these axes is by the loops
    /// that are open: one number after the other.
    place: Vec<i64>,
    /// The pick that replaces the column.
    pick: Option<NodeId>,
}

/// Where a value that is needed again was put.
#[derive(Clone, Debug)]
pub enum Saved {
    /// In memory as a whole.
    Whole(SlotId),
    /// One row of it, written anew for each row.
    Row(SlotId),
    /// A block of rows of it, written anew for each block.
    Block(SlotId),
}

/// Expressions over a nest of loops.
pub struct NestValues<'s, 'a> {
    /// The step that the kernel belongs to.
    pub step: &'s mut StepBuilder<'a>,
    /// The kernel being written.
    pub writer: KernelWriter<ValueKey>,
    /// The nest's axes.
    pub domain: Domain,
    /// The nodes that this kernel computes.
    pub nodes: FxHashSet<NodeId>,
    /// The index along each axis; an axis that is joined to the next one has none of its own.
    pub index: Vec<Affine>,
    /// The results of reductions, once known.
    pub reduced: FxHashMap<NodeId, RegId>,
    /// Values that can be loaded again.
    pub saved: FxHashMap<NodeId, Saved>,
    /// The first element of the block of rows that is being computed.
    pub block: Affine,
    /// The pick being evaluated and its tested index.
    picked: Option<(NodeId, RegId)>,
    /// Memory for the next key.
    spare: Vec<i64>,
}

/// The type of the scalar that holds an element.
pub fn scalar_type(dtype: DType) -> DType {
    match dtype {
        DType::U8 => DType::I32,
        DType::F64 => unreachable!("f64 values are uniform"),
        DType::F32 | DType::I32 | DType::Bool => dtype,
    }
}

/// An index into a row-major tensor from the indices along its axes.
pub fn flat(shape: &[usize], forms: &[AffineIndex], axes: usize) -> AffineIndex {
    let mut flat = AffineIndex::constant(0, axes);
    for (stride, form) in row_major(shape).into_iter().zip(forms) {
        flat.add(form, stride);
    }
    flat
}

impl<'s, 'a> NestValues<'s, 'a> {
    /// Expressions of a kernel that computes `nodes`.
    pub fn new(
        step: &'s mut StepBuilder<'a>,
        writer: KernelWriter<ValueKey>,
        domain: Domain,
        nodes: &[NodeId],
    ) -> Self {
        let index = vec![Affine::default(); domain.axes.len()];
        NestValues {
            step,
            writer,
            domain,
            nodes: nodes.iter().copied().collect(),
            index,
            reduced: FxHashMap::default(),
            saved: FxHashMap::default(),
            block: Affine::default(),
            picked: None,
            spare: Vec::new(),
        }
    }

    /// Expressions over other axes than the kernel's own, those of an operand; none of the
    /// kernel's nodes are among them.
    pub fn over<T>(&mut self, domain: Domain, body: impl FnOnce(&mut Self) -> T) -> T {
        let index = vec![Affine::default(); domain.axes.len()];
        let outside = (
            std::mem::replace(&mut self.domain, domain),
            std::mem::replace(&mut self.index, index),
        );
        let result = body(self);
        (self.domain, self.index) = outside;
        result
    }

    /// A form as an expression of loop variables.
    pub fn affine(&self, form: &AffineIndex) -> Affine {
        let mut sum = Affine::constant(form.offset);
        for (&factor, index) in form.factors.iter().zip(&self.index) {
            sum.add(index, factor);
        }
        sum
    }

    /// The value of a node that the nest computes, at the element being computed.
    pub fn own_value(&mut self, node: NodeId) -> RegId {
        let forms = self.domain.own_forms(self.step.graph, node);
        self.value(node, &forms)
    }

    /// The value of a node at the given indices.
    pub fn value(&mut self, node: NodeId, forms: &[AffineIndex]) -> RegId {
        if let Some(&reg) = self.reduced.get(&node) {
            return reg;
        }
        let key = self.key(node, forms);
        if let Some(reg) = self.writer.known(&key) {
            self.spare = key.place;
            return reg;
        }
        let reg = self.compute(node, forms);
        self.writer.remember(key, reg);
        reg
    }

    /// The key under which a value at the given indices is remembered.
    fn key(&mut self, node: NodeId, forms: &[AffineIndex]) -> ValueKey {
        let mut place = std::mem::take(&mut self.spare);
        place.clear();
        place.push(self.index.len() as i64);
        for form in forms {
            place.push(form.offset);
            place.extend(&form.factors);
        }
        for (axis, index) in self.index.iter().enumerate() {
            if forms.iter().any(|form| form.factors[axis] != 0) {
                place.extend([index.offset, index.terms.len() as i64]);
                place.extend(index.terms.iter().flat_map(|&(var, by)| [var.index() as i64, by]));
            }
        }
        ValueKey { node, place, pick: self.picked.map(|(pick, _)| pick) }
    }

    fn compute(&mut self, node: NodeId, forms: &[AffineIndex]) -> RegId {
        let graph = self.step.graph;
        if self.picked.is_none()
            && let Some(saved) = self.saved.get(&node)
            && self.domain.levels.contains_key(&node)
            && self.domain.own_forms(graph, node) == forms
        {
            return self.load_saved(node, saved.clone(), forms);
        }
        if self.nodes.contains(&node) {
            return self.operator(node, forms);
        }
        let inside = |node: NodeId| self.domain.levels.contains_key(&node);
        let source = graph.base_or(node, |node| inside(node) || self.step.in_memory(node));
        if !inside(source) && self.step.in_memory(source) {
            let view = self.step.view(node);
            return self.load(&view, forms);
        }
        if graph.is_view(node) {
            let inner = self.domain.through(graph, node, forms).expect("what fusion has checked");
            return self.value(graph.nodes[node].args[0], &inner);
        }
        self.operator(node, forms)
    }

    /// The operator of a node, on the values of its arguments.
    fn operator(&mut self, node: NodeId, forms: &[AffineIndex]) -> RegId {
        let graph = self.step.graph;
        let op = &graph.nodes[node].op;
        match (op, op.kind()) {
            (_, OpKind::Elementwise) => self.elementwise(node, op, forms),
            (Op::Const(value, dtype), _) => self.constant(*value, *dtype),
            (Op::Iota { axis, .. }, _) => self.counted(&forms[*axis]),
            (Op::Uniform { stream, .. }, _) => {
                let element = flat(graph.extents(node), forms, self.domain.axes.len());
                let element = self.affine(&element);
                self.writer.define(DType::F32, 0, Inst::Uniform { stream: *stream, element })
            }
            (Op::Gather(axis), _) => self.gather(node, *axis, forms),
            (Op::Pick, _) => self.pick(node, forms),
            (_, OpKind::Given) => {
                let view = View::whole(node, graph.extents(node));
                self.load(&view, forms)
            }
            // A move: the copy of a view, such as the reduction of unit axes.
            (_, OpKind::View) | (Op::Reduce(..), _) => match self.step.view_of_copy(node) {
                Some(view) => self.load(&view, forms),
                None => {
                    let inner = self.domain.through(graph, node, forms).expect("a simple view");
                    self.value(graph.nodes[node].args[0], &inner)
                }
            },
            (
                _,
                OpKind::Number | OpKind::Const | OpKind::Generated | OpKind::Joined | OpKind::Scan,
            )
            | (_, OpKind::Reduction | OpKind::Choice | OpKind::Product | OpKind::Convolution)
            | (_, OpKind::Pool | OpKind::Indexed) => {
                unreachable!("{node} {op:?} is not computed element by element")
            }
        }
    }

    /// An operator whose arguments are read at the same indices.
    fn elementwise(&mut self, node: NodeId, op: &Op, forms: &[AffineIndex]) -> RegId {
        let graph = self.step.graph;
        let args = &graph.nodes[node].args;
        if let Op::Cast(to) = *op {
            let value = match graph.ty(args[0]).dtype {
                DType::F64 => self.uniform(args[0]),
                _ => self.value(args[0], forms),
            };
            return self.cast(value, to);
        }
        let mut values = [None; 3];
        for (value, &arg) in values.iter_mut().zip(args) {
            *value = Some(self.value(arg, forms));
        }
        let inst = match (op, values) {
            (Op::Unary(op), [Some(a), None, None]) => Inst::Unary(*op, a),
            (Op::Binary(op), [Some(a), Some(b), None]) => Inst::Binary(*op, a, b),
            (Op::Where, [Some(condition), Some(a), Some(b)]) => Inst::Select(condition, a, b),
            (other, _) => unreachable!("{node} {other:?} has no instruction"),
        };
        self.writer.define(scalar_type(graph.ty(node).dtype), 0, inst)
    }

    /// A uniform value: an element of the buffer of those.
    fn uniform(&mut self, node: NodeId) -> RegId {
        let (buffer, element) = self.step.uniform(node);
        let slot = self.writer.slot(buffer, DType::F32, element + 1);
        self.writer.widen(slot, element + 1);
        let index = Affine::constant(element as i64);
        self.writer.define(DType::F32, 0, Inst::Load(Access { slot, index }))
    }

    /// An index as a number; the picked column's is known from the data.
    fn counted(&mut self, form: &AffineIndex) -> RegId {
        let (form, factor) = self.without_column(form);
        let index = self.affine(&form);
        let counted = self.writer.define(DType::I32, 0, Inst::Index(index));
        match (self.picked, factor) {
            (Some((_, column)), 1..) => {
                let factor = self.constant(factor as f64, DType::I32);
                let moved = Inst::Binary(Binary::Mul, column, factor);
                let moved = self.writer.define(DType::I32, 0, moved);
                self.writer.define(DType::I32, 0, Inst::Binary(Binary::Add, counted, moved))
            }
            _ => counted,
        }
    }

    /// A form without the column that is being picked, and the column's factor.
    fn without_column(&self, form: &AffineIndex) -> (AffineIndex, i64) {
        let mut form = form.clone();
        let column = self.domain.axes.len().checked_sub(1);
        match (self.picked, column) {
            (Some(_), Some(column)) if column >= self.domain.rows => {
                let factor = std::mem::take(&mut form.factors[column]);
                (form, factor)
            }
            _ => (form, 0),
        }
    }

    /// An element of a value in memory.
    fn load(&mut self, view: &View, forms: &[AffineIndex]) -> RegId {
        let flat = self.place(view, forms);
        let slot = self.slot(view.base);
        self.load_flat(view.base, slot, &flat, 0)
    }

    fn load_flat(&mut self, node: NodeId, slot: SlotId, flat: &AffineIndex, depth: usize) -> RegId {
        let dtype = scalar_type(self.step.graph.ty(node).dtype);
        let (flat, stride) = self.without_column(flat);
        let access = Access { slot, index: self.affine(&flat) };
        match self.picked {
            Some((_, index)) if stride != 0 => {
                self.writer.define(dtype, depth, Inst::LoadAt { base: access, index, stride })
            }
            _ => self.writer.define(dtype, depth, Inst::Load(access)),
        }
    }

    /// The slot of a value in memory.
    pub fn slot(&mut self, node: NodeId) -> SlotId {
        let buffer = self.step.buffer(node);
        self.buffer_slot(buffer)
    }

    /// The slot of a buffer.
    pub fn buffer_slot(&mut self, buffer: BufferId) -> SlotId {
        let (dtype, len) = self.step.shape_of(buffer);
        self.writer.slot(buffer, dtype, len)
    }

    fn load_saved(&mut self, node: NodeId, saved: Saved, forms: &[AffineIndex]) -> RegId {
        let flat = flat(self.step.graph.extents(node), forms, self.domain.axes.len());
        // Not before it was written, whatever its index depends on.
        let depth = self.writer.depth();
        let (slot, index) = match saved {
            Saved::Whole(slot) => return self.load_flat(node, slot, &flat, depth),
            Saved::Row(slot) => (slot, self.affine(&self.within_row(&flat))),
            Saved::Block(slot) => (slot, self.within_block(&flat)),
        };
        let dtype = scalar_type(self.step.graph.ty(node).dtype);
        self.writer.define(dtype, depth, Inst::Load(Access { slot, index }))
    }

    /// An index counted from the first element of the block of rows.
    pub fn within_block(&self, flat: &AffineIndex) -> Affine {
        let mut index = self.affine(flat);
        index.add(&self.block, -1);
        index
    }

    /// An index without its row.
    pub fn within_row(&self, flat: &AffineIndex) -> AffineIndex {
        let mut form = flat.clone();
        form.factors[..self.domain.rows].fill(0);
        form
    }

    /// The column of a row that an index from data names.
    fn pick(&mut self, node: NodeId, forms: &[AffineIndex]) -> RegId {
        let graph = self.step.graph;
        let [x, index] = graph.nodes[node].args[..] else { unreachable!("pick takes two") };
        let value = self.value(index, forms);
        let bound = *graph.extents(x).last().expect("pick takes rows");
        let checked = self.checked(node, index, value, bound, forms);
        let inner = self.domain.forms(graph.extents(x), Level::Full).expect("a nest's rows");
        let outer = self.picked.replace((node, checked));
        let result = self.value(x, &inner);
        self.picked = outer;
        result
    }

    /// A tested index.
    pub fn checked(
        &mut self,
        node: NodeId,
        index: NodeId,
        value: RegId,
        bound: usize,
        forms: &[AffineIndex],
    ) -> RegId {
        let site = self.step.site(node);
        let element = flat(self.step.graph.extents(index), forms, self.domain.axes.len());
        let element = self.affine(&element);
        self.writer.define(DType::I32, 0, Inst::Checked { index: value, bound, site, element })
    }

    /// The entry of a table that an index from data names.
    fn gather(&mut self, node: NodeId, axis: usize, forms: &[AffineIndex]) -> RegId {
        let graph = self.step.graph;
        let [table, index] = graph.nodes[node].args[..] else { unreachable!("gather takes two") };
        let rank = graph.extents(index).len();
        let at = &forms[axis..axis + rank];
        let value = self.value(index, at);
        let checked = self.checked(node, index, value, graph.extents(table)[axis], at);
        let view = self.step.view(table);
        let mut flat = AffineIndex::constant(view.offset, self.domain.axes.len());
        let others = forms[..axis].iter().chain(&forms[axis + rank..]);
        let strides = view.strides[..axis].iter().chain(&view.strides[axis + 1..]);
        for (form, &stride) in others.zip(strides) {
            flat.add(form, stride);
        }
        let slot = self.slot(view.base);
        let base = Access { slot, index: self.affine(&flat) };
        let dtype = scalar_type(graph.ty(node).dtype);
        let stride = view.strides[axis];
        self.writer.define(dtype, 0, Inst::LoadAt { base, index: checked, stride })
    }
}

/// Whether computing an operator again costs more than loading its value.
pub fn is_expensive(op: &Op) -> bool {
    match op {
        Op::Unary(op) => op.row().effort == Effort::Much,
        Op::Binary(op) => op.effort() == Effort::Much,
        Op::Uniform { .. } | Op::Gather(_) => true,
        _ => false,
    }
}
