//! Operators on two values or more, element by element, with NumPy's broadcasting.
//!
//! ```text
//! Add(x, y)                          x + y
//! Mul(x: [N, H, W, C], s[1, C, 1, 1])  x * s, with s a variable [C]
//! Clip(x, 0, 6)                      relu6(x), in `activation`
//! ```

use super::Translator;
use super::layout::broadcast;
use crate::onnx::import::constant::{Constant, ElementKind, TensorElements};
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, NetForm, NetId, NetNode, Weight};
use crate::onnx::import::node::{NodeReader, shortest};
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::{GraphValue, Placed};

/// An argument of an operator on elements: a value, or a number.
pub(super) enum PlacedOperand {
    Node(NetId),
    Number(f64),
}

/// Operands that meet, and what is made of them.
struct MetOperands {
    operands: Vec<PlacedOperand>,
    dims: Vec<SymbolicSize>,
    order: Vec<usize>,
    kind: ElementKind,
}

pub(super) fn is_elementwise(op: &str) -> bool {
    matches!(
        op,
        "Add"
            | "Sub"
            | "Mul"
            | "Div"
            | "Pow"
            | "Max"
            | "Min"
            | "Sum"
            | "Mean"
            | "Where"
            | "Equal"
            | "Less"
            | "Greater"
            | "LessOrEqual"
            | "GreaterOrEqual"
            | "And"
            | "Or"
            | "Mod"
    )
}

/// The operator of the language, if it is one between two values.
fn infix(op: &str) -> Option<&'static str> {
    Some(match op {
        "Add" | "Sum" | "Mean" => "+",
        "Sub" => "-",
        "Mul" => "*",
        "Div" => "/",
        "Pow" => "^",
        "Equal" => "==",
        "Less" => "<",
        "Greater" => ">",
        "LessOrEqual" => "<=",
        "GreaterOrEqual" => ">=",
        "And" => "and",
        "Or" => "or",
        _ => return None,
    })
}

impl<'a> Translator<'a> {
    pub(super) fn elementwise(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let op = node.node.op.as_str();
        let count = node.node.inputs.len();
        let mut values = Vec::with_capacity(count);
        for index in 0..count {
            values.push(self.known.value(node, index)?);
        }
        if let Some(shape) = self.batched_shape(&values) {
            values = values.into_iter().map(|value| self.one_sample(value, &shape)).collect();
        }
        if let [a, b] = &mut values[..] {
            self.legacy_broadcast(node, a, b)?;
            if op == "Add"
                && let Some(made) = self.bias(node, a, b)?
            {
                return Ok(made);
            }
        }
        if let [a, b] = &values[..]
            && let Some(made) = self.scaled_groups(node, a, b)
        {
            return Ok(made);
        }
        if op == "Where" {
            let [condition, a, b] = &values[..] else { return Err("it takes three inputs".into()) };
            return self.choice([condition, a, b]);
        }
        if op == "Mod" {
            let [a, b] = &values[..] else { return Err("it takes two inputs".into()) };
            return self.remainder(a, b, node.int("fmod", 0)? != 0);
        }
        let mut values = values.into_iter();
        let mut made = self.first(values.next())?;
        for value in values {
            made = GraphValue::Tensor(self.two(op, &made, &value)?);
        }
        let made = self.computed(made)?;
        if op == "Mean" && count > 1 {
            return self.with_number("*", &made, 1.0 / count as f64);
        }
        Ok(made)
    }

