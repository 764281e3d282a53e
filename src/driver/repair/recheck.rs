//! A program checked again with edits: whether a mistake is gone, and what the program comes to.
//!
//! Only what an edit changes is done again: of a file that uses the same others as before, the text is
//! parsed and the program elaborated; else all files are read again.

use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::fix::{Edit, Fix, apply, moved};
use crate::base::limits::Budget;
use crate::base::source::{FileId, Sources};
use crate::driver::checked::ParsedProgram;
use crate::driver::session::{Failure, Request, Search, Session};
use crate::driver::source::Schemas;
use crate::elaborate::{self, Experiment, Tolerated};
use crate::repair;
use crate::syntax;
use std::path::PathBuf;

/// A finding that is to be mended, among all that were there before, and the steps that may be taken.
pub(super) struct Mistake<'a> {
    pub before: &'a [Diagnostic],
    pub finding: &'a Diagnostic,
    pub budget: &'a Budget,
}

/// Hash of a program's graphs: equal ones compute the same.
pub(super) type Meaning = blake3::Hash;

/// A program to check again with edits.
pub(super) struct Recheck<'r> {
    pub request: &'r Request,
    pub sources: Sources,
    pub parsed: ParsedProgram,
    pub schemas: Schemas,
    pub unread: bool,
    /// The search that this is part of.
    pub search: Search,
}

