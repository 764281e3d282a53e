//! Attention: `softmax(q · kᵀ · scale, with what is masked) · v` as ONNX's `Attention`.
//!
//! ```text
//! softmax(where(m, (q @ transpose(k)) * s, -1e30)) @ v    Attention(q, k, v, Where(m, 0, -1e30)), scale s
//! ```
//!
//! Numbers that programs choose instead of scores, such as -1e30, are added to them: they are so large that a
//! score does not change them, and a query that sees nothing gets the mean of all values there, too. The usual triangle, by
//! itself, is `is_causal`.

use super::OnnxPattern;
use crate::base::tensor::DType;
use crate::graph::{Binary, Dim, NodeId, Op};
use crate::onnx::export::build::{Exporter, float, int};
use crate::onnx::export::matching::{Matcher, near};
use crate::onnx::export::value::{LaidOut, ValuePlace};

/// Numbers below this are no scores: added to one, they are what they were.
const MASKED: f64 = -1e15;

/// Attention over the last two of three or four axes.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::onnx::export) struct AttentionParts {
    pub query: NodeId,
    pub key: NodeId,
    /// Whether the key stands as `[.., D, S]`.
    pub key_turned: bool,
    pub value: NodeId,
    pub scale: f64,
    /// Whether each query sees only the keys up to its own place.
    pub causal: bool,
    pub masks: Vec<ScoreMask>,
}

/// A change of scores before the softmax.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::onnx::export) enum ScoreMask {
    /// Scores stay where this is true; elsewhere they are this number.
    Choice(NodeId, f64),
    /// This is added.
    Sum(NodeId),
}

impl AttentionParts {
    /// The nodes that it reads.
    pub fn reads(&self) -> Vec<NodeId> {
        let masks = self.masks.iter().map(|mask| match mask {
            ScoreMask::Choice(node, _) | ScoreMask::Sum(node) => *node,
        });
        [self.query, self.key, self.value].into_iter().chain(masks).collect()
    }
}

impl Matcher<'_> {
    /// Attention that ends in a product.
    pub(super) fn attention(&self, id: NodeId) -> Option<OnnxPattern> {
        let node = self.node(id);
        let Op::MatMul { transpose_a: false, transpose_b: false } = node.op else { return None };
        let OnnxPattern::Softmax { x, axis, log: false } = self.softmax(node.args[0])? else {
            return None;
        };
        let shape = self.shape(x);
        if axis + 1 != shape.len()
            || !matches!(shape.len(), 3 | 4)
            || shape != self.shape(node.args[0])
        {
            return None;
        }
        let mut parts = self.scores(x)?;
        parts.value = node.args[1];
        // Beside another mask, the triangle's rows may see nothing; then all keys count, not its own.
        if let [ScoreMask::Choice(condition, _)] = parts.masks[..] {
            let [.., queries, keys] = shape else { return None };
            parts.causal = self.is_triangle(condition) && queries == keys;
        }
        if parts.causal {
            parts.masks.clear();
        }
        let before = &shape[..shape.len() - 2];
        let alike = [parts.query, parts.key, parts.value].iter().all(|&it| {
            self.shape(it).len() == shape.len() && self.shape(it)[..before.len()] == *before
        });
        (alike && node.ty.dtype == DType::F32).then_some(OnnxPattern::Attention(parts))
    }

    /// The masks of scores, and what they are products of.
    fn scores(&self, id: NodeId) -> Option<AttentionParts> {
        let shape = self.shape(id);
        let node = self.node(self.strip(id));
        if let (Op::Where, &[condition, kept, other]) = (&node.op, &node.args[..]) {
            let masked = self.constant(other).filter(|&number| number < MASKED)?;
            let mut parts = self.scores(kept).filter(|_| self.shape(kept) == shape)?;
            parts.masks.push(ScoreMask::Choice(condition, masked));
            return Some(parts);
        }
        if let Some((a, b)) = self.binary(id, Binary::Add) {
            return [(a, b), (b, a)].into_iter().find_map(|(scores, added)| {
                let mut parts = self.scores(scores).filter(|_| self.shape(scores) == shape)?;
                parts.masks.push(ScoreMask::Sum(added));
                Some(parts)
            });
        }
        self.scaled(id)
    }

    /// `(q @ transpose(k)) * scale`
    fn scaled(&self, id: NodeId) -> Option<AttentionParts> {
        let product = self.product(id);
        let [scores] = product.factors[..] else { return None };
        let node = self.node(scores);
        let Op::MatMul { transpose_a: false, transpose_b } = node.op else { return None };
        let fits = product.roots.is_empty() && self.shape(scores) == self.shape(id);
        // ONNX multiplies both factors with the root of the scale.
        (fits && product.constant > 0.0).then(|| AttentionParts {
            query: node.args[0],
            key: node.args[1],
            key_turned: !transpose_b,
            value: node.args[1],
            scale: product.constant,
            causal: false,
            masks: Vec::new(),
        })
    }

    /// Whether a condition is true up to the diagonal of the last two axes.
    fn is_triangle(&self, id: NodeId) -> bool {
        let along = |id: NodeId, axis: usize| {
            let node = self.node(self.strip(id));
            matches!(&node.op, Op::Iota { shape, axis: of } if shape.rank() == 2 && *of == axis)
        };
        let places = |op: Binary| self.binary(id, op);
        let direct =
            places(Binary::Le).is_some_and(|(key, query)| along(key, 1) && along(query, 0));
        direct || places(Binary::Ge).is_some_and(|(query, key)| along(key, 1) && along(query, 0))
    }
}

