//! Each lint by itself: a small program in; the codes, places and first fixes of what is found out, and
//! for each a program beside it in which nothing is.

use super::{LintInput, embeddings, graph, heads, names, rates, targets};
use crate::base::codes;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::fix::apply;
use crate::base::schema::{ConstantTarget, Field, FieldKind, ImageField, Schema};
use crate::base::source::Sources;
use crate::base::tensor::DType;
use crate::elaborate::{self, ElaborateOptions, PRELUDE, PRELUDE_NAME};
use crate::syntax;

type Lint = fn(&LintInput<'_>, &mut Vec<Diagnostic>);

/// Images of `[4, 4, 3]` in so many classes.
fn schema(classes: usize) -> Schema {
    let fields = vec![Field::image("image", &[4, 4, 3]), Field::class("label", Some(classes))];
    Schema::of(fields).counted([100, 0, 0])
}

/// The findings of a lint in a program whose data are like this, each with the program as its first fix
/// makes it.
fn found(lint: Lint, text: &str, schema: Option<Schema>) -> Vec<(Diagnostic, String)> {
    let mut sources = Sources::new();
    let main = sources.add("main.nn", text);
    let prelude = sources.add_builtin(PRELUDE_NAME, PRELUDE);
    let files = vec![syntax::parse(&sources, main).expect("the program parses")];
    let prelude = syntax::parse(&sources, prelude).expect("the prelude parses");
    let schemas = schema.clone().map(|schema| ("photos".to_owned(), schema)).into_iter().collect();
    let request = ElaborateOptions { schemas, ..ElaborateOptions::default() };
    let program = elaborate::ProgramFiles { files: &files, prelude: &prelude };
    let experiment = elaborate::elaborate(&program, &request)
        .unwrap_or_else(|errors| panic!("{:?}", errors[0].message));
    let variance = |node: &crate::graph::Node| matches!(node.op, crate::graph::Op::Variance(_));
    let zero_of_one = experiment.train.nodes.iter().find(|(_, node)| variance(node));
    let program = LintInput {
        files: &files,
        prelude: &prelude,
        sources: &sources,
        experiment: &experiment,
        schema: schema.as_ref(),
        zero_of_one: zero_of_one.map(|(id, _)| id),
    };
    let mut found = Vec::new();
    lint(&program, &mut found);
    let fixed = |it: &Diagnostic| it.fixes.first().map(|fix| apply(text, &fix.edits));
    found.into_iter().map(|it| (fixed(&it).unwrap_or_default(), it)).map(|(a, b)| (b, a)).collect()
}

/// The text under a finding's primary place.
fn place<'t>(text: &'t str, finding: &Diagnostic) -> &'t str {
    let span = finding.place().expect("a place");
    &text[span.start as usize..span.end as usize]
}

/// Fails unless the lint finds this and nothing else, there, and its first fix makes that of the text.
#[track_caller]
fn finds(lint: Lint, text: &str, data: Option<Schema>, code: &str, at: &str, fix: (&str, &str)) {
    let all = found(lint, text, data);
    let [(finding, fixed)] = &all[..] else { panic!("not one finding: {all:#?}") };
    assert_eq!((finding.code, place(text, finding)), (code, at));
    let (before, after) = fix;
    assert!(text.contains(before), "`{before}` is not in the program");
    assert_eq!(*fixed, text.replacen(before, after, 1));
}

/// Fails where the lint finds anything.
#[track_caller]
fn finds_nothing(lint: Lint, text: &str, data: Option<Schema>) {
    let all = found(lint, text, data);
    assert!(all.is_empty(), "{all:#?}");
}

/// A model with this body, of a head of 5, trained with this loss on photos.
fn trained(body: &str, loss: &str) -> String {
    format!(
        "data photos = images(\"photos\", size: [4, 4])\n\
         model net(image: f32[N, 4, 4, 3]) -> f32[N, 5] {{ {body} }}\n\
         train net on photos {{\n    loss = {loss}\n    batch = 33\n}}\n"
    )
}

