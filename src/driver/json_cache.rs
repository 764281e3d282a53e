//! Small values that are cached as JSON from one command to the next. Nothing depends on
//! it but time: what cannot be read is made again, what cannot be written is not kept.

use crate::files::{read, write};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// The value in a file of the cache, if it can be read.
pub fn read<T: DeserializeOwned>(file: Option<&PathBuf>) -> Option<T> {
    let text = read::text(file?, read::RECORD).ok()?;
    serde_json::from_str(&text).ok()
}

/// Keeps a value in a file of the cache, where there is one.
#[expect(clippy::disallowed_methods, reason = "a folder of the cache")]
pub fn write<T: Serialize>(file: Option<&PathBuf>, value: &T) {
    let Some((file, text)) = file.zip(serde_json::to_string(value).ok()) else { return };
    if let Some(folder) = file.parent()
        && std::fs::create_dir_all(folder).is_ok()
    {
        // A full device only means that it is made again.
        let _ = write::replace(file, text.as_bytes());
    }
}
