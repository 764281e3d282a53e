//! How good the fixes are: over all of `tests/golden/check`, which mistakes that one edit can mend get
//! a checked fix, and whether `nnc check --fix` makes the program that was meant.
//!
//! `tests/golden/fixes.txt` names each file that goes another way, so that a fix that is lost is seen,
//! and one that is won. `NNC_BLESS=1 cargo test --test fixes` accepts what came out (refused where `CI`
//! is set).
//!
//! Programs are compared by their words: where lines are broken is no matter, nor are comments.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nnc::base::codes;
use nnc::base::diagnostic::{Diagnostic, Severity};
use nnc::base::fix::apply;
use nnc::base::source::Sources;
use nnc::command;
use nnc::driver::{self, Failure, Request, Session};
use nnc::repair;
use nnc::syntax;

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
fn with_first_fixes(file: &Path) -> Option<String> {
    const ROUNDS: usize = 4;
    let folder = file.parent().expect("a folder");
    let mut made: Option<String> = None;
    for _ in 0..ROUNDS {
        // Beside the others, so that what it names is found.
        let copy = tempfile::Builder::new().suffix(".tmp").tempfile_in(folder).expect("a file");
        let place = match &made {
            Some(text) => {
                fs::write(copy.path(), text).expect("writable");
                copy.path()
            }
            None => file,
        };
        let (found, sources) = findings(place);
        let fixes = found.iter().flat_map(|finding| finding.fixes.iter().find(|it| it.checked));
        let Some(first) = fixes.into_iter().next() else { break };
        let id = first.file().expect("a fix edits something");
        made = Some(apply(&sources.file(id).text, &first.edits));
        // What is to be mended in another file is mended there.
        if Path::new(&sources.file(id).name) != place {
            break;
        }
    }
    made
}

/// Where a file goes another way than to the intended program, a line for each such way.
fn misses(file: &Path, intended: &str) -> Vec<String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let is_meant = |text: &str| words(text) == words(intended);
    let mut misses = Vec::new();
    let fixed = driver::fix(&request(file)).expect("a program that can be read");
    let after = fixed.changed.first().map_or("", |changed| &changed.after);
    if !fixed.made.is_empty() && !is_meant(after) {
        misses.push(format!("{name}: makes something else: {}", fixed.made.join("; ")));
    }
    match with_first_fixes(file) {
        None => misses.push(format!("{name}: no fix")),
        Some(first) if !is_meant(&first) => misses.push(format!("{name}: another fix first")),
        Some(_) if fixed.made.is_empty() => misses.push(format!("{name}: offered, not made")),
        Some(_) => {}
    }
    misses
}

#[test]
fn the_fixes_that_are_not_what_was_meant_are_those_that_are_known() {
    let files = corpus();
    assert!(files.len() >= FILES, "{} files", files.len());
    let (mut all, mut lines) = (0, Vec::new());
    for file in &files {
        let Ok(intended) = fs::read_to_string(file.with_extension("fixed")) else { continue };
        all += 1;
        lines.extend(misses(file, &intended));
    }
    let unmendable = 1.0 - all as f64 / files.len() as f64;
    assert!(unmendable <= UNMENDABLE, "{all} of {} are mended by one edit", files.len());
    let found: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(MISSES);
    if std::env::var_os("NNC_BLESS").is_some_and(|value| value != "0") {
        assert!(std::env::var_os("CI").is_none(), "expectations are accepted by people");
        fs::write(path, found).expect("writable");
        return;
    }
    let known = fs::read_to_string(path).unwrap_or_default();
    let difference = |a: &str, b: &str, sign: char| -> String {
        let others: BTreeSet<&str> = b.lines().collect();
        let only = a.lines().filter(|line| !others.contains(line));
        only.map(|line| format!("{sign} {line}\n")).collect()
    };
    assert!(
        known == found,
        "of {all} mistakes that one edit mends, {MISSES} knows other misses:\n{}{}accept with \
         `NNC_BLESS=1 cargo test --test fixes`",
        difference(&known, &found, '-'),
        difference(&found, &known, '+'),
    );
}

#[test]
fn every_intended_program_is_sound() {
    for file in corpus() {
        let Ok(intended) = fs::read_to_string(file.with_extension("fixed")) else { continue };
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
    for file in corpus() {
        match command::check(
            &mut Session::new(None),
            &request(&file),
            command::CheckOptions::default(),
        ) {
            Ok(report) => found.extend(report.warnings.iter().map(|warning| warning.code)),
            Err(Failure::Program { diagnostics, .. }) => {
                // One mistake is one finding.
                let severe =
                    |severity| diagnostics.iter().filter(move |it| it.severity == severity);
                let errors = severe(Severity::Error).count();
                assert!(errors <= 1, "{file:?}: {diagnostics:#?}");
                found.extend(diagnostics.iter().map(|finding| finding.code));
            }
            Err(_) => panic!("{file:?}"),
        }
    }
    let missing: Vec<&str> =
        codes::TABLE.iter().map(|code| code.code).filter(|code| !found.contains(code)).collect();
    assert_eq!(missing, [""; 0]);
}

/// What `--fix` makes has all that was written, whatever the mistake was.
#[test]
fn no_fix_that_is_made_takes_away_what_was_written() {
    for file in corpus() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let fixed = driver::fix(&request(&file)).expect("a program that can be read");
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