#[test]
fn a_head_is_as_wide_as_there_are_classes() {
    let text = trained("image |> flatten |> dense(5)", "cross_entropy");
    finds_nothing(heads::lints, &text, Some(schema(5)));
    finds_nothing(heads::lints, &text, None);
    for (classes, code, severity) in
        [(7, codes::NARROW_HEAD, Severity::Error), (3, codes::WIDE_HEAD, Severity::Warning)]
    {
        let all = found(heads::lints, &text, Some(schema(classes)));
        let [(finding, fixed)] = &all[..] else { panic!("{all:#?}") };
        assert_eq!((finding.code, finding.severity), (code, severity));
        assert_eq!(place(&text, finding), "dense(5)");
        let wanted = text.replace("dense(5)", &format!("dense({classes})"));
        assert_eq!(*fixed, wanted.replace("f32[N, 5]", &format!("f32[N, {classes}]")));
    }
}

#[test]
fn a_head_that_no_label_picks_from_is_not_looked_at() {
    let text = trained("image |> flatten |> dense(5)", "own")
        + "loss own(output: f32[N, K], label: i32[N]) -> f32[N] { mean(output ^ 2, axis: 1) }\n";
    finds_nothing(heads::lints, &text, Some(schema(7)));
}

/// Samples of a category of 7 and of two targets, a number and a class of 5.
fn rows() -> Schema {
    let mut island = Field::class("island", Some(7));
    island.is_target = false;
    let price = Field { is_target: true, ..Field::number("price", DType::F32, &[]) };
    Schema::of(vec![island, price, Field::class("kind", Some(5))]).counted([100, 0, 0])
}

/// A model of those rows: an embedding of so many rows, a head of so many outputs.
fn of_rows(rows: &str, head: &str) -> String {
    format!(
        "data photos = csv(\"rows.csv\") {{\n    island = category\n    price  = number as target\n    \
         kind   = category as target\n}}\n\n\
         model net(island: i32[N]) -> (price: f32[N], kind: f32[N, C]) {{\n    \
         let seen = island |> embedding({rows}, 4)\n    \
         (price: mean(seen, axis: 1), kind: seen |> dense({head}))\n}}\n\n\
         train net on photos {{\n    loss  = mse(price) + cross_entropy(kind)\n    batch = 33\n}}\n"
    )
}

#[test]
fn the_head_of_any_target_is_as_wide_as_its_classes() {
    finds_nothing(heads::lints, &of_rows("7", "5"), Some(rows()));
    let fix = ("dense(4)", "dense(5)");
    finds(heads::lints, &of_rows("7", "4"), Some(rows()), codes::NARROW_HEAD, "dense(4)", fix);
    let all = found(heads::lints, &of_rows("7", "4"), Some(rows()));
    assert_eq!(all[0].0.fixes.last().unwrap().edits[0].text, "photos.kind.count");
}

#[test]
fn an_embedding_has_a_row_for_each_category() {
    let fix = ("embedding(4, 4)", "embedding(photos.island.count, 4)");
    let at = "embedding(4, 4)";
    let small = of_rows("4", "5");
    finds(embeddings::lints, &small, Some(rows()), codes::SMALL_EMBEDDING, at, fix);
    let moved = small.replace("island |> embedding(4, 4)", "embedding(max(island - 1, 0), 4, 4)");
    for text in [of_rows("7", "5"), of_rows("9", "5"), moved] {
        finds_nothing(embeddings::lints, &text, Some(rows()));
    }
    finds_nothing(embeddings::lints, &small, None);
}

#[test]
fn a_target_has_more_than_one_value() {
    let text = of_rows("7", "5");
    finds_nothing(targets::lints, &text, Some(rows()));
    let constant = |field: &str| Schema {
        constants: vec![ConstantTarget {
            field: field.into(),
            column: None,
            value: "Adelie".into(),
        }],
        ..rows()
    };
    let all = found(targets::lints, &text, Some(constant("kind")));
    let [(finding, _)] = &all[..] else { panic!("{all:#?}") };
    assert_eq!((finding.code, place(&text, finding)), (codes::CONSTANT_TARGET, "category"));
    assert_eq!(finding.message, "the target `kind` is Adelie in all samples to train on");
    // What the step does not read does not matter.
    finds_nothing(targets::lints, &text, Some(constant("unused")));
}

