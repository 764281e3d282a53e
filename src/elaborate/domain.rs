//! Conditions on arguments: the domains of parameters, and `require` statements.
//!
//! ```text
//! layer dropout(x: f32[..S], rate: float in 0..=1 = 0.5)      x |> dropout(20)
//!                                                            `rate` … must be from 0 to 1, found 20
//! ```
//!
//! A bound may use the dimensions of tensors and the other arguments (`k: int in 1..=K`). Each entry
//! of a list is looked at by itself. The batch `N` is at least 1 and nothing else is known of it, so
//! that a domain which only some batch sizes satisfy is an error. What a schedule gives is known
//! once the length of the run is: it is handed on as a [`Driven`] argument. What a tensor holds is
//! not looked at.

use super::arguments::Expect;
use super::context::{Elaborator, ErrorReported, Eval};
use super::driven::{Between, Driven, End};
use super::scope::{Binding, Role};
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::{Certainty, Edit, Fix};
use crate::base::source::Span;
use crate::graph::{NodeId, Op, RUN_STEPS};
use crate::syntax::ast::{ArgDomain, ArgDomainKind, BinaryOp, Expr, ExprKind, Function, ParamDecl};
use crate::syntax::walk;

/// The condition on every number.
pub(super) const FINITE: &str = "at most 3.4e38, the largest `f32`";

/// A number that is known, or a multiple of the batch.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Known(f64),
    Batch(f64),
}

impl Number {
    /// Whether 32 bits hold it.
    fn is_finite(self) -> bool {
        let (Number::Known(number) | Number::Batch(number)) = self;
        (number as f32).is_finite()
    }

    /// Whether this is above a number, or equal where that counts; `None`: it depends on the batch.
    fn above(self, other: Number, equal: bool) -> Option<bool> {
        let compare = |a: f64, b: f64| a > b || (equal && a == b);
        match (self, other) {
            (Number::Known(a), Number::Known(b)) | (Number::Batch(a), Number::Batch(b)) => {
                Some(compare(a, b))
            }
            // The batch is at least 1, and may be as large as one likes.
            (Number::Batch(a), Number::Known(b)) => compare(a, b).then_some(true),
            (Number::Known(a), Number::Batch(b)) if compare(a, b) => None,
            (Number::Known(_), Number::Batch(_)) => Some(false),
        }
    }

    fn show(self) -> String {
        match self {
            Number::Known(number) => number.to_string(),
            Number::Batch(1.0) => "N".into(),
            Number::Batch(factor) => format!("{factor} * N"),
        }
    }
}

impl Between<Number> {
    /// Whether a number is in the range; `None`: it depends on the batch.
    fn holds(&self, number: Number) -> Option<bool> {
        let above = self.low.map_or(Some(true), |end| number.above(end.at, end.included));
        let below = self.high.map_or(Some(true), |end| end.at.above(number, end.included));
        match (above, below) {
            (Some(above), Some(below)) => Some(above && below),
            (Some(false), None) | (None, Some(false)) => Some(false),
            _ => None,
        }
    }

    /// The range in words; `whole`: only integers count.
    fn words(&self, whole: bool) -> String {
        let last = |end: End<Number>| match end.at {
            Number::Known(number) if whole && !end.included => (number - 1.0).to_string(),
            at => at.show(),
        };
        match (self.low, self.high) {
            (Some(low), Some(high)) if high.included || whole => {
                format!("from {} to {}", low.at.show(), last(high))
            }
            (Some(low), Some(high)) => {
                format!("at least {} and below {}", low.at.show(), high.at.show())
            }
            (Some(End { at, included: true }), None) => format!("at least {}", at.show()),
            (Some(End { at, included: false }), None) => format!("more than {}", at.show()),
            (None, Some(End { at, included: true })) => format!("at most {}", at.show()),
            (None, Some(End { at, included: false })) => format!("less than {}", at.show()),
            (None, None) => "finite".into(),
        }
    }

