//! `nnc check`: mistakes without running anything, with the edits that mend them; on a good file,
//! the model's size.

use super::threads::threads;
use super::{Common, diff, machine, render, write};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::source::Sources;
use crate::command::{self, CheckOptions};
use crate::driver::{self, Failure, Fixed};
use clap::{Args, ValueEnum};
use std::path::Path;

/// Finds mistakes without running anything.
#[derive(Args)]
pub struct CheckArgs {
    #[command(flatten)]
    common: Common,
    /// Predict the time of a step and of an epoch on this processor
    #[arg(long)]
    time: bool,
    /// Print path, shape, size and initializer of each parameter, and whether it is trained
    #[arg(long)]
    parameters: bool,
    /// Number of threads that a run would use [default: NNC_THREADS, or else all available
    /// processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Apply the fixes that are certain and remove nothing, checking after each; print the changes
    #[arg(long)]
    fix: bool,
    /// With --fix: print the changes without making them
    #[arg(long, requires = "fix")]
    dry_run: bool,
    /// Print findings and the report as JSON, one object a line, on standard output
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// How to print findings
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Findings to treat as errors
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
}

/// Mistakes of a file's models, and reports on those that are sound.
#[derive(Default)]
struct Checked {
    reports: Vec<command::Report>,
    found: Vec<Diagnostic>,
    sources: Sources,
    failed: bool,
}

/// Forms of the output.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object per line
    Json,
    /// One SARIF 2.1.0 log
    Sarif,
}

/// Values of `--deny`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Warnings fail the check
    Warnings,
}

impl CheckArgs {
    /// Prints mistakes, or what the model is.
    pub fn execute(self) -> Result<u8, Failure> {
        let request = self.common.request(false)?;
        if self.fix {
            return self.mend(&request);
        }
        let format = if self.json { Format::Json } else { self.format };
        let main = &request.file;
        let checked = match self.checked(&request) {
            Err(failure) if format != Format::Text => return refused(&failure, format, main),
            checked => checked?,
        };
        let Checked { reports, found, sources, failed } = checked;
        match format {
            Format::Text if failed => {}
            Format::Text => render::print(&found, &sources),
            Format::Json => machine::print_json(&found, &sources, main)?,
            Format::Sarif => machine::print_sarif(&found, &sources, main)?,
        }
        for (index, report) in reports.iter().enumerate() {
            let text = match format {
                Format::Text if index > 0 => format!("\n{}", self.report(report)),
                Format::Text => self.report(report),
                Format::Json => format!("{}\n", report.json()),
                Format::Sarif => continue,
            };
            write::out(&text)?;
        }
        match failed {
            true if format == Format::Text => {
                Err(Failure::Program { diagnostics: found, sources: Box::new(sources) })
            }
            true => Ok(1),
            false => Ok(self.verdict(!found.is_empty())),
        }
    }

    /// Checks the model that is meant, or each of several.
    fn checked(&self, request: &driver::Request) -> Result<Checked, Failure> {
        let threads = threads(self.threads);
        let options = CheckOptions { threads, time: self.time };
        let mut checked = Checked::default();
        let mut first = driver::Session::new(None);
        for request in driver::each_model(&mut first, request)? {
            let mut session = first.beside();
            match command::check(&mut session, &request, options) {
                Ok(report) => {
                    driver::merge(&mut checked.found, report.warnings.clone());
                    checked.sources = session.sources;
                    checked.reports.push(report);
                }
                Err(Failure::Program { diagnostics, sources }) => {
                    driver::merge(&mut checked.found, diagnostics);
                    checked.sources = *sources;
                    checked.failed = true;
                }
                Err(failure) => return Err(failure),
            }
            self.common.print_timings(&session.timings);
        }
        Ok(checked)
    }

    fn report(&self, report: &command::Report) -> String {
        match self.parameters {
            true => format!("{}{}", report.text(), report.parameters()),
            false => report.text(),
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
            // A program from standard input goes to standard output, whole.
            let is_filter = request.text.is_some() && file.path == request.file && !self.dry_run;
            if is_filter {
                write::raw(file.after.as_bytes())?;
                continue;
            }
            write::raw(diff::unified(&file.path, &file.before, &file.after).as_bytes())?;
            if !self.dry_run {
                write::replace(&file.path, &file.after)?;
            }
        }
        if let Some(text) = request.text.as_ref().filter(|_| changed.is_empty() && !self.dry_run) {
            write::raw(text.as_bytes())?;
        }
        render::print(&left, &sources);
        let fixes = if made.len() == 1 { "1 fix".into() } else { format!("{} fixes", made.len()) };
        let done = if self.dry_run { "would be made" } else { "made" };
        eprintln!("{fixes} {done}: {}", render::left(&left));
        let errors = left.iter().any(|found| found.severity == Severity::Error);
        Ok(if errors { 1 } else { self.verdict(!left.is_empty()) })
    }
}

/// Says to a program why nothing could be checked, as a finding like any other; the exit code.
fn refused(failure: &Failure, format: Format, main: &Path) -> Result<u8, Failure> {
    let found = machine::finding(failure, main);
    match format {
        Format::Text => {}
        Format::Json => machine::print_json(found.as_slice(), &Sources::new(), main)?,
        Format::Sarif => machine::print_sarif(found.as_slice(), &Sources::new(), main)?,
    }
    Ok(failure.exit_code())
}
