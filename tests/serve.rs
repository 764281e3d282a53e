//! `nnc serve` with real clients: every endpoint, every bad request that HTTP allows to be made, batches,
//! the end by Ctrl-C, and the page in a browser.

#[path = "serve/batches.rs"]
mod batches;
#[path = "support/browser.rs"]
mod browser;
#[path = "serve/client.rs"]
mod client;
#[path = "serve/endpoints.rs"]
mod endpoints;
#[path = "support/folder.rs"]
mod folder;
#[path = "serve/hostile.rs"]
mod hostile;
#[path = "support/http.rs"]
mod http;
#[path = "serve/page.rs"]
mod page;

use client::Server;
use folder::Folder;
use serde_json::{Value, json};
use std::sync::OnceLock;

const IMAGES: &str = "data drawn = digits(train: 160, test: 40, validation: 0.1)
model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> conv(4, 3) |> relu |> max_pool(2) |> flatten |> dense(10)
}
train net on drawn {
    loss      = cross_entropy
    optimizer = adam(lr: 1e-2)
    epochs    = 1
    batch     = 16
}
";

const ROWS: &str = "data d = csv(\"t.csv\") {
    a = number |> standardize
    kind = category(closed: true)
    y = number |> standardize as target
}
model net(a: f32[N], kind: i32[N]) -> f32[N] {
    concat([reshape(a, [N, 1]), kind |> embedding(d.kind.count, 2)]) |> dense(1) |> reshape([N])
}
train net on d {
    loss      = mse
    optimizer = adam(lr: 0.1)
    epochs    = 40
}
";

const TEXT: &str = "data rhyme = text(\"rhyme.txt\", tokens: chars, window: 12, stride: 3)
model net(tokens: i32[N, 12]) -> f32[N, 12, 24] { tokens |> embedding(24, 16) |> gru(16) |> dense(24) }
train net on rhyme {
    loss      = cross_entropy
    optimizer = adam(lr: 1e-2)
    epochs    = 1
    batch     = 16
}
";

/// A folder with the runs `images`, `rows` and `text`, whose data are gone; made once.
fn runs() -> &'static Folder {
    static RUNS: OnceLock<Folder> = OnceLock::new();
    RUNS.get_or_init(|| {
        let row = |index: usize| format!("{index},{},{}\n", ["u", "v"][index % 2], 3 * index + 1);
        let table = "a,kind,y\n".to_owned() + &(0..40).map(row).collect::<String>();
        let rhyme = "one two buckle my shoe\nthree four knock at the door\n".repeat(20);
        let folder = Folder::new(&[
            ("images.nn", IMAGES.as_bytes()),
            ("rows.nn", ROWS.as_bytes()),
            ("text.nn", TEXT.as_bytes()),
            ("t.csv", table.as_bytes()),
            ("rhyme.txt", rhyme.as_bytes()),
        ]);
        for name in ["images", "rows", "text"] {
            folder.good(&["run", &format!("{name}.nn"), "--out", name, "--quiet"]);
        }
        std::fs::remove_file(folder.path("t.csv")).expect("the table");
        std::fs::remove_file(folder.path("rhyme.txt")).expect("the text");
        folder
    })
}

/// The pixels of an image, others for each number.
fn pixels(number: usize) -> Vec<u8> {
    (0..784).map(|at| ((at * (number + 3)) % 251) as u8 ^ (number as u8)).collect()
}

/// A request of the protocol for images by their numbers.
fn images(numbers: &[usize]) -> Value {
    let data: Vec<u8> = numbers.iter().flat_map(|&number| pixels(number)).collect();
    let shape = json!([numbers.len(), 28, 28, 1]);
    json!({ "inputs": [{ "name": "image", "shape": shape, "datatype": "UINT8", "data": data }] })
}
