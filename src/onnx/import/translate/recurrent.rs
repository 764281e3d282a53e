//! Recurrent layers, of one direction or both, whose states begin at zero.
//!
//! ```text
//! LSTM(x [T, N, D], W [2, 4H, D], R, B)   forward = lstm(x, H)   backward = lstm(x, H, reverse: true)
//! ```
//!
//! ONNX has steps first and the gates in the orders `i o f c` and `z r h`; the language has the batch
//! first, which costs nothing where the graph has just turned it, and `i f g o` and `r z n`.

use super::Translator;
use crate::onnx::import::constant::{Constant, ElementKind, TensorElements};
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, Move, Weight};
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::{GraphValue, Placed};
use crate::onnx::model::OnnxAttribute;
use std::rc::Rc;

/// A kind of recurrent layer.
struct Cell {
    callee: &'static str,
    /// The gates of the file in the language's order.
    gates: &'static [usize],
    /// The file's activations, if it says any.
    activations: &'static [&'static str],
    /// Whether the two biases stay apart.
    two_biases: bool,
}

/// The weights of one direction.
struct Direction {
    reverse: bool,
    weights: Vec<Weight>,
}

impl<'a> Translator<'a> {
    pub(super) fn lstm(&mut self, node: &NodeReader<'a>) -> Made<Vec<GraphValue>> {
        if node.int("input_forget", 0)? != 0 {
            return Err("gates that share a weight have no counterpart".into());
        }
        if let Some(weights) = self.known.optional(node, 7)?
            && !self.known_zero(&weights)
        {
            return Err("gates that see the cell have no counterpart".into());
        }
        let activations = &["Sigmoid", "Tanh", "Tanh"];
        self.recurrent(
            node,
            &Cell { callee: "lstm", gates: &[0, 2, 3, 1], activations, two_biases: false },
        )
    }

    pub(super) fn gru(&mut self, node: &NodeReader<'a>) -> Made<Vec<GraphValue>> {
        if node.int("linear_before_reset", 0)? == 0 {
            return Err(
                "a reset before the product (`linear_before_reset` is 0) has no counterpart".into(),
            );
        }
        let activations = &["Sigmoid", "Tanh"];
        self.recurrent(
            node,
            &Cell { callee: "gru", gates: &[1, 0, 2], activations, two_biases: true },
        )
    }

    pub(super) fn rnn(&mut self, node: &NodeReader<'a>) -> Made<Vec<GraphValue>> {
        let (callee, activations): (_, &[&str]) = match node.attribute("activations") {
            Some(OnnxAttribute::Strings(names))
                if names.iter().all(|name| name.eq_ignore_ascii_case(b"Relu")) =>
            {
                ("rnn_relu", &["Relu"])
            }
            _ => ("rnn", &["Tanh"]),
        };
        self.recurrent(node, &Cell { callee, gates: &[0], activations, two_biases: false })
    }

    fn recurrent(&mut self, node: &NodeReader<'a>, cell: &Cell) -> Made<Vec<GraphValue>> {
        let x = self.tensor(node, 0)?;
        let layout = node.int("layout", 0)?;
        if layout != 0 || x.rank() != 3 || x.kind != ElementKind::Float || self.lead {
            return Err("only sequences `[steps, batch, values]` are supported".into());
        }
        self.check_recurrent(node, cell)?;
        let units = node.int("hidden_size", 0)?;
        let directions = self.directions(node, cell, units)?;
        let x = self.ordered(&x, &[1, 0, 2])?;
        let (steps, batch) = (x.dims[0], x.dims[1]);
        let known = steps.number().ok_or("the number of steps depends on the batch")?;
        let count = SymbolicSize::known(directions.len() as i64);
        let shape = vec![batch, steps, SymbolicSize::known(units)];
        let (mut all, mut last) = (Vec::new(), Vec::new());
        for direction in directions {
            let mut settings = vec![(None, CallSetting::Int(units))];
            if direction.reverse {
                settings.push((Some("reverse"), CallSetting::bool(true)));
            }
            let weights = direction.weights;
            let id = self.layer(node, (cell.callee, x.id), settings, shape.clone(), weights);
            let made = Placed::plain(id, ElementKind::Float, shape.clone());
            let end = if direction.reverse { 0 } else { known - 1 };
            all.push(made.clone());
            last.push((made, end));
        }
        let whole = self.joined_directions(all, &shape)?;
        // Stored [N, T, directions · H]: axes apart, under the names that the graph has for them.
        let apart = vec![batch, steps, count, SymbolicSize::known(units)];
        let whole = self.reshaped(&whole, apart)?;
        let whole = self.renamed(&whole, &[1, 2, 0, 3])?;
        let mut made = vec![GraphValue::Tensor(whole)];
        let wants = |name: &&String| !name.is_empty() && self.readers.contains_key(name.as_str());
        if node.node.outputs.get(1).as_ref().is_some_and(wants) {
            made.push(GraphValue::Tensor(self.last_states(last, count, units)?));
        }
        Ok(made)
    }

