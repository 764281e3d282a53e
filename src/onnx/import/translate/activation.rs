//! Functions of one value, element by element: the language's activations, or what they are made of.

use super::Translator;
use crate::base::scalar::Unary;
use crate::onnx::import::constant::{ElementKind, TensorElements};
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, NetForm, Weight};
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::value::{GraphValue, Placed};

pub(super) fn is_activation(op: &str) -> bool {
    plain(op).is_some()
        || matches!(
            op,
            "LeakyRelu"
                | "Elu"
                | "Selu"
                | "HardSigmoid"
                | "Gelu"
                | "Clip"
                | "Softsign"
                | "ThresholdedRelu"
                | "PRelu"
                | "Neg"
                | "Reciprocal"
                | "Ceil"
                | "Tan"
                | "Cast"
                | "CastLike"
                | "Not"
                | "Celu"
                | "Round"
                | "IsNaN"
                | "IsInf"
        )
}

/// The function that the language has under a name of its own.
fn plain(op: &str) -> Option<&'static str> {
    let named = Unary::ALL.iter().find(|unary| unary.row().onnx == Some(op));
    match op {
        "Relu" => Some("relu"),
        "Softplus" => Some("softplus"),
        "HardSwish" => Some("hard_swish"),
        "Mish" => Some("mish"),
        _ => named.filter(|unary| unary.row().called).map(|unary| unary.name()),
    }
}

impl<'a> Translator<'a> {
    pub(super) fn activation(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let op = node.node.op.as_str();
        let x = self.tensor(node, 0)?;
        if node.opset < 7 {
            node.ignore(&["consumed_inputs"]);
        }
        let takes_ints = matches!(op, "Abs" | "Sign" | "Neg" | "Cast" | "CastLike" | "Clip");
        let takes = match x.kind {
            ElementKind::Float => op != "Not",
            ElementKind::Int => takes_ints,
            ElementKind::Bool => matches!(op, "Cast" | "CastLike" | "Not"),
            ElementKind::Byte => matches!(op, "Cast" | "CastLike"),
        };
        if !takes {
            return Err(format!("it is not for values of the type {}", x.kind.word()));
        }
        if let Some(callee) = plain(op) {
            return Ok(self.of_one(&x, callee, Vec::new()));
        }
        match op {
            "Cast" | "CastLike" => self.cast(node, &x),
            "Clip" => self.clip(node, &x),
            "PRelu" => self.prelu(node, &x),
            "Round" => Ok(self.of_one(&x, "round_to_even", Vec::new())),
            "IsInf" => self.is_infinite(node, &x),
            "IsNaN" => {
                // A value that is not itself.
                let form = NetForm::Infix("!=", CallSetting::Arg(0), CallSetting::Arg(0));
                Ok(self.same_place(&x, form, ElementKind::Bool))
            }
            _ => self.shaped_activation(node, &x),
        }
    }

    /// An activation with numbers of its own.
    fn shaped_activation(&mut self, node: &NodeReader<'a>, x: &Placed) -> Made<Placed> {
        let named = |name, value| vec![(Some(name), CallSetting::Float(value))];
        Ok(match node.node.op.as_str() {
            "LeakyRelu" => {
                let slope = node.float("alpha", 0.01)?;
                self.of_one(x, "leaky_relu", named("slope", slope))
            }
            "Elu" => {
                let alpha = node.float("alpha", 1.0)?;
                self.of_one(x, "elu", named("alpha", alpha))
            }
            "Selu" => {
                let alpha = node.float("alpha", 1.673_263_2)?;
                let gamma = node.float("gamma", 1.050_701)?;
                let elu = self.of_one(x, "elu", named("alpha", alpha));
                self.with_number("*", &elu, gamma)?
            }
            "Celu" => {
                let alpha = node.float("alpha", 1.0)?;
                let scaled = self.with_number("/", x, alpha)?;
                let negative = self.of_one(&scaled, "elu", Vec::new());
                self.with_number("*", &negative, alpha)?
            }
            "HardSigmoid" => self.hard_sigmoid(node, x)?,
            "Gelu" => match node.text("approximate", "none")? {
                "none" => self.of_one(x, "gelu", Vec::new()),
                "tanh" => self.of_one(x, "gelu_tanh", Vec::new()),
                other => return Err(format!("the approximation `{other}` is not known")),
            },
            _ => return self.formula(node, x),
        })
    }

