//! The search for the fixes of one finding: candidates in the order of their distance, each checked,
//! until enough of them hold.
//!
//! ```text
//! dense(78) · dense(784) · …     with dense(784) the finding is gone and nothing else is there
//! ```
//!
//! A fix that takes away what its author wrote is offered last; one with a rival, another number that
//! does as well, is offered but never made.

use super::recheck::{Meaning, Mistake, Recheck};
use super::slips::{self, Around};
use crate::base::codes;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::fix::{Certainty, Fix, moved};
use crate::base::limits::Budget;
use crate::driver::front::PARSED;
use crate::repair::{self, Candidate};

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

/// Fixes that hold, so far.
#[derive(Default)]
struct Kept {
    /// With their costs.
    fixes: Vec<(u32, Fix)>,
    /// One that takes something away is offered last, and others are looked for longer.
    less: Option<(u32, Fix)>,
    /// One that holds as far as can be seen: what it uncovers is another mistake.
    uncovers: Option<Fix>,
    /// Those that hold by themselves, and what the program comes to with each.
    direct: Vec<(u32, Option<Meaning>, Fix)>,
    /// How many have been looked behind.
    behind: usize,
}

impl Kept {
    /// Whether no candidate of this cost, or a larger one, is tried any more.
    fn is_enough(&self, cost: u32) -> bool {
        let far = self.fixes.first().is_some_and(|(first, _)| cost > first + FURTHER);
        let farther = self.less.as_ref().is_some_and(|(first, _)| cost > first + BEYOND_LESS);
        self.fixes.len() == MOST_FIXES || far || farther
    }

    /// The fixes, in the order in which they are offered.
    fn offered(mut self) -> Vec<Fix> {
        choose_alternative(&mut self.fixes, &self.direct);
        if let Some(((cost, meaning, fix), others)) = self.direct.split_first()
            && *cost >= PROPOSED
            && others.iter().any(|(other_cost, other, other_fix)| {
                let differs = other.is_none() || other != meaning;
                *other_cost <= cost + AS_NEAR && differs && !same_insertion(fix, other_fix)
            })
        {
            self.fixes.iter_mut().for_each(|(_, fix)| fix.automatic = false);
        }
        let uncovers = self.uncovers.filter(|_| self.fixes.is_empty());
        let rest = usize::from(self.less.is_some()) + usize::from(uncovers.is_some());
        self.fixes.truncate(MOST_FIXES.saturating_sub(rest));
        let fixes = self.fixes.into_iter().map(|(_, fix)| fix);
        fixes.chain(uncovers).chain(self.less.map(|(_, fix)| fix)).collect()
    }
}