    /// The state of each direction after its last step: `[directions, N, H]`.
    fn last_states(
        &mut self,
        last: Vec<(Placed, i64)>,
        count: SymbolicSize,
        units: i64,
    ) -> Made<Placed> {
        let batch = last[0].0.dims[0];
        let (mut states, dims) = (Vec::new(), vec![batch, SymbolicSize::known(units)]);
        for (made, end) in last {
            let state = self.range(&made, 1, end, end + 1)?;
            states.push(self.reshaped(&state, dims.clone())?);
        }
        let joined = self.joined_directions(states, &dims)?;
        let apart = self.reshaped(&joined, vec![batch, count, SymbolicSize::known(units)])?;
        self.renamed(&apart, &[1, 0, 2])
    }

    fn joined_directions(
        &mut self,
        mut values: Vec<Placed>,
        dims: &[SymbolicSize],
    ) -> Made<Placed> {
        match values.len() {
            1 => values.pop().ok_or_else(|| "it has no direction".to_owned()),
            _ => self.joined(values, dims.len() as i64 - 1),
        }
    }

    /// Refuses what the language's layers do not do.
    fn check_recurrent(&self, node: &NodeReader<'a>, cell: &Cell) -> Made<()> {
        if node.attribute("clip").is_some() {
            return Err("values that are clipped have no counterpart".into());
        }
        if let Some(known) = node.attribute("activations") {
            let OnnxAttribute::Strings(names) = known else {
                return Err("the attribute `activations` should be texts".into());
            };
            let usual = cell.activations.iter().cycle();
            let same =
                |(name, usual): (&Vec<u8>, &&str)| name.eq_ignore_ascii_case(usual.as_bytes());
            if !names.iter().zip(usual).all(same) {
                return Err("other activations than the usual ones have no counterpart".into());
            }
        }
        if self.known.optional(node, 4)?.is_some() {
            return Err("sequences of several lengths have no counterpart".into());
        }
        for index in [5, 6].into_iter().take(if cell.callee == "lstm" { 2 } else { 1 }) {
            if let Some(state) = self.known.optional(node, index)?
                && !self.known_zero(&state)
            {
                return Err("a state that does not begin at zero has no counterpart".into());
            }
        }
        Ok(())
    }

    fn directions(&self, node: &NodeReader<'a>, cell: &Cell, units: i64) -> Made<Vec<Direction>> {
        let reversed: &[bool] = match node.text("direction", "forward")? {
            "forward" => &[false],
            "reverse" => &[true],
            "bidirectional" => &[false, true],
            other => return Err(format!("the direction `{other}` is not known")),
        };
        let (weight, recurrent) = (self.known.constant(node, 1)?, self.known.constant(node, 2)?);
        let bias = self.known.optional_constant(node, 3)?;
        let (gates, count) = (cell.gates.len(), reversed.len());
        let wide = usize::try_from(units).ok().and_then(|units| units.checked_mul(gates));
        let wide = wide.filter(|&wide| wide > 0 && wide < 1 << 24).ok_or("it has no units")?;
        let fits = |it: &Constant| it.dims.len() == 3 && it.dims[..2] == [count, wide];
        if !fits(&weight) || !fits(&recurrent) || weight.kind != ElementKind::Float {
            return Err(format!("weights {:?} are not for {units} units", weight.dims));
        }
        let long = |bias: &Constant| bias.dims[..] == [count, 2 * wide];
        if !bias.as_ref().is_none_or(long) {
            return Err("its bias does not fit its units".into());
        }
        let made = reversed.iter().enumerate().map(|(at, &reverse)| {
            let matrix = |of: &Constant| {
                let weight = Weight::new(self.part(of, at, 0, of.dims[1])).blocks(cell.gates);
                weight.transposed(&[1, 0])
            };
            let half = |from: usize| match &bias {
                Some(bias) => self.part(&bias.reshaped(vec![count, 2 * wide, 1]), at, from, wide),
                None => self.zeros(wide),
            };
            let line = |of: Constant| Weight::new(of.reshaped(vec![wide])).blocks(cell.gates);
            let mut weights = vec![matrix(&weight), matrix(&recurrent)];
            match cell.two_biases {
                true => weights.extend([line(half(0)), line(half(wide))]),
                false => {
                    let both = Weight::new(half(0).reshaped(vec![wide]));
                    weights.push(both.moved(Move::Add(half(wide))).blocks(cell.gates));
                }
            }
            Direction { reverse, weights }
        });
        Ok(made.collect())
    }

    /// Rows of one entry along the first axis of three.
    fn part(&self, of: &Constant, entry: usize, from: usize, rows: usize) -> Constant {
        let (all, width) = (of.dims[1], of.dims[2]);
        let start = (entry * all + from) * width;
        let values = of.floats(&self.known.stored)[start..start + rows * width].to_vec();
        let elements = TensorElements::F32(Rc::new(values));
        Constant { dims: vec![rows, width], elements, ..of.clone() }
    }

    fn zeros(&self, count: usize) -> Constant {
        let elements = TensorElements::Filled(0.0);
        Constant { kind: ElementKind::Float, dims: vec![count], elements, name: String::new() }
    }
}
