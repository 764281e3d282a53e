//! A report's file, written so that nobody ever reads half of it.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::path::Path;

use tempfile::Builder;

/// Writes a file, with the folders it lies in, or replaces it at once: whoever opens it, say a
/// browser that reloads the page of a running training, finds the old contents or the new.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    // `parent` of a bare file name is the empty path.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut builder = Builder::new();
    let readable = readable();
    if let Some(permissions) = &readable {
        builder.permissions(permissions.clone());
    }
    let mut file = builder.prefix("writing-").tempfile_in(folder)?;
    file.write_all(contents)?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// What any new file's permissions are before the user's mask; temporary files would be for their
/// owner alone, but reports are made to be shown to others.
#[cfg(unix)]
fn readable() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn readable() -> Option<Permissions> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_with_its_folders_and_replaced_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("runs/one/report.html");
        write(&path, b"first, and longer").expect("written");
        write(&path, b"second").expect("replaced");
        assert_eq!(fs::read(&path).expect("readable"), b"second");
        let beside = fs::read_dir(path.parent().expect("a folder")).expect("readable").count();
        assert_eq!(beside, 1, "no temporary file is left");
    }

    #[cfg(unix)]
    #[test]
    fn a_report_has_the_permissions_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write(&ours, b"").expect("written");
        fs::write(&plain, b"").expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
