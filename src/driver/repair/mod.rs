//! Fixes that hold: each candidate edit is made, the program checked again, and kept where the
//! mistake is gone and no other has come.
//!
//! ```text
//! candidates: dense(78) · dense(784) · …     checked again: dense(784) holds
//! ```
//!
//! How much is tried is bounded by work, not by time, so that a program gets the same fixes on any
//! machine, and by the same work whatever the program's size: in a large program each candidate takes
//! more steps of the budget, and fewer are tried.

mod habits;
mod make;
mod recheck;
mod search;
mod slips;

pub use make::{Changed, Fixed, fix};

use crate::base::diagnostic::Diagnostic;
use crate::base::limits::{self, Budget};
use crate::driver::checked::{CheckedProgram, Front, ParsedProgram};
use crate::driver::session::{Failure, Request, Session};
use crate::driver::source::Schemas;
use recheck::{Mistake, Recheck};

impl Session {
    /// Reads and elaborates a program. Where the data's schema cannot be had, that is an error
    /// if `need_data`, and otherwise a warning.
    pub fn front(&mut self, request: &Request, need_data: bool) -> Result<Front, Failure> {
        let text = self.main_text(request)?;
        self.front_of(text, request, need_data)
    }

    /// The same, of a file that has been read.
    pub(crate) fn front_of(
        &mut self,
        text: String,
        request: &Request,
        need_data: bool,
    ) -> Result<Front, Failure> {
        self.sound(text, request, Schemas::new(need_data), &Budget::new(limits::FIX_STEPS))
    }

    /// A program without errors, or the errors; both with the fixes that hold.
    pub(crate) fn sound(
        &mut self,
        text: String,
        request: &Request,
        mut schemas: Schemas,
        fixes: &Budget,
    ) -> Result<Front, Failure> {
        let (parsed, mut checked) = match self.without_errors(&text, request, &mut schemas)? {
            Some(sound) => sound,
            None => self.parse_and_check(text, request, &mut schemas)?,
        };
        if let Some(found) = habits::findings(self, request, &checked.errors, fixes) {
            return Err(self.program_failure(found));
        }
        let mut found = checked.errors.clone();
        found.extend(checked.warnings.clone());
        if !found.is_empty() {
            add_fixes(self, request, parsed, &checked, (schemas, fixes), &mut found);
        }
        if checked.errors.is_empty() {
            checked.warnings = found;
            return checked.front().map_err(|found| self.program_failure(found));
        }
        Err(self.program_failure(found))
    }

    /// A program without errors, checked with no more of the prelude than it reaches. The errors of any
    /// other may be about any item; so may fixes of warnings, which get the whole prelude.
    fn without_errors(
        &mut self,
        text: &str,
        request: &Request,
        schemas: &mut Schemas,
    ) -> Result<Option<(ParsedProgram, CheckedProgram)>, Failure> {
        if self.prelude.is_some() {
            return Ok(None);
        }
        let mut quick = self.beside();
        (quick.reached_only, quick.wanted) = (true, self.wanted.clone());
        let (mut parsed, checked) = quick.parse_and_check(text.to_owned(), request, schemas)?;
        self.trees = std::mem::take(&mut quick.trees);
        if !checked.errors.is_empty() {
            return Ok(None);
        }
        self.add_times(&quick.timings);
        self.steps += quick.steps;
        if let Some(text) = quick.take_printed() {
            self.show(text);
        }
        self.sources = quick.sources;
        if !checked.warnings.is_empty() {
            parsed.prelude = self.whole_prelude(parsed.prelude.id)?;
        }
        Ok(Some((parsed, checked)))
    }
}

/// Everything that is found in a program, with the fixes that hold; of several models, in each.
pub(crate) fn findings(
    session: &mut Session,
    request: &Request,
    fixes: &Budget,
) -> Result<Vec<Diagnostic>, Failure> {
    let mut all = Vec::new();
    for request in each_model(session, request)? {
        let mut own = session.beside();
        let found = match sound(&mut own, &request, fixes) {
            Ok(front) => front.warnings,
            Err(Failure::Program { diagnostics, .. }) => diagnostics,
            Err(failure) => return Err(failure),
        };
        session.sources = own.sources;
        merge(&mut all, found);
    }
    Ok(all)
}

/// Adds what is not known yet: a mistake in what several models share is found in each.
pub fn merge(all: &mut Vec<Diagnostic>, found: Vec<Diagnostic>) {
    for finding in found {
        let same = |other: &Diagnostic| {
            (other.code, other.place(), &other.message)
                == (finding.code, finding.place(), &finding.message)
        };
        if !all.iter().any(same) {
            all.push(finding);
        }
    }
}

/// The request, or where no model is asked for and the file has several, one for each.
pub fn each_model(session: &mut Session, request: &Request) -> Result<Vec<Request>, Failure> {
    let models = match request.model {
        Some(_) => Vec::new(),
        None => session.several_models(request)?,
    };
    if models.is_empty() {
        return Ok(vec![request.clone()]);
    }
    Ok(models.into_iter().map(|model| Request { model: Some(model), ..request.clone() }).collect())
}

