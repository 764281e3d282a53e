//! Writing: a file is there whole, as it was or as it shall be, and is still what it was to others.
//!
//! ```text
//! link → real.nn (mode 0640, of group `team`)     replace(link, …)
//! .writing-x7Qk2p     written beside real.nn, given its mode and owner, brought to the disk
//! real.nn             renamed onto it; the link still leads there
//! ```
//!
//! A file that has other names (hard links), or whose owner cannot be kept, is not replaced but
//! written over, since another file in its place would cut it off from those; its new contents are
//! on the disk beside it before that begins, and stay there if it fails.
//!
//! Refused are folders, devices, pipes and sockets, which would become plain files, and files that
//! nobody may write, root included. Extended attributes are not kept.

use super::kind;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempDir};

/// Prefix of the temporary files that are being written; a run that was killed leaves them behind.
pub const TEMPORARY: &str = ".writing-";
/// More links than this in a row lead in a circle.
const MOST_LINKS: usize = 40;

/// Replaces a file's contents, or makes the file.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_by(path, |file| file.write_all(bytes))
}

/// The same; `write` is given an empty file.
pub fn replace_by(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    NewContents::written(path, write)?.put()
}

/// Replaces the contents of several files, or makes them: none where one of them cannot be written, on
/// a full disk for one. The error is that of a file.
pub fn replace_all(files: &[(PathBuf, Vec<u8>)]) -> Result<(), (&Path, io::Error)> {
    let mut written = Vec::new();
    for (path, bytes) in files {
        let new = NewContents::written(path, |file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.push((path, new.map_err(|error| (path.as_path(), error))?));
    }
    written
        .into_iter()
        .try_for_each(|(path, new)| new.put().map_err(|error| (path.as_path(), error)))
}

/// New contents of a file, written beside it.
struct NewContents {
    new: NamedTempFile,
    target: WriteTarget,
}

impl NewContents {
    fn written(
        path: &Path,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<NewContents> {
        let target = WriteTarget::of(path)?;
        let mut new = beside(&target.path)?;
        write(new.as_file_mut())?;
        Ok(NewContents { new, target })
    }

    /// Puts it in the file's place.
    fn put(self) -> io::Result<()> {
        let NewContents { new, target } = self;
        match &target.there {
            Some(old) if !takes_after(new.as_file(), old) => return write_over(new, &target.path),
            _ => new.as_file().sync_all()?,
        }
        new.persist(&target.path).map_err(|error| error.error)?;
        sync_folder(&target.path);
        Ok(())
    }
}

/// Whether a file can be replaced or made there, as far as that can be known before it is done.
pub fn check(path: &Path) -> io::Result<()> {
    let target = WriteTarget::of(path)?;
    beside(&target.path).map(drop)
}

/// Where a file that was written elsewhere is to be put: behind links, in the place of a plain file or
/// of none.
pub fn destination(path: &Path) -> io::Result<PathBuf> {
    WriteTarget::of(path).map(|target| target.path)
}

/// Opens a plain file to write at its end; makes it where there is none.
pub fn append(path: &Path) -> io::Result<File> {
    open_end(path, true)
}

/// Opens a plain file that is there to write at its end.
pub fn append_to(path: &Path) -> io::Result<File> {
    open_end(path, false)
}

fn open_end(path: &Path, create: bool) -> io::Result<File> {
    let target = WriteTarget::of(path)?;
    let file = without_waiting().append(true).create(create).open(&target.path)?;
    plain(&file.metadata()?)?;
    Ok(file)
}

/// Opens a plain file that is written by nobody, such as a lock; makes it where there is none.
pub fn touch(path: &Path) -> io::Result<File> {
    let target = WriteTarget::of(path)?;
    let mut options = without_waiting();
    let file = options.write(true).create(true).truncate(false).open(&target.path)?;
    plain(&file.metadata()?)?;
    Ok(file)
}

/// Where writing to a path ends.
struct WriteTarget {
    path: PathBuf,
    /// Metadata of the plain file that is to be replaced; `None` where there is no file yet.
    there: Option<Metadata>,
}

impl WriteTarget {
    /// Follows links, also one that leads to no file yet, and refuses what must not be written.
    fn of(path: &Path) -> io::Result<WriteTarget> {
        let mut path = path.to_path_buf();
        for _ in 0..MOST_LINKS {
            let data = match fs::symlink_metadata(&path) {
                Ok(data) => data,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Ok(WriteTarget { path, there: None });
                }
                Err(error) => return Err(error),
            };
            if !data.is_symlink() {
                plain(&data)?;
                writable(&path, &data)?;
                return Ok(WriteTarget { path, there: Some(data) });
            }
            path = folder(&path).join(fs::read_link(&path)?);
        }
        Err(io::Error::other("its links lead in a circle"))
    }
}

fn plain(data: &Metadata) -> io::Result<()> {
    match data.is_file() {
        true => Ok(()),
        false => {
            let message = format!("it is {}; only plain files are written", kind(data.file_type()));
            Err(io::Error::new(ErrorKind::InvalidInput, message))
        }
    }
}

/// A file without leave to write is not written, though a folder's owner could replace it and root
/// could write it: who took the leave away meant it.
fn writable(path: &Path, data: &Metadata) -> io::Result<()> {
    if data.permissions().readonly() {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "it is read-only"));
    }
    without_waiting().write(true).open(path).map(drop)
}

fn without_waiting() -> fs::OpenOptions {
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        libc::O_NONBLOCK | libc::O_NOCTTY,
    );
    options
}

/// A new file in a folder, which is made where it is missing. It has no name where the system allows
/// that, and is gone with the program.
pub fn unnamed(folder: &Path) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder)
}

