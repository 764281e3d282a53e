//! Productions that change shapes: elements moved, reductions, contractions, and operators indexed
//! by data.

use nnc::base::tensor::DType;
use nnc::graph::{Binary, Dim, NodeId, Op, OpKind, Range, Reduce, Shape, Type};

use super::derivative_cases::{Case, all};
use super::{EXTENTS, Generator, Made, Value};
use std::sync::LazyLock;

/// The cases of derivatives that are one operator of floats.
static SINGLE: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let of_floats = |case: &Case| {
        let nodes = &case.graph.nodes;
        let arguments = case.inputs.iter().all(|(_, value)| value.dtype() == DType::F32);
        let op = nodes.values().next_back().map(|node| node.op.kind());
        // Functions have productions, which know their domains.
        let is_function = op == Some(OpKind::Elementwise);
        arguments && nodes.len() == case.inputs.len() + 1 && !is_function
    };
    all().into_iter().filter(of_floats).collect()
});

impl Generator {
    /// An operator as a case of its derivative has it, on inputs of its own; `turn` counts round
    /// the cases.
    pub(super) fn case(&mut self, turn: usize) {
        let case = &SINGLE[turn % SINGLE.len()];
        let elements: usize =
            case.inputs.iter().map(|(_, value)| value.shape.iter().product::<usize>()).sum();
        let mut args = Vec::new();
        for (_, value) in &case.inputs {
            let name = format!("case{}", self.build.graph.inputs.len());
            let ty = Type::new(DType::F32, Shape::known(&value.shape));
            args.push(self.build.input(&name, ty));
        }
        let op = case.graph.nodes.values().next_back().expect("an operator").op.clone();
        let node = self.build.op(op, &args).expect("the case has these types");
        // Inputs are at most 2 in size, and at most all of their products are added.
        self.keep(Value { node, bound: 4.0 * elements as f64, exact: false });
    }

    /// A value that decays from slice to slice, to which slices are added; now and then one that is a
    /// step late.
    pub(super) fn scan(&mut self) -> Made {
        let fits = |ty: &Type, _: &Value| {
            ty.dtype == DType::F32 && ty.shape.first().is_some_and(|dim| dim.known().is_some())
        };
        let Some(x) = self.value(fits) else { return Ok(None) };
        let steps = self.build.ty(x.node).shape[0].known().expect("a known axis");
        let reverse = self.below(2) == 0;
        let scan = self.build.scan(steps, reverse);
        let slice = self.build.op(Op::ScanSlice(scan), &[x.node])?;
        let begin = self.build.constant(0.25, DType::F32);
        let shape = self.build.ty(slice).shape.clone();
        let begin = self.build.broadcast_to(begin, &shape)?;
        let (carry, sum) = self.build.carry(scan, begin)?;
        let half = self.build.constant(0.5, DType::F32);
        let decayed = self.build.binary(Binary::Mul, sum, half)?;
        let next = self.build.binary(Binary::Add, decayed, slice)?;
        let next = self.build.unary(nnc::graph::Unary::Tanh, next)?;
        self.build.hand_on(carry, next);
        let given = match self.below(3) {
            0 => {
                let (late, before) = self.build.carry(scan, begin)?;
                self.build.hand_on(late, sum);
                self.build.binary(Binary::Mul, before, slice)?
            }
            1 => sum,
            _ => next,
        };
        let node = self.build.op(Op::ScanStack(scan), &[given])?;
        Ok(Some(Value { node, bound: x.bound.max(1.0), exact: false }))
    }

    pub(super) fn broadcast(&mut self) -> Made {
        let x = self.float();
        let shape = self.build.ty(x.node).shape.clone();
        if shape.rank() >= 3 {
            return Ok(None);
        }
        let lead = if shape.has_batch() || self.below(2) == 0 {
            Dim::Known(self.pick(&EXTENTS))
        } else {
            Dim::N
        };
        let last = self.pick(&EXTENTS);
        let mut dims = shape.to_vec();
        if let Some(dim) = dims.last_mut().filter(|dim| **dim == Dim::Known(1)) {
            *dim = Dim::Known(last);
        }
        dims.insert(0, lead);
        let wider = Shape::from(dims);
        if !self.fits_in_memory(&wider) {
            return Ok(None);
        }
        Ok(Some(Value { node: self.build.broadcast_to(x.node, &wider)?, ..x }))
    }

    pub(super) fn reshape(&mut self) -> Made {
        let Some(x) = self.float_of_rank(1) else { return Ok(None) };
        let mut dims = self.build.ty(x.node).shape.to_vec();
        let axis = self.below(dims.len());
        if axis + 1 < dims.len()
            && let Some(product) = dims[axis].mul(dims[axis + 1])
        {
            dims[axis] = product;
            dims.remove(axis + 1);
        } else if dims.len() < 4 {
            let dim = dims.remove(axis);
            let factor = Dim::Known(self.pick(&[1, 2, 3]));
            match dim.div(factor) {
                Some(rest) => dims.splice(axis..axis, [rest, factor]),
                None => dims.splice(axis..axis, [Dim::Known(1), dim]),
            };
        }
        Ok(Some(Value { node: self.build.reshape(x.node, dims.into())?, ..x }))
    }

