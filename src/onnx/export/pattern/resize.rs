//! Images made larger by repeating elements, which the prelude writes as products with ones.

use super::OnnxPattern;
use crate::graph::{Binary, Dim, NodeId, Op};
use crate::onnx::export::matching::Matcher;

impl Matcher<'_> {
    /// Rows, then columns, each repeated `factor` times.
    pub(super) fn repeat(&self, id: NodeId) -> Option<OnnxPattern> {
        let &[n, Dim::Known(height), Dim::Known(width), c] = self.shape(id) else { return None };
        let (rows, [.., Dim::Known(factor), _]) = self.repeated(id)? else { return None };
        let (columns, shape) = self.repeated(rows)?;
        let (h, w) = (height / factor, width / factor);
        let known = Dim::Known;
        let x = self.flat(columns, &[n, known(h), known(w), c]);
        let fits = shape[1..] == [known(w), known(*factor), c]
            && self.shape(x) == [n, known(h), known(w), c]
            && (height, width) == (h * factor, w * factor)
            && self.shape(self.unreshaped(id))
                == [n, known(h), known(*factor), known(width).mul(c)?];
        fits.then_some(OnnxPattern::Repeat { x, factor: *factor })
    }

    /// The value that is repeated: `x` of `x · ones`, and the shape of the product.
    fn repeated(&self, id: NodeId) -> Option<(NodeId, &[Dim])> {
        let product = self.unreshaped(id);
        let node = self.node(product);
        let Op::Binary(Binary::Mul) = node.op else { return None };
        let (a, b) = (node.args[0], node.args[1]);
        [(a, b), (b, a)].into_iter().find_map(|(x, ones)| {
            let node = self.node(self.strip(ones));
            let Op::Cast(_) = node.op else { return None };
            let (counts, zero) = self.binary(node.args[0], Binary::Ge)?;
            let counts = matches!(self.node(self.strip(counts)).op, Op::Iota { .. });
            (counts && self.is(zero, 0.0)).then_some((x, self.shape(product)))
        })
    }

    /// The value behind reshapes and repetitions.
    fn unreshaped(&self, mut id: NodeId) -> NodeId {
        while let Op::Reshape(_) | Op::Broadcast(_) = self.node(id).op {
            id = self.node(id).args[0];
        }
        id
    }

    /// The value of this shape behind reshapes and repetitions, or the last of them.
    fn flat(&self, mut id: NodeId, shape: &[Dim]) -> NodeId {
        while self.shape(id) != shape {
            match self.node(id).op {
                Op::Reshape(_) | Op::Broadcast(_) => id = self.node(id).args[0],
                _ => return id,
            }
        }
        id
    }
}
