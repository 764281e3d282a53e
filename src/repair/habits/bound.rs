//! Arguments of a call, as they were given and by the parameters of a row.
//!
//! ```text
//! Conv2D(32, kernel_size=(3, 3))     filters = 32, size = [3, 3]
//! ```

use std::collections::HashMap;

/// An argument of a call, its value written as here.
#[derive(Clone, Debug)]
pub struct GivenArgument {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Whether `=` stands behind the name.
    pub equals: bool,
    /// Its value.
    pub value: String,
}

/// Stands for a value that cannot be said here: what has it stays as its author wrote it.
pub const OPEN: &str = "⟦?⟧";

/// Arguments by the parameters of a row.
pub struct BoundArguments<'r> {
    pub values: HashMap<&'r str, String>,
    /// Those that the row does not know, which may be known here.
    pub others: Vec<(Option<String>, String)>,
}

/// `[3, 3]` as `3`.
pub fn size(text: &str) -> Option<String> {
    let extents = listed(text);
    let all_one = extents.first().is_some_and(|first| extents.iter().all(|it| it == first));
    Some(if all_one { extents[0].clone() } else { text.to_owned() })
}

/// The entries of a list.
pub fn listed(text: &str) -> Vec<String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let parts = inner.into_iter().flat_map(|inner| inner.split(','));
    parts.map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}
