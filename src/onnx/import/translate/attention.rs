//! `Attention`: the parts of which the language makes its own, with all masks.
//!
//! ```text
//! Attention(q, k, v)                  dot_attention(q, k, v)
//! Attention(q, k, v, m), m: bool      p = softmax(where(m, q @ transpose(k) * s, -1e30)); where(m, p, 0) @ v
//! Attention(q, k, v, m), m: float     s' = q @ transpose(k) * s + m; where(s' >= lowest, p, 0) @ v
//! ```
//!
//! A query that may see nothing makes zeros in ONNX. Heads of queries that share a key's are an axis of
//! their own.

use super::Translator;
use crate::onnx::import::constant::ElementKind;
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, NetForm};
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::{GraphValue, Placed};

/// The score of what a query does not see.
const UNSEEN: f64 = -1e30;

/// Which keys a query sees.
enum SeenKeys {
    All,
    /// Those up to its own place and so many more.
    Causal(i64),
    /// Where this is true.
    Choice(Placed),
    /// Where this, which is added, is not minus infinity.
    Added(Placed),
}

/// Queries, keys and values, `[N, heads, steps, width]`.
struct Heads {
    query: Placed,
    key: Placed,
    value: Placed,
}

impl<'a> Translator<'a> {
    pub(super) fn attention(&mut self, node: &NodeReader<'a>) -> Made<Vec<GraphValue>> {
        let (mut heads, flat) = self.heads(node)?;
        let past = self.past(node, &mut heads)?;
        let width = heads.query.dims[3].number().ok_or("its width depends on the batch")?;
        let usual = 1.0 / (width as f64).sqrt();
        let scale = node.float("scale", usual)?;
        let softcap = node.float("softcap", 0.0)?;
        let mode = node.int("qk_matmul_output_mode", 0)?;
        node.ignore(&["softmax_precision"]);
        let causal = node.int("is_causal", 0)? != 0;
        let mask = self.known.optional(node, 3)?;
        let mask = mask.map(|mask| self.computed(mask)).transpose()?;
        let wants_scores = node
            .node
            .outputs
            .get(3)
            .is_some_and(|name| !name.is_empty() && self.readers.contains_key(name.as_str()));
        if wants_scores && (mode != 0 || softcap != 0.0) {
            return Err("its scores are asked for as they are after a mask".into());
        }
        let shared = heads.query.dims[1] != heads.key.dims[1];
        let plain = mask.is_none() && softcap == 0.0 && !wants_scores && !shared && !self.lead;
        let own = (scale - usual).abs() <= 1e-6 * usual;
        let (made, scores) = match plain && own && (!causal || past == 0) {
            true => (self.dot_attention(&heads, causal)?, None),
            false => {
                let scores = self.scores(&heads, scale)?;
                let capped = self.capped(&scores, softcap)?;
                let weights = self.seen(capped, mask, causal.then_some(past))?;
                (self.weighed(&weights, &heads)?, Some(scores))
            }
        };
        let made = match flat {
            false => made,
            true => {
                let made = self.renamed(&made, &[0, 2, 1, 3])?;
                let wide = made.dims[2].mul(made.dims[3]).ok_or("its shape is too large")?;
                let dims = vec![made.dims[0], made.dims[1], wide];
                self.reshaped(&made, dims)?
            }
        };
        let outputs = [Some(made), Some(heads.key), Some(heads.value), scores];
        Ok(outputs.into_iter().flatten().map(GraphValue::Tensor).collect())
    }

    /// The three with their heads apart, and whether they are side by side in the graph.
    fn heads(&mut self, node: &NodeReader<'a>) -> Made<(Heads, bool)> {
        let counts = [node.int("q_num_heads", 0)?, node.int("kv_num_heads", 0)?];
        let mut parts = Vec::with_capacity(3);
        let mut flat = false;
        for index in 0..3 {
            let part = self.tensor(node, index)?;
            if part.kind != ElementKind::Float {
                return Err("it is for floats alone".into());
            }
            let count = counts[index.min(1)];
            parts.push(match part.rank() {
                4 => part,
                3 if count > 0 => {
                    flat = true;
                    let wide = part.dims[2].number().filter(|wide| wide % count == 0);
                    let wide = wide.ok_or("its heads do not divide its width")? / count;
                    let (count, wide) = (SymbolicSize::known(count), SymbolicSize::known(wide));
                    let apart = vec![part.dims[0], part.dims[1], count, wide];
                    let apart = self.reshaped(&part, apart)?;
                    self.renamed(&apart, &[0, 2, 1, 3])?
                }
                rank => return Err(format!("an input of {rank} axes is no sequence of heads")),
            });
        }
        let [query, key, value] = parts.try_into().map_err(|_| "it takes three inputs")?;
        Ok((Heads { query, key, value }, flat))
    }

