//! From a data set to a step's inputs: passes over splits, batch by batch, transformed and ready
//! before they are asked for.
//!
//! ```text
//! feed.begin(SplitPass::Train { epoch: 1 }, &[SplitPass::Validation]);
//! while let Some(batch) = feed.next_batch()? {       // waits only if the batch is not ready yet
//!     batch.copy(field, input)?;               // into each of the step's inputs
//! }
//! ```
//!
//! Work that costs more than a copy (transforms, samples that lie in a file) is done ahead of the
//! steps by threads of its own ([`prefetch`]); samples that lie in memory as a step wants them are
//! copied where they are asked for, since handing them over would cost as much. The bytes are the
//! same either way, for any number of threads ([`sample`]).

mod order;
mod prefetch;
mod sample;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::order::PassOrder;
use self::prefetch::{Chunk, PassJob, Prefetch};
use self::sample::SampleLoader;
use super::dataset::{Dataset, SplitPass};
use super::error::DataError;
use super::request::SourceRequest;
use super::samples::Split;
use super::transform;
use crate::base::schema::{Field, Schema};

/// How passes are made.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Seed of order and transforms.
    pub seed: u64,
    /// Whether each epoch has an order of its own.
    pub shuffle: bool,
    /// Samples of a batch to train on.
    pub batch: usize,
    /// Whether what is left of an epoch is a smaller batch, or left out.
    pub keep_last: bool,
    /// Samples of a batch to judge by.
    pub evaluation_batch: usize,
    /// Threads that compute steps; those that prepare batches follow from it.
    pub threads: usize,
}

/// Why a batch cannot be had.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedError {
    /// The split.
    pub split: &'static str,
    /// The sample's number in the data that its split was taken from.
    pub sample: u32,
    /// The reason.
    pub error: Box<DataError>,
    /// Whether that is a bug of ours.
    pub panicked: bool,
}

/// The samples of a batch.
pub struct Batch<'a> {
    /// Their indices in the split.
    pub samples: &'a [u32],
    /// The bucket that they are in; 0 where there are none.
    pub bucket: usize,
    bytes: BatchBytes<'a>,
}

enum BatchBytes<'a> {
    /// As they lie in the split.
    Split(&'a Split, SplitPass),
    /// Prepared, with the place of the first one, and the bytes that each has of every field.
    Chunk(&'a Chunk, usize, &'a [usize]),
}

impl Batch<'_> {
    /// Copies one field of all samples, one after the other. `out` has room for exactly those; in a
    /// bucket, for the positions that it has.
    pub fn copy(&self, field: usize, out: &mut [u8]) -> Result<(), FeedError> {
        match &self.bytes {
            BatchBytes::Split(split, pass) => {
                let copied = split.copy_batch(self.samples, field, out);
                copied.map_err(|error| FeedError {
                    split: pass.split(),
                    sample: split.original(self.samples[0]),
                    error: error.into(),
                    panicked: false,
                })
            }
            BatchBytes::Chunk(chunk, first, sizes) => {
                let (size, part) = (sizes[field], out.len() / self.samples.len());
                let rows = chunk.fields[field][first * size..].chunks_exact(size.max(1));
                let rooms = out.chunks_exact_mut(part.max(1));
                rooms.zip(rows).for_each(|(room, row)| room.copy_from_slice(&row[..part]));
                Ok(())
            }
        }
    }
}

/// Hands out batches.
pub struct Feed {
    loader: Arc<SampleLoader>,
    plan: Plan,
    prefetch: Option<Prefetch>,
    /// BatchBytes of each field of a sample.
    sizes: Vec<usize>,
    /// Passes that are being prepared, the current one aside.
    announced: Vec<SplitPass>,
    current: Option<Current>,
}

/// The pass that batches are taken from.
struct Current {
    pass: SplitPass,
    order: PassOrder,
    /// Samples that have been handed out, or were before.
    done: usize,
    /// Whether they are prepared by threads.
    ahead: bool,
    /// The chunk that batches are taken from, and where in the order it begins.
    chunk: Option<(Chunk, usize)>,
}

impl Feed {
    /// Nothing begun. Threads are started if a pass over the data needs them.
    pub fn new(data: &Dataset, plan: Plan) -> Feed {
        let loader = Arc::new(SampleLoader::new(data, plan.seed));
        let passes = [SplitPass::Train { epoch: 1 }, SplitPass::Validation, SplitPass::Test];
        let ahead = passes.into_iter().filter(|&pass| loader.is_work(pass));
        let samples = ahead.map(|pass| chunk_samples(&data.schema, batch_of(&plan, pass))).max();
        let sizes: Vec<usize> = data.fields(true).iter().map(Field::bytes).collect();
        let prefetch = samples.map(|samples| {
            Prefetch::start(loader.clone(), sizes.clone(), samples, workers(plan.threads))
        });
        Feed { loader, plan, prefetch, sizes, announced: Vec::new(), current: None }
    }

    /// Begins a pass; what is left of the current one is dropped. `then` are passes that will
    /// follow, in order, as far as that is known: they are prepared while this one goes on.
    pub fn begin(&mut self, pass: SplitPass, then: &[SplitPass]) {
        self.begin_at(pass, 0, then);
    }

