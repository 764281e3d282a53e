//! The rules of functions of one and of two elements; each with its formula.

use super::{ArgGradients, Rule};
use crate::graph::{Binary, NodeId, Unary};
use std::f64::consts::FRAC_2_SQRT_PI;

/// The factor between the gradient of a value and the argument's.
enum Slope {
    /// 0 wherever there is one: no gradient flows.
    Flat,
    /// −1.
    Minus,
    /// A value.
    Times(NodeId),
    /// One over a value.
    Over(NodeId),
}

impl Rule<'_> {
    /// The gradients `flows` of an element-wise node, but 0 where `g` is 0 and the slope may not
    /// be finite.
    fn guarded(&mut self, flows: ArgGradients) -> ArgGradients {
        let steep = self.finite.slopes(self.emit.graph(), self.node);
        let guard = |(flow, steep): (Option<NodeId>, bool)| match flow {
            Some(flow) if steep => Some(self.unless_zero(self.g, flow)),
            Some(_) | None => flow,
        };
        flows.into_iter().zip(steep).map(guard).collect()
    }

    /// `flow`, but 0 where `g` is.
    pub(super) fn unless_zero(&mut self, g: NodeId, flow: NodeId) -> NodeId {
        let zero = self.emit.like(g, 0.0);
        let none = self.emit.binary(Binary::Eq, g, zero);
        self.emit.select(none, zero, flow)
    }

    /// An argument whose products with gradients are summed: 0 for its elements that are not
    /// finite. What they were used for has the gradient 0, or the loss is not finite either.
    pub(super) fn finite_factor(&mut self, arg: usize) -> NodeId {
        let x = self.args[arg];
        if self.finite.is_finite(x) {
            return x;
        }
        let size = self.emit.unary(Unary::Abs, x);
        let infinity = self.emit.like(x, f64::INFINITY);
        let finite = self.emit.binary(Binary::Lt, size, infinity);
        let zero = self.emit.like(x, 0.0);
        self.emit.select(finite, x, zero)
    }

    pub(super) fn unary(&mut self, function: Unary) -> ArgGradients {
        let g = self.g;
        let flow = match self.slope(function) {
            Slope::Flat => return vec![None],
            Slope::Minus => return vec![Some(self.emit.neg(g))],
            Slope::Times(slope) => self.emit.mul(g, slope),
            Slope::Over(divisor) => self.emit.div(g, divisor),
        };
        self.guarded(vec![Some(flow)])
    }

    /// The derivative of a function of one element: `x` is the argument, `y` the value.
    fn slope(&mut self, function: Unary) -> Slope {
        let (x, y) = (self.args[0], self.y);
        let emit = &mut *self.emit;
        Slope::Times(match function {
            // d(−x) = −dx
            Unary::Neg => return Slope::Minus,
            // d|x| = sign(x)·dx
            Unary::Abs => emit.unary(Unary::Sign, x),
            // d exp(x) = y·dx
            Unary::Exp => y,
            // d(exp(x) − 1) = exp(x)·dx; y + 1 has lost its digits where y is near -1
            Unary::Expm1 => emit.unary(Unary::Exp, x),
            // d log(x) = dx / x
            Unary::Log => return Slope::Over(x),
            // d log(1 + x) = dx / (x + 1)
            Unary::Log1p => return Slope::Over(emit.plus(x, 1.0)),
            // d√x = dx / 2y
            Unary::Sqrt => return Slope::Over(emit.times(y, 2.0)),
            // d(1/√x) = −½·y³·dx
            Unary::Rsqrt => {
                let square = emit.mul(y, y);
                let cube = emit.mul(square, y);
                emit.times(cube, -0.5)
            }
            // d tanh(x) = (1 − y²)·dx: off by 6e-8 of the slope at 0, so that far from 0, where the
            // slope is smaller, fewer of its digits hold. Another exponential would keep them.
            Unary::Tanh => {
                let square = emit.mul(y, y);
                let one = emit.like(y, 1.0);
                emit.sub(one, square)
            }
            // d σ(x) = y·(1 − y)·dx: exact below 0, above off by 6e-8 as tanh's
            Unary::Sigmoid => {
                let one = emit.like(y, 1.0);
                let rest = emit.sub(one, y);
                emit.mul(y, rest)
            }
            // d erf(x) = 2/√π·exp(−x²)·dx
            Unary::Erf => self.bell(x, FRAC_2_SQRT_PI),
            // d erfc(x) = −2/√π·exp(−x²)·dx
            Unary::Erfc => self.bell(x, -FRAC_2_SQRT_PI),
            // d sin(x) = cos(x)·dx
            Unary::Sin => emit.unary(Unary::Cos, x),
            // d cos(x) = −sin(x)·dx
            Unary::Cos => {
                let sin = emit.unary(Unary::Sin, x);
                emit.neg(sin)
            }
            Unary::Sign | Unary::Floor | Unary::Not => return Slope::Flat,
        })
    }

    /// `factor·exp(−x²)`
    fn bell(&mut self, x: NodeId, factor: f64) -> NodeId {
        let square = self.emit.mul(x, x);
        let negative = self.emit.neg(square);
        let bell = self.emit.unary(Unary::Exp, negative);
        self.emit.times(bell, factor)
    }

    pub(super) fn binary(&mut self, function: Binary) -> ArgGradients {
        let flows = self.flows_of_two(function);
        self.guarded(flows)
    }

    fn flows_of_two(&mut self, function: Binary) -> ArgGradients {
        let (a, b, y, g) = (self.args[0], self.args[1], self.y, self.g);
        match function {
            // d(a + b) = da + db
            Binary::Add => vec![Some(g), Some(g)],
            // d(a − b) = da − db
            Binary::Sub => self.pair(|_| Some(g), |r| Some(r.emit.neg(g))),
            // d(a·b) = b·da + a·db
            Binary::Mul => self.pair(|r| Some(r.emit.mul(g, b)), |r| Some(r.emit.mul(g, a))),
            // d(a/b) = da/b − y·db/b
            Binary::Div => self.pair(
                |r| Some(r.emit.div(g, b)),
                |r| {
                    let share = r.emit.div(g, b);
                    let scaled = r.emit.mul(share, y);
                    Some(r.emit.neg(scaled))
                },
            ),
            Binary::Pow => self.pair(Self::pow_base, Self::pow_exponent),
            // d max(a, b) = da where a > b, db where a < b, (da + db)/2 at a tie
            Binary::Max => self.extreme_of_two(Binary::Lt),
            // d min(a, b) = da where a < b, db where a > b, (da + db)/2 at a tie
            Binary::Min => self.extreme_of_two(Binary::Gt),
            // Comparisons and logic have bools for values.
            Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => {
                vec![None, None]
            }
            Binary::And | Binary::Or => vec![None, None],
        }
    }

    /// The base's gradient in `a ^ b`: `b·a^(b−1)·g`, and 0 where `b` is 0 (also at `a = 0`,
    /// where the product would be 0·∞).
    fn pow_base(&mut self) -> Option<NodeId> {
        let (a, b, g) = (self.args[0], self.args[1], self.g);
        if let Some(exponent) = self.emit.constant(b) {
            if exponent == 0.0 {
                return None;
            }
            let power = self.constant_power(a, exponent - 1.0);
            let slope = match power {
                Some(power) => self.emit.times(power, exponent),
                None => self.emit.like(a, exponent),
            };
            return Some(self.emit.mul(g, slope));
        }
        let less = self.emit.plus(b, -1.0);
        let power = self.emit.binary(Binary::Pow, a, less);
        let slope = self.emit.mul(b, power);
        let flow = self.emit.mul(g, slope);
        let zero = self.emit.like(a, 0.0);
        let flat = self.emit.binary(Binary::Eq, b, zero);
        Some(self.emit.select(flat, zero, flow))
    }

    /// `a ^ exponent`, as `a` itself where that is what it is; `None` for 1.
    fn constant_power(&mut self, a: NodeId, exponent: f64) -> Option<NodeId> {
        if exponent == 0.0 {
            None
        } else if exponent == 1.0 {
            Some(a)
        } else {
            let exponent = self.emit.like(a, exponent);
            Some(self.emit.binary(Binary::Pow, a, exponent))
        }
    }

    /// The exponent's gradient in `a ^ b`: `y·log(a)·g`, and 0 where `a` is 0 and `b` at least 0,
    /// the limit from above.
    fn pow_exponent(&mut self) -> Option<NodeId> {
        let (a, b, g, y) = (self.args[0], self.args[1], self.g, self.y);
        let log = self.emit.unary(Unary::Log, a);
        let slope = self.emit.mul(y, log);
        let flow = self.emit.mul(g, slope);
        let zero = self.emit.like(a, 0.0);
        let at_zero = self.emit.binary(Binary::Eq, a, zero);
        let rising = self.emit.binary(Binary::Ge, b, zero);
        let flat = self.emit.binary(Binary::And, at_zero, rising);
        Some(self.emit.select(flat, zero, flow))
    }

    /// `g` to the argument that is the extreme, half of it to each at a tie, and none to one that
    /// `loses` to the other. A tie is a kink, and half is the mean of the slopes on its two sides.
    /// These means add up as slopes do, so where kinks cancel and a sum is smooth, as in
    /// `max(x, 0) + log1p(exp(-|x|))`, its derivative is right at the tie too.
    fn extreme_of_two(&mut self, loses: Binary) -> ArgGradients {
        let (a, b, g) = (self.args[0], self.args[1], self.g);
        let tie = self.emit.binary(Binary::Eq, a, b);
        let half = self.emit.times(g, 0.5);
        let zero = self.emit.like(g, 0.0);
        let shared = self.emit.select(tie, half, g);
        let share = |this: &mut Self, own, other| {
            let lost = this.emit.binary(loses, own, other);
            Some(this.emit.select(lost, zero, shared))
        };
        let a_grad = if self.wants[0] { share(self, a, b) } else { None };
        let b_grad = if self.wants[1] { share(self, b, a) } else { None };
        vec![a_grad, b_grad]
    }
}
