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
//! Labels in another file than the primary one are shown below it, as lines of that file. The width
//! is the terminal's, or 100 columns where standard error is not a terminal, so that what a pipe
//! sees does not depend on the window; nothing is wider.

use super::diff;
use super::snippet::{self, FRAME, Paint, wrapped};
use crate::base::diagnostic::{Diagnostic, Label, Severity};
use crate::base::fix::{Fix, apply};
use crate::base::shown::visible_lines;
use crate::base::source::{FileId, Sources};
use std::io::IsTerminal;

/// The width of reports that no terminal shows.
const PIPED_WIDTH: usize = 100;

/// Prints diagnostics on standard error.
pub fn print(diagnostics: &[Diagnostic], sources: &Sources) {
    let terminal = std::io::stderr().is_terminal();
    let color = terminal && std::env::var_os("NO_COLOR").is_none();
    let width = if terminal { console_width() } else { PIPED_WIDTH };
    for diagnostic in diagnostics {
        super::write::painted(&render(diagnostic, sources, width, color));
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

/// What is left after fixes: `2 errors left`, or that nothing is.
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

/// One diagnostic as text.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, width: usize, color: bool) -> String {
    let (word, blame) = match diagnostic.severity {
        Severity::Error => ("error", 31),
        Severity::Warning => ("warning", 33),
    };
    let paint = Paint { color, blame };
    let mut text = String::new();
    let head = format!("{word}[{}]: ", diagnostic.code);
    push_wrapped(&mut text, &head, &diagnostic.message, width, |head| paint.paint(blame, head));
    for file in files(diagnostic) {
        let labels: Vec<&Label> =
            diagnostic.labels.iter().filter(|label| label.span.file == file).collect();
        snippet::push(&mut text, (file, &labels), sources, width, paint);
    }
    let plain = |word: &str| paint.paint(FRAME, word);
    for note in &diagnostic.notes {
        push_wrapped(&mut text, "  note: ", note, width, plain);
    }
    for line in diagnostic.help.iter().flat_map(|help| help.lines()) {
        push_wrapped(&mut text, "  help: ", line, width, plain);
    }
    for fix in &diagnostic.fixes {
        push_fix(&mut text, fix, sources, width, paint);
    }
    text
}

/// The files that labels point into, that of the primary one first.
fn files(diagnostic: &Diagnostic) -> Vec<FileId> {
    let mut files: Vec<FileId> = diagnostic.place().map(|place| place.file).into_iter().collect();
    for label in &diagnostic.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    files
}

/// Appends a text behind a word, broken between words; further lines stand under the first.
fn push_wrapped(
    text: &mut String,
    word: &str,
    says: &str,
    width: usize,
    painted: impl Fn(&str) -> String,
) {
    let indent = console::measure_text_width(word);
    for (index, row) in wrapped(&visible_lines(says), width - indent).into_iter().enumerate() {
        let begin = if index == 0 { painted(word) } else { " ".repeat(indent) };
        text.push_str(format!("{begin}{row}").trim_end());
        text.push('\n');
    }
}

/// A fix as the lines that it changes.
fn push_fix(text: &mut String, fix: &Fix, sources: &Sources, width: usize, paint: Paint) {
    const INDENT: usize = 7;
    let Some(file) = fix.file() else { return };
    let source = sources.file(file);
    let checked = match (fix.checked, fix.automatic) {
        (true, true) => " (checked)",
        (true, false) => " (checked; `--fix` does not make it)",
        (false, _) => "",
    };
    let title = format!("{}{checked}", fix.title);
    push_wrapped(text, "  fix: ", &title, width, |word| paint.paint(GREEN, word));
    for line in diff::lines(&source.text, &apply(&source.text, &fix.edits)) {
        let code = if line.removed { RED } else { GREEN };
        let shown = diff::around(&line, width - INDENT);
        text.push_str(&format!("{:INDENT$}{}\n", "", paint.paint(code, &shown)));
    }
}

const RED: u8 = 31;
const GREEN: u8 = 32;

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
}
