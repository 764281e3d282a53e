//! Findings for programs: one JSON object a line, or one SARIF log.
//!
//! Lines and columns count from 1, columns in characters; an end is one past the last character.

use super::write;
use crate::base::codes;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::source::{Sources, Span};
use crate::driver::{Failure, source_text};
use serde_json::{Value, json};
use std::path::Path;

/// Prints one object a finding on standard output. What has no place in a program is about `main`, the
/// file that was named.
pub fn print_json(found: &[Diagnostic], sources: &Sources, main: &Path) -> Result<(), Failure> {
    for finding in found {
        let mut finding = of(finding, sources);
        if finding["file"].is_null() {
            finding["file"] = json!(main.to_string_lossy());
        }
        write::line(&finding.to_string())?;
    }
    Ok(())
}

/// Why there is nothing else to say, as a finding about the file that was named.
pub fn finding(failure: &Failure, main: &Path) -> Option<Diagnostic> {
    let message = match failure {
        Failure::Data(message) | Failure::Io(message) => message.clone(),
        Failure::Bug { pass, message, .. } => {
            format!("nnc has a bug: pass `{pass}` failed: {message}")
        }
        Failure::Program { .. } | Failure::Output(_) | Failure::Shown | Failure::Interrupted(_) => {
            return None;
        }
    };
    // Only a file that cannot be read has a code; the rest happens behind a program that is sound.
    let code = if source_text(main).is_err() { codes::MISSING_FILE } else { "" };
    Some(Diagnostic::error(code, message))
}

/// One finding.
pub fn of(finding: &Diagnostic, sources: &Sources) -> Value {
    let labels: Vec<Value> = finding
        .labels
        .iter()
        .map(|label| {
            let mut value = place(label.span, sources);
            value["text"] = json!(label.text);
            value["primary"] = json!(label.primary);
            value
        })
        .collect();
    let fixes: Vec<Value> = finding
        .fixes
        .iter()
        .map(|fix| {
            let edits: Vec<Value> = fix
                .edits
                .iter()
                .map(|edit| {
                    let mut value = place(edit.span, sources);
                    value["text"] = json!(edit.text);
                    value
                })
                .collect();
            json!({ "title": fix.title, "checked": fix.checked, "automatic": fix.automatic, "edits": edits })
        })
        .collect();
    json!({
        "severity": word(finding.severity),
        "code": code(finding),
        "message": finding.message,
        "file": finding.place().map(|place| &sources.file(place.file).name),
        "labels": labels,
        "notes": finding.notes,
        "help": finding.help,
        "fixes": fixes,
    })
}

/// The code, or null for what has none.
fn code(finding: &Diagnostic) -> Option<&'static str> {
    Some(finding.code).filter(|code| !code.is_empty())
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn place(span: Span, sources: &Sources) -> Value {
    let (line, column) = sources.line_column(span.file, span.start);
    let (end_line, end_column) = sources.line_column(span.file, span.end);
    json!({
        "file": sources.file(span.file).name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    })
}

/// Prints a SARIF 2.1.0 log with all findings on standard output.
pub fn print_sarif(found: &[Diagnostic], sources: &Sources, main: &Path) -> Result<(), Failure> {
    let rules: Vec<Value> = codes::TABLE
        .iter()
        .filter(|code| found.iter().any(|finding| finding.code == code.code))
        .map(|code| json!({ "id": code.code, "shortDescription": { "text": code.title } }))
        .collect();
    let results: Vec<Value> = found.iter().map(|finding| result(finding, sources, main)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "nnc",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    write::line(&format!("{log:#}"))
}

fn result(finding: &Diagnostic, sources: &Sources, main: &Path) -> Value {
    let (primary, related): (Vec<_>, Vec<_>) =
        finding.labels.iter().partition(|label| label.primary);
    let location = |span: Span, text: &str| {
        let mut value = json!({ "physicalLocation": physical(span, sources) });
        if !text.is_empty() {
            value["message"] = json!({ "text": text });
        }
        value
    };
    let fixes: Vec<Value> = finding
        .fixes
        .iter()
        .map(|fix| {
            let replacements: Vec<Value> = fix
                .edits
                .iter()
                .map(|edit| {
                    json!({
                        "deletedRegion": physical(edit.span, sources)["region"],
                        "insertedContent": { "text": edit.text },
                    })
                })
                .collect();
            let file = fix.file().map_or("", |file| sources.file(file).name.as_str());
            json!({
                "description": { "text": fix.title },
                "artifactChanges": [{
                    "artifactLocation": { "uri": uri(file) },
                    "replacements": replacements,
                }],
            })
        })
        .collect();
    let mut text = finding.message.clone();
    for more in finding.notes.iter().chain(&finding.help) {
        text.push('\n');
        text.push_str(more);
    }
    let mut locations: Vec<Value> = primary.iter().map(|it| location(it.span, "")).collect();
    if locations.is_empty() {
        let artifact = json!({ "uri": uri(&main.to_string_lossy()) });
        locations.push(json!({ "physicalLocation": { "artifactLocation": artifact } }));
    }
    let mut value = json!({
        "level": word(finding.severity),
        "message": { "text": text },
        "locations": locations,
        "relatedLocations": related.iter().map(|it| location(it.span, &it.text)).collect::<Vec<_>>(),
        "fixes": fixes,
    });
    if let Some(code) = code(finding) {
        value["ruleId"] = json!(code);
    }
    value
}

fn physical(span: Span, sources: &Sources) -> Value {
    let place = place(span, sources);
    json!({
        "artifactLocation": { "uri": uri(&sources.file(span.file).name) },
        "region": {
            "startLine": place["line"],
            "startColumn": place["column"],
            "endLine": place["end_line"],
            "endColumn": place["end_column"],
        },
    })
}

/// A path as a relative URI: what is not allowed in one is written as bytes.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            b'\\' => uri.push('/'),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
