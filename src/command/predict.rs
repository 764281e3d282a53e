//! A trained model asked about what its source takes: images, rows of tables, recordings, texts, arrays.
//!
//! ```text
//! reader threads    read and prepare a chunk of samples      ─┐
//! step's threads    the compiled forward pass, batch by batch ─┴→  answers, in the samples' order
//! ```
//!
//! The training data need not be there: what samples look like, and all that was fitted, is kept with the
//! run. A sample that cannot be read is an answer like any other, and does not keep others from theirs.

use crate::command::answers::{PredictedOutput, Prediction, predictions};
use crate::command::inference::{InferenceSteps, ReadableModel, SampleBytes, SampleOutputs};
use crate::data::{GivenInput, InputReader, InputSample};
use crate::driver::session::{Failure, Request};
use crate::files::read;
use crate::run::trained::Model;
use crate::runtime::pool::Pool;
use rayon::prelude::*;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::thread::Builder;

/// Samples a step.
const BATCH: usize = 32;
/// Steps that are read ahead at once.
const STEPS_AHEAD: usize = 4;

/// A model that can be asked.
pub struct Predictor {
    /// Where its weights are from.
    pub weights: PathBuf,
    /// The name of the model.
    pub model: String,
    reader: Box<dyn InputReader>,
    steps: InferenceSteps,
    outputs: Vec<PredictedOutput>,
}

/// Compiles a trained model's forward pass, and finds the samples that it is to be asked about in what the
/// user names: files, folders, or `-` for standard input.
pub fn predictor(
    request: &Request,
    model: &Model,
    files: &[PathBuf],
) -> Result<(Predictor, Vec<InputSample>), Failure> {
    let mut model = ReadableModel::open(request, model)?;
    let samples = samples(&*model.reader, files)?;
    let steps = model.compile(&[samples.len().clamp(1, BATCH)])?;
    let ReadableModel { opened, reader, outputs, .. } = model;
    let (weights, model) = (opened.from, opened.model);
    Ok((Predictor { weights, model, reader, steps, outputs }, samples))
}

/// The samples in what a user names.
fn samples(reader: &dyn InputReader, files: &[PathBuf]) -> Result<Vec<InputSample>, Failure> {
    let mut found = Vec::new();
    for path in files {
        let given = match path.as_os_str() == "-" {
            true => GivenInput::Stdin(standard_input()?),
            false => GivenInput::Path(path.clone()),
        };
        found.extend(reader.samples(&given));
    }
    Ok(found)
}

fn standard_input() -> Result<Vec<u8>, Failure> {
    let bytes = read::stream(std::io::stdin().lock(), read::TABLE)
        .map_err(|error| Failure::Io(format!("cannot read standard input: {error}")))?;
    match bytes.trim_ascii().is_empty() {
        true => Err(Failure::Data("standard input is empty".to_owned())),
        false => Ok(bytes),
    }
}

/// Is given each sample with its answers, one for each output of the model, and with those outputs
/// themselves (of a sample that could not be read, none); says whether to go on.
pub type Tell<'a> = dyn FnMut(&InputSample, &[Prediction], &[Vec<f32>]) -> bool + 'a;

impl Predictor {
    /// The model's outputs.
    pub fn outputs(&self) -> &[PredictedOutput] {
        &self.outputs
    }

    /// The word for the place of a sample.
    pub fn place_name(&self) -> &'static str {
        self.reader.place_name()
    }

    /// Answers samples in order; `top` is how many classes each answer has.
    pub fn predict(
        &self,
        samples: &[InputSample],
        pool: &mut Pool,
        top: usize,
        tell: &mut Tell<'_>,
    ) {
        let batch = self.steps.largest();
        let mut memory = self.steps.memory(pool);
        let chunks = samples.chunks(batch * STEPS_AHEAD);
        let read = |chunk: &[InputSample]| -> Vec<SampleBytes> {
            chunk.par_iter().map(|sample| self.reader.read(sample)).collect()
        };
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel(2);
            let mut ahead = chunks.clone().map(read);
            // Until nobody listens any more.
            let send = move || ahead.all(|chunk| send.send(chunk).is_ok());
            let reads: Box<dyn Iterator<Item = _>> = match Builder::new().spawn_scoped(scope, send)
            {
                Ok(_) => Box::new(receive.into_iter()),
                // The system starts no more threads.
                Err(_) => Box::new(chunks.clone().map(read)),
            };
            for (chunk, read) in chunks.zip(reads) {
                for (samples, bytes) in chunk.chunks(batch).zip(read.chunks(batch)) {
                    let outputs = self.steps.outputs_of(bytes, &mut memory, pool);
                    for (sample, outputs) in samples.iter().zip(outputs) {
                        if !self.tell(sample, outputs, top, tell) {
                            return;
                        }
                    }
                }
            }
        });
    }

    /// Tells the answers of a sample; says whether to go on.
    fn tell(
        &self,
        sample: &InputSample,
        outputs: SampleOutputs,
        top: usize,
        tell: &mut Tell<'_>,
    ) -> bool {
        match outputs {
            Ok(outputs) => {
                let answers = predictions(&self.outputs, &outputs, sample.positions(), top);
                tell(sample, &answers, &outputs)
            }
            Err(reason) => tell(sample, &[Prediction::Unreadable(reason)], &[]),
        }
    }
}