/// A file of this name with these bytes, in a folder of its own among the system's temporary files. It
/// goes with what is given back.
pub fn temporary(name: &str, bytes: &[u8]) -> io::Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(name);
    fs::write(&path, bytes)?;
    Ok((folder, path))
}

/// A new file for what will be at a path, in the same folder. It goes away unless it is put there.
pub fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    // Temporary files are for their owner alone; this one becomes an ordinary file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder(path))
}

/// Gives a new file the mode and owner of the one that it replaces; whether it can stand for it.
fn takes_after(new: &File, old: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let Ok(made) = new.metadata() else { return false };
        let owned = (made.uid(), made.gid()) == (old.uid(), old.gid())
            || fchown(new, Some(old.uid()), Some(old.gid())).is_ok();
        if old.nlink() > 1 || !owned {
            return false;
        }
    }
    // Behind the owner: a new owner may cost a file some of its mode.
    new.set_permissions(old.permissions()).is_ok()
}

/// Writes the new contents over the old ones, in place.
fn write_over(mut new: NamedTempFile, path: &Path) -> io::Result<()> {
    new.as_file().sync_all()?;
    let mut copy = || {
        let mut file = without_waiting().write(true).open(path)?;
        plain(&file.metadata()?)?;
        new.as_file_mut().seek(SeekFrom::Start(0))?;
        let mut piece = vec![0; 1 << 16];
        let mut size = 0u64;
        loop {
            match new.as_file_mut().read(&mut piece)? {
                0 => break,
                count => {
                    file.write_all(&piece[..count])?;
                    size += count as u64;
                }
            }
        }
        file.set_len(size)?;
        file.sync_all()
    };
    let Err(error) = copy() else { return Ok(()) };
    let kept = match new.keep() {
        Ok((_, kept)) => format!("; its new contents are in {}", kept.to_string_lossy()),
        Err(_) => String::new(),
    };
    Err(io::Error::new(error.kind(), format!("{error}{kept}")))
}

/// A file that has taken its place is there after a crash of the system only once the folder is on
/// the disk, too. Some systems cannot say so, and some folders may not be opened.
fn sync_folder(path: &Path) {
    #[cfg(unix)]
    drop(File::open(folder(path)).and_then(|folder| folder.sync_all()));
    #[cfg(not(unix))]
    let _ = path;
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::process::Command;

    fn names(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn links_lead_on_and_what_they_lead_to_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("real"), "old").unwrap();
        fs::set_permissions(at("real"), PermissionsExt::from_mode(0o640)).unwrap();
        symlink("real", at("near")).unwrap();
        symlink(at("near"), at("far")).unwrap();
        symlink("made", at("dangling")).unwrap();
        symlink("b", at("a")).unwrap();
        symlink("a", at("b")).unwrap();
        replace(&at("far"), b"new").unwrap();
        assert_eq!(fs::read(at("real")).unwrap(), b"new");
        assert_eq!(fs::metadata(at("real")).unwrap().mode() & 0o777, 0o640);
        replace(&at("dangling"), b"x").unwrap();
        assert_eq!(fs::read(at("made")).unwrap(), b"x");
        for link in ["near", "far", "dangling"] {
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
        }
        assert!(replace(&at("a"), b"x").is_err());
        assert_eq!(names(folder.path()), 7, "nothing is left behind");
    }

    #[test]
    fn several_files_are_written_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("first"), "old").unwrap();
        fs::create_dir(at("third")).unwrap();
        let files = ["first", "second", "third"].map(|name| (at(name), b"new".to_vec()));
        let (path, _) = replace_all(&files).expect_err("a folder");
        assert_eq!(path, at("third"));
        assert_eq!(fs::read(at("first")).unwrap(), b"old");
        assert_eq!(names(folder.path()), 2, "nothing is left behind");
        replace_all(&files[..2]).expect("two files");
        assert_eq!(fs::read(at("second")).unwrap(), b"new");
        assert_eq!(fs::read(at("first")).unwrap(), b"new");
        assert_eq!(names(folder.path()), 3);
    }

    #[test]
    fn other_names_of_a_file_see_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("one"), "a long old text").unwrap();
        fs::hard_link(at("one"), at("other")).unwrap();
        replace(&at("one"), b"new").unwrap();
        assert_eq!(fs::read(at("other")).unwrap(), b"new");
        assert_eq!(fs::metadata(at("one")).unwrap().nlink(), 2);
        assert_eq!(names(folder.path()), 2);
    }

    #[test]
    fn what_is_no_plain_file_or_read_only_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        symlink("/dev/null", at("null")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        fs::write(at("kept"), "old").unwrap();
        fs::set_permissions(at("kept"), PermissionsExt::from_mode(0o444)).unwrap();
        for (name, what) in [
            ("pipe", "a pipe"),
            ("null", "a device"),
            ("folder", "a folder"),
            ("socket", "a socket"),
            ("kept", "read-only"),
        ] {
            let path = at(name);
            let tries = [
                replace(&path, b"x"),
                check(&path),
                append(&path).map(drop),
                touch(&path).map(drop),
            ];
            for tried in tries {
                let error = tried.unwrap_err().to_string();
                assert!(error.contains(what), "{name}: {error}");
            }
        }
        assert_eq!(fs::read(at("kept")).unwrap(), b"old");
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        assert_eq!(names(folder.path()), 5, "nothing is left behind");
    }

    #[test]
    fn what_cannot_be_finished_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();
        let failed = replace_by(&path, |file| {
            file.write_all(b"half of the ne")?;
            Err(ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!((fs::read(&path).unwrap(), names(folder.path())), (b"old".to_vec(), 1));
    }

    use std::os::unix::fs::FileTypeExt;
}
