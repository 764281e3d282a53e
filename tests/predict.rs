//! `nnc predict` for each source: what the source takes, answers in the terms of the data, files of masks,
//! pictures and arrays, and what is refused.

#[path = "predict/arrays.rs"]
mod arrays;
#[path = "predict/damaged.rs"]
mod damaged;
#[path = "predict/drawn.rs"]
mod drawn;
#[path = "support/folder.rs"]
mod folder;
#[path = "predict/samples.rs"]
mod samples;
#[path = "support/tone.rs"]
mod tone;

use folder::Folder;
use serde_json::Value;

/// What a command says that fails with exit code 1, on standard output and on standard error.
#[track_caller]
fn failed(folder: &Folder, args: &[&str]) -> (String, String) {
    let output = folder.nnc(args);
    let [out, error] =
        [output.stdout, output.stderr].map(|it| String::from_utf8(it).expect("text"));
    assert_eq!(output.status.code(), Some(1), "{args:?}: {out}{error}");
    (out, error)
}

/// The numbers of an answer.
fn numbers(answer: &Value) -> Vec<f64> {
    let numbers = answer["output"].as_array().expect("numbers");
    numbers.iter().map(|it| it.as_f64().expect("a number")).collect()
}