    /// Puts earlier keys and values before those of this call; how many they are.
    fn past(&mut self, node: &NodeReader<'a>, heads: &mut Heads) -> Made<i64> {
        let mut count = 0;
        for (index, part) in [(4, &mut heads.key), (5, &mut heads.value)] {
            let Some(past) = self.known.optional(node, index)? else { continue };
            let past = self.computed(past)?;
            if past.rank() != 4 {
                return Err("what it remembers has not four axes".into());
            }
            count = past.dims[2].number().ok_or("how much it remembers depends on the batch")?;
            *part = self.joined(vec![past, part.clone()], 2)?;
        }
        Ok(count)
    }

    fn dot_attention(&mut self, heads: &Heads, causal: bool) -> Made<Placed> {
        let parts = [&heads.query, &heads.key, &heads.value];
        let [query, key, value] = parts.map(|part| self.plain(part));
        let (query, key, value) = (query?, key?, value?);
        let mut dims = query.dims.clone();
        dims[3] = value.dims[3];
        let fits = query.dims[..2] == value.dims[..2] && key.dims[..3] == value.dims[..3];
        if !fits || query.dims[3] != key.dims[3] {
            return Err("its keys do not meet its queries and values".into());
        }
        let causal = causal.then_some((Some("causal"), CallSetting::bool(true)));
        let (args, settings) = (vec![query.id, key.id, value.id], causal.into_iter().collect());
        let id = self.call("dot_attention", args, settings, dims.clone(), ElementKind::Float);
        Ok(Placed::plain(id, ElementKind::Float, dims))
    }

    /// How many heads of queries there are for each of the keys.
    fn shared(heads: &Heads) -> Made<Option<[SymbolicSize; 2]>> {
        let (queries, keys) = (heads.query.dims[1], heads.key.dims[1]);
        if queries == keys {
            return Ok(None);
        }
        let each = match (queries.number(), keys.number()) {
            (Some(queries), Some(keys)) if keys > 0 && queries % keys == 0 => queries / keys,
            _ => return Err(format!("{queries} heads of queries do not share {keys} of keys")),
        };
        Ok(Some([keys, SymbolicSize::known(each)]))
    }

    /// `[N, H, T, D]` and `[N, K, S, D]` so that both have an axis for the heads that share a key.
    fn beside_heads(
        &mut self,
        many: &Placed,
        few: &Placed,
        shared: Option<[SymbolicSize; 2]>,
    ) -> Made<[Placed; 2]> {
        let Some([keys, each]) = shared else { return Ok([many.clone(), few.clone()]) };
        let apart = |of: &Placed, each| {
            let mut dims = vec![of.dims[0], keys, each];
            dims.extend(&of.dims[2..]);
            dims
        };
        let (first, second) = (apart(many, each), apart(few, SymbolicSize::ONE));
        Ok([self.reshaped(many, first)?, self.reshaped(few, second)?])
    }

    /// A product whose heads are one axis again.
    fn one_axis_of_heads(&mut self, made: Placed, heads: SymbolicSize) -> Made<Placed> {
        match made.rank() {
            4 => Ok(made),
            _ => {
                let mut dims = vec![made.dims[0], heads];
                dims.extend(&made.dims[3..]);
                self.reshaped(&made, dims)
            }
        }
    }

    fn scores(&mut self, heads: &Heads, scale: f64) -> Made<Placed> {
        let key = self.renamed(&heads.key, &[0, 1, 3, 2])?;
        let [query, key] = self.beside_heads(&heads.query, &key, Self::shared(heads)?)?;
        let scores = self.product(&query, &key)?;
        let scores = self.one_axis_of_heads(scores, heads.query.dims[1])?;
        self.with_number("*", &scores, scale)
    }

