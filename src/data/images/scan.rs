//! Scans a folder of images: its classes and their files, in an order that depends on names
//! alone.
//!
//! ```text
//! photos/cat/1.jpg  photos/cat/more/2.png  photos/dog/3.jpg  photos/dog/notes.txt  photos/.git/…
//! → classes cat, dog; files cat/1.jpg, cat/more/2.png, dog/3.jpg; passed over dog/notes.txt
//! ```
//!
//! Each sub-folder is a class, and all images below it belong to it. Names are compared as bytes
//! and need not be UTF-8. Hidden entries are ignored; links are followed, each folder once. No file
//! is opened: what is an image by its name may turn out to be none.
//!
//! A folder of very many entries that are no images, such as `/`, is not looked through to its end.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry, Metadata};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use rayon::prelude::*;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::data::error::DataError;

/// How images are called. Formats that are not read are here too, so that such a file counts as
/// an image that cannot be read, and does not vanish.
const EXTENSIONS: [&str; 21] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "bmp", "dib", "webp", "gif", "tif", "tiff", "heic",
    "heif", "avif", "jxl", "jp2", "ppm", "pgm", "pbm", "pnm", "tga",
];

/// Entries that a folder may have beside four for each image (labels, masks, notes).
const MOST_OTHERS: usize = 20_000;
/// Entries that a folder may have in all.
const MOST_ENTRIES: usize = 50_000_000;

/// A folder, a class a sub-folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folder {
    /// Where it is.
    pub root: PathBuf,
    /// The names of the sub-folders, sorted.
    pub classes: Vec<OsString>,
    /// The images, class after class, sorted by path.
    pub files: Vec<ImageFile>,
    /// Entries that were passed over, with the reason, relative to the root.
    pub passed: Vec<(PathBuf, &'static str)>,
}

/// A file whose name is that of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFile {
    /// Relative to the root.
    pub path: PathBuf,
    /// The number of its class.
    pub class: u32,
    /// Size and time, by which a change is noticed, or why it cannot be read.
    pub stamp: Result<Stamp, String>,
}

/// A file's size and time: where both are the same, so is the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamp {
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was changed, in nanoseconds since 1970.
    pub changed: i64,
}

impl Folder {
    /// The names of the classes.
    pub fn class_names(&self) -> Vec<String> {
        self.classes.iter().map(|name| name.to_string_lossy().into_owned()).collect()
    }

    /// Looks through a folder. An error names a folder that cannot be read: nobody knows then how
    /// many images are missing.
    pub fn scan(root: &Path) -> Result<Folder, DataError> {
        let mut found = Folder { root: root.to_path_buf(), ..Folder::default() };
        let tally = ScanTally::default();
        for entry in entries(root, &tally)? {
            let name = PathBuf::from(entry.file_name());
            match fs::metadata(entry.path()) {
                Ok(data) if data.is_dir() && identity(&entry.path()) == identity(root) => {
                    found.passed.push((name, "a link to the folder itself"));
                }
                Ok(data) if data.is_dir() => found.classes.push(entry.file_name()),
                _ if is_image(&name) => found.passed.push((name, "an image of no class")),
                _ => found.passed.push((name, "no folder")),
            }
        }
        let classes = found.classes.par_iter().enumerate();
        let walked = classes.map(|(class, name)| {
            let seen = identity(root).into_iter().collect();
            walk(root, Path::new(name), class as u32, seen, &tally)
        });
        for class in walked.collect::<Result<Vec<_>, _>>()? {
            found.files.extend(class.files);
            found.passed.extend(class.passed);
        }
        Ok(found)
    }

    /// All images below a folder, as if of one class without a name.
    pub fn flat(root: &Path) -> Result<Folder, DataError> {
        let found = walk(root, Path::new(""), 0, HashSet::new(), &ScanTally::default())?;
        Ok(Folder { root: root.to_path_buf(), classes: vec![OsString::new()], ..found })
    }

    /// The number of the class of this name, however its accents are composed: file systems and
    /// archives spell `é` as one character or as two, and nobody sees which.
    pub fn class(&self, name: &OsStr) -> Option<usize> {
        let wanted = composed(name);
        self.classes.iter().position(|class| composed(class) == wanted)
    }

    /// How many images each class has.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.files.iter().for_each(|file| counts[file.class as usize] += 1);
        counts
    }
}

/// The canonical form of a name that is text (NFC); any other as it is.
pub fn composed(name: &OsStr) -> Cow<'_, OsStr> {
    match name.to_str() {
        Some(text) if !is_nfc(text) => Cow::Owned(text.nfc().collect::<String>().into()),
        _ => Cow::Borrowed(name),
    }
}

/// Whether a name says that the file is an image.
pub fn is_image(name: &Path) -> bool {
    let extension = name.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|found| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(found)))
}

