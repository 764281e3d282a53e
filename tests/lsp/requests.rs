//! Every request about a sound program.

use super::client::{Client, range, uri};
use super::{NET, PARTS, about, document, labels, opened, place, whole};
use serde_json::{Value, json};

#[test]
fn hints_are_shapes_behind_stages_lets_and_data() {
    let (mut client, _folder, uri) = opened();
    let hints = client.ask("textDocument/inlayHint", whole(&uri));
    assert_eq!(
        labels(&hints),
        [
            "image: u8[28, 28, 1]; label: i32, a class of 10, the target",
            ": f32[N, 5408]",
            "f32[N, 26, 26, 8]",
            "f32[N, 26, 26, 8]",
            "f32[N, 5408]",
            "f32[N, 16]",
            "f32[N, 10]",
        ]
    );
    let tooltip = hints[2]["tooltip"]["value"].as_str().unwrap();
    assert!(tooltip.contains("`f32[N, 28, 28, 1]` → `f32[N, 26, 26, 8]`"), "{tooltip}");
    // Of one line only.
    let (line, _) = place(NET, "hidden |>");
    let some = json!({ "textDocument": { "uri": uri }, "range": range(line, 0, 99) });
    assert_eq!(client.ask("textDocument/inlayHint", some).as_array().unwrap().len(), 2);
    client.end();
}

#[test]
fn a_hover_tells_signature_documentation_shapes_and_costs() {
    let (mut client, _folder, uri) = opened();
    let mut hover = |piece: &str| {
        let answer = client.ask("textDocument/hover", about(&uri, NET, piece));
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    };
    let conv = hover("conv(8");
    for part in ["layer conv(x: f32[N, ..S, C], filters: int >= 1", "A convolution over images"] {
        assert!(conv.contains(part), "{conv}");
    }
    // 3 · 3 · 1 · 8 weights and 8 biases; two operations for each of 9 products of each output.
    assert!(conv.contains("80 parameters · 97.3 kFLOP a sample · 21.6 kB"), "{conv}");
    let block = hover("block(");
    assert!(block.contains("Dense and relu.") && block.contains("`f32[N, 16]`"), "{block}");
    assert!(hover("hidden |>").contains("f32[N, 5408]"));
    assert!(hover("optimizer =").contains("Default: `adam()`"));
    assert!(hover("loss  ").contains("must be given"));
    assert!(hover("drawn =").contains("Ten shapes.") && hover("drawn =").contains("100 samples"));
    assert!(hover("WIDTH").contains("const WIDTH = 16"));
    assert!(hover("model net").contains("an entry point"));
    assert!(hover("image:").contains("u8[28, 28, 1]"));
    client.end();
}

#[test]
fn definitions_lead_to_items_files_and_a_copy_of_the_prelude() {
    let (mut client, folder, net) = opened();
    let mut definition =
        |piece: &str| client.ask("textDocument/definition", about(&net, NET, piece));
    let parts = uri(&folder.path("parts.nn"));
    let (line, column) = place(PARTS, "block(");
    let block = definition("block(");
    assert_eq!(block, json!({ "uri": parts, "range": range(line, column, column + 5) }));
    assert_eq!(definition("parts.nn")["uri"], parts);
    let (line, column) = place(NET, "drawn =");
    assert_eq!(definition("drawn {")["range"], range(line, column, column + 5));
    let (line, column) = place(NET, "hidden = ");
    assert_eq!(definition("hidden |>")["range"], range(line, column, column + 6));
    let prelude = definition("dense(10)");
    let path = prelude["uri"].as_str().unwrap().strip_prefix("file://").unwrap();
    let text = std::fs::read_to_string(path).expect("a readable copy");
    let line = prelude["range"]["start"]["line"].as_u64().unwrap() as usize;
    assert!(text.lines().nth(line).unwrap().starts_with("layer dense("));
    assert_eq!(definition("1e-3"), Value::Null);
    client.end();
}

