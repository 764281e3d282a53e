//! A file of known misses: one that is lost is seen, and one that is won.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Holds the misses that were found, a line each, against those of a file, or accepts them with `NNC_BLESS`;
/// `of` says what they are misses of, `test` is the name of the test file.
pub fn are_known(path: &Path, found: &str, of: &str, test: &str) {
    if std::env::var_os("NNC_BLESS").is_some_and(|value| value != "0") {
        assert!(std::env::var_os("CI").is_none(), "expectations are accepted by people");
        fs::write(path, found).expect("writable");
    }
    let known = fs::read_to_string(path).unwrap_or_default();
    let difference = |a: &str, b: &str, sign: char| -> String {
        let others: BTreeSet<&str> = b.lines().collect();
        let only = a.lines().filter(|line| !others.contains(line));
        only.map(|line| format!("{sign} {line}\n")).collect()
    };
    assert!(
        known == found,
        "of {of}, {} knows other misses:\n{}{}accept with `NNC_BLESS=1 cargo test --test {test}`",
        path.display(),
        difference(&known, found, '-'),
        difference(found, &known, '+'),
    );
}
