//! The lines in which the programs of two runs differ, as `diff -u` groups them.
//!
//! ```text
//! dense(32) |> relu     and     dense(64) |> relu     →     [[[" ", "model net …"], ["-", "…32…"], ["+", "…64…"]]]
//! ```
//!
//! Files of one name are compared with each other; one that only a run has is all new or all gone.

use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};
use std::collections::BTreeSet;
use std::time::Duration;

/// Lines around a change.
const AROUND: usize = 3;
/// The most lines that are sent.
const MOST_LINES: usize = 2000;
/// How long the shortest difference is looked for.
const TIME: Duration = Duration::from_millis(500);

/// The source files of a run, by their names.
pub(super) type NamedSources = Vec<(String, String)>;

/// The differences of two programs, an object a file: its name, and groups of lines behind `-`, `+` or a
/// space.
pub(super) fn difference(before: &NamedSources, after: &NamedSources) -> Value {
    let text = |files: &NamedSources, name: &str| {
        let file = files.iter().find(|(known, _)| known == name);
        file.map(|(_, text)| text.clone()).unwrap_or_default()
    };
    let names: BTreeSet<&str> = before.iter().chain(after).map(|(name, _)| name.as_str()).collect();
    let mut left = MOST_LINES;
    let mut files = Vec::new();
    for name in names {
        let groups = groups(&text(before, name), &text(after, name), &mut left);
        if !groups.is_empty() {
            files.push(json!({ "file": name, "groups": groups }));
        }
    }
    json!({ "files": files, "cut": left == 0 })
}

/// Groups of changed lines and those around them; `left` is how many lines may still be told.
fn groups(before: &str, after: &str, left: &mut usize) -> Vec<Vec<[String; 2]>> {
    let diff = TextDiff::configure().timeout(TIME).diff_lines(before, after);
    let mut groups = Vec::new();
    for group in diff.grouped_ops(AROUND) {
        let changes = group.iter().flat_map(|op| diff.iter_changes(op));
        let lines = changes.take(*left).map(|change| {
            let sign = match change.tag() {
                ChangeTag::Equal => " ",
                ChangeTag::Delete => "-",
                ChangeTag::Insert => "+",
            };
            [sign.to_owned(), change.value().trim_end_matches(['\n', '\r']).to_owned()]
        });
        let lines: Vec<_> = lines.collect();
        *left -= lines.len();
        groups.push(lines);
    }
    groups.retain(|lines| !lines.is_empty());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(texts: &[(&str, &str)]) -> NamedSources {
        texts.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
    }

    #[test]
    fn changed_lines_stand_with_those_around_them() {
        let before = files(&[("net.nn", "a\nb\nc\nd\ne\nf\n"), ("loss.nn", "x\n")]);
        let after = files(&[("net.nn", "a\nb\nc\nd\ne\nF\n"), ("loss.nn", "x\n"), ("new.nn", "y")]);
        let known = json!([
            { "file": "net.nn", "groups": [[[" ", "c"], [" ", "d"], [" ", "e"], ["-", "f"], ["+", "F"]]] },
            { "file": "new.nn", "groups": [[["+", "y"]]] },
        ]);
        assert_eq!(difference(&before, &after), json!({ "files": known, "cut": false }));
        assert_eq!(difference(&before, &before), json!({ "files": [], "cut": false }));
    }

    #[test]
    fn a_long_difference_is_cut() {
        let long = files(&[("net.nn", &"line\n".repeat(3 * MOST_LINES))]);
        let all = difference(&long, &files(&[]));
        assert_eq!(all["cut"], true);
        assert_eq!(all["files"][0]["groups"][0].as_array().map(Vec::len), Some(MOST_LINES));
    }
}
