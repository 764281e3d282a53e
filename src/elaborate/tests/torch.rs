//! PyTorch's numbers: outputs and losses of whole models, by the graph's interpreter.
//!
//! `tests/golden/torch/NAME.nn` with the tensors of `NAME.safetensors` beside it; every tensor is
//! held to |got - want| ≤ 1e-5 + 1e-4 · max|want|.

use super::support::good;
use crate::base::tensor::{Data, Tensor};
use crate::elaborate::Experiment;
use crate::graph::interp::{Env, StepOutcome, run};
use safetensors::{Dtype, SafeTensors};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/torch")
}

/// The tensor of that name.
fn tensor(file: &SafeTensors<'_>, name: &str) -> Tensor {
    let view = file.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let words = view.data().chunks_exact(4).map(|word| [word[0], word[1], word[2], word[3]]);
    let data = match view.dtype() {
        Dtype::F32 => Data::F32(words.map(f32::from_le_bytes).collect()),
        Dtype::I32 => Data::I32(words.map(i32::from_le_bytes).collect()),
        other => panic!("{name} is {other:?}"),
    };
    Tensor::new(view.shape().to_vec(), data)
}

fn forward(found: &Experiment, file: &SafeTensors<'_>) -> StepOutcome {
    let graph = &found.train;
    let mut env = Env::initial(graph, 0);
    for input in graph.inputs.values() {
        env = env.with(&input.name, tensor(file, &format!("input.{}", input.name)));
    }
    env.params =
        graph.params.values().map(|p| tensor(file, &format!("param.{}", p.path))).collect();
    let batch = env.inputs["label"].shape[0];
    run(graph, batch, &env).expect("the graph runs")
}

fn close(case: &str, name: &str, got: &Tensor, want: &Tensor) {
    assert_eq!(got.shape, want.shape, "{case}: {name}");
    let (Data::F32(got), Data::F32(want)) = (&got.data, &want.data) else {
        panic!("{case}: {name} is not f32");
    };
    let most = want.iter().fold(0f32, |most, value| most.max(value.abs()));
    for (got, want) in got.iter().zip(want) {
        let allowed = 1e-5 + 1e-4 * most;
        assert!((got - want).abs() <= allowed, "{case}: {name}: {got} for {want}");
    }
}

#[test]
fn outputs_and_losses_are_pytorchs() {
    let mut cases = 0;
    for entry in std::fs::read_dir(folder()).expect("the folder exists") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "nn") {
            continue;
        }
        let case = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let found = good(&std::fs::read_to_string(&path).expect("a program"));
        let bytes = std::fs::read(path.with_extension("safetensors")).expect("its tensors");
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let paths = |graph: &crate::graph::Graph| graph.params.len();
        let stored = file.names().into_iter().filter(|name| name.starts_with("param.")).count();
        assert_eq!(paths(&found.train), stored, "{case}: parameters");
        let outcome = forward(&found, &file);
        for name in ["output", "loss"] {
            close(&case, name, &outcome.outputs[name], &tensor(&file, &format!("expect.{name}")));
        }
        cases += 1;
    }
    assert!(cases >= 15, "{cases} cases");
}
