//! Diagnostics in the protocol of `miette`, so that any of its report handlers can tell them: the
//! command line's own, which draws, and miette's, which narrates for a screen reader.
//!
//! ```text
//! Diagnostic   severity, code, message, help; labels in the file to blame
//! Reported     the same with the texts: source code, and as related diagnostics
//!                labels in other files     [`ELSEWHERE`], without a message
//!                facts that explain        [`NOTE`]
//!                edits that would mend it  [`FIX`], whose labels are what stands in their places then
//! ```
//!
//! Nothing is printed here.

use super::diagnostic::{Diagnostic, Label, Severity};
use super::fix::Fix;
use super::source::{FileId, SourceFile, Sources, Span};
use miette::{
    Diagnostic as Protocol, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents,
};
use std::error::Error;
use std::fmt::{self, Display};

/// The code of labels in another file.
pub const ELSEWHERE: &str = "elsewhere";
/// The code of a fact that explains.
pub const NOTE: &str = "note";
/// The code of edits that would mend the mistake.
pub const FIX: &str = "fix";

impl Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Diagnostic {}

impl Protocol for Diagnostic {
    fn code<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let file = self.file()?;
        let labels = self.labels.iter().filter(move |label| label.span.file == file);
        Some(Box::new(labels.map(labelled)))
    }
}

impl Diagnostic {
    /// The file to blame; that of the first label where no place is.
    fn file(&self) -> Option<FileId> {
        self.place().or(self.labels.first().map(|label| label.span)).map(|span| span.file)
    }
}

fn labelled(label: &Label) -> LabeledSpan {
    let text = Some(label.text.clone()).filter(|text| !text.is_empty());
    match label.primary {
        true => LabeledSpan::new_primary_with_span(text, bytes(label.span)),
        false => LabeledSpan::new_with_span(text, bytes(label.span)),
    }
}

fn bytes(span: Span) -> SourceSpan {
    (span.start as usize..span.end as usize).into()
}

/// A diagnostic together with the texts that it points into.
#[derive(Debug)]
pub struct Reported<'a> {
    diagnostic: &'a Diagnostic,
    source: Option<Text<'a>>,
    related: Vec<Related<'a>>,
}

impl<'a> Reported<'a> {
    /// A diagnostic about these files.
    pub fn new(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Reported<'a> {
        let text = |file| Text(sources.file(file));
        let own = diagnostic.file();
        let mut others: Vec<FileId> = Vec::new();
        for file in diagnostic.labels.iter().map(|label| label.span.file) {
            if Some(file) != own && !others.contains(&file) {
                others.push(file);
            }
        }
        let of = |file| diagnostic.labels.iter().filter(move |label| label.span.file == file);
        let mut related: Vec<Related<'a>> = others
            .into_iter()
            .map(|file| Related::Elsewhere(text(file), of(file).collect()))
            .collect();
        related.extend(diagnostic.notes.iter().map(|note| Related::Note(note)));
        let fix = |fix: &'a Fix| Some(Related::Fix(text(fix.file()?), fix));
        related.extend(diagnostic.fixes.iter().filter_map(fix));
        Reported { diagnostic, source: own.map(text), related }
    }
}

impl Display for Reported<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnostic.fmt(f)
    }
}

impl Error for Reported<'_> {}

impl Protocol for Reported<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Protocol::code(self.diagnostic)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Protocol::severity(self.diagnostic)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Protocol::help(self.diagnostic)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|text| text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Protocol::labels(self.diagnostic)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Protocol> + 'a>> {
        let related = || self.related.iter().map(|related| related as &dyn Protocol);
        (!self.related.is_empty()).then(|| Box::new(related()) as _)
    }
}

/// An entry of a report's `related` list.
#[derive(Debug)]
enum Related<'a> {
    Elsewhere(Text<'a>, Vec<&'a Label>),
    Note(&'a str),
    Fix(Text<'a>, &'a Fix),
}

impl Display for Related<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Related::Elsewhere(text, _) => write!(f, "see {}", text.0.name),
            Related::Note(note) => f.write_str(note),
            Related::Fix(_, fix) => f.write_str(&match (fix.checked, fix.automatic) {
                (true, true) => format!("{} (checked)", fix.title),
                (true, false) => format!("{} (checked; `--fix` does not make it)", fix.title),
                (false, _) => fix.title.clone(),
            }),
        }
    }
}

impl Error for Related<'_> {}

impl Protocol for Related<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(match self {
            Related::Elsewhere(..) => ELSEWHERE,
            Related::Note(_) => NOTE,
            Related::Fix(..) => FIX,
        }))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(miette::Severity::Advice)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        match self {
            Related::Elsewhere(text, _) | Related::Fix(text, _) => Some(text),
            Related::Note(_) => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        match self {
            Related::Elsewhere(_, labels) => {
                Some(Box::new(labels.iter().map(|label| labelled(label))))
            }
            Related::Note(_) => None,
            Related::Fix(_, fix) => Some(Box::new(fix.edits.iter().map(|edit| {
                LabeledSpan::new_with_span(Some(edit.text.clone()), bytes(edit.span))
            }))),
        }
    }
}

/// A file's text under its name.
#[derive(Debug)]
struct Text<'a>(&'a SourceFile);

impl SourceCode for Text<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let part = self.0.text.read_span(span, before, after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.0.name.clone(),
            part.data(),
            *part.span(),
            part.line(),
            part.column(),
            part.line_count(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fix::Edit;

    #[test]
    fn a_report_has_all_that_the_diagnostic_says() {
        let mut sources = Sources::new();
        let main = sources.add("main.nn", "x |> relux");
        let other = sources.add("other.nn", "layer relu(x) { x }");
        let edit = Edit { span: Span::new(main, 5, 10), text: "relu".into() };
        let diagnostic = Diagnostic::error("E0102", "unknown layer `relux`")
            .label(Span::new(other, 6, 10), "a layer of a similar name")
            .primary(edit.span, "not found")
            .note("a fact")
            .help("did you mean `relu`?")
            .fix("write `relu`", vec![edit]);
        let report = Reported::new(&diagnostic, &sources);
        let labels: Vec<LabeledSpan> = report.labels().unwrap().collect();
        assert_eq!((labels.len(), labels[0].offset(), labels[0].primary()), (1, 5, true));
        let text = report.source_code().unwrap().read_span(labels[0].inner(), 1, 1).unwrap();
        assert_eq!((text.name(), text.data()), (Some("main.nn"), &b"x |> relux"[..]));
        let related = report.related().unwrap();
        let told = related.map(|it| format!("{}: {it}", it.code().unwrap())).collect::<Vec<_>>();
        assert_eq!(told, ["elsewhere: see other.nn", "note: a fact", "fix: write `relu`"]);
    }
}
