//! Mistakes in programs: the code, the place, and one report a mistake.

use super::support::{bad, list, only, primary};
use crate::base::codes;

/// Each program has one error: its code, the text it points at, and words it says.
const CASES: &[(&str, &str, &str, &str)] = &[
    (
        "model net(x: f32[N, 4]) { x |> dese(3) }",
        codes::UNKNOWN_CALLEE,
        "dese",
        "did you mean `dense`?",
    ),
    ("model net(x: f32[N, 4]) { x * scal }", codes::UNKNOWN_NAME, "scal", "unknown name"),
    (
        "model net(x: f32[N, 4]) { x |> dense(unit: 3) }",
        codes::ARGUMENTS,
        "unit",
        "did you mean `units`?",
    ),
    ("model net(x: f32[N, 4]) { x |> dense }", codes::ARGUMENTS, "dense", "needs `units`"),
    (
        "model net(x: f32[N, 4]) { x |> dense(3, true, zeros, 4) }",
        codes::ARGUMENTS,
        "4",
        "too many arguments",
    ),
    ("model net(x: f32[N, 4]) { x |> dense(3, units: 4) }", codes::ARGUMENTS, "4", "given twice"),
    (
        "model net(x: f32[N, 4]) { x |> dense(2.5) }",
        codes::WRONG_KIND,
        "2.5",
        "is an int, found the float 2.5",
    ),
    (
        "model net(x: f32[N, 4]) { x |> dense(7 / 2) }",
        codes::DIVISION,
        "7 / 2",
        "leaves a remainder",
    ),
    (
        "model net(x: f32[N, 4]) -> f32[N, 3] { x |> dense(2) }",
        codes::RESULT,
        "dense(2)",
        "f32[N, 3]",
    ),
    ("model net(x: f32[N, 4]) { x + iota(3) }", codes::SHAPE, "x + iota(3)", "f32"),
    (
        "layer pair(a: f32[N, D], b: f32[N, D]) { a + b }\nmodel net(x: f32[N, 4]) { pair(x, dense(x, 3)) }",
        codes::SHAPE,
        "dense(x, 3)",
        "f32[N, 3]",
    ),
    (
        "model net(x: f32[N, 4]) { if x > 0 { x } else { x } }",
        codes::CONDITION,
        "x > 0",
        "where(condition, a, b)",
    ),
    (
        "model net(x: f32[N, 4], m: f32[N, 4] or none = none) { x }",
        codes::DECLARATION,
        "or none",
        "always there",
    ),
    ("model net(x: f32[N, 4]) { x |> dense(none) }", codes::WRONG_KIND, "none", "found `none`"),
    ("model net(x: f32[N, 4]) { x + none }", codes::OPERATOR, "x + none", "`none`"),
    ("model net(x: f32[N, 4]) { mean(x, where: x) }", codes::WRONG_KIND, "x", "a tensor of bools"),
    ("model net(x: f32[N, 4]) { if N == 4 { x } else { x } }", codes::BATCH, "N == 4", "batch"),
    ("model net(x: f32[N, 4]) { x |> repeat N { relu } }", codes::BATCH, "N", "batch"),
    (
        "layer own(x: f32[N, D]) { param w: f32[N] = zeros\n x }\nmodel net(x: f32[N, 4]) { x |> own }",
        codes::BATCH,
        "f32[N]",
        "depends on the batch",
    ),
    (
        "layer again(x: f32[N, D]) { x |> again }\nmodel net(x: f32[N, 4]) { x |> again }",
        codes::RECURSION,
        "again",
        "without end",
    ),
    (
        "layer two(x: f32[N, D]) { two(x) + two(x) }\nmodel net(x: f32[N, 4]) { x |> two }",
        codes::RECURSION,
        "two(x)",
        "without end",
    ),
    (
        "model net(x: f32[N, 4]) { x |> repeat 1000000 { relu } }",
        codes::TOO_LARGE,
        "1000000",
        "repeat",
    ),
    (
        "model net(x: f32[N, 4]) { x |> repeat 9999 { repeat 9999 { relu } } }",
        codes::TOO_LARGE,
        "relu",
        "unfolds",
    ),
    ("model net(x: f32[N, 4]) { x <- 3\n x }", codes::ASSIGNMENT, "x", "no state or carry"),
    (
        "layer l(x: f32[N, D]) { param w: f32[D] = zeros\n let w = 3\n x }\nmodel net(x: f32[N, 4]) { x |> l }",
        codes::DECLARATION,
        "w",
        "hide the param",
    ),
    ("model net(x: f32[N, 4]) { x[:, 7] }", codes::INDEX, "7", "outside axis 1"),
    (
        "model net(x: f32[N, 4]) { x |> dense(3) }\ntrain net { loss = dice }",
        codes::NOT_IN_VERSION,
        "dice",
        "not in this version",
    ),
    (
        "layer a(x: f32[N, D]) { x }\nlayer a(x: f32[N, D]) { x }\nmodel net(x: f32[N, 4]) { x |> a }",
        codes::DUPLICATE,
        "a",
        "two layers",
    ),
    (
        "const a = b\nconst b = a\nmodel net(x: f32[N, 4]) { x * a }",
        codes::CYCLE,
        "a",
        "needs itself",
    ),
    ("model net(x: f32[N, T]) { x }", codes::NO_DATA, "T", "not known without data"),
    ("model net(x: f32[4, 4]) { x }", codes::BATCH, "f32[4, 4]", "no batch"),
    ("model net(x: f32[N, 4]) { x |> relu as a |> gelu as a }", codes::LABEL, "a", "two stages"),
    ("model net(x: f32[N, 4]) { sum(x, axis: 2) }", codes::INDEX, "2", "axis 2"),
    (
        "model net(x: f32[N, 4]) { reshape(x, [N, 3, -1]) }",
        codes::SHAPE,
        "[N, 3, -1]",
        "does not divide",
    ),
    (
        "model net(x: f32[N, 4]) { x |> dense(3, init: he_norml) }",
        codes::UNKNOWN_NAME,
        "he_norml",
        "did you mean `he_normal`?",
    ),
    (
        "model net(x: f32[N, 4]) { x }\ntrain net { loss = cross_entrop }",
        codes::UNKNOWN_NAME,
        "cross_entrop",
        "did you mean `cross_entropy`?",
    ),
    ("model net(x: f32[N, 4]) { x }\ntrain net { epochs = 3 }", codes::TRAIN_KEY, "net", "no loss"),
    (
        "model net(x: f32[N, 4]) { x }\ntrain net {\n loss = mse\n epoch = 3\n}",
        codes::TRAIN_KEY,
        "epoch",
        "did you mean `epochs`?",
    ),
    (
        "model net(x: f32[N, 4]) { x }\ntrain net {\n loss = mse\n batch = 0\n}",
        codes::TRAIN_KEY,
        "0",
        "a positive int",
    ),
    (
        "model net(x: f32[N, 4]) { x }\ntrain net {\n loss = mse\n ema = 1.5\n}",
        codes::TRAIN_KEY,
        "1.5",
        "between 0 and 1",
    ),
    (
        "model net(x: f32[N, 4]) { x }\ntrain nett { loss = mse }",
        codes::NO_MODEL,
        "nett",
        "did you mean `net`?",
    ),
    (
        "model net(x: f32[N, 4]) { x }\ntrain net on photos { loss = mse }",
        codes::UNKNOWN_NAME,
        "photos",
        "unknown data",
    ),
    (
        "optimizer o(p, g, step) { let q = p }\nmodel net(x: f32[N, 4]) { x }\ntrain net {\n loss = mse\n optimizer = o\n}",
        codes::ASSIGNMENT,
        "o",
        "never writes `p`",
    ),
    (
        "layer l(x: f32[N, D]) {\n if training { param w: f32[D] = zeros\n x * w } else { x }\n}\nmodel net(x: f32[N, 4]) { x |> l }",
        codes::DECLARATION,
        "param w: f32[D] = zeros",
        "only while training",
    ),
];

