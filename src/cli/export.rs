//! `nnc export`: writes a trained model in a form that other programs read.

use super::trained::TrainedModel;
use crate::base::shown::Show;
use crate::codegen::Target;
use crate::command::{CExportOptions, ExportDestination, export_c, export_object, export_pytorch};
use crate::driver::Failure;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Writes a trained model in a form that other programs read.
#[derive(Args)]
pub struct ExportArgs {
    #[command(flatten)]
    model: TrainedModel,
    /// The form
    #[arg(long, value_enum)]
    format: ExportFormat,
    /// Samples a call, for `c` and `object` [default: 1, or the program's batch with --train]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Export training, too, for `c`
    #[arg(long)]
    train: bool,
    /// File or folder to write [default: named after the model, in the current folder]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
}

/// The forms that a model may be exported to.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// A graph of ONNX with the weights inside
    Onnx,
    /// C99 without a library, computing the bits that nnc computes
    C,
    /// An object file with nnc's machine code, and its C header
    Object,
    /// A folder with a PyTorch module, its weights, and a check of its outputs
    Pytorch,
}

impl ExportArgs {
    /// Exports, and says which files are written.
    pub fn execute(mut self) -> Result<u8, Failure> {
        if self.train && self.format != ExportFormat::C {
            return Err(Failure::Io("--train is for --format c".to_owned()));
        }
        let batch = self.batch.map(|batch| batch as usize);
        // Code for another processor is written, not run.
        let target = self.model.take_target().unwrap_or_else(Target::detect);
        let (request, model) = self.model.find(true)?;
        let to = ExportDestination { path: self.output, force: self.force };
        let written: Vec<PathBuf> = match self.format {
            ExportFormat::C => {
                let options = CExportOptions { batch, train: self.train };
                export_c(&request, &model, options, &to)?
            }
            ExportFormat::Object => {
                export_object(&request, &model, batch.unwrap_or(1), &target, &to)?
            }
            ExportFormat::Pytorch => export_pytorch(&request, &model, &to)?,
            ExportFormat::Onnx => {
                let _ = (request, model, to);
                return Err(Failure::Io("skeleton: each helper replaces its arm".to_owned()));
            }
        };
        for path in written {
            eprintln!("{} written", path.shown());
        }
        Ok(0)
    }
}
