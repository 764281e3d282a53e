//! One look at a program: everything that answers are made of.
//!
//! In: a text and the places of its data. Out: an [`Analysis`]. The program is elaborated once for
//! each of its models, and the values of expressions are noted on the way. Where a file does not
//! parse, its mistakes are the findings, and the rest is of the text with what is half typed made
//! blank ([`syntax::recovered`]), whose places are the same: so names and shapes before and behind a
//! mistake stay. A text without a model is a library: it is parsed, not elaborated.

use super::lines::{ColumnUnit, TextLines};
use super::names::NameUses;
use super::uri;
use crate::base::caught::caught;
use crate::base::diagnostic::Diagnostic;
use crate::base::schema::Schema;
use crate::base::source::{FileId, Sources, Span};
use crate::driver::checked::{CheckedProgram, ParsedProgram};
use crate::driver::source::Schemas;
use crate::driver::{Failure, Request, Session, each_model, merge};
use crate::elaborate::{ShownValue, ValueTrace};
use crate::syntax::{self, ast};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A model of a program that elaborates.
#[derive(Clone, Debug)]
pub struct ModelFacts {
    /// Its name.
    pub name: String,
    /// The place of its name.
    pub span: Span,
    /// How many numbers it trains.
    pub parameters: usize,
}

/// All that is known of a program.
#[derive(Debug)]
pub struct Analysis {
    /// The texts that trees and names point into: of a file that does not parse, the form that does.
    pub sources: Sources,
    /// The file that was looked at.
    pub main: FileId,
    /// Its tree, and those of the files that it uses.
    pub files: Vec<ast::File>,
    /// The prelude's tree.
    pub prelude: Arc<ast::File>,
    /// Mistakes and suspicions, and the texts that they point into.
    pub findings: (Vec<Diagnostic>, Sources),
    /// The values of expressions, by their places.
    pub values: HashMap<Span, Vec<ShownValue>>,
    /// All names.
    pub names: NameUses,
    /// The models that elaborate.
    pub models: Vec<ModelFacts>,
    /// The fields of data, by the name of the `data` item.
    pub schemas: Vec<(String, Schema)>,
    /// The paths of parameters, of this state or of the last that had some.
    pub paths: Vec<String>,
    /// Whether the file that was looked at did not parse.
    pub half_typed: bool,
    /// A failure that is a bug of ours.
    pub bug: Option<String>,
    lines: HashMap<FileId, TextLines>,
}

/// The state that analyses share, so that each takes little: the prelude's tree and what is known of
/// the data.
pub struct Analyst {
    session: Session,
    schemas: Schemas,
    /// How many analyses the schemas have served.
    served: usize,
    unit: ColumnUnit,
}

/// After how many analyses data are looked at again: each text that is half typed may name others.
const SCHEMAS_KEPT: usize = 256;

impl Analyst {
    /// Nothing known yet.
    pub fn new(unit: ColumnUnit) -> Analyst {
        Analyst { session: Session::default(), schemas: Schemas::as_written(), served: 0, unit }
    }

    /// Forgets what is known of data, because files have changed.
    pub fn forget_data(&mut self) {
        self.schemas = Schemas::as_written();
        self.served = 0;
    }

    /// Reads these texts in the place of files.
    pub fn overlay(&mut self, path: PathBuf, text: String) {
        self.session.overlay(path, text);
    }

    /// Reads a file again as it is.
    pub fn uncover(&mut self, path: &Path) {
        self.session.overlays.retain(|(known, _)| known != path);
    }

    /// A session that reads the same texts.
    pub(super) fn session(&self) -> Session {
        self.session.beside()
    }

    /// Schemas of data, as far as they are known.
    pub(super) fn schemas(&self) -> Schemas {
        self.schemas.clone()
    }

    /// Looks at a program, whose text is among those that stand for files.
    pub fn analyse(&mut self, request: &Request) -> Analysis {
        self.served += 1;
        if self.served > SCHEMAS_KEPT {
            self.forget_data();
            self.served = 1;
        }
        let mut analysis = self.looked_at(request);
        let texts = analysis.sources.iter();
        analysis.lines = texts.map(|(id, it)| (id, TextLines::of(&it.text, self.unit))).collect();
        analysis.names = NameUses::of(&analysis.files, &analysis.prelude);
        analysis
    }

