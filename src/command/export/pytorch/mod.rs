//! `nnc export --format pytorch`: a folder with `model.py`, an `nn.Module` that computes what the model
//! does, `model.safetensors`, its state dict in PyTorch's layouts, and `check.safetensors`, samples with the
//! outputs that nnc computed, which `python model.py` compares with its own.
//!
//! ```text
//! dense.weight f32[784, 10]        →   dense.weight [10, 784]          of an nn.Linear
//! conv.weight f32[3, 3, 1, 32]     →   conv.weight [32, 1, 3, 3]       of an nn.Conv2d
//! lstm.recurrent f32[256, 1024]    →   the same                        of what has no module
//! ```
//!
//! The module takes a sample as a compiled step does (bytes of images `[n, h, w, c]`): what the program
//! makes of them is part of it. What is flattened is flattened in the program's order, channels last.

mod expr;
mod forward;
mod modules;
mod names;
mod ops;
mod plan;

use self::modules::{TorchModule, TorchModules};
use super::ExportDestination;
use crate::base::rng::{Sequence, hash_name};
use crate::base::schema::Field;
use crate::base::tensor::{DType, Data, Tensor};
use crate::command::inference::{ReadableModel, SampleBytes};
use crate::driver::session::{Failure, Request};
use crate::graph::Graph;
use crate::pass::dce;
use crate::run::trained::Model;
use crate::runtime::pool::Pool;
use crate::runtime::weights;
use std::fmt::Write;
use std::path::PathBuf;

/// Samples of the check.
const CHECKED: usize = 4;

/// Exports a trained model, and returns the files that were written.
pub fn export_pytorch(
    request: &Request,
    model: &Model,
    to: &ExportDestination,
) -> Result<Vec<PathBuf>, Failure> {
    let exported = ReadableModel::open(request, model)?;
    let (graph, model) = (dce::run(&exported.opened.graph), &exported.opened.model);
    let modules = modules::modules(&graph);
    let sources = &exported.session.sources;
    let forward = forward::forward(&graph, &modules, sources).map_err(Failure::Data)?;
    let script = script(model, &graph, &modules, exported.reader.fields(), &forward)?;
    let turned = |(path, tensor): &(String, Tensor)| {
        let layer = path.rsplit_once('.').and_then(|(layer, _)| modules.layers.get(layer));
        (names::attribute(path), turned(path, tensor, layer))
    };
    let tensors: Vec<(String, Tensor)> = exported.variables.iter().map(turned).collect();
    let folder = to.or_named(model, "_pytorch");
    let check = check(exported)?;
    let files = [
        (folder.join("model.py"), script.into_bytes()),
        (folder.join("model.safetensors"), weights::to_bytes(&tensors).map_err(Failure::Io)?),
        (folder.join("check.safetensors"), weights::to_bytes(&check).map_err(Failure::Io)?),
    ];
    to.write_all(&files)
}

/// A tensor as PyTorch's module has it.
fn turned(path: &str, tensor: &Tensor, module: Option<&TorchModule>) -> Tensor {
    if !path.ends_with(".weight") {
        return tensor.clone();
    }
    match module {
        Some(TorchModule::Linear { .. }) => permuted(tensor, &[1, 0]),
        Some(TorchModule::Conv2d { window, .. }) => {
            // Sequences have one axis of taps.
            let taps = window.size;
            let [.., inputs, outputs] = tensor.shape[..] else { return tensor.clone() };
            let shape = vec![taps[0], taps[1], inputs, outputs];
            let image = Tensor { shape, ..tensor.clone() };
            permuted(&image, &[3, 2, 0, 1])
        }
        _ => tensor.clone(),
    }
}

/// The axes in another order.
fn permuted(tensor: &Tensor, order: &[usize]) -> Tensor {
    let values = tensor.as_f32().to_vec();
    let array = ndarray::ArrayD::from_shape_vec(tensor.shape.clone(), values)
        .expect("a tensor has as many elements as its shape says");
    let turned = array.permuted_axes(order);
    let shape = turned.shape().to_vec();
    Tensor::new(shape, Data::F32(turned.iter().copied().collect()))
}

