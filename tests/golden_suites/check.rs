//! `tests/golden/check`: broken models, what `nnc check` says about them, and the programs as their
//! authors meant them.
//!
//! Each mistake is on a line that is marked `//~ ERROR` or `//~ WARNING`. Beside `NAME.nn` stand
//! `NAME.stderr`, what the user sees, and `NAME.fixed`, the intended program, unless a last line
//! `//~ FIX none: reason` says that no small edit leads there. How often `nnc check --fix` finds it
//! is counted by `tests/fixes.rs`.

use super::{Case, Output, Suite, cli};

pub const SUITE: Suite = Suite {
    folder: "check",
    input: "nn",
    outputs: &[
        Output { extension: "stderr", produce: cli::errors },
        Output { extension: "fixed", produce: intended },
    ],
};

/// The intended program is written by people: here it is only looked at.
fn intended(case: &Case) -> Result<Option<String>, String> {
    let none = case.text.lines().any(|line| line.starts_with("//~ FIX none: "));
    let path = case.path.with_extension("fixed");
    match (none, std::fs::read_to_string(&path)) {
        (true, Err(_)) => Ok(None),
        (false, Ok(text)) => Ok(Some(text)),
        (true, Ok(_)) => Err(format!("{} and a line `//~ FIX none`", path.display())),
        (false, Err(_)) => Err(format!("neither {} nor a line `//~ FIX none`", path.display())),
    }
}
