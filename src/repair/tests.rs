//! Each rule by itself: a small program with a marked place in, the program with each edit out, and
//! what must not be offered.
//!
//! `⟦…⟧` marks the primary place of the mistake, `⟨…⟩` another one that it has to do with.

use super::scene::{Scene, distance};
use super::{
    Candidate, RepairInput, arguments, edits, numbers, operands, stages, texts, types, values,
};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::{Certainty, Fix, apply};
use crate::base::source::{FileId, Sources, Span};
use crate::elaborate::{PRELUDE, PRELUDE_NAME};
use crate::syntax::{self, ast};

/// A program with a mistake.
struct Case {
    sources: Sources,
    file: FileId,
    files: Vec<ast::File>,
    prelude: ast::File,
    error: Diagnostic,
}

/// The text without its marks, and the mistake at them.
fn marked(text: &str, file: FileId, code: &'static str, message: &str) -> (String, Diagnostic) {
    let mut error = Diagnostic::error(code, message);
    let mut plain = String::new();
    let mut open = Vec::new();
    for c in text.chars() {
        match c {
            '⟦' | '⟨' => open.push(plain.len()),
            '⟧' | '⟩' => {
                let span = Span::new(file, open.pop().expect("an open mark"), plain.len());
                error = if c == '⟧' { error.primary(span, "") } else { error.label(span, "") };
            }
            c => plain.push(c),
        }
    }
    (plain, error)
}

impl Case {
    fn new(text: &str, code: &'static str, message: &str) -> Case {
        let mut sources = Sources::new();
        let file = sources.add("main.nn", "");
        let (text, error) = marked(text, file, code, message);
        sources.replace(file, text);
        let prelude = sources.add_builtin(PRELUDE_NAME, PRELUDE);
        let files = vec![syntax::parse(&sources, file).expect("the program parses")];
        let prelude = syntax::parse(&sources, prelude).expect("the prelude parses");
        Case { sources, file, files, prelude, error }
    }

    /// A model of images with this body.
    fn body(body: &str, code: &'static str, message: &str) -> Case {
        let text = format!("model net(x: f32[N, 8, 8, 3]) -> f32[N, 10] {{ {body} }}\n");
        Case::new(&text, code, message)
    }

