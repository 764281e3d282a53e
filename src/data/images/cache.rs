//! Decoded images that a run keeps for itself and for later runs.
//!
//! ```text
//! first run      decodes 1000 images, writes CACHE/images/FOLDER-OPTIONS.packed
//! next run       1000 stamps agree: reads from that file, decodes nothing
//! one changed    decodes 1 image, copies 999, replaces the file
//! ```
//!
//! A file belongs to a folder and what is made of its images; in it, each image to its path, size
//! and time of change. Samples are read from it batch by batch, so a run holds none of them in
//! memory. A record that turns out to be damaged is decoded again, and the file is taken away, so
//! that the next run writes a new one. Of one folder, the few files used last are kept.
//!
//! Where no file can be written, images are held in memory, with one note. Several runs at once
//! write a file each, of which the last stays.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use fast_image_resize::Resizer;
use rayon::prelude::*;

use super::fit::FitTarget;
use super::load::{Decoder, Progress};
use super::packed::{Outcome, Packed, PackedWriter, RecordEntry, abandoned};
use super::scan::{Folder, ImageFile, bytes};
use crate::base::shown::Show;
use crate::data::dataset::Note;
use crate::data::error::DataError;
use crate::data::request::Places;
use crate::data::samples::{Column, Records};
use crate::files::read;

/// Changed whenever images are decoded otherwise than before.
const VERSION: &str = concat!("nnc ", env!("CARGO_PKG_VERSION"), ", images 1");
/// How many files of one folder are kept: it may be used at several sizes.
const MOST_FILES: usize = 3;

/// The images of a folder.
pub struct Loaded {
    /// An image for each file; that of a file that cannot be read is not to be used.
    pub images: Column,
    /// For each file, why it cannot be read.
    pub reasons: Vec<Option<String>>,
    /// A note about the cache file, or about why there is none.
    pub note: Option<Note>,
}

/// The images of a folder to decode and keep.
pub struct CachePlan<'a> {
    /// The folder.
    pub folder: &'a Folder,
    decoder: Decoder,
    /// Where decoded images are kept, and the key of that file.
    target: Option<PathBuf>,
    key: Vec<u8>,
    old: Option<Packed>,
    /// For each file, its record in the old file.
    known: Vec<Option<usize>>,
    /// Bytes that images may take in memory.
    memory: Option<usize>,
}

