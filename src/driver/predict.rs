//! A trained model asked about files: images, idx files, rows of numbers.
//!
//! ```text
//! reader threads    decode and prepare a chunk of files      ─┐
//! step's threads    the compiled forward pass, batch by batch ─┴→  answers, in the files' order
//! ```
//!
//! The training data need not be there: what samples look like is kept with the run. A file that
//! cannot be read is an answer like any other, and does not keep others from theirs.

use super::evaluate::largest;
use super::folder::RunInfo;
use super::memory::{lasting, refuse_too_large};
use super::session::{Failure, Request, Session};
use super::source::{Schemas, Source};
use super::steps::Compiler;
use super::trained::{self, About, Model, Trained};
use crate::base::task::Task;
use crate::base::tensor::Tensor;
use crate::data::{self, DataError, Pictures};
use crate::lower::Globals;
use crate::runtime::pool::Pool;
use crate::runtime::program::{Memory, StepArgs};
use crate::runtime::trainer::Step;
use rayon::prelude::*;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

/// Samples a step.
const BATCH: usize = 32;
/// Steps that are read ahead at once.
const STEPS_AHEAD: usize = 4;
/// No file of numbers may be larger.
const MOST_BYTES: u64 = 1 << 32;

/// A model that can be asked.
pub struct Predictor {
    /// What was compiled.
    pub session: Session,
    /// What is known of its run.
    pub info: Option<RunInfo>,
    /// Where its weights are from.
    pub weights: PathBuf,
    pictures: Pictures,
    step: Step,
    initial: Vec<(String, Tensor)>,
    task: Task,
    /// The shape of a sample's output.
    shape: Vec<usize>,
    classes: Vec<String>,
}

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// An image file.
    Image(PathBuf),
    /// An image's bytes: a record of a file, by its number there from 0.
    Record(PathBuf, usize, Vec<u8>),
    /// What standard input has.
    Bytes(Vec<u8>),
}

impl Question {
    /// What it is called.
    pub fn name(&self) -> String {
        match self {
            Question::Image(path) => path.display().to_string(),
            Question::Record(path, number, _) => format!("{}#{number}", path.display()),
            Question::Bytes(_) => "-".to_owned(),
        }
    }
}

/// What the model says.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
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
    let Trained { info, weights, from } = match model {
        Model::Folder(root, which) => trained::of_folder(&mut session, &mut request, root, which)?,
        Model::Program(file) => {
            Trained { info: None, weights: trained::load(file)?, from: file.clone() }
        }
    };
    // A file of weights says what samples look like, too.
    let about = trained::about(&from);
    let known = info.as_ref().and_then(|info| info.samples.clone());
    let known = known.or_else(|| about.as_ref().and_then(|about| about.samples.clone()));
    let text = session.main_text(&request)?;
    let mut schemas = match &known {
        Some(samples) => Schemas::given(samples.schema.clone()),
        None => Schemas::new(true),
    };
    let (_, judged) = session.look(text, &request, &mut schemas)?;
    let front = judged.front().map_err(|found| session.program_failure(found))?;
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
    let pictures = Pictures::new(&source.request, &before).map_err(data_failure)?;
    let task = front.experiment.training.as_ref().map(|training| training.task).unwrap_or_default();
    let named = class_names(info.as_ref(), about.as_ref(), &source);
    let mut graph = session.elaborated(front.experiment.eval.clone())?;
    graph.outputs.retain(|output| output.name == "output");
    let output = graph.output("output").map(|output| graph.ty(output).shape.at(1));
    let shape = output.unwrap_or_default().into_iter().skip(1).collect();
    let initial = trained::fitted(&graph, &weights, &from)?;
    let fields = pictures.schema().inputs.clone();
    let globals = Globals::default();
    let mut compiler =
        Compiler { session: &mut session, request: &request, fields, globals, run_steps: 1 };
    let (step, _) = compiler.step(&graph, count.clamp(1, BATCH))?;
    refuse_too_large(&session, &request, &[&step.program], 1, lasting(&graph))?;
    let classes = match task {
        Task::Class { classes, .. } | Task::ClassPerPosition { classes, .. } => classes,
        Task::Labels { labels: 1, .. } => 2,
        Task::Labels { .. } | Task::Numbers { .. } | Task::Other => 0,
    };
    let name = |class: usize| named.get(class).cloned().unwrap_or_else(|| class.to_string());
    let classes = (0..classes).map(name).collect();
    Ok(Predictor { session, info, weights: from, pictures, step, initial, task, shape, classes })
}