    fn program(&self) -> RepairInput<'_> {
        RepairInput {
            files: &self.files,
            prelude: &self.prelude,
            sources: &self.sources,
            classes: Some(7),
        }
    }

    /// The candidates of one rule, the smallest first.
    fn offers(&self, rule: fn(&Scene<'_>, &mut Vec<Candidate>)) -> Vec<Candidate> {
        let mut found = Vec::new();
        rule(&Scene::of(&self.program(), &self.error), &mut found);
        found.sort_by_key(|candidate| candidate.cost);
        found
    }

    fn edited(&self, fix: &Fix) -> String {
        apply(&self.sources.file(self.file).text, &fix.edits)
    }

    /// The body of the model, or the whole program, with each edit of a rule.
    fn bodies(&self, rule: fn(&Scene<'_>, &mut Vec<Candidate>)) -> Vec<String> {
        let body = |text: String| match text.split_once("{ ") {
            Some((_, body)) => body.trim_end().trim_end_matches(" }").to_owned(),
            None => text,
        };
        self.offers(rule).iter().map(|candidate| body(self.edited(&candidate.fix))).collect()
    }
}

/// Fails unless all of these, and none of those, are among what was found.
#[track_caller]
fn offered(found: &[String], wanted: &[&str], refused: &[&str]) {
    for text in wanted {
        assert!(found.iter().any(|it| it == text), "`{text}` is not among {found:#?}");
    }
    for text in refused {
        assert!(!found.iter().any(|it| it == text), "`{text}` is among {found:#?}");
    }
}

#[test]
fn numbers_come_from_the_mistake_and_what_follows_from_it() {
    let told = "784 against 78";
    let found = Case::body("x |> ⟦dense(78)⟧", codes::SHAPE, told).bodies(numbers::edits);
    offered(&found, &["x |> dense(784)", "x |> dense(706)"], &["x |> dense(78)", "x |> dense(0)"]);
    let far = Case::body("x |> ⟦dense(2)⟧", codes::SHAPE, "2 against 100000");
    offered(&far.bodies(numbers::edits), &["x |> dense(4)"], &["x |> dense(100000)"]);
}

#[test]
fn numbers_out_of_their_domain_have_no_neighbour_that_is_meant() {
    let found = Case::body("x |> dense(⟦0⟧)", codes::DOMAIN, "`units` is 0").bodies(numbers::edits);
    offered(&found, &[], &["x |> dense(1)", "x |> dense(2)", "x |> dense(7)"]);
}

#[test]
fn axes_and_paddings_have_choices_of_their_own() {
    let found = Case::body("mean(x, axis: ⟦7⟧)", codes::SHAPE, "axis 7").bodies(numbers::edits);
    offered(&found, &["mean(x, axis: 1)", "mean(x, axis: -1)"], &["mean(x, axis: 8)"]);
    // A window that is even has no number that keeps the size.
    let cost = |size| {
        let body = format!("x |> conv(8, {size}, pad: ⟦1⟧)");
        let case = Case::body(&body, codes::SHAPE, "8 against 7");
        let same = |it: &Candidate| case.edited(&it.fix).contains("pad: same");
        case.offers(numbers::edits).into_iter().find(same).expect("`same`").cost
    };
    assert!(cost(4) < cost(3), "{} {}", cost(4), cost(3));
}

#[test]
fn literals_of_another_kind_are_written_as_the_right_one() {
    let kinds = |body| Case::body(body, codes::WRONG_KIND, "").bodies(numbers::edits);
    offered(&kinds("x |> dense(⟦\"10\"⟧)"), &["x |> dense(10)"], &[]);
    offered(&kinds("x |> dense(⟦10.0⟧)"), &["x |> dense(10)"], &[]);
    offered(&kinds("x |> dense(⟦10.5⟧)"), &[], &["x |> dense(10)", "x |> dense(11)"]);
    offered(&kinds("x |> conv(8, ⟦[3, 3, 3]⟧)"), &["x |> conv(8, [3, 3])", "x |> conv(8, 3)"], &[]);
    let percent = Case::body("x |> dropout(⟦20⟧)", codes::DOMAIN, "");
    offered(&percent.bodies(numbers::edits), &["x |> dropout(0.2)"], &[]);
    let sure = |body| {
        let case = Case::body(body, codes::DOMAIN, "");
        let percent = |it: &Candidate| case.edited(&it.fix).contains("0.");
        let fix = case.offers(numbers::edits).into_iter().find(percent).expect("percent").fix;
        fix.reading != Certainty::Suggestion
    };
    assert!(sure("x |> dropout(⟦20⟧)") && !sure("x |> dropout(⟦2⟧)"), "2 may be anything");
}

#[test]
fn arguments_that_are_lacking_are_given_and_those_that_are_there_are_not() {
    let found = Case::body("x |> ⟦conv(8, 3)⟧", codes::SHAPE, "").bodies(arguments::edits);
    let wanted = ["x |> conv(8, 3, pad: 1)", "x |> conv(8, 3, stride: 2)"];
    offered(&found, &wanted, &["x |> conv(8, 3, size: 3)"]);
    let padded = Case::body("x |> ⟦conv(8, 3, pad: 2)⟧", codes::SHAPE, "");
    let found = padded.bodies(arguments::edits);
    offered(&found, &["x |> conv(8, 3)"], &["x |> conv(8, 3, pad: 2, pad: 1)"]);
    assert!(found.iter().all(|text| text.matches("pad").count() < 2), "{found:#?}");
}

#[test]
fn an_argument_that_must_be_given_needs_no_name() {
    let found = Case::body("x |> ⟦dense⟧", codes::ARGUMENTS, "").bodies(arguments::edits);
    offered(&found, &["x |> dense(7)", "x |> dense(10)"], &["x |> dense(units: 7)"]);
}

#[test]
fn arguments_change_places_or_names_and_become_stages() {
    let found = |body| Case::body(body, codes::ARGUMENTS, "").bodies(arguments::edits);
    offered(&found("⟦dense(10, x)⟧"), &["dense(x, 10)"], &[]);
    offered(&found("⟦concat(x, x)⟧"), &["concat([x, x])"], &[]);
    offered(&found("⟦dense(x, 10)⟧"), &[], &["dense([x, 10])"]);
    let other = found("x |> ⟦dense(10, activation: \"relu\")⟧");
    offered(&other, &["x |> dense(10) |> relu"], &["x |> dense(10) |> activation"]);
    let named = found("x |> ⟦dense(10, name: \"head\")⟧");
    offered(&named, &["x |> dense(10) as head"], &[]);
    offered(
        &found("x |> ⟦dense(10, name: \"a head\")⟧"),
        &["x |> dense(10)"],
        &["x |> dense(10) as a head"],
    );
    offered(&found("x |> ⟦conv2d(8, 3)⟧"), &["x |> conv(8, 3)"], &[]);
}

#[test]
fn stages_are_added_taken_away_and_exchanged() {
    let shapes = "f32[N, 8, 8, 3] against rows";
    let found = Case::body("x |> ⟦dense(10)⟧ |> relu", codes::SHAPE, shapes).bodies(stages::edits);
    let wanted = [
        "x |> flatten |> dense(10) |> relu",
        "x |> global_avg_pool |> dense(10) |> relu",
        "x |> relu",
        "x |> relu |> dense(10)",
    ];
    offered(&found, &wanted, &["x |> cast(f32) |> dense(10) |> relu"]);
    let flat = found.iter().position(|text| *text == wanted[0]);
    assert!(flat < found.iter().position(|text| *text == wanted[2]), "more comes before less");
    let ints = Case::body("x |> ⟦dense(10)⟧", codes::SHAPE, "i32[N, 4]").bodies(stages::edits);
    offered(&ints, &["x |> cast(f32) |> dense(10)"], &[]);
}

#[test]
fn a_stage_far_from_the_mistake_stays() {
    let text = "model net(x: f32[N, 4]) -> f32[N, 2] { x |> dense(2) }\n\
                layer other(y: f32[N, 4]) { y |> ⟦relu⟧ }\n";
    let case = Case::new(text, codes::SHAPE, "");
    let found: Vec<String> =
        case.offers(stages::edits).iter().map(|it| case.edited(&it.fix)).collect();
    assert!(found.iter().any(|text| text.contains("{ y }")), "{found:#?}");
    assert!(found.iter().all(|text| text.contains("dense(2)")), "{found:#?}");
}

#[test]
fn operands_are_transposed_exchanged_and_cast() {
    let found = Case::body("⟦x @ y⟧", codes::SHAPE, "").bodies(operands::edits);
    let wanted = ["x @ transpose(y)", "transpose(x) @ y", "y @ x", "x * y"];
    offered(&found, &wanted, &["cast(x, f32) @ y"]);
    let turned = Case::body("⟦x @ transpose(y)⟧", codes::SHAPE, "").bodies(operands::edits);
    offered(&turned, &["x @ y"], &["x @ transpose(transpose(y))"]);
    let ints = Case::body("⟦x + y⟧", codes::SHAPE, "i32[N]").bodies(operands::edits);
    offered(&ints, &["cast(x, f32) + y", "x + cast(y, f32)"], &["y + x", "x + transpose(y)"]);
    let whole = Case::body("x * ⟦(1 / 2)⟧", codes::SHAPE, "").bodies(operands::edits);
    offered(&whole, &["x * (1.0 / 2)", "x * (1 / 2.0)"], &[]);
}

#[test]
fn declared_shapes_get_the_order_and_the_numbers_that_are_told() {
    let declared = |ty: &str, told: &str| {
        let text = format!("model net(x: ⟦{ty}⟧) -> f32[N, 10] {{ x }}\n");
        let case = Case::new(&text, codes::DATA, told);
        let found = case.offers(types::edits);
        let ty = |it: &Candidate| {
            let text = case.edited(&it.fix);
            let start = text.find("x: ").expect("the parameter") + 3;
            text[start..text.find(')').expect("its end")].to_owned()
        };
        found.iter().map(ty).collect::<Vec<_>>()
    };
    let found = declared("f32[N, 3, 32, 32]", "the data have u8[N, 32, 32, 3]");
    assert_eq!(found[0], "f32[N, 32, 32, 3]", "an order that a value has comes first");
    offered(&found, &["u8[N, 32, 32, 3]"], &["f32[N, 32, 32, 3, 1]"]);
    let found = declared("f32[N, 28, 28]", "28 and 1");
    offered(&found, &["f32[N, 28, 28, 1]", "f32[N, 28]"], &["f32[N, 28, 28, 0]"]);
    offered(&declared("f32[28, 28]", ""), &["f32[N, 28, 28]"], &["f32[28]x"]);
}

#[test]
fn values_are_wrapped_as_their_mistake_asks() {
    let found = |body, code| Case::body(body, code, "").bodies(values::edits);
    let result = found("⟦x == x⟧", codes::RESULT);
    assert_eq!(result, ["cast(x == x, f32)", "mean(x == x, axis: 1)", "mean(x == x, axis: -1)"]);
    assert_eq!(found("⟦x⟧", codes::CONDITION), ["x > 0"]);
    assert_eq!(found("⟦x⟧", codes::SHAPE), [""; 0], "nothing is known of another mistake");
}

#[test]
fn settings_go_with_their_line_and_metrics_with_their_comma() {
    let text = "model net(x: f32[N, 4]) -> f32[N, 2] { x |> dense(2) }\n\
                train net {\n    loss = mse\n    metrics = [mae, ⟦iou⟧]\n}\n";
    let case = Case::new(text, codes::UNKNOWN_CALLEE, "");
    let found: Vec<String> =
        case.offers(values::edits).iter().map(|it| case.edited(&it.fix)).collect();
    assert!(found[0].ends_with("loss = mse\n    metrics = [mae]\n}\n"), "{}", found[0]);
    assert!(found[1].ends_with("{\n    loss = mse\n}\n"), "{}", found[1]);
    assert_eq!(found.len(), 2, "the loss stays: {found:#?}");
}

/// A text that does not parse, with each edit.
fn mended(text: &str, code: &'static str) -> Vec<String> {
    let mut sources = Sources::new();
    let file = sources.add("main.nn", "");
    let (text, error) = marked(text, file, code, "");
    sources.replace(file, text.clone());
    let found = texts::edits(&sources, &error);
    found.iter().map(|candidate| apply(&text, &candidate.fix.edits)).collect()
}

#[test]
fn words_and_signs_of_other_languages_become_ours() {
    let found = mended("⟦def⟧ block(x) { x }", codes::UNEXPECTED);
    assert_eq!(&found[..2], ["layer block(x) { x }", "model block(x) { x }"]);
    offered(&mended("let s = ⟦'⟧same'", codes::UNEXPECTED), &["let s = \"same\""], &[]);
    offered(&mended("⟦/* note */⟧", codes::UNEXPECTED), &["// note"], &[]);
    offered(&mended("⟦y⟧ = relu(x)", codes::UNEXPECTED), &["let y = relu(x)"], &[]);
    offered(&mended("⟦y⟧ == relu(x)", codes::BAD_ESCAPE), &[], &["layer == relu(x)"]);
    offered(&mended("a ⟦0x1F⟧", codes::UNEXPECTED), &["a 31"], &["a 1"]);
    offered(&mended("⟦relu(h)⟧\nh", codes::UNUSED_VALUE), &["let h = relu(h)\nh"], &[]);
    offered(&mended("⟦relu(h)⟧\nh", codes::UNEXPECTED), &[], &["let h = relu(h)\nh"]);
}

#[test]
fn brackets_are_tried_where_words_end() {
    let found = mended("x |> dense⟦(⟧32 |> relu\n", codes::UNCLOSED);
    offered(
        &found,
        &["x |> dense(32) |> relu\n", "x |> dense(32 |> relu)\n"],
        &["x |> dense(3)2 |> relu\n"],
    );
    let stray = mended("x |> dense(32)⟦)⟧ |> relu\n", codes::STRAY_CLOSER);
    offered(&stray, &["x |> dense(32) |> relu\n"], &["x |> dense32) |> relu\n"]);
}

#[test]
fn single_edits_stand_at_the_place_that_is_asked_for() {
    let case = Case::body("⟦x |> dense(10) |> ⟨softmax⟩⟧", codes::SHAPE, "");
    let [whole, stage] = [true, false].map(|primary| {
        let label = case.error.labels.iter().find(|label| label.primary == primary);
        label.expect("a mark").span
    });
    let program = case.program();
    let without = edits::without_stage(&program, stage).expect("a stage");
    assert!(case.edited(&without).contains("{ x |> dense(10) }"));
    assert_eq!(edits::without_stage(&program, whole), None, "a pipeline is no stage");
    let with = edits::with_argument(&program, stage, "axis: 1").expect("a call");
    assert!(case.edited(&with).contains("softmax(axis: 1) }"));
    assert_eq!(edits::argument_as(&program, stage, "axis", "1"), None, "it has no such argument");
    let (written, declared) = edits::occurrences(&program, whole, 10, "net");
    assert_eq!((written.len(), declared.len()), (1, 1));
    let (written, declared) = edits::occurrences(&program, whole, 11, "net");
    assert_eq!((written.len(), declared.len()), (0, 0));
}

#[test]
fn distances_grow_from_the_place_to_other_items() {
    let text = "layer near(x: f32[N, 4]) { x |> ⟦dense(2)⟧ |> ⟨relu⟩ |> gelu }\n\
                model net(y: f32[N, 4]) -> f32[N, 2] { y |> dense(3) }\n";
    let case = Case::new(text, codes::SHAPE, "4 against f32[N, 2]");
    let program = case.program();
    let scene = Scene::of(&program, &case.error);
    let of = |name: &str, index| {
        let named = |it: &&super::scene::CallSite<'_>| it.call.callee.text == name;
        scene.calls.iter().filter(named).nth(index).expect("a call").distance
    };
    assert_eq!(of("dense", 0), distance::HERE);
    assert_eq!(of("relu", 0), distance::LABELLED);
    assert_eq!(of("gelu", 0), distance::ITEM);
    assert!(of("dense", 1) >= distance::ITEM);
    assert_eq!((&scene.numbers[..], &scene.shapes[..]), (&[4, 2][..], &["f32[N, 2]".into()][..]));
}

#[test]
fn a_name_that_means_nothing_gets_only_what_is_proposed() {
    let case = Case::body("x |> ⟦dense(78)⟧", codes::UNKNOWN_CALLEE, "784 against 78");
    assert_eq!(super::candidates(&case.program(), &case.error), []);
    let case = Case::body("x |> ⟦dense(78)⟧", codes::SHAPE, "784 against 78");
    let found = super::candidates(&case.program(), &case.error);
    assert!(found.windows(2).all(|pair| pair[0].cost <= pair[1].cost), "the smallest first");
    let texts: Vec<String> = found.iter().map(|it| case.edited(&it.fix)).collect();
    let distinct: std::collections::HashSet<_> = found
        .iter()
        .map(|it| &it.fix.edits[..])
        .map(|edits| edits.iter().map(|edit| (edit.span, edit.text.clone())).collect::<Vec<_>>())
        .collect();
    assert_eq!(distinct.len(), found.len(), "each edit once: {texts:#?}");
}
