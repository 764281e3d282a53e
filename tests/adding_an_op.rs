//! `docs/adding-an-op.md`, followed to the letter.
//!
//! A paragraph of that page that begins ``In `FILE`, before `TEXT`:`` (or `after`) says where the
//! block after it goes: before the one line of that file which holds TEXT. This test makes these
//! edits in a copy of the sources, counts the files, and builds and tests the copy. It is not run
//! unless it is asked for (`-- --ignored`), as it compiles the crate once more.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines that go into a file.
struct Edit {
    file: String,
    /// A part of the line that they stand beside.
    anchor: String,
    after: bool,
    lines: String,
}

impl Edit {
    /// The edit that a paragraph tells, but for its lines.
    fn told(paragraph: &str) -> Option<Edit> {
        let rest = paragraph.strip_prefix("In `")?;
        let (file, rest) = rest.split_once("`, ")?;
        let (word, rest) = rest.split_once(" `")?;
        let (anchor, _) = rest.split_once("`:")?;
        let after = match word {
            "before" => false,
            "after" => true,
            other => panic!("{file}: {other}?"),
        };
        Some(Edit { file: file.into(), anchor: anchor.into(), after, lines: String::new() })
    }

    /// The text of the file with the lines in their place.
    fn made(&self, text: &str) -> String {
        let holds = |line: &&str| line.contains(&self.anchor);
        let count = text.lines().filter(holds).count();
        assert_eq!(count, 1, "lines of {} with `{}`", self.file, self.anchor);
        let mut made = String::new();
        for line in text.lines() {
            let is_there = holds(&line);
            if is_there && !self.after {
                made += &self.lines;
            }
            made += line;
            made += "\n";
            if is_there && self.after {
                made += &self.lines;
            }
        }
        made
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The edits of the section with a heading.
fn edits(heading: &str) -> Vec<Edit> {
    let page = fs::read_to_string(root().join("docs/adding-an-op.md")).expect("the page");
    let section = page.split("\n## ").find(|section| section.starts_with(heading));
    let mut edits: Vec<Edit> = Vec::new();
    let mut in_block = false;
    for line in section.expect("the section").lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            let edit = edits.last_mut().expect("a paragraph says where a block goes");
            edit.lines += line;
            edit.lines += "\n";
        } else if let Some(edit) = Edit::told(line) {
            edits.push(edit);
        }
    }
    assert!(edits.iter().all(|edit| !edit.lines.is_empty()), "a paragraph without its block");
    edits
}

fn files(edits: &[Edit]) -> BTreeSet<&str> {
    edits.iter().map(|edit| edit.file.as_str()).collect()
}

#[test]
fn a_function_takes_5_files_and_a_contraction_10() {
    let function = edits("A function of one element");
    let contraction = edits("A structural operator or a contraction");
    assert!((1..=5).contains(&files(&function).len()), "{:#?}", files(&function));
    assert!((1..=10).contains(&files(&contraction).len()), "{:#?}", files(&contraction));
    let mut texts = std::collections::BTreeMap::new();
    for edit in function.iter().chain(&contraction) {
        let text = texts.entry(&edit.file).or_insert_with(|| {
            let path = root().join(&edit.file);
            fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
        });
        *text = edit.made(text);
    }
}

/// Copies what the crate is built and tested from.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (name, path) = (entry.file_name(), entry.path());
        if ["target", ".git", "runs"].iter().any(|left| name == *left) {
            continue;
        }
        match entry.file_type().expect("its type").is_dir() {
            true => copy(&path, &to.join(name)),
            false => drop(fs::copy(&path, to.join(name)).expect("a file's copy")),
        }
    }
}

/// The sources with both operators, and a test of them.
fn changed_copy() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("adding-an-op");
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the copy of an earlier run goes");
    }
    copy(root(), &folder);
    for heading in ["A function of one element", "A structural operator or a contraction"] {
        for edit in edits(heading) {
            let path = folder.join(&edit.file);
            let text = fs::read_to_string(&path).expect("a source");
            fs::write(&path, edit.made(&text)).expect("the copy can be written");
        }
    }
    let test = root().join("tests/adding_an_op/new_operators.rs");
    fs::copy(test, folder.join("tests/new_operators.rs")).expect("the copy can be written");
    // Ours is compiled without optimisation, what it depends on is as it was. No program is built,
    // which would take the place of the original's.
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).expect("the manifest");
    let text = text.replace("default-run = \"nnc\"\n", "autobins = false\n");
    let ours = "[profile.release.package.nnc]\nopt-level = 0\ncodegen-units = 16\n";
    let text = format!("{text}\n{ours}");
    fs::write(&manifest, text).expect("the copy can be written");
    folder
}

/// Runs tests of the copy whose names begin in one of these ways.
#[test]
#[ignore = "compiles the crate once more"]
fn what_the_page_adds_builds_and_works_in_every_engine() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    let tests = ["new_operators", "derivatives", "random_graphs", "random_programs"];
    let names = [
        "base::scalar::unary",
        "graph::op",
        "added_operators",
        "every_derivative",
        "every_operator_has_a_case",
        "together_they_use_every_operator",
        "they_use_every_operator_and_item",
    ];
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(changed_copy()).env("CARGO_TARGET_DIR", target);
    command.args(["test", "--release", "--locked", "--offline", "--lib"]);
    command.args(tests.iter().flat_map(|test| ["--test", test])).arg("--").args(names);
    let output = command.output().expect("cargo runs");
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}\n{}", text[0], text[1]);
    // Every one of them was found.
    for name in names {
        let ran =
            |line: &str| line.starts_with("test ") && line.contains(name) && line.ends_with("ok");
        assert!(text[0].lines().any(ran), "no test {name}:\n{}", text[0]);
    }
}
