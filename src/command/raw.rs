//! The outputs of `predict` as one tensor in a file: safetensors, as weights are.
//!
//! ```text
//! output: f32[3, 96, 96, 4]      a row for each file that was asked about, in order
//! metadata["files"]: ["a.png","b.png","c.png"]
//! ```
//!
//! Rows go to a temporary file as they come, so memory does not grow with them. A file that could not be
//! read has a row of NaN: rows and files stay in step.

use crate::command::predict::{PredictInput, Predictor};
use crate::driver::session::Failure;
use crate::runtime::weights;
use serde_json::json;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Outputs that are being collected.
pub struct RawOutputs {
    rows: BufWriter<File>,
    shape: Vec<usize>,
    names: Vec<String>,
}

impl RawOutputs {
    /// None yet, of outputs like those of a predictor.
    pub fn new(predictor: &Predictor) -> Result<RawOutputs, Failure> {
        let file = tempfile::tempfile().map_err(failed)?;
        let (shape, names) = (predictor.shape().to_vec(), Vec::new());
        Ok(RawOutputs { rows: BufWriter::new(file), shape, names })
    }

    /// Adds the output for a file; of one that could not be read there is none.
    pub fn push(&mut self, question: &PredictInput, output: Option<&[f32]>) -> Result<(), Failure> {
        self.names.push(question.name());
        match output {
            Some(numbers) => {
                numbers.iter().try_for_each(|number| self.rows.write_all(&number.to_le_bytes()))
            }
            None => {
                let numbers = self.shape.iter().product();
                (0..numbers).try_for_each(|_| self.rows.write_all(&f32::NAN.to_le_bytes()))
            }
        }
        .map_err(failed)
    }

    /// Writes the file.
    pub fn write(self, path: &Path, predictor: &Predictor) -> Result<(), Failure> {
        let mut rows = self.rows.into_inner().map_err(|error| failed(error.into_error()))?;
        let shape = [&[self.names.len()], &self.shape[..]].concat();
        let text = |name: &str, value: serde_json::Value| (name.to_owned(), value.to_string());
        let metadata = HashMap::from([
            text("files", json!(self.names)),
            text("classes", json!(predictor.classes())),
            text("task", json!(predictor.task())),
        ]);
        weights::write_stream(path, "output", &shape, metadata, &mut rows).map_err(Failure::Io)
    }
}

fn failed(error: std::io::Error) -> Failure {
    Failure::Io(format!("cannot keep outputs in a temporary file: {error}"))
}
