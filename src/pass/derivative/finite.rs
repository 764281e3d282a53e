//! Where a derivative may not be finite, so that a gradient of 0 stays 0.
//!
//! A branch not taken, a value not picked and an element outside a slice get the gradient 0. A
//! rule that multiplies it by its slope gives NaN where the slope is infinite or NaN: `log(x)` at
//! 0 in `where(x > 0, log(x), 0)`. So where that can be, the product is
//! `where(g == 0, 0, g · slope)`:
//!
//! ```text
//! %2 = log %1                    %8 = div g, %1
//!                                %9 = where (eq g, 0), 0, %8
//! ```
//!
//! The bounds of a value ([`ValueFacts`]) follow from its operator. `exp(x - max(x))`, `rsqrt(x² +
//! 1e-5)`, a convolution of activations: these are finite, and the rules of their products have no
//! guard, so that the usual layers cost nothing. Inputs, parameters and states are taken to be
//! finite, and so are sums of finite values, contractions among them.

use crate::base::entity::Entity;
use crate::base::scalar::unary::{Curve, Growth, UnaryRow};
use crate::base::tensor::DType;
use crate::graph::{Binary, Graph, Node, NodeId, Op, OpKind, Reduce, Unary};

/// How large the elements of a value may be, the larger the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Magnitude {
    /// Within bounds that do not depend on any input, such as a sine.
    Bounded,
    /// As large as an input, a parameter, or a sum of them.
    Plain,
    /// A product of such values: it may overflow where they do not.
    Product,
    /// Infinite or NaN for some ordinary argument, such as a logarithm.
    Singular,
}

/// Signs that elements may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Any,
    /// 0 or less.
    NotPositive,
    /// 0 or more.
    NotNegative,
    /// More than 0 by a margin that does not depend on any input.
    Positive,
}

use Magnitude::{Bounded, Plain, Product, Singular};
use Sign::{Any, NotNegative, NotPositive, Positive};

/// Bounds of a value: how large its elements may be, and of which sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ValueFacts {
    size: Magnitude,
    sign: Sign,
}

impl ValueFacts {
    const fn new(size: Magnitude, sign: Sign) -> ValueFacts {
        ValueFacts { size, sign }
    }

    /// The least number of this sign.
    fn least(self) -> f64 {
        match self.sign {
            Any | NotPositive => f64::NEG_INFINITY,
            NotNegative => 0.0,
            Positive => f64::from(f32::MIN_POSITIVE),
        }
    }

    /// The largest number of this sign.
    fn most(self) -> f64 {
        if self.sign == NotPositive { 0.0 } else { f64::INFINITY }
    }

    fn at_least_zero(self) -> bool {
        matches!(self.sign, NotNegative | Positive)
    }

    fn is_finite(self) -> bool {
        self.size != Singular
    }

    fn constant(value: f64) -> ValueFacts {
        // What is near the largest `f32` overflows with the next sum or product.
        let size = match value.abs() {
            size if size <= 1e6 => Bounded,
            size if size <= 1e30 => Plain,
            _ => Singular,
        };
        let sign = match value {
            value if value >= f64::from(f32::MIN_POSITIVE) => Positive,
            value if value >= 0.0 => NotNegative,
            value if value < 0.0 => NotPositive,
            _ => Any,
        };
        ValueFacts::new(size, sign)
    }

    /// One of two values.
    fn either(self, other: ValueFacts) -> ValueFacts {
        let sign = match (self.sign, other.sign) {
            (a, b) if a == b => a,
            (NotNegative, Positive) | (Positive, NotNegative) => NotNegative,
            _ => Any,
        };
        ValueFacts::new(self.size.max(other.size), sign)
    }
}

/// Bounds of all values of a graph.
pub struct Finite(Vec<ValueFacts>);

