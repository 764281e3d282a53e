//! What a good program is: its layers with their shapes, parameters, operations and activations,
//! the exact memory of its steps, and how much a run of it takes from the machine.
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

use super::forecast::Forecast;
use super::parameters::{self, ParameterRow};
use super::pipeline::place;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Sources;
use crate::base::task::Task;
use crate::elaborate::Training;
use crate::graph::rule::{CLASS_WEIGHTS, FROZEN};
use crate::graph::{Graph, NodeId, Op, Param, StateId, Target};
use crate::runtime::program::Blocks;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// What a good program is.
#[derive(Debug)]
pub struct Report {
    /// What is suspicious.
    pub warnings: Vec<Diagnostic>,
    /// The model's name.
    pub(super) model: String,
    /// The type of its output.
    pub(super) output: String,
    /// What it is trained for.
    pub(super) task: Option<Task>,
    /// What the model calls, in order.
    pub(super) layers: Vec<Layer>,
    /// Facts that are no reason to warn: rows that windows leave out.
    pub(super) notes: Vec<String>,
    /// Every parameter.
    pub(super) rows: Vec<ParameterRow>,
    /// Numbers that are trained.
    pub(super) parameters: usize,
    /// Samples a step.
    pub(super) batch: usize,
    /// Whether the program says how the model is trained.
    pub(super) trained: bool,
    /// What the compiled steps need.
    pub(super) facts: Facts,
    /// What a run takes.
    pub(super) run: RunBytes,
    /// How long a step and an epoch take on this machine, where that was asked.
    pub(super) forecast: Option<Forecast>,
}

/// What the plans of compiled steps say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Operations of the step's contractions, two for each product and sum.
    pub flops: u64,
    /// The memory of a training step; of a forward step where nothing trains the model.
    pub train: Bytes,
    /// The memory of an evaluation step of the same batch.
    pub infer: Bytes,
    /// The memory that all steps of a run share.
    pub run: Bytes,
}

/// Bytes that do not depend on the threads, and those of each thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bytes {
    /// Shared by all threads.
    pub shared: usize,
    /// Each thread's own.
    pub thread: usize,
}

impl Bytes {
    /// What a planned program needs.
    pub fn of(blocks: Blocks) -> Bytes {
        let shared = blocks.total(0);
        Bytes { shared, thread: blocks.total(1) - shared }
    }

    pub fn total(self, threads: usize) -> usize {
        self.shared + threads * self.thread
    }
}

/// Bytes of a run beside its steps' memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunBytes {
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
    /// What evaluation counts and the report shows: tables of classes, the worst predictions.
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

/// What the program itself takes: its code, compiled steps, and what the system gives each
/// process. Measured once, for all models.
const PROGRAM: usize = 20 << 20;

/// What a model calls.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    path: String,
    output: String,
    parameters: usize,
    flops: u64,
    activation: usize,
}

impl Layer {
    /// Its operations a sample.
    pub(super) fn operations(&self) -> u64 {
        self.flops
    }

    /// Path, output, parameters and operations a sample, for a table.
    pub(super) fn row(&self) -> [String; 4] {
        let numbers = [grouped(self.parameters as u64), grouped(self.flops)];
        let [parameters, flops] = numbers;
        [self.path.clone(), self.output.clone(), parameters, flops]
    }
}

/// The row of operators in the model's own body.
const OPERATORS: &str = "(operators)";

/// What a forward graph's model calls, in order.
pub(super) fn layers(graph: &Graph) -> Vec<Layer> {
    let Some(output) = graph.output("output") else { return Vec::new() };
    let mut needed: HashSet<NodeId> = HashSet::new();
    let mut open = vec![output];
    while let Some(node) = open.pop() {
        if needed.insert(node) {
            open.extend(&graph.nodes[node].args);
        }
    }
    let mut layers: Vec<Layer> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (id, node) in graph.nodes.iter().filter(|(id, _)| needed.contains(id)) {
        let path = node.origin.map_or("", |origin| graph.origins.get(origin).path.as_str());
        let path = match path.split('.').next().unwrap_or_default() {
            "" if node.args.is_empty() => continue,
            "" => OPERATORS,
            first => first,
        };
        let index = *known.entry(path).or_insert_with(|| {
            layers.push(Layer {
                path: path.to_owned(),
                output: String::new(),
                parameters: 0,
                flops: 0,
                activation: 0,
            });
            layers.len() - 1
        });
        let layer = &mut layers[index];
        let elements: usize = node.ty.shape.at(1).iter().product();
        if let Op::Param(_) = node.op {
            layer.parameters += elements;
            continue;
        }
        layer.flops += flops(graph, id);
        layer.output = node.ty.shape.to_string();
        layer.activation = elements * node.ty.dtype.size();
    }
    // What prepares samples, and sums between layers, say little.
    layers.retain(|layer| layer.path != OPERATORS || layer.flops > 0);
    layers
}

