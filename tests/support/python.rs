//! The Python whose packages judge what nnc writes.

use std::env;
use std::process::Command;

/// The Python of `NNC_PYTHON`, else `python3`, if it has what `import` names: `onnx, numpy`. Where it has
/// not, that is said by the name `what`, and is a failure if the variable `required` is set.
pub fn python(import: &str, what: &str, required: &str) -> Option<String> {
    let python = env::var("NNC_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let tried = Command::new(&python).args(["-c", &format!("import {import}")]).output();
    match tried {
        Ok(output) if output.status.success() => Some(python),
        _ if env::var_os(required).is_none() => {
            println!("skipped: {python} has no {what}");
            None
        }
        Ok(output) => {
            panic!("{python} has no {what}: {}", String::from_utf8_lossy(&output.stderr))
        }
        Err(error) => panic!("{python} does not run: {error}"),
    }
}