#[test]
fn references_and_new_names_reach_all_files_that_use_a_file() {
    let (mut client, folder, net) = opened();
    // Another program uses the same file; a third has a layer of the same name.
    let other = "use \"parts.nn\"\nmodel other(x: f32[N, 4]) -> f32[N, 2] { x |> block(2) }\n";
    folder.write("deep/other.nn", other.replace("parts.nn", "../parts.nn").as_bytes());
    let own = "layer block(x: f32[N, 4]) -> f32[N, 4] { x }\n";
    folder.write("own.nn", own.as_bytes());
    let block = about(&net, NET, "block(");
    let found = client.ask("textDocument/references", block.clone());
    let files: Vec<&str> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["uri"].as_str().unwrap().rsplit_once('/').unwrap().1)
        .collect();
    assert_eq!(files.iter().filter(|file| **file == "net.nn").count(), 1);
    assert_eq!(files.iter().filter(|file| **file == "parts.nn").count(), 1);
    assert_eq!(files.iter().filter(|file| **file == "other.nn").count(), 1);
    assert_eq!(files.len(), 3, "{files:?}");

    let may = client.ask("textDocument/prepareRename", block.clone());
    assert_eq!(may["placeholder"], "block");
    let mut rename = block;
    rename["newName"] = json!("cell");
    let edit = client.ask("textDocument/rename", rename.clone());
    let changes = edit["changes"].as_object().unwrap();
    assert_eq!(changes.len(), 3);
    assert!(
        changes.values().flat_map(|it| it.as_array().unwrap()).all(|it| it["newText"] == "cell")
    );
    // A parameter is renamed where it is given by name as well.
    let mut units = about(&uri(&folder.path("parts.nn")), PARTS, "units: int");
    client.open(&uri(&folder.path("parts.nn")), PARTS);
    units["newName"] = json!("width");
    let edit = client.ask("textDocument/rename", units);
    assert_eq!(
        edit["changes"].as_object().unwrap().values().next().unwrap().as_array().unwrap().len(),
        3
    );
    client.end();
}

#[test]
fn a_field_and_the_input_that_takes_it_keep_one_name() {
    let folder = super::Folder::new(&[("t.csv", b"size,price\n1,2\n2,3\n3,5\n4,6\n")]);
    let mut client = Client::new(folder.0.path());
    let uri = uri(&folder.path("net.nn"));
    let text = "data t = csv(\"t.csv\", validation: 0.25) {\n    size = number\n    price = number as target\n}\n\
                model net(size: f32[N]) -> f32[N] {\n    reshape(size, [N, 1]) |> dense(1) |> reshape([N])\n}\n\
                train net on t { loss = mse }\n";
    client.open(&uri, text);
    for piece in ["size = number", "size: f32"] {
        let mut params = about(&uri, text, piece);
        params["newName"] = json!("area");
        let edit = client.ask("textDocument/rename", params);
        assert_eq!(edit["changes"][&uri].as_array().unwrap().len(), 3, "{piece}: {edit}");
    }
    client.end();
}

#[test]
fn names_that_cannot_be_are_refused() {
    let (mut client, _folder, net) = opened();
    let mut refused = |piece: &str, name: &str| {
        let mut params = about(&net, NET, piece);
        params["newName"] = json!(name);
        client.refused("textDocument/rename", params)
    };
    assert!(refused("hidden =", "if").contains("is no name"));
    assert!(refused("hidden =", "two words").contains("is no name"));
    assert!(refused("hidden =", "image").contains("declared already"));
    assert!(refused("dense(10)", "linear").contains("the prelude's"));
    assert!(refused("loss  ", "error").contains("not declared"));
    assert!(refused("image:", "picture").contains("is a field of the data"));
    client.end();
}

