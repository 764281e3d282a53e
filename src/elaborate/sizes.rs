//! Values of the types `size` and `padding`, and what they mean for one or two spatial axes.
//!
//! A size is a positive int, or a list of them with one for each spatial axis: over images `3` is
//! `[3, 3]`. A padding is an int that is not negative, a list with an int or a pair
//! `[before, after]` for each axis, or one of the words `same` and `valid`: over images `1` is
//! `[[1, 1], [1, 1]]`. How many axes there are is not known where an argument is bound, only where
//! an operator meets its input: the kind is checked by [`is_size`] and [`is_padding`], the number
//! of entries by [`size`] and [`padding`].

use super::value::Value;
use crate::base::names::nearest;

/// The largest number of a window along an axis: far above any use.
pub(super) const MOST: i64 = 1 << 16;

/// A padding over a known number of axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    /// So that the output is as long as the input, divided by the stride.
    Same,
    /// Padding before and after each axis.
    Amounts(Vec<(usize, usize)>),
}

/// Whether a value is a size.
pub(super) fn is_size(value: &Value) -> bool {
    let positive = |ints: Vec<i64>| !ints.is_empty() && ints.iter().all(|n| (1..=MOST).contains(n));
    value.as_ints().is_some_and(positive)
}

/// Whether a value is a padding.
pub(super) fn is_padding(value: &Value) -> bool {
    match value {
        Value::Word(word) => matches!(word.as_str(), "same" | "valid"),
        Value::List(entries) => {
            !entries.is_empty() && entries.iter().all(|entry| amount(entry).is_some())
        }
        _ => amount(value).is_some(),
    }
}

/// A size as one number for each of `axes`; `None` where it has another number of entries.
pub(super) fn size(value: &Value, axes: usize) -> Option<Vec<usize>> {
    let ints = value.as_ints()?;
    let numbers: Vec<usize> =
        ints.into_iter().map(|n| usize::try_from(n).ok()).collect::<Option<_>>()?;
    match (value, numbers.as_slice()) {
        (Value::Int(_), &[all]) => Some(vec![all; axes]),
        (_, of_each) => (of_each.len() == axes).then_some(numbers),
    }
}

/// A padding of `axes`; `None` where it has another number of entries.
pub(super) fn padding(value: &Value, axes: usize) -> Option<Padding> {
    match value {
        Value::Word(word) if word == "same" => Some(Padding::Same),
        Value::Word(_) => Some(Padding::Amounts(vec![(0, 0); axes])),
        Value::List(entries) => {
            let amounts: Option<Vec<_>> = entries.iter().map(amount).collect();
            amounts.filter(|amounts| amounts.len() == axes).map(Padding::Amounts)
        }
        _ => amount(value).map(|both| Padding::Amounts(vec![both; axes])),
    }
}

/// Padding of one axis: an int for both ends, or a pair.
fn amount(entry: &Value) -> Option<(usize, usize)> {
    let ints = entry.as_ints()?;
    let [before, after] = match (entry, &ints[..]) {
        (Value::Int(both), _) => [*both, *both],
        (_, &[before, after]) => [before, after],
        _ => return None,
    };
    let number = |n: i64| usize::try_from(n).ok().filter(|_| n <= MOST);
    Some((number(before)?, number(after)?))
}

/// Help for a value that is none of these types.
pub(super) fn help(kind: &str, found: &Value) -> Option<String> {
    let word = match found {
        Value::Word(word) => nearest(word, ["same", "valid"]),
        _ => None,
    };
    match (kind, word) {
        ("padding", Some(near)) => Some(format!("did you mean `{near}`?")),
        ("size", _) => Some(format!(
            "a size is an int from 1 to {MOST}, or a list with one for each spatial axis: `[3, 5]`"
        )),
        ("padding", None) => Some(
            "a padding is an int of at least 0, a list with an int or `[before, after]` for each \
             spatial axis, `same` or `valid`"
                .into(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: impl IntoIterator<Item = Value>) -> Value {
        Value::List(entries.into_iter().collect())
    }

    fn ints(entries: &[i64]) -> Value {
        list(entries.iter().map(|&n| Value::Int(n)))
    }

    #[test]
    fn a_size_has_a_number_for_each_axis() {
        assert_eq!(size(&Value::Int(3), 2), Some(vec![3, 3]));
        assert_eq!(size(&ints(&[3, 5]), 2), Some(vec![3, 5]));
        assert_eq!(size(&ints(&[3]), 2), None);
        assert!(is_size(&ints(&[3, 5])) && is_size(&Value::Int(1)));
        let wrong = [Value::Int(0), Value::Int(-1), ints(&[]), ints(&[2, 0]), Value::Float(2.0)];
        assert!(!wrong.iter().any(is_size));
    }

    #[test]
    fn a_padding_is_ints_pairs_or_a_word() {
        let amounts = |of: &[(usize, usize)]| Some(Padding::Amounts(of.to_vec()));
        assert_eq!(padding(&Value::Int(1), 2), amounts(&[(1, 1); 2]));
        assert_eq!(padding(&ints(&[1, 2]), 2), amounts(&[(1, 1), (2, 2)]));
        assert_eq!(padding(&list([ints(&[1, 2])]), 1), amounts(&[(1, 2)]));
        assert_eq!(padding(&list([Value::Int(1), ints(&[0, 2])]), 2), amounts(&[(1, 1), (0, 2)]));
        assert_eq!(padding(&Value::Word("same".into()), 2), Some(Padding::Same));
        assert_eq!(padding(&Value::Word("valid".into()), 1), amounts(&[(0, 0)]));
        assert_eq!(padding(&ints(&[1, 2]), 1), None);
        let wrong = [
            Value::Int(-1),
            ints(&[]),
            ints(&[0, -1]),
            list([ints(&[1, 2, 3])]),
            Value::Word("full".into()),
            Value::Float(1.0),
        ];
        assert!(!wrong.iter().any(is_padding));
    }
}
