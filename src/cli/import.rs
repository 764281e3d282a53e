//! `nnc import`: a model of another program as a program of the language, with its weights.

use super::write;
use crate::base::shown::Show;
use crate::base::units;
use crate::command::{self, ImportOptions};
use crate::driver::Failure;
use clap::Args;
use std::path::PathBuf;

/// Makes a program and a file of weights of a model in the form of ONNX.
#[derive(Args)]
#[command(after_long_help = NOTES)]
pub struct ImportArgs {
    /// The model (ONNX, opset 6 and later)
    file: PathBuf,
    /// The folder to write NAME.nn and NAME.safetensors into [default: named after the file]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// The shape of an input whose extents the file leaves open, such as image=1,3,224,224
    #[arg(long, value_name = "NAME=EXTENTS", value_parser = shape)]
    shape: Vec<(String, Vec<i64>)>,
    /// Read weights that lie in other files of the model's folder
    #[arg(long)]
    external: bool,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
}

/// How the program differs from the file.
const NOTES: &str = "\
The first axis of each input is the batch, whatever number the file has there. Images have their
channels last in the program, [N, H, W, C], and first in the file, [N, C, H, W]; the weights are put
into that order. All nodes that have no counterpart in the language are told at once.

The program's train block begins with the imported weights (init_from): name your data in it
(train NAME on …), and `nnc run` fine-tunes the model.";

/// `NAME=1,3,224,224`
fn shape(text: &str) -> Result<(String, Vec<i64>), String> {
    let (name, extents) = text.rsplit_once('=').ok_or("it should be NAME=1,3,224,224")?;
    let extent = |text: &str| match text.trim().parse::<i64>() {
        Ok(extent) if (1..1 << 31).contains(&extent) => Ok(extent),
        _ => Err(format!("`{text}` is no extent: a whole number of at least 1")),
    };
    let extents = extents.split(',').map(extent).collect::<Result<Vec<i64>, String>>()?;
    Ok((name.to_owned(), extents))
}

impl ImportArgs {
    /// Imports, and says what was written.
    pub fn execute(self) -> Result<u8, Failure> {
        let made = command::import(&ImportOptions {
            file: self.file,
            folder: self.output,
            shapes: self.shape,
            external: self.external,
            force: self.force,
        })?;
        let mut text = format!("{}\n", made.program.shown());
        if let Some(weights) = &made.weights {
            let numbers = units::grouped(made.numbers as u64);
            let count = made.variables;
            text.push_str(&format!("{}: {count} tensors, {numbers} numbers\n", weights.shown()));
        }
        if !made.whole.is_empty() {
            eprintln!(
                "note: the first axis of its inputs is no batch, so that each sample is a whole input:\n  {}",
                made.whole.join("\n  ")
            );
        }
        write::out(&text)?;
        Ok(0)
    }
}
