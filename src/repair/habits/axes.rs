//! How many axes the values of a model have, for axes that are counted otherwise elsewhere.
//!
//! ```text
//! concat([a, b], axis: ⟦dim 1⟧)           concat([a, b], axis: -1)    of images, whose channels come last here
//! attention(4, width: ⟦each 16⟧)          attention(4)                of values that are 4 · 16 wide
//! ```
//!
//! In: a statement as it is written here, with marks that the table leaves, and the axes of the names in it. Out: the
//! statement without them, and the axes of its value. A mark whose value has no known axes stays, and then
//! so does the statement that its author wrote. Nothing is checked: that is done with the whole program.

use super::tokens::{ForeignToken, ForeignTokenKind, closer, split, tokens};
use crate::base::fix::replaced;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

/// The axes of a value, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownAxes {
    /// How many they are.
    pub count: Option<usize>,
    /// The extent of the last one.
    pub last: Option<String>,
}

/// Layers and functions whose value has the axes that their argument has.
const SAME: [&str; 38] = [
    "dropout",
    "batch_norm",
    "layer_norm",
    "rms_norm",
    "group_norm",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "softplus",
    "mish",
    "hard_swish",
    "hard_sigmoid",
    "relu6",
    "prelu",
    "softmax",
    "log_softmax",
    "tanh",
    "sigmoid",
    "exp",
    "log",
    "sqrt",
    "abs",
    "positions",
    "sinusoidal_positions",
    "rotary",
    "attention",
    "cross_attention",
    "max_pool",
    "avg_pool",
    "upsample",
    "pad",
    "glu",
    "swiglu",
    "depthwise_conv",
    "concat",
];
/// Layers whose last axis is as long as their first number says.
const WIDE: [&str; 6] = ["dense", "conv", "conv_transpose", "lstm", "gru", "rnn"];
/// Of those above, the ones that change the last axis.
const OTHER_LAST: [&str; 5] = ["glu", "swiglu", "depthwise_conv", "concat", "pad"];

/// A statement without marks, where they could be read, and the axes of its value.
pub fn resolved(text: &str, known: &HashMap<String, KnownAxes>) -> (String, KnownAxes) {
    let all = tokens(text);
    let reader = AxesReader { text, known, changes: RefCell::default() };
    let axes = reader.value(&all);
    let changes = reader.changes.into_inner();
    let made = changes.iter().map(|(place, text)| (place.clone(), text.as_str()));
    (replaced(text, made), axes)
}

/// The axes of a type: `f32[N, 28, 28, 1]`.
pub fn of_type(tokens: &[ForeignToken<'_>]) -> KnownAxes {
    let Some(open) = tokens.iter().position(|token| token.is("[")) else {
        return KnownAxes::default();
    };
    let Some(close) = closer(tokens, open) else { return KnownAxes::default() };
    let parts = split(&tokens[open + 1..close], |token| token.is(","));
    if parts.iter().any(|part| part[0].is("..")) {
        return KnownAxes::default();
    }
    let last = parts.last().filter(|part| part.len() == 1).map(|part| part[0].text.to_owned());
    KnownAxes { count: Some(parts.len()), last }
}

struct AxesReader<'r> {
    text: &'r str,
    known: &'r HashMap<String, KnownAxes>,
    changes: RefCell<Vec<(Range<usize>, String)>>,
}

