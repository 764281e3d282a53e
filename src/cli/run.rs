//! `nnc run`: trains a model on its data, then tests it.

use super::ModelArgs;
use super::series;
use super::train::{self, RunOptions, TrainingArgs};
use crate::driver::Failure;
use crate::run::{RunFolder, RunPlace, RunSeries};
use clap::Args;
use std::path::PathBuf;
use std::time::Instant;

/// Trains a model on its data, then tests it.
#[derive(Args)]
pub struct RunArgs {
    /// The source file; with `--resume`, it may be left out, or be the folder of the run
    #[arg(required_unless_present = "resume")]
    file: Option<PathBuf>,
    #[command(flatten)]
    options: ModelArgs,
    #[command(flatten)]
    training: TrainingArgs,
    /// The folder to write the run to [default: the first free one of runs/NAME, runs/NAME-2, …]
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["resume", "no_out"])]
    out: Option<PathBuf>,
    /// Write no folder: neither checkpoints nor logs
    #[arg(long, conflicts_with = "resume")]
    no_out: bool,
    /// Resume a run from its newest checkpoint: the file's newest run, or the one in this folder
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
    resume: Option<Option<PathBuf>>,
    /// The checkpoint to resume from, instead of the newest
    #[arg(long, value_name = "NAME", requires = "resume")]
    checkpoint: Option<String>,
    /// Resume even though the program has changed since the checkpoint was written
    #[arg(long, requires = "resume")]
    force: bool,
    /// Compile the program and open its data, report what a run would do, and stop
    #[arg(long)]
    dry_run: bool,
    /// Show the run on the whole terminal: curves, scores, layers, log; keys to keep it, to halve the
    /// learning rate and to stop
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    tui: bool,
    /// Also write the trained parameters to this file (safetensors), even after Ctrl-C
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

impl RunArgs {
    /// Trains; exit code 130 if Ctrl-C ended it.
    pub fn execute(self) -> Result<u8, Failure> {
        let stop = train::listen()?;
        if let Some(path) = &self.save {
            crate::run::check_writable(path)?;
        }
        let (file, place) = self.place()?;
        if let RunPlace::Resumed(root, _) = &place
            && RunSeries::is_one(root)
        {
            let request = self.options.request(&file, true)?;
            let series = RunSeries::resume(root, &request, &self.training.overrides())?;
            return series::run(&series, &self.training, &self.options, &stop);
        }
        let request = self.options.request(&file, true)?;
        let asked = RunOptions {
            request,
            settings: self.training.settings()?,
            place,
            force: self.force,
            training: &self.training,
            options: &self.options,
            save: self.save.as_ref(),
            dry_run: self.dry_run,
            tui: self.tui,
            stop: &stop,
            said: &train::ShownNotes::default(),
        };
        let start = Instant::now();
        let job = train::job(&asked)?;
        if let RunPlace::New(out) = &asked.place
            && let Some(members) = crate::run::folds(&job)?
        {
            let stem = asked.request.file.file_stem().unwrap_or_default().to_string_lossy();
            let series = RunSeries::begin(&job, out.as_deref(), &stem, members)?;
            return series::run(&series, &self.training, &self.options, &stop);
        }
        train::run(&asked, &job, start)
    }

    /// The program's file, and where the run is written.
    fn place(&self) -> Result<(PathBuf, RunPlace), Failure> {
        let Some(folder) = &self.resume else {
            let file = self.file.clone().unwrap_or_default();
            let place = match self.no_out || self.dry_run {
                true => RunPlace::Nowhere,
                false => RunPlace::New(self.out.clone()),
            };
            return Ok((file, place));
        };
        let named = self.checkpoint.clone();
        let root = match (folder, &self.file) {
            (Some(folder), _) => folder.clone(),
            (None, Some(file)) if file.is_dir() => file.clone(),
            (None, Some(file)) => {
                RunFolder::newest(&file.file_stem().unwrap_or_default().to_string_lossy())?
            }
            (None, None) => {
                let message = "`--resume` needs the file of the run or its folder: \
                               `nnc run --resume runs/mnist`";
                return Err(Failure::Io(message.into()));
            }
        };
        let file = self.file.clone().filter(|file| !file.is_dir());
        Ok((file.unwrap_or_default(), RunPlace::Resumed(root, named)))
    }
}
