//! Calls that take several values, or axes of one, as they are written here.
//!
//! ```text
//! Add()([y, z])                    (y + z)
//! MultiheadAttention(64, 4)(x, x, x)      attention(x, 4)
//! x.mean(dim=[2, 3])               mean(x, axis: ⟦dim [2, 3]⟧)
//! ```
//!
//! The meaning of axes is known once the statement is read: see [`axes`](super::axes).

use super::pipeline::WrittenStages;
use super::reader::{HabitReader, is_space};
use super::tokens::{ForeignToken, closer, split};

impl<'a> HabitReader<'a> {
    /// Stages with the values that they are applied to: attention of a value to itself takes it once.
    pub fn of_values(
        &self,
        stages: WrittenStages,
        inner: &[ForeignToken<'a>],
    ) -> (WrittenStages, String) {
        let parts = split(inner, |token| token.is(","));
        let named = |part: &[ForeignToken<'a>]| part.get(1).is_some_and(|sign| sign.is("="));
        let texts: Vec<String> =
            parts.iter().filter(|part| !named(part)).map(|part| self.written(part)).collect();
        let mut made = stages;
        if let (Some(first), [only]) = (texts.first(), &mut made.stages[..])
            && only.callee == "attention"
            && texts.len() > 1
        {
            let causal = |part: &&&[ForeignToken<'a>]| {
                part[0].is("use_causal_mask") && part.last().is_some_and(|last| last.is("True"))
            };
            if parts.iter().any(|part| causal(&part)) {
                only.args.push((Some("causal".to_owned()), "true".to_owned()));
            }
            if texts.iter().any(|text| text != first) {
                only.callee = "cross_attention".to_owned();
                only.args.insert(0, (None, texts[1].clone()));
            }
            return (made, first.clone());
        }
        (made, self.written(inner))
    }

    /// `Add()([y, z])`, `Concatenate()([a, b])`: layers of several values.
    pub fn merged(
        &self,
        path: &[&'a str],
        tokens: &[ForeignToken<'a>],
        next: usize,
    ) -> Option<(String, usize)> {
        let name = path.last()?;
        let close = closer(tokens, next)?;
        let list = tokens.get(close + 1).filter(|open| open.is("("))?;
        let is_foreign = path[..path.len() - 1].iter().all(|space| is_space(space));
        let (open, end) = (close + 2, closer(tokens, close + 1)?);
        if !list.is("(") || !is_foreign || self.declared.contains(name) || !tokens[open].is("[") {
            return None;
        }
        let values = split(&tokens[open + 1..end - 1], |token| token.is(","));
        let is_call = |text: &str| text.contains("|>");
        let values: Vec<String> = values.iter().map(|part| self.written(part)).collect();
        let in_brackets =
            |text: &String| if is_call(text) { format!("({text})") } else { text.clone() };
        let operands: Vec<String> = values.iter().map(in_brackets).collect();
        let value = match *name {
            "Add" => format!("({})", operands.join(" + ")),
            "Subtract" => format!("({})", operands.join(" - ")),
            "Multiply" => format!("({})", operands.join(" * ")),
            "Average" => format!("(({}) / {})", operands.join(" + "), operands.len()),
            "Maximum" | "Minimum" => {
                let call = if *name == "Maximum" { "max" } else { "min" };
                let (first, rest) = values.split_first()?;
                rest.iter().fold(first.clone(), |made, value| format!("{call}({made}, {value})"))
            }
            "Concatenate" => {
                let axis = self.arguments(&tokens[next + 1..close]);
                let axis =
                    axis.first().map(|axis| axis.value.as_str()).filter(|axis| *axis != "-1");
                let axis = axis.map_or(String::new(), |axis| format!(", axis: {axis}"));
                format!("concat([{}]{axis})", values.join(", "))
            }
            _ => return None,
        };
        Some((value, end + 1))
    }

    /// `x.mean(dim=[2, 3])`: a value with axes less, as PyTorch counts them.
    pub fn reduced(&self, name: &str, value: &str, inner: &[ForeignToken<'a>]) -> Option<String> {
        let callee = match name {
            "mean" | "sum" => name,
            "amax" => "max",
            "amin" => "min",
            _ => return None,
        };
        let args = self.arguments(inner);
        let mut positions = ["dim", "keepdim"].into_iter();
        let (mut axis, mut keep) = (None, "");
        for arg in &args {
            match arg.name.as_deref().or_else(|| positions.next())? {
                "dim" | "axis" if value.starts_with('(') => return None,
                "dim" | "axis" => axis = Some(&arg.value),
                "keepdim" | "keepdims" if arg.value == "true" => keep = ", keep: true",
                "keepdim" | "keepdims" => {}
                _ => return None,
            }
        }
        let axis = axis.map_or(String::new(), |axis| format!(", axis: ⟦dim {axis}⟧"));
        Some(format!("{callee}({value}{axis}{keep})"))
    }
}
