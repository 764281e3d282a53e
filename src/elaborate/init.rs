//! Initializers: names and calls where a parameter's first value stands.
//!
//! `param weight: f32[784, 128] = glorot_uniform` runs the item `glorot_uniform(fan_in: 784,
//! fan_out: 128)`, whose body is `uniform(low: -0.0811, high: 0.0811)`: an
//! [`Init`](crate::graph::Init) that the runtime draws. Fans are Keras's: of `[.., in, out]`, the
//! product of the other extents times `in`, and times `out`; of a vector, its extent.

use super::arguments::Expect;
use super::arguments::{Given, ParamPlace, Passed, expectation, written};
use super::context::{Elaborator, ErrorReported, Eval};
use super::domain::FINITE;
use super::items::FnId;
use super::scope::{Binding, CallFrame, Role};
use super::types;
use super::value::{Initializer, Value};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::field::NameKind;
use crate::base::source::Span;
use crate::graph::{Init, Type};
use crate::syntax::ast::{Call, FunctionKind};

/// A draw: its name, and its parameters with Keras's defaults.
struct Draw {
    name: &'static str,
    params: &'static [(&'static str, Option<f64>)],
    make: fn(&[f64]) -> Init,
    /// The parameter that is outside what it takes, and what it must be.
    wrong: fn(&[f64]) -> Option<(usize, &'static str)>,
}

/// The deviation of a distribution is the second parameter.
fn spread(of: &[f64]) -> Option<(usize, &'static str)> {
    (of[1] < 0.0).then_some((1, "at least 0"))
}

/// The built-in initializers.
const DRAWS: &[Draw] = &[
    Draw { name: "zeros", params: &[], make: |_| Init::Constant(0.0), wrong: |_| None },
    Draw { name: "ones", params: &[], make: |_| Init::Constant(1.0), wrong: |_| None },
    Draw {
        name: "constant",
        params: &[("value", None)],
        make: |of| Init::Constant(of[0]),
        wrong: |_| None,
    },
    Draw {
        name: "normal",
        params: &[("mean", Some(0.0)), ("std", Some(0.05))],
        make: |of| Init::Normal { mean: of[0], std: of[1] },
        wrong: spread,
    },
    Draw {
        name: "truncated_normal",
        params: &[("mean", Some(0.0)), ("std", Some(0.05))],
        make: |of| Init::TruncatedNormal { mean: of[0], std: of[1] },
        wrong: spread,
    },
    Draw {
        name: "uniform",
        params: &[("low", Some(-0.05)), ("high", Some(0.05))],
        make: |of| Init::Uniform { low: of[0], high: of[1] },
        wrong: |of| (of[0] > of[1]).then_some((1, "at least `low`")),
    },
    Draw {
        name: "orthogonal",
        params: &[("gain", Some(1.0))],
        make: |of| Init::Orthogonal { gain: of[0] },
        wrong: |_| None,
    },
];

impl<'a> Elaborator<'a> {
    /// A bare name where an initializer stands.
    pub fn initializer_name(&mut self, name: &'a str, span: Span) -> Eval<Value> {
        if let Some(initializer) = self.find_initializer(name, Vec::new(), span)? {
            return Ok(Value::Initializer(initializer));
        }
        let builtin = self.frame().builtin;
        if let Some(constant) = self.items.find_const(name, builtin) {
            return self.expr(constant.value, Expect::Any);
        }
        let known = self.items.names(FunctionKind::Initializer).chain(DRAWS.iter().map(|d| d.name));
        let message = format!("unknown initializer `{name}`");
        let error = Diagnostic::error(codes::UNKNOWN_NAME, message)
            .primary(span, "")
            .unknown_item(span, name, known.chain(self.frame().names()), &[NameKind::Initializer])
            .or_help(|| "initializers are `zeros`, `he_normal`, `normal(std: 0.02)`, …".into());
        Err(self.report(error))
    }