/// A program without errors, or the errors with the fixes that hold.
pub(crate) fn sound(
    session: &mut Session,
    request: &Request,
    fixes: &Budget,
) -> Result<Front, Failure> {
    let text = session.main_text(request)?;
    session.sound(text, request, Schemas::as_written(), fixes)
}

/// Everything that is found in a program, of which those that are asked for with the fixes that hold; the
/// others with none.
pub(crate) fn fixes_of(
    session: &mut Session,
    request: &Request,
    mut schemas: Schemas,
    budget: &Budget,
    is_wanted: impl Fn(&Diagnostic) -> bool,
) -> Result<Vec<Diagnostic>, Failure> {
    let text = session.main_text(request)?;
    let (parsed, checked) = session.parse_and_check(text, request, &mut schemas)?;
    let mut found = [checked.errors.clone(), checked.warnings.clone()].concat();
    let others = found.iter_mut().filter(|finding| !is_wanted(finding));
    others.for_each(|finding| finding.fixes.clear());
    let wanted = |finding: &Diagnostic| is_wanted(finding);
    fixes_among(session, request, parsed, &checked, (schemas, budget), &mut found, &wanted);
    Ok(found)
}

/// Gives each finding the fixes that hold, and takes away those that do not.
pub(crate) fn add_fixes(
    session: &Session,
    request: &Request,
    parsed: ParsedProgram,
    checked: &CheckedProgram,
    means: (Schemas, &Budget),
    found: &mut [Diagnostic],
) {
    fixes_among(session, request, parsed, checked, means, found, &|_| true);
}

/// The same of those findings that are wanted.
fn fixes_among(
    session: &Session,
    request: &Request,
    parsed: ParsedProgram,
    checked: &CheckedProgram,
    (schemas, budget): (Schemas, &Budget),
    found: &mut [Diagnostic],
    is_wanted: &dyn Fn(&Diagnostic) -> bool,
) {
    let before = found.to_vec();
    let sources = session.sources.clone();
    let source = checked.source.as_ref();
    let classes = source.and_then(|source| source.schema.as_ref()).and_then(|it| it.classes());
    let (unread, search) = (checked.unread, session.search);
    let mut again = Recheck { request, sources, parsed, schemas, unread, search };
    let mut left = found.iter().filter(|finding| is_wanted(finding)).count();
    for (index, finding) in found.iter_mut().enumerate().filter(|(_, it)| is_wanted(it)) {
        let share = Budget::new(budget.left() / left);
        left -= 1;
        let mistake = Mistake { before: &before, finding: &before[index], budget: &share };
        finding.fixes = again.fixes(&mistake, classes);
        budget.spend(share.spent());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elaborate::Experiment;
    use std::path::Path;

    /// The model's and the optimiser's graphs of a program, with the whole prelude or what is reached.
    fn graphs(file: &Path, reached_only: bool) -> Vec<String> {
        let mut session = Session::default();
        session.reached_only = reached_only;
        let request = Request::new(file);
        let text = session.main_text(&request).unwrap();
        let mut schemas = Schemas::as_written();
        let (parsed, checked) = session.parse_and_check(text, &request, &mut schemas).unwrap();
        assert_eq!(parsed.prelude.items.len() < 60, reached_only, "{}", file.display());
        let Some(Experiment { train, eval, training, .. }) = checked.experiment else {
            return vec![format!("{:?}", checked.errors)];
        };
        let rule = training.map(|training| training.rule.graph.to_string());
        [train.to_string(), eval.to_string()].into_iter().chain(rule).collect()
    }

    #[test]
    fn programs_mean_the_same_with_what_they_reach_of_the_prelude() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = ["models", "examples"].map(|folder| root.join(folder).read_dir().unwrap());
        let mut sound = 0;
        for file in files.into_iter().flatten().map(|entry| entry.unwrap().path()) {
            if file.extension().is_none_or(|ending| ending != "nn") {
                continue;
            }
            let whole = graphs(&file, false);
            assert_eq!(graphs(&file, true), whole, "{}", file.display());
            sound += usize::from(whole.len() > 1);
        }
        assert!(sound > 30, "{sound} programs");
    }

    #[test]
    fn what_is_found_is_said_by_the_whole_prelude() {
        let mut session = Session::default();
        let request = Request::new("t.nn");
        let text = "model m(x: f32[N, 4]) -> f32[N, 2] { x |> desne(2) }".to_owned();
        let Err(Failure::Program { diagnostics, .. }) = session.front_of(text, &request, false)
        else {
            panic!("a mistake of the program");
        };
        assert!(format!("{diagnostics:?}").contains("dense"), "{diagnostics:?}");
        assert_eq!(session.prelude.expect("the whole one").items.len(), 96);
    }
}