/// Samples, drawn, and what the compiled model makes of them.
fn check(mut readable: ReadableModel) -> Result<Vec<(String, Tensor)>, Failure> {
    let fields = readable.reader.fields().to_vec();
    readable.pad_to_largest();
    let steps = readable.compile(&[CHECKED])?;
    let mut pool = Pool::new(1);
    let mut memory = steps.memory(&mut pool);
    // Where an index of a kind that nothing describes is out of range, the first is tried.
    for most in [usize::MAX, 2, 1] {
        let samples: Vec<Vec<Vec<u8>>> = (0..CHECKED)
            .map(|sample| fields.iter().map(|field| drawn(field, sample, most)).collect())
            .collect();
        let bytes: Vec<SampleBytes> = samples.iter().cloned().map(Ok).collect();
        let outputs: Result<Vec<Vec<Vec<f32>>>, String> =
            steps.outputs_of(&bytes, &mut memory, &mut pool).into_iter().collect();
        let Ok(outputs) = outputs else { continue };
        let input = |(place, field): (usize, &Field)| {
            let shape = [&[CHECKED], &field.shape[..]].concat();
            let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample[place].clone()).collect();
            (format!("input.{}", field.name), Tensor::from_bytes(field.dtype, shape, &bytes))
        };
        let mut tensors: Vec<(String, Tensor)> = fields.iter().enumerate().map(input).collect();
        for (place, output) in readable.outputs.iter().enumerate() {
            let shape = [&[CHECKED], &output.shape[..]].concat();
            let values = outputs.iter().flat_map(|sample| sample[place].clone()).collect();
            tensors.push((format!("output.{}", output.name), Tensor::f32(shape, values)));
        }
        return Ok(tensors);
    }
    let message = "the model takes an index that no sample of zeros has, so nothing can be checked";
    Err(Failure::Data(message.to_owned()))
}

/// The bytes of a field in a drawn sample: any bytes and numbers, indices of what is known, below `most`.
fn drawn(field: &Field, sample: usize, most: usize) -> Vec<u8> {
    let mut random = Sequence::new(sample as u64, hash_name(&field.name));
    let known = field.as_class().and_then(|class| class.count);
    let below = known.unwrap_or(2).min(most).max(1) as u32;
    let bytes_below = if most == usize::MAX { 256 } else { below.min(256) };
    let count: usize = field.shape.iter().product();
    let mut bytes = Vec::with_capacity(field.bytes());
    for _ in 0..count {
        match field.dtype {
            DType::F32 => bytes.extend((2.0 * random.unit() as f32 - 1.0).to_ne_bytes()),
            DType::F64 => bytes.extend((2.0 * random.unit() - 1.0).to_ne_bytes()),
            DType::I32 => bytes.extend((random.below(below) as i32).to_ne_bytes()),
            DType::U8 => bytes.push(random.below(bytes_below) as u8),
            DType::Bool => bytes.push(random.below(2) as u8),
        }
    }
    bytes
}

/// The text of `model.py`.
fn script(
    model: &str,
    graph: &Graph,
    modules: &TorchModules,
    fields: &[Field],
    forward: &forward::ForwardLines,
) -> Result<String, Failure> {
    let class = names::class(model);
    let mut text = String::new();
    let args: Vec<String> = fields.iter().map(|field| names::identifier(&field.name)).collect();
    let Some(first) = args.first() else {
        return Err(Failure::Data("the model reads no input".to_owned()));
    };
    let takes: Vec<String> = fields
        .iter()
        .zip(&args)
        .map(|(field, arg)| {
            let extents: String = field.shape.iter().map(|extent| format!(", {extent}")).collect();
            format!(
                "    {arg}: {}[n{extents}]",
                ops::dtype(field.dtype).trim_start_matches("torch.")
            )
        })
        .collect();
    let head =
        HEAD.replace("CLASS", &class).replace("MODEL", model).replace("TAKES", &takes.join("\n"));
    text.push_str(&head);
    let mut line = |indent: usize, line: &str| {
        let _ = writeln!(text, "{}{line}", "    ".repeat(if line.is_empty() { 0 } else { indent }));
    };
    line(0, "");
    line(0, "");
    line(0, &format!("class {class}(nn.Module):"));
    let inputs = fields.iter().map(|field| format!("{:?},", field.name)).collect::<Vec<_>>();
    line(1, &format!("inputs = ({})", inputs.join(" ")));
    line(0, "");
    line(1, "def __init__(self):");
    line(2, "super().__init__()");
    declarations(graph, modules).iter().for_each(|declared| line(2, declared));
    line(0, "");
    line(1, &format!("def forward(self, {}):", args.join(", ")));
    line(2, &format!("n = {first}.shape[0]"));
    if forward::names_device(forward) {
        line(2, &format!("device = {first}.device"));
    }
    forward.lines.iter().for_each(|it| line(2, it));
    line(2, &format!("return {}", forward.result));
    text.push_str(&TAIL.replace("CLASS", &class));
    Ok(text)
}

