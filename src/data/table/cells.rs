//! How a table is written, and the text of its cells.

use crate::data::error::DataError;

/// How a table is written.
#[derive(Clone, Debug, PartialEq)]
pub struct TableFormat {
    /// The separator of cells.
    pub delimiter: u8,
    /// Whether the first row names the columns; otherwise they are `c1`, `c2`, ….
    pub header: bool,
    /// Texts that mean that a cell has no value, beside the empty one.
    pub na: Vec<String>,
}

/// The message of a cell that is not UTF-8; who knows the file finds the byte.
pub const NOT_UTF8: &str = "not UTF-8";

/// The text of a cell, without blanks around it.
pub fn text(cell: &[u8]) -> Result<&str, DataError> {
    let text = std::str::from_utf8(cell).map_err(|_| DataError::new(NOT_UTF8))?;
    Ok(text.trim_start_matches('\u{feff}').trim())
}
