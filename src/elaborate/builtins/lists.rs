//! Functions of compile-time lists: `len([3, 5])` is 2, `range(1, 3)` is `[1, 2]`.
//!
//! With them a layer is written once for images and sequences: of `x: f32[N, ..S, C]`, `len(S)` is
//! the number of spatial axes and `range(1, len(S) + 1)` lists them. They build no nodes.

use super::{Args, Operator, call, may, needs};
use crate::base::codes;
use crate::elaborate::context::{Elaborator, Eval};
use crate::elaborate::value::Value;

/// The longest list that `range` makes.
const MOST: i64 = 10_000;

/// The table.
pub(super) const OPERATORS: &[Operator] =
    &[call("len", &[needs("list")], len), call("range", &[needs("from"), may("to")], range)];

/// How many entries a list has.
fn len(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    match args.value(0)? {
        Value::List(entries) => Ok(Value::Int(i64::try_from(entries.len()).unwrap_or(i64::MAX))),
        _ => Err(context.bad_argument(args, 0, "a list")),
    }
}

/// `range(from, to)`: the ints from the first to one before the last; `range(to)` begins at 0.
fn range(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let mut bounds = [0; 2];
    for (index, bound) in bounds.iter_mut().enumerate() {
        *bound = match args.get(index) {
            None => continue,
            Some(Value::Int(bound)) => *bound,
            Some(_) => return Err(context.bad_argument(args, index, "an int")),
        };
    }
    let [from, to] = if args.given(1) { bounds } else { [0, bounds[0]] };
    if to.saturating_sub(from) > MOST {
        let message = format!("`range` makes lists of at most {MOST} entries");
        return Err(context.error(codes::TOO_LARGE, args.span, message));
    }
    Ok(Value::List((from..to).map(Value::Int).collect()))
}
