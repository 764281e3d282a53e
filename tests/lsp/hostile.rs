//! Clients that cancel, send nonsense, flood or go away; memory after many edits.

use super::client::{Client, at, range, uri};
use super::{Folder, NET, about, document, opened, whole};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[test]
fn a_request_that_is_cancelled_while_it_waits_is_answered_so() {
    let (mut client, _folder, net) = opened();
    // The first keeps the server busy while the others come.
    let first = client.begin("workspace/symbol", json!({ "query": "" }));
    let waiting: Vec<i64> =
        (0..50).map(|_| client.begin("textDocument/inlayHint", whole(&net))).collect();
    for id in &waiting {
        client.note("$/cancelRequest", json!({ "id": id }));
    }
    assert!(client.response(first)["result"].is_array());
    let answers: Vec<Value> = waiting.iter().map(|id| client.response(*id)).collect();
    for answer in &answers {
        let cancelled = answer["error"]["code"] == -32800;
        assert!(cancelled || answer["result"].is_array(), "each is answered once: {answer}");
    }
    // One that is answered already, or never was, is no matter.
    client.note("$/cancelRequest", json!({ "id": waiting[0] }));
    client.note("$/cancelRequest", json!({ "id": "unknown" }));
    assert!(client.ask("textDocument/hover", about(&net, NET, "conv(8")).is_object());
    client.end();
}

#[test]
fn nonsense_is_refused_and_the_next_request_is_answered() {
    let (mut client, _folder, net) = opened();
    assert!(client.refused("textDocument/hover", json!(7)).contains("invalid type"));
    assert!(client.refused("textDocument/telepathy", json!({})).contains("no such request"));
    let unknown = json!({ "textDocument": { "uri": "file:///no.nn" }, "position": at(0, 0) });
    assert!(client.refused("textDocument/hover", unknown).contains("is not open"));
    client.note("textDocument/didChange", json!({ "textDocument": 3 }));
    client.note("textDocument/didClose", json!({ "textDocument": { "uri": "file:///no.nn" } }));
    client.note("$/unheardOf", json!({}));
    client.change(&net, 2, Some(json!({ "start": at(99, 99), "end": at(0, 7) })), "\n");
    let far =
        json!({ "textDocument": { "uri": net }, "position": at(4_000_000_000, 4_000_000_000) });
    for method in ["hover", "completion", "signatureHelp", "definition", "references"] {
        client.ask(&format!("textDocument/{method}"), far.clone());
    }
    let bugs: Vec<_> =
        client.logged().into_iter().filter(|it| it.to_string().contains("bug")).collect();
    assert_eq!(bugs, Vec::<Value>::new());
    client.end();
}

#[test]
fn texts_that_are_no_files_are_analysed_too() {
    let folder = Folder::new(&[]);
    let mut client = Client::new(folder.0.path());
    let text = "model net(x: f32[N, 4]) -> f32[N, 2] { x |> dense(2) }\n";
    for uri in ["untitled:Untitled-1", "file:///nowhere/at/all/a%20b.nn"] {
        client.open(uri, text);
        assert_eq!(client.findings(uri, 1), Vec::<Value>::new());
        let hints = client.ask("textDocument/inlayHint", whole(uri));
        assert_eq!(super::labels(&hints), ["f32[N, 2]"]);
        assert!(client.ask("textDocument/references", about(uri, text, "net(")).is_array());
    }
    client.end();
}

#[test]
fn a_text_of_four_megabytes_is_refused_quickly() {
    let folder = Folder::new(&[]);
    let mut client = Client::new(folder.0.path());
    let uri = uri(&folder.path("large.nn"));
    let text = "const A = 1 // 🦊 \n".repeat((4 << 20) / 20);
    let start = Instant::now();
    client.open(&uri, &text);
    let found = client.findings(&uri, 1);
    assert!(found[0]["message"].as_str().unwrap().contains("bytes"), "{found:?}");
    client.ask(
        "textDocument/semanticTokens/range",
        json!({ "textDocument": { "uri": uri }, "range": range(0, 0, 9) }),
    );
    assert!(start.elapsed() < Duration::from_secs(30));
    client.end();
}

#[test]
fn files_that_go_away_or_come_are_noticed() {
    let (mut client, folder, net) = opened();
    let parts = folder.path("parts.nn");
    std::fs::rename(&parts, folder.path("renamed.nn")).unwrap();
    client.note(
        "workspace/didChangeWatchedFiles",
        json!({ "changes": [{ "uri": uri(&parts), "type": 3 }] }),
    );
    client.change(&net, 2, Some(range(1, 0, 0)), "");
    let found = client.findings(&net, 2);
    assert!(found[0]["message"].as_str().unwrap().contains("parts.nn"), "{found:?}");
    client.change(&net, 3, Some(range(0, 5, 10)), "renamed");
    assert_eq!(client.findings(&net, 3), Vec::<Value>::new());
    client.end();
}

#[test]
fn a_client_that_goes_away_ends_the_server() {
    let (client, _folder, _) = opened();
    assert_eq!(client.vanish().code(), Some(1), "it did not say so");
    let folder = Folder::new(&[]);
    assert_ne!(Client::silent(folder.0.path()).vanish().code(), Some(101));
    let mut client = Client::silent(folder.0.path());
    client.raw(b"Content-Length: 12\r\n\r\n{\"jsonrpc\": \r\n");
    assert_ne!(client.vanish().code(), Some(101));
}

#[test]
fn two_clients_do_not_know_each_other() {
    let (mut one, folder, net) = opened();
    let mut two = Client::new(folder.0.path());
    two.open(&net, &NET.replace("conv(8, 3)", "conv(4, 3)"));
    let of = |client: &mut Client| {
        super::labels(&client.ask("textDocument/inlayHint", whole(&net)))[2].clone()
    };
    assert_eq!(
        (of(&mut one), of(&mut two)),
        ("f32[N, 26, 26, 8]".into(), "f32[N, 26, 26, 4]".into())
    );
    one.end();
    two.end();
}

/// Kilobytes of memory of a process, where the system tells.
fn memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Pairs of edits, of which the first leave what they leave, and the later ones nothing.
fn edits_leave_no_memory(first: usize, later: usize) {
    let (mut client, _folder, net) = opened();
    let mut version = 1;
    let mut edit = |client: &mut Client, times: usize| {
        for _ in 0..times {
            version += 2;
            // A name that is new each time, and its end again.
            let typed = format!("x{version}");
            client.change(&net, version - 1, Some(range(5, 8, 8)), &typed);
            client.ask("textDocument/hover", about(&net, NET, "conv(8"));
            client.change(&net, version, Some(range(5, 8, 8 + typed.len())), "");
        }
        client.findings(&net, version);
    };
    edit(&mut client, first);
    let Some(before) = memory(client.pid()) else { return };
    edit(&mut client, later);
    let after = memory(client.pid()).expect("the server runs");
    println!("{before} kB after {} edits, {after} kB after {}", 2 * first, 2 * (first + later));
    assert!(after < before + 6 * 1024, "from {before} to {after} kB");
    assert!(client.ask("textDocument/documentSymbol", document(&net)).is_array());
    client.end();
}

#[test]
fn a_thousand_edits_leave_no_memory_behind() {
    edits_leave_no_memory(150, 350);
}

#[test]
#[ignore = "a minute"]
fn ten_thousand_edits_leave_no_memory_behind() {
    edits_leave_no_memory(500, 4_500);
}
