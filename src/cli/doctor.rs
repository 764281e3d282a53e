//! `nnc doctor`: whether the program works on this machine.

use super::{cache_folder, memory, write};
use crate::base::fit::hanging;
use crate::command::{self, Health};
use crate::driver::{self, Failure};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Looks at the processor, compiled code, memory, the cache and data.
#[derive(Args)]
pub struct DoctorArgs {
    /// Empty the cache of decoded images and temporary files; downloaded data stays
    #[arg(long)]
    clean: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl DoctorArgs {
    /// Looks and prints; exit code 1 if something does not work.
    pub fn execute(self) -> Result<u8, Failure> {
        let request = driver::Request {
            nnc_data: std::env::var_os("NNC_DATA").map(PathBuf::from),
            cache: cache_folder(),
            memory: memory::limit(),
            ..driver::Request::new("")
        };
        let findings = command::doctor(&request, self.clean);
        let text = match self.json {
            true => {
                let version = env!("CARGO_PKG_VERSION");
                format!("{}\n", json!({ "nnc": version, "findings": findings }))
            }
            false => {
                let mut text = format!("nnc {}\n", env!("CARGO_PKG_VERSION"));
                for finding in &findings {
                    let health = match finding.health {
                        Health::Ok => "ok",
                        Health::Note => "note",
                        Health::Problem => "problem",
                    };
                    let head = format!("{health:<8} {:<17} ", finding.name);
                    let texts =
                        [(head, Some(&finding.found)), (String::new(), finding.help.as_ref())];
                    for (head, found) in texts {
                        let Some(found) = found else { continue };
                        let line = hanging(&format!("{head:<27}{found}"), write::width(), 27);
                        text.push_str(&format!("{line}\n"));
                    }
                }
                text
            }
        };
        write::out(&text)?;
        let problem = findings.iter().any(|finding| finding.health == Health::Problem);
        Ok(u8::from(problem))
    }
}