/// The images below a folder, whatever class they are of, sorted by path. Links are followed, each folder
/// once.
pub fn images_below(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    files_below(root, is_image, "images")
}

/// The same for files that are known by their names; `plural` is the word for them.
pub fn files_below(
    root: &Path,
    is_one: fn(&Path) -> bool,
    plural: &'static str,
) -> Result<Vec<PathBuf>, DataError> {
    let tally = ScanTally { is_one, plural, ..ScanTally::default() };
    let found = walk(root, Path::new(""), 0, HashSet::new(), &tally)?;
    Ok(found.files.into_iter().map(|file| root.join(file.path)).collect())
}

/// The files that are looked for, and counts so far, over all folders.
struct ScanTally {
    is_one: fn(&Path) -> bool,
    plural: &'static str,
    found: AtomicUsize,
    entries: AtomicUsize,
}

impl Default for ScanTally {
    /// Of images.
    fn default() -> ScanTally {
        let (found, entries) = Default::default();
        ScanTally { is_one: is_image, plural: "images", found, entries }
    }
}

impl ScanTally {
    /// One more entry. An error says that this is no folder of such files.
    fn entry(&self, name: &Path, folder: &Path) -> Result<(), DataError> {
        let is_one = usize::from((self.is_one)(name));
        let found = self.found.fetch_add(is_one, Ordering::Relaxed);
        let entries = self.entries.fetch_add(1, Ordering::Relaxed);
        if entries <= MOST_ENTRIES && entries <= MOST_OTHERS + 5 * found {
            return Ok(());
        }
        let plural = self.plural;
        let message = format!("more than {entries} entries so far, {found} of them {plural}");
        let help = format!("name the folder that holds the {plural}");
        Err(DataError::new(message).path(folder).help(help))
    }
}

/// An identity that all paths to a folder share.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|data| (data.dev(), data.ino()))
}

/// An identity that all paths to a folder share.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

#[cfg(unix)]
type Seen = HashSet<(u64, u64)>;
#[cfg(not(unix))]
type Seen = HashSet<PathBuf>;

/// Entries of a folder that are not hidden, sorted by name.
fn entries(folder: &Path, tally: &ScanTally) -> Result<Vec<DirEntry>, DataError> {
    let failed = |error: std::io::Error| {
        DataError::new(format!("the folder cannot be read: {error}")).path(folder)
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        tally.entry(Path::new(&name), folder)?;
        if !name.as_encoded_bytes().starts_with(b".") {
            entries.push(entry);
        }
    }
    entries.sort_by_cached_key(|entry| entry.file_name().into_encoded_bytes());
    Ok(entries)
}

/// All images of a class, however deep; folders that were seen are not looked through again.
fn walk(
    root: &Path,
    class: &Path,
    number: u32,
    mut seen: Seen,
    tally: &ScanTally,
) -> Result<Folder, DataError> {
    let mut found = Folder::default();
    let mut folders = vec![class.to_path_buf()];
    while let Some(folder) = folders.pop() {
        // Links may lead in circles, or to the same place twice.
        if !identity(&root.join(&folder)).is_some_and(|it| seen.insert(it)) {
            found.passed.push((folder, "a link to a folder that was read already"));
            continue;
        }
        for entry in entries(&root.join(&folder), tally)? {
            let path = folder.join(entry.file_name());
            let is_image = (tally.is_one)(&path);
            // Asking for more than the kind takes long in folders of many files.
            let is_other = !is_image && entry.file_type().is_ok_and(|kind| kind.is_file());
            match (!is_other).then(|| metadata(&entry)) {
                Some(Ok(data)) if data.is_dir() => folders.push(path),
                Some(data) if is_image => {
                    let stamp = data.map_err(|error| error.to_string()).and_then(stamp);
                    found.files.push(ImageFile { path, class: number, stamp });
                }
                _ => found.passed.push((path, "no image by its name")),
            }
        }
    }
    found.files.sort_by(|a, b| bytes(&a.path).cmp(bytes(&b.path)));
    found.passed.sort();
    Ok(found)
}

/// A path as bytes.
pub fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// Metadata of an entry, or of its link's target.
fn metadata(entry: &DirEntry) -> std::io::Result<Metadata> {
    match entry.metadata()? {
        data if data.is_symlink() => fs::metadata(entry.path()),
        data => Ok(data),
    }
}

/// Opening a pipe or a device could wait for ever; only files are read.
fn stamp(data: Metadata) -> Result<Stamp, String> {
    if !data.is_file() {
        return Err("not a file".to_string());
    }
    let changed = data.modified().ok().map_or(0, |time| match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i64,
        Err(before) => -(before.duration().as_nanos() as i64),
    });
    Ok(Stamp { bytes: data.len(), changed })
}