impl<'a> CachePlan<'a> {
    /// Looks for what an earlier run has kept.
    pub fn new(folder: &'a Folder, shape: &FitTarget, places: &Places) -> CachePlan<'a> {
        let root = folder.root.canonicalize().unwrap_or_else(|_| folder.root.clone());
        let key = [VERSION.as_bytes(), format!("\n{shape:?}\n").as_bytes(), bytes(&root)].concat();
        let name = |bytes: &[u8]| blake3::hash(bytes).to_hex()[..16].to_string();
        let file = format!("{}-{}.packed", name(bytes(&root)), name(&key));
        let target = places.cache.as_ref().map(|cache| cache.join("images").join(file));
        let old = target.as_ref().and_then(|path| Packed::open(path, &key, shape.bytes()));
        let known = match &old {
            Some(old) => records(folder, old),
            None => vec![None; folder.files.len()],
        };
        let decoder = Decoder::new(*shape);
        CachePlan { folder, decoder, target, key, old, known, memory: places.memory }
    }

    /// How many images must be decoded.
    pub fn fresh(&self) -> usize {
        self.known.iter().filter(|known| known.is_none()).count()
    }

    /// Decodes what must be decoded, and keeps it if that is possible.
    pub fn load(mut self, progress: &Progress<'_>) -> Result<Loaded, DataError> {
        let same = self.known.iter().enumerate().all(|(file, &known)| known == Some(file));
        if let Some(old) = self.old.take_if(|old| same && old.entries.len() == self.known.len()) {
            old.touch();
            return Ok(self.stored(old, None));
        }
        match self.write(progress) {
            Ok(packed) => {
                let folder = self.target.as_deref().map(kept_in).unwrap_or(Path::new(""));
                let note = Note::of(format!("decoded images are kept in {}", folder.shown()));
                Ok(self.stored(packed, Some(note)))
            }
            Err(_) if progress.stopped() => Err(DataError::interrupted()),
            Err(error) => self.hold(&error, progress),
        }
    }

    /// Writes a new file.
    fn write(&self, progress: &Progress<'_>) -> io::Result<Packed> {
        let Some(target) = &self.target else {
            return Err(io::Error::other("there is no cache folder"));
        };
        let folder = kept_in(target);
        fs::create_dir_all(folder)?;
        abandoned(folder).iter().for_each(|path| drop(fs::remove_file(path)));
        let writer = PackedWriter::new(folder, self.decoder.shape.bytes())?;
        let failed = OnceLock::new();
        let new = || (Resizer::new(), vec![0; self.decoder.shape.bytes()]);
        let outcomes = (0..self.folder.files.len()).into_par_iter().map_init(new, |state, file| {
            if progress.stopped() || failed.get().is_some() {
                return None;
            }
            let (resizer, room) = state;
            let outcome = self.image(file, resizer, room, progress);
            if let Outcome::Image(_) = outcome
                && let Err(error) = writer.write(file, room)
            {
                // The first error is told; others have the same cause.
                let _ = failed.set(error);
            }
            Some(outcome)
        });
        let outcomes = outcomes.collect::<Option<Vec<_>>>();
        if let Some(error) = failed.into_inner() {
            return Err(error);
        }
        let outcomes = outcomes.ok_or(io::ErrorKind::Interrupted)?;
        let entry = |(file, outcome): (&ImageFile, Outcome)| RecordEntry {
            path: bytes(&file.path).to_vec(),
            stamp: file.stamp.clone().ok(),
            outcome,
        };
        let entries = self.folder.files.iter().zip(outcomes).map(entry).collect();
        let packed = writer.finish(&self.key, entries, target)?;
        prune(target);
        Ok(packed)
    }

    /// Holds all images in memory, because of an error.
    fn hold(&self, error: &io::Error, progress: &Progress<'_>) -> Result<Loaded, DataError> {
        let size = self.decoder.shape.bytes();
        let needed = self.folder.files.len() * size;
        let place = match &self.target {
            Some(path) => format!("{}: {error}", kept_in(path).shown()),
            None => error.to_string(),
        };
        if self.memory.is_some_and(|memory| needed > memory / 2) {
            let message = format!(
                "decoded images need {} MB, which is too much for this machine's memory, and no \
                 file can hold them ({place})",
                needed / 1_000_000
            );
            return Err(DataError::new(message).path(&self.folder.root));
        }
        let mut images = vec![0; needed];
        let rooms = images.par_chunks_exact_mut(size).enumerate();
        let outcomes = rooms.map_init(Resizer::new, |resizer, (file, room)| {
            (!progress.stopped()).then(|| self.image(file, resizer, room, progress))
        });
        let Some(outcomes) = outcomes.collect::<Option<Vec<_>>>() else {
            return Err(DataError::interrupted());
        };
        let reasons = outcomes.iter().map(reason).collect();
        let note = Note::of(format!("decoded images are held in memory and not kept ({place})"));
        Ok(Loaded { images: Column::Memory(images), reasons, note: Some(note) })
    }

    /// One image, copied from the old file or decoded.
    fn image(
        &self,
        file: usize,
        resizer: &mut Resizer,
        room: &mut [u8],
        progress: &Progress<'_>,
    ) -> Outcome {
        if let (Some(old), Some(record)) = (&self.old, self.known[file]) {
            match &old.entries[record].outcome {
                Outcome::Image(hash) if old.read(record, room).is_ok() => {
                    return Outcome::Image(*hash);
                }
                Outcome::Image(_) => {}
                known => return known.clone(),
            }
        }
        let ImageFile { path, stamp, .. } = &self.folder.files[file];
        let outcome = match stamp {
            Err(reason) => Outcome::Lost(reason.clone()),
            Ok(_) => self.decoder.file(&self.folder.root.join(path), resizer, room),
        };
        progress.tick();
        outcome
    }

    /// Images that are read from a file.
    fn stored(self, packed: Packed, note: Option<Note>) -> Loaded {
        let reasons = packed.entries.iter().map(|entry| reason(&entry.outcome)).collect();
        let paths = self.folder.files.iter().map(|file| self.folder.root.join(&file.path));
        let stored = Stored {
            paths: paths.collect(),
            packed,
            file: self.target.expect("what is stored has a place"),
            decoder: self.decoder,
        };
        Loaded { images: Column::Stored(Arc::new(stored)), reasons, note }
    }
}

/// The folder of a file of decoded images.
fn kept_in(file: &Path) -> &Path {
    file.parent().expect("a folder for images in the cache")
}

/// For each file of a folder, its record in a file of an earlier run, if that is up to date.
fn records(folder: &Folder, old: &Packed) -> Vec<Option<usize>> {
    let by_path: HashMap<&[u8], usize> =
        old.entries.iter().enumerate().map(|(record, entry)| (&entry.path[..], record)).collect();
    let record = |file: &ImageFile| {
        let record = *by_path.get(bytes(&file.path))?;
        let entry = &old.entries[record];
        // What could not be read, but can be now, has the same stamp. Pipes have none, and are not
        // opened: that could wait for ever.
        let tried = matches!(entry.outcome, Outcome::Lost(_)) && file.stamp.is_ok();
        let still = !tried || read::open(&folder.root.join(&file.path)).is_err();
        (entry.stamp == file.stamp.clone().ok() && still).then_some(record)
    };
    folder.files.par_iter().map(record).collect()
}

fn reason(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Image(_) => None,
        Outcome::Broken(reason) | Outcome::Lost(reason) => Some(reason.clone()),
    }
}

