//! Fixes of a text that does not parse: an edit for a slip, together with those for the slips behind
//! it, and for what is found once the text can be read.
//!
//! ```text
//! dense(64, activation='relu', use_bias=False)
//!     =  →  :        then  '  →  "        then  =  →  :   …   then  activation: … → |> relu
//! ```
//!
//! In: the program and one edit. Out: one fix with all edits, checked where the program is sound
//! with them. The parser reports one mistake an item, so that the next one shows only when the first
//! is mended; each must stand further on than the one before, so that this ends.

use super::findings;
use super::recheck::tolerated;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::fix::{Edit, Fix, apply, moved};
use crate::base::limits::Budget;
use crate::base::source::{FileId, SourceFile, Sources, Span};
use crate::driver::session::{Request, Search, Session};
use crate::elaborate::Tolerated;
use crate::repair;
use crate::syntax;
use crate::syntax::ast::File;
use std::path::PathBuf;
use std::sync::Arc;

/// How many slips one fix mends.
const MOST_SLIPS: usize = 16;
/// Largest cost of an edit that is made along with another.
const LIKELY: u32 = 12;
/// How many such edits are tried for each slip.
const MOST_TRIED: usize = 12;
/// How many mistakes are mended behind an edit.
const MOST_BEHIND: usize = 6;

/// The program around a fix, and what looking behind it may take.
pub(super) struct Around<'a> {
    pub request: &'a Request,
    /// The program as it is.
    pub sources: &'a Sources,
    /// The search that the fix was found in.
    pub search: Search,
    /// The prelude's tree.
    pub prelude: &'a Option<Arc<File>>,
    /// Steps that are left for all that is looked at.
    pub budget: &'a Budget,
}

impl Around<'_> {
    /// A session in which a file has another text, and all else stands as it is.
    pub fn with(&self, file: FileId, text: String) -> Session {
        let mut session = Session::default();
        (session.search, session.prelude) = (self.search.inner(), self.prelude.clone());
        let users = self.sources.iter().filter(|(_, it)| !it.builtin);
        let instead = |(id, it): (FileId, &SourceFile)| {
            let text = if id == file { text.clone() } else { it.text.clone() };
            (PathBuf::from(&it.name), text)
        };
        session.overlays = users.map(instead).collect();
        session
    }
}

/// A text with edits made one after the other.
pub(super) struct Mended<'a> {
    file: FileId,
    before: &'a str,
    pub text: String,
    titles: Vec<String>,
}

impl<'a> Mended<'a> {
    /// Another text in a file's place.
    pub fn into(file: FileId, before: &'a str, text: String) -> Mended<'a> {
        Mended { file, before, text, titles: Vec::new() }
    }

    /// Mends what is left until the program is sound; whether it is.
    pub fn is_sound(&mut self, around: &Around<'_>) -> bool {
        parsed(self, around.sources, Vec::new(), 0) == Some(true)
            && sound(self, around, Vec::new()) == Some(true)
    }

    /// The text that an edit is about, with the edit made.
    fn by(edit: &Fix, sources: &'a Sources) -> Option<Mended<'a>> {
        let file = edit.file()?;
        let before = &sources.file(file).text;
        let mut mended = Mended { file, before, text: before.clone(), titles: Vec::new() };
        mended.make(edit);
        Some(mended)
    }

    pub fn make(&mut self, fix: &Fix) {
        self.text = apply(&self.text, &fix.edits);
        if !self.titles.contains(&fix.title) {
            self.titles.push(fix.title.clone());
        }
    }

    /// All that was done as one fix of the text as it was.
    pub fn fix(&self) -> Fix {
        Fix::new(self.titles.join("; "), vec![difference(self.file, self.before, &self.text)])
    }
}

/// The fix that an edit of a text begins, whose mistake is `finding`, one of those in `known`. None
/// where the text does not parse with it. `sources` stay as they are.
pub(super) fn mended(
    around: &Around<'_>,
    known: &[Diagnostic],
    (finding, edit): (&Diagnostic, &Fix),
) -> Option<Fix> {
    let mut mended = Mended::by(edit, around.sources)?;
    let (_, others) = tolerated(known, finding, edit);
    let start = finding.place().map_or(0, |place| place.start);
    let all = parsed(&mut mended, around.sources, others, start)?;
    let mut slips = mended.fix();
    if !all {
        slips.checked = true;
        return Some(slips);
    }
    if around.search.looks_behind() && sound(&mut mended, around, Vec::new())? {
        let mut fix = mended.fix();
        fix.checked = true;
        return Some(fix);
    }
    Some(slips)
}

/// The fix of a name that means nothing, with those for what is found behind it once it means
/// something: `Adam(learning_rate: 1e-3)`. None where more is wrong than before; `known` is what is
/// found in the program as it is, `finding` one of it.
pub(super) fn followed(
    around: &Around<'_>,
    known: &[Diagnostic],
    (finding, edit): (&Diagnostic, &Fix),
) -> Option<Fix> {
    let mut mended = Mended::by(edit, around.sources)?;
    let (_, others) = tolerated(known, finding, edit);
    let mut fix = sound(&mut mended, around, others)?.then(|| mended.fix())?;
    fix.checked = true;
    Some(fix)
}

/// Mends slips until the text parses. Whether all of it does, or other items of it do not, whose
/// mistakes have fixes of their own.
fn parsed(
    mended: &mut Mended<'_>,
    sources: &Sources,
    mut others: Vec<Tolerated>,
    mut last: u32,
) -> Option<bool> {
    let mut sources = sources.clone();
    for _ in 0..MOST_SLIPS {
        sources.replace(mended.file, mended.text.clone());
        let errors = match syntax::parse(&sources, mended.file) {
            Ok(_) => return Some(true),
            Err(errors) => errors,
        };
        let Some(next) = first(&errors, &others) else { return Some(false) };
        last = next.place().filter(|place| place.start > last)?.start;
        let candidates = repair::textual(&sources, next).into_iter();
        let likely = candidates.take_while(|it| it.cost <= LIKELY).take(MOST_TRIED);
        let fixes = likely.map(|it| it.fix).filter(|fix| fix.file() == Some(mended.file));
        let fix = fixes.into_iter().find(|fix| leads_on(mended, &sources, &others, last, fix))?;
        others = others.iter().map(|other| after(other, &fix)).collect();
        mended.make(&fix);
    }
    None
}

/// The first of the mistakes that is none of the others.
fn first<'e>(errors: &'e [Diagnostic], others: &[Tolerated]) -> Option<&'e Diagnostic> {
    errors.iter().find(|it| !others.iter().any(|other| other.is(it)))
}

