//! `nnc data`: describes a program's data, and makes a batch of them as a step gets it.
//!
//! ```text
//! data d = images("photos", size: [64, 64]) |> flip |> normalize(mean: 0.5, std: 0.5)
//! → fields, splits, classes and their counts
//! → a file of tensors: `input.x` f32[32, 64, 64, 3], flipped and normalised; `input.label` i32[32]
//! ```
//!
//! Samples take the way that they take in a run: the same order, the same transforms, and the same
//! compiled code for what a step does first. So the file holds the bits that the model sees, under the
//! names by which `nnc grad` takes them. Nothing is trained.

use crate::base::diagnostic::Diagnostic;
use crate::base::schema::Field;
use crate::base::shown::Show;
use crate::base::step_output::StepOutput;
use crate::base::tensor::{DType, Tensor};
use crate::data::{
    Batch, Dataset, Feed, Note, Plan, SharedSamples, Split, SplitPass, Watch, described,
    first_samples, shared_samples,
};
use crate::driver::session::{Failure, Request, Session};
use crate::driver::steps::StepCompiler;
use crate::elaborate;
use crate::run::evaluate::SplitName;
use crate::runtime::pool::Pool;
use crate::runtime::program::{RunMemory, StepArgs};
use crate::runtime::weights::{self, StoredTensor};
use crate::schedule::Globals;
use serde_json::json;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Which batch is to be written, and where.
#[derive(Clone, Debug)]
pub struct WantedBatch {
    /// The file.
    pub out: PathBuf,
    /// The split that it is taken from.
    pub split: SplitName,
    /// The epoch, from 1; only samples to train on depend on it.
    pub epoch: u64,
    /// The batch of the epoch, from 1.
    pub number: usize,
    /// Samples, where the program should not say.
    pub samples: Option<usize>,
}

/// A batch that was written.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenBatch {
    /// Name and type of each tensor.
    pub tensors: Vec<(String, DType, Vec<usize>)>,
    /// The source of each sample of the batch: its file, or its number in the data.
    pub samples: Vec<String>,
}

