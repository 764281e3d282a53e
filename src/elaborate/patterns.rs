//! Patterns of parameters' paths: `*` stands for any characters.
//!
//! ```text
//! *.bias          every `bias`, of whatever layer
//! encoder.*       all of the layer `encoder`
//! ```

use crate::base::source::Span;
use std::collections::HashSet;

/// A pattern of parameters' paths, and its place.
pub type Pattern = (String, Span);

/// The patterns that people write of these paths, each once: a path itself, all of a layer
/// (`block.dense.*`, `block.*`), and all of a name (`*.bias`).
pub fn known_patterns(paths: &[&str]) -> Vec<String> {
    let mut known: Vec<String> = paths.iter().map(|path| path.to_string()).collect();
    for path in paths {
        let layers = path.match_indices('.').map(|(dot, _)| format!("{}.*", &path[..dot]));
        known.extend(layers);
        known.extend(path.rsplit_once('.').map(|(_, name)| format!("*.{name}")));
    }
    let mut seen = HashSet::new();
    known.retain(|pattern| seen.insert(pattern.clone()));
    known
}

/// Whether a path is as a pattern says: `*` stands for any characters, and `*.` at the beginning
/// for none too, so that `*.bias` is every `bias`.
pub fn matches(pattern: &str, path: &str) -> bool {
    let rest = pattern.strip_prefix("*.");
    glob(pattern.as_bytes(), path.as_bytes())
        || rest.is_some_and(|rest| glob(rest.as_bytes(), path.as_bytes()))
}

/// The usual walk with one way back: to the last `*`, which then takes one character more.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, read));
            at += 1;
        } else if pattern.get(at) == Some(&text[read]) {
            at += 1;
            read += 1;
        } else if let Some((place, taken)) = star {
            star = Some((place, taken + 1));
            (at, read) = (place + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_whole_paths() {
        let cases = [
            ("*.bias", "dense.bias", true),
            ("*.bias", "bias", true),
            ("*.bias", "block.dense_2.bias", true),
            ("*.bias", "dense.bias.more", false),
            ("bias", "dense.bias", false),
            ("*.batch_norm*.*", "batch_norm.weight", true),
            ("*.batch_norm*.*", "block_2.batch_norm_3.bias", true),
            ("*.batch_norm*.*", "block.dense.bias", false),
            ("dense*", "dense.weight", true),
            ("*a*b*", "xaxxbx", true),
            ("*a*b", "xaxxbx", false),
            ("", "x", false),
            ("*", "anything.at.all", true),
        ];
        for (pattern, path, wanted) in cases {
            assert_eq!(matches(pattern, path), wanted, "{pattern} and {path}");
        }
    }
}
