//! The forward pass of a trained model, compiled for one or several sizes of a batch: bytes of samples go
//! in, outputs come out.
//!
//! ```text
//! ReadableModel   the reader of samples, what is known of outputs    ─compile [1, 8, 32]→
//! InferenceSteps  3 samples → the step of 8, five places of it zeros  →  3 × outputs
//! ```
//!
//! The steps share their parameters. A sample's outputs depend neither on the samples beside it nor on
//! the size of the step that computes them.

use crate::base::schema::{LengthBuckets, PADDING};
use crate::base::step_output::StepOutput;
use crate::base::tensor::Tensor;
use crate::command::answers::PredictedOutput;
use crate::command::opened::{self, OpenedModel, data_failure};
use crate::data::{self, InputReader};
use crate::driver::memory::{refuse_too_large, variable_bytes};
use crate::driver::session::{Failure, Request, Session};
use crate::driver::steps::StepCompiler;
use crate::graph::{Graph, Type};
use crate::run::trained::{self, Model};
use crate::runtime::pool::Pool;
use crate::runtime::program::{IndexFault, RunMemory, StepArgs};
use crate::runtime::trainer::BatchStep;
use crate::schedule::Globals;

/// The bytes of a sample's inputs, or why there are none.
pub(super) type SampleBytes = Result<Vec<Vec<u8>>, String>;
/// A sample's outputs, or why there are none.
pub(super) type SampleOutputs = Result<Vec<Vec<f32>>, String>;

/// A trained model whose samples can be read, before its forward pass is compiled or exported.
pub(super) struct ReadableModel {
    /// The session that elaborated it.
    pub session: Session,
    /// The request, for the program that was run.
    pub request: Request,
    /// The model; its graph has nothing but the outputs of `outputs`, its batch is a symbol, and its
    /// weights are in `variables`.
    pub opened: OpenedModel,
    /// The values of all parameters and states of the graph by path.
    pub variables: Vec<(String, Tensor)>,
    /// Makes samples of files or bytes; its fields are the inputs that the model reads, as bytes before the
    /// graph's own preparation.
    pub reader: Box<dyn InputReader>,
    /// Its outputs, in the order in which steps give them.
    pub outputs: Vec<PredictedOutput>,
}

impl ReadableModel {
    /// Opens a trained model; the training data need not be there.
    pub fn open(request: &Request, model: &Model) -> Result<ReadableModel, Failure> {
        let mut session = Session::new(None);
        let mut request = request.clone();
        let mut opened = opened::open(&mut session, &mut request, model)?;
        let outputs = opened.inference();
        // Targets are inputs of the step that no output reads.
        let wanted = opened.graph.live_inputs();
        let (source, before) = (&opened.source.request, &opened.samples.source);
        let reader = data::input_reader(source, before, &wanted).map_err(data_failure)?;
        let weights = std::mem::take(&mut opened.weights);
        let variables = trained::fitted(&opened.graph, weights, &opened.from)?;
        Ok(ReadableModel { session, request, opened, variables, reader, outputs })
    }

    /// Gives samples of all buckets the length of the largest, where one step is asked for.
    pub fn pad_to_largest(&mut self) {
        self.opened.smaller.clear();
    }

    /// Whether an output has another shape in a smaller bucket.
    fn has_lengths(&self) -> bool {
        let types = |graph: &Graph| -> Vec<Type> {
            graph.outputs.iter().map(|output| graph.ty(output.node).clone()).collect()
        };
        let largest = types(&self.opened.graph);
        self.opened.smaller.iter().any(|graph| types(graph) != largest)
    }

    /// Compiles a step for each of these sizes of a batch, which ascend; of samples in buckets, for each
    /// bucket, unless an output is as long as its sample: answers have one shape.
    pub fn compile(&mut self, batches: &[usize]) -> Result<InferenceSteps, Failure> {
        if self.has_lengths() {
            self.pad_to_largest();
        }
        let ReadableModel { session, request, opened, reader, .. } = self;
        let (globals, fields) = (Globals::default(), reader.fields().to_vec());
        let padded = fields.iter().map(|field| field.buckets().cloned()).collect();
        let mut compiler = StepCompiler { session, request, fields, globals, run_steps: 1 };
        let mut buckets = Vec::new();
        for graph in opened.smaller.iter().chain([&opened.graph]) {
            let steps = batches.iter().map(|&batch| Ok(compiler.step(graph, batch)?.0));
            buckets.push(steps.collect::<Result<Vec<_>, Failure>>()?);
        }
        let programs: Vec<_> = buckets.iter().flatten().map(|step| &step.program).collect();
        let beside = variable_bytes(&self.opened.graph);
        refuse_too_large(&self.session, &self.request, &programs, 1, beside)?;
        let outputs = self.outputs.iter().map(|output| output.at.clone()).collect();
        Ok(InferenceSteps {
            buckets,
            padded,
            outputs,
            initial: std::mem::take(&mut self.variables),
        })
    }
}

/// The compiled forward pass of a model, for one or several sizes of a batch.
pub(super) struct InferenceSteps {
    /// By bucket, then by size.
    buckets: Vec<Vec<BatchStep>>,
    /// The buckets of each input, where it has some.
    padded: Vec<Option<LengthBuckets>>,
    outputs: Vec<StepOutput>,
    initial: Vec<(String, Tensor)>,
}