impl Finite {
    /// Looks at every node once; again, as long as what a carry hands on is larger than was thought.
    pub fn of(graph: &Graph) -> Finite {
        let mut carried = vec![Plain; graph.carries.len()];
        loop {
            let found = Finite::with_carried(graph, &carried);
            let mut grown = false;
            for (known, carry) in carried.iter_mut().zip(graph.carries.values()) {
                let next = carry.next.map_or(Plain, |next| found.at(next).size);
                grown |= next > *known;
                // A product in each step: no bounds hold.
                *known = if next > *known { Singular } else { *known };
            }
            if !grown {
                return found;
            }
        }
    }

    fn with_carried(graph: &Graph, carried: &[Magnitude]) -> Finite {
        let mut values: Vec<ValueFacts> = Vec::with_capacity(graph.nodes.len());
        for (id, node) in graph.nodes.iter() {
            if let Op::Carry(carry) = node.op {
                let initial = values[node.args[0].index()].size;
                values.push(ValueFacts::new(initial.max(carried[carry.index()]), Any));
                continue;
            }
            let args: Vec<ValueFacts> = node.args.iter().map(|arg| values[arg.index()]).collect();
            let value = match node.ty.dtype {
                // Integers and bools are always finite.
                DType::U8 | DType::Bool => ValueFacts::new(Bounded, NotNegative),
                DType::I32 => ValueFacts::new(Plain, Any),
                DType::F32 => value(graph, id, node, &args),
                // One number for all elements: where it is not finite, nor is the loss. The
                // product of two counts does not vanish in `f64`.
                DType::F64 => {
                    let value = value(graph, id, node, &args);
                    let product = node.op == Op::Binary(Binary::Mul);
                    let positive = product && args.iter().all(|arg| arg.sign == Positive);
                    ValueFacts::new(
                        value.size.min(Plain),
                        if positive { Positive } else { value.sign },
                    )
                }
            };
            values.push(value);
        }
        Finite(values)
    }

    /// Says that a new node has the values of an old one.
    pub fn equal(&mut self, new: NodeId, old: NodeId) {
        let facts = self.at(old);
        self.0.resize(self.0.len().max(new.index() + 1), ValueFacts::new(Singular, Any));
        self.0[new.index()] = facts;
    }

    fn at(&self, node: NodeId) -> ValueFacts {
        self.0[node.index()]
    }

    /// Whether all elements are finite, as far as is known.
    pub fn is_finite(&self, node: NodeId) -> bool {
        self.at(node).is_finite()
    }

    /// Whether the slope by each argument of an element-wise operator may not be finite.
    pub fn slopes(&self, graph: &Graph, node: NodeId) -> Vec<bool> {
        let node = &graph.nodes[node];
        let args: Vec<ValueFacts> = node.args.iter().map(|&arg| self.at(arg)).collect();
        if let Op::Unary(function) = node.op {
            return vec![steep(function, args[0])];
        }
        let Op::Binary(function) = node.op else { return vec![false; args.len()] };
        let (a, b) = (args[0], args[1]);
        match function {
            Binary::Mul => vec![b.size >= Product, a.size >= Product],
            // 1/b, and a/b²
            Binary::Div => {
                let steep = b.sign != Positive || !b.is_finite();
                vec![steep, steep || a.size >= Product]
            }
            // k·a^(k-1)
            Binary::Pow => {
                let slope = match constant(graph, node.args[1]) {
                    Some(1.0) => Bounded,
                    Some(2.0) => a.size,
                    Some(_) | None => Singular,
                };
                vec![slope >= Product, true]
            }
            Binary::Add | Binary::Sub | Binary::Min | Binary::Max => vec![false, false],
            Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => {
                vec![false, false]
            }
            Binary::And | Binary::Or => vec![false, false],
        }
    }
}

