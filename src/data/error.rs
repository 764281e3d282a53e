//! What is wrong with data, in plain words: the driver makes a diagnostic of it.
//!
//! `train-images-idx3-ubyte.gz: the header says 60000 × 28 × 28 bytes, but the file ends after
//! 31337 of 47040000` is a message with a path; the help says what to do.

use std::fmt;
use std::path::{Path, PathBuf};

/// Why a data set cannot be had.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataError {
    /// One sentence, without a full stop; does not repeat the path.
    pub message: String,
    /// The file or folder that it is about.
    pub path: Option<PathBuf>,
    /// The argument of the source that it is about.
    pub argument: Option<String>,
    /// Every place that was looked at, with what was found there.
    pub tried: Vec<String>,
    /// What to do.
    pub help: Option<String>,
}

impl DataError {
    /// An error that is about no file yet.
    pub fn new(message: impl Into<String>) -> Self {
        DataError { message: message.into(), ..DataError::default() }
    }

    /// Names the file or folder.
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        self.path = Some(path.as_ref().to_path_buf());
        self
    }

    /// Names the argument.
    pub fn argument(mut self, name: impl Into<String>) -> Self {
        self.argument = Some(name.into());
        self
    }

    /// Lists the places that were looked at.
    pub fn tried(mut self, places: Vec<String>) -> Self {
        self.tried = places;
        self
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(&self.message)?;
        for place in &self.tried {
            write!(f, "\n  looked at {place}")?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DataError {}
