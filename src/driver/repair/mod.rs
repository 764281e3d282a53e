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

mod slips;

use crate::base::codes;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::fix::{Certainty, Edit, Fix, apply, moved};
use crate::base::limits::{self, Budget};
use crate::base::source::{FileId, Sources};
use crate::driver::front::{CheckedProgram, Front, PARSED, ParsedProgram};
use crate::driver::session::{Failure, Request, Search, Session};
use crate::driver::source::Schemas;
use crate::elaborate::{self, Experiment, Tolerated};
use crate::repair::{self, Candidate};
use crate::syntax;
use slips::Around;
use std::path::PathBuf;

/// How many fixes one finding gets.
const MOST_FIXES: usize = 3;
/// Cost of a candidate beside parsing and evaluating, in steps, and again for each other finding.
const TRIED: usize = 100;
/// Cost of looking around a mistake for each token of a program, in steps.
const SCENES: usize = 4;
/// Once a fix holds, others are looked for that cost at most so much more.
const FURTHER: u32 = 60;
/// Once one holds that takes something away, others are looked for that cost at most so much more.
const BEYOND_LESS: u32 = 80;
/// An edit that costs at most so much more than another is as near the program as it is.
const AS_NEAR: u32 = 20;
/// How many numbers are tried in one's place, to see whether another is as good.
const MOST_RIVALS: usize = 24;
/// How many proposed fixes of a finding are looked behind.
const MOST_BEHIND: usize = 2;
/// Edits that are proposed with a mistake cost less than this; guesses cost more.
const PROPOSED: u32 = 4;

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
        let (parsed, mut checked) = self.parse_and_check(text, request, &mut schemas)?;
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

/// Gives each finding the fixes that hold, and takes away those that do not.
pub(crate) fn add_fixes(
    session: &Session,
    request: &Request,
    parsed: ParsedProgram,
    checked: &CheckedProgram,
    (schemas, budget): (Schemas, &Budget),
    found: &mut [Diagnostic],
) {
    let before = found.to_vec();
    let sources = session.sources.clone();
    let source = checked.source.as_ref();
    let classes = source.and_then(|source| source.schema.as_ref()).and_then(|it| it.classes);
    let (unread, search) = (checked.unread, session.search);
    let mut again = Recheck { request, sources, parsed, schemas, unread, search };
    for (index, finding) in found.iter_mut().enumerate() {
        let share = Budget::new(budget.left() / (before.len() - index));
        again.fixes(&before, finding, classes, &share);
        budget.spend(share.spent());
    }
}

/// Whether more may be wrong with what a finding is about than can be seen before it is mended.
fn hides(finding: &Diagnostic) -> bool {
    [codes::UNKNOWN_NAME, codes::UNKNOWN_CALLEE, codes::ARGUMENTS, codes::DATA_SOURCE]
        .contains(&finding.code)
}

/// A program to check again with edits.
struct Recheck<'r> {
    request: &'r Request,
    sources: Sources,
    parsed: ParsedProgram,
    schemas: Schemas,
    unread: bool,
    /// The search that this is part of.
    search: Search,
}