impl Recheck<'_> {
    /// The fixes of a finding that hold, in the order in which they are offered.
    pub fn fixes(&mut self, mistake: &Mistake<'_>, classes: Option<usize>) -> Vec<Fix> {
        let mut kept = Kept::default();
        let mut candidates = self.candidates(mistake, classes);
        candidates.retain(|it| self.changes(&it.fix));
        candidates.truncate(self.search.candidates());
        for (index, Candidate { fix, cost, .. }) in candidates.iter().enumerate() {
            if kept.is_enough(*cost) || !self.spends(mistake, fix) {
                break;
            }
            if self.unread && *cost < PROPOSED {
                let mended = self.mended(mistake, fix);
                let new = mended.filter(|it| kept.fixes.iter().all(|(_, kept)| kept != it));
                kept.fixes.extend(new.map(|mended| (*cost, mended)));
            } else if let Some(meaning) = self.holds(mistake, fix) {
                self.keep(mistake, (&candidates, index), meaning, &mut kept);
            } else if *cost < PROPOSED && kept.behind < MOST_BEHIND && hides(mistake.finding) {
                self.look_behind(mistake, (*cost, fix), &mut kept);
            }
        }
        kept.offered()
    }

    /// Takes the steps of a candidate from the budget; `false` where they are not left.
    fn spends(&self, mistake: &Mistake<'_>, fix: &Fix) -> bool {
        mistake.budget.spend(TRIED + mistake.before.len() + PARSED * self.parsed_again(fix))
    }

    /// Keeps a candidate that holds, and decides whether it may be made without asking.
    fn keep(
        &mut self,
        mistake: &Mistake<'_>,
        (candidates, index): (&[Candidate], usize),
        meaning: Option<Meaning>,
        kept: &mut Kept,
    ) {
        let Candidate { mut fix, cost, .. } = candidates[index].clone();
        fix.checked = true;
        let takes_away = match self.unread {
            true => self.takes_sign(&fix),
            false => self.takes_away(&fix),
        };
        // Where the author must choose already, nothing that is further away is made.
        let open = kept.fixes.iter().any(|(_, kept)| !kept.automatic);
        fix.automatic &= !takes_away && !open;
        if fix.automatic {
            fix.automatic = !self.has_rival(mistake, (candidates, index), meaning);
        }
        // Of what works, the author is told in the order of the one who found it.
        if takes_away && mistake.finding.severity == Severity::Error {
            kept.less.get_or_insert((cost, fix));
            return;
        }
        if !candidates[index].is_declared_one() {
            kept.direct.push((cost, meaning, fix.clone()));
        }
        kept.fixes.push((cost, fix));
    }

    /// Keeps a proposed fix that does not hold: what has no meaning hides what is wrong behind it.
    fn look_behind(&mut self, mistake: &Mistake<'_>, (cost, fix): (u32, &Fix), kept: &mut Kept) {
        kept.behind += usize::from(self.search.looks_behind());
        match self.followed(mistake, fix) {
            Some(followed) => kept.fixes.push((cost, followed)),
            None if kept.uncovers.is_none() && kept.fixes.is_empty() => {
                kept.uncovers = self.uncovers(mistake, fix.clone());
            }
            None => {}
        }
    }

    /// Whether another number in the place of a fix's does as well, and makes another program: then
    /// nothing says which is meant.
    fn has_rival(
        &mut self,
        mistake: &Mistake<'_>,
        (candidates, index): (&[Candidate], usize),
        meaning: Option<Meaning>,
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
            self.spends(mistake, &rival.fix);
            let held = self.holds(mistake, &rival.fix);
            held.is_some_and(|other| other.is_none() || other != meaning)
        })
    }

    /// The fix of a text that does not parse, or cannot be read, with those for what is behind it.
    fn mended(&mut self, mistake: &Mistake<'_>, fix: &Fix) -> Option<Fix> {
        // Another file may lead back to this one, or not be there either.
        let mended =
            slips::mended(&self.around(mistake.budget), mistake.before, (mistake.finding, fix))?;
        let mended = mended.read_as(fix.reading);
        if mistake.finding.code != codes::MISSING_FILE || mended.checked {
            return Some(mended);
        }
        let uncovered = self.uncovered(mistake, fix)?;
        let unreadable = [codes::CYCLE, codes::MISSING_FILE];
        (!uncovered.iter().any(|it| unreadable.contains(&it.code))).then_some(mended)
    }

    /// A name that holds as far as can be seen. Made where it is the same word, or where what it
    /// uncovers is not in its own call.
    fn uncovers(&mut self, mistake: &Mistake<'_>, fix: Fix) -> Option<Fix> {
        let sure = matches!(fix.reading, Certainty::Spelling | Certainty::Likely);
        let [edit] = &fix.edits[..] else { return None };
        let uncovered = sure.then(|| self.uncovered(mistake, &fix))??;
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
    fn uncovered(&mut self, mistake: &Mistake<'_>, fix: &Fix) -> Option<Vec<Diagnostic>> {
        let (mut new, _) = self.with(mistake, fix)?;
        new.retain(|it| it.severity == Severity::Error);
        Some(new)
    }

    /// The surroundings for a search behind one of the fixes.
    fn around<'a>(&'a self, budget: &'a Budget) -> Around<'a> {
        let Recheck { request, sources, search, .. } = self;
        Around { request, sources, search: *search, prelude: &None, budget }
    }

    /// A fix with those for what it uncovers.
    fn followed(&self, mistake: &Mistake<'_>, fix: &Fix) -> Option<Fix> {
        let looks = self.search.looks_behind();
        let around = self.around(mistake.budget);
        let found = (mistake.finding, fix);
        let followed = looks.then(|| slips::followed(&around, mistake.before, found))?;
        followed.map(|followed| followed.read_as(fix.reading))
    }

    fn candidates(&self, mistake: &Mistake<'_>, classes: Option<usize>) -> Vec<Candidate> {
        let finding = mistake.finding;
        if self.unread {
            return repair::textual(&self.sources, finding);
        }
        // A warning has its own fixes only: what it is about works. Where there is no room to look
        // around each mistake, each has what was proposed with it.
        let large = !mistake.budget.spend(SCENES * self.parsed.tokens);
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
}

/// Whether more may be wrong with what a finding is about than can be seen before it is mended.
fn hides(finding: &Diagnostic) -> bool {
    [codes::UNKNOWN_NAME, codes::UNKNOWN_CALLEE, codes::ARGUMENTS, codes::DATA_SOURCE]
        .contains(&finding.code)
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
