//! The optimizer's rule as a graph of scalars, made once.
//!
//! `adam(lr: 0.01)` becomes a graph with the inputs `p` and `g` (`f32` scalars), the states `m` and
//! `v`, the hyper-parameter `lr`, updates of the states and the output `p`, the new value. The
//! `update` pass repeats it for every parameter, element by element at the parameter's shape.
//! Arguments declared `f32` are hyper-parameters, which may change while training runs; the others
//! are constants of the rule. Where one is a schedule, the graph computes it, and an output
//! `scheduled.lr` says what it is.

use super::plan::Choice;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::settings::Settings;
use crate::base::source::Span;
use crate::base::tensor::DType;
use crate::elaborate::arguments::Expect;
use crate::elaborate::arguments::{ParamPlace, expectation};
use crate::elaborate::context::{Elaborator, ErrorReported, Eval};
use crate::elaborate::scope::{Binding, CallFrame, Role};
use crate::elaborate::value::Value;
use crate::graph::rule::LR_SCALE;
use crate::graph::{Binary, Type, UpdateTarget};
use crate::syntax::ast::{Function, FunctionKind, ParamDecl};

/// Prefix of the names of outputs that hold a schedule's value at each step.
pub const SCHEDULED: &str = "scheduled.";

/// The rule of an optimizer while it is elaborated, with the settings of the run that change it.
pub(in crate::elaborate) struct RuleContext<'a> {
    pub core: Elaborator<'a>,
    /// The place of the run's own weight decay, beside the optimizer's.
    weight_decay: Option<Span>,
    /// The place of the setting that lowers the learning rate while the run goes on.
    lr_reducer: Option<Span>,
    /// The optimizer's argument `lr`.
    pub learning_rate: Option<Value>,
}

impl<'a> RuleContext<'a> {
    /// Nothing elaborated yet.
    pub fn new(core: Elaborator<'a>, settings: &Settings) -> RuleContext<'a> {
        let weight_decay = settings.places.get("weight_decay").copied();
        RuleContext { core, weight_decay, lr_reducer: settings.lowers_rate(), learning_rate: None }
    }

    /// The elaborator, with the graph of the rule.
    pub fn into_core(self) -> Elaborator<'a> {
        self.core
    }

    /// Elaborates the rule of the chosen optimizer into this context's graph.
    pub fn optimizer_rule(&mut self, choice: &Choice<'a>) -> Eval<()> {
        let item = self.core.items.function(choice.id);
        let function = item.function;
        if function.params.len() < 3 {
            let message =
                format!("the optimizer `{}` needs at least three parameters", function.name.text);
            let error = Diagnostic::error(codes::DECLARATION, message)
                .primary(function.name.span, "")
                .help("they are the parameter, its gradient and the step: `(p, g, step, …)`");
            return Err(self.core.report(error));
        }
        let params: Vec<&'a ParamDecl> = function.params[3..].iter().collect();
        let slots: Vec<ParamPlace<'_>> = params
            .iter()
            .map(|param| ParamPlace { name: &param.name.text, required: param.default.is_none() })
            .collect();
        let args = choice.passed();
        let placed = self.core.place_arguments(&function.name.text, &slots, &args, choice.span)?;
        let values =
            self.core.evaluate_arguments(&placed, &args, |slot| expectation(params[slot]))?;
        let origin = self.core.origin(choice.span);
        let mut frame =
            CallFrame::new(&function.name.text, Some(FunctionKind::Optimizer), item.builtin);
        frame.call = Some(choice.span);
        frame.caller = Some(origin);
        self.core.push_frame(frame, item, choice.span)?;
        let result = self.run_rule(function, &params, values, choice.span);
        self.core.frames.pop();
        result
    }