#[test]
fn grey_images_need_one_channel() {
    let text = trained("image |> flatten |> dense(5)", "cross_entropy");
    let image = ImageField { grey: true, ..ImageField::default() };
    let mut grey = schema(5);
    grey.fields[0].kind = FieldKind::Image(image);
    let fix = ("size: [4, 4]", "size: [4, 4], channels: 1");
    let at = "images(\"photos\", size: [4, 4])";
    finds(heads::grey, &text, Some(grey), codes::GREY_IMAGES, at, fix);
    finds_nothing(heads::grey, &text, Some(schema(5)));
}

#[test]
fn probabilities_are_not_logits() {
    let body = "image |> flatten |> dense(5) |> softmax";
    let twice = trained(body, "cross_entropy");
    finds(graph::lints, &twice, None, codes::SOFTMAX_TWICE, "softmax", (" |> softmax", ""));
    let once = trained("image |> flatten |> dense(5)", "cross_entropy");
    finds_nothing(graph::lints, &once, None);
    let compared = trained(body, "own")
        + "loss own(p: f32[N, K], label: i32[N]) -> f32[N] { -log(pick(p, label) + 1e-7) }\n";
    finds_nothing(graph::lints, &compared, None);
}

#[test]
fn parameters_without_a_path_to_the_loss_are_told() {
    let body = "let h = image |> flatten\n let lost = h |> dense(3)\n h |> dense(5)";
    let text = trained(body, "cross_entropy");
    let all = found(graph::lints, &text, None);
    assert!(all.iter().all(|(it, _)| it.code == codes::NO_PATH), "{all:#?}");
    assert_eq!(place(&text, &all[0].0), "dense(3)");
    assert_eq!(all[0].1, text.replace(" let lost = h |> dense(3)\n", ""));
    // What the loss depends on through `stop_gradient` alone learns nothing either.
    let stopped = trained("image |> flatten |> dense(5) |> stop_gradient", "cross_entropy");
    assert!(found(graph::lints, &stopped, None).iter().any(|(it, _)| it.code == codes::NO_PATH));
}

#[test]
fn a_bias_before_batch_norm_is_subtracted_again() {
    let body = |conv| format!("image |> {conv} |> batch_norm |> flatten |> dense(5)");
    let text = trained(&body("conv(8, 3)"), "cross_entropy");
    let fix = ("conv(8, 3)", "conv(8, 3, bias: false)");
    finds(graph::lints, &text, None, codes::BIAS_BEFORE_NORM, "conv(8, 3)", fix);
    finds_nothing(graph::lints, &trained(&body("conv(8, 3, bias: false)"), "cross_entropy"), None);
    finds_nothing(graph::lints, &trained(&body("conv(8, 3) |> relu"), "cross_entropy"), None);
}

#[test]
fn pooling_reads_every_pixel() {
    let body = |pool| format!("image |> {pool} |> flatten |> dense(5)");
    let text = trained(&body("max_pool(1, stride: 2)"), "cross_entropy");
    let at = "max_pool(1, stride: 2)";
    finds(graph::lints, &text, None, codes::SKIPPING_POOL, at, ("stride: 2", "stride: 1"));
    finds_nothing(graph::lints, &trained(&body("max_pool(2, stride: 2)"), "cross_entropy"), None);
}

#[test]
fn a_last_batch_of_one_has_no_variance() {
    // 100 samples in batches of 33 leave one.
    let text = trained(
        "image |> conv(8, 3, bias: false) |> batch_norm |> flatten |> dense(5)",
        "cross_entropy",
    );
    let fix = ("batch = 33", "batch = 33\n    last_batch = drop");
    let data = Some(schema(5));
    finds(graph::lints, &text, data, codes::LAST_OF_ONE, "batch_norm", fix);
    let even = Schema { train: Some(99), ..schema(5) };
    finds_nothing(graph::lints, &text, Some(even));
    finds_nothing(graph::lints, &text, None);
}