    /// The range, where no end depends on the batch.
    fn known(&self) -> Option<Between<f64>> {
        let end = |end: Option<End<Number>>| match end {
            None => Some(None),
            Some(End { at: Number::Known(at), included }) => Some(Some(End { at, included })),
            Some(_) => None,
        };
        Some(Between { low: end(self.low)?, high: end(self.high)? })
    }
}

impl<'a> Elaborator<'a> {
    /// Checks an argument against what its parameter says. `given` is its place, and none where the
    /// default stands for it.
    pub fn check_domain(
        &mut self,
        function: &Function,
        param: &'a ParamDecl,
        value: &Value,
        given: Option<Span>,
    ) -> Eval<()> {
        if *value == Value::None {
            return Ok(());
        }
        let check = Check { function, param, given };
        let Some(ArgDomain { kind, .. }) = &param.domain else {
            return self.check_range(&check, value, Between { low: None, high: None });
        };
        let range = match kind {
            ArgDomainKind::OneOf(list) => return self.check_listed(&check, list, value),
            ArgDomainKind::Range { low, high, closed } => Between {
                low: Some(End { at: self.end_of_range(low)?, included: true }),
                high: Some(End { at: self.end_of_range(high)?, included: *closed }),
            },
            ArgDomainKind::Bound(op, bound) => {
                let included = matches!(op, BinaryOp::Ge | BinaryOp::Le);
                let end = Some(End { at: self.end_of_range(bound)?, included });
                match op {
                    BinaryOp::Ge | BinaryOp::Gt => Between { low: end, high: None },
                    _ => Between { low: None, high: end },
                }
            }
        };
        self.check_range(&check, value, range)
    }

    /// The number that a bound is.
    fn end_of_range(&mut self, bound: &'a Expr) -> Eval<Number> {
        let value = self.expr(bound, Expect::Any)?;
        match self.number_of(&value) {
            Some(number) => Ok(number),
            None => {
                let found = self.describe(&value);
                let message =
                    format!("a bound is a number that is known while compiling, found {found}");
                Err(self.error(codes::WRONG_KIND, bound.span, message))
            }
        }
    }

    /// The number of a value that is one: a hyper-parameter is what is written for it.
    fn number_of(&self, value: &Value) -> Option<Number> {
        match value {
            Value::Batch(factor) => Some(Number::Batch(*factor as f64)),
            Value::Tensor(node) => self.written_number(*node).map(Number::Known),
            _ => value.as_f64().map(Number::Known),
        }
    }

    /// The number that is written for an argument of an optimizer.
    fn written_number(&self, node: NodeId) -> Option<f64> {
        let graph = &self.builder.graph;
        match graph.nodes[node].op {
            Op::Hyper(id) if graph.hypers[id].name != RUN_STEPS => Some(graph.hypers[id].value),
            _ => None,
        }
    }

    fn check_range(
        &mut self,
        check: &Check<'_>,
        value: &Value,
        range: Between<Number>,
    ) -> Eval<()> {
        let param = check.param;
        match value {
            Value::List(entries) => {
                for entry in entries {
                    self.check_range(check, entry, range)?;
                }
                return Ok(());
            }
            Value::Tensor(node) if self.is_each_step(*node) && self.number_of(value).is_none() => {
                let whole = false;
                if let (Some(_), Some(known)) = (&param.domain, range.known()) {
                    let (argument, must) = (check.argument(), range.words(whole));
                    let span = self.seen(check.given.unwrap_or(param.span));
                    self.driven.push(Driven { argument, must, node: *node, span, range: known });
                }
                return Ok(());
            }
            Value::Bool(_) | Value::Str(_) | Value::Initializer(_) => {
                let Some(domain) = &param.domain else { return Ok(()) };
                let found = self.describe(value);
                let name = &param.name.text;
                let message = format!("`{name}` is {found}, which has no place in a range");
                let help = "write `in [a, b]`, or `require` a condition in the body";
                return Err(self.error_help(codes::WRONG_KIND, domain.span, message, help));
            }
            _ => {}
        }
        // What a tensor holds, and what `same` means, is not known here.
        let Some(number) = self.number_of(value) else { return Ok(()) };
        let whole = matches!(value, Value::Int(_)) && param.ty.as_ref().is_none_or(is_whole);
        match range.holds(number) {
            Some(true) if number.is_finite() => Ok(()),
            Some(true) => Err(self.outside(check, value, &range, FINITE)),
            Some(false) => Err(self.outside(check, value, &range, &range.words(whole))),
            None => {
                let argument = check.argument();
                let message =
                    format!("whether {argument} is {} depends on the batch", range.words(whole));
                let place = self.place_of(check);
                Err(self.error(codes::BATCH, place, message))
            }
        }
    }

