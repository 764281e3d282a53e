//! All runs below a folder, looked for anew whenever a page asks, and what of them is new to it.
//!
//! ```text
//! runs/mnist/run.json                  mnist
//! runs/mnist-sweep/lr=1e-3/run.json    mnist-sweep/lr=1e-3
//! ```
//!
//! The library counts its changes. A page that knows the count of its last visit gets the runs that have
//! changed since, and the names of those that are gone. Runs are asked for by ids, which are hashes of their
//! names: nothing that a request says becomes part of a path.

use super::watched::WatchedRun;
use crate::base::shown::Show;
use crate::run::RunFolder;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How deep below the folder runs are looked for: a folder of sweeps has runs two levels down.
const DEPTH: usize = 4;
/// The most runs that are shown.
const MOST_RUNS: usize = 5000;
/// The most entries of folders that are looked at.
const MOST_ENTRIES: usize = 100_000;
/// Folders are not looked at again within this time, however many pages ask.
const REST: Duration = Duration::from_millis(200);

/// A page waits no longer for runs to be read for the first time: it gets those that were, and asks again.
const PATIENCE: Duration = Duration::from_millis(300);

/// The runs below a folder.
pub(super) struct RunLibrary {
    root: PathBuf,
    runs: BTreeMap<String, WatchedRun>,
    /// Runs that are gone, and when they went.
    gone: BTreeMap<String, u64>,
    /// Counts changes.
    version: u64,
    looked: Option<Instant>,
    /// How long a look may read runs that were not read before.
    patience: Duration,
    /// Runs that were found and not read yet.
    unread: usize,
    /// The reason why runs are missing.
    problem: Option<String>,
}

/// How far a page is with the epochs of a run: so many rows of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CurvePosition {
    /// The run.
    pub id: String,
    /// The generation of its rows.
    pub generation: u64,
    /// How many rows of it the page has.
    pub rows: usize,
}

impl RunLibrary {
    /// Of a folder that may have no runs yet.
    pub fn new(root: PathBuf) -> RunLibrary {
        let (runs, gone) = (BTreeMap::new(), BTreeMap::new());
        let (version, looked, patience, unread, problem) = (0, None, PATIENCE, 0, None);
        RunLibrary { root, runs, gone, version, looked, patience, unread, problem }
    }

    /// A run by its id.
    pub fn run(&self, id: &str) -> Option<&WatchedRun> {
        self.runs.get(id)
    }

    /// Everything that is new since a version, and the rows behind what a page has of some runs.
    pub fn updates(&mut self, since: u64, curves: &[CurvePosition]) -> Value {
        self.refresh();
        let mut object = json!({ "version": self.version });
        // A page of an earlier version than the first has no runs, so none of them is gone for it.
        let is_new = |changed: u64| changed > since;
        let runs = self.runs.iter().filter(|(_, run)| is_new(run.changed));
        let runs: Vec<Value> = runs.map(|(id, run)| run.json(id, since)).collect();
        let gone = self.gone.iter().filter(|(_, when)| since > 0 && is_new(**when));
        let gone: Vec<&String> = gone.map(|(id, _)| id).collect();
        let curves = curves.iter().filter_map(|at| {
            let log = self.runs.get(&at.id)?.log();
            if log.position() == json!([at.generation, at.rows]) {
                return None;
            }
            let mut rows = log.since(at.generation, at.rows);
            rows["id"] = json!(at.id);
            Some(rows)
        });
        let curves: Vec<Value> = curves.collect();
        let parts = [("runs", json!(runs)), ("gone", json!(gone)), ("curves", json!(curves))];
        for (name, part) in parts {
            if part.as_array().is_some_and(|part| !part.is_empty()) {
                object[name] = part;
            }
        }
        if self.unread > 0 {
            object["unread"] = json!(self.unread);
        }
        if let Some(problem) = &self.problem {
            object["problem"] = json!(problem);
        }
        object
    }

    /// Looks at the folders again, unless that was just done and left nothing.
    fn refresh(&mut self) {
        let is_done = self.unread == 0;
        if is_done && self.looked.is_some_and(|looked| looked.elapsed() < REST) {
            return;
        }
        let start = Instant::now();
        let mut found = FoundRuns { root: &self.root, left: MOST_ENTRIES, runs: Vec::new() };
        self.problem = found.look().err();
        let there: BTreeSet<String> = found.runs.iter().map(|run| id(&run.1)).collect();
        let version = self.version + 1;
        let (mut changed, mut is_late) = (false, false);
        self.unread = 0;
        for (path, name) in found.runs {
            let id = id(&name);
            let is_new = !self.runs.contains_key(&id);
            if is_new && is_late {
                self.unread += 1;
                continue;
            }
            let run = self.runs.entry(id.clone()).or_insert_with(|| WatchedRun::new(path, name));
            changed |= run.refresh(version);
            self.gone.remove(&id);
            // One at least is read.
            is_late |= is_new && start.elapsed() >= self.patience;
        }
        self.runs.retain(|id, _| {
            let stays = there.contains(id);
            if !stays {
                self.gone.insert(id.clone(), version);
                changed = true;
            }
            stays
        });
        self.version += u64::from(changed);
        self.looked = Some(Instant::now());
    }
}

