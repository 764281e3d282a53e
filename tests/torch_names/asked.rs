//! What is asked or refused: each with a message that says what is wrong and what to write, and without a
//! run that has begun.

use super::matched::{resnet, resnet_program};
use super::{StateDict, begun, folder, holds, mended, program, refused};

/// Two branches of one shape.
const BRANCHES: &str = "let flat = image |> flatten
    let a = flat |> dense(6) as first |> tanh
    let b = flat |> dense(6) as second |> sigmoid
    dense(a * b, 10)";

fn branches() -> StateDict {
    StateDict::default()
        .linear("left", &[6, 784])
        .linear("right", &[6, 784])
        .linear("head", &[10, 6])
}

#[test]
fn two_ways_are_asked_about() {
    let (dict, asking) = (branches(), program("", BRANCHES, ""));
    let said = refused(&asking, &dict);
    for part in [
        "`left` of the file can be `first` or `second`",
        "note: `right` can be `second` or `first`",
        "help: say which it is: `rename: [[\"left.*\", \"first.*\"]]`",
        "fix: write `rename: [[\"left.*\", \"first.*\"]]` (checked; `--fix` does not make it)",
        "fix: write `rename: [[\"left.*\", \"second.*\"]]` (checked; `--fix` does not make it)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let begins = folder(&asking, &dict);
    assert!(begins.bad(&["run", "net.nn", "--quiet"]).contains("`left` of the file can be"));
    assert!(!begins.path("runs").exists(), "a run began");
    // One rule is enough: the other branch follows.
    let mended = mended(&asking, &dict);
    assert!(mended.contains("rename: [[\"left.*\", \"first.*\"]], layout: pytorch"), "{mended}");
    let run = begun(&mended, &dict).unwrap_or_else(|failure| panic!("{failure:?}"));
    holds(&run, &dict, &[("first.weight", "left.weight"), ("second.weight", "right.weight")]);
    let other = program("", BRANCHES, ", rename: [[\"right.*\", \"first.*\"]]");
    let run = begun(&other, &dict).unwrap_or_else(|failure| panic!("{failure:?}"));
    holds(&run, &dict, &[("first.bias", "right.bias"), ("second.bias", "left.bias")]);
}

/// Equal names are a reason where there is no other.
#[test]
fn equal_names_tell_branches_apart() {
    let dict = StateDict::default()
        .linear("net.second", &[6, 784])
        .linear("net.first", &[6, 784])
        .linear("classify", &[10, 6]);
    let run = begun(&program("", BRANCHES, ""), &dict).unwrap_or_else(|it| panic!("{it:?}"));
    let pairs = [("first.weight", "net.first.weight"), ("second.weight", "net.second.weight")];
    holds(&run, &dict, &pairs);
}

#[test]
fn a_head_of_other_classes_is_told_with_its_argument() {
    let (dict, asking) = (resnet(1000), resnet_program(""));
    let said = refused(&asking, &dict);
    for part in [
        "`dense.weight` is f32[1000, 32] in the file, which is f32[32, 1000] in this language's order, \
         but f32[32, 10] in the model",
        "help: `except: [\"dense.*\"]` lets these begin as if there were no file",
        "(checked; `--fix` does not make it)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    begun(&mended(&asking, &dict), &dict).unwrap_or_else(|failure| panic!("{failure:?}"));
}

#[test]
fn tensors_of_no_use_are_named() {
    let dict = resnet(10).conv("aux1.conv.conv", [5, 16, 1, 1]).norm("aux1.conv.bn", 5);
    let dict = dict.linear("aux1.fc", &[10, 80]);
    let asking = resnet_program("");
    let said = refused(&asking, &dict);
    let message = "the file has 7 tensors that `net` has no layer for: `aux1.*`";
    assert!(said.contains(message), "{said}");
    let mended = mended(&asking, &dict);
    assert!(mended.contains("ignore: [\"aux1.*\"]"), "{mended}");
    begun(&mended, &dict).unwrap_or_else(|failure| panic!("{failure:?}"));

    let nothing = resnet_program(", ignore: [\"aux2.*\"]");
    let said = refused(&nothing, &dict);
    assert!(said.contains("`ignore`: the file has no tensor that matches `aux2.*`"), "{said}");
}

#[test]
fn a_bias_on_one_side_alone_is_named() {
    let body = "image |> conv(4, 3) |> relu |> global_avg_pool |> dense(10, bias: false)";
    let dict = StateDict::default().conv("features.0", [4, 1, 3, 3]).linear("fc", &[10, 4]);
    let said = refused(&program("", body, ""), &dict);
    assert!(said.contains("`dense` has no parameter for `fc.bias` of the file"), "{said}");
    let said = refused(&program("", body, ", ignore: [\"fc.bias\"]"), &dict);
    assert!(said.contains("the file has no `conv.bias`"), "{said}");
}

#[test]
fn missing_layers_are_named() {
    let body = "image |> flatten |> dense(12) |> relu |> dense(8) |> relu |> dense(10)";
    let dict = StateDict::default().linear("fc1", &[12, 784]).linear("fc2", &[8, 12]);
    let said = refused(&program("", body, ""), &dict);
    assert!(said.contains("the file has no `dense_3.weight`"), "{said}");
    assert!(said.contains("`partial: true` lets what is missing begin"), "{said}");
}

#[test]
fn another_architecture_is_told_with_what_differs() {
    let dict = (0..8).fold(StateDict::default(), |dict, layer| {
        dict.linear(&format!("layers.{layer}"), &[7 + layer, 6 + layer])
    });
    let said = refused(&resnet_program(""), &dict);
    for part in [
        "the file is not of a network like `net`",
        "the file has 8 layers with parameters, `net` 25",
        "without a counterpart in the file: `conv_norm.conv` [4, 1, 3, 3]",
        "without a counterpart in the program: `layers.0` [7, 6]",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// Layers of one kind that are nested otherwise: the file's second block has what the program's first has.
#[test]
fn another_order_of_layers_is_told() {
    let body = "image |> flatten |> dense(8) |> dense(9) |> dense(8) |> dense(10)";
    let dict = StateDict::default()
        .linear("a.0", &[8, 784])
        .linear("a.1", &[8, 9])
        .linear("b.0", &[9, 8])
        .linear("b.1", &[10, 8]);
    let said = refused(&program("", body, ""), &dict);
    assert!(said.contains("their names are nested in another way"), "{said}");
}

/// A file that is no state dict at all, and one that is cut off.
#[test]
fn damaged_files_are_refused() {
    let whole = folder(&resnet_program(""), &resnet(10));
    let bytes = std::fs::read(whole.path("torch.safetensors")).expect("bytes");
    for bytes in [&bytes[..bytes.len() - 1], &bytes[..40], b"PK\x03\x04 a pickle of torch.save"] {
        whole.write("torch.safetensors", bytes);
        for args in
            [&["check", "net.nn"][..], &["import", "--names", "torch.safetensors", "net.nn"]]
        {
            let said = whole.bad(args);
            assert!(said.contains("is not a sound safetensors file"), "{said}");
        }
    }
    let said = whole.nnc(&["import", "--names", "none.safetensors", "net.nn"]);
    assert_ne!(said.status.code(), Some(0));
    let empty = StateDict::default();
    let said = refused(&resnet_program(""), &empty);
    assert!(said.contains("the file has no `conv_norm.conv.weight`"), "{said}");
}
