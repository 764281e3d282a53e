//! `nnc run`: trains a model on its data, then tests it.

use super::Options;
use super::series;
use super::train::{self, RunOptions, Training};
use crate::driver::Failure;
use crate::run::{Place, RunFolder, Series};
use clap::Args;
use std::path::PathBuf;
use std::time::Instant;

/// Trains a model on its data, then tests it.
#[derive(Args)]
pub struct Run {
    /// The source file; with `--resume`, it may be left out, or be the folder of the run
    #[arg(required_unless_present = "resume")]
    file: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    training: Training,
    /// The folder to write the run to [default: the first free one of runs/NAME, runs/NAME-2, …]
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["resume", "no_out"])]
    out: Option<PathBuf>,
    /// Write no folder: neither checkpoints nor logs
    #[arg(long, conflicts_with = "resume")]
    no_out: bool,
    /// Go on with a run, the newest of the file's or that of a folder, from its newest checkpoint
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
    resume: Option<Option<PathBuf>>,
    /// The checkpoint to go on from, instead of the newest
    #[arg(long, value_name = "NAME", requires = "resume")]
    checkpoint: Option<String>,
    /// Go on though the program has changed since the checkpoint was written
    #[arg(long, requires = "resume")]
    force: bool,
    /// Compile and open everything, report what would be done, and stop
    #[arg(long)]
    dry_run: bool,
    /// Write the trained parameters to this file (safetensors), too, after Ctrl-C as well
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

impl Run {
    /// Trains; exit code 130 if Ctrl-C ended it.
    pub fn execute(self) -> Result<u8, Failure> {
        let stop = train::listen()?;
        if let Some(path) = &self.save {
            crate::run::check_writable(path)?;
        }
        let (file, place) = self.place()?;
        if let Place::Resumed(root, _) = &place
            && Series::is_one(root)
        {
            let request = self.options.request(&file, true)?;
            let series = Series::resume(root, &request, &self.training.overrides())?;
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
            stop: &stop,
            said: &train::Said::default(),
        };
        let start = Instant::now();
        let job = train::job(&asked)?;
        if let Place::New(out) = &asked.place
            && let Some(members) = crate::run::folds(&job)?
        {
            let stem = asked.request.file.file_stem().unwrap_or_default().to_string_lossy();
            let series = Series::begin(&job, out.as_deref(), &stem, members)?;
            return series::run(&series, &self.training, &self.options, &stop);
        }
        train::run(&asked, &job, start)
    }

    /// The program's file, and where the run is written.
    fn place(&self) -> Result<(PathBuf, Place), Failure> {
        let Some(folder) = &self.resume else {
            let file = self.file.clone().unwrap_or_default();
            let place = match self.no_out || self.dry_run {
                true => Place::Nowhere,
                false => Place::New(self.out.clone()),
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
        Ok((file.unwrap_or_default(), Place::Resumed(root, named)))
    }
}