    fn check_listed(&mut self, check: &Check<'_>, list: &'a Expr, value: &Value) -> Eval<()> {
        let listed = match self.expr(list, Expect::Any)? {
            Value::List(listed) => listed,
            other => {
                let found = self.describe(&other);
                let message = format!("after `in` stands a range or a list, found {found}");
                return Err(self.error(codes::WRONG_KIND, list.span, message));
            }
        };
        let same = |a: &Value, b: &Value| match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        };
        let is_listed = |value: &Value| listed.iter().any(|other| same(value, other));
        let fits = is_listed(value)
            || matches!(value, Value::List(entries) if entries.iter().all(is_listed));
        if fits {
            return Ok(());
        }
        let graph = &self.builder.graph;
        let shown: Vec<String> = listed.iter().map(|value| value.show(graph)).collect();
        let found = value.show(graph);
        let must = format!("one of {}", shown.join(", "));
        let place = self.place_of(check);
        let error = self.not_taken(check, &must, &found);
        let error = error.misspelt(place, &found, shown.iter().map(String::as_str));
        Err(self.report(error))
    }

    /// Where an argument is, or the call that leaves it out.
    fn place_of(&self, check: &Check<'_>) -> Span {
        let call = self.frame().call;
        check.given.or(call).unwrap_or(check.param.span)
    }

    fn not_taken(&self, check: &Check<'_>, must: &str, found: &str) -> Diagnostic {
        let default = if check.given.is_none() { ", its default" } else { "" };
        let message = format!("{} must be {must}, found {found}{default}", check.argument());
        let place = self.place_of(check);
        let error = Diagnostic::error(codes::DOMAIN, message).primary(place, "");
        // That the prelude declares it says nothing that the message does not.
        if self.items.in_prelude(check.param.span) || place == check.param.span {
            return error;
        }
        error.label(check.param.span, "declared here")
    }

    /// Reports a number outside its range, with the numbers that may have been meant.
    fn outside(
        &mut self,
        check: &Check<'_>,
        value: &Value,
        range: &Between<Number>,
        must: &str,
    ) -> ErrorReported {
        let found = match *value {
            // An int that stands for a float is shown as it is mostly written.
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                number.to_string()
            }
            _ => value.show(&self.builder.graph),
        };
        let mut error = self.not_taken(check, must, &found);
        if let (Some(at), Some(number)) = (check.given, value.as_f64()) {
            for (text, why) in meant(number, value, range, check.param) {
                let edits = vec![Edit { span: at, text: text.clone() }];
                let fix = Fix::new(format!("write {text}{why}"), edits);
                // A momentum of 90 is a percentage; what `beta1: 9.0` was to be is for its author to
                // say. That there is no more does not say that the most was meant.
                error.fixes.push(match why {
                    SHARE if number >= 10.0 => fix,
                    _ => fix.read_as(Certainty::Suggestion),
                });
            }
        }
        self.report(error)
    }

    /// Reports an argument of what is built in, unless it is as it must be.
    pub fn must(
        &mut self,
        holds: bool,
        (argument, must): (&str, &str),
        value: &Value,
        at: Span,
    ) -> Eval<()> {
        if holds {
            return Ok(());
        }
        let found = value.show(&self.builder.graph);
        let message = format!("{argument} must be {must}, found {found}");
        Err(self.error(codes::DOMAIN, at, message))
    }

    // ---- `require`

    /// Checks what a `require` statement says.
    pub fn require(
        &mut self,
        condition: &'a Expr,
        message: Option<&'a str>,
        span: Span,
    ) -> Eval<()> {
        let value = self.expr(condition, Expect::Any)?;
        match value {
            Value::Bool(true) => Ok(()),
            Value::Bool(false) => Err(self.refused(condition, message, span)),
            _ => {
                let found = self.describe(&value);
                let message =
                    format!("a `require` is decided while compiling, but this is {found}");
                Err(self.error(codes::CONDITION, condition.span, message))
            }
        }
    }

    /// Reports a condition that does not hold, at the argument that it is about, if it is about one
    /// that is given; else at the call.
    fn refused(&mut self, condition: &'a Expr, message: Option<&str>, span: Span) -> ErrorReported {
        let frame = self.frame();
        let (name, call) = (frame.name, frame.call);
        let (mut values, mut places) = (Vec::new(), Vec::new());
        for mention in walk::mentions_of(condition) {
            let Some(Binding::Value(value, role, _)) = frame.find(mention.name) else { continue };
            let number = self.number_of(value);
            let shown = match number {
                Some(number) => number.show(),
                None => value.show(&self.builder.graph),
            };
            let says = format!("`{}` is {shown}", mention.name);
            if !values.contains(&says) {
                values.push(says);
            }
            let place = frame.given.get(mention.name).copied();
            if let (Role::Argument, Some(place)) = (role, place.filter(|&it| Some(it) != call))
                && !places.contains(&place)
            {
                places.push(place);
            }
        }
        let message = match message {
            Some(message) => format!("`{name}`: {message}"),
            None => format!("a condition of `{name}` does not hold"),
        };
        let place = match places[..] {
            [only] => only,
            _ => call.unwrap_or(condition.span),
        };
        let mut error = Diagnostic::error(codes::DOMAIN, message).primary(place, "");
        if !self.items.in_prelude(span) && place != condition.span {
            error = error.label(span, "required here");
        }
        if !values.is_empty() {
            error = error.note(values.join(", "));
        }
        self.report(error)
    }
}

