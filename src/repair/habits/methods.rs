//! Methods of values: other shapes, and layers behind a dot.
//!
//! ```text
//! x.view(-1, 784)          flatten(x)
//! dense(x, 64).relu()      dense(x, 64) |> relu
//! ```

use super::bound::{GivenArgument, OPEN};
use super::names::RESHAPES;
use super::reader::{HabitReader, ReadPart, is_space};
use super::row;
use super::tokens::{ForeignToken, ForeignTokenKind, closer, split};

impl<'a> HabitReader<'a> {
    /// The state of the last layer: `h[-1]`, `h.squeeze(0)`.
    pub fn state(
        &self,
        path: &[&'a str],
        tokens: &[ForeignToken<'a>],
        next: usize,
    ) -> (ReadPart, usize) {
        let texts: Vec<&str> = tokens[next..].iter().take(4).map(|token| token.text).collect();
        let length = match (path, &texts[..]) {
            ([_], ["[", "-", "1", "]"]) => 4,
            ([_, "squeeze"], ["(", "0", ")", ..]) => 3,
            _ => return (ReadPart::Value(OPEN.to_owned()), next),
        };
        (ReadPart::Value(path[0].to_owned()), next + length)
    }

    /// `x.view(-1, 784)`, `x.flatten(1)`: a value in another shape.
    pub fn reshaped(&self, path: &[&'a str], inner: &[ForeignToken<'a>]) -> Option<String> {
        let (name, value) = path.split_last()?;
        if value.is_empty() || value.iter().all(|it| is_space(it)) || value[0] == "self" {
            return None;
        }
        let value = value.join(".");
        if let Some(reduced) = self.reduced(name, &value, inner) {
            return Some(reduced);
        }
        if *name == "flatten" {
            let args = self.arguments(inner);
            let is_one =
                |arg: &GivenArgument| arg.value == "1" || arg.name.as_deref() == Some("end_dim");
            return args.iter().all(is_one).then(|| format!("flatten({value})"));
        }
        if !RESHAPES.contains(name) {
            return None;
        }
        let extents: Vec<String> =
            split(inner, |token| token.is(",")).iter().map(|part| self.written(part)).collect();
        let is_batch =
            |text: &str| text == "-1" || text.contains(".size(") || text.contains(".shape");
        match &extents[..] {
            [first, _] if is_batch(first) => Some(format!("flatten({value})")),
            [first, rest @ ..] if is_batch(first) => {
                Some(format!("reshape({value}, [N, {}])", rest.join(", ")))
            }
            _ => None,
        }
    }

    /// Methods behind a value: `dense(x, 64).relu()` → `dense(x, 64) |> relu`.
    pub fn methods(
        &self,
        mut read: ReadPart,
        tokens: &[ForeignToken<'a>],
        mut next: usize,
    ) -> (ReadPart, usize) {
        while let [dot, name, open, ..] = &tokens[next..]
            && dot.is(".")
            && name.kind == ForeignTokenKind::Word
            && open.is("(")
            && let Some(close) = closer(tokens, next + 2)
        {
            let inner = &tokens[next + 3..close];
            let args = self.arguments(inner);
            let path = [name.text];
            let made = row::rows(&path).find_map(|row| row::applied(row, &args));
            let Some(stages) = made else { break };
            read = match read {
                ReadPart::Value(value) => {
                    ReadPart::Value(format!("{value} |> {}", stages.text(&self.indent)))
                }
                ReadPart::Stages(mut before) => {
                    before.stages.extend(stages.stages);
                    ReadPart::Stages(before)
                }
            };
            next = close + 1;
        }
        (read, next)
    }
}
