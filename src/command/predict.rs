//! A trained model asked about files: images, idx files, rows of numbers.
//!
//! ```text
//! reader threads    decode and prepare a chunk of files      ─┐
//! step's threads    the compiled forward pass, batch by batch ─┴→  answers, in the files' order
//! ```
//!
//! The training data need not be there: what samples look like is kept with the run. A file that
//! cannot be read is an answer like any other, and does not keep others from theirs.

use crate::base::limits::{self, Budget};
use crate::base::step_output::StepOutput;
use crate::base::task::Task;
use crate::base::tensor::Tensor;
use crate::data::{self, DataError, Preprocessor};
use crate::driver::memory::{refuse_too_large, variable_bytes};
use crate::driver::session::{Failure, Request, Session};
use crate::driver::source::{DataSource, Schemas};
use crate::driver::steps::StepCompiler;
use crate::run::evaluate::largest;
use crate::run::folder::RunInfo;
use crate::run::trained::{self, Model, Trained, WeightsOrigin};
use crate::runtime::pool::Pool;
use crate::runtime::program::{RunMemory, StepArgs};
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
    pictures: Preprocessor,
    step: BatchStep,
    initial: Vec<(String, Tensor)>,
    task: Task,
    /// The shape of a sample's output.
    shape: Vec<usize>,
    classes: Vec<String>,
}

/// One sample, or a file with samples, to predict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PredictInput {
    /// An image file.
    Image(PathBuf),
    /// An image's bytes: a record of a file, by its number there from 0.
    Record(PathBuf, usize, Vec<u8>),
    /// The bytes of standard input.
    Bytes(Vec<u8>),
    /// A path that cannot be read: its name, and why.
    Unreadable(String, String),
}

impl PredictInput {
    /// Its name in the output.
    pub fn name(&self) -> String {
        match self {
            PredictInput::Image(path) => path.to_string_lossy().into_owned(),
            PredictInput::Record(path, number, _) => format!("{}#{number}", path.to_string_lossy()),
            PredictInput::Bytes(_) => "-".to_owned(),
            PredictInput::Unreadable(name, _) => name.clone(),
        }
    }
}

/// A model's answer for one sample, by its task.
#[derive(Clone, Debug, PartialEq)]
pub enum Prediction {
    /// The likeliest classes with their probabilities, or, where there are none, with their scores.
    Classes(Vec<(String, f64)>),
    /// How many positions each class has, the most first; classes without any are left out.
    Positions(Vec<(String, usize)>),
    /// The output's numbers; of labels, their probabilities.
    Values(Vec<f32>),
    /// Why the file could not be read.
    Unreadable(String),
}

/// Compiles a trained model's forward pass; `count` is how many questions there will be, at least.
pub fn predictor(request: &Request, model: &Model, count: usize) -> Result<Predictor, Failure> {
    let mut session = Session::new(None);
    let mut request = request.clone();
    let Trained { info, weights, from } = trained::find(&mut session, &mut request, model)?;
    // A file of weights says what samples look like, too.
    let about = trained::about(&from);
    let known = info.as_ref().and_then(|info| info.samples.clone());
    let known = known.or_else(|| about.as_ref().and_then(|about| about.samples.clone()));
    let text = session.main_text(&request)?;
    let schemas = match &known {
        Some(samples) => Schemas::given(samples.schema.clone()),
        None => Schemas::new(true),
    };
    let front = session.sound(text, &request, schemas, &Budget::new(limits::FIX_STEPS))?;
    let Some(source) = front.source else {
        let message = format!(
            "`{}` names no data, so nothing says how files are read",
            front.experiment.model
        );
        return Err(Failure::Data(message));
    };
    let before = match known {
        Some(samples) => samples.source,
        None => source.before().map_err(data_failure)?,
    };
    let pictures = Preprocessor::new(&source.request, &before).map_err(data_failure)?;
    let task =
        front.experiment.training.as_ref().map(|training| training.task()).unwrap_or_default();
    let named = class_names(info.as_ref(), about.as_ref(), &source);
    let mut graph = session.elaborated(front.experiment.eval.clone())?;
    graph.outputs.retain(|output| output.name == StepOutput::Output);
    let output = graph.output(StepOutput::Output).map(|output| graph.ty(output).shape.at(1));
    let shape = output.unwrap_or_default().into_iter().skip(1).collect();
    let initial = trained::fitted(&graph, &weights, &from)?;
    let fields = pictures.schema().inputs().into_iter().cloned().collect();
    let globals = Globals::default();
    let mut compiler =
        StepCompiler { session: &mut session, request: &request, fields, globals, run_steps: 1 };
    let (step, _) = compiler.step(&graph, count.clamp(1, BATCH))?;
    refuse_too_large(&session, &request, &[&step.program], 1, variable_bytes(&graph))?;
    let classes = match task {
        Task::Class { classes, .. } | Task::ClassPerPosition { classes, .. } => classes,
        Task::Labels { labels: 1, .. } => 2,
        Task::Labels { .. } | Task::Numbers { .. } | Task::Other => 0,
    };
    let name = |class: usize| named.get(class).cloned().unwrap_or_else(|| class.to_string());
    let classes = (0..classes).map(name).collect();
    Ok(Predictor { weights: from, pictures, step, initial, task, shape, classes })
}

