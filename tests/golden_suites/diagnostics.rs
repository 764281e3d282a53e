//! Diagnostics as plain text, and the check that each is about a line that says so.
//!
//! ```text
//! error[E0011]: `<-` writes a state; it cannot stand in an expression
//!   --> arrow.nn:2:10: here
//!   fix: write `< -`
//!        if a < -1 {
//! ```

use nnc::base::diagnostic::{Diagnostic, Fix, Severity};
use nnc::base::source::Sources;

/// What an input says on the line of an expected error or warning: `//~ ERROR words`.
const MARK: &str = "//~ ";

/// The diagnostics as text, in their order.
pub fn render(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| render_one(sources, diagnostic)).collect()
}

fn render_one(sources: &Sources, diagnostic: &Diagnostic) -> String {
    let severity = severity(diagnostic);
    let mut text = format!("{severity}[{}]: {}\n", diagnostic.code, diagnostic.message);
    for label in &diagnostic.labels {
        let arrow = if label.primary { "-->" } else { "..." };
        let covered = sources.text(label.span);
        text += &format!("  {arrow} {}: {covered:?} {}\n", sources.place(label.span), label.text);
    }
    for note in &diagnostic.notes {
        text += &format!("  note: {note}\n");
    }
    if let Some(help) = &diagnostic.help {
        text += &format!("  help: {help}\n");
    }
    for fix in &diagnostic.fixes {
        text += &format!("  fix: {}\n", fix.title);
        text += &fixed_lines(sources, fix);
    }
    text
}

fn severity(diagnostic: &Diagnostic) -> &'static str {
    match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// The text of the fix's file with its edits made.
pub fn apply(sources: &Sources, fix: &Fix) -> String {
    let file = fix.edits.first().expect("a fix edits something").span.file;
    let mut text = sources.file(file).text.clone();
    let mut edits: Vec<_> = fix.edits.iter().collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
    for edit in edits {
        text.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.text);
    }
    text
}

/// The lines that a fix changes, as they are afterwards.
fn fixed_lines(sources: &Sources, fix: &Fix) -> String {
    let file = fix.edits.first().expect("a fix edits something").span.file;
    let (before, after) = (&sources.file(file).text, apply(sources, fix));
    similar::TextDiff::from_lines(before.as_str(), after.as_str())
        .iter_all_changes()
        .filter(|change| change.tag() == similar::ChangeTag::Insert)
        .map(|change| format!("       {}\n", change.value().trim_end()))
        .collect()
}

/// Checks that every diagnostic is on a line marked with words of its message, and that every mark
/// has its diagnostic. A mark is `//~ ERROR words` or `//~ WARNING words`.
pub fn check_marks(sources: &Sources, diagnostics: &[Diagnostic]) -> Result<(), String> {
    let mut expected = Vec::new();
    for (file, source) in sources.iter() {
        for (line, text) in source.text.lines().enumerate() {
            if let Some((_, mark)) = text.split_once(MARK) {
                // What a fix is to be is not about a line.
                let about_lines = |mark: &&str| !mark.starts_with("FIX ");
                for mark in mark.split(MARK).filter(about_lines) {
                    expected.push((file, line + 1, mark.trim().to_lowercase()));
                }
            }
        }
    }
    for diagnostic in diagnostics {
        let place = diagnostic.place().ok_or("a diagnostic without a place")?;
        let (line, _) = sources.line_column(place.file, place.start);
        let said = diagnostic.message.to_lowercase();
        let matching = expected.iter().position(|(file, marked, words)| {
            *file == place.file
                && *marked == line
                && words
                    .strip_prefix(severity(diagnostic))
                    .is_some_and(|words| said.contains(words.trim()))
        });
        match matching {
            Some(found) => drop(expected.remove(found)),
            None => {
                return Err(format!(
                    "no `//~` mark on the line of this diagnostic:\n{}",
                    render_one(sources, diagnostic)
                ));
            }
        }
    }
    match expected.first() {
        Some((file, line, words)) => {
            let name = &sources.file(*file).name;
            Err(format!("{name}:{line}: nothing was reported for the mark `{words}`"))
        }
        None => Ok(()),
    }
}
