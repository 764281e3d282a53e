//! Folders that are missing, empty, broken, or go away; and the end of the server.

use crate::folder::Folder;
use crate::server::{Ui, nnc};
use crate::{row, trained};
use serde_json::Value;
use std::fs;
use std::io::Write;

/// Makes a run without training.
fn make(folder: &Folder, name: &str, status: &str, events: &str) {
    let text = fs::read_to_string(trained().path("runs/first/run.json")).expect("a file");
    let mut info: Value = serde_json::from_str(&text).expect("JSON");
    info["status"] = status.into();
    info["result"] = Value::Null;
    folder.write(&format!("{name}/run.json"), info.to_string().as_bytes());
    folder.write(&format!("{name}/events.jsonl"), events.as_bytes());
    folder.write(&format!("{name}/lock"), b"");
}

fn append(folder: &Folder, name: &str, text: &str) {
    let path = folder.path(&format!("{name}/events.jsonl"));
    let mut file = fs::OpenOptions::new().append(true).open(path).expect("a log");
    file.write_all(text.as_bytes()).expect("it is written");
}

#[test]
fn a_folder_that_is_not_there_is_told_and_an_empty_one_fills() {
    let folder = Folder::new(&[("file", b"")]);
    for missing in ["runs", "file"] {
        let output = nnc(&folder, &["ui", missing]).output().expect("nnc runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with(&format!("error: cannot read the folder {missing}")), "{said}");
        assert!(said.contains("`nnc ui FOLDER`"), "{said}");
    }
    fs::create_dir(folder.path("runs")).expect("a folder");
    let ui = Ui::start(&folder, &[]);
    let page = String::from_utf8(ui.get("").body).expect("text");
    assert!(page.contains("No runs yet"), "{page}");
    assert_eq!(ui.updates(0, ""), serde_json::json!({ "version": 0 }));
    make(&folder, "runs/net", "stopped", "");
    ui.until("", |updates| updates.get("runs").is_some());
}

#[test]
fn a_line_that_is_half_written_waits_for_its_rest() {
    let folder = Folder::new(&[]);
    let whole = "{\"event\":\"epoch\",\"epoch\":1,\"train_loss\":2,\"seconds\":1}\n";
    make(&folder, "runs/net", "stopped", &format!("{whole}{{\"event\":\"epoch\",\"epo"));
    let ui = Ui::start(&folder, &["runs"]);
    let first = ui.updates(0, "");
    assert_eq!(
        (&row(&first, "net")["epoch"], &row(&first, "net")["train_loss"]),
        (&1.into(), &2.into())
    );
    append(&folder, "runs/net", "ch\":2,\"train_loss\":1,\"seconds\":1}\nno JSON\n[1]\n\n");
    let second = ui.until("", |updates| row(updates, "net")["epoch"] == 2);
    assert_eq!(row(&second, "net")["train_loss"], 1.0);
    assert_eq!(row(&second, "net")["seconds"], 2.0);
    // A log that begins anew.
    folder.write("runs/net/events.jsonl", whole.as_bytes());
    ui.until("", |updates| row(updates, "net")["epoch"] == 1);
}

#[test]
fn broken_runs_are_listed_with_the_reason() {
    let folder = Folder::new(&[
        ("runs/half/run.json", b"{\"version\": 1, "),
        ("runs/late/run.json", b"{\"version\": 7}"),
        ("runs/bytes/run.json", b"\xff\xfe"),
        ("runs/no run/notes.txt", b"hello"),
    ]);
    make(&folder, "runs/good", "finished", "");
    make(&folder, "runs/escape", "finished", "");
    let path = folder.path("runs/escape/run.json");
    let text = fs::read_to_string(&path).expect("a file");
    fs::write(&path, text.replace("\"net.nn\"", "\"../../../etc/passwd\"")).expect("a file");
    // A log that is no file holds nobody up.
    fs::create_dir_all(folder.path("runs/pipe")).expect("a folder");
    fs::copy(folder.path("runs/good/run.json"), folder.path("runs/pipe/run.json")).expect("a file");
    let pipe = folder.path("runs/pipe/events.jsonl");
    let made = std::process::Command::new("mkfifo").arg(pipe).status().expect("mkfifo runs");
    assert!(made.success());
    let ui = Ui::start(&folder, &["runs"]);
    let all = ui.updates(0, "");
    assert_eq!(all["runs"].as_array().map(Vec::len), Some(6), "{all}");
    for (name, reason) in [
        ("half", "EOF while parsing"),
        ("late", "is of version 7"),
        ("bytes", "is not UTF-8 text"),
        ("escape", "is not the name of a file"),
    ] {
        let run = row(&all, name);
        assert_eq!(run["status"], "unreadable", "{name}");
        assert!(run["reason"].as_str().expect("a reason").contains(reason), "{run}");
        let id = run["id"].as_str().expect("an id");
        assert_eq!(ui.get(&format!("run/{id}")).status, 404, "it has no page");
    }
    assert_eq!(row(&all, "pipe")["status"], "finished");
    // What is mended is shown.
    let good = fs::read(folder.path("runs/good/run.json")).expect("a file");
    folder.write("runs/half/run.json", &good);
    ui.until("", |updates| row(updates, "half")["status"] == "finished");
}

#[test]
fn a_run_that_is_deleted_goes_and_its_folder_too() {
    let folder = Folder::new(&[]);
    make(&folder, "runs/one", "finished", "");
    make(&folder, "runs/two", "finished", "");
    let ui = Ui::start(&folder, &["runs"]);
    let all = ui.updates(0, "");
    let (id, version) =
        (row(&all, "one")["id"].clone(), all["version"].as_u64().expect("a number"));
    fs::remove_dir_all(folder.path("runs/one")).expect("it goes");
    ui.until("", |updates| updates["runs"].as_array().map(Vec::len) == Some(1));
    let curves = format!("{}.0.0", id.as_str().expect("an id"));
    let news = ui.updates(version, &curves);
    assert_eq!(news["gone"], serde_json::json!([id]), "{news}");
    assert!(news.get("curves").is_none(), "{news}");
    assert_eq!(ui.get(&format!("run/{}", id.as_str().expect("an id"))).status, 404);
    fs::remove_dir_all(folder.path("runs")).expect("it goes");
    let none = ui.until("", |updates| updates.get("runs").is_none());
    assert!(
        none["problem"].as_str().expect("a sentence").starts_with("cannot read runs"),
        "{none}"
    );
}

#[test]
fn a_port_can_be_chosen_and_one_in_use_is_told() {
    let ui = Ui::start(trained(), &["runs"]);
    let port = ui.address.port().to_string();
    let output = nnc(trained(), &["ui", "runs", "--port", &port]).output().expect("nnc runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{said}");
    assert!(said.contains("`--port` takes another"), "{said}");
    ui.interrupt();
    assert_eq!(ui.end(), Some(0), "Ctrl-C ends it");
}
