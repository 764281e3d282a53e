//! Schedules: numbers that change from step to step.
//!
//! `lr: cosine(1e-3, warmup: 500)` runs the item `cosine(step, steps, peak: 1e-3, …, warmup: 500)`
//! where the argument stands: `step` is the step's number, `steps` the hyper-parameter
//! [`RUN_STEPS`](crate::graph::RUN_STEPS), and the body's value is an `f64` scalar of the graph, so
//! that it is computed once a step. Arithmetic may stand around it: `0.1 * cosine(1.0)`.
//!
//! A schedule has no comparisons of what only a step knows (`min`, `max` and `floor` do their
//! work), no parameters and no tensors. Whether a warm-up fits the run is the driver's to say, who
//! knows how many steps there are.

use super::arguments::{ParamPlace, Passed, expectation, written};
use super::builtins;
use super::context::{Elaborator, ErrorReported, Eval};
use super::driven::WarmUp;
use super::items::FnId;
use super::scope::{Binding, CallFrame, Role};
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::field::{self, NameKind};
use crate::base::source::Span;
use crate::base::tensor::DType;
use crate::graph::{NodeId, Op, RUN_STEPS};
use crate::syntax::ast::{Call, Function, FunctionKind, ParamDecl};

impl<'a> Elaborator<'a> {
    /// A call where a number stands: of a schedule, or of anything that gives a number.
    pub fn number_call(&mut self, call: &'a Call, span: Span) -> Eval<Value> {
        let name = &call.callee.text;
        let args: Vec<Passed<'a>> = written(&call.args).collect();
        if let Some(value) = self.schedule(name, &args, span)? {
            return Ok(value);
        }
        if self.means_anything(name) {
            return self.call(call, None, None, span);
        }
        let known = self.items.names(FunctionKind::Schedule).chain(builtins::names());
        let error = Diagnostic::error(codes::UNKNOWN_CALLEE, format!("unknown function `{name}`"))
            .primary(call.callee.span, "no schedule or operator has this name");
        Err(self.report(error.unknown_item(call.callee.span, name, known, &[NameKind::Schedule])))
    }

    /// Whether [`call`](Elaborator::call) has something to say about a name.
    fn means_anything(&self, name: &str) -> bool {
        const KINDS: [FunctionKind; 6] = [
            FunctionKind::Layer,
            FunctionKind::Model,
            FunctionKind::Loss,
            FunctionKind::Metric,
            FunctionKind::Optimizer,
            FunctionKind::Initializer,
        ];
        let frame = self.frame();
        frame.find(name).is_some()
            || builtins::find(name).is_some()
            || field::known(name, &[NameKind::Layer]).is_some_and(|known| known.to_come)
            || KINDS.iter().any(|&kind| self.items.find(kind, name, frame.builtin).is_some())
    }

