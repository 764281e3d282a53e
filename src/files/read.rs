//! Reading: a path to an open file, or to its bytes.
//!
//! Links are followed; what they lead to must be a plain file. It is opened without waiting, so a
//! pipe that takes a file's place between the look and the opening holds nobody up, and no more is
//! read than the caller's bound, whatever the file says of its size: a file of `/proc` has none, a
//! sparse one has more than there is.
//!
//! Errors are those of the system, and three of ours, as texts that stand behind a path:
//! `is a pipe, not a plain file`, `has 5.0 GB; at most 16.8 MB of such a file are read`,
//! `is not UTF-8 text`.

use super::kind;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Bytes of a program's file.
pub const PROGRAM: u64 = 16 << 20;
/// Bytes of a file that nnc has written for itself: what a run is, what a cache knows.
pub const RECORD: u64 = 64 << 20;
/// Bytes of a table of numbers: rows of samples, the epochs of a run, standard input.
pub const TABLE: u64 = 1 << 30;
/// Bytes of a file of tensors.
pub const TENSORS: u64 = 1 << 36;

/// Opens a plain file.
pub fn open(path: &Path) -> io::Result<File> {
    // Opening some devices does something already, so they are looked at first.
    plain(&fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        libc::O_NONBLOCK | libc::O_NOCTTY,
    );
    let file = options.open(path)?;
    plain(&file.metadata()?)?;
    Ok(file)
}

/// Whether something is there that is no folder: what is no plain file, [`open`] refuses by what it
/// is.
pub fn is_there(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| !data.is_dir())
}

/// The names of a folder's entries in alphabetical order, at most so many, and whether each is a folder;
/// none where it cannot be read.
pub fn entries(folder: &Path, most: usize) -> Vec<(String, bool)> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(most);
    let mut found: Vec<(String, bool)> = entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path().is_dir())))
        .collect();
    found.sort();
    found
}

/// The bytes of a plain file that has at most so many.
pub fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    if size > most {
        return Err(too_large(size, most));
    }
    let mut bytes = Vec::new();
    let room = usize::try_from(size).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(room).map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
    up_to(file, most, &mut bytes)?;
    Ok(bytes)
}

/// The same, or of `-` what standard input has.
pub fn bytes_or_stdin(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    match path.as_os_str() == "-" {
        true => stream(io::stdin().lock(), most),
        false => bytes(path, most),
    }
}

/// The text of a plain file that has at most so many bytes.
pub fn text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(bytes(path, most)?).map_err(|_| not_text())
}

/// All that a stream has, if that is not more than so many bytes.
pub fn stream(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    up_to(from, most, &mut bytes)?;
    Ok(bytes)
}

/// The error of a file that should be text.
pub fn not_text() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "is not UTF-8 text")
}

fn up_to(from: impl Read, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    from.take(most.saturating_add(1)).read_to_end(bytes)?;
    match bytes.len() as u64 > most {
        true => Err(too_large(bytes.len() as u64, most)),
        false => Ok(()),
    }
}

fn plain(data: &fs::Metadata) -> io::Result<()> {
    match data.is_file() {
        true => Ok(()),
        false => {
            let what = kind(data.file_type());
            Err(io::Error::new(ErrorKind::InvalidInput, format!("{what}, not a plain file")))
        }
    }
}

fn too_large(size: u64, most: u64) -> io::Error {
    let shown = |bytes: u64| match bytes {
        ..1_000_000 => format!("{bytes} bytes"),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    };
    let at_least = if size == most + 1 { "more than " } else { "" };
    let size = if size == most + 1 { most } else { size };
    let message =
        format!("{at_least}{}; at most {} of such a file are read", shown(size), shown(most));
    io::Error::new(ErrorKind::FileTooLarge, message)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    #[test]
    fn only_plain_files_are_opened_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("plain"), "text").unwrap();
        symlink(at("plain"), at("link")).unwrap();
        symlink(at("loop"), at("loop")).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        let made = Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        assert_eq!(text(&at("link"), 4).unwrap(), "text");
        for (name, what) in [
            ("pipe", "a pipe, not"),
            ("zero", "a device, not"),
            ("socket", "a socket, not"),
            ("", "a folder, not"),
        ] {
            let error = bytes(&at(name), 100).unwrap_err().to_string();
            assert!(error.starts_with(what), "{name}: {error}");
        }
        assert!(bytes(&at("loop"), 100).is_err());
        assert_eq!(bytes(&at("none"), 100).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn no_more_is_read_than_the_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        let file = File::create(&path).unwrap();
        file.set_len(1 << 40).unwrap();
        let error = bytes(&path, PROGRAM).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert!(error.to_string().starts_with("1099.5 GB; at most 16.8 MB"), "{error}");
        file.set_len(4).unwrap();
        assert_eq!(bytes(&path, 4).unwrap(), [0; 4]);
        assert!(bytes(&path, 3).is_err());
        assert_eq!(stream(&b"abc"[..], 3).unwrap(), b"abc");
        let error = stream(io::repeat(1), 2_000_000).unwrap_err().to_string();
        assert!(error.starts_with("more than 2.0 MB"), "{error}");
        // A file that says it is empty, and is not.
        assert!(bytes(Path::new("/proc/self/status"), RECORD).is_ok_and(|it| !it.is_empty()));
    }
}
