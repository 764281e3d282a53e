//! Calls: which layer or operator a name means, how arguments meet parameters, and the walk
//! through the body.
//!
//! `dense(x, 10, bias: false)` finds `dense` (the user's, else the prelude's, else a built-in
//! operator), evaluates the arguments in the caller's scope, pushes a frame on the path `dense`
//! (or `dense_2`, …), binds `I` and `S` from `x`'s shape, and elaborates the body.

use super::arguments::{Expect, Given, ParamPlace, Passed, expectation, written};
use super::builtins;
use super::context::{Elaborator, ErrorReported, Eval};
use super::items::FnId;
use super::paths;
use super::scope::{Binding, CallFrame};
use super::types::Bound;
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::field::NameKind;
use crate::base::source::Span;
use crate::syntax::ast::{self, Call, Expr, ExprKind, FunctionKind, Name};

impl<'a> Elaborator<'a> {
    /// A call; what is piped in is its first argument. `path` is that of a stage with a name.
    pub fn call(
        &mut self,
        call: &'a Call,
        piped: Option<Given<'a>>,
        path: Option<String>,
        span: Span,
    ) -> Eval<Value> {
        let name = call.callee.text.as_str();
        let args: Vec<Passed<'a>> = piped
            .into_iter()
            .map(|given| Passed { name: None, given })
            .chain(written(&call.args))
            .collect();
        match self.frame().find(name) {
            Some(Binding::Label(label, _)) => {
                let label = label.clone();
                return self.call_label(&label, name, args, span);
            }
            Some(Binding::Failed(_)) => return Err(ErrorReported),
            _ => {}
        }
        let builtin = self.frame().builtin;
        let own_kind = self
            .frame()
            .kind
            .filter(|kind| matches!(kind, FunctionKind::Loss | FunctionKind::Metric));
        // A schedule is made of schedules alone; a loss may be made of other losses, a metric of
        // other metrics.
        let found = if self.frame().kind == Some(FunctionKind::Schedule) {
            self.items.find(FunctionKind::Schedule, name, builtin)
        } else {
            let layer = self.items.find(FunctionKind::Layer, name, builtin);
            layer.or_else(|| self.items.find(own_kind?, name, builtin))
        };
        match (found, builtins::find(name)) {
            (Some(id), _) => self.call_function(id, args, path, span),
            (None, Some(operator)) => self.call_builtin(operator, args, span),
            (None, None) => Err(self.unknown_callee(&call.callee)),
        }
    }

    /// `head(y)` or `y |> head`.
    fn call_label(
        &mut self,
        label: &std::rc::Rc<super::scope::NamedStage<'a>>,
        name: &str,
        args: Vec<Passed<'a>>,
        span: Span,
    ) -> Eval<Value> {
        let count = args.len();
        let mut args = args.into_iter();
        match (count, args.next()) {
            (1, Some(Passed { name: None, given })) => {
                let input = match given {
                    Given::Value(value, _) => value,
                    Given::Expr(expr) => self.expr(expr, Expect::Any)?,
                    Given::Failed(_) => return Err(ErrorReported),
                };
                self.count_stage(span)?;
                self.apply_again(label, input, span)
            }
            _ => Err(self.error_help(
                codes::ARGUMENTS,
                span,
                format!("the stage `{name}` takes nothing but what is piped in"),
                format!("it keeps the arguments it was named with: `x |> {name}`"),
            )),
        }
    }

    fn unknown_callee(&mut self, callee: &Name) -> ErrorReported {
        let name = callee.text.as_str();
        let error = Diagnostic::error(codes::UNKNOWN_CALLEE, format!("unknown layer `{name}`"))
            .primary(callee.span, "no layer or operator has this name");
        let kinds = [
            FunctionKind::Model,
            FunctionKind::Loss,
            FunctionKind::Metric,
            FunctionKind::Optimizer,
            FunctionKind::Schedule,
            FunctionKind::Initializer,
        ];
        let builtin = self.frame().builtin;
        let other = kinds.into_iter().find(|&kind| self.items.find(kind, name, builtin).is_some());
        self.report(match other {
            Some(kind) => {
                error.help(format!("`{name}` is the name of {}, not of a layer", kind.one()))
            }
            None => {
                let labels = self.frame().labels.keys().copied();
                let known = self.items.names(FunctionKind::Layer).chain(builtins::names());
                error.unknown_item(callee.span, name, known.chain(labels), &[NameKind::Layer])
            }
        })
    }

