//! Why a recording cannot be read or measured: one sentence, and advice where there is some.
//!
//! ```text
//! byte 36: the data chunk claims 4000 bytes, but 31 follow; the file is cut: copy it again
//! ```
//!
//! The caller adds the path of the file.

use std::fmt;

/// Why a recording cannot be read, resampled or measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioError {
    /// One sentence without a full stop: the fault and its place (byte, sample or setting).
    pub message: String,
    /// A way out, if there is one, as a clause: `save it as 16-bit PCM`.
    pub help: Option<String>,
}

impl AudioError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        AudioError { message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for AudioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for AudioError {}
