//! Constants that the program computes with, as its variables.
//!
//! ```text
//! weight [3, 8] of the file            param weight: f32[3, 8]
//! mask [6, 6] of 0 and -inf            state constant: f32[6, 6]
//! [7, 16777217]: i64                   cast(state, i32) * 65536 + cast(state, i32)
//! ```
//!
//! Variables are floats, which have every whole number up to 2^24; larger ones are two variables. Whole
//! numbers of more than 32 bits are refused.

use super::Translator;
use crate::onnx::import::constant::{Constant, ElementKind, TensorElements};
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, NetForm, NetId, NetNode, Weight};
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::Placed;
use std::rc::Rc;

/// The size from which a number is no weight: masks have such numbers, or infinity.
const NO_WEIGHT: f32 = 1e8;
/// The parts of a whole number that is no float.
const HALF: i64 = 1 << 16;

impl<'a> Translator<'a> {
    /// A constant as a variable of the program, for every sample where samples are whole inputs.
    pub fn variable(&mut self, constant: Constant) -> Made<Placed> {
        let dims = SymbolicSize::all_known(&constant.dims);
        let kind = constant.kind;
        let mut parts = Vec::new();
        for part in self.parts(constant)? {
            let mut id = self.float_variable(Weight::new(part))?;
            if self.lead {
                let one: Vec<SymbolicSize> =
                    std::iter::once(SymbolicSize::ONE).chain(dims.clone()).collect();
                id = self.reshape_node(id, one, ElementKind::Float);
                let shape = self.with_lead(&dims);
                let settings = vec![(None, CallSetting::dims(&shape))];
                id = self.call("expand", vec![id], settings, shape, ElementKind::Float);
            }
            parts.push(self.of_kind(id, kind));
        }
        Ok(Placed::plain(self.whole_number(&parts), kind, dims))
    }

    /// A weight as a variable of the program, which has no axis of samples.
    pub fn weight_node(&mut self, weight: Weight) -> Made<NetId> {
        let kind = weight.from.kind;
        let mut parts = Vec::new();
        for part in self.parts(weight.from.clone())? {
            let id = self.float_variable(Weight { from: part, ..weight.clone() })?;
            parts.push(self.of_kind(id, kind));
        }
        Ok(self.whole_number(&parts))
    }

    /// Constants that floats hold: the one that is given, or its upper and lower halves.
    fn parts(&self, constant: Constant) -> Made<Vec<Constant>> {
        if constant.kind != ElementKind::Int {
            return Ok(vec![constant]);
        }
        let one = match constant.elements {
            TensorElements::Filled(_) => constant.reshaped(vec![1]),
            _ => constant.clone(),
        };
        let values = one.ints(&self.known.stored);
        if let Some(large) = values.iter().find(|&&value| i32::try_from(value).is_err()) {
            return Err(format!("the whole number {large} has more than 32 bits"));
        }
        if values.iter().all(|&value| value as f32 as i64 == value) {
            return Ok(vec![constant]);
        }
        let part = |of: fn(i64) -> i64| {
            let elements = match constant.elements {
                TensorElements::Filled(_) => TensorElements::Filled(of(values[0]) as f64),
                _ => TensorElements::I64(Rc::new(values.iter().map(|&value| of(value)).collect())),
            };
            Constant { elements, name: String::new(), ..constant.clone() }
        };
        Ok(vec![part(|value| value.div_euclid(HALF)), part(|value| value.rem_euclid(HALF))])
    }

    /// The sum of halves.
    fn whole_number(&mut self, parts: &[NetId]) -> NetId {
        let [upper, lower] = parts else { return parts[0] };
        let shape = self.net.nodes[*upper].shape.clone();
        let mut infix = |sign, args: Vec<NetId>, right| {
            let form = NetForm::Infix(sign, CallSetting::Arg(0), right);
            self.net.add(form, args, shape.clone(), ElementKind::Int)
        };
        let upper = infix("*", vec![*upper], CallSetting::Int(HALF));
        infix("+", vec![upper, *lower], CallSetting::Arg(1))
    }

    /// A weight as a variable: trained, if the file has it as it is and it may be one.
    fn float_variable(&mut self, weight: Weight) -> Made<NetId> {
        if weight.dims.contains(&0) {
            return Err("a constant without elements is computed with".into());
        }
        let trained = weight.from.kind == ElementKind::Float
            && weight.from.stored_index().is_some()
            && !self.is_mask(&weight.from);
        let shape = SymbolicSize::all_known(&weight.dims);
        let name = weight.from.name.clone();
        let weight = if trained { weight } else { weight.state() };
        let (form, args) = (NetForm::Variable { trained }, Vec::new());
        let weights = vec![weight];
        Ok(self.net.push(NetNode { form, args, shape, kind: ElementKind::Float, weights, name }))
    }

    /// Whether a constant has numbers that no weight has, such as minus infinity.
    fn is_mask(&self, constant: &Constant) -> bool {
        let values = constant.floats(&self.known.stored);
        values.iter().any(|value| value.is_nan() || value.abs() >= NO_WEIGHT)
    }

    /// Floats as values of another kind.
    fn of_kind(&mut self, id: NetId, kind: ElementKind) -> NetId {
        if kind == ElementKind::Float {
            return id;
        }
        let shape = self.net.nodes[id].shape.clone();
        self.call("cast", vec![id], vec![(None, CallSetting::Word(kind.word()))], shape, kind)
    }
}