    /// The remainder of whole numbers, `a - a / b * b`, which has the sign of `a`. Unless that is asked for,
    /// the divisor is added where the signs differ.
    fn remainder(&mut self, a: &GraphValue, b: &GraphValue, of_first: bool) -> Made<Placed> {
        let divisor = match b {
            GraphValue::Constant(constant) => self.literal(constant),
            _ => None,
        };
        let divisor =
            divisor.filter(|divisor| *divisor != 0.0).ok_or("its divisor is no number")?;
        let whole = GraphValue::Tensor(self.two("Div", a, b)?);
        let product = self.two("Mul", &whole, b)?;
        if product.kind != ElementKind::Int {
            return Err("a remainder of floats has no counterpart".into());
        }
        let rest = self.two("Sub", a, &GraphValue::Tensor(product))?;
        if of_first {
            return Ok(rest);
        }
        let sign = if divisor > 0.0 { "<" } else { ">" };
        let form = NetForm::Infix(sign, CallSetting::Arg(0), CallSetting::Int(0));
        let differ = self.same_place(&rest, form, ElementKind::Bool);
        let rest = GraphValue::Tensor(rest);
        let moved = GraphValue::Tensor(self.two("Add", &rest, b)?);
        self.choice([&GraphValue::Tensor(differ), &moved, &rest])
    }

    fn first(&self, value: Option<GraphValue>) -> Made<GraphValue> {
        value.ok_or_else(|| "it has no inputs".to_owned())
    }

    /// Before version 7, the second value's axes began at an axis of the first's.
    fn legacy_broadcast(
        &self,
        node: &NodeReader<'a>,
        a: &GraphValue,
        b: &mut GraphValue,
    ) -> Made<()> {
        if node.opset >= 7 {
            return Ok(());
        }
        node.ignore(&["consumed_inputs"]);
        let (broadcast, axis) = (node.int("broadcast", 0)?, node.int("axis", -1)?);
        let (GraphValue::Tensor(a), GraphValue::Constant(b)) = (a, b) else { return Ok(()) };
        if broadcast == 0 || axis < 0 {
            return Ok(());
        }
        let behind = usize::try_from(axis)
            .ok()
            .and_then(|axis| a.rank().checked_sub(axis.checked_add(b.dims.len())?));
        let behind = behind.ok_or_else(|| format!("there is no axis {axis} to begin at"))?;
        b.dims.extend(vec![1; behind]);
        Ok(())
    }

    /// An operator on two values.
    pub(super) fn two(&mut self, op: &str, a: &GraphValue, b: &GraphValue) -> Made<Placed> {
        let MetOperands { operands, dims, order, kind } = self.operands(&[a, b], None)?;
        let made = self.checked_kind(op, kind)?;
        let is_max = matches!(op, "Max" | "Min");
        let (mut args, mut settings) = (Vec::new(), Vec::new());
        for operand in operands {
            settings.push(placed_operand(operand, &mut args, kind));
        }
        let shape = self.shape(&dims, &order);
        let (Some(right), Some(left)) = (settings.pop(), settings.pop()) else {
            return Err("it takes two inputs".into());
        };
        let form = match infix(op) {
            Some(sign) => NetForm::Infix(sign, left, right),
            None if is_max => {
                let callee = if op == "Max" { "max" } else { "min" };
                NetForm::Call {
                    callee: callee.to_owned(),
                    settings: vec![(None, left), (None, right)],
                }
            }
            None => return Err("it is not between two values".into()),
        };
        let id = self.net.push(NetNode {
            form,
            args,
            shape,
            kind: made,
            weights: Vec::new(),
            name: String::new(),
        });
        Ok(Placed { id, kind: made, dims, order, shuffle: None, rows: None })
    }

    /// The kind of elements that an operator makes, if it takes these.
    fn checked_kind(&self, op: &str, kind: ElementKind) -> Made<ElementKind> {
        let takes = match op {
            "And" | "Or" => kind == ElementKind::Bool,
            "Pow" => kind == ElementKind::Float,
            "Equal" => true,
            _ => matches!(kind, ElementKind::Float | ElementKind::Int),
        };
        if !takes {
            return Err(format!("it is not for values of the type {}", kind.word()));
        }
        let compares =
            matches!(op, "Equal" | "Less" | "Greater" | "LessOrEqual" | "GreaterOrEqual");
        Ok(if compares { ElementKind::Bool } else { kind })
    }

