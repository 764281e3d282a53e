//! The report on a sound program: its layers with their shapes, parameters, operations and
//! activations, the exact memory of its steps, and how much a run of it takes from the machine.
//!
//! ```text
//! layer        output             parameters       FLOP   activation
//! conv         [N, 26, 26, 32]           320    389.4 k      84.5 kB
//! dense        [N, 10]                54 090    108.2 k         40 B
//! ```
//!
//! Operations are those of contractions, two for each product and sum, of one sample's forward
//! pass; activations are bytes of one sample's output. Memory is what the plan of the compiled
//! steps says, to the byte.

use crate::base::diagnostic::Diagnostic;
use crate::base::source::Sources;
use crate::base::table::{Table, TableColumn};
use crate::base::task::Task;
use crate::base::units::{grouped, megabytes, short};
use crate::command::forecast::Forecast;
use crate::command::parameters::{self, ParameterRow};
use crate::driver::compiled::place;
use crate::driver::layers::Layer;
use crate::driver::torch_names::NameTable;
use crate::elaborate::Training;
use crate::graph::rule::{CLASS_WEIGHTS, FROZEN};
use crate::graph::{Graph, Op, Param, StateId, UpdateTarget};
use crate::runtime::program::BlockBytes;
use serde_json::{Value, json};
use std::fmt::Write;

/// The report on a sound program.
#[derive(Debug)]
pub struct Report {
    /// Warnings of the lints.
    pub warnings: Vec<Diagnostic>,
    /// The model's name.
    pub(crate) model: String,
    /// The type of its output.
    pub(crate) output: String,
    /// The task that its loss sets.
    pub(crate) task: Option<Task>,
    /// Calls of layers by the model, in order.
    pub(crate) layers: Vec<Layer>,
    /// Facts that are no reason to warn: rows that windows leave out.
    pub(crate) notes: Vec<String>,
    /// How the names of a file of weights were matched, where they are not the program's.
    pub(crate) names: Option<NameTable>,
    /// Every parameter.
    pub(crate) rows: Vec<ParameterRow>,
    /// Numbers that are trained.
    pub(crate) parameters: usize,
    /// Samples a step.
    pub(crate) batch: usize,
    /// Whether the program says how the model is trained.
    pub(crate) trained: bool,
    /// Figures of the compiled steps' plans.
    pub(crate) facts: PlanFacts,
    /// The buckets of samples in words.
    pub(crate) bucket_names: Vec<String>,
    /// Bytes of a whole run.
    pub(crate) run: RunBytes,
    /// How long a step and an epoch take on this machine, where that was asked.
    pub(crate) forecast: Option<Forecast>,
}

/// Figures of compiled steps' plans: bytes and operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlanFacts {
    /// Operations of the step's contractions, two for each product and sum.
    pub flops: u64,
    /// The memory of a training step; of a forward step where nothing trains the model.
    pub train: Bytes,
    /// The memory of an evaluation step of the same batch.
    pub infer: Bytes,
    /// The memory that all steps of a run share.
    pub run: Bytes,
    /// Of each smaller bucket with samples to train on, its number, a batch of it, and the memory of that
    /// training step.
    pub buckets: Vec<(usize, usize, Bytes)>,
}

/// Bytes that do not depend on the threads, and those of each thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes {
    /// Shared by all threads.
    pub shared: usize,
    /// Each thread's own.
    pub thread: usize,
}

impl Bytes {
    /// The bytes of a planned program.
    pub fn of(blocks: BlockBytes) -> Bytes {
        let shared = blocks.total(0);
        Bytes { shared, thread: blocks.total(1) - shared }
    }

    pub fn total(self, threads: usize) -> usize {
        self.shared + threads * self.thread
    }
}

/// Bytes of a run beside its steps' memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RunBytes {
    /// The threads that will run.
    pub threads: usize,
    /// Samples that lie in memory.
    pub data: usize,
    /// Batches that are prepared ahead.
    pub prefetch: usize,
    /// Image files while they are decoded, before steps begin.
    pub decoding: usize,
    /// The first values of parameters and states, from which a run begins.
    pub initial: usize,
    /// The copy of parameters and states that checkpoints are written from, and that of the weights
    /// while their file is written.
    pub copy: usize,
    /// Counts of evaluation for the report: tables of classes, the worst predictions.
    pub evaluation: usize,
}

