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
use crate::base::schema::{Field, Schema};
use crate::base::step_output::StepOutput;
use crate::base::task::{OutputTask, Task};
use crate::base::tensor::Tensor;
use crate::command::questions::{PredictInput, questions, table_questions};
use crate::data::{self, DataError, Preprocessor};
use crate::driver::memory::{refuse_too_large, variable_bytes};
use crate::driver::session::{Failure, Request, Session};
use crate::driver::source::{DataSource, Schemas};
use crate::driver::steps::StepCompiler;
use crate::graph::{Graph, Output as GraphOutput};
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
    reader: SampleReader,
    step: BatchStep,
    initial: Vec<(String, Tensor)>,
    outputs: Vec<PredictedOutput>,
}

/// An output of a model, as it is told.
#[derive(Clone, Debug)]
pub struct PredictedOutput {
    /// Its name: `output` where the model gives one tensor.
    pub name: String,
    /// Its task.
    pub task: Task,
    /// The shape of a sample's output.
    pub shape: Vec<usize>,
    /// The names of the classes, where the output is about classes.
    pub classes: Vec<String>,
    /// The field that it predicts, where its numbers are to be turned back.
    target: Option<Field>,
    at: StepOutput,
}

/// How inputs become the bytes of a step's inputs.
enum SampleReader {
    /// Images and their bytes.
    Images(Box<Preprocessor>),
    /// Rows, which have been read already.
    Rows,
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

/// Compiles a trained model's forward pass, and reads what it is to be asked about: files, or `-` for
/// standard input.
pub fn predictor(
    request: &Request,
    model: &Model,
    files: &[PathBuf],
) -> Result<(Predictor, Vec<PredictInput>), Failure> {
    let mut session = Session::new(None);
    let mut request = request.clone();
    let Trained { info, weights, from } = trained::find(&mut session, &mut request, model)?;
    // A file of weights says what samples look like, too.
    let about = trained::about(&from);
    let known = trained::samples(info.as_ref(), &from);
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
    let named = class_names(info.as_ref(), about.as_ref(), &source);
    let mut graph = session.elaborated(front.experiment.eval.clone())?;
    let tasks = front.experiment.training.as_ref().map(|training| &training.tasks[..]);
    let outputs = predicted_outputs(&graph, tasks.unwrap_or_default(), &before, &named);
    graph.outputs.retain(|output| outputs.iter().any(|known| known.at == output.name));
    let (reader, fields, questions) = inputs(&graph, &source, &before, files)?;
    let initial = trained::fitted(&graph, &weights, &from)?;
    let globals = Globals::default();
    let mut compiler =
        StepCompiler { session: &mut session, request: &request, fields, globals, run_steps: 1 };
    let (step, _) = compiler.step(&graph, questions.len().clamp(1, BATCH))?;
    refuse_too_large(&session, &request, &[&step.program], 1, variable_bytes(&graph))?;
    Ok((Predictor { weights: from, reader, step, initial, outputs }, questions))
}

/// How the model's inputs are read, the fields that they are, and the questions in files.
fn inputs(
    graph: &Graph,
    source: &DataSource,
    before: &Schema,
    files: &[PathBuf],
) -> Result<(SampleReader, Vec<Field>, Vec<PredictInput>), Failure> {
    // Targets are inputs of the step that no output reads.
    let read = graph.live_inputs();
    let needed = |field: &&Field| read.contains(&field.name.as_str());
    let fields: Vec<Field> = before.fields.iter().filter(needed).cloned().collect();
    if !fields.is_empty() && fields.iter().all(|field| field.recipe.is_some()) {
        let questions = table_questions(files, &source.request, &fields)?;
        return Ok((SampleReader::Rows, fields, questions));
    }
    let pictures = Preprocessor::new(&source.request, before).map_err(data_failure)?;
    let fields = pictures.schema().inputs().into_iter().cloned().collect();
    Ok((SampleReader::Images(Box::new(pictures)), fields, questions(files)?))
}

/// The outputs of a model with what is known of each.
fn predicted_outputs(
    graph: &Graph,
    tasks: &[OutputTask],
    schema: &Schema,
    named: &[String],
) -> Vec<PredictedOutput> {
    let output = |output: &GraphOutput| {
        let name = output.name.model_name()?.to_owned();
        let task = tasks.iter().find(|task| task.output == name);
        let target = task.and_then(|task| schema.field(task.target.as_deref()?)).cloned();
        let task = task.map(|task| task.task).unwrap_or_default();
        let count = match task {
            Task::Class { classes, .. } | Task::ClassPerPosition { classes, .. } => classes,
            Task::Labels { labels: 1, .. } => 2,
            Task::Labels { .. } | Task::Numbers { .. } | Task::Other => 0,
        };
        let own = target.as_ref().and_then(|field| field.recipe.as_ref());
        let own = own.map(|recipe| recipe.class_names());
        let class = |class: usize| {
            let names = own.as_deref().unwrap_or(named);
            names.get(class).cloned().unwrap_or_else(|| class.to_string())
        };
        let shape = graph.ty(output.node).shape.at(1).into_iter().skip(1).collect();
        let classes = (0..count).map(class).collect();
        Some(PredictedOutput { name, task, shape, classes, target, at: output.name.clone() })
    };
    graph.outputs.iter().filter_map(output).collect()
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

/// Is given each question with its answers, one for each output of the model, and with those outputs
/// themselves (of a file that could not be read, none); says whether to go on.
pub type Tell<'a> = dyn FnMut(&PredictInput, &[Prediction], &[Vec<f32>]) -> bool + 'a;

/// The bytes of a sample's inputs, or why there are none.
type SampleBytes = Result<Vec<Vec<u8>>, String>;

impl Predictor {
    /// The model's outputs.
    pub fn outputs(&self) -> &[PredictedOutput] {
        &self.outputs
    }

    /// Whether inputs are the rows of tables.
    pub fn reads_rows(&self) -> bool {
        matches!(self.reader, SampleReader::Rows)
    }

    /// Answers questions in order; `top` is how many classes each answer has.
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
        let read = |chunk: &[PredictInput]| -> Vec<SampleBytes> {
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
                    for ((question, sample), outputs) in questions.iter().zip(samples).zip(outputs)
                    {
                        let go_on = match sample {
                            Ok(_) => {
                                let answers: Vec<Prediction> = (self.outputs.iter().zip(&outputs))
                                    .map(|(of, output)| of.prediction(output, top))
                                    .collect();
                                tell(question, &answers, &outputs)
                            }
                            Err(reason) => {
                                tell(question, &[Prediction::Unreadable(reason.clone())], &[])
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

    fn read(&self, question: &PredictInput) -> SampleBytes {
        let pictures = match (&self.reader, question) {
            (_, PredictInput::Unreadable(_, reason)) => return Err(reason.clone()),
            (_, PredictInput::Row(_, _, fields)) => return Ok(fields.clone()),
            (SampleReader::Rows, _) => return Err("the model takes rows of a table".to_owned()),
            (SampleReader::Images(pictures), _) => pictures,
        };
        let mut out = vec![0; pictures.bytes()];
        match question {
            PredictInput::Image(path) => pictures.image(&data::read_image(path)?, &mut out)?,
            PredictInput::Record(_, _, bytes) => pictures.record(bytes, &mut out)?,
            PredictInput::Bytes(bytes) => pictures.image(bytes, &mut out)?,
            PredictInput::Row(..) | PredictInput::Unreadable(..) => {}
        }
        Ok(vec![out])
    }

    /// One step on samples, the last ones of which may be missing or unreadable: the outputs of each.
    fn step(
        &self,
        samples: &[SampleBytes],
        memory: &mut RunMemory,
        pool: &mut Pool,
    ) -> Vec<Vec<Vec<f32>>> {
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
        let ran = program.run(memory, pool, &args);
        debug_assert!(ran.is_ok(), "classes of fields are within their range");
        let outputs: Vec<&[f32]> =
            self.outputs.iter().map(|output| program.f32s(memory, &output.at)).collect();
        let of_sample = |index: usize| {
            let one = |output: &&[f32]| {
                let size = output.len() / self.step.batch;
                output[index * size..][..size].to_vec()
            };
            outputs.iter().map(one).collect()
        };
        (0..samples.len()).map(of_sample).collect()
    }
}

impl PredictedOutput {
    /// The names of the numbers of an answer, as columns of a table.
    pub fn number_names(&self) -> Vec<String> {
        let count: usize = self.shape.iter().product();
        let columns = self.target.as_ref().and_then(|field| field.recipe.as_ref());
        match columns.map(|recipe| &recipe.columns) {
            Some(columns) if columns.len() == count => columns.clone(),
            _ => (0..count).map(|index| format!("{}_{index}", self.name)).collect(),
        }
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
            Task::Numbers { .. } => {
                let recipe = self.target.as_ref().and_then(|field| field.recipe.as_ref());
                let restore = |(column, &it): (usize, &f32)| match recipe {
                    Some(recipe) => recipe.restore(column, f64::from(it)) as f32,
                    None => it,
                };
                Prediction::Values(output.iter().enumerate().map(restore).collect())
            }
            Task::Other => Prediction::Values(output.to_vec()),
        }
    }
}