/// A mistake of another item, once a fix is made.
fn after(other: &Tolerated, fix: &Fix) -> Tolerated {
    Tolerated { place: other.place.map(|place| moved(place, &fix.edits)), ..other.clone() }
}

/// Whether a text with one more fix parses, or does not only further on.
fn leads_on(
    mended: &Mended,
    sources: &Sources,
    others: &[Tolerated],
    last: u32,
    fix: &Fix,
) -> bool {
    let mut sources = sources.clone();
    sources.replace(mended.file, apply(&mended.text, &fix.edits));
    let others: Vec<Tolerated> = others.iter().map(|other| after(other, fix)).collect();
    match syntax::parse(&sources, mended.file) {
        Ok(_) => true,
        Err(errors) => first(&errors, &others)
            .is_none_or(|next| next.place().is_some_and(|place| place.start > last)),
    }
}

/// Mends what is found in a text that parses, but for the others. Whether no more is wrong then. The
/// search must look behind its fixes.
fn sound(mended: &mut Mended<'_>, around: &Around<'_>, mut others: Vec<Tolerated>) -> Option<bool> {
    let Around { request, sources, budget, .. } = *around;
    let path = PathBuf::from(&sources.file(mended.file).name);
    for _ in 0..=MOST_BEHIND {
        let mut session = around.with(mended.file, mended.text.clone());
        let found = findings(&mut session, request, budget).ok()?;
        let is_new = |it: &&Diagnostic| {
            it.severity == Severity::Error && !others.iter().any(|other| other.is(it))
        };
        let Some(error) = found.iter().find(is_new) else { return Some(true) };
        let own = |fix: &&Fix| {
            let named = fix.file().map(|file| PathBuf::from(&session.sources.file(file).name));
            fix.checked && fix.automatic && named.as_ref() == Some(&path)
        };
        let Some(fix) = error.fixes.iter().find(own) else { return Some(false) };
        others = others.iter().map(|other| after(other, fix)).collect();
        mended.make(fix);
    }
    Some(false)
}

/// The one edit that makes a text another one.
fn difference(file: FileId, before: &str, after: &str) -> Edit {
    let same = |a: std::str::Chars<'_>, b: std::str::Chars<'_>| -> usize {
        a.zip(b).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
    };
    let start = same(before.chars(), after.chars());
    let (left, right) = (&before[start..], &after[start..]);
    let reversed = left.chars().rev().zip(right.chars().rev());
    let end: usize = reversed.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    Edit {
        span: Span::new(file, start, before.len() - end),
        text: right[..right.len() - end].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_edit_makes_a_text_another() {
        let file = Sources::new().add("a.nn", "");
        for (before, after) in
            [("a = b", "a: b"), ("", "x"), ("aaa", "aa"), ("µ'x'", "µ\"x\""), ("same", "same")]
        {
            let edit = difference(file, before, after);
            assert_eq!(apply(before, [&edit]), after);
        }
    }
}