    fn looked_at(&mut self, request: &Request) -> Analysis {
        let mut session = self.session();
        let text = session.main_text(request).unwrap_or_default();
        let parsed = session.parse(&request.file, text.clone());
        self.session.prelude = session.prelude.clone();
        match parsed {
            Ok((parsed, errors)) if errors.is_empty() => {
                let mut analysis = Analysis::of(parsed, session.sources.clone());
                if analysis.has_model() {
                    self.elaborate(&mut session, request, &mut analysis);
                }
                analysis
            }
            Ok((_, errors)) => self.half_typed(request, &session, errors),
            Err(failure) => Analysis::broken(&mut session, failure),
        }
    }

    /// A program some of whose files do not parse.
    fn half_typed(
        &mut self,
        request: &Request,
        broken: &Session,
        errors: Vec<Diagnostic>,
    ) -> Analysis {
        let mut session = self.session();
        let mut places: Vec<FileId> =
            errors.iter().filter_map(|error| Some(error.place()?.file)).collect();
        places.sort_unstable();
        places.dedup();
        let mut main_text = broken.main_text(request).unwrap_or_default();
        let mut half_typed = false;
        for id in places {
            let file = broken.sources.file(id);
            let made = caught(|| syntax::recovered(id, &file.text)).unwrap_or_default();
            if Path::new(&file.name) == request.file {
                half_typed = true;
                main_text.clone_from(&made);
            }
            session.overlay(PathBuf::from(&file.name), made);
        }
        let mut analysis = match session.parse(&request.file, main_text) {
            Ok((parsed, _)) => Analysis::of(parsed, session.sources.clone()),
            Err(failure) => Analysis::broken(&mut session, failure),
        };
        if analysis.has_model() {
            self.elaborate(&mut session, request, &mut analysis);
        }
        // What is wrong with a text that nobody has written is not told.
        analysis.findings = (errors, broken.sources.clone());
        analysis.half_typed = half_typed;
        analysis
    }

    /// Elaborates each model of a program that parses.
    fn elaborate(&mut self, session: &mut Session, request: &Request, analysis: &mut Analysis) {
        let requests = match each_model(session, request) {
            Ok(requests) => requests,
            Err(failure) => return analysis.fail(failure),
        };
        // What a setting says is held against the data as `nnc check` does, but no file of weights is
        // read after each key.
        let reads = |key: &ast::TrainKey| key.key.text == "init_from";
        let trains = analysis.files.iter().flat_map(|file| &file.items).filter_map(as_train);
        self.schemas.as_written = !trains.flat_map(|train| &train.keys).any(reads);
        let trace = ValueTrace::default();
        for request in requests {
            let mut own = session.beside();
            own.trace = Some(trace.clone());
            let Ok(text) = own.main_text(&request) else { continue };
            match own.parse_and_check(text, &request, &mut self.schemas) {
                Ok((_, checked)) => analysis.add(checked, own.sources),
                Err(failure) => analysis.fail(failure),
            }
        }
        analysis.values = trace.take();
    }
}

/// The `train` block that an item is, if it is one.
fn as_train(item: &ast::Item) -> Option<&ast::Train> {
    match &item.kind {
        ast::ItemKind::Train(train) => Some(train),
        _ => None,
    }
}

impl Analysis {
    fn of(parsed: ParsedProgram, sources: Sources) -> Analysis {
        let ParsedProgram { files, prelude, .. } = parsed;
        let user = sources.iter().find(|(_, file)| !file.builtin).map(|(id, _)| id);
        Analysis {
            main: user.unwrap_or(prelude.id),
            sources,
            files,
            prelude,
            findings: (Vec::new(), Sources::new()),
            values: HashMap::new(),
            names: NameUses::default(),
            models: Vec::new(),
            schemas: Vec::new(),
            paths: Vec::new(),
            half_typed: false,
            bug: None,
            lines: HashMap::new(),
        }
    }

