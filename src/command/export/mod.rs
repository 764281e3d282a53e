//! `nnc export`: a trained model in forms that other programs read.
//!
//! All begin alike: the model is opened as for `predict`, with its program, its weights and what was
//! fitted on its data; its graph of inference keeps only the outputs that answers are made of.

mod c;
mod interface;
mod object;
mod onnx;
mod places;
mod pytorch;
mod source;
mod training;

pub use c::{CExportOptions, export_c};
pub use object::export_object;
pub use onnx::{OnnxOptions, onnx as export_onnx};
pub use pytorch::export_pytorch;

use crate::base::shown::Show;
use crate::driver::session::Failure;
use crate::files::write;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Where an export goes.
pub struct ExportDestination {
    /// The file or folder that was asked for; none for one that is named after the model.
    pub path: Option<PathBuf>,
    /// Whether files that are there may be written over.
    pub force: bool,
}

impl ExportDestination {
    /// The path to write: what was asked for, or else the model's name with an ending.
    fn or_named(&self, model: &str, ending: &str) -> PathBuf {
        self.path.clone().unwrap_or_else(|| PathBuf::from(format!("{model}{ending}")))
    }

    /// Refuses a path where a file is, unless it may be written over.
    fn refuse_existing(&self, path: &Path) -> Result<(), Failure> {
        if !self.force && path.exists() {
            return Err(is_there(path));
        }
        Ok(())
    }

    /// Writes a file, whole or not at all; one that is there only with `--force`.
    fn write_by(
        &self,
        path: &Path,
        put: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), Failure> {
        self.refuse_existing(path)?;
        write::replace_by(path, put).map_err(|error| cannot_write(path, &error))
    }

    /// Writes several files of a folder, which is made where it is missing; none where one of them is
    /// there already or cannot be written. Returns their paths.
    fn write_all(&self, files: &[(PathBuf, Vec<u8>)]) -> Result<Vec<PathBuf>, Failure> {
        if let Some((there, _)) = files.iter().find(|(path, _)| !self.force && path.exists()) {
            return Err(is_there(there));
        }
        for folder in files.iter().filter_map(|(path, _)| path.parent()) {
            fs::create_dir_all(folder)
                .map_err(|error| Failure::Io(format!("cannot make {}: {error}", folder.shown())))?;
        }
        write::replace_all(files).map_err(|(path, error)| cannot_write(path, &error))?;
        Ok(files.iter().map(|(path, _)| path.clone()).collect())
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::Io(format!("cannot write {}: {error}", path.shown()))
}

fn is_there(path: &Path) -> Failure {
    Failure::Io(format!("{} is there already; --force writes over it", path.shown()))
}
