//! The grammar of editors (`editors/tree-sitter-nn`) agrees with the compiler's (`grammar/nn.pest`): on every
//! program of the repository and on thousands of generated and damaged ones.

mod support;

use nnc::base::source::{Sources, Span};
use nnc::syntax::ast::{ExprKind, StageKind};
use nnc::syntax::walk::{self, SyntaxNode};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use support::mutation::{self, Random};
use support::random_program::random_program;
use tree_sitter::{Parser, Query, StreamingIterator};

fn parser() -> Parser {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_nn::LANGUAGE.into()).expect("a language of this version");
    parser
}

/// The calls, stages and operators of a text by their places, as the compiler sees them; `None` where it
/// refuses the text.
fn compiled(text: &str) -> Option<BTreeSet<(&'static str, usize, usize)>> {
    let mut sources = Sources::new();
    let file = sources.add("a.nn", text);
    let tree = nnc::syntax::parse(&sources, file).ok()?;
    let mut found = BTreeSet::new();
    let mut add = |kind, span: Span| {
        found.insert((kind, span.start as usize, span.end as usize));
    };
    for item in &tree.items {
        walk::item_nodes(item, &mut |node| match node {
            SyntaxNode::Expr(expr) => match &expr.kind {
                ExprKind::Call(call) => add("call", call.callee.span),
                ExprKind::Binary(_, left, right) => {
                    add("left", Span { end: left.span.start, ..left.span });
                    add("right", Span { start: right.span.end, ..right.span });
                }
                ExprKind::Scan(scan) => add("scan", scan.slice.span),
                _ => {}
            },
            SyntaxNode::Stage(stage) => match &stage.kind {
                StageKind::Call(call) => add("stage", call.callee.span),
                StageKind::Repeat { from, to, .. } => {
                    let first = from.as_ref().unwrap_or(to).span;
                    add("repeat", Span { end: first.start, ..first });
                }
            },
            SyntaxNode::Type(ty) => add("type", ty.name.span),
            SyntaxNode::Name(_) => {}
        });
    }
    Some(found)
}

/// The same as an editor sees them.
fn edited(parser: &mut Parser, text: &str) -> Option<BTreeSet<(&'static str, usize, usize)>> {
    let tree = parser.parse(text, None).expect("a tree");
    let mut found = BTreeSet::new();
    // Damaged texts nest deeper than a stack.
    let mut open = vec![tree.root_node()];
    while let Some(node) = open.pop() {
        let mut add = |kind, field: &str| {
            if let Some(node) = node.child_by_field_name(field) {
                let (start, end) = (node.start_byte(), node.end_byte());
                found.insert(match kind {
                    "left" | "repeat" => (kind, start, start),
                    "right" => (kind, end, end),
                    kind => (kind, start, end),
                });
            }
        };
        match node.kind() {
            "call" => add("call", "callee"),
            "stage" => add("stage", "callee"),
            "scan" => add("scan", "slice"),
            "repeat" => add("repeat", "times"),
            "type" => add("type", "name"),
            "binary" => {
                add("left", "left");
                add("right", "right");
            }
            _ => {}
        }
        open.extend(node.children(&mut node.walk()));
    }
    (!tree.root_node().has_error()).then_some(found)
}

/// All programs of the repository, right and wrong.
fn programs() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|it| it == "nn") {
                found.extend(std::fs::read_to_string(&path).ok().map(|text| (path, text)));
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["models", "examples", "tests", "src"] {
        walk(Path::new(folder), &mut found);
    }
    found.sort();
    assert!(found.len() > 100, "{}", found.len());
    found
}

#[test]
fn every_program_of_the_repository_is_read_alike() {
    let mut parser = parser();
    let mut sound = 0;
    for (path, text) in programs() {
        if let Some(expected) = compiled(&text) {
            let found = edited(&mut parser, &text);
            let lost: Vec<_> = found.iter().flatten().filter(|it| !expected.contains(it)).collect();
            assert_eq!(found, Some(expected.clone()), "{}: {lost:?}", path.display());
            sound += 1;
        }
    }
    assert!(sound > 100, "{sound}");
}

#[test]
fn generated_programs_are_read_alike() {
    let mut parser = parser();
    for seed in 0..2500 {
        let text = random_program(seed).text();
        let expected = compiled(&text);
        assert!(expected.is_some(), "{text}");
        assert_eq!(edited(&mut parser, &text), expected, "{text}");
    }
}

#[test]
fn damaged_programs_are_read_alike() {
    // As deep as the command line has it.
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(read_damaged);
    thread.expect("a thread").join().expect("they are read alike");
}

fn read_damaged() {
    let mut parser = parser();
    let corpus = mutation::corpus();
    let mut random = Random(7);
    let (mut sound, mut lenient, mut refused) = (0, 0, 0);
    for _ in 0..2500 {
        let text = mutation::program(&mut random, &corpus);
        match (compiled(&text), edited(&mut parser, &text)) {
            (Some(expected), found) => {
                assert_eq!(found, Some(expected), "{text}");
                sound += 1;
            }
            // The compiler refuses more: chained comparisons, numbers that are too large, a name of a
            // reserved word, an operator behind a stage.
            (None, Some(_)) => lenient += 1,
            (None, None) => refused += 1,
        }
    }
    assert!(sound > 100 && refused > 1000, "{sound} {lenient} {refused}");
    assert!(lenient * 10 < refused, "{sound} {lenient} {refused}");
}

#[test]
fn queries_are_of_this_grammar() {
    let language = tree_sitter_nn::LANGUAGE.into();
    let text = include_str!("../models/resnet.nn");
    let tree = parser().parse(text, None).expect("a tree");
    for (name, query) in [
        ("highlights", tree_sitter_nn::HIGHLIGHTS),
        ("locals", tree_sitter_nn::LOCALS),
        ("folds", tree_sitter_nn::FOLDS),
        ("indents", tree_sitter_nn::INDENTS),
        ("injections", tree_sitter_nn::INJECTIONS),
    ] {
        let query = Query::new(&language, query).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut cursor = tree_sitter::QueryCursor::new();
        let mut matches = cursor.matches(&query, tree.root_node(), text.as_bytes());
        let mut count = 0;
        while matches.next().is_some() {
            count += 1;
        }
        assert!(count > 0 || name == "injections", "{name} finds nothing");
    }
}
