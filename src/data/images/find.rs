//! Where the folders of an `images(…)` source are.
//!
//! `images("photos/train")` is `photos/train` beside the program, or else under the folder for data.
//! With `--data DIR`, it is `DIR/photos/train`, `DIR/train` or `DIR` itself, so that a user may name
//! whatever folder has the images.

use std::path::PathBuf;

use crate::data::error::DataError;
use crate::data::locate::folder;
use crate::data::request::Places;

/// The folder of the training images.
pub fn train(name: &str, places: &Places) -> Result<PathBuf, DataError> {
    folder(name, "folder", places, places.override_.clone())
}
