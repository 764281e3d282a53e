//! Programs in the manner of other frameworks: read as what is meant, checked as a whole, and then one
//! report and one fix a line.
//!
//! ```text
//! Conv2D(32, kernel_size=3, activation='relu')     one error, one fix: conv(32, 3) |> relu
//! ```
//!
//! In: a program with errors. Out: what to report in place of them, where the program as it is read is
//! sound; where that takes other fixes too, all of it is one fix. Lines that mean nothing without each
//! other are one part, with one report.

use super::slips::{Around, Mended};
use crate::base::codes;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::fix::{Edit, Fix};
use crate::base::limits::Budget;
use crate::base::source::{FileId, Span};
use crate::driver::session::{Request, Session};
use crate::repair::habits::{self, Part, Translation};
use std::path::PathBuf;

/// Longest text of a line's fix that its title shows.
const SHOWN: usize = 60;

/// What is found in a program that is written as elsewhere; `None` where it is not, or is not sound
/// as it is read.
pub(super) fn findings(
    session: &Session,
    request: &Request,
    errors: &[Diagnostic],
    budget: &Budget,
) -> Option<Vec<Diagnostic>> {
    if errors.is_empty() || !session.search.reads_habits() {
        return None;
    }
    let (file, source) = session.sources.iter().find(|(_, file)| !file.builtin)?;
    let around = Around { request, sources: &session.sources, search: session.search, budget };
    let translated = habits::translated(&source.text);
    let turned = match &translated {
        // Axes are turned in what else is written as here.
        Some(translation) => habits::turned(&translation.text).map(|turned| turned.text),
        None => None,
    };
    if let Some(translation) = &translated
        && let Some(found) = as_read(&around, (file, &source.text), translation, errors)
    {
        return Some(found);
    }
    let parts = Vec::new();
    let turned = match turned {
        Some(text) => Translation { text, parts },
        None => habits::turned(&source.text)?,
    };
    as_read(&around, (file, &source.text), &turned, errors)
}

/// What to report of a text that is read as another one; `None` where that is not sound.
fn as_read(
    around: &Around<'_>,
    (file, before): (FileId, &str),
    translation: &Translation,
    errors: &[Diagnostic],
) -> Option<Vec<Diagnostic>> {
    let mut mended = Mended::into(file, before, translation.text.clone());
    if !mended.is_sound(around) {
        return None;
    }
    without_softmax(around, &mut mended, (file, before));
    let mut found: Vec<Diagnostic> = Vec::new();
    if mended.text == translation.text && !translation.parts.is_empty() {
        for part in &translation.parts {
            found.push(report(file, before, part, errors));
        }
        return Some(found);
    }
    let whole = mended.fix();
    let place = whole.edits.first().map(|edit| edit.span)?;
    let range = place.start as usize..place.end as usize;
    let edits = whole.edits.into_iter().map(|edit| (range.clone(), edit.text)).collect();
    Some(vec![report(file, before, &Part { place: range, edits }, errors)])
}

/// The report of a part: the first error in it, or one that says what kind of line it is.
fn report(file: FileId, before: &str, part: &Part, errors: &[Diagnostic]) -> Diagnostic {
    let start = before[..part.place.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = before[part.place.end..].find('\n').map_or(before.len(), |at| part.place.end + at);
    let lines = Span::new(file, start, end);
    let own = errors.iter().find(|error| {
        let place = error.place();
        error.severity == Severity::Error && place.is_some_and(|place| lines.contains(place))
    });
    let mut report = own.cloned().unwrap_or_else(|| {
        let line = before[part.place.clone()].lines().find(|line| !line.trim().is_empty());
        let shown = line.map_or(0, |line| {
            let at = line.as_ptr() as usize - before.as_ptr() as usize;
            at + line.len() - line.trim_start().len()
        });
        let length = line.map_or(0, |line| line.trim().len());
        Diagnostic::error(codes::FOREIGN_HABIT, "a line is written as in another framework")
            .primary(Span::new(file, shown, shown + length), "another framework's manner")
    });
    report.fixes = vec![fix(file, part)];
    report
}

/// The edits of a part as a fix, which has been checked with all others.
fn fix(file: FileId, part: &Part) -> Fix {
    let edits = part.edits.iter().map(|(place, text)| Edit {
        span: Span::new(file, place.start, place.end),
        text: text.clone(),
    });
    let title = match &part.edits[..] {
        [(_, text)] if text.len() <= SHOWN && !text.trim().is_empty() && !text.trim().contains('\n') => {
            format!("write `{}`", text.trim())
        }
        _ => "write it as it is written here".to_owned(),
    };
    let mut fix = Fix::new(title, edits.collect());
    fix.checked = true;
    fix
}

/// Takes the softmax of a head away where the loss has its own, as elsewhere it is not written so; one
/// that stood in the text as it is here is its author's.
fn without_softmax(around: &Around<'_>, mended: &mut Mended<'_>, (file, before): (FileId, &str)) {
    if !mended.text.contains("softmax") {
        return;
    }
    let mut session = Session::default();
    session.search = around.search.inner();
    let name = PathBuf::from(&around.sources.file(file).name);
    session.overlays = vec![(name, mended.text.clone())];
    let Ok(found) = super::findings(&mut session, around.request, around.budget) else { return };
    for finding in found.iter().filter(|it| it.code == codes::SOFTMAX_TWICE) {
        let Some(place) = finding.place() else { continue };
        let text = &session.sources.file(place.file).text;
        let line = text[place.start as usize..].lines().next().unwrap_or_default();
        let start = text[..place.start as usize].rfind('\n').map_or(0, |newline| newline + 1);
        let line = format!("{}{line}", &text[start..place.start as usize]);
        let is_new = !before.lines().any(|own| own == line);
        if let Some(fix) = finding.fixes.iter().find(|fix| fix.checked && is_new) {
            mended.make(fix);
            return;
        }
    }
}
