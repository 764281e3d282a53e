//! Programs in the manner of other frameworks: read as what is meant, checked as a whole, and then one
//! report and one fix a line.
//!
//! ```text
//! Conv2D(32, kernel_size=3, activation='relu')     one error, one fix: conv(32, 3) |> relu
//! ```
//!
//! In: a program with errors. Out: what to report in place of them, where the program as it is read is
//! sound, with the fixes that its lines then need too. Lines that mean nothing without each other have
//! one report. The fixes were checked together, and are made together.

use super::slips::{Around, Mended};
use crate::base::changed::{ChangedLines, changed_lines};
use crate::base::codes;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::fix::{Edit, Fix, apply, replaced};
use crate::base::limits::Budget;
use crate::base::source::{FileId, Span};
use crate::driver::session::{Request, Session};
use crate::driver::source::Schemas;
use crate::elaborate::CHANNELS_FIRST;
use crate::repair::habits::{self, ChangedPart, Translation};
use crate::repair::textual;
use crate::syntax;
use std::ops::Range;

/// The codes of texts that do not parse begin so.
const OF_SYNTAX: &str = "E00";

/// Longest text of a line's fix that its title shows.
const SHOWN: usize = 60;

/// The reports of a program that is written as elsewhere; `None` where it is not, or is not sound
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
    let (search, prelude) = (session.search, &session.prelude);
    let around = Around { request, sources: &session.sources, search, prelude, budget };
    let before = (file, source.text.as_str());
    let axes_alone = || {
        let explained = |error: &Diagnostic| error.help.as_ref()?.find(CHANNELS_FIRST);
        errors.iter().find_map(explained).and_then(|_| habits::turned(&source.text))
    };
    let translated = habits::translated(&source.text).or_else(axes_alone)?;
    as_read(&around, before, &translated, errors).or_else(|| {
        // Axes are turned in what else is written as here.
        let turned = habits::turned(&translated.text)?;
        let turned = Translation { parts: translated.parts.clone(), ..turned };
        as_read(&around, before, &turned, errors)
    })
}

/// The reports of a text that is read as another one; `None` where that is not sound.
fn as_read(
    around: &Around<'_>,
    (file, before): (FileId, &str),
    translation: &Translation,
    errors: &[Diagnostic],
) -> Option<Vec<Diagnostic>> {
    let mut mended = Mended::into(file, before, translation.text.clone());
    // Nothing else is mended with it, which would be a guess about a guess; but Caffe's dense layer flattens
    // what comes in, and the fix of one here does.
    let flattens = before.contains("InnerProduct") || before.contains("inner_product");
    let is_sound = is_clean(around, file, translation.text.clone());
    if !(is_sound || flattens && mended.is_sound(around)) {
        return None;
    }
    without_softmax(around, &mut mended, (file, before));
    let hunks = hunks(before, &mended.text);
    let groups = grouped(before, hunks, &translation.parts);
    let groups = needed(around, (file, before), groups, errors);
    let mut left: Vec<&Diagnostic> =
        errors.iter().filter(|error| error.severity == Severity::Error).collect();
    let own: Vec<Option<&Diagnostic>> = groups.iter().map(|group| own(group, &mut left)).collect();
    // An error that shows elsewhere explains the first line that has none.
    let mut left = left.into_iter().filter(|error| {
        let inside = |place: Span| groups.iter().any(|group| is_in(group, place));
        !error.place().is_some_and(inside)
    });
    let reports = groups.iter().zip(own).map(|(group, own)| {
        let slip = own.and_then(|error| slip(around, before, error, group));
        let own = own.filter(|error| slip.is_some() || !error.code.starts_with(OF_SYNTAX));
        let explained = own.or_else(|| left.next()).cloned();
        let mut report = explained.unwrap_or_else(|| foreign((file, before), group));
        report.fixes = vec![slip.unwrap_or_else(|| fix(file, before, group))];
        report
    });
    Some(reports.collect())
}

/// The groups that the program needs: lines that are right as they stand, whatever was made of them, are
/// left to their author.
fn needed(
    around: &Around<'_>,
    (file, before): (FileId, &str),
    mut groups: Vec<Vec<Hunk>>,
    errors: &[Diagnostic],
) -> Vec<Vec<Hunk>> {
    let is_wrong = |group: &[Hunk]| {
        let places = errors.iter().filter(|it| it.severity == Severity::Error);
        places.filter_map(Diagnostic::place).any(|place| is_in(group, place))
    };
    let mut at = 0;
    while at < groups.len() && groups.len() > 1 {
        let others = groups.iter().enumerate().filter(|(other, _)| *other != at);
        let hunks = others.flat_map(|(_, group)| group);
        let made = hunks.map(|hunk| (hunk.place.clone(), hunk.text.as_str()));
        match !is_wrong(&groups[at]) && is_clean(around, file, replaced(before, made)) {
            true => drop(groups.remove(at)),
            false => at += 1,
        }
    }
    groups
}