/// The names of the classes: as the run's folder has them, else as the file of weights says, else as the
/// data do. None where classes are numbers.
fn class_names(info: Option<&RunInfo>, about: Option<&About>, source: &Source) -> Vec<String> {
    let known = info.map(|info| &info.classes).or(about.map(|about| &about.classes));
    known.cloned().unwrap_or_else(|| source.class_names())
}

fn data_failure(error: DataError) -> Failure {
    Failure::Data(error.to_string())
}

/// Is given each answer with the output that it was read from (of a file that could not be read,
/// none), and says whether to go on.
pub type Tell<'a> = dyn FnMut(&Question, Answer, Option<&[f32]>) -> bool + 'a;

impl Predictor {
    /// What the model is for.
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
    pub fn ask(&self, questions: &[Question], pool: &mut Pool, top: usize, tell: &mut Tell<'_>) {
        let batch = self.step.batch;
        let mut memory = Memory::for_programs([&self.step.program], pool.threads());
        for (name, value) in &self.initial {
            if self.step.program.buffer(name).is_some() {
                self.step.program.write(&mut memory, name, value);
            }
        }
        self.step.program.refresh(&mut memory, pool);
        let chunks = questions.chunks(batch * STEPS_AHEAD);
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel::<Vec<Result<Vec<u8>, String>>>(2);
            let ahead = chunks.clone();
            scope.spawn(move || {
                for chunk in ahead {
                    let read = chunk.par_iter().map(|question| self.read(question)).collect();
                    // Nobody listens any more.
                    if send.send(read).is_err() {
                        break;
                    }
                }
            });
            for (chunk, read) in chunks.zip(receive) {
                for (questions, samples) in chunk.chunks(batch).zip(read.chunks(batch)) {
                    let outputs = self.step(samples, &mut memory, pool);
                    for ((question, sample), output) in questions.iter().zip(samples).zip(outputs) {
                        let go_on = match sample {
                            Ok(_) => tell(question, self.answer(&output, top), Some(&output)),
                            Err(reason) => tell(question, Answer::Unreadable(reason.clone()), None),
                        };
                        if !go_on {
                            return;
                        }
                    }
                }
            }
        });
    }

    fn read(&self, question: &Question) -> Result<Vec<u8>, String> {
        let mut out = vec![0; self.pictures.bytes()];
        match question {
            Question::Image(path) => {
                let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
                self.pictures.image(&bytes, &mut out)?;
            }
            Question::Record(_, _, bytes) => self.pictures.record(bytes, &mut out)?,
            Question::Bytes(bytes) => self.pictures.image(bytes, &mut out)?,
        }
        Ok(out)
    }

    /// One step on samples, the last ones of which may be missing or unreadable.
    fn step(
        &self,
        samples: &[Result<Vec<u8>, String>],
        memory: &mut Memory,
        pool: &mut Pool,
    ) -> Vec<Vec<f32>> {
        let program = &self.step.program;
        let input = &self.step.inputs[0];
        if program.buffer(input).is_some() {
            let room = program.bytes_mut(memory, input);
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
        let output = program.f32s(memory, "output.output");
        let size = output.len() / self.step.batch;
        output.chunks(size.max(1)).take(samples.len()).map(<[f32]>::to_vec).collect()
    }

    fn answer(&self, output: &[f32], top: usize) -> Answer {
        let name = |class: usize| self.classes[class].clone();
        match self.task {
            Task::Class { scale, .. } => {
                let values = scale.apply(output);
                let mut order: Vec<usize> = (0..values.len()).collect();
                order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
                let best = order.into_iter().take(top);
                Answer::Classes(best.map(|class| (name(class), values[class])).collect())
            }
            Task::ClassPerPosition { classes, scale, .. } => {
                let mut counts = vec![0; classes];
                for numbers in output.chunks_exact(classes) {
                    counts[largest(&scale.apply(numbers))] += 1;
                }
                let mut order: Vec<usize> = (0..classes).filter(|&it| counts[it] > 0).collect();
                order.sort_by_key(|&class| std::cmp::Reverse(counts[class]));
                Answer::Positions(order.iter().map(|&class| (name(class), counts[class])).collect())
            }
            Task::Labels { labels: 1, scale } => {
                let yes = scale.of_one(output[0]);
                let mut both = vec![(name(0), 1.0 - yes), (name(1), yes)];
                if yes > 0.5 {
                    both.reverse();
                }
                both.truncate(top);
                Answer::Classes(both)
            }
            Task::Labels { scale, .. } => {
                Answer::Values(output.iter().map(|&it| scale.of_one(it) as f32).collect())
            }
            Task::Numbers { .. } | Task::Other => Answer::Values(output.to_vec()),
        }
    }
}

