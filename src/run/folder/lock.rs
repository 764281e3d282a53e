//! One process writes into the folder of a run at a time: it holds a lock on the file `lock`, which the
//! system takes back from a process that ends, however it ends.
//!
//! ```text
//! nnc run --out runs/net        holds runs/net/lock
//! nnc run --out runs/net        refused meanwhile
//! nnc ui                        asks whether somebody holds it: does the run still train?
//! ```

use super::RunFolder;
use crate::base::shown::Show;
use crate::driver::session::Failure;
use crate::files::held::Held;
use crate::files::{read, write};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

impl RunFolder {
    fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Takes the folder for this process, until the value is dropped.
    pub(super) fn lock(&mut self) -> Result<(), Failure> {
        let path = self.lock_file();
        let failed =
            |error: io::Error| Failure::Io(format!("cannot write {}: {error}", path.shown()));
        let file = write::touch(&path).map_err(failed)?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::Io(format!(
                    "another run is writing into {}; wait for it, or choose another folder by `--out`",
                    self.root.shown()
                )));
            }
            // A file system without locks: two runs are then the user's to keep apart.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        self.lock = Some(file);
        self.held = Some(Arc::new(Held::open(&self.root).map_err(failed)?));
        Ok(())
    }

    /// Whether a process writes into the folder now; unknown where there is no lock, or the file system has
    /// none.
    pub fn is_written(&self) -> Option<bool> {
        let lock = read::open(&self.lock_file()).ok()?;
        match lock.try_lock_shared() {
            // It is given back with the file.
            Ok(()) => Some(false),
            Err(TryLockError::WouldBlock) => Some(true),
            Err(TryLockError::Error(_)) => None,
        }
    }
}

/// Locks a file that no other process has locked. Whoever asks [`RunFolder::is_written`] has it for a
/// moment, so it is tried more than once.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    const TRIES: usize = 5;
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(10)),
            locked => return locked,
        }
    }
    file.try_lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_written_while_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let reader = RunFolder { root: folder.path().to_path_buf(), lock: None, held: None };
        assert_eq!(reader.is_written(), None, "nobody has ever written");
        let writer = RunFolder::locked(folder.path()).unwrap();
        assert_eq!(reader.is_written(), Some(true));
        drop(writer);
        assert_eq!(reader.is_written(), Some(false));
    }
}
