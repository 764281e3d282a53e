//! Fixes of findings as code actions: those that were checked, as `nnc check` offers them.
//!
//! Looking for them takes much longer than finding the mistake, so it is done for the findings that are
//! asked about, once for each state of the text.

use super::analysis::Analyst;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::Fix;
use crate::base::limits::{self, Budget};
use crate::base::source::Sources;
use crate::driver::repair::fixes_of;
use crate::driver::{Request, each_model};

/// Steps of the search for fixes at one place: a part of what `nnc check` takes for a whole program.
const STEPS: usize = limits::FIX_STEPS / 4;

/// The fixes of one finding, and the texts that they edit.
#[derive(Clone, Debug)]
pub(super) struct FoundFixes {
    pub finding: Diagnostic,
    pub fixes: Vec<Fix>,
    pub sources: Sources,
}

/// The fixes that hold of these findings.
pub(super) fn fixes(
    analyst: &Analyst,
    request: &Request,
    findings: &[Diagnostic],
) -> Vec<FoundFixes> {
    let mut found: Vec<FoundFixes> = Vec::new();
    let mut session = analyst.session();
    let requests = each_model(&mut session, request).unwrap_or_else(|_| vec![request.clone()]);
    let budget = Budget::new(STEPS);
    let same = |a: &Diagnostic, b: &Diagnostic| {
        (a.code, a.place(), &a.message) == (b.code, b.place(), &b.message)
    };
    for request in requests {
        let mut own = session.beside();
        let is_wanted = |it: &Diagnostic| {
            findings.iter().any(|wanted| same(wanted, it))
                && !found.iter().any(|known| same(&known.finding, it))
        };
        let schemas = analyst.schemas();
        let Ok(all) = fixes_of(&mut own, &request, schemas, &budget, is_wanted) else { continue };
        let new: Vec<Diagnostic> = all.into_iter().filter(|it| is_wanted(it)).collect();
        for finding in new {
            let fixes = finding.fixes.iter().filter(|fix| fix.checked).cloned().collect();
            found.push(FoundFixes { finding, fixes, sources: own.sources.clone() });
        }
    }
    found
}
