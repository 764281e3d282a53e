//! Makes fixes: of each finding the first one that is certain, the program checked again after each.

use super::findings;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::fix::{Fix, apply};
use crate::base::limits::{self, Budget};
use crate::base::source::{SourceFile, Sources};
use crate::driver::session::{Failure, Request, Session};
use std::path::PathBuf;

/// How many fixes are made at most: each takes a finding away.
const MOST_MADE: usize = 200;
/// How many searches' steps are taken for all of them.
const ROUNDS: usize = 3;

/// A program with fixes made.
#[derive(Debug, Default)]
pub struct Fixed {
    /// The files that change.
    pub changed: Vec<Changed>,
    /// One line for each fix that was made.
    pub made: Vec<String>,
    /// The findings that are left with them.
    pub left: Vec<Diagnostic>,
    /// The texts with them.
    pub sources: Box<Sources>,
}

/// A file that fixes change.
#[derive(Debug)]
pub struct Changed {
    /// Where it is.
    pub path: PathBuf,
    /// Its text.
    pub before: String,
    /// Its text with the fixes made.
    pub after: String,
}

/// Makes each finding's first fix, checking again after each, until none is left that has one.
/// Writes nothing.
pub fn fix(request: &Request) -> Result<Fixed, Failure> {
    let mut fixed = Fixed::default();
    let mut of_habits = false;
    let budget = Budget::new(ROUNDS * limits::FIX_STEPS);
    loop {
        let mut session = Session::default();
        let texts = fixed.changed.iter().map(|it| (it.path.clone(), it.after.clone()));
        session.overlays = texts.collect();
        let search = Budget::new(limits::FIX_STEPS.min(budget.left()));
        let found = findings(&mut session, request, &search)?;
        // What it took to check the program as it is comes on top of the search.
        budget.spend(search.spent() + session.steps);
        // A warning of lines that were written as elsewhere is news to their author: not mended unseen.
        let is_wanted = |it: &&Diagnostic| !of_habits || it.severity == Severity::Error;
        let first = found.iter().filter(is_wanted).find_map(first_made);
        let Some(fix) = first.filter(|_| fixed.made.len() < MOST_MADE && !budget.is_empty()) else {
            fixed.left = found;
            fixed.sources = Box::new(session.sources);
            return Ok(fixed);
        };
        let Some(file) = fix.file() else { return Ok(fixed) };
        if fix.joint {
            of_habits = true;
            let joint = found.iter().filter_map(first_made).filter(|it| it.joint);
            fixed.make(joint.filter(|it| it.file() == Some(file)), session.sources.file(file));
        } else {
            fixed.make(std::iter::once(fix), session.sources.file(file));
        }
    }
}

/// The fix that is made of a finding.
fn first_made(finding: &Diagnostic) -> Option<&Fix> {
    let made = |fix: &&Fix| fix.automatic && (fix.checked || finding.severity == Severity::Error);
    finding.fixes.first().filter(made)
}

impl Fixed {
    fn make<'f>(&mut self, fixes: impl Iterator<Item = &'f Fix>, source: &SourceFile) {
        let path = PathBuf::from(&source.name);
        let mut edits = Vec::new();
        for fix in fixes {
            self.made.push(fix.title.clone());
            edits.extend(&fix.edits);
        }
        let after = apply(&source.text, edits);
        match self.changed.iter_mut().find(|changed| changed.path == path) {
            Some(changed) => changed.after = after,
            None => self.changed.push(Changed { path, before: source.text.clone(), after }),
        }
    }
}
