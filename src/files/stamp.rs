//! Whether a file is still the one that was read, without reading it again.
//!
//! ```text
//! run.json is replaced       another stamp: it is another file
//! events.jsonl grows         another stamp, of the same file
//! ```
//!
//! Where the system gives files no numbers, all files of a path are taken for one.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// A file at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    /// The number of the file and of its file system.
    pub number: (u64, u64),
    /// Its length.
    pub bytes: u64,
    /// When it was written.
    modified: Option<SystemTime>,
}

impl FileStamp {
    /// Of the file at a path; none where there is no plain file.
    pub fn of(path: &Path) -> Option<FileStamp> {
        let data = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(FileStamp { number: number(&data), bytes: data.len(), modified: data.modified().ok() })
    }
}

#[cfg(unix)]
fn number(data: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (data.dev(), data.ino())
}

#[cfg(not(unix))]
fn number(_data: &fs::Metadata) -> (u64, u64) {
    (0, 0)
}
