//! Diagnostics as people read them: what is wrong, the lines concerned with their labels, facts, and
//! the edits that would mend it.
//!
//! ```text
//! error[E0106]: f32[N, 5] + f32[N, 9]: the shapes do not broadcast
//!    ╭─ model.nn:4:5
//!  4 │     narrow + wide
//!    │     ━━━━━━━━━━━━━ here
//!    ╰─
//!   note: aligned at the last axis, the last axis is 5 against 9, and neither is 1
//!   fix: write 9 for 5 (checked)
//!        2 - let narrow = x |> dense(5)
//!        2 + let narrow = x |> dense(9)
//! ```
//!
//! [`Drawing`] is a report handler of `miette` and knows nothing but its protocol, in which
//! [`Reported`] puts what there is to say. `NNC_REPORT=narrated` has miette's own narrator tell the
//! same in sentences, for screen readers.
//!
//! Labels in another file than the primary one are shown below it, as lines of that file. The width
//! is the terminal's, or 100 columns where standard error is not a terminal, so that what a pipe
//! sees does not depend on the window; nothing is wider.

use super::color;
use super::diff;
use super::snippet::{self, FRAME, Paint};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::fit::wrapped;
use crate::base::fix::replaced;
use crate::base::reported::{ELSEWHERE, FIX, Reported};
use crate::base::shown::visible_lines;
use crate::base::source::Sources;
use crate::driver::Failure;
use miette::{Diagnostic as Protocol, LabeledSpan, NarratableReportHandler, ReportHandler};
use std::fmt::{self, Display};
use std::io::IsTerminal;

/// The width of reports that no terminal shows.
const PIPED_WIDTH: usize = 100;

/// The variable that says how diagnostics are told.
const VARIABLE: &str = "NNC_REPORT";

/// How diagnostics are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReportStyle {
    /// Drawn: lines, marks below them, colours.
    Drawn,
    /// In sentences, by miette's narrator.
    Narrated,
}

fn form() -> Result<ReportStyle, Failure> {
    match std::env::var_os(VARIABLE) {
        None => Ok(ReportStyle::Drawn),
        Some(form) if form.is_empty() || form == "drawn" => Ok(ReportStyle::Drawn),
        Some(form) if form == "narrated" => Ok(ReportStyle::Narrated),
        Some(form) => {
            let form = form.to_string_lossy();
            Err(Failure::Io(format!("{VARIABLE} is `{form}`; it can be `drawn` or `narrated`")))
        }
    }
}

/// Whether the environment says how diagnostics are told in words that are known.
pub fn check_environment() -> Result<(), Failure> {
    form().map(drop)
}

/// Prints diagnostics on standard error.
pub fn print(diagnostics: &[Diagnostic], sources: &Sources) {
    let terminal = std::io::stderr().is_terminal();
    let color = color::on(terminal);
    let width = if terminal { console_width() } else { PIPED_WIDTH };
    // It was checked before anything else.
    let narrated = form().is_ok_and(|form| form == ReportStyle::Narrated);
    for diagnostic in diagnostics {
        match narrated {
            true => super::write::note(&narrate(diagnostic, sources)),
            false => super::write::painted(&render(diagnostic, sources, width, color)),
        }
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

/// A count of the mistakes that are left after fixes: `2 errors left`, or that there are none.
pub fn left(diagnostics: &[Diagnostic]) -> String {
    match count(diagnostics) {
        nothing if nothing.is_empty() => "nothing left to mend".into(),
        some => format!("{some} left"),
    }
}

/// The width of the terminal, within reason.
fn console_width() -> usize {
    terminal_width().min(120)
}

/// The width of the terminal that standard error is; 80 where that is not known.
pub fn terminal_width() -> usize {
    let (_, columns) = console::Term::stderr().size();
    usize::from(columns).max(40)
}

/// One diagnostic, drawn.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, width: usize, color: bool) -> String {
    told(&Drawing { width, color }, &Reported::new(diagnostic, sources))
}

/// One diagnostic in sentences.
pub fn narrate(diagnostic: &Diagnostic, sources: &Sources) -> String {
    told(&NarratableReportHandler::new(), &Reported::new(diagnostic, sources))
}

/// The text that a handler makes of a report.
fn told(handler: &dyn ReportHandler, report: &dyn Protocol) -> String {
    struct Told<'a>(&'a dyn ReportHandler, &'a dyn Protocol);
    impl Display for Told<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.debug(self.1, f)
        }
    }
    Told(handler, report).to_string()
}

/// Draws reports.
#[derive(Clone, Copy, Debug)]
struct Drawing {
    /// Columns that nothing is wider than.
    width: usize,
    /// Whether a terminal shows colours.
    color: bool,
}

