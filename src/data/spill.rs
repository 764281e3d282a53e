//! Large tables in files of the cache while a run goes on: where the files are, and samples in them.
//!
//! ```text
//! a table of 1 GB   →   CACHE/tables/… (4 bytes a cell), CACHE/tables/… (a file a field)
//! ```
//!
//! The files have no names where the system allows it, so they are gone with the run, however it ends.
//! A later run reads the table again.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::DataError;
use super::positioned::read_at;
use super::request::Places;
use super::samples::{Column, Records};
use crate::files;

/// Bytes of a table's cells that are kept in memory, at four bytes a cell.
const MOST: usize = 128 << 20;

/// Where large tables are kept, and which are large.
#[derive(Clone, Debug)]
pub struct Spill {
    folder: Option<PathBuf>,
    most: usize,
}

impl Spill {
    /// Tables above 128 MiB in the cache, if there is one.
    pub fn of(places: &Places) -> Spill {
        Spill { folder: places.cache.as_ref().map(|cache| cache.join("tables")), most: MOST }
    }

    /// All tables in memory.
    pub fn never() -> Spill {
        Spill { folder: None, most: usize::MAX }
    }

    /// Tables above so many bytes in a folder.
    #[cfg(test)]
    pub fn above(most: usize, folder: &Path) -> Spill {
        Spill { folder: Some(folder.to_path_buf()), most }
    }

    /// Whether cells of so many bytes belong in a file.
    pub fn takes(&self, bytes: usize) -> bool {
        self.folder.is_some() && bytes > self.most
    }

    /// A new file.
    pub fn file(&self) -> Result<File, DataError> {
        let folder = self.folder.as_deref().unwrap_or(Path::new("."));
        let made = files::write::unnamed(folder);
        made.map_err(|error| {
            let message = format!("a large table cannot be kept here: {error}");
            let help = "`XDG_CACHE_HOME` names another folder for the cache";
            DataError::new(message).path(folder).help(help)
        })
    }
}

/// The bytes of a field, sample after sample, on their way to where they are kept.
pub enum ColumnWriter {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file, with the hash of what is in it.
    File(File, Box<blake3::Hasher>),
}

impl ColumnWriter {
    /// Appends the bytes of samples.
    pub fn push(&mut self, more: &[u8]) -> Result<(), DataError> {
        match self {
            ColumnWriter::Memory(bytes) => bytes.extend_from_slice(more),
            ColumnWriter::File(file, hasher) => {
                hasher.update(more);
                file.write_all(more).map_err(|error| {
                    DataError::new(format!("samples cannot be written to the cache: {error}"))
                })?;
            }
        }
        Ok(())
    }

    /// The field of samples of `size` bytes.
    pub fn finish(self, size: usize) -> Column {
        match self {
            ColumnWriter::Memory(bytes) => Column::Memory(bytes),
            ColumnWriter::File(file, hasher) => {
                let hash = *hasher.finalize().as_bytes();
                Column::Stored(std::sync::Arc::new(StoredField { file, size, hash }))
            }
        }
    }
}

/// A field of all samples in a file.
#[derive(Debug)]
struct StoredField {
    file: File,
    /// Bytes of a sample.
    size: usize,
    hash: [u8; 32],
}

impl Records for StoredField {
    fn read(&self, sample: u32, out: &mut [u8]) -> Result<(), DataError> {
        read_at(&self.file, out, u64::from(sample) * self.size as u64).map_err(|error| {
            DataError::new(format!("a sample cannot be read from the cache: {error}"))
        })
    }

    fn fingerprint(&self) -> [u8; 32] {
        self.hash
    }

    fn file(&self, _: u32) -> Option<&Path> {
        None
    }
}
