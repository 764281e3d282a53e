//! `nnc lr-find`: tries learning rates, and suggests one.

use super::progress::{ProgressMode, ReadProgress};
use super::train::{TrainingArgs, listen};
use super::{ModelArgs, threads, write};
use crate::base::shown::Show;
use crate::command::{self, Found, RateRange};
use crate::driver::Failure;
use crate::run;
use crate::runtime::pool::Pool;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Tries learning rates in a short run, and suggests one.
#[derive(Args)]
pub struct LrFindArgs {
    /// The source file
    file: PathBuf,
    #[command(flatten)]
    options: ModelArgs,
    #[command(flatten)]
    training: TrainingArgs,
    /// The first learning rate
    #[arg(long, default_value_t = 1e-6, value_parser = rate)]
    from: f64,
    /// The last learning rate
    #[arg(long, default_value_t = 10.0, value_parser = rate)]
    to: f64,
    /// Number of steps, each with its own learning rate
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    steps: u32,
    /// The file for the curve
    #[arg(long, value_name = "FILE", default_value = "lr-find.svg")]
    svg: PathBuf,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("a learning rate is a positive number, such as 1e-3".to_owned()),
    }
}

impl LrFindArgs {
    /// Tries and prints.
    pub fn execute(self) -> Result<u8, Failure> {
        if self.from >= self.to {
            return Err(Failure::Io("--from must be less than --to".to_owned()));
        }
        run::check_writable(&self.svg)?;
        let interrupted = listen()?;
        let mode = ProgressMode::choose(self.training.json, self.training.quiet);
        let reading = ReadProgress::new(mode, &interrupted);
        let watch = |done, total| reading.read(done, total);
        let request = self.options.request(&self.file, true)?;
        let range = RateRange { from: self.from, to: self.to, steps: self.steps as usize };
        let mut pool = threads::pool(Pool::adaptive, self.training.threads());
        let stop = AtomicBool::new(false);
        let found = command::lr_find(
            &request,
            &self.training.settings()?,
            &self.training.overrides(),
            range,
            &mut pool,
            &watch,
            &stop,
        )?;
        let title = format!("learning rates of {}", self.file.to_string_lossy());
        run::write_file(&self.svg, found.svg(&title).as_bytes())?;
        write::out(&self.text(&found))?;
        Ok(0)
    }

    fn text(&self, found: &Found) -> String {
        let shown =
            |rate: Option<f64>| rate.map_or("none".to_owned(), |rate| format!("{rate:.1e}"));
        if self.training.json {
            let object = json!({
                "suggestion": found.suggestion(), "steepest": found.steepest,
                "least_loss": found.least, "diverged": found.diverged, "points": found.points,
                "svg": self.svg.to_string_lossy().into_owned(),
            });
            return format!("{object}\n");
        }
        let tried = found.points.len();
        let last = found.points.last().map(|(rate, _)| *rate);
        let end = if found.diverged { "where the loss ran away" } else { "without running away" };
        let mut text = format!("{tried} rates tried, up to {} {end}\n", shown(last));
        text.push_str(&format!("steepest at {}, ", shown(found.steepest)));
        text.push_str(&format!("least loss at {}\n", shown(found.least)));
        match found.suggestion() {
            Some(rate) => text.push_str(&format!("suggestion: lr: {rate:.1e}\n")),
            None => text.push_str("no suggestion: the loss never falls; try more --steps\n"),
        }
        text.push_str(&format!("the curve is in {}\n", self.svg.shown()));
        text
    }
}
