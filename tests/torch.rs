//! PyTorch's numbers: outputs, losses, gradients and optimiser steps of the models in
//! `tests/golden/torch`, in every engine.
//!
//! `NAME.nn` is a model, `NAME.safetensors` what PyTorch computes for it in `f64`, stored as
//! `f32`: `input.*`, `param.*` and `state.*` are what it is given; of what is expected,
//! `expect.grad.param.PATH` is the gradient of a parameter, `expect.state.PATH` a layer's state
//! after one step, `expect.steps20.param.PATH` a parameter after twenty steps on the same batch.
//! A tensor is right where `|got − want| ≤ 1e-5 + 1e-4 · max|want|`.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nnc::base::tensor::{DType, Tensor};
use safetensors::{Dtype, SafeTensors};
use support::compare::mismatch;
use support::engines::{Engine, Job, Left, Tensors};
use support::pipeline::{experiment, training_with_gradients};

/// The steps of `expect.steps20`.
const STEPS: u64 = 20;

/// The cases that must be there.
const CASES: [&str; 56] = [
    "act_elu",
    "act_gelu",
    "act_sigmoid",
    "act_silu",
    "act_softplus",
    "act_tanh",
    "attention",
    "attention_causal",
    "attention_cross",
    "attention_padded",
    "attention_self",
    "avg_pool2",
    "batch_norm",
    "broadcast",
    "conv_1ch",
    "conv_1x1",
    "conv_1x1_s2",
    "conv_5x3",
    "conv_depthwise",
    "conv_dilated",
    "conv_groups",
    "conv_pad1",
    "conv_same",
    "conv_same_k4",
    "conv_same_s2",
    "conv_stride2",
    "conv_transpose_1d",
    "conv_transpose_k2s2",
    "conv_transpose_k3s1",
    "conv_transpose_k3s2",
    "conv_valid",
    "gates",
    "global_avg",
    "gpt",
    "gru_last",
    "layer_norm",
    "lenet",
    "loss_focal",
    "lstm_both",
    "lstm_last",
    "lstm_stack",
    "max_pool2",
    "max_pool2_odd",
    "max_pool3s2",
    "mlp",
    "optim_adam",
    "optim_rmsprop",
    "optim_sgd",
    "optim_sgd_momentum",
    "pixels",
    "positions",
    "positions_ignored",
    "residual",
    "upsample_bilinear",
    "upsample_nearest",
    "wavenet",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/torch")
}

/// The tensors of a file by name.
fn read(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let tensor = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::I32 => DType::I32,
            other => panic!("{name} is {other:?}"),
        };
        (name, Tensor::from_bytes(dtype, view.shape(), view.data()))
    };
    file.tensors().into_iter().map(tensor).collect()
}

/// The tensors whose names begin so, under the rest of their names.
fn part(tensors: &Tensors, prefix: &str) -> Tensors {
    let named = tensors.iter().filter_map(|(name, tensor)| {
        Some((name.strip_prefix(prefix)?.to_string(), tensor.clone()))
    });
    named.collect()
}

/// The model of a case, on the tensors of its file.
fn job(text: &str, tensors: &Tensors) -> Job {
    let inputs = part(tensors, "input.");
    let given = part(tensors, "param.").into_iter().chain(part(tensors, "state."));
    let graph = training_with_gradients(&experiment(text, Vec::new()));
    let paths: Vec<&String> = graph.params.values().map(|param| &param.path).collect();
    let given: Tensors = given.collect();
    for path in paths {
        assert!(given.contains_key(path), "PyTorch has no `{path}`");
    }
    let batch = inputs["label"].shape[0];
    Job { graph, batch, seed: 0, given, inputs: Box::new(move |_| inputs.clone()) }
}

/// Compares what is expected with what one step left, and with what twenty did.
fn complaints(tensors: &Tensors, one: &Left, twenty: Option<&Left>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, want) in part(tensors, "expect.") {
        let got = if let Some(path) = name.strip_prefix("grad.param.") {
            one.outputs.get(&format!("grad.{path}"))
        } else if let Some(path) = name.strip_prefix("steps20.param.") {
            twenty.and_then(|left| left.kept.get(path))
        } else if let Some(path) = name.strip_prefix("state.") {
            one.kept.get(path)
        } else {
            one.outputs.get(&name)
        };
        let complaint = match got {
            Some(got) => mismatch(got, want.as_f32()),
            None => Some("there is no such value".to_string()),
        };
        complaints.extend(complaint.map(|complaint| format!("{name}: {complaint}")));
    }
    complaints
}

/// Runs one case in one engine.
fn check(case: &str, engine: Engine) -> Result<(), String> {
    let path = folder().join(case);
    let text = std::fs::read_to_string(path.with_extension("nn")).expect("the model");
    let tensors = read(&path.with_extension("safetensors"));
    let job = job(&text, &tensors);
    let one = engine.run(&job, 1);
    let trained = tensors.keys().any(|name| name.starts_with("expect.steps20."));
    let twenty = trained.then(|| engine.run(&job, STEPS));
    let complaints = complaints(&tensors, &one, twenty.as_ref());
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(format!("{case}, {}:\n  {}\n", engine.name(), complaints.join("\n  ")))
    }
}

#[test]
fn every_case_in_every_engine() {
    let wrong: String = CASES
        .iter()
        .flat_map(|case| Engine::all().into_iter().filter_map(|engine| check(case, engine).err()))
        .collect();
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_file_belongs_to_a_case() {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder()).expect("the folder") {
        let path = entry.expect("an entry").path();
        let part = |part: Option<&std::ffi::OsStr>| part.unwrap().to_string_lossy().into_owned();
        found.entry(part(path.file_stem())).or_default().push(part(path.extension()));
    }
    for extensions in found.values_mut() {
        extensions.sort();
        assert_eq!(*extensions, ["nn", "safetensors"]);
    }
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), CASES);
}

/// The comparison itself: a case with one number changed fails, and says which.
#[test]
fn a_wrong_number_is_found() {
    let tensors = read(&folder().join("mlp.safetensors"));
    let text = std::fs::read_to_string(folder().join("mlp.nn")).unwrap();
    let mut left = Engine::Graph.run(&job(&text, &tensors), 1);
    assert_eq!(complaints(&tensors, &left, None), [""; 0]);
    let grad = left.outputs.get_mut("grad.dense.weight").unwrap();
    grad[7] += 1e-3;
    let found = complaints(&tensors, &left, None);
    assert!(found.len() == 1 && found[0].starts_with("grad.param.dense.weight: element 7 is "));
    left.outputs.get_mut("grad.dense.weight").unwrap()[7] = f32::NAN;
    left.outputs.remove("output");
    assert_eq!(complaints(&tensors, &left, None).len(), 2);
}