impl Exporter<'_> {
    pub(super) fn lower_attention(&mut self, id: NodeId, parts: &AttentionParts) -> LaidOut {
        let mut inputs = Vec::new();
        for (node, turned) in
            [(parts.query, false), (parts.key, parts.key_turned), (parts.value, false)]
        {
            let value = self.value(node);
            let mut value = self.full(&value, self.shape(node));
            if turned {
                let mut order: Vec<usize> = (0..value.shape.len()).collect();
                order.swap(value.shape.len() - 2, value.shape.len() - 1);
                value = self.relabelled(&value, &order);
            }
            let value = self.plain(&value);
            let place = self.reshaped_place(&value.place, &value.shape, &with_heads(&value.shape));
            inputs.push(self.named(&LaidOut::plain(place, with_heads(&value.shape))));
        }
        let [.., rows, _] = *self.shape(parts.query) else { unreachable!("three axes or four") };
        let key = self.shape(parts.key);
        let columns = key[key.len() - if parts.key_turned { 1 } else { 2 }];
        inputs.extend(self.bias_of_scores(parts, rows, columns));
        let usual = self.shape(parts.query).last().and_then(|dim| dim.known());
        let is_usual = usual.is_some_and(|width| near(parts.scale, 1.0 / (width as f64).sqrt()));
        let mut attributes = Vec::new();
        if !is_usual {
            attributes.push(float("scale", parts.scale));
        }
        if parts.causal {
            attributes.push(int("is_causal", 1));
        }
        let shape = self.shape(id).to_vec();
        let place = ValuePlace::Named(self.emit("Attention", &inputs, attributes));
        let place = self.reshaped_place(&place, &with_heads(&shape), &shape);
        LaidOut::plain(place, shape)
    }

    /// The sum that masks add to scores, with all of its rows and columns: runtimes want both.
    fn bias_of_scores(
        &mut self,
        parts: &AttentionParts,
        rows: Dim,
        columns: Dim,
    ) -> Option<String> {
        let rank = self.shape(parts.query).len();
        let mut whole: Option<LaidOut> = None;
        for mask in &parts.masks {
            whole = Some(match *mask {
                ScoreMask::Sum(node) => {
                    let added = self.value(node);
                    let values = [whole, Some(added)].into_iter().flatten().collect();
                    self.elementwise_of(rank, values, |it, names| match names {
                        [one] => one.clone(),
                        both => it.emit("Add", both, Vec::new()),
                    })
                }
                ScoreMask::Choice(node, number) => {
                    let [zero, unseen] = [0.0, number].map(|it| self.scalar(it, DType::F32));
                    let kept = self.value(node);
                    let values = [Some(kept), whole].into_iter().flatten().collect();
                    self.elementwise_of(rank, values, |it, names| {
                        let before = names.get(1).unwrap_or(&zero);
                        let choice = [names[0].clone(), before.clone(), unseen];
                        it.emit("Where", &choice, Vec::new())
                    })
                }
            });
        }
        let bias = self.ranked(&whole?, rank);
        let mut shape = bias.shape.clone();
        shape.splice(rank - 2.., [rows, columns]);
        let bias = self.full(&bias, &shape);
        let bias = self.plain(&bias);
        let four = with_heads(&shape);
        let place = self.reshaped_place(&bias.place, &shape, &four);
        Some(self.named(&LaidOut::plain(place, four)))
    }
}

/// A shape with an axis of heads; one head, where the program has none.
fn with_heads(shape: &[Dim]) -> Vec<Dim> {
    match *shape {
        [batch, rows, columns] => vec![batch, Dim::Known(1), rows, columns],
        _ => shape.to_vec(),
    }
}