/// The rows and columns of images that windows do not reach, each place once.
pub(super) fn left_out(graph: &Graph, sources: &Sources) -> Vec<String> {
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

/// What `freeze` leaves as it is, if anything.
pub(super) fn frozen(graph: &Graph, training: Option<&Training>) -> Option<String> {
    let frozen = training?.rule.spared.get(FROZEN).filter(|paths| !paths.is_empty())?;
    let numbers = |param: &Param| param.ty.shape.at(0).iter().product::<usize>();
    let kept = graph.params.values().filter(|param| frozen.contains(&param.path));
    let layer = |path: &str| path.rsplit_once('.').map(|(layer, _)| layer.to_owned());
    let layers: Vec<Option<String>> = frozen.iter().map(|path| layer(path)).collect();
    let written =
        |state: StateId| graph.updates.iter().any(|update| update.target == Target::State(state));
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

/// The operations of a contraction over one sample.
fn flops(graph: &Graph, id: NodeId) -> u64 {
    let node = &graph.nodes[id];
    let extents = |node: NodeId| graph.ty(node).shape.at(1);
    let outputs = node.ty.shape.at(1).iter().product::<usize>() as u64;
    match &node.op {
        Op::MatMul { transpose_a, .. } => {
            let a = extents(node.args[0]);
            let inner = if *transpose_a { a[a.len() - 2] } else { a[a.len() - 1] };
            2 * outputs * inner as u64
        }
        Op::Conv { .. } => {
            let weight = extents(node.args[1]);
            2 * outputs * weight[..3].iter().product::<usize>() as u64
        }
        _ => 0,
    }
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
        self.push_run(&mut text);
        for note in &self.notes {
            let _ = writeln!(text, "note        {note}");
        }
        if let Some(forecast) = &self.forecast {
            forecast.push(&mut text);
        }
        text
    }

    /// The parameters one by one, as people read them; as wide as their paths.
    pub fn parameters(&self) -> String {
        parameters::table(&self.rows)
    }

    fn push_layers(&self, text: &mut String) {
        const MOST: usize = 28;
        let cut = |path: &str| -> String {
            let long = path.chars().count() > MOST;
            let kept: String = path.chars().take(if long { MOST - 1 } else { MOST }).collect();
            if long { kept + "…" } else { kept }
        };
        let names: Vec<String> = self.layers.iter().map(|layer| cut(&layer.path)).collect();
        let wide = |texts: &[String], least: usize| {
            texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(least)
        };
        let outputs: Vec<String> = self.layers.iter().map(|layer| cut(&layer.output)).collect();
        let (name, output) = (wide(&names, 5), wide(&outputs, 6));
        let _ = writeln!(
            text,
            "{:name$}  {:output$} {:>12} {:>9} {:>10}",
            "layer", "output", "parameters", "FLOP", "activation"
        );
        for ((layer, path), shape) in self.layers.iter().zip(&names).zip(&outputs) {
            let _ = writeln!(
                text,
                "{path:name$}  {shape:output$} {:>12} {:>9} {:>10}",
                grouped(layer.parameters as u64),
                short(layer.flops as f64),
                format!("{}B", short(layer.activation as f64)),
            );
        }
    }

    /// What a run takes from the machine.
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
        if let Some(forecast) = &self.forecast {
            report["time"] = forecast.json();
        }
        json!({ "report": report })
    }
}

/// A number in groups of three digits, with narrow gaps.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A number in three or four digits with a unit's prefix: `12.3 M`.
pub(super) fn short(number: f64) -> String {
    let prefixes = ["", "k", "M", "G", "T", "P"];
    let mut scaled = number;
    let mut index = 0;
    while scaled >= 1000.0 && index + 1 < prefixes.len() {
        scaled /= 1000.0;
        index += 1;
    }
    match index {
        0 => format!("{number} "),
        _ => format!("{scaled:.1} {}", prefixes[index]),
    }
}

fn megabytes(bytes: usize) -> String {
    format!("{:.0}", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_shortened() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1234567), "1 234 567");
        assert_eq!(short(12.0), "12 ");
        assert_eq!(short(389_400.0), "389.4 k");
        assert_eq!(short(2.5e9), "2.5 G");
    }
}