    /// The value of the schedule of that name; `None` if there is none.
    pub fn schedule(&mut self, name: &str, args: &[Passed<'a>], span: Span) -> Eval<Option<Value>> {
        let builtin = self.frame().builtin;
        match self.items.find(FunctionKind::Schedule, name, builtin) {
            Some(id) => self.schedule_item(id, args, span).map(Some),
            None => Ok(None),
        }
    }

    fn schedule_item(&mut self, id: FnId, args: &[Passed<'a>], span: Span) -> Eval<Value> {
        let item = self.items.function(id);
        let function = item.function;
        let [_, _, params @ ..] = &function.params[..] else {
            let message =
                format!("the schedule `{}` needs at least two parameters", function.name.text);
            let help = "they are the step and the number of steps: `(step, steps, …)`";
            return Err(self.error_help(codes::DECLARATION, function.name.span, message, help));
        };
        let slots: Vec<ParamPlace<'_>> = params
            .iter()
            .map(|param| ParamPlace { name: &param.name.text, required: param.default.is_none() })
            .collect();
        let placed = self.place_arguments(&function.name.text, &slots, args, span)?;
        let values = self.evaluate_arguments(&placed, args, |slot| expectation(&params[slot]))?;
        let caller = self.origin(span);
        let mut frame =
            CallFrame::new(&function.name.text, Some(FunctionKind::Schedule), item.builtin);
        frame.call = Some(span);
        frame.caller = Some(caller);
        self.push_frame(frame, item, span)?;
        let result = self.run_schedule(function, params, values);
        self.frames.pop();
        result
    }

    fn run_schedule(
        &mut self,
        function: &'a Function,
        params: &'a [ParamDecl],
        values: Vec<Option<(Value, Span)>>,
    ) -> Eval<Value> {
        self.at(function.name.span);
        let (step, steps) = (self.builder.step(), self.builder.run_steps(self.planned_steps));
        for (param, node) in function.params.iter().zip([step, steps]) {
            let binding = Binding::Value(Value::Tensor(node), Role::Argument, param.name.span);
            self.frame_mut().bind(&param.name.text, binding);
        }
        for (param, value) in params.iter().zip(values) {
            let given = value.as_ref().map(|&(_, at)| at);
            let (value, at) = match (value, &param.default) {
                (Some((value, at)), _) => (value, at),
                (None, Some(default)) => (self.expr(default, expectation(param))?, default.span),
                (None, None) => return Err(ErrorReported),
            };
            let value = self.argument(function, param, value, at)?;
            self.check_domain(function, param, &value, given)?;
            self.frame_mut().given.extend(given.map(|at| (&param.name.text[..], at)));
            self.warm_up(param, &value, at)?;
            let binding = Binding::Value(value, Role::Argument, param.name.span);
            self.frame_mut().bind(&param.name.text, binding);
        }
        let (statements, value) = self.body(function);
        let value = statements.and(value)?;
        self.number_each_step(function, value)
    }

    /// Remembers an argument called `warmup`, which counts steps.
    fn warm_up(&mut self, param: &ParamDecl, value: &Value, span: Span) -> Eval<()> {
        let Value::Int(steps) = *value else { return Ok(()) };
        if param.name.text != "warmup" {
            return Ok(());
        }
        match u64::try_from(steps) {
            Ok(0) => Ok(()),
            Ok(steps) => {
                self.warm_ups.push(WarmUp { steps, span });
                Ok(())
            }
            Err(_) => {
                let message = format!("`warmup` is a number of steps, found {steps}");
                let help = "0 is no warm-up";
                Err(self.error_help(codes::WRONG_KIND, span, message, help))
            }
        }
    }

    /// The value of a schedule's body: a number, or one that is known at each step.
    pub fn number_each_step(&mut self, function: &Function, value: Value) -> Eval<Value> {
        match &value {
            Value::Int(_) | Value::Float(_) => return Ok(value),
            Value::Tensor(node) if self.is_each_step(*node) => return Ok(value),
            _ => {}
        }
        let found = self.describe(&value);
        let message = format!("the schedule `{}` gives {found}, not a number", function.name.text);
        let span = function.body.value.as_ref().map_or(function.body.span, |value| value.span);
        let error = Diagnostic::error(codes::RESULT, message)
            .primary(span, "")
            .help("it is made of `step`, `steps` and numbers; `min`, `max` and `floor` stand for comparisons");
        Err(self.report(error))
    }

    /// Whether a node is a number that is computed once a step.
    pub fn is_each_step(&self, node: NodeId) -> bool {
        self.builder.ty(node).dtype == DType::F64
    }

    /// Whether an argument that may change while training runs always is a number: one that is
    /// written as a number is that number, a schedule is none.
    pub fn always_is(&self, node: NodeId, number: f64) -> Option<bool> {
        if self.scheduled.contains(&node) {
            return Some(false);
        }
        let graph = &self.builder.graph;
        match graph.nodes[node].op {
            Op::Hyper(id) if graph.hypers[id].name != RUN_STEPS => {
                Some(graph.hypers[id].value == number)
            }
            _ => None,
        }
    }
}