impl Recheck<'_> {
    /// Whether the finding is gone with these edits, and nothing else has come: then what the program
    /// means, where all of it means something.
    pub fn holds(&mut self, mistake: &Mistake<'_>, fix: &Fix) -> Option<Option<Meaning>> {
        let (new, meaning) = self.with(mistake, fix)?;
        let errors_only = mistake.finding.severity == Severity::Error;
        let counts = |it: &Diagnostic| !errors_only || it.severity == Severity::Error;
        (!new.iter().any(counts)).then_some(meaning)
    }

    /// The findings that a fix adds, and the program's meaning, where all of it has one; `None`
    /// where the finding itself is still there.
    pub fn with(
        &mut self,
        mistake: &Mistake<'_>,
        fix: &Fix,
    ) -> Option<(Vec<Diagnostic>, Option<Meaning>)> {
        let file = fix.file()?;
        let (gone, tolerated) = tolerated(mistake.before, mistake.finding, fix);
        let text = apply(&self.sources.file(file).text, &fix.edits);
        let (mut found, meaning) = self.findings(file, text, &tolerated, mistake.budget).ok()?;
        if found.iter().any(|it| gone.is(it)) {
            return None;
        }
        found.retain(|it| !tolerated.iter().any(|known| known.is(it)));
        Some((found, meaning))
    }

    /// Whether a fix makes the text another one.
    pub fn changes(&self, fix: &Fix) -> bool {
        fix.edits.iter().any(|edit| self.sources.text(edit.span) != edit.text)
    }

    /// Whether a fix of a text only takes an operator away: what was to follow it is missing.
    pub fn takes_sign(&self, fix: &Fix) -> bool {
        const SIGNS: [&str; 9] = ["|>", "+", "-", "*", "/", "@", "^", "=", "<-"];
        let gone = |edit: &Edit| {
            edit.text.trim().is_empty() && SIGNS.contains(&self.sources.text(edit.span).trim())
        };
        fix.edits.iter().any(gone)
    }

    /// Whether a fix takes away what the author has written.
    pub fn takes_away(&self, fix: &Fix) -> bool {
        let Some(file) = fix.file() else { return false };
        let Some(before) = self.parsed.files.iter().find(|it| it.id == file) else { return false };
        let mut sources = self.sources.clone();
        sources.replace(file, apply(&self.sources.file(file).text, &fix.edits));
        match syntax::parse(&sources, file) {
            Ok(after) => repair::takes_away(before, &after),
            Err(_) => false,
        }
    }

    /// The tokens that are parsed again for a fix.
    pub fn parsed_again(&self, fix: &Fix) -> usize {
        let measured = |id: FileId, text: &str| syntax::measure(id, text).unwrap_or_default();
        let users = self.sources.iter().filter(|(_, file)| !file.builtin);
        let concerned = users.filter(|(id, _)| self.unread || fix.file() == Some(*id));
        concerned.map(|(id, file)| measured(id, &file.text)).sum()
    }

    /// The findings in the program with another text in one file's place.
    fn findings(
        &mut self,
        file: FileId,
        text: String,
        tolerated: &[Tolerated],
        budget: &Budget,
    ) -> Result<(Vec<Diagnostic>, Option<Meaning>), Failure> {
        let before = self.sources.file(file).text.clone();
        self.sources.replace(file, text);
        let found = match syntax::parse(&self.sources, file) {
            Err(errors) => Ok((errors, None)),
            Ok(tree) => {
                let position = self.parsed.files.iter().position(|it| it.id == file);
                let same_uses = position.is_some_and(|at| {
                    paths(&elaborate::uses(&self.parsed.files[at]))
                        == paths(&elaborate::uses(&tree))
                });
                match position.filter(|_| same_uses && !self.unread) {
                    Some(at) => {
                        let old = std::mem::replace(&mut self.parsed.files[at], tree);
                        let found = self.elaborated(tolerated, budget);
                        self.parsed.files[at] = old;
                        found
                    }
                    None => self.read_again(budget).map(|found| (found, None)),
                }
            }
        };
        self.sources.replace(file, before);
        found
    }

    fn elaborated(
        &mut self,
        tolerated: &[Tolerated],
        budget: &Budget,
    ) -> Result<(Vec<Diagnostic>, Option<Meaning>), Failure> {
        let mut session = Session::default();
        session.sources = std::mem::take(&mut self.sources);
        let tolerated = Some(tolerated.to_vec());
        let checked =
            session.check_within(&self.parsed, self.request, &mut self.schemas, tolerated, budget);
        self.sources = session.sources;
        let mut checked = checked?;
        checked.errors.append(&mut checked.warnings);
        Ok((checked.errors, checked.experiment.as_ref().map(meaning)))
    }

    /// The same where what is read changes: all files are read again.
    fn read_again(&mut self, budget: &Budget) -> Result<Vec<Diagnostic>, Failure> {
        let users = self.sources.iter().filter(|(_, file)| !file.builtin);
        let texts: Vec<(FileId, PathBuf, String)> =
            users.map(|(id, file)| (id, PathBuf::from(&file.name), file.text.clone())).collect();
        let Some((_, _, text)) = texts.first() else { return Ok(Vec::new()) };
        let text = text.clone();
        let instead = texts.into_iter().map(|(_, path, text)| (path, text)).collect();
        let mut session = Session::default();
        session.overlays = instead;
        session.prelude = Some(self.parsed.prelude.clone());
        let (_, mut checked) =
            session.parse_and_check_within(text, self.request, &mut self.schemas, budget)?;
        checked.errors.append(&mut checked.warnings);
        Ok(checked.errors)
    }
}

fn meaning(experiment: &Experiment) -> Meaning {
    let mut hasher = blake3::Hasher::new();
    for graph in [&experiment.train, &experiment.eval] {
        hasher.update(graph.to_string().as_bytes());
    }
    if let Some(training) = &experiment.training {
        hasher.update(format!("{:?}", training.rule).as_bytes());
    }
    hasher.finalize()
}

/// A finding and the others, where they stand once a fix is made.
pub(super) fn tolerated(
    before: &[Diagnostic],
    finding: &Diagnostic,
    fix: &Fix,
) -> (Tolerated, Vec<Tolerated>) {
    let known = |other: &Diagnostic| Tolerated {
        code: other.code,
        message: other.message.clone(),
        place: other.place().map(|place| moved(place, &fix.edits)),
    };
    let others = before.iter().filter(|other| *other != finding);
    (known(finding), others.map(known).collect())
}

fn paths(uses: &[elaborate::Use]) -> Vec<&str> {
    uses.iter().map(|step| step.path.as_str()).collect()
}
