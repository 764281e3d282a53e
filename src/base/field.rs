//! Names that the field knows and that nothing here has: layers, activations, losses, metrics,
//! optimizers, schedules, transforms and initializers of other frameworks.
//!
//! ```text
//! mel     →  still to come
//! radam   →  Adam with a rectified rate; `adam` is the nearest
//! ```
//!
//! Such a name is never a slip of one of ours, however near it is spelt: `reglu` is not `relu`. What is
//! merely *called* otherwise (`BatchNorm2d`) stands in [`names`](super::names). An item that a program
//! or the prelude has comes first, so a row may stay when its name arrives.

mod tables;

use tables::{INITIALIZERS, LAYERS, LOSSES, METRICS, OPTIMIZERS, SCHEDULES, TRANSFORMS};

/// Where a name can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// Layers, activations and operators.
    Layer,
    /// A loss, which training makes small.
    Loss,
    /// A metric, which is reported.
    Metric,
    /// Rules of update.
    Optimizer,
    /// Learning rates over time.
    Schedule,
    /// A transform of samples.
    Transform,
    /// How weights begin.
    Initializer,
}

/// A name of the field.
#[derive(Debug)]
pub struct KnownName {
    /// As it would be written here.
    pub name: &'static str,
    /// Other names of it, without underscores and capitals.
    pub also: &'static [&'static str],
    /// One short phrase that says what the word stands for: `"an optimizer"`.
    pub what: &'static str,
    /// Whether the language has it and this version does not yet.
    pub to_come: bool,
    /// The closest equivalent that this language has.
    pub near: Option<&'static str>,
}

impl KnownName {
    /// Whether a word, in any spelling, is its name.
    pub fn is(&self, word: &str) -> bool {
        let word = plain(word);
        plain(self.name) == word || self.also.contains(&word.as_str())
    }

    /// Says of its name, as somebody wrote it, what it is and what is nearest.
    pub fn help(&self, written: &str) -> String {
        let when = if self.to_come { "is still to come" } else { "is not of this language" };
        format!("`{written}` ({}) {when}{}", self.what, self.nearest())
    }

    /// Asks whether it was meant by a slip of its name.
    pub fn asked(&self) -> String {
        let when =
            if self.to_come { "It is not in this version" } else { "It is not of this language" };
        format!("did you mean `{}` ({})? {when}{}", self.name, self.what, self.nearest())
    }

    fn nearest(&self) -> String {
        self.near.map(|near| format!("; `{near}` is the nearest")).unwrap_or_default()
    }
}

/// A name without what spellings differ in.
pub fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

/// The entry of a word, where one of these kinds is named.
pub fn known(word: &str, kinds: &[NameKind]) -> Option<&'static KnownName> {
    of(kinds).find(|known| known.is(word))
}

/// All that is known of these kinds.
pub fn of(kinds: &[NameKind]) -> impl Iterator<Item = &'static KnownName> {
    let tables = TABLES.iter().filter(|(kind, _)| kinds.contains(kind));
    tables.flat_map(|(_, table)| table.iter())
}

/// All that is known.
pub fn all() -> impl Iterator<Item = &'static KnownName> {
    TABLES.iter().flat_map(|(_, table)| table.iter())
}

/// The tables, each of a kind.
const TABLES: [(NameKind, &[KnownName]); 7] = [
    (NameKind::Layer, LAYERS),
    (NameKind::Loss, LOSSES),
    (NameKind::Metric, METRICS),
    (NameKind::Optimizer, OPTIMIZERS),
    (NameKind::Schedule, SCHEDULES),
    (NameKind::Transform, TRANSFORMS),
    (NameKind::Initializer, INITIALIZERS),
];

/// A name that is still to come.
const fn to_come(
    name: &'static str,
    also: &'static [&'static str],
    what: &'static str,
    near: &'static str,
) -> KnownName {
    let near = if near.is_empty() { None } else { Some(near) };
    KnownName { name, also, what, to_come: true, near }
}

/// A name of something that the language does not have.
const fn absent(
    name: &'static str,
    also: &'static [&'static str],
    what: &'static str,
    near: &'static str,
) -> KnownName {
    let near = if near.is_empty() { None } else { Some(near) };
    KnownName { name, also, what, to_come: false, near }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_one_thing_of_a_kind() {
        for (kind, table) in TABLES {
            for known in table {
                for word in known.also.iter().chain([&known.name]) {
                    let same = table.iter().filter(|known| known.is(word)).count();
                    assert_eq!(same, 1, "{word} of {kind:?}");
                    assert_eq!(plain(word).as_str(), plain(&plain(word)), "{word}");
                }
                assert!(known.also.iter().all(|also| *also == plain(also)), "{}", known.name);
            }
        }
    }
}
