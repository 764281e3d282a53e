//! A run as one page that stands alone: it can be mailed, printed, read on a phone and opened in
//! ten years.
//!
//! ```text
//! title, summary, notes     what it was
//! curves                    how it went
//! of each output, by its task:
//!   confusion matrix        which classes are taken for which, and scores of each
//!   charts, tables          predicted against true, residuals; scores of labels
//!   predictions             the worst and others: pictures, texts, recordings, fields of rows
//! tables, sources           everything else, and the program itself
//! ```
//!
//! Styles, images and recordings lie in the page; there are no scripts, and a policy in its head tells the
//! browser to run none. A part that is empty is left out.

mod classes;
mod confusion;
mod output;
mod picture;
mod predictions;
mod table;

pub use classes::{ClassScores, Confusion, scores_of};
pub use confusion::class_table;
pub use output::{OutputSection, SampleList};
pub use picture::Picture;
pub use predictions::{Fact, SamplePrediction, TextRun};
pub use table::HtmlTable;

use super::chart::{self, Chart};
use super::escape::escape;
use maud::{DOCTYPE, Markup, PreEscaped, Render, html};

/// Contents of `report.html`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The title.
    pub title: String,
    /// Facts at the top, name and value.
    pub summary: Vec<(String, String)>,
    /// Curves.
    pub charts: Vec<Chart>,
    /// The model's outputs.
    pub outputs: Vec<OutputSection>,
    /// Further tables.
    pub tables: Vec<HtmlTable>,
    /// Texts such as the program, each with its name.
    pub sources: Vec<(String, String)>,
    /// Remarks for the reader, one paragraph each.
    pub notes: Vec<String>,
}

/// Nothing is fetched and nothing runs, even if a text should get into the page unescaped.
const POLICY: &str =
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'";

/// A text from outside in the page. Escaped as [`escape`] does: more than maud itself would, since
/// what nobody sees is shown.
struct Text<'a>(&'a str);

impl Render for Text<'_> {
    fn render_to(&self, page: &mut String) {
        page.push_str(&escape(self.0));
    }
}

/// The page as HTML.
pub fn render(page: &Page) -> String {
    let title = Text(if page.title.is_empty() { "Report" } else { page.title.as_str() });
    let style = format!("{}{}", chart::style::sheet(), include_str!("page.css"));
    let document = html! {
        (DOCTYPE) "\n"
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                link rel="icon" href="data:,";
                title { (title) }
                // The style sheet is ours.
                style { (PreEscaped(style)) }
            }
            "\n"
            body {
                main {
                    h1 { (title) }
                    (summary(&page.summary))
                    (notes(&page.notes))
                    (section("Curves", charts(&page.charts)))
                    @for output in &page.outputs { (output::sections_of(output)) }
                    @for table in &page.tables { (section(&table.title, table::markup(table))) }
                    (sources(&page.sources))
                }
            }
        }
        "\n"
    };
    document.into_string()
}

/// The heading of a part about an output of this name; the only output has none.
fn titled(output: &str, heading: &str) -> String {
    if output.is_empty() { heading.to_owned() } else { format!("{output}: {heading}") }
}

/// A part of the page on lines of its own; nothing where it has no contents.
fn section(heading: &str, contents: Markup) -> Markup {
    html! {
        @if !contents.0.is_empty() {
            "\n"
            section {
                @if !heading.is_empty() { h2 { (Text(heading)) } }
                "\n"
                (contents)
            }
        }
    }
}

fn summary(facts: &[(String, String)]) -> Markup {
    html! {
        @if !facts.is_empty() {
            dl class="summary" {
                @for (name, value) in facts { div { dt { (Text(name)) } dd { (Text(value)) } } }
            }
        }
    }
}

fn notes(notes: &[String]) -> Markup {
    let list = html! {
        @if !notes.is_empty() {
            ul { @for note in notes { li { (Text(note)) } } }
        }
    };
    section("Notes", list)
}

/// Charts side by side; nothing without charts.
fn charts(charts: &[Chart]) -> Markup {
    html! {
        @if !charts.is_empty() {
            div class="charts" {
                // The charts have escaped their texts.
                @for svg in chart::figures(charts) { figure { (PreEscaped(svg)) } }
            }
        }
    }
}

/// Texts in boxes that can be closed; open at first, since what is closed is not printed.
fn sources(sources: &[(String, String)]) -> Markup {
    let contents = html! {
        @for (name, text) in sources {
            details open="open" {
                summary { (Text(name)) }
                pre { code { (Text(&text.replace("\r\n", "\n"))) } }
            }
        }
    };
    section("Sources", contents)
}

#[cfg(test)]
mod tests;