/// Whether a function's slope may not be finite: at an end of its domain, where it overflows as its
/// value does, or beyond all numbers.
fn steep(function: Unary, x: ValueFacts) -> bool {
    let row = function.row();
    let inside = row.domain == f64::NEG_INFINITY || x.least() > row.domain;
    match row.growth {
        _ if row.is_flat() => false,
        _ if !inside || !x.is_finite() => true,
        // An infinite argument has no sine.
        _ if row.shape == Curve::Waves => x.size >= Product,
        Growth::Fast => of_unary(function, x).size == Singular,
        Growth::Slow | Growth::Linear => false,
    }
}

/// The facts of a function's value, from its row.
fn of_unary(function: Unary, x: ValueFacts) -> ValueFacts {
    let row = function.row();
    let finite = |size, sign| ValueFacts::new(if x.is_finite() { size } else { Singular }, sign);
    if row.is_bounded() {
        return finite(Bounded, sign_within(row.range));
    }
    let least = x.least();
    let inside = row.domain == f64::NEG_INFINITY
        || least > row.domain
        || least == row.domain && row.is_closed();
    let (low, high) = image(row, least, x.most());
    match row.growth {
        _ if !inside && row.is_closed() => ValueFacts::new(Singular, sign_within(row.range)),
        // Where an open domain begins, -0 may be at the other end: 1/√-0 is -∞.
        _ if !inside => ValueFacts::new(Singular, Any),
        _ if low.is_finite() && high.is_finite() => finite(Bounded, sign_within((low, high))),
        Growth::Fast => ValueFacts::new(Singular, sign_within(row.range)),
        Growth::Slow => finite(Plain, sign_within((low, high))),
        Growth::Linear if low > 0.0 => ValueFacts::new(x.size, Positive),
        Growth::Linear => ValueFacts::new(x.size, sign_within((low, high))),
    }
}

/// Between what a function of the numbers between two lies.
fn image(row: &UnaryRow, least: f64, most: f64) -> (f64, f64) {
    let (first, last) = ((row.value)(least), (row.value)(most));
    match row.shape {
        Curve::Rising | Curve::Steps => (first, last),
        Curve::Falling => (last, first),
        Curve::Kink if least < 0.0 && most > 0.0 => ((row.value)(0.0), first.max(last)),
        Curve::Kink => (first.min(last), first.max(last)),
        Curve::Waves => row.range,
    }
}

/// The sign of all numbers between two.
fn sign_within((low, high): (f64, f64)) -> Sign {
    match (low >= 0.0, high <= 0.0) {
        (true, _) => NotNegative,
        (false, true) => NotPositive,
        (false, false) => Any,
    }
}

fn of_binary(function: Binary, a: ValueFacts, b: ValueFacts) -> ValueFacts {
    let size = a.size.max(b.size);
    match function {
        Binary::Add => {
            let sign = match (a.sign, b.sign) {
                (Positive, Positive | NotNegative) | (NotNegative, Positive) => Positive,
                (NotNegative, NotNegative) => NotNegative,
                (NotPositive, NotPositive) => NotPositive,
                _ => Any,
            };
            ValueFacts::new(size, sign)
        }
        Binary::Sub => of_binary(Binary::Add, a, of_unary(Unary::Neg, b)),
        Binary::Mul => {
            let size = match (a.size, b.size) {
                (Singular, _) | (_, Singular) => Singular,
                (Bounded, size) | (size, Bounded) => size,
                (Plain | Product, Plain | Product) => Product,
            };
            let sign = match (a.sign, b.sign) {
                (Any, _) | (_, Any) => Any,
                (NotPositive, NotPositive) => NotNegative,
                (NotPositive, _) | (_, NotPositive) => NotPositive,
                // Two tiny numbers have the product 0.
                _ => NotNegative,
            };
            ValueFacts::new(size, sign)
        }
        Binary::Div if b.sign == Positive => {
            let sign = if a.sign == Positive { NotNegative } else { a.sign };
            ValueFacts::new(size.max(Plain), sign)
        }
        Binary::Div => ValueFacts::new(Singular, Any),
        Binary::Pow if a.size == Bounded && a.at_least_zero() && b.at_least_zero() => {
            ValueFacts::new(Bounded.max(b.size), NotNegative)
        }
        Binary::Pow => ValueFacts::new(Singular, if a.at_least_zero() { NotNegative } else { Any }),
        Binary::Max if a.sign == Positive || b.sign == Positive => ValueFacts::new(size, Positive),
        Binary::Max if a.at_least_zero() || b.at_least_zero() => ValueFacts::new(size, NotNegative),
        Binary::Min if a.sign == NotPositive || b.sign == NotPositive => {
            ValueFacts::new(size, NotPositive)
        }
        Binary::Max | Binary::Min => a.either(b),
        Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => {
            ValueFacts::new(Bounded, NotNegative)
        }
        Binary::And | Binary::Or => ValueFacts::new(Bounded, NotNegative),
    }
}

