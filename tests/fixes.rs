//! How good the fixes are: over all of `tests/golden/check`, which mistakes that one edit can mend get
//! a checked fix, and whether `nnc check --fix` makes the program that was meant.
//!
//! `tests/golden/fixes.txt` names each file that goes another way, so that a fix that is lost is seen,
//! and one that is won. `NNC_BLESS=1 cargo test --test fixes` accepts what came out (refused where `CI`
//! is set).
//!
//! Programs are compared by their words: where lines are broken is no matter, nor are comments.

#[path = "support/misses.rs"]
mod misses;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use nnc::base::codes;
use nnc::base::diagnostic::{Diagnostic, Severity};
use nnc::base::fix::apply;
use nnc::base::source::Sources;
use nnc::command;
use nnc::driver::{self, Failure, Fixed, Request, Session};
use nnc::repair;
use nnc::syntax;
use rayon::prelude::*;

/// The file that names the misses.
const MISSES: &str = "tests/golden/fixes.txt";
/// Files that no small edit mends, at most.
const UNMENDABLE: f64 = 0.20;
/// The least number of files.
const FILES: usize = 120;

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/check");
    let entries = fs::read_dir(folder).expect("the corpus").flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|it| it == "nn")).collect();
    files.sort();
    files
}

fn request(file: &Path) -> Request {
    Request::new(file)
}

/// A file, with what every test asks about it.
struct Mistake {
    /// What is found in it, and the texts.
    found: (Vec<Diagnostic>, Sources),
    /// What `--fix` makes of it.
    fixed: Fixed,
    /// The program that is meant, where one edit makes it.
    intended: Option<String>,
}

/// The corpus, searched once for all tests.
static MISTAKES: LazyLock<BTreeMap<PathBuf, Mistake>> = LazyLock::new(|| {
    let mistake = |file: PathBuf| {
        let found = findings(&file);
        let fixed = driver::fix(&request(&file)).expect("a program that can be read");
        let intended = fs::read_to_string(file.with_extension("fixed")).ok();
        (file, Mistake { found, fixed, intended })
    };
    corpus().into_par_iter().map(mistake).collect()
});

/// A program's words, without comments and space.
fn words(text: &str) -> String {
    let code = |line: &str| match line.trim_start().starts_with("//") {
        true => String::new(),
        false => line.split(" //").next().unwrap_or("").to_owned(),
    };
    text.lines()
        .flat_map(|line| code(line).chars().collect::<Vec<_>>())
        .filter(|c| !c.is_whitespace())
        .collect()
}

/// What is found in a file, with fixes, and the texts.
fn findings(file: &Path) -> (Vec<Diagnostic>, Sources) {
    let mut session = Session::new(None);
    match command::check(&mut session, &request(file), command::CheckOptions::default()) {
        Ok(report) => (report.warnings, session.sources),
        Err(Failure::Program { diagnostics, sources }) => (diagnostics, *sources),
        Err(_) => panic!("{file:?}"),
    }
}

/// The program with the first checked fix of a file, and of what is found then, whether `--fix`
/// would make it or not; `None` where there is none.
fn with_first_fixes(file: &Path, mistake: &Mistake) -> Option<String> {
    const ROUNDS: usize = 4;
    let folder = file.parent().expect("a folder");
    let mut made = first_fix(file, &mistake.found)?;
    for _ in 1..ROUNDS {
        // What is to be mended in another file is mended there.
        if !made.is_of_file {
            break;
        }
        // Beside the others, so that what it names is found.
        let copy = tempfile::Builder::new().suffix(".tmp").tempfile_in(folder).expect("a file");
        fs::write(copy.path(), &made.text).expect("writable");
        let Some(next) = first_fix(copy.path(), &findings(copy.path())) else { break };
        made = next;
    }
    Some(made.text)
}

/// A text with a fix.
struct FixedText {
    text: String,
    /// Whether it is the main file's.
    is_of_file: bool,
}

/// The program with its first checked fix.
fn first_fix(place: &Path, (found, sources): &(Vec<Diagnostic>, Sources)) -> Option<FixedText> {
    let first = found.iter().find_map(|finding| finding.fixes.iter().find(|it| it.checked))?;
    let file = sources.file(first.file().expect("a fix edits something"));
    let text = apply(&file.text, &first.edits);
    Some(FixedText { text, is_of_file: Path::new(&file.name) == place })
}

