//! Lines and programs in the manner of Keras, PyTorch, Lightning and Caffe: how many of them one
//! `nnc check --fix` makes the program that is meant.
//!
//! `tests/habits/*.txt` holds them, each with what is meant, in one of the frames of `frames.txt`.
//! They were written before the table of foreign names, and are not to be fitted to it; those of `kinds.txt`
//! came later, and say which kinds of lines are known. `stays.txt` holds lines whose meaning nothing here has.
//! `misses.txt` names each that goes another way, so that one that is lost is seen, and one that is
//! won. `NNC_BLESS=1 cargo test --test habits` accepts what came out (refused where `CI` is set).
//!
//! Programs are compared by their words: where lines are broken is no matter.

#[path = "support/misses.rs"]
mod misses;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use nnc::base::diagnostic::{Diagnostic, Severity};
use nnc::command;
use nnc::driver::{self, Failure, Request, Session};
use rayon::prelude::*;

/// The file that names the misses.
const MISSES: &str = "misses.txt";
/// The least number of lines and programs.
const CASES: usize = 150;
/// The share of them that must become what is meant.
const MENDED: f64 = 0.85;
/// What a frame has in the place of a line.
const HOLE: &str = "@@";

/// What somebody writes, and what is meant.
struct Habit {
    /// `keras/conv_positional_tuple`.
    name: String,
    written: String,
    meant: String,
}

/// What becomes of one.
struct Outcome {
    habit: Habit,
    /// The text after `--fix`.
    after: String,
    /// How many reports there are of the text as it is written.
    reports: usize,
    /// Errors that are left.
    left: usize,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/habits")
}

/// The blocks of a file: what stands behind `====`, and what is below.
fn blocks(file: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(folder().join(file)).expect("a part of the corpus");
    let blocks = text.split("==== ").filter(|block| !block.is_empty());
    let block = |block: &str| block.split_once('\n').map(|(head, body)| (head.into(), body.into()));
    blocks.map(|it| block(it).expect("a head and a body")).collect()
}

fn corpus() -> Vec<Habit> {
    let frames: BTreeMap<String, String> = blocks("frames.txt").into_iter().collect();
    let of_file = |framework: &&str| -> Vec<Habit> {
        let habit = |(head, body): (String, String)| {
            let (name, frame) = head.split_once(' ').expect("a name and a frame");
            let (written, meant) = body.split_once("\n----\n").expect("what is meant");
            let frame = &frames[frame];
            let framed = |text: &str| frame.replace(HOLE, text.trim_end_matches('\n'));
            let name = format!("{framework}/{name}");
            Habit { name, written: framed(written), meant: framed(meant) }
        };
        blocks(&format!("{framework}.txt")).into_iter().map(habit).collect()
    };
    ["keras", "pytorch", "lightning", "caffe", "kinds"].iter().flat_map(of_file).collect()
}

/// A program's words, without comments and space.
fn words(text: &str) -> String {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or(""));
    code.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
}

/// What is wrong with a text.
fn errors(text: &str) -> Vec<Diagnostic> {
    let place = tempfile::Builder::new().suffix(".nn").tempfile().expect("a file");
    fs::write(place.path(), text).expect("writable");
    let request = Request::new(place.path());
    let is_error = |found: &Diagnostic| found.severity == Severity::Error;
    match command::check(&mut Session::new(None), &request, command::CheckOptions::default()) {
        Ok(_) => Vec::new(),
        Err(Failure::Program { diagnostics, .. }) => {
            diagnostics.into_iter().filter(is_error).collect()
        }
        Err(_) => panic!("a program that can be read: {text}"),
    }
}

/// The corpus with what becomes of it, found once for all tests.
static OUTCOMES: LazyLock<Vec<Outcome>> = LazyLock::new(|| {
    let outcome = |habit: Habit| {
        let place = tempfile::Builder::new().suffix(".nn").tempfile().expect("a file");
        fs::write(place.path(), &habit.written).expect("writable");
        let fixed = driver::fix(&Request::new(place.path())).expect("a program that can be read");
        let after = fixed.changed.first().map_or(habit.written.clone(), |it| it.after.clone());
        let is_error = |found: &&Diagnostic| found.severity == Severity::Error;
        let left = fixed.left.iter().filter(is_error).count();
        Outcome { habit, after, reports: fixed.made.len(), left }
    };
    corpus().into_par_iter().map(outcome).collect()
});

