//! The checkpoints of a run: which are there, and a thread that writes new ones.
//!
//! Keeping a run costs training the time of a copy: between two steps the run's memory is copied
//! into a [`Snapshot`], which a thread of its own writes. There is one snapshot; while it is being
//! written, a checkpoint that need not be is left out. An old checkpoint is removed once a newer
//! one is on the disk, and the best epoch's stays.

use super::RunFolder;
use crate::base::shown::{Show, quoted};
use crate::driver::session::Failure;
use crate::runtime::checkpoint::{Checkpoint, Identity, Snapshot};
use crate::runtime::trainer::{TrainState, Trainer};
use crate::runtime::weights;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How far a checkpoint's run was: whole epochs, and batches of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckpointPosition {
    /// Epochs that were over.
    pub epoch: usize,
    /// Batches of the next one that were done.
    pub batch: usize,
}

impl CheckpointPosition {
    /// That of a run.
    pub fn of(state: &TrainState) -> CheckpointPosition {
        CheckpointPosition { epoch: state.epoch, batch: state.batch }
    }

    /// `epoch-0003.safetensors`, `epoch-0003+0120.safetensors`.
    pub fn file_name(self) -> String {
        let CheckpointPosition { epoch, batch } = self;
        match batch {
            0 => format!("epoch-{epoch:04}.safetensors"),
            batch => format!("epoch-{epoch:04}+{batch:04}.safetensors"),
        }
    }

    fn parse(name: &str) -> Option<CheckpointPosition> {
        let numbers = name.strip_prefix("epoch-")?.strip_suffix(".safetensors")?;
        let (epoch, batch) = numbers.split_once('+').unwrap_or((numbers, "0"));
        Some(CheckpointPosition { epoch: epoch.parse().ok()?, batch: batch.parse().ok()? })
    }
}

impl RunFolder {
    /// The checkpoints that are there, the newest last.
    pub fn places(&self) -> Vec<CheckpointPosition> {
        let entries = fs::read_dir(self.checkpoints()).into_iter().flatten().flatten();
        let place = |entry: fs::DirEntry| CheckpointPosition::parse(entry.file_name().to_str()?);
        let mut places: Vec<CheckpointPosition> = entries.filter_map(place).collect();
        places.sort();
        places
    }

    /// The file of a checkpoint.
    pub fn checkpoint(&self, place: CheckpointPosition) -> PathBuf {
        self.checkpoints().join(place.file_name())
    }

    /// Reads the newest checkpoint, or the one of this file name; `None` where there is none. Of a
    /// damaged one the error offers the one before.
    pub fn load(&self, named: Option<&str>) -> Result<Option<Checkpoint>, Failure> {
        let places = self.places();
        let place = match named {
            None => places.last().copied(),
            Some(name) => {
                let wanted = |place: &&CheckpointPosition| {
                    let known = place.file_name();
                    known == name || known.strip_suffix(".safetensors") == Some(name)
                };
                let found = places.iter().find(wanted).copied();
                Some(found.ok_or_else(|| self.no_checkpoint(name, &places))?)
            }
        };
        let Some(place) = place else { return Ok(None) };
        match Checkpoint::load(&self.checkpoint(place)) {
            Ok(checkpoint) => Ok(Some(checkpoint)),
            Err(weights::LoadError::Io(message)) => Err(Failure::Io(message)),
            Err(weights::LoadError::Malformed(message)) => {
                let before = places.iter().rev().find(|other| **other < place);
                let root = quoted(&self.root);
                let way_out = match before {
                    Some(before) => format!(
                        "the one before is there: `nnc run --resume={root} --checkpoint {}`",
                        before.file_name()
                    ),
                    None => "there is none before it".to_owned(),
                };
                Err(Failure::Data(format!("{message}; {way_out}")))
            }
        }
    }

    fn no_checkpoint(&self, name: &str, places: &[CheckpointPosition]) -> Failure {
        let names: Vec<String> = places.iter().map(|place| place.file_name()).collect();
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let folder = self.checkpoints();
        Failure::Io(format!("no checkpoint `{name}` in {}; there are {there}", folder.shown()))
    }
}

/// The identity of a run and the rules by which its checkpoints are kept.
pub struct Keeping {
    /// The part of the header that all of its checkpoints share.
    pub identity: Identity,
    /// How many stay, beside the best.
    pub keep: usize,
    /// The tensors that evaluation reads: the path of each (a running mean where there is one) and
    /// the name that weights files give it.
    pub weights: Vec<(String, String)>,
    /// JSON for the metadata of weights files.
    pub about: String,
}

/// Writes checkpoints in a thread of its own.
pub struct Keeper {
    /// Where snapshots go.
    work: Option<Sender<SaveJob>>,
    /// Where they come back from, with what became of them.
    done: Receiver<Done>,
    /// The snapshot, while it is here.
    free: Option<Snapshot>,
    thread: Option<JoinHandle<()>>,
    /// File name of the last snapshot's checkpoint, once it is on the disk.
    newest: Option<String>,
    /// The longest that training has waited for a checkpoint.
    longest_stall: Duration,
}

struct SaveJob {
    snapshot: Snapshot,
    /// Whether the epoch is the best so far.
    best: bool,
}

struct Done {
    snapshot: Snapshot,
    /// Whether it was written, or why it was not.
    outcome: Result<bool, String>,
}

