//! `nnc explain CODE`: what stands behind a code, with a wrong program and a right one.

use super::write;
use crate::base::codes::{self, DiagnosticCode};
use crate::base::names::near;
use crate::driver::Failure;
use clap::Args;

/// Explains the code that stands before a message.
#[derive(Args)]
pub struct ExplainArgs {
    /// The code: E0106; without one, all codes with their titles
    code: Option<String>,
}

impl ExplainArgs {
    /// Prints the explanation, or the table of all codes.
    pub fn execute(self) -> Result<u8, Failure> {
        let Some(code) = self.code else {
            let line = |code: &DiagnosticCode| format!("{}  {}\n", code.code, code.title);
            write::out(&codes::TABLE.iter().map(line).collect::<String>())?;
            return Ok(0);
        };
        match codes::find(&code) {
            Some(DiagnosticCode { code, title, text }) => {
                write::out(&format!("{code}: {title}\n\n{}\n", text.trim_end()))?;
                Ok(0)
            }
            None => {
                let known = codes::TABLE.iter().map(|code| code.code);
                let near = near(&code, known).first().map(|near| format!("; did you mean {near}?"));
                let near = near.unwrap_or_else(|| "; `nnc explain` lists all".into());
                Err(Failure::Io(format!("there is no code {code}{near}")))
            }
        }
    }
}