    /// A call where an initializer stands; of something else, it must give a number.
    pub fn initializer_call(&mut self, call: &'a Call, span: Span) -> Eval<Value> {
        let args = written(&call.args).collect();
        match self.find_initializer(&call.callee.text, args, span)? {
            Some(initializer) => Ok(Value::Initializer(initializer)),
            None => self.call(call, None, None, span),
        }
    }

    /// The initializer of that name, with its arguments; `None` if there is none.
    fn find_initializer(
        &mut self,
        name: &str,
        args: Vec<Passed<'a>>,
        span: Span,
    ) -> Eval<Option<Initializer>> {
        let builtin = self.frame().builtin;
        if let Some(id) = self.items.find(FunctionKind::Initializer, name, builtin) {
            return self.initializer_item(id, args, span).map(Some);
        }
        match DRAWS.iter().find(|draw| draw.name == name) {
            Some(draw) => self.draw(draw, &args, span).map(Some),
            None => Ok(None),
        }
    }

    fn draw(&mut self, draw: &Draw, args: &[Passed<'a>], span: Span) -> Eval<Initializer> {
        let slots: Vec<ParamPlace<'_>> = draw
            .params
            .iter()
            .map(|(name, default)| ParamPlace { name, required: default.is_none() })
            .collect();
        let placed = self.place_arguments(draw.name, &slots, args, span)?;
        let values = self.evaluate_arguments(&placed, args, |_| Expect::Any)?;
        let mut numbers = Vec::new();
        for ((name, default), value) in draw.params.iter().zip(&values) {
            let number = match value {
                None => *default,
                Some((value, at)) => match value.as_f64() {
                    Some(number) => Some(number),
                    None => {
                        let found = self.describe(value);
                        let message =
                            format!("`{name}` of `{}` is a number, found {found}", draw.name);
                        return Err(self.error(codes::WRONG_KIND, *at, message));
                    }
                },
            };
            numbers.push(number.ok_or(ErrorReported)?);
        }
        let infinite = numbers.iter().position(|&number| !(number as f32).is_finite());
        let infinite = infinite.map(|index| (index, FINITE));
        if let Some((index, must)) = infinite.or_else(|| (draw.wrong)(&numbers)) {
            let argument = format!("`{}` of `{}`", draw.params[index].0, draw.name);
            let at = values[index].as_ref().map_or(span, |(_, at)| *at);
            let number = Value::Float(numbers[index]);
            self.must(false, (&argument, must), &number, at)?;
        }
        Ok(Initializer::Fixed((draw.make)(&numbers)))
    }

    /// An item with its arguments beside `fan_in` and `fan_out`, which the parameter gives.
    fn initializer_item(
        &mut self,
        id: FnId,
        args: Vec<Passed<'a>>,
        span: Span,
    ) -> Eval<Initializer> {
        let function = self.items.function(id).function;
        let params: Vec<_> =
            function.params.iter().filter(|param| !is_fan(&param.name.text)).collect();
        let slots: Vec<ParamPlace<'_>> = params
            .iter()
            .map(|param| ParamPlace { name: &param.name.text, required: param.default.is_none() })
            .collect();
        let placed = self.place_arguments(&function.name.text, &slots, &args, span)?;
        let values = self.evaluate_arguments(&placed, &args, |slot| expectation(params[slot]))?;
        let given = params.iter().zip(values);
        let given = given.filter_map(|(param, value)| {
            value.map(|(value, at)| (param.name.text.clone(), value, at))
        });
        Ok(Initializer::Item(id, given.collect()))
    }

    /// The draw of an initializer for a tensor of this type.
    pub fn instantiate(&mut self, init: &Initializer, ty: &Type, span: Span) -> Eval<Init> {
        let (id, args) = match init {
            Initializer::Fixed(init) => return Ok(init.clone()),
            Initializer::Item(id, args) => (*id, args),
        };
        let item = self.items.function(id);
        let function = item.function;
        let (fan_in, fan_out) = fans(ty);
        let mut frame =
            CallFrame::new(&function.name.text, Some(FunctionKind::Initializer), item.builtin);
        frame.call = Some(span);
        self.push_frame(frame, item, span)?;
        let result = self.run_initializer(id, args, [fan_in, fan_out], span);
        self.frames.pop();
        let inner = result?;
        self.instantiate(&inner, ty, span)
    }

    fn run_initializer(
        &mut self,
        id: FnId,
        args: &[(String, Value, Span)],
        fans: [i64; 2],
        span: Span,
    ) -> Eval<Initializer> {
        let function = self.items.function(id).function;
        for param in &function.params {
            let given = args.iter().find(|(name, ..)| *name == param.name.text);
            let (value, at) = match (param.name.text.as_str(), given, &param.default) {
                ("fan_in", ..) => (Value::Int(fans[0]), span),
                ("fan_out", ..) => (Value::Int(fans[1]), span),
                (_, Some((_, value, at)), _) => (value.clone(), *at),
                (_, None, Some(default)) => (self.expr(default, expectation(param))?, default.span),
                (_, None, None) => return Err(ErrorReported),
            };
            let value = self.argument(function, param, value, at)?;
            self.check_domain(function, param, &value, given.map(|&(.., at)| at))?;
            self.frame_mut().given.extend(given.map(|&(.., at)| (&param.name.text[..], at)));
            let binding = Binding::Value(value, Role::Argument, param.name.span);
            self.frame_mut().bind(&param.name.text, binding);
        }
        let value = self.block(&function.body, Expect::Initializer)?;
        if let Some(initializer) = value.as_ref().and_then(types::initializer) {
            return Ok(initializer);
        }
        let message = format!("the body of `{}` gives no initializer", function.name.text);
        let error = Diagnostic::error(codes::BODY, message)
            .primary(function.body.span, "")
            .label(span, "used here")
            .help("end it in one, such as `normal(std: 0.02)`");
        Err(self.report(error))
    }

    /// The initializer that an expression stands for.
    pub fn initializer_of(&mut self, given: Given<'a>) -> Eval<Initializer> {
        let span = given.span();
        let value = match given {
            Given::Value(value, _) => value,
            Given::Expr(expr) => self.expr(expr, Expect::Initializer)?,
            Given::Failed(_) => return Err(ErrorReported),
        };
        match types::initializer(&value) {
            Some(initializer) => Ok(initializer),
            None => {
                let found = self.describe(&value);
                let message = format!("an initializer is needed here, found {found}");
                Err(self.error(codes::WRONG_KIND, span, message))
            }
        }
    }
}

fn is_fan(name: &str) -> bool {
    matches!(name, "fan_in" | "fan_out")
}

/// How many numbers feed an element of the output, and how many an element of the input feeds.
fn fans(ty: &Type) -> (i64, i64) {
    let extents: Vec<i64> = ty
        .shape
        .iter()
        .map(|dim| i64::try_from(dim.known().unwrap_or(1)).unwrap_or(i64::MAX))
        .collect();
    match extents[..] {
        [] => (1, 1),
        [only] => (only, only),
        [ref field @ .., fan_in, fan_out] => {
            let field = field.iter().fold(1i64, |product, extent| product.saturating_mul(*extent));
            (field.saturating_mul(fan_in), field.saturating_mul(fan_out))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tensor::DType;
    use crate::graph::Shape;

    #[test]
    fn fans_multiply_by_the_receptive_field() {
        let of = |extents: &[usize]| fans(&Type::new(DType::F32, Shape::known(extents)));
        assert_eq!(of(&[784, 128]), (784, 128));
        assert_eq!(of(&[3, 3, 16, 32]), (144, 288));
        assert_eq!(of(&[10]), (10, 10));
        assert_eq!(of(&[]), (1, 1));
    }
}
