//! `nnc check`: mistakes without running anything, with the edits that mend them; on a good file,
//! the model's size.

use super::{Common, diff, machine, render, write};
use crate::base::diagnostic::Severity;
use crate::driver::{self, Failure, Fixed, Wanted};
use crate::runtime::pool::default_threads;
use clap::{Args, ValueEnum};

/// Finds mistakes without running anything.
#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    common: Common,
    /// Predict the time of a step and of an epoch on this processor
    #[arg(long)]
    time: bool,
    /// Threads that a run would have [default: the processors at hand]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Make each finding's first fix, checking again after each, and print the difference
    #[arg(long)]
    fix: bool,
    /// With --fix: print the difference and change nothing
    #[arg(long, requires = "fix")]
    dry_run: bool,
    /// Print findings and the report as JSON, one object a line, on standard output
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// How to print findings
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Which findings are errors
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
}

/// Forms of the output.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// As people read it
    Text,
    /// One JSON object a line
    Json,
    /// One SARIF 2.1.0 log
    Sarif,
}

/// What `--deny` takes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Warnings fail the check
    Warnings,
}

impl Check {
    /// Prints mistakes, or what the model is.
    pub fn execute(self) -> Result<u8, Failure> {
        let request = self.common.request(false)?;
        if self.fix {
            return self.mend(&request);
        }
        let mut session = driver::Session::new(None);
        let threads = self.threads.map_or_else(default_threads, usize::from);
        let wanted = Wanted { threads, time: self.time };
        let checked = driver::check(&mut session, &request, wanted);
        let format = if self.json { Format::Json } else { self.format };
        let (report, failure) = match checked {
            Ok(report) => (Some(report), None),
            Err(failure) => (None, Some(failure)),
        };
        let (found, sources) = match (&report, &failure) {
            (Some(report), _) => (&report.warnings[..], &session.sources),
            (None, Some(Failure::Program { diagnostics, sources })) => {
                (&diagnostics[..], &**sources)
            }
            _ => (&[][..], &session.sources),
        };
        match format {
            Format::Text if failure.is_some() => {}
            Format::Text => render::print(found, sources),
            Format::Json => machine::print_json(found, sources),
            Format::Sarif => machine::print_sarif(found, sources),
        }
        self.common.print_timings(&session.timings);
        match (report, failure) {
            (Some(report), _) => {
                match format {
                    Format::Text => write::out(&report.text())?,
                    Format::Json => write::out(&format!("{}\n", report.json()))?,
                    Format::Sarif => {}
                }
                Ok(self.verdict(!report.warnings.is_empty()))
            }
            (None, Some(Failure::Program { .. })) if format != Format::Text => Ok(1),
            (None, Some(failure)) => Err(failure),
            (None, None) => Ok(0),
        }
    }

    fn verdict(&self, warnings: bool) -> u8 {
        if warnings && self.deny == Some(Deny::Warnings) {
            eprintln!("warnings are denied");
            1
        } else {
            0
        }
    }

    /// Makes the fixes and prints what they change.
    fn mend(&self, request: &driver::Request) -> Result<u8, Failure> {
        let Fixed { changed, made, left, sources } = driver::fix(request)?;
        for file in &changed {
            write::out(&diff::unified(&file.path, &file.before, &file.after))?;
            if !self.dry_run {
                write::replace(&file.path, &file.after)?;
            }
        }
        render::print(&left, &sources);
        let fixes = if made.len() == 1 { "1 fix".into() } else { format!("{} fixes", made.len()) };
        let done = if self.dry_run { "would be made" } else { "made" };
        eprintln!("{fixes} {done}: {}", render::left(&left));
        let errors = left.iter().any(|found| found.severity == Severity::Error);
        Ok(if errors { 1 } else { self.verdict(!left.is_empty()) })
    }
}
