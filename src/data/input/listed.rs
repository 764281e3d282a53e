//! Samples that are files of one kind: named, in folders, or listed on standard input.
//!
//! ```text
//! a.wav                  itself
//! calls/                 the recordings below it, by name
//! -   "a.wav\nb.wav"     a list of files, each as if it were named
//! -   "RIFF…"            the bytes of one
//! ```
//!
//! The body of a request names no files: it is one, or rows of numbers where the kind has such.

use std::path::{Path, PathBuf};

use super::{GivenInput, InputContent, InputPlace, InputSample, reason_of};
use crate::data::error::DataError;

/// A kind of file, each of which is a sample unless the kind says otherwise.
pub trait FileKind {
    /// The files of the kind below a folder, by name.
    fn below(&self, folder: &Path) -> Result<Vec<PathBuf>, DataError>;

    /// The word for such files.
    fn plural(&self) -> &'static str;

    /// Whether bytes, in which there is no zero, are those of such a file. With a zero they are never a
    /// list.
    fn is_file(&self, bytes: &[u8]) -> bool;

    /// The samples of a file that is no folder.
    fn of_file(&self, path: &Path) -> Result<Vec<InputSample>, String> {
        Ok(vec![whole(path)])
    }

    /// The samples of text that is no list of files, by the path that answers name; `None` where it may
    /// be a list.
    fn of_lines(&self, _path: &Path, _bytes: &[u8], _lines: &[&[u8]]) -> Option<Vec<InputSample>> {
        None
    }
}

/// A file that is a sample.
pub fn whole(path: &Path) -> InputSample {
    let (place, content) = (InputPlace::Whole, InputContent::File);
    InputSample { path: path.to_path_buf(), place, content }
}

/// The samples of files of a kind.
pub fn files_of(given: &GivenInput, kind: &impl FileKind) -> Vec<InputSample> {
    match given {
        GivenInput::Path(path) => of_path(path, kind),
        GivenInput::Stdin(bytes) => of_bytes(bytes, kind),
        GivenInput::Body(bytes) => of_body(given, bytes, kind),
    }
}

/// The samples in the body of a request.
fn of_body(given: &GivenInput, bytes: &[u8], kind: &impl FileKind) -> Vec<InputSample> {
    let of_lines = match bytes.contains(&0) || kind.is_file(bytes) {
        true => None,
        false => kind.of_lines(given.path(), bytes, &lines_of(bytes)),
    };
    of_lines.unwrap_or_else(|| {
        let (path, content) = (given.path().to_path_buf(), InputContent::Bytes(bytes.to_vec()));
        vec![InputSample { path, place: InputPlace::Whole, content }]
    })
}

/// The lines that have something in them.
fn lines_of(bytes: &[u8]) -> Vec<&[u8]> {
    // A mark of the encoding is no part of the first name.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = bytes.split(|&byte| byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.trim_ascii().is_empty()).collect()
}

/// The samples behind a path; one that cannot be read is one of them.
fn of_path(path: &Path, kind: &impl FileKind) -> Vec<InputSample> {
    let found = match path.is_dir() {
        false => kind.of_file(path),
        true => match kind.below(path) {
            Err(error) => Err(reason_of(&error)),
            Ok(files) if files.is_empty() => Err(format!("has no {} in it", kind.plural())),
            Ok(files) => Ok(files.iter().map(|file| whole(file)).collect()),
        },
    };
    found.unwrap_or_else(|reason| GivenInput::Path(path.to_path_buf()).unreadable(reason))
}

/// The samples on standard input.
fn of_bytes(bytes: &[u8], kind: &impl FileKind) -> Vec<InputSample> {
    if bytes.contains(&0) || kind.is_file(bytes) {
        let content = InputContent::Bytes(bytes.to_vec());
        return vec![InputSample { path: "-".into(), place: InputPlace::Whole, content }];
    }
    let lines = lines_of(bytes);
    let is_list = lines.iter().any(|line| named(line).exists());
    let of_lines = if is_list { None } else { kind.of_lines(Path::new("-"), bytes, &lines) };
    of_lines.unwrap_or_else(|| lines.iter().flat_map(|line| of_path(&named(line), kind)).collect())
}

/// The file that a line of a list names: the line as it is if there is one, otherwise without space
/// around it, and without the quotes in which shells and file managers put names.
fn named(line: &[u8]) -> PathBuf {
    let whole = path_of(line);
    if whole.exists() {
        return whole;
    }
    let name = line.trim_ascii();
    match name {
        [open @ (b'"' | b'\''), inner @ .., close] if open == close => path_of(inner),
        name => path_of(name),
    }
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}
