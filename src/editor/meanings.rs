//! Sentences on what the text of a program does not declare: keys of `train` with their defaults,
//! words that begin items, element types, sources and transforms.

/// A key of a `train` block: its name, its meaning, its default and a value to begin with.
pub(super) struct KeyMeaning {
    pub key: &'static str,
    pub meaning: &'static str,
    pub default: &'static str,
    pub value: &'static str,
}

const fn key(
    key: &'static str,
    meaning: &'static str,
    default: &'static str,
    value: &'static str,
) -> KeyMeaning {
    KeyMeaning { key, meaning, default, value }
}

/// In the place of a default, of a key that has none.
pub(super) const REQUIRED: &str = "must be given";

/// All keys, in the order of the reference.
pub(super) const KEYS: [KeyMeaning; 23] = [
    key(
        "loss",
        "The loss to make small: `cross_entropy`, `focal(gamma: 1.5)`, or a sum of losses times numbers.",
        REQUIRED,
        "cross_entropy",
    ),
    key(
        "optimizer",
        "The rule that updates the parameters, with its arguments.",
        "adam()",
        "adam(lr: 1e-3)",
    ),
    key("metrics", "A metric, or a list of them, to show after each epoch.", "none", "[accuracy]"),
    key("epochs", "How often the training split is gone through.", "1", "5"),
    key("batch", "Samples of a step.", "32", "32"),
    key(
        "seed",
        "The number that all that is drawn depends on: the same seed gives the same bits.",
        "0",
        "0",
    ),
    key("shuffle", "Whether each epoch takes the samples in another order.", "true", "true"),
    key(
        "last_batch",
        "`keep`: what is left of an epoch is a smaller step of its own. `drop`: it is left out.",
        "keep",
        "keep",
    ),
    key("clip_norm", "The most that the norm of all gradients together may be.", "none", "1.0"),
    key(
        "clip_value",
        "The most that an element of a gradient may be, of either sign. Not with `clip_norm`.",
        "none",
        "1.0",
    ),
    key(
        "weight_decay",
        "Each step first multiplies the parameters by `1 - lr * weight_decay`.",
        "0",
        "0.01",
    ),
    key("l1", "A penalty: `l1 * sum(abs(p))` of the parameters.", "0", "1e-5"),
    key("l2", "A penalty: `l2 * sum(p ^ 2)` of the parameters.", "0", "1e-4"),
    key(
        "early_stop",
        "Ends the run when a value has not become better for so many epochs: `patience(val_loss, 3)`.",
        "none",
        "patience(val_loss, 3)",
    ),
    key(
        "reduce_on_plateau",
        "Makes the learning rate smaller when a value has not become better for so many epochs.",
        "none",
        "patience(val_loss, 3, factor: 0.1)",
    ),
    key(
        "checkpoint",
        "How often the state of the run is written, and how many of these files are kept: `every(epochs: 1, keep: 2)`, `every(steps: 500)`, or `off`.",
        "every(epochs: 1, keep: 2)",
        "every(epochs: 1, keep: 2)",
    ),
    key("accumulate", "How many batches' gradients make one update.", "1", "4"),
    key(
        "ema",
        "The decay of running means of the parameters, which are evaluated in their place.",
        "none",
        "0.999",
    ),
    key(
        "freeze",
        "Patterns of the paths of parameters that are not trained.",
        "none",
        "[\"conv*\"]",
    ),
    key(
        "init_from",
        "A file of weights to begin with: a path, or `weights(\"file\", …)`.",
        "none",
        "\"weights.safetensors\"",
    ),
    key(
        "folds",
        "The parts of a cross-validation: each is the validation split once.",
        "none",
        "5",
    ),
    key(
        "class_weights",
        "How much each class counts in the loss: `balanced`, or a list with a number for each.",
        "none",
        "balanced",
    ),
    key(
        "on_nan",
        "What a step does whose loss or gradients are not finite: `stop`, `skip` or `halve_lr`.",
        "stop",
        "skip",
    ),
];

/// The meaning of a key of `train`.
pub(super) fn of_key(name: &str) -> Option<&'static KeyMeaning> {
    KEYS.iter().find(|it| it.key == name)
}

