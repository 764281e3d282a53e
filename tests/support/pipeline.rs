//! From source text to kernels and loops, by the driver's own pipeline; what passes make is verified.
//! Batches are not checked, so that steps can be made that divide by zero.

#![allow(dead_code)] // Each test crate uses its own part.

use nnc::base::schema::{Field, Schema};
use nnc::base::source::Sources;
use nnc::driver::Session;
use nnc::elaborate::{self, ElaborateOptions, Experiment, PRELUDE, PRELUDE_NAME};
use nnc::graph::kernels::Kernels;
use nnc::graph::{Graph, verify};
use nnc::lower::Lowered;
use nnc::pass::{Fusion, Gradients, PIPELINE, Pass, TrainingStep};
use nnc::schedule::Globals;
use nnc::syntax::ast::File;
use nnc::syntax::parse;
use std::sync::OnceLock;

/// The MNIST schema.
pub fn mnist() -> Schema {
    Schema::of(vec![Field::image("image", &[28, 28, 1]), Field::class("label", Some(10))])
        .counted([60_000, 0, 10_000])
}

/// A program's meaning; `schemas` are those of its `data` items.
pub fn experiment(text: &str, schemas: Vec<(String, Schema)>) -> Experiment {
    try_experiment(text, schemas).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// The same, or what is wrong with the program.
pub fn try_experiment(text: &str, schemas: Vec<(String, Schema)>) -> Result<Experiment, String> {
    // Always the first source, so that its places are the same ones.
    static PARSED: OnceLock<File> = OnceLock::new();
    let mut sources = Sources::new();
    let prelude = sources.add_builtin(PRELUDE_NAME, PRELUDE);
    let prelude = PARSED.get_or_init(|| parse(&sources, prelude).expect("the prelude parses"));
    let file = sources.add("test.nn", text);
    let files = [parse(&sources, file).map_err(|errors| format!("{errors:?}"))?];
    let program = elaborate::ProgramFiles { files: &files, prelude };
    elaborate::elaborate(&program, &ElaborateOptions { schemas, ..ElaborateOptions::default() })
        .map_err(|errors| format!("{errors:?}"))
}

/// The training step's graph, before `bind`.
pub fn training(experiment: &Experiment) -> Graph {
    training_step(experiment, Gradients::Applied)
}

/// The same with all gradients kept as outputs, those of the inputs too.
pub fn training_with_gradients(experiment: &Experiment) -> Graph {
    training_step(experiment, Gradients::Shown)
}

fn training_step(experiment: &Experiment, gradients: Gradients) -> Graph {
    let rule = experiment.training.as_ref().expect("a train block").rule.clone();
    after(PIPELINE.train, &experiment.train, &TrainingStep { rule, gradients })
}

/// A graph after some passes.
pub fn after<Given>(passes: &[Pass<Given>], graph: &Graph, given: &Given) -> Graph {
    passes.iter().fold(graph.clone(), |graph, pass| {
        let made = (pass.run)(&graph, given);
        assert_eq!(verify(&made), Ok(()), "after {}:\n{made}", pass.name);
        made
    })
}

/// The small graph of a step for a number of samples.
pub fn optimised(graph: &Graph, batch: usize) -> Graph {
    after(PIPELINE.step, graph, &batch)
}

/// A graph's kernels and loops, their memory planned.
pub fn lowered(graph: &Graph, batch: usize, globals: &mut Globals) -> (Kernels, Lowered) {
    planned(graph, batch, Fusion::Full, globals)
}

/// The same with a kernel for each operator.
pub fn lowered_apart(graph: &Graph, batch: usize, globals: &mut Globals) -> (Kernels, Lowered) {
    planned(graph, batch, Fusion::Off, globals)
}

fn planned(
    graph: &Graph,
    batch: usize,
    fusion: Fusion,
    globals: &mut Globals,
) -> (Kernels, Lowered) {
    let kernels = (PIPELINE.kernels.run)(&optimised(graph, batch), &fusion);
    let mut session = Session::new(None);
    let mut lowered = session.lower(&kernels, globals).expect("sound loops");
    lowered.program = session.plan(lowered.program, globals).expect("a sound plan").into_program();
    (kernels, lowered)
}
