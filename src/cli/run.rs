//! `nnc run`: trains a model on its data, then tests it.

use super::progress::{Mode, Progress, Reading, push_scores, put_scores};
use super::{Common, INTERRUPTED, render};
use crate::driver::{self, Failure, Run as Prepared};
use crate::runtime::pool::{Pool, default_threads};
use crate::runtime::trainer::{Outcome, Scores};
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Trains a model on its data, then tests it.
#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    common: Common,
    /// Threads; results are the same for any number [default: the processors at hand]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Epochs to make, instead of what the file says
    #[arg(long)]
    epochs: Option<usize>,
    /// Samples a step, instead of what the file says
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// The seed, instead of what the file says
    #[arg(long)]
    seed: Option<u64>,
    /// Write the trained parameters to this file (safetensors), after Ctrl-C too
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Print one JSON object a line on standard output
    #[arg(long)]
    json: bool,
    /// Print nothing but the result
    #[arg(long)]
    quiet: bool,
    /// List every file that was left out, with the reason
    #[arg(long)]
    verbose: bool,
}

impl Run {
    /// Trains; exit code 130 if Ctrl-C ended it.
    pub fn execute(self) -> Result<u8, Failure> {
        let start = Instant::now();
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        // The first Ctrl-C ends the run after the current step; the second ends it at once.
        ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(INTERRUPTED));
            }
        })
        .map_err(|error| Failure::Io(format!("cannot listen to Ctrl-C: {error}")))?;
        if let Some(path) = &self.save {
            driver::check_writable(path)?;
        }

        let threads = self.threads.map_or_else(default_threads, usize::from);
        let mut pool = Pool::new(threads);
        let mut session = driver::Session::new(None);
        let batch = self.batch.map(|batch| batch as usize);
        let overrides = driver::Overrides { epochs: self.epochs, batch, seed: self.seed, threads };
        let mode = Mode::choose(self.json, self.quiet);
        let reading = Reading::new(mode, &stop);
        let watch = |done, total| reading.read(done, total);
        let request = self.common.request(true)?;
        let prepared = driver::run(&mut session, &request, &overrides, &watch)?;
        render::print(&prepared.warnings, &session.sources);
        let mut progress = Progress::new(mode);
        self.announce(&prepared, threads, &progress);
        self.common.print_timings(&session.timings);

        let mut trainer = prepared.trainer(&mut pool);
        let outcome = trainer.train(&mut progress, &stop);
        if let Some(path) = &self.save {
            // After an error too: a step that fails leaves the parameters as they were.
            driver::save_weights(path, &trainer, prepared.weights())?;
        }
        let failed = |error| driver::train_failure(&error, &prepared, &session);
        let outcome = outcome.map_err(failed)?;
        if outcome == Outcome::Stopped {
            progress.line(&format!("stopped after {} steps", trainer.steps_made()));
            return Ok(INTERRUPTED);
        }
        let test = trainer.test().map_err(failed)?;
        self.conclude(&prepared, test.as_ref(), start.elapsed().as_secs_f64());
        Ok(0)
    }

    /// Says what will be done, defaults included.
    fn announce(&self, run: &Prepared, threads: usize, progress: &Progress) {
        if self.json {
            let (source, notice) = (run.data.source, &run.data.notice);
            let notes: Vec<&str> = run.data.notes.iter().map(|note| note.line.as_str()).collect();
            println!(
                "{}",
                json!({
                    "event": "start", "data": source, "threads": threads, "notice": notice,
                    "notes": notes,
                })
            );
        }
        if self.quiet || self.json {
            return;
        }
        if let Some(notice) = &run.data.notice {
            progress.line(&format!("note: {notice}"));
        }
        for note in &run.data.notes {
            progress.line(&format!("note: {}", note.line));
            let details = note.details.iter().filter(|_| self.verbose);
            details.for_each(|detail| progress.line(&format!("  {detail}")));
        }
        progress.line(&run.summary(threads));
    }

    /// Prints the result.
    fn conclude(&self, run: &Prepared, test: Option<&Scores>, seconds: f64) {
        if self.json {
            let mut object = Map::new();
            object.insert("event".into(), json!("result"));
            if let Some(scores) = test {
                put_scores(&mut object, "test_", scores);
            }
            object.insert("seconds".into(), json!(seconds));
            object.insert("data".into(), json!(run.data.source));
            println!("{}", Value::Object(object));
            return;
        }
        let mut line = match test {
            Some(scores) => {
                let mut line = String::from("test    ");
                push_scores(&mut line, "", scores);
                line
            }
            None => String::from("trained; the data has no test split"),
        };
        if run.data.notice.is_some() {
            // The whole notice stood at the start; the result must not be taken for another's.
            line.push_str(&format!("  on {}, which stood in", run.data.source));
        }
        println!("{line}  ({seconds:.2} s in all)");
    }
}
