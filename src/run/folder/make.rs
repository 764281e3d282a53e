//! Makes the folder of a run: a new one, or an empty one that is there.
//!
//! ```text
//! runs/net is there      runs/net-2 is made
//! --out there            refused where it holds anything but what a killed run leaves
//! ```
//!
//! Its contents are not made here.

use super::RunFolder;
use crate::base::shown::{Show, quoted};
use crate::driver::session::Failure;
use crate::files::write::TEMPORARY;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Makes a folder, and those above it.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)
        .map_err(|error| Failure::Io(format!("cannot make the folder {}: {error}", folder.shown())))
}

/// Makes a folder, or takes an empty one.
pub(super) fn make_empty(folder: &Path) -> Result<(), Failure> {
    make_folder(folder)?;
    if RunFolder::is_one(folder) {
        return Err(Failure::Io(format!(
            "{} holds a run already; `--resume={}` goes on with it, another `--out` begins anew",
            folder.shown(),
            quoted(folder)
        )));
    }
    let mut entries = fs::read_dir(folder)
        .map_err(|error| Failure::Io(format!("cannot read {}: {error}", folder.shown())))?;
    // What a run leaves that was killed before it began.
    let of_run = |name: &std::ffi::OsStr| {
        name == "lock"
            || name == "program"
            || name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
    };
    let strange = entries.find(|entry| entry.as_ref().is_ok_and(|it| !of_run(&it.file_name())));
    match strange {
        Some(_) => Err(Failure::Io(format!(
            "{} is not empty, and not the folder of a run; choose another `--out`",
            folder.shown()
        ))),
        None => Ok(()),
    }
}

/// Makes the first folder of a row of names that is not there: making it is what tells.
pub(super) fn first_free(parent: &Path, stem: &str) -> Result<PathBuf, Failure> {
    make_folder(parent)?;
    let names = (1..).map(|number| match number {
        1 => stem.to_owned(),
        number => format!("{stem}-{number}"),
    });
    for name in names {
        let folder = parent.join(name);
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(Failure::Io(format!(
                    "cannot make the folder {}: {error}; `--out FOLDER` writes elsewhere, \
                     `--no-out` nowhere",
                    folder.shown()
                )));
            }
        }
    }
    unreachable!("numbers do not end")
}
