//! `nnc ui` with real clients: the runs that it lists, what is new of a run that trains, who is refused,
//! folders that are broken, and the page in a browser.

#[path = "support/browser.rs"]
mod browser;
#[path = "support/folder.rs"]
mod folder;
#[path = "ui/folders.rs"]
mod folders;
#[path = "support/http.rs"]
mod http;
#[path = "ui/live.rs"]
mod live;
#[path = "ui/page.rs"]
mod page;
#[path = "ui/refused.rs"]
mod refused;
#[path = "ui/server.rs"]
mod server;

use folder::Folder;
use serde_json::Value;
use server::Ui;
use std::sync::OnceLock;

const PROGRAM: &str = "data drawn = digits(train: 160, test: 40, validation: 0.1)
model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] { image |> flatten |> dense(10) }
train net on drawn {
    loss      = cross_entropy
    optimizer = adam(lr: 1e-2)
    epochs    = 3
    batch     = 32
    metrics   = [accuracy]
}
";

/// A folder with two runs in `runs`, one of them in a folder of its own; made once.
fn trained() -> &'static Folder {
    static RUNS: OnceLock<Folder> = OnceLock::new();
    RUNS.get_or_init(|| {
        let folder = Folder::new(&[("net.nn", PROGRAM.as_bytes())]);
        folder.good(&["run", "net.nn", "--out", "runs/first", "--quiet"]);
        let more = ["--set", "lr=1e-3", "--epochs", "2", "--quiet"];
        folder.good(&[&["run", "net.nn", "--out", "runs/group/second"], &more[..]].concat());
        folder
    })
}

/// The row of a run by its name.
#[track_caller]
fn row<'v>(updates: &'v Value, name: &str) -> &'v Value {
    let mut rows = updates["runs"].as_array().into_iter().flatten();
    rows.find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {updates}"))
}

fn setting<'v>(row: &'v Value, name: &str) -> Option<&'v str> {
    let mut settings = row["settings"].as_array()?.iter();
    settings.find(|pair| pair[0] == name)?[1].as_str()
}

#[test]
fn runs_are_listed_with_what_tells_them_apart() {
    let ui = Ui::start(trained(), &["runs"]);
    let all = ui.updates(0, "");
    assert_eq!(all["runs"].as_array().map(Vec::len), Some(2), "{all}");
    let (first, second) = (row(&all, "first"), row(&all, "group/second"));
    let result = std::fs::read_to_string(trained().path("runs/first/run.json")).expect("a file");
    let result: Value = serde_json::from_str(&result).expect("JSON");
    let test = &result["result"]["test"];
    assert_eq!((&first["status"], &first["model"]), (&"finished".into(), &"net".into()));
    assert_eq!((&first["epoch"], &first["epochs"]), (&3.into(), &3.into()));
    assert_eq!(first["parameters"], 7850);
    assert_eq!(first["started"], result["started"]);
    let close = |shown: &Value, known: &Value| {
        let (shown, known) = (shown.as_f64().expect("shown"), known.as_f64().expect("known"));
        assert!((shown - known).abs() <= 1e-6 * known.abs(), "{shown} and {known}");
    };
    close(&first["test"]["loss"], &test["loss"]);
    close(&first["test"]["metrics"][0][1], &test["metrics"][0][1]);
    assert_eq!(
        (&first["best"]["metric"], &first["best"]["split"]),
        (&"accuracy".into(), &"validation".into())
    );
    assert_eq!(setting(first, "optimizer.lr"), Some("1e-2"));
    assert_eq!(setting(second, "optimizer.lr"), Some("1e-3"));
    assert_eq!((setting(first, "epochs"), setting(second, "epochs")), (Some("3"), Some("2")));
    assert_eq!(setting(first, "model"), setting(second, "model"));
    let version = all["version"].as_u64().expect("a number");
    let nothing = ui.updates(version, "");
    assert_eq!(nothing, serde_json::json!({ "version": version }), "nothing is new");
}

#[test]
fn curves_are_those_of_the_log_and_only_what_is_new() {
    let ui = Ui::start(trained(), &["runs"]);
    let all = ui.updates(0, "");
    let id = row(&all, "first")["id"].as_str().expect("an id").to_owned();
    let curves = &ui.updates(0, &format!("{id}.0.0"))["curves"][0];
    let columns: Vec<&str> =
        curves["columns"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
    let place = columns.iter().position(|name| *name == "val_accuracy").expect("a column");
    let log = std::fs::read_to_string(trained().path("runs/first/metrics.csv")).expect("a file");
    let header: Vec<&str> = log.lines().next().expect("a header").split(',').collect();
    let known = header.iter().position(|name| *name == "val_accuracy").expect("a column");
    let rows = curves["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 3);
    for (row, line) in rows.iter().zip(log.lines().skip(1)) {
        let known: f64 = line.split(',').nth(known).expect("a cell").parse().expect("a number");
        let shown = row[place].as_f64().expect("a number");
        assert!((shown - known).abs() < 1e-6, "{shown} and {known}");
    }
    let some = &ui.updates(0, &format!("{id}.0.2"))["curves"][0];
    assert_eq!((&some["from"], &some["rows"]), (&2.into(), &serde_json::json!([rows[2]])));
    let all = ui.updates(0, &format!("{id}.0.3"));
    assert!(all.get("curves").is_none(), "{all}");
    let other = &ui.updates(0, &format!("{id}.9.3"))["curves"][0];
    assert_eq!(other["rows"].as_array().map(Vec::len), Some(3), "rows that went are sent anew");
}

#[test]
fn programs_of_two_runs_differ_in_the_lines_that_were_set() {
    let ui = Ui::start(trained(), &["runs"]);
    let all = ui.updates(0, "");
    let id = |name: &str| row(&all, name)["id"].as_str().expect("an id").to_owned();
    let (first, second) = (id("first"), id("group/second"));
    let told = ui.get(&format!("difference?runs={first},{second}")).json();
    assert_eq!((&told["files"][0]["file"], &told["cut"]), (&"net.nn".into(), &false.into()));
    let lines = told["files"][0]["groups"][0].as_array().expect("lines");
    let of = |sign: &str| -> Vec<&str> {
        let changed = lines.iter().filter(|line| line[0] == sign);
        changed.map(|line| line[1].as_str().expect("a line").trim()).collect()
    };
    assert_eq!(of("-"), ["optimizer = adam(lr: 1e-2)", "epochs    = 3"]);
    assert_eq!(of("+"), ["optimizer = adam(lr: 1e-3)", "epochs    = 2"]);
    let same = ui.get(&format!("difference?runs={first},{first}")).json();
    assert_eq!(same["files"], serde_json::json!([]));
    assert_eq!(ui.get(&format!("difference?runs={first},000000000000")).status, 404);
    assert_eq!(ui.get("difference?runs=first,../second").status, 400);
}

#[test]
fn a_run_has_its_own_page_without_scripts() {
    let ui = Ui::start(trained(), &["runs"]);
    let all = ui.updates(0, "");
    let first = row(&all, "first");
    assert_eq!(first["report"], true);
    let answer = ui.get(&format!("run/{}", first["id"].as_str().expect("an id")));
    let known = std::fs::read(trained().path("runs/first/report.html")).expect("a file");
    assert_eq!((answer.status, answer.body == known), (200, true));
    let policy = answer.header("Content-Security-Policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none';") && policy.ends_with("sandbox"), "{policy}");
    assert!(!policy.contains("script-src"), "{policy}");
    // A run alone can be named as well.
    let ui = Ui::start(trained(), &["runs/first"]);
    row(&ui.updates(0, ""), "first");
}