/// The statements that make modules, parameters and buffers, those that hold others first.
fn declarations(graph: &Graph, modules: &TorchModules) -> Vec<String> {
    let mut lines = Vec::new();
    let mut made: Vec<String> = Vec::new();
    let is_param = |path: &str| graph.params.values().any(|param| param.path == path);
    for (path, ty, _) in graph.variables() {
        let parts: Vec<&str> = path.split('.').collect();
        let layers = (1..parts.len()).map(|count| parts[..count].join("."));
        let mut is_module = false;
        for layer in layers {
            let module = modules.layers.get(&layer);
            is_module |= module.is_some();
            if !made.contains(&layer) {
                let made_of = module.map_or("Layer()".to_owned(), constructor);
                lines.push(format!("self.{} = {made_of}", names::attribute(&layer)));
                made.push(layer);
            }
        }
        if is_module {
            continue;
        }
        let attribute = names::attribute(path);
        let extents = expr::list(ty.shape.at(1));
        let empty =
            format!("torch.empty(({extents}{}))", if ty.shape.rank() == 1 { "," } else { "" });
        lines.push(match (is_param(path), attribute.rsplit_once('.')) {
            (true, _) => format!("self.{attribute} = nn.Parameter({empty})"),
            (false, Some((layer, name))) => {
                format!("self.{layer}.register_buffer({name:?}, {empty})")
            }
            (false, None) => format!("self.register_buffer({attribute:?}, {empty})"),
        });
    }
    lines
}

/// The call that makes a module.
fn constructor(module: &TorchModule) -> String {
    let without = |bias: &bool| if *bias { "" } else { ", bias=False" };
    match module {
        TorchModule::Linear { inputs, outputs, bias } => {
            format!("nn.Linear({inputs}, {outputs}{})", without(bias))
        }
        TorchModule::Conv2d { inputs, outputs, window, groups, bias } => {
            let pad = [window.pad[0].0, window.pad[1].0];
            let more = ops::window_arguments(&[
                ("stride", window.stride, [1, 1]),
                ("padding", pad, [0, 0]),
                ("dilation", window.dilation, [1, 1]),
            ]);
            let (size, groups) = (expr::list(window.size), ops::groups_argument(*groups));
            format!("nn.Conv2d({inputs}, {outputs}, ({size}){more}{groups}{})", without(bias))
        }
        TorchModule::Embedding { rows, columns } => format!("nn.Embedding({rows}, {columns})"),
        TorchModule::LayerNorm { extent, eps } => {
            format!("nn.LayerNorm({extent}, eps={})", expr::number(*eps))
        }
        TorchModule::BatchNorm { channels, eps, rank } => {
            let axes = if *rank == 4 { 2 } else { 1 };
            format!("nn.BatchNorm{axes}d({channels}, eps={})", expr::number(*eps))
        }
    }
}

const HEAD: &str = r#""""MODEL, exported by nnc: an nn.Module, and a check that it computes what nnc does.

    from model import load
    model = load()
    outputs = model(...)

It is the model of inference: no dropout, and batch norms with their running statistics. It takes

TAKES

as a compiled step does; what the program makes of them is part of it. Images are [n, h, w, c].
`python model.py` compares its outputs with those in check.safetensors.
"""

import math
import os

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

FOLDER = os.path.dirname(os.path.abspath(__file__))


class Layer(nn.Module):
    """A layer whose tensors are used as they are, or that holds other layers."""


def nchw(x):
    """A view of images with the channels first."""
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    """A view of images with the channels last."""
    return x.permute(0, 2, 3, 1)
"#;

const TAIL: &str = r#"

def load(path=os.path.join(FOLDER, "model.safetensors")):
    """The model with its trained weights, ready to be asked."""
    model = CLASS()
    model.load_state_dict(load_file(path))
    return model.eval()


def main():
    check = load_file(os.path.join(FOLDER, "check.safetensors"))
    inputs = [check["input." + name] for name in CLASS.inputs]
    with torch.no_grad():
        outputs = load()(*inputs)
    if not isinstance(outputs, dict):
        outputs = {"output": outputs}
    wanted = {name.removeprefix("output."): it for name, it in check.items() if name.startswith("output.")}
    if len(wanted) == 1:
        outputs = dict(zip(wanted, outputs.values()))
    for name, want in wanted.items():
        difference = (outputs[name] - want).abs().max().item()
        allowed = 1e-5 + 1e-4 * want.abs().max().item()
        print(f"{name}: {tuple(want.shape)}, largest difference {difference:.2e}, allowed {allowed:.2e}")
        if not difference <= allowed:
            raise SystemExit(f"{name} differs from what nnc computes")


if __name__ == "__main__":
    main()
"#;