impl RunBytes {
    /// All of them, with what the program itself takes.
    pub fn total(self) -> usize {
        self.data + self.prefetch + self.initial + self.copy + self.evaluation + PROGRAM
    }

    /// The most that a run has in memory at once, with the memory of its steps: while they run, or
    /// before, while images are decoded.
    pub fn peak(self, steps: usize) -> usize {
        (steps + self.total()).max(self.decoding + PROGRAM)
    }
}

/// Bytes of the process itself: its code, compiled steps, and what the system gives each
/// process. Measured once, for all models.
const PROGRAM: usize = 20 << 20;

/// The rows and columns of images that windows do not reach, each place once.
pub(crate) fn left_out(graph: &Graph, sources: &Sources) -> Vec<String> {
    let mut notes = Vec::new();
    for (id, node) in graph.nodes.iter() {
        let (Op::Conv { window, .. } | Op::MaxPool(window) | Op::SumPool(window)) = &node.op else {
            continue;
        };
        let images = graph.ty(node.args[0]).shape.at(1);
        let rest = [0, 1].map(|axis| {
            let room = window.padded(axis, images[axis + 1]).saturating_sub(window.span(axis));
            room % window.stride[axis]
        });
        if rest == [0, 0] {
            continue;
        }
        let Some(place) = place(sources, graph, id) else { continue };
        let [rows, columns] = rest;
        let note = format!(
            "{}: of images of {}×{}, {rows} rows and {columns} columns are not read",
            sources.place(place),
            images[1],
            images[2],
        );
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// One line on the parameters that `freeze` leaves as they are, if any.
pub(crate) fn frozen(graph: &Graph, training: Option<&Training>) -> Option<String> {
    let frozen = training?.rule.excluded.get(FROZEN).filter(|paths| !paths.is_empty())?;
    let numbers = |param: &Param| param.ty.shape.at(0).iter().product::<usize>();
    let kept = graph.params.values().filter(|param| frozen.contains(&param.path));
    let layer = |path: &str| path.rsplit_once('.').map(|(layer, _)| layer.to_owned());
    let layers: Vec<Option<String>> = frozen.iter().map(|path| layer(path)).collect();
    let written = |state: StateId| {
        graph.updates.iter().any(|update| update.target == UpdateTarget::State(state))
    };
    let states = graph.states.iter().filter(|(id, state)| {
        !written(*id) && state.path != CLASS_WEIGHTS && layers.contains(&layer(&state.path))
    });
    let states: Vec<&str> = states.map(|(_, state)| state.path.as_str()).collect();
    let states = match states.len() {
        0 => String::new(),
        count => format!(", and {count} states of their layers"),
    };
    const SHOWN: usize = 6;
    let more = if frozen.len() > SHOWN { ", …" } else { "" };
    Some(format!(
        "frozen: {} of {} parameters ({} of {} numbers){states}: {}{more}",
        frozen.len(),
        graph.params.len(),
        kept.map(numbers).sum::<usize>(),
        graph.parameter_count(),
        frozen[..frozen.len().min(SHOWN)].join(", "),
    ))
}

impl Report {
    /// The report as people read it, at most 80 columns wide.
    pub fn text(&self) -> String {
        let mut text = format!("{} -> {}\n", self.model, self.output);
        self.push_layers(&mut text);
        let per_sample: u64 = self.layers.iter().map(|layer| layer.flops).sum();
        let step = if self.trained { "training" } else { "forward" };
        if let Some(task) = &self.task {
            let _ = writeln!(text, "task        {task}");
        }
        let _ = writeln!(text, "parameters  {}", grouped(self.parameters as u64));
        let _ = writeln!(
            text,
            "operations  {} FLOP a sample forward, {} FLOP a {step} step of {}",
            short(per_sample as f64),
            short(self.facts.flops as f64),
            self.batch,
        );
        let rows = [(step, self.facts.train), ("inference", self.facts.infer)];
        for (index, (step, bytes)) in rows.into_iter().enumerate() {
            let head = if index == 0 { "memory" } else { "" };
            let _ = writeln!(
                text,
                "{head:<12}{step}: {} bytes, and {} for each thread",
                grouped(bytes.shared as u64),
                grouped(bytes.thread as u64),
            );
        }
        for (name, batch, bytes) in self.buckets() {
            let _ = writeln!(
                text,
                "{:<12}{name}: {} bytes of that, {step} in steps of {batch}",
                "",
                grouped(bytes.shared as u64),
            );
        }
        self.push_run(&mut text);
        for note in &self.notes {
            let _ = writeln!(text, "note        {note}");
        }
        if let Some(forecast) = &self.forecast {
            forecast.push(&mut text);
        }
        if let Some(names) = &self.names {
            text.push_str(&names.summary());
        }
        text
    }

    /// The smaller buckets, each with a batch and the memory of that step.
    fn buckets(&self) -> impl Iterator<Item = (&String, usize, Bytes)> {
        let of = |&(bucket, batch, bytes)| (&self.bucket_names[bucket], batch, bytes);
        self.facts.buckets.iter().map(of)
    }

    /// The parameters one by one, as people read them; as wide as their paths.
    pub fn parameters(&self) -> String {
        parameters::table(&self.rows)
    }

    fn push_layers(&self, text: &mut String) {
        const MOST: usize = 28;
        let mut table = Table::new([
            TableColumn::left("layer").at_most(MOST),
            TableColumn::left("output").at_most(MOST),
            TableColumn::right("parameters").at_least(12).gap(1),
            TableColumn::right("FLOP").at_least(9).gap(1),
            TableColumn::right("activation").at_least(10).gap(1),
        ]);
        for layer in &self.layers {
            table.row([
                layer.path.clone(),
                layer.output.clone(),
                grouped(layer.parameters as u64),
                short(layer.flops as f64),
                format!("{}B", short(layer.activation as f64)),
            ]);
        }
        // Its texts are cut, so that it fits into 80 columns but for numbers of unusual length.
        text.push_str(&table.text(usize::MAX));
    }

    /// Appends the memory of a run.
    fn push_run(&self, text: &mut String) {
        if !self.trained {
            return;
        }
        let RunBytes { threads, data, prefetch, decoding, initial, copy, evaluation } = self.run;
        let _ = writeln!(
            text,
            "a run       {threads} threads: about {} MB\n            \
             (steps {}, data {}, batches {}, weights {}, their copy {},\n             \
             report {}, program {})",
            megabytes(self.peak()),
            megabytes(self.facts.run.total(threads)),
            megabytes(data),
            megabytes(prefetch),
            megabytes(initial),
            megabytes(copy),
            megabytes(evaluation),
            megabytes(PROGRAM),
        );
        if decoding > 0 {
            let _ = writeln!(
                text,
                "            before that, to decode images: {} MB",
                megabytes(decoding)
            );
        }
    }

    /// Bytes that a run has in memory at most, as far as can be said beforehand.
    fn peak(&self) -> usize {
        self.run.peak(self.arena())
    }

    /// Bytes of the memory that a run's steps share.
    pub fn arena(&self) -> usize {
        self.facts.run.total(self.run.threads)
    }

    /// The report as one JSON object.
    pub fn json(&self) -> Value {
        let layers = self.layers.iter().map(|layer| {
            json!({
                "path": layer.path, "output": layer.output, "parameters": layer.parameters,
                "flop": layer.flops, "activation_bytes": layer.activation,
            })
        });
        let bytes =
            |bytes: Bytes| json!({ "shared_bytes": bytes.shared, "thread_bytes": bytes.thread });
        let RunBytes { threads, data, prefetch, decoding, initial, copy, evaluation } = self.run;
        let mut report = json!({
            "model": self.model, "output": self.output, "task": self.task, "batch": self.batch,
            "notes": self.notes,
            "layers": layers.collect::<Vec<_>>(), "tensors": parameters::json(&self.rows),
            "parameters": self.parameters, "step_flop": self.facts.flops,
            "training": bytes(self.facts.train), "inference": bytes(self.facts.infer),
            "run": {
                "threads": threads, "arena_bytes": self.facts.run.total(threads),
                "data_bytes": data, "prefetch_bytes": prefetch, "decoding_bytes": decoding,
                "initial_bytes": initial,
                "checkpoint_copy_bytes": copy, "report_bytes": evaluation,
                "peak_bytes": self.peak(),
            },
        });
        if let Some(names) = &self.names {
            report["weights"] = names.json();
        }
        if !self.facts.buckets.is_empty() {
            let of = |(name, batch, own): (&String, usize, Bytes)| json!({ "bucket": name, "batch": batch, "training": bytes(own) });
            report["buckets"] = self.buckets().map(of).collect();
        }
        if let Some(forecast) = &self.forecast {
            report["time"] = forecast.json();
        }
        json!({ "report": report })
    }
}
