//! Names of the file as names of the program.
//!
//! ```text
//! input.1 → input_1      Pixel-Values → pixel_values      layer → layer_      (empty) → x
//! features.0.conv1.weight → conv1
//! ```

use super::ImportedValue;
use std::collections::HashSet;

/// Words that a value cannot be called, or that would hide what the program calls.
const TAKEN: &[&str] = &[
    "if",
    "else",
    "let",
    "param",
    "state",
    "require",
    "repeat",
    "in",
    "as",
    "and",
    "or",
    "not",
    "true",
    "false",
    "training",
    "none",
    "scan",
    "carry",
    "on",
    "layer",
    "model",
    "loss",
    "metric",
    "train",
    "data",
    "const",
    "use",
    "optimizer",
    "schedule",
    "initializer",
    "over",
];

/// The names of a model's inputs and outputs.
#[derive(Debug, Default)]
pub(super) struct ModelNames {
    pub inputs: Vec<ImportedValue>,
    taken: HashSet<String>,
}

impl ModelNames {
    /// The name of an input.
    pub fn input(&mut self, original: &str) -> String {
        unique(&identifier(original, "x"), &mut self.taken)
    }

    /// The name of an output, which may be that of an input.
    pub fn output(&self, at: usize, original: &str) -> String {
        let name = identifier(original, "y");
        match at {
            0 => name,
            at => format!("{name}_{}", at + 1),
        }
    }

    /// The names that values within the program cannot have.
    pub fn taken(&self) -> HashSet<String> {
        self.taken.clone()
    }
}

/// A name that is not taken yet, and is from now on.
pub(super) fn unique(name: &str, taken: &mut HashSet<String>) -> String {
    let mut made = name.to_owned();
    let mut number = 2;
    while !taken.insert(made.clone()) {
        made = format!("{name}_{number}");
        number += 1;
    }
    made
}

/// A text as a name: words in lower case with `_` between them.
pub(super) fn identifier(text: &str, otherwise: &str) -> String {
    let mut name = String::new();
    for sign in text.chars().take(60) {
        match sign.is_ascii_alphanumeric() {
            true => name.push(sign.to_ascii_lowercase()),
            false if name.is_empty() || name.ends_with('_') => {}
            false => name.push('_'),
        }
    }
    let name = name.trim_end_matches('_');
    match name.chars().next() {
        None => otherwise.to_owned(),
        Some(first) if first.is_ascii_digit() => format!("{otherwise}_{name}"),
        Some(_) if TAKEN.contains(&name) => format!("{name}_value"),
        Some(_) => name.to_owned(),
    }
}

/// The name that a module of the original had, from that of its weight: `layer1.0.conv1.weight` is
/// `conv1`'s. None where the file has no such names.
pub(super) fn module(weight: &str) -> Option<String> {
    let (module, last) = weight.rsplit_once(['.', '/'])?;
    if !matches!(last, "weight" | "bias" | "gamma" | "kernel" | "in_proj_weight") {
        return None;
    }
    let leaf = module.rsplit(['.', '/']).next()?;
    let plain = leaf.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
    let named = leaf.chars().next().is_some_and(|first| first.is_ascii_alphabetic());
    (plain && named && leaf.len() < 40).then(|| identifier(leaf, "part"))
}