impl ReportHandler for Drawing {
    fn debug(&self, report: &dyn Protocol, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, blame) = match report.severity() {
            Some(miette::Severity::Error) | None => ("error", 31),
            Some(miette::Severity::Warning) => ("warning", 33),
            Some(miette::Severity::Advice) => ("advice", 36),
        };
        let paint = Paint { color: self.color, blame };
        let code = report.code().map_or(String::new(), |code| format!("[{code}]"));
        let mut text = String::new();
        self.push_wrapped(&mut text, &format!("{word}{code}: "), &report.to_string(), |head| {
            paint.paint(blame, head)
        });
        self.push_snippet(&mut text, report, paint);
        let related = || report.related().into_iter().flatten();
        let is = |report: &dyn Protocol, kind: &str| {
            report.code().is_some_and(|code| code.to_string() == kind)
        };
        for elsewhere in related().filter(|it| is(*it, ELSEWHERE)) {
            self.push_snippet(&mut text, elsewhere, paint);
        }
        let plain = |word: &str| paint.paint(FRAME, word);
        for note in related().filter(|it| !is(*it, ELSEWHERE) && !is(*it, FIX)) {
            self.push_wrapped(&mut text, "  note: ", &note.to_string(), plain);
        }
        let help = report.help().map_or(String::new(), |help| help.to_string());
        for line in help.lines() {
            self.push_wrapped(&mut text, "  help: ", line, plain);
        }
        for fix in related().filter(|it| is(*it, FIX)) {
            self.push_fix(&mut text, fix, paint);
        }
        f.write_str(&text)
    }
}

impl Drawing {
    /// Appends a text behind a word, broken between words; further lines stand under the first.
    fn push_wrapped(
        &self,
        text: &mut String,
        word: &str,
        says: &str,
        painted: impl Fn(&str) -> String,
    ) {
        let indent = console::measure_text_width(word);
        let rows = wrapped(&visible_lines(says), self.width - indent);
        for (index, row) in rows.into_iter().enumerate() {
            let begin = if index == 0 { painted(word) } else { " ".repeat(indent) };
            text.push_str(format!("{begin}{row}").trim_end());
            text.push('\n');
        }
    }

    /// The labelled lines of a report's text, if it has any.
    fn push_snippet(&self, text: &mut String, report: &dyn Protocol, paint: Paint) {
        if let Some((source, labels)) = labelled(report) {
            snippet::push(text, &source, &labels, self.width, paint);
        }
    }

    /// A fix as the lines that it changes.
    fn push_fix(&self, text: &mut String, fix: &dyn Protocol, paint: Paint) {
        const INDENT: usize = 7;
        self.push_wrapped(text, "  fix: ", &fix.to_string(), |word| paint.paint(GREEN, word));
        let Some((source, edits)) = labelled(fix) else { return };
        let edit = |edit: &LabeledSpan| edit.offset()..edit.offset() + edit.len();
        let edits = edits.iter().map(|it| (edit(it), it.label().unwrap_or_default()));
        for line in diff::lines(&source.text, &replaced(&source.text, edits)) {
            let code = if line.removed { RED } else { GREEN };
            let shown = diff::around(&line, self.width - INDENT);
            text.push_str(&format!("{:INDENT$}{}\n", "", paint.paint(code, &shown)));
        }
    }
}

/// A report's labels, and the whole text that they are in.
fn labelled(report: &dyn Protocol) -> Option<(snippet::SnippetSource, Vec<LabeledSpan>)> {
    let labels: Vec<LabeledSpan> = report.labels()?.collect();
    // All lines before a label and behind it are the text from its beginning.
    let first = labels.first()?.inner();
    let contents = report.source_code()?.read_span(first, usize::MAX, usize::MAX).ok()?;
    let name = contents.name().unwrap_or_default().to_owned();
    let text = String::from_utf8_lossy(contents.data()).into_owned();
    Some((snippet::SnippetSource { name, text }, labels))
}

const RED: u8 = 31;
const GREEN: u8 = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Span;

    fn example() -> (Sources, Diagnostic) {
        let mut sources = Sources::new();
        let main = sources.add("main.nn", "model m(x: f32[N, 4]) { x |> relux }\n");
        let other = sources.add("other.nn", "layer relu2(x) { x }\n");
        let diagnostic = Diagnostic::error("E0102", "unknown layer `relux`")
            .primary(Span::new(main, 29, 34), "not found")
            .label(Span::new(other, 6, 11), "a layer of a similar name")
            .help("did you mean `relu`?")
            .note("a fact that is long enough to need a second line ".repeat(3));
        (sources, diagnostic)
    }

    #[test]
    fn a_report_shows_the_line_the_label_the_help_and_the_other_file() {
        let (sources, diagnostic) = example();
        let text = render(&diagnostic, &sources, 100, false);
        for part in [
            "error[E0102]: unknown layer",
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

    #[test]
    fn a_narration_has_the_same_in_sentences() {
        let (sources, diagnostic) = example();
        let text = narrate(&diagnostic, &sources);
        for part in [
            "unknown layer `relux`\n    Diagnostic severity: error",
            "Begin snippet for main.nn starting at line 1, column 1",
            "label at line 1, columns 30 to 34: not found",
            "diagnostic help: did you mean `relu`?",
            "Advice: see other.nn",
            "a layer of a similar name",
            "Advice: a fact",
        ] {
            assert!(text.contains(part), "{part} is missing from\n{text}");
        }
    }
}