/// Whether a text in a file's place has no errors, with nothing mended in it.
fn is_clean(around: &Around<'_>, file: FileId, text: String) -> bool {
    let mut sources = around.sources.clone();
    sources.replace(file, text.clone());
    if syntax::parse(&sources, file).is_err() {
        return false;
    }
    let mut session = around.with(file, text.clone());
    let mut schemas = Schemas::new(false);
    let checked = session.parse_and_check_within(text, around.request, &mut schemas, around.budget);
    checked.is_ok_and(|(_, checked)| checked.errors.is_empty())
}

/// The fix of an error that makes all of its lines what they are to be: then its message says what is
/// wrong with them. The first slip of a text that does not parse often hides what else is written otherwise.
fn slip(around: &Around<'_>, before: &str, error: &Diagnostic, group: &[Hunk]) -> Option<Fix> {
    let words = |text: String| text.split_whitespace().collect::<String>();
    let made = group.iter().map(|hunk| (hunk.place.clone(), hunk.text.as_str()));
    let made = words(replaced(before, made));
    let tried = textual(around.sources, error).into_iter().map(|candidate| candidate.fix);
    let mut fixes = error.fixes.iter().cloned().chain(tried);
    let mut fix = fixes.find(|fix| words(apply(before, &fix.edits)) == made)?;
    (fix.checked, fix.joint) = (true, true);
    Some(fix)
}

/// Whether a place is in the lines of a group.
fn is_in(group: &[Hunk], place: Span) -> bool {
    group.iter().any(|hunk| hunk.place.contains(&(place.start as usize)))
}

/// The first error in the lines of a group, taken from those that are left.
fn own<'e>(group: &[Hunk], left: &mut Vec<&'e Diagnostic>) -> Option<&'e Diagnostic> {
    let inside = |error: &&Diagnostic| error.place().is_some_and(|place| is_in(group, place));
    left.iter().position(inside).map(|at| left.remove(at))
}

/// Lines of a text with what stands there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hunk {
    place: Range<usize>,
    text: String,
}

/// The lines that differ between two texts, each by itself where each stands for one.
fn hunks(before: &str, after: &str) -> Vec<Hunk> {
    let mut found = Vec::new();
    for ChangedLines { bytes, old, new } in changed_lines(before, after) {
        let mut pairs = old.iter().zip(&new);
        if old.len() == new.len() && pairs.all(|(a, b)| opened(a) == opened(b)) {
            let mut start = bytes.start;
            for (line, by) in old.iter().zip(&new) {
                found.push(Hunk { place: start..start + line.len(), text: (*by).to_owned() });
                start += line.len();
            }
        } else {
            found.push(Hunk { place: bytes, text: new.concat() });
        }
    }
    found
}

/// How many brackets a line leaves open, or closes.
fn opened(line: &str) -> i32 {
    let bracket = |c: char| match c {
        '(' | '[' | '{' => 1,
        ')' | ']' | '}' => -1,
        _ => 0,
    };
    line.chars().map(bracket).sum()
}