impl Outcome {
    fn is_meant(&self) -> bool {
        words(&self.after) == words(&self.habit.meant)
    }

    /// The line of a miss: the first line that differs.
    fn miss(&self) -> String {
        let before: Vec<&str> = self.habit.written.lines().collect();
        let differs = self.after.lines().find(|line| !before.contains(line));
        let made =
            differs.map_or("nothing is made".to_owned(), |line| format!("`{}`", line.trim()));
        format!("{}: {made}, {} left", self.habit.name, self.left)
    }
}

#[test]
fn most_habits_become_what_is_meant() {
    let outcomes = &*OUTCOMES;
    assert!(outcomes.len() >= CASES, "{} lines and programs", outcomes.len());
    let missed: Vec<&Outcome> = outcomes.iter().filter(|it| !it.is_meant()).collect();
    let found: String = missed.iter().map(|it| format!("{}\n", it.miss())).collect();
    let share = 1.0 - missed.len() as f64 / outcomes.len() as f64;
    if std::env::var_os("NNC_SHOW").is_some() {
        for it in &missed {
            eprintln!("## {}\n{}\n-- made\n{}", it.habit.name, it.habit.written, it.after);
            eprintln!("-- left {}, errors {:?}", it.left, brief(&errors(&it.after)));
        }
    }
    let path = folder().join(MISSES);
    let of = format!("{} habits", outcomes.len());
    misses::are_known(&path, &found, &of, "habits");
    assert!(share >= MENDED, "{:.1} % become what is meant", 100.0 * share);
}

fn brief(errors: &[Diagnostic]) -> Vec<String> {
    errors.iter().map(|error| format!("{}: {}", error.code, error.message)).collect()
}

/// What became what is meant is sound; of the others, what is meant must be.
#[test]
fn every_program_that_is_meant_is_sound() {
    let wrong: Vec<String> = OUTCOMES
        .par_iter()
        .filter_map(|outcome| {
            let left = match outcome.is_meant() {
                true if outcome.left == 0 => return None,
                _ => errors(&outcome.habit.meant),
            };
            (!left.is_empty()).then(|| format!("{}: {:?}", outcome.habit.name, brief(&left)))
        })
        .collect();
    assert_eq!(wrong, [""; 0]);
}

/// Lines whose meaning nothing here has are errors after `--fix`, too: nothing of them vanishes unsaid.
#[test]
fn what_has_no_counterpart_is_still_reported() {
    let frames: BTreeMap<String, String> = blocks("frames.txt").into_iter().collect();
    let stays = blocks("stays.txt");
    let silent: Vec<String> = stays
        .par_iter()
        .filter_map(|(head, body)| {
            let (name, frame) = head.split_once(' ').expect("a name and a frame");
            let written = frames[frame].replace(HOLE, body.trim_end_matches('\n'));
            let place = tempfile::Builder::new().suffix(".nn").tempfile().expect("a file");
            fs::write(place.path(), &written).expect("writable");
            let fixed = driver::fix(&Request::new(place.path())).expect("a program");
            let is_error = |found: &Diagnostic| found.severity == Severity::Error;
            let after = fixed.changed.first().map_or(written, |it| it.after.clone());
            (!fixed.left.iter().any(is_error)).then(|| format!("{name}: {after}"))
        })
        .collect();
    assert_eq!(silent, [""; 0]);
}

/// A line is one report and one fix.
#[test]
fn a_line_is_mended_at_once() {
    let one = |outcome: &&Outcome| {
        let lines = outcome.habit.written.lines().count();
        let shared = outcome.habit.meant.lines().filter(|it| outcome.habit.written.contains(it));
        outcome.is_meant() && lines == shared.count() + 1
    };
    let several: Vec<&str> = OUTCOMES
        .iter()
        .filter(one)
        .filter(|outcome| outcome.reports > 1)
        .map(|outcome| outcome.habit.name.as_str())
        .collect();
    assert_eq!(several, [""; 0]);
}
