//! torchvision's own state dicts and timm's, with random weights, begin the programs of `models/` and of
//! this folder without rules; logits are PyTorch's.
//!
//! It needs a Python with `torch`, `torchvision` (or `timm`) and `safetensors`: `NNC_PYTHON`, else `python3`.
//! Where there is none the tests say so and pass, unless `NNC_REQUIRE_TORCH` is set.

use super::Folder;
use super::python;
use std::path::Path;
use std::process::Command;

/// Writes `torch.safetensors`, `in.npz` with images and `expected.npy` with logits.
const SCRIPT: &str = include_str!("state_dict.py");

/// Compares the logits of a program with those of torchvision's network of its name.
#[track_caller]
fn agrees(name: &str, size: usize, arguments: &str) {
    let import = "torch, torchvision, numpy, safetensors.torch";
    let Some(python) = python::python(import, "torchvision", "NNC_REQUIRE_TORCH") else { return };
    same_logits(&python, name, name, size, arguments);
}

/// Compares the logits of a program with those of timm's network of this name.
#[track_caller]
fn agrees_with_timm(name: &str, other: &str, size: usize) {
    let import = "torch, timm, numpy, safetensors.torch";
    let Some(python) = python::python(import, "timm", "NNC_REQUIRE_TIMM") else { return };
    same_logits(&python, name, &format!("timm.{other}"), size, "");
}

/// Compares the logits of a program with those of a network of another library.
#[track_caller]
fn same_logits(python: &str, name: &str, other: &str, size: usize, arguments: &str) {
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
        let output = Command::new(python).args(args).current_dir(folder.0.path()).output();
        let output = output.expect("python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    script(&["state_dict.py", "make", other, &size]);
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

#[test]
#[ignore = "a minute; needs timm"]
fn networks_of_timm() {
    agrees_with_timm("resnet18", "resnet18", 64);
    agrees_with_timm("resnet50", "resnet50", 64);
    agrees_with_timm("convnext_tiny", "convnext_tiny", 64);
    agrees_with_timm("efficientnet_b0", "efficientnet_b0", 64);
    agrees_with_timm("mobilenet_v2", "mobilenetv2_100", 64);
    agrees_with_timm("densenet121", "densenet121", 64);
    agrees_with_timm("vit_b_16", "vit_base_patch16_224", 224);
}
