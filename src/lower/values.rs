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

use crate::base::entity::Entity;
use crate::base::scalar::{Binary, Unary};
use crate::base::tensor::DType;
use crate::graph::domain::{AffineIndex, Domain, Level};
use crate::graph::view::{View, row_major};
use crate::graph::{NodeId, Op};
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
        let dtype = graph.ty(node).dtype;
        match op {
            Op::Const(value, dtype) => self.constant(*value, *dtype),
            Op::Cast(to) => {
                let arg = graph.nodes[node].args[0];
                if graph.ty(arg).dtype == DType::F64 {
                    let value = self.uniform(arg);
                    return self.cast(value, *to);
                }
                let value = self.value(arg, forms);
                self.cast(value, *to)
            }
            Op::Unary(op) => {
                let a = self.arg(node, 0, forms);
                self.writer.define(scalar_type(dtype), 0, Inst::Unary(*op, a))
            }
            Op::Binary(op) => {
                let (a, b) = (self.arg(node, 0, forms), self.arg(node, 1, forms));
                self.writer.define(scalar_type(dtype), 0, Inst::Binary(*op, a, b))
            }
            Op::Where => {
                let condition = self.arg(node, 0, forms);
                let (a, b) = (self.arg(node, 1, forms), self.arg(node, 2, forms));
                self.writer.define(scalar_type(dtype), 0, Inst::Select(condition, a, b))
            }
            Op::Iota { axis, .. } => self.counted(&forms[*axis]),
            Op::Uniform { stream, .. } => {
                let element = flat(graph.extents(node), forms, self.domain.axes.len());
                let element = self.affine(&element);
                self.writer.define(DType::F32, 0, Inst::Uniform { stream: *stream, element })
            }
            Op::Gather(axis) => self.gather(node, *axis, forms),
            Op::Pick => self.pick(node, forms),
            Op::Input(_) | Op::Param(_) | Op::State(_) => {
                let view = View::whole(node, graph.extents(node));
                self.load(&view, forms)
            }
            Op::Reshape(_)
            | Op::Broadcast(_)
            | Op::Transpose(_)
            | Op::Slice(_)
            | Op::StopGradient
            | Op::Reduce(..) => {
                // A move: the copy of a view.
                let view = self.step.view_of_copy(node);
                match view {
                    Some(view) => self.load(&view, forms),
                    None => {
                        let inner = self.domain.through(graph, node, forms).expect("a simple view");
                        self.value(graph.nodes[node].args[0], &inner)
                    }
                }
            }
            Op::Hyper(_)
            | Op::Step
            | Op::Extent(_)
            | Op::Concat(_)
            | Op::Pad { .. }
            | Op::ArgMax(_)
            | Op::Variance(_)
            | Op::MatMul { .. }
            | Op::Conv { .. }
            | Op::ConvInputGrad { .. }
            | Op::ConvWeightGrad { .. }
            | Op::MaxPool(_)
            | Op::MaxPoolIndex(_)
            | Op::MaxPoolGrad { .. }
            | Op::SumPool(_)
            | Op::SumPoolGrad { .. }
            | Op::ScatterAdd { .. } => {
                unreachable!("{node} {op:?} is not computed element by element")
            }
        }
    }

    fn arg(&mut self, node: NodeId, position: usize, forms: &[AffineIndex]) -> RegId {
        self.value(self.step.graph.nodes[node].args[position], forms)
    }

    /// A constant.
    pub fn constant(&mut self, value: f64, dtype: DType) -> RegId {
        let dtype = scalar_type(dtype);
        let inst = match dtype {
            DType::F32 | DType::F64 => Inst::F32(value as f32),
            DType::I32 | DType::U8 => Inst::I32(value as i32),
            DType::Bool => Inst::Bool(value != 0.0),
        };
        self.writer.define(dtype, 0, inst)
    }

    /// A value as another type.
    pub fn cast(&mut self, value: RegId, to: DType) -> RegId {
        if to == DType::U8 {
            return self.byte(value);
        }
        if self.writer.dtype(value) == to {
            return value;
        }
        self.writer.define(to, 0, Inst::Cast(to, value))
    }

    /// A value as a byte. Bytes are computed as integers, and narrowed by the store: a float is
    /// saturated here, of an integer the low bits are kept.
    fn byte(&mut self, value: RegId) -> RegId {
        let from = self.writer.dtype(value);
        let value = self.cast(value, DType::I32);
        let int = |own: &mut Self, op: Binary, a: RegId, b: f64| {
            let b = own.constant(b, DType::I32);
            own.writer.define(DType::I32, 0, Inst::Binary(op, a, b))
        };
        match from {
            DType::F32 => {
                let value = int(self, Binary::Max, value, 0.0);
                int(self, Binary::Min, value, 255.0)
            }
            DType::I32 => {
                // The remainder has the sign of the value.
                let whole = int(self, Binary::Div, value, 256.0);
                let whole = int(self, Binary::Mul, whole, 256.0);
                let rest = Inst::Binary(Binary::Sub, value, whole);
                let rest = self.writer.define(DType::I32, 0, rest);
                let above = int(self, Binary::Add, rest, 256.0);
                let zero = self.constant(0.0, DType::I32);
                let below = Inst::Binary(Binary::Lt, rest, zero);
                let below = self.writer.define(DType::Bool, 0, below);
                self.writer.define(DType::I32, 0, Inst::Select(below, above, rest))
            }
            DType::Bool | DType::U8 | DType::F64 => value,
        }
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
        let mut flat = AffineIndex::constant(view.offset, self.domain.axes.len());
        for (&stride, form) in view.strides.iter().zip(forms) {
            flat.add(form, stride);
        }
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
        match saved {
            Saved::Whole(slot) => self.load_flat(node, slot, &flat, depth),
            Saved::Row(slot) => {
                let index = self.affine(&self.within_row(&flat));
                let dtype = scalar_type(self.step.graph.ty(node).dtype);
                self.writer.define(dtype, depth, Inst::Load(Access { slot, index }))
            }
        }
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

    /// The forms of all that a kernel reads, writes or counts: axes may be joined where all of
    /// these allow.
    pub fn all_forms(&self, nodes: &[NodeId]) -> Vec<AffineIndex> {
        let graph = self.step.graph;
        let axes = self.domain.axes.len();
        let mut found = Vec::new();
        for &node in nodes {
            let Some(&level) = self.domain.levels.get(&node) else { continue };
            let own = self.domain.own_forms(graph, node);
            found.push(flat(graph.extents(node), &own, axes));
            if !self.nodes.contains(&node) {
                continue;
            }
            self.forms_of_operator(node, &own, &mut found);
            if let Op::Reduce(..) | Op::ArgMax(_) | Op::Pick = graph.nodes[node].op
                && level == Level::Row
            {
                let arg = graph.nodes[node].args[0];
                if let Some(forms) = self.domain.forms(graph.extents(arg), Level::Full) {
                    self.forms_below(arg, &forms, &mut found);
                }
            }
        }
        found
    }

    /// The forms of all that evaluating a node at `forms` reads from memory or counts.
    pub fn forms_below(&self, node: NodeId, forms: &[AffineIndex], found: &mut Vec<AffineIndex>) {
        let graph = self.step.graph;
        let inside = |node: NodeId| self.domain.levels.contains_key(&node);
        let source = graph.base_or(node, |node| inside(node) || self.step.in_memory(node));
        if inside(source) {
            return;
        }
        if self.step.in_memory(source) {
            let view = self.step.view(node);
            let mut flat = AffineIndex::constant(view.offset, self.domain.axes.len());
            for (&stride, form) in view.strides.iter().zip(forms) {
                flat.add(form, stride);
            }
            found.push(flat);
        } else if graph.is_view(node) {
            if let Some(inner) = self.domain.through(graph, node, forms) {
                self.forms_below(graph.nodes[node].args[0], &inner, found);
            }
        } else {
            self.forms_of_operator(node, forms, found);
        }
    }

    fn forms_of_operator(&self, node: NodeId, forms: &[AffineIndex], found: &mut Vec<AffineIndex>) {
        let graph = self.step.graph;
        let args = &graph.nodes[node].args;
        match &graph.nodes[node].op {
            Op::Iota { axis, .. } => found.push(forms[*axis].clone()),
            Op::Gather(axis) => {
                let rank = graph.extents(args[1]).len();
                self.forms_below(args[1], &forms[*axis..*axis + rank], found);
                let mut table = forms[..*axis].to_vec();
                table.push(AffineIndex::constant(0, self.domain.axes.len()));
                table.extend_from_slice(&forms[*axis + rank..]);
                self.forms_below(args[0], &table, found);
            }
            Op::Unary(_) | Op::Binary(_) | Op::Where => {
                for &arg in args {
                    self.forms_below(arg, forms, found);
                }
            }
            Op::Cast(_) if graph.ty(args[0]).dtype != DType::F64 => {
                self.forms_below(args[0], forms, found);
            }
            Op::Pick => self.forms_below(args[1], forms, found),
            _ if graph.is_view(node) => match self.step.view_of_copy(node) {
                Some(view) => {
                    let mut flat = AffineIndex::constant(view.offset, self.domain.axes.len());
                    for (&stride, form) in view.strides.iter().zip(forms) {
                        flat.add(form, stride);
                    }
                    found.push(flat);
                }
                None => {
                    if let Some(inner) = self.domain.through(graph, node, forms) {
                        self.forms_below(args[0], &inner, found);
                    }
                }
            },
            _ => {}
        }
    }
}

/// Whether computing an operator again costs more than loading its value.
pub fn is_expensive(op: &Op) -> bool {
    match op {
        Op::Unary(op) => {
            !matches!(op, Unary::Neg | Unary::Abs | Unary::Sign | Unary::Floor | Unary::Not)
        }
        Op::Binary(op) => matches!(op, Binary::Div | Binary::Pow),
        Op::Uniform { .. } | Op::Gather(_) => true,
        _ => false,
    }
}
