//! `nnc import`: models of ONNX as programs that compute the same numbers.
//!
//! Files are made by the tests themselves ([`builder`]). Networks that Python exports, and ONNX's own
//! tests, are folders that `tests/import_onnx/generate.py` writes, in `NNC_ONNX_CASES`. Without that
//! variable the tests of operators are written by the Python of `NNC_PYTHON`, else `python3`; where it
//! has no onnx the test says so and passes, unless `NNC_REQUIRE_ONNX` is set.

mod support;

#[path = "import_onnx/builder.rs"]
mod builder;
#[path = "import_onnx/cases.rs"]
mod cases;
#[path = "import_onnx/commands.rs"]
mod commands;
#[path = "import_onnx/evaluate.rs"]
mod evaluate;
#[path = "import_onnx/hostile.rs"]
mod hostile;
#[path = "import_onnx/models.rs"]
mod models;
#[path = "import_onnx/numbers.rs"]
mod numbers;
#[path = "import_onnx/operators.rs"]
mod operators;
#[path = "import_onnx/products.rs"]
mod products;
#[path = "import_onnx/recurrent.rs"]
mod recurrent;
#[path = "import_onnx/weights.rs"]
mod weights;

use cases::{CaseResult, run_case};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The folders of cases below one, in order.
fn folders(root: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut stack = vec![root.to_owned()];
    while let Some(folder) = stack.pop() {
        if folder.join("model.onnx").is_file() {
            found.push(folder);
            continue;
        }
        let entries = std::fs::read_dir(&folder).expect("a folder of cases");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        stack.extend(paths.filter(|path| path.is_dir()));
    }
    found.sort();
    found
}

/// The cases to run: those of `NNC_ONNX_CASES`, else ONNX's own tests of operators, written anew.
fn cases() -> Option<(PathBuf, Option<tempfile::TempDir>)> {
    if let Ok(root) = std::env::var("NNC_ONNX_CASES") {
        return Some((PathBuf::from(root), None));
    }
    let python = support::python::python("onnx", "onnx", "NNC_REQUIRE_ONNX")?;
    let folder = tempfile::tempdir().expect("a folder");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/import_onnx/generate.py");
    let mut command = std::process::Command::new(python);
    let made = command.arg(script).arg(folder.path()).arg("node").output().expect("Python runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some((folder.path().to_owned(), Some(folder)))
}

/// All cases of a folder: none may give wrong numbers.
#[test]
fn cases_that_python_has_written_give_their_numbers() {
    let Some((root, _folder)) = cases() else { return };
    let filter = std::env::var("NNC_ONNX_FILTER").unwrap_or_default();
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let (mut failures, mut all) = (Vec::new(), 0);
    for folder in folders(&root) {
        let name = folder.strip_prefix(&root).expect("a folder below").display().to_string();
        if !name.contains(&filter) {
            continue;
        }
        let kind = name.split('/').next().unwrap_or_default().to_owned();
        let count = counts.entry(kind).or_default();
        match run_case(&folder) {
            CaseResult::Passed(how) => {
                (count[0], all) = (count[0] + 1, all + 1);
                println!("{name}: passed{how}");
            }
            CaseResult::Unsupported(reason) => {
                count[1] += 1;
                println!("{name}: not supported: {}", reason.replace('\n', " "));
            }
            CaseResult::Failed(reason) => {
                count[2] += 1;
                println!("{name}: FAILED: {reason}");
                failures.push(name);
            }
        }
    }
    println!("| tests | passed | not supported | failed |\n|---|---|---|---|");
    for (kind, [passed, unsupported, failed]) in &counts {
        println!("| `{kind}` | {passed} | {unsupported} | {failed} |");
    }
    assert!(all > 0, "no case passes");
    assert!(failures.is_empty(), "{} failed: {failures:#?}", failures.len());
}
