//! Where the folders of an `images(…)` source are.
//!
//! `images("photos/train")` is `photos/train` beside the program, or else under the folder for data.
//! With `--data DIR`, it is `DIR/photos/train`, `DIR/train` or `DIR` itself, so that a user may name
//! whatever folder has the images.

use std::path::{Path, PathBuf};

use crate::base::shown::Show;
use crate::data::error::DataError;
use crate::data::locate::tails;
use crate::data::request::Places;

/// The folder of the training images.
pub fn train(name: &str, places: &Places) -> Result<PathBuf, DataError> {
    find(name, "folder", places, places.override_.clone())
}

/// The folder of another split, which `argument` names.
pub fn other(name: &str, argument: &str, places: &Places) -> Result<PathBuf, DataError> {
    find(name, argument, places, None)
}

fn find(
    name: &str,
    argument: &str,
    places: &Places,
    itself: Option<PathBuf>,
) -> Result<PathBuf, DataError> {
    let candidates: Vec<PathBuf> = match &places.override_ {
        Some(folder) => {
            tails(Path::new(name)).map(|tail| folder.join(tail)).chain(itself).collect()
        }
        None => [Some(&places.beside), places.nnc_data.as_ref()]
            .into_iter()
            .flatten()
            .map(|folder| folder.join(name))
            .collect(),
    };
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
