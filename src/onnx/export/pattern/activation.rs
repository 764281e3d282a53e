//! Activations: functions of one element that programs write with comparisons and products.

use super::OnnxPattern;
use crate::graph::{Binary, NodeId, Op, Unary};
use crate::onnx::export::matching::{Matcher, near};

impl Matcher<'_> {
    /// The parts of `where(x > low, a, b)`.
    fn above(&self, id: NodeId) -> Option<(NodeId, f64, NodeId, NodeId)> {
        self.split(id, Binary::Gt, Binary::Lt)
    }

    /// The parts of `where(x < high, a, b)`.
    fn below(&self, id: NodeId) -> Option<(NodeId, f64, NodeId, NodeId)> {
        self.split(id, Binary::Lt, Binary::Gt)
    }

    fn split(
        &self,
        id: NodeId,
        is: Binary,
        turned: Binary,
    ) -> Option<(NodeId, f64, NodeId, NodeId)> {
        let node = self.node(self.strip(id));
        let (Op::Where, &[condition, a, b]) = (&node.op, &node.args[..]) else { return None };
        let (x, bound) = match (self.binary(condition, is), self.binary(condition, turned)) {
            (Some((x, bound)), _) => (x, self.constant(bound)?),
            (None, Some((bound, x))) => (x, self.constant(bound)?),
            (None, None) => return None,
        };
        Some((x, bound, a, b))
    }

    /// An activation that ends in `where`.
    pub(super) fn rectifier(&self, id: NodeId) -> Option<OnnxPattern> {
        let (x, bound, inner, outer) = self.above(id)?;
        let plain = |op| OnnxPattern::Activation { op, x, numbers: Vec::new(), word: None };
        if bound == 0.0 && self.same(inner, x) {
            if self.is(outer, 0.0) {
                return Some(plain("Relu"));
            }
            return self.sloped(id, x, outer).or_else(|| self.elu(x, outer));
        }
        let (y, high, middle, top) = self.below(inner)?;
        if !self.same(x, y) || !self.is(outer, 0.0) {
            return None;
        }
        if bound == 0.0 && self.same(middle, x) && self.is(top, high) {
            return Some(OnnxPattern::Clip { x, low: 0.0, high });
        }
        if bound != -3.0 || high != 3.0 {
            return None;
        }
        let part = self.product(middle);
        let sixth = near(part.constant, 1.0 / 6.0) && part.roots.is_empty();
        let raised = |it: NodeId| {
            self.orders(it, Binary::Add).iter().any(|&(a, b)| self.same(a, x) && self.is(b, 3.0))
        };
        match part.factors[..] {
            [a] if sixth && raised(a) && self.is(top, 1.0) => {
                let numbers = vec![("alpha", 1.0 / 6.0), ("beta", 0.5)];
                Some(OnnxPattern::Activation { op: "HardSigmoid", x, numbers, word: None })
            }
            [a, b] if sixth && self.same(top, x) => {
                let fits = (self.same(a, x) && raised(b)) || (self.same(b, x) && raised(a));
                fits.then(|| plain("HardSwish")).filter(|it| it.opset() <= self.newest)
            }
            _ => None,
        }
    }

    /// `slope · x`, with a number or a parameter.
    fn sloped(&self, id: NodeId, x: NodeId, outer: NodeId) -> Option<OnnxPattern> {
        let part = self.product(outer);
        if !part.roots.is_empty() {
            return None;
        }
        match part.factors[..] {
            [a] if self.same(a, x) => {
                let numbers = vec![("alpha", part.constant)];
                Some(OnnxPattern::Activation { op: "LeakyRelu", x, numbers, word: None })
            }
            [a, b] if part.constant == 1.0 => {
                let slope = if self.same(a, x) { b } else { a };
                let other = if self.same(a, x) { a } else { b };
                let last = self.shape(id).last()?;
                let fits = self.is_vector(slope, std::slice::from_ref(last))
                    || self.is_vector(slope, &[crate::graph::Dim::Known(1)]);
                (self.same(other, x) && fits).then_some(OnnxPattern::PRelu { x, slope })
            }
            _ => None,
        }
    }

    /// `alpha · expm1(where(x > 0, 0, x))`, or of `x` itself.
    fn elu(&self, x: NodeId, outer: NodeId) -> Option<OnnxPattern> {
        let part = self.product(outer);
        let [power] = part.factors[..] else { return None };
        let of = self.unary(power, Unary::Expm1)?;
        let low = self.above(of).is_some_and(|(y, bound, a, b)| {
            self.same(y, x) && bound == 0.0 && self.is(a, 0.0) && self.same(b, x)
        });
        let numbers = vec![("alpha", part.constant)];
        let fits = part.roots.is_empty() && (low || self.same(of, x));
        fits.then_some(OnnxPattern::Activation { op: "Elu", x, numbers, word: None })
    }

    /// An activation that ends in arithmetic.
    pub(super) fn activation(&self, id: NodeId) -> Option<OnnxPattern> {
        self.gelu(id).or_else(|| self.softplus(id)).or_else(|| self.clip(id))
    }

    /// `½ · x · erfc(−x/√2)`, `½ · x · (1 + erf(x/√2))`, or by `tanh(√(2/π) · (x + 0.044715 · x³))`.
    fn gelu(&self, id: NodeId) -> Option<OnnxPattern> {
        self.binary(id, Binary::Mul)?;
        let product = self.product(id);
        let [a, b] = product.factors[..] else { return None };
        if !near(product.constant, 0.5) || !product.roots.is_empty() {
            return None;
        }
        [(a, b), (b, a)].into_iter().find_map(|(x, gate)| {
            let word = self.gate(x, gate)?;
            Some(OnnxPattern::Activation { op: "Gelu", x, numbers: Vec::new(), word: Some(word) })
        })
    }

    /// How a gate approximates twice the normal distribution of `x`.
    fn gate(&self, x: NodeId, gate: NodeId) -> Option<&'static str> {
        let half = std::f64::consts::FRAC_1_SQRT_2;
        let scaled = |of: NodeId, by: f64| {
            let product = self.product(of);
            let one = product.roots.is_empty() && near(product.constant, by);
            one && matches!(product.factors[..], [y] if self.same(y, x))
        };
        if self.unary(gate, Unary::Erfc).is_some_and(|of| scaled(of, -half)) {
            return Some("none");
        }
        let (_, other) =
            self.orders(gate, Binary::Add).into_iter().find(|&(a, _)| self.is(a, 1.0))?;
        if self.unary(other, Unary::Erf).is_some_and(|of| scaled(of, half)) {
            return Some("none");
        }
        let inner = self.product(self.unary(other, Unary::Tanh)?);
        let [sum] = inner.factors[..] else { return None };
        let root = (2.0 / std::f64::consts::PI).sqrt();
        let cubed = |it: NodeId| {
            let cube = self.product(it);
            let thrice = cube.factors.len() == 3 && cube.factors.iter().all(|&y| self.same(y, x));
            let power = matches!(cube.factors[..], [y] if self.power(y).is_some_and(|(of, by)| {
                self.same(of, x) && by == 3.0
            }));
            near(cube.constant, 0.044715) && (thrice || power)
        };
        let mut sums = self.orders(sum, Binary::Add).into_iter();
        let fits = near(inner.constant, root) && sums.any(|(a, b)| self.same(a, x) && cubed(b));
        fits.then_some("tanh")
    }

    fn power(&self, id: NodeId) -> Option<(NodeId, f64)> {
        let (of, by) = self.binary(id, Binary::Pow)?;
        Some((of, self.constant(by)?))
    }

    /// `max(x, 0) + log1p(exp(−|x|))`, or `log(1 + exp(x))` as it stands.
    fn softplus(&self, id: NodeId) -> Option<OnnxPattern> {
        self.orders(id, Binary::Add).into_iter().find_map(|(positive, rest)| {
            let (x, zero) = self.binary(positive, Binary::Max)?;
            let power = self.unary(self.unary(rest, Unary::Log1p)?, Unary::Exp)?;
            let size = self.unary(self.unary(power, Unary::Neg)?, Unary::Abs)?;
            let fits = self.is(zero, 0.0) && self.same(size, x);
            fits.then_some(OnnxPattern::Activation {
                op: "Softplus",
                x,
                numbers: Vec::new(),
                word: None,
            })
        })
    }

    /// `min(max(x, low), high)`, or `max(x, 0)`.
    fn clip(&self, id: NodeId) -> Option<OnnxPattern> {
        let bounded = |id: NodeId, by: Binary| {
            let mut sides = self.orders(id, by).into_iter();
            sides.find_map(|(x, bound)| Some((x, self.constant(bound)?)))
        };
        if self.node(id).ty.dtype != crate::base::tensor::DType::F32 {
            return None;
        }
        if let Some((inner, high)) = bounded(id, Binary::Min) {
            let (x, low) = bounded(inner, Binary::Max)?;
            return Some(OnnxPattern::Clip { x, low, high });
        }
        let (x, low) = bounded(id, Binary::Max)?;
        let relu = OnnxPattern::Activation { op: "Relu", x, numbers: Vec::new(), word: None };
        (low == 0.0).then_some(relu)
    }

    /// `softmax` or `log_softmax`, less the maximum or as it stands.
    pub(super) fn softmax(&self, id: NodeId) -> Option<OnnxPattern> {
        if let Some((power, sum)) = self.binary(id, Binary::Div) {
            let node = self.node(self.strip(sum));
            let Op::Reduce(crate::graph::Reduce::Sum, axes) = &node.op else { return None };
            let &[axis] = &axes[..] else { return None };
            let shifted = self.unary(power, Unary::Exp)?;
            let fits = self.same(node.args[0], power);
            return fits.then(|| OnnxPattern::Softmax {
                x: self.unshifted(shifted, axis),
                axis,
                log: false,
            });
        }
        let (shifted, log) = self.binary(id, Binary::Sub)?;
        let node = self.node(self.strip(self.unary(log, Unary::Log)?));
        let Op::Reduce(crate::graph::Reduce::Sum, axes) = &node.op else { return None };
        let &[axis] = &axes[..] else { return None };
        let fits = self.same(self.unary(node.args[0], Unary::Exp)?, shifted);
        fits.then(|| OnnxPattern::Softmax { x: self.unshifted(shifted, axis), axis, log: true })
    }

    /// `x` of `x − max(x)` along an axis.
    fn unshifted(&self, shifted: NodeId, axis: usize) -> NodeId {
        let Some((x, most)) = self.binary(shifted, Binary::Sub) else { return shifted };
        let node = self.node(self.strip(most));
        match &node.op {
            Op::Reduce(crate::graph::Reduce::Max, axes) if axes[..] == [axis] => {
                if self.same(node.args[0], x) { x } else { shifted }
            }
            _ => shifted,
        }
    }
}