/// The id of a run by its name.
fn id(name: &str) -> String {
    blake3::hash(name.as_bytes()).to_hex()[..12].to_owned()
}

/// Folders of runs that were found, with their names.
struct FoundRuns<'r> {
    root: &'r Path,
    /// Entries that may still be looked at.
    left: usize,
    runs: Vec<(PathBuf, String)>,
}

impl FoundRuns<'_> {
    /// Finds all runs; why there may be more than were found.
    fn look(&mut self) -> Result<(), String> {
        let root = self.root.to_path_buf();
        if RunFolder::is_one(&root) {
            let name = std::path::absolute(&root).ok();
            let name = name.as_deref().and_then(Path::file_name).unwrap_or(root.as_os_str());
            let name = name.to_string_lossy().into_owned();
            self.runs.push((root, name));
            return Ok(());
        }
        let entries = fs::read_dir(&root)
            .map_err(|error| format!("cannot read {}: {error}", root.shown()))?;
        self.look_into(entries, "", 1);
        if self.left == 0 || self.runs.len() >= MOST_RUNS {
            let root = root.shown();
            return Err(format!("{root} holds more than is looked at: not all runs are shown"));
        }
        Ok(())
    }

    fn look_into(&mut self, entries: fs::ReadDir, before: &str, depth: usize) {
        for entry in entries.flatten() {
            if self.left == 0 || self.runs.len() >= MOST_RUNS {
                return;
            }
            self.left -= 1;
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_file() {
                continue;
            }
            let path = entry.path();
            let name = format!("{before}{}", entry.file_name().to_string_lossy());
            // A link may lead to a run; what else it leads to is not looked into, since that may have no
            // end.
            if RunFolder::is_one(&path) {
                self.runs.push((path, name));
            } else if kind.is_dir()
                && depth < DEPTH
                && let Ok(inside) = fs::read_dir(&path)
            {
                self.look_into(inside, &format!("{name}/"), depth + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunInfo;

    fn make(folder: &Path, text: &str) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("run.json"), text).unwrap();
    }

    fn names(updates: &Value) -> Vec<&str> {
        let runs = updates["runs"].as_array().into_iter().flatten();
        runs.map(|run| run["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_page_gets_what_is_new_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let info = serde_json::to_string(&RunInfo::new("net", String::new())).unwrap();
        make(&at("one"), &info);
        make(&at("sweep/lr=1"), "{");
        make(&at("one/inside"), &info);
        make(&at("a/b/c/d/e"), &info);
        let mut library = RunLibrary::new(folder.path().to_path_buf());
        library.patience = Duration::MAX;
        let mut updates = |since| {
            library.looked = None;
            library.updates(since, &[])
        };
        let first = updates(0);
        let mut found = names(&first);
        found.sort_unstable();
        assert_eq!(found, ["one", "sweep/lr=1"]);
        let version = first["version"].as_u64().unwrap();
        assert_eq!(updates(version), json!({ "version": version }), "nothing is new");
        make(&at("sweep/lr=1"), &info);
        let second = updates(version);
        assert_eq!(names(&second), ["sweep/lr=1"]);
        fs::remove_dir_all(at("one")).unwrap();
        let third = updates(version + 1);
        assert_eq!((names(&third).len(), third["gone"].as_array().unwrap().len()), (0, 1));
        assert!(updates(0).get("gone").is_none(), "a new page never had it");
        fs::remove_dir_all(folder.path()).unwrap();
        let last = updates(version + 2);
        assert!(last["problem"].as_str().unwrap().starts_with("cannot read "), "{last}");
    }

    #[test]
    fn many_runs_are_read_in_several_looks() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..3 {
            make(&folder.path().join(number.to_string()), "{");
        }
        let mut library = RunLibrary::new(folder.path().to_path_buf());
        library.patience = Duration::ZERO;
        let mut version = 0;
        for (unread, new) in [(json!(2), 1), (json!(1), 1), (Value::Null, 1), (Value::Null, 0)] {
            let updates = library.updates(version, &[]);
            assert_eq!(updates.get("unread").unwrap_or(&Value::Null), &unread);
            assert_eq!(names(&updates).len(), new);
            version = updates["version"].as_u64().unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_to_runs_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        make(&at("elsewhere/net"), "{");
        fs::create_dir(at("runs")).unwrap();
        std::os::unix::fs::symlink(at("elsewhere/net"), at("runs/linked")).unwrap();
        std::os::unix::fs::symlink(at("runs"), at("runs/again")).unwrap();
        let mut library = RunLibrary::new(at("runs"));
        assert_eq!(names(&library.updates(0, &[])), ["linked"]);
    }
}
