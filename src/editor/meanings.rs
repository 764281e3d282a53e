//! Sentences and forms for the names that the language has by itself: completion and hovering show
//! the sentences, which are the manual's ([`Documentation`]); completion fills in the forms, which
//! stand here.

use crate::elaborate::{DocKind, Documentation, ItemDoc};

/// The manual's row on a name.
fn row(kind: DocKind, name: &str) -> Option<&'static ItemDoc> {
    Documentation::of_language().of(name).find(|it| it.kind == kind)
}

/// The manual's sentence on a name: the first cell behind it.
pub(super) fn of(kind: DocKind, name: &str) -> Option<&'static str> {
    row(kind, name)?.facts.first().map(|(_, cell)| cell.as_str())
}

/// The default of a key of `train`, or [`REQUIRED`].
pub(super) fn default_of(key: &str) -> Option<&'static str> {
    let (_, cell) = row(DocKind::Setting, key)?.facts.iter().find(|(name, _)| name == "default")?;
    Some(cell.trim_matches('`'))
}

/// All names of a kind, with what the manual says of them.
pub(super) fn all(kind: DocKind) -> impl Iterator<Item = (&'static str, &'static str)> {
    let items = Documentation::of_language().of_kind(kind);
    items.filter_map(|it| Some((it.name.as_str(), it.facts.first()?.1.as_str())))
}

/// In the place of a default, of a key that has none.
pub(super) const REQUIRED: &str = "must be given";

/// All keys of `train`, in the order of the reference, each with a value to begin with.
pub(super) const KEYS: [(&str, &str); 23] = [
    ("loss", "cross_entropy"),
    ("optimizer", "adam(lr: 1e-3)"),
    ("metrics", "[accuracy]"),
    ("epochs", "5"),
    ("batch", "32"),
    ("seed", "0"),
    ("shuffle", "true"),
    ("last_batch", "keep"),
    ("clip_norm", "1.0"),
    ("clip_value", "1.0"),
    ("weight_decay", "0.01"),
    ("l1", "1e-5"),
    ("l2", "1e-4"),
    ("early_stop", "patience(val_loss, 3)"),
    ("reduce_on_plateau", "patience(val_loss, 3, factor: 0.1)"),
    ("checkpoint", "every(epochs: 1, keep: 2)"),
    ("accumulate", "4"),
    ("ema", "0.999"),
    ("freeze", "[\"conv*\"]"),
    ("init_from", "\"weights.safetensors\""),
    ("folds", "5"),
    ("class_weights", "balanced"),
    ("on_nan", "skip"),
];

/// Words that begin an item, with an item to fill in.
pub(super) const ITEMS: [(&str, &str); 11] = [
    ("use", "use \"${1:parts.nn}\""),
    ("const", "const ${1:NAME} = ${2:1}"),
    ("data", "data ${1:name} = ${2:digits}(validation: 0.1)"),
    (
        "train",
        "train ${1:net} on ${2:name} {\n    loss   = ${3:cross_entropy}\n    epochs = ${4:5}\n}",
    ),
    ("layer", "layer ${1:block}(x: f32[N, D], ${2:units}: int) -> f32[N, ${2:units}] {\n    $0\n}"),
    (
        "model",
        "model ${1:net}(${2:image}: f32[N, ${3:28, 28, 1}]) -> f32[N, ${4:10}] {\n    ${2:image} |> $0\n}",
    ),
    ("loss", "loss ${1:name}(output: f32[N, K], target: f32[N, K]) -> f32[N] {\n    $0\n}"),
    ("metric", "metric ${1:name}(output: f32[N, K], target: i32[N]) -> f32[N] {\n    $0\n}"),
    ("optimizer", "optimizer ${1:name}(p, g, step, lr: f32 = 1e-3) {\n    p <- p - lr * g$0\n}"),
    ("schedule", "schedule ${1:name}(step, steps, peak: float) {\n    $0\n}"),
    ("initializer", "initializer ${1:name}(fan_in, fan_out) {\n    $0\n}"),
];

/// Words of bodies, with a form to fill in.
pub(super) const STATEMENTS: [(&str, &str); 7] = [
    ("let", "let ${1:name} = $0"),
    ("param", "param ${1:weight}: f32[${2:D}] = ${3:zeros}"),
    ("state", "state ${1:mean}: f32[${2:D}] = ${3:zeros}"),
    ("if", "if ${1:condition} { $2 } else { $3 }"),
    ("scan", "scan ${1:step} in ${2:x}, axis: 1 {\n    $0\n}"),
    ("require", "require ${1:condition}, \"${2:message}\""),
    ("repeat", "repeat ${1:3} { $0 }"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elaborate::TRAIN_KEYS;
    use crate::syntax::ITEM_WORDS;
    use std::collections::BTreeSet;

    #[test]
    fn every_key_and_every_item_has_its_form_and_its_sentence() {
        let formed: BTreeSet<&str> = KEYS.iter().map(|(key, _)| *key).collect();
        assert_eq!(formed, TRAIN_KEYS.into_iter().collect());
        let formed: BTreeSet<&str> = ITEMS.iter().map(|(word, _)| *word).collect();
        assert_eq!(formed, ITEM_WORDS.into_iter().collect());
        for key in TRAIN_KEYS {
            assert!(of(DocKind::Setting, key).is_some() && default_of(key).is_some(), "{key}");
        }
        for word in ITEM_WORDS {
            assert!(of(DocKind::Keyword, word).is_some(), "{word}");
        }
        for kind in [DocKind::Type, DocKind::Field] {
            assert!(all(kind).count() > 4, "{kind:?}");
        }
    }
}