impl Keeper {
    /// Starts the thread. `snapshot` has room for the run's parameters and states.
    pub fn start(
        folder: &RunFolder,
        keeping: Keeping,
        snapshot: Snapshot,
    ) -> Result<Keeper, Failure> {
        super::make_folder(&folder.checkpoints())?;
        let (work, jobs) = channel::<SaveJob>();
        let (finished, done) = channel();
        let writer = Writer {
            checkpoints: folder.checkpoints(),
            best: folder.best(),
            folder: folder.reader(),
            keeping,
        };
        let thread = std::thread::Builder::new()
            .name("checkpoints".into())
            .spawn(move || {
                // Memory that nothing was written to yet is slow to copy into.
                let mut snapshot = snapshot;
                snapshot.touch();
                if finished.send(Done { snapshot, outcome: Ok(false) }).is_err() {
                    return;
                }
                for SaveJob { snapshot, best } in jobs {
                    let outcome = writer.write(&snapshot, best).map(|()| true);
                    if finished.send(Done { snapshot, outcome }).is_err() {
                        break;
                    }
                }
            })
            .map_err(|error| Failure::Io(format!("cannot start a thread: {error}")))?;
        let newest = folder.places().last().map(|place| place.file_name());
        Ok(Keeper {
            work: Some(work),
            done,
            free: None,
            thread: Some(thread),
            newest,
            longest_stall: Duration::ZERO,
        })
    }

    /// Keeps a run as it is. Where the last checkpoint is still being written, waits if this one
    /// must not be left out. An error is that of an earlier one.
    pub fn keep(&mut self, trainer: &Trainer<'_>, best: bool, must: bool) -> Result<(), String> {
        let start = Instant::now();
        let earlier = self.take_back(must);
        if let (Some(mut snapshot), Some(work)) = (self.free.take(), &self.work) {
            snapshot.take(trainer);
            // The thread lives as long as `self` has the sender.
            let _ = work.send(SaveJob { snapshot, best });
        }
        self.longest_stall = self.longest_stall.max(start.elapsed());
        earlier
    }

    /// The longest that training has waited for a checkpoint.
    pub fn longest_stall(&self) -> Duration {
        self.longest_stall
    }

    /// Takes the snapshot back if it is there, or waits for it.
    fn take_back(&mut self, wait: bool) -> Result<(), String> {
        if self.free.is_some() {
            return Ok(());
        }
        let done = match wait {
            true => self.done.recv().map_err(|_| TryRecvError::Disconnected),
            false => self.done.try_recv(),
        };
        let Done { snapshot, outcome } = match done {
            Ok(done) => done,
            Err(TryRecvError::Empty) => return Ok(()),
            Err(TryRecvError::Disconnected) => {
                return Err("the thread that writes checkpoints has ended".to_owned());
            }
        };
        if outcome == Ok(true) {
            self.newest = Some(CheckpointPosition::of(&snapshot.state).file_name());
        }
        self.free = Some(snapshot);
        outcome.map(|_| ())
    }

    /// Waits until the last checkpoint is on the disk.
    pub fn finish(&mut self) -> Result<(), String> {
        self.take_back(true)
    }

    /// The newest checkpoint that is on the disk.
    pub fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Writer {
    checkpoints: PathBuf,
    best: PathBuf,
    folder: RunFolder,
    keeping: Keeping,
}

impl Writer {
    fn write(&self, snapshot: &Snapshot, best: bool) -> Result<(), String> {
        let place = CheckpointPosition::of(&snapshot.state);
        self.folder.check().map_err(|error| error.to_string())?;
        // Before the checkpoint, which says that they are there: a run that is killed between the
        // two goes on from the one before, and comes to the same weights again.
        if best {
            let entries: Vec<_> = snapshot.renamed(&self.keeping.weights).collect();
            let about = weights::metadata(&self.keeping.about);
            weights::write_entries(&self.best, &entries, Some(about), |_, _, _| Ok(()))?;
        }
        // Bringing the weights to the disk takes a while.
        self.folder.check().map_err(|error| error.to_string())?;
        snapshot.save(&self.checkpoints.join(place.file_name()), &self.keeping.identity)?;
        self.prune(&snapshot.state, place);
        Ok(())
    }

    /// Removes old checkpoints, and those of a future that is no longer this run's.
    fn prune(&self, state: &TrainState, newest: CheckpointPosition) {
        let best = state.control.best.best.as_ref();
        let best = best.map(|best| CheckpointPosition { epoch: best.epoch, batch: 0 });
        let mut older: Vec<CheckpointPosition> =
            names(&self.checkpoints).filter_map(|it| CheckpointPosition::parse(&it)).collect();
        older.sort();
        let future = older.iter().filter(|place| **place > newest);
        let past: Vec<&CheckpointPosition> =
            older.iter().filter(|place| **place <= newest).collect();
        let too_old = past.len().saturating_sub(self.keeping.keep);
        let old = past[..too_old].iter().copied().filter(|place| Some(**place) != best);
        for place in old.chain(future) {
            // What cannot be removed only takes room.
            let _ = fs::remove_file(self.checkpoints.join(place.file_name()));
        }
    }
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_order_as_the_run_goes() {
        let places = [(0, 7), (3, 0), (3, 120), (4, 0), (12345, 0)];
        let places = places.map(|(epoch, batch)| CheckpointPosition { epoch, batch });
        assert!(places.is_sorted());
        for place in places {
            assert_eq!(CheckpointPosition::parse(&place.file_name()), Some(place));
        }
        for name in
            ["epoch-.safetensors", "epoch-1.safetensors.tmp", ".writing-x", "best.safetensors"]
        {
            assert_eq!(CheckpointPosition::parse(name), None, "{name}");
        }
    }
}
