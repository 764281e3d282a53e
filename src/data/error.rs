//! Errors about data, in plain words: the driver makes a diagnostic of each.
//!
//! `train-images-idx3-ubyte.gz: the header says 60000 × 28 × 28 bytes, but the file ends after
//! 31337 of 47040000` is a message with a path; the help says what to do.

use crate::base::names::near;
use crate::base::shown::Show;
use std::fmt;
use std::path::Path;

/// Why a data set cannot be had. Texts are boxed, which keeps results small.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataError {
    /// One sentence, without a full stop; does not repeat the path.
    pub message: Box<str>,
    /// The file or folder that it is about.
    pub path: Option<Box<Path>>,
    /// The argument of the source, or of the transform, that it is about.
    pub argument: Option<Box<str>>,
    /// The field that it is about, counted from 0; `transform` is then one of its own.
    pub field: Option<u16>,
    /// The transform that it is about, counted from 0.
    pub transform: Option<u16>,
    /// Every place that was looked at, with what was found there.
    pub tried: Box<[String]>,
    /// Further facts, one a line.
    pub notes: Box<[String]>,
    /// Advice.
    pub help: Option<Box<str>>,
    /// A word that may stand in place of another, or a text in place of the argument.
    pub mending: Option<Box<Mending>>,
    /// Whether nothing is wrong, but the user wants to stop.
    pub interrupted: bool,
}

/// A change of the program that may mend an error.
#[derive(Clone, Debug, PartialEq)]
pub enum Mending {
    /// A word that means nothing, and those near it that do.
    Misspelt(String, Vec<&'static str>),
    /// A text in place of the argument.
    Instead(String),
}

impl DataError {
    /// An error that is about no file yet.
    pub fn new(message: impl Into<String>) -> Self {
        DataError { message: message.into().into(), ..DataError::default() }
    }

    /// Not an error: the user does not want to wait for the data any longer.
    pub fn interrupted() -> Self {
        DataError { interrupted: true, ..DataError::new("stopped while reading the data") }
    }

    /// Names the file or folder.
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        self.path = Some(path.as_ref().into());
        self
    }

    /// Names the file or folder, where none is named yet.
    pub fn or_path(self, path: impl AsRef<Path>) -> Self {
        if self.path.is_some() { self } else { self.path(path) }
    }

    /// Names the argument.
    pub fn argument(mut self, name: impl Into<String>) -> Self {
        self.argument = Some(name.into().into());
        self
    }

    /// Names the field, by its place among all that are written.
    pub fn field(mut self, index: usize) -> Self {
        self.field = Some(u16::try_from(index).expect("a program has fewer than 2^16 words"));
        self
    }

    /// The same, where the field is written.
    pub fn maybe_field(self, index: Option<usize>) -> Self {
        match index {
            Some(index) => self.field(index),
            None => self,
        }
    }

    /// Names the transform, by its place among all.
    pub fn transform(mut self, index: usize) -> Self {
        self.transform = Some(u16::try_from(index).expect("a program has fewer than 2^16 words"));
        self
    }

    /// Names a word that means nothing: asks whether one of those near it was meant, or says
    /// `otherwise`.
    pub fn misspelt(
        mut self,
        word: &str,
        known: impl IntoIterator<Item = &'static str>,
        otherwise: impl FnOnce() -> String,
    ) -> Self {
        let near = near(word, known);
        let help = match near.first() {
            Some(near) => format!("did you mean `{near}`?"),
            None => otherwise(),
        };
        self.mending = Some(Box::new(Mending::Misspelt(word.to_owned(), near)));
        self.help(help)
    }

    /// Says what may stand in place of the argument.
    pub fn instead(mut self, text: impl Into<String>) -> Self {
        self.mending = Some(Box::new(Mending::Instead(text.into())));
        self
    }

    /// Lists the places that were looked at.
    pub fn tried(mut self, places: Vec<String>) -> Self {
        self.tried = places.into();
        self
    }

    /// Adds facts, one a line.
    pub fn notes(mut self, notes: Vec<String>) -> Self {
        self.notes = notes.into();
        self
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into().into());
        self
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.shown())?;
        }
        f.write_str(&self.message)?;
        for place in &self.tried {
            write!(f, "\n  looked at {place}")?;
        }
        for note in &self.notes {
            write!(f, "\n  {note}")?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DataError {}
