//! Element-wise productions: functions, arithmetic, comparisons, integers, uniform and random
//! values.

use nnc::base::scalar::unary::{Curve, Growth, Takes, UnaryRow};
use nnc::base::tensor::DType;
use nnc::graph::{Binary, Dim, Unary};

use super::{Generator, Made, Value};

impl Generator {
    /// A function of floats.
    fn function(&mut self, fits: impl Fn(&UnaryRow) -> bool) -> Unary {
        let floats = |row: &UnaryRow| row.takes != Takes::Bools;
        let functions = Unary::ALL.iter().copied();
        let functions = functions.filter(|op| floats(op.row()) && fits(op.row()));
        let functions: Vec<Unary> = functions.collect();
        self.pick(&functions)
    }

    pub(super) fn smooth(&mut self) -> Made {
        let x = self.float();
        let op = self.function(|row| row.domain == f64::NEG_INFINITY && !row.is_flat());
        let row = op.row();
        let (node, bound) = match row.growth {
            _ if row.is_bounded() => (x.node, row.range.0.abs().max(row.range.1)),
            Growth::Fast => (self.unary(Unary::Tanh, x.node)?, 3.0),
            // What grows slower than its argument may be more than a small one.
            Growth::Slow => (x.node, x.bound.max(4.0)),
            Growth::Linear => (x.node, x.bound),
        };
        let exact = x.exact && row.is_exact();
        Ok(Some(Value { node: self.unary(op, node)?, bound, exact }))
    }

    pub(super) fn positive_domain(&mut self) -> Made {
        let x = self.float();
        let op = self.function(|row| row.domain.is_finite());
        let positive = self.positive(x, op.row().domain.max(0.0) + 0.5)?;
        let node = self.unary(op, positive)?;
        let exact = x.exact && op.row().is_exact();
        Ok(Some(Value { node, bound: (x.bound + 1.5).sqrt() + 1.0, exact }))
    }

    pub(super) fn jump(&mut self) -> Made {
        let x = self.exact();
        let op = self.function(|row| row.shape == Curve::Steps);
        let node = self.unary(op, x.node)?;
        let node = if self.below(4) == 0 { self.build.stop_gradient(node)? } else { node };
        Ok(Some(Value { node, bound: x.bound + 1.0, exact: true }))
    }

    pub(super) fn arithmetic(&mut self) -> Made {
        use Binary::*;
        let a = self.float();
        let b = self.alike(a);
        let op = self.pick(&[Add, Sub, Mul, Min, Max]);
        let bound = match op {
            Mul => a.bound * b.bound,
            Min | Max => a.bound.max(b.bound),
            _ => a.bound + b.bound,
        };
        let node = self.build.binary(op, a.node, b.node)?;
        Ok(Some(Value { node, bound, exact: a.exact && b.exact }))
    }

    pub(super) fn divide(&mut self) -> Made {
        let a = self.float();
        let b = self.alike(a);
        let divisor = self.positive(b, 1.0)?;
        let node = self.build.binary(Binary::Div, a.node, divisor)?;
        Ok(Some(Value { node, bound: a.bound, exact: a.exact && b.exact }))
    }

    pub(super) fn power(&mut self) -> Made {
        let x = self.float();
        let base = self.positive(x, 0.5)?;
        let exponent = self.pick(&[2.0, 3.0, 0.5, -1.0, 1.7]);
        let exponent = self.build.constant(exponent, DType::F64);
        let node = self.build.binary(Binary::Pow, base, exponent)?;
        Ok(Some(Value { node, bound: (x.bound + 0.5).powi(3).max(2.0), exact: false }))
    }

    pub(super) fn compare_and_select(&mut self) -> Made {
        use Binary::*;
        let a = self.exact();
        let b = self.alike(a);
        let op = self.pick(&[Eq, Ne, Lt, Le, Gt, Ge]);
        let condition = self.build.binary(op, a.node, b.node)?;
        self.values.push(Value { node: condition, bound: 1.0, exact: true });
        let (yes, zero) = (self.alike(a), self.build.constant(0.0, DType::F64));
        let node = self.build.select(condition, yes.node, zero)?;
        Ok(Some(Value { node, ..yes }))
    }

    pub(super) fn logic(&mut self) -> Made {
        let Some(a) = self.value(|ty, _| ty.dtype == DType::Bool) else { return Ok(None) };
        let shape = self.build.ty(a.node).shape.clone();
        let b = self.value(|ty, _| ty.dtype == DType::Bool && ty.shape == shape).unwrap_or(a);
        let op = self.pick(&[Binary::And, Binary::Or, Binary::Eq, Binary::Ne]);
        let not = self.unary(Unary::Not, b.node)?;
        let both = self.build.binary(op, a.node, not)?;
        let node = self.build.cast(both, DType::F32)?;
        Ok(Some(Value { node, bound: 1.0, exact: true }))
    }

    pub(super) fn integers(&mut self) -> Made {
        use Binary::*;
        let x = self.exact();
        let shape = self.build.ty(x.node).shape.clone();
        let whole = self.build.cast(x.node, DType::I32)?;
        let other = if shape.rank() > 0 {
            self.build.iota(shape.clone(), shape.rank() - 1)?
        } else {
            whole
        };
        let op = self.pick(&[Add, Sub, Mul, Div, Min, Max]);
        let mixed = self.build.binary(op, whole, other)?;
        let unary = self.pick(&[Unary::Neg, Unary::Abs, Unary::Sign]);
        let mixed = self.unary(unary, mixed)?;
        let node = self.build.cast(mixed, DType::F32)?;
        Ok(Some(Value { node, bound: (x.bound + 1.0) * 2000.0, exact: true }))
    }

    /// A tensor with a value that is computed once a step.
    pub(super) fn uniform_scalar(&mut self) -> Made {
        let x = self.float();
        let name = format!("rate{}", self.build.graph.hypers.len());
        let rate = self.build.hyper(&name, 0.9);
        let (step, one) = (self.build.step(), self.build.constant(1.0, DType::F64));
        let power = self.build.binary(Binary::Pow, rate, step)?;
        let correction = self.build.binary(Binary::Sub, one, power)?;
        let samples = self.build.extent(Dim::N);
        let (scalar, factor) = match self.below(3) {
            0 => (correction, 10.0),
            1 => (self.build.binary(Binary::Add, correction, samples)?, 1.0),
            _ => (self.unary(Unary::Sqrt, correction)?, 4.0),
        };
        let op = self.pick(&[Binary::Mul, Binary::Div]);
        let (op, factor) = if factor == 1.0 { (Binary::Div, factor) } else { (op, factor) };
        let node = self.build.binary(op, x.node, scalar)?;
        Ok(Some(Value { node, bound: x.bound * factor, exact: x.exact }))
    }

    /// Dropout: a random tensor against a rate.
    pub(super) fn random_numbers(&mut self) -> Made {
        let x = self.float();
        let shape = self.build.ty(x.node).shape.clone();
        let random = self.build.uniform(shape);
        self.values.push(Value { node: random, bound: 1.0, exact: true });
        let rate = self.build.constant(0.3, DType::F64);
        let kept = self.build.binary(Binary::Ge, random, rate)?;
        let zero = self.build.constant(0.0, DType::F64);
        let node = self.build.select(kept, x.node, zero)?;
        Ok(Some(Value { node, ..x }))
    }
}
