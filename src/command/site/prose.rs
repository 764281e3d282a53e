//! The Markdown of doc comments as HTML: paragraphs, lists, code, formulas, stress. Fenced examples are
//! the page's.
//!
//! Links and images are not among it, so that nothing in a comment can lead out of the site.

use super::formula::formula;
use maud::{Markup, Render, html};

/// A paragraph, or a list where each of its lines begins with `- `.
pub(super) fn paragraph(text: &str) -> Markup {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    html! {
        @if lines.iter().all(|line| line.starts_with("- ")) {
            ul { @for line in &lines { li { (inline(&line[2..])) } } }
        } @else {
            p { (inline(&lines.join(" "))) }
        }
    }
}

/// A line: what stands between backticks is code or a formula.
pub(super) fn inline(text: &str) -> Markup {
    let mut parts = text.split('`');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    html! {
        (stressed(first))
        @for pair in rest.chunks(2) {
            // Without a closing sign it is none.
            @if let [code, behind] = pair {
                (code_or_formula(code)) (stressed(behind))
            } @else { "`" (stressed(pair[0])) }
        }
    }
}

fn code_or_formula(text: &str) -> Markup {
    match formula(text) {
        Some(math) => math,
        None => html! { code { (text) } },
    }
}

/// `**important**`.
fn stressed(text: &str) -> Markup {
    let parts: Vec<&str> = text.split("**").collect();
    if parts.len().is_multiple_of(2) {
        return text.render();
    }
    html! {
        @for (index, part) in parts.iter().enumerate() {
            @if index % 2 == 1 { strong { (part) } } @else { (part) }
        }
    }
}