/// Hunks by what means something by itself.
fn grouped(before: &str, hunks: Vec<Hunk>, parts: &[ChangedPart]) -> Vec<Vec<Hunk>> {
    let whole = |hunk: &Hunk| {
        let touches = |part: &&ChangedPart| {
            part.is_whole && part.place.start < hunk.place.end && hunk.place.start <= part.place.end
        };
        parts.iter().position(|part| touches(&part))
    };
    let mut groups: Vec<(Option<usize>, Vec<Hunk>)> = Vec::new();
    for hunk in hunks {
        let part = whole(&hunk);
        // A line that only comes or goes belongs to the one above.
        let alone = !before[hunk.place.clone()].trim().is_empty();
        match groups.last_mut() {
            Some((last, group)) if (part.is_some() && *last == part) || !alone => group.push(hunk),
            _ => groups.push((part, vec![hunk])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The report of lines that are no error by themselves.
fn foreign((file, before): (FileId, &str), group: &[Hunk]) -> Diagnostic {
    // Where something goes, rather than where it is added.
    let goes = |hunk: &&Hunk| !hunk.text.ends_with(&before[hunk.place.clone()]);
    let hunk = group.iter().find(goes).or(group.first());
    let start = hunk.map_or(0, |hunk| hunk.place.start);
    let line = before[start..].lines().next().unwrap_or_default();
    let is = hunk.and_then(|hunk| hunk.text.lines().next()).unwrap_or_default();
    let (own, _) = differing(line, is);
    let place = Span::new(file, start + own.start, start + own.end);
    Diagnostic::error(codes::FOREIGN_HABIT, "this is written as in another framework")
        .primary(place, "here it is written otherwise")
}

/// The lines of a group as a fix, which has been checked with all others.
fn fix(file: FileId, before: &str, group: &[Hunk]) -> Fix {
    let edits = group.iter().map(|hunk| Edit {
        span: Span::new(file, hunk.place.start, hunk.place.end),
        text: hunk.text.clone(),
    });
    let line = match group {
        [hunk] if hunk.text.trim().lines().count() == 1 => {
            let (_, new) = differing(&before[hunk.place.clone()], &hunk.text);
            Some(&hunk.text[new]).filter(|text| text.len() <= SHOWN && !text.is_empty())
        }
        _ => None,
    };
    let title = match line {
        Some(line) => format!("write `{line}`"),
        None => "write it as it is written here".to_owned(),
    };
    let mut fix = Fix::new(title, edits.collect());
    (fix.checked, fix.joint) = (true, true);
    fix
}

/// The stages of two lines that differ, as places in each; without comments.
fn differing(was: &str, is: &str) -> (Range<usize>, Range<usize>) {
    let (old, new) = (stages(was), stages(is));
    if old.is_empty() || new.is_empty() {
        return (0..was.trim_end().len(), 0..is.trim_end().len());
    }
    let same = |(a, b): &(&Range<usize>, &Range<usize>)| was[(*a).clone()] == is[(*b).clone()];
    let most = old.len().min(new.len()) - 1;
    let first = old.iter().zip(&new).take_while(same).count().min(most);
    let last = old.iter().rev().zip(new.iter().rev()).take_while(same).count().min(most - first);
    let of = |stages: &[Range<usize>]| stages[first].start..stages[stages.len() - last - 1].end;
    (of(&old), of(&new))
}

/// The stages of a line, without the space around them.
fn stages(line: &str) -> Vec<Range<usize>> {
    let code = line.split(" //").next().unwrap_or_default();
    let mut at = 0;
    let stage = |stage: &str| {
        let start = at + stage.len() - stage.trim_start().len();
        at += stage.len() + 2;
        start..start + stage.trim().len()
    };
    code.split("|>").map(stage).filter(|place| !place.is_empty()).collect()
}

/// Takes the softmax of a head away where the loss has its own, as elsewhere it is not written so; one
/// that stood in the text as it is here is its author's.
fn without_softmax(around: &Around<'_>, mended: &mut Mended<'_>, (file, before): (FileId, &str)) {
    if let Some(place) = log_softmax(&mended.text).filter(|_| !before.contains("log_softmax")) {
        let mut without = mended.text.clone();
        without.replace_range(place, "");
        let mut other = Mended::into(file, before, without);
        if other.is_sound(around) {
            mended.text = other.text;
            return;
        }
    }
    // A sigmoid before a loss that says that it takes logits is its author's.
    let takes_logits = ["WithLogits", "with_logits", "from_logits=True"];
    let is_sigmoid =
        mended.text.contains("sigmoid") && !takes_logits.iter().any(|it| before.contains(it));
    if !mended.text.contains("softmax") && !is_sigmoid {
        return;
    }
    let mut session = around.with(file, mended.text.clone());
    let Ok(found) = super::findings(&mut session, around.request, around.budget) else { return };
    for finding in found.iter().filter(|it| it.code == codes::SOFTMAX_TWICE) {
        let Some(place) = finding.place() else { continue };
        let text = &session.sources.file(place.file).text;
        let at = place.start as usize;
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[start..].lines().next().unwrap_or_default();
        let is_new = !before.lines().any(|own| own == line);
        if let Some(fix) = finding.fixes.iter().find(|fix| fix.checked && is_new) {
            mended.make(fix);
            return;
        }
    }
}

/// Where `log_softmax` is a model's last stage under `cross_entropy`, which takes one itself.
fn log_softmax(text: &str) -> Option<Range<usize>> {
    let start = text.find("|> log_softmax")?;
    let stage = &text[start..];
    let end = stage.find('}')?;
    let is_last = !stage[..end].trim_start_matches("|>").contains("|>");
    let own = stage[..end].trim_end().lines().count() == 1;
    let under = text.lines().any(|line| line.contains("loss") && line.contains("cross_entropy"));
    let end = start + stage[..end].trim_end().len();
    (is_last && own && under).then(|| text[..start].trim_end_matches(' ').len()..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_are_mended_one_by_one() {
        let before = "a\n  b(1,\n  c)\nd\n";
        let texts = |after: &str| -> Vec<String> {
            hunks(before, after).into_iter().map(|hunk| hunk.text).collect()
        };
        assert_eq!(texts("x\n  b(1,\n  c)\ny\n"), ["x\n", "y\n"]);
        assert_eq!(texts("a\n  b(2,\n  e)\nd\n"), ["  b(2,\n", "  e)\n"]);
        assert_eq!(texts("a\n  b(2)\n  e\nd\n"), ["  b(2)\n  e\n"]);
        assert_eq!(texts(before), [""; 0]);
    }

    #[test]
    fn the_last_log_softmax_goes_under_cross_entropy() {
        let head = "x |> dense(10) |> log_softmax(axis: 1)\n}\n";
        let whole = format!("{head}train net {{ loss = cross_entropy }}");
        let place = log_softmax(&whole).expect("a head");
        assert_eq!(&whole[place], " |> log_softmax(axis: 1)");
        assert_eq!(log_softmax(&format!("{head}train net {{ loss = nll }}")), None);
        let inner = whole.replace("log_softmax(axis: 1)", "log_softmax(axis: 1) |> relu");
        assert_eq!(log_softmax(&inner), None);
    }
}
