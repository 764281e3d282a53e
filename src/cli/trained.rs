//! The arguments that name a trained model: a run's folder, or a program with a file of weights.

use super::ModelArgs;
use crate::base::shown::Show;
use crate::codegen::Target;
use crate::driver::{Failure, Request};
use crate::run::{Model, RunFolder, Which};
use clap::Args;
use std::path::PathBuf;

/// A trained model.
#[derive(Args)]
pub struct TrainedModel {
    /// The folder of a run, such as runs/mnist; or a source file, with `--weights`
    #[arg(id = "trained", value_name = "MODEL")]
    from: PathBuf,
    /// The weights: `best`, `last`, or a file (safetensors) [default: best]
    #[arg(long, value_name = "WEIGHTS")]
    weights: Option<PathBuf>,
    #[command(flatten)]
    options: ModelArgs,
}

impl TrainedModel {
    /// Takes the target that was asked for, where it need not be one that runs here.
    pub fn take_target(&mut self) -> Option<Target> {
        self.options.target.take()
    }

    /// The program, and where the weights are.
    pub fn find(&self, network: bool) -> Result<(Request, Model), Failure> {
        if !self.from.exists() {
            let message = format!("there is no {}", self.from.shown());
            return Err(Failure::Io(message));
        }
        let which = match &self.weights {
            None => Which::Best,
            Some(name) if name.as_os_str() == "best" => Which::Best,
            Some(name) if name.as_os_str() == "last" => Which::Last,
            Some(file) => Which::File(file.clone()),
        };
        if self.from.is_dir() {
            // A folder that is none is told by whoever reads it.
            let request = self.options.request(&self.from, network)?;
            return Ok((request, Model::Folder(self.from.clone(), which)));
        }
        let request = self.options.request(&self.from, network)?;
        match which {
            Which::File(file) => Ok((request, Model::Program(file))),
            Which::Best | Which::Last => {
                let stem = self.from.file_stem().unwrap_or_default().to_string_lossy();
                let root = RunFolder::newest(&stem).map_err(|_| {
                    Failure::Io(format!(
                        "{} has not been trained here; `--weights FILE` says where its weights are",
                        self.from.shown()
                    ))
                })?;
                Ok((request, Model::Folder(root, which)))
            }
        }
    }
}
