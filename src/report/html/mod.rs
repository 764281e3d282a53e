//! A run as one page that stands alone: it can be mailed, printed, read on a phone and opened in
//! ten years.
//!
//! ```text
//! title, summary, notes     what it was
//! curves                    how it went
//! confusion matrix          which classes are taken for which, and scores of each
//! worst predictions         with their images
//! tables, sources           everything else, and the program itself
//! ```
//!
//! Styles and images lie in the page; there are no scripts, and a policy in its head tells the
//! browser to run none. A part that is empty is left out.

mod base64;
mod classes;
mod confusion;
mod picture;
mod predictions;
mod table;

pub use classes::{ClassScores, Confusion, per_class};
pub use picture::Picture;
pub use predictions::Prediction;
pub use table::Table;

use super::chart::{self, Chart};
use super::escape::escape;

/// What a page shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The title.
    pub title: String,
    /// Facts at the top, name and value.
    pub summary: Vec<(String, String)>,
    /// Curves.
    pub charts: Vec<Chart>,
    /// How often which class was taken for which.
    pub confusion: Option<Confusion>,
    /// Samples whose predictions were worst, the worst first.
    pub worst: Vec<Prediction>,
    /// Further tables.
    pub tables: Vec<Table>,
    /// Texts such as the program, each with its name.
    pub sources: Vec<(String, String)>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Nothing is fetched and nothing runs, even if a text should get into the page unescaped.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// The page as HTML.
pub fn render(page: &Page) -> String {
    let title = if page.title.is_empty() { "Report" } else { page.title.as_str() };
    let title = escape(title);
    let style = format!("{}{}", chart::style::sheet(), include_str!("page.css"));
    let parts = [
        summary(&page.summary),
        notes(&page.notes),
        charts(&page.charts),
        page.confusion.as_ref().map(confusion::section_of).unwrap_or_default(),
        predictions::section_of(&page.worst),
        page.tables.iter().map(|table| section(&table.title, &table::markup(table))).collect(),
        sources(&page.sources),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\n\
         <link rel=\"icon\" href=\"data:,\"/>\n\
         <title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n{}</main>\n</body>\n</html>\n",
        parts.concat()
    )
}

/// A part of the page; nothing where it has no contents.
fn section(heading: &str, contents: &str) -> String {
    if contents.is_empty() {
        return String::new();
    }
    let heading = match heading {
        "" => String::new(),
        _ => format!("<h2>{}</h2>\n", escape(heading)),
    };
    format!("<section>\n{heading}{contents}</section>\n")
}

fn summary(facts: &[(String, String)]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let fact = |(name, value): &(String, String)| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(value))
    };
    let facts: String = facts.iter().map(fact).collect();
    format!("<dl class=\"summary\">\n{facts}</dl>\n")
}

fn notes(notes: &[String]) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let items: String = notes.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
    section("Notes", &format!("<ul>\n{items}</ul>\n"))
}

fn charts(charts: &[Chart]) -> String {
    if charts.is_empty() {
        return String::new();
    }
    let figure = |svg| format!("<figure>\n{svg}</figure>\n");
    let figures: String = chart::figures(charts).into_iter().map(figure).collect();
    section("Curves", &format!("<div class=\"charts\">\n{figures}</div>\n"))
}

/// Texts in boxes that can be closed; open at first, since what is closed is not printed.
fn sources(sources: &[(String, String)]) -> String {
    let source = |(name, text): &(String, String)| {
        let text = escape(&text.replace("\r\n", "\n"));
        format!(
            "<details open=\"open\"><summary>{}</summary>\n<pre><code>{text}</code></pre></details>\n",
            escape(name)
        )
    };
    let contents: String = sources.iter().map(source).collect();
    section("Sources", &contents)
}

/// A share as a percentage; `–` where it is not defined.
fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1}\u{202f}%", share * 100.0) } else { "–".to_owned() }
}

/// A number with four significant digits, or two and a power of ten where it is very large or
/// small.
fn significant(number: f64) -> String {
    let size = number.abs();
    match size {
        _ if number.is_nan() => "–".to_owned(),
        _ if number.is_infinite() => if number > 0.0 { "∞" } else { "−∞" }.to_owned(),
        0.0 => "0".to_owned(),
        1e-3..1e5 => {
            let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
            format!("{number:.decimals$}").replace('-', "−")
        }
        _ => format!("{number:.1e}").replace('-', "−"),
    }
}

#[cfg(test)]
mod tests;
