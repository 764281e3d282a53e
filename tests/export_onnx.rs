//! `nnc export --format onnx`: every model of `models` and `examples`, and small ones for each pattern.
//!
//! Graphs are exported with first values as weights. What is in a file is checked here; `onnx.checker` and
//! onnxruntime see it where `NNC_PYTHON`, else `python3`, has them: outputs then agree with nnc's within
//! `1e-5 + 1e-4 · max`, for one sample and for three. `NNC_REQUIRE_ONNX=1` fails where they are missing.
//! `NNC_ONNX_MODELS=vgg16,resnet50` takes these models instead.

#[path = "export_onnx/command.rs"]
mod command;
#[path = "export_onnx/patterns.rs"]
mod patterns;
#[path = "export_onnx/runtime.rs"]
mod runtime;
mod support;

use nnc::graph::{self, Graph};
use runtime::{Exported, Suite};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Models that take too long for every run of the tests.
const LARGE: &[&str] = &["gpt2_small", "vgg16", "alexnet", "resnet18", "resnet50", "vit_small"];

/// The graph of evaluation of a program; none where its data are not there.
fn graph(program: &Path) -> Option<Graph> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
    command.arg("emit-ir").arg(program).args(["--stage", "graph", "--eval"]);
    let output = command.output().expect("nnc runs");
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        eprintln!("passed over: {} ({})", program.display(), said.lines().next().unwrap_or(""));
        return None;
    }
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    Some(inference(graph::read(&text).expect("nnc's own text")))
}

/// The graph with the outputs of its model alone.
fn inference(mut graph: Graph) -> Graph {
    graph.outputs.retain(|output| output.name.model_name().is_some());
    graph.updates.clear();
    graph
}

fn programs() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["models", "examples"].into_iter().flat_map(|folder| {
        let entries = std::fs::read_dir(root.join(folder)).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path())
    });
    let programs = files.filter(|path| path.extension().is_some_and(|it| it == "nn"));
    let name = |path: &PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    programs.map(|path| (name(&path), path)).collect()
}

#[test]
fn models_and_examples_run_in_onnxruntime() {
    let chosen = std::env::var("NNC_ONNX_MODELS").ok();
    let wanted = |name: &str| match &chosen {
        Some(chosen) => chosen.split(',').any(|it| it == name),
        None => !LARGE.contains(&name),
    };
    let mut suite = Suite::new();
    for (name, program) in programs().into_iter().filter(|(name, _)| wanted(name)) {
        let Some(graph) = graph(&program) else { continue };
        suite.add(&name, &Exported::of(graph));
    }
    suite.check();
}
