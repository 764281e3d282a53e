//! How long answers take, from a client's side: printed, not judged.
//!
//! ```text
//! cargo test --release --test lsp -- --ignored --nocapture times
//! ```

use super::client::{Client, range, uri};
use super::{about, whole};
use std::time::Instant;

/// The median of several times, in milliseconds.
fn median(times: usize, mut work: impl FnMut(usize)) -> f64 {
    let mut took: Vec<f64> = (0..times)
        .map(|turn| {
            let start = Instant::now();
            work(turn);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took.sort_by(f64::total_cmp);
    took[times / 2]
}

#[test]
#[ignore = "prints times"]
fn times_of_answers() {
    let folder = std::fs::canonicalize("models").expect("a folder");
    for name in ["mnist.nn", "resnet50.nn", "gpt2_small.nn"] {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path).expect("a program");
        let uri = uri(&path);
        let piece = if name == "mnist.nn" { "dense(10)" } else { "dense(" };
        let first = median(5, |_| {
            let mut client = Client::new(&folder);
            client.open(&uri, &text);
            client.ask("textDocument/inlayHint", whole(&uri));
            client.end();
        });
        let mut client = Client::new(&folder);
        client.open(&uri, &text);
        client.findings(&uri, 1);
        let place = about(&uri, &text, piece);
        let hover = median(50, |_| drop(client.ask("textDocument/hover", place.clone())));
        let completion = median(50, |_| drop(client.ask("textDocument/completion", place.clone())));
        let edit = median(50, |turn| {
            let version = turn as i64 + 2;
            client.change(&uri, version, Some(range(0, 0, 0)), " ");
            client.findings(&uri, version);
        });
        println!(
            "{name}: first hint {first:.1} ms, hover {hover:.2} ms, completion {completion:.2} ms, \
             findings after an edit {edit:.1} ms"
        );
        client.end();
    }
}