impl Recheck<'_> {
    /// Replaces a finding's fixes by those that hold.
    fn fixes(
        &mut self,
        before: &[Diagnostic],
        finding: &mut Diagnostic,
        classes: Option<usize>,
        budget: &Budget,
    ) {
        let mut kept: Vec<(u32, Fix)> = Vec::new();
        // One that takes something away is offered last, and others are looked for longer.
        let mut less: Option<(u32, Fix)> = None;
        // One that holds as far as can be seen: what it uncovers is another mistake.
        let mut uncovers: Option<Fix> = None;
        // Those that hold by themselves, and what the program comes to with each.
        let mut direct: Vec<(u32, Option<Meaning>, Fix)> = Vec::new();
        let mut behind = 0;
        let mut candidates = self.candidates(finding, classes, budget);
        candidates.retain(|it| self.changes(&it.fix));
        candidates.truncate(self.search.candidates());
        for index in 0..candidates.len() {
            let Candidate { mut fix, cost, .. } = candidates[index].clone();
            let far = kept.first().is_some_and(|(first, _)| cost > first + FURTHER);
            let farther = less.as_ref().is_some_and(|(first, _)| cost > first + BEYOND_LESS);
            if kept.len() == MOST_FIXES || far || farther {
                break;
            }
            if !budget.spend(TRIED + before.len() + PARSED * self.parsed_again(&fix)) {
                break;
            }
            if self.unread && cost < PROPOSED {
                let mended = self.mended(before, finding, &fix, budget);
                if let Some(mended) = mended.filter(|it| kept.iter().all(|(_, kept)| kept != it)) {
                    kept.push((cost, mended));
                }
                continue;
            }
            if let Some(meaning) = self.holds(before, finding, &fix, budget) {
                fix.checked = true;
                let takes_away = match self.unread {
                    true => self.takes_sign(&fix),
                    false => self.takes_away(&fix),
                };
                // Where the author must choose already, nothing that is further away is made.
                let open = kept.iter().any(|(_, kept)| !kept.automatic);
                fix.automatic &= !takes_away && !open;
                if fix.automatic {
                    fix.automatic =
                        !self.has_rival(before, finding, (&candidates, index), meaning, budget);
                }
                // Of what works, the author is told in the order of the one who found it.
                match takes_away && finding.severity == Severity::Error {
                    true => less = less.or(Some((cost, fix))),
                    false => {
                        if !candidates[index].is_declared_one() {
                            direct.push((cost, meaning, fix.clone()));
                        }
                        kept.push((cost, fix));
                    }
                }
            } else if cost < PROPOSED && behind < MOST_BEHIND && hides(finding) {
                // What has no meaning hides what is wrong behind it.
                behind += usize::from(self.search.looks_behind());
                match self.followed(before, finding, &fix, budget) {
                    Some(followed) => kept.push((cost, followed)),
                    None if uncovers.is_none() && kept.is_empty() => {
                        uncovers = self.uncovers(before, finding, fix, budget);
                    }
                    None => {}
                }
            }
        }
        choose_alternative(&mut kept, &direct);
        if let Some(((cost, meaning, fix), others)) = direct.split_first()
            && *cost >= PROPOSED
            && others.iter().any(|(other_cost, other, other_fix)| {
                let differs = other.is_none() || other != meaning;
                *other_cost <= cost + AS_NEAR && differs && !same_insertion(fix, other_fix)
            })
        {
            kept.iter_mut().for_each(|(_, fix)| fix.automatic = false);
        }
        let uncovers = uncovers.filter(|_| kept.is_empty());
        let rest = usize::from(less.is_some()) + usize::from(uncovers.is_some());
        kept.truncate(MOST_FIXES.saturating_sub(rest));
        let kept = kept.into_iter().map(|(_, fix)| fix);
        finding.fixes = kept.chain(uncovers).chain(less.map(|(_, fix)| fix)).collect();
    }

    /// Whether another number in the place of a fix's does as well, and makes another program: then
    /// nothing says which is meant.
    fn has_rival(
        &mut self,
        before: &[Diagnostic],
        finding: &Diagnostic,
        (candidates, index): (&[Candidate], usize),
        meaning: Option<Meaning>,
        budget: &Budget,
    ) -> bool {
        let own = &candidates[index];
        if own.choice.is_none() {
            return false;
        }
        let near = |it: &&Candidate| {
            it.choice == own.choice && it.cost <= own.cost + FURTHER && !it.is_declared_one()
        };
        let rivals = candidates.iter().filter(near).filter(|it| it.fix != own.fix);
        rivals.take(MOST_RIVALS).any(|rival| {
            budget.spend(TRIED + before.len() + PARSED * self.parsed_again(&rival.fix));
            let held = self.holds(before, finding, &rival.fix, budget);
            held.is_some_and(|other| other.is_none() || other != meaning)
        })
    }

    /// The fix of a text that does not parse, or cannot be read, with those for what is behind it.
    fn mended(
        &mut self,
        before: &[Diagnostic],
        finding: &Diagnostic,
        fix: &Fix,
        budget: &Budget,
    ) -> Option<Fix> {
        // Another file may lead back to this one, or not be there either.
        let mended = slips::mended(&self.around(budget), before, (finding, fix))?;
        let mended = mended.read_as(fix.reading);
        if finding.code != codes::MISSING_FILE || mended.checked {
            return Some(mended);
        }
        let uncovered = self.uncovered(before, finding, fix, budget)?;
        let unreadable = [codes::CYCLE, codes::MISSING_FILE];
        (!uncovered.iter().any(|it| unreadable.contains(&it.code))).then_some(mended)
    }

    /// A name that holds as far as can be seen. Made where it is the same word, or where what it
    /// uncovers is not in its own call.
    fn uncovers(
        &mut self,
        before: &[Diagnostic],
        finding: &Diagnostic,
        fix: Fix,
        budget: &Budget,
    ) -> Option<Fix> {
        let sure = matches!(fix.reading, Certainty::Spelling | Certainty::Likely);
        let [edit] = &fix.edits[..] else { return None };
        let uncovered = sure.then(|| self.uncovered(before, finding, &fix, budget))??;
        let new = moved(edit.span, &fix.edits);
        let own = |it: &Diagnostic| it.place().is_none_or(|place| place.contains(new));
        let named = |it: &Diagnostic| it.place() == Some(new) && hides(it);
        if uncovered.iter().any(named) {
            return None;
        }
        let automatic = fix.reading == Certainty::Spelling || !uncovered.iter().any(own);
        let title = format!("{}; behind it is another mistake", fix.title);
        Some(Fix { automatic, title, ..fix })
    }

    /// The errors that a fix uncovers; `None` where the finding itself is still there.
    fn uncovered(
        &mut self,
        before: &[Diagnostic],
        finding: &Diagnostic,
        fix: &Fix,
        budget: &Budget,
    ) -> Option<Vec<Diagnostic>> {
        let (mut new, _) = self.with(before, finding, fix, budget)?;
        new.retain(|it| it.severity == Severity::Error);
        Some(new)
    }

    /// The findings that a fix adds, and the program's meaning, where all of it has one; `None`
    /// where the finding itself is still there.
    fn with(
        &mut self,
        before: &[Diagnostic],
        finding: &Diagnostic,
        fix: &Fix,
        budget: &Budget,
    ) -> Option<(Vec<Diagnostic>, Option<Meaning>)> {
        let file = fix.file()?;
        let (gone, tolerated) = tolerated(before, finding, fix);
        let text = apply(&self.sources.file(file).text, &fix.edits);
        let (mut found, meaning) = self.findings(file, text, &tolerated, budget).ok()?;
        if found.iter().any(|it| gone.is(it)) {
            return None;
        }
        found.retain(|it| !tolerated.iter().any(|known| known.is(it)));
        Some((found, meaning))
    }

    /// Whether a fix makes the text another one.
    fn changes(&self, fix: &Fix) -> bool {
        fix.edits.iter().any(|edit| self.sources.text(edit.span) != edit.text)
    }

    /// The surroundings for a search behind one of the fixes.
    fn around<'a>(&'a self, budget: &'a Budget) -> Around<'a> {
        let Recheck { request, sources, search, .. } = self;
        Around { request, sources, search: *search, budget }
    }

    /// A fix with those for what it uncovers.
    fn followed(
        &self,
        before: &[Diagnostic],
        finding: &Diagnostic,
        fix: &Fix,
        budget: &Budget,
    ) -> Option<Fix> {
        let looks = self.search.looks_behind();
        let found = looks.then(|| slips::followed(&self.around(budget), before, (finding, fix)))?;
        found.map(|followed| followed.read_as(fix.reading))
    }

    /// Whether a fix of a text only takes an operator away: what was to follow it is missing.
    fn takes_sign(&self, fix: &Fix) -> bool {
        const SIGNS: [&str; 9] = ["|>", "+", "-", "*", "/", "@", "^", "=", "<-"];
        let gone = |edit: &Edit| {
            edit.text.trim().is_empty() && SIGNS.contains(&self.sources.text(edit.span).trim())
        };
        fix.edits.iter().any(gone)
    }

    /// Whether a fix takes away what the author has written.
    fn takes_away(&self, fix: &Fix) -> bool {
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
    fn parsed_again(&self, fix: &Fix) -> usize {
        let measured = |id: FileId, text: &str| syntax::measure(id, text).unwrap_or_default();
        let users = self.sources.iter().filter(|(_, file)| !file.builtin);
        let concerned = users.filter(|(id, _)| self.unread || fix.file() == Some(*id));
        concerned.map(|(id, file)| measured(id, &file.text)).sum()
    }

    fn candidates(
        &self,
        finding: &Diagnostic,
        classes: Option<usize>,
        budget: &Budget,
    ) -> Vec<Candidate> {
        if self.unread {
            return repair::textual(&self.sources, finding);
        }
        // A warning has its own fixes only: what it is about works. Where there is no room to look
        // around each mistake, each has what was proposed with it.
        let large = !budget.spend(SCENES * self.parsed.tokens);
        if large || finding.severity == Severity::Warning {
            let fixes = finding.fixes.iter().cloned().zip(0..);
            return fixes.map(|(fix, cost)| Candidate::new(fix, cost)).collect();
        }
        let program = repair::RepairInput {
            files: &self.parsed.files,
            prelude: &self.parsed.prelude,
            sources: &self.sources,
            classes,
        };
        repair::candidates(&program, finding)
    }

    /// Whether the finding is gone with these edits, and nothing else has come: then what the program
    /// means, where all of it means something.
    fn holds(
        &mut self,
        before: &[Diagnostic],
        finding: &Diagnostic,
        fix: &Fix,
        budget: &Budget,
    ) -> Option<Option<Meaning>> {
        let (new, meaning) = self.with(before, finding, fix, budget)?;
        let errors_only = finding.severity == Severity::Error;
        let counts = |it: &Diagnostic| !errors_only || it.severity == Severity::Error;
        (!new.iter().any(counts)).then_some(meaning)
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

/// Of several names as likely, the only one that holds by itself is meant; else nothing says which is.
fn choose_alternative(kept: &mut [(u32, Fix)], direct: &[(u32, Option<Meaning>, Fix)]) {
    let alternative = |fix: &Fix| fix.reading == Certainty::Alternative;
    if kept.iter().filter(|(_, fix)| alternative(fix)).count() < 2 {
        return;
    }
    let mut alone = direct.iter().map(|(_, _, fix)| fix).filter(|fix| alternative(fix));
    let meant = match (alone.next(), alone.next()) {
        (Some(meant), None) => Some(meant.edits.clone()),
        _ => None,
    };
    for (_, fix) in kept.iter_mut() {
        fix.automatic &= meant.as_ref() == Some(&fix.edits);
    }
    kept.sort_by_key(|(_, fix)| meant.as_ref() != Some(&fix.edits));
}

/// Whether two fixes add the same in two places: the first is nearer to the mistake.
fn same_insertion(a: &Fix, b: &Fix) -> bool {
    let adds = |fix: &Fix| fix.edits.iter().all(|edit| edit.span.start == edit.span.end);
    adds(a) && adds(b) && a.title == b.title
}

/// Hash of a program's graphs: equal ones compute the same.
type Meaning = blake3::Hash;

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
fn tolerated(
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

/// A program with fixes made.
#[derive(Debug)]
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

/// How many fixes are made at most: each takes a finding away.
const MOST_MADE: usize = 200;

/// How many searches' steps are taken for all of them.
const ROUNDS: usize = 3;

/// Makes each finding's first fix, checking again after each, until none is left that has one.
/// Writes nothing.
pub fn fix(request: &Request) -> Result<Fixed, Failure> {
    let mut texts: Vec<(PathBuf, String)> = Vec::new();
    let mut fixed =
        Fixed { changed: Vec::new(), made: Vec::new(), left: Vec::new(), sources: Box::default() };
    let budget = Budget::new(ROUNDS * limits::FIX_STEPS);
    loop {
        let mut session = Session::default();
        session.overlays = texts.clone();
        let search = Budget::new(limits::FIX_STEPS.min(budget.left()));
        let found = findings(&mut session, request, &search)?;
        // What it took to check the program as it is comes on top of the search.
        budget.spend(search.spent() + session.steps);
        let first = found.iter().find_map(|finding| {
            let made =
                |fix: &&Fix| fix.automatic && (fix.checked || finding.severity == Severity::Error);
            finding.fixes.first().filter(made)
        });
        let Some(fix) = first.filter(|_| fixed.made.len() < MOST_MADE && !budget.is_empty()) else {
            fixed.left = found;
            fixed.sources = Box::new(session.sources);
            return Ok(fixed);
        };
        let Some(file) = fix.file() else { return Ok(fixed) };
        let source = session.sources.file(file);
        let path = PathBuf::from(&source.name);
        let after = apply(&source.text, &fix.edits);
        match fixed.changed.iter_mut().find(|changed| changed.path == path) {
            Some(changed) => changed.after.clone_from(&after),
            None => {
                let before = source.text.clone();
                let after = after.clone();
                fixed.changed.push(Changed { path: path.clone(), before, after });
            }
        }
        fixed.made.push(fix.title.clone());
        texts.retain(|(other, _)| *other != path);
        texts.push((path, after));
    }
}