    /// Values that meet, and another one beside them: with the same axes in the same order, and the
    /// shape of what is made of them.
    fn operands(&mut self, values: &[&GraphValue], beside: Option<&Placed>) -> Made<MetOperands> {
        let mut dims = beside.map(|placed| placed.dims.clone()).unwrap_or_default();
        let mut kind = None;
        for value in values {
            let (own, of) = described(value)?;
            dims = broadcast(&dims, &own)?;
            if kind.is_some_and(|kind| kind != of) {
                return Err("it reads values of several types".into());
            }
            kind = Some(of);
        }
        let kind = kind.ok_or("it has no inputs")?;
        let tensors = values.iter().filter_map(|value| match value {
            GraphValue::Tensor(placed) if placed.rank() == dims.len() => Some(placed),
            _ => None,
        });
        // The order of a value whose axes are not the graph's, so that it need not be moved.
        let besides = beside.filter(|placed| placed.rank() == dims.len());
        let tensors: Vec<&Placed> = tensors.chain(besides).collect();
        let moved = tensors.iter().find(|placed| !placed.is_plain() && placed.is_whole());
        let order = match moved.or(tensors.first()) {
            Some(placed) if placed.is_whole() => placed.order.clone(),
            _ => (0..dims.len()).collect(),
        };
        let mut operands = Vec::with_capacity(values.len());
        for value in values {
            operands.push(self.operand(value, &order)?);
        }
        if beside.is_none()
            && operands.iter().all(|operand| matches!(operand, PlacedOperand::Number(_)))
            && let Some(GraphValue::Constant(constant)) = values.first()
        {
            operands[0] = PlacedOperand::Node(self.beside(constant, &order)?);
        }
        Ok(MetOperands { operands, dims, order, kind })
    }

    /// A value as an operand beside values with their axes in this order.
    fn operand(&mut self, value: &GraphValue, order: &[usize]) -> Made<PlacedOperand> {
        match value {
            GraphValue::Constant(constant) => match self.literal(constant) {
                Some(number) => Ok(PlacedOperand::Number(number)),
                None => self.beside(constant, order).map(PlacedOperand::Node),
            },
            GraphValue::Filled(number, _, dims) if number.is_finite() && dims.is_empty() => {
                Ok(PlacedOperand::Number(*number))
            }
            value => {
                let placed = self.computed(value.clone())?;
                let ranked = self.ranked(&placed, order.len())?;
                Ok(PlacedOperand::Node(self.ordered(&ranked, order)?.id))
            }
        }
    }

    /// A constant as a number of the program, if it is a single one.
    pub(super) fn literal(&self, constant: &Constant) -> Option<f64> {
        if let TensorElements::Filled(value) = constant.elements
            && constant.kind == ElementKind::Float
            && constant.dims.iter().all(|&dim| dim == 1)
        {
            return Some(shortest(value as f32)).filter(|value| value.is_finite());
        }
        let value = constant.scalar(&self.known.stored)?;
        let value =
            if constant.kind == ElementKind::Float { shortest(value as f32) } else { value };
        let fits = match constant.kind {
            ElementKind::Float => value.is_finite(),
            ElementKind::Int => value.abs() <= f64::from(i32::MAX),
            ElementKind::Byte | ElementKind::Bool => false,
        };
        fits.then_some(value)
    }

    /// A value and a number.
    pub(super) fn with_number(&mut self, sign: &'static str, a: &Placed, b: f64) -> Made<Placed> {
        let form = NetForm::Infix(sign, CallSetting::Arg(0), CallSetting::Float(b));
        Ok(self.same_place(a, form, a.kind))
    }

    /// A value of each element of another, in the same place.
    pub(super) fn same_place(
        &mut self,
        value: &Placed,
        form: NetForm,
        kind: ElementKind,
    ) -> Placed {
        let (args, shape) = (vec![value.id], self.net.nodes[value.id].shape.clone());
        let (weights, name) = (Vec::new(), String::new());
        let id = self.net.push(NetNode { form, args, shape, kind, weights, name });
        Placed { id, kind, ..value.clone() }
    }