    pub(super) fn transpose(&mut self) -> Made {
        let Some(x) = self.float_of_rank(2) else { return Ok(None) };
        let mut perm: Vec<usize> = (0..self.build.ty(x.node).shape.rank()).collect();
        self.sequence.shuffle(&mut perm);
        Ok(Some(Value { node: self.build.transpose(x.node, &perm)?, ..x }))
    }

    pub(super) fn slice(&mut self) -> Made {
        let Some(x) = self.float_of_rank(1) else { return Ok(None) };
        let dims = self.build.ty(x.node).shape.to_vec();
        let ranges = dims.into_iter().map(|dim| self.range(dim)).collect();
        Ok(Some(Value { node: self.build.slice(x.node, ranges)?, ..x }))
    }

    /// Some of an axis, often backwards or with gaps.
    fn range(&mut self, dim: Dim) -> Range {
        let Dim::Known(extent) = dim else { return Range::ALL };
        let step: isize = self.pick(&[1, 1, 2, 3, -1, -2]);
        let start = self.below(extent);
        let ahead = if step > 0 { extent - 1 - start } else { start };
        let most = ahead / step.unsigned_abs() + 1;
        Range { start, len: Some(1 + self.below(most)), step }
    }

    pub(super) fn concat(&mut self) -> Made {
        let known = |dim: &Dim| dim.known().is_some();
        let Some(a) = self.value(|ty, _| ty.dtype == DType::F32 && ty.shape.iter().any(known))
        else {
            return Ok(None);
        };
        let b = self.alike(a);
        let shape = self.build.ty(a.node).shape.clone();
        let axes: Vec<usize> = (0..shape.rank()).filter(|&axis| known(&shape[axis])).collect();
        let axis = self.pick(&axes);
        let ranges = (0..shape.rank())
            .map(|i| if i == axis { self.range(shape[i]) } else { Range::ALL })
            .collect();
        let part = self.build.slice(b.node, ranges)?;
        if !self.fits_in_memory(&[&shape[..], &[Dim::Known(3)]].concat().into()) {
            return Ok(None);
        }
        let node = self.build.concat(&[part, a.node, part], axis)?;
        Ok(Some(Value { node, bound: a.bound.max(b.bound), exact: a.exact && b.exact }))
    }

    pub(super) fn pad(&mut self) -> Made {
        let Some(x) = self.float_of_rank(1) else { return Ok(None) };
        let shape = self.build.ty(x.node).shape.clone();
        if shape.rank() > 3 || !self.fits_in_memory(&[&shape[..], &[Dim::Known(8)]].concat().into())
        {
            return Ok(None);
        }
        let amount = |dim: &Dim| match dim {
            Dim::Known(_) => (self.sequence.below(2) as usize, self.sequence.below(3) as usize),
            Dim::Batch(_) => (0, 0),
        };
        let amounts = shape.iter().map(amount).collect();
        let value = self.pick(&[0.0, 1.5]);
        let node = self.build.pad(x.node, amounts, value)?;
        Ok(Some(Value { node, bound: x.bound.max(1.5), exact: x.exact }))
    }

    pub(super) fn reduce(&mut self) -> Made {
        let Some(x) = self.float_of_rank(1) else { return Ok(None) };
        let shape = self.build.ty(x.node).shape.clone();
        let mut axes: Vec<usize> = (0..shape.rank()).collect();
        axes.retain(|_| self.sequence.below(2) == 0);
        if axes.is_empty() {
            axes.push(shape.rank() - 1);
        }
        let keep = self.below(2) == 0;
        Ok(Some(match self.below(4) {
            0 => {
                let op = self.pick(&[Reduce::Max, Reduce::Min]);
                Value { node: self.build.reduce(op, x.node, &axes, keep)?, ..x }
            }
            1 => {
                let count: usize = axes.iter().map(|&axis| shape[axis].at(4)).product();
                let node = self.build.reduce(Reduce::Sum, x.node, &axes, keep)?;
                Value { node, bound: x.bound * count as f64, exact: false }
            }
            _ => {
                Value { node: self.build.mean(x.node, &axes, keep)?, bound: x.bound, exact: false }
            }
        }))
    }

