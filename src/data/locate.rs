//! Files as a program names them: in the folder given for this run, else beside the program, then in
//! the folder for data; with `.gz` added where only that exists.
//!
//! ```text
//! "tables/penguins.csv"   →  beside/tables/penguins.csv, NNC_DATA/tables/penguins.csv
//! with --data DIR         →  DIR/tables/penguins.csv, DIR/penguins.csv, or DIR itself, a file
//! ```

use std::path::{Component, Path, PathBuf};

use super::error::DataError;
use super::request::Places;
use crate::base::shown::Show;
use crate::files;

/// The file of a name that an argument gives.
pub fn file(name: &str, argument: &str, places: &Places) -> Result<PathBuf, DataError> {
    let candidates = match &places.override_ {
        Some(file) if file.is_file() => vec![file.clone()],
        _ => candidates(name, places),
    };
    let mut tried = Vec::new();
    for path in candidates {
        let mut packed = path.clone().into_os_string();
        packed.push(".gz");
        for path in [path, packed.into()] {
            if files::read::is_there(&path) {
                return Ok(path);
            }
            tried.push(path.shown().to_string());
        }
    }
    Err(DataError::new(format!("there is no file `{name}`"))
        .argument(argument)
        .tried(tried)
        .help("put it beside the program, or name its folder with --data"))
}

/// The folder of a name that an argument gives, whose sub-folders are classes; `itself` is a further place
/// to look at where the user named a folder for this run.
pub fn folder(
    name: &str,
    argument: &str,
    places: &Places,
    itself: Option<PathBuf>,
) -> Result<PathBuf, DataError> {
    let mut candidates = candidates(name, places);
    candidates.extend(itself);
    if let Some(folder) = candidates.iter().find(|path| path.is_dir()) {
        return Ok(folder.clone());
    }
    if let Some(file) = candidates.iter().find(|path| path.exists()) {
        return Err(DataError::new(
            "a file, but a folder with a sub-folder for each class is needed",
        )
        .path(file)
        .argument(argument));
    }
    Err(DataError::new(format!("there is no folder `{name}`"))
        .argument(argument)
        .tried(candidates.iter().map(|path| path.shown().to_string()).collect())
        .help("put it beside the program or under NNC_DATA, or name it with --data"))
}

/// Where a name may lie.
fn candidates(name: &str, places: &Places) -> Vec<PathBuf> {
    match &places.override_ {
        Some(folder) => tails(Path::new(name)).map(|tail| folder.join(tail)).collect(),
        None => places.roots().map(|folder| folder.join(name)).collect(),
    }
}

/// `a/b/c`, `b/c`, `c`.
fn tails(path: &Path) -> impl Iterator<Item = PathBuf> {
    let names: Vec<Component<'_>> =
        path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let tails: Vec<PathBuf> =
        (0..names.len()).map(|start| names[start..].iter().collect()).collect();
    tails.into_iter()
}
