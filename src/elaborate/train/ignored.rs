//! Labels that do not count: the argument `ignore` of a loss, and the metrics that go by it.
//!
//! ```text
//! loss    = cross_entropy(ignore: -1)      the label -1 is in no sum and no count
//! metrics = [accuracy, f1(ignore: none)]   accuracy(ignore: -1), f1 of all labels
//! ```
//!
//! A metric that has such an argument takes that of the loss which goes to the same target, unless it is
//! given its own. Evaluation leaves these labels out of its counts, too.

use super::operands::LossOperands;
use super::plan::Choice;
use crate::elaborate::arguments::{Expect, Given, Passed};
use crate::elaborate::context::{Elaborator, Eval};
use crate::elaborate::value::Value;
use crate::syntax::ast::{Arg, Function};

/// The argument's name.
const IGNORE: &str = "ignore";

/// The argument of that name among those of a call that are no tensors, of which there are `tensors`
/// before them.
fn given<'a>(function: &Function, rest: &[&'a Arg], tensors: usize) -> Option<&'a Arg> {
    let of_place = |place: usize| function.params.get(tensors + place);
    let is_it = |(place, arg): (usize, &&Arg)| match &arg.name {
        Some(name) => name.text == IGNORE,
        None => of_place(place).is_some_and(|param| param.name.text == IGNORE),
    };
    rest.iter().enumerate().find(|&at| is_it(at)).map(|(_, arg)| *arg)
}

impl<'a> Elaborator<'a> {
    /// The label that a loss is told to ignore. What is no int is reported by its call.
    pub(super) fn ignored_label(
        &mut self,
        choice: Choice<'a>,
        operands: &LossOperands<'a>,
    ) -> Eval<Option<i64>> {
        let function = self.items.function(choice.id).function;
        let Some(arg) = given(function, &operands.rest, operands.tensors.len()) else {
            return Ok(None);
        };
        match self.expr(&arg.value, Expect::Number)? {
            Value::Int(label) => Ok(Some(label)),
            _ => Ok(None),
        }
    }

    /// The argument `ignore` of a metric that is not given one, from the loss of the same target.
    pub(super) fn handed_on(
        &self,
        metric: Choice<'a>,
        operands: &LossOperands<'a>,
    ) -> Option<Passed<'a>> {
        let function = self.items.function(metric.id).function;
        let param = function.params.iter().find(|param| param.name.text == IGNORE)?;
        if given(function, &operands.rest, operands.tensors.len()).is_some() {
            return None;
        }
        let mut losses = self.compared.iter().filter(|loss| loss.target == operands.target);
        let label = losses.find_map(|loss| loss.ignore)?;
        let given = Given::Value(Value::Int(label), metric.span);
        Some(Passed { name: Some(&param.name), given })
    }
}
