//! Rules of arithmetic, logic, `where` and casts. Each keeps the bits, but for the exceptions
//! that the [pass](super) names.

use super::Site;
use crate::base::tensor::DType;
use crate::graph::{Binary, Node, NodeId, Op, Unary};

impl Site<'_> {
    /// The arguments of this node, where it is that function.
    fn binary_args(&self, function: Binary) -> Option<(NodeId, NodeId)> {
        (self.node.op == Op::Binary(function)).then(|| (self.arg(0), self.arg(1)))
    }

    /// `x` of a node `f(x)`.
    fn inside(&self, function: Unary, node: NodeId) -> Option<NodeId> {
        let node = self.of(node);
        (node.op == Op::Unary(function)).then(|| node.args[0])
    }

    /// Whether all elements are `value`, the sign of a zero aside.
    fn is(&self, node: NodeId, value: f64) -> bool {
        self.emit.constant(node) == Some(value)
    }
}

/// `stop_gradient(x) → x`: gradients have been made.
pub fn stop_gradient(site: &mut Site) -> Option<NodeId> {
    (site.node.op == Op::StopGradient).then(|| site.arg(0))
}

/// Functions that undo or absorb what stands inside them.
pub fn unary(site: &mut Site) -> Option<NodeId> {
    let Op::Unary(function) = site.node.op else { return None };
    let x = site.arg(0);
    match function {
        Unary::Neg => negation(site, x),
        // |−x| = |x|, ||x|| = |x|
        Unary::Abs => {
            if site.inside(Unary::Abs, x).is_some() {
                return Some(x);
            }
            let inner = site.inside(Unary::Neg, x)?;
            Some(site.emit.unary(Unary::Abs, inner))
        }
        Unary::Not => complement(site, x),
        // floor(floor(x)) = floor(x), sign(sign(x)) = sign(x)
        Unary::Floor | Unary::Sign => site.inside(function, x).map(|_| x),
        // Others have no rule; none is needed.
        _ => None,
    }
}

fn negation(site: &mut Site, x: NodeId) -> Option<NodeId> {
    // −(−x) = x
    if let Some(inner) = site.inside(Unary::Neg, x) {
        return Some(inner);
    }
    if !site.only_use(x) {
        return None;
    }
    let Node { op: Op::Binary(function), args, .. } = site.of(x).clone() else { return None };
    match function {
        // −(a − b) = b − a
        Binary::Sub => Some(site.emit.sub(args[1], args[0])),
        // −(x · c) = x · −c
        Binary::Mul => {
            let constants = (site.emit.constant(args[0]), site.emit.constant(args[1]));
            let (x, c) = match constants {
                (_, Some(c)) => (args[0], c),
                (Some(c), None) => (args[1], c),
                (None, None) => return None,
            };
            Some(site.emit.times(x, -c))
        }
        _ => None,
    }
}

/// `not not x → x`, `not (a == b) → a != b` and back; the orders have no such rule because of NaN.
fn complement(site: &mut Site, x: NodeId) -> Option<NodeId> {
    if let Some(inner) = site.inside(Unary::Not, x) {
        return Some(inner);
    }
    let Node { op: Op::Binary(function), args, .. } = site.of(x).clone() else { return None };
    let opposite = match function {
        Binary::Eq => Binary::Ne,
        Binary::Ne => Binary::Eq,
        _ => return None,
    };
    Some(site.emit.binary(opposite, args[0], args[1]))
}

/// `x + 0 → x`, `a + −b → a − b`, `−a + b → b − a`
pub fn add(site: &mut Site) -> Option<NodeId> {
    let (a, b) = site.binary_args(Binary::Add)?;
    if site.is(b, 0.0) {
        return Some(a);
    }
    if site.is(a, 0.0) {
        return Some(b);
    }
    if let Some(b) = site.inside(Unary::Neg, b) {
        return Some(site.emit.sub(a, b));
    }
    let a = site.inside(Unary::Neg, a)?;
    Some(site.emit.sub(b, a))
}

/// `x − 0 → x`, `0 − x → −x`, `a − −b → a + b`
pub fn sub(site: &mut Site) -> Option<NodeId> {
    let (a, b) = site.binary_args(Binary::Sub)?;
    if site.is(b, 0.0) {
        return Some(a);
    }
    if site.is(a, 0.0) {
        return Some(site.emit.neg(b));
    }
    let b = site.inside(Unary::Neg, b)?;
    Some(site.emit.add(a, b))
}

/// `x · 1 → x`, `x · −1 → −x`, and negations pulled out of products.
pub fn mul(site: &mut Site) -> Option<NodeId> {
    let (a, b) = site.binary_args(Binary::Mul)?;
    for (x, c) in [(a, b), (b, a)] {
        let Some(value) = site.emit.constant(c) else { continue };
        if value == 1.0 {
            return Some(x);
        }
        if value == -1.0 {
            return Some(site.emit.neg(x));
        }
        if value == 0.0 && site.ty().dtype == DType::I32 {
            return Some(c);
        }
        // −x · c = x · −c
        if let Some(x) = site.inside(Unary::Neg, x) {
            return Some(site.emit.times(x, -value));
        }
    }
    match (site.inside(Unary::Neg, a), site.inside(Unary::Neg, b)) {
        // −a · −b = a · b
        (Some(a), Some(b)) => Some(site.emit.mul(a, b)),
        // −a · b = −(a · b)
        (Some(inner), None) if site.only_use(a) => {
            let product = site.emit.mul(inner, b);
            Some(site.emit.neg(product))
        }
        (None, Some(inner)) if site.only_use(b) => {
            let product = site.emit.mul(a, inner);
            Some(site.emit.neg(product))
        }
        (Some(_) | None, _) => None,
    }
}

