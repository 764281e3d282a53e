//! A message to the user: one sentence, the places it concerns, and a way out.
//!
//! A [`Diagnostic`] is plain data; the command line draws it. Build one in a chain:
//!
//! ```
//! # use nnc::base::{diagnostic::Diagnostic, source::{Sources, Span}};
//! # let mut sources = Sources::new();
//! # let file = sources.add("a.nn", "relux");
//! let error = Diagnostic::error("E0101", "unknown layer `relux`")
//!     .primary(Span::new(file, 0, 5), "not found")
//!     .help("did you mean `relu`?");
//! ```

use crate::base::codes;
use crate::base::field::NameKind;
use crate::base::fix::Certainty;
pub use crate::base::fix::{Edit, Fix};
use crate::base::names::{meant, readings};
use crate::base::source::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something suspicious; the program still means something.
    Warning,
    /// The program is wrong.
    Error,
}

/// A place and what to say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// Text beside the marked place; may be empty.
    pub text: String,
    /// Whether this is the place to blame.
    pub primary: bool,
}

/// One finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The stable code, `E0101`.
    pub code: &'static str,
    /// One sentence, without a full stop.
    pub message: String,
    /// The places, the primary one first.
    pub labels: Vec<Label>,
    /// Facts that explain (where a dimension came from, a formula with its numbers).
    pub notes: Vec<String>,
    /// Advice on how to mend it.
    pub help: Option<String>,
    /// Edits that would mend it.
    pub fixes: Vec<Fix>,
}

/// How many of a mistake's numbers are looked at.
const MOST_NUMBERS: usize = 64;

impl Diagnostic {
    /// An error without places yet.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message.into())
    }

    /// A warning without places yet.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message.into())
    }

    fn new(severity: Severity, code: &'static str, message: String) -> Self {
        Diagnostic {
            severity,
            code,
            message,
            labels: Vec::new(),
            notes: Vec::new(),
            help: None,
            fixes: Vec::new(),
        }
    }

    /// Adds the place to blame.
    pub fn primary(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.insert(0, Label { span, text: text.into(), primary: true });
        self
    }

    /// Adds a place that has to do with it.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into(), primary: false });
        self
    }

    /// Adds a fact.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
        self
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to do, where nothing is said yet.
    pub fn or_help(self, help: impl FnOnce() -> String) -> Self {
        if self.help.is_some() { self } else { self.help(help()) }
    }

    /// Asks whether one of the names near a misspelt one was meant, and proposes those.
    pub fn misspelt<'n>(
        mut self,
        span: Span,
        name: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let near = readings(name, names);
        if let Some((nearest, _)) = near.first() {
            self.help = Some(format!("did you mean `{nearest}`?"));
        }
        self.names(span, near)
    }

    /// The same of a name that things of some kinds have: one that the field knows as something else
    /// is no slip, and says what it is.
    pub fn unknown_item<'n>(
        mut self,
        span: Span,
        name: &str,
        names: impl IntoIterator<Item = &'n str>,
        kinds: &[NameKind],
    ) -> Self {
        let meant = meant(name, names, kinds);
        match (meant.known, meant.near.first()) {
            (Some(known), _) if meant.slip => self.help = Some(known.asked()),
            (Some(known), _) => {
                if known.to_come {
                    self.code = codes::NOT_IN_VERSION;
                    self.message = format!("`{name}` is not in this version");
                }
                self.help = Some(known.help(name));
            }
            (None, Some((nearest, _))) => {
                self.help = Some(format!("did you mean `{nearest}`?"));
            }
            (None, None) => {}
        }
        self.names(span, meant.near)
    }

    /// Proposes names in a place.
    fn names(mut self, span: Span, near: Vec<(&str, Certainty)>) -> Self {
        for (name, reading) in near.into_iter().take(3) {
            let edits = vec![Edit { span, text: name.into() }];
            self.fixes.push(Fix::new(format!("write `{name}`"), edits).read_as(reading));
        }
        self
    }

    /// Adds an unchecked fix.
    pub fn fix(mut self, title: impl Into<String>, edits: Vec<Edit>) -> Self {
        self.fixes.push(Fix::new(title, edits));
        self
    }

    /// The whole numbers that it speaks of, in order, each once: what is wrong is a number, so the
    /// right one is mostly among them or follows from them.
    pub fn numbers(&self) -> Vec<i64> {
        let labels = self.labels.iter().map(|label| label.text.as_str());
        let texts = std::iter::once(self.message.as_str()).chain(labels);
        let mut found: Vec<i64> = Vec::new();
        for text in texts.chain(self.notes.iter().map(String::as_str)) {
            let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
            for number in words.filter_map(|word| word.trim_end_matches('.').parse().ok()) {
                if !found.contains(&number) && found.len() < MOST_NUMBERS {
                    found.push(number);
                }
            }
        }
        found
    }

    /// The primary place, if there is one.
    pub fn place(&self) -> Option<Span> {
        self.labels.iter().find(|label| label.primary).map(|label| label.span)
    }
}
