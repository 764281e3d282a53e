//! How long files and functions may be.

use super::*;

/// No file has more lines.
const MOST_OF_FILE: usize = 500;
/// No function has more lines, from its first to its brace.
const MOST_OF_FUNCTION: usize = 60;

/// The text without what stands in strings and comments; lines stay where they are.
fn skeleton(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        let raw = rest.starts_with("r\"") || rest.starts_with("r#");
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if raw {
            let hashes = rest[1..].len() - rest[1..].trim_start_matches('#').len();
            let close = format!("\"{}", "#".repeat(hashes));
            match rest[1 + hashes..].strip_prefix('"').and_then(|inner| inner.find(&close)) {
                Some(inner) => 2 + hashes + inner + close.len(),
                None => 1,
            }
        } else if sign == '"' {
            let mut escaped = false;
            let ends = |(at, c): (usize, char)| {
                let end = at > 0 && c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                end.then_some(at + 1)
            };
            rest.char_indices().find_map(ends).unwrap_or(rest.len())
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').map_or(1, |at| at + 2)
        } else {
            out.push(sign);
            rest = &rest[sign.len_utf8()..];
            continue;
        };
        out.extend(rest[..end].chars().filter(|c| *c == '\n'));
        rest = &rest[end..];
    }
    out
}

/// The functions of a file, each with its lines: from `fn` to the brace of its indentation.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<String> = skeleton(text).lines().map(str::to_owned).collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let words = line.trim_start();
        let Some((before, after)) = words.split_once("fn ") else { continue };
        let is_item = before.split_whitespace().all(|word| {
            word.starts_with("pub") || word.ends_with(')') || ["const", "unsafe"].contains(&word)
        });
        let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !is_item || name.is_empty() {
            continue;
        }
        let close = format!("{}}}", &line[..line.len() - words.len()]);
        // One without a body, or on one line, ends where it begins.
        let mut body =
            lines[start..].iter().position(|line| line.ends_with('}') || line.ends_with(';'));
        if body != Some(0) {
            body = lines[start..].iter().position(|line| *line == close);
        }
        found.push((name, body.map_or(0, |lines| lines + 1)));
    }
    found
}

#[test]
fn functions_are_counted_from_their_first_line_to_their_brace() {
    let text = "impl A {\n    pub fn a() {\n        let s = \"}\n    }\";\n    }\n}\n\nfn b() {}\n";
    assert_eq!(functions(text), [("a".into(), 4), ("b".into(), 1)]);
    let raw = "fn c() {\n    r#\"\n}\n\"\n\"#;\n}\ntrait T {\n    fn d(&self);\n}\n";
    assert_eq!(functions(raw), [("c".into(), 6), ("d".into(), 1)]);
}

/// A file is read in one sitting, a function without scrolling.
#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    for path in ["src", "tests", "benches"].into_iter().flat_map(rust_files) {
        let text = fs::read_to_string(&path).expect("readable source");
        let shown = path.display();
        let lines = text.lines().count();
        if lines > MOST_OF_FILE {
            long.push(format!("{shown}: {lines} lines, {MOST_OF_FILE} at most"));
        }
        for (name, lines) in functions(&text).into_iter().filter(|it| it.1 > MOST_OF_FUNCTION) {
            long.push(format!("{shown} {name}: {lines} lines, {MOST_OF_FUNCTION} at most"));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}