/// `x / 1 → x`; `x / 2ⁿ → x · 2⁻ⁿ`, which is exact; `−a / b → −(a / b)`
pub fn div(site: &mut Site) -> Option<NodeId> {
    let (a, b) = site.binary_args(Binary::Div)?;
    if site.is(b, 1.0) {
        return Some(a);
    }
    if site.ty().dtype == DType::I32 {
        return None;
    }
    if let Some(c) = site.emit.constant(b).filter(|&c| is_power_of_two(c)) {
        return Some(site.emit.times(a, 1.0 / c));
    }
    if site.only_use(a) {
        let a = site.inside(Unary::Neg, a)?;
        let quotient = site.emit.div(a, b);
        return Some(site.emit.neg(quotient));
    }
    None
}

/// Whether `1 / c` is exact and normal in `f32`.
fn is_power_of_two(c: f64) -> bool {
    let mantissa = c.to_bits() & ((1 << 52) - 1);
    mantissa == 0 && (2f64.powi(-100)..=2f64.powi(100)).contains(&c.abs())
}

/// `x ^ 1 → x`, `x ^ 2 → x·x`, `x ^ 3 → x·x·x`, `x ^ 0.5 → √x`, `x ^ −0.5 → 1/√x`,
/// `x ^ −1 → 1 / x`, `x ^ 0 → 1`
pub fn pow(site: &mut Site) -> Option<NodeId> {
    let (x, exponent) = site.binary_args(Binary::Pow)?;
    let exponent = site.emit.constant(exponent)?;
    if exponent == 1.0 {
        return Some(x);
    }
    // A uniform value is cheap, and its f64 bits are those of the formula as written.
    if site.ty().dtype != DType::F32 {
        return None;
    }
    if exponent == 0.0 {
        return Some(site.constant(1.0));
    }
    if exponent == 2.0 {
        return Some(site.emit.mul(x, x));
    }
    if exponent == 3.0 {
        let square = site.emit.mul(x, x);
        return Some(site.emit.mul(square, x));
    }
    if exponent == 0.5 {
        return Some(site.emit.unary(Unary::Sqrt, x));
    }
    if exponent == -0.5 {
        return Some(site.emit.unary(Unary::Rsqrt, x));
    }
    if exponent == -1.0 {
        let one = site.constant(1.0);
        return Some(site.emit.div(one, x));
    }
    None
}

/// `max(x, x) → x`, `min(x, x) → x`
pub fn extremum(site: &mut Site) -> Option<NodeId> {
    let (a, b) = site.binary_args(Binary::Max).or_else(|| site.binary_args(Binary::Min))?;
    (a == b).then_some(a)
}

/// `x and true → x`, `x and false → false`, `x or false → x`, `x or true → true`
pub fn logic(site: &mut Site) -> Option<NodeId> {
    let all = site.binary_args(Binary::And).map(|args| (args, 1.0));
    let ((a, b), neutral) = all.or_else(|| Some((site.binary_args(Binary::Or)?, 0.0)))?;
    if a == b {
        return Some(a);
    }
    for (x, c) in [(a, b), (b, a)] {
        if let Some(value) = site.emit.constant(c) {
            return Some(if value == neutral { x } else { c });
        }
    }
    None
}

/// Rules of `where`: a known condition, equal branches, a condition known from outside.
pub fn select(site: &mut Site) -> Option<NodeId> {
    if site.node.op != Op::Where {
        return None;
    }
    let (condition, a, b) = (site.arg(0), site.arg(1), site.arg(2));
    // where(true, a, b) = a, where(false, a, b) = b
    if let Some(truth) = site.emit.constant(condition) {
        return Some(if truth != 0.0 { a } else { b });
    }
    // where(c, a, a) = a
    if a == b {
        return Some(a);
    }
    // where(not c, a, b) = where(c, b, a)
    if let Some(inner) = site.inside(Unary::Not, condition) {
        return Some(site.emit.select(inner, b, a));
    }
    // where(c, where(c, a, _), b) = where(c, a, b), and so on the other side
    let branch = |node: NodeId, side: usize| {
        let node = site.of(node);
        (node.op == Op::Where && node.args[0] == condition).then(|| node.args[side])
    };
    match (branch(a, 1), branch(b, 2)) {
        (None, None) => None,
        (inner_a, inner_b) => {
            Some(site.emit.select(condition, inner_a.unwrap_or(a), inner_b.unwrap_or(b)))
        }
    }
}

/// `cast(x) → x` to its own type; `cast(cast(x)) → cast(x)` where the inner one loses nothing.
pub fn cast(site: &mut Site) -> Option<NodeId> {
    let Op::Cast(to) = site.node.op else { return None };
    let x = site.arg(0);
    if site.of(x).ty.dtype == to {
        return Some(x);
    }
    let Op::Cast(through) = site.of(x).op else { return None };
    let inner = site.of(x).args[0];
    let from = site.of(inner).ty.dtype;
    let lossless = match from {
        DType::Bool => true,
        DType::U8 => matches!(through, DType::I32 | DType::F32),
        DType::I32 | DType::F32 | DType::F64 => false,
    };
    lossless.then(|| site.emit.cast(inner, to))
}
