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

/// Functions of two values.
const OPERATORS: [&str; 13] = [
    "add", "sub", "subtract", "mul", "multiply", "div", "divide", "matmul", "bmm", "mm", "maximum",
    "minimum", "pow",
];
/// Functions of a list of values, and the layers that do the same.
const KERAS: [(&str, &str); 6] = [
    ("add", "Add"),
    ("subtract", "Subtract"),
    ("multiply", "Multiply"),
    ("average", "Average"),
    ("maximum", "Maximum"),
    ("minimum", "Minimum"),
];

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
            for part in parts.iter().filter(|part| named(part)) {
                let value = self.written(&part[2..]);
                match part[0].text {
                    "use_causal_mask" | "is_causal" if value == "true" => {
                        only.args.push((Some("causal".to_owned()), value));
                    }
                    "use_causal_mask" | "is_causal" | "need_weights" | "training" => {}
                    // It stays, and is reported.
                    other => only.args.push((Some(other.to_owned()), value)),
                }
            }
            if texts.iter().any(|text| text != first) {
                only.callee = "cross_attention".to_owned();
                only.args.insert(0, (None, texts[1].clone()));
            }
            return (made, first.clone());
        }
        (made, self.written(inner))
    }

    /// The values that a call joins, the layer that does so, and where the tokens end.
    fn operands<'t>(
        &self,
        path: &[&'a str],
        tokens: &'t [ForeignToken<'a>],
        (next, close): (usize, usize),
    ) -> Option<(&'a str, Vec<&'t [ForeignToken<'a>]>, usize)> {
        let name = *path.last()?;
        let inner = &tokens[next + 1..close];
        let two = split(inner, |token| token.is(","));
        let is_two = two.len() == 2 && two.iter().all(|part| !part.iter().any(|it| it.is("=")));
        let word = KERAS.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| *ours);
        match (path, tokens.get(close + 1)) {
            // `torch.add(a, b)`
            (["torch" | "tf" | "keras", ..], _) if is_two && OPERATORS.contains(&name) => {
                Some((name, two, close))
            }
            // `layers.add([a, b])`
            ([.., _, _], _) if inner.len() > 1 && inner[0].is("[") && word.is_some() => {
                let last = closer(inner, 0).filter(|last| last + 1 == inner.len())?;
                Some((word?, split(&inner[1..last], |token| token.is(",")), close))
            }
            (_, Some(list)) if list.is("(") => {
                let (open, end) = (close + 2, closer(tokens, close + 1)?);
                if !tokens[open].is("[") {
                    return None;
                }
                Some((name, split(&tokens[open + 1..end - 1], |token| token.is(",")), end))
            }
            _ => None,
        }
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
        let is_foreign = path[..path.len() - 1].iter().all(|space| is_space(space));
        if !is_foreign || self.declared.contains(name) {
            return None;
        }
        let (name, values, end) = self.operands(path, tokens, (next, close))?;
        let is_call = |text: &str| text.contains("|>");
        let values: Vec<String> = values.iter().map(|part| self.written(part)).collect();
        let in_brackets =
            |text: &String| if is_call(text) { format!("({text})") } else { text.clone() };
        let operands: Vec<String> = values.iter().map(in_brackets).collect();
        let joined = |sign: &str| {
            let text = operands.join(sign);
            let before = (next + 1).checked_sub(2 * path.len() + 1).map(|at| &tokens[at]);
            let beside = before
                .into_iter()
                .chain(tokens.get(end + 1))
                .any(|token| matches!(token.text, "+" | "-" | "*" | "/" | "@" | "|>" | "." | "["));
            if beside { format!("({text})") } else { text }
        };
        let value = match name {
            "Add" | "add" => joined(" + "),
            "Subtract" | "sub" | "subtract" => joined(" - "),
            "Multiply" | "mul" | "multiply" => joined(" * "),
            "div" | "divide" => joined(" / "),
            "matmul" | "bmm" | "mm" => joined(" @ "),
            "maximum" => format!("max({})", values.join(", ")),
            "minimum" => format!("min({})", values.join(", ")),
            "Average" => format!("(({}) / {})", operands.join(" + "), operands.len()),
            "Maximum" | "Minimum" => {
                let call = if name == "Maximum" { "max" } else { "min" };
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
        if matches!(name, "permute" | "transpose") {
            return self.transposed(name, value, inner);
        }
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

    /// `x.permute(0, 2, 1)`, `x.transpose(1, 2)`: of values with three axes, which are counted as here.
    fn transposed(&self, name: &str, value: &str, inner: &[ForeignToken<'a>]) -> Option<String> {
        let parts = split(inner, |token| token.is(","));
        let order: Vec<String> = parts.iter().map(|part| self.written(part)).collect();
        let order: Vec<&str> = order.iter().map(String::as_str).collect();
        match (name, &order[..]) {
            ("permute", ["0", "2", "1"]) => Some(format!("transpose({value}, [0, 2, 1])")),
            ("transpose", ["1", "2"] | ["2", "1"] | ["-1", "-2"] | ["-2", "-1"]) => {
                Some(format!("transpose({value}, [0, 2, 1])"))
            }
            _ => None,
        }
    }
}

/// The numbers of a list, of a tensor or of a dictionary by class, as a list: `torch.tensor([1.0, 2.0])`,
/// `{0: 1.0, 1: 2.0}`; `balanced` is a word here too.
pub fn list(given: &str) -> Option<String> {
    let word = given.trim_matches('"');
    if word == "balanced" {
        return Some(word.to_owned());
    }
    if let Some(inner) = given.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
        let entries = inner.split(',').filter(|entry| !entry.trim().is_empty());
        let mut values = Vec::new();
        for (class, entry) in entries.enumerate() {
            let (key, value) = entry.split_once(':')?;
            if key.trim().parse::<usize>().ok()? != class {
                return None;
            }
            values.push(value.trim().to_owned());
        }
        return Some(format!("[{}]", values.join(", ")));
    }
    let is_tensor = given.starts_with('[') || given.to_lowercase().contains("tensor(");
    let (open, close) = (given.find('[')?, given.find(']')?);
    let numbers = &given[open + 1..close];
    let all = numbers.split(',').all(|it| it.trim().is_empty() || it.trim().parse::<f64>().is_ok());
    (is_tensor && all).then(|| format!("[{numbers}]"))
}
