//! The outputs of `predict` as tensors in a file: safetensors, as weights are, or NumPy's npz.
//!
//! ```text
//! output: f32[3, 96, 96, 4]      a row for each sample, in order; of a record, each part by its name
//! metadata["files"]: ["a.png","b.png","c.png"]      in safetensors; npz has no room for it
//! ```
//!
//! Rows go to a temporary file as they come, so memory does not grow with them. A sample that could not be
//! read has a row of NaN: rows and samples stay in step.

use crate::base::shown::Show;
use crate::command::answers::PredictedOutput;
use crate::command::predict::Predictor;
use crate::data::{self, InputSample};
use crate::driver::session::Failure;
use crate::runtime::weights;
use serde_json::json;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Outputs that are being collected.
pub struct RawOutputs {
    /// The rows of each output of the model.
    rows: Vec<BufWriter<File>>,
    outputs: Vec<PredictedOutput>,
    names: Vec<String>,
}

impl RawOutputs {
    /// None yet, of outputs like those of a predictor.
    pub fn new(predictor: &Predictor) -> Result<RawOutputs, Failure> {
        let outputs = predictor.outputs().to_vec();
        let file = |_| tempfile::tempfile().map(BufWriter::new).map_err(failed);
        let rows = outputs.iter().map(file).collect::<Result<_, _>>()?;
        Ok(RawOutputs { rows, outputs, names: Vec::new() })
    }

    /// Adds the outputs for a sample; of one that could not be read there are none.
    pub fn push(&mut self, sample: &InputSample, outputs: &[Vec<f32>]) -> Result<(), Failure> {
        self.names.push(sample.name());
        for (index, (rows, of)) in self.rows.iter_mut().zip(&self.outputs).enumerate() {
            let mut put = |number: f32| rows.write_all(&number.to_le_bytes());
            let written = match outputs.get(index) {
                Some(numbers) => numbers.iter().try_for_each(|&number| put(number)),
                None => (0..of.shape.iter().product()).try_for_each(|_: usize| put(f32::NAN)),
            };
            written.map_err(failed)?;
        }
        Ok(())
    }

    /// Writes the file: npz where its name ends so, safetensors otherwise.
    pub fn write(self, path: &Path) -> Result<(), Failure> {
        let text = |name: &str, value: serde_json::Value| (name.to_owned(), value.to_string());
        let first = &self.outputs[0];
        let metadata = HashMap::from([
            text("files", json!(self.names)),
            text("classes", json!(first.classes)),
            text("task", json!(first.task)),
        ]);
        let mut streams = Vec::new();
        for (rows, output) in self.rows.into_iter().zip(&self.outputs) {
            let rows = rows.into_inner().map_err(|error| failed(error.into_error()))?;
            let shape = [&[self.names.len()], &output.shape[..]].concat();
            streams.push((output.name.clone(), shape, rows));
        }
        if path.extension().is_some_and(|it| it.eq_ignore_ascii_case("npz")) {
            return data::write_npz(path, &mut streams)
                .map_err(|error| Failure::Io(format!("cannot write {}: {error}", path.shown())));
        }
        weights::write_streams(path, &mut streams, metadata).map_err(Failure::Io)
    }
}

fn failed(error: std::io::Error) -> Failure {
    Failure::Io(format!("cannot keep outputs in a temporary file: {error}"))
}
