//! A trained model asked about what its source takes: images, rows of tables, recordings, texts, arrays.
//!
//! ```text
//! reader threads    read and prepare a chunk of samples      ─┐
//! step's threads    the compiled forward pass, batch by batch ─┴→  answers, in the samples' order
//! ```
//!
//! The training data need not be there: what samples look like, and all that was fitted, is kept with the
//! run. A sample that cannot be read is an answer like any other, and does not keep others from theirs.

use crate::base::tensor::Tensor;
use crate::command::answers::{PredictedOutput, Prediction};
use crate::command::opened::{self, OpenedModel, data_failure};
use crate::data::{self, GivenInput, InputReader, InputSample};
use crate::driver::memory::{refuse_too_large, variable_bytes};
use crate::driver::session::{Failure, Request, Session};
use crate::driver::steps::StepCompiler;
use crate::files::read;
use crate::run::trained::{self, Model};
use crate::runtime::pool::Pool;
use crate::runtime::program::{IndexFault, RunMemory, StepArgs};
use crate::runtime::trainer::BatchStep;
use crate::schedule::Globals;
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
    step: BatchStep,
    initial: Vec<(String, Tensor)>,
    outputs: Vec<PredictedOutput>,
}

/// Compiles a trained model's forward pass, and finds the samples that it is to be asked about in what the
/// user names: files, folders, or `-` for standard input.
pub fn predictor(
    request: &Request,
    model: &Model,
    files: &[PathBuf],
) -> Result<(Predictor, Vec<InputSample>), Failure> {
    let mut session = Session::new(None);
    let mut request = request.clone();
    let mut opened = opened::open(&mut session, &mut request, model)?;
    let outputs = opened.inference();
    let OpenedModel { graph, source, samples: known, weights, from, .. } = opened;
    // Targets are inputs of the step that no output reads.
    let wanted = graph.live_inputs();
    let reader =
        data::input_reader(&source.request, &known.source, &wanted).map_err(data_failure)?;
    let samples = samples(&*reader, files)?;
    let initial = trained::fitted(&graph, &weights, &from)?;
    let (globals, fields) = (Globals::default(), reader.fields().to_vec());
    let mut compiler =
        StepCompiler { session: &mut session, request: &request, fields, globals, run_steps: 1 };
    let (step, _) = compiler.step(&graph, samples.len().clamp(1, BATCH))?;
    refuse_too_large(&session, &request, &[&step.program], 1, variable_bytes(&graph))?;
    let predictor =
        Predictor { weights: from, model: opened.model, reader, step, initial, outputs };
    Ok((predictor, samples))
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

/// The bytes of a sample's inputs, or why there are none.
type SampleBytes = Result<Vec<Vec<u8>>, String>;
/// A sample's outputs, or why there are none.
type SampleOutputs = Result<Vec<Vec<f32>>, String>;

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
        let batch = self.step.batch;
        let mut memory = RunMemory::for_programs([&self.step.program], pool.threads());
        let initial = self.initial.iter().map(|(path, value)| (path, value));
        self.step.program.fill(&mut memory, pool, initial);
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
                    let outputs = self.outputs_of(bytes, &mut memory, pool);
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
                let answer = |(of, output): (&PredictedOutput, &Vec<f32>)| {
                    of.prediction(output, sample.positions(), top)
                };
                let answers: Vec<Prediction> =
                    self.outputs.iter().zip(&outputs).map(answer).collect();
                tell(sample, &answers, &outputs)
            }
            Err(reason) => tell(sample, &[Prediction::Unreadable(reason)], &[]),
        }
    }

    /// The outputs of a batch of samples. An index that is out of range spoils the whole step, so the
    /// samples of such a batch are asked one by one.
    fn outputs_of(
        &self,
        samples: &[SampleBytes],
        memory: &mut RunMemory,
        pool: &mut Pool,
    ) -> Vec<SampleOutputs> {
        if let Ok(outputs) = self.step(samples, memory, pool) {
            return outputs;
        }
        let alone = |sample: &SampleBytes| {
            let outputs = self.step(std::slice::from_ref(sample), memory, pool);
            let first = outputs.map(|outputs| outputs.into_iter().next());
            first.ok().flatten().unwrap_or_else(|| {
                Err("the model makes an index of it that is outside its range".to_owned())
            })
        };
        samples.iter().map(alone).collect()
    }

    /// One step on samples, the last ones of which may be missing or unreadable: the outputs of each.
    fn step(
        &self,
        samples: &[SampleBytes],
        memory: &mut RunMemory,
        pool: &mut Pool,
    ) -> Result<Vec<SampleOutputs>, IndexFault> {
        let program = &self.step.program;
        for (field, input) in self.step.inputs.iter().enumerate() {
            let Some(buffer) = input.buffer else { continue };
            let room = program.bytes_mut(memory, buffer);
            let size = room.len() / self.step.batch;
            for (index, room) in room.chunks_exact_mut(size).enumerate() {
                match samples.get(index) {
                    Some(Ok(sample)) => room.copy_from_slice(&sample[field]),
                    // What does not depend on other samples is not changed by zeros.
                    _ => room.fill(0),
                }
            }
        }
        let args = StepArgs { step: 1, seed: 0, hypers: &self.step.hypers };
        program.run(memory, pool, &args)?;
        let outputs: Vec<&[f32]> =
            self.outputs.iter().map(|output| program.f32s(memory, &output.at)).collect();
        let of_sample = |(index, sample): (usize, &SampleBytes)| -> SampleOutputs {
            let one = |output: &&[f32]| {
                let size = output.len() / self.step.batch;
                output[index * size..][..size].to_vec()
            };
            sample.as_ref().map_err(Clone::clone)?;
            Ok(outputs.iter().map(one).collect())
        };
        Ok(samples.iter().enumerate().map(of_sample).collect())
    }
}
