//! `nnc export --format pytorch`: each model's module computes what nnc does, on samples that were drawn and
//! on real ones; its state dict has PyTorch's names and layouts.
//!
//! It needs a Python with `torch` and `safetensors`: `NNC_PYTHON`, else `python3`. Where there is none the
//! tests that run modules say so and pass, unless `NNC_REQUIRE_TORCH` is set.

#[path = "support/folder.rs"]
mod folder;
#[path = "support/python.rs"]
mod python;

use folder::Folder;
use safetensors::SafeTensors;
use std::process::Command;

/// The Python, if it has what modules need.
fn torch() -> Option<String> {
    python::python("torch, safetensors.torch", "torch", "NNC_REQUIRE_TORCH")
}

/// Runs a script in a folder; what it prints.
#[track_caller]
fn run(folder: &Folder, python: &str, args: &[&str]) -> String {
    let output = Command::new(python).args(args).current_dir(folder.0.path()).output();
    let output = output.expect("python runs");
    let [out, error] =
        [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    assert!(output.status.success(), "{args:?}: {out}{error}");
    out
}

const DIGITS: &str = "data digits_ = digits(train: 96, test: 32, validation: 0.1)\n";
const TRAIN: &str =
    "{ loss = cross_entropy\n optimizer = adam(lr: 3e-3)\n epochs = 1\n batch = 16 }\n";

/// A model of digits with this body.
fn image_model(items: &str, body: &str) -> String {
    format!(
        "{DIGITS}{items}\nmodel net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{\n{body}\n}}\n\
         train net on digits_ {TRAIN}"
    )
}

/// A model of texts with this body, 16 characters of 24 kinds.
fn text_model(items: &str, body: &str) -> String {
    format!(
        "data rhyme = text(\"rhyme.txt\", tokens: chars, window: 12, stride: 6)\n{items}\n\
         model net(tokens: i32[N, 12]) -> f32[N, 12, 24] {{\n{body}\n}}\ntrain net on rhyme {TRAIN}"
    )
}

fn trained(program: &str) -> Folder {
    let rhyme = "one two buckle my shoe\nthree four knock at the door\n".repeat(12);
    let folder = Folder::new(&[("net.nn", program.as_bytes()), ("rhyme.txt", rhyme.as_bytes())]);
    folder.good(&["run", "net.nn", "--out", "run", "--quiet"]);
    folder
}

/// A model by name: its program, and words that its module has.
type Exported = (&'static str, String, &'static [&'static str]);

fn models() -> Vec<Exported> {
    image_models().into_iter().chain(text_models()).collect()
}

fn image_models() -> Vec<Exported> {
    let block = "layer block(x: f32[N, H, W, C], filters: int) -> f32[N, Y, X, filters] {
        let y = x |> conv(filters, 3, stride: 2, pad: 1, bias: false) |> batch_norm |> relu
        let z = y |> conv(filters, 3, pad: 1, bias: false) |> batch_norm
        relu(z + (x |> conv(filters, 1, stride: 2, bias: false)))
    }";
    vec![
        (
            "mlp",
            image_model("", "image |> flatten |> dense(24) |> tanh |> dense(10)"),
            &["nn.Linear(784, 24)", "flatten(1)"],
        ),
        (
            "cnn",
            image_model(
                "",
                "image |> conv(6, 5, pad: same) |> relu |> max_pool(2) |> depthwise_conv(3) |> gelu\n\
                |> avg_pool(2) |> conv(8, 3, stride: 2, pad: same) |> group_norm(groups: 2) |> silu |> flatten |> dense(10)",
            ),
            &["nn.Conv2d(1, 6, (5, 5), padding=(2, 2))", "groups=6", "F.gelu", "avg_pool2d"],
        ),
        (
            "residual",
            image_model(block, "image |> block(4) |> block(8) |> global_avg_pool |> dense(10)"),
            &["nn.BatchNorm2d(4", "self.block = Layer()", "self.block_2.conv_2", "stride=(2, 2)"],
        ),
        (
            "upsampling",
            image_model(
                "",
                "image |> conv(4, 3, stride: 2, pad: 1) |> relu |> conv_transpose(3, 4, stride: 2, pad: 1)\n\
                |> max_pool(3, stride: 2, pad: 1) |> flatten |> dense(10)",
            ),
            &["conv_transpose2d", "max_pool2d"],
        ),
        (
            "shared weights",
            image_model(
                "",
                "let a = image[:, :14] |> flatten |> dense(16) as half\n\
                 let b = image[:, 14:] |> flatten |> half\n concat([a, b, a * b]) |> relu |> dense(10)",
            ),
            &["torch.cat"],
        ),
    ]
}

fn text_models() -> Vec<Exported> {
    let encoder = "layer encoder(x: f32[N, T, D]) -> f32[N, T, D] {
        let y = x + (x |> layer_norm |> attention(4, causal: true))
        y + (y |> layer_norm |> dense(2 * D) |> gelu |> dense(D))
    }";
    vec![
        (
            "transformer",
            text_model(
                encoder,
                "tokens |> embedding(24, 16) |> positions |> repeat 2 { encoder } |> layer_norm |> dense(24)",
            ),
            &[
                "nn.Embedding(24, 16)",
                "nn.LayerNorm(16",
                "softmax(dim=3)",
                "self.encoder_2.attention.qkv",
            ],
        ),
        (
            "lstm",
            text_model(
                "",
                "tokens |> embedding(24, 16) |> lstm(12) |> gru(12, reverse: true) |> dense(24)",
            ),
            &["for ", "torch.stack", "reversed(range(12))"],
        ),
        (
            "sequence convolutions",
            text_model(
                "",
                "tokens |> embedding(24, 16) |> conv(8, 3, pad: same) |> batch_norm |> relu |> rotary |> rms_norm\n |> dense(24)",
            ),
            &["nn.Conv2d(16, 8, (1, 3)", "nn.BatchNorm1d(8"],
        ),
    ]
}

#[test]
fn modules_compute_what_the_model_does() {
    let Some(python) = torch() else { return };
    let all = Folder::new(&[]);
    for (name, program, words) in models() {
        let folder = trained(&program);
        let out = all.path(name);
        let out = out.to_str().expect("a path");
        folder.good(&["export", "run", "--format", "pytorch", "-o", out]);
        let script = std::fs::read_to_string(format!("{out}/model.py")).expect("a script");
        for word in words {
            assert!(script.contains(word), "{name}: no `{word}` in\n{script}");
        }
    }
    // One Python for all: loading torch takes seconds.
    let script = "import os, runpy
for name in sorted(os.listdir('.')):
    print(name, flush=True)
    runpy.run_path(name + '/model.py', run_name='__main__')
";
    let said = run(&all, &python, &["-c", script]);
    assert_eq!(said.matches("largest difference").count(), models().len(), "{said}");
}

#[test]
fn a_module_answers_real_samples_as_predict_does() {
    let Some(python) = torch() else { return };
    let (_, program, _) = models().remove(1);
    let folder = trained(&program);
    folder.good(&["export", "run", "--format", "pytorch", "-o", "out"]);
    let pixel = |at: usize| ((at * 7) % 256).to_string();
    let rows: String = (0..5)
        .map(|row| (0..784).map(|at| pixel(at + row * 100)).collect::<Vec<_>>().join(",") + "\n")
        .collect();
    folder.write("rows.csv", rows.as_bytes());
    folder.good(&["predict", "run", "rows.csv", "--raw", "raw.safetensors"]);
    let script = "import sys; sys.path.insert(0, 'out')
import torch
from model import load
from safetensors.torch import load_file
rows = [[int(cell) for cell in line.split(',')] for line in open('rows.csv')]
images = torch.tensor(rows, dtype=torch.uint8).reshape(-1, 28, 28, 1)
want = load_file('raw.safetensors')['output']
model = load()
with torch.no_grad():
    out = model(images)
    again = model(images[:1])
assert out.shape == want.shape, out.shape
assert (out - want).abs().max() <= 1e-5 + 1e-4 * want.abs().max(), (out, want)
assert (again - want[:1]).abs().max() <= 1e-5 + 1e-4 * want.abs().max(), 'another batch'
torch.nn.functional.cross_entropy(model(images), torch.zeros(5, dtype=torch.long)).backward()
assert all(it.grad is not None for it in model.parameters()), 'it can be trained'
print('as predicted')
";
    assert_eq!(run(&folder, &python, &["-c", script]), "as predicted\n");
}

/// Without Python: files, names, layouts, refusals.
#[test]
fn a_state_dict_has_pytorchs_layouts_and_comes_back() {
    let program =
        image_model("", "image |> conv(6, 5, stride: 2) |> relu |> global_avg_pool |> dense(10)");
    let folder = trained(&program);
    let said = folder.nnc(&["export", "run", "--format", "pytorch"]);
    assert!(said.status.success());
    let names = ["model.py", "model.safetensors", "check.safetensors"];
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    for name in names {
        assert!(said.contains(name) && folder.path("net_pytorch").join(name).is_file(), "{said}");
    }
    let bytes = |path: &str| std::fs::read(folder.path(path)).expect("a file");
    let (theirs, ours) = (bytes("net_pytorch/model.safetensors"), bytes("run/best.safetensors"));
    let theirs = SafeTensors::deserialize(&theirs).expect("tensors");
    let ours = SafeTensors::deserialize(&ours).expect("tensors");
    let values = |file: &SafeTensors<'_>, name: &str| -> (Vec<usize>, Vec<f32>) {
        let view = file.tensor(name).expect("a tensor");
        let bytes = view.data().as_chunks::<4>().0.iter();
        (view.shape().to_vec(), bytes.map(|it| f32::from_le_bytes(*it)).collect())
    };
    let (shape, turned) = values(&theirs, "conv.weight");
    assert_eq!(shape, [6, 1, 5, 5]);
    let (_, own) = values(&ours, "conv.weight");
    for (out, y, x) in [(0, 0, 0), (5, 4, 3), (2, 1, 4)] {
        assert_eq!(turned[(out * 5 + y) * 5 + x], own[(y * 5 + x) * 6 + out]);
    }
    assert_eq!(values(&theirs, "dense.weight").0, [10, 6]);
    // It comes back by the layout that is read.
    let begins = "init_from = weights(\"net_pytorch/model.safetensors\", layout: pytorch)";
    let still = program.replace("adam(lr: 3e-3)", &format!("sgd(lr: 0.0)\n {begins}"));
    folder.write("again.nn", still.as_bytes());
    folder.good(&["run", "again.nn", "--out", "again", "--quiet"]);
    let again = bytes("again/last.safetensors");
    let again = SafeTensors::deserialize(&again).expect("tensors");
    for name in ["conv.weight", "conv.bias", "dense.weight", "dense.bias"] {
        assert_eq!(values(&again, name), values(&ours, name), "{name}");
    }
}

#[test]
fn what_is_there_and_what_pytorch_has_not_are_refused() {
    let folder = trained(&image_model("", "image |> flatten |> dense(10)"));
    let export = ["export", "run", "--format", "pytorch", "-o", "out"];
    folder.good(&export);
    folder.write("out/model.py", b"mine");
    let error = String::from_utf8_lossy(&folder.nnc(&export).stderr).into_owned();
    assert!(error.contains("out/model.py is there already; --force"), "{error}");
    assert_eq!(std::fs::read(folder.path("out/model.py")).expect("a file"), b"mine");
    folder.good(&[&export[..], &["--force"]].concat());
    folder.write("file", b"");
    let into = folder.nnc(&["export", "run", "--format", "pytorch", "-o", "file"]);
    assert_eq!(into.status.code(), Some(2), "{}", String::from_utf8_lossy(&into.stderr));
    let noisy = trained(&image_model(
        "",
        "let x = image |> flatten |> dense(10)\n where(uniform([N, 10]) < 0.5, x, 0.0)",
    ));
    let error = noisy.bad(&export);
    assert!(error.contains("`uniform`, which") && error.contains("no counterpart"), "{error}");
    assert!(!noisy.path("out").exists(), "nothing half-written");
}
