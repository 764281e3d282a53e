//! Completion and signatures: what is offered depends on the place.

use super::client::{Client, at, uri};
use super::{Folder, NET, PARTS};
use serde_json::{Value, json};

/// A client, and the address of a program.
struct Typist {
    client: Client,
    _folder: Folder,
    uri: String,
    version: i64,
}

impl Typist {
    fn new() -> Typist {
        let table = b"size,kind\n1,a\n2,b\n3,a\n";
        let folder = Folder::new(&[
            ("net.nn", NET.as_bytes()),
            ("parts.nn", PARTS.as_bytes()),
            ("rows/t.csv", table),
        ]);
        let mut client = Client::new(folder.0.path());
        let uri = uri(&folder.path("net.nn"));
        client.open(&uri, NET);
        Typist { client, _folder: folder, uri, version: 1 }
    }

    /// The answer at the `│` of a text.
    fn ask(&mut self, method: &str, marked: &str) -> Value {
        let byte = marked.find('│').expect("a cursor");
        let text = marked.replace('│', "");
        self.version += 1;
        self.client.change(&self.uri, self.version, None, &text);
        let line = text[..byte].matches('\n').count();
        let column = text[..byte].rsplit('\n').next().unwrap_or_default().encode_utf16().count();
        let document = json!({ "uri": self.uri });
        self.client.ask(method, json!({ "textDocument": document, "position": at(line, column) }))
    }

    fn labels(&mut self, marked: &str) -> Vec<String> {
        let answer = self.ask("textDocument/completion", marked);
        let items = answer["items"].as_array().expect("a list").iter();
        items.map(|item| item["label"].as_str().unwrap().to_owned()).collect()
    }

    /// What is offered in a `NET` with another text in the place of a piece.
    #[track_caller]
    fn offers(&mut self, piece: &str, marked: &str, wanted: &[&str], unwanted: &[&str]) {
        assert!(NET.contains(piece));
        let labels = self.labels(&NET.replacen(piece, marked, 1));
        for label in wanted {
            assert!(labels.iter().any(|it| it == label), "no {label} at {marked}: {labels:?}");
        }
        for label in unwanted {
            assert!(!labels.iter().any(|it| it == label), "{label} at {marked}");
        }
    }
}

#[test]
fn the_place_decides_what_is_offered() {
    let mut it = Typist::new();
    it.offers(
        "|> relu",
        "|> re│",
        &["relu", "block", "dense", "repeat", "reshape"],
        &["adam", "net"],
    );
    it.offers("|> relu", "|> │\n", &["relu"], &["epochs"]);
    it.offers("conv(8, 3)", "conv(8, │", &["size:", "stride:", "pad:", "image", "WIDTH"], &["x:x"]);
    it.offers("conv(8, 3)", "conv(8, 3, pad: │)", &["same", "valid"], &["stride:"]);
    it.offers("conv(8, 3)", "conv(8, 3, init: │)", &["he_normal", "zeros"], &[]);
    it.offers("block(WIDTH)", "block(│)", &["units:", "WIDTH", "hidden", "image"], &[]);
    it.offers(
        "    metrics",
        "    │\n    metrics",
        &["epochs", "batch", "freeze"],
        &["loss", "dense"],
    );
    it.offers("= cross_entropy", "= │", &["cross_entropy", "mse"], &["accuracy", "dense"]);
    it.offers("[accuracy]", "[│]", &["accuracy", "top_k"], &["cosine"]);
    it.offers("adam(lr: 1e-3)", "│", &["adam", "sgd"], &["dense"]);
    it.offers("adam(lr: 1e-3)", "adam(│", &["lr:", "beta1:"], &[]);
    it.offers("adam(lr: 1e-3)", "adam(lr: │)", &["cosine", "one_cycle"], &["beta1:"]);
    it.offers("train net on drawn", "train │ on drawn", &["net"], &["dense"]);
    it.offers("train net on drawn", "train net on │", &["drawn"], &["net"]);
    it.offers("digits(train", "│", &["digits", "mnist", "csv"], &["dense"]);
    it.offers("test: 20)", "test: 20) |> │", &["normalize", "random_flip"], &["relu"]);
    it.offers("test: 20)", "│)", &["seed:", "test:"], &["train:"]);
    it.offers("image: f32[", "image: │[", &["f32", "int"], &["dense"]);
    it.offers(
        "-> f32[N, 10] {",
        "-> f32[N, drawn.│] {",
        &["classes", "image", "label"],
        &["dense"],
    );
    it.offers("/// Ten shapes.", "│", &["model", "layer", "train"], &["dense"]);
    it.offers("/// Ten shapes.", "/// lay│", &["model"], &["dense"]);
    it.client.end();
}

