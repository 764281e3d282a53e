//! What `nnc check` finds: mistakes, or the model's size and the exact memory of its steps.

use super::bench::flops;
use super::front::{Front, Schemas, source_text};
use super::repair::add_fixes;
use super::schedules::refuse_unfit;
use super::session::{Failure, Request, Session};
use crate::base::diagnostic::Diagnostic;
use crate::data;
use crate::graph::Graph;
use crate::lower::Globals;
use std::fmt::Write;

/// What a good program is.
#[derive(Debug)]
pub struct Report {
    /// What is suspicious.
    pub warnings: Vec<Diagnostic>,
    model: String,
    tensors: Vec<(String, String)>,
    parameters: usize,
    output: String,
    batch: usize,
    trained: bool,
    /// Operations of the step's contractions, two for each product and sum.
    flops: u64,
    /// Bytes of a step's memory with one thread, and of each further thread.
    memory: (usize, usize),
    /// Bytes of batches that a run prepares ahead, with one thread, and for each further thread.
    prefetch: (usize, usize),
}

/// Checks a program down to the memory plan of its step; runs and reads nothing.
pub fn check(session: &mut Session, request: &Request) -> Result<Report, Failure> {
    let front = sound(session, request)?;
    let batch = front.batch();
    let trained = front.experiment.training.is_some();
    let schema = front.source.as_ref().and_then(|source| source.schema.as_ref());
    let samples = schema.and_then(|schema| schema.train);
    if let (Some(training), Some(samples)) = (&front.experiment.training, samples) {
        refuse_unfit(session, training, training.settings.steps(samples))?;
    }
    let prefetch = |threads| match (&front.source, schema) {
        (Some(source), Some(schema)) => {
            data::prefetch_bytes(&source.request, schema, batch, threads)
        }
        _ => 0,
    };
    let prefetch = (prefetch(1), prefetch(2) - prefetch(1));
    let model = front.experiment.model.clone();
    let forward = &front.experiment.train;
    let output = forward.output("output").map(|node| forward.ty(node).to_string());
    let graph = session.training_graph(front.experiment)?;
    let kernels = session.fuse(&graph, batch)?;
    let mut globals = Globals::default();
    let lowered = session.lower(&kernels, &mut globals)?;
    let program = session.plan(lowered.program, &mut globals)?;
    let blocks = crate::runtime::program::Blocks::of(&program);
    Ok(Report {
        warnings: front.warnings,
        model,
        tensors: tensors(&graph),
        parameters: graph.parameter_count(),
        output: output.unwrap_or_default(),
        batch,
        trained,
        flops: flops(&program),
        memory: (blocks.total(1), blocks.total(2) - blocks.total(1)),
        prefetch,
    })
}

/// A program without errors, or the errors with the fixes that hold.
fn sound(session: &mut Session, request: &Request) -> Result<Front, Failure> {
    let mut schemas = Schemas::new(false);
    let (parsed, judged) = session.look(source_text(&request.file)?, request, &mut schemas)?;
    if judged.errors.is_empty() {
        return judged.front().map_err(|found| session.program_failure(found));
    }
    let mut found = judged.errors.clone();
    found.extend(judged.warnings.clone());
    add_fixes(session, request, parsed, &judged, schemas, &mut found);
    Err(session.program_failure(found))
}

fn tensors(graph: &Graph) -> Vec<(String, String)> {
    let params = graph.params.values().map(|param| (param.path.clone(), param.ty.to_string()));
    params.collect()
}

impl Report {
    /// The report as people read it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let width = self.tensors.iter().map(|(path, _)| path.chars().count()).max().unwrap_or(0);
        let _ = writeln!(text, "{} -> {}", self.model, self.output);
        for (path, ty) in &self.tensors {
            let _ = writeln!(text, "  {path:width$}  {ty}");
        }
        let (one, further) = self.memory;
        let _ = writeln!(
            text,
            "{} parameters\n{} step, batch {}: {} FLOP in contractions, {} bytes of memory (and {} \
             for each further thread)",
            self.parameters,
            if self.trained { "training" } else { "forward" },
            self.batch,
            self.flops,
            one,
            further,
        );
        if let (one @ 1.., further) = self.prefetch {
            let _ = writeln!(
                text,
                "a run prepares batches ahead in {one} bytes (and {further} for each further thread)"
            );
        }
        text
    }
}