#[test]
fn a_document_has_symbols_folds_selections_and_highlights() {
    let (mut client, _folder, net) = opened();
    let symbols = client.ask("textDocument/documentSymbol", document(&net));
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&symbols), ["parts.nn", "drawn", "net", "net"]);
    assert_eq!(names(&symbols[2]["children"]), ["hidden"]);
    assert_eq!(names(&symbols[3]["children"]), ["loss", "optimizer", "metrics"]);
    let found = client.ask("workspace/symbol", json!({ "query": "BLO" }));
    assert_eq!(names(&found), ["block"]);
    let folds = client.ask("textDocument/foldingRange", document(&net));
    assert_eq!(folds.as_array().unwrap().len(), 2);
    let (line, column) = place(NET, "conv(8");
    let params = json!({
        "textDocument": { "uri": net },
        "positions": [{ "line": line, "character": column + 1 }],
    });
    let mut selection = client.ask("textDocument/selectionRange", params)[0].take();
    let mut sizes = Vec::new();
    while !selection.is_null() {
        sizes.push(selection["range"].clone());
        selection = selection["parent"].take();
    }
    assert_eq!(sizes[0], range(line, column, column + 4), "the name");
    assert_eq!(sizes[1], range(line, column, column + 10), "the stage");
    assert!(sizes.len() >= 6, "{sizes:?}");
    let lit = client.ask("textDocument/documentHighlight", about(&net, NET, "hidden |>"));
    assert_eq!(lit.as_array().unwrap().len(), 2);
    client.end();
}

#[test]
fn semantic_tokens_name_the_kind_of_each_word() {
    let (mut client, _folder, net) = opened();
    let tokens = client.ask("textDocument/semanticTokens/full", document(&net));
    let data: Vec<usize> =
        tokens["data"].as_array().unwrap().iter().map(|it| it.as_u64().unwrap() as usize).collect();
    let (mut line, mut column) = (0, 0);
    let lines: Vec<&str> = NET.lines().collect();
    let mut told = Vec::new();
    for token in data.chunks(5) {
        column = if token[0] == 0 { column + token[1] } else { token[1] };
        line += token[0];
        told.push((&lines[line][column..column + token[2]], token[3], token[4]));
    }
    // The numbers are places of the legend in `src/editor/tokens.rs`.
    for expected in [
        ("use", 0, 0),
        ("\"parts.nn\"", 1, 0),
        ("/// Ten shapes.", 3, 0),
        ("drawn", 13, 1),
        ("net", 6, 1),
        ("image", 7, 1),
        ("f32", 10, 2),
        ("conv", 5, 2),
        ("block", 5, 0),
        ("WIDTH", 12, 0),
        ("cross_entropy", 5, 2),
        ("loss", 9, 0),
    ] {
        assert!(told.contains(&expected), "{expected:?} in {told:?}");
    }
    client.end();
}