/// Takes away the files of the same folder that were not used for longest.
fn prune(target: &Path) {
    let name = |path: &Path| path.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
    let folder = kept_in(target);
    let of_folder = name(target).into_iter().take_while(|&byte| byte != b'-').collect::<Vec<_>>();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let siblings = entries.filter(|path| path != target && name(path).starts_with(&of_folder));
    let used = |path: &PathBuf| path.metadata().and_then(|data| data.modified()).ok();
    let mut siblings: Vec<PathBuf> = siblings.collect();
    siblings.sort_by_key(used);
    let too_many = siblings.len().saturating_sub(MOST_FILES - 1);
    siblings[..too_many].iter().for_each(|path| drop(fs::remove_file(path)));
}

/// Images in a packed file, with what it takes to decode one again.
#[derive(Debug)]
struct Stored {
    packed: Packed,
    file: PathBuf,
    paths: Vec<PathBuf>,
    decoder: Decoder,
}

impl Records for Stored {
    fn read(&self, sample: u32, out: &mut [u8]) -> Result<(), DataError> {
        let sample = sample as usize;
        let Err(error) = self.packed.read(sample, out) else { return Ok(()) };
        // The next run writes a new file.
        let _ = fs::remove_file(&self.file);
        let path = &self.paths[sample];
        match reason(&self.decoder.file(path, &mut Resizer::new(), out)) {
            None => Ok(()),
            Some(reason) => {
                let message = format!("can no longer be read: {reason}");
                let note = format!("its decoded bytes in {}: {error}", self.file.shown());
                Err(DataError::new(message).path(path).notes(vec![note]))
            }
        }
    }

    fn fingerprint(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for entry in &self.packed.entries {
            hasher.update(&(entry.path.len() as u64).to_le_bytes()).update(&entry.path);
            match &entry.outcome {
                Outcome::Image(hash) => hasher.update(hash),
                Outcome::Broken(_) | Outcome::Lost(_) => hasher.update(b"none"),
            };
        }
        *hasher.finalize().as_bytes()
    }

    fn file(&self, sample: u32) -> Option<&Path> {
        self.paths.get(sample as usize).map(PathBuf::as_path)
    }
}