#[test]
fn names_that_nothing_uses_are_told_unless_they_are_meant() {
    let with =
        |line: &str| trained(&format!("{line}\n image |> flatten |> dense(5)"), "cross_entropy");
    let text = with("\n let unused = 2");
    finds(names::lints, &text, None, codes::UNUSED_BINDING, "unused", (" let unused = 2\n", ""));
    finds_nothing(names::lints, &with("let _unused = 2"), None);
    let item = trained("image |> flatten |> dense(5)", "cross_entropy") + "\nconst WIDTH = 3\n";
    finds(names::lints, &item, None, codes::UNUSED_ITEM, "WIDTH", ("const WIDTH = 3\n", ""));
    let used = trained("image |> flatten |> dense(WIDTH)", "cross_entropy") + "\nconst WIDTH = 5\n";
    finds_nothing(names::lints, &used, None);
}

#[test]
fn an_argument_that_is_not_used_may_be_handed_on() {
    let layer = "\nlayer block(x: f32[N, D], units: int) -> f32[N, 5] { x |> dense(5) }\n";
    let text = trained("image |> flatten |> block(5)", "cross_entropy") + layer;
    let all = found(names::lints, &text, None);
    let [(finding, _)] = &all[..] else { panic!("{all:#?}") };
    assert_eq!((finding.code, place(&text, finding)), (codes::UNUSED_ARGUMENT, "units: int"));
    let used = layer.replace("dense(5)", "dense(units)");
    finds_nothing(
        names::lints,
        &(trained("image |> flatten |> block(5)", "cross_entropy") + &used),
        None,
    );
    // What a loss takes is prescribed.
    let own = "loss own(output: f32[N, K], label: i32[N]) -> f32[N] { mean(output, axis: 1) }\n";
    finds_nothing(names::lints, &(trained("image |> flatten |> dense(5)", "own") + own), None);
}

#[test]
fn rates_lie_where_something_is_learnt() {
    let with = |optimizer: &str| {
        let text = trained("image |> flatten |> dense(5)", "cross_entropy");
        text.replace("    batch", &format!("    optimizer = {optimizer}\n    batch"))
    };
    let text = with("sgd(lr: 100.0)");
    let all = found(rates::lints, &text, None);
    let [(finding, _)] = &all[..] else { panic!("{all:#?}") };
    assert_eq!((finding.code, place(&text, finding)), (codes::ODD_RATE, "100.0"));
    // A schedule begins with its rate.
    let scheduled = with("sgd(lr: cosine(100.0))");
    assert_eq!(place(&scheduled, &found(rates::lints, &scheduled, None)[0].0), "100.0");
    for sane in ["sgd(lr: 0.1)", "adam(lr: cosine(1e-3))", "adamw(lr: 1e-3, weight_decay: 0.05)"] {
        finds_nothing(rates::lints, &with(sane), None);
    }
    let decay = with("adamw(lr: 1e-3, weight_decay: 5.0)");
    assert_eq!(place(&decay, &found(rates::lints, &decay, None)[0].0), "5.0");
}

#[test]
fn dropout_drops_something_and_leaves_something() {
    let with = |rate: &str| {
        let body = format!("image |> flatten |> dropout({rate}) |> dense(5)");
        trained(&body, "cross_entropy")
    };
    let fix = (" |> dropout(0.0)", "");
    finds(rates::lints, &with("0.0"), None, codes::ODD_DROPOUT, "0.0", fix);
    finds_nothing(rates::lints, &with("0.5"), None);
    // A layer of the user's own may mean anything by its rate.
    let own = with("0.0") + "layer dropout(x: f32[N, D], rate: float) -> f32[N, D] { x * rate }\n";
    finds_nothing(rates::lints, &own, None);
}

#[test]
fn what_a_binding_without_use_computes_is_told_once() {
    let body = "let h = image |> flatten\n let lost = h |> dense(3)\n h |> dense(5)";
    let all = found(
        |program, out| out.extend(super::run(program)),
        &trained(body, "cross_entropy"),
        None,
    );
    let codes: Vec<&str> = all.iter().map(|(it, _)| it.code).collect();
    assert_eq!(codes, [codes::UNUSED_BINDING]);
}