#[test]
fn formatting_changes_only_the_lines_that_differ() {
    let (mut client, _folder, net) = opened();
    assert_eq!(client.ask("textDocument/formatting", document(&net)), json!([]));
    let untidy = NET
        .replace("metrics   = [accuracy]", "metrics=[accuracy ]")
        .replace("data drawn = digits(train: 100,", "data drawn=digits(train:100,");
    client.change(&net, 2, None, &untidy);
    let edits = client.ask("textDocument/formatting", document(&net));
    let lines: Vec<u64> = edits
        .as_array()
        .unwrap()
        .iter()
        .map(|edit| edit["range"]["start"]["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [2, 12]);
    let first = json!({ "textDocument": { "uri": net }, "range": range(2, 0, 5) });
    let edits = client.ask("textDocument/rangeFormatting", first);
    assert_eq!(edits.as_array().unwrap().len(), 1);
    assert_eq!(edits[0]["newText"], "data drawn = digits(train: 100, test: 20)\n");
    // Line ends stay as they are.
    client.change(&net, 3, None, &untidy.replace('\n', "\r\n"));
    let edits = client.ask(
        "textDocument/rangeFormatting",
        json!({ "textDocument": { "uri": net }, "range": range(2, 0, 5) }),
    );
    assert_eq!(edits[0]["newText"], "data drawn = digits(train: 100, test: 20)\r\n");
    client.end();
}

#[test]
fn lenses_train_check_and_count() {
    let (mut client, _folder, net) = opened();
    let lenses = client.ask("textDocument/codeLens", document(&net));
    let titles: Vec<&str> = lenses
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|lens| lens["command"]["title"].as_str())
        .collect();
    assert_eq!(titles, ["▶ train", "check"]);
    let figures = lenses.as_array().unwrap().iter().find(|lens| lens["data"].is_object()).unwrap();
    let title = |lens: Value| lens["command"]["title"].as_str().unwrap().to_owned();
    let resolved = title(client.ask("codeLens/resolve", figures.clone()));
    assert!(resolved.starts_with("86.8 k parameters, ") && resolved.contains("MB"), "{resolved}");
    // Of a text that is not saved, planning its steps is not waited for.
    client.change(&net, 2, Some(range(0, 0, 0)), "\n");
    assert_eq!(title(client.ask("codeLens/resolve", figures.clone())), "86.8 k parameters");
    client.end();
}

#[test]
fn fixes_are_offered_where_the_mistake_is() {
    let (mut client, _folder, net) = opened();
    let wrong = NET.replace("|> relu |>", "|> reluu |>");
    client.change(&net, 2, None, &wrong);
    let found = client.findings(&net, 2);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0]["message"].as_str().unwrap().contains("unknown layer `reluu`"));
    let (line, column) = place(&wrong, "reluu");
    assert_eq!(found[0]["range"], range(line, column, column + 5));
    let params = |line, from, to| {
        json!({
            "textDocument": { "uri": net },
            "range": range(line, from, to),
            "context": { "diagnostics": [] },
        })
    };
    let actions = client.ask("textDocument/codeAction", params(line, column, column));
    let action = &actions[0];
    assert_eq!(
        (action["title"].as_str(), &action["isPreferred"]),
        (Some("write `relu`"), &json!(true))
    );
    assert_eq!(action["edit"]["changes"][&net][0]["newText"], "relu");
    assert_eq!(action["diagnostics"][0], found[0]);
    assert_eq!(client.ask("textDocument/codeAction", params(0, 0, 0)), json!([]));
    // Shapes before the mistake stay; those behind it are not known.
    let hints = client.ask("textDocument/inlayHint", whole(&net));
    assert_eq!(labels(&hints)[1..], ["f32[N, 26, 26, 8]"]);
    client.end();
}

#[test]
fn a_shape_that_does_not_fit_has_the_places_that_it_comes_from() {
    let (mut client, _folder, net) = opened();
    client.change(&net, 2, None, &NET.replace("-> f32[N, 10]", "-> f32[N, 12]"));
    let found = client.findings(&net, 2);
    assert_eq!(found[0]["severity"], 1);
    assert!(found[0]["relatedInformation"][0]["location"]["uri"] == net.as_str(), "{found:?}");
    client.end();
}

#[test]
fn a_program_follows_the_open_text_of_a_file_that_it_uses() {
    let (mut client, folder, net) = opened();
    let parts = uri(&folder.path("parts.nn"));
    client.open(&parts, &PARTS.replace("WIDTH = 16", "WIDTH = 24"));
    let hints = client.ask("textDocument/inlayHint", whole(&net));
    assert!(labels(&hints).contains(&"f32[N, 24]".to_owned()));
    client.note("textDocument/didClose", document(&parts));
    let hints = client.ask("textDocument/inlayHint", whole(&net));
    assert!(labels(&hints).contains(&"f32[N, 16]".to_owned()));
    client.end();
}

#[test]
fn bytes_are_counted_where_a_client_offers_it() {
    let folder = super::Folder::new(&[]);
    let capabilities = json!({ "general": { "positionEncodings": ["utf-8", "utf-16"] } });
    let mut client = Client::with(folder.0.path(), capabilities);
    let uri = uri(&folder.path("fox.nn"));
    client.open(&uri, "const A = \"🦊\" + B\n");
    // An unknown name is found where a model elaborates it; a library is only parsed.
    assert_eq!(client.findings(&uri, 1), Vec::<Value>::new());
    let tokens = client.ask("textDocument/semanticTokens/full", document(&uri));
    let data = tokens["data"].as_array().unwrap();
    assert_eq!(data[3 * 5 + 2], 6, "a string of six bytes");
    client.end();
}