    /// `where(condition, a, b)`
    pub(super) fn choice(&mut self, values: [&GraphValue; 3]) -> Made<Placed> {
        let [condition, a, b] = values;
        let condition = self.computed(condition.clone())?;
        if condition.kind != ElementKind::Bool {
            return Err("its condition is no truth value".into());
        }
        let MetOperands { operands: branches, dims, order, kind } =
            self.operands(&[a, b], Some(&condition))?;
        let condition = self.ranked(&condition, dims.len())?;
        let condition = self.ordered(&condition, &order)?;
        let mut args = vec![condition.id];
        let mut settings = vec![(None, CallSetting::Arg(0))];
        for branch in branches {
            settings.push((None, placed_operand(branch, &mut args, kind)));
        }
        let (shape, callee) = (self.shape(&dims, &order), "where".to_owned());
        let (form, weights) = (NetForm::Call { callee, settings }, Vec::new());
        let id = self.net.push(NetNode { form, args, shape, kind, weights, name: String::new() });
        Ok(Placed { id, kind, dims, order, shuffle: None, rows: None })
    }

    /// The sum of a dense layer without a bias and a constant: the layer with the bias.
    fn bias(
        &mut self,
        node: &NodeReader<'a>,
        a: &GraphValue,
        b: &GraphValue,
    ) -> Made<Option<Placed>> {
        let (dense, bias, name) = match (a, b) {
            (GraphValue::Tensor(dense), GraphValue::Constant(bias)) => (dense, bias, node.input(0)),
            (GraphValue::Constant(bias), GraphValue::Tensor(dense)) => (dense, bias, node.input(1)),
            _ => return Ok(None),
        };
        let once = name.and_then(|name| self.readers.get(name)) == Some(&1);
        let units = dense.dims.last().and_then(|units| units.number());
        let long =
            units.is_some_and(|units| bias.dims.last().is_some_and(|&it| it as i64 == units));
        let flat = long && bias.count() as i64 == units.unwrap_or(0);
        let made = &mut self.net.nodes[dense.id];
        let NetForm::Call { callee, settings } = &mut made.form else { return Ok(None) };
        if !(once
            && flat
            && callee == "dense"
            && made.weights.len() == 1
            && bias.kind == ElementKind::Float)
            || bias.dims.len() > dense.dims.len()
        {
            return Ok(None);
        }
        settings.retain(|(name, _)| *name != Some("bias"));
        made.weights.push(Weight::new(bias.clone()).reshaped(vec![bias.count()]));
        Ok(Some(dense.clone()))
    }
}

/// An operand as an argument of a node that reads `args`.
fn placed_operand(operand: PlacedOperand, args: &mut Vec<NetId>, kind: ElementKind) -> CallSetting {
    match operand {
        PlacedOperand::Node(id) => {
            args.push(id);
            CallSetting::Arg(args.len() - 1)
        }
        PlacedOperand::Number(number) if kind == ElementKind::Int => {
            CallSetting::Int(number as i64)
        }
        PlacedOperand::Number(number) => CallSetting::Float(number),
    }
}

/// The shape and kind of a value that takes part.
fn described(value: &GraphValue) -> Made<(Vec<SymbolicSize>, ElementKind)> {
    match value {
        GraphValue::Tensor(placed) => Ok((placed.dims.clone(), placed.kind)),
        GraphValue::Filled(_, kind, dims) => Ok((dims.clone(), *kind)),
        GraphValue::Constant(constant) => {
            Ok((SymbolicSize::all_known(&constant.dims), constant.kind))
        }
        GraphValue::Sizes(_) => Err("a shape that depends on the batch is computed with".into()),
        GraphValue::Missing => Err("what it reads is not supported".into()),
    }
}
