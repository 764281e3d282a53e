//! Arguments of calls, as text.

use super::super::net::{IndexEntry, Setting};

/// An argument; `value` gives the text of a value.
pub(super) fn text(setting: &Setting, value: &mut dyn FnMut(usize) -> String) -> String {
    match setting {
        Setting::Arg(at) => value(*at),
        Setting::Int(number) => number.to_string(),
        Setting::Dim(size) => size.to_string(),
        // As Rust has the shortest text of a float: 0.5, 1e-5, 6.0.
        Setting::Float(number) => format!("{number:?}"),
        Setting::Word(word) => (*word).to_owned(),
        Setting::Text(text) => format!("\"{text}\""),
        Setting::List(entries) => {
            let entries: Vec<String> = entries.iter().map(|entry| text(entry, value)).collect();
            format!("[{}]", entries.join(", "))
        }
    }
}

/// An index; axes that are left out at the end are whole.
pub(super) fn index(entries: &[IndexEntry]) -> String {
    let last = entries.iter().rposition(|entry| *entry != IndexEntry::All).unwrap_or(0);
    let entry = |entry: &IndexEntry| match entry {
        IndexEntry::All => ":".to_owned(),
        IndexEntry::At(at) => at.to_string(),
        IndexEntry::Range(from, to) => format!("{from}:{to}"),
    };
    entries[..=last].iter().map(entry).collect::<Vec<_>>().join(", ")
}
