//! Products of matrices: with a constant on the right they are dense layers.
//!
//! ```text
//! Gemm(x, w, b, transB: 1)                →  dense(x, 1000), weight transposed
//! MatMul(x, w[768, 3072]); Add(b)         →  dense(x, 3072)
//! x flattened with its channels last      →  the weight's rows in the order in which x is stored
//! ```

use super::Translator;
use super::conv::{CallSettings, with_bias};
use crate::onnx::import::constant::{Constant, ElementKind, TensorElements};
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, Move, NetForm, NetId, Weight};
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::{GraphValue, Placed};

impl<'a> Translator<'a> {
    pub(super) fn gemm(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let (alpha, beta) = (node.float("alpha", 1.0)?, node.float("beta", 1.0)?);
        let turned = [node.int("transA", 0)? != 0, node.int("transB", 0)? != 0];
        node.ignore(&["broadcast"]);
        let x = self.tensor(node, 0)?;
        let x = if turned[0] { self.swapped(&x)? } else { x };
        let bias = self.known.optional(node, 2)?;
        if x.rank() != 2 {
            return Err(format!("its first input has {} axes, not 2", x.rank()));
        }
        let second = self.known.value(node, 1)?;
        let (GraphValue::Constant(weight), None | Some(GraphValue::Constant(_))) = (&second, &bias)
        else {
            return self.computed_gemm(&x, second, turned[1], (alpha, beta), bias);
        };
        if weight.dims.len() != 2 {
            return Err(format!("its second input has {} axes, not 2", weight.dims.len()));
        }
        let weight = Weight::new(weight.clone());
        let weight = if turned[1] { weight.transposed(&[1, 0]) } else { weight };
        let weight = if alpha == 1.0 { weight } else { weight.moved(Move::Scale(alpha as f32)) };
        let units = weight.dims[1] as i64;
        let bias = match bias {
            Some(GraphValue::Constant(bias)) if beta != 0.0 => Some(bias),
            _ => None,
        };
        // One number for all units is one for each; other shapes are added by themselves.
        let flat = |bias: &Constant| {
            bias.count() as i64 == units && bias.dims.last() == Some(&(units as usize))
        };
        let (own, apart) = match bias {
            Some(bias) if flat(&bias) => (Some(bias), None),
            other => (None, other),
        };
        let mut settings = CallSettings::new();
        let mut weights = with_bias(weight, own, units, &mut settings)?;
        if beta != 1.0
            && let Some(bias) = weights.get_mut(1)
        {
            bias.moves.push(Move::Scale(beta as f32));
        }
        let made = self.dense(node, &x, settings, weights)?;
        match apart {
            None => Ok(made),
            Some(bias) => {
                let bias = self.variable(bias)?;
                let bias = if beta == 1.0 { bias } else { self.with_number("*", &bias, beta)? };
                self.two("Add", &GraphValue::Tensor(made), &GraphValue::Tensor(bias))
            }
        }
    }

    /// `alpha · x @ y + beta · z`
    fn computed_gemm(
        &mut self,
        x: &Placed,
        y: GraphValue,
        turned: bool,
        (alpha, beta): (f64, f64),
        bias: Option<GraphValue>,
    ) -> Made<Placed> {
        let y = self.computed(y)?;
        let y = if turned { self.swapped(&y)? } else { y };
        let mut made = self.product(x, &y)?;
        if alpha != 1.0 {
            made = self.with_number("*", &made, alpha)?;
        }
        let Some(bias) = bias.filter(|_| beta != 0.0) else { return Ok(made) };
        let mut bias = self.computed(bias)?;
        if beta != 1.0 {
            bias = self.with_number("*", &bias, beta)?;
        }
        self.two("Add", &GraphValue::Tensor(made), &GraphValue::Tensor(bias))
    }

    /// A matrix with its two axes under each other's names: nothing moves.
    fn swapped(&mut self, x: &Placed) -> Made<Placed> {
        let x = self.unshuffled(x)?;
        if x.rank() != 2 {
            return Err(format!("a matrix has {} axes, not 2", x.rank()));
        }
        let dims = vec![x.dims[1], x.dims[0]];
        Ok(Placed { dims, order: x.order.iter().map(|axis| 1 - axis).collect(), ..x })
    }

    pub(super) fn matmul(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let (a, b) = (self.known.value(node, 0)?, self.known.value(node, 1)?);
        match (a, b) {
            (GraphValue::Tensor(x), GraphValue::Constant(weight))
                if weight.dims.len() == 2 && weight.kind == ElementKind::Float && x.rank() >= 2 =>
            {
                let settings = vec![(Some("bias"), CallSetting::bool(false))];
                self.dense(node, &x, settings, vec![Weight::new(weight)])
            }
            (a, b) => {
                let (a, b) = (self.computed(a)?, self.computed(b)?);
                self.product(&a, &b)
            }
        }
    }