impl AxesReader<'_> {
    fn value(&self, tokens: &[ForeignToken<'_>]) -> KnownAxes {
        let mut stages = split(tokens, |token| token.is("|>")).into_iter();
        let Some(head) = stages.next() else { return KnownAxes::default() };
        let mut axes = self.head(head);
        for stage in stages {
            axes = self.stage(stage, axes);
        }
        axes
    }

    /// The value before the first pipe.
    fn head(&self, tokens: &[ForeignToken<'_>]) -> KnownAxes {
        let operator = |token: &ForeignToken<'_>| {
            token.kind == ForeignTokenKind::Sign
                && matches!(token.text, "+" | "-" | "*" | "/" | "@")
        };
        let operands = split(tokens, operator);
        if operands.len() > 1 {
            let all: Vec<KnownAxes> = operands.iter().map(|part| self.head(part)).collect();
            return all.into_iter().max_by_key(|axes| axes.count).unwrap_or_default();
        }
        match tokens {
            [open, .., close] if open.is("(") && close.is(")") => {
                self.value(&tokens[1..tokens.len() - 1])
            }
            [open, .., close] if open.is("[") && close.is("]") => {
                let parts = split(&tokens[1..tokens.len() - 1], |token| token.is(","));
                let all: Vec<KnownAxes> = parts.iter().map(|part| self.value(part)).collect();
                all.into_iter().next().unwrap_or_default()
            }
            [name] => self.known.get(name.text).cloned().unwrap_or_default(),
            [.., close] if close.is("]") => {
                let opens = |at: &usize| {
                    tokens[*at].is("[") && closer(tokens, *at) == Some(tokens.len() - 1)
                };
                let Some(open) = (1..tokens.len()).find(opens) else { return KnownAxes::default() };
                let mut axes = self.head(&tokens[..open]);
                let parts = split(&tokens[open + 1..tokens.len() - 1], |token| token.is(","));
                let single = |part: &&&[ForeignToken<'_>]| !part.iter().any(|token| token.is(":"));
                let gone = parts.iter().filter(single).count();
                axes.count = axes.count.and_then(|count| count.checked_sub(gone));
                axes
            }
            [name, open, inner @ .., close] if open.is("(") && close.is(")") => {
                let args = split(inner, |token| token.is(","));
                let axes = args.first().map(|first| self.value(first)).unwrap_or_default();
                self.applied(name.text, args.get(1..).unwrap_or_default(), axes)
            }
            _ => KnownAxes::default(),
        }
    }

    /// A stage with what is piped into it.
    fn stage(&self, stage: &[ForeignToken<'_>], axes: KnownAxes) -> KnownAxes {
        if stage.first().is_some_and(|first| first.is("repeat"))
            && let Some(open) = stage.iter().position(|token| token.is("{"))
            && let Some(close) = closer(stage, open)
        {
            let inner = split(&stage[open + 1..close], |token| token.is("|>"));
            return inner.into_iter().fold(axes, |axes, stage| self.stage(stage, axes));
        }
        let Some(open) = stage.get(1).filter(|open| open.is("(")).and(closer(stage, 1)) else {
            return self.applied(stage[0].text, &[], axes);
        };
        let args = split(&stage[2..open], |token| token.is(","));
        self.applied(stage[0].text, &args, axes)
    }

    /// The axes of a call's value, whose first argument has these.
    fn applied(&self, name: &str, args: &[&[ForeignToken<'_>]], axes: KnownAxes) -> KnownAxes {
        args.iter().for_each(|arg| self.marks(arg, args, &axes));
        let text = |at: usize| {
            let arg = args.get(at).filter(|arg| arg.len() == 1)?;
            Some(arg[0].text.to_owned())
        };
        let named = |name: &str| args.iter().find(|arg| arg[0].is(name) && arg.len() > 2);
        match name {
            "flatten" => KnownAxes { count: Some(2), last: None },
            "global_avg_pool" | "global_max_pool" => KnownAxes { count: Some(2), ..axes },
            "embedding" => KnownAxes { count: axes.count.map(|count| count + 1), last: text(1) },
            "reshape" => args.first().map(|shape| of_type(shape)).unwrap_or_default(),
            "mean" | "sum" | "max" | "min" | "variance" => match named("axis") {
                Some(_) if named("keep").is_some() => axes,
                Some(axis) => {
                    let gone = split(&axis[2..], |token| token.is(","));
                    let inner = gone.first().map_or(0, |list| list.len());
                    let gone = if inner > 2 && axis[2].is("[") {
                        split(&axis[3..axis.len() - 1], |token| token.is(",")).len()
                    } else {
                        1
                    };
                    KnownAxes { count: axes.count.and_then(|it| it.checked_sub(gone)), last: None }
                }
                None => KnownAxes { count: Some(0), last: None },
            },
            _ if WIDE.contains(&name) => KnownAxes { last: text(0), ..axes },
            _ if OTHER_LAST.contains(&name) => KnownAxes { last: None, ..axes },
            _ if SAME.contains(&name) => axes,
            _ => KnownAxes::default(),
        }
    }

    /// Reads the mark of an argument of a value that has these axes.
    fn marks(&self, arg: &[ForeignToken<'_>], args: &[&[ForeignToken<'_>]], axes: &KnownAxes) {
        let [name, _, open, kind, inner @ .., close] = arg else { return };
        if !open.is("⟦") || !close.is("⟧") {
            return;
        }
        let Some(last) = inner.last() else { return };
        let value = &self.text[inner[0].start..last.end()];
        match kind.text {
            "dim" => {
                let Some(axis) = turned(value, axes.count) else { return };
                self.changes.borrow_mut().push((open.start..close.end(), axis));
            }
            "each" => {
                let number = |text: &str| text.parse::<u64>().ok();
                let heads = args.first().and_then(|arg| number(arg[0].text));
                let width = axes.last.as_deref().and_then(number);
                let wanted = heads.zip(number(value)).map(|(heads, each)| heads * each);
                if wanted.is_some() && wanted == width {
                    // The comma before it goes too.
                    let start = self.text[..name.start].rfind(',').unwrap_or(name.start);
                    self.changes.borrow_mut().push((start..close.end(), String::new()));
                }
            }
            _ => {}
        }
    }
}

/// An axis of PyTorch as it is counted here: of images, channels come last. A list, each of its axes.
fn turned(value: &str, count: Option<usize>) -> Option<String> {
    if let Some(inner) = value.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        let mut all = Vec::new();
        for axis in inner.split(',') {
            all.push(turned(axis.trim(), count)?);
        }
        return Some(format!("[{}]", all.join(", ")));
    }
    let axis = value.replace(' ', "").parse::<i32>().ok()?;
    let axis = match (count, axis) {
        (Some(4), 1 | -3) => -1,
        (Some(4), 2 | -2) => 1,
        (Some(4), 3 | -1) => 2,
        (Some(2..=4), axis) => axis,
        (None, -1) => -1,
        _ => return None,
    };
    Some(axis.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_of_images_are_turned() {
        let axes =
            |count: usize, last: &str| KnownAxes { count: Some(count), last: Some(last.into()) };
        let known = [("a", axes(4, "3")), ("t", axes(3, "64"))];
        let known = known.map(|(name, axes)| (name.to_owned(), axes)).into();
        let text = |text: &str| resolved(text, &known).0;
        assert_eq!(text("concat([a, a], axis: ⟦dim 1⟧)"), "concat([a, a], axis: -1)");
        assert_eq!(
            text("a |> flatten |> softmax(axis: ⟦dim 1⟧)"),
            "a |> flatten |> softmax(axis: 1)"
        );
        assert_eq!(
            text("mean(conv(a, 8, 3), axis: ⟦dim [2, 3]⟧)"),
            "mean(conv(a, 8, 3), axis: [1, 2])"
        );
        assert_eq!(text("t |> attention(4, width: ⟦each 16⟧)"), "t |> attention(4)");
        assert!(text("t |> attention(4, width: ⟦each 64⟧)").contains('⟦'));
        assert!(text("own(a) |> softmax(axis: ⟦dim 1⟧)").contains('⟦'));
    }
}