/// The facts of a float value.
fn value(graph: &Graph, id: NodeId, node: &Node, args: &[ValueFacts]) -> ValueFacts {
    match (&node.op, node.op.kind()) {
        (Op::Step | Op::Extent(_), _) => ValueFacts::new(Plain, Positive),
        (Op::Const(value, _), _) => ValueFacts::constant(*value),
        (Op::Unary(function), _) => of_unary(*function, args[0]),
        (Op::Binary(function), _) => binary(graph, id, *function, args),
        (Op::Where, _) => args[1].either(args[2]),
        (Op::Pad { value, .. }, _) => args[0].either(ValueFacts::constant(*value)),
        (Op::Reduce(Reduce::Sum, axes), _) => {
            // Σ exp(x - max(x)) is at least 1.
            let over = exponent(graph, node.args[0]).and_then(|arg| below_maximum(graph, arg));
            let sign = if over == Some(axes) { Positive } else { args[0].sign };
            ValueFacts::new(args[0].size, sign)
        }
        (Op::Variance(_), _) => {
            ValueFacts::new(if args[0].is_finite() { Plain } else { Singular }, NotNegative)
        }
        (Op::MaxPoolGrad { .. } | Op::ScatterAdd { .. }, _) => ValueFacts::new(args[1].size, Any),
        // Integers.
        (Op::ArgMax(_) | Op::MaxPoolIndex(_), _) => ValueFacts::new(Plain, Any),
        (_, OpKind::Given | OpKind::Number | OpKind::Const) => ValueFacts::new(Plain, Any),
        (_, OpKind::Generated) => ValueFacts::new(Bounded, NotNegative),
        // Sums of products: no more likely to overflow than their arguments.
        (_, OpKind::Product | OpKind::Convolution) => {
            let finite = args.iter().all(|arg| arg.is_finite());
            ValueFacts::new(if finite { Plain } else { Singular }, Any)
        }
        // Elements of the arguments, and sums of them.
        (_, OpKind::Elementwise | OpKind::View | OpKind::Reduction | OpKind::Choice)
        | (_, OpKind::Pool | OpKind::Indexed) => args[0],
        // A carry is what is handed on, too: `Finite::of` knows.
        (_, OpKind::Scan) => args[0],
        (_, OpKind::Joined) => args.iter().copied().reduce(ValueFacts::either).unwrap_or(args[0]),
    }
}

/// The facts of a function of two elements, whose arguments may be one node or a constant.
fn binary(graph: &Graph, id: NodeId, function: Binary, args: &[ValueFacts]) -> ValueFacts {
    let nodes = &graph.nodes[id].args;
    match function {
        Binary::Sub if below_maximum(graph, id).is_some() => {
            ValueFacts::new(args[0].size, NotPositive)
        }
        Binary::Mul if nodes[0] == nodes[1] => {
            ValueFacts::new(of_binary(Binary::Mul, args[0], args[1]).size, NotNegative)
        }
        Binary::Pow if constant(graph, nodes[1]) == Some(2.0) => {
            ValueFacts::new(of_binary(Binary::Mul, args[0], args[0]).size, NotNegative)
        }
        _ => of_binary(function, args[0], args[1]),
    }
}