    /// An activation that the language writes as a formula.
    fn formula(&mut self, node: &NodeReader<'a>, x: &Placed) -> Made<Placed> {
        Ok(match node.node.op.as_str() {
            "Softsign" => {
                let size = self.of_one(x, "abs", Vec::new());
                let size = self.with_number("+", &size, 1.0)?;
                let form = NetForm::Infix("/", CallSetting::Arg(0), CallSetting::Arg(1));
                self.pair(form, x, &size, ElementKind::Float)
            }
            "ThresholdedRelu" => {
                let alpha = node.float("alpha", 1.0)?;
                let form = NetForm::Infix(">", CallSetting::Arg(0), CallSetting::Float(alpha));
                let above = self.same_place(x, form, ElementKind::Bool);
                let settings = vec![
                    (None, CallSetting::Arg(0)),
                    (None, CallSetting::Arg(1)),
                    (None, CallSetting::Float(0.0)),
                ];
                self.pair(
                    NetForm::Call { callee: "where".into(), settings },
                    &above,
                    x,
                    ElementKind::Float,
                )
            }
            "Neg" => {
                let zero = if x.kind == ElementKind::Int {
                    CallSetting::Int(0)
                } else {
                    CallSetting::Float(0.0)
                };
                self.same_place(x, NetForm::Infix("-", zero, CallSetting::Arg(0)), x.kind)
            }
            "Reciprocal" => {
                let form = NetForm::Infix("/", CallSetting::Float(1.0), CallSetting::Arg(0));
                self.same_place(x, form, ElementKind::Float)
            }
            "Ceil" => {
                let negated = NetForm::Infix("-", CallSetting::Float(0.0), CallSetting::Arg(0));
                let below = self.same_place(x, negated.clone(), ElementKind::Float);
                let floor = self.of_one(&below, "floor", Vec::new());
                self.same_place(&floor, negated, ElementKind::Float)
            }
            "Tan" => {
                let (sine, cosine) = (self.of_one(x, "sin", vec![]), self.of_one(x, "cos", vec![]));
                let form = NetForm::Infix("/", CallSetting::Arg(0), CallSetting::Arg(1));
                self.pair(form, &sine, &cosine, ElementKind::Float)
            }
            "Not" => {
                let word = CallSetting::Word("f32");
                let number = self.cast_to(x, word, ElementKind::Float);
                let form = NetForm::Infix("==", CallSetting::Arg(0), CallSetting::Float(0.0));
                self.same_place(&number, form, ElementKind::Bool)
            }
            op => return Err(format!("`{op}` has no counterpart in the language")),
        })
    }

    /// Whether a value is beyond the largest number, on the sides that count.
    fn is_infinite(&mut self, node: &NodeReader<'a>, x: &Placed) -> Made<Placed> {
        let below = node.int("detect_negative", 1)? != 0;
        let above = node.int("detect_positive", 1)? != 0;
        let most = f64::from(f32::MAX);
        let (x, sign, bound) = match (below, above) {
            (true, true) => (self.of_one(x, "abs", Vec::new()), ">", most),
            (false, true) => (x.clone(), ">", most),
            (true, false) => (x.clone(), "<", -most),
            (false, false) => return Err("it looks for nothing".into()),
        };
        let form = NetForm::Infix(sign, CallSetting::Arg(0), CallSetting::Float(bound));
        Ok(self.same_place(&x, form, ElementKind::Bool))
    }

