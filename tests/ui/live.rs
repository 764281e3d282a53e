//! Runs that train while they are shown.

use crate::folder::Folder;
use crate::server::{Ui, nnc, signal};
use crate::{PROGRAM, row};
use serde_json::Value;
use std::process::Child;

/// A run that trains for longer than any test waits, and ends with the test.
struct Training(Child);

impl Training {
    fn start(folder: &Folder, out: &str) -> Training {
        let args = ["run", "net.nn", "--out", out, "--quiet", "--epochs", "1000000"];
        Training(nnc(folder, &args).spawn().expect("nnc runs"))
    }

    fn end(&mut self, name: &str) {
        signal(&self.0, name);
        self.0.wait().expect("it ends");
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn status_is(name: &'static str, status: &'static str) -> impl Fn(&Value) -> bool {
    move |updates| {
        let mut rows = updates["runs"].as_array().into_iter().flatten();
        rows.any(|row| row["name"] == name && row["status"] == status)
    }
}

#[test]
fn epochs_of_a_run_appear_as_they_end() {
    let folder = Folder::new(&[("net.nn", PROGRAM.as_bytes()), ("runs/.keep", b"")]);
    let ui = Ui::start(&folder, &[]);
    assert!(ui.updates(0, "").get("runs").is_none(), "there are no runs yet");
    let mut training = Training::start(&folder, "runs/net");
    let epoch = |updates: &Value| row(updates, "net")["epoch"].as_u64().expect("a number");
    let first = ui.until("", |updates| status_is("net", "running")(updates) && epoch(updates) >= 2);
    let run = row(&first, "net");
    assert_eq!((&run["epochs"], &run["parameters"]), (&1_000_000.into(), &7850.into()));
    assert_eq!((&run["report"], &run["test"]), (&false.into(), &Value::Null));
    let id = run["id"].as_str().expect("an id").to_owned();
    let known = ui.updates(0, &format!("{id}.0.0"));
    let known = known["curves"][0]["rows"].as_array().expect("rows").clone();
    let version = first["version"].as_u64().expect("a number");
    let curves = format!("{id}.0.{}", known.len());
    let new = ui.until(&curves, |updates| updates.get("curves").is_some());
    assert_eq!(new["curves"][0]["from"], known.len(), "only what is new is sent");
    let row_of_new = new["curves"][0]["rows"][0][0].as_u64().expect("an epoch");
    assert_eq!(row_of_new, known.len() as u64 + 1);
    let since = ui.updates(version, "");
    assert_eq!(row(&since, "net")["id"], id, "the run has changed since");
    assert!(row(&since, "net").get("settings").is_none(), "settings are sent once: {since}");
    assert!(row(&first, "net").get("settings").is_some());
    // A page that asks is no reason for a run not to begin or go on.
    training.end("-INT");
    let stopped = ui.until("", status_is("net", "stopped"));
    assert!(epoch(&stopped) >= row_of_new);
    assert_eq!(row(&stopped, "net")["report"], true);
}

#[test]
fn a_run_whose_process_is_gone_is_told_from_one_that_trains() {
    let folder = Folder::new(&[("net.nn", PROGRAM.as_bytes()), ("runs/.keep", b"")]);
    let ui = Ui::start(&folder, &["runs"]);
    let mut training = Training::start(&folder, "runs/net");
    ui.until("", status_is("net", "running"));
    training.end("-KILL");
    ui.until("", status_is("net", "killed"));
    // It goes on, and makes its epochs again.
    let resumed = nnc(&folder, &["run", "--resume=runs/net", "--quiet"]).spawn().expect("nnc runs");
    let mut training = Training(resumed);
    ui.until("", status_is("net", "running"));
    training.end("-INT");
    ui.until("", status_is("net", "stopped"));
}