/// Words that begin an item, with their meaning and an item to fill in.
pub(super) const ITEMS: [(&str, &str, &str); 11] = [
    ("use", "The items of another file.", "use \"${1:parts.nn}\""),
    ("const", "A value that is known while compiling.", "const ${1:NAME} = ${2:1}"),
    (
        "data",
        "Where samples come from, and what is done to them.",
        "data ${1:name} = ${2:digits}(validation: 0.1)",
    ),
    (
        "train",
        "How a model is trained.",
        "train ${1:net} on ${2:name} {\n    loss   = ${3:cross_entropy}\n    epochs = ${4:5}\n}",
    ),
    (
        "layer",
        "A function from tensors and arguments to a tensor, with parameters of its own.",
        "layer ${1:block}(x: f32[N, D], ${2:units}: int) -> f32[N, ${2:units}] {\n    $0\n}",
    ),
    (
        "model",
        "An entry point: from inputs to output.",
        "model ${1:net}(${2:image}: f32[N, ${3:28, 28, 1}]) -> f32[N, ${4:10}] {\n    ${2:image} |> $0\n}",
    ),
    (
        "loss",
        "A loss of each sample.",
        "loss ${1:name}(output: f32[N, K], target: f32[N, K]) -> f32[N] {\n    $0\n}",
    ),
    (
        "metric",
        "A score of each sample.",
        "metric ${1:name}(output: f32[N, K], target: i32[N]) -> f32[N] {\n    $0\n}",
    ),
    (
        "optimizer",
        "An update rule, element by element.",
        "optimizer ${1:name}(p, g, step, lr: f32 = 1e-3) {\n    p <- p - lr * g$0\n}",
    ),
    (
        "schedule",
        "A number that changes while training runs.",
        "schedule ${1:name}(step, steps, peak: float) {\n    $0\n}",
    ),
    (
        "initializer",
        "How a parameter begins.",
        "initializer ${1:name}(fan_in, fan_out) {\n    $0\n}",
    ),
];

/// The meaning of a word that begins an item.
pub(super) fn of_item_word(word: &str) -> Option<&'static str> {
    ITEMS.iter().find(|(known, ..)| *known == word).map(|(_, meaning, _)| *meaning)
}

/// Types of tensors and kinds of arguments.
pub(super) const TYPES: [(&str, &str); 12] = [
    ("f32", "A tensor of floats; without brackets a number, for which a schedule can stand."),
    ("i32", "A tensor of ints."),
    ("u8", "A tensor of bytes."),
    ("bool", "A truth value, or a tensor of them."),
    ("int", "An int, known while compiling."),
    ("float", "A float or an int, known while compiling."),
    ("string", "A text, known while compiling."),
    ("list", "A list, known while compiling."),
    ("size", "An int of at least 1, or a list with one for each spatial axis."),
    ("padding", "A size, a list of pairs, `same` or `valid`."),
    ("initializer", "How a parameter begins; a number means every element is that."),
    ("none", "Nothing: what an argument that may be left out is not."),
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

/// Kinds of field, which braces of a `data` item are made of.
pub(super) const FIELD_KINDS: [(&str, &str); 7] = [
    ("number", "A column of numbers."),
    ("numbers", "Several columns of numbers, as a vector."),
    ("category", "A column of words, as classes."),
    ("text", "A column of texts, as tokens."),
    ("date", "A column of dates, as their parts."),
    ("picture", "The image of each sample."),
    ("wave", "The recording of each sample."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elaborate::TRAIN_KEYS;
    use crate::syntax::ITEM_WORDS;
    use std::collections::BTreeSet;

    #[test]
    fn every_key_and_every_item_has_its_sentence() {
        let told: BTreeSet<&str> = KEYS.iter().map(|it| it.key).collect();
        assert_eq!(told, TRAIN_KEYS.into_iter().collect());
        let told: BTreeSet<&str> = ITEMS.iter().map(|(word, ..)| *word).collect();
        assert_eq!(told, ITEM_WORDS.into_iter().collect());
    }
}
