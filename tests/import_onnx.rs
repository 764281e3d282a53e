//! `nnc import`: models of ONNX as programs that compute the same numbers.
//!
//! Files are made by the tests themselves ([`builder`]); networks that Python exports, and ONNX's own
//! tests, are folders that `tests/import_onnx/generate.py` writes, in `NNC_ONNX_CASES`.

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

/// All cases of a folder: none may give wrong numbers.
#[test]
fn cases_that_python_has_written_give_their_numbers() {
    let Ok(root) = std::env::var("NNC_ONNX_CASES") else {
        eprintln!("skipped: NNC_ONNX_CASES names no folder that tests/import_onnx/generate.py wrote");
        return;
    };
    let root = PathBuf::from(root);
    let filter = std::env::var("NNC_ONNX_FILTER").unwrap_or_default();
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut failures = Vec::new();
    for folder in folders(&root) {
        let name = folder.strip_prefix(&root).expect("a folder below").display().to_string();
        if !name.contains(&filter) {
            continue;
        }
        let kind = name.split('/').next().unwrap_or_default().to_owned();
        let count = counts.entry(kind).or_default();
        match run_case(&folder) {
            CaseResult::Passed(how) => {
                count[0] += 1;
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
    assert!(failures.is_empty(), "{} failed: {failures:#?}", failures.len());
}
