//! Conditions on arguments: each end of each domain of the prelude, and those of users.

use super::support::{bad, good, list, only, primary, with};
use crate::base::codes;
use crate::base::source::Sources;
use crate::elaborate::{ElaborateOptions, PRELUDE, PRELUDE_NAME};
use crate::syntax::ast::ItemKind;
use crate::syntax::parse;

/// Where a call stands.
enum Place {
    /// A stage over `f32[N, 8, 8, 12]`.
    Stage,
    /// A stage over words, `i32[N]`.
    Words,
    Loss,
    /// Of ten classes.
    Metric,
    Optimizer,
    /// Where a learning rate stands.
    Schedule,
}
use Place::*;

/// Where a call stands, the call with `?` for the argument, the argument's name, values that are taken
/// and values that are refused.
type Case<'a> = (Place, &'a str, &'a str, &'a [&'a str], &'a [&'a str]);

/// PyTorch takes all values that are taken.
const CASES: &[Case<'_>] = &[
    (Stage, "dense(?)", "units", &["1", "64"], &["0", "-3"]),
    (Stage, "dropout(?)", "rate", &["0.0", "0.5", "1.0", "1", "0"], &["-0.1", "1.5", "20"]),
    (Stage, "conv(?, 3)", "filters", &["1"], &["0", "-8"]),
    (Stage, "conv(8, 3, groups: ?)", "groups", &["1", "2"], &["0", "-1"]),
    (Stage, "depthwise_conv(3, multiplier: ?)", "multiplier", &["1", "3"], &["0", "-2"]),
    (Stage, "batch_norm(momentum: ?)", "momentum", &["0.0", "0.1", "1.0"], &["-0.1", "1.1"]),
    (Stage, "batch_norm(eps: ?)", "eps", &["0.0", "0", "1e-12"], &["-1e-5"]),
    (Stage, "group_norm(?)", "groups", &["1", "3", "12"], &["0", "13", "24", "-1"]),
    (Stage, "group_norm(3, eps: ?)", "eps", &["0.0"], &["-1e-5"]),
    (Stage, "layer_norm(eps: ?)", "eps", &["0.0"], &["-1e-5"]),
    (Stage, "rms_norm(eps: ?)", "eps", &["0.0"], &["-1e-6"]),
    (Words, "embedding(?, 4)", "count", &["1"], &["0", "-1"]),
    (Words, "embedding(4, ?)", "dim", &["1"], &["0"]),
    (Stage, "reshape([N, 64, 12]) |> attention(?)", "heads", &["1", "3", "12"], &["0", "-1"]),
    (Stage, "rotary(base: ?)", "base", &["1.0", "10000"], &["0.0", "-1.0"]),
    (Stage, "sinusoidal_positions(base: ?)", "base", &["100.0"], &["0.0"]),
    (Stage, "leaky_relu(?)", "slope", &["0.0", "-0.5", "1.0", "3"], &[]),
    (Stage, "elu(?)", "alpha", &["0.0", "-1.0", "2"], &[]),
    (Loss, "cross_entropy(smoothing: ?)", "smoothing", &["0.0", "1.0", "1"], &["-0.1", "1.5"]),
    (Loss, "cross_entropy(ignore: ?)", "ignore", &["-1", "0", "255", "none"], &[]),
    (Loss, "focal(gamma: ?)", "gamma", &["0.0", "0.5", "5"], &["-1.0"]),
    (Loss, "hinge(margin: ?)", "margin", &["0.0", "-1.0", "2"], &[]),
    (Metric, "top_k(k: ?)", "k", &["1", "5", "10"], &["0", "11", "-1"]),
    (Metric, "precision(positive: ?)", "positive", &["0", "9"], &["10", "-1"]),
    (Metric, "recall(positive: ?)", "positive", &["0", "9"], &["10", "-1"]),
    (Metric, "f1(positive: ?)", "positive", &["0", "9"], &["10", "-1"]),
    (Optimizer, "sgd(lr: ?)", "lr", &["0.0", "0", "1e-3", "10"], &["-0.1"]),
    (Optimizer, "sgd(momentum: ?)", "momentum", &["0.0", "0.999", "1.0"], &["-0.1", "1.5"]),
    (Optimizer, "sgd(weight_decay: ?)", "weight_decay", &["0.0", "2.0"], &["-1e-4"]),
    (Optimizer, "rmsprop(alpha: ?)", "alpha", &["0.0", "0.99", "1.0"], &["-0.1", "1.01"]),
    (Optimizer, "rmsprop(eps: ?)", "eps", &["0.0"], &["-1e-8"]),
    (Optimizer, "rmsprop(momentum: ?)", "momentum", &["0.0", "0.9"], &["-0.1", "1.5"]),
    (Optimizer, "adagrad(lr_decay: ?)", "lr_decay", &["0.0", "0.1"], &["-0.1"]),
    (Optimizer, "adagrad(initial: ?)", "initial", &["0.0", "0.1"], &["-0.1"]),
    (Optimizer, "adagrad(eps: ?)", "eps", &["0.0"], &["-1e-10"]),
    (Optimizer, "adadelta(rho: ?)", "rho", &["0.0", "0.9", "1.0"], &["-0.1", "1.1"]),
    (Optimizer, "adadelta(eps: ?)", "eps", &["0.0"], &["-1e-6"]),
    (Optimizer, "adam(beta1: ?)", "beta1", &["0.0", "0.999"], &["1.0", "-0.1", "1"]),
    (Optimizer, "adam(beta2: ?)", "beta2", &["0.0", "0.9999"], &["1.0", "-0.1"]),
    (Optimizer, "adam(eps: ?)", "eps", &["0.0"], &["-1e-8"]),
    (Optimizer, "adamw(weight_decay: ?)", "weight_decay", &["0.0"], &["-1e-2"]),
    (Optimizer, "adamw(beta1: ?)", "beta1", &["0.0"], &["1.0"]),
    (Optimizer, "adamw(beta2: ?)", "beta2", &["0.0"], &["1.0"]),
    (Optimizer, "nadam(beta1: ?)", "beta1", &["0.0"], &["1.0"]),
    (Optimizer, "nadam(momentum_decay: ?)", "momentum_decay", &["0.0"], &["-4e-3"]),
    (Optimizer, "lion(beta1: ?)", "beta1", &["0.0", "1.0"], &["1.1", "-0.1"]),
    (Optimizer, "lion(weight_decay: ?)", "weight_decay", &["0.0"], &["-0.1"]),
    (Schedule, "constant(1e-3, warmup: ?)", "warmup", &["0", "10"], &["-1"]),
    (Schedule, "step_decay(0.1, ?)", "every", &["1"], &["0", "-5"]),
    (Schedule, "step_decay(0.1, 5, factor: ?)", "factor", &["0.0", "0.1", "2.0"], &["-0.1"]),
    (Schedule, "exponential(0.1, ?)", "factor", &["0.0", "0.96", "1.1"], &["-0.5"]),
    (Schedule, "exponential(0.1, 0.9, every: ?)", "every", &["1"], &["0"]),
    (Schedule, "cosine(0.1, warmup: ?)", "warmup", &["0"], &["-5"]),
    (Schedule, "polynomial(0.1, power: ?)", "power", &["0.0", "0.5", "2"], &["-1.0"]),
    (Schedule, "one_cycle(0.1, rise: ?)", "rise", &["0.0", "0.3", "1.0"], &["-0.1", "30"]),
    (Schedule, "one_cycle(0.1, start: ?)", "start", &["25.0", "0.5"], &["0.0", "-1.0"]),
    (Schedule, "one_cycle(0.1, final: ?)", "final", &["1e4"], &["0.0"]),
    (Stage, "dense(4, init: normal(std: ?))", "std", &["0.0", "1.0"], &["-0.1"]),
    (Stage, "dense(4, init: uniform(low: 0.5, high: ?))", "high", &["0.5", "1.0"], &["0.4"]),
    (Stage, "where(bernoulli(?, x), x, 0)", "p", &["0", "0.5", "1"], &["-0.1", "1.5"]),
];

fn program(place: &Place, call: &str) -> String {
    let (input, stage) = match place {
        Words => ("i32[N]", call),
        Stage => ("f32[N, 8, 8, 12]", call),
        _ => ("f32[N, 6]", "dense(10)"),
    };
    // An operator of two tensors has no place behind a pipe.
    let body = if stage.starts_with("where") { stage.to_owned() } else { format!("x |> {stage}") };
    let (mut loss, mut more) = ("cross_entropy".to_owned(), String::new());
    match place {
        Stage | Words => return format!("model net(x: {input}) {{ {body} }}\n"),
        Loss => loss = call.to_owned(),
        Metric => more = format!("    metrics = [{call}]\n"),
        Optimizer => more = format!("    optimizer = {call}\n"),
        Schedule => more = format!("    optimizer = sgd(lr: {call})\n"),
    }
    format!("model net(x: {input}) {{ {body} }}\ntrain net {{\n    loss = {loss}\n{more}}}\n")
}

#[test]
fn every_domain_of_the_prelude_takes_its_ends_and_nothing_beyond() {
    for (place, call, name, taken, refused) in CASES {
        for value in *taken {
            let text = program(place, &call.replacen('?', value, 1));
            if let Err(errors) = with(&text, &ElaborateOptions::default()) {
                panic!("{}", list(&text, &errors));
            }
        }
        for value in *refused {
            let text = program(place, &call.replacen('?', value, 1));
            let error = only(&text);
            let says = list(&text, std::slice::from_ref(&error));
            assert_eq!(error.code, codes::DOMAIN, "{text}{says}");
            assert!(error.message.contains(&format!("`{name}`")), "{says}");
            assert_eq!(primary(&text, &error), *value, "{says}");
        }
    }
}

/// Numbers that may be anything finite.
const FREE: &[&str] = &["slope", "alpha", "axis", "margin", "value", "peak", "floor", "ignore"];

#[test]
fn every_number_of_the_prelude_says_what_it_takes() {
    let mut sources = Sources::new();
    let id = sources.add_builtin(PRELUDE_NAME, PRELUDE);
    let file = parse(&sources, id).expect("the prelude parses");
    for item in &file.items {
        let ItemKind::Function(function) = &item.kind else { continue };
        for param in &function.params {
            let is_number = param.ty.as_ref().is_some_and(|ty| {
                ty.dims.is_none() && ["int", "float", "f32"].contains(&ty.name.text.as_str())
            });
            let name = param.name.text.as_str();
            if is_number && param.domain.is_none() {
                assert!(FREE.contains(&name), "`{name}` of `{}`", function.name.text);
            }
        }
    }
}

#[test]
fn a_user_s_domain_is_told_with_its_declaration() {
    let layer = "layer mine(x: f32[N, D], at: int in 0..D, mode: string in [\"a\", \"b\"] = \"a\", \
                 each: size >= 2 = 2, on: bool = true) -> f32[N, D] {\n    \
                 require on or at > 0, \"off needs a place\"\n    \
                 require D > at + 1\n    x * (1.0 * at)\n}\n";
    let with = |call: &str| format!("{layer}model net(x: f32[N, 4]) {{ x |> {call} }}\n");
    for call in ["mine(0)", "mine(2, mode: \"b\")", "mine(1, each: [2, 3])", "mine(1, on: false)"] {
        good(&with(call));
    }
    let cases = [
        ("mine(4)", "4", "must be from 0 to 3, found 4", Some("at: int in 0..D")),
        ("mine(1, mode: \"c\")", "\"c\"", "must be one of \"a\", \"b\", found \"c\"", None),
        ("mine(1, each: [2, 1])", "[2, 1]", "must be at least 2, found 1", None),
        ("mine(0, on: false)", "mine(0, on: false)", "`mine`: off needs a place", None),
        ("mine(3)", "3", "a condition of `mine` does not hold", Some("require D > at + 1")),
    ];
    for (call, place, says, declared) in cases {
        let text = with(call);
        let error = only(&text);
        let all = list(&text, std::slice::from_ref(&error));
        assert_eq!(error.code, codes::DOMAIN, "{all}");
        assert_eq!(primary(&text, &error), place, "{all}");
        assert!(error.message.contains(says), "{all}");
        let labels = || error.labels.iter().filter(|label| !label.primary);
        let shown = |part: &str| {
            labels().any(|it| text[it.span.start as usize..it.span.end as usize].contains(part))
        };
        assert!(declared.is_none_or(shown), "{all}");
    }
    let both = only(&with("mine(0, on: false)"));
    assert_eq!(both.notes, ["`on` is false, `at` is 0"]);
}

#[test]
fn a_default_is_held_against_its_domain_too() {
    let text = "layer mine(x: f32[N, D], at: int in 0..D = 9) -> f32[N, D] { x * (1.0 * at) }\n\
                model net(x: f32[N, 4]) { x |> mine }\n";
    let error = only(text);
    assert_eq!(error.code, codes::DOMAIN);
    assert!(error.message.contains("found 9, its default"), "{}", error.message);
    assert_eq!(primary(text, &error), "mine");
    // The metric's usual five of four classes.
    let text = "model net(x: f32[N, 4]) { x |> dense(4) }\n\
                train net {\n    loss = cross_entropy\n    metrics = [top_k]\n}\n";
    assert_eq!(only(text).code, codes::DOMAIN);
}

#[test]
fn what_depends_on_the_batch_is_decided_for_all_batches_or_refused() {
    let of = |domain: &str, value: &str| {
        format!(
            "layer mine(x: f32[N, D], k: int {domain}) -> f32[N, D] {{ x * (1.0 * k) }}\n\
             model net(x: f32[N, 4]) {{ x |> mine({value}) }}\n"
        )
    };
    for (domain, value) in [(">= 1", "2"), ("<= N", "1"), (">= N", "9")] {
        let text = of(domain, value);
        match with(&text, &ElaborateOptions::default()) {
            Ok(_) => assert_ne!(domain, ">= N", "{text}"),
            Err(errors) => assert_eq!(errors[0].code, codes::BATCH, "{}", list(&text, &errors)),
        }
    }
    let own = "layer inner(x: f32[N, D], k: int >= 1) -> f32[N, D] { x * (1.0 * k) }\n\
               layer mine(x: f32[N, D]) -> f32[N, D] { x |> inner(3 * N) }\n\
               model net(x: f32[N, 4]) { x |> mine }\n";
    good(own);
    assert_eq!(bad(&own.replace(">= 1", ">= 4"))[0].code, codes::BATCH);
    assert_eq!(bad(&own.replace(">= 1", "< 4"))[0].code, codes::BATCH);
    // No batch has less than one sample.
    assert_eq!(bad(&own.replace(">= 1", "< 3"))[0].code, codes::DOMAIN);
}

#[test]
fn a_domain_or_condition_that_means_nothing_is_an_error_where_it_stands() {
    let cases = [
        ("on: bool in 0..1", "true", "", codes::WRONG_KIND, "in 0..1"),
        ("k: int in 3", "3", "", codes::WRONG_KIND, "3"),
        ("k: int >= \"a\"", "3", "", codes::WRONG_KIND, "\"a\""),
        ("k: int >= x", "3", "", codes::WRONG_KIND, "x"),
        ("k: int >= other", "3", "", codes::UNKNOWN_NAME, "other"),
        ("k: int", "3", "require k", codes::CONDITION, "k"),
        ("k: int", "3", "require x > 0", codes::CONDITION, "x > 0"),
        ("k: int", "3", "require N > k", codes::BATCH, "N > k"),
    ];
    for (param, value, statement, code, place) in cases {
        let text = format!(
            "layer mine(x: f32[N, D], {param}) -> f32[N, D] {{\n    {statement}\n    x\n}}\n\
             model net(x: f32[N, 4]) {{ x |> mine({value}) }}\n"
        );
        let error = only(&text);
        let says = list(&text, std::slice::from_ref(&error));
        assert_eq!((error.code, primary(&text, &error)), (code, place), "{text}{says}");
    }
}