#[test]
fn forms_are_for_clients_that_fill_them_in() {
    let folder = Folder::new(&[]);
    for snippets in [true, false] {
        let item = json!({ "snippetSupport": snippets });
        let capabilities = json!({ "textDocument": { "completion": { "completionItem": item } } });
        let mut client = Client::with(folder.0.path(), capabilities);
        let uri = uri(&folder.path("new.nn"));
        client.open(&uri, "");
        let here = json!({ "textDocument": { "uri": uri }, "position": at(0, 0) });
        let answer = client.ask("textDocument/completion", here);
        let text = answer["items"][3]["insertText"].as_str().unwrap_or_default().to_owned();
        assert_eq!(text.starts_with("train ${1:net} on"), snippets, "{answer}");
        client.end();
    }
}

#[test]
fn strings_are_files_and_paths_of_parameters() {
    let mut it = Typist::new();
    it.offers("\"parts.nn\"", "\"│\"", &["parts.nn", "rows"], &["t.csv"]);
    it.offers("digits(train: 100, test: 20)", "csv(\"rows/│\")", &["t.csv"], &["parts.nn"]);
    it.offers(
        "    metrics",
        "    freeze = [\"│\"]\n    metrics",
        &["conv.weight", "body.dense.bias", "dense.weight"],
        &["parts.nn"],
    );
    it.client.end();
}

#[test]
fn fields_of_a_table_are_offered() {
    let mut it = Typist::new();
    let text = "data t = csv(\"rows/t.csv\") {\n    size = number\n    kind = category as target\n}\n\
                model net(size: f32[N]) -> f32[N, t.│] {\n    size\n}\n";
    let labels = it.labels(text);
    assert_eq!(labels, ["size", "kind", "classes"]);
    assert!(it.labels(&text.replace("t.│", "t.kind.│")).contains(&"count".to_owned()));
    assert!(
        it.labels(&text.replace("= number", "= │").replace("t.│", "2"))
            .contains(&"numbers".to_owned())
    );
    it.client.end();
}

#[test]
fn a_signature_says_which_parameter_is_typed() {
    let mut it = Typist::new();
    let mut active = |piece: &str, marked: &str| {
        let help = it.ask("textDocument/signatureHelp", &NET.replacen(piece, marked, 1));
        let signature = &help["signatures"][0];
        let label: Vec<u16> =
            signature["label"].as_str().unwrap_or_default().encode_utf16().collect();
        let index = help["activeParameter"].as_u64().unwrap_or(99) as usize;
        let range = &signature["parameters"][index]["label"];
        let (from, to) = (range[0].as_u64().unwrap_or(0), range[1].as_u64().unwrap_or(0));
        String::from_utf16(&label[from as usize..to as usize]).unwrap()
    };
    assert_eq!(active("conv(8, 3)", "conv(│"), "filters");
    assert_eq!(active("conv(8, 3)", "conv(8, │"), "size");
    assert_eq!(active("conv(8, 3)", "conv(8, 3, groups: │)"), "groups");
    assert_eq!(active("conv(8, 3)", "conv(8, [3, │"), "size");
    assert_eq!(active("adam(lr: 1e-3)", "adam(│"), "lr");
    assert_eq!(active("adam(lr: 1e-3)", "adam(lr: cosine(1e-3, │"), "floor");
    assert_eq!(active("block(WIDTH)", "block(│)"), "units");
    let none = it.ask("textDocument/signatureHelp", &NET.replacen("conv(8, 3)", "conv(8, 3) │", 1));
    assert_eq!(none, Value::Null);
    it.client.end();
}
