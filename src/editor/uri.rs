//! Paths of files as the protocol's addresses and back: `/a b/é.nn` is `file:///a%20b/%C3%A9.nn`.
//!
//! Other schemes (`untitled:`, `git:`) are no files; their documents are analysed as if they were in
//! no folder.

use std::path::{Component, Path, PathBuf};

/// Bytes that stand for themselves in the path of an address.
const PLAIN: &[u8] = b"-._~!$&'()*+,;=:@/";

/// The address of a file.
pub fn of_path(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut uri = String::from("file://");
    if !text.starts_with('/') {
        uri.push('/');
    }
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) {
            true => uri.push(byte as char),
            false => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// The path of an address, if it is of a file of this machine.
pub fn to_path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let path = &rest[rest.find('/')?..];
    let host = &rest[..rest.len() - path.len()];
    if !(host.is_empty() || host == "localhost") {
        return None;
    }
    let path = decoded(path.split(['?', '#']).next().unwrap_or_default())?;
    // `/c:/a.nn` is `c:/a.nn`.
    let bytes = path.as_bytes();
    let drive = bytes.len() > 2 && bytes[1].is_ascii_alphabetic() && bytes[2] == b':';
    Some(PathBuf::from(if drive { &path[1..] } else { &path }))
}

/// A text with `%41` as `A`; `None` where that is no UTF-8.
fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut made = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        let code = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(code)) => {
                made.push(code);
                at += 3;
            }
            (byte, _) => {
                made.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(made).ok()
}

/// A path without `.` and `a/..`, as its text alone tells.
pub fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(tidy.components().next_back(), Some(Component::Normal(_))) =>
            {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_there_and_back() {
        for path in ["/a b/é.nn", "/x/100%.nn", "/q?#[1].nn"] {
            assert_eq!(to_path(&of_path(Path::new(path))), Some(PathBuf::from(path)));
        }
        assert_eq!(of_path(Path::new("/a b/é.nn")), "file:///a%20b/%C3%A9.nn");
        assert_eq!(to_path("file:///c%3A/net.nn"), Some(PathBuf::from("c:/net.nn")));
    }

    #[test]
    fn other_addresses_are_no_paths() {
        for uri in ["untitled:1", "file://", "file://other/a.nn", "file:///%FF", "https://a/b.nn"] {
            assert_eq!(to_path(uri), None, "{uri}");
        }
        assert_eq!(tidy(Path::new("/a/./b/../c.nn")), PathBuf::from("/a/c.nn"));
    }
}