/// The names of the classes: as the run's folder has them, else as the file of weights says, else as the
/// data do. None where classes are numbers.
fn class_names(
    info: Option<&RunInfo>,
    about: Option<&WeightsOrigin>,
    source: &DataSource,
) -> Vec<String> {
    let known = info.map(|info| &info.classes).or(about.map(|about| &about.classes));
    known.cloned().unwrap_or_else(|| source.class_names())
}

fn data_failure(error: DataError) -> Failure {
    Failure::Data(error.to_string())
}

/// Is given each answer with the output that it was read from (of a file that could not be read,
/// none), and says whether to go on.
pub type Tell<'a> = dyn FnMut(&PredictInput, Prediction, Option<&[f32]>) -> bool + 'a;

impl Predictor {
    /// The task of the model.
    pub fn task(&self) -> Task {
        self.task
    }

    /// The shape of a sample's output.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The names of the classes, where the output is about classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Answers questions in order; `top` is how many classes each answer has. `tell` is given each
    /// answer with the output that it was read from (of a file that could not be read, none), and says
    /// whether to go on.
    pub fn predict(
        &self,
        questions: &[PredictInput],
        pool: &mut Pool,
        top: usize,
        tell: &mut Tell<'_>,
    ) {
        let batch = self.step.batch;
        let mut memory = RunMemory::for_programs([&self.step.program], pool.threads());
        for (name, value) in &self.initial {
            if self.step.program.buffer(name).is_some() {
                self.step.program.write(&mut memory, name, value);
            }
        }
        self.step.program.refresh(&mut memory, pool);
        let chunks = questions.chunks(batch * STEPS_AHEAD);
        let read = |chunk: &[PredictInput]| -> Vec<Result<Vec<u8>, String>> {
            chunk.par_iter().map(|question| self.read(question)).collect()
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
                for (questions, samples) in chunk.chunks(batch).zip(read.chunks(batch)) {
                    let outputs = self.step(samples, &mut memory, pool);
                    for ((question, sample), output) in questions.iter().zip(samples).zip(outputs) {
                        let go_on = match sample {
                            Ok(_) => tell(question, self.prediction(&output, top), Some(&output)),
                            Err(reason) => {
                                tell(question, Prediction::Unreadable(reason.clone()), None)
                            }
                        };
                        if !go_on {
                            return;
                        }
                    }
                }
            }
        });
    }

    fn read(&self, question: &PredictInput) -> Result<Vec<u8>, String> {
        let mut out = vec![0; self.pictures.bytes()];
        match question {
            PredictInput::Image(path) => {
                let bytes = data::read_image(path)?;
                self.pictures.image(&bytes, &mut out)?;
            }
            PredictInput::Record(_, _, bytes) => self.pictures.record(bytes, &mut out)?,
            PredictInput::Bytes(bytes) => self.pictures.image(bytes, &mut out)?,
            PredictInput::Unreadable(_, reason) => return Err(reason.clone()),
        }
        Ok(out)
    }

    /// One step on samples, the last ones of which may be missing or unreadable.
    fn step(
        &self,
        samples: &[Result<Vec<u8>, String>],
        memory: &mut RunMemory,
        pool: &mut Pool,
    ) -> Vec<Vec<f32>> {
        let program = &self.step.program;
        if let Some(buffer) = self.step.inputs[0].buffer {
            let room = program.bytes_mut(memory, buffer);
            let size = room.len() / self.step.batch;
            for (index, room) in room.chunks_exact_mut(size).enumerate() {
                match samples.get(index) {
                    Some(Ok(sample)) => room.copy_from_slice(sample),
                    // What does not depend on other samples is not changed by black ones.
                    _ => room.fill(0),
                }
            }
        }
        let args = StepArgs { step: 1, seed: 0, hypers: &self.step.hypers };
        let ran = program.run(memory, pool, &args);
        debug_assert!(ran.is_ok(), "images are no indices");
        let output = program.f32s(memory, &StepOutput::Output);
        let size = output.len() / self.step.batch;
        output.chunks(size.max(1)).take(samples.len()).map(<[f32]>::to_vec).collect()
    }

    fn prediction(&self, output: &[f32], top: usize) -> Prediction {
        let name = |class: usize| self.classes[class].clone();
        match self.task {
            Task::Class { scale, .. } => {
                let values = scale.apply(output);
                let mut order: Vec<usize> = (0..values.len()).collect();
                order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
                let best = order.into_iter().take(top);
                Prediction::Classes(best.map(|class| (name(class), values[class])).collect())
            }
            Task::ClassPerPosition { classes, scale, .. } => {
                let mut counts = vec![0; classes];
                for numbers in output.chunks_exact(classes) {
                    counts[largest(&scale.apply(numbers))] += 1;
                }
                let mut order: Vec<usize> = (0..classes).filter(|&it| counts[it] > 0).collect();
                order.sort_by_key(|&class| std::cmp::Reverse(counts[class]));
                Prediction::Positions(
                    order.iter().map(|&class| (name(class), counts[class])).collect(),
                )
            }
            Task::Labels { labels: 1, scale } => {
                let yes = scale.of_one(output[0]);
                let mut both = vec![(name(0), 1.0 - yes), (name(1), yes)];
                if yes > 0.5 {
                    both.reverse();
                }
                both.truncate(top);
                Prediction::Classes(both)
            }
            Task::Labels { scale, .. } => {
                Prediction::Values(output.iter().map(|&it| scale.of_one(it) as f32).collect())
            }
            Task::Numbers { .. } | Task::Other => Prediction::Values(output.to_vec()),
        }
    }
}