/// An argument to check.
struct Check<'c> {
    function: &'c Function,
    param: &'c ParamDecl,
    given: Option<Span>,
}

impl Check<'_> {
    fn argument(&self) -> String {
        format!("`{}` of `{}`", self.param.name.text, self.function.name.text)
    }
}

fn is_whole(ty: &crate::syntax::ast::TypeExpr) -> bool {
    matches!(ty.name.text.as_str(), "int" | "size" | "padding" | "list")
}

/// Why a hundredth is meant.
const SHARE: &str = ", as a share of one";

/// Numbers that may have been meant by one outside its range: a percentage as a share, and the last
/// one that the shapes allow. (That a sign is wrong, the search for fixes finds by itself.) A bound
/// that is written as a number is no guess: nobody who writes `dense(0)` means 1.
fn meant(
    number: f64,
    value: &Value,
    range: &Between<Number>,
    param: &ParamDecl,
) -> Vec<(String, &'static str)> {
    let takes = |number: f64| range.holds(Number::Known(number)) == Some(true);
    let is_int = matches!(value, Value::Int(_));
    let whole = is_int && param.ty.as_ref().is_none_or(is_whole);
    let mut found = Vec::new();
    let share = number / 100.0;
    if !whole && (2.0..=100.0).contains(&number) && takes(share) && !takes(2.0) {
        // 99.9 / 100 in the digits of `f32`: 0.999.
        found.push(((share as f32).to_string(), SHARE));
    }
    let high = match &param.domain {
        Some(ArgDomain { kind: ArgDomainKind::Range { high, .. }, .. }) => Some(high),
        Some(ArgDomain {
            kind: ArgDomainKind::Bound(BinaryOp::Lt | BinaryOp::Le, high), ..
        }) => Some(high),
        _ => None,
    };
    let follows =
        high.is_some_and(|high| !matches!(high.kind, ExprKind::Int(_) | ExprKind::Float(_)));
    if let (true, true, Some(End { at: Number::Known(high), included })) =
        (whole, follows, range.high)
    {
        let last = if included { high } else { high - 1.0 };
        if number > last && takes(last) {
            found.push((last.to_string(), ", the last that there is"));
        }
    }
    found
}