    /// Of a program that a stage failed on.
    fn broken(session: &mut Session, failure: Failure) -> Analysis {
        let mut sources = std::mem::take(&mut session.sources);
        let first = sources.iter().next().map(|(id, _)| id);
        let id = first.unwrap_or_else(|| sources.add("", ""));
        let empty = ast::File { id, items: Vec::new() };
        let prelude = session.prelude.clone().unwrap_or_else(|| Arc::new(empty));
        let parsed = ParsedProgram { files: Vec::new(), prelude, tokens: 0 };
        let mut analysis = Analysis::of(parsed, sources);
        analysis.fail(failure);
        analysis
    }

    fn fail(&mut self, failure: Failure) {
        match failure {
            Failure::Bug { pass, message, .. } => {
                self.bug = Some(format!("pass `{pass}` failed: {message}"));
            }
            Failure::Program { diagnostics, sources } => {
                merge(&mut self.findings.0, diagnostics);
                self.findings.1 = *sources;
            }
            Failure::Data(message) | Failure::Io(message) | Failure::Interrupted(message) => {
                self.bug = Some(message);
            }
            Failure::Output(_) | Failure::Shown => {}
        }
    }

    /// Adds what one of the models came to.
    fn add(&mut self, checked: CheckedProgram, sources: Sources) {
        let CheckedProgram { experiment, source, errors, warnings, .. } = checked;
        merge(&mut self.findings.0, [errors, warnings].concat());
        self.findings.1 = sources;
        if let Some(source) = source
            && let Some(schema) = &source.schema
            && !self.schemas.iter().any(|(name, _)| *name == source.item.name)
        {
            self.schemas.push((source.item.name.clone(), schema.clone()));
        }
        if let Some(experiment) = experiment {
            self.models.push(ModelFacts {
                name: experiment.model.clone(),
                span: experiment.model_span,
                parameters: experiment.train.parameter_count(),
            });
            self.paths.extend(experiment.train.params.iter().map(|(_, it)| it.path.clone()));
        }
    }

    /// Takes over what completion offers from an earlier state of the text, where this one is not
    /// sound enough to tell: fields of data, paths of parameters.
    pub(super) fn remember(&mut self, schemas: &[(String, Schema)], paths: &[String]) {
        for (name, schema) in schemas {
            if self.schema(name).is_none() {
                self.schemas.push((name.clone(), schema.clone()));
            }
        }
        if self.models.is_empty() {
            self.paths = paths.to_vec();
        }
    }

    fn has_model(&self) -> bool {
        let is_model = |item: &ast::Item| matches!(&item.kind, ast::ItemKind::Function(it) if it.kind == ast::FunctionKind::Model);
        let is_train = |item: &ast::Item| matches!(item.kind, ast::ItemKind::Train(_));
        let mut items = self.files.iter().flat_map(|file| &file.items);
        items.any(|item| is_model(item) || is_train(item))
    }

    /// The tree of the file that was looked at.
    pub fn tree(&self) -> Option<&ast::File> {
        self.files.iter().find(|file| file.id == self.main)
    }

    /// The text that the places of the file's tree point into.
    pub fn text(&self) -> &str {
        &self.sources.file(self.main).text
    }

    /// The lines of a file.
    pub fn lines(&self, file: FileId) -> Option<&TextLines> {
        self.lines.get(&file)
    }

    /// The path of a file; `None` of the prelude.
    pub fn path(&self, file: FileId) -> Option<PathBuf> {
        let file = self.sources.file(file);
        (!file.builtin).then(|| uri::tidy(Path::new(&file.name)))
    }

    /// The values of the smallest expression around a byte of the file, and its place.
    pub fn values_at(&self, byte: usize) -> Option<(Span, &[ShownValue])> {
        let byte = u32::try_from(byte).ok()?;
        let around = |span: &Span| span.file == self.main && span.start <= byte && byte <= span.end;
        let found = self.values.iter().filter(|(span, _)| around(span));
        let smallest = found.min_by_key(|(span, _)| (span.end - span.start, span.start));
        smallest.map(|(span, values)| (*span, &values[..]))
    }

    /// The fields of a `data` item.
    pub fn schema(&self, data: &str) -> Option<&Schema> {
        self.schemas.iter().find(|(name, _)| name == data).map(|(_, schema)| schema)
    }
}