/// The argument of an exponential.
fn exponent(graph: &Graph, node: NodeId) -> Option<NodeId> {
    match graph.nodes[node].op {
        Op::Unary(Unary::Exp) => Some(graph.nodes[node].args[0]),
        _ => None,
    }
}

/// The axes over which the maximum of `x` is taken, where a node is `x - max(x)`.
fn below_maximum(graph: &Graph, node: NodeId) -> Option<&Vec<usize>> {
    let Node { op: Op::Binary(Binary::Sub), args, .. } = &graph.nodes[node] else { return None };
    let mut largest = &graph.nodes[args[1]];
    while let Op::Broadcast(_) | Op::Reshape(_) | Op::StopGradient = largest.op {
        largest = &graph.nodes[largest.args[0]];
    }
    let Op::Reduce(Reduce::Max, axes) = &largest.op else { return None };
    let stopped = |node: NodeId| match graph.nodes[node].op {
        Op::StopGradient => graph.nodes[node].args[0],
        _ => node,
    };
    (stopped(largest.args[0]) == stopped(args[0])).then_some(axes)
}

/// The number that all elements are, where a node says it.
fn constant(graph: &Graph, node: NodeId) -> Option<f64> {
    let mut node = &graph.nodes[node];
    while let Op::Broadcast(_) | Op::Reshape(_) | Op::Cast(_) = node.op {
        node = &graph.nodes[node.args[0]];
    }
    match node.op {
        Op::Const(value, _) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arguments that a value may have; the large ones overflow `f32` when they are multiplied.
    fn arguments(x: ValueFacts) -> impl Iterator<Item = f64> {
        let most = match x.size {
            Bounded => 1e3,
            Plain => 1e18,
            Product => 1e30,
            Singular => f64::INFINITY,
        };
        let sizes = [0.0, f64::from(f32::MIN_POSITIVE), 1e-6, 0.5, 1.0, 3.0, 90.0, 1e18, 1e30];
        let all = sizes.into_iter().chain([f64::INFINITY]).flat_map(|size| [size, -size]);
        all.filter(move |&size| size.abs() <= most && x.least() <= size && size <= x.most())
    }

    #[test]
    fn a_function_is_what_its_row_lets_expect() {
        for &function in Unary::ALL {
            for size in [Bounded, Plain, Product, Singular] {
                for sign in [Any, NotPositive, NotNegative, Positive] {
                    let x = ValueFacts::new(size, sign);
                    let of = of_unary(function, x);
                    for argument in arguments(x) {
                        let y = f64::from(function.eval(argument) as f32);
                        let what = format!("{} of {argument}, {x:?}: {y}, {of:?}", function.name());
                        assert!(of.size == Singular || y.is_finite(), "{what}");
                        assert!(y.is_nan() || of.least() <= y && y <= of.most(), "{what}");
                    }
                }
            }
        }
    }

    #[test]
    fn slopes_of_usual_layers_are_known_to_be_finite() {
        let plain = ValueFacts::new(Plain, Any);
        for function in [Unary::Tanh, Unary::Sigmoid, Unary::Erf, Unary::Sin, Unary::Abs] {
            assert!(!steep(function, plain), "{function:?}");
        }
        for function in [Unary::Exp, Unary::Log, Unary::Sqrt, Unary::Rsqrt, Unary::Log1p] {
            assert!(steep(function, plain), "{function:?}");
        }
        assert!(!steep(Unary::Exp, ValueFacts::new(Plain, NotPositive)));
        assert!(!steep(Unary::Rsqrt, ValueFacts::new(Plain, Positive)));
        assert!(!steep(Unary::Log1p, ValueFacts::new(Plain, NotNegative)));
        assert!(steep(Unary::Sqrt, ValueFacts::new(Plain, NotNegative)), "at 0");
    }
}