    /// A value and a reduction of it over any axes, broadcast back: what norms and softmax do.
    pub(super) fn reduce_back(&mut self) -> Made {
        let Some(x) = self.float_of_rank(1) else { return Ok(None) };
        let mut axes: Vec<usize> = (0..self.build.ty(x.node).shape.rank()).collect();
        axes.retain(|_| self.sequence.below(2) == 0);
        if axes.is_empty() {
            axes.push(0);
        }
        let reduced = match self.below(4) {
            0 => self.build.mean(x.node, &axes, true)?,
            1 => self.build.variance(x.node, &axes, true)?,
            2 => self.build.reduce(Reduce::Min, x.node, &axes, true)?,
            _ => self.build.reduce(Reduce::Max, x.node, &axes, true)?,
        };
        let op = self.pick(&[Binary::Sub, Binary::Mul, Binary::Add]);
        let node = self.build.binary(op, x.node, reduced)?;
        let bound = (x.bound + x.bound.powi(2)).max(x.bound.powi(3));
        Ok(Some(Value { node, bound, exact: false }))
    }

    pub(super) fn arg_max(&mut self) -> Made {
        let Some(x) = self.value(|ty, x| ty.dtype == DType::F32 && x.exact && !ty.shape.is_empty())
        else {
            return Ok(None);
        };
        let shape = self.build.ty(x.node).shape.clone();
        let axis = self.below(shape.rank());
        let node = self.build.arg_max(x.node, axis, self.sequence.below(2) == 0)?;
        let index = Value { node, bound: shape[axis].at(1) as f64, exact: true };
        if shape[axis].known().is_some() {
            self.values.push(index);
        }
        let node = self.build.cast(node, DType::F32)?;
        Ok(Some(Value { node, bound: shape[axis].at(4) as f64, exact: true }))
    }

    pub(super) fn matmul(&mut self) -> Made {
        let Some(a) = self.float_of_rank(2) else { return Ok(None) };
        let shape = self.build.ty(a.node).shape.clone();
        let rank = shape.rank();
        let (rows, k) = (shape[rank - 2], shape[rank - 1]);
        let (m, k_elements) = (rows.at(1), k.at(4) as f64);
        // Against itself, so that both transposes, batches and a contraction over N are met.
        let gram = self.below(3);
        if gram == 0 && m * m <= 400 {
            let transposed = Op::MatMul { transpose_a: false, transpose_b: true };
            let node = self.build.op(transposed, &[a.node, a.node])?;
            return Ok(Some(Value { node, bound: a.bound.powi(2) * k_elements, exact: false }));
        }
        if gram == 1 && k.at(1).pow(2) <= 400 {
            let transposed = Op::MatMul { transpose_a: true, transpose_b: false };
            let node = self.build.op(transposed, &[a.node, a.node])?;
            let bound = a.bound.powi(2) * rows.at(4) as f64;
            return Ok(Some(Value { node, bound, exact: false }));
        }
        let fits = |ty: &Type, _: &Value| {
            let from_last = ty.shape.rank().saturating_sub(2);
            ty.dtype == DType::F32 && (1..=2).contains(&ty.shape.rank()) && ty.shape[from_last] == k
        };
        let Some(b) = self.value(fits) else { return Ok(None) };
        let node = self.build.matmul(a.node, b.node)?;
        Ok(Some(Value { node, bound: a.bound * b.bound * k_elements, exact: false }))
    }

    /// `pick`, `gather` and `scatter_add` by an index from data.
    pub(super) fn indexed(&mut self) -> Made {
        let known_last = |shape: &Shape| shape.last().is_some_and(|dim| dim.known().is_some());
        let Some(x) = self.value(|ty, _| ty.dtype == DType::F32 && known_last(&ty.shape)) else {
            return Ok(None);
        };
        let shape = self.build.ty(x.node).shape.clone();
        let (&last, rows) = shape.split_last().expect("a last axis");
        let extent = last.at(1);
        let rows = Shape::from(rows);
        if self.below(2) == 0 {
            let index = self.index(rows, extent);
            let node = self.build.pick(x.node, index)?;
            return Ok(Some(Value { node, ..x }));
        }
        let axes: Vec<usize> = (0..shape.rank()).filter(|&a| shape[a].known().is_some()).collect();
        let axis = self.pick(&axes);
        let count = Dim::Known(self.pick(&[1, 3, 5]));
        let index = self.index(vec![count].into(), shape[axis].at(1));
        let node = self.build.gather(x.node, index, axis)?;
        if self.below(2) == 0 {
            return Ok(Some(Value { node, ..x }));
        }
        let node = self.build.op(Op::ScatterAdd { shape, axis }, &[index, node])?;
        Ok(Some(Value { node, bound: x.bound * 5.0, exact: false }))
    }

    /// An index of this shape below `extent`: one made before, or an input.
    fn index(&mut self, shape: Shape, extent: usize) -> NodeId {
        let fits = |ty: &Type, value: &Value| {
            ty.dtype == DType::I32 && ty.shape == shape && value.bound <= extent as f64
        };
        if let Some(value) = self.value(fits) {
            return value.node;
        }
        let name = format!("index{}", self.bounds.len());
        self.bounds.insert(name.clone(), extent);
        let node = self.build.input(&name, Type::new(DType::I32, shape));
        self.values.push(Value { node, bound: extent as f64, exact: true });
        node
    }
}
