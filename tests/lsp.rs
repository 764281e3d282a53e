//! `nnc lsp` with a client: every request that editors make, half-typed text, positions in UTF-16, and
//! clients that cancel, send nonsense or go away.

#[path = "lsp/client.rs"]
mod client;
#[path = "lsp/completion.rs"]
mod completion;
#[path = "support/folder.rs"]
mod folder;
#[path = "lsp/hostile.rs"]
mod hostile;
#[path = "lsp/neovim.rs"]
mod neovim;
#[path = "lsp/requests.rs"]
mod requests;
#[path = "lsp/times.rs"]
mod times;
#[path = "lsp/typing.rs"]
mod typing;

use client::{Client, at, uri};
use folder::Folder;
use serde_json::{Value, json};

/// A program with what most requests are about.
const NET: &str = "use \"parts.nn\"
/// Ten shapes.
data drawn = digits(train: 100, test: 20)

model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    let hidden = image |> conv(8, 3) |> relu |> flatten
    hidden |> block(WIDTH) as body |> dense(10)
}

train net on drawn {
    loss      = cross_entropy
    optimizer = adam(lr: 1e-3)
    metrics   = [accuracy]
}
";

const PARTS: &str = "const WIDTH = 16

/// Dense and relu.
layer block(x: f32[N, D], units: int) -> f32[N, units] {
    x |> dense(units) |> relu
}
";

/// A client with `NET` open, the folder, and the address of the program.
fn opened() -> (Client, Folder, String) {
    let folder = Folder::new(&[("net.nn", NET.as_bytes()), ("parts.nn", PARTS.as_bytes())]);
    let mut client = Client::new(folder.0.path());
    let uri = uri(&folder.path("net.nn"));
    client.open(&uri, NET);
    assert_eq!(client.findings(&uri, 1), Vec::<Value>::new());
    (client, folder, uri)
}

/// The position of a piece of a text, in characters, which it has one of.
fn place(text: &str, piece: &str) -> (usize, usize) {
    let byte = text.find(piece).unwrap_or_else(|| panic!("no `{piece}`"));
    let line = text[..byte].matches('\n').count();
    (line, byte - text[..byte].rfind('\n').map_or(0, |newline| newline + 1))
}

/// The parameters of a request about the second byte of a piece of a text.
fn about(uri: &str, text: &str, piece: &str) -> Value {
    let (line, column) = place(text, piece);
    json!({ "textDocument": { "uri": uri }, "position": at(line, column + 1) })
}

/// The parameters of a request about a document.
fn document(uri: &str) -> Value {
    json!({ "textDocument": { "uri": uri } })
}

/// The same, about all of its lines.
fn whole(uri: &str) -> Value {
    let range = json!({ "start": at(0, 0), "end": at(9999, 0) });
    json!({ "textDocument": { "uri": uri }, "range": range, "context": { "diagnostics": [] } })
}

/// The labels of hints, in order.
fn labels(hints: &Value) -> Vec<String> {
    let hints = hints.as_array().expect("a list").iter();
    hints.map(|hint| hint["label"].as_str().expect("a text").trim().to_owned()).collect()
}