    /// A dense layer over the last axis; the weight's rows are put in the order of what was flattened.
    fn dense(
        &mut self,
        node: &NodeReader<'a>,
        x: &Placed,
        settings: CallSettings,
        mut weights: Vec<Weight>,
    ) -> Made<Placed> {
        let weight = weights.remove(0);
        let [inputs, units] = weight.dims[..] else { return Err("its weight is no matrix".into()) };
        let last = x.rank() - 1;
        if x.dims[last] != SymbolicSize::known(inputs as i64) || x.kind != ElementKind::Float {
            return Err(format!("a weight [{inputs}, {units}] is not for {} inputs", x.dims[last]));
        }
        let (x, weight) = match &x.shuffle {
            Some(shuffle) => {
                let mut apart = shuffle.dims.clone();
                apart.push(units);
                let order: Vec<usize> =
                    shuffle.order.iter().copied().chain([shuffle.order.len()]).collect();
                let weight = weight.reshaped(apart).transposed(&order);
                (Placed { shuffle: None, ..x.clone() }, weight.reshaped(vec![inputs, units]))
            }
            None if x.rows.is_some() => (x.clone(), weight),
            None => (self.moved_last(x, last)?, weight),
        };
        weights.insert(0, weight);
        // Rows may stay apart: the layer is over the last axis alone.
        let mut apart = x.apart();
        let last = apart.rank() - 1;
        apart.dims[last] = SymbolicSize::known(units as i64);
        let shape = self.shape(&apart.dims, &x.order);
        let settings = std::iter::once((None, CallSetting::Int(units as i64))).chain(settings);
        let id = self.layer(node, ("dense", x.id), settings.collect(), shape, weights);
        let mut dims = x.dims.clone();
        if let Some(columns) = dims.last_mut() {
            *columns = SymbolicSize::known(units as i64);
        }
        Ok(Placed { id, dims, ..x })
    }

    /// `a @ b` of two values of the program.
    pub(super) fn product(&mut self, a: &Placed, b: &Placed) -> Made<Placed> {
        if a.kind != ElementKind::Float || b.kind != ElementKind::Float {
            return Err("products of whole numbers have no counterpart".into());
        }
        if a.rank() < 2 || b.rank() < 2 {
            return Err("products with a vector are not supported".into());
        }
        let rank = a.rank().max(b.rank());
        let (a, b) = (self.ranked(a, rank)?, self.ranked(b, rank)?);
        let (a, b) = (self.plain(&a)?, self.plain(&b)?);
        let lines = (a.dims[rank - 2], a.dims[rank - 1], b.dims[rank - 2], b.dims[rank - 1]);
        if lines.1 != lines.2 {
            return Err(format!("{} columns do not meet {} rows", lines.1, lines.2));
        }
        let mut dims = super::layout::broadcast(&a.dims[..rank - 2], &b.dims[..rank - 2])?;
        dims.extend([lines.0, lines.3]);
        let shape = self.with_lead(&dims);
        let form = NetForm::Infix("@", CallSetting::Arg(0), CallSetting::Arg(1));
        let id = self.net.add(form, vec![a.id, b.id], shape, ElementKind::Float);
        Ok(Placed::plain(id, ElementKind::Float, dims))
    }

    /// Whether a value is zero everywhere, and known to be.
    pub(super) fn known_zero(&self, value: &GraphValue) -> bool {
        match value {
            GraphValue::Filled(number, ..) => *number == 0.0,
            GraphValue::Constant(Constant { elements: TensorElements::Filled(number), .. }) => {
                *number == 0.0
            }
            GraphValue::Constant(constant) => self.is_zero(constant),
            GraphValue::Tensor(placed) => self.moves_zeros(placed.id),
            GraphValue::Sizes(_) | GraphValue::Missing => false,
        }
    }

    /// Whether a value of the program is made of zeros that only move.
    fn moves_zeros(&self, id: NetId) -> bool {
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            let node = &self.net.nodes[id];
            let moves = match &node.form {
                NetForm::Variable { .. } => self.is_zero(&node.weights[0].from),
                NetForm::Index(_) => true,
                NetForm::Call { callee, .. } => {
                    matches!(callee.as_str(), "expand" | "reshape" | "transpose" | "concat")
                }
                NetForm::Input(_) | NetForm::Infix(..) | NetForm::Again(_) => false,
            };
            if !moves {
                return false;
            }
            stack.extend(&node.args);
        }
        true
    }
}