impl InferenceSteps {
    /// The most samples of a step.
    pub fn largest(&self) -> usize {
        self.of_largest().last().expect("a step was compiled").batch
    }

    /// The sizes of the steps, ascending.
    pub fn batches(&self) -> Vec<usize> {
        self.of_largest().iter().map(|step| step.batch).collect()
    }

    /// The steps of the largest bucket.
    fn of_largest(&self) -> &[BatchStep] {
        self.buckets.last().expect("a step was compiled")
    }

    /// The bucket of a sample: the first that holds its texts.
    fn bucket(&self, sample: &SampleBytes) -> usize {
        let Ok(fields) = sample else { return 0 };
        let of_field = |(buckets, bytes): (&Option<LengthBuckets>, &Vec<u8>)| {
            let (words, _) = bytes.as_chunks::<4>();
            let tokens = words.iter().take_while(|word| i32::from_le_bytes(**word) != PADDING);
            Some(buckets.as_ref()?.of(tokens.count()))
        };
        let largest = self.padded.iter().zip(fields).filter_map(of_field).max();
        largest.unwrap_or(0).min(self.buckets.len() - 1)
    }

    /// The step for the most samples.
    pub fn into_largest(mut self) -> BatchStep {
        let steps = self.buckets.pop();
        steps.and_then(|mut steps| steps.pop()).expect("a step was compiled")
    }

    /// Memory for the steps, with the model's weights in it.
    pub fn memory(&self, pool: &mut Pool) -> RunMemory {
        let programs = self.buckets.iter().flatten().map(|step| &step.program);
        let mut memory = RunMemory::for_programs(programs, pool.threads());
        for step in self.buckets.iter().flatten() {
            let initial = self.initial.iter().map(|(path, value)| (path, value));
            step.program.fill(&mut memory, pool, initial);
        }
        memory
    }

    /// The outputs of samples, at most [`InferenceSteps::largest`], of each bucket by the smallest step that
    /// has room for them.
    pub fn outputs_of(
        &self,
        samples: &[SampleBytes],
        memory: &mut RunMemory,
        pool: &mut Pool,
    ) -> Vec<SampleOutputs> {
        if self.buckets.len() == 1 {
            return self.in_bucket(0, samples, memory, pool);
        }
        let of: Vec<usize> = samples.iter().map(|sample| self.bucket(sample)).collect();
        let mut all: Vec<SampleOutputs> = vec![Ok(Vec::new()); samples.len()];
        for bucket in 0..self.buckets.len() {
            let places: Vec<usize> = (0..of.len()).filter(|&place| of[place] == bucket).collect();
            if places.is_empty() {
                continue;
            }
            let own: Vec<SampleBytes> = places.iter().map(|&it| samples[it].clone()).collect();
            let outputs = self.in_bucket(bucket, &own, memory, pool);
            places.into_iter().zip(outputs).for_each(|(place, outputs)| all[place] = outputs);
        }
        all
    }

    /// The outputs of samples of a bucket. An index that is out of range spoils the whole step, so the
    /// samples of such a batch are asked one by one.
    fn in_bucket(
        &self,
        bucket: usize,
        samples: &[SampleBytes],
        memory: &mut RunMemory,
        pool: &mut Pool,
    ) -> Vec<SampleOutputs> {
        if let Ok(outputs) = self.step(bucket, samples, memory, pool) {
            return outputs;
        }
        let alone = |sample: &SampleBytes| {
            let outputs = self.step(bucket, std::slice::from_ref(sample), memory, pool);
            let first = outputs.map(|outputs| outputs.into_iter().next());
            first.ok().flatten().unwrap_or_else(|| {
                Err("the model makes an index of it that is outside its range".to_owned())
            })
        };
        samples.iter().map(alone).collect()
    }

    /// One step on samples, some of which may be unreadable: the outputs of each.
    fn step(
        &self,
        bucket: usize,
        samples: &[SampleBytes],
        memory: &mut RunMemory,
        pool: &mut Pool,
    ) -> Result<Vec<SampleOutputs>, IndexFault> {
        let step = self.buckets[bucket].iter().find(|step| step.batch >= samples.len());
        let step = step.expect("no more samples than the largest step has room for");
        let program = &step.program;
        for (field, input) in step.inputs.iter().enumerate() {
            let Some(buffer) = input.buffer else { continue };
            let room = program.bytes_mut(memory, buffer);
            let size = room.len() / step.batch;
            for (index, room) in room.chunks_exact_mut(size).enumerate() {
                match samples.get(index) {
                    Some(Ok(sample)) => room.copy_from_slice(&sample[field][..size]),
                    // What does not depend on other samples is not changed by zeros.
                    _ => room.fill(0),
                }
            }
        }
        let args = StepArgs { step: 1, seed: 0, hypers: &step.hypers };
        program.run(memory, pool, &args)?;
        let outputs: Vec<&[f32]> =
            self.outputs.iter().map(|output| program.f32s(memory, output)).collect();
        let of_sample = |(index, sample): (usize, &SampleBytes)| -> SampleOutputs {
            let one = |output: &&[f32]| {
                let size = output.len() / step.batch;
                output[index * size..][..size].to_vec()
            };
            sample.as_ref().map_err(Clone::clone)?;
            Ok(outputs.iter().map(one).collect())
        };
        Ok(samples.iter().enumerate().map(of_sample).collect())
    }
}
