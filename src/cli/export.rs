//! `nnc export`: writes a trained model in a form that other programs read.

use super::trained::TrainedModel;
use crate::base::shown::Show;
use crate::codegen::Target;
use crate::command::{
    CExportOptions, ExportDestination, OnnxOptions, export_c, export_object, export_onnx,
    export_pytorch,
};
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
    /// c, object, onnx: samples of a batch [default: 1, or the program's batch with --train; of onnx any
    /// number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    batch: Option<u32>,
    /// c: export training, too
    #[arg(long)]
    train: bool,
    /// onnx: version of ONNX's operators, 13 to 23 [default: the lowest that has all that are of use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(13..=23))]
    opset: Option<i64>,
    /// onnx: order of an image's axes [default: nhwc]
    #[arg(long, value_enum)]
    layout: Option<LayoutArg>,
    /// onnx: fold batch norms into the convolutions before them
    #[arg(long)]
    fold: bool,
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
    pub fn execute(mut self) -> Result<u8, Failure> {
        self.refuse_other_flags()?;
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
                let layout = match self.layout {
                    None | Some(LayoutArg::Nhwc) => ImageLayout::ChannelsLast,
                    Some(LayoutArg::Nchw) => ImageLayout::ChannelsFirst,
                };
                let options = OnnxOptions { opset: self.opset, layout, batch, fold: self.fold };
                export_onnx(&request, &model, options, &to)?
            }
        };
        for path in written {
            eprintln!("{} written", path.shown());
        }
        Ok(0)
    }
    /// A flag of one format says nothing to another.
    fn refuse_other_flags(&self) -> Result<(), Failure> {
        use ExportFormat::{C, Object, Onnx};
        let flags = [
            ("--batch", self.batch.is_some(), &[C, Object, Onnx][..]),
            ("--train", self.train, &[C]),
            ("--opset", self.opset.is_some(), &[Onnx]),
            ("--layout", self.layout.is_some(), &[Onnx]),
            ("--fold", self.fold, &[Onnx]),
        ];
        for (flag, is_given, formats) in flags {
            if is_given && !formats.contains(&self.format) {
                let names = formats.iter().map(|format| format.to_possible_value());
                let names: Vec<String> =
                    names.flatten().map(|name| name.get_name().to_owned()).collect();
                let message = format!("{flag} is for --format {}", names.join(" or "));
                return Err(Failure::Io(message));
            }
        }
        Ok(())
    }
}
