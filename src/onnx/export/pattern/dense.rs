//! Products and convolutions with what is added to them, means and pools.

use super::OnnxPattern;
use crate::graph::{Binary, NodeId, Op};
use crate::onnx::export::matching::{Matcher, near};

impl Matcher<'_> {
    /// A product, or a convolution, with a vector added.
    pub(super) fn with_bias(&self, id: NodeId) -> Option<OnnxPattern> {
        let last = self.shape(id).last()?;
        self.orders(id, Binary::Add).into_iter().find_map(|(sum, bias)| {
            if !self.is_vector(bias, std::slice::from_ref(last)) {
                return None;
            }
            let conv = self.strip(sum);
            let bias = self.strip(bias);
            if matches!(self.node(conv).op, Op::Conv { .. } | Op::ConvInputGrad { .. }) {
                return Some(OnnxPattern::Conv { conv, bias });
            }
            let product = self.flat_product(sum).or_else(|| self.rows(sum))?;
            let OnnxPattern::Dense { x, weight, transposed, bias: None } = product else {
                return None;
            };
            Some(OnnxPattern::Dense { x, weight, transposed, bias: Some(bias) })
        })
    }

    /// `x @ weight` of a matrix.
    pub(super) fn flat_product(&self, id: NodeId) -> Option<OnnxPattern> {
        let node = self.node(id);
        let Op::MatMul { transpose_a: false, transpose_b } = node.op else { return None };
        let (x, weight) = (node.args[0], node.args[1]);
        let flat = node.ty.shape.rank() == 2 && matches!(self.node(weight).op, Op::Param(_));
        flat.then_some(OnnxPattern::Dense { x, weight, transposed: transpose_b, bias: None })
    }

    /// The same of all rows of a tensor: `reshape(reshape(x) @ weight)`.
    pub(super) fn rows(&self, id: NodeId) -> Option<OnnxPattern> {
        let node = self.node(id);
        let Op::Reshape(_) = node.op else { return None };
        let OnnxPattern::Dense { x, weight, transposed, .. } = self.flat_product(node.args[0])?
        else {
            return None;
        };
        let rows = self.node(x);
        let Op::Reshape(_) = rows.op else { return None };
        let (from, to) = (self.shape(rows.args[0]), self.shape(id));
        let columns = (from.last()? == self.shape(x).last()?)
            && (to.last()? == self.shape(node.args[0]).last()?);
        let fits = columns && from[..from.len() - 1] == to[..to.len() - 1];
        fits.then_some(OnnxPattern::Dense { x: rows.args[0], weight, transposed, bias: None })
    }

    /// A mean over axes or under windows.
    pub(super) fn mean_or_pool(&self, id: NodeId) -> Option<OnnxPattern> {
        let product = self.product(id);
        let [sum] = product.factors[..] else { return None };
        if let Op::SumPool(window) = self.node(sum).op {
            let mean = near(product.constant, 1.0 / window.taps() as f64);
            let fits = mean && product.roots.is_empty() && self.shape(sum) == self.shape(id);
            return fits.then_some(OnnxPattern::AveragePool { pool: sum });
        }
        let (x, axes) = self.mean(id)?;
        let large = |shape: &[crate::graph::Dim]| {
            let dims = shape.iter().copied().filter(|&dim| dim != crate::graph::Dim::Known(1));
            dims.collect::<Vec<_>>()
        };
        // What is made of the sum has its shape, axes of one element aside.
        let fits = large(self.shape(sum)) == large(self.shape(id));
        fits.then(|| OnnxPattern::Mean { x, axes: axes.to_vec() })
    }
}