    /// The same, behind batches that have been made before; returns how many the whole pass has.
    pub fn begin_at(&mut self, pass: SplitPass, done: usize, then: &[SplitPass]) -> usize {
        let ahead = self.loader.is_work(pass);
        if let Some(prefetch) = &mut self.prefetch {
            let left = self.current.take().is_some_and(|current| {
                let left = current.ahead && current.done < current.order.samples.len();
                if let Some((chunk, _)) = current.chunk {
                    prefetch.release(chunk);
                }
                left
            });
            let expected = !ahead || self.announced.first() == Some(&pass);
            if left || !expected {
                prefetch.forget();
                self.announced.clear();
            }
        }
        let order = self.order(pass);
        let batches = order.batches();
        let first = order.begin(done);
        if ahead {
            match done == 0 && self.announced.first() == Some(&pass) {
                true => drop(self.announced.remove(0)),
                false => self.prepare(pass, order.clone(), first),
            }
        }
        for &next in then {
            if self.loader.is_work(next) && !self.announced.contains(&next) {
                self.prepare(next, self.order(next), 0);
                self.announced.push(next);
            }
        }
        self.current = Some(Current { pass, order, done: first, ahead, chunk: None });
        batches
    }

    /// How many samples some batches of the current pass have together, counted from its beginning.
    pub fn samples_of(&self, batches: std::ops::Range<usize>) -> usize {
        let samples = |order: &PassOrder| order.begin(batches.end) - order.begin(batches.start);
        self.current.as_ref().map_or(0, |current| samples(&current.order))
    }

    /// The next batch of the current pass; `None` after the last one.
    pub fn next_batch(&mut self) -> Result<Option<Batch<'_>>, FeedError> {
        let Some(current) = &mut self.current else { return Ok(None) };
        let first = current.done;
        let samples = first..current.order.end_behind(first);
        if samples.is_empty() {
            return Ok(None);
        }
        current.done = samples.end;
        let bucket = self.loader.split(current.pass).bucket(current.order.samples[first]);
        let bytes = match &mut self.prefetch {
            Some(prefetch) if current.ahead => {
                let begins = current.next_chunk(prefetch, first)?;
                let (chunk, _) = current.chunk.as_ref().expect("a chunk has been taken");
                BatchBytes::Chunk(chunk, first - begins, &self.sizes)
            }
            _ => BatchBytes::Split(self.loader.split(current.pass), current.pass),
        };
        Ok(Some(Batch { samples: &current.order.samples[samples], bucket, bytes }))
    }

    /// The samples that a pass takes, in order.
    fn order(&self, pass: SplitPass) -> PassOrder {
        let split = self.loader.split(pass);
        PassOrder::new(split, pass, &self.plan, self.loader.schema().bucket_count())
    }

    /// Has a pass prepared from one of its samples on, which begins a batch.
    fn prepare(&mut self, pass: SplitPass, order: PassOrder, first: usize) {
        let chunk = chunk_samples(self.loader.schema(), batch_of(&self.plan, pass));
        if let Some(prefetch) = &mut self.prefetch {
            prefetch.add(PassJob { pass, order, chunk, claimed: first });
        }
    }
}

impl Current {
    /// Holds the chunk that a sample of the order is in; returns where it begins.
    fn next_chunk(&mut self, prefetch: &mut Prefetch, first: usize) -> Result<usize, FeedError> {
        if let Some((chunk, begins)) = self.chunk.take() {
            if first < begins + chunk.samples {
                self.chunk = Some((chunk, begins));
                return Ok(begins);
            }
            prefetch.release(chunk);
        }
        let chunk = prefetch.take();
        let outcome = chunk.outcome.clone();
        self.chunk = Some((chunk, first));
        outcome.map(|()| first)
    }
}

fn batch_of(plan: &Plan, pass: SplitPass) -> usize {
    if pass.trains() { plan.batch } else { plan.evaluation_batch }
}

/// Samples that are handed over at once: whole batches, as many as make the cost of handing over
/// small beside that of their bytes.
fn chunk_samples(schema: &Schema, batch: usize) -> usize {
    const BYTES: usize = 256 << 10;
    let bytes: usize = schema.step_fields(true).iter().map(Field::bytes).sum();
    batch * (BYTES / (batch * bytes).max(1)).max(1)
}

/// Threads that prepare batches, for so many that compute. Where computing is what takes the time
/// they wait, and where preparing is, the others do.
fn workers(threads: usize) -> usize {
    threads.clamp(1, 8)
}

/// BatchBytes of batches that are prepared ahead in a run whose passes have batches of these sizes, for what
/// is known without the data. One ring serves all passes: its chunks are those of the largest.
pub fn prefetch_bytes(
    request: &SourceRequest,
    schema: &Schema,
    batches: &[usize],
    threads: usize,
) -> usize {
    let transforms = transform::parse(&request.transforms).unwrap_or_default();
    let changes = transforms.iter().any(transform::ParsedTransform::changes_samples);
    let fields = schema.step_fields(true);
    if !changes && fields.iter().all(|field| super::is_resident(request, field)) {
        return 0;
    }
    let bytes: usize = fields.iter().map(Field::bytes).sum();
    let samples = batches.iter().map(|&batch| chunk_samples(schema, batch)).max().unwrap_or(0);
    prefetch::chunks(workers(threads)) * samples * bytes
}
