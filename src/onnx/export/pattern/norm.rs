//! Norms: `(x − mean) · rsqrt(variance + eps) · weight + bias`, whatever the mean goes over.

use super::OnnxPattern;
use crate::graph::{Binary, Dim, NodeId, Op};
use crate::onnx::export::matching::Matcher;

/// A norm without weight and bias.
struct BareNorm {
    x: NodeId,
    axes: Vec<usize>,
    eps: f64,
    /// Whether the mean is subtracted.
    centred: bool,
}

impl Matcher<'_> {
    /// The largest norm that ends in a node.
    pub(super) fn norm(&self, id: NodeId) -> Option<OnnxPattern> {
        let shifted = self.orders(id, Binary::Add).into_iter().find_map(|(scaled, bias)| {
            self.batch_norm(scaled, bias)
                .or_else(|| self.group_norm(scaled, bias))
                .or_else(|| self.last_norm(id, scaled, Some(bias)))
        });
        shifted.or_else(|| self.last_norm(id, id, None))
    }

    /// A norm over the last axes, with a weight or without.
    fn last_norm(&self, id: NodeId, scaled: NodeId, bias: Option<NodeId>) -> Option<OnnxPattern> {
        let product = self.product(scaled);
        let &[root] = &product.roots[..] else { return None };
        if product.constant != 1.0 {
            return None;
        }
        let (core, weight) = match product.factors[..] {
            [core] => (core, None),
            [a, b] if self.is_root_of(root, a) => (a, Some(b)),
            [a, b] => (b, Some(a)),
            _ => return None,
        };
        let bare = self.bare(core, root)?;
        let shape = self.shape(bare.x);
        let axis = *bare.axes.first()?;
        let last = bare.axes.iter().copied().eq(axis..shape.len());
        let vector = |it: &Option<NodeId>| it.is_none_or(|it| self.is_vector(it, &shape[axis..]));
        let fits = last && shape == self.shape(id) && vector(&weight) && vector(&bias);
        let [weight, bias] = [weight, bias].map(|it| it.map(|it| self.strip(it)));
        let pattern = OnnxPattern::Norm {
            x: bare.x,
            axis,
            eps: bare.eps,
            weight,
            bias,
            centred: bare.centred,
        };
        (fits && (bare.centred || bias.is_none())).then_some(pattern)
    }

    fn is_root_of(&self, root: NodeId, core: NodeId) -> bool {
        self.bare(core, root).is_some()
    }

    /// `core / √root`, where `core` is `x` or `x` less its mean.
    fn bare(&self, core: NodeId, root: NodeId) -> Option<BareNorm> {
        let (spread, eps) = self
            .orders(root, Binary::Add)
            .into_iter()
            .find_map(|(spread, eps)| Some((spread, self.constant(eps)?)))?;
        let variance = self.node(self.strip(spread));
        if let Op::Variance(axes) = &variance.op {
            let (x, mean) = self.binary(core, Binary::Sub)?;
            let (of, over) = self.mean(mean)?;
            let fits = self.same(of, x) && self.same(variance.args[0], x) && over == axes;
            return fits.then(|| BareNorm { x, axes: axes.clone(), eps, centred: true });
        }
        let (square, axes) = self.mean(spread)?;
        let product = self.product(square);
        let squared = match product.factors[..] {
            [a, b] => self.same(a, core) && self.same(b, core),
            [a] => self
                .binary(a, Binary::Pow)
                .is_some_and(|(of, by)| self.same(of, core) && self.is(by, 2.0)),
            _ => false,
        };
        if !squared || product.constant != 1.0 || !product.roots.is_empty() {
            return None;
        }
        let axes = axes.to_vec();
        let centred = self.binary(core, Binary::Sub).filter(|&(x, mean)| {
            self.mean(mean).is_some_and(|(of, over)| self.same(of, x) && over == axes)
        });
        Some(match centred {
            Some((x, _)) => BareNorm { x, axes, eps, centred: true },
            None => BareNorm { x: core, axes, eps, centred: false },
        })
    }

    /// `(x − mean) · (rsqrt(variance + eps) · weight) + bias` with numbers of each channel.
    fn batch_norm(&self, scaled: NodeId, bias: NodeId) -> Option<OnnxPattern> {
        let product = self.product(scaled);
        let &[root] = &product.roots[..] else { return None };
        let [a, b] = product.factors[..] else { return None };
        let centred = |it| self.binary(it, Binary::Sub);
        let ((x, mean), weight) = match (centred(a), centred(b)) {
            (Some(parts), None) => (parts, b),
            (None, Some(parts)) => (parts, a),
            _ => return None,
        };
        let shape = self.shape(x);
        let channels = shape.last()?;
        let (variance, eps) = self
            .orders(root, Binary::Add)
            .into_iter()
            .find_map(|(variance, eps)| Some((variance, self.constant(eps)?)))?;
        let parts = [weight, bias, mean, variance];
        let vectors = parts.iter().all(|&it| self.is_vector(it, std::slice::from_ref(channels)));
        let fits = vectors && product.constant == 1.0 && (2..=4).contains(&shape.len());
        let [weight, bias, mean, variance] = parts.map(|it| self.strip(it));
        fits.then_some(OnnxPattern::BatchNorm { x, eps, weight, bias, mean, variance })
    }

    /// A norm of `[n, .., groups, c / groups]`, reshaped back, with numbers of each channel.
    fn group_norm(&self, scaled: NodeId, bias: NodeId) -> Option<OnnxPattern> {
        self.orders(scaled, Binary::Mul).into_iter().find_map(|(normed, weight)| {
            let back = self.node(normed);
            let Op::Reshape(_) = back.op else { return None };
            let product = self.product(back.args[0]);
            let (&[core], &[root]) = (&product.factors[..], &product.roots[..]) else {
                return None;
            };
            let bare = self.bare(core, root)?;
            let grouped = self.node(bare.x);
            let Op::Reshape(_) = grouped.op else { return None };
            let (inner, shape) = (self.shape(bare.x), self.shape(grouped.args[0]));
            let rank = shape.len();
            let channels = shape.last()?;
            let spatial = inner.len() == rank + 1 && inner[..rank - 1] == shape[..rank - 1];
            let axes: Vec<usize> = (1..rank - 1).chain([rank]).collect();
            let vectors = [weight, bias].iter().all(|&it| self.is_vector(it, &[*channels]));
            let whole = shape == self.shape(normed) && product.constant == 1.0 && bare.centred;
            let &Dim::Known(groups) = inner.get(rank - 1)? else { return None };
            (spatial && bare.axes == axes && vectors && whole && rank >= 3).then(|| {
                OnnxPattern::GroupNorm {
                    x: grouped.args[0],
                    eps: bare.eps,
                    groups,
                    weight: self.strip(weight),
                    bias: self.strip(bias),
                }
            })
        })
    }
}
