//! The programs behind `nnc explain CODE`: the wrong one gives that code and no other, the right one
//! nothing at all.

use std::fs;
use std::path::Path;
use std::process::Command;

use nnc::base::codes;

/// The fenced programs of an explanation, and whether they are to be run.
fn programs(text: &str) -> Vec<(bool, &str)> {
    let mut found = Vec::new();
    for part in text.split("```nn").skip(1) {
        let (head, rest) = part.split_once('\n').expect("a fence ends its line");
        let (program, _) = rest.split_once("```").expect("a fence is closed");
        found.push((head.trim() == "run", program));
    }
    found
}

/// The codes that a program gives, each once.
fn codes_of(folder: &Path, program: &str, run: bool) -> Vec<String> {
    let file = folder.join("program.nn");
    fs::write(&file, program).expect("writable");
    let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
    let command = if run { command.arg("run") } else { command.args(["check", "--json"]) };
    let output = command
        .arg("program.nn")
        .current_dir(folder)
        .env_remove("NNC_DATA")
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .output()
        .expect("nnc runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("UTF-8");
    let is_there = |code: &&codes::DiagnosticCode| {
        ["\"", "["].iter().any(|it| text.contains(&format!("{it}{}", code.code)))
    };
    codes::TABLE.iter().filter(is_there).map(|code| code.code.to_owned()).collect()
}

#[test]
fn wrong_programs_give_their_code_and_right_ones_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    // What is too large for a test to hold, and what needs files.
    let without = [
        codes::FILE_TOO_LARGE,
        codes::GREY_IMAGES,
        codes::ODD_CLASSES,
        codes::WEIGHTS,
        codes::CONSTANT_TARGET,
    ];
    for code in codes::TABLE {
        let found = programs(code.text);
        if without.contains(&code.code) {
            assert!(found.is_empty(), "{}", code.code);
            continue;
        }
        let [(run, wrong), (_, right)] = found[..] else {
            panic!("{}: a wrong program and a right one are needed", code.code);
        };
        let said = codes_of(folder.path(), wrong, run);
        assert_eq!(said, [code.code], "the wrong program of {}", code.code);
        let said = codes_of(folder.path(), right, run);
        assert!(said.is_empty(), "the right program of {}: {said:?}", code.code);
    }
}

#[test]
fn explanations_are_printed_and_unknown_codes_refused() {
    let nnc = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_nnc")).args(args).output().expect("nnc runs")
    };
    let known = nnc(&["explain", "e0106"]);
    assert_eq!(known.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&known.stdout).starts_with("E0106: shapes that do not fit"));
    let all = nnc(&["explain"]);
    assert_eq!(String::from_utf8_lossy(&all.stdout).lines().count(), codes::TABLE.len());
    let unknown = nnc(&["explain", "E9999"]);
    assert_eq!(unknown.status.code(), Some(2));
}
