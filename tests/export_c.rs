//! `nnc export --format c` and `--format object`: exported source compiles without a warning and gives
//! the bits that `nnc predict` gives, with several compilers, for several processors; training steps
//! likewise; object files link and give them, too.
//!
//! Compilers and emulators that are missing are skipped with a word; where `NNC_REQUIRE_C` is set,
//! they must be there.

#[path = "support/folder.rs"]
mod folder;
#[path = "export_c/models.rs"]
mod models;
#[path = "export_c/object.rs"]
mod object;
#[path = "export_c/toolchain.rs"]
mod toolchain;
#[path = "export_c/training.rs"]
mod training;

use folder::Folder;
use models::{MODELS, TestModel, inputs, trained};
use toolchain::{Toolchain, run_in_node};

/// What `nnc predict --raw` says of some samples.
fn predicted(folder: &Folder, samples: &[u8], model: &TestModel) -> Vec<u8> {
    folder.write("new.safetensors", &model.tensors(samples, None));
    folder.good(&["predict", "run", "new.safetensors", "--raw", "raw.safetensors"]);
    let file = std::fs::read(folder.path("raw.safetensors")).expect("a file");
    let file = safetensors::SafeTensors::deserialize(&file).expect("tensors");
    file.tensor("output").expect("the output").data().to_vec()
}

fn export(folder: &Folder, more: &[&str]) {
    folder.good(&[&["export", "run", "--format", "c", "-o", "c", "--force"], more].concat());
}

/// Holds a model's C against `predict`, compiled by each of some tools.
fn check(model: &TestModel, tools: &[Toolchain]) {
    let folder = trained(model);
    export(&folder, &[]);
    let samples = inputs(model, 3);
    let wanted = predicted(&folder, &samples, model);
    for tool in tools.iter().filter(|tool| tool.is_there()) {
        folder.write("main.c", model.main().as_bytes());
        let program = tool.compile(&folder, &["c/net.c", "main.c"]);
        let (code, found) = tool.run(&folder, &program, &samples);
        assert_eq!(code, Some(0), "{} by {}", model.name, tool.name);
        assert!(found == wanted, "{} by {}: other bits than predict", model.name, tool.name);
    }
}

#[test]
fn c_gives_the_bits_of_predict() {
    for model in MODELS {
        check(model, &[toolchain::GCC, toolchain::GCC_NATIVE, toolchain::CLANG]);
    }
}

#[test]
fn c_gives_the_same_bits_on_other_processors() {
    for name in ["functions", "convolutions", "attention"] {
        let model = MODELS.iter().find(|model| model.name == name).expect("a model");
        check(model, &[toolchain::AARCH64, toolchain::ARM, toolchain::SOFT]);
        let folder = trained(model);
        export(&folder, &[]);
        let samples = inputs(model, 3);
        if let Some(found) = run_in_node(&folder, model, &samples) {
            assert!(found == predicted(&folder, &samples, model), "{name} in WebAssembly");
        }
    }
}

#[test]
fn a_batch_is_answered_at_once_and_its_header_says_how_large_it_is() {
    let model = MODELS.iter().find(|model| model.name == "dense").expect("a model");
    let folder = trained(model);
    export(&folder, &["--batch", "3"]);
    let header = std::fs::read_to_string(folder.path("c/net.h")).expect("a header");
    for line in ["#define NET_BATCH 3", "#define NET_X_SHAPE {3, 20}", "#define NET_X_ELEMENTS 60"]
    {
        assert!(header.lines().any(|it| it == line), "{line}: {header}");
    }
    let samples = inputs(model, 3);
    folder.write("main.c", model.main().as_bytes());
    let gcc = toolchain::GCC;
    if gcc.is_there() {
        let program = gcc.compile(&folder, &["c/net.c", "main.c"]);
        let found = gcc.run(&folder, &program, &samples);
        assert!(found == (Some(0), predicted(&folder, &samples, model)));
    }
}

#[test]
fn an_index_out_of_range_is_a_code_and_not_a_crash() {
    let model = MODELS.iter().find(|model| model.name == "recurrent").expect("a model");
    let folder = trained(model);
    export(&folder, &[]);
    folder.write("main.c", model.main().as_bytes());
    let gcc = toolchain::GCC;
    if gcc.is_there() {
        let program = gcc.compile(&folder, &["c/net.c", "main.c"]);
        for bad in [-1i32, 7, i32::MAX] {
            let mut sample = inputs(model, 1);
            sample[4..8].copy_from_slice(&bad.to_le_bytes());
            let (code, _) = gcc.run(&folder, &program, &sample);
            assert_eq!(code, Some(11), "token {bad}");
        }
    }
}

#[test]
fn large_weights_have_a_file_of_their_own() {
    let model = &models::LARGE;
    let folder = trained(model);
    export(&folder, &[]);
    let header = std::fs::read_to_string(folder.path("c/net.h")).expect("a header");
    assert!(header.contains("#define NET_WEIGHTS_FILE \"net.bin\""), "{header}");
    let weights = std::fs::read(folder.path("c/net.bin")).expect("the weights");
    assert!(header.contains(&format!("#define NET_WEIGHTS_BYTES {}\n", weights.len())));
    let samples = inputs(model, 3);
    folder.write("main.c", model.main_with_weights().as_bytes());
    let gcc = toolchain::GCC_NATIVE;
    if gcc.is_there() {
        let program = gcc.compile(&folder, &["c/net.c", "main.c"]);
        let found = gcc.run(&folder, &program, &samples);
        assert!(found == (Some(0), predicted(&folder, &samples, model)));
    }
}

#[test]
fn files_that_are_there_are_kept_unless_told_otherwise() {
    let model = MODELS.iter().find(|model| model.name == "dense").expect("a model");
    let folder = trained(model);
    export(&folder, &[]);
    folder.write("c/net.h", b"mine");
    let again = folder.nnc(&["export", "run", "--format", "c", "-o", "c"]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert_eq!(again.status.code(), Some(2), "{said}");
    assert!(said.contains("--force writes over it"), "{said}");
    assert_eq!(std::fs::read(folder.path("c/net.h")).expect("a file"), b"mine");
}
