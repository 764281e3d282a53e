//! `nnc import`: a model of another program as a program of the language, with its weights.

use super::write;
use crate::base::shown::Show;
use crate::base::units;
use crate::command::{self, ImportOptions};
use crate::driver::{Failure, Request, Session};
use clap::Args;
use std::path::{Path, PathBuf};

/// Makes a program and a file of weights of a model in the form of ONNX.
#[derive(Args)]
#[command(after_long_help = NOTES)]
pub struct ImportArgs {
    /// The model (ONNX, opset 6 and later); with --names, weights of PyTorch's (safetensors)
    file: PathBuf,
    /// With --names, the program
    #[arg(requires = "names", value_name = "PROGRAM")]
    program: Option<PathBuf>,
    /// Write nothing: print which tensor of the file is which parameter of PROGRAM
    #[arg(long, requires = "program", conflicts_with_all = ["output", "shape", "external", "force"])]
    names: bool,
    /// With --names, the model, if the program has several
    #[arg(long, value_name = "NAME", requires = "names")]
    model: Option<String>,
    /// With --names, print one JSON object
    #[arg(long, requires = "names")]
    json: bool,
    /// The folder to write NAME.nn and NAME.safetensors into [default: named after the file]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// The shape of an input whose extents the file leaves open, such as image=1,3,224,224
    #[arg(long, value_name = "NAME=EXTENTS", value_parser = shape)]
    shape: Vec<(String, Vec<i64>)>,
    /// Read weights that lie in any file of the model's folder; FILE.onnx.data is read without it
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
(train NAME on …), and `nnc run` fine-tunes the model.

`nnc import --names FILE.safetensors PROGRAM.nn` matches the names of a state dict with the parameters
of a program, as `init_from = weights(\"FILE.safetensors\", layout: pytorch)` does.";

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
    /// Prints names beside each other.
    fn names(&self, program: &Path) -> Result<u8, Failure> {
        let mut session = Session::new(None);
        let request = Request {
            model: self.model.clone(),
            nnc_data: std::env::var_os("NNC_DATA").map(PathBuf::from),
            cache: super::cache_folder(),
            ..Request::new(program)
        };
        let names = command::names(&mut session, &request, &self.file)?;
        match self.json {
            true => write::line(&names.json().to_string())?,
            false => write::out(&names.text())?,
        }
        Ok(0)
    }

    /// Imports, and says what was written.
    pub fn execute(self) -> Result<u8, Failure> {
        if let Some(program) = &self.program {
            return self.names(program);
        }
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
                "note: the first axis of its inputs is no batch, so that each sample is a whole input:\n  {}\n\
                 for a batch, export the model with a symbolic first axis (dynamic_axes, dynamic_shapes)",
                made.whole.join("\n  ")
            );
        }
        write::out(&text)?;
        Ok(0)
    }
}
