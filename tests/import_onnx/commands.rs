//! `nnc import` as a user types it.

use crate::builder::Builder;
use crate::models;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with a model in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(made: &Builder) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        std::fs::write(folder.path("Tiny Net.onnx"), made.bytes()).expect("a model");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn nnc(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_nnc"))
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .expect("nnc runs")
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_is_imported_is_checked_formatted_and_trained() {
    let folder = Folder::with(&models::residual());
    let made = folder.nnc(&["import", "Tiny Net.onnx", "-o", "net"]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let program = folder.path("net/tiny_net.nn");
    let checked = folder.nnc(&["check", "net/tiny_net.nn"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    assert_eq!(stderr(&checked).matches("warning").count(), 0, "{}", stderr(&checked));
    let formatted = folder.nnc(&["fmt", "--check", "net/tiny_net.nn"]);
    assert_eq!(formatted.status.code(), Some(0), "{}", stderr(&formatted));
    // On data of the built-in kind, in the shape of its own, it trains on from its weights.
    let text = std::fs::read_to_string(&program).expect("a program");
    assert!(text.contains("init_from = \"tiny_net.safetensors\""), "{text}");
    let digits = text
        .replace("image: f32[N, 6, 6, 4]", "image: f32[N, 28, 28, 1]")
        .replacen("image\n", "image |> conv(4, 3) as first\n", 1)
        .replace("image |> repeat", "image |> conv(4, 3) as first |> repeat")
        .replace(
            "train tiny_net {",
            "data drawn = digits(train: 40, test: 10)\n\ntrain tiny_net on drawn {\n    epochs = 1",
        )
        .replace(
            "\"tiny_net.safetensors\"",
            "weights(\"tiny_net.safetensors\", except: [\"first.*\", \"fc.*\"])",
        )
        .replace("dense(5, bias: false)", "dense(10, bias: false)")
        .replace("-> f32[N, 5]", "-> f32[N, 10]");
    std::fs::write(&program, digits).expect("a program");
    let trained = folder.nnc(&["run", "net/tiny_net.nn", "--no-save"]);
    let trained = match stderr(&trained).contains("--no-save") {
        true => folder.nnc(&["run", "net/tiny_net.nn"]),
        false => trained,
    };
    assert_eq!(trained.status.code(), Some(0), "{}", stderr(&trained));
}

#[test]
fn nothing_is_written_over_without_force() {
    let folder = Folder::with(&models::small_cnn());
    let arguments = ["import", "Tiny Net.onnx", "-o", "out"];
    assert_eq!(folder.nnc(&arguments).status.code(), Some(0));
    let again = folder.nnc(&arguments);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("--force"), "{}", stderr(&again));
    let forced = folder.nnc(&[&arguments[..], &["--force"]].concat());
    assert_eq!(forced.status.code(), Some(0), "{}", stderr(&forced));
}

#[test]
fn what_cannot_be_imported_leaves_nothing_behind() {
    let folder = Folder::with(&models::unsupported());
    let made = folder.nnc(&["import", "Tiny Net.onnx"]);
    assert_eq!(made.status.code(), Some(1));
    for node in ["TopK `the_b`", "NonZero `the_d`", "Relu `the_e`"] {
        assert!(stderr(&made).contains(node), "{}", stderr(&made));
    }
    assert!(!folder.path("tiny_net").exists());
    std::fs::write(folder.path("Tiny Net.onnx"), b"\x08\x08\x3a\xff\x01").expect("a file");
    let damaged = folder.nnc(&["import", "Tiny Net.onnx"]);
    assert_eq!(damaged.status.code(), Some(1));
    assert!(stderr(&damaged).contains("is no sound file of ONNX"), "{}", stderr(&damaged));
    assert_eq!(folder.nnc(&["import", "missing.onnx"]).status.code(), Some(2));
}

fn external(location: &str) -> Builder {
    Builder::new(13).input("x", &[0, 2]).output("y").external("w", &[2, 3], location, 4).node(
        "MatMul",
        &["x", "w"],
        "y",
        &[],
    )
}

#[test]
fn weights_in_other_files_are_read_where_that_is_asked_for() {
    let folder = Folder::with(&external("weights.bin"));
    let bytes: Vec<u8> = (0..7).flat_map(|it| (it as f32).to_le_bytes()).collect();
    std::fs::write(folder.path("weights.bin"), bytes).expect("weights");
    let refused = folder.nnc(&["import", "Tiny Net.onnx"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("--external"), "{}", stderr(&refused));
    let read = folder.nnc(&["import", "Tiny Net.onnx", "--external"]);
    assert_eq!(read.status.code(), Some(0), "{}", stderr(&read));
    let weights =
        nnc::runtime::weights::load(Path::new(&folder.path("tiny_net/tiny_net.safetensors")));
    let weights = weights.expect("weights");
    assert_eq!(
        weights[0].1,
        nnc::base::tensor::Tensor::f32([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    );
}

/// As torch's exporter writes them; a link to another folder is none.
#[test]
fn the_file_of_weights_that_is_named_after_the_model_is_read() {
    let bytes: Vec<u8> = (0..7).flat_map(|it| (it as f32).to_le_bytes()).collect();
    let folder = Folder::with(&external("Tiny Net.onnx.data"));
    let missing = folder.nnc(&["import", "Tiny Net.onnx"]);
    assert_eq!(missing.status.code(), Some(2), "{}", stderr(&missing));
    std::fs::write(folder.path("Tiny Net.onnx.data"), &bytes).expect("weights");
    let read = folder.nnc(&["import", "Tiny Net.onnx"]);
    assert_eq!(read.status.code(), Some(0), "{}", stderr(&read));
    // Beside a model of another name it is any other file.
    std::fs::copy(folder.path("Tiny Net.onnx"), folder.path("other.onnx")).expect("a copy");
    let other = folder.nnc(&["import", "other.onnx"]);
    assert_eq!(other.status.code(), Some(1), "{}", stderr(&other));
    assert!(stderr(&other).contains("--external"), "{}", stderr(&other));
    #[cfg(unix)]
    {
        let elsewhere = tempfile::tempdir().expect("a folder");
        let target = elsewhere.path().join("secret");
        std::fs::write(&target, &bytes).expect("a file");
        std::fs::remove_file(folder.path("Tiny Net.onnx.data")).expect("a file less");
        std::os::unix::fs::symlink(&target, folder.path("Tiny Net.onnx.data")).expect("a link");
        let linked = folder.nnc(&["import", "Tiny Net.onnx", "--force"]);
        assert_eq!(linked.status.code(), Some(1), "{}", stderr(&linked));
        assert!(stderr(&linked).contains("--external"), "{}", stderr(&linked));
    }
}

#[test]
fn weights_are_read_from_the_models_folder_alone() {
    for location in ["../weights.bin", "/etc/hostname", "a/b", "..", ""] {
        let folder = Folder::with(&external(location));
        let made = folder.nnc(&["import", "Tiny Net.onnx", "--external"]);
        assert_eq!(made.status.code(), Some(1), "{location}: {}", stderr(&made));
        assert!(stderr(&made).contains("no plain name"), "{}", stderr(&made));
    }
    let short = Folder::with(&external("weights.bin"));
    std::fs::write(short.path("weights.bin"), [0; 8]).expect("weights");
    let made = short.nnc(&["import", "Tiny Net.onnx", "--external"]);
    assert!(stderr(&made).contains("does not lie where it should"), "{}", stderr(&made));
}

#[test]
fn open_extents_are_asked_for() {
    let open = Builder::new(13).input("x", &[0, -1, 4]).output("y").node("Relu", &["x"], "y", &[]);
    let folder = Folder::with(&open);
    let asked = folder.nnc(&["import", "Tiny Net.onnx"]);
    assert!(stderr(&asked).contains("--shape x="), "{}", stderr(&asked));
    let given = folder.nnc(&["import", "Tiny Net.onnx", "--shape", "x=1,7,4"]);
    assert_eq!(given.status.code(), Some(0), "{}", stderr(&given));
    let text = std::fs::read_to_string(folder.path("tiny_net/tiny_net.nn")).expect("a program");
    assert!(text.contains("x: f32[N, 7, 4]"), "{text}");
    let wrong = folder.nnc(&["import", "Tiny Net.onnx", "--shape", "z=1,7,4", "--force"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert_eq!(
        folder.nnc(&["import", "Tiny Net.onnx", "--shape", "x=1,no"]).status.code(),
        Some(2)
    );
}
