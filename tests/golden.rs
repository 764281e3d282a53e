//! Golden tests: an input and what is expected of it, side by side.
//!
//! `tests/golden/<suite>/NAME.<input>` is an input, `NAME.<extension>` beside it what one of the
//! suite's outputs must be, to the letter. `cargo test --test golden` compares and prints a diff;
//! `NNC_BLESS=1 cargo test --test golden` accepts what came out (refused where `CI` is set). An
//! expectation that is missing, or that nothing produces any more, fails. A suite is one entry of
//! [`golden_suites::suites`].

mod golden_suites;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use golden_suites::{Case, Suite, suites};
use libtest_mimic::{Arguments, Failed, Trial};

const BLESS: &str = "NNC_BLESS=1 cargo test --test golden";

fn main() -> ExitCode {
    let bless = std::env::var_os("NNC_BLESS").is_some_and(|value| value != "0");
    if bless && std::env::var_os("CI").is_some() {
        eprintln!("NNC_BLESS is refused where CI is set: expectations are accepted by people");
        return ExitCode::FAILURE;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let trials = suites().leak().iter().flat_map(|suite| trials(suite, &root, bless)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// One test an input, and one that every file of the folder belongs to an input.
fn trials(suite: &'static Suite, root: &Path, bless: bool) -> Vec<Trial> {
    let folder = root.join(suite.folder);
    let files = files(&folder);
    let inputs: Vec<PathBuf> =
        files.iter().filter(|path| extension(path) == suite.input).cloned().collect();
    let stems: BTreeSet<PathBuf> = inputs.iter().map(|path| path.with_extension("")).collect();
    let mut trials: Vec<Trial> = inputs
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("{}/{name}", suite.folder);
            Trial::test(name, move || run(suite, &path, bless))
        })
        .collect();
    let name = format!("{}: every file belongs to an input", suite.folder);
    trials.push(Trial::test(name, move || {
        let known = |path: &Path| {
            let ours = suite.outputs.iter().any(|output| output.extension == extension(path));
            extension(path) == suite.input || (ours && stems.contains(&path.with_extension("")))
        };
        if stems.is_empty() {
            return Err(format!("no input in {}", folder.display()).into());
        }
        match files.iter().find(|path| !known(path)) {
            Some(orphan) => Err(format!("orphan: {}", orphan.display()).into()),
            None => Ok(()),
        }
    }));
    trials
}

/// Compares, or accepts, every output of one input.
fn run(suite: &Suite, path: &Path, bless: bool) -> Result<(), Failed> {
    let text = fs::read_to_string(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let case = Case { name, path: path.to_path_buf(), text };
    let mut complaints = String::new();
    for output in suite.outputs {
        let expected_path = path.with_extension(output.extension);
        let expected = fs::read_to_string(&expected_path).ok();
        let actual = (output.produce)(&case)?;
        if actual == expected {
            continue;
        }
        if !bless {
            complaints += &complaint(&expected_path, expected.as_deref(), actual.as_deref());
            continue;
        }
        match actual {
            Some(actual) => fs::write(&expected_path, actual)?,
            None => fs::remove_file(&expected_path)?,
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.into()) }
}

fn complaint(path: &Path, expected: Option<&str>, actual: Option<&str>) -> String {
    let shown = path.display();
    let what = match (expected, actual) {
        (None, _) => format!("missing: {shown}\n"),
        (_, None) => format!("orphan: nothing produces {shown}\n"),
        _ => format!("differs: {shown}\n"),
    };
    let diff = similar::TextDiff::from_lines(expected.unwrap_or(""), actual.unwrap_or(""))
        .unified_diff()
        .header("expected", "actual")
        .to_string();
    format!("{what}{diff}accept with: {BLESS}\n")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or("")
}
