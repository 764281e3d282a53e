//! Half-typed programs: the server answers at every byte, and hints of what is sound stay.

use super::client::{Client, at, range, uri};
use super::{Folder, NET, PARTS, about, labels, opened, place, whole};
use nnc::codegen::Target;
use nnc::driver::Request;
use nnc::editor::analysis::Analyst;
use nnc::editor::documents::OpenText;
use nnc::editor::everything_at;
use nnc::editor::lines::ColumnUnit;
use serde_json::json;
use std::path::{Path, PathBuf};

#[test]
fn hints_of_what_is_sound_stay_while_one_types() {
    let (mut client, _folder, net) = opened();
    let mut version = 1;
    let mut hints = |text: &str| {
        version += 1;
        client.change(&net, version, None, text);
        assert!(!client.findings(&net, version).is_empty(), "{text}");
        labels(&client.ask("textDocument/inlayHint", whole(&net)))
    };
    let all = ["f32[N, 26, 26, 8]", "f32[N, 5408]"];
    for (piece, typed) in [
        // An argument list that is open, a stage that is not there yet, a line that means nothing.
        ("|> dense(10)", "|> dense(10) |> dense("),
        ("|> dense(10)", "|> dense(10) |> "),
        ("    hidden |>", "    let next = \n    hidden |>"),
        ("    loss      = cross_entropy", "    loss      = "),
        ("train net on drawn {", "layer half(x: f32[N,\n\ntrain net on drawn {"),
        ("    metrics   = [accuracy]\n}\n", "    metrics   = [accuracy"),
        ("data drawn", "modle\ndata drawn"),
    ] {
        let shown = hints(&NET.replacen(piece, typed, 1));
        for label in all {
            assert!(shown.iter().any(|it| it == label), "{label} at {typed:?}: {shown:?}");
        }
    }
    client.end();
}

#[test]
fn hints_of_an_item_that_cannot_be_read_are_those_of_before() {
    let (mut client, _folder, net) = opened();
    // The header is being typed: nothing of the body is looked at, and it has not changed.
    let typed = NET.replacen("model net(image: f32[N, 28", "model net(image: f32[N, , 28", 1);
    client.change(&net, 2, None, &typed);
    assert!(!client.findings(&net, 2).is_empty());
    let hints = client.ask("textDocument/inlayHint", whole(&net));
    let (line, column) = place(&typed, " |> relu |> flatten");
    let conv = hints.as_array().unwrap().iter().find(|hint| hint["position"] == at(line, column));
    assert_eq!(conv.expect("behind `conv(8, 3)`")["label"], " f32[N, 26, 26, 8]");
    client.end();
}

#[test]
fn positions_are_of_utf_16_and_lines_end_in_any_way() {
    let folder = Folder::new(&[]);
    let mut client = Client::new(folder.0.path());
    let uri = uri(&folder.path("fox.nn"));
    let text = "model net(é: f32[N, 4]) -> f32[N, 2] {\r\n    require \"🦊🦊\" == \"🦊🦊\", \"🦊\"\r\n    \
                é |> dense(2) // 🦊\r\n}\r\n";
    client.open(&uri, text);
    assert_eq!(client.findings(&uri, 1), Vec::<serde_json::Value>::new());
    let hints = client.ask("textDocument/inlayHint", whole(&uri));
    assert_eq!(hints[0]["position"], at(2, 17), "behind `é |> dense(2)`");
    // An edit behind a fox is where the client sees it: each is two units.
    let line = "    require \"🦊🦊\" == \"🦊🦊\", \"🦊\"";
    let end = line.encode_utf16().count();
    client.change(&uri, 2, Some(range(1, end - 3, end - 1)), "né");
    let hover = json!({ "textDocument": { "uri": uri }, "position": at(2, 10) });
    let hover = client.ask("textDocument/hover", hover);
    assert_eq!(hover["range"], range(2, 9, 14));
    client.change(&uri, 3, Some(range(2, 9, 14)), "dens🦊");
    let found = client.findings(&uri, 3);
    assert_eq!(found[0]["range"]["start"]["line"], 2, "{found:?}");
    client.end();
}

#[test]
fn edits_come_to_the_same_as_the_whole_text() {
    let (mut client, _folder, net) = opened();
    // `NET` is typed anew, a piece at a time, without waiting.
    client.change(&net, 2, None, "");
    let mut version = 2;
    let (mut line, mut column) = (0, 0);
    for piece in NET.split_inclusive([' ', '\n']) {
        version += 1;
        client.change(&net, version, Some(range(line, column, column)), piece);
        if piece.ends_with('\n') {
            (line, column) = (line + 1, 0);
        } else {
            column += piece.encode_utf16().count();
        }
    }
    assert_eq!(client.findings(&net, version), Vec::<serde_json::Value>::new());
    let hover = client.ask("textDocument/hover", about(&net, NET, "conv(8"));
    assert!(hover["contents"]["value"].as_str().unwrap().contains("80 parameters"));
    client.end();
}

#[test]
fn a_file_that_is_used_and_half_typed_keeps_its_sound_items() {
    let (mut client, folder, net) = opened();
    let parts = uri(&folder.path("parts.nn"));
    client.open(&parts, &format!("{PARTS}\nlayer next(x: f32[N"));
    let found = client.findings(&net, 1);
    assert!(!found.is_empty(), "the mistake of the other file is told");
    let shown = labels(&client.ask("textDocument/inlayHint", whole(&net)));
    assert!(shown.iter().any(|it| it == "f32[N, 16]"), "{shown:?}");
    let (line, _) = place(PARTS, "x |> dense");
    let hints = client.ask("textDocument/inlayHint", whole(&parts));
    assert!(hints.as_array().is_some(), "{line}");
    client.end();
}

/// The models and examples of the repository.
fn programs() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["models", "examples"] {
        let entries = std::fs::read_dir(folder).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|it| it == "nn")));
    }
    found.sort();
    found
}

/// Analyses the beginnings of a program, every `step` bytes; each must be possible, and have what a
/// client may ask.
fn prefixes(path: &Path, step: usize) {
    let text = std::fs::read_to_string(path).expect("a program");
    let request = Request { target: Target::detect(), ..Request::new(path) };
    let uri = uri(&std::fs::canonicalize(path).expect("a file"));
    let mut analyst = Analyst::new(ColumnUnit::Utf16);
    for end in (0..=text.len()).step_by(step).filter(|&end| text.is_char_boundary(end)) {
        analyst.overlay(path.to_path_buf(), text[..end].to_owned());
        let analysis = analyst.analyse(&request);
        assert_eq!(analysis.bug, None, "{} up to byte {end}", path.display());
        let open = OpenText::new(&uri, 1, text[..end].to_owned(), ColumnUnit::Utf16);
        assert!(everything_at(&analysis, &open, end) > 0);
    }
}

#[test]
fn every_prefix_of_small_models_is_answered() {
    for name in ["models/mnist.nn", "examples/siamese.nn"] {
        prefixes(Path::new(name), 1);
    }
}

/// The same of all programs takes minutes: `cargo test --release --test lsp -- --ignored`.
#[test]
#[ignore = "minutes"]
fn every_prefix_of_all_models_is_answered() {
    programs().iter().for_each(|path| prefixes(path, 1));
}

#[test]
fn some_prefixes_of_all_models_are_answered() {
    for path in programs() {
        let length = std::fs::metadata(&path).expect("a program").len() as usize;
        prefixes(&path, (length / 12).max(1) | 1);
    }
}
