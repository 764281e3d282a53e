//! The task of a model, from its loss.

use super::support::{good, list, with};
use crate::base::schema::{ClassField, Conversion, Field, FieldKind, ImageField, Schema};
use crate::base::task::{Scale, Task};
use crate::elaborate::ElaborateOptions;

/// The task of a model whose output has these dimensions behind the batch.
fn task_of(output: &str, loss: &str, more: &str) -> Task {
    let dims = if output.is_empty() { "N".to_owned() } else { format!("N, {output}") };
    let text = format!(
        "{more}\nmodel net(x: f32[{dims}]) -> f32[{dims}] {{ x * 2.0 }}\n\
         train net {{ {loss} }}\n"
    );
    good(&text).training.expect("a task").task()
}

fn task(output: &str, loss: &str) -> Task {
    task_of(output, &format!("loss = {loss}"), "")
}

#[test]
fn losses_of_the_prelude_say_what_the_output_is() {
    let class = |scale| Task::Class { classes: 7, scale };
    for loss in ["cross_entropy", "cross_entropy(smoothing: 0.1)", "focal"] {
        assert_eq!(task("7", loss), class(Scale::Logits), "{loss}");
    }
    for ignore in [-1, 0, 6, 255] {
        for smoothing in ["", "smoothing: 0.1, "] {
            let loss = format!("cross_entropy({smoothing}ignore: {ignore})");
            assert_eq!(task("7", &loss), class(Scale::Logits), "{loss}");
        }
    }
    let positions = Task::ClassPerPosition { positions: 5, classes: 7, scale: Scale::Logits };
    assert_eq!(task("5, 7", "cross_entropy(ignore: -1)"), positions);
    assert_eq!(task("7", "nll"), class(Scale::LogProbabilities));
    assert_eq!(task("7", "hinge"), class(Scale::Scores));
    for loss in ["mse", "mae", "huber"] {
        assert_eq!(task("", loss), Task::Numbers { numbers: 1 }, "{loss}");
        assert_eq!(task("7", loss), Task::Numbers { numbers: 7 }, "{loss}");
    }
    let labels = |labels| Task::Labels { labels, scale: Scale::Sigmoids };
    assert_eq!(task("", "binary_cross_entropy"), labels(1));
    assert_eq!(task("7", "binary_cross_entropy"), labels(7));
}

#[test]
fn losses_of_users_are_followed_to_where_output_and_target_meet() {
    let of = |output: &str, text: &str| task_of(output, "loss = own", text);
    let pixels = "loss own(x: f32[N, H, W, K], label: i32[N, H, W]) -> f32[N] {
        let logp = reshape(log_softmax(x), [N, H * W, K])
        -mean(pick(logp, reshape(label, [N, H * W])), axis: 1)
    }";
    let want = Task::ClassPerPosition { positions: 30, classes: 4, scale: Scale::Logits };
    assert_eq!(of("5, 6, 4", pixels), want);

    let probabilities = "loss own(p: f32[N, K], label: i32[N]) -> f32[N] {
        -log(max(pick(p, label), 1e-7))
    }";
    assert_eq!(of("3", probabilities), Task::Class { classes: 3, scale: Scale::Probabilities });

    let by_hand = "loss own(x: f32[N, K], label: i32[N]) -> f32[N] {
        -sum(one_hot(label, K) * log_softmax(x), axis: 1)
    }";
    assert_eq!(of("3", by_hand), Task::Class { classes: 3, scale: Scale::Logits });

    let sure = "loss own(p: f32[N], label: f32[N]) -> f32[N] {
        -(label * log(p) + (1 - label) * log(1 - p))
    }";
    assert_eq!(of("", sure), Task::Labels { labels: 1, scale: Scale::Probabilities });

    let one_logit = "loss own(x: f32[N, 1], label: i32[N]) -> f32[N] {
        let z = reshape(x, [N])
        max(z, 0) - z * cast(label, f32) + log1p(exp(-abs(z)))
    }";
    assert_eq!(of("1", one_logit), Task::Labels { labels: 1, scale: Scale::Sigmoids });

    let poisson = "loss own(x: f32[N], count: f32[N]) -> f32[N] { exp(x) - count * x }";
    assert_eq!(of("", poisson), Task::Other, "the output is a logarithm of the count");

    let relative = "loss own(x: f32[N], y: f32[N]) -> f32[N] { (log(x + 1) - log(y + 1)) ^ 2 }";
    assert_eq!(of("", relative), Task::Other);
}

