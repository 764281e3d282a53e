//! A file of decoded images, all of one size, that many threads read at once.
//!
//! ```text
//! 0   "nncimg01", bytes of a record, number of records, bytes of the index, hash of the index
//! 64  record 0, record 1, …        the images' bytes
//! …   the index: a key, then for each record path, stamp, and a hash of its bytes or a reason
//! ```
//!
//! Numbers are 64 bits, little endian. A file is written under a temporary name, synced and
//! renamed, so under its own name it is whole; whoever has it open keeps it, even when another run
//! replaces it. Still nothing in it is believed: the index has a hash that is checked when the file
//! is opened, each record one that is checked when it is read.
//!
//! The caller knows what the records are, and when they are out of date.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use super::scan::Stamp;
use crate::data::positioned::{read_at, write_at};
use crate::files;

const MAGIC: &[u8; 8] = b"nncimg01";
const HEADER: u64 = 64;

/// Result of decoding an image file.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// An image, by the hash of its bytes.
    Image([u8; 16]),
    /// Its contents are no image, and will not be until it changes.
    Broken(String),
    /// It could not be read, which may be otherwise next time.
    Lost(String),
}

/// Place and result of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordEntry {
    /// The image file's path, as bytes.
    pub path: Vec<u8>,
    /// The image file as it was, if it could be looked at.
    pub stamp: Option<Stamp>,
    /// The result of decoding.
    pub outcome: Outcome,
}

/// A file that is open for reading.
#[derive(Debug)]
pub struct Packed {
    file: File,
    record: usize,
    /// An entry for each record.
    pub entries: Vec<RecordEntry>,
}

/// The hash of a record.
pub fn hash(bytes: &[u8]) -> [u8; 16] {
    let all = *blake3::hash(bytes).as_bytes();
    all[..16].try_into().expect("sixteen of 32 bytes")
}

impl Packed {
    /// Opens a file whose key and size of a record are these; `None` where there is none, or it is
    /// damaged or cut short.
    pub fn open(path: &Path, key: &[u8], record: usize) -> Option<Packed> {
        let mut file = files::read::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        let mut header = [0; HEADER as usize];
        file.read_exact(&mut header).ok()?;
        let number =
            |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap_or([0; 8]));
        let (size, count, index_size) = (number(8), number(16), number(24));
        let index_start = HEADER.checked_add(size.checked_mul(count)?)?;
        let whole = index_start.checked_add(index_size)? == length;
        if &header[..8] != MAGIC || size != record as u64 || !whole {
            return None;
        }
        file.seek(SeekFrom::Start(index_start)).ok()?;
        let mut index = Vec::new();
        (&file).take(index_size).read_to_end(&mut index).ok()?;
        if header[32..] != *blake3::hash(&index).as_bytes() {
            return None;
        }
        let mut fields = Fields(&index);
        if fields.bytes()? != key {
            return None;
        }
        let entries = (0..count).map(|_| fields.entry()).collect::<Option<Vec<_>>>()?;
        Some(Packed { file, record, entries })
    }

    /// Reads a record into room for exactly one; an error if it is not what was written.
    pub fn read(&self, record: usize, out: &mut [u8]) -> io::Result<()> {
        read_at(&self.file, out, place(record, self.record))?;
        match &self.entries[record].outcome {
            Outcome::Image(known) if *known == hash(out) => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the record is damaged")),
        }
    }

    /// Marks the file as used just now.
    pub fn touch(&self) {
        // Where that is not allowed, the file only looks older than it is.
        let _ = self.file.set_modified(std::time::SystemTime::now());
    }
}

/// A file that is being written, under a temporary name; it goes away unless it is finished.
pub struct PackedWriter {
    file: File,
    temporary: TempPath,
    record: usize,
}

impl PackedWriter {
    /// A file for records of this size.
    pub fn new(folder: &Path, record: usize) -> io::Result<PackedWriter> {
        let mut builder = tempfile::Builder::new();
        let named: NamedTempFile = builder.prefix(TEMPORARY).tempfile_in(folder)?;
        let (file, temporary) = named.into_parts();
        Ok(PackedWriter { file, temporary, record })
    }

    /// Writes a record; from any thread.
    pub fn write(&self, record: usize, bytes: &[u8]) -> io::Result<()> {
        write_at(&self.file, bytes, place(record, self.record))
    }

    /// Writes the index, gives the file its name, and opens it.
    pub fn finish(self, key: &[u8], entries: Vec<RecordEntry>, path: &Path) -> io::Result<Packed> {
        let mut index = Vec::new();
        put_bytes(&mut index, key);
        entries.iter().for_each(|entry| put_entry(&mut index, entry));
        let mut header = Vec::from(MAGIC);
        for number in [self.record, entries.len(), index.len()] {
            header.extend((number as u64).to_le_bytes());
        }
        header.extend(blake3::hash(&index).as_bytes());
        write_at(&self.file, &index, place(entries.len(), self.record))?;
        write_at(&self.file, &header, 0)?;
        self.file.sync_all()?;
        let path = files::write::destination(path)?;
        self.temporary.persist(path).map_err(|failed| failed.error)?;
        Ok(Packed { file: self.file, record: self.record, entries })
    }
}

/// How the names of files that are being written begin.
pub const TEMPORARY: &str = "writing-";

/// Files in a folder whose writer was killed, by their age.
pub fn abandoned(folder: &Path) -> Vec<PathBuf> {
    const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
    let old = |path: &PathBuf| {
        let changed = path.metadata().and_then(|data| data.modified());
        changed.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > DAY))
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let temporary = entries
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes()));
    temporary.map(|entry| entry.path()).filter(old).collect()
}

/// Where a record begins.
fn place(record: usize, size: usize) -> u64 {
    HEADER + record as u64 * size as u64
}

fn put_bytes(index: &mut Vec<u8>, bytes: &[u8]) {
    index.extend((bytes.len() as u64).to_le_bytes());
    index.extend(bytes);
}

fn put_entry(index: &mut Vec<u8>, entry: &RecordEntry) {
    put_bytes(index, &entry.path);
    match entry.stamp {
        None => index.push(0),
        Some(Stamp { bytes, changed }) => {
            index.push(1);
            index.extend(bytes.to_le_bytes());
            index.extend(changed.to_le_bytes());
        }
    }
    let (kind, bytes): (u8, &[u8]) = match &entry.outcome {
        Outcome::Image(hash) => (0, hash),
        Outcome::Broken(reason) => (1, reason.as_bytes()),
        Outcome::Lost(reason) => (2, reason.as_bytes()),
    };
    index.push(kind);
    put_bytes(index, bytes);
}

/// The rest of an index while it is read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.number()?;
        self.take(usize::try_from(count).ok()?)
    }

    fn entry(&mut self) -> Option<RecordEntry> {
        let path = self.bytes()?.to_vec();
        let stamp = match self.take(1)? {
            [0] => None,
            _ => Some(Stamp { bytes: self.number()?, changed: self.number()? as i64 }),
        };
        let kind = self.take(1)?;
        let bytes = self.bytes()?;
        let reason = || String::from_utf8_lossy(bytes).into_owned();
        let outcome = match kind {
            [0] => Outcome::Image(bytes.try_into().ok()?),
            [1] => Outcome::Broken(reason()),
            _ => Outcome::Lost(reason()),
        };
        Some(RecordEntry { path, stamp, outcome })
    }
}