    /// A function of a value.
    pub(super) fn of_one(
        &mut self,
        x: &Placed,
        callee: &str,
        settings: Vec<(Option<&'static str>, CallSetting)>,
    ) -> Placed {
        let settings = std::iter::once((None, CallSetting::Arg(0))).chain(settings).collect();
        self.same_place(x, NetForm::Call { callee: callee.to_owned(), settings }, x.kind)
    }

    /// A value of the elements of two that lie in the same places.
    pub(super) fn pair(
        &mut self,
        form: NetForm,
        a: &Placed,
        b: &Placed,
        kind: ElementKind,
    ) -> Placed {
        let made = self.same_place(a, form, kind);
        self.net.nodes[made.id].args = vec![a.id, b.id];
        made
    }

    fn hard_sigmoid(&mut self, node: &NodeReader<'a>, x: &Placed) -> Made<Placed> {
        let (alpha, beta) = (node.float("alpha", 0.2)?, node.float("beta", 0.5)?);
        if (alpha - 1.0 / 6.0).abs() < 1e-6 && beta == 0.5 {
            return Ok(self.of_one(x, "hard_sigmoid", Vec::new()));
        }
        let line = self.with_number("*", x, alpha)?;
        let line = self.with_number("+", &line, beta)?;
        Ok(self.bounded(&line, Some(0.0), Some(1.0)))
    }

    /// A value kept between two numbers.
    fn bounded(&mut self, x: &Placed, low: Option<f64>, high: Option<f64>) -> Placed {
        let mut made = x.clone();
        for (callee, bound) in [("max", low), ("min", high)] {
            if let Some(bound) = bound {
                let number = match x.kind {
                    ElementKind::Int => CallSetting::Int(bound as i64),
                    _ => CallSetting::Float(bound),
                };
                made = self.of_one(&made, callee, vec![(None, number)]);
            }
        }
        made
    }

    fn clip(&mut self, node: &NodeReader<'a>, x: &Placed) -> Made<Placed> {
        let mut bounds = [None, None];
        for (index, name) in ["min", "max"].into_iter().enumerate() {
            if let Some(constant) = self.known.optional_constant(node, index + 1)? {
                let value =
                    constant.scalar(&self.known.stored).ok_or("a bound is no single number")?;
                bounds[index] = Some(value);
            } else if node.attribute(name).is_some() {
                bounds[index] = Some(node.float(name, 0.0)?);
            }
            // What bounds nothing, as some files have it.
            let widest = match x.kind {
                ElementKind::Int => f64::from(i32::MAX),
                _ => f64::from(f32::MAX),
            };
            let sign = if index == 0 { -1.0 } else { 1.0 };
            bounds[index] = bounds[index].filter(|bound| sign * bound < widest);
            if bounds[index].is_some_and(|bound| bound.abs() > widest) {
                return Err("a bound lets nothing through".into());
            }
        }
        match bounds {
            [Some(0.0), Some(6.0)] if x.kind == ElementKind::Float => {
                Ok(self.of_one(x, "relu6", Vec::new()))
            }
            [Some(0.0), None] if x.kind == ElementKind::Float => {
                Ok(self.of_one(x, "relu", Vec::new()))
            }
            [low, high] => Ok(self.bounded(x, low, high)),
        }
    }

    /// A slope for all elements, or one for each channel; others are multiplied by hand.
    fn prelu(&mut self, node: &NodeReader<'a>, x: &Placed) -> Made<Placed> {
        let slope = match self.known.value(node, 1)? {
            GraphValue::Constant(slope) if slope.kind == ElementKind::Float => slope,
            other => return self.sloped(x, &other),
        };
        let (rank, count) = (x.rank(), slope.count());
        let channels = x.dims.get(1).and_then(|channels| channels.number());
        let own = (slope.dims.len() + 1).checked_sub(rank);
        let by_channel = rank >= 2
            && channels == Some(count as i64)
            && own.is_some_and(|own| slope.dims.get(own) == Some(&count));
        if count != 1 && !by_channel {
            return self.sloped(x, &GraphValue::Constant(slope));
        }
        let by_channel = by_channel && count != 1;
        let x = match by_channel {
            true => self.channels_last(x)?,
            false => self.unshuffled(x)?,
        };
        let mut settings = Vec::new();
        if by_channel {
            settings.push((Some("channels"), CallSetting::bool(true)));
        }
        let shape = self.net.nodes[x.id].shape.clone();
        let weights = vec![Weight::new(slope).reshaped(vec![count])];
        let id = self.layer(node, ("prelu", x.id), settings, shape, weights);
        Ok(Placed { id, ..x })
    }

    /// `where(x > 0, x, slope * x)`
    fn sloped(&mut self, x: &Placed, slope: &GraphValue) -> Made<Placed> {
        let value = GraphValue::Tensor(x.clone());
        let bent = GraphValue::Tensor(self.two("Mul", &value, slope)?);
        let form = NetForm::Infix(">", CallSetting::Arg(0), CallSetting::Float(0.0));
        let above = self.same_place(x, form, ElementKind::Bool);
        self.choice([&GraphValue::Tensor(above), &value, &bent])
    }

    fn cast(&mut self, node: &NodeReader<'a>, x: &Placed) -> Made<Placed> {
        node.ignore(&["saturate", "round_mode"]);
        let to = match node.node.op.as_str() {
            "CastLike" => match self.known.value(node, 1)? {
                GraphValue::Tensor(like) => Some(like.kind),
                GraphValue::Constant(like) => Some(like.kind),
                _ => None,
            },
            _ => match node.attribute("to") {
                // Before version 6 the type's name was given.
                Some(crate::onnx::model::OnnxAttribute::Int(to)) => {
                    let exact = matches!(to, 1 | 6 | 7 | 9 | 11);
                    i32::try_from(*to).ok().filter(|_| exact).and_then(ElementKind::of)
                }
                _ => None,
            },
        };
        let to = to.ok_or("what it casts to is not a type of the language")?;
        if to == x.kind {
            return Ok(x.clone());
        }
        Ok(self.cast_to(x, CallSetting::Word(to.word()), to))
    }

    fn cast_to(&mut self, x: &Placed, word: CallSetting, kind: ElementKind) -> Placed {
        let settings = vec![(None, CallSetting::Arg(0)), (None, word)];
        self.same_place(x, NetForm::Call { callee: "cast".into(), settings }, kind)
    }

    /// Whether a constant is zero everywhere.
    pub(super) fn is_zero(&self, constant: &crate::onnx::import::constant::Constant) -> bool {
        match constant.elements {
            TensorElements::Filled(value) => value == 0.0,
            _ => constant.floats(&self.known.stored).iter().all(|&value| value == 0.0),
        }
    }
}