/// The questions that arguments ask: image files, folders of them, idx and CSV files.
pub fn questions(arguments: &[PathBuf]) -> Result<Vec<Question>, Failure> {
    let mut found = Vec::new();
    for path in arguments {
        if path.as_os_str() == "-" {
            found.extend(of_bytes(standard_input()?)?);
        } else if path.is_dir() {
            let before = found.len();
            images_below(path, &mut found, 0)?;
            if found.len() == before {
                return Err(Failure::Data(format!("{} has no images in it", path.display())));
            }
        } else {
            of_file(path, &mut found)?;
        }
    }
    Ok(found)
}

/// The images in a folder and those in it, by name. Links to folders are not followed.
fn images_below(folder: &Path, found: &mut Vec<Question>, depth: usize) -> Result<(), Failure> {
    /// Deeper folders are none that people make.
    const MOST_DEPTH: usize = 64;
    let failed =
        |error: std::io::Error| Failure::Io(format!("cannot read {}: {error}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < MOST_DEPTH => {
                images_below(&path, found, depth + 1)?;
            }
            Ok(_) if data::is_image(&path) => found.push(Question::Image(path)),
            _ => {}
        }
    }
    Ok(())
}

/// What a file asks: an image by its name, numbers by theirs, an idx file by its first bytes.
fn of_file(path: &Path, found: &mut Vec<Question>) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::Io(format!("cannot read {}: {error}", path.display()));
    if !path.exists() {
        return Err(failed(std::io::ErrorKind::NotFound.into()));
    }
    let ends = |ending: &str| path.extension().is_some_and(|it| it.eq_ignore_ascii_case(ending));
    let record = |(number, bytes)| Question::Record(path.to_path_buf(), number, bytes);
    if ends("csv") || ends("tsv") {
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let records = data::csv_records(&text)
            .map_err(|reason| Failure::Data(format!("{}: {reason}", path.display())))?;
        found.extend(records.into_iter().enumerate().map(record));
    } else if !data::is_image(path) && is_idx(path) {
        let records = data::idx_records(path).map_err(data_failure)?;
        found.extend(records.into_iter().enumerate().map(record));
    } else {
        // Whatever it is called: what it is, its bytes say.
        found.push(Question::Image(path.to_path_buf()));
    }
    Ok(())
}

/// Whether a file begins as idx files do, packed or not.
fn is_idx(path: &Path) -> bool {
    let mut start = [0; 3];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && (start == [0, 0, 8] || start[..2] == [0x1f, 0x8b])
}

fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MOST_BYTES).read_to_end(&mut bytes);
    read.map_err(|error| Failure::Io(format!("cannot read standard input: {error}")))?;
    match bytes.is_empty() {
        true => Err(Failure::Data("standard input is empty".to_owned())),
        false => Ok(bytes),
    }
}

/// What standard input asks: a list of names, rows of numbers, or an image's own bytes.
fn of_bytes(bytes: Vec<u8>) -> Result<Vec<Question>, Failure> {
    let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(vec![Question::Bytes(bytes)]) };
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    if lines().any(|line| Path::new(line).exists()) {
        let mut found = Vec::new();
        for line in lines() {
            of_file(Path::new(line), &mut found)?;
        }
        return Ok(found);
    }
    let records = data::csv_records(text).map_err(|reason| {
        Failure::Data(format!("standard input is no image, no list of files, and no CSV: {reason}"))
    })?;
    let record = |(number, bytes)| Question::Record(PathBuf::from("-"), number, bytes);
    Ok(records.into_iter().enumerate().map(record).collect())
}
