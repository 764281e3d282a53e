//! The command: its flags, its messages, its files.

use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = "data drawn = digits(train: 40, test: 10)

model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> conv(2, 3, stride: 3) |> relu |> flatten |> dense(10)
}

train net on drawn {
    loss      = cross_entropy
    optimizer = sgd(lr: 0.1)
    batch     = 20
    epochs    = 1
}
";

fn nnc(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
    command.current_dir(folder).args(args).env("NO_COLOR", "1").output().expect("nnc runs")
}

/// Runs a command that must end with this code; its messages.
fn ended(folder: &Path, args: &[&str], code: i32) -> String {
    let output = nnc(folder, args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    said
}

#[test]
fn a_trained_model_is_exported() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("net.nn"), PROGRAM).expect("a program");
    ended(folder, &["run", "net.nn"], 0);
    let export = ["export", "runs/net", "--format", "onnx"];
    let said = ended(folder, &export, 0);
    assert!(said.contains("net.onnx written"), "{said}");
    let bytes = std::fs::read(folder.join("net.onnx")).expect("the file");
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    for text in ["nnc.program_hash", "nnc.outputs", "conv.weight", "dense.bias", "image"] {
        assert!(holds(text), "{text}");
    }
    // A file that is there stays as it is.
    let said = ended(folder, &export, 2);
    assert!(said.contains("--force"), "{said}");
    assert_eq!(std::fs::read(folder.join("net.onnx")).expect("the file"), bytes);
    ended(
        folder,
        &[&export[..], &["--force", "--layout", "nchw", "--batch", "2", "--fold"]].concat(),
        0,
    );
    assert_ne!(std::fs::read(folder.join("net.onnx")).expect("the file"), bytes);
    let other =
        |flags: &[&'static str]| -> String { ended(folder, &[&export[..], flags].concat(), 2) };
    assert!(
        other(&["--force", "--opset", "12"]).contains("13"),
        "the versions that can be asked for"
    );
    let nowhere = other(&["-o", "no/such/folder/net.onnx"]);
    assert!(nowhere.contains("cannot write"), "{nowhere}");
    let said = other(&["-o", "runs", "--force"]);
    assert!(said.contains("folder"), "{said}");
}
