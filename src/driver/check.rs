//! What `nnc check` finds: mistakes, or the model's size and the exact memory of its steps.

use super::bench::flops;
use super::front::{Front, Schemas};
use super::repair::add_fixes;
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

/// Everything that is found in a program, with the fixes that hold.
pub(super) fn findings(
    session: &mut Session,
    request: &Request,
) -> Result<Vec<Diagnostic>, Failure> {
    match sound(session, request) {
        Ok(front) => Ok(front.warnings),
        Err(Failure::Program { diagnostics, .. }) => Ok(diagnostics),
        Err(failure) => Err(failure),
    }
}

/// A program without errors, or the errors with the fixes that hold.
fn sound(session: &mut Session, request: &Request) -> Result<Front, Failure> {
    let mut schemas = Schemas::as_written();
    let text = session.main_text(request)?;
    let (parsed, mut judged) = session.look(text, request, &mut schemas)?;
    let mut found = judged.errors.clone();
    found.extend(judged.warnings.clone());
    add_fixes(session, request, parsed, &judged, schemas, &mut found);
    if judged.errors.is_empty() {
        judged.warnings = found;
        return judged.front().map_err(|found| session.program_failure(found));
    }
    Err(session.program_failure(found))
}

fn tensors(graph: &Graph) -> Vec<(String, String)> {
    let params = graph.params.values().map(|param| (param.path.clone(), param.ty.to_string()));
    params.collect()
}

impl Report {
    /// The report as one JSON object.
    pub fn json(&self) -> String {
        serde_json::json!({ "report": { "model": self.model } }).to_string()
    }

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