#[test]
fn each_mistake_is_told_once_at_its_place() {
    let mut failed = Vec::new();
    for &(text, code, place, words) in CASES {
        let errors = std::panic::catch_unwind(|| bad(text));
        let Ok(errors) = errors else {
            failed.push(format!("no error: {text}"));
            continue;
        };
        let all = list(text, &errors);
        let first = &errors[0];
        let right = errors.len() == 1
            && first.code == code
            && first.place().is_some()
            && primary(text, first) == place
            && all.contains(words);
        if !right {
            failed.push(format!(
                "{text}\n  wanted {code} at {place:?} saying {words:?}, found\n{all}"
            ));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn independent_mistakes_are_told_together_and_nothing_follows_from_them() {
    let text = "model net(x: f32[N, 4]) {\n let a = x |> dens(3)\n let b = a + 1\n let c = x * nothing\n a + b + c\n}";
    let errors = bad(text);
    let codes: Vec<_> = errors.iter().map(|error| error.code).collect();
    assert_eq!(codes, [codes::UNKNOWN_CALLEE, codes::UNKNOWN_NAME], "{}", list(text, &errors));
}

#[test]
fn a_mistake_inside_the_prelude_is_the_callers() {
    let text = "model net(x: f32[N, 4]) {\n x |> dense(3) |> softmax(axis: 5)\n}";
    let error = only(text);
    assert_eq!(primary(text, &error), "5", "what is handed on is blamed where it was written");
    let text = "model net(x: f32[N, 4]) {\n x |> dense(4) |> group_norm(3)\n}";
    let error = only(text);
    assert_eq!(primary(text, &error), "3", "what is handed on is blamed where it was written");
    assert!(error.message.contains("group_norm"), "{}", error.message);
    let text = "model net(x: f32[N, 4]) {\n x |> dense(4000000000000)\n}";
    let error = only(text);
    assert_eq!(primary(text, &error), "dense(4000000000000)");
    assert!(error.notes.iter().any(|note| note.contains("dense")), "{:?}", error.notes);
    assert_eq!(error.help, None, "what would mend the prelude helps nobody");
}

#[test]
fn images_with_their_channels_first_are_recognised() {
    let text = "layer own(x: f32[N, 3, 8, 8]) { x }\n\
                model net(x: f32[N, 8, 8, 3]) {\n x |> own\n}";
    let help = only(text).help.expect("a way out");
    assert!(help.contains("channels last") && help.contains("[N, 8, 8, 3]"), "{help}");
}

#[test]
fn a_shape_error_says_which_line_fixed_the_dimension() {
    let text =
        "model net(x: f32[N, 4]) {\n let a = x |> dense(30)\n let b = x |> dense(20)\n a + b\n}";
    let error = only(text);
    assert_eq!(primary(text, &error), "a + b");
    let places: Vec<&str> = error
        .labels
        .iter()
        .map(|label| &text[label.span.start as usize..label.span.end as usize])
        .collect();
    assert!(places.contains(&"dense(30)") && places.contains(&"dense(20)"), "{places:?}");
}
