//! Diagnostics as people read them: the lines concerned, with labels, notes and fixes.
//!
//! Labels in another file than the primary one are shown as a report of their own below it. The
//! width is the terminal's, or 100 columns where standard error is not a terminal, so that what
//! a pipe sees does not depend on the window.

use crate::base::diagnostic::{Diagnostic, Label, Severity};
use crate::base::source::{FileId, Sources};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, ThemeCharacters,
    ThemeStyles,
};
use std::fmt;
use std::io::IsTerminal;

/// The width of reports that no terminal shows.
const PIPED_WIDTH: usize = 100;

/// Prints diagnostics on standard error.
pub fn print(diagnostics: &[Diagnostic], sources: &Sources) {
    let terminal = std::io::stderr().is_terminal();
    let color = terminal && std::env::var_os("NO_COLOR").is_none();
    let width = if terminal { console_width() } else { PIPED_WIDTH };
    for diagnostic in diagnostics {
        eprintln!("{}", render(diagnostic, sources, width, color));
    }
}

/// `2 errors, 1 warning`.
pub fn count(diagnostics: &[Diagnostic]) -> String {
    let of = |severity| diagnostics.iter().filter(|found| found.severity == severity).count();
    let some = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{count} {word}s")),
    };
    let counts = [some(of(Severity::Error), "error"), some(of(Severity::Warning), "warning")];
    counts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The width of the terminal, within reason.
fn console_width() -> usize {
    let (_, columns) = console::Term::stderr().size();
    usize::from(columns).clamp(40, 120)
}

/// One diagnostic as text.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, width: usize, color: bool) -> String {
    let styles = if color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    let theme = GraphicalTheme { characters: ThemeCharacters::unicode(), styles };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(width).with_context_lines(1);
    let mut text = String::new();
    let report = Report::new(diagnostic, sources);
    handler.render_report(&mut text, &report).expect("writing to a string");
    for note in &diagnostic.notes {
        push_wrapped(&mut text, "  note: ", note, width);
    }
    text
}

/// Appends a text behind a prefix, broken between words; further lines stand under the first.
fn push_wrapped(text: &mut String, prefix: &str, words: &str, width: usize) {
    let mut line = prefix.to_string();
    for word in words.split_whitespace() {
        let used = line.chars().count();
        if used > prefix.len() && used + word.chars().count() >= width {
            text.push_str(line.trim_end());
            text.push('\n');
            line = " ".repeat(prefix.len());
        }
        line.push_str(word);
        line.push(' ');
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// A diagnostic with the texts that it points into.
#[derive(Debug)]
struct Report {
    message: String,
    code: Option<&'static str>,
    severity: Severity,
    help: Option<String>,
    source: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
    related: Vec<Report>,
}

impl Report {
    fn new(diagnostic: &Diagnostic, sources: &Sources) -> Report {
        let main_file = diagnostic.place().map(|span| span.file);
        let mut files: Vec<FileId> = Vec::new();
        for label in &diagnostic.labels {
            if Some(label.span.file) != main_file && !files.contains(&label.span.file) {
                files.push(label.span.file);
            }
        }
        let in_file = |file| diagnostic.labels.iter().filter(move |label| label.span.file == file);
        let related = files
            .into_iter()
            .map(|file| Report {
                message: format!("in {}", sources.file(file).name),
                code: None,
                severity: diagnostic.severity,
                help: None,
                source: Some(named(sources, file)),
                labels: in_file(file).map(labeled).collect(),
                related: Vec::new(),
            })
            .collect();
        Report {
            message: diagnostic.message.clone(),
            code: Some(diagnostic.code),
            severity: diagnostic.severity,
            help: advice(diagnostic),
            source: main_file.map(|file| named(sources, file)),
            labels: main_file.map_or_else(Vec::new, |file| in_file(file).map(labeled).collect()),
            related,
        }
    }
}

fn named(sources: &Sources, file: FileId) -> NamedSource<String> {
    let file = sources.file(file);
    NamedSource::new(&file.name, file.text.clone())
}

fn labeled(label: &Label) -> LabeledSpan {
    let (start, end) = (label.span.start as usize, label.span.end as usize);
    let text = (!label.text.is_empty()).then(|| label.text.clone());
    if label.primary {
        LabeledSpan::new_primary_with_span(text, start..end)
    } else {
        LabeledSpan::new_with_span(text, start..end)
    }
}

/// Help and fixes, as the lines below the source.
fn advice(diagnostic: &Diagnostic) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(diagnostic.help.clone());
    for fix in &diagnostic.fixes {
        let checked = if fix.checked { " (checked)" } else { "" };
        let edits: Vec<&str> = fix.edits.iter().map(|edit| edit.text.trim_end()).collect();
        lines.push(format!("{}{checked}: `{}`", fix.title, edits.join("` … `")));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

impl miette::Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as Box<_>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        let reports = self.related.iter().map(|report| report as &dyn miette::Diagnostic);
        (!self.related.is_empty()).then(|| Box::new(reports) as Box<_>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Span;

    #[test]
    fn a_report_shows_the_line_the_label_the_help_and_the_other_file() {
        let mut sources = Sources::new();
        let main = sources.add("main.nn", "model m(x: f32[N, 4]) { x |> relux }\n");
        let other = sources.add("other.nn", "layer relu2(x) { x }\n");
        let diagnostic = Diagnostic::error("E0102", "unknown layer `relux`")
            .primary(Span::new(main, 29, 34), "not found")
            .label(Span::new(other, 6, 11), "a layer of a similar name")
            .help("did you mean `relu`?")
            .note("a fact that is long enough to need a second line ".repeat(3));
        let text = render(&diagnostic, &sources, 100, false);
        for part in [
            "E0102",
            "unknown layer",
            "main.nn:1:30",
            "not found",
            "other.nn",
            "did you",
            "note: a",
        ] {
            assert!(text.contains(part), "{part} is missing from\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 100));
    }
}
