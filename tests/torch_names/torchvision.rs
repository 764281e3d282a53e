//! torchvision's own state dicts, with random weights, begin the programs of `models/` and of this folder
//! without rules; logits are PyTorch's.
//!
//! It needs a Python with `torch`, `torchvision` and `safetensors`: `NNC_PYTHON`, else `python3`. Where there
//! is none the tests say so and pass, unless `NNC_REQUIRE_TORCH` is set.

use super::Folder;
use super::python;
use std::path::Path;
use std::process::Command;

/// Writes `torch.safetensors`, `in.npz` with images and `expected.npy` with logits.
const SCRIPT: &str = include_str!("state_dict.py");

/// Compares logits with those of PyTorch's.
#[track_caller]
fn agrees(name: &str, size: usize, arguments: &str) {
    let import = "torch, torchvision, numpy, safetensors.torch";
    let Some(python) = python::python(import, "torchvision", "NNC_REQUIRE_TORCH") else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |path: &str| std::fs::read_to_string(root.join(path)).expect(path);
    let of = match ["resnet18", "resnet50", "vgg16", "alexnet"].contains(&name) {
        true => text(&format!("models/{name}.nn")),
        false => text(&format!("tests/torch_names/{name}.nn")),
    };
    // The model itself, on images of another size, for ten classes.
    let of = match (of.find("data photos"), of.find("layer "), of.find("model ")) {
        (Some(data), layer, Some(model)) => {
            let rest = layer.filter(|&layer| layer > data && layer < model).unwrap_or(model);
            format!("{}{}", &of[..data], &of[rest..of.find("train ").expect("a train block")])
        }
        _ => of,
    };
    let of = of.replace("photos.classes", "10").replace("224, 224", &format!("{size}, {size}"));
    let normed = of.contains("batch_norm") || of.contains("use \"resnet.nn\"");
    let freeze = if normed { "freeze = [\"*batch_norm*\"]" } else { "" };
    let program = format!(
        "{of}\ndata given = arrays(\"in.npz\", target: \"label\", test: 0.5)\ntrain {name} on given {{\n    \
         loss = cross_entropy\n    optimizer = sgd(lr: 0.0)\n    batch = 2\n    {freeze}\n    \
         init_from = weights(\"torch.safetensors\", layout: pytorch{arguments})\n}}\n"
    );
    let resnet = text("models/resnet.nn");
    let files = [
        ("net.nn", program.as_bytes()),
        ("resnet.nn", resnet.as_bytes()),
        ("state_dict.py", SCRIPT.as_bytes()),
    ];
    let folder = Folder::new(&files);
    let size = size.to_string();
    let script = |args: &[&str]| {
        let output = Command::new(&python).args(args).current_dir(folder.0.path()).output();
        let output = output.expect("python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    script(&["state_dict.py", "make", name, &size]);
    folder.good(&["run", "net.nn", "--out", "run", "--quiet"]);
    folder.good(&["predict", "run", "in.npz", "--raw", "out.safetensors"]);
    script(&["state_dict.py", "compare"]);
}

#[test]
fn residual_networks() {
    agrees("resnet18", 64, "");
    agrees("resnet50", 64, "");
}

#[test]
fn convolutions_of_each_channel() {
    agrees("mobilenet_v2", 64, "");
    agrees("efficientnet_b0", 64, "");
}

#[test]
fn branches_and_dense_blocks() {
    agrees("squeezenet1_1", 64, "");
    agrees("densenet121", 64, "");
    agrees("googlenet", 64, ", ignore: [\"aux1.*\", \"aux2.*\"]");
}

#[test]
fn blocks_of_convnext() {
    agrees("convnext_tiny", 64, "");
}

#[test]
#[ignore = "a minute: images of 224×224"]
fn networks_of_large_images() {
    agrees("alexnet", 224, "");
    agrees("vit_b_16", 224, "");
    agrees("vgg16", 224, "");
}