/// A description of a program's data.
pub struct DataReport {
    /// Warnings about the program.
    pub warnings: Vec<Diagnostic>,
    /// Where samples really come from.
    pub source: &'static str,
    /// That other data stand in for what was asked for.
    pub notice: Option<String>,
    /// Notes, a line each.
    pub notes: Vec<Note>,
    /// The fields of a sample, after the transforms.
    pub fields: Vec<Field>,
    /// The columns of each field, and its fitted numbers, in words.
    pub described: Vec<String>,
    /// The first samples to train on, a text for each field.
    pub first: Vec<Vec<String>>,
    /// The names of the classes, where each sample has one.
    pub classes: Vec<String>,
    /// Each split's name, its samples, and how many there are of each class.
    pub splits: Vec<(&'static str, usize, Vec<usize>)>,
    /// The lengths of buckets in words, and the samples of each split in each.
    pub buckets: Vec<(String, [usize; 3])>,
    /// Samples that two splits share.
    pub shared: Vec<SharedSamples>,
    /// The batch, where one was wanted.
    pub batch: Option<WrittenBatch>,
}

/// Samples that a report shows.
const FIRST: usize = 3;

/// Opens a program's data, looks for samples that splits share, and writes a batch. `watch` follows the
/// reading of the data, `comparing` that of the samples once they are there.
pub fn data(
    session: &mut Session,
    request: &Request,
    wanted: Option<&WantedBatch>,
    watch: Watch<'_>,
    comparing: Watch<'_>,
) -> Result<DataReport, Failure> {
    let front = session.front(request, true)?;
    let Some(source) = &front.source else {
        let message = format!("`{}` names no data", front.experiment.model);
        return Err(Failure::Data(message));
    };
    let data = session.open(source, watch)?;
    let settings = front.experiment.training.as_ref().map(|training| &training.settings);
    let plan = Plan {
        seed: settings.map_or(0, |settings| settings.seed),
        shuffle: settings.is_some_and(|settings| settings.shuffle),
        batch: front.batch(),
        keep_last: true,
        evaluation_batch: front.batch(),
        threads: 1,
    };
    let written = wanted.map(|wanted| write(session, request, &data, plan, wanted)).transpose()?;
    // Where each position of a sample has a class, or labels are not at hand, none are counted.
    let classes = data.schema.classes().filter(|_| data.train.labels().is_some()).unwrap_or(0);
    let counted = |split: &Split| {
        let mut counts = vec![0; classes];
        for label in split.labels().into_iter().flatten() {
            // A label out of range is told by the step that meets it.
            if let Some(count) = counts.get_mut(label) {
                *count += 1;
            }
        }
        counts
    };
    let splits = [("train", &data.train), ("validation", &data.validation), ("test", &data.test)];
    Ok(DataReport {
        warnings: front.warnings,
        source: data.source,
        described: data.fields(true).iter().map(described).collect(),
        first: match data.train.in_memory() {
            true => first_samples(&data.train, FIRST),
            false => Vec::new(),
        },
        fields: data.fields(true),
        classes: (0..classes).map(|class| data.class_name(class)).collect(),
        splits: splits.map(|(name, split)| (name, split.count(), counted(split))).into(),
        buckets: {
            let counts = data.schema.in_buckets.iter().enumerate();
            counts.map(|(bucket, counts)| (data.schema.bucket_name(bucket), *counts)).collect()
        },
        shared: shared_samples(&data, comparing).map_err(|error| match error.interrupted {
            true => Failure::Interrupted(error.message.into()),
            false => Failure::Data(error.to_string()),
        })?,
        batch: written,
        notice: data.notice,
        notes: data.notes,
    })
}

/// Writes a batch.
fn write(
    session: &mut Session,
    request: &Request,
    data: &Dataset,
    plan: Plan,
    wanted: &WantedBatch,
) -> Result<WrittenBatch, Failure> {
    crate::run::check_writable(&wanted.out)?;
    let pass = match wanted.split {
        SplitName::Train => SplitPass::Train { epoch: wanted.epoch },
        SplitName::Validation => SplitPass::Validation,
        SplitName::Test => SplitPass::Test,
    };
    let samples = wanted.samples.unwrap_or(plan.batch);
    let plan = Plan { batch: samples, evaluation_batch: samples, ..plan };
    let split = data.split(pass);
    let mut feed = Feed::new(data, plan);
    let batches = feed.begin_at(pass, wanted.number - 1, &[]);
    if wanted.number > batches {
        return Err(Failure::Io(format!(
            "there is no batch {} of {samples}: {} samples make {batches}",
            wanted.number,
            split.count()
        )));
    }
    let failed = |error: crate::data::FeedError| Failure::Data(error.error.to_string());
    let Some(batch) = feed.next_batch().map_err(failed)? else {
        return Err(Failure::Data("the batch has no samples".to_owned()));
    };
    let fields = data.schema.in_bucket(batch.bucket).step_fields(pass.trains());
    let raw = raw(&batch, &fields).map_err(failed)?;
    let count = batch.samples.len();
    let made = prepared(session, request, &fields, &raw, count)?;
    let names = names(session, request, &fields)?;
    let entry = |((field, raw), name): ((&Field, Vec<u8>), String)| {
        let (dtype, shape, bytes) = match made.iter().find(|(of, _)| *of == field.name) {
            Some((_, tensor)) => (tensor.dtype(), tensor.shape.clone(), tensor.to_bytes()),
            None => (field.dtype, [&[count][..], &field.shape].concat(), raw),
        };
        StoredTensor { name, dtype, shape, bytes }
    };
    let entries: Vec<StoredTensor> = fields.iter().zip(raw).zip(names).map(entry).collect();
    let sample = |&index: &u32| match split.file(index) {
        Some(file) => file.to_string_lossy().into_owned(),
        None => split.original(index).to_string(),
    };
    let samples: Vec<String> = batch.samples.iter().map(sample).collect();
    write_entries(&wanted.out, &entries, &samples)?;
    let tensors = entries.into_iter().map(|it| (it.name, it.dtype, it.shape)).collect();
    Ok(WrittenBatch { tensors, samples })
}

fn write_entries(path: &Path, entries: &[StoredTensor], samples: &[String]) -> Result<(), Failure> {
    let metadata = HashMap::from([("nnc_samples".to_owned(), json!(samples).to_string())]);
    weights::write_entries(path, entries, Some(metadata), |_, _, _| Ok(())).map_err(Failure::Io)
}

/// The bytes of each field, as the data give them.
fn raw(batch: &Batch<'_>, fields: &[Field]) -> Result<Vec<Vec<u8>>, crate::data::FeedError> {
    let copy = |(index, field): (usize, &Field)| {
        let mut bytes = vec![0; batch.samples.len() * field.bytes()];
        batch.copy(index, &mut bytes).map(|()| bytes)
    };
    fields.iter().enumerate().map(copy).collect()
}

/// The fields that a step changes, by their names, after the change.
fn prepared(
    session: &mut Session,
    request: &Request,
    fields: &[Field],
    raw: &[Vec<u8>],
    count: usize,
) -> Result<Vec<(String, Tensor)>, Failure> {
    let graph = elaborate::preparation(fields).map_err(Failure::Data)?;
    let outputs: Vec<_> = graph.outputs.iter().map(|it| (it.name.clone(), it.node)).collect();
    if outputs.is_empty() {
        return Ok(Vec::new());
    }
    let shapes: Vec<Vec<usize>> =
        outputs.iter().map(|(_, node)| graph.ty(*node).shape.at(count)).collect();
    let fields_of_step = fields.to_vec();
    let globals = Globals::default();
    let mut compiler =
        StepCompiler { session, request, fields: fields_of_step, globals, run_steps: 1 };
    let graph = compiler.session.elaborated(graph)?;
    let (step, _) = compiler.step(&graph, count)?;
    let mut pool = Pool::new(1);
    let mut memory = RunMemory::for_programs([&step.program], pool.threads());
    for (input, bytes) in step.inputs.iter().zip(raw) {
        if let Some(buffer) = input.buffer {
            step.program.bytes_mut(&mut memory, buffer).copy_from_slice(bytes);
        }
    }
    let args = StepArgs { step: 1, seed: 0, hypers: &step.hypers };
    if step.program.run(&mut memory, &mut pool, &args).is_err() {
        return Err(Failure::Data("a sample has a class outside its range".to_owned()));
    }
    let read = |((output, _), shape): ((StepOutput, _), Vec<usize>)| {
        let values = step.program.f32s(&memory, &output).to_vec();
        (output.to_string(), Tensor::f32(shape, values))
    };
    Ok(outputs.into_iter().zip(shapes).map(read).collect())
}

/// The names that `nnc grad` has for the fields: `input.` and the model's name of the input.
fn names(
    session: &mut Session,
    request: &Request,
    fields: &[Field],
) -> Result<Vec<String>, Failure> {
    let declared = session.front(request, true)?.experiment.train;
    let declared: Vec<&str> = declared.inputs.values().map(|input| &input.name[..]).collect();
    // Inputs take the fields of their names, and those that are left the fields that are left, in order.
    let is_field = |name: &&str| fields.iter().any(|field| field.name == *name);
    let mut left = declared.iter().copied().filter(|name| !is_field(name));
    let name = |field: &Field| {
        let is_its_own = field.is_target || declared.contains(&&field.name[..]);
        let other = if is_its_own { None } else { left.next() };
        format!("input.{}", other.unwrap_or(&field.name))
    };
    Ok(fields.iter().map(name).collect())
}

impl WantedBatch {
    /// One line that describes it.
    pub fn described(&self) -> String {
        let epoch = match self.split {
            SplitName::Train => format!(" of epoch {}", self.epoch),
            SplitName::Validation | SplitName::Test => String::new(),
        };
        format!("batch {}{epoch} in {}", self.number, self.out.shown())
    }
}
