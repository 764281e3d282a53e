//! Precedence, places, bounds and time, which golden files cannot show in one look.

use std::time::{Duration, Instant};

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Sources, Span};
use crate::syntax::ast::*;
use crate::syntax::{dump, format, parse};

fn parsed(text: &str) -> Result<File, Vec<Diagnostic>> {
    let mut sources = Sources::new();
    let file = sources.add("test.nn", text);
    parse(&sources, file)
}

/// The dump of one expression.
fn expr(text: &str) -> String {
    let file = parsed(&format!("const a = {text}")).expect("it parses");
    let dumped = dump(&file);
    dumped
        .trim_end()
        .strip_prefix("(const a ")
        .and_then(|rest| rest.strip_suffix(')'))
        .expect("a const")
        .into()
}

/// The dump of the statements of a layer.
fn body(text: &str) -> String {
    let file = parsed(&format!("layer f(x) {{\n{text}\n}}")).expect("it parses");
    dump(&file)
        .trim_end()
        .strip_prefix("(layer f (params (x)) ")
        .and_then(|rest| rest.strip_suffix(')'))
        .expect("short")
        .into()
}

/// The code of the first error.
fn code(text: &str) -> &'static str {
    parsed(text).expect_err("it does not parse")[0].code
}

#[test]
fn operators_bind_as_the_reference_says() {
    assert_eq!(expr("-x ^ 2"), "(- (^ x 2))");
    assert_eq!(expr("2 ^ 3 ^ 4"), "(^ 2 (^ 3 4))");
    assert_eq!(expr("2 ^ -x"), "(^ 2 (- x))");
    assert_eq!(expr("a - b - c"), "(- (- a b) c)");
    assert_eq!(expr("a / b * c @ d"), "(@ (* (/ a b) c) d)");
    assert_eq!(expr("a + b * c"), "(+ a (* b c))");
    assert_eq!(expr("-a * b"), "(* (- a) b)");
    assert_eq!(expr("not a == b and c or d"), "(or (and (not (== a b)) c) d)");
    assert_eq!(expr("a or b |> f"), "(|> (or a b) f)");
    assert_eq!(expr("-f(x)[0].y"), "(- (. (.[] (f x) 0) y))");
    assert_eq!(expr("a |> f .. b + 1"), "(.. (|> a f) (+ b 1))");
}

#[test]
fn a_statement_ends_at_a_newline_unless_it_cannot() {
    assert_eq!(body("let a = b\n+ c\na"), "(block (let a (+ b c)) value: a)");
    assert_eq!(body("let a = b +\nc\na"), "(block (let a (+ b c)) value: a)");
    assert_eq!(body("let a = b\n-c"), "(block (let a b) value: (- c))");
    assert_eq!(body("let a = b\n(c)"), "(block (let a b) value: c)");
    assert_eq!(body("let a = b\n[c]"), "(block (let a b) value: ([] c))");
    assert_eq!(
        body("let a = b // why\n\n// so\n|> f\nas g\na"),
        "(block (let a (|> b (as g f))) value: a)"
    );
    assert_eq!(body("a <-1\na"), "(block (<- a 1) value: a)");
    assert_eq!(body("f(\na\n,\nb: 1,\n)"), "(block value: (f a b: 1))");
    assert_eq!(code("layer f(x) { f(a\n-b) }"), codes::LINE_START);
    assert_eq!(code("layer f(x) {\nf\n(x)\n}"), codes::LINE_START);
}

#[test]
fn words_of_items_are_names_elsewhere() {
    for word in crate::syntax::scan::ITEM_WORDS {
        assert_eq!(expr(&format!("{word}({word}: {word})")), format!("({word} {word}: {word})"));
        assert_eq!(
            body(&format!("let {word} = 1\n{word}")),
            format!("(block (let {word} 1) value: {word})")
        );
        assert!(parsed(&format!("train {word} on {word} {{\n{word} = 1\n}}")).is_ok());
    }
    assert_eq!(
        expr("iffy + not_a + lets + inner + asks"),
        "(+ (+ (+ (+ iffy not_a) lets) inner) asks)"
    );
    assert_eq!(code("layer f(x) { let repeat = 1 }"), codes::RESERVED_WORD);
}

#[test]
fn places_cover_what_they_name_and_nothing_after() {
    let text = "// é\nlayer f(x) {\n    let a = (b + 1) * c   // d\n\n    a |> g as h   \n}   \n";
    let mut sources = Sources::new();
    let file = sources.add("test.nn", text);
    let tree = parse(&sources, file).expect("it parses");
    let item = &tree.items[0];
    assert_eq!(sources.text(item.span), &text[6..text.trim_end().len()]);
    let ItemKind::Function(function) = &item.kind else { panic!("a layer") };
    let shown = |span: Span| sources.text(span);
    let StmtKind::Let { name, value } = &function.body.stmts[0].kind else { panic!("a let") };
    assert_eq!(shown(function.body.stmts[0].span), "let a = (b + 1) * c");
    assert_eq!((shown(name.span), shown(value.span)), ("a", "(b + 1) * c"));
    let ExprKind::Binary(_, left, _) = &value.kind else { panic!("a product") };
    assert_eq!(shown(left.span), "(b + 1)");
    let value = function.body.value.as_ref().expect("a value");
    assert_eq!(shown(value.span), "a |> g as h");
    assert_eq!(sources.place(value.span), "test.nn:5:5");
}

#[test]
fn nesting_is_bounded_whatever_nests() {
    let nested = |open: &str, close: &str, depth: usize| {
        parsed(&format!("const a = {}x{}", open.repeat(depth), close.repeat(depth)))
    };
    for (open, close) in [("(", ")"), ("[", "]"), ("f(", ")"), ("x[", "]"), ("if a { ", " }")] {
        assert!(nested(open, close, 64).is_ok(), "{open}");
        assert_eq!(nested(open, close, 65).expect_err("too deep")[0].code, codes::TOO_DEEP);
    }
    for (open, close) in [
        ("-", ""),
        ("not ", ""),
        ("a ^ ", ""),
        ("", " + a"),
        ("", " |> f"),
        ("", ".b"),
        ("", "[0]"),
        ("if a { b } else ", " { c }"),
    ] {
        let deep = nested(open, close, 20_000);
        assert!(deep.is_err(), "{open}{close}");
    }
    assert!(nested("", " |> f", 200).is_ok());
}

#[test]
fn a_large_file_takes_time_in_proportion() {
    let item = "/// Doc.\nlayer f(x: f32[N, 3]) -> f32[N, 3] {\n    // why\n    x |> dense(3) |> g(1, [2])\n}\n";
    let list = format!("const a = [{}]", "1, 2.5, (x + 1) * f(y), ".repeat(10_000));
    let cases = [
        item.repeat(2_000),
        list,
        format!("const a = 1{}\n + 2", "\n// comment".repeat(50_000)),
        ")".repeat(2_000_000),
        "(".repeat(2_000_000),
        "a b\n".repeat(500_000),
        "\"".repeat(1_000_000),
        format!("const a = \"{}", "x".repeat(2_000_000)),
        "\n".repeat(2_000_000),
        "const a = 1 ".repeat(100_000),
    ];
    for text in cases {
        let start = Instant::now();
        let mut sources = Sources::new();
        let file = sources.add("large.nn", text.as_str());
        let outcome = parse(&sources, file);
        if outcome.is_ok() {
            assert!(format(&sources, file).is_ok());
        }
        let taken = start.elapsed();
        let begins: String = text.chars().take(40).collect();
        assert!(taken < Duration::from_secs(30), "{taken:?} for {begins:?}");
    }
}
