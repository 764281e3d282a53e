//! The pages of the site as HTML.

use super::examples::{self, CheckedExample};
use super::prose::{inline, paragraph};
use super::{DocumentedProgram, ItemPage};
use crate::elaborate::{DocBlock, DocKind, ItemDoc, ItemSource};
use maud::{DOCTYPE, Markup, html};

/// Only the site's own files are loaded.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'";

/// A whole page around its contents.
fn frame(title: &str, contents: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="site.css";
                script src="names.js" defer {}
                script src="search.js" defer {}
            }
            body {
                header {
                    a href="index.html" { "nnc" }
                    input #search type="search" placeholder="Search (/)" autocomplete="off"
                        aria-label="Search for a name";
                    ol #found hidden {}
                }
                main { (contents) }
            }
        }
    };
    page.into_string()
}

/// The first page: every name, by kind.
pub(super) fn index(pages: &[ItemPage<'_>], programs: &[DocumentedProgram]) -> String {
    frame(
        "nnc: documentation",
        &html! {
            h1 { "Documentation" }
            @if !programs.is_empty() {
                h2 { "Programs" }
                ul { @for program in programs { li { a href=(program.page) { (program.name) } } } }
            }
            @for page in pages {
                h2 { a href=(page.file) { (inline(page.title)) } }
                dl .names {
                    @for item in &page.items {
                        dt { a href=(format!("{}#{}", page.file, anchor(item))) { (item.name) } }
                        dd { (inline(&item.summary())) }
                    }
                }
            }
            p { a href="prelude.html" { "The prelude" } ": the source of all that is written in the language." }
        },
    )
}

/// The items of one kind.
pub(super) fn kind(page: &ItemPage<'_>, examples: &[CheckedExample]) -> String {
    frame(
        &page.title.replace('`', ""),
        &html! {
            h1 { (inline(page.title)) }
            @for described in &page.items { (item(described, "prelude.html", examples, &[])) }
        },
    )
}

/// A program: its items, and the shapes of its models.
pub(super) fn program(program: &DocumentedProgram) -> String {
    frame(
        &program.name,
        &html! {
            h1 { (program.name) }
            @for described in program.items.items() {
                @let source = described.source.as_ref().and_then(|it| program.source_page(&it.file));
                (item(described, source.unwrap_or_default(), &[], &program.examples))
                @if described.kind == DocKind::Model { (shapes(program.layers_of(&described.name))) }
            }
        },
    )
}

/// The name of an item's place on its page.
pub(super) fn anchor(item: &ItemDoc) -> String {
    format!("{}.{}", item.kind.word(), item.name)
}

/// An item: `all` are programs of the manual, `own` the examples of the text itself.
fn item(
    item: &ItemDoc,
    source_page: &str,
    all: &[CheckedExample],
    own: &[CheckedExample],
) -> Markup {
    html! {
        section id=(anchor(item)) {
            h2 { (item.name) " " small { (item.kind.word()) } }
            pre .signature { code { (item.signature) } }
            @for block in item.blocks() {
                @match block {
                    DocBlock::Paragraph(text) => (paragraph(text)),
                    DocBlock::Code(_, code) => {
                        pre { code { (code) } }
                        (shapes(own.iter().find(|it| it.text == code).map_or(&[], |it| &it.layers)))
                    }
                }
            }
            @if !item.facts.is_empty() {
                dl { @for (name, fact) in &item.facts { dt { (name) } dd { (inline(fact)) } } }
            }
            @for example in examples::of(&item.name, all) {
                details {
                    summary { "Example, from " code { "docs/" (example.page) } }
                    pre { code { (example.text) } }
                    (shapes(&example.layers))
                }
            }
            @if let Some(source) = &item.source { (listing(source, source_page)) }
        }
    }
}

fn listing(source: &ItemSource, page: &str) -> Markup {
    html! {
        details {
            summary { "Source" }
            p { a href=(format!("{page}#L{}", source.line)) { (source.file) ":" (source.line) } }
            pre { code { (source.text) } }
        }
    }
}

/// Layers with the shapes of their outputs.
fn shapes(layers: &[[String; 4]]) -> Markup {
    html! {
        @if !layers.is_empty() {
            table {
                thead { tr { th { "layer" } th { "output" } th { "parameters" } th { "operations" } } }
                @for [path, output, parameters, flops] in layers {
                    tr { td { code { (path) } } td { code { (output) } } td { (parameters) } td { (flops) } }
                }
            }
        }
    }
}

/// A file with a number before each line.
pub(super) fn source(name: &str, text: &str) -> String {
    frame(
        name,
        &html! {
            h1 { (name) }
            pre .source {
                @for (index, line) in text.lines().enumerate() {
                    span id=(format!("L{}", index + 1)) { span .number { (index + 1) } (line) "\n" }
                }
            }
        },
    )
}
