//! `nnc verify`: whether what is compiled is what the program says.

use super::{Common, write};
use crate::base::fit::hanging;
use crate::command::{self, Verdict, Verified, VerifyOptions};
use crate::driver::{self, Failure};
use clap::Args;
use serde_json::json;
use std::fmt::Write;

/// Checks the model's gradients, and compiled code against interpreters and against itself.
#[derive(Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    common: Common,
    /// Batch size; the interpreter is slow for large batches
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,
    /// Number of training steps
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    steps: u32,
    /// Seed of parameters and samples
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Check all tensors, however long the interpreter takes
    #[arg(long)]
    thorough: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl VerifyArgs {
    /// Checks and prints; exit code 1 if a check failed.
    pub fn execute(self) -> Result<u8, Failure> {
        let mut session = driver::Session::new(None);
        let request = self.common.request(false)?;
        let options = VerifyOptions {
            batch: self.batch as usize,
            steps: self.steps.into(),
            seed: self.seed,
            thorough: self.thorough,
        };
        let verified = command::verify(&mut session, &request, &options)?;
        let failed = verified.checks.iter().any(|check| check.verdict == Verdict::Failed);
        let text = match self.json {
            true => {
                let object = json!({
                    "version": 1, "model": verified.model, "target": request.target.name(),
                    "batch": options.batch, "steps": options.steps, "seed": options.seed,
                    "passed": !failed, "checks": verified.checks,
                });
                format!("{object}\n")
            }
            false => text(&verified),
        };
        write::out(&text)?;
        self.common.print_timings(&session.timings);
        Ok(u8::from(failed))
    }
}

fn text(verified: &Verified) -> String {
    let mut text = String::new();
    for check in &verified.checks {
        let verdict = match check.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed => "FAILED",
            Verdict::Skipped => "skipped",
        };
        let mut line = format!("{verdict:<8} {:<12} {}", check.name, check.what);
        if let Some(worst) = check.worst {
            let _ = write!(line, "; the worst error is {:.0} % of what is allowed", 100.0 * worst);
        }
        let _ = writeln!(text, "{}", hanging(&line, write::width(), 22));
        if let Some(place) = check.place.as_ref().filter(|_| check.verdict == Verdict::Failed) {
            let _ = writeln!(text, "{:<21} {place}", "");
        }
    }
    let of = |verdict| verified.checks.iter().filter(|check| check.verdict == verdict).count();
    let (failed, skipped) = (of(Verdict::Failed), of(Verdict::Skipped));
    let model = &verified.model;
    let _ = match (failed, skipped) {
        (0, 0) => writeln!(text, "{model}: all checks passed"),
        (0, skipped) => writeln!(text, "{model}: no check failed, {skipped} skipped"),
        (failed, _) => writeln!(
            text,
            "{model}: {failed} failed; please report it with the program, unless the model is\n\
             numerically delicate (numbers near overflow, differences of almost equal ones)"
        ),
    };
    text
}