    /// `tanh(scores / cap) · cap`
    fn capped(&mut self, scores: &Placed, cap: f64) -> Made<Placed> {
        if cap == 0.0 {
            return Ok(scores.clone());
        }
        let small = self.with_number("/", scores, cap)?;
        let bent = self.of_one(&small, "tanh", Vec::new());
        self.with_number("*", &bent, cap)
    }

    /// The weights of the values that each query sees.
    fn seen(&mut self, scores: Placed, mask: Option<Placed>, causal: Option<i64>) -> Made<Placed> {
        let mut seen = Vec::new();
        seen.extend(causal.map(SeenKeys::Causal));
        seen.extend(mask.map(|mask| match mask.kind {
            ElementKind::Bool => SeenKeys::Choice(mask),
            _ => SeenKeys::Added(mask),
        }));
        if seen.is_empty() {
            seen.push(SeenKeys::All);
        }
        let (mut scores, mut visible) = (scores, Vec::new());
        for keys in seen {
            let condition = match keys {
                SeenKeys::All => continue,
                SeenKeys::Causal(more) => self.triangle(&scores.dims[2..], more, "<=")?,
                SeenKeys::Choice(mask) => mask,
                SeenKeys::Added(mask) => {
                    self.same_keys(&scores, &mask)?;
                    let (sum, lowest) = (GraphValue::Tensor(scores), number(f64::from(f32::MIN)));
                    scores = self.two("Add", &sum, &GraphValue::Tensor(mask))?;
                    self.two("GreaterOrEqual", &GraphValue::Tensor(scores.clone()), &lowest)?
                }
            };
            self.same_keys(&scores, &condition)?;
            let condition = GraphValue::Tensor(condition);
            let kept = GraphValue::Tensor(scores);
            scores = self.choice([&condition, &kept, &number(UNSEEN)])?;
            visible.push(condition);
        }
        let mut weights = self.of_one(&scores, "softmax", Vec::new());
        for condition in visible {
            let kept = GraphValue::Tensor(weights);
            weights = self.choice([&condition, &kept, &number(0.0)])?;
        }
        Ok(weights)
    }

    /// Refuses a mask of fewer keys than there are.
    fn same_keys(&self, scores: &Placed, mask: &Placed) -> Made<()> {
        match mask.dims.last() == scores.dims.last() || mask.dims.last() == Some(&SymbolicSize::ONE)
        {
            true => Ok(()),
            false => Err("its mask is not as long as its keys".into()),
        }
    }

    /// Whether each column of a matrix is up to its row's place, and so many more, or from there on.
    pub(super) fn triangle(
        &mut self,
        dims: &[SymbolicSize],
        more: i64,
        sign: &'static str,
    ) -> Made<Placed> {
        if self.lead || dims.iter().any(|size| size.has_batch()) {
            return Err("a triangle of whole inputs has no counterpart".into());
        }
        let dims = dims.to_vec();
        let [key, query] = [1, 0].map(|axis| {
            let settings =
                vec![(None, CallSetting::dims(&dims)), (Some("axis"), CallSetting::Int(axis))];
            let id = self.call("iota", Vec::new(), settings, dims.clone(), ElementKind::Int);
            Placed::plain(id, ElementKind::Int, dims.clone())
        });
        let query = match more {
            0 => query,
            _ => {
                let form = NetForm::Infix("+", CallSetting::Arg(0), CallSetting::Int(more));
                self.same_place(&query, form, ElementKind::Int)
            }
        };
        let form = NetForm::Infix(sign, CallSetting::Arg(0), CallSetting::Arg(1));
        let kind = ElementKind::Bool;
        let id = self.net.add(form, vec![key.id, query.id], dims.clone(), kind);
        Ok(Placed::plain(id, kind, dims))
    }

    fn weighed(&mut self, weights: &Placed, heads: &Heads) -> Made<Placed> {
        let [weights, value] = self.beside_heads(weights, &heads.value, Self::shared(heads)?)?;
        let made = self.product(&weights, &value)?;
        self.one_axis_of_heads(made, heads.query.dims[1])
    }
}

fn number(value: f64) -> GraphValue {
    GraphValue::Filled(value, ElementKind::Float, Vec::new())
}
