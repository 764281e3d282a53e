//! A folder that is held open, so that it can be told from another that took its place.
//!
//! ```text
//! mv runs/net elsewhere; mkdir runs/net        is_at(runs/net): false
//! mv runs/net elsewhere; ln -s elsewhere runs/net                 true
//! ```
//!
//! While it is open, nothing else gets its number. Where the system has no such numbers, every
//! folder is taken for it.

use std::io;
use std::path::Path;

/// A folder that is held open.
#[derive(Debug)]
pub struct Held {
    #[cfg(unix)]
    folder: std::fs::File,
}

impl Held {
    /// Holds the folder at a path.
    #[cfg(unix)]
    pub fn open(path: &Path) -> io::Result<Held> {
        std::fs::File::open(path).map(|folder| Held { folder })
    }

    /// Holds the folder at a path.
    #[cfg(not(unix))]
    pub fn open(_path: &Path) -> io::Result<Held> {
        Ok(Held {})
    }

    /// Whether the path leads to it.
    #[cfg(unix)]
    pub fn is_at(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let number = |it: std::fs::Metadata| (it.dev(), it.ino());
        match (self.folder.metadata(), std::fs::metadata(path)) {
            (Ok(held), Ok(there)) => number(held) == number(there),
            _ => false,
        }
    }

    /// Whether the path leads to it.
    #[cfg(not(unix))]
    pub fn is_at(&self, _path: &Path) -> bool {
        true
    }
}