    fn run_rule(
        &mut self,
        function: &'a Function,
        params: &[&'a ParamDecl],
        values: Vec<Option<(Value, Span)>>,
        span: Span,
    ) -> Eval<()> {
        self.bind_rule_inputs(function);
        for (&param, value) in params.iter().zip(values) {
            let given = value.as_ref().map(|&(_, at)| at);
            let (value, at) = match (value, &param.default) {
                (Some((_, at)), _) if self.decays_too(param) => {
                    return Err(self.decayed_twice(at));
                }
                // The run's weight decay stands for the optimizer's.
                (None, Some(default)) if self.decays_too(param) => {
                    (Value::Float(0.0), default.span)
                }
                (Some((value, at)), _) => (value, at),
                (None, Some(default)) => {
                    (self.core.expr(default, expectation(param))?, default.span)
                }
                (None, None) => return Err(ErrorReported),
            };
            let value = self.core.argument(function, param, value, at)?;
            let value = self.number_argument(function, param, value, at)?;
            self.core.check_domain(function, param, &value, given)?;
            self.core.frame_mut().given.extend(given.map(|at| (&param.name.text[..], at)));
            let is_rate = param.name.text == "lr";
            let value = if is_rate { self.lowered_rate(param, value, at)? } else { value };
            self.scheduled_argument(param, &value, at)?;
            let value = self.hyper(param, value, at)?;
            if is_rate {
                self.learning_rate = Some(value.clone());
            }
            let binding = Binding::Value(value, Role::Argument, param.name.span);
            self.core.frame_mut().bind(&param.name.text, binding);
        }
        if let (Some(lowered), None) = (self.lr_reducer, &self.learning_rate) {
            let message = "lowering the learning rate needs an optimizer with an argument `lr`";
            let name = &function.name.text;
            let error = Diagnostic::error(codes::TRAIN_KEY, message)
                .primary(lowered, "")
                .label(span, format!("`{name}` has none"));
            return Err(self.core.report(error));
        }
        self.core.block(&function.body, Expect::Any)?;
        self.finish_rule(function, span)
    }

    /// A rule is computed for each element of a parameter, its arguments once a step: a tensor, even
    /// of one element, is none of them.
    fn number_argument(
        &mut self,
        function: &Function,
        param: &ParamDecl,
        value: Value,
        span: Span,
    ) -> Eval<Value> {
        match value {
            Value::Tensor(node) if !self.core.is_each_step(node) => {
                let (name, callee) = (&param.name.text, &function.name.text);
                let found = self.core.ty(node);
                let message = format!("`{name}` of `{callee}` is a number, found {found}");
                let help = "write a number, or a schedule: `cosine(1e-3)`";
                Err(self.core.error_help(codes::WRONG_KIND, span, message, help))
            }
            value => Ok(value),
        }
    }

    /// The learning rate times the part of it that is left.
    fn lowered_rate(&mut self, param: &ParamDecl, value: Value, span: Span) -> Eval<Value> {
        let rate = self.hyper(param, value, span)?;
        let rate = self.core.node(&rate, span)?;
        self.core.at(span);
        let scale = self.core.builder.hyper(LR_SCALE, 1.0);
        let scaled = self.uniform(Binary::Mul, rate, scale, span)?;
        self.core.scheduled.insert(scaled);
        Ok(Value::Tensor(scaled))
    }

    fn decays_too(&self, param: &ParamDecl) -> bool {
        self.weight_decay.is_some() && param.name.text == "weight_decay"
    }

    fn decayed_twice(&mut self, span: Span) -> ErrorReported {
        let mut error = Diagnostic::error(codes::DUPLICATE, "`weight_decay` is set twice")
            .primary(span, "of the optimizer")
            .help("keep one of them; the setting decays beside the step, as AdamW does");
        if let Some(setting) = self.weight_decay {
            error = error.label(setting, "of the run");
        }
        self.core.report(error)
    }

    /// The parameter, its gradient and the step.
    fn bind_rule_inputs(&mut self, function: &'a Function) {
        let [p, g, step] = [0, 1, 2].map(|index| &function.params[index].name);
        self.core.at(p.span);
        let scalar = Type::scalar(DType::F32);
        let value = self.core.builder.input("p", scalar.clone());
        let grad = self.core.builder.input("g", scalar);
        let counted = self.core.builder.step();
        for (name, node, role) in
            [(p, value, Role::Updated), (g, grad, Role::Argument), (step, counted, Role::Argument)]
        {
            let binding = Binding::Value(Value::Tensor(node), role, name.span);
            self.core.frame_mut().bind(&name.text, binding);
        }
    }

    /// An argument declared `f32` as a hyper-parameter.
    fn hyper(&mut self, param: &ParamDecl, value: Value, span: Span) -> Eval<Value> {
        let is_hyper = param.ty.as_ref().is_some_and(|ty| ty.name.text == "f32");
        match value.as_f64() {
            Some(number) if is_hyper => {
                self.core.at(span);
                Ok(Value::Tensor(self.core.builder.hyper(&param.name.text, number)))
            }
            _ => Ok(value),
        }
    }

    /// Names an argument that is a schedule, so that a run can say what it is.
    fn scheduled_argument(&mut self, param: &ParamDecl, value: &Value, span: Span) -> Eval<()> {
        let Value::Tensor(node) = *value else { return Ok(()) };
        self.core.scheduled.insert(node);
        let number = self.core.tensor(value, span)?;
        self.core.builder.output(&format!("{SCHEDULED}{}", param.name.text), number);
        Ok(())
    }

    /// Names what the rule writes.
    fn finish_rule(&mut self, function: &'a Function, span: Span) -> Eval<()> {
        let written: Vec<_> =
            self.core.states.values().map(|slot| (slot.id, slot.current, slot.written)).collect();
        for (id, node, written) in written {
            if written {
                self.core.builder.update(UpdateTarget::State(id), node);
            }
        }
        let name = &function.params[0].name;
        // The frame's first block has the parameter, whatever the body's blocks hid.
        match self.core.frame().find(&name.text) {
            Some(&Binding::Value(Value::Tensor(node), Role::Updated, _))
                if !self.is_input(node) =>
            {
                self.core.builder.output("p", node);
                Ok(())
            }
            _ => {
                let message =
                    format!("the optimizer `{}` never writes `{}`", function.name.text, name.text);
                let error = Diagnostic::error(codes::ASSIGNMENT, message)
                    .primary(function.name.span, "")
                    .label(span, "used here")
                    .help(format!("write the new value: `{0} <- {0} - …`", name.text));
                Err(self.core.report(error))
            }
        }
    }

    fn is_input(&self, node: crate::graph::NodeId) -> bool {
        matches!(self.core.builder.graph.nodes[node].op, crate::graph::Op::Input(_))
    }
}
