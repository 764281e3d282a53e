//! `tests/golden/cli`: what `nnc check` prints about a program that is wrong, as a user sees it,
//! each mistake on a line that is marked `//~ ERROR words`.

use std::process::Command;

use nnc::driver::{Failure, Request, Session};

use super::{Case, Output, Suite, diagnostics};

pub const SUITE: Suite = Suite {
    folder: "cli",
    input: "nn",
    outputs: &[Output { extension: "stderr", produce: errors }],
};

pub fn errors(case: &Case) -> Result<Option<String>, String> {
    let severe = check_marks(case)?;
    let folder = case.path.parent().expect("a folder");
    // Without data and without a terminal, so that nothing depends on who runs the test.
    let output = Command::new(env!("CARGO_BIN_EXE_nnc"))
        .args(["check", &case.name])
        .current_dir(folder)
        .env_remove("NNC_DATA")
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .map_err(|error| format!("nnc does not run: {error}"))?;
    let text = String::from_utf8(output.stderr).map_err(|error| error.to_string())?;
    if let Some(wide) = text.lines().find(|line| line.chars().count() > 100) {
        return Err(format!("a line of more than 100 columns: {wide}"));
    }
    let expected = if severe { 1 } else { 0 };
    if output.status.code() != Some(expected) {
        return Err(format!("exit code {:?}, not {expected}\n{text}", output.status.code()));
    }
    if severe && !output.stdout.is_empty() {
        return Err("something on standard output".to_string());
    }
    let tidy: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    Ok((!tidy.is_empty()).then_some(tidy))
}

/// Compares the diagnostics' places and words with the marks. Whether there are errors.
fn check_marks(case: &Case) -> Result<bool, String> {
    let request = Request::new(&case.path);
    let mut session = Session::new(None);
    match nnc::command::check(&mut session, &request, nnc::command::CheckOptions::default()) {
        Ok(report) => {
            diagnostics::check_marks(&session.sources, &report.warnings)?;
            Ok(false)
        }
        Err(Failure::Program { diagnostics, sources }) => {
            // A warning beside errors is no reason to fail.
            diagnostics::check_marks(&sources, &diagnostics)?;
            Ok(true)
        }
        Err(other) => Err(format!("{other:?}")),
    }
}
