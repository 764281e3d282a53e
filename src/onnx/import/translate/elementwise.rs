//! Operators on two values or more, element by element, with NumPy's broadcasting.
//!
//! ```text
//! Add(x, y)                          x + y
//! Mul(x: [N, H, W, C], s[1, C, 1, 1])  x * s, with s a variable [C]
//! Clip(x, 0, 6)                      relu6(x), in `activation`
//! ```

use super::layout::broadcast;
use super::Translator;
use crate::onnx::import::known::Made;
use crate::onnx::import::constant::{Constant, Elements, Kind};
use crate::onnx::import::net::{Form, NetId, NetNode, Setting, Weight};
use crate::onnx::import::node::{NodeReader, shortest};
use crate::onnx::import::size::Size;
use crate::onnx::import::value::{Placed, Value};

/// An argument of an operator on elements: a value, or a number.
pub(super) enum Operand {
    Value(NetId),
    Number(f64),
}

pub(super) fn is_elementwise(op: &str) -> bool {
    matches!(
        op,
        "Add" | "Sub"
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
        if let [a, b] = &mut values[..] {
            self.legacy_broadcast(node, a, b)?;
            if op == "Add"
                && let Some(made) = self.bias(node, a, b)?
            {
                return Ok(made);
            }
        }
        if op == "Where" {
            let [condition, a, b] = &values[..] else { return Err("it takes three inputs".into()) };
            return self.choice([condition, a, b]);
        }
        let mut values = values.into_iter();
        let mut made = self.first(values.next())?;
        for value in values {
            made = Value::Tensor(self.two(op, &made, &value)?);
        }
        let made = self.computed(made)?;
        if op == "Mean" && count > 1 {
            return self.with_number("*", &made, 1.0 / count as f64);
        }
        Ok(made)
    }

    fn first(&self, value: Option<Value>) -> Made<Value> {
        value.ok_or_else(|| "it has no inputs".to_owned())
    }

    /// Before version 7, the second value's axes began at an axis of the first's.
    fn legacy_broadcast(&self, node: &NodeReader<'a>, a: &Value, b: &mut Value) -> Made<()> {
        if node.opset >= 7 {
            return Ok(());
        }
        node.ignore(&["consumed_inputs"]);
        let (broadcast, axis) = (node.int("broadcast", 0)?, node.int("axis", -1)?);
        let (Value::Tensor(a), Value::Constant(b)) = (a, b) else { return Ok(()) };
        if broadcast == 0 || axis < 0 {
            return Ok(());
        }
        let behind = usize::try_from(axis).ok().and_then(|axis| {
            a.rank().checked_sub(axis.checked_add(b.dims.len())?)
        });
        let behind = behind.ok_or_else(|| format!("there is no axis {axis} to begin at"))?;
        b.dims.extend(vec![1; behind]);
        Ok(())
    }

    /// An operator on two values.
    pub(super) fn two(&mut self, op: &str, a: &Value, b: &Value) -> Made<Placed> {
        let (operands, dims, order, kind) = self.operands(&[a, b], None)?;
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
            Some(sign) => Form::Infix(sign, left, right),
            None if is_max => {
                let callee = if op == "Max" { "max" } else { "min" };
                Form::Call { callee: callee.to_owned(), settings: vec![(None, left), (None, right)] }
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
    fn checked_kind(&self, op: &str, kind: Kind) -> Made<Kind> {
        let takes = match op {
            "And" | "Or" => kind == Kind::Bool,
            "Pow" => kind == Kind::Float,
            "Equal" => true,
            _ => matches!(kind, Kind::Float | Kind::Int),
        };
        if !takes {
            return Err(format!("it is not for values of the type {}", kind.word()));
        }
        let compares =
            matches!(op, "Equal" | "Less" | "Greater" | "LessOrEqual" | "GreaterOrEqual");
        Ok(if compares { Kind::Bool } else { kind })
    }

    /// Values that meet, and another one beside them: with the same axes in the same order, and the
    /// shape of what is made of them.
    fn operands(
        &mut self,
        values: &[&Value],
        beside: Option<&Placed>,
    ) -> Made<(Vec<Operand>, Vec<Size>, Vec<usize>, Kind)> {
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
            Value::Tensor(placed) if placed.rank() == dims.len() => Some(placed),
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
            && operands.iter().all(|operand| matches!(operand, Operand::Number(_)))
            && let Some(Value::Constant(constant)) = values.first()
        {
            operands[0] = Operand::Value(self.beside(constant, &order)?);
        }
        Ok((operands, dims, order, kind))
    }

    /// A value as an operand beside values with their axes in this order.
    fn operand(&mut self, value: &Value, order: &[usize]) -> Made<Operand> {
        match value {
            Value::Constant(constant) => match self.literal(constant) {
                Some(number) => Ok(Operand::Number(number)),
                None => self.beside(constant, order).map(Operand::Value),
            },
            Value::Filled(number, _, dims) if number.is_finite() && dims.is_empty() => {
                Ok(Operand::Number(*number))
            }
            value => {
                let placed = self.computed(value.clone())?;
                let ranked = self.ranked(&placed, order.len())?;
                Ok(Operand::Value(self.ordered(&ranked, order)?.id))
            }
        }
    }

    /// A constant as a number of the program, if it is a single one.
    pub(super) fn literal(&self, constant: &Constant) -> Option<f64> {
        if let Elements::Filled(value) = constant.elements
            && constant.kind == Kind::Float
            && constant.dims.iter().all(|&dim| dim == 1)
        {
            return Some(shortest(value as f32)).filter(|value| value.is_finite());
        }
        let value = constant.scalar(&self.known.stored)?;
        let value = if constant.kind == Kind::Float { shortest(value as f32) } else { value };
        (value.is_finite() && matches!(constant.kind, Kind::Float | Kind::Int)).then_some(value)
    }

    /// A value and a number.
    pub(super) fn with_number(&mut self, sign: &'static str, a: &Placed, b: f64) -> Made<Placed> {
        let form = Form::Infix(sign, Setting::Arg(0), Setting::Float(b));
        Ok(self.same_place(a, form, a.kind))
    }

    /// A value of each element of another, in the same place.
    pub(super) fn same_place(&mut self, value: &Placed, form: Form, kind: Kind) -> Placed {
        let (args, shape) = (vec![value.id], self.net.nodes[value.id].shape.clone());
        let (weights, name) = (Vec::new(), String::new());
        let id = self.net.push(NetNode { form, args, shape, kind, weights, name });
        Placed { id, kind, ..value.clone() }
    }

    fn choice(&mut self, values: [&Value; 3]) -> Made<Placed> {
        let [condition, a, b] = values;
        let condition = self.computed(condition.clone())?;
        if condition.kind != Kind::Bool {
            return Err("its condition is no truth value".into());
        }
        let (branches, dims, order, kind) = self.operands(&[a, b], Some(&condition))?;
        let condition = self.ranked(&condition, dims.len())?;
        let condition = self.ordered(&condition, &order)?;
        let mut args = vec![condition.id];
        let mut settings = vec![(None, Setting::Arg(0))];
        for branch in branches {
            settings.push((None, placed_operand(branch, &mut args, kind)));
        }
        let (shape, callee) = (self.shape(&dims, &order), "where".to_owned());
        let (form, weights) = (Form::Call { callee, settings }, Vec::new());
        let id =
            self.net.push(NetNode { form, args, shape, kind, weights, name: String::new() });
        Ok(Placed { id, kind, dims, order, shuffle: None, rows: None })
    }

    /// The sum of a dense layer without a bias and a constant: the layer with the bias.
    fn bias(&mut self, node: &NodeReader<'a>, a: &Value, b: &Value) -> Made<Option<Placed>> {
        let (dense, bias, name) = match (a, b) {
            (Value::Tensor(dense), Value::Constant(bias)) => (dense, bias, node.input(0)),
            (Value::Constant(bias), Value::Tensor(dense)) => (dense, bias, node.input(1)),
            _ => return Ok(None),
        };
        let once = name.and_then(|name| self.readers.get(name)) == Some(&1);
        let units = dense.dims.last().and_then(|units| units.number());
        let long = units.is_some_and(|units| bias.dims.last().is_some_and(|&it| it as i64 == units));
        let flat = long && bias.count() as i64 == units.unwrap_or(0);
        let made = &mut self.net.nodes[dense.id];
        let Form::Call { callee, settings } = &mut made.form else { return Ok(None) };
        if !(once && flat && callee == "dense" && made.weights.len() == 1 && bias.kind == Kind::Float)
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
fn placed_operand(operand: Operand, args: &mut Vec<NetId>, kind: Kind) -> Setting {
    match operand {
        Operand::Value(id) => {
            args.push(id);
            Setting::Arg(args.len() - 1)
        }
        Operand::Number(number) if kind == Kind::Int => Setting::Int(number as i64),
        Operand::Number(number) => Setting::Float(number),
    }
}

/// The shape and kind of a value that takes part.
fn described(value: &Value) -> Made<(Vec<Size>, Kind)> {
    match value {
        Value::Tensor(placed) => Ok((placed.dims.clone(), placed.kind)),
        Value::Filled(_, kind, dims) => Ok((dims.clone(), *kind)),
        Value::Constant(constant) => {
            let dims = constant.dims.iter().map(|&dim| Size::known(dim as i64)).collect();
            Ok((dims, constant.kind))
        }
        Value::Sizes(_) => Err("a shape that depends on the batch is computed with".into()),
        Value::Missing => Err("what it reads is not supported".into()),
    }
}
