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

use crate::base::step_output::StepOutput;
use crate::base::tensor::Tensor;
use crate::command::answers::PredictedOutput;
use crate::command::opened::{self, OpenedModel, data_failure};
use crate::data::{self, InputReader};
use crate::driver::memory::{refuse_too_large, variable_bytes};
use crate::driver::session::{Failure, Request, Session};
use crate::driver::steps::StepCompiler;
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

    /// Compiles a step for each of these sizes of a batch, which ascend.
    pub fn compile(&mut self, batches: &[usize]) -> Result<InferenceSteps, Failure> {
        let ReadableModel { session, request, opened, reader, .. } = self;
        let graph = &opened.graph;
        let (globals, fields) = (Globals::default(), reader.fields().to_vec());
        let mut compiler = StepCompiler { session, request, fields, globals, run_steps: 1 };
        let mut steps = Vec::new();
        for &batch in batches {
            steps.push(compiler.step(graph, batch)?.0);
        }
        let programs: Vec<_> = steps.iter().map(|step| &step.program).collect();
        let beside = variable_bytes(&self.opened.graph);
        refuse_too_large(&self.session, &self.request, &programs, 1, beside)?;
        let outputs = self.outputs.iter().map(|output| output.at.clone()).collect();
        Ok(InferenceSteps { steps, outputs, initial: std::mem::take(&mut self.variables) })
    }
}

/// The compiled forward pass of a model, for one or several sizes of a batch.
pub(super) struct InferenceSteps {
    /// By size.
    steps: Vec<BatchStep>,
    outputs: Vec<StepOutput>,
    initial: Vec<(String, Tensor)>,
}

impl InferenceSteps {
    /// The most samples of a step.
    pub fn largest(&self) -> usize {
        self.steps.last().expect("a step was compiled").batch
    }

    /// The sizes of the steps, ascending.
    pub fn batches(&self) -> Vec<usize> {
        self.steps.iter().map(|step| step.batch).collect()
    }

    /// The step for the most samples.
    pub fn into_largest(mut self) -> BatchStep {
        self.steps.pop().expect("a step was compiled")
    }

    /// Memory for the steps, with the model's weights in it.
    pub fn memory(&self, pool: &mut Pool) -> RunMemory {
        let programs = self.steps.iter().map(|step| &step.program);
        let mut memory = RunMemory::for_programs(programs, pool.threads());
        for step in &self.steps {
            let initial = self.initial.iter().map(|(path, value)| (path, value));
            step.program.fill(&mut memory, pool, initial);
        }
        memory
    }

    /// The outputs of samples, at most [`InferenceSteps::largest`], by the smallest step that has room
    /// for them. An index that is out of range spoils the whole step, so the samples of such a batch are
    /// asked one by one.
    pub fn outputs_of(
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

    /// One step on samples, some of which may be unreadable: the outputs of each.
    fn step(
        &self,
        samples: &[SampleBytes],
        memory: &mut RunMemory,
        pool: &mut Pool,
    ) -> Result<Vec<SampleOutputs>, IndexFault> {
        let step = self.steps.iter().find(|step| step.batch >= samples.len());
        let step = step.expect("no more samples than the largest step has room for");
        let program = &step.program;
        for (field, input) in step.inputs.iter().enumerate() {
            let Some(buffer) = input.buffer else { continue };
            let room = program.bytes_mut(memory, buffer);
            let size = room.len() / step.batch;
            for (index, room) in room.chunks_exact_mut(size).enumerate() {
                match samples.get(index) {
                    Some(Ok(sample)) => room.copy_from_slice(&sample[field]),
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