/// Each body of a loss of an output of these columns and a target of this type, beside its task.
fn bodies_have_tasks(output: &str, target: &str, bodies: &[(&str, Task)]) {
    let dims = if output.is_empty() { "N" } else { "N, K" };
    let mut wrong = Vec::new();
    for (body, want) in bodies {
        let text = format!("loss own(o: f32[{dims}], t: {target}) -> f32[N] {{ {body} }}");
        let found = task_of(output, "loss = own", &text);
        if found != *want {
            wrong.push(format!("{body}: {found:?}, not {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_done_to_output_or_class_takes_the_claim_away() {
    let class = |scale| Task::Class { classes: 7, scale };
    let classes = [
        ("cross_entropy(o, t)", class(Scale::Logits)),
        ("3 * cross_entropy(o, t) + 0.1 * mean(o * o, axis: 1)", class(Scale::Logits)),
        ("cross_entropy(o - 5, t)", class(Scale::Logits)),
        ("cross_entropy(o, t, smoothing: 0.3) + focal(o, t)", class(Scale::Logits)),
        ("log(sum(exp(o), axis: 1)) - pick(o, t)", class(Scale::Logits)),
        ("-log(pick(softmax(o), t) + 1e-8)", class(Scale::Logits)),
        ("sum((softmax(o) - one_hot(t, K)) ^ 2, axis: 1)", class(Scale::Logits)),
        (
            "-sum(one_hot(t, K) * (o - log(sum(exp(o), axis: 1, keep: true))), axis: 1)",
            class(Scale::Logits),
        ),
        ("cross_entropy(o, t) + hinge(o, t)", class(Scale::Scores)),
        // The order is that of the output, the probabilities are others.
        ("cross_entropy(o * 2, t)", class(Scale::Scores)),
        ("nll(log_softmax(o * 3), t)", class(Scale::Scores)),
        ("cross_entropy(-o, t)", Task::Other),
        ("-cross_entropy(o, t)", Task::Other),
        ("cross_entropy(o, 9 - t)", Task::Other),
        ("cross_entropy(o, t / 2)", Task::Other),
        ("cross_entropy(o, 6 - (6 - t))", class(Scale::Logits)),
        ("cross_entropy(o * o, t)", Task::Other),
        ("cross_entropy(relu(o), t)", Task::Other),
        ("cross_entropy(concat([o[:, 1:], o[:, :1]], axis: 1), t)", Task::Other),
        ("cross_entropy(o + cast(iota(K), f32), t)", Task::Other),
        ("nll(-o, t)", Task::Other),
        ("hinge(-o, t)", Task::Other),
        ("focal(-o, t)", Task::Other),
        ("focal(o * 2, t)", Task::Other),
        ("pick(log_softmax(o), t)", Task::Other),
        ("1 / cross_entropy(o, t)", Task::Other),
        ("where(t == 3, cross_entropy(o, t), -cross_entropy(o, t))", Task::Other),
        ("where(t == 3, 0, cross_entropy(o, t))", class(Scale::Logits)),
        ("mean((o - 2 * one_hot(t, K)) ^ 2, axis: 1)", class(Scale::Scores)),
        ("mean((o + one_hot(t, K)) ^ 2, axis: 1)", Task::Other),
        ("-mean((o - one_hot(t, K)) ^ 2, axis: 1)", Task::Other),
    ];
    bodies_have_tasks("7", "i32[N]", &classes);
}

#[test]
fn what_is_done_to_output_or_number_takes_the_claim_away() {
    let sure = Task::Labels { labels: 1, scale: Scale::Sigmoids };
    let labels = [
        ("binary_cross_entropy(o, t)", sure),
        ("2 * binary_cross_entropy(o, t)", sure),
        // Both are turned over.
        ("binary_cross_entropy(-o, 1 - t)", sure),
        ("-(t * log(sigmoid(o)) + (1 - t) * log(1 - sigmoid(o)))", sure),
        ("log1p(exp(o)) - t * o", sure),
        ("binary_cross_entropy(-o, t)", Task::Other),
        ("binary_cross_entropy(o, 1 - t)", Task::Other),
        ("binary_cross_entropy(o * 3, t)", Task::Other),
        ("binary_cross_entropy(o + 1, t)", Task::Other),
        ("-binary_cross_entropy(o, t)", Task::Other),
        ("mae(o, t)", Task::Numbers { numbers: 1 }),
        ("sqrt(mse(o, t) + 1e-8)", Task::Numbers { numbers: 1 }),
        ("mse(o * 10, t * 10)", Task::Numbers { numbers: 1 }),
        ("max(0.9 * (t - o), -0.1 * (t - o))", Task::Numbers { numbers: 1 }),
        ("mae(o, t * 100)", Task::Other),
        ("mse(o, t + 1)", Task::Other),
        ("mse(o * o, t)", Task::Other),
        ("mse(o, t * t)", Task::Other),
        ("-mse(o, t)", Task::Other),
    ];
    bodies_have_tasks("", "f32[N]", &labels);
}

#[test]
fn a_shape_alone_says_nothing() {
    // Labels would fit, but the loss does not look at them.
    let energy = "loss own(x: f32[N, H, W, K], label: i32[N]) -> f32[N] {
        mean(reshape(x * x, [N, -1]), axis: 1)
    }";
    assert_eq!(task_of("9, 9, 4", "loss = own", energy), Task::Other);
    let flat = "loss own(x: f32[N, K], label: i32[N]) -> f32[N] { mean(x * x, axis: 1) }";
    assert_eq!(task_of("7", "loss = own", flat), Task::Other);
    // A metric that looks for the largest says that there are classes.
    let settings = "loss = own\n metrics = [accuracy]";
    assert_eq!(task_of("7", settings, flat), Task::Class { classes: 7, scale: Scale::Scores });
}

#[test]
fn one_hot_targets_are_classes() {
    let class = FieldKind::Class(ClassField { count: Some(5), one_hot: true });
    let species = Field { kind: class, ..Field::class("species", None) };
    let schema = Schema::of(vec![Field::image("image", &[2, 2, 1]), species]).counted([10, 0, 0]);
    let request =
        ElaborateOptions { schemas: vec![("d".into(), schema)], ..ElaborateOptions::default() };
    for (loss, scale) in [
        ("mse", Scale::Scores),
        ("binary_cross_entropy", Scale::Sigmoids),
        ("kl_divergence", Scale::LogProbabilities),
    ] {
        let text = format!(
            "data d = idx(images: \"x\", labels: \"y\")\n\
             model net(x: f32[N, 2, 2, 1]) -> f32[N, 5] {{ x |> flatten |> dense(5) }}\n\
             train net on d {{ loss = {loss} }}\n"
        );
        let found =
            with(&text, &request).unwrap_or_else(|errors| panic!("{}", list(&text, &errors)));
        let want = Task::Class { classes: 5, scale };
        assert_eq!(found.training.expect("a task").task(), want, "{loss}");
    }
}

#[test]
fn a_picture_that_is_to_be_drawn_is_the_target_as_the_model_sees_it() {
    let of = |conversions: Vec<Conversion>, loss: &str| {
        let kind = FieldKind::Image(ImageField { conversions, ..ImageField::default() });
        let image = Field { kind, ..Field::image("image", &[2, 3, 3]) };
        let schema = Schema::of(vec![image]).counted([10, 0, 0]);
        let text = format!(
            "data d = images(\"p\")
             model net(image: f32[N, 2, 3, 3]) -> f32[N, 2, 3, 3] {{ image |> conv(3, 1) }}
             train net on d {{ loss = {loss}(output, image) }}"
        );
        let request =
            ElaborateOptions { schemas: vec![("d".into(), schema)], ..ElaborateOptions::default() };
        let found =
            with(&text, &request).unwrap_or_else(|errors| panic!("{}", list(&text, &errors)));
        found.training.expect("a task").task()
    };
    let picture = |scale| Task::Picture { sides: [2, 3, 3], scale };
    let (numbers, labels) = (picture(None), picture(Some(Scale::Sigmoids)));
    let alike = || vec![Conversion::Normalize { mean: vec![0.5], std: vec![0.25] }];
    assert_eq!((of(Vec::new(), "mse"), of(Vec::new(), "binary_cross_entropy")), (numbers, labels));
    assert_eq!((of(alike(), "mae"), of(alike(), "huber")), (numbers, numbers));
    // Of channels with numbers of their own nothing is concluded.
    let own = vec![Conversion::Normalize { mean: vec![0.5, 0.4, 0.3], std: vec![0.25; 3] }];
    assert_eq!(of(own, "mse"), Task::Other);
}
