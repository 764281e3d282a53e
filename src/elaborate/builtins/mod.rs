//! The built-in operators: a table from a name to its parameters and what it builds.
//!
//! `sum(x, axis: 1)` finds the entry `sum(x, axis, keep)`, evaluates the arguments and calls the
//! entry's function, which builds `reduce` nodes. An operator is called like a layer, named
//! arguments included. To add one, write a line in the table of the file of its kind.

mod elementwise;
mod lists;
mod movement;
mod random;
mod reduction;
mod transposed;
mod window;

pub(super) use movement::reshape_to;

pub use window::CHANNELS_FIRST;

use super::arguments::Expect;
use super::arguments::{ParamPlace, Passed};
use super::context::{Elaborator, ErrorReported, Eval};
use super::index::from_start;
use super::value::Value;
use crate::base::codes;
use crate::base::source::Span;
use crate::base::tensor::DType;
use crate::graph::{Binary, NodeId, Unary};

/// A built-in operator.
pub(super) struct Operator {
    /// Its name.
    pub name: &'static str,
    /// Its parameters, in order.
    pub params: &'static [Parameter],
    /// How it becomes nodes of the graph.
    pub rule: OperatorRule,
}

/// A parameter of an operator.
pub(super) struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// The kind of its value.
    pub expect: Expect,
}

/// How an operator becomes nodes of the graph.
pub(super) enum OperatorRule {
    /// A function of one number or tensor.
    Unary(Unary),
    /// Of two: `min(a, b)`; with one argument, a reduction.
    MinMax(Binary),
    /// Anything else.
    Call(fn(&mut Elaborator<'_>, &Args) -> Eval<Value>),
}

/// A parameter that must be given.
const fn needs(name: &'static str) -> Parameter {
    Parameter { name, required: true, expect: Expect::Any }
}

/// A parameter that may be left out.
const fn may(name: &'static str) -> Parameter {
    Parameter { name, required: false, expect: Expect::Any }
}

/// A parameter that a bare word names: `f32`.
const fn word(name: &'static str) -> Parameter {
    Parameter { name, required: true, expect: Expect::Word }
}

const fn call(
    name: &'static str,
    params: &'static [Parameter],
    rule: fn(&mut Elaborator<'_>, &Args) -> Eval<Value>,
) -> Operator {
    Operator { name, params, rule: OperatorRule::Call(rule) }
}

/// All operators.
fn all() -> impl Iterator<Item = &'static Operator> {
    let tables = [
        &elementwise::UNARY[..],
        elementwise::OPERATORS,
        reduction::OPERATORS,
        movement::OPERATORS,
        window::OPERATORS,
        transposed::OPERATORS,
        random::OPERATORS,
        lists::OPERATORS,
    ];
    tables.into_iter().flatten()
}

/// The operator of that name.
pub(super) fn find(name: &str) -> Option<&'static Operator> {
    all().find(|operator| operator.name == name)
}

/// The names of all operators.
pub(super) fn names<'n>() -> impl Iterator<Item = &'n str> {
    all().map(|operator| operator.name)
}

/// Every operator that is called by name, with the names of its parameters.
pub fn operators() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    all().map(|operator| (operator.name, operator.params.iter().map(|param| param.name).collect()))
}

/// The arguments of an operator, by position of the parameter.
pub(super) struct Args {
    /// The operator's name.
    pub name: &'static str,
    params: &'static [Parameter],
    values: Vec<Option<(Value, Span)>>,
    /// The call.
    pub span: Span,
}

impl Args {
    /// Whether a parameter was given.
    fn given(&self, index: usize) -> bool {
        self.values[index].is_some()
    }

    /// The argument of a parameter, and its place (the call's, where it was left out).
    fn get(&self, index: usize) -> Option<&Value> {
        self.values[index].as_ref().map(|(value, _)| value)
    }

    /// The argument of a parameter that must be given.
    fn value(&self, index: usize) -> Eval<&Value> {
        self.get(index).ok_or(ErrorReported)
    }

    fn span(&self, index: usize) -> Span {
        self.values[index].as_ref().map_or(self.span, |(_, span)| *span)
    }
}

impl<'a> Elaborator<'a> {
    /// A call of a built-in operator.
    pub fn call_builtin(
        &mut self,
        operator: &'static Operator,
        args: Vec<Passed<'a>>,
        span: Span,
    ) -> Eval<Value> {
        let slots: Vec<ParamPlace<'_>> = operator
            .params
            .iter()
            .map(|param| ParamPlace { name: param.name, required: param.required })
            .collect();
        let placed = self.place_arguments(operator.name, &slots, &args, span)?;
        let mut values =
            self.evaluate_arguments(&placed, &args, |slot| operator.params[slot].expect)?;
        // An argument that may be left out may be `none`, so that layers can hand theirs on.
        for (value, param) in values.iter_mut().zip(operator.params) {
            value.take_if(|(value, _)| *value == Value::None && !param.required);
        }
        let args = Args { name: operator.name, params: operator.params, values, span };
        self.count_stage(span)?;
        self.at(span);
        match operator.rule {
            OperatorRule::Unary(op) => elementwise::unary(self, op, &args),
            OperatorRule::MinMax(op) => reduction::min_max(self, op, &args),
            OperatorRule::Call(rule) => rule(self, &args),
        }
    }