/// Where a file goes another way than to the intended program, a line for each such way.
fn misses(file: &Path, mistake: &Mistake, intended: &str) -> Vec<String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let is_meant = |text: &str| words(text) == words(intended);
    let mut misses = Vec::new();
    let fixed = &mistake.fixed;
    let after = fixed.changed.first().map_or("", |changed| &changed.after);
    if !fixed.made.is_empty() && !is_meant(after) {
        misses.push(format!("{name}: makes something else: {}", fixed.made.join("; ")));
    }
    match with_first_fixes(file, mistake) {
        None => misses.push(format!("{name}: no fix")),
        Some(first) if !is_meant(&first) => misses.push(format!("{name}: another fix first")),
        Some(_) if fixed.made.is_empty() => misses.push(format!("{name}: offered, not made")),
        Some(_) => {}
    }
    misses
}

#[test]
fn the_fixes_that_are_not_what_was_meant_are_those_that_are_known() {
    let files = &*MISTAKES;
    assert!(files.len() >= FILES, "{} files", files.len());
    let intended =
        |(file, mistake): (&PathBuf, &Mistake)| Some((file.clone(), mistake.intended.clone()?));
    let meant: Vec<(PathBuf, String)> = files.iter().filter_map(intended).collect();
    let all = meant.len();
    let misses = |(file, meant): &(PathBuf, String)| misses(file, &files[file], meant);
    let lines: Vec<String> = meant.par_iter().flat_map_iter(misses).collect();
    let unmendable = 1.0 - all as f64 / files.len() as f64;
    assert!(unmendable <= UNMENDABLE, "{all} of {} are mended by one edit", files.len());
    let found: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(MISSES);
    let of = format!("{all} mistakes that one edit mends");
    misses::are_known(&path, &found, &of, "fixes");
}

#[test]
fn every_intended_program_is_sound() {
    for (file, mistake) in &*MISTAKES {
        let Some(intended) = &mistake.intended else { continue };
        // Beside the others, so that what it names is found.
        let mut sibling = tempfile::Builder::new();
        let folder = file.parent().expect("a folder");
        let copy = sibling.suffix(".tmp").tempfile_in(folder).expect("a file beside the corpus");
        fs::write(copy.path(), intended).expect("writable");
        let checked = command::check(
            &mut Session::new(None),
            &request(copy.path()),
            command::CheckOptions::default(),
        );
        match checked {
            Ok(report) => assert!(report.warnings.is_empty(), "{file:?}: {:?}", report.warnings),
            Err(Failure::Program { diagnostics, .. }) => panic!("{file:?}: {diagnostics:?}"),
            Err(_) => panic!("{file:?}"),
        }
    }
}

/// Codes that only a run finds, only data of a user's own, or only an input that no test can hold.
const ELSEWHERE: [&str; 7] = [
    codes::FILE_TOO_LARGE,
    codes::INDEX_RANGE,
    codes::NOT_FINITE,
    codes::MEMORY,
    codes::LITTLE_MEMORY,
    codes::MISSING_DATA,
    codes::CONSTANT_TARGET,
];

#[test]
fn the_corpus_covers_every_code() {
    let mut found: BTreeSet<&str> = ELSEWHERE.into_iter().collect();
    for (file, Mistake { found: (diagnostics, _), .. }) in &*MISTAKES {
        // One mistake is one finding.
        let is_error = |it: &&Diagnostic| it.severity == Severity::Error;
        assert!(diagnostics.iter().filter(is_error).count() <= 1, "{file:?}: {diagnostics:#?}");
        found.extend(diagnostics.iter().map(|finding| finding.code));
    }
    let missing: Vec<&str> =
        codes::TABLE.iter().map(|code| code.code).filter(|code| !found.contains(code)).collect();
    assert_eq!(missing, [""; 0]);
}

/// What `--fix` makes has all that was written, whatever the mistake was; but for a line of another
/// framework, of which what has no meaning here (`inplace`, the width of an input) is left out.
#[test]
fn no_fix_that_is_made_takes_away_what_was_written() {
    let foreign = |found: &[Diagnostic]| found.iter().flat_map(|it| &it.fixes).any(|fix| fix.joint);
    for (file, Mistake { fixed, found, .. }) in &*MISTAKES {
        if foreign(&found.0) {
            continue;
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for changed in &fixed.changed {
            let mut sources = Sources::new();
            let trees = [&changed.before, &changed.after].map(|text| {
                let id = sources.add("it.nn", text.clone());
                syntax::parse(&sources, id)
            });
            if let [Ok(before), Ok(after)] = &trees {
                let made = fixed.made.join("; ");
                assert!(!repair::takes_away(before, after), "{name}: {made}");
            }
        }
    }
}
