//! `nnc export`: writes a trained model in a form that other programs read.

use super::trained::TrainedModel;
use crate::base::shown::Show;
use crate::command::{self, ExportDestination, OnnxOptions};
use crate::driver::Failure;
use crate::onnx::export::ImageLayout;
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
    /// File or folder to write [default: named after the model, in the current folder]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// onnx: version of ONNX's operators, 13 to 23 [default: the lowest that has all that are of use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(13..=23))]
    opset: Option<i64>,
    /// onnx: order of an image's axes
    #[arg(long, value_enum, default_value = "nhwc")]
    layout: LayoutArg,
    /// onnx: samples of a batch [default: any number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    batch: Option<u32>,
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
    /// A PyTorch module with its weights
    Pytorch,
}

/// The order of the axes of images.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LayoutArg {
    /// [N, height, width, channels], as nnc's programs have them
    Nhwc,
    /// [N, channels, height, width], as PyTorch's habit is
    Nchw,
}

impl ExportArgs {
    /// Exports, and says which files are written.
    pub fn execute(self) -> Result<u8, Failure> {
        let (request, model) = self.model.find(true)?;
        let to = ExportDestination { path: self.output, force: self.force };
        let written: Vec<PathBuf> = match self.format {
            ExportFormat::Onnx => {
                let layout = match self.layout {
                    LayoutArg::Nhwc => ImageLayout::ChannelsLast,
                    LayoutArg::Nchw => ImageLayout::ChannelsFirst,
                };
                let batch = self.batch.map(|batch| batch as usize);
                let options = OnnxOptions { opset: self.opset, layout, batch };
                command::export_onnx(&request, &model, options, &to)?
            }
            ExportFormat::C | ExportFormat::Object | ExportFormat::Pytorch => {
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