    /// Which argument each parameter gets.
    pub fn place_arguments(
        &mut self,
        callee: &str,
        slots: &[ParamPlace<'_>],
        args: &[Passed<'a>],
        span: Span,
    ) -> Eval<Vec<Option<usize>>> {
        // Names are compared one by one.
        self.spend(slots.len() * args.len() / 8, span)?;
        let mut placed: Vec<Option<usize>> = vec![None; slots.len()];
        let mut outcome = Ok(());
        for (index, arg) in args.iter().enumerate() {
            let slot = match arg.name {
                None if index < slots.len() => index,
                None => {
                    let signature = signature(callee, slots);
                    let message = format!("too many arguments for `{callee}`");
                    let help = format!("it takes {signature}");
                    outcome =
                        Err(self.error_help(codes::ARGUMENTS, arg.given.span(), message, help));
                    break;
                }
                Some(name) => match slots.iter().position(|slot| slot.name == name.text) {
                    Some(slot) => slot,
                    None => {
                        outcome = Err(self.unknown_argument(callee, slots, name));
                        continue;
                    }
                },
            };
            if let Some(earlier) = placed[slot] {
                let error = Diagnostic::error(
                    codes::ARGUMENTS,
                    format!("`{}` of `{callee}` is given twice", slots[slot].name),
                )
                .primary(arg.given.span(), "given again here")
                .label(args[earlier].given.span(), "first given here");
                outcome = Err(self.report(error));
                continue;
            }
            placed[slot] = Some(index);
        }
        outcome?;
        let missing: Vec<String> = slots
            .iter()
            .zip(&placed)
            .filter(|(slot, placed)| slot.required && placed.is_none())
            .map(|(slot, _)| format!("`{}`", slot.name))
            .collect();
        if missing.is_empty() {
            return Ok(placed);
        }
        let message = format!("`{callee}` needs {}", missing.join(" and "));
        let help = format!("it takes {}", signature(callee, slots));
        Err(self.error_help(codes::ARGUMENTS, span, message, help))
    }

    fn unknown_argument(
        &mut self,
        callee: &str,
        slots: &[ParamPlace<'_>],
        name: &Name,
    ) -> ErrorReported {
        let message = format!("`{callee}` has no argument `{}`", name.text);
        let error = Diagnostic::error(codes::ARGUMENTS, message)
            .primary(name.span, "")
            .misspelt(name.span, &name.text, slots.iter().map(|slot| slot.name))
            .or_help(|| format!("it takes {}", signature(callee, slots)));
        self.report(error)
    }

    /// Evaluates the argument of each parameter, in the order written.
    pub fn evaluate_arguments(
        &mut self,
        placed: &[Option<usize>],
        args: &[Passed<'a>],
        expect: impl Fn(usize) -> Expect,
    ) -> Eval<Vec<Option<(Value, Span)>>> {
        let mut values: Vec<Option<(Value, Span)>> = vec![None; placed.len()];
        let mut outcome = Ok(());
        for (index, arg) in args.iter().enumerate() {
            let Some(slot) = placed.iter().position(|&placed| placed == Some(index)) else {
                continue;
            };
            let value = match &arg.given {
                Given::Value(value, _) => Ok(value.clone()),
                Given::Expr(expr) => self.expr(expr, expect(slot)),
                Given::Failed(_) => Err(ErrorReported),
            };
            match value {
                Ok(value) => values[slot] = Some((value, self.written_at(&arg.given))),
                Err(reported) => outcome = Err(reported),
            }
        }
        outcome.map(|()| values)
    }

    /// The place of an argument: of one that the prelude hands on, where the user wrote it.
    fn written_at(&self, given: &Given<'a>) -> Span {
        let span = given.span();
        if !self.frame().builtin {
            return span;
        }
        match given {
            Given::Expr(Expr { kind: ExprKind::Name(name), .. }) => {
                self.frame().given.get(name.as_str()).copied().unwrap_or(span)
            }
            Given::Expr(_) | Given::Value(..) | Given::Failed(_) => span,
        }
    }

    /// A call of a `layer`, `loss` or `metric` item.
    pub fn call_function(
        &mut self,
        id: FnId,
        args: Vec<Passed<'a>>,
        path: Option<String>,
        span: Span,
    ) -> Eval<Value> {
        let item = self.items.function(id);
        let function = item.function;
        self.spend(signature_steps(function), span)?;
        let slots: Vec<ParamPlace<'_>> = function.params.iter().map(slot).collect();
        let placed = self.place_arguments(&function.name.text, &slots, &args, span)?;
        let expect = |slot: usize| expectation(&function.params[slot]);
        let values = self.evaluate_arguments(&placed, &args, expect)?;
        let origin = self.origin(span);
        let named = path.is_some();
        let frame = self.frame_mut();
        let path = path.unwrap_or_else(|| {
            let name = paths::next(&mut frame.taken, &function.name.text);
            paths::join(&frame.path, &name)
        });
        let mut callee = CallFrame::new(&function.name.text, Some(function.kind), item.builtin);
        callee.reused = frame.reused;
        callee.path = path;
        callee.call = Some(span);
        callee.caller = Some(origin);
        debug_assert!(!named || !callee.path.is_empty());
        self.push_frame(callee, item, span)?;
        let result = self.run_body(function, values, span);
        self.frames.pop();
        result
    }

    /// Binds the parameters in the frame just pushed and elaborates the body.
    fn run_body(
        &mut self,
        function: &'a ast::Function,
        values: Vec<Option<(Value, Span)>>,
        span: Span,
    ) -> Eval<Value> {
        let bound: Vec<Bound<'a>> = function
            .params
            .iter()
            .zip(values)
            .map(|(param, value)| Bound { param, value })
            .collect();
        self.bind_parameters(function, bound, span)?;
        let (outcome, value) = self.body(function);
        let result = match function.kind {
            FunctionKind::Schedule => self.number_each_step(function, value?),
            _ => self.check_result(function, value?),
        };
        if let (Some(over), Ok(Value::Tensor(node))) = (&function.over, &result) {
            self.value_over(function, over, *node)?;
        }
        outcome.and(result)
    }

    /// The value of a body, which must have one, and whether all before it could be computed.
    pub fn body(&mut self, function: &'a ast::Function) -> (Eval<()>, Eval<Value>) {
        let (outcome, value) = self.body_parts(&function.body);
        let value = match value {
            Ok(Some(value)) => Ok(value),
            Err(ErrorReported) => Err(ErrorReported),
            Ok(None) if outcome.is_err() => Err(ErrorReported),
            Ok(None) => {
                let kind = function.kind.word();
                let message = format!("the {kind} `{}` has no value", function.name.text);
                let error = Diagnostic::error(codes::BODY, message)
                    .primary(function.body.span, "")
                    .help("end its body in an expression");
                Err(self.report(error))
            }
        };
        (outcome, value)
    }
}

fn slot(param: &ast::ParamDecl) -> ParamPlace<'_> {
    ParamPlace { name: &param.name.text, required: param.default.is_none() }
}

/// Cost of binding the parameters of an item, in steps.
fn signature_steps(function: &ast::Function) -> usize {
    let types =
        function.params.iter().map(|param| param.ty.as_ref()).chain([function.result.as_ref()]);
    types.map(|ty| 1 + ty.and_then(|ty| ty.dims.as_ref()).map_or(0, Vec::len)).sum()
}

/// `dense(x, units, bias, init)`.
fn signature(callee: &str, slots: &[ParamPlace<'_>]) -> String {
    let names: Vec<&str> = slots.iter().map(|slot| slot.name).collect();
    format!("`{callee}({})`", names.join(", "))
}
