//! Findings and places in the protocol's form: which address a place has, what a client shows of a
//! finding.

use super::analysis::Analysis;
use super::documents::OpenText;
use super::lines::{ColumnUnit, TextLines};
use super::uri;
use crate::base::diagnostic::{Diagnostic as Finding, Severity};
use crate::base::source::{Sources, Span};
use crate::syntax::ast::ItemKind;
use gen_lsp_types::{
    Code, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, Range, Uri,
};
use std::path::Path;

/// The addresses of a program's files.
pub(super) struct Addresses<'a> {
    /// The file that was looked at.
    pub open: &'a OpenText,
    /// All texts that the client has open.
    pub others: Vec<&'a OpenText>,
    /// The readable copy of the prelude.
    pub prelude: Option<&'a Path>,
    pub unit: ColumnUnit,
}

impl Addresses<'_> {
    /// The address of a file of these sources.
    pub fn uri(&self, sources: &Sources, span: Span) -> Option<Uri> {
        let file = sources.file(span.file);
        if file.builtin {
            return Some(Uri(uri::of_path(self.prelude?)));
        }
        let path = uri::tidy(Path::new(&file.name));
        if path == uri::tidy(&self.open.path) {
            return Some(Uri(self.open.uri.clone()));
        }
        let open = self.others.iter().find(|other| uri::tidy(&other.path) == path);
        Some(Uri(open.map_or_else(|| uri::of_path(&path), |open| open.uri.clone())))
    }

    /// The range of a place; of the open file, in its text as the client has it.
    pub fn range(&self, sources: &Sources, span: Span) -> Range {
        let file = sources.file(span.file);
        if !file.builtin && Path::new(&file.name) == self.open.path {
            return self.open.lines.range_of(&self.open.text, span);
        }
        TextLines::of(&file.text, self.unit).range_of(&file.text, span)
    }

    /// Address and range of a place.
    pub fn location(&self, sources: &Sources, span: Span) -> Option<Location> {
        Some(Location { uri: self.uri(sources, span)?, range: self.range(sources, span) })
    }

    /// Whether a place is in the file that was looked at.
    pub fn is_open(&self, sources: &Sources, span: Span) -> bool {
        let file = sources.file(span.file);
        !file.builtin && Path::new(&file.name) == self.open.path
    }
}

/// The findings of an analysis, those in other files at the `use` that leads there, or at the beginning.
pub(super) fn diagnostics(analysis: &Analysis, addresses: &Addresses<'_>) -> Vec<Diagnostic> {
    let (findings, sources) = &analysis.findings;
    let told = |finding: &Finding| {
        let mut told = diagnostic(finding, sources, addresses);
        let elsewhere = finding.place().filter(|span| !addresses.is_open(sources, *span));
        if let Some(used) =
            elsewhere.and_then(|span| use_of(analysis, &sources.file(span.file).name))
        {
            told.range = addresses.range(&analysis.sources, used);
        }
        told
    };
    findings.iter().map(told).collect()
}

/// The place in the open file that uses a file: directly, or else the first that uses any.
fn use_of(analysis: &Analysis, file: &str) -> Option<Span> {
    let folder = analysis.path(analysis.main)?;
    let folder = folder.parent().unwrap_or(Path::new(""));
    let uses = analysis.tree()?.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Use { path, path_span } => Some((uri::tidy(&folder.join(path)), *path_span)),
        _ => None,
    });
    let uses: Vec<_> = uses.collect();
    let direct = uses.iter().find(|(path, _)| *path == uri::tidy(Path::new(file)));
    direct.or(uses.first()).map(|(_, span)| *span)
}

/// One finding.
pub(super) fn diagnostic(
    finding: &Finding,
    sources: &Sources,
    addresses: &Addresses<'_>,
) -> Diagnostic {
    let place = finding.place().filter(|span| addresses.is_open(sources, *span));
    let range = place.map(|span| addresses.range(sources, span)).unwrap_or_default();
    let related = finding.labels.iter().filter(|label| !label.primary || place.is_none());
    let related = related.filter_map(|label| {
        let location = addresses.location(sources, label.span)?;
        let message = if label.text.is_empty() { "here".to_owned() } else { label.text.clone() };
        Some(DiagnosticRelatedInformation { location, message })
    });
    let related: Vec<_> = related.collect();
    let severity = match finding.severity {
        Severity::Error => DiagnosticSeverity::Error,
        Severity::Warning => DiagnosticSeverity::Warning,
    };
    Diagnostic {
        range,
        severity: Some(severity),
        code: Some(Code::String(finding.code.to_owned())),
        source: Some("nnc".to_owned()),
        message: message(finding).into(),
        related_information: (!related.is_empty()).then_some(related),
        ..Default::default()
    }
}

/// The sentence, what the blamed place says, facts and advice, a line each.
pub(super) fn message(finding: &Finding) -> String {
    let mut lines = vec![finding.message.clone()];
    let primary = finding.labels.iter().find(|label| label.primary);
    lines.extend(primary.map(|label| label.text.clone()).filter(|text| !text.is_empty()));
    lines.extend(finding.notes.iter().map(|note| format!("note: {note}")));
    lines.extend(finding.help.iter().map(|help| format!("help: {help}")));
    lines.join("\n")
}