    /// The name for messages: in the prelude, that of the layer that led to this operator.
    fn callee(&self, args: &Args) -> &'a str {
        match self.innermost_user_call() {
            Some((_, name)) if self.frame().builtin => name,
            _ => args.name,
        }
    }

    // ---- What arguments may be

    /// An argument of the wrong kind.
    fn bad_argument(&mut self, args: &Args, index: usize, takes: &str) -> ErrorReported {
        let found = match args.get(index) {
            Some(value) => self.describe(value),
            None => "nothing".into(),
        };
        let name = args.params[index].name;
        let message = format!("`{name}` of `{}` is {takes}, found {found}", self.callee(args));
        self.error(codes::WRONG_KIND, args.span(index), message)
    }

    /// A tensor; numbers become `f32` scalars.
    fn tensor_arg(&mut self, args: &Args, index: usize) -> Eval<NodeId> {
        let value = args.value(index)?;
        match self.node_of(value) {
            Some(_) => self.tensor(value, args.span(index)),
            None => Err(self.bad_argument(args, index, "a tensor")),
        }
    }

    /// A tensor or a number, as a node.
    fn node_arg(&mut self, args: &Args, index: usize) -> Eval<NodeId> {
        match self.node_of(args.value(index)?) {
            Some(node) => Ok(node),
            None => Err(self.bad_argument(args, index, "a tensor or a number")),
        }
    }

    fn int_arg(&mut self, args: &Args, index: usize, default: i64) -> Eval<i64> {
        match args.get(index) {
            None => Ok(default),
            Some(Value::Int(value)) => Ok(*value),
            Some(_) => Err(self.bad_argument(args, index, "an int")),
        }
    }

    fn bool_arg(&mut self, args: &Args, index: usize) -> Eval<bool> {
        match args.get(index) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(self.bad_argument(args, index, "a bool")),
        }
    }

    fn float_arg(&mut self, args: &Args, index: usize, default: f64) -> Eval<f64> {
        match args.get(index) {
            None => Ok(default),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(number),
                None => Err(self.bad_argument(args, index, "a number")),
            },
        }
    }

    /// Checks a number against what an argument takes.
    fn must_be(&mut self, args: &Args, index: usize, holds: bool, must: &str) -> Eval<()> {
        let argument = format!("`{}` of `{}`", args.params[index].name, self.callee(args));
        match args.get(index).cloned() {
            Some(value) => self.must(holds, (&argument, must), &value, args.span(index)),
            None => Ok(()),
        }
    }

    fn dtype_arg(&mut self, args: &Args, index: usize) -> Eval<DType> {
        let named = match args.value(index)? {
            Value::Word(word) => DType::from_name(word),
            _ => None,
        };
        match named {
            Some(dtype) if dtype != DType::F64 => Ok(dtype),
            _ => Err(self.bad_argument(args, index, "`f32`, `i32`, `u8` or `bool`")),
        }
    }

    /// An axis of a tensor of this rank; negative ones count from the end.
    fn axis(&mut self, axis: i64, rank: usize, args: &Args, index: usize) -> Eval<usize> {
        match from_start(axis, rank) {
            Some(found) => Ok(found),
            None => {
                let message = format!("axis {axis} of a tensor that has {rank}");
                let help = if rank == 0 {
                    "a scalar has no axes".to_owned()
                } else {
                    format!("its axes are 0 to {}, or -1 to -{rank} from the end", rank - 1)
                };
                Err(self.error_help(codes::INDEX, args.span(index), message, help))
            }
        }
    }

    /// Axes of a tensor: an int or a list, all of them where left out.
    fn axes_arg(&mut self, args: &Args, index: usize, rank: usize) -> Eval<Vec<usize>> {
        let Some(value) = args.get(index) else { return Ok((0..rank).collect()) };
        let Some(axes) = value.as_ints() else {
            return Err(self.bad_argument(args, index, "an axis or a list of axes"));
        };
        let axes: Vec<usize> =
            axes.into_iter().map(|axis| self.axis(axis, rank, args, index)).collect::<Eval<_>>()?;
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() < axes.len() {
            let message = format!("`{}` over one axis twice", args.name);
            return Err(self.error(codes::INDEX, args.span(index), message));
        }
        Ok(sorted)
    }
}
