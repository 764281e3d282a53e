//! The questions that patterns ask of a graph: what a value is a product of, whether two values are the
//! same, over which axes a mean goes. Nodes that only repeat values, or give them axes of one element,
//! are looked through.

use crate::graph::{Binary, Dim, Graph, Node, NodeId, Op, Reduce, Unary};

/// Subterms deeper than this are not compared.
const DEEPEST: usize = 12;

/// A graph in which patterns are looked for.
pub(super) struct Matcher<'a> {
    pub graph: &'a Graph,
    /// The newest version of operators that may be used.
    pub newest: i64,
    /// Whether norms are folded into the convolutions before them.
    pub fold: bool,
}

/// A product: what is multiplied, what divides by its root, and the constant factor.
#[derive(Debug, Default)]
pub(super) struct Product {
    pub constant: f64,
    pub factors: Vec<NodeId>,
    /// Values by whose square root it is divided.
    pub roots: Vec<NodeId>,
}

impl<'a> Matcher<'a> {
    pub fn node(&self, id: NodeId) -> &'a Node {
        &self.graph.nodes[id]
    }

    pub fn shape(&self, id: NodeId) -> &'a [Dim] {
        &self.graph.nodes[id].ty.shape
    }

    /// The value behind repetitions and axes of one element.
    pub fn strip(&self, mut id: NodeId) -> NodeId {
        loop {
            let node = self.node(id);
            id = match &node.op {
                Op::Broadcast(_) | Op::StopGradient => node.args[0],
                Op::Reshape(_) if self.adds_units(id) => node.args[0],
                _ => return id,
            }
        }
    }

    /// Whether a reshape only adds or removes axes of one element.
    pub fn adds_units(&self, id: NodeId) -> bool {
        let node = self.node(id);
        let large = |id: NodeId| -> Vec<Dim> {
            self.shape(id).iter().copied().filter(|&dim| dim != Dim::Known(1)).collect()
        };
        matches!(node.op, Op::Reshape(_)) && large(id) == large(node.args[0])
    }

    /// The arguments of a function of two.
    pub fn binary(&self, id: NodeId, wanted: Binary) -> Option<(NodeId, NodeId)> {
        let node = self.node(self.strip(id));
        match node.op {
            Op::Binary(found) if found == wanted => Some((node.args[0], node.args[1])),
            _ => None,
        }
    }

    /// The arguments of a function of two that commutes, in both orders.
    pub fn orders(&self, id: NodeId, wanted: Binary) -> Vec<(NodeId, NodeId)> {
        self.binary(id, wanted).map_or(Vec::new(), |(a, b)| vec![(a, b), (b, a)])
    }

    /// The argument of a function of one.
    pub fn unary(&self, id: NodeId, wanted: Unary) -> Option<NodeId> {
        let node = self.node(self.strip(id));
        match node.op {
            Op::Unary(found) if found == wanted => Some(node.args[0]),
            _ => None,
        }
    }

    /// The number that a value is everywhere.
    pub fn constant(&self, id: NodeId) -> Option<f64> {
        let node = self.node(self.strip(id));
        match node.op {
            Op::Const(value, _) => Some(value),
            Op::Cast(_) => self.constant(node.args[0]),
            Op::Unary(Unary::Neg) => Some(-self.constant(node.args[0])?),
            _ => None,
        }
    }

    /// Whether a value is this number everywhere, to `f32`'s digits.
    pub fn is(&self, id: NodeId, number: f64) -> bool {
        self.constant(id).is_some_and(|found| near(found, number))
    }

    /// Whether two nodes have one value.
    pub fn same(&self, a: NodeId, b: NodeId) -> bool {
        self.same_to(a, b, DEEPEST)
    }

    fn same_to(&self, a: NodeId, b: NodeId, deep: usize) -> bool {
        let (a, b) = (self.strip(a), self.strip(b));
        let (left, right) = (self.node(a), self.node(b));
        if a == b {
            return true;
        }
        let alike = left.op == right.op && left.args.len() == right.args.len();
        let leaf = left.args.is_empty();
        if !alike || deep == 0 || matches!(left.op, Op::Carry(_) | Op::ScanSlice(_)) {
            return alike && leaf;
        }
        let args = left.args.iter().zip(&right.args);
        args.into_iter().all(|(&a, &b)| self.same_to(a, b, deep - 1))
    }

    /// The value as a product of others.
    pub fn product(&self, id: NodeId) -> Product {
        let mut product = Product { constant: 1.0, ..Product::default() };
        self.multiply(id, &mut product);
        product
    }

    fn multiply(&self, id: NodeId, product: &mut Product) {
        if let Some(number) = self.constant(id) {
            product.constant *= number;
        } else if let Some((a, b)) = self.binary(id, Binary::Mul) {
            self.multiply(a, product);
            self.multiply(b, product);
        } else if let Some(root) = self.unary(id, Unary::Rsqrt) {
            product.roots.push(root);
        } else if let Some(of) = self.unary(id, Unary::Neg) {
            product.constant = -product.constant;
            self.multiply(of, product);
        } else if let Some((a, b)) = self.divided(id) {
            self.multiply(a, product);
            match (self.constant(b), self.unary(b, Unary::Sqrt)) {
                (Some(number), _) => product.constant /= number,
                (None, Some(root)) => product.roots.push(root),
                (None, None) => {}
            }
        } else {
            product.factors.push(self.strip(id));
        }
    }

    /// A quotient by a constant or by a root.
    fn divided(&self, id: NodeId) -> Option<(NodeId, NodeId)> {
        let (a, b) = self.binary(id, Binary::Div)?;
        let known = self.constant(b).is_some() || self.unary(b, Unary::Sqrt).is_some();
        known.then_some((a, b))
    }

    /// A mean: of what, over which axes of it.
    pub fn mean(&self, id: NodeId) -> Option<(NodeId, &'a [usize])> {
        let product = self.product(id);
        let [sum] = product.factors[..] else { return None };
        let Op::Reduce(Reduce::Sum, axes) = &self.node(sum).op else { return None };
        let of = self.node(sum).args[0];
        let extents = axes.iter().map(|&axis| self.shape(of)[axis].known());
        let count: usize = extents.collect::<Option<Vec<_>>>()?.into_iter().product();
        let fits = product.roots.is_empty() && near(product.constant, 1.0 / count as f64);
        fits.then_some((of, axes))
    }

    /// A value whose last axes are these, which does not depend on what is normalised: a scale or a
    /// shift that ONNX takes.
    pub fn is_vector(&self, id: NodeId, dims: &[Dim]) -> bool {
        let id = self.strip(id);
        self.shape(id) == dims && matches!(self.node(id).op, Op::Param(_) | Op::State(_))
    }
}

/// Whether two numbers are one to `f32`'s digits.
pub(super) fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * b.abs()
}
